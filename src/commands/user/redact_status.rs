//! `user redact-status`: how far a redaction is.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::account::{how_many, words};
use crate::{
    change::{Outcome, Path, Power, Progress, Subject, Undo},
    commands::{
        Memory, Query, Spec, Tables,
        refusals::looks,
        task::scheduled::{Task, tasks},
    },
    error::Stop,
    reply::{Block, Hostile, Line, Reply, Sheet, Status},
    synapse::Reader,
};

pub(super) const SPEC: Spec =
    Spec::query::<RedactStatus>("redact-status", &["user redact-status WByXcIMNwxDiOqtO"])
        .since(1, 116);

/// How many messages that could not be redacted are named.
const NAMED: usize = 10;

/// Show the progress of a redaction started with `user redact`
///
/// The homeserver forgets a redaction a week after it ends.
#[derive(Debug, clap::Args)]
struct RedactStatus {
    /// The id of the task, as shown in the answer to `user redact`
    id: String,
}

/// `GET /_synapse/admin/v1/user/redact_status/{redact_id}`
#[derive(Debug, Deserialize)]
pub(super) struct Answered {
    status: Hostile,
    #[serde(default)]
    failed_redactions: BTreeMap<String, Hostile>,
    error: Option<Hostile>,
}

#[async_trait]
impl Query for RedactStatus {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::WORK])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        find(&self.id, reader).await.map(|answered| self.told(&answered))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let answered: Value = find(&self.id, reader).await?;
        Ok(sheet.object("redaction", &answered)?)
    }
}

/// What the homeserver calls the task that redacts.
const ACTION: &str = "redact_all_events";

/// The redaction with this id, which may be the id of anything; a refusal where it is of none. The
/// homeserver tells of any task as if it were a redaction, or fails at it: which kind it is, only
/// the list of its tasks says.
async fn find<T: DeserializeOwned>(id: &str, reader: &Reader) -> Result<T, Stop> {
    let found = match begun(id, reader).await {
        Err(Stop::Api(error)) if error.status() == Some(500) => Err(error),
        found => Ok(found?),
    };
    match tasks::<Task>(&[("action_name", ACTION.to_owned())], reader).await {
        Ok(all) => match all.into_iter().find(|task| task.id == id) {
            Some(task) => reader.may_tell_of(task.resource_id.iter().map(Hostile::raw))?,
            None => return Err(another(id)),
        },
        // Before Synapse 1.130 nothing tells them apart, but for that failure.
        Err(error) if error.is_unknown_route() => return found.map_err(|_| another(id)),
        Err(error) => return Err(error.into()),
    }
    Ok(found?)
}

/// The refusal for the id of another kind of task.
fn another(id: &str) -> Stop {
    Stop::not_found(Line::new().code(id).plain(" is not the id of a redaction"))
        .or(&["task", "list"])
}

/// The redaction that was begun with this id; a refusal where the homeserver knows none, or not any
/// more.
pub(in crate::commands) async fn begun<T: DeserializeOwned>(
    id: &str,
    reader: &Reader,
) -> Result<T, Stop> {
    let path = Path::admin(["v1", "user", "redact_status", id]);
    reader.find(&path, &[]).await?.ok_or_else(|| {
        Stop::not_found(
            Line::new()
                .plain("the homeserver knows of no redaction ")
                .code(id)
                .plain(", or it has forgotten it: it does so a week after the end"),
        )
    })
}

/// How far the redaction of what somebody wrote is, for whoever asked for it.
pub(super) fn progress(user: &Subject, answered: &Answered, id: &str) -> Progress {
    let line = Line::new().code(user);
    let failed = answered.failed_redactions.len() as u64;
    let over = |status, title, facts| {
        let look = words(["user", "redact-status", id]);
        let remains = if failed > 0 { vec![("See which".into(), look)] } else { Vec::new() };
        let undo = Undo::None("redacted messages are empty for everybody".to_owned());
        Progress::Over(Outcome { status, title, facts, remains, undo })
    };
    match answered.status.raw() {
        "complete" if failed == 0 => {
            let mind = "redaction is not erasure: the homeserver keeps the content for a while, and \
                        other servers may ignore it";
            over(
                Status::Done,
                line.plain(": its messages were redacted"),
                vec![("Mind", mind.into())],
            )
        }
        "complete" => {
            let messages = how_many(Some(failed), "message", "messages");
            let what = format!(": its messages were redacted, except {messages}");
            over(Status::DoneInPart, line.plain(what), Vec::new())
        }
        "failed" => {
            let why = answered.error.clone().unwrap_or_else(|| Hostile::new(String::new()));
            let line = line.plain(": its messages could not be redacted: ");
            over(Status::DoneInPart, line.hostile(&why), Vec::new())
        }
        state => {
            let state = if state == "scheduled" { "waiting for others" } else { "running" };
            Progress::Goes(vec![("Task", Line::new().code(id)), ("State", state.into())])
        }
    }
}

impl RedactStatus {
    fn told(&self, answered: &Answered) -> Reply {
        let id = || Line::new().plain("Redaction ").code(&self.id);
        match answered.status.raw() {
            "complete" if answered.failed_redactions.is_empty() => {
                Reply::data(id().plain(" is complete"))
            }
            "complete" => {
                let failed = answered.failed_redactions.len();
                let messages = how_many(Some(failed as u64), "message", "messages");
                let lines = answered.failed_redactions.iter().take(NAMED);
                let lines =
                    lines.map(|(event, why)| Line::new().code(event).plain(": ").hostile(why));
                let head = if failed > NAMED { "Of these the first:" } else { "Namely:" };
                Reply::data(
                    id().plain(format!(" is complete, but {messages} could not be redacted")),
                )
                .with(Block::List(head.into(), lines.collect()))
            }
            "failed" => {
                let why = answered.error.clone().unwrap_or_else(|| Hostile::new(String::new()));
                Reply::data(id().plain(" has failed: ").hostile(&why))
            }
            "scheduled" => self.again(id().plain(" is waiting for others")),
            "active" => self.again(id().plain(" is running")),
            _ => {
                Reply::data(id().plain(" is in a state I do not know: ").hostile(&answered.status))
            }
        }
    }

    fn again(&self, title: Line) -> Reply {
        Reply::data(title).command("Look again", words(["user", "redact-status", &self.id]))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::testing, *};

    fn text(answered: Value) -> String {
        let verb: RedactStatus = testing::parse(&["abc"]).unwrap();
        testing::reply(&verb.told(&serde_json::from_value(answered).unwrap()))
    }

    #[test]
    fn each_state_is_told_and_failures_are_named() {
        let whole = text(json!({"status": "complete", "failed_redactions": {}}));
        assert_eq!(whole, "Redaction `abc` is complete\n");
        let parts = text(json!({"status": "complete", "failed_redactions": {"$a": "403: no"}}));
        assert_eq!(
            parts,
            "Redaction `abc` is complete, but 1 message could not be redacted\n\
             Namely:\n- `$a`: “403: no”\n"
        );
        let failed = text(json!({"status": "failed", "error": "no such room"}));
        assert_eq!(failed, "Redaction `abc` has failed: “no such room”\n");
        for status in ["active", "scheduled"] {
            let text = text(json!({ "status": status }));
            assert!(text.contains("Look again: !user redact-status abc"), "{text}");
        }
        assert!(text(json!({"status": "*odd*"})).contains("“*odd*”"));
    }

    #[test]
    fn of_many_failures_the_first_are_named() {
        let many: BTreeMap<String, &str> = (0..30).map(|n| (format!("${n:02}"), "no")).collect();
        let text = text(json!({"status": "complete", "failed_redactions": many}));
        assert!(text.contains("30 messages could not") && text.contains("Of these the first:"));
        assert!(text.contains("`$09`") && !text.contains("`$10`"), "{text}");
    }
}
