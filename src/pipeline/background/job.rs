//! Changes of many subjects: one yes, then each subject on the way that a single one takes.
//!
//! The yes was to a list. Each subject of it is locked, looked at, compared with what was seen when
//! the question was put, weighed by the gate under that yes, changed, looked at again, and told in
//! the outcome. Nothing is added to the list, and nothing that has changed meanwhile is touched.

use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc};

use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, error, info, warn};

use crate::{
    audit::{Audit, Kind, Record},
    change::Subject,
    clock::SharedClock,
    confirm::End,
    error::Stop,
    jobs::{Item, Job, Jobs, Stage, State},
    operators::Roster,
    pipeline::{
        Executor, FreezeControl, Invocation, Origin, Outbox, Questions, Rules, Scheduled,
        ScheduledKind, Voice,
        background::{token::why_it_waits, watch::Watcher},
        change::Confirmed,
        origin::span,
        served::Served,
    },
    reply::Line,
    store::{self, Store},
    synapse::Reader,
};

mod each;
mod ended;
mod progress;
#[cfg(test)]
mod tests;

use each::Work;
pub(in crate::pipeline) use progress::{Counts, in_one_line};

/// How many jobs that are over are remembered.
const REMEMBERED: usize = 50;

/// What does jobs: the list of them that is kept, and the parts that it takes to change, ask and
/// tell.
#[derive(Debug)]
pub(in crate::pipeline) struct JobRunner {
    jobs: Jobs,
    /// Notified when there is a job to begin.
    begun: Notify,
    below: Below,
}

/// What [`JobRunner`] is made on.
#[derive(Debug)]
pub(in crate::pipeline) struct Below {
    pub(in crate::pipeline) roster: Arc<Roster>,
    pub(in crate::pipeline) rules: Arc<Rules>,
    pub(in crate::pipeline) clock: SharedClock,
    pub(in crate::pipeline) reader: Reader,
    pub(in crate::pipeline) audit: Audit,
    pub(in crate::pipeline) freeze_control: Arc<FreezeControl>,
    pub(in crate::pipeline) voice: Arc<Voice>,
    pub(in crate::pipeline) questions: Arc<Questions>,
    pub(in crate::pipeline) executor: Arc<Executor>,
    pub(in crate::pipeline) watcher: Arc<Watcher>,
    pub(in crate::pipeline) served: Served,
    pub(in crate::pipeline) outbox: Arc<dyn Outbox>,
}

impl JobRunner {
    pub(in crate::pipeline) fn new(store: &Store, below: Below) -> Result<Self, store::Error> {
        Ok(Self { jobs: Jobs::new(store)?, begun: Notify::default(), below })
    }

    /// Every job that is remembered, the oldest first.
    pub(in crate::pipeline) fn all(&self) -> Result<Vec<Job>, store::Error> {
        self.jobs.all()
    }

    /// The jobs that are not over.
    pub(in crate::pipeline) fn open(&self) -> Result<Vec<Job>, store::Error> {
        self.jobs.open()
    }

    /// The job that is on record under this number.
    pub(in crate::pipeline) fn numbered(&self, number: u64) -> Result<Option<Job>, store::Error> {
        self.jobs.numbered(number)
    }

    /// The subjects of a job, in the order of its list.
    pub(in crate::pipeline) fn items(&self, job: &Job) -> Result<Vec<Item>, store::Error> {
        self.jobs.items(&job.id)
    }

    /// Why a job waits, if it does: the bot, or whoever asked, is frozen, nobody could read what the
    /// bot says, the homeserver does not take its token, or does not answer.
    pub(in crate::pipeline) async fn why_it_waits(&self, job: &Job) -> Option<Line> {
        let below = &self.below;
        if let Some(why) = below.freeze_control.bot_frozen() {
            return Some(why);
        }
        if let Err(ailment) = below.voice.ensure_heard(&job.asked.0).await {
            return Some(ailment.to_string().into());
        }
        if below.roster.read_only {
            return Some("I am read-only".into());
        }
        if let Some(why) = why_it_waits(&below.reader) {
            return Some(why);
        }
        if let Some(error) = below.reader.outage().why() {
            return Some(error.line().plain("; I go on when it answers"));
        }
        let operator = below.roster.operator(&job.asker)?;
        let frozen = below.freeze_control.person_frozen(&operator.person)?;
        Some(Line::from("the operator who asked for it may not act now: ").line(frozen.title))
    }

    /// Whether the question with this code was answered with a yes that a job goes on from.
    pub(in crate::pipeline) fn is_job(&self, code: &str) -> bool {
        let open = self.jobs.open().inspect_err(|error| {
            error!(error = error as &dyn std::error::Error, "jobs cannot be read");
        });
        open.unwrap_or_default().iter().any(|job| job.code == code)
    }

    /// Begins the job to which this yes was said. Its answer is the message that shows how far it
    /// is.
    pub(in crate::pipeline) async fn begin(
        &self,
        invocation: &Invocation<'_>,
        Confirmed { ticket, consent }: Confirmed<'_>,
    ) -> Result<(), Stop> {
        self.below.voice.ready_to_tell(invocation).await?;
        let until = self.below.executor.until(invocation)?;
        let begun = self.below.clock.now();
        let mut job = Job {
            id: format!("{:014}-{}", begun.as_millisecond(), ticket.code),
            code: ticket.code.clone(),
            number: None,
            asker: ticket.asker.clone(),
            asked: (invocation.room(), invocation.event()),
            words: ticket.words.clone(),
            total: ticket.about.len(),
            list: list_of(ticket.about.iter().map(|(subject, _)| subject)),
            begun,
            until,
            message: None,
            state: State::Running,
        };
        let item = |(subject, preconditions): &(Subject, _)| Item {
            subject: subject.clone(),
            preconditions: Clone::clone(preconditions),
            stage: Stage::Waiting,
        };
        let items: Vec<Item> = ticket.about.iter().map(item).collect();
        self.jobs.begin(&job, &items).await?;
        let opened = Record {
            until,
            yes: Some(consent.by().to_owned()),
            approvals: consent.approvals().to_vec(),
            ticket: Some(ticket.code.clone()),
            class: Some(ticket.class),
            alone: invocation.options.alone.clone().filter(|_| consent.alone()),
            subjects: items.iter().map(|item| item.subject.clone()).collect(),
            left: ticket.about.clone(),
            note: Some(format!("a job; SHA-256 of its list: {}", job.list)),
            ..invocation.record(Kind::Opened)
        };
        match self.below.audit.open(opened).await {
            Ok(number) => job.number = Some(number),
            Err(error) => {
                self.forget_job(&job);
                return Err(error.into());
            }
        }
        self.jobs.keep(&job).await?;
        let counts = Counts::of(job.total);
        let reply = progress::shown(&job, &counts, None, None);
        let transaction_key = format!("job-{}", job.id);
        let reply = match invocation.origin.shell() {
            Some(shell) => {
                shell.aside(&reply).await;
                let by = Line::from("Asked for by ").code(&job.asker).plain(" from ");
                reply.text(by.line(shell.way.into()))
            }
            None => reply,
        };
        let voice = &self.below.voice;
        job.message = voice.say_in_room(invocation.origin, &transaction_key, &reply).await;
        self.jobs.keep(&job).await?;
        info!(number = job.number, total = job.total, "a job begins");
        self.begun.notify_one();
        Ok(())
    }

    /// Does the jobs that there are and those that come, until `over`; then what is in hand is
    /// finished, and the rest waits for the next start.
    pub(in crate::pipeline) async fn work(&self, over: CancellationToken) {
        let mut known = HashSet::new();
        let mut in_hand = FuturesUnordered::new();
        let mut resumed = true;
        loop {
            let open = self.jobs.open().inspect_err(|error| {
                error!(error = error as &dyn std::error::Error, "jobs cannot be read");
            });
            for job in open.unwrap_or_default() {
                // A new one is begun when it has its number.
                if (resumed || job.number.is_some()) && known.insert(job.id.clone()) {
                    let span = span(&job.asked.1);
                    let work = self.do_job(job, resumed, &over).instrument(span);
                    let work = AssertUnwindSafe(work).catch_unwind();
                    in_hand.push(work);
                }
            }
            resumed = false;
            tokio::select! {
                () = over.cancelled() => break,
                () = self.begun.notified() => {}
                Some(done) = in_hand.next() => told_of_panic(&done),
            }
        }
        while let Some(done) = in_hand.next().await {
            told_of_panic(&done);
        }
    }

    /// Goes on with a job, to its end or until `over`.
    async fn do_job(&self, job: Job, resumed: bool, over: &CancellationToken) {
        let Some((job, number)) = self.with_number(job).await else { return };
        let origin = job_origin(&job);
        let (work, why_not) = match Work::new(self, &job, number) {
            Ok(work) => (Some(work), None),
            Err(why) => (None, Some(why)),
        };
        if let Some(work) = &work {
            let items = self.jobs.items(&job.id).unwrap_or_default();
            if resumed && items.iter().any(|item| matches!(item.stage, Stage::Begun | Stage::Sent))
            {
                tokio::select! {
                    () = over.cancelled() => return,
                    () = tokio::time::sleep(self.below.rules.settling) => {}
                }
            }
            tokio::select! {
                () = work.all(items, over) => {}
                () = work.show_progress() => {}
            }
        }
        if let Err(error) = self.end(&job, number, origin, why_not, over).await {
            error!(number, error = &error as &dyn std::error::Error, "a job cannot be ended");
        }
    }

    /// The job with the number of its change. One that was begun by an earlier run and never
    /// recorded has done nothing; its message is reported as such.
    async fn with_number(&self, job: Job) -> Option<(Job, u64)> {
        if let Some(number) = job.number {
            return Some((job, number));
        }
        match self.below.audit.opened_by(&job.asked.1) {
            Ok(Some(number)) => {
                let job = Job { number: Some(number), ..job };
                if let Err(error) = self.jobs.keep(&job).await {
                    error!(number, error = &error as &dyn std::error::Error, "not kept");
                }
                Some((job, number))
            }
            Ok(None) => {
                self.forget_job(&job);
                self.below.questions.close_ticket(&job.code, End::Refused, None).await;
                None
            }
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "the record cannot be read");
                None
            }
        }
    }

    fn forget_job(&self, job: &Job) {
        if let Err(error) = self.jobs.forget(job) {
            error!(error = &error as &dyn std::error::Error, "a job cannot be forgotten");
        }
    }

    /// Forgets the oldest of the jobs that are over.
    fn forget_old_jobs(&self) -> Result<(), store::Error> {
        let over = self.jobs.all()?.into_iter().filter(|job| matches!(job.state, State::Over(_)));
        let over: Vec<Job> = over.collect();
        over.iter().rev().skip(REMEMBERED).try_for_each(|job| self.jobs.forget(job))
    }

    /// Ends every job of a state that was put back; how many were at work in it. What they have done
    /// since that state was copied is not in it, so that none of them may go on.
    pub(in crate::pipeline) async fn stop_all_of_older_state(&self) -> Result<usize, store::Error> {
        let (open, now) = (self.jobs.open()?, self.below.clock.now());
        for job in &open {
            self.jobs.keep(&Job { state: State::Over(now), ..job.clone() }).await?;
        }
        Ok(open.len())
    }

    /// Stops the jobs that are `meant`; which. What is in hand is finished.
    pub(in crate::pipeline) async fn stop(
        &self,
        invocation: &Invocation<'_>,
        meant: impl Fn(&Job) -> bool,
    ) -> Result<Vec<Job>, Stop> {
        let open = self.jobs.open()?;
        let mut stopped = Vec::new();
        for job in open.into_iter().filter(|job| job.state == State::Running && meant(job)) {
            let record = Record {
                of: job.number,
                words: job.words.clone(),
                note: Some("a job was stopped".to_owned()),
                ..invocation.record(Kind::Stopped)
            };
            let state = State::Stopping(invocation.operator.user.clone());
            // First it is stopped, and then that is recorded.
            self.jobs.keep(&Job { state, ..job.clone() }).await?;
            self.below.audit.note(record).await?;
            stopped.push(job);
        }
        Ok(stopped)
    }
}

fn told_of_panic<T>(done: &std::thread::Result<T>) {
    if done.is_err() {
        // The panic itself has been logged by the hook.
        error!("a job ended in a fault of the bot's own; it goes on at the next start");
    }
}

/// The hash of a list of subjects.
fn list_of<'a>(subjects: impl Iterator<Item = &'a Subject>) -> String {
    let mut hash = Sha256::new();
    for subject in subjects {
        hash.update(subject.key());
        hash.update(b"\n");
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// The work that goes on from the message that asked for the job.
fn job_origin(job: &Job) -> Origin<'_> {
    let (room, event) = &job.asked;
    Origin::Scheduled(Scheduled { kind: ScheduledKind::Job, room, event })
}

/// Why a job does not go on.
fn gone(what: &str) -> Line {
    warn!(what, "a job does not go on");
    Line::from(what.to_owned())
}
