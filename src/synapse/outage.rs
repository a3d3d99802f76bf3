//! Whether the homeserver answers at all, as far as looks have shown.

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
    /// When it is worth to ask again, if the last look got no answer.
    again: Option<Instant>,
    /// When a look was answered last.
    answered: Option<Instant>,
}

impl Outage {
    /// How long to wait before asking again; `None` where the last look was answered, or it is time.
    pub fn left(&self) -> Option<Duration> {
        let left = self.seen().again?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
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
            Err(error) if error.is_away() => seen.again = Some(now + PAUSE),
            _ => *seen = Seen { again: None, answered: Some(now) },
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
        assert_eq!(outage.left(), None);
        let away = || Err::<(), _>(Error::new(Kind::Unreachable));
        outage.note(&away());
        assert!(outage.left().is_some_and(|left| left <= PAUSE));
        assert!(!outage.has_answered_since(begun));
        // A refusal is an answer too.
        outage.note(&Err::<(), _>(Error::refused(404, "M_NOT_FOUND", "")));
        assert_eq!(outage.left(), None);
        assert!(outage.has_answered_since(begun));
        assert!(!outage.has_answered_since(Instant::now()));
        outage.note(&away());
        assert!(outage.left().is_some() && outage.has_answered_since(begun));
    }
}
