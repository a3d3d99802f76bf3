//! One change on its way to the moment before it is sent: looked at, compared with what it rests on,
//! weighed and decided. Commands, subjects of jobs, ends of sanctions and undos all go this way.

use super::{
    Executor,
    decide::{Decision, Extent},
    values::{Confirmed, Guards, Looked},
};
use crate::{
    change::{Class, FactMap, Skip, Subject},
    commands::Action,
    error::Stop,
    gate::{Allowed, Terms},
    operators::Operator,
    pipeline::{
        Invocation,
        change::fact::{Difference, changed, not_as_left},
    },
    reply::{Line, Reply},
    synapse::Reader,
};

/// A change that somebody wants made.
#[derive(Clone, Copy)]
pub(in crate::pipeline) struct Attempt<'a> {
    pub(in crate::pipeline) invocation: &'a Invocation<'a>,
    pub(in crate::pipeline) action: &'a dyn Action,
    pub(in crate::pipeline) expected: Expected<'a>,
    /// The yes that was said to it.
    pub(in crate::pipeline) yes: Option<Confirmed<'a>>,
    pub(in crate::pipeline) extent: Extent,
}

/// What must be found as it was.
#[derive(Clone, Copy)]
pub(in crate::pipeline) enum Expected<'a> {
    /// Nothing.
    Anything,
    /// What its question showed; where it differs the yes does not count, and it is asked again.
    Shown(&'a [(Subject, FactMap)]),
    /// What the question to a list showed of this one; where it differs it is left alone.
    Listed(&'a [(Subject, FactMap)]),
    /// What the change left that this takes back; where it differs this would be no undo.
    Left(&'a [(Subject, FactMap)]),
}

/// How far a change has come without anything being sent.
pub(in crate::pipeline) enum Prepared<'a> {
    /// The gate forbids it. Not on record yet.
    Refused(Line),
    /// Its asker is not served any more, and is told so.
    NotServed(Reply),
    /// There is nothing to do, of each for its reason.
    NothingToDo(Vec<(Subject, Skip)>),
    /// Something is not as it is expected, and that ends it.
    Differs(Difference),
    /// It only was to be planned.
    Planned(Looked),
    /// The bot is read-only or frozen.
    Rehearsed,
    /// A yes is needed first.
    Asks(Box<Asks<'a>>),
    /// It may be sent.
    Ready(Box<Ready>),
}

/// A change that needs a yes.
pub(in crate::pipeline) struct Asks<'a> {
    pub(in crate::pipeline) looked: Looked,
    pub(in crate::pipeline) class: Class,
    pub(in crate::pipeline) terms: Terms,
    /// Who could say yes besides its asker.
    pub(in crate::pipeline) approvers: Vec<&'a Operator>,
    pub(in crate::pipeline) differences: Vec<Difference>,
    /// Held until it is asked.
    pub(in crate::pipeline) guards: Guards,
}

/// A change that may be sent.
pub(in crate::pipeline) struct Ready {
    pub(in crate::pipeline) looked: Looked,
    pub(in crate::pipeline) allowed: Allowed,
    /// Held until it is on record.
    pub(in crate::pipeline) guards: Guards,
}

impl Executor {
    /// Takes a change of these subjects, which nobody else changes meanwhile, to the moment before it
    /// is sent.
    pub(in crate::pipeline) async fn prepare(
        &self,
        attempt: &Attempt<'_>,
        subjects: Vec<Subject>,
        reader: &Reader,
    ) -> Result<Prepared<'_>, Stop> {
        let &Attempt { invocation, action, expected, yes, extent } = attempt;
        if let Expected::Left(left) = expected
            && let Some(difference) = self.not_as_left(action, left, reader).await?
        {
            return Ok(Prepared::Differs(difference));
        }
        let mut looked = self.look_at(invocation, action, subjects, reader).await?;
        if let Some(why) = looked.forbidden.take() {
            return Ok(Prepared::Refused(why));
        }
        if let Extent::Whole = extent {
            self.until(invocation)?;
        }
        if looked.plans.is_empty() {
            return Ok(Prepared::NothingToDo(looked.skips));
        }
        let mut differences = differences(expected, &looked);
        if matches!(expected, Expected::Listed(_)) && !differences.is_empty() {
            return Ok(Prepared::Differs(differences.swap_remove(0)));
        }
        let mut guards = Guards::default();
        if let Extent::Whole = extent {
            guards = Guards(self.counted.hold(invocation.operator, looked.class(action)).await);
            // Somebody may have been frozen while this waited. The end of what they imposed is not
            // theirs to prevent.
            if invocation.origin.is_typed()
                && let Some(reply) = self.freeze_control.person_frozen(&invocation.operator.person)
            {
                return Ok(Prepared::NotServed(reply));
            }
        }
        let consent = yes.map(|yes| yes.consent).filter(|_| differences.is_empty());
        Ok(match self.decide(invocation, action, &looked, extent, consent)? {
            Decision::Refuse(why) => Prepared::Refused(why),
            _ if invocation.options.plan => Prepared::Planned(looked),
            Decision::Rehearse => Prepared::Rehearsed,
            Decision::Ask(terms, approvers) => {
                if let Extent::Whole = extent
                    && let Some(stop) = self.shown_not_to_do(action, &looked).await
                {
                    return Err(stop);
                }
                let class = looked.class(action);
                let asks = Asks { looked, class, terms, approvers, differences, guards };
                Prepared::Asks(Box::new(asks))
            }
            Decision::Allow(allowed) => {
                Prepared::Ready(Box::new(Ready { looked, allowed, guards }))
            }
        })
    }

    /// The first thing that is not as a change left it.
    async fn not_as_left(
        &self,
        action: &dyn Action,
        left: &[(Subject, FactMap)],
        reader: &Reader,
    ) -> Result<Option<Difference>, Stop> {
        for (subject, left) in left {
            let seen = action.snapshot(subject, reader).await?;
            if let Some(difference) = not_as_left(subject, left, &seen) {
                return Ok(Some(difference));
            }
        }
        Ok(None)
    }
}

/// In what that which was looked at differs from what was shown.
fn differences(expected: Expected<'_>, looked: &Looked) -> Vec<Difference> {
    let (Expected::Shown(shown) | Expected::Listed(shown)) = expected else { return Vec::new() };
    let mut differences = Vec::new();
    for plan in &looked.plans {
        match shown.iter().find(|(subject, _)| *subject == plan.subject) {
            Some((subject, before)) => {
                differences.extend(changed(subject, before, &plan.seen.preconditions));
            }
            None => differences.push(Difference {
                subject: plan.subject.clone(),
                key: "part_of_the_question".to_owned(),
                was: Some(false.into()),
                is: Some(true.into()),
            }),
        }
    }
    differences
}
