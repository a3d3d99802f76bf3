//! A store made of what was kept of another one elsewhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{Error, Store, disk, open::unusable, raw::RawRecord, repair};

/// Says of a store that it was made so, until the bot has found out what it does not know.
const IMPORTED: &str = "imported";
const AT: &str = "at";

/// A store in the making, which is not there before it is whole.
#[derive(Debug)]
pub struct Importing {
    dir: PathBuf,
    store: Store,
}

impl Importing {
    /// Begins a store for the folder `dir`, where none may be. What an earlier try has left goes.
    pub fn begin(dir: &Path) -> Result<Self, Error> {
        repair::finish(dir).map_err(unusable(dir))?;
        if dir.try_exists().map_err(unusable(dir))? {
            return Err(unusable(dir)(std::io::ErrorKind::AlreadyExists.into()));
        }
        let store = Store::try_open(&repair::making(dir))?;
        Ok(Self { dir: dir.to_owned(), store })
    }

    /// Adds a record to the shelf of this name.
    pub fn put(&self, name: &str, record: &RawRecord) -> Result<(), Error> {
        self.store.put_raw(name, record)
    }

    /// The store so far.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Puts it in its place, on disk.
    pub fn finish(self, now: Timestamp) -> Result<(), Error> {
        let Self { dir, store } = self;
        store.shelf(IMPORTED)?.put(AT, &now)?;
        store.flush_here()?;
        drop(store);
        let making = repair::making(&dir);
        Store::released(&making)?;
        let place = || {
            disk::sync_all(&making)?;
            fs::rename(&making, &dir)?;
            repair::sync_parent(&dir)
        };
        place().map_err(unusable(&dir))
    }

    /// Removes what was made so far.
    pub fn give_up(self) -> Result<(), Error> {
        let Self { dir, store } = self;
        drop(store);
        repair::remove(&repair::making(&dir)).map_err(unusable(&dir))
    }
}

impl Store {
    /// Whether it was imported, and nobody has looked yet what came after it was exported.
    pub fn is_imported(&self) -> Result<bool, Error> {
        Ok(self.shelf::<Timestamp>(IMPORTED)?.get(AT)?.is_some())
    }

    /// Notes that what came after it was exported is known, as far as it can be.
    pub async fn has_caught_up(&self) -> Result<(), Error> {
        self.shelf::<Timestamp>(IMPORTED)?.remove(AT)?;
        self.flush().await
    }
}
