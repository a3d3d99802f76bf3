//! `!deny`: no to what somebody else has asked for, ahead of everything that waits.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    error::Stop,
    pipeline::{Invocation, Lane, Pipeline},
    reply::Reply,
};

/// Deny what somebody else has asked for, where it needs more than one person
#[derive(Debug, clap::Args)]
pub(crate) struct Deny {
    /// The code of the question
    #[arg(value_parser = super::code)]
    code: String,
    /// Why, for the record
    #[arg(allow_hyphen_values = true)]
    why: Vec<String>,
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Deny>("deny", &["deny 4821", "deny 4821 ask them first"]);

#[async_trait]
impl Own for Deny {
    fn lane(&self) -> Lane {
        Lane::Overtaking
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let why = self.why.join(" ");
        pipeline
            .questions
            .cancel(invocation, &self.code, (!why.is_empty()).then_some(&why))
            .await
            .map(Some)
    }
}
