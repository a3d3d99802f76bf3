//! Sanctions that are over: lifting them, trying again, and giving up.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::sync::Mutex;
use tracing::{Instrument as _, error, info, warn};

use crate::{
    audit::{Audit, Kind, Record},
    clock::SharedClock,
    commands::Options,
    error::Stop,
    operators::Roster,
    pipeline::{
        Invocation, Origin, Scheduled, ScheduledKind,
        admin::freeze_control::FreezeControl,
        background::token::why_it_waits,
        change::{
            Attempt, Executor, Expected, Extent, Later, Prepared,
            report::{not_as_left, overall, stopped},
        },
        origin::span,
        router::told,
        voice::Voice,
    },
    reply::{Line, Reply, Status, utc},
    sanctions::{Sanction, Sanctions, State},
    synapse::{Reader, Secrets},
};

/// How long after each failure lifting is tried again; after the last it is left to the operators.
const AGAIN: [SignedDuration; 4] = [
    SignedDuration::from_secs(20),
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(10),
    SignedDuration::from_hours(1),
];

/// What came of trying to lift a sanction.
enum Lifted {
    /// It is lifted; the answer tells the state of the subject.
    Done(Reply),
    /// It was tried, and did not work.
    Failed(Reply),
    /// The bot may not act now.
    NotNow,
    /// It cannot be lifted by itself.
    Never(Line),
}

/// What lifts sanctions when they are due.
#[derive(Debug)]
pub(in crate::pipeline) struct SanctionExpiry {
    below: Below,
    /// Held while sanctions are lifted.
    lifting: Mutex<()>,
}

/// The parts on which the end of sanctions rests.
#[derive(Debug)]
pub(in crate::pipeline) struct Below {
    pub(in crate::pipeline) roster: Arc<Roster>,
    pub(in crate::pipeline) clock: SharedClock,
    pub(in crate::pipeline) reader: Reader,
    pub(in crate::pipeline) audit: Audit,
    pub(in crate::pipeline) freeze_control: Arc<FreezeControl>,
    pub(in crate::pipeline) voice: Arc<Voice>,
    pub(in crate::pipeline) executor: Arc<Executor>,
    pub(in crate::pipeline) sanctions: Arc<Sanctions>,
}

impl SanctionExpiry {
    /// One that lifts nothing just now.
    pub(in crate::pipeline) fn new(below: Below) -> Self {
        Self { below, lifting: Mutex::default() }
    }

    /// Lifts every sanction that is due. One call at a time does it.
    pub(in crate::pipeline) async fn lift_due(&self) {
        let Ok(_alone) = self.lifting.try_lock() else { return };
        let now = self.below.clock.now();
        let open = match self.below.sanctions.open() {
            Ok(open) => open,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "sanctions cannot be read");
                return;
            }
        };
        let due = open.into_iter().filter(|sanction| sanction.due() <= now);
        let (mut measures, single): (Vec<_>, Vec<_>) =
            due.partition(|sanction| self.is_of_a_measure(sanction));
        let (of_measures, untold): (Vec<_>, Vec<_>) =
            self.untold().into_iter().partition(|sanction| self.is_of_a_measure(sanction));
        for sanction in untold {
            self.tell_lifted_before(sanction).await;
        }
        measures.extend(of_measures);
        measures.sort_by_key(|sanction| sanction.number);
        for measure in measures.chunk_by(|one, next| one.number == next.number) {
            self.lift_measure(measure.to_vec()).await;
        }
        for sanction in single {
            let _held = self.below.executor.hold(std::slice::from_ref(&sanction.subject)).await;
            // Somebody may have ended or moved it meanwhile.
            match self.below.sanctions.again(&sanction) {
                Ok(Some(sanction)) if sanction.state.is_open() && sanction.due() <= now => {
                    let span = span(&sanction.asked.1);
                    self.lift(sanction).instrument(span).await;
                }
                Ok(_) => {}
                Err(error) => {
                    error!(error = &error as &dyn std::error::Error, "a sanction cannot be read");
                }
            }
        }
    }

    /// Lifts one whose subject is held.
    async fn lift(&self, sanction: Sanction) {
        let (number, noted) = (sanction.number, [sanction.clone()]);
        info!(number, "a sanction is due");
        self.note_lifting(&noted).await;
        let lifted = match self.try_to_lift(&sanction).await {
            Ok(lifted) => lifted,
            Err(Stop::Refused { why, .. }) => Lifted::Never(why),
            Err(Stop::Api(error)) if error.is_for_now() => Lifted::NotNow,
            Err(stop) => Lifted::Failed(stopped(&sanction.asked.1, &stop)),
        };
        match lifted {
            Lifted::Done(reply) => {
                self.say_of(&sanction, "lifted", &told_lifted(&sanction, reply)).await;
            }
            Lifted::Failed(reply) => self.try_again(sanction, reply).await,
            Lifted::NotNow if sanction.state == State::Waiting => {}
            Lifted::NotNow => {
                let why = self.why_not(&sanction).await;
                let reply =
                    Reply::data(about(&sanction).plain(" is due to end, and waits: ").line(why));
                self.say_of(&sanction, "waits", &reply).await;
                self.below
                    .executor
                    .keep_sanction(Sanction { state: State::Waiting, ..sanction })
                    .await;
            }
            Lifted::Never(why) => self.give_up(sanction, why).await,
        }
        self.note_told(&noted).await;
    }

    /// Looks, asks the gate and runs the undo, as its imposer.
    async fn try_to_lift(&self, sanction: &Sanction) -> Result<Lifted, Stop> {
        if self.below.freeze_control.bot_frozen().is_some()
            || why_it_waits(&self.below.reader).is_some()
        {
            return Ok(Lifted::NotNow);
        }
        if self.below.voice.ensure_heard(&sanction.asked.0).await.is_err() {
            return Ok(Lifted::NotNow);
        }
        let Some(operator) = self.below.roster.operator(&sanction.by) else {
            let gone = Line::new().code(&sanction.by).plain(" is no longer an operator");
            return Ok(Lifted::Never(gone));
        };
        let Some((action, typed)) = self.below.executor.action(&sanction.undo) else {
            return Ok(Lifted::Never(
                "it was saved by another version of me, which I cannot read".into(),
            ));
        };
        let options = Options { reason: Some("its time was up".to_owned()), ..typed };
        let (room, event) = &sanction.asked;
        let invocation = Invocation {
            origin: Origin::Scheduled(Scheduled {
                kind: ScheduledKind::SanctionExpiry,
                room,
                event,
            }),
            operator,
            words: &sanction.undo,
            options: &options,
            undoes: Some(sanction.number),
        };
        let left = [(sanction.subject.clone(), sanction.left.clone())];
        let attempt = Attempt {
            invocation: &invocation,
            action: action.as_ref(),
            expected: Expected::Left(&left),
            yes: None,
            extent: Extent::Whole,
        };
        let subjects = vec![sanction.subject.clone()];
        Ok(
            match self.below.executor.prepare(&attempt, subjects, &self.below.reader.look()).await?
            {
                Prepared::Ready(ready) => {
                    let ran = self.below.executor.run(&attempt, *ready, Secrets::new()).await?;
                    match overall(&ran.done) {
                        Status::Done => Lifted::Done(told(&ran, &self.below.roster)),
                        _ if ran.done.iter().all(|one| one.later == Some(Later::NotNow)) => {
                            Lifted::NotNow
                        }
                        _ => Lifted::Failed(told(&ran, &self.below.roster)),
                    }
                }
                Prepared::Rehearsed | Prepared::NotServed(_) | Prepared::Planned(_) => {
                    Lifted::NotNow
                }
                Prepared::Asks(_) => Lifted::Never("it now needs a confirmation".into()),
                Prepared::Refused(why) => Lifted::Never(why),
                Prepared::Differs(difference) => return Err(not_as_left(&difference)),
                Prepared::NothingToDo(skips) => {
                    let why = skips.into_iter().next().map(|(_, skip)| skip.why);
                    Lifted::Never(why.unwrap_or_else(|| "there is nothing to do".into()))
                }
            },
        )
    }

    /// Why the bot does not act now.
    async fn why_not(&self, sanction: &Sanction) -> Line {
        if let Some(why) = self.below.freeze_control.bot_frozen() {
            return why;
        }
        if let Some(why) = why_it_waits(&self.below.reader) {
            return why;
        }
        match self.below.voice.ensure_heard(&sanction.asked.0).await {
            Err(ailment) => ailment.to_string().into(),
            Ok(()) => "I am read-only".into(),
        }
    }

    async fn try_again(&self, sanction: Sanction, reply: Reply) {
        let failed = usize::from(sanction.tries);
        let Some(wait) = AGAIN.get(failed) else {
            return self.give_up(sanction, "it failed too often".into()).await;
        };
        let again = self.below.clock.now() + *wait;
        warn!(number = sanction.number, %again, "a sanction was not lifted");
        if failed == 0 {
            let reply = reply.note(
                about(&sanction).plain(format!(" is due to end. I try again at {}", utc(again))),
            );
            self.say_of(&sanction, "failed", &reply).await;
        }
        let tries = sanction.tries.saturating_add(1);
        self.below.executor.keep_sanction(Sanction { again: Some(again), tries, ..sanction }).await;
    }

    /// Leaves a sanction to the operators, and tells the one who imposed it.
    async fn give_up(&self, sanction: Sanction, why: Line) {
        let reply = Reply::outcome(
            Status::NothingChanged,
            about(&sanction).plain(" is due to end, but I did not lift it: ").line(why),
        )
        .command("Lift it", sanction.undo.clone())
        .ringing(vec![sanction.by.clone()]);
        self.say_of(&sanction, "stuck", &reply).await;
        self.leave(sanction).await;
    }

    /// Leaves a sanction to the operators, who were told, and records it.
    async fn leave(&self, sanction: Sanction) {
        let record = Record {
            by: Some(sanction.by.clone()),
            room: Some(sanction.asked.0.clone()),
            words: sanction.undo.clone(),
            subjects: vec![sanction.subject.clone()],
            undoes: Some(sanction.number),
            note: Some("its time was up, but it was not lifted".to_owned()),
            ..Record::new(Kind::GivenUp)
        };
        if let Err(error) = self.below.audit.note(record).await {
            error!(error = &error as &dyn std::error::Error, "not recorded");
        }
        self.below.executor.keep_sanction(Sanction { state: State::Stuck, ..sanction }).await;
    }

    /// Says something in the room where the sanction was asked for, as an answer to that.
    async fn say_of(&self, sanction: &Sanction, what: &str, reply: &Reply) {
        let (room, event) = &sanction.asked;
        // One change may have been of many, and each of its ends is told.
        let transaction_key = format!("{what}-{}-{}", sanction.number, sanction.subject);
        self.below.voice.say_surely(room, Some(event), &transaction_key, reply).await;
    }
}

/// Which sanction it is about.
fn about(sanction: &Sanction) -> Line {
    Line::new()
        .command(crate::input::shown(&sanction.words))
        .plain(" by ")
        .code(&sanction.by)
        .plain(format!(", #{},", sanction.number))
}

fn told_lifted(sanction: &Sanction, reply: Reply) -> Reply {
    reply.note(about(sanction).plain(" has ended: I undid it as planned"))
}

#[cfg(test)]
mod interrupted;
mod measure;
#[cfg(test)]
mod tests;
mod untold;
