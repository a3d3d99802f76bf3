//! Watching single accounts: what is new of them is told in a thread until the watch ends.
//!
//! An account is looked at once a minute at most, one account after another ([`look`]). What is new is kept
//! before it is said ([`tell`]), so that whatever was cut off is said at the next start, and nothing is
//! said twice. Operators begin and end watches ([`decide`]).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::voice::Voice;
use crate::{
    audit::Audit,
    clock::SharedClock,
    observed::{End, Look, News, Observations, Observed, Seen},
    operators::Roster,
    places::Places,
    store,
    synapse::{Error, Reader},
};

mod decide;
mod look;
mod tell;

pub(in crate::pipeline) use decide::{Begun, Wanted};
use look::Found;

/// How long after a look at an account the next one is.
const BUSY: Duration = Duration::from_mins(1);
/// And while nothing is new, or nobody answers.
const IDLE: Duration = Duration::from_mins(3);
/// How long after a look at one account the next account is looked at.
const GAP: Duration = Duration::from_secs(3);
/// How long after something could not be said it is tried again.
const SAY_AGAIN: Duration = Duration::from_secs(20);

/// What looks at the accounts that are watched, and tells of them.
#[derive(Debug)]
pub(in crate::pipeline) struct Observer {
    below: Below,
    /// Held while a watch is changed.
    turn: tokio::sync::Mutex<()>,
    /// Notified where a watch was begun or ended.
    changed: Notify,
    /// When each account was last looked at, by the number of its watch, and how long after that it is
    /// again.
    paces: Mutex<HashMap<u64, Pace>>,
}

/// What [`Observer`] is made on.
#[derive(Debug)]
pub(in crate::pipeline) struct Below {
    pub(in crate::pipeline) roster: Arc<Roster>,
    pub(in crate::pipeline) clock: SharedClock,
    pub(in crate::pipeline) reader: Reader,
    pub(in crate::pipeline) audit: Audit,
    pub(in crate::pipeline) voice: Arc<Voice>,
    pub(in crate::pipeline) places: Places,
    pub(in crate::pipeline) observations: Observations,
}

/// How often an account is looked at.
#[derive(Debug, Clone, Copy)]
struct Pace {
    looked: Instant,
    pause: Duration,
}

impl Pace {
    /// The pace after a look.
    fn after(before: Option<Self>, any: bool) -> Self {
        let pause = match before {
            Some(before) if !any => (before.pause * 3 / 2).min(IDLE),
            _ => BUSY,
        };
        Self { looked: Instant::now(), pause }
    }

    fn is_due_in(self) -> Duration {
        self.pause.saturating_sub(self.looked.elapsed())
    }
}

impl Observer {
    /// One that looks at nothing yet.
    pub(in crate::pipeline) fn new(below: Below) -> Self {
        let (turn, changed, paces) = Default::default();
        Self { below, turn, changed, paces }
    }

    /// The accounts that are watched.
    pub(in crate::pipeline) fn observations(&self) -> &Observations {
        &self.below.observations
    }

    fn now(&self) -> Timestamp {
        self.below.clock.now()
    }

    fn paces(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Pace>> {
        // Nothing is left half done in it.
        self.paces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the accounts that are watched and tells of them, until `over`.
    pub(in crate::pipeline) async fn serve(&self, over: CancellationToken) {
        while !over.is_cancelled() {
            let pause = match self.round(&over).await {
                Ok(pause) => pause,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    error!(error, "watched accounts cannot be read or kept");
                    Some(BUSY)
                }
            };
            let pause = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over.cancelled() => break,
                () = self.changed.notified() => {}
                () = pause => {}
            }
        }
    }

    /// Says what is to be said, looks at the account whose turn it is, and answers when there is more to
    /// do; `None` where nothing is watched.
    async fn round(&self, over: &CancellationToken) -> Result<Option<Duration>, store::Error> {
        self.tell().await?;
        let open = self.below.observations.open()?;
        let Some(watch) = self.whose_turn(&open) else {
            return Ok(self.until_the_next(&open));
        };
        // Where it is cut off by the end of the process, it is made again at the next start.
        let found = tokio::select! {
            () = over.cancelled() => return Ok(Some(GAP)),
            found = look::at(&watch.about, &self.below.reader) => found,
        };
        let told = self.took(watch, found);
        let (seen, news, end) = tokio::select! {
            () = over.cancelled() => return Ok(Some(GAP)),
            told = told => told,
        };
        self.keep(watch.number, seen, news, end).await?;
        self.tell().await?;
        Ok(Some(GAP))
    }

    /// The account that is looked at now: one whose time is over for the last time, else the one that
    /// waits longest. Where something of it is still to be said, that comes first.
    fn whose_turn<'a>(&self, open: &'a [Observed]) -> Option<&'a Observed> {
        let now = self.now();
        let mut paces = self.paces();
        paces.retain(|number, _| open.iter().any(|watch| watch.number == *number));
        let over = open.iter().find(|watch| watch.until <= now);
        let due = |watch: &&Observed| {
            let is_due = paces.get(&watch.number).is_none_or(|pace| pace.is_due_in().is_zero());
            is_due && !self.waits(watch)
        };
        let longest = |watch: &&Observed| paces.get(&watch.number).map(|pace| pace.looked);
        over.or_else(|| open.iter().filter(due).min_by_key(longest))
    }

    /// Whether an account is not looked at, since something of it is still to be said or its room is no
    /// admin room now.
    fn waits(&self, watch: &Observed) -> bool {
        watch.first.is_none() || watch.news.is_some() || !self.is_told_there(watch)
    }

    /// How long until the next account is due, something is tried again, or a watch is over.
    fn until_the_next(&self, open: &[Observed]) -> Option<Duration> {
        let (now, paces) = (self.now(), self.paces());
        let next = |watch: &Observed| {
            let over = Duration::try_from(watch.until.duration_since(now)).unwrap_or_default();
            let due = paces.get(&watch.number).map_or(GAP, |pace| pace.is_due_in());
            let due = if self.waits(watch) { SAY_AGAIN } else { due };
            over.min(due)
        };
        open.iter().map(next).min()
    }

    /// What a look means for a watch: what was seen last now, what of it is new, and whether it is over.
    async fn took(
        &self,
        watch: &Observed,
        found: Result<Found, Error>,
    ) -> (Seen, News, Option<End>) {
        let (mut seen, mut news) = (watch.seen.clone(), News::default());
        let is_over = watch.until <= self.now();
        let end = match found {
            Ok(Found::Gone) => Some(End::Gone),
            Ok(Found::Deactivated) => Some(End::Deactivated),
            Ok(Found::Account(look)) => {
                let missed = look.is_empty();
                news = self.fresh(&mut seen, *look).await;
                is_over.then_some(End::Time { missed })
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                warn!(number = watch.number, error, "a watched account cannot be looked up");
                is_over.then_some(End::Time { missed: true })
            }
        };
        (seen, news, end)
    }

    /// What of a look is new, with the names of rooms.
    async fn fresh(&self, seen: &mut Seen, look: Look) -> News {
        let mut news = seen.take(look);
        look::name_rooms(&mut news, &self.below.reader).await;
        news
    }

    /// Keeps what was seen of an account and what is to be told of it, unless it is not watched any more.
    async fn keep(
        &self,
        number: u64,
        seen: Seen,
        news: News,
        end: Option<End>,
    ) -> Result<(), store::Error> {
        let _turn = self.turn.lock().await;
        let any = !news.is_empty();
        {
            let mut paces = self.paces();
            let pace = Pace::after(paces.get(&number).copied(), any);
            paces.insert(number, pace);
        }
        let Some(mut watch) = self.below.observations.get(number)? else { return Ok(()) };
        // An operator may have ended it meanwhile, or the first message is still to be said.
        if watch.end.is_some() || (seen == watch.seen && !any && end.is_none()) {
            return Ok(());
        }
        if let Some(end) = &end {
            info!(number, ?end, "a watch is over");
        }
        (watch.seen, watch.end) = (seen, end);
        match &watch.news {
            None => watch.news = any.then_some(news),
            // At the very end something from before could not be said yet.
            Some(_) if any => watch.end = watch.end.map(End::missing_something),
            Some(_) => {}
        }
        self.below.observations.keep(&watch).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::background::testing::started;

    #[tokio::test]
    async fn twenty_accounts_are_watched_at_once_and_no_more() {
        let (_server, _, stage) = started().await;
        let last = || stage.heard.all().pop().unwrap().replace(['\\', '\u{2060}'], "");
        for n in 0..20 {
            stage.say("ann", &format!("!watch @eve{n}:synod.test")).await;
            assert!(last().contains("is watched until"), "{n}: {}", last());
        }
        stage.say("ann", "!watch @one-more:synod.test").await;
        assert!(last().contains("I watch 20 accounts already"), "{}", last());
        stage.say("ann", "!watch end @eve7:synod.test").await;
        stage.say("ann", "!watch @one-more:synod.test").await;
        assert!(last().contains("@one-more:synod.test` is watched until"), "{}", last());
        assert_eq!(stage.pipeline.observer.observations().open().unwrap().len(), 20);
    }

    #[test]
    fn an_account_is_looked_at_once_a_minute_at_most() {
        let first = Pace::after(None, false);
        assert_eq!(first.pause, BUSY);
        let quiet = Pace::after(Some(first), false);
        assert_eq!(quiet.pause, Duration::from_secs(90));
        let quiet = Pace::after(Some(Pace::after(Some(quiet), false)), false);
        assert_eq!(quiet.pause, IDLE);
        assert_eq!(Pace::after(Some(quiet), true).pause, BUSY, "something was new");
        assert!(first.is_due_in() > Duration::from_secs(50));
    }
}
