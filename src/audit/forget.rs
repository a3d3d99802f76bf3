//! What personal there is in the record and goes: after a time, or with somebody's erasure.
//!
//! After its time the whole record of an entry goes, and the bare entry stays in the chain. With an
//! erasure only those who were erased go: the record of an entry that names them goes too, and what
//! is left of it is appended as an entry of its own, [`Kind::Redacted`], which stands in its place
//! from then on. So who asked and approved, the other subjects and their undo stay known, and the
//! chain holds.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ruma::OwnedUserId;

use super::{Audit, Kept, Kind, Record, about, key};
use crate::{
    change::{Subject, Undo},
    refs::{Named, UserRef, bare},
    store,
};

/// How many entries are dealt with before others have their turn.
const AT_ONCE: usize = 16;

/// What stands in place of somebody who was erased.
const ERASED: &str = "(erased)";

impl Audit {
    /// Lets the details of everything go that is older than `limit`, except of changes that have
    /// not ended; how many went. The chain stays whole.
    pub async fn forget_before(&self, limit: Timestamp) -> Result<usize, store::Error> {
        let mut gone = 0;
        let from = self.forgotten.get("upto")?.unwrap_or_default();
        let mut upto = from;
        for seq in from + 1..=self.head().await.count {
            let Some(kept) = self.entries.get(&key(seq))? else { break };
            if kept.entry.at >= limit {
                break;
            }
            if kept.entry.kind == Kind::Opened && !self.is_closed(seq)? {
                break;
            }
            gone += usize::from(self.forget(&kept)?);
            upto = seq;
        }
        if upto > from {
            self.forgotten.put("upto", &upto)?;
            self.store.flush().await?;
        }
        Ok(gone)
    }

    /// Takes these subjects out of everything about them that came before number `until`, except of
    /// changes that have not ended; from how many entries. Reads only what names them.
    pub async fn forget_about(
        &self,
        subjects: &[Subject],
        until: u64,
    ) -> Result<usize, store::Error> {
        let gone: BTreeSet<String> = subjects.iter().map(Subject::owner_id).collect();
        let mut entries = BTreeSet::new();
        for owner in &gone {
            let of = self.mentions.last_under(&about(owner, ""), usize::MAX)?;
            entries.extend(of.into_iter().map(|(_, seq)| seq));
        }
        let mut redacted = 0;
        for (n, seq) in entries.into_iter().enumerate() {
            redacted += usize::from(self.take_out(seq, until, &gone).await?);
            if n % AT_ONCE == AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
        }
        self.store.flush().await?;
        Ok(redacted)
    }

    /// Takes those with these ids out of the record of one entry; whether anything was to be taken
    /// out. Where that record stands in an entry of its own already, a newer one takes its place.
    async fn take_out(
        &self,
        seq: u64,
        until: u64,
        gone: &BTreeSet<String>,
    ) -> Result<bool, store::Error> {
        let Some(kept) = self.entries.get(&key(seq))? else { return Ok(false) };
        let Some(mut record) = kept.record.clone() else { return Ok(false) };
        let of = record.redacts.take().unwrap_or(seq);
        let goes_on = record.kind == Kind::Opened && !self.is_closed(of)?;
        if of >= until || goes_on {
            return Ok(false);
        }
        let left = Record { redacts: Some(of), ..without(record.clone(), gone) };
        let by = self.append(left).await?;
        for subject in record.subjects.iter().filter(|subject| is_one(subject, gone)) {
            self.about.remove(&about(&subject.key(), &key(of)))?;
        }
        self.redacted.put(&key(of), &by)?;
        self.forget(&kept)?;
        Ok(true)
    }

    /// Lets the record of an entry go, also where it stands in an entry of its own; whether there
    /// was any.
    pub(super) fn forget(&self, kept: &Kept) -> Result<bool, store::Error> {
        let seq = kept.entry.seq;
        if let Some(record) = &kept.record {
            for owner in mentioned(record) {
                self.mentions.remove(&about(&owner, &key(seq)))?;
            }
            let bare = Kept { entry: kept.entry.clone(), salt: None, record: None };
            self.entries.put(&key(seq), &bare)?;
            return Ok(true);
        }
        let Some(by) = self.redacted.get(&key(seq))? else { return Ok(false) };
        self.redacted.remove(&key(seq))?;
        match self.entries.get(&key(by))? {
            Some(kept) if kept.record.is_some() => self.forget(&kept),
            _ => Ok(false),
        }
    }

    /// Notes whom a record names, so that they are found when they are erased.
    pub(super) fn note_mentions(&self, seq: u64, record: &Record) -> Result<(), store::Error> {
        for owner in mentioned(record) {
            self.mentions.put(&about(&owner, &key(seq)), &seq)?;
        }
        Ok(())
    }

    /// Notes the same for a record that was begun when nobody noted it.
    pub(super) fn note_older_mentions(&self) -> Result<(), store::Error> {
        const NOTED: &str = "mentions";
        if self.forgotten.get(NOTED)?.is_some() {
            return Ok(());
        }
        let last = self.entries.last(1)?.pop().map_or(0, |(_, kept)| kept.entry.seq);
        for seq in 1..=last {
            if let Some(record) = self.link(seq)?.and_then(|kept| kept.record) {
                self.note_mentions(seq, &record)?;
            }
        }
        self.forgotten.put(NOTED, &last)
    }
}

/// Those whom a record is about, and those named by their whole id in its command, by the ids of
/// their owners.
fn mentioned(record: &Record) -> BTreeSet<String> {
    let named = record.words.iter().filter_map(|word| whole_id(word)).map(|id| id.to_string());
    record.subjects.iter().map(Subject::owner_id).chain(named).collect()
}

/// The account whose whole id a word of a command is, also without the sign before it.
fn whole_id(word: &str) -> Option<OwnedUserId> {
    let user = match word.parse::<Named>().ok()? {
        Named::User(user) => user,
        Named::Plain(word) => word.parse().ok()?,
        Named::Room(_) | Named::Event(_) | Named::File(_) => return None,
    };
    match user {
        UserRef::Id(id) => Some(id),
        UserRef::Localpart(_) => None,
    }
}

fn is_one(subject: &Subject, gone: &BTreeSet<String>) -> bool {
    gone.contains(&subject.owner_id())
}

/// What is left of a record without those who were erased.
fn without(mut record: Record, gone: &BTreeSet<String>) -> Record {
    let names: Vec<Name> = gone.iter().map(|id| Name::of(id)).collect();
    let stays: Vec<bool> = record.subjects.iter().map(|one| !is_one(one, gone)).collect();
    record.undo = undo_of_the_rest(&record, &stays, gone);
    record.subjects.retain(|subject| !is_one(subject, gone));
    record.left.retain(|(subject, _)| !is_one(subject, gone));
    record.requests.retain(|request| !names.iter().any(|name| request.contains(&name.id)));
    record.erased += stays.iter().filter(|stays| !**stays).count();
    if record.subjects.is_empty() {
        // All that was said was said of them.
        record.words.truncate(2);
        (record.reason, record.alone, record.note) = (None, None, None);
        record.requests.clear();
    }
    for word in &mut record.words {
        if names.iter().any(|name| name.is_meant_by(word)) {
            ERASED.clone_into(word);
        }
    }
    for text in [&mut record.reason, &mut record.alone, &mut record.note].into_iter().flatten() {
        for name in &names {
            *text = text.replace(&name.id, ERASED);
        }
    }
    record
}

/// The undo of those who stay. It stands beside the state that was left, or beside the subjects.
fn undo_of_the_rest(record: &Record, stays: &[bool], gone: &BTreeSet<String>) -> Vec<Undo> {
    let left: Vec<bool> = record.left.iter().map(|(one, _)| !is_one(one, gone)).collect();
    let stays = if record.undo.len() == left.len() { &left } else { stays };
    if record.undo.len() != stays.len() {
        return Vec::new();
    }
    let rest = record.undo.iter().zip(stays).filter(|(_, stays)| **stays);
    rest.map(|(undo, _)| undo.clone()).collect()
}

/// How somebody is named in a record.
struct Name {
    id: String,
    localpart: Option<String>,
}

impl Name {
    fn of(id: &str) -> Self {
        let user = ruma::UserId::parse(id).ok();
        Self { localpart: user.map(|user| user.localpart().to_owned()), id: id.to_owned() }
    }

    /// Whether a word of a command is this one, whole or in short, in any of the ways in which an id is
    /// understood.
    fn is_meant_by(&self, word: &str) -> bool {
        let bare = bare(word);
        let short = bare.strip_prefix('@').unwrap_or(&bare);
        word.contains(&self.id)
            || bare.contains(&self.id)
            || whole_id(word).is_some_and(|id| id == self.id)
            || self.localpart.as_deref() == Some(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_found_in_every_spelling_in_which_an_id_is_understood() {
        let eve = Name::of("@eve_a:x.org");
        for word in [
            "@eve_a:x.org",
            "eve_a",
            "@eve_a",
            "<@eve_a:x.org>,",
            "＠eve_a：x.org",
            "@eve\u{ad}_a:x.org",
            "@eve\\_a:x.org",
            "eve_a,",
            "eve_a:x.org",
            "<eve_a：x.org>,",
        ] {
            assert!(eve.is_meant_by(word), "{word}");
        }
        for other in ["eve", "@eve_ab:x.org", "eve_ab:x.org", "steve_a:x.org", "eve_a:y.org"] {
            assert!(!eve.is_meant_by(other), "{other}");
        }
        for word in ["<＠eve_a：x.org>,", "eve_a:x.org", "eve_a:x.org."] {
            let words = ["user", "suspend", word].map(str::to_owned).to_vec();
            let record = Record { words, ..Record::new(Kind::Opened) };
            assert_eq!(mentioned(&record), BTreeSet::from(["@eve_a:x.org".to_owned()]), "{word}");
        }
    }
}
