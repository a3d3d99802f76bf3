//! The bot's own cross-signing keys, without which it is deaf and mute in modern clients.

use matrix_sdk::{
    Client,
    encryption::{recovery::RecoveryError, secret_storage::SecretStorageError},
    ruma::api::client::uiaa::{self, AuthData, MatrixUserIdentifier, UserIdentifier},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{ConnectError, Login, Settings, files};

/// Whether the bot's device is signed by the bot's own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is.
    Signed,
    /// It is not, and there is no recovery key to sign it with.
    Unsigned,
}

/// Sees to it that the account has cross-signing keys, that this device is signed by them, and
/// that the recovery key is in its file.
pub(super) async fn establish(
    client: &Client,
    settings: &Settings,
) -> Result<Standing, ConnectError> {
    let encryption = client.encryption();
    encryption.wait_for_e2ee_initialization_tasks().await;
    if encryption.request_user_identity(&settings.user_id).await?.is_none() {
        create(client, settings).await?;
    }
    if !has_secrets(client).await {
        match files::read_secret(&settings.recovery_key_file)? {
            Some(key) => recover(client, settings, &key).await?,
            None => return Ok(Standing::Unsigned),
        }
    }
    keep_recovery_key(client, settings).await?;
    standing(client, settings).await
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
    encryption.bootstrap_cross_signing_if_needed(Some(AuthData::Password(proof))).await?;
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
/// A key is made anew only if the account has none, or if an earlier run made one and died before
/// it was written. If the file is gone, somebody took it away to keep it safe, and a new key would
/// make theirs worthless.
async fn keep_recovery_key(client: &Client, settings: &Settings) -> Result<(), ConnectError> {
    let path = &settings.recovery_key_file;
    let begun = settings.state.join("recovery.begun");
    let storage = client.encryption().secret_storage();
    if files::is_there(path)? {
        return Ok(files::remove(&begun)?);
    }
    if storage.is_enabled().await? && !files::is_there(&begun)? {
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
