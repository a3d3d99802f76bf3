//! Who may do what to whom: the only maker of a [`Permit`].
//!
//! Decisions are pure. They rest on the roster (from the config), on what the command weighs, on
//! what the homeserver says of its subjects, and on the yes that was said, and they are made
//! anew when the yes arrives: an operator who was removed meanwhile has nothing to say.

use std::{collections::BTreeSet, fmt};

use jiff::SignedDuration;

use crate::{
    change::{Class, Power, Probe, Step, Subject},
    confirm::{Consent, Demand},
    operators::{Facts, Operator, Rank, Refusal, Roster, Rule, Stance},
    reply::Line,
};

mod permit;
#[cfg(test)]
mod tests;

pub use permit::Permit;

/// For how long an irreversible change counts towards what one person may do unreviewed.
/// [`Because`] says it in words.
pub const RECENT: SignedDuration = SignedDuration::from_mins(10);

/// So many subjects are seen at a glance and done at once, in one answer. More of them are a job,
/// and a yes to them carries their number.
pub const AT_A_GLANCE: usize = 10;

/// One subject of a change and what the homeserver says of it that decides about protection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The subject.
    pub subject: Subject,
    /// Whether it is, or belongs to, an account that is a server admin.
    pub server_admin: bool,
    /// Whether it is, or belongs to, an account of an application service.
    pub bridged: bool,
    /// What something is done to besides by changing it, such as who is made to act.
    pub reached: Vec<Target>,
}

impl Target {
    /// A subject of which the homeserver says nothing that protects it.
    pub fn ordinary(subject: Subject) -> Self {
        Self { subject, server_admin: false, bridged: false, reached: Vec::new() }
    }

    /// It, and the accounts that are reached with it: what protects them protects them from this.
    fn accounts(&self) -> impl Iterator<Item = &Self> {
        let reached = self.reached.iter().filter(|one| one.subject.user().is_some());
        std::iter::once(self).chain(reached)
    }
}

/// What a change weighs.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is so or not, whatever the others are")]
pub struct Weight<'a> {
    /// Its class, counted over all its subjects.
    pub class: Class,
    /// The right that it takes.
    pub power: Power,
    /// Whether it asks for a phrase by its nature.
    pub phrase: bool,
    /// Whether it takes the code at least, whatever it is.
    pub code: bool,
    /// Whether it can neither silence nor destroy what it changes.
    pub harmless: bool,
    /// Its subjects, or those of them that are at hand.
    pub targets: &'a [Target],
    /// How many subjects there are in all.
    pub many: usize,
    /// The verb by its own name, with the words below it: `sanction extend`. After it, every other
    /// verb that it amounts to.
    pub verbs: &'a [&'a str],
    /// Why, in the asker's words.
    pub reason: Option<&'a str>,
    /// How many irreversible changes the asker has made within [`RECENT`], or has in hand, besides
    /// this one.
    pub recent: usize,
    /// Whether it takes back what was agreed to with its end, because its time is over.
    pub due: bool,
    /// Whether the config says that it is done by itself: that stands for the lightest yes, and for no other.
    pub standing: bool,
}

impl Weight<'_> {
    /// Whether the config has said the yes that it takes: of the lightest kind, to one ordinary subject.
    fn is_said_by_the_config(&self) -> bool {
        self.standing && self.class <= Class::Disruptive && self.many <= 1 && !self.code
    }
}

/// Everything that must be said before a change is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// How each who says yes says it.
    pub demand: Demand,
    /// How many persons besides the asker must say it. Where there are any, the asker need not.
    pub others: usize,
    /// Whether each who says yes must show a one-time password with it.
    pub totp: bool,
    /// Why it takes others, where it does.
    pub because: Because,
}

/// Why a change takes others than its asker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// The config wants it so for changes like this.
    Rule,
    /// One of its subjects is protected.
    Protected,
    /// With it one person would have made more irreversible changes within [`RECENT`] than the
    /// config allows unreviewed.
    Many {
        /// How many the config allows.
        allowed: usize,
        /// How many it would be.
        with_this: usize,
    },
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule => f.write_str("my config requires it"),
            Self::Protected => f.write_str("it is protected"),
            Self::Many { allowed, with_this } => write!(
                f,
                "more than {allowed} irreversible changes in ten minutes need a second person (with \
                 this it would be {with_this})"
            ),
        }
    }
}

/// What the gate decided.
#[derive(Debug)]
pub enum Verdict {
    /// It may be done now.
    Allow(Allowed),
    /// A yes is needed first.
    Ask(Terms),
    /// Allowed, and said yes to where that is needed; but the bot is read-only or frozen.
    Rehearse,
    /// Not allowed.
    Refuse(Refusal),
}

/// That a change may be made. Nothing but the gate says so, and it lets nothing through by itself.
#[derive(Debug)]
pub struct Allowed(());

impl Allowed {
    /// The right to send each of these requests once, which are all that the change takes.
    pub fn permit(self, steps: &[Step]) -> Result<Permit, Refusal> {
        Permit::over(steps).ok_or_else(|| {
            Refusal(Line::from(
                "the requests of this command cannot be written down, so they are not sent",
            ))
        })
    }
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

    /// The right to send this probe once, which changes nothing; none where nothing is sent at all.
    pub fn permit_probe(self, probe: Probe) -> Option<Permit> {
        if self.held { None } else { Permit::over(&[probe.step()]) }
    }

    /// Whether `operator` has `power` for this verb at all; said before anything is looked up.
    pub fn may_use(self, operator: &Operator, power: Power, verb: &str) -> Result<(), Refusal> {
        if operator.role.allows(power, verb) {
            return Ok(());
        }
        let own = self.roster.roles.iter().filter(|role| role.allows(power, verb));
        let roles: Vec<&str> = [Rank::with(power).as_str()]
            .into_iter()
            .chain(own.map(|role| role.name.as_str()))
            .collect();
        Err(Refusal(
            Line::new()
                .plain(format!(
                    "this needs the role {}, and you are {}. Ask one of: ",
                    roles.join(" or "),
                    operator.role.name
                ))
                .line(self.holders(power, verb)),
        ))
    }

    fn holders(self, power: Power, verb: &str) -> Line {
        let mut line = Line::new();
        let may = |operator: &&Operator| operator.role.allows(power, verb);
        for (n, operator) in self.roster.operators.values().filter(may).enumerate() {
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
                    .plain(format!(" is {whose}, which nobody can change through me")),
            ));
        }
        operator.role.must_reach(subject)?;
        let Some((what, stance)) = self.protected(target) else { return Ok(()) };
        if operator.role.rank < Rank::Admin && self.is_privileged(target) {
            return Err(Refusal(
                Line::new()
                    .code(subject)
                    .plain(format!(" is {what}: only an admin may act on it, and you are "))
                    .plain(operator.role.name.as_str()),
            ));
        }
        if stance == Stance::Refused {
            return Err(Refusal(
                Line::new()
                    .code(subject)
                    .plain(format!(" is {what}, and my config forbids changing that through me")),
            ));
        }
        Ok(())
    }

    /// Whether `operator` may do what can be `harmless` to this target, and what it does besides.
    /// Whoever stands above them gets nothing of the kind from them either: it is said in the
    /// homeserver's name, and they would believe it.
    pub fn may_do(
        self,
        operator: &Operator,
        target: &Target,
        harmless: bool,
    ) -> Result<(), Refusal> {
        target.reached.iter().try_for_each(|reached| self.may_touch(operator, reached))?;
        let keeper = self.flatly_refused(&target.subject).is_some();
        if !harmless || operator.role.rank < Rank::Admin && (keeper || self.is_privileged(target)) {
            return self.may_touch(operator, target);
        }
        operator.role.must_reach(&target.subject)
    }

    /// Whether it is an account whose owner could otherwise be taken out of the way by somebody
    /// below them.
    fn is_privileged(self, target: &Target) -> bool {
        target.server_admin
            || target.subject.user().is_some_and(|user| self.roster.operator(user).is_some())
    }

    /// As what this is left alone by all that nobody has asked for: it is the bot's own, or protected in
    /// any way.
    pub fn set_apart(self, target: &Target) -> Option<&'static str> {
        let flatly = self.flatly_refused(&target.subject);
        flatly.or_else(|| self.protected(target).map(|(what, _)| what))
    }

    fn flatly_refused(self, subject: &Subject) -> Option<&'static str> {
        if let Subject::Room(room) = subject {
            if self.roster.record_room.as_ref() == Some(room) {
                return Some("the room of the bot's record");
            }
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

    /// As what this is protected most strictly, and how.
    fn protected(self, target: &Target) -> Option<(&'static str, Stance)> {
        let protection = &self.roster.policy.protection;
        let user = target.subject.user();
        let operator = user.is_some_and(|user| self.roster.operator(user).is_some());
        [
            operator.then_some(("an operator", protection.operators)),
            target.server_admin.then_some(("a server admin", protection.server_admins)),
            target.bridged.then_some(("a bridged account", protection.bridged)),
            protection.named(&target.subject).map(|stance| ("protected by the config", stance)),
        ]
        .into_iter()
        .flatten()
        .reduce(|one, other| if other.1 > one.1 { other } else { one })
    }

    /// The strictest of the ways in which a subject of this change is protected from it.
    fn strictest(self, weight: &Weight<'_>) -> Option<Stance> {
        let targets = weight.targets.iter().filter(|_| !weight.harmless);
        let targets = targets.flat_map(Target::accounts);
        targets.filter_map(|target| self.protected(target)).map(|(_, stance)| stance).max()
    }

    /// Decides about a change, given the yes that was said, if any.
    pub fn decide(
        self,
        operator: &Operator,
        weight: &Weight<'_>,
        consent: Option<&Consent>,
    ) -> Verdict {
        let allowed = self.may_make(operator, weight).and_then(|()| self.reasoned(weight));
        if let Err(refusal) = allowed {
            return Verdict::Refuse(refusal);
        }
        if let Some(terms) = self.missing(operator, weight, consent) {
            return Verdict::Ask(terms);
        }
        if self.held {
            return Verdict::Rehearse;
        }
        Verdict::Allow(Allowed(()))
    }

    /// What must be said before `operator` makes this change and is not said by `consent`; `None`
    /// where nothing more needs to be.
    pub fn missing(
        self,
        operator: &Operator,
        weight: &Weight<'_>,
        consent: Option<&Consent>,
    ) -> Option<Terms> {
        let terms = self.terms(weight)?;
        let is_enough = |consent| self.is_enough(operator, weight, &terms, consent);
        (!consent.is_some_and(is_enough)).then_some(terms)
    }

    /// Whether `operator` may make this change, as far as it depends on them.
    fn may_make(self, operator: &Operator, weight: &Weight<'_>) -> Result<(), Refusal> {
        weight.verbs.iter().try_for_each(|verb| self.may_use(operator, weight.power, verb))?;
        weight.targets.iter().try_for_each(|target| self.may_do(operator, target, weight.harmless))
    }

    /// Whether it has a reason where it needs one, and one as the config wants it.
    fn reasoned(self, weight: &Weight<'_>) -> Result<(), Refusal> {
        let wanted = self.roster.policy.reason.as_ref();
        let like = |line: Line| match wanted {
            Some(pattern) => line.plain(", which must match ").code(pattern),
            None => line,
        };
        match weight.reason {
            _ if weight.due => Ok(()),
            None if self.rules(weight).iter().any(|rule| rule.reason) => Err(Refusal(like(
                Line::new().plain("this needs a reason: add ").code("--reason \"…\""),
            ))),
            Some(reason) if wanted.is_some_and(|wanted| !wanted.is_match(reason)) => {
                Err(Refusal(like(Line::from(
                    "the reason does not have the form that my config \
                                             requires",
                ))))
            }
            None | Some(_) => Ok(()),
        }
    }

    /// The rules of the config that fit a change.
    fn rules(self, weight: &Weight<'_>) -> Vec<&'a Rule> {
        let facts = Facts {
            verbs: weight.verbs,
            class: weight.class,
            power: weight.power,
            subjects: weight.many,
            protected: self.strictest(weight).is_some(),
        };
        self.roster.policy.rules.iter().filter(|rule| rule.fits(facts)).collect()
    }

    /// What the config demands of a command of the bot's own that changes nothing on the
    /// homeserver: how many others, and whether a one-time password. Refused where it wants another
    /// reason than the one given.
    pub fn demands(
        self,
        verb: &str,
        power: Power,
        class: Class,
        reason: Option<&str>,
    ) -> Result<(usize, bool), Refusal> {
        let weight = Weight {
            class,
            power,
            phrase: false,
            code: false,
            harmless: false,
            targets: &[],
            many: 1,
            verbs: &[verb],
            reason,
            recent: 0,
            due: false,
            standing: false,
        };
        self.reasoned(&weight)?;
        Ok(self.demanded(&weight))
    }

    fn demanded(self, weight: &Weight<'_>) -> (usize, bool) {
        let rules = self.rules(weight).into_iter();
        rules.fold((0, false), |(others, totp), rule| (others.max(rule.others), totp || rule.totp))
    }

    /// What must be said first; `None` where nothing needs to be.
    pub fn terms(self, weight: &Weight<'_>) -> Option<Terms> {
        if weight.due && weight.class == Class::Reversible {
            // Whoever agreed to it has agreed to its end.
            return None;
        }
        let (others, totp) = self.demanded(weight);
        let protected = self.strictest(weight) == Some(Stance::SecondPerson);
        let too_many = self.too_many(weight);
        let others = others.max(usize::from(protected || too_many.is_some()));
        let demand = match self.demand(weight) {
            _ if others > 0 => Demand::Phrase(phrase(weight)),
            None if totp => Demand::Code,
            Some(demand) if totp => demand.max(Demand::Code),
            Some(Demand::Yes | Demand::Code) if weight.is_said_by_the_config() => return None,
            demand => demand?,
        };
        let because = match too_many {
            _ if protected => Because::Protected,
            Some(many) => many,
            None => Because::Rule,
        };
        Some(Terms { demand, others, totp, because })
    }

    /// Whether this would be more than one person may do unreviewed: what they have done of late,
    /// and each subject that it would change itself.
    fn too_many(self, weight: &Weight<'_>) -> Option<Because> {
        let allowed = self.roster.policy.unreviewed;
        let with_this = weight.recent.saturating_add(weight.many.max(1));
        (weight.class == Class::Irreversible && with_this > allowed)
            .then_some(Because::Many { allowed, with_this })
    }

    /// How the asker's own yes must be said, by what the change weighs; `None` where it needs
    /// none.
    fn demand(self, weight: &Weight<'_>) -> Option<Demand> {
        let many = weight.many > 1;
        let protected = self.strictest(weight).is_some();
        let class = if many { weight.class.max(Class::Disruptive) } else { weight.class };
        match class {
            _ if protected
                || weight.phrase
                || weight.many > AT_A_GLANCE
                || (many && class == Class::Irreversible) =>
            {
                Some(Demand::Phrase(phrase(weight)))
            }
            _ if weight.code => Some(Demand::Code),
            Class::Disruptive if self.roster.policy.reactions => Some(Demand::Yes),
            Class::Irreversible | Class::Disruptive => Some(Demand::Code),
            Class::Reversible => None,
        }
    }

    /// Who may approve what `asker` asks for, whether or not that is needed.
    pub fn may_approve(self, asker: &Operator, weight: &Weight<'_>) -> Vec<&'a Operator> {
        let others = self.roster.operators.values().filter(|one| one.person != asker.person);
        others.filter(|one| self.may_make(one, weight).is_ok()).collect()
    }

    /// Whether what was said does, by persons who may still say it.
    fn is_enough(
        self,
        asker: &Operator,
        weight: &Weight<'_>,
        terms: &Terms,
        consent: &Consent,
    ) -> bool {
        let may = self.may_approve(asker, weight);
        let persons: BTreeSet<&str> = may
            .into_iter()
            .filter(|one| consent.approved_by(&one.user))
            .map(|one| one.person.as_str())
            .collect();
        let alone = consent.alone() && self.roster.policy.alone.is_some();
        consent.satisfies(&terms.demand)
            && (consent.totp() || !terms.totp)
            && (persons.len() >= terms.others || alone)
    }
}

/// What is typed to show that just these subjects are meant.
fn phrase(weight: &Weight<'_>) -> String {
    match (weight.many, weight.targets) {
        (1, [one]) => one.subject.phrase(),
        (many, _) => many.to_string(),
    }
}
