//! Background updates as the homeserver shows them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    change::{Path, Snapshot},
    reply::{Fact, Hostile, Line},
    synapse::{Error, Reader},
};

/// What runs, as `GET /_synapse/admin/v1/background_updates/status` shows it. What waits is not
/// shown.
#[derive(Debug, Deserialize)]
pub(super) struct Updates {
    pub(super) enabled: bool,
    /// By database.
    #[serde(default, rename = "current_updates")]
    current: BTreeMap<String, Update>,
}

#[derive(Debug, Deserialize)]
struct Update {
    name: Hostile,
    total_item_count: u64,
    total_duration_ms: f64,
    average_items_per_ms: Option<f64>,
}

/// The same as the homeserver says it.
pub(super) async fn raw(reader: &Reader) -> Result<Value, Error> {
    reader.get(&Path::admin(["v1", "background_updates", "status"]), &[]).await
}

/// What runs.
pub(super) async fn updates(reader: &Reader) -> Result<Updates, Error> {
    reader.get(&Path::admin(["v1", "background_updates", "status"]), &[]).await
}

/// What is seen of them before and after a change.
pub(super) fn seen(updates: &Updates) -> Snapshot {
    let mut seen = Snapshot { display: updates.facts(), ..Snapshot::default() };
    seen.preconditions.insert("enabled".to_owned(), json!(updates.enabled));
    seen
}

impl Updates {
    /// Whether this one runs now.
    pub(super) fn runs(&self, name: &str) -> bool {
        self.current.values().any(|update| update.name.raw() == name)
    }

    /// The state, in words.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let state = if self.enabled { "on".into() } else { Line::new().strong("paused") };
        let mut facts = vec![("Background updates", state)];
        if self.current.is_empty() {
            facts.push(("Running", "nothing".into()));
        }
        for update in self.current.values() {
            facts.push(("Running", update.told()));
        }
        facts
    }
}

impl Update {
    fn told(&self) -> Line {
        let items = self.total_item_count;
        let seconds = self.total_duration_ms / 1000.0;
        let line = Line::new()
            .hostile(&self.name)
            .plain(format!(", {items} items in {seconds:.1} s of work"));
        match self.average_items_per_ms {
            Some(rate) => line.plain(format!(", {:.0} a second", rate * 1000.0)),
            None => line,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::commands::user::testing;

    /// Updates that are on or paused, with one that runs.
    pub(in crate::commands::background) fn some(enabled: bool, running: Option<&str>) -> Updates {
        let update = |name| {
            json!({"name": name, "total_item_count": 1500, "total_duration_ms": 2500.0,
                   "average_items_per_ms": 0.6})
        };
        let current: BTreeMap<_, _> =
            running.map(|name| ("master", update(name))).into_iter().collect();
        serde_json::from_value(json!({"enabled": enabled, "current_updates": current})).unwrap()
    }

    #[test]
    fn what_runs_is_told_with_how_fast() {
        assert_eq!(
            testing::facts(&some(true, Some("populate")).facts()),
            "Background updates: on\n\
             Running: “populate”, 1500 items in 2.5 s of work, 600 a second\n"
        );
        assert_eq!(
            testing::facts(&some(false, None).facts()),
            "Background updates: **paused**\nRunning: nothing\n"
        );
        assert!(some(true, Some("a")).runs("a") && !some(true, Some("a")).runs("b"));
    }
}
