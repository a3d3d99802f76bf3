//! A reply as a terminal shows it, or as plain text where it is read elsewhere.
//!
//! Nothing of anybody else's text can steer the terminal: every piece is cleaned as it is for the room,
//! and the only escape sequences are those of [`Style`].

use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthStr as _;

use super::{
    Block, Fact, Layout, Line, Record, Reply, Span, Status,
    cells::{Cells, broken},
    clean::{quoted, visible},
    columns,
    markdown::{Section, fact_line, sections},
    row::telling,
};

/// The narrowest that a column of a table becomes.
const NARROWEST: usize = 10;

/// What stands between two columns.
const GAP: usize = 2;

/// Where an answer is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screen {
    /// How many columns it has; none where it is no terminal, so that nothing is broken to fit it.
    pub width: Option<usize>,
    /// Whether it shows colours.
    pub colour: bool,
}

/// How a piece of text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Strong,
    Code,
    Dim,
    Good,
    Doubtful,
    Bad,
}

impl Style {
    fn sequence(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "1",
            Self::Code => "36",
            Self::Dim => "2",
            Self::Good => "1;32",
            Self::Doubtful => "1;33",
            Self::Bad => "1;31",
        }
    }

    fn of(status: Status) -> Self {
        match status {
            Status::Done => Self::Good,
            Status::DoneInPart | Status::NothingChanged => Self::Doubtful,
            Status::Refused
            | Status::NotUnderstood
            | Status::NotFound
            | Status::Failed
            | Status::Expired
            | Status::Unknown => Self::Bad,
        }
    }
}

/// Text in one style.
type Piece = (Style, String);

impl Reply {
    /// The answer as text for this screen, ending with a line break. Its file is not in it.
    pub fn on_screen(&self, screen: Screen) -> String {
        let layout = self.style.as_ref().and_then(|style| style.layout);
        let manner = self.drawn_in(Layout::Cards.into());
        let blocks = sections(self).into_iter().map(|section| manner.timed(&section)).filter_map(
            |section| {
                let text = screen.section(&section, layout);
                (!text.trim().is_empty()).then_some(text)
            },
        );
        blocks.collect::<Vec<_>>().join("\n")
    }

    /// What of the answer is data: its blocks of fixed pitch, as they are.
    pub fn data_text(&self) -> String {
        let data = self.blocks.iter().filter_map(|block| match block {
            Block::Code(text) => Some(text.trim_end_matches('\n')),
            _ => None,
        });
        data.flat_map(|text| [text, "\n"]).collect()
    }

    /// The answer without what of it is data, and without the name of its file.
    #[must_use]
    pub fn beside_data(&self) -> Self {
        let blocks = self.blocks.iter().filter(|block| !matches!(block, Block::Code(_)));
        let title = if self.file.is_some() { Line::new() } else { self.title.clone() };
        Self { title, blocks: blocks.cloned().collect(), file: None, ..self.clone() }
    }
}

/// Text that may hold anything, with nothing in it that steers a terminal; line breaks stay.
pub fn harmless(text: &str) -> String {
    let lines = text.split('\n').map(|line| visible(&line.replace('\t', "    ")));
    lines.collect::<Vec<_>>().join("\n")
}

impl Screen {
    fn section(self, section: &Section, layout: Option<Layout>) -> String {
        match section {
            Section::Title(status, line) => self.title(*status, line),
            Section::Block(Block::Text(line)) => self.flow(&pieces(line, Style::Plain), "", ""),
            Section::Block(Block::Note(line)) => self.flow(&pieces(line, Style::Dim), "", ""),
            Section::Block(Block::Facts(facts)) => {
                let fact = |(label, value): &(&'static str, Line)| {
                    self.flow(&pieces(&fact_line(label, value), Style::Plain), "", "  ")
                };
                facts.iter().map(fact).collect()
            }
            Section::Block(Block::Code(text)) => harmless(text.trim_end_matches('\n')) + "\n",
            Section::Block(Block::Commands(commands)) => {
                commands.iter().map(|(what_for, words)| self.command(what_for, words)).collect()
            }
            Section::Block(Block::List(heading, points)) => {
                let point = |point: &Line| self.flow(&pieces(point, Style::Plain), "- ", "  ");
                let heading = self.flow(&pieces(heading, Style::Plain), "", "");
                let points = points.iter().filter(|point| !point.is_empty()).map(point);
                let heading = Some(heading).filter(|heading| !heading.trim().is_empty());
                heading.into_iter().chain(points).collect()
            }
            Section::Block(Block::Records(records)) => self.records(records, layout),
        }
    }

    fn title(self, status: Option<Status>, line: &Line) -> String {
        let Some(status) = status else { return self.flow(&pieces(line, Style::Strong), "", "") };
        let mut title = vec![(Style::of(status), status.as_str().to_owned())];
        if !line.is_empty() {
            title.push((Style::Plain, " · ".to_owned()));
            title.extend(pieces(line, Style::Plain));
        }
        self.flow(&title, "", "")
    }

    fn command(self, what_for: &Line, words: &[String]) -> String {
        let mut line = pieces(what_for, Style::Plain);
        if !line.is_empty() {
            line.push((Style::Plain, ": ".to_owned()));
        }
        line.push((Style::Code, in_shell(words)));
        self.flow(&line, "", "  ")
    }

    /// Records in this layout; where none was asked for, as a table that fits, else as cards.
    fn records(self, records: &[Record], layout: Option<Layout>) -> String {
        let with_facts = records.iter().any(|record| !record.facts.is_empty());
        match layout {
            Some(Layout::List) => return records.iter().map(|one| self.row(one)).collect(),
            Some(Layout::Code) if with_facts => return columns::of_records(records).text + "\n",
            Some(Layout::Cards | Layout::Code) => {}
            None => {
                if records.len() > 1
                    && with_facts
                    && let Some(table) = Cells::of(records, Line::shown).fitted(self)
                {
                    return table;
                }
            }
        }
        let card = |record: &Record| {
            let title = self.flow(&pieces(&record.title, Style::Strong), "", "");
            let fact = |(label, value): &Fact| {
                self.flow(&pieces(&fact_line(label, value), Style::Plain), "  ", "    ")
            };
            std::iter::once(title).chain(record.facts.iter().map(fact)).collect::<String>()
        };
        let gap = if with_facts { "\n" } else { "" };
        records.iter().map(card).collect::<Vec<_>>().join(gap)
    }

    fn row(self, record: &Record) -> String {
        let mut row = pieces(&record.title, Style::Strong);
        for (label, value) in telling(record) {
            row.push((Style::Plain, " · ".to_owned()));
            row.extend(pieces(&fact_line(label, value), Style::Plain));
        }
        self.flow(&row, "", "  ")
    }

    fn styled(self, style: Style, text: &str) -> String {
        match style.sequence() {
            "" => text.to_owned(),
            _ if !self.colour || text.is_empty() => text.to_owned(),
            sequence => format!("\u{1b}[{sequence}m{text}\u{1b}[0m"),
        }
    }

    /// The pieces broken between words to fit the screen, `first` before the first line and `hang`
    /// before the others. A word that is wider than the screen stays whole, so that it can be copied.
    fn flow(self, pieces: &[Piece], first: &str, hang: &str) -> String {
        let mut out = first.to_owned();
        let mut column = first.width();
        let mut begun = false;
        for word in words(pieces) {
            let width: usize = word.iter().map(|(_, text)| text.width()).sum();
            if begun && self.width.is_some_and(|most| column + 1 + width > most) {
                out.push('\n');
                out.push_str(hang);
                column = hang.width();
            } else if begun {
                out.push(' ');
                column += 1;
            }
            begun = true;
            for (style, text) in &word {
                out.push_str(&self.styled(*style, text));
            }
            column += width;
        }
        out.push('\n');
        out
    }
}

/// The pieces of a line, what is plain in it in this style.
fn pieces(line: &Line, plain: Style) -> Vec<Piece> {
    let piece = |span: &Span| match span {
        Span::Plain(text) | Span::Named(text) => (plain, visible(text)),
        Span::Strong(text) => (Style::Strong, visible(text)),
        Span::Code(text) if visible(text).trim().is_empty() => (plain, "(none)".to_owned()),
        Span::Code(text) | Span::Command(text) => (Style::Code, visible(text)),
        Span::Hostile(text) | Span::Spoiler(text) => (plain, quoted(text)),
        Span::Time(when) => (plain, when.said(None)),
    };
    line.0.iter().map(piece).collect()
}

/// The words between spaces, each of pieces that may differ in style.
fn words(pieces: &[Piece]) -> Vec<Vec<Piece>> {
    let mut words: Vec<Vec<Piece>> = vec![Vec::new()];
    for (style, text) in pieces {
        for (place, part) in text.split(' ').enumerate() {
            if place > 0 {
                words.push(Vec::new());
            }
            if !part.is_empty()
                && let Some(word) = words.last_mut()
            {
                word.push((*style, part.to_owned()));
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The command as it is typed in a shell.
fn in_shell(words: &[String]) -> String {
    let words = words.iter().map(|word| shell_word(&visible(word)));
    std::iter::once("synod exec --".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

fn shell_word(word: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !word.is_empty() && word.chars().all(bare) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

impl Cells {
    /// The table as it fits the screen; none where it does not, however its columns are broken. The
    /// first column is never broken, for it holds what is copied.
    fn fitted(&self, screen: Screen) -> Option<String> {
        let mut widths: Vec<usize> =
            std::iter::once(0).chain(self.labels.iter().map(|label| label.width())).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        if let Some(most) = screen.width {
            while total(&widths) > most {
                let widest = widths.iter_mut().skip(1).max()?;
                if *widest <= NARROWEST {
                    return None;
                }
                *widest -= 1;
            }
        }
        let head = row(&self.heading(), &widths, &|text: &str| screen.styled(Style::Dim, text));
        let rows = self.rows.iter().map(|cells| row(cells, &widths, &|text: &str| text.to_owned()));
        Some(std::iter::once(head).chain(rows).collect())
    }
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// One row, of as many lines as its longest cell takes.
fn row(cells: &[String], widths: &[usize], styled: &dyn Fn(&str) -> String) -> String {
    let cells: Vec<Vec<String>> =
        cells.iter().zip(widths).map(|(cell, width)| broken(cell, *width)).collect();
    let lines = cells.iter().map(Vec::len).max().unwrap_or_default();
    let mut out = String::new();
    for line in 0..lines {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let part = cell.get(line).map_or("", String::as_str);
            text.push_str(part);
            text.push_str(&" ".repeat((width + GAP).saturating_sub(part.width())));
        }
        out.push_str(&styled(text.trim_end()));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Hostile;

    fn screen(width: usize) -> Screen {
        Screen { width: Some(width), colour: false }
    }

    fn accounts() -> Reply {
        let record = |name: &str, said: &str| Record {
            title: Line::new().code(name),
            facts: vec![
                ("Name", Line::new().hostile(&Hostile::new(said))),
                ("Made", Line::from("2026-11-20 14:03 UTC (9 days ago)")),
            ],
        };
        let records = vec![record("@ann:x.test", "Ann"), record("@bob:x.test", "Bob \u{1b}[2J")];
        Reply::data("2 accounts").with(Block::Records(records))
    }

    #[test]
    fn a_list_is_a_table_that_fits_and_cards_where_none_does() {
        let wide = accounts().on_screen(screen(80));
        assert_eq!(
            wide,
            "2 accounts\n\n             Name       Made\n\
             @ann:x.test  “Ann”      2026-11-20 14:03 UTC (9 days ago)\n\
             @bob:x.test  “Bob [2J”  2026-11-20 14:03 UTC (9 days ago)\n"
        );
        for width in [40, 52, 60] {
            let fitted = accounts().on_screen(screen(width));
            assert!(fitted.lines().all(|line| line.width() <= width), "{width}:\n{fitted}");
            assert!(fitted.contains("Name") && !fitted.contains("Name:"), "{width}:\n{fitted}");
        }
        let cards = accounts().on_screen(screen(20));
        assert!(cards.contains("  Name: “Ann”\n"), "{cards}");
        let piped = accounts().on_screen(Screen::default());
        assert_eq!(piped, wide, "nothing is broken where nobody has a width");
    }

    #[test]
    fn nobodys_text_steers_the_terminal_and_colours_come_where_they_are_wanted() {
        let reply = Reply::outcome(
            Status::Done,
            Line::new().hostile(&Hostile::new("a\u{1b}]0;x\u{7}\u{9b}31mb")),
        )
        .with(Block::Code("one\u{1b}[31m\ttwo\nthree".to_owned()))
        .text(Line::new().code("@a\u{1b}[1m:x").strong("\u{1b}c"));
        assert!(!reply.on_screen(screen(80)).contains(['\u{1b}', '\u{9b}', '\u{7}']));
        let coloured = reply.on_screen(Screen { width: Some(80), colour: true });
        assert!(coloured.starts_with("\u{1b}[1;32mDone\u{1b}[0m · "), "{coloured:?}");
        let ours = coloured.replace("\u{1b}[1;32m", "").replace("\u{1b}[0m", "");
        assert_eq!(
            ours.matches('\u{1b}').count(),
            ours.matches("\u{1b}[36m").count() + ours.matches("\u{1b}[1m").count()
        );
    }

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (line, typed) in [
            ("user list -f 5", "synod exec -- user list -f 5"),
            ("room details !id:x.test", "synod exec -- room details '!id:x.test'"),
            ("note add it's #a $b", r"synod exec -- note add 'it'\''s' '#a' '$b'"),
        ] {
            assert_eq!(in_shell(&words(line)), typed);
        }
        assert_eq!(in_shell(&[String::new()]), "synod exec -- ''");
    }

    #[test]
    fn lines_break_between_words_and_no_id_is_cut() {
        let id = "@a-very-long-name-indeed:example.org";
        let text = Reply::default()
            .text(Line::new().plain("see what ").code(id).plain(", and then go on"));
        assert_eq!(text.on_screen(screen(20)), format!("see what\n{id},\nand then go on\n"));
    }

    #[test]
    fn data_are_apart_from_what_is_said_of_them() {
        let reply = Reply::default().with(Block::Code("{\"a\": \"\\u001b\"}".into())).note("cut");
        assert_eq!(reply.data_text(), "{\"a\": \"\\u001b\"}\n");
        assert_eq!(reply.beside_data().on_screen(screen(80)), "cut\n");
    }
}
