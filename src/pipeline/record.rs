//! What becomes of the record besides being kept: it travels with what the bot says, its head is
//! told once a day, and what is personal in it goes in time.

use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use tracing::{error, info};

use super::Pipeline;

mod feed;

pub(super) use feed::Feed;

/// Seconds.
pub(super) const HOUR: i64 = 3600;

impl Pipeline {
    /// Writes what is new in the record to the room that is for it, where there is one.
    pub async fn write_record_room(&self) {
        self.feed.write_room().await;
    }

    /// Does what is due once an hour and once a day. To be called often.
    pub async fn keep_hours(&self) {
        let now = self.clock.now();
        let hour = now.as_second().div_euclid(HOUR);
        if self.hour.swap(hour, Ordering::Relaxed) == hour {
            return;
        }
        if let Err(error) = self.strangers.record(hour, &self.audit).await {
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
        if let Err(error) = self.desk.cases().forget_before(limit) {
            error!(error = &error as &dyn std::error::Error, "old cases were not forgotten");
        }
        self.tidy();
        self.forget_old_listings().await;
        self.take_away_old_marks().await;
        match self.feed.head_of_the_day(now).await {
            Ok(Some(head)) => {
                self.voice.tell(&head.transaction_key, &head.reply).await;
            }
            Ok(None) => {}
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "the store cannot be used");
            }
        }
    }
}

#[cfg(test)]
mod tests;
