//! Pages of accounts: how they are collected from the homeserver's, and how they are shown.

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use ruma::UserId;
use serde::Deserialize;

use super::account::how_many;
use crate::{
    change::Path,
    reply::{Block, Hostile, Line, Record, Reply},
    synapse::{
        Error, Reader,
        wire::{flag, optional_millis},
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
    user_type: Option<Hostile>,
    #[serde(default, rename = "creation_ts", deserialize_with = "optional_millis")]
    pub(super) created: Option<Timestamp>,
    #[serde(default, rename = "last_seen_ts", deserialize_with = "optional_millis")]
    pub(super) last_seen: Option<Timestamp>,
    /// Not in the homeserver's list: looked up for what is shown.
    #[serde(skip)]
    suspended: Suspended,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Suspended {
    Yes,
    No,
    #[default]
    NotKnown,
}

impl Row {
    /// The id without what makes it one.
    pub(super) fn localpart(&self) -> &str {
        let name = self.name.strip_prefix('@').unwrap_or(&self.name);
        name.split_once(':').map_or(name, |(localpart, _)| localpart)
    }
}

/// One answer of the homeserver.
#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    users: Vec<Row>,
    total: u64,
}

/// Asks for one page of the homeserver's.
pub(super) async fn fetch(
    reader: &Reader,
    query: &[(&'static str, String)],
    from: u64,
    limit: u64,
) -> Result<Listed, Error> {
    let path = Path::admin(["v2", "users"]);
    let mut query = query.to_vec();
    query.extend([("from", from.to_string()), ("limit", limit.to_string())]);
    match reader.get(&path, &query).await {
        // Where an authentication service runs the accounts there are no guests, and the
        // homeserver wants that said.
        Err(error)
            if error.status() == Some(400) && !query.iter().any(|(key, _)| *key == "guests") =>
        {
            query.push(("guests", "false".to_owned()));
            reader.get(&path, &query).await
        }
        answered => answered,
    }
}

/// Whether an account belongs on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Yes,
    No,
    /// Neither it nor any after it.
    End,
}

/// Which page is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    /// How many accounts of the homeserver's list to skip.
    pub(super) from: u64,
    /// How many to find.
    pub(super) limit: u64,
    /// Whether some may not be kept, so that more must be asked for than are wanted.
    pub(super) filtered: bool,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) rows: Vec<Row>,
    from: u64,
    /// How many were looked through.
    looked: u64,
    /// How many the homeserver has, before my own filter.
    total: u64,
    filtered: bool,
    /// Where the next page begins; `None` at the end.
    pub(super) next: Option<u64>,
}

/// How many accounts are asked for at once when some are not kept: large pages cost the
/// homeserver less than many.
const LARGE_PAGE: u64 = 500;

/// Collects a page: asks on until it is full or nothing is left.
pub(super) async fn walk<F: Future<Output = Result<Listed, Error>>>(
    walk: Walk,
    keeps: impl Fn(&Row) -> Kept,
    fetch: impl Fn(u64, u64) -> F,
) -> Result<Found, Error> {
    let Walk { from, limit, filtered } = walk;
    let size = if filtered { LARGE_PAGE.max(limit) } else { limit };
    let mut found = Found { rows: Vec::new(), from, looked: 0, total: 0, filtered, next: None };
    loop {
        let listed = fetch(from + found.looked, size).await?;
        found.total = listed.total;
        let got = listed.users.len() as u64;
        for row in listed.users {
            found.looked += 1;
            match keeps(&row) {
                Kept::Yes => found.rows.push(row),
                Kept::No => {}
                Kept::End => return Ok(found),
            }
            if found.rows.len() as u64 == limit {
                let next = from + found.looked;
                found.next = (next < found.total).then_some(next);
                return Ok(found);
            }
        }
        // An empty page ends it too, whatever the total says: it may shrink meanwhile.
        if got == 0 || from + found.looked >= found.total {
            return Ok(found);
        }
    }
}

/// How many accounts are looked up at once.
const AT_ONCE: usize = 8;

/// The accounts, in the same order, with what was looked up of whether they are suspended.
pub(super) async fn marked_suspended(rows: Vec<Row>, reader: &Reader) -> Vec<Row> {
    let lookups = rows.into_iter().map(|mut row| async move {
        if let Ok(user) = UserId::parse(&row.name)
            // The list is worth showing without it; what is missing is said below it.
            && let Ok(Some(account)) = reader.account(&user).await
        {
            row.suspended = match account.suspended {
                Some(true) => Suspended::Yes,
                Some(false) => Suspended::No,
                None => Suspended::NotKnown,
            };
        }
        row
    });
    stream::iter(lookups).buffered(AT_ONCE).collect().await
}

/// The answer. `again` is the command for the next page.
pub(super) fn told(
    found: &Found,
    again: Option<Vec<String>>,
    without_deactivated: bool,
    now: Timestamp,
) -> Reply {
    let mut reply = Reply::data(title(found));
    if !found.rows.is_empty() {
        let records = found.rows.iter().map(|row| record(row, now)).collect();
        reply = reply.with(Block::Records(records));
    }
    let unknown = found.rows.iter().filter(|row| row.suspended == Suspended::NotKnown).count();
    if unknown > 0 {
        reply = reply.note(format!("For {unknown} of them I could not see whether suspended."));
    }
    if without_deactivated {
        reply = reply.note(Line::new().plain("Without deactivated accounts; add ").code("-d"));
    }
    match again {
        Some(again) => reply.command("Next page", again),
        None => reply,
    }
}

fn title(found: &Found) -> String {
    let Found { from, looked, total, filtered, ref rows, next, .. } = *found;
    let shown = rows.len() as u64;
    let (first, last) = (from + 1, from + looked);
    let all = how_many(Some(total), "account", "accounts");
    if filtered {
        let more = if next.is_some() { " so far" } else { "" };
        let found = how_many(Some(shown), "account", "accounts");
        return match (from, looked == total) {
            (0, true) => format!("{found} found; looked through all {total}"),
            (0, false) => format!("{found} found{more}; looked through {looked} of {total}"),
            _ => format!("{found} found{more}; looked through {first} to {last} of {total}"),
        };
    }
    match (shown, from) {
        (0, 0) => all,
        (0, _) => format!("{all}, none from {first} on"),
        _ if shown == total => format!("{all}, all shown"),
        _ => format!("{all}, {first} to {last} shown"),
    }
}

fn record(row: &Row, now: Timestamp) -> Record {
    let mut title = Line::new().code(&row.name);
    if let Some(name) = row.displayname.as_ref().filter(|name| !name.is_empty()) {
        title = title.plain(" ").hostile(name);
    }
    let mut facts = vec![
        ("Created", Line::new().time(row.created, now)),
        ("Last seen", Line::new().time(row.last_seen, now)),
    ];
    let states: Vec<&str> = [
        (row.admin, "server admin"),
        (row.deactivated && !row.erased, "deactivated"),
        (row.erased, "deactivated and erased"),
        (row.locked, "locked"),
        (row.suspended == Suspended::Yes, "suspended"),
        (row.shadow_banned, "shadow-banned"),
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
    Record { title, facts }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, future::ready};

    use futures_util::FutureExt as _;
    use serde_json::json;

    use super::*;
    use crate::commands::user::testing::{self, now};

    fn rows(names: std::ops::Range<u64>) -> Vec<Row> {
        let row = |n| json!({"name": format!("@u{n}:example.org"), "creation_ts": 1});
        names.map(|n| serde_json::from_value(row(n)).unwrap()).collect()
    }

    /// Walks through `total` accounts, and says which were found, the next place and the requests.
    fn walked(wanted: Walk, total: u64, keeps: impl Fn(&Row) -> Kept) -> (Found, Vec<(u64, u64)>) {
        let requests = RefCell::new(Vec::new());
        let found = walk(wanted, keeps, |from, limit| {
            requests.borrow_mut().push((from, limit));
            ready(Ok(Listed { users: rows(from..total.min(from + limit)), total }))
        });
        let found = found.now_or_never().unwrap().unwrap();
        (found, requests.into_inner())
    }

    fn page(from: u64, limit: u64, filtered: bool) -> Walk {
        Walk { from, limit, filtered }
    }

    #[test]
    fn without_a_filter_one_request_is_one_page() {
        let (found, requests) = walked(page(0, 10, false), 25, |_| Kept::Yes);
        assert_eq!((found.rows.len(), found.next, requests), (10, Some(10), vec![(0, 10)]));
        assert_eq!(title(&found), "25 accounts, 1 to 10 shown");
        let (found, _) = walked(page(20, 10, false), 25, |_| Kept::Yes);
        assert_eq!((found.rows.len(), found.next), (5, None));
        assert_eq!(title(&found), "25 accounts, 21 to 25 shown");
        let (found, _) = walked(page(0, 25, false), 25, |_| Kept::Yes);
        assert_eq!((title(&found).as_str(), found.next), ("25 accounts, all shown", None));
        let (found, _) = walked(page(30, 10, false), 25, |_| Kept::Yes);
        assert_eq!(title(&found), "25 accounts, none from 31 on");
        let (found, _) = walked(page(0, 10, false), 0, |_| Kept::Yes);
        assert_eq!(title(&found), "no accounts");
    }

    #[test]
    fn with_a_filter_it_asks_on_until_the_page_is_full_or_the_end_is_reached() {
        let seventh = |row: &Row| {
            let n: u64 = row.localpart().trim_start_matches('u').parse().unwrap();
            if n % 700 == 699 { Kept::Yes } else { Kept::No }
        };
        let (found, requests) = walked(page(0, 2, true), 3000, seventh);
        assert_eq!(found.rows.iter().map(Row::localpart).collect::<Vec<_>>(), ["u699", "u1399"]);
        assert_eq!(requests, [(0, 500), (500, 500), (1000, 500)]);
        assert_eq!(found.next, Some(1400));
        assert_eq!(title(&found), "2 accounts found so far; looked through 1400 of 3000");
        let (found, _) = walked(page(1400, 9, true), 3000, seventh);
        assert_eq!((found.rows.len(), found.next), (2, None));
        assert_eq!(title(&found), "2 accounts found; looked through 1401 to 3000 of 3000");
        let (found, _) = walked(page(0, 9, true), 3000, seventh);
        assert_eq!(title(&found), "4 accounts found; looked through all 3000");
    }

    #[test]
    fn what_ends_the_search_ends_it() {
        let first = |row: &Row| if row.localpart() == "u3" { Kept::End } else { Kept::Yes };
        let (found, requests) = walked(page(0, 10, true), 3000, first);
        assert_eq!((found.rows.len(), found.next, requests.len()), (3, None, 1));
        assert_eq!(title(&found), "3 accounts found; looked through 4 of 3000");
    }

    #[test]
    fn a_list_that_shrinks_meanwhile_ends() {
        let found = walk(
            page(0, 10, true),
            |_| Kept::Yes,
            |from, _| {
                let users = if from == 0 { rows(0..3) } else { Vec::new() };
                ready(Ok(Listed { users, total: 9 }))
            },
        );
        assert_eq!(found.now_or_never().unwrap().unwrap().rows.len(), 3);
    }

    #[test]
    fn each_account_shows_what_sets_it_apart() {
        let users = json!([
            {"name": "@ann:example.org", "displayname": "Ann Lee", "admin": 1, "deactivated": 0,
             "locked": true, "shadow_banned": 0, "is_guest": 0, "erased": 0, "user_type": "bot",
             "creation_ts": 1_795_000_000_000_i64, "last_seen_ts": 1_795_183_200_000_i64},
            {"name": "@bob:example.org", "displayname": null, "admin": 0, "deactivated": 1,
             "erased": 1, "creation_ts": 1_795_000_000_000_i64, "last_seen_ts": null},
        ]);
        let mut found = Found {
            rows: serde_json::from_value(users).unwrap(),
            from: 0,
            looked: 2,
            total: 5,
            filtered: false,
            next: Some(2),
        };
        found.rows[0].suspended = Suspended::Yes;
        let again = Some(vec!["user".to_owned(), "list".to_owned()]);
        insta::assert_snapshot!(testing::reply(&told(&found, again, true, now())), @r"
        5 accounts, 1 to 2 shown
        * `@ann:example.org` “Ann Lee”
          Created: 2026-11-18 11:06 UTC (2 days ago) · Last seen: 2026-11-20 14:00 UTC (3 min ago) · State: **server admin, locked, suspended** · Type: “bot”
        * `@bob:example.org`
          Created: 2026-11-18 11:06 UTC (2 days ago) · Last seen: never · State: **deactivated and erased**
        (For 1 of them I could not see whether suspended.)
        (Without deactivated accounts; add `-d`)
        Next page: !user list
        ");
    }

    #[test]
    fn each_sort_is_sent_by_the_name_that_is_typed() {
        use clap::ValueEnum as _;
        for sort in Sort::value_variants() {
            let typed = sort.to_possible_value().unwrap();
            assert_eq!(typed.get_name(), sort.as_str());
        }
    }
}
