//! How much was done in each week.

use std::collections::BTreeMap;

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};

use super::read::{Entry, Reading};
use crate::reply::Status;

/// Most weeks that are drawn: ten years. Of a longer time the last.
const MOST: usize = 522;

/// Most people who have a colour of their own.
pub(super) const PEOPLE: usize = 6;

/// The outcomes in the order in which they are drawn.
pub(super) fn outcomes() -> [&'static str; Status::ALL.len()] {
    Status::ALL.map(Status::as_str)
}

/// Counts by week, for each of several series.
#[derive(Debug)]
pub(super) struct Weeks {
    /// The Monday with which each begins, without a gap.
    pub(super) begin: Vec<Date>,
    /// What each of the numbers counts.
    pub(super) series: Vec<String>,
    /// By week and series.
    pub(super) counts: Vec<Vec<u64>>,
    /// Whether earlier weeks are left out.
    pub(super) cut: bool,
}

impl Weeks {
    /// What became of what was asked for.
    pub(super) fn by_outcome(reading: &Reading) -> Option<Self> {
        let counted = reading.entries.iter().filter_map(|entry| {
            let outcome = outcome(entry)?;
            let place = outcomes().iter().position(|one| *one == outcome)?;
            Some((week(entry.when?)?, place))
        });
        Self::of(counted.collect(), outcomes().map(str::to_owned).to_vec())
    }

    /// Who did it, of what was done: those who did most, and the others together.
    pub(super) fn by_operator(reading: &Reading) -> Option<Self> {
        let done: Vec<(Date, &str)> = reading
            .entries
            .iter()
            .filter(|entry| outcome(entry).is_some_and(|one| one.starts_with("Done")))
            .filter_map(|entry| Some((week(entry.when?)?, who(reading, entry))))
            .collect();
        let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, by) in &done {
            *totals.entry(by).or_default() += 1;
        }
        let mut most: Vec<(&str, u64)> = totals.into_iter().collect();
        most.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut names: Vec<String> =
            most.iter().take(PEOPLE).map(|(by, _)| (*by).to_owned()).collect();
        let place = |by: &str| names.iter().position(|name| name == by).unwrap_or(names.len());
        let counted = done.iter().map(|(week, by)| (*week, place(by))).collect();
        if most.len() > PEOPLE {
            names.push(format!("{} others", most.len() - PEOPLE));
        }
        Self::of(counted, names)
    }

    fn of(counted: Vec<(Date, usize)>, series: Vec<String>) -> Option<Self> {
        let last = counted.iter().map(|(week, _)| *week).max()?;
        let first = counted.iter().map(|(week, _)| *week).min()?;
        let mut begin = vec![last];
        let mut monday = last;
        while monday > first && begin.len() < MOST {
            monday = monday.checked_sub(Span::new().weeks(1)).ok()?;
            begin.push(monday);
        }
        begin.reverse();
        let mut counts = vec![vec![0; series.len()]; begin.len()];
        for (week, place) in counted {
            let row = begin.binary_search(&week).ok();
            if let Some(count) = row.and_then(|row| counts.get_mut(row)?.get_mut(place)) {
                *count += 1;
            }
        }
        Some(Self { cut: monday > first, begin, series, counts })
    }

    /// Most that there is in a week.
    pub(super) fn most(&self) -> u64 {
        self.counts.iter().map(|week| week.iter().sum()).max().unwrap_or_default()
    }
}

/// What became of something that was asked for, where this entry says so.
fn outcome(entry: &Entry) -> Option<String> {
    let details = entry.details.as_ref().filter(|details| details.redacts.is_none());
    match entry.kind.as_str() {
        "closed" => details?.outcome(),
        "refused" => Some(Status::Refused.as_str().to_owned()),
        "expired" => Some(Status::Expired.as_str().to_owned()),
        _ => None,
    }
}

/// Who asked for it.
fn who<'a>(reading: &'a Reading, entry: &'a Entry) -> &'a str {
    let by = |entry: &'a Entry| entry.details.as_ref()?.by.as_deref();
    let opened = || reading.get(entry.details.as_ref()?.of?);
    by(entry).or_else(|| opened().and_then(by)).unwrap_or("the bot itself")
}

/// The Monday of the week, by UTC.
fn week(when: Timestamp) -> Option<Date> {
    let date = when.to_zoned(TimeZone::UTC).date();
    let since = i64::from(date.weekday().to_monday_zero_offset());
    date.checked_sub(Span::new().days(since)).ok()
}
