//! `!config`: another configuration without a new start.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    change::Power,
    error::Stop,
    pipeline::{Invocation, Lane, Pipeline, admin::agree::without},
    reply::Reply,
};

/// Have me read my config again
#[derive(Debug, clap::Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Read the file again and put all of it in force, or nothing
    ///
    /// It is checked first, with everything that it names. What gives anybody more than they had
    /// takes the same command of a second operator. What is in hand is finished; open questions
    /// stay open.
    Reload {
        /// Only tell what would be otherwise
        #[arg(long)]
        plan: bool,
        /// Your one-time password, where the config wants one
        #[arg(value_name = "PASSWORD")]
        password: Option<String>,
    },
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Config>("config", &["config reload", "config reload --plan"]).reasoned();

#[async_trait]
impl Own for Config {
    fn lane(&self) -> Lane {
        Lane::InTurn
    }

    fn power(&self) -> Option<Power> {
        Some(Power::Server)
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let What::Reload { plan, password } = &self.what;
        let words = without(invocation.words, password.as_ref());
        let invocation = Invocation { words: &words, ..*invocation };
        pipeline.reloader.reload(&invocation, *plan, password.as_deref()).await.map(Some)
    }
}
