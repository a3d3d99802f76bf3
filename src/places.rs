//! Where the answer to a message stands: to what it replies, and in which thread.
//!
//! Most answers reply to their message, in the timeline of the room, and nothing is kept of that. Kept is
//! what is otherwise: of a message in a thread, and of a reaction, which is answered by a reply to what
//! it is about, since clients cannot show a reaction that is replied to.

use jiff::{SignedDuration, Timestamp};
use ruma::{EventId, OwnedEventId};
use serde::{Deserialize, Serialize};

use crate::store::{self, Shelf, Store};

/// How long a place is remembered: what is answered later stands in the timeline of the room.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Where the answer to a message stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// When this was noted.
    pub at: Timestamp,
    /// The message that it replies to, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<OwnedEventId>,
    /// The message that began the thread in which it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<OwnedEventId>,
}

/// All places that are not the usual one.
#[derive(Debug, Clone)]
pub struct Places {
    shelf: Shelf<Place>,
}

impl Places {
    /// Those in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("places")? })
    }

    /// Notes where the answer to `event` stands.
    pub fn note(&self, event: &EventId, place: &Place) -> Result<(), store::Error> {
        self.shelf.put(event.as_str(), place)
    }

    /// Where the answer to `event` stands, where that is not the usual place.
    pub fn of(&self, event: &EventId) -> Result<Option<Place>, store::Error> {
        self.shelf.get(event.as_str())
    }

    /// Forgets what is so old that nothing is answered any more.
    pub fn forget_old(&self, now: Timestamp) -> Result<(), store::Error> {
        for (event, place) in self.shelf.all()? {
            if now.duration_since(place.at) > REMEMBERED {
                self.shelf.remove(&event)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ruma::{event_id, owned_event_id};

    use super::*;

    #[test]
    fn a_place_is_known_after_a_restart_and_forgotten_after_a_month() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let at = Timestamp::UNIX_EPOCH;
        let place = Place { at, reply_to: None, thread: Some(owned_event_id!("$root")) };
        {
            let store = Store::open(&path, at).unwrap().store;
            Places::new(&store).unwrap().note(event_id!("$a"), &place).unwrap();
        }
        let store = Store::open(&path, at).unwrap().store;
        let places = Places::new(&store).unwrap();
        assert_eq!(places.of(event_id!("$a")).unwrap(), Some(place));
        assert_eq!(places.of(event_id!("$b")).unwrap(), None);
        places.forget_old(at + SignedDuration::from_hours(29 * 24)).unwrap();
        assert!(places.of(event_id!("$a")).unwrap().is_some());
        places.forget_old(at + SignedDuration::from_hours(31 * 24)).unwrap();
        assert!(places.of(event_id!("$a")).unwrap().is_none());
    }
}
