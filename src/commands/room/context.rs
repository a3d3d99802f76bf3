//! `room context`: what was sent before and after one event.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::known;
use crate::{
    change::{Path, Power},
    commands::{
        Memory, Query, Spec, Tables,
        arguments::RoomRef,
        event::content::{self, Event, EventRef},
        refusals::looks,
    },
    error::Stop,
    reply::{Block, Line, Record, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Context>(
    "context",
    &[
        "room context #lobby:example.org $TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go",
        "room context #lobby:example.org $TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go --limit 20 \
         --show-content",
    ],
);

/// Show the events of a room before and after one event, oldest first
///
/// Their content is shown only with --show-content, to roles that may see private data, and that
/// is recorded.
#[derive(Debug, clap::Args)]
struct Context {
    /// The room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    room: RoomRef,
    /// The event: its id, which begins with $
    event: EventRef,
    /// How many events to show around it, half of them before
    #[arg(short, long, value_name = "NUMBER", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=100))]
    limit: u64,
    /// Show the content of each event
    #[arg(long)]
    show_content: bool,
}

#[async_trait]
impl Query for Context {
    fn power(&self) -> Power {
        if self.show_content { Power::LookPrivate } else { Power::Look }
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::EVENT, looks::ROOM])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let found = self.find(reader).await?;
        let title = known::titled(&self.room).plain(", around ").code(&self.event.0);
        Ok(Reply::data(title).with(Block::Records(self.records(&found, reader.now()))))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        Ok(sheet.object("context", &self.find(reader).await?)?)
    }
}

impl Context {
    /// What `GET /_synapse/admin/v1/rooms/{room_id}/context/{event_id}` answers, without what is
    /// not to be shown of it.
    async fn find(&self, reader: &Reader) -> Result<Value, Stop> {
        let room = reader.room_id(&self.room).await?;
        let path = Path::admin(["v1", "rooms", room.as_str(), "context", self.event.0.as_str()]);
        let query = [("limit", self.limit.to_string())];
        let Some(mut found) = reader.find::<Value>(&path, &query).await? else {
            if known::room(&room, reader).await?.is_none() {
                return Err(Stop::not_found(known::unknown(&room)));
            }
            let why = Line::new().plain("there is no event ").code(&self.event.0).plain(" in ");
            return Err(Stop::not_found(why.code(&room)).or(&[
                "event",
                "details",
                self.event.0.as_str(),
            ]));
        };
        if !self.show_content {
            hide(&mut found);
        }
        Ok(found)
    }

    fn records(&self, found: &Value, now: Timestamp) -> Vec<Record> {
        let all = |key: &str| found[key].as_array().cloned().unwrap_or_default();
        // They come from the event on, backwards.
        let before = all("events_before").into_iter().rev();
        let events = before.chain([found["event"].clone()]).chain(all("events_after"));
        let read = events.filter_map(|event| Event::deserialize(event).ok());
        read.map(|event| self.record(&event, now)).collect()
    }

    fn record(&self, event: &Event, now: Timestamp) -> Record {
        let mut title = Line::new().code(&event.sender);
        if self.event.0 == event.id {
            title = title.plain(" ").strong("this event");
        }
        let mut facts = vec![("Sent", Line::new().at(event.sent)), ("Type", event.kind())];
        facts.extend(event.about(now));
        if self.show_content {
            facts.push(("Says", event.says()));
        }
        facts.push(("Id", Line::new().code(&event.id)));
        Record { title, facts }
    }
}

/// Takes out of an answer what its events say.
fn hide(found: &mut Value) {
    for key in ["events_before", "events_after", "state"] {
        for event in found[key].as_array_mut().into_iter().flatten() {
            *event = content::envelope(event);
        }
    }
    found["event"] = content::envelope(&found["event"]);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::{
        event::content::tests::message,
        user::testing::{self, now},
    };

    fn found() -> Value {
        let event = |id: &str| message(json!({ "event_id": id }));
        json!({
            "events_before": [event("$two"), event("$one")], "event": event("$three"),
            "events_after": [event("$four")], "state": [event("$state")], "start": "a", "end": "b",
        })
    }

    #[test]
    fn events_come_in_the_order_in_which_they_were_sent() {
        let verb: Context = testing::parse(&["!a", "$three", "--show-content"]).unwrap();
        assert_eq!((verb.power(), verb.limit), (Power::LookPrivate, 10));
        let records = verb.records(&found(), now());
        let text = testing::reply(&Reply::data("").with(Block::Records(records)));
        let ids: Vec<&str> =
            text.split("Id: `").skip(1).filter_map(|id| id.split('`').next()).collect();
        assert_eq!(ids, ["$one", "$two", "$three", "$four"]);
        assert!(text.contains("* `@ann:example.org` **this event**\n"), "{text}");
        assert_eq!(text.matches("Says: “hello”").count(), 4);
    }

    #[test]
    fn nothing_that_was_said_is_left_where_it_was_not_asked_for() {
        let mut found = found();
        hide(&mut found);
        assert!(!found.to_string().contains("hello"), "{found}");
        assert_eq!(found["event"]["event_id"], "$three");
        let verb: Context = testing::parse(&["!a", "$three", "-l", "20"]).unwrap();
        assert_eq!((verb.power(), verb.limit), (Power::Look, 20));
        for typed in [&["!a"][..], &["!a", "three"], &["!a", "$three", "-l", "0"]] {
            assert!(testing::parse::<Context>(typed).is_err(), "{typed:?}");
        }
    }
}
