//! Those who are no operators: one line to them, and a count of what they send.

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedUserId, RoomId};
use tracing::{error, info};

use crate::{
    audit::{Audit, Kind, Record},
    clock::SharedClock,
    pipeline::{Request, record::HOUR},
    reply::{Reply, Status},
    store::{self, Shelf, Store},
};

/// How often a stranger is answered in one room.
const EVERY: SignedDuration = SignedDuration::from_hours(1);

/// What is known of strangers.
#[derive(Debug)]
pub(in crate::pipeline) struct Strangers {
    clock: SharedClock,
    /// When one was last answered, by room.
    told: Shelf<Timestamp>,
    /// How much they have sent, by hour and sender.
    sent: Shelf<u64>,
}

impl Strangers {
    /// What `store` knows of them.
    pub(in crate::pipeline) fn new(
        store: &Store,
        clock: SharedClock,
    ) -> Result<Self, store::Error> {
        Ok(Self { clock, told: store.shelf("strangers")?, sent: store.shelf("strange-hours")? })
    }

    /// One polite line to somebody who is not an operator, at most one an hour in a room.
    pub(in crate::pipeline) fn answer(&self, request: &Request) -> Option<Reply> {
        self.count(request);
        info!(sender = %request.sender, event = %request.event, "a stranger was not served");
        if self.was_told(&request.room) {
            return None;
        }
        let now = self.clock.now();
        let told = self.told.get(request.room.as_str()).ok().flatten();
        // Several may come at once, and one of them is answered. Should it not be written, silence
        // is the safe side.
        let room = request.room.as_str();
        let written = match told {
            Some(told) => self.told.swap(room, &told, &now),
            None => self.told.put_new(room, &now),
        };
        written.ok().filter(|first| *first)?;
        Some(Reply::outcome(
            Status::Refused,
            "I take commands only from the operators of this homeserver, and you are not one of \
             them",
        ))
    }

    /// Whether a stranger was answered in this room within the last hour.
    pub(in crate::pipeline) fn was_told(&self, room: &RoomId) -> bool {
        let told = self.told.get(room.as_str()).ok().flatten();
        told.is_some_and(|told| self.clock.now().duration_since(told) < EVERY)
    }

    /// Counts what somebody has sent who is no operator.
    pub(in crate::pipeline) fn count(&self, request: &Request) {
        let hour = self.clock.now().as_second().div_euclid(HOUR);
        let key = format!("{hour:012}\n{}", request.sender);
        let count = |key: &str| -> Result<(), store::Error> {
            loop {
                let kept = match self.sent.get(key)? {
                    None => self.sent.put_new(key, &1)?,
                    Some(count) => self.sent.swap(key, &count, &(count + 1))?,
                };
                if kept {
                    return Ok(());
                }
            }
        };
        if let Err(error) = count(&key) {
            error!(error = &error as &dyn std::error::Error, "the store cannot be written");
        }
    }

    /// Puts on record what strangers have sent in the hours before this one, by sender and hour.
    pub(in crate::pipeline) async fn record(
        &self,
        hour: i64,
        audit: &Audit,
    ) -> Result<(), store::Error> {
        for (key, count) in self.sent.all()? {
            let Some((then, sender)) = key.split_once('\n') else { continue };
            let Ok(then) = then.parse::<i64>() else { continue };
            if then >= hour {
                continue;
            }
            let begin = Timestamp::from_second(then * HOUR).unwrap_or_default();
            let record = Record {
                by: OwnedUserId::try_from(sender).ok(),
                note: Some(format!("{count} within the hour from {}", crate::reply::utc(begin))),
                ..Record::new(Kind::Strange)
            };
            if let Err(error) = audit.note(record).await {
                error!(error = &error as &dyn std::error::Error, "strangers were not recorded");
                return Ok(());
            }
            self.sent.remove(&key)?;
        }
        Ok(())
    }
}
