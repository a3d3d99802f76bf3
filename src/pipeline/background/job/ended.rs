//! The end of a job: on record, in the room, and as a file.

use jiff::Timestamp;
use serde_json::{Map, json};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::{
    audit::{Kind, Record},
    change::{Subject, Undo},
    confirm::End,
    jobs::{Ended, Item, Job, Stage, State},
    pipeline::{
        Origin,
        background::job::{Counts, JobRunner, each::pasted, progress::title},
        change::{has_changed, report::not_undone},
        request_id,
    },
    reply::{Block, Format, Line, Reply, Sheet, Status},
    store,
};

/// How many of those that were not done are listed in the answer, to be pasted back; the file has
/// all of them.
const PASTED: usize = 100;

impl JobRunner {
    /// Ends a job, unless it only pauses since the bot is being stopped. `why_not` says why the
    /// rest cannot be done.
    pub(super) async fn end(
        &self,
        job: &Job,
        number: u64,
        origin: Origin<'_>,
        why_not: Option<Line>,
        over: &CancellationToken,
    ) -> Result<(), store::Error> {
        let items = self.jobs.items(&job.id)?;
        let state = self.jobs.get(&job.id)?.map_or(State::Running, |job| job.state);
        let left = items.iter().any(|item| !matches!(item.stage, Stage::Over(_)));
        if left && state == State::Running && why_not.is_none() {
            if !over.is_cancelled() {
                error!(number, "a job does not go on; it does at the next start");
            }
            self.jobs.flush().await?;
            return Ok(());
        }
        let mut counts = Counts::of(items.len());
        let ended = items.iter().filter_map(|item| over_with(item).map(|ended| (item, ended)));
        ended.clone().for_each(|(_, ended)| counts.add(ended.status));
        // All at once, since what is kept may name many of them together.
        self.below.executor.forget(&self.erased(job, &items), number).await;
        if self.below.audit.closing(number)?.is_none() {
            self.close_job(job, number, ended.clone(), counts.status()).await;
        }
        self.below.questions.end_ticket(&job.code, End::Run(Some(number)), None).await;
        let mut reply = told(job, number, &items, &counts);
        if let State::Stopping(by) = &state {
            reply = reply.text(Line::new().plain("Stopped by ").code(by));
        }
        if let Some(why) = why_not {
            reply = reply.text(Line::from("The rest was not started: ").line(why));
        }
        let reply = match self.below.executor.action(&job.words).filter(|_| counts.done() > 0) {
            Some((action, options)) => {
                let verb = options.verb.as_str();
                let verbs: Vec<&str> = std::iter::once(verb).chain(action.amounts_to()).collect();
                self.below.served.with_other_half(&verbs, reply).await
            }
            None => reply,
        };
        let reply = match file(&items, number) {
            Ok(file) => reply.attaching(file),
            Err(error) => {
                error!(number, error = &error as &dyn std::error::Error, "there is no file");
                reply
            }
        };
        let reply = reply.ringing(vec![job.asker.clone()]);
        let transaction_key = format!("job-end-{}", job.id);
        if !self.below.voice.answer_surely(origin, &transaction_key, &reply).await {
            // It is told at the next start.
            return Ok(());
        }
        self.show_ended(job, &counts).await;
        self.jobs.keep(&Job { state: State::Over(self.below.clock.now()), ..job.clone() }).await?;
        self.forget_old_jobs()
    }

    /// Those whose accounts were erased. What an earlier version has done does not say so itself.
    fn erased(&self, job: &Job, items: &[Item]) -> Vec<Subject> {
        let action = self.below.executor.action(&job.words).map(|(action, _)| action);
        let is_erased = |item: &&Item| {
            over_with(item).is_some_and(|ended| {
                let erases = || action.as_ref().is_some_and(|one| one.erases(&item.subject));
                ended.erased || (ended.status == Status::Done && erases())
            })
        };
        items.iter().filter(is_erased).map(|item| item.subject.clone()).collect()
    }

    async fn close_job<'a>(
        &self,
        job: &Job,
        number: u64,
        ended: impl Iterator<Item = (&'a Item, &'a Ended)> + Clone,
        status: Status,
    ) {
        // What was not done is nothing that an undo could take back.
        let done = ended.clone().filter(|(_, ended)| !ended.requests.is_empty() || is_done(ended));
        let closed = Record {
            by: Some(job.asker.clone()),
            room: Some(job.asked.0.clone()),
            event: Some(job.asked.1.clone()),
            request: Some(request_id(&job.asked.1)),
            words: job.words.clone(),
            undoes: self
                .below
                .audit
                .get(number)
                .ok()
                .flatten()
                .and_then(|kept| kept.record?.undoes),
            subjects: done.clone().map(|(item, _)| item.subject.clone()).collect(),
            requests: done.clone().flat_map(|(_, ended)| ended.requests.clone()).collect(),
            left: done
                .clone()
                .map(|(item, one)| (item.subject.clone(), one.left.clone()))
                .collect(),
            undo: done.map(|(_, ended)| ended.undo.clone()).collect(),
            until: job.until,
            status: Some(status),
            changed: Some(ended.clone().filter(|(_, one)| has_changed(one.status)).count()),
            note: Some(format!("a job of {}", job.total)),
            ..Record::new(Kind::Closed)
        };
        if let Some((_, options)) = self.below.executor.action(&job.words) {
            self.below.executor.count(&options.verb, status);
        }
        if let Err(error) = self.below.audit.close(number, closed).await {
            error!(number, error = &error as &dyn std::error::Error, "not recorded");
        }
    }

    async fn show_ended(&self, job: &Job, counts: &Counts) {
        let Some(message) = &job.message else { return };
        let reply = Reply::data(title(job)).text(format!("Finished: {}", counts.in_words()));
        let transaction_key = format!("over-{}", job.id);
        if let Err(error) =
            self.below.outbox.edit(&job.asked.0, message, &transaction_key, &reply).await
        {
            error!(error = &error as &dyn std::error::Error, "an end is not shown");
        }
    }
}

fn over_with(item: &Item) -> Option<&Ended> {
    match &item.stage {
        Stage::Over(ended) => Some(ended),
        Stage::Waiting | Stage::Begun | Stage::Sent | Stage::Goes(..) => None,
    }
}

fn is_done(ended: &Ended) -> bool {
    matches!(ended.status, Status::Done | Status::DoneInPart)
}

/// The answer at the end.
fn told(job: &Job, number: u64, items: &[Item], counts: &Counts) -> Reply {
    let title = Line::new()
        .plain(format!("{} of {}: ", counts.done(), items.len()))
        .command(crate::input::shown(&job.words));
    let mut reply = Reply::outcome(counts.status(), title).text(counts.in_words());
    if let Some(until) = job.until {
        reply = reply.facts(vec![("Ends", ends(until))]);
    }
    let ended = items.iter().filter_map(over_with).filter(|ended| is_done(ended));
    if ended.clone().any(|ended| !ended.undo.commands().is_empty()) {
        reply = reply.command("Undo", vec!["undo".to_owned(), number.to_string()]);
        if let Some(rest) = ended.clone().find_map(|ended| match &ended.undo {
            Undo::Parts(_, rest) => Some(rest),
            Undo::Command(_) | Undo::None(_) => None,
        }) {
            reply = not_undone(reply, "Not undone:", rest);
        }
    } else if let Some(Ended { undo: Undo::None(nearest), .. }) = ended.clone().next() {
        reply = not_undone(reply, "No undo:", nearest);
    }
    let failed: Vec<&Item> = items.iter().filter(|item| has_failed(item)).collect();
    if !failed.is_empty() {
        let listed = failed.iter().take(PASTED).map(|item| &item.subject);
        let head = match failed.len() {
            n if n > PASTED => format!(
                "Not done, the first {PASTED} of {n} (all are in the \
                                        file):"
            ),
            n => {
                format!("Not done, {n}. To try again, send the command with these lines below it:")
            }
        };
        reply = reply.text(head).with(Block::Code(pasted(listed)));
    }
    reply.note(Line::new().plain("On record as ").code(format!("#{number}")))
}

fn ends(until: Timestamp) -> Line {
    crate::pipeline::change::report::ends_in_words(until)
}

/// Whether it was to be done and is not; what was in the wanted state already is no failure.
fn has_failed(item: &Item) -> bool {
    over_with(item)
        .is_none_or(|ended| !matches!(ended.status, Status::Done | Status::NothingChanged))
}

/// What became of each, as CSV.
fn file(items: &[Item], number: u64) -> std::io::Result<crate::reply::File> {
    let mut sheet = Sheet::new(Format::Csv);
    sheet.begin("outcome", &["subject", "outcome", "what", "undo"])?;
    for item in items {
        let (status, what, undo) = match over_with(item) {
            Some(ended) => {
                let ways = ended.undo.commands().iter().filter(|_| is_done(ended));
                let ways: Vec<String> = ways.map(|words| crate::input::quote(words)).collect();
                let undo = ways.join("; ");
                (ended.status.as_str(), ended.what.as_str(), undo)
            }
            None => ("Not started", "", String::new()),
        };
        let subject = item.subject.typed();
        sheet.row(&json!({ "subject": subject, "outcome": status, "what": what, "undo": undo }))?;
    }
    sheet.end(&Map::new())?;
    let mut file = sheet.file()?;
    file.name = format!("job-{number}.csv");
    Ok(file)
}
