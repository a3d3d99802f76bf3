//! What a change weighs, for the gate: at once for all of it, or for one of many.

use super::{Asked, Pipeline, change::Looked};
use crate::{
    change::Class,
    commands::Action,
    confirm::{Consent, Ticket},
    error::Stop,
    gate::{Target, Weight},
};

/// Of what a change is weighed.
#[derive(Clone, Copy)]
pub(super) struct Extent<'a> {
    /// Its class, counted over all its subjects.
    pub(super) class: Class,
    /// Those of its subjects that are at hand.
    pub(super) targets: &'a [Target],
    /// How many subjects there are in all.
    pub(super) many: usize,
    /// The verb, and every other that it amounts to.
    pub(super) verbs: &'a [&'a str],
    /// How many irreversible changes its asker has made of late besides.
    pub(super) recent: usize,
}

/// What a change of this extent weighs.
pub(super) fn weight<'a>(asked: &Asked<'a>, action: &dyn Action, extent: Extent<'a>) -> Weight<'a> {
    let Extent { class, targets, many, verbs, recent } = extent;
    Weight {
        class,
        power: action.power(),
        // What it replies to, whoever keeps the homeserver could have moved.
        phrase: action.phrase() || asked.options.referenced,
        harmless: action.harmless(),
        targets,
        many,
        verbs,
        reason: asked.options.reason.as_deref(),
        recent,
        due: asked.origin.is_sanction_end(),
    }
}

impl Pipeline {
    /// What doing it to all that was looked at weighs.
    pub(super) fn weigh<'a>(
        &self,
        asked: &Asked<'a>,
        action: &dyn Action,
        (looked, verbs): (&'a Looked, &'a [&'a str]),
    ) -> Result<Weight<'a>, Stop> {
        let class = looked.class(action);
        let recent = self.recent(asked.operator, class)?;
        let (targets, many) = (looked.targets.as_slice(), looked.targets.len());
        Ok(weight(asked, action, Extent { class, targets, many, verbs, recent }))
    }

    /// Whether the yes that was said is enough for all of a list, as far as that does not hang on
    /// its subjects, each of which is weighed again in its turn.
    pub(super) fn suffices(
        &self,
        asked: &Asked<'_>,
        action: &dyn Action,
        (ticket, consent): (&Ticket, &Consent),
        verbs: &[&str],
    ) -> Result<bool, Stop> {
        let many = ticket.about.len();
        let class = action.class(many);
        let recent = self.recent(asked.operator, class)?;
        let weight = weight(asked, action, Extent { class, targets: &[], many, verbs, recent });
        Ok(self.gate().missing(asked.operator, &weight, Some(consent)).is_none())
    }
}
