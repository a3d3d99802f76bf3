//! The store written anew, since sled gives the disk nothing back of what it does not need any more.
//!
//! It goes the way of a store in place of a damaged one (`repair`): made beside the old one, ready
//! once it has been read back, and only then put in its place. The old one goes when the new one has
//! been opened there and read as the same.

use std::{fs, io, path::Path};

use super::{
    Error, Store,
    open::{said, unusable},
    raw::Contents,
    repair,
};

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// How much room it took before, bytes.
    pub before: u64,
    /// And takes now.
    pub after: u64,
    /// How many records are in it.
    pub records: u64,
}

impl Store {
    /// Makes the store in the folder `dir` as small as what is in it. Nobody else may have it open.
    ///
    /// Wherever it is cut off, the next start or the next of these finds one whole store.
    pub fn compact(dir: &Path) -> Result<Compacted, Error> {
        let old = repair::before_compacting(dir);
        let store = Self::open_as_it_is(dir)?;
        // An earlier one was cut off behind the change: this store is the new one, and opens.
        repair::remove(&old).map_err(unusable(dir))?;
        let before = size(dir).map_err(unusable(dir))?;
        let making = repair::making(dir);
        let wanted = copy(&store, &making).inspect_err(|_| {
            let _best_effort = repair::remove(&making);
        })?;
        drop(store);
        Self::released(dir)?;
        Self::released(&making)?;
        repair::swap(dir, &old).map_err(unusable(dir))?;
        let new = Self::try_open(dir).map_err(|error| said(dir, error))?;
        if new.contents()? != wanted {
            return Err(Error::NotTheSame { folder: old });
        }
        new.flush_here()?;
        let after = size(dir).map_err(unusable(dir))?;
        repair::remove(&old).map_err(unusable(dir))?;
        Ok(Compacted { before, after, records: wanted.records })
    }
}

/// Copies everything into a new store in `making`, and answers what is in it once it is on disk.
fn copy(store: &Store, making: &Path) -> Result<Contents, Error> {
    let new = Store::try_open(making)?;
    for shelf in store.shelves()? {
        for record in store.records(&shelf)? {
            new.put_raw(&shelf, &record?)?;
        }
    }
    new.flush_here()?;
    let (wanted, made) = (store.contents()?, new.contents()?);
    if wanted == made { Ok(wanted) } else { Err(Error::NotTheSame { folder: making.to_owned() }) }
}

/// How much room a folder takes on disk.
fn size(folder: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;

    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() { size(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(sum)
}
