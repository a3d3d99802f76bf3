//! Every command that an answer shows where commands begin with another prefix: it is shown with that
//! prefix, and understood when it is typed like that.
//!
//! The homeserver is a real one that is only looked at, behind a proxy that answers what would change it.

use std::collections::BTreeSet;

use ruma::{room_id, user_id};
use serde_json::json;
use world::{Proxy, Synapse, Things};

use crate::{
    commands::GROUPS,
    confirm::{Demand, State},
    input::{Heard, Prefix, hear_in, quote},
    operators::{Policy, Protection, Stance},
    pipeline::{inbound::understand::help::help, is_first_word, own::OWN, testing::Stage, verbs},
    reply::{Block, Custom, Layout, Reply},
};

/// What stands in code in this HTML, as somebody copies it.
fn copied(html: &str) -> Vec<String> {
    let pieces = html.split("<code>").skip(1).filter_map(|rest| rest.split("</code>").next());
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    let plain = |text: &str| {
        entities.iter().fold(text.to_owned(), |text, (entity, c)| text.replace(entity, c))
    };
    pieces.map(|piece| plain(piece).replace('\u{2060}', "")).collect()
}

/// The words in a text that begin like a command on record.
fn usual_in(text: &str) -> Vec<String> {
    let text = text.replace('\u{2060}', "");
    let found = text.match_indices('!').filter_map(|(at, _)| {
        let (before, rest) = text.split_at_checked(at)?;
        let name = rest.get(1..)?;
        let end = name.find(|c: char| !(c.is_ascii_lowercase() || c == '-')).unwrap_or(name.len());
        let (word, behind) = name.split_at_checked(end)?;
        let within = before.ends_with(char::is_alphanumeric) || behind.starts_with(':');
        (is_first_word(word) && !within).then(|| rest.chars().take(40).collect::<String>())
    });
    found.collect()
}

fn words(line: &str, prefix: &Prefix) -> Option<Vec<String>> {
    match hear_in(prefix, Some(user_id!("@synod:synod.test")), line, None, &is_first_word) {
        Heard::Command(command) => Some(command.words),
        _ => None,
    }
}

/// What of an answer is no command as it is typed here, and how many there are that are.
fn wrong(reply: &Reply, prefix: &Prefix) -> (Vec<String>, usize) {
    let (mut wrong, mut commands) = (Vec::new(), 0);
    for layout in Layout::ALL {
        for part in reply.draw(Custom { layout, prefix }) {
            wrong.extend(usual_in(&part.body).into_iter().map(|text| format!("body: {text}")));
            for text in copied(&part.html) {
                let begins = text.strip_prefix(&prefix.to_string());
                let begins =
                    begins.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphabetic()));
                let is_understood = begins && words(&text, prefix).is_some();
                if !usual_in(&text).is_empty() || begins && !is_understood {
                    wrong.push(format!("code: {text}"));
                }
                commands += usize::from(is_understood);
            }
        }
    }
    for block in &reply.blocks {
        let Block::Commands(all) = block else { continue };
        for (_, meant) in all {
            let typed = prefix.typed(&quote(meant));
            if words(&typed, prefix).as_ref() != Some(meant) {
                wrong.push(format!("to copy: {typed}"));
            }
        }
    }
    (wrong, commands)
}

/// The same of several, each with what led to it; panics where something is wrong.
fn all_right<'a>(replies: impl Iterator<Item = (String, &'a Reply)>, prefix: &Prefix) -> usize {
    let (mut faults, mut commands) = (BTreeSet::new(), 0);
    for (what, reply) in replies {
        let (wrong, understood) = wrong(reply, prefix);
        faults.extend(wrong.into_iter().map(|fault| format!("{what}: {fault}")));
        commands += understood;
    }
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "with {:?}:\n{}", prefix.to_string(), faults.join("\n"));
    commands
}

fn prefixes() -> [Prefix; 2] {
    [".", "!s "].map(|prefix| prefix.parse().unwrap())
}

#[test]
fn help_is_typed_with_the_prefix() {
    for prefix in prefixes() {
        let mut asked: Vec<String> = verbs();
        asked.extend(["", "yes", "usr", "user usr", "list"].map(str::to_owned));
        let replies: Vec<(String, Reply)> = asked
            .into_iter()
            .map(|name| {
                let words: Vec<String> = name.split_whitespace().map(str::to_owned).collect();
                let reply = help(&words, None);
                (format!("help {name}"), reply)
            })
            .collect();
        let commands = all_right(replies.iter().map(|(what, r)| (what.clone(), r)), &prefix);
        assert!(commands > 1000, "{commands}");
    }
}

/// What is typed wrong, of every verb.
fn mistyped() -> Vec<String> {
    let of_verb = |verb: String| {
        [
            verb.clone(),
            format!("{verb} --nonsense"),
            format!("{verb} !x"),
            format!("{verb} a b c d e f g"),
            format!("{verb} @ann@example.org"),
            format!("{verb} --for 3 days --reason said by @eve:synod.test"),
            verb.replace(' ', "."),
            verb.split(' ').next_back().unwrap_or_default().to_owned(),
        ]
    };
    let more = [
        "usr list",
        "user lst",
        "user suspend eve --yes",
        "user list -limit 5",
        "whoami",
        "ban eve",
        "confirm 000000",
        "confirm",
        "undo",
        "undo 999",
        "audit show 999",
        "job show 999",
        "next",
        "user details .",
        "alias add user list",
        "alias add spam \"user suspend --reason spam\"",
        "spam",
        "freeze",
        "unfreeze",
        "help alias",
        "user suspend eve\n@ann:synod.test\nroom",
        "stop",
    ];
    verbs().into_iter().flat_map(of_verb).chain(more.map(str::to_owned)).collect()
}

/// Says it with the prefix, and what its question is answered with; every answer, with what led to it.
async fn answers(stage: &Stage, command: &str, prefix: &Prefix) -> Vec<(String, Reply)> {
    let begin = stage.heard.said().len();
    stage.say("ann", &prefix.typed(&format!("!{command}"))).await;
    let open = stage.pipeline.questions.open_in(room_id!("!admin:synod.test")).unwrap();
    if let Some(ticket) = open.into_iter().find(|ticket| ticket.state == State::Open) {
        let code = &ticket.code;
        stage.say("ann", &prefix.typed(&format!("!confirm {code} nonsense"))).await;
        let phrase = match &ticket.demand {
            Demand::Phrase(phrase) => phrase,
            Demand::Yes | Demand::Code => "",
        };
        stage.say("ann", &prefix.typed(&format!("!confirm {code} {phrase}"))).await;
        stage.say("ann", &prefix.typed(&format!("!confirm {code}"))).await;
    }
    let said = stage.heard.said();
    said[begin..].iter().map(|(_, reply)| (command.to_owned(), reply.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_answered_shows_commands_as_they_are_typed_here() {
    let synapse = Synapse::shared().await.unwrap();
    let eve = synapse.register("prefix-eve", "correct horse", false, "eve").await.unwrap();
    let things = Things::of(&synapse, eve).await.unwrap();
    let api = synapse.admin();
    let proxy = Proxy::start(&synapse.url()).await.unwrap();
    proxy.keep_changes(json!({ "delete_id": "cut", "purge_id": "cut", "redact_id": "cut" }));
    let examples = GROUPS.iter().flat_map(|group| group.verbs).flat_map(|verb| verb.examples);
    let own = OWN.iter().flat_map(|own| own.examples);
    let typed = examples.map(|example| things.typed(example).trim_start_matches('!').to_owned());
    let typed = typed.chain(own.map(|example| (*example).to_owned()));
    let typed: Vec<String> = typed.chain(mistyped()).collect();
    for prefix in prefixes() {
        let mut all = Vec::new();
        let policy = Policy { protection: Protection::all(Stance::Phrase), ..Policy::default() };
        let set = || Stage::with_prefix(policy.clone(), prefix.clone(), proxy.url(), api.token());
        let mut stage = set();
        for command in &typed {
            // What stops the bot is said to one of its own; and so is what is on record as a sentence,
            // in which a command is as it is on record.
            let apart =
                ["freeze", "unfreeze", "alias"].iter().any(|verb| command.starts_with(verb));
            if apart {
                stage = set();
            }
            let answers = answers(&stage, command, &prefix).await;
            all.extend(answers);
            if apart {
                stage = set();
            }
        }
        assert!(all.len() > typed.len() * 9 / 10, "{} of {}", all.len(), typed.len());
        // The way back of an alias quotes what it stands for, which is understood in either form.
        let told = all.iter().filter(|(command, _)| !command.starts_with("alias"));
        let commands = all_right(told.map(|(what, reply)| (what.clone(), reply)), &prefix);
        assert!(commands > 1000, "{commands}");

        let before = stage.heard.said().len();
        for other in ["!ban @eve:synod.test", "!user list", "!help", "/user list"] {
            let heard = stage.hand(stage.request("ann", other)).await;
            assert!(!heard, "{other} is for another bot");
        }
        assert_eq!(stage.heard.said().len(), before, "nothing is said to another bot's commands");
    }
}
