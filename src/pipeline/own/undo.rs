//! `!undo`: take a change back, as the change that this is.

use async_trait::async_trait;

use super::{AsChange, Own, OwnSpec};
use crate::{
    audit::{Audit, Kept, Kind, Record},
    change::{FactMap, Subject, Undo as Way},
    commands::Action,
    error::Stop,
    pipeline::{
        Invocation, Lane, Pipeline,
        change::{
            Executor,
            together::{Part, Together},
        },
    },
    reply::{Line, Reply, Status},
};

/// Take back a change: what it does is weighed and asked like any other
#[derive(Debug, clap::Args)]
pub(crate) struct Undo {
    /// The number of the change, as its answer shows it
    // Asked for below, where the last change can be named; a number is never guessed.
    pub(super) number: Option<String>,
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Undo>("undo", &["undo 17", "undo 17 --plan"]).changing();

impl Undo {
    fn number(&self, audit: &Audit) -> Result<u64, Stop> {
        match &self.number {
            Some(typed) => number(typed, "a change", &["audit"]),
            None => Err(without_number(audit)?),
        }
    }
}

#[async_trait]
impl Own for Undo {
    fn lane(&self) -> Lane {
        Lane::InTurn
    }

    /// What has changed many is taken back as one change of all those that it really changed.
    fn as_change(&self, executor: &Executor) -> Result<Option<AsChange>, Stop> {
        let number = self.number(executor.audit())?;
        let closing = closing(executor, number)?;
        if executor.audit().undone_by(number)?.is_some() {
            return Ok(None);
        }
        let refused = |why: Line| Stop::refused(Line::new().code(format!("#{number}")).line(why));
        if closing.erased > 0 && closing.undo.is_empty() {
            return Err(refused(Line::from(
                " cannot be taken back: whoever it was about has been erased since, and what I knew \
                 of them with that. What is left of it stands in the record",
            ))
            .or(&["audit", "show", &number.to_string()]));
        }
        let nothing = || refused(Line::from(" changed nothing to take back"));
        match closing.undo.as_slice() {
            [Way::Command(words)] => taken_back(executor, number, words, closing.left).map(Some),
            [Way::None(nearest), rest @ ..] if rest.iter().all(|way| way.commands().is_empty()) => {
                Err(refused(Line::from(" cannot be taken back: ").plain(nearest.clone())))
            }
            _ => {
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
        }
    }

    async fn run(&self, pipeline: &Pipeline, _: &Invocation<'_>) -> Result<Option<Reply>, Stop> {
        let number = self.number(&pipeline.audit)?;
        let line = Line::new().code(format!("#{number}")).plain(" has been taken back already");
        let line = match pipeline.audit.undone_by(number)? {
            Some(by) => line.plain(", by ").code(format!("#{by}")),
            None => line,
        };
        Ok(Some(Reply::outcome(Status::NothingChanged, line)))
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
        return Err(Stop::refused(
            Line::new()
                .code(format!("#{number}"))
                .plain(" was made by another version of me, which wrote its undo differently"),
        ));
    };
    let (words, verb) = (Some(words.to_vec()), Some(typed.verb));
    Ok(AsChange { action, words, verb, undoes: Some(number), left })
}

/// What to say where no number was typed: it names the last change that can be taken back.
fn without_number(audit: &Audit) -> Result<Stop, Stop> {
    let why = "say which change: its number stands in its answer";
    let last = audit.last_where(1, |kept| {
        let Some(record) = &kept.record else { return false };
        let open = |of| audit.undone_by(of).is_ok_and(|by| by.is_none());
        record.undo.iter().any(|way| !way.commands().is_empty()) && record.of.is_some_and(open)
    })?;
    let Some(Record { of: Some(of), words, .. }) = last.into_iter().find_map(|kept| kept.record)
    else {
        return Ok(Stop::not_understood(why).or(&["audit"]));
    };
    let line = Line::from(why).plain(". The last that can be taken back is ");
    let line = line.code(format!("#{of}")).plain(", ").code(crate::input::shown(&words));
    Ok(Stop::not_understood(line).or(&["undo", &of.to_string()]))
}

/// Reads `17` or `#17`, the number of `what`, such as a change; `listed` are the words of the command
/// that shows those there are.
pub(super) fn number(text: &str, what: &str, listed: &[&str]) -> Result<u64, Stop> {
    let refused = |_| Stop::not_understood(format!("{what} has a number, such as 17")).or(listed);
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
            " was made so long ago that its details are gone, so I do not know how to take it back. \
             Look at what it was about, and say what you want it to be",
        ))),
        None => Err(Stop::refused(line.plain(" has not ended, as far as I know"))),
    }
}
