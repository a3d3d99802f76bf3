use std::collections::BTreeMap;

use super::*;
use crate::{
    commands::user::testing,
    new_accounts::{Batch, Found, Like, LookedUp, NewAccount, ReadTo, Used, Whose},
    reply::Hostile,
};

fn at(text: &str) -> Timestamp {
    format!("2026-11-30T{text}Z").parse().unwrap()
}

fn now() -> Timestamp {
    at("10:05:00")
}

fn account(name: &str) -> NewAccount {
    NewAccount {
        id: format!("@{name}:example.org").try_into().unwrap(),
        name: None,
        created: at("10:03:00"),
        waits: false,
        like: None,
        looked_up: Some(LookedUp::default()),
    }
}

fn used(counts: &[(&str, u64)]) -> Used {
    Used::These(counts.iter().map(|(token, count)| ((*token).to_owned(), *count)).collect())
}

fn batch(accounts: Vec<NewAccount>, used: Used) -> Batch {
    let pattern = |account: &NewAccount| super::super::own::shape(account.id.localpart());
    let accounts = accounts.into_iter().map(|account| (pattern(&account), account));
    let accounts = accounts.map(|(pattern, account)| (account, pattern)).collect();
    let (at_least, bridged) = (false, 0);
    Batch::of(Found { at: at("10:04:00"), accounts, at_least, bridged, used }).unwrap()
}

fn told(batch: &Batch, whole: bool) -> String {
    let reply = words::said(batch, whole, now());
    assert!(reply.encrypted_only, "nobody has asked for it");
    testing::reply(&reply)
}

#[test]
fn the_config_and_the_shutters_say_what_is_told() {
    let closed = Some(at("09:00:00"));
    let wanted =
        |announce, closed| Wanted::by(announce, closed).map(|wanted| (wanted.why, wanted.each));
    assert_eq!(wanted(Announce::Off, None), None);
    assert_eq!(wanted(Announce::Off, closed), Some((Why::Shutters, true)));
    for closed in [None, closed] {
        assert_eq!(wanted(Announce::Each, closed), Some((Why::Config, true)));
    }
    assert_eq!(wanted(Announce::Daily, None), Some((Why::Config, false)));
    assert_eq!(wanted(Announce::Daily, closed), Some((Why::Config, true)));
}

#[test]
fn looks_are_a_minute_apart_and_three_where_nothing_comes() {
    let mut pace = Pace::default();
    assert!(pace.is_due() && pace.may_say());
    let mut pause = |hurried| {
        pace.looked(hurried);
        assert!(!pace.is_due());
        pace.looked.unwrap().1
    };
    assert_eq!(pause(false), BUSY);
    assert_eq!(pause(false), BUSY * 3 / 2);
    let pauses: Vec<Duration> = (0..5).map(|_| pause(false)).collect();
    assert_eq!(pauses.last(), Some(&IDLE));
    assert_eq!(pause(true), BUSY);
}

#[test]
fn each_is_told_as_it_comes_and_after_many_there_is_a_pause_and_daily_at_nine() {
    let read = ReadTo::begin(std::iter::empty(), None, now());
    let mut state = NewAccounts::begin(now(), Why::Config, read, None);
    let wanted = |each| Some(Wanted { why: Why::Config, each, closed: None });
    assert!(!is_due(&state, wanted(true), now()), "there is nothing");
    state.gather(batch(vec![account("eve")], used(&[])));
    assert!(is_due(&state, wanted(true), now()));
    state.not_before = Some(at("10:14:00"));
    assert!(!is_due(&state, wanted(true), now()));
    assert!(is_due(&state, None, now()), "whatever is left, at the end");
    assert!(is_due(&state, wanted(true), at("10:14:00")));
    assert!(!is_due(&state, wanted(false), at("23:59:00")));
    let tomorrow = |time: &str| format!("2026-12-01T{time}Z").parse().unwrap();
    assert!(!is_due(&state, wanted(false), tomorrow("08:59:59")));
    assert!(is_due(&state, wanted(false), tomorrow("09:00:00")));
}

#[test]
fn one_account_is_told_with_its_token_and_what_stands_out() {
    let mut eve = account("eve");
    eve.name = Some(Hostile::new("Ann Lee"));
    let user = ruma::owned_user_id!("@ann:example.org");
    eve.like = Some(Like { user, whose: Whose::Operator });
    let (rooms, invitations) = (Some(12), Some(30));
    eve.looked_up = Some(LookedUp { rooms, invitations, ..LookedUp::default() });
    let batch_of_one = batch(vec![eve], used(&[("welcome-friends", 1)]));
    insta::assert_snapshot!(told(&batch_of_one, true), @r"
    New account `@eve:example.org` “Ann Lee”
    Created: 2 min ago
    Registration token: `welcome-friends`, since it was used once meanwhile, and no other was
    Stands out: **its name reads like that of** `@ann:example.org`, an operator · in 12 rooms already · has sent 30 invitations already · no email address
    Look at it: !user details @eve:example.org
    ");
    let bob = batch(vec![NewAccount { waits: true, ..account("bob") }], used(&[]));
    insta::assert_snapshot!(told(&bob, true), @r"
    New account `@bob:example.org`
    Created: 2 min ago
    Registration token: none was used meanwhile
    Stands out: no email address
    Approval: it cannot log in until an admin approves it
    Look at it: !user details @bob:example.org
    Approve: !user approve @bob:example.org
    ");
}

#[test]
fn whoever_does_not_see_tokens_sees_how_they_begin() {
    let told = |token: &str| told(&batch(vec![account("eve")], used(&[(token, 1)])), false);
    assert!(told("welcome-friends-of-ann").contains("`welc…`, since it was used once"));
    assert!(told("welcome1").contains("`we…`"));
    assert!(told("abc").contains("Registration token: a short one, since it was used once"));
}

#[test]
fn what_nobody_can_tell_of_a_token_is_said_to_be_so() {
    let told = |counts: Used| told(&batch(vec![account("eve"), account("sam")], counts), true);
    for (counts, part) in [
        (used(&[("a", 2)]), "`a` by all of them, since it was used as often meanwhile"),
        (used(&[("a", 1)]), "`a` was used once meanwhile; the homeserver does not say by whom"),
        (used(&[("a", 1), ("b", 3)]), "`b` was used 3 times, `a` was used once meanwhile;"),
        (used(&[]), "Registration token: none was used meanwhile"),
        (Used::NotKnown, "Registration token: I could not compare"),
    ] {
        let told = told(counts);
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told(Used::NoTokens).contains("token"));
}

#[test]
fn many_are_one_message_with_counts_and_samples_that_names_the_wave() {
    let mut raid: Vec<NewAccount> = (0..300).map(|n| account(&format!("raid-{n}"))).collect();
    raid[7].waits = true;
    for account in &mut raid[100..] {
        account.looked_up = None;
    }
    let mut all = batch(raid, used(&[("choir", 299)]));
    (all.bridged, all.at_least) = (2, true);
    insta::assert_snapshot!(told(&all, true), @r"
    at least 300 new accounts
    Account: `@raid-0:example.org`, created 2 min ago
    Account: `@raid-1:example.org`, created 2 min ago
    Account: `@raid-2:example.org`, created 2 min ago
    Account: `@raid-3:example.org`, created 2 min ago
    Account: `@raid-4:example.org`, created 2 min ago
    Account: `@raid-5:example.org`, created 2 min ago
    Account: `@raid-6:example.org`, created 2 min ago
    Account: `@raid-7:example.org`, created 2 min ago
    Account: `@raid-8:example.org`, created 2 min ago
    Account: `@raid-9:example.org`, created 2 min ago
    Account: and 290 more
    Created: within a minute, the last 2 min ago
    Names alike: `raid-#`, 300 of them
    Without an email address: 100 of 100 that I looked up
    Registration token: `choir` was used 299 times meanwhile; the homeserver does not say by whom
    Left out: 2 of application services
    Approval: 1 not approved yet, and cannot log in
    Find those that belong together: !wave --since 1h
    Approve: !user approve @raid-7:example.org
    ");
}

#[test]
fn those_who_did_not_register_are_told_how_they_were_made() {
    let made = Some((ruma::owned_user_id!("@ann:example.org"), 17));
    let by_ann = LookedUp { made, email: true, ..LookedUp::default() };
    let provider = Some(Hostile::new("oidc-corp"));
    let by_provider = LookedUp { provider, email: true, ..LookedUp::default() };
    let eve = NewAccount { looked_up: Some(by_ann), ..account("eve") };
    let sam = NewAccount { looked_up: Some(by_provider), ..account("sam") };
    let alone = told(&batch(vec![eve.clone()], used(&[("a", 1)])), true);
    assert!(alone.contains("How: made through me by `@ann:example.org`, `#17`"), "{alone}");
    assert!(!alone.contains("token") && !alone.contains("Stands out"), "{alone}");
    let told = told(&batch(vec![eve, sam, account("joe")], used(&[("a", 1)])), true);
    assert!(told.contains("signs on with “oidc-corp”"), "{told}");
    assert!(told.contains("`a` by one of them, since it was used once meanwhile"), "{told}");
    assert!(told.contains("Without an email address: 1 of 3"), "{told}");
}

#[test]
fn counts_of_tokens_are_kept_by_name() {
    let counts = BTreeMap::from([("choir".to_owned(), 3)]);
    let read = ReadTo::begin(std::iter::empty(), None, now());
    let state = NewAccounts::begin(now(), Why::Shutters, read, Some(counts));
    let json = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<NewAccounts>(&json).unwrap(), state);
}
