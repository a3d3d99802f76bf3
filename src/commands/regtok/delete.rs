//! `regtok delete`: a token is gone.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    there,
    token::{self, GONE_THERE, OTHERWISE_THERE, TOKEN_GONE, existing},
};
use crate::commands::refusals::Meaning;
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Power, Question, Skip, Snapshot, Step,
        Subject, Undo,
    },
    commands::{Action, Delegated, Spec, arguments::valued},
    error::Stop,
    reply::Line,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Delete>("delete", &["regtok delete welcome-friends"])
    .delegated(Delegated::There);

/// Delete registration tokens, so that nobody can register with them
///
/// People who are registering with one right now have to start again with another. Accounts that were
/// made with it stay.
#[derive(Debug, clap::Args)]
struct Delete {
    /// The tokens
    #[arg(required = true, num_args = 1.., value_name = "TOKEN", value_parser = existing)]
    tokens: Vec<String>,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] =
    &[TOKEN_GONE.nothing_to_do(), GONE_THERE.nothing_to_do(), OTHERWISE_THERE];

#[async_trait]
impl Action for Delete {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Account
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, _reader: &Reader) -> Result<Vec<Subject>, Stop> {
        Ok(token::subjects(&self.tokens))
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        token::snapshot(subject, reader).await
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let pending = seen.extra.get("pending").and_then(Value::as_u64).unwrap_or_default();
        let goes = (pending > 0)
            .then(|| Line::from(format!("{pending} registrations that are under way with it")));
        Question {
            title: Line::new().plain("Delete the registration token ").code(subject),
            goes: goes.into_iter().collect(),
            stays: vec!["the accounts that were created with it".into()],
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        token::exists(subject, seen)?;
        if let Some(id) = token::id(seen) {
            if seen.is("revoked") {
                return Err(Skip::already(Line::new().code(subject).plain(" is already revoked")));
            }
            let wanted = FactMap::from([("revoked".to_owned(), json!(true))]);
            return Ok(Change { steps: vec![there::revoke(id)], wanted });
        }
        let path = token::path(&subject.segment());
        let step = Step::new(Method::Delete, path, Value::Null);
        Ok(Change {
            steps: vec![step],
            wanted: FactMap::from([("exists".to_owned(), json!(false))]),
        })
    }

    fn outcome(&self, subject: &Subject, before: &Snapshot, _: &[Answer], _: &Snapshot) -> Outcome {
        // The service deletes none: it keeps it, and lets nobody register with it.
        let said = if token::id(before).is_some() { " is revoked" } else { " is deleted" };
        Outcome::done(Line::new().code(subject).plain(said), undo(subject, before))
    }
}

/// A token with the same name, for as many as could still have registered with it.
fn undo(subject: &Subject, before: &Snapshot) -> Undo {
    let number = |value: Option<&Value>| value.and_then(Value::as_i64);
    if token::named(&subject.typed()).is_err() {
        let why = "a token with these characters can no longer be made";
        return Undo::None(why.to_owned());
    }
    let mut words = ["regtok", "new"].map(str::to_owned).to_vec();
    words.extend(valued("--token", &subject.typed()));
    // 0 is any number to Synapse.
    let allowed = number(before.preconditions.get("uses_allowed")).filter(|allowed| *allowed != 0);
    if let Some(allowed) = allowed {
        let left = allowed - number(before.extra.get("completed")).unwrap_or_default();
        if left <= 0 {
            let why = "it was used up, so nobody could register with it anyway";
            return Undo::None(why.to_owned());
        }
        words.extend(["--uses-allowed".to_owned(), left.to_string()]);
    }
    match number(before.preconditions.get("expiry_time")) {
        Some(at) if at <= before.noted_now().as_millisecond() => {
            Undo::None("it had expired, so nobody could register with it anyway".to_owned())
        }
        Some(at) => {
            words.extend(["--expiry-ts".to_owned(), at.to_string()]);
            Undo::Command(words)
        }
        None => Undo::Command(words),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::token::testing::{seen, unseen, welcome},
        *,
    };
    use crate::commands::user::testing;

    fn verb() -> Delete {
        testing::parse(&["welcome", "other", "welcome"]).unwrap()
    }

    #[test]
    fn each_is_deleted_once_and_asked_for() {
        assert_eq!((verb().class(1), verb().power()), (Class::Disruptive, Power::Account));
        assert_eq!(token::subjects(&verb().tokens).len(), 2);
        let change = verb().change(&welcome(), &seen(None, None)).unwrap();
        assert_eq!(change.steps[0].method, Method::Delete);
        assert_eq!(
            change.steps[0].path.parts(),
            ["_synapse", "admin", "v1", "registration_tokens", "welcome"]
        );
        assert_eq!(change.wanted, FactMap::from([("exists".to_owned(), json!(false))]));
        assert!(verb().change(&welcome(), &unseen()).is_err());
        assert!(testing::parse::<Delete>(&[]).is_err());
    }

    #[test]
    fn the_way_back_counts_what_was_used() {
        let told = |uses, expiry| {
            let before = seen(uses, expiry);
            testing::outcome(&verb().outcome(&welcome(), &before, &[], &unseen()))
        };
        assert_eq!(
            told(Some(9), Some(4_000_000_000_000)),
            "Done · `welcome` is deleted\n\
             Undo: !regtok new --token welcome --uses-allowed 7 --expiry-ts 4000000000000"
        );
        assert!(told(None, None).ends_with("Undo: !regtok new --token welcome"));
        assert!(told(None, Some(1_000)).contains("No undo: it had expired"));
        assert!(told(Some(2), None).contains("No undo: it was used up"));
        assert!(told(Some(0), None).ends_with("Undo: !regtok new --token welcome"));
    }

    #[test]
    fn the_question_says_what_is_broken_off() {
        let mut under_way = seen(None, None);
        under_way.extra.insert("pending".to_owned(), json!(2));
        let asked = testing::question(&verb().question(&welcome(), &under_way));
        assert!(asked.contains("Lost:\n- 2 registrations that are under way"), "{asked}");
    }
}
