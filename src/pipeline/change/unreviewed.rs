//! How much of what cannot be undone one person has done of late, and whether a second person must
//! agree to more of it.
//!
//! It is counted by subject, from what the record says was done, and from what is in hand. The
//! lock of the person is held from the count until what is weighed stands in the record itself, so
//! that of two yeses at once the second is weighed with the first.

use tokio::sync::OwnedMutexGuard;

use super::{Executor, locks::Locks};
use crate::{
    audit::{Kind, Record},
    change::Class,
    error::Stop,
    gate::RECENT,
    operators::Operator,
    reply::Status,
    store,
};

/// A lock for each person who is about to do something that cannot be undone.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Counted(Locks<String>);

impl Counted {
    /// Returns when nothing else is being weighed for the same person. What can be undone waits
    /// for nobody.
    pub(in crate::pipeline) async fn hold(
        &self,
        operator: &Operator,
        class: Class,
    ) -> Vec<OwnedMutexGuard<()>> {
        match class {
            Class::Irreversible => self.0.hold(std::slice::from_ref(&operator.person)).await,
            Class::Reversible | Class::Disruptive => Vec::new(),
        }
    }
}

impl Executor {
    /// How many subjects this person has changed irreversibly within [`RECENT`], or is changing
    /// now; nothing where what is weighed can be undone.
    pub(in crate::pipeline) fn recent(
        &self,
        operator: &Operator,
        class: Class,
    ) -> Result<usize, Stop> {
        if class != Class::Irreversible {
            return Ok(0);
        }
        Ok(self.counted_for(operator)?)
    }

    fn counted_for(&self, operator: &Operator) -> Result<usize, store::Error> {
        let theirs = |opened: &Record| {
            let by = opened.by.as_ref().and_then(|by| self.roster.operator(by));
            opened.class == Some(Class::Irreversible)
                && by.is_some_and(|by| by.person == operator.person)
        };
        let mut count = 0;
        // What is in hand counts whole, however long ago it was begun.
        for (_, opened) in self.audit.left_open()?.iter().filter(|(_, opened)| theirs(opened)) {
            count += counts(opened, opened.subjects.len().max(1));
        }
        for closed in self.audit.since(self.clock.now() - RECENT)? {
            let Some(of) = closed.of.filter(|_| closed.kind == Kind::Closed) else { continue };
            let opened = self.audit.get(of)?.and_then(|kept| kept.record);
            if let Some(opened) = opened.filter(&theirs) {
                count += counts(&opened, changed(&closed));
            }
        }
        Ok(count)
    }
}

/// What another person has agreed to, however much it is, was looked at: it counts once.
fn counts(opened: &Record, subjects: usize) -> usize {
    if opened.approvals.is_empty() { subjects } else { subjects.min(1) }
}

/// How many subjects a change has changed, by the record of its end.
fn changed(closed: &Record) -> usize {
    // Records of before say only how it ended.
    let otherwise = || match closed.status {
        Some(status) if !has_changed(status) => 0,
        Some(_) | None => closed.subjects.len().max(1),
    };
    closed.changed.unwrap_or_else(otherwise)
}

/// Whether what ended so has changed its subject, or may have.
pub(in crate::pipeline) fn has_changed(status: Status) -> bool {
    match status {
        Status::Done | Status::DoneInPart | Status::Unknown => true,
        Status::NothingChanged
        | Status::Refused
        | Status::NotUnderstood
        | Status::NotFound
        | Status::Failed
        | Status::Expired => false,
    }
}
