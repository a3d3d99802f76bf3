//! How far a job is, in words.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{
    jobs::{Job, State},
    reply::{Line, Reply, Status, grouped, span},
};

/// How many cells the bar has: few enough that what stands behind it is in a notification too.
const CELLS: usize = 8;

/// After so long it can be told how long the rest takes.
const SURE: Duration = Duration::from_secs(3);

/// How many subjects have ended how.
#[derive(Debug, Clone, Default)]
pub(in crate::pipeline) struct Counts {
    total: usize,
    /// How many were over when this run began with it.
    pub(super) before: usize,
    done: usize,
    nothing: usize,
    refused: usize,
    not_found: usize,
    failed: usize,
    unknown: usize,
}

impl Counts {
    /// None of so many has ended.
    pub(in crate::pipeline) fn of(total: usize) -> Self {
        Self { total, ..Self::default() }
    }

    /// Counts one that has ended like this.
    pub(in crate::pipeline) fn add(&mut self, status: Status) {
        *match status {
            Status::Done => &mut self.done,
            Status::NothingChanged | Status::Expired => &mut self.nothing,
            Status::Refused | Status::NotUnderstood => &mut self.refused,
            Status::NotFound => &mut self.not_found,
            Status::Failed => &mut self.failed,
            Status::Unknown | Status::DoneInPart => &mut self.unknown,
        } += 1;
    }

    /// How many are over.
    pub(super) fn over(&self) -> usize {
        self.done + self.nothing + self.refused + self.not_found + self.failed + self.unknown
    }

    /// How many were done.
    pub(super) fn done(&self) -> usize {
        self.done
    }

    /// The word for all of them together.
    pub(super) fn status(&self) -> Status {
        match self {
            Self { unknown: 1.., .. } => Status::Unknown,
            Self { done, total, .. } if done == total && *total > 0 => Status::Done,
            Self { done: 1.., .. } => Status::DoneInPart,
            Self { failed: 1.., .. } => Status::Failed,
            Self { refused: 1.., .. } => Status::Refused,
            Self { not_found: 1.., .. } => Status::NotFound,
            _ => Status::NothingChanged,
        }
    }

    /// `done 515, nothing changed 3`.
    pub(super) fn in_words(&self) -> String {
        let not_begun = self.total.saturating_sub(self.over());
        let counts = [
            ("done", self.done),
            ("nothing changed", self.nothing),
            ("refused", self.refused),
            ("not found", self.not_found),
            ("failed", self.failed),
            ("unknown or done in part", self.unknown),
            ("not started", not_begun),
        ];
        let said = counts.into_iter().filter(|(_, count)| *count > 0);
        said.map(|(what, count)| format!("{what} {count}")).collect::<Vec<_>>().join(", ")
    }
}

/// The message that shows how far a job is, `elapsed` after this run began with it.
pub(super) fn shown(
    job: &Job,
    counts: &Counts,
    elapsed: Option<Duration>,
    waits: Option<Line>,
) -> Reply {
    let reply = Reply::data(how_far(counts, elapsed)).text(title(job)).text(counts.in_words());
    let reply = match waits {
        Some(why) => reply.text(Line::new().strong("It waits").plain(": ").line(why)),
        None => reply,
    };
    let number = job.number.unwrap_or_default().to_string();
    reply.command("Stop it", ["job", "stop", &number].map(str::to_owned).to_vec())
}

/// Which job it is.
pub(super) fn title(job: &Job) -> Line {
    Line::new()
        .plain(format!("Job #{}: ", job.number.unwrap_or_default()))
        .command(crate::input::shown(&job.words))
}

/// A job in one line of a list.
pub(in crate::pipeline) fn in_one_line(job: &Job, counts: &Counts) -> Line {
    let state = match &job.state {
        State::Running => "running",
        State::Stopping(_) => "stopping",
        State::Over(_) => "finished",
    };
    Line::from(format!("{state}: {}", counts.in_words()))
}

/// `▰▰▰▱▱▱▱▱ 38 % · 380 of 1,000 · about 2 min left`: first what is seen at a glance.
fn how_far(counts: &Counts, elapsed: Option<Duration>) -> String {
    let (over, total) = (counts.over(), counts.total.max(1));
    let filled = (over * CELLS / total).min(CELLS);
    let bar = "▰".repeat(filled) + "▱".repeat(CELLS - filled).as_str();
    let (percent, over, of) = (over * 100 / total, grouped(over), grouped(counts.total));
    let left = elapsed.and_then(|elapsed| left(counts, elapsed));
    let left = left.map_or(String::new(), |left| format!(" · {left} left"));
    format!("{bar} {percent} % · {over} of {of}{left}")
}

/// How long the rest takes at the rate of this run, rounded up to minutes; `None` where that cannot be
/// known yet, or nothing is left.
fn left(counts: &Counts, elapsed: Duration) -> Option<String> {
    let here = u64::try_from(counts.over().saturating_sub(counts.before)).ok()?;
    let rest = u64::try_from(counts.total.saturating_sub(counts.over())).ok()?;
    if rest == 0 || elapsed < SURE {
        return None;
    }
    let millis = u64::try_from(elapsed.as_millis()).ok()?.saturating_mul(rest).checked_div(here)?;
    if millis < 60_000 {
        return Some("less than a minute".to_owned());
    }
    let minutes = i64::try_from(millis.div_ceil(60_000)).ok()?;
    Some(format!("about {}", span(SignedDuration::from_secs(minutes.saturating_mul(60)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(total: usize, before: usize, done: usize) -> Counts {
        Counts { total, before, done, ..Counts::default() }
    }

    #[test]
    fn the_bar_comes_first_and_the_rest_is_as_long_as_the_rate_says() {
        let minute = Some(Duration::from_mins(1));
        for (counts, elapsed, told) in [
            (counts(1000, 0, 0), None, "▱▱▱▱▱▱▱▱ 0 % · 0 of 1,000"),
            (counts(1000, 0, 380), minute, "▰▰▰▱▱▱▱▱ 38 % · 380 of 1,000 · about 2 min left"),
            (counts(1000, 370, 380), minute, "▰▰▰▱▱▱▱▱ 38 % · 380 of 1,000 · about 1 h 2 min left"),
            (counts(8, 0, 7), minute, "▰▰▰▰▰▰▰▱ 87 % · 7 of 8 · less than a minute left"),
            (counts(8, 7, 7), minute, "▰▰▰▰▰▰▰▱ 87 % · 7 of 8"),
            (counts(8, 0, 7), Some(Duration::from_secs(1)), "▰▰▰▰▰▰▰▱ 87 % · 7 of 8"),
            (counts(8, 0, 8), minute, "▰▰▰▰▰▰▰▰ 100 % · 8 of 8"),
            (counts(0, 0, 0), minute, "▱▱▱▱▱▱▱▱ 0 % · 0 of 0"),
        ] {
            assert_eq!(how_far(&counts, elapsed), told);
        }
    }
}
