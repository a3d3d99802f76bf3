//! Who may do what to whom: the only maker of a [`Permit`].
//!
//! Decisions are pure. They rest on the roster (from the config), on what the command weighs, on
//! what the homeserver says of its subjects, and on the yes that was said, and they are made
//! anew when the yes arrives: an operator who was removed meanwhile has nothing to say.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};

use crate::{
    change::{Class, Power, Step, Subject},
    confirm::Consent,
    reply::Line,
};

mod permit;
mod role;
#[cfg(test)]
mod tests;

pub use permit::Permit;
pub use role::Role;

/// A person on the allowlist, by one of their accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The account.
    pub user: OwnedUserId,
    /// Their role.
    pub role: Role,
    /// Who they are: several accounts can be one person. The account itself where the config
    /// names nobody.
    pub person: String,
}

/// Everybody and everything that the gate knows by name.
#[derive(Debug, Clone)]
pub struct Roster {
    /// The bot's own account.
    pub bot: OwnedUserId,
    /// The account of the admin token, once known.
    pub admin_account: Option<OwnedUserId>,
    /// The admin rooms.
    pub rooms: BTreeSet<OwnedRoomId>,
    /// The operators.
    pub operators: BTreeMap<OwnedUserId, Operator>,
    /// Whether nothing may be changed at all.
    pub read_only: bool,
    /// Whether a reaction or a bare yes counts for anything.
    pub reactions: bool,
}

impl Roster {
    /// The operator with this account.
    pub fn operator(&self, user: &UserId) -> Option<&Operator> {
        self.operators.get(user)
    }
}

/// One subject of a change and what the homeserver says of it that decides about protection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The subject.
    pub subject: Subject,
    /// Whether it is, or belongs to, an account that is a server admin.
    pub server_admin: bool,
}

/// What a change weighs.
#[derive(Debug, Clone, Copy)]
pub struct Weight<'a> {
    /// Its class, counted over all its subjects.
    pub class: Class,
    /// The right that it takes.
    pub power: Power,
    /// Whether it asks for a phrase by its nature.
    pub phrase: bool,
    /// Whether it can neither silence nor destroy what it changes.
    pub harmless: bool,
    /// Its subjects.
    pub targets: &'a [Target],
}

/// How yes must be said. Ordered from lightest to heaviest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// In any way: a reaction, a bare yes, a code.
    Yes,
    /// By the code of the question.
    Code,
    /// By the code and this phrase, which the question asks for and does not show.
    Phrase(String),
}

/// Why not, in words for the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub Line);

/// What the gate decided.
#[derive(Debug)]
pub enum Verdict {
    /// These requests may be sent, once.
    Run(Permit),
    /// A yes is needed first.
    Ask(Demand),
    /// Allowed, and said yes to where that is needed; but the bot is read-only or frozen.
    Rehearse,
    /// Not allowed.
    Refuse(Refusal),
}

/// The gate.
#[derive(Debug, Clone, Copy)]
pub struct Gate<'a> {
    roster: &'a Roster,
    held: bool,
}

impl<'a> Gate<'a> {
    /// A gate kept by this roster.
    pub fn new(roster: &'a Roster) -> Self {
        Self { roster, held: roster.read_only }
    }

    /// The same gate; where `held`, nothing passes, whoever asks.
    #[must_use]
    pub fn held(mut self, held: bool) -> Self {
        self.held |= held;
        self
    }

    /// Whether `operator` has `power` at all; said before anything is looked up.
    pub fn may_use(self, operator: &Operator, power: Power) -> Result<(), Refusal> {
        if operator.role.has(power) {
            return Ok(());
        }
        let needed = Role::with(power).as_str();
        Err(Refusal(
            Line::new()
                .plain(format!("this takes the role {needed}, and you are {}. Ask one of: ", {
                    operator.role.as_str()
                }))
                .line(self.holders(power)),
        ))
    }

    fn holders(self, power: Power) -> Line {
        let mut line = Line::new();
        for (n, operator) in
            self.roster.operators.values().filter(|operator| operator.role.has(power)).enumerate()
        {
            if n > 0 {
                line = line.plain(", ");
            }
            line = line.code(&operator.user);
        }
        line
    }

    /// Whether `operator` may do what takes `power` to this target.
    pub fn may_touch(self, operator: &Operator, target: &Target) -> Result<(), Refusal> {
        let subject = &target.subject;
        if let Some(whose) = self.flatly_refused(subject) {
            return Err(Refusal(
                Line::new()
                    .code(subject)
                    .plain(format!(" is {whose}: nobody changes it through the bot")),
            ));
        }
        if operator.role < Role::Admin
            && let Some(what) = self.protected(target)
        {
            return Err(Refusal(
                Line::new()
                    .code(subject)
                    .plain(format!(" is {what}: only an admin may act on it, and you are "))
                    .plain(operator.role.as_str()),
            ));
        }
        Ok(())
    }

    fn flatly_refused(self, subject: &Subject) -> Option<&'static str> {
        if let Subject::Room(room) = subject {
            return self.roster.rooms.contains(room).then_some("an admin room of the bot");
        }
        let user = subject.user()?;
        if *user == self.roster.bot {
            Some("the bot's own account")
        } else if Some(user) == self.roster.admin_account.as_ref() {
            Some("the account of the bot's admin token")
        } else {
            None
        }
    }

    fn protected(self, target: &Target) -> Option<&'static str> {
        let user = target.subject.user()?;
        if self.roster.operators.contains_key(user) {
            Some("an operator")
        } else if target.server_admin {
            Some("a server admin")
        } else {
            None
        }
    }

    /// Decides about a change, given the yes that was said, if any.
    pub fn decide(
        self,
        operator: &Operator,
        weight: &Weight<'_>,
        steps: &[Step],
        consent: Option<&Consent>,
    ) -> Verdict {
        let allowed = self.may_use(operator, weight.power).and_then(|()| {
            let touched = weight.targets.iter().filter(|_| !weight.harmless);
            touched.into_iter().try_for_each(|target| self.may_touch(operator, target))
        });
        if let Err(refusal) = allowed {
            return Verdict::Refuse(refusal);
        }
        if let Some(demand) = self.demand(weight)
            && !consent.is_some_and(|consent| consent.satisfies(&demand))
        {
            return Verdict::Ask(demand);
        }
        if self.held {
            return Verdict::Rehearse;
        }
        match Permit::over(steps) {
            Some(permit) => Verdict::Run(permit),
            None => Verdict::Refuse(Refusal(Line::from(
                "the requests of this command cannot be written down, so they are not sent",
            ))),
        }
    }

    /// How yes must be said; `None` where nothing needs to be asked.
    pub fn demand(self, weight: &Weight<'_>) -> Option<Demand> {
        let many = weight.targets.len() > 1;
        let protected = !weight.harmless
            && weight.targets.iter().any(|target| self.protected(target).is_some());
        let class = if many { weight.class.max(Class::Disruptive) } else { weight.class };
        let phrase = || match weight.targets {
            [one] => one.subject.phrase(),
            several => several.len().to_string(),
        };
        match class {
            _ if protected || weight.phrase || (many && class == Class::Irreversible) => {
                Some(Demand::Phrase(phrase()))
            }
            Class::Disruptive if self.roster.reactions => Some(Demand::Yes),
            Class::Irreversible | Class::Disruptive => Some(Demand::Code),
            Class::Reversible => None,
        }
    }
}
