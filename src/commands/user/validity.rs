//! `user validity`: until when an account is good.

use async_trait::async_trait;
use clap::ArgGroup;
use jiff::Timestamp;
use serde_json::json;

use super::account;
use crate::commands::refusals::{ACCOUNT_GONE, Meaning};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{
        Action, Delegated, Spec,
        arguments::{Moment, UserRef},
    },
    error::Stop,
    reply::{Line, Status},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Validity>(
    "validity",
    &[
        "user validity @ann:example.org --expire-at 2030-01-01",
        "user validity @ann:example.org --expire-at 2030-01-01 --no-renewal-emails",
    ],
)
.delegated(Delegated::Nothing);

/// Set when accounts expire, on a homeserver with account validity
///
/// It only has an effect if account validity is enabled in the homeserver's config; the homeserver
/// shows neither whether it is, nor the earlier date.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("when").required(true).args(["expire_at", "expiry_ts"])))]
struct Validity {
    /// The accounts: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
    /// When it expires: 2026-12-01 or 2026-12-01T10:00Z, in UTC unless a zone is given
    #[arg(short = 'e', long, value_name = "DATE")]
    expire_at: Option<Moment>,
    /// When it expires, in milliseconds since 1970
    #[arg(short = 't', long, value_name = "MS",
          value_parser = clap::value_parser!(i64).range(30_000_000_000..))]
    expiry_ts: Option<i64>,
    /// Do not email its owner before it expires
    #[arg(short, long)]
    no_renewal_emails: bool,
}

impl Validity {
    fn until(&self) -> i64 {
        self.expire_at.map(|Moment(at)| at.as_millisecond()).or(self.expiry_ts).unwrap_or_default()
    }

    fn in_words(&self, seen: &Snapshot) -> Line {
        match Timestamp::from_millisecond(self.until()) {
            Ok(at) => Line::new().time(Some(at), seen.noted_now()),
            Err(_) => "too far in the future".into(),
        }
    }
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    ACCOUNT_GONE,
    Meaning::new(
        400,
        "M_MISSING_PARAM",
        "",
        "this version of the homeserver needs a time; give one with --until",
    ),
    Meaning::new(400, "M_INVALID_PARAM", "", "the homeserver does not accept this time"),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "",
        "the homeserver does not accept it; perhaps account validity is not enabled \
        (account_validity in its configuration)",
    )
    .failed(),
];

#[async_trait]
impl Action for Validity {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Account
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subjects(&self.users, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let (mut seen, _) = account::snapshot(subject, reader).await?;
        seen.note_now(reader.now());
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        Question {
            title: Line::new()
                .plain("Let ")
                .code(subject)
                .plain(" expire at ")
                .line(self.in_words(seen)),
            goes: vec!["the moment that was set before, which cannot be looked up".into()],
            stays: vec!["its rooms, messages and devices: once expired it only cannot act".into()],
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        let path = Path::admin(["v1", "account_validity", "validity"]);
        let body = json!({
            "user_id": subject.segment(),
            // Without one the homeserver fails where the feature is off.
            "expiration_ts": self.until(),
            "enable_renewal_emails": !self.no_renewal_emails,
        });
        let wanted = FactMap::from([("exists".to_owned(), json!(true))]);
        Ok(Change { steps: vec![Step::new(Method::Post, path, body).idempotent()], wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        _after: &Snapshot,
    ) -> Outcome {
        let said = answers.first().and_then(|answer| answer.body["expiration_ts"].as_i64());
        let so = said == Some(self.until());
        Outcome {
            status: if so { Status::Done } else { Status::Unknown },
            title: Line::new().code(subject).plain(if so {
                " has a new expiry date, if accounts expire on this homeserver"
            } else {
                ": the homeserver reported success, but with a different date"
            }),
            facts: vec![
                ("Expires", self.in_words(before)),
                ("Mail before", if self.no_renewal_emails { "no" } else { "yes" }.into()),
            ],
            remains: Vec::new(),
            undo: Undo::None(
                "the homeserver does not show the earlier date; set another date".to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::commands::user::testing::{account, ann, now};

    fn seen() -> Snapshot {
        let preconditions = account::facts_that_bind(true, Some(&account(json!({}))));
        let mut seen = Snapshot { preconditions, ..Snapshot::default() };
        seen.note_now(now());
        seen
    }

    #[test]
    fn a_moment_is_always_sent_in_milliseconds() {
        for (typed, mails) in [
            (&["ann", "-e", "2100-01-01"][..], true),
            (&["ann", "--expiry-ts", "4102444800000", "-n"], false),
        ] {
            let verb: Validity = testing::parse(typed).unwrap();
            assert_eq!((verb.class(1), verb.power()), (Class::Disruptive, Power::Account));
            assert_eq!(
                verb.change(&ann(), &seen()).unwrap().steps[0].body,
                json!({"user_id": "@ann:example.org", "expiration_ts": 4_102_444_800_000_i64,
                    "enable_renewal_emails": mails})
            );
        }
        for typed in [&["ann"][..], &["ann", "-t", "1795000000"], &["-e", "2100-01-01"]] {
            assert!(testing::parse::<Validity>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn it_is_done_where_the_homeserver_says_the_same_moment() {
        let verb: Validity = testing::parse(&["ann", "-e", "2100-01-01"]).unwrap();
        let told = |at: i64| {
            let answers = [Answer { status: 200, body: json!({ "expiration_ts": at }) }];
            testing::outcome(&verb.outcome(&ann(), &seen(), &answers, &seen()))
        };
        let done = told(4_102_444_800_000);
        assert!(done.starts_with("Done · `@ann:example.org` has a new expiry date"), "{done}");
        assert!(done.contains("Expires: 2100-01-01 00:00 UTC"), "{done}");
        assert!(told(1).starts_with("Unknown · "));
    }
}
