//! A record on one line: the layout `list`.

use unicode_width::UnicodeWidthStr as _;

use super::{Fact, Line, Record, Span};

/// Most facts of one record.
const FACTS: usize = 3;

/// How wide title and facts may be together, in columns: two lines of a phone.
const WIDTH: usize = 90;

/// What of a record is most telling beside its title, in its own order.
pub(super) fn telling(record: &Record) -> Vec<&Fact> {
    telling_within(record, WIDTH.saturating_sub(record.title.shown().width()), FACTS)
}

/// At most so many of the facts of a record that tell the most, in this many columns, in their own order.
/// What is strong tells the most; what is as usual or not known tells less than anything else.
pub(super) fn telling_within(record: &Record, columns: usize, most: usize) -> Vec<&Fact> {
    let mut ranked: Vec<(usize, &Fact)> = record.facts.iter().enumerate().collect();
    ranked.sort_by_key(|(_, fact)| (says_little(fact), !stands_out(&fact.1)));
    let mut room = columns;
    let mut taken: Vec<(usize, &Fact)> = Vec::new();
    for (place, fact) in ranked {
        let width = fact.0.width() + fact.1.shown().width() + " · : ".width();
        // The first is taken whatever its width: an id alone tells nothing.
        if taken.len() < most && (width <= room || taken.is_empty()) {
            room = room.saturating_sub(width);
            taken.push((place, fact));
        }
    }
    taken.sort_by_key(|(place, _)| *place);
    taken.into_iter().map(|(_, fact)| fact).collect()
}

/// Whether some of it is strong.
pub(super) fn stands_out(value: &Line) -> bool {
    value.0.iter().any(|span| matches!(span, Span::Strong(_)))
}

/// Whether a fact says that there is nothing, or that nothing is known.
fn says_little((_, value): &Fact) -> bool {
    let ours = value.0.iter().all(|span| matches!(span, Span::Plain(_) | Span::Strong(_)));
    let nothing = match value.0.as_slice() {
        [Span::Hostile(text)] => text.is_empty(),
        [Span::Code(text)] => text.trim().is_empty(),
        _ => false,
    };
    nothing || ours && matches!(value.shown().as_str(), "" | "no" | "none" | "not known" | "never")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::{Hostile, Line};

    fn labels(facts: Vec<Fact>) -> Vec<&'static str> {
        let record = Record { title: Line::new().code("@ann:example.org"), facts };
        telling(&record).into_iter().map(|fact| fact.0).collect()
    }

    #[test]
    fn what_is_as_usual_gives_way_and_the_order_stays() {
        let name = |name: &str| Line::new().hostile(&Hostile::new(name));
        let facts = vec![
            ("Name", name("")),
            ("Admin", "no".into()),
            ("Seen", "3 min ago".into()),
            ("State", Line::new().strong("suspended")),
            ("Topic", name("no")),
            ("Devices", "12".into()),
        ];
        assert_eq!(labels(facts), ["Seen", "State", "Topic"]);
        let quiet = vec![("Name", name("")), ("Admin", "no".into()), ("Seen", "1 h ago".into())];
        assert_eq!(labels(quiet), ["Name", "Admin", "Seen"]);
        let wide = "x".repeat(40);
        let marked = vec![
            ("A", wide.as_str().into()),
            ("B", wide.as_str().into()),
            ("State", Line::new().strong("locked")),
        ];
        assert_eq!(labels(marked), ["A", "State"]);
    }

    #[test]
    fn what_is_too_wide_is_left_out_but_the_first_never() {
        let long = "x".repeat(200);
        assert_eq!(labels(vec![("A", long.as_str().into()), ("B", "b".into())]), ["A"]);
        assert_eq!(labels(vec![("B", "b".into()), ("A", long.as_str().into())]), ["B"]);
        assert!(labels(Vec::new()).is_empty());
    }
}
