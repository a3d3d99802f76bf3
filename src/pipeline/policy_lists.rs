//! Watching moderation policy lists: their rules are read every few minutes, and what of them fits accounts
//! and rooms here is told in the first admin room, or acted on where the config says so.
//!
//! Whoever may send state in such a room is a stranger. All that a rule can do is to name an id, which is
//! compared with what is here ([`compare`]); what it fits is kept before it is told ([`tell`]), so that
//! what was cut off is told at the next start, and nothing is told twice. Acting is left to [`act`], which
//! goes the way of every change.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use ruma::{OwnedRoomId, OwnedRoomOrAliasId};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Rules, admin::freeze_control::FreezeControl, change::Executor, voice::Voice};
use crate::{
    audit::Audit,
    clock::SharedClock,
    operators::Roster,
    policy_lists::{List, PolicyLists, Told},
    store,
    synapse::Reader,
};
use fetch::NotRead;

mod act;
mod again;
mod compare;
mod fetch;
mod show;
mod tell;
#[cfg(test)]
mod tests;

pub(in crate::pipeline) use show::Shown;

/// How long after one look the lists are read again.
const EVERY: Duration = Duration::from_mins(5);
/// And where something is left to be compared or said.
const SOON: Duration = Duration::from_secs(20);
/// How many messages about one list there are within an hour before it is not read for a while.
const MESSAGES_PER_HOUR: usize = 20;
const HOUR: Duration = Duration::from_hours(1);

/// What the config says about policy lists.
#[derive(Debug, Clone)]
pub struct PolicyRules {
    /// The admin room in which they are told.
    pub room: OwnedRoomId,
    /// The lists, in the order of the config.
    pub lists: Vec<WatchedList>,
}

/// A list that is watched.
#[derive(Debug, Clone)]
pub struct WatchedList {
    /// Its room, as the config names it.
    pub named: OwnedRoomOrAliasId,
    /// Whether the bot acts by itself where one of its rules names an account or a room.
    pub acts: bool,
    /// The words of what is done to an account, before its id.
    pub on_users: [&'static str; 2],
    /// On how many accounts and rooms the bot acts within an hour because of it.
    pub per_hour: usize,
}

/// What reads policy lists, and tells and acts by their rules.
#[derive(Debug)]
pub(in crate::pipeline) struct PolicyWatch {
    below: Below,
    /// Held while lists are read, told or acted on.
    turn: tokio::sync::Mutex<()>,
    paces: Mutex<HashMap<String, Pace>>,
}

/// The parts on which [`PolicyWatch`] rests.
#[derive(Debug)]
pub(in crate::pipeline) struct Below {
    pub(in crate::pipeline) rules: Arc<Rules>,
    pub(in crate::pipeline) roster: Arc<Roster>,
    pub(in crate::pipeline) clock: SharedClock,
    pub(in crate::pipeline) reader: Reader,
    pub(in crate::pipeline) audit: Audit,
    pub(in crate::pipeline) voice: Arc<Voice>,
    pub(in crate::pipeline) freeze_control: Arc<FreezeControl>,
    pub(in crate::pipeline) executor: Arc<Executor>,
    pub(in crate::pipeline) lists: Arc<PolicyLists>,
}

/// How it goes with a list in this run.
#[derive(Debug, Default)]
struct Pace {
    /// When something was told of it within the last hour.
    told: Vec<Instant>,
    /// Whether the homeserver failed to answer at the last look.
    failed: bool,
}

/// What came of looks at lists.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::pipeline) struct Looked {
    /// How many lists were read.
    pub(in crate::pipeline) read: usize,
    /// How many could not be read, or were left alone since they change too often.
    pub(in crate::pipeline) not_read: usize,
    /// How many messages about them were told.
    pub(in crate::pipeline) told: usize,
    /// Whether something is left to be compared or told.
    pub(in crate::pipeline) left: bool,
}

impl PolicyWatch {
    /// One that reads nothing yet.
    pub(in crate::pipeline) fn new(below: Below) -> Self {
        let (turn, paces) = Default::default();
        Self { below, turn, paces }
    }

    /// All that is known of policy lists.
    pub(in crate::pipeline) fn lists(&self) -> &PolicyLists {
        &self.below.lists
    }

    /// The lists of the config.
    pub(in crate::pipeline) fn watched(&self) -> &[WatchedList] {
        let rules = self.below.rules.policy_lists.as_ref();
        rules.map(|rules| rules.lists.as_slice()).unwrap_or_default()
    }

    fn now(&self) -> Timestamp {
        self.below.clock.now()
    }

    fn paces(&self) -> MutexGuard<'_, HashMap<String, Pace>> {
        // Nothing is left half done in it.
        self.paces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the lists of the config, tells and acts, until `over`.
    pub(in crate::pipeline) async fn serve(&self, over: CancellationToken) {
        if self.watched().is_empty() {
            return;
        }
        while !over.is_cancelled() {
            // Where it is cut off by the end of the process, it is done at the next start.
            let looked = tokio::select! {
                () = over.cancelled() => break,
                looked = self.look_at_all() => looked,
            };
            // What is begun is finished.
            let acted = self.act_in_turn().await;
            let pause = match looked.and_then(|looked| acted.map(|()| looked.left)) {
                Ok(true) => SOON,
                Ok(false) => EVERY,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    error!(error, "policy lists cannot be read or kept");
                    EVERY
                }
            };
            tokio::select! {
                () = over.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Says what is to be said, reads every list, says what is new, and acts where that is due.
    pub(in crate::pipeline) async fn round(&self) -> Result<Looked, store::Error> {
        let looked = self.look_at_all().await?;
        self.act_in_turn().await?;
        Ok(looked)
    }

    async fn look_at_all(&self) -> Result<Looked, store::Error> {
        let _turn = self.turn.lock().await;
        let mut looked = Looked::default();
        for list in self.watched() {
            self.look(list, &mut looked).await?;
        }
        Ok(looked)
    }

    async fn act_in_turn(&self) -> Result<(), store::Error> {
        let _turn = self.turn.lock().await;
        self.act().await
    }

    async fn look(&self, watched: &WatchedList, looked: &mut Looked) -> Result<(), store::Error> {
        let named = watched.named.as_str();
        let mut list = self.below.lists.list(named)?.unwrap_or_default();
        self.below.lists.settle(named, &mut list).await?;
        looked.told += self.tell(watched, &mut list).await?;
        // What cannot be said would only grow, and what changes all the time would flood the room.
        if !list.untold.is_empty() || self.is_told_too_often(named) {
            looked.not_read += 1;
            looked.left |= !list.untold.is_empty();
            return Ok(());
        }
        match self.read(watched, &mut list).await? {
            Some(left) => {
                looked.read += 1;
                looked.left |= left;
            }
            None => looked.not_read += 1,
        }
        looked.told += self.tell(watched, &mut list).await?;
        looked.left |= !list.untold.is_empty();
        Ok(())
    }

    /// Reads a list, compares its rules and keeps what is to be told; whether something is left to be
    /// compared. `None` where it cannot be read.
    async fn read(
        &self,
        watched: &WatchedList,
        list: &mut List,
    ) -> Result<Option<bool>, store::Error> {
        let named = watched.named.as_str();
        match self.fetched(watched, list).await {
            Ok(found) => {
                self.paces().entry(named.to_owned()).or_default().failed = false;
                if list.fault.take().is_some() {
                    list.untold.push(Told::ReadAgain);
                }
                let left = self.take(watched, list, found).await?;
                list.read = Some(self.now());
                self.below.lists.keep(named, list).await?;
                Ok(Some(left))
            }
            Err(NotRead::Fault(why)) => {
                if list.fault.as_ref() != Some(&why) {
                    info!(list = named, why, "a policy list cannot be read");
                    list.untold.push(Told::Fault(why.clone()));
                    list.fault = Some(why);
                    self.below.lists.keep(named, list).await?;
                }
                Ok(None)
            }
            Err(NotRead::Api(error)) => {
                let error = &error as &dyn std::error::Error;
                warn!(list = named, error, "a policy list was not read");
                self.paces().entry(named.to_owned()).or_default().failed = true;
                Ok(None)
            }
        }
    }

    async fn fetched(
        &self,
        watched: &WatchedList,
        list: &mut List,
    ) -> Result<fetch::Found, NotRead> {
        let reader = self.below.reader.afresh();
        let room = match &list.room {
            Some(room) => room.clone(),
            None => fetch::room(&watched.named, &reader).await?,
        };
        let found = fetch::rules(&room, &reader).await;
        if found.is_ok() {
            list.room = Some(room);
        }
        found
    }

    /// Whether so much was told of a list within the last hour that it is not read for now.
    pub(in crate::pipeline) fn is_told_too_often(&self, named: &str) -> bool {
        let mut paces = self.paces();
        let Some(pace) = paces.get_mut(named) else { return false };
        pace.told.retain(|at| at.elapsed() < HOUR);
        pace.told.len() >= MESSAGES_PER_HOUR
    }

    /// Whether the homeserver failed to answer at the last look at a list.
    pub(in crate::pipeline) fn has_failed(&self, named: &str) -> bool {
        self.paces().get(named).is_some_and(|pace| pace.failed)
    }

    fn has_told(&self, named: &str) {
        self.paces().entry(named.to_owned()).or_default().told.push(Instant::now());
    }
}
