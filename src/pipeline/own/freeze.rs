//! `!freeze` and `!unfreeze`: nothing is changed until it is lifted, or nothing for one operator.

use async_trait::async_trait;

use super::{Own, OwnSpec};
use crate::{
    change::Power,
    commands::arguments::UserRef,
    error::Stop,
    freeze::What,
    operators::Operator,
    pipeline::{Invocation, Lane, Pipeline},
    reply::{Line, Reply},
};

/// Stop all changes, whoever asks; or, with an operator, stop taking commands from that person
///
/// Open questions are closed. Temporary measures that are due to end wait. A freeze survives restarts.
/// It lasts until two operators send `unfreeze`, or somebody runs `synod unfreeze` on the machine. One
/// other operator can unfreeze a person.
#[derive(Debug, clap::Args)]
pub(crate) struct Freeze {
    /// The operator; this covers all their accounts
    operator: Option<UserRef>,
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Freeze>("freeze", &["freeze", "freeze @moe:example.org"]);

/// Let me change things again (needs two operators), or take commands from an operator again
#[derive(Debug, clap::Args)]
pub(crate) struct Unfreeze {
    /// The operator; you cannot unfreeze yourself
    operator: Option<UserRef>,
}

pub(super) const UNFREEZE: OwnSpec =
    OwnSpec::new::<Unfreeze>("unfreeze", &["unfreeze", "unfreeze @moe:example.org"]);

#[async_trait]
impl Own for Freeze {
    fn lane(&self) -> Lane {
        Lane::Overtaking
    }

    fn power(&self) -> Option<Power> {
        Some(Power::Moderate)
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let what = what(pipeline, self.operator.as_ref())?;
        pipeline.freeze(invocation, what).await.map(|reply| Some(reply.urgently()))
    }
}

#[async_trait]
impl Own for Unfreeze {
    fn lane(&self) -> Lane {
        Lane::Overtaking
    }

    fn power(&self) -> Option<Power> {
        Some(Power::Moderate)
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let what = what(pipeline, self.operator.as_ref())?;
        pipeline.authenticity.authenticate(invocation.origin).await?;
        pipeline.freeze_control.unfreeze(invocation, &what).await.map(Some)
    }
}

fn what(pipeline: &Pipeline, user: Option<&UserRef>) -> Result<What, Stop> {
    let Some(user) = user else { return Ok(What::Bot) };
    let user = pipeline.reader.user_id(user)?;
    let operator: &Operator = pipeline.roster.operator(&user).ok_or_else(|| {
        Stop::not_found(
            Line::new()
                .code(&user)
                .plain(" is not an operator; to stop an account from writing, send"),
        )
        .or(&["user", "suspend", user.as_str()])
    })?;
    Ok(What::Person(operator.person.clone()))
}
