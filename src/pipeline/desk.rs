//! The report desk: reports of the homeserver come to the room by themselves, one thread for each account,
//! room or event that they are about.
//!
//! New reports are fetched ([`fetch`]) and gathered in cases, which are kept before anything is said. Then
//! the threads are brought in line with what is kept ([`tell`]), so that whatever was cut off is said at
//! the next start, and nothing is said twice. Operators claim and close cases ([`decide`]), which asks
//! nothing of the homeserver.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use ruma::{OwnedRoomId, OwnedUserId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{Executor, Outbox, Rules, admin::freeze_control::FreezeControl, voice::Voice};
use crate::{
    audit::Audit,
    cases::{Case, Cases, ReportKind},
    clock::{Duty, SharedClock},
    operators::Roster,
    places::Places,
    reply::grouped,
    store::{self, Shelf},
    synapse::{Error, Reader},
};

mod aside;
mod card;
mod decide;
pub(in crate::pipeline) mod fetch;
mod import;
#[cfg(test)]
mod interrupted;
mod notices;
mod remind;
mod reporters;
mod tell;

pub(in crate::pipeline) use decide::{Decision, Which, about};
pub(in crate::pipeline) use import::not_served;
use reporters::Reporters;

/// How reports come to the room, as the config says it.
#[derive(Debug, Clone)]
pub struct DeskRules {
    /// The admin room to which they come.
    pub room: OwnedRoomId,
    /// After how long somebody is reminded of a case.
    pub remind_after: Duration,
    /// After how long those on duty are called.
    pub escalate_after: Duration,
    /// Whether what was reported is shown, where everybody there may see it.
    pub show_content: bool,
    /// How many reporters of a case are told at most that it was looked at.
    pub tell_reporters: usize,
    /// When each operator is on duty.
    pub duty: Vec<(OwnedUserId, Vec<Duty>)>,
}

/// How long after a look the next one is, while reports come.
const BUSY: Duration = Duration::from_secs(4);
/// And while none come: at most one request a minute.
const IDLE: Duration = Duration::from_mins(1);
/// How long after the homeserver was told to expect a report the desk looks: it is kept there by then.
const SETTLED: Duration = Duration::from_secs(1);
/// How long a thread is left alone after it was told of further reports, unless its state changes.
const CALM: Duration = Duration::from_secs(20);

/// Under this it is kept how far the record has been read.
const RECORD: &str = "record";

/// What fetches reports and tells of them.
#[derive(Debug)]
pub(in crate::pipeline) struct Desk {
    below: Below,
    /// Held while a case is changed.
    turn: tokio::sync::Mutex<()>,
    /// Notified where the homeserver is to be looked at now.
    nudged: Notify,
    pace: Mutex<Pace>,
    reporters: Reporters,
    /// When a thread was last told of further reports.
    told: Mutex<HashMap<u64, Instant>>,
    /// How many threads were begun of late.
    minute: Mutex<tell::Minute>,
}

/// What [`Desk`] is made on.
#[derive(Debug)]
pub(in crate::pipeline) struct Below {
    pub(in crate::pipeline) rules: Arc<Rules>,
    pub(in crate::pipeline) roster: Arc<Roster>,
    pub(in crate::pipeline) clock: SharedClock,
    pub(in crate::pipeline) reader: Reader,
    pub(in crate::pipeline) audit: Audit,
    pub(in crate::pipeline) freeze_control: Arc<FreezeControl>,
    pub(in crate::pipeline) executor: Arc<Executor>,
    pub(in crate::pipeline) voice: Arc<Voice>,
    pub(in crate::pipeline) outbox: Arc<dyn Outbox>,
    pub(in crate::pipeline) places: Places,
    pub(in crate::pipeline) cases: Arc<Cases>,
    /// Up to which number the record was searched for changes that belong to cases.
    pub(in crate::pipeline) cursors: Shelf<u64>,
    /// Notified where a case has changed, or a change was made through the bot.
    pub(in crate::pipeline) changed: Arc<Notify>,
}

/// How often the homeserver is asked.
#[derive(Debug)]
struct Pace {
    pause: Duration,
    /// Which kind is asked for next, where one is asked for at a time.
    next: usize,
    /// Since when no report has come.
    quiet: Option<Instant>,
    /// When each kind was found not to be served here.
    unserved: HashMap<&'static str, Instant>,
}

/// How long a kind that the homeserver does not serve is not asked for again.
const ASK_AGAIN: Duration = Duration::from_hours(24);

impl Pace {
    fn hurry(&mut self) {
        (self.pause, self.quiet) = (BUSY, None);
    }

    /// The kinds to ask for now: all of them while reports come, else one.
    fn kinds(&mut self) -> Vec<ReportKind> {
        let served = |kind: &ReportKind| {
            self.unserved.get(kind.key()).is_none_or(|at| at.elapsed() >= ASK_AGAIN)
        };
        let kinds: Vec<ReportKind> = ReportKind::ALL.into_iter().filter(served).collect();
        if self.pause < IDLE || kinds.is_empty() {
            return kinds;
        }
        self.next = (self.next + 1) % kinds.len();
        kinds.get(self.next).copied().into_iter().collect()
    }

    /// Notes what a look has found.
    fn looked(&mut self, any: bool) {
        if any {
            return self.hurry();
        }
        self.quiet.get_or_insert_with(Instant::now);
        self.pause = (self.pause * 3 / 2).min(IDLE);
    }
}

impl Desk {
    /// One that looks at nothing yet.
    pub(in crate::pipeline) fn new(below: Below) -> Self {
        Self {
            below,
            turn: tokio::sync::Mutex::default(),
            nudged: Notify::new(),
            pace: Mutex::new(Pace { pause: BUSY, next: 0, quiet: None, unserved: HashMap::new() }),
            reporters: Reporters::default(),
            told: Mutex::default(),
            minute: Mutex::default(),
        }
    }

    /// The cases.
    pub(in crate::pipeline) fn cases(&self) -> &Cases {
        &self.below.cases
    }

    /// How reports come to the room; `None` where they do not.
    pub(in crate::pipeline) fn rules(&self) -> Option<&DeskRules> {
        self.below.rules.desk.as_ref()
    }

    /// The kinds of reports that the homeserver was found not to hand out.
    pub(in crate::pipeline) fn unserved(&self) -> Vec<ReportKind> {
        let pace = self.pace();
        let unserved = |kind: &ReportKind| pace.unserved.contains_key(kind.key());
        ReportKind::ALL.into_iter().filter(unserved).collect()
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        // Nothing is left half done in it.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.below.clock.now()
    }

    /// Has the desk look soon: somebody has just reported something.
    pub(in crate::pipeline) fn nudge(&self) {
        self.nudged.notify_one();
    }

    /// Fetches reports and tells of them until `over`, where the config wants that.
    pub(in crate::pipeline) async fn serve(&self, over: CancellationToken) {
        let Some(desk) = self.rules() else { return };
        let mut looks = true;
        loop {
            if looks {
                self.look().await;
            }
            self.bring_in_line(desk).await;
            // Where it is cut off by the end of the process, it goes on at the next start.
            tokio::select! {
                () = over.cancelled() => break,
                told = self.tell_reporters(desk) => if let Err(error) = told {
                    let error = &error as &dyn std::error::Error;
                    error!(error, "what reporters are told cannot be read or kept");
                },
            }
            let pause = self.pace().pause;
            let told = self.until_told();
            looks = tokio::select! {
                () = over.cancelled() => break,
                () = self.nudged.notified() => {
                    self.pace().hurry();
                    tokio::time::sleep(SETTLED).await;
                    true
                }
                () = self.below.changed.notified() => false,
                () = tokio::time::sleep(told.unwrap_or(pause)), if told.is_some() => false,
                () = tokio::time::sleep(pause) => true,
            };
        }
    }

    /// Looks for new reports once.
    async fn look(&self) {
        let kinds = self.pace().kinds();
        let mut any = false;
        for kind in kinds {
            match self.fetch(kind).await {
                Ok(fetch::Fetched::New(count)) => any |= count > 0,
                Ok(fetch::Fetched::NotServed) => {
                    self.pace().unserved.insert(kind.key(), Instant::now());
                }
                Err(Fault::Api(error)) => {
                    let error = &error as &dyn std::error::Error;
                    warn!(kind = kind.key(), error, "reports cannot be fetched");
                }
                Err(Fault::Store(error)) => {
                    let error = &error as &dyn std::error::Error;
                    error!(kind = kind.key(), error, "reports cannot be kept");
                }
            }
        }
        self.pace().looked(any);
    }

    async fn bring_in_line(&self, desk: &DeskRules) {
        let _turn = self.turn.lock().await;
        let done = async {
            self.find_changes()?;
            self.wake()?;
            self.tell(desk).await?;
            self.remind(desk).await
        };
        if let Err(error) = done.await {
            error!(error = &error as &dyn std::error::Error, "cases cannot be read or kept");
        }
    }

    /// Keeps a case that was changed.
    fn keep(&self, case: &Case) -> Result<(), store::Error> {
        self.below.cases.keep(case)
    }
}

/// `1 report`, `13 reports`.
fn many(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{} {what}s", grouped(count)) }
}

/// Why reports were not fetched.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("the homeserver did not answer")]
    Api(#[from] Error),
    #[error("the store failed")]
    Store(#[from] store::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_desk_makes_one_request_a_minute_in_all() {
        let (next, unserved) = (0, HashMap::from([(ReportKind::Room.key(), Instant::now())]));
        let mut pace = Pace { pause: BUSY, next, quiet: None, unserved };
        assert_eq!(pace.kinds(), [ReportKind::Event, ReportKind::Account], "while reports come");
        for _ in 0..10 {
            pace.looked(false);
        }
        assert_eq!(pace.pause, IDLE);
        let asked = [pace.kinds(), pace.kinds(), pace.kinds()].concat();
        assert_eq!(asked, [ReportKind::Account, ReportKind::Event, ReportKind::Account]);
        pace.looked(true);
        assert_eq!((pace.pause, pace.kinds().len()), (BUSY, 2), "a report has come");
    }
}
