//! The whole story of one message.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};

use crate::reply::Reply;

/// One thing that somebody said to the bot, after intake has looked at where it came from.
#[derive(Debug, Clone)]
pub struct Request {
    /// The admin room.
    pub room: OwnedRoomId,
    /// Who sent it; whether that means anything stands in `trust`.
    pub sender: OwnedUserId,
    /// The event.
    pub event: OwnedEventId,
    /// When its sender's server says it was sent.
    pub sent: Timestamp,
    /// What makes it the sender's own word, or why it is not.
    pub trust: Trust,
    /// What was said.
    pub said: Said,
}

/// What was said.
#[derive(Debug, Clone)]
pub enum Said {
    /// A message.
    Message {
        /// The plain text.
        body: String,
        /// The HTML, where the client sent one.
        formatted: Option<String>,
        /// The event that it replies to.
        reply_to: Option<OwnedEventId>,
    },
    /// An edit of an earlier message; never run.
    Edit {
        /// The text that the message should have now.
        body: String,
    },
    /// A reaction. Always in clear, so never more than the asker's own lightest yes.
    Reaction {
        /// The event reacted to.
        target: OwnedEventId,
        /// The key without variation selectors and skin tones.
        key: String,
    },
    /// An event that could not be decrypted within the time that it is retried for.
    Undecryptable,
}

/// How far a message is its sender's own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Encrypted, from a device that exists and is signed by the pinned key of its owner.
    Signed {
        /// The Megolm session, by which a replay of the same ciphertext is known.
        session: String,
    },
    /// In clear, in a room that the config serves in clear.
    Clear,
    /// Not to be believed.
    Doubtful(Doubt),
}

/// Why a message is not taken as its sender's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Doubt {
    /// In clear where encryption is required.
    Plaintext,
    /// From a device that its owner has not signed.
    UnsignedDevice,
    /// From a device that does not exist any more, or is not known.
    UnknownDevice,
    /// The sender has no cross-signing keys.
    NoIdentity,
    /// The sender's master key is not the one that was pinned.
    ChangedKey,
    /// The sender's key is pinned by the config only, and the config does not name it.
    NotPinned,
    /// The session belongs to somebody else.
    MismatchedSender,
}

/// The way out to the room.
#[async_trait]
pub trait Outbox: std::fmt::Debug + Send + Sync {
    /// Sends an answer; several messages where it is long. Returns the event of the first.
    ///
    /// `about` is the event answered to; with `slot`, a short word that differs between the
    /// answers to one event, it gives the transaction ids: the same answer sent again after a
    /// crash arrives once.
    async fn say(
        &self,
        room: &RoomId,
        about: Option<&OwnedEventId>,
        slot: &str,
        reply: &Reply,
    ) -> Result<OwnedEventId, Unsent>;

    /// Replaces an earlier message of the bot.
    async fn edit(
        &self,
        room: &RoomId,
        event: &OwnedEventId,
        slot: &str,
        reply: &Reply,
    ) -> Result<(), Unsent>;

    /// Puts a reaction under a message. A reaction that is there already is success.
    async fn react(&self, room: &RoomId, event: &OwnedEventId, key: &str) -> Result<(), Unsent>;

    /// Removes a message that somebody sent, for what must not stay in the room.
    async fn redact(&self, room: &RoomId, event: &OwnedEventId, why: &str) -> Result<(), Unsent>;

    /// Whether a secret can be told to `to` and nobody else, now: an encrypted direct room that
    /// exactly the bot and `to` have joined and nobody else is invited to, and a device of theirs
    /// that is signed by their pinned key. Makes the room and invites where there is none.
    async fn can_whisper(&self, to: &UserId) -> Result<(), NoWhisper>;

    /// Tells `secret` to `to` in that room, having checked again that it is so. The words around
    /// it are `reply`'s. Returns the event, so that it can be named or removed.
    async fn whisper(
        &self,
        to: &UserId,
        slot: &str,
        reply: &Reply,
        secret: &secrecy::SecretString,
    ) -> Result<OwnedEventId, NoWhisper>;

    /// The Megolm message index and session of an event in the room as the homeserver has it, by
    /// which a replay is known; `None` where the event is not encrypted.
    async fn ratchet(
        &self,
        room: &RoomId,
        event: &OwnedEventId,
    ) -> Result<Option<(String, u32)>, Unsent>;
}

/// Why nothing was sent, after every retry that makes sense.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// The homeserver limits the bot and would have held up the room for too long.
    #[error("the homeserver limits how fast the bot may send")]
    Limited,
    /// It did not work within 30 seconds.
    #[error("the homeserver did not take the message within 30 seconds")]
    Timeout,
    /// The homeserver refused.
    #[error("the homeserver refused the message")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a secret cannot be told.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoWhisper {
    /// The direct room is there and they have been invited, but have not joined.
    #[error("you have not joined the direct room that I invited you to")]
    NotJoined,
    /// Somebody else is in it, or invited.
    #[error("the direct room holds more people than you and me")]
    NotAlone,
    /// It is not encrypted.
    #[error("the direct room is not encrypted")]
    NotEncrypted,
    /// They have no device that is signed by their own key.
    #[error("you have no device that is signed by your own key, so nobody could read it safely")]
    NoSignedDevice,
    /// It could not be made, looked at or written to.
    #[error("the homeserver did not let me make or use the direct room")]
    Failed,
}
