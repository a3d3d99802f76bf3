//! `report dismiss`: reports are cleared away.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::reports::{self, EventReport, Number, UserReport};
use crate::commands::refusals::Meaning;
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{Action, Later, Spec},
    error::Stop,
    reply::Line,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Dismiss>(
    "dismiss",
    &["report dismiss 4711", "report dismiss 4711 4712", "report dismiss 4711 --users"],
)
.later(&[Later::new("users", 1, 152)]);

/// Dismiss reports: they are deleted, and the reported content or account is not changed
#[derive(Debug, clap::Args)]
struct Dismiss {
    /// The numbers of the reports, from `report list`
    #[arg(required = true, num_args = 1.., value_name = "NUMBER")]
    numbers: Vec<Number>,
    /// They are reports of accounts, not of events
    #[arg(short, long)]
    users: bool,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    Meaning::new(404, "M_NOT_FOUND", "", "the report no longer exists; it did when I looked")
        .nothing_to_do(),
    Meaning::new(400, "M_INVALID_PARAM", "", "the homeserver has no report with this number"),
];

#[async_trait]
impl Action for Dismiss {
    /// Somebody has written it, and it is nowhere else.
    fn class(&self, _many: usize) -> Class {
        Class::Irreversible
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, _reader: &Reader) -> Result<Vec<Subject>, Stop> {
        let numbers = self.numbers.iter().map(|number| number.subject(self.users));
        Ok(numbers.collect::<BTreeSet<_>>().into_iter().collect())
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let found = match subject {
            Subject::EventReport(number) => match reports::of_event(*number, reader).await {
                // It is there, and nobody needs to read it for it to be cleared away.
                Err(error) if reports::is_damaged(&error) => {
                    let mut seen = Snapshot::default();
                    seen.preconditions.insert("exists".to_owned(), json!(true));
                    seen.display = vec![("Report", reports::damaged(subject))];
                    return Ok(seen);
                }
                found => found?,
            },
            Subject::UserReport(number) => reports::of_user(*number, reader).await?,
            _ => None,
        };
        Ok(seen(subject, found.as_ref(), reader))
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        Question {
            title: Line::new().plain("Clear ").code(subject).plain(" away"),
            goes: vec!["the report: who reported it, and why".into()],
            stays: vec!["what was reported, and whoever it is about, as they are".into()],
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        if !seen.is("exists") {
            return Err(Skip::not_found(reports::unknown(subject)).or("report list".to_owned()));
        }
        let path = match subject {
            Subject::EventReport(number) => {
                Path::admin(["v1", "event_reports", &number.to_string()])
            }
            Subject::UserReport(number) => Path::admin(["v1", "user_reports", &number.to_string()]),
            _ => {
                let why = Line::new().code(subject).plain(" is not a report");
                return Err(Skip::refused(why));
            }
        };
        let step = Step::new(Method::Delete, path, Value::Null).idempotent();
        Ok(Change {
            steps: vec![step],
            wanted: FactMap::from([("exists".to_owned(), json!(false))]),
        })
    }

    fn outcome(&self, subject: &Subject, before: &Snapshot, _: &[Answer], _: &Snapshot) -> Outcome {
        Outcome::done(
            Line::new().code(subject).plain(" dismissed. It was:"),
            Undo::None("the same person can report it again".to_owned()),
        )
        .facts(before.display.clone())
    }
}

fn seen(subject: &Subject, found: Option<&Value>, reader: &Reader) -> Snapshot {
    let mut seen = Snapshot::default();
    seen.preconditions.insert("exists".to_owned(), json!(found.is_some()));
    let Some(found) = found else { return seen };
    let now = reader.now();
    seen.display = match subject {
        Subject::UserReport(_) => {
            UserReport::deserialize(found).map(|report| report.facts(now)).unwrap_or_default()
        }
        _ => EventReport::deserialize(found).map(|report| report.facts(now)).unwrap_or_default(),
    };
    seen
}

#[cfg(test)]
mod tests {
    use super::{
        super::reports::tests::{event_report, user_report},
        *,
    };
    use crate::commands::user::testing::{self, nowhere};

    fn verb(typed: &[&str]) -> Dismiss {
        testing::parse(typed).unwrap()
    }

    fn some(subject: &Subject, found: Option<&Value>) -> Snapshot {
        seen(subject, found, &nowhere())
    }

    #[tokio::test]
    async fn each_report_is_meant_once_and_numbers_go_with_their_kind() {
        let subjects = |typed: &[&str]| {
            let verb = verb(typed);
            async move { verb.subjects(&nowhere()).await.unwrap() }
        };
        let two = [Subject::EventReport(5), Subject::EventReport(6)];
        assert_eq!(subjects(&["6", "5", "#5"]).await, two);
        assert_eq!(subjects(&["5", "--users"]).await, [Subject::UserReport(5)]);
        assert_eq!(
            (verb(&["5"]).class(1), verb(&["5"]).power()),
            (Class::Irreversible, Power::Moderate)
        );
        assert!(testing::parse::<Dismiss>(&[]).is_err(), "never all by leaving it out");
    }

    #[test]
    fn the_report_that_was_looked_at_is_deleted_and_no_other() {
        for (subject, found, kind) in [
            (Subject::EventReport(5), event_report(json!({})), "event_reports"),
            (Subject::UserReport(5), user_report(), "user_reports"),
        ] {
            let change = verb(&["5"]).change(&subject, &some(&subject, Some(&found))).unwrap();
            assert_eq!(change.steps[0].path.parts()[2..], ["v1", kind, "5"]);
            assert_eq!(change.steps[0].method, Method::Delete);
            assert_eq!(change.wanted, FactMap::from([("exists".to_owned(), json!(false))]));
            let skip = verb(&["5"]).change(&subject, &some(&subject, None)).unwrap_err();
            assert!(testing::skip(&skip).starts_with("Not found · there is no `"), "{skip:?}");
        }
    }

    #[test]
    fn the_outcome_keeps_what_the_report_said() {
        let subject = Subject::UserReport(7);
        let before = some(&subject, Some(&user_report()));
        let told = verb(&["7", "-u"]).outcome(&subject, &before, &[], &some(&subject, None));
        assert_eq!(
            testing::outcome(&told),
            "Done · `account report 7` dismissed. It was:\n\
             Account: `@eve:example.org`\n\
             Reported by: `@ann:example.org`\n\
             Reason: none given\n\
             When: 2026-11-20 14:00 UTC\n\
             No undo: the same person can report it again"
        );
        let question = testing::question(&verb(&["7"]).question(&subject, &before));
        assert!(question.starts_with("Clear `account report 7` away\nLost:\n"), "{question}");
    }
}
