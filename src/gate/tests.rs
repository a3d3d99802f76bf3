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
    assert!(matches!(gate.decide(&ann, &heavy, &[step("x")], Some(&consent)), Verdict::Rehearse));
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
