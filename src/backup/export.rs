//! From the store into one file.

use std::{
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Write},
    path::Path,
};

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::{Begin, Error, FORMAT, IDENTITY, Piece, RECOVERY_KEY, age::Running};
use crate::{
    config::Config,
    store::{self, STATE_VERSION, Store},
};

/// What is in an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Records of the store.
    pub records: u64,
    /// Whether the recovery key is among it.
    pub recovery_key: bool,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// Writes what is in `store` into the new file `to`: whole, or not at all. Encrypted to those whom the
/// config names, unless it is to be `plain`.
pub fn export(
    store: &Store,
    config: &Config,
    to: &Path,
    plain: bool,
    now: Timestamp,
) -> Result<Exported, Error> {
    let failed = |source| Error::File { file: to.to_owned(), source };
    if to.try_exists().map_err(failed)? {
        return Err(Error::IsThere(to.to_owned()));
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let file = NamedTempFile::new_in(folder).map_err(failed)?;
    let exported = export_to(store, config, file.reopen().map_err(failed)?, plain, now)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(to).map_err(|error| match error.error.kind() {
        ErrorKind::AlreadyExists => Error::IsThere(to.to_owned()),
        _ => failed(error.error),
    })?;
    // A rename is on disk when its folder is.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(exported)
}

/// The same into an open file or a pipe.
pub fn export_to(
    store: &Store,
    config: &Config,
    to: File,
    plain: bool,
    now: Timestamp,
) -> Result<Exported, Error> {
    let recipients = &config.backup.recipients;
    if plain {
        let mut lines = Lines::into(BufWriter::new(to));
        let records = write(store, config, false, now, &mut lines)?;
        lines.out.flush().map_err(unwritten)?;
        return Ok(Exported { records, recovery_key: false, encrypted: false });
    }
    if recipients.is_empty() {
        return Err(Error::NoRecipients);
    }
    let (running, pipe) = Running::encrypting(recipients, to)?;
    let mut lines = Lines::into(BufWriter::new(pipe));
    let written = write(store, config, true, now, &mut lines)
        .and_then(|records| lines.out.flush().map_err(unwritten).map(|()| records));
    let with_key = lines.recovery_key;
    drop(lines);
    match (running.finish(), written) {
        (Ok(()), Ok(records)) => Ok(Exported { records, recovery_key: with_key, encrypted: true }),
        // Why it took no more is what it has to say.
        (Err(error), _) | (Ok(()), Err(error)) => Err(error),
    }
}

/// Lines of the file, and their digest so far.
pub(super) struct Lines<W: Write> {
    pub(super) out: W,
    hasher: Sha256,
    recovery_key: bool,
}

impl<W: Write> Lines<W> {
    pub(super) fn into(out: W) -> Self {
        Self { out, hasher: Sha256::new(), recovery_key: false }
    }

    fn put(&mut self, piece: &Piece<'_>) -> Result<(), Error> {
        let mut line = serde_json::to_vec(piece).map_err(store::Error::from)?;
        line.push(b'\n');
        self.hasher.update(&line);
        self.out.write_all(&line).map_err(unwritten)
    }
}

/// Writes everything; answers how many records there are.
pub(super) fn write<W: Write>(
    store: &Store,
    config: &Config,
    encrypted: bool,
    now: Timestamp,
    lines: &mut Lines<W>,
) -> Result<u64, Error> {
    lines.put(&Piece::SynodStore(Begin {
        format: FORMAT,
        state: STATE_VERSION,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        of: config.bot.user_id.clone(),
        at: now,
    }))?;
    if let Some(text) = read(&config.state.join(IDENTITY))? {
        lines.put(&Piece::File { name: IDENTITY.to_owned(), text })?;
    }
    if encrypted && let Some(text) = read(&config.recovery_key_file)? {
        lines.put(&Piece::File { name: RECOVERY_KEY.to_owned(), text })?;
        lines.recovery_key = true;
    }
    let mut records = 0;
    for shelf in store.shelves()? {
        for record in store.records(&shelf)? {
            let record = record?;
            let unread = |_| Error::Record { shelf: shelf.clone(), key: record.key.clone() };
            let value: &RawValue = serde_json::from_str(&record.value).map_err(unread)?;
            let (shelf, key) = (shelf.clone(), record.key.clone());
            lines.put(&Piece::Record { shelf, key, value })?;
            records += 1;
        }
    }
    let sha256 = HEXLOWER.encode(&lines.hasher.clone().finalize());
    lines.put(&Piece::End { records, sha256 })?;
    Ok(records)
}

/// A file of the state, where there is one.
fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File { file: path.to_owned(), source }),
    }
}

fn unwritten(source: io::Error) -> Error {
    Error::File { file: "the export".into(), source }
}
