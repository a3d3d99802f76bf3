//! The bot's own cross-signing keys, without which it is deaf and mute in modern clients.

use matrix_sdk::{
    Client,
    encryption::{recovery::RecoveryError, secret_storage::SecretStorageError},
    ruma::api::client::uiaa::{self, AuthData, MatrixUserIdentifier, UserIdentifier},
};
use matrix_sdk_base::StateStoreDataKey;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::{ConnectError, FileError, Login, Settings, files, trust::key_of};

/// Whether the bot's device is signed by the bot's own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is.
    Signed,
    /// It is not, and there is no recovery key to sign it with.
    Unsigned,
}

/// What became of the bot's own keys.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) standing: Standing,
    /// Whether the account has other keys than before, which the rooms were not told.
    pub(super) replaced: bool,
}

/// The cross-signing keys that the bot knows as its own, as it notes them in its state: so it is
/// known, also to `synod check`, when somebody has put others in their place.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Known {
    /// The public master key, unpadded base64.
    master_key: String,
    /// That of others in their place, where the rooms were told or will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told: Option<String>,
}

impl Known {
    fn path(settings: &Settings) -> std::path::PathBuf {
        settings.state.join("identity.json")
    }

    fn read(settings: &Settings) -> Result<Option<Self>, FileError> {
        let bytes = files::read(&Self::path(settings))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    fn write(&self, settings: &Settings) -> Result<(), ConnectError> {
        let bytes = serde_json::to_vec(self).map_err(ConnectError::other)?;
        Ok(files::write(&Self::path(settings), &bytes)?)
    }
}

/// Sees to it that the account has cross-signing keys, that this device is signed by them, and
/// that the recovery key is in its file.
pub(super) async fn establish(
    client: &Client,
    settings: &Settings,
) -> Result<Established, ConnectError> {
    let encryption = client.encryption();
    encryption.wait_for_e2ee_initialization_tasks().await;
    if encryption.request_user_identity(&settings.user_id).await?.is_none() {
        create(client, settings).await?;
    }
    let (known, now) = (Known::read(settings)?, master_key(client).await);
    let others = known.as_ref().filter(|known| now.as_ref() != Some(&known.master_key));
    if !has_secrets(client).await {
        let path = settings.recovery_key_file.clone();
        match files::read_secret(&path)? {
            Some(key) => {
                recover(client, settings, &key).await.map_err(|error| match error {
                    ConnectError::WrongRecoveryKey { source, .. } if others.is_some() => {
                        ConnectError::KeysReplaced { path, source: Some(source) }
                    }
                    other => other,
                })?;
            }
            None if others.is_some() => {
                return Err(ConnectError::KeysReplaced { path, source: None });
            }
            None => return Ok(Established { standing: Standing::Unsigned, replaced: false }),
        }
    }
    keep_recovery_key(client, settings).await?;
    let standing = standing(client, settings).await?;
    let replaced = standing == Standing::Signed && others.is_some_and(|known| known.told != now);
    if let (Standing::Signed, Some(master_key)) = (standing, now) {
        Known { master_key, told: None }.write(settings)?;
    }
    Ok(Established { standing, replaced })
}

/// Notes that the account has other keys; false where that was noted before.
pub(super) async fn note_others(
    client: &Client,
    settings: &Settings,
) -> Result<bool, ConnectError> {
    let now = master_key(client).await;
    let known = Known::read(settings)?.unwrap_or_default();
    if known.told == now {
        return Ok(false);
    }
    Known { told: now, ..known }.write(settings)?;
    Ok(true)
}

/// The public master key of the bot's account, as it is known here.
async fn master_key(client: &Client) -> Option<String> {
    let own = client.encryption().get_user_identity(client.user_id()?).await;
    own.ok().flatten().as_ref().and_then(key_of)
}

/// Whether the device is signed by the account's keys, which are the bot's own, as far as is known
/// here.
pub(super) async fn is_signed(client: &Client) -> bool {
    let Some(user) = client.user_id() else { return false };
    let encryption = client.encryption();
    let own = encryption.get_user_identity(user).await.ok().flatten();
    let device = encryption.get_own_device().await.ok().flatten();
    own.is_some_and(|own| own.is_verified())
        && device.is_some_and(|device| device.is_cross_signed_by_owner())
}

/// Whether the homeserver has ever refused new one-time keys of this device because it has others
/// of the same name. It never gets over that.
pub(super) async fn one_time_keys_clash(client: &Client) -> bool {
    let noted =
        client.state_store().get_kv_data(StateStoreDataKey::OneTimeKeyAlreadyUploaded).await;
    noted.is_ok_and(|noted| noted.is_some())
}

/// Makes cross-signing keys for an account that has none.
async fn create(client: &Client, settings: &Settings) -> Result<(), ConnectError> {
    if files::is_there(&settings.recovery_key_file)? {
        // It belongs to keys that are gone, or to another account: not ours to throw away.
        return Err(ConnectError::RecoveryKeyInTheWay { path: settings.recovery_key_file.clone() });
    }
    let encryption = client.encryption();
    let Err(error) = encryption.bootstrap_cross_signing_if_needed(None).await else {
        tracing::info!("made cross-signing keys for the bot's account");
        return Ok(());
    };
    let (Some(demand), Login::Password(password)) = (error.as_uiaa_response(), &settings.login)
    else {
        return Err(match error.as_uiaa_response() {
            Some(_) => ConnectError::NeedsPassword,
            None => error.into(),
        });
    };
    let user = UserIdentifier::Matrix(MatrixUserIdentifier::new(settings.user_id.to_string()));
    let mut proof = uiaa::Password::new(user, password.expose_secret().to_owned());
    proof.session.clone_from(&demand.session);
    // The refused try has left the keys here, which would pass for keys of the account: it has none yet.
    encryption.bootstrap_cross_signing(Some(AuthData::Password(proof))).await?;
    tracing::info!("made cross-signing keys for the bot's account");
    Ok(())
}

async fn has_secrets(client: &Client) -> bool {
    client.encryption().cross_signing_status().await.is_some_and(|status| status.is_complete())
}

/// Fetches the secret halves of the keys from the account and signs this device with them.
async fn recover(
    client: &Client,
    settings: &Settings,
    key: &SecretString,
) -> Result<(), ConnectError> {
    let wrong = |source| ConnectError::WrongRecoveryKey {
        path: settings.recovery_key_file.clone(),
        source: Box::new(source),
    };
    match client.encryption().recovery().recover(key.expose_secret()).await {
        Ok(()) => {
            tracing::info!("signed this device with the recovery key");
            Ok(())
        }
        // Keys of old messages are of no use to the bot, so that their backup is amiss is not.
        Err(RecoveryError::SecretStorage(
            SecretStorageError::InconsistentBackupDecryptionKey
            | SecretStorageError::MissingOrInvalidBackupDecryptionKey,
        )) if has_secrets(client).await => Ok(()),
        Err(
            RecoveryError::SecretStorage(SecretStorageError::Sdk(error))
            | RecoveryError::Sdk(error),
        ) => Err(error.into()),
        Err(error) => Err(wrong(error)),
    }
}

/// Writes the recovery key to its file where it was never written.
///
/// A key is made anew only if the account has no secret storage (any more), or if an earlier run made one and died before
/// it was written. If the file is gone, somebody took it away to keep it safe, and a new key would
/// make theirs worthless.
async fn keep_recovery_key(client: &Client, settings: &Settings) -> Result<(), ConnectError> {
    let path = &settings.recovery_key_file;
    let begun = settings.state.join("recovery.begun");
    let storage = client.encryption().secret_storage();
    let enabled = storage.is_enabled().await?;
    if files::is_there(path)? {
        if enabled {
            return Ok(files::remove(&begun)?);
        }
        // There is nothing left that the key in the file opens, and the secrets are here.
        tracing::warn!("the account's secret storage is gone; making it anew");
    } else if enabled && !files::is_there(&begun)? {
        tracing::warn!(
            path = %path.display(),
            "the recovery key is not in its file; without it a lost store cannot be recovered"
        );
        return Ok(());
    }
    files::write(&begun, b"")?;
    // Secret storage alone, not `recovery().enable()`: that would also back up the keys of all
    // messages to the account, which nothing needs and which would outlive this device.
    let store = storage.create_secret_store().await.map_err(ConnectError::other)?;
    files::write(path, format!("{}\n", store.secret_storage_key()).as_bytes())?;
    tracing::info!(path = %path.display(), "wrote the bot's recovery key");
    Ok(files::remove(&begun)?)
}

/// Looks whether the device is signed, as the homeserver shows it.
async fn standing(client: &Client, settings: &Settings) -> Result<Standing, ConnectError> {
    let encryption = client.encryption();
    let own = encryption.request_user_identity(&settings.user_id).await?;
    let device = encryption.get_own_device().await.map_err(ConnectError::other)?;
    let signed = own.is_some_and(|own| own.is_verified())
        && device.is_some_and(|device| device.is_cross_signed_by_owner());
    Ok(if signed { Standing::Signed } else { Standing::Unsigned })
}
