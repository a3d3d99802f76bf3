//! What must survive: the only module that names sled.
//!
//! Records are JSON in an envelope with a version, in named [`Shelf`]s. A write is durable once
//! [`Store::flush`] has returned; whoever is about to change something flushes first.

use std::{
    any::Any,
    fmt,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use disk::Disk;

pub(crate) mod advice;
mod compact;
mod disk;
mod import;
mod open;
mod raw;
mod repair;
mod single;
mod version;

pub use compact::Compacted;
pub use import::Importing;
pub use open::Opened;
pub use raw::{Contents, RawRecord};
pub use single::Single;
pub use version::STATE_VERSION;

/// The version that new records are written in.
const VERSION: u8 = 1;

/// Why something could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database said no.
    #[error("the store cannot be read or written")]
    Sled(#[from] sled::Error),
    /// The database gave up in a way that it does not report.
    #[error("the store failed: {0}")]
    Broken(String),
    /// A record is not what was expected, or was written by a later version of Synod.
    #[error("an entry in the store cannot be read")]
    Record(#[from] serde_json::Error),
    /// A record was written by a later version of Synod.
    #[error("an entry in the store was written by a later version of Synod (record version {0})")]
    Later(u8),
    /// The folder of the store cannot be used. Nothing in it is given up.
    #[error("{}: {source}; {}", folder.display(), advice::on(source))]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The store was written by another version of sled.
    #[error(
        "{} was written by another version of Synod ({what}); start that version again",
        folder.display()
    )]
    OtherVersion {
        /// The folder.
        folder: PathBuf,
        /// What sled says of it.
        what: String,
    },
    /// The state was written by a later version of Synod.
    #[error(
        "{} was written by a later version of Synod{by}: its state has version {version}, and this \
        binary knows {STATE_VERSION}; start the later version again, or restore a copy from before \
        the upgrade",
        folder.display()
    )]
    LaterState {
        /// The folder.
        folder: PathBuf,
        /// Its version.
        version: u32,
        /// Which release wrote it, in brackets, where that is known.
        by: String,
    },
    /// There is no store.
    #[error("there is no store in {}", folder.display())]
    Missing {
        /// Where it should be.
        folder: PathBuf,
    },
    /// What was copied is not what was to be copied.
    #[error("the copy differs; the original store is in {}", folder.display())]
    NotTheSame {
        /// Where the one is that counts.
        folder: PathBuf,
    },
    /// What was written did not get on disk.
    #[error("the last writes to the store may not be on disk; restart the bot")]
    NotOnDisk(#[source] Arc<std::io::Error>),
}

impl Error {
    /// Whether something else has the store open.
    fn is_held(&self) -> bool {
        // sled has no kind for that, only these words.
        matches!(self, Self::Sled(sled::Error::Io(error))
            if error.to_string().starts_with("could not acquire lock"))
    }
}

/// The store of one bot.
#[derive(Clone)]
pub struct Store {
    db: sled::Db,
    disk: Arc<Disk>,
    writes: Writes,
}

/// Held while something is written, and by whoever wants nothing to be written.
type Writes = Arc<RwLock<()>>;

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// The shelf called `name`. Its records are of one type.
    pub fn shelf<T>(&self, name: &'static str) -> Result<Shelf<T>, Error> {
        let tree = guard(|| self.db.open_tree(name))?;
        Ok(Shelf { tree, writes: self.writes.clone(), record: PhantomData })
    }

    /// Looks at all shelves as they are at one moment: nothing is written meanwhile.
    ///
    /// What is found is what a crash at that moment would have left, which every start can go on with.
    pub fn at_one_moment<R>(&self, look: impl FnOnce() -> R) -> R {
        let _nobody_writes = self.writes.write().unwrap_or_else(PoisonError::into_inner);
        look()
    }

    /// What the files of the store take of the disk, bytes.
    pub fn size(&self) -> Result<u64, Error> {
        guard(|| self.db.size_on_disk())
    }

    /// Whether what is written now would be kept. The store itself is not written for it: what fails in
    /// it fails until the next start.
    pub async fn ensure_writable(&self) -> Result<(), Error> {
        self.flush().await?;
        let disk = self.disk.clone();
        let tried = tokio::task::spawn_blocking(move || disk.try_to_write()).await;
        let tried = tried.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        tried.map_err(|error| Error::NotOnDisk(Arc::new(error)))
    }

    /// Returns when everything written so far is on disk, and a power cut cannot take it away.
    ///
    /// Those that wait at the same time wait for the same.
    pub async fn flush(&self) -> Result<(), Error> {
        self.disk.flush().await
    }
}

/// Records of one type by their key, in the order of the keys' bytes.
pub struct Shelf<T> {
    tree: sled::Tree,
    writes: Writes,
    record: PhantomData<fn() -> T>,
}

impl<T> Clone for Shelf<T> {
    fn clone(&self) -> Self {
        Self { tree: self.tree.clone(), writes: self.writes.clone(), record: PhantomData }
    }
}

impl<T> fmt::Debug for Shelf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").finish_non_exhaustive()
    }
}

/// The envelope of a record.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    v: u8,
    d: T,
}

impl<T: Serialize + DeserializeOwned> Shelf<T> {
    /// The record under `key`.
    pub fn get(&self, key: &str) -> Result<Option<T>, Error> {
        guard(|| self.tree.get(key))?.map(|bytes| unpack(&bytes)).transpose()
    }

    /// Keeps `record` under `key`, in place of what was there.
    pub fn put(&self, key: &str, record: &T) -> Result<(), Error> {
        let bytes = pack(record)?;
        let _writing = self.writing();
        guard(|| self.tree.insert(key, bytes))?;
        Ok(())
    }

    /// Keeps `record` under `key` if there is none; true if it was kept.
    pub fn put_new(&self, key: &str, record: &T) -> Result<bool, Error> {
        let bytes = pack(record)?;
        let _writing = self.writing();
        let swapped = guard(|| self.tree.compare_and_swap(key, None::<&[u8]>, Some(bytes)))?;
        Ok(swapped.is_ok())
    }

    /// Keeps `new` under `key` if `old` is there; true if it was kept.
    pub fn swap(&self, key: &str, old: &T, new: &T) -> Result<bool, Error> {
        let (old, new) = (pack(old)?, pack(new)?);
        let _writing = self.writing();
        let swapped = guard(|| self.tree.compare_and_swap(key, Some(old), Some(new)))?;
        Ok(swapped.is_ok())
    }

    /// Forgets the record under `key`.
    pub fn remove(&self, key: &str) -> Result<(), Error> {
        let _writing = self.writing();
        guard(|| self.tree.remove(key))?;
        Ok(())
    }

    fn writing(&self) -> RwLockReadGuard<'_, ()> {
        self.writes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// All records with their keys, in the order of the keys.
    pub fn all(&self) -> Result<Vec<(String, T)>, Error> {
        collect(self.tree.iter(), usize::MAX)
    }

    /// The last `count` of the records whose keys begin with `prefix`, last key first.
    pub fn last_under(&self, prefix: &str, count: usize) -> Result<Vec<(String, T)>, Error> {
        collect(self.tree.scan_prefix(prefix).rev(), count)
    }

    /// The records from the last key back to the first that is not `wanted`.
    pub fn last_while(&self, mut wanted: impl FnMut(&T) -> bool) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        let mut entries = self.tree.iter().rev();
        while let Some((_, bytes)) = guard(|| entries.next().transpose())? {
            let record = unpack(&bytes)?;
            if !wanted(&record) {
                break;
            }
            found.push(record);
        }
        Ok(found)
    }

    /// The last `count` of those that `wanted` makes of the records, last key first; of a record that
    /// is not wanted it makes nothing. Reads no further back than it takes to find them.
    pub fn last_where(
        &self,
        count: usize,
        mut wanted: impl FnMut(T) -> Result<Option<T>, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        let mut entries = self.tree.iter().rev();
        while found.len() < count {
            let Some((_, bytes)) = guard(|| entries.next().transpose())? else { break };
            found.extend(wanted(unpack(&bytes)?)?);
        }
        Ok(found)
    }

    /// The last `count` records with their keys, last key first.
    pub fn last(&self, count: usize) -> Result<Vec<(String, T)>, Error> {
        collect(self.tree.iter().rev(), count)
    }
}

fn collect<T: DeserializeOwned>(
    entries: impl Iterator<Item = sled::Result<(sled::IVec, sled::IVec)>>,
    count: usize,
) -> Result<Vec<(String, T)>, Error> {
    let entries = guard(|| entries.take(count).collect::<sled::Result<Vec<_>>>())?;
    entries
        .into_iter()
        .map(|(key, bytes)| Ok((String::from_utf8_lossy(&key).into_owned(), unpack(&bytes)?)))
        .collect()
}

fn pack<T: Serialize>(record: &T) -> Result<Vec<u8>, Error> {
    Ok(serde_json::to_vec(&Envelope { v: VERSION, d: record })?)
}

fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Version {
        v: u8,
    }
    let Version { v } = serde_json::from_slice(bytes)?;
    if v > VERSION {
        return Err(Error::Later(v));
    }
    Ok(serde_json::from_slice::<Envelope<T>>(bytes)?.d)
}

/// Runs a call of sled, which on damaged files sometimes panics instead of returning an error.
fn guard<R>(call: impl FnOnce() -> sled::Result<R>) -> Result<R, Error> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => Ok(result?),
        Err(panic) => Err(Error::Broken(panic_text(panic.as_ref()))),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no reason given".to_owned())
}

#[cfg(test)]
mod tests;
