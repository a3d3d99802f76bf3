//! `background run`: one of the homeserver's large jobs is started.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::updates;
use crate::commands::refusals::Meaning;
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{Action, Spec, arguments::Moment},
    error::Stop,
    reply::Line,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Run>(
    "run",
    &[
        "background run populate_stats_process_rooms",
        "background run regenerate_directory",
        "background run event_resign --before 2026-11-01",
    ],
);

/// Start one of the homeserver's large jobs on its database
///
/// It waits until the running jobs are finished, and then runs to its end: on a large server for hours.
#[derive(Debug, clap::Args)]
struct Run {
    /// Which job
    #[arg(value_enum)]
    job: Job,
    /// Only sign events again that were signed with this key: ed25519:ID and the key in base64
    #[arg(long, value_name = "KEY")]
    old_key: Option<String>,
    /// Only sign events again that are older: 2026-11-01, or 2026-11-01T10:00Z
    #[arg(long, value_name = "DATE")]
    before: Option<Moment>,
}

/// What the homeserver can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Job {
    /// Count the members and state of all rooms again
    PopulateStatsProcessRooms,
    /// Rebuild the user directory; searches for people find less until it is finished
    RegenerateDirectory,
    /// Sign this server's events again, after a change of its key
    EventResign,
}

impl Job {
    fn as_str(self) -> &'static str {
        match self {
            Self::PopulateStatsProcessRooms => "populate_stats_process_rooms",
            Self::RegenerateDirectory => "regenerate_directory",
            Self::EventResign => "event_resign",
        }
    }

    /// The names under which it runs.
    fn runs_as(self) -> &'static [&'static str] {
        match self {
            Self::PopulateStatsProcessRooms => &["populate_stats_process_rooms"],
            Self::RegenerateDirectory => &[
                "populate_user_directory_createtables",
                "populate_user_directory_process_rooms",
                "populate_user_directory_process_users",
                "populate_user_directory_cleanup",
            ],
            Self::EventResign => &["event_resign"],
        }
    }

    fn does(self) -> &'static str {
        match self {
            Self::PopulateStatsProcessRooms => "counts members and state of all rooms again",
            Self::RegenerateDirectory => {
                "rebuilds the user directory; searches for people find less until it is finished"
            }
            Self::EventResign => "signs events of this server again, in its database",
        }
    }
}

impl Run {
    fn body(&self) -> Value {
        let mut body = json!({ "job_name": self.job.as_str() });
        if let Some(key) = &self.old_key {
            body["old_key"] = json!(key);
        }
        if let Some(Moment(at)) = self.before {
            body["before_ts"] = json!(at.as_millisecond());
        }
        body
    }
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    Meaning::new(
        400,
        "M_UNKNOWN",
        "already in queue",
        "it is already waiting or running; `!background status` shows what runs",
    )
    .nothing_to_do(),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "Invalid job_name",
        "this version of the homeserver does not have this job; `!server version` shows the \
         version",
    ),
    Meaning::new(400, "M_INVALID_PARAM", "", "the homeserver does not accept this key or time"),
    Meaning::new(400, "M_MISSING_PARAM", "", "this job needs a key and a time"),
];

#[async_trait]
impl Action for Run {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Server
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        if self.job != Job::EventResign && (self.old_key.is_some() || self.before.is_some()) {
            let why = Line::new()
                .code("--old-key")
                .plain(" and ")
                .code("--before")
                .plain(" can be used only with event_resign");
            return Err(Stop::not_understood(why));
        }
        Ok(vec![Subject::Homeserver(reader.server_name().to_owned())])
    }

    async fn snapshot(&self, _subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let updates = updates::updates(reader).await?;
        let mut seen = updates::seen(&updates);
        let running = self.job.runs_as().iter().any(|name| updates.runs(name));
        // It may end at any moment by itself, so it does not bind.
        seen.extra.insert("running".to_owned(), json!(running));
        Ok(seen)
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        let title = Line::new().plain("Start ").code(self.job.as_str()).plain(" on ").code(subject);
        Question { title, ..Question::default() }
    }

    fn explanations(&self, _subject: &Subject) -> Vec<Line> {
        let only = self.before.map(|Moment(at)| {
            Line::from("Only events from before ").at(at).plain(" are signed again")
        });
        let does = format!("It {}. It cannot be taken out of the queue again", self.job.does());
        [Some(does.into()), only].into_iter().flatten().collect()
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        if seen.extra.get("running") == Some(&json!(true)) {
            return Err(Skip::already(
                Line::new()
                    .code(subject)
                    .plain(": ")
                    .code(self.job.as_str())
                    .plain(" is already running"),
            )
            .or("background status".to_owned()));
        }
        let path = Path::admin(["v1", "background_updates", "start_job"]);
        // Sent twice it would be refused the second time, or run again if it was through by then.
        let step = Step::new(Method::Post, path, self.body());
        // The homeserver shows neither what waits nor what is through.
        Ok(Change { steps: vec![step], wanted: FactMap::new() })
    }

    fn outcome(&self, subject: &Subject, _: &Snapshot, _: &[Answer], after: &Snapshot) -> Outcome {
        let words = |verb: &str| ["background", verb].map(str::to_owned).to_vec();
        let mut remains = vec![("How far it is".into(), words("status"))];
        if !after.is("enabled") {
            remains.push((
                "Background updates are paused, so it waits until they resume".into(),
                words("resume"),
            ));
        }
        Outcome::done(
            Line::new()
                .code(subject)
                .plain(": the homeserver has added ")
                .code(self.job.as_str())
                .plain(" to its queue"),
            Undo::None(
                "it runs to its end; `background pause` pauses it, and all others".to_owned(),
            ),
        )
        .facts(after.display.clone())
        .remains(remains)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            pause::tests::{here, seen},
            updates::tests::some,
        },
        *,
    };
    use crate::commands::user::testing::{self, nowhere};

    fn verb(typed: &[&str]) -> Run {
        testing::parse(typed).unwrap()
    }

    #[test]
    fn each_job_is_sent_by_its_name_and_with_what_belongs_to_it() {
        use clap::ValueEnum as _;
        for job in Job::value_variants() {
            let typed = job.to_possible_value().unwrap();
            let verb = verb(&[typed.get_name()]);
            assert_eq!((verb.class(1), verb.power()), (Class::Disruptive, Power::Server));
            let change = verb.change(&here(), &seen(true)).unwrap();
            assert_eq!(change.steps[0].body, json!({ "job_name": typed.get_name() }));
            assert!(!change.steps[0].idempotent);
        }
        let resign = verb(&["event_resign", "--old-key", "ed25519:a x", "--before", "2026-11-01"]);
        assert_eq!(
            resign.body(),
            json!({"job_name": "event_resign", "old_key": "ed25519:a x",
                   "before_ts": 1_793_491_200_000_i64})
        );
        assert!(testing::parse::<Run>(&["everything"]).is_err());
    }

    #[tokio::test]
    async fn what_belongs_to_one_job_is_refused_with_the_others() {
        let odd = verb(&["regenerate_directory", "--before", "2026-11-01"]);
        assert!(odd.subjects(&nowhere()).await.is_err());
        let fine = verb(&["event_resign", "--before", "2026-11-01"]);
        assert!(fine.subjects(&nowhere()).await.is_ok());
    }

    #[test]
    fn what_a_job_does_is_no_loss() {
        let verb = verb(&["event_resign", "--before", "2026-11-01"]);
        let question = verb.question(&here(), &seen(true));
        assert!(question.goes.is_empty() && question.stays.is_empty());
        let told: Vec<String> = verb.explanations(&here()).iter().map(testing::line).collect();
        assert_eq!(
            told,
            [
                "It signs events of this server again, in its database. It cannot be taken out of \
                 the queue again",
                "Only events from before 2026-11-01 00:00 UTC are signed again",
            ]
        );
    }

    #[test]
    fn what_runs_already_is_not_started() {
        let verb = verb(&["populate_stats_process_rooms"]);
        let mut seen = updates::seen(&some(true, Some("populate_stats_process_rooms")));
        seen.extra.insert("running".to_owned(), json!(true));
        let skip = verb.change(&here(), &seen).unwrap_err();
        assert!(testing::skip(&skip).contains("is already running\nTry !background status"));
    }

    #[test]
    fn the_outcome_claims_no_more_than_that_it_is_queued() {
        let verb = verb(&["regenerate_directory"]);
        let told = testing::outcome(&verb.outcome(&here(), &seen(false), &[], &seen(false)));
        assert_eq!(
            told,
            "Done · `example.org`: the homeserver has added `regenerate_directory` to its queue\n\
             Background updates: **paused**\n\
             Running: nothing\n\
             How far it is: !background status\n\
             Background updates are paused, so it waits until they resume: !background resume\n\
             No undo: it runs to its end; `background pause` pauses it, and all others"
        );
    }
}
