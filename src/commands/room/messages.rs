//! `room messages`: who sent what kind of thing to a room; and what it says, where that is asked
//! for.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::RoomId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::known;
use crate::{
    change::{Path, Power},
    commands::{
        Spec, Tables,
        arguments::{RoomRef, UserRef},
        event::content::{self, Event},
        listing::{Listing, Named, Page, Pages},
        refusals::looks,
    },
    error::Stop,
    reply::{Line, Record},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Messages>(
    "messages",
    &[
        "room messages #lobby:example.org --limit 20",
        "room messages #lobby:example.org --limit 20 --show-content",
        "room messages #lobby:example.org --sender @bob:elsewhere.example --type m.room.message",
    ],
);

/// List the events of a room, newest first
///
/// Their content is shown only with --show-content, to roles that may see private data, and that is
/// recorded. Nobody here can read encrypted messages. The homeserver may ask other servers for events
/// that it does not have.
#[derive(Debug, clap::Args)]
struct Messages {
    /// The room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    room: RoomRef,
    /// Show the content of each event
    #[arg(long)]
    show_content: bool,
    /// Only events by this account. Can be repeated
    #[arg(long, value_name = "USER")]
    sender: Vec<UserRef>,
    /// Only events of this type, such as `m.room.message`. Can be repeated
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    kind: Vec<String>,
    /// Oldest first
    #[arg(short, long)]
    reverse: bool,
    #[command(flatten)]
    pages: Pages,
}

/// How many pages in a row may be empty because nothing on them fits: each makes the homeserver
/// look through as many events as a page holds.
const EMPTY_IN_A_ROW: usize = 20;

#[async_trait]
impl Listing for Messages {
    const NAMED: Named = Named {
        key: "chunk",
        one: "event",
        many: "events",
        columns: &["origin_server_ts", "sender", "type", "state_key", "event_id", "content"],
    };
    type Row = Event;

    fn power(&self) -> Power {
        if self.show_content { Power::LookPrivate } else { Power::Look }
    }

    fn refusals(&self) -> Tables {
        &[looks::PLACE, looks::ROOM]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn of(&self, _reader: &Reader) -> Line {
        let order = if self.reverse { ", oldest first: " } else { ", newest first: " };
        known::titled(&self.room).plain(order)
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        let room = reader.room_id(&self.room).await?;
        if known::room(&room, reader).await?.is_none() {
            return Err(Stop::not_found(known::unknown(&room)));
        }
        let first = from == self.pages.from.as_deref();
        let mut from = from.map(str::to_owned);
        for _ in 0..EMPTY_IN_A_ROW {
            let answered = self.ask(&room, reader, from.as_deref(), limit).await?;
            let more = answered.end.filter(|end| Some(end) != from.as_ref());
            if answered.chunk.is_empty() && more.is_some() {
                from = more;
                continue;
            }
            let rows = answered.chunk.into_iter().map(|event| self.open(event)).collect();
            return Ok(Page { rows, total: None, next: more });
        }
        if first {
            return Err(nothing_yet(&room, from.as_deref().unwrap_or_default()));
        }
        Ok(Page::default())
    }

    fn record(&self, event: &Event, now: Timestamp) -> Record {
        let mut facts = vec![("Sent", Line::new().at(event.sent)), ("Type", event.kind())];
        facts.extend(event.about(now));
        if self.show_content {
            facts.push(("Says", event.says()));
        }
        facts.push(("Id", Line::new().code(&event.id)));
        Record { title: Line::new().code(&event.sender), facts }
    }
}

#[derive(Deserialize)]
struct MessagePage {
    #[serde(default)]
    chunk: Vec<Value>,
    end: Option<String>,
}

impl Messages {
    /// One page of the homeserver's: `GET /_synapse/admin/v1/rooms/{room_id}/messages`.
    async fn ask(
        &self,
        room: &RoomId,
        reader: &Reader,
        from: Option<&str>,
        limit: u64,
    ) -> Result<MessagePage, Stop> {
        let mut query = vec![
            ("dir", if self.reverse { "f" } else { "b" }.to_owned()),
            ("limit", limit.to_string()),
        ];
        query.extend(from.map(|from| ("from", from.to_owned())));
        query.extend(self.filter_of(reader)?.map(|filter| ("filter", filter.to_string())));
        let path = Path::admin(["v1", "rooms", room.as_str(), "messages"]);
        match reader.get(&path, &query).await {
            Ok(answered) => Ok(answered),
            Err(error) if from.is_some() && error.status() == Some(400) && !error.is_foreign() => {
                Err(Stop::not_found(
                    "the homeserver does not know this position; leave out --from to start at the \
                     beginning",
                ))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What the homeserver is to leave out.
    fn filter_of(&self, reader: &Reader) -> Result<Option<Value>, Stop> {
        let mut filter = serde_json::Map::new();
        if !self.sender.is_empty() {
            let senders: Result<Vec<_>, Stop> =
                self.sender.iter().map(|user| reader.user_id(user)).collect();
            filter.insert("senders".to_owned(), json!(senders?));
        }
        if !self.kind.is_empty() {
            filter.insert("types".to_owned(), json!(self.kind));
        }
        Ok((!filter.is_empty()).then_some(Value::Object(filter)))
    }

    fn open(&self, event: Value) -> Value {
        if self.show_content { event } else { content::envelope(&event) }
    }
}

/// Nothing for so long: whoever wants to look further is told where to go on.
fn nothing_yet(room: &RoomId, place: &str) -> Stop {
    let why = Line::new()
        .plain("no matches found yet in ")
        .code(room)
        .plain(", but there is more to search. Send the same with ")
        .code(format!("--from {place}"));
    Stop::not_found(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        commands::{
            event::content::tests::message,
            user::testing::{self, now, nowhere},
        },
        reply::{Block, Reply},
    };

    fn verb(typed: &[&str]) -> Messages {
        testing::parse(typed).unwrap()
    }

    #[test]
    fn what_was_said_takes_its_own_power_and_is_shown_only_then() {
        assert_eq!(Listing::power(&verb(&["!a"])), Power::Look);
        assert_eq!(Listing::power(&verb(&["!a", "--show-content", "-r"])), Power::LookPrivate);
        let text = |typed: &[&str]| {
            let verb = verb(typed);
            let row = verb.open(message(json!({})));
            assert_eq!(row.to_string().contains("hello"), verb.show_content);
            let record = verb.record(&Event::deserialize(row).unwrap(), now());
            testing::reply(&Reply::data("").with(Block::Records(vec![record])))
        };
        insta::assert_snapshot!(text(&["!a"]), @r"
        * `@ann:example.org`
          Sent: 2026-11-20 14:00 UTC · Type: “m.room.message” · Id: `$one`
        ");
        insta::assert_snapshot!(text(&["!a", "--show-content"]), @r"
        * `@ann:example.org`
          Sent: 2026-11-20 14:00 UTC · Type: “m.room.message” · Says: “hello” · Id: `$one`
        ");
    }

    #[test]
    fn where_nothing_fits_for_long_it_is_said_where_to_go_on() {
        let room = <&RoomId>::try_from("!lobby:example.org").unwrap();
        let stop = nothing_yet(room, "t9-1");
        let Stop::Refused { why, .. } = stop else { panic!("it is refused: {stop:?}") };
        assert_eq!(
            testing::line(&why),
            "no matches found yet in `!lobby:example.org`, but there is more to search. Send the \
            same with `--from t9-1`"
        );
    }

    #[test]
    fn senders_and_types_are_left_to_the_homeserver() {
        let filter = |typed: &[&str]| verb(typed).filter_of(&nowhere()).unwrap();
        assert_eq!(filter(&["!a"]), None);
        assert_eq!(
            filter(&["!a", "--sender", "ann", "-t", "m.room.message", "-t", "x"]),
            Some(json!({"senders": ["@ann:example.org"], "types": ["m.room.message", "x"]}))
        );
    }
}
