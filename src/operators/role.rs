//! What an operator may do, and to whom.

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::{Refusal, policy::names};
use crate::{
    change::{Power, Subject},
    reply::Line,
};

/// How roles compare, where one must not undo what another has done: ordered from low to high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rank {
    /// Who only looks, or does something small besides.
    Viewer,
    /// Who acts on ordinary accounts, rooms and media.
    Moderator,
    /// Who does everything.
    Admin,
}

impl Rank {
    /// Every rank; each is also the name of a role that is there without being written.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Moderator, Self::Admin];

    /// Its name as the config writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
        }
    }

    /// The lowest rank whose role has `power`.
    pub fn with(power: Power) -> Self {
        match power {
            Power::Look => Self::Viewer,
            Power::LookPrivate | Power::Moderate => Self::Moderator,
            Power::Account | Power::Server => Self::Admin,
        }
    }
}

/// Powers over subjects, under a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// Its name, as the config writes it.
    pub name: String,
    /// How it compares with others.
    pub rank: Rank,
    powers: BTreeSet<Power>,
    reach: Reach,
}

/// For which verbs and subjects the powers of a role hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reach {
    /// Only for these verbs, `*` standing for anything; none for all.
    pub verbs: Vec<WildMatch>,
    /// Only over these ids; none for all.
    pub on: Vec<WildMatch>,
    /// Not over these ids.
    pub not_on: Vec<WildMatch>,
}

impl From<Rank> for Role {
    /// The role that is there without being written.
    fn from(rank: Rank) -> Self {
        let powers = Power::ALL.into_iter().filter(|power| Rank::with(*power) <= rank);
        Self {
            name: rank.as_str().to_owned(),
            rank,
            powers: powers.collect(),
            reach: Reach::default(),
        }
    }
}

impl From<Rank> for Arc<Role> {
    fn from(rank: Rank) -> Self {
        Self::new(rank.into())
    }
}

impl Role {
    /// A role of the config's own. It never ranks as admin: only that one acts on operators and
    /// server admins, and it takes no leave.
    pub fn own(name: String, powers: BTreeSet<Power>, reach: Reach) -> Self {
        let rank = if powers.contains(&Power::Moderate) { Rank::Moderator } else { Rank::Viewer };
        Self { name, rank, powers, reach }
    }

    /// Whether whoever has this role may do nothing that `other` may not.
    pub fn is_within(&self, other: &Self) -> bool {
        let all_of = |ours: &[WildMatch], theirs: &[WildMatch]| {
            theirs.is_empty() || (!ours.is_empty() && ours.iter().all(|one| theirs.contains(one)))
        };
        let Reach { verbs, on, not_on } = &other.reach;
        self.rank <= other.rank
            && self.powers.is_subset(&other.powers)
            && all_of(&self.reach.verbs, verbs)
            && all_of(&self.reach.on, on)
            && not_on.iter().all(|one| self.reach.not_on.contains(one))
    }

    /// Whether it has `power` for some verb.
    pub fn has(&self, power: Power) -> bool {
        self.powers.contains(&power)
    }

    /// Whether it has `power` for this verb.
    pub fn allows(&self, power: Power, verb: &str) -> bool {
        let verbs = &self.reach.verbs;
        self.has(power) && (verbs.is_empty() || verbs.iter().any(|pattern| names(pattern, verb)))
    }

    /// Returns a refusal unless the subject is within the role's scope, for a look and for a change.
    pub fn must_reach(&self, subject: &Subject) -> Result<(), Refusal> {
        if self.reaches(subject) {
            return Ok(());
        }
        Err(Refusal(
            Line::new().plain(format!("your role {} does not cover ", self.name)).code(subject),
        ))
    }

    fn reaches(&self, subject: &Subject) -> bool {
        let id = subject.owner_id();
        let named = |patterns: &[WildMatch]| patterns.iter().any(|pattern| pattern.matches(&id));
        (self.reach.on.is_empty() || named(&self.reach.on)) && !named(&self.reach.not_on)
    }
}
