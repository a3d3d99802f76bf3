//! Accounts that operators have taken out of waves: they are in no group of new accounts any more.

use jiff::Timestamp;
use ruma::{OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

use crate::store::{self, Shelf, Store};

/// One such account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveException {
    /// The account.
    pub about: OwnedUserId,
    /// Who has taken it out.
    pub by: OwnedUserId,
    /// When.
    pub at: Timestamp,
    /// Its number in the record.
    pub number: u64,
}

/// All of them, by their ids.
#[derive(Debug, Clone)]
pub struct WaveExceptions {
    shelf: Shelf<WaveException>,
    store: Store,
}

impl WaveExceptions {
    /// Those in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("wave-exceptions")?, store: store.clone() })
    }

    /// The exception of this account, if there is one.
    pub fn get(&self, user: &UserId) -> Result<Option<WaveException>, store::Error> {
        self.shelf.get(user.as_str())
    }

    /// All of them, by id.
    pub fn all(&self) -> Result<Vec<WaveException>, store::Error> {
        Ok(self.shelf.all()?.into_iter().map(|(_, exception)| exception).collect())
    }

    /// Keeps one and returns when it is on disk.
    pub async fn keep(&self, exception: &WaveException) -> Result<(), store::Error> {
        self.shelf.put(exception.about.as_str(), exception)?;
        self.store.flush().await
    }

    /// Forgets those of these accounts, and returns when that is on disk.
    pub async fn forget<'a>(
        &self,
        users: impl Iterator<Item = &'a OwnedUserId>,
    ) -> Result<(), store::Error> {
        for user in users {
            self.shelf.remove(user.as_str())?;
        }
        self.store.flush().await
    }
}
