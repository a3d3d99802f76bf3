//! Who the bot is to the homeserver: one device with one store, for as long as both last.
//!
//! A device and its crypto store belong together. If either is lost, the other is of no use: a
//! store without its device cannot be used by another, and a device without its store has
//! published one-time keys that nobody has the secret halves of. So the two are made together and
//! given up together, and a new device gets its signature with the recovery key (`identity`).

use std::{path::PathBuf, time::Duration};

use matrix_sdk::{
    Client, ClientBuildError, SessionMeta, SessionTokens, SqliteStoreConfig,
    authentication::matrix::MatrixSession,
    config::RequestConfig,
    cross_process_lock::CrossProcessLockConfig,
    encryption::{BackupDownloadStrategy, EncryptionSettings},
};
use matrix_sdk_base::crypto::{CollectStrategy, DecryptionSettings, TrustRequirement};
use rand::Rng as _;
use ruma::{OwnedDeviceId, OwnedUserId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use super::{ConnectError, Login, Settings, failure::Failure, files};

/// How long one request may take. A sync may take its own waiting time longer.
const REQUEST: Duration = Duration::from_secs(30);

/// A client that is logged in.
#[derive(Debug)]
pub(super) struct Session {
    /// The client.
    pub(super) client: Client,
    /// Whether the device is new: nothing that was sent before now is meant for it.
    pub(super) fresh: bool,
    /// Whether it was logged out until now, and is the same device as before.
    pub(super) was_out: bool,
    /// Whether it encrypts for all devices, since its own is not signed.
    pub(super) unsigned: bool,
    /// How long its token lives, as the homeserver has just said when it logged in.
    pub(super) token_life: Option<Duration>,
}

impl Session {
    fn of(client: Client, fresh: bool) -> Self {
        Self { client, fresh, was_out: false, unsigned: false, token_life: None }
    }
}

/// The files of a session below the folder of the bot's state.
#[derive(Debug)]
struct Files {
    store: PathBuf,
    store_key: PathBuf,
    session: PathBuf,
}

impl Files {
    fn of(settings: &Settings) -> Self {
        Self {
            store: settings.state.join("matrix"),
            store_key: settings.state.join("store.key"),
            session: settings.state.join("session.json"),
        }
    }

    /// The session that an earlier run kept, unless a part of it is lost.
    fn kept(&self) -> Result<Option<MatrixSession>, ConnectError> {
        let crypto = files::is_there(&self.store.join("matrix-sdk-crypto.sqlite3"))?;
        let key = files::is_there(&self.store_key)?;
        let (Some(session), true, true) = (files::read(&self.session)?, crypto, key) else {
            return Ok(None);
        };
        Ok(serde_json::from_slice(&session).ok())
    }

    /// The access token of a device whose store is lost, to log that device out.
    fn orphan(&self) -> Result<Option<SecretString>, ConnectError> {
        let session = files::read(&self.session)?;
        let session: Option<MatrixSession> =
            session.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(session.map(|session| session.tokens.access_token.into()))
    }

    fn keep(&self, session: &MatrixSession) -> Result<(), ConnectError> {
        let bytes = serde_json::to_vec(session).map_err(ConnectError::other)?;
        Ok(files::write(&self.session, &bytes)?)
    }

    /// Gives up what is left of an earlier device.
    fn give_up(&self) -> Result<(), ConnectError> {
        files::remove(&self.session)?;
        files::remove(&self.store)?;
        Ok(files::remove(&self.store_key)?)
    }

    /// The key that the store is encrypted with: 32 random bytes, made where there are none. Not
    /// a passphrase, which would cost a second of hashing at each start.
    #[expect(clippy::disallowed_methods, reason = "a key that no test needs to foresee")]
    fn key(&self) -> Result<[u8; 32], ConnectError> {
        if let Some(bytes) = files::read(&self.store_key)?
            && let Ok(key) = <[u8; 32]>::try_from(bytes)
        {
            return Ok(key);
        }
        let key: [u8; 32] = rand::rng().random();
        files::write(&self.store_key, &key)?;
        Ok(key)
    }
}

/// Goes on with the session of an earlier run, or logs in.
pub(super) async fn open(
    settings: &Settings,
    strategy: CollectStrategy,
) -> Result<Session, ConnectError> {
    let files = Files::of(settings);
    files::private_dir(&settings.state)?;
    files::private_dir(&files.store)?;
    let http = http_client()?;
    let kept = files.kept()?;
    if let Some(session) = &kept
        && session.meta.user_id != settings.user_id
    {
        return Err(ConnectError::OtherAccount {
            state: settings.state.clone(),
            found: session.meta.user_id.clone(),
        });
    }
    let session = match &settings.login {
        Login::Password(password) => match kept.filter(|_| goes_on(settings)) {
            Some(session) => {
                let meta = session.meta.clone();
                let restored =
                    restore(settings, &files, http.clone(), strategy.clone(), session).await;
                match restored {
                    Err(ConnectError::Expired) => {
                        log_in_again(settings, &files, http, strategy, meta, password).await
                    }
                    restored => restored,
                }
            }
            None => log_in(settings, &files, http, strategy, password).await,
        },
        Login::AccessToken(token) => {
            let session = session_of_token(settings, &http, token).await?;
            match kept {
                Some(kept) if kept.meta == session.meta => {
                    if settings.remembers_nothing {
                        tracing::warn!(
                            "what was said before can be decrypted still, and is not remembered: \
                             a server could deliver it once more. Give the bot a new access token"
                        );
                    }
                    restore(settings, &files, http, strategy, session).await
                }
                _ => adopt(settings, &files, http, strategy, session).await,
            }
        }
    }?;
    files::close_all(&files.store)?;
    Ok(session)
}

/// Whether the device of an earlier run is used on.
fn goes_on(settings: &Settings) -> bool {
    !settings.remembers_nothing && !settings.new_device
}

/// The device of an earlier run, to read with; `None` where there is none, or a part of it is lost.
pub(super) async fn earlier(
    settings: &Settings,
    strategy: CollectStrategy,
) -> Result<Option<Client>, ConnectError> {
    let files = Files::of(settings);
    let Some(session) = files.kept()? else { return Ok(None) };
    if session.meta.user_id != settings.user_id {
        return Ok(None);
    }
    let earlier = restore(settings, &files, http_client()?, strategy, session).await?;
    Ok(Some(earlier.client))
}

/// What the SDK asks the homeserver with.
fn http_client() -> Result<reqwest::Client, ConnectError> {
    crate::http::client()
        .connect_timeout(Duration::from_secs(10))
        .build()
        .map_err(ConnectError::other)
}

async fn client(
    settings: &Settings,
    files: &Files,
    http: reqwest::Client,
    strategy: CollectStrategy,
) -> Result<Client, ConnectError> {
    let store = SqliteStoreConfig::new(&files.store)
        .key(Some(&files.key()?))
        .pool_max_size(STORE_POOL)
        .cache_size(STORE_CACHE);
    Client::builder()
        .homeserver_url(&settings.homeserver)
        .http_client(http)
        .sqlite_store_with_config_and_cache_path(store, None::<PathBuf>)
        .cross_process_store_config(CrossProcessLockConfig::SingleProcess)
        .respect_login_well_known(false)
        .request_config(RequestConfig::new().timeout(REQUEST).retry_limit(2))
        .with_encryption_settings(EncryptionSettings {
            auto_enable_cross_signing: false,
            // What was said before this device was there must stay unreadable to it: a command
            // that is years old would otherwise look like one that was never answered.
            backup_download_strategy: BackupDownloadStrategy::Manual,
            auto_enable_backups: false,
        })
        // `trust` judges by itself, so that it can say what is wrong.
        .with_decryption_settings(DecryptionSettings {
            sender_device_trust_requirement: TrustRequirement::Untrusted,
        })
        .with_room_key_recipient_strategy(strategy)
        .with_enable_share_history_on_invite(false)
        .build()
        .await
        .map_err(|error| match error {
            ClientBuildError::SqliteStore(error) => {
                ConnectError::Store { path: files.store.clone(), source: Box::new(error) }
            }
            other => ConnectError::other(other),
        })
}

/// Connections to the SDK's database. The bot does little at once, and each costs memory.
const STORE_POOL: usize = 4;

/// What each of these connections may keep of its file in memory, in bytes. Nothing is read so
/// often that more would make an answer quicker.
const STORE_CACHE: u32 = 500_000;

async fn restore(
    settings: &Settings,
    files: &Files,
    http: reqwest::Client,
    strategy: CollectStrategy,
    session: MatrixSession,
) -> Result<Session, ConnectError> {
    let client = client(settings, files, http, strategy).await?;
    client.restore_session(session).await?;
    client.whoami().await?;
    Ok(Session::of(client, false))
}

/// Logs in by password, as a new device with a new store.
async fn log_in(
    settings: &Settings,
    files: &Files,
    http: reqwest::Client,
    strategy: CollectStrategy,
    password: &SecretString,
) -> Result<Session, ConnectError> {
    let orphan = files.orphan()?;
    files.give_up()?;
    files::private_dir(&files.store)?;
    let client = client(settings, files, http.clone(), strategy).await?;
    let auth = client.matrix_auth();
    let login = auth
        .login_username(&settings.user_id, password.expose_secret())
        .initial_device_display_name(&settings.device_name)
        .send()
        .await
        .map_err(|error| match Failure::of(&error) {
            Failure::Lasting | Failure::LoggedOut | Failure::Expired => {
                ConnectError::LoginRefused {
                    user: settings.user_id.clone(),
                    source: Box::new(error),
                }
            }
            _ => error.into(),
        })?;
    let session = auth.session().ok_or_else(|| ConnectError::other("no session after login"))?;
    files.keep(&session)?;
    tracing::info!(device = %session.meta.device_id, "logged in as a new device");
    if let Some(token) = orphan {
        log_out(&settings.homeserver, &http, &token).await;
    }
    Ok(Session { token_life: login.expires_in, ..Session::of(client, true) })
}

/// What the homeserver answers to a login (`POST /_matrix/client/v3/login`).
#[derive(Deserialize)]
struct LoggedIn {
    user_id: OwnedUserId,
    device_id: OwnedDeviceId,
    access_token: String,
    /// How many milliseconds it lives; left out where it does not end by itself.
    expires_in_ms: Option<u64>,
}

/// Logs in by password on the device of before, whose token has expired: it has its store still.
#[expect(clippy::disallowed_methods, reason = "the SDK logs in only a client that has no session")]
async fn log_in_again(
    settings: &Settings,
    files: &Files,
    http: reqwest::Client,
    strategy: CollectStrategy,
    meta: SessionMeta,
    password: &SecretString,
) -> Result<Session, ConnectError> {
    let login = serde_json::json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": settings.user_id },
        "password": password.expose_secret(),
        "device_id": meta.device_id,
    });
    let url = endpoint(&settings.homeserver, "v3/login")?;
    let answer = http.post(url).json(&login).timeout(REQUEST).send().await;
    let answer =
        answer.and_then(reqwest::Response::error_for_status).map_err(|error| {
            match error.status() {
                Some(status) if status.is_client_error() && status.as_u16() != 429 => {
                    ConnectError::LoginRefused {
                        user: settings.user_id.clone(),
                        source: error.without_url().into(),
                    }
                }
                _ => ConnectError::unreachable(error),
            }
        })?;
    let LoggedIn { user_id, device_id, access_token, expires_in_ms } =
        answer.json().await.map_err(ConnectError::unreachable)?;
    if user_id != meta.user_id || device_id != meta.device_id {
        return Err(ConnectError::other("the homeserver logged in another device"));
    }
    let tokens = SessionTokens { access_token, refresh_token: None };
    let session = MatrixSession { meta, tokens };
    files.keep(&session)?;
    tracing::info!(device = %session.meta.device_id, "logged in again on the same device");
    let restored = restore(settings, files, http, strategy, session).await?;
    let token_life = expires_in_ms.map(Duration::from_millis);
    Ok(Session { was_out: true, token_life, ..restored })
}

/// Takes the device of an access token as ours, with a new store.
async fn adopt(
    settings: &Settings,
    files: &Files,
    http: reqwest::Client,
    strategy: CollectStrategy,
    session: MatrixSession,
) -> Result<Session, ConnectError> {
    if has_keys(&settings.homeserver, &http, &session).await? {
        return Err(ConnectError::TokenDeviceInUse { device: session.meta.device_id });
    }
    files.give_up()?;
    files::private_dir(&files.store)?;
    let client = client(settings, files, http, strategy).await?;
    client.restore_session(session.clone()).await?;
    files.keep(&session)?;
    tracing::info!(device = %session.meta.device_id, "took the device of the access token");
    Ok(Session::of(client, true))
}

/// What the homeserver says whose an access token is
/// (`GET /_matrix/client/v3/account/whoami`).
#[derive(Deserialize)]
struct Whoami {
    user_id: OwnedUserId,
    device_id: Option<OwnedDeviceId>,
}

#[expect(clippy::disallowed_methods, reason = "asked before there is a client of the SDK")]
async fn session_of_token(
    settings: &Settings,
    http: &reqwest::Client,
    token: &SecretString,
) -> Result<MatrixSession, ConnectError> {
    let url = endpoint(&settings.homeserver, "v3/account/whoami")?;
    let answer = http.get(url).bearer_auth(token.expose_secret()).timeout(REQUEST).send().await;
    let answer = answer.map_err(ConnectError::unreachable)?;
    if answer.status() == reqwest::StatusCode::UNAUTHORIZED {
        let refused: serde_json::Value = answer.json().await.unwrap_or_default();
        let expired = refused["soft_logout"] == true;
        return Err(if expired { ConnectError::Expired } else { ConnectError::LoggedOut });
    }
    let answer = answer.error_for_status().map_err(ConnectError::unreachable)?;
    let whoami: Whoami = answer.json().await.map_err(ConnectError::unreachable)?;
    if whoami.user_id != settings.user_id {
        return Err(ConnectError::TokenOfOtherAccount { found: whoami.user_id });
    }
    let device_id = whoami.device_id.ok_or(ConnectError::TokenWithoutDevice)?;
    Ok(MatrixSession {
        meta: SessionMeta { user_id: whoami.user_id, device_id },
        tokens: SessionTokens {
            access_token: token.expose_secret().to_owned(),
            refresh_token: None,
        },
    })
}

/// Whether the device has published keys already, whose secret halves another store holds
/// (`POST /_matrix/client/v3/keys/query`).
#[expect(clippy::disallowed_methods, reason = "asked before there is a client of the SDK")]
async fn has_keys(
    homeserver: &Url,
    http: &reqwest::Client,
    session: &MatrixSession,
) -> Result<bool, ConnectError> {
    let (user, device) = (session.meta.user_id.as_str(), session.meta.device_id.as_str());
    let answer: serde_json::Value = http
        .post(endpoint(homeserver, "v3/keys/query")?)
        .bearer_auth(&session.tokens.access_token)
        .json(&serde_json::json!({ "device_keys": { user: [device] } }))
        .timeout(REQUEST)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(ConnectError::unreachable)?
        .json()
        .await
        .map_err(ConnectError::unreachable)?;
    Ok(answer["device_keys"][user].get(device).is_some())
}

/// Logs the device of a lost store out (`POST /_matrix/client/v3/logout`), so that nobody goes on
/// encrypting for it. The bot works without that.
#[expect(
    clippy::disallowed_methods,
    reason = "the device that is logged out has no client of the SDK"
)]
async fn log_out(homeserver: &Url, http: &reqwest::Client, token: &SecretString) {
    let Ok(url) = endpoint(homeserver, "v3/logout") else { return };
    let request = http.post(url).bearer_auth(token.expose_secret()).timeout(REQUEST);
    match request.send().await.and_then(reqwest::Response::error_for_status) {
        Ok(_) => tracing::info!("logged out the device whose store is lost"),
        Err(error) => tracing::warn!(%error, "the device whose store is lost stays logged in"),
    }
}

fn endpoint(homeserver: &Url, path: &str) -> Result<Url, ConnectError> {
    let base = homeserver.as_str().trim_end_matches('/');
    Url::parse(&format!("{base}/_matrix/client/{path}")).map_err(ConnectError::other)
}
