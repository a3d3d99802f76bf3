//! Which messages have been dealt with.
//!
//! A message is noted when its handling begins and settled when it ends. One that a crash cut off
//! in between is known at the next start. It is reported and never repeated by itself: its sender
//! may long have done something else.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedEventId, OwnedRoomId, RoomId};
use serde::{Deserialize, Serialize};

use crate::store::{self, Shelf, Store};

/// How long a message is remembered. Far longer than any message may be old when it is run.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Noted {
    at: Timestamp,
    room: OwnedRoomId,
    settled: bool,
}

/// The messages that have been dealt with.
#[derive(Debug, Clone)]
pub struct Journal {
    shelf: Shelf<Noted>,
    in_hand: Arc<Mutex<HashSet<OwnedEventId>>>,
}

impl Journal {
    /// The journal in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("journal")?, in_hand: Arc::default() })
    }

    /// Whether `event` is to be handled: nobody has begun, in this run or an earlier one. Notes
    /// that it has begun.
    pub fn begin(
        &self,
        event: &OwnedEventId,
        room: &RoomId,
        now: Timestamp,
    ) -> Result<bool, store::Error> {
        if !self.in_hand().insert(event.clone()) {
            return Ok(false);
        }
        let begun = match self.shelf.get(event.as_str()) {
            Ok(Some(_)) => Ok(false),
            Ok(None) => {
                let noted = Noted { at: now, room: room.to_owned(), settled: false };
                self.shelf.put_new(event.as_str(), &noted)
            }
            Err(error) => Err(error),
        };
        if !matches!(begun, Ok(true)) {
            self.in_hand().remove(event);
        }
        begun
    }

    /// The messages, with their rooms, that an earlier run began and did not end. To be asked
    /// before the first message of this run.
    pub fn cut_off(&self) -> Result<Vec<(OwnedEventId, OwnedRoomId)>, store::Error> {
        let unsettled = self.shelf.all()?.into_iter().filter(|(_, noted)| !noted.settled);
        Ok(unsettled
            .filter_map(|(event, noted)| Some((OwnedEventId::try_from(event).ok()?, noted.room)))
            .collect())
    }

    /// Notes that `event` has been dealt with.
    pub fn settle(
        &self,
        event: &OwnedEventId,
        room: &RoomId,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        let noted = Noted { at: now, room: room.to_owned(), settled: true };
        self.shelf.put(event.as_str(), &noted)?;
        // Only now: until it is on the shelf, the set keeps a second copy out.
        self.in_hand().remove(event);
        Ok(())
    }

    /// Forgets what is too old to matter.
    pub fn prune(&self, now: Timestamp) -> Result<(), store::Error> {
        for (event, noted) in self.shelf.all()? {
            if now.duration_since(noted.at) > REMEMBERED {
                self.shelf.remove(&event)?;
            }
        }
        Ok(())
    }

    /// How many messages are remembered.
    #[cfg(test)]
    pub(crate) fn count(&self) -> Result<usize, store::Error> {
        Ok(self.shelf.all()?.len())
    }

    fn in_hand(&self) -> std::sync::MutexGuard<'_, HashSet<OwnedEventId>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ruma::{owned_event_id, room_id};

    use super::*;

    #[test]
    fn a_message_is_begun_once_and_known_if_a_crash_cut_it_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let (now, room) = (Timestamp::UNIX_EPOCH, room_id!("!admin:x.test"));
        let (cut_off, settled) = (owned_event_id!("$1"), owned_event_id!("$2"));
        {
            let store = Store::open(&path, now).unwrap().store;
            let journal = Journal::new(&store).unwrap();
            assert!(journal.begin(&cut_off, room, now).unwrap());
            assert!(!journal.begin(&cut_off, room, now).unwrap());
            assert!(journal.begin(&settled, room, now).unwrap());
            journal.settle(&settled, room, now).unwrap();
            assert!(!journal.begin(&settled, room, now).unwrap());
        }
        let store = Store::open(&path, now).unwrap().store;
        let journal = Journal::new(&store).unwrap();
        assert_eq!(journal.cut_off().unwrap(), [(cut_off.clone(), room.to_owned())]);
        assert!(!journal.begin(&cut_off, room, now).unwrap(), "never run by itself");
        journal.settle(&cut_off, room, now).unwrap();
        assert!(journal.cut_off().unwrap().is_empty());
        assert!(!journal.begin(&settled, room, now).unwrap());
        journal.prune(now + SignedDuration::from_hours(8 * 24)).unwrap();
        assert!(journal.begin(&settled, room, now).unwrap(), "forgotten after its week");
    }
}
