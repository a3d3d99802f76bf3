//! Looking at the new accounts: who they are, and what they have done.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedUserId, UserId};
use serde_json::Value;
use tracing::warn;

use super::{
    group::{Account, Group, groups},
    last::{Counts, Found, Wave},
};
use crate::{
    change::{Path, Subject},
    commands::user::newest::{self, Looked, NewAccount},
    error::Stop,
    pipeline::Pipeline,
    reply::Hostile,
    synapse::{self, Reader, wire::Plausible as _},
};

/// How many new accounts are looked at where an operator asks.
pub(super) const MOST: usize = 5_000;

/// How many are looked at at once.
const AT_ONCE: usize = 8;

/// Of how many of a group it is counted what they invite and join: it takes two requests for each.
const COUNTED: usize = 200;

/// How many reports are asked for at once, and how many at all.
const REPORTS: usize = 200;
const MOST_REPORTS: usize = 2_000;

/// The lists of reports, and under which key each has the accused. Who has reported is somebody else.
const LISTS: [(&str, &str); 2] = [("event_reports", "sender"), ("user_reports", "target_user_id")];

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Accounts that were created since.
    pub(super) since: Timestamp,
    /// Whether their addresses and clients are looked at.
    pub(super) private: bool,
    /// How many of them are looked at, the newest.
    pub(super) most: usize,
}

/// What is known here of accounts, before the homeserver is asked.
struct Known<'a> {
    pipeline: &'a Pipeline,
    noted: BTreeSet<OwnedUserId>,
    reports: BTreeMap<OwnedUserId, u64>,
}

/// Looks at the accounts that were created since, as far as `reader` may.
pub(super) async fn look(
    pipeline: &Pipeline,
    reader: &Reader,
    wanted: Wanted,
) -> Result<Wave, Stop> {
    let reader = &reader.afresh();
    let newest = newest::created_since(wanted.since, wanted.most, reader).await?;
    let mut wave = Wave::begun(pipeline.clock.now(), wanted.since, wanted.private);
    wave.more = newest.more;
    let mut accounts = newest.accounts;
    let kept: BTreeSet<OwnedUserId> =
        pipeline.wave_exceptions.all()?.into_iter().map(|one| one.about).collect();
    let left_out = accounts.iter().filter(|account| kept.contains(&account.user));
    wave.left_out.extend(left_out.map(|account| account.created));
    wave.kept = keep_only(&mut accounts, |user| !kept.contains(user));
    let within = |user: &OwnedUserId| reader.may_name(&Subject::User(user.clone())).is_ok();
    wave.unreached = keep_only(&mut accounts, within);
    wave.accounts = accounts.len();
    let (reports, all_read) = reports(wanted.since, reader).await;
    wave.reports_read = all_read;
    let noted = pipeline.notes.all()?.into_iter().map(|note| note.about).collect();
    let known = Known { pipeline, noted, reports };
    let accounts = each(accounts, &known, &mut wave, reader).await?;
    let (found, alone) = groups(accounts);
    wave.alone = alone.len();
    for group in found {
        let counts = counted(&group, wanted.since, reader).await;
        wave.groups.push(Found { group, counts });
    }
    Ok(wave)
}

/// Leaves out those that do not fit, and says how many.
fn keep_only(accounts: &mut Vec<NewAccount>, fits: impl Fn(&OwnedUserId) -> bool) -> usize {
    let before = accounts.len();
    accounts.retain(|account| fits(&account.user));
    before.saturating_sub(accounts.len())
}

/// Looks at each. A bridge makes accounts in numbers by itself, so that those are only counted.
async fn each(
    accounts: Vec<NewAccount>,
    known: &Known<'_>,
    wave: &mut Wave,
    reader: &Reader,
) -> Result<Vec<Account>, Stop> {
    let private = wave.private;
    let looks = accounts.into_iter().map(|new| async move {
        let looked = newest::look(&new.user, private, reader).await;
        (new, looked)
    });
    let mut looks = stream::iter(looks).buffered(AT_ONCE);
    let (mut found, mut failed) = (Vec::new(), None);
    while let Some((new, looked)) = looks.next().await {
        match looked {
            Ok(None) => wave.accounts = wave.accounts.saturating_sub(1),
            Ok(Some(looked)) if looked.account.appservice_id.is_some() => {
                wave.bridged += 1;
                wave.left_out.push(new.created);
            }
            Ok(Some(looked)) => found.push(known.account(new, looked)),
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "an account cannot be looked up");
                wave.unread += 1;
                failed = Some(error);
            }
        }
    }
    match failed {
        Some(error) if found.is_empty() => Err(error.into()),
        _ => Ok(found),
    }
}

impl Known<'_> {
    fn account(&self, new: NewAccount, looked: Looked) -> Account {
        let Looked { account, rooms, addresses, clients } = looked;
        let special = self.special(&new.user, account.admin);
        Account {
            displayname: account.displayname.filter(|name| is_telling(name, &new.user)),
            created: new.created,
            rooms,
            addresses,
            clients,
            email: account.threepids.iter().any(|address| address.medium.raw() == "email"),
            signs_on: !account.external_ids.is_empty(),
            special,
            restrained: account.locked || account.suspended == Some(true),
            reports: self.reports.get(&new.user).copied().unwrap_or_default(),
            user: new.user,
        }
    }

    /// What makes an account somebody's in particular.
    fn special(&self, user: &OwnedUserId, admin: bool) -> Vec<&'static str> {
        let roster = &self.pipeline.roster;
        let named = roster.policy.protection.named(&Subject::User(user.clone()));
        [
            (self.pipeline.reader.is_own(user), "is one of my own accounts"),
            (roster.operator(user).is_some(), "is an operator"),
            (admin, "is a server admin"),
            (named.is_some(), "is protected by the config"),
            (self.noted.contains(user), "has a note"),
        ]
        .into_iter()
        .filter_map(|(is, why)| is.then_some(why))
        .collect()
    }
}

/// Whether a display name says more than the id.
fn is_telling(name: &Hostile, user: &UserId) -> bool {
    !name.is_empty() && name.raw() != user.localpart()
}

/// How many reports there are of each account, or of what it wrote, since a moment; and whether all of
/// them could be read.
async fn reports(since: Timestamp, reader: &Reader) -> (BTreeMap<OwnedUserId, u64>, bool) {
    let (mut found, mut all) = (BTreeMap::new(), true);
    for (list, accused) in LISTS {
        match accused_in(list, accused, since, reader).await {
            Ok((users, whole)) => {
                all &= whole;
                for user in users {
                    *found.entry(user).or_default() += 1;
                }
            }
            // Older versions have no list of reported accounts.
            Err(error) if error.is_unknown_route() => {}
            Err(error) => {
                warn!(list, error = &error as &dyn std::error::Error, "reports cannot be read");
                all = false;
            }
        }
    }
    (found, all)
}

/// The accused of each report of a list since a moment, and whether that are all.
async fn accused_in(
    list: &str,
    accused: &str,
    since: Timestamp,
    reader: &Reader,
) -> Result<(Vec<OwnedUserId>, bool), synapse::Error> {
    let path = Path::admin(["v1", list]);
    let (mut from, mut found) = (0, Vec::new());
    while from < MOST_REPORTS {
        let query =
            [("dir", "b".to_owned()), ("limit", REPORTS.to_string()), ("from", from.to_string())];
        let answer: Value = reader.get(&path, &query).await?;
        let rows = answer.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
        for row in &rows {
            let at = Timestamp::plausible(&row["received_ts"]);
            if at.is_some_and(|at| at < since) {
                return Ok((found, true));
            }
            let user = row[accused].as_str().and_then(|id| UserId::parse(id).ok());
            found.extend(user);
        }
        if rows.len() < REPORTS {
            return Ok((found, true));
        }
        from += REPORTS;
    }
    Ok((found, false))
}

/// What the first of a group have invited and joined; `None` where nobody counts that.
async fn counted(group: &Group, since: Timestamp, reader: &Reader) -> Option<Counts> {
    let first = group.accounts.iter().take(COUNTED);
    let users: Vec<OwnedUserId> = first.map(|account| account.user.clone()).collect();
    let looks =
        users.into_iter().map(|user| async move { newest::activity(&user, since, reader).await });
    let mut looks = stream::iter(looks).buffered(AT_ONCE);
    let mut counts = Counts::default();
    while let Some(looked) = looks.next().await {
        match looked {
            Ok(Some((invites, joins))) => {
                counts.of += 1;
                counts.invites += invites;
                counts.joins += joins;
            }
            Ok(None) => return None,
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "an account cannot be counted");
            }
        }
    }
    let first = group.made().map(|(first, _)| first)?;
    counts.within = reader.now().duration_since(first).max(SignedDuration::from_hours(1));
    (counts.of > 0).then_some(counts)
}
