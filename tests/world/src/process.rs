//! A program that dies with this process, and what it says.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{sync::watch, task::spawn_blocking, time::timeout};

const GUARD: &str = include_str!("guard.py");

/// Locks a mutex whose holder may have panicked: a failed test must not fail the others.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything that a program has written to its two outputs, in order, over all its starts.
#[derive(Debug, Clone)]
pub struct Log(Arc<Lines>);

#[derive(Debug)]
struct Lines {
    text: Mutex<String>,
    /// Whether somebody still writes; a change of it or of the text wakes those who wait.
    open: watch::Sender<bool>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Lines { text: Mutex::default(), open: watch::Sender::new(false) }))
    }

    /// All of it.
    pub fn text(&self) -> String {
        lock(&self.0.text).clone()
    }

    /// The lines that contain `needle`.
    pub fn lines_with(&self, needle: &str) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(needle)).map(str::to_owned).collect()
    }

    /// Where it ends now, in bytes, for [`Log::wait_for`].
    pub fn mark(&self) -> usize {
        lock(&self.0.text).len()
    }

    /// The last `lines` lines.
    pub fn tail(&self, lines: usize) -> String {
        let text = lock(&self.0.text);
        let all: Vec<&str> = text.lines().collect();
        all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
    }

    /// Waits for a line with `needle` after `mark`. An error, with the end of the log, if the
    /// program ends before or nothing comes within `patience`.
    pub async fn wait_for(&self, needle: &str, mark: usize, patience: Duration) -> Result<String> {
        self.wait_for_any(&[needle], mark, patience).await
    }

    /// As [`Log::wait_for`], with any of these.
    pub(crate) async fn wait_for_any(
        &self,
        needles: &[&str],
        mark: usize,
        patience: Duration,
    ) -> Result<String> {
        let mut open = self.0.open.subscribe();
        let search = async {
            loop {
                let still_open = *open.borrow_and_update();
                if let Some(line) = needles.iter().find_map(|needle| self.find(needle, mark)) {
                    return Ok(line);
                }
                if !still_open || open.changed().await.is_err() {
                    bail!("it ended before its log said {needles:?}");
                }
            }
        };
        match timeout(patience, search).await {
            Ok(found) => found,
            Err(_) => Err(anyhow::anyhow!("its log did not say {needles:?} within {patience:?}")),
        }
        .with_context(|| format!("the end of its log:\n{}", self.tail(60)))
    }

    /// Returns once nobody writes any more.
    pub(crate) async fn closed(&self) {
        let mut open = self.0.open.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ended = open.wait_for(|open| !open).await;
    }

    fn find(&self, needle: &str, mark: usize) -> Option<String> {
        let text = lock(&self.0.text);
        text.get(mark..)?.lines().find(|line| line.contains(needle)).map(str::to_owned)
    }

    fn follow(&self, output: impl std::io::Read + Send + 'static) {
        let lines = self.0.clone();
        lines.open.send_replace(true);
        thread::spawn(move || {
            let mut reader = BufReader::new(output);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(length) if length > 0) {
                lock(&lines.text).push_str(&String::from_utf8_lossy(&line));
                lines.open.send_replace(true);
                line.clear();
            }
            lines.open.send_replace(false);
        });
    }
}

/// A running program under the guard. Dropping it kills the program.
#[derive(Debug)]
pub(crate) struct Process {
    guard: Arc<Mutex<Child>>,
    lifeline: ChildStdin,
    log: Log,
}

impl Process {
    /// Starts `command` (program and arguments) in `folder`. `python` runs the guard; the guard
    /// removes `sweep` if this process dies or lets go of the program.
    pub(crate) fn start<S: AsRef<OsStr>>(
        python: &Path,
        command: &[S],
        folder: &Path,
        sweep: Option<&Path>,
        log: Log,
    ) -> Result<Self> {
        let mut guard = Command::new(python)
            .args(["-I", "-S", "-c", GUARD])
            .arg(sweep.unwrap_or(Path::new("")))
            .args(command)
            .current_dir(folder)
            .env("PYTHONUNBUFFERED", "1")
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Out of the terminal's foreground group: Ctrl-C is for whoever started the guard.
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} did not start", python.display()))?;
        let lifeline = guard.stdin.take().context("the guard has no standard input")?;
        log.follow(guard.stdout.take().context("the guard has no standard output")?);
        Ok(Self { guard: Arc::new(Mutex::new(guard)), lifeline, log })
    }

    /// Sends a signal, named without its `SIG`, and waits for the end. The status is the
    /// program's own, with the code 128 + n if signal n ended it.
    pub(crate) async fn end(mut self, signal: &str) -> Result<ExitStatus> {
        // It may have ended by itself: then the pipe is broken, and that is fine.
        let _sent = writeln!(self.lifeline, "{signal}");
        self.ended().await
    }

    /// Sends a signal, named without its `SIG`.
    pub(crate) fn signal(&mut self, signal: &str) -> Result<()> {
        writeln!(self.lifeline, "{signal}").context("the program has ended")
    }

    /// How much memory of the program is resident now, in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// How much of it is the program's own, and no part of a file, such as its code, in bytes.
    pub(crate) fn anonymous(&self) -> Result<u64> {
        self.memory("RssAnon:")
    }

    /// The most that was resident since the last [`forget_peak`](Self::forget_peak), in bytes.
    pub(crate) fn peak(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    /// Lets the peak begin at what is resident now.
    pub(crate) fn forget_peak(&self) -> Result<()> {
        fs::write(self.folder()?.join("clear_refs"), "5").context("the peak of the memory")
    }

    fn memory(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(self.folder()?.join("status"))?;
        let kilobytes: u64 = field(&status, name).context("no such memory")?.parse()?;
        Ok(kilobytes * 1024)
    }

    /// The program's folder in `/proc`. It is the guard's only child.
    fn folder(&self) -> Result<PathBuf> {
        let guard = lock(&self.guard).id().to_string();
        for entry in fs::read_dir("/proc")? {
            let folder = entry?.path();
            // Processes come and go meanwhile.
            let Ok(status) = fs::read_to_string(folder.join("status")) else { continue };
            if field(&status, "PPid:") == Some(&guard) {
                return Ok(folder);
            }
        }
        bail!("the program has ended")
    }

    /// Waits for the program to end by itself.
    pub(crate) async fn ended(&self) -> Result<ExitStatus> {
        let guard = self.guard.clone();
        let status = spawn_blocking(move || lock(&guard).wait()).await?.context("waiting")?;
        self.log.closed().await;
        Ok(status)
    }
}

/// What stands behind a name in a `status` of `/proc`, without its unit.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.map(|rest| rest.trim().trim_end_matches(" kB"))
}
