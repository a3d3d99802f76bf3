//! One look at an account: a small set of requests, one after another.

use jiff::Timestamp;
use ruma::{RoomId, UserId};
use serde::Deserialize;
use serde_json::Value;
use tracing::warn;

use crate::{
    cases::{About, ReportKind, Reported},
    change::Path,
    observed::{Files, Look, LookedDevice, LookedFile, LookedReport, LookedReports, NewFile, News},
    pipeline::desk::fetch,
    reply::Hostile,
    synapse::{
        Error, Reader,
        wire::{Bytes, known},
    },
};

/// How many of the newest files and reports are looked at.
const PAGE: usize = 50;
/// Of how many rooms that were joined the name is looked up.
const NAMED: usize = 3;

/// What there is of an account.
#[derive(Debug)]
pub(super) enum Found {
    /// It is there.
    Account(Box<Look>),
    /// It is deactivated.
    Deactivated,
    /// There is no such account.
    Gone,
}

/// Looks at an account of this homeserver. What cannot be looked up of one that is there is missing.
pub(super) async fn at(user: &UserId, reader: &Reader) -> Result<Found, Error> {
    match reader.account(user).await? {
        None => return Ok(Found::Gone),
        Some(account) if account.deactivated => return Ok(Found::Deactivated),
        Some(_) => {}
    }
    Ok(Found::Account(Box::new(Look {
        devices: or_missing("devices", devices(user, reader).await),
        rooms: or_missing("rooms", reader.joined_rooms(user).await),
        files: or_missing("files", files(user, reader).await),
        event_reports: or_missing("reports", event_reports(user, reader).await).flatten(),
        account_reports: or_missing("reports", account_reports(user, reader).await).flatten(),
    })))
}

fn or_missing<T>(what: &str, found: Result<T, Error>) -> Option<T> {
    let told = |error: &Error| {
        warn!(what, error = error as &dyn std::error::Error, "not looked up of a watched account");
    };
    found.inspect_err(told).ok()
}

async fn devices(user: &UserId, reader: &Reader) -> Result<Vec<LookedDevice>, Error> {
    let devices = reader.devices(user).await?;
    let looked = devices.into_iter().map(|device| LookedDevice {
        id: device.device_id.to_string(),
        name: device.display_name.filter(|name| !name.is_empty()),
    });
    Ok(looked.collect())
}

/// The newest files, by `GET /_synapse/admin/v1/users/{user_id}/media`.
async fn files(user: &UserId, reader: &Reader) -> Result<Files, Error> {
    #[derive(Deserialize)]
    struct Listed {
        media: Vec<File>,
        total: u64,
    }
    #[derive(Deserialize)]
    struct File {
        media_id: String,
        #[serde(default, deserialize_with = "known")]
        media_length: Option<Bytes>,
        #[serde(default, deserialize_with = "known")]
        upload_name: Option<Hostile>,
        #[serde(default, deserialize_with = "known")]
        created_ts: Option<Timestamp>,
    }
    let path = Path::admin(["v1", "users", user.as_str(), "media"]);
    let query = [
        ("limit", PAGE.to_string()),
        ("order_by", "created_ts".to_owned()),
        ("dir", "b".to_owned()),
    ];
    let Listed { media, total } = reader.get(&path, &query).await?;
    let looked = |file: File| LookedFile {
        at: file.created_ts,
        file: NewFile {
            id: file.media_id,
            name: file.upload_name.filter(|name| !name.is_empty()),
            bytes: file.media_length.map(|Bytes(bytes)| bytes),
        },
    };
    let more = media.len() >= PAGE;
    Ok(Files { total, page: media.into_iter().map(looked).collect(), more })
}

/// The newest reports of what the account has written, by `GET /_synapse/admin/v1/event_reports`.
async fn event_reports(user: &UserId, reader: &Reader) -> Result<Option<LookedReports>, Error> {
    reports(user, ReportKind::Event, ("event_reports", "event_sender_user_id"), reader).await
}

/// The newest reports of the account itself, by `GET /_synapse/admin/v1/user_reports`.
async fn account_reports(user: &UserId, reader: &Reader) -> Result<Option<LookedReports>, Error> {
    reports(user, ReportKind::Account, ("user_reports", "target_user_id"), reader).await
}

/// `None` where the homeserver has no such list.
async fn reports(
    user: &UserId,
    kind: ReportKind,
    (list, filter): (&'static str, &'static str),
    reader: &Reader,
) -> Result<Option<LookedReports>, Error> {
    let query = [(filter, user.to_string()), ("dir", "b".to_owned()), ("limit", PAGE.to_string())];
    let answer: Value = match reader.get(&Path::admin(["v1", list]), &query).await {
        Ok(answer) => answer,
        Err(error) if error.is_unknown_route() => return Ok(None),
        Err(error) => return Err(error),
    };
    let rows = answer.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let more = rows.len() >= PAGE;
    let page = rows.iter().filter_map(|row| report(kind, row, user, reader.now())).collect();
    Ok(Some(LookedReports { page, more }))
}

/// A row as a report about this account; `None` where it is about another one, which the homeserver shows
/// too where it only compares parts of ids, or cannot be read.
fn report(kind: ReportKind, row: &Value, user: &UserId, now: Timestamp) -> Option<LookedReport> {
    let report = fetch::read(kind, row, now)?;
    let is_about = matches!(report.about(), About::Account(about) if about == user);
    let room = match report.what {
        Reported::Event { room, .. } => Some(room),
        Reported::Account(_) | Reported::Room(_) => None,
    };
    let (id, at, by, reason) = (report.id, report.at, report.by, report.reason);
    is_about.then_some(LookedReport { id, at, by, reason, room })
}

/// Looks up the names of some of the rooms that were joined, by `GET /_synapse/admin/v1/rooms/{room_id}`.
pub(super) async fn name_rooms(news: &mut News, reader: &Reader) {
    for room in news.joined.named.iter_mut().take(NAMED) {
        room.name = or_missing("the name of a room", name(&room.id, reader).await).flatten();
    }
}

async fn name(room: &RoomId, reader: &Reader) -> Result<Option<Hostile>, Error> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(default, deserialize_with = "known")]
        name: Option<Hostile>,
        #[serde(default, deserialize_with = "known")]
        canonical_alias: Option<Hostile>,
    }
    let found: Option<Named> =
        reader.find(&Path::admin(["v1", "rooms", room.as_str()]), &[]).await?;
    let named = |name: &Hostile| !name.is_empty();
    Ok(found.and_then(|room| room.name.filter(named).or(room.canonical_alias.filter(named))))
}

#[cfg(test)]
mod tests {
    use ruma::user_id;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_reports_about_the_account_itself_are_taken_and_who_reports_is_not_who_is_reported() {
        let (eve, now) = (user_id!("@eve:x.test"), "2026-11-30T10:00:00Z".parse().unwrap());
        let taken = |row: Value| {
            let kind =
                if row["event_id"].is_null() { ReportKind::Account } else { ReportKind::Event };
            report(kind, &row, eve, now)
        };
        let event = json!({"id": 5, "received_ts": 1_795_183_200_000_i64, "room_id": "!a:x.test",
            "event_id": "$one", "user_id": "@sam:x.test", "sender": "@eve:x.test", "reason": ""});
        let report = taken(event.clone()).unwrap();
        assert_eq!((report.id, report.by.as_str(), report.reason), (5, "@sam:x.test", None));
        let account = json!({"id": 7, "received_ts": 1_795_183_200_000_i64,
            "user_id": "@sam:x.test", "target_user_id": "@eve:x.test", "reason": "rude"});
        assert_eq!(taken(account.clone()).unwrap().reason.unwrap().raw(), "rude");
        for (of, key, other) in [
            (&event, "sender", json!("@sam:x.test")),
            (&event, "sender", json!(null)),
            (&account, "target_user_id", json!("@eve:x.test.example")),
            (&account, "user_id", json!("nobody")),
            (&account, "id", json!("7")),
        ] {
            let mut row = of.clone();
            row[key] = other;
            assert_eq!(taken(row.clone()), None, "{row}");
        }
        let by_eve = json!({"id": 8, "user_id": "@eve:x.test", "target_user_id": "@sam:x.test"});
        assert_eq!(taken(by_eve), None, "she has reported somebody else");
    }
}
