//! `--plan`: what a change would send and what that rests on, without sending anything.

use jiff::Timestamp;

use super::{
    Asked,
    change::{Looked, Plan},
    fact::{fact, label},
    report::{class_in_words, ends_in_words, line_of},
};
use crate::{
    change::{Binds, Class},
    gate::Demand,
    reply::{Block, Line, Reply},
};

/// What would come after the command without `--plan`.
pub(super) struct Next {
    /// How yes would have to be said, where it would.
    pub(super) demand: Option<Demand>,
    /// The class of the whole change.
    pub(super) class: Class,
    /// When it would be taken back by itself.
    pub(super) until: Option<Timestamp>,
}

/// The requests of a change in their order, and the facts that they rest on.
pub(super) fn shown(asked: &Asked<'_>, looked: &Looked, next: &Next) -> Reply {
    let ends = next.until.map(|until| ("Ends", ends_in_words(until)));
    let mut reply = Reply::data(
        Line::new()
            .plain("What ")
            .code(crate::input::quote(&without_plan(asked.words)))
            .plain(" would do. Nothing was sent"),
    )
    .facts(
        [
            ("It", Line::from(class_in_words(next.class))),
            ("Yes", Line::from(yes_in_words(next.demand.as_ref()))),
        ]
        .into_iter()
        .chain(ends)
        .collect(),
    );
    for plan in &looked.plans {
        reply = one(reply, plan);
    }
    for (subject, skip) in &looked.skips {
        reply = reply
            .text(Line::new().plain("Left out: ").code(subject).plain(": ").line(skip.why.clone()));
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

fn yes_in_words(demand: Option<&Demand>) -> &'static str {
    match demand {
        None => "it would run at once",
        Some(Demand::Yes) => "it would ask, for any yes",
        Some(Demand::Code) => "it would ask, for a code",
        Some(Demand::Phrase(_)) => "it would ask, for a code and a phrase",
    }
}

fn without_plan(words: &[String]) -> Vec<String> {
    words.iter().filter(|word| *word != "--plan").cloned().collect()
}
