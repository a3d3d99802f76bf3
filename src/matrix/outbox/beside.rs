//! What is sent beside everything that is said: that the bot writes, and marks that go away again.
//!
//! None of it waits for its turn in a room, so that no answer waits for it. Each is tried once. What the
//! homeserver lets the bot send is for answers: while it limits the bot, nothing of this is sent.

use std::{sync::PoisonError, time::Duration};

use matrix_sdk::ruma::api::client::typing::create_typing_event::v3::{
    Request as TypingRequest, Typing, TypingInfo,
};
use ruma::{OwnedEventId, RoomId};
use serde_json::json;
use tokio::time::Instant;

use super::{Sender, one_try, transaction};
use crate::{matrix::failure::Failure, pipeline::Unsent};

/// How long the homeserver shows that the bot writes, unless it is told again.
const SHOWN: Duration = Duration::from_secs(30);

/// How long after the homeserver has limited the bot nothing is sent that need not be.
const SPARED: Duration = Duration::from_mins(1);

impl Sender {
    /// The homeserver limits the bot, and wants it to wait this long.
    pub(super) fn spare(&self, wait: Duration) {
        let until = Instant::now() + wait + SPARED;
        *self.spared_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    fn is_limited(&self) -> bool {
        let until = *self.spared_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// `PUT /_matrix/client/v3/rooms/{roomId}/typing/{userId}`. Not the SDK's own, which has to be told
    /// again every four seconds.
    #[expect(clippy::disallowed_methods, reason = "this is the outbox")]
    pub(super) async fn show_typing(&self, room: &RoomId, types: bool) {
        if types && self.is_limited() {
            return;
        }
        let typing = if types { Typing::Yes(TypingInfo::new(SHOWN)) } else { Typing::No };
        let bot = self.shared.settings.user_id.clone();
        let request = TypingRequest::new(bot, room.to_owned(), typing);
        let sending = self.shared.client.send(request).with_request_config(one_try());
        if let Err(error) = sending.await {
            tracing::debug!(%room, %error, "it is not shown whether I write");
        }
    }

    /// A reaction is in clear also where the room is encrypted.
    #[expect(clippy::disallowed_methods, reason = "this is the outbox")]
    pub(super) async fn mark(
        &self,
        room: &RoomId,
        event: &OwnedEventId,
        key: &str,
    ) -> Result<OwnedEventId, Unsent> {
        if self.is_limited() {
            return Err(Unsent::Limited);
        }
        let content = json!({
            "m.relates_to": { "rel_type": "m.annotation", "event_id": event, "key": key },
        });
        let transaction = transaction(&[event.as_str(), "mark", key]);
        let here = self.room(room)?;
        let sending = here
            .send_raw("m.reaction", content)
            .with_transaction_id(&transaction)
            .with_request_config(one_try());
        match sending.await {
            Ok(sent) => Ok(sent.response.event_id),
            Err(error) => {
                if let Failure::Limited(asked) = Failure::of(&error) {
                    self.spare(asked.unwrap_or_default());
                    return Err(Unsent::Limited);
                }
                Err(Unsent::Refused(Box::new(error)))
            }
        }
    }

    pub(super) async fn unmark(&self, room: &RoomId, mark: &OwnedEventId) -> Result<(), Unsent> {
        if self.is_limited() {
            return Err(Unsent::Limited);
        }
        self.redact_beside(room, mark, "It is answered").await
    }
}
