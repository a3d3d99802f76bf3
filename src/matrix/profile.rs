//! The bot's own profile: a name and a picture where its account has neither.
//!
//! Each is given once. Whoever gives the bot another one, or takes it away, has it their way.

use std::{sync::Arc, time::Duration};

use ruma::OwnedMxcUri;

use super::{ConnectError, Shared};
use crate::store::{Shelf, Store};

/// The picture; `deploy/avatar.py` draws it.
const PICTURE: &[u8] = include_bytes!("avatar.png");

/// How long the homeserver has for all of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was given to the profile, or was found there.
const NAME: &str = "name";
const AVATAR: &str = "avatar";

/// The bot's profile.
#[derive(Debug)]
pub(super) struct Profile {
    shared: Arc<Shared>,
    /// What need not be looked at any more.
    settled: Shelf<bool>,
}

impl Profile {
    pub(super) fn new(shared: Arc<Shared>, store: &Store) -> Result<Self, ConnectError> {
        Ok(Self { shared, settled: store.shelf("profile")? })
    }

    /// Gives the profile what it lacks, and never returns. What does not work is tried at the next start.
    pub(super) async fn completed(&self) {
        self.complete().await;
        std::future::pending::<()>().await;
    }

    async fn complete(&self) {
        let completing = async {
            self.settle(NAME, self.give_name()).await;
            if self.shared.settings.avatar {
                self.settle(AVATAR, self.give_picture()).await;
            }
        };
        if tokio::time::timeout(PATIENCE, completing).await.is_err() {
            tracing::warn!("the homeserver takes too long to give me a name and a picture");
        }
    }

    /// Does it unless it was done by an earlier run.
    async fn settle(&self, what: &str, giving: impl Future<Output = matrix_sdk::Result<()>>) {
        if !matches!(self.settled.get(what), Ok(None)) {
            return;
        }
        let given = giving.await.map_err(|error| error.to_string());
        let kept =
            given.and_then(|()| self.settled.put(what, &true).map_err(|error| error.to_string()));
        if let Err(error) = kept {
            tracing::warn!(%error, what, "my profile stays as it is");
        }
    }

    /// A homeserver names a new account by its localpart, which is no name that somebody gave it.
    async fn give_name(&self) -> matrix_sdk::Result<()> {
        let account = self.shared.client.account();
        let settings = &self.shared.settings;
        let named = account.get_display_name().await?;
        let nameless =
            named.is_none_or(|name| name.trim().is_empty() || name == settings.user_id.localpart());
        if nameless {
            account.set_display_name(Some(&settings.display_name)).await?;
            tracing::info!(name = settings.display_name, "my profile had no name");
        }
        Ok(())
    }

    async fn give_picture(&self) -> matrix_sdk::Result<()> {
        let account = self.shared.client.account();
        let pictured = account.get_avatar_url().await?;
        if pictured.as_ref().is_none_or(is_empty) {
            account.upload_avatar(&mime::IMAGE_PNG, PICTURE.to_vec()).await?;
            tracing::info!("my profile had no picture");
        }
        Ok(())
    }
}

fn is_empty(address: &OwnedMxcUri) -> bool {
    address.as_str().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_a_small_png() {
        assert!(PICTURE.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert!(PICTURE.len() < 10_000, "{} bytes", PICTURE.len());
    }
}
