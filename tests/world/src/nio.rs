//! A bot on matrix-nio, another's library, to compare with.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Log, bot::write_secret, install::NIO, process::Process};

/// How long it may take until it is in its room.
const READY: Duration = Duration::from_mins(1);

/// A program in Python that stands on matrix-nio. It dies with this value.
#[derive(Debug)]
pub struct Nio {
    process: Process,
    /// Its settings and keys.
    _dir: TempDir,
}

impl Nio {
    /// Runs `script` with a file of these settings, installing matrix-nio where it is missing, and
    /// waits until it says `ready`. It runs in an empty folder, which goes with it.
    pub async fn start(script: &Path, settings: &Value) -> Result<Self> {
        let python = NIO.python().await?;
        let dir = tempfile::Builder::new().prefix("synod-nio-").tempdir()?;
        let file = dir.path().join("settings.json");
        write_secret(&file, &settings.to_string())?;
        let command = [python.as_os_str(), script.as_os_str(), file.as_os_str()];
        let log = Log::new();
        let process = Process::start(&python, &command, dir.path(), None, log.clone())?;
        log.wait_for("ready", 0, READY).await.context("the bot on matrix-nio did not start")?;
        Ok(Self { process, _dir: dir })
    }

    /// How much memory of it is resident now, in bytes.
    pub fn resident(&self) -> Result<u64> {
        self.process.resident()
    }
}
