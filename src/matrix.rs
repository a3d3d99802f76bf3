//! Everything that speaks the Matrix protocol: the only folder that names matrix-sdk.
//!
//! [`connect`] logs in or goes on with the session of an earlier run and sees to it that the bot's
//! device is signed. [`Matrix::run`] reads what is said in the admin rooms and hands it on, in
//! order, with what makes it its sender's own word. The way out is an [`Outbox`], and whose keys count
//! is told by [`Keys`].

use std::{error::Error as StdError, path::PathBuf, sync::Arc, time::Duration};

use jiff::SignedDuration;
use matrix_sdk::{Client, config::SyncSettings};
use matrix_sdk_base::crypto::CollectStrategy;
use ruma::{OwnedDeviceId, OwnedRoomAliasId, OwnedRoomId, OwnedRoomOrAliasId, OwnedUserId};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    clock::SharedClock,
    config::{Encryption, Login, TrustSource},
    input::Prefix,
    metrics::Metrics,
    pipeline::{Incoming, Keys, News, Outbox, SaidLater},
    reply::{Custom, Layout},
    service::Service,
    store::{self, Store},
};

mod attach;
mod described;
mod download;
mod failure;
pub(crate) mod files;
mod history;
mod identity;
mod intake;
mod lane;
mod outbox;
mod own_keys;
mod pending;
mod power;
mod profile;
mod recall;
mod rooms;
mod session;
mod shown;
mod structured;
mod sync;
#[cfg(test)]
mod tests;
mod trust;
mod upload;
mod whisper;

pub use files::FileError;
pub use recall::{SaidBy, recall};
pub use rooms::known_rooms;

use failure::{Backoff, Failure};
use identity::Standing;
use session::Session;

/// What the bot needs to know to be on Matrix.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own, not a state")]
pub struct Settings {
    /// The homeserver's client API, without a path of its own.
    pub homeserver: Url,
    /// The bot's account.
    pub user_id: OwnedUserId,
    /// How it proves that it is the bot.
    pub login: Login,
    /// The name of its device, as people see it in the list of devices.
    pub device_name: String,
    /// The name that its profile gets where it has none.
    pub display_name: String,
    /// Whether its profile gets a picture where it has none.
    pub avatar: bool,
    /// Whether clients are told in the state of the admin rooms which commands there are.
    pub describe_commands: bool,
    /// Whether the homeserver's limit on sending is lifted for the bot, so that it need not be spared.
    pub unlimited: bool,
    /// The folder of everything that the bot keeps; made where there is none.
    pub state: PathBuf,
    /// Whether it is not known any more, or not yet, which messages have been dealt with. Then a
    /// device of an earlier run is given up: what it can still decrypt could be sent to the bot
    /// once more and would pass for new.
    pub remembers_nothing: bool,
    /// Whether the device of an earlier run is given up for another reason. It takes the password,
    /// and the recovery key to sign the new one.
    pub new_device: bool,
    /// Where the recovery key of the bot's account is kept.
    pub recovery_key_file: PathBuf,
    /// The admin rooms.
    pub rooms: Vec<OwnedRoomOrAliasId>,
    /// The room of the record, which is joined like an admin room, and only written to.
    pub record_room: Option<OwnedRoomId>,
    /// Whether plain rooms are served.
    pub encryption: Encryption,
    /// Which keys of operators count.
    pub trust: TrustSource,
    /// The people whose commands may count.
    pub operators: Vec<Pinned>,
    /// How old what was said may be if nobody knows any more where reading stopped.
    pub max_age: Duration,
    /// How answers are drawn.
    pub layout: Layout,
    /// With what the commands in them begin.
    pub prefix: Prefix,
    /// Who is told how the bot stands with the homeserver.
    pub service: Service,
    /// Where is counted what cannot be decrypted.
    pub metrics: Metrics,
}

impl Settings {
    /// How answers are drawn for everybody.
    fn custom(&self) -> Custom<'_> {
        Custom { layout: self.layout, prefix: &self.prefix }
    }
}

/// An operator, as far as keys go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// Their account.
    pub user_id: OwnedUserId,
    /// The public half of their master key, base64, where the config names it.
    pub master_key: Option<String>,
}

/// Why the bot is not on Matrix. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The homeserver does not answer, or answers like one that is not well.
    #[error("the homeserver cannot be reached")]
    Unreachable(#[source] Box<dyn StdError + Send + Sync>),
    /// The access token does not count.
    #[error(
        "the bot's access token is no longer valid: somebody logged its device out, or its account \
        no longer exists. If that was not done to stop the bot, delete `session.json` in the state \
        folder (or give it a new token from a new login) and start it again"
    )]
    LoggedOut,
    /// The access token's time is over.
    #[error(
        "the bot's access token has expired; give it a new token from a new login, or the \
        password, so that the bot can log in again by itself"
    )]
    Expired,
    /// The password or account is wrong, or the server takes no passwords.
    #[error("the homeserver does not let {user} log in; check the bot's name and password")]
    LoginRefused {
        /// The bot's account.
        user: OwnedUserId,
        /// What the homeserver said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The state belongs to another account.
    #[error("{} contains the session of {found}; give this bot its own state folder", state.display())]
    OtherAccount {
        /// The folder.
        state: PathBuf,
        /// Whose it is.
        found: OwnedUserId,
    },
    /// The token is somebody else's.
    #[error("the access token belongs to {found}, not to the bot's account in the config")]
    TokenOfOtherAccount {
        /// Whose it is.
        found: OwnedUserId,
    },
    /// The token has no device, so there can be no encryption.
    #[error(
        "the access token belongs to no device (it is from an application service or the admin \
        API), so it cannot encrypt; use one from a login, or give the password"
    )]
    TokenWithoutDevice,
    /// The token's device has keys of which the secret halves are not here.
    #[error(
        "the device {device} of the access token was used with another store, or its store here is \
        lost; log the bot in again and give the new token, or give the password"
    )]
    TokenDeviceInUse {
        /// The device.
        device: OwnedDeviceId,
    },
    /// Cross-signing keys need the password.
    #[error(
        "the homeserver needs the bot's password before it accepts cross-signing keys; give the \
        password instead of a token for the first start"
    )]
    NeedsPassword,
    /// The account has cross-signing keys, but the bot has not.
    #[error(
        "the bot's account has cross-signing keys, but this device is not signed by them. Put the \
        account's recovery key into {} and start again; if it is lost, reset the bot's encryption \
        with another client that is logged in as the bot, and use the recovery key that it shows",
        path.display()
    )]
    Unsigned {
        /// Where the recovery key should be.
        path: PathBuf,
    },
    /// Somebody else has made cross-signing keys for the account.
    #[error(
        "somebody made new cross-signing keys for the bot's account with another client, and this \
        device is not signed by them. Put the recovery key of the new keys into {} and start \
        again; if nobody has it, create new keys again with a client that is logged in as the bot, \
        and use the recovery key that it shows. If it was none of you, change the account's \
        password first",
        path.display()
    )]
    KeysReplaced {
        /// Where the recovery key should be.
        path: PathBuf,
        /// What did not fit, where there was one.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The recovery key does not open the account's secrets.
    #[error("the recovery key in {} does not belong to the bot's account", path.display())]
    WrongRecoveryKey {
        /// The file.
        path: PathBuf,
        /// What did not fit.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A recovery key is there, but the account has no keys to recover.
    #[error(
        "{} contains a recovery key, but the bot's account has no cross-signing keys to recover; \
        if the key is no longer needed, move the file away",
        path.display()
    )]
    RecoveryKeyInTheWay {
        /// The file.
        path: PathBuf,
    },
    /// An alias of the config names no room.
    #[error("{alias} points to no room; create the room first, or put its id into the config")]
    Alias {
        /// The alias.
        alias: OwnedRoomAliasId,
    },
    /// The SDK's store will not open.
    #[error(
        "the store of the bot's session in {} cannot be opened; move that folder away and start \
        again, and the bot creates a new device",
        path.display()
    )]
    Store {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A file of the bot cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The bot's own store cannot be used.
    #[error(transparent)]
    Kept(#[from] store::Error),
    /// Anything else.
    #[error("the bot cannot connect to Matrix")]
    Other(#[source] Box<dyn StdError + Send + Sync>),
}

impl ConnectError {
    fn other(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Other(source.into())
    }

    fn unreachable(source: reqwest::Error) -> Self {
        let passing = source.status().is_none_or(|status| {
            status.is_server_error() || status == reqwest::StatusCode::TOO_MANY_REQUESTS
        });
        if passing { Self::Unreachable(source.into()) } else { Self::Other(source.into()) }
    }
}

impl From<matrix_sdk::Error> for ConnectError {
    fn from(error: matrix_sdk::Error) -> Self {
        match Failure::of(&error) {
            Failure::LoggedOut => Self::LoggedOut,
            Failure::Expired => Self::Expired,
            Failure::Passing | Failure::Limited(_) => Self::Unreachable(error.into()),
            Failure::Lasting => Self::Other(error.into()),
        }
    }
}

impl From<matrix_sdk::HttpError> for ConnectError {
    fn from(error: matrix_sdk::HttpError) -> Self {
        matrix_sdk::Error::from(error).into()
    }
}

/// Why the bot cannot go on. Says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// The access token does not count any more.
    #[error("{}", ConnectError::LoggedOut)]
    LoggedOut,
    /// The access token's time is over. With the password it can be had anew.
    #[error("{}", ConnectError::Expired)]
    Expired,
    /// The homeserver has one-time keys of the bot's device that the bot does not know. Another
    /// device gets over that.
    #[error("the homeserver has one-time keys of the bot's device that the bot does not know")]
    OneTimeKeysClash,
    /// What was read cannot be kept, so it cannot be known what was done.
    #[error("the bot's store cannot be used")]
    Store(#[from] store::Error),
}

/// The bot, on Matrix.
#[derive(Debug)]
pub struct Matrix {
    reader: sync::Reader,
    incoming: UnboundedReceiver<Incoming>,
    outbox: Arc<outbox::Sender>,
    keys: Arc<trust::Trustee>,
    profile: profile::Profile,
    descriptions: described::Descriptions,
    token_life: Option<Duration>,
}

/// Logs in or goes on with the session of an earlier run, sees to it that the bot's device is
/// signed, and finds the admin rooms.
///
/// Waits as long as the homeserver cannot be reached, and says so once in the log. Drop the future
/// to give up.
///
/// With the `connection` of a [`Matrix`] that has run in this process it goes on with that one: of
/// the settings only those count that say nothing about the bot's own session.
pub async fn connect(
    settings: Settings,
    store: Store,
    clock: SharedClock,
    connection: Option<&Connection>,
) -> Result<Matrix, ConnectError> {
    let mut backoff = Backoff::default();
    loop {
        match try_connect(&settings, &store, &clock, connection).await {
            Err(ConnectError::Unreachable(error)) => {
                settings.service.fails();
                if !backoff.is_failing() {
                    tracing::warn!(error = &*error as &dyn StdError, "waiting for the homeserver");
                }
                tokio::time::sleep(backoff.next(None)).await;
            }
            result => return result,
        }
    }
}

async fn try_connect(
    settings: &Settings,
    store: &Store,
    clock: &SharedClock,
    connection: Option<&Connection>,
) -> Result<Matrix, ConnectError> {
    let (out, incoming) = unbounded_channel();
    let session = match connection {
        Some(Connection { client, unsigned }) => {
            let client = client.clone();
            Session { client, fresh: false, was_out: false, unsigned: *unsigned, token_life: None }
        }
        None => signed_session(settings, &out).await?,
    };
    let shared = Arc::new(Shared {
        client: session.client.clone(),
        settings: settings.clone(),
        clock: Arc::clone(clock),
        out,
        unsigned: session.unsigned,
    });
    let rooms = rooms::AdminRooms::find(&shared, store).await?;
    let keys = Arc::new(trust::Trustee::new(Arc::clone(&shared), store)?);
    let whisper = whisper::Whisper::new(Arc::clone(&shared), Arc::clone(&keys), store)?;
    let outbox = Arc::new(outbox::Sender::new(Arc::clone(&shared), whisper, store)?);
    let profile = profile::Profile::new(Arc::clone(&shared), store)?;
    let descriptions = described::Descriptions::new(Arc::clone(&shared), rooms.ids());
    let mut reader = sync::Reader::new(shared, Arc::clone(&keys), rooms, store)?;
    reader.begin_as(&session);
    let token_life = session.token_life;
    Ok(Matrix { reader, incoming, outbox, keys, profile, descriptions, token_life })
}

/// A session whose device is signed; where plain rooms are served, one that is not will do.
async fn signed_session(
    settings: &Settings,
    out: &UnboundedSender<Incoming>,
) -> Result<Session, ConnectError> {
    let session = session::open(settings, CollectStrategy::IdentityBasedStrategy).await?;
    if session.fresh {
        // Publishes the device's keys, which can be signed only then.
        let once = SyncSettings::new().timeout(Duration::ZERO).filter(sync::filter());
        session.client.sync_once(once).await?;
    }
    let established = identity::establish(&session.client, settings).await?;
    if established.replaced {
        let _ = out.send(Incoming::News(News::OwnKeysReplaced));
    }
    if established.standing == Standing::Signed {
        return Ok(session);
    }
    if settings.encryption == Encryption::Required {
        return Err(ConnectError::Unsigned { path: settings.recovery_key_file.clone() });
    }
    tracing::error!("the bot's device is not signed: many clients will not talk to it");
    // Nobody left to hear it means that nobody needs to be told.
    let _ = out.send(Incoming::News(News::OwnDeviceUnsigned));
    // Encrypting for signed devices only is refused to a device that is not signed itself.
    let Session { fresh, was_out, token_life, .. } = session;
    drop(session);
    let session = session::open(settings, CollectStrategy::AllDevices).await?;
    Ok(Session { fresh, was_out, token_life, unsigned: true, ..session })
}

/// The bot's session on Matrix, which outlives a change of the configuration.
#[derive(Debug, Clone)]
pub struct Connection {
    client: Client,
    /// Whether it encrypts for all devices, since its own is not signed.
    unsigned: bool,
}

impl Matrix {
    /// How long a token lives that the homeserver gives, where the bot has just been given one.
    pub fn token_life(&self) -> Option<SignedDuration> {
        self.token_life.and_then(|life| SignedDuration::try_from(life).ok())
    }

    /// The bot's session.
    pub fn connection(&self) -> Connection {
        self.reader.connection()
    }

    /// The ids of the admin rooms, aliases resolved.
    pub fn rooms(&self) -> Vec<OwnedRoomId> {
        self.reader.rooms()
    }

    /// What the bot has said after the place up to which its store knows its rooms. Waits as long as
    /// the homeserver cannot be reached.
    pub async fn said_later(
        &self,
        settings: &Settings,
        by: SaidBy,
    ) -> Result<SaidLater, ConnectError> {
        let mut backoff = Backoff::default();
        loop {
            match recall::since(settings, &self.reader, by).await {
                Err(ConnectError::Unreachable(error)) => {
                    settings.service.fails();
                    if !backoff.is_failing() {
                        tracing::warn!(
                            error = &*error as &dyn StdError,
                            "waiting for the homeserver"
                        );
                    }
                    tokio::time::sleep(backoff.next(None)).await;
                }
                result => return result,
            }
        }
    }

    /// Encrypts for the admin rooms with new keys from now on.
    pub async fn discard_room_keys(&self) {
        for room in self.rooms() {
            let Some(room) = self.reader.client().get_room(&room) else { continue };
            if let Err(error) = room.discard_room_key().await {
                tracing::error!(room = %room.room_id(), %error, "the room's keys are the old ones still");
            }
        }
    }

    /// The way out to the rooms.
    pub fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::clone(&self.outbox) as Arc<dyn Outbox>
    }

    /// Whose keys count.
    pub fn keys(&self) -> Arc<dyn Keys> {
        Arc::clone(&self.keys) as Arc<dyn Keys>
    }

    /// Reads what is said in the admin rooms and hands it to `out`, until `stop` or until it is of
    /// no use to go on. Recovers by itself from everything that passes.
    pub async fn run(
        self,
        out: UnboundedSender<Incoming>,
        stop: CancellationToken,
    ) -> Result<(), Fatal> {
        let Self { mut reader, mut incoming, profile, descriptions, .. } = self;
        let forward = async move {
            while let Some(item) = incoming.recv().await {
                if out.send(item).is_err() {
                    break;
                }
            }
        };
        let service = reader.service().clone();
        let ended = tokio::select! {
            result = reader.run(&stop) => result,
            // Whoever listened has gone.
            () = forward => Ok(()),
            // Beside the reading, so that nobody waits for it.
            () = profile.completed() => Ok(()),
            () = descriptions.kept() => Ok(()),
        };
        // What is in hand is finished, or the bot begins anew.
        service.without_limit();
        ended
    }
}

/// What the parts have in common.
#[derive(Debug)]
struct Shared {
    client: Client,
    settings: Settings,
    clock: SharedClock,
    out: UnboundedSender<Incoming>,
    /// Whether the bot's device is not signed, and it encrypts for all devices.
    unsigned: bool,
}

impl Shared {
    /// Hands something on. It is lost only where nobody listens any more.
    fn send(&self, item: Incoming) {
        if self.out.send(item).is_err() {
            tracing::debug!("nobody listens any more");
        }
    }

    fn news(&self, news: News) {
        tracing::info!(?news, "the room is told");
        self.send(Incoming::News(news));
    }

    fn is_operator(&self, user: &ruma::UserId) -> bool {
        self.settings.operators.iter().any(|operator| operator.user_id == user)
    }
}
