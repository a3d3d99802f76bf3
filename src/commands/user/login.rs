//! `user login`: an access token that acts as somebody else's account.

use async_trait::async_trait;
use clap::ArgGroup;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{account, kept};
use crate::commands::refusals::{ACCOUNT_GONE, BY_SERVICE, LOGIN_AS_SELF, Meaning, NOT_LOCAL};
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

pub(super) const SPEC: Spec = Spec::action::<Login>(
    "login",
    &[
        "user login @ann:example.org",
        "user login @ann:example.org --expire 2026-12-01T10:00Z",
        "user login @ann:example.org --expire-never",
    ],
)
.delegated(Delegated::There);

/// Make an access token that acts as an account, and send it only to you, in a direct room
///
/// Anybody with the token can act as that account: read its rooms and write in its name. Its owner does
/// not see it among their devices. It expires after a day unless you set another time.
#[derive(Debug, clap::Args)]
#[command(group(
    ArgGroup::new("expiry").args(["expire_days", "expire", "expire_ts", "expire_never"])
))]
struct Login {
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// Days until the token expires; 1 by default
    #[arg(short = 'd', long, value_name = "DAYS",
          value_parser = clap::value_parser!(u32).range(1..=36_500))]
    expire_days: Option<u32>,
    /// When it expires: 2026-12-01 or 2026-12-01T10:00Z, in UTC unless a zone is given
    #[arg(long, value_name = "DATE")]
    expire: Option<Moment>,
    /// When it expires, in milliseconds since 1970
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(i64).range(1..))]
    expire_ts: Option<i64>,
    /// It never expires
    #[arg(long)]
    expire_never: bool,
}

/// How long a token lasts where nothing is said.
const DAYS: u32 = 1;

impl Login {
    /// When a token that is made at `now` expires; `None` for never. An error where that moment
    /// cannot be, in words that follow the account's id.
    fn until(&self, now: Timestamp) -> Result<Option<Timestamp>, &'static str> {
        let until = if self.expire_never {
            return Ok(None);
        } else if let Some(Moment(at)) = self.expire {
            at
        } else if let Some(at) = self.expire_ts {
            Timestamp::from_millisecond(at).map_err(|_| ": that time is too far in the future")?
        } else {
            let days = i64::from(self.expire_days.unwrap_or(DAYS));
            now.checked_add(SignedDuration::from_hours(days * 24))
                .map_err(|_| ": that time is too far in the future")?
        };
        if until <= now {
            return Err(": that time is in the past, so the token would already be expired");
        }
        Ok(Some(until))
    }

    /// The same in words, for the question: a number of days counts from the yes.
    fn lasting(&self, now: Timestamp) -> Line {
        if self.expire_never {
            return Line::new().strong("never expires");
        }
        match (self.expire, self.expire_ts) {
            (None, None) => match self.expire_days.unwrap_or(DAYS) {
                1 => "expires after a day".into(),
                days => format!("expires after {days} days").into(),
            },
            _ => Line::new().plain("expires at ").time(self.until(now).ok().flatten(), now),
        }
    }
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    LOGIN_AS_SELF,
    NOT_LOCAL,
    ACCOUNT_GONE,
    Meaning::new(
        400,
        "M_INVALID_PARAM",
        "",
        "the homeserver does not accept this time; give one in the future",
    ),
    Meaning::new(
        410,
        BY_SERVICE,
        "",
        "the authentication service has it as deactivated, so nobody can act as it",
    ),
];

/// What such a token may do where the authentication service makes it: all that the account may, and
/// nothing of a server admin.
const SCOPE: &str = "urn:matrix:client:api:*";

/// Where the answer has the token: of the homeserver, and of the authentication service.
const HERE: &str = "/access_token";
const THERE: &str = "/data/attributes/access_token";

#[async_trait]
impl Action for Login {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Account
    }

    fn whispers(&self) -> bool {
        true
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subject(&self.user, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let (seen, caller) = tokio::join!(account::snapshot(subject, reader), reader.caller());
        let (mut seen, account) = seen?;
        if let Some(account) = account {
            kept::note(&mut seen, &account, reader).await?;
        }
        seen.preconditions.insert("own".to_owned(), json!(Some(&caller?) == subject.user()));
        seen.note_now(reader.now());
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        Question {
            title: Line::new()
                .plain("Make an access token that acts as ")
                .code(subject)
                .plain(" and ")
                .line(self.lasting(seen.noted_now())),
            goes: Vec::new(),
            stays: vec!["its password and its devices; its owner sees nothing of the token".into()],
        }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        let refuse = |why: &str| Skip::refused(Line::new().code(subject).plain(why));
        let untimely = |why: &str| Skip::not_understood(Line::new().code(subject).plain(why));
        if seen.is("own") {
            return Err(refuse(
                " is the account of the bot's own admin token, which gets no second token",
            ));
        }
        if seen.is("deactivated") {
            return Err(refuse(" is deactivated, so nobody can act as it"));
        }
        let (until, now) = (self.until(seen.noted_now()).map_err(untimely)?, seen.noted_now());
        let wanted = FactMap::from([("deactivated".to_owned(), json!(false))]);
        if let Some(id) = kept::id(seen) {
            return Ok(Change { steps: vec![personal(id, until, now)], wanted });
        }
        let body = match until {
            Some(until) => json!({ "valid_until_ms": until.as_millisecond() }),
            None => json!({}),
        };
        let path = Path::admin(["v1", "users", &subject.segment(), "login"]);
        let step = Step::new(Method::Post, path, body).revealing(HERE, "token");
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        answers: &[Answer],
        _after: &Snapshot,
    ) -> Outcome {
        let made = answers.iter().any(|answer| {
            let token = answer.body.pointer(HERE).or_else(|| answer.body.pointer(THERE));
            token.is_some_and(|token| !token.is_null())
        });
        let until = self.until(before.noted_now()).ok().flatten();
        let expires = match until {
            Some(_) => Line::new().time(until, before.noted_now()),
            None => Line::new().strong("never"),
        };
        let title = Line::new().code(subject).plain(if made {
            ": a token that acts as it was made"
        } else {
            ": the homeserver reported success, but sent no token"
        });
        Outcome {
            status: if made { Status::Done } else { Status::Unknown },
            title,
            facts: vec![("Expires", expires)],
            remains: Vec::new(),
            undo: Undo::None(
                "the token ends when it expires, when somebody logs out with it, or when the \
                account of the bot's admin token logs out everywhere"
                    .to_owned(),
            ),
        }
    }
}

/// The request for a personal session (`POST /api/admin/v1/personal-sessions`), without a device, which
/// lasts from `now` on.
fn personal(id: &str, until: Option<Timestamp>, now: Timestamp) -> Step {
    let mut body =
        json!({ "actor_user_id": id, "human_name": "synod: user login", "scope": SCOPE });
    if let Some(until) = until {
        body["expires_in"] = json!(until.as_second().saturating_sub(now.as_second()).max(1));
    }
    let path = Path::accounts(["personal-sessions"]);
    Step::new(Method::Post, path, body).revealing(THERE, "token")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{super::testing, *};
    use crate::commands::user::testing::{account, ann, now};

    fn seen(other: Value) -> Snapshot {
        let account = account(other);
        let mut seen = testing::snapshot_of(&account);
        seen.preconditions.insert("own".to_owned(), json!(false));
        seen.note_now(now());
        seen
    }

    fn verb(typed: &[&str]) -> Login {
        testing::parse(typed).unwrap()
    }

    #[test]
    fn a_token_expires_after_a_day_unless_something_else_is_said() {
        let at = |text: &str| json!({"valid_until_ms": text.parse::<Timestamp>().unwrap().as_millisecond()});
        for (typed, body) in [
            (&["ann"][..], at("2026-11-21T14:03:00Z")),
            (&["ann", "-d", "3"], at("2026-11-23T14:03:00Z")),
            (&["ann", "--expire-days", "1"], at("2026-11-21T14:03:00Z")),
            (&["ann", "--expire", "2026-12-01"], at("2026-12-01T00:00:00Z")),
            (&["ann", "--expire", "2026-12-01T10:00+01:00"], at("2026-12-01T09:00:00Z")),
            (
                &["ann", "--expire-ts", "1800000000000"],
                json!({"valid_until_ms": 1_800_000_000_000_i64}),
            ),
            (&["ann", "--expire-never"], json!({})),
        ] {
            let verb = verb(typed);
            let change = verb.change(&ann(), &seen(json!({}))).unwrap();
            assert_eq!(change.steps[0].body, body, "{typed:?}");
            assert_eq!(change, verb.change(&ann(), &seen(json!({}))).unwrap());
            assert_eq!(change.steps[0].reveals, [("/access_token".to_owned(), "token".to_owned())]);
            assert_eq!((verb.class(1), verb.power()), (Class::Disruptive, Power::Account));
            assert!(verb.whispers());
        }
    }

    #[test]
    fn nonsense_and_contradictions_are_not_understood() {
        for typed in [
            &["ann", "-d", "0"][..],
            &["ann", "-d", "-1"],
            &["ann", "--expire", "03/04"],
            &["ann", "--expire-ts", "0"],
            &["ann", "-d", "1", "--expire-never"],
            &["ann", "--expire", "2026-12-01", "--expire-ts", "1800000000000"],
        ] {
            assert!(testing::parse::<Login>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn a_dead_token_and_one_of_ones_own_are_refused() {
        let skip = |typed: &[&str], seen: &Snapshot| {
            testing::skip(&verb(typed).change(&ann(), seen).unwrap_err())
        };
        let active = seen(json!({}));
        insta::assert_snapshot!(skip(&["ann", "--expire", "2026-11-20"], &active), @"Not understood · `@ann:example.org`: that time is in the past, so the token would already be expired");
        insta::assert_snapshot!(skip(&["ann"], &seen(json!({"deactivated": true}))), @"Refused · `@ann:example.org` is deactivated, so nobody can act as it");
        let mut own = seen(json!({}));
        own.preconditions.insert("own".to_owned(), json!(true));
        insta::assert_snapshot!(skip(&["ann"], &own), @"Refused · `@ann:example.org` is the account of the bot's own admin token, which gets no second token");
    }

    #[test]
    fn the_words_say_what_a_token_is() {
        let asked =
            |typed: &[&str]| testing::question(&verb(typed).question(&ann(), &seen(json!({}))));
        insta::assert_snapshot!(asked(&["ann"]), @r"
        Make an access token that acts as `@ann:example.org` and expires after a day
        Stays:
        - its password and its devices; its owner sees nothing of the token
        ");
        insta::assert_snapshot!(asked(&["ann", "--expire-never"]), @r"
        Make an access token that acts as `@ann:example.org` and **never expires**
        Stays:
        - its password and its devices; its owner sees nothing of the token
        ");
        insta::assert_snapshot!(asked(&["ann", "--expire", "2026-12-01"]), @r"
        Make an access token that acts as `@ann:example.org` and expires at 2026-12-01 00:00 UTC (in 10 days)
        Stays:
        - its password and its devices; its owner sees nothing of the token
        ");
        let answer = |body| [Answer { status: 200, body }];
        let told = |answers: &[Answer]| {
            let seen = seen(json!({}));
            testing::outcome(&verb(&["ann"]).outcome(&ann(), &seen, answers, &seen))
        };
        insta::assert_snapshot!(told(&answer(json!({"access_token": {"$secret": "token"}}))), @r"
        Done · `@ann:example.org`: a token that acts as it was made
        Expires: 2026-11-21 14:03 UTC (in 1 day)
        No undo: the token ends when it expires, when somebody logs out with it, or when the account of the bot's admin token logs out everywhere
        ");
        insta::assert_snapshot!(told(&answer(json!({}))), @r"
        Unknown · `@ann:example.org`: the homeserver reported success, but sent no token
        Expires: 2026-11-21 14:03 UTC (in 1 day)
        No undo: the token ends when it expires, when somebody logs out with it, or when the account of the bot's admin token logs out everywhere
        ");
    }
}
