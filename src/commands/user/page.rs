//! Pages of accounts: how they are collected from the homeserver's, and how they are shown.

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use ruma::UserId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::activity::{self, LookedUp};
use crate::{
    change::Path,
    commands::listing::{Named, Page, Pages},
    error::Stop,
    reply::{Hostile, Line, Record},
    synapse::{
        Reader,
        wire::{Plausible, flag, in_millis, known, null_unless_passed, optional_flag, passed},
    },
};

/// What the homeserver can sort accounts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Sort {
    Name,
    IsGuest,
    Admin,
    UserType,
    Deactivated,
    ShadowBanned,
    Displayname,
    AvatarUrl,
    CreationTs,
    LastSeenTs,
    Locked,
}

impl Sort {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::IsGuest => "is_guest",
            Self::Admin => "admin",
            Self::UserType => "user_type",
            Self::Deactivated => "deactivated",
            Self::ShadowBanned => "shadow_banned",
            Self::Displayname => "displayname",
            Self::AvatarUrl => "avatar_url",
            Self::CreationTs => "creation_ts",
            Self::LastSeenTs => "last_seen_ts",
            Self::Locked => "locked",
        }
    }
}

/// One account as `GET /_synapse/admin/v2/users` lists it.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the homeserver's own fields")]
pub(super) struct Row {
    /// Its id, which in old databases need not be a valid one.
    pub(super) name: String,
    #[serde(default, deserialize_with = "known")]
    pub(super) displayname: Option<Hostile>,
    #[serde(default, deserialize_with = "flag")]
    admin: bool,
    #[serde(default, deserialize_with = "flag")]
    deactivated: bool,
    #[serde(default, deserialize_with = "flag")]
    erased: bool,
    #[serde(default, deserialize_with = "flag")]
    locked: bool,
    #[serde(default, deserialize_with = "flag")]
    shadow_banned: bool,
    #[serde(default, deserialize_with = "flag")]
    is_guest: bool,
    /// Whether an admin has approved it; `None` where the homeserver has no approvals.
    #[serde(default, deserialize_with = "optional_flag")]
    pub(super) approved: Option<bool>,
    #[serde(default, deserialize_with = "known")]
    user_type: Option<Hostile>,
    #[serde(default)]
    creation_ts: Value,
    #[serde(default)]
    last_seen_ts: Value,
    /// Not in the homeserver's list: looked up for what is shown.
    pub(super) suspended: Option<bool>,
    /// The same, for what is looked up of each.
    #[serde(default)]
    pub(super) looked_up: Option<LookedUp>,
}

/// A moment of a row, and whether it stands there in milliseconds, as it should: what is in another
/// unit is not where it belongs in the homeserver's order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dated {
    pub(super) at: Timestamp,
    pub(super) in_order: bool,
}

impl Dated {
    fn read(value: &Value) -> Option<Self> {
        let at = Timestamp::plausible(value)?;
        Some(Self { at, in_order: value.as_i64() == Some(at.as_millisecond()) })
    }
}

impl Row {
    /// When it was created, if that is known.
    pub(super) fn created(&self) -> Option<Dated> {
        Dated::read(&self.creation_ts)
    }

    /// When it was last seen, if that is known.
    pub(super) fn last_seen(&self) -> Option<Dated> {
        Dated::read(&self.last_seen_ts)
    }

    /// When it was last seen, unless that is still to come at `now`.
    pub(super) fn seen_before(&self, now: Timestamp) -> Option<Timestamp> {
        passed(self.last_seen().map(|dated| dated.at), now)
    }

    /// The id without what makes it one.
    pub(super) fn localpart(&self) -> &str {
        let name = self.name.strip_prefix('@').unwrap_or(&self.name);
        name.split_once(':').map_or(name, |(localpart, _)| localpart)
    }
}

/// How it is called.
pub(super) const NAMED: Named = Named {
    key: "users",
    one: "account",
    many: "accounts",
    columns: &[
        "name",
        "displayname",
        "admin",
        "is_guest",
        "deactivated",
        "erased",
        "locked",
        "shadow_banned",
        "user_type",
        "creation_ts",
        "last_seen_ts",
        "avatar_url",
    ],
};

/// Asks for one page of the homeserver's: `GET /_synapse/admin/v2/users`, or of `v3`, which can leave
/// out accounts that are not deactivated.
pub(super) async fn fetch(
    reader: &Reader,
    version: &str,
    query: &[(&'static str, String)],
    from: Option<&str>,
    limit: u64,
) -> Result<Page, Stop> {
    let path = Path::admin([version, "users"]);
    let mut query = query.to_vec();
    query.push(("from", Pages::number(from)?.to_string()));
    query.push(("limit", limit.to_string()));
    let answered = reader.get::<AccountPage>(&path, &query).await;
    let listed = match answered {
        // Where an authentication service runs the accounts there are no guests, and the
        // homeserver wants that said.
        Err(error)
            if error.status() == Some(400) && !query.iter().any(|(key, _)| *key == "guests") =>
        {
            query.push(("guests", "false".to_owned()));
            reader.get(&path, &query).await?
        }
        answered => answered?,
    };
    let mut rows = listed.users;
    for row in &mut rows {
        null_unless_passed(row, "creation_ts", reader.now());
    }
    Ok(Page { rows, total: Some(listed.total), next: listed.next_token })
}

/// One answer of the homeserver.
#[derive(Debug, Deserialize)]
struct AccountPage {
    users: Vec<Value>,
    total: u64,
    next_token: Option<String>,
}

/// How many accounts are looked up at once.
const AT_ONCE: usize = 8;

/// What of an account the homeserver's list does not say.
#[derive(Debug, Clone, Copy)]
pub(super) enum Besides {
    /// When it was last seen by an address: the list goes by its devices, and one that was logged
    /// out is none of them any more.
    Seen,
    /// That, and whether it is suspended.
    SeenAndSuspended,
}

/// The accounts, in the same order, with what was looked up besides.
pub(super) async fn looked_up(rows: Vec<Value>, besides: Besides, reader: &Reader) -> Vec<Value> {
    let lookups = rows.into_iter().map(|mut row| async move {
        if let Some(user) = row["name"].as_str().and_then(|name| UserId::parse(name).ok())
            // The list is worth showing without it; what is missing is said below it.
            && let Ok(Some(account)) = reader.account(&user).await
        {
            let listed = reader.passed(Timestamp::plausible(&row["last_seen_ts"]));
            let seen = listed.max(account.last_seen);
            row["last_seen_ts"] = json!(seen.map(Timestamp::as_millisecond));
            if let Besides::SeenAndSuspended = besides {
                row["suspended"] = json!(account.suspended);
            }
        }
        row
    });
    stream::iter(lookups).buffered(AT_ONCE).collect().await
}

/// Writes a row as programs expect it: its moments in milliseconds, or `null`, and nothing that was only
/// looked up for a filter.
pub(super) fn amend(row: &mut Value) {
    in_millis(row, "creation_ts");
    in_millis(row, "last_seen_ts");
    if let Some(row) = row.as_object_mut() {
        row.remove(activity::KEY);
    }
}

/// What is to be known of what is shown.
pub(super) fn notes(rows: &[Row], without_deactivated: bool) -> Vec<Line> {
    let unknown = rows.iter().filter(|row| row.suspended.is_none()).count();
    let unknown = (unknown > 0)
        .then(|| Line::from(format!("I could not check whether {unknown} of them are suspended.")));
    let without = without_deactivated.then(|| {
        Line::new().plain("Deactivated accounts are left out; to list them, add ").code("-d")
    });
    unknown.into_iter().chain(without).collect()
}

pub(super) fn record(row: &Row, now: Timestamp) -> Record {
    let mut title = Line::new().code(&row.name);
    if let Some(name) = row.displayname.as_ref().filter(|name| !name.is_empty()) {
        title = title.plain(" ").hostile(name);
    }
    let mut facts = Vec::new();
    let states: Vec<&str> = [
        (row.admin, "server admin"),
        (row.deactivated && !row.erased, "deactivated"),
        (row.erased, "deactivated and erased"),
        (row.locked, "locked"),
        (row.suspended == Some(true), "suspended"),
        (row.shadow_banned, "shadow-banned"),
        (row.approved == Some(false), "not approved"),
        (row.is_guest, "guest"),
    ]
    .into_iter()
    .filter_map(|(is, word)| is.then_some(word))
    .collect();
    if !states.is_empty() {
        facts.push(("State", Line::new().strong(states.join(", "))));
    }
    if let Some(kind) = &row.user_type {
        facts.push(("Type", Line::new().hostile(kind)));
    }
    // What sets it apart takes the place of when it was made, so that a row is two lines on a phone.
    if facts.is_empty() {
        facts.push(("Created", Line::new().ago(row.created().map(|dated| dated.at), now)));
    }
    if let Some(seen) = row.seen_before(now) {
        facts.push(("Seen", Line::new().ago(Some(seen), now)));
    }
    Record { title, facts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing::{self, now};
    use crate::reply::{Block, Reply, phone};

    #[test]
    fn each_account_shows_what_sets_it_apart() {
        let record = |row: Value| {
            let reply = Reply::data("")
                .with(Block::Records(vec![record(&Row::deserialize(row).unwrap(), now())]));
            testing::reply(&reply)
        };
        let ann = json!({"name": "@ann:example.org", "displayname": "Ann Lee", "admin": 1, "deactivated": 0,
             "locked": true, "shadow_banned": 0, "is_guest": 0, "erased": 0, "user_type": "bot",
             "creation_ts": 1_795_000_000_000_i64, "last_seen_ts": 1_795_183_200_000_i64, "suspended": true});
        insta::assert_snapshot!(record(ann), @r"
        * `@ann:example.org` “Ann Lee”
          State: **server admin, locked, suspended** · Type: “bot” · Seen: 3 min ago
        ");
        let bob = json!({"name": "@bob:example.org", "displayname": null, "admin": 0, "deactivated": 1,
             "erased": 1, "creation_ts": 1_795_000_000_000_i64, "last_seen_ts": null});
        insta::assert_snapshot!(record(bob), @r"
        * `@bob:example.org`
          State: **deactivated and erased**
        ");
    }

    #[test]
    fn a_row_takes_two_lines_of_a_phone_at_most() {
        let row = |name: &str, display: Value, admin: bool| {
            json!({"name": name, "displayname": display, "admin": admin, "locked": admin,
                "creation_ts": 1_795_000_000_000_i64, "last_seen_ts": 1_795_183_200_000_i64})
        };
        let rows = [
            row("@raid-17:synod.test", json!("Cheap Pills 17"), false),
            row("@ann:synod.test", json!("Ann Lee"), true),
            row("@bob:synod.test", Value::Null, false),
        ];
        let records = rows.map(|row| record(&Row::deserialize(row).unwrap(), now()));
        for record in &records {
            let body = phone::body(&Reply::data("").with(Block::Records(vec![record.clone()])));
            assert!(phone::lines(&body) <= 2, "{body}");
        }
        let reply = Reply::data("3 accounts, all shown").with(Block::Records(records.to_vec()));
        insta::assert_snapshot!(phone::body(&reply), @r"
        3 accounts, all shown

        @raid-17:synod.test “Cheap Pills 17”
        Created: 2 days ago · Seen: 3 min ago

        @ann:synod.test “Ann Lee”
        State: server admin, locked · Seen: 3 min ago

        @bob:synod.test
        Created: 2 days ago · Seen: 3 min ago
        ");
    }
}
