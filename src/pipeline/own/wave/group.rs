//! Which new accounts belong together. Nothing in here asks anybody.
//!
//! Ordinary people who came in the same hours must not be thrown together. So a group has at least
//! [`FEWEST`] accounts, and names that look alike count only where their accounts have something else in
//! common that the other new accounts have not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    net::IpAddr,
};

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedRoomId, OwnedUserId};

use super::shape::shape;
use crate::{reply::Hostile, synapse::Private};

/// The fewest accounts of a group.
pub(super) const FEWEST: usize = 5;

/// Accounts were made in quick succession where each took no longer than this, on average.
const QUICK: SignedDuration = SignedDuration::from_mins(1);

/// In so many rooms nobody is who was made to spam one.
const MANY_ROOMS: usize = 5;

/// How many times as many rooms as the others of its group an account is in that stands out by that.
const TIMES_AS_MANY: usize = 3;

/// An account is older than its group that was made so long before most of it.
const OLDER: SignedDuration = SignedDuration::from_hours(1);

/// What is known of a new account.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// Its id.
    pub(super) user: OwnedUserId,
    /// The name that people see.
    pub(super) displayname: Option<Hostile>,
    /// When it was created.
    pub(super) created: Timestamp,
    /// The rooms that it is in.
    pub(super) rooms: BTreeSet<OwnedRoomId>,
    /// The addresses that it connected from, where they were looked up.
    pub(super) addresses: BTreeSet<Private>,
    /// The clients that it connected with, where they were looked up.
    pub(super) clients: BTreeSet<Hostile>,
    /// Whether it has an email address.
    pub(super) email: bool,
    /// Whether it signs on by an identity provider.
    pub(super) signs_on: bool,
    /// What makes it somebody's in particular: noted, protected, an operator.
    pub(super) special: Vec<&'static str>,
    /// Whether it is suspended or locked.
    pub(super) restrained: bool,
    /// How many reports there are of it or of what it wrote.
    pub(super) reports: u64,
}

/// What the accounts of a group have in common before all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    /// The shape of their names.
    Name(String),
    /// The address that they connected from.
    Address(Private),
}

/// Accounts that belong together, the newest first.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) by: By,
    pub(super) accounts: Vec<Account>,
}

/// The groups of these accounts, the largest first, and those that are in none. No account is in two: it
/// is in the largest that it could be in.
pub(super) fn groups(accounts: Vec<Account>) -> (Vec<Group>, Vec<Account>) {
    let mut found: Vec<(By, Vec<usize>)> = by_name(&accounts);
    found.extend(by_address(&accounts));
    found.sort_by(|(by, one), (other_by, other)| {
        other.len().cmp(&one.len()).then_with(|| by.cmp(other_by))
    });
    let mut left: Vec<Option<Account>> = accounts.into_iter().map(Some).collect();
    let mut groups = Vec::new();
    for (by, members) in found {
        let free = |place: &&usize| left.get(**place).is_some_and(Option::is_some);
        let free: Vec<usize> = members.iter().filter(free).copied().collect();
        if free.len() < FEWEST {
            continue;
        }
        let taken = free.into_iter().filter_map(|place| left.get_mut(place)?.take());
        let mut accounts: Vec<Account> = taken.collect();
        accounts.sort_by(|one, other| {
            other.created.cmp(&one.created).then_with(|| one.user.cmp(&other.user))
        });
        groups.push(Group { by, accounts });
    }
    groups.sort_by(|one, other| {
        other.accounts.len().cmp(&one.accounts.len()).then_with(|| one.by.cmp(&other.by))
    });
    (groups, left.into_iter().flatten().collect())
}

/// Accounts whose names have the same shape and that agree in something else.
fn by_name(accounts: &[Account]) -> Vec<(By, Vec<usize>)> {
    let mut alike: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, account) in accounts.iter().enumerate() {
        if let Some(shape) = shape(account.user.localpart()) {
            alike.entry(shape).or_default().push(place);
        }
    }
    let enough = alike.into_iter().filter(|(_, places)| places.len() >= FEWEST);
    let agree = enough.filter(|(_, places)| {
        let inside: BTreeSet<usize> = places.iter().copied().collect();
        let (mut these, mut others) = (Vec::new(), Vec::new());
        for (place, account) in accounts.iter().enumerate() {
            if inside.contains(&place) { these.push(account) } else { others.push(account) }
        }
        agree(&these, &others)
    });
    agree.map(|(shape, places)| (By::Name(shape), places)).collect()
}

/// Accounts that connected from the same address.
fn by_address(accounts: &[Account]) -> Vec<(By, Vec<usize>)> {
    let mut alike: BTreeMap<&Private, Vec<usize>> = BTreeMap::new();
    for (place, account) in accounts.iter().enumerate() {
        for address in account.addresses.iter().filter(|address| is_telling(address)) {
            alike.entry(address).or_default().push(place);
        }
    }
    let enough = alike.into_iter().filter(|(_, places)| places.len() >= FEWEST);
    enough.map(|(address, places)| (By::Address(address.clone()), places)).collect()
}

/// Whether an address is one that somebody came from: behind a proxy that does not pass addresses on,
/// everybody comes from the machine itself.
fn is_telling(address: &Private) -> bool {
    let address = address.show().raw().parse::<IpAddr>();
    !address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Whether these accounts have something in common, besides their names, that the others have not.
fn agree(these: &[&Account], others: &[&Account]) -> bool {
    came_quickly(these)
        || from_few_addresses(these)
        || share(these, others, |account| &account.rooms)
        || share(these, others, |account| &account.clients)
}

/// Whether four fifths of these were made in quick succession.
fn came_quickly(these: &[&Account]) -> bool {
    let mut moments: Vec<Timestamp> = these.iter().map(|account| account.created).collect();
    moments.sort_unstable();
    let most = most_of(moments.len());
    let allowed = i32::try_from(most).map_or(SignedDuration::MAX, |most| QUICK * most);
    moments.windows(most.max(1)).any(|window| match window {
        [first, .., last] => last.duration_since(*first) <= allowed,
        _ => false,
    })
}

/// Whether these came from few addresses, as far as that was looked up.
fn from_few_addresses(these: &[&Account]) -> bool {
    let telling = |account: &&&Account| account.addresses.iter().any(is_telling);
    let known = these.iter().filter(telling).count();
    let addresses: BTreeSet<&Private> = these
        .iter()
        .flat_map(|account| &account.addresses)
        .filter(|address| is_telling(address))
        .collect();
    known >= most_of(these.len()) && addresses.len() * FEWEST <= known
}

/// Whether four fifths of these have one thing in common that not half of the others have: everybody
/// joins a room that new accounts are put into.
fn share<T: Ord>(
    these: &[&Account],
    others: &[&Account],
    of: fn(&Account) -> &BTreeSet<T>,
) -> bool {
    let mut counts: BTreeMap<&T, usize> = BTreeMap::new();
    for thing in these.iter().flat_map(|account| of(account)) {
        *counts.entry(thing).or_default() += 1;
    }
    let shared = counts.into_iter().filter(|(_, count)| *count >= most_of(these.len()));
    shared.into_iter().any(|(thing, _)| {
        let too = others.iter().filter(|account| of(account).contains(thing)).count();
        too == 0 || too * 2 < others.len()
    })
}

/// Four fifths of a number, rounded up.
fn most_of(count: usize) -> usize {
    (count * 4).div_ceil(5)
}

impl Group {
    /// Why each account looks as if somebody real had made it, in the order of the accounts; nothing where
    /// it does not. What half of the group has tells nothing.
    pub(super) fn reality(&self) -> Vec<Vec<String>> {
        let accounts = &self.accounts;
        let few = |is: fn(&Account) -> bool| {
            accounts.iter().filter(|account| is(account)).count() * 2 < accounts.len()
        };
        let email = few(|account| account.email);
        let signs_on = few(|account| account.signs_on);
        let rooms = median(accounts.iter().map(|account| account.rooms.len())).unwrap_or_default();
        let made = median(accounts.iter().map(|account| account.created));
        let spread = self.spread().max(OLDER);
        let real = accounts.iter().map(|account| {
            let mut reasons: Vec<String> =
                account.special.iter().map(|&why| why.to_owned()).collect();
            if email && account.email {
                reasons.push("has an email address".to_owned());
            }
            if signs_on && account.signs_on {
                reasons.push("signs in with an identity provider".to_owned());
            }
            let count = account.rooms.len();
            if count >= MANY_ROOMS && count >= TIMES_AS_MANY * rooms.max(1) {
                reasons.push(format!("is in {count} rooms"));
            }
            if made.is_some_and(|made| made.duration_since(account.created) > spread) {
                reasons.push("was created long before most of them".to_owned());
            }
            reasons
        });
        real.collect()
    }

    /// In which time the middle half of the group was made, three times over.
    fn spread(&self) -> SignedDuration {
        let mut moments: Vec<Timestamp> = self.accounts.iter().map(|one| one.created).collect();
        moments.sort_unstable();
        let quarter = moments.len() / 4;
        let (first, last) = (moments.get(quarter), moments.iter().rev().nth(quarter));
        first.zip(last).map_or(SignedDuration::ZERO, |(first, last)| {
            last.duration_since(*first).checked_mul(3).unwrap_or(SignedDuration::MAX)
        })
    }

    /// The shape of the names of four fifths of the accounts, where they have one.
    pub(super) fn names(&self) -> Option<String> {
        let shapes = self.accounts.iter().filter_map(|account| shape(account.user.localpart()));
        most_frequent(shapes)
            .filter(|(_, count)| *count >= most_of(self.accounts.len()))
            .map(|(shape, _)| shape)
    }

    /// The room that most of them are in, and how many are.
    pub(super) fn room(&self) -> Option<(OwnedRoomId, usize)> {
        most_frequent(self.accounts.iter().flat_map(|account| account.rooms.iter().cloned()))
    }

    /// The addresses that they came from, the most frequent first, and how many from each.
    pub(super) fn addresses(&self) -> Vec<(Private, usize)> {
        counted(self.accounts.iter().flat_map(|account| account.addresses.iter().cloned()))
    }

    /// Their clients in the same way.
    pub(super) fn clients(&self) -> Vec<(Hostile, usize)> {
        counted(self.accounts.iter().flat_map(|account| account.clients.iter().cloned()))
    }

    /// When the first and the last were created.
    pub(super) fn made(&self) -> Option<(Timestamp, Timestamp)> {
        let moments = || self.accounts.iter().map(|account| account.created);
        moments().min().zip(moments().max())
    }
}

/// Things with how often each is there, the most frequent first.
fn counted<T: Ord>(things: impl Iterator<Item = T>) -> Vec<(T, usize)> {
    let mut counts = BTreeMap::new();
    for thing in things {
        *counts.entry(thing).or_default() += 1;
    }
    let mut counts: Vec<(T, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

fn most_frequent<T: Ord>(things: impl Iterator<Item = T>) -> Option<(T, usize)> {
    counted(things).into_iter().next()
}

fn median<T: Ord + Copy>(things: impl Iterator<Item = T>) -> Option<T> {
    let mut things: Vec<T> = things.collect();
    things.sort_unstable();
    things.get(things.len() / 2).copied()
}

#[cfg(test)]
mod tests;
