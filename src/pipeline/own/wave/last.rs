//! The wave that each operator has looked at last: what `show A` is about.
//!
//! It is in memory alone. After a restart the new accounts are looked at again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedRoomId, OwnedUserId};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use super::group::Group;
use crate::pipeline::Invocation;

/// How long a group can be shown by its letter.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// How many waves are remembered.
const MOST: usize = 20;

/// New accounts, as they were at a moment.
#[derive(Debug)]
pub(super) struct Wave {
    /// When they were looked at.
    pub(super) at: Timestamp,
    /// Since when they were created.
    pub(super) since: Timestamp,
    /// Whether their addresses and clients were looked at.
    pub(super) private: bool,
    /// How many were looked at.
    pub(super) accounts: usize,
    /// Whether there are more.
    pub(super) more: bool,
    /// How many are taken out by operators.
    pub(super) kept: usize,
    /// How many the role of whoever asks does not reach.
    pub(super) unreached: usize,
    /// How many belong to bridges.
    pub(super) bridged: usize,
    /// When those were created that belong to bridges or are taken out by operators.
    pub(super) left_out: Vec<Timestamp>,
    /// How many could not be looked up.
    pub(super) unread: usize,
    /// How many are in no group.
    pub(super) alone: usize,
    /// Whether all reports of that time could be read.
    pub(super) reports_read: bool,
    /// The groups, the largest first.
    pub(super) groups: Vec<Found>,
}

impl Wave {
    /// One of which nothing is known yet.
    pub(super) fn begun(at: Timestamp, since: Timestamp, private: bool) -> Self {
        let (groups, left_out) = Default::default();
        let (accounts, kept, unreached, bridged, unread, alone) = (0, 0, 0, 0, 0, 0);
        let (more, reports_read) = (false, true);
        Self {
            at,
            since,
            private,
            accounts,
            more,
            kept,
            unreached,
            bridged,
            left_out,
            unread,
            alone,
            reports_read,
            groups,
        }
    }
}

/// A group of it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) group: Group,
    /// What its accounts have done, where that is counted.
    pub(super) counts: Option<Counts>,
}

/// What accounts have done.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// How many accounts were counted.
    pub(super) of: usize,
    /// How many invitations they have sent.
    pub(super) invites: u64,
    /// How many rooms they have joined.
    pub(super) joins: u64,
    /// In which time.
    pub(super) within: SignedDuration,
}

/// Whose wave it is, and in which room it was shown.
type Key = (OwnedUserId, OwnedRoomId);

/// The waves that were looked at last.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Waves {
    last: Mutex<BTreeMap<Key, Arc<Wave>>>,
    /// Thousands of requests are made for one, so that it is one after the other.
    turn: Arc<Turn<()>>,
}

impl Waves {
    /// The turn of one who looks.
    pub(super) async fn turn(&self) -> OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }

    /// Remembers what was shown to whoever asked.
    pub(super) fn remember(&self, invocation: &Invocation<'_>, wave: Arc<Wave>) {
        let mut last = self.last();
        last.insert(key(invocation), wave);
        if last.len() > MOST {
            let oldest = last.iter().min_by_key(|(_, wave)| wave.at).map(|(key, _)| key.clone());
            oldest.and_then(|key| last.remove(&key));
        }
    }

    /// What was shown last to whoever asks, here and of late.
    pub(super) fn last_shown(
        &self,
        invocation: &Invocation<'_>,
        now: Timestamp,
    ) -> Option<Arc<Wave>> {
        let wave = self.last().get(&key(invocation)).cloned();
        wave.filter(|wave| now.duration_since(wave.at) <= REMEMBERED)
    }

    fn last(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Wave>>> {
        // Nothing is left half done in it.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(invocation: &Invocation<'_>) -> Key {
    (invocation.operator.user.clone(), invocation.origin.room().clone())
}

/// The letters by which a group is called: A to Z, then AA.
pub(super) fn letters(place: usize) -> String {
    let mut rest = place;
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or_default()));
        if rest < 26 {
            break;
        }
        rest = rest / 26 - 1;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::letters;

    #[test]
    fn groups_are_called_by_letters() {
        let called = [0, 1, 25, 26, 51, 52, 701, 702].map(letters);
        assert_eq!(called, ["A", "B", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
    }
}
