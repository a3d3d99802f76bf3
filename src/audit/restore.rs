//! A record from elsewhere: put in place of one that was lost, or after the end of an older one.

use std::collections::BTreeMap;

use super::{Audit, Chain, Head, Kept, Kind, Record, about, key};
use crate::{reply::Status, store};

/// Entries of a record, each as one line of JSON, from wherever they were found.
#[derive(Debug, Default)]
pub struct Links {
    /// Of a number that was given twice there are several.
    lines: BTreeMap<u64, Vec<Link>>,
}

#[derive(Debug)]
struct Link {
    hash: String,
    line: String,
}

impl Links {
    /// Adds a line. One that says less than another of the same entry does not count, nor does
    /// what is no entry.
    pub fn add(&mut self, line: &str) {
        let Ok(kept) = serde_json::from_str::<Kept>(line) else { return };
        let Kept { entry, .. } = kept;
        let same = self.lines.entry(entry.seq).or_default();
        match same.iter_mut().find(|known| known.hash == entry.hash) {
            Some(known) if known.line.len() >= line.len() => {}
            Some(known) => line.clone_into(&mut known.line),
            None => same.push(Link { hash: entry.hash, line: line.to_owned() }),
        }
    }

    /// The number of the last entry; 0 where there is none.
    pub fn last(&self) -> u64 {
        self.lines.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    /// What is one unbroken chain from its first entry on.
    fn chain(&self) -> (Head, Vec<Kept>) {
        self.after(Chain::new().head())
    }

    /// What follows this end as one unbroken chain, and where that ends.
    fn after(&self, head: &Head) -> (Head, Vec<Kept>) {
        let (mut chain, mut kept) = (Chain::from(head.clone()), Vec::new());
        while let Some(links) = self.lines.get(&(chain.head().count + 1)) {
            let next = links.iter().find_map(|link| {
                let link: Kept = serde_json::from_str(&link.line).ok()?;
                // As it will be written: what this version does not know would be lost, and the
                // chain would not hold.
                let written = serde_json::to_string(&link).ok()?;
                let mut longer = chain.clone();
                longer.push(&written).ok()?;
                Some((longer, link))
            });
            let Some((longer, link)) = next else { break };
            chain = longer;
            kept.push(link);
        }
        (chain.head().clone(), kept)
    }

    /// What stands under a number whose entry is lost.
    fn stand_in(&self, seq: u64) -> Record {
        let told = self.lines.get(&seq).and_then(|links| links.first());
        let told = told.and_then(|link| serde_json::from_str::<Kept>(&link.line).ok()?.record);
        let note = "this number was used before an older state of the bot was restored";
        let record = Record { note: Some(note.to_owned()), ..Record::new(Kind::Noted) };
        match told {
            Some(Record { by, room, words, subjects, .. }) => {
                Record { by, room, words, subjects, ..record }
            }
            None => record,
        }
    }

    /// How many entries of it are one unbroken chain from the first on.
    pub fn unbroken(&self) -> u64 {
        self.chain().0.count
    }
}

/// What this record lacks of entries that were told.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Whether some of them follow its end as one unbroken chain.
    pub follows: bool,
    /// The last number after these that was told, of entries that do not follow unbroken.
    pub beyond: Option<u64>,
    /// The first number that was told of another entry than the one that has it here.
    pub differs: Option<u64>,
}

impl Missing {
    /// Whether nothing is missing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Audit {
    /// What is missing here of what was told.
    pub async fn missing(&self, told: &Links) -> Result<Missing, store::Error> {
        let head = self.head().await;
        let (end, _) = told.after(&head);
        let mut missing = Missing {
            follows: end.count > head.count,
            beyond: Some(told.last()).filter(|last| *last > end.count),
            differs: None,
        };
        for (seq, links) in told.lines.range(..=head.count) {
            let Some(own) = self.link(*seq)? else { continue };
            if links.iter().any(|link| link.hash != own.entry.hash) {
                missing.differs = Some(*seq);
                break;
            }
        }
        Ok(missing)
    }

    /// Takes over what was told and follows the end of this record as one unbroken chain; answers it.
    pub async fn take_over(&self, told: &Links) -> Result<Vec<Kept>, store::Error> {
        let mut head = self.head.lock().await;
        let (end, follow) = told.after(&Head { count: head.0, hash: head.1.clone() });
        for link in &follow {
            self.entries.put(&key(link.entry.seq), link)?;
            self.index(link)?;
        }
        *head = (end.count, end.hash);
        let upto = head.0;
        drop(head);
        self.to_disk(upto).await?;
        self.catch_up().await;
        Ok(follow)
    }

    /// Gives all numbers up to `last` to entries that say that they were given before, so that none of
    /// them is given again. `told` has what is known of some.
    pub async fn skip(&self, last: u64, told: &Links) -> Result<u64, store::Error> {
        let first = self.head().await.count + 1;
        for seq in first..=last {
            self.append(told.stand_in(seq)).await?;
        }
        self.to_disk(last).await?;
        Ok((last + 1).saturating_sub(first))
    }

    /// Takes over what is one unbroken chain, where this record has no entry yet; answers its
    /// end.
    pub async fn restore(&self, links: &Links) -> Result<Head, store::Error> {
        let mut head = self.head.lock().await;
        let (restored, kept) = links.chain();
        if head.0 > 0 || kept.is_empty() {
            return Ok(Head { count: head.0, hash: head.1.clone() });
        }
        for link in &kept {
            self.entries.put(&key(link.entry.seq), link)?;
            self.index(link)?;
        }
        *head = (restored.count, restored.hash.clone());
        drop(head);
        self.to_disk(restored.count).await?;
        Ok(restored)
    }

    fn index(&self, link: &Kept) -> Result<(), store::Error> {
        let (seq, Some(record)) = (link.entry.seq, &link.record) else { return Ok(()) };
        self.note_mentions(seq, record)?;
        if let Some(of) = record.redacts {
            return self.index_what_is_left(of, seq, record);
        }
        match (link.entry.kind, record.of) {
            (Kind::Opened, _) => {
                for subject in &record.subjects {
                    self.about.put(&about(&subject.key(), &key(seq)), &seq)?;
                }
                if let Some(event) = &record.event {
                    self.opened.put_new(event.as_str(), &seq)?;
                }
                self.open.put(&key(seq), &seq)
            }
            (Kind::Closed, Some(of)) => {
                self.closed.put(&key(of), &seq)?;
                if let Some(undone) = record.undoes.filter(|_| record.status == Some(Status::Done))
                {
                    self.undone.put(&key(undone), &of)?;
                }
                self.open.remove(&key(of)).map(drop)
            }
            (Kind::Ended, Some(_)) => self.note_end(seq, record),
            _ => Ok(()),
        }
    }

    /// Whoever was erased stays erased, though a file still has the earlier entry with them.
    fn index_what_is_left(&self, of: u64, by: u64, left: &Record) -> Result<(), store::Error> {
        let before = self.redacted.get(&key(of))?.unwrap_or(of);
        if let Some(kept) = self.link(before)? {
            for subject in kept.record.iter().flat_map(|record| &record.subjects) {
                if !left.subjects.contains(subject) {
                    self.about.remove(&about(&subject.key(), &key(of)))?;
                }
            }
            self.forget(&kept)?;
        }
        self.redacted.put(&key(of), &by)
    }
}
