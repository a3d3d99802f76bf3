//! How each operator wants answers drawn: their layout, the size of a page, their time zone.
//!
//! It is about what they read and about nothing else: no right follows from it, no record, and nothing
//! that others read.

use ruma::UserId;
use serde::{Deserialize, Serialize};

use crate::{
    reply::Layout,
    store::{self, Shelf, Store},
};

/// What one operator wants; nothing where they have not said it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preference {
    /// The layout of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// How many entries of a list are shown at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// The name of the time zone in which times stand beside UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// Every preference, by whose it is.
#[derive(Debug, Clone)]
pub struct Preferences {
    shelf: Shelf<Preference>,
    store: Store,
}

impl Preferences {
    /// Those in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("preferences")?, store: store.clone() })
    }

    /// What this operator wants.
    pub fn of(&self, user: &UserId) -> Result<Preference, store::Error> {
        Ok(self.shelf.get(user.as_str())?.unwrap_or_default())
    }

    /// Keeps what this operator wants, and returns when that is on disk. Nothing is kept of somebody
    /// who wants nothing.
    pub async fn keep(&self, user: &UserId, wanted: &Preference) -> Result<(), store::Error> {
        if *wanted == Preference::default() {
            self.shelf.remove(user.as_str())?;
        } else {
            self.shelf.put(user.as_str(), wanted)?;
        }
        self.store.flush().await
    }
}
