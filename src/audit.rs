//! The record: intent before the act, outcome after it, each chained to the one before.
//!
//! An entry of the chain holds when and what kind, and a salted digest of the record itself. The
//! record, which names people, lies beside it and can go while the chain still verifies.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use ruma::OwnedEventId;
use tokio::sync::Mutex;
use tracing::error;

use crate::{
    change::Subject,
    clock::SharedClock,
    error::Stop,
    memory::Past,
    reply::{Line, Status},
    store::{self, Shelf, Store},
};

mod chain;
mod changed;
mod export;
mod files;
mod forget;
mod mirror;
mod record;
mod restore;
#[cfg(test)]
mod tests;
mod way;

use chain::{digest_of, hash, zeros};
use mirror::Mirror;

pub(crate) use chain::Chain;
pub use chain::{Broken, Head, NotWhole, verify_lines};
pub use files::{Unread, joined};
pub use mirror::{Rotation, files_of};
pub use record::{Entry, Kept, Kind, Record};
pub use restore::{Links, Missing};
pub use way::Way;

/// Why something was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be written.
    #[error("the record cannot be written")]
    Store(#[from] store::Error),
    /// The same event has opened a change before.
    #[error("this message has already led to change number {0}")]
    AlreadyOpened(u64),
}

/// Whether the record is as it was written.
#[derive(Debug)]
pub enum Verified {
    /// It is, and ends here.
    Whole(Head),
    /// It is not, from here on.
    Broken(Broken),
}

impl Verified {
    /// Where it ends, if it is whole.
    pub fn whole(self) -> Option<Head> {
        match self {
            Self::Whole(head) => Some(head),
            Self::Broken(_) => None,
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => Self::Record(error),
            Error::AlreadyOpened(number) => Self::refused(
                Line::new()
                    .plain("this message has already led to a change; see ")
                    .command(format!("!audit show {number}")),
            ),
        }
    }
}

/// The record of one bot.
#[derive(Debug, Clone)]
pub struct Audit {
    entries: Shelf<Kept>,
    /// Numbers of changes that were opened and not closed.
    open: Shelf<u64>,
    /// Which event opened which change: an event opens one at most.
    opened: Shelf<u64>,
    /// The record that closes a change, by the change.
    closed: Shelf<u64>,
    /// The records of what the homeserver went on with, by the change and their own number, see
    /// [`end`].
    ends: Shelf<u64>,
    /// The change that took another back with success, by that other.
    undone: Shelf<u64>,
    /// Changes by what they are about, see [`about`].
    about: Shelf<u64>,
    /// Entries by whom they name, so that somebody's erasure finds them.
    mentions: Shelf<u64>,
    /// The entry that holds the record of another, without somebody who was erased, by that other.
    redacted: Shelf<u64>,
    /// Up to which number details have gone, under `upto`.
    forgotten: Shelf<u64>,
    /// The file beside the store, where there is one.
    mirror: Arc<Mutex<Option<Mirror>>>,
    store: Store,
    clock: SharedClock,
    /// Number and hash of the last entry. Held while one is appended.
    head: Arc<Mutex<(u64, String)>>,
    /// The number of the last entry that is on disk for certain.
    on_disk: Arc<AtomicU64>,
}

impl Audit {
    /// The record in `store`.
    pub fn new(store: &Store, clock: SharedClock) -> Result<Self, store::Error> {
        let audit = Self::looked_at(store, clock)?;
        audit.note_older_mentions()?;
        Ok(audit)
    }

    /// The same, only to be looked at.
    pub fn looked_at(store: &Store, clock: SharedClock) -> Result<Self, store::Error> {
        let entries: Shelf<Kept> = store.shelf("audit")?;
        let head = match entries.last(1)?.pop() {
            Some((_, last)) => (last.entry.seq, last.entry.hash),
            None => (0, zeros()),
        };
        Ok(Self {
            entries,
            open: store.shelf("audit-open")?,
            opened: store.shelf("audit-opened-by")?,
            closed: store.shelf("audit-closed-by")?,
            ends: store.shelf("audit-ends")?,
            undone: store.shelf("audit-undone-by")?,
            about: store.shelf("audit-about")?,
            mentions: store.shelf("audit-mentions")?,
            redacted: store.shelf("audit-redacted")?,
            forgotten: store.shelf("audit-forgotten")?,
            mirror: Arc::default(),
            store: store.clone(),
            clock,
            on_disk: Arc::new(AtomicU64::new(head.0)),
            head: Arc::new(Mutex::new(head)),
        })
    }

    /// Appends `record` and returns its number once it is on disk.
    pub async fn note(&self, record: Record) -> Result<u64, Error> {
        let seq = self.append(record).await?;
        self.to_disk(seq).await?;
        Ok(seq)
    }

    /// Returns when everything up to this number is on disk.
    async fn to_disk(&self, seq: u64) -> Result<(), store::Error> {
        self.store.flush().await?;
        self.on_disk.fetch_max(seq, Ordering::Release);
        Ok(())
    }

    /// Records that a change is about to be made and returns its number once that is on disk. An
    /// event that has opened one before opens none.
    pub async fn open(&self, record: Record) -> Result<u64, Error> {
        let event = record.event.clone();
        if let Some(event) = &event
            && let Some(before) = self.opened.get(event.as_str())?
        {
            return Err(Error::AlreadyOpened(before));
        }
        let subjects = record.subjects.clone();
        let seq = self.append(record).await?;
        for subject in &subjects {
            self.about.put(&about(&subject.key(), &key(seq)), &seq)?;
        }
        if let Some(event) = &event
            && !self.opened.put_new(event.as_str(), &seq)?
        {
            let before = self.opened.get(event.as_str())?.unwrap_or(seq);
            return Err(Error::AlreadyOpened(before));
        }
        self.open.put(&key(seq), &seq)?;
        self.to_disk(seq).await?;
        Ok(seq)
    }

    /// Records how the change `of` ended.
    pub async fn close(&self, of: u64, mut record: Record) -> Result<u64, Error> {
        record.of = Some(of);
        let undone = record.undoes.filter(|_| record.status == Some(Status::Done));
        // What takes back a part of it leaves the rest to be taken back.
        let undone = match undone {
            Some(number) if self.is_part(number, &record)? => None,
            undone => undone,
        };
        let seq = self.append(record).await?;
        self.closed.put(&key(of), &seq)?;
        if let Some(undone) = undone {
            self.undone.put(&key(undone), &of)?;
        }
        self.open.remove(&key(of))?;
        self.to_disk(seq).await?;
        Ok(seq)
    }

    /// Whether this takes back less than the change with this number did.
    fn is_part(&self, number: u64, record: &Record) -> Result<bool, store::Error> {
        let whole = self.closing(number)?.and_then(|kept| kept.record);
        Ok(whole.is_some_and(|whole| whole.subjects.len() > record.subjects.len()))
    }

    async fn append(&self, record: Record) -> Result<u64, store::Error> {
        let mut head = self.head.lock().await;
        let salt = self.clock.secret(32);
        let mut entry = Entry {
            seq: head.0 + 1,
            at: self.clock.now(),
            kind: if record.redacts.is_some() { Kind::Redacted } else { record.kind },
            digest: digest_of(&salt, &serde_json::to_string(&record)?),
            before: head.1.clone(),
            hash: String::new(),
        };
        let kind = serde_json::to_string(&entry.kind)?;
        let at = entry.at.to_string();
        entry.hash = hash(entry.seq, &at, &kind, &entry.digest, &entry.before);
        self.note_mentions(entry.seq, &record)?;
        self.note_end(entry.seq, &record)?;
        let kept = Kept { entry: entry.clone(), salt: Some(salt), record: Some(record) };
        self.entries.put(&key(entry.seq), &kept)?;
        *head = (entry.seq, entry.hash);
        self.catch_up().await;
        Ok(entry.seq)
    }

    /// Notes that this record is the end of what the homeserver went on with after a change.
    fn note_end(&self, seq: u64, record: &Record) -> Result<(), store::Error> {
        match record.of.filter(|_| record.kind == Kind::Ended) {
            Some(of) => self.ends.put(&end(of, Some(seq)), &seq),
            None => Ok(()),
        }
    }

    /// The number of the change that this event has opened.
    pub fn opened_by(&self, event: &OwnedEventId) -> Result<Option<u64>, store::Error> {
        self.opened.get(event.as_str())
    }

    /// The entry with this number. Where somebody was taken out of its record, what is left of it
    /// stands in its place.
    pub fn get(&self, seq: u64) -> Result<Option<Kept>, store::Error> {
        self.entries.get(&key(seq))?.map(|kept| self.with_what_is_left(kept)).transpose()
    }

    /// The entry with this number as it stands in the chain.
    fn link(&self, seq: u64) -> Result<Option<Kept>, store::Error> {
        self.entries.get(&key(seq))
    }

    fn with_what_is_left(&self, kept: Kept) -> Result<Kept, store::Error> {
        if kept.record.is_some() {
            return Ok(kept);
        }
        let Some(by) = self.redacted.get(&key(kept.entry.seq))? else { return Ok(kept) };
        let left = self.link(by)?.and_then(|left| left.record);
        let record = left.map(|record| Record { redacts: None, ..record });
        Ok(Kept { record, ..kept })
    }

    /// How the change `of` ended, if it did.
    pub fn closing(&self, of: u64) -> Result<Option<Kept>, store::Error> {
        self.closed.get(&key(of))?.map_or(Ok(None), |seq| self.get(seq))
    }

    /// How what the homeserver went on with after the change `of` ended, as far as it has; the last
    /// first.
    pub fn ends(&self, of: u64) -> Result<Vec<Kept>, store::Error> {
        let numbers = self.ends.last_under(&end(of, None), usize::MAX)?;
        let kept = numbers.into_iter().map(|(_, seq)| self.get(seq));
        kept.filter_map(Result::transpose).collect()
    }

    /// How the change `of` ended for `subject`: where the homeserver went on with it, as that did.
    fn status_of(&self, of: u64, subject: &Subject) -> Result<Option<Status>, store::Error> {
        let mut ends = self.ends(of)?.into_iter().filter_map(|kept| kept.record);
        let last = ends.find(|record| record.subjects.contains(subject));
        let record = match last {
            Some(last) => Some(last),
            None => self.closing(of)?.and_then(|kept| kept.record),
        };
        Ok(record.and_then(|record| record.status))
    }

    /// The change that took `of` back with success, if one did.
    pub fn undone_by(&self, of: u64) -> Result<Option<u64>, store::Error> {
        self.undone.get(&key(of))
    }

    /// What was done to `subject`, newest first, at most `limit`.
    pub fn past(&self, subject: &Subject, limit: usize) -> Result<Vec<Past>, store::Error> {
        let mut past = Vec::new();
        for (_, seq) in self.about.last_under(&about(&subject.key(), ""), limit)? {
            let Some(Kept { entry, record: Some(record), .. }) = self.get(seq)? else { continue };
            let Some(by) = record.by else { continue };
            past.push(Past {
                id: seq,
                at: entry.at,
                by,
                command: crate::input::shown(&record.words),
                words: record.words,
                status: self.status_of(seq, subject)?,
            });
        }
        Ok(past)
    }

    /// The last `count` entries, newest first.
    pub fn last(&self, count: usize) -> Result<Vec<Kept>, store::Error> {
        Ok(self.entries.last(count)?.into_iter().map(|(_, kept)| kept).collect())
    }

    /// The last `count` entries that are `wanted`, newest first. What is left of an earlier entry
    /// is that entry, and none of its own.
    pub fn last_where(
        &self,
        count: usize,
        mut wanted: impl FnMut(&Kept) -> bool,
    ) -> Result<Vec<Kept>, store::Error> {
        self.entries.last_where(count, |kept| {
            if kept.entry.kind == Kind::Redacted {
                return Ok(None);
            }
            let kept = self.with_what_is_left(kept)?;
            Ok(wanted(&kept).then_some(kept))
        })
    }

    /// The records since `begin` that have not gone, newest first.
    pub fn since(&self, begin: Timestamp) -> Result<Vec<Record>, store::Error> {
        let kept = self.entries.last_while(|kept| kept.entry.at >= begin)?;
        let own = kept.into_iter().filter(|kept| kept.entry.kind != Kind::Redacted);
        let left = own.map(|kept| Ok(self.with_what_is_left(kept)?.record));
        left.filter_map(Result::transpose).collect()
    }

    /// Whether the change `of` has ended.
    pub fn is_closed(&self, of: u64) -> Result<bool, store::Error> {
        Ok(self.closed.get(&key(of))?.is_some())
    }

    /// The changes that were opened and never closed, oldest first.
    pub fn left_open(&self) -> Result<Vec<(u64, Record)>, store::Error> {
        let mut left = Vec::new();
        for (_, seq) in self.open.all()? {
            if let Some(record) = self.get(seq)?.and_then(|kept| kept.record) {
                left.push((seq, record));
            }
        }
        Ok(left)
    }

    /// Walks the whole chain, and answers where it ends.
    pub fn verify(&self) -> Result<Verified, store::Error> {
        let mut chain = Chain::new();
        for seq in 1.. {
            let Some(kept) = self.link(seq)? else { break };
            if let Err(broken) = chain.push(&serde_json::to_string(&kept)?) {
                return Ok(Verified::Broken(broken));
            }
        }
        // What a hole hides is still the last.
        let last = self.last(1)?.pop().map_or(0, |kept| kept.entry.seq);
        if last != chain.head().count {
            let seq = chain.head().count + 1;
            return Ok(Verified::Broken(Broken { seq, what: "it is missing" }));
        }
        Ok(Verified::Whole(chain.head().clone()))
    }

    /// How many entries there are, and the hash of the last.
    pub async fn head(&self) -> Head {
        let head = self.head.lock().await;
        Head { count: head.0, hash: head.1.clone() }
    }

    /// The entries from number `begin` on that are on disk, as they stand in the chain, oldest first,
    /// at most `limit`. What a power cut can still take away is told to nobody: its number would be
    /// given once more.
    pub fn from(&self, begin: u64, limit: usize) -> Result<Vec<Kept>, store::Error> {
        let upto = self.on_disk.load(Ordering::Acquire);
        let entries = (begin..=upto).map(|seq| self.link(seq)).map(Result::transpose);
        entries.map_while(|kept| kept).take(limit).collect()
    }

    /// Appends every entry to the file at `path` too, beginning with those that it lacks. What
    /// cannot be written is logged and written with the next.
    pub async fn mirror(&self, path: &Path, rotation: Option<Rotation>) -> std::io::Result<()> {
        let head = self.head.lock().await;
        let kept = |seq| self.link(seq).map_err(std::io::Error::other);
        *self.mirror.lock().await = Some(Mirror::open(path, rotation, kept, self.clock.now())?);
        drop(head);
        self.catch_up().await;
        Ok(())
    }

    async fn catch_up(&self) {
        let mut mirror = self.mirror.lock().await;
        let Some(mirror) = mirror.as_mut() else { return };
        while let Ok(Some(kept)) = self.link(mirror.upto() + 1) {
            if let Err(error) = mirror.append(&kept) {
                let file = mirror.path().display();
                error!(%file, error = &error as &dyn std::error::Error, "the file of the record cannot be written");
                return;
            }
        }
    }
}

/// Keys of equal length sort as their numbers do.
fn key(seq: u64) -> String {
    format!("{seq:016x}")
}

/// Under which key the end of a change is found: all of one change begin with its own.
fn end(of: u64, seq: Option<u64>) -> String {
    format!("{}-{}", key(of), seq.map(key).unwrap_or_default())
}

/// The key of an entry in an index by what entries are about: no id has a line break in it.
fn about(subject: &str, key: &str) -> String {
    format!("{subject}\n{key}")
}
