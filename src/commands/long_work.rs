//! What the homeserver goes on with after it has answered, for verbs that have it followed alike.

use async_trait::async_trait;

use crate::{
    change::{Answer, Progress, Snapshot, Subject},
    error::Stop,
    synapse::Reader,
};

/// What goes on after a change, whichever verb made it: the methods of the same names of
/// [`Action`](super::Action), which asks these where a verb hands one over.
#[async_trait]
pub trait LongWork: Send + Sync {
    /// The id by which [`progress`](Self::progress) tells how far it is; `None` where the homeserver
    /// was through when it answered.
    fn begins(
        &self,
        subject: &Subject,
        answers: &[Answer],
        after: Option<&Snapshot>,
    ) -> Option<String>;

    /// The same where no answer came, and the homeserver is perhaps still at work.
    fn outlasts(&self, _subject: &Subject, _before: &Snapshot) -> Option<String> {
        None
    }

    /// How far it is, and at its end what came of it.
    async fn progress(
        &self,
        subject: &Subject,
        work: &str,
        reader: &Reader,
    ) -> Result<Progress, Stop>;
}
