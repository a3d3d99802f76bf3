//! Accounts and rooms that rules have named: which were let go, and what was done to them.

use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedUserId};
use serde::{Deserialize, Serialize};

use super::Rule;
use crate::change::{FactMap, Subject};

/// That an operator has let an account or room go: no rule leads to anything for it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetGo {
    /// Who.
    pub by: OwnedUserId,
    /// When.
    pub at: Timestamp,
    /// The number of that in the record.
    pub number: u64,
}

/// What the bot has done, or is about to do, because of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Whom or what it is about.
    pub subject: Subject,
    /// The list, as the config names it.
    pub list: String,
    /// The rule that led to it.
    pub rule: Rule,
    /// When.
    pub at: Timestamp,
    /// The words of the command.
    pub words: Vec<String>,
    /// How far it is.
    pub state: MeasureState,
}

/// How far a measure is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureState {
    /// It is announced by this message, and about to be taken.
    Announced(OwnedEventId),
    /// It was taken.
    Taken {
        /// The number of the change.
        number: u64,
        /// The message that announced it.
        announced: OwnedEventId,
        /// The words of the command that takes it back.
        undo: Vec<String>,
        /// The state that it left.
        left: FactMap,
    },
}
