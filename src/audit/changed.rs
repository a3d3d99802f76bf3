//! What was changed by some verbs, as far as the record still has it.

use std::collections::HashSet;

use jiff::Timestamp;

use super::{Audit, Kind, key};
use crate::{
    memory::{Changed, Past},
    store,
};

impl Audit {
    /// What was changed by one of these verbs, each once with the newest such change, newest first, at
    /// most `limit`.
    pub fn changed_by(&self, verbs: &[&str], limit: usize) -> Result<Changed, store::Error> {
        let mut changed = Changed { since: self.begins()?, ..Changed::default() };
        let mut seen = HashSet::new();
        // Nothing is kept of what is looked through but what is wanted of it.
        self.last_where(1, |kept| {
            let Some(record) = &kept.record else { return false };
            let Some(by) = record.by.as_ref().filter(|_| record.kind == Kind::Opened) else {
                return false;
            };
            let begins = |verb: &&str| {
                let words = record.words.iter().map(String::as_str);
                verb.split(' ').eq(words.take(verb.split(' ').count()))
            };
            if !verbs.iter().any(begins) {
                return false;
            }
            for subject in &record.subjects {
                if !seen.insert(subject.clone()) {
                    continue;
                }
                if changed.subjects.len() == limit {
                    changed.more = true;
                    return true;
                }
                let past = Past {
                    id: kept.entry.seq,
                    at: kept.entry.at,
                    by: by.clone(),
                    command: crate::input::shown(&record.words),
                    words: record.words.clone(),
                    status: None,
                };
                changed.subjects.push((subject.clone(), past));
            }
            false
        })?;
        for (subject, past) in &mut changed.subjects {
            past.status = self.status_of(past.id, subject)?;
        }
        Ok(changed)
    }

    /// When the first entry was made whose details have not gone.
    fn begins(&self) -> Result<Option<Timestamp>, store::Error> {
        let gone = self.forgotten.get("upto")?.unwrap_or_default();
        Ok(self.entries.get(&key(gone + 1))?.map(|kept| kept.entry.at))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ruma::owned_user_id;

    use super::*;
    use crate::{audit::Record, change::Subject, clock::FixedClock, store::Store};

    fn room(name: &str) -> Subject {
        Subject::Room(ruma::RoomId::parse(format!("!{name}:x.test")).unwrap())
    }

    fn record(words: &str, subjects: &[&str]) -> Record {
        Record {
            by: Some(owned_user_id!("@ann:x.test")),
            words: words.split(' ').map(str::to_owned).collect(),
            subjects: subjects.iter().map(|name| room(name)).collect(),
            ..Record::new(Kind::Opened)
        }
    }

    #[tokio::test]
    async fn each_is_found_once_with_the_newest_change_of_these_verbs() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
        let opened = Store::open(&dir.path().join("store"), Timestamp::UNIX_EPOCH).unwrap();
        let audit = Audit::new(&opened.store, clock).unwrap();
        let verbs = ["room block", "undo"];
        assert_eq!(audit.changed_by(&verbs, 5).unwrap().since, None);
        audit.open(record("room block !a", &["a", "b"])).await.unwrap();
        audit.open(record("room blocked !c", &["c"])).await.unwrap();
        audit.open(record("room delete !d", &["d"])).await.unwrap();
        let last = audit.open(record("room block !b", &["b"])).await.unwrap();
        audit.note(Record::new(Kind::Noted)).await.unwrap();

        let changed = audit.changed_by(&verbs, 5).unwrap();
        let subjects: Vec<&Subject> = changed.subjects.iter().map(|(subject, _)| subject).collect();
        assert_eq!(subjects, [&room("b"), &room("a")]);
        assert_eq!((changed.subjects[0].1.id, changed.more), (last, false));
        assert_eq!(changed.since, Some(Timestamp::UNIX_EPOCH));
        let one = audit.changed_by(&verbs, 1).unwrap();
        assert_eq!((one.subjects.len(), one.more), (1, true));
    }
}
