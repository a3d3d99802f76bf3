//! Whether the homeserver takes the admin token, as far as its answers say.

use std::sync::{Arc, Mutex, PoisonError};

use ruma::UserId;

use super::reader::Reader;
use crate::error::api::{Error, Kind};

/// What the homeserver last said of the admin token. Whoever sends with the token shares it.
#[derive(Debug, Clone, Default)]
pub struct TokenState(Arc<Mutex<Option<Error>>>);

impl TokenState {
    /// Why the homeserver does not take the token; `None` as long as it has not said so.
    pub fn refused(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what an answer says of the token.
    pub(super) fn note<T>(&self, answer: &Result<T, Error>) {
        if let Err(error) = answer
            && error.is_of_token()
        {
            self.set(Some(error.clone()));
        }
    }

    fn set(&self, refused: Option<Error>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = refused;
    }
}

impl Reader {
    /// What is known of the admin token.
    pub fn token(&self) -> &TokenState {
        &self.shared.token
    }

    /// Asks for an account that an admin may see, to learn whether the token is taken. Where nothing
    /// can be learned, what was known before stays, and the error says why.
    pub async fn try_token(&self, account: &UserId) -> Result<(), Error> {
        match self.afresh().account(account).await {
            // Answered with an account, whatever is wrong with it.
            Err(error) if !matches!(error.kind(), Kind::Unreadable) => Err(error),
            _ => {
                self.shared.token.set(None);
                Ok(())
            }
        }
    }
}
