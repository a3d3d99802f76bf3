//! Putting Synapse into the build folder, once for all processes of a checkout.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, bail};
use tokio::task::spawn_blocking;

const VERSION: &str = "1.163.2";

/// Whether Synapse is there already; if not, the first start of one takes about a minute longer.
pub fn is_installed() -> bool {
    complete(&folder().join("venv"))
}

/// The Python interpreter that Synapse is installed for, installing it if need be. Two processes
/// do not both install, and one cut off in the middle leaves nothing that passes for complete.
pub(crate) async fn python() -> Result<PathBuf> {
    spawn_blocking(install).await?
}

fn install() -> Result<PathBuf> {
    let folder = folder();
    let venv = folder.join("venv");
    let python = venv.join("bin/python");
    if complete(&venv) {
        return Ok(python);
    }
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let lock = File::create(folder.join("install.lock"))?;
    lock.lock()?;
    if !complete(&venv) {
        let unfinished = folder.join("venv.unfinished");
        for old in [&venv, &unfinished] {
            if old.exists() {
                fs::remove_dir_all(old)?;
            }
        }
        build(&unfinished)?;
        fs::rename(&unfinished, &venv)?;
    }
    Ok(python)
}

/// An environment gets its name when all is in it, so its being there with the right version
/// means complete. That the interpreter runs is not a matter of course: its base may be gone.
fn complete(venv: &Path) -> bool {
    let package = format!("matrix_synapse-{VERSION}.dist-info");
    let has_package = |lib: fs::DirEntry| lib.path().join("site-packages").join(&package).is_dir();
    let libs = fs::read_dir(venv.join("lib"));
    libs.is_ok_and(|libs| libs.flatten().any(has_package)) && venv.join("bin/python").exists()
}

fn build(venv: &Path) -> Result<()> {
    let requirement = format!("matrix-synapse=={VERSION}");
    let arguments = ["install", "--quiet", "--no-input", "--disable-pip-version-check"];
    let whole = run(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    let mut pip = if whole.status.success() {
        let mut pip = Command::new(venv.join("bin/python"));
        pip.args(["-m", "pip"]);
        pip
    } else {
        // Debian ships `venv` without its pip; a pip of the system can install into it as well.
        let bare = run(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(venv))?;
        let system_pip = run(Command::new("python3").args(["-m", "pip", "--version"]))?;
        if !bare.status.success() || !system_pip.status.success() {
            bail!("Synapse cannot be installed: Python needs venv and pip (Debian: python3-venv)");
        }
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "--python"]).arg(venv.join("bin/python"));
        pip
    };
    let installed = run(pip.args(arguments).arg(&requirement))?;
    if !installed.status.success() {
        let why = String::from_utf8_lossy(&installed.stderr);
        bail!("pip could not install {requirement}:\n{why}");
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<Output> {
    let program = command.get_program().display().to_string();
    command.output().with_context(|| format!("Synapse cannot be installed: no {program}"))
}

/// Inside the build folder, which is ignored and survives between runs.
fn folder() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = match env::var_os("CARGO_TARGET_DIR") {
        Some(target) => workspace.join(target),
        None => workspace.join("target"),
    };
    target.join("synapse")
}
