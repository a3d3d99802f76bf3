use std::collections::BTreeMap;

use ruma::{owned_user_id, server_name, user_id};
use serde_json::{Value, json};

use super::*;
use crate::reply::Hostile;

fn read(content: &Value) -> Read {
    Read::of(About::Users, "@mod:lists.test", content)
}

fn rule(entity: &str) -> Rule {
    match read(&json!({"entity": entity, "recommendation": "m.ban", "reason": "spam"})) {
        Read::Rule(rule) => *rule,
        other => panic!("{entity}: {other:?}"),
    }
}

#[test]
fn a_rule_is_read_with_its_old_names_and_whatever_is_not_one_is_told_apart() {
    let spam = rule("@eve:synod.test");
    assert_eq!(spam.recommendation, Recommendation::Ban);
    assert_eq!(spam.reason.as_ref().map(Hostile::raw), Some("spam"));
    assert_eq!(spam.sender, "@mod:lists.test");
    for (recommendation, expected) in [
        ("m.ban", Some(Recommendation::Ban)),
        ("org.matrix.mjolnir.ban", Some(Recommendation::Ban)),
        ("m.takedown", Some(Recommendation::Takedown)),
        ("org.matrix.msc4204.takedown", Some(Recommendation::Takedown)),
        ("m.mute", None),
        ("M.BAN", None),
        ("", None),
    ] {
        let found = read(&json!({"entity": "@eve:x.test", "recommendation": recommendation}));
        match expected {
            Some(expected) => {
                let Read::Rule(rule) = found else { panic!("{recommendation}: {found:?}") };
                assert_eq!(rule.recommendation, expected);
            }
            None => assert_eq!(found, Read::Other, "{recommendation}"),
        }
    }
    let long = "x".repeat(256);
    for (content, expected) in [
        (json!({}), Read::Withdrawn),
        (json!({"reason": "was it"}), Read::Withdrawn),
        (json!({"entity": ""}), Read::Withdrawn),
        (json!({"entity": 7, "recommendation": "m.ban"}), Read::Nameless),
        (json!({"entity": long, "recommendation": "m.ban"}), Read::Nameless),
        (json!({"hashes": {"sha256": "x"}, "recommendation": "m.ban"}), Read::Hashed),
        (json!({"org.matrix.msc4205.hashes": {}, "recommendation": "m.ban"}), Read::Hashed),
        (json!({"entity": "@a:b", "recommendation": ["m.ban"]}), Read::Other),
        (json!([]), Read::Nameless),
        (json!(null), Read::Nameless),
        (json!("m.ban"), Read::Nameless),
    ] {
        assert_eq!(read(&content), expected, "{content}");
    }
    let nobody =
        Read::of(About::Users, "mod", &json!({"entity": "@a:b", "recommendation": "m.ban"}));
    assert_eq!(nobody, Read::Nameless, "nobody has sent it");
}

#[test]
fn reasons_are_cut_and_never_break_a_character() {
    for letter in ["x", "ä", "👾", "\u{202e}"] {
        let reason = letter.repeat(100_000);
        let content = json!({"entity": "@a:b", "recommendation": "m.ban", "reason": reason});
        let Read::Rule(rule) = read(&content) else { panic!("{letter}") };
        let kept = rule.reason.unwrap();
        assert_eq!(kept.raw().chars().count(), 301, "{letter}");
        assert!(kept.raw().ends_with('…'));
    }
}

#[test]
fn only_a_whole_id_of_this_server_names_an_account_here() {
    let own = server_name!("synod.test");
    assert_eq!(rule("@eve:synod.test").local_user(own), Some(owned_user_id!("@eve:synod.test")));
    for other in [
        "@eve:other.test",
        "@eve:synod.test.other.test",
        "@eve:synod.test:8448",
        "eve",
        "@eve",
        "!room:synod.test",
        "#alias:synod.test",
        "@*:synod.test",
        "@ev?:synod.test",
        "@eve:synod.test ",
        "\u{202e}@eve:synod.test",
        "--reason",
        "*",
    ] {
        assert_eq!(rule(other).local_user(own), None, "{other}");
    }
    let room = Rule { about: About::Rooms, ..rule("@eve:synod.test") };
    assert_eq!(room.local_user(own), None, "a rule about rooms names no account");
}

#[test]
fn a_pattern_is_compared_only_where_it_could_fit_an_account_here() {
    let own = server_name!("synod.test");
    let fits = |pattern: &str, id: &str| {
        rule(pattern).pattern(own).is_some_and(|pattern| pattern.fits(id))
    };
    let eve = user_id!("@eve:synod.test").as_str();
    for pattern in
        ["*", "@*", "@*:synod.test", "@e*", "@ev?:synod.test", "*:*", "@*synod.test", "?*"]
    {
        assert!(fits(pattern, eve), "{pattern}");
    }
    for pattern in
        ["@*:other.test", "*:matrix.org", "@spam*", "@eve", "@*:synod.tes", "@*x:synod.test"]
    {
        assert!(!fits(pattern, eve), "{pattern}");
    }
    let elsewhere = rule("@*:other.test");
    assert!(elsewhere.pattern(own).is_none(), "nothing is looked up for it");
    let slow = rule(&"*a".repeat(40));
    assert!(slow.pattern(own).is_none() && slow.is_too_complicated());
    let rooms = Rule { about: About::Rooms, ..rule("!*:other.test") };
    assert!(rooms.pattern(own).is_some(), "rooms of other servers are known here too");
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store"), Timestamp::UNIX_EPOCH).unwrap().store;
    (dir, store)
}

fn key(state_key: &str) -> RuleKey {
    let event_type = "m.policy.rule.user".to_owned();
    RuleKey { event_type, state_key: state_key.to_owned() }
}

#[tokio::test]
async fn what_was_decided_about_rules_is_done_after_a_crash_too_and_state_keys_hold_anything() {
    let (_dir, store) = store();
    let lists = PolicyLists::new(&store).unwrap();
    let mut fits = Few::default();
    fits.push("@eve:synod.test");
    let kept =
        Kept { rule: rule("@eve:synod.test"), since: Timestamp::UNIX_EPOCH, fits: Some(fits) };
    let hostile = "\n\nother\u{0}\n";
    let mut list = List {
        pending: vec![(key("a"), Some(kept.clone())), (key(hostile), Some(kept.clone()))],
        ..List::default()
    };
    // Cut off behind the first write: all of it is in that.
    lists.lists.put("#bans:x.test", &list).unwrap();
    assert!(lists.rules("#bans:x.test").unwrap().is_empty());
    let mut again = lists.list("#bans:x.test").unwrap().unwrap();
    assert_eq!(again, list);
    lists.settle("#bans:x.test", &mut again).await.unwrap();
    let expected: BTreeMap<RuleKey, Kept> =
        [(key("a"), kept.clone()), (key(hostile), kept.clone())].into();
    assert_eq!(lists.rules("#bans:x.test").unwrap(), expected);
    assert!(lists.was_named("@eve:synod.test").unwrap());
    assert!(!lists.was_named("@sam:synod.test").unwrap());
    // Another list whose name begins alike has none of them.
    assert!(lists.rules("#bans:x").unwrap().is_empty());
    list.pending = vec![(key("a"), None)];
    lists.keep("#bans:x.test", &mut list).await.unwrap();
    assert!(list.pending.is_empty());
    assert_eq!(lists.rules("#bans:x.test").unwrap(), [(key(hostile), kept)].into());
}

#[tokio::test]
async fn whoever_is_erased_is_forgotten() {
    let (_dir, store) = store();
    let lists = PolicyLists::new(&store).unwrap();
    let eve = owned_user_id!("@eve:synod.test");
    let let_go =
        LetGo { by: owned_user_id!("@ann:synod.test"), at: Timestamp::UNIX_EPOCH, number: 7 };
    lists.keep_let_go(eve.as_str(), &let_go).await.unwrap();
    assert_eq!(lists.let_go(eve.as_str()).unwrap(), Some(let_go));
    lists.forget([&eve].into_iter()).await.unwrap();
    assert_eq!(lists.let_go(eve.as_str()).unwrap(), None);
}
