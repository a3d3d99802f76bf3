//! `federation reset`: a server that could not be reached is tried again at once.

use std::collections::BTreeSet;

use async_trait::async_trait;
use ruma::{OwnedServerName, ServerName};
use serde::Deserialize;
use serde_json::json;

use super::destination::{self, Destination};
use crate::commands::refusals::Meaning;
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{Action, Spec},
    error::Stop,
    reply::Line,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Reset>(
    "reset",
    &["federation reset remote.example", "federation reset remote.example other.example"],
);

/// Retry unreachable servers immediately
///
/// The homeserver retries by itself, but less and less often the longer a server fails. Some minutes
/// later `federation details` shows whether it worked.
#[derive(Debug, clap::Args)]
struct Reset {
    /// The names of the servers
    #[arg(required = true, num_args = 1.., value_name = "SERVER",
          value_parser = destination::server)]
    servers: Vec<OwnedServerName>,
}

/// The server that a subject is.
fn server(subject: &Subject) -> Result<&ServerName, Stop> {
    match subject {
        Subject::Destination(server) => Ok(server),
        _ => Err(Stop::refused(Line::new().code(subject).plain(" is not a server"))),
    }
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    Meaning::new(404, "M_NOT_FOUND", "", "this homeserver no longer knows that server"),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "does not need to be reset",
        "it is no longer failing, so there is nothing to reset",
    )
    .nothing_to_do(),
];

#[async_trait]
impl Action for Reset {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Server
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, _reader: &Reader) -> Result<Vec<Subject>, Stop> {
        let servers: BTreeSet<&OwnedServerName> = self.servers.iter().collect();
        Ok(servers.into_iter().cloned().map(Subject::Destination).collect())
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let found = destination::raw(server(subject)?, reader).await?;
        let found = found.and_then(|found| Destination::deserialize(found).ok());
        Ok(seen(found.as_ref(), reader))
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        Question {
            title: Line::new().plain("Try ").code(subject).plain(" again now"),
            goes: vec!["how long it has been failing, and how long it is left alone".into()],
            stays: vec!["what waits to be sent to it".into()],
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        if !seen.is("exists") {
            let why = destination::unknown(subject);
            return Err(Skip::not_found(why));
        }
        if !seen.is("failing") {
            return Err(Skip::already(
                Line::new().code(subject).plain(" is not failing, so there is nothing to retry"),
            )
            .or(format!("federation details {}", subject.typed())));
        }
        let server = subject.segment();
        let path = Path::admin(["v1", "federation", "destinations", &server, "reset_connection"]);
        // Sent twice, the second is refused and does nothing.
        let step = Step::new(Method::Post, path, json!({})).idempotent();
        let wanted = FactMap::from([("failing".to_owned(), json!(false))]);
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(&self, subject: &Subject, before: &Snapshot, _: &[Answer], _: &Snapshot) -> Outcome {
        let look = ["federation", "details", &subject.typed()].map(str::to_owned).to_vec();
        Outcome::done(
            Line::new()
                .code(subject)
                .plain(" is being retried; whether it can be reached is not known yet"),
            Undo::None("if it cannot be reached, the homeserver waits again by itself".to_owned()),
        )
        .facts(before.shown_as(&["Failing since"]))
        .remains([("Whether it was reached, in some minutes".into(), look)])
    }
}

fn seen(found: Option<&Destination>, reader: &Reader) -> Snapshot {
    let mut seen = Snapshot::default();
    seen.preconditions.insert("exists".to_owned(), json!(found.is_some()));
    if let Some(found) = found {
        seen.preconditions.insert("failing".to_owned(), json!(found.is_failing()));
        seen.display = found.facts(reader.now());
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::{super::destination::tests::remote, *};
    use crate::commands::user::testing::{self, nowhere};

    fn verb() -> Reset {
        testing::parse(&["remote.example", "remote.example", "other.example"]).unwrap()
    }

    fn subject() -> Subject {
        Subject::Destination("remote.example".try_into().unwrap())
    }

    fn seen_as(failing: bool) -> Snapshot {
        seen(Some(&Destination::deserialize(remote(failing)).unwrap()), &nowhere())
    }

    #[tokio::test]
    async fn each_server_is_meant_once_and_it_takes_the_highest_role() {
        let subjects = verb().subjects(&nowhere()).await.unwrap();
        assert_eq!(subjects.len(), 2);
        assert_eq!((verb().class(1), verb().power()), (Class::Disruptive, Power::Server));
        assert!(testing::parse::<Reset>(&[]).is_err());
    }

    #[test]
    fn only_what_fails_is_tried_again() {
        let change = verb().change(&subject(), &seen_as(true)).unwrap();
        assert_eq!(
            change.steps[0].path.parts()[2..],
            ["v1", "federation", "destinations", "remote.example", "reset_connection"]
        );
        assert_eq!(change.wanted, FactMap::from([("failing".to_owned(), json!(false))]));
        let fine = verb().change(&subject(), &seen_as(false)).unwrap_err();
        assert_eq!(
            testing::skip(&fine),
            "Nothing changed · `remote.example` is not failing, so there is nothing to retry\n\
             Try !federation details remote.example"
        );
        let unknown = verb().change(&subject(), &seen(None, &nowhere())).unwrap_err();
        assert!(testing::skip(&unknown).starts_with("Not found · this homeserver has never sent"));
    }

    #[test]
    fn the_outcome_promises_no_connection() {
        let told = verb().outcome(&subject(), &seen_as(true), &[], &seen_as(false));
        assert_eq!(
            testing::outcome(&told),
            "Done · `remote.example` is being retried; whether it can be reached is not known yet\n\
             Failing since: 2 days ago\n\
             Whether it was reached, in some minutes: !federation details remote.example\n\
             No undo: if it cannot be reached, the homeserver waits again by itself"
        );
        let question = testing::question(&verb().question(&subject(), &seen_as(true)));
        assert!(question.starts_with("Try `remote.example` again now\n"), "{question}");
    }
}
