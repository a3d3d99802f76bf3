//! The chain, read line by line: what `!audit verify` and `synod audit verify` have in common.
//!
//! Nothing here knows what a record is about. A digest covers the very text of the record, so a
//! file that another version has written is checked just as well.

use std::io::BufRead;

use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

/// One entry as it stands in a file: a line of JSON.
#[derive(Debug, Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    entry: Link<'a>,
    salt: Option<String>,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Link<'a> {
    seq: u64,
    at: String,
    #[serde(borrow)]
    kind: &'a RawValue,
    digest: String,
    before: String,
    hash: String,
}

/// Where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record is broken at number {seq}: {what}")]
pub struct Broken {
    /// The first entry that does not fit.
    pub seq: u64,
    /// What does not fit.
    pub what: &'static str,
}

/// Why a file is not the whole record.
#[derive(Debug, thiserror::Error)]
pub enum NotWhole {
    /// It cannot be read.
    #[error("it cannot be read")]
    Unread(#[from] std::io::Error),
    /// An entry does not fit.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// All that stands in it fits, and the head that was noted elsewhere does not stand in it.
    #[error(
        "the hash that you gave is not in it: it ends at number {} with {}, so its end was cut \
        off, or it was rolled back and rewritten", .0.count, .0.hash
    )]
    OtherHead(Head),
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// How many entries it has.
    pub count: u64,
    /// The hash of the last, hexadecimal; zeros where there is none.
    pub hash: String,
}

/// A chain as far as it has been read.
#[derive(Debug, Clone)]
pub(crate) struct Chain(Head);

impl Chain {
    /// Nothing read yet.
    pub(crate) fn new() -> Self {
        Self(Head { count: 0, hash: zeros() })
    }

    /// Read up to here.
    pub(crate) fn from(head: Head) -> Self {
        Self(head)
    }

    /// Where it stands.
    pub(crate) fn head(&self) -> &Head {
        &self.0
    }

    /// Reads the next entry, in one line of JSON.
    pub(crate) fn push(&mut self, line: &str) -> Result<(), Broken> {
        let next = self.0.count + 1;
        let broken = |seq, what| Err(Broken { seq, what });
        let Ok(Line { entry, salt, record }) = serde_json::from_str::<Line<'_>>(line) else {
            return broken(next, "it is not an entry of a record");
        };
        let seq = entry.seq;
        if seq != next {
            return broken(next, "it is missing");
        }
        let Link { at, kind, digest, before, .. } = &entry;
        if *before != self.0.hash || entry.hash != hash(seq, at, kind.get(), digest, before) {
            return broken(seq, "it was changed");
        }
        match (salt, record) {
            (Some(salt), Some(record)) if digest_of(&salt, record.get()) != *digest => {
                return broken(seq, "its details were changed");
            }
            // Details go together with their salt.
            (Some(_), None) | (None, Some(_)) => return broken(seq, "its details were changed"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        self.0 = Head { count: seq, hash: entry.hash };
        Ok(())
    }
}

/// Checks a file of records, one JSON object a line, from its first entry to its last; and that
/// the `head`, where one is given, is the hash of one of them. Reads line by line, so that the
/// size of the file does not matter.
///
/// # Errors
/// What is wrong first: a line that was changed, one that is missing, an end that was cut off.
pub fn verify_lines(lines: impl BufRead, head: Option<&str>) -> Result<Head, NotWhole> {
    let mut chain = Chain::new();
    let mut found = head.is_none();
    for line in lines.lines() {
        chain.push(&line?)?;
        found |= head.is_some_and(|head| head.eq_ignore_ascii_case(&chain.0.hash));
    }
    if found { Ok(chain.0) } else { Err(NotWhole::OtherHead(chain.0)) }
}

/// What the first entry has in place of the hash before it.
pub(super) fn zeros() -> String {
    "0".repeat(64)
}

/// The digest of a record's JSON under a salt, hexadecimal.
pub(super) fn digest_of(salt: &str, record: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(salt.as_bytes());
    hasher.update(record.as_bytes());
    HEXLOWER.encode(&hasher.finalize())
}

/// The hash of an entry, hexadecimal; `kind` as JSON.
pub(super) fn hash(seq: u64, at: &str, kind: &str, digest: &str, before: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(format!("{seq}\n{at}\n{kind}\n{digest}\n{before}")))
}
