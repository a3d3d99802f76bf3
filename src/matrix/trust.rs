//! What makes a message its sender's own word.
//!
//! A command counts if it came encrypted, in a session of a device that exists now, that is signed
//! by its owner, whose master key is the pinned one. The SDK's own word for a sender
//! (`VerificationState`) is as of the moment of decryption and knows nothing of our pins, so it is
//! used only where it says that something is wrong. Operators are never marked as verified in the
//! SDK: it refuses to encrypt for anybody while one verified person has a new key.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use matrix_sdk::{
    Room,
    deserialized_responses::{
        AlgorithmInfo, DeviceLinkProblem, EncryptionInfo, VerificationLevel, VerificationState,
    },
    encryption::identities::{Device, UserIdentity},
};
use ruma::{OwnedUserId, RoomId, UserId};

use super::{ConnectError, Encryption, Shared, TrustSource};
use crate::{
    pipeline::{Doubt, Keys, News, NotAccepted, Trust},
    store::{self, Shelf, Store},
};

/// How long the homeserver may take to say whose keys are whose before a command is refused.
const FRESH: Duration = Duration::from_secs(10);

/// How soon the homeserver is asked again about somebody whose message does not count. Reading waits
/// for it, and whoever floods the room in an operator's name must not hold it up.
const AGAIN: Duration = Duration::from_secs(1);

/// Knows whose keys count.
#[derive(Debug)]
pub(super) struct Trustee {
    shared: Arc<Shared>,
    pins: Pins,
    /// When the homeserver was last asked because a message did not count, by sender.
    asked: Mutex<BTreeMap<OwnedUserId, Instant>>,
}

impl Trustee {
    pub(super) fn new(shared: Arc<Shared>, store: &Store) -> Result<Self, ConnectError> {
        let settings = &shared.settings;
        let operators = settings.operators.iter().map(|operator| {
            let key = operator.master_key.as_deref().map(normal);
            (operator.user_id.clone(), key)
        });
        let pins = Pins {
            kept: store.shelf("pins")?,
            told: store.shelf("changed_keys")?,
            operators: operators.collect(),
            first_use: match settings.trust {
                TrustSource::CrossSigned => Some(settings.user_id.server_name().to_string()),
                TrustSource::Verified => None,
            },
        };
        pins.adopt_config()?;
        Ok(Self { shared, pins, asked: Mutex::default() })
    }

    /// How far what `sender` said in `room` is their own word. `info` tells how it was encrypted,
    /// if it was.
    pub(super) async fn judge(
        &self,
        room: &Room,
        sender: &UserId,
        info: Option<&EncryptionInfo>,
    ) -> Trust {
        let Some(info) = info else { return self.in_clear(room).await };
        match self.judge_locally(sender, info).await {
            Trust::Doubtful(
                Doubt::UnknownDevice
                | Doubt::UnsignedDevice
                | Doubt::NoIdentity
                | Doubt::ChangedKey,
            ) if self.may_ask(sender) => {
                // It may be what is known here that is old.
                let trust = match self.ask(sender).await {
                    Ok(_) => self.judge_locally(sender, info).await,
                    Err(doubt) => Trust::Doubtful(doubt),
                };
                self.tell_if_changed(sender).await;
                trust
            }
            // Whoever was asked about just now may have changed their key since, and the room is
            // told of that whatever came before it.
            trust @ Trust::Doubtful(Doubt::ChangedKey) => {
                self.tell_if_changed(sender).await;
                trust
            }
            trust => trust,
        }
    }

    /// In a room that is encrypted nothing in clear counts: any server in it can make that up.
    async fn in_clear(&self, room: &Room) -> Trust {
        let plain = || async {
            room.latest_encryption_state().await.is_ok_and(|state| !state.is_encrypted())
        };
        if self.shared.settings.encryption == Encryption::Optional && plain().await {
            Trust::Clear
        } else {
            Trust::Doubtful(Doubt::Plaintext)
        }
    }

    async fn judge_locally(&self, sender: &UserId, info: &EncryptionInfo) -> Trust {
        match self.signed(sender, info).await {
            Ok(session) => Trust::Signed { session },
            Err(doubt) => Trust::Doubtful(doubt),
        }
    }

    /// The session, if all is as it should be according to what is known here.
    async fn signed(&self, sender: &UserId, info: &EncryptionInfo) -> Result<String, Doubt> {
        if !self.shared.is_operator(sender) {
            return Err(Doubt::NotPinned);
        }
        let session = owned_session(sender, info)?;
        let key = self.master_key(sender).await.ok_or(Doubt::NoIdentity)?;
        let standing = self.pins.compare(sender, &key);
        if standing == Standing::Other {
            return Err(Doubt::ChangedKey);
        }
        let device = self.device(sender, info).await.ok_or(Doubt::UnknownDevice)?;
        if !device.is_cross_signed_by_owner() {
            return Err(Doubt::UnsignedDevice);
        }
        // The owner who signed it is the one whose key was compared, unless it changed meanwhile.
        if self.master_key(sender).await.as_ref() != Some(&key) {
            return Err(Doubt::ChangedKey);
        }
        match standing {
            Standing::Pinned => Ok(session),
            Standing::FirstUse if self.pin_first(sender, &key) => Ok(session),
            _ => Err(Doubt::NotPinned),
        }
    }

    /// The device whose keys the session was made with, if it exists.
    async fn device(&self, sender: &UserId, info: &EncryptionInfo) -> Option<Device> {
        let AlgorithmInfo::MegolmV1AesSha2 { curve25519_key, .. } = &info.algorithm_info else {
            return None;
        };
        let devices = self.shared.client.encryption().get_user_devices(sender).await.ok()?;
        devices.devices().find(|device| {
            device.curve25519_key().is_some_and(|key| key.to_base64() == *curve25519_key)
                && info.sender_device.as_deref().is_none_or(|id| id == device.device_id())
        })
    }

    /// The master key of a user as it is known here.
    async fn master_key(&self, user: &UserId) -> Option<String> {
        let identity = self.shared.client.encryption().get_user_identity(user).await;
        identity.ok().flatten().and_then(|identity| key_of(&identity))
    }

    /// Whether it is time to ask again about somebody whose message does not count as yet. Then it
    /// counts as asked.
    fn may_ask(&self, user: &UserId) -> bool {
        let now = Instant::now();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = asked.get(user).is_some_and(|then| now.duration_since(*then) < AGAIN);
        if !recent {
            asked.insert(user.to_owned(), now);
        }
        !recent
    }

    /// Asks the homeserver for the devices and keys of a user.
    async fn ask(&self, user: &UserId) -> Result<Option<String>, Doubt> {
        let encryption = self.shared.client.encryption();
        let asked = tokio::time::timeout(FRESH, encryption.request_user_identity(user)).await;
        match asked {
            Ok(Ok(identity)) => Ok(identity.as_ref().and_then(key_of)),
            Ok(Err(error)) => {
                tracing::warn!(%user, %error, "cannot look at their keys");
                Err(Doubt::UnknownDevice)
            }
            Err(_) => {
                tracing::warn!(%user, "the homeserver does not show their keys in time");
                Err(Doubt::UnknownDevice)
            }
        }
    }

    fn pin_first(&self, user: &UserId, key: &str) -> bool {
        match self.pins.kept.put_new(user.as_str(), &key.to_owned()) {
            Ok(true) => {
                self.shared.news(News::KeyPinned { user: user.to_owned(), key: key.to_owned() });
                true
            }
            // Somebody was faster; then it must be the same.
            Ok(false) => self.pins.compare(user, key) == Standing::Pinned,
            Err(error) => {
                tracing::error!(%user, %error, "cannot pin a key, so it does not count");
                false
            }
        }
    }

    /// Tells the room of a key that is not the pinned one, once for each key.
    async fn tell_if_changed(&self, user: &UserId) {
        let Some(now) = self.master_key(user).await else { return };
        let Some(pinned) = self.pins.of(user) else { return };
        if pinned == now || self.pins.told.get(user.as_str()).ok().flatten().as_ref() == Some(&now)
        {
            return;
        }
        if let Err(error) = self.pins.told.put(user.as_str(), &now) {
            tracing::error!(%user, %error, "cannot note that the room was told of a changed key");
        }
        let in_config = self.pins.operators.get(user).is_some_and(Option::is_some);
        self.shared.news(News::KeyChanged { user: user.to_owned(), pinned, now, in_config });
    }

    /// Whether `user` has, now, a device that is signed by their pinned key.
    pub(super) async fn has_signed_device(&self, user: &UserId) -> Result<bool, Doubt> {
        let Some(key) = self.ask(user).await? else { return Err(Doubt::NoIdentity) };
        match self.pins.compare(user, &key) {
            Standing::Pinned => {}
            Standing::Other => {
                self.tell_if_changed(user).await;
                return Err(Doubt::ChangedKey);
            }
            Standing::FirstUse | Standing::Unpinnable => return Err(Doubt::NotPinned),
        }
        let devices = self.shared.client.encryption().get_user_devices(user).await;
        let devices = devices.map_err(|_| Doubt::UnknownDevice)?;
        Ok(devices
            .devices()
            .any(|device| device.is_cross_signed_by_owner() && !device.is_dehydrated()))
    }
}

impl Trustee {
    async fn accept(&self, user: &UserId, key: &str) -> Result<(), NotAccepted> {
        match self.pins.operators.get(user) {
            None => return Err(NotAccepted::NotOperator),
            Some(Some(_)) => return Err(NotAccepted::Configured),
            Some(None) if self.pins.first_use.is_none() => return Err(NotAccepted::ConfigOnly),
            Some(None) => {}
        }
        let key = normal(key);
        if self.ask(user).await.ok().flatten().as_ref() != Some(&key) {
            return Err(NotAccepted::NotCurrent);
        }
        self.pins.kept.put(user.as_str(), &key)?;
        tracing::info!(%user, %key, "another master key was accepted");
        Ok(())
    }

    async fn current(&self, user: &UserId) -> Option<String> {
        self.ask(user).await.ok().flatten()
    }

    async fn still_signed(&self, room: &RoomId, sender: &UserId, session: &str) -> Trust {
        if let Err(doubt) = self.ask(sender).await {
            return Trust::Doubtful(doubt);
        }
        let Some(room) = self.shared.client.get_room(room) else {
            return Trust::Doubtful(Doubt::UnknownDevice);
        };
        let Some(info) = room.get_encryption_info(session, sender).await else {
            return Trust::Doubtful(Doubt::UnknownDevice);
        };
        let trust = self.judge_locally(sender, &info).await;
        if trust == Trust::Doubtful(Doubt::ChangedKey) {
            self.tell_if_changed(sender).await;
        }
        trust
    }
}

impl Keys for Trustee {
    fn accept<'a>(
        &'a self,
        user: &'a UserId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), NotAccepted>> {
        self.accept(user, key).boxed()
    }

    fn current<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Option<String>> {
        self.current(user).boxed()
    }

    fn still_signed<'a>(
        &'a self,
        room: &'a RoomId,
        sender: &'a UserId,
        session: &'a str,
    ) -> BoxFuture<'a, Trust> {
        self.still_signed(room, sender, session).boxed()
    }

    fn pinned(&self, user: &UserId) -> Option<String> {
        self.pins.of(user)
    }
}

/// The keys that count.
#[derive(Debug)]
struct Pins {
    /// Those that were pinned at first use or accepted later, by user.
    kept: Shelf<String>,
    /// The last changed key that the room was told of, by user.
    told: Shelf<String>,
    /// The operators, each with the key that the config names.
    operators: BTreeMap<OwnedUserId, Option<String>>,
    /// The server whose operators are pinned at first use, if any are.
    first_use: Option<String>,
}

/// How a key compares with the pinned one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is the same.
    Pinned,
    /// It is another.
    Other,
    /// None is pinned, and this one may be.
    FirstUse,
    /// None is pinned, and only the config could.
    Unpinnable,
}

impl Pins {
    /// Puts the keys of the config in place of those that were pinned before, so that the room's
    /// record and the config cannot say different things.
    fn adopt_config(&self) -> Result<(), store::Error> {
        for (user, key) in &self.operators {
            let Some(key) = key else { continue };
            let kept = self.kept.get(user.as_str())?;
            if kept.as_ref() == Some(key) {
                continue;
            }
            if let Some(old) = kept {
                tracing::warn!(%user, %old, new = %key, "the config replaces a pinned key");
            }
            self.kept.put(user.as_str(), key)?;
        }
        Ok(())
    }

    /// The key that counts for `user`.
    fn of(&self, user: &UserId) -> Option<String> {
        let configured = self.operators.get(user)?;
        if configured.is_some() {
            return configured.clone();
        }
        // What was pinned at first use counts no more once the config says that only its own do.
        self.first_use.as_ref()?;
        self.kept.get(user.as_str()).unwrap_or_else(|error| {
            tracing::error!(%user, %error, "cannot read a pinned key");
            None
        })
    }

    fn compare(&self, user: &UserId, key: &str) -> Standing {
        match self.of(user) {
            Some(pinned) if pinned == key => Standing::Pinned,
            Some(_) => Standing::Other,
            None if self.first_use.as_deref() == Some(user.server_name().as_str()) => {
                Standing::FirstUse
            }
            None => Standing::Unpinnable,
        }
    }
}

/// The session of the message, if it is a Megolm session that `sender` began with us.
fn owned_session(sender: &UserId, info: &EncryptionInfo) -> Result<String, Doubt> {
    let mismatched = VerificationState::Unverified(VerificationLevel::MismatchedSender);
    if info.sender != sender || info.verification_state == mismatched {
        return Err(Doubt::MismatchedSender);
    }
    let insecure = VerificationLevel::None(DeviceLinkProblem::InsecureSource);
    if info.forwarder.is_some()
        || info.verification_state == VerificationState::Unverified(insecure)
    {
        // The session's key came through somebody else's hands.
        return Err(Doubt::UnknownDevice);
    }
    info.session_id().map(str::to_owned).ok_or(Doubt::UnknownDevice)
}

pub(super) fn key_of(identity: &UserIdentity) -> Option<String> {
    identity.master_key().get_first_key().map(|key| key.to_base64())
}

/// A key as it is compared: clients show it in groups, and some tools pad it.
fn normal(key: &str) -> String {
    key.chars().filter(|c| !c.is_whitespace() && *c != '=').collect()
}
