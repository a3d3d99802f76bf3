//! What belongs together: a change, the end that was set for it, moved and come, and what took it back.

use std::collections::BTreeMap;

use super::read::{Details, Entry, Reading};

/// Entries that hang together, by the number of the first change.
#[derive(Debug)]
pub(super) struct Chains {
    /// The first change of each entry that follows from one.
    first: BTreeMap<u64, u64>,
    /// All entries of each that is worth to be told: what has an end, or was undone.
    told: BTreeMap<u64, Vec<u64>>,
    /// What points to each entry: how, and from where.
    backwards: BTreeMap<u64, Vec<(&'static str, u64)>>,
}

impl Chains {
    pub(super) fn of(reading: &Reading) -> Self {
        let mut chains =
            Self { first: BTreeMap::new(), told: BTreeMap::new(), backwards: BTreeMap::new() };
        let mut all: BTreeMap<u64, (bool, Vec<u64>)> = BTreeMap::new();
        for entry in &reading.entries {
            let Some(details) = entry.details.as_ref().filter(|one| one.redacts.is_none()) else {
                continue;
            };
            for (how, to) in pointers(entry, details) {
                chains.backwards.entry(to).or_default().push((how, entry.seq));
            }
            // An entry only ever points to one that came before it.
            let before = [details.undoes, details.of].into_iter().flatten();
            let firsts = before.filter(|before| *before < entry.seq);
            let first = firsts.map(|before| *chains.first.get(&before).unwrap_or(&before)).min();
            let first = first.unwrap_or(entry.seq);
            chains.first.insert(entry.seq, first);
            let (told, members) = all.entry(first).or_default();
            *told |= details.undoes.is_some() || details.until.is_some() || entry.kind == "moved";
            members.push(entry.seq);
        }
        let told = all.into_iter().filter(|(_, (told, members))| *told && members.len() > 1);
        chains.told = told.map(|(first, (_, members))| (first, members)).collect();
        chains
    }

    /// The chains of sanctions and of what was undone, the first first.
    pub(super) fn told(&self) -> impl Iterator<Item = (u64, &[u64])> {
        self.told.iter().map(|(first, members)| (*first, members.as_slice()))
    }

    /// The first of the chain in which this entry is told, if it is told in one.
    pub(super) fn of_entry(&self, seq: u64) -> Option<u64> {
        self.first.get(&seq).copied().filter(|first| self.told.contains_key(first))
    }

    /// What points to this entry.
    pub(super) fn backwards(&self, seq: u64) -> &[(&'static str, u64)] {
        self.backwards.get(&seq).map_or(&[], Vec::as_slice)
    }
}

/// To which entries this one points, and what it is to them.
fn pointers(entry: &Entry, details: &Details) -> Vec<(&'static str, u64)> {
    let of = match entry.kind.as_str() {
        "closed" => "its outcome",
        "ended" => "the end of what went on",
        "moved" => "the end was changed",
        _ => "about it",
    };
    let undone = match (entry.kind.as_str(), details.outcome().as_deref()) {
        ("closed", Some("Done")) => Some("undone"),
        ("closed" | "given_up", _) => Some("not undone"),
        // The opening of the same is told with its outcome.
        _ => None,
    };
    let of = details.of.map(|to| (of, to));
    let undoes = details.undoes.zip(undone).map(|(to, how)| (how, to));
    of.into_iter().chain(undoes).collect()
}
