//! `!next` and `!prev`: another page of the asker's last listing, as a message of its own.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    error::Stop,
    pipeline::{Invocation, Pipeline},
    reply::{Reply, Turn},
};

/// Show the next page of your last list in this room
///
/// It is looked up anew. The arrows under the list do the same in its place.
#[derive(Debug, clap::Args)]
pub(crate) struct Next {}

/// Show the page before in your last list in this room
///
/// It is looked up anew. The arrows under the list do the same in its place.
#[derive(Debug, clap::Args)]
pub(crate) struct Previous {}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Next>("next", &["next"]);

pub(super) const PREVIOUS: OwnSpec = OwnSpec::new::<Previous>("prev", &["prev"]);

#[async_trait]
impl Own for Next {
    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        turned(pipeline, invocation, Turn::Next).await
    }
}

#[async_trait]
impl Own for Previous {
    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        turned(pipeline, invocation, Turn::Previous).await
    }
}

async fn turned(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    turn: Turn,
) -> Result<Option<Reply>, Stop> {
    if invocation.origin.message().is_none() {
        return Err(Stop::refused(
            "this turns a list that you asked for in a room, and so it is said there; here --from shows \
             the next page",
        ));
    }
    pipeline.turn_last(invocation, turn).await.map(Some)
}
