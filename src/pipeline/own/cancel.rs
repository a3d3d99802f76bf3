//! `!cancel`: no to a question, ahead of everything that waits.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    error::Stop,
    pipeline::{Invocation, Lane, Pipeline, questions::nothing_open},
    reply::Reply,
};

/// Say no to a question: your own, or as an admin anybody's
#[derive(Debug, clap::Args)]
pub(crate) struct Cancel {
    /// The code of the question; without it, the only one of yours that is open
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
