//! What the bot remembers of a subject, as verbs may know it.

use jiff::Timestamp;
use ruma::OwnedUserId;

use crate::{
    change::Subject,
    error::Stop,
    reply::{Hostile, Status},
};

/// What a verb may know of the past. Nothing here can be changed through it.
pub trait Memory: Send + Sync {
    /// What is remembered of `subject`, with at most `limit` changes of the past and notes.
    fn of(&self, subject: &Subject, limit: usize) -> Remembered;

    /// What was changed by one of these verbs through the bot, or began to be: each once with the newest
    /// such change, newest first, at most `limit`. A past that cannot be read is an error, and not empty.
    fn changed_by(&self, verbs: &[&str], limit: usize) -> Result<Changed, Stop>;
}

/// What was changed by some verbs.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    /// Each with the newest change of it.
    pub subjects: Vec<(Subject, Past)>,
    /// Whether there are more of them.
    pub more: bool,
    /// Since when changes are remembered; `None` where none ever was.
    pub since: Option<Timestamp>,
}

/// What is remembered of a subject.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// What was done to it through the bot, newest first.
    pub past: Vec<Past>,
    /// What of that ends by itself, and has not ended.
    pub sanctions: Vec<Sanctioned>,
    /// What operators have noted about it, newest first.
    pub notes: Vec<Noted>,
}

/// What an operator has noted.
#[derive(Debug, Clone)]
pub struct Noted {
    /// Number of the note.
    pub id: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Who wrote it.
    pub by: OwnedUserId,
    /// What it says.
    pub text: Hostile,
}

/// A change that ends by itself.
#[derive(Debug, Clone)]
pub struct Sanctioned {
    /// Number of the change.
    pub id: u64,
    /// When it ends.
    pub until: Timestamp,
    /// Who imposed it.
    pub by: OwnedUserId,
    /// The words of the command, as understood.
    pub words: Vec<String>,
    /// The command as understood, as it would be typed.
    pub command: String,
}

/// One change of the past.
#[derive(Debug, Clone)]
pub struct Past {
    /// Number of the record.
    pub id: u64,
    /// When it was done.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: OwnedUserId,
    /// The words of the command, as understood.
    pub words: Vec<String>,
    /// The command as understood, as it would be typed.
    pub command: String,
    /// How it ended.
    pub status: Option<Status>,
}
