//! Who may do what to whom: the only maker of a [`Permit`].

use sha2::{Digest as _, Sha256};

use crate::change::Step;

/// The proof that the gate let exactly these steps through, each once. It cannot be copied.
#[derive(Debug)]
pub struct Permit {
    steps: Vec<[u8; 32]>,
}

impl Permit {
    /// Uses up the place of `step`; false where it is not named, or not any more.
    pub(crate) fn take(&mut self, step: &Step) -> bool {
        let Some(wanted) = digest(step) else { return false };
        let place = self.steps.iter().position(|&named| named == wanted);
        place.map(|place| self.steps.swap_remove(place)).is_some()
    }

    /// A permit for `steps`, for tests of what a permit allows.
    #[cfg(test)]
    pub(crate) fn naming(steps: &[Step]) -> Self {
        Self { steps: steps.iter().filter_map(digest).collect() }
    }
}

/// What names a step: the digest of its JSON.
fn digest(step: &Step) -> Option<[u8; 32]> {
    serde_json::to_vec(step).ok().map(|json| Sha256::digest(json).into())
}
