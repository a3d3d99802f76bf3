//! One thing that was looked at, how it is, and what to do about it.

use std::fmt;

use crate::unicode;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// As it should be.
    Ok,
    /// The bot works, but not as well or as safely as it could.
    Warn,
    /// The bot does not work like this, or is not safe.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub mark: Mark,
    /// What was found, without a full stop.
    pub what: String,
    /// What to do about it, without a full stop.
    pub to_do: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.mark {
            Mark::Ok => "ok  ",
            Mark::Warn => "warn",
            Mark::Bad => "BAD ",
        };
        write!(f, "{mark}  {}.", one_line(&self.what))?;
        self.to_do.iter().try_for_each(|to_do| write!(f, " {}.", one_line(to_do)))
    }
}

/// Some of the words come from the homeserver: without line breaks, signs that steer a terminal,
/// or signs that turn the direction of writing.
fn one_line(text: &str) -> String {
    let steers = |c: char| c.is_control() || unicode::turns_direction(c);
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

impl Finding {
    pub(crate) fn ok(what: impl Into<String>) -> Self {
        Self { mark: Mark::Ok, what: what.into(), to_do: None }
    }

    pub(crate) fn warn(what: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { mark: Mark::Warn, what: what.into(), to_do: Some(to_do.into()) }
    }

    pub(crate) fn bad(what: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { mark: Mark::Bad, what: what.into(), to_do: Some(to_do.into()) }
    }
}
