//! Sanctions: imposing them, ending them early, and lifting them when they are due.

use jiff::SignedDuration;
use tracing::{error, info, warn};

use super::{
    Asked, Origin, Pipeline, Scheduled, ScheduledKind,
    change::{Attempt, Expected, Extent, Prepared},
    report::{not_as_left, overall, skipped},
    router::told,
    voice::stopped,
};
use crate::{
    audit::{Kind, Record},
    change::{Binds, Skip, Subject},
    commands::{Memory as _, Options, Past, Remembered},
    error::Stop,
    reply::{Line, Reply, Word, utc},
    sanctions::{Sanction, State},
    synapse::Slots,
};

/// How long after each failure lifting is tried again; after the last it is left to the operators.
const AGAIN: [SignedDuration; 4] = [
    SignedDuration::from_secs(20),
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(10),
    SignedDuration::from_hours(1),
];

/// How many changes of a subject are looked through for the one that made it so.
const RECENT: usize = 20;

/// What came of trying to lift a sanction.
enum Lifted {
    /// It is lifted; the answer says what is so.
    Done(Reply),
    /// It was tried, and did not work.
    Failed(Reply),
    /// The bot may not act now.
    NotNow,
    /// It cannot be lifted by itself.
    Never(Line),
}

impl Pipeline {
    /// The answer where there is nothing to do, with who made it so where that was through the
    /// bot: whoever types `--for` and reads that it is so already must not think that it ends.
    pub(super) fn already_so(&self, asked: &Asked<'_>, skips: &[(Subject, Skip)]) -> Reply {
        let reply = skipped(skips);
        let [(subject, Skip { word: Word::NothingChanged, .. })] = skips else { return reply };
        let Remembered { past, sanctions, .. } = self.of(subject, RECENT);
        let verb = crate::input::quote(asked.words.get(..2).unwrap_or_default()) + " ";
        let ends = asked.options.ends.is_some();
        if let Some(sanction) = sanctions.iter().find(|s| s.command.starts_with(&verb)) {
            let line = Line::new().plain("It ends by itself, ").plain(utc(sanction.until));
            return reply.text(by(line.plain(": "), sanction.id, &sanction.command, &sanction.by));
        }
        match self.made_so(&past, &verb) {
            Some(past) => {
                let line = by(Line::new(), past.id, &past.command, &past.by);
                reply.text(if ends { line.plain(", and does not end by itself") } else { line })
            }
            None if ends => reply.text("It was not made so through me, and does not end by itself"),
            None => reply,
        }
    }

    /// The change of the past, newest first, that made something so by this verb, unless a later
    /// one through the bot has made it otherwise.
    fn made_so<'a>(&self, past: &'a [Past], verb: &str) -> Option<&'a Past> {
        let mut done = past.iter().filter(|past| past.word == Some(Word::Done));
        let left = |past: &Past| {
            let closing = self.audit.closing(past.id).ok().flatten()?.record?;
            closing.left.into_iter().next().map(|(_, left)| left)
        };
        let mut later = Binds::new();
        let made_so = done.find(|past| {
            let is_it = past.command.starts_with(verb);
            if !is_it {
                // What a newer change has left stands, whatever an older one left.
                for (key, value) in left(past).unwrap_or_default() {
                    later.entry(key).or_insert(value);
                }
            }
            is_it
        })?;
        let otherwise = left(made_so)?
            .iter()
            .any(|(key, value)| later.get(key).is_some_and(|later| later != value));
        (!otherwise).then_some(made_so)
    }

    /// Lifts every sanction that is due. One call at a time does it.
    pub async fn lift_due(&self) {
        let Ok(_alone) = self.lifting.try_lock() else { return };
        let now = self.clock.now();
        let open = match self.sanctions.open() {
            Ok(open) => open,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "sanctions cannot be read");
                return;
            }
        };
        for sanction in open.into_iter().filter(|sanction| sanction.due() <= now) {
            let _held = self.executor.hold(std::slice::from_ref(&sanction.subject)).await;
            // Somebody may have ended or moved it meanwhile.
            match self.sanctions.again(&sanction) {
                Ok(Some(sanction)) if sanction.state.is_open() && sanction.due() <= now => {
                    self.lift(sanction).await;
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
        let number = sanction.number;
        info!(number, "a sanction is due");
        let lifted = match self.try_to_lift(&sanction).await {
            Ok(lifted) => lifted,
            Err(Stop::Refused { why, .. }) => Lifted::Never(why),
            Err(stop) => Lifted::Failed(stopped(&self.clock, &stop)),
        };
        match lifted {
            Lifted::Done(reply) => {
                self.say_of(&sanction, "lifted", &told_lifted(&sanction, reply)).await;
            }
            Lifted::Failed(reply) => self.try_again(sanction, reply).await,
            Lifted::NotNow if sanction.state == State::Waiting => {}
            Lifted::NotNow => {
                let reply = Reply::data(
                    about(&sanction).plain(" is over, and waits: ").line(self.why_not()),
                );
                self.say_of(&sanction, "waits", &reply).await;
                self.executor.keep_sanction(Sanction { state: State::Waiting, ..sanction }).await;
            }
            Lifted::Never(why) => self.give_up(sanction, why).await,
        }
    }

    /// Looks, asks the gate and runs the undo, as its imposer.
    async fn try_to_lift(&self, sanction: &Sanction) -> Result<Lifted, Stop> {
        if self.brakes.held().is_some() {
            return Ok(Lifted::NotNow);
        }
        let Some(operator) = self.roster.operator(&sanction.by) else {
            let gone = Line::new().code(&sanction.by).plain(" is no operator any more");
            return Ok(Lifted::Never(gone));
        };
        let Some((action, typed)) = self.action(&sanction.undo) else {
            return Ok(Lifted::Never("another version of me wrote down how".into()));
        };
        let options = Options { reason: Some("its time was over".to_owned()), ..typed };
        let (room, event) = &sanction.asked;
        let asked = Asked {
            origin: Origin::Scheduled(Scheduled { kind: ScheduledKind::SanctionEnd, room, event }),
            operator,
            words: &sanction.undo,
            options: &options,
            undoes: Some(sanction.number),
        };
        let left = [(sanction.subject.clone(), sanction.left.clone())];
        let attempt = Attempt {
            asked: &asked,
            action: action.as_ref(),
            expected: Expected::Left(&left),
            yes: None,
            extent: Extent::Whole,
        };
        let subjects = vec![sanction.subject.clone()];
        Ok(match self.executor.prepare(&attempt, subjects, &self.reader.look()).await? {
            Prepared::Ready(ready) => {
                let ran = self.executor.run(&attempt, *ready, Slots::new()).await?;
                match overall(&ran.done) {
                    Word::Done => Lifted::Done(told(&ran)),
                    _ => Lifted::Failed(told(&ran)),
                }
            }
            Prepared::Rehearsed | Prepared::NotServed(_) | Prepared::Planned(_) => Lifted::NotNow,
            Prepared::Asks(_) => Lifted::Never("it takes a yes now".into()),
            Prepared::Refused(why) => Lifted::Never(why),
            Prepared::Differs(difference) => return Err(not_as_left(&difference)),
            Prepared::NothingToDo(skips) => {
                let why = skips.into_iter().next().map(|(_, skip)| skip.why);
                Lifted::Never(why.unwrap_or_else(|| "there is nothing to do".into()))
            }
        })
    }

    /// Why the bot does not act now.
    fn why_not(&self) -> Line {
        self.brakes.held().unwrap_or_else(|| "I am read-only".into())
    }

    async fn try_again(&self, sanction: Sanction, reply: Reply) {
        let failed = usize::from(sanction.tries);
        let Some(wait) = AGAIN.get(failed) else {
            return self.give_up(sanction, "it failed too often".into()).await;
        };
        let again = self.clock.now() + *wait;
        warn!(number = sanction.number, %again, "a sanction was not lifted");
        if failed == 0 {
            let reply = reply
                .note(about(&sanction).plain(format!(" is over. I try again at {}", utc(again))));
            self.say_of(&sanction, "failed", &reply).await;
        }
        let tries = sanction.tries.saturating_add(1);
        self.executor.keep_sanction(Sanction { again: Some(again), tries, ..sanction }).await;
    }

    /// Leaves a sanction to the operators, and tells the one who imposed it.
    async fn give_up(&self, sanction: Sanction, why: Line) {
        let reply = Reply::outcome(
            Word::NothingChanged,
            about(&sanction).plain(" is over, and I did not lift it: ").line(why),
        )
        .command("Lift it", sanction.undo.clone())
        .ringing(vec![sanction.by.clone()]);
        self.say_of(&sanction, "stuck", &reply).await;
        let record = Record {
            by: Some(sanction.by.clone()),
            room: Some(sanction.asked.0.clone()),
            words: sanction.undo.clone(),
            subjects: vec![sanction.subject.clone()],
            undoes: Some(sanction.number),
            note: Some("its time was over, and it was not lifted".to_owned()),
            ..Record::new(Kind::Noted)
        };
        if let Err(error) = self.audit.note(record).await {
            error!(error = &error as &dyn std::error::Error, "not recorded");
        }
        self.executor.keep_sanction(Sanction { state: State::Stuck, ..sanction }).await;
    }

    /// Says something in the room where the sanction was asked for, as an answer to that.
    async fn say_of(&self, sanction: &Sanction, what: &str, reply: &Reply) {
        let (room, event) = &sanction.asked;
        // One change may have been of many, and each of its ends is told.
        let slot = format!("{what}-{}-{}", sanction.number, sanction.subject);
        if let Err(error) = self.voice.say(room, Some(event), &slot, reply).await {
            error!(error = &error as &dyn std::error::Error, "the room was not told");
        }
    }
}

/// A change that was made: its command, by whom, and its number.
fn by(line: Line, number: u64, command: &str, by: &ruma::UserId) -> Line {
    line.code(command).plain(" by ").code(by).plain(format!(", #{number}"))
}

/// Which sanction it is about.
fn about(sanction: &Sanction) -> Line {
    Line::new()
        .code(crate::input::shown(&sanction.words))
        .plain(" by ")
        .code(&sanction.by)
        .plain(format!(", #{},", sanction.number))
}

fn told_lifted(sanction: &Sanction, reply: Reply) -> Reply {
    reply.note(about(sanction).plain(" is over: I took it back by myself"))
}

#[cfg(test)]
mod tests;
