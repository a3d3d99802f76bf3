//! What the service manager is told: that the bot is up, what it does now, and that it is alive.
//!
//! It speaks the protocol of `sd_notify(3)`. Without a service manager that listens
//! (`NOTIFY_SOCKET`), nothing is said to anybody.
//!
//! Where no service manager has a watchdog, such as in a container, a file in the state is renewed
//! as often as one would be fed, and [`is_alive`] looks at it.
//!
//! The watchdog is fed as long as the loop that reads from the homeserver turns. Whether the
//! homeserver answers makes no difference: an outage is waited out, and to be killed would not end it.
//! Whoever wants to know of outages too asks for the [`Pulse`].

use std::{
    fmt::Debug,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use sd_notify::NotifyState;
use tokio::time::{Instant, MissedTickBehavior, interval};

#[cfg(test)]
mod tests;

/// How long a start waits for a homeserver that does not answer before it counts as over: whoever
/// waits for it, such as the boot of the machine, goes on.
const PATIENCE: Duration = Duration::from_mins(1);

/// The longest time between two looks at whether the loop still turns.
const TICK: Duration = Duration::from_secs(10);

/// How old the last sign of life may be.
const LIFE: Duration = Duration::from_mins(1);

/// The bot as the service manager sees it. Clones are of the same.
#[derive(Debug, Clone)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    manager: Box<dyn Manager>,
    state: Mutex<State>,
    /// The file that is renewed while the bot is alive, once it is known where.
    sign: OnceLock<PathBuf>,
}

/// Who is told.
trait Manager: Debug + Send + Sync {
    fn tell(&self, what: &[NotifyState<'_>]) -> io::Result<()>;
}

/// The one that the environment names, if it names one.
#[derive(Debug)]
struct OfEnvironment;

impl Manager for OfEnvironment {
    fn tell(&self, what: &[NotifyState<'_>]) -> io::Result<()> {
        sd_notify::notify(what)
    }
}

#[derive(Debug)]
struct Nobody;

impl Manager for Nobody {
    fn tell(&self, _what: &[NotifyState<'_>]) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
struct State {
    contact: Contact,
    /// Whether the start is over.
    ready: bool,
    reloading: bool,
    stopping: bool,
    rounds: Rounds,
}

/// The rounds of the loop that reads from the homeserver. Whether it turns is told by this alone: to the
/// watchdog, to `synod alive` and to whoever watches the bot from outside.
#[derive(Debug, Clone, Copy)]
struct Rounds {
    /// When the last one ended with an answer of the homeserver; before the first one, the start.
    last: Instant,
    /// When this one ends at the latest; `None` where nothing says how long it may take.
    due: Option<Instant>,
}

impl Rounds {
    /// Whether the loop is where it should be by now.
    fn turn(self, now: Instant) -> bool {
        self.due.is_none_or(|due| now <= due)
    }

    /// How long ago the last one ended.
    fn age(self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last)
    }
}

/// How the loop that reads from the homeserver is, as one look shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// Whether it turns: it is where it should be by now.
    pub turns: bool,
    /// How long ago the homeserver last answered it; where it has not yet, how long ago the start was.
    pub age: Duration,
    /// For how long the homeserver has failed to answer it; `None` while it answers.
    pub silent: Option<Duration>,
    /// What the bot does now, in words.
    pub status: &'static str,
}

/// How the bot stands with its homeserver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contact {
    NotYet,
    Answers,
    /// It has not answered since then.
    Silent(Instant),
}

impl State {
    fn status(&self) -> &'static str {
        match self {
            Self { stopping: true, .. } => "Stopping; running work is finished first",
            Self { reloading: true, .. } => "Reloading the configuration",
            Self { contact: Contact::NotYet, .. } => "Starting",
            Self { contact: Contact::Answers, .. } => "Connected to the homeserver",
            Self { contact: Contact::Silent(_), .. } => "Waiting for the homeserver to answer",
        }
    }

    fn pulse(&self, now: Instant) -> Pulse {
        let silent = match self.contact {
            Contact::Silent(since) => Some(now.saturating_duration_since(since)),
            Contact::NotYet | Contact::Answers => None,
        };
        let (turns, age) = (self.rounds.turn(now), self.rounds.age(now));
        Pulse { turns, age, silent, status: self.status() }
    }

    /// Whether the start has waited long enough for a homeserver that does not answer.
    fn has_waited(&self, now: Instant) -> bool {
        matches!(self.contact, Contact::Silent(since) if now.duration_since(since) >= PATIENCE)
    }
}

impl Service {
    /// The bot as the service manager sees it that the environment names.
    pub fn of_environment() -> Self {
        Self::told_to(Box::new(OfEnvironment))
    }

    /// A bot that nobody watches.
    pub fn of_nobody() -> Self {
        Self::told_to(Box::new(Nobody))
    }

    fn told_to(manager: Box<dyn Manager>) -> Self {
        let state = State {
            contact: Contact::NotYet,
            ready: false,
            reloading: false,
            stopping: false,
            rounds: Rounds { last: Instant::now(), due: None },
        };
        Self(Arc::new(Inner { manager, state: Mutex::new(state), sign: OnceLock::new() }))
    }

    /// From now on signs of life are left in the folder of the state.
    pub fn lives_in(&self, folder: &Path) {
        // It is the same folder as long as the process lives.
        let _ = self.0.sign.set(sign_in(folder));
    }

    /// The homeserver has answered. The first time, this ends the start.
    pub fn answers(&self) {
        self.change(|state| {
            state.contact = Contact::Answers;
            state.rounds.last = Instant::now();
            if !state.ready {
                state.ready = true;
                return &[NotifyState::Ready];
            }
            &[]
        });
    }

    /// The homeserver does not answer, or answers with an error.
    pub fn fails(&self) {
        self.change(|state| {
            if !matches!(state.contact, Contact::Silent(_)) {
                state.contact = Contact::Silent(Instant::now());
            }
            &[]
        });
    }

    /// What the loop does now takes `time` at most. If it takes longer, something hangs, and the
    /// watchdog is not fed.
    pub fn within(&self, time: Duration) {
        self.state().rounds.due = Some(Instant::now() + time);
    }

    /// Nothing says how long it takes until the loop turns again.
    pub fn without_limit(&self) {
        self.state().rounds.due = None;
    }

    /// The configuration is read again.
    pub fn reloads(&self) {
        self.change(|state| {
            // Before the end of the start the service manager takes it for a mistake.
            if !state.ready || state.reloading {
                return &[];
            }
            state.reloading = true;
            &[NotifyState::Reloading]
        });
    }

    /// A configuration is in force: another one, or the one before.
    pub fn has_reloaded(&self) {
        self.change(|state| {
            if !std::mem::take(&mut state.reloading) {
                return &[];
            }
            &[NotifyState::Ready]
        });
    }

    /// The bot was told to stop.
    pub fn stops(&self) {
        self.change(|state| {
            if std::mem::replace(&mut state.stopping, true) {
                return &[];
            }
            &[NotifyState::Stopping]
        });
    }

    /// How the loop is now.
    pub fn pulse(&self) -> Pulse {
        self.state().pulse(Instant::now())
    }

    /// Feeds the watchdog, where there is one, as long as the loop turns.
    pub async fn watch(&self) -> ! {
        let watchdog = sd_notify::watchdog_enabled();
        // Twice as often as is asked for, and a little more.
        let mut ticks = interval(watchdog.map_or(TICK, |time| TICK.min(time / 3)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut missed = false;
        loop {
            ticks.tick().await;
            let alive = self.look(Instant::now(), watchdog.is_some());
            if !alive && !missed {
                tracing::error!("what reads from the homeserver does not come round any more");
            }
            missed = !alive;
        }
    }

    /// Looks whether the start is over by now and whether the loop turns, and says so.
    fn look(&self, now: Instant, feed: bool) -> bool {
        self.change(|state| {
            if !state.ready && state.has_waited(now) {
                state.ready = true;
                return &[NotifyState::Ready];
            }
            &[]
        });
        let alive = self.state().pulse(now).turns;
        if alive {
            if feed {
                self.tell(&[NotifyState::Watchdog]);
            }
            self.leave_sign();
        }
        alive
    }

    /// Renews the time of the file. It stays empty, so it takes no room on a full disk.
    fn leave_sign(&self) {
        if let Some(sign) = self.0.sign.get()
            && let Err(error) = File::create(sign)
        {
            tracing::debug!(%error, "no sign of life can be left");
        }
    }

    /// Changes what is known, and tells what `change` says, with the status where that is another.
    fn change(&self, change: impl FnOnce(&mut State) -> &'static [NotifyState<'static>]) {
        let mut state = self.state();
        let before = state.status();
        let what = change(&mut state);
        let status = state.status();
        if what.is_empty() && status == before {
            return;
        }
        let mut all = what.to_vec();
        if matches!(what, [NotifyState::Reloading]) {
            // Newer systemd takes the one only with the other.
            all.extend(NotifyState::monotonic_usec_now());
        }
        all.push(NotifyState::Status(status));
        // With the lock held, so that what is told last is what is so.
        self.tell(&all);
    }

    fn tell(&self, what: &[NotifyState<'_>]) {
        if let Err(error) = self.0.manager.tell(what) {
            tracing::warn!(%error, "the service manager cannot be told");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sign_in(folder: &Path) -> PathBuf {
    folder.join("alive")
}

/// Whether the bot with this folder of the state has given a sign of life within the last minute.
pub fn is_alive(folder: &Path) -> bool {
    let renewed = fs::metadata(sign_in(folder)).and_then(|sign| sign.modified());
    // One from the future, after a clock was set back, is renewed within seconds or says nothing.
    renewed.is_ok_and(|renewed| renewed.elapsed().is_ok_and(|age| age <= LIFE))
}
