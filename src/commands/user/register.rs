//! `user register`: a new account, whose password is told to nobody but the asker.

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::{
    account::{self, words},
    available::{self, Taken},
    password::{GivenSecret, SLOT},
};
use crate::commands::refusals::{self, Meaning};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{Action, Delegated, Spec, arguments::UserRef},
    error::Stop,
    reply::{Fact, Hostile, Line},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Register>(
    "register",
    &[
        "user register @new:example.org",
        "user register @new:example.org --display-name \"Somebody New\"",
        "user register @new:example.org --admin",
    ],
)
.delegated(Delegated::Nothing);

/// Create a new account with a password, which I make and send only to you, in a direct room
///
/// The name must be free; an existing account is never changed. The account has no device until
/// somebody logs in.
#[derive(Debug, clap::Args)]
struct Register {
    /// The account: @new:example.org, or new
    user: UserRef,
    /// Its display name; by default the user name
    #[arg(short = 'n', long, value_name = "NAME")]
    display_name: Option<String>,
    /// Make it a server admin
    #[arg(short, long)]
    admin: bool,
    /// Its type: bot, support, or a type defined by the server
    #[arg(long, value_name = "TYPE")]
    user_type: Option<String>,
    #[command(flatten)]
    given: GivenSecret,
}

#[async_trait]
impl Action for Register {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Account
    }

    fn amounts_to(&self) -> Vec<&'static str> {
        if self.admin { vec!["user admin"] } else { Vec::new() }
    }

    fn makes(&self) -> &'static [&'static str] {
        self.given.makes()
    }

    fn typed(&self) -> Vec<(&'static str, SecretString)> {
        self.given.typed()
    }

    fn whispers(&self) -> bool {
        !self.given.is_typed()
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(refusals::ACCOUNT)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subject(&self.user, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let user = account::id(subject)?;
        let (mut seen, account) = account::snapshot(subject, reader).await?;
        if account.is_none() && seen.is("local") {
            let taken = available::taken(user, reader).await?;
            seen.preconditions.insert("free".to_owned(), json!(taken.is_none()));
            seen.extra.insert("why".to_owned(), json!(taken.map(Taken::as_str)));
            seen.display = self.asked(user.as_str());
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        let title = Line::new().plain("Make the account ").code(subject);
        let title = if self.admin { title.plain(", a ").strong("server admin") } else { title };
        Question { title, ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        let refuse = |why: &str| Skip::refused(Line::new().code(subject).plain(why));
        if !seen.is("local") {
            return Err(refuse(" would be an account of another server"));
        }
        if seen.is("exists") {
            return Err(refuse(" already exists").or(format!("user details {}", subject.typed())));
        }
        if !seen.is("free") {
            let why = seen.extra.get("why").and_then(Value::as_str);
            return Err(refuse(why.unwrap_or(Taken::InUse.as_str())));
        }
        let mut body = Map::from_iter([
            ("password".to_owned(), json!({ "$secret": SLOT })),
            ("admin".to_owned(), json!(self.admin)),
        ]);
        let fields = [("displayname", &self.display_name), ("user_type", &self.user_type)];
        body.extend(
            fields.into_iter().filter_map(|(key, value)| {
                value.as_ref().map(|value| (key.to_owned(), json!(value)))
            }),
        );
        let path = Path::admin(["v2", "users", &subject.segment()]);
        let step = Step::new(Method::Put, path, Value::Object(body));
        let wanted = FactMap::from([
            ("exists".to_owned(), json!(true)),
            ("admin".to_owned(), json!(self.admin)),
        ]);
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(&self, subject: &Subject, _: &Snapshot, _: &[Answer], after: &Snapshot) -> Outcome {
        Outcome::done(
            Line::new().code(subject).plain(" is created"),
            Undo::None(format!(
                "an account cannot be removed completely; {} deactivates it",
                words(["user", "deactivate", &subject.typed()]).join(" ")
            )),
        )
        .facts(after.shown_as(&["Name", "Server admin", "Type"]))
    }
}

impl Register {
    /// What was asked for, for the question.
    fn asked(&self, user: &str) -> Vec<Fact> {
        let theirs = |text: &String| Line::new().hostile(&Hostile::new(text));
        let mut facts = vec![("Id", Line::new().code(user))];
        facts.extend(self.display_name.as_ref().map(|name| ("Name", theirs(name))));
        facts.extend(self.user_type.as_ref().map(|kind| ("Type", theirs(kind))));
        facts.push((
            "Password",
            if self.given.is_typed() { "as typed" } else { "I make it, and tell you alone" }.into(),
        ));
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::commands::user::testing::{account, ann};

    fn free(free: bool) -> Snapshot {
        let mut seen =
            Snapshot { preconditions: account::facts_that_bind(true, None), ..Snapshot::default() };
        seen.preconditions.insert("free".to_owned(), json!(free));
        seen.extra.insert("why".to_owned(), json!(Taken::Exclusive.as_str()));
        seen
    }

    fn verb(typed: &[&str]) -> Register {
        testing::parse(typed).unwrap()
    }

    #[test]
    fn a_password_is_made_or_typed_and_never_stands_in_the_request() {
        let made = verb(&["new"]);
        assert_eq!((made.makes(), made.whispers()), (&[SLOT][..], true));
        let typed = verb(&["new", "-p", "s3cret"]);
        assert_eq!((typed.makes().len(), typed.whispers(), typed.typed().len()), (0, false, 1));
        for verb in [made, typed] {
            assert_eq!((verb.class(1), verb.power()), (Class::Disruptive, Power::Account));
            let change = verb.change(&ann(), &free(true)).unwrap();
            assert_eq!(
                change.steps[0].body,
                json!({"password": {"$secret": "password"}, "admin": false})
            );
            assert!(!change.steps[0].idempotent);
            assert_eq!(change.wanted["exists"], json!(true));
        }
    }

    #[test]
    fn what_is_typed_is_sent_and_an_admin_counts_as_one() {
        let verb = verb(&["new", "-n", "New", "--user-type", "bot", "--admin"]);
        assert_eq!(verb.amounts_to(), ["user admin"]);
        let change = verb.change(&ann(), &free(true)).unwrap();
        assert_eq!(
            change.steps[0].body,
            json!({"password": {"$secret": "password"}, "admin": true, "displayname": "New",
                "user_type": "bot"})
        );
        let asked = testing::question(&verb.question(&ann(), &free(true)));
        assert!(asked.contains("**server admin**"), "{asked}");
    }

    #[test]
    fn nobody_who_exists_is_touched() {
        let skip =
            |seen: &Snapshot| testing::skip(&verb(&["ann"]).change(&ann(), seen).unwrap_err());
        let there = account::facts_that_bind(true, Some(&account(json!({}))));
        let there = skip(&Snapshot { preconditions: there, ..Snapshot::default() });
        assert!(there.contains("already exists"), "{there}");
        assert!(skip(&free(false)).contains("reserved for the accounts of a bridge"));
        let remote = account::facts_that_bind(false, None);
        assert!(
            skip(&Snapshot { preconditions: remote, ..Snapshot::default() })
                .contains("another server")
        );
    }
}
