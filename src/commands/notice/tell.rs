//! `--tell`: what is said to somebody as a server notice before something is done to their account.
//!
//! It comes first: afterwards a suspended account can no longer join the room for notices, and a locked
//! or deactivated one reads nothing. Where it fails nothing else is sent, since what was agreed to was to
//! tell them. It is said once: what an answer was seen to is never sent again by itself.

use async_trait::async_trait;
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::{
    reach::{Reach, Reachable},
    send,
    text::{Text, said},
};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Outcome, Power, Probe, Progress, Question, Skip, Snapshot,
        Subject, Undo,
    },
    commands::{Action, Ask, LongWork, Meaning, refusals::of_either, user::account},
    error::Stop,
    reply::{Hostile, Line, Status},
    synapse::Reader,
};

// No doc comment: it would become the verb's help.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::commands) struct Tell {
    /// Send them this first, as a server notice, in quotes; it cannot be taken back
    #[arg(long, value_name = "TEXT", value_parser = said)]
    tell: Option<String>,
}

/// What is done to the accounts after they were told, as far as it matters for who can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Then {
    /// They read on, and join no room.
    Suspended,
    /// They read nothing until the end of it.
    Locked,
    /// They are logged out everywhere.
    Deactivated,
}

impl Tell {
    /// This change, or what tells its subjects something first, where that was typed. With what it
    /// means where the homeserver refuses either, see [`meanings`].
    pub(in crate::commands) fn before<A: Action + 'static>(
        self,
        action: A,
        then: Then,
        several: bool,
        meanings: &'static [Meaning],
    ) -> Ask {
        match self.tell {
            None => Ask::Change(Box::new(action)),
            Some(text) => {
                let text = Text::lines(&text);
                Ask::Change(Box::new(Told { action, text, then, several, meanings }))
            }
        }
    }
}

/// What a refusal means of a change before which somebody is told something.
const BEFORE: &[Meaning] = &[
    send::SWITCHED_OFF,
    send::NOT_INVITED,
    send::TOO_LONG,
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "",
        "the homeserver or a module of it forbids the notice, or what was to follow it; the same \
        without --tell shows which",
    ),
];

/// The same, and then what it means where it is about the change itself.
pub(in crate::commands) fn meanings(change: &[Meaning]) -> Vec<Meaning> {
    of_either(BEFORE, change)
}

/// A change whose subjects are told something first.
#[derive(Debug)]
struct Told<A> {
    action: A,
    text: Text,
    then: Then,
    /// Whether more than one was typed.
    several: bool,
    meanings: &'static [Meaning],
}

/// Under these it is kept how somebody can be reached, whether they are locked out, and how they stand
/// to what was sent.
const REACHABLE: &str = "reachable";
const LOCKED: &str = "locked_before";
const REACH: &str = "reach";

/// How much of a text is shown, in characters.
const SHOWN: usize = 1000;

/// What was answered after the notice.
fn rest(answers: &[Answer]) -> &[Answer] {
    answers.get(1..).unwrap_or_default()
}

impl<A: Action> Told<A> {
    /// Whether what was to follow the notice is so.
    fn is_so(&self, subject: &Subject, before: &Snapshot, after: &Snapshot) -> bool {
        let Ok(Change { wanted, .. }) = self.action.change(subject, before) else { return true };
        wanted.iter().all(|(key, value)| after.fact(key) == Some(value))
    }

    fn shown(&self) -> Line {
        Line::new().hostile(&Hostile::new(Text::preview(&self.text.plain, SHOWN)))
    }

    /// What is said of the notice after it was sent.
    fn told(&self, seen: &Snapshot) -> Line {
        let reach = seen.extra.get(REACH).and_then(|reach| Reach::deserialize(reach).ok());
        let reach = reach.unwrap_or(Reach::NotKnown);
        Line::new().line(self.shown()).plain(". It").line(reach.told())
    }
}

#[async_trait]
impl<A: Action> Action for Told<A> {
    // A notice cannot be taken back.
    fn class(&self, many: usize) -> Class {
        self.action.class(many).max(Class::Disruptive)
    }

    // A notice to several takes what it takes without anything that follows.
    fn power(&self) -> Power {
        if self.several { Power::Server } else { self.action.power() }
    }

    fn amounts_to(&self) -> Vec<&str> {
        let mut verbs = self.action.amounts_to();
        verbs.push("notice send");
        verbs
    }

    fn did(&self) -> Option<&'static str> {
        self.action.did()
    }

    fn phrase(&self) -> bool {
        self.action.phrase()
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(self.meanings)
    }

    fn probe(&self) -> Option<(Probe, Meaning)> {
        Some((Probe::ServerNotices, send::SWITCHED_OFF))
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        self.action.subjects(reader).await
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let mut seen = self.action.snapshot(subject, reader).await?;
        seen.note_now(reader.now());
        if seen.is("exists") && !seen.is("deactivated") {
            let user = account::id(subject)?;
            let reachable = Reachable::of(user, reader).await;
            seen.extra.insert(REACHABLE.to_owned(), json!(reachable));
            let locked = reader.account(user).await?.is_some_and(|account| account.locked);
            seen.extra.insert(LOCKED.to_owned(), json!(locked));
        }
        Ok(seen)
    }

    async fn snapshot_after(
        &self,
        subject: &Subject,
        answers: &[Answer],
        reader: &Reader,
    ) -> Result<Snapshot, Stop> {
        let mut seen = self.action.snapshot_after(subject, rest(answers), reader).await?;
        let Some(answer) = answers.first() else { return Ok(seen) };
        if let Some(event) = answer.body["event_id"].as_str() {
            let reach = Reach::of(account::id(subject)?, event, reader).await;
            seen.extra.insert(REACH.to_owned(), json!(reach));
        }
        // Where what was to follow failed, this is all that says it.
        let told = self.told(&seen).plain("; leave out --tell when you send this again");
        seen.display.push(("Told", told));
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let mut question = self.action.question(subject, seen);
        question.stays.push("the notice: it cannot be taken back".into());
        question
    }

    fn explanations(&self, subject: &Subject) -> Vec<Line> {
        let told = Line::new().plain("Before that it is told, as a server notice: ");
        let mut lines = self.action.explanations(subject);
        lines.push(told.line(self.shown()));
        lines
    }

    fn warnings(&self, subject: &Subject, seen: &Snapshot) -> Vec<Line> {
        let mut lines = self.action.warnings(subject, seen);
        let line = || Line::new().code(subject);
        if seen.is("bridged") {
            lines.push(line().plain(" is a bridged account: probably nobody reads the notice"));
            return lines;
        }
        let reachable = seen.extra.get(REACHABLE).and_then(|it| Reachable::deserialize(it).ok());
        let reachable = reachable.unwrap_or(Reachable::NotKnown);
        let why = reachable.warning(self.then == Then::Suspended);
        lines.extend(why.map(|why| line().plain(why)));
        if seen.extra.get(LOCKED) == Some(&Value::Bool(true)) {
            lines.push(line().plain(" is locked already: it reads the notice once it is unlocked"));
            return lines;
        }
        lines.extend(match self.then {
            Then::Suspended => None,
            Then::Locked => Some(line().plain(
                " reads nothing while it is locked: what its devices have not fetched by then, it \
                reads once it is unlocked",
            )),
            Then::Deactivated => Some(line().plain(
                " is logged out right after the notice: it reads it only where a device or a \
                notification by email was quicker",
            )),
        });
        lines
    }

    fn reaches(&self, subject: &Subject, seen: &Snapshot) -> Vec<Subject> {
        self.action.reaches(subject, seen)
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        let Change { steps, wanted } = self.action.change(subject, seen)?;
        if seen.is("deactivated") {
            let why = Line::new().code(subject).plain(
                " is deactivated, so nobody would read the notice; send the same without --tell",
            );
            return Err(Skip::refused(why));
        }
        let content = Map::from_iter([("content".to_owned(), self.text.content())]);
        let notice = send::step(subject, seen, content)?;
        Ok(Change { steps: std::iter::once(notice).chain(steps).collect(), wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let mut outcome = self.action.outcome(subject, before, rest(answers), after);
        let told = self.told(after);
        if outcome.status == Status::Done && !self.is_so(subject, before, after) {
            // Something was done all the same, and that cannot be taken back.
            outcome.status = Status::DoneInPart;
            outcome.title = Line::new().code(subject).plain(
                " was told, but what was to follow is not so, although the homeserver reported success",
            );
            outcome.facts.clear();
            outcome.remains.clear();
        }
        outcome.facts.push((
            "Told",
            match outcome.undo {
                Undo::None(_) => told,
                Undo::Command(_) | Undo::Parts(..) => {
                    told.plain("; an undo does not take that back")
                }
            },
        ));
        if let Undo::None(nearest) = &mut outcome.undo {
            nearest.push_str("; the notice cannot be taken back either");
        }
        outcome
    }

    fn erases(&self, subject: &Subject) -> bool {
        self.action.erases(subject)
    }

    fn lasting(&self) -> FactMap {
        self.action.lasting()
    }

    fn long_work(&self) -> Option<&dyn LongWork> {
        self.action.long_work()
    }

    fn begins(
        &self,
        subject: &Subject,
        answers: &[Answer],
        after: Option<&Snapshot>,
    ) -> Option<String> {
        self.action.begins(subject, rest(answers), after)
    }

    fn outlasts(&self, subject: &Subject, before: &Snapshot) -> Option<String> {
        self.action.outlasts(subject, before)
    }

    async fn progress(
        &self,
        subject: &Subject,
        work: &str,
        reader: &Reader,
    ) -> Result<Progress, Stop> {
        self.action.progress(subject, work, reader).await
    }
}

#[cfg(test)]
mod tests;
