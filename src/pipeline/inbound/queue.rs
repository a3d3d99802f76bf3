//! Who waits for whom.
//!
//! Intake only puts things in. Whatever comes out runs in a task of its own: an operator's changes
//! one after the other in the order in which they were sent, what only looks after those that came
//! before it, a cancel at once. Nobody waits for a look, and nobody waits for another operator
//! except over the same subject.
//!
//! What a message is shows only when its words are parsed, which its task does. So each task hands
//! to the next of the same sender what that has to wait for, once it knows.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use ruma::OwnedUserId;
use tokio::{
    sync::{mpsc, oneshot},
    time::MissedTickBehavior,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::error;

use crate::pipeline::{Incoming, Lane, Message, Pipeline};

#[cfg(test)]
mod tests;

/// How often the clock is looked at for questions that expire.
const TICK: std::time::Duration = std::time::Duration::from_secs(1);

/// Hands what comes in to the pipeline until `stop`, then waits for what is in hand.
pub async fn serve(
    pipeline: Arc<Pipeline>,
    mut incoming: mpsc::UnboundedReceiver<Incoming>,
    stop: CancellationToken,
) {
    let mut queue = Queue { pipeline, turns: HashMap::new(), tasks: TaskTracker::new() };
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            next = incoming.recv() => match next {
                Some(next) => queue.take(next),
                None => break,
            },
            _ = tick.tick() => queue.tick(),
        }
    }
    queue.tasks.close();
    queue.tasks.wait().await;
}

struct Queue {
    pipeline: Arc<Pipeline>,
    /// For each sender, what their next message has to wait for.
    turns: HashMap<OwnedUserId, Turn>,
    tasks: TaskTracker,
}

/// What the next message of a sender has to wait for.
enum Turn {
    /// Their last message is not parsed yet, and tells it then.
    Parsing(oneshot::Receiver<Option<CancellationToken>>),
    /// Their last change, which cancels this when it is over.
    After(CancellationToken),
}

impl Turn {
    /// The last change before this, once it is known; `None` where there is none.
    async fn last_change(self) -> Option<CancellationToken> {
        match self {
            Self::Parsing(told) => told.await.ok().flatten(),
            Self::After(over) => Some(over),
        }
    }

    /// The same, if anything is left to wait for.
    fn still(self) -> Option<Self> {
        let over = match self {
            Self::Parsing(mut told) => match told.try_recv() {
                Ok(over) => over?,
                Err(oneshot::error::TryRecvError::Empty) => return Some(Self::Parsing(told)),
                Err(oneshot::error::TryRecvError::Closed) => return None,
            },
            Self::After(over) => over,
        };
        (!over.is_cancelled()).then_some(Self::After(over))
    }
}

/// Tells the next message of a sender what it has to wait for, also where this one ends in a fault:
/// then it is what this one had to wait for itself.
struct Handover {
    next: Option<oneshot::Sender<Option<CancellationToken>>>,
    over: Option<CancellationToken>,
}

impl Drop for Handover {
    fn drop(&mut self) {
        if let Some(next) = self.next.take() {
            // Nobody is there to be told where no further message came.
            let _ = next.send(self.over.take());
        }
    }
}

impl Queue {
    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Request(request) => {
                let sender = request.sender.clone();
                if let Some(message) = self.pipeline.receive(request) {
                    self.start(sender, message);
                }
            }
            Incoming::News(news) => {
                let pipeline = self.pipeline.clone();
                self.spawn(async move { pipeline.announce(news).await });
            }
            Incoming::Mark(mark) => {
                // Everything read before it stands in the journal by now.
                if let Err(error) = mark.keep() {
                    error!(error = &error as &dyn std::error::Error, "the place cannot be kept");
                }
            }
        }
    }

    fn start(&mut self, sender: OwnedUserId, message: Message) {
        let (next, told) = oneshot::channel();
        let turn = self.turns.insert(sender, Turn::Parsing(told));
        let pipeline = self.pipeline.clone();
        self.spawn(async move {
            let before = match turn {
                Some(turn) => turn.last_change().await,
                None => None,
            };
            let mut handover = Handover { next: Some(next), over: before.clone() };
            let task = pipeline.parse(message);
            let lane = task.lane();
            // Dropped when the task is over, however it ends: nobody may wait for ever.
            let over = (lane == Lane::InTurn).then(|| {
                let over = CancellationToken::new();
                handover.over = Some(over.clone());
                over.drop_guard()
            });
            drop(handover);
            if let (Some(before), Lane::Beside | Lane::InTurn) = (before, lane) {
                before.cancelled().await;
            }
            let refusal = pipeline.handle(task).await;
            drop(over);
            if let Some(refusal) = refusal {
                pipeline.answer_aside(refusal).await;
            }
        });
    }

    fn tick(&mut self) {
        let turns = std::mem::take(&mut self.turns).into_iter();
        self.turns = turns.filter_map(|(who, turn)| Some((who, turn.still()?))).collect();
        let pipeline = self.pipeline.clone();
        self.spawn(async move {
            pipeline.expire_questions().await;
            pipeline.unfreeze_from_shell().await;
            pipeline.lift_due().await;
            pipeline.write_record_room().await;
            pipeline.keep_hours().await;
        });
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            // The panic itself has been logged by the hook; the others go on.
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                error!("a command ended in a fault of the bot's own; what it did is on record");
            }
        });
    }
}
