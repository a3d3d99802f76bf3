//! What came of the redaction of one event, in words.

use super::Noted;
use crate::{
    change::{Outcome, Subject, Undo},
    commands::user::account::{how_many, words},
    reply::{Fact, Line, Status},
};

const MIND: &str = "redaction is not erasure: the homeserver keeps the content for a while, and other \
                    servers may ignore it";

/// `2 other events`.
pub(super) fn others(count: usize) -> String {
    how_many(Some(count as u64), "other event", "other events")
}

/// What came of it, from what was noted `after` it; with what was noted before, where that is known.
pub(super) fn outcome(subject: &Subject, before: Option<&Noted>, after: &Noted) -> Outcome {
    let line = Line::new().code(subject);
    let (status, title, mut facts) = match (&after.redacted_by, &after.task) {
        (Some(by), _) => {
            let facts = vec![("Redacted by", Line::new().code(by))];
            (Status::Done, line.plain(" is redacted: it is empty for everybody"), facts)
        }
        (None, Some(task)) if !task.is_over() => {
            let begun = " is not redacted yet; the homeserver has started, and I will say here when \
                         it is finished";
            (Status::Done, line.plain(begun), task.facts())
        }
        (None, task) => {
            let why = task.as_ref().and_then(|task| task.failure(&subject.segment()));
            let line = line.plain(" is not redacted: ");
            let title = match why {
                Some(why) => line.plain("the homeserver says ").hostile(&why),
                None if after.room.is_none() => {
                    line.plain("the homeserver does not have it any more")
                }
                None => {
                    line.plain("the homeserver says that it is through, and has left it as it was")
                }
            };
            (Status::Failed, title, Vec::new())
        }
    };
    if let Some(user) = subject.user() {
        facts.push(("Sent by", Line::new().code(user)));
    }
    facts.extend(after.room.as_ref().map(|room| ("Room", Line::new().code(room))));
    if status == Status::Done {
        facts.extend(before.map(|before| besides(before, after)).unwrap_or_default());
        facts.push(("Mind", MIND.into()));
    }
    let mut remains = Vec::new();
    if let Some(task) = after.task.as_ref().filter(|task| !task.is_over()) {
        remains.push(("See how far it is".into(), words(["user", "redact-status", task.id()])));
    }
    let edit = before.unwrap_or(after).edit.as_ref().filter(|_| status == Status::Done);
    remains.extend(edit.map(|edit| {
        (
            "What it says since it was edited is an event too".into(),
            words(["event", "redact", edit]),
        )
    }));
    let undo = Undo::None("a redacted event stays empty for everybody".to_owned());
    Outcome { status, title, facts, remains, undo }
}

/// What else its sender has sent that is redacted now and was not before, and what is as it was.
fn besides(before: &Noted, after: &Noted) -> Vec<Fact> {
    // Where it was not redacted yet, nothing else was.
    if after.redacted_by.is_none() {
        return Vec::new();
    }
    let named = |ids: &[&String]| {
        let ids = ids.iter().enumerate();
        ids.fold(Line::new(), |line, (n, id)| line.plain(if n > 0 { ", " } else { "" }).code(id))
    };
    let mut facts = Vec::new();
    let gone: Vec<&String> =
        before.others.iter().filter(|other| after.gone.contains(other)).collect();
    if !gone.is_empty() {
        facts.push(("Redacted with it", named(&gone)));
    }
    let lost: Vec<&String> = before.around.iter().filter(|one| after.gone.contains(one)).collect();
    let kept = before.around.iter().filter(|one| after.around.contains(one)).count();
    if !lost.is_empty() {
        let line = named(&lost).plain(", ").strong("which nobody asked me for");
        facts.push(("Redacted meanwhile", line));
    } else if kept > 0 {
        let count = how_many(Some(kept as u64), "event", "events");
        let line = format!("{count} of the same sender before and after it are as they were");
        facts.push(("Not touched", line.into()));
    }
    facts
}
