use proptest::strategy::Strategy;

use super::*;
use crate::commands::user::testing::{self, account, ann, spoken};

fn verb(typed: &[&str]) -> Modify {
    let typed: Vec<&str> =
        std::iter::once("@ann:example.org").chain(typed.iter().copied()).collect();
    testing::parse(&typed).unwrap()
}

fn seen(other: Value) -> Snapshot {
    let account = account(other);
    let mut seen = testing::snapshot_of(&account);
    field::note(&mut seen, &account);
    seen
}

fn nobody() -> Snapshot {
    Snapshot { preconditions: account::facts_that_bind(true, None), ..Snapshot::default() }
}

fn body(typed: &[&str], seen: &Snapshot) -> Value {
    let change = verb(typed).change(&ann(), seen).unwrap();
    assert_eq!(change, verb(typed).change(&ann(), seen).unwrap());
    assert_eq!(change.steps.len(), 1);
    change.steps[0].body.clone()
}

fn skip(typed: &[&str], seen: &Snapshot) -> String {
    testing::skip(&verb(typed).change(&ann(), seen).unwrap_err())
}

#[test]
fn the_dearest_option_decides_what_it_costs_and_takes() {
    use Class::{Disruptive, Irreversible, Reversible};
    use Power::{Account, Moderate};
    for (typed, class, power) in [
        (&["-n", "x"][..], Reversible, Moderate),
        (&["-v", ""], Reversible, Moderate),
        (&["-l"], Reversible, Moderate),
        (&["-L"], Reversible, Moderate),
        (&["-u"], Reversible, Account),
        (&["--user-type", "bot"], Reversible, Account),
        (&["-a"], Disruptive, Account),
        (&["-t", "email", "a@b"], Disruptive, Account),
        (&["--clear-threepids"], Disruptive, Account),
        (&["--external-id", "oidc", "1"], Disruptive, Account),
        (&["-P", "x"], Disruptive, Account),
        (&["-P", "x", "--no-logout"], Disruptive, Account),
        (&["--activate"], Disruptive, Account),
        (&["--create"], Disruptive, Account),
        (&["--deactivate"], Irreversible, Moderate),
        (&["--deactivate", "-a"], Irreversible, Account),
    ] {
        let alone = verb(typed);
        assert_eq!((alone.class(1), alone.power()), (class, power), "{typed:?}");
        if !typed.contains(&"-n") {
            // A harmless option beside it hides nothing.
            let beside: Vec<&str> = typed.iter().copied().chain(["-n", "x"]).collect();
            let beside = verb(&beside);
            assert_eq!((beside.class(1), beside.power()), (class, power), "{typed:?}");
        }
    }
    assert_eq!(verb(&["-n", "x"]).class(2), Disruptive);
}

#[test]
fn contradictions_and_nothing_at_all_are_not_understood() {
    for typed in [
        &["ann"][..],
        &["ann", "-a", "-u"],
        &["ann", "-l", "-L"],
        &["ann", "--activate", "--deactivate"],
        &["ann", "--deactivate", "-l"],
        &["ann", "--deactivate", "-P", "x"],
        &["ann", "--create", "-l"],
        &["ann", "--create", "--deactivate"],
        &["ann", "-t", "email"],
        &["ann", "-t", "email", "a@b", "--clear-threepids"],
        &["ann", "-n", "x", "--no-logout"],
        &["ann", "-p", "-P", "x"],
        &["ann", "-v", "https://example.org/cat.png"],
        &["ann", "-P", ""],
    ] {
        assert!(testing::parse::<Modify>(typed).is_err(), "{typed:?}");
    }
    assert!(!format!("{:?}", verb(&["-P", "hunter2"])).contains("hunter2"));
    assert_eq!(verb(&["-P", "hunter2"]).typed()[0].1.expose_secret(), "hunter2");
}

#[test]
fn the_request_says_what_was_typed_and_nothing_else() {
    let ann = seen(json!({}));
    for (typed, expected) in [
        (&["-n", "New", "-v", ""][..], json!({"displayname": "New", "avatar_url": ""})),
        (&["-a", "-l"], json!({"admin": true, "locked": true})),
        (&["-l"], json!({"locked": true})),
        (&["--user-type", "bot"], json!({"user_type": "bot"})),
        (&["--deactivate"], json!({"deactivated": true})),
        (
            &["-t", "email", "B@C", "-t", "email", "a@b"],
            json!({"threepids": [
                {"medium": "email", "address": "a@b"}, {"medium": "email", "address": "b@c"},
            ]}),
        ),
        (
            &["--external-id", "oidc", "1"],
            json!({"external_ids": [{"auth_provider": "oidc", "external_id": "1"}]}),
        ),
        (
            &["-P", "hunter2", "--no-logout"],
            json!({"password": {"$secret": "password"}, "logout_devices": false}),
        ),
        (&["-P", "x"], json!({"password": {"$secret": "password"}, "logout_devices": true})),
    ] {
        assert_eq!(body(typed, &ann), expected, "{typed:?}");
    }
    let bot =
        seen(json!({"user_type": "bot", "threepids": [{"medium": "email", "address": "a@b"}]}));
    assert_eq!(body(&["--user-type", "regular"], &bot), json!({"user_type": null}));
    assert_eq!(body(&["--clear-threepids"], &bot), json!({"threepids": []}));
    assert_eq!(body(&["-t", "", ""], &bot), json!({"threepids": []}));
}

#[test]
fn the_subject_cannot_move_what_binds() {
    let (quiet, busy) = (
        seen(json!({})),
        seen(json!({
            "displayname": "Other", "avatar_url": "mxc://x/y", "last_seen_ts": 1,
            "threepids": [{"medium": "email", "address": "a@b"}],
        })),
    );
    assert_eq!(quiet.preconditions, busy.preconditions);
    assert_eq!(body(&["-n", "New", "-a"], &quiet), body(&["-n", "New", "-a"], &busy));
}

#[test]
fn nothing_is_created_by_a_typo_and_nothing_created_twice() {
    insta::assert_snapshot!(skip(&["-n", "x"], &nobody()), @"Not found · no such user: `@ann:example.org`; to create it, add `--create`");
    insta::assert_snapshot!(skip(&["-n", "x", "--create"], &seen(json!({}))), @r"
    Refused · `@ann:example.org` already exists, so it is not created
    Try !user details @ann:example.org
    ");
    assert_eq!(body(&["-n", "x", "--create"], &nobody()), json!({"displayname": "x"}));
    assert_eq!(body(&["--create"], &nobody()), json!({}));
    let remote =
        Snapshot { preconditions: account::facts_that_bind(false, None), ..Snapshot::default() };
    assert!(skip(&["--create"], &remote).contains("another server"));
    let capitals = Subject::User("@Ann:example.org".try_into().unwrap());
    let refused = verb(&["--create"]).change(&capitals, &nobody()).unwrap_err();
    insta::assert_snapshot!(testing::skip(&refused), @"Not understood · `@Ann:example.org` cannot be the id of a new account: use only a-z, 0-9 and . _ = - / +");
}

#[test]
fn what_is_so_already_or_cannot_be_is_said_and_not_sent() {
    insta::assert_snapshot!(skip(&["-n", "Ann Lee", "-u", "-L"], &seen(json!({}))), @r"
    Nothing changed · `@ann:example.org` already is as you want it
    Try !user details @ann:example.org
    ");
    let deactivated = seen(json!({"deactivated": true}));
    insta::assert_snapshot!(skip(&["-l"], &deactivated), @"Refused · `@ann:example.org` is deactivated, so there is nothing to lock");
    insta::assert_snapshot!(skip(&["-P", "x"], &deactivated), @r"
    Refused · `@ann:example.org` is deactivated, so a password does not help
    Try !user modify @ann:example.org --activate
    ");
    assert!(verb(&["-P", "x", "--activate"]).change(&ann(), &deactivated).is_ok());
    assert!(verb(&["-P", "x"]).change(&ann(), &seen(json!({}))).is_ok());
}

#[test]
fn old_and_new_stand_side_by_side_before_anything_is_done() {
    let seen = seen(json!({
        "avatar_url": "mxc://example.org/cat", "user_type": "bot",
        "threepids": [{"medium": "email", "address": "ann@example.org"}],
    }));
    let verb = verb(&[
        "-n",
        "New",
        "-v",
        "",
        "--user-type",
        "regular",
        "-a",
        "-L",
        "-t",
        "email",
        "new@example.org",
        "--external-id",
        "oidc",
        "ann",
    ]);
    let facts: Vec<Fact> = verb.fields().iter().map(|field| field.asked(&seen)).collect();
    insta::assert_snapshot!(testing::facts(&facts), @r"
    Display name: “Ann Lee” → “New”
    Picture: “mxc://example.org/cat” → none
    Type: “bot” → regular
    Server admin: no → yes
    Locked: no, as it is
    Mail and telephone: “email” “a…@e…” → “email” “new@example.org”
    Sign-on: none → “oidc” “ann”
    ");
    insta::assert_snapshot!(testing::question(&verb.question(&ann(), &seen)), @"Change `@ann:example.org`");
}

#[test]
fn questions_say_what_goes() {
    let asked =
        |typed: &[&str], seen: &Snapshot| testing::question(&verb(typed).question(&ann(), seen));
    insta::assert_snapshot!(asked(&["-P", "x", "-n", "New"], &seen(json!({}))), @r"
    Change `@ann:example.org`
    Lost:
    - its present password
    - its sessions: every device is logged out
    ");
    insta::assert_snapshot!(asked(&["--activate"], &seen(json!({"deactivated": true}))), @"Change `@ann:example.org`; what it lost when it was deactivated does not come back");
    insta::assert_snapshot!(asked(&["--create"], &nobody()), @"Create `@ann:example.org`");
    insta::assert_snapshot!(asked(&["--deactivate", "-n", "New"], &seen(json!({}))), @r"
    Deactivate `@ann:example.org`, without erasing, and changed as below
    Lost:
    - devices, with the keys to encrypted messages
    - password, email, phone
    - settings and key backup
    - its place in rooms, its invitations
    Stays:
    - its messages
    - name and picture
    - its media
    - its id, which nobody can register again
    ");
}

#[test]
fn the_outcome_tells_per_field_what_the_homeserver_really_applied() {
    let before = seen(json!({}));
    let told = |typed: &[&str], before: &Snapshot, after: Value| {
        testing::outcome(&verb(typed).outcome(&ann(), before, &[], &seen(after)))
    };
    let typed = ["-n", "New", "-l", "--user-type", "bot"];
    let all = json!({"displayname": "New", "locked": true, "user_type": "bot"});
    insta::assert_snapshot!(told(&typed, &before, all), @r#"
    Done · `@ann:example.org` is changed
    Display name: “Ann Lee” → “New”
    Type: regular → “bot”
    Locked: no → yes
    Undo: !user modify @ann:example.org "--display-name=Ann Lee" --user-type=regular --unlock
    "#);
    insta::assert_snapshot!(told(&typed, &before, json!({"displayname": "New"})), @r#"
    Done in part · `@ann:example.org`: the homeserver reported success, but not everything is as it should be
    Display name: “Ann Lee” → “New”
    Type: **not applied**: still regular
    Locked: **not applied**: still no
    Undo: !user modify @ann:example.org "--display-name=Ann Lee" --user-type=regular --unlock
    "#);
    insta::assert_snapshot!(told(&["-n", "New"], &before, json!({})), @r#"
    Nothing changed · `@ann:example.org`: the homeserver reported success, but not everything is as it should be
    Display name: **not applied**: still “Ann Lee”
    Undo: !user modify @ann:example.org "--display-name=Ann Lee"
    "#);
    insta::assert_snapshot!(told(&["--create", "-n", "New"], &nobody(), json!({"displayname": "New"})), @r"
    Done · `@ann:example.org` is created
    Display name: “New”
    It has no password yet: !user password @ann:example.org
    Undo: !user deactivate @ann:example.org
    ");
    insta::assert_snapshot!(told(&["-P", "x", "-a"], &before, json!({})), @r"
    Done in part · `@ann:example.org`: the homeserver reported success, but not everything is as it should be
    Server admin: **not applied**: still no
    Password: set, as typed
    Devices: cannot be looked up
    This restores everything but the password: !user modify @ann:example.org --no-admin
    No undo: nobody here knows the old password; user password sets a new one
    ");
    insta::assert_snapshot!(told(&["--deactivate"], &before, json!({"deactivated": true, "admin": 1})), @r"
    Done · `@ann:example.org` is deactivated and **not erased**
    Deactivated: no → yes
    Devices: cannot be looked up
    Rooms: cannot be looked up
    Its messages remain; rooms that others here are in: !user membership @ann:example.org
    Its media remain: !user media @ann:example.org
    It is still flagged as a server admin: !user modify @ann:example.org --no-admin
    No undo: Login: `!user reactivate`, then `!user password` for a new password
    Rooms: it must join each again, or be put into each by `!room join`
    Email and phone: they must be added again, see `!user modify` with --threepid
    Sessions, keys to encrypted messages, settings: they do not come back
    ");
    let deactivated = seen(json!({"deactivated": true}));
    insta::assert_snapshot!(told(&["--activate"], &deactivated, json!({})), @r"
    Done · `@ann:example.org` is changed
    Deactivated: yes → no
    It has no password yet: !user password @ann:example.org
    Undo: !user modify @ann:example.org --deactivate
    ");
}

#[test]
fn the_undo_puts_back_what_was_there() {
    let before = seen(json!({
        "displayname": "-x", "avatar_url": null, "user_type": "support", "admin": 1, "locked": true,
        "threepids": [{"medium": "email", "address": "a@b"}, {"medium": "msisdn", "address": "49"}],
    }));
    let all = verb(&[
        "-n",
        "New",
        "-v",
        "mxc://x/y",
        "--user-type",
        "bot",
        "-u",
        "-L",
        "--clear-threepids",
        "--external-id",
        "oidc",
        "1",
    ]);
    let Undo::Command(words) = all.undo(&ann(), &before) else { panic!("there is an undo") };
    insta::assert_snapshot!(spoken(&words), @r#"user modify @ann:example.org --display-name=-x --avatar-url= --user-type=support --admin --lock --threepid email a@b --threepid msisdn 49 --external-id "" """#);
    // What the undo asks for is what was there.
    let typed: Vec<&str> = words.iter().skip(3).map(String::as_str).collect();
    assert!(verb(&typed).fields().iter().all(|field| field.is_so(&before)));
    // What was so before is not touched by it.
    let one = verb(&["--display-name=-x", "-u"]).undo(&ann(), &before);
    let erased = seen(json!({"deactivated": true, "erased": true}));
    assert_eq!(
        verb(&["--activate"]).undo(&ann(), &erased),
        Undo::Command(account::words(["user", "deactivate", "@ann:example.org", "--gdpr-erase"]))
    );
    assert_eq!(
        one,
        Undo::Command(account::words(["user", "modify", "@ann:example.org", "--admin"]))
    );
}

#[test]
fn addresses_come_in_pairs() {
    let pairs = |typed: &[&str]| {
        field::pairs(&typed.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(pairs(&["", ""]), Ok(Vec::new()));
    assert!(pairs(&["email", ""]).is_err());
    assert!(pairs(&["", "a@b"]).is_err());
    assert!(pairs(&["", "", "email", "a@b"]).is_err());
}

/// A text that somebody else may have chosen.
fn odd() -> impl Strategy<Value = String> {
    use proptest::prelude::*;
    prop_oneof![any::<String>(), "-{0,2}[ -~]{0,12}", Just("--admin".to_owned())]
}

proptest::proptest! {
    /// Whatever was there before, the words of the undo put back just that, or there is no undo.
    #[test]
    fn an_undo_puts_back_what_was_there_whatever_it_is(
        name in odd(), kind in odd().prop_filter("none", |kind| !matches!(kind.as_str(), "" | "regular")), first in odd(), second in odd(),
    ) {
        let before = seen(json!({
            "displayname": name,
            "avatar_url": "mxc://example.org/-x",
            "user_type": kind,
            "threepids": [{ "medium": first, "address": second }],
            "external_ids": [{ "auth_provider": second, "external_id": first }],
        }));
        for typed in [
            &["--display-name", "Other"][..],
            &["--user-type", "other"],
            &["--clear-threepids"],
            &["--external-id", "one", "other"],
        ] {
            let verb = verb(typed);
            let Undo::Command(words) = verb.undo(&ann(), &before) else { continue };
            let words: Vec<&str> = words.iter().skip(2).map(String::as_str).collect();
            let back = testing::parse::<Modify>(&words).map(|back| back.fields());
            let wanted: Vec<Field> =
                verb.fields().iter().filter_map(|field| field.seen(&before)).collect();
            proptest::prop_assert_eq!(back, Ok(wanted), "{:?}", words);
        }
    }
}
