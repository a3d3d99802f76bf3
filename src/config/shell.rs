//! Who may speak to the bot from a shell of the machine, and as whom.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use ruma::OwnedUserId;

use super::{
    Operator, files,
    section::{Field, Reported, Section},
    value,
};

/// Who may speak to the bot from a shell of the machine, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellAccess {
    /// Where the bot listens, where the config says so.
    pub socket: Option<PathBuf>,
    /// The group that may open the socket besides the bot's own user.
    pub group: Option<u32>,
    /// The operator for each user id of the machine.
    pub operators: BTreeMap<u32, OwnedUserId>,
}

/// Where the machine keeps the names of its own accounts and groups.
const ACCOUNTS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

pub(super) fn read(
    section: &Section<'_>,
    operators: &[Operator],
    base: &Path,
) -> Result<ShellAccess, Reported> {
    let socket = section
        .field("socket", "/run/synod/exec.sock")
        .optional(|field, text| files::path(field, text, base));
    let group = section.field("group", "synod-admins").optional(|field, text| {
        id_of(text, GROUPS).ok_or_else(|| {
            field.wrong(
                "there is no such group on this machine",
                "Write its name, or its number if it is not in /etc/group",
            )
        })
    });
    let mapped = mapped(&section.field("operators", "root: \"@ann:example.org\""), operators);
    Ok(ShellAccess { socket: socket?, group: group?, operators: mapped? })
}

fn mapped(
    field: &Field<'_>,
    operators: &[Operator],
) -> Result<BTreeMap<u32, OwnedUserId>, Reported> {
    let (mut mapped, mut lost) = (BTreeMap::new(), None);
    for (account, user) in field.section()?.entries("\"@ann:example.org\"")? {
        let Some(uid) = id_of(account, ACCOUNTS) else {
            lost = Some(user.wrong(
                "there is no such account on this machine",
                "Write its name, or its number if it is not in /etc/passwd",
            ));
            continue;
        };
        match user.required(value::user) {
            Ok(id) if !operators.iter().any(|one| one.user_id == id) => {
                lost = Some(
                    user.wrong("this is not one of the operators", "Write an id from `operators`"),
                );
            }
            Ok(id) => {
                if mapped.insert(uid, id).is_some() {
                    lost = Some(user.wrong(
                        "this account of the machine is listed twice",
                        "Keep either its name or its number",
                    ));
                }
            }
            Err(reported) => lost = Some(reported),
        }
    }
    lost.map_or(Ok(mapped), Err)
}

/// The number of an account or group: what is a number is one, and a name is looked up.
fn id_of(text: &str, file: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let known = fs::read_to_string(file).ok()?;
    known.lines().find_map(|line| {
        let mut parts = line.split(':');
        (parts.next()? == text).then(|| parts.nth(1)?.parse().ok()).flatten()
    })
}
