//! What is remembered of a subject, as its details tell it.

use jiff::Timestamp;

use super::{Noted, Past, Remembered, Sanctioned};
use crate::reply::{Block, Line, Reply, Status};

/// How many changes of the past are told.
pub(super) const PAST: usize = 5;

/// The reply, with what is remembered of its subject where anything is.
pub(super) fn told(mut reply: Reply, remembered: &Remembered, now: Timestamp) -> Reply {
    let Remembered { past, sanctions, notes } = remembered;
    if !notes.is_empty() {
        let lines = notes.iter().map(|noted| note(noted, now)).collect();
        reply = reply.with(Block::List("Notes:".into(), lines));
    }
    if !sanctions.is_empty() {
        let lines = sanctions.iter().map(|sanction| ends(sanction, now)).collect();
        reply = reply.with(Block::List("Ends by itself:".into(), lines));
    }
    if !past.is_empty() {
        let lines = past.iter().map(|past| line(past, now)).collect();
        reply = reply.with(Block::List("Done through me:".into(), lines));
    }
    reply
}

/// What was noted, by whom and when.
fn note(noted: &Noted, now: Timestamp) -> Line {
    Line::new()
        .hostile(&noted.text)
        .plain(" by ")
        .code(&noted.by)
        .plain(", ")
        .time(Some(noted.at), now)
        .plain(format!(", #{}", noted.id))
}

/// What ends when, by whom it was imposed and under which number it stands.
fn ends(sanction: &Sanctioned, now: Timestamp) -> Line {
    Line::new()
        .time(Some(sanction.until), now)
        .plain(": ")
        .code(&sanction.command)
        .plain(" by ")
        .code(&sanction.by)
        .plain(format!(", #{}", sanction.id))
}

fn line(past: &Past, now: Timestamp) -> Line {
    Line::new()
        .time(Some(past.at), now)
        .plain(": ")
        .plain(past.status.map_or("not ended", Status::as_str))
        .plain(" · ")
        .code(&past.command)
        .plain(" by ")
        .code(&past.by)
        .plain(format!(", #{}", past.id))
}
