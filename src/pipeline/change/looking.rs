//! A word in between, where so many are looked at before a question that it takes long.

use std::time::{Duration, Instant};

use ruma::OwnedEventId;
use tracing::warn;

use super::Executor;
use crate::{pipeline::Invocation, reply::Reply};

/// How many are looked at without a word.
const WITHOUT_A_WORD: usize = 100;

/// How often that word is brought up to date.
const EVERY: Duration = Duration::from_secs(5);

/// The message that shows how many were looked at.
pub(super) struct Looking<'a> {
    executor: &'a Executor,
    invocation: &'a Invocation<'a>,
    total: usize,
    so_far: usize,
    edits: usize,
    shown: Option<OwnedEventId>,
    at: Instant,
}

impl<'a> Looking<'a> {
    /// Says that so many are to be looked at, where that takes long and somebody waits for it.
    pub(super) async fn at(
        executor: &'a Executor,
        invocation: &'a Invocation<'a>,
        total: usize,
    ) -> Self {
        let mut looking = Self {
            executor,
            invocation,
            total,
            so_far: 0,
            edits: 0,
            shown: None,
            at: Instant::now(),
        };
        if total > WITHOUT_A_WORD && !invocation.origin.is_sanction_expiry() {
            looking.shown =
                executor.voice.answer(invocation.origin, "looking", &looking.status()).await;
        }
        looking
    }

    /// Counts one more, and shows it from time to time and at the end.
    pub(super) async fn one_more(&mut self) {
        self.so_far += 1;
        if self.at.elapsed() >= EVERY || self.so_far == self.total {
            self.show().await;
        }
    }

    async fn show(&mut self) {
        let Some(event) = &self.shown else { return };
        self.at = Instant::now();
        self.edits += 1;
        let transaction_key = format!("looking-{}", self.edits);
        let room = self.invocation.origin.room();
        let edited = self.executor.outbox.edit(room, event, &transaction_key, &self.status()).await;
        if let Err(error) = edited {
            // It only says how far this is.
            warn!(error = &error as &dyn std::error::Error, "a word in between was not sent");
        }
    }

    fn status(&self) -> Reply {
        let Self { so_far, total, .. } = self;
        Reply::data(if so_far == total {
            format!("I have looked at all {total}; the result follows")
        } else if *so_far == 0 {
            format!("First I look at all {total}; nothing is changed yet")
        } else {
            format!("First I look at all {total}: {so_far} so far; nothing is changed yet")
        })
    }
}
