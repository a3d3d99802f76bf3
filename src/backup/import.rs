//! From one file into an empty state.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, BufRead, BufReader, Cursor, ErrorKind, Read, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::{
    Begin, Error, FORMAT, IDENTITY, Piece, RECOVERY_KEY,
    age::{BEGINNINGS, Running},
};
use crate::{
    config::Config,
    store::{Importing, RawRecord, STATE_VERSION},
};

/// Where an export is read from.
#[derive(Debug)]
pub struct Source {
    /// The file, or a pipe.
    pub file: File,
    /// The file with the key of age that opens it, where it is encrypted.
    pub identity: Option<PathBuf>,
}

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Records of the store.
    pub records: u64,
    /// When it was exported.
    pub at: Timestamp,
    /// Whether the recovery key is in its file now.
    pub recovery_key: bool,
}

/// Makes the state of the bot from an export. Nobody else may use the state meanwhile.
///
/// The store is put in its place when the whole file was read, and last of all. Cut off before that,
/// there is none, and the import can be done again.
pub fn import(config: &Config, source: Source, now: Timestamp) -> Result<Imported, Error> {
    is_empty(config)?;
    let taken = match source.identity {
        None => take(config, BufReader::new(opened(source.file)?)),
        Some(identity) => {
            let (running, pipe) = Running::decrypting(&identity, source.file)?;
            let taken = take(config, BufReader::new(pipe));
            match (running.finish(), taken) {
                (Ok(()), taken) => taken,
                // Nobody reads the rest of what is refused, so that says nothing.
                (Err(_), Err(error)) if !matches!(error, Error::NotWhole(_)) => Err(error),
                (Err(error), Ok(taken)) => {
                    taken.importing.give_up()?;
                    Err(error)
                }
                (Err(error), Err(_)) => Err(error),
            }
        }
    }?;
    place(config, taken, now)
}

/// Refuses a state in which anything lies but what an import leaves or needs.
fn is_empty(config: &Config) -> Result<(), Error> {
    let failed = |source| Error::File { file: config.state.clone(), source };
    let entries = match fs::read_dir(&config.state) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let known = ["lock", "store.making", IDENTITY, RECOVERY_KEY];
        if !known.iter().any(|known| name == *known) {
            return Err(Error::NotEmpty(entry.path()));
        }
    }
    Ok(())
}

/// The text of a file that is not encrypted.
fn opened(mut file: File) -> Result<impl Read, Error> {
    let longest = BEGINNINGS.iter().map(|begin| begin.len()).max().unwrap_or_default();
    let mut begin = Vec::new();
    let wanted = u64::try_from(longest).unwrap_or_default();
    Read::by_ref(&mut file).take(wanted).read_to_end(&mut begin).map_err(unread)?;
    if BEGINNINGS.iter().any(|known| begin.starts_with(known)) {
        return Err(Error::Encrypted);
    }
    Ok(Cursor::new(begin).chain(file))
}

/// All that was in a file, and not in its place yet.
struct Taken {
    importing: Importing,
    records: u64,
    files: Files,
    at: Timestamp,
}

/// Reads all lines into a new store.
fn take(config: &Config, mut lines: impl BufRead) -> Result<Taken, Error> {
    let mut reading = Reading { hasher: Sha256::new(), line: Vec::new() };
    let Some(Piece::SynodStore(begin)) = reading.next(&mut lines)? else {
        return Err(Error::NotWhole("it does not begin like an export"));
    };
    is_for(config, &begin)?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.state)
        .map_err(|source| Error::File { file: config.state.clone(), source })?;
    let importing = Importing::begin(&config.state.join("store"))?;
    match all(&mut reading, &mut lines, &importing) {
        Ok((records, files)) => Ok(Taken { importing, records, files, at: begin.at }),
        Err(error) => {
            importing.give_up()?;
            Err(error)
        }
    }
}

/// Puts everything in its place, the store last.
fn place(config: &Config, taken: Taken, now: Timestamp) -> Result<Imported, Error> {
    let Taken { importing, records, files, at } = taken;
    for (name, text) in files {
        let path = match name.as_str() {
            IDENTITY => config.state.join(IDENTITY),
            RECOVERY_KEY => config.recovery_key_file.clone(),
            _ => continue,
        };
        let failed = |source| Error::File { file: path.clone(), source };
        // One that was put there by hand is newer, or it is the same.
        if !path.try_exists().map_err(failed)? {
            keep(&path, &text).map_err(failed)?;
        }
    }
    importing.finish(now)?;
    let recovery_key = config.recovery_key_file.exists();
    Ok(Imported { records, at, recovery_key })
}

/// Whether this bot can go on with it.
fn is_for(config: &Config, begin: &Begin) -> Result<(), Error> {
    if begin.format > FORMAT || begin.state > STATE_VERSION {
        return Err(Error::Later(begin.release.clone()));
    }
    if begin.of != config.bot.user_id {
        let (found, wanted) = (begin.of.clone(), config.bot.user_id.clone());
        return Err(Error::OtherBot { found, wanted });
    }
    Ok(())
}

/// A name and what is in it.
type Files = Vec<(String, String)>;

/// Takes everything up to the end; answers how many records there are, and the files.
fn all(
    reading: &mut Reading,
    lines: &mut impl BufRead,
    importing: &Importing,
) -> Result<(u64, Files), Error> {
    let (mut taken, mut files) = (0, Vec::new());
    loop {
        let before = HEXLOWER.encode(&reading.hasher.clone().finalize());
        match reading.next(lines)? {
            Some(Piece::Record { shelf, key, value }) => {
                importing.put(&shelf, &RawRecord { key, value: value.get().to_owned() })?;
                taken += 1;
            }
            Some(Piece::File { name, text }) => files.push((name, text)),
            Some(Piece::End { records, sha256 }) if records == taken && sha256 == before => {
                let rest = lines.fill_buf().map_err(unread)?;
                let ends = rest.is_empty();
                return if ends {
                    Ok((taken, files))
                } else {
                    Err(Error::NotWhole("more follows"))
                };
            }
            Some(Piece::End { .. }) => return Err(Error::NotWhole("it was changed")),
            Some(Piece::SynodStore(_)) => return Err(Error::NotWhole("it begins twice")),
            None => return Err(Error::NotWhole("its end is missing")),
        }
    }
}

/// The line that is read, and the digest of all so far.
struct Reading {
    hasher: Sha256,
    line: Vec<u8>,
}

impl Reading {
    fn next(&mut self, lines: &mut impl BufRead) -> Result<Option<Piece<'_>>, Error> {
        self.line.clear();
        lines.read_until(b'\n', &mut self.line).map_err(unread)?;
        if self.line.is_empty() {
            return Ok(None);
        }
        self.hasher.update(&self.line);
        if !self.line.ends_with(b"\n") {
            return Err(Error::NotWhole("its end is missing"));
        }
        let piece = serde_json::from_slice(&self.line);
        piece.map(Some).map_err(|_| Error::NotWhole("one of its lines cannot be read"))
    }
}

/// Writes a file for the bot alone, whole or not at all, and returns when it is on disk.
fn keep(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

fn unread(source: io::Error) -> Error {
    Error::File { file: "the export".into(), source }
}
