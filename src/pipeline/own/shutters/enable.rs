//! What `shutters open` does: each token is enabled again as it was, unless somebody has changed it.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::{
    change::{
        Answer, Change, Class, FactMap, Outcome, Power, Question, Skip, Snapshot, Subject, Undo,
    },
    commands::{Action, Meaning},
    error::Stop,
    pipeline::change::fact::not_as_left,
    reply::{Line, Status},
    synapse::Reader,
};

/// One token.
#[derive(Debug)]
pub(super) struct Part {
    /// The state in which it was left.
    pub(super) left: FactMap,
    /// What puts it back.
    pub(super) action: Box<dyn Action>,
}

/// Enables tokens again that were disabled.
#[derive(Debug)]
pub(super) struct Enable {
    parts: BTreeMap<Subject, Part>,
}

impl Enable {
    pub(super) fn new(parts: BTreeMap<Subject, Part>) -> Self {
        Self { parts }
    }
}

fn nobodys(subject: &Subject) -> Line {
    Line::new().code(subject).plain(" was not disabled through me")
}

#[async_trait]
impl Action for Enable {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Account
    }

    fn amounts_to(&self) -> Vec<&str> {
        vec!["regtok update"]
    }

    fn is_one_measure(&self) -> bool {
        true
    }

    fn refusals(&self, subject: &Subject) -> Option<&'static [Meaning]> {
        self.parts.get(subject).map_or(Some(&[]), |part| part.action.refusals(subject))
    }

    async fn subjects(&self, _reader: &Reader) -> Result<Vec<Subject>, Stop> {
        Ok(self.parts.keys().cloned().collect())
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let part = self.parts.get(subject).ok_or_else(|| Stop::refused(nobodys(subject)))?;
        part.action.snapshot(subject, reader).await
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        Question { title: Line::from("Enable again ").code(subject), ..Question::default() }
    }

    fn explanations(&self, _subject: &Subject) -> Vec<Line> {
        vec!["People can register with them again, as often and as long as before".into()]
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        let Some(part) = self.parts.get(subject) else {
            return Err(Skip::refused(nobodys(subject)));
        };
        let change = part.action.change(subject, seen).map_err(|skip| match skip.status {
            Status::NothingChanged => {
                Skip::already(Line::new().code(subject).plain(" is as it was before already"))
            }
            Status::NotFound => {
                Skip::not_found(Line::new().code(subject).plain(" was deleted meanwhile"))
            }
            // Its own expiry has passed while it was disabled, and the homeserver takes none that is past.
            Status::NotUnderstood => Skip::already(
                Line::new().code(subject).plain(" would have expired meanwhile, and stays expired"),
            ),
            _ => skip,
        })?;
        match not_as_left(subject, &part.left, seen) {
            Some(difference) => Err(Skip::refused(
                Line::from("left alone, since somebody has changed it: ").line(difference.line()),
            )),
            None => Ok(change),
        }
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let undo = match self.parts.get(subject) {
            Some(part) => part.action.outcome(subject, before, answers, after).undo,
            None => Undo::None("look at it first".to_owned()),
        };
        Outcome::done(Line::new().code(subject).plain(" can be used again as before"), undo)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::pipeline::inbound::understand::{Understood, understand};

    fn welcome() -> Subject {
        Subject::Token("welcome".to_owned())
    }

    /// When it expires as it was left, in milliseconds.
    const LEFT: i64 = 1_000;

    fn enable() -> Enable {
        let words = ["regtok", "update", "welcome", "--expiry-ts", "-1"].map(str::to_owned);
        let Understood::Command(crate::commands::Ask::Change(action), _) = understand(&words)
        else {
            panic!("it is a change");
        };
        let left = facts(&json!(9), &json!(LEFT));
        Enable::new(BTreeMap::from([(welcome(), Part { left, action })]))
    }

    fn facts(uses: &Value, expiry: &Value) -> FactMap {
        FactMap::from([
            ("uses_allowed".to_owned(), uses.clone()),
            ("expiry_time".to_owned(), expiry.clone()),
        ])
    }

    fn seen(uses: &Value, expiry: &Value) -> Snapshot {
        let mut preconditions = facts(uses, expiry);
        preconditions.insert("exists".to_owned(), json!(true));
        Snapshot { preconditions, ..Snapshot::default() }
    }

    #[test]
    fn a_token_that_was_left_alone_gets_its_expiry_back() {
        let change = enable().change(&welcome(), &seen(&json!(9), &json!(LEFT))).unwrap();
        assert_eq!(change.steps[0].body, json!({ "expiry_time": null }));
        assert!(change.steps[0].idempotent);
    }

    #[test]
    fn one_that_somebody_changed_is_named_and_left_alone() {
        for (uses, expiry, why) in [
            (json!(5), json!(LEFT), "uses allowed was 9 and is 5"),
            (json!(null), json!(LEFT), "uses allowed was 9 and is nothing"),
            (json!(9), json!(4_000_000_000_000_i64), "expiry time was 1000 and is 4000000000000"),
        ] {
            let skip = enable().change(&welcome(), &seen(&uses, &expiry)).unwrap_err();
            assert_eq!(skip.status, Status::Refused);
            let told = skip.why.text();
            assert!(told.contains("left alone") && told.contains(why), "{told}");
        }
    }

    #[test]
    fn what_is_back_already_or_gone_is_told() {
        let back = enable().change(&welcome(), &seen(&json!(9), &json!(null))).unwrap_err();
        assert_eq!(back.status, Status::NothingChanged);
        let gone = Snapshot {
            preconditions: FactMap::from([("exists".to_owned(), json!(false))]),
            ..Snapshot::default()
        };
        let gone = enable().change(&welcome(), &gone).unwrap_err();
        assert_eq!(
            (gone.status, gone.why.text()),
            (Status::NotFound, "welcome was deleted meanwhile".to_owned())
        );
        let other = Subject::Token("other".to_owned());
        let nobodys = enable().change(&other, &seen(&json!(9), &json!(LEFT))).unwrap_err();
        assert_eq!(nobodys.status, Status::Refused);
    }
}
