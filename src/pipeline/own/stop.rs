//! `!stop`: an end to everything that is open or at work, at once.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    audit::{Kind, Record},
    error::Stop as Refused,
    pipeline::{Invocation, Lane, Pipeline},
    reply::{Reply, Status},
};

/// Stop every job and end every open question, at once: whoever you are, and whoever asked
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
        let stopped = pipeline.jobs.stop(invocation, |_| true).await?;
        let ended = pipeline.questions.end_questions(invocation, |_| true).await?;
        let record = Record {
            note: Some(format!("{ended} questions ended, {stopped} jobs stopped")),
            ..invocation.record(Kind::Stopped)
        };
        pipeline.audit.note(record).await?;
        Ok(Some(
            match (ended, stopped) {
                (0, 0) => Reply::outcome(
                    Status::NothingChanged,
                    "no question was open, and no job was at work",
                ),
                (n, 0) => Reply::outcome(
                    Status::Done,
                    format!("questions ended, nothing of them done: {n}"),
                ),
                (n, jobs) => Reply::outcome(
                    Status::Done,
                    format!(
                        "jobs stopped: {jobs}; what they had in hand is finished and told. \
                         Questions ended: {n}"
                    ),
                ),
            }
            .note("To keep me from changing anything at all, send !freeze")
            .urgently(),
        ))
    }
}
