//! Changes that end by themselves: an undo with a due time.
//!
//! What is kept here says what is to be taken back, when, and what must be found then. Whether it
//! is done is decided at that moment, by the gate and by the state that the homeserver shows, as
//! if the one who imposed it had typed the undo.

use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::{
    change::{FactMap, Subject},
    memory::Sanctioned,
    operators::Rank,
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
    pub left: FactMap,
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

    /// Whether a change that was made, and has left these facts, replaces it: it brought about something
    /// else, or the same, which then holds for as long as that change says.
    pub fn is_replaced_by(&self, left: &FactMap) -> bool {
        self.left.keys().any(|key| left.contains_key(key))
    }

    /// Whether a change to these facts would end it.
    pub fn is_ended_by(&self, facts: &FactMap) -> bool {
        self.left.iter().any(|(key, value)| facts.get(key).is_some_and(|now| now != value))
    }
}

impl From<&Sanction> for Sanctioned {
    fn from(sanction: &Sanction) -> Self {
        Self {
            id: sanction.number,
            until: sanction.until,
            by: sanction.by.clone(),
            command: crate::input::shown(&sanction.words),
            words: sanction.words.clone(),
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

/// Every sanction, by the number of its change and its subject: a change of many imposes many.
#[derive(Debug, Clone)]
pub struct Sanctions {
    shelf: Shelf<Sanction>,
    /// Those that are to be lifted, by their subject: the key on the shelf.
    on: Shelf<String>,
    /// Those that are being lifted, or were and nobody was told yet: the numbers of their changes.
    lifting: Shelf<u64>,
    store: Store,
}

impl Sanctions {
    /// The sanctions in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        let shelf: Shelf<Sanction> = store.shelf("sanctions")?;
        let on = store.shelf("sanctions-on")?;
        // Stores of before had one sanction to a number, and knew none by its subject.
        for (old, sanction) in shelf.all()? {
            let key = key(&sanction);
            if old != key {
                shelf.put(&key, &sanction)?;
                shelf.remove(&old)?;
            }
            if sanction.state.is_open() {
                on.put(&subject_key(&sanction), &key)?;
            }
        }
        let lifting = store.shelf("sanctions-lifting")?;
        Ok(Self { shelf, on, lifting, store: store.clone() })
    }

    /// Keeps a sanction, in place of what was kept of it, and returns when it is on disk.
    pub async fn keep(&self, sanction: &Sanction) -> Result<(), store::Error> {
        self.put(sanction)?;
        self.store.flush().await
    }

    /// The same, and returns before it is on disk.
    pub fn put(&self, sanction: &Sanction) -> Result<(), store::Error> {
        let key = key(sanction);
        self.shelf.put(&key, sanction)?;
        if sanction.state.is_open() {
            self.on.put(&subject_key(sanction), &key)
        } else {
            self.on.remove(&subject_key(sanction))
        }
    }

    /// What is kept now of this sanction.
    pub fn again(&self, sanction: &Sanction) -> Result<Option<Sanction>, store::Error> {
        self.shelf.get(&key(sanction))
    }

    /// Notes that these are about to be lifted, and returns when that is on disk.
    pub async fn note_lifting(&self, sanctions: &[Sanction]) -> Result<(), store::Error> {
        for sanction in sanctions {
            self.lifting.put(&key(sanction), &sanction.number)?;
        }
        self.store.flush().await
    }

    /// Those that were about to be lifted and of which it was not told what came of that, as they are now.
    pub fn untold(&self) -> Result<Vec<Sanction>, store::Error> {
        let mut untold = Vec::new();
        for (key, _) in self.lifting.all()? {
            untold.extend(self.shelf.get(&key)?);
        }
        Ok(untold)
    }

    /// Notes that it was told what came of these, and returns when that is on disk.
    pub async fn note_told(&self, sanctions: &[Sanction]) -> Result<(), store::Error> {
        for sanction in sanctions {
            self.lifting.remove(&key(sanction))?;
        }
        self.store.flush().await
    }

    /// The sanctions that the change with this number imposed.
    pub fn of(&self, number: u64) -> Result<Vec<Sanction>, store::Error> {
        let mut of = self.shelf.last_under(&format!("{number:016x}\n"), usize::MAX)?;
        of.reverse();
        Ok(of.into_iter().map(|(_, sanction)| sanction).collect())
    }

    /// Those that are still to be lifted, the next one first.
    pub fn open(&self) -> Result<Vec<Sanction>, store::Error> {
        let mut open = Vec::new();
        for (_, key) in self.on.all()? {
            open.extend(self.shelf.get(&key)?);
        }
        open.retain(|sanction: &Sanction| sanction.state.is_open());
        open.sort_by_key(|sanction| (sanction.until, sanction.number));
        Ok(open)
    }

    /// Those that have not ended, whether they are still to be lifted or were left to the operators, the
    /// first imposed first.
    pub fn not_ended(&self) -> Result<Vec<Sanction>, store::Error> {
        let mut all: Vec<Sanction> =
            self.shelf.all()?.into_iter().map(|(_, sanction)| sanction).collect();
        all.retain(|sanction| !matches!(sanction.state, State::Ended(_)));
        all.sort_by_key(|sanction| sanction.number);
        Ok(all)
    }

    /// Forgets those that have ended and were to end before `limit`: the record has them.
    pub fn forget_before(&self, limit: Timestamp) -> Result<(), store::Error> {
        for (key, sanction) in self.shelf.all()? {
            if matches!(sanction.state, State::Ended(_)) && sanction.until < limit {
                self.shelf.remove(&key)?;
            }
        }
        Ok(())
    }

    /// Those on `subject` that are still to be lifted, the next one first.
    pub fn on(&self, subject: &Subject) -> Result<Vec<Sanction>, store::Error> {
        let mut open = Vec::new();
        for (_, key) in self.on.last_under(&format!("{}\n", subject.key()), usize::MAX)? {
            open.extend(self.shelf.get(&key)?.filter(|s| s.subject == *subject));
        }
        open.retain(|sanction| sanction.state.is_open());
        open.sort_by_key(|sanction| (sanction.until, sanction.number));
        Ok(open)
    }
}

/// Numbers of equal length sort as they count.
fn key(sanction: &Sanction) -> String {
    format!("{:016x}\n{}", sanction.number, sanction.subject.key())
}

fn subject_key(sanction: &Sanction) -> String {
    format!("{}\n{:016x}", sanction.subject.key(), sanction.number)
}
