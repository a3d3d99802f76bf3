//! `room state`: what is set in a room.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::{known, standing};
use crate::{
    change::Power,
    commands::{
        Later, Spec, Tables,
        arguments::RoomRef,
        event::content::{self, Event},
        listing::{Listing, Named, Page, Pages},
        refusals::looks,
    },
    error::Stop,
    reply::{Line, Record},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<State>(
    "state",
    &[
        "room state #lobby:example.org",
        "room state #lobby:example.org --type m.room.join_rules --show-content",
    ],
)
.later(&[Later::new("type", 1, 123)]);

/// List the state events (settings) of a room, by type
///
/// Their content is shown only with --show-content, to roles that may see private data, and that
/// is recorded. Large rooms have very many member events; use --type to show only one type.
#[derive(Debug, clap::Args)]
struct State {
    /// The room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    room: RoomRef,
    /// Only events of this type, such as `m.room.power_levels`
    #[arg(id = "type", short = 't', long, value_name = "TYPE")]
    kind: Option<String>,
    /// Show the content of each event
    #[arg(long)]
    show_content: bool,
    #[command(flatten)]
    pages: Pages,
}

#[async_trait]
impl Listing for State {
    const NAMED: Named = Named {
        key: "state",
        one: "state event",
        many: "state events",
        columns: &["type", "state_key", "sender", "origin_server_ts", "event_id", "content"],
    };
    type Row = Event;

    fn power(&self) -> Power {
        if self.show_content { Power::LookPrivate } else { Power::Look }
    }

    fn refusals(&self) -> Tables {
        &[looks::ROOM]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn of(&self, _reader: &Reader) -> Line {
        known::titled(&self.room).plain(": ")
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        let room = reader.room_id(&self.room).await?;
        let mut state = known::state(&room, self.kind.as_deref(), reader).await?;
        if state.is_empty()
            && let Some(then) = standing::of_then(&room, true, reader).await?
        {
            state = then;
            state.retain(|event| self.kind.as_ref().is_none_or(|kind| event["type"] == **kind));
        }
        Ok(Page::part(self.ordered(state), Pages::number(from)?, limit))
    }

    async fn remark(&self, _rows: &[Value], reader: &Reader) -> Option<&'static str> {
        standing::remark(&self.room, reader).await
    }

    fn record(&self, event: &Event, now: Timestamp) -> Record {
        let mut facts = event.sent();
        facts.extend(event.about(now));
        if self.show_content {
            facts.push(("Says", event.says()));
        }
        facts.push(("Id", Line::new().code(&event.id)));
        Record { title: event.kind(), facts }
    }

    fn notes(&self, rows: &[Event]) -> Vec<Line> {
        if self.show_content || rows.is_empty() {
            return Vec::new();
        }
        vec![Line::new().plain("To show their content, add ").code("--show-content")]
    }
}

impl State {
    /// The events in an order that stays the same, without what is not to be shown.
    fn ordered(&self, mut state: Vec<Value>) -> Vec<Value> {
        let key = |event: &Value| {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            (text("type"), text("state_key"))
        };
        state.sort_by_cached_key(key);
        if self.show_content {
            return state;
        }
        state.iter().map(content::envelope).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;
    use serde_json::json;

    use super::*;
    use crate::{
        commands::user::testing::{self, now},
        reply::{Block, Reply},
    };

    fn text(typed: &[&str]) -> String {
        let verb: State = testing::parse(typed).unwrap();
        let event = |kind: &str, key: &str, content: Value| {
            json!({"type": kind, "state_key": key, "event_id": "$one", "content": content,
                   "sender": "@ann:example.org", "origin_server_ts": 1_795_183_200_000_i64})
        };
        let state = verb.ordered(vec![
            event("m.room.topic", "", json!({"topic": "a secret"})),
            event("m.room.member", "@ann:example.org", json!({"membership": "join"})),
        ]);
        let records = state.iter().map(|row| verb.record(&Event::deserialize(row).unwrap(), now()));
        testing::reply(&Reply::data("").with(Block::Records(records.collect())))
    }

    #[test]
    fn what_events_say_takes_its_own_power_and_is_shown_only_then() {
        let power = |typed: &[&str]| Listing::power(&testing::parse::<State>(typed).unwrap());
        assert_eq!(power(&["!a", "--type", "m.room.topic"]), Power::Look);
        assert_eq!(power(&["!a", "--show-content"]), Power::LookPrivate);
        insta::assert_snapshot!(text(&["!a"]), @r"
        * “m.room.member” of “@ann:example.org”
          By: `@ann:example.org` · Sent: 2026-11-20 14:00 UTC · Membership: “join” · Id: `$one`
        * “m.room.topic”
          By: `@ann:example.org` · Sent: 2026-11-20 14:00 UTC · Id: `$one`
        ");
        assert!(text(&["!a", "--show-content"]).contains("Says: “{\"topic\":\"a secret\"}”"));
    }
}
