//! Opening the store, and what becomes of one that will not open.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{Disk, Error, Store, guard, repair};

/// Memory that sled may use for its page cache, bytes. Its own default is a gibibyte.
const CACHE_BYTES: u64 = 4 << 20;

/// How often, and how long apart, it is tried to open a store that something else still holds: what
/// was closed in this process lets go of it a moment later.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// What opening the store came to.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Where a store that would not open was moved to, so that the room can be told. Said at each
    /// opening until [`Store::told`].
    pub moved_aside: Option<PathBuf>,
    /// Whether what was in the one that was moved aside is in this one again. What was written
    /// last may be missing.
    pub rebuilt: bool,
    /// Whether nothing is in it that an earlier run left.
    pub new: bool,
}

impl Store {
    /// Opens the store in the folder `dir`, making it where there is none.
    ///
    /// One that is damaged is moved aside, beside `dir`, and another takes its place: with all that
    /// was in it where only sled's snapshot of it was damaged, or else an empty one. It is damaged
    /// if a copy of it does not open either; whatever can be put right, a full disk or the rights
    /// of a file, is an error, and nothing is moved. One that something else holds is waited for.
    /// Blocks the thread.
    pub fn open(dir: &Path, now: jiff::Timestamp) -> Result<Opened, Error> {
        repair::finish(dir).map_err(unusable(dir))?;
        let opened = match Self::try_open(dir) {
            Err(first) if is_doubtful(&first) => {
                tracing::error!(error = &first as &dyn std::error::Error, "store will not open");
                // A kill in the middle of a snapshot leaves an unfinished file behind that alone
                // can keep sled from opening.
                let unfinished = repair::drop_unfinished_snapshots(dir).map_err(unusable(dir))?;
                if unfinished && let Ok(store) = Self::try_open(dir) {
                    Ok(store)
                } else {
                    repair::replace(dir, now)?;
                    Self::try_open(dir)
                }
            }
            opened => opened,
        };
        let store = opened.map_err(|error| said(dir, error))?;
        store.check_version(dir)?;
        store.note_version()?;
        let recovered = store.db.was_recovered();
        let instead = repair::instead(dir).map_err(unusable(dir))?;
        let rebuilt = instead.as_ref().is_some_and(|instead| instead.rebuilt);
        let new = !recovered || (instead.is_some() && !rebuilt);
        Ok(Opened { store, moved_aside: instead.map(|instead| instead.of), rebuilt, new })
    }

    /// Notes that the room was told what [`Opened::moved_aside`] says.
    pub fn told(dir: &Path) -> Result<(), Error> {
        repair::told(dir).map_err(unusable(dir))
    }

    pub(super) fn try_open(dir: &Path) -> Result<Self, Error> {
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(Some(500));
        let mut tries = 0;
        let db = loop {
            match guard(|| config.open()) {
                Err(held) if held.is_held() && tries < TRIES => std::thread::sleep(PAUSE),
                opened => break opened?,
            }
            tries += 1;
        };
        let disk = Arc::new(Disk::of(&db, dir).map_err(unusable(dir))?);
        Ok(Self { db, disk, writes: Arc::default() })
    }

    /// Returns when nothing of this process has the store in `dir` open any more: what was closed is
    /// written to its end a moment later, and must not be moved before.
    pub(super) fn released(dir: &Path) -> Result<(), Error> {
        let file = std::fs::File::open(dir.join("db")).map_err(unusable(dir))?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(std::fs::TryLockError::Error(error)) => return Err(unusable(dir)(error)),
            }
        }
        Err(unusable(dir)(std::io::ErrorKind::ResourceBusy.into()))
    }

    /// Reads every record.
    pub(super) fn read_through(&self) -> Result<(), Error> {
        for name in self.db.tree_names() {
            let tree = guard(|| self.db.open_tree(&name))?;
            let mut entries = tree.iter();
            while guard(|| entries.next().transpose())?.is_some() {}
        }
        Ok(())
    }

    /// Puts all on disk, blocking the thread.
    pub(super) fn flush_here(&self) -> Result<(), Error> {
        self.disk.wait()
    }
}

/// For `map_err`: the folder `dir` cannot be used.
pub(super) fn unusable(dir: &Path) -> impl Fn(std::io::Error) -> Error {
    let folder = dir.to_owned();
    move |source| Error::Unusable { folder: folder.clone(), source }
}

/// Whether it may be that what was read is damaged, rather than that it could not be read.
pub(super) fn is_doubtful(error: &Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};

    match error {
        Error::Sled(sled::Error::Io(error)) => {
            !error.to_string().starts_with("could not acquire lock")
                && matches!(error.kind(), InvalidData | InvalidInput | NotFound | UnexpectedEof)
        }
        Error::Sled(sled::Error::Unsupported(what)) => !is_of_another_version(what),
        Error::Sled(_) => true,
        // sled panics where it cannot go on, for want of room too.
        Error::Broken(why) => !why.contains("os error") && !why.contains("Os {"),
        _ => false,
    }
}

fn is_of_another_version(what: &str) -> bool {
    what.starts_with("This database was created using")
}

/// The error with the folder, and what to do.
pub(super) fn said(dir: &Path, error: Error) -> Error {
    match error {
        Error::Sled(sled::Error::Io(source)) if !held(&source) => unusable(dir)(source),
        Error::Sled(sled::Error::Unsupported(what)) if is_of_another_version(&what) => {
            Error::OtherVersion { folder: dir.to_owned(), what }
        }
        other => other,
    }
}

fn held(error: &std::io::Error) -> bool {
    error.to_string().starts_with("could not acquire lock")
}
