//! What operators note about somebody, for each other.

use jiff::Timestamp;
use ruma::{OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

use crate::{
    memory::Noted,
    reply::Hostile,
    store::{self, Shelf, Store},
};

/// One note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its number in the record.
    pub number: u64,
    /// Whom it is about; anybody, also of another server.
    pub about: OwnedUserId,
    /// Who wrote it.
    pub by: OwnedUserId,
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub text: Hostile,
}

impl From<Note> for Noted {
    fn from(note: Note) -> Self {
        Self { id: note.number, at: note.at, by: note.by, text: note.text }
    }
}

/// Every note, by whom it is about.
#[derive(Debug, Clone)]
pub struct Notes {
    shelf: Shelf<Note>,
    store: Store,
}

impl Notes {
    /// Forgets every note about these users, and returns when that is on disk.
    pub async fn forget<'a>(
        &self,
        users: impl Iterator<Item = &'a OwnedUserId>,
    ) -> Result<(), store::Error> {
        for user in users {
            for note in self.about(user, usize::MAX)? {
                self.shelf.remove(&key(&note.about, &format!("{:016x}", note.number)))?;
            }
        }
        self.store.flush().await
    }

    /// The notes in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("notes")?, store: store.clone() })
    }

    /// Keeps a note and returns when it is on disk.
    pub async fn keep(&self, note: &Note) -> Result<(), store::Error> {
        self.shelf.put(&key(&note.about, &format!("{:016x}", note.number)), note)?;
        self.store.flush().await
    }

    /// Whom the note with this number is about, if there is one.
    pub fn about_whom(&self, number: u64) -> Result<Option<OwnedUserId>, store::Error> {
        Ok(self.all()?.into_iter().find(|note| note.number == number).map(|note| note.about))
    }

    /// Forgets the note with this number, if there is one, and returns it when that is on disk.
    pub async fn remove(&self, number: u64) -> Result<Option<Note>, store::Error> {
        let Some(note) = self.all()?.into_iter().find(|note| note.number == number) else {
            return Ok(None);
        };
        self.shelf.remove(&key(&note.about, &format!("{number:016x}")))?;
        self.store.flush().await?;
        Ok(Some(note))
    }

    /// The notes about `user`, newest first, at most `limit`.
    pub fn about(&self, user: &UserId, limit: usize) -> Result<Vec<Note>, store::Error> {
        let notes = self.shelf.last_under(&key(user, ""), limit)?;
        Ok(notes.into_iter().map(|(_, note)| note).collect())
    }

    /// All notes, newest first.
    pub fn all(&self) -> Result<Vec<Note>, store::Error> {
        let mut notes: Vec<Note> = self.shelf.all()?.into_iter().map(|(_, note)| note).collect();
        notes.sort_by_key(|note| std::cmp::Reverse(note.number));
        Ok(notes)
    }
}

/// No user id has a line break in it.
fn key(user: &UserId, number: &str) -> String {
    format!("{user}\n{number}")
}
