//! `!approve`: yes to what somebody else has asked for.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    confirm::Yes,
    error::Stop,
    pipeline::{Invocation, Lane, Pipeline},
    reply::Reply,
};

/// Approve what somebody else has asked for, where it needs more than one person
#[derive(Debug, clap::Args)]
pub(crate) struct Approve {
    /// The code of the question
    #[arg(value_parser = super::code)]
    code: String,
    /// The phrase that the question asks for, and after it your one-time password where it asks
    /// for that
    // The end of a room's id can begin like an option.
    #[arg(allow_hyphen_values = true)]
    phrase: Vec<String>,
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Approve>("approve", &["approve 4821 eve"]);

#[async_trait]
impl Own for Approve {
    fn lane(&self) -> Lane {
        Lane::InTurn
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        pipeline.say_yes(invocation, &self.code, &Yes::Approve(self.phrase.clone())).await
    }
}
