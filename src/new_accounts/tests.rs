use super::*;

fn at(text: &str) -> Timestamp {
    format!("2026-11-30T{text}Z").parse().unwrap()
}

fn account(name: &str) -> NewAccount {
    NewAccount {
        id: format!("@{name}:x.test").try_into().unwrap(),
        name: None,
        created: at("10:00:00"),
        waits: false,
        like: None,
        looked_up: Some(LookedUp::default()),
    }
}

fn used(counts: &[(&str, u64)]) -> Used {
    Used::These(counts.iter().map(|(token, count)| ((*token).to_owned(), *count)).collect())
}

fn batch(names: &[&str], used: Used) -> Batch {
    let accounts = names.iter().map(|name| (account(name), None)).collect();
    let (at_least, bridged) = (false, 0);
    Batch::of(Found { at: at("10:01:00"), accounts, at_least, bridged, used }).unwrap()
}

fn names(batch: &Batch) -> Vec<&str> {
    batch.named.iter().map(|one| one.id.localpart()).collect()
}

/// Accounts by name and when they were created.
type Rows<'a> = &'a [(&'a str, &'a str)];

fn rows(accounts: Rows<'_>) -> Vec<(ruma::OwnedUserId, Timestamp)> {
    let id = |name: &str| format!("@{name}:x.test").try_into().unwrap();
    accounts.iter().map(|(name, created)| (id(name), at(created))).collect()
}

/// The names of those that are new, which are taken in.
fn new(read: &mut ReadTo, accounts: Rows<'_>, now: &str) -> Vec<String> {
    let rows = rows(accounts);
    let found = rows.iter().filter(|(user, created)| read.is_new(user, *created));
    let found = found.map(|(user, _)| user.localpart().to_owned()).collect();
    let seen = rows.iter().filter(|(_, created)| *created >= read.back_to());
    let seen: Vec<_> = seen.cloned().collect();
    read.take(seen.iter().map(|(user, created)| (&**user, *created)), at(now));
    found
}

fn begun(accounts: Rows<'_>, since: Option<&str>, now: &str) -> ReadTo {
    let rows = rows(accounts);
    let rows = rows.iter().map(|(user, created)| (&**user, *created));
    ReadTo::begin(rows, since.map(at), at(now))
}

#[test]
fn what_is_there_at_the_beginning_is_not_new_and_what_comes_is_new_once() {
    let mut read = begun(&[("bob", "09:59:30"), ("ann", "09:58:00")], None, "10:00:00");
    assert!(new(&mut read, &[("bob", "09:59:30"), ("ann", "09:58:00")], "10:01:00").is_empty());
    let all: Rows<'_> = &[("eve", "10:01:30"), ("bob", "09:59:30"), ("ann", "09:58:00")];
    assert_eq!(new(&mut read, all, "10:02:00"), ["eve"]);
    assert!(new(&mut read, all, "10:03:00").is_empty());
    // Older ones come to light where newer ones are gone.
    assert!(new(&mut read, &[("ann", "09:58:00")], "10:04:00").is_empty());
    assert!(new(&mut read, all, "10:05:00").is_empty(), "also after that");
}

#[test]
fn one_that_comes_to_light_late_or_in_the_same_second_is_new() {
    let mut read = begun(&[("ann", "10:00:00")], None, "10:00:01");
    assert_eq!(new(&mut read, &[("bob", "10:00:00"), ("ann", "10:00:00")], "10:01:00"), ["bob"]);
    let all: Rows<'_> = &[("bob", "10:00:00"), ("ann", "10:00:00"), ("late", "09:58:30")];
    assert_eq!(new(&mut read, all, "10:02:00"), ["late"]);
    assert!(new(&mut read, all, "10:03:00").is_empty());
}

#[test]
fn clocks_that_differ_lose_nothing() {
    // An hour behind.
    let mut read = begun(&[("ann", "08:50:00")], None, "10:00:00");
    assert_eq!(new(&mut read, &[("bob", "09:00:10"), ("ann", "08:50:00")], "10:01:00"), ["bob"]);
    // Ahead, and one that is dated far ahead.
    let odd = ("odd", "23:00:00");
    assert_eq!(new(&mut read, &[odd, ("bob", "09:00:10")], "10:02:00"), ["odd"]);
    let next: Rows<'_> = &[odd, ("cat", "10:30:00"), ("bob", "09:00:10")];
    assert_eq!(new(&mut read, next, "10:03:00"), ["cat"]);
    let next: Rows<'_> = &[odd, ("dan", "10:03:30"), ("cat", "10:30:00"), ("bob", "09:00:10")];
    assert_eq!(new(&mut read, next, "10:04:00"), ["dan"]);
}

#[test]
fn since_a_moment_those_are_new_that_were_created_then_or_later() {
    let all: Rows<'_> = &[("cat", "10:00:05"), ("bob", "10:00:00"), ("ann", "09:59:59")];
    let mut read = begun(all, Some("10:00:00.7"), "10:00:09");
    assert_eq!(new(&mut read, all, "10:00:10"), ["cat", "bob"]);
    assert!(new(&mut read, all, "10:01:10").is_empty());
}

#[test]
fn what_several_looks_have_found_is_told_together_the_newest_first() {
    let all = batch(&["ann"], used(&[("choir", 1)]));
    let all = all.and(batch(&["cat", "bob"], used(&[("choir", 2)])));
    assert_eq!((names(&all), all.count, all.looks), (vec!["cat", "bob", "ann"], 3, 2));
    assert_eq!(all.registered_with(), Some("choir"));
    assert_eq!((all.without_email, all.looked_up), (3, 3));
    let mut state = begun(&[], None, "10:00:00");
    state.known.clear();
    let mut state = NewAccounts::begin(at("10:00:00"), Why::Config, state, None);
    state.gather(all.clone());
    assert_eq!(state.gathered, Some(all.clone()));
    state.gather(batch(&["dan"], Used::NotKnown));
    let gathered = state.gathered.unwrap();
    assert_eq!((gathered.count, gathered.registered_with()), (4, None));
    assert_eq!(gathered.since, all.since);
}

#[test]
fn of_many_those_are_named_who_are_like_somebody_and_then_the_newest() {
    let raid: Vec<String> = (0..300).map(|n| format!("raid{n}")).collect();
    let mut accounts: Vec<_> =
        raid.iter().map(|name| (account(name), Some("raid#".to_owned()))).collect();
    let ann = ruma::owned_user_id!("@ann:x.test");
    let like = Some(Like { user: ann, whose: Whose::Operator });
    let twin = NewAccount { like, ..account("anm") };
    accounts.insert(250, (twin, None));
    accounts.push((account("bob"), Some("b#".to_owned())));
    let (at_least, bridged, used) = (false, 2, used(&[]));
    let batch = Batch::of(Found { at: at("10:01:00"), accounts, at_least, bridged, used }).unwrap();
    assert_eq!(names(&batch)[..3], ["anm", "raid0", "raid1"]);
    assert_eq!((batch.count, batch.named.len(), batch.is_storm()), (302, NAMED, true));
    assert_eq!(batch.alike(), [("raid#", 300)]);
    let none =
        Found { at: at("10:01:00"), accounts: Vec::new(), at_least, bridged, used: Used::NotKnown };
    assert_eq!(Batch::of(none), None, "bridged ones alone are not told");
}

#[test]
fn a_token_is_named_only_where_the_counts_leave_no_other() {
    let counts = |counts: &[(&str, u64)]| {
        let Used::These(counts) = used(counts) else { panic!("these") };
        counts
    };
    let before = counts(&[("a", 2), ("b", 5)]);
    let between = |now: &[(&str, u64)]| Used::between(Some(&before), &counts(now));
    assert_eq!(between(&[("a", 2), ("b", 5)]), used(&[]));
    assert_eq!(between(&[("a", 5), ("b", 5)]), used(&[("a", 3)]));
    assert_eq!(between(&[("b", 5), ("c", 1)]), used(&[("c", 1)]), "one that was made since");
    assert_eq!(between(&[("a", 0), ("b", 5)]), used(&[]), "one that was made anew");
    assert_eq!(Used::between(None, &before), Used::NotKnown);

    let with = |names: &[&str], counts: &[(&str, u64)]| {
        batch(names, used(counts)).registered_with().map(str::to_owned)
    };
    assert_eq!(with(&["eve"], &[("a", 1)]).as_deref(), Some("a"));
    assert_eq!(with(&["eve", "sam"], &[("a", 2)]).as_deref(), Some("a"));
    assert_eq!(with(&["eve", "sam"], &[("a", 1)]), None, "one came otherwise");
    assert_eq!(with(&["eve"], &[("a", 2)]), None, "one was not seen yet");
    assert_eq!(with(&["eve", "sam"], &[("a", 1), ("b", 1)]), None);
    assert_eq!(with(&["eve"], &[]), None);
    // Those who did not register themselves took no token.
    let mut mixed = batch(&["eve", "sam"], used(&[("a", 1)]));
    mixed.not_registered = 1;
    assert_eq!(mixed.registered_with(), Some("a"));
    // Whoever was not looked up may be of a bridge.
    mixed.looked_up = 1;
    assert_eq!(mixed.registered_with(), None);
}
