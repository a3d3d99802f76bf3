//! What was done to a subject through the bot, as its details tell it.

use jiff::Timestamp;

use super::Past;
use crate::reply::{Block, Line, Reply, Word};

/// How many changes of the past are told.
pub(super) const PAST: usize = 5;

/// The reply, with what was done to its subject where anything was.
pub(super) fn told(reply: Reply, past: &[Past], now: Timestamp) -> Reply {
    if past.is_empty() {
        return reply;
    }
    let lines = past.iter().map(|past| line(past, now)).collect();
    reply.with(Block::List("Done through me:".into(), lines))
}

fn line(past: &Past, now: Timestamp) -> Line {
    Line::new()
        .time(Some(past.at), now)
        .plain(": ")
        .plain(past.word.map_or("not ended", Word::as_str))
        .plain(" · ")
        .code(&past.command)
        .plain(" by ")
        .code(&past.by)
        .plain(format!(", #{}", past.id))
}
