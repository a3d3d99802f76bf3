//! Records and facts in aligned columns of fixed pitch: the layout `code`.
//!
//! Only the HTML has them. A line has at most [`WIDEST`] columns, since a phone breaks a longer one and
//! what is aligned stops being so.

use unicode_width::UnicodeWidthStr as _;

use super::{
    Fact, Line, Record, Span,
    cells::{Cells, beginning, broken},
    row::stands_out,
};

/// Most columns of a line.
pub(super) const WIDEST: usize = 38;

/// What stands between two columns.
const GAP: usize = 2;

/// How wide the titles may be before the facts have their place.
const TITLE: usize = 18;

/// How wide one fact of a record may be before the others have their place.
const CELL: usize = 14;

/// A column that is cut is not made narrower than this: less says nothing.
const NARROWEST: usize = 6;

/// How wide the labels of facts are made at most.
const LABEL: usize = 14;

/// Text in columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) text: String,
    /// Whether there was more than fits.
    pub(super) cut: bool,
}

/// Records as rows, with a heading: the titles first, then of their facts as many as fit.
pub(super) fn of_records(records: &[Record]) -> Columns {
    let table = Table::of(records);
    let chosen = table.chosen();
    let in_whole = |record: &Record| id_alone(&record.title) == record.title;
    let mut cut = chosen.len() <= table.cells.labels.len() || !records.iter().all(in_whole);
    let mut line = |cells: &[String]| {
        let mut text = String::new();
        for column in &chosen {
            let cell = cells.get(column.number).map_or("", String::as_str);
            let shown = fitted(cell, column.width);
            cut |= shown != cell;
            text.push_str(&shown);
            text.push_str(&" ".repeat((column.width + GAP).saturating_sub(shown.width())));
        }
        text.trim_end().to_owned()
    };
    let heading = line(&table.cells.heading());
    let mut lines = vec![heading];
    lines.extend(table.cells.rows.iter().map(|row| line(row)));
    Columns { text: lines.join("\n"), cut }
}

/// Facts with their values below each other. Nothing of them is cut, for there is no other place where
/// all of it stands: a value takes as many lines as it needs.
pub(super) fn of_facts(facts: &[Fact]) -> Columns {
    let widths = facts.iter().map(|(label, _)| label.width()).filter(|width| *width <= LABEL);
    let label_width = widths.max().unwrap_or_default();
    let mut lines = Vec::new();
    for (label, value) in facts {
        let value = if value.is_empty() { "(none)".to_owned() } else { value.shown() };
        let mut label = *label;
        if label.width() > label_width {
            lines.push(label.to_owned());
            label = "";
        }
        for part in broken(&value, WIDEST - label_width - GAP) {
            let gap = " ".repeat(label_width + GAP - label.width());
            lines.push(format!("{label}{gap}{part}"));
            label = "";
        }
    }
    Columns { text: lines.join("\n"), cut: false }
}

/// Records as cells.
struct Table {
    cells: Cells,
    /// Under which labels something is strong.
    strong: Vec<&'static str>,
}

/// A column that is shown.
#[derive(Debug, Clone, Copy)]
struct Column {
    /// Which of the table's it is.
    number: usize,
    width: usize,
    /// How wide it would be with everything in it.
    natural: usize,
}

impl Table {
    fn of(records: &[Record]) -> Self {
        let cells = Cells::of(records, |title| id_alone(title).shown());
        let facts = records.iter().flat_map(|record| &record.facts);
        let strong = facts.filter(|fact| stands_out(&fact.1)).map(|fact| fact.0).collect();
        Self { cells, strong }
    }

    fn natural(&self, number: usize) -> usize {
        let label = number.checked_sub(1).and_then(|label| self.cells.labels.get(label));
        let cells =
            self.cells.rows.iter().filter_map(|row| row.get(number)).map(|cell| cell.width());
        cells.chain(label.map(|label| label.width())).max().unwrap_or_default()
    }

    /// The columns that are shown, in their order. Into the room that there is those come first in which
    /// something is strong, and then those in which the records differ.
    fn chosen(&self) -> Vec<Column> {
        let natural = self.natural(0);
        let mut columns = vec![Column { number: 0, width: natural.min(TITLE), natural }];
        let mut room = WIDEST.saturating_sub(natural.min(TITLE));
        let mut numbers: Vec<usize> = (1..=self.cells.labels.len()).collect();
        numbers.sort_by_key(|number| (!self.is_strong(*number), self.is_the_same(*number)));
        for number in numbers {
            let natural = self.natural(number);
            let width = natural.min(CELL).min(room.saturating_sub(GAP));
            if width < natural.min(NARROWEST) || width == 0 {
                continue;
            }
            room -= width + GAP;
            columns.push(Column { number, width, natural });
        }
        // What is left goes to what is cut, the titles first.
        for column in &mut columns {
            let more = (column.natural - column.width).min(room);
            column.width += more;
            room -= more;
        }
        columns.sort_by_key(|column| column.number);
        columns
    }

    fn is_strong(&self, number: usize) -> bool {
        let label = number.checked_sub(1).and_then(|label| self.cells.labels.get(label));
        label.is_some_and(|label| self.strong.contains(label))
    }

    /// Whether all records say the same here, of several.
    fn is_the_same(&self, number: usize) -> bool {
        let mut cells = self.cells.rows.iter().filter_map(|row| row.get(number));
        let first = cells.next();
        self.cells.rows.len() > 1 && cells.all(|cell| Some(cell) == first)
    }
}

/// The id in a title that has one: with a name behind it, of which there is no room for all, it would
/// look as if the id were cut.
fn id_alone(title: &Line) -> Line {
    let id = title.0.iter().find(|span| matches!(span, Span::Code(_)));
    id.map_or_else(|| title.clone(), |id| Line(vec![id.clone()]))
}

/// A cell in this width. Of what is longer the end is cut off, and what it opened is closed: quotation
/// marks, so that it is seen whose words they are, and the isolation of another direction of writing.
fn fitted(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let quoted = text.contains('“');
    let room = width.saturating_sub(if quoted { 2 } else { 1 });
    let mut kept = format!("{}…", beginning(text, room).trim_end());
    for (opened, closed) in [('“', '”'), ('\u{2068}', '\u{2069}')] {
        if kept.matches(opened).count() > kept.matches(closed).count() {
            kept.push(closed);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Hostile;

    fn record(id: &str, name: &str, facts: &[(&'static str, &str)]) -> Record {
        let name = ("Name", Line::new().hostile(&Hostile::new(name)));
        let facts = facts.iter().map(|(label, value)| (*label, Line::from(*value)));
        Record { title: Line::new().code(id), facts: std::iter::once(name).chain(facts).collect() }
    }

    #[test]
    fn what_differs_comes_first_and_what_does_not_fit_is_cut() {
        let records = [
            record("@ann:example.org", "Ann Lee", &[("Admin", "no"), ("Devices", "12")]),
            record("@a-name-that-is-long:example.org", "Bob", &[("Admin", "no"), ("Devices", "3")]),
        ];
        let columns = of_records(&records);
        insta::assert_snapshot!(columns.text, @r"
                            Name       Devices
        @ann:example.org    “Ann Lee”  12
        @a-name-that-is-l…  “Bob”      3
        ");
        assert!(columns.cut);
        let columns = of_records(&records[..1]);
        assert!(columns.text.lines().all(|line| line.width() <= WIDEST), "{}", columns.text);
    }

    #[test]
    fn what_is_strong_has_its_place_before_what_is_not() {
        let mut eve = record("@eve-with-a-long-name:x.test", "Eve", &[("Created", "2 days ago")]);
        eve.facts.push(("State", Line::new().strong("locked")));
        let columns = of_records(&[eve]);
        assert!(
            columns.text.contains("State") && columns.text.contains("locked"),
            "{}",
            columns.text
        );
        assert!(columns.text.lines().all(|line| line.width() <= WIDEST), "{}", columns.text);
    }

    #[test]
    fn nothing_is_said_to_be_cut_where_all_of_it_fits() {
        let columns = of_records(&[record("#7", "x", &[("By", "moses")])]);
        assert_eq!(columns.text, "    Name  By\n#7  “x”   moses");
        assert!(!columns.cut);
    }

    #[test]
    fn what_is_cut_stays_closed() {
        assert_eq!(fitted("“Cheap Pills 17”", 10), "“Cheap P…”");
        assert_eq!(fitted("\u{2068}“שלום שלום”\u{2069}", 6), "\u{2068}“שלו…”\u{2069}");
        assert_eq!(fitted("@ann:example.org", 8), "@ann:ex…");
        assert_eq!(fitted("王小明王小明", 5), "王小…");
        for width in 2..20 {
            for text in ["“Cheap Pills 17”", "@ann:example.org", "王小明王小明", "x “a” y “b”"]
            {
                assert!(fitted(text, width).width() <= width, "{text} in {width}");
            }
        }
    }

    #[test]
    fn facts_lose_nothing() {
        let long = format!("@{}:example.org", "a".repeat(60));
        let facts = [
            ("Role", Line::from("admin")),
            ("You may", Line::from("look at accounts, rooms and media; change the server itself")),
            ("A label that is rather long", Line::new().code(&long)),
            ("Person", Line::new()),
        ];
        let columns = of_facts(&facts);
        assert!(columns.text.lines().all(|line| line.width() <= WIDEST), "{}", columns.text);
        let bare: String = columns.text.split_whitespace().collect();
        assert!(bare.contains(&long), "{}", columns.text);
        assert!(columns.text.starts_with("Role     admin\nYou may  look at accounts"), "{bare}");
        assert!(columns.text.ends_with("Person   (none)"), "{}", columns.text);
        assert!(!columns.cut);
    }
}
