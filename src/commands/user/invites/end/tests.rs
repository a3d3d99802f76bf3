//! What is sent, said and refused.

use super::{super::super::testing, *};

const ROOM: &str = "!lobby:example.org";

fn lobby() -> Subject {
    Subject::Room(ROOM.try_into().unwrap())
}

fn user(name: &str) -> OwnedUserId {
    OwnedUserId::try_from(format!("@{name}:example.org")).unwrap()
}

fn verb(way: Way) -> End {
    End { user: "ann".parse().unwrap(), way }
}

/// What is seen of the lobby, to which ann has invited these; of them these can be removed by whom, and
/// these acted for.
fn seen(
    way: Way,
    invited: &[&str],
    levels: Value,
    inside: (bool, bool),
    local: &[&str],
) -> Snapshot {
    let all = |names: &[&str]| names.iter().map(|name| user(name)).collect::<Vec<_>>();
    let actors = Actors {
        sender: (user("ann"), inside.0),
        keeper: (user("keeper"), inside.1),
        removers: Removers::made(levels),
        local: all(local),
    };
    let mut seen = Snapshot::default();
    seen.preconditions.insert("exists".to_owned(), json!(true));
    seen.preconditions.insert("locked".to_owned(), json!(false));
    seen.note_now(testing::now());
    note(&mut seen, way, &all(invited), &actors);
    seen
}

fn paths(change: &Change) -> Vec<String> {
    let last = |step: &Step| step.path.parts().last().cloned().unwrap_or_default();
    change.steps.iter().map(last).collect()
}

fn equal() -> Value {
    json!({"users": {"@ann:example.org": 100, "@bob:example.org": 100}})
}

#[test]
fn whoever_has_sent_them_withdraws_them_where_the_keeper_cannot() {
    let verb = verb(Way::Withdraw);
    assert_eq!((verb.class(1), verb.power()), (Class::Disruptive, Power::Account));
    let levels = json!({"users": {"@ann:example.org": 100, "@keeper:example.org": 100}});
    let own = seen(Way::Withdraw, &["bob", "tom"], levels.clone(), (true, false), &[]);
    let change = verb.change(&lobby(), &own).unwrap();
    assert_eq!(change, verb.change(&lobby(), &own).unwrap());
    assert_eq!(paths(&change), ["login", "kick", "kick", "logout"], "one token for both");
    let slot = Some("token of @ann:example.org");
    assert!(change.steps[1..].iter().all(|step| step.bearer.as_deref() == slot));
    assert_eq!(change.steps[2].body, json!({"user_id": "@tom:example.org"}));
    assert_eq!(change.wanted, FactMap::from([(OPEN.to_owned(), json!([]))]));
    assert_eq!(verb.reaches(&lobby(), &own), [Subject::User(user("ann"))]);

    let by_keeper = seen(Way::Withdraw, &["bob", "tom"], levels, (true, true), &[]);
    let change = verb.change(&lobby(), &by_keeper).unwrap();
    assert_eq!(paths(&change), ["kick", "kick"], "nobody is taken over for nothing");
    assert!(change.steps.iter().all(|step| step.bearer.is_none()));
}

#[test]
fn whoever_is_invited_with_the_same_power_can_only_decline() {
    let (withdraw, reject) = (verb(Way::Withdraw), verb(Way::Reject));
    let found = seen(Way::Withdraw, &["bob"], equal(), (true, false), &[]);
    let told = testing::skip(&withdraw.change(&lobby(), &found).unwrap_err());
    assert!(told.starts_with("Refused · neither `@ann:example.org` nor the account"), "{told}");
    assert!(told.contains("Try !user invites @ann:example.org --reject"), "{told}");

    let found = seen(Way::Reject, &["bob", "tom"], equal(), (true, false), &["bob"]);
    let change = reject.change(&lobby(), &found).unwrap();
    assert_eq!(paths(&change), ["login", "leave", "logout"]);
    assert_eq!(change.steps[1].bearer.as_deref(), Some("token of @bob:example.org"));
    assert_eq!(change.wanted[OPEN], json!(["@tom:example.org"]));
    let reached = reject.reaches(&lobby(), &found);
    assert_eq!(reached, [Subject::User(user("ann")), Subject::User(user("bob"))]);
    let nobody = seen(Way::Reject, &["tom"], equal(), (true, false), &[]);
    let told = testing::skip(&reject.change(&lobby(), &nobody).unwrap_err());
    assert!(told.contains("in whose name I can act"), "{told}");
}

#[test]
fn so_many_of_a_room_end_at_once_and_the_rest_is_told() {
    let verb = verb(Way::Withdraw);
    let names: Vec<String> = (10..35).map(|n| format!("u{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let levels = json!({"users": {"@ann:example.org": 100}});
    let before = seen(Way::Withdraw, &names, levels.clone(), (true, false), &[]);
    let change = verb.change(&lobby(), &before).unwrap();
    assert_eq!(change.steps.len(), MOST + 2);
    assert_eq!(change.wanted[OPEN].as_array().map(Vec::len), Some(5));
    let after = seen(Way::Withdraw, &names[20..], levels.clone(), (true, false), &[]);
    let told = testing::outcome(&verb.outcome(&lobby(), &before, &[], &after));
    assert!(told.starts_with("Done in part · `!lobby:example.org`: 20 invitations of"), "{told}");
    assert!(
        told.contains("To end the others: !user invites @ann:example.org --withdraw"),
        "{told}"
    );

    let few = seen(Way::Withdraw, &["bob"], levels.clone(), (true, false), &[]);
    let none = seen(Way::Withdraw, &[], levels, (true, false), &[]);
    let told = testing::outcome(&verb.outcome(&lobby(), &few, &[], &none));
    assert_eq!(
        told,
        "Done · `!lobby:example.org`: 1 invitation of `@ann:example.org` withdrawn\n\
         Were invited: `@bob:example.org`\n\
         No undo: @ann:example.org can invite the same people again"
    );
    let gone = verb.change(&lobby(), &none).unwrap_err();
    assert!(testing::skip(&gone).starts_with("Nothing changed · "));
}

#[test]
fn the_question_says_how_many_and_in_whose_name() {
    let verb = verb(Way::Reject);
    let seen = seen(Way::Reject, &["bob"], equal(), (true, false), &["bob"]);
    let asked = testing::question(&verb.question(&lobby(), &seen));
    let title = "Decline 1 invitation of `@ann:example.org` to `!lobby:example.org`\n";
    assert!(asked.starts_with(title), "{asked}");
    let how: Vec<String> = seen.shown_as(&["How"]).map(|(_, how)| testing::line(&how)).collect();
    assert!(how[0].contains("takes the account over for a moment"), "{how:?}");
}

#[test]
fn a_locked_account_withdraws_nothing() {
    let levels = json!({"users": {"@ann:example.org": 100}});
    let actors = Actors {
        sender: (user("ann"), true),
        keeper: (user("keeper"), false),
        removers: Removers::made(levels),
        local: Vec::new(),
    };
    let mut seen = Snapshot::default();
    for key in ["exists", "locked"] {
        seen.preconditions.insert(key.to_owned(), json!(true));
    }
    note(&mut seen, Way::Withdraw, &[user("bob")], &actors);
    let told = testing::skip(&verb(Way::Withdraw).change(&lobby(), &seen).unwrap_err());
    assert!(told.contains("is locked") && told.contains("--reject"), "{told}");
}
