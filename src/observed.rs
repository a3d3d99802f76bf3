//! Accounts that are watched: what was seen of each last, what of it is still to be told, and until when.
//!
//! What a look has found and what is to be told of it are kept together before anything is said. So
//! whatever a crash cuts off is told at the next start, as the same message.

use jiff::Timestamp;
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

use crate::store::{self, Shelf, Store};

mod seen;
#[cfg(test)]
mod tests;

pub use seen::{
    Few, Files, Look, LookedDevice, LookedFile, LookedReport, LookedReports, NewFile, NewRoom,
    Newest, News, Seen,
};

/// One account that is watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The number of the record of its beginning.
    pub number: u64,
    /// The account.
    pub about: OwnedUserId,
    /// Who asked for it.
    pub by: OwnedUserId,
    /// Since when.
    pub begun: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// The admin room in which it is told.
    pub room: OwnedRoomId,
    /// The message that asked for it, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<OwnedEventId>,
    /// The thread in which that stands, where it stands in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_thread: Option<OwnedEventId>,
    /// The first message about it, once that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<OwnedEventId>,
    /// What was there when it began, to be told in that message.
    pub baseline: Baseline,
    /// What was seen last.
    pub seen: Seen,
    /// What is to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub news: Option<News>,
    /// How often something was told.
    #[serde(default)]
    pub told: u64,
    /// Why it is over, where that is still to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

/// How much was there when a watch began; nothing where it could not be looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Devices.
    pub devices: Option<usize>,
    /// Rooms that it was in.
    pub rooms: Option<usize>,
    /// Files that it had uploaded.
    pub files: Option<u64>,
    /// Whether reports of what it writes can be seen.
    pub event_reports: bool,
    /// Whether reports of the account itself can be seen.
    pub account_reports: bool,
}

/// Why a watch is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Its time is over; the last look at the account was not answered where `missed`.
    Time {
        /// Whether something may be missing at the end.
        missed: bool,
    },
    /// An operator has ended it.
    Operator {
        /// Who.
        by: OwnedUserId,
        /// Whether that was answered in the same thread, so that nothing more is said there.
        answered: bool,
    },
    /// The account is deactivated.
    Deactivated,
    /// There is no such account any more.
    Gone,
}

impl End {
    /// The same, where something at the end may not have been told.
    #[must_use]
    pub fn missing_something(self) -> Self {
        match self {
            Self::Time { .. } => Self::Time { missed: true },
            other => other,
        }
    }
}

impl Observed {
    /// The message that begins the thread in which it is told, once there is one.
    pub fn thread(&self) -> Option<&OwnedEventId> {
        self.in_thread.as_ref().or(self.first.as_ref())
    }
}

/// All accounts that are watched.
#[derive(Debug, Clone)]
pub struct Observations {
    shelf: Shelf<Observed>,
    store: Store,
}

impl Observations {
    /// Those in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("observed")?, store: store.clone() })
    }

    /// Keeps the present state of one, and returns when it is on disk.
    pub async fn keep(&self, watch: &Observed) -> Result<(), store::Error> {
        self.shelf.put(&key(watch.number), watch)?;
        self.store.flush().await
    }

    /// Forgets one whose end was told, and returns when that is on disk.
    pub async fn forget(&self, number: u64) -> Result<(), store::Error> {
        self.shelf.remove(&key(number))?;
        self.store.flush().await
    }

    /// The one with this number, also where its end is still to be told.
    pub fn get(&self, number: u64) -> Result<Option<Observed>, store::Error> {
        self.shelf.get(&key(number))
    }

    /// All of them, also those whose end is still to be told; the first begun first.
    pub fn all(&self) -> Result<Vec<Observed>, store::Error> {
        Ok(self.shelf.all()?.into_iter().map(|(_, watch)| watch).collect())
    }

    /// Those that are not over, the first begun first.
    pub fn open(&self) -> Result<Vec<Observed>, store::Error> {
        let mut all = self.all()?;
        all.retain(|watch| watch.end.is_none());
        Ok(all)
    }

    /// The watch of this account that is not over.
    pub fn about(&self, user: &UserId) -> Result<Option<Observed>, store::Error> {
        Ok(self.open()?.into_iter().find(|watch| watch.about == user))
    }

    /// The watch that is not over and is told in this thread alone.
    pub fn of_thread(&self, root: &EventId) -> Result<Option<Observed>, store::Error> {
        let mut found = self.open()?;
        found.retain(|watch| watch.thread().is_some_and(|thread| thread == root));
        Ok(if found.len() == 1 { found.pop() } else { None })
    }

    /// Whether this message has begun one.
    pub fn is_begun_by(&self, event: &EventId) -> Result<bool, store::Error> {
        let is_it = |watch: &Observed| watch.asked.as_ref().is_some_and(|asked| asked == event);
        Ok(self.all()?.iter().any(is_it))
    }
}

/// No two have one, and they are in the order in which they were begun.
fn key(number: u64) -> String {
    format!("{number:016x}")
}
