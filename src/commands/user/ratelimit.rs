//! `user ratelimit`: how fast the homeserver lets one account send.

use async_trait::async_trait;
use ruma::UserId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::account::{self, words};
use crate::commands::refusals::{ACCOUNT_GONE, Meaning, NOT_LOCAL};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{
        Action, Ask, Does, Memory, Query, Spec, Tables, arguments::UserRef, refusals::looks,
    },
    error::{
        Stop,
        api::{Error, Kind},
    },
    reply::{Fact, Hostile, Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::of::<RateLimit>(
    Does::Either,
    "ratelimit",
    &[
        "user ratelimit @ann:example.org",
        "user ratelimit set @ann:example.org --messages-per-second 5 --burst-count 20",
        "user ratelimit set @ann:example.org --messages-per-second 0 --burst-count 0",
        "user ratelimit clear @ann:example.org",
    ],
)
.ending();

/// Show how fast an account may send messages, or set or clear its own limit
///
/// Without its own limit, the limits of the homeserver's config apply. 0 messages a second mean no
/// limit at all, for everything that the homeserver normally limits.
#[derive(Debug, clap::Args)]
#[command(allow_missing_positional = true)]
struct RateLimit {
    /// What to do; show by default, or set if numbers are given
    #[arg(value_enum)]
    what: Option<What>,
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// Messages a second that it may send on average; 0 removes every limit
    #[arg(short, long, value_name = "NUMBER", requires = "burst_count")]
    messages_per_second: Option<u64>,
    /// Messages that it may send at once before it is slowed down
    #[arg(short, long, value_name = "NUMBER", requires = "messages_per_second")]
    burst_count: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Show its limit
    Show,
    /// Set its own limit
    Set,
    /// Clear it, so that the homeserver's config applies
    Clear,
}

impl From<RateLimit> for Ask {
    fn from(typed: RateLimit) -> Self {
        let RateLimit { what, user, messages_per_second, burst_count } = typed;
        let limit = messages_per_second
            .zip(burst_count)
            .map(|(messages_per_second, burst_count)| Limit { messages_per_second, burst_count });
        match (what, limit) {
            (None | Some(What::Show), None) => Self::Read(Box::new(Show { user })),
            (Some(What::Clear), None) => Self::Change(Box::new(Set { user, to: To::Nothing })),
            (None | Some(What::Set), Some(limit)) => {
                Self::Change(Box::new(Set { user, to: To::Limit(limit) }))
            }
            (Some(What::Set), None) => Self::Change(Box::new(Set { user, to: To::Missing })),
            (Some(What::Show | What::Clear), Some(_)) => {
                Self::Change(Box::new(Set { user, to: To::Unclear }))
            }
        }
    }
}

/// A limit of an account's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Limit {
    messages_per_second: u64,
    burst_count: u64,
}

impl Limit {
    fn json(self) -> Value {
        json!({
            "messages_per_second": self.messages_per_second,
            "burst_count": self.burst_count,
        })
    }
}

fn path(user: &str) -> Path {
    Path::admin(["v1", "users", user, "override_ratelimit"])
}

/// What the homeserver has set for an account that exists: an empty object where it has not.
async fn present(user: &UserId, reader: &Reader) -> Result<Value, Stop> {
    // Where nothing is set, the answer is empty.
    let answer: Value = reader.get_any(&path(user.as_str()), &[]).await?;
    if answer.is_object() {
        return Ok(answer);
    }
    Err(Error::because(Kind::Unreadable, "a limit is not an object").into())
}

/// Whether the account does not have its own limit.
fn is_none(present: &Value) -> bool {
    present.as_object().is_some_and(serde_json::Map::is_empty)
}

/// The limit in what the homeserver has set, if there is one.
fn limit(present: &Value) -> Option<Limit> {
    Limit::deserialize(present).ok()
}

fn in_words(present: &Value) -> Line {
    match limit(present) {
        None if is_none(present) => "none of its own: the homeserver's config applies".into(),
        None => Line::from("one of its own that cannot be true: ")
            .hostile(&Hostile::new(present.to_string())),
        Some(Limit { messages_per_second: 0, .. }) => Line::new().strong("no limit at all"),
        Some(Limit { messages_per_second, burst_count }) => {
            format!("{messages_per_second} a second, {burst_count} at once").into()
        }
    }
}

/// Shows the limit of an account.
#[derive(Debug)]
struct Show {
    user: UserRef,
}

#[async_trait]
impl Query for Show {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::ACCOUNT])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let user = reader.user_id(&self.user)?;
        account::existing(&user, reader).await?;
        let present = present(&user, reader).await?;
        Ok(told(&user, &present))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let user = reader.user_id(&self.user)?;
        account::existing(&user, reader).await?;
        Ok(sheet.object("ratelimit", &present(&user, reader).await?)?)
    }
}

fn told(user: &UserId, present: &Value) -> Reply {
    let reply = Reply::data(Line::new().code(user)).facts(vec![("Messages", in_words(present))]);
    if is_none(present) {
        return reply;
    }
    reply.command("Clear it", words(["user", "ratelimit", "clear", user.as_str()]))
}

/// What the limit of an account becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Limit(Limit),
    Nothing,
    /// It is to be set, and nobody said to what.
    Missing,
    /// Numbers came with a word that takes none.
    Unclear,
}

/// Sets or clears the limit of an account
/// (`POST` and `DELETE /_synapse/admin/v1/users/{user_id}/override_ratelimit`).
#[derive(Debug)]
struct Set {
    user: UserRef,
    to: To,
}

impl Set {
    /// What the homeserver should have set afterwards.
    fn wanted(&self) -> Value {
        match self.to {
            To::Limit(limit) => limit.json(),
            To::Nothing | To::Missing | To::Unclear => json!({}),
        }
    }
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    NOT_LOCAL,
    ACCOUNT_GONE,
    Meaning::new(400, "M_INVALID_PARAM", "", "the homeserver accepts whole numbers from 0 on"),
];

#[async_trait]
impl Action for Set {
    fn class(&self, many: usize) -> Class {
        if many > 1 { Class::Disruptive } else { Class::Reversible }
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        match self.to {
            To::Limit(_) | To::Nothing => account::subject(&self.user, reader),
            To::Missing => Err(Stop::not_understood(
                "to set a limit, add --messages-per-second and --burst-count",
            )),
            To::Unclear => Err(Stop::not_understood(
                "numbers are only for set; to show or clear a limit, leave them \
                                   out",
            )),
        }
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let user = account::id(subject)?;
        let (mut seen, account) = account::snapshot(subject, reader).await?;
        if account.is_some() {
            let present = present(user, reader).await?;
            seen.display.push(("Messages", in_words(&present)));
            seen.preconditions.insert("limit".to_owned(), present);
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        let title = Line::new()
            .plain("Set the limit of ")
            .code(subject)
            .plain(" for messages to: ")
            .line(in_words(&self.wanted()));
        Question { title, ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        let wanted = self.wanted();
        if seen.preconditions.get("limit") == Some(&wanted) {
            let what = match self.to {
                To::Limit(_) => "already has this limit",
                _ => "does not have its own limit",
            };
            return Err(account::already(subject, what));
        }
        let path = path(&subject.segment());
        let step = match self.to {
            To::Limit(limit) => Step::new(Method::Post, path, limit.json()),
            _ => Step::new(Method::Delete, path, Value::Null),
        };
        let wanted = FactMap::from([("limit".to_owned(), wanted)]);
        Ok(Change { steps: vec![step.idempotent()], wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let said = match self.to {
            To::Limit(_) => " now has its own limit",
            _ => " no longer has its own limit",
        };
        let fact = |label, seen: &Snapshot| -> Option<Fact> {
            seen.preconditions.get("limit").map(|limit| (label, in_words(limit)))
        };
        Outcome::done(Line::new().code(subject).plain(said), back(&subject.typed(), before))
            .facts(fact("Before", before).into_iter().chain(fact("Now", after)))
    }
}

/// The command that sets what was set before, where that can be set.
fn back(user: &str, before: &Snapshot) -> Undo {
    let present = before.preconditions.get("limit");
    let command = match present.and_then(limit) {
        None if present.is_none_or(is_none) => words(["user", "ratelimit", "clear", user]),
        None => return Undo::None("the earlier limit cannot be set again".to_owned()),
        Some(Limit { messages_per_second, burst_count }) => words([
            "user",
            "ratelimit",
            "set",
            user,
            "--messages-per-second",
            &messages_per_second.to_string(),
            "--burst-count",
            &burst_count.to_string(),
        ]),
    };
    Undo::Command(command)
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::commands::user::testing::ann;
    use crate::reply::Status;

    fn seen(limit: Value) -> Snapshot {
        let account = testing::account(json!({}));
        let mut seen = testing::snapshot_of(&account);
        seen.preconditions.insert("limit".to_owned(), limit);
        seen
    }

    fn ask(typed: &[&str]) -> Ask {
        testing::parse::<RateLimit>(typed).unwrap().into()
    }

    fn set(typed: &[&str]) -> Box<dyn Action> {
        match ask(typed) {
            Ask::Change(action) => action,
            Ask::Read(query) => panic!("{typed:?} looks: {query:?}"),
        }
    }

    #[test]
    fn numbers_set_and_none_show() {
        for typed in [&["ann"][..], &["show", "ann"]] {
            let Ask::Read(query) = ask(typed) else { panic!("{typed:?} changes something") };
            assert_eq!(query.power(), Power::Look);
        }
        for typed in [&["set", "ann", "-m", "5", "-b", "20"][..], &["ann", "-m", "5", "-b", "20"]] {
            let verb = set(typed);
            assert_eq!((verb.class(1), verb.power()), (Class::Reversible, Power::Moderate));
            let change = verb.change(&ann(), &seen(json!({}))).unwrap();
            assert_eq!(change.steps[0].method, Method::Post);
            assert_eq!(
                change.steps[0].body,
                json!({"messages_per_second": 5, "burst_count": 20}),
                "{typed:?}"
            );
        }
        // One number alone would make the other 0, which lifts every limit.
        for typed in [&["set", "ann", "-m", "5"][..], &["ann", "-b", "5"], &["ann", "-m", "-1"]] {
            assert!(testing::parse::<RateLimit>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn none_and_no_limit_at_all_are_not_the_same() {
        let lift = set(&["set", "ann", "-m", "0", "-b", "0"]);
        let lifted = json!({"messages_per_second": 0, "burst_count": 0});
        let change = lift.change(&ann(), &seen(json!({}))).unwrap();
        assert_eq!(change.wanted, FactMap::from([("limit".to_owned(), lifted.clone())]));
        assert_eq!(
            lift.change(&ann(), &seen(lifted.clone())).unwrap_err().status,
            Status::NothingChanged
        );
        let clear = set(&["clear", "ann"]);
        let change = clear.change(&ann(), &seen(lifted)).unwrap();
        assert_eq!((change.steps[0].method, &change.steps[0].body), (Method::Delete, &Value::Null));
        assert_eq!(change.wanted, FactMap::from([("limit".to_owned(), json!({}))]));
        let skip = clear.change(&ann(), &seen(json!({}))).unwrap_err();
        assert!(testing::skip(&skip).contains("does not have its own limit"), "{skip:?}");
    }

    #[test]
    fn the_undo_sets_exactly_what_was_before() {
        let (none, five) = (json!({}), json!({"messages_per_second": 5, "burst_count": 20}));
        let undo = |typed: &[&str], before: &Value, after: &Value| {
            let (before, after) = (seen(before.clone()), seen(after.clone()));
            testing::outcome(&set(typed).outcome(&ann(), &before, &[], &after))
        };
        assert_eq!(
            undo(&["clear", "ann"], &five, &none),
            "Done · `@ann:example.org` no longer has its own limit\n\
             Before: 5 a second, 20 at once\n\
             Now: none of its own: the homeserver's config applies\n\
             Undo: !user ratelimit set @ann:example.org --messages-per-second 5 --burst-count 20"
        );
        let text = undo(&["ann", "-m", "5", "-b", "20"], &none, &five);
        assert!(text.ends_with("Undo: !user ratelimit clear @ann:example.org"), "{text}");
        let lifted = json!({"messages_per_second": 0, "burst_count": 0});
        let text = undo(&["ann", "-m", "5", "-b", "20"], &lifted, &five);
        assert!(text.contains("--messages-per-second 0 --burst-count 0"), "{text}");
        assert!(text.contains("Before: **no limit at all**"), "{text}");
    }

    #[test]
    fn showing_tells_the_three_states_apart() {
        let user = <&UserId>::try_from("@ann:example.org").unwrap();
        let text = |present: Value| testing::reply(&told(user, &present));
        assert!(text(json!({})).contains("none of its own"));
        let lifted = json!({"messages_per_second": 0, "burst_count": 0});
        assert!(text(lifted).contains("**no limit at all**"));
        for odd in [
            json!({"messages_per_second": -1, "burst_count": -1}),
            json!({"messages_per_second": 5}),
            json!({"messages_per_second": "5", "burst_count": null}),
        ] {
            let told = text(odd.clone());
            assert!(told.contains("cannot be true") && told.contains("ratelimit clear"), "{told}");
            let clear = set(&["clear", "ann"]);
            assert!(clear.change(&ann(), &seen(odd.clone())).is_ok());
            let told = testing::outcome(&clear.outcome(&ann(), &seen(odd), &[], &seen(json!({}))));
            assert!(told.contains("No undo: the earlier limit cannot be set"), "{told}");
        }
        let five = text(json!({"messages_per_second": 5, "burst_count": 20}));
        assert!(five.contains("5 a second, 20 at once"), "{five}");
        assert!(five.contains("!user ratelimit clear @ann:example.org"), "{five}");
    }
}
