//! One change at a time to each subject, in the order in which they came.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::change::Subject;

/// A lock for each subject that is being changed, or for each of something else.
#[derive(Debug)]
pub(in crate::pipeline) struct Locks<K = Subject>(std::sync::Mutex<HashMap<K, Arc<Mutex<()>>>>);

impl<K> Default for Locks<K> {
    fn default() -> Self {
        Self(std::sync::Mutex::default())
    }
}

impl<K: Clone + Hash + Ord> Locks<K> {
    /// Returns when nobody else changes any of these subjects. Locks are taken in the order of
    /// the subjects, so that two who want the same ones cannot wait for each other.
    pub(in crate::pipeline) async fn hold(&self, subjects: &[K]) -> Vec<OwnedMutexGuard<()>> {
        let mut sorted: Vec<&K> = subjects.iter().collect();
        sorted.sort();
        sorted.dedup();
        let mut held = Vec::with_capacity(sorted.len());
        for subject in sorted {
            let lock = self.lock_of(subject);
            held.push(lock.lock_owned().await);
        }
        held
    }

    fn lock_of(&self, subject: &K) -> Arc<Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A lock that only this table still holds is nobody's.
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(subject.clone()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use ruma::owned_user_id;

    use super::*;

    #[tokio::test]
    async fn one_subject_is_held_once_and_another_is_free() {
        let locks: Locks = Locks::default();
        let (eve, mallory) = (
            Subject::User(owned_user_id!("@eve:x.test")),
            Subject::User(owned_user_id!("@mallory:x.test")),
        );
        let held = locks.hold(&[eve.clone(), eve.clone()]).await;
        assert!(locks.hold(&[mallory]).now_or_never().is_some());
        assert!(locks.hold(std::slice::from_ref(&eve)).now_or_never().is_none());
        drop(held);
        assert!(locks.hold(&[eve]).now_or_never().is_some());
    }
}
