//! What is to be done, what was found, and what became of it: the values of a change on its way.

use jiff::Timestamp;
use tokio::sync::OwnedMutexGuard;

use crate::{
    change::{Change, Class, FactMap, Outcome, Skip, Snapshot, Step, Subject},
    commands::{Action, operations},
    confirm::{Consent, Ticket},
    gate::{Target, Terms},
    pipeline::{change::fact::Difference, questions::Needs},
    reply::{Line, Reply},
    synapse::Secrets,
};

/// The yes that was said to a question.
#[derive(Clone, Copy)]
pub(in crate::pipeline) struct Confirmed<'a> {
    pub(in crate::pipeline) ticket: &'a Ticket,
    pub(in crate::pipeline) consent: &'a Consent,
}

/// What is to be done to one subject.
pub(in crate::pipeline) struct Plan {
    pub(in crate::pipeline) subject: Subject,
    pub(in crate::pipeline) seen: Snapshot,
    pub(in crate::pipeline) change: Change,
}

impl Plan {
    /// The verbs whose work its requests do.
    pub(in crate::pipeline) fn verbs(&self) -> impl Iterator<Item = &'static str> {
        self.change.steps.iter().flat_map(|step| operations::verbs(step, &self.seen))
    }
}

/// Everything that was looked up before anything is decided.
#[derive(Default)]
pub(in crate::pipeline) struct Looked {
    pub(in crate::pipeline) targets: Vec<Target>,
    pub(in crate::pipeline) plans: Vec<Plan>,
    pub(in crate::pipeline) skips: Vec<(Subject, Skip)>,
    /// Why its only subject may not be touched.
    pub(in crate::pipeline) forbidden: Option<Line>,
}

impl Looked {
    /// What it costs to do it to all of them. Where somebody among them is not there, or may not
    /// be touched, it is perhaps a slip, and costs a question at least.
    pub(in crate::pipeline) fn class(&self, action: &dyn Action) -> Class {
        let least = if self.in_doubt() { Class::Disruptive } else { Class::Reversible };
        action.class(self.plans.len()).max(least)
    }

    /// Whether one of several could not be meant as it was typed.
    fn in_doubt(&self) -> bool {
        self.skips.iter().any(|(_, skip)| skip.status.is_no())
    }

    /// The requests, of all of them in order.
    pub(in crate::pipeline) fn steps(&self) -> Vec<Step> {
        self.plans.iter().flat_map(|plan| plan.change.steps.clone()).collect()
    }
}

/// What was found of one subject.
pub(in crate::pipeline) enum Found {
    /// What is to be done.
    Plan(Target, Box<Plan>),
    /// Why there is nothing to do.
    Skip(Skip),
    /// Why it may not be touched.
    Refused(Line),
}

/// What became of one subject.
pub(in crate::pipeline) struct Done {
    pub(in crate::pipeline) subject: Subject,
    pub(in crate::pipeline) outcome: Outcome,
    /// What should be so and is not, in words.
    pub(in crate::pipeline) unmet: Vec<Line>,
    /// The state that it left, of what it was about.
    pub(in crate::pipeline) left: FactMap,
    /// What it has brought about besides, for good.
    pub(in crate::pipeline) lasting: FactMap,
    /// Whether it was somebody's erasure, so that what is kept of them goes too.
    pub(in crate::pipeline) erased: bool,
    /// Why what has time may come back to it later, where it may.
    pub(in crate::pipeline) later: Option<Later>,
    /// The work that the homeserver goes on with, by the id under which its verb asks for it.
    pub(in crate::pipeline) work: Option<String>,
}

impl Done {
    /// What was found done, by something that was sent before.
    pub(in crate::pipeline) fn found(subject: Subject, outcome: Outcome, left: FactMap) -> Self {
        let (unmet, work, lasting) = (Vec::new(), None, FactMap::new());
        let (erased, later) = (false, None);
        Self { subject, outcome, unmet, left, lasting, erased, later, work }
    }
}

/// Why somebody who has time may come back to a subject later, in place of what became of it so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Later {
    /// Nothing was done, since the homeserver does not take the admin token, or limits how often it is
    /// asked.
    NotNow,
    /// All was sent, and for the same reason could not be looked at afterwards.
    Unseen,
    /// Nothing was sent, since the homeserver could not be reached.
    Unreached,
    /// Something was sent, and the homeserver went away before it could be said what became of it.
    Lost,
}

/// What became of a change.
pub(in crate::pipeline) enum Became {
    /// The gate forbids it. Not on record yet.
    Refused(Line),
    /// Its asker is not served any more, and is told so.
    NotServed(Reply),
    /// There is nothing to do, of each for its reason.
    NothingToDo(Vec<(Subject, Skip)>),
    /// What it rests on is not as it was, and that ends it.
    Differs(Difference),
    /// What it would do, for `--plan`.
    Planned(Box<Planned>),
    /// It would be done now, but the bot is read-only or frozen.
    Rehearsed,
    /// A question must be put first.
    ToAsk(Box<ToAsk>),
    /// It is agreed to, and of so many that a job does it.
    Job(Guards),
    /// It was done, or tried.
    Ran(Box<Ran>),
}

/// What a change would do.
pub(in crate::pipeline) struct Planned {
    pub(in crate::pipeline) looked: Looked,
    /// What would have to be said first, where anything would.
    pub(in crate::pipeline) terms: Option<Terms>,
    pub(in crate::pipeline) class: Class,
    /// When it would be taken back by itself.
    pub(in crate::pipeline) until: Option<Timestamp>,
}

/// A question that must be put.
pub(in crate::pipeline) struct ToAsk {
    pub(in crate::pipeline) looked: Looked,
    pub(in crate::pipeline) class: Class,
    pub(in crate::pipeline) needs: Needs,
    pub(in crate::pipeline) earlier: Earlier,
    /// Secrets that were typed.
    pub(in crate::pipeline) secrets: Secrets,
    /// Until it is put nobody else changes what it is about.
    pub(in crate::pipeline) guards: Guards,
}

impl ToAsk {
    /// Whether its asker says yes to it, at once: nobody else has to, nor to be given time to deny it.
    pub(in crate::pipeline) fn is_for_asker(&self) -> bool {
        self.needs.is_for_asker()
    }
}

/// The question that was put about the same change before.
pub(in crate::pipeline) enum Earlier {
    /// There was none.
    None,
    /// It was answered, and what was said is not enough any more.
    NotEnough,
    /// It was answered, and this had changed since.
    Differs(Vec<Difference>),
}

/// What was done.
pub(in crate::pipeline) struct Ran {
    /// The number of its record.
    pub(in crate::pipeline) number: u64,
    pub(in crate::pipeline) done: Vec<Done>,
    pub(in crate::pipeline) skips: Vec<(Subject, Skip)>,
    pub(in crate::pipeline) ends: Ends,
    /// Secrets that were typed, made or revealed.
    pub(in crate::pipeline) secrets: Secrets,
}

/// Whether a change ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Ends {
    /// It stands until somebody takes it back.
    Never,
    /// Then.
    At(Timestamp),
    /// It should, and that could not be kept.
    NotKept,
}

/// Locks that are held while a change is on its way.
#[derive(Default)]
pub(in crate::pipeline) struct Guards(pub(in crate::pipeline) Vec<OwnedMutexGuard<()>>);
