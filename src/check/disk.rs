//! What lies on disk, and how much room is left there. The permissions of what exists were looked at when the config was read.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use ruma::UserId;
use secrecy::SecretString;
use serde_json::Value;

use super::Finding;
use crate::{config::Config, reply::size};

/// Below these, in bytes, there is little room on the disk, or too little to go on.
const LITTLE: u64 = 1 << 30;
const TOO_LITTLE: u64 = 100 << 20;

/// Above this, in bytes, the store is large.
const LARGE: u64 = 1 << 30;

const DAY: Duration = Duration::from_hours(24);

/// Above this, in days, a token is old.
const OLD: u64 = 365;

/// The session of a bot that has run, as it lies in the state.
pub(super) struct Kept {
    pub(super) token: SecretString,
    pub(super) device: String,
}

/// What is told of the state, the room that it has, and the file of the admin token.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = vec![state(config)];
    findings.extend(free(&config.state).map(left));
    findings.extend(taken(&config.state.join("store")).map(stored));
    let token = config.homeserver.admin_token_file.as_deref();
    findings.extend(token.and_then(age).map(since_written));
    findings
}

fn state(config: &Config) -> Finding {
    let state = config.state.display();
    if config.state.is_dir() {
        return Finding::ok(format!("state: {state} exists and is closed to everybody else"));
    }
    if existing(&config.state).is_some_and(writable) {
        return Finding::ok(format!(
            "state: {state} does not exist yet; the first start creates it"
        ));
    }
    Finding::bad(
        format!("state: {state} does not exist and cannot be created"),
        format!(
            "Create it for the user that runs synod, as root: install -d -m 0700 -o USER {state}"
        ),
    )
}

/// The folder, or the next above it that is there.
fn existing(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.is_dir())
}

/// Bytes that are left for an ordinary user on the disk on which the folder lies or will lie.
fn free(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(existing(folder)?).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn left(bytes: u64) -> Finding {
    let what = format!("disk: {} free for the state", size(bytes));
    let to_do = "Free some space: if the record cannot be written, nothing is changed";
    if bytes < TOO_LITTLE {
        Finding::bad(what, to_do)
    } else if bytes < LITTLE {
        Finding::warn(what, to_do)
    } else {
        Finding::ok(what)
    }
}

/// Bytes that the files below a folder take on the disk; nothing where there is no such folder.
/// What disappears meanwhile does not count.
fn taken(folder: &Path) -> Option<u64> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let each = entries.filter_map(|entry| {
        // Not followed where it is a link.
        let metadata = entry.metadata().ok()?;
        if metadata.is_dir() { taken(&entry.path()) } else { Some(metadata.blocks() * 512) }
    });
    Some(each.sum())
}

fn stored(bytes: u64) -> Finding {
    let what = format!("store: it uses {}", size(bytes));
    if bytes <= LARGE {
        return Finding::ok(what);
    }
    Finding::warn(
        what,
        "Find out why the bot is used so much, and set record.keep_details to fewer days",
    )
}

/// How long ago a file was written; nothing where that cannot be known.
fn age(file: &Path) -> Option<Duration> {
    fs::metadata(file).ok()?.modified().ok()?.elapsed().ok()
}

/// No homeserver tells how old a token is, so that is what is known of it.
fn since_written(age: Duration) -> Finding {
    let days = age.as_secs() / DAY.as_secs();
    let count = if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    let what = format!("admin token: its file was written {count} ago");
    if days <= OLD {
        return Finding::ok(what);
    }
    Finding::warn(
        what,
        "Log in again as that admin, put the new token into the file, restart synod, and log out \
        the old session",
    )
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
        let what = format!("{} contains a token and can be read by others", path.display());
        Finding::bad(what, format!("Close it with chmod 0600 {}", path.display()))
    });
    match parse(&text, &config.bot.user_id) {
        Ok(kept) => (Some(kept), finding),
        Err(why) => (None, Some(unusable(&path, why))),
    }
}

/// The master key that the bot has noted as its own, where it has.
pub(super) fn known_master_key(config: &Config) -> Option<String> {
    let text = fs::read_to_string(config.state.join("identity.json")).ok()?;
    let known: Value = serde_json::from_str(&text).ok()?;
    known["master_key"].as_str().map(str::to_owned)
}

/// Whether a bot has run on this state.
pub(super) fn has_run(config: &Config) -> bool {
    session(config).exists()
}

/// The file of the session.
pub(super) fn session(config: &Config) -> PathBuf {
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
        format!("the session saved in {} cannot be used: {why}", path.display()),
        "Set another `state:`, or move this whole folder aside, so that keys and session stay \
         together",
    )
}

#[cfg(test)]
mod tests {
    use super::{super::Mark, *};

    #[test]
    fn little_room_is_a_warning_and_hardly_any_is_bad() {
        let mark = |bytes| left(bytes).mark;
        assert_eq!((mark(1 << 30), mark((1 << 30) - 1)), (Mark::Ok, Mark::Warn));
        assert_eq!((mark(100 << 20), mark((100 << 20) - 1)), (Mark::Warn, Mark::Bad));
        assert_eq!(left(5 << 29).to_string(), "ok    disk: 2.5 GiB free for the state.");
    }

    #[test]
    fn a_store_of_more_than_a_gibibyte_is_large() {
        assert_eq!(stored(1 << 30).mark, Mark::Ok);
        assert_eq!(stored((1 << 30) + 1).mark, Mark::Warn);
    }

    #[test]
    fn a_token_whose_file_is_older_than_a_year_is_old() {
        assert_eq!(since_written(DAY * 365 + DAY / 2).mark, Mark::Ok);
        let old = since_written(DAY * 366);
        assert_eq!((old.mark, old.what.contains("366 days ago")), (Mark::Warn, true));
        assert!(since_written(DAY).what.contains("1 day ago"));
    }

    #[test]
    fn what_lies_in_folders_below_counts_and_what_is_not_there_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(taken(&dir.path().join("store")), None);
        fs::create_dir(dir.path().join("inner")).unwrap();
        fs::write(dir.path().join("inner/file"), vec![1; 100_000]).unwrap();
        assert!(taken(dir.path()).is_some_and(|bytes| (100_000..200_000).contains(&bytes)));
        assert!(free(&dir.path().join("no/such/folder")).is_some_and(|bytes| bytes > 0));
    }

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
