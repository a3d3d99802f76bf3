//! What was lifted by a turn that was cut off before it was told: it is told at the next turn.
//!
//! Before anything is lifted it is noted that this is to be told. What was told and is told again after a kill
//! is the same message, by its transaction id.

use tracing::error;

use super::{SanctionExpiry, told_lifted};
use crate::{
    reply::{Line, Reply, Status},
    sanctions::{Sanction, State},
    store,
};

impl SanctionExpiry {
    /// Those that an earlier turn was about to lift, and of which it was not told what came of that.
    pub(super) fn untold(&self) -> Vec<Sanction> {
        self.below.sanctions.untold().inspect_err(unread).unwrap_or_default()
    }

    /// Notes that these are about to be lifted. Where that cannot be kept they are lifted all the same.
    pub(super) async fn note_lifting(&self, sanctions: &[Sanction]) {
        let _ = self.below.sanctions.note_lifting(sanctions).await.inspect_err(unread);
    }

    /// Notes that it was told what came of these.
    pub(super) async fn note_told(&self, sanctions: &[Sanction]) {
        let _ = self.below.sanctions.note_told(sanctions).await.inspect_err(unread);
    }

    /// Whether it was lifted because its time was over, as the record says.
    pub(super) fn was_lifted(&self, sanction: &Sanction) -> bool {
        let State::Ended(by) = sanction.state else { return false };
        let closing = self.below.audit.closing(by).inspect_err(unread).ok().flatten();
        let closing = closing.and_then(|kept| kept.record);
        // What somebody typed has an event.
        closing.is_some_and(|record| {
            record.event.is_none()
                && record.undoes == Some(sanction.number)
                && record.status == Some(Status::Done)
        })
    }

    /// Tells that one was lifted, where that was so; what is still to be lifted is told then.
    pub(super) async fn tell_lifted_before(&self, sanction: Sanction) {
        if sanction.state.is_open() {
            return;
        }
        if self.was_lifted(&sanction) {
            let title = Line::new().code(&sanction.subject).plain(" as before");
            let reply = told_lifted(&sanction, Reply::outcome(Status::Done, title));
            self.say_of(&sanction, "lifted", &reply).await;
        }
        self.note_told(&[sanction]).await;
    }
}

fn unread(error: &store::Error) {
    let error = error as &dyn std::error::Error;
    error!(error, "which ends are to be told cannot be read or kept");
}
