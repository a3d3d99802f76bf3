//! Which messages have been dealt with.
//!
//! A message is noted when its handling begins and settled when it ends. One that a crash cut off
//! in between is handled again at the next start, unless the record says that it has opened a
//! change: then it is reported, never repeated.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use ruma::OwnedEventId;
use serde::{Deserialize, Serialize};

use crate::store::{self, Shelf, Store};

/// How long a message is remembered. Far longer than any message may be old when it is run.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Noted {
    at: Timestamp,
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

    /// Whether `event` is to be handled now: it has not been settled, and nobody in this process
    /// has begun. Notes that it has begun.
    pub fn begin(&self, event: &OwnedEventId, now: Timestamp) -> Result<bool, store::Error> {
        if !self.in_hand().insert(event.clone()) {
            return Ok(false);
        }
        let begun = match self.shelf.get(event.as_str()) {
            Ok(Some(noted)) => Ok(!noted.settled),
            Ok(None) => self.shelf.put_new(event.as_str(), &Noted { at: now, settled: false }),
            Err(error) => Err(error),
        };
        if !matches!(begun, Ok(true)) {
            self.in_hand().remove(event);
        }
        begun
    }

    /// Whether `event` has been settled, in this run or an earlier one.
    pub fn settled(&self, event: &OwnedEventId) -> Result<bool, store::Error> {
        Ok(self.shelf.get(event.as_str())?.is_some_and(|noted| noted.settled))
    }

    /// Notes that `event` has been dealt with.
    pub fn settle(&self, event: &OwnedEventId, now: Timestamp) -> Result<(), store::Error> {
        self.shelf.put(event.as_str(), &Noted { at: now, settled: true })?;
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

    fn in_hand(&self) -> std::sync::MutexGuard<'_, HashSet<OwnedEventId>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ruma::owned_event_id;

    use super::*;

    #[test]
    fn a_message_is_begun_once_and_again_only_if_a_crash_cut_it_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let now = Timestamp::UNIX_EPOCH;
        let (cut_off, settled) = (owned_event_id!("$1"), owned_event_id!("$2"));
        {
            let store = Store::open(&path, now).unwrap().store;
            let journal = Journal::new(&store).unwrap();
            assert!(journal.begin(&cut_off, now).unwrap());
            assert!(!journal.begin(&cut_off, now).unwrap());
            assert!(journal.begin(&settled, now).unwrap());
            journal.settle(&settled, now).unwrap();
            assert!(!journal.begin(&settled, now).unwrap());
        }
        let store = Store::open(&path, now).unwrap().store;
        let journal = Journal::new(&store).unwrap();
        assert!(journal.begin(&cut_off, now).unwrap());
        assert!(!journal.begin(&settled, now).unwrap());
        journal.prune(now + SignedDuration::from_hours(8 * 24)).unwrap();
        assert!(!journal.settled(&settled).unwrap());
    }
}
