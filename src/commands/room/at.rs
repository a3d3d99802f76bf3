//! `room at`: the event of a room that is nearest to a moment.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::{OwnedRoomId, RoomId};
use serde::Deserialize;
use serde_json::Value;

use super::known;
use crate::{
    change::{Path, Power},
    commands::{
        Memory, Query, Spec, Tables,
        arguments::{RoomRef, Since},
        refusals::looks,
    },
    error::Stop,
    reply::{Line, Reply, Sheet, utc},
    synapse::{Reader, wire::optional_millis},
};

pub(super) const SPEC: Spec = Spec::query::<At>(
    "at",
    &["room at #lobby:example.org 2026-11-01T10:00Z", "room at #lobby:example.org 3d --before"],
);

/// Find the first event of a room after a given time, or the last one before it
///
/// The homeserver may ask other servers if it does not have it.
#[derive(Debug, clap::Args)]
struct At {
    /// The room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    room: RoomRef,
    /// The time: a date, 2026-11-01 or 2026-11-01T10:00Z, or an age (3d, 2 weeks)
    #[arg(value_name = "DATE|AGE")]
    moment: Since,
    /// Find the last event before it instead of the first after it
    #[arg(short, long)]
    before: bool,
}

#[derive(Debug, Deserialize)]
struct NearestEvent {
    event_id: String,
    #[serde(default, rename = "origin_server_ts", deserialize_with = "optional_millis")]
    sent: Option<Timestamp>,
}

#[async_trait]
impl Query for At {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::MOMENT, looks::ROOM])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let (room, found) = self.find(reader).await?;
        let unread = |_| Stop::failed("the homeserver found an event, but I cannot read which");
        let found = NearestEvent::deserialize(&found).map_err(unread)?;
        Ok(self.told(&room, &found, reader.now()))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        Ok(sheet.object("event", &self.find(reader).await?.1)?)
    }
}

impl At {
    /// What `GET /_synapse/admin/v1/rooms/{room_id}/timestamp_to_event` answers.
    async fn find(&self, reader: &Reader) -> Result<(OwnedRoomId, Value), Stop> {
        let room = reader.room_id(&self.room).await?;
        let at = self.moment.before(reader.now());
        let query = [
            ("ts", at.as_millisecond().max(0).to_string()),
            ("dir", if self.before { "b" } else { "f" }.to_owned()),
        ];
        let path = Path::admin(["v1", "rooms", room.as_str(), "timestamp_to_event"]);
        if let Some(found) = reader.find(&path, &query).await? {
            return Ok((room, found));
        }
        if known::room(&room, reader).await?.is_none() {
            return Err(Stop::not_found(known::unknown(&room)));
        }
        let why = Line::new().code(&room).plain(" has no event ").plain(self.side(at));
        Err(Stop::not_found(why))
    }

    fn side(&self, at: Timestamp) -> String {
        let side = if self.before { "before" } else { "after" };
        format!("{side} {}", utc(at))
    }

    fn told(&self, room: &RoomId, found: &NearestEvent, now: Timestamp) -> Reply {
        let which = if self.before { "The last event " } else { "The first event " };
        let facts = vec![
            ("Room", Line::new().code(room)),
            ("Asked for", format!("{which}{}", self.side(self.moment.before(now))).into()),
            ("Sent", Line::new().time(found.sent, now)),
        ];
        let around = ["room", "context", room.as_str(), &found.event_id].map(str::to_owned);
        Reply::data(Line::new().code(&found.event_id))
            .facts(facts)
            .command("What was around it", around.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing::{self, now};

    #[test]
    fn the_moment_is_told_as_it_was_understood() {
        let text = |typed: &[&str]| {
            let verb: At = testing::parse(typed).unwrap();
            let room = <&RoomId>::try_from("!lobby:example.org").unwrap();
            let sent = Timestamp::from_millisecond(1_795_183_200_000).ok();
            testing::reply(&verb.told(
                room,
                &NearestEvent { event_id: "$one".to_owned(), sent },
                now(),
            ))
        };
        assert_eq!(
            text(&["!lobby:example.org", "2026-11-01"]),
            "`$one`\n\
             Room: `!lobby:example.org`\n\
             Asked for: The first event after 2026-11-01 00:00 UTC\n\
             Sent: 2026-11-20 14:00 UTC (3 min ago)\n\
             What was around it: !room context !lobby:example.org $one\n"
        );
        let before = text(&["!lobby:example.org", "3d", "-b"]);
        assert!(before.contains("The last event before 2026-11-17 14:03 UTC\n"), "{before}");
        for typed in [&["!a"][..], &["!a", "03/04"], &["!a", "3m"]] {
            assert!(testing::parse::<At>(typed).is_err(), "{typed:?}");
        }
    }
}
