use std::sync::Arc;

use ruma::{UserId, owned_room_id, owned_user_id};
use serde_json::json;
use wildmatch::WildMatch;

use super::*;
use crate::change::{Method, Path, as_account};
use crate::operators::{Policy, Protection, Reach, Role};

fn operator(name: &str, rank: Rank) -> Operator {
    let user = UserId::parse(format!("@{name}:x.test")).unwrap();
    Operator { person: user.to_string(), user, role: rank.into() }
}

fn roster() -> Roster {
    let operators = [
        operator("ann", Rank::Admin),
        operator("moe", Rank::Moderator),
        operator("vic", Rank::Viewer),
    ];
    Roster {
        bot: owned_user_id!("@synod:x.test"),
        admin_account: Some(owned_user_id!("@root:x.test")),
        rooms: [owned_room_id!("!admin:x.test")].into(),
        record_room: None,
        operators: operators.map(|o| (o.user.clone(), o)).into(),
        roles: Vec::new(),
        read_only: false,
        policy: Policy { protection: Protection::all(Stance::Phrase), ..Policy::default() },
    }
}

fn user(name: &str) -> Target {
    let user = UserId::parse(format!("@{name}:x.test")).unwrap();
    Target::ordinary(Subject::User(user))
}

fn step(id: &str) -> Step {
    Step::new(Method::Put, Path::admin(["v1", "suspend", id]), json!({"suspend": true}))
}

fn weigh(class: Class, power: Power, targets: &[Target]) -> Weight<'_> {
    Weight {
        class,
        power,
        phrase: false,
        code: false,
        harmless: false,
        targets,
        many: targets.len(),
        verbs: &["user deactivate"],
        reason: None,
        recent: 0,
        due: false,
        standing: false,
    }
}

#[test]
fn a_permit_lets_each_of_its_steps_through_once_and_no_other() {
    let roster = roster();
    let targets = [user("eve")];
    let weight = weigh(Class::Reversible, Power::Moderate, &targets);
    let ann = operator("ann", Rank::Admin);
    let Verdict::Allow(allowed) = Gate::new(&roster).decide(&ann, &weight, None) else {
        panic!("a reversible change of one ordinary account runs at once");
    };
    let mut permit = allowed.permit(&[step("a"), step("b")]).unwrap();
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
        gate.demand(&Weight { phrase, ..weigh(class, Power::Moderate, targets) })
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
    let mut roster = roster();
    roster.policy.reactions = false;
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
        matches!(gate.decide(who, &weight, None), Verdict::Refuse(_))
    };
    let (ann, moe, vic) = (
        operator("ann", Rank::Admin),
        operator("moe", Rank::Moderator),
        operator("vic", Rank::Viewer),
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
    let room = Target::ordinary(Subject::Room(owned_room_id!("!admin:x.test")));
    assert!(refused(&ann, Power::Moderate, room));
}

#[test]
fn read_only_asks_and_then_does_nothing() {
    let roster = Roster { read_only: true, ..roster() };
    let gate = Gate::new(&roster);
    let ann = operator("ann", Rank::Admin);
    let targets = [user("eve")];
    let light = weigh(Class::Reversible, Power::Moderate, &targets);
    assert!(matches!(gate.decide(&ann, &light, None), Verdict::Rehearse));
    let heavy = weigh(Class::Irreversible, Power::Moderate, &targets);
    assert!(matches!(gate.decide(&ann, &heavy, None), Verdict::Ask(_)));
    let consent = Consent::for_test(Demand::Code, &[]);
    assert!(matches!(gate.decide(&ann, &heavy, Some(&consent)), Verdict::Rehearse));
}

#[test]
fn a_lighter_yes_does_not_do_for_a_heavier_demand() {
    let roster = roster();
    let gate = Gate::new(&roster);
    let ann = operator("ann", Rank::Admin);
    let targets = [user("eve")];
    let weight = weigh(Class::Irreversible, Power::Moderate, &targets);
    let light = Consent::for_test(Demand::Yes, &[]);
    assert!(matches!(
        gate.decide(&ann, &weight, Some(&light)),
        Verdict::Ask(Terms { demand: Demand::Code, others: 0, totp: false, .. })
    ));
}

/// What the gate asks for, of what weighs so.
fn asked(
    roster: &Roster,
    who: &Operator,
    weight: &Weight<'_>,
    consent: Option<&Consent>,
) -> String {
    match Gate::new(roster).decide(who, weight, consent) {
        Verdict::Allow(_) => "run".to_owned(),
        Verdict::Rehearse => "rehearse".to_owned(),
        Verdict::Refuse(Refusal(why)) => format!("{why:?}"),
        Verdict::Ask(terms) => format!("{} others, totp {}", terms.others, terms.totp),
    }
}

#[test]
fn a_rule_fits_by_everything_that_it_says() {
    let facts = Facts {
        verbs: &["user modify", "user admin grant"],
        class: Class::Irreversible,
        power: Power::Account,
        subjects: 3,
        protected: false,
    };
    let verbs = |pattern: &str| Rule { verbs: vec![WildMatch::new(pattern)], ..Rule::default() };
    for fitting in ["user admin grant", "user admin", "user", "user *", "* admin *"] {
        assert!(verbs(fitting).fits(facts), "{fitting}");
    }
    for other in ["user adm", "user mod", "admin", "room *", "user admin grant *"] {
        assert!(!verbs(other).fits(facts), "{other}");
    }
    let rule = Rule {
        class: Some(Class::Disruptive),
        power: Some(Power::Account),
        subjects: Some(3),
        protected: Some(false),
        ..Rule::default()
    };
    assert!(rule.fits(facts), "this class and what is dearer");
    assert!(!Rule { class: None, ..rule.clone() }.fits(Facts { power: Power::Moderate, ..facts }));
    assert!(!rule.fits(Facts { class: Class::Reversible, ..facts }));
    assert!(!rule.fits(Facts { subjects: 2, ..facts }));
    assert!(!rule.fits(Facts { protected: true, ..facts }));
}

#[test]
fn approvals_count_by_person_and_only_of_those_who_may_do_it_now() {
    let mut roster = roster();
    let rule = Rule { class: Some(Class::Irreversible), others: 1, ..Rule::default() };
    roster.policy.rules.push(rule);
    let (ann, moe) = (operator("ann", Rank::Admin), operator("moe", Rank::Moderator));
    let targets = [user("eve")];
    let weight = weigh(Class::Irreversible, Power::Moderate, &targets);
    let yes = |by: &[&UserId]| Consent::for_test(Demand::Phrase("eve".into()), by);
    let ask = "1 others, totp false";
    assert_eq!(asked(&roster, &ann, &weight, None), ask);
    assert_eq!(asked(&roster, &ann, &weight, Some(&yes(&[]))), ask, "her own is none");
    assert_eq!(asked(&roster, &ann, &weight, Some(&yes(&[&ann.user]))), ask);
    let viewer = yes(&[&operator("vic", Rank::Viewer).user]);
    assert_eq!(asked(&roster, &ann, &weight, Some(&viewer)), ask, "who may not, may not approve");
    let stranger = yes(&[ruma::user_id!("@eve:x.test")]);
    assert_eq!(asked(&roster, &ann, &weight, Some(&stranger)), ask);
    let approved = yes(&[&moe.user]);
    assert_eq!(asked(&roster, &ann, &weight, Some(&approved)), "run");
    let account = Weight { power: Power::Account, ..weight };
    assert_eq!(asked(&roster, &ann, &account, Some(&approved)), ask, "a moderator may not do that");
    if let Some(moe) = roster.operators.get_mut(&moe.user) {
        moe.person.clone_from(&ann.person);
    }
    assert_eq!(asked(&roster, &ann, &weight, Some(&approved)), ask, "her other account");
    roster.operators.remove(&moe.user);
    assert_eq!(asked(&roster, &ann, &weight, Some(&approved)), ask, "no operator any more");
}

#[test]
fn what_is_protected_takes_a_second_person_or_is_refused_as_the_config_says() {
    let mut roster = roster();
    let ann = operator("ann", Rank::Admin);
    roster.policy.protection = Protection {
        bridged: Stance::Refused,
        subjects: vec![(WildMatch::new("@staff-*"), Stance::SecondPerson)],
        ..Protection::default()
    };
    let weigh_one = |target: Target| {
        let targets = [target];
        asked(&roster, &ann, &weigh(Class::Reversible, Power::Moderate, &targets), None)
    };
    assert_eq!(weigh_one(user("eve")), "run");
    let second = "1 others, totp false";
    assert_eq!(weigh_one(user("moe")), second, "an operator");
    assert_eq!(weigh_one(Target { server_admin: true, ..user("boss") }), second);
    assert_eq!(weigh_one(user("staff-jo")), second);
    let bridged = weigh_one(Target { bridged: true, ..user("irc_jo") });
    assert!(bridged.contains("a bridged account, and my config forbids"), "{bridged}");
}

#[test]
fn much_that_cannot_be_undone_takes_a_second_person_and_what_can_never_does() {
    let roster = roster();
    let ann = operator("ann", Rank::Admin);
    let targets = [user("eve")];
    let after = |recent, class| {
        let weight = Weight { recent, ..weigh(class, Power::Moderate, &targets) };
        asked(&roster, &ann, &weight, None)
    };
    assert_eq!(after(19, Class::Irreversible), "0 others, totp false");
    assert_eq!(after(20, Class::Irreversible), "1 others, totp false");
    assert_eq!(after(20, Class::Reversible), "run");
}

#[test]
fn what_is_about_to_be_done_counts_with_what_was_done() {
    let roster = roster();
    let ann = operator("ann", Rank::Admin);
    let of = |recent, many| {
        let weight = weigh(Class::Irreversible, Power::Moderate, &[]);
        Gate::new(&roster).terms(&Weight { many, recent, ..weight }).unwrap()
    };
    assert_eq!(of(0, 20).others, 0);
    let many = of(0, 21);
    assert_eq!((many.others, many.because), (1, Because::Many { allowed: 20, with_this: 21 }));
    assert_eq!(of(10, 10).others, 0);
    assert_eq!(of(10, 11).others, 1);
    assert_eq!(of(usize::MAX, 5000).others, 1);
    let said = of(15, 10).because.to_string();
    assert!(said.starts_with("more than 20 irreversible changes in ten minutes need"), "{said}");
    assert!(said.contains("it would be 25"), "{said}");
    // A yes of the asker's own is not enough for it any more, whatever it was enough for.
    let weight = Weight { many: 21, ..weigh(Class::Irreversible, Power::Moderate, &[]) };
    let own = Consent::for_test(Demand::Phrase("21".to_owned()), &[]);
    assert!(Gate::new(&roster).missing(&ann, &weight, Some(&own)).is_some());
    let few = Weight { many: 20, ..weight };
    let own = Consent::for_test(Demand::Phrase("20".to_owned()), &[]);
    assert!(Gate::new(&roster).missing(&ann, &few, Some(&own)).is_none());
}

#[test]
fn a_reason_is_given_where_it_is_wanted_and_as_it_is_wanted() {
    let mut roster = roster();
    let rule =
        Rule { verbs: vec![WildMatch::new("user deactivate")], reason: true, ..Rule::default() };
    roster.policy.rules.push(rule);
    roster.policy.reason = Some(regex::Regex::new("^OPS-[0-9]+").unwrap());
    let ann = operator("ann", Rank::Admin);
    let targets = [user("eve")];
    let with = |reason, verb, due| {
        let weight = weigh(Class::Reversible, Power::Moderate, &targets);
        asked(&roster, &ann, &Weight { verbs: &[verb], reason, due, ..weight }, None)
    };
    let missing = with(None, "user deactivate", false);
    assert!(missing.contains("this needs a reason") && missing.contains("^OPS-"), "{missing}");
    assert!(
        with(Some("spam"), "user suspend", false)
            .contains("does not have the form that my config requires")
    );
    assert_eq!(with(Some("OPS-7: spam"), "user deactivate", false), "run");
    assert_eq!(with(None, "user suspend", false), "run");
    assert_eq!(with(Some("its time was up"), "user deactivate", true), "run", "agreed before");
}

#[test]
fn a_one_time_password_is_demanded_of_whoever_says_yes() {
    let mut roster = roster();
    roster.policy.rules.push(Rule { totp: true, ..Rule::default() });
    let targets = [user("eve")];
    let weight = weigh(Class::Reversible, Power::Moderate, &targets);
    let ann = operator("ann", Rank::Admin);
    let ask = "0 others, totp true";
    assert_eq!(asked(&roster, &ann, &weight, None), ask);
    let without = Consent::for_test(Demand::Code, &[]);
    assert_eq!(asked(&roster, &ann, &weight, Some(&without)), ask);
}

#[test]
fn a_role_of_ones_own_holds_for_its_verbs_and_over_its_subjects() {
    let role = Arc::new(Role::own(
        "spam-team".to_owned(),
        [Power::Look, Power::Moderate].into(),
        Reach {
            verbs: vec![WildMatch::new("user *")],
            on: vec![WildMatch::new("@*"), WildMatch::new("!*")],
            not_on: vec![WildMatch::new("@staff-*")],
        },
    ));
    let mut roster = roster();
    roster.roles.push(role.clone());
    let jo = Operator { role, ..operator("jo", Rank::Viewer) };
    let tried = |verb, power, target: Target| {
        let targets = [target];
        asked(
            &roster,
            &jo,
            &Weight { verbs: &[verb], ..weigh(Class::Reversible, power, &targets) },
            None,
        )
    };
    assert_eq!(tried("user suspend", Power::Moderate, user("eve")), "run");
    let staff = tried("user suspend", Power::Moderate, user("staff-li"));
    assert!(staff.contains("does not cover"), "{staff}");
    // Nor does it for what harms nobody, such as a notice.
    let targets = [user("staff-li")];
    let verbs = &["user suspend"];
    let harmless = weigh(Class::Disruptive, Power::Moderate, &targets);
    let staff = asked(&roster, &jo, &Weight { harmless: true, verbs, ..harmless }, None);
    assert!(staff.contains("does not cover"), "{staff}");
    let room = tried("room block", Power::Moderate, user("eve"));
    assert!(room.contains("needs the role moderator, and you are spam-team"), "{room}");
    let power = tried("user password", Power::Account, user("eve"));
    assert!(power.contains("needs the role admin,"), "{power}");
    assert!(tried("user suspend", Power::Moderate, user("vic")).contains("only an admin"));
    let moe = operator("vic", Rank::Viewer);
    let targets = [user("eve")];
    let weight =
        Weight { verbs: &["user lock"], ..weigh(Class::Reversible, Power::Moderate, &targets) };
    let refused = asked(&roster, &moe, &weight, None);
    assert!(refused.contains("needs the role moderator or spam-team"), "{refused}");
}

#[test]
fn who_is_reached_is_protected_as_a_subject_is() {
    let mut roster = roster();
    roster.policy.protection = Protection {
        subjects: vec![(WildMatch::new("@staff-*"), Stance::Refused)],
        ..Protection::default()
    };
    let (ann, moe) = (operator("ann", Rank::Admin), operator("moe", Rank::Moderator));
    let through = |who: &Operator, reached: Target| {
        let room = Subject::Room(owned_room_id!("!lobby:x.test"));
        let targets = [Target { reached: vec![reached], ..Target::ordinary(room) }];
        let weight = weigh(Class::Irreversible, Power::Moderate, &targets);
        asked(&roster, who, &weight, None)
    };
    assert_eq!(through(&ann, user("eve")), "0 others, totp false");
    assert_eq!(through(&ann, user("vic")), "1 others, totp false", "an operator");
    let boss = || Target { server_admin: true, ..user("boss") };
    assert_eq!(through(&ann, boss()), "1 others, totp false");
    assert!(through(&moe, boss()).contains("only an admin may act on it"));
    assert!(through(&ann, user("staff-jo")).contains("forbids changing that"));
    for own in ["synod", "root"] {
        assert!(through(&ann, user(own)).contains("which nobody can change through me"), "{own}");
    }
}

#[test]
fn whoever_stands_above_gets_nothing_harmless_from_below_either() {
    let roster = roster();
    let to = |who: Rank, target: Target| {
        let targets = [target];
        let weight = weigh(Class::Disruptive, Power::Moderate, &targets);
        let weight = Weight { harmless: true, ..weight };
        asked(&roster, &operator("who", who), &weight, None)
    };
    let question = "0 others, totp false";
    assert_eq!(to(Rank::Moderator, user("eve")), question);
    for above in [user("ann"), user("vic"), Target { server_admin: true, ..user("boss") }] {
        assert_eq!(to(Rank::Admin, above.clone()), question);
        assert!(to(Rank::Moderator, above).contains("only an admin may act on it"));
    }
    for own in ["synod", "root"] {
        assert_eq!(to(Rank::Admin, user(own)), question, "it silences nobody");
        assert!(to(Rank::Moderator, user(own)).contains("nobody can change"), "{own}");
    }
}

#[test]
fn a_probe_is_allowed_by_itself_and_not_while_nothing_is_sent() {
    let roster = roster();
    let probe = Probe::ServerNotices.step();
    // For nobody: the homeserver takes this for the id of no account, whoever is there.
    assert_eq!(probe.body, json!({ "user_id": "", "content": {} }));
    let gate = Gate::new(&roster);
    let mut permit = gate.permit_probe(Probe::ServerNotices).unwrap();
    let to_eve = json!({ "user_id": "@eve:x.test", "content": {} });
    let somebody = Step { body: to_eve, ..probe.clone() };
    assert!(!permit.take(&somebody) && permit.take(&probe) && !permit.take(&probe));
    assert!(gate.held(true).permit_probe(Probe::ServerNotices).is_none());
    let read_only = Roster { read_only: true, ..roster.clone() };
    assert!(Gate::new(&read_only).permit_probe(Probe::ServerNotices).is_none());
}

#[test]
fn what_goes_with_another_token_is_permitted_as_just_that_and_where_a_step_before_makes_it() {
    let leave = Step::new(Method::Post, Path::client(["v3", "rooms", "!a:x", "leave"]), json!({}));
    let eve = owned_user_id!("@eve:x.test");
    let steps = as_account(&eve, jiff::Timestamp::UNIX_EPOCH, vec![leave.clone()]);
    let [login, deed, logout] = steps.as_slice() else { panic!("{steps:?}") };
    let mut permit = Allowed(()).permit(&steps).unwrap();
    let of_somebody_else = leave.clone().bearing("token of @ann:x.test");
    assert!(!permit.take(&leave), "not with the admin token");
    assert!(!permit.take(&of_somebody_else), "nor with another's");
    assert!(permit.take(deed) && !permit.take(deed));
    assert!(permit.take(login) && permit.take(logout));

    let permit = |steps: &[&Step]| {
        let steps: Vec<Step> = steps.iter().copied().cloned().collect();
        Allowed(()).permit(&steps).is_ok()
    };
    assert!(!permit(&[deed]), "a secret that was typed is no token to act with");
    assert!(!permit(&[deed, login]));
    assert!(!permit(&[login, &of_somebody_else]));
}

#[test]
fn what_is_protected_in_any_way_is_set_apart() {
    let roster = roster();
    let gate = Gate::new(&roster);
    let room = Target::ordinary(Subject::Room(owned_room_id!("!admin:x.test")));
    for (target, what) in [
        (user("synod"), Some("the bot's own account")),
        (user("root"), Some("the account of the bot's admin token")),
        (room, Some("an admin room of the bot")),
        (user("moe"), Some("an operator")),
        (user("vic"), Some("an operator")),
        (Target { server_admin: true, ..user("eve") }, Some("a server admin")),
        (Target { bridged: true, ..user("eve") }, Some("a bridged account")),
        (user("eve"), None),
    ] {
        assert_eq!(gate.set_apart(&target), what, "{target:?}");
    }
    let subjects = vec![(WildMatch::new("@eve:*"), Stance::Phrase)];
    let protection = Protection { subjects, ..Protection::all(Stance::Phrase) };
    let policy = Policy { protection, ..Policy::default() };
    let roster = Roster { policy, ..roster };
    assert_eq!(Gate::new(&roster).set_apart(&user("eve")), Some("protected by the config"));
}

#[test]
fn what_the_config_has_done_by_itself_needs_no_light_yes_and_any_other() {
    let decided = |policy: Policy, who: Rank, class: Class, targets: &[Target], totp: bool| {
        let totp = totp.then(|| Rule { totp: true, ..Rule::default() });
        let rules = policy.rules.iter().cloned().chain(totp).collect();
        let roster = Roster { policy: Policy { rules, ..policy }, ..roster() };
        let weight = weigh(class, Power::Moderate, targets);
        let weight = Weight { harmless: true, standing: true, verbs: &["notice send"], ..weight };
        asked(&roster, &operator("who", who), &weight, None)
    };
    let (plain, one) = (Policy::default, [user("eve")]);
    assert_eq!(decided(plain(), Rank::Moderator, Class::Disruptive, &one, false), "run");
    // Whatever takes more than that is asked about, and so is not done by itself.
    let second = Policy { rules: vec![Rule { others: 1, ..Rule::default() }], ..plain() };
    for (policy, class, targets, totp) in [
        (second, Class::Disruptive, &one[..], false),
        (plain(), Class::Disruptive, &one, true),
        (plain(), Class::Irreversible, &one, false),
    ] {
        let told = decided(policy, Rank::Moderator, class, targets, totp);
        assert!(told.contains(" others, totp "), "{told}");
    }
    let viewer = decided(plain(), Rank::Viewer, Class::Disruptive, &one, false);
    assert!(viewer.contains("needs the role"), "{viewer}");
    let above = decided(plain(), Rank::Moderator, Class::Disruptive, &[user("ann")], false);
    assert!(above.contains("only an admin may act on it"), "{above}");
}
