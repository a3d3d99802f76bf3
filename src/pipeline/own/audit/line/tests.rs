use ruma::{owned_user_id, server_name};

use super::*;
use crate::{
    audit::Entry,
    change::Subject,
    commands::{Does, GROUPS, past_tense},
    input::{Heard, hear},
    pipeline::is_first_word,
    reply::{Block, Reply, phone},
};

const NOW: &str = "2026-11-29T22:00:00Z";

fn kept(seq: u64, at: &str, record: Record) -> Kept {
    let entry = Entry {
        seq,
        at: at.parse().unwrap(),
        kind: record.kind,
        digest: String::new(),
        before: String::new(),
        hash: String::new(),
    };
    Kept { entry, salt: None, record: Some(record) }
}

fn words(command: &str) -> Vec<String> {
    match hear(&format!("!{command}"), None, &is_first_word) {
        Heard::Command(command) => command.words,
        _ => panic!("{command} is not heard as a command"),
    }
}

fn user(name: &str) -> Subject {
    Subject::User(format!("@{name}:synod.test").try_into().unwrap())
}

fn record(kind: Kind, command: &str, subjects: Vec<Subject>) -> Record {
    Record {
        by: Some(owned_user_id!("@moses:synod.test")),
        words: words(command),
        subjects,
        status: (kind == Kind::Closed).then_some(Status::Done),
        ..Record::new(kind)
    }
}

fn shown(kept: &Kept) -> String {
    let line = line(kept, NOW.parse().unwrap(), server_name!("synod.test"));
    phone::body(&Reply::data("").with(Block::List(Line::new(), vec![line])))
}

#[test]
fn a_record_takes_two_lines_at_most() {
    let raid: Vec<Subject> = (1..=17).map(|n| user(&format!("raid-{n:02}"))).collect();
    let suspended = Record {
        reason: Some("spam in the lobby".to_owned()),
        of: Some(9),
        ..record(Kind::Closed, "user suspend @lena:synod.test", vec![user("lena")])
    };
    let cut = Record {
        status: Some(Status::Unknown),
        of: Some(20),
        note: Some("cut off".to_owned()),
        ..record(Kind::Closed, "user lock @eve:synod.test", vec![user("eve")])
    };
    let all = [
        kept(10, "2026-11-29T19:15:00Z", suspended),
        kept(11, "2026-11-28T09:00:00Z", record(Kind::QuestionPut, "user deactivate -e @a", raid)),
        kept(
            12,
            "2025-01-02T03:04:05Z",
            record(Kind::Refused, "user password @a", vec![user("a")]),
        ),
        kept(21, "2026-11-29T21:00:00Z", cut),
        kept(22, "2026-11-29T21:01:00Z", record(Kind::Looked, "user whois @eve --show-ip", vec![])),
    ];
    let lines: Vec<String> = all.iter().map(shown).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    - 19:15 moses suspended @lena · “spam in the lobby” · #9
    - 28 Nov 09:00 moses asked: deactivate 17 accounts, @raid-01 … @raid-17 · #11
    - 2 Jan 2025 03:04 moses was refused user password @a · #12
    - 21:00 moses locked @eve · Unknown · cut off · #20
    - 21:01 moses looked at private things: !user whois @eve --show-ip · #22
    ");
    for line in lines {
        assert!(phone::lines(&line) <= 2, "{}: {line}", phone::lines(&line));
    }
}

#[test]
fn whoever_is_of_another_server_stands_there_with_it() {
    let mut record = record(Kind::Closed, "user suspend @lena:synod.test", vec![user("lena")]);
    record.by = Some(owned_user_id!("@moses:y.test"));
    record.approvals = vec![owned_user_id!("@ann:synod.test")];
    let line = shown(&kept(1, NOW, record));
    assert!(line.contains("@moses:y.test suspended @lena"), "{line}");
    assert!(line.contains("approved by @ann:synod.test"), "{line}");
}

#[test]
fn what_goes_the_other_way_is_said_so() {
    for (command, said) in [
        ("user suspend @lena -U", "unsuspended"),
        ("user deactivate @lena -e", "deactivated and erased"),
        ("user modify @lena --deactivate", "changed"),
        ("media unquarantine mxc://synod.test/abc", "released from quarantine"),
    ] {
        assert_eq!(did(&words(command)), said, "{command}");
    }
    assert_eq!(did(&["user".to_owned(), "vanish".to_owned()]), "ran user vanish on");
}

#[test]
fn every_verb_that_changes_something_says_what_it_did() {
    let mut all = Vec::new();
    for group in GROUPS {
        for verb in group.verbs.iter().filter(|verb| verb.does != Does::Look) {
            all.push(group.words(verb));
            for example in verb.examples {
                let record = record(Kind::Closed, example, vec![]);
                let looks = matches!(
                    understand(&record.words),
                    Understood::Command(Ask::Read(_), _) | Understood::Reply(_)
                );
                let did = did(&record.words);
                assert!(looks || !did.starts_with("ran "), "{example}: {did}");
            }
        }
    }
    let own = [
        "undo",
        "sanction lift",
        "shutters close",
        "shutters open",
        "limits lift",
        "limits restore",
    ];
    for verb in past_tense::known() {
        assert!(own.contains(&verb) || all.iter().any(|one| one == verb), "{verb} is no verb");
    }
}
