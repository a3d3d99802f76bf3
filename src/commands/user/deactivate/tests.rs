use super::{super::testing, *};
use crate::commands::user::testing::{account, ann};

fn seen(other: Value, devices: u64, rooms: u64, media: u64) -> Snapshot {
    let account = account(other);
    let mut seen = testing::snapshot_of(&account);
    seen.preconditions.insert("erased".to_owned(), json!(account.erased));
    for (key, count) in [("devices", devices), ("rooms", rooms), ("media", media)] {
        seen.extra.insert(key.to_owned(), json!(count));
    }
    seen.extra.insert("sign-on".to_owned(), json!(account.external_ids.len()));
    seen
}

fn verb(typed: &[&str]) -> Deactivate {
    testing::parse::<Typed>(typed).unwrap().deactivate
}

#[test]
fn erasure_asks_for_a_phrase_and_both_are_irreversible() {
    for (typed, erase) in [
        (&["ann"][..], false),
        (&["@ann:example.org", "-e"], true),
        (&["--gdpr-erase", "ann"], true),
    ] {
        let verb = verb(typed);
        assert_eq!((verb.erase, verb.phrase()), (erase, erase));
        assert_eq!((verb.class(1), verb.power()), (Class::Irreversible, Power::Moderate));
    }
    assert!(testing::parse::<Typed>(&[]).is_err());
    assert!(testing::parse::<Typed>(&["ann", "--yes"]).is_err());
}

#[test]
fn the_question_says_what_goes_and_what_stays() {
    let seen = seen(json!({"admin": 1}), 2, 1, 0);
    insta::assert_snapshot!(testing::question(&verb(&["ann"]).question(&ann(), &seen)), @r"
    Deactivate `@ann:example.org`, without erasing
    Lost:
    - 2 devices, with the keys to encrypted messages
    - password, email, phone
    - settings and key backup
    - its place in 1 room, its invitations
    Stays:
    - its messages
    - name and picture
    - its media, of which it has none
    - its server-admin flag
    - its id, which nobody can register again
    ");
    insta::assert_snapshot!(testing::question(&verb(&["ann", "-e"]).question(&ann(), &seen)), @r"
    Deactivate `@ann:example.org` and **ERASE**
    Lost:
    - 2 devices, with the keys to encrypted messages
    - password, email, phone
    - settings and key backup
    - its place in 1 room, its invitations
    - name and picture
    - its messages, for people who join later
    Stays:
    - its messages, for people in the rooms now and on other servers
    - its media, of which it has none
    - its server-admin flag
    - its id, which nobody can register again
    ");
}

#[test]
fn erasing_what_is_deactivated_promises_only_the_erasure() {
    let seen = seen(json!({"deactivated": true}), 0, 0, 3);
    insta::assert_snapshot!(testing::question(&verb(&["ann", "-e"]).question(&ann(), &seen)), @r"
    **ERASE** `@ann:example.org`, deactivated already
    Lost:
    - name and picture
    - its messages, for people who join later
    Stays:
    - its messages, for people in the rooms now and on other servers
    - its media, 3 files
    - its id, which nobody can register again
    ");
}

#[test]
fn unknown_remote_and_deactivated_are_told_apart() {
    let skip =
        |verb: &Deactivate, seen: &Snapshot| testing::skip(&verb.change(&ann(), seen).unwrap_err());
    let plain = verb(&["ann"]);
    let remote =
        Snapshot { preconditions: account::facts_that_bind(false, None), ..Snapshot::default() };
    insta::assert_snapshot!(skip(&plain, &remote), @r"
    Refused · `@ann:example.org` is an account on another server, so this server can only list the rooms that both share
    Try !user membership @ann:example.org
    ");
    let mut unknown =
        Snapshot { preconditions: account::facts_that_bind(true, None), ..Snapshot::default() };
    insta::assert_snapshot!(skip(&plain, &unknown), @"Not found · no such user: `@ann:example.org`");
    unknown.extra.insert("near".to_owned(), json!("an"));
    insta::assert_snapshot!(skip(&plain, &unknown), @r"
    Not found · no such user: `@ann:example.org`
    Try !user search an
    ");
    let deactivated = seen(json!({"deactivated": true}), 0, 0, 0);
    insta::assert_snapshot!(skip(&plain, &deactivated), @r"
    Nothing changed · `@ann:example.org` is already deactivated, and not erased
    Try !user details @ann:example.org
    ");
    let erased = seen(json!({"deactivated": true, "erased": true}), 0, 0, 0);
    insta::assert_snapshot!(skip(&verb(&["ann", "-e"]), &erased), @r"
    Nothing changed · `@ann:example.org` is already deactivated and erased
    Try !user details @ann:example.org
    ");
}

#[test]
fn its_files_go_after_it_and_are_counted_in_the_question() {
    let with = |account: Value, count: u64| {
        let mut seen = seen(account, 0, 0, count);
        delete_user::note(&mut seen, count);
        seen.extra.insert("bytes".to_owned(), json!(1_572_864));
        seen
    };
    let verb = verb(&["ann", "--delete-media"]);
    assert_eq!((verb.class(1), verb.phrase()), (Class::Irreversible, false));
    assert!(self::verb(&["ann", "--delete-media", "-e"]).phrase());
    assert_eq!(verb.amounts_to(), ["media delete-user", "media delete"]);
    for (count, requests) in [(0, 2), (1, 2), (501, 3)] {
        let change = verb.change(&ann(), &with(json!({}), count)).unwrap();
        assert_eq!(change.steps.len(), requests, "{count}");
        assert_eq!(change.steps[0].path.parts()[3], "deactivate", "it uploads nothing more");
        assert!(change.steps[1..].iter().all(|step| step.method == Method::Delete));
        assert_eq!(change.wanted["has_files"], false);
        assert_eq!(change.wanted["deactivated"], true);
    }
    let asked = testing::question(&verb.question(&ann(), &with(json!({}), 3)));
    assert!(
        asked.starts_with(
            "Deactivate `@ann:example.org`, without erasing, and delete its files: **3 files, \
             1.5 MiB**\n"
        ),
        "{asked}"
    );
    assert!(asked.contains("- all that it has uploaded, **3 files, 1.5 MiB**"), "{asked}");
    assert!(!asked.contains("its media"), "{asked}");

    let gone = with(json!({"deactivated": true}), 3);
    let change = verb.change(&ann(), &gone).unwrap();
    assert_eq!(change.steps.len(), 1, "only the files are left to delete");
    let asked = testing::question(&verb.question(&ann(), &gone));
    assert!(asked.starts_with("Delete all files of `@ann:example.org`: **3 files"), "{asked}");
    assert!(!asked.contains("password"), "{asked}");
    let nothing = with(json!({"deactivated": true}), 0);
    let skip = testing::skip(&verb.change(&ann(), &nothing).unwrap_err());
    assert!(skip.starts_with("Nothing changed"), "{skip}");
}

#[test]
fn what_is_left_of_the_files_is_said_with_how_far_it_came() {
    let verb = verb(&["ann", "--delete-media"]);
    let after = |left: u64| {
        let mut seen = seen(json!({"deactivated": 1}), 0, 0, left);
        delete_user::note(&mut seen, left);
        seen
    };
    let answers = [
        Answer { status: 200, body: json!({}) },
        Answer { status: 200, body: json!({"total": 20}) },
    ];
    let told = |left| testing::outcome(&verb.outcome(&ann(), &after(20), &answers, &after(left)));
    assert!(told(0).starts_with("Done · `@ann:example.org` is deactivated"), "{}", told(0));
    assert!(told(0).contains("Files: 20 files deleted, 0 left\n"), "{}", told(0));
    assert!(told(2).starts_with("Done in part · "), "{}", told(2));
    assert!(told(2).contains("Delete the rest: !media delete-user @ann:example.org"));
    assert_eq!(
        testing::line(&files::so_far(&after(500), &answers)),
        "it is deactivated; 20 files deleted, 500 left"
    );
}

#[test]
fn what_is_only_flagged_is_deactivated_again_until_nothing_is_left() {
    let flagged = json!({"deactivated": true, "erased": true, "displayname": null});
    let change = |typed: &[&str], of: &Value, devices, rooms, more: &[(&str, u64)]| {
        let mut seen = seen(of.clone(), devices, rooms, 0);
        for (key, count) in more {
            seen.extra.insert((*key).to_owned(), json!(count));
        }
        verb(typed).change(&ann(), &seen)
    };
    for (devices, rooms, more) in [(1, 0, &[][..]), (0, 1, &[]), (0, 0, &[("addresses", 1)])] {
        let again = change(&["ann"], &flagged, devices, rooms, more).unwrap();
        assert_eq!(again.steps[0].body, json!({"erase": false}));
        let again = change(&["ann", "-e"], &flagged, devices, rooms, more).unwrap();
        assert_eq!(again.steps[0].body, json!({"erase": true}));
    }
    // A name goes only with erasure.
    let named = [("profile", 1)];
    assert!(change(&["ann"], &flagged, 0, 0, &named).is_err());
    assert!(change(&["ann", "-e"], &flagged, 0, 0, &named).is_ok());
    assert!(change(&["ann", "-e"], &flagged, 0, 0, &[]).is_err());
    let still = seen(flagged, 2, 1, 0);
    let asked = testing::question(&verb(&["ann"]).question(&ann(), &still));
    assert!(
        asked.starts_with(
            "Deactivate `@ann:example.org` again, which is flagged so and still has \
             2 devices, 1 room; it is **ERASED** already\nLost:\n- 2 devices"
        ),
        "{asked}"
    );
}

#[test]
fn the_request_rests_on_the_arguments_and_on_nothing_that_the_subject_moves() {
    let verb = verb(&["ann", "-e"]);
    let quiet = seen(json!({}), 1, 2, 3);
    let busy = seen(json!({"displayname": "Other", "last_seen_ts": 1}), 9, 9, 9);
    assert_eq!(quiet.preconditions, busy.preconditions);
    let change = verb.change(&ann(), &quiet).unwrap();
    assert_eq!(change, verb.change(&ann(), &busy).unwrap());
    assert_eq!(change.steps.len(), 1);
    assert_eq!(
        change.steps[0].path.parts(),
        ["_synapse", "admin", "v1", "deactivate", "@ann:example.org"]
    );
    assert_eq!(change.steps[0].body, json!({"erase": true}));
    // A deactivated account is erased on request.
    assert!(verb.change(&ann(), &seen(json!({"deactivated": 1}), 0, 0, 0)).is_ok());
}

#[test]
fn the_outcome_says_what_is_so_and_names_what_remains() {
    let before = seen(json!({"admin": 1}), 2, 1, 3);
    let verb = verb(&["ann"]);
    let after = seen(
        json!({
            "admin": 1, "deactivated": 1,
            "external_ids": [{"auth_provider": "oidc", "external_id": "1"}],
        }),
        0,
        1,
        3,
    );
    insta::assert_snapshot!(testing::outcome(&verb.outcome(&ann(), &before, &[], &after)), @r#"
    Done · `@ann:example.org` is deactivated and **not erased**
    Devices: none left
    Rooms: 1 still to leave; I will say here when that is finished
    Its messages remain; rooms that others here are in: !user membership @ann:example.org
    Its media remain, 3 files: !user media @ann:example.org
    It is still flagged as a server admin: !user modify @ann:example.org --no-admin
    Its sign-on links remain: !user modify @ann:example.org --external-id "" ""
    No undo: Login: `!user reactivate`, then `!user password` for a new password
    Rooms: it must join each again, or be put into each by `!room join`
    Email and phone: they must be added again, see `!user modify` with --threepid
    Sessions, keys to encrypted messages, settings: they do not come back
    "#);
    let after = seen(json!({"deactivated": 1, "erased": 1}), 0, 0, 0);
    insta::assert_snapshot!(testing::outcome(&verb.outcome(&ann(), &before, &[], &after)), @r"
    Done · `@ann:example.org` is deactivated and **ERASED**
    Devices: none left
    Rooms: none left
    Its messages remain; rooms that others here are in: !user membership @ann:example.org
    No undo: Login: `!user reactivate`, then `!user password` for a new password
    Rooms: it must join each again, or be put into each by `!room join`
    Email and phone: they must be added again, see `!user modify` with --threepid
    Name and picture: they must be set again, see `!user modify`
    Sessions, keys to encrypted messages, settings: they do not come back
    ");
}
