//! What was found, compared with what was seen or wanted before.

use tracing::warn;

use crate::{
    change::{Answer, FactMap, Outcome, Snapshot, Subject, Undo},
    commands::{Action, Meaning},
    error::Stop,
    pipeline::change::{
        Plan,
        fact::{fact, label},
    },
    reply::{Line, Status},
    synapse::SendError,
};

/// Of what was seen, that which the change was about.
pub(in crate::pipeline) fn only(seen: &Snapshot, wanted: &FactMap) -> FactMap {
    let of = |key: &String| Some((key.clone(), seen.fact(key)?.clone()));
    wanted.keys().filter_map(of).collect()
}

/// What was done, as it was found afterwards.
pub(in crate::pipeline) struct Verified {
    pub(in crate::pipeline) outcome: Outcome,
    /// What should be so but is not, which `outcome` says too.
    pub(in crate::pipeline) unmet: Vec<Line>,
}

impl From<Outcome> for Verified {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, unmet: Vec::new() }
    }
}

/// The verb's own words, lowered where what it wanted is not what was found.
pub(in crate::pipeline) fn verified(
    action: &dyn Action,
    plan: &Plan,
    answers: &[Answer],
    after: &Snapshot,
) -> Verified {
    let mut unmet = Vec::new();
    let mut outcome = action.outcome(&plan.subject, &plan.seen, answers, after);
    let wanted = &plan.change.wanted;
    let met = wanted.iter().filter(|(key, value)| after.fact(key) == Some(value)).count();
    if outcome.status == Status::Done && met < wanted.len() {
        let untouched = wanted.keys().all(|key| after.fact(key) == plan.seen.fact(key));
        outcome.status = if untouched { Status::NothingChanged } else { Status::DoneInPart };
        if untouched {
            // What the verb says of it would be so if it had been done.
            outcome.facts.clear();
            outcome.remains.clear();
        }
        outcome.title = Line::new()
            .code(&plan.subject)
            .plain(": the homeserver reported success, but not everything is as it should be");
        for (key, value) in wanted {
            let now = after.fact(key);
            if now != Some(value) {
                unmet.push(
                    Line::new()
                        .plain(format!("{} should be ", label(key)))
                        .line(fact(Some(value)))
                        .plain(" but is ")
                        .line(fact(now)),
                );
            }
        }
        outcome.facts.extend(unmet.iter().map(|line| ("Not as wanted", line.clone())));
    }
    Verified { outcome, unmet }
}

pub(in crate::pipeline) fn not_verified(subject: &Subject, stop: &Stop) -> Outcome {
    warn!(error = stop as &dyn std::error::Error, "what was done cannot be looked at");
    Outcome {
        status: Status::Unknown,
        title: Line::new().code(subject).plain(
            ": the homeserver reported success, but I cannot check the result now. Look again \
            before you repeat anything",
        ),
        facts: Vec::new(),
        remains: Vec::new(),
        undo: Undo::None("look at it first".to_owned()),
    }
}

/// A step failed: what is known, with the state that the homeserver shows now. So many steps that were the
/// change itself were `answered` before.
pub(in crate::pipeline) fn broken_off(
    action: &dyn Action,
    plan: &Plan,
    error: &SendError,
    after: Option<&Snapshot>,
    answered: usize,
) -> Outcome {
    let known = action.refusals(&plan.subject);
    let meaning = match (error, known) {
        (SendError::Refused(refusal), Some(known)) => Meaning::of(refusal, known),
        _ => None,
    };
    let changed = after.is_some_and(|after| after.preconditions != plan.seen.preconditions);
    let status = match error {
        SendError::Unknown(_) => Status::Unknown,
        _ if answered > 0 || changed => Status::DoneInPart,
        _ => meaning.map_or_else(|| error.ends(), |meaning| meaning.ends),
    };
    let title = match status {
        status if status.is_no() => Line::new().code(&plan.subject).plain(": nothing was done. "),
        _ => Line::new().code(&plan.subject).plain(": "),
    };
    let mut facts = match (status, after) {
        (_, None) => Vec::new(),
        (status, _) if status.is_no() || status == Status::NothingChanged => Vec::new(),
        (_, Some(after)) => after.display.clone(),
    };
    if let (Some(meaning), SendError::Refused(refusal)) = (meaning, error)
        && meaning.is_general()
        && let Some(said) = refusal.message().filter(|said| !said.is_empty())
    {
        facts.push(("The homeserver said", Line::new().hostile(said)));
    }
    Outcome {
        status,
        title: match meaning {
            Some(meaning) => title.line(meaning.line()),
            None => title.plain(error.to_string()),
        },
        facts,
        remains: Vec::new(),
        undo: Undo::None("check the current state before you repeat anything".to_owned()),
    }
}
