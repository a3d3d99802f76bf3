//! `regtok update`: how often and until when a token is good.

use async_trait::async_trait;
use clap::ArgGroup;
use serde_json::{Map, Value, json};

use super::{
    there,
    token::{self, END_TO_COME, Expiry, GONE_THERE, OTHERWISE_THERE, TOKEN_GONE, Until, existing},
};
use crate::commands::refusals::Meaning;
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Power, Question, Skip, Snapshot, Step,
        Subject, Undo,
    },
    commands::{Action, Delegated, Spec, arguments::spoken},
    error::Stop,
    reply::Line,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Update>(
    "update",
    &[
        "regtok update welcome-friends --uses-allowed 10",
        "regtok update welcome-friends --uses-allowed -1 --expire-at 2030-01-01",
    ],
)
.delegated(Delegated::There);

/// Change how often a registration token can be used, and until when
///
/// What you leave out stays as it is. To let nobody register with it any more, delete it, or close the
/// shutters for a time: Synapse takes 0 uses for any number.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true)
    .args(["uses_allowed", "expire_at", "expiry_ts"])))]
struct Update {
    /// The tokens
    #[arg(required = true, num_args = 1.., value_name = "TOKEN", value_parser = existing)]
    tokens: Vec<String>,
    /// How many accounts can register with it in total; -1 for any number
    #[arg(short, long, value_name = "NUMBER", allow_negative_numbers = true,
          value_parser = token::uses_typed)]
    uses_allowed: Option<i64>,
    #[command(flatten)]
    expiry: Expiry,
}

impl Update {
    /// The fields that change, as the homeserver takes them; what is left out stays.
    fn fields(&self) -> Map<String, Value> {
        let uses = self.uses_allowed.is_some().then(|| json!(token::uses(self.uses_allowed)));
        let expiry = match self.expiry.until() {
            Until::Unchanged => None,
            Until::Never => Some(Value::Null),
            Until::At(at) => Some(json!(at)),
        };
        [("uses_allowed", uses), ("expiry_time", expiry)]
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect()
    }

    /// The way back to what was seen before.
    fn undo(&self, subject: &Subject, before: &Snapshot) -> Undo {
        let mut options = Vec::new();
        let was = |key: &str| before.preconditions.get(key).and_then(Value::as_i64);
        if self.uses_allowed.is_some() {
            let uses = match was("uses_allowed") {
                None | Some(0) => -1,
                Some(uses) if uses > 0 => uses,
                Some(_) => {
                    return Undo::None(
                        "it allowed fewer than no uses, which cannot be set; `regtok delete` lets nobody \
                         register with it"
                            .to_owned(),
                    );
                }
            };
            options.extend(["--uses-allowed".to_owned(), uses.to_string()]);
        }
        if self.expiry.until() != Until::Unchanged {
            let at = was("expiry_time").unwrap_or(-1);
            if at >= 0 && at <= before.noted_now().as_millisecond() {
                return Undo::None(
                    "it had expired, and a token cannot be set to expire in the past; `regtok delete` \
                     lets nobody register with it"
                        .to_owned(),
                );
            }
            options.extend(["--expiry-ts".to_owned(), at.to_string()]);
        }
        Undo::Command(spoken(&["regtok", "update"], &[&subject.typed()], options))
    }
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    END_TO_COME,
    Meaning::new(400, "M_INVALID_PARAM", "", "the homeserver accepts whole numbers from 0 on"),
    TOKEN_GONE,
    GONE_THERE,
    OTHERWISE_THERE,
];

#[async_trait]
impl Action for Update {
    fn class(&self, many: usize) -> Class {
        if many > 1 { Class::Disruptive } else { Class::Reversible }
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

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        let title = Line::new().plain("Change the registration token ").code(subject);
        Question { title, ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        token::exists(subject, seen)?;
        token::not_past(self.expiry.until(), seen)?;
        let fields = self.fields();
        let wanted: FactMap = fields.clone().into_iter().collect();
        if wanted.iter().all(|(key, value)| seen.preconditions.get(key) == Some(value)) {
            return Err(Skip::already(
                Line::new().code(subject).plain(" already is as you want it"),
            )
            .or(format!("regtok details {}", subject.typed())));
        }
        let step = if let Some(id) = token::id(seen) {
            there::change(id, &fields)
        } else {
            let path = token::path(&subject.segment());
            Step::new(Method::Put, path, Value::Object(fields)).idempotent()
        };
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        Outcome::done(Line::new().code(subject).plain(" is changed"), self.undo(subject, before))
            .facts(after.display.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::token::testing::{seen, unseen, welcome},
        *,
    };
    use crate::commands::user::testing;

    fn verb(typed: &[&str]) -> Update {
        testing::parse(typed).unwrap()
    }

    #[test]
    fn what_is_left_out_is_not_sent_and_minus_one_is_without_limit() {
        for (typed, body) in [
            (&["welcome", "-u", "5"][..], json!({"uses_allowed": 5})),
            (&["welcome", "-u", "-1"], json!({"uses_allowed": null})),
            (&["welcome", "-t", "-1"], json!({"expiry_time": null})),
            (&["welcome", "-e", "2100-01-01"], json!({"expiry_time": 4_102_444_800_000_i64})),
        ] {
            let verb = verb(typed);
            assert_eq!((verb.class(1), verb.power()), (Class::Reversible, Power::Account));
            assert_eq!(verb.class(2), Class::Disruptive);
            let change = verb.change(&welcome(), &seen(Some(9), Some(4_000_000_000_000))).unwrap();
            assert_eq!(change.steps[0].body, body, "{typed:?}");
            assert_eq!(json!(change.wanted), body);
            let path = change.steps[0].path.parts().last().cloned();
            assert_eq!(path.as_deref(), Some("welcome"));
        }
        for typed in
            [&["welcome"][..], &["-u", "1"], &["welcome", "-u", "-2"], &["welcome", "-u", "0"]]
        {
            assert!(testing::parse::<Update>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn what_is_so_or_cannot_be_is_said() {
        let skip = |typed: &[&str], seen: &Snapshot| {
            testing::skip(&verb(typed).change(&welcome(), seen).unwrap_err())
        };
        assert_eq!(
            skip(&["welcome", "-u", "-1"], &seen(None, None)),
            "Nothing changed · `welcome` already is as you want it\nTry !regtok details welcome"
        );
        assert_eq!(
            skip(&["welcome", "-u", "1"], &unseen()),
            "Not found · there is no token `welcome`\nTry !regtok list"
        );
        assert!(skip(&["welcome", "-e", "2020-01-01"], &seen(None, None)).contains("in the past"));
    }

    #[test]
    fn a_token_that_looks_like_an_option_is_named_by_the_undo_all_the_same() {
        let before = seen(Some(9), None);
        for odd in ["-u", "--plan", "--", "-"] {
            let subject = Subject::Token(odd.to_owned());
            let Undo::Command(words) = verb(&["welcome", "-u", "5"]).undo(&subject, &before) else {
                panic!("no undo for {odd}");
            };
            let typed: Vec<&str> = words.iter().skip(2).map(String::as_str).collect();
            let back: Update = testing::parse(&typed).unwrap();
            assert_eq!(
                (back.uses_allowed, back.undo(&subject, &before)),
                (Some(9), Undo::Command(words))
            );
        }
    }

    #[test]
    fn the_undo_says_what_was_so_before() {
        let undo = |typed: &[&str], before: &Snapshot| match verb(typed).undo(&welcome(), before) {
            Undo::Command(words) => words.join(" "),
            Undo::None(why) | Undo::Parts(_, why) => why,
        };
        assert_eq!(
            undo(&["welcome", "-u", "5", "-t", "-1"], &seen(Some(9), Some(4_000_000_000_000))),
            "regtok update welcome --uses-allowed 9 --expiry-ts 4000000000000"
        );
        assert_eq!(
            undo(&["welcome", "-u", "5"], &seen(None, None)),
            "regtok update welcome --uses-allowed -1"
        );
        assert!(undo(&["welcome", "-t", "-1"], &seen(None, Some(1_000))).contains("had expired"));
    }
}
