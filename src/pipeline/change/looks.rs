//! Commands that only look so far, before anything is asked or done: while they do, they can be
//! stopped.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use ruma::OwnedUserId;
use tokio_util::sync::CancellationToken;

use crate::{
    pipeline::Invocation,
    reply::{Line, Reply, Status},
};

/// Every command that looks now.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Looks {
    open: Mutex<Vec<Entry>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// Whose it is.
    person: String,
    words: Vec<String>,
    stop: Arc<Stop>,
}

/// By whom a command was stopped, if it was.
#[derive(Debug, Default)]
struct Stop {
    now: CancellationToken,
    by: OnceLock<OwnedUserId>,
}

/// A command that looks, for as long as this lives.
#[derive(Debug)]
pub(in crate::pipeline) struct Look<'a> {
    looks: &'a Looks,
    number: u64,
    stop: Arc<Stop>,
}

impl Looks {
    fn open(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A command begins to look.
    pub(in crate::pipeline) fn begin(&self, invocation: &Invocation<'_>) -> Look<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let stop = Arc::<Stop>::default();
        // What nobody has typed now is none of those that can be stopped.
        if invocation.origin.is_typed() {
            let (person, words) = (invocation.operator.person.clone(), invocation.words.to_vec());
            self.open().push(Entry { number, person, words, stop: stop.clone() });
        }
        Look { looks: self, number, stop }
    }

    /// Stops those of this person, or all of them; the words of each.
    pub(in crate::pipeline) fn stop(
        &self,
        by: &OwnedUserId,
        person: Option<&str>,
    ) -> Vec<Vec<String>> {
        let open = self.open();
        let meant = open.iter().filter(|entry| person.is_none_or(|one| entry.person == one));
        let stopped = meant.filter(|entry| entry.stop.by.set(by.clone()).is_ok());
        stopped
            .map(|entry| {
                entry.stop.now.cancel();
                entry.words.clone()
            })
            .collect()
    }
}

impl Look<'_> {
    /// Returns when it is stopped.
    pub(in crate::pipeline) async fn stopped(&self) {
        self.stop.now.cancelled().await;
    }

    /// The answer to what was stopped; `None` where it was not.
    pub(in crate::pipeline) fn answer(&self) -> Option<Reply> {
        let line = Line::new().plain("stopped by ").code(self.stop.by.get()?);
        let line = line.plain(" while I looked, before anything was asked or done");
        Some(Reply::outcome(Status::NothingChanged, line))
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        self.looks.open().retain(|entry| entry.number != self.number);
    }
}
