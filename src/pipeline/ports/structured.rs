//! A command that comes as an object beside the text of its message (MSC4391), as intake found it.

use ruma::OwnedEventId;
use serde_json::Value;

/// A message that holds a command as an object, and mentions the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structured {
    /// The object: whatever a client has put there.
    pub object: Value,
    /// The text and HTML beside it. They need not say the same, so they are searched for secrets that
    /// must not stay in the room, and for nothing else.
    pub beside: String,
    /// The event that it replies to, of which the same holds as of that of any message.
    pub reply_to: Option<OwnedEventId>,
    /// Whether it edits an earlier message; then it is never run.
    pub edits: bool,
    /// Whether it is the caption of a file.
    pub captions: bool,
}
