//! What was done, or why it ended early, in the words of the answer.

use jiff::Timestamp;
use ruma::EventId;
use tracing::{error, warn};

use crate::{
    change::{Class, Skip, Step, Subject, Undo},
    commands::Action,
    error::Stop,
    operators::Roster,
    pipeline::{
        change::{Done, fact::Difference, overview},
        origin::request_id,
    },
    reply::{Block, Line, Reply, Status},
};

/// A request in one line for the record.
pub(in crate::pipeline) fn line_of(step: &Step) -> String {
    let method = step.method.as_str();
    let query: Vec<String> =
        step.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = step.path.parts().join("/");
    [format!("{method} /{path}"), query.join(" "), step.body.to_string()]
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
            Reply::outcome(one.outcome.status, one.outcome.title.clone())
                .facts(one.outcome.facts.clone().into_iter().chain(ends).collect())
        }
        _ => done.iter().fold(
            Reply::outcome(overall(done), format!("{} subjects", done.len())),
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
                return reply
                    .command("Undo, in part", vec!["undo".to_owned(), number.to_string()])
                    .note(Line::from("Not undone by that: ").plain(rest.clone()));
            }
            Undo::None(text) => nearest.push(text.clone()),
            Undo::Command(_) | Undo::Parts(..) => {}
        }
    }
    nearest.dedup();
    let reply = match (nearest.first(), overall(done)) {
        (Some(text), Status::Done | Status::DoneInPart) => {
            reply.note(Line::new().plain("No undo: ").plain(text.clone()))
        }
        _ => reply,
    };
    reply.note(Line::new().plain("On record as ").code(format!("#{number}")))
}

/// The answer where there is nothing to do to anything.
pub(in crate::pipeline) fn skipped(skips: &[(Subject, Skip)], roster: &Roster) -> Reply {
    if overview::are_many(skips) {
        let reply = Reply::outcome(Status::NothingChanged, format!("{} subjects", skips.len()));
        let reply = reply.with(Block::List(
            "Nothing was done to any of them:".into(),
            overview::by_reason(skips, roster),
        ));
        return overview::with_file(reply, overview::list_left_out("left-out.csv", skips));
    }
    let mut reply = match skips {
        [] => Reply::outcome(Status::NothingChanged, "there is nothing that this is about"),
        [(_, skip)] => Reply::outcome(skip.status, skip.why.clone()),
        several => several.iter().fold(
            Reply::outcome(Status::NothingChanged, format!("{} subjects", several.len())),
            |reply, (_, skip)| {
                reply.text(
                    Line::new().strong(skip.status.as_str()).plain(" · ").line(skip.why.clone()),
                )
            },
        ),
    };
    for (_, skip) in skips {
        for command in &skip.instead {
            reply = reply.note(Line::new().plain("Try ").code(format!("!{command}")));
        }
    }
    reply
}

/// Why an undo does not take something back.
pub(in crate::pipeline) fn not_as_left(difference: &Difference) -> Stop {
    Stop::refused(
        Line::new()
            .plain("it is not as that change left it: ")
            .line(difference.line())
            .plain(". Look at it, and say what you want it to be"),
    )
}

pub(in crate::pipeline) fn rehearsed(words: &[String], held: Option<Line>) -> Reply {
    if let Some(why) = held {
        return Reply::outcome(Status::NothingChanged, why);
    }
    Reply::outcome(
        Status::NothingChanged,
        Line::new()
            .code(crate::input::shown(words))
            .plain(" would be done now, but I am read-only, so nothing was sent"),
    )
    .note(Line::new().code("read_only: false").plain(" in the config lets me act"))
}

/// When a change is taken back by itself.
pub(in crate::pipeline) fn ends_in_words(until: Timestamp) -> Line {
    Line::from("by itself, ").at(until)
}

/// Whether a change of this class could be taken back, in words. What is asked only because it is
/// about several, or because somebody who was named is left out, still could.
pub(in crate::pipeline) fn cost_in_words(class: Class, action: &dyn Action) -> &'static str {
    let class = if class == Class::Disruptive { action.class(1) } else { class };
    match class {
        Class::Reversible => "can be undone",
        Class::Disruptive => "cannot be put back as it was",
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
