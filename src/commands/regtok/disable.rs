//! What `shutters close` does: every token that can be used is disabled, for a time.
//!
//! A token is disabled by letting it expire in a moment: the homeserver takes no expiry that is past. To
//! allow it no uses would not do: Synapse takes 0 for any number when somebody registers, though its lists
//! call such a token invalid.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{
    not_stopped::{Ways, not_stopped},
    token::{self, TOKEN_GONE, Token, existing},
};
use crate::commands::refusals::Meaning;
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Power, Question, Skip, Snapshot, Step,
        Subject, Undo,
    },
    commands::{Action, arguments::spoken},
    error::Stop,
    reply::{Line, Status},
    synapse::Reader,
};

/// How long a token can still be used after the request: the clocks of the homeserver and of this machine
/// may differ by as much.
const IN_A_MOMENT: Duration = Duration::from_secs(4);

/// The fact when it expires, under the homeserver's own name.
const EXPIRY: &str = "expiry_time";

/// The fact whether somebody can register with it.
const USABLE: &str = "usable";

/// Disables every registration token that can be used.
#[derive(Debug)]
pub(crate) struct Disable {
    /// When they are enabled again, if nothing stands against it.
    until: Timestamp,
    /// What was closed before and still is, in words.
    before: Option<Line>,
    found: OnceCell<Found>,
}

/// What was found when the tokens were collected.
#[derive(Debug)]
struct Found {
    first: Option<Subject>,
    ways: Ways,
    /// Tokens that can be used and cannot be named in a request.
    beyond: Vec<String>,
}

impl Disable {
    /// Until then, where this is closed already.
    pub(crate) fn new(until: Timestamp, before: Option<Line>) -> Self {
        Self { until, before, found: OnceCell::new() }
    }

    /// Why there is nothing to do.
    fn nothing(&self, beyond: &[String]) -> Stop {
        let line = match &self.before {
            Some(before) => Line::from("no other registration token can be used. Disabled until ")
                .line(before.clone()),
            None => Line::from("no registration token can be used now"),
        };
        let line = match unnamed(beyond) {
            Some(unnamed) => line.plain(". ").line(unnamed),
            None => line,
        };
        Stop::ending(Status::NothingChanged, line).or(&["shutters", "status"])
    }
}

/// Which tokens stay as they are since no request can name them.
fn unnamed(beyond: &[String]) -> Option<Line> {
    let (first, rest) = beyond.split_first()?;
    let line = Line::from("I cannot change this, since no request can name it: ").code(first);
    Some(rest.iter().fold(line, |line, token| line.plain(", ").code(token)))
}

/// What was a moment ahead is past for the homeserver.
const CLOCKS: Meaning = Meaning::new(
    400,
    "M_INVALID_PARAM",
    "expiry",
    "the clocks of the homeserver and of the bot differ; set them, and send it again",
);

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[CLOCKS, TOKEN_GONE];

#[async_trait]
impl Action for Disable {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Account
    }

    fn amounts_to(&self) -> Vec<&str> {
        vec!["regtok update"]
    }

    fn is_one_measure(&self) -> bool {
        true
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        let mut names: Vec<String> = token::usable(reader).await?;
        names.sort();
        names.dedup();
        let (names, beyond): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| existing(name).is_ok());
        let subjects = token::subjects(&names);
        if subjects.is_empty() {
            return Err(self.nothing(&beyond));
        }
        let first = subjects.first().cloned();
        let ways = Ways::of(reader).await;
        self.found.get_or_init(|| async { Found { first, ways, beyond } }).await;
        Ok(subjects)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let mut seen = token::snapshot(subject, reader).await?;
        let usable = token::usable(reader).await?.contains(&subject.typed());
        seen.extra.insert(USABLE.to_owned(), json!(usable));
        Ok(seen)
    }

    async fn snapshot_after(
        &self,
        subject: &Subject,
        _answers: &[Answer],
        reader: &Reader,
    ) -> Result<Snapshot, Stop> {
        // Before that it could still be used, and done means seen.
        tokio::time::sleep(IN_A_MOMENT + IN_A_MOMENT / 4).await;
        self.snapshot(subject, reader).await
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        Question {
            title: Line::from("Disable ").code(subject),
            goes: Vec::new(),
            stays: vec![
                "the accounts that were created with them".into(),
                "the registrations that have already given their token".into(),
            ],
        }
    }

    fn explanations(&self, _subject: &Subject) -> Vec<Line> {
        vec![
            Line::from("If you say yes now, nobody can register with a disabled token until ")
                .at(self.until)
                .plain("; then I enable each of them again by myself, exactly as it was"),
            Line::from("Until then I tell new accounts in the first admin room"),
        ]
    }

    fn warnings(&self, subject: &Subject, _seen: &Snapshot) -> Vec<Line> {
        // It is said once, of all of them.
        let Some(found) = self.found.get().filter(|found| found.first.as_ref() == Some(subject))
        else {
            return Vec::new();
        };
        let before = self.before.clone();
        let before = before.map(|line| Line::from("Others stay disabled until ").line(line));
        let beyond = unnamed(&found.beyond);
        before.into_iter().chain(beyond).chain(not_stopped(found.ways)).collect()
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        token::exists(subject, seen)?;
        let fact = |key: &str| seen.preconditions.get(key).cloned().unwrap_or_default();
        let moment = i64::try_from(IN_A_MOMENT.as_millis()).unwrap_or_default();
        let now = seen.noted_now().as_millisecond();
        // After a crash it may be about to expire because of what was sent before.
        if fact(EXPIRY).as_i64().is_some_and(|at| at <= now.saturating_add(2 * moment)) {
            let line = Line::new().code(subject).plain(" has expired already");
            return Err(Skip::already(line));
        }
        let end = json!(now.saturating_add(moment));
        let path = token::path(&subject.segment());
        let step = Step::new(Method::Put, path, json!({ EXPIRY: end })).idempotent();
        let wanted = FactMap::from([
            (EXPIRY.to_owned(), end),
            (USABLE.to_owned(), json!(false)),
            // Whoever changes it meanwhile wants this token as they have made it.
            ("uses_allowed".to_owned(), fact("uses_allowed")),
        ]);
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(&self, subject: &Subject, before: &Snapshot, _: &[Answer], _: &Snapshot) -> Outcome {
        Outcome::done(
            Line::new().code(subject).plain(": nobody can register with it any more"),
            Undo::Command(back(subject, before)),
        )
    }
}

/// The command that lets it expire when it would have.
fn back(subject: &Subject, before: &Snapshot) -> Vec<String> {
    let end = before.preconditions.get(EXPIRY).and_then(Value::as_i64).unwrap_or(-1);
    let options = vec!["--expiry-ts".to_owned(), end.to_string()];
    spoken(&["regtok", "update"], &[&subject.typed()], options)
}

/// The tokens of the homeserver, each with whether it can be used now.
pub(crate) async fn states(reader: &Reader) -> Result<Vec<(String, FactMap, bool)>, Stop> {
    let usable = token::usable(reader).await?;
    let all = token::every(reader).await?;
    let state = |token: Token| {
        let is_usable = usable.contains(&token.name);
        let facts = token::seen(Some(&token), reader.now()).preconditions;
        (token.name, facts, is_usable)
    };
    Ok(all.into_iter().map(state).collect())
}

#[cfg(test)]
mod tests {
    use super::{
        super::token::testing::{seen, unseen, welcome},
        *,
    };
    use crate::commands::user::testing;

    fn verb() -> Disable {
        Disable::new("2026-12-01T10:00:00Z".parse().unwrap(), None)
    }

    #[test]
    fn it_is_always_asked_for_and_takes_what_makes_accounts() {
        assert_eq!((verb().class(1), verb().power()), (Class::Disruptive, Power::Account));
        assert!(verb().is_one_measure());
        assert_eq!(verb().amounts_to(), ["regtok update"]);
    }

    #[test]
    fn a_token_expires_in_a_moment_and_its_uses_stay() {
        let before = seen(Some(9), Some(4_000_000_000_000));
        let change = verb().change(&welcome(), &before).unwrap();
        let [step] = change.steps.as_slice() else { panic!("one request") };
        let end = before.noted_now().as_millisecond() + 4_000;
        assert_eq!((step.method, &step.body), (Method::Put, &json!({ "expiry_time": end })));
        assert!(step.idempotent);
        assert_eq!(
            change.wanted,
            FactMap::from([
                ("uses_allowed".to_owned(), json!(9)),
                ("expiry_time".to_owned(), json!(end)),
                ("usable".to_owned(), json!(false)),
            ])
        );
        // Synapse takes 0 for any number.
        assert!(verb().change(&welcome(), &seen(Some(0), None)).is_ok());
    }

    #[test]
    fn what_expires_anyway_is_left_alone() {
        let skip = |seen: &Snapshot| {
            testing::skip(&verb().change(&welcome(), seen).expect_err("left alone"))
        };
        let soon = seen(None, None).noted_now().as_millisecond() + 4_000;
        assert!(skip(&seen(None, Some(1_000))).starts_with("Nothing changed · `welcome` has"));
        assert!(skip(&seen(None, Some(soon))).starts_with("Nothing changed · `welcome` has"));
        assert!(skip(&unseen()).starts_with("Not found · there is no token"));
    }

    #[test]
    fn the_way_back_says_when_it_would_have_expired() {
        let told = |expiry| {
            let (before, after) = (seen(Some(9), expiry), seen(Some(9), Some(1_000)));
            testing::outcome(&verb().outcome(&welcome(), &before, &[], &after))
        };
        assert_eq!(
            told(Some(4_000_000_000_000)),
            "Done · `welcome`: nobody can register with it any more\n\
             Undo: !regtok update welcome --expiry-ts 4000000000000"
        );
        assert!(told(None).ends_with("Undo: !regtok update welcome --expiry-ts -1"));
        // After a restart no more is known of it than what binds.
        let preconditions = seen(Some(4), None).preconditions;
        let before = Snapshot { preconditions, ..Snapshot::default() };
        assert_eq!(back(&welcome(), &before).join(" "), "regtok update welcome --expiry-ts -1");
    }

    #[tokio::test]
    async fn what_it_does_not_stop_is_said_once() {
        let verb = verb();
        let other = Subject::Token("other".to_owned());
        let ways = Ways::testing(crate::synapse::Registration::WithoutToken, false);
        let found = Found { first: Some(welcome()), ways, beyond: vec!["new".to_owned()] };
        verb.found.set(found).unwrap();
        let said: Vec<String> =
            verb.warnings(&welcome(), &seen(None, None)).iter().map(Line::text).collect();
        assert!(said.iter().any(|line| line.contains("no request can name it: new")), "{said:?}");
        assert!(said.iter().any(|line| line.contains("enable_registration: false")), "{said:?}");
        assert!(verb.warnings(&other, &seen(None, None)).is_empty());
    }
}
