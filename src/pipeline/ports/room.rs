//! What passes between the room and the pipeline, and how each may be reached from the other.

use std::{fmt, time::Duration};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use ruma::{
    OwnedEventId, OwnedRoomAliasId, OwnedRoomId, OwnedRoomOrAliasId, OwnedUserId, RoomId, UserId,
    events::room::MediaSource,
};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use super::structured::Structured;
use crate::{
    reply::{File, Reply},
    store,
};

/// What comes in from the homeserver, in the order in which it is to be taken.
#[derive(Debug)]
pub enum Incoming {
    /// Somebody said something in an admin room.
    Request(Request, InHand),
    /// Something that the room must be told.
    News(News),
    /// Everything before this has been handed over; see [`Bookmark`].
    Mark(Bookmark),
}

/// Held for as long as a look is in hand. Reading on asks the homeserver too, and gives way to it.
#[derive(Debug, Default)]
pub struct InHand {
    #[expect(dead_code, reason = "to drop it is all that it is for")]
    token: Option<TaskTrackerToken>,
}

impl InHand {
    /// One of those that this counts.
    pub fn of(tracker: &TaskTracker) -> Self {
        Self { token: Some(tracker.token()) }
    }
}

/// Where reading goes on after a restart.
///
/// What was read but is not yet in the journal would be lost if the place were noted at once. So
/// the place comes along with what was read, and whoever keeps the journal notes it.
pub struct Bookmark(Box<dyn FnOnce() -> Result<(), store::Error> + Send>);

impl Bookmark {
    /// A bookmark that is put in by calling `keep`.
    pub fn new(keep: impl FnOnce() -> Result<(), store::Error> + Send + 'static) -> Self {
        Self(Box::new(keep))
    }

    /// Notes the place. To be called when every [`Incoming::Request`] that came before this
    /// stands in the journal.
    pub fn keep(self) -> Result<(), store::Error> {
        (self.0)()
    }
}

impl fmt::Debug for Bookmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bookmark").finish_non_exhaustive()
    }
}

/// What the room must be told although nobody asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// An operator's master key was pinned, since it was seen for the first time.
    KeyPinned {
        /// The operator.
        user: OwnedUserId,
        /// The key, unpadded base64.
        key: String,
    },
    /// An operator's master key is not the pinned one. Told once for each new key.
    KeyChanged {
        /// The operator.
        user: OwnedUserId,
        /// The key that counts, unpadded base64.
        pinned: String,
        /// The key that the homeserver shows now.
        now: String,
        /// Whether the config names the key that counts, so that only another config changes it.
        in_config: bool,
    },
    /// An alias of the config names another room than it did; the first one stays in force.
    AliasMoved {
        /// The alias.
        alias: OwnedRoomAliasId,
        /// The room that it named first.
        pinned: OwnedRoomId,
        /// The room that it names now.
        now: OwnedRoomId,
    },
    /// The bot has joined an admin room, or that of the record.
    Joined {
        /// The room.
        room: OwnedRoomId,
        /// Whether commands are taken there: it is an admin room, and encrypted where it must be.
        served: bool,
        /// How many operators are in it, where the homeserver says so.
        operators: Option<usize>,
    },
    /// The bot was away, or the homeserver was. What was said meanwhile has been read, but for this.
    Back {
        /// For how long; `None` where it is not known or too short to be told.
        away: Option<SignedDuration>,
        /// The messages of operators that could not be read, by admin room.
        unread: Vec<Unread>,
    },
    /// An invitation was not followed. Told once for each room.
    InviteRefused {
        /// The room that the bot was invited to.
        room: OwnedRoomId,
        /// Who invited.
        by: OwnedUserId,
    },
    /// A room of the config was upgraded to another room, which the config does not name. Told once.
    RoomUpgraded {
        /// The room.
        room: OwnedRoomId,
        /// The room that replaces it.
        now: OwnedRoomId,
        /// Whether it is only that of the record.
        record: bool,
    },
    /// The homeserver limits how fast the bot may send.
    Limited {
        /// How long it wants the bot to wait.
        retry_after: Duration,
    },
    /// An admin room is not encrypted.
    RoomNotEncrypted {
        /// The room.
        room: OwnedRoomId,
        /// Whether the config serves it all the same.
        served: bool,
    },
    /// The bot is in a room of the config no more, or there is none. Told once, in the others.
    RoomGone {
        /// The room as the config names it.
        room: OwnedRoomOrAliasId,
        /// What became of it.
        why: Gone,
        /// Whether it is that of the record.
        record: bool,
    },
    /// The homeserver did not take the position from which the bot was to read on, which is so after
    /// its database was put back. The bot reads from another.
    PositionRefused,
    /// The bot's account has other cross-signing keys than before, which somebody else has made. Told
    /// once for each, as soon as the bot is heard again.
    OwnKeysReplaced,
    /// The homeserver takes no new one-time keys of the bot, since it has others of the same name.
    OneTimeKeysClash,
    /// The bot's own device is not signed by its own key, so that many clients neither show its
    /// messages nor let it read theirs.
    OwnDeviceUnsigned,
}

/// A message of an operator that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Where.
    pub room: OwnedRoomId,
    /// Who sent it.
    pub sender: OwnedUserId,
    /// When, as their server says.
    pub sent: Timestamp,
    /// Why.
    pub why: WhyUnread,
}

/// Why a message could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyUnread {
    /// It cannot be decrypted yet; that is tried for some minutes.
    NotDecrypted,
    /// The place where reading stopped is gone, and it is too old to be taken for new.
    PlaceLost,
}

/// What became of a room that the config names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Its alias names no room.
    NamesNothing,
    /// The bot is not in it any more.
    Removed,
    /// The bot is banned from it.
    Banned,
}

/// Whose keys count.
///
/// Its futures are boxed by hand: an `async fn` of a trait would have the compiler prove for each
/// method anew that what the SDK does in it may move between threads, at 15 seconds apiece.
pub trait Keys: fmt::Debug + Send + Sync {
    /// Pins `key` for `user` in place of what was pinned. It must be the key that the homeserver
    /// shows for them now.
    fn accept<'a>(
        &'a self,
        user: &'a UserId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), NotAccepted>>;

    /// The master key that counts for `user`, unpadded base64.
    fn pinned(&self, user: &UserId) -> Option<String>;

    /// The master key that the homeserver shows for `user` now, unpadded base64
    /// (`POST /_matrix/client/v3/keys/query`).
    fn current<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Option<String>>;

    /// Judges again what came from `sender` under the Megolm `session`, having asked the
    /// homeserver for their devices and keys. To be called right before a change; where the
    /// homeserver does not answer, it is not signed.
    fn still_signed<'a>(
        &'a self,
        room: &'a RoomId,
        sender: &'a UserId,
        session: &'a str,
    ) -> BoxFuture<'a, Trust>;
}

/// Why a key was not pinned.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// Not an operator of the config.
    #[error("that account is not an operator")]
    NotOperator,
    /// The config names a key for them, and only another config changes that.
    #[error("that key is in the config, so it can be changed only there")]
    Configured,
    /// The config trusts no keys but those it names.
    #[error("only keys in the config count (`trust: verified`)")]
    ConfigOnly,
    /// The homeserver shows another key for them.
    #[error("the homeserver now shows a different key for that account")]
    NotCurrent,
    /// It could not be kept.
    #[error("the key could not be saved")]
    Store(#[from] store::Error),
}

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
    /// The message that began the thread in which it stands. Servers can alter it: it says where the
    /// answer stands, and nothing else.
    pub thread: Option<OwnedEventId>,
    /// What was said.
    pub said: Said,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A message.
    Message {
        /// The plain text.
        body: String,
        /// The HTML, where the client sent one.
        formatted: Option<String>,
        /// The event that it replies to. Also where the message is encrypted this may stand in
        /// its clear part, which servers can alter: it shows what was meant, and proves nothing.
        reply_to: Option<OwnedEventId>,
        /// Whether it is the caption of a file.
        captions: bool,
    },
    /// A command as an object.
    Structured(Structured),
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
    /// It came while the bot was logged out. It may well be its sender's own word.
    LoggedOut,
}

/// What an event is to which a command replies, before anything of a file was downloaded.
#[derive(Debug)]
pub enum Attachment {
    /// It is neither a file nor a text.
    None,
    /// It is a text, of which nobody has judged whose it is.
    Text {
        /// The plain text.
        body: String,
        /// The HTML, where there is some.
        formatted: Option<String>,
    },
    /// The homeserver shows no such event in the room.
    Elsewhere,
    /// It was redacted.
    Removed,
    /// It is the edit of another.
    Edit,
    /// It was edited since: what clients show is not what it says.
    Edited,
    /// It cannot be decrypted.
    Undecryptable,
    /// It is a file.
    File(Box<Attached>),
}

/// A file that an event names in its sender's name. Whether it is theirs has not been judged.
#[derive(Debug, Clone)]
pub struct Attached {
    /// In whose name it came.
    pub sender: OwnedUserId,
    /// What it is called.
    pub name: String,
    /// How large the message says that it is, bytes.
    pub size: Option<u64>,
    /// How the message was encrypted, if it was.
    pub sealed: Option<Sealed>,
    /// Where the file lies, and how it is encrypted there.
    pub source: MediaSource,
}

/// How the message was encrypted that names a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The Megolm session.
    pub session: String,
    /// The message's place in it.
    pub index: u32,
    /// Whether the bot's own device began that session.
    pub own: bool,
}

/// What was found where a file lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// All of it, decrypted.
    Bytes(Vec<u8>),
    /// More than was asked for. What came before the limit is thrown away.
    TooMuch,
    /// Something else than the message says.
    Altered,
}

/// The way out to the room. Its futures are boxed by hand, as those of [`Keys`].
pub trait Outbox: fmt::Debug + Send + Sync {
    /// Sends an answer; several messages where it is long. Returns the event of the first.
    ///
    /// `about` is the event answered to; with `transaction_key`, a short word that differs between the
    /// answers to one event, it gives the transaction ids: the same answer sent again after a
    /// crash arrives once. Where nothing is answered to, the key must differ between all that is said
    /// in the room.
    fn say<'a>(
        &'a self,
        room: &'a RoomId,
        about: Option<&'a OwnedEventId>,
        transaction_key: &'a str,
        reply: &'a Reply,
    ) -> BoxFuture<'a, Result<OwnedEventId, Unsent>>;

    /// Sends a file, encrypted where the room is. It replies to nothing: the answer that speaks of
    /// it comes after it. `about` and `transaction_key` are as in [`Outbox::say`].
    fn attach<'a>(
        &'a self,
        room: &'a RoomId,
        about: Option<&'a OwnedEventId>,
        transaction_key: &'a str,
        file: &'a File,
    ) -> BoxFuture<'a, Result<OwnedEventId, Unsent>>;

    /// Replaces an earlier message of the bot. What is larger than one edit may be is not sent
    /// ([`Unsent::TooLarge`]).
    fn edit<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
        transaction_key: &'a str,
        reply: &'a Reply,
    ) -> BoxFuture<'a, Result<(), Unsent>>;

    /// Puts a reaction under a message. A reaction that is there already is success.
    fn react<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), Unsent>>;

    /// Takes back a reaction that the bot has put under a message, where it has.
    fn unreact<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), Unsent>>;

    /// Whether a message could be replaced by this: it is no larger than one edit may be.
    fn can_be_edited_to(&self, reply: &Reply) -> bool;

    /// Removes a message that somebody sent, for what must not stay in the room.
    fn redact<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
        why: &'a str,
    ) -> BoxFuture<'a, Result<(), Unsent>>;

    /// Whether a message of the bot still stands in the room, as the homeserver has it: nobody has
    /// redacted it.
    fn stands<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
    ) -> BoxFuture<'a, Result<bool, Unsent>>;

    /// Whether the bot may write in the room, as far as sync has told.
    fn may_say<'a>(&'a self, room: &'a RoomId) -> BoxFuture<'a, bool>;

    /// Whether the bot may write in the room, as the homeserver has it now; what sync has told
    /// where that cannot be asked.
    fn may_say_now<'a>(&'a self, room: &'a RoomId) -> BoxFuture<'a, bool>;

    /// Whether a secret can be told to `to` and nobody else, now: an encrypted direct room that
    /// exactly the bot and `to` have joined and nobody else is invited to, and a device of theirs
    /// that is signed by their pinned key. Makes the room and invites where there is none.
    fn can_whisper<'a>(&'a self, to: &'a UserId) -> BoxFuture<'a, Result<(), NoWhisper>>;

    /// Whether what the bot says in the room can be read there at all, as far as sync has told and its
    /// own keys show. Asks nobody.
    fn can_be_heard<'a>(&'a self, room: &'a RoomId) -> BoxFuture<'a, Result<(), Ailment>>;

    /// What is wrong with the bot's own keys. Asks nobody.
    fn ailments(&self) -> BoxFuture<'_, Vec<Ailment>>;

    /// Tells `secret` to `to` in that room, having checked again that it is so. The words around
    /// it are `reply`'s. Returns the event, so that it can be named or removed.
    fn whisper<'a>(
        &'a self,
        to: &'a UserId,
        transaction_key: &'a str,
        reply: &'a Reply,
        secret: &'a secrecy::SecretString,
    ) -> BoxFuture<'a, Result<OwnedEventId, NoWhisper>>;

    /// The file that an event names, if it names one. Nothing of it is downloaded.
    fn attached<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
    ) -> BoxFuture<'a, Result<Attachment, Unsent>>;

    /// What a file holds: downloaded as far as `most` bytes, and decrypted. To be called only for
    /// one that is known to be its sender's.
    fn download<'a>(&'a self, file: &'a Attached, most: u64)
    -> BoxFuture<'a, Result<Held, Unsent>>;

    /// The Megolm message index and session of an event in the room as the homeserver has it, by
    /// which a replay is known; `None` where the event is not encrypted. An error where what the
    /// homeserver shows does not say what was `said`.
    fn message_index<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
        said: Option<&'a Said>,
    ) -> BoxFuture<'a, Result<Option<(String, u32)>, Unsent>>;

    /// Shows in the room that the bot writes, for half a minute at most, or does not any more. One try
    /// beside everything that is said, and none while the homeserver limits the bot.
    fn show_typing<'a>(&'a self, room: &'a RoomId, types: bool) -> BoxFuture<'a, ()>;

    /// Puts a reaction under a message for a while, and returns its event. One try beside everything
    /// that is said, and none while the homeserver limits the bot.
    fn mark<'a>(
        &'a self,
        room: &'a RoomId,
        event: &'a OwnedEventId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<OwnedEventId, Unsent>>;

    /// Takes such a reaction away, beside everything that is said. One that is gone is success.
    fn unmark<'a>(
        &'a self,
        room: &'a RoomId,
        mark: &'a OwnedEventId,
    ) -> BoxFuture<'a, Result<(), Unsent>>;
}

/// What is wrong with the bot's own keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ailment {
    /// Its device is not signed by the cross-signing keys that its account has now, so that it can
    /// encrypt for nobody.
    #[error("my account now has different cross-signing keys, so nobody could read what I say")]
    Unsigned,
    /// The homeserver has one-time keys of this device that the bot does not know, and takes no new
    /// ones.
    #[error(
        "the homeserver has one-time keys of mine that I do not know and accepts no new ones, so I \
        cannot read messages from new devices"
    )]
    OneTimeKeys,
}

/// Why nothing was sent, after every retry that makes sense.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// The homeserver limits the bot and would have held up the room for too long.
    #[error("the homeserver limits how fast the bot may send")]
    Limited,
    /// It did not work in time: within 30 seconds, and 2 minutes for what a file holds.
    #[error("the homeserver did not accept it in time")]
    Timeout,
    /// The bot is not in that room, or not yet.
    #[error("I am not in that room")]
    NotThere,
    /// A file, or an edit, is larger than the homeserver takes.
    #[error("it is larger than the homeserver accepts")]
    TooLarge,
    /// The homeserver refused.
    #[error("the homeserver refused it")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a secret cannot be told.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoWhisper {
    /// The direct room is there and they have been invited, but have not joined.
    #[error("you have not joined the direct room that I invited you to")]
    NotJoined,
    /// Somebody else is in it, or invited.
    #[error("there are more people than you and me in the direct room")]
    NotAlone,
    /// It is not encrypted.
    #[error("the direct room is not encrypted")]
    NotEncrypted,
    /// They have no device that is signed by their own key.
    #[error(
        "you have no verified session (signed by your own key), so you could not read it \
             safely"
    )]
    NoSignedDevice,
    /// It could not be made, looked at or written to.
    #[error("the homeserver did not let me make or use the direct room")]
    Failed,
}
