//! Freezes that survive a restart: the bot as a whole, or what one person may do, until it is lifted.

use jiff::Timestamp;
use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};

use crate::store::{self, Shelf, Store};

/// What is frozen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The bot: it changes nothing, whoever asks.
    Bot,
    /// A person, by all their accounts: they are not served.
    Person(String),
}

impl What {
    fn key(&self) -> String {
        match self {
            Self::Bot => "bot".to_owned(),
            Self::Person(person) => format!("person {person}"),
        }
    }
}

/// A freeze that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// What is frozen.
    pub what: What,
    /// Who froze it.
    pub by: OwnedUserId,
    /// When.
    pub at: Timestamp,
    /// The person who has said that it may end, where that takes two.
    pub lifted_by: Option<String>,
}

/// Every freeze that holds. They survive restarts.
#[derive(Debug, Clone)]
pub struct Freezes {
    shelf: Shelf<Freeze>,
    store: Store,
}

impl Freezes {
    /// The freezes in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("freezes")?, store: store.clone() })
    }

    /// The freeze of `what`, if it is frozen.
    pub fn of(&self, what: &What) -> Result<Option<Freeze>, store::Error> {
        self.shelf.get(&what.key())
    }

    /// All of them.
    pub fn all(&self) -> Result<Vec<Freeze>, store::Error> {
        Ok(self.shelf.all()?.into_iter().map(|(_, freeze)| freeze).collect())
    }

    /// Keeps a freeze, in place of what was kept of it, and returns when it is on disk.
    pub async fn keep(&self, freeze: &Freeze) -> Result<(), store::Error> {
        self.shelf.put(&freeze.what.key(), freeze)?;
        self.store.flush().await
    }

    /// Lifts a freeze, and returns when that is on disk.
    pub async fn lift(&self, what: &What) -> Result<(), store::Error> {
        self.shelf.remove(&what.key())?;
        self.store.flush().await
    }
}
