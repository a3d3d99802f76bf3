//! What must survive: the only file that names sled.
//!
//! Records are JSON in an envelope with a version, in named [`Shelf`]s. A write is durable once
//! [`Store::flush`] has returned; whoever is about to change something flushes first.

use std::{
    any::Any,
    fmt,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Memory that sled may use for its page cache, bytes. Its own default is a gibibyte.
const CACHE_BYTES: u64 = 4 << 20;

/// How often, and how long apart, it is tried to open a store that something else still holds: what
/// was closed in this process lets go of it a moment later.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// The version that new records are written in.
const VERSION: u8 = 1;

/// Why something could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database said no.
    #[error("the store cannot be read or written")]
    Sled(#[from] sled::Error),
    /// The database gave up in a way that it does not report.
    #[error("the store broke: {0}")]
    Broken(String),
    /// A record is not what was expected, or was written by a later version of Synod.
    #[error("a record in the store cannot be understood")]
    Record(#[from] serde_json::Error),
    /// A record was written by a later version of Synod.
    #[error("a record in the store was written by a later version of Synod (record version {0})")]
    Later(u8),
    /// The folder of the store cannot be used.
    #[error("the folder of the store cannot be used")]
    Folder(#[from] std::io::Error),
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
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// What opening the store came to.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Where a store that would not open was moved to, so that the room can be told.
    pub moved_aside: Option<PathBuf>,
    /// Whether nothing is in it that an earlier run left.
    pub new: bool,
}

impl Store {
    /// Opens the store in the folder `dir`, making it where there is none.
    ///
    /// One that will not open is moved aside, beside `dir`, and an empty one takes its place. One
    /// that something else holds is waited for, and never moved. Blocks the thread.
    pub fn open(dir: &Path, now: jiff::Timestamp) -> Result<Opened, Error> {
        match Self::try_open(dir) {
            Ok(store) => Ok(store.opened(None)),
            Err(first) if first.is_held() => Err(first),
            Err(first) => {
                tracing::error!(error = &first as &dyn std::error::Error, "store will not open");
                // A kill in the middle of a snapshot leaves an unfinished file behind that alone
                // can keep sled from opening.
                if Self::drop_unfinished_snapshots(dir)?
                    && let Ok(store) = Self::try_open(dir)
                {
                    return Ok(store.opened(None));
                }
                let aside = dir.with_extension(format!("broken-{}", now.as_second()));
                std::fs::rename(dir, &aside)?;
                Ok(Self::try_open(dir)?.opened(Some(aside)))
            }
        }
    }

    fn opened(self, moved_aside: Option<PathBuf>) -> Opened {
        let new = !self.db.was_recovered();
        Opened { store: self, moved_aside, new }
    }

    fn try_open(dir: &Path) -> Result<Self, Error> {
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(Some(500));
        let mut tries = 0;
        loop {
            match guard(|| config.open()) {
                Err(held) if held.is_held() && tries < TRIES => std::thread::sleep(PAUSE),
                opened => return Ok(Self { db: opened? }),
            }
            tries += 1;
        }
    }

    fn drop_unfinished_snapshots(dir: &Path) -> Result<bool, Error> {
        let mut any = false;
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "generating") {
                std::fs::remove_file(path)?;
                any = true;
            }
        }
        Ok(any)
    }

    /// The shelf called `name`. Its records are of one type.
    pub fn shelf<T>(&self, name: &'static str) -> Result<Shelf<T>, Error> {
        let tree = guard(|| self.db.open_tree(name))?;
        Ok(Shelf { tree, record: PhantomData })
    }

    /// Returns when everything written so far is on disk.
    pub async fn flush(&self) -> Result<(), Error> {
        self.db.flush_async().await?;
        Ok(())
    }
}

/// Records of one type by their key, in the order of the keys' bytes.
pub struct Shelf<T> {
    tree: sled::Tree,
    record: PhantomData<fn() -> T>,
}

impl<T> Clone for Shelf<T> {
    fn clone(&self) -> Self {
        Self { tree: self.tree.clone(), record: PhantomData }
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
        guard(|| self.tree.insert(key, bytes))?;
        Ok(())
    }

    /// Keeps `record` under `key` if there is none; true if it was kept.
    pub fn put_new(&self, key: &str, record: &T) -> Result<bool, Error> {
        let bytes = pack(record)?;
        let swapped = guard(|| self.tree.compare_and_swap(key, None::<&[u8]>, Some(bytes)))?;
        Ok(swapped.is_ok())
    }

    /// Keeps `new` under `key` if `old` is there; true if it was kept.
    pub fn swap(&self, key: &str, old: &T, new: &T) -> Result<bool, Error> {
        let (old, new) = (pack(old)?, pack(new)?);
        let swapped = guard(|| self.tree.compare_and_swap(key, Some(old), Some(new)))?;
        Ok(swapped.is_ok())
    }

    /// Forgets the record under `key`.
    pub fn remove(&self, key: &str) -> Result<(), Error> {
        guard(|| self.tree.remove(key))?;
        Ok(())
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

    /// The last `count` of the records that are `wanted`, last key first. Reads no further back
    /// than it takes to find them.
    pub fn last_where(
        &self,
        count: usize,
        mut wanted: impl FnMut(&T) -> bool,
    ) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        let mut entries = self.tree.iter().rev();
        while found.len() < count {
            let Some((_, bytes)) = guard(|| entries.next().transpose())? else { break };
            let record = unpack(&bytes)?;
            if wanted(&record) {
                found.push(record);
            }
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
mod tests {
    use super::*;

    fn open(dir: &Path) -> Opened {
        Store::open(dir, jiff::Timestamp::UNIX_EPOCH).unwrap()
    }

    #[tokio::test]
    async fn records_survive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        {
            let opened = open(&path);
            assert!(opened.new);
            let shelf = opened.store.shelf::<u32>("numbers").unwrap();
            assert!(shelf.put_new("a", &1).unwrap());
            assert!(!shelf.put_new("a", &2).unwrap());
            assert!(shelf.swap("a", &1, &3).unwrap());
            assert!(!shelf.swap("a", &1, &4).unwrap());
            shelf.put("b", &5).unwrap();
            opened.store.flush().await.unwrap();
        }
        let opened = open(&path);
        assert!(!opened.new);
        let shelf = opened.store.shelf::<u32>("numbers").unwrap();
        assert_eq!(shelf.all().unwrap(), [("a".to_owned(), 3), ("b".to_owned(), 5)]);
        assert_eq!(shelf.last(1).unwrap(), [("b".to_owned(), 5)]);
        assert_eq!(shelf.last_where(9, |number| *number < 5).unwrap(), [3]);
        assert_eq!(shelf.last_under("a", 9).unwrap(), [("a".to_owned(), 3)]);
    }

    #[test]
    fn a_store_that_something_else_holds_is_waited_for_and_never_moved() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let opened = open(&path);
        let held = opened.store.shelf::<u32>("numbers").unwrap();
        assert!(held.put_new("a", &1).unwrap());
        let at_the_same_time = Store::open(&path, jiff::Timestamp::UNIX_EPOCH);
        assert!(at_the_same_time.is_err_and(|error| error.is_held()));
        let entries = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(entries, 1, "nothing was moved");
        let second = std::thread::spawn(move || open(&path));
        drop((opened, held));
        let opened = second.join().unwrap();
        assert!(!opened.new && opened.moved_aside.is_none());
        assert_eq!(opened.store.shelf::<u32>("numbers").unwrap().get("a").unwrap(), Some(1));
    }

    #[test]
    fn a_store_that_will_not_open_is_moved_aside_and_said_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("conf"), b"\xff\xffnot a configuration of sled").unwrap();
        let opened = open(&path);
        let aside = opened.moved_aside.expect("it says where the old one went");
        assert!(aside.join("conf").exists());
        assert!(opened.store.shelf::<u32>("numbers").unwrap().put_new("a", &1).unwrap());
    }

    #[test]
    fn a_record_of_a_later_version_is_refused_and_not_guessed_at() {
        let dir = tempfile::tempdir().unwrap();
        let opened = open(&dir.path().join("store"));
        let tree = opened.store.db.open_tree("numbers").unwrap();
        tree.insert("a", r#"{"v":2,"d":1}"#).unwrap();
        let shelf = opened.store.shelf::<u32>("numbers").unwrap();
        assert!(matches!(shelf.get("a"), Err(Error::Later(2))));
    }
}
