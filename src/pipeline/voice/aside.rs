//! Answers to what is not its sender's own word.
//!
//! Whoever can write in an operator's name, without their keys, could have as many refusals as they
//! want, each with its turn before answers that somebody waits for. So these are given one after the
//! other, beside the others: never more than one of them is in the way. When many wait, further ones
//! are left out, and only the log has them. The same for somebody who is frozen.
//!
//! Whoever sent it may be unable to read an encrypted answer. So an operator's message that is refused
//! for its device, or could not be decrypted, is marked with a reaction too, which is always in clear.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as SyncMutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedUserId, UserId};
use tokio::sync::{Mutex, Semaphore};
use tracing::warn;

use crate::{
    clock::SharedClock,
    operators::Roster,
    pipeline::{Doubt, FreezeControl, Origin, Request, Said, Trust, Voice},
    reply::{Reply, Status},
};

/// How many refusals may wait for their turn.
const WAITING: usize = 100;

/// How long no further message in one operator's name is marked after one was. Whoever can write in
/// their name could have as many marks as they send messages.
const MARKED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Marks a message that was read and is not believed.
const NOT_BELIEVED: &str = "⚠️";

/// Marks a message that could not be decrypted.
const NOT_DECRYPTED: &str = "🔒";

/// The way out beside the others.
#[derive(Debug)]
pub(in crate::pipeline) struct Aside {
    waiting: Semaphore,
    turn: Mutex<()>,
    roster: Arc<Roster>,
    clock: SharedClock,
    freeze_control: Arc<FreezeControl>,
    voice: Arc<Voice>,
    /// When a message in an operator's name was last marked.
    marked: SyncMutex<HashMap<OwnedUserId, Timestamp>>,
}

/// An answer that waits for its turn beside the others.
#[derive(Debug)]
pub struct Refusal {
    request: Request,
    /// What is said; nothing where the message is only marked.
    reply: Option<Reply>,
}

impl Refusal {
    /// Of a message that is not answered in words: it is marked, where it would be in any case.
    pub(in crate::pipeline) fn without_words(request: Request) -> Self {
        Self { request, reply: None }
    }
}

impl Aside {
    pub(in crate::pipeline) fn new(
        (roster, clock): (Arc<Roster>, SharedClock),
        freeze_control: Arc<FreezeControl>,
        voice: Arc<Voice>,
    ) -> Self {
        let (waiting, turn) = (Semaphore::new(WAITING), Mutex::default());
        let marked = SyncMutex::default();
        Self { waiting, turn, roster, clock, freeze_control, voice, marked }
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
        Some(Refusal { request, reply: Some(reply) })
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
        if let Some(reply) = &reply {
            self.voice.answer(Origin::Message(&request), "answer", reply).await;
        }
        if let Some(mark) = self.mark_due(&request) {
            self.voice.react(&request.room, &request.event, mark).await;
        }
    }

    /// The mark for a message, if it gets one: in an operator's name only, so that strangers learn
    /// nothing, and not for each of many.
    fn mark_due(&self, request: &Request) -> Option<&'static str> {
        let mark = mark_of(request)?;
        self.roster.operator(&request.sender)?;
        let now = self.clock.now();
        let mut marked = self.marked.lock().unwrap_or_else(PoisonError::into_inner);
        let last = marked.get(&request.sender);
        if last.is_some_and(|last| now.duration_since(*last) < MARKED_EVERY) {
            return None;
        }
        marked.insert(request.sender.clone(), now);
        Some(mark)
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

/// The mark for a message whose sender may be unable to read what is answered. Who has other keys than
/// those that the bot knows, or had their message replayed, reads the answer.
pub(in crate::pipeline) fn mark_of(request: &Request) -> Option<&'static str> {
    match (&request.said, &request.trust) {
        (Said::Reaction { .. }, _) => None,
        (Said::Undecryptable, _) => Some(NOT_DECRYPTED),
        (
            _,
            Trust::Doubtful(
                Doubt::Plaintext | Doubt::UnsignedDevice | Doubt::UnknownDevice | Doubt::NoIdentity,
            ),
        ) => Some(NOT_BELIEVED),
        _ => None,
    }
}

/// Whether nobody but its sender can have made it, as far as the room shows that.
fn is_proved(request: &Request) -> bool {
    !matches!(request.trust, Trust::Doubtful(_)) && request.said != Said::Undecryptable
}

#[cfg(test)]
mod tests {
    use crate::pipeline::{Doubt, Said, Trust, testing::Stage};

    /// What ann's message gets that says this and is doubted so.
    async fn marked(stage: &Stage, text: &str, doubt: Doubt) -> Vec<String> {
        let before = stage.heard.reactions().len();
        let mut request = stage.request("ann", text);
        request.trust = Trust::Doubtful(doubt);
        stage.hand(request).await;
        stage.heard.reactions().split_off(before)
    }

    #[tokio::test]
    async fn what_may_come_from_a_device_that_cannot_read_the_answer_is_marked_once() {
        let stage = Stage::set("http://127.0.0.1:9", "token");
        for doubt in
            [Doubt::UnsignedDevice, Doubt::Plaintext, Doubt::UnknownDevice, Doubt::NoIdentity]
        {
            assert_eq!(marked(&stage, "!me", doubt).await, ["⚠️"], "{doubt:?}");
            assert!(marked(&stage, "!me", doubt).await.is_empty(), "the next one, {doubt:?}");
            stage.clock.pass(60);
        }
        for doubt in [Doubt::ChangedKey, Doubt::LoggedOut, Doubt::NotPinned] {
            assert!(marked(&stage, "!me", doubt).await.is_empty(), "{doubt:?} reads the answer");
        }
        assert!(marked(&stage, "good morning", Doubt::Plaintext).await.is_empty());
    }

    #[tokio::test]
    async fn a_message_that_could_not_be_decrypted_is_marked_as_such() {
        let stage = Stage::set("http://127.0.0.1:9", "token");
        let mut request = stage.request("ann", "");
        request.said = Said::Undecryptable;
        request.trust = Trust::Doubtful(Doubt::UnknownDevice);
        stage.hand(request).await;
        assert_eq!(stage.heard.reactions(), ["🔒"]);
    }

    #[tokio::test]
    async fn a_bare_yes_is_marked_only_where_it_answers_something() {
        let stage = Stage::set("http://127.0.0.1:9", "token");
        assert!(marked(&stage, "yes", Doubt::UnsignedDevice).await.is_empty());
        let mut request = stage.request("ann", "yes");
        request.trust = Trust::Doubtful(Doubt::UnsignedDevice);
        if let Said::Message { reply_to, .. } = &mut request.said {
            *reply_to = Some(stage.request("ann", "").event);
        }
        stage.hand(request).await;
        assert_eq!(stage.heard.reactions(), ["⚠️"]);
        assert_eq!(stage.heard.all(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_stranger_gets_no_mark() {
        let stage = Stage::set("http://127.0.0.1:9", "token");
        let mut request = stage.request("eve", "!me");
        request.trust = Trust::Doubtful(Doubt::UnsignedDevice);
        stage.hand(request).await;
        assert_eq!(stage.heard.reactions(), Vec::<String>::new());
        stage.say("ann", "!help").await;
        assert_eq!(stage.heard.reactions(), Vec::<String>::new(), "ann's own word");
    }
}
