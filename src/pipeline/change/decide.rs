//! What a change weighs, and whether it may be made now.

use super::Executor;
use super::values::{Looked, Plan};
use crate::{
    change::Class,
    commands::Action,
    confirm::Consent,
    error::Stop,
    gate::{Allowed, Target, Terms, Verdict, Weight},
    operators::Operator,
    pipeline::Invocation,
    reply::Line,
};

/// How much of a change is weighed.
#[derive(Debug, Clone, Copy)]
pub(in crate::pipeline) enum Extent {
    /// All of it, beside what its asker has done of late.
    Whole,
    /// One of so many. All of them were weighed at the question and at the yes, and since then they
    /// count for whatever else their asker does.
    OneOf(usize),
}

/// Whether a change may be made now.
pub(in crate::pipeline) enum Decision<'a> {
    /// It may.
    Allow(Allowed),
    /// It may, but the bot is read-only or frozen.
    Rehearse,
    /// A yes is needed first, and these could say it besides its asker.
    Ask(Terms, Vec<&'a Operator>),
    /// It may not.
    Refuse(Line),
}

/// A change, as far as it is weighed.
struct Weighed<'a> {
    class: Class,
    targets: &'a [Target],
    many: usize,
    recent: usize,
    verbs: Vec<&'a str>,
}

impl Weighed<'_> {
    fn weight<'a>(&'a self, invocation: &Invocation<'a>, action: &dyn Action) -> Weight<'a> {
        Weight {
            class: self.class,
            power: action.power(),
            // What it replies to, whoever keeps the homeserver could have moved.
            phrase: action.phrase() || invocation.options.referenced,
            // What a dot stands for may have been picked by a reaction, which is in clear.
            code: invocation.options.by_dot,
            harmless: action.harmless(),
            targets: self.targets,
            many: self.many,
            verbs: &self.verbs,
            reason: invocation.options.reason.as_deref(),
            recent: self.recent,
            due: invocation.origin.is_sanction_expiry(),
            standing: invocation.origin.is_reporter_notice(),
        }
    }
}

impl Executor {
    fn weighed<'a>(
        &self,
        invocation: &'a Invocation<'_>,
        action: &'a dyn Action,
        looked: &'a Looked,
        extent: Extent,
    ) -> Result<Weighed<'a>, Stop> {
        let (class, many, recent) = match extent {
            Extent::Whole => {
                let class = looked.class(action);
                (class, looked.targets.len(), self.recent(invocation.operator, class)?)
            }
            Extent::OneOf(many) => (action.class(many), many, 0),
        };
        let verbs = verbs(invocation, action, &looked.plans);
        Ok(Weighed { class, targets: &looked.targets, many, recent, verbs })
    }

    /// Whether what was looked at may be changed now, under what was said to it.
    pub(super) fn decide(
        &self,
        invocation: &Invocation<'_>,
        action: &dyn Action,
        looked: &Looked,
        extent: Extent,
        consent: Option<&Consent>,
    ) -> Result<Decision<'_>, Stop> {
        if let Some(why) = self.ends_early(invocation, looked)? {
            return Ok(Decision::Refuse(why));
        }
        let weighed = self.weighed(invocation, action, looked, extent)?;
        let weight = weighed.weight(invocation, action);
        Ok(match self.freeze_control.gate().decide(invocation.operator, &weight, consent) {
            Verdict::Allow(allowed) => Decision::Allow(allowed),
            Verdict::Rehearse => Decision::Rehearse,
            Verdict::Ask(terms) => Decision::Ask(
                terms,
                self.freeze_control.gate().may_approve(invocation.operator, &weight),
            ),
            Verdict::Refuse(refusal) => Decision::Refuse(refusal.0),
        })
    }

    /// What would have to be said before all that was looked at is changed; `None` where nothing.
    pub(super) fn terms(
        &self,
        invocation: &Invocation<'_>,
        action: &dyn Action,
        looked: &Looked,
    ) -> Result<Option<Terms>, Stop> {
        let weighed = self.weighed(invocation, action, looked, Extent::Whole)?;
        Ok(self.freeze_control.gate().terms(&weighed.weight(invocation, action)))
    }

    /// Whether the yes that was said is enough for all of a list of so many, as far as that does not
    /// hang on its subjects, each of which is weighed again in its turn.
    pub(super) fn suffices(
        &self,
        invocation: &Invocation<'_>,
        action: &dyn Action,
        many: usize,
        consent: &Consent,
    ) -> Result<bool, Stop> {
        let class = action.class(many);
        let recent = self.recent(invocation.operator, class)?;
        let verbs = verbs(invocation, action, &[]);
        let weighed = Weighed { class, targets: &[], many, recent, verbs };
        let weight = weighed.weight(invocation, action);
        Ok(self
            .freeze_control
            .gate()
            .missing(invocation.operator, &weight, Some(consent))
            .is_none())
    }
}

/// The verb, every other that it says it amounts to, and every other whose work the requests of
/// these plans do.
pub(in crate::pipeline) fn verbs<'a>(
    invocation: &'a Invocation<'_>,
    action: &'a dyn Action,
    plans: &[Plan],
) -> Vec<&'a str> {
    let mut verbs = vec![invocation.options.verb.as_str()];
    let done: Vec<&'a str> =
        plans.iter().flat_map(|plan| plan.verbs().map(|verb| verb as _)).collect();
    for verb in action.amounts_to().into_iter().chain(done) {
        if !verbs.contains(&verb) {
            verbs.push(verb);
        }
    }
    verbs
}
