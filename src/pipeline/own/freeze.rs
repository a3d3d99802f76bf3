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

/// Change nothing any more, whoever asks; or, with an operator, serve that person no more
///
/// Open questions end. What ends by itself waits. It holds over restarts, until two operators say
/// `unfreeze`, or whoever has the machine says `synod unfreeze` there. A person is unfrozen by one
/// other operator.
#[derive(Debug, clap::Args)]
pub(crate) struct Freeze {
    /// The operator; all their accounts are meant
    operator: Option<UserRef>,
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Freeze>("freeze", &["freeze", "freeze @moe:example.org"]);

/// Let me change things again, for which it takes two operators; or serve an operator again
#[derive(Debug, clap::Args)]
pub(crate) struct Unfreeze {
    /// The operator; nobody unfreezes themselves
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
                .plain(" is no operator; to keep an account from writing there is"),
        )
        .or(&["user", "suspend", user.as_str()])
    })?;
    Ok(What::Person(operator.person.clone()))
}
