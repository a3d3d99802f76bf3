//! Whether the homeserver, and the authentication service beside it, answer at all, as far as looks have shown.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::reader::Reader;
use crate::error::api::Error;

/// How long nothing that has time is asked behind a look that got no answer.
const PAUSE: Duration = Duration::from_secs(5);

/// What the last looks say. Whoever looks at the same homeserver shares it.
#[derive(Debug, Clone, Default)]
pub struct Outage(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// Why the last look got no answer, and when it is worth to ask again.
    away: Option<(Error, Instant)>,
    /// When a look was answered last.
    answered: Option<Instant>,
}

impl Outage {
    /// Why the last look got no answer; `None` where it was answered, or it is time to ask again.
    pub fn why(&self) -> Option<Error> {
        let seen = self.seen();
        let away = seen.away.as_ref().filter(|(_, again)| *again > Instant::now());
        away.map(|(error, _)| error.clone())
    }

    /// Whether any look was answered after this moment.
    pub fn has_answered_since(&self, moment: Instant) -> bool {
        self.seen().answered.is_some_and(|answered| answered > moment)
    }

    /// Notes what the last answer to a request says of it: whatever was repeated in vain.
    pub(super) fn note<T>(&self, answer: &Result<T, Error>) {
        let now = Instant::now();
        let mut seen = self.seen();
        match answer {
            Err(error) if error.is_away() => seen.away = Some((error.clone(), now + PAUSE)),
            _ => *seen = Seen { away: None, answered: Some(now) },
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    /// What is known of whether the homeserver answers.
    pub fn outage(&self) -> &Outage {
        &self.shared.outage
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::api::Kind;

    #[test]
    fn it_lasts_until_something_is_answered() {
        let (outage, begun) = (Outage::default(), Instant::now());
        assert!(outage.why().is_none());
        let away = || Err::<(), _>(Error::new(Kind::Unreachable));
        outage.note(&away());
        assert!(outage.why().is_some_and(|error| error.is_away()));
        assert!(!outage.has_answered_since(begun));
        // A refusal is an answer too.
        outage.note(&Err::<(), _>(Error::refused(404, "M_NOT_FOUND", "")));
        assert!(outage.why().is_none());
        assert!(outage.has_answered_since(begun));
        assert!(!outage.has_answered_since(Instant::now()));
        outage.note(&away());
        assert!(outage.why().is_some() && outage.has_answered_since(begun));
    }
}
