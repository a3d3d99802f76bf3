//! The first word of an answer.

use serde::{Deserialize, Serialize};

/// The first word of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything that was asked for was done, and was verified.
    Done,
    /// Some of it was done.
    DoneInPart,
    /// It was in the wanted state before, or there was nothing to do it to.
    NothingChanged,
    /// A right or a rule is against it; nothing was done.
    Refused,
    /// What was typed is no command; nothing was done.
    NotUnderstood,
    /// Nobody and nothing is known by what was typed; nothing was done.
    NotFound,
    /// The homeserver, what stands before it, or the bot's own disk failed; nothing was done.
    Failed,
    /// The yes came too late.
    Expired,
    /// It was sent, and nobody knows what became of it.
    Unknown,
}

impl Status {
    /// Every one of them.
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::DoneInPart,
        Self::NothingChanged,
        Self::Refused,
        Self::NotUnderstood,
        Self::NotFound,
        Self::Failed,
        Self::Expired,
        Self::Unknown,
    ];

    /// The word as the room reads it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::DoneInPart => "Done in part",
            Self::NothingChanged => "Nothing changed",
            Self::Refused => "Refused",
            Self::NotUnderstood => "Not understood",
            Self::NotFound => "Not found",
            Self::Failed => "Failed",
            Self::Expired => "Expired",
            Self::Unknown => "Unknown",
        }
    }

    /// Whether nothing was done, although it was not as wanted before.
    pub fn is_no(self) -> bool {
        match self {
            Self::Refused | Self::NotUnderstood | Self::NotFound | Self::Failed => true,
            Self::Done
            | Self::DoneInPart
            | Self::NothingChanged
            | Self::Expired
            | Self::Unknown => false,
        }
    }
}
