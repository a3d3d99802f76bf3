//! What the configuration says about files: secrets, and the directory of the state.

use std::{
    ffi::OsString,
    fs::{self, File, Metadata},
    io::{ErrorKind, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use super::{
    Environment,
    fault::Fault,
    section::{Field, Reported},
};

/// The largest configuration and the largest secret that are read, in bytes.
const CONFIG_LIMIT: u64 = 1 << 20;
const SECRET_LIMIT: u64 = 1 << 16;

/// Permission bits of the group and of others.
const GROUP: u32 = 0o070;
const OTHERS: u32 = 0o007;

/// What a config is read beside.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    /// Where relative paths count from.
    pub(super) base: &'a Path,
    /// Where variables come from.
    pub(super) environment: Environment<'a>,
    /// Every verb that a pattern may be meant for.
    pub(super) verbs: &'a [String],
    /// Whether operators may be without the master key that they need: whoever checks is shown it.
    pub(super) may_lack_keys: bool,
}

/// The text of the configuration.
pub(super) fn config(path: &Path) -> Result<String, Fault> {
    let fault = |what: &str, instead: &str| Fault {
        key: String::new(),
        line: None,
        what: what.to_owned(),
        instead: instead.to_owned(),
    };
    read(path, CONFIG_LIMIT).map_err(|unread| match unread {
        Unread::Missing => fault(
            "it does not exist",
            "Name the configuration with --config FILE; you can start from config.example.yaml",
        ),
        Unread::Denied => fault(
            "the user that runs synod may not read it",
            "Make that user its owner, or run synod as the owner",
        ),
        Unread::NotAFile => fault("it is not a file", "Name the YAML file itself"),
        Unread::TooLarge => fault("it is larger than a mebibyte", "Name the YAML file"),
        Unread::NotText => fault("it is not UTF-8 text", "Save it as UTF-8"),
        Unread::Failed(kind) => fault(&format!("it cannot be read: {kind}"), "Check the disk"),
    })
}

/// A secret, named as `{ file: PATH }`, `{ env: NAME }` or `{ credential: NAME }`.
pub(super) fn secret(
    field: &Field<'_>,
    around: Surroundings<'_>,
) -> Result<SecretString, Reported> {
    sourced(field, around).map(|(secret, _)| secret)
}

/// The same, with the file that it came from, where it came from one.
pub(super) fn sourced(
    field: &Field<'_>,
    around: Surroundings<'_>,
) -> Result<(SecretString, Option<PathBuf>), Reported> {
    let Some(section) = field.delicate_section()? else {
        return Err(field.wrong(
            "secrets do not belong in this file",
            "Put it into a separate file that only synod may read, and write `{ file: /path/to/it \
            }`; or `{ env: NAME }` for an environment variable, or `{ credential: NAME }` for a \
            systemd credential",
        ));
    };
    let file = section.field("file", "/etc/synod/secret");
    let variable = section.field("env", "SYNOD_SECRET");
    let credential = section.field("credential", "secrets_admin-token");
    let secret = match (file.is_named(), variable.is_named(), credential.is_named()) {
        (true, false, false) => file.required(|field, text| from_file(field, text, around)),
        (false, true, false) => {
            variable.required(|field, text| Ok((from_variable(field, text, around)?, None)))
        }
        (false, false, true) => {
            // How old its file is says only when the bot was started.
            credential.required(|field, text| Ok((from_credential(field, text, around)?, None)))
        }
        (false, false, false) => Err(section.wrong(
            "no source is given",
            "Write `{ file: PATH }`, `{ env: NAME }` or `{ credential: NAME }`",
        )),
        _ => Err(section.wrong(
            "more than one source is given",
            "Keep one of `file:`, `env:` and `credential:`",
        )),
    };
    section.finish();
    secret
}

pub(super) fn from_file(
    field: &Field<'_>,
    text: &str,
    around: Surroundings<'_>,
) -> Result<(SecretString, Option<PathBuf>), Reported> {
    let path = path(field, text, around.base)?;
    if let Ok(metadata) = fs::metadata(&path)
        && metadata.is_file()
    {
        closed(field, &metadata, readable_by_design(&path, around.environment), "0600")?;
    }
    let wrong = |what: &str, instead: &str| field.wrong(what, instead);
    let content = read(&path, SECRET_LIMIT).map_err(|unread| match unread {
        Unread::Missing => wrong(
            "there is no such file",
            "Create it, or name the right one; relative paths start at the folder of the \
             configuration",
        ),
        Unread::Denied => wrong(
            "the user that runs synod may not read it",
            "Make that user its owner, or run synod as the owner",
        ),
        Unread::NotAFile => wrong("it is not a file", "Name the file that contains the secret"),
        Unread::TooLarge => wrong("it is too large for a secret", "Name the right file"),
        Unread::NotText => wrong("it is not UTF-8 text", "Name the right file"),
        Unread::Failed(kind) => wrong(&format!("it cannot be read: {kind}"), "Check the disk"),
    })?;
    Ok((one_line(field, &content)?, Some(path)))
}

fn from_variable(
    field: &Field<'_>,
    name: &str,
    around: Surroundings<'_>,
) -> Result<SecretString, Reported> {
    // The environment cannot be asked for such names; std panics on some of them.
    let askable = !name.is_empty() && !name.contains(['=', '\0']);
    match askable.then(|| (around.environment)(name)).flatten().map(OsString::into_string) {
        Some(Ok(content)) => one_line(field, &content),
        Some(Err(_)) => Err(field.wrong("its value is not UTF-8 text", "Set it again")),
        None => Err(field.wrong(
            "no variable with this name is set",
            "Set it for the synod process; write its name here, not the secret",
        )),
    }
}

/// What systemd hands over (`LoadCredential=`), by its name.
fn from_credential(
    field: &Field<'_>,
    name: &str,
    around: Surroundings<'_>,
) -> Result<SecretString, Reported> {
    let is_name = !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']);
    if !is_name {
        return Err(field.wrong(
            "this is not the name of a credential",
            "Write the name from LoadCredential= of the unit, not a path",
        ));
    }
    let directory = (around.environment)("CREDENTIALS_DIRECTORY");
    let Some(directory) = directory.filter(|directory| !directory.is_empty()) else {
        return Err(field.wrong(
            "this process was given no credentials",
            "Start it with its systemd unit, whose LoadCredential= does so (use synodctl for check \
            and unfreeze), or write `{ file: PATH }`",
        ));
    };
    let path = PathBuf::from(directory).join(name);
    if !path.exists() {
        return Err(field.wrong(
            "no credential with this name was given",
            "Name it in LoadCredential= of the unit; if that names a folder, its files become \
            credentials named after it, such as secrets_admin-token",
        ));
    }
    let path = path.into_os_string().into_string();
    let path = path.map_err(|_| field.wrong("its path is not UTF-8 text", "Move the folder"))?;
    from_file(field, &path, around).map(|(secret, _)| secret)
}

/// A secret without the line break that editors and `echo` leave at its end.
fn one_line(field: &Field<'_>, content: &str) -> Result<SecretString, Reported> {
    let content = content.strip_suffix('\n').unwrap_or(content);
    let content = content.strip_suffix('\r').unwrap_or(content);
    if content.trim().is_empty() {
        return Err(field.wrong("it is empty", "Put the secret into it, on one line"));
    }
    if content.contains(['\n', '\r', '\0']) {
        return Err(field.wrong("it has more than one line", "Keep only the secret in it"));
    }
    Ok(content.into())
}

/// The directory of the state: absent, or a directory that is ours and closed to everybody else.
pub(super) fn state(field: &Field<'_>, text: &str, base: &Path) -> Result<PathBuf, Reported> {
    let path = path(field, text, base)?;
    match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(path),
        Err(error) => {
            let what = format!("it cannot be checked: {}", error.kind());
            return Err(field.wrong(
                what,
                "Give the user that runs synod access to the folders \
                                          above it",
            ));
        }
        Ok(metadata) if !metadata.is_dir() => {
            return Err(field.wrong("it is not a directory", "Name a directory for synod alone"));
        }
        Ok(metadata) => {
            if own_user().is_some_and(|own| own != metadata.uid()) {
                return Err(field.wrong(
                    "it does not belong to the user that runs synod",
                    "Run synod as its owner, or change the owner with chown -R",
                ));
            }
            closed(field, &metadata, 0, "0700")?;
        }
    }
    Ok(path)
}

/// A file that synod writes: absent, or a file that nobody else can read.
pub(super) fn own_file(field: &Field<'_>, text: &str, base: &Path) -> Result<PathBuf, Reported> {
    let path = path(field, text, base)?;
    if let Ok(metadata) = fs::metadata(&path) {
        if !metadata.is_file() {
            return Err(field.wrong("it is not a file", "Name a file that is used only for this"));
        }
        closed(field, &metadata, 0, "0600")?;
    }
    Ok(path)
}

/// A path, from the folder of the configuration where it is relative.
pub(super) fn path(field: &Field<'_>, text: &str, base: &Path) -> Result<PathBuf, Reported> {
    if text.is_empty() || text.contains('\0') {
        return Err(field.wrong("this is not a path", "Write a path, such as /etc/synod/secret"));
    }
    if text.starts_with('~') {
        return Err(field.wrong("only a shell knows what ~ means", "Write the full path"));
    }
    Ok(base.join(text))
}

/// Refuses what others than the owner may read, write or enter. `allowed` are bits that are harmless.
fn closed(
    field: &Field<'_>,
    metadata: &Metadata,
    allowed: u32,
    mode: &str,
) -> Result<(), Reported> {
    let open = metadata.mode() & (GROUP | OTHERS) & !allowed;
    if open == 0 {
        return Ok(());
    }
    let who = if open & OTHERS == 0 { "its group" } else { "every user of this machine" };
    Err(field.wrong(
        format!("{who} can access it (mode {:04o})", metadata.mode() & 0o7777),
        format!("Close it with chmod {mode}"),
    ))
}

/// What systemd's `LoadCredential=` hands over is 0440 to the eye: the group's bits are the mask of
/// an access list that names the service's user alone.
fn readable_by_design(path: &Path, environment: Environment<'_>) -> u32 {
    match environment("CREDENTIALS_DIRECTORY") {
        Some(directory) if !directory.is_empty() && path.starts_with(&directory) => 0o040,
        _ => 0,
    }
}

/// The user that runs this process, where the system says so.
fn own_user() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|metadata| metadata.uid())
}

/// Why a file was not read.
enum Unread {
    Missing,
    Denied,
    NotAFile,
    TooLarge,
    NotText,
    Failed(ErrorKind),
}

fn read(path: &Path, limit: u64) -> Result<String, Unread> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Unread::Missing,
        ErrorKind::PermissionDenied => Unread::Denied,
        ErrorKind::InvalidData => Unread::NotText,
        kind => Unread::Failed(kind),
    };
    // Before it is opened: to open a pipe would wait for somebody to write.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Unread::NotAFile);
    }
    let mut text = String::new();
    File::open(path).map_err(failed)?.take(limit + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > limit { Err(Unread::TooLarge) } else { Ok(text) }
}
