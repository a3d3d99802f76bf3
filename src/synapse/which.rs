//! Which Synapse it is, as far as what it serves depends on that.

use std::fmt;

use serde::Deserialize;

use super::reader::Reader;
use crate::{
    change::Path,
    error::api::{Error, Kind},
};

/// A version of Synapse, as far as functions come with it: what follows the second number mends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    /// The first release of these two numbers.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }

    /// Reads what a homeserver says of itself, such as `1.163.2 (b=main,1a2b3c)` or `1.164.0rc1`.
    pub fn read(text: &str) -> Option<Self> {
        let mut numbers = text.trim_start_matches('v').split(['.', ' ', '+']);
        Some(Self { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Reader {
    /// Which version answers; `None` where it says nothing that can be read.
    /// `GET /_synapse/admin/v1/server_version`.
    pub async fn version(&self) -> Result<Option<Version>, Error> {
        #[derive(Deserialize)]
        struct Answered {
            server_version: String,
        }
        let answered: Result<Answered, Error> =
            self.get(&Path::admin(["v1", "server_version"]), &[]).await;
        Ok(told(answered)?.and_then(|answered| Version::read(&answered.server_version)))
    }

    /// Whether an authentication service keeps its accounts.
    /// `GET /_matrix/client/v1/auth_metadata`, which only such a homeserver has.
    pub async fn is_delegated(&self) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Metadata {
            #[expect(dead_code, reason = "it is what tells an authentication service from a page")]
            issuer: String,
        }
        let answered: Result<Metadata, Error> =
            self.get(&Path::client(["v1", "auth_metadata"]), &[]).await;
        Ok(told(answered)?.is_some())
    }
}

/// Whether it is an answer, though not to what was asked. An address that leads to the Admin API alone
/// is answered for the rest by whatever stands in front of it.
fn is_no(error: &Error) -> bool {
    matches!(error.kind(), Kind::Status(_) | Kind::Unreadable | Kind::NotJson | Kind::Empty)
}

/// What was answered, `None` for a refusal; an error where nothing was.
fn told<T>(answered: Result<T, Error>) -> Result<Option<T>, Error> {
    match answered {
        Ok(answered) => Ok(Some(answered)),
        Err(error) if is_no(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_whatever_stands_behind_it() {
        for text in ["1.163.2", "1.163.2 (b=main,1a2b3c)", "1.163.0rc1", "v1.163.0+vendor", "1.163"]
        {
            assert_eq!(Version::read(text), Some(Version::new(1, 163)), "{text}");
        }
        for text in ["", "1", "Synapse/1.163", "1.x", "..."] {
            assert_eq!(Version::read(text), None, "{text}");
        }
        assert!(Version::new(1, 99) < Version::new(1, 163), "they are numbers, not text");
        assert_eq!(Version::new(1, 99).to_string(), "1.99");
    }
}
