//! The plain `body` of a message: what notifications, the log of a terminal client and push rules
//! read.

use pulldown_cmark::{Event, Tag, TagEnd};
use unicode_width::UnicodeWidthStr as _;

use super::html::said;

/// The plain text of a document: no markup but the `- ` of points, blocks parted by empty lines,
/// tables in aligned columns.
pub(super) fn body(events: &[Event<'_>]) -> String {
    let mut out = String::new();
    let mut code_block = false;
    let mut item = false;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut cell: Option<String> = None;
    for event in events {
        match event {
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => {
                silent(text, code_block, cell.as_mut().unwrap_or(&mut out));
            }
            Event::Code(text) => silent(text, true, cell.as_mut().unwrap_or(&mut out)),
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
            Event::Start(Tag::TableHead | Tag::TableRow) => rows.push(Vec::new()),
            Event::Start(Tag::TableCell) => cell = Some(String::new()),
            Event::End(TagEnd::TableCell) => {
                if let (Some(row), Some(cell)) = (rows.last_mut(), cell.take()) {
                    row.push(cell);
                }
            }
            Event::End(TagEnd::Table) => {
                part(&mut out);
                align(&std::mem::take(&mut rows), &mut out);
            }
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

/// Rows in columns as wide as their widest cell, two spaces apart. What counts is how many columns
/// of a fixed font a cell takes: two for a Chinese character or an emoji, none for a mark on a letter.
fn align(rows: &[Vec<String>], out: &mut String) {
    let mut widths = vec![0; rows.iter().map(Vec::len).max().unwrap_or(0)];
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = cell.width().max(*widest);
        }
    }
    for row in rows {
        for (&widest, cell) in widths.iter().zip(row) {
            out.push_str(cell);
            out.extend(std::iter::repeat_n(' ', widest - cell.width() + 2));
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_is_written_in_them() {
        let names = [
            ("plain", 5),
            ("王小明", 6),
            ("カナ", 4),
            ("한글", 4),
            ("Ａ１", 4),
            ("cafe\u{301}", 4),
            ("e\u{301}\u{323}", 1),
            ("ก็", 1),
            ("👍", 2),
            ("👍🏽", 2),
            ("👩\u{200d}💻", 2),
            ("🇨🇭", 2),
            ("❤\u{fe0f}", 2),
            ("\u{2068}שלום\u{2069}", 4),
            ("", 0),
        ];
        let rows: Vec<Vec<String>> =
            names.iter().map(|(name, _)| vec![(*name).to_owned(), "|".to_owned()]).collect();
        let mut out = String::new();
        align(&rows, &mut out);
        for (line, (name, columns)) in out.lines().zip(names) {
            let spaces = " ".repeat(6 - columns + 2);
            assert_eq!(line, format!("{name}{spaces}|"));
        }
    }
}
