//! The way of a change, from what was typed to what became of it: look, weigh, decide, send, look
//! again.
//!
//! Nothing in here puts a question, begins a job or ends a question: what became of a change is a
//! value, and the router does what follows from it.

use std::sync::Arc;

use jiff::Timestamp;
use ruma::OwnedUserId;
use tokio::sync::{Notify, OwnedMutexGuard};

use super::{
    Invocation, Outbox, Pipeline, look::by_its_cause, own::AsChange, voice::Voice, watched::label,
};
use crate::{
    audit::Audit,
    cases::Cases,
    change::Subject,
    clock::SharedClock,
    commands::{Action, Ask, Meaning, Options},
    confirm::Ticket,
    error::Stop,
    exceptions::Exceptions,
    gate::AT_A_GLANCE,
    metrics::Metrics,
    notes::Notes,
    operators::Roster,
    pipeline::{
        admin::freeze_control::FreezeControl,
        inbound::{
            queue::WITHOUT_A_WORD,
            understand::{self, Understood},
        },
    },
    policy_lists::PolicyLists,
    reply::{Line, Reply, Status},
    sanctions::Sanctions,
    synapse::{Reader, Secrets, Writer},
    watches::Watches,
};
use locks::Locks;
use looks::Looks;
use prepare::Asks;
use unreviewed::Counted;

mod alike;
pub(super) mod already;
mod decide;
mod ends;
mod execute;
pub(super) mod fact;
pub(super) mod found;
mod locks;
mod looking;
mod looks;
mod named_by_rules;
mod observe;
pub(super) mod overview;
pub(super) mod plan;
mod prepare;
mod probe;
pub(super) mod report;
mod secrets;
mod spelled;
pub(super) mod together;
mod unreviewed;
mod values;

pub(super) use decide::{Extent, verbs};
pub(super) use ends::too_low;
pub(super) use observe::target;
pub(super) use prepare::{Attempt, Expected, Prepared, Ready};
pub(super) use secrets::mask;
pub(super) use unreviewed::has_changed;
pub(super) use values::{
    Became, Confirmed, Done, Earlier, Ends, Guards, Later, Looked, Plan, Planned, Ran, ToAsk,
};

/// Makes changes that may be made: it looks, weighs, sends, looks again, and records.
#[derive(Debug)]
pub struct Executor {
    roster: Arc<Roster>,
    clock: SharedClock,
    reader: Reader,
    writer: Writer,
    audit: Audit,
    freeze_control: Arc<FreezeControl>,
    voice: Arc<Voice>,
    outbox: Arc<dyn Outbox>,
    sanctions: Arc<Sanctions>,
    notes: Arc<Notes>,
    cases: Arc<Cases>,
    watches: Arc<Watches>,
    wave_exceptions: Arc<Exceptions>,
    policy_lists: Arc<PolicyLists>,
    watch_begun: Arc<Notify>,
    /// Notified when a change was made.
    changed: Arc<Notify>,
    locks: Locks,
    looks: Looks,
    metrics: Metrics,
    /// Held by person while it is weighed how much somebody may destroy unreviewed.
    counted: Counted,
}

/// The parts on which the executor rests.
pub(super) struct Below {
    pub(super) roster: Arc<Roster>,
    pub(super) clock: SharedClock,
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    pub(super) audit: Audit,
    pub(super) freeze_control: Arc<FreezeControl>,
    pub(super) voice: Arc<Voice>,
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) sanctions: Arc<Sanctions>,
    pub(super) notes: Arc<Notes>,
    pub(super) cases: Arc<Cases>,
    pub(super) watches: Arc<Watches>,
    pub(super) wave_exceptions: Arc<Exceptions>,
    pub(super) policy_lists: Arc<PolicyLists>,
    /// Notified when something is added to what is watched.
    pub(super) watch_begun: Arc<Notify>,
    pub(super) changed: Arc<Notify>,
    pub(super) metrics: Metrics,
}

impl Executor {
    /// One that has nothing in hand.
    pub(super) fn new(below: Below) -> Self {
        let Below { roster, clock, reader, writer, audit, freeze_control, voice, outbox, .. } =
            below;
        let Below { sanctions, notes, cases, watches, .. } = below;
        let Below { wave_exceptions, policy_lists, watch_begun, changed, metrics, .. } = below;
        let (locks, counted) = (Locks::default(), Counted::default());
        Self {
            roster,
            clock,
            reader,
            writer,
            audit,
            freeze_control,
            voice,
            outbox,
            sanctions,
            notes,
            cases,
            watches,
            wave_exceptions,
            policy_lists,
            watch_begun,
            changed,
            locks,
            looks: Looks::default(),
            metrics,
            counted,
        }
    }

    /// Counts a change that has ended so.
    pub(super) fn count(&self, verb: &str, status: Status) {
        self.metrics.change(verb, label(status));
    }

    /// The record.
    pub(super) fn audit(&self) -> &Audit {
        &self.audit
    }

    /// What ends by itself.
    pub(super) fn sanctions(&self) -> &Sanctions {
        &self.sanctions
    }

    /// The bot's own account.
    pub(super) fn bot(&self) -> &OwnedUserId {
        &self.roster.bot
    }

    /// The change that these words stand for, if they do, with what was typed besides.
    pub(super) fn action(&self, words: &[String]) -> Option<(Box<dyn Action>, Options)> {
        match understand::understand(words) {
            Understood::Command(Ask::Change(action), options) => Some((action, options)),
            Understood::Own(own, options) => {
                let AsChange { action, verb, ends, .. } = own.as_change(self).ok()??;
                let verb = verb.unwrap_or(options.verb);
                let ends = ends.or(options.ends);
                Some((action, Options { ends, verb, ..options }))
            }
            Understood::Command(Ask::Read(_), _) | Understood::Reply(_) => None,
        }
    }

    /// The commands that look before anything is asked or done.
    pub(super) fn looks(&self) -> &Looks {
        &self.looks
    }

    /// The present moment.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns when nobody else changes any of these subjects.
    pub(super) async fn hold(&self, subjects: &[Subject]) -> Vec<OwnedMutexGuard<()>> {
        self.locks.hold(subjects).await
    }
}

impl Pipeline {
    /// Takes a change to its end, or as far as it goes now. Its typed secrets are in `secrets`.
    pub(super) async fn change(
        &self,
        attempt: &Attempt<'_>,
        secrets: Secrets,
    ) -> Result<Became, Stop> {
        let &Attempt { invocation, action, yes, .. } = attempt;
        let by_its_cause = |stop| by_its_cause(stop, known_of_looks(action, &self.roster));
        let verbs = verbs(invocation, action, &[]);
        let served = self.served.must_serve(&verbs, invocation.options).await;
        served.map_err(by_its_cause)?;
        if !invocation.options.plan {
            self.freeze_control.ensure_not_frozen()?;
        }
        if let Some(yes) = yes.filter(|yes| is_job(action, yes.ticket)) {
            let many = yes.ticket.about.len();
            let guards =
                Guards(self.executor.counted.hold(invocation.operator, action.class(many)).await);
            if self.executor.suffices(invocation, action, many, yes.consent)? {
                return Ok(self.as_job(guards));
            }
        }
        let look = self.executor.looks.begin(invocation);
        let (prepared, mut held) = tokio::select! {
            biased;
            () = look.stopped() => {
                return Ok(look.answer().map_or(Became::NothingToDo(Vec::new()), Became::NotServed));
            }
            looked = self.look_and_prepare(attempt) => looked.map_err(by_its_cause)?,
        };
        Ok(match prepared {
            Prepared::Refused(why) => Became::Refused(why),
            Prepared::NotServed(reply) => Became::NotServed(reply),
            Prepared::NothingToDo(skips) => Became::NothingToDo(skips),
            Prepared::Differs(difference) => Became::Differs(difference),
            Prepared::Planned(looked) => {
                let terms = self.executor.terms(invocation, action, &looked)?;
                let (class, until) = (looked.class(action), self.executor.until(invocation)?);
                Became::Planned(Box::new(Planned { looked, terms, class, until }))
            }
            Prepared::Rehearsed => Became::Rehearsed,
            Prepared::Asks(asks) => {
                let mut question = self.to_ask(attempt, *asks, secrets).await?;
                if let Some(stopped) = look.answer() {
                    return Ok(Became::NotServed(stopped));
                }
                question.guards.0.append(&mut held);
                Became::ToAsk(Box::new(question))
            }
            // It was not enough a moment ago, and is now.
            Prepared::Ready(ready) if yes.is_some_and(|yes| is_job(action, yes.ticket)) => {
                self.as_job(ready.guards)
            }
            Prepared::Ready(ready) => {
                self.voice.ready_to_tell(invocation).await?;
                self.voice.ready_to_whisper(invocation, action).await?;
                Became::Ran(Box::new(self.executor.run(attempt, *ready, secrets).await?))
            }
        })
    }

    /// The question that a change takes, where it can be put.
    async fn to_ask(
        &self,
        &Attempt { invocation, action, yes, .. }: &Attempt<'_>,
        asks: Asks<'_>,
        secrets: Secrets,
    ) -> Result<ToAsk, Stop> {
        let Asks { looked, class, terms, approvers, differences, guards } = asks;
        self.voice.ready_to_whisper(invocation, action).await?;
        let needs = self.questions.needs(invocation, terms, approvers)?;
        let earlier = match yes {
            None => Earlier::None,
            Some(_) if differences.is_empty() => Earlier::NotEnough,
            Some(_) => Earlier::Differs(differences),
        };
        Ok(ToAsk { looked, class, needs, earlier, secrets, guards })
    }

    /// Collects what a change is about, waits until nobody else changes any of it, and looks at it.
    async fn look_and_prepare(
        &self,
        attempt: &Attempt<'_>,
    ) -> Result<(Prepared<'_>, Vec<OwnedMutexGuard<()>>), Stop> {
        let reader = self.reader.look();
        let subjects = attempt.action.subjects(&reader).await?;
        alike::must_be_exact(attempt.invocation.words, &subjects, &reader).await?;
        let held = self.hold(attempt.invocation, &subjects).await;
        // What was read while waiting for others to finish may be out of date.
        let reader = self.reader.look();
        Ok((self.executor.prepare(attempt, subjects, &reader).await?, held))
    }

    /// Returns when nobody else changes any of these subjects, and says so to whoever waits for long.
    async fn hold(
        &self,
        invocation: &Invocation<'_>,
        subjects: &[Subject],
    ) -> Vec<OwnedMutexGuard<()>> {
        let mut holding = std::pin::pin!(self.executor.locks.hold(subjects));
        if let Ok(held) = tokio::time::timeout(WITHOUT_A_WORD, &mut holding).await {
            return held;
        }
        if invocation.origin.is_typed() {
            let what = match subjects {
                [one] => Line::new().code(one),
                several => Line::from(format!("some of these {}", several.len())),
            };
            let line = Line::from("Waiting for another change of ").line(what);
            let reply = Reply::data(line.plain(", which is still running"));
            self.voice.answer(invocation.origin, "waits", &reply).await;
        }
        holding.await
    }

    /// What becomes of a change of many that is agreed to.
    fn as_job(&self, guards: Guards) -> Became {
        if self.roster.read_only { Became::Rehearsed } else { Became::Job(guards) }
    }
}

/// What refusals mean of what is looked at before a change: no more than their kind, and nothing where
/// the homeserver's own words are what is asked for.
pub(super) fn known_of_looks(
    action: &dyn Action,
    roster: &Roster,
) -> Option<&'static [&'static [Meaning]]> {
    let anybody = Subject::User(roster.bot.clone());
    action.refusals(&anybody).map(|_| [].as_slice())
}

/// Whether a job does what a question is about: where that is more than one sees at a glance.
fn is_job(action: &dyn Action, ticket: &Ticket) -> bool {
    ticket.about.len() > AT_A_GLANCE || action.is_one_measure()
}
