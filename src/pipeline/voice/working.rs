//! That the bot is at work on a command, shown where its answer takes a while.
//!
//! Nothing waits for any of it: it goes on beside the work, and what is answered quickly never comes to
//! it. A mark that stays behind, because the process was killed or the homeserver did not take it away,
//! is taken away at the next start or within the hour.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ruma::{OwnedEventId, OwnedRoomId, RoomId};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::{
    pipeline::{Command, Outbox, Said, Task, Trust, What, YesTo},
    store::{self, Shelf, Store},
};

/// After so long it is shown that the bot writes.
const WRITES_AFTER: Duration = Duration::from_millis(400);

/// How often that is told again: the homeserver shows it for half a minute.
const WRITES_STILL: Duration = Duration::from_secs(20);

/// After so long the message is marked.
const MARKED_AFTER: Duration = Duration::from_millis(500);

/// How many messages are marked within [`BUDGET`] at most. Each takes two events of what the homeserver
/// lets the bot send, which is for answers.
const MARKS: usize = 3;
const BUDGET: Duration = Duration::from_mins(1);

/// The mark.
const MARK: &str = "⏳";

/// A mark that is under a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    room: OwnedRoomId,
    /// The reaction.
    mark: OwnedEventId,
}

/// Shows what is at work.
#[derive(Debug)]
pub(in crate::pipeline) struct Working {
    outbox: Arc<dyn Outbox>,
    /// The marks by the messages that they are under.
    marks: Shelf<Mark>,
    /// How many commands it is shown for in a room that the bot writes.
    writing: Mutex<HashMap<OwnedRoomId, usize>>,
    /// The messages of this run that may be marked.
    marked: Mutex<HashSet<OwnedEventId>>,
    /// When the last ones were marked.
    recent: Mutex<VecDeque<Instant>>,
}

/// What is at work.
#[derive(Debug)]
pub(in crate::pipeline) struct AtWork {
    room: OwnedRoomId,
    event: OwnedEventId,
    /// Whether the message is one that can be marked.
    marks: bool,
}

impl AtWork {
    /// What may be shown of a task: a command that is its sender's own word. Whoever writes in
    /// somebody's name has the bot show nothing.
    pub(in crate::pipeline) fn of(task: &Task) -> Option<Self> {
        let own = !matches!(task.request.trust, Trust::Doubtful(_));
        let command = match &task.what {
            // Where it answers nothing, nothing is said to it.
            What::Command(_, Command::Yes(YesTo::LastWord(last))) => !last.codes.is_empty(),
            What::Command(..) => true,
            _ => false,
        };
        (own && command).then(|| Self {
            room: task.request.room.clone(),
            event: task.request.event.clone(),
            // Clients show no reaction to a reaction.
            marks: matches!(task.request.said, Said::Message { .. } | Said::Structured(_)),
        })
    }
}

impl Working {
    pub(in crate::pipeline) fn new(
        store: &Store,
        outbox: Arc<dyn Outbox>,
    ) -> Result<Self, store::Error> {
        let (writing, marked, recent) = Default::default();
        Ok(Self { outbox, marks: store.shelf("hourglasses")?, writing, marked, recent })
    }

    /// Shows that something is at work, until it is `over`, if that takes a while.
    pub(in crate::pipeline) async fn show(&self, at_work: Option<AtWork>, over: CancellationToken) {
        let Some(AtWork { room, event, marks }) = at_work else { return };
        let begun = Instant::now();
        if timeout_at(begun + WRITES_AFTER, over.cancelled()).await.is_ok() {
            return;
        }
        self.begin_writing(&room).await;
        let soon = timeout_at(begun + MARKED_AFTER, over.cancelled()).await.is_ok();
        let mark = if marks && !soon { self.mark(&room, &event).await } else { None };
        loop {
            tokio::select! {
                () = over.cancelled() => break,
                () = sleep(WRITES_STILL) => self.outbox.show_typing(&room, true).await,
            }
        }
        self.end_writing(&room).await;
        if let Some(mark) = mark {
            self.take_away(&event, &mark).await;
        }
        guard(&self.marked).remove(&event);
    }

    /// Takes away the marks that an earlier run has left behind, or that could not be taken away.
    pub(in crate::pipeline) async fn take_away_what_is_left(&self) {
        let left = self.marks.all().inspect_err(|error| {
            error!(error = error as &dyn std::error::Error, "old marks cannot be read");
        });
        for (event, mark) in left.unwrap_or_default() {
            let Ok(event) = OwnedEventId::try_from(event) else { continue };
            if !guard(&self.marked).contains(&event) {
                self.take_away(&event, &mark).await;
            }
        }
    }

    async fn begin_writing(&self, room: &RoomId) {
        *guard(&self.writing).entry(room.to_owned()).or_default() += 1;
        self.outbox.show_typing(room, true).await;
    }

    /// The last one in a room shows that the bot does not write any more.
    async fn end_writing(&self, room: &RoomId) {
        let last = {
            let mut writing = guard(&self.writing);
            let left = writing.get(room).map_or(0, |count| count.saturating_sub(1));
            if left == 0 {
                writing.remove(room);
            } else {
                writing.insert(room.to_owned(), left);
            }
            left == 0
        };
        if last {
            self.outbox.show_typing(room, false).await;
        }
    }

    async fn mark(&self, room: &RoomId, event: &OwnedEventId) -> Option<Mark> {
        if !self.may_mark() {
            return None;
        }
        guard(&self.marked).insert(event.clone());
        let marked = self.outbox.mark(room, event, MARK).await.inspect_err(|error| {
            debug!(%event, error = error as &dyn std::error::Error, "not marked");
        });
        let mark = Mark { room: room.to_owned(), mark: marked.ok()? };
        if let Err(error) = self.marks.put(event.as_str(), &mark) {
            error!(error = &error as &dyn std::error::Error, "after a kill a mark stays");
        }
        Some(mark)
    }

    /// Whether another message may be marked now.
    fn may_mark(&self) -> bool {
        let now = Instant::now();
        let mut recent = guard(&self.recent);
        recent.retain(|at| now.duration_since(*at) < BUDGET);
        let may = recent.len() < MARKS;
        if may {
            recent.push_back(now);
        }
        may
    }

    async fn take_away(&self, event: &OwnedEventId, mark: &Mark) {
        if let Err(error) = self.outbox.unmark(&mark.room, &mark.mark).await {
            debug!(%event, error = &error as &dyn std::error::Error, "a mark stays for now");
            return;
        }
        if let Err(error) = self.marks.remove(event.as_str()) {
            error!(error = &error as &dyn std::error::Error, "a mark is taken away once more");
        }
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Doubt, testing::Stage};

    /// What is at work of a command by ann.
    fn at_work(stage: &Stage) -> Option<AtWork> {
        let message = stage.pipeline.receive(stage.request("ann", "!help"))?;
        AtWork::of(&stage.pipeline.parse(message))
    }

    /// Shows it, and ends the work when `until` has passed.
    async fn show_for(stage: &Stage, at_work: Option<AtWork>, until: Duration) {
        let over = CancellationToken::new();
        let working = stage.pipeline.working.show(at_work, over.clone());
        tokio::join!(working, async {
            sleep(until).await;
            over.cancel();
        });
    }

    #[tokio::test]
    async fn what_takes_long_is_shown_and_what_is_quick_is_not() {
        let stage = Stage::set("http://127.0.0.1:9", "token");
        show_for(&stage, at_work(&stage), Duration::from_millis(100)).await;
        assert_eq!(stage.heard.reactions(), Vec::<String>::new());
        show_for(&stage, at_work(&stage), Duration::from_millis(800)).await;
        assert_eq!(stage.heard.reactions(), ["types", "⏳", "types no more", "unmarked"]);
        stage.pipeline.working.take_away_what_is_left().await;
        assert_eq!(stage.heard.reactions().len(), 4, "nothing is left");
    }

    #[tokio::test]
    async fn what_is_left_behind_is_taken_away_and_no_more_than_a_few_are_marked() {
        let stage = Stage::set("http://127.0.0.1:9", "token");
        let working = &stage.pipeline.working;
        for number in 0..=MARKS {
            let event = stage.request("ann", "!help").event;
            let room = &stage.request("ann", "").room;
            assert_eq!(working.mark(room, &event).await.is_some(), number < MARKS, "{number}");
        }
        working.take_away_what_is_left().await;
        let left = stage.heard.reactions().into_iter().filter(|one| one == "unmarked");
        assert_eq!(left.count(), 0, "they are at work");
        guard(&working.marked).clear();
        working.take_away_what_is_left().await;
        let left = stage.heard.reactions().into_iter().filter(|one| one == "unmarked");
        assert_eq!(left.count(), MARKS);
    }

    #[tokio::test]
    async fn nothing_is_shown_of_what_need_not_be_its_senders_word() {
        let stage = Stage::set("http://127.0.0.1:9", "token");
        assert!(at_work(&stage).is_some());
        let mut request = stage.request("ann", "!help");
        request.trust = Trust::Doubtful(Doubt::Plaintext);
        let message = stage.pipeline.receive(request).unwrap();
        assert!(AtWork::of(&stage.pipeline.parse(message)).is_none());
        let message = stage.pipeline.receive(stage.request("eve", "!help")).unwrap();
        assert!(AtWork::of(&stage.pipeline.parse(message)).is_none());
        let message = stage.pipeline.receive(stage.request("ann", "yes")).unwrap();
        assert!(AtWork::of(&stage.pipeline.parse(message)).is_none(), "it answers nothing");
    }
}
