//! Putting Synapse, and what it is compared with, into the build folder, once for all processes of
//! a checkout.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use tokio::task::spawn_blocking;

use crate::{Log, process::Process};

/// A program in Python, in an environment of its own.
pub(crate) struct Package<'a> {
    /// Its folder inside the build folder.
    folder: &'a str,
    /// It first, and then of what it rests on that which changes how it behaves.
    requirements: &'a [&'a str],
}

/// The homeserver, of the version that all tests run unless they name another.
pub(crate) const SYNAPSE: Package<'static> = Package {
    folder: "synapse",
    requirements: &["matrix-synapse==1.163.2", POSTGRES, REDIS, "hiredis==3.5.0"],
};

/// By which a homeserver speaks to its database.
const POSTGRES: &str = "psycopg2-binary==2.9.13";

/// By which several processes of a homeserver speak to each other.
const REDIS: &str = "txredisapi==1.5.0";

/// The last of its kind with which Synapse starts that is older than [`NEW_METRICS`].
const OLD_METRICS: &str = "prometheus_client==0.23.1";

/// The first of the versions 1.x of Synapse that starts with newer ones.
const NEW_METRICS: u32 = 146;

/// The interpreter for the homeserver of this version, such as `1.98.0`, which has an environment of
/// its own; without one for [`SYNAPSE`].
pub(crate) async fn synapse(version: Option<&str>) -> Result<PathBuf> {
    let Some(version) = version.filter(|version| *version != newest()) else {
        return SYNAPSE.python().await;
    };
    let numbers: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    let &[1, minor, _] = numbers.as_slice() else {
        bail!("{version} is no version such as 1.98.0")
    };
    let (folder, synapse) = (format!("synapse-{version}"), format!("matrix-synapse=={version}"));
    let mut requirements = vec![synapse.as_str(), POSTGRES];
    if minor < NEW_METRICS {
        requirements.push(OLD_METRICS);
    }
    Package { folder: &folder, requirements: &requirements }.python().await
}

/// The version that the homeservers of all tests run unless they name another.
pub fn newest() -> &'static str {
    let named = SYNAPSE.requirements.first().and_then(|named| named.split_once("=="));
    named.map_or("", |(_, version)| version)
}

/// The command line tool whose commands Synod's are measured against.
pub(crate) const SYNADM: Package<'static> = Package {
    folder: "synadm",
    requirements: &[
        "synadm==0.49.2",
        "click==8.5.1",
        "click-option-group==0.5.9",
        "dnspython==2.9.2",
        "PyYAML==6.0.3",
        "requests==2.34.2",
        "requests-unixsocket==0.4.1",
        "tabulate==0.10.0",
        "urllib3==2.8.0",
    ],
};

/// The library that most bots in Python stand on, and what its encryption takes.
pub(crate) const NIO: Package<'static> = Package {
    folder: "nio",
    requirements: &[
        "matrix-nio==0.26.0",
        "aiohttp==3.14.5",
        "atomicwrites==1.4.1",
        "cachetools==8.0.2",
        "peewee==3.19.0",
        "vodozemac==0.10.0",
    ],
};

/// Whether Synapse is there already; if not, the first start of one takes about a minute longer.
pub fn is_installed() -> bool {
    SYNAPSE.complete(&SYNAPSE.folder().join("venv"))
}

impl Package<'_> {
    /// The Python interpreter that it is installed for, installing it if need be. Two processes
    /// do not both install, and one cut off in the middle leaves nothing that passes for complete.
    pub(crate) async fn python(&self) -> Result<PathBuf> {
        let folder = self.folder();
        let venv = folder.join("venv");
        if !self.complete(&venv) {
            fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
            let lock = File::create(folder.join("install.lock"))?;
            let _lock = spawn_blocking(move || lock.lock().map(|()| lock)).await??;
            if !self.complete(&venv) {
                let what = || format!("{} cannot be installed", self.folder);
                self.install(&folder, &venv).await.with_context(what)?;
            }
        }
        Ok(venv.join("bin/python"))
    }

    /// An environment gets its name when all is in it, so its being there with the right version
    /// means complete. Its interpreter is a link, and may lead nowhere after an upgrade.
    fn complete(&self, venv: &Path) -> bool {
        let names = |folder: PathBuf| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().to_lowercase())
        };
        let has_all = |lib: String| {
            let packages = names(venv.join("lib").join(lib).join("site-packages"));
            let packages: BTreeSet<String> = packages.collect();
            self.requirements.iter().all(|requirement| packages.contains(&sign(requirement)))
        };
        names(venv.join("lib")).any(has_all) && venv.join("bin/python").exists()
    }

    /// Whoever calls this holds the lock, so folders that are there are leftovers.
    async fn install(&self, folder: &Path, venv: &Path) -> Result<()> {
        for old in fs::read_dir(folder)?.flatten() {
            if old.file_type()?.is_dir() {
                fs::remove_dir_all(old.path())?;
            }
        }
        let unfinished = tempfile::Builder::new().prefix("unfinished-").tempdir_in(folder)?;
        fill(unfinished.path(), self.requirements).await?;
        Ok(fs::rename(unfinished.path(), venv)?)
    }

    /// Inside the build folder, which is ignored and survives between runs.
    fn folder(&self) -> PathBuf {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(target) => workspace.join(target),
            None => workspace.join("target"),
        };
        target.join(self.folder)
    }
}

/// The folder that an environment has, in small letters, where this requirement is installed in it.
fn sign(requirement: &str) -> String {
    let name = requirement.to_lowercase().replace('-', "_").replace("==", "-");
    format!("{name}.dist-info")
}

/// Makes an environment in `venv` and installs what is required into it.
async fn fill(venv: &Path, requirements: &[&str]) -> Result<()> {
    let (python, path) = (Path::new("python3"), venv.as_os_str());
    let inner = venv.join("bin/python");
    let pip: Vec<&OsStr> =
        if run(python, &["-m".as_ref(), "venv".as_ref(), path], venv).await.is_ok() {
            vec![inner.as_os_str(), "-m".as_ref(), "pip".as_ref()]
        } else {
            // Debian ships `venv` without its pip; a pip of the system can install into it as well.
            let what = "Python 3 needs its modules venv and pip (Debian: apt install python3-venv)";
            let bare = ["-m".as_ref(), "venv".as_ref(), "--without-pip".as_ref(), path];
            run(python, &bare, venv).await.context(what)?;
            run(python, &["-m", "pip", "--version"].map(OsStr::new), venv).await.context(what)?;
            vec![
                python.as_os_str(),
                "-m".as_ref(),
                "pip".as_ref(),
                "--python".as_ref(),
                inner.as_os_str(),
            ]
        };
    let install = ["install", "--quiet", "--no-input", "--disable-pip-version-check"];
    let install: Vec<&OsStr> = install.iter().chain(requirements).map(OsStr::new).collect();
    let (program, pip) = pip.split_first().context("a command has a program")?;
    let arguments = [pip, &install].concat();
    run(Path::new(program), &arguments, venv).await
}

/// Runs a program to its end, under the guard: an orphan would go on writing into the folder of
/// the next attempt.
async fn run(program: &Path, arguments: &[&OsStr], folder: &Path) -> Result<()> {
    let (guard, log) = (Path::new("python3"), Log::new());
    let command = [&[program.as_os_str()], arguments].concat();
    let process = Process::start(guard, &command, folder, Some(folder), log.clone())?;
    if !process.ended().await?.success() {
        bail!("{} failed:\n{}", command.join(OsStr::new(" ")).display(), log.tail(20));
    }
    Ok(())
}
