//! Long work of the homeserver, watched to its true end: it is asked how far it is, one message
//! shows that, and whoever asked for the change is notified when it is over.

use std::{
    collections::HashSet,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use ruma::OwnedUserId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    audit::{self, Audit, Kind, Record},
    change::{Outcome, Progress, Subject, Undo},
    clock::SharedClock,
    commands::Action,
    error::Stop,
    pipeline::{Executor, Outbox, Voice},
    reply::{Block, Fact, Line, Reply, Status},
    store,
    synapse::Reader,
    watches::{Watch, Watches},
};

/// The longest pause between two questions.
const LONGEST: Duration = Duration::from_secs(15);

/// After so many questions in a row without an answer the room is told.
const UNANSWERED: u32 = 5;

/// For so long something may stay as it is before anything has moved: it may wait for others.
const WAITS: Duration = Duration::from_mins(10);

/// For so long it may stay as it is after it has moved.
const RESTS: Duration = Duration::from_mins(1);

/// How far something is.
enum Far {
    Goes(Vec<Fact>),
    Over(Outcome),
    /// It is over as was to be expected.
    AsToldBefore,
    /// The homeserver cannot be asked.
    Silent,
}

/// One work of the homeserver that is asked for again and again.
struct Asking<'a> {
    reader: &'a Reader,
    action: &'a dyn Action,
    subject: &'a Subject,
    work: &'a str,
    /// How long to wait before the next request.
    pause: Duration,
    /// How many questions in a row had no answer.
    unanswered: u32,
    /// How many were left when that last changed.
    left: Option<Left>,
}

/// How many things are left of something, and since when.
#[derive(Debug, Clone, Copy)]
struct Left {
    count: u64,
    since: Instant,
    /// Whether it has been another number before.
    moved: bool,
}

impl Left {
    /// What is known once `count` are left.
    fn after(before: Option<Self>, count: u64, now: Instant) -> Self {
        match before {
            Some(before) if before.count == count => before,
            _ => Self { count, since: now, moved: before.is_some() },
        }
    }

    /// Whether nothing works on it any more.
    fn is_stuck(self, now: Instant) -> bool {
        now.duration_since(self.since) >= if self.moved { RESTS } else { WAITS }
    }
}

impl Asking<'_> {
    /// Waits, and asks; each pause is twice as long as the last.
    async fn next(&mut self) -> Far {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST);
        let Self { reader, action, subject, work, .. } = self;
        match action.progress(subject, work, &reader.look()).await {
            Ok(Progress::Over(outcome)) => Far::Over(outcome),
            Ok(Progress::AsToldBefore) => Far::AsToldBefore,
            Ok(Progress::Goes(facts)) => {
                self.unanswered = 0;
                Far::Goes(facts)
            }
            Ok(Progress::Counts { left, facts, stuck }) => {
                self.unanswered = 0;
                let now = Instant::now();
                let left = Left::after(self.left, left, now);
                self.left = Some(left);
                if left.is_stuck(now) { Far::Over(*stuck) } else { Far::Goes(facts) }
            }
            Err(Stop::Refused { why, .. }) => Far::Over(unknown(subject, why)),
            Err(error) => {
                warn!(work, error = &error as &dyn std::error::Error, "how far it is is not told");
                self.unanswered = self.unanswered.saturating_add(1);
                Far::Silent
            }
        }
    }
}

/// Long work of the homeserver, and the asking how far it is.
#[derive(Debug)]
pub(in crate::pipeline) struct Watcher {
    watches: Arc<Watches>,
    /// Notified when something is added to what is watched.
    begun: Arc<Notify>,
    /// How long to wait before the homeserver is first asked how far its work is.
    ask_again: Duration,
    clock: SharedClock,
    reader: Reader,
    audit: Audit,
    voice: Arc<Voice>,
    executor: Arc<Executor>,
    outbox: Arc<dyn Outbox>,
}

/// What [`Watcher`] is made on.
pub(in crate::pipeline) struct Below {
    pub(in crate::pipeline) watches: Arc<Watches>,
    pub(in crate::pipeline) begun: Arc<Notify>,
    pub(in crate::pipeline) ask_again: Duration,
    pub(in crate::pipeline) clock: SharedClock,
    pub(in crate::pipeline) reader: Reader,
    pub(in crate::pipeline) audit: Audit,
    pub(in crate::pipeline) voice: Arc<Voice>,
    pub(in crate::pipeline) executor: Arc<Executor>,
    pub(in crate::pipeline) outbox: Arc<dyn Outbox>,
}

impl Watcher {
    pub(in crate::pipeline) fn new(below: Below) -> Self {
        let Below { watches, begun, ask_again, clock, .. } = below;
        let Below { reader, audit, voice, executor, outbox, .. } = below;
        Self { watches, begun, ask_again, clock, reader, audit, voice, executor, outbox }
    }

    /// Watches what there is and what comes, until `over`.
    pub(in crate::pipeline) async fn watch(&self, over: CancellationToken) {
        let mut known = HashSet::new();
        let mut in_hand = FuturesUnordered::new();
        loop {
            let all = self.watches.all().inspect_err(|error| {
                error!(error = error as &dyn std::error::Error, "what goes on cannot be read");
            });
            for watch in all.unwrap_or_default() {
                if known.insert(watch.key()) {
                    in_hand.push(AssertUnwindSafe(self.watch_one(watch)).catch_unwind());
                }
            }
            tokio::select! {
                () = over.cancelled() => break,
                () = self.begun.notified() => {}
                Some(ended) = in_hand.next() => {
                    if ended.is_err() {
                        error!("a fault of the bot's own; it is watched again at the next start");
                    }
                }
            }
        }
    }

    /// What goes on at the homeserver.
    pub(in crate::pipeline) fn open(&self) -> Result<Vec<Watch>, store::Error> {
        self.watches.all()
    }

    /// What is watched.
    #[cfg(test)]
    pub(in crate::pipeline) fn watches(&self) -> &Watches {
        &self.watches
    }

    /// Watches one to its end, says so, and forgets it.
    pub(in crate::pipeline) async fn watch_one(&self, mut watch: Watch) {
        let Some((action, _)) = self.executor.action(&watch.words) else {
            let why = "another version of me started it, and I cannot ask for its progress".into();
            return self.tell_the_end(&watch, unknown(&watch.subject, why)).await;
        };
        let (subject, work) = (watch.subject.clone(), watch.work.clone());
        let mut asking = self.asking(action.as_ref(), &subject, &work);
        let mut shown: Option<String> = None;
        let outcome = loop {
            match asking.next().await {
                Far::Over(outcome) => break outcome,
                Far::AsToldBefore if watch.message.is_none() => return self.let_go(&watch).await,
                Far::AsToldBefore => break through(&subject),
                Far::Goes(facts) => self.show_how_far(&mut watch, facts, &mut shown).await,
                Far::Silent if asking.unanswered >= UNANSWERED => {
                    let state = "the homeserver does not report its progress; I keep asking";
                    let facts = vec![("State", state.into())];
                    self.show_how_far(&mut watch, facts, &mut shown).await;
                }
                Far::Silent => {}
            }
        };
        // Where no answer came it is known only now.
        if outcome.status == Status::Done && action.erases(&subject) {
            self.executor.forget(std::slice::from_ref(&subject), watch.number).await;
        }
        self.tell_the_end(&watch, outcome).await;
    }

    /// Waits for the end of what goes on after one subject of a job was changed; `None` where that
    /// is what was to be expected.
    pub(in crate::pipeline) async fn to_its_end(
        &self,
        action: &dyn Action,
        subject: &Subject,
        work: &str,
    ) -> Option<Outcome> {
        let mut asking = self.asking(action, subject, work);
        loop {
            match asking.next().await {
                Far::Over(outcome) => return Some(outcome),
                Far::AsToldBefore => return None,
                Far::Goes(_) | Far::Silent => {}
            }
        }
    }

    async fn let_go(&self, watch: &Watch) {
        if let Err(error) = self.watches.forget(watch).await {
            let number = watch.number;
            error!(number, error = &error as &dyn std::error::Error, "it is watched again");
        }
    }

    fn asking<'a>(
        &'a self,
        action: &'a dyn Action,
        subject: &'a Subject,
        work: &'a str,
    ) -> Asking<'a> {
        let (reader, pause) = (&self.reader, self.ask_again);
        Asking { reader, action, subject, work, pause, unanswered: 0, left: None }
    }

    /// Says how far it is, or edits what was said; nothing where that would say the same.
    async fn show_how_far(&self, watch: &mut Watch, facts: Vec<Fact>, shown: &mut Option<String>) {
        let reply = Reply::data(
            Line::new()
                .plain(format!("#{}: ", watch.number))
                .command(crate::input::shown(&watch.words))
                .plain(" is still running"),
        )
        .facts(facts);
        let text = format!("{reply:?}");
        if shown.as_ref() == Some(&text) {
            return;
        }
        *shown = Some(text);
        let (room, event) = &watch.asked;
        let transaction_key = format!("watch-{}", watch.key());
        match &watch.message {
            Some(message) => {
                let transaction_key =
                    format!("{transaction_key}-{}", self.clock.now().as_millisecond());
                if let Err(error) = self.outbox.edit(room, message, &transaction_key, &reply).await
                {
                    error!(error = &error as &dyn std::error::Error, "progress is not shown");
                }
            }
            None => match self.voice.say(room, Some(event), &transaction_key, &reply).await {
                Ok(message) => {
                    watch.message = Some(message);
                    if let Err(error) = self.watches.keep(watch).await {
                        error!(error = &error as &dyn std::error::Error, "not kept");
                    }
                }
                Err(error) => {
                    error!(error = &error as &dyn std::error::Error, "progress is not shown");
                }
            },
        }
    }

    /// Records how it ended, says so, and rings whoever asked for it.
    async fn tell_the_end(&self, watch: &Watch, outcome: Outcome) {
        let number = watch.number;
        info!(number, word = outcome.status.as_str(), "what goes on after a change is over");
        if let Err(error) = self.record_the_end(watch, &outcome).await {
            // It is told all the same: the change itself is on record.
            error!(number, error = &error as &dyn std::error::Error, "an end was not recorded");
        }
        let ring: Vec<OwnedUserId> = vec![watch.asker.clone()];
        let mut reply = Reply::outcome(outcome.status, outcome.title).facts(outcome.facts);
        if !outcome.remains.is_empty() {
            reply = reply.with(Block::Commands(outcome.remains));
        }
        let reply =
            reply.note(Line::new().plain("This was ").code(format!("#{number}"))).ringing(ring);
        let (room, event) = &watch.asked;
        let transaction_key = format!("watched-{}", watch.key());
        if !self.voice.say_surely(room, Some(event), &transaction_key, &reply).await {
            error!(number, "an end was not told");
            return;
        }
        self.let_go(watch).await;
    }

    /// Records how it ended, once: an earlier run may have been stopped before it was told.
    async fn record_the_end(&self, watch: &Watch, outcome: &Outcome) -> Result<(), audit::Error> {
        let is_end = |record: &Record| {
            record.kind == Kind::Ended
                && record.of == Some(watch.number)
                && record.subjects.contains(&watch.subject)
        };
        if self.audit.since(watch.begun)?.iter().any(is_end) {
            return Ok(());
        }
        let record = Record {
            of: Some(watch.number),
            words: watch.words.clone(),
            subjects: vec![watch.subject.clone()],
            status: Some(outcome.status),
            note: Some(outcome.title.text()),
            room: Some(watch.asked.0.clone()),
            ..Record::new(Kind::Ended)
        };
        self.audit.note(record).await.map(|_| ())
    }
}

/// The end of what has ended as it was said to.
fn through(subject: &Subject) -> Outcome {
    Outcome {
        status: Status::Done,
        title: Line::new().code(subject).plain(": the homeserver has finished"),
        facts: Vec::new(),
        remains: Vec::new(),
        undo: Undo::None("the change itself says how to undo it".to_owned()),
    }
}

/// The end of what nobody can follow any further.
fn unknown(subject: &Subject, why: Line) -> Outcome {
    Outcome {
        status: Status::Unknown,
        title: Line::new().code(subject).plain(": ").line(why),
        facts: Vec::new(),
        remains: Vec::new(),
        undo: Undo::None("the result is unknown".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_get_any_further_has_ended() {
        let begun = Instant::now();
        let left = Left::after(None, 120, begun);
        let second = Duration::from_secs(1);
        let nearly = |wait: Duration| wait.saturating_sub(second);
        let later = begun + nearly(WAITS);
        let same = Left::after(Some(left), 120, later);
        assert!(!same.is_stuck(later), "it may wait for others");
        assert!(same.is_stuck(later + second), "it never moved");
        let moved = Left::after(Some(same), 3, later);
        let rests = Left::after(Some(moved), 3, later + nearly(RESTS));
        assert!(!rests.is_stuck(later + nearly(RESTS)));
        assert!(rests.is_stuck(later + RESTS), "it has moved, and rests");
        let again = Left::after(Some(rests), 2, later + RESTS);
        assert!(!again.is_stuck(later + RESTS), "it moves again");
    }
}
