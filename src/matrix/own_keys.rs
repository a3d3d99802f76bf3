//! Whether the bot's own keys are in order while it runs, and telling where they are not.

use std::sync::Arc;

use matrix_sdk::encryption::DuplicateOneTimeKeyErrorMessage;
use tokio::sync::broadcast;

use super::{Shared, identity};
use crate::pipeline::News;

/// Looks at the bot's own keys after each answer of the homeserver.
#[derive(Debug)]
pub(super) struct OwnKeys {
    shared: Arc<Shared>,
    /// Whether the device was not signed any more when it was last looked at.
    unsigned: bool,
    clashes: broadcast::Receiver<Option<DuplicateOneTimeKeyErrorMessage>>,
}

impl OwnKeys {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let clashes = shared.client.subscribe_to_duplicate_key_upload_errors();
        Self { shared, unsigned: false, clashes }
    }

    /// Tells, once, where they are not in order. Asks nobody. Whether the homeserver has refused new
    /// one-time keys just now, since it has others of the same name.
    pub(super) async fn check(&mut self) -> bool {
        let clash = self.clashes.try_recv().is_ok();
        if clash {
            tracing::error!("the homeserver has one-time keys that the bot does not know");
        }
        let unsigned = !self.shared.unsigned && !identity::is_signed(&self.shared.client).await;
        if unsigned && !self.unsigned {
            self.tell_unsigned().await;
        }
        self.unsigned = unsigned;
        clash
    }

    async fn tell_unsigned(&self) {
        let Shared { client, settings, .. } = &*self.shared;
        tracing::error!(
            "somebody has made new cross-signing keys for the bot's account: nobody can read what it \
             says, and it changes nothing. `synod check` says what to do"
        );
        match identity::note_others(client, settings).await {
            Ok(true) => self.shared.news(News::OwnKeysReplaced),
            Ok(false) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "cannot note that the keys were replaced");
                self.shared.news(News::OwnKeysReplaced);
            }
        }
    }
}
