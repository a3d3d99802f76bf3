//! How often something is tried: until it works, is of no use, or its time is over.

use std::{sync::PoisonError, time::Duration};

use futures_util::future::BoxFuture;
use matrix_sdk::config::RequestConfig;
use matrix_sdk_base::crypto::{OlmError, SessionRecipientCollectionError};
use ruma::UserId;
use tokio::time::Instant;

use super::Sender;
use crate::{
    matrix::failure::{Backoff, Failure},
    pipeline::{News, Unsent},
};

/// The longest that one request may take before the next try.
const REQUEST: Duration = Duration::from_secs(12);

/// How long the room is not told again that the bot is limited.
const TOLD: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// Why a try did not work.
#[derive(Debug)]
pub(in crate::matrix) enum Tried {
    /// What was in the way is out of it.
    Again,
    Failed(matrix_sdk::Error),
}

impl From<matrix_sdk::Error> for Tried {
    fn from(error: matrix_sdk::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<matrix_sdk::HttpError> for Tried {
    fn from(error: matrix_sdk::HttpError) -> Self {
        Self::Failed(error.into())
    }
}

impl Sender {
    /// Tries until it works, until it is of no use, or until the deadline.
    pub(in crate::matrix) async fn insist<'a, T>(
        &self,
        deadline: Instant,
        attempt: impl Fn() -> BoxFuture<'a, Result<T, Tried>> + Send + Sync,
    ) -> Result<T, Unsent> {
        let mut backoff = Backoff::short();
        let mut limited = false;
        loop {
            let tried = tokio::time::timeout_at(deadline, attempt()).await;
            let wait = match tried {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(Tried::Again)) => continue,
                Ok(Err(Tried::Failed(error))) => match Failure::of(&error) {
                    Failure::Limited(asked) => {
                        limited = true;
                        let wait = asked.unwrap_or(Duration::from_secs(1));
                        self.spare(wait);
                        self.tell_limited(wait);
                        wait
                    }
                    Failure::Passing => backoff.next(None),
                    Failure::Lasting | Failure::LoggedOut | Failure::Expired => {
                        return Err(Unsent::Refused(Box::new(error)));
                    }
                },
                Err(_) => deadline.saturating_duration_since(Instant::now()),
            };
            if Instant::now() + wait >= deadline {
                return Err(if limited { Unsent::Limited } else { Unsent::Timeout });
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Whether an error was that somebody who was verified has a new key, and they are no longer
    /// verified now.
    ///
    /// The bot verifies nobody, but a person may have done so as the bot in another client. The
    /// SDK then encrypts for nobody at all until that is settled. Their commands do not count
    /// with a new key (`trust`), so nothing is lost by going on for the others.
    pub(super) async fn forgave(&self, error: &matrix_sdk::Error) -> bool {
        let matrix_sdk::Error::OlmError(error) = error else { return false };
        let OlmError::SessionRecipientCollectionError(
            SessionRecipientCollectionError::VerifiedUserChangedIdentity(users),
        ) = &**error
        else {
            return false;
        };
        for user in users {
            if let Err(error) = self.withdraw(user).await {
                tracing::error!(%user, %error, "cannot send past somebody's changed key");
                return false;
            }
            tracing::warn!(%user, "was verified and has a new key; verified no longer");
        }
        !users.is_empty()
    }

    async fn withdraw(
        &self,
        user: &UserId,
    ) -> Result<(), matrix_sdk_base::crypto::CryptoStoreError> {
        match self.shared.client.encryption().get_user_identity(user).await? {
            Some(identity) => identity.withdraw_verification().await,
            None => Ok(()),
        }
    }

    fn tell_limited(&self, retry_after: Duration) {
        let now = self.shared.clock.now();
        let mut told = self.told_limited.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| now.duration_since(told) >= TOLD) {
            *told = Some(now);
            self.shared.news(News::Limited { retry_after });
        }
    }
}

/// One try of a request; trying again is `insist`'s.
pub(in crate::matrix) fn one_try() -> RequestConfig {
    RequestConfig::new().timeout(REQUEST).disable_retry()
}
