//! `!undo`: take a change back, as the change that this is.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{AsChange, Own, OwnSpec};
use crate::{
    audit::{Kept, Kind, Record},
    change::{FactMap, Subject, Undo as Way},
    commands::Action,
    error::Stop,
    operators::Operator,
    pipeline::{
        Invocation, Lane, Pipeline,
        change::{
            Executor,
            together::{Part, Together},
        },
    },
    reply::{Block, Line, Reply, Status, ago},
};

/// Undo a change; the undo is checked and confirmed like any other change
#[derive(Debug, clap::Args)]
pub(crate) struct Undo {
    /// The number of the change, as its answer shows it; without it I show your last one
    // Without it the last change is shown, and nothing is done; a number is never guessed.
    pub(super) number: Option<String>,
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Undo>("undo", &["undo 17", "undo 17 --plan"]).changing();

impl Undo {
    fn number(&self) -> Result<Option<u64>, Stop> {
        self.number.as_deref().map(|typed| number(typed, "a change", &["audit"])).transpose()
    }
}

#[async_trait]
impl Own for Undo {
    fn lane(&self) -> Lane {
        Lane::InTurn
    }

    /// What has changed many is taken back as one change of all those that it really changed.
    fn as_change(&self, executor: &Executor) -> Result<Option<AsChange>, Stop> {
        let Some(number) = self.number()? else { return Ok(None) };
        let closing = closing(executor, number)?;
        if executor.audit().undone_by(number)?.is_some() {
            return Ok(None);
        }
        let refused = |why: Line| Stop::refused(Line::new().code(format!("#{number}")).line(why));
        if closing.erased > 0 && closing.undo.is_empty() {
            return Err(refused(Line::from(
                " cannot be undone: the account has been erased since, and with it what I knew \
                about it. What is left is in the record",
            ))
            .or(&["audit", "show", &number.to_string()]));
        }
        // What does not come back by a command of its own is told part by part, by `run`.
        if not_by_itself(&closing).is_some() {
            return Ok(None);
        }
        let nothing = || refused(Line::from(" changed nothing, so there is nothing to undo"));
        if let [Way::Command(words)] = closing.undo.as_slice() {
            return taken_back(executor, number, words, closing.left).map(Some);
        }
        let rest = closing.undo.iter().find_map(|way| match way {
            Way::Parts(_, rest) => Some(rest.clone()),
            Way::Command(_) | Way::None(_) => None,
        });
        let ways = closing.left.into_iter().zip(closing.undo);
        let ways = ways.flat_map(|(left, way)| match way {
            Way::Command(words) => vec![(Some(left), words)],
            // Each part has subjects of its own.
            Way::Parts(parts, _) => parts.into_iter().map(|words| (None, words)).collect(),
            Way::None(_) => Vec::new(),
        });
        all_taken_back(executor, number, ways, rest).ok_or_else(nothing).map(Some)
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let Some(number) = self.number()? else {
            return last(pipeline, invocation.operator).map(Some);
        };
        let line = Line::new().code(format!("#{number}"));
        if let Some(by) = pipeline.audit.undone_by(number)? {
            let line = line.plain(" has already been undone, by ").code(format!("#{by}"));
            return Ok(Some(Reply::outcome(Status::NothingChanged, line)));
        }
        let closing = closing(&pipeline.executor, number)?;
        let parts = not_by_itself(&closing).map(Way::parts).unwrap_or_default();
        Ok(Some(match parts.as_slice() {
            [one] => {
                let line = line.plain(" cannot be undone: ").line(one.clone());
                Reply::outcome(Status::Refused, line)
            }
            several => {
                let line = line.plain(" cannot be undone by one command");
                Reply::outcome(Status::Refused, line)
                    .with(Block::List("What comes back, and how:".into(), several.to_vec()))
            }
        }))
    }
}

/// What comes nearest to an undo of a change that no command takes back; `None` where one does, or where
/// it changed nothing.
fn not_by_itself(closing: &Record) -> Option<&str> {
    match closing.undo.as_slice() {
        [Way::None(nearest), rest @ ..] if rest.iter().all(|way| way.commands().is_empty()) => {
            Some(nearest)
        }
        _ => None,
    }
}

/// The change that takes back the one with this number from each of these, by these words, where
/// what it left is still so, where that is given. What none of them does is the `rest`. `None` where
/// some of the words are none of this version's.
pub(super) fn all_taken_back(
    executor: &Executor,
    number: u64,
    ways: impl Iterator<Item = (Option<(Subject, FactMap)>, Vec<String>)>,
    rest: Option<String>,
) -> Option<AsChange> {
    let parts = ways.map(|(found, words)| {
        let (action, options) = executor.action(&words)?;
        Some(Part { action, verb: options.verb, found })
    });
    let together = Together::new(parts.collect::<Option<_>>()?)?.but_for(rest);
    let verb = Some(together.verb().to_owned());
    let action: Box<dyn Action> = Box::new(together);
    Some(AsChange { verb, undoes: Some(number), ..action.into() })
}

/// The change that takes back the one with this number, by these words, where what it `left` is
/// still so.
pub(super) fn taken_back(
    executor: &Executor,
    number: u64,
    words: &[String],
    left: Vec<(Subject, FactMap)>,
) -> Result<AsChange, Stop> {
    let Some((action, typed)) = executor.action(words) else {
        return Err(Stop::failed(
            Line::new()
                .code(format!("#{number}"))
                .plain(" was made by another version of me, so I cannot read its undo"),
        ));
    };
    let (words, verb) = (Some(words.to_vec()), Some(typed.verb));
    Ok(AsChange { action, words, verb, undoes: Some(number), left, ends: None })
}

/// The last change of somebody, with the line that takes it back. Where that one cannot be taken back,
/// the last one that can comes with it.
fn last(pipeline: &Pipeline, operator: &Operator) -> Result<Reply, Stop> {
    let is_theirs = |record: &Record| {
        let by = record.by.as_ref().and_then(|by| pipeline.roster.operator(by));
        record.kind == Kind::Closed && by.is_some_and(|by| by.person == operator.person)
    };
    let can_be = |record: &Record| {
        let open = |of| pipeline.audit.undone_by(of).is_ok_and(|by| by.is_none());
        record.undo.iter().any(|way| !way.commands().is_empty()) && record.of.is_some_and(open)
    };
    let find = |wanted: &dyn Fn(&Record) -> bool| {
        let found = pipeline.audit.last_where(1, |kept| {
            kept.record.as_ref().is_some_and(|record| is_theirs(record) && wanted(record))
        });
        let record = |kept: Kept| Some((kept.record?, kept.entry.at));
        found.map(|found| found.into_iter().find_map(record))
    };
    let now = pipeline.clock.now();
    let told = |record: &Record, at: Timestamp| {
        let number = record.of.unwrap_or_default();
        let line = Line::new().code(format!("#{number}")).plain(" ");
        line.command(crate::input::shown(&record.words)).plain(format!(", {}", ago(at, now)))
    };
    let Some((newest, at)) = find(&|_| true)? else {
        let reply = Reply::data("The record has no change of yours");
        return Ok(reply.command("All changes", vec!["audit".to_owned()]));
    };
    let reply = Reply::data(Line::from("Your last change is ").line(told(&newest, at)));
    if can_be(&newest) {
        return Ok(reply.command("To undo it, send", undo(&newest)));
    }
    let reply = reply.text("It has already been undone, or it cannot be undone");
    Ok(match find(&can_be)? {
        Some((older, at)) => reply
            .text(Line::from("Your last change that can be undone is ").line(told(&older, at)))
            .command("To undo that one, send", undo(&older)),
        None => reply,
    })
}

/// The command that takes back what this record closes.
fn undo(closing: &Record) -> Vec<String> {
    vec!["undo".to_owned(), closing.of.unwrap_or_default().to_string()]
}

/// Reads `17` or `#17`, the number of `what`, such as a change; `listed` are the words of the command
/// that shows those there are.
pub(super) fn number(text: &str, what: &str, listed: &[&str]) -> Result<u64, Stop> {
    let refused =
        |_| Stop::not_understood(format!("name {what} by its number, such as 17")).or(listed);
    text.trim_start_matches('#').parse().map_err(refused)
}

/// How the change with this number ended.
fn closing(executor: &Executor, number: u64) -> Result<Record, Stop> {
    let unknown = || {
        Stop::not_found(Line::new().plain("there is no change ").code(format!("#{number}")))
            .or(&["audit"])
    };
    let kept: Kept = executor.audit().get(number)?.ok_or_else(unknown)?;
    if kept.entry.kind != Kind::Opened {
        return Err(unknown());
    }
    let line = Line::new().code(format!("#{number}"));
    match executor.audit().closing(number)? {
        Some(Kept { record: Some(record), .. }) => Ok(record),
        Some(_) => Err(Stop::refused(line.plain(
            " was made so long ago that its details are gone, so I do not know how to undo it. \
            Check the current state, and set what you want by hand",
        ))),
        None => Err(Stop::refused(line.plain(" has not finished, as far as I know"))),
    }
}
