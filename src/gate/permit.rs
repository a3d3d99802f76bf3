//! The right to send, as a value.

use sha2::{Digest as _, Sha256};

use crate::change::Step;

/// The proof that the gate let exactly these requests through.
///
/// Only [`Allowed::permit`](super::Allowed::permit) makes one, and for what changes nothing
/// [`Gate::permit_probe`](super::Gate::permit_probe); it cannot be copied. Each step that
/// is sent is taken out of it, so none can be sent twice on one permit.
#[derive(Debug)]
pub struct Permit {
    steps: Vec<[u8; 32]>,
}

impl Permit {
    pub(super) fn over(steps: &[Step]) -> Option<Self> {
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

fn digest(step: &Step) -> Option<[u8; 32]> {
    // A step is plain JSON values; should one ever not serialise, it is not permitted.
    serde_json::to_vec(step).ok().map(|bytes| Sha256::digest(bytes).into())
}
