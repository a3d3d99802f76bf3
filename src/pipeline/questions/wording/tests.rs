//! Questions as they are read on a phone.

use ruma::{owned_event_id, owned_room_id, owned_user_id, server_name};
use serde_json::json;

use super::*;
use crate::{
    change::{Class, FactMap},
    commands::{Ask, user::testing},
    confirm::{Second, State},
    pipeline::{
        inbound::understand::{Understood, understand},
        testing::Stage,
    },
    reply::phone,
};

fn action(words: &[String]) -> Box<dyn Action> {
    match understand(words) {
        Understood::Command(Ask::Change(action), _) => action,
        _ => panic!("{words:?} is no change"),
    }
}

fn words(command: &str) -> Vec<String> {
    command.split(' ').map(str::to_owned).collect()
}

/// An account with this id and name, as it is seen before it is deactivated.
fn plan(action: &dyn Action, id: &str, other: &serde_json::Value) -> Plan {
    let mut fields = json!({ "name": id });
    if let (Some(fields), Some(other)) = (fields.as_object_mut(), other.as_object()) {
        fields.extend(other.clone());
    }
    let mut seen = testing::snapshot_of(&testing::account(fields));
    seen.preconditions.extend([
        ("erased".to_owned(), json!(false)),
        ("suspended".to_owned(), json!(false)),
        ("locked".to_owned(), json!(false)),
    ]);
    for (key, label, count) in
        [("devices", "Devices", 2), ("rooms", "Rooms", 4), ("media", "Media", 3)]
    {
        seen.display.push((label, Line::from(format!("{count}"))));
        seen.extra.insert(key.to_owned(), json!(count));
    }
    let subject = Subject::User(id.try_into().unwrap());
    let change = action.change(&subject, &seen).unwrap();
    Plan { subject, seen, change }
}

fn ticket(words: &[String], plans: &[Plan], demand: Demand) -> Ticket {
    let class = if demand == Demand::Yes { Class::Disruptive } else { Class::Irreversible };
    Ticket {
        code: "9052".to_owned(),
        asker: owned_user_id!("@ann:synod.test"),
        room: owned_room_id!("!admin:synod.test"),
        asked_by: owned_event_id!("$asked"),
        question: None,
        words: words.to_vec(),
        about: plans.iter().map(|plan| (plan.subject.clone(), FactMap::new())).collect(),
        class,
        demand,
        holds_secret: false,
        undoes: None,
        second: None,
        alone: None,
        totp: false,
        referenced: false,
        put: testing::now(),
        expires: testing::now(),
        state: State::Open,
    }
}

/// The question that this command leads to, about these accounts, as plain text.
fn asked(
    command: &str,
    accounts: Vec<(&str, serde_json::Value)>,
    change: impl Fn(&mut Ticket),
) -> String {
    asked_by_one_in(None, command, accounts, change)
}

/// The same, where whoever asks reads this time zone.
fn asked_by_one_in(
    zone: Option<TimeZone>,
    command: &str,
    accounts: Vec<(&str, serde_json::Value)>,
    change: impl Fn(&mut Ticket),
) -> String {
    let stage = Stage::set("http://127.0.0.1:9", "token");
    let words = words(command);
    let action = action(&words);
    let plans: Vec<Plan> =
        accounts.into_iter().map(|(id, other)| plan(action.as_ref(), id, &other)).collect();
    let demand = match (action.phrase(), plans.as_slice()) {
        (true, [one]) => Demand::Phrase(one.subject.phrase()),
        (true, several) => Demand::Phrase(several.len().to_string()),
        (false, _) => Demand::Yes,
    };
    let mut ticket = ticket(&words, &plans, demand);
    change(&mut ticket);
    let targets = plans
        .iter()
        .map(|plan| crate::gate::Target {
            subject: plan.subject.clone(),
            server_admin: plan.seen.is("admin"),
            bridged: plan.seen.is("bridged"),
            reached: Vec::new(),
        })
        .collect();
    let looked = Looked { targets, plans, ..Looked::default() };
    let asked = Asked {
        ticket: &ticket,
        action: action.as_ref(),
        looked: &looked,
        earlier: &Earlier::None,
        roster: &stage.pipeline.roster,
        notes: None,
        server: server_name!("synod.test"),
        zone,
        another_is_open: false,
        now: testing::now(),
    };
    let reply = asked.ways(asked.question(), false);
    phone::body(&reply.note(asked.open_until()))
}

fn raid(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("@raid-{n:02}:synod.test")).collect()
}

#[test]
fn a_question_about_one_account_is_one_screen_at_most() {
    let body = asked(
        "user deactivate raid-17 --gdpr-erase",
        vec![("@raid-17:synod.test", json!({"displayname": "Cheap Pills 17"}))],
        |_| {},
    );
    insta::assert_snapshot!(body, @r"
    ❓ 9052 · Deactivate @raid-17 “Cheap Pills 17” and ERASE · cannot be undone

    Created: 2025-10-09 08:53 UTC · Last seen: 2026-11-20 14:00 UTC · Devices: 2 · Rooms: 4 · Media: 3

    Lost: 2 devices, with the keys to encrypted messages; password, email, phone; settings and key backup; its place in 4 rooms, its invitations; name and picture; its messages, for people who join later

    Stays: its messages, for people in the rooms now and on other servers; its media, 3 files; its id, which nobody can register again

    Command: !user deactivate @raid-17:synod.test --gdpr-erase

    To go on or not, send one of these, with the localpart of the account (the part between @ and :) in place of LOCALPART:

    !confirm 9052 LOCALPART
    !cancel 9052

    Open until 14:03 UTC
    ");
    let first = body.lines().next().unwrap();
    assert!(first.chars().count() <= phone::NOTIFICATION + 5, "{first}");
    assert!(phone::lines(&body) <= phone::SCREEN, "{} lines:\n{body}", phone::lines(&body));
}

#[test]
fn what_is_out_of_the_ordinary_stands_in_it() {
    let body = asked(
        "user deactivate @ann:synod.test",
        vec![("@ann:synod.test", json!({"admin": 1, "locked": true, "appservice_id": "irc"}))],
        |ticket| ticket.demand = Demand::Code,
    );
    for said in ["Server admin: yes", "State: locked", "Bridged by: “irc”", "server-admin flag"]
    {
        assert!(body.contains(said), "{said:?} is not in {body}");
    }
}

#[test]
fn seventeen_are_a_count_and_a_sample() {
    let raid = raid(17);
    let accounts = raid.iter().map(|id| (id.as_str(), json!({"displayname": "Cheap Pills"})));
    let command = format!("user deactivate --gdpr-erase {}", raid.join(" "));
    let body = asked(&command, accounts.collect(), |_| {});
    insta::assert_snapshot!(body, @r"
    ❓ 9052 · Deactivate 17 accounts, @raid-01 … @raid-17 and ERASE · cannot be undone

    Lost for each: 2 devices, with the keys to encrypted messages; password, email, phone; settings and key backup; its place in 4 rooms, its invitations; name and picture; its messages, for people who join later

    Stays: its messages, for people in the rooms now and on other servers; its media, 3 files; its id, which nobody can register again

    Command: !user deactivate --gdpr-erase @raid-01:synod.test … @raid-17:synod.test (17)

    To go on or not, send one of these, with how many there are in place of COUNT:

    !confirm 9052 COUNT
    !cancel 9052

    Open until 14:03 UTC
    ");
    assert!(!body.contains("raid-09"), "{body}");
    assert!(phone::lines(&body) <= phone::SCREEN, "{} lines:\n{body}", phone::lines(&body));
}

#[test]
fn two_to_ten_have_a_line_each() {
    let raid = raid(3);
    let mut accounts: Vec<_> = raid.iter().map(|id| (id.as_str(), json!({}))).collect();
    accounts[1].1 = json!({"displayname": "Eve", "admin": 1});
    let body = asked(&format!("user suspend {}", raid.join(" ")), accounts, |_| {});
    insta::assert_snapshot!(body, @r"
    ❓ 9052 · Suspend 3 accounts, @raid-01 … @raid-03 · can be undone
    - @raid-01:synod.test “Ann Lee”
    - @raid-02:synod.test “Eve” · Server admin: yes
    - @raid-03:synod.test “Ann Lee”

    Command: !user suspend @raid-01:synod.test @raid-02:synod.test @raid-03:synod.test

    Go on? React ✅ or ❌, reply yes or no, or send:

    !confirm 9052
    !cancel 9052

    Open until 14:03 UTC
    ");
}

#[test]
fn what_is_offered_is_what_works() {
    let account = || vec![("@eve:synod.test", json!({"displayname": "Eve"}))];
    let suspend = "user suspend @eve:synod.test";
    let light = asked(suspend, account(), |_| {});
    assert!(light.contains("✅") && light.contains("\n!confirm 9052\n!cancel 9052"), "{light}");
    let totp = asked(suspend, account(), |ticket| {
        ticket.demand = Demand::Code;
        ticket.totp = true;
    });
    assert!(!totp.contains('✅'), "{totp}");
    assert!(totp.contains("\n!confirm 9052 ONE-TIME-PASSWORD\n!cancel 9052"), "{totp}");
    let second = asked("user deactivate -e @eve:synod.test", account(), |ticket| {
        let may = vec![owned_user_id!("@moe:synod.test")];
        ticket.second = Some(Second { others: 1, may, approvals: Vec::new() });
    });
    assert!(second.contains("\n!approve 9052 LOCALPART\n!deny 9052"), "{second}");
    let waits = asked(suspend, account(), |ticket| ticket.alone = Some(testing::now()));
    assert!(!waits.contains('✅') && waits.contains("from 14:03 UTC"), "{waits}");
}

#[test]
fn an_id_is_whole_in_the_command_or_in_the_first_line() {
    let eve = || vec![("@eve:synod.test", json!({"displayname": "Eve"}))];
    let typed = asked("user suspend eve", eve(), |_| {});
    assert!(
        typed.contains("Suspend @eve “Eve”") && typed.contains("!user suspend @eve:synod.test")
    );
    // What may be the value of an option is left as it was typed.
    let value = asked("user suspend --reason eve eve", eve(), |_| {});
    assert!(value.contains("Suspend @eve:synod.test “Eve”"), "{value}");
    assert!(value.contains("Command: !user suspend --reason eve eve\n"), "{value}");
    let elsewhere = asked("user suspend @eve:y.test", vec![("@eve:y.test", json!({}))], |_| {});
    assert!(elsewhere.contains("Suspend @eve:y.test"), "{elsewhere}");
}

#[test]
fn times_stand_in_utc_first_and_then_in_the_zone_of_whoever_asks() {
    let command = "user deactivate ann";
    let ask = |name: &str| {
        let zone = crate::clock::Zones::of_system().named(name);
        assert!(zone.is_some(), "{name}");
        let later = |ticket: &mut Ticket| ticket.alone = Some(testing::now());
        asked_by_one_in(zone, command, vec![("@ann:synod.test", json!({}))], later)
    };
    let body = ask("Asia/Kolkata");
    for said in ["Open until 14:03 UTC (19:33 IST)", "To go on, from 14:03 UTC (19:33 IST), or not"]
    {
        assert!(body.contains(said), "{body}");
    }
    assert!(ask("Etc/UTC").ends_with("Open until 14:03 UTC"));
}
