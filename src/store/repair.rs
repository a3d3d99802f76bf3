//! Another store in place of a damaged one.
//!
//! It is made beside the damaged one, in `store.making`, and called `store.ready` once it has been
//! opened, read and put on disk. Only then does the damaged one move aside, and the other into its
//! place. A start that finds one of these folders knows from its name, and from whether there is a
//! store, how far an earlier one came. The new store holds a note of whose place it took until the
//! room has been told.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Error, Store, disk,
    open::{is_doubtful, said, unusable},
};

/// The file that holds a note of whose place a store took.
const INSTEAD: &str = "instead-of.json";

/// Whose place a store took.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Instead {
    /// Where the other one lies.
    pub(super) of: PathBuf,
    /// Whether what was in it is in this one too.
    pub(super) rebuilt: bool,
}

/// What an earlier start began is brought to its end, or to nothing.
pub(super) fn finish(dir: &Path) -> io::Result<()> {
    let (making, ready) = (making(dir), ready(dir));
    remove(&making)?;
    if !is_there(&ready)? {
        return Ok(());
    }
    if is_there(dir)? {
        // The other one had not moved yet: look again.
        return remove(&ready);
    }
    fs::rename(ready, dir)?;
    sync_parent(dir)
}

/// Puts another store in the place of the one in `dir`, if that is damaged.
pub(super) fn replace(dir: &Path, now: Timestamp) -> Result<(), Error> {
    let made = make(dir);
    let rebuilt = made.map_err(|error| {
        // It is in nobody's way, and the next start removes it in any case.
        let _best_effort = remove(&making(dir));
        said(dir, error)
    })?;
    let aside = place_aside(dir, now).map_err(unusable(dir))?;
    let place = || {
        let note = serde_json::to_vec(&Instead { of: aside.clone(), rebuilt })?;
        fs::write(making(dir).join(INSTEAD), note)?;
        swap(dir, &aside)
    };
    place().map_err(unusable(dir))?;
    tracing::error!(aside = %aside.display(), rebuilt, "another store is in the place of the damaged one");
    Ok(())
}

/// Puts what was made in the place of the store, which moves to `aside`.
pub(super) fn swap(dir: &Path, aside: &Path) -> io::Result<()> {
    disk::sync_all(&making(dir))?;
    fs::rename(making(dir), ready(dir))?;
    sync_parent(dir)?;
    fs::rename(dir, aside)?;
    fs::rename(ready(dir), dir)?;
    sync_parent(dir)
}

/// Makes the other store; true if what was in the damaged one is in it.
fn make(dir: &Path) -> Result<bool, Error> {
    let making = making(dir);
    // The configuration has no choices of the bot's: without it sled writes the same one.
    for left_out in [&["snap."][..], &["snap.", "conf"]] {
        copy(dir, &making, left_out).map_err(unusable(dir))?;
        match reaches(&making, last_snapshot(dir).map_err(unusable(dir))?) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(error) if is_doubtful(&error) => {}
            Err(error) => return Err(error),
        }
        remove(&making).map_err(unusable(dir))?;
    }
    let empty = Store::try_open(&making)?;
    empty.flush_here()?;
    Ok(false)
}

/// Whether this opens and reads, as far as `last` at least, which an earlier start has seen.
fn reaches(making: &Path, last: Option<u64>) -> Result<bool, Error> {
    let store = Store::try_open(making)?;
    store.read_through()?;
    store.flush_here()?;
    let reached = last_snapshot(making).map_err(unusable(making))?;
    Ok(store.db.was_recovered() && reached >= last)
}

/// How far the log of the store in `dir` went when the last snapshot of it was made: the name of
/// the file says so.
fn last_snapshot(dir: &Path) -> io::Result<Option<u64>> {
    let mut last = None;
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("snap."));
        last = last.max(number.and_then(|number| u64::from_str_radix(number, 16).ok()));
    }
    Ok(last)
}

/// Copies the folder, but for the files whose names begin with one of `left_out`.
fn copy(from: &Path, to: &Path, left_out: &[&str]) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if left_out.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(name), &[])?;
        } else {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

/// What the store in `dir` took the place of, unless that was told.
pub(super) fn instead(dir: &Path) -> io::Result<Option<Instead>> {
    match fs::read(dir.join(INSTEAD)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Forgets what the store in `dir` took the place of.
pub(super) fn told(dir: &Path) -> io::Result<()> {
    match fs::remove_file(dir.join(INSTEAD)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => File::open(dir)?.sync_all(),
    }
}

/// Removes the unfinished snapshots; true if there was one.
pub(super) fn drop_unfinished_snapshots(dir: &Path) -> io::Result<bool> {
    let mut any = false;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(path)?;
            any = true;
        }
    }
    Ok(any)
}

/// Where a store is made.
pub(super) fn making(dir: &Path) -> PathBuf {
    dir.with_extension("making")
}

fn ready(dir: &Path) -> PathBuf {
    dir.with_extension("ready")
}

/// Where a store lies that was written anew, until the new one has been opened.
pub(super) fn before_compacting(dir: &Path) -> PathBuf {
    dir.with_extension("before-compacting")
}

/// Where the damaged store goes: nothing is there.
fn place_aside(dir: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let mut number = now.as_second();
    loop {
        let aside = dir.with_extension(format!("broken-{number}"));
        if !is_there(&aside)? {
            return Ok(aside);
        }
        number += 1;
    }
}

/// Whether there is something, which must be known for sure.
fn is_there(path: &Path) -> io::Result<bool> {
    path.try_exists()
}

pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A rename is on disk when its folder is.
pub(super) fn sync_parent(dir: &Path) -> io::Result<()> {
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
