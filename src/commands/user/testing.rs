//! Answers as a test reads them, and accounts to make them of.

use std::{fmt::Write as _, sync::Arc};

use clap::{Args, Command};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    change::{Outcome, Question, Skip, Snapshot, Subject, Undo},
    clock::FixedClock,
    commands::{Changed, Memory, Remembered},
    error::Stop,
    reply::{Block, Fact, Line, Record, Reply, Span},
    synapse::{Access, Account, Reader},
};

/// The moment at which every test of wording takes place.
pub(crate) fn now() -> Timestamp {
    "2026-11-20T14:03:00Z".parse().unwrap()
}

/// A reader of a homeserver that nobody asks.
pub(crate) fn nowhere() -> Reader {
    let access = Access {
        base: "http://127.0.0.1:9".parse().unwrap(),
        media: None,
        token: "none".into(),
        token_expires: None,
        accounts: None,
        server_name: "example.org".try_into().unwrap(),
    };
    Reader::new(access, Arc::new(FixedClock::at(now()))).unwrap()
}

/// A memory of nothing.
pub(crate) fn nothing() -> impl Memory {
    struct Nothing;
    impl Memory for Nothing {
        fn of(&self, _: &Subject, _: usize) -> Remembered {
            Remembered::default()
        }

        fn changed_by(&self, _: &[&str], _: usize) -> Result<Changed, Stop> {
            Ok(Changed::default())
        }
    }
    Nothing
}

/// `@ann:example.org` as a subject.
pub(crate) fn ann() -> Subject {
    Subject::User("@ann:example.org".try_into().unwrap())
}

/// Ann's account; the fields of `other` replace its own.
pub(crate) fn account(other: Value) -> Account {
    let mut account = json!({
        "name": "@ann:example.org", "displayname": "Ann Lee", "avatar_url": null,
        "admin": 0, "deactivated": 0, "erased": false, "locked": false, "suspended": false,
        "shadow_banned": 0, "is_guest": 0, "creation_ts": 1_760_000_000,
        "last_seen_ts": 1_795_183_200_000_i64, "appservice_id": null, "user_type": null,
        "threepids": [], "external_ids": [],
    });
    let (Some(fields), Value::Object(other)) = (account.as_object_mut(), other) else {
        panic!("an object is wanted")
    };
    fields.extend(other);
    serde_json::from_value(account).unwrap()
}

/// What a verb sees of an account of this server, before it notes anything of its own.
pub(crate) fn snapshot_of(account: &Account) -> Snapshot {
    Snapshot {
        display: super::account::display(account),
        preconditions: super::account::facts_that_bind(true, Some(account)),
        ..Snapshot::default()
    }
}

/// Reads the arguments of a verb as they would be typed.
pub(crate) fn parse<T: Args>(typed: &[&str]) -> Result<T, clap::error::ErrorKind> {
    let command = T::augment_args(Command::new("verb").no_binary_name(true));
    let matches = command.try_get_matches_from(typed).map_err(|error| error.kind())?;
    T::from_arg_matches(&matches).map_err(|error| error.kind())
}

/// A line: code in backticks, strong in asterisks, what others wrote in quotation marks.
pub(crate) fn line(line: &Line) -> String {
    line.0
        .iter()
        .map(|span| match span {
            Span::Plain(text) | Span::Named(text) => text.clone(),
            Span::Strong(text) => format!("**{text}**"),
            Span::Code(text) | Span::Command(text) => format!("`{text}`"),
            Span::Hostile(text) => format!("“{}”", text.raw()),
            Span::Spoiler(text) => format!("‖{}‖", text.raw()),
            Span::Time(_) => Line(vec![span.clone()]).text(),
        })
        .collect()
}

/// Facts, one a line.
pub(crate) fn facts(facts: &[Fact]) -> String {
    facts.iter().fold(String::new(), |mut text, (label, value)| {
        let _ = writeln!(text, "{label}: {}", line(value));
        text
    })
}

fn points(head: &str, points: &[Line]) -> String {
    points.iter().fold(format!("{head}\n"), |mut text, point| {
        let _ = writeln!(text, "- {}", line(point));
        text
    })
}

/// Words as they are typed; quoted where that is needed.
pub(crate) fn spoken(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        if word.is_empty() || word.contains(' ') { format!("\"{word}\"") } else { word.clone() }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

fn commands(commands: &[(Line, Vec<String>)]) -> String {
    commands.iter().fold(String::new(), |mut text, (what_for, words)| {
        let _ = writeln!(text, "{}: !{}", line(what_for), spoken(words));
        text
    })
}

/// A question.
pub(crate) fn question(question: &Question) -> String {
    let mut text = format!("{}\n", line(&question.title));
    if !question.goes.is_empty() {
        text.push_str(&points("Lost:", &question.goes));
    }
    if !question.stays.is_empty() {
        text.push_str(&points("Stays:", &question.stays));
    }
    text
}

/// An outcome.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    let mut text = format!("{} · {}\n", outcome.status.as_str(), line(&outcome.title));
    text.push_str(&facts(&outcome.facts));
    text.push_str(&commands(&outcome.remains));
    let _ = match &outcome.undo {
        Undo::Command(words) => write!(text, "Undo: !{}", spoken(words)),
        Undo::None(why) => write!(text, "No undo: {why}"),
        Undo::Parts(ways, rest) => {
            let ways: Vec<String> = ways.iter().map(|words| spoken(words)).collect();
            write!(text, "Undo: !{}\nNot undone: {rest}", ways.join(", !"))
        }
    };
    text
}

/// A skip.
pub(crate) fn skip(skip: &Skip) -> String {
    let mut text = format!("{} · {}", skip.status.as_str(), line(&skip.why));
    for command in &skip.instead {
        let _ = write!(text, "\nTry !{command}");
    }
    text
}

/// A whole answer.
pub(crate) fn reply(reply: &Reply) -> String {
    let word = reply.status.map(|word| format!("{} · ", word.as_str())).unwrap_or_default();
    let first = format!("{word}{}\n", line(&reply.title));
    std::iter::once(first).chain(reply.blocks.iter().map(block)).collect()
}

fn block(block: &Block) -> String {
    match block {
        Block::Text(of) => format!("{}\n", line(of)),
        Block::Note(of) => format!("({})\n", line(of)),
        Block::Facts(of) => facts(of),
        Block::List(head, of) => points(&line(head), of),
        Block::Code(of) => format!("{of}\n"),
        Block::Commands(of) => commands(of),
        Block::Records(records) => records.iter().map(record).collect(),
    }
}

fn record(record: &Record) -> String {
    let facts: Vec<String> =
        record.facts.iter().map(|(label, value)| format!("{label}: {}", line(value))).collect();
    format!("* {}\n  {}\n", line(&record.title), facts.join(" · "))
}
