//! The `formatted_body` of a message: only tags that every client draws.

use std::borrow::Cow;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, TextMergeStream};

use super::markdown::{APART, COVER, GUARD};

/// The events of a document, with adjacent text in one piece.
pub(super) fn events(markdown: &str) -> Vec<Event<'_>> {
    TextMergeStream::new(Parser::new_ext(markdown, Options::empty())).collect()
}

/// What a text or code event says, without the character that served the Markdown only.
///
/// Nothing is seen of the word joiner that holds the parts of a hostile address apart, and the bot
/// drops it from what is typed, so that a copied name still means the same.
pub(super) fn said(text: &str) -> Cow<'_, str> {
    if text.contains([GUARD, APART]) {
        Cow::Owned(text.replace(GUARD, "").replace(APART, "\u{2060}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The HTML of a document.
///
/// Raw HTML, of which there is none in what we write, is shown as text; links and images come to
/// nothing but their text.
pub(super) fn html(events: &[Event<'_>]) -> String {
    let mut out = String::new();
    let mut item = false;
    for event in events {
        match event {
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                escape(text, &mut out);
            }
            Event::Code(text) => {
                out.push_str("<code>");
                escape(text, &mut out);
                out.push_str("</code>");
            }
            Event::SoftBreak | Event::HardBreak => out.push_str("<br>"),
            // A paragraph inside a point would be drawn with empty lines around it.
            Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph) if item => {}
            Event::Start(tag) => {
                item |= *tag == Tag::Item;
                out.push_str(opening(tag));
            }
            Event::End(tag) => {
                item &= *tag != TagEnd::Item;
                if *tag == TagEnd::CodeBlock && out.ends_with('\n') {
                    out.pop();
                }
                out.push_str(closing(*tag));
            }
            _ => {}
        }
    }
    out
}

fn opening(tag: &Tag<'_>) -> &'static str {
    match tag {
        Tag::Paragraph => "<p>",
        Tag::Strong => "<strong>",
        Tag::Emphasis => "<em>",
        Tag::List(_) => "<ul>",
        Tag::Item => "<li>",
        Tag::CodeBlock(_) => "<pre><code>",
        _ => "",
    }
}

fn closing(tag: TagEnd) -> &'static str {
    match tag {
        TagEnd::Paragraph => "</p>",
        TagEnd::Strong => "</strong>",
        TagEnd::Emphasis => "</em>",
        TagEnd::List(_) => "</ul>",
        TagEnd::Item => "</li>",
        TagEnd::CodeBlock => "</code></pre>",
        _ => "",
    }
}

fn escape(text: &str, out: &mut String) {
    let text = said(text);
    let mut rest = text.as_ref();
    let [covered, end] = COVER;
    while let Some(at) = rest.find(['&', '<', '>', covered, end]) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let mut after = after.chars();
        out.push_str(match after.next() {
            Some('&') => "&amp;",
            Some('<') => "&lt;",
            Some(mark) if mark == covered => "<span data-mx-spoiler>",
            Some(mark) if mark == end => "</span>",
            _ => "&gt;",
        });
        rest = after.as_str();
    }
    out.push_str(rest);
}
