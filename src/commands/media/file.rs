//! Files: how they are typed, and what the homeserver knows of one.

use std::str::FromStr;

use jiff::Timestamp;
use ruma::{OwnedServerName, ServerName};
use serde::Deserialize;
use serde_json::json;

use crate::{
    change::{Path, Snapshot, Subject},
    commands::{arguments::bare, refusals::Meaning},
    error::Stop,
    reply::{Fact, Hostile, Line, size},
    synapse::{
        Error, Reader,
        wire::{Bytes, flag, known, passed},
    },
};

/// How many of an account's files are compared with one, newest first.
const COMPARED: u64 = 1000;

/// The file has gone since it was looked at.
pub(super) const FILE_GONE: Meaning =
    Meaning::new(404, "M_NOT_FOUND", "", "the file no longer exists; it did when I looked");

/// `mxc://SERVER/ID`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mxc {
    pub(super) server: OwnedServerName,
    pub(super) id: String,
}

impl FromStr for Mxc {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a file's address looks like mxc://example.org/abcdef";
        let text = bare(text);
        let path = text.strip_prefix("mxc://").ok_or(wrong)?;
        let (server, id) = path.split_once('/').ok_or(wrong)?;
        let server = ServerName::parse(server).map_err(|_| wrong)?;
        if !can_be_id(id) {
            return Err(wrong);
        }
        Ok(Self { server, id: id.to_owned() })
    }
}

/// Whether a text can be the id of a file.
pub(super) fn can_be_id(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    !text.is_empty() && text.chars().all(allowed)
}

/// The address of a file as the homeserver has it, to copy where it is one.
pub(super) fn address(text: &Hostile) -> Line {
    match text.raw().parse::<Mxc>() {
        Ok(_) => Line::new().code(text.raw()),
        Err(_) => Line::new().hostile(text),
    }
}

/// The server and the id there of a file. Every verb in this group makes its subjects of
/// files.
pub(super) fn id(subject: &Subject) -> Result<(&ServerName, &str), Stop> {
    match subject {
        Subject::Media(server, id) => Ok((server, id)),
        _ => Err(Stop::refused(Line::new().code(subject).plain(" is not a file"))),
    }
}

/// A file, as `GET /_synapse/admin/v1/media/{server_name}/{media_id}` shows it.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    #[serde(default, deserialize_with = "known")]
    user_id: Option<String>,
    #[serde(default, deserialize_with = "known")]
    media_type: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    media_length: Option<Bytes>,
    #[serde(default, deserialize_with = "known")]
    upload_name: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    created_ts: Option<Timestamp>,
    quarantined_by: Option<Hostile>,
    #[serde(default, deserialize_with = "flag")]
    safe_from_quarantine: bool,
    #[serde(default, deserialize_with = "known")]
    sha256: Option<String>,
    #[serde(default, deserialize_with = "known")]
    last_access_ts: Option<Timestamp>,
    /// The address of a page whose preview this is.
    url_cache: Option<Hostile>,
}

impl File {
    /// What is shown of it besides, where it alone is looked at.
    pub(super) fn more(&self, now: Timestamp) -> Vec<Fact> {
        let mut facts = vec![("Last access", Line::new().ago(self.last_access_ts, now))];
        facts.extend(self.url_cache.as_ref().map(|page| ("Preview of", Line::new().hostile(page))));
        facts.extend(self.sha256.as_ref().map(|hash| ("SHA-256", Line::new().code(hash))));
        facts
    }
}

/// Looks at a file, and at what else its uploader has with the same content.
pub(super) async fn snapshot(subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
    #[derive(Deserialize)]
    struct MediaInfo {
        media_info: File,
    }
    let (server, id) = id(subject)?;
    let path = Path::admin(["v1", "media", server.as_str(), id]);
    let file = reader.find::<MediaInfo>(&path, &[]).await?.map(|answered| answered.media_info);
    let copies = match &file {
        Some(file) => copies(id, file, reader).await,
        None => None,
    };
    Ok(seen(server == reader.server_name(), file.as_ref(), copies, reader.now()))
}

/// What binds and what is shown of a file of this server or of another one.
pub(super) fn seen(
    local: bool,
    file: Option<&File>,
    copies: Option<u64>,
    now: Timestamp,
) -> Snapshot {
    let mut seen = Snapshot::default();
    let mut bind = |key: &str, is: bool| seen.preconditions.insert(key.to_owned(), json!(is));
    bind("local", local);
    bind("exists", file.is_some());
    if let Some(file) = file {
        bind("quarantined", file.quarantined_by.is_some());
        bind("protected", file.safe_from_quarantine);
        seen.display = facts(file, now);
    }
    if let Some(copies) = copies {
        seen.extra.insert("copies".to_owned(), json!(copies));
        if copies > 0 {
            let same = format!("{copies} more by the same account with the same content");
            seen.display.push(("Copies", same.into()));
        }
    }
    seen
}

/// How many other files with the same content its uploader has, among the newest. Other accounts'
/// and other servers' copies cannot be looked up.
async fn copies(id: &str, file: &File, reader: &Reader) -> Option<u64> {
    #[derive(Deserialize)]
    struct FileList {
        media: Vec<Other>,
    }
    #[derive(Deserialize)]
    struct Other {
        media_id: String,
        sha256: Option<String>,
    }
    let (user, hash) = (file.user_id.as_ref()?, file.sha256.as_ref()?);
    let path = Path::admin(["v1", "users", user.as_str(), "media"]);
    let query = [
        ("limit", COMPARED.to_string()),
        ("order_by", "created_ts".to_owned()),
        ("dir", "b".to_owned()),
    ];
    // A courtesy: should it fail, the file itself is still known.
    let listed: Result<FileList, Error> = reader.get(&path, &query).await;
    let same = |other: &&Other| other.media_id != id && other.sha256.as_ref() == Some(hash);
    listed.ok().map(|listed| listed.media.iter().filter(same).count() as u64)
}

/// What is shown of a file.
pub(super) fn facts(file: &File, now: Timestamp) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    if let Some(name) = file.upload_name.as_ref().filter(|name| !name.is_empty()) {
        facts.push(("Name", Line::new().hostile(name)));
    }
    if let Some(kind) = file.media_type.as_ref().filter(|kind| !kind.is_empty()) {
        facts.push(("Type", Line::new().hostile(kind)));
    }
    facts.push((
        "Size",
        file.media_length.map_or_else(|| "not known".to_owned(), |Bytes(bytes)| size(bytes)).into(),
    ));
    if let Some(user) = &file.user_id {
        facts.push(("Uploaded by", Line::new().code(user)));
    }
    facts.push(("Created", Line::new().ago(passed(file.created_ts, now), now)));
    if let Some(by) = &file.quarantined_by {
        facts.push(("Quarantined by", Line::new().hostile(by)));
    }
    if file.safe_from_quarantine {
        facts.push(("Protected", "from quarantine".into()));
    }
    facts
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::commands::user::testing::now;

    /// `mxc://example.org/cat` as a subject.
    pub(in crate::commands::media) fn cat() -> Subject {
        Subject::Media("example.org".try_into().unwrap(), "cat".to_owned())
    }

    /// The cat as it is seen; the fields of `other` replace its own.
    pub(in crate::commands::media) fn seen(
        other: serde_json::Value,
        copies: Option<u64>,
    ) -> Snapshot {
        let mut file = json!({
            "media_origin": null, "user_id": "@ann:example.org", "media_id": "cat",
            "media_type": "image/png", "media_length": 2048, "upload_name": "cat.png",
            "created_ts": 1_795_183_200_000_i64, "quarantined_by": null,
            "safe_from_quarantine": 0, "sha256": "abc",
        });
        let (Some(fields), serde_json::Value::Object(other)) = (file.as_object_mut(), other) else {
            panic!("an object is wanted")
        };
        fields.extend(other);
        let file: File = serde_json::from_value(file).unwrap();
        super::seen(true, Some(&file), copies, now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    #[test]
    fn an_address_is_read_whole_or_not_at_all() {
        for mxc in ["mxc://example.org/AbC_-1", "mxc://example.org:8448/abc"] {
            assert!(mxc.parse::<Mxc>().is_ok(), "{mxc}");
        }
        for text in [
            "abc",
            "https://example.org/abc",
            "mxc://example.org",
            "mxc://example.org/",
            "mxc://example.org/a/b",
            "mxc://exa mple/abc",
        ] {
            assert!(text.parse::<Mxc>().is_err(), "{text}");
        }
    }

    #[test]
    fn who_and_what_is_shown_and_only_what_matters_binds() {
        let seen = testing_seen();
        let shown = testing::facts(&seen.display);
        assert_eq!(
            shown,
            "Name: “cat.png”\nType: “image/png”\nSize: 2.0 KiB\n\
             Uploaded by: `@ann:example.org`\nCreated: 3 min ago\n\
             Copies: 2 more by the same account with the same content\n"
        );
        let keys: Vec<&str> = seen.preconditions.keys().map(String::as_str).collect();
        assert_eq!(keys, ["exists", "local", "protected", "quarantined"]);
    }

    fn testing_seen() -> Snapshot {
        super::testing::seen(json!({}), Some(2))
    }
}
