//! Changes that end by themselves: an undo with a due time.
//!
//! What is kept here says what is to be taken back, when, and what must be found then. Whether it
//! is done is decided at that moment, by the gate and by the state that the homeserver shows, as
//! if the one who imposed it had typed the undo.

use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::{
    change::{Binds, Subject},
    commands::Sanctioned,
    gate::Rank,
    store::{self, Shelf, Store},
};

/// A change that is to be taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sanction {
    /// The number of the change.
    pub number: u64,
    /// What it was done to.
    pub subject: Subject,
    /// The command, as understood.
    pub words: Vec<String>,
    /// The words of the command that takes it back.
    pub undo: Vec<String>,
    /// The state that it left.
    pub left: Binds,
    /// Who imposed it.
    pub by: OwnedUserId,
    /// Their role then: nobody below it ends the sanction early.
    pub role: Rank,
    /// Where it was asked for, and by which event.
    pub asked: (OwnedRoomId, OwnedEventId),
    /// When it ends.
    pub until: Timestamp,
    /// When it is tried next, where lifting it has failed.
    pub again: Option<Timestamp>,
    /// How often lifting it has failed.
    pub tries: u8,
    /// Where it stands.
    pub state: State,
}

impl Sanction {
    /// When it is to be lifted, or to be tried again.
    pub fn due(&self) -> Timestamp {
        self.again.map_or(self.until, |again| again.max(self.until))
    }

    /// Whether a change to these facts would end it.
    pub fn is_ended_by(&self, facts: &Binds) -> bool {
        self.left.iter().any(|(key, value)| facts.get(key).is_some_and(|now| now != value))
    }
}

impl From<&Sanction> for Sanctioned {
    fn from(sanction: &Sanction) -> Self {
        Self {
            id: sanction.number,
            until: sanction.until,
            by: sanction.by.clone(),
            command: crate::input::quote(&sanction.words),
        }
    }
}

/// Where a sanction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It holds.
    Running,
    /// It is due, and waits until the bot may act; the room was told.
    Waiting,
    /// The change with this number ended it.
    Ended(u64),
    /// It was due and could not be lifted; the room was told why.
    Stuck,
}

impl State {
    /// Whether it is still to be lifted.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Waiting)
    }
}

/// Every sanction, by the number of its change.
#[derive(Debug, Clone)]
pub struct Sanctions {
    shelf: Shelf<Sanction>,
    store: Store,
}

impl Sanctions {
    /// The sanctions in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("sanctions")?, store: store.clone() })
    }

    /// Keeps a sanction, in place of what was kept of it, and returns when it is on disk.
    pub async fn keep(&self, sanction: &Sanction) -> Result<(), store::Error> {
        self.shelf.put(&key(sanction.number), sanction)?;
        self.store.flush().await
    }

    /// The sanction that the change with this number imposed.
    pub fn get(&self, number: u64) -> Result<Option<Sanction>, store::Error> {
        self.shelf.get(&key(number))
    }

    /// Those that are still to be lifted, the next one first.
    pub fn open(&self) -> Result<Vec<Sanction>, store::Error> {
        let all = self.shelf.all()?.into_iter().map(|(_, sanction)| sanction);
        let mut open: Vec<Sanction> = all.filter(|sanction| sanction.state.is_open()).collect();
        open.sort_by_key(|sanction| (sanction.until, sanction.number));
        Ok(open)
    }

    /// Those on `subject` that are still to be lifted, the next one first.
    pub fn on(&self, subject: &Subject) -> Result<Vec<Sanction>, store::Error> {
        let open = self.open()?;
        Ok(open.into_iter().filter(|sanction| sanction.subject == *subject).collect())
    }
}

/// Keys of equal length sort as their numbers do.
fn key(number: u64) -> String {
    format!("{number:016x}")
}
