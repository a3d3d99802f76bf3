//! `!sanction`: what ends by itself, and when.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::ServerName;

use super::{
    AsChange, Own, OwnSpec,
    audit::{did, who},
    undo::{all_taken_back, number, taken_back},
};
use crate::{
    audit::{Kind, Record as Noted},
    change::{Class, Power, Subject, set},
    commands::Ends,
    error::Stop,
    gate::{Verdict, Weight},
    pipeline::{
        Invocation, Lane, Pipeline,
        change::{Executor, report::rehearsed, target, too_low},
    },
    reply::{Block, Line, Reply, Status},
    sanctions::{Sanction, Sanctions as Kept, State},
};

/// List temporary measures, such as a suspension for three days, or change when they end
#[derive(Debug, clap::Args)]
pub(crate) struct Sanctions {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum What {
    /// List temporary measures, the next to end first
    List,
    /// Change the end of one
    Extend(Extend),
    /// End one now
    Lift {
        /// The number of the change that imposed it
        number: String,
    },
}

/// Give `--for`, counted on from its present end, or `--until`, its new end. Only the role that
/// imposed it, or a higher one, makes it shorter.
#[derive(Debug, Clone)]
struct Extend {
    number: String,
    ends: Option<Ends>,
}

impl clap::FromArgMatches for Extend {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let number = matches.get_one::<String>("number").cloned().unwrap_or_default();
        Ok(Self { number, ends: Ends::read(matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for Extend {
    fn augment_args(command: clap::Command) -> clap::Command {
        let number = clap::Arg::new("number")
            .value_name("NUMBER")
            .required(true)
            .help("The number of the change that imposed it");
        Ends::add(
            command.arg(number),
            [
                "How much later it ends, such as 3d or 2h30min",
                "When it ends: 2026-12-01, or 2026-12-01T10:00Z",
            ],
        )
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

pub(super) const SPEC: OwnSpec = OwnSpec::new::<Sanctions>(
    "sanction",
    &[
        "sanction list",
        "sanction extend 17 --for 3d",
        "sanction extend 17 --until 2026-12-01",
        "sanction lift 17",
    ],
)
.changing()
.listing();

#[async_trait]
impl Own for Sanctions {
    fn lane(&self) -> Lane {
        match self.what {
            None | Some(What::List) => Lane::Beside,
            Some(What::Extend(_) | What::Lift { .. }) => Lane::InTurn,
        }
    }

    fn power(&self) -> Option<Power> {
        match self.what {
            None | Some(What::List) => None,
            Some(What::Extend(_) | What::Lift { .. }) => Some(Power::Moderate),
        }
    }

    /// To lift does what the end would do, on all on whom it still holds, and nothing where nothing
    /// would end.
    fn as_change(&self, executor: &Executor) -> Result<Option<AsChange>, Stop> {
        let Some(What::Lift { number }) = &self.what else { return Ok(None) };
        let number = ending(number)?;
        let sanctions = open(executor.sanctions(), number)?;
        if let [sanction] = sanctions.as_slice() {
            let left = vec![(sanction.subject.clone(), sanction.left.clone())];
            return taken_back(executor, number, &sanction.undo, left).map(Some);
        }
        let ways = sanctions.into_iter().map(|one| (Some((one.subject, one.left)), one.undo));
        let all = all_taken_back(executor, number, ways, None);
        all.map(Some).ok_or_else(|| {
            Stop::refused(
                "it cannot be lifted in one command; undo its parts one \
                                          by one",
            )
        })
    }

    async fn run(
        &self,
        pipeline: &Pipeline,
        invocation: &Invocation<'_>,
    ) -> Result<Option<Reply>, Stop> {
        match &self.what {
            Some(What::Extend(extend)) => extend.run(pipeline, invocation).await.map(Some),
            // To lift is a change, and not run as anything else.
            None | Some(What::List | What::Lift { .. }) => list(pipeline).map(Some),
        }
    }
}

fn list(pipeline: &Pipeline) -> Result<Reply, Stop> {
    let open = pipeline.sanctions.open()?;
    let (now, own) = (pipeline.clock.now(), pipeline.reader.server_name());
    // What one command has imposed on many is one line.
    let mut groups: Vec<Vec<&Sanction>> = Vec::new();
    for sanction in &open {
        let alike = |group: &&mut Vec<&Sanction>| {
            group.first().is_some_and(|first| {
                (first.number, first.until, first.state == State::Waiting)
                    == (sanction.number, sanction.until, sanction.state == State::Waiting)
            })
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(sanction),
            None => groups.push(vec![sanction]),
        }
    }
    let lines = groups.iter().filter_map(|group| shown(group, now, own)).collect();
    let title = match open.len() {
        0 => return Ok(Reply::data("No temporary measures")),
        1 => "One temporary measure".to_owned(),
        n => format!("{n} temporary measures"),
    };
    Ok(Reply::data(title).with(Block::List(Line::new(), lines)))
}

/// What one change has imposed, in a line: `#12 suspended @lena · ends in 3 days · by moses`.
fn shown(group: &[&Sanction], now: Timestamp, own: &ServerName) -> Option<Line> {
    let first = group.first()?;
    let line = Line::new()
        .code(format!("#{}", first.number))
        .plain(format!(" {} ", did(&first.words)))
        .line(set(group.iter().map(|one| &one.subject), own))
        .plain(" · ends ")
        .ago(Some(first.until), now)
        .plain(" · by ")
        .line(who(Some(&first.by), own));
    let waits = first.state == State::Waiting;
    Some(if waits { line.plain(" · waits until I may make changes again") } else { line })
}

/// The number of a temporary measure, as it was typed.
fn ending(text: &str) -> Result<u64, Stop> {
    number(text, "a temporary measure", &["sanction", "list"])
}

impl Extend {
    async fn run(&self, pipeline: &Pipeline, invocation: &Invocation<'_>) -> Result<Reply, Stop> {
        let number = ending(&self.number)?;
        let subjects: Vec<Subject> = open(&pipeline.sanctions, number)?
            .into_iter()
            .map(|sanction| sanction.subject)
            .collect();
        let _held = pipeline.executor.hold(&subjects).await;
        let sanctions = open(&pipeline.sanctions, number)?;
        let (Some(first), now) = (sanctions.first(), pipeline.clock.now()) else {
            return Err(over("nothing about it is temporary any more"));
        };
        // What one command has imposed on many ends at one time, unless a lift has failed.
        let until = self.end(first, now)?;
        let operator = invocation.operator;
        if until < first.until && operator.role.rank < first.role {
            let why = too_low(first, &operator.role);
            return Ok(pipeline.voice.refused(invocation, why).await);
        }
        if until == first.until {
            return Ok(Reply::outcome(Status::NothingChanged, "it already ends then"));
        }
        pipeline.may_lead_to_a_change(invocation).await?;
        for sanction in &sanctions {
            if let Some(reply) = not_allowed(pipeline, invocation, sanction, until).await? {
                return Ok(reply);
            }
        }
        if invocation.options.plan {
            return Ok(told(
                Reply::data("Nothing was sent; this would be the result"),
                first,
                until,
            ));
        }
        let record = Noted {
            of: Some(number),
            subjects,
            until: Some(until),
            ..invocation.record(Kind::Moved)
        };
        pipeline.audit.note(record).await?;
        for sanction in &sanctions {
            let state = State::Running;
            let moved = Sanction { until, again: None, tries: 0, state, ..sanction.clone() };
            pipeline.sanctions.keep(&moved).await?;
        }
        let title = match sanctions.as_slice() {
            [one] => Line::new().code(&one.subject).plain(": the end"),
            several => Line::from(format!("the end for {} subjects", several.len())),
        };
        let back = ["sanction", "extend", &number.to_string(), "--until", &first.until.to_string()]
            .map(str::to_owned);
        let title = title.plain(format!(" of #{number} was changed"));
        Ok(told(Reply::outcome(Status::Done, title), first, until).command("Undo", back.to_vec()))
    }

    fn end(&self, sanction: &Sanction, now: Timestamp) -> Result<Timestamp, Stop> {
        let Some(ends) = &self.ends else {
            return Err(Stop::not_understood(
                "say when: --for with how much later, or --until with a date",
            ));
        };
        ends.of(sanction.until).or_else(|| ends.of(now)).filter(|until| *until > now).ok_or_else(
            || {
                let why = match ends {
                    Ends::At(_) => "that date is in the past; to end it now, send",
                    Ends::After(_) => "that time is too long; to end it now, send",
                };
                Stop::not_understood(why).or(&["sanction", "lift", &sanction.number.to_string()])
            },
        )
    }
}

/// Why the end of this is not moved to then by this operator; `None` where it may be. It is weighed
/// as a change that can be undone, of the same subject, by the verb that does it.
async fn not_allowed(
    pipeline: &Pipeline,
    invocation: &Invocation<'_>,
    sanction: &Sanction,
    until: Timestamp,
) -> Result<Option<Reply>, Stop> {
    let target = target(&sanction.subject, &pipeline.reader.look()).await?;
    // To have it longer is what imposed it, to have it shorter what takes it back.
    let words = if until < sanction.until { &sanction.undo } else { &sanction.words };
    let stands = pipeline.executor.action(words);
    let power = stands.as_ref().map_or(Power::Moderate, |(action, _)| action.power());
    let mut verbs = vec![invocation.options.verb.as_str()];
    if let Some((action, options)) = &stands {
        verbs.push(&options.verb);
        verbs.extend(action.amounts_to());
    }
    let weight = Weight {
        class: Class::Reversible,
        power,
        phrase: false,
        code: false,
        harmless: false,
        targets: &[target],
        many: 1,
        verbs: &verbs,
        reason: invocation.options.reason.as_deref(),
        recent: 0,
        due: false,
        standing: false,
    };
    Ok(match pipeline.freeze_control.gate().decide(invocation.operator, &weight, None) {
        Verdict::Allow(_) => None,
        Verdict::Refuse(refusal) => Some(pipeline.voice.refused(invocation, refusal.0).await),
        Verdict::Rehearse => {
            Some(rehearsed(invocation.words, pipeline.freeze_control.bot_frozen()))
        }
        Verdict::Ask(_) => {
            let number = sanction.number.to_string();
            return Err(Stop::refused(
                "this change needs a confirmation, so its end cannot be changed on its own: undo \
                it, and send it again with the end that you want",
            )
            .or(&["sanction", "lift", &number]));
        }
    })
}

fn told(reply: Reply, sanction: &Sanction, until: Timestamp) -> Reply {
    reply.facts(vec![
        ("Command", Line::new().command(crate::input::shown(&sanction.words))),
        ("Ended", Line::new().at(sanction.until)),
        ("Ends", Line::new().at(until)),
    ])
}

/// Why nothing is done to what is over.
fn over(why: impl Into<Line>) -> Stop {
    Stop::ending(Status::NothingChanged, why)
}

/// The sanctions of the change with this number that are still to be lifted; a refusal where there
/// is none.
fn open(sanctions: &Kept, number: u64) -> Result<Vec<Sanction>, Stop> {
    let line = |why: &str| Line::new().code(format!("#{number}")).plain(why.to_owned());
    let mut kept = sanctions.of(number)?;
    let Some(first) = kept.first().cloned() else {
        let none = Stop::not_found(line(" is not a temporary measure"));
        return Err(none.or(&["sanction", "list"]));
    };
    kept.retain(|sanction| !matches!(sanction.state, State::Ended(_)));
    match (kept.is_empty(), first.state) {
        (true, State::Ended(by)) => {
            Err(over(line(&format!(" has ended, by #{by}"))).or(&["sanction", "list"]))
        }
        _ => Ok(kept),
    }
}
