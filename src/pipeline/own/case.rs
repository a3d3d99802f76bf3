//! `!case`: what was reported, gathered by whom it is about.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::OwnedUserId;

use super::{Own, OwnSpec};
use crate::{
    cases::{Case, How, State},
    change::{Power, Subject},
    commands::arguments::{Lasting, Since, UserRef},
    error::Stop,
    pipeline::{
        Invocation, Lane, Pipeline, Said,
        desk::{self, Decision, Which},
        look::reader_for,
    },
    reply::{Block, Fact, IdsOf, Line, Reply, Status, span},
};

mod stats;

/// How many cases are listed at most.
const MOST: u16 = 100;

/// Show cases: reports, gathered by the account, room or event that they are about
///
/// In the thread of a case its number can be left out. `claim`, `close`, `dismiss` and `snooze` decide
/// about one.
#[derive(Debug, clap::Args)]
pub(crate) struct Cases {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the open cases, the last opened first
    List(List),
    /// Show one case as it is now
    Show {
        /// Its number; not needed in its thread
        case: Option<String>,
    },
    /// Deal with a case yourself, as claim does
    Claim(super::claim::Claim),
    /// Stop dealing with a case, so that another operator can claim it
    Release {
        /// Its number; not needed in its thread
        case: Option<String>,
    },
    /// Open a closed case again
    Reopen {
        /// Its number; not needed in its thread
        case: Option<String>,
    },
    /// Count cases and reports: how they ended, how long it took, who was reported and who reports most
    Stats {
        /// From when on: a date, or an age such as 30d
        #[arg(long, value_name = "WHEN", default_value = "30d")]
        since: Since,
    },
    /// Open cases for reports from before I watched them
    Import {
        /// From when on: a date, or an age such as 7d
        #[arg(long, value_name = "WHEN")]
        since: Since,
    },
    /// Stop counting the reports of somebody who abuses them; cases with no other report are closed
    ///
    /// Their reports are kept, and `case count` counts them again.
    SetAside {
        /// Whose reports
        reporter: UserRef,
        /// For how long, such as 3d
        #[arg(long = "for", value_name = "TIME", default_value = "7d")]
        lasting: Lasting,
    },
    /// Count somebody's reports again
    Count {
        /// Whose reports
        reporter: UserRef,
    },
}

#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is typed or not")]
struct List {
    /// Only open cases; this is the default
    #[arg(long, conflicts_with = "all")]
    open: bool,
    /// Closed cases too
    #[arg(long)]
    all: bool,
    /// Only cases that you have claimed
    #[arg(long)]
    mine: bool,
    /// The first opened first
    #[arg(long)]
    oldest: bool,
    /// Only cases with a report by this account
    #[arg(long, value_name = "USER")]
    by: Option<UserRef>,
    /// Only cases about this account
    #[arg(long, value_name = "USER")]
    on: Option<UserRef>,
    /// How many
    #[arg(short, long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=100))]
    limit: u16,
}

impl Default for List {
    fn default() -> Self {
        let (open, all, mine, oldest) = Default::default();
        Self { open, all, mine, oldest, by: None, on: None, limit: MOST }
    }
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Cases>(
    "case",
    &[
        "case list",
        "case list --mine",
        "case list --on @eve:example.org --all",
        "case show 12",
        "case release 12",
        "case reopen 12",
        "case stats --since 30d",
        "case import --since 7d",
        "case set-aside @troll:example.org --for 7d",
        "case count @troll:example.org",
    ],
)
.listing();

#[async_trait]
impl Own for Cases {
    fn lane(&self) -> Lane {
        match self.what {
            None | Some(What::List(_) | What::Show { .. } | What::Stats { .. }) => Lane::Beside,
            Some(_) => Lane::InTurn,
        }
    }

    fn power(&self) -> Option<Power> {
        Some(match self.lane() {
            Lane::Beside => Power::Look,
            _ => Power::Moderate,
        })
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let Some(what) = &self.what else {
            return list(pipeline, invocation, &List::default()).map(Some);
        };
        match what {
            What::List(wanted) => list(pipeline, invocation, wanted),
            What::Show { case } => {
                let which = which(invocation, case.as_deref())?;
                show(pipeline, invocation, &which).await
            }
            What::Claim(claim) => return claim.run(pipeline, invocation).await,
            What::Release { case } => {
                let which = which(invocation, case.as_deref())?;
                return decide(pipeline, invocation, &which, &Decision::Release).await;
            }
            What::Reopen { case } => {
                let which = which(invocation, case.as_deref())?;
                return decide(pipeline, invocation, &which, &Decision::Reopen).await;
            }
            What::Stats { since } => stats::stats(pipeline, since),
            What::Import { since } => {
                served(pipeline)?;
                pipeline.may_lead_to_a_change(invocation).await?;
                let since = since.before(pipeline.clock.now());
                pipeline.desk.import(since, noted(invocation)).await
            }
            What::SetAside { reporter, lasting } => {
                set_aside(pipeline, invocation, reporter, lasting).await
            }
            What::Count { reporter } => {
                let reporter = named(pipeline, invocation, reporter)?;
                pipeline.may_lead_to_a_change(invocation).await?;
                pipeline.desk.count_again(&reporter, noted(invocation)).await
            }
        }
        .map(Some)
    }
}

async fn set_aside(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    reporter: &UserRef,
    lasting: &Lasting,
) -> Result<Reply, Stop> {
    let reporter = named(pipeline, invocation, reporter)?;
    let until = ahead(lasting, pipeline.clock.now())?;
    pipeline.may_lead_to_a_change(invocation).await?;
    let by = &invocation.operator.user;
    pipeline.desk.set_aside(reporter, until, by, noted(invocation)).await
}

/// A record of what is decided about a case.
pub(super) fn noted(invocation: &Invocation<'_>) -> crate::audit::Record {
    invocation.record(crate::audit::Kind::Noted)
}

/// The account that is named, where the operator's role reaches it.
fn named(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    user: &UserRef,
) -> Result<OwnedUserId, Stop> {
    reader_for(invocation.operator, &pipeline.reader).user_id(user)
}

/// When a time that was typed is over.
pub(super) fn ahead(lasting: &Lasting, now: Timestamp) -> Result<Timestamp, Stop> {
    lasting.after(now).ok_or_else(|| Stop::not_understood("that time is too long; try 3d"))
}

/// A refusal where reports do not come by themselves.
pub(super) fn served(pipeline: &Pipeline) -> Result<(), Stop> {
    match pipeline.desk.rules() {
        Some(_) => Ok(()),
        None => Err(Stop::refused(
            "I do not watch reports here; to have me do that, set `watch: true` under `reports` in the \
             config",
        )),
    }
}

/// The case with the number that was typed, or that of the thread in which it was.
pub(super) fn which(invocation: &Invocation<'_>, typed: Option<&str>) -> Result<Which, Stop> {
    let thread = invocation.origin.message().and_then(|request| request.thread.clone());
    match (typed, thread) {
        (Some(typed), _) => {
            let number = number(typed).ok_or_else(|| {
                Stop::not_understood("name a case by its number, such as 12").or(&["case", "list"])
            })?;
            Ok(Which::Number(number))
        }
        (None, Some(root)) => Ok(Which::Thread(root)),
        (None, None) => Err(Stop::not_understood(
            "say which case, by its number, or send this in the thread of the case",
        )
        .or(&["case", "list"])),
    }
}

/// The number of a case as typed: `12` or `#12`.
pub(super) fn number(text: &str) -> Option<u64> {
    text.trim_start_matches('#').trim_end_matches(['.', ',', ';', ':']).parse().ok()
}

/// A verb by which somebody decides about one case.
pub(super) trait Decides: fmt::Debug + Send + Sync {
    /// Which case, and what is decided about it.
    fn decided(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<(Which, Decision), Stop>;
}

#[async_trait]
impl<D: Decides> Own for D {
    fn lane(&self) -> Lane {
        Lane::InTurn
    }

    fn power(&self) -> Option<Power> {
        Some(Power::Moderate)
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        let (which, decision) = self.decided(pipeline, invocation)?;
        decide(pipeline, invocation, &which, &decision).await
    }
}

/// Decides about a case.
async fn decide(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    which: &Which,
    decision: &Decision,
) -> Result<Option<Reply>, Stop> {
    pipeline.may_lead_to_a_change(invocation).await?;
    let reply =
        pipeline.desk.decide(which, decision, invocation.operator, noted(invocation)).await?;
    // What a reaction has done, the first message of the thread shows.
    let reaction = invocation
        .origin
        .message()
        .is_some_and(|request| matches!(request.said, Said::Reaction { .. }));
    Ok((!reaction || reply.status != Some(Status::Done)).then_some(reply))
}

async fn show(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    which: &Which,
) -> Result<Reply, Stop> {
    let case = pipeline.desk.find(which)?;
    let reader = reader_for(invocation.operator, &pipeline.reader);
    if let Some(subject) = case.about.subject() {
        reader.may_name(&subject)?;
    }
    let reply = pipeline.desk.shown(&case).await?;
    let ids = case.about.subject().filter(|subject| matches!(subject, Subject::User(_)));
    let ids_of = ids.as_ref().map(|_| IdsOf::Accounts);
    let ids = ids.iter().map(Subject::typed).collect();
    Ok(Reply { ids, ids_of, ..reply })
}

fn list(pipeline: &Pipeline, invocation: &Invocation<'_>, wanted: &List) -> Result<Reply, Stop> {
    let desk = &pipeline.desk;
    let mut cases = if wanted.all { desk.cases().all()? } else { desk.cases().open()? };
    let reader = reader_for(invocation.operator, &pipeline.reader);
    cases.retain(|case| case.about.subject().is_none_or(|about| reader.may_name(&about).is_ok()));
    let on = wanted.on.as_ref().map(|user| reader.user_id(user)).transpose()?;
    let by = wanted.by.as_ref().map(|user| reader.user_id(user)).transpose()?;
    let me = &invocation.operator.user;
    cases.retain(|case| !wanted.mine || case.claimed.as_ref() == Some(me));
    cases.retain(|case| on.as_ref().is_none_or(|on| case.about.id() == on.as_str()));
    if let Some(by) = &by {
        let mut kept = Vec::new();
        for case in cases {
            if desk.cases().reports(case.number)?.iter().any(|report| report.by == *by) {
                kept.push(case);
            }
        }
        cases = kept;
    }
    if !wanted.oldest {
        cases.reverse();
    }
    let title = counted(&cases, wanted, pipeline.clock.now());
    let shown = cases.iter().take(usize::from(wanted.limit));
    let mut lines = Vec::new();
    let mut ids = Vec::new();
    for case in shown {
        let reports = desk.cases().reports(case.number)?;
        let count = reports.iter().filter(|report| !report.aside).count();
        lines.push(line(pipeline, case, count));
        if let Some(Subject::User(user)) = case.about.subject() {
            ids.push(user.to_string());
        }
    }
    let ids_of = (!ids.is_empty()).then_some(IdsOf::Accounts);
    let reply = Reply { ids, ids_of, ..Reply::data(title) };
    let reply = if lines.is_empty() { reply } else { reply.with(Block::List(Line::new(), lines)) };
    let reply = match desk.unserved().as_slice() {
        [] => reply,
        unserved => reply.note(desk::not_served(unserved)),
    };
    Ok(match desk.rules() {
        Some(_) => reply,
        None => reply.note(Line::new().marked(
            "I do not watch reports here; `watch: true` under `reports` in the config has me do that.",
        )),
    })
}

/// `7 open cases: 3 new, 2 claimed, 2 waiting; the oldest for 3 days`.
fn counted(cases: &[Case], wanted: &List, now: Timestamp) -> Line {
    let count = |is: fn(&State) -> bool| cases.iter().filter(|case| is(&case.state)).count();
    let what = if wanted.all { "" } else { "open " };
    let all = match cases.len() {
        0 => return Line::from(format!("No {what}cases")),
        1 => format!("One {what}case"),
        n => format!("{n} {what}cases"),
    };
    let counts: Vec<String> = [
        (count(|state| *state == State::New), "new"),
        (count(|state| *state == State::Claimed), "claimed"),
        (count(|state| matches!(state, State::Waiting { .. })), "waiting"),
        (count(|state| !state.is_open()), "closed"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, state)| format!("{count} {state}"))
    .collect();
    let open = cases.iter().filter(|case| case.state.is_open());
    let oldest = open.map(|case| case.opened).min();
    let line = Line::from(format!("{all}: {}", counts.join(", ")));
    match oldest {
        Some(oldest) => {
            line.plain(format!("; the oldest for {}", span(now.duration_since(oldest))))
        }
        None => line,
    }
}

/// A case in a line: `12 @eve:example.org · 38 reports · claimed by @moe · 3 h ago`.
fn line(pipeline: &Pipeline, case: &Case, reports: usize) -> Line {
    let reports = if reports == 1 { "1 report".to_owned() } else { format!("{reports} reports") };
    Line::new()
        .strong(case.number.to_string())
        .plain(" ")
        .line(desk::about(case))
        .plain(format!(" · {reports} · "))
        .line(pipeline.desk.state(case))
        .plain(" · ")
        .ago(Some(case.opened), pipeline.clock.now())
}

/// What a case was closed as.
pub(super) fn closing(how: How, reason: &[String]) -> Decision {
    let reason = reason.join(" ");
    let reason = reason.trim().trim_start_matches(':').trim();
    Decision::Close(how, (!reason.is_empty()).then(|| reason.to_owned()))
}

/// A fact with a count.
pub(super) fn fact(label: &'static str, count: usize) -> Fact {
    (label, count.to_string().into())
}
