//! The way out: answers, files, edits, reactions, redactions.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use matrix_sdk::{
    Room, RoomState,
    config::RequestConfig,
    ruma::api::{
        client::{redact::redact_event, room::get_room_event},
        error::ErrorKind,
    },
};
use matrix_sdk_base::crypto::{OlmError, SessionRecipientCollectionError};
use ruma::{
    EventId, OwnedEventId, OwnedRoomId, OwnedTransactionId, OwnedUserId, RoomId, TransactionId,
    UserId,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{
    Shared,
    failure::{Backoff, Failure},
    identity,
    lane::{Lane, Turn},
    power,
    shown::{is_whole, message_index_of, says},
    whisper::Whisper,
};
use crate::{
    config::Encryption,
    pipeline::{
        Ailment, Attached, Attachment, Held, News, NoWhisper, Outbox, Said, Unsent,
        stands_for_event,
    },
    reply::{Drawn, File, Reply, Ring},
};

/// The longest that one answer may take, all its parts and tries together.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest that one request may take before the next try.
const REQUEST: Duration = Duration::from_secs(12);

/// Where the record travels in the content of a message.
pub(super) const CARRIED: &str = "synod.record";

/// How long the room is not told again that the bot is limited.
const TOLD: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// Sends to rooms, to each in order.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) shared: Arc<Shared>,
    whisper: Whisper,
    lanes: Mutex<HashMap<OwnedRoomId, Arc<Lane>>>,
    told_limited: Mutex<Option<jiff::Timestamp>>,
}

impl Sender {
    pub(super) fn new(shared: Arc<Shared>, whisper: Whisper) -> Self {
        Self { shared, whisper, lanes: Mutex::default(), told_limited: Mutex::default() }
    }

    fn room(&self, room: &RoomId) -> Result<Room, Unsent> {
        self.shared.client.get_room(room).ok_or(Unsent::NotThere)
    }

    fn lane(&self, room: &RoomId) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lanes.entry(room.to_owned()).or_default())
    }

    /// Sends the parts of an answer one after another. The first replies to `about` and rings.
    async fn send_parts(
        &self,
        turn: &mut Turn<'_>,
        room: &Room,
        (about, transaction_key): (Option<&EventId>, &str),
        reply: &Reply,
    ) -> Result<OwnedEventId, Unsent> {
        self.may_be_told(room).await?;
        let deadline = Instant::now() + PATIENCE;
        let mut first = None;
        for (number, part) in reply.draw(&self.shared.settings.layout).iter().enumerate() {
            turn.give_way().await;
            let content = match first {
                None => carrying(message(part, about, &reply.ring), &reply.carried),
                Some(_) => message(part, None, &Ring::Nobody),
            };
            let transaction =
                transaction_in(room.room_id(), about, transaction_key, &number.to_string());
            let id = self.send(room, "m.room.message", content, transaction, deadline).await?;
            first.get_or_insert(id);
        }
        first.ok_or_else(|| Unsent::Refused("an answer without content".into()))
    }

    /// The record is written in clear only where the admin rooms may be in clear.
    async fn may_be_told(&self, room: &Room) -> Result<(), Unsent> {
        let settings = &self.shared.settings;
        let is_record = settings.record_room.as_deref() == Some(room.room_id());
        if !is_record || settings.encryption == Encryption::Optional {
            return Ok(());
        }
        match room.latest_encryption_state().await {
            Ok(state) if state.is_encrypted() => Ok(()),
            Ok(_) => Err(Unsent::Refused("the room of the record is not encrypted".into())),
            Err(error) => Err(Unsent::Refused(Box::new(error))),
        }
    }

    /// Sends one event, encrypted where the room is.
    #[expect(clippy::disallowed_methods, reason = "this is the outbox")]
    async fn send(
        &self,
        room: &Room,
        kind: &str,
        content: Value,
        transaction: OwnedTransactionId,
        deadline: Instant,
    ) -> Result<OwnedEventId, Unsent> {
        let attempt = || {
            let sending = room
                .send_raw(kind, content.clone())
                .with_transaction_id(&transaction)
                .with_request_config(one_try());
            async {
                match sending.await {
                    Err(error) if self.forgave(&error).await => Err(Tried::Again),
                    result => result.map(|sent| sent.response.event_id).map_err(Tried::Failed),
                }
            }
            .boxed()
        };
        self.insist(deadline, attempt).await
    }

    /// An event as the homeserver has it.
    #[expect(clippy::disallowed_methods, reason = "it only looks")]
    pub(super) async fn look_at(&self, room: &RoomId, event: &EventId) -> Result<String, Unsent> {
        let attempt = || {
            let request = get_room_event::v3::Request::new(room.to_owned(), event.to_owned());
            let asking = self.shared.client.send(request).with_request_config(one_try());
            async { Ok(asking.await?) }.boxed()
        };
        let answer = self.insist(Instant::now() + PATIENCE, attempt).await?;
        Ok(answer.event.json().get().to_owned())
    }

    /// Tries until it works, until it is of no use, or until the deadline.
    pub(super) async fn insist<'a, T>(
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
    async fn forgave(&self, error: &matrix_sdk::Error) -> bool {
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

/// Why a try did not work.
#[derive(Debug)]
pub(super) enum Tried {
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
    async fn say(
        &self,
        room: &RoomId,
        about: Option<&OwnedEventId>,
        transaction_key: &str,
        reply: &Reply,
    ) -> Result<OwnedEventId, Unsent> {
        let lane = self.lane(room);
        // What needs a person does not wait behind answers.
        let mut turn = match reply.ring {
            Ring::Nobody if !reply.urgent => lane.in_turn().await,
            Ring::These(_) | Ring::Nobody => lane.ahead().await,
        };
        let (here, about) = (self.room(room)?, about.map(AsRef::as_ref));
        if here.state() != RoomState::Joined {
            return Err(Unsent::NotThere);
        }
        self.send_parts(&mut turn, &here, (about, transaction_key), reply).await
    }

    async fn attach(
        &self,
        room: &RoomId,
        about: Option<&OwnedEventId>,
        transaction_key: &str,
        file: &File,
    ) -> Result<OwnedEventId, Unsent> {
        let here = self.room(room)?;
        // Before its turn: it may take long, and nobody is to wait for it.
        let content = self.uploaded(&here, file).await?;
        let lane = self.lane(room);
        let _turn = lane.in_turn().await;
        let transaction = transaction_in(room, about.map(AsRef::as_ref), transaction_key, "file");
        let deadline = Instant::now() + PATIENCE;
        self.send(&here, "m.room.message", content, transaction, deadline).await
    }

    async fn edit(
        &self,
        room: &RoomId,
        event: &OwnedEventId,
        transaction_key: &str,
        reply: &Reply,
    ) -> Result<(), Unsent> {
        let lane = self.lane(room);
        let _turn = lane.in_turn().await;
        let Some(part) = reply.draw(&self.shared.settings.layout).into_iter().next() else {
            return Err(Unsent::Refused("an edit without content".into()));
        };
        let transaction = transaction(&[event.as_str(), "edit", transaction_key]);
        let deadline = Instant::now() + PATIENCE;
        let content = replacement(&part, event, &reply.ring);
        self.send(&self.room(room)?, "m.room.message", content, transaction, deadline).await?;
        Ok(())
    }

    async fn react(&self, room: &RoomId, event: &OwnedEventId, key: &str) -> Result<(), Unsent> {
        let lane = self.lane(room);
        let _turn = lane.in_turn().await;
        let content = json!({
            "m.relates_to": { "rel_type": "m.annotation", "event_id": event, "key": key },
        });
        let transaction = transaction(&[event.as_str(), "react", key]);
        let deadline = Instant::now() + PATIENCE;
        match self.send(&self.room(room)?, "m.reaction", content, transaction, deadline).await {
            Err(Unsent::Refused(error)) if is_duplicate(&*error) => Ok(()),
            result => result.map(drop),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the outbox")]
    async fn redact(&self, room: &RoomId, event: &OwnedEventId, why: &str) -> Result<(), Unsent> {
        let lane = self.lane(room);
        let _turn = lane.in_turn().await;
        let transaction = transaction(&[event.as_str(), "redact"]);
        let attempt = || {
            let mut request =
                redact_event::v3::Request::new(room.to_owned(), event.clone(), transaction.clone());
            request.reason = Some(why.to_owned());
            let sending = self.shared.client.send(request).with_request_config(one_try());
            async { Ok(sending.await?) }.boxed()
        };
        self.insist(Instant::now() + PATIENCE, attempt).await?;
        Ok(())
    }

    async fn stands(&self, room: &RoomId, event: &OwnedEventId) -> Result<bool, Unsent> {
        Ok(is_whole(&self.look_at(room, event).await?))
    }

    /// In a room in clear, or where the bot began unsigned and encrypts for all devices, its keys are
    /// in nobody's way.
    async fn can_be_heard(&self, room: &RoomId) -> Result<(), Ailment> {
        let Ok(room) = self.room(room) else { return Ok(()) };
        if self.shared.unsigned || !room.encryption_state().is_encrypted() {
            return Ok(());
        }
        if identity::is_signed(&self.shared.client).await { Ok(()) } else { Err(Ailment::Unsigned) }
    }

    async fn ailments(&self) -> Vec<Ailment> {
        let client = &self.shared.client;
        let unsigned = !self.shared.unsigned && !identity::is_signed(client).await;
        let clash = identity::one_time_keys_clash(client).await;
        let unsigned = unsigned.then_some(Ailment::Unsigned);
        unsigned.into_iter().chain(clash.then_some(Ailment::OneTimeKeys)).collect()
    }

    async fn can_whisper(&self, to: &UserId) -> Result<(), NoWhisper> {
        self.whisper.room_for(to).await.map(drop)
    }

    async fn whisper(
        &self,
        to: &UserId,
        transaction_key: &str,
        reply: &Reply,
        secret: &SecretString,
    ) -> Result<OwnedEventId, NoWhisper> {
        let room = self.whisper.room_for(to).await?;
        let lane = self.lane(room.room_id());
        let _turn = lane.in_turn().await;
        let content = super::whisper::message(&self.shared.settings.layout, reply, secret);
        let deadline = Instant::now() + PATIENCE;
        let sent =
            self.send(&room, "m.room.message", content, TransactionId::new(), deadline).await;
        sent.map_err(|error| {
            tracing::error!(%to, transaction_key, error = &error as &dyn std::error::Error, "cannot whisper");
            NoWhisper::Failed
        })
    }

    async fn attached(&self, room: &RoomId, event: &OwnedEventId) -> Result<Attachment, Unsent> {
        self.file_of(&self.room(room)?, event).await
    }

    async fn message_index(
        &self,
        room: &RoomId,
        event: &OwnedEventId,
        said: Option<&Said>,
    ) -> Result<Option<(String, u32)>, Unsent> {
        let shown = self.look_at(room, event).await?;
        let place = message_index_of(&shown)?;
        // Another ciphertext shown in its place would have another place, which nobody has used.
        if let (Some(_), Some(said)) = (&place, said)
            && !says(&self.room(room)?, &shown, said).await
        {
            return Err(Unsent::Refused("another message is shown than the one that came".into()));
        }
        Ok(place)
    }
}

impl Outbox for Sender {
    fn say<'a>(
        &'a self,
        room: &'a RoomId,
        about: Option<&'a OwnedEventId>,
        transaction_key: &'a str,
        reply: &'a Reply,
    ) -> BoxFuture<'a, Result<OwnedEventId, Unsent>> {
        self.say(room, about, transaction_key, reply).boxed()
    }

    fn attach<'a>(
        &'a self,
        room: &'a RoomId,
        about: Option<&'a OwnedEventId>,
        transaction_key: &'a str,
        file: &'a File,
    ) -> BoxFuture<'a, Result<OwnedEventId, Unsent>> {
        self.attach(room, about, transaction_key, file).boxed()
    }

    fn edit<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
        transaction_key: &'a str,
        reply: &'a Reply,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        self.edit(room, event, transaction_key, reply).boxed()
    }

    fn react<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        self.react(room, event, key).boxed()
    }

    fn redact<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
        why: &'a str,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        self.redact(room, event, why).boxed()
    }

    fn stands<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
    ) -> BoxFuture<'a, Result<bool, Unsent>> {
        self.stands(room, event).boxed()
    }

    fn may_say<'a>(&'a self, room: &'a RoomId) -> BoxFuture<'a, bool> {
        async { matches!(self.room(room), Ok(room) if power::may_say(&room).await) }.boxed()
    }

    fn may_say_now<'a>(&'a self, room: &'a RoomId) -> BoxFuture<'a, bool> {
        async { matches!(self.room(room), Ok(room) if power::may_say_now(&room).await) }.boxed()
    }

    fn can_be_heard<'a>(&'a self, room: &'a RoomId) -> BoxFuture<'a, Result<(), Ailment>> {
        self.can_be_heard(room).boxed()
    }

    fn ailments(&self) -> BoxFuture<'_, Vec<Ailment>> {
        self.ailments().boxed()
    }

    fn can_whisper<'a>(&'a self, to: &'a UserId) -> BoxFuture<'a, Result<(), NoWhisper>> {
        self.can_whisper(to).boxed()
    }

    fn whisper<'a>(
        &'a self,
        to: &'a UserId,
        transaction_key: &'a str,
        reply: &'a Reply,
        secret: &'a SecretString,
    ) -> BoxFuture<'a, Result<OwnedEventId, NoWhisper>> {
        self.whisper(to, transaction_key, reply, secret).boxed()
    }

    fn attached<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
    ) -> BoxFuture<'a, Result<Attachment, Unsent>> {
        self.attached(room, event).boxed()
    }

    fn download<'a>(
        &'a self,
        file: &'a Attached,
        most: u64,
    ) -> BoxFuture<'a, Result<Held, Unsent>> {
        self.held_by(file, most).boxed()
    }

    fn message_index<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
        said: Option<&'a Said>,
    ) -> BoxFuture<'a, Result<Option<(String, u32)>, Unsent>> {
        self.message_index(room, event, said).boxed()
    }
}

/// One try of a request; trying again is `insist`'s.
pub(super) fn one_try() -> RequestConfig {
    RequestConfig::new().timeout(REQUEST).disable_retry()
}

/// The transaction id of what is sent for this reason: the same again after a restart, so that
/// the homeserver takes it once.
fn transaction(parts: &[&str]) -> OwnedTransactionId {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    data_encoding::BASE64URL_NOPAD.encode(&hash.finalize()).into()
}

/// The transaction id of one piece of what is said about an event, or in a room about none.
fn transaction_in(
    room: &RoomId,
    about: Option<&EventId>,
    transaction_key: &str,
    piece: &str,
) -> OwnedTransactionId {
    let subject = about.map_or(room.as_str(), EventId::as_str);
    transaction(&[subject, transaction_key, piece])
}

/// The content of a message. It always says whom it mentions, or clients guess from the text.
fn message(part: &Drawn, about: Option<&EventId>, ring: &Ring) -> Value {
    let (msgtype, mentions): (_, &[OwnedUserId]) = match ring {
        Ring::Nobody => ("m.notice", &[]),
        Ring::These(people) => ("m.text", people),
    };
    let mut content = formatted(msgtype, &part.body, &part.html);
    content["m.mentions"] =
        if mentions.is_empty() { json!({}) } else { json!({ "user_ids": mentions }) };
    // What was typed in a shell is no event that anything could reply to.
    if let Some(about) = about.filter(|about| !stands_for_event(about)) {
        content["m.relates_to"] = json!({ "m.in_reply_to": { "event_id": about } });
    }
    content
}

/// The same content, with lines of the record in it that clients do not show. As text, so that
/// what is hashed is just what was hashed.
fn carrying(mut content: Value, lines: &[String]) -> Value {
    if !lines.is_empty() {
        content[CARRIED] = json!(lines);
    }
    content
}

/// The content of an edit. Whoever was mentioned before is not called again.
fn replacement(part: &Drawn, event: &EventId, ring: &Ring) -> Value {
    let msgtype = match ring {
        Ring::Nobody => "m.notice",
        Ring::These(_) => "m.text",
    };
    let mut body = String::from("* ");
    let mut html = String::from("* ");
    // Writing to a string cannot fail.
    let _ = write!(body, "{}", part.body);
    let _ = write!(html, "{}", part.html);
    let mut content = formatted(msgtype, &body, &html);
    content["m.new_content"] = formatted(msgtype, &part.body, &part.html);
    content["m.new_content"]["m.mentions"] = json!({});
    content["m.mentions"] = json!({});
    content["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": event });
    content
}

fn formatted(msgtype: &str, body: &str, html: &str) -> Value {
    json!({
        "msgtype": msgtype,
        "body": body,
        "format": "org.matrix.custom.html",
        "formatted_body": html,
    })
}

/// Whether the error says that the same reaction is there already.
fn is_duplicate(error: &(dyn std::error::Error + 'static)) -> bool {
    error
        .downcast_ref::<matrix_sdk::Error>()
        .and_then(matrix_sdk::Error::client_api_error_kind)
        .is_some_and(|kind| *kind == ErrorKind::DuplicateAnnotation)
}

#[cfg(test)]
mod tests;
