//! The wave of new accounts that goes on, as far as the bot has told of it by itself.
//!
//! What is told is kept before it is said: whatever a kill cuts off is said at the next start, as the same
//! message.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::{self, Shelf, Store};

/// A wave that was told, or is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveAlert {
    /// When it was found.
    pub begun: Timestamp,
    /// How often it was told, this time with it.
    pub times: u64,
    /// Since when the accounts were created that it was told with last.
    pub since: Timestamp,
    /// How many they were.
    pub accounts: usize,
    /// Whether there were more of them.
    pub more: bool,
    /// Whether the room knows.
    pub said: bool,
}

impl WaveAlert {
    /// By what its message is known as the same.
    pub fn key(&self) -> String {
        format!("wave-{}-{}", self.begun.as_millisecond(), self.times)
    }
}

/// The wave that goes on, in the store.
#[derive(Debug, Clone)]
pub struct WaveAlerts {
    shelf: Shelf<WaveAlert>,
    store: Store,
}

/// Under this it is kept.
const PRESENT: &str = "present";

impl WaveAlerts {
    /// That in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("wave-alerts")?, store: store.clone() })
    }

    /// The wave that goes on, where one was told or is to be.
    pub fn present(&self) -> Result<Option<WaveAlert>, store::Error> {
        self.shelf.get(PRESENT)
    }

    /// Keeps its present state, and returns when that is on disk.
    pub async fn keep(&self, alert: &WaveAlert) -> Result<(), store::Error> {
        self.shelf.put(PRESENT, alert)?;
        self.store.flush().await
    }

    /// Forgets it, since it is over, and returns when that is on disk.
    pub async fn end(&self) -> Result<(), store::Error> {
        self.shelf.remove(PRESENT)?;
        self.store.flush().await
    }
}
