//! Who waits for whom.
//!
//! Intake only puts things in. Whatever comes out runs in a task of its own: an operator's changes
//! one after the other in the order in which they were sent, what only looks after those that came
//! before it, a cancel at once. Nobody waits for a look, and nobody waits for another operator
//! except over the same subject.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use ruma::OwnedUserId;
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::error;

use super::{Incoming, Lane, Pipeline, Task};

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
    /// For each operator, cancelled when their last change so far is over.
    turns: HashMap<OwnedUserId, CancellationToken>,
    tasks: TaskTracker,
}

impl Queue {
    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Request(request) => {
                let sender = request.sender.clone();
                if let Some(task) = self.pipeline.receive(request) {
                    self.start(sender, task);
                }
            }
            Incoming::News(news) => {
                let pipeline = self.pipeline.clone();
                self.spawn(async move { pipeline.announcements.tell(news).await });
            }
            Incoming::Mark(mark) => {
                // Everything read before it stands in the journal by now.
                if let Err(error) = mark.keep() {
                    error!(error = &error as &dyn std::error::Error, "the place cannot be kept");
                }
            }
        }
    }

    fn start(&mut self, sender: OwnedUserId, task: Task) {
        let before = self.turns.get(&sender).cloned();
        let lane = task.lane();
        // Dropped when the task is over, however it ends: nobody may wait for ever.
        let over = (lane == Lane::InTurn).then(|| {
            let over = CancellationToken::new();
            self.turns.insert(sender, over.clone());
            over.drop_guard()
        });
        let pipeline = self.pipeline.clone();
        self.spawn(async move {
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
        self.turns.retain(|_, over| !over.is_cancelled());
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
