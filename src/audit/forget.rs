//! What personal there is in the record and goes: after a time, or with somebody's erasure.

use jiff::Timestamp;

use super::{Audit, Kept, Kind, key};
use crate::{change::Subject, store};

impl Audit {
    /// Lets the details of everything go that is older than `limit`, except of changes that have
    /// not ended; how many went. The chain stays whole.
    pub async fn forget_before(&self, limit: Timestamp) -> Result<usize, store::Error> {
        let mut gone = 0;
        let from = self.forgotten.get("upto")?.unwrap_or_default();
        let mut upto = from;
        for seq in from + 1..=self.head.lock().await.0 {
            let Some(kept) = self.get(seq)? else { break };
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

    /// Lets the details of everything about `subject` go that came before number `until`; how many
    /// went.
    pub async fn forget_about(&self, subject: &Subject, until: u64) -> Result<usize, store::Error> {
        let mut gone = 0;
        for seq in 1..until {
            let Some(kept) = self.get(seq)? else { continue };
            let about = |kept: &Kept| {
                kept.record.as_ref().is_some_and(|record| {
                    let same = |other: &Subject| {
                        other == subject
                            || other.user().is_some_and(|user| Some(user) == subject.user())
                    };
                    record.subjects.iter().any(same)
                })
            };
            let ended = kept.entry.kind != Kind::Opened || self.is_closed(seq)?;
            if ended && about(&kept) {
                gone += usize::from(self.forget(&kept)?);
            }
        }
        self.store.flush().await?;
        Ok(gone)
    }

    fn forget(&self, kept: &Kept) -> Result<bool, store::Error> {
        if kept.record.is_none() {
            return Ok(false);
        }
        let bare = Kept { entry: kept.entry.clone(), salt: None, record: None };
        self.entries.put(&key(kept.entry.seq), &bare)?;
        Ok(true)
    }
}
