//! The folder of the state: who holds it, the store in it, and how somebody on the machine asks for an end of
//! a freeze.

use std::{
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use ruma::UserId;

use super::RunError;
use crate::{
    clock::SharedClock,
    config::Config,
    store::{self, Opened, Store},
};

/// Where the store lies.
pub(super) fn store_folder(config: &Config) -> PathBuf {
    config.state.join("store")
}

/// Makes the state folder where there is none, and keeps other instances out of it for as long as
/// the file lives.
pub fn lock(state: &Path) -> Result<std::fs::File, RunError> {
    let failed = |source| RunError::State { state: state.to_owned(), source };
    std::fs::create_dir_all(state).map_err(failed)?;
    let file = std::fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(state.join("lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(RunError::Running { state: state.to_owned() })
        }
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// The file by which somebody on the machine asks a bot with this state folder to lift a freeze.
pub(super) fn unfreeze_file(state: &Path) -> PathBuf {
    state.join("unfreeze")
}

/// Asks the bot with this configuration, now or when it is started, to lift its freeze, or that of
/// the person to whom `operator` belongs.
pub fn unfreeze(config: &Config, operator: Option<&UserId>) -> std::io::Result<()> {
    std::fs::create_dir_all(&config.state)?;
    ask_to_unfreeze(&config.state, operator)
}

/// Writes the file whole or not at all, since the bot may look at any moment; and so that the bot
/// can read it where root asks and the bot runs as somebody else.
fn ask_to_unfreeze(state: &Path, operator: Option<&UserId>) -> std::io::Result<()> {
    let readable = std::fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new().permissions(readable).tempfile_in(state)?;
    file.write_all(operator.map_or("", UserId::as_str).as_bytes())?;
    file.persist(unfreeze_file(state))?;
    Ok(())
}

/// Opens the store, or what can be made of a damaged one.
pub(super) async fn open_store(config: &Config, clock: &SharedClock) -> Result<Opened, RunError> {
    let (path, now) = (store_folder(config), clock.now());
    let opened = tokio::task::spawn_blocking(move || Store::open(&path, now)).await;
    match opened {
        Ok(opened) => Ok(opened?),
        Err(panic) => Err(store::Error::Broken(panic.to_string()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_the_bot_runs_as_can_read_that_it_is_to_be_unfrozen() {
        let dir = tempfile::tempdir().unwrap();
        ask_to_unfreeze(dir.path(), Some(ruma::user_id!("@moe:synod.test"))).unwrap();
        let file = unfreeze_file(dir.path());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o444, 0o444);
        assert_eq!(std::fs::read_to_string(file).unwrap(), "@moe:synod.test");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    }
}
