//! When what was written is on disk.
//!
//! sled hands what it writes to the kernel and asks it to begin writing (`sync_file_range`), which
//! waits neither for the disk's own cache nor for the length of the file, and its larger records
//! go into files of their own (`blobs`) that it waits for not at all. So each flush waits for the
//! files themselves.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{self, File},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Error, guard};

/// How many bytes are written to see that the disk takes them.
const TRIAL: usize = 4096;

/// The files of an open store.
pub(super) struct Disk {
    db: sled::Db,
    data: File,
    blobs: PathBuf,
    /// The large records that are known to be on disk.
    synced: Mutex<HashSet<OsString>>,
    /// How often the disk was waited for.
    #[cfg(test)]
    waits: AtomicU64,
    /// How many flushes were asked for.
    asked: AtomicU64,
    /// The last of these that has been served. Held by the one that serves.
    served: tokio::sync::Mutex<u64>,
    /// Why something that was written is not surely on disk. The kernel says so once only, and
    /// takes what it could not write for written: so nothing after it counts as flushed.
    lost: Mutex<Option<Arc<io::Error>>>,
}

impl Disk {
    /// The files of the store `db` in `folder`, which were put on disk just now.
    pub(super) fn of(db: &sled::Db, folder: &Path) -> io::Result<Self> {
        sync_all(folder)?;
        if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        Ok(Self {
            db: db.clone(),
            data: File::open(folder.join("db"))?,
            blobs: folder.join("blobs"),
            synced: Mutex::default(),
            #[cfg(test)]
            waits: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            served: tokio::sync::Mutex::new(0),
            lost: Mutex::default(),
        })
    }

    /// Writes a file beside those of the store, which goes again, to see that the disk takes it.
    pub(super) fn try_to_write(&self) -> io::Result<()> {
        let mut file = tempfile::tempfile_in(self.blobs.parent().unwrap_or(&self.blobs))?;
        file.write_all(&[1; TRIAL])?;
        file.sync_all()
    }

    /// Returns when everything that was written before is on disk.
    pub(super) async fn flush(self: &Arc<Self>) -> Result<(), Error> {
        let mine = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut served = self.served.lock().await;
        if *served >= mine {
            // Whoever came before began after this one had written.
            return Ok(());
        }
        let upto = self.asked.load(Ordering::SeqCst);
        let disk = self.clone();
        let waited = tokio::task::spawn_blocking(move || disk.wait()).await;
        waited.unwrap_or_else(|error| Err(Error::Broken(error.to_string())))?;
        *served = upto;
        Ok(())
    }

    /// The same, blocking the thread.
    pub(super) fn wait(&self) -> Result<(), Error> {
        let lost = || self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = &*lost() {
            return Err(Error::NotOnDisk(error.clone()));
        }
        #[cfg(test)]
        self.waits.fetch_add(1, Ordering::SeqCst);
        guard(|| self.db.flush())?;
        // The larger records first: the data names them.
        self.sync_blobs().and_then(|()| self.data.sync_data()).map_err(|error| {
            let error = Arc::new(error);
            *lost() = Some(error.clone());
            Error::NotOnDisk(error)
        })
    }

    #[cfg(test)]
    pub(super) fn waits(&self) -> u64 {
        self.waits.load(Ordering::SeqCst)
    }

    /// How many large records are not known to be on disk.
    #[cfg(test)]
    pub(super) fn unsynced(&self) -> io::Result<usize> {
        let synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let there = fs::read_dir(&self.blobs)?.map(|entry| Ok(entry?.file_name()));
        let there: HashSet<_> = there.collect::<io::Result<_>>()?;
        Ok(there.difference(&synced).count())
    }

    fn sync_blobs(&self) -> io::Result<()> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let there = fs::read_dir(&self.blobs)?.map(|entry| Ok(entry?.file_name()));
        let there: HashSet<_> = there.collect::<io::Result<_>>()?;
        let new: Vec<_> = there.difference(&synced).collect();
        for name in &new {
            match File::open(self.blobs.join(name)) {
                Ok(file) => file.sync_all()?,
                // What is not needed any more goes at any time.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if !new.is_empty() {
            File::open(&self.blobs)?.sync_all()?;
        }
        *synced = there;
        Ok(())
    }
}

/// Puts a folder on disk, with all that is in it.
pub(super) fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match File::open(&path) {
            Ok(file) if file.metadata()?.is_dir() => sync_all(&path)?,
            Ok(file) => file.sync_all()?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    File::open(folder)?.sync_all()
}
