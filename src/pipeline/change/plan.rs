//! `--plan`: what a change would send and what that rests on, without sending anything.

use crate::{
    change::FactMap,
    commands::Action,
    confirm::Demand,
    gate::Terms,
    operators::Roster,
    pipeline::{
        Invocation,
        change::{
            Looked, Plan, Planned,
            fact::{fact, label},
            overview,
            report::{ends_in_words, line_of},
        },
        questions::not_this,
    },
    reply::{Block, Line, Reply},
};

/// The requests of a change in their order, and the facts that they rest on; `cost` says in words
/// whether it could be taken back.
pub(in crate::pipeline) fn shown(
    invocation: &Invocation<'_>,
    action: &dyn Action,
    planned: &Planned,
    cost: &'static str,
    roster: &Roster,
) -> Reply {
    let looked = &planned.looked;
    let ends = planned.until.map(|until| ("Ends", ends_in_words(until)));
    let mut reply = Reply::data(
        Line::new()
            .plain("What ")
            .command(crate::input::shown(&without_plan(invocation.words)))
            .plain(" would do. Nothing was sent"),
    )
    .facts(
        [("It", Line::from(cost)), ("Yes", yes_in_words(planned.terms.as_ref(), roster.read_only))]
            .into_iter()
            .chain(ends)
            .collect(),
    );
    if overview::are_many(&looked.plans) {
        return many(reply, action, looked, roster);
    }
    for plan in &looked.plans {
        reply = one(reply, plan);
    }
    if overview::are_many(&looked.skips) {
        return overview::left_out(reply, &looked.skips, roster);
    }
    for (subject, skip) in &looked.skips {
        reply = reply.text(not_this(subject, skip));
    }
    reply
}

/// The same of so many that their requests are a file.
fn many(reply: Reply, action: &dyn Action, looked: &Looked, roster: &Roster) -> Reply {
    let requests: usize = looked.plans.iter().map(|plan| plan.change.steps.len()).sum();
    let count = format!("{}, {requests} requests", looked.plans.len());
    let mut reply = reply.facts(vec![("Subjects", Line::from(count))]);
    let out = overview::stands_out(looked, roster, None);
    if !out.is_empty() {
        reply = reply.with(Block::List("What stands out:".into(), out));
    }
    let reply = overview::many(reply, action, looked);
    let reply = overview::left_out(reply, &looked.skips, roster);
    overview::with_file(reply, overview::list_requests("plan.csv", looked))
}

fn one(reply: Reply, plan: &Plan) -> Reply {
    let requests: Vec<String> = plan.change.steps.iter().map(line_of).collect();
    let reply = reply.text(Line::new().code(&plan.subject)).with(Block::Code(requests.join("\n")));
    let lists =
        [("It depends on:", &plan.seen.preconditions), ("Expected result:", &plan.change.wanted)];
    lists
        .into_iter()
        .filter(|(_, preconditions)| !preconditions.is_empty())
        .fold(reply, |reply, (title, preconditions)| {
            reply.with(Block::List(title.into(), facts(preconditions)))
        })
}

fn facts(preconditions: &FactMap) -> Vec<Line> {
    preconditions
        .iter()
        .map(|(key, value)| Line::new().plain(format!("{}: ", label(key))).line(fact(Some(value))))
        .collect()
}

fn yes_in_words(terms: Option<&Terms>, read_only: bool) -> Line {
    let held = if read_only { ", and then do nothing, since I am read-only" } else { "" };
    let Some(terms) = terms else {
        let now = if read_only {
            "it would run immediately, if I were not read-only"
        } else {
            "it would run immediately"
        };
        return Line::from(now);
    };
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
    Line::from(format!("it would ask for {how}{of}{totp}{held}"))
}

fn without_plan(words: &[String]) -> Vec<String> {
    words.iter().filter(|word| *word != "--plan").cloned().collect()
}
