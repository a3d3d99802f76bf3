//! Who keeps an account, as a change of it sees it: the homeserver, or the authentication service.
//!
//! Where the service keeps it, what the service has of it binds and is changed, and what the
//! homeserver has otherwise is told: the service lets it know of most changes, a moment later.

use serde_json::{Value, json};

use crate::{
    change::{Method, Path, Snapshot, Step},
    error::Stop,
    reply::Fact,
    synapse::{Account, Error, Keeper, Kept, Reader, Session, SessionKind},
};

/// Under this it is noted which sessions an account has at the service.
const SESSIONS: &str = "kept-sessions";

/// Under this it is noted that the homeserver has an account of the service as deactivated too.
const FOLLOWED: &str = "followed";

/// Under this it is noted by what id the service has an account that it keeps.
const ID: &str = "kept-as";

/// Under this it is noted that the service does not know an account, though the homeserver does.
const NOT_KNOWN: &str = "not-kept";

/// Looks who keeps an account that the homeserver has, notes it, and returns what the service has of
/// it, where that keeps it: then this is what binds.
pub(super) async fn note(
    seen: &mut Snapshot,
    account: &Account,
    reader: &Reader,
) -> Result<Option<Kept>, Stop> {
    let kept = match reader.keeper(&account.user_id).await? {
        Keeper::Homeserver => return Ok(None),
        Keeper::NotKnownThere => {
            seen.extra.insert(NOT_KNOWN.to_owned(), json!(account.appservice_id.is_none()));
            return Ok(None);
        }
        Keeper::Service(kept) => kept,
    };
    seen.extra.insert(ID.to_owned(), json!(kept.id));
    seen.preconditions.insert("admin".to_owned(), json!(kept.admin));
    seen.preconditions.insert("deactivated".to_owned(), json!(kept.deactivated));
    seen.extra.insert(FOLLOWED.to_owned(), json!(account.deactivated == kept.deactivated));
    seen.display.extend(difference(account, &kept));
    Ok(Some(kept))
}

/// Whether the service has yet to tell the homeserver that an account is deactivated, or that it is no
/// longer.
pub(super) fn lags(seen: &Snapshot) -> bool {
    seen.extra.get(FOLLOWED).and_then(Value::as_bool) == Some(false)
}

/// Notes which sessions an account has at the service that keeps it. They bind nothing: whoever logs in
/// all the time must not be able to put off being logged out.
pub(super) async fn note_sessions(seen: &mut Snapshot, reader: &Reader) -> Result<(), Stop> {
    let Some(id) = id(seen) else { return Ok(()) };
    let sessions = reader.sessions(id).await?;
    seen.display.push(("Sessions", counted(sessions.iter().map(|session| session.kind)).into()));
    let sessions = sessions.iter().map(|one| json!([place(one.kind), one.id]));
    seen.extra.insert(SESSIONS.to_owned(), sessions.collect());
    Ok(())
}

fn place(kind: SessionKind) -> usize {
    SessionKind::ALL.iter().position(|one| *one == kind).unwrap_or_default()
}

/// The sessions that were noted.
pub(super) fn sessions(seen: &Snapshot) -> Vec<(SessionKind, &str)> {
    let noted = seen.extra.get(SESSIONS).and_then(Value::as_array);
    let read = |one: &'_ Value| {
        let place = usize::try_from(one.get(0)?.as_u64()?).ok()?;
        Some(*SessionKind::ALL.get(place)?)
    };
    let sessions = noted.into_iter().flatten();
    sessions.filter_map(|one| Some((read(one)?, one.get(1)?.as_str()?))).collect()
}

/// The requests that end the sessions that were noted.
pub(super) fn ends(seen: &Snapshot) -> impl Iterator<Item = Step> {
    sessions(seen).into_iter().map(|(kind, id)| Session::end(kind, id))
}

/// How many sessions of which kinds: `3: 2 app (OAuth 2), 1 browser`.
pub(super) fn counted(kinds: impl Iterator<Item = SessionKind>) -> String {
    let kinds: Vec<SessionKind> = kinds.collect();
    let of = |kind: SessionKind| {
        let count = kinds.iter().filter(|one| **one == kind).count();
        (count > 0).then(|| format!("{count} {}", kind.as_str()))
    };
    let parts: Vec<String> = SessionKind::ALL.into_iter().filter_map(of).collect();
    match parts.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        several => format!("{}: {}", kinds.len(), several.join(", ")),
    }
}

/// By what id the service has an account that it keeps, as that was noted.
pub(super) fn id(seen: &Snapshot) -> Option<&str> {
    seen.extra.get(ID).and_then(Value::as_str)
}

/// The request by which the service does `what` to the account that it has by this id, without a body.
pub(super) fn step(id: &str, what: &str) -> Step {
    Step::new(Method::Post, Path::accounts(["users", id, what]), Value::Null)
}

/// What the homeserver has otherwise than the service.
pub(super) fn difference(account: &Account, kept: &Kept) -> Option<Fact> {
    let states = [
        (kept.locked, account.locked, "locked"),
        (kept.deactivated, account.deactivated, "deactivated"),
        (kept.admin, account.admin, "a server admin"),
    ];
    let otherwise = states.into_iter().filter(|(there, here, _)| there != here);
    let words =
        otherwise.map(|(_, here, what)| if here { what.to_owned() } else { format!("not {what}") });
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| ("The homeserver has", words.join(", ").into()))
}

/// An account as the service has it, where that keeps it, and what is otherwise at the homeserver: for
/// somebody who looks at all of it, also where the service cannot be asked.
pub(super) fn compared(account: &mut Account, keeper: Result<Keeper, Error>) -> Option<Fact> {
    match keeper {
        Ok(Keeper::Homeserver) => None,
        Ok(Keeper::NotKnownThere) => account.appservice_id.is_none().then(not_known),
        Ok(Keeper::Service(kept)) => {
            let difference = difference(account, &kept);
            account.locked = kept.locked;
            account.deactivated = kept.deactivated;
            account.admin = kept.admin;
            difference
        }
        Err(error) => Some((SERVICE, error.line())),
    }
}

/// How many sessions the service has of an account that it keeps, for somebody who looks at all of it.
pub(super) async fn sessions_of(keeper: &Result<Keeper, Error>, reader: &Reader) -> Option<Fact> {
    let Ok(Keeper::Service(kept)) = keeper else { return None };
    let told = match reader.sessions(&kept.id).await {
        Ok(sessions) => counted(sessions.iter().map(|session| session.kind)).into(),
        Err(error) => error.line(),
    };
    Some(("Sessions", told))
}

const SERVICE: &str = "Authentication service";

fn not_known() -> Fact {
    (SERVICE, "does not know it, so nobody can log in to it".into())
}

/// What the homeserver has otherwise, as it was noted; and that the service does not know the account.
pub(super) fn told(seen: &Snapshot) -> Vec<Fact> {
    let mut told: Vec<Fact> = seen.shown_as(&["The homeserver has"]).collect();
    if seen.extra.get(NOT_KNOWN).and_then(Value::as_bool) == Some(true) {
        told.push(not_known());
    }
    told
}

#[cfg(test)]
mod tests {
    use super::{super::testing::account, *};

    fn kept(locked: bool, deactivated: bool, admin: bool) -> Kept {
        Kept { id: "01J".to_owned(), admin, locked, deactivated }
    }

    #[test]
    fn only_what_differs_is_told_and_as_the_homeserver_has_it() {
        let here = account(json!({ "locked": true, "admin": false }));
        assert!(difference(&here, &kept(true, false, false)).is_none());
        let (label, told) = difference(&here, &kept(false, true, true)).unwrap();
        assert_eq!(label, "The homeserver has");
        assert_eq!(told.text(), "locked, not deactivated, not a server admin");
    }
}
