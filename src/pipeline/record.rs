//! What becomes of the record besides being kept: it travels with what the bot says, its head is
//! told once a day, and what is personal in it goes in time.

use std::sync::{PoisonError, atomic::Ordering};

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedEventId, RoomId};
use tracing::{error, info};

use super::{Pipeline, Unsent, own::card};
use crate::{
    audit::Kept,
    change::Subject,
    reply::{Block, Line, Reply},
    store,
};

/// Seconds.
pub(super) const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// How long after a failure the room of the record is written to again.
const WRITE_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// Most bytes of the record that one message carries.
const CARRIED: usize = 5_000;

/// Under which key the number of the last entry that has travelled is kept.
pub(super) const UPTO: &str = "upto";

impl Pipeline {
    /// Says something in a room; what of the record has not yet travelled goes with it, unseen.
    pub(super) async fn say(
        &self,
        room: &RoomId,
        about: Option<&OwnedEventId>,
        slot: &str,
        reply: &Reply,
    ) -> Result<OwnedEventId, Unsent> {
        let (carried, from, upto) = self.to_carry().unwrap_or_else(|error| {
            error!(error = &error as &dyn std::error::Error, "the record cannot be read");
            (Vec::new(), 0, 0)
        });
        if carried.is_empty() {
            return self.outbox.say(room, about, slot, reply).await;
        }
        let reply = Reply { carried, ..reply.clone() };
        let said = self.outbox.say(room, about, slot, &reply).await;
        if said.is_err() {
            // It goes with the next message, and with it what came after.
            let mut carrying = self.carrying.lock().unwrap_or_else(PoisonError::into_inner);
            *carrying = carrying.map(|upto| upto.min(from));
        } else if let Err(error) = self.travelled.put(UPTO, &upto) {
            error!(error = &error as &dyn std::error::Error, "the store cannot be written");
        }
        said
    }

    /// The next lines of the record that no message has, from which number they count, and the
    /// number of the last of them. From now on this message has them.
    fn to_carry(&self) -> Result<(Vec<String>, u64, u64), store::Error> {
        let mut carrying = self.carrying.lock().unwrap_or_else(PoisonError::into_inner);
        let from = match *carrying {
            Some(from) => from,
            None => self.travelled.get(UPTO)?.unwrap_or_default(),
        };
        let (mut upto, mut lines, mut bytes) = (from, Vec::new(), 0);
        for kept in self.audit.from(from + 1, 32)? {
            let line = line(&kept)?;
            bytes += line.len();
            if bytes > CARRIED {
                break;
            }
            lines.push(line);
            upto = kept.entry.seq;
        }
        *carrying = Some(upto);
        Ok((lines, from, upto))
    }

    /// Writes what is new in the record to the room that is for it, where there is one: in words,
    /// and unseen as it is. It begins with what is new when the room is first known.
    pub async fn write_record_room(&self) {
        let Some(room) = &self.roster.record_room else { return };
        let (Ok(mut again), now) = (self.write_again.try_lock(), self.clock.now()) else { return };
        // Until the bot is there, which doctor tells, nothing has failed.
        if now < *again || !self.outbox.may_say(room).await {
            return;
        }
        if let Err(error) = self.write_to(room, now).await {
            *again = now + WRITE_AGAIN;
            error!(%room, error, "the room of the record was not written to; trying again");
        }
    }

    async fn write_to(
        &self,
        room: &RoomId,
        now: Timestamp,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let Some(mut upto) = self.written.get(room.as_str())? else {
            let head = self.audit.head().await;
            let line = Line::from(format!(
                "The record is written here from number {} on; before it comes ",
                head.count + 1
            ));
            self.outbox.say(room, None, "record", &Reply::data(line.code(head.hash))).await?;
            self.written.put(room.as_str(), &head.count)?;
            return Ok(());
        };
        loop {
            let (mut carried, mut cards, mut bytes) = (Vec::new(), Vec::new(), 0);
            for kept in self.audit.from(upto + 1, 32)? {
                let line = line(&kept)?;
                bytes += line.len();
                if bytes > CARRIED {
                    break;
                }
                carried.push(line);
                cards.push(card(&kept, now));
                upto = kept.entry.seq;
            }
            if cards.is_empty() {
                return Ok(());
            }
            let reply = Reply::data("On record").with(Block::Records(cards));
            self.outbox.say(room, None, "record", &Reply { carried, ..reply }).await?;
            self.written.put(room.as_str(), &upto)?;
        }
    }

    /// Does what is due once an hour and once a day. To be called often.
    pub async fn keep_hours(&self) {
        let now = self.clock.now();
        let hour = now.as_second().div_euclid(HOUR);
        if self.hour.swap(hour, Ordering::Relaxed) == hour {
            return;
        }
        if let Err(error) = self.record_strangers(hour).await {
            error!(error = &error as &dyn std::error::Error, "strangers were not recorded");
        }
        let limit = now - SignedDuration::try_from(self.rules.keep_details).unwrap_or_default();
        match self.audit.forget_before(limit).await {
            Ok(0) => {}
            Ok(gone) => info!(gone, "details of the record are old enough to go"),
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "old details did not go");
            }
        }
        self.tidy();
        if let Err(error) = self.forget_listings() {
            error!(error = &error as &dyn std::error::Error, "the store cannot be used");
        }
        if let Err(error) = self.tell_head(now).await {
            error!(error = &error as &dyn std::error::Error, "the store cannot be used");
        }
    }

    /// Tells the rooms once a day where the record stands, so that its end cannot be cut off
    /// unseen.
    async fn tell_head(&self, now: Timestamp) -> Result<(), store::Error> {
        let today = now.as_second().div_euclid(DAY);
        let told = self.told_head.get(UPTO)?;
        if told == Some(today) {
            return Ok(());
        }
        self.told_head.put(UPTO, &today)?;
        let head = self.audit.head().await;
        // On the first day there is nothing yet that could be cut off.
        if told.is_none() || head.count == 0 {
            return Ok(());
        }
        let line = Line::new()
            .plain(format!("The record has {} entries, the last of them ", head.count))
            .code(&head.hash);
        self.tell(&format!("head-{today}"), &Reply::data(line)).await;
        Ok(())
    }

    /// Lets go what was kept of those who have been erased by the change `number`.
    pub(super) async fn forget(&self, subjects: &[Subject], number: u64) {
        if subjects.is_empty() {
            return;
        }
        let gone = self.audit.forget_about(subjects, number).await;
        let notes = self.notes.forget(subjects.iter().filter_map(Subject::user)).await;
        match gone {
            Ok(gone) => info!(number, gone, "details went with an erasure"),
            Err(error) => {
                error!(number, error = &error as &dyn std::error::Error, "details did not go");
            }
        }
        if let Err(error) = notes {
            error!(number, error = &error as &dyn std::error::Error, "notes did not go");
        }
    }
}

/// An entry as it stands in the file of the record. What is too long for a message goes without
/// its details: the chain holds all the same.
fn line(kept: &Kept) -> Result<String, store::Error> {
    let line = serde_json::to_string(kept)?;
    if line.len() <= CARRIED {
        return Ok(line);
    }
    let bare = Kept { entry: kept.entry.clone(), salt: None, record: None };
    Ok(serde_json::to_string(&bare)?)
}

#[cfg(test)]
mod tests;
