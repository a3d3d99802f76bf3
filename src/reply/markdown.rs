//! A reply as one Markdown document.
//!
//! Everything that is not our own markup is escaped, so that the structure comes from the reply
//! alone. Three characters that no text holds, since cleaning removes them, serve the document:
//! [`GUARD`] and [`PIPE`], which the walkers take out again, and [`APART`].

use super::{
    Block, Fact, Layout, Line, Record, Reply, Span, Status,
    clean::{isolated, unlinked, visible},
};

/// Stands between markup and what it touches. Whether `**` opens or closes depends on the
/// characters around it; beside this one, which is neither white space nor punctuation, it always
/// does what it was put there for, and two runs of backticks do not become one.
pub(super) const GUARD: char = '\u{2060}';

/// A pipe inside code inside a table, where Markdown has no unambiguous way to write one.
pub(super) const PIPE: char = '\u{fdd0}';

/// Stands in somebody else's text where a client would otherwise see a link or a mention. What is
/// sent has a word joiner in its place.
pub(super) const APART: char = '\u{fdd1}';

/// A part of the document: the first line, or a block.
#[derive(Debug, Clone)]
pub(super) enum Section {
    /// The first line.
    Title(Option<Status>, Line),
    /// Anything after it.
    Block(Block),
}

/// The sections of a reply, in order. Commands that follow each other become one block: on a
/// phone a paragraph for each would be mostly empty lines.
pub(super) fn sections(reply: &Reply) -> Vec<Section> {
    let mut sections = Vec::with_capacity(reply.blocks.len() + 1);
    if reply.status.is_some() || !reply.title.is_empty() {
        sections.push(Section::Title(reply.status, reply.title.clone()));
    }
    for block in &reply.blocks {
        if let Block::Commands(more) = block
            && let Some(Section::Block(Block::Commands(commands))) = sections.last_mut()
        {
            commands.extend_from_slice(more);
        } else {
            sections.push(Section::Block(block.clone()));
        }
    }
    sections
}

/// The Markdown of some sections: blocks with an empty line between them.
pub(super) fn document(sections: &[Section], layout: &Layout) -> String {
    let mut out = String::new();
    let mut add = |block: &str| {
        if !block.is_empty() {
            if !out.is_empty() {
                out.push_str("\n\n");
            }
            out.push_str(block);
        }
    };
    for section in sections {
        match section {
            Section::Title(status, line) => add(&title(*status, line)),
            Section::Block(Block::Text(line)) => add(&inline(line)),
            Section::Block(Block::Note(line)) => add(&wrap("*", &inline(line))),
            Section::Block(Block::Facts(facts)) => add(&lines(facts.iter().map(fact))),
            Section::Block(Block::Code(text)) => add(&fenced(text)),
            Section::Block(Block::Commands(commands)) => {
                add(&lines(
                    commands.iter().map(|(what_for, words)| inline(&command(what_for, words))),
                ));
            }
            Section::Block(Block::List(heading, points)) => {
                add(&inline(heading));
                add(&list(points));
            }
            Section::Block(Block::Records(records)) => {
                if layout.tables && records.iter().any(|record| !record.facts.is_empty()) {
                    add(&table(records));
                } else {
                    for record in records {
                        add(&card(record));
                    }
                }
            }
        }
    }
    out
}

/// A command as a line: what it is for, and the command to copy.
pub(super) fn command(what_for: &Line, words: &[String]) -> Line {
    let line = if what_for.is_empty() { Line::new() } else { what_for.clone().plain(": ") };
    line.code(crate::input::quote(words))
}

/// A fact as a line.
pub(super) fn fact_line(label: &str, value: &Line) -> Line {
    let line = Line::new().plain(label).plain(": ");
    if value.is_empty() { line.plain("(none)") } else { line.line(value.clone()) }
}

fn fact((label, value): &Fact) -> String {
    inline(&fact_line(label, value))
}

fn title(status: Option<Status>, line: &Line) -> String {
    match status {
        None => strong(line),
        Some(status) if line.is_empty() => format!("**{}**", status.as_str()),
        Some(status) => format!("**{}** · {}", status.as_str(), inline(line)),
    }
}

/// One record as a paragraph: its title, and below it what is known of it.
fn card(record: &Record) -> String {
    let facts: Vec<_> = record.facts.iter().map(fact).collect();
    lines([strong(&record.title), facts.join(" · ")])
}

/// Records as a table: the titles first, then a column for each label.
fn table(records: &[Record]) -> String {
    let mut labels: Vec<&str> = Vec::new();
    for (label, _) in records.iter().flat_map(|record| &record.facts) {
        if !labels.contains(label) {
            labels.push(label);
        }
    }
    let mut rows = Vec::with_capacity(records.len() + 2);
    rows.push(format!(
        "| | {} |",
        labels.iter().map(|l| escaped(l)).collect::<Vec<_>>().join(" | ")
    ));
    rows.push(format!("|{}", " --- |".repeat(labels.len() + 1)));
    rows.extend(records.iter().map(|record| row(record, &labels)));
    rows.join("\n")
}

fn row(record: &Record, labels: &[&str]) -> String {
    let of = |label: &&str| {
        let facts = record.facts.iter().filter(|fact| fact.0 == *label);
        facts.map(|fact| cell(&fact.1)).collect::<Vec<_>>().join(", ")
    };
    let cells: Vec<_> = std::iter::once(cell(&record.title)).chain(labels.iter().map(of)).collect();
    format!("| {} |", cells.join(" | "))
}

fn cell(line: &Line) -> String {
    spans(line, Place::Cell).trim().to_owned()
}

fn list(points: &[Line]) -> String {
    let points = points.iter().map(inline).filter(|point| !point.is_empty());
    points.map(|point| format!("- {point}")).collect::<Vec<_>>().join("\n")
}

/// Lines of one paragraph.
fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\\\n")
}

fn inline(line: &Line) -> String {
    spans(line, Place::Text).trim().to_owned()
}

/// A whole line in strong; what is strong in it already is no stronger.
fn strong(line: &Line) -> String {
    wrap("**", spans(line, Place::Strong).trim())
}

/// Where a line is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In running text.
    Text,
    /// Where all of it is strong.
    Strong,
    /// In a table's cell.
    Cell,
}

/// The pieces of a line, one after the other.
fn spans(line: &Line, place: Place) -> String {
    let mut out = String::new();
    for span in &line.0 {
        let piece = match span {
            Span::Plain(text) => escaped(&visible(text)),
            Span::Strong(text) if place == Place::Strong => escaped(&visible(text)),
            Span::Strong(text) => strong_words(text),
            Span::Code(text) => code(text, place),
            Span::Hostile(text) => escaped(&unlinked(text)),
        };
        let touching = !out.is_empty()
            && !out.ends_with(char::is_whitespace)
            && !piece.starts_with(char::is_whitespace);
        if touching && !piece.is_empty() {
            out.push(GUARD);
        }
        out.push_str(&piece);
    }
    out
}

/// Strong words. White space at their ends stays outside, where it does not undo the markup.
fn strong_words(text: &str) -> String {
    let shown = visible(text);
    let before = if shown.starts_with(' ') { " " } else { "" };
    let after = if shown.ends_with(' ') { " " } else { "" };
    format!("{before}{}{after}", wrap("**", &escaped(shown.trim())))
}

/// `inner` between two delimiters that are sure to work.
fn wrap(delimiter: &str, inner: &str) -> String {
    if inner.is_empty() {
        return String::new();
    }
    let edge = |c: Option<char>| {
        if c.is_some_and(|c| c.is_ascii_alphanumeric()) { "" } else { "\u{2060}" }
    };
    let (before, after) = (edge(inner.chars().next()), edge(inner.chars().last()));
    format!("{delimiter}{before}{inner}{after}{delimiter}")
}

/// Text in which no character is markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 5 / 4);
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn code(text: &str, place: Place) -> String {
    let shown = visible(text);
    let shown = shown.trim();
    if shown.is_empty() {
        return escaped("(none)");
    }
    let fence = "`".repeat(longest_backticks(shown) + 1);
    let pad = if shown.starts_with('`') || shown.ends_with('`') { " " } else { "" };
    let inner =
        if place == Place::Cell { shown.replace('|', "\u{fdd0}") } else { shown.to_owned() };
    isolated(shown, format!("{fence}{pad}{inner}{pad}{fence}"))
}

fn fenced(text: &str) -> String {
    let lines: Vec<_> = text
        .lines()
        .map(|line| visible(&line.replace('\t', "    ")).trim_end().to_owned())
        .collect();
    let text = lines.join("\n");
    if text.trim().is_empty() {
        return String::new();
    }
    let fence = "`".repeat((longest_backticks(&text) + 1).max(3));
    format!("{fence}\n{text}\n{fence}")
}

fn longest_backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
