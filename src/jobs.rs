//! Changes of many subjects: what is done to each, one after the other, and how far it is.
//!
//! A job is what somebody has said yes to: the list as it was shown, which nothing adds to. What is
//! kept here outlives a crash. A subject is marked before its first request is sent and again when
//! its outcome is known, so that after a crash three things can be told apart: not begun, begun and
//! not known, over.

use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use crate::{
    change::{FactMap, Subject, Undo},
    reply::Status,
    store::{self, Shelf, Store},
};

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// What it is kept under; jobs sort by it as they were begun.
    pub id: String,
    /// The code of the question that was answered with yes.
    pub code: String,
    /// The number of its change on record; absent until that is opened.
    pub number: Option<u64>,
    /// Who asked for it.
    pub asker: OwnedUserId,
    /// Where, and by which event yes was said.
    pub asked: (OwnedRoomId, OwnedEventId),
    /// The command as understood.
    pub words: Vec<String>,
    /// How many subjects it is about.
    pub total: usize,
    /// SHA-256 over the ids of the subjects in order, each with a line break, hexadecimal.
    pub list: String,
    /// When it was begun.
    pub begun: Timestamp,
    /// When what it does is to be taken back by itself.
    pub until: Option<Timestamp>,
    /// The message that shows how far it is.
    pub message: Option<OwnedEventId>,
    /// Where it stands.
    pub state: State,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It goes on, now or when the bot may act again.
    Running,
    /// Somebody has stopped it: what is in hand is finished, the rest is not begun.
    Stopping(OwnedUserId),
    /// Over, at this moment.
    Over(Timestamp),
}

/// One subject of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Which.
    pub subject: Subject,
    /// The facts that bind, as they were when the question was put.
    #[serde(rename = "binds")]
    pub preconditions: FactMap,
    /// How far it is.
    pub stage: Stage,
}

/// How far one subject of a job is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing was sent for it.
    Waiting,
    /// It is in hand. What can be sent twice without harm may have been sent for it.
    Begun,
    /// What cannot be sent twice without harm may have been sent for it.
    Sent,
    /// Everything was sent, and the homeserver goes on with it, by this id; what is known so far.
    Goes(String, Ended),
    /// It is over.
    Over(Ended),
}

/// What became of one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// The first word.
    #[serde(rename = "word")]
    pub status: Status,
    /// The outcome, as plain text.
    pub what: String,
    /// The requests that were sent, as the record has them.
    pub requests: Vec<String>,
    /// The state that it left, of what it was about.
    pub left: FactMap,
    /// How to take it back.
    pub undo: Undo,
    /// Whether it was somebody's erasure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

/// Every job.
#[derive(Debug, Clone)]
pub struct Jobs {
    kept: Shelf<Job>,
    items: Shelf<Item>,
    store: Store,
}

impl Jobs {
    /// The jobs in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self {
            kept: store.shelf("jobs")?,
            items: store.shelf("job-items")?,
            store: store.clone(),
        })
    }

    /// Keeps a new job with its items, and returns when both are on disk.
    pub async fn begin(&self, job: &Job, items: &[Item]) -> Result<(), store::Error> {
        for (place, item) in items.iter().enumerate() {
            self.items.put(&key(&job.id, place), item)?;
        }
        self.keep(job).await
    }

    /// Writes the present state of a job, and returns when it is on disk.
    pub async fn keep(&self, job: &Job) -> Result<(), store::Error> {
        self.kept.put(&job.id, job)?;
        self.store.flush().await
    }

    /// The job that is kept under `id`.
    pub fn get(&self, id: &str) -> Result<Option<Job>, store::Error> {
        self.kept.get(id)
    }

    /// All jobs that are remembered, the first begun first.
    pub fn all(&self) -> Result<Vec<Job>, store::Error> {
        Ok(self.kept.all()?.into_iter().map(|(_, job)| job).collect())
    }

    /// Those that are not over.
    pub fn open(&self) -> Result<Vec<Job>, store::Error> {
        let mut jobs = self.all()?;
        jobs.retain(|job| !matches!(job.state, State::Over(_)));
        Ok(jobs)
    }

    /// The job whose change has this number.
    pub fn numbered(&self, number: u64) -> Result<Option<Job>, store::Error> {
        Ok(self.all()?.into_iter().find(|job| job.number == Some(number)))
    }

    /// The subjects of a job, in the order of its list.
    pub fn items(&self, id: &str) -> Result<Vec<Item>, store::Error> {
        let mut items = self.items.last_under(&format!("{id}/"), usize::MAX)?;
        items.reverse();
        Ok(items.into_iter().map(|(_, item)| item).collect())
    }

    /// Notes how far one subject is. It is on disk after the next [`flush`](Self::flush).
    pub fn put(&self, id: &str, place: usize, item: &Item) -> Result<(), store::Error> {
        self.items.put(&key(id, place), item)
    }

    /// Returns when everything noted so far is on disk.
    pub async fn flush(&self) -> Result<(), store::Error> {
        self.store.flush().await
    }

    /// Forgets a job and its items.
    pub fn forget(&self, job: &Job) -> Result<(), store::Error> {
        for place in 0..job.total {
            self.items.remove(&key(&job.id, place))?;
        }
        self.kept.remove(&job.id)
    }
}

/// Places of equal length sort as they count.
fn key(id: &str, place: usize) -> String {
    format!("{id}/{place:08}")
}
