//! One subject of a job after the other, several at a time.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::{sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::{
    change::{FactMap, Outcome, Snapshot, Subject, Undo},
    commands::{Action, Options},
    confirm::{Consent, Ticket},
    error::{Stop, api::Error},
    jobs::{Ended, Item, Job, Stage, State},
    pipeline::{
        Invocation,
        background::job::{Counts, JobRunner, gone, job_origin, progress},
        change::{
            Attempt, Confirmed, Done, Ends, Expected, Extent, Later, Plan, Prepared, Ready,
            known_of_looks, report::line_of,
        },
        look::by_its_cause,
    },
    reply::{Line, Status},
    synapse::{Reader, Secrets},
};

/// How many subjects are in hand at once.
const AT_ONCE: usize = 8;

/// How many subjects are marked as begun by one write to the disk, where what is sent for them can
/// be sent twice without harm.
const MARKED_AT_ONCE: usize = 32;

/// How long to wait before checking again whether the bot may act.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a subject waits for an answer of a homeserver that answers others meanwhile.
const AWAY: Duration = Duration::from_mins(10);

/// How long the message that shows how far it is stands before it is edited: a tenth of the time that
/// it has taken so far, within these. Each edit is a message for every client in the room.
const SHOWN_SOON: Duration = Duration::from_secs(3);
const SHOWN_LATE: Duration = Duration::from_secs(20);

/// Said of what was to end by itself.
const NO_END: &str = "; its end time could not be saved, so it does not end by itself";

/// A subject that is left to do.
#[derive(Debug, Clone, Copy)]
struct Left {
    /// Where it stands in the list.
    place: usize,
    /// How far an earlier run had come with it, if it had begun.
    before: Option<Before>,
}

/// All subjects of a job, and those of them that are left to do.
struct List {
    items: Vec<Mutex<Item>>,
    left: Vec<Left>,
}

/// How far an earlier run had come with a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Begun,
    Sent,
    Goes,
    /// All was sent, and it could not be looked at since.
    Unseen,
}

/// What became of a subject in its turn.
enum Turn {
    /// The bot may not act any more, and nothing was sent.
    NotNow,
    /// What was sent can be sent twice, and could not be looked at: the homeserver does not take the
    /// admin token any more.
    Unseen,
    /// It is over.
    Over(Ended),
    /// The homeserver goes on with it under this id; until it ends, this is the outcome.
    Goes(String, Ended),
}

/// Everything that it takes to do a job.
pub(super) struct Work<'a> {
    runner: &'a JobRunner,
    job: &'a Job,
    number: u64,
    action: Box<dyn Action>,
    options: Options,
    ticket: Ticket,
    consent: Consent,
    counts: std::sync::Mutex<Counts>,
    /// Up to which place subjects are marked as begun.
    marked: Mutex<usize>,
    /// Why it waits, if it does.
    waits: std::sync::Mutex<Option<Line>>,
}

impl<'a> Work<'a> {
    /// The work that is left of a job, or why there is none.
    pub(super) fn new(runner: &'a JobRunner, job: &'a Job, number: u64) -> Result<Self, Line> {
        let ticket = runner.below.questions.get(&job.code).ok().flatten();
        let ticket = ticket.ok_or_else(|| gone("its question is lost"))?;
        let consent = ticket.consent().ok_or_else(|| gone("its question is lost"))?;
        let (action, options) = runner
            .below
            .executor
            .action(&job.words)
            .ok_or_else(|| gone("another version of me started it"))?;
        // The words do not say where their subjects came from.
        let options = Options { referenced: ticket.referenced, ..options };
        let counts = Counts::of(job.total);
        Ok(Self {
            runner,
            job,
            number,
            action,
            options,
            ticket,
            consent,
            counts: std::sync::Mutex::new(counts),
            marked: Mutex::default(),
            waits: std::sync::Mutex::default(),
        })
    }

    /// Does what is left, until it is done, stopped, or the bot is.
    pub(super) async fn all(&self, items: Vec<Item>, over: &CancellationToken) {
        let items: Vec<Mutex<Item>> = items.into_iter().map(Mutex::new).collect();
        let mut left = Vec::new();
        for (place, item) in items.iter().enumerate() {
            match &item.lock().await.stage {
                Stage::Over(ended) => self.counted().add(ended.status),
                Stage::Waiting => left.push(Left { place, before: None }),
                Stage::Begun => left.push(Left { place, before: Some(Before::Begun) }),
                Stage::Sent => left.push(Left { place, before: Some(Before::Sent) }),
                Stage::Goes(..) => left.push(Left { place, before: Some(Before::Goes) }),
            }
        }
        {
            let mut counts = self.counted();
            counts.before = counts.over();
        }
        let list = &List { items, left };
        stream::iter(0..list.left.len())
            .for_each_concurrent(AT_ONCE, |at| self.one(list, at, over))
            .await;
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes one subject from where it is to its end, unless the job stops before it.
    async fn one(&self, list: &List, at: usize, over: &CancellationToken) {
        let Some((mut left_at, item)) =
            list.left.get(at).and_then(|left| Some((*left, list.items.get(left.place)?)))
        else {
            return;
        };
        let since = Instant::now();
        loop {
            if left_at.before == Some(Before::Goes) {
                return self.finish(left_at.place, item, over).await;
            }
            if !self.goes_on(over).await {
                return;
            }
            if !self.mark(list, at).await {
                return;
            }
            let mut locked = item.lock().await;
            match self.change(&locked, &left_at, since).await {
                // It stays marked as begun, which only says that something may have been sent.
                Turn::NotNow => self.keep(left_at.place, &locked),
                Turn::Unseen => left_at.before = Some(Before::Unseen),
                Turn::Goes(work, ended) => {
                    locked.stage = Stage::Goes(work, ended);
                    self.keep(left_at.place, &locked);
                    drop(locked);
                    // Long work is worth a write to the disk: after a kill nobody else knows its id.
                    if let Err(error) = self.runner.jobs.flush().await {
                        error!(error = &error as &dyn std::error::Error, "not on disk yet");
                    }
                    return self.finish(left_at.place, item, over).await;
                }
                Turn::Over(ended) => {
                    self.counted().add(ended.status);
                    locked.stage = Stage::Over(ended);
                    self.keep(left_at.place, &locked);
                    return;
                }
            }
        }
    }

    /// Waits for the end of what the homeserver goes on with, unless the bot is stopped before it.
    async fn finish(&self, place: usize, item: &Mutex<Item>, over: &CancellationToken) {
        let mut item = item.lock().await;
        let Stage::Goes(work, so_far) = &item.stage else { return };
        let action = self.action.as_ref();
        let outcome = tokio::select! {
            () = over.cancelled() => return,
            outcome = self.runner.below.watcher.to_its_end(action, &item.subject, work) => outcome,
        };
        // How it is taken back does not change with its end.
        let ended = match outcome {
            Some(Outcome { status, title, .. }) => {
                Ended { status, what: title.text(), ..so_far.clone() }
            }
            None => so_far.clone(),
        };
        self.counted().add(ended.status);
        item.stage = Stage::Over(ended);
        self.keep(place, &item);
    }

    fn keep(&self, place: usize, item: &Item) {
        if let Err(error) = self.runner.jobs.put(&self.job.id, place, item) {
            error!(error = &error as &dyn std::error::Error, "how far a job is cannot be kept");
        }
    }

    /// Marks what is left as begun, on disk, up to this place and some beyond it. False where that does
    /// not work: then nothing is sent.
    ///
    /// Whoever comes here first need not be the first of the list, so it goes on from where the last
    /// mark ended.
    async fn mark(&self, list: &List, at: usize) -> bool {
        let mut marked = self.marked.lock().await;
        if *marked > at {
            return true;
        }
        let end = list.left.len().min((*marked + MARKED_AT_ONCE).max(at + 1));
        for next in list.left.get(*marked..end).unwrap_or_default() {
            let Some(item) = list.items.get(next.place) else { continue };
            let mut item = item.lock().await;
            if item.stage == Stage::Waiting {
                item.stage = Stage::Begun;
                if let Err(error) = self.runner.jobs.put(&self.job.id, next.place, &item) {
                    return not_marked(&error);
                }
            }
        }
        if let Err(error) = self.runner.jobs.flush().await {
            return not_marked(&error);
        }
        *marked = end;
        true
    }

    /// Whether the next subject may be begun. Waits while the bot, or whoever asked, is frozen, and
    /// while nobody could read what the bot says.
    async fn goes_on(&self, over: &CancellationToken) -> bool {
        loop {
            let state = self.runner.jobs.get(&self.job.id).ok().flatten().map(|job| job.state);
            if over.is_cancelled() || state != Some(State::Running) {
                return false;
            }
            let why = self.runner.why_it_waits(self.job).await;
            let waits = why.is_some();
            *self.waits.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = why;
            if !waits {
                return true;
            }
            tokio::select! {
                () = over.cancelled() => return false,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// Whether a subject in hand since this moment waits for a homeserver that gave it no answer: as long
    /// as that answers nobody, and no longer than [`AWAY`] where it answers others.
    fn waits_for(&self, error: &Error, since: Instant) -> bool {
        let outage = self.runner.below.reader.outage();
        error.is_away() && (since.elapsed() < AWAY || !outage.has_answered_since(since))
    }

    /// Changes one subject, which is in hand since this moment.
    async fn change(&self, item: &Item, left: &Left, since: Instant) -> Turn {
        match self.try_to_change(item, left).await {
            Ok(turn) => turn,
            Err(Stop::Refused { status, why, .. }) => nothing(status, &why),
            // It waits for a token that works, or for a limit to be over, and is looked at then.
            // So it does for a homeserver that is away.
            Err(Stop::Api(error)) if error.is_for_now() || self.waits_for(&error, since) => {
                match left.before {
                    Some(Before::Unseen) => Turn::Unseen,
                    _ => Turn::NotNow,
                }
            }
            Err(stop) => {
                let status = if left.before.is_some() { Status::Unknown } else { Status::Failed };
                error!(error = &stop as &dyn std::error::Error, "a subject of a job is left");
                let known = known_of_looks(self.action.as_ref(), &self.runner.below.roster);
                let why = match by_its_cause(stop, known) {
                    stop @ (Stop::Api(_) | Stop::NotShown { .. }) => {
                        format!("I cannot look it up: {stop}")
                    }
                    other => other.to_string(),
                };
                nothing(status, &why.into())
            }
        }
    }

    async fn try_to_change(&self, item: &Item, left: &Left) -> Result<Turn, Stop> {
        let (below, action) = (&self.runner.below, self.action.as_ref());
        let Some(operator) = below.roster.operator(&self.job.asker) else {
            return Err(Stop::refused("the operator who asked for it is no longer an operator"));
        };
        let invocation = &Invocation {
            origin: job_origin(self.job),
            operator,
            words: &self.job.words,
            options: &self.options,
            undoes: None,
        };
        let listed = [(item.subject.clone(), item.preconditions.clone())];
        let attempt = Attempt {
            invocation,
            action,
            expected: Expected::Listed(&listed),
            yes: Some(Confirmed { ticket: &self.ticket, consent: &self.consent }),
            extent: Extent::OneOf(self.job.total),
        };
        let _held = below.executor.hold(std::slice::from_ref(&item.subject)).await;
        let reader = below.reader.look();
        let prepared =
            below.executor.prepare(&attempt, vec![item.subject.clone()], &reader).await?;
        match prepared {
            Prepared::NothingToDo(skips) => match skips.into_iter().next() {
                // It was not so when the question was put, and an earlier run has begun it.
                Some((_, skip))
                    if left.before.is_some() && skip.status == Status::NothingChanged =>
                {
                    self.found_so(invocation, item, left, &reader).await
                }
                Some((_, skip)) => Ok(nothing(skip.status, &skip.why)),
                None => Ok(Turn::NotNow),
            },
            _ if left.before == Some(Before::Sent) => Ok(nothing(Status::Unknown, &not_known())),
            Prepared::Refused(why) => Ok(nothing(Status::Refused, &why)),
            Prepared::Differs(difference) => {
                let why = Line::from("it has changed since you were asked: ");
                Ok(nothing(Status::NothingChanged, &why.line(difference.line())))
            }
            Prepared::Asks(_) => Ok(nothing(
                Status::Refused,
                &"it now needs a stronger confirmation than was given".into(),
            )),
            Prepared::NotServed(_) | Prepared::Planned(_) | Prepared::Rehearsed => Ok(Turn::NotNow),
            Prepared::Ready(ready) => self.send(invocation, item, left, *ready).await,
        }
    }

    /// Notes on disk that something is about to be sent that must not be sent twice.
    async fn mark_as_sent(&self, item: &Item, left: &Left, plan: &Plan) -> Result<(), Stop> {
        if plan.change.steps.iter().all(|step| step.idempotent) {
            return Ok(());
        }
        let sent = Item { stage: Stage::Sent, ..item.clone() };
        let jobs = &self.runner.jobs;
        jobs.put(&self.job.id, left.place, &sent)?;
        Ok(jobs.flush().await?)
    }

    async fn send(
        &self,
        invocation: &Invocation<'_>,
        item: &Item,
        left: &Left,
        ready: Ready,
    ) -> Result<Turn, Stop> {
        let Ready { mut looked, allowed, .. } = ready;
        let steps = looked.steps();
        let Some(plan) = looked.plans.pop() else { return Ok(Turn::NotNow) };
        self.mark_as_sent(item, left, &plan).await?;
        let repeatable = plan.change.steps.iter().all(|step| step.idempotent);
        let mut permit = allowed.permit(&steps).map_err(|refusal| Stop::refused(refusal.0))?;
        let (executor, number) = (&self.runner.below.executor, self.number);
        let mut secrets = Secrets::new();
        let mut done =
            executor.carry_out(self.action.as_ref(), plan, &mut permit, &mut secrets).await;
        match done.later {
            Some(Later::NotNow | Later::Unreached) => return Ok(Turn::NotNow),
            Some(Later::Unseen | Later::Lost) if repeatable => return Ok(Turn::Unseen),
            _ => {}
        }
        let one = std::slice::from_mut(&mut done);
        let ends = executor.set_ends(invocation, number, self.job.until, one).await;
        let mut what = done.outcome.title.text();
        for line in &done.unmet {
            what = format!("{what}; Not as wanted: {}", line.text());
        }
        if ends == Ends::NotKept {
            what.push_str(NO_END);
        }
        let requests = steps.iter().map(line_of).collect();
        let Done { outcome, left, erased, work, .. } = done;
        let ended =
            Ended { status: outcome.status, what, requests, left, undo: outcome.undo, erased };
        Ok(match work {
            Some(work) => Turn::Goes(work, ended),
            None => Turn::Over(ended),
        })
    }

    /// What an earlier run has done, and did not live to see.
    async fn found_so(
        &self,
        invocation: &Invocation<'_>,
        item: &Item,
        left: &Left,
        reader: &Reader,
    ) -> Result<Turn, Stop> {
        let (action, before_of) = (self.action.as_ref(), left.before);
        let before = Snapshot { preconditions: item.preconditions.clone(), ..Snapshot::default() };
        let after = action.snapshot(&item.subject, reader).await?;
        let outcome = action.outcome(&item.subject, &before, &[], &after);
        let changed = |(key, value): &(&String, &serde_json::Value)| {
            item.preconditions.get(*key).is_some_and(|before| before != *value)
        };
        let left: FactMap = after
            .preconditions
            .iter()
            .filter(changed)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let found = match before_of {
            Some(Before::Unseen) => "found done at a later look",
            _ => "found done after a restart",
        };
        let mut what = format!("{} ({found})", outcome.title.text());
        let erased = action.erases(&item.subject);
        let work = action.begins(&item.subject, &[], Some(&after));
        let outcome = Outcome { status: Status::Done, ..outcome };
        let mut done = Done::found(item.subject.clone(), outcome, left);
        done.lasting = action.lasting();
        // What ends by itself was perhaps cut off before its end was kept.
        let (executor, number) = (&self.runner.below.executor, self.number);
        let one = std::slice::from_mut(&mut done);
        let ends = executor.set_ends(invocation, number, self.job.until, one).await;
        if ends == Ends::NotKept {
            what.push_str(NO_END);
        }
        let Done { outcome: Outcome { status, undo, .. }, left, .. } = done;
        let ended = Ended { status, what, requests: Vec::new(), left, undo, erased };
        Ok(match work {
            Some(work) => Turn::Goes(work, ended),
            None => Turn::Over(ended),
        })
    }

    /// Edits the message that shows how far it is, again and again.
    pub(super) async fn show_progress(&self) {
        let begun = Instant::now();
        loop {
            tokio::time::sleep(shown_for(begun.elapsed())).await;
            let Some(message) = &self.job.message else { continue };
            let counts = self.counted().clone();
            let waits =
                self.waits.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
            let reply = progress::shown(self.job, &counts, Some(begun.elapsed()), waits);
            let transaction_key = self.runner.below.clock.now().as_millisecond().to_string();
            let room = &self.job.asked.0;
            if let Err(error) =
                self.runner.below.outbox.edit(room, message, &transaction_key, &reply).await
            {
                error!(error = &error as &dyn std::error::Error, "progress is not shown");
            }
        }
    }
}

/// How long what is shown stands, so long after the beginning.
fn shown_for(elapsed: Duration) -> Duration {
    (elapsed / 10).clamp(SHOWN_SOON, SHOWN_LATE)
}

/// What cannot be marked as begun is not begun.
fn not_marked(error: &crate::store::Error) -> bool {
    error!(error = error as &dyn std::error::Error, "a job stops: the store cannot be written");
    false
}

/// The end of a subject to which nothing was sent, or nobody knows what.
fn nothing(status: Status, why: &Line) -> Turn {
    Turn::Over(Ended {
        status,
        what: why.text(),
        requests: Vec::new(),
        left: FactMap::new(),
        undo: Undo::None("nothing was changed".to_owned()),
        erased: false,
    })
}

fn not_known() -> Line {
    Line::from(
        "I was stopped in the middle of this, and sending it twice could do harm; check it \
         yourself",
    )
}

/// The subjects, as somebody would paste them.
pub(super) fn pasted<'a>(subjects: impl Iterator<Item = &'a Subject>) -> String {
    subjects.map(Subject::typed).collect::<Vec<_>>().join("\n")
}
