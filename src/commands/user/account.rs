//! What the verbs about accounts have in common: how a typed user becomes a subject, what is said
//! of an account, and why there may be none to act on.

use jiff::Timestamp;
use ruma::UserId;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::specified;
use crate::{
    change::{FactMap, Path, Skip, Snapshot, Subject},
    commands::arguments::UserRef,
    error::Stop,
    reply::{Fact, Line},
    synapse::{Account, Error, Reader},
};

/// The account of a listing, before its count: `@ann:example.org: `.
pub(in crate::commands) fn titled(user: &UserRef, reader: &Reader) -> Line {
    match reader.user_id(user) {
        Ok(user) => Line::new().code(user).plain(": "),
        Err(_) => Line::new(),
    }
}

/// The subject of a verb about one account.
pub(super) fn subject(user: &UserRef, reader: &Reader) -> Result<Vec<Subject>, Stop> {
    subjects(std::slice::from_ref(user), reader)
}

/// The subjects of a verb about accounts, each once, in the order in which they were typed.
pub(in crate::commands) fn subjects(
    users: &[UserRef],
    reader: &Reader,
) -> Result<Vec<Subject>, Stop> {
    let mut seen = std::collections::HashSet::new();
    let mut subjects = Vec::new();
    for user in users {
        let user = reader.user_id(user)?;
        if seen.insert(user.clone()) {
            subjects.push(Subject::User(user));
        }
    }
    Ok(subjects)
}

/// The account that a subject is. Every verb in this group makes its subjects by [`subject`].
pub(in crate::commands) fn id(subject: &Subject) -> Result<&UserId, Stop> {
    subject
        .user()
        .map(AsRef::as_ref)
        .ok_or_else(|| Stop::refused(Line::new().code(subject).plain(" is not an account")))
}

/// The account that `user` names, for a verb that only looks; a refusal where it belongs to
/// another server or does not exist.
pub(in crate::commands) async fn existing(user: &UserId, reader: &Reader) -> Result<Account, Stop> {
    local(user, reader)?;
    match reader.account(user).await? {
        Some(account) => Ok(account),
        None => Err(unknown(user, reader).await),
    }
}

/// What the homeserver answers under `GET /_synapse/admin/{version}/users/{user_id}/{what}`, of an
/// account that exists here: it answers for whoever does not exist too.
pub(in crate::commands) async fn belonging<T: DeserializeOwned>(
    user: &UserRef,
    version: &str,
    what: &str,
    query: &[(&str, String)],
    reader: &Reader,
) -> Result<T, Stop> {
    let user = reader.user_id(user)?;
    let path = Path::admin([version, "users", user.as_str(), what]);
    let (account, answer) = tokio::join!(existing(&user, reader), reader.get(&path, query));
    account?;
    Ok(answer?)
}

/// Refuses the account of another server.
pub(super) fn local(user: &UserId, reader: &Reader) -> Result<(), Stop> {
    if reader.is_local(user) {
        return Ok(());
    }
    Err(Stop::refused(remote(user)).or(&["user", "membership", user.as_str()]))
}

/// The refusal for an account that does not exist, with a search where it finds something.
pub(super) async fn unknown(user: &UserId, reader: &Reader) -> Stop {
    let stop = Stop::not_found(no_such_user(user, reader.sees_by_specification()));
    match near(user, reader).await {
        Some(term) => stop.or(&["user", "search", &term]),
        None => stop,
    }
}

/// The refusal of an account that is not there; or, where that looks the same, `may_be_deactivated`.
fn no_such_user(user: &UserId, may_be_deactivated: bool) -> Line {
    let line = Line::new().plain("no such user: ").code(user);
    if may_be_deactivated {
        return line.plain(", or it is deactivated, which looks the same on this homeserver");
    }
    // What looks like a letter that it is not.
    match user.localpart().chars().find(|c| !c.is_ascii()) {
        Some(c) => line.plain(" (the ").code(c).plain(format!(
            " in it is U+{:04X}, but ids of this server have only plain letters)",
            u32::from(c)
        )),
        None => line,
    }
}

fn remote(user: &UserId) -> Line {
    Line::new().code(user).plain(
        " is an account on another server, so this server can only list the rooms that both share",
    )
}

/// Under this it is noted of an account that is not there that it may be deactivated.
const MAY_BE_DEACTIVATED: &str = "may-be-deactivated";

/// Fewest characters of a name that are worth a search.
const WORTH_A_SEARCH: usize = 3;

/// A term, beginning the localpart of `user`, by which a search finds accounts.
async fn near(user: &UserId, reader: &Reader) -> Option<String> {
    #[derive(Deserialize)]
    struct AccountCount {
        total: u64,
    }
    if !reader.is_worth_a_search() {
        return None;
    }
    let path = Path::admin(["v2", "users"]);
    for term in terms(user.localpart()) {
        let query = [
            ("name", term.clone()),
            ("limit", "1".to_owned()),
            ("deactivated", "true".to_owned()),
            ("locked", "true".to_owned()),
            ("guests", "false".to_owned()),
        ];
        // The search is a courtesy: should it fail, the refusal stands without it.
        if reader.get::<AccountCount>(&path, &query).await.is_ok_and(|listed| listed.total > 0) {
            return Some(term);
        }
    }
    None
}

/// What to search for when nobody has this localpart: the whole of it, then its first half.
fn terms(localpart: &str) -> Vec<String> {
    let whole: Vec<char> = localpart.chars().collect();
    let half = whole.len().div_ceil(2).max(WORTH_A_SEARCH);
    let mut terms = vec![localpart.to_owned()];
    if half < whole.len() {
        terms.push(whole.iter().take(half).collect());
    }
    terms
}

/// The facts that bind whatever is done to an account: who it is, and what protects it.
pub(super) fn preconditions(user: &UserId, account: Option<&Account>, reader: &Reader) -> FactMap {
    facts_that_bind(reader.is_local(user), account)
}

/// [`preconditions`], for an account that is or is not of this server.
pub(in crate::commands) fn facts_that_bind(local: bool, account: Option<&Account>) -> FactMap {
    let mut preconditions = FactMap::from([
        ("local".to_owned(), json!(local)),
        ("exists".to_owned(), json!(account.is_some())),
    ]);
    if let Some(account) = account.filter(|account| account.told.is_none()) {
        preconditions.extend([
            ("admin".to_owned(), json!(account.admin)),
            ("deactivated".to_owned(), json!(account.deactivated)),
            ("bridged".to_owned(), json!(account.appservice_id.is_some())),
        ]);
    }
    preconditions
}

/// Looks at the account that a subject is: what is shown of it and what binds. `None` beside it
/// where there is nothing to act on; [`exists`] then says why.
pub(in crate::commands) async fn snapshot(
    subject: &Subject,
    reader: &Reader,
) -> Result<(Snapshot, Option<Account>), Stop> {
    let user = id(subject)?;
    let mut account = if reader.is_local(user) { reader.account(user).await? } else { None };
    let unseen = |account: &&mut Account| account.last_seen.is_none() && account.told.is_none();
    if let Some(account) = account.as_mut().filter(unseen) {
        // Only shown: where it cannot be looked up it is not known.
        let devices = reader.devices(user).await.unwrap_or_default();
        account.last_seen = reader.last_seen(account, &devices);
    }
    Ok((seen(user, account.as_ref(), reader).await, account))
}

/// What is shown of an account and what binds.
async fn seen(user: &UserId, account: Option<&Account>, reader: &Reader) -> Snapshot {
    let mut seen =
        Snapshot { preconditions: preconditions(user, account, reader), ..Snapshot::default() };
    match account {
        Some(account) => {
            seen.display = display(account);
            note_weight(&mut seen, account, reader.now());
            specified::note(&mut seen, account);
        }
        None if reader.sees_by_specification() => {
            seen.extra.insert(MAY_BE_DEACTIVATED.to_owned(), json!(true));
        }
        None => note_near(&mut seen, user, reader).await,
    }
    seen
}

/// [`snapshot`], and how much the account has.
pub(super) async fn snapshot_with_belongings(
    subject: &Subject,
    reader: &Reader,
) -> Result<(Snapshot, Option<Account>), Stop> {
    let user = id(subject)?;
    if !reader.is_local(user) {
        return snapshot(subject, reader).await;
    }
    let (account, belongings) = tokio::join!(reader.account(user), Belongings::of(user, reader));
    let mut account = account?;
    if let Some(account) = &mut account {
        account.last_seen = belongings.last_seen(account);
    }
    let mut seen = seen(user, account.as_ref(), reader).await;
    if let Some(account) = &account {
        seen.display.extend(belongings.facts());
        belongings.note(&mut seen);
        seen.extra.insert("sign-on".to_owned(), json!(account.external_ids.len()));
    }
    Ok((seen, account))
}

/// Notes by what an account can stand out among many.
fn note_weight(seen: &mut Snapshot, account: &Account, now: Timestamp) {
    if let Some(created) = account.created {
        let age = now.as_millisecond().saturating_sub(created.as_millisecond());
        seen.extra.insert("age".to_owned(), json!(u64::try_from(age).unwrap_or_default()));
    }
    seen.extra.insert("addresses".to_owned(), json!(account.threepids.len()));
}

/// Notes what to search for where there is no such account here.
async fn note_near(seen: &mut Snapshot, user: &UserId, reader: &Reader) {
    if reader.is_local(user)
        && let Some(term) = near(user, reader).await
    {
        seen.extra.insert("near".to_owned(), json!(term));
    }
}

/// Why nothing can be done to the subject, where it is not an account of this server.
pub(in crate::commands) fn exists(subject: &Subject, seen: &Snapshot) -> Result<(), Skip> {
    let Some(user) = subject.user() else { return Ok(()) };
    if !seen.is("local") {
        return Err(Skip::refused(remote(user)).or(format!("user membership {user}")));
    }
    if !seen.is("exists") {
        let may_be_deactivated = seen.extra.contains_key(MAY_BE_DEACTIVATED);
        let skip = Skip::not_found(no_such_user(user, may_be_deactivated));
        return Err(match seen.extra.get("near").and_then(Value::as_str) {
            Some(term) => skip.or(format!("user search {term}")),
            None => skip,
        });
    }
    Ok(())
}

/// The command that shows the account that a subject is.
pub(super) fn details(subject: &Subject) -> String {
    format!("user details {}", subject.typed())
}

/// A skip that says that the account is in the wanted state already.
pub(super) fn already(subject: &Subject, what: &str) -> Skip {
    Skip::already(Line::new().code(subject).plain(format!(" {what}"))).or(details(subject))
}

/// Who an account is, for somebody who looks at all of it: with when, and how long ago.
pub(super) fn facts(account: &Account, now: Timestamp) -> Vec<Fact> {
    facts_with(account, |at| Line::new().time(at, now))
}

/// The same for a card: only how long ago.
pub(super) fn on_card(account: &Account, now: Timestamp) -> Vec<Fact> {
    facts_with(account, |at| Line::new().ago(at, now))
}

/// The same for a question, which is still read when time has gone on.
pub(super) fn display(account: &Account) -> Vec<Fact> {
    facts_with(account, |at| Line::new().at(at))
}

/// Who an account is, in the order in which one asks.
fn facts_with(account: &Account, time: impl Fn(Option<Timestamp>) -> Line) -> Vec<Fact> {
    if let Some(told) = account.told {
        return specified::facts(account, told);
    }
    let mut facts = vec![
        ("Name", name(account)),
        ("Id", Line::new().code(&account.user_id)),
        ("Created", time(account.created)),
        ("Last seen", time(account.last_seen)),
        ("Server admin", if account.admin { Line::new().strong("yes") } else { "no".into() }),
        ("State", state(account)),
    ];
    if let Some(kind) = &account.user_type {
        facts.push(("Type", Line::new().hostile(kind)));
    }
    if let Some(service) = &account.appservice_id {
        facts.push(("Bridged by", Line::new().hostile(service)));
    }
    facts
}

/// The name that people see.
pub(super) fn name(account: &Account) -> Line {
    match &account.displayname {
        Some(name) if !name.is_empty() => Line::new().hostile(name),
        _ => "none".into(),
    }
}

fn state(account: &Account) -> Line {
    let states: Vec<&str> = [
        (account.deactivated, "deactivated"),
        (account.erased, "erased"),
        (account.locked, "locked"),
        (account.suspended.unwrap_or(false), "suspended"),
        (account.shadow_banned, "shadow-banned"),
        (account.approved == Some(false), "not approved"),
        (account.is_guest, "guest"),
    ]
    .into_iter()
    .filter_map(|(is, word)| is.then_some(word))
    .collect();
    let known = match states.as_slice() {
        [] => "active".into(),
        states => Line::new().strong(states.join(", ")),
    };
    // Before Synapse 1.121 it is not said.
    if account.suspended.is_some() || account.deactivated {
        return known;
    }
    known.plain("; this homeserver does not say whether it is suspended")
}

/// How much an account has.
#[derive(Debug)]
pub(super) struct Belongings {
    devices: Result<u64, Error>,
    /// When one of its devices was last seen.
    seen: Option<Timestamp>,
    rooms: Result<u64, Error>,
    media: Result<u64, Error>,
}

impl Belongings {
    /// Counts them, all at once.
    pub(super) async fn of(user: &UserId, reader: &Reader) -> Self {
        let (devices, rooms, media) =
            tokio::join!(reader.devices(user), reader.joined_rooms(user), reader.media_count(user));
        Self {
            seen: devices.iter().flatten().filter_map(|device| device.last_seen).max(),
            devices: devices.map(|devices| devices.len() as u64),
            rooms: rooms.map(|rooms| rooms.len() as u64),
            media,
        }
    }

    /// When the account was last seen, as far as it or its devices tell.
    pub(super) fn last_seen(&self, account: &Account) -> Option<Timestamp> {
        account.last_seen.max(self.seen)
    }

    /// One line for each. What could not be counted says so: the rest is worth showing all the
    /// same, and media are often another worker's business.
    pub(super) fn facts(&self) -> Vec<Fact> {
        vec![
            ("Devices", count(&self.devices)),
            ("Rooms", count(&self.rooms)),
            ("Media", count(&self.media)),
        ]
    }

    /// Notes the counts that are known.
    fn note(&self, seen: &mut Snapshot) {
        let counts = [("devices", &self.devices), ("rooms", &self.rooms), ("media", &self.media)];
        for (key, count) in counts {
            if let Ok(count) = count {
                seen.extra.insert(key.to_owned(), json!(count));
            }
        }
    }
}

pub(super) fn count(count: &Result<u64, Error>) -> Line {
    match count {
        Ok(count) => count.to_string().into(),
        Err(error) => {
            tracing::warn!(error = error as &dyn std::error::Error, "a count cannot be looked up");
            Line::new().plain("cannot be looked up: ").line(error.line())
        }
    }
}

/// A count that was noted, if it is known.
pub(super) fn noted(seen: &Snapshot, key: &str) -> Option<u64> {
    seen.extra.get(key).and_then(Value::as_u64)
}

/// `1 device`, `3 devices`, `no devices`, or `devices` where the number is not known.
pub(in crate::commands) fn how_many(count: Option<u64>, one: &str, many: &str) -> String {
    match count {
        None => many.to_owned(),
        Some(0) => format!("no {many}"),
        Some(1) => format!("1 {one}"),
        Some(count) => format!("{count} {many}"),
    }
}

/// A command as words.
pub(in crate::commands) fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_tried_for_the_whole_name_and_then_for_its_first_half() {
        assert_eq!(terms("carroll"), ["carroll", "carr"]);
        assert_eq!(terms("anna"), ["anna", "ann"]);
        assert_eq!(terms("bob"), ["bob"]);
    }
}
