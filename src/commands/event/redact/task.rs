//! The homeserver's own work on a redaction, which it goes on with after it has answered.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    change::Answer,
    commands::user::redact_status::begun,
    error::Stop,
    reply::{Fact, Hostile, Line},
    synapse::Reader,
};

/// How long it is waited before each further look whether one event is redacted, milliseconds: that
/// takes a moment, and an answer that says so is worth the few seconds in which it may come.
const PAUSES: [u64; 7] = [25, 50, 100, 200, 400, 800, 1600];

/// `GET /_synapse/admin/v1/user/redact_status/{redact_id}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Task {
    #[serde(default)]
    id: String,
    status: String,
    #[serde(default)]
    failed_redactions: BTreeMap<String, String>,
    error: Option<String>,
}

/// The id of what was begun by a request that was answered so.
pub(super) fn begun_by(answers: &[Answer]) -> Option<String> {
    Some(answers.first()?.body.get("redact_id")?.as_str()?.to_owned())
}

impl Task {
    /// How far it is.
    pub(super) async fn look(id: &str, reader: &Reader) -> Result<Self, Stop> {
        let task: Self = begun(id, reader).await?;
        Ok(Self { id: id.to_owned(), ..task })
    }

    /// The same once it is over, where that is soon.
    pub(super) async fn ended(id: &str, reader: &Reader) -> Result<Self, Stop> {
        let reader = reader.afresh();
        let mut task = Self::look(id, &reader).await?;
        for pause in PAUSES {
            if task.is_over() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
            task = Self::look(id, &reader).await?;
        }
        Ok(task)
    }

    /// Whether nothing more comes of it.
    pub(super) fn is_over(&self) -> bool {
        !matches!(self.status.as_str(), "active" | "scheduled")
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Why it has not redacted this event, where it says so.
    pub(super) fn failure(&self, event: &str) -> Option<Hostile> {
        self.failed_redactions.get(event).or(self.error.as_ref()).map(Hostile::new)
    }

    /// What can be said of it while it goes on.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let state = if self.status == "scheduled" { "waiting for others" } else { "running" };
        vec![("Task", Line::new().code(&self.id)), ("State", state.into())]
    }

    #[cfg(test)]
    pub(super) fn told(status: &str, failed: &[(&str, &str)]) -> Self {
        let failed = failed.iter().map(|&(event, why)| (event.to_owned(), why.to_owned()));
        Self {
            id: "WByXcIMN".to_owned(),
            status: status.to_owned(),
            failed_redactions: failed.collect(),
            error: None,
        }
    }
}
