//! Who may speak to the bot from a shell of the machine.

use super::*;
use crate::config::tests::difference::differ;

/// The sound file with this section.
fn with(section: &str) -> String {
    SOUND.replacen("state: mine", &format!("state: mine\nshell: {section}"), 1)
}

#[test]
fn accounts_are_named_or_numbered_and_without_the_section_nobody_is_served() {
    let folder = Folder::new();
    assert_eq!(folder.load(SOUND).unwrap().shell, None);
    let section = "{ socket: exec.sock, group: root, operators: { root: \"@ann:example.org\", 1000: \
                   \"@ann:example.org\" } }";
    let shell = folder.load(&with(section)).unwrap().shell.unwrap();
    assert_eq!(shell.socket, Some(folder.0.path().join("exec.sock")));
    assert_eq!(shell.group, Some(0));
    let users: Vec<(u32, &str)> =
        shell.operators.iter().map(|(uid, user)| (*uid, user.as_str())).collect();
    assert_eq!(users, [(0, "@ann:example.org"), (1000, "@ann:example.org")]);
}

#[test]
fn what_is_wrong_in_it_is_told_and_no_key_repeated() {
    let folder = Folder::new();
    for (section, said) in [
        ("{ operators: { nobody-of-this-name: \"@ann:example.org\" } }", "no such account"),
        ("{ operators: { root: \"@bob:example.org\" } }", "not one of the operators"),
        ("{ operators: { root: ann } }", "not a user id"),
        ("{ operators: { root: \"@ann:example.org\", 0: \"@ann:example.org\" } }", "twice"),
        ("{ operators: { 0: \"@ann:example.org\", 0: \"@ann:example.org\" } }", "already"),
        ("{ operators: { syt_Canary: \"@ann:example.org\" } }", "no such account"),
        ("{ operators: { 99999999999: \"@ann:example.org\" } }", "no such account"),
        (
            "{ group: none-of-this-name, operators: { root: \"@ann:example.org\" } }",
            "no such group",
        ),
        ("{ socket: \"~/s\", operators: { root: \"@ann:example.org\" } }", "full path"),
        ("{ group: root }", "this key is missing"),
        ("{ operators: {}, user: root }", "there is no such key"),
    ] {
        let faults = folder.faults(&with(section));
        assert!(faults.iter().any(|fault| fault.contains(said)), "{section}: {faults:#?}");
        assert!(faults.iter().all(|fault| fault.contains("shell")), "{section}: {faults:#?}");
    }
}

#[test]
fn whoever_is_let_in_by_a_shell_makes_it_wider() {
    use Effect::{Narrower, Wider};
    let one = "{ operators: { root: \"@ann:example.org\" } }";
    let two = "{ operators: { root: \"@ann:example.org\", 7: \"@ann:example.org\" } }";
    let group = "{ group: root, operators: { root: \"@ann:example.org\" } }";
    let socket = "{ socket: x, operators: { root: \"@ann:example.org\" } }";
    let found = |was: &str, now: &str| differ(was, now);
    let none = SOUND.to_owned();
    for (was, now, expected) in [
        (none.clone(), with(one), vec![("shell", Wider)]),
        (with(one), none, vec![("shell", Narrower)]),
        (with(one), with(two), vec![("shell.operators", Wider)]),
        (with(two), with(one), vec![("shell.operators", Narrower)]),
        (with(one), with(group), vec![("shell.group", Wider)]),
        (with(group), with(one), vec![("shell.group", Narrower)]),
        (with(one), with(socket), vec![("shell.socket", Narrower)]),
        (with(one), with(one), vec![]),
    ] {
        let found = found(&was, &now);
        let found: Vec<(&str, Effect)> =
            found.iter().map(|(words, effect)| (words.as_str(), *effect)).collect();
        assert_eq!(found, expected);
    }
}
