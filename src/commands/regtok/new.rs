//! `regtok new`: a token with which somebody may register.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{
    there,
    token::{self, END_TO_COME, Expiry, OTHERWISE_THERE, Until, named},
};
use crate::commands::refusals::{BY_SERVICE, Meaning};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{Action, Delegated, Spec, arguments::spoken, user::account::words},
    error::Stop,
    reply::{Line, Status},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<New>(
    "new",
    &[
        "regtok new",
        "regtok new --uses-allowed 1 --expire-at 2030-01-01",
        "regtok new --token for-the-choir --uses-allowed 20",
    ],
)
.delegated(Delegated::There);

/// Create a registration token, with which people can register an account
///
/// If you name no token, the homeserver makes one, and I show it here: everybody who reads this room
/// can use it. It can be used for any number of accounts and never expires unless you set limits.
#[derive(Debug, clap::Args)]
struct New {
    /// The token itself: up to 64 letters, digits, or one of . _ ~ -
    #[arg(short = 'n', long, value_parser = named)]
    token: Option<String>,
    /// Length of a token that the homeserver makes, in characters: 16 where nothing is said
    #[arg(short, long, value_name = "NUMBER", conflicts_with = "token",
          value_parser = clap::value_parser!(u64).range(1..=64))]
    length: Option<u64>,
    /// How many accounts can register with it; -1 for any number
    #[arg(short, long, value_name = "NUMBER", allow_negative_numbers = true,
          value_parser = token::uses_typed)]
    uses_allowed: Option<i64>,
    #[command(flatten)]
    expiry: Expiry,
}

/// How long a token is where nothing is said.
const LENGTH: u64 = 16;

impl New {
    fn uses(&self) -> Option<u64> {
        token::uses(self.uses_allowed)
    }

    fn expiry(&self) -> Option<i64> {
        match self.expiry.until() {
            Until::At(at) => Some(at),
            Until::Never | Until::Unchanged => None,
        }
    }
}

impl New {
    /// Makes one usable again that was revoked at the authentication service, where a name is given once:
    /// for as many more as are asked for.
    fn again(&self, id: &str, seen: &Snapshot) -> Change {
        let completed = seen.extra.get("completed").and_then(Value::as_u64).unwrap_or_default();
        let allowed = self.uses().map(|more| more.saturating_add(completed));
        let fields = Map::from_iter([
            ("uses_allowed".to_owned(), json!(allowed)),
            ("expiry_time".to_owned(), json!(self.expiry())),
        ]);
        let steps = vec![there::unrevoke(id), there::change(id, &fields)];
        let mut wanted: FactMap = fields.into_iter().collect();
        wanted.insert("revoked".to_owned(), json!(false));
        Change { steps, wanted }
    }
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    Meaning::new(
        400,
        "M_INVALID_PARAM",
        "already exists",
        "this token already exists; `!regtok details` shows it, `!regtok update` changes it",
    ),
    END_TO_COME,
    Meaning::new(
        400,
        "M_INVALID_PARAM",
        "",
        "the homeserver does not accept this token: use 1 to 64 characters of A-Z a-z 0-9 . _ ~ -",
    ),
    Meaning::new(
        409,
        BY_SERVICE,
        "",
        "this token already exists; `!regtok details` shows it, `!regtok update` changes it",
    ),
    OTHERWISE_THERE,
];

#[async_trait]
impl Action for New {
    fn class(&self, many: usize) -> Class {
        if many > 1 { Class::Disruptive } else { Class::Reversible }
    }

    fn power(&self) -> Power {
        Power::Account
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        Ok(vec![match &self.token {
            Some(token) => Subject::Token(token.clone()),
            None => Subject::Homeserver(reader.server_name().to_owned()),
        }])
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        if let Subject::Token(_) = subject {
            return token::snapshot(subject, reader).await;
        }
        let all = token::all(reader, None).await?;
        let names: Vec<&Value> = all.iter().map(|token| &token["token"]).collect();
        let mut seen = Snapshot::default();
        seen.extra.insert("tokens".to_owned(), json!(names));
        token::note_keeper(&mut seen, reader).await?;
        seen.note_now(reader.now());
        Ok(seen)
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        let title = match subject {
            Subject::Token(_) => Line::new().plain("Make the registration token ").code(subject),
            _ => "Make a registration token".into(),
        };
        Question { title, ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        token::not_past(self.expiry.until(), seen)?;
        let mut body = Map::new();
        let mut wanted = FactMap::new();
        match (&self.token, subject) {
            (Some(token), Subject::Token(_)) => {
                if let (Some(id), true) = (token::id(seen), seen.is("revoked")) {
                    return Ok(self.again(id, seen));
                }
                if seen.is("exists") {
                    let why = Line::new().plain("there is a token ").code(token).plain(" already");
                    return Err(Skip::refused(why).or(format!("regtok details {token}")));
                }
                body.insert("token".to_owned(), json!(token));
                wanted.insert("exists".to_owned(), json!(true));
                wanted.insert("uses_allowed".to_owned(), json!(self.uses()));
                wanted.insert("expiry_time".to_owned(), json!(self.expiry()));
            }
            (None, Subject::Homeserver(_)) => {
                body.insert("length".to_owned(), json!(self.length.unwrap_or(LENGTH)));
            }
            _ => {
                let why = Line::new().code(subject).plain(" is not a token");
                return Err(Skip::refused(why));
            }
        }
        body.insert("uses_allowed".to_owned(), json!(self.uses()));
        body.insert("expiry_time".to_owned(), json!(self.expiry()));
        if token::are_there(seen) {
            if self.length.is_some() {
                let why = "the authentication service chooses how long a token is; leave out --length, \
                    or name one with --token";
                return Err(Skip::refused(why));
            }
            return Ok(Change { steps: vec![there::make(self.token.as_deref(), &body)], wanted });
        }
        let path = Path::admin(["v1", "registration_tokens", "new"]);
        let step = Step::new(Method::Post, path, Value::Object(body));
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let made = answers.first().and_then(|answer| {
            let there = answer.body.pointer("/data/attributes/token");
            there.unwrap_or(&answer.body["token"]).as_str()
        });
        // One that was named is found, or not, by what was wanted.
        let listed = |token: &str| {
            let tokens = after.extra.get("tokens").and_then(Value::as_array);
            tokens.is_none_or(|tokens| tokens.iter().any(|one| one == token))
        };
        let Some(token) = made.filter(|token| listed(token)) else {
            return Outcome {
                status: Status::Unknown,
                title: Line::new()
                    .code(subject)
                    .plain(": the homeserver reported success, but there is no new token"),
                facts: Vec::new(),
                remains: vec![("Look at all of them".into(), words(["regtok", "list"]))],
                undo: Undo::None("check the list first".to_owned()),
            };
        };
        let now = before.noted_now();
        Outcome::done(
            Line::new().code(token).plain(" can be used to register now"),
            Undo::Command(spoken(&["regtok", "delete"], &[token], Vec::new())),
        )
        .facts(token::terms(self.uses(), self.expiry(), now))
        .remains([("To delete it".into(), spoken(&["regtok", "delete"], &[token], Vec::new()))])
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::token::testing::{seen, unseen, welcome},
        *,
    };
    use crate::commands::user::testing::{self, now};

    fn verb(typed: &[&str]) -> New {
        testing::parse(typed).unwrap()
    }

    fn here() -> Subject {
        Subject::Homeserver("example.org".try_into().unwrap())
    }

    fn tokens(names: &[&str]) -> Snapshot {
        let mut seen = Snapshot::default();
        seen.extra.insert("tokens".to_owned(), json!(names));
        seen.note_now(now());
        seen
    }

    #[test]
    fn what_is_not_said_is_without_limit() {
        for (typed, body) in [
            (&[][..], json!({"length": 16, "uses_allowed": null, "expiry_time": null})),
            (
                &["-l", "8", "-u", "-1"],
                json!({"length": 8, "uses_allowed": null, "expiry_time": null}),
            ),
            (
                &["-u", "2", "-e", "2100-01-01"],
                json!({"length": 16, "uses_allowed": 2, "expiry_time": 4_102_444_800_000_i64}),
            ),
        ] {
            let verb = verb(typed);
            assert_eq!((verb.class(1), verb.power()), (Class::Reversible, Power::Account));
            let change = verb.change(&here(), &tokens(&[])).unwrap();
            assert_eq!(change.steps[0].body, body, "{typed:?}");
            assert!(!change.steps[0].idempotent && change.wanted.is_empty());
            assert_eq!(change, verb.change(&here(), &tokens(&[])).unwrap());
        }
        for typed in [
            &["-n", "a b"][..],
            &["-n", "new"],
            &["-n", "a", "-l", "3"],
            &["-l", "65"],
            &["-u", "-2"],
        ] {
            assert!(testing::parse::<New>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn a_named_one_is_wanted_as_it_was_asked_for() {
        let change = verb(&["-n", "welcome", "-u", "3"]).change(&welcome(), &unseen()).unwrap();
        assert_eq!(
            change.steps[0].body,
            json!({"token": "welcome", "uses_allowed": 3, "expiry_time": null})
        );
        assert_eq!(change.wanted["exists"], json!(true));
        assert_eq!(change.wanted["uses_allowed"], json!(3));
        assert_eq!(change.wanted["expiry_time"], json!(null));
    }

    #[test]
    fn what_is_there_or_could_not_be_used_is_not_made() {
        let skip = |typed: &[&str], subject: &Subject, seen: &Snapshot| {
            testing::skip(&verb(typed).change(subject, seen).unwrap_err())
        };
        assert_eq!(
            skip(&["-n", "welcome"], &welcome(), &seen(None, None)),
            "Refused · there is a token `welcome` already\nTry !regtok details welcome"
        );
        assert!(skip(&["-e", "2026-11-01"], &here(), &tokens(&[])).contains("in the past"));
    }

    #[test]
    fn the_token_is_shown_where_it_is_found_and_can_be_made_useless() {
        let answers = [Answer { status: 200, body: json!({"token": "aB3"}) }];
        let verb = verb(&["-u", "1"]);
        let told = |after: &Snapshot| {
            testing::outcome(&verb.outcome(&here(), &tokens(&[]), &answers, after))
        };
        assert_eq!(
            told(&tokens(&["other", "aB3"])),
            "Done · `aB3` can be used to register now\nUses: 1\nExpires: never\n\
             To delete it: !regtok delete aB3\n\
             Undo: !regtok delete aB3"
        );
        assert!(told(&tokens(&["other"])).starts_with("Unknown · "));
    }
}
