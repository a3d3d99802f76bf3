//! Long work of the homeserver, watched to its true end: it is asked how far it is, one message
//! shows that, and whoever asked for the change is rung when it is over.

use std::{collections::HashSet, panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use ruma::OwnedUserId;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Asked, Pipeline, change::Done};
use crate::{
    audit::{Kind, Record},
    change::{Outcome, Progress, Subject},
    commands::Action,
    reply::{Block, Fact, Line, Reply},
    watches::Watch,
};

/// How long it is waited before the homeserver is asked for the first time, and between that and
/// the next; each pause is twice as long as the last.
const FIRST: Duration = Duration::from_secs(1);

/// The longest of these pauses.
const LONGEST: Duration = Duration::from_secs(15);

impl Pipeline {
    /// Keeps what goes on after a change, so that it is watched from now on.
    pub(super) async fn begin_watching(&self, asked: &Asked<'_>, number: u64, done: &[Done]) {
        for one in done {
            let Some(work) = &one.work else { continue };
            let watch = Watch {
                number,
                subject: one.subject.clone(),
                work: work.clone(),
                words: asked.words.to_vec(),
                asker: asked.operator.user.clone(),
                asked: (asked.request.room.clone(), asked.request.event.clone()),
                begun: self.clock.now(),
                message: None,
            };
            if let Err(error) = self.watches.keep(&watch).await {
                error!(number, error = &error as &dyn std::error::Error, "it is not watched");
            }
        }
        self.watch_begun.notify_one();
    }

    /// Watches what there is and what comes, until `over`.
    pub async fn watch(&self, over: CancellationToken) {
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
                () = self.watch_begun.notified() => {}
                Some(ended) = in_hand.next() => {
                    if ended.is_err() {
                        error!("a fault of the bot's own; it is watched again at the next start");
                    }
                }
            }
        }
    }

    async fn watch_one(&self, mut watch: Watch) {
        let Some((action, _)) = self.action(&watch.words) else {
            warn!(number = watch.number, "another version of me began it, so it is not watched");
            return;
        };
        let (subject, work) = (watch.subject.clone(), watch.work.clone());
        let outcome = {
            let mut shown: Option<String> = None;
            let watch = &mut watch;
            let mut pauses = pauses();
            loop {
                tokio::time::sleep(pauses.next().unwrap_or(LONGEST)).await;
                match self.ask_how_far(action.as_ref(), &subject, &work).await {
                    Some(Progress::Over(outcome)) => break outcome,
                    Some(Progress::Goes(facts)) => {
                        self.show_how_far(watch, facts, &mut shown).await;
                    }
                    None => {}
                }
            }
        };
        self.tell_the_end(&watch, outcome).await;
    }

    /// Waits for the end of what goes on after one subject of a job was changed.
    pub(super) async fn to_its_end(
        &self,
        action: &dyn Action,
        subject: &Subject,
        work: &str,
    ) -> Outcome {
        let mut pauses = pauses();
        loop {
            tokio::time::sleep(pauses.next().unwrap_or(LONGEST)).await;
            if let Some(Progress::Over(outcome)) = self.ask_how_far(action, subject, work).await {
                return outcome;
            }
        }
    }

    async fn ask_how_far(
        &self,
        action: &dyn Action,
        subject: &Subject,
        work: &str,
    ) -> Option<Progress> {
        let asked = action.progress(subject, work, &self.reader.look()).await;
        let unknown = |error: &_| {
            warn!(work, error = error as &dyn std::error::Error, "how far it is cannot be asked");
        };
        asked.inspect_err(unknown).ok()
    }

    /// Says how far it is, or edits what was said; nothing where that would say the same.
    async fn show_how_far(&self, watch: &mut Watch, facts: Vec<Fact>, shown: &mut Option<String>) {
        let reply = Reply::data(
            Line::new()
                .plain(format!("#{}: ", watch.number))
                .code(crate::input::shown(&watch.words))
                .plain(" goes on"),
        )
        .facts(facts);
        let text = format!("{reply:?}");
        if shown.as_ref() == Some(&text) {
            return;
        }
        *shown = Some(text);
        let (room, event) = &watch.asked;
        let slot = format!("watch-{}", watch.key());
        match &watch.message {
            Some(message) => {
                let slot = format!("{slot}-{}", self.clock.now().as_millisecond());
                if let Err(error) = self.outbox.edit(room, message, &slot, &reply).await {
                    error!(error = &error as &dyn std::error::Error, "progress is not shown");
                }
            }
            None => match self.say(room, Some(event), &slot, &reply).await {
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
        info!(number, word = outcome.word.as_str(), "what goes on after a change is over");
        let record = Record {
            of: Some(number),
            words: watch.words.clone(),
            subjects: vec![watch.subject.clone()],
            word: Some(outcome.word),
            note: Some(outcome.title.text()),
            room: Some(watch.asked.0.clone()),
            ..Record::new(Kind::Ended)
        };
        if let Err(error) = self.audit.note(record).await {
            // It is told all the same: the change itself is on record.
            error!(number, error = &error as &dyn std::error::Error, "an end was not recorded");
        }
        let ring: Vec<OwnedUserId> = vec![watch.asker.clone()];
        let mut reply = Reply::outcome(outcome.word, outcome.title).facts(outcome.facts);
        if !outcome.remains.is_empty() {
            reply = reply.with(Block::Commands(outcome.remains));
        }
        let reply =
            reply.note(Line::new().plain("That was ").code(format!("#{number}"))).ringing(ring);
        let (room, event) = &watch.asked;
        let slot = format!("watched-{}", watch.key());
        if let Err(error) = self.say(room, Some(event), &slot, &reply).await {
            error!(number, error = &error as &dyn std::error::Error, "an end was not told");
            return;
        }
        if let Err(error) = self.watches.forget(watch).await {
            error!(number, error = &error as &dyn std::error::Error, "it will be told again");
        }
    }
}

/// The pauses between questions.
fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(FIRST), |pause| Some((*pause * 2).min(LONGEST)))
}
