//! What one verb turns on and another turns off: a lock, a block, a protection, a pause.
//!
//! A [`Switch`] says what it is of, how it is seen, which request turns it, and in which words. The
//! rest is the same for all of them, and is [`Turn`].

use std::fmt::Debug;

use async_trait::async_trait;
use serde_json::json;

use super::{Action, Ask, Meaning};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Outcome, Power, Question, Skip, Snapshot, Step, Subject,
        Undo,
    },
    error::Stop,
    reply::{Fact, Line},
    synapse::Reader,
};

/// Something of its subjects that is on or off.
#[async_trait]
pub(super) trait Switch: Debug + Send + Sync {
    /// The name of the fact that binds: whether it is on.
    fn key(&self) -> &'static str;

    /// What is said of turning it on, or off.
    fn wording(&self, on: bool) -> &'static Wording;

    /// What right it takes.
    fn power(&self) -> Power {
        Power::Moderate
    }

    /// What it means where the homeserver refuses the request.
    fn refusals(&self) -> &'static [Meaning];

    /// The subjects, each once.
    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop>;

    /// Looks at one, and whether it is on.
    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop>;

    /// Refuses a subject that has no such switch.
    fn exists(&self, _subject: &Subject, _seen: &Snapshot) -> Result<(), Skip> {
        Ok(())
    }

    /// Refuses to turn it where that would have no effect.
    fn possible(&self, _subject: &Subject, _seen: &Snapshot, _on: bool) -> Result<(), Skip> {
        Ok(())
    }

    /// The command that shows how it is.
    fn shown_by(&self, _subject: &Subject) -> Option<String> {
        None
    }

    /// The request that turns it.
    fn step(&self, subject: &Subject, on: bool) -> Step;

    /// The same, of what was seen to be kept elsewhere.
    fn step_where(&self, subject: &Subject, _seen: &Snapshot, on: bool) -> Step {
        self.step(subject, on)
    }

    /// What somebody must know who turns it, from what was seen before.
    fn warning(&self, _subject: &Subject, _before: &Snapshot) -> Option<Line> {
        None
    }

    /// The state afterwards.
    fn facts(&self, after: &Snapshot, on: bool) -> Vec<Fact>;

    /// What remains although one might think otherwise.
    fn remains(
        &self,
        _subject: &Subject,
        _after: &Snapshot,
        _on: bool,
    ) -> Vec<(Line, Vec<String>)> {
        Vec::new()
    }

    /// The command that turns it on, or off.
    fn turn(self, on: bool) -> Ask
    where
        Self: Sized + 'static,
    {
        Turn { switch: self, on }.into()
    }
}

/// What is said of one direction.
#[derive(Debug)]
pub(super) struct Wording {
    /// The verb for it, whichever verb was typed.
    pub(super) verb: &'static str,
    /// What it did, as the record says it before the subject.
    pub(super) did: &'static str,
    /// What is asked, before the id and behind it.
    pub(super) asked: (&'static str, &'static str),
    /// The state where there is nothing to do, behind the id.
    pub(super) already: &'static str,
    /// The state afterwards, behind the id.
    pub(super) said: &'static str,
    /// The command that takes it back, with the subject as it is typed.
    pub(super) back: fn(&str) -> Vec<String>,
}

/// Turns it on or off. One subject is put back as it was by the opposite; many are more than one
/// sees at a glance.
#[derive(Debug)]
pub(super) struct Turn<S> {
    /// What is turned.
    pub(super) switch: S,
    /// Whether it is turned on.
    pub(super) on: bool,
}

impl<S: Switch + 'static> From<Turn<S>> for Ask {
    fn from(turn: Turn<S>) -> Self {
        Self::Change(Box::new(turn))
    }
}

#[async_trait]
impl<S: Switch> Action for Turn<S> {
    fn class(&self, many: usize) -> Class {
        if many > 1 { Class::Disruptive } else { Class::Reversible }
    }

    fn power(&self) -> Power {
        self.switch.power()
    }

    fn amounts_to(&self) -> Vec<&str> {
        vec![self.switch.wording(self.on).verb]
    }

    fn did(&self) -> Option<&'static str> {
        Some(self.switch.wording(self.on).did)
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(self.switch.refusals())
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        self.switch.subjects(reader).await
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        self.switch.snapshot(subject, reader).await
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        let (before, behind) = self.switch.wording(self.on).asked;
        let title = Line::new().plain(before).code(subject).plain(behind);
        Question { title, ..Question::default() }
    }

    fn warnings(&self, subject: &Subject, seen: &Snapshot) -> Vec<Line> {
        self.switch.warning(subject, seen).into_iter().collect()
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        self.switch.exists(subject, seen)?;
        let key = self.switch.key();
        if seen.is(key) == self.on {
            let already = self.switch.wording(self.on).already;
            let skip = Skip::already(Line::new().code(subject).plain(already));
            return Err(match self.switch.shown_by(subject) {
                Some(command) => skip.or(command),
                None => skip,
            });
        }
        self.switch.possible(subject, seen, self.on)?;
        let step = self.switch.step_where(subject, seen, self.on).idempotent();
        let wanted = FactMap::from([(key.to_owned(), json!(self.on))]);
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let wording = self.switch.wording(self.on);
        let undo = Undo::Command((wording.back)(&subject.typed()));
        Outcome::done(Line::new().code(subject).plain(wording.said), undo)
            .facts(self.switch.facts(after, self.on))
            .facts(self.switch.warning(subject, before).map(|line| ("Mind", line)))
            .remains(self.switch.remains(subject, after, self.on))
    }
}
