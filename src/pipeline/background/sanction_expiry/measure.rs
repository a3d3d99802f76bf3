//! The end of one measure that was taken on several subjects at once: each is lifted on its own, and
//! all of it is told in one message.

use jiff::Timestamp;
use tracing::{Instrument as _, error};

use super::{AGAIN, Lifted, SanctionExpiry, about};
use crate::{
    change::set_in_full,
    error::Stop,
    pipeline::origin::span,
    reply::{Block, Line, Reply, Status, utc},
    sanctions::{Sanction, State},
};

/// Which of the waits between tries is not exceeded while the homeserver is away.
const OFTEN: usize = 2;

/// What came of each that was due.
#[derive(Debug, Default)]
struct Ends {
    lifted: Vec<Sanction>,
    /// Those that are tried again then, and why.
    again: Vec<(Sanction, Line, Timestamp)>,
    /// Those that wait until the bot may act.
    waits: Vec<Sanction>,
    /// Those that are left to the operators, and why.
    left: Vec<(Sanction, Line)>,
}

impl SanctionExpiry {
    /// Whether it is part of a measure that is told at once.
    pub(super) fn is_of_a_measure(&self, sanction: &Sanction) -> bool {
        let action = self.below.executor.action(&sanction.words);
        action.is_some_and(|(action, _)| action.is_one_measure())
    }

    /// Lifts all that is due of one measure, and says what came of it; with what was lifted by a turn that
    /// was cut off before anybody was told.
    pub(super) async fn lift_measure(&self, mut all: Vec<Sanction>) {
        all.sort_by_key(|sanction| sanction.subject.key());
        all.dedup_by(|one, other| one.subject == other.subject);
        let Some(first) = all.first().cloned() else { return };
        let lifting = async {
            self.note_lifting(&all).await;
            let mut ends = Ends::default();
            for sanction in all.clone() {
                if self.was_lifted(&sanction) {
                    ends.lifted.push(sanction);
                } else {
                    self.lift_one_of(sanction, &mut ends).await;
                }
            }
            self.tell(&first, &all, ends).await;
        };
        lifting.instrument(span(&first.asked.1)).await;
    }

    async fn lift_one_of(&self, sanction: Sanction, ends: &mut Ends) {
        let _held = self.below.executor.hold(std::slice::from_ref(&sanction.subject)).await;
        let now = self.below.clock.now();
        // Somebody may have ended or moved it meanwhile.
        let sanction = match self.below.sanctions.again(&sanction) {
            Ok(Some(sanction)) if sanction.state.is_open() && sanction.due() <= now => sanction,
            Ok(_) => return,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "a sanction cannot be read");
                return;
            }
        };
        match self.try_to_lift(&sanction).await {
            Ok(Lifted::Done(_)) => ends.lifted.push(sanction),
            Ok(Lifted::NotNow) => ends.waits.push(sanction),
            Err(Stop::Api(error)) if error.is_for_now() => ends.waits.push(sanction),
            Ok(Lifted::Never(why)) | Err(Stop::Refused { why, .. }) => {
                ends.left.push((sanction, why));
            }
            Ok(Lifted::Failed(reply)) => self.fails(sanction, reply.title, true, ends),
            Err(stop) => {
                // A homeserver that is away comes back, and what it has is as it was left.
                let gives_up = !matches!(&stop, Stop::Api(error) if error.is_away());
                self.fails(sanction, stop.to_string().into(), gives_up, ends);
            }
        }
    }

    /// Notes that one was not lifted; after the last try it is left to the operators.
    fn fails(&self, sanction: Sanction, why: Line, gives_up: bool, ends: &mut Ends) {
        let failed = usize::from(sanction.tries);
        match AGAIN.get(if gives_up { failed } else { failed.min(OFTEN) }) {
            Some(wait) => {
                let again = self.below.clock.now() + *wait;
                ends.again.push((sanction, why, again));
            }
            None => ends.left.push((sanction, why.plain("; it failed too often"))),
        }
    }

    /// Says what came of it, and then keeps that it was said.
    async fn tell(&self, first: &Sanction, all: &[Sanction], ends: Ends) {
        if let Some(reply) = self.told_of(first, &ends).await {
            let what = match &ends {
                Ends { left, .. } if !left.is_empty() => "stuck",
                Ends { lifted, .. } if !lifted.is_empty() => "lifted",
                Ends { again, .. } if !again.is_empty() => "failed",
                Ends { .. } => "waits",
            };
            self.say_of(first, what, &reply).await;
        }
        self.note_told(all).await;
        let executor = &self.below.executor;
        for (sanction, _, again) in ends.again {
            let tries = sanction.tries.saturating_add(1);
            executor.keep_sanction(Sanction { again: Some(again), tries, ..sanction }).await;
        }
        for sanction in ends.waits {
            executor.keep_sanction(Sanction { state: State::Waiting, ..sanction }).await;
        }
        for (sanction, _) in ends.left {
            self.leave(sanction).await;
        }
    }

    /// The message; `None` where all of it was said before.
    async fn told_of(&self, first: &Sanction, ends: &Ends) -> Option<Reply> {
        let Ends { lifted, again, waits, left } = ends;
        // That one waits, or fails, is said once.
        let again: Vec<_> = again.iter().filter(|(sanction, ..)| sanction.tries == 0).collect();
        let waits: Vec<_> =
            waits.iter().filter(|sanction| sanction.state != State::Waiting).collect();
        let others = again.len() + waits.len() + left.len();
        if lifted.is_empty() && others == 0 {
            return None;
        }
        let all = lifted.iter().chain(again.iter().map(|(sanction, ..)| sanction));
        let all = all.chain(waits.iter().copied()).chain(left.iter().map(|(sanction, _)| sanction));
        let mut reply = if lifted.is_empty() {
            let title = about(first).plain(" is due to end, and has not: ");
            let title = title.line(set_in_full(all.map(|sanction| &sanction.subject)));
            Reply::outcome(Status::NothingChanged, title)
        } else {
            let status = if others == 0 { Status::Done } else { Status::DoneInPart };
            let set = set_in_full(lifted.iter().map(|sanction| &sanction.subject));
            Reply::outcome(status, set.plain(" as before"))
                .note(about(first).plain(" has ended: I undid it as planned"))
        };
        let mut lines: Vec<Line> = Vec::new();
        let line = |sanction: &Sanction| Line::new().code(&sanction.subject).plain(": ");
        lines.extend(left.iter().map(|(sanction, why)| line(sanction).line(why.clone())));
        lines.extend(again.iter().map(|(sanction, why, at)| {
            line(sanction).line(why.clone()).plain(format!(". I try again at {}", utc(*at)))
        }));
        if let Some(one) = waits.first() {
            let why = self.why_not(one).await;
            let waiting = set_in_full(waits.iter().map(|sanction| &sanction.subject));
            lines.push(waiting.plain(": waits: ").line(why));
        }
        if !lines.is_empty() {
            reply = reply.with(Block::List("Not ended:".into(), lines));
        }
        if !left.is_empty() {
            let lift = ["sanction", "lift", &first.number.to_string()].map(str::to_owned);
            reply =
                reply.command("To try it yourself", lift.to_vec()).ringing(vec![first.by.clone()]);
        }
        Some(reply)
    }
}
