//! Changes that end by themselves: when, who may end one early, and that it is kept.

use jiff::Timestamp;
use tracing::error;

use super::{Done, Executor, Looked, unreviewed::has_changed};
use crate::{
    change::Undo,
    commands::Ends,
    error::Stop,
    operators::Role,
    pipeline::Invocation,
    reply::Line,
    sanctions::{Sanction, State},
};

impl Executor {
    /// When a change that is about to be made ends by itself, if it does.
    pub(in crate::pipeline) fn until(
        &self,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Timestamp>, Stop> {
        let Some(ends) = &invocation.options.ends else { return Ok(None) };
        ends.of(self.clock.now()).map(Some).ok_or_else(|| {
            Stop::not_understood(match ends {
                Ends::At(_) => "that date is in the past; write a later one, or --for 3d",
                Ends::After(_) => "that time is too long; write a shorter one, such as --for 3d",
            })
        })
    }

    /// Whether somebody of a higher role has imposed what this would end early.
    pub(in crate::pipeline) fn ends_early(
        &self,
        invocation: &Invocation<'_>,
        looked: &Looked,
    ) -> Result<Option<Line>, Stop> {
        if invocation.origin.is_sanction_expiry() {
            return Ok(None);
        }
        for plan in &looked.plans {
            let running = self.sanctions.on(&plan.subject)?;
            let above = running.into_iter().find(|sanction| {
                sanction.role > invocation.operator.role.rank
                    && sanction.is_ended_by(&plan.change.wanted)
            });
            if let Some(sanction) = above {
                return Ok(Some(too_low(&sanction, &invocation.operator.role)));
            }
        }
        Ok(None)
    }

    /// Keeps the sanction that a change has imposed. Called before the change is closed in the
    /// record, so that one that is closed has its end. False where it cannot be kept.
    pub(in crate::pipeline) async fn impose(
        &self,
        invocation: &Invocation<'_>,
        number: u64,
        until: Timestamp,
        done: &Done,
    ) -> bool {
        let Undo::Command(undo) = &done.outcome.undo else { return false };
        let sanction = Sanction {
            number,
            subject: done.subject.clone(),
            words: invocation.words.to_vec(),
            undo: undo.clone(),
            left: done.left.clone(),
            by: invocation.operator.user.clone(),
            role: invocation.operator.role.rank,
            asked: (invocation.room(), invocation.event()),
            until,
            again: None,
            tries: 0,
            state: State::Running,
        };
        self.keep_sanction(sanction).await
    }

    /// Ends the sanctions that the change `number` has put an end to, or has replaced: a room that was
    /// blocked for an hour and is then deleted and blocked stays blocked. What it has left then says so.
    pub(in crate::pipeline) async fn end_sanctions(&self, number: u64, done: &mut Done) {
        let running = match self.sanctions.on(&done.subject) {
            Ok(running) => running,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "sanctions cannot be read");
                return;
            }
        };
        let is_done = has_changed(done.outcome.status);
        for sanction in running {
            let lasts = is_done && sanction.is_replaced_by(&done.lasting);
            let replaced = lasts || is_done && sanction.is_replaced_by(&done.left);
            if !replaced && !sanction.is_ended_by(&done.left) {
                continue;
            }
            if lasts {
                done.left.extend(done.lasting.clone());
                let line = Line::from(format!(
                    "it no longer ends by itself, as #{} would have, ",
                    sanction.number
                ));
                done.outcome.facts.push(("Mind", line.at(sanction.until)));
            }
            self.keep_sanction(Sanction { state: State::Ended(number), ..sanction }).await;
        }
    }

    /// Keeps a sanction; false where it cannot be kept.
    pub(in crate::pipeline) async fn keep_sanction(&self, sanction: Sanction) -> bool {
        let kept = self.sanctions.keep(&sanction).await;
        if let Err(error) = &kept {
            error!(error = error as &dyn std::error::Error, "a sanction cannot be kept");
        }
        kept.is_ok()
    }
}

/// Why somebody may not end a sanction early.
pub(in crate::pipeline) fn too_low(sanction: &Sanction, role: &Role) -> Line {
    Line::new()
        .code(&sanction.subject)
        .plain(" is set until ")
        .at(sanction.until)
        .plain(format!(", #{} by ", sanction.number))
        .code(&sanction.by)
        .plain(format!(
            " as {}: nobody below that role can end it early, and you are {}",
            sanction.role.as_str(),
            role.name
        ))
}
