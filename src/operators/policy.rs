//! What the config demands beyond what a change weighs by itself.

use std::time::Duration;

use regex::Regex;
use wildmatch::WildMatch;

use crate::change::{Class, Power, Subject};

/// What is demanded, of whom, for what.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether a reaction or a bare yes counts for anything.
    pub reactions: bool,
    /// Demands for some changes. What each of those that fit demands is demanded.
    pub rules: Vec<Rule>,
    /// What is protected, and how.
    pub protection: Protection,
    /// How long the others have to deny what somebody does without them; absent where nobody may.
    pub alone: Option<Duration>,
    /// How many irreversible changes, counted by subject, one person may make within
    /// [`RECENT`](crate::gate::RECENT); what would make more of them needs another person.
    pub unreviewed: usize,
    /// What every reason must look like.
    pub reason: Option<Regex>,
}

impl Default for Policy {
    /// What holds where the config says nothing.
    fn default() -> Self {
        Self {
            reactions: true,
            rules: Vec::new(),
            protection: Protection::default(),
            alone: None,
            unreviewed: 20,
            reason: None,
        }
    }
}

/// A demand for some changes: for those that fit everything that is said here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rule {
    /// The verbs, `*` standing for anything; none for every verb.
    pub verbs: Vec<WildMatch>,
    /// This class, and what is dearer.
    pub class: Option<Class>,
    /// This power.
    pub power: Option<Power>,
    /// So many subjects and more.
    pub subjects: Option<usize>,
    /// Whether one of them is protected.
    pub protected: Option<bool>,
    /// How many persons besides the asker must approve.
    pub others: usize,
    /// Whether whoever says yes must show a one-time password.
    pub totp: bool,
    /// Whether it takes a reason.
    pub reason: bool,
}

/// What a rule is matched with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// The verb by its own name, with the words below it, and every other that it amounts to.
    pub(crate) verbs: &'a [&'a str],
    pub(crate) class: Class,
    pub(crate) power: Power,
    pub(crate) subjects: usize,
    pub(crate) protected: bool,
}

impl Rule {
    pub(crate) fn fits(&self, facts: Facts<'_>) -> bool {
        let named = |pattern| facts.verbs.iter().any(|verb| names(pattern, verb));
        (self.verbs.is_empty() || self.verbs.iter().any(named))
            && self.class.is_none_or(|class| facts.class >= class)
            && self.power.is_none_or(|power| facts.power == power)
            && self.subjects.is_none_or(|subjects| facts.subjects >= subjects)
            && self.protected.is_none_or(|protected| facts.protected == protected)
    }
}

/// Whether a pattern names this verb. `user admin` names what stands below it too.
pub(crate) fn names(pattern: &WildMatch, verb: &str) -> bool {
    let mut ends = verb.match_indices(' ').map(|(at, _)| at).chain([verb.len()]);
    ends.any(|end| verb.get(..end).is_some_and(|verb| pattern.matches(verb)))
}

/// What becomes of a change of something that is protected, by somebody who may make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stance {
    /// They say yes to it themselves, with a phrase.
    Phrase,
    /// Somebody else says yes to it.
    SecondPerson,
    /// It is refused.
    Refused,
}

/// What is protected, and how.
#[derive(Debug, Clone)]
pub struct Protection {
    /// Accounts that are server admins.
    pub server_admins: Stance,
    /// The operators' accounts.
    pub operators: Stance,
    /// Accounts that belong to an application service.
    pub bridged: Stance,
    /// Others by their ids, `*` standing for anything.
    pub subjects: Vec<(WildMatch, Stance)>,
}

impl Default for Protection {
    fn default() -> Self {
        Self::all(Stance::SecondPerson)
    }
}

impl Protection {
    /// Everything in this way, and nothing by its id.
    pub fn all(stance: Stance) -> Self {
        let (server_admins, operators, bridged) = (stance, stance, stance);
        Self { server_admins, operators, bridged, subjects: Vec::new() }
    }

    /// The strictest of what the config says of this subject by its id.
    pub(crate) fn named(&self, subject: &Subject) -> Option<Stance> {
        let id = subject.owner_id();
        let named = self.subjects.iter().filter(|(pattern, _)| pattern.matches(&id));
        named.map(|(_, stance)| *stance).max()
    }
}
