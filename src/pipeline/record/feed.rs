//! How far the record has travelled: with the bot's messages, and into the room that is for it.

use std::sync::{Arc, PoisonError};

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedEventId, OwnedRoomId, OwnedServerName, RoomId};
use tokio::sync::Mutex;
use tracing::error;

use super::HOUR;
use crate::{
    audit::{Audit, Kept},
    clock::SharedClock,
    pipeline::{Outbox, Unsent, own::line as in_words, voice::last_word::LastWord},
    reply::{Block, Line, Reply},
    store::{self, Shelf, Store},
};

/// Seconds.
pub(super) const DAY: i64 = 24 * HOUR;

/// How long after a failure the room of the record is written to again.
const WRITE_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// Most bytes of the record that one message carries.
pub(super) const CARRIED: usize = 5_000;

/// Most entries of the record that one message carries.
const AT_ONCE: usize = 32;

/// Under which key the number of the last entry that has travelled is kept.
const UPTO: &str = "upto";

/// The record on its way to where it stands besides.
#[derive(Debug)]
pub(in crate::pipeline) struct Feed {
    audit: Audit,
    clock: SharedClock,
    outbox: Arc<dyn Outbox>,
    last_word: Arc<LastWord>,
    /// The room of the record, where there is one.
    room: Option<OwnedRoomId>,
    /// The homeserver's own name.
    server: OwnedServerName,
    /// Up to which number a message of this run has it, as soon as there was one.
    carrying: std::sync::Mutex<Option<u64>>,
    /// Up to which number it has travelled.
    travelled: Shelf<u64>,
    /// Up to which number the room of the record has it, by room.
    written: Shelf<u64>,
    /// When that room is tried again. Held while it is written to.
    write_again: Mutex<Timestamp>,
    /// On which day its head was last told.
    told_head: Shelf<i64>,
}

impl Feed {
    /// The feed of this record, as far as `store` knows it has come.
    pub(in crate::pipeline) fn new(
        store: &Store,
        audit: Audit,
        clock: SharedClock,
        outbox: Arc<dyn Outbox>,
        last_word: Arc<LastWord>,
        (room, server): (Option<OwnedRoomId>, OwnedServerName),
    ) -> Result<Self, store::Error> {
        Ok(Self {
            audit,
            clock,
            outbox,
            last_word,
            room,
            server,
            carrying: std::sync::Mutex::default(),
            travelled: store.shelf("record-travelled")?,
            written: store.shelf("record-written")?,
            write_again: Mutex::new(Timestamp::UNIX_EPOCH),
            told_head: store.shelf("record-head-told")?,
        })
    }

    /// Says something in a room; what of the record has not yet travelled goes with it, unseen.
    pub(in crate::pipeline) async fn say(
        &self,
        room: &RoomId,
        about: Option<&OwnedEventId>,
        transaction_key: &str,
        reply: &Reply,
    ) -> Result<OwnedEventId, Unsent> {
        self.last_word.bot_says(room, transaction_key);
        let (carried, from, upto) = self.to_carry().unwrap_or_else(|error| {
            error!(error = &error as &dyn std::error::Error, "the record cannot be read");
            (Vec::new(), 0, 0)
        });
        if carried.is_empty() {
            return self.outbox.say(room, about, transaction_key, reply).await;
        }
        let reply = Reply { carried, ..reply.clone() };
        let said = self.outbox.say(room, about, transaction_key, &reply).await;
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
        let next = self.next(from)?;
        let upto = next.last().map_or(from, |(_, kept)| kept.entry.seq);
        *carrying = Some(upto);
        Ok((next.into_iter().map(|(line, _)| line).collect(), from, upto))
    }

    /// The entries after this number that one message carries, each with its line.
    fn next(&self, after: u64) -> Result<Vec<(String, Kept)>, store::Error> {
        let (mut next, mut bytes) = (Vec::new(), 0);
        for kept in self.audit.from(after + 1, AT_ONCE)? {
            let line = line(&kept)?;
            bytes += line.len();
            if bytes > CARRIED {
                break;
            }
            next.push((line, kept));
        }
        Ok(next)
    }

    /// Writes what is new in the record to the room that is for it, where there is one: in words,
    /// and unseen as it is. It begins with what is new when the room is first known.
    pub(super) async fn write_room(&self) {
        let Some(room) = &self.room else { return };
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
                "From number {} on, the record is written here; the hash before it is ",
                head.count + 1
            ));
            let key = format!("record-from-{}", now.as_millisecond());
            self.outbox.say(room, None, &key, &Reply::data(line.code(head.hash))).await?;
            self.written.put(room.as_str(), &head.count)?;
            return Ok(());
        };
        loop {
            let next = self.next(upto)?;
            let Some((_, last)) = next.last() else { return Ok(()) };
            upto = last.entry.seq;
            let key = format!("record-{upto}-{}", last.entry.hash);
            let in_words = |kept: &Kept| in_words(kept, now, &self.server);
            let (carried, lines) =
                next.into_iter().map(|(line, kept)| (line, in_words(&kept))).unzip();
            let reply = Reply::data("On record").with(Block::List(Line::new(), lines));
            self.outbox.say(room, None, &key, &Reply { carried, ..reply }).await?;
            self.written.put(room.as_str(), &upto)?;
        }
    }

    /// Once a day where the record stands, so that its end cannot be cut off unseen. It counts as told.
    pub(super) async fn head_of_the_day(
        &self,
        now: Timestamp,
    ) -> Result<Option<HeadOfTheDay>, store::Error> {
        let today = now.as_second().div_euclid(DAY);
        let told = self.told_head.get(UPTO)?;
        if told == Some(today) {
            return Ok(None);
        }
        self.told_head.put(UPTO, &today)?;
        let head = self.audit.head().await;
        // On the first day there is nothing yet that could be cut off.
        if told.is_none() || head.count == 0 {
            return Ok(None);
        }
        let line = Line::new()
            .plain(format!("The record has {} entries, the last of them ", head.count))
            .code(&head.hash);
        Ok(Some(HeadOfTheDay {
            transaction_key: format!("head-{today}"),
            reply: Reply::data(line),
        }))
    }

    /// Takes the record, which was restored, for travelled up to this number.
    pub(in crate::pipeline) fn has_travelled(&self, upto: u64) -> Result<(), store::Error> {
        self.travelled.put(UPTO, &upto)
    }
}

/// Where the record stands, to be told.
pub(super) struct HeadOfTheDay {
    /// By which it is said once.
    pub(super) transaction_key: String,
    pub(super) reply: Reply,
}

/// An entry as it stands in the file of the record. What is too long for a message goes without
/// its details: the chain holds all the same.
pub(super) fn line(kept: &Kept) -> Result<String, store::Error> {
    let line = serde_json::to_string(kept)?;
    if line.len() <= CARRIED {
        return Ok(line);
    }
    let bare = Kept { entry: kept.entry.clone(), salt: None, record: None };
    Ok(serde_json::to_string(&bare)?)
}
