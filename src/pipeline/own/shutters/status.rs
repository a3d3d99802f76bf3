//! `!shutters status`: whether they are closed, and how people can register all the same.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{imposed, words};
use crate::{
    change::{FactMap, Subject},
    commands::regtok::{Ways, not_stopped, states},
    error::Stop,
    pipeline::{Pipeline, own::audit::who},
    reply::{Block, Line, Reply},
    sanctions::{Sanction, State},
};

/// What else the bot does while they are closed.
const TOLD: &str = "While they are closed I tell new accounts in the first admin room";

/// How many tokens are named.
const NAMED: usize = 20;

/// What has become of a token since it was disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    /// It is as it was left.
    Disabled,
    /// Somebody has changed it.
    Changed,
    /// It was deleted.
    Gone,
}

/// The tokens of the homeserver, each with its facts and whether it can be used.
type States = BTreeMap<String, (FactMap, bool)>;

pub(super) async fn shown(pipeline: &Pipeline) -> Result<Reply, Stop> {
    let reader = pipeline.reader.look();
    let states: States = states(&reader)
        .await?
        .into_iter()
        .map(|(name, facts, usable)| (name, (facts, usable)))
        .collect();
    let closed = imposed(&pipeline.executor)?;
    let ways = Ways::of(&reader).await;
    let usable = states.values().filter(|(_, usable)| *usable).count();
    let of = |wanted: Now| -> Vec<&Subject> {
        let these = closed.iter().filter(|sanction| now(sanction, &states) == wanted);
        these.map(|sanction| &sanction.subject).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let disabled = of(Now::Disabled);
    let mut reply = Reply::data(title(disabled.len(), usable));
    for number in closed.iter().map(|sanction| sanction.number).collect::<BTreeSet<u64>>() {
        let of: Vec<&Sanction> =
            closed.iter().filter(|sanction| sanction.number == number).collect();
        let is_disabled = |sanction: &&&Sanction| now(sanction, &states) == Now::Disabled;
        if let Some(first) = of.iter().find(is_disabled) {
            reply = reply.text(closing(pipeline, first)?);
        }
    }
    reply = named(reply, "Disabled", &disabled);
    reply = named(reply, "Changed by somebody since, which I leave alone", &of(Now::Changed));
    reply = named(reply, "Deleted since", &of(Now::Gone));
    reply = reply.with(Block::List("What this does not stop:".into(), not_stopped(ways)));
    if closed.iter().any(|sanction| sanction.state.is_open()) {
        reply = reply.text(TOLD);
    }
    Ok(reply.with(Block::Commands(ways_on(&disabled, usable, &closed))))
}

fn title(disabled: usize, usable: usize) -> Line {
    let tokens = |n: usize| match n {
        0 => "no registration token".to_owned(),
        1 => "one registration token".to_owned(),
        n => format!("{n} registration tokens"),
    };
    match (disabled, usable) {
        (0, usable) => {
            Line::new().strong("Open").plain(format!(": {} can be used", tokens(usable)))
        }
        (disabled, 0) => {
            let is = if disabled == 1 { "is" } else { "are" };
            Line::new().strong("Closed").plain(format!(": {} {is} disabled", tokens(disabled)))
        }
        (disabled, usable) => Line::new()
            .strong("Closed in part")
            .plain(format!(": {} disabled, {usable} can be used", tokens(disabled))),
    }
}

/// Who closed them, when, and when they are opened again.
fn closing(pipeline: &Pipeline, sanction: &Sanction) -> Result<Line, Stop> {
    let (moment, own) = (pipeline.clock.now(), pipeline.reader.server_name());
    let since: Option<Timestamp> = pipeline.audit.get(sanction.number)?.map(|kept| kept.entry.at);
    let line = Line::from("Closed ")
        .ago(since, moment)
        .plain(" by ")
        .line(who(Some(&sanction.by), own))
        .plain(", ")
        .code(format!("#{}", sanction.number));
    Ok(match sanction.state {
        State::Running => line.plain("; opens by itself ").at(sanction.until),
        State::Waiting => line.plain("; due to open, and waits until I may make changes again"),
        State::Stuck | State::Ended(_) => {
            line.plain("; was due to open, and I could not do it: open them yourself")
        }
    })
}

fn named(reply: Reply, head: &str, tokens: &[&Subject]) -> Reply {
    if tokens.is_empty() {
        return reply;
    }
    let line = Line::from(format!("{head}: "));
    let line = tokens
        .iter()
        .take(NAMED)
        .enumerate()
        .fold(line, |line, (n, token)| line.plain(if n == 0 { "" } else { ", " }).code(token));
    reply.text(match tokens.len().saturating_sub(NAMED) {
        0 => line,
        more => line.plain(format!(" and {more} more")),
    })
}

/// What can be sent next.
fn ways_on(disabled: &[&Subject], usable: usize, closed: &[Sanction]) -> Vec<(Line, Vec<String>)> {
    let close = words(&["shutters", "close", "--for", "12h"]);
    if disabled.is_empty() {
        return vec![("Close them".into(), close)];
    }
    let mut ways = vec![("Open them again".into(), words(&["shutters", "open"]))];
    let running = closed.iter().filter(|sanction| sanction.state.is_open());
    let mut numbers: Vec<u64> = running.map(|sanction| sanction.number).collect();
    numbers.dedup();
    for number in numbers {
        let number = number.to_string();
        let longer = words(&["sanction", "extend", &number, "--for", "12h"]);
        ways.push(("Keep them closed for longer".into(), longer));
    }
    if usable > 0 {
        ways.push(("Close the others too".into(), close));
    }
    ways
}

/// What has become of it.
fn now(sanction: &Sanction, states: &States) -> Now {
    match states.get(&sanction.subject.typed()) {
        None => Now::Gone,
        Some((facts, _)) if sanction.is_ended_by(facts) => Now::Changed,
        Some(_) => Now::Disabled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_whether_somebody_can_still_register_with_a_token() {
        for (disabled, usable, told) in [
            (0, 0, "Open: no registration token can be used"),
            (0, 2, "Open: 2 registration tokens can be used"),
            (1, 0, "Closed: one registration token is disabled"),
            (3, 0, "Closed: 3 registration tokens are disabled"),
            (3, 1, "Closed in part: 3 registration tokens disabled, 1 can be used"),
        ] {
            assert_eq!(title(disabled, usable).text(), told);
        }
    }
}
