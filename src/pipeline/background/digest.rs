//! What was done in a week, told in the rooms where the config asks for it.

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::{SignedDuration, Timestamp};
use tracing::error;

use crate::{
    audit::{Kind, Record},
    pipeline::{Pipeline, verbs},
    reply::{Line, Reply, Status, utc},
    store,
};

/// Under this it is kept up to when the rooms were told.
const KEY: &str = "told";

/// How far back one reaches, and how far ahead it looks.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How many verbs and operators are named; the others are counted.
const NAMED: usize = 8;

impl Pipeline {
    /// Tells the rooms what was done in the week, if that is due. What is due for longer, since the bot did
    /// not run, is told once.
    pub async fn tell_digest(&self) {
        let now = self.clock.now();
        let Some(due) = self.rules.digest.map(|weekly| weekly.last(now)) else { return };
        match self.is_digest_due(due) {
            Ok(false) => {}
            Ok(true) => match self.digest(due) {
                // What cannot be said now is kept until it can be.
                Ok(reply) => {
                    self.voice.tell(&format!("digest-{}", due.as_second()), &reply).await;
                }
                Err(error) => {
                    error!(error = &error as &dyn std::error::Error, "the week is not told");
                }
            },
            Err(error) => {
                error!(
                    error = &error as &dyn std::error::Error,
                    "when the week was told is unknown"
                );
            }
        }
    }

    /// Whether the week that ended then is to be told, which is noted. Of a bot that is told to tell it for
    /// the first time, the week has only begun.
    fn is_digest_due(&self, due: Timestamp) -> Result<bool, store::Error> {
        let told = self.digests.get(KEY)?;
        if told.is_none_or(|told| told < due) {
            self.digests.put(KEY, &due)?;
        }
        Ok(told.is_some_and(|told| told < due))
    }

    fn digest(&self, due: Timestamp) -> Result<Reply, store::Error> {
        let begin = due.checked_sub(WEEK).unwrap_or(due);
        let week = Week::of(&self.audit.since(begin)?);
        let mut open_questions = 0;
        for room in &self.roster.rooms {
            open_questions += self.questions.open_in(room)?.len();
        }
        let ahead = due.checked_add(WEEK).unwrap_or(due);
        let sanctions = self.sanctions.open()?;
        let ending = sanctions.iter().filter(|sanction| sanction.until <= ahead).count();
        let changes = match week.changes {
            0 => "no change".to_owned(),
            1 => "1 change".to_owned(),
            n => format!("{n} changes"),
        };
        let mut facts = Vec::new();
        if week.changes > 0 {
            facts.push(("What", counted(&week.verbs)));
            facts.push(("By", counted(&week.operators)));
        }
        for (label, count) in [
            ("Refused", week.refused),
            ("Not done, or unknown", week.failed),
            ("Needs your attention", week.given_up),
            ("Open questions", open_questions),
            ("Temporary measures that end in the next week", ending),
        ] {
            if count > 0 {
                facts.push((label, count.to_string().into()));
            }
        }
        let reply = Reply::data(format!("The week until {}: {changes}", utc(due))).facts(facts);
        Ok(reply.command("One by one", vec!["audit".into(), "list".into()]))
    }
}

/// What was done in a week.
#[derive(Debug, Default, PartialEq, Eq)]
struct Week {
    changes: usize,
    verbs: BTreeMap<String, usize>,
    operators: BTreeMap<String, usize>,
    refused: usize,
    failed: usize,
    given_up: usize,
}

impl Week {
    fn of(records: &[Record]) -> Self {
        let (mut week, known) = (Self::default(), verbs());
        for record in records {
            match record.kind {
                Kind::Opened => {
                    week.changes += 1;
                    *week.verbs.entry(verb(&record.words, &known)).or_default() += 1;
                    let by = record.by.as_ref().map_or("myself", |by| by.as_str());
                    *week.operators.entry(by.to_owned()).or_default() += 1;
                }
                Kind::Closed if record.status.is_some_and(has_failed) => week.failed += 1,
                Kind::Refused => week.refused += 1,
                Kind::GivenUp => week.given_up += 1,
                _ => {}
            }
        }
        week
    }
}

/// Whether what ended so was to be done, and all of it was not, or nobody knows.
fn has_failed(status: Status) -> bool {
    matches!(status, Status::DoneInPart | Status::Unknown) || status.is_no()
}

/// The verb of a command: its first two words, or one of the bot's own.
fn verb(words: &[String], known: &[String]) -> String {
    let two = words.get(..2).unwrap_or(words).join(" ");
    if known.contains(&two) { two } else { words.first().cloned().unwrap_or_default() }
}

/// The most frequent, each with its number.
fn counted(counts: &BTreeMap<String, usize>) -> Line {
    let mut all: Vec<(&String, &usize)> = counts.iter().collect();
    all.sort_by_key(|(_, count)| Reverse(**count));
    let rest = all.len().saturating_sub(NAMED);
    let mut line = Line::new();
    for (place, (what, count)) in all.into_iter().take(NAMED).enumerate() {
        let gap = if place == 0 { "" } else { ", " };
        line = line.plain(gap).code(what).plain(format!(" {count}"));
    }
    if rest > 0 { line.plain(format!(", and {rest} more")) } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::testing::Stage;

    /// A day.
    const DAY: i64 = 24 * 3600;

    #[tokio::test]
    async fn a_week_is_told_once_with_what_was_refused_and_what_is_open() {
        let stage = Stage::set("http://127.0.0.1:1", "none");
        let told = || stage.heard.all().join("\n").replace(['\\', '\u{2060}'], "");
        stage.pipeline.tell_digest().await;
        assert!(told().is_empty(), "the first week has only begun: {}", told());
        let by = |kind| Record { by: "@ann:synod.test".try_into().ok(), ..Record::new(kind) };
        for kind in [Kind::Refused, Kind::GivenUp, Kind::Looked] {
            stage.pipeline.audit.note(by(kind)).await.unwrap();
        }
        stage.clock.pass(7 * DAY);
        stage.pipeline.tell_digest().await;
        stage.pipeline.tell_digest().await;
        let told = told();
        assert_eq!(told.matches("The week until").count(), 1, "{told}");
        assert!(told.contains("no change") && told.contains("Refused: 1"), "{told}");
        assert!(told.contains("Needs your attention: 1"), "{told}");
        assert!(told.contains("!audit list"), "{told}");
        // What is due for weeks is told once.
        stage.clock.pass(21 * DAY);
        stage.pipeline.tell_digest().await;
        let all = stage.heard.all().join("\n");
        assert_eq!(all.matches("The week until").count(), 2, "{all}");
    }

    #[test]
    fn changes_are_counted_by_verb_and_by_operator() {
        let by = |kind, words: &str, by: &str, status| {
            let words = words.split(' ').map(str::to_owned).collect();
            let by = format!("@{by}:synod.test").try_into().ok();
            Record { by, words, status, ..Record::new(kind) }
        };
        let week = Week::of(&[
            by(Kind::Opened, "user suspend @eve:synod.test", "ann", None),
            by(Kind::Closed, "user suspend @eve:synod.test", "ann", Some(Status::Done)),
            by(Kind::Opened, "user suspend @sam:synod.test", "moe", None),
            by(Kind::Closed, "user suspend @sam:synod.test", "moe", Some(Status::Unknown)),
            by(Kind::Opened, "undo 1", "ann", None),
            by(Kind::Looked, "user whois @eve:synod.test", "ann", None),
            by(Kind::Refused, "user deactivate @ann:synod.test", "moe", None),
        ]);
        assert_eq!((week.changes, week.refused, week.failed, week.given_up), (3, 1, 1, 0));
        assert_eq!(counted(&week.verbs).text(), "user suspend 2, undo 1");
        assert_eq!(counted(&week.operators).text(), "@ann:synod.test 2, @moe:synod.test 1");
    }
}
