//! A record that is alone on its shelf.

use serde::{Serialize, de::DeserializeOwned};

use super::{Error, Shelf, Store};

/// One record, which is there or not. What is written is on disk when the call returns.
#[derive(Debug, Clone)]
pub struct Single<T> {
    shelf: Shelf<T>,
    key: &'static str,
    store: Store,
}

impl Store {
    /// The only record of the shelf called `name`, which stands there under `key`.
    pub fn single<T>(&self, name: &'static str, key: &'static str) -> Result<Single<T>, Error> {
        Ok(Single { shelf: self.shelf(name)?, key, store: self.clone() })
    }
}

impl<T: Serialize + DeserializeOwned> Single<T> {
    /// The record, if it is there.
    pub fn get(&self) -> Result<Option<T>, Error> {
        self.shelf.get(self.key)
    }

    /// Keeps this record in place of what was there.
    pub async fn keep(&self, record: &T) -> Result<(), Error> {
        self.shelf.put(self.key, record)?;
        self.store.flush().await
    }

    /// Forgets the record.
    pub async fn forget(&self) -> Result<(), Error> {
        self.shelf.remove(self.key)?;
        self.store.flush().await
    }
}
