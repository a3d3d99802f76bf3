use super::{
    actor::Hindered,
    moment::{Moment, tests::event},
    *,
};
use crate::{commands::user::testing, reply::Status};

const ID: &str = "$one";

fn subject_by(user: &str) -> Subject {
    Subject::Event(user.try_into().unwrap(), ID.try_into().unwrap())
}

fn subject() -> Subject {
    subject_by("@ann:example.org")
}

fn verb(typed: &[&str]) -> Redact {
    testing::parse(&[&[ID][..], typed].concat()).unwrap()
}

fn itself() -> Actor {
    Actor { user: "@ann:example.org".try_into().unwrap(), itself: true, hindered: None }
}

fn keeper(hindered: Option<Hindered>) -> Actor {
    Actor { user: "@admin:example.org".try_into().unwrap(), itself: false, hindered }
}

/// What was seen of the event, whose fields `other` replaces, with what its sender sent besides.
fn seen(other: Value, same: Vec<Event>, around: Vec<Event>) -> Snapshot {
    let moment = Moment { event: event(ID, other), same, around, complete: true };
    let noted = Noted::new("!lobby:example.org".try_into().unwrap(), &moment);
    kept(&Noted { actor: Some(itself()), ..noted })
}

fn kept(noted: &Noted) -> Snapshot {
    let mut seen = Snapshot::default();
    seen.preconditions.insert("exists".to_owned(), json!(true));
    noted.keep(&mut seen);
    seen
}

fn redacted() -> Value {
    json!({"unsigned": {"redacted_because": {"sender": "@ann:example.org"}}})
}

fn skip(seen: &Snapshot) -> String {
    testing::skip(&verb(&[]).change(&subject(), seen).unwrap_err())
}

fn told(before: &Snapshot, after: &Noted) -> String {
    testing::outcome(&verb(&[]).outcome(&subject(), before, &[], &kept(after)))
}

#[test]
fn it_asks_for_the_one_millisecond_and_for_no_more_than_was_seen_there() {
    let verb = verb(&["--reason", "Spam and more"]);
    assert_eq!((verb.class(1), verb.power()), (Class::Irreversible, Power::Moderate));
    let left = json!({"type": "m.room.member", "content": {"membership": "leave"}});
    let same = vec![event("$two", json!({})), event("$three", left)];
    let change = verb.change(&subject(), &seen(json!({}), same, Vec::new())).unwrap();
    let [step] = change.steps.as_slice() else { panic!("{change:?}") };
    assert_eq!(
        step.path.parts(),
        ["_synapse", "admin", "v1", "user", "@ann:example.org", "redact"]
    );
    assert!(!step.idempotent, "twice makes two tasks");
    assert_eq!(
        step.body,
        json!({
            "rooms": ["!lobby:example.org"], "after_ts": 1_795_183_200_000_i64,
            "before_ts": 1_795_183_200_000_i64, "limit": 3, "reason": "Spam and more",
        })
    );
    let alone = seen(json!({}), Vec::new(), Vec::new());
    let reached = verb.reaches(&subject(), &alone);
    assert_eq!(reached, [Subject::Room("!lobby:example.org".try_into().unwrap())]);
}

#[test]
fn what_the_homeserver_does_not_redact_for_others_is_refused_with_the_reason() {
    let of = |kind: &str, more: Value| {
        let mut other = json!({ "type": kind });
        other.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        skip(&seen(other, Vec::new(), Vec::new()))
    };
    for kind in ["m.reaction", "m.sticker"] {
        let told = of(kind, json!({}));
        assert!(told.starts_with(&format!("Refused · `$one` is “{kind}”, and the homeserver")));
        assert!(told.contains("can remove it in their client"), "{told}");
        assert!(told.ends_with("Try !room power-levels !lobby:example.org"), "{told}");
    }
    let topic = of("m.room.topic", json!({"state_key": ""}));
    assert!(topic.contains("sets “m.room.topic” of the room") && topic.contains("set it anew"));
    let ban = of("m.room.member", json!({"state_key": "@x:y", "content": {"membership": "ban"}}));
    assert!(ban.contains("a change of membership, “ban”"), "{ban}");
    assert!(of("m.room.redaction", json!({})).contains("is a redaction itself"));
    let join = json!({"type": "m.room.member", "state_key": "@ann:example.org",
                      "content": {"membership": "join"}});
    let join = seen(join, Vec::new(), Vec::new());
    assert!(verb(&[]).change(&subject(), &join).is_ok());
    let asked = testing::question(&verb(&[]).question(&subject(), &join));
    assert!(asked.contains("the name and picture that it showed when it joined"), "{asked}");
    assert!(asked.contains("nobody leaves the room by it"), "{asked}");
}

#[test]
fn what_has_no_time_of_its_own_is_not_redacted_by_it() {
    for sent in [json!(0), json!(null), json!("soon")] {
        let told = skip(&seen(json!({ "origin_server_ts": sent }), Vec::new(), Vec::new()));
        assert!(told.starts_with("Refused · `$one` has no time"), "{told}");
    }
    let before_1970 = seen(json!({"origin_server_ts": -5}), Vec::new(), Vec::new());
    let change = verb(&[]).change(&subject(), &before_1970).unwrap();
    assert_eq!(change.steps[0].body["before_ts"], -5);
}

#[test]
fn what_is_redacted_or_gone_is_said_and_not_asked_for_again() {
    let gone = seen(redacted(), Vec::new(), Vec::new());
    assert_eq!(skip(&gone), "Nothing changed · `$one` is already redacted, by `@ann:example.org`");
    let mut nowhere = Snapshot::default();
    nowhere.preconditions.insert("exists".to_owned(), json!(false));
    assert_eq!(skip(&nowhere), "Not found · `$one` is in no room here, or not any more");
}

#[test]
fn for_somebody_of_another_server_the_keeper_must_have_been_there_with_power() {
    let bob = subject_by("@bob:b.example");
    let with = |hindered| {
        let seen = seen(json!({"sender": "@bob:b.example"}), Vec::new(), Vec::new());
        let noted = Noted { actor: Some(keeper(hindered)), ..Noted::of(&seen) };
        verb(&[]).change(&bob, &kept(&noted))
    };
    assert!(with(None).is_ok());
    let outside = testing::skip(&with(Some(Hindered::Outside)).unwrap_err());
    assert!(
        outside.starts_with(
            "Refused · `@admin:example.org` was not in `!lobby:example.org` when this was sent"
        ),
        "{outside}"
    );
    let weak = with(Some(Hindered::Weak { has: 0, takes: 50 })).unwrap_err();
    assert!(testing::skip(&weak).contains("had the power 0 in"), "{weak:?}");
    assert!(testing::line(&keeper(None).line()).contains("the account of my admin token"));
}

#[test]
fn the_question_names_the_event_and_says_what_would_go_with_it() {
    let edited = json!({"unsigned": {"m.relations": {"m.replace": {"event_id": "$edit"}}}});
    let alone = seen(edited, Vec::new(), Vec::new());
    let asked = testing::question(&verb(&[]).question(&subject(), &alone));
    assert!(
        asked.starts_with(
            "Redact `$one` by `@ann:example.org` in `!lobby:example.org`\nLost:\n- its content, \
             for everybody\nStays:\n- redaction is not erasure"
        ),
        "{asked}"
    );
    assert!(asked.contains("that is the event `$edit`"), "{asked}");
    assert!(verb(&[]).warnings(&subject(), &alone).is_empty());

    let same = vec![event("$two", json!({})), event("$gone", redacted())];
    let two = seen(json!({}), same, Vec::new());
    let asked = testing::question(&verb(&[]).question(&subject(), &two));
    assert!(asked.contains("`!lobby:example.org`, and with it **1 other event**\n"), "{asked}");
    assert!(asked.contains("- the same of `$two`, sent in the same millisecond"), "{asked}");
    assert!(!asked.contains("$gone"), "{asked}");
    assert_ne!(alone.preconditions, two.preconditions, "what goes with it binds");

    let part = kept(&Noted { complete: false, ..Noted::of(&alone) });
    let [warning] = verb(&[]).warnings(&subject(), &part).try_into().unwrap();
    assert!(testing::line(&warning).contains("redacted **in its place**"), "{warning:?}");
}

#[test]
fn the_outcome_says_by_whom_and_what_of_the_rest_is_as_it_was() {
    let later = |id: &str| event(id, json!({"origin_server_ts": 1_795_183_200_001_i64}));
    let before =
        seen(json!({}), vec![event("$two", json!({}))], vec![later("$three"), later("$four")]);
    let after = Noted {
        redacted_by: Some("@ann:example.org".to_owned()),
        gone: vec!["$two".to_owned()],
        task: Some(Task::told("complete", &[])),
        ..Noted::of(&before)
    };
    insta::assert_snapshot!(told(&before, &after), @r"
    Done · `$one` is redacted: it is empty for everybody
    Redacted by: `@ann:example.org`
    Sent by: `@ann:example.org`
    Room: `!lobby:example.org`
    Redacted with it: `$two`
    Not touched: 2 events of the same sender before and after it are as they were
    Mind: redaction is not erasure: the homeserver keeps the content for a while, and other servers may ignore it
    No undo: a redacted event stays empty for everybody
    ");
    let more = Noted { gone: vec!["$two".to_owned(), "$four".to_owned()], ..after };
    let more = told(&before, &more);
    assert!(more.contains("Redacted meanwhile: `$four`, **which nobody asked me for**"), "{more}");
}

#[test]
fn what_is_not_through_is_followed_and_what_failed_is_said() {
    let before = seen(json!({}), Vec::new(), Vec::new());
    let with = |task: Task| Noted { task: Some(task), ..Noted::of(&before) };
    let begun = |task: Task| {
        let answer = Answer { status: 200, body: json!({"redact_id": "WByXcIMN"}) };
        verb(&[]).begins(&subject(), &[answer], Some(&kept(&with(task))))
    };
    let running = Task::told("active", &[]);
    assert_eq!(begun(running.clone()).as_deref(), Some("WByXcIMN"));
    let said = told(&before, &with(running));
    assert!(said.starts_with("Done · `$one` is not redacted yet; the homeserver has started"));
    assert!(said.contains("See how far it is: !user redact-status WByXcIMN"), "{said}");

    let failed = Task::told("complete", &[(ID, "403: You don't have permission")]);
    assert_eq!(begun(failed.clone()), None);
    let said = told(&before, &with(failed));
    assert!(
        said.starts_with(
            "Failed · `$one` is not redacted: the homeserver says “403: You don't have permission”"
        ),
        "{said}"
    );
    let left = told(&before, &with(Task::told("complete", &[])));
    assert!(left.contains("says that it is through, and has left it as it was"), "{left}");
    let outcome =
        verb(&[]).outcome(&subject(), &before, &[], &kept(&with(Task::told("failed", &[]))));
    assert_eq!(outcome.status, Status::Failed);
}
