//! `!close` and `!dismiss`: a case is over.

use super::{
    OwnSpec,
    case::{Decides, closing, number, which},
};
use crate::{
    cases::How,
    error::Stop,
    pipeline::{
        Invocation, Pipeline,
        desk::{Decision, Which},
    },
    reply::Line,
};

/// Close a case that was dealt with, and say why
///
/// Nothing is changed on the homeserver; `case reopen` opens it again. The reports themselves stay until
/// `report dismiss` deletes them.
#[derive(Debug, clap::Args)]
pub(crate) struct Close {
    /// Its number, which is not needed in its thread, and why; quotation marks are not needed
    #[arg(value_name = "CASE|WHY", allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Close a case in which there was nothing to deal with, and say why
///
/// Nothing is changed on the homeserver; `case reopen` opens it again.
#[derive(Debug, clap::Args)]
pub(crate) struct Dismiss {
    /// Its number, which is not needed in its thread, and why; quotation marks are not needed
    #[arg(value_name = "CASE|WHY", allow_hyphen_values = true)]
    words: Vec<String>,
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Close>("close", &["close 12 spam, account suspended", "close"]);

pub(super) const DISMISS: OwnSpec =
    OwnSpec::new::<Dismiss>("dismiss", &["dismiss 12 a quarrel, no rule broken", "dismiss"]);

impl Decides for Close {
    fn decided(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<(Which, Decision), Stop> {
        let (which, why) = taken_apart(pipeline, invocation, &self.words)?;
        Ok((which, closing(How::DealtWith, why)))
    }
}

impl Decides for Dismiss {
    fn decided(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<(Which, Decision), Stop> {
        let (which, why) = taken_apart(pipeline, invocation, &self.words)?;
        Ok((which, closing(How::Dismissed, why)))
    }
}

/// Which case the words name, and why it is closed. In a thread a number may be the beginning of the
/// reason, so that another case is not closed there.
fn taken_apart<'a>(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    words: &'a [String],
) -> Result<(Which, &'a [String]), Stop> {
    let typed = words.first().filter(|word| number(word).is_some());
    let Some(typed) = typed else { return Ok((which(invocation, None)?, words)) };
    let (named, rest) = (which(invocation, Some(typed))?, words.get(1..).unwrap_or_default());
    let Ok(of_thread) = which(invocation, None) else { return Ok((named, rest)) };
    let Ok(here) = pipeline.desk.find(&of_thread) else { return Ok((named, rest)) };
    if named == Which::Number(here.number) {
        return Ok((named, rest));
    }
    let line = Line::from(format!("this is the thread of case {}: is ", here.number))
        .code(typed)
        .plain(" another case, or does the reason begin with it? Close another case outside this thread, \
                or put a word before the number");
    Err(Stop::not_understood(line))
}
