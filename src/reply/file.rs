//! A file that goes with an answer.

use std::{
    fmt,
    io::{self, Read},
    os::unix::fs::FileExt as _,
    sync::Arc,
};

use mime::Mime;

use super::{Line, size};

/// What is too long to be read in a room, or is wanted elsewhere.
pub struct File {
    /// What it is called, without a folder.
    pub name: String,
    /// What kind of file it is.
    pub mime: Mime,
    /// What is to be known of it where it is a picture.
    pub looks: Option<Looks>,
    body: Body,
}

/// How a picture looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looks {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// What it shows, for whoever does not see it.
    pub alt: Line,
}

/// Where it is until it is sent.
#[derive(Clone)]
enum Body {
    Memory(Arc<Vec<u8>>),
    /// A file without a name, gone when the last who reads it closes it; and how many bytes it
    /// holds.
    Disk(Arc<std::fs::File>, u64),
}

impl File {
    /// A file that holds this.
    pub fn new(name: impl Into<String>, mime: Mime, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), mime, looks: None, body: Body::Memory(Arc::new(bytes)) }
    }

    /// A picture that holds this PNG.
    pub fn picture(name: impl Into<String>, png: Vec<u8>, looks: Looks) -> Self {
        Self { looks: Some(looks), ..Self::new(name, mime::IMAGE_PNG, png) }
    }

    /// A file that holds what is on disk already.
    pub(crate) fn on_disk(
        name: impl Into<String>,
        mime: Mime,
        disk: std::fs::File,
    ) -> io::Result<Self> {
        let bytes = disk.metadata()?.len();
        Ok(Self { name: name.into(), mime, looks: None, body: Body::Disk(Arc::new(disk), bytes) })
    }

    /// How many bytes it holds.
    pub fn bytes(&self) -> u64 {
        match &self.body {
            Body::Memory(bytes) => bytes.len() as u64,
            Body::Disk(_, bytes) => *bytes,
        }
    }

    /// What it holds, from its beginning, whoever else reads it.
    pub fn read(&self) -> Reading {
        Reading { body: self.body.clone(), at: 0 }
    }

    /// How large it is, in words.
    pub fn size(&self) -> String {
        size(self.bytes())
    }
}

/// Reads a [`File`], with a place of its own in it, and need not end before it.
pub struct Reading {
    body: Body,
    at: u64,
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = match &self.body {
            Body::Memory(bytes) => {
                let at = usize::try_from(self.at).unwrap_or(usize::MAX);
                bytes.get(at..).unwrap_or_default().read(into)?
            }
            Body::Disk(file, _) => file.read_at(into, self.at)?,
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("at", &self.at).finish_non_exhaustive()
    }
}

impl fmt::Debug for File {
    /// Without what it holds: that may be long, and is not for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.mime, self.size())
    }
}
