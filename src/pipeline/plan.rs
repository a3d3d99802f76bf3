//! `--plan`: what a change would send and what that rests on, without sending anything.

use jiff::Timestamp;

use super::{
    Asked,
    change::{Looked, Plan},
    fact::{fact, label},
    question::not_this,
    report::{ends_in_words, line_of},
};
use crate::{
    change::Binds,
    gate::{Demand, Terms},
    reply::{Block, Line, Reply},
};

/// What would come after the command without `--plan`.
pub(super) struct Next {
    /// What would have to be said first, where anything would.
    pub(super) terms: Option<Terms>,
    /// Whether it could be taken back, in words.
    pub(super) cost: &'static str,
    /// When it would be taken back by itself.
    pub(super) until: Option<Timestamp>,
}

/// The requests of a change in their order, and the facts that they rest on.
pub(super) fn shown(asked: &Asked<'_>, looked: &Looked, next: &Next) -> Reply {
    let ends = next.until.map(|until| ("Ends", ends_in_words(until)));
    let mut reply = Reply::data(
        Line::new()
            .plain("What ")
            .code(crate::input::shown(&without_plan(asked.words)))
            .plain(" would do. Nothing was sent"),
    )
    .facts(
        [("It", Line::from(next.cost)), ("Yes", yes_in_words(next.terms.as_ref()))]
            .into_iter()
            .chain(ends)
            .collect(),
    );
    for plan in &looked.plans {
        reply = one(reply, plan);
    }
    for (subject, skip) in &looked.skips {
        reply = reply.text(not_this(subject, skip));
    }
    reply
}

fn one(reply: Reply, plan: &Plan) -> Reply {
    let requests: Vec<String> = plan.change.steps.iter().map(line_of).collect();
    let reply = reply.text(Line::new().code(&plan.subject)).with(Block::Code(requests.join("\n")));
    let lists = [("It rests on:", &plan.seen.binds), ("It should lead to:", &plan.change.wanted)];
    lists
        .into_iter()
        .filter(|(_, binds)| !binds.is_empty())
        .fold(reply, |reply, (title, binds)| reply.with(Block::List(title.into(), facts(binds))))
}

fn facts(binds: &Binds) -> Vec<Line> {
    binds
        .iter()
        .map(|(key, value)| Line::new().plain(format!("{}: ", label(key))).line(fact(Some(value))))
        .collect()
}

fn yes_in_words(terms: Option<&Terms>) -> Line {
    let Some(terms) = terms else { return Line::from("it would run at once") };
    let how = match terms.demand {
        Demand::Yes => "any yes",
        Demand::Code => "a code",
        Demand::Phrase(_) => "a code and a phrase",
    };
    let of = match terms.others {
        0 => String::new(),
        1 => " by another operator".to_owned(),
        n => format!(" by {n} other operators"),
    };
    let totp = if terms.totp { ", and a one-time password" } else { "" };
    Line::from(format!("it would ask, for {how}{of}{totp}"))
}

fn without_plan(words: &[String]) -> Vec<String> {
    words.iter().filter(|word| *word != "--plan").cloned().collect()
}
