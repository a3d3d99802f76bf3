//! Exports of the store that are made while the bot runs.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{
    backup,
    clock::SharedClock,
    config::Config,
    pipeline::Pipeline,
    store::{self, Shelf, Store},
};

/// How often it is looked whether one is due.
const LOOK: Duration = Duration::from_mins(1);

/// How long after one that failed it is tried again.
const AGAIN: Duration = Duration::from_hours(1);

/// Under this it is noted that the rooms know of a failure.
const TOLD: &str = "told";

/// What makes them.
#[derive(Debug)]
pub(super) struct Backups {
    config: Config,
    store: Store,
    clock: SharedClock,
    failed: Shelf<bool>,
}

impl Backups {
    pub(super) fn of(
        config: &Config,
        store: &Store,
        clock: &SharedClock,
    ) -> Result<Self, store::Error> {
        let failed = store.shelf("backup-failed")?;
        Ok(Self { config: config.clone(), store: store.clone(), clock: clock.clone(), failed })
    }

    /// Makes one if it is due; whether all is well.
    async fn make(&self) -> Result<(), backup::Error> {
        let (config, store, now) = (self.config.clone(), self.store.clone(), self.clock.now());
        let Some(schedule) = config.backup.schedule.clone() else { return Ok(()) };
        if !backup::is_due(&schedule, now)? {
            return Ok(());
        }
        let made =
            tokio::task::spawn_blocking(move || backup::make(&store, &config, &schedule, now));
        let file = made.await.unwrap_or_else(|panic| {
            Err(backup::Error::Store(store::Error::Broken(panic.to_string())))
        })?;
        info!(file = %file.display(), "a backup is written");
        Ok(self.failed.remove(TOLD)?)
    }

    /// Whether the rooms do not know yet that it fails. What cannot be noted is told again.
    fn is_news(&self) -> bool {
        self.failed.put_new(TOLD, &true).unwrap_or(true)
    }
}

/// Makes those that are due, until `over`. That one failed is told once, until one is made again.
pub(super) async fn keep(backups: &Backups, pipeline: &Pipeline, over: CancellationToken) {
    if backups.config.backup.schedule.is_none() {
        return;
    }
    loop {
        let wait = match backups.make().await {
            Ok(()) => LOOK,
            Err(error) => {
                let text = super::chain(&error);
                error!(error = text, "no backup was made");
                if backups.is_news() {
                    pipeline.report_backup_failed(&text).await;
                }
                AGAIN
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = over.cancelled() => return,
        }
    }
}
