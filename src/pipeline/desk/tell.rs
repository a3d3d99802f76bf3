//! Bringing the threads in line with the cases.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use tracing::{error, warn};

use super::{CALM, Desk, DeskRules, RECORD};
use crate::{
    audit::{Kept, Kind},
    cases::{Case, Thread},
    places::Place,
    reply::{Line, Reply, Ring, Status},
    store,
};

/// How many threads are begun in a minute; what is beyond waits.
const THREADS: usize = 10;
/// The verb by which reporters are told.
const NOTICE: [&str; 2] = ["notice", "send"];
/// How many entries of the record are read at once.
const ENTRIES: usize = 500;

/// How many threads were begun in the present minute.
#[derive(Debug, Default)]
pub(super) struct Minute {
    began: Option<Instant>,
    threads: usize,
    /// Whether the room knows that others wait.
    told: bool,
}

impl Minute {
    fn may_begin(&mut self) -> bool {
        let over = |began: Instant| began.elapsed() >= Duration::from_mins(1);
        if self.began.is_none_or(over) {
            (self.began, self.threads) = (Some(Instant::now()), 0);
        }
        self.threads += 1;
        self.threads <= THREADS
    }
}

impl Desk {
    /// Says what the room does not know yet of each case.
    pub(super) async fn tell(&self, desk: &DeskRules) -> Result<(), store::Error> {
        let mut waiting = 0;
        for case in self.below.cases.unshown()? {
            match case.thread {
                None if !case.state.is_open() => {}
                None if self.minute().may_begin() => self.begin_thread(case, desk).await?,
                None => waiting += 1,
                Some(_) => self.refresh(case, desk).await?,
            }
        }
        self.tell_waiting(waiting, desk).await;
        Ok(())
    }

    fn minute(&self) -> std::sync::MutexGuard<'_, Minute> {
        // Nothing is left half done in it.
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says once that there are more cases than threads are begun for.
    async fn tell_waiting(&self, waiting: usize, desk: &DeskRules) {
        let tells = {
            let mut minute = self.minute();
            let tells = waiting > 0 && !minute.told;
            minute.told = waiting > 0;
            tells
        };
        if !tells {
            return;
        }
        let title = format!("{waiting} more cases wait: I begin {THREADS} threads a minute");
        let words = ["case", "list"].map(str::to_owned).to_vec();
        let reply = Reply::data(title).command("All of them", words);
        let key = format!("cases-waiting-{}", self.now().as_millisecond());
        if let Err(error) = self.below.voice.say(&desk.room, None, &key, &reply).await {
            warn!(error = &error as &dyn std::error::Error, "not told that cases wait");
        }
    }

    /// Begins the thread of a case. Said again after a crash it is the same message.
    async fn begin_thread(&self, mut case: Case, desk: &DeskRules) -> Result<(), store::Error> {
        let reports = self.counted(&case)?;
        let reply = Reply { ring: Ring::These(Vec::new()), ..self.card(&case, desk).await? };
        let key = format!("case-{}", case.number);
        let root = match self.below.voice.say(&desk.room, None, &key, &reply).await {
            Ok(root) => root,
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "a case is not told yet");
                return Ok(());
            }
        };
        if self.may_be_shown(desk) && reports.iter().any(|report| report.subject().is_some()) {
            self.note_shown(&case, &reports).await;
        }
        case.told = reports.len();
        let (shown, state, changes) = (case.revision, case.state.clone(), case.changes.len());
        self.below.voice.react(&desk.room, &root, CLAIM).await;
        case.thread = Some(Thread { room: desk.room.clone(), root, shown, state, changes });
        self.keep(&case)?;
        self.below.cases.flush().await
    }

    /// Has the first message of a thread show the case as it is, and tells of further reports.
    async fn refresh(&self, mut case: Case, desk: &DeskRules) -> Result<(), store::Error> {
        let Some(mut thread) = case.thread.clone() else { return Ok(()) };
        let same = thread.state == case.state && thread.changes == case.changes.len();
        if same && self.is_calm(case.number) {
            return Ok(());
        }
        let reports = self.counted(&case)?;
        let further = reports.len() > case.told;
        let reply = self.card(&case, desk).await?;
        let key = format!("case-{}", case.revision);
        let edited = self.below.outbox.edit(&thread.room, &thread.root, &key, &reply).await;
        if let Err(error) = edited {
            warn!(error = &error as &dyn std::error::Error, "a case is not shown as it is");
            return Ok(());
        }
        if further {
            // After a crash it says the same again, also where there are more by then.
            let until = *case.telling.get_or_insert(reports.len());
            self.keep(&case)?;
            self.below.cases.flush().await?;
            let new = reports.get(case.told..until).unwrap_or_default();
            let reply = self.further(&case, new, until).await;
            let key = format!("case-{}-reports-{until}", case.number);
            if !self.say_in(&thread, &key, &reply).await {
                return Ok(());
            }
            case.told = until;
            case.telling = None;
        }
        // Fewer count where some were set aside.
        case.told = case.told.min(reports.len());
        (thread.shown, thread.state) = (case.revision, case.state.clone());
        thread.changes = case.changes.len();
        if reports.len() > case.told {
            thread.shown = thread.shown.saturating_sub(1);
        }
        case.thread = Some(thread);
        self.keep(&case)?;
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(case.number, Instant::now());
        self.below.cases.flush().await
    }

    /// Whether the thread was told of further reports a moment ago.
    fn is_calm(&self, case: u64) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| at.elapsed() < CALM);
        told.contains_key(&case)
    }

    /// How long until the first thread that was left alone can be told again; `None` where none was.
    pub(super) fn until_told(&self) -> Option<Duration> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| at.elapsed() < CALM);
        told.values().map(|at| CALM.saturating_sub(at.elapsed())).min()
    }

    /// Says something in the thread of a case; whether it was said.
    pub(super) async fn say_in(&self, thread: &Thread, key: &str, reply: &Reply) -> bool {
        let root = thread.root.clone();
        let place = Place { at: self.now(), reply_to: None, thread: Some(root.clone()) };
        if let Err(error) = self.below.places.note(&root, &place) {
            error!(error = &error as &dyn std::error::Error, "where an answer stands is not noted");
        }
        let reply = &Reply { encrypted_only: true, ..reply.clone() };
        let said = self.below.voice.say(&thread.room, Some(&root), key, reply).await;
        if let Err(error) = &said {
            warn!(error = error as &dyn std::error::Error, "not said in a thread yet");
        }
        said.is_ok()
    }

    /// Notes with each open case the changes that were made since to what it is about.
    pub(super) fn find_changes(&self) -> Result<(), store::Error> {
        let Some(mut from) = self.below.cursors.get(RECORD)? else {
            let last = self.below.audit.last(1)?;
            let last = last.first().map_or(0, |kept| kept.entry.seq);
            return self.below.cursors.put(RECORD, &(last + 1));
        };
        let begun = from;
        loop {
            let entries = self.below.audit.from(from, ENTRIES)?;
            for kept in &entries {
                self.find_change(kept)?;
                from = kept.entry.seq + 1;
            }
            if entries.len() < ENTRIES {
                break;
            }
        }
        if from == begun { Ok(()) } else { self.below.cursors.put(RECORD, &from) }
    }

    fn find_change(&self, kept: &Kept) -> Result<(), store::Error> {
        let Some(record) = &kept.record else { return Ok(()) };
        let done = matches!(record.status, Some(Status::Done | Status::DoneInPart));
        let (Kind::Closed, Some(number), true) = (record.kind, record.of, done) else {
            return Ok(());
        };
        // A reporter who was told has nothing to do with what they are accused of.
        if record.event.is_none() && record.words.starts_with(&NOTICE.map(str::to_owned)) {
            return Ok(());
        }
        for subject in &record.subjects {
            let Some(mut case) = self.below.cases.open_on(subject)? else { continue };
            if !case.changes.contains(&number) {
                case.changes.push(number);
                case.changed();
                self.keep(&case)?;
            }
        }
        Ok(())
    }
}

/// The reaction by which a case is claimed.
const CLAIM: &str = "👀";

/// Which case, for the beginning of a sentence.
pub(super) fn named(case: &Case) -> Line {
    Line::from(format!("Case {}, about the accused ", case.number)).code(&case.about)
}
