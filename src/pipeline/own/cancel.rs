//! `!cancel`: no to a question, ahead of everything that waits.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    error::Stop,
    pipeline::{Invocation, Lane, Pipeline, questions::nothing_open},
    reply::{Line, Reply, Status},
};

/// Cancel a question: your own, or as an admin anybody's
#[derive(Debug, clap::Args)]
pub(crate) struct Cancel {
    /// The code of the question; without it, the command that I am still looking things up for, or your
    /// only open question
    #[arg(value_parser = super::code)]
    code: Option<String>,
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Cancel>("cancel", &["cancel 4821", "cancel"]);

#[async_trait]
impl Own for Cancel {
    fn lane(&self) -> Lane {
        Lane::Overtaking
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        if self.code.is_none()
            && let Some(stopped) = stop_looking(pipeline, invocation)
        {
            return Ok(Some(stopped));
        }
        match &self.code {
            Some(code) => pipeline.questions.cancel(invocation, code, None).await.map(Some),
            None => Ok(pipeline
                .questions
                .light_no(invocation, None)
                .await?
                .or_else(|| Some(nothing_open()))),
        }
    }
}

/// Stops what the sender's commands still look at; the answer, where there was something.
fn stop_looking(pipeline: &Pipeline, invocation: &Invocation<'_>) -> Option<Reply> {
    let operator = invocation.operator;
    let stopped = pipeline.executor.looks().stop(&operator.user, Some(&operator.person));
    let (first, others) = stopped.split_first()?;
    let line = Line::new().command(crate::input::shown(first));
    let line = match others.len() {
        0 => line,
        n => line.plain(format!(" and {n} more")),
    };
    Some(Reply::outcome(Status::Done, line.plain(" is stopped; nothing was asked or done")))
}
