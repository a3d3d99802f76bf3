//! Who may do what to whom: the only maker of a [`Permit`].
//!
//! Decisions are pure. They rest on the roster (from the config), on what the command weighs, on
//! what the homeserver says of its subjects, and on the yes that was said, and they are made
//! anew when the yes arrives: an operator who was removed meanwhile has nothing to say.

use std::collections::{BTreeMap, BTreeSet};

use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    change::{Class, Power, Step, Subject},
    confirm::Consent,
    reply::Line,
};

/// The powers that an operator has. Ordered: each has what the ones before it have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May look, but not at private things.
    Viewer,
    /// May look at everything and act on ordinary accounts, rooms and media.
    Moderator,
    /// May do everything.
    Admin,
}

impl Role {
    /// The lowest role that has `power`.
    pub fn with(power: Power) -> Self {
        match power {
            Power::Look => Self::Viewer,
            Power::LookPrivate | Power::Moderate => Self::Moderator,
            Power::Account | Power::Server => Self::Admin,
        }
    }

    /// Whether this role has `power`.
    pub fn has(self, power: Power) -> bool {
        self >= Self::with(power)
    }

    /// The name of the role as the config writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
        }
    }
}

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

/// The proof that the gate let exactly these requests through.
///
/// Only [`Gate::decide`] makes one, and it cannot be copied. Each step that is sent is taken out
/// of it, so none can be sent twice on one permit.
#[derive(Debug)]
pub struct Permit {
    steps: Vec<[u8; 32]>,
}

impl Permit {
    fn over(steps: &[Step]) -> Option<Self> {
        steps.iter().map(digest).collect::<Option<_>>().map(|steps| Self { steps })
    }

    /// A permit for `steps`, for tests of what a permit allows.
    #[cfg(test)]
    pub(crate) fn naming(steps: &[Step]) -> Self {
        Self { steps: steps.iter().filter_map(digest).collect() }
    }

    /// Takes the right to send `step` out of the permit; false where it holds none.
    pub(crate) fn take(&mut self, step: &Step) -> bool {
        let Some(digest) = digest(step) else { return false };
        match self.steps.iter().position(|permitted| *permitted == digest) {
            Some(at) => {
                self.steps.swap_remove(at);
                true
            }
            None => false,
        }
    }
}

fn digest(step: &Step) -> Option<[u8; 32]> {
    // A step is plain JSON values; should one ever not serialise, it is not permitted.
    serde_json::to_vec(step).ok().map(|bytes| Sha256::digest(bytes).into())
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

#[cfg(test)]
mod tests {
    use ruma::{owned_room_id, owned_user_id};
    use serde_json::json;

    use super::*;
    use crate::change::{Method, Path};

    fn operator(name: &str, role: Role) -> Operator {
        let user = UserId::parse(format!("@{name}:x.test")).unwrap();
        Operator { person: user.to_string(), user, role }
    }

    fn roster() -> Roster {
        let operators = [
            operator("ann", Role::Admin),
            operator("moe", Role::Moderator),
            operator("vic", Role::Viewer),
        ];
        Roster {
            bot: owned_user_id!("@synod:x.test"),
            admin_account: Some(owned_user_id!("@root:x.test")),
            rooms: [owned_room_id!("!admin:x.test")].into(),
            operators: operators.map(|o| (o.user.clone(), o)).into(),
            read_only: false,
            reactions: true,
        }
    }

    fn user(name: &str) -> Target {
        let user = UserId::parse(format!("@{name}:x.test")).unwrap();
        Target { subject: Subject::User(user), server_admin: false }
    }

    fn step(id: &str) -> Step {
        Step::new(Method::Put, Path::admin(["v1", "suspend", id]), json!({"suspend": true}))
    }

    fn weigh(class: Class, power: Power, targets: &[Target]) -> Weight<'_> {
        Weight { class, power, phrase: false, harmless: false, targets }
    }

    #[test]
    fn a_permit_lets_each_of_its_steps_through_once_and_no_other() {
        let roster = roster();
        let targets = [user("eve")];
        let weight = weigh(Class::Reversible, Power::Moderate, &targets);
        let ann = operator("ann", Role::Admin);
        let Verdict::Run(mut permit) =
            Gate::new(&roster).decide(&ann, &weight, &[step("a"), step("b")], None)
        else {
            panic!("a reversible change of one ordinary account runs at once");
        };
        assert!(!permit.take(&step("c")));
        assert!(permit.take(&step("b")));
        assert!(!permit.take(&step("b")));
        assert!(permit.take(&step("a")));
        assert!(!permit.take(&step("a")));
    }

    #[test]
    fn yes_is_asked_for_as_the_class_and_the_subjects_demand() {
        let roster = roster();
        let gate = Gate::new(&roster);
        let demand = |class, phrase, targets: &[Target]| {
            gate.demand(&Weight { class, power: Power::Moderate, phrase, harmless: false, targets })
        };
        let eve = [user("eve")];
        let two = [user("eve"), user("mallory")];
        let root = [Target { server_admin: true, ..user("boss") }];
        assert_eq!(demand(Class::Reversible, false, &eve), None);
        assert_eq!(demand(Class::Reversible, false, &two), Some(Demand::Yes));
        assert_eq!(demand(Class::Disruptive, false, &eve), Some(Demand::Yes));
        assert_eq!(demand(Class::Irreversible, false, &eve), Some(Demand::Code));
        assert_eq!(demand(Class::Irreversible, true, &eve), Some(Demand::Phrase("eve".into())));
        assert_eq!(demand(Class::Irreversible, false, &two), Some(Demand::Phrase("2".into())));
        assert_eq!(demand(Class::Reversible, false, &root), Some(Demand::Phrase("boss".into())));
        assert_eq!(
            demand(Class::Reversible, false, &[user("vic")]),
            Some(Demand::Phrase("vic".into())),
            "operators are protected"
        );
    }

    #[test]
    fn where_reactions_are_off_the_lightest_yes_is_a_code() {
        let roster = Roster { reactions: false, ..roster() };
        let targets = [user("eve")];
        let weight = weigh(Class::Disruptive, Power::Moderate, &targets);
        assert_eq!(Gate::new(&roster).demand(&weight), Some(Demand::Code));
    }

    #[test]
    fn nobody_acts_beyond_their_role_nor_on_what_keeps_the_bot_alive() {
        let roster = roster();
        let gate = Gate::new(&roster);
        let refused = |who: &Operator, power, target: Target| {
            let targets = [target];
            let weight = weigh(Class::Reversible, power, &targets);
            matches!(gate.decide(who, &weight, &[step("x")], None), Verdict::Refuse(_))
        };
        let (ann, moe, vic) = (
            operator("ann", Role::Admin),
            operator("moe", Role::Moderator),
            operator("vic", Role::Viewer),
        );
        assert!(refused(&vic, Power::Moderate, user("eve")));
        assert!(!refused(&moe, Power::Moderate, user("eve")));
        assert!(refused(&moe, Power::Account, user("eve")));
        assert!(!refused(&ann, Power::Account, user("eve")));
        assert!(refused(&moe, Power::Moderate, user("ann")), "an operator");
        assert!(refused(&moe, Power::Moderate, Target { server_admin: true, ..user("boss") }));
        for untouchable in [user("synod"), user("root")] {
            assert!(refused(&ann, Power::Moderate, untouchable));
        }
        let room =
            Target { subject: Subject::Room(owned_room_id!("!admin:x.test")), server_admin: false };
        assert!(refused(&ann, Power::Moderate, room));
    }

    #[test]
    fn read_only_asks_and_then_does_nothing() {
        let roster = Roster { read_only: true, ..roster() };
        let gate = Gate::new(&roster);
        let ann = operator("ann", Role::Admin);
        let targets = [user("eve")];
        let light = weigh(Class::Reversible, Power::Moderate, &targets);
        assert!(matches!(gate.decide(&ann, &light, &[step("x")], None), Verdict::Rehearse));
        let heavy = weigh(Class::Irreversible, Power::Moderate, &targets);
        assert!(matches!(gate.decide(&ann, &heavy, &[step("x")], None), Verdict::Ask(_)));
        let consent = Consent::for_test(Demand::Code);
        assert!(matches!(
            gate.decide(&ann, &heavy, &[step("x")], Some(&consent)),
            Verdict::Rehearse
        ));
    }

    #[test]
    fn a_lighter_yes_does_not_do_for_a_heavier_demand() {
        let roster = roster();
        let gate = Gate::new(&roster);
        let ann = operator("ann", Role::Admin);
        let targets = [user("eve")];
        let weight = weigh(Class::Irreversible, Power::Moderate, &targets);
        let light = Consent::for_test(Demand::Yes);
        assert!(matches!(
            gate.decide(&ann, &weight, &[step("x")], Some(&light)),
            Verdict::Ask(Demand::Code)
        ));
    }
}
