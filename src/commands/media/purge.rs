//! `media purge`: copies of other servers' files that nobody has asked for of late.

use async_trait::async_trait;
use clap::ArgGroup;
use serde_json::json;

use super::before::{self, Before};
use crate::commands::refusals::Meaning;
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject,
    },
    commands::{Action, Spec},
    error::Stop,
    reply::Line,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Purge>(
    "purge",
    &["media purge --before-days 30", "media purge --before 2026-01-01"],
);

/// Delete copies of other servers' files that nobody here has requested for some time
///
/// The homeserver fetches a file again when somebody requests it and its own server still has it.
/// Quarantined files stay. It can take minutes.
#[derive(Debug, clap::Args)]
#[command(group(
    ArgGroup::new("when").required(true).args(["before_days", "before", "before_ts"])
))]
struct Purge {
    #[command(flatten)]
    before: Before,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[Meaning::new(
    400,
    "M_INVALID_PARAM",
    "",
    "the homeserver does not accept this time; it must be after 1970",
)];

#[async_trait]
impl Action for Purge {
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
        Ok(vec![Subject::Homeserver(reader.server_name().to_owned())])
    }

    async fn snapshot(&self, _subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let mut seen = Snapshot::default();
        self.before.note(&mut seen, reader.now());
        seen.display.push(("Not asked for since", before::in_words(&seen)));
        Ok(seen)
    }

    fn question(&self, _subject: &Subject, seen: &Snapshot) -> Question {
        Question {
            title: Line::new()
                .plain("Delete the copies of other servers' files that nobody asked for since ")
                .line(before::in_words(seen)),
            goes: vec!["what its own server does not have any more, for good".into()],
            stays: vec![
                "the rest: it is fetched again when somebody asks for it".into(),
                "what is in quarantine, and every file of this server".into(),
            ],
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        let Subject::Homeserver(_) = subject else {
            let why = Line::new().code(subject).plain(" is not this homeserver");
            return Err(Skip::refused(why));
        };
        let path = Path::admin(["v1", "purge_media_cache"]);
        let mut step = Step::new(Method::Post, path, json!({})).idempotent();
        step.query = vec![("before_ts".to_owned(), before::moment(seen)?)];
        Ok(Change { steps: vec![step], wanted: FactMap::new() })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        _after: &Snapshot,
    ) -> Outcome {
        let deleted = answers.first().and_then(|answer| answer.body["deleted"].as_u64());
        let undo = "the homeserver fetches files again when somebody requests them";
        before::outcome(subject, before, (deleted, "copy", "copies"), undo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing::{self, now};

    fn here() -> Subject {
        Subject::Homeserver("example.org".try_into().unwrap())
    }

    fn verb(typed: &[&str]) -> (Purge, Snapshot) {
        let verb: Purge = testing::parse(typed).unwrap();
        let mut seen = Snapshot::default();
        verb.before.note(&mut seen, now());
        (verb, seen)
    }

    #[test]
    fn the_moment_goes_into_the_query_in_milliseconds() {
        let (verb, seen) = verb(&["-b", "2026-11-01"]);
        assert_eq!((verb.class(1), verb.power()), (Class::Disruptive, Power::Server));
        let change = verb.change(&here(), &seen).unwrap();
        assert_eq!(change.steps[0].query, [("before_ts".to_owned(), "1793491200000".to_owned())]);
        for typed in [&[][..], &["-d", "1", "-b", "3d"], &["-t", "0"]] {
            assert!(testing::parse::<Purge>(typed).is_err(), "{typed:?}");
        }
        let (verb, seen) = self::verb(&["-b", "1970-02-01"]);
        assert!(verb.change(&here(), &seen).is_err());
    }

    #[test]
    fn what_was_deleted_is_counted() {
        let (verb, seen) = verb(&["-d", "30"]);
        let told = |body| {
            testing::outcome(&verb.outcome(&here(), &seen, &[Answer { status: 200, body }], &seen))
        };
        assert!(told(json!({"deleted": 3})).starts_with("Done · `example.org`: 3 copies deleted"));
        assert!(told(json!({"deleted": 1})).starts_with("Done · `example.org`: 1 copy deleted"));
        assert!(told(json!({"deleted": 0})).starts_with("Nothing changed · "));
        assert!(told(json!({})).starts_with("Unknown · "));
    }
}
