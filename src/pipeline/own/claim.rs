//! `!claim`: to deal with a case oneself.

use super::{
    OwnSpec,
    case::{Decides, which},
};
use crate::{
    error::Stop,
    pipeline::{
        Invocation, Pipeline,
        desk::{Decision, Which},
    },
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

impl Decides for Claim {
    fn decided(
        &self,
        _: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<(Which, Decision), Stop> {
        let which = which(invocation, self.case.as_deref())?;
        Ok((which, Decision::Claim { over: self.over }))
    }
}
