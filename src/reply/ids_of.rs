//! What the ids are that an answer lists.

use serde::{Deserialize, Serialize};

/// What the ids of a listing are the ids of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdsOf {
    /// Accounts.
    Accounts,
    /// Rooms.
    Rooms,
    /// Files.
    Files,
    /// Devices of one account.
    Devices,
    /// Registration tokens.
    Tokens,
    /// Other servers.
    Servers,
    /// Events.
    Events,
    /// Reports of events, by their numbers.
    EventReports,
    /// Reports of accounts, by their numbers.
    AccountReports,
}

impl IdsOf {
    /// Several of them, in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Rooms => "rooms",
            Self::Files => "files",
            Self::Devices => "devices",
            Self::Tokens => "registration tokens",
            Self::Servers => "servers",
            Self::Events => "events",
            Self::EventReports => "reports of events",
            Self::AccountReports => "reports of accounts",
        }
    }

    /// One of them, in words.
    pub fn one(self) -> &'static str {
        match self {
            Self::Accounts => "an account",
            Self::Rooms => "a room",
            Self::Files => "a file",
            Self::Devices => "a device",
            Self::Tokens => "a registration token",
            Self::Servers => "a server",
            Self::Events => "an event",
            Self::EventReports => "a report of an event",
            Self::AccountReports => "a report of an account",
        }
    }

    /// The words of the command that shows one of them; none of what takes more than its id.
    pub fn card(self, id: &str) -> Option<Vec<String>> {
        let words: &[&str] = match self {
            Self::Accounts => &["user", "details"],
            Self::Rooms => &["room", "details"],
            Self::Files => &["media", "details"],
            Self::Tokens => &["regtok", "details"],
            Self::Servers => &["federation", "details"],
            Self::Events => &["event", "details"],
            Self::EventReports => &["report", "details"],
            Self::AccountReports => &["report", "details", "--users"],
            Self::Devices => return None,
        };
        Some(words.iter().copied().chain(["--", id]).map(str::to_owned).collect())
    }

    /// What ids are that say it themselves, by the sign that all of them begin with.
    pub fn of(ids: &[String]) -> Option<Self> {
        let begin = |sign: &str| ids.iter().all(|id| id.starts_with(sign));
        if begin("@") {
            Some(Self::Accounts)
        } else if begin("!") {
            Some(Self::Rooms)
        } else if begin("$") {
            Some(Self::Events)
        } else if begin("mxc://") {
            Some(Self::Files)
        } else {
            None
        }
    }
}
