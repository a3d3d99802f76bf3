//! synadm, the command line tool for the same Admin API, as it is published.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::{SERVER_NAME, Scene, bot::write_secret, install::SYNADM};

/// synadm, set up for one homeserver with its server admin's token.
#[derive(Debug)]
pub struct Synadm {
    python: PathBuf,
    /// Its configuration, its log, and whatever else it would write into somebody's home.
    home: TempDir,
}

/// What one run of it said.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it printed as its answer.
    pub out: String,
    /// What it printed beside that: warnings, and the traces of its crashes.
    pub err: String,
}

impl Synadm {
    /// With the token that the bot of a scene has, so that both are the same server admin.
    pub async fn of(scene: &Scene) -> Result<Self> {
        Self::at(scene, &scene.synapse().url(), json!({})).await
    }

    /// As [`Synadm::of`], by way of another address, such as that of a [`crate::Proxy`], and with a
    /// configuration that differs in these keys: null takes one out.
    pub async fn at(scene: &Scene, url: &str, mut differs: Value) -> Result<Self> {
        differs["base_url"] = url.into();
        differs["token"] = scene.admin_token()?.into();
        if differs.get("homeserver").is_none() {
            differs["homeserver"] = scene.synapse().server_name().into();
        }
        Self::with(differs).await
    }

    /// Installs it where it is missing.
    async fn with(differs: Value) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("synod-synadm-").tempdir()?;
        let mut config = json!({
            "user": "keeper",
            "protocol": "http",
            "admin_path": "/_synapse/admin",
            "matrix_path": "/_matrix",
            "timeout": 30,
            "server_discovery": "well-known",
            "homeserver": SERVER_NAME,
            "ssl_verify": true,
            "format": "minified",
        });
        for (key, value) in differs.as_object().context("keys and values")? {
            match value {
                Value::Null => config.as_object_mut().and_then(|config| config.remove(key)),
                value => config.as_object_mut().and_then(|c| c.insert(key.clone(), value.clone())),
            };
        }
        // JSON is YAML.
        write_secret(&home.path().join("synadm.yaml"), &config.to_string())?;
        Ok(Self { python: SYNADM.python().await?, home })
    }

    /// Runs it as scripts do: nothing is asked, and data come as one line of JSON each.
    pub async fn runs(&self, words: &[&str]) -> Result<Said> {
        self.says(&[&["--batch"], words].concat()).await
    }

    /// Runs it with exactly these words behind its name and configuration.
    pub async fn says(&self, words: &[&str]) -> Result<Said> {
        let config = self.home.path().join("synadm.yaml");
        let mut command = self.command();
        command.args(["-m", "synadm", "--config-file"]).arg(config).args(words);
        Ok(Said::from(output(command).await?))
    }

    /// Its configuration as it stands, as YAML.
    pub fn config(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.home.path().join("synadm.yaml"))?)
    }

    /// Every command that it has, such as `user list`, in the order of the alphabet.
    pub async fn commands() -> Result<Vec<String>> {
        let nowhere = json!({ "base_url": "http://127.0.0.1:1", "token": "none" });
        let synadm = Self::with(nowhere).await?;
        let mut command = synadm.command();
        command.args(["-c", LIST]);
        let listed = Said::from(output(command).await?);
        ensure!(listed.code == Some(0), "{listed:?}");
        Ok(listed.out.lines().map(str::to_owned).collect())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.python);
        // Nothing of the machine: neither its proxies nor its settings nor its time.
        command.env_clear().env("HOME", self.home.path());
        command.envs([("TZ", "UTC"), ("LC_ALL", "C.UTF-8"), ("PYTHONUTF8", "1")]);
        command.current_dir(self.home.path());
        command
    }
}

impl Said {
    /// The data among what it printed, in their order: it prints sentences between them.
    pub fn data(&self) -> Vec<Value> {
        self.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The last of its data; an error with all that it said where there is none.
    pub fn last(&self) -> Result<Value> {
        self.data().pop().with_context(|| format!("no data: {self:?}"))
    }

    /// Whether it ended in a trace that names this error.
    pub fn crashed_with(&self, error: &str) -> bool {
        self.err.contains("Traceback") && self.err.contains(error)
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

async fn output(mut command: Command) -> Result<Output> {
    Ok(spawn_blocking(move || command.output()).await??)
}

/// Walks the commands as the library that synadm is built with has them.
const LIST: &str = "
from synadm import cli
def walk(command, words):
    for name, inner in getattr(command, 'commands', {}).items():
        yield from walk(inner, words + [name])
    if not hasattr(command, 'commands'):
        yield ' '.join(words)
print('\\n'.join(sorted(walk(cli.root, []))))
";
