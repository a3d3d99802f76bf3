//! `!config`: another configuration without a new start.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    change::Power,
    error::Stop,
    pipeline::{Invocation, Lane, Pipeline, admin::agree::without},
    reply::Reply,
};

/// Reload my config
#[derive(Debug, clap::Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Reload the file and put all of it in force, or nothing
    ///
    /// It is checked first, with everything that it names. If it gives anybody more rights, a second
    /// operator must send the same command. Running work is finished; open questions stay open.
    Reload {
        /// Only show what would change
        #[arg(long)]
        plan: bool,
        /// Your one-time password, where the config asks for one
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
