//! A record from elsewhere, put in place of one that was lost.

use std::collections::BTreeMap;

use super::{Audit, Chain, Head, Kept, Kind, Record, about, key};
use crate::{reply::Status, store};

/// Entries of a record, each as one line of JSON, from wherever they were found.
#[derive(Debug, Default)]
pub struct Links {
    lines: BTreeMap<u64, String>,
}

impl Links {
    /// Adds a line. One that says less than another of the same entry does not count, nor does
    /// what is no entry.
    pub fn add(&mut self, line: &str) {
        let Ok(kept) = serde_json::from_str::<Kept>(line) else { return };
        let longer = self.lines.get(&kept.entry.seq).is_none_or(|known| known.len() < line.len());
        if longer {
            self.lines.insert(kept.entry.seq, line.to_owned());
        }
    }

    /// The number of the last entry; 0 where there is none.
    pub fn last(&self) -> u64 {
        self.lines.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    /// What is one unbroken chain from its first entry on.
    fn chain(&self) -> (Head, Vec<Kept>) {
        let (mut chain, mut kept) = (Chain::new(), Vec::new());
        for line in self.lines.values() {
            let Ok(link) = serde_json::from_str::<Kept>(line) else { break };
            // As it will be written: what this version does not know would be lost, and the chain
            // would not hold.
            let Ok(written) = serde_json::to_string(&link) else { break };
            if chain.push(&written).is_err() {
                break;
            }
            kept.push(link);
        }
        (chain.head().clone(), kept)
    }

    /// How many entries of it are one unbroken chain from the first on.
    pub fn unbroken(&self) -> u64 {
        self.chain().0.count
    }
}

impl Audit {
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
        self.store.flush().await?;
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
