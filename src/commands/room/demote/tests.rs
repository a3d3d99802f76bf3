//! What is sent, said and refused.

use super::*;
use crate::commands::{
    room::{
        known::testing::{lobby, room},
        power::Event,
    },
    user::testing::{ann, line, now, outcome, parse, question, skip},
};
use serde::Deserialize as _;

fn verb(typed: &[&str]) -> Demote {
    parse(&[&["!lobby:example.org", "ann"][..], typed].concat()).unwrap()
}

fn content(ann: i64) -> Value {
    json!({
        "users": {"@ann:example.org": ann, "@bob:example.org": 50, "@keeper:example.org": 100},
        "users_default": 0, "events": {"m.room.power_levels": 100}, "org.example.odd": true,
    })
}

/// What is seen of ann in the lobby with these levels. The keeper is in it, or not.
fn seen(verb: &Demote, content: &Value, keeper: Option<Level>) -> Snapshot {
    let user = OwnedUserId::try_from("@ann:example.org").unwrap();
    let event = |content: &Value| {
        Event::deserialize(json!({ "sender": "@bob:example.org", "content": content })).unwrap()
    };
    let holders = Holders::made(event(&json!({})), Some(event(content)), false);
    let levels = json!({ "event_id": "$levels", "content": content });
    let mut seen = Snapshot { display: known::in_short(&room(json!({}))), ..Snapshot::default() };
    for key in ["exists", "local"] {
        seen.preconditions.insert(key.to_owned(), json!(true));
    }
    seen.preconditions.insert("user".to_owned(), json!(user));
    seen.note_now(now());
    note(&mut seen, &user, &holders, Some(&Levels::deserialize(levels).unwrap()));
    let power = holders.power(&user);
    let none = Level::Level { has: 0, needed: 100 };
    let keeper = Keeper::made(keeper.is_some(), keeper.unwrap_or(none), power);
    verb.note_actor(&mut seen, &user, &keeper, true);
    seen
}

const ADMIN: Level = Level::Level { has: 100, needed: 100 };

#[test]
fn an_admin_lowers_its_own_power_and_nothing_else() {
    let verb = verb(&["--as-user"]);
    assert_eq!((verb.class(1), verb.power()), (Class::Disruptive, Power::Account));
    assert_eq!(verb.amounts_to(), ["user login"]);
    // Of two with the same power neither can lower the other's.
    for keeper in [None, Some(ADMIN)] {
        let seen = seen(&verb, &content(100), keeper);
        let change = verb.change(&lobby(), &seen).unwrap();
        assert_eq!(change, verb.change(&lobby(), &seen).unwrap());
        let [login, deed, logout] = change.steps.as_slice() else { panic!("{change:?}") };
        assert!(login.path.parts().contains(&"login".to_owned()));
        assert_eq!(
            deed.path.parts(),
            [
                "_matrix",
                "client",
                "v3",
                "rooms",
                "!lobby:example.org",
                "state",
                "m.room.power_levels"
            ]
        );
        assert_eq!(deed.bearer.as_deref(), Some("token of @ann:example.org"));
        assert_eq!(deed.bearer, logout.bearer);
        let mut wanted = content(100);
        wanted["users"].as_object_mut().unwrap().remove("@ann:example.org");
        assert_eq!(deed.body, wanted);
        assert!(!deed.idempotent, "sent later it could overwrite what somebody else has set");
        assert_eq!(change.wanted[HAS], json!(0));
        assert_eq!(change.wanted["room admin"], json!(false));
    }
}

#[test]
fn the_keeper_does_it_where_it_has_more_power() {
    for typed in [&[][..], &["--as-user"]] {
        let verb = verb(typed);
        let seen = seen(&verb, &content(50), Some(ADMIN));
        let change = verb.change(&lobby(), &seen).unwrap();
        assert_eq!(change.steps.len(), 1, "{change:?}");
        assert!(change.steps[0].bearer.is_none());
    }
    assert!(verb(&[]).amounts_to().is_empty());
}

#[test]
fn each_hindrance_is_told_before_anything_is_sent() {
    let verb = verb(&["--as-user"]);
    let told = |seen: &Snapshot| skip(&verb.change(&lobby(), seen).unwrap_err());
    let weak = told(&seen(&verb, &content(50), None));
    assert!(weak.contains("it has 50, and changing power there needs 100"), "{weak}");
    assert!(weak.contains("Try !room make-admin !lobby:example.org"), "{weak}");
    let none = told(&seen(&verb, &content(0), None));
    assert!(none.starts_with("Nothing changed · `@ann:example.org` has 0 there"), "{none}");
    let muted = told(&seen(&verb, &content(-1), None));
    assert!(muted.starts_with("Refused · ") && muted.contains("less than the 0"), "{muted}");
    for (state, said) in [
        ("locked", "!user unlock @ann:example.org"),
        ("suspended", "!user unsuspend @ann:example.org"),
        ("shadow-banned", "!user shadow-ban @ann:example.org --unban"),
    ] {
        let mut seen = seen(&verb, &content(100), None);
        seen.preconditions.insert(state.to_owned(), json!(true));
        assert!(told(&seen).ends_with(said), "{}", told(&seen));
    }
    let mut creator = seen(&verb, &content(100), None);
    creator.preconditions.insert("creator".to_owned(), json!(true));
    assert!(told(&creator).contains("version 12 and later"), "{}", told(&creator));
    let mut slot = content(100);
    slot["org.example.odd"] = json!({ "$secret": "token of @ann:example.org" });
    assert!(told(&seen(&verb, &slot, None)).contains("cannot send back as it is"));
    let mut unknown = seen(&verb, &content(100), None);
    unknown.preconditions.insert("exists".to_owned(), json!(false));
    assert!(told(&unknown).starts_with("Not found · "));
    let as_admin = self::verb(&[]);
    let found = as_admin.change(&lobby(), &seen(&as_admin, &content(100), None)).unwrap_err();
    assert!(skip(&found).ends_with("@ann:example.org --as-user"));
}

#[test]
fn the_event_binds_and_the_gate_hears_of_the_account() {
    let seen = seen(&verb(&[]), &content(100), None);
    assert_eq!(seen.preconditions[EVENT], json!("$levels"));
    assert_eq!(verb(&[]).reaches(&lobby(), &seen), [ann()]);
}

#[test]
fn the_words_say_from_where_to_where_and_what_gives_it_back() {
    let verb = verb(&["--as-user"]);
    let before = seen(&verb, &content(100), None);
    let asked = question(&verb.question(&lobby(), &before));
    assert!(
        asked.starts_with(
            "Take the power of `@ann:example.org` in `!lobby:example.org` back from 100 to 0, which \
             everybody has there\n"
        ),
        "{asked}"
    );
    let how: Vec<String> = before.shown_as(&[HOW]).map(|(_, how)| line(&how)).collect();
    assert!(how[0].contains("**takes the account over for a moment**"), "{how:?}");
    let told = |gives: Option<i64>, replaced: &str| {
        let mut lowered = content(0);
        lowered["users"].as_object_mut().unwrap().remove("@ann:example.org");
        let mut after = seen(&verb, &lowered, None);
        after.extra.insert(GIVEN.to_owned(), json!(gives));
        after.extra.insert(REPLACED.to_owned(), json!(replaced));
        outcome(&verb.outcome(&lobby(), &before, &[], &after))
    };
    let done = told(Some(100), "$levels");
    assert!(
        done.starts_with(
            "Done · `@ann:example.org` has the power 0 in `!lobby:example.org`, as everybody there; it \
             had 100\n"
        ),
        "{done}"
    );
    let undo = "Undo: !room make-admin !lobby:example.org --user-id @ann:example.org";
    assert!(done.ends_with(undo), "{done}");
    for gives in [None, Some(50)] {
        let done = told(gives, "$levels");
        assert!(done.contains("No undo: somebody with enough power"), "{done}");
    }
    let crossed = told(Some(100), "$of_somebody_else");
    assert!(crossed.starts_with("Done in part · "), "{crossed}");
    assert!(crossed.contains("by `$of_somebody_else`, and that is overwritten"), "{crossed}");
}
