//! New accounts: up to where they were read, and what of them is still to be told.
//!
//! What a look has found and what is to be told of it are kept together before anything is said. So
//! whatever a crash cuts off is told at the next start, as the same message.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use jiff::{SignedDuration, Timestamp};
use ruma::UserId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::store::{self, Shelf, Store};

mod batch;
#[cfg(test)]
mod tests;

pub use batch::{Batch, Found, Like, LookedUp, NAMED, NewAccount, Used, Whose};

/// Under this it is kept.
const KEY: &str = "state";

/// How much later than others an account may come to light that was created before them.
const LATE: SignedDuration = SignedDuration::from_mins(2);

/// What was read, and what is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAccounts {
    /// When this began: messages of different beginnings are different messages.
    pub begun: Timestamp,
    /// Why they are told.
    pub why: Why,
    /// Up to where they were read.
    pub read: ReadTo,
    /// How many had registered with each registration token at the last look; nothing where that could not be
    /// looked up, or there are no tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<BTreeMap<String, u64>>,
    /// What was found and is not to be told yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gathered: Option<Batch>,
    /// What is being told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telling: Option<Batch>,
    /// How often something was told.
    #[serde(default)]
    pub told: u64,
    /// Before this nothing more is told: what comes meanwhile is one message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

/// Why new accounts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The config says so.
    Config,
    /// Registration tokens are disabled by the shutters.
    Shutters,
}

impl NewAccounts {
    /// Nothing to tell yet; what was read is not new.
    pub fn begin(
        now: Timestamp,
        why: Why,
        read: ReadTo,
        tokens: Option<BTreeMap<String, u64>>,
    ) -> Self {
        let (gathered, telling, told, not_before) = Default::default();
        Self { begun: now, why, read, tokens, gathered, telling, told, not_before }
    }

    /// Adds what a look has found to what is to be told.
    pub fn gather(&mut self, found: Batch) {
        self.gathered = Some(match self.gathered.take() {
            Some(before) => before.and(found),
            None => found,
        });
    }
}

/// Up to where accounts were read, in the order in which they were created.
///
/// The homeserver's clock sets when that was, so moments of it are only held against each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadTo {
    /// When the newest was created of those that were read.
    until: Timestamp,
    /// Those that were created at most [`LATE`] before that, by digests of their ids: somebody may want to be
    /// forgotten.
    known: BTreeSet<String>,
}

impl ReadTo {
    /// The beginning: of the newest accounts, those that were created before `since` are not new; none of them,
    /// where nothing is said.
    pub fn begin<'a>(
        accounts: impl Iterator<Item = (&'a UserId, Timestamp)> + Clone,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let newest = accounts.clone().map(|(_, at)| at).max();
        let until = newest.unwrap_or(now).min(since.unwrap_or(now));
        // Homeservers have whole seconds.
        let is_old = |at: Timestamp| since.is_none_or(|since| at.as_second() < since.as_second());
        let old = accounts.filter(|(_, at)| is_old(*at));
        Self { until, known: old.map(|(user, _)| digest(user)).collect() }
    }

    /// From when on accounts have to be read.
    pub fn back_to(&self) -> Timestamp {
        self.until.checked_sub(LATE).unwrap_or(self.until)
    }

    /// Whether an account that was created then is new.
    pub fn is_new(&self, user: &UserId, created: Timestamp) -> bool {
        created >= self.back_to() && !self.known.contains(&digest(user))
    }

    /// Notes that all accounts from [`back_to`](Self::back_to) on were read, and these are they.
    pub fn take<'a>(
        &mut self,
        accounts: impl Iterator<Item = (&'a UserId, Timestamp)> + Clone,
        now: Timestamp,
    ) {
        // One that is dated ahead must not hide those that come until then.
        let newest = accounts.clone().map(|(_, at)| at.min(now)).max();
        if let Some(newest) = newest.filter(|newest| *newest > self.until) {
            self.until = newest;
            // They are read again as far as they matter.
            self.known.clear();
        }
        let back_to = self.back_to();
        let near = accounts.filter(|(_, at)| *at >= back_to);
        self.known.extend(near.map(|(user, _)| digest(user)));
    }
}

/// By this an account is known here.
fn digest(user: &UserId) -> String {
    let digest = Sha256::digest(user.as_str());
    HEXLOWER.encode(digest.get(..8).unwrap_or_default())
}

/// Where it is kept.
#[derive(Debug, Clone)]
pub struct NewAccountsShelf {
    shelf: Shelf<NewAccounts>,
    store: Store,
}

impl NewAccountsShelf {
    /// What is in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("new-accounts")?, store: store.clone() })
    }

    /// What was read; nothing where new accounts are not told.
    pub fn get(&self) -> Result<Option<NewAccounts>, store::Error> {
        self.shelf.get(KEY)
    }

    /// Keeps it, and returns when it is on disk.
    pub async fn keep(&self, state: &NewAccounts) -> Result<(), store::Error> {
        self.shelf.put(KEY, state)?;
        self.store.flush().await
    }

    /// Forgets all of it, and returns when that is on disk.
    pub async fn forget(&self) -> Result<(), store::Error> {
        self.shelf.remove(KEY)?;
        self.store.flush().await
    }
}
