//! New accounts, told in the first admin room: as they come, or once a day.
//!
//! The newest accounts are asked for once a minute at most ([`look`]). What is new is kept before it is said
//! ([`words`]), so that whatever was cut off is said at the next start, and nothing is said twice. While the
//! shutters are closed new accounts are told whatever the config says.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use ruma::RoomId;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{Rules, own::closed_since, voice::Voice};
use crate::{
    audit::Audit,
    change::Power,
    clock::SharedClock,
    config::Announce,
    error::Stop,
    new_accounts::{NewAccounts, NewAccountsShelf, Why},
    operators::Roster,
    sanctions::Sanctions,
    store,
    synapse::Reader,
};

mod alike;
mod look;
mod words;

/// How long after a look the next one is.
const BUSY: Duration = Duration::from_mins(1);
/// And while nothing is new.
const IDLE: Duration = Duration::from_mins(3);
/// How soon the bot notices that the shutters were closed, which asks nobody.
const TICK: Duration = Duration::from_secs(10);
/// How long after something could not be said it is tried again.
const SAY_AGAIN: Duration = Duration::from_secs(20);
/// How long after many were told at once nothing more is told.
const CALM: SignedDuration = SignedDuration::from_mins(10);
/// When those of a day are told, UTC.
const DAILY: civil::Time = civil::time(9, 0, 0, 0);

/// The verb that lists registration tokens.
const TOKENS: &str = "regtok list";

/// What looks for new accounts and tells them.
#[derive(Debug)]
pub(in crate::pipeline) struct Announcer {
    below: Below,
    /// Accounts that somebody might want to be taken for, and when they were looked up.
    known: Mutex<Option<(Instant, Arc<Vec<alike::Known>>)>>,
}

/// What [`Announcer`] is made on.
#[derive(Debug)]
pub(in crate::pipeline) struct Below {
    pub(in crate::pipeline) roster: Arc<Roster>,
    pub(in crate::pipeline) rules: Arc<Rules>,
    pub(in crate::pipeline) clock: SharedClock,
    pub(in crate::pipeline) reader: Reader,
    pub(in crate::pipeline) audit: Audit,
    pub(in crate::pipeline) voice: Arc<Voice>,
    pub(in crate::pipeline) sanctions: Arc<Sanctions>,
    pub(in crate::pipeline) shelf: NewAccountsShelf,
}

/// How new accounts are to be told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    why: Why,
    /// As they come; else once a day.
    each: bool,
    /// Since when the shutters are closed, where they are.
    closed: Option<Timestamp>,
}

impl Wanted {
    /// What the config and the shutters want; `None` where neither wants anything.
    fn by(announce: Announce, closed: Option<Timestamp>) -> Option<Self> {
        let why = match announce {
            Announce::Off => closed.map(|_| Why::Shutters)?,
            Announce::Each | Announce::Daily => Why::Config,
        };
        Some(Self { why, each: announce == Announce::Each || closed.is_some(), closed })
    }
}

/// When the homeserver is asked next, and when something is said next.
#[derive(Debug, Default)]
struct Pace {
    looked: Option<(Instant, Duration)>,
    silent_until: Option<Instant>,
}

impl Pace {
    fn is_due(&self) -> bool {
        self.looked.is_none_or(|(at, pause)| at.elapsed() >= pause)
    }

    /// Notes a look: whether it is hurried, since something is new or may be.
    fn looked(&mut self, hurried: bool) {
        let pause = match self.looked {
            Some((_, before)) if !hurried => (before * 3 / 2).min(IDLE),
            _ => BUSY,
        };
        self.looked = Some((Instant::now(), pause));
    }

    fn may_say(&self) -> bool {
        self.silent_until.is_none_or(|until| until <= Instant::now())
    }
}

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("the homeserver did not answer")]
    Look(#[from] Stop),
    #[error("the store failed")]
    Store(#[from] store::Error),
}

impl Announcer {
    /// One that looks at nothing yet.
    pub(in crate::pipeline) fn new(below: Below) -> Self {
        Self { below, known: Mutex::default() }
    }

    fn now(&self) -> Timestamp {
        self.below.clock.now()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Arc<Vec<alike::Known>>)>> {
        // Nothing is left half done in it.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for new accounts and tells them until `over`, where the config or the shutters want that.
    pub(in crate::pipeline) async fn serve(&self, over: CancellationToken) {
        let Some(room) = self.below.rules.told_in.clone() else { return };
        let mut pace = Pace::default();
        loop {
            // What is cut off here is done again at the next start.
            let round = tokio::select! {
                () = over.cancelled() => break,
                round = self.round(&room, &mut pace) => round,
            };
            if let Err(error) = round {
                let error = &error as &dyn std::error::Error;
                error!(error, "new accounts cannot be read or kept");
            }
            tokio::select! {
                () = over.cancelled() => break,
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Looks where it is time for that, and says what is to be said.
    async fn round(&self, room: &RoomId, pace: &mut Pace) -> Result<(), store::Error> {
        let closed = closed_since(&self.below.sanctions, &self.below.audit)?;
        let Some(wanted) = Wanted::by(self.below.rules.announce, closed) else {
            pace.looked = None;
            return self.leave_off(room, pace).await;
        };
        if pace.is_due() {
            let hurried = match self.look(wanted).await {
                Ok(any) => any || wanted.closed.is_some(),
                Err(Fault::Store(error)) => return Err(error),
                Err(fault @ Fault::Look(_)) => {
                    let error = &fault as &dyn std::error::Error;
                    warn!(error, "new accounts cannot be looked up");
                    true
                }
            };
            pace.looked(hurried);
        }
        if pace.may_say() {
            self.tell(room, Some(wanted), pace).await?;
        }
        Ok(())
    }

    /// Ends telling them: what was found while the shutters were closed is told; what the config does not
    /// want any more is forgotten.
    async fn leave_off(&self, room: &RoomId, pace: &mut Pace) -> Result<(), store::Error> {
        let Some(state) = self.below.shelf.get()? else { return Ok(()) };
        let untold = state.gathered.is_some() || state.telling.is_some();
        if state.why == Why::Shutters && untold {
            return if pace.may_say() { self.tell(room, None, pace).await } else { Ok(()) };
        }
        self.below.shelf.forget().await
    }

    /// Says what is due; all of it, where they are not to be told any more.
    async fn tell(
        &self,
        room: &RoomId,
        wanted: Option<Wanted>,
        pace: &mut Pace,
    ) -> Result<(), store::Error> {
        let Some(mut state) = self.below.shelf.get()? else { return Ok(()) };
        if state.telling.is_none() && is_due(&state, wanted, self.now()) {
            state.telling = state.gathered.take();
            self.below.shelf.keep(&state).await?;
        }
        let Some(batch) = &state.telling else { return Ok(()) };
        let reply = words::said(batch, self.shows_tokens(), self.now());
        let key = format!("new-accounts-{}-{}", state.begun.as_millisecond(), state.told);
        if let Err(error) = self.below.voice.say(room, None, &key, &reply).await {
            warn!(error = &error as &dyn std::error::Error, "new accounts are not told yet");
            pace.silent_until = Some(Instant::now() + SAY_AGAIN);
            return Ok(());
        }
        state.not_before = batch.is_storm().then(|| self.now() + CALM);
        state.telling = None;
        state.told = state.told.saturating_add(1);
        self.below.shelf.keep(&state).await
    }

    /// Whether everybody in the room may see registration tokens.
    fn shows_tokens(&self) -> bool {
        let mut operators = self.below.roster.operators.values();
        operators.all(|one| one.role.allows(Power::Account, TOKENS))
    }
}

/// Whether what was gathered is to be told now.
fn is_due(state: &NewAccounts, wanted: Option<Wanted>, now: Timestamp) -> bool {
    let Some(gathered) = &state.gathered else { return false };
    match wanted {
        None => true,
        Some(Wanted { each: true, .. }) => state.not_before.is_none_or(|then| then <= now),
        Some(Wanted { each: false, .. }) => gathered.since < last_daily(now),
    }
}

/// When those of a day were last to be told; `now`, where that is it.
fn last_daily(now: Timestamp) -> Timestamp {
    let today = now.to_zoned(TimeZone::UTC).date();
    // Neither fails but at the ends of what time there is.
    let at = TimeZone::UTC.to_timestamp(today.to_datetime(DAILY)).unwrap_or(now);
    if at <= now { at } else { at.checked_sub(SignedDuration::from_hours(24)).unwrap_or(now) }
}

#[cfg(test)]
mod tests;
