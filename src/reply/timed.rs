//! Moments in words and commands as they are typed here, before an answer is drawn: in the time zone of
//! whoever asked, and with the prefix of the config.

use jiff::tz::TimeZone;
use ruma::ServerName;

use super::{Block, Fact, Layout, Line, Record, Span, When, markdown::Section};
use crate::input::Prefix;

/// How an answer is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner<'a> {
    pub(super) layout: Layout,
    /// In which time zone moments stand before they stand in UTC.
    pub(super) zone: Option<&'a TimeZone>,
    /// The server whose ids stand without its name in rows of two lines, where rows are to be so.
    pub(super) narrow: Option<&'a ServerName>,
    /// With what commands begin.
    pub(super) prefix: &'a Prefix,
}

impl Manner<'_> {
    /// The same in another layout.
    pub(super) fn in_layout(self, layout: Layout) -> Self {
        Self { layout, ..self }
    }

    /// The same with all that is known in each row.
    pub(super) fn whole(self) -> Self {
        Self { narrow: None, ..self }
    }

    /// The section with its moments in words and its commands as they are typed. In a list there is room for
    /// how long ago they are, and
    /// not for more.
    pub(super) fn timed(self, section: &Section) -> Section {
        let whole = |line: &Line| self.line(line, |when| when.said(self.zone));
        match section {
            Section::Title(status, line) => Section::Title(*status, whole(line)),
            Section::Block(Block::Records(records)) => {
                let line = |line: &Line| match self.layout {
                    Layout::Cards => whole(line),
                    Layout::List | Layout::Code => self.line(line, |when| when.in_short(self.zone)),
                };
                let record = |Record { title, facts }: &Record| Record {
                    title: line(title),
                    facts: facts.iter().map(|(label, value)| (*label, line(value))).collect(),
                };
                Section::Block(Block::Records(records.iter().map(record).collect()))
            }
            Section::Block(block) => Section::Block(match block {
                Block::Text(line) => Block::Text(whole(line)),
                Block::Note(line) => Block::Note(whole(line)),
                Block::Facts(facts) => {
                    let fact = |(label, value): &Fact| (*label, whole(value));
                    Block::Facts(facts.iter().map(fact).collect())
                }
                Block::List(heading, points) => {
                    Block::List(whole(heading), points.iter().map(whole).collect())
                }
                Block::Commands(commands) => {
                    let command =
                        |(what_for, words): &(Line, Vec<String>)| (whole(what_for), words.clone());
                    Block::Commands(commands.iter().map(command).collect())
                }
                Block::Records(_) | Block::Code(_) => block.clone(),
            }),
        }
    }

    /// The same line with its moments in these words, and its commands as they are typed here.
    pub(super) fn line(self, line: &Line, said: impl Fn(&When) -> String) -> Line {
        let mut spans: Vec<Span> = Vec::with_capacity(line.0.len());
        let mut open = false;
        for span in &line.0 {
            match (span, spans.last_mut()) {
                // Within words it is one of them.
                (Span::Named(command), Some(Span::Plain(before))) => {
                    before.push_str(&self.prefix.typed(command));
                }
                (Span::Plain(text), Some(Span::Plain(before))) if open => before.push_str(text),
                (Span::Named(command), _) => spans.push(Span::Plain(self.prefix.typed(command))),
                (Span::Command(command), _) => spans.push(Span::Code(self.prefix.typed(command))),
                (Span::Time(when), _) => spans.push(Span::Plain(said(when))),
                (other, _) => spans.push(other.clone()),
            }
            open = matches!(span, Span::Named(_));
        }
        Line(spans)
    }
}
