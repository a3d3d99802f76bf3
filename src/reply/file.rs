//! A file that goes with an answer.

use std::fmt;

use mime::Mime;

use super::size;

/// What is too long to be read in a room, or is wanted elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// What it is called, without a folder.
    pub name: String,
    /// What kind of file it is.
    pub mime: Mime,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl File {
    /// A file that holds this.
    pub fn new(name: impl Into<String>, mime: Mime, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), mime, bytes }
    }

    /// How large it is, in words.
    pub fn size(&self) -> String {
        size(self.bytes.len() as u64)
    }
}

impl fmt::Debug for File {
    /// Without what it holds: that may be long, and is not for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.mime, self.size())
    }
}
