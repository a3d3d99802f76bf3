use ruma::user_id;

use super::*;
use crate::input::{Heard, Misread, Reason, hear_in};

fn is_group(word: &str) -> bool {
    matches!(word, "user" | "room" | "help" | "confirm" | "stop")
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap_or_else(|unfit| panic!("{text:?}: {unfit}"))
}

fn heard(with: &str, body: &str, html: Option<&str>) -> Heard {
    hear_in(&prefix(with), Some(user_id!("@synod:x.org")), body, html, &is_group)
}

fn words(with: &str, body: &str) -> String {
    match heard(with, body, None) {
        Heard::Command(command) => command.words.join("|"),
        other => panic!("{with:?} {body:?}: {other:?}"),
    }
}

#[test]
fn what_can_be_a_prefix() {
    for fit in ["!", ".", "?", "%", "&", "=", "!s ", ".s ", "!synod ", "?s2 ", "&abcdefgh "] {
        assert_eq!(prefix(fit).to_string(), fit);
        let typed = prefix(fit).typed("!user list");
        assert_eq!(typed, format!("{fit}user list"));
    }
    for (unfit, why) in [
        ("", Unfit::Sign),
        (" ", Unfit::Sign),
        (" !", Unfit::Sign),
        ("s", Unfit::Sign),
        ("synod", Unfit::Sign),
        ("synod ", Unfit::Sign),
        ("/", Unfit::Sign),
        ("*", Unfit::Sign),
        ("_", Unfit::Sign),
        ("`", Unfit::Sign),
        ("\\", Unfit::Sign),
        ("#", Unfit::Sign),
        ("@", Unfit::Sign),
        ("$", Unfit::Sign),
        (">", Unfit::Sign),
        ("-", Unfit::Sign),
        ("\"", Unfit::Sign),
        ("\u{FF01}", Unfit::Sign),
        ("!s", Unfit::Space),
        ("!synod", Unfit::Space),
        ("!!", Unfit::Name),
        ("..", Unfit::Name),
        ("! ", Unfit::Name),
        ("!  ", Unfit::Name),
        ("!s  ", Unfit::Name),
        ("!S ", Unfit::Name),
        ("!s. ", Unfit::Name),
        ("!1 ", Unfit::Name),
        ("!a b ", Unfit::Name),
        ("!*s ", Unfit::Name),
        ("!abcdefghi ", Unfit::Name),
        ("!ä ", Unfit::Name),
    ] {
        assert_eq!(unfit.parse::<Prefix>(), Err(why), "{unfit:?}");
    }
}

#[test]
fn a_command_begins_with_the_prefix() {
    for (with, body, as_words) in [
        (".", ".user list", "user|list"),
        (".", ".User list", "user|list"),
        (".", "．user list", "user|list"),
        (".", "。user list", "user|list"),
        (".", " .user details .", "user|details|."),
        (".", "`.user list`", "user|list"),
        (".", "```\n.user list\n```", "user|list"),
        (".", "- .user list", "user|list"),
        (".", "**.user list**", "user|list"),
        (".", "> so it is\n\n.user list", "user|list"),
        (".", ".usr list", "usr|list"),
        (".", ".room details !abc:x.org", "room|details|!abc:x.org"),
        ("?", "？user list", "user|list"),
        ("&", "&user list", "user|list"),
        ("!s ", "!s user list", "user|list"),
        ("!s ", "!S User list", "user|list"),
        ("!s ", "！s user list", "user|list"),
        ("!s ", "!s   user list", "user|list"),
        ("!s ", "!s\u{a0}user list", "user|list"),
        ("!s ", "`!s user list`", "user|list"),
        ("!s ", "!s usr list", "usr|list"),
        ("!synod ", "!Synod user list", "user|list"),
    ] {
        assert_eq!(words(with, body), as_words, "{with:?} {body:?}");
    }
}

#[test]
fn what_begins_with_another_prefix_is_for_another_bot() {
    for with in [".", "?", "&", "!s ", ".s ", "!synod "] {
        for body in [
            "!ban @eve:x.org",
            "!user list",
            "! user list",
            "!!user list",
            "！user list",
            "!help",
            "**!user list**",
            "`!user list`",
            "- !user list",
            "(!user list)",
            "\"!user list\"",
            "> !user list",
            "!t user list",
            "!t help",
            "/user list",
            "%user list",
            "$user list",
            ",user list",
            "❗user list",
            "bang user list",
            "!confirm 4821",
            "hello\n!user list",
        ] {
            let is_talk = matches!(
                heard(with, body, None),
                Heard::Nothing(Reason::Talk | Reason::Quote | Reason::Empty)
            );
            assert!(is_talk, "{with:?} {body:?}: {:?}", heard(with, body, None));
        }
    }
    for (with, body) in [
        (".", "...stop"),
        (".", "..stop"),
        (".", ". stop"),
        (".", "."),
        (".", ".5 of them"),
        ("?", "??stop"),
        ("?", "? stop"),
        ("!s ", "!s"),
        ("!s ", "!suser list"),
        ("!s ", "!stop"),
        ("!s ", "! s user list"),
        ("!s ", "!s !user list"),
    ] {
        assert!(
            matches!(heard(with, body, None), Heard::Nothing(Reason::Talk)),
            "{with:?} {body:?}: {:?}",
            heard(with, body, None)
        );
    }
}

#[test]
fn whoever_names_the_bot_speaks_to_no_other() {
    for with in [".", "!s "] {
        for body in ["@synod:x.org !user list", "synod: !user list", "@synod !user list"] {
            assert_eq!(words(with, body), "user|list", "{with:?} {body:?}");
        }
        for sign in ["@synod:x.org ", "Synod: ", "@synod, "] {
            let body = format!("{sign}{with}user list");
            assert_eq!(words(with, &body), "user|list", "{body:?}");
            let bare = format!("{sign}user list");
            let unsigned = Misread::Unsigned { command: Some("user list".to_owned()) };
            assert_eq!(heard(with, &bare, None), Heard::Misread(unsigned), "{bare:?}");
        }
        let body = format!("({with}user list)");
        let unsigned = Misread::Unsigned { command: Some("user list".to_owned()) };
        assert_eq!(heard(with, &body, None), Heard::Misread(unsigned), "{body:?}");
        assert_eq!(heard(with, "@synod:x.org yes", None), Heard::Yes);
    }
}

#[test]
fn the_source_gives_back_what_markdown_ate_with_another_prefix_too() {
    let pill = "<a href=\"https://matrix.to/#/@eve:x.org\">Eve</a>";
    for with in [".", "!s ", "&"] {
        let typed = with.replace('&', "&amp;");
        let html = format!("<p>{typed}user details {pill} <em>a</em></p>");
        let body = format!("{with}user details Eve *a*");
        let Heard::Command(command) = heard(with, &body, Some(&html)) else {
            panic!("{body}: {:?}", heard(with, &body, Some(&html)))
        };
        assert_eq!(command.words, ["user", "details", "@eve:x.org", "*a*"], "{with:?}");
        let eaten = format!("{with}user details Eve a");
        assert_eq!(heard(with, &eaten, Some(&html)), Heard::Misread(Misread::Styled), "{with:?}");
    }
}

#[test]
fn two_commands_in_one_message_are_those_with_the_prefix() {
    let two = Heard::Misread(Misread::TwoCommands);
    assert_eq!(heard(".", ".user list\n.room list", None), two);
    let Heard::Command(command) = heard(".", ".user list\n!room list", None) else {
        panic!("another bot's is a line like others")
    };
    assert_eq!(command.body, ["!room list"]);
    assert_eq!(heard(".", "so\n.user list", None), Heard::Misread(Misread::NotFirst));
}
