//! In what one config differs from another, and whether it gives anybody more.

use super::*;

/// The words of every difference between these files.
pub(super) fn differ(was: &str, now: &str) -> Vec<(String, Effect)> {
    let folder = Folder::new();
    let (was, now) = (folder.load(was).unwrap(), folder.load(now).unwrap());
    was.differences(&now).iter().map(|one| (one.to_string(), one.effect)).collect()
}

/// The words of every difference between the sound file and the same with this put in its place.
fn differences(changes: &[(&str, &str)]) -> Vec<(String, Effect)> {
    let folder = Folder::new();
    folder.file("other", "syt_Canary_other", 0o600);
    let was = folder.load(TWO).unwrap();
    let text = changes.iter().fold(TWO.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replacen(old, new, 1)
    });
    let now = folder.load(&text).unwrap();
    was.differences(&now).iter().map(|one| (one.to_string(), one.effect)).collect()
}

const TWO: &str = r##"
read_only: false
homeserver:
  url: https://matrix.example.org
  admin_token: { file: secret }
bot:
  user_id: "@synod:example.org"
  password: { env: TOKEN }
state: mine
rooms: ["#admins:example.org"]
operators:
  - { user_id: "@ann:example.org", role: admin }
  - { user_id: "@bob:example.org", role: admin }
  - { user_id: "@moe:example.org", role: moderator }
questions: { expire_after: 10min, rules: [{ class: irreversible, others: 1 }] }
"##;

#[test]
fn what_is_not_known_to_be_narrower_counts_as_wider() {
    use Effect::{AtStart, Narrower, Wider};
    let moe = r#"{ user_id: "@moe:example.org", role: moderator }"#;
    for (old, new, expected) in [
        ("read_only: false", "read_only: true", [("read_only", Narrower)].as_slice()),
        ("expire_after: 10min", "expire_after: 1min", &[("questions.expire_after", Narrower)]),
        ("expire_after: 10min", "expire_after: 1h", &[("questions.expire_after", Wider)]),
        ("rules: [", "rules: [{ power: account, others: 1 }, ", &[("questions.rules", Narrower)]),
        ("others: 1 }", "others: 2 }", &[("questions.rules", Wider)]),
        ("expire_after: 10min", "reactions: false", &[("questions.reactions", Narrower)]),
        ("expire_after: 10min", "unreviewed: 3", &[("questions.unreviewed", Narrower)]),
        ("expire_after: 10min", "unreviewed: 30", &[("questions.unreviewed", Wider)]),
        ("expire_after: 10min", "alone: true", &[("questions.alone", Wider)]),
        ("expire_after: 10min", "reason: '^T'", &[("questions.reason", Narrower)]),
        (
            "url: https://matrix",
            "url: https://other",
            &[("homeserver.url", AtStart), ("homeserver.admin_url", Wider)],
        ),
        (
            "state: mine",
            "state: mine\nmonitoring: { listen: 127.0.0.1:9464 }",
            &[("monitoring", AtStart)],
        ),
        ("state: mine", "state: yours", &[("state", AtStart), ("recovery_key_file", AtStart)]),
        (
            "admin_token: { file: secret }",
            "admin_token: { file: secret }\n  admin_token_expires: 2027-01-31",
            &[("homeserver.admin_token_expires", Narrower)],
        ),
        (
            "admin_token: { file: secret }",
            "admin_token: { file: secret }\n  media_admin_url: https://media.example.org",
            &[("homeserver.media_admin_url", Wider)],
        ),
        ("{ file: secret }", "{ file: other }", &[("homeserver.admin_token", Wider)]),
        ("@synod:example.org", "@nomad:example.org", &[("bot", AtStart)]),
        ("#admins", "#others", &[("rooms", Wider)]),
        (
            "role: moderator",
            "role: viewer",
            &[("operators @moe:example.org: role: moderator before, viewer now", Narrower)],
        ),
        (
            "role: moderator",
            "role: admin",
            &[("operators @moe:example.org: role: moderator before, admin now", Wider)],
        ),
        (
            "role: moderator",
            "role: moderator, person: ann",
            &[("operators @moe:example.org: different person", Wider)],
        ),
        // Who is no longer an operator is not protected as one.
        (moe, "", &[("operators @moe:example.org: gone", Wider)]),
        (
            "@bob",
            "@eve",
            &[
                ("operators @eve:example.org: new, as admin", Wider),
                ("operators @bob:example.org: gone", Wider),
            ],
        ),
        (
            "state: mine",
            "state: mine\nlayout: list\nlog: debug",
            &[("layout", Narrower), ("log", Narrower)],
        ),
        (
            "state: mine",
            "state: mine\nprotected: { bridged: phrase, operators: refused }",
            &[("protected.operators", Narrower), ("protected.bridged", Wider)],
        ),
        (
            "state: mine",
            "state: mine\nrecord: { keep_details: 9, file: rec }",
            &[("record.file", Narrower), ("record.keep_details", Wider)],
        ),
        (
            "state: mine",
            "state: mine\ncommands: { max_age: 1min, typed_secrets: true }",
            &[("commands.max_age", Narrower), ("commands.typed_secrets", Wider)],
        ),
    ] {
        let new = if new.is_empty() { String::new() } else { new.to_owned() };
        let old = if new.is_empty() { format!("  - {old}\n") } else { old.to_owned() };
        let found = differences(&[(&old, &new)]);
        let found: Vec<(&str, Effect)> =
            found.iter().map(|(words, effect)| (words.as_str(), *effect)).collect();
        assert_eq!(found, expected, "{old} -> {new}");
    }
    assert_eq!(differences(&[]), []);
}

#[test]
fn a_role_of_ones_own_is_narrower_where_nothing_is_added_to_it() {
    let roles = |role: &str| {
        let roles = format!("roles: [{{ name: spam, {role} }}]\nstate: mine");
        let folder = Folder::new();
        let text =
            TWO.replacen("state: mine", &roles, 1).replacen("role: moderator", "role: spam", 1);
        folder.load(&text).unwrap().operators[2].role.clone()
    };
    let all = "powers: [look, moderate]";
    let some = "powers: [look, moderate], verbs: [\"user *\"], not_on: [\"@staff*\"]";
    for (now, was, within) in [
        (all, all, true),
        (some, all, true),
        (all, some, false),
        ("powers: [look]", all, true),
        (all, "powers: [look]", false),
        ("powers: [look, moderate], verbs: [\"user *\", \"room block\"]", some, false),
        (
            "powers: [look, moderate], on: [\"@a*\"]",
            "powers: [look, moderate], on: [\"@b*\"]",
            false,
        ),
    ] {
        assert_eq!(roles(now).is_within(&roles(was)), within, "{now} in {was}");
    }
}
