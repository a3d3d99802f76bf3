//! `!snooze`: a case is left until later.

use super::{
    OwnSpec,
    case::{Decides, ahead, which},
};
use crate::{
    commands::arguments::Lasting,
    error::Stop,
    pipeline::{
        Invocation, Pipeline,
        desk::{Decision, Which},
    },
};

/// Leave a case for a while, without reminders
///
/// After that time it is open again, and whoever has claimed it is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Snooze {
    /// Its number, which is not needed in its thread, and for how long: 4h, or 2 days
    #[arg(value_name = "CASE|TIME", required_unless_present = "lasting", num_args = 1..=4)]
    words: Vec<String>,
    /// For how long, where that is not typed behind the number
    #[arg(long = "for", value_name = "TIME")]
    lasting: Option<Lasting>,
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Snooze>("snooze", &["snooze 12 4h", "snooze 4h"]);

impl Decides for Snooze {
    fn decided(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<(Which, Decision), Stop> {
        let (case, lasting) = match &self.lasting {
            Some(lasting) => (alone(&self.words)?, lasting.clone()),
            None => taken_apart(&self.words)?,
        };
        let until = ahead(&lasting, pipeline.clock.now())?;
        Ok((which(invocation, case)?, Decision::Snooze(until)))
    }
}

/// The case, where one is named beside a time of its own.
fn alone(words: &[String]) -> Result<Option<&str>, Stop> {
    match words {
        [] => Ok(None),
        [case] => Ok(Some(case)),
        _ => Err(Stop::not_understood("say once for how long, such as snooze 12 4h")),
    }
}

/// The case, where one is named, and for how long: `4h`, `12 4h`, `2 days`, `12 for 2 days`.
fn taken_apart(words: &[String]) -> Result<(Option<&str>, Lasting), Stop> {
    let wrong = || Stop::not_understood("say for how long, such as snooze 4h");
    if let Some(lasting) = time(words) {
        return Ok((None, lasting));
    }
    let (case, rest) = words.split_first().ok_or_else(wrong)?;
    Ok((Some(case), time(rest).ok_or_else(wrong)?))
}

/// For how long, with or without `for` before it.
fn time(words: &[String]) -> Option<Lasting> {
    let words = match words {
        [first, rest @ ..] if first.eq_ignore_ascii_case("for") => rest,
        words => words,
    };
    words.join(" ").parse().ok()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_number_before_the_time_is_the_case() {
        let read = |typed: &str| {
            let words: Vec<String> = typed.split(' ').map(str::to_owned).collect();
            let (case, lasting) = taken_apart(&words).ok()?;
            let until = lasting.after(Timestamp::UNIX_EPOCH)?;
            let hours = until.duration_since(Timestamp::UNIX_EPOCH).as_hours();
            Some((case.map(str::to_owned), hours))
        };
        let case = |number: &str| Some(number.to_owned());
        assert_eq!(read("4h"), Some((None, 4)));
        assert_eq!(read("12 4h"), Some((case("12"), 4)));
        assert_eq!(read("2 days"), Some((None, 48)));
        assert_eq!(read("12 2 days"), Some((case("12"), 48)));
        assert_eq!(read("12 for 2 days"), Some((case("12"), 48)));
        assert_eq!(read("For 4h"), Some((None, 4)));
        for wrong in ["12", "12 for", "for", "for 12", "soon", "4h 12", "12 soon"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
