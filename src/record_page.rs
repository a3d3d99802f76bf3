//! The record as one page, for whoever audits it and has no bot: a file of HTML that needs nothing else
//! and asks for nothing.
//!
//! What stands in a record was typed by people and named by others, so all of it is hostile here: it
//! is escaped, what cannot be seen of it is shown by its number, and the page forbids itself every
//! request and every script but its own (`Content-Security-Policy`).

use std::io::{self, BufRead, Write};

use jiff::Timestamp;

use crate::audit::{Broken, Head};

mod chains;
mod html;
mod plot;
mod read;
#[cfg(test)]
mod tests;
mod weeks;

use read::Reading;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The record cannot be read.
    #[error("the record cannot be read")]
    Unread(#[source] io::Error),
    /// It is no record at all.
    #[error("none of its lines is an entry of a record")]
    NoRecord,
    /// The page cannot be written.
    #[error("the page cannot be written")]
    Unwritten(#[from] io::Error),
    /// The numbers of the weeks cannot be drawn.
    #[error("the weeks cannot be drawn: {0}")]
    Undrawn(String),
}

/// What the page says of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// How far it is one unbroken chain.
    pub head: Head,
    /// Where it is broken, if it is.
    pub broken: Option<Broken>,
    /// Whether the head that was given stands in it; nothing where none was given.
    pub head_found: Option<bool>,
}

impl Proof {
    /// Whether nothing speaks against it.
    pub fn holds(&self) -> bool {
        self.broken.is_none() && self.head_found != Some(false)
    }
}

/// Writes the page of the record in `lines`, one JSON object a line, as somebody sees it at `now`. What
/// follows a place where the chain is broken stands in the page too, and is marked.
///
/// # Errors
/// Where it cannot be read or written, or is no record. A broken chain is none: it is in the answer.
pub fn write(
    lines: impl BufRead,
    head: Option<&str>,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<Proof, Error> {
    let reading = Reading::of(lines, head).map_err(Error::Unread)?;
    if reading.entries.is_empty() && reading.proof.broken.is_some() {
        return Err(Error::NoRecord);
    }
    html::write(&reading, now, out)?;
    out.flush()?;
    Ok(reading.proof)
}
