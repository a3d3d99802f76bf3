//! `task list`: what the homeserver does over time, and why it failed.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::scheduled::{Task, tasks};
use crate::{
    commands::{
        Spec, Tables,
        arguments::{RoomRef, Since, UserRef, bare},
        is_group,
        listing::{Listing, Named, Page, Pages},
        refusals::looks,
    },
    error::Stop,
    reply::{Line, Record},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<List>(
    "list",
    &[
        "task list",
        "task list --status failed",
        "task list --action shutdown_and_purge_room --resource !OGEhHVWSdvArJzumhm:example.org",
    ],
)
.since(1, 130);

/// List the homeserver's tasks, newest first: deleted rooms, purged history, redactions
///
/// It shows why a room could not be deleted. Finished tasks are kept for seven days.
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    pages: Pages,
    /// Only tasks of this kind, such as `shutdown_and_purge_room`, `purge_history` or
    /// `redact_all_events`. Can be repeated
    #[arg(short, long, value_name = "NAME")]
    action: Vec<String>,
    /// Only tasks about this room, account or device
    #[arg(short = 'i', long, value_name = "ID")]
    resource: Option<String>,
    /// Only tasks in this state. Can be repeated
    #[arg(short, long, value_enum)]
    status: Vec<TaskStatus>,
    /// Only tasks from before this date, or older than this age (3d, 2 weeks)
    #[arg(long, value_name = "DATE|AGE")]
    until: Option<Since>,
    /// Oldest first
    #[arg(short, long)]
    reverse: bool,
}

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TaskStatus {
    /// Waiting
    Scheduled,
    /// Running
    Active,
    /// Finished
    Complete,
    /// Failed
    Failed,
    /// Cancelled
    Cancelled,
}

impl TaskStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Active => "active",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

#[async_trait]
impl Listing for List {
    const NAMED: Named = Named {
        key: "scheduled_tasks",
        one: "task",
        many: "tasks",
        columns: &["id", "action", "status", "timestamp_ms", "resource_id", "result", "error"],
    };
    type Row = Task;

    fn refusals(&self) -> Tables {
        &[looks::ROOM, looks::PAGE]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        let mut found: Vec<Value> = Vec::new();
        for about in self.about(reader).await? {
            found.extend(tasks(&self.query(reader.now(), about), reader).await?);
        }
        let mut tasks = found;
        tasks.sort_by_key(|task| task["timestamp_ms"].as_i64());
        if !self.reverse {
            tasks.reverse();
        }
        Ok(Page::part(tasks, Pages::number(from)?, limit))
    }

    fn record(&self, task: &Task, now: Timestamp) -> Record {
        record(task, now)
    }
}

impl List {
    /// The ids under which the homeserver has what they are to be about: an account that was typed in
    /// short may be a device too.
    async fn about(&self, reader: &Reader) -> Result<Vec<Option<String>>, Stop> {
        let Some(typed) = &self.resource else { return Ok(vec![None]) };
        let id = bare(typed);
        let account = id.parse::<UserRef>().ok().and_then(|user| reader.user_id(&user).ok());
        let account = account.map(|user| Some(user.to_string()));
        Ok(match (id.chars().next(), account) {
            (Some('#'), _) => {
                let fault = |why: String| {
                    let line = Line::new().code(&id).plain(": ").naming(&why, &is_group);
                    Stop::not_understood(line)
                };
                vec![Some(
                    reader.room_id(&id.parse::<RoomRef>().map_err(fault)?).await?.to_string(),
                )]
            }
            (Some('@'), Some(account)) => vec![account],
            (_, Some(account)) if !id.contains(':') => vec![Some(id), account],
            _ => vec![Some(id)],
        })
    }

    fn query(&self, now: Timestamp, about: Option<String>) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        query.extend(self.action.iter().map(|name| ("action_name", name.clone())));
        query.extend(about.map(|id| ("resource_id", id)));
        query.extend(self.status.iter().map(|status| ("status", status.as_str().to_owned())));
        let until = self.until.as_ref().map(|until| until.before(now).as_millisecond().max(0));
        query.extend(until.map(|until| ("max_timestamp", until.to_string())));
        query
    }
}

fn record(task: &Task, now: Timestamp) -> Record {
    let status = Line::new().hostile(&task.status);
    let mut facts = vec![("Status", status), ("Since", Line::new().ago(task.at, now))];
    if let Some(about) = &task.resource_id {
        facts.push(("About", Line::new().hostile(about)));
    }
    if let Some(error) = &task.error {
        facts.push(("Error", Line::new().hostile(error)));
    }
    Record { title: Line::new().code(&task.id).plain(" ").hostile(&task.action), facts }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use serde::Deserialize as _;
    use serde_json::json;

    use super::*;
    use crate::{
        commands::user::testing::{self, now},
        reply::{Block, Reply},
    };

    #[test]
    fn options_mean_to_the_homeserver_what_they_say() {
        let asked = |typed: &[&str]| {
            let verb = testing::parse::<List>(typed).unwrap();
            let query = verb.query(now(), verb.resource.clone());
            query.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(asked(&[]), "");
        assert_eq!(
            asked(&["-a", "purge_room", "-a", "x", "-i", "!a:b", "-s", "failed", "-s", "active"]),
            "action_name=purge_room action_name=x resource_id=!a:b status=failed status=active"
        );
        assert_eq!(asked(&["--until", "2026-11-01"]), "max_timestamp=1793491200000");
        for status in TaskStatus::value_variants() {
            assert_eq!(status.to_possible_value().unwrap().get_name(), status.as_str());
        }
        assert!(testing::parse::<List>(&["-s", "done"]).is_err());
    }

    #[tokio::test]
    async fn what_a_task_is_about_is_typed_as_anywhere_else() {
        let about = async |typed: &str| {
            let verb = testing::parse::<List>(&["-i", typed]).unwrap();
            let ids = verb.about(&testing::nowhere()).await.unwrap();
            ids.into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(about("@eve:example.org.").await, "@eve:example.org");
        assert_eq!(about("@eve").await, "@eve:example.org");
        assert_eq!(about("eve").await, "eve @eve:example.org");
        assert_eq!(about("!a:example.org").await, "!a:example.org");
        let verb = testing::parse::<List>(&[]).unwrap();
        assert_eq!(verb.about(&testing::nowhere()).await.unwrap(), [None]);
    }

    #[test]
    fn a_failed_task_says_why() {
        let task = json!({"id": "abc", "action": "shutdown_and_purge_room", "status": "failed",
            "timestamp_ms": 1_795_183_200_000_i64, "resource_id": "!a:b", "result": null,
            "error": "Users are still joined"});
        let records = vec![record(&Task::deserialize(task).unwrap(), now())];
        insta::assert_snapshot!(testing::reply(&Reply::data("").with(Block::Records(records))), @r"
        * `abc` “shutdown_and_purge_room”
          Status: “failed” · Since: 3 min ago · About: “!a:b” · Error: “Users are still joined”
        ");
    }
}
