//! What is sent, said and refused.

use super::*;
use crate::commands::{
    room::{known::testing, power::Power as Level},
    user::testing::{
        account as account_of, ann, line, now, nowhere, outcome, parse, question, skip,
    },
};
use crate::{change::Part, reply::Status};

const NONE: Level = Level::Level { has: 0, needed: 100 };
const MODERATOR: Level = Level::Level { has: 50, needed: 100 };
const ADMIN: Level = Level::Level { has: 100, needed: 100 };

fn verb(typed: &[&str]) -> Kick {
    parse(&[&["!lobby:example.org", "ann"][..], typed].concat()).unwrap()
}

/// What is seen of ann in the lobby, where she has this power and the keeper, if it is in it, that one.
fn seen(verb: &Kick, room: Value, ann_has: Level, keeper: Option<Level>) -> Snapshot {
    let mut seen = crate::commands::user::testing::snapshot_of(&account_of(json!({})));
    let id = <&RoomId>::try_from("!lobby:example.org").unwrap();
    let user = <&UserId>::try_from("@ann:example.org").unwrap();
    note(&mut seen, (user, id), Some(&testing::room(room)), true);
    seen.preconditions.insert("locked".to_owned(), json!(false));
    seen.note_now(now());
    let keeper = Keeper::made(keeper.is_some(), keeper.unwrap_or(NONE), ann_has);
    verb.note_actor(&mut seen, user, &keeper);
    seen
}

fn paths(change: &Change) -> Vec<String> {
    change.steps.iter().map(|step| step.path.parts()[2..].join("/")).collect()
}

#[test]
fn whoever_is_taken_over_for_a_moment_takes_the_power_for_that() {
    let (own, as_admin) = (verb(&["--as-user"]), verb(&[]));
    assert_eq!((own.class(1), own.power()), (Class::Disruptive, Power::Account));
    assert_eq!(own.amounts_to(), ["user login"]);
    assert_eq!((as_admin.class(1), as_admin.power()), (Class::Disruptive, Power::Moderate));
    assert!(as_admin.amounts_to().is_empty());
    assert!(!own.whispers(), "nobody is told the token");
}

#[test]
fn where_the_keeper_has_no_power_the_account_leaves_in_its_own_name() {
    let verb = verb(&["--as-user"]);
    for (keeper, has) in [(None, NONE), (Some(NONE), NONE), (Some(ADMIN), ADMIN)] {
        let seen = seen(&verb, json!({}), has, keeper);
        let change = verb.change(&ann(), &seen).unwrap();
        assert_eq!(change, verb.change(&ann(), &seen).unwrap());
        assert_eq!(
            paths(&change),
            ["v1/users/@ann:example.org/login", "v3/rooms/!lobby:example.org/leave", "v3/logout"]
        );
        let slot = Some("token of @ann:example.org");
        let bearers: Vec<_> = change.steps.iter().map(|step| step.bearer.as_deref()).collect();
        assert_eq!(bearers, [None, slot, slot]);
        assert_eq!(change.steps[2].part, Part::PutsAway);
        let until = now().as_millisecond() + 60_000;
        assert_eq!(change.steps[0].body, json!({ "valid_until_ms": until }));
        assert_eq!(change.wanted, FactMap::from([("member".to_owned(), json!(false))]));
    }
}

#[test]
fn where_the_keeper_has_more_power_it_removes_the_account_and_takes_over_none() {
    for typed in [&[][..], &["--as-user"]] {
        let verb = verb(typed);
        let change = verb.change(&ann(), &seen(&verb, json!({}), NONE, Some(MODERATOR))).unwrap();
        assert_eq!(paths(&change), ["v3/rooms/!lobby:example.org/kick"]);
        assert_eq!(change.steps[0].body, json!({ "user_id": "@ann:example.org" }));
        assert!(change.steps[0].bearer.is_none() && change.steps[0].reveals.is_empty());
        let creator = seen(&verb, json!({}), ADMIN, Some(Level::Creator));
        assert_eq!(paths(&verb.change(&ann(), &creator).unwrap()).len(), 1);
    }
}

#[test]
fn where_it_is_not_asked_for_nobody_is_acted_for() {
    let verb = verb(&[]);
    let found = verb.change(&ann(), &seen(&verb, json!({}), NONE, None)).unwrap_err();
    assert_eq!(
        skip(&found),
        "Refused · the account of my admin token, `@keeper:example.org`, is not in \
         `!lobby:example.org`, so it cannot remove anybody there. With power in the room it can\n\
         Try !room make-admin !lobby:example.org\nTry !room kick !lobby:example.org @ann:example.org --as-user"
    );
    let weak = verb.change(&ann(), &seen(&verb, json!({}), MODERATOR, Some(MODERATOR)));
    let weak = skip(&weak.unwrap_err());
    assert!(weak.contains("its power there is 50, that of the other is 50"), "{weak}");
    let above = verb.change(&ann(), &seen(&verb, json!({}), Level::Creator, Some(ADMIN)));
    assert!(skip(&above.unwrap_err()).contains("that of the other is that of a creator"));
}

#[test]
fn each_hindrance_is_told_before_anything_is_sent() {
    let verb = verb(&["--as-user"]);
    let good = || seen(&verb, json!({}), NONE, None);
    let mut locked = good();
    locked.preconditions.insert("locked".to_owned(), json!(true));
    let told = skip(&verb.change(&ann(), &locked).unwrap_err());
    assert!(told.contains("is locked") && told.contains("!user unlock @ann:"), "{told}");
    let mut out = good();
    out.preconditions.insert("member".to_owned(), json!(false));
    for (how, said) in
        [(None, "is not in"), (Some("invite"), "only invited"), (Some("ban"), "banned")]
    {
        out.extra.insert(MEMBERSHIP.to_owned(), json!(how));
        let found = verb.change(&ann(), &out).unwrap_err();
        assert!(found.status == Status::NothingChanged && skip(&found).contains(said), "{found:?}");
    }
    let mut gone = good();
    gone.preconditions.insert("exists".to_owned(), json!(false));
    assert_eq!(verb.change(&ann(), &gone).unwrap_err().status, Status::NotFound);
    let mut unknown = good();
    unknown.preconditions.insert("room known".to_owned(), json!(false));
    assert_eq!(verb.change(&ann(), &unknown).unwrap_err().status, Status::NotFound);
}

#[test]
fn whoever_is_of_another_server_is_removed_or_stays() {
    let verb = verb(&["--as-user"]);
    let mut remote = seen(&verb, json!({}), NONE, None);
    remote.preconditions.remove(BY);
    remote.preconditions.insert("local".to_owned(), json!(false));
    let user = <&UserId>::try_from("@ann:example.org").unwrap();
    verb.note_actor(&mut remote, user, &Keeper::made(false, NONE, NONE));
    let told = skip(&verb.change(&ann(), &remote).unwrap_err());
    assert!(told.contains("is not in") && !told.contains("!room kick"), "{told}");
    verb.note_actor(&mut remote, user, &Keeper::made(true, ADMIN, NONE));
    assert!(verb.change(&ann(), &remote).is_ok());
}

#[test]
fn the_question_says_in_whose_name_and_whether_it_can_come_back() {
    let verb = verb(&["--as-user"]);
    let open = seen(&verb, json!({}), NONE, None);
    let asked = question(&verb.question(&ann(), &open));
    assert!(asked.starts_with("Take `@ann:example.org` out of `!lobby:example.org`\n"), "{asked}");
    assert!(asked.contains("it can come back by itself"), "{asked}");
    let how: Vec<String> = open.shown_as(&[HOW]).map(|(_, how)| line(&how)).collect();
    assert!(how[0].contains("**takes the account over for a moment**"), "{how:?}");
    let closed = seen(&verb, json!({"join_rules": "invite"}), NONE, Some(ADMIN));
    let asked = question(&verb.question(&ann(), &closed));
    assert!(asked.contains("only if somebody there lets it in"), "{asked}");
    let how: Vec<String> = closed.shown_as(&[HOW]).map(|(_, how)| line(&how)).collect();
    assert!(how[0].starts_with("as `@keeper:example.org`, the account of my admin"), "{how:?}");
}

#[test]
fn it_is_taken_back_where_the_account_can_be_put_there_again() {
    let verb = verb(&["--as-user"]);
    let told = |room: Value, keeper: Option<Level>| {
        let before = seen(&verb, room, NONE, keeper);
        let mut after = before.clone();
        after.preconditions.insert("member".to_owned(), json!(false));
        outcome(&verb.outcome(&ann(), &before, &[], &after))
    };
    let open = told(json!({}), None);
    assert!(
        open.starts_with("Done · `@ann:example.org` is out of `!lobby:example.org`\n"),
        "{open}"
    );
    assert!(open.ends_with("Undo: !room join !lobby:example.org @ann:example.org"), "{open}");
    let closed = json!({"join_rules": "invite"});
    assert!(told(closed.clone(), Some(ADMIN)).contains("Undo: !room join"), "it can invite");
    let closed = told(closed, None);
    assert!(closed.ends_with("No undo: somebody with power in the room has to invite it again"));
}

#[tokio::test]
async fn of_a_space_one_account_is_taken_at_a_time_and_the_gate_hears_of_it() {
    let many: Kick = parse(&["!lobby:example.org", "ann", "bob", "--space"]).unwrap();
    assert!(many.subjects(&nowhere()).await.is_err());
    let space = verb(&["--space"]);
    let room = Subject::Room("!lobby:example.org".try_into().unwrap());
    let seen = seen(&space, json!({}), NONE, None);
    assert_eq!(space.reaches(&room, &seen), [ann()]);
    assert_eq!(verb(&[]).reaches(&ann(), &seen), [room]);
    assert_eq!(space.did(), Some("took an account out of"));
}
