//! Whether the homeserver limits how much is asked of it, as far as its answers say.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::reader::Reader;
use crate::error::api::Error;

/// How long nothing is asked where the homeserver, or a proxy before it, does not say how long.
const UNSAID: Duration = Duration::from_secs(30);

/// The longest that nothing is asked: then it is asked whether the limit still holds.
const LONGEST: Duration = Duration::from_mins(10);

/// Until when the homeserver has asked to be left alone (status 429). Whoever sends to it shares it.
#[derive(Debug, Clone, Default)]
pub struct Throttle(Arc<Mutex<Option<Instant>>>);

impl Throttle {
    /// How long it asks to be left alone yet; `None` where it does not.
    pub fn left(&self) -> Option<Duration> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Notes what the last answer to a request says of it: whatever was repeated in vain is a limit. What
    /// is answered meanwhile does not end it, since it can have been sent before.
    pub(super) fn note<T>(&self, answer: &Result<T, Error>) {
        if let Err(error) = answer
            && error.is_limited()
        {
            let wait = error.retry_after().unwrap_or(UNSAID).min(LONGEST);
            let until = Instant::now() + wait;
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        }
    }
}

impl Reader {
    /// What is known of the limits on how much is asked.
    pub fn throttle(&self) -> &Throttle {
        &self.shared.throttle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_as_long_as_it_says_and_no_longer_than_can_be_waited_for() {
        let throttle = Throttle::default();
        assert_eq!(throttle.left(), None);
        let limited = |seconds| Err::<(), _>(Error::limited(seconds));
        for (said, held) in [(Some(40), 40), (Some(86_400), 600), (None, 30)] {
            throttle.note(&limited(said));
            let left = throttle.left().unwrap();
            assert!(left <= Duration::from_secs(held), "{said:?}: {left:?}");
            assert!(left > Duration::from_secs(held - 5), "{said:?}: {left:?}");
        }
        throttle.note(&Err::<(), _>(Error::refused(404, "M_NOT_FOUND", "")));
        throttle.note(&Ok(()));
        assert!(throttle.left().is_some(), "what was on its way before says nothing of it");
        throttle.note(&limited(Some(0)));
        assert_eq!(throttle.left(), None);
    }
}
