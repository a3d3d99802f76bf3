//! Messages made by chance: commands as clients send them, of which it is known what was typed, and
//! anything at all.
//!
//! Some 20,000 of them in an ordinary run; `tests/long.sh --messages 1000000` makes as many as wanted.

use std::cell::Cell;

use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use pulldown_cmark::{Options as Markdown, Parser, html::push_html};
use ruma::user_id;

use crate::{
    input::{Heard, hear_as},
    operators::{Rank, Role},
    pipeline::inbound::{
        read::{as_meant, unclear},
        understand::{Understood, is_first_word, misplaced, parse, understand_for},
    },
    refs::{Named, RoomRef, UserRef},
};

/// Messages of each kind.
fn cases() -> Config {
    let asked = std::env::var("SYNOD_MESSAGES").ok().and_then(|many| many.parse().ok());
    let cases = asked.map_or(10_000, |many: u32| many / 2);
    Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() }
}

/// What a word of a command is.
#[derive(Debug, Clone)]
enum Piece {
    /// Of the command itself.
    Word(&'static str),
    /// An id, typed so.
    Id { id: String, typed: Typed },
    /// A text in quotation marks, behind an option, perhaps with `=` between them.
    Text { option: &'static str, joined: bool, text: String },
}

/// How an id gets into a message.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Typed {
    Plain,
    Pill(String),
    Link,
    Angles,
    Code,
    Bold,
    Listed,
}

/// What a client does with what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    /// Sends what was typed, and nothing besides.
    Plain,
    /// Sends the source with the names of its pills, and HTML: Element Web, Nheko.
    Names,
    /// Sends the source with links for its pills, and HTML: Element X.
    Links,
    /// Writes names in brackets of its own, as `FluffyChat` does.
    Brackets,
    /// Writes the ids of its pills: Cinny.
    Ids,
    /// Leaves the marks of Markdown out of its plain text. Where backticks go, nobody knows.
    Stripped,
}

/// A message, and the words that were meant by it.
#[derive(Debug, Clone)]
struct Sent {
    body: String,
    html: Option<String>,
    pieces: Vec<Piece>,
}

fn ids(kind: &'static str) -> impl Strategy<Value = String> {
    let users = vec![
        "@eve:x.org",
        "@john_doe_jr:x.org",
        "@_bridge_eve_:x.org",
        "@a-b.c=d/e+f:x.org:8448",
        "@Eve:x.org",
        "@--plan:x.org",
        "@user:x.org",
    ];
    let rooms =
        vec!["!aBc_dEf_:x.org", "#lobby:x.org", "#a*b*c:x.org", "#_x_:x.org", "#a~b~:x.org"];
    let made = if kind == "user" {
        "@[a-z0-9_=/+-]{1,8}(\\.[a-z0-9_-]{1,4})?:[a-z]{1,5}\\.org"
    } else {
        "#[a-zA-Z0-9*_-]{1,12}:x\\.org"
    };
    prop_oneof![select(if kind == "user" { users } else { rooms }).prop_map(str::to_owned), made]
}

fn typed() -> impl Strategy<Value = Typed> {
    let names = vec![
        "Eve",
        "Eve \"The\" Axe",
        "--plan",
        "*Eve*",
        "Ann_Lee_",
        "-x",
        "!user list",
        "a]b",
        "a & b",
    ];
    prop_oneof![
        3 => Just(Typed::Plain),
        3 => select(names).prop_map(|name| Typed::Pill(name.to_owned())),
        1 => Just(Typed::Link),
        1 => Just(Typed::Angles),
        1 => Just(Typed::Code),
        1 => Just(Typed::Bold),
        1 => Just(Typed::Listed),
    ]
}

/// A reason as people write them, and as somebody writes it who wants it to be something else.
fn text() -> impl Strategy<Value = String> {
    let parts = vec![
        "spam",
        "--plan",
        "--PLAN",
        "--for",
        "@other:x.org",
        "#lobby:x.org",
        "!user",
        "*",
        "_x_",
        "a*b",
        "-n",
        "it's",
        "—",
        "...",
        "=",
        "--reason=x",
        "and",
        "because",
        "1",
        "é",
        "🦊",
        "(x)",
        "a,",
        "'",
        "`c`",
        "yes",
        "!confirm 1234",
    ];
    prop::collection::vec(select(parts), 0..6).prop_map(|parts| parts.join(" "))
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let about =
        prop_oneof![Just(("user", "suspend")), Just(("room", "block")), Just(("user", "details")),];
    about.prop_flat_map(|(group, verb)| {
        let one = (ids(group), typed()).prop_map(|(id, typed)| Piece::Id { id, typed });
        let option = (any::<bool>(), text()).prop_map(|(joined, text)| Piece::Text {
            option: "--reason",
            joined,
            text,
        });
        let plan = prop::option::of(Just(Piece::Word("--plan")));
        (prop::collection::vec(one, 1..4), prop::option::of(option), plan).prop_map(
            move |(ids, reason, plan)| {
                let head = [Piece::Word(group), Piece::Word(verb)];
                head.into_iter().chain(ids).chain(plan).chain(reason).collect()
            },
        )
    })
}

/// Stands for the pill with this number until the Markdown is rendered.
fn placeholder(n: usize) -> String {
    format!("PILL{n}X")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn address(id: &str) -> String {
    format!("https://matrix.to/#/{}", id.replace('/', "%2F"))
}

/// The source of a message, with placeholders for its pills.
fn source(pieces: &[Piece], smart: bool) -> String {
    let word = |(n, piece): (usize, &Piece)| match piece {
        Piece::Word(word) => (*word).to_owned(),
        Piece::Id { id, typed } => match typed {
            Typed::Plain => id.clone(),
            Typed::Pill(_) => placeholder(n),
            Typed::Link => address(id),
            Typed::Angles => format!("<{}>", address(id)),
            Typed::Code => format!("`{id}`"),
            Typed::Bold => format!("**{id}**"),
            Typed::Listed => format!("{id},"),
        },
        Piece::Text { option, joined, text } => {
            format!("{option}{}\"{text}\"", if *joined { "=" } else { " " })
        }
    };
    let line: Vec<String> = pieces.iter().enumerate().map(word).collect();
    let line = format!("!{}", line.join(" "));
    if smart { smarter(&line) } else { line }
}

/// What a phone makes of it.
fn smarter(line: &str) -> String {
    let mut opened = false;
    let quoted: String = line
        .chars()
        .map(|c| match c {
            '"' => {
                opened = !opened;
                if opened { '“' } else { '”' }
            }
            '\'' => '’',
            c => c,
        })
        .collect();
    quoted.replace(" --", " —").replace("...", "…")
}

/// The pills in the place of what stands for them.
fn filled(text: &str, pieces: &[Piece], pill: impl Fn(&str, &str) -> String) -> String {
    pieces.iter().enumerate().fold(text.to_owned(), |text, (n, piece)| match piece {
        Piece::Id { id, typed: Typed::Pill(name) } => {
            text.replace(&placeholder(n), &pill(id, name))
        }
        _ => text,
    })
}

/// The text of HTML that holds no pills yet.
fn stripped(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

fn sent(client: Client, smart: bool, before: &str, pieces: Vec<Piece>) -> Sent {
    let source = format!("{before}{}", source(&pieces, smart));
    let mut html = String::new();
    push_html(&mut html, Parser::new_ext(&source, Markdown::ENABLE_STRIKETHROUGH));
    let link = |id: &str, name: &str| format!("<a href=\"{}\">{}</a>", address(id), escaped(name));
    let body = match client {
        Client::Plain | Client::Ids => filled(&source, &pieces, |id, _| id.to_owned()),
        Client::Names => filled(&source, &pieces, |_, name| name.to_owned()),
        Client::Links => filled(&source, &pieces, |id, name| {
            let name = name.replace(']', "\\]");
            format!("[{name}]({})", address(id))
        }),
        Client::Brackets => filled(&source, &pieces, |_, name| format!("@[{name}]")),
        Client::Stripped => filled(stripped(&html).trim_end(), &pieces, |_, name| name.to_owned()),
    };
    let html = (client != Client::Plain).then(|| filled(&html, &pieces, link));
    Sent { body, html, pieces }
}

fn sents() -> impl Strategy<Value = (Sent, bool)> {
    let clients = vec![
        Client::Plain,
        Client::Names,
        Client::Links,
        Client::Brackets,
        Client::Ids,
        Client::Stripped,
    ];
    let before = vec!["", "", "", "@synod:x.org ", "Synod: ", "@synod, ", " "];
    (select(clients), any::<bool>(), select(before), pieces())
        .prop_filter("what nobody can know", |(client, _, _, pieces)| {
            let code =
                |piece: &Piece| matches!(piece, Piece::Text { text, .. } if text.contains('`'));
            *client != Client::Stripped || !pieces.iter().any(code)
        })
        .prop_map(|(client, smart, before, pieces)| (sent(client, smart, before, pieces), smart))
}

/// An id as it is spelled in one way only.
fn id(word: &str) -> String {
    match word.parse() {
        Ok(Named::User(UserRef::Id(id))) => id.to_string(),
        Ok(Named::Room(RoomRef::Id(id))) => id.to_string(),
        Ok(Named::Room(RoomRef::Alias(alias))) => alias.to_string(),
        other => format!("{other:?}"),
    }
}

/// The words that were meant.
fn meant(pieces: &[Piece], smart: bool) -> Vec<String> {
    let undone = |text: &str| if smart { text.replace(" --", " —") } else { text.to_owned() };
    let words = |piece: &Piece| match piece {
        Piece::Word(word) => vec![(*word).to_owned()],
        Piece::Id { id: typed, .. } => vec![id(typed)],
        Piece::Text { option, joined: true, text } => vec![format!("{option}={}", undone(text))],
        Piece::Text { option, text, .. } => vec![(*option).to_owned(), undone(text)],
    };
    pieces.iter().flat_map(words).collect()
}

fn heard(body: &str, html: Option<&str>) -> Heard {
    hear_as(Some(user_id!("@synod:x.org")), body, html, &is_first_word)
}

/// Goes with these words as far as anything goes that asks nobody.
fn read(words: &[String], lines: &[String], role: &std::sync::Arc<Role>) -> Vec<String> {
    let meant = as_meant(words.to_vec());
    let _ = unclear(&meant, !lines.is_empty(), role);
    let _ = understand_for(&meant, parse(&meant), role);
    let _ = misplaced::meant(words, lines);
    meant
}

/// What is understood is what was typed, word by word: where a client has lost something of it, it is asked
/// about.
#[test]
fn what_clients_send_is_what_was_typed_or_asked_about() {
    let (config, understood) = (cases(), Cell::new(0));
    let half = config.cases / 2;
    let run = TestRunner::new(config).run(&sents(), |(sent, smart)| {
        let Sent { body, html, pieces } = &sent;
        let command = match heard(body, html.as_deref()) {
            Heard::Command(command) => command,
            Heard::Misread(_) => return Ok(()),
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        understood.set(understood.get() + 1);
        let words = read(&command.words, &command.body, &Rank::Admin.into());
        let spelled = words
            .iter()
            .enumerate()
            .map(|(place, word)| if is_id(pieces, place) { id(word) } else { word.clone() });
        prop_assert_eq!(spelled.collect::<Vec<_>>(), meant(pieces, smart));
        let matched = understand_for(&words, parse(&words), &Rank::Admin.into());
        if let Understood::Command(_, options) = matched {
            let plan = pieces.iter().any(|piece| matches!(piece, Piece::Word("--plan")));
            prop_assert_eq!(options.plan, plan, "{:?}", words);
            let text = pieces.iter().any(|piece| matches!(piece, Piece::Text { .. }));
            prop_assert_eq!(options.reason.is_some(), text, "{:?}", words);
        }
        Ok(())
    });
    run.unwrap();
    assert!(understood.get() > half, "only {} of {} are understood", understood.get(), 2 * half);
}

/// Whether the word at this place is an id.
fn is_id(pieces: &[Piece], place: usize) -> bool {
    let mut words = pieces.iter().flat_map(|piece| match piece {
        Piece::Id { .. } => vec![true],
        Piece::Text { joined: false, .. } => vec![false, false],
        Piece::Word(_) | Piece::Text { .. } => vec![false],
    });
    words.nth(place) == Some(true)
}

proptest! {
    #![proptest_config(cases())]

    /// Nothing that is said makes it panic, and what is understood is the same when it is sent as it is
    /// shown.
    #[test]
    fn anything_is_read(body in anything(), html in prop::option::of(anything())) {
        match heard(&body, html.as_deref()) {
            Heard::Command(command) => {
                let role = Rank::Moderator.into();
                let words = read(&command.words, &command.body, &role);
                if words.first().is_some_and(|first| is_first_word(first)) {
                    let shown = crate::input::quote(&words);
                    let Heard::Command(again) = heard(&shown, None) else {
                        return Err(TestCaseError::fail(format!("{shown} is none")));
                    };
                    let plain: Vec<String> =
                        words.iter().map(|word| word.replace(char::is_control, " ")).collect();
                    prop_assert_eq!(again.words, plain);
                }
            }
            Heard::Misread(misread) => {
                let _ = misplaced::meant_in_text(&body, &crate::input::Prefix::default());
                prop_assert!(!misread.to_string().is_empty());
            }
            Heard::Nothing(_) | Heard::Yes | Heard::No => {}
        }
    }
}

/// Something near to a message.
fn anything() -> impl Strategy<Value = String> {
    let parts = vec![
        "!",
        "！",
        "user",
        "user suspend ",
        "!user ",
        "!room block ",
        "!suspend ",
        "ban",
        "rooms",
        "audit",
        "undo",
        "confirm",
        "alias add ",
        "@eve:x.org",
        "@eve ",
        "eve ",
        "#lobby:x.org",
        "!abc:x.org",
        "--reason",
        "--for ",
        "3 days",
        "for",
        "until",
        "because",
        "and",
        "plan",
        "-plan",
        "--",
        " -- ",
        "—",
        "=",
        ":",
        ".",
        ", ",
        "; ",
        "\n",
        "\n\n",
        "> ",
        "```",
        "`",
        "**",
        "*",
        "_",
        "~~",
        "||",
        "\"",
        "“",
        "”",
        "'",
        "<",
        ">",
        "<em>",
        "</em>",
        "<br>",
        "<p>",
        "</p>",
        "<strong>",
        "</strong>",
        "<del>",
        "<a href=\"https://matrix.to/#/@eve:x.org\">",
        "</a>",
        "<mx-reply>",
        "</mx-reply>",
        "<span data-mx-spoiler>",
        "</span>",
        "[Eve](https://matrix.to/#/@eve:x.org)",
        "https://matrix.to/#/",
        "matrix:u/",
        "\u{200b}",
        "\u{a0}",
        "\u{ad}",
        "yes",
        "no",
        "4821",
        "@synod:x.org",
        "Synod: ",
        "password ",
        "hunter2",
        "syt_a2VlcGVy_mUzHAEQREmvvmTndMPXz_38nVFx",
        " ",
        " ",
        " ",
    ];
    let part = prop_oneof![
        8 => select(parts).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[ -~]{0,12}",
    ];
    prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}
