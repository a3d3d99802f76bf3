//! Where reading stopped, and going back to it.
//!
//! The SDK notes how far it has read before anybody has looked at what it read, and a homeserver
//! that has much to say leaves a gap. So the bot keeps its own place for each room, and after each
//! start, error or gap reads back from the end of the room to that place.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use matrix_sdk::{Room, deserialized_responses::TimelineEvent, room::MessagesOptions};
use ruma::{EventId, OwnedEventId, OwnedUserId, UInt, UserId};

use super::intake;
use crate::store::{self, Shelf, Store};

/// Events asked for at once.
const PAGE: u32 = 100;

/// Pages looked through for the place before it counts as lost.
const PAGES: usize = 50;

/// The places where reading stopped, by room.
pub(super) fn positions(store: &Store) -> Result<Shelf<OwnedEventId>, store::Error> {
    store.shelf("position")
}

/// What was found on the way back.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Whether the place was found.
    pub(super) reached: bool,
    /// The events after the place, oldest first.
    pub(super) events: Vec<TimelineEvent>,
    /// The events that the bot answered after the place. There are some where an older copy of
    /// the store was put back.
    pub(super) answered: HashSet<OwnedEventId>,
    /// Who sent what was left out, and when.
    pub(super) left_out: Vec<(OwnedUserId, Timestamp)>,
}

/// Reads back from `from`, or the end of the room, to the event `place`
/// (`GET /_matrix/client/v3/rooms/{roomId}/messages`).
///
/// Where that event is not found, what is older than `max_age` is left out: nobody knows any more
/// whether it was read.
pub(super) async fn back(
    room: &Room,
    from: Option<&str>,
    place: &EventId,
    now: Timestamp,
    max_age: SignedDuration,
) -> matrix_sdk::Result<Found> {
    let mut events = Vec::new();
    let mut from = from.map(str::to_owned);
    let mut found = false;
    let mut left_out = Vec::new();
    for _ in 0..PAGES {
        let mut options = MessagesOptions::backward().from(from.as_deref());
        options.limit = UInt::from(PAGE);
        let page = room.messages(options).await?;
        let after = page.chunk.iter().position(|event| event.event_id().as_deref() == Some(place));
        found = after.is_some();
        events.extend(page.chunk.into_iter().take(after.unwrap_or(usize::MAX)));
        if found || page.end.is_none() {
            break;
        }
        from = page.end;
    }
    if !found {
        tracing::warn!(room = %room.room_id(), %place, "the place where reading stopped is gone");
        left_out = take_older(&mut events, now, max_age);
    }
    events.reverse();
    let answered = answered(&events, room.own_user_id());
    Ok(Found { reached: found, events, answered, left_out })
}

/// Takes out of `events` what is older than `max_age`, and answers who sent the messages among that.
fn take_older(
    events: &mut Vec<TimelineEvent>,
    now: Timestamp,
    max_age: SignedDuration,
) -> Vec<(OwnedUserId, Timestamp)> {
    let mut taken = Vec::new();
    events.retain(|event| {
        let sent = sent(event);
        let young = sent.is_some_and(|sent| now.duration_since(sent) <= max_age);
        if !young && is_message(event) {
            taken.extend(event.sender().zip(sent));
        }
        young
    });
    taken.reverse();
    taken
}

fn is_message(event: &TimelineEvent) -> bool {
    let kind = event.raw().get_field::<String>("type").ok().flatten();
    kind.is_some_and(|kind| matches!(kind.as_str(), "m.room.message" | "m.room.encrypted"))
}

/// The newest event of a room.
pub(super) async fn newest(room: &Room) -> matrix_sdk::Result<Option<OwnedEventId>> {
    let mut options = MessagesOptions::backward();
    options.limit = UInt::from(1_u32);
    let page = room.messages(options).await?;
    Ok(page.chunk.first().and_then(TimelineEvent::event_id))
}

/// The part of `events` that comes after `place`, which may or may not be among them.
pub(super) fn after(events: Vec<TimelineEvent>, place: Option<&EventId>) -> Vec<TimelineEvent> {
    let skip = place.and_then(|place| {
        events.iter().rposition(|event| event.event_id().as_deref() == Some(place))
    });
    events.into_iter().skip(skip.map_or(0, |index| index + 1)).collect()
}

/// The events that some of these, sent by the bot, answer to.
fn answered(events: &[TimelineEvent], own: &UserId) -> HashSet<OwnedEventId> {
    events.iter().filter_map(|event| intake::answered(event.raw().json().get(), own)).collect()
}

fn sent(event: &TimelineEvent) -> Option<Timestamp> {
    let millis = event.timestamp()?.get();
    Timestamp::from_millisecond(i64::from(millis)).ok()
}
