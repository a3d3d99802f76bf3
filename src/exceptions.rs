//! What operators have taken out of something that the bot does by itself: accounts that are in no wave any
//! more, accounts and rooms for which no rule of a policy list counts.

use jiff::Timestamp;
use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};

use crate::store::{self, Shelf, Store};

/// That somebody has made an exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// Who.
    pub by: OwnedUserId,
    /// When.
    pub at: Timestamp,
    /// The number of that in the record.
    pub number: u64,
}

/// Exceptions of one kind, by the ids of what they are for.
#[derive(Debug, Clone)]
pub struct Exceptions {
    shelf: Shelf<Exception>,
    store: Store,
}

impl Exceptions {
    /// Accounts that are in no wave any more.
    pub fn of_waves(store: &Store) -> Result<Self, store::Error> {
        Self::named("wave-exceptions", store)
    }

    /// Accounts and rooms for which no rule of a policy list counts.
    pub fn of_policy_lists(store: &Store) -> Result<Self, store::Error> {
        Self::named("policy-let-go", store)
    }

    fn named(name: &'static str, store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf(name)?, store: store.clone() })
    }

    /// The exception for this id, if there is one.
    pub fn get(&self, id: &str) -> Result<Option<Exception>, store::Error> {
        self.shelf.get(id)
    }

    /// All of them with what they are for, by id.
    pub fn all(&self) -> Result<Vec<(String, Exception)>, store::Error> {
        self.shelf.all()
    }

    /// Makes an exception for each of these ids, and returns when that is on disk.
    pub async fn keep<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
        exception: &Exception,
    ) -> Result<(), store::Error> {
        for id in ids {
            self.shelf.put(id, exception)?;
        }
        self.store.flush().await
    }

    /// Forgets the exceptions for these ids, and returns when that is on disk.
    pub async fn forget<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Result<(), store::Error> {
        for id in ids {
            self.shelf.remove(id)?;
        }
        self.store.flush().await
    }
}
