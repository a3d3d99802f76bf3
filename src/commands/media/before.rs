//! A moment before which something must have been used last, as it is typed.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    change::{Outcome, Skip, Snapshot, Subject, Undo},
    commands::arguments::Since,
    reply::{Line, Status},
};

/// The homeserver takes fewer milliseconds than this for seconds.
const EARLIEST: i64 = 30_000_000_000;

// The moment, in each way that synadm knows. No doc comment: it would become the verb's help.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Before {
    /// Files that nobody has requested for this many days
    #[arg(id = "before_days", short = 'd', long = "before-days", value_name = "DAYS",
          value_parser = clap::value_parser!(u32).range(0..=18_000))]
    days: Option<u32>,
    /// Files that nobody has requested since this date, or within this age (30d, 2 months)
    #[arg(id = "before", short = 'b', long = "before", value_name = "DATE|AGE")]
    since: Option<Since>,
    /// Files that nobody has requested since this time, in milliseconds since 1970
    #[arg(id = "before_ts", short = 't', long = "before-ts", value_name = "MS",
          value_parser = clap::value_parser!(i64).range(EARLIEST..))]
    ms: Option<i64>,
}

impl Before {
    /// Whether a moment was typed.
    pub(super) fn is_given(&self) -> bool {
        self.days.is_some() || self.since.is_some() || self.ms.is_some()
    }

    /// The moment that is meant when asked at `now`, in milliseconds.
    fn at(&self, now: Timestamp) -> i64 {
        let days = |days: u32| {
            let age = SignedDuration::from_hours(i64::from(days) * 24);
            now.checked_sub(age).unwrap_or(Timestamp::MIN)
        };
        let typed = self.since.as_ref().map(|since| since.before(now));
        let moment = self.days.map(days).or(typed).map(Timestamp::as_millisecond);
        self.ms.or(moment).unwrap_or_default()
    }

    /// Notes the moment, and the one at which it was asked for.
    pub(super) fn note(&self, seen: &mut Snapshot, now: Timestamp) {
        seen.extra.insert("before".to_owned(), json!(self.at(now)));
        seen.note_now(now);
    }
}

/// The moment that was noted, in milliseconds.
fn noted(seen: &Snapshot) -> i64 {
    seen.extra.get("before").and_then(Value::as_i64).unwrap_or_default()
}

fn refused(seen: &Snapshot, why: &str) -> Skip {
    Skip::not_understood(in_words(seen).plain(why))
}

/// The moment that was noted, as the homeserver takes it; why not, where it makes no sense.
pub(super) fn moment(seen: &Snapshot) -> Result<String, Skip> {
    match noted(seen) {
        before if before < EARLIEST => {
            Err(refused(seen, " is too early: there was nothing here yet"))
        }
        before => Ok(before.to_string()),
    }
}

/// The same, where a slip in the date must not reach everything there is.
pub(super) fn past_moment(seen: &Snapshot) -> Result<String, Skip> {
    if noted(seen) > seen.noted_now().as_millisecond() {
        let why = " is in the future; to delete everything, use --before-days 0";
        return Err(refused(seen, why));
    }
    moment(seen)
}

/// What came of deleting what was used last before the moment that was noted: `deleted` of them, each
/// of which is called `one`, and several `many`.
pub(super) fn outcome(
    subject: &Subject,
    before: &Snapshot,
    (deleted, one, many): (Option<u64>, &str, &str),
    undo: &str,
) -> Outcome {
    let (status, said) = match deleted {
        Some(0) => (Status::NothingChanged, format!(": no such {one}")),
        Some(1) => (Status::Done, format!(": 1 {one} deleted")),
        Some(count) => (Status::Done, format!(": {count} {many} deleted")),
        None => (Status::Unknown, ": the homeserver does not say how many it deleted".to_owned()),
    };
    let title = Line::new().code(subject).plain(said);
    Outcome { status, ..Outcome::done(title, Undo::None(undo.to_owned())) }
        .facts([("Not asked for since", in_words(before))])
}

/// The moment that was noted, in words.
pub(super) fn in_words(seen: &Snapshot) -> Line {
    Line::new().time(Timestamp::from_millisecond(noted(seen)).ok(), seen.noted_now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing::{self, now};

    fn seen(typed: &[&str]) -> Snapshot {
        let before = testing::parse::<Before>(typed).unwrap();
        assert!(before.is_given());
        let mut seen = Snapshot::default();
        before.note(&mut seen, now());
        seen
    }

    #[test]
    fn every_way_ends_in_milliseconds() {
        for (typed, at) in [
            (&["-d", "30"][..], "2026-10-21T14:03:00Z"),
            (&["--before-days", "0"], "2026-11-20T14:03:00Z"),
            (&["-b", "30d"], "2026-10-21T14:03:00Z"),
            (&["--before", "2026-11-01"], "2026-11-01T00:00:00Z"),
            (&["-t", "1793491200000"], "2026-11-01T00:00:00Z"),
        ] {
            let at: Timestamp = at.parse().unwrap();
            assert_eq!(moment(&seen(typed)).unwrap(), at.as_millisecond().to_string(), "{typed:?}");
        }
        assert_eq!(
            testing::line(&in_words(&seen(&["-b", "2026-11-01"]))),
            "2026-11-01 00:00 UTC (19 days ago)"
        );
        // Seconds are no milliseconds.
        assert!(testing::parse::<Before>(&["-t", "1793491200"]).is_err());
        assert!(!testing::parse::<Before>(&[]).unwrap().is_given());
    }

    #[test]
    fn a_moment_without_sense_is_refused() {
        let skip = |typed: &[&str]| testing::skip(&past_moment(&seen(typed)).unwrap_err());
        assert!(moment(&seen(&["-b", "2030-01-01"])).is_ok(), "where nothing is lost by it");
        assert!(skip(&["-b", "2030-01-01"]).contains("in the future"));
        assert!(skip(&["-b", "1970-02-01"]).contains("nothing here yet"));
    }
}
