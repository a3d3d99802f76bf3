//! Work that the homeserver goes on with after it has answered, until its end has been told.

use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::{
    change::Subject,
    store::{self, Shelf, Store},
};

/// One such work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// The number of the change that began it.
    pub number: u64,
    /// What the change was about.
    pub subject: Subject,
    /// The id by which its verb asks the homeserver how far it is.
    pub work: String,
    /// The command as understood.
    pub words: Vec<String>,
    /// Who asked for it.
    pub asker: OwnedUserId,
    /// Where, and by which event.
    pub asked: (OwnedRoomId, OwnedEventId),
    /// When it was begun.
    pub begun: Timestamp,
    /// The message that shows how far it is, once there is one.
    pub message: Option<OwnedEventId>,
}

/// Every work that is watched.
#[derive(Debug, Clone)]
pub struct Watches {
    shelf: Shelf<Watch>,
    store: Store,
}

impl Watches {
    /// Those in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("watches")?, store: store.clone() })
    }

    /// Writes its present state, and returns when that is on disk.
    pub async fn keep(&self, watch: &Watch) -> Result<(), store::Error> {
        self.shelf.put(&watch.key(), watch)?;
        self.store.flush().await
    }

    /// Forgets one, and returns when that is on disk.
    pub async fn forget(&self, watch: &Watch) -> Result<(), store::Error> {
        self.shelf.remove(&watch.key())?;
        self.store.flush().await
    }

    /// All of them, the first begun first.
    pub fn all(&self) -> Result<Vec<Watch>, store::Error> {
        Ok(self.shelf.all()?.into_iter().map(|(_, watch)| watch).collect())
    }
}

impl Watch {
    /// What it is kept under, and a word that no other one has.
    pub fn key(&self) -> String {
        format!("{:016x}-{}", self.number, self.work)
    }
}
