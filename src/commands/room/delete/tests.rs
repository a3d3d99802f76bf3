use super::{
    super::{deletion::Deletion, known::testing::lobby},
    files::FREE,
    progress::failed,
    *,
};
use crate::{
    change::{Method, Undo},
    commands::user::testing,
    reply::Status,
};

fn verb(typed: &[&str]) -> Delete {
    testing::parse(typed).unwrap()
}

fn seen(exists: bool, blocked: bool) -> Snapshot {
    let preconditions = [("exists", exists), ("blocked", blocked)];
    let preconditions = preconditions.map(|(key, value)| (key.to_owned(), json!(value)));
    Snapshot { preconditions: preconditions.into(), ..Snapshot::default() }
}

fn body(typed: &[&str], seen: &Snapshot) -> Value {
    let change = verb(typed).change(&lobby(), seen).unwrap();
    assert!(change.steps.iter().all(|step| step.reveals.is_empty()) && change.wanted.is_empty());
    change.steps.last().unwrap().body.clone()
}

#[test]
fn it_purges_unless_told_not_to_and_says_nothing_of_a_room_that_is_not_wanted() {
    let there = seen(true, false);
    for (typed, wanted) in [
        (&["!lobby:example.org"][..], json!({ "block": false, "purge": true })),
        (&["!lobby:example.org", "--v1", "-b"], json!({ "block": true, "purge": true })),
        (&["#lobby:example.org", "--no-purge"], json!({ "block": false, "purge": false })),
        (
            &["!lobby:example.org", "--force-purge"],
            json!({ "block": false, "purge": true, "force_purge": true }),
        ),
    ] {
        assert_eq!(body(typed, &there), wanted, "{typed:?}");
    }
    for typed in [
        &[][..],
        &["lobby"],
        &["!lobby:example.org", "--no-purge", "--force-purge"],
        &["!lobby:example.org", "-m", "bye"],
        &["!lobby:example.org", "-n", "Closed"],
    ] {
        assert!(testing::parse::<Delete>(typed).is_err(), "{typed:?}");
    }
    let verb = verb(&["!lobby:example.org"]);
    assert_eq!((verb.class(1), verb.power()), (Class::Irreversible, Power::Moderate));
    assert!(verb.phrase());
}

#[test]
fn a_new_room_has_a_neutral_message_unless_another_is_typed() {
    let mut there = seen(true, false);
    there.extra.insert("new_room_user_id".to_owned(), json!("@ann:example.org"));
    let typed = ["!lobby:example.org", "-u", "ann"];
    let neutral = body(&typed, &there);
    assert_eq!(neutral["message"], MESSAGE);
    assert_eq!(
        (&neutral["room_name"], &neutral["new_room_user_id"]),
        (&json!(NAME), &json!("@ann:example.org"))
    );
    let maker = verb(&typed);
    assert_eq!(maker.power(), Power::Account, "somebody else is made to speak");
    assert_eq!(maker.amounts_to(), ["room join", "notice send"]);
    assert_eq!(maker.reaches(&lobby(), &there), [testing::ann()], "the gate hears of them");
    let own = body(&[&typed[..], &["-m", "bye", "-n", "Gone"]].concat(), &there);
    assert_eq!((&own["message"], &own["room_name"]), (&json!("bye"), &json!("Gone")));
}

#[test]
fn files_go_into_quarantine_before_the_room_goes() {
    let typed = ["!lobby:example.org", "--quarantine-media"];
    let change = verb(&typed).change(&lobby(), &seen(true, false)).unwrap();
    let paths: Vec<_> = change.steps.iter().map(|step| step.path.parts().join("/")).collect();
    assert_eq!(
        paths,
        [
            "_synapse/admin/v1/room/!lobby:example.org/media/quarantine",
            "_synapse/admin/v2/rooms/!lobby:example.org"
        ]
    );
    assert_eq!(change.steps[1].method, Method::Delete);
    assert!(!change.steps[1].idempotent, "begun twice it would be told as failed");
}

#[test]
fn what_it_does_besides_has_a_way_back_and_takes_back_nothing_else() {
    let undo = |typed: &[&str], free: Value, blocked| {
        let mut before = seen(true, blocked);
        before.extra.insert(FREE.to_owned(), free);
        verb(&[&["!lobby:example.org"], typed].concat()).how.undo(&lobby(), &before)
    };
    let ways = |undo: &Undo| -> Vec<String> {
        undo.commands().iter().map(|words| words.join(" ")).collect()
    };
    let all = undo(&["-b", "--quarantine-media"], json!(["mxc://a/1", "mxc://b/2"]), false);
    let unblock = "room unblock !lobby:example.org";
    assert_eq!(ways(&all), [unblock, "media unquarantine mxc://a/1 mxc://b/2"]);
    assert!(matches!(&all, Undo::Parts(_, rest) if rest.contains("other servers still have it")));
    // What was so before stays so.
    assert!(ways(&undo(&["-b"], Value::Null, true)).is_empty());
    assert!(ways(&undo(&["--quarantine-media"], json!([]), false)).is_empty());
    assert!(ways(&undo(&[], json!(["mxc://a/1"]), false)).is_empty());
    let many = undo(&["-b", "--quarantine-media"], Value::Null, false);
    assert_eq!(ways(&many), [unblock]);
    assert!(matches!(&many, Undo::Parts(_, rest) if rest.contains("too many")), "{many:?}");
}

#[test]
fn what_is_not_there_or_goes_already_is_not_deleted() {
    let verb = verb(&["!lobby:example.org"]);
    let unknown = verb.change(&lobby(), &seen(false, false)).unwrap_err();
    assert_eq!(unknown.status, Status::NotFound);
    assert_eq!(unknown.instead, ["room block !lobby:example.org"]);
    let mut goes = seen(true, false);
    goes.extra.insert("running".to_owned(), json!("OYlTuHpFZrIgClwz"));
    let goes = verb.change(&lobby(), &goes).unwrap_err();
    assert_eq!(goes.status, Status::NothingChanged);
    assert_eq!(goes.instead, ["room delete-status -d OYlTuHpFZrIgClwz"]);
}

#[test]
fn the_question_says_whether_it_will_be_blocked_and_what_stays() {
    let asked = |typed: &[&str], blocked| {
        testing::question(&verb(typed).question(&lobby(), &seen(true, blocked)))
    };
    let bare = asked(&["!lobby:example.org"], false);
    assert!(bare.contains("NOT BLOCKED") && bare.contains("--quarantine-media"), "{bare}");
    assert!(bare.contains("on other servers"), "{bare}");
    for (typed, blocked) in
        [(&["!lobby:example.org", "-b"][..], false), (&["!lobby:example.org"], true)]
    {
        let text = asked(typed, blocked);
        assert!(text.contains("BLOCKED") && !text.contains("NOT BLOCKED"), "{text}");
    }
    let put_out = asked(&["!lobby:example.org", "--no-purge"], false);
    assert!(put_out.starts_with("Put everybody of this server out of"), "{put_out}");
}

#[test]
fn of_what_failed_each_part_is_told() {
    let deletion = |done: Value| -> Deletion {
        let answered = json!({ "delete_id": "abc", "status": "failed", "shutdown_room": done });
        serde_json::from_value(answered).unwrap()
    };
    let nobody = json!({ "kicked_users": [], "failed_to_kick_users": ["@eve:example.org"] });
    let some = json!({ "kicked_users": ["@ann:example.org"], "failed_to_kick_users": [] });
    for (typed, done, blocked, said) in [
        (&[][..], &Value::Null, false, &["Failed · ", "Nothing was changed"][..]),
        // It was blocked before.
        (&[], &nobody, true, &["Failed · ", "Nothing was changed"]),
        (&["-b"], &Value::Null, true, &["Done in part · ", "What was done: it is blocked"]),
        (&["-b"], &nobody, true, &["Done in part · ", "What was done: it is blocked"]),
        (&["-b"], &nobody, false, &["Failed · "]),
        (&["--quarantine-media"], &nobody, false, &["Done in part · ", "are in quarantine"]),
        (&["-b"], &some, true, &["Done in part · ", "it is blocked, 1 member is removed"]),
    ] {
        let how = verb(&[&["!lobby:example.org"], typed].concat()).how;
        let parts = how.parts(&deletion(done.clone()), blocked);
        let told = testing::outcome(&failed(Line::from("it failed"), &parts));
        for part in said {
            assert!(told.contains(part), "{typed:?} {done}: {told}");
        }
    }
}

#[test]
fn what_was_begun_is_watched_by_its_task() {
    let answers = [Answer { status: 200, body: json!({ "delete_id": "OYlTuHpFZrIgClwz" }) }];
    let verb = verb(&["!lobby:example.org"]);
    assert_eq!(verb.begins(&lobby(), &answers, None).as_deref(), Some("OYlTuHpFZrIgClwz"));
    assert_eq!(verb.begins(&lobby(), &[], None), None);
    let told =
        testing::outcome(&verb.outcome(&lobby(), &seen(true, false), &answers, &seen(true, false)));
    assert!(told.contains("has started; I will say here"), "{told}");
    assert!(told.contains("!room delete-status -d OYlTuHpFZrIgClwz"), "{told}");
    assert!(told.contains("No undo:"), "{told}");
}
