//! What is to be said in a room and could not be said yet, so that a restart does not lose it.
//!
//! Nothing is kept here that stands elsewhere: the answer to a change is its number, and is drawn
//! again from the record. Of anything else it is the first line, as far as that is the bot's own
//! words; no secret is in either.

use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::{
    reply::Status,
    store::{self, Shelf, Store},
};

/// One thing that is to be said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unsaid {
    /// Where.
    pub room: OwnedRoomId,
    /// To which message it is the answer, if to any.
    pub about: Option<OwnedEventId>,
    /// By which it is said once.
    pub transaction_key: String,
    /// Since when.
    pub since: Timestamp,
    /// Whether it is said before the others.
    pub urgent: bool,
    /// Who is told so that their device rings.
    pub ring: Vec<OwnedUserId>,
    /// What.
    pub words: Words,
}

/// What is to be said, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Words {
    /// What the record says of the change with this number.
    Change(u64),
    /// A first line. It is empty where what was said might repeat what somebody has typed.
    Line {
        /// Its first word.
        status: Option<Status>,
        /// The rest.
        line: String,
    },
}

/// All that is to be said, in the order in which it is.
#[derive(Debug, Clone)]
pub struct Unsaids {
    shelf: Shelf<Unsaid>,
    store: Store,
}

impl Unsaids {
    /// Those in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("unsaid")?, store: store.clone() })
    }

    /// All of them under their places.
    pub fn all(&self) -> Result<Vec<(String, Unsaid)>, store::Error> {
        self.shelf.all()
    }

    /// Keeps one in its place.
    pub fn keep(&self, place: &str, unsaid: &Unsaid) -> Result<(), store::Error> {
        self.shelf.put(place, unsaid)
    }

    /// Returns when all that was kept is on disk.
    pub async fn flush(&self) -> Result<(), store::Error> {
        self.store.flush().await
    }

    /// Forgets the one in this place.
    pub fn forget(&self, place: &str) -> Result<(), store::Error> {
        self.shelf.remove(place)
    }
}
