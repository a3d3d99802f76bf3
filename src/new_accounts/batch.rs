//! New accounts that are told together, and which registration tokens were used meanwhile.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};

use crate::reply::Hostile;

/// How many of the new accounts are named; the others are counted.
pub const NAMED: usize = 10;

/// How many patterns of names are counted.
const PATTERNS: usize = 500;

/// From so many accounts on that have one pattern, their names are alike.
const ALIKE: usize = 3;

/// Some new accounts, as they are told together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// When the first of them were found.
    pub since: Timestamp,
    /// In how many looks they were found.
    pub looks: usize,
    /// How many there are.
    pub count: usize,
    /// Whether there may be more.
    pub at_least: bool,
    /// When the first and the last of them were created.
    pub created: (Timestamp, Timestamp),
    /// Some of them: those that are like somebody first, then the newest.
    pub named: Vec<NewAccount>,
    /// How many were looked up one by one.
    pub looked_up: usize,
    /// And have no email address.
    pub without_email: usize,
    /// How many did not register themselves: a provider lets them in, or somebody made them through the bot.
    pub not_registered: usize,
    /// How many wait for the approval of an admin.
    pub waiting: usize,
    /// How many of application services came with them, which are left out.
    pub bridged: usize,
    /// How many have names of this pattern.
    pub patterns: BTreeMap<String, usize>,
    /// Which registration tokens were used meanwhile.
    pub used: Used,
}

/// What one look has found.
#[derive(Debug)]
pub struct Found {
    /// When.
    pub at: Timestamp,
    /// The new accounts, each with the pattern of its name where that has one; the newest first.
    pub accounts: Vec<(NewAccount, Option<String>)>,
    /// Whether there may be more.
    pub at_least: bool,
    /// How many of application services came with them.
    pub bridged: usize,
    /// Which tokens were used since the look before.
    pub used: Used,
}

/// A new account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAccount {
    /// Its id.
    pub id: OwnedUserId,
    /// The name that people see, where that says more than the id.
    pub name: Option<Hostile>,
    /// When it was created.
    pub created: Timestamp,
    /// Whether it waits for the approval of an admin.
    pub waits: bool,
    /// Whose name its own reads like.
    pub like: Option<Like>,
    /// What was looked up of it; nothing where that was not done, or did not work.
    pub looked_up: Option<LookedUp>,
}

/// An account of which a new one has nearly the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Like {
    /// The account.
    pub user: OwnedUserId,
    /// Whose it is.
    pub whose: Whose,
}

/// Whose an account is that somebody might want to be taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// An operator's.
    Operator,
    /// The bot's own, or that of its admin token.
    Bot,
    /// One that the config protects by its id.
    Protected,
}

/// What was looked up of a new account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedUp {
    /// Whether it has an email address.
    pub email: bool,
    /// The identity provider that lets it in, where there is one.
    pub provider: Option<Hostile>,
    /// Who made it through the bot, and the number of that change.
    pub made: Option<(OwnedUserId, u64)>,
    /// Whether it is deactivated already.
    pub deactivated: bool,
    /// In how many rooms it is already, where that was looked up.
    pub rooms: Option<usize>,
    /// How many invitations it has sent already, where that was looked up.
    pub invitations: Option<u64>,
}

/// Which registration tokens were used, as far as the homeserver's counts show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Used {
    /// Each that was used, and how often.
    These(BTreeMap<String, u64>),
    /// The counts could not be compared.
    NotKnown,
    /// The homeserver has no tokens.
    NoTokens,
}

impl Used {
    /// What was used between two looks at the counts. A token that was deleted since is forgotten with its
    /// count, and one that was made anew counts from nothing.
    pub fn between(before: Option<&BTreeMap<String, u64>>, now: &BTreeMap<String, u64>) -> Self {
        let Some(before) = before else { return Self::NotKnown };
        let risen = now.iter().filter_map(|(token, count)| {
            let more = count.saturating_sub(before.get(token).copied().unwrap_or_default());
            (more > 0).then(|| (token.clone(), more))
        });
        Self::These(risen.collect())
    }

    /// This, and what was used after it.
    fn and(self, later: Self) -> Self {
        match (self, later) {
            (Self::These(mut these), Self::These(later)) => {
                for (token, more) in later {
                    let count = these.entry(token).or_default();
                    *count = count.saturating_add(more);
                }
                Self::These(these)
            }
            (Self::NoTokens, other) | (other, Self::NoTokens) => other,
            (Self::NotKnown, _) | (_, Self::NotKnown) => Self::NotKnown,
        }
    }
}

impl Batch {
    /// The new accounts of one look, where there are any.
    pub fn of(found: Found) -> Option<Self> {
        let Found { at, accounts, at_least, bridged, used } = found;
        let created = || accounts.iter().map(|(account, _)| account.created);
        let created = (created().min()?, created().max()?);
        let mut patterns = BTreeMap::new();
        for pattern in accounts.iter().filter_map(|(_, pattern)| pattern.as_ref()) {
            *patterns.entry(pattern.clone()).or_default() += 1;
        }
        let counted = |is: fn(&LookedUp) -> bool| {
            let looked_up = accounts.iter().filter_map(|(account, _)| account.looked_up.as_ref());
            looked_up.filter(|looked_up| is(looked_up)).count()
        };
        Some(Self {
            since: at,
            looks: 1,
            count: accounts.len(),
            at_least,
            created,
            looked_up: counted(|_| true),
            without_email: counted(|one| !one.email),
            not_registered: counted(|one| one.provider.is_some() || one.made.is_some()),
            waiting: accounts.iter().filter(|(account, _)| account.waits).count(),
            bridged,
            patterns,
            used,
            named: named(accounts.into_iter().map(|(account, _)| account).collect()),
        })
    }

    /// This, with what a later look has found.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let mut patterns = self.patterns;
        for (pattern, count) in later.patterns {
            if patterns.len() < PATTERNS || patterns.contains_key(&pattern) {
                *patterns.entry(pattern).or_default() += count;
            }
        }
        let (first, last) = (self.created, later.created);
        Self {
            since: self.since,
            looks: self.looks + later.looks,
            count: self.count + later.count,
            at_least: self.at_least || later.at_least,
            created: (first.0.min(last.0), first.1.max(last.1)),
            looked_up: self.looked_up + later.looked_up,
            without_email: self.without_email + later.without_email,
            not_registered: self.not_registered + later.not_registered,
            waiting: self.waiting + later.waiting,
            bridged: self.bridged + later.bridged,
            patterns,
            used: self.used.and(later.used),
            named: named(later.named.into_iter().chain(self.named).collect()),
        }
    }

    /// Whether so many came together that not all of them are named.
    pub fn is_storm(&self) -> bool {
        self.at_least || self.count > NAMED
    }

    /// The patterns of names that several have, the most frequent first.
    pub fn alike(&self) -> Vec<(&str, usize)> {
        let alike = self.patterns.iter().filter(|(_, count)| **count >= ALIKE);
        let mut alike: Vec<_> = alike.map(|(name, count)| (name.as_str(), *count)).collect();
        alike.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        alike
    }

    /// The token with which all registered who did so themselves: no other was used meanwhile, and this one
    /// as often as there are such accounts.
    pub fn registered_with(&self) -> Option<&str> {
        let Used::These(used) = &self.used else { return None };
        let mut used = used.iter();
        let (Some((token, count)), None) = (used.next(), used.next()) else { return None };
        let themselves = self.count.saturating_sub(self.not_registered);
        let all_known = !self.at_least && self.looked_up == self.count;
        (all_known && usize::try_from(*count) == Ok(themselves)).then_some(token)
    }
}

/// Those of these that are named.
fn named(mut accounts: Vec<NewAccount>) -> Vec<NewAccount> {
    accounts.sort_by_key(|account| account.like.is_none());
    accounts.truncate(NAMED);
    accounts
}
