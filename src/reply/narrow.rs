//! Rows of a list as a phone has room for them: two lines each, the title and what is most telling.

use ruma::ServerName;
use unicode_width::UnicodeWidthStr as _;

use super::{Fact, Hostile, Line, Record, Span, cells::beginning, row::telling_within};
use crate::refs::without_server;

/// Columns of a title, which is strong, on a phone that is 390 pixels wide.
const TITLE: usize = 35;

/// Columns of a line that is not.
const LINE: usize = 41;

/// How much stays of a piece that is cut, in columns.
struct Stays {
    /// Of what others wrote.
    words: usize,
    /// Whether nothing of that stays where less would.
    or_nothing: bool,
    /// Of a sentence of our own.
    sentence: usize,
}

/// Columns around what others wrote, where it is cut: quotation marks and the dots.
const AROUND: usize = 3;

/// In a row, which other commands show in full.
const IN_ROW: Stays = Stays { words: 6, or_nothing: true, sentence: 24 };

/// In a line of the record: a reason of ordinary length, and a sentence up to a key in it.
const IN_RECORD: Stays = Stays { words: 21, or_nothing: false, sentence: 40 };

/// What is left of the id of a room behind its name.
const ROOM_ID: usize = 8;

impl Line {
    /// The same line on so many columns, where that is possible by cutting what others wrote, and long
    /// sentences of our own.
    pub(crate) fn within(self, columns: usize) -> Self {
        fitted(self, columns, &IN_RECORD).0
    }
}

/// A row that is not wider than two lines, and whether anything was left out of it. Ids of this server
/// stand there without its name. An id is never cut, except that of a room behind its name and that of
/// a file, whose end tells it apart: a row can be named by its number instead.
pub(super) fn narrowed(record: &Record, own: &ServerName) -> (Record, bool) {
    let title = Line(record.title.0.iter().map(|span| short(span, &record.title, own)).collect());
    let (title, title_is_cut) = fitted(title, TITLE, &IN_ROW);
    let telling = telling_within(record, LINE, usize::MAX);
    let left_out = telling.len() < record.facts.len();
    let mut room = LINE;
    let mut cut = title_is_cut || left_out;
    let fit = |(label, value): &Fact| {
        let (value, is_cut) =
            fitted(value.clone(), room.saturating_sub(label.width() + 2), &IN_ROW);
        cut |= is_cut;
        room = room.saturating_sub(label.width() + value.shown().width() + " · : ".width());
        (*label, value)
    };
    let facts = telling.into_iter().map(fit).collect();
    // A shorter id is no loss: the same thing is named by it, or by the row's number.
    (Record { title, facts }, cut)
}

/// The span with its id in short.
fn short(span: &Span, title: &Line, own: &ServerName) -> Span {
    let Span::Code(id) = span else { return span.clone() };
    let is_named =
        title.0.iter().any(|span| matches!(span, Span::Hostile(name) if !name.is_empty()));
    Span::Code(match id.chars().next() {
        Some('@' | '#') => without_server(id, own).to_owned(),
        Some('!') if is_named && id.width() > ROOM_ID + 1 => format!("{}…", beginning(id, ROOM_ID)),
        _ => match id.strip_prefix("mxc://").and_then(|file| file.split_once('/')) {
            Some((server, file)) if server == own => format!("…/{file}"),
            _ => id.clone(),
        },
    })
}

/// The line with somebody's words cut so that it is not wider than this, where that is possible; and whether
/// anything of it is missing.
fn fitted(line: Line, most: usize, stays: &Stays) -> (Line, bool) {
    let width = |span: &Span| match span {
        // Fixed pitch is wider than other text, and has a border.
        Span::Code(text) => text.width() * 9 / 8 + 1,
        span => Line(vec![span.clone()]).shown().width(),
    };
    let total: usize = line.0.iter().map(width).sum();
    let mut over = total.saturating_sub(most);
    if over == 0 {
        return (line, false);
    }
    // The last first: what stands behind explains what stands before.
    let mut spans = line.0;
    for span in spans.iter_mut().rev() {
        let wide = width(span);
        let cut = match span {
            Span::Hostile(text) => {
                let room = wide.saturating_sub(over + AROUND);
                if stays.or_nothing && room < stays.words {
                    Span::Plain(String::new())
                } else {
                    let room = room.max(stays.words);
                    if room + AROUND >= wide {
                        continue;
                    }
                    let kept = beginning(text.raw(), room).trim_end();
                    Span::Hostile(Hostile::new(format!("{kept}…")))
                }
            }
            Span::Plain(text) => {
                let room = wide.saturating_sub(over + 1).max(stays.sentence);
                if room + 1 >= wide {
                    continue;
                }
                Span::Plain(format!("{}…", beginning(text, room).trim_end()))
            }
            // What is strong must not be missed, and an id that is cut names nothing.
            _ => continue,
        };
        over = over.saturating_sub(wide.saturating_sub(width(&cut)));
        *span = cut;
        if over == 0 {
            break;
        }
    }
    (Line(spans), true)
}

#[cfg(test)]
mod tests {
    use ruma::server_name;

    use super::*;

    fn hostile(text: &str) -> Line {
        Line::new().hostile(&Hostile::new(text))
    }

    fn row(title: Line, facts: Vec<Fact>) -> (String, bool) {
        let (row, cut) = narrowed(&Record { title, facts }, server_name!("synod.test"));
        let facts = row.facts.iter().map(|(label, value)| format!("{label}: {}", value.shown()));
        (format!("{}\n{}", row.title.shown(), facts.collect::<Vec<_>>().join(" · ")), cut)
    }

    #[test]
    fn an_account_stands_without_this_server_and_its_name_is_cut() {
        let title =
            |id: &str, name: &str| Line::from("12 · ").code(id).plain(" ").line(hostile(name));
        let created = vec![("Created", Line::from("2 days ago"))];
        let (shown, cut) = row(title("@raid-17:synod.test", "Cheap Pills 17"), created.clone());
        assert_eq!(
            (shown.as_str(), cut),
            ("12 · @raid-17 “Cheap Pills 17”\nCreated: 2 days ago", false)
        );
        let long = "Cheap Pills from a Shop of Ours";
        let (shown, cut) = row(title("@raid-17:synod.test", long), created.clone());
        assert_eq!(
            (shown.as_str(), cut),
            ("12 · @raid-17 “Cheap Pills from a…”\nCreated: 2 days ago", true)
        );
        // The id is whole, whatever becomes of the name.
        let (shown, cut) = row(title("@raid-17:another.example.org", long), created);
        assert_eq!(
            (shown.as_str(), cut),
            ("12 · @raid-17:another.example.org\nCreated: 2 days ago", true)
        );
    }

    #[test]
    fn a_room_stands_by_its_name_and_of_its_id_the_beginning() {
        let id = "!bex03aFBN2YEsbMG7GWYNtZ0xf1KyRih8eAO8HB0B6c";
        let facts = vec![
            ("Members", Line::from("2, 2 here")),
            ("Join", Line::from("by invite")),
            ("Kind", Line::new().strong("encrypted")),
        ];
        let (shown, cut) = row(hostile("Lobby of gardeners").plain(" ").code(id), facts.clone());
        assert_eq!(shown, "“Lobby of gardeners” !bex03aF…\nMembers: 2, 2 here · Kind: encrypted");
        assert!(cut);
        // Where it has no name the id is all that it is known by.
        let (shown, _) = row(Line::new().code(id), facts);
        assert!(shown.starts_with(id), "{shown}");
    }

    #[test]
    fn nothing_is_wider_than_its_line_and_somebodys_words_stay_in_quotation_marks() {
        for words in [
            "x",
            &"word ".repeat(40),
            &"王".repeat(60),
            "\u{202e}evil\u{202e} and more of it, on and on and on and on",
        ] {
            let facts =
                vec![("Reason", hostile(words)), ("By", Line::new().code("@eve:synod.test"))];
            let (shown, _) = row(Line::from("3 · ").line(hostile(words)), facts);
            for line in shown.lines() {
                assert!(line.width() <= LINE, "{line}");
                assert_eq!(line.matches('“').count(), line.matches('”').count(), "{line}");
            }
        }
    }

    #[test]
    fn a_file_of_this_server_is_known_by_the_end_of_its_address() {
        let file = Line::new().code("mxc://synod.test/ABCDEFGHIJKLMNOPQRSTUVWX");
        let (shown, cut) = row(file, vec![("Size", Line::from("7 B"))]);
        assert_eq!((shown.as_str(), cut), ("…/ABCDEFGHIJKLMNOPQRSTUVWX\nSize: 7 B", false));
    }

    #[test]
    fn of_the_record_no_sentence_loses_what_it_says_and_no_reason_all() {
        let line = |text: &str, reason: &str| {
            let line = Line::from("05:11 ").code("ann-65-d313d3").plain(text);
            let line = line.plain(" · ").line(hostile(reason)).plain(" · ").code("#17");
            line.within(64).shown()
        };
        let short = line(" looked at private things: ", "ask her first");
        assert!(short.ends_with(" looked at private things:  · “ask her first” · #17"), "{short}");
        let long = line(" denied deactivate ", "she has been told twice and goes on all the same");
        assert!(long.contains("“she has been told twi…”") && long.ends_with("#17"), "{long}");
        let key = line(" noted · pinned the master key N44ecZTJfnKLqbkNO0HR4c9DBCFs8rPji", "x");
        assert!(
            key.contains("pinned the master key N44") && key.ends_with("… · “x” · #17"),
            "{key}"
        );
        assert_eq!(Line::from("#17").within(64).shown(), "#17");
    }
}
