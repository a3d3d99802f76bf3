//! Several changes as one: the same command for each of a list, or what takes a job back.

use async_trait::async_trait;
use std::collections::HashMap;
use tokio::sync::OnceCell;

use crate::{
    change::{
        Answer, Change, Class, FactMap, Outcome, Power, Progress, Question, Skip, Snapshot,
        Subject, Undo,
    },
    commands::{Action, Meaning},
    error::Stop,
    pipeline::change::fact::not_as_left,
    reply::{Line, Status},
    synapse::Reader,
};

/// One of the changes.
#[derive(Debug)]
pub(in crate::pipeline) struct Part {
    /// What it does.
    pub(in crate::pipeline) action: Box<dyn Action>,
    /// Its verb by its own name.
    pub(in crate::pipeline) verb: String,
    /// The only one of its subjects that is meant, and the state that it must be found in, where it
    /// takes something back.
    pub(in crate::pipeline) found: Option<(Subject, FactMap)>,
}

/// Several changes, each of other subjects.
#[derive(Debug)]
pub(in crate::pipeline) struct Together {
    parts: Vec<Part>,
    /// What none of them does, where they take back only a part of something.
    rest: Option<String>,
    /// Which part is whose, in the order in which they were named.
    whose: OnceCell<(Vec<Subject>, HashMap<Subject, usize>)>,
}

impl Together {
    /// These changes, of which there is at least one and none holds or makes a secret; `None`
    /// otherwise.
    pub(in crate::pipeline) fn new(parts: Vec<Part>) -> Option<Self> {
        let secret = |part: &Part| {
            let action = &part.action;
            action.whispers() || !action.makes().is_empty() || !action.typed().is_empty()
        };
        if parts.is_empty() || parts.iter().any(secret) {
            return None;
        }
        Some(Self { parts, rest: None, whose: OnceCell::new() })
    }

    /// The same, which does all but this.
    pub(in crate::pipeline) fn but_for(self, rest: Option<String>) -> Self {
        Self { rest, ..self }
    }

    /// What none of them does, to be said once: with the first subject.
    fn rest_with(&self, subject: &Subject) -> Option<&String> {
        let (order, _) = self.whose.get()?;
        self.rest.as_ref().filter(|_| order.first() == Some(subject))
    }

    /// The verb of the first.
    pub(in crate::pipeline) fn verb(&self) -> &str {
        self.parts.first().map_or("", |part| part.verb.as_str())
    }

    async fn resolve(
        &self,
        reader: &Reader,
    ) -> Result<&(Vec<Subject>, HashMap<Subject, usize>), Stop> {
        let resolve = || async {
            let (mut order, mut whose) = (Vec::new(), HashMap::new());
            for (n, part) in self.parts.iter().enumerate() {
                let subjects = match &part.found {
                    Some((subject, _)) => vec![subject.clone()],
                    None => part.action.subjects(reader).await?,
                };
                for subject in subjects {
                    if whose.insert(subject.clone(), n).is_none() {
                        order.push(subject);
                    }
                }
            }
            Ok((order, whose))
        };
        self.whose.get_or_try_init(resolve).await
    }

    /// The part that a subject belongs to, once they are resolved, which the first look does.
    fn part(&self, subject: &Subject) -> Option<&Part> {
        let (_, whose) = self.whose.get()?;
        self.parts.get(*whose.get(subject)?)
    }
}

fn nobodys(subject: &Subject) -> Line {
    Line::new().code(subject).plain(" is not part of this")
}

#[async_trait]
impl Action for Together {
    fn class(&self, many: usize) -> Class {
        let classes = self.parts.iter().map(|part| part.action.class(many));
        classes.max().unwrap_or(Class::Irreversible)
    }

    fn power(&self) -> Power {
        self.parts.iter().map(|part| part.action.power()).max().unwrap_or(Power::Server)
    }

    fn amounts_to(&self) -> Vec<&str> {
        let parts = self.parts.iter();
        let mut verbs: Vec<&str> = parts
            .flat_map(|part| std::iter::once(part.verb.as_str()).chain(part.action.amounts_to()))
            .collect();
        verbs.sort_unstable();
        verbs.dedup();
        verbs
    }

    fn phrase(&self) -> bool {
        self.parts.iter().any(|part| part.action.phrase())
    }

    fn harmless(&self) -> bool {
        self.parts.iter().all(|part| part.action.harmless())
    }

    fn refusals(&self, subject: &Subject) -> Option<&'static [Meaning]> {
        match self.part(subject) {
            Some(part) => part.action.refusals(subject),
            None => Some(&[]),
        }
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        Ok(self.resolve(reader).await?.0.clone())
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        self.resolve(reader).await?;
        let part = self.part(subject).ok_or_else(|| Stop::refused(nobodys(subject)))?;
        part.action.snapshot(subject, reader).await
    }

    async fn snapshot_after(
        &self,
        subject: &Subject,
        answers: &[Answer],
        reader: &Reader,
    ) -> Result<Snapshot, Stop> {
        let part = self.part(subject).ok_or_else(|| Stop::refused(nobodys(subject)))?;
        part.action.snapshot_after(subject, answers, reader).await
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let mut question = match self.part(subject) {
            Some(part) => part.action.question(subject, seen),
            None => Question { title: nobodys(subject), ..Question::default() },
        };
        let rest = self.rest_with(subject).map(|rest| Undo::parts(rest));
        question.stays.extend(rest.into_iter().flatten());
        question
    }

    fn explanations(&self, subject: &Subject) -> Vec<Line> {
        self.part(subject).map(|part| part.action.explanations(subject)).unwrap_or_default()
    }

    fn warnings(&self, subject: &Subject, seen: &Snapshot) -> Vec<Line> {
        self.part(subject).map(|part| part.action.warnings(subject, seen)).unwrap_or_default()
    }

    fn reaches(&self, subject: &Subject, seen: &Snapshot) -> Vec<Subject> {
        self.part(subject).map(|part| part.action.reaches(subject, seen)).unwrap_or_default()
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        let refused = |why| Skip { status: Status::Refused, why, instead: Vec::new() };
        let part = self.part(subject).ok_or_else(|| refused(nobodys(subject)))?;
        if let Some((_, left)) = &part.found
            && let Some(difference) = not_as_left(subject, left, seen)
        {
            let why = Line::from("it has changed since: ").line(difference.line());
            return Err(refused(why));
        }
        part.action.change(subject, seen)
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let mut outcome = match self.part(subject) {
            Some(part) => part.action.outcome(subject, before, answers, after),
            None => super::found::not_verified(subject, &Stop::refused(nobodys(subject))),
        };
        let rest = self.rest_with(subject).map(|rest| Undo::parts(rest)).into_iter().flatten();
        outcome.facts.extend(rest.map(|part| ("Not undone", part)));
        outcome
    }

    fn erases(&self, subject: &Subject) -> bool {
        self.part(subject).is_some_and(|part| part.action.erases(subject))
    }

    fn begins(
        &self,
        subject: &Subject,
        answers: &[Answer],
        after: Option<&Snapshot>,
    ) -> Option<String> {
        self.part(subject)?.action.begins(subject, answers, after)
    }

    fn outlasts(&self, subject: &Subject, before: &Snapshot) -> Option<String> {
        self.part(subject)?.action.outlasts(subject, before)
    }

    async fn progress(
        &self,
        subject: &Subject,
        work: &str,
        reader: &Reader,
    ) -> Result<Progress, Stop> {
        // After a restart nobody has looked at whose it is.
        self.resolve(reader).await?;
        let part = self.part(subject).ok_or_else(|| Stop::refused(nobodys(subject)))?;
        part.action.progress(subject, work, reader).await
    }
}
