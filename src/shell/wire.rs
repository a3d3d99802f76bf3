//! What passes over the socket: frames of one byte that says what it is, four that say how long it is,
//! the most significant first, and what it holds.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::reply::Screen;

/// The longest that a frame may be, bytes: a call of as many words as are read.
const LONGEST: u32 = 256 * 1024;

/// What of a file is sent at once, bytes.
pub(super) const PART: usize = 64 * 1024;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A call, from the shell.
    Call,
    /// A line that was typed.
    Line,
    /// Nothing more will be typed.
    Nothing,
    /// For the standard output.
    Out,
    /// For the standard error.
    Err,
    /// A line is to be typed.
    Ask,
    /// It is over, with this exit code.
    End,
}

impl Kind {
    const ALL: [(Self, u8); 7] = [
        (Self::Call, b'c'),
        (Self::Line, b'l'),
        (Self::Nothing, b'n'),
        (Self::Out, b'o'),
        (Self::Err, b'e'),
        (Self::Ask, b'a'),
        (Self::End, b'x'),
    ];

    fn byte(self) -> u8 {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or(b'n', |(_, byte)| *byte)
    }

    fn of(byte: u8) -> io::Result<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == byte);
        found.map(|(kind, _)| *kind).ok_or_else(|| unreadable("what is no frame"))
    }
}

/// What was typed, and where it is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Called {
    pub(super) words: Vec<String>,
    /// The standard output.
    pub(super) out: Screen,
    /// The standard error, where questions and words in between are read.
    pub(super) err: Screen,
    /// Whether somebody is there to be asked.
    pub(super) asks: bool,
}

/// A frame as it is sent.
pub(super) fn frame(kind: Kind, holds: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(holds.len()).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| unreadable("a frame that is too long"))?;
    let mut frame = Vec::with_capacity(holds.len() + 5);
    frame.push(kind.byte());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(holds);
    Ok(frame)
}

/// Reads one frame.
pub(super) fn read(from: &mut impl Read) -> io::Result<(Kind, Vec<u8>)> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let (kind, length) = opened(head)?;
    let mut holds = vec![0; length];
    from.read_exact(&mut holds)?;
    Ok((kind, holds))
}

/// Reads one frame, without keeping the others waiting.
pub(super) async fn read_async(
    from: &mut (impl AsyncRead + Unpin + Send),
) -> io::Result<(Kind, Vec<u8>)> {
    let mut head = [0; 5];
    from.read_exact(&mut head).await?;
    let (kind, length) = opened(head)?;
    let mut holds = vec![0; length];
    from.read_exact(&mut holds).await?;
    Ok((kind, holds))
}

fn opened([kind, length @ ..]: [u8; 5]) -> io::Result<(Kind, usize)> {
    let length = u32::from_be_bytes(length);
    if length > LONGEST {
        return Err(unreadable("a frame that is too long"));
    }
    Ok((Kind::of(kind)?, usize::try_from(length).unwrap_or(usize::MAX)))
}

fn unreadable(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_sent_and_what_is_none_is_refused() {
        for (kind, _) in Kind::ALL {
            let sent = frame(kind, b"some\0thing").unwrap();
            assert_eq!(read(&mut &*sent).unwrap(), (kind, b"some\0thing".to_vec()));
        }
        let long = vec![0; 256 * 1024 + 1];
        assert!(frame(Kind::Out, &long).is_err());
        for bad in [&b"z\0\0\0\0"[..], b"o\xff\xff\xff\xff", b"o\0\0\0\x05abc", b"o\0"] {
            assert!(read(&mut &*bad).is_err(), "{bad:?}");
        }
    }
}
