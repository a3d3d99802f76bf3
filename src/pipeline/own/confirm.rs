//! `!confirm`: yes to a question, by its code.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    confirm::Yes,
    error::Stop,
    pipeline::{Invocation, Lane, Pipeline},
    reply::Reply,
};

/// Say yes to a question
#[derive(Debug, clap::Args)]
pub(crate) struct Confirm {
    /// The code of the question; without it, I list the open ones
    #[arg(value_parser = super::code)]
    code: Option<String>,
    /// The phrase, where the question asks for one
    // The end of a room's id can begin like an option.
    #[arg(allow_hyphen_values = true)]
    phrase: Vec<String>,
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Confirm>("confirm", &["confirm 4821", "confirm 4821 eve"]);

#[async_trait]
impl Own for Confirm {
    fn lane(&self) -> Lane {
        Lane::InTurn
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        match &self.code {
            Some(code) => pipeline.say_yes(invocation, code, &Yes::Code(self.phrase.clone())).await,
            None => pipeline.questions.which_to_confirm(invocation).map(Some),
        }
    }
}
