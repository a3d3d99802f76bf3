//! The way out: answers, files, edits, reactions, redactions.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use matrix_sdk::{
    Room, RoomState,
    ruma::api::{
        client::{redact::redact_event, room::get_room_event},
        error::ErrorKind,
    },
};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedTransactionId, RoomId, TransactionId, UserId};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{
    Shared, identity,
    lane::{Lane, Turn},
    power,
    shown::{is_whole, message_index_of, says},
    whisper::Whisper,
};
use crate::{
    config::Encryption,
    pipeline::{Ailment, Attached, Attachment, Held, NoWhisper, Outbox, Said, Unsent},
    places::{Place, Places},
    reply::{Drawn, File, Reply, Ring},
    store::{self, Store},
};

mod beside;
mod content;
mod reactions;
#[cfg(test)]
mod tests;
mod tries;

use content::{Standing, answer, carrying, message, replacement};

pub(super) use content::{ANSWERS, CARRIED};
use reactions::Reactions;

pub(super) use tries::{Tried, one_try};

/// The longest that one answer may take, all its parts and tries together.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends to rooms, to each in order.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) shared: Arc<Shared>,
    whisper: Whisper,
    lanes: Mutex<HashMap<OwnedRoomId, Arc<Lane>>>,
    told_limited: Mutex<Option<jiff::Timestamp>>,
    places: Places,
    reactions: Reactions,
    /// Until when nothing is sent that need not be, since the homeserver limits the bot.
    spared_until: Mutex<Option<Instant>>,
}

impl Sender {
    pub(super) fn new(
        shared: Arc<Shared>,
        whisper: Whisper,
        store: &Store,
    ) -> Result<Self, store::Error> {
        let (places, reactions) = (Places::new(store)?, Reactions::new(store)?);
        let (lanes, told_limited, spared_until) = Default::default();
        Ok(Self { shared, whisper, lanes, told_limited, places, reactions, spared_until })
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
        self.may_be_told(room, reply).await?;
        let deadline = Instant::now() + PATIENCE;
        let standing = self.standing(about);
        let mut first = None;
        for (number, part) in reply.draw(self.shared.settings.custom()).iter().enumerate() {
            turn.give_way().await;
            let content = match first {
                None => carrying(answer(part, &standing, &reply.ring), &reply.carried),
                Some(_) => standing.beside(message(part, &Ring::Nobody)),
            };
            let transaction =
                transaction_in(room.room_id(), about, transaction_key, &number.to_string());
            let id = self.send(room, "m.room.message", content, transaction, deadline).await?;
            self.note_thread(&id, &standing);
            first.get_or_insert(id);
        }
        first.ok_or_else(|| Unsent::Refused("an answer without content".into()))
    }

    /// Where what is said about an event stands.
    fn standing<'a>(&self, about: Option<&'a EventId>) -> Standing<'a> {
        let place = about.and_then(|about| {
            self.places.of(about).unwrap_or_else(|error| {
                tracing::error!(%error, "where an answer stands cannot be looked up");
                None
            })
        });
        Standing::new(about, place)
    }

    /// Notes that a message of the bot's stands in a thread, for the answer to a reaction to it.
    fn note_thread(&self, event: &EventId, standing: &Standing<'_>) {
        let Some(thread) = standing.thread().map(ToOwned::to_owned) else { return };
        let place = Place { at: self.shared.clock.now(), reply_to: None, thread: Some(thread) };
        if let Err(error) = self.places.note(event, &place) {
            tracing::error!(%error, "the thread of a message cannot be noted");
        }
    }

    /// The record, and what nobody has asked for in the room, is written in clear only where the admin rooms
    /// may be in clear.
    async fn may_be_told(&self, room: &Room, reply: &Reply) -> Result<(), Unsent> {
        let settings = &self.shared.settings;
        let is_record = settings.record_room.as_deref() == Some(room.room_id());
        let guarded = is_record || reply.encrypted_only;
        if !guarded || settings.encryption == Encryption::Optional {
            return Ok(());
        }
        match room.latest_encryption_state().await {
            Ok(state) if state.is_encrypted() => Ok(()),
            Ok(_) => Err(Unsent::Refused("the room is not encrypted".into())),
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
        let about: Option<&EventId> = about.map(AsRef::as_ref);
        let content = self.standing(about).beside(self.uploaded(&here, file).await?);
        let lane = self.lane(room);
        let _turn = lane.in_turn().await;
        let transaction = transaction_in(room, about, transaction_key, "file");
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
        let Some(part) = self.in_one_edit(reply) else { return Err(Unsent::TooLarge) };
        self.may_be_told(&self.room(room)?, reply).await?;
        let transaction = transaction(&[event.as_str(), "edit", transaction_key]);
        let deadline = Instant::now() + PATIENCE;
        let content = replacement(&part, event, &reply.ring);
        self.send(&self.room(room)?, "m.room.message", content, transaction, deadline).await?;
        Ok(())
    }

    /// An answer as the content of one edit, which holds it twice; none where it is larger than that.
    fn in_one_edit(&self, reply: &Reply) -> Option<Drawn> {
        reply.draw_as_edit(self.shared.settings.custom())
    }

    async fn react(&self, room: &RoomId, event: &OwnedEventId, key: &str) -> Result<(), Unsent> {
        let lane = self.lane(room);
        let _turn = lane.in_turn().await;
        let content = json!({
            "m.relates_to": { "rel_type": "m.annotation", "event_id": event, "key": key },
        });
        // The homeserver takes no second one that stands beside the first. One that was taken back
        // may come again, which the same transaction would not do.
        let transaction = TransactionId::new();
        let deadline = Instant::now() + PATIENCE;
        match self.send(&self.room(room)?, "m.reaction", content, transaction, deadline).await {
            Err(Unsent::Refused(error)) if is_duplicate(&*error) => Ok(()),
            Err(error) => Err(error),
            Ok(reaction) => {
                self.reactions.put(event, key, reaction, self.shared.clock.now());
                Ok(())
            }
        }
    }

    async fn unreact(&self, room: &RoomId, event: &OwnedEventId, key: &str) -> Result<(), Unsent> {
        let Some(reaction) = self.reactions.take(event, key) else { return Ok(()) };
        self.redact(room, &reaction, "It is over").await
    }

    async fn redact(&self, room: &RoomId, event: &OwnedEventId, why: &str) -> Result<(), Unsent> {
        let lane = self.lane(room);
        let _turn = lane.in_turn().await;
        self.redact_beside(room, event, why).await
    }

    /// Redacts without waiting for one's turn.
    #[expect(clippy::disallowed_methods, reason = "this is the outbox")]
    async fn redact_beside(
        &self,
        room: &RoomId,
        event: &OwnedEventId,
        why: &str,
    ) -> Result<(), Unsent> {
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
        let content = super::whisper::message(self.shared.settings.custom(), reply, secret);
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

    fn unreact<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        self.unreact(room, event, key).boxed()
    }

    fn can_be_edited_to(&self, reply: &Reply) -> bool {
        self.in_one_edit(reply).is_some()
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

    fn show_typing<'a>(&'a self, room: &'a RoomId, types: bool) -> BoxFuture<'a, ()> {
        self.show_typing(room, types).boxed()
    }

    fn mark<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<OwnedEventId, Unsent>> {
        self.mark(room, event, key).boxed()
    }

    fn unmark<'a>(
        &'a self,
        room: &'a RoomId,
        mark: &'a OwnedEventId,
    ) -> BoxFuture<'a, Result<(), Unsent>> {
        self.unmark(room, mark).boxed()
    }
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

/// Whether the error says that the same reaction is there already.
fn is_duplicate(error: &(dyn std::error::Error + 'static)) -> bool {
    error
        .downcast_ref::<matrix_sdk::Error>()
        .and_then(matrix_sdk::Error::client_api_error_kind)
        .is_some_and(|kind| *kind == ErrorKind::DuplicateAnnotation)
}
