//! The bot's own reactions, so that they can be taken back.

use jiff::{SignedDuration, Timestamp};
use ruma::{EventId, OwnedEventId};
use serde::{Deserialize, Serialize};
use tracing::error;

use crate::store::{self, Shelf, Store};

/// How long one is remembered that nobody takes back.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// One reaction of the bot's.
#[derive(Debug, Serialize, Deserialize)]
struct Reaction {
    event: OwnedEventId,
    at: Timestamp,
}

/// The reactions that stand under messages, as far as the bot knows.
#[derive(Debug)]
pub(super) struct Reactions(Shelf<Reaction>);

impl Reactions {
    /// Those in `store`.
    pub(super) fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self(store.shelf("reactions")?))
    }

    /// Notes one that was put under `event`, and forgets what is old.
    pub(super) fn put(&self, event: &EventId, key: &str, reaction: OwnedEventId, now: Timestamp) {
        let put = || {
            for (old, one) in self.0.all()? {
                if now.duration_since(one.at) > REMEMBERED {
                    self.0.remove(&old)?;
                }
            }
            self.0.put(&place(event, key), &Reaction { event: reaction, at: now })
        };
        if let Err(error) = put() {
            error!(error = &error as &dyn std::error::Error, "a reaction cannot be noted");
        }
    }

    /// The one that was put under `event`, which is noted no more.
    pub(super) fn take(&self, event: &EventId, key: &str) -> Option<OwnedEventId> {
        let place = place(event, key);
        let take = || {
            let reaction = self.0.get(&place)?;
            self.0.remove(&place)?;
            Ok(reaction.map(|reaction| reaction.event))
        };
        take().unwrap_or_else(|error: store::Error| {
            error!(error = &error as &dyn std::error::Error, "a reaction cannot be looked up");
            None
        })
    }
}

fn place(event: &EventId, key: &str) -> String {
    format!("{event} {key}")
}

#[cfg(test)]
mod tests {
    use ruma::{event_id, owned_event_id};

    use super::*;

    #[test]
    fn a_reaction_is_taken_back_once_and_known_by_message_and_key() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let store = Store::open(&dir.path().join("store"), now).unwrap().store;
        let reactions = Reactions::new(&store).unwrap();
        let (page, other) = (event_id!("$page"), event_id!("$other"));
        reactions.put(page, "a", owned_event_id!("$1"), now);
        reactions.put(page, "b", owned_event_id!("$2"), now);
        assert_eq!(reactions.take(other, "a"), None);
        assert_eq!(reactions.take(page, "a"), Some(owned_event_id!("$1")));
        assert_eq!(reactions.take(page, "a"), None);
        reactions.put(other, "a", owned_event_id!("$3"), now + REMEMBERED + REMEMBERED);
        assert_eq!(reactions.take(page, "b"), None, "nobody has taken it back for a month");
    }
}
