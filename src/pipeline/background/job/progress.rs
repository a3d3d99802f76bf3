//! How far a job is, in words.

use std::{fmt::Write as _, time::Duration};

use jiff::{
    SignedDuration,
    fmt::friendly::{Designator, SpanPrinter},
};

use crate::{
    jobs::{Job, State},
    reply::{Line, Reply, Status},
};

/// How many cells the bar has.
const CELLS: usize = 20;

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
    let bar = Line::new().code(bar(counts)).plain(format!(" {}", rate(counts, elapsed)));
    let reply = Reply::data(bar).text(title(job)).text(counts.in_words());
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
        .code(crate::input::shown(&job.words))
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

fn bar(counts: &Counts) -> String {
    let filled = counts.over() * CELLS / counts.total.max(1);
    "█".repeat(filled) + "░".repeat(CELLS.saturating_sub(filled)).as_str()
}

/// `52 %, 520 of 1000, 21 a second, 23s left`.
fn rate(counts: &Counts, elapsed: Option<Duration>) -> String {
    let (over, total) = (counts.over(), counts.total);
    let mut words = format!("{} %, {over} of {total}", over * 100 / total.max(1));
    let Some(elapsed) = elapsed.filter(|elapsed| elapsed.as_secs() > 0) else { return words };
    let here = u64::try_from(over.saturating_sub(counts.before)).unwrap_or_default();
    if here == 0 {
        return words;
    }
    let left = u64::try_from(total.saturating_sub(over)).unwrap_or_default();
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let (a_second, a_minute) = (here * 1000 / millis, here * 60_000 / millis);
    // Writing to a string cannot fail.
    let _ = match a_second {
        0 => write!(words, ", {a_minute} a minute"),
        _ => write!(words, ", {a_second} a second"),
    };
    let seconds = i64::try_from(left.saturating_mul(millis) / here / 1000).unwrap_or(i64::MAX);
    let printer = SpanPrinter::new().designator(Designator::Compact);
    let time = printer.duration_to_string(&SignedDuration::from_secs(seconds));
    let _ = write!(words, ", {time} left");
    words
}
