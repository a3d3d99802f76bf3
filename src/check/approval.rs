//! Whether whoever asks for what takes more than one person finds the others.
//!
//! It goes by the config and by who is in an admin room. Which verbs a role names, and over which ids,
//! is not looked at: the bot does that for each change, and says then who may approve it.

use std::collections::BTreeMap;

use ruma::UserId;

use super::{Finding, operators::Members};
use crate::{
    change::Power,
    config::{Config, Operator, Rank, Stance},
};

/// Changes that take others than whoever asks for them.
struct Demand {
    /// What they are.
    what: String,
    /// How many others.
    others: usize,
    /// What it takes to ask for them, and so to approve them.
    rank: Rank,
    power: Power,
    /// Whether it holds without a word of the config.
    by_default: bool,
}

impl Demand {
    fn of(what: impl Into<String>, others: usize, rank: Rank) -> Self {
        let what = what.into();
        Self { what, others, rank, power: Power::Moderate, by_default: false }
    }

    fn is_for(&self, one: &Operator) -> bool {
        one.role.rank >= self.rank && one.role.has(self.power)
    }
}

/// Demands that just the same persons can meet.
struct Circle<'a> {
    persons: Vec<&'a UserId>,
    others: usize,
    by_default: bool,
    what: Vec<String>,
}

/// What is told of the demands that hardly anybody, or nobody, can meet. `members` is nothing where a
/// room could not be looked at; then everybody counts.
pub(super) fn findings(config: &Config, members: Option<&Members>) -> Vec<Finding> {
    let mut circles: Vec<Circle<'_>> = Vec::new();
    for demand in demands(config) {
        let persons = persons(config, members, &demand);
        let (others, by_default) = (demand.others, demand.by_default);
        let is_same = |circle: &&mut Circle<'_>| {
            circle.persons == persons && circle.others == others && circle.by_default == by_default
        };
        match circles.iter_mut().find(is_same) {
            Some(circle) => circle.what.push(demand.what),
            None => circles.push(Circle { persons, others, by_default, what: vec![demand.what] }),
        }
    }
    circles.iter().filter_map(|circle| judge(circle, config.policy.alone.is_some())).collect()
}

/// Everything in the config that takes others.
fn demands(config: &Config) -> Vec<Demand> {
    let policy = &config.policy;
    let protection = &policy.protection;
    let kinds = [
        (protection.operators, "changes of operators", Rank::Admin),
        (protection.server_admins, "changes of server admins", Rank::Admin),
        (protection.bridged, "changes of bridged accounts", Rank::Viewer),
    ];
    let second = kinds.into_iter().filter(|(stance, ..)| *stance == Stance::SecondPerson);
    let mut all: Vec<_> = second.map(|(_, what, rank)| Demand::of(what, 1, rank)).collect();
    if protection.subjects.iter().any(|(_, stance)| *stance == Stance::SecondPerson) {
        all.push(Demand::of("changes of what protected.subjects names", 1, Rank::Viewer));
    }
    for (place, rule) in policy.rules.iter().enumerate().filter(|(_, rule)| rule.others > 0) {
        let demand = Demand::of(
            format!("changes that match questions.rules[{place}]"),
            rule.others,
            Rank::Viewer,
        );
        all.push(Demand { power: rule.power.unwrap_or(Power::Moderate), ..demand });
    }
    let many =
        format!("more than {} changes within ten minutes that cannot be undone", policy.unreviewed);
    all.push(Demand { by_default: true, ..Demand::of(many, 1, Rank::Viewer) });
    all
}

/// Who could ask for it, one account of each person.
fn persons<'a>(config: &'a Config, members: Option<&Members>, demand: &Demand) -> Vec<&'a UserId> {
    let here = |one: &&Operator| members.is_none_or(|members| members.have_joined(&one.user_id));
    let able = config.operators.iter().filter(|one| demand.is_for(one)).filter(here);
    let mut by_person: BTreeMap<&str, &UserId> = BTreeMap::new();
    for one in able {
        by_person.entry(&one.person).or_insert(&one.user_id);
    }
    by_person.into_values().collect()
}

/// What is told of one circle; nothing where there is somebody to spare, or nobody who could ask.
fn judge(circle: &Circle<'_>, alone: bool) -> Option<Finding> {
    let Circle { persons, others, by_default, what } = circle;
    let what = what.join(", ");
    let names = persons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match persons.as_slice() {
        [] => None,
        [only] if *by_default => Some(Finding::ok(format!(
            "approval: {what} are refused, since {only} is the only \
                operator with that right"
        ))),
        some if some.len() <= *others => Some(Finding::warn(
            format!(
                "approval: nobody can approve {what}: it needs {others} besides the person who \
                asks, and there is only {names}"
            ),
            if alone {
                "Add one more operator who has that right and is in an admin room; until then it \
                works only with --alone"
            } else {
                "Add one more operator who has that right and is in an admin room, or require less \
                in the config; until then it is refused"
            },
        )),
        [one, other] => Some(Finding::ok(format!(
            "approval: only {other} can approve what {one} asks, and only {one} what {other} asks: \
             {what}"
        ))),
        all if all.len() == *others + 1 => {
            Some(Finding::ok(format!("approval: all of {names} are needed together: {what}")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ruma::OwnedUserId;
    use serde_json::json;

    use super::*;
    use crate::{
        check::tests::config,
        config::{Encryption, Protection, Role, Rule},
        finding::Mark,
    };

    /// A config with these operators, in which nothing is protected.
    fn with(operators: &[(&str, Rank)]) -> Config {
        let mut config = config(Encryption::Required);
        let template = config.operators[0].clone();
        let named = operators.iter().map(|(user, rank)| Operator {
            user_id: OwnedUserId::try_from(*user).unwrap(),
            role: (*rank).into(),
            person: (*user).to_owned(),
            ..template.clone()
        });
        config.operators = named.collect();
        config.policy.protection = Protection::all(Stance::Phrase);
        config
    }

    fn told(config: &Config) -> Vec<String> {
        findings(config, None).iter().map(ToString::to_string).collect()
    }

    const ANN: (&str, Rank) = ("@ann:x", Rank::Admin);
    const BEN: (&str, Rank) = ("@ben:x", Rank::Admin);
    const MOE: (&str, Rank) = ("@moe:x", Rank::Moderator);
    const VIC: (&str, Rank) = ("@vic:x", Rank::Viewer);

    #[test]
    fn of_two_admins_nobody_but_the_other_can_approve() {
        let mut config = with(&[ANN, BEN, MOE, VIC]);
        config.policy.protection = Protection::default();
        let told = told(&config);
        assert_eq!(
            told,
            ["ok    approval: only @ben:x can approve what @ann:x asks, and only @ann:x what \
                @ben:x asks: changes of operators, changes of server admins."],
            "of what a moderator may do there are three"
        );
    }

    #[test]
    fn where_the_second_admin_is_the_same_person_or_is_not_there_nobody_can() {
        let mut config = with(&[ANN, BEN, MOE]);
        config.policy.protection.operators = Stance::SecondPerson;
        "@ann:x".clone_into(&mut config.operators[1].person);
        let same = told(&config);
        assert!(
            same[0].starts_with("warn  approval: nobody can approve changes of op"),
            "{same:?}"
        );
        assert!(same[0].contains("and there is only @ann:x. Add one more"), "{same:?}");

        "@ben:x".clone_into(&mut config.operators[1].person);
        let mut members = Members::default();
        let member = |user: &str, membership: &str| {
            json!({
                "type": "m.room.member", "state_key": user, "content": { "membership": membership },
            })
        };
        members.add(&[member("@ann:x", "join"), member("@ben:x", "invite")]);
        members.add(&[member("@moe:x", "join")]);
        let absent = findings(&config, Some(&members));
        assert_eq!(absent[0].mark, Mark::Warn, "{absent:?}");
        members.add(&[member("@ben:x", "join")]);
        let there = findings(&config, Some(&members));
        assert_eq!(there[0].mark, Mark::Ok, "{there:?}");
        assert!(there[0].what.contains("only @ben:x can approve what @ann:x"), "{there:?}");
    }

    #[test]
    fn a_rule_that_wants_more_than_there_are_is_told_by_its_place() {
        let mut config = with(&[ANN, BEN, MOE]);
        let rule = |others, power| Rule { power, others, ..Rule::default() };
        config.policy.rules = vec![
            Rule { reason: true, ..Rule::default() },
            rule(3, None),
            rule(2, None),
            rule(1, Some(Power::Account)),
            rule(1, None),
        ];
        let told = told(&config);
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told[0].starts_with(
            "warn  approval: nobody can approve changes that match \
            questions.rules[1]"
        ));
        assert!(told[0].contains("it needs 3 besides the person who asks"), "{told:#?}");
        assert!(told[0].contains("or require less in the config"), "{told:#?}");
        assert!(told[1].contains(
            "all of @ann:x, @ben:x, @moe:x are needed together: changes that \
                match questions.rules[2]"
        ));
        assert!(told[2].contains("only @ben:x can approve what @ann:x asks"), "{told:#?}");
        config.policy.alone = Some(std::time::Duration::from_mins(5));
        assert!(self::told(&config)[0].ends_with("it works only with --alone."));
    }

    #[test]
    fn who_acts_alone_is_told_once_and_roles_count_by_their_powers() {
        let lone = told(&with(&[ANN, VIC]));
        assert_eq!(
            lone,
            ["ok    approval: more than 20 changes within ten minutes that cannot be undone are \
              refused, since @ann:x is the only operator with that right."]
        );
        let mut config = with(&[ANN, VIC]);
        let powers = [Power::Look, Power::Moderate].into();
        let role = Role::own("spam-team".to_owned(), powers, crate::config::Reach::default());
        config.operators[1].role = Arc::new(role);
        config.policy.protection.bridged = Stance::SecondPerson;
        config.policy.protection.operators = Stance::SecondPerson;
        let told = told(&config);
        assert!(told[0].starts_with("warn  approval: nobody can approve changes of operators"));
        assert!(told[1].starts_with("ok    approval: only @vic:x can approve"), "{told:#?}");
        assert!(told[1].ends_with("changes of bridged accounts."), "{told:#?}");
    }
}
