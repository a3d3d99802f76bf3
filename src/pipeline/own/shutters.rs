//! `!shutters`: disable all registration tokens for a time, and enable them again as they were.
//!
//! What was disabled is kept as the sanctions that it imposed, one a token: what it left, what takes it
//! back, and when. They survive a restart and a lost store, and end by themselves.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{AsChange, Own, OwnSpec, audit::who, undo::number};
use crate::{
    audit::Audit,
    change::{Power, Subject},
    commands::{Action, Ends, arguments::Lasting, regtok::Disable},
    error::Stop,
    pipeline::{Invocation, Lane, Pipeline, change::Executor},
    reply::{Line, Reply, Status},
    sanctions::{Sanction, Sanctions, State},
    store,
};
use enable::{Enable, Part};

mod enable;
mod status;

/// The longest for which they are closed by one command.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Disable all registration tokens for a time, as during a raid, and enable them again as they were
///
/// Without more I show whether they are closed, and how people can register all the same.
#[derive(Debug, clap::Args)]
pub(crate) struct Shutters {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum What {
    /// Show whether they are closed, by whom, until when, and how people can register all the same
    Status,
    /// Disable each registration token that can be used now; I enable them again after that time
    Close {
        /// For how long, such as 12h or 2d; at most 7d
        #[arg(long = "for", value_name = "TIME", default_value = "12h")]
        lasting: Lasting,
    },
    /// Enable the tokens again now, each as it was; one that somebody changed meanwhile stays as it is
    Open {
        /// The number of the change that closed them; without one, all that are closed
        numbers: Vec<String>,
    },
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Shutters>(
    "shutters",
    &[
        "shutters",
        "shutters close --for 12h",
        "shutters close --for 2d --reason \"wave of spam accounts\"",
        "shutters open",
        "shutters status",
    ],
)
.changing();

#[async_trait]
impl Own for Shutters {
    fn lane(&self) -> Lane {
        match self.what {
            None | Some(What::Status) => Lane::Beside,
            Some(What::Close { .. } | What::Open { .. }) => Lane::InTurn,
        }
    }

    fn power(&self) -> Option<Power> {
        // Whoever reads a token can make an account with it.
        Some(Power::Account)
    }

    fn as_change(&self, executor: &Executor) -> Result<Option<AsChange>, Stop> {
        match &self.what {
            None | Some(What::Status) => Ok(None),
            Some(What::Close { lasting }) => close(executor, lasting).map(Some),
            Some(What::Open { numbers }) => open(executor, numbers),
        }
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        match &self.what {
            None | Some(What::Status) if invocation.options.is_empty() => {
                status::shown(pipeline).await.map(Some)
            }
            None | Some(What::Status) => Err(Stop::not_understood(
                "this only looks, and an option of a change came with it. To disable the tokens, send",
            )
            .or(&["shutters", "close", "--for", "12h"])),
            // To close is a change; to open is none only where nothing is closed.
            Some(What::Close { .. } | What::Open { .. }) => Ok(Some(
                Reply::outcome(Status::NothingChanged, "the shutters are open: I have no token disabled")
                    .command("To see what can be used", words(&["shutters", "status"])),
            )),
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Disables all tokens that can be used now.
fn close(executor: &Executor, lasting: &Lasting) -> Result<AsChange, Stop> {
    let now = executor.now();
    let until = lasting.after(now).filter(|until| *until <= now + LONGEST).ok_or_else(|| {
        Stop::not_understood("at most 7 days; close them again then, or close them for longer with")
            .or(&["sanction", "extend", "17", "--for", "7d"])
    })?;
    let before = before(&imposed(executor)?, executor);
    let action: Box<dyn Action> = Box::new(Disable::new(until, before));
    let typed = words(&["shutters", "close", "--for", lasting.typed()]);
    let ends = Some(Ends::After(lasting.clone()));
    Ok(AsChange { words: Some(typed), ends, ..action.into() })
}

/// What closed them before, and until when that lasts: the longest of several.
fn before(imposed: &[Sanction], executor: &Executor) -> Option<Line> {
    let running = imposed.iter().filter(|sanction| sanction.state.is_open());
    let last = running.max_by_key(|sanction| (sanction.until, sanction.number))?;
    let number = last.number;
    Some(
        Line::new()
            .at(last.until)
            .plain(", ")
            .code(format!("#{number}"))
            .plain(" by ")
            .line(who(Some(&last.by), executor.bot().server_name()))
            .plain("; for longer, send ")
            .command(format!("!sanction extend {number} --for 12h")),
    )
}

/// Enables those again that these changes have disabled; `None` where none has.
fn open(executor: &Executor, typed: &[String]) -> Result<Option<AsChange>, Stop> {
    let numbers = if typed.is_empty() {
        standing(&imposed(executor)?)
    } else {
        let read = |typed: &String| number(typed, "a change", &["shutters", "status"]);
        typed.iter().map(read).collect::<Result<BTreeSet<u64>, Stop>>()?
    };
    let mut parts: BTreeMap<Subject, Part> = BTreeMap::new();
    for &number in &numbers {
        let sanctions = executor.sanctions().of(number)?;
        let mut closed = sanctions.into_iter().filter(is_closing).peekable();
        if closed.peek().is_none() {
            let line = Line::new().code(format!("#{number}")).plain(" has disabled no tokens");
            return Err(Stop::not_found(line).or(&["shutters", "status"]));
        }
        for sanction in closed {
            // One that was disabled twice is as the later change left it.
            parts.insert(sanction.subject.clone(), part(executor, sanction)?);
        }
    }
    let Some(&first) = numbers.first() else { return Ok(None) };
    let mut pinned = words(&["shutters", "open"]);
    // The list stays what it is while a job goes through it.
    pinned.extend(numbers.iter().map(u64::to_string));
    let action: Box<dyn Action> = Box::new(Enable::new(parts));
    let undoes = Some(first).filter(|_| numbers.len() == 1);
    Ok(Some(AsChange { words: Some(pinned), undoes, ..action.into() }))
}

/// How one token is enabled again.
fn part(executor: &Executor, sanction: Sanction) -> Result<Part, Stop> {
    let (action, _) = executor.action(&sanction.undo).ok_or_else(|| {
        Stop::failed(Line::new().code(&sanction.subject).plain(
            " was disabled by another version of me, so I cannot read how to enable it again",
        ))
    })?;
    Ok(Part { left: sanction.left, action })
}

/// The numbers of the changes to be taken back: those that still go on, or else those whose end was
/// left to the operators.
fn standing(imposed: &[Sanction]) -> BTreeSet<u64> {
    let of = |wanted: fn(State) -> bool| {
        let these = imposed.iter().filter(|sanction| wanted(sanction.state));
        these.map(|sanction| sanction.number).collect::<BTreeSet<u64>>()
    };
    let running = of(State::is_open);
    if running.is_empty() { of(|state| state == State::Stuck) } else { running }
}

/// What was disabled and has not been enabled again.
fn imposed(executor: &Executor) -> Result<Vec<Sanction>, Stop> {
    let mut left = executor.sanctions().not_ended()?;
    left.retain(is_closing);
    Ok(left)
}

/// Since when tokens are disabled by the shutters, where they are now.
pub(in crate::pipeline) fn closed_since(
    sanctions: &Sanctions,
    audit: &Audit,
) -> Result<Option<Timestamp>, store::Error> {
    let open = sanctions.open()?.into_iter();
    let Some(first) = open.filter(is_closing).map(|sanction| sanction.number).min() else {
        return Ok(None);
    };
    Ok(audit.get(first)?.map(|kept| kept.entry.at))
}

/// Whether it is a token that these shutters have disabled.
fn is_closing(sanction: &Sanction) -> bool {
    matches!(sanction.words.as_slice(), [first, second, ..] if first == "shutters" && second == "close")
}
