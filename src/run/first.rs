//! What the first start makes, made beforehand: for a setup, which ends with a bot that has its keys.

use std::sync::Arc;

use super::{RunError, lock, open_store, settings};
use crate::{
    clock::{SharedClock, SystemClock},
    config::Config,
    matrix,
    service::Service,
    store::Opened,
};

/// Makes the store, the bot's device, its keys and its recovery key, where there are none, as the
/// first start does; nothing is read or said in any room.
pub async fn prepare(config: &Config) -> Result<(), RunError> {
    let _lock = lock(&config.state)?;
    let clock: SharedClock = Arc::new(SystemClock);
    let Opened { store, new, rebuilt, .. } = open_store(config, &clock).await?;
    let settings = settings(config, new || rebuilt, &Service::of_nobody());
    matrix::connect(settings, store, clock, None).await?;
    Ok(())
}
