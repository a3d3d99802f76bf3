//! A `PostgreSQL` of one's own.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::{Log, process::Process};

/// How long it may take to begin.
const START: Duration = Duration::from_secs(30);

/// Debian's folder of all versions. Their programs are not on the path, for there may be several.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A running `PostgreSQL` with one empty database, on a socket in a folder of its own, which goes
/// when it goes. It refuses to be run by root, who runs it as the user that Debian's package makes.
#[derive(Debug)]
pub struct Postgres {
    _process: Process,
    folder: TempDir,
    programs: PathBuf,
}

impl Postgres {
    /// Starts one and waits until it takes connections.
    pub(crate) async fn start() -> Result<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("synod-postgres-").tempdir()?;
        let data = folder.path().join("data");
        if is_root()? {
            run(Command::new("chown").arg("postgres").arg(folder.path())).await?;
        }
        // What may be lost with the machine is lost with the test anyway.
        let make = [
            programs.join("initdb").into_os_string(),
            "--no-sync".into(),
            "--auth=trust".into(),
            "--username=synapse".into(),
            "--encoding=UTF8".into(),
            // Synapse takes no other order of letters.
            "--locale=C".into(),
            "--pgdata".into(),
            data.clone().into(),
        ];
        let make = unprivileged(&make)?;
        let (program, arguments) = make.split_first().context("a command has a program")?;
        run(Command::new(program).args(arguments).current_dir(folder.path())).await?;
        let command = [
            programs.join("postgres").into_os_string(),
            "-D".into(),
            data.into(),
            "-k".into(),
            folder.path().into(),
            "-c".into(),
            "listen_addresses=".into(),
            "-c".into(),
            "fsync=off".into(),
            // What it knows of its tables changes only when it is told to look.
            "-c".into(),
            "autovacuum=off".into(),
        ];
        let (log, python) = (Log::new(), Path::new("python3"));
        let command = unprivileged(&command)?;
        let sweep = Some(folder.path());
        let process = Process::start(python, &command, folder.path(), sweep, log.clone())?;
        log.wait_for("ready to accept connections", 0, START).await.context("PostgreSQL")?;
        Ok(Self { _process: process, folder, programs })
    }

    /// How Synapse is told of its database, as YAML on one line.
    pub(crate) fn database(&self) -> String {
        format!(
            "{{name: psycopg2, args: {{host: '{}', user: synapse, dbname: postgres, cp_max: 5}}}}",
            self.folder.path().display()
        )
    }

    /// What a query answers: a line each, with `|` between columns.
    pub async fn query(&self, query: &str) -> Result<Vec<String>> {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["--no-psqlrc", "--tuples-only", "--no-align", "--username=synapse"]);
        command.arg("--host").arg(self.folder.path()).args(["--dbname=postgres", "--command"]);
        let said = run(command.arg(query)).await?;
        Ok(said.lines().map(str::to_owned).collect())
    }
}

/// The folder of the newest version that is installed.
fn programs() -> Result<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|version| {
            let number = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .collect();
    versions.sort();
    let on_path = env::var_os("PATH").unwrap_or_default();
    let found = versions.into_iter().rev().map(|(_, folder)| folder);
    let mut found = found.chain(env::split_paths(&on_path).collect::<Vec<_>>());
    let has_it = |folder: &PathBuf| folder.join("initdb").is_file();
    found.find(has_it).context("PostgreSQL is not installed (Debian: apt install postgresql)")
}

fn is_root() -> Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// The same command as somebody whom `PostgreSQL` takes. The program stays the child itself, so
/// that signals reach it.
fn unprivileged(command: &[OsString]) -> Result<Vec<OsString>> {
    let drop: &[&str] = if is_root()? {
        &["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
    } else {
        &[]
    };
    Ok(drop.iter().map(OsString::from).chain(command.iter().cloned()).collect())
}

/// Runs a program to its end and answers what it printed.
async fn run(command: &Command) -> Result<String> {
    let what = command.get_program().display().to_string();
    let mut taken = Command::new(command.get_program());
    taken.args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        taken.current_dir(folder);
    }
    let output = spawn_blocking(move || taken.output()).await?.with_context(|| what.clone())?;
    ensure!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
