//! What is thrown together, and what is not.

use jiff::SignedDuration;
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::*;

fn begin() -> Timestamp {
    "2026-11-20T14:00:00Z".parse().unwrap()
}

/// An account that nothing is known of but its name and that it was made so many minutes after the first.
fn account(name: &str, minute: i64) -> Account {
    Account {
        user: OwnedUserId::try_from(format!("@{name}:x.test")).unwrap(),
        displayname: None,
        created: begin() + SignedDuration::from_mins(minute),
        rooms: BTreeSet::new(),
        addresses: BTreeSet::new(),
        clients: BTreeSet::new(),
        email: false,
        signs_on: false,
        special: Vec::new(),
        restrained: false,
        reports: 0,
    }
}

fn room(name: &str) -> OwnedRoomId {
    OwnedRoomId::try_from(format!("!{name}:x.test")).unwrap()
}

fn address(last: usize) -> Private {
    serde_json::from_value(json!(format!("192.0.2.{last}"))).unwrap()
}

/// The size and the bond of each group.
fn told(accounts: Vec<Account>) -> Vec<(usize, String)> {
    let groups = groups(accounts).0;
    let bond = |by: &By| match by {
        By::Name(shape) => shape.clone(),
        By::Address(address) => address.show().raw().to_owned(),
    };
    groups.iter().map(|group| (group.accounts.len(), bond(&group.by))).collect()
}

const PEOPLE: [&str; 12] = [
    "ann", "moses", "lena.k", "schmidt", "bob1987", "kim_2", "o-brien", "zoe", "x4n4x", "tom99",
    "maria", "jo",
];

/// Ordinary people, each an hour after the other, all in the room that everybody is put into.
fn people() -> Vec<Account> {
    let people = PEOPLE.iter().zip(0..);
    let lobby = || BTreeSet::from([room("lobby")]);
    people.map(|(name, n)| Account { rooms: lobby(), ..account(name, n * 60) }).collect()
}

#[test]
fn a_raid_is_one_group_and_the_people_beside_it_are_in_none() {
    let mut all = people();
    all.extend((0..100).map(|n| account(&format!("raid-{n}"), n / 10)));
    let (groups, alone) = groups(all);
    let [raid] = groups.as_slice() else { panic!("one group: {groups:?}") };
    assert_eq!((raid.accounts.len(), raid.names().as_deref()), (100, Some("raid-#")));
    assert_eq!(alone.len(), PEOPLE.len());
    assert_eq!(raid.accounts[0].user.localpart(), "raid-90", "the newest first, then by name");
}

#[test]
fn names_that_look_alike_are_a_group_only_where_something_else_is_alike() {
    let slowly = |change: fn(usize, Account) -> Account| {
        let annas = (0..8).map(|n| {
            let minute = i64::try_from(n * 90).unwrap();
            change(n, account(&format!("anna{n}"), minute))
        });
        people().into_iter().chain(annas).collect::<Vec<_>>()
    };
    let with_room =
        |name: &str, account: Account| Account { rooms: BTreeSet::from([room(name)]), ..account };
    assert_eq!(told(slowly(|_, account| account)), []);
    // That is the room that everybody is put into.
    assert_eq!(
        told(slowly(|_, one| Account { rooms: BTreeSet::from([room("lobby")]), ..one })),
        []
    );
    let room = slowly(|_, one| Account { rooms: BTreeSet::from([room("spam")]), ..one });
    assert_eq!(told(room), [(8, "anna#".to_owned())]);
    let agent = slowly(|_, one| Account {
        clients: BTreeSet::from([Hostile::new("python-requests")]),
        ..one
    });
    assert_eq!(told(agent), [(8, "anna#".to_owned())]);
    let near = slowly(|n, one| Account { addresses: BTreeSet::from([address(n % 3)]), ..one });
    assert_eq!(told(near), [], "three addresses of eight are not few");
    // Fewer than five are none, whatever they have in common.
    let four = (0..4).map(|n| with_room("spam", account(&format!("raid{n}"), n))).collect();
    assert_eq!(told(four), []);
}

#[test]
fn accounts_from_one_address_are_a_group_whatever_they_are_called() {
    let from = |last: usize, name: &str, n: i64| Account {
        addresses: BTreeSet::from([address(last)]),
        ..account(name, n * 60)
    };
    let names = ["kvothe", "denna", "simmon", "wilem", "auri", "elodin"];
    let all: Vec<Account> = names.iter().zip(0..).map(|(name, n)| from(7, name, n)).collect();
    assert_eq!(told(all.clone()), [(6, "192.0.2.7".to_owned())]);
    // Behind a proxy that passes no addresses on, everybody comes from there.
    for own in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        let own: BTreeSet<Private> = BTreeSet::from([serde_json::from_value(json!(own)).unwrap()]);
        let all = all.iter().map(|one| Account { addresses: own.clone(), ..one.clone() });
        assert_eq!(told(all.collect()), []);
    }
}

#[test]
fn one_raider_who_shares_an_address_with_people_brings_none_of_them_into_the_raid() {
    let mut all: Vec<Account> = (0..20)
        .map(|n| Account {
            addresses: BTreeSet::from([address(1)]),
            ..account(&format!("raid-{n}"), n)
        })
        .collect();
    all[0].addresses.insert(address(2));
    all.extend(["ann", "bob", "eve", "zoe"].iter().zip(0..).map(|(name, n)| Account {
        addresses: BTreeSet::from([address(2)]),
        ..account(name, n * 100)
    }));
    let (groups, alone) = groups(all);
    assert_eq!((groups.len(), groups[0].accounts.len(), alone.len()), (1, 20, 4));
}

#[test]
fn who_looks_real_is_told_why_and_what_half_of_a_group_has_tells_nothing() {
    let mut all: Vec<Account> = (0..20).map(|n| account(&format!("raid-{n}"), 600 + n)).collect();
    let reasons = |all: &[Account]| {
        let (groups, _) = groups(all.to_vec());
        let [group] = groups.as_slice() else { panic!("one group") };
        let real = group.reality();
        let named = group.accounts.iter().zip(real).filter(|(_, why)| !why.is_empty());
        named.map(|(one, why)| format!("{}: {}", one.user.localpart(), why.join(", "))).collect()
    };
    let none: Vec<String> = reasons(&all);
    assert!(none.is_empty(), "{none:?}");
    all[1].email = true;
    all[2].rooms = (0..6).map(|n| room(&format!("r{n}"))).collect();
    all[3].created = begin();
    all[4].special = vec!["has a note"];
    all[5].signs_on = true;
    let mut found: Vec<String> = reasons(&all);
    found.sort();
    assert_eq!(
        found,
        [
            "raid-1: has an email address",
            "raid-2: is in 6 rooms",
            "raid-3: was created long before most of them",
            "raid-4: has a note",
            "raid-5: signs in with an identity provider",
        ]
    );
    for account in &mut all {
        account.email = true;
    }
    let found: Vec<String> = reasons(&all);
    assert!(!found.iter().any(|why| why.contains("email")), "{found:?}");
}

/// Accounts by chance, of which some are alike in some things.
fn by_chance() -> impl Strategy<Value = Vec<Account>> {
    let one = (0..4_usize, 0..400_i64, 0..3_usize, 0..6_usize);
    vec(one, 0..60).prop_map(|all| {
        let stems = ["raid-", "anna", "x", "lena"];
        let made = all.into_iter().enumerate().map(|(n, (stem, minute, of_room, last))| Account {
            rooms: (0..of_room).map(|n| room(&format!("r{n}"))).collect(),
            addresses: if last < 3 { BTreeSet::from([address(last)]) } else { BTreeSet::new() },
            ..account(&format!("{}{n}", stems[stem]), minute)
        });
        made.collect()
    })
}

proptest! {
    #[test]
    fn each_account_is_in_one_group_at_most_and_none_is_lost(all in by_chance()) {
        let mut before: Vec<OwnedUserId> = all.iter().map(|one| one.user.clone()).collect();
        let (groups, alone) = groups(all);
        prop_assert!(groups.iter().all(|group| group.accounts.len() >= FEWEST));
        let sizes: Vec<usize> = groups.iter().map(|group| group.accounts.len()).collect();
        prop_assert!(sizes.is_sorted_by(|one, other| one >= other), "{:?}", sizes);
        let grouped = groups.iter().flat_map(|group| &group.accounts);
        let mut after: Vec<OwnedUserId> =
            grouped.chain(&alone).map(|account| account.user.clone()).collect();
        before.sort();
        after.sort();
        prop_assert_eq!(before, after);
    }

    #[test]
    fn the_order_in_which_accounts_are_read_changes_nothing(all in by_chance()) {
        let mut turned = all.clone();
        turned.reverse();
        prop_assert_eq!(told(all), told(turned));
    }

    /// Whatever rooms they join, whenever they come and however many of them.
    #[test]
    fn people_with_names_of_their_own_are_never_thrown_together(
        people in vec((0..PEOPLE.len(), "[a-z]{3,9}", 0..100_u32, 0..30_i64), 0..40)
    ) {
        let mut names = BTreeSet::new();
        let named = people.into_iter().filter(|(_, name, ..)| {
            name.chars().any(|c| "aeiou".contains(c)) && names.insert(name.clone())
        });
        let made = named.map(|(_, name, year, minute)| Account {
            rooms: BTreeSet::from([room("lobby")]),
            ..account(&format!("{name}{year}"), minute)
        });
        prop_assert_eq!(told(made.collect()), []);
    }
}
