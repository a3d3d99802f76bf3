//! `user register`: a new account, whose password is told to nobody but the asker.

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::{
    account::{self, words},
    available::{self, Taken},
    kept,
    password::{GivenSecret, SLOT},
};
use std::sync::LazyLock;

use crate::commands::refusals::{self, BY_SERVICE, Meaning};
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
.delegated(Delegated::There);

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

/// Under this it is noted that the authentication service keeps accounts.
const THERE: &str = "accounts-there";

/// The slot that holds by what the service names the account that it has made.
const ID: &str = "made account";

/// What it means where the homeserver, or the authentication service, refuses it.
static REFUSALS: LazyLock<Vec<Meaning>> = LazyLock::new(|| {
    let there = [
        Meaning::new(
            409,
            BY_SERVICE,
            "",
            "the authentication service has this name already, or keeps it free; choose another",
        ),
        Meaning::new(
            400,
            BY_SERVICE,
            "assword",
            "the authentication service finds the password too weak; use a longer one",
        ),
        Meaning::new(
            400,
            BY_SERVICE,
            "",
            "the authentication service does not accept this name; use a-z, 0-9 and . _ = - /",
        )
        .not_understood(),
        Meaning::new(
            403,
            BY_SERVICE,
            "",
            "the authentication service has no passwords (passwords.enabled in its configuration), so \
             people must sign in another way",
        ),
    ];
    refusals::ACCOUNT.iter().copied().chain(there).collect()
});

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
        Some(&REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subject(&self.user, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let user = account::id(subject)?;
        let (mut seen, account) = account::snapshot(subject, reader).await?;
        if let Some(account) = &account {
            kept::note(&mut seen, account, reader).await?;
        }
        seen.extra.insert(THERE.to_owned(), json!(reader.has_service().await?));
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
        if seen.fact(THERE) == Some(&json!(true)) {
            return Ok(self.change_there(subject));
        }
        let mut body = Map::from_iter([
            ("password".to_owned(), json!({ "$secret": SLOT })),
            ("admin".to_owned(), json!(self.admin)),
        ]);
        body.extend(self.fields());
        let path = Path::admin(["v2", "users", &subject.segment()]);
        let step = Step::new(Method::Put, path, Value::Object(body));
        Ok(Change { steps: vec![step], wanted: self.wanted() })
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
    fn wanted(&self) -> FactMap {
        let admin = ("admin".to_owned(), json!(self.admin));
        FactMap::from([("exists".to_owned(), json!(true)), admin])
    }

    /// What the homeserver keeps of it, whoever keeps the account.
    fn fields(&self) -> Map<String, Value> {
        let fields = [("displayname", &self.display_name), ("user_type", &self.user_type)];
        let named = fields
            .into_iter()
            .filter_map(|(key, value)| value.as_ref().map(|value| (key.to_owned(), json!(value))));
        named.collect()
    }

    /// Where the authentication service keeps accounts: it makes it (`POST /api/admin/v1/users`), which makes
    /// it at the homeserver too, gives it its password and its rights; the rest is the homeserver's.
    fn change_there(&self, subject: &Subject) -> Change {
        let name = subject.user().map_or("", |user| user.localpart());
        let make = Step::new(Method::Post, Path::accounts(["users"]), json!({ "username": name }));
        let mut steps = vec![make.revealing("/data/id", ID)];
        let (id, password) = (Path::made(ID), json!({ "password": { "$secret": SLOT } }));
        let path = Path::accounts(["users", &id, "set-password"]);
        steps.push(Step::new(Method::Post, path, password));
        if self.admin {
            let path = Path::accounts(["users", &id, "set-admin"]);
            steps.push(Step::new(Method::Post, path, json!({ "admin": true })).idempotent());
        }
        let fields = self.fields();
        if !fields.is_empty() {
            let path = Path::admin(["v2", "users", &subject.segment()]);
            steps.push(Step::new(Method::Put, path, Value::Object(fields)).idempotent());
        }
        Change { steps, wanted: self.wanted() }
    }

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
