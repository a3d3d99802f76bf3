//! What is remembered of a subject, as its details tell it.

use jiff::Timestamp;

use super::{Noted, Past, Remembered, Sanctioned};
use crate::{
    change::is_ordinary,
    reply::{Block, Fact, Line, Reply, Status},
};

/// How many changes of the past are told of one that is shown whole.
pub(super) const PAST: usize = 5;

/// How many notes, ends and changes of the past a card has, which is half a screen of a phone.
const ON_CARD: usize = 2;

/// The reply, with what is remembered of its subject where anything is.
pub(super) fn told(reply: Reply, remembered: &Remembered, now: Timestamp) -> Reply {
    most(reply, remembered, now, usize::MAX)
}

/// The same for a card: the newest of each, and how many more there are.
pub(super) fn on_card(reply: Reply, remembered: &Remembered, now: Timestamp) -> Reply {
    most(reply, remembered, now, ON_CARD)
}

fn most(reply: Reply, remembered: &Remembered, now: Timestamp, most: usize) -> Reply {
    let Remembered { past, sanctions, notes } = remembered;
    let notes = notes.iter().map(|noted| note(noted, now)).collect();
    let ends = sanctions.iter().map(|sanction| ends(sanction, now)).collect();
    let past = past.iter().map(|past| line(past, now)).collect();
    [("Notes:", notes), ("Ends by itself:", ends), ("Done through me:", past)]
        .into_iter()
        .filter(|(_, lines): &(_, Vec<Line>)| !lines.is_empty())
        .fold(reply, |reply, (head, mut lines)| {
            let more = lines.len().saturating_sub(most);
            lines.truncate(most);
            if more > 0 {
                lines.push(format!("… and {more} more").into());
            }
            reply.with(Block::List(head.into(), lines))
        })
}

/// One thing on half a screen: what sets it apart, a line each, and then what every such thing has, in
/// rows of these labels.
pub(super) fn card(title: Line, facts: &[Fact], rows: &[&[&str]]) -> Reply {
    let in_row = |label: &str| rows.iter().any(|row| row.contains(&label));
    let apart: Vec<Fact> = facts
        .iter()
        .filter(|fact| !in_row(fact.0) && !matches!(fact.0, "Name" | "Id") && !is_ordinary(fact))
        .cloned()
        .collect();
    let mut lines: Vec<Fact> = apart;
    for row in rows {
        let mut of_row = facts.iter().filter(|(label, _)| row.contains(label)).cloned();
        let Some((label, value)) = of_row.next() else { continue };
        let value = of_row
            .fold(value, |line, (label, value)| line.plain(format!(" · {label}: ")).line(value));
        lines.push((label, value));
    }
    Reply::data(title).facts(lines)
}

/// What was noted, by whom and when.
fn note(noted: &Noted, now: Timestamp) -> Line {
    Line::new()
        .hostile(&noted.text)
        .plain(" by ")
        .code(&noted.by)
        .plain(", ")
        .ago(Some(noted.at), now)
        .plain(format!(", #{}", noted.id))
}

/// What ends when, by whom it was imposed and under which number it stands.
fn ends(sanction: &Sanctioned, now: Timestamp) -> Line {
    Line::new()
        .ago(Some(sanction.until), now)
        .plain(": ")
        .command(&sanction.command)
        .plain(" by ")
        .code(&sanction.by)
        .plain(format!(", #{}", sanction.id))
}

fn line(past: &Past, now: Timestamp) -> Line {
    Line::new()
        .ago(Some(past.at), now)
        .plain(": ")
        .plain(past.status.map_or("not ended", Status::as_str))
        .plain(" · ")
        .command(&past.command)
        .plain(" by ")
        .code(&past.by)
        .plain(format!(", #{}", past.id))
}
