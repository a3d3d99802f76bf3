//! Text that somebody else wrote.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name, topic, reason or file name as the homeserver gave it.
///
/// It has no `Display`, so it cannot be formatted into a sentence by accident: the only way into
/// an answer is [`Line::hostile`](super::Line::hostile), which is drawn escaped, on one line, and
/// without the control characters that turn the direction of writing.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hostile(String);

impl Hostile {
    /// Marks `text` as somebody else's.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it came, for comparing it, sending it back or quoting it as an argument; not
    /// for showing it.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hostile({:?})", self.0)
    }
}
