//! `!case stats`: how many cases there were, how they ended, and who is behind them.

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::{SignedDuration, Timestamp};

use super::fact;
use crate::{
    cases::{Case, How, State},
    commands::arguments::Since,
    error::Stop,
    pipeline::Pipeline,
    refs::without_server,
    reply::{Fact, Line, Reply, span, utc},
};

/// How many of the accused and of those who report are named.
const NAMED: usize = 5;

pub(super) fn stats(pipeline: &Pipeline, since: &Since) -> Result<Reply, Stop> {
    let since = since.before(pipeline.clock.now());
    let cases = pipeline.desk.cases();
    let mut all = cases.all()?;
    all.retain(|case| case.opened >= since || case.state.is_open());
    let (mut reporters, mut accused) = (BTreeMap::new(), BTreeMap::new());
    let (mut reports, mut aside) = (0, 0);
    for case in &all {
        for report in cases.reports(case.number)? {
            if report.at.is_some_and(|at| at < since) {
                continue;
            }
            reports += 1;
            aside += usize::from(report.aside);
            *reporters.entry(report.by.to_string()).or_insert(0_usize) += 1;
            *accused.entry(case.about.id().to_owned()).or_insert(0_usize) += 1;
        }
    }
    let own = pipeline.reader.server_name();
    let counted = |counts: BTreeMap<String, usize>| {
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| Reverse(*count));
        counts.into_iter().take(NAMED).enumerate().fold(
            Line::new(),
            |line, (place, (id, count))| {
                let gap = if place == 0 { "" } else { ", " };
                line.plain(gap).code(without_server(&id, own)).plain(format!(" {count}"))
            },
        )
    };
    let title = format!("Cases since {}: {}", utc(since), all.len());
    let mut facts = by_state(&all);
    facts.push(fact("Reports", reports));
    if aside > 0 {
        facts.push(fact("Set aside", aside));
    }
    if let Some(median) = median(&all) {
        facts.push(("Time until closed, median", span(median).into()));
    }
    if reports > 0 {
        facts.push(("Accused most", counted(accused)));
        facts.push(("Reported most", counted(reporters)));
    }
    Ok(Reply::data(title).facts(facts))
}

fn by_state(cases: &[Case]) -> Vec<Fact> {
    let closed = |wanted: How| {
        let is = |case: &&Case| matches!(case.state, State::Closed { how, .. } if how == wanted);
        cases.iter().filter(is).count()
    };
    let state = |is: fn(&State) -> bool| cases.iter().filter(|case| is(&case.state)).count();
    let counts = [
        ("New", state(|state| *state == State::New)),
        ("Claimed", state(|state| *state == State::Claimed)),
        ("Waiting", state(|state| matches!(state, State::Waiting { .. }))),
        ("Closed", closed(How::DealtWith)),
        ("Dismissed", closed(How::Dismissed)),
    ];
    counts.into_iter().filter(|(_, count)| *count > 0).map(|(label, n)| fact(label, n)).collect()
}

/// How long it took half of the cases that people have closed.
fn median(cases: &[Case]) -> Option<SignedDuration> {
    let took = |case: &Case| -> Option<SignedDuration> {
        let by_people =
            matches!(case.state, State::Closed { how: How::DealtWith | How::Dismissed, .. });
        let ended: Timestamp = case.since;
        by_people.then(|| ended.duration_since(case.opened))
    };
    let mut took: Vec<SignedDuration> = cases.iter().filter_map(took).collect();
    took.sort_unstable();
    took.get(took.len() / 2).copied()
}
