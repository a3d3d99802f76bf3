//! What holds for every verb there is, found by walking the registry.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use ruma::owned_user_id;
use serde_json::json;

use crate::{
    change::{Class, Power, Snapshot, Subject, Undo},
    commands::{Action, Does},
    operators::Rank,
    pipeline::inbound::understand::*,
    reply::{Layout, Status},
};

mod generated;
mod pages;
mod refusals;

fn words(line: &str) -> Vec<String> {
    match hear(&format!("!{line}"), None, &is_first_word) {
        Heard::Command(command) => command.words,
        other => panic!("{line} is not heard as a command: {other:?}"),
    }
}

fn examples() -> impl Iterator<Item = (&'static Group, &'static Spec, &'static str)> {
    GROUPS.iter().flat_map(|group| {
        group
            .verbs
            .iter()
            .flat_map(move |verb| verb.examples.iter().map(move |&e| (group, verb, e)))
    })
}

/// What a command costs and takes; reading costs nothing.
fn weight(words: &[String]) -> Option<(Option<Class>, Power)> {
    match understand(words) {
        Understood::Command(Ask::Read(query), _) => Some((None, query.power())),
        Understood::Command(Ask::Change(action), _) => {
            Some((Some(action.class(1)), action.power()))
        }
        Understood::Own(..) | Understood::Reply(_) => None,
    }
}

#[test]
fn claps_own_checks_pass() {
    root().debug_assert();
}

#[test]
fn every_verb_has_help_and_examples_that_are_its_own() {
    for group in GROUPS {
        assert!(!group.about.is_empty(), "{} says what it is about", group.name);
        for verb in group.verbs {
            let name = group.words(verb);
            let command = verb.command();
            assert!(command.get_about().is_some(), "{name} says what it does");
            assert!(!verb.examples.is_empty(), "{name} has an example");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{name}: {} has help", argument.get_id());
            }
        }
    }
    let mut either: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for (group, verb, example) in examples() {
        let heard = words(example);
        let named = group.words(verb);
        assert_eq!(heard[..named.split(' ').count()].join(" "), named, "{example}");
        match understand(&heard) {
            Understood::Command(ask, _) => match verb.does {
                Does::Look => assert!(matches!(ask, Ask::Read(_)), "{example} looks"),
                Does::Change => assert!(matches!(ask, Ask::Change(_)), "{example} changes"),
                Does::Either => {
                    let name = group.words(verb);
                    either.entry(name).or_default().insert(matches!(ask, Ask::Change(_)));
                }
            },
            other => panic!("{example} does not parse: {other:?}"),
        }
    }
    for (name, ways) in either {
        assert_eq!(ways.len(), 2, "{name} has an example that looks and one that changes");
    }
    for own in OWN {
        assert!(own.command().get_about().is_some(), "{} says what it does", own.name);
        for example in own.examples {
            assert!(matches!(understand(&words(example)), Understood::Own(..)), "{example}");
        }
    }
}

#[test]
fn names_are_lower_case_and_no_two_are_alike() {
    let mut seen = BTreeSet::new();
    let first = GROUPS.iter().map(|g| g.name).chain(OWN.iter().map(|own| own.name));
    for name in first {
        assert!(seen.insert(name.to_owned()), "{name} is used twice");
    }
    for group in GROUPS {
        for name in group.verbs.iter().flat_map(|v| v.aliases.iter().chain([&v.name])) {
            assert!(seen.insert(format!("{} {name}", group.name)), "{name} is used twice");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
        }
    }
}

#[test]
fn class_and_power_of_each_example() {
    let table: Vec<String> = examples()
        .map(|(_, _, example)| {
            let (class, power) = weight(&words(example)).unwrap();
            let class =
                class.map_or("read".to_owned(), |class| format!("{class:?}").to_lowercase());
            format!("{class:<13} {:<12} {example}", format!("{power:?}").to_lowercase())
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"));
}

/// Each option of a verb with a value that it takes, as words.
fn options(verb: &Spec, base: &[String]) -> Vec<Vec<String>> {
    const VALUES: &[&str] = &[
        "x",
        "7",
        "1",
        "@eve:x.test",
        "!room:x.test",
        "2030-01-01",
        "3d",
        "4102444800000",
        "email",
        "mxc://x.test/a",
        "bot",
        "name",
        "500KiB",
    ];
    let command = verb.command();
    let named = command.get_arguments().filter(|argument| {
        argument.get_long().is_some_and(|long| long != "help") || argument.get_short().is_some()
    });
    named
        .filter_map(|argument| {
            let flag = match (argument.get_long(), argument.get_short()) {
                (Some(long), _) => format!("--{long}"),
                (None, Some(short)) => format!("-{short}"),
                (None, None) => return None,
            };
            let values = if argument.get_action().takes_values() {
                argument.get_num_args().map_or(1, |range| range.min_values())
            } else {
                0
            };
            let fitting = VALUES.iter().map(|value| {
                let value = std::iter::repeat_n((*value).to_owned(), values);
                std::iter::once(flag.clone()).chain(value).collect::<Vec<String>>()
            });
            // An option that only goes with another one is met in a pair with it.
            fitting.into_iter().find(|option| {
                weight(&[base, option].concat()).is_some()
                    || matches!(understand(&[base, option].concat()), Understood::Command(..))
            })
        })
        .collect()
}

#[test]
fn no_option_hides_a_higher_class_or_power() {
    let mut pairs = 0;
    for (group, verb, _) in examples().filter(|(_, verb, example)| verb.examples[0] == *example) {
        // The plainest form: group, verb, and what stands without an option.
        let heard = words(verb.examples[0]);
        let plain: Vec<String> =
            heard.iter().take_while(|word| !word.starts_with('-')).cloned().collect();
        let options = options(verb, &plain);
        for one in &options {
            let Some(alone) = weight(&[&plain[..], one].concat()) else { continue };
            for other in options.iter().filter(|other| *other != one) {
                let Some(both) = weight(&[&plain[..], one, other].concat()) else { continue };
                pairs += 1;
                let name = format!("{} {one:?} {other:?}", group.words(verb));
                assert!(both.0 >= alone.0, "{name}: class {:?} hides {:?}", both.0, alone.0);
                assert!(
                    Rank::with(both.1) >= Rank::with(alone.1),
                    "{name}: power {:?} hides {:?}",
                    both.1,
                    alone.1
                );
            }
        }
    }
    assert!(pairs > 100, "the walk meets many pairs of options: {pairs}");
}

#[test]
fn what_a_verb_would_send_follows_from_what_was_seen_alone() {
    let eve = ruma::owned_user_id!("@eve:x.test");
    let seen = Snapshot {
        preconditions: [
            ("exists", true),
            ("admin", false),
            ("deactivated", false),
            ("suspended", false),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect(),
        ..Snapshot::default()
    };
    for (_, _, example) in examples() {
        let action = || -> Option<Box<dyn Action>> {
            match understand(&words(example)) {
                Understood::Command(Ask::Change(action), _) => Some(action),
                _ => None,
            }
        };
        let (Some(one), Some(other)) = (action(), action()) else { continue };
        let subject = Subject::User(eve.clone());
        let same = match (one.change(&subject, &seen), other.change(&subject, &seen)) {
            (Ok(one), Ok(other)) => one == other,
            (Err(one), Err(other)) => one.why == other.why,
            _ => false,
        };
        assert!(same, "{example}");
    }
}

fn text(reply: &Reply) -> String {
    let drawn = reply.draw(Layout::default());
    drawn.into_iter().map(|drawn| drawn.body).collect::<Vec<_>>().join("\n")
}

fn reply(line: &str) -> String {
    match understand(&words(line)) {
        Understood::Reply(reply) => text(&reply),
        other => panic!("{line} was understood: {other:?}"),
    }
}

#[test]
fn a_mistake_is_answered_with_one_sentence_and_a_whole_command_below_it() {
    let mistyped = reply("user detials @eve:x.test");
    assert!(mistyped.contains("!user details @eve:x.test"), "{mistyped}");
    let group = reply("usr details @eve:x.test");
    assert!(group.contains("!user details @eve:x.test"), "{group}");
    let option = reply("user deactivate @eve:x.test --gdpr-erasee");
    assert!(option.contains("!user deactivate @eve:x.test --gdpr-erase"), "{option}");
    assert!(option.lines().count() < 4, "never a wall: {option}");
    let missing = reply("user deactivate");
    let whole = "Not understood · whom? For example:\n\n!user deactivate @ann:example.org";
    assert_eq!(missing, whole);
    let skipper = reply("user deactivate @eve:x.test --yes");
    assert!(skipper.contains("does not exist here"), "{skipper}");
}

/// Each command without any word that it takes, and with an option that no command has.
#[test]
fn whatever_is_mistyped_is_answered_with_a_sentence_and_commands_that_can_be_sent() {
    let mut asked = 0;
    for verb in verbs() {
        for typed in [verb.clone(), format!("{verb} --no-such-option")] {
            let typed = words(&typed);
            let Understood::Reply(reply) = understand(&typed) else { continue };
            let said = text(&reply);
            // A group alone is answered with its help.
            let Some(status) = reply.status else { continue };
            assert_eq!(status, Status::NotUnderstood, "{said}");
            let (sentence, commands) = said.split_once("\n\n").unwrap_or_else(|| panic!("{said}"));
            assert!(!sentence.contains(['<', '>', '\n']) && sentence.ends_with(':'), "{said}");
            assert!(!sentence.contains("Usage") && !sentence.contains("..."), "{said}");
            // What is only put right may still lack a word.
            let whole = commands.lines().filter(|_| !sentence.contains("Did you mean"));
            for command in whole {
                let words = words(command.trim_start_matches('!'));
                let found = understand(&words);
                assert!(!matches!(found, Understood::Reply(_)), "{typed:?}: {said}");
            }
            asked += usize::from(sentence.contains('?'));
        }
    }
    assert!(asked > 60, "{asked} ask for what is missing");
}

#[test]
fn what_is_missing_is_asked_for_in_the_words_of_its_command() {
    for (typed, asked) in [
        ("user suspend", "whom? For example:\n\n!user suspend @ann:example.org"),
        ("room details", "which room? For example:\n\n!room details #lobby:example.org"),
        ("event details", "which event? For example:\n\n!event details $"),
        ("device delete @eve:x.test", "which device? For example:\n\n!device delete "),
        ("regtok details", "which registration token? For example:\n\n!regtok details "),
        ("job stop", "which number? For example:\n\n!job stop 17"),
        ("user suspend @eve:x.test --for", "--for needs a value. For example:\n\n!user suspend "),
        ("user list --limit many", "many will not do for --limit: write a whole number"),
        ("user details @eve:x.test now", "now is one word too many for !user details; put a text"),
        ("user details --bogus", "--bogus is no option of !user details. What it takes:\n\n!help"),
        (
            "user frobnicate",
            "there is no command !user frobnicate. Did you mean:\n\n!user details frobnicate\n\
             All its commands: !help user",
        ),
        ("case 12", "there is no command !case 12. Did you mean:\n\n!case show 12\nAll its"),
        (
            "room #a:b.test",
            "there is no command !room #a:b.test. Did you mean:\n\n!room details #a:b",
        ),
        ("audit 12", "there is no command !audit 12. Did you mean:\n\n!audit show 12\nAll its"),
        ("device x", "there is no command !device x. Its commands:\n\n!help device"),
        ("xyzzy", "there is no command !xyzzy. All commands:\n\n!help"),
    ] {
        let words: Vec<String> = typed.split(' ').map(str::to_owned).collect();
        let Understood::Reply(reply) = understand(&words) else { panic!("{typed}") };
        let said = text(&reply);
        assert!(said.starts_with(&format!("Not understood · {asked}")), "{typed}: {said}");
    }
}

#[test]
fn help_is_for_everything_a_group_and_one_command_in_both_forms() {
    let all = text(&help(&[], None));
    assert!(all.contains("!user") && all.contains("confirm"), "{all}");
    let none = text(&help(&["nosuch".into(), "word".into()], None));
    assert!(none.contains("there is no command"), "{none}");
    let one = reply("user deactivate --help");
    assert!(one.contains("--gdpr-erase") && one.contains("For example"), "{one}");
    let group = reply("user");
    assert!(group.contains("!user deactivate"), "{group}");
}

#[test]
fn help_and_suggestions_show_only_what_the_role_may_do() {
    let viewer = Role::from(Rank::Viewer);
    let text = |reply: &Reply| reply.markdown(&Layout::default());
    let all = text(&help(&[], Some(&viewer)));
    assert!(all.contains("details") && all.contains("!me"), "{all}");
    assert!(!all.contains("deactivate") && !all.contains("!freeze"), "{all}");
    let group = text(&help(&words("user"), Some(&viewer)));
    assert!(group.contains("!user details") && !group.contains("!user suspend"), "{group}");
    let one = text(&help(&words("user suspend"), Some(&viewer)));
    assert!(one.contains("Your role does not let you send this"), "{one}");
    for (rank, offered) in [(Rank::Viewer, false), (Rank::Moderator, true)] {
        let typed = words("user sspend @x");
        let parsed = parse(&typed);
        let Understood::Reply(reply) = understand_for(&typed, parsed, &rank.into()) else {
            panic!("there is no such command");
        };
        assert_eq!(text(&reply).contains("!user suspend @x"), offered, "{reply:?}");
    }
}

#[test]
fn every_example_of_every_verb_says_what_it_takes() {
    for name in TAKES.keys() {
        assert!(!TAKES[name].is_empty(), "{name} is listed for nobody");
    }
    assert_eq!(
        TAKES.len(),
        GROUPS.iter().map(|group| group.verbs.len()).sum::<usize>() + OWN.len()
    );
}

#[test]
fn what_is_typed_freely_may_begin_like_an_option() {
    for typed in [
        "confirm 4821 -uPKjv",
        "confirm 4821 -hPKjv",
        "confirm 4821 --PKjv 123456",
        "approve 4821 -fPKjv 123456",
        "deny 4821 - ask them first",
        "note @ann:example.org --- see the ticket",
    ] {
        let words: Vec<String> = typed.split(' ').map(str::to_owned).collect();
        assert!(matches!(understand(&words), Understood::Own(..)), "{typed}");
        let help = [words[0].clone(), "--help".to_owned()];
        assert!(matches!(understand(&help), Understood::Reply(_)), "{typed}");
    }
}

#[test]
fn what_a_verb_amounts_to_is_a_verb() {
    let there = verbs();
    let mut named = 0;
    for (_, _, example) in examples() {
        if let Understood::Command(Ask::Change(action), _) = understand(&words(example)) {
            for verb in action.amounts_to() {
                assert!(there.iter().any(|one| one == verb), "{example} amounts to {verb}");
                named += 1;
            }
        }
    }
    assert!(named > 1, "user modify amounts to several");
}

/// What somebody else may have chosen as a name.
fn odd() -> impl Strategy<Value = String> {
    let listed = [
        "",
        "-x",
        "-",
        "--",
        "--reason",
        "--reason=x",
        "-n",
        "!user",
        "@a:b",
        "# x",
        "a\nb",
        "a\u{200b}b",
        "\u{202e}x",
        "\"",
        "'",
        "`",
        "a \"b\" 'c' `d`",
        "\\",
        "=",
        "x=y",
        "–for",
        "“x”",
    ];
    let listed = listed.map(str::to_owned).to_vec();
    prop_oneof![proptest::sample::select(listed), any::<String>(), "-[ -~]{0,12}", "[ -~]{0,90}"]
}

/// Where in what was seen a value stands that somebody else has chosen.
const CHOSEN: [&str; 6] = ["name", "displayname", "avatar_url", "user_type", "topic", "alias"];

/// An account, room, file, device and token of which everything is as odd as it can be.
fn subjects_called(odd: &str) -> Vec<Subject> {
    let device = Subject::Device(owned_user_id!("@eve:x.test"), odd.into());
    let fixed = [
        Subject::User(owned_user_id!("@eve:x.test")),
        Subject::Room("!-b:x.test".try_into().unwrap()),
        Subject::Media("x.test".try_into().unwrap(), "-abc".into()),
    ];
    let token = Subject::Token(
        odd.chars().filter(|c| c.is_ascii_alphanumeric() || "._~-".contains(*c)).collect(),
    );
    let token = Some(token).filter(|token| !token.to_string().is_empty());
    let device = Some(device).filter(|_| !odd.is_empty());
    fixed.into_iter().chain(device).chain(token).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever the subjects of a change are called, the words of its undo are a change again, and
    /// the same one when somebody copies them from the room.
    #[test]
    fn the_words_of_an_undo_are_understood_whatever_others_have_chosen(odd in odd()) {
        let pairs = |kind: &str, value: &str| json!([{ kind: odd, value: odd }]);
        let mut seen = Snapshot {
            preconditions: [("exists", true), ("device", true), ("local", true)]
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.into()))
                .collect(),
            ..Snapshot::default()
        };
        for key in CHOSEN {
            seen.extra.insert(key.to_owned(), json!(odd));
        }
        seen.extra.insert("threepids".to_owned(), pairs("medium", "address"));
        seen.extra.insert("external_ids".to_owned(), pairs("auth_provider", "external_id"));
        let mut found = 0;
        for (_, _, example) in examples() {
            // What it takes back is what is another than before.
            if example.starts_with("user experimental") {
                continue;
            }
            let Understood::Command(Ask::Change(action), _) = understand(&words(example)) else {
                continue;
            };
            let kind = match words(example)[0].as_str() {
                "user" => 0,
                "room" => 1,
                "media" => 2,
                "device" => 3,
                "regtok" => 4,
                _ => continue,
            };
            let all = subjects_called(&odd);
            let is_kind = |subject: &&Subject| match subject {
                Subject::User(_) => kind == 0,
                Subject::Room(_) => kind == 1,
                Subject::Media(..) => kind == 2,
                Subject::Device(..) => kind == 3,
                Subject::Token(_) => kind == 4,
                _ => false,
            };
            let Some(subject) = all.iter().find(is_kind) else { continue };
            let outcome = action.outcome(subject, &seen, &[], &seen);
            let Undo::Command(undo) = outcome.undo else { continue };
            found += 1;
            prop_assert!(
                matches!(understand(&undo), Understood::Command(Ask::Change(_), _)),
                "{example}: {undo:?}"
            );
            let plain: Vec<String> = undo
                .iter()
                .map(|word| word.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
                .collect();
            let Heard::Command(copied) = hear(&crate::input::quote(&undo), None, &is_first_word)
            else {
                return Err(TestCaseError::fail(format!("{example}: {undo:?} cannot be copied")));
            };
            prop_assert_eq!(copied.words, plain);
        }
        prop_assert!(found > 12, "only {found} undos");
    }
}
