//! From a message to a task: what is heard, whose word it is, what its words mean, and when its
//! turn comes.

pub(super) mod authentic;
pub(super) mod choices;
pub(super) mod hindrance;
pub(super) mod list;
pub(super) mod listings;
pub(super) mod names;
pub(super) mod press;
pub mod queue;
pub(super) mod read;
pub(super) mod strangers;
pub(super) mod subject;
pub(super) mod understand;
