//! `!limits`: how fast the homeserver lets the bot itself send.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{AsChange, Own, OwnSpec};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::Action,
    error::Stop,
    pipeline::{Invocation, Lane, Pipeline, change::Executor},
    reply::{Line, Reply, Status},
    synapse::Reader,
};

/// Show the rate limit of my own account, or lift it
#[derive(Debug, clap::Args)]
pub(crate) struct Limits {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum What {
    /// Show what the homeserver sets for my account
    Show,
    /// Set an override, so that I may send as fast as I answer
    Lift,
    /// Remove the override again
    Restore,
}

pub(super) const SPEC: OwnSpec =
    OwnSpec::new::<Limits>("limits", &["limits", "limits lift", "limits restore"]).changing();

#[async_trait]
impl Own for Limits {
    fn lane(&self) -> Lane {
        Lane::InTurn
    }

    fn as_change(&self, executor: &Executor) -> Result<Option<AsChange>, Stop> {
        let lift = match self.what {
            None | Some(What::Show) => return Ok(None),
            Some(What::Lift) => true,
            Some(What::Restore) => false,
        };
        let bot = executor.bot().clone();
        let action: Box<dyn Action> = Box::new(SetOverride { bot, lift });
        Ok(Some(action.into()))
    }

    async fn run(&self, pipeline: &Pipeline, _: &Invocation<'_>) -> Result<Option<Reply>, Stop> {
        let present = present(&pipeline.reader.look(), &pipeline.roster.bot).await?;
        Ok(Some(
            Reply::data(Line::new().plain("Rate limit of ").code(&pipeline.roster.bot))
                .facts(vec![("Override", in_words(&present))]),
        ))
    }
}

/// Sets or removes the override of the bot's own rate limit
/// (`/_synapse/admin/v1/users/{user_id}/override_ratelimit`).
#[derive(Debug)]
struct SetOverride {
    bot: ruma::OwnedUserId,
    lift: bool,
}

/// What the homeserver has set: an empty object where there is no override.
async fn present(reader: &Reader, bot: &ruma::UserId) -> Result<Value, Stop> {
    // Where nothing is set, the answer is empty.
    Ok(reader.get_any(&path(bot), &[]).await?)
}

fn path(bot: &ruma::UserId) -> Path {
    Path::admin(["v1", "users", bot.as_str(), "override_ratelimit"])
}

/// Zero means: no limit at all.
fn lifted() -> Value {
    json!({"messages_per_second": 0, "burst_count": 0})
}

fn in_words(present: &Value) -> Line {
    if *present == json!({}) {
        return Line::from("none: the limits of the homeserver's config apply");
    }
    if *present == lifted() {
        return Line::from("no limit");
    }
    let number = |key: &str| present.get(key).map_or_else(|| "?".to_owned(), ToString::to_string);
    Line::from(format!(
        "{} messages a second, {} at once",
        number("messages_per_second"),
        number("burst_count")
    ))
}

#[async_trait]
impl Action for SetOverride {
    fn class(&self, _: usize) -> Class {
        Class::Reversible
    }

    fn power(&self) -> Power {
        Power::Server
    }

    /// It makes the bot louder, never silent.
    fn harmless(&self) -> bool {
        true
    }

    async fn subjects(&self, _: &Reader) -> Result<Vec<Subject>, Stop> {
        Ok(vec![Subject::User(self.bot.clone())])
    }

    async fn snapshot(&self, _: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let present = present(reader, &self.bot).await?;
        Ok(Snapshot {
            display: vec![("Override", in_words(&present))],
            preconditions: FactMap::from([("override".to_owned(), present)]),
            ..Snapshot::default()
        })
    }

    fn question(&self, _: &Subject, _: &Snapshot) -> Question {
        Question {
            title: Line::from("Set the rate limit of my own account"),
            ..Question::default()
        }
    }

    fn change(&self, _: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        let (wanted, method) =
            if self.lift { (lifted(), Method::Post) } else { (json!({}), Method::Delete) };
        if seen.preconditions.get("override") == Some(&wanted) {
            return Err(Skip {
                status: Status::NothingChanged,
                why: Line::new().plain("already set: ").line(in_words(&wanted)),
                instead: Vec::new(),
            });
        }
        let body = if self.lift { wanted.clone() } else { Value::Null };
        Ok(Change {
            steps: vec![Step::new(method, path(&self.bot), body).idempotent()],
            wanted: FactMap::from([("override".to_owned(), wanted)]),
        })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let undo = match (self.lift, before.preconditions.get("override")) {
            (true, Some(none)) if *none == json!({}) => {
                Undo::Command(vec!["limits".to_owned(), "restore".to_owned()])
            }
            (false, Some(lifted_before)) if *lifted_before == lifted() => {
                Undo::Command(vec!["limits".to_owned(), "lift".to_owned()])
            }
            _ => Undo::None("the earlier override was set by hand".to_owned()),
        };
        Outcome {
            status: Status::Done,
            title: Line::new().code(subject).plain(": rate limit set"),
            facts: after.display.clone(),
            remains: Vec::new(),
            undo,
        }
    }
}
