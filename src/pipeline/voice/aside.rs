//! Answers to what is not its sender's own word.
//!
//! Whoever can write in an operator's name, without their keys, could have as many refusals as they
//! want, each with its turn before answers that somebody waits for. So these are given one after the
//! other, beside the others: never more than one of them is in the way. When many wait, further ones
//! are left out, and only the log has them. The same for somebody who is frozen.

use std::sync::Arc;

use ruma::UserId;
use tokio::sync::{Mutex, Semaphore};
use tracing::warn;

use crate::{
    operators::Roster,
    pipeline::{FreezeControl, Origin, Request, Said, Trust, Voice},
    reply::{Reply, Status},
};

/// How many refusals may wait for their turn.
const WAITING: usize = 100;

/// The way out beside the others.
#[derive(Debug)]
pub(in crate::pipeline) struct Aside {
    waiting: Semaphore,
    turn: Mutex<()>,
    roster: Arc<Roster>,
    freeze_control: Arc<FreezeControl>,
    voice: Arc<Voice>,
}

/// An answer that waits for its turn beside the others.
#[derive(Debug)]
pub struct Refusal {
    request: Request,
    reply: Reply,
}

impl Aside {
    pub(in crate::pipeline) fn new(
        roster: Arc<Roster>,
        freeze_control: Arc<FreezeControl>,
        voice: Arc<Voice>,
    ) -> Self {
        let (waiting, turn) = (Semaphore::new(WAITING), Mutex::default());
        Self { waiting, turn, roster, freeze_control, voice }
    }

    /// Answers to a message at once, where its sender is served and it is theirs or was acted upon;
    /// else answers what is to be said beside the others.
    pub(in crate::pipeline) async fn answer_now(
        &self,
        request: Request,
        reply: Reply,
    ) -> Option<Refusal> {
        let acted =
            matches!(reply.status, Some(Status::Done | Status::DoneInPart | Status::Unknown));
        if acted || (is_proved(&request) && self.is_served(&request.sender)) {
            self.voice.answer_surely(Origin::Message(&request), "answer", &reply).await;
            return None;
        }
        Some(Refusal { request, reply })
    }

    /// Says what is to be said beside the others. To be called when nobody waits for the message
    /// any more.
    pub(in crate::pipeline) async fn answer_aside(&self, refusal: Refusal) {
        let Refusal { request, reply } = refusal;
        let Ok(_place) = self.waiting.try_acquire() else {
            warn!(sender = %request.sender, event = %request.event, "refused, and not told so");
            return;
        };
        let _turn = self.turn.lock().await;
        self.voice.answer(Origin::Message(&request), "answer", &reply).await;
    }

    /// Takes a message with a secret out of the room; whether it is out. Of those that need not be
    /// its sender's one after the other, and no more than may wait: whoever floods the room in an
    /// operator's name must not have the bot remove as much as they send.
    pub(in crate::pipeline) async fn remove_in_turn(&self, request: &Request) -> bool {
        if is_proved(request) && self.is_served(&request.sender) {
            return self.voice.remove_secret(request).await.is_ok();
        }
        let Ok(_place) = self.waiting.try_acquire() else { return false };
        let _turn = self.turn.lock().await;
        self.voice.remove_secret(request).await.is_ok()
    }

    fn is_served(&self, sender: &UserId) -> bool {
        let operator = self.roster.operator(sender);
        operator
            .is_some_and(|operator| self.freeze_control.person_frozen(&operator.person).is_none())
    }
}

/// Whether nobody but its sender can have made it, as far as the room shows that.
fn is_proved(request: &Request) -> bool {
    !matches!(request.trust, Trust::Doubtful(_)) && request.said != Said::Undecryptable
}
