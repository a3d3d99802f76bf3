//! Sending a change that may be sent: on record first, looked at again afterwards, and on record.

use jiff::Timestamp;
use tracing::{error, info, warn};

use super::{Executor, unreviewed::has_changed};
use super::{
    prepare::{Attempt, Ready},
    values::{Done, Ends, Later, Looked, Plan, Ran},
};
use crate::{
    audit::{Kind, Record},
    change::{Answer, Part, Step, Subject, TOKEN_LEFT},
    commands::Action,
    error::{Stop, api::Error},
    gate::Permit,
    pipeline::{
        Invocation,
        change::{
            found::{Verified, broken_off, not_verified, only, verified},
            report::{line_of, overall},
        },
    },
    reply::Status,
    synapse::{Secrets, SendError},
    watches::Watch,
};

/// Length of a password that the bot makes, characters; about 115 bits.
const PASSWORD_LENGTH: usize = 20;

/// What became of the steps of one subject.
#[derive(Default)]
struct Sent {
    /// What those that were answered with success were answered.
    answers: Vec<Answer>,
    /// How many of these were the change itself.
    deeds: usize,
    /// Why the change ended early, where it did.
    failed: Option<SendError>,
    /// Whether what was made for it could not be put away.
    left: bool,
}

impl Executor {
    /// Records a change, sends it, looks again, and records the outcome.
    pub(in crate::pipeline) async fn run(
        &self,
        attempt: &Attempt<'_>,
        ready: Ready,
        mut secrets: Secrets,
    ) -> Result<Ran, Stop> {
        let &Attempt { invocation, action, .. } = attempt;
        let Ready { looked, allowed, guards: _held } = ready;
        let until = self.until(invocation)?;
        let mut permit =
            allowed.permit(&looked.steps()).map_err(|refusal| Stop::refused(refusal.0))?;
        let number = self.audit.open(Self::opened(attempt, &looked, until)).await?;
        for &name in action.makes() {
            if secrets.get(name).is_none() {
                secrets.put(name, self.clock.secret(PASSWORD_LENGTH).into());
            }
        }
        let mut done = Vec::new();
        for plan in looked.plans {
            done.push(self.carry_out(action, plan, &mut permit, &mut secrets).await);
        }
        let ends = self.set_ends(invocation, number, until, &mut done).await;
        // First, or a kill between the two would leave what is on record as done unwatched.
        self.keep_watches(invocation, number, &done).await;
        self.close(invocation, number, until, &done).await;
        self.watch_begun.notify_one();
        self.changed.notify_one();
        let erased = done.iter().filter(|one| one.erased).map(|one| one.subject.clone());
        let gone: Vec<_> = erased.collect();
        self.forget(&gone, number).await;
        Ok(Ran { number, done, skips: looked.skips, ends, secrets })
    }

    /// The record of a change that is about to be sent.
    fn opened(attempt: &Attempt<'_>, looked: &Looked, until: Option<Timestamp>) -> Record {
        let &Attempt { invocation, action, yes, .. } = attempt;
        let class = looked.class(action);
        let plans = &looked.plans;
        Record {
            until,
            yes: yes.map(|yes| yes.consent.by().to_owned()),
            approvals: yes.map(|yes| yes.consent.approvals().to_vec()).unwrap_or_default(),
            ticket: yes.map(|yes| yes.ticket.code.clone()),
            // What was agreed to, where that was dearer than what is left of it.
            class: Some(yes.map_or(class, |yes| class.max(yes.ticket.class))),
            alone: invocation
                .options
                .alone
                .clone()
                .filter(|_| yes.is_some_and(|y| y.consent.alone())),
            subjects: plans.iter().map(|plan| plan.subject.clone()).collect(),
            requests: plans.iter().flat_map(|p| p.change.steps.iter().map(line_of)).collect(),
            left: plans.iter().map(|p| (p.subject.clone(), p.seen.preconditions.clone())).collect(),
            ..invocation.record(Kind::Opened)
        }
    }

    /// Keeps what goes on after a change. It is watched as soon as `watch_begun` is notified, or from
    /// the next start on.
    async fn keep_watches(&self, invocation: &Invocation<'_>, number: u64, done: &[Done]) {
        for one in done {
            let Some(work) = &one.work else { continue };
            let watch = Watch {
                number,
                subject: one.subject.clone(),
                work: work.clone(),
                words: invocation.words.to_vec(),
                asker: invocation.operator.user.clone(),
                asked: (invocation.room(), invocation.event()),
                begun: self.clock.now(),
                message: None,
            };
            if let Err(error) = self.watches.keep(&watch).await {
                error!(number, error = &error as &dyn std::error::Error, "it is not watched");
            }
        }
    }

    /// Lets go what was kept of those who have been erased by the change `number`.
    pub(in crate::pipeline) async fn forget(&self, subjects: &[Subject], number: u64) {
        if subjects.is_empty() {
            return;
        }
        let gone = self.audit.forget_about(subjects, number).await;
        let notes = self.notes.forget(subjects.iter().filter_map(Subject::user)).await;
        let users = || subjects.iter().filter_map(Subject::user);
        if let Err(error) = self.wave_exceptions.forget(users().map(|user| user.as_str())).await {
            error!(number, error = &error as &dyn std::error::Error, "waves keep somebody erased");
        }
        if let Err(error) = self.policy_lists.forget(users()).await {
            error!(
                number,
                error = &error as &dyn std::error::Error,
                "policy lists keep somebody erased"
            );
        }
        if let Err(error) = self.cases.forget(users()).await {
            error!(number, error = &error as &dyn std::error::Error, "cases keep somebody erased");
        }
        match gone {
            Ok(gone) => info!(number, gone, "details went with an erasure"),
            Err(error) => {
                error!(number, error = &error as &dyn std::error::Error, "details did not go");
            }
        }
        if let Err(error) = notes {
            error!(number, error = &error as &dyn std::error::Error, "notes did not go");
        }
    }

    /// Sends the steps of one subject and looks what became of it.
    pub(in crate::pipeline) async fn carry_out(
        &self,
        action: &dyn Action,
        plan: Plan,
        permit: &mut Permit,
        secrets: &mut Secrets,
    ) -> Done {
        let Sent { answers, deeds, failed, left } = self.send(&plan, permit, secrets).await;
        let after = action.snapshot_after(&plan.subject, &answers, &self.reader.look()).await;
        let Verified { mut outcome, unmet } = match (&failed, &after) {
            (None, Ok(after)) => verified(action, &plan, &answers, after),
            (None, Err(stop)) => not_verified(&plan.subject, stop).into(),
            (Some(error), after) => {
                broken_off(action, &plan, error, after.as_ref().ok(), deeds).into()
            }
        };
        if left {
            outcome.facts.push(("Left over", TOKEN_LEFT.into()));
        }
        let later = later(&answers, failed.as_ref(), after.as_ref().err());
        let work = match &failed {
            None => action.begins(&plan.subject, &answers, after.as_ref().ok()),
            Some(SendError::Unknown(_)) => action.outlasts(&plan.subject, &plan.seen),
            Some(_) => None,
        };
        if failed.is_some() && work.is_some() {
            let follows = "perhaps; I keep checking, and will say here what happened";
            outcome.facts.push(("Still running", follows.into()));
        }
        let left = after.map(|after| only(&after, &plan.change.wanted)).unwrap_or_default();
        let lasting = action.lasting();
        let erased = action.erases(&plan.subject) && outcome.status == Status::Done;
        let subject = plan.subject;
        Done { subject, outcome, unmet, left, lasting, erased, later, work }
    }

    /// Sends the steps of one subject in their order. Behind one that fails only those are sent that put
    /// away what was made for it.
    async fn send(&self, plan: &Plan, permit: &mut Permit, secrets: &mut Secrets) -> Sent {
        let mut sent = Sent::default();
        for step in &plan.change.steps {
            let puts_away = step.part == Part::PutsAway;
            let made = slots(step).all(|slot| secrets.get(slot).is_some());
            if sent.failed.is_some() && !(puts_away && made) {
                continue;
            }
            match self.writer.send(permit, step, secrets).await {
                Ok(answer) => {
                    sent.deeds += usize::from(step.part == Part::Deed);
                    sent.answers.push(answer);
                }
                Err(error) => {
                    warn!(error = &error as &dyn std::error::Error, "a step failed");
                    if puts_away {
                        // A token that is not taken any more is put away already.
                        sent.left = !matches!(error, SendError::NotTaken(_));
                    } else {
                        sent.failed = Some(error);
                    }
                }
            }
        }
        for slot in plan.change.steps.iter().flat_map(slots) {
            secrets.take(slot);
        }
        sent
    }

    async fn close(
        &self,
        invocation: &Invocation<'_>,
        number: u64,
        until: Option<Timestamp>,
        done: &[Done],
    ) {
        let closed = Record {
            subjects: done.iter().map(|one| one.subject.clone()).collect(),
            status: Some(overall(done)),
            until,
            changed: Some(done.iter().filter(|one| has_changed(one.outcome.status)).count()),
            left: done.iter().map(|one| (one.subject.clone(), one.left.clone())).collect(),
            undo: done.iter().map(|one| one.outcome.undo.clone()).collect(),
            ..invocation.record(Kind::Closed)
        };
        self.count(&invocation.options.verb, overall(done));
        if let Err(error) = self.audit.close(number, closed).await {
            // The change stays open in the record, and is reported at the next start.
            error!(number, error = &error as &dyn std::error::Error, "an outcome was not recorded");
        }
    }

    /// Keeps the end of what ends by itself, and ends the sanctions that this put an end to.
    pub(in crate::pipeline) async fn set_ends(
        &self,
        invocation: &Invocation<'_>,
        number: u64,
        until: Option<Timestamp>,
        done: &mut [Done],
    ) -> Ends {
        let mut kept = true;
        for one in done {
            self.end_sanctions(number, one).await;
            self.note_for_policy_lists(invocation, number, one).await;
            if one.outcome.status == Status::Done
                && let Some(until) = until
            {
                kept &= self.impose(invocation, number, until, one).await;
            }
        }
        match until {
            _ if !kept => Ends::NotKept,
            Some(until) => Ends::At(until),
            None => Ends::Never,
        }
    }
}

/// Whether it can be come back to, by what was answered, what failed, and why it could not be looked at
/// afterwards.
fn later(answers: &[Answer], failed: Option<&SendError>, unseen: Option<&Stop>) -> Option<Later> {
    let unseen = match unseen {
        Some(Stop::Api(error)) => Some(error),
        _ => None,
    };
    match failed {
        Some(error) if answers.is_empty() && error.is_for_now() => Some(Later::NotNow),
        Some(SendError::NotSent(error)) if answers.is_empty() && error.is_away() => {
            Some(Later::Unreached)
        }
        None if unseen.is_some_and(Error::is_for_now) => Some(Later::Unseen),
        None | Some(SendError::Unknown(_)) if unseen.is_some_and(Error::is_away) => {
            Some(Later::Lost)
        }
        _ => None,
    }
}

/// The slots that only steps of the same change fill, and that are nobody's to see.
fn slots(step: &Step) -> impl Iterator<Item = &str> {
    step.bearer.as_deref().into_iter().chain(step.path.slot())
}
