//! What somebody has sent to a room in the very same millisecond as one event, which the homeserver
//! cannot tell from it; and what they have sent around it.

use jiff::{SignedDuration, Timestamp};
use ruma::{EventId, OwnedUserId, RoomId};
use serde::Deserialize;
use serde_json::json;

use super::super::content::Event;
use crate::{
    change::Path,
    synapse::{Error, Reader, wire::readable},
};

/// The types of the events that the homeserver redacts for somebody: it leaves all others alone,
/// whatever is asked of it. Of the memberships it takes those that are joins.
pub(super) const TYPES: [&str; 3] = ["m.room.member", "m.room.message", "m.room.encrypted"];

/// How many events are looked at around one, half of them on each side.
const AROUND: usize = 100;
/// How many events stand on a page, where all that somebody has sent is looked through.
const PAGE: usize = 1000;
/// How many such pages are looked at on each side.
const PAGES: usize = 10;
/// How far the clock of this homeserver may have been set back: what its own people sent further away
/// than this was not sent in the same moment.
const SET_BACK: SignedDuration = SignedDuration::from_mins(10);

/// An event, and what its sender has sent to the same room, as far as the homeserver could redact it.
#[derive(Debug)]
pub(super) struct Moment {
    /// The event.
    pub(super) event: Event,
    /// Whatever else was sent in its millisecond, and is of these types.
    pub(super) same: Vec<Event>,
    /// What was sent before and after it, in other milliseconds.
    pub(super) around: Vec<Event>,
    /// Whether all that could be of the same millisecond was looked at.
    pub(super) complete: bool,
}

/// `GET /_synapse/admin/v1/rooms/{room_id}/context/{event_id}`.
#[derive(Debug, Deserialize)]
struct Context {
    event: Event,
    #[serde(default, deserialize_with = "readable")]
    events_before: Vec<Event>,
    #[serde(default, deserialize_with = "readable")]
    events_after: Vec<Event>,
    start: Option<String>,
    end: Option<String>,
}

/// `GET /_synapse/admin/v1/rooms/{room_id}/messages`.
#[derive(Debug, Deserialize)]
struct EventPage {
    #[serde(default, deserialize_with = "readable")]
    chunk: Vec<Event>,
    end: Option<String>,
}

impl Moment {
    /// Looks; `None` where the homeserver does not have the event in this room. Whoever `sets_time` may
    /// have given any event any time, so that all of theirs in the room are looked through.
    pub(super) async fn of(
        event: &EventId,
        room: &RoomId,
        sender: &OwnedUserId,
        sets_time: bool,
        reader: &Reader,
    ) -> Result<Option<Self>, Error> {
        let filter = json!({ "senders": [sender], "types": TYPES }).to_string();
        let path = Path::admin(["v1", "rooms", room.as_str(), "context", event.as_str()]);
        let query = [("limit", AROUND.to_string()), ("filter", filter.clone())];
        let Some(context) = reader.find::<Context>(&path, &query).await? else { return Ok(None) };
        let at = context.event.sent;
        let near =
            |side: &[Event]| !sets_time && is_far(at, side.last().and_then(|last| last.sent));
        let ends = |side: &[Event]| side.len() < AROUND / 2 || near(side);
        let (before, after) = (ends(&context.events_before), ends(&context.events_after));
        let mut found = Vec::new();
        let walk = Walk { room, filter: &filter, at, reader };
        // Forwards only: for what is further back the homeserver might ask other servers.
        let first = before || walk.all(None, context.start.as_deref(), &mut found).await?;
        let last = after || walk.all(context.end.as_deref(), None, &mut found).await?;
        Ok(Some(Self::sorted(context, found, first && last)))
    }

    fn sorted(context: Context, found: Vec<Event>, complete: bool) -> Self {
        let Context { event, events_before, events_after, .. } = context;
        let near = events_before.into_iter().chain(events_after);
        let (mut same, around): (Vec<Event>, Vec<Event>) =
            near.partition(|one| one.sent == event.sent);
        same.extend(found);
        same.retain(|one| one.id != event.id);
        same.sort_by(|one, other| one.id.cmp(&other.id));
        same.dedup_by(|one, other| one.id == other.id);
        Self { event, same, around, complete }
    }

    /// Of what was sent in its millisecond, that which would be redacted with it.
    pub(super) fn others(&self) -> impl Iterator<Item = &Event> {
        self.same.iter().filter(|one| is_redacted_for_others(one) && one.redacted_by().is_none())
    }
}

/// Whether the homeserver redacts an event like this one for somebody.
pub(super) fn is_redacted_for_others(event: &Event) -> bool {
    match event.kind.raw() {
        "m.room.member" => event.membership() == Some("join"),
        kind => TYPES.contains(&kind),
    }
}

/// Whether something was sent so long before or after another that no clock was set back so far.
fn is_far(at: Option<Timestamp>, other: Option<Timestamp>) -> bool {
    let (Some(at), Some(other)) = (at, other) else { return false };
    at.duration_since(other).abs() > SET_BACK
}

/// All that somebody has sent to a room, looked through for what was sent at one moment.
struct Walk<'a> {
    room: &'a RoomId,
    filter: &'a str,
    at: Option<Timestamp>,
    reader: &'a Reader,
}

impl Walk<'_> {
    /// Adds what was sent at that moment, between these places; false where there is more than is looked
    /// through.
    async fn all(
        &self,
        from: Option<&str>,
        to: Option<&str>,
        found: &mut Vec<Event>,
    ) -> Result<bool, Error> {
        let path = Path::admin(["v1", "rooms", self.room.as_str(), "messages"]);
        let reader = self.reader.afresh();
        let mut from = from.map(str::to_owned);
        for _ in 0..PAGES {
            let mut query = vec![
                ("dir", "f".to_owned()),
                ("limit", PAGE.to_string()),
                ("filter", self.filter.to_owned()),
            ];
            query.extend(from.iter().map(|from| ("from", from.clone())));
            query.extend(to.map(|to| ("to", to.to_owned())));
            let page: EventPage = reader.get(&path, &query).await?;
            found.extend(page.chunk.into_iter().filter(|one| one.sent == self.at));
            match page.end {
                Some(end) if from.as_ref() != Some(&end) => from = Some(end),
                _ => return Ok(true),
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::Value;

    use super::{super::super::content::tests::message, *};

    /// A message as the homeserver gives it, with this id and these fields.
    pub(in super::super) fn event(id: &str, other: Value) -> Event {
        let mut event = message(json!({ "event_id": id }));
        if let (Some(event), Value::Object(other)) = (event.as_object_mut(), other) {
            event.extend(other);
        }
        serde_json::from_value(event).unwrap()
    }

    fn context(before: Vec<Event>, after: Vec<Event>) -> Context {
        Context {
            event: event("$one", json!({})),
            events_before: before,
            events_after: after,
            start: None,
            end: None,
        }
    }

    fn ids<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<&'a str> {
        events.into_iter().map(|event| event.id.as_str()).collect()
    }

    #[test]
    fn what_was_sent_in_the_same_millisecond_is_found_once_and_apart_from_the_rest() {
        let later = json!({"origin_server_ts": 1_795_183_200_001_i64});
        let gone = json!({"unsigned": {"redacted_because": {"sender": "@moe:example.org"}}});
        let left = json!({"type": "m.room.member", "state_key": "@ann:example.org",
                          "content": {"membership": "leave"}});
        let found = vec![
            event("$four", json!({})),
            event("$three", left),
            event("$one", json!({})),
            event("$two", json!({})),
        ];
        let near = context(vec![event("$two", json!({}))], vec![event("$later", later)]);
        let moment = Moment::sorted(near, [found, vec![event("$five", gone)]].concat(), true);
        assert_eq!(ids(&moment.same), ["$five", "$four", "$three", "$two"]);
        assert_eq!(ids(moment.others()), ["$four", "$two"], "a leave and what is gone stay");
        assert_eq!(ids(&moment.around), ["$later"]);
    }

    #[test]
    fn only_messages_and_joins_are_redacted_for_others() {
        let of = |kind: &str, content: Value| {
            is_redacted_for_others(&event("$x", json!({"type": kind, "content": content})))
        };
        for kind in ["m.room.message", "m.room.encrypted"] {
            assert!(of(kind, json!({})), "{kind}");
        }
        assert!(of("m.room.member", json!({"membership": "join"})));
        for membership in ["leave", "invite", "ban", "knock"] {
            assert!(!of("m.room.member", json!({ "membership": membership })), "{membership}");
        }
        for kind in ["m.reaction", "m.sticker", "m.room.topic", "m.room.redaction"] {
            assert!(!of(kind, json!({})), "{kind}");
        }
    }

    #[test]
    fn what_is_far_away_cannot_be_of_the_same_moment() {
        let at = |millis| Timestamp::from_millisecond(millis).ok();
        assert!(!is_far(at(0), at(600_000)) && is_far(at(0), at(600_001)));
        assert!(is_far(at(600_001), at(0)));
        assert!(!is_far(None, at(0)) && !is_far(at(0), None), "what is not known is not far");
    }
}
