//! Exports that the bot makes by itself while it runs.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, BufWriter, ErrorKind, Seek as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};
use tempfile::NamedTempFile;

use super::{
    Error,
    age::Running,
    export::{Lines, write},
};
use crate::{
    config::{Config, Schedule},
    store::Store,
};

/// How its files are named: by the moment, in UTC.
const NAME: &str = "synod-%Y%m%dT%H%M%SZ.age";

/// The one of these that a file is, by when it was made; nothing of another name is touched.
fn made_at(name: &str) -> Option<Timestamp> {
    let at = jiff::fmt::strtime::parse(NAME, name).ok()?.to_datetime().ok()?;
    let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    (at.strftime(NAME).to_string() == name).then_some(at)
}

/// Those that are there, the oldest first.
fn made(folder: &Path) -> io::Result<Vec<(Timestamp, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut made = Vec::new();
    for entry in entries {
        let entry = entry?;
        made.extend(entry.file_name().to_str().and_then(made_at).map(|at| (at, entry.path())));
    }
    made.sort();
    Ok(made)
}

/// Whether it is time for the next.
pub fn is_due(schedule: &Schedule, now: Timestamp) -> Result<bool, Error> {
    let failed = |source| Error::File { file: schedule.folder.clone(), source };
    let last = made(&schedule.folder).map_err(failed)?.pop();
    let every = SignedDuration::try_from(schedule.every).unwrap_or(SignedDuration::MAX);
    // One of the future is of a clock that was wrong.
    Ok(last.is_none_or(|(at, _)| at > now || now.duration_since(at) >= every))
}

/// Makes one, of the store as it is at one moment, and removes those that are too many. Blocks the
/// thread; whoever writes to the store meanwhile waits until it has been copied.
pub fn make(
    store: &Store,
    config: &Config,
    schedule: &Schedule,
    now: Timestamp,
) -> Result<PathBuf, Error> {
    let folder = &schedule.folder;
    let failed = |source| Error::File { file: folder.clone(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let copy = copied(store, config, now)?;
    let file = NamedTempFile::new_in(folder).map_err(failed)?;
    encrypt(copy, &config.backup.recipients, file.reopen().map_err(failed)?)?;
    file.as_file().sync_all().map_err(failed)?;
    let path = folder.join(now.strftime(NAME).to_string());
    file.persist(&path).map_err(|error| failed(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    let all = made(folder).map_err(failed)?;
    for (_, old) in all.iter().rev().skip(schedule.keep) {
        fs::remove_file(old).map_err(failed)?;
    }
    Ok(path)
}

/// The store at one moment, in a file without a name beside it, which goes with the process.
fn copied(store: &Store, config: &Config, now: Timestamp) -> Result<File, Error> {
    let failed = |source| Error::File { file: config.state.clone(), source };
    let mut file = tempfile::tempfile_in(&config.state).map_err(failed)?;
    let mut lines = Lines::into(BufWriter::new(file.try_clone().map_err(failed)?));
    store.at_one_moment(|| write(store, config, true, now, &mut lines))?;
    lines.out.flush().map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok(file)
}

fn encrypt(mut copy: File, recipients: &[String], to: File) -> Result<(), Error> {
    let (running, mut pipe) = Running::encrypting(recipients, to)?;
    let passed = io::copy(&mut copy, &mut pipe);
    drop(pipe);
    running.finish()?;
    passed.map(drop).map_err(|source| Error::File { file: "the export".into(), source })
}
