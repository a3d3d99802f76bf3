//! The wave of new accounts that goes on, as far as the bot has told of it by itself.
//!
//! What is told is kept before it is said: whatever a kill cuts off is said at the next start, as the same
//! message.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::store::{self, Single, Store};

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
    /// The wave that goes on, where one was told or is to be.
    pub fn kept_in(store: &Store) -> Result<Single<Self>, store::Error> {
        store.single("wave-alerts", "present")
    }

    /// By what its message is known as the same.
    pub fn key(&self) -> String {
        format!("wave-{}-{}", self.begun.as_millisecond(), self.times)
    }
}
