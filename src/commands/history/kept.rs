//! What a purge leaves of what is older than a moment: the homeserver takes the newest event before it
//! as the place up to which it deletes, and keeps that one.

use jiff::Timestamp;
use ruma::RoomId;
use serde::{Deserialize, Serialize};

use crate::{
    change::Path,
    commands::event::content::{self, Event},
    error::Stop,
    reply::Line,
    synapse::Reader,
};

/// The newest event of a room before a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    id: String,
    /// Who wrote it and when, where it is a message that still says something.
    message: Option<(String, Option<i64>)>,
}

/// What is older than a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Older {
    /// Nothing.
    Nothing,
    /// This is the newest of it.
    This(Kept),
    /// The homeserver is too old to be asked.
    NotKnown,
}

impl Older {
    /// What of `room`, which the homeserver knows, is older than `before`, in milliseconds.
    pub(super) async fn than(before: i64, room: &RoomId, reader: &Reader) -> Result<Self, Stop> {
        #[derive(Deserialize)]
        struct NearestEvent {
            event_id: String,
        }
        let path = Path::admin(["v1", "rooms", room.as_str(), "timestamp_to_event"]);
        let query = [("ts", before.max(0).to_string()), ("dir", "b".to_owned())];
        let found: NearestEvent = match reader.get(&path, &query).await {
            Ok(found) => found,
            Err(error) if error.is_unknown_route() => return Ok(Self::NotKnown),
            Err(error) if error.is_unknown_object() => return Ok(Self::Nothing),
            Err(error) => return Err(error.into()),
        };
        let id = found.event_id;
        let event = content::as_it_reads(room.as_str(), &id, reader).await?;
        let event = event.and_then(|event| Event::deserialize(event).ok());
        let message = event
            .filter(Event::is_message)
            .map(|event| (event.sender.clone(), event.sent.map(Timestamp::as_millisecond)));
        Ok(Self::This(Kept { id, message }))
    }
}

impl Kept {
    /// Which message stays; nothing where it is none that anybody reads.
    pub(super) fn line(&self, now: Timestamp) -> Option<Line> {
        let (sender, sent) = self.message.as_ref()?;
        let at = sent.and_then(|sent| Timestamp::from_millisecond(sent).ok());
        let line = Line::new().code(&self.id).plain(" by ").code(sender);
        Some(if at.is_some() { line.plain(", ").time(at, now) } else { line })
    }

    /// The command that redacts it.
    pub(super) fn redact(&self, room: &str) -> Option<Vec<String>> {
        let (sender, Some(sent)) = self.message.as_ref()? else { return None };
        // The newest of its sender before the moment after it.
        let before = sent.saturating_add(1).to_string();
        let words = ["user", "redact", sender, "--room", room, "--before", &before, "--limit", "1"];
        Some(words.map(str::to_owned).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing::{line, now};

    #[test]
    fn a_message_that_stays_is_named_with_what_redacts_it() {
        let sent = "2026-11-01T10:00:00Z".parse::<Timestamp>().unwrap().as_millisecond();
        let message = |sent| Kept {
            id: "$old".to_owned(),
            message: Some(("@eve:example.org".to_owned(), sent)),
        };
        let kept = message(Some(sent));
        let told = line(&kept.line(now()).unwrap());
        assert_eq!(told, "`$old` by `@eve:example.org`, 2026-11-01 10:00 UTC (19 days ago)");
        assert_eq!(
            kept.redact("!lobby:example.org").unwrap().join(" "),
            format!(
                "user redact @eve:example.org --room !lobby:example.org --before {} --limit 1",
                sent + 1
            )
        );
        assert_eq!(message(None).redact("!a"), None, "nobody knows when it was sent");
        assert_eq!(line(&message(None).line(now()).unwrap()), "`$old` by `@eve:example.org`");
        let state = Kept { id: "$state".to_owned(), message: None };
        assert!(state.line(now()).is_none() && state.redact("!a").is_none());
    }
}
