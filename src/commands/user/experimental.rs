//! `user experimental`: features that are tried out on single accounts.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use ruma::UserId;
use serde::Deserialize;
use serde_json::{Map, json};

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
    error::Stop,
    reply::{Fact, Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::of::<Experimental>(
    Does::Either,
    "experimental",
    &[
        "user experimental @ann:example.org",
        "user experimental @ann:example.org --enable msc3881",
        "user experimental @ann:example.org --disable msc3881",
    ],
)
.since(1, 83);

/// Show which experimental features accounts have, or switch them on or off
#[derive(Debug, clap::Args)]
struct Experimental {
    /// The accounts: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
    /// Switch this feature on; can be repeated
    #[arg(short, long, value_enum, value_name = "FEATURE")]
    enable: Vec<Feature>,
    /// Switch this feature off; can be repeated
    #[arg(short, long, value_enum, value_name = "FEATURE")]
    disable: Vec<Feature>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
enum Feature {
    /// Switching pushers on and off remotely
    Msc3881,
    /// Sliding sync, the first proposal
    Msc3575,
    /// State after the timeline in sync
    Msc4222,
}

impl Feature {
    fn as_str(self) -> &'static str {
        match self {
            Self::Msc3881 => "msc3881",
            Self::Msc3575 => "msc3575",
            Self::Msc4222 => "msc4222",
        }
    }
}

impl From<Experimental> for Ask {
    fn from(Experimental { users, enable, disable }: Experimental) -> Self {
        if enable.is_empty() && disable.is_empty() {
            return Self::Read(Box::new(Show { users }));
        }
        let enable: BTreeSet<Feature> = enable.into_iter().collect();
        let both = disable.iter().any(|feature| enable.contains(feature));
        let off = disable.into_iter().map(|feature| (feature, false));
        let to = enable.into_iter().map(|feature| (feature, true)).chain(off).collect();
        Self::Change(Box::new(SetFeatures { users, to, both }))
    }
}

type Features = BTreeMap<String, bool>;

fn path(user: &str) -> Path {
    Path::admin(["v1", "experimental_features", user])
}

/// What is switched for an account that exists; the homeserver answers for others too.
async fn present(user: &UserId, reader: &Reader) -> Result<Features, Stop> {
    #[derive(Deserialize)]
    struct FeatureList {
        features: Features,
    }
    Ok(reader.get::<FeatureList>(&path(user.as_str()), &[]).await?.features)
}

fn facts(features: &Features) -> Vec<Fact> {
    let listed = |on: bool| {
        let names: Vec<&str> =
            features.iter().filter(|(_, is)| **is == on).map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    vec![("On", listed(true).into()), ("Off", listed(false).into())]
}

/// Shows what is switched on.
#[derive(Debug)]
struct Show {
    users: Vec<UserRef>,
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
        let mut reply: Option<Reply> = None;
        for user in &self.users {
            let user = reader.user_id(user)?;
            account::existing(&user, reader).await?;
            let line = Line::new().code(&user).plain(": experimental features");
            let with = match reply {
                None => Reply::data(line),
                Some(reply) => reply.text(line),
            };
            reply = Some(with.facts(facts(&present(&user, reader).await?)));
        }
        Ok(reply.unwrap_or_default())
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        sheet.begin("experimental_features", &["user_id", "features"])?;
        for user in &self.users {
            let user = reader.user_id(user)?;
            account::existing(&user, reader).await?;
            let features = present(&user, reader).await?;
            sheet.row(&json!({ "user_id": user, "features": features }))?;
        }
        Ok(sheet.end(&Map::new())?)
    }
}

/// Switches features (`PUT /_synapse/admin/v1/experimental_features/{user_id}`).
#[derive(Debug)]
struct SetFeatures {
    users: Vec<UserRef>,
    to: Vec<(Feature, bool)>,
    /// One of them was typed both ways.
    both: bool,
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    NOT_LOCAL,
    ACCOUNT_GONE,
    Meaning::new(
        400,
        "M_UNKNOWN",
        "not recognised",
        "this version of the homeserver does not know this feature, or cannot set it for single \
         accounts",
    )
    .failed(),
];

#[async_trait]
impl Action for SetFeatures {
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
        if self.both {
            return Err(Stop::not_understood(
                "the same feature is after --enable and --disable; name it only once",
            ));
        }
        account::subjects(&self.users, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let user = account::id(subject)?;
        let (mut seen, account) = account::snapshot(subject, reader).await?;
        // The homeserver fails over an account that does not exist.
        if account.is_some() {
            let features = present(user, reader).await?;
            seen.display.extend(facts(&features));
            seen.preconditions.extend(features.into_iter().map(|(name, on)| (name, json!(on))));
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        let listed = |on: bool| {
            let of = self.to.iter().filter(|(_, is)| *is == on);
            of.map(|(feature, _)| feature.as_str()).collect::<Vec<_>>().join(", ")
        };
        let mut title = Line::new().plain("Experimental features of ").code(subject).plain(":");
        for (word, names) in [(" on ", listed(true)), (" off ", listed(false))] {
            if !names.is_empty() {
                title = title.plain(word).strong(names);
            }
        }
        Question { title, ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        let wanted: FactMap =
            self.to.iter().map(|(f, on)| (f.as_str().to_owned(), json!(on))).collect();
        if wanted.iter().all(|(key, value)| json!(seen.is(key)) == *value) {
            return Err(account::already(subject, "already has its features set like that"));
        }
        let body = json!({ "features": wanted });
        let step = Step::new(Method::Put, path(&subject.segment()), body).idempotent();
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let of = |seen: &Snapshot| -> Vec<Fact> {
            seen.display
                .iter()
                .filter(|(label, _)| matches!(*label, "On" | "Off"))
                .cloned()
                .collect()
        };
        let mut back = words(["user", "experimental", &subject.typed()]);
        for (feature, on) in &self.to {
            let was = before.is(feature.as_str());
            if was != *on {
                let option = if was { "--enable" } else { "--disable" };
                back.extend([option, feature.as_str()].map(str::to_owned));
            }
        }
        Outcome::done(
            Line::new().code(subject).plain(": experimental features changed"),
            Undo::Command(back),
        )
        .facts(of(after))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{super::testing, *};
    use crate::commands::user::testing::{account, ann};

    fn verb(typed: &[&str]) -> Box<dyn Action> {
        match testing::parse::<Experimental>(typed).unwrap().into() {
            Ask::Change(action) => action,
            Ask::Read(query) => panic!("it only looks: {query:?}"),
        }
    }

    fn seen(on: Value) -> Snapshot {
        let account = account(json!({}));
        let on: Features = serde_json::from_value(on).unwrap();
        let mut seen = testing::snapshot_of(&account);
        seen.display.extend(facts(&on));
        seen.preconditions.extend(on.into_iter().map(|(name, on)| (name, json!(on))));
        seen
    }

    #[test]
    fn it_looks_where_nothing_is_to_be_switched() {
        let ask: Ask = testing::parse::<Experimental>(&["ann", "bob"]).unwrap().into();
        assert!(matches!(ask, Ask::Read(_)));
        for typed in [&["ann", "-e", "msc3026"][..], &["-e", "msc3881"]] {
            assert!(testing::parse::<Experimental>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn what_is_named_is_switched_and_nothing_else() {
        let verb = verb(&["ann", "-e", "msc3881", "-d", "msc4222"]);
        assert_eq!((verb.class(1), verb.power()), (Class::Reversible, Power::Moderate));
        assert_eq!(verb.class(2), Class::Disruptive);
        let before = seen(json!({"msc3881": false, "msc3575": true, "msc4222": true}));
        let change = verb.change(&ann(), &before).unwrap();
        assert_eq!(change.steps[0].body, json!({"features": {"msc3881": true, "msc4222": false}}));
        let after = seen(json!({"msc3881": true, "msc3575": true, "msc4222": false}));
        assert_eq!(
            testing::outcome(&verb.outcome(&ann(), &before, &[], &after)),
            "Done · `@ann:example.org`: experimental features changed\n\
             On: msc3575, msc3881\nOff: msc4222\n\
             Undo: !user experimental @ann:example.org --disable msc3881 --enable msc4222"
        );
        assert!(verb.change(&ann(), &after).is_err(), "it is so already");
        let preconditions = account::facts_that_bind(true, None);
        assert!(verb.change(&ann(), &Snapshot { preconditions, ..Snapshot::default() }).is_err());
    }

    #[tokio::test]
    async fn on_and_off_at_once_is_refused() {
        let verb = verb(&["ann", "-e", "msc3881", "-d", "msc3881"]);
        assert!(verb.subjects(&testing::nowhere()).await.is_err());
    }
}
