//! A homeserver whose accounts an authentication service keeps.

use std::{ffi::OsStr, fs::OpenOptions, io::Write as _, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Synapse, free_port};
use crate::{
    Config, Log, api,
    bot::write_secret,
    process::{Process, lock},
};

/// How long the service may take to begin.
const START: Duration = Duration::from_secs(20);

/// By which the service and the homeserver know each other.
const SECRET: &str = "shared-with-the-service";

/// The service with an admin API: one program in three files.
const SERVICE: &str = concat!(
    include_str!("service/objects.py"),
    "\n\n",
    include_str!("service/operations.py"),
    "\n\n",
    include_str!("service/server.py"),
);

/// The id and the secret of the bot's client at the service.
const CLIENT: (&str, &str) = ("01JD0PSYN0D0000000000000B0", "the-secret-of-the-client");

/// An authentication service with an admin API, beside a homeserver. It ends with that.
#[derive(Debug, Clone)]
pub struct Service {
    url: String,
    secret: PathBuf,
}

impl Synapse {
    /// Hands its accounts over to an authentication service, as somebody does who moves an old
    /// homeserver: it stops, and starts again with the service beside it. Whoever is logged in
    /// stays so; the service knows nothing but these sessions, and is no more than what Synapse
    /// asks it for. From then on nobody can be registered here, nor log in.
    pub async fn delegate(&self) -> Result<()> {
        let port = free_port()?;
        let (number, database) = (port.to_string(), self.dir().join("homeserver.db"));
        let arguments = [number.as_ref(), database.as_os_str()];
        self.hand_over(port, include_str!("delegation.py"), &arguments).await
    }

    /// The same to a service that the bot can administer, and that tells the homeserver of what becomes of
    /// accounts.
    pub async fn delegate_to_service(&self) -> Result<Service> {
        let port = free_port()?;
        let (number, database) = (port.to_string(), self.dir().join("homeserver.db"));
        let (homeserver, name) = (self.url(), self.server_name());
        let arguments = [
            number.as_ref(),
            database.as_os_str(),
            homeserver.as_ref(),
            name.as_ref(),
            SECRET.as_ref(),
        ];
        self.hand_over(port, SERVICE, &arguments).await?;
        let secret = self.dir().join("client-secret");
        write_secret(&secret, CLIENT.1)?;
        Ok(Service { url: format!("http://127.0.0.1:{port}"), secret })
    }

    async fn hand_over(&self, port: u16, program: &str, arguments: &[&OsStr]) -> Result<()> {
        self.stop().await?;
        let log = Log::new();
        let python = [self.0.python.as_os_str(), "-I".as_ref(), "-c".as_ref(), program.as_ref()];
        let command = [&python, arguments].concat();
        let service = Process::start(&self.0.python, &command, self.dir(), None, log.clone())?;
        log.wait_for("ready", 0, START).await.context("the authentication service")?;
        *lock(&self.0.accounts) = Some(service);
        let config = self.dir().join("homeserver.yaml");
        let mut config = OpenOptions::new().append(true).open(config)?;
        write!(
            config,
            "
matrix_authentication_service:
  enabled: true
  endpoint: http://127.0.0.1:{port}/
  secret: {SECRET}
password_config: {{enabled: false}}
enable_3pid_changes: false
"
        )?;
        self.start_again().await
    }
}

impl Service {
    /// The configuration with what it takes to reach it.
    #[must_use]
    pub fn known_to(&self, config: Config) -> Config {
        let key = |key: &str| format!("homeserver.authentication_service.{key}");
        config
            .set(&key("admin_url"), self.url.as_str())
            .set(&key("client_id"), CLIENT.0)
            .secret_file(&key("client_secret"), &self.secret)
    }

    /// Sets how it answers, such as `{"admin_clients": []}`: see `settings` in `service/objects.py`.
    pub async fn set(&self, settings: Value) -> Result<()> {
        self.test("set", settings).await.map(|_| ())
    }

    /// Ends every token that it has given out for its admin API.
    pub async fn forget_tokens(&self) -> Result<()> {
        self.test("forget-tokens", Value::Null).await.map(|_| ())
    }

    /// Has it tell the homeserver of nothing more, until [`Service::goes_on`].
    pub async fn waits(&self) -> Result<()> {
        self.test("hold", Value::Null).await.map(|_| ())
    }

    /// Has it tell the homeserver again, and waits until it has told all.
    pub async fn goes_on(&self) -> Result<()> {
        self.test("flow", Value::Null).await?;
        self.test("idle", Value::Null).await.map(|_| ())
    }

    /// Makes an object of this kind, and answers its id.
    pub async fn make(&self, kind: &str, attributes: Value) -> Result<String> {
        let mut object = attributes;
        object["kind"] = json!(kind);
        api::text(&self.test("make", object).await?, "id")
    }

    /// An account as it has it, `Null` where it does not know it.
    pub async fn user(&self, localpart: &str) -> Result<Value> {
        Ok(self.test("see", Value::Null).await?["users"][localpart].clone())
    }

    /// All objects of a kind, by their ids.
    pub async fn objects(&self, kind: &str) -> Result<Value> {
        Ok(self.test("see", Value::Null).await?["objects"][kind].clone())
    }

    /// The password that it was given for an account.
    pub async fn password(&self, localpart: &str) -> Result<Value> {
        Ok(self.test("see", Value::Null).await?["passwords"][localpart].clone())
    }

    /// What it was asked, in order: a method and a path each, below its admin API or for a token.
    pub async fn requests(&self) -> Result<Vec<String>> {
        let requests = self.test("see", Value::Null).await?["requests"].clone();
        Ok(serde_json::from_value(requests)?)
    }

    async fn test(&self, what: &str, body: Value) -> Result<Value> {
        let url = format!("{}/test/{what}", self.url);
        let answer = api::http().post(&url).json(&body).send().await?;
        ensure!(answer.status().is_success(), "{what}: {}", answer.status());
        Ok(answer.json().await?)
    }
}
