//! The plain `body` of a message: what notifications, the log of a terminal client and push rules
//! read.

use std::borrow::Cow;

use pulldown_cmark::{Event, Tag, TagEnd};

use super::{html::said, line::COVERED, markdown::COVER};

/// The plain text of a document: no markup but the `- ` of points, blocks parted by empty lines.
pub(super) fn body(events: &[Event<'_>]) -> String {
    let mut out = String::new();
    let mut code_block = false;
    let mut item = false;
    for event in events {
        match event {
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                silent(text, code_block, &mut out);
            }
            Event::Code(text) => silent(text, true, &mut out),
            Event::SoftBreak | Event::HardBreak => out.push('\n'),
            Event::Start(Tag::Paragraph) if !item => part(&mut out),
            Event::Start(Tag::CodeBlock(_)) => {
                code_block = true;
                part(&mut out);
            }
            Event::End(TagEnd::CodeBlock) => code_block = false,
            Event::Start(Tag::Item) => {
                item = true;
                start_line(&mut out);
                out.push_str("- ");
            }
            Event::End(TagEnd::Item) => item = false,
            _ => {}
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Ends what stands there with an empty line.
fn part(out: &mut String) {
    start_line(out);
    if !out.is_empty() {
        out.push('\n');
    }
}

fn start_line(out: &mut String) {
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
}

/// Appends `text` so that no push rule for the whole room takes it for a call to everybody.
///
/// A word joiner goes between `@` and `room`: nothing is to be seen of it, and the bot drops it
/// from what is typed, so that a copied command still means the same. In code the account
/// `@room:server` is left as it is.
fn silent(text: &str, code: bool, out: &mut String) {
    let text = said(text);
    let text = uncovered(&text);
    let mut rest = text.as_ref();
    while let Some((before, after)) = rest.split_once('@') {
        out.push_str(before);
        out.push('@');
        let call = after.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("room"));
        let account = code && after.as_bytes().get(4) == Some(&b':');
        if call && !account {
            out.push('\u{2060}');
        }
        rest = after;
    }
    out.push_str(rest);
}

/// The text without what is covered in it. Plain text is what notifications show.
fn uncovered(text: &str) -> Cow<'_, str> {
    let [begin, end] = COVER;
    let mut parts = text.split(begin);
    let first = parts.next().unwrap_or_default();
    if first.len() == text.len() {
        return Cow::Borrowed(text);
    }
    let mut out = first.to_owned();
    for part in parts {
        out.push_str(COVERED);
        out.push_str(part.split_once(end).map_or("", |(_, after)| after));
    }
    Cow::Owned(out)
}
