//! A real homeserver on loopback.

use std::{
    fs::File,
    io::Read,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use reqwest::Method;
use ruma::{OwnedUserId, UserId};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    sync::OnceCell,
    time::{sleep, timeout},
};

use crate::{
    Api, Log, api, install,
    postgres::Postgres,
    process::{Process, lock},
};

mod config;
mod delegation;
mod neighbours;
mod workers;

pub use delegation::Service;
pub use neighbours::Neighbour;
pub use workers::{Worker, Workers};

/// Starting may share the machine with compilers.
const START: Duration = Duration::from_secs(90);

/// How many processes a homeserver is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Processes {
    /// One.
    #[default]
    One,
    /// Several, behind nginx and on `PostgreSQL`: see [`Synapse::workers`].
    Several,
}

/// How a homeserver differs from the usual one.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Synapse's own rate limits in place of none.
    pub default_rate_limits: bool,
    /// Where its data lives; without one in a new folder that goes when the homeserver goes.
    pub dir: Option<PathBuf>,
    /// On `PostgreSQL` in place of `SQLite`.
    pub postgres: bool,
    /// How many processes it is.
    pub processes: Processes,
    /// On a socket named `socket` in its folder too.
    pub socket: bool,
    /// As one that other servers can reach: see [`Synapse::neighbours`].
    pub neighbour: Option<Neighbour>,
    /// Of this version, such as `1.98.0`, in place of the [`newest`](crate::newest).
    pub version: Option<String>,
    /// Further settings, as YAML at the end of its configuration.
    pub extra: String,
}

/// An account as it was registered.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its full id.
    pub user_id: OwnedUserId,
    /// What it logs in with.
    pub password: String,
}

/// A running homeserver. Clones are the same one; it dies with the last of them, and with the
/// process however that ends.
#[derive(Debug, Clone)]
pub struct Synapse(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    // Before the folder and the database, so that they are gone before their data goes.
    /// What runs beside its main process, where there is more than that.
    workers: Option<Workers>,
    process: Mutex<Option<Process>>,
    /// Its database, where that is a program of its own.
    postgres: Option<Postgres>,
    /// What keeps its accounts, where it is not the homeserver itself.
    accounts: Mutex<Option<Process>>,
    server_name: String,
    /// Holds what it shows other servers, where it can be reached by any.
    _neighbour: Option<Neighbour>,
    dir: PathBuf,
    temporary: Option<TempDir>,
    python: PathBuf,
    port: u16,
    log: Log,
    admin_token: String,
}

static SHARED: OnceCell<Synapse> = OnceCell::const_new();

impl Synapse {
    /// The homeserver that all tests of this process share: without rate limits, each test with
    /// accounts and rooms of its own. Nobody stops it.
    pub async fn shared() -> Result<Self> {
        SHARED.get_or_try_init(|| Self::start(Options::default())).await.cloned()
    }

    /// Starts a homeserver of one's own, on a free port and with no data, and waits until it
    /// answers. Installs Synapse first where it is missing.
    pub async fn start(options: Options) -> Result<Self> {
        let python = install::synapse(options.version.as_deref()).await?;
        let temporary = match options.dir {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("synod-world-").tempdir()?),
        };
        let dir = match (&options.dir, &temporary) {
            (Some(dir), _) => dir.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => bail!("no folder for the data"),
        };
        let port = free_port()?;
        let secret = random_hex(16)?;
        let on_postgres = options.postgres || options.processes == Processes::Several;
        let postgres = if on_postgres { Some(Postgres::start().await?) } else { None };
        let database = postgres.as_ref().map(Postgres::database);
        config::write(&dir, port, (&secret, database.as_deref()), &options)?;
        let workers = match options.processes {
            Processes::Several => Some(Workers::plan(&dir, &python, port)?),
            Processes::One => None,
        };
        let inner = Inner {
            workers,
            process: Mutex::default(),
            postgres,
            accounts: Mutex::default(),
            server_name: config::server_name(&options),
            _neighbour: options.neighbour,
            admin_token: String::new(),
            log: Log::new(),
            dir,
            temporary,
            python,
            port,
        };
        if let Some(workers) = &inner.workers {
            workers.start_before().await?;
        }
        inner.run().await?;
        if let Some(workers) = &inner.workers {
            workers.start_after().await?;
        }
        let admin_token = inner.register_admin(&secret).await?;
        Ok(Self(Arc::new(Inner { admin_token, ..inner })))
    }

    /// The address of its client-server and Admin API, without a slash at its end.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// The name behind the colon of its ids.
    pub fn server_name(&self) -> &str {
        &self.0.server_name
    }

    /// Its database, where it was started on one that is a program of its own.
    pub fn postgres(&self) -> Option<&Postgres> {
        self.0.postgres.as_ref()
    }

    /// What runs beside its main process, where it was started as several.
    pub fn workers(&self) -> Option<&Workers> {
        self.0.workers.as_ref()
    }

    /// What it has logged: warnings and errors.
    pub fn log(&self) -> &Log {
        &self.0.log
    }

    /// Where its data lives; what else belongs to this homeserver's life may live there too.
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Stops it in order and waits for its end. Its port and data stay.
    pub async fn stop(&self) -> Result<()> {
        let process = lock(&self.0.process).take();
        if let Some(process) = process {
            process.end("TERM").await?;
        }
        Ok(())
    }

    /// Kills it, as a power cut would, and waits for its end.
    pub async fn kill(&self) -> Result<()> {
        let process = lock(&self.0.process).take();
        if let Some(process) = process {
            process.end("KILL").await?;
        }
        Ok(())
    }

    /// Starts it again on the same port and data, and waits until it answers.
    pub async fn start_again(&self) -> Result<()> {
        ensure!(lock(&self.0.process).is_none(), "it still runs");
        self.0.run().await
    }

    /// Its interfaces as its server admin.
    pub fn admin(&self) -> Api {
        self.api(&self.0.admin_token)
    }

    /// Its interfaces with a token; an empty one sends none.
    pub fn api(&self, token: &str) -> Api {
        Api::new(&self.url(), token)
    }

    /// Registers an account, or gives an existing one this password, name and admin flag.
    /// It has no device until it logs in.
    pub async fn register(
        &self,
        localpart: &str,
        password: &str,
        admin: bool,
        display_name: &str,
    ) -> Result<Account> {
        let user_id = UserId::parse(format!("@{localpart}:{}", self.0.server_name))?;
        let path = format!("/_synapse/admin/v2/users/{user_id}");
        let body = json!({ "password": password, "admin": admin, "displayname": display_name });
        let (status, answer) = self.admin().put(&path, body).await?;
        ensure!(status == 200 || status == 201, "registering {user_id}: {status} {answer}");
        Ok(Account { user_id, password: password.to_owned() })
    }

    /// Registers an account of the application service of this homeserver, which nobody runs.
    pub async fn bridged(&self, name: &str) -> Result<OwnedUserId> {
        let username = format!("_bridge_{name}");
        let kind = "m.login.application_service";
        // Where accounts are delegated there is no other way.
        let body = json!({ "type": kind, "username": username, "inhibit_login": true });
        let path = "/_matrix/client/v3/register";
        let (status, answer) = self.api(config::AS_TOKEN).post(path, body).await?;
        ensure!(status == 200, "registering {name} for the bridge: {status} {answer}");
        Ok(api::text(&answer, "user_id")?.try_into()?)
    }

    /// The interface of that application service, which acts as its accounts and sets when they did.
    pub fn bridge(&self) -> Api {
        self.api(config::AS_TOKEN)
    }

    /// Logs in on a new device without keys and answers its access token and device id.
    pub async fn log_in(&self, account: &Account) -> Result<(String, String)> {
        self.api("").log_in(account.user_id.localpart(), &account.password).await
    }
}

impl Inner {
    fn url(&self) -> String {
        self.workers.as_ref().map_or_else(|| self.main_url(), Workers::url)
    }

    /// Where the main process, or the only one, listens.
    fn main_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    async fn run(&self) -> Result<()> {
        let config = self.dir.join("homeserver.yaml");
        let mut command =
            vec![self.python.as_os_str(), "-m".as_ref(), "synapse.app.homeserver".as_ref()];
        let more = self.workers.as_ref().map(Workers::configs);
        for file in std::iter::once(&config).chain(more.iter().flatten()) {
            command.extend(["-c".as_ref(), file.as_os_str()]);
        }
        let sweep = self.temporary.as_ref().map(TempDir::path);
        let process = Process::start(&self.python, &command, &self.dir, sweep, self.log.clone())?;
        let up = async {
            tokio::select! {
                () = self.healthy() => Ok(()),
                () = self.log.closed() => Err(anyhow!("Synapse ended at its start")),
            }
        };
        match timeout(START, up).await {
            Ok(result) => result,
            Err(_) => Err(anyhow!("Synapse does not answer after {START:?}")),
        }
        .with_context(|| format!("the end of its log:\n{}", self.log.tail(40)))?;
        *lock(&self.process) = Some(process);
        Ok(())
    }

    async fn healthy(&self) {
        let (http, url) = (api::http(), format!("{}/health", self.main_url()));
        while !http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            sleep(Duration::from_millis(25)).await;
        }
    }

    /// The first account of a homeserver has nobody to make it: that takes the shared secret.
    async fn register_admin(&self, secret: &str) -> Result<String> {
        let path = "/_synapse/admin/v1/register";
        let api = Api::new(&self.url(), "");
        let answer = api.done(Method::GET, path, None).await?;
        let (nonce, password) = (api::text(&answer, "nonce")?, random_hex(16)?);
        let sign = "import hmac, sys; key, *parts = sys.argv[1:]; \
            print(hmac.new(key.encode(), '\\0'.join(parts).encode(), 'sha1').hexdigest())";
        let signed = Command::new(&self.python)
            .args(["-I", "-S", "-c", sign, secret, &nonce, "keeper", &password, "admin"])
            .output()?;
        let body = json!({
            "nonce": nonce, "username": "keeper", "password": password, "admin": true,
            "mac": String::from_utf8_lossy(&signed.stdout).trim(),
        });
        let answer: Value = api.done(Method::POST, path, Some(body)).await?;
        api::text(&answer, "access_token")
    }
}

/// A free port below those that the kernel hands out for outgoing connections, so that it is
/// still free when the homeserver starts again.
fn free_port() -> Result<u16> {
    for _ in 0..50 {
        let port = 20_000 + u16::from_le_bytes(random_bytes()?) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port between 20000 and 32000");
}

/// Bytes that nobody can guess and that no two processes share.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// `length` random bytes in hexadecimal.
pub(crate) fn random_hex(length: usize) -> Result<String> {
    let bytes = random_bytes::<32>()?;
    let digits = bytes.iter().take(length).map(|byte| format!("{byte:02x}"));
    Ok(digits.collect())
}
