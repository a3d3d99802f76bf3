//! What a setup notes of its way, so that one that was cut off goes on where it was, and the next
//! doubles nothing.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

use super::cannot;
use crate::{finding::Finding, matrix::files};

/// The notes, in the folder of the state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Notes {
    /// Accounts that were made here, noted before each was.
    #[serde(default)]
    accounts: BTreeSet<OwnedUserId>,
    /// The admin room that was made here.
    #[serde(default)]
    room: Option<OwnedRoomId>,
    /// The admin whose login makes the account of the admin token, until it is ended.
    #[serde(default)]
    visitor: Option<OwnedUserId>,
    /// Whether there was neither a config nor a store when it began.
    #[serde(default)]
    pub(super) is_fresh: bool,
    /// Whether all was made once.
    #[serde(default)]
    pub(super) is_done: bool,
    #[serde(skip)]
    file: PathBuf,
}

impl Notes {
    /// The notes in this state.
    pub(super) fn read(state: &Path) -> Result<Self, Finding> {
        let file = state.join("setup.json");
        let bytes = files::read(&file).map_err(|error| cannot(&error))?;
        let notes: Self =
            bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Ok(Self { file, ..notes })
    }

    /// Takes it as fresh where nothing was noted before.
    pub(super) fn begin(&mut self, is_fresh: bool) {
        if self.accounts.is_empty() && self.room.is_none() && !self.is_done {
            self.is_fresh = is_fresh;
        }
    }

    /// Whether this account was made here.
    pub(super) fn has_made(&self, account: &UserId) -> bool {
        self.accounts.contains(account)
    }

    /// Notes that this account is made now.
    pub(super) fn makes(&mut self, account: &UserId) -> Result<(), Finding> {
        self.accounts.insert(account.to_owned());
        self.write()
    }

    /// Notes that the login of this admin is open.
    pub(super) fn visited_by(&mut self, user: &UserId) -> Result<(), Finding> {
        self.visitor = Some(user.to_owned());
        self.write()
    }

    /// Whose login may be open still.
    pub(super) fn visitor(&self) -> Option<&OwnedUserId> {
        self.visitor.as_ref()
    }

    /// Notes that no login is open.
    pub(super) fn is_left(&mut self) -> Result<(), Finding> {
        self.visitor = None;
        self.write()
    }

    /// The room that was made here.
    pub(super) fn room(&self) -> Option<&OwnedRoomId> {
        self.room.as_ref()
    }

    /// Notes that this room was made.
    pub(super) fn has_room(&mut self, room: &OwnedRoomId) -> Result<(), Finding> {
        self.room = Some(room.clone());
        self.write()
    }

    /// Notes that all is made.
    pub(super) fn done(&mut self) -> Result<(), Finding> {
        self.is_done = true;
        self.write()
    }

    fn write(&self) -> Result<(), Finding> {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        files::write(&self.file, &bytes).map_err(|error| cannot(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_there_at_the_next_time() {
        let dir = tempfile::tempdir().unwrap();
        let mut notes = Notes::read(dir.path()).unwrap();
        let bot = ruma::user_id!("@synod:x");
        assert!(!notes.has_made(bot) && !notes.is_done && notes.room().is_none());
        notes.makes(bot).unwrap();
        notes.visited_by(bot).unwrap();
        assert_eq!(Notes::read(dir.path()).unwrap().visitor().unwrap(), bot);
        notes.is_left().unwrap();
        notes.has_room(&ruma::room_id!("!r").to_owned()).unwrap();
        notes.done().unwrap();
        let again = Notes::read(dir.path()).unwrap();
        assert!(again.has_made(bot) && again.is_done && again.visitor().is_none());
        assert!(!again.has_made(ruma::user_id!("@synod:y")));
        assert_eq!(again.room().unwrap(), "!r");
    }
}
