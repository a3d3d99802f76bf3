//! Which version of the state this is: an older binary must not go on with what it does not know.

use std::path::Path;

use super::{Error, Store};

/// The version of what is kept. It goes up with a change that an earlier binary would misread, as the
/// version of a record's envelope does for that record. 2 came with the first words *Not understood*,
/// *Not found* and *Failed*, with which a change on record may have ended.
pub const STATE_VERSION: u32 = 2;

const SHELF: &str = "state-version";
const VERSION: &str = "version";
/// The release that wrote it last, for people.
const BY: &str = "by";

impl Store {
    /// Refuses what a later version has written.
    pub(super) fn check_version(&self, dir: &Path) -> Result<(), Error> {
        let found = self.shelf::<u32>(SHELF)?.get(VERSION)?;
        match found.filter(|found| *found > STATE_VERSION) {
            None => Ok(()),
            Some(version) => {
                let by = self.shelf::<String>("state-written-by")?.get(BY)?;
                let by = by.map(|by| format!(" ({by})")).unwrap_or_default();
                Err(Error::LaterState { folder: dir.to_owned(), version, by })
            }
        }
    }

    /// Notes that this version has written here.
    pub(super) fn note_version(&self) -> Result<(), Error> {
        let versions = self.shelf::<u32>(SHELF)?;
        if versions.get(VERSION)? != Some(STATE_VERSION) {
            versions.put(VERSION, &STATE_VERSION)?;
        }
        let (by, own) = (self.shelf::<String>("state-written-by")?, env!("CARGO_PKG_VERSION"));
        if by.get(BY)?.as_deref() != Some(own) {
            by.put(BY, &own.to_owned())?;
        }
        Ok(())
    }
}
