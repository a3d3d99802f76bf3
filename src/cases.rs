//! Reports that the homeserver has, gathered by whom they are about: one case for each, with who deals
//! with it and what came of it.
//!
//! A report is known by its kind, its number on the homeserver and what it says, so that it is taken once
//! over restarts, and that another report with the same number, which a homeserver gives away that was put
//! back, is taken too. What was taken stays here also where another tool deletes it there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    change::Subject,
    reply::Hostile,
    store::{self, Shelf, Store},
};

mod notices;
mod report;
mod state;
#[cfg(test)]
mod tests;

pub use notices::ReporterNotices;
pub use report::{About, Report, ReportKind, Reported};
pub use state::{How, State};

/// One case: what was reported about one account, room or event, and who deals with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its number, by which it is named.
    pub number: u64,
    /// Whom or what the reports are about.
    pub about: About,
    /// When the first of its reports was taken.
    pub opened: Timestamp,
    /// Where it stands.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Who has claimed it, for as long as nobody else has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<OwnedUserId>,
    /// The numbers of the changes that were made to what it is about since it was opened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<u64>,
    /// Its thread, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Thread>,
    /// How often what its first message shows has changed.
    pub revision: u64,
    /// How many of its reports the thread tells of.
    pub told: usize,
    /// Up to how many it is being told of, where that is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telling: Option<usize>,
    /// Whether the time that it was to wait is over, and nobody was told yet.
    #[serde(default)]
    pub woken: bool,
    /// Whether the account that it is about was erased: then nothing of it stays once it is closed.
    #[serde(default)]
    pub erased: bool,
    /// Which reminders were given since it is in its state.
    #[serde(default)]
    pub reminded: Reminded,
    /// Which of those who reported it were told that it was looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told_reporters: Vec<OwnedUserId>,
}

/// The thread of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// The room.
    pub room: OwnedRoomId,
    /// Its first message.
    pub root: OwnedEventId,
    /// The revision that this message shows.
    pub shown: u64,
    /// The state that it shows.
    pub state: State,
    /// How many changes it shows.
    #[serde(default)]
    pub changes: usize,
}

/// Which reminders were given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reminded {
    /// None yet.
    #[default]
    No,
    /// The first.
    Once,
    /// Those on duty were called.
    Escalated,
}

impl Case {
    /// Notes that what its first message shows has changed.
    pub fn changed(&mut self) {
        self.revision = self.revision.saturating_add(1);
    }

    /// Puts it into another state.
    pub fn enter(&mut self, state: State, now: Timestamp) {
        self.state = state;
        self.since = now;
        self.reminded = Reminded::No;
        self.changed();
    }
}

/// What was taken of a report: as what, and into which case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Taken {
    /// A digest of what it says.
    digest: String,
    case: u64,
}

/// How far the reports of one kind have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadTo {
    /// The number of the newest report when the bot began; those up to it are left alone.
    pub begun_id: u64,
    /// When that was received, or when the bot began where there was none.
    pub begun_at: Timestamp,
    /// When the newest report was received up to which all have been read.
    pub until: Timestamp,
}

impl ReadTo {
    /// Whether a report was there before the bot began.
    pub fn is_older(&self, report: &Report) -> bool {
        report.id <= self.begun_id && report.at.is_none_or(|at| at <= self.begun_at)
    }
}

/// What is known of somebody whose reports are set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Whose reports.
    pub reporter: OwnedUserId,
    /// By which operator.
    pub by: OwnedUserId,
    /// Since when.
    pub at: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// Every case.
#[derive(Debug, Clone)]
pub struct Cases {
    store: Store,
    shelf: Shelf<Case>,
    /// The reports, under their case.
    reports: Shelf<Report>,
    /// The numbers of the cases that further reports join, by whom they are about.
    open: Shelf<u64>,
    /// The numbers of cases by the first message of their threads.
    threads: Shelf<u64>,
    /// Those of which the room does not know everything.
    unshown: Shelf<u64>,
    taken: Shelf<Taken>,
    read: Shelf<ReadTo>,
    /// The last number that was given to a case.
    numbers: Shelf<u64>,
    aside: Shelf<SetAside>,
    /// What is still to be told to reporters, by the number of their case.
    notices: Shelf<ReporterNotices>,
}

impl Cases {
    /// Those in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self {
            store: store.clone(),
            shelf: store.shelf("cases")?,
            reports: store.shelf("case-reports")?,
            open: store.shelf("cases-open")?,
            threads: store.shelf("case-threads")?,
            unshown: store.shelf("cases-unshown")?,
            taken: store.shelf("reports-taken")?,
            read: store.shelf("reports-read")?,
            numbers: store.shelf("case-numbers")?,
            aside: store.shelf("reports-aside")?,
            notices: store.shelf("reporter-notices")?,
        })
    }

    /// How far the reports of this kind have been read; nothing where the bot has never read them.
    pub fn read_to(&self, kind: ReportKind) -> Result<Option<ReadTo>, store::Error> {
        self.read.get(kind.key())
    }

    /// Notes how far they have been read.
    pub fn note_read(&self, kind: ReportKind, read: &ReadTo) -> Result<(), store::Error> {
        self.read.put(kind.key(), read)
    }

    /// Whether a report was taken before: this one, and not another one with its number.
    pub fn is_taken(&self, report: &Report) -> Result<bool, store::Error> {
        let taken = self.taken.get(&report.key())?;
        Ok(taken.is_some_and(|taken| taken.digest == digest(report)))
    }

    /// Takes a report into the open case about the same, or into a new one; the case, unless it was taken
    /// before.
    ///
    /// Whatever of this a crash cuts off, taking the same report again brings about and nothing else.
    pub fn take(&self, report: &Report, now: Timestamp) -> Result<Option<Case>, store::Error> {
        if self.is_taken(report)? {
            return Ok(None);
        }
        let about = report.about();
        let known = match self.open.get(&about.key())? {
            Some(number) => self.get(number)?.filter(|case| case.state.is_joined()),
            None => None,
        };
        let mut case = match known {
            Some(mut case) => {
                if !case.state.is_open() && !report.aside {
                    case.enter(State::New, now);
                }
                case
            }
            None => Case {
                number: self.next_number()?,
                about: about.clone(),
                opened: now,
                state: State::New,
                since: now,
                claimed: None,
                changes: Vec::new(),
                thread: None,
                revision: 0,
                told: 0,
                telling: None,
                woken: false,
                erased: false,
                reminded: Reminded::No,
                told_reporters: Vec::new(),
            },
        };
        self.reports.put(&under(case.number, report), report)?;
        case.changed();
        self.keep(&case)?;
        self.taken.put(&report.key(), &Taken { digest: digest(report), case: case.number })?;
        Ok(Some(case))
    }

    /// The number of the next case: each is given once, also after cases were forgotten.
    fn next_number(&self) -> Result<u64, store::Error> {
        let last = self.shelf.last(1)?.first().map_or(0, |(_, case)| case.number);
        let given = self.numbers.get(LAST)?.unwrap_or_default();
        let number = last.max(given).saturating_add(1);
        self.numbers.put(LAST, &number)?;
        Ok(number)
    }

    /// Keeps the present state of a case.
    pub fn keep(&self, case: &Case) -> Result<(), store::Error> {
        self.shelf.put(&key(case.number), case)?;
        if let Some(thread) = &case.thread {
            self.threads.put(thread.root.as_str(), &case.number)?;
        }
        let number = key(case.number);
        match &case.thread {
            Some(thread) if thread.shown == case.revision => self.unshown.remove(&number)?,
            // Where all of it was set aside before anybody was told, nobody is.
            None if !case.state.is_open() => self.unshown.remove(&number)?,
            _ => self.unshown.put(&number, &case.number)?,
        }
        let about = case.about.key();
        if case.state.is_joined() {
            return self.open.put(&about, &case.number);
        }
        // Another one about the same may be open by now.
        match self.open.get(&about)? {
            Some(number) if number == case.number => self.open.remove(&about),
            _ => Ok(()),
        }
    }

    /// Returns when everything is on disk.
    pub async fn flush(&self) -> Result<(), store::Error> {
        self.store.flush().await
    }

    /// The case with this number.
    pub fn get(&self, number: u64) -> Result<Option<Case>, store::Error> {
        self.shelf.get(&key(number))
    }

    /// The case whose thread begins with this message.
    pub fn of_thread(&self, root: &ruma::EventId) -> Result<Option<Case>, store::Error> {
        match self.threads.get(root.as_str())? {
            Some(number) => self.get(number),
            None => Ok(None),
        }
    }

    /// The open case about this, if there is one.
    pub fn open_about(&self, about: &About) -> Result<Option<Case>, store::Error> {
        let number = self.open.get(&about.key())?;
        let case = number.map(|number| self.get(number)).transpose()?.flatten();
        Ok(case.filter(|case| case.state.is_open()))
    }

    /// The open cases, the first opened first.
    pub fn open(&self) -> Result<Vec<Case>, store::Error> {
        let mut numbers: Vec<u64> =
            self.open.all()?.into_iter().map(|(_, number)| number).collect();
        numbers.sort_unstable();
        let mut cases = Vec::new();
        for number in numbers {
            cases.extend(self.get(number)?.filter(|case| case.state.is_open()));
        }
        Ok(cases)
    }

    /// The open case that a change of this subject settles, if there is one.
    pub fn open_on(&self, subject: &Subject) -> Result<Option<Case>, store::Error> {
        match subject {
            Subject::User(user) | Subject::Device(user, _) | Subject::Event(user, _) => {
                self.open_about(&About::Account(user.clone()))
            }
            Subject::Room(room) => self.open_about(&About::Room(room.clone())),
            _ => Ok(None),
        }
    }

    /// Those of which the room does not know everything, the first opened first.
    pub fn unshown(&self) -> Result<Vec<Case>, store::Error> {
        let mut cases = Vec::new();
        for (_, number) in self.unshown.all()? {
            cases.extend(self.get(number)?);
        }
        Ok(cases)
    }

    /// All cases, the first opened first.
    pub fn all(&self) -> Result<Vec<Case>, store::Error> {
        Ok(self.shelf.all()?.into_iter().map(|(_, case)| case).collect())
    }

    /// What was closed before about the same, the last first.
    pub fn earlier(&self, case: &Case) -> Result<Vec<Case>, store::Error> {
        let alike = |other: Case| {
            (other.about == case.about && other.number < case.number).then_some(other)
        };
        self.shelf.last_where(EARLIER, |case| Ok(alike(case)))
    }

    /// The reports of a case, the first received first.
    pub fn reports(&self, case: u64) -> Result<Vec<Report>, store::Error> {
        let found = self.reports.last_under(&format!("{}-", key(case)), usize::MAX)?;
        let mut reports: Vec<Report> = found.into_iter().map(|(_, report)| report).collect();
        reports.sort_by_key(|report| (report.at, report.kind, report.id));
        Ok(reports)
    }

    /// Keeps a report of a case in its present state.
    pub fn keep_report(&self, case: u64, report: &Report) -> Result<(), store::Error> {
        self.reports.put(&under(case, report), report)
    }

    /// Lets go what somebody has reported who was erased, and marks what is about them to go too.
    pub async fn forget<'a>(
        &self,
        users: impl Iterator<Item = &'a OwnedUserId>,
    ) -> Result<(), store::Error> {
        for user in users {
            for (key, report) in self.reports.all()? {
                if report.by == *user {
                    self.reports.remove(&key)?;
                }
            }
            self.aside.remove(user.as_str())?;
            for mut notices in self.notices()? {
                if notices.left.contains(user) {
                    notices.left.retain(|left| left != user);
                    self.keep_notices(&notices)?;
                }
            }
            for mut case in self.all()? {
                let is_theirs = matches!(&case.about, About::Account(about) if about == user);
                let was_told = case.told_reporters.contains(user);
                if is_theirs && !case.erased || was_told {
                    case.erased |= is_theirs;
                    case.told_reporters.retain(|told| told != user);
                    self.keep(&case)?;
                }
            }
        }
        self.store.flush().await
    }

    /// Forgets the closed cases that were closed before, or are about somebody erased.
    pub fn forget_before(&self, limit: Timestamp) -> Result<(), store::Error> {
        for case in self.all()? {
            if case.state.is_open() || case.since >= limit && !case.erased {
                continue;
            }
            for report in self.reports(case.number)? {
                self.reports.remove(&under(case.number, &report))?;
            }
            if let Some(thread) = &case.thread {
                self.threads.remove(thread.root.as_str())?;
            }
            self.unshown.remove(&key(case.number))?;
            self.end_notices(case.number)?;
            self.shelf.remove(&key(case.number))?;
        }
        Ok(())
    }

    /// Sets the reports of somebody aside.
    pub fn set_aside(&self, aside: &SetAside) -> Result<(), store::Error> {
        self.aside.put(aside.reporter.as_str(), aside)
    }

    /// Whose reports are set aside now.
    pub fn aside(&self, now: Timestamp) -> Result<BTreeMap<OwnedUserId, SetAside>, store::Error> {
        let all = self.aside.all()?.into_iter().map(|(_, aside)| aside);
        let holds = all.filter(|aside| aside.until > now);
        Ok(holds.map(|aside| (aside.reporter.clone(), aside)).collect())
    }

    /// Counts their reports again.
    pub fn end_aside(&self, reporter: &ruma::UserId) -> Result<bool, store::Error> {
        let known = self.aside.get(reporter.as_str())?.is_some();
        self.aside.remove(reporter.as_str())?;
        Ok(known)
    }
}

/// Under this the last number is kept.
const LAST: &str = "last";

/// How many earlier cases about the same are looked for.
const EARLIER: usize = 5;

/// What a case is kept under.
fn key(number: u64) -> String {
    format!("{number:016x}")
}

/// What a report is kept under.
fn under(case: u64, report: &Report) -> String {
    let digest = digest(report);
    format!("{}-{}-{}", key(case), report.key(), digest.get(..8).unwrap_or_default())
}

/// By what a report is known as the same again.
fn digest(report: &Report) -> String {
    let mut hash = Sha256::new();
    let at = report.at.map(|at| at.as_millisecond().to_string()).unwrap_or_default();
    let about = report.about().key();
    for part in [at.as_str(), report.by.as_str(), &about, &report.what.key()] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize()[..16])
}
