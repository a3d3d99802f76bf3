//! Messages that cannot be decrypted yet.
//!
//! Their keys often come a little later. Until then they are kept and tried again, also over a
//! restart; after five minutes the room is told.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use matrix_sdk::{
    Client, Room,
    deserialized_responses::TimelineEvent,
    ruma::{
        events::room::encrypted::OriginalSyncRoomEncryptedEvent,
        serde::{JsonObject, Raw},
    },
};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

use super::ConnectError;
use crate::{
    pipeline::Bookmark,
    store::{self, Shelf, Store},
};

/// For how long a message is tried again.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// How many messages of one sender are tried again. All of them are whenever anything arrives, and
/// anybody who can write in an operator's name can send what nobody decrypts.
const KEPT: usize = 50;

/// A message that could not be decrypted.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Undecrypted {
    room: OwnedRoomId,
    sender: OwnedUserId,
    event: JsonObject,
    /// When it was first tried.
    since: Timestamp,
}

/// What became of a message that could not be decrypted at first.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) room: Room,
    pub(super) id: OwnedEventId,
    pub(super) sender: OwnedUserId,
    /// When it was first tried.
    pub(super) since: Timestamp,
    /// The message, or nothing where it was tried for long enough.
    pub(super) event: Option<TimelineEvent>,
    /// To be kept when it stands in the journal.
    pub(super) done: Bookmark,
}

/// The messages that cannot be decrypted yet.
#[derive(Debug)]
pub(super) struct Pending {
    shelf: Shelf<Undecrypted>,
    waiting: BTreeMap<OwnedEventId, Undecrypted>,
}

impl Pending {
    /// Those of earlier runs.
    pub(super) fn load(store: &Store) -> Result<Self, ConnectError> {
        let shelf = store.shelf("undecrypted")?;
        let waiting = shelf
            .all()?
            .into_iter()
            .filter_map(|(id, event)| Some((OwnedEventId::try_from(id).ok()?, event)))
            .collect();
        Ok(Self { shelf, waiting })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether as many of this sender's are kept as may be.
    pub(super) fn is_full(&self, sender: &UserId) -> bool {
        self.waiting.values().filter(|kept| kept.sender == sender).count() >= KEPT
    }

    /// Keeps a message until it can be decrypted; where it cannot be written down, until the
    /// process ends.
    pub(super) fn keep(
        &mut self,
        room: &Room,
        id: OwnedEventId,
        sender: OwnedUserId,
        event: &TimelineEvent,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        let event = serde_json::from_str(event.raw().json().get())?;
        let undecrypted =
            Undecrypted { room: room.room_id().to_owned(), sender, event, since: now };
        let kept = self.shelf.put(id.as_str(), &undecrypted);
        self.waiting.insert(id, undecrypted);
        kept
    }

    /// Tries all again. Returns those that are settled, oldest first.
    pub(super) async fn retry(&mut self, client: &Client, now: Timestamp) -> Vec<Resolved> {
        let mut settled = Vec::new();
        for (id, undecrypted) in &self.waiting {
            let Some(room) = client.get_room(&undecrypted.room) else { continue };
            let event = decrypt(&room, &undecrypted.event).await;
            if event.is_none() && now.duration_since(undecrypted.since) < PATIENCE {
                continue;
            }
            let (kept, key) = (self.shelf.clone(), id.clone());
            settled.push(Resolved {
                room,
                id: id.clone(),
                sender: undecrypted.sender.clone(),
                since: undecrypted.since,
                event,
                done: Bookmark::new(move || kept.remove(key.as_str())),
            });
        }
        for resolved in &settled {
            self.waiting.remove(&resolved.id);
        }
        settled.sort_by_key(|resolved| resolved.since);
        settled
    }
}

async fn decrypt(room: &Room, event: &JsonObject) -> Option<TimelineEvent> {
    let raw = Raw::new(event).ok()?.cast_unchecked::<OriginalSyncRoomEncryptedEvent>();
    let event = room.decrypt_event(&raw, None).await.ok()?;
    (!event.kind.is_utd()).then_some(event)
}
