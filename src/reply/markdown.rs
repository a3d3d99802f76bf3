//! A reply as one Markdown document.
//!
//! Everything that is not our own markup is escaped, so that the structure comes from the reply
//! alone. Two characters that no text holds, since cleaning removes them, serve the document:
//! [`GUARD`], which the walkers take out again, and [`APART`].

use super::{
    Block, Fact, Layout, Line, Record, Reply, Span, Status,
    clean::{isolated, unlinked, unlinked_columns, visible},
    columns::{self, Columns},
    narrow::narrowed,
    row::telling,
    timed::Manner,
};

/// Stands between markup and what it touches. Whether `**` opens or closes depends on the
/// characters around it; beside this one, which is neither white space nor punctuation, it always
/// does what it was put there for, and two runs of backticks do not become one.
pub(super) const GUARD: char = '\u{2060}';

/// Stands in somebody else's text where a client would otherwise see a link or a mention. What is
/// sent has a word joiner in its place.
pub(super) const APART: char = '\u{fdd1}';

/// Stand around what is covered: a spoiler in the HTML, left out of the plain text.
pub(super) const COVER: [char; 2] = ['\u{fdd2}', '\u{fdd3}'];

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

/// The Markdown of some sections, drawn so: blocks with an empty line between them.
pub(super) fn document(sections: &[Section], manner: Manner<'_>) -> String {
    let mut document = Document::default();
    for section in sections {
        match manner.timed(section) {
            Section::Title(status, line) => document.add(&title(status, &line)),
            Section::Block(block) => document.block(&block, manner),
        }
    }
    if document.cut {
        let all = Line::from("Cut to fit a phone. All of it comes with ").code("--layout cards");
        document.add(&wrap("*", &inline(&all)));
    }
    document.text
}

/// A document as far as it is written.
#[derive(Default)]
struct Document {
    text: String,
    /// Whether something was cut to fit.
    cut: bool,
}

impl Document {
    fn add(&mut self, block: &str) {
        if !block.is_empty() {
            if !self.text.is_empty() {
                self.text.push_str("\n\n");
            }
            self.text.push_str(block);
        }
    }

    fn block(&mut self, block: &Block, manner: Manner<'_>) {
        match block {
            Block::Text(line) => self.add(&inline(line)),
            Block::Note(line) => self.add(&wrap("*", &inline(line))),
            Block::Facts(facts) if manner.layout == Layout::Code => {
                self.columns(&columns::of_facts(facts));
            }
            Block::Facts(facts) => self.add(&lines(facts.iter().map(fact))),
            Block::Code(text) => self.add(&fenced(text)),
            Block::Commands(commands) => {
                let lines_of = commands.iter().map(|(what_for, words)| command(what_for, words));
                let typed = |line: Line| manner.line(&line, |when| when.said(manner.zone));
                self.add(&lines(lines_of.map(|line| inline(&typed(line)))));
            }
            Block::List(heading, points) => {
                self.add(&inline(heading));
                self.add(&list(points.iter().map(inline)));
            }
            Block::Records(records) => self.records(records, manner),
        }
    }

    fn records(&mut self, records: &[Record], manner: Manner<'_>) {
        let are_bare = records.iter().all(|record| record.facts.is_empty());
        if let (Layout::Cards, Some(own), [_, _, ..]) = (manner.layout, manner.narrow, records) {
            for record in records {
                let (row, is_cut) = narrowed(record, own);
                self.cut |= is_cut;
                self.add(&card(&row));
            }
            return;
        }
        match manner.layout {
            Layout::List => self.add(&list(records.iter().map(row))),
            Layout::Code if !are_bare => self.columns(&columns::of_records(records)),
            Layout::Code | Layout::Cards => records.iter().for_each(|one| self.add(&card(one))),
        }
    }

    fn columns(&mut self, columns: &Columns) {
        self.add(&fence(&unlinked_columns(&columns.text)));
        self.cut |= columns.cut;
    }
}

/// A command as a line: what it is for, and the command to copy.
pub(super) fn command(what_for: &Line, words: &[String]) -> Line {
    let line = if what_for.is_empty() { Line::new() } else { what_for.clone().plain(": ") };
    line.command(crate::input::quote(words))
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

/// One record on a line.
fn row(record: &Record) -> String {
    let facts = telling(record).into_iter().map(fact);
    let parts = std::iter::once(strong(&record.title)).chain(facts);
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn list(points: impl Iterator<Item = String>) -> String {
    let points = points.filter(|point| !point.is_empty());
    points.map(|point| format!("- {point}")).collect::<Vec<_>>().join("\n")
}

/// Lines of one paragraph.
fn lines(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\\\n")
}

fn inline(line: &Line) -> String {
    spans(line, false).trim().to_owned()
}

/// A whole line in strong; what is strong in it already is no stronger.
fn strong(line: &Line) -> String {
    wrap("**", spans(line, true).trim())
}

/// The pieces of a line, one after the other; `in_strong` where all of it is strong.
fn spans(line: &Line, in_strong: bool) -> String {
    let mut out = String::new();
    for span in &line.0 {
        let piece = match span {
            Span::Plain(text) | Span::Named(text) => escaped(&visible(text)),
            Span::Strong(text) if in_strong => escaped(&visible(text)),
            Span::Strong(text) => strong_words(text),
            Span::Code(text) | Span::Command(text) => code(text),
            Span::Hostile(text) => escaped(&unlinked(text)),
            Span::Spoiler(text) => {
                let [begin, end] = COVER;
                format!("{begin}{}{end}", escaped(&unlinked(text)))
            }
            Span::Time(when) => escaped(&when.said(None)),
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

fn code(text: &str) -> String {
    let shown = visible(text);
    let shown = shown.trim();
    if shown.is_empty() {
        return escaped("(none)");
    }
    let fence = "`".repeat(longest_backticks(shown) + 1);
    let pad = if shown.starts_with('`') || shown.ends_with('`') { " " } else { "" };
    isolated(shown, format!("{fence}{pad}{shown}{pad}{fence}"))
}

fn fenced(text: &str) -> String {
    let lines: Vec<_> = text
        .lines()
        .map(|line| visible(&line.replace('\t', "    ")).trim_end().to_owned())
        .collect();
    fence(&lines.join("\n"))
}

/// Text that is clean already, in fixed pitch.
fn fence(text: &str) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    let fence = "`".repeat((longest_backticks(text) + 1).max(3));
    format!("{fence}\n{text}\n{fence}")
}

fn longest_backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
