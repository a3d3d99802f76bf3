//! `!job`: changes of many subjects, how far they are, and an end to one.

use async_trait::async_trait;

use super::{
    Own, OwnSpec,
    audit::{verb, who},
    undo::number,
};
use crate::{
    change::set,
    error::Stop,
    jobs::{Job, Stage, State},
    operators::Rank,
    pipeline::{
        Invocation, Lane, Pipeline,
        background::job::{Counts, in_one_line},
    },
    reply::{Block, Line, Record, Reply, Status},
};

/// List jobs (changes of many accounts or rooms at once), show one, or stop one
#[derive(Debug, clap::Args)]
pub(crate) struct Jobs {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum What {
    /// List the running jobs, and the last that finished
    List,
    /// Show the progress of one
    Show {
        /// Its number, as shown in its message
        number: String,
    },
    /// Stop one: the step in progress is finished, the rest is not started
    Stop {
        /// Its number, as shown in its message
        number: String,
    },
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Jobs>("job", &["job list", "job show 17", "job stop 17"]).listing();

/// How many are listed.
const LISTED: usize = 20;

#[async_trait]
impl Own for Jobs {
    fn lane(&self) -> Lane {
        match self.what {
            Some(What::Stop { .. }) => Lane::Overtaking,
            None | Some(What::List | What::Show { .. }) => Lane::Beside,
        }
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        match &self.what {
            None | Some(What::List) => list(pipeline).map(Some),
            Some(What::Show { number }) => show(pipeline, number).map(Some),
            Some(What::Stop { number }) => stop(pipeline, invocation, number).await.map(Some),
        }
    }
}

fn list(pipeline: &Pipeline) -> Result<Reply, Stop> {
    let jobs = pipeline.jobs.all()?;
    let at_work = jobs.iter().filter(|job| !matches!(job.state, State::Over(_))).count();
    let title = match (jobs.is_empty(), at_work) {
        (true, _) => return Ok(Reply::data("There are no jobs")),
        (false, 0) => "No job is running; the last that finished:".to_owned(),
        (false, n) => format!("Running jobs: {n}"),
    };
    let lines = jobs.iter().rev().take(LISTED).map(|job| line(pipeline, job));
    Ok(Reply::data(title).with(Block::List(Line::new(), lines.collect::<Result<_, _>>()?)))
}

/// A job in a line: `#12 user suspend 40 accounts, @a … @z · it goes on: done 12 · by ann, 3 min ago`.
fn line(pipeline: &Pipeline, job: &Job) -> Result<Line, Stop> {
    let (items, own) = (pipeline.jobs.items(job)?, pipeline.reader.server_name());
    Ok(Line::new()
        .code(format!("#{}", job.number.unwrap_or_default()))
        .plain(format!(" {} ", verb(&job.words)))
        .line(set(items.iter().map(|item| &item.subject), own))
        .plain(" · ")
        .line(in_one_line(job, &counts(pipeline, job)?))
        .plain(" · by ")
        .line(who(Some(&job.asker), own))
        .plain(", ")
        .ago(Some(job.begun), pipeline.clock.now()))
}

fn record(pipeline: &Pipeline, job: &Job) -> Result<Record, Stop> {
    let title = Line::new()
        .code(format!("#{}", job.number.unwrap_or_default()))
        .plain(" ")
        .command(crate::input::shown(&job.words));
    let facts = vec![
        ("State", in_one_line(job, &counts(pipeline, job)?)),
        ("By", Line::new().code(&job.asker)),
        ("Begun", Line::new().time(Some(job.begun), pipeline.clock.now())),
    ];
    Ok(Record { title, facts })
}

fn counts(pipeline: &Pipeline, job: &Job) -> Result<Counts, Stop> {
    let mut counts = Counts::of(job.total);
    for item in pipeline.jobs.items(job)? {
        if let Stage::Over(ended) = &item.stage {
            counts.add(ended.status);
        }
    }
    Ok(counts)
}

/// The job with the number that was typed; a refusal where there is none.
fn find(pipeline: &Pipeline, typed: &str) -> Result<Job, Stop> {
    let number = number(typed, "a job", &["job", "list"])?;
    let job = pipeline.jobs.numbered(number)?;
    job.ok_or_else(|| {
        Stop::not_found(Line::new().code(format!("#{number}")).plain(": no such job"))
            .or(&["job", "list"])
    })
}

fn show(pipeline: &Pipeline, number: &str) -> Result<Reply, Stop> {
    let job = find(pipeline, number)?;
    let Record { title, mut facts } = record(pipeline, &job)?;
    facts.push(("Its list", Line::from("SHA-256 ").code(&job.list)));
    if let Some(until) = job.until {
        facts.push(("Ends", Line::new().at(until)));
    }
    let reply = Reply::data(title).facts(facts);
    let number = job.number.unwrap_or_default().to_string();
    Ok(match job.state {
        State::Running => reply.command("Stop it", vec!["job".into(), "stop".into(), number]),
        State::Stopping(_) => reply,
        State::Over(_) => {
            reply.command("For the outcome", vec!["audit".into(), "show".into(), number])
        }
    })
}

async fn stop(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    number: &str,
) -> Result<Reply, Stop> {
    let job = find(pipeline, number)?;
    let theirs = |job: &Job| {
        let by = pipeline.roster.operator(&job.asker);
        by.is_some_and(|by| by.person == invocation.operator.person)
    };
    if !theirs(&job) && invocation.operator.role.rank < Rank::Admin {
        let why = Line::new()
            .plain("it belongs to ")
            .code(&job.asker)
            .plain(", and only they or an admin can stop it. Anybody can stop all jobs with ");
        return Ok(pipeline.voice.refused(invocation, why.command("!stop")).await);
    }
    match pipeline.jobs.stop(invocation, |one| one.id == job.id).await?.len() {
        0 => Ok(Reply::outcome(
            Status::NothingChanged,
            "it has finished, or is already being stopped",
        )),
        _ => Ok(Reply::outcome(
            Status::Done,
            Line::new()
                .plain("job ")
                .code(format!("#{}", job.number.unwrap_or_default()))
                .plain(" is being stopped: it finishes the step in progress, and then reports"),
        )),
    }
}
