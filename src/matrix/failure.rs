//! What an error of the homeserver means for going on, and how long to wait.

use std::time::Duration;

use matrix_sdk::{
    HttpError,
    ruma::api::error::{ErrorKind, RetryAfter},
};
use rand::Rng as _;

/// The longest that is waited between two tries.
const LONGEST: Duration = Duration::from_mins(1);

/// What an error means for going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The access token does not count any more.
    LoggedOut,
    /// The homeserver wants the bot to slow down, and may say for how long.
    Limited(Option<Duration>),
    /// The network or the homeserver is not well; the same request may work later.
    Passing,
    /// Trying again is of no use.
    Lasting,
}

impl Failure {
    /// What an error of a request means.
    pub(super) fn of_http(error: &HttpError) -> Self {
        match error.client_api_error_kind() {
            Some(ErrorKind::UnknownToken(_)) => return Self::LoggedOut,
            Some(ErrorKind::LimitExceeded(data)) => {
                return Self::Limited(match data.retry_after {
                    Some(RetryAfter::Delay(delay)) => Some(delay),
                    _ => None,
                });
            }
            _ => {}
        }
        match error {
            HttpError::Reqwest(_) | HttpError::Cached(_) => Self::Passing,
            HttpError::Api(answer) => Self::of_status(answer),
            _ => Self::Lasting,
        }
    }

    /// What an error of the SDK means.
    pub(super) fn of(error: &matrix_sdk::Error) -> Self {
        match error {
            matrix_sdk::Error::Http(error) => Self::of_http(error),
            _ => Self::Lasting,
        }
    }

    fn of_status(
        answer: &ruma::api::error::FromHttpResponseError<matrix_sdk::RumaApiError>,
    ) -> Self {
        use ruma::api::error::FromHttpResponseError as E;
        match answer {
            E::Server(matrix_sdk::RumaApiError::MatrixError(error)) => {
                let status = error.status_code;
                if status.is_server_error() {
                    Self::Passing
                } else if status.as_u16() == 429 {
                    Self::Limited(None)
                } else {
                    Self::Lasting
                }
            }
            E::Server(_) => Self::Lasting,
            // Not what a homeserver answers: normally a proxy before one that is down.
            _ => Self::Passing,
        }
    }
}

/// How long to wait after one failure and the next: from one second to a minute, doubled each
/// time, with chance in it so that many clients do not come back at once.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure; `asked` is what the homeserver asked for, which is never
    /// undercut.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let full = Duration::from_secs(1 << self.failures.min(6)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let wait = full.mul_f64(rand::rng().random_range(0.5..=1.0));
        wait.max(asked.unwrap_or_default())
    }

    /// Whether the last try failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_start_again_after_a_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..10).map(|_| backoff.next(None)).collect();
        assert!(waits[0] >= Duration::from_millis(500) && waits[0] <= Duration::from_secs(1));
        assert!(waits.iter().all(|&wait| wait <= LONGEST));
        assert!(waits[9] >= LONGEST / 2);

        backoff.reset();
        assert!(!backoff.is_failing());
        assert!(backoff.next(None) <= Duration::from_secs(1));
    }

    #[test]
    fn a_wait_is_never_shorter_than_the_homeserver_asks_for() {
        let asked = Duration::from_mins(5);
        assert_eq!(Backoff::default().next(Some(asked)), asked);
    }
}
