//! The store in one file, and back: what it takes to go on after the loss of the machine.
//!
//! In the file is what the bot knows and what it has in hand: every shelf of the store, and the public
//! half of the bot's master key. The recovery key is in it where the file is encrypted, and only then:
//! with it the next device is signed, and to everybody's client it is the same bot. The session of the
//! bot's device and its keys are never in it. A device that comes back from a copy would encrypt with
//! keys that it has used up since, so a bot that was put back makes itself a new one in any case; and
//! whoever gets hold of a backup cannot read with it what was said in the rooms. Nor are the secrets in
//! it that the config names.

use std::{io, path::PathBuf};

use jiff::Timestamp;
use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::store;

mod age;
mod check;
mod export;
mod import;
mod schedule;
#[cfg(test)]
mod tests;

pub use check::check;
pub use export::{Exported, export, export_to};
pub use import::{Imported, Source, import};
pub use schedule::{is_due, make};

/// The version of the format.
const FORMAT: u32 = 1;

/// The public half of the bot's master key, below the state.
const IDENTITY: &str = "identity.json";

/// The recovery key, which may lie elsewhere.
const RECOVERY_KEY: &str = "recovery.key";

/// Why there is no export, or no import. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A file cannot be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is something where the export should go.
    #[error("{} already exists; name another file, or move it away", .0.display())]
    IsThere(PathBuf),
    /// Nobody is named who may read it.
    #[error(
        "nobody is set who may read it: set `backup.recipients` in the config (the public key that \
        `age-keygen` shows), or use --plain"
    )]
    NoRecipients,
    /// The program is missing that encrypts and decrypts.
    #[error("the program `age` is missing: install it (Debian: apt install age)")]
    NoAge,
    /// That program has failed.
    #[error("age: {0}")]
    Age(String),
    /// A record of the store cannot be put into a file.
    #[error("an entry cannot be read: {key:?} in {shelf}; `synod store check` says more")]
    Record {
        /// The shelf that it is in.
        shelf: String,
        /// The key that it is under.
        key: String,
    },
    /// The state holds something.
    #[error(
        "{} already exists: an import needs an empty state folder; move it away, or set another \
        `state` in the config",
        .0.display()
    )]
    NotEmpty(PathBuf),
    /// It is encrypted, and nobody has said with what it is opened.
    #[error("it is encrypted: use --identity FILE with the age key that can decrypt it")]
    Encrypted,
    /// It is no export, or not all of one.
    #[error("it is not a complete export of a store: {0}")]
    NotWhole(&'static str),
    /// A later version has made it.
    #[error("it was made by a later version of Synod ({0}); import it with that version")]
    Later(String),
    /// It is of another bot.
    #[error(
        "it belongs to the bot {found}, but the config is for {wanted}; use the right export or \
        the right config"
    )]
    OtherBot {
        /// Whose it is.
        found: OwnedUserId,
        /// Whose it should be.
        wanted: OwnedUserId,
    },
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Piece<'a> {
    /// The first.
    SynodStore(Begin),
    /// A file of the state.
    File {
        /// Its name there.
        name: String,
        /// What is in it.
        text: String,
    },
    /// A record of the store.
    Record {
        shelf: String,
        key: String,
        #[serde(borrow)]
        value: &'a RawValue,
    },
    /// The last.
    End {
        /// How many records there are.
        records: u64,
        /// SHA-256 over all lines before this one, hexadecimal.
        sha256: String,
    },
}

/// What is said first.
#[derive(Debug, Serialize, Deserialize)]
struct Begin {
    format: u32,
    /// The version of the state.
    state: u32,
    /// The release that has written it.
    release: String,
    /// Whose it is.
    of: OwnedUserId,
    at: Timestamp,
}
