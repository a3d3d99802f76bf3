//! The lines of a record, as far as a page has use for them.
//!
//! Nothing here is demanded of a line but its number: what another version has written, or what
//! somebody has changed, is shown as far as it can be understood.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead},
};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::Proof;
use crate::{
    audit::{Broken, Chain},
    change::{Subject, Undo},
    input::shown,
};

/// One entry as the page shows it.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    pub(super) seq: u64,
    /// When, as it stands there.
    pub(super) at: String,
    pub(super) when: Option<Timestamp>,
    pub(super) kind: String,
    /// Whether it lies behind a place where the chain is broken.
    pub(super) unproven: bool,
    /// Nothing where the details have gone.
    pub(super) details: Option<Details>,
    /// The entry in which what is left of its details stands.
    pub(super) left_in: Option<u64>,
}

/// What stands in a record.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Details {
    pub(super) by: Option<String>,
    pub(super) yes: Option<String>,
    pub(super) approvals: Vec<String>,
    pub(super) room: Option<String>,
    pub(super) event: Option<String>,
    pub(super) words: Vec<String>,
    subjects: Vec<Value>,
    pub(super) ticket: Option<String>,
    pub(super) of: Option<u64>,
    pub(super) undoes: Option<u64>,
    pub(super) reason: Option<String>,
    pub(super) alone: Option<String>,
    freeze: Option<Value>,
    pub(super) class: Option<String>,
    pub(super) requests: Vec<String>,
    pub(super) until: Option<String>,
    word: Option<String>,
    pub(super) changed: Option<u64>,
    undo: Vec<Value>,
    pub(super) note: Option<String>,
    pub(super) erased: u64,
    pub(super) redacts: Option<u64>,
}

impl Details {
    /// The command as it was understood, or nothing.
    pub(super) fn command(&self) -> Option<String> {
        (!self.words.is_empty()).then(|| shown(&self.words))
    }

    /// Whom or what it is about.
    pub(super) fn subjects(&self) -> Vec<String> {
        self.subjects.iter().map(subject).collect()
    }

    /// By which a search for the subject finds it: a device goes by its account too.
    pub(super) fn found_by(&self) -> BTreeSet<String> {
        let owner = |value: &Value| Some(Subject::deserialize(value).ok()?.owner_id());
        self.subjects().into_iter().chain(self.subjects.iter().filter_map(owner)).collect()
    }

    /// Everybody who asked for it or agreed to it.
    pub(super) fn people(&self) -> BTreeSet<&str> {
        let agreed = self.approvals.iter().chain(&self.yes);
        self.by.iter().chain(agreed).map(String::as_str).collect()
    }

    /// What was frozen, or is not frozen any more.
    pub(super) fn frozen(&self) -> Option<String> {
        match self.freeze.as_ref()? {
            Value::String(bot) => Some(bot.clone()),
            Value::Object(one) => one.values().next().and_then(Value::as_str).map(str::to_owned),
            other => Some(other.to_string()),
        }
    }

    /// How it ended, in the bot's words.
    pub(super) fn outcome(&self) -> Option<String> {
        let word = self.word.as_deref()?;
        Some(sentence(word))
    }

    /// The commands that take it back.
    pub(super) fn ways_back(&self) -> Vec<String> {
        let undo = self.undo.iter().filter_map(|undo| Undo::deserialize(undo).ok());
        undo.flat_map(|undo| undo.commands().to_vec()).map(|words| shown(&words)).collect()
    }
}

/// A subject for people; what another version knows is shown as it stands.
fn subject(value: &Value) -> String {
    Subject::deserialize(value).map_or_else(|_| value.to_string(), |subject| subject.to_string())
}

/// The name of a kind or an outcome as the first words of a sentence.
pub(super) fn sentence(name: &str) -> String {
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// Everything that was read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) proof: Proof,
    /// In the order in which they stand there.
    pub(super) entries: Vec<Entry>,
    /// Where each number stands among the entries.
    pub(super) places: BTreeMap<u64, usize>,
}

#[derive(Deserialize)]
struct Line {
    entry: Link,
    record: Option<Value>,
}

#[derive(Deserialize)]
struct Link {
    seq: u64,
    #[serde(default)]
    at: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    hash: String,
}

impl Reading {
    /// Reads all lines, and checks that they are one chain that has `head` in it.
    pub(super) fn of(lines: impl BufRead, head: Option<&str>) -> io::Result<Self> {
        let mut chain = Chain::new();
        let (mut broken, mut found): (Option<Broken>, bool) = (None, false);
        let mut entries = Vec::new();
        for line in lines.split(b'\n') {
            let line = line?;
            // What is not UTF-8 is no entry, and shows as a break.
            let line = String::from_utf8_lossy(&line);
            if broken.is_none() {
                broken = chain.push(&line).err();
            }
            let Ok(Line { entry, record }) = serde_json::from_str::<Line>(&line) else { continue };
            found |=
                broken.is_none() && head.is_some_and(|head| head.eq_ignore_ascii_case(&entry.hash));
            entries.push(Entry {
                seq: entry.seq,
                when: entry.at.parse().ok(),
                at: entry.at,
                kind: entry.kind,
                unproven: broken.is_some(),
                details: record.and_then(|record| Details::deserialize(record).ok()),
                left_in: None,
            });
        }
        let head_found = head.map(|_| found);
        let proof = Proof { head: chain.head().clone(), broken, head_found };
        let mut reading = Self { proof, entries, places: BTreeMap::new() };
        for (place, entry) in reading.entries.iter().enumerate() {
            reading.places.entry(entry.seq).or_insert(place);
        }
        reading.put_what_is_left();
        Ok(reading)
    }

    /// Shows what is left of an entry, without somebody who was erased, where the entry stands.
    fn put_what_is_left(&mut self) {
        let left: Vec<(u64, u64, Details)> = self
            .entries
            .iter()
            .filter_map(|entry| {
                let details = entry.details.as_ref()?;
                Some((details.redacts?, entry.seq, details.clone()))
            })
            .collect();
        for (of, by, details) in left {
            let Some(entry) = self.places.get(&of).and_then(|place| self.entries.get_mut(*place))
            else {
                continue;
            };
            entry.left_in = Some(by);
            if entry.details.is_none() {
                entry.details = Some(Details { redacts: None, ..details });
            }
        }
    }

    /// The entry with this number.
    pub(super) fn get(&self, seq: u64) -> Option<&Entry> {
        self.entries.get(*self.places.get(&seq)?)
    }
}
