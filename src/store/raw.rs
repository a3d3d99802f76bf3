//! All shelves as they are kept, for what looks through a whole store or moves it somewhere else.

use std::path::Path;

use data_encoding::HEXLOWER;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{Error, Store, guard, open, repair, unpack};

/// A record as it is kept, whatever it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// Under which key.
    pub key: String,
    /// The JSON of its envelope.
    pub value: String,
}

impl RawRecord {
    /// Whether it can be read as what its shelf holds.
    pub fn check<T: DeserializeOwned>(&self) -> Result<(), Error> {
        unpack::<T>(self.value.as_bytes()).map(drop)
    }
}

/// Everything that is in a store, for comparing two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// How many records there are.
    pub records: u64,
    /// SHA-256 over all of them, hexadecimal.
    pub sha256: String,
}

impl Store {
    /// Opens the store in the folder `dir` as it is. One that is damaged is left alone.
    pub fn open_as_it_is(dir: &Path) -> Result<Self, Error> {
        repair::finish(dir).map_err(open::unusable(dir))?;
        if !dir.join("db").try_exists().map_err(open::unusable(dir))? {
            return Err(Error::Missing { folder: dir.to_owned() });
        }
        let store = Self::try_open(dir).map_err(|error| open::said(dir, error))?;
        store.check_version(dir)?;
        Ok(store)
    }

    /// The names of the shelves that hold anything, in order.
    pub fn shelves(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for name in self.db.tree_names() {
            let tree = guard(|| self.db.open_tree(&name))?;
            if guard(|| tree.iter().next().transpose())?.is_some() {
                names.push(String::from_utf8_lossy(&name).into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The records of the shelf of this name, in the order of their keys, each read when it is asked for. After an
    /// error there are no more.
    pub fn records(
        &self,
        name: &str,
    ) -> Result<impl Iterator<Item = Result<RawRecord, Error>> + use<>, Error> {
        let tree = guard(|| self.db.open_tree(name))?;
        let mut entries = Some(tree.iter());
        Ok(std::iter::from_fn(move || {
            let next = entries.as_mut().map(|entries| guard(|| entries.next().transpose()))?;
            match next {
                Ok(next) => next.map(|(key, value)| {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    Ok(RawRecord { key: text(&key), value: text(&value) })
                }),
                Err(error) => {
                    entries = None;
                    Some(Err(error))
                }
            }
        }))
    }

    /// Keeps a record in the shelf of this name, as it was kept elsewhere.
    pub fn put_raw(&self, name: &str, record: &RawRecord) -> Result<(), Error> {
        let tree = guard(|| self.db.open_tree(name))?;
        guard(|| tree.insert(record.key.as_str(), record.value.as_str()))?;
        Ok(())
    }

    /// Reads everything.
    pub fn contents(&self) -> Result<Contents, Error> {
        let (mut records, mut hasher) = (0, Sha256::new());
        for shelf in self.shelves()? {
            for record in self.records(&shelf)? {
                let RawRecord { key, value } = record?;
                for part in [&shelf, &key, &value] {
                    hasher.update(part.len().to_be_bytes());
                    hasher.update(part);
                }
                records += 1;
            }
        }
        Ok(Contents { records, sha256: HEXLOWER.encode(&hasher.finalize()) })
    }

    /// Returns when everything is on disk, blocking the thread.
    pub fn flush_blocking(&self) -> Result<(), Error> {
        self.flush_here()
    }
}
