//! The right to send, as a value.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::change::Step;

/// The proof that the gate let exactly these requests through.
///
/// Only [`Allowed::permit`](super::Allowed::permit) makes one, and for what changes nothing
/// [`Gate::permit_probe`](super::Gate::permit_probe); it cannot be copied. Each step that
/// is sent is taken out of it, so none can be sent twice on one permit. A step that is sent with another
/// token than the admin's is another step, and there is none without a step before it that makes the token.
#[derive(Debug)]
pub struct Permit {
    steps: Vec<[u8; 32]>,
}

impl Permit {
    pub(super) fn over(steps: &[Step]) -> Option<Self> {
        if !tokens_are_made(steps) {
            return None;
        }
        steps.iter().map(digest).collect::<Option<_>>().map(|steps| Self { steps })
    }

    /// A permit for `steps`, for tests of what a permit allows.
    #[cfg(test)]
    pub(crate) fn naming(steps: &[Step]) -> Self {
        Self { steps: steps.iter().filter_map(digest).collect() }
    }

    /// Takes the right to send `step` out of the permit; false where it holds none.
    pub(crate) fn take(&mut self, step: &Step) -> bool {
        let Some(digest) = digest(step) else { return false };
        match self.steps.iter().position(|permitted| *permitted == digest) {
            Some(at) => {
                self.steps.swap_remove(at);
                true
            }
            None => false,
        }
    }
}

/// Whether each token with which a step is sent, and each id in its path that was not known, is one that a
/// step before it makes: never a secret that somebody typed, or that was made for something else.
fn tokens_are_made(steps: &[Step]) -> bool {
    let mut made: BTreeSet<&str> = BTreeSet::new();
    steps.iter().all(|step| {
        let mut slots = step.bearer.as_deref().into_iter().chain(step.path.slot());
        let is_made = slots.all(|slot| made.contains(slot));
        made.extend(step.reveals.iter().map(|(_, slot)| slot.as_str()));
        is_made
    })
}

fn digest(step: &Step) -> Option<[u8; 32]> {
    // A step is plain JSON values; should one ever not serialise, it is not permitted.
    serde_json::to_vec(step).ok().map(|bytes| Sha256::digest(bytes).into())
}
