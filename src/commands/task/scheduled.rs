//! What the homeserver does over time, as it keeps it.

use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    change::Path,
    reply::Hostile,
    synapse::{Error, Reader, wire::known},
};

/// A task, as `GET /_synapse/admin/v1/scheduled_tasks` shows it.
#[derive(Debug, Deserialize)]
pub struct Task {
    /// What it is known by.
    pub id: String,
    /// What it does, such as `purge_history`.
    pub action: Hostile,
    /// `scheduled`, `active`, `complete`, `failed` or `cancelled`.
    pub status: Hostile,
    /// Since when it stands there.
    #[serde(default, rename = "timestamp_ms", deserialize_with = "known")]
    pub at: Option<Timestamp>,
    /// The id of the room, account or device that it is about.
    pub resource_id: Option<Hostile>,
    /// Why it failed.
    pub error: Option<Hostile>,
}

/// The tasks that this query leaves, oldest first, all at once: the homeserver does not page them,
/// and forgets one a week after its end. An unknown route before Synapse 1.130.
pub async fn tasks<T: DeserializeOwned>(
    query: &[(&str, String)],
    reader: &Reader,
) -> Result<Vec<T>, Error> {
    #[derive(Deserialize)]
    struct TaskList<T> {
        scheduled_tasks: Vec<T>,
    }
    let listed: TaskList<T> = reader.get(&Path::admin(["v1", "scheduled_tasks"]), query).await?;
    Ok(listed.scheduled_tasks)
}
