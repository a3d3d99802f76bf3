//! `history purge-status`: how far a purge is.

use async_trait::async_trait;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    change::{Path, Power},
    commands::{Memory, Query, Spec, Tables, refusals::looks},
    error::Stop,
    reply::{Hostile, Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec =
    Spec::query::<PurgeStatus>("purge-status", &["history purge-status QcYLVLbGvFKRUGXe"]);

/// Show the progress of a purge started with `history purge`, or why it failed
///
/// The homeserver forgets a purge a week after it ends.
#[derive(Debug, clap::Args)]
struct PurgeStatus {
    /// The id of the task, as shown in the answer to `history purge`
    #[arg(value_name = "ID")]
    id: String,
}

/// `GET /_synapse/admin/v1/purge_history_status/{purge_id}`
#[derive(Debug, Deserialize)]
pub(super) struct Purged {
    pub(super) status: Hostile,
    pub(super) error: Option<Hostile>,
}

/// The purge with this id; a refusal where the homeserver knows none, or not any more.
pub(super) async fn found<T: DeserializeOwned>(id: &str, reader: &Reader) -> Result<T, Stop> {
    let path = Path::admin(["v1", "purge_history_status", id]);
    reader.find(&path, &[]).await?.ok_or_else(|| {
        Stop::not_found(
            Line::new()
                .plain("the homeserver knows of no purge ")
                .code(id)
                .plain(", or it has forgotten it: it does so a week after the end"),
        )
    })
}

#[async_trait]
impl Query for PurgeStatus {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::WORK])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        Ok(told(&self.id, &found::<Purged>(&self.id, reader).await?))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        Ok(sheet.object("purge", &found::<Value>(&self.id, reader).await?)?)
    }
}

fn told(id: &str, purged: &Purged) -> Reply {
    let title = Line::new().plain("Purge ").code(id);
    match purged.status.raw() {
        "complete" => Reply::data(title.plain(" is complete")),
        "failed" => Reply::data(title.plain(" failed: ").line(why(purged))),
        "active" => {
            let again = ["history", "purge-status", id].map(str::to_owned).to_vec();
            Reply::data(title.plain(" is running, or waiting for others"))
                .command("Look again", again)
        }
        _ => Reply::data(title.plain(" is in a state I do not know: ").hostile(&purged.status)),
    }
}

/// Why it failed, as the homeserver says it.
pub(super) fn why(purged: &Purged) -> Line {
    match &purged.error {
        Some(error) => Line::new().hostile(error),
        None => "the homeserver does not give a reason".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::user::testing;

    #[test]
    fn each_state_is_told_with_the_reason_of_a_failure() {
        let text = |answered: Value| {
            testing::reply(&told("abc", &serde_json::from_value(answered).unwrap()))
        };
        assert_eq!(text(json!({ "status": "complete" })), "Purge `abc` is complete\n");
        let failed = text(json!({ "status": "failed", "error": "no *such* room" }));
        assert_eq!(failed, "Purge `abc` failed: “no *such* room”\n");
        let bare = text(json!({ "status": "failed" }));
        assert!(bare.contains("does not give a reason"), "{bare}");
        let active = text(json!({ "status": "active" }));
        assert!(active.contains("Look again: !history purge-status abc"), "{active}");
        assert!(text(json!({ "status": "odd" })).contains("“odd”"));
    }
}
