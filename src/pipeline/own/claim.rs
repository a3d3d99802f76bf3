//! `!claim`: to deal with a case oneself.

use async_trait::async_trait;

use super::{
    Own, OwnSpec,
    case::{decide, which},
};
use crate::{
    change::Power,
    error::Stop,
    pipeline::{Invocation, Lane, Pipeline, desk::Decision},
    reply::Reply,
};

/// Deal with a case yourself: the others see that you do
///
/// The first who claims a case has it; whoever is second is told who that is. A reaction with 👀 to the
/// first message of its thread claims it too.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Claim {
    /// Its number; not needed in its thread
    case: Option<String>,
    /// Take it over from whoever has claimed it
    #[arg(long)]
    over: bool,
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Claim>("claim", &["claim 12", "claim", "claim 12 --over"]);

#[async_trait]
impl Own for Claim {
    fn lane(&self) -> Lane {
        Lane::InTurn
    }

    fn power(&self) -> Option<Power> {
        Some(Power::Moderate)
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let which = which(invocation, self.case.as_deref())?;
        let decision = Decision::Claim { over: self.over };
        decide(pipeline, invocation, &which, &decision).await
    }
}
