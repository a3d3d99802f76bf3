//! The binary under test, as a process of its own.

use std::{
    fs::{OpenOptions, create_dir_all},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::Mutex,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    Log,
    install::SYNAPSE,
    process::{Process, lock},
};

/// The first start makes keys and a store, perhaps beside compilers.
const READY: Duration = Duration::from_mins(1);

/// A bot that was started. It dies with this value, and with the test however that ends.
#[derive(Debug)]
pub struct Bot {
    python: PathBuf,
    binary: PathBuf,
    config: PathBuf,
    log: Log,
    process: Mutex<Option<Process>>,
}

impl Bot {
    /// Writes `config` into `dir`, readable by its owner only, runs `binary run --config FILE`
    /// there and waits until its log says `ready`. An error holds the end of the log.
    pub async fn start(binary: impl AsRef<Path>, config: &str, dir: &Path) -> Result<Self> {
        create_dir_all(dir)?;
        let file = dir.join("synod.yaml");
        write_secret(&file, config)?;
        let bot = Self {
            python: SYNAPSE.python().await?,
            binary: binary.as_ref().to_owned(),
            config: file,
            log: Log::new(),
            process: Mutex::default(),
        };
        bot.start_again().await?;
        Ok(bot)
    }

    /// Starts it again with the same configuration and state, and waits until it is ready.
    pub async fn start_again(&self) -> Result<()> {
        ensure!(lock(&self.process).is_none(), "the bot still runs");
        let mark = self.log.mark();
        let words = ["run".as_ref(), "--config".as_ref(), self.config.as_os_str()];
        let command = [&[self.binary.as_os_str()], words.as_slice()].concat();
        let folder = self.config.parent().context("a file has a folder")?;
        let process = Process::start(&self.python, &command, folder, None, self.log.clone())?;
        // With the space or quotation mark before it, for `already` says something else.
        let ready = self.log.wait_for_any(&[" ready", "\"ready\""], mark, READY);
        ready.await.context("the bot did not start")?;
        *lock(&self.process) = Some(process);
        Ok(())
    }

    /// Replaces the configuration that the next start reads.
    pub fn configure(&self, config: &str) -> Result<()> {
        write_secret(&self.config, config)
    }

    /// Kills it (SIGKILL) in the middle of whatever it does, and waits for its end.
    pub async fn kill(&self) -> Result<()> {
        self.end("KILL").await.map(|_| ())
    }

    /// Asks it to end (SIGTERM) and answers how it ended.
    pub async fn terminate(&self) -> Result<ExitStatus> {
        self.end("TERM").await
    }

    /// Tells it to read its configuration again (SIGHUP), and waits until its log says `word`.
    pub async fn hang_up(&self, word: &str) -> Result<()> {
        let mark = self.log.mark();
        lock(&self.process).as_mut().context("the bot does not run")?.signal("HUP")?;
        self.log.wait_for(word, mark, READY).await.map(|_| ())
    }

    /// Waits for it to end by itself.
    pub async fn ended(&self) -> Result<ExitStatus> {
        let process = lock(&self.process).take().context("the bot does not run")?;
        process.ended().await
    }

    /// How much memory of it is resident now, in bytes (`VmRSS` of `/proc`).
    pub fn resident(&self) -> Result<u64> {
        lock(&self.process).as_ref().context("the bot does not run")?.resident()
    }

    /// How much of that is its own, and no part of a file, such as its code, in bytes (`RssAnon`).
    pub fn anonymous(&self) -> Result<u64> {
        lock(&self.process).as_ref().context("the bot does not run")?.anonymous()
    }

    /// The most memory of it that was resident since [`Bot::forget_peak`], or since its start, in
    /// bytes (`VmHWM` of `/proc`).
    pub fn peak(&self) -> Result<u64> {
        lock(&self.process).as_ref().context("the bot does not run")?.peak()
    }

    /// Lets its peak begin at what is resident now.
    pub fn forget_peak(&self) -> Result<()> {
        lock(&self.process).as_ref().context("the bot does not run")?.forget_peak()
    }

    /// All that it has written, over all its starts.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The file that it reads.
    pub fn config_file(&self) -> &Path {
        &self.config
    }

    async fn end(&self, signal: &str) -> Result<ExitStatus> {
        let process = lock(&self.process).take().context("the bot does not run")?;
        process.end(signal).await
    }
}

/// Writes a file that only its owner can read.
pub fn write_secret(file: &Path, text: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(file);
    Ok(file?.write_all(text.as_bytes())?)
}
