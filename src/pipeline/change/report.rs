//! What was done, or why it ended early, in the words of the answer.

use jiff::Timestamp;
use ruma::EventId;
use tracing::{error, warn};

use crate::{
    change::{Class, Outcome, Skip, Step, Subject, Undo, set_in_full},
    commands::Action,
    error::Stop,
    operators::Roster,
    pipeline::{
        change::{Done, fact::Difference, overview},
        origin::request_id,
    },
    reply::{Block, Fact, Line, Reply, Span, Status},
};

/// A request in one line for the record.
pub(in crate::pipeline) fn line_of(step: &Step) -> String {
    let method = step.method.as_str();
    let query: Vec<String> =
        step.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = step.path.parts().join("/");
    let bearer = step.bearer.as_ref().map(|slot| format!("with the {slot}")).unwrap_or_default();
    [format!("{method} /{path}"), query.join(" "), step.body.to_string(), bearer]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

pub(in crate::pipeline) fn overall(done: &[Done]) -> Status {
    let words: Vec<Status> = done.iter().map(|one| one.outcome.status).collect();
    match words.as_slice() {
        [] => Status::NothingChanged,
        [first, rest @ ..] if rest.iter().all(|word| word == first) => *first,
        several if several.contains(&Status::Unknown) => Status::Unknown,
        _ => Status::DoneInPart,
    }
}

/// The answer about what was done.
pub(in crate::pipeline) fn report(
    number: u64,
    until: Option<Timestamp>,
    done: &[Done],
    skips: &[(Subject, Skip)],
    roster: &Roster,
) -> Reply {
    let mut reply = match done {
        [one] => {
            let ends = until.filter(|_| one.outcome.status == Status::Done);
            let ends = ends.map(|until| ("Ends", ends_in_words(until)));
            let (title, facts) = named(one);
            Reply::outcome(one.outcome.status, title).facts(facts.into_iter().chain(ends).collect())
        }
        _ => done.iter().fold(
            Reply::outcome(overall(done), set_in_full(done.iter().map(|one| &one.subject))),
            |reply, one| {
                reply.text(
                    Line::new()
                        .strong(one.outcome.status.as_str())
                        .plain(" · ")
                        .line(one.outcome.title.clone()),
                )
            },
        ),
    };
    let remains: Vec<_> = done.iter().flat_map(|one| one.outcome.remains.clone()).collect();
    if !remains.is_empty() {
        reply = reply.with(Block::Commands(remains));
    }
    if overview::are_many(skips) {
        reply = overview::left_out(reply, skips, roster);
        reply = overview::with_file(reply, overview::list_left_out("left-out.csv", skips));
        return undo_line(reply, number, done);
    }
    for (subject, skip) in skips {
        reply = reply.text(
            Line::new()
                .strong("Skipped")
                .plain(" · ")
                .code(subject)
                .plain(": ")
                .line(skip.why.clone()),
        );
    }
    undo_line(reply, number, done)
}

/// What was done to one, with its name behind its id, and what else is told of it.
fn named(one: &Done) -> (Line, Vec<Fact>) {
    let Outcome { title, facts, .. } = &one.outcome;
    let whole = one.subject.to_string();
    let is_name = |(label, value): &&Fact| {
        *label == "Name"
            && matches!(one.subject, Subject::User(_) | Subject::Room(_))
            && matches!(value.0.as_slice(), [Span::Hostile(name)] if !name.is_empty())
    };
    match facts.iter().find(is_name) {
        Some((_, name)) if title.names(&whole) => {
            let with_name = Line::new().code(&whole).plain(" ").line(name.clone());
            let others = facts.iter().filter(|fact| !is_name(fact)).cloned().collect();
            (title.clone().with_code(&whole, with_name), others)
        }
        _ => (title.clone(), facts.clone()),
    }
}

/// Says what does not come back, part by part where there are several.
pub(in crate::pipeline) fn not_undone(reply: Reply, head: &'static str, text: &str) -> Reply {
    match Undo::parts(text).as_slice() {
        [one] => reply.note(Line::from(head).plain(" ").line(one.clone())),
        several => reply.with(Block::List(head.into(), several.to_vec())),
    }
}

fn undo_line(reply: Reply, number: u64, done: &[Done]) -> Reply {
    let mut nearest = Vec::new();
    for one in done {
        match &one.outcome.undo {
            Undo::Command(_) if matches!(one.outcome.status, Status::Done | Status::DoneInPart) => {
                return reply.command("Undo", vec!["undo".to_owned(), number.to_string()]);
            }
            Undo::Parts(_, rest)
                if matches!(one.outcome.status, Status::Done | Status::DoneInPart) =>
            {
                let undo = vec!["undo".to_owned(), number.to_string()];
                return not_undone(reply.command("Undo, in part", undo), "Not undone:", rest);
            }
            Undo::None(text) => nearest.push(text.clone()),
            Undo::Command(_) | Undo::Parts(..) => {}
        }
    }
    nearest.dedup();
    let reply = match (nearest.first(), overall(done)) {
        (Some(text), Status::Done | Status::DoneInPart) => not_undone(reply, "No undo:", text),
        _ => reply,
    };
    reply.note(Line::new().plain("On record as ").code(format!("#{number}")))
}

/// The answer where there is nothing to do to anything.
pub(in crate::pipeline) fn skipped(skips: &[(Subject, Skip)], roster: &Roster) -> Reply {
    if overview::are_many(skips) {
        let all = set_in_full(skips.iter().map(|(subject, _)| subject));
        let reply = Reply::outcome(Status::NothingChanged, all);
        let reply = reply.with(Block::List(
            "Nothing was done to any of them:".into(),
            overview::by_reason(skips, roster),
        ));
        return overview::with_file(reply, overview::list_left_out("left-out.csv", skips));
    }
    let mut reply = match skips {
        [] => Reply::outcome(Status::NothingChanged, "nothing matches"),
        [(_, skip)] => Reply::outcome(skip.status, skip.why.clone()),
        several => several.iter().fold(
            Reply::outcome(
                Status::NothingChanged,
                set_in_full(several.iter().map(|(subject, _)| subject)),
            ),
            |reply, (_, skip)| {
                reply.text(
                    Line::new().strong(skip.status.as_str()).plain(" · ").line(skip.why.clone()),
                )
            },
        ),
    };
    for (_, skip) in skips {
        for command in &skip.instead {
            reply = reply.note(Line::new().plain("Try ").command(format!("!{command}")));
        }
    }
    reply
}

/// Why an undo does not take something back.
pub(in crate::pipeline) fn not_as_left(difference: &Difference) -> Stop {
    Stop::refused(
        Line::new()
            .plain("it has changed since: ")
            .line(difference.line())
            .plain(". Check it, and set what you want by hand"),
    )
}

pub(in crate::pipeline) fn rehearsed(words: &[String], held: Option<Line>) -> Reply {
    if let Some(why) = held {
        return Reply::outcome(Status::NothingChanged, why);
    }
    Reply::outcome(
        Status::NothingChanged,
        Line::new()
            .command(crate::input::shown(words))
            .plain(" would run now, but I am read-only, so nothing was sent"),
    )
    .note(Line::new().code("read_only: false").plain(" in the config lets me make changes"))
}

/// When a change is taken back by itself.
pub(in crate::pipeline) fn ends_in_words(until: Timestamp) -> Line {
    Line::from("by itself, ").at(until)
}

/// Whether a change of this class could be taken back, in words. What is asked only because it is
/// about several, or because somebody who was named is left out, still could.
pub(in crate::pipeline) fn cost_in_words(class: Class, action: &dyn Action) -> &'static str {
    let class = match class {
        Class::Disruptive if action.is_one_measure() => Class::Reversible,
        Class::Disruptive => action.class(1),
        other => other,
    };
    match class {
        Class::Reversible => "can be undone",
        Class::Disruptive => "cannot be restored as it was",
        Class::Irreversible => "cannot be undone",
    }
}

/// Says why what this message asks for ended early, and logs the causes under its short id.
pub(in crate::pipeline) fn stopped(event: &EventId, stop: &Stop) -> Reply {
    let incident = request_id(event);
    let cause = stop as &dyn std::error::Error;
    match stop {
        Stop::Refused { .. } => {}
        Stop::Store(_) => error!(%incident, error = cause, "the store cannot be used"),
        Stop::Record(_) => error!(%incident, error = cause, "the record cannot be written"),
        Stop::Api(_) | Stop::NotShown { .. } | Stop::Disk(_) => {
            warn!(%incident, error = cause, "a command ended early");
        }
    }
    stop.reply(&incident)
}
