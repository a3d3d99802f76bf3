//! States of an account on a homeserver that has no more for them than the endpoints of the
//! specification: what is shown, which request sets one, and what came of it.

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::account::{name, words};
use crate::{
    change::{Method, Outcome, Skip, Snapshot, Step, Subject, Undo},
    reply::{Fact, Line, Status},
    synapse::{Account, Moderation, Told},
};

/// Under this it is noted what was told, where that is all that can be known.
const TOLD: &str = "told";

/// Notes what was told of an account, where that is all that can be known.
pub(super) fn note(seen: &mut Snapshot, account: &Account) {
    if let Some(told) = &account.told {
        seen.extra.insert(TOLD.to_owned(), json!(told));
    }
}

fn told(seen: &Snapshot) -> Option<Told> {
    Told::deserialize(seen.extra.get(TOLD)?).ok()
}

/// What is shown of an account of which no more is known.
pub(super) fn facts(account: &Account, told: Told) -> Vec<Fact> {
    vec![
        ("Name", name(account)),
        ("Id", Line::new().code(&account.user_id)),
        ("State", state(told)),
    ]
}

/// The same as data: what the homeserver does not tell is `null`.
pub(super) fn data(account: &Account) -> Value {
    let told = account.told;
    json!({
        "name": account.user_id,
        "displayname": account.displayname,
        "suspended": told.and_then(|told| told.suspended),
        "locked": told.and_then(|told| told.locked),
    })
}

/// The states that are told, and those that are not.
fn state(told: Told) -> Line {
    if told.withheld {
        return "this homeserver does not tell it of a server admin".into();
    }
    let states = [(told.locked, "locked"), (told.suspended, "suspended")];
    let is = |wanted: Option<bool>| {
        let these = states.iter().filter(move |(state, _)| *state == wanted);
        these.map(|(_, word)| *word).collect::<Vec<_>>()
    };
    let line = match is(Some(true)).as_slice() {
        [] => Line::new().plain("not ").plain(is(Some(false)).join(" and not ")),
        states => Line::new().strong(states.join(", ")),
    };
    match is(None).as_slice() {
        [] => line,
        unknown => line.plain(format!(
            "; this homeserver does not say whether it is {}",
            unknown.join(" or ")
        )),
    }
}

/// The state of this name, as far as it is told.
fn of(told: Told, key: &str) -> Option<bool> {
    match key {
        "suspended" => told.suspended,
        "locked" => told.locked,
        _ => None,
    }
}

/// Refuses to set a state where the specification's endpoints do not have it, or not for this account.
pub(super) fn can_be_set(subject: &Subject, key: &str, seen: &Snapshot) -> Result<(), Skip> {
    let Some(told) = told(seen) else { return Ok(()) };
    let line = Line::new().code(subject);
    if told.withheld {
        return Err(Skip::refused(line.plain(
            " is a server admin, or the account of my admin token: this homeserver lets nobody suspend \
            or lock those",
        )));
    }
    if of(told, key).is_none() {
        let why = format!(": this homeserver does not let its admins change whether it is {key}");
        return Err(Skip::refused(line.plain(why)));
    }
    Ok(())
}

/// The request that sets a state on the account with this id, or ends it: `what` is the last part of
/// its endpoint. `None` where the Admin API has one for it.
pub(super) fn step(
    (what, key): (&str, &str),
    user: &str,
    seen: &Snapshot,
    on: bool,
) -> Option<Step> {
    let path = Moderation::path(told(seen)?.stable, what, user);
    Some(Step::new(Method::Put, path, json!({ (key): on })))
}

/// What came of it where the homeserver answered with success and changed the other of the two states.
pub(super) fn instead(
    subject: &Subject,
    (before, after): (&Snapshot, &Snapshot),
    key: &str,
    on: bool,
) -> Option<Outcome> {
    let (was, is) = (told(before)?, told(after)?);
    let other = if key == "locked" { "suspended" } else { "locked" };
    let now = of(is, other)?;
    if of(is, key) == Some(on) || of(was, other) == Some(now) {
        return None;
    }
    let not = |state: bool| if state { "" } else { "not " };
    let title = Line::new().code(subject).plain(format!(
        ": the homeserver reported success, but did something else: the account is now {}{other}, and \
        {}{key}",
        not(now),
        not(!on),
    ));
    let verb = match (other, now) {
        ("suspended", true) => "unsuspend",
        ("suspended", false) => "suspend",
        (_, true) => "unlock",
        (_, false) => "lock",
    };
    let undo = Undo::Command(words(["user", verb, &subject.typed()]));
    let facts = after.shown_as(&["Name", "State"]).collect();
    Some(Outcome { status: Status::DoneInPart, title, facts, remains: Vec::new(), undo })
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::commands::user::testing::ann;

    fn seen(suspended: Option<bool>, locked: Option<bool>) -> Snapshot {
        let told = Told { suspended, locked, stable: true, withheld: false };
        let mut seen = Snapshot { display: vec![("State", state(told))], ..Snapshot::default() };
        seen.extra.insert(TOLD.to_owned(), json!(told));
        seen
    }

    #[test]
    fn what_is_not_told_is_not_called_either() {
        let state = |suspended, locked, withheld| {
            testing::line(&state(Told { suspended, locked, stable: true, withheld }))
        };
        assert_eq!(state(Some(false), Some(false), false), "not locked and not suspended");
        assert_eq!(state(Some(true), Some(false), false), "**suspended**");
        assert_eq!(
            state(Some(false), None, false),
            "not suspended; this homeserver does not say whether it is locked"
        );
        assert!(state(None, None, true).contains("does not tell it of a server admin"));
    }

    #[test]
    fn a_state_is_set_where_it_is_told_and_nowhere_else() {
        let (both, one) = (seen(Some(false), Some(false)), seen(Some(false), None));
        let step = step(("lock", "locked"), "@ann:example.org", &both, true).unwrap();
        assert_eq!(step.path, Moderation::path(true, "lock", "@ann:example.org"));
        assert_eq!(step.body, json!({ "locked": true }));
        assert!(super::step(("lock", "locked"), "@a:b", &Snapshot::default(), true).is_none());
        assert!(can_be_set(&ann(), "locked", &both).is_ok());
        assert!(can_be_set(&ann(), "locked", &Snapshot::default()).is_ok());
        let skip = can_be_set(&ann(), "locked", &one).unwrap_err();
        assert!(testing::line(&skip.why).contains("does not let its admins"), "{skip:?}");
    }

    #[test]
    fn a_lock_that_suspends_is_told_as_that_with_its_undo() {
        let (before, after) = (seen(Some(false), Some(false)), seen(Some(true), Some(false)));
        let outcome = instead(&ann(), (&before, &after), "locked", true).unwrap();
        assert_eq!(
            testing::outcome(&outcome),
            "Done in part · `@ann:example.org`: the homeserver reported success, but did something \
             else: the account is now suspended, and not locked\n\
             State: **suspended**\n\
             Undo: !user unsuspend @ann:example.org"
        );
        assert!(instead(&ann(), (&before, &before), "locked", true).is_none(), "nothing was done");
        let locked = seen(Some(false), Some(true));
        assert!(instead(&ann(), (&before, &locked), "locked", true).is_none(), "it was done");
        assert!(instead(&ann(), (&before, &Snapshot::default()), "locked", true).is_none());
    }
}
