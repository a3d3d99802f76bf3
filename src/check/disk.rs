//! What lies on disk. The permissions of what exists were looked at when the config was read.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use ruma::UserId;
use secrecy::SecretString;
use serde_json::Value;

use super::Finding;
use crate::config::Config;

/// The session of a bot that has run, as it lies in the state.
pub(super) struct Kept {
    pub(super) token: SecretString,
    pub(super) device: String,
}

/// What is told of the state.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let state = config.state.display();
    if config.state.is_dir() {
        return vec![Finding::ok(format!("state: {state} is there and closed to everybody else"))];
    }
    let made = format!("state: {state} does not exist yet; the first start makes it");
    if config.state.ancestors().skip(1).find(|folder| folder.is_dir()).is_some_and(writable) {
        vec![Finding::ok(made)]
    } else {
        let to_do = format!(
            "Make it for the user that runs synod, as root: install -d -m 0700 -o USER {state}"
        );
        vec![Finding::bad(format!("state: {state} does not exist and cannot be made"), to_do)]
    }
}

/// Whether this process may make something in a folder. Asked of the permissions only, since a
/// check leaves nothing behind, not even for a moment; where a group may write, it is taken to be
/// ours.
fn writable(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|metadata| {
        let own = fs::metadata("/proc/self").ok().map(|process| process.uid());
        let mode = metadata.mode();
        let as_owner = own == Some(metadata.uid()) && mode & 0o200 != 0;
        own == Some(0) || as_owner || mode & 0o022 != 0
    })
}

/// The kept session, where there is one that can be used, and what is told of it.
pub(super) fn kept(config: &Config) -> (Option<Kept>, Option<Finding>) {
    let path = session(config);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (None, None),
        Err(error) => return (None, Some(unusable(&path, &error.kind().to_string()))),
    };
    let open = fs::metadata(&path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
    let finding = open.then(|| {
        let what = format!("{} holds a token and may be read by others", path.display());
        Finding::bad(what, format!("Close it with chmod 0600 {}", path.display()))
    });
    match parse(&text, &config.bot.user_id) {
        Ok(kept) => (Some(kept), finding),
        Err(why) => (None, Some(unusable(&path, why))),
    }
}

/// Whether a bot has run on this state.
pub(super) fn has_run(config: &Config) -> bool {
    session(config).exists()
}

fn session(config: &Config) -> PathBuf {
    config.state.join("session.json")
}

fn parse(text: &str, bot: &UserId) -> Result<Kept, &'static str> {
    let json: Value = serde_json::from_str(text).map_err(|_| "it is not JSON")?;
    let field = |name: &str| json[name].as_str().ok_or("a field is missing");
    if field("user_id")? != bot.as_str() {
        return Err("it belongs to another account than bot.user_id");
    }
    Ok(Kept { token: field("access_token")?.into(), device: field("device_id")?.to_owned() })
}

fn unusable(path: &Path, why: &str) -> Finding {
    Finding::bad(
        format!("the session kept in {} cannot be used: {why}", path.display()),
        "Name another `state:`, or move this one aside with the whole folder, so that keys and \
         session stay together",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_only_for_its_own_account() {
        let text = r#"{"user_id":"@synod:x","device_id":"DEV","access_token":"syt_1"}"#;
        let bot = ruma::user_id!("@synod:x");
        assert_eq!(parse(text, bot).map(|kept| kept.device), Ok("DEV".to_owned()));
        assert!(parse(text, ruma::user_id!("@other:x")).is_err_and(|why| why.contains("another")));
        assert!(parse("{}", bot).is_err());
        assert!(parse("syt_1", bot).is_err_and(|why| !why.contains("syt")));
    }
}
