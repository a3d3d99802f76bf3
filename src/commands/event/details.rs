//! `event details`: who sent one event, when and where; and what it says, where that is asked for.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::content::{self, Event, EventRef};
use crate::{
    change::{Path, Power},
    commands::{Memory, Query, Spec, Tables, refusals::looks},
    error::Stop,
    reply::{Fact, Hostile, Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Details>(
    "details",
    &[
        "event details $TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go",
        "event details $TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go --show-content",
    ],
)
.also(&["show"])
.since(1, 140);

/// Show one event: who sent it, when and in which room
///
/// Its content is shown only with --show-content, to roles that may see private data, and that is
/// recorded. A redacted event has no content any more; --show-redacted shows the former content, for as
/// long as the homeserver still has it.
#[derive(Debug, clap::Args)]
struct Details {
    /// The event: its id, which begins with $
    event: EventRef,
    /// Show its content
    #[arg(long)]
    show_content: bool,
    /// Show its content from before it was redacted
    #[arg(long)]
    show_redacted: bool,
}

#[async_trait]
impl Query for Details {
    fn power(&self) -> Power {
        if self.show_content || self.show_redacted { Power::LookPrivate } else { Power::Look }
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::EVENT])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let event = self.find(reader).await?;
        let unread = || Stop::failed("the homeserver has this event, but I cannot read it");
        let told = Told::deserialize(&event).map_err(|_| unread())?;
        let facts = self.facts(&told, reader.now());
        let reply = Reply::data(Line::new().code(&self.event.0)).facts(facts);
        let Some(room) = &told.room_id else { return Ok(reply) };
        let words = ["room", "context", room.raw(), self.event.0.as_str()].map(str::to_owned);
        Ok(reply.command("What was around it", words.to_vec()))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        Ok(sheet.object("event", &json!({ "event": self.find(reader).await? }))?)
    }
}

/// An event and where it is.
#[derive(Debug, Deserialize)]
struct Told {
    #[serde(flatten)]
    event: Event,
    room_id: Option<Hostile>,
}

impl Details {
    /// The event, without what is not to be shown of it.
    ///
    /// What `GET /_synapse/admin/v1/fetch_event/{event_id}` answers holds what a redacted event
    /// said and not that it was redacted, so it is taken from there only where that is asked for.
    async fn find(&self, reader: &Reader) -> Result<Value, Stop> {
        #[derive(Deserialize)]
        struct FetchedEvent {
            event: Value,
        }
        let id = &self.event.0;
        let path = Path::admin(["v1", "fetch_event", id.as_str()]);
        let Some(FetchedEvent { event: mut raw }) = reader.find(&path, &[]).await? else {
            let why = Line::new().plain("this homeserver has no event ").code(id);
            return Err(Stop::not_found(why));
        };
        let named = ["room_id", "sender", "state_key"];
        reader.may_tell_of(named.iter().filter_map(|key| raw[*key].as_str()))?;
        let room = raw["room_id"].as_str().unwrap_or_default().to_owned();
        let reads = content::as_it_reads(&room, id.as_str(), reader).await?;
        if self.show_redacted {
            if let Some(because) = reads.as_ref().and_then(|reads| reads["unsigned"].get(BECAUSE)) {
                raw["unsigned"][BECAUSE] = because.clone();
            }
            return Ok(raw);
        }
        Ok(match reads {
            Some(reads) if self.show_content => reads,
            Some(reads) => content::envelope(&reads),
            // It is in no room any more, and nobody could tell whether it was redacted.
            None => content::envelope(&raw),
        })
    }

    fn facts(&self, told: &Told, now: Timestamp) -> Vec<Fact> {
        let event = &told.event;
        let mut facts = vec![("Type", event.kind())];
        facts.extend(event.sent());
        facts.extend(told.room_id.as_ref().map(|room| ("Room", Line::new().code(room.raw()))));
        facts.extend(event.about(now));
        if self.show_redacted {
            facts.push(("Says, or said", event.said()));
        } else if self.show_content {
            facts.push(("Says", event.says()));
        }
        facts
    }
}

const BECAUSE: &str = "redacted_because";

#[cfg(test)]
mod tests {
    use super::{super::content::tests::message, *};
    use crate::commands::user::testing::{self, now};

    const ID: &str = "$TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go";

    fn text(typed: &[&str], event: &Value) -> String {
        let verb: Details = testing::parse(&[&[ID][..], typed].concat()).unwrap();
        testing::facts(&verb.facts(&Told::deserialize(event).unwrap(), now()))
    }

    #[test]
    fn what_it_says_takes_its_own_power() {
        let power = |typed: &[&str]| testing::parse::<Details>(typed).unwrap().power();
        assert_eq!(power(&[ID]), Power::Look);
        assert_eq!(power(&[ID, "--show-content"]), Power::LookPrivate);
        assert_eq!(power(&[ID, "--show-redacted"]), Power::LookPrivate);
        assert!(testing::parse::<Details>(&["!lobby:example.org"]).is_err());
    }

    #[test]
    fn an_event_is_told_with_and_without_what_it_says() {
        let event = message(json!({}));
        assert_eq!(
            text(&["--show-content"], &event),
            "Type: “m.room.message”\n\
             By: `@ann:example.org`\n\
             Sent: 2026-11-20 14:00 UTC\n\
             Room: `!lobby:example.org`\n\
             Says: “hello”\n"
        );
        assert!(!text(&[], &event).contains("hello"));
    }

    #[test]
    fn what_a_redacted_event_said_is_shown_only_where_that_was_asked_for() {
        let because = json!({"type": "m.room.redaction", "sender": "@moe:example.org"});
        let event = message(json!({"unsigned": {"redacted_because": because}}));
        for typed in [&[][..], &["--show-content"]] {
            assert!(!text(typed, &event).contains("hello"), "{typed:?}");
        }
        let said = text(&["--show-redacted"], &event);
        assert!(said.contains("Says, or said: “hello”\n"), "{said}");
        assert!(said.contains("Redacted: by `@moe:example.org`\n"), "{said}");
    }
}
