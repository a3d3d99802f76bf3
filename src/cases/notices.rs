//! Reporters who are to be told that what they reported was looked at.

use super::{Cases, Deserialize, OwnedEventId, OwnedRoomId, OwnedUserId, Serialize, key, store};

/// What is to be told to the reporters of a case that was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReporterNotices {
    /// The number of the case.
    pub case: u64,
    /// Who has closed it: they are told in the name of that operator.
    pub by: OwnedUserId,
    /// Where it was closed, and by which message.
    pub asked: (OwnedRoomId, OwnedEventId),
    /// Who is still to be told.
    pub left: Vec<OwnedUserId>,
    /// How many were to be told.
    pub all: usize,
    /// How many were told.
    pub told: usize,
    /// Why others were not, in the bot's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

impl Cases {
    /// What is still to be told to reporters, the first case first.
    pub fn notices(&self) -> Result<Vec<ReporterNotices>, store::Error> {
        Ok(self.notices.all()?.into_iter().map(|(_, notices)| notices).collect())
    }

    /// Keeps what is to be told of a case.
    pub fn keep_notices(&self, notices: &ReporterNotices) -> Result<(), store::Error> {
        self.notices.put(&key(notices.case), notices)
    }

    /// Forgets what was to be told of a case.
    pub fn end_notices(&self, case: u64) -> Result<(), store::Error> {
        self.notices.remove(&key(case))
    }
}
