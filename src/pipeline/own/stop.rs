//! `!stop`: an end to everything that is open or at work, at once.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    audit::{Kind, Record},
    error::Stop as Refused,
    jobs::Job,
    pipeline::{Invocation, Lane, Pipeline, is_first_word},
    reply::{Block, Line, Reply, Status},
    watches::Watch,
};

/// Stop every job, every command that is still looking things up, and every open question, no matter who asked
#[derive(Debug, clap::Args)]
pub(crate) struct Stop {}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Stop>("stop", &["stop"]);

#[async_trait]
impl Own for Stop {
    fn lane(&self) -> Lane {
        Lane::Overtaking
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Refused> {
        let looks = pipeline.executor.looks().stop(&invocation.operator.user, None);
        let jobs = pipeline.jobs.stop(invocation, |_| true).await?;
        let ended = pipeline.questions.end_questions(invocation, |_| true).await?;
        let record = Record {
            note: Some(format!(
                "{ended} questions closed, {} jobs stopped, {} commands stopped while they looked \
                 things up",
                jobs.len(),
                looks.len()
            )),
            ..invocation.record(Kind::Stopped)
        };
        pipeline.audit.note(record).await?;
        let stopped: Vec<Line> = looks
            .iter()
            .map(|words| {
                shown(words).plain(
                    ": it was still looking things up, so nothing was \
                                             done",
                )
            })
            .chain(jobs.iter().map(job))
            .collect();
        let goes_on: Vec<Line> = pipeline.watcher.open()?.iter().map(at_the_homeserver).collect();
        let mut reply = Reply::outcome(
            if ended + stopped.len() == 0 { Status::NothingChanged } else { Status::Done },
            title(ended, jobs.len(), looks.len()),
        );
        if !stopped.is_empty() {
            reply = reply.with(Block::List("Stopped".into(), stopped));
        }
        if !goes_on.is_empty() {
            let heading = "Still running on the homeserver, and I cannot stop it";
            reply = reply.with(Block::List(heading.into(), goes_on));
        }
        let all = "To stop me from changing anything at all, send !freeze";
        Ok(Some(reply.note(Line::new().naming(all, &is_first_word)).urgently()))
    }
}

fn title(questions: usize, jobs: usize, looks: usize) -> String {
    let mut parts = Vec::new();
    if looks > 0 {
        parts.push(format!("commands stopped before anything was asked or done: {looks}"));
    }
    match (questions, jobs) {
        (0, 0) if looks > 0 => {}
        (0, 0) => parts.push("no question was open, and no job was running".to_owned()),
        (n, 0) => parts.push(format!("questions closed, nothing was done: {n}")),
        (n, jobs) => parts.push(format!(
            "jobs stopped: {jobs}; they finish the step in progress and report. Questions closed: \
             {n}"
        )),
    }
    parts.join(". ")
}

fn shown(words: &[String]) -> Line {
    Line::new().command(crate::input::shown(words))
}

fn job(job: &Job) -> Line {
    let number = format!("job #{}, ", job.number.unwrap_or_default());
    Line::new().plain(number).line(shown(&job.words)).plain(format!(", of {}", job.total))
}

/// What the homeserver goes on with whatever is stopped here, and what can be done about it.
fn at_the_homeserver(watch: &Watch) -> Line {
    let line = Line::new().code(format!("#{}", watch.number)).plain(", ").line(shown(&watch.words));
    let words: Vec<&str> = watch.words.iter().take(2).map(String::as_str).collect();
    line.plain(match words.as_slice() {
        ["user", "redact"] => {
            ": nothing stops the redaction or brings back what is redacted. Suspend the account so \
            that it writes nothing new"
        }
        ["room", "delete"] => {
            ": everybody is removed and the room is deleted; nothing stops that or brings it back. \
            A block can be undone"
        }
        ["history", "purge"] => ": nothing stops the purge or brings back what is purged",
        _ => ": it finishes by itself, and nothing stops it",
    })
}
