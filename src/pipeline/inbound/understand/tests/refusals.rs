//! What each verb says of each refusal of the homeserver.

use super::{examples, words};
use crate::{
    change::{Change, FactMap, Snapshot, Subject},
    commands::{Action, Query},
    error::{
        Stop,
        api::{Error, Kind, Refusal},
    },
    pipeline::{
        change::{Plan, found::broken_off},
        inbound::understand::*,
        look::by_its_cause,
    },
    reply::Layout,
    synapse::SendError,
};

/// Status and error code of refusals that any request may meet.
const REFUSALS: [(u16, &str); 10] = [
    (400, "M_UNKNOWN"),
    (400, "M_BAD_JSON"),
    (400, "M_INVALID_PARAM"),
    (400, "M_MISSING_PARAM"),
    (403, "M_FORBIDDEN"),
    (403, "M_UNKNOWN"),
    (404, "M_NOT_FOUND"),
    (404, "M_UNKNOWN"),
    (409, "M_UNKNOWN"),
    (413, "M_TOO_LARGE"),
];

/// Every verb that changes something, of its examples each that does.
fn changes() -> impl Iterator<Item = (&'static str, Box<dyn Action>)> {
    examples().filter_map(|(_, _, example)| match understand(&words(example)) {
        Understood::Command(Ask::Change(action), _) => Some((example, action)),
        _ => None,
    })
}

/// What is told where the homeserver refuses the request of this command with this.
fn told(action: &dyn Action, refusal: Error) -> String {
    let plan = Plan {
        subject: Subject::Room("!room:x.test".try_into().unwrap()),
        seen: Snapshot::default(),
        change: Change { steps: Vec::new(), wanted: FactMap::new() },
    };
    let error = SendError::Refused(refusal);
    let outcome = broken_off(action, &plan, &error, None, 0);
    format!("{} · {}", outcome.status.as_str(), outcome.title.text())
}

/// A refusal of which no word is to be told.
fn refusal(status: u16, errcode: &str, says: &str) -> Error {
    Error::refused(status, errcode, &format!("RAW {says} RAW"))
}

#[test]
fn every_refusal_of_the_homeserver_is_told_by_its_cause() {
    let mut walked = 0;
    for (example, action) in changes() {
        let subject = Subject::Room("!room:x.test".try_into().unwrap());
        let Some(known) = action.refusals(&subject) else {
            assert!(example.starts_with("raw ") || example.starts_with("matrix "), "{example}");
            continue;
        };
        assert!(!known.is_empty(), "{example} says of no refusal what it means");
        for meaning in known {
            let told =
                told(action.as_ref(), refusal(meaning.status, meaning.errcode, meaning.says));
            let plain = meaning.line().text();
            assert!(told.ends_with(&plain), "{example}: {told}");
            assert!((400..500).contains(&meaning.status), "{example}: {meaning:?}");
            assert!(!plain.ends_with('.') && !plain.contains("M_"), "{example}: {plain}");
            let word = meaning.ends.as_str();
            assert!(told.starts_with(&format!("{word} · ")), "{example}: {told}");
            walked += 1;
        }
        // Whatever it says besides, no sentence of its own and no number is the answer.
        for (status, errcode) in REFUSALS {
            let told = told(action.as_ref(), refusal(status, errcode, ""));
            let raw = ["RAW", "M_", &format!("({status}")];
            assert!(!raw.iter().any(|raw| told.contains(raw)), "{example}: {told}");
        }
    }
    assert!(walked > 300, "{walked}");
}

/// Every verb that looks, of its examples each that does.
fn looks() -> impl Iterator<Item = (&'static str, Box<dyn Query>)> {
    examples().filter_map(|(_, _, example)| match understand(&words(example)) {
        Understood::Command(Ask::Read(query), _) => Some((example, query)),
        _ => None,
    })
}

/// What is told where the homeserver refuses this look with this: the answer, and its first line.
fn told_of_look(query: &dyn Query, refused: Error) -> (String, String) {
    let stop = Stop::from(refused);
    let reply = by_its_cause(stop, query.refusals()).reply("482193");
    let told = reply.markdown(&Layout::default()).replace('\\', "");
    let first = told.lines().next().unwrap_or_default().to_owned();
    (told, first)
}

/// What asks for nothing that the homeserver could refuse by itself.
const REFUSED_BY_NONE: [&str; 2] = ["server version", "background status"];

#[test]
fn every_refusal_of_a_look_is_told_by_its_cause() {
    let (mut walked, mut verbs) = (0, 0);
    for (example, query) in looks() {
        let Some(known) = query.refusals() else {
            assert!(example.starts_with("raw ") || example.starts_with("matrix "), "{example}");
            continue;
        };
        verbs += 1;
        let some = known.iter().any(|table| !table.is_empty());
        let none = REFUSED_BY_NONE.iter().any(|verb| example.starts_with(verb));
        assert!(some != none, "{example} says of no refusal what it means");
        for meaning in known.iter().copied().flatten() {
            let says = refusal(meaning.status, meaning.errcode, meaning.says);
            let (told, first) = told_of_look(query.as_ref(), says);
            let word = meaning.ends.as_str();
            assert!(first.starts_with(&format!("**{word}** · ")), "{example}: {told}");
            let plain = meaning.means;
            assert!(first.contains(plain), "{example}: {told} instead of {plain}");
            assert!(!told.contains("RAW") && !told.contains("M_"), "{example}: {told}");
            assert!((400..500).contains(&meaning.status), "{example}: {meaning:?}");
            assert!(!plain.ends_with('.') && !plain.contains("M_"), "{example}: {plain}");
            walked += 1;
        }
        for (status, errcode) in REFUSALS {
            let (told, first) = told_of_look(query.as_ref(), refusal(status, errcode, ""));
            let raw = ["RAW", "M_", &format!("({status}")];
            assert!(!raw.iter().any(|raw| first.contains(raw)), "{example}: {told}");
        }
    }
    assert!(verbs > 60 && walked > 150, "{verbs} {walked}");
}

#[test]
fn what_is_no_refusal_of_the_look_is_told_as_before() {
    for (example, query) in looks().filter(|(_, query)| query.refusals().is_some()) {
        for (status, errcode, says, told) in [
            (401, "M_UNKNOWN_TOKEN", "", "does not accept the bot's admin token"),
            (403, "M_FORBIDDEN", "You are not a server admin", "is not a server admin"),
            (404, "M_UNRECOGNIZED", "", "does not have this function"),
            (429, "M_LIMIT_EXCEEDED", "", "limits how often"),
            (500, "M_UNKNOWN", "", "failed to handle the request"),
        ] {
            let (whole, first) = told_of_look(query.as_ref(), refusal(status, errcode, says));
            assert!(first.contains(told), "{example}: {whole}");
        }
        let page =
            Refusal { status: 404, errcode: None, message: None, retry_after: None, foreign: true };
        let (whole, first) = told_of_look(query.as_ref(), Error::new(Kind::Status(page)));
        assert!(first.contains("something in front of the homeserver"), "{example}: {whole}");
    }
}

#[test]
fn commands_in_what_a_refusal_means_are_commands() {
    let of_changes = changes().flat_map(|(example, action)| {
        let subject = Subject::Room("!room:x.test".try_into().unwrap());
        let known = action.refusals(&subject).unwrap_or_default();
        known.iter().map(move |meaning| (example, meaning))
    });
    let of_looks = looks().flat_map(|(example, query)| {
        let known = query.refusals().unwrap_or_default().iter().copied().flatten();
        known.map(move |meaning| (example, meaning))
    });
    for (example, meaning) in of_changes.chain(of_looks) {
        for command in meaning.means.split('`').skip(1).step_by(2) {
            let mut named = command.trim_start_matches('!').split(' ');
            let group = named.next().unwrap_or_default();
            let verb = named.next().unwrap_or_default();
            let there = GROUPS
                .iter()
                .find(|known| known.name == group)
                .is_some_and(|known| known.verbs.iter().any(|spec| spec.name == verb));
            assert!(there, "{example}: {command} is no command");
        }
    }
}
