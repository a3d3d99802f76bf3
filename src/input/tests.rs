//! What a person types, what their client makes of it, and what is heard.

use proptest::prelude::*;

use ruma::user_id;

use super::{Command, Heard, Misread, Reason, hear, hear_as, quote, shown};

mod clients;
mod html;

fn is_group(word: &str) -> bool {
    ["user", "room", "notice", "help", "confirm"].contains(&word)
}

fn said(body: &str) -> Heard {
    hear(body, None, &is_group)
}

fn formatted(body: &str, html: &str) -> Heard {
    hear(body, Some(html), &is_group)
}

#[track_caller]
fn command(heard: Heard) -> Command {
    match heard {
        Heard::Command(command) => command,
        other => panic!("no command: {other:?}"),
    }
}

/// The words, one per line where there are several.
#[track_caller]
fn words(body: &str) -> String {
    command(said(body)).words.join("|")
}

#[track_caller]
fn misread(heard: Heard) -> Misread {
    match heard {
        Heard::Misread(misread) => misread,
        other => panic!("not misread: {other:?}"),
    }
}

#[test]
fn words_are_split_by_quotes_and_nothing_else() {
    for (typed, understood) in [
        ("!user list", "user|list"),
        ("  !user   list \n\n", "user|list"),
        ("! user list", "user|list"),
        ("!User Details @Ann:x.org", "user|Details|@Ann:x.org"),
        ("!USER details Ann", "user|details|Ann"),
        ("!user @Ann:x.org", "user|@Ann:x.org"),
        ("!confirm 4821 37", "confirm|4821|37"),
        ("!help", "help"),
        (r#"!user list -n "Ann Lee" -d"#, "user|list|-n|Ann Lee|-d"),
        ("!user list -n 'Ann Lee'", "user|list|-n|Ann Lee"),
        (r#"!user list --name="Ann Lee""#, "user|list|--name=Ann Lee"),
        (r#"!user list -n "" x"#, "user|list|-n||x"),
        (r#"!user list -n "a"'"'"b""#, r#"user|list|-n|a"b"#),
        (r"!user search ^a\d+#x\", r"user|search|^a\d+#x\"),
        ("!room details #lobby:x.org", "room|details|#lobby:x.org"),
        (r#"!room details {"a":1}"#, r#"room|details|{"a":1}"#),
        ("!user details `@ann:x.org`", "user|details|@ann:x.org"),
    ] {
        assert_eq!(words(typed), understood, "{typed}");
        assert!(!command(said(typed)).changed, "{typed}");
    }
}

#[test]
fn an_apostrophe_within_a_word_is_a_character() {
    assert_eq!(words("!user search O'Brien"), "user|search|O'Brien");
    assert_eq!(words("!user search O’Brien"), "user|search|O'Brien");
    assert_eq!(words("!user search “Pat O’Brien”"), "user|search|Pat O'Brien");
    assert_eq!(words("!user search \"Pat O’Brien\""), "user|search|Pat O’Brien");
}

#[test]
fn what_a_phone_makes_of_hyphens_and_quotes_is_undone() {
    for (typed, understood) in [
        ("!User deactivate @a:x —gdpr-erase", "user|deactivate|@a:x|--gdpr-erase"),
        ("!user list –deactivated", "user|list|--deactivated"),
        ("!user list —n Ann", "user|list|-n|Ann"),
        ("!user list —name=“Ann Lee”", "user|list|--name=Ann Lee"),
        ("!user list —n=Ann", "user|list|-n=Ann"),
        ("!user list —-name", "user|list|--name"),
        ("!user suspend @a:x −−plan", "user|suspend|@a:x|--plan"),
        ("!user suspend @a:x ﹣﹣plan", "user|suspend|@a:x|--plan"),
        ("!user suspend @a:x ﹘plan", "user|suspend|@a:x|--plan"),
        ("!user list ‑n Ann", "user|list|-n|Ann"),
        ("!user list -n “Ann Lee”", "user|list|-n|Ann Lee"),
        ("!user list -n ‘Ann Lee’", "user|list|-n|Ann Lee"),
        ("!user list -n „Ann Lee“", "user|list|-n|Ann Lee"),
        ("!user list -n «\u{a0}Ann Lee\u{202f}»", "user|list|-n|Ann Lee"),
        ("!user list\u{a0}-n\u{202f}Ann", "user|list|-n|Ann"),
        ("\u{feff}!\u{200b}user\u{200b} list\u{2060}", "user|list"),
        ("!user details \u{2068}@ann:x.org\u{2069}", "user|details|@ann:x.org"),
        ("!user details @ann\u{200d}:x.org", "user|details|@ann:x.org"),
        ("!user search wait…", "user|search|wait..."),
    ] {
        assert_eq!(words(typed), understood, "{typed}");
        assert!(command(said(typed)).changed, "{typed}");
    }
}

#[test]
fn what_is_meant_to_the_letter_stays() {
    for (typed, understood) in [
        ("!user list —", "user|list|—"),
        ("!user suspend @a:x — spam", "user|suspend|@a:x|—|spam"),
        ("!user list -n \"Ann — Lee…\"", "user|list|-n|Ann — Lee…"),
        ("!user list -n \"—Ann “A” Lee\"", "user|list|-n|—Ann “A” Lee"),
        ("!user list -n `Ann\u{200b}“`", "user|list|-n|Ann\u{200b}“"),
        ("!user list -n Ann—Lee", "user|list|-n|Ann—Lee"),
        ("`!user list -n “Ann…`", "user|list|-n|“Ann…"),
        ("```\n!user list —n\n```", "user|list|—n"),
        ("!user search \u{1f469}\u{200d}\u{1f4bb}", "user|search|\u{1f469}\u{200d}\u{1f4bb}"),
    ] {
        assert_eq!(words(typed), understood, "{typed}");
        assert!(!command(said(typed)).changed, "{typed}");
    }
}

#[test]
fn one_pair_of_backticks_or_a_fence_around_the_whole_is_taken_off() {
    for typed in [
        "`!user list`",
        "``!user list``",
        "```!user list```",
        "```\n!user list\n```",
        "```text\n\n!user list\n```\n",
        "```\n!user list",
    ] {
        assert_eq!(words(typed), "user|list", "{typed}");
    }
    let told = "you could type\n```\n!user deactivate @a:x\n```";
    assert_eq!(said(told), Heard::Nothing(Reason::Talk));
    let told = "```\n!user deactivate @a:x\n```\nis what I would type";
    assert_eq!(said(told), Heard::Nothing(Reason::Talk));
}

#[test]
fn the_lines_below_are_the_body() {
    let heard = command(said(
        "!notice send @a:x\n\nDear “Ann” — hello…\n  indented\n\n> quoted\nSee https://matrix.to/#/#a:x\n\n",
    ));
    assert_eq!(heard.words, ["notice", "send", "@a:x"]);
    assert_eq!(
        heard.body,
        ["Dear “Ann” — hello…", "  indented", "", "See https://matrix.to/#/#a:x"]
    );
    assert!(!heard.changed);

    let heard = command(said("!notice send @a:x\n```json\n{\n> \"a\": 1\n}\n!user list\n```"));
    assert_eq!(heard.body, ["{", "> \"a\": 1", "}", "!user list"]);

    let heard =
        command(said("!room x\r\n[Ann](https://matrix.to/#/@ann:x.org), `[b](matrix:u/b:x)`\r\n"));
    assert_eq!(heard.body, ["@ann:x.org, `[b](matrix:u/b:x)`"]);
    assert!(heard.changed);
}

#[test]
fn people_talk() {
    for (typed, reason) in [
        ("", Reason::Empty),
        (" \n ", Reason::Empty),
        ("hello", Reason::Talk),
        ("what does user list do", Reason::Talk),
        ("user list is what you want", Reason::Talk),
        ("type !user list to see", Reason::Talk),
        ("... user list", Reason::Talk),
        ("❗ user list is slow", Reason::Talk),
        ("!! wow", Reason::Talk),
        ("!!usr list", Reason::Talk),
        ("/me is away", Reason::Talk),
        ("100 user", Reason::Talk),
        ("yes, I have seen that too", Reason::Talk),
        ("sure, that is what I would do", Reason::Talk),
        ("12", Reason::Talk),
        ("!", Reason::Talk),
        ("!!!", Reason::Talk),
        ("!=", Reason::Talk),
        ("!5", Reason::Talk),
        ("! wow", Reason::Talk),
        ("!\"user\" list", Reason::Talk),
        ("yes please", Reason::Answer),
        ("yes?", Reason::Answer),
        ("Ja!", Reason::Answer),
        ("oui", Reason::Answer),
        ("confirm", Reason::Answer),
        ("confirm 4821", Reason::Answer),
        ("yes, 4821", Reason::Answer),
        ("4821", Reason::Answer),
        ("#4821", Reason::Answer),
        ("\"yes\"", Reason::Answer),
        ("nope", Reason::Answer),
        ("Cancel.", Reason::Answer),
        ("+1", Reason::Answer),
        ("yes\nand no", Reason::Talk),
        ("> hello", Reason::Quote),
        ("> !usr list", Reason::Quote),
        ("- hello", Reason::Talk),
        ("**!**", Reason::Talk),
        ("**wow!**", Reason::Talk),
        ("- !usr list", Reason::Talk),
        ("- 5 !user list", Reason::Talk),
        ("* !opaque:example.org", Reason::Talk),
        ("@synod:x.org is slow", Reason::Talk),
        ("> <@a:x> !user list\n> more\n\n> !user list", Reason::Quote),
        ("!opaque:example.org", Reason::RoomId),
        ("!opaque:example.org is where they spam", Reason::RoomId),
        ("!user:example.org", Reason::RoomId),
        ("!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", Reason::RoomId),
    ] {
        assert_eq!(said(typed), Heard::Nothing(reason), "{typed}");
    }
}

#[test]
fn an_unknown_word_of_letters_is_meant_as_a_command() {
    assert_eq!(words("!usr details ann"), "usr|details|ann");
    assert_eq!(words("!Usr"), "usr");
    assert_eq!(words("!help?"), "help?");
    assert_eq!(words("!important"), "important");
}

#[test]
fn bare_answers() {
    for yes in ["yes", "Yes", " Y ", "ok.", "OK!", "> sure?\n\nyes", "> <@b:x> Sure?\n\nYes!"] {
        assert_eq!(said(yes), Heard::Yes, "{yes}");
    }
    for yes in [
        "\u{200b}yes",
        "**yes**",
        "`Yes`",
        "ｙｅｓ",
        "Okay.",
        "✅",
        "✔\u{fe0f}",
        "👍",
        "👍🏽",
        "yes。",
    ] {
        assert_eq!(said(yes), Heard::Yes, "{yes}");
    }
    let bot = user_id!("@synod:x.org");
    for yes in ["@synod:x.org yes", "synod: Yes!", "@Synod yes"] {
        assert_eq!(hear_as(Some(bot), yes, None, &is_group), Heard::Yes, "{yes}");
    }
    for no in ["❌", "👎🏻", "*no*", "✖\u{fe0f}"] {
        assert_eq!(said(no), Heard::No, "{no}");
    }
    for no in ["no", "N", "No.", "no!!"] {
        assert_eq!(said(no), Heard::No, "{no}");
    }
}

#[test]
fn a_reply_is_read_without_what_it_replies_to() {
    let body = "> <@bot:x> Try !user list\n> !user deactivate @a:x\n\n!user details ann";
    assert_eq!(words(body), "user|details|ann");
    let html = "<mx-reply><blockquote><a href=\"https://matrix.to/#/!r:x/$e\">In reply to</a> \
                <a href=\"https://matrix.to/#/@bot:x\">@bot:x</a><br>!room list</blockquote>\
                </mx-reply>!user details ann";
    let heard = command(formatted(body, html));
    assert_eq!(heard.words, ["user", "details", "ann"]);
    assert!(!heard.changed, "the only pills stand in the fallback");
    assert_eq!(misread(said("> sure?\n!user list")), Misread::UnderQuote);
    assert_eq!(misread(said("> sure?\nyes")), Misread::UnderQuote);
}

#[test]
fn a_command_stands_alone_in_its_message() {
    for two in ["!user list\n!room list", "!usr list\n ! Room list", "`!user list`\n`!room list`"] {
        assert_eq!(misread(said(two)), Misread::TwoCommands, "{two}");
    }
    assert_eq!(misread(said("```\n!user a\n!user b\n```")), Misread::TwoCommands);
    assert_eq!(misread(said("I would say\n!user list")), Misread::NotFirst);
    assert_eq!(misread(said("!a:x.org\n!user list")), Misread::NotFirst);
    assert_eq!(command(said("!notice send\n!wow")).body, ["!wow"]);
}

#[test]
fn a_quotation_that_is_not_clear_is_not_guessed() {
    let unclosed = |mark, text: &str| Misread::Unclosed { mark, text: text.to_owned() };
    assert_eq!(misread(said("!user list -n \"Ann Lee")), unclosed('"', "Ann Lee"));
    assert_eq!(misread(said("!user list -n “Ann Lee\nx”")), unclosed('“', "Ann Lee"));
    assert_eq!(misread(said("!user list -n \"Ann Lee”")), unclosed('"', "Ann Lee”"));
    assert_eq!(misread(said("!user search 'tis")), unclosed('\'', "tis"));
    assert_eq!(
        misread(said("!user list -n Ann Lee\"")),
        Misread::Stray { word: "Lee\"".to_owned() }
    );
    assert_eq!(
        misread(said("!user list -n \"Ann \"The Axe\" Lee\"")),
        Misread::Glued { text: "The Axe\" Lee\"".to_owned() }
    );
    assert_eq!(
        misread(said("!user list -n 'O'Brien'")),
        Misread::Glued { text: "Brien'".to_owned() }
    );
    let told = misread(said(&format!("!user \"{}", "x".repeat(100)))).to_string();
    assert_eq!(
        told,
        format!(
            "the quotation mark \" before {}... is not closed on its line; close it there with the \
            same mark, or put the other kind of marks around everything",
            "x".repeat(40)
        )
    );
}

#[test]
fn quoted_words_may_be_listed() {
    for (typed, understood) in [
        ("!user details \"ann\", \"bob\"", "user|details|ann|bob"),
        ("!user details “ann”; ‘bob’.", "user|details|ann|bob"),
        ("!user search \"Ann Lee\")", "user|search|Ann Lee"),
    ] {
        assert_eq!(words(typed), understood);
    }
    assert!(matches!(misread(said("!user search \"Ann\",Lee")), Misread::Glued { .. }));
}

#[test]
fn what_is_too_much_is_not_read() {
    let long = "x".repeat(super::LONGEST);
    assert_eq!(misread(said(&format!("!user list {long}"))), Misread::TooLong);
    assert_eq!(said(&format!("hello {long}")), Heard::Nothing(Reason::Talk));

    let pill = "<a href=\"https://matrix.to/#/@a:x\">Ann</a>";
    let deep = format!("{}!user details {pill}", "<div>".repeat(10_000));
    assert_eq!(misread(formatted("!user details Ann", &deep)), Misread::TooMuchMarkup);
    assert_eq!(formatted("hello", &deep), Heard::Nothing(Reason::Talk));
    // As deep as is read at all, in elements that the parser opens again in every paragraph.
    let deep = (0..500).fold(String::new(), |deep, n| deep + format!("<b x={n}>").as_str());
    let deep = format!("<p>{deep}{}{pill}", "<p>x".repeat(495));
    assert_eq!(formatted("hello", &deep), Heard::Nothing(Reason::Talk));
}

#[test]
fn hostile_text_is_read_in_no_time() {
    let start = std::time::Instant::now();
    for part in ["[", "](matrix:", "`", "\"", "'a'", "—", "[a](matrix:u/", "> ", "```\n", "!user\n"]
    {
        let body = format!("!user x {}", part.repeat(super::LONGEST / part.len() - 8));
        hear(&body, None, &is_group);
        hear(&format!("!user x\n{body}"), Some(&body), &is_group);
    }
    assert!(start.elapsed().as_secs() < 20, "took {:?}", start.elapsed());
}

/// A word as it may come from a server or a person, without control characters.
fn word() -> impl Strategy<Value = String> {
    let tricky =
        "[-—–=\"'`“”„’«»#\\\\!> \u{a0}\u{200b}\u{200d}\u{fe0f}\u{2028}…\\[\\]()@:aZé🦊]{0,12}";
    prop_oneof![
        tricky,
        "[^\\p{Cc}]{0,20}",
        "(\\[a\\]\\()?(https://matrix\\.to/#/|matrix:u/|)@?a(:x\\.org)?\\)?",
        "--[a-z]{1,8}=[^\\p{Cc}]{0,8}",
    ]
}

/// Something near to a message.
fn message() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        word(),
        Just("!user ".to_owned()),
        Just("\n".to_owned()),
        Just("\n!room ".to_owned()),
        Just("```".to_owned()),
        Just("\n> ".to_owned()),
        Just("<a href=\"https://matrix.to/#/@a:x\">".to_owned()),
        "</?(p|div|pre|code|br|a|em|mx-reply|blockquote|li|table|td)>",
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(body in message(), html in prop::option::of(message())) {
        hear(&body, html.as_deref(), &is_group);
        super::links::id(&body);
    }

    #[test]
    fn no_link_makes_it_panic(path in "[/!@#$a:%0-9?&=eu]{0,12}", scheme in any::<bool>()) {
        let start = if scheme { super::links::SCHEME } else { super::links::WEB };
        super::links::id(&format!("{start}{path}"));
    }

    #[test]
    fn what_is_quoted_is_read_back(words in prop::collection::vec(word(), 0..6)) {
        let words: Vec<String> = std::iter::once("user".to_owned()).chain(words).collect();
        let heard = said(&quote(&words));
        let command = Command { words, body: Vec::new(), changed: false };
        prop_assert_eq!(heard, Heard::Command(command));
    }

    /// What was understood, typed as it is shown, is understood the same.
    #[test]
    fn undoing_typography_twice_is_undoing_it_once(line in "[^\n]{0,30}|[-—n=“”’…«» \u{a0}a]{0,20}") {
        if let Heard::Command(once) = said(&format!("!user {line}")) {
            let typed: Vec<String> =
                once.words.iter().map(|word| word.replace(char::is_control, " ")).collect();
            let twice = command(said(&quote(&typed)));
            prop_assert_eq!(twice.words, typed);
            prop_assert!(!twice.changed);
        }
    }
}

#[test]
fn a_control_character_cannot_begin_a_line() {
    let words = ["user", "search", "a\n!user deactivate @b:x"].map(str::to_owned);
    assert_eq!(quote(&words), "!user search \"a !user deactivate @b:x\"");
}

/// What is said to a bot that is called `@synod:x.org`.
fn to_synod(body: &str, html: Option<&str>) -> Heard {
    hear_as(Some(user_id!("@synod:x.org")), body, html, &is_group)
}

#[test]
fn a_command_without_its_exclamation_mark_is_told_and_not_run() {
    let unsigned = |command: &str| Misread::Unsigned {
        command: Some(command.to_owned()).filter(|c| !c.is_empty()),
    };
    for (typed, command) in [
        ("/user list", "user list"),
        ("/help", "help"),
        (".user list", "user list"),
        ("?help", "help"),
        ("1user list", "user list"),
        ("\\User list", "User list"),
        ("❗user list", "user list"),
        ("❗\u{fe0f}user list", "user list"),
        ("¡user list", "user list"),
        ("‼\u{fe0f}user list", "user list"),
        ("exclamation mark user list", "user list"),
        ("Exclamation point user list", "user list"),
        ("(!user list)", "user list"),
        ("[!user list]", "user list"),
        ("☐ !user list", "user list"),
        ("👉 !user list", "user list"),
        ("@synod:x.org user list", "user list"),
        ("@synod:x.org: User list", "User list"),
        ("synod: user list", "user list"),
        ("@synod:x.org please !user list", "user list"),
        ("/user suspend\n@a:x", ""),
    ] {
        assert_eq!(misread(to_synod(typed, None)), unsigned(command), "{typed}");
    }
    let pill = "<a href=\"https://matrix.to/#/@synod:x.org\">Synod</a>";
    for html in [format!("{pill}, please !user list"), format!("{pill} user list")] {
        assert_eq!(misread(to_synod("x", Some(&html))), unsigned("user list"), "{html}");
    }
    for typed in [
        "@synod:x.org is slow",
        "synod user list",
        "@synod:y.org !user list",
        "@synodical !user list",
        "ann: !user list is what you want",
        "@bob:x.org !user list",
    ] {
        assert_eq!(to_synod(typed, None), Heard::Nothing(Reason::Talk), "{typed}");
    }
}

#[test]
fn a_command_in_one_word_is_meant_as_one() {
    for typed in ["!user.list", "!user/list", "!User_list now", "!user:"] {
        assert!(matches!(said(typed), Heard::Command(_)), "{typed}");
    }
    assert_eq!(said("!user:example.org"), Heard::Nothing(Reason::RoomId));
    assert_eq!(said("!wow/user"), Heard::Nothing(Reason::Talk));
}

#[test]
fn what_stands_before_a_command_or_around_it_is_taken_off() {
    for typed in [
        "！user list",
        " ！ user list",
        "**!user list**",
        "*!user list*",
        "***!user list***",
        "__!user list__",
        "!!user list",
        "﹗user list",
        "@synod !user list",
        "Synod: !user list",
        "synod, !user list",
        "@synod: !user list",
        "@synod:x.org; !user list",
        "- !user list",
        "* !user list",
        "• !user list",
        "1. !user list",
        "2) **!user list**",
        "- !user list\n\n",
        "- `!user list`",
        "||!user list||",
        "**||!user list||**",
        "- ||!user list||",
        "@synod:x.org !user list",
        "@synod:x.org: !user list",
        "@synod:x.org, **！user list**",
    ] {
        assert_eq!(command(to_synod(typed, None)).words, ["user", "list"], "{typed}");
    }
    let pill = "<a href=\"https://matrix.to/#/@synod:x.org\">Synod</a>";
    for html in [
        format!("{pill} !user list"),
        format!("{pill}: !user list"),
        format!("<p>{pill} <strong>!user list</strong></p>"),
    ] {
        let heard = to_synod("Synod !user list", Some(&html));
        assert_eq!(command(heard).words, ["user", "list"], "{html}");
    }
    let eve =
        "<strong>!user details <a href=\"https://matrix.to/#/@eve:x.org\">Eve</a> -d</strong>";
    let heard = command(formatted("**!user details Eve -d**", eve));
    assert_eq!(heard.words, ["user", "details", "@eve:x.org", "-d"]);
    // Who is spoken to by name answers a slip too.
    assert_eq!(command(to_synod("@synod:x.org !usr list", None)).words, ["usr", "list"]);
    assert_eq!(to_synod("@bob:x.org !user list", None), Heard::Nothing(Reason::Talk));
    assert_eq!(to_synod("@synod:x.orgs !user list", None), Heard::Nothing(Reason::Talk));
}

#[test]
fn what_is_quoted_or_one_of_a_list_is_not_run_and_says_so() {
    for quoted in
        ["> !user list", ">!user list\n", "\"!user list\"", "“!user list”", "'!user list'"]
    {
        assert_eq!(misread(said(quoted)), Misread::Quoted, "{quoted}");
    }
    for listed in ["- !user list\n- !room list", "* !user details ann\nand then\n* bob"] {
        assert_eq!(misread(said(listed)), Misread::Bulleted, "{listed}");
    }
    for styled in ["**!user** details ann", "*!user list", "_!user list_*"] {
        assert_eq!(misread(said(styled)), Misread::Styled, "{styled}");
    }
    // Told by people, among other words.
    for told in ["see:\n- !user list", "> !user list\n> !room list", "> <@a:x> !user list"] {
        assert!(matches!(said(told), Heard::Nothing(_)), "{told}");
    }
}

#[test]
fn a_command_of_many_ids_is_shown_with_the_first_and_the_last() {
    let ids = |count: usize| (0..count).map(|n| format!("@raid-{n}:x.test"));
    let command = |count| {
        let mut words = vec!["user".to_owned(), "suspend".to_owned()];
        words.extend(ids(count));
        words.extend(["--reason".to_owned(), "spam wave".to_owned()]);
        words
    };
    assert_eq!(
        shown(&command(400)),
        "!user suspend @raid-0:x.test … @raid-399:x.test (400) --reason \"spam wave\""
    );
    assert_eq!(shown(&command(2)), quote(&command(2)));
    let bare: Vec<String> = (0..40).map(|n| format!("raid{n}")).collect();
    assert!(shown(&bare).ends_with(" … (and 16 more)"), "{}", shown(&bare));
}
