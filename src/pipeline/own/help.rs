//! `!help`: what can be typed.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    commands::needs,
    error::Stop,
    pipeline::{Invocation, Pipeline, inbound::understand::help},
    reply::Reply,
};

/// Show what can be typed: everything, a group, or one command
#[derive(Debug, clap::Args)]
pub(crate) struct Help {
    /// A group, or a group and a verb
    words: Vec<String>,
}

impl Help {
    /// The help that these words ask for by an option, where it depends on the homeserver.
    pub(in crate::pipeline) fn by_option(words: &[String]) -> Option<Self> {
        let asks = words.iter().any(|word| matches!(word.as_str(), "--help" | "-h"));
        let verb = words.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(" ");
        (asks && !needs(&verb).is_empty()).then(|| Self { words: words.to_vec() })
    }
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Help>("help", &["help", "help user", "help user deactivate", "help yes"]);

#[async_trait]
impl Own for Help {
    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let reply = help::help(&self.words, Some(&invocation.operator.role));
        Ok(Some(pipeline.served.help_here(&help::meant(&self.words), reply).await))
    }
}
