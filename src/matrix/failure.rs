//! What an error of the homeserver means for going on, and how long to wait.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use matrix_sdk::{
    HttpError,
    ruma::api::error::{ErrorKind, RetryAfter},
};

/// What an error means for going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The access token does not count any more.
    LoggedOut,
    /// The access token's time is over. Its device is still there.
    Expired,
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
            Some(ErrorKind::UnknownToken(data)) if data.soft_logout => return Self::Expired,
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

/// How long to wait where somebody waits for the homeserver to be back: never long, with chance in it.
const SHORT_WAITS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(250))
    .with_max_delay(Duration::from_secs(2))
    .with_jitter()
    .without_max_times();

/// How long to wait after one failure and the next: from one second to a minute, doubled each
/// time, with chance in it so that many clients do not come back at once. The chance adds up to as
/// much again to each wait, so these are the shortest.
const WAITS: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(500))
    .with_max_delay(Duration::from_secs(30))
    .with_jitter()
    .without_max_times();

/// The waits since it last worked.
#[derive(Debug)]
pub(super) struct Backoff {
    builder: ExponentialBuilder,
    waits: Option<<ExponentialBuilder as BackoffBuilder>::Backoff>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { builder: WAITS, waits: None }
    }
}

impl Backoff {
    /// One whose waits stay short: at most four seconds.
    pub(super) fn short() -> Self {
        Self { builder: SHORT_WAITS, waits: None }
    }

    /// The wait after one more failure; `asked` is what the homeserver asked for, which is never
    /// undercut.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let wait = self.waits.get_or_insert_with(|| self.builder.build()).next();
        wait.max(asked).unwrap_or_default()
    }

    /// Whether the last try failed.
    pub(super) fn is_failing(&self) -> bool {
        self.waits.is_some()
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        self.waits = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_start_again_after_a_success() {
        let mut backoff = Backoff::default();
        for most in [1, 2, 4, 8, 16, 32, 60, 60, 60].map(Duration::from_secs) {
            let wait = backoff.next(None);
            assert!(most / 2 <= wait && wait <= most, "{wait:?} where {most:?} is the most");
        }

        backoff.reset();
        assert!(!backoff.is_failing());
        assert!(backoff.next(None) <= Duration::from_secs(1));
    }

    #[test]
    fn where_somebody_waits_no_wait_is_longer_than_four_seconds() {
        let mut backoff = Backoff::short();
        for _ in 0..50 {
            assert!(backoff.next(None) <= Duration::from_secs(4));
        }
    }

    #[test]
    fn a_wait_is_never_shorter_than_the_homeserver_asks_for() {
        let asked = Duration::from_mins(5);
        assert_eq!(Backoff::default().next(Some(asked)), asked);
    }
}
