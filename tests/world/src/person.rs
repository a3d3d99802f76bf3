//! A person with an encrypted client.

mod files;
mod hearing;
mod rooms;
mod talking;

use std::{fmt, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use matrix_sdk::{
    Client, SqliteStoreConfig,
    cross_process_lock::CrossProcessLockConfig,
    encryption::{CrossSigningResetAuthType, EncryptionSettings},
    ruma::api::client::uiaa::{AuthData, MatrixUserIdentifier, Password, UserIdentifier},
};
use ruma::{OwnedDeviceId, OwnedUserId};
use tokio::{sync::Mutex, task::JoinHandle};

use self::hearing::Hearing;
pub use self::rooms::NewRoom;
use crate::{Account, Api, Synapse, api, synapse::random_hex};

/// A person at a homeserver: an account, one device with keys of its own, and everything heard.
///
/// The client listens in the background from login to drop. Its store lies in the homeserver's
/// folder and goes with it.
pub struct Person {
    user_id: OwnedUserId,
    device_id: OwnedDeviceId,
    password: String,
    synapse: Synapse,
    client: Client,
    api: Api,
    hearing: Arc<Hearing>,
    listening: JoinHandle<()>,
    read_up_to: Mutex<usize>,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.user_id, self.device_id)
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Person {
    /// Logs in on a new device. The first login of an account makes its cross-signing identity;
    /// it returns when the device is signed by it.
    ///
    /// A later login with an identity already there is an error: see
    /// [`Person::login_unsigned_device`].
    pub async fn login(synapse: &Synapse, localpart: &str, password: &str) -> Result<Self> {
        let person = Self::log_in(synapse, localpart, password, true).await?;
        person.client.encryption().wait_for_e2ee_initialization_tasks().await;
        person.until_signed().await.context("the first login of an account signs its device")?;
        Ok(person)
    }

    /// Logs in with the same account on another device that nobody signs: what somebody has who
    /// knows the password and nothing else.
    pub async fn login_unsigned_device(&self) -> Result<Self> {
        Self::log_in(&self.synapse, self.user_id.localpart(), &self.password, false).await
    }

    /// Logs in to an account that is somebody's already, on a device that nobody signs.
    pub async fn log_in_unsigned(synapse: &Synapse, account: &Account) -> Result<Self> {
        Self::log_in(synapse, account.user_id.localpart(), &account.password, false).await
    }

    async fn log_in(
        synapse: &Synapse,
        localpart: &str,
        password: &str,
        sign: bool,
    ) -> Result<Self> {
        let store = synapse.dir().join("clients").join(random_hex(8)?);
        let settings =
            EncryptionSettings { auto_enable_cross_signing: sign, ..EncryptionSettings::default() };
        let client = Client::builder()
            .homeserver_url(synapse.url())
            .http_client(api::http())
            .sqlite_store_with_config_and_cache_path(
                SqliteStoreConfig::new(&store).pool_max_size(2),
                None::<&std::path::Path>,
            )
            .cross_process_store_config(CrossProcessLockConfig::SingleProcess)
            .respect_login_well_known(false)
            .with_encryption_settings(settings)
            .build()
            .await?;
        let login = client.matrix_auth().login_username(localpart, password);
        let session = login.initial_device_display_name("World").send().await?;
        hearing::sync(&client, Duration::ZERO).await?;
        let hearing = Arc::new(Hearing::default());
        let listening = tokio::spawn({
            let (hearing, client) = (hearing.clone(), client.clone());
            async move { hearing.listen(client).await }
        });
        Ok(Self {
            api: synapse.api(&session.access_token),
            user_id: session.user_id,
            device_id: session.device_id,
            password: password.to_owned(),
            synapse: synapse.clone(),
            client,
            hearing,
            listening,
            read_up_to: Mutex::default(),
        })
    }

    /// This person's id.
    pub fn user_id(&self) -> &OwnedUserId {
        &self.user_id
    }

    /// The device that this client is.
    pub fn device_id(&self) -> &OwnedDeviceId {
        &self.device_id
    }

    /// The homeserver's interfaces with this person's token.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The public half of this person's master key, in unpadded base64.
    pub async fn master_key(&self) -> Result<String> {
        let identity = self.client.encryption().get_user_identity(&self.user_id).await?;
        let identity = identity.context("no cross-signing identity")?;
        Ok(identity.master_key().get_first_key().context("no master key")?.to_base64())
    }

    /// Makes a recovery key, puts the keys into secret storage and answers it.
    pub async fn enable_recovery(&self) -> Result<String> {
        Ok(self.client.encryption().recovery().enable().await?)
    }

    /// Replaces the cross-signing identity by a new one, as somebody does who has lost it or has
    /// stolen the account. The master key changes; this device is signed by the new one.
    pub async fn reset_identity(&self) -> Result<()> {
        let before = self.master_key().await?;
        if let Some(reset) = self.client.encryption().reset_cross_signing().await? {
            let CrossSigningResetAuthType::Uiaa(stage) = reset.auth_type() else {
                bail!("the homeserver wants more than a password");
            };
            let user = MatrixUserIdentifier::new(self.user_id.to_string());
            let user = UserIdentifier::Matrix(user);
            let mut password = Password::new(user, self.password.clone());
            password.session = stage.session.clone();
            reset.auth(Some(AuthData::Password(password))).await?;
        }
        self.until_signed().await?;
        ensure!(self.master_key().await? != before, "the master key is still the same");
        Ok(())
    }

    /// Whether this person's device is signed by this person's identity.
    pub async fn is_signed(&self) -> Result<bool> {
        let device = self.client.encryption().get_own_device().await?;
        Ok(device.is_some_and(|device| device.is_cross_signed_by_owner()))
    }

    async fn until_signed(&self) -> Result<()> {
        // The signature is on the server by now. That the client hears of it by itself is not
        // certain: on a busy machine its first look at its keys and the notice can cross.
        self.client.encryption().request_user_identity(&self.user_id).await?;
        self.until("a signed device", || async { self.is_signed().await.ok()?.then_some(()) }).await
    }
}
