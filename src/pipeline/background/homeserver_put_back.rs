//! What is on record and not so any more, after the homeserver's database was put back.

use std::collections::BTreeSet;

use tracing::{error, warn};

use crate::{
    audit::{Kind, Record},
    change::{FactMap, Subject},
    pipeline::{
        News, Pipeline,
        change::fact::{Difference, not_as_left},
    },
    reply::{Block, Line, Reply, Status},
};

/// How many of the last changes are compared with what the homeserver shows.
const CHANGES: usize = 100;

/// How many subjects are looked at.
const SUBJECTS: usize = 200;

/// How many differences are named.
const NAMED: usize = 30;

/// What the last change of a subject has left there.
struct Left {
    number: u64,
    words: Vec<String>,
    subject: Subject,
    facts: FactMap,
}

impl Pipeline {
    /// Tells the rooms what happens to the bot and around it.
    pub(in crate::pipeline) async fn announce(&self, news: News) {
        if news == News::PositionRefused {
            self.report_homeserver_put_back().await;
        } else {
            self.announcements.tell(news).await;
        }
    }

    /// Tells that the homeserver knows less than before, and what it shows otherwise than on record.
    async fn report_homeserver_put_back(&self) {
        warn!("the homeserver did not know the position of the bot any more");
        let differences = self.not_so_any_more().await;
        let head = "The homeserver no longer knows how far I had read, as after its database was \
            restored from a backup. I started over and read what came since";
        let mut reply = Reply::data(head);
        if differences.is_empty() {
            reply = reply.text("Everything I checked is still as my record says");
        } else {
            let count = differences.len();
            let lines = differences.iter().take(NAMED).map(|(number, difference)| {
                Line::new().code(format!("#{number}")).plain(" ").line(difference.line())
            });
            let title = format!("Recorded as done, but no longer in effect, {count}:");
            reply = reply
                .with(Block::List(title.into(), lines.collect()))
                .note("I repeat none of it by myself");
        }
        let note = format!(
            "the homeserver was restored to an older state; no longer in effect: \
                            {}",
            differences.len()
        );
        let record = Record { note: Some(note), ..Record::new(Kind::Noted) };
        if let Err(error) = self.audit.note(record).await {
            error!(error = &error as &dyn std::error::Error, "it was not recorded");
        }
        self.voice.tell("put-back", &reply).await;
    }

    /// What the last changes have left and is not so, with their numbers.
    async fn not_so_any_more(&self) -> Vec<(u64, Difference)> {
        let mut differences = Vec::new();
        let reader = self.reader.look();
        for Left { number, words, subject, facts } in self.last_left() {
            let Some((action, _)) = self.executor.action(&words) else { continue };
            match action.snapshot(&subject, &reader).await {
                Ok(seen) => {
                    let difference = not_as_left(&subject, &facts, &seen);
                    differences.extend(difference.map(|difference| (number, difference)));
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    warn!(number, error, "what is so now cannot be seen");
                }
            }
        }
        differences
    }

    /// What the last changes have left of each subject, without what a later one has changed again.
    fn last_left(&self) -> Vec<Left> {
        let is_done = |record: &Record| {
            matches!(record.status, Some(Status::Done | Status::DoneInPart))
                && record.kind == Kind::Closed
        };
        let last = self.audit.last_where(CHANGES, |kept| kept.record.as_ref().is_some_and(is_done));
        let last = last.unwrap_or_else(|error| {
            error!(error = &error as &dyn std::error::Error, "the record cannot be read");
            Vec::new()
        });
        let (mut later, mut left) = (BTreeSet::new(), Vec::new());
        for record in last.into_iter().filter_map(|kept| kept.record) {
            let Some(number) = record.of else { continue };
            for (subject, mut facts) in record.left {
                facts.retain(|fact, _| later.insert((subject.key(), fact.clone())));
                if !facts.is_empty() && left.len() < SUBJECTS {
                    left.push(Left { number, words: record.words.clone(), subject, facts });
                }
            }
        }
        left
    }
}
