//! Where a case stands.

use super::{Deserialize, OwnedUserId, Serialize, Timestamp};

/// Where a case stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody deals with it.
    New,
    /// Somebody deals with it: [`claimed`](super::Case::claimed).
    Claimed,
    /// It waits until then.
    Waiting {
        /// Who said so.
        by: OwnedUserId,
        /// Until when.
        until: Timestamp,
    },
    /// It is over.
    Closed {
        /// Who closed it.
        by: OwnedUserId,
        /// How it was closed.
        how: How,
        /// Why, in their words.
        reason: Option<String>,
    },
}

/// How a case was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was dealt with.
    DealtWith,
    /// There was nothing to deal with.
    Dismissed,
    /// Everything that it holds was set aside.
    SetAside,
}

impl State {
    /// Whether further reports about the same join it: where it is open, and where nothing of it counted.
    pub fn is_joined(&self) -> bool {
        self.is_open() || matches!(self, Self::Closed { how: How::SetAside, .. })
    }

    /// Whether somebody is still to deal with it.
    pub fn is_open(&self) -> bool {
        !matches!(self, Self::Closed { .. })
    }
}
