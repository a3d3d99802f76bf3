//! The new name or picture of an account, on its way into the rooms that it is in: the homeserver
//! brings it there one by one after it has answered.

use async_trait::async_trait;

use crate::{
    change::{Answer, Outcome, Progress, Snapshot, Subject, Undo},
    commands::{
        LongWork,
        task::scheduled::{Task, tasks},
        user::account::words,
    },
    error::Stop,
    reply::{Hostile, Line, Status},
    synapse::Reader,
};

/// The rooms of an account are told of its new name or picture.
pub(super) struct Telling;

#[async_trait]
impl LongWork for Telling {
    /// There is one such work for each account at most, so that its id is enough.
    fn begins(
        &self,
        subject: &Subject,
        _answers: &[Answer],
        _after: Option<&Snapshot>,
    ) -> Option<String> {
        Some(subject.segment().into_owned())
    }

    async fn progress(
        &self,
        subject: &Subject,
        _work: &str,
        reader: &Reader,
    ) -> Result<Progress, Stop> {
        progress(subject, reader).await
    }
}

/// How far the homeserver is with the rooms of `subject`.
async fn progress(subject: &Subject, reader: &Reader) -> Result<Progress, Stop> {
    let query = [
        ("action_name", "update_join_states".to_owned()),
        ("resource_id", subject.segment().into_owned()),
    ];
    match tasks(&query, reader).await {
        Ok(tasks) => Ok(of(subject, tasks)),
        // Before Synapse 1.130 it answered when it was through.
        Err(error) if error.is_unknown_route() => Ok(Progress::AsToldBefore),
        Err(error) => Err(error.into()),
    }
}

/// What the last of these tasks says. A later change cancels the one before, and is watched itself;
/// somebody in no room has none.
fn of(subject: &Subject, tasks: Vec<Task>) -> Progress {
    let Some(last) = tasks.into_iter().max_by_key(|task| task.at) else {
        return Progress::AsToldBefore;
    };
    match last.status.raw() {
        "scheduled" | "active" => {
            let state = "its rooms are told of its name and picture one by one";
            Progress::Goes(vec![("State", state.into())])
        }
        "failed" => {
            let why = last.error.unwrap_or_else(|| Hostile::new("it gives no reason"));
            let title = Line::new()
                .code(subject)
                .plain(": not all its rooms show the new name and picture: ")
                .hostile(&why);
            let rooms = words(["user", "membership", &subject.typed()]);
            Progress::Over(Outcome {
                status: Status::DoneInPart,
                title,
                facts: Vec::new(),
                remains: vec![("Its rooms".into(), rooms)],
                undo: Undo::None("the account itself has the new ones".to_owned()),
            })
        }
        _ => Progress::AsToldBefore,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::commands::user::testing::{ann, outcome};

    fn progress(tasks: Value) -> Progress {
        of(&ann(), serde_json::from_value(tasks).unwrap())
    }

    #[test]
    fn the_last_task_counts_and_only_what_nobody_expects_is_told() {
        let task = |status: &str, at: i64| {
            json!({ "id": "t", "action": "update_join_states", "status": status,
                "timestamp_ms": 1_790_000_000_000 + at })
        };
        assert!(matches!(progress(json!([])), Progress::AsToldBefore));
        for status in ["complete", "cancelled"] {
            let tasks = json!([task("failed", 1), task(status, 2)]);
            assert!(matches!(progress(tasks), Progress::AsToldBefore), "{status}");
        }
        for status in ["scheduled", "active"] {
            let tasks = json!([task(status, 2), task("cancelled", 1)]);
            assert!(matches!(progress(tasks), Progress::Goes(_)), "{status}");
        }
        let mut failed = task("failed", 3);
        failed["error"] = json!("no *disk*");
        let failed = json!([failed]);
        let Progress::Over(told) = progress(failed) else { panic!("it is over") };
        let told = outcome(&told);
        assert!(told.starts_with("Done in part · `@ann:example.org`"), "{told}");
        assert!(told.contains("“no *disk*”"), "{told}");
    }
}
