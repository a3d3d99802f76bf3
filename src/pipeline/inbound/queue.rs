//! Who waits for whom.
//!
//! Intake only puts things in. Whatever comes out runs in a task of its own: an operator's changes
//! one after the other in the order in which they were sent, what only looks after those before it
//! that may be about the same, a cancel at once. Nobody waits for a look, and nobody waits for
//! another operator except over the same subject. Who has waited for a while is told for what.
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
use tracing::{Instrument as _, error};

use crate::{
    pipeline::{
        Command, InHand, Incoming, Lane, Message, Origin, Pipeline, Task, What, change::mask,
        inbound::names::Names, origin::span, voice::working::AtWork,
    },
    reply::{Line, Reply},
};

#[cfg(test)]
mod tests;

/// How often the clock is looked at for questions that expire.
const TICK: std::time::Duration = std::time::Duration::from_secs(1);

/// How long somebody waits without a word.
pub(in crate::pipeline) const WITHOUT_A_WORD: std::time::Duration =
    std::time::Duration::from_secs(5);

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

impl Task {
    /// What it is, in words that hold no secret.
    fn shown(&self) -> String {
        match &self.what {
            What::Command(_, Command::Change(action, _, words)) => {
                crate::input::shown(&mask(words, &action.typed()))
            }
            What::Command(_, Command::Own(_, options, words)) => {
                // What is typed after a code may be a one-time password.
                let numbered = matches!(options.verb.as_str(), "confirm" | "approve" | "undo");
                let number = words.get(1).filter(|_| numbered);
                number.map_or_else(
                    || format!("!{}", options.verb),
                    |number| format!("!{} {number}", options.verb),
                )
            }
            What::Command(_, Command::InFile(words, _)) => {
                crate::input::shown(words.get(..2).unwrap_or(words))
            }
            What::Command(..) | What::Stranger | What::Say(_) | What::Suspect(_) => {
                "what you said".to_owned()
            }
        }
    }
}

impl Pipeline {
    /// Whom and what a task names.
    fn names(&self, task: &Task) -> Names {
        let server = self.reader.server_name();
        match &task.what {
            What::Command(_, Command::Read(_, _, words) | Command::Change(_, _, words)) => {
                Names::of(words, server)
            }
            What::Command(_, Command::Own(_, options, words)) => match options.verb.as_str() {
                // They tell nothing that a change could alter on its way.
                "help" | "doctor" => Names::nothing(),
                "confirm" | "approve" => {
                    let ticket = words.get(1).and_then(|code| self.questions.get(code).ok()?);
                    ticket.map_or(Names::Anything, |ticket| {
                        Names::these(
                            ticket.about.iter().map(|(subject, _)| subject.typed()),
                            server,
                        )
                    })
                }
                _ => Names::Anything,
            },
            _ => Names::Anything,
        }
    }

    /// Waits until a change is over, and says so to whoever waits for long.
    async fn wait_for(&self, task: &Task, pending: &Pending) {
        let over = pending.over.cancelled();
        if tokio::time::timeout(WITHOUT_A_WORD, over).await.is_ok() {
            return;
        }
        if matches!(task.what, What::Command(..)) {
            let line = Line::new().plain("Waiting for ").copied(&pending.shown);
            let line = line.plain(", which you sent earlier and which is still running");
            let origin = Origin::Message(&task.request);
            self.voice.answer(origin, "waits", &Reply::data(line)).await;
        }
        pending.over.cancelled().await;
    }
}

struct Queue {
    pipeline: Arc<Pipeline>,
    /// For each sender, what their next message has to wait for.
    turns: HashMap<OwnedUserId, Turn>,
    tasks: TaskTracker,
}

/// A change of a sender that is not over yet.
#[derive(Debug, Clone)]
struct Pending {
    /// Cancelled when it is over.
    over: CancellationToken,
    names: Names,
    /// What it is, for who waits for it.
    shown: String,
}

/// What the next message of a sender may have to wait for.
enum Turn {
    /// Their last message is not parsed yet, and tells it then.
    Parsing(oneshot::Receiver<Vec<Pending>>),
    /// Their changes that are not over, in their order.
    After(Vec<Pending>),
}

impl Turn {
    /// The changes before this, once they are known.
    async fn earlier(self) -> Vec<Pending> {
        match self {
            Self::Parsing(told) => told.await.unwrap_or_default(),
            Self::After(earlier) => earlier,
        }
    }

    /// The same, if anything is left to wait for.
    fn still(self) -> Option<Self> {
        let mut earlier = match self {
            Self::Parsing(mut told) => match told.try_recv() {
                Ok(earlier) => earlier,
                Err(oneshot::error::TryRecvError::Empty) => return Some(Self::Parsing(told)),
                Err(oneshot::error::TryRecvError::Closed) => return None,
            },
            Self::After(earlier) => earlier,
        };
        earlier.retain(|pending| !pending.over.is_cancelled());
        (!earlier.is_empty()).then_some(Self::After(earlier))
    }
}

/// Tells the next message of a sender what it may have to wait for, also where this one ends in a
/// fault: then it is what this one had to wait for itself.
struct Handover {
    next: Option<oneshot::Sender<Vec<Pending>>>,
    pending: Vec<Pending>,
}

impl Drop for Handover {
    fn drop(&mut self) {
        if let Some(next) = self.next.take() {
            // Nobody is there to be told where no further message came.
            let _ = next.send(std::mem::take(&mut self.pending));
        }
    }
}

impl Queue {
    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Request(request, in_hand) => {
                let sender = request.sender.clone();
                if let Some(message) = self.pipeline.receive(request) {
                    self.start(sender, message, in_hand);
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

    fn start(&mut self, sender: OwnedUserId, message: Message, in_hand: InHand) {
        let (next, told) = oneshot::channel();
        let turn = self.turns.insert(sender, Turn::Parsing(told));
        let pipeline = self.pipeline.clone();
        let span = span(message.event());
        let work = async move {
            let mut earlier = match turn {
                Some(turn) => turn.earlier().await,
                None => Vec::new(),
            };
            earlier.retain(|pending| !pending.over.is_cancelled());
            let mut handover = Handover { next: Some(next), pending: earlier.clone() };
            let task = pipeline.parse(message);
            let (lane, names) = (task.lane(), pipeline.names(&task));
            // Those before it end in their order, so that after the last one all are over.
            let before = match lane {
                Lane::Overtaking => None,
                Lane::InTurn => earlier.pop(),
                Lane::Beside => earlier.into_iter().rfind(|one| one.names.may_meet(&names)),
            };
            // Dropped when the task is over, however it ends: nobody may wait for ever.
            let over = (lane == Lane::InTurn).then(|| {
                let over = CancellationToken::new();
                let shown = task.shown();
                handover.pending.push(Pending { over: over.clone(), names, shown });
                over.drop_guard()
            });
            drop(handover);
            // What waits for others, and what changes, needs no haste from the sync.
            let in_hand = (lane == Lane::Beside && before.is_none()).then_some(in_hand);
            let answered = CancellationToken::new();
            let shown = pipeline.working.show(AtWork::of(&task), answered.clone());
            let work = async {
                let answered = answered.drop_guard();
                if let Some(before) = before {
                    pipeline.wait_for(&task, &before).await;
                }
                let refusal = pipeline.handle(task).await;
                drop((over, in_hand, answered));
                if let Some(refusal) = refusal {
                    pipeline.answer_aside(refusal).await;
                }
            };
            tokio::join!(work, shown);
        };
        self.spawn(work.instrument(span));
    }

    fn tick(&mut self) {
        let turns = std::mem::take(&mut self.turns).into_iter();
        self.turns = turns.filter_map(|(who, turn)| Some((who, turn.still()?))).collect();
        let pipeline = self.pipeline.clone();
        self.spawn(async move {
            pipeline.expire_questions().await;
            pipeline.unfreeze_from_shell().await;
            pipeline.watch_token().await;
            pipeline.lift_due().await;
            pipeline.tell_digest().await;
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
