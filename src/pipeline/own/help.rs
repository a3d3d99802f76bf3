//! `!help`: what can be typed.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    error::Stop,
    pipeline::{Asked, Pipeline, understand},
    reply::Reply,
};

/// Show what can be typed: everything, a group, or one command
#[derive(Debug, clap::Args)]
pub(crate) struct Help {
    /// A group, or a group and a verb
    words: Vec<String>,
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Help>("help", &["help", "help user", "help user deactivate"]);

#[async_trait]
impl Own for Help {
    async fn run(&self, _: &Pipeline, asked: &Asked<'_>) -> Result<Option<Reply>, Stop> {
        Ok(Some(understand::help(&self.words, Some(&asked.operator.role))))
    }
}
