//! `!stop`: an end to everything that is open, at once.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    audit::{Kind, Record},
    error::Stop as Refused,
    pipeline::{Asked, Lane, Pipeline},
    reply::{Reply, Word},
};

/// End every open question, at once: whoever you are, and whoever asked
#[derive(Debug, clap::Args)]
pub(crate) struct Stop {}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Stop>("stop", &["stop"]);

#[async_trait]
impl Own for Stop {
    fn lane(&self) -> Lane {
        Lane::Overtaking
    }

    async fn run(&self, pipeline: &Pipeline, asked: &Asked<'_>) -> Result<Option<Reply>, Refused> {
        let ended = pipeline.end_questions(asked, |_| true).await?;
        let record = Record {
            note: Some(format!("{ended} questions ended")),
            ..Pipeline::record(Kind::Stopped, asked)
        };
        pipeline.audit.note(record).await.map_err(|error| pipeline.unrecorded(&error))?;
        Ok(Some(
            match ended {
                0 => Reply::outcome(Word::NothingChanged, "no question was open"),
                n => Reply::outcome(Word::Done, format!("ended, and nothing of it is done: {n}")),
            }
            .note("To keep me from changing anything at all, send !freeze"),
        ))
    }
}
