//! The newest accounts, and what is looked up of each, where it is to be told which of them came together.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde::Deserialize as _;
use serde_json::Value;

use super::{
    page::{self, Row},
    whois::Sightings,
};
use crate::{
    change::Path,
    error::Stop,
    reply::Hostile,
    synapse::{self, Account, Private, Reader},
};

/// How many accounts are asked for at once.
const PAGE: u64 = 500;

/// How many are asked for at first by whoever asks again and again.
const FEW: u64 = 10;

/// Accounts that were created since a moment.
#[derive(Debug, Default)]
pub(crate) struct Newest {
    /// The newest first, each once.
    pub(crate) accounts: Vec<NewAccount>,
    /// Whether there are more of them.
    pub(crate) more: bool,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct NewAccount {
    /// Its id.
    pub(crate) user: OwnedUserId,
    /// When it was created.
    pub(crate) created: Timestamp,
    /// The name that people see.
    pub(crate) displayname: Option<Hostile>,
    /// Whether an admin has approved it; `None` where the homeserver has no approvals.
    pub(crate) approved: Option<bool>,
}

/// The accounts that were created since, at most `most`, with deactivated ones and without guests: for
/// whoever asks again and again, so that it is one small request where nothing has come.
pub(crate) async fn created_lately(
    since: Timestamp,
    most: usize,
    reader: &Reader,
) -> Result<Newest, Stop> {
    let query = [
        ("order_by", "creation_ts".to_owned()),
        ("dir", "b".to_owned()),
        ("deactivated", "true".to_owned()),
        ("locked", "true".to_owned()),
        ("guests", "false".to_owned()),
    ];
    read(&query, FEW, (since, most), reader).await
}

/// What asks for accounts that are not deactivated, the newest first.
pub(super) fn newest_first() -> [(&'static str, String); 4] {
    [
        ("order_by", "creation_ts".to_owned()),
        ("dir", "b".to_owned()),
        ("deactivated", "false".to_owned()),
        ("locked", "true".to_owned()),
    ]
}

/// The accounts that were created since, at most `most`.
pub(crate) async fn created_since(
    since: Timestamp,
    most: usize,
    reader: &Reader,
) -> Result<Newest, Stop> {
    read(&newest_first(), PAGE, (since, most), reader).await
}

/// Reads pages of accounts, the newest first, until they were created before `since`.
async fn read(
    query: &[(&'static str, String)],
    first: u64,
    (since, most): (Timestamp, usize),
    reader: &Reader,
) -> Result<Newest, Stop> {
    let (mut from, mut found, mut seen) = (None::<String>, Newest::default(), HashSet::new());
    loop {
        let limit = if from.is_none() { first } else { PAGE };
        let page = page::fetch(reader, "v2", query, from.as_deref(), limit).await?;
        let empty = page.rows.is_empty();
        for row in page.rows.iter().filter_map(|row| Row::deserialize(row).ok()) {
            // Nobody knows when it was created, so nobody knows that it came with others.
            let Some(created) = row.created() else { continue };
            if created.at < since {
                if created.in_order {
                    return Ok(found);
                }
                continue;
            }
            let Ok(user) = UserId::parse(&row.name) else { continue };
            // Pages move on while accounts are created.
            if !seen.insert(user.clone()) {
                continue;
            }
            if found.accounts.len() >= most {
                return Ok(Newest { more: true, ..found });
            }
            let (created, approved) = (created.at, row.approved);
            let displayname = row.displayname.filter(|name| !name.is_empty());
            found.accounts.push(NewAccount { user, created, displayname, approved });
        }
        if empty || page.next.is_none() || page.next == from {
            return Ok(found);
        }
        from = page.next;
    }
}

/// What is looked up of one account.
#[derive(Debug)]
pub(crate) struct Looked {
    /// The account.
    pub(crate) account: Account,
    /// The rooms that it is in.
    pub(crate) rooms: BTreeSet<OwnedRoomId>,
    /// The addresses that it connected from; none where they are not asked for.
    pub(crate) addresses: BTreeSet<Private>,
    /// The clients that it connected with; none where they are not asked for.
    pub(crate) clients: BTreeSet<Hostile>,
}

/// Looks up one account, with its connections where those are wanted; `None` where it is gone.
pub(crate) async fn look(
    user: &UserId,
    private: bool,
    reader: &Reader,
) -> Result<Option<Looked>, synapse::Error> {
    let connections = async {
        if !private {
            return Ok(Sightings::default());
        }
        let path = Path::admin(["v1", "whois", user.as_str()]);
        reader.get::<Sightings>(&path, &[]).await
    };
    let (account, rooms, connections) =
        tokio::try_join!(reader.account(user), reader.joined_rooms(user), connections)?;
    let Some(account) = account else { return Ok(None) };
    let (mut addresses, mut clients) = (BTreeSet::new(), BTreeSet::new());
    for connection in connections.all() {
        addresses.extend(connection.ip.clone());
        let client = connection.user_agent.clone().filter(|client| !client.is_empty());
        clients.extend(client);
    }
    Ok(Some(Looked { account, rooms: rooms.into_iter().collect(), addresses, clients }))
}

/// How much an account has invited and joined since a moment, as the homeserver counts it: invitations,
/// then rooms. `None` where it does not count that.
pub(crate) async fn activity(
    user: &UserId,
    since: Timestamp,
    reader: &Reader,
) -> Result<Option<(u64, u64)>, synapse::Error> {
    let query = [("from_ts", since.as_millisecond().max(0).to_string())];
    let count = async |endpoint: &str, key: &str| {
        let path = Path::admin(["v1", "users", user.as_str(), endpoint]);
        match reader.get::<Value>(&path, &query).await {
            Ok(answer) => Ok(answer[key].as_u64()),
            Err(error) if error.is_unknown_route() => Ok(None),
            Err(error) => Err(error),
        }
    };
    let (invites, joins) = tokio::try_join!(
        count("sent_invite_count", "invite_count"),
        count("cumulative_joined_room_count", "cumulative_joined_room_count"),
    )?;
    Ok(invites.zip(joins))
}
