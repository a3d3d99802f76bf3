//! `user admin`: who is a server admin, and making one.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    account::{self, words},
    kept,
};
use crate::commands::refusals::{ACCOUNT_GONE, Meaning, NO_ROW, NOT_ITSELF, NOT_LOCAL};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{
        Action, Ask, Delegated, Does, Memory, Query, Spec, Tables, arguments::UserRef,
        refusals::looks,
    },
    error::Stop,
    reply::{Line, Reply, Sheet},
    synapse::{Account, Keeper, Reader},
};

pub(super) const SPEC: Spec = Spec::of::<Admin>(
    Does::Either,
    "admin",
    &[
        "user admin @ann:example.org",
        "user admin show @ann:example.org",
        "user admin grant @ann:example.org",
        "user admin revoke @ann:example.org",
    ],
)
.delegated(Delegated::There);

/// Show whether an account is a server admin, make it one, or make it an ordinary account again
///
/// A server admin can do everything on this homeserver. The account of my admin token always stays one.
#[derive(Debug, clap::Args)]
#[command(allow_missing_positional = true)]
struct Admin {
    /// What to do; show by default
    #[arg(value_enum, default_value = "show", hide_default_value = true)]
    what: What,
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Show whether it is one
    Show,
    /// Make it one
    Grant,
    /// Make it an ordinary account
    Revoke,
}

impl From<Admin> for Ask {
    fn from(typed: Admin) -> Self {
        let Admin { what, user } = typed;
        match what {
            What::Show => Self::Read(Box::new(Show { user })),
            What::Grant => Self::Change(Box::new(Make { user, admin: true })),
            What::Revoke => Self::Change(Box::new(Make { user, admin: false })),
        }
    }
}

/// Whether an account is a server admin.
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
        let mut account = account::existing(&user, reader).await?;
        let mut facts = Vec::new();
        if let Keeper::Service(kept) = reader.keeper(&user).await? {
            facts.extend(kept::difference(&account, &kept));
            (account.admin, account.deactivated) = (kept.admin, kept.deactivated);
        }
        Ok(told(&account).facts(facts))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let user = reader.user_id(&self.user)?;
        account::existing(&user, reader).await?;
        if let Keeper::Service(kept) = reader.keeper(&user).await? {
            return Ok(sheet.object("admin", &json!({ "admin": kept.admin }))?);
        }
        let path = Path::admin(["v1", "users", user.as_str(), "admin"]);
        let answered: Value = reader.get(&path, &[]).await?;
        Ok(sheet.object("admin", &answered)?)
    }
}

fn told(account: &Account) -> Reply {
    let id = Line::new().code(&account.user_id);
    let title = match (account.admin, account.deactivated) {
        (true, false) => id.plain(" is a ").strong("server admin"),
        (true, true) => id.plain(" is deactivated, and still flagged as a ").strong("server admin"),
        (false, _) => id.plain(" is not a server admin"),
    };
    let other = if account.admin { ("Take it back", "revoke") } else { ("Make it one", "grant") };
    let (what_for, what) = other;
    Reply::data(title)
        .facts(vec![("Name", account::name(account))])
        .command(what_for, words(["user", "admin", what, account.user_id.as_str()]))
}

/// Makes an account a server admin or an ordinary one
/// (`PUT /_synapse/admin/v1/users/{user_id}/admin`, or `POST /api/admin/v1/users/{id}/set-admin` of the
/// authentication service).
#[derive(Debug)]
struct Make {
    user: UserRef,
    admin: bool,
}

/// From when on it holds where the authentication service keeps the account.
const IN_FORCE: &str = "for apps that ask for it when they log in next; sessions that there are keep \
    the rights that they have";

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[NOT_ITSELF, NOT_LOCAL, ACCOUNT_GONE, NO_ROW];

#[async_trait]
impl Action for Make {
    fn class(&self, many: usize) -> Class {
        // What a server admin does meanwhile is not put back with the flag.
        if self.admin || many > 1 { Class::Disruptive } else { Class::Reversible }
    }

    fn power(&self) -> Power {
        Power::Account
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subject(&self.user, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let (mut seen, account) = account::snapshot(subject, reader).await?;
        if let Some(account) = account {
            kept::note(&mut seen, &account, reader).await?;
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, _seen: &Snapshot) -> Question {
        let title = if self.admin {
            Line::new().plain("Make ").code(subject).plain(" a ").strong("server admin")
        } else {
            Line::new().plain("Make ").code(subject).plain(" an ordinary account")
        };
        Question { title, ..Question::default() }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        match (self.admin, seen.is("admin")) {
            (true, true) => return Err(account::already(subject, "is already a server admin")),
            (false, false) => return Err(account::already(subject, "is not a server admin")),
            (true, false) if seen.is("deactivated") => {
                let why = "is deactivated, so it cannot use server admin rights";
                return Err(account::already(subject, why));
            }
            _ => {}
        }
        let body = json!({ "admin": self.admin });
        let step = if let Some(id) = kept::id(seen) {
            Step::new(Method::Post, Path::accounts(["users", id, "set-admin"]), body)
        } else {
            let path = Path::admin(["v1", "users", &subject.segment(), "admin"]);
            Step::new(Method::Put, path, body)
        };
        let step = step.idempotent();
        let wanted = FactMap::from([("admin".to_owned(), json!(self.admin))]);
        Ok(Change { steps: vec![step], wanted })
    }

    fn outcome(&self, subject: &Subject, _: &Snapshot, _: &[Answer], after: &Snapshot) -> Outcome {
        let id = &subject.typed();
        let (said, means, back) = if self.admin {
            (" is a server admin", "do everything with this homeserver", "revoke")
        } else {
            (" is an ordinary account now", "do what every account may", "grant")
        };
        Outcome::done(
            Line::new().code(id).plain(said),
            Undo::Command(words(["user", "admin", back, id])),
        )
        .facts(after.shown_as(&["Name"]).chain([("It may", means.into())]))
        .facts(kept::id(after).map(|_| ("In force", IN_FORCE.into())))
        .facts(kept::told(after))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{super::testing, *};
    use crate::commands::user::testing::ann;
    use crate::reply::Status;

    fn seen(account: Value) -> Snapshot {
        let account = testing::account(account);
        testing::snapshot_of(&account)
    }

    fn make(typed: &[&str]) -> Box<dyn Action> {
        match testing::parse::<Admin>(typed).unwrap().into() {
            Ask::Change(action) => action,
            Ask::Read(query) => panic!("it looks: {query:?}"),
        }
    }

    #[test]
    fn only_grant_and_revoke_change_something_and_both_take_the_highest_role() {
        for typed in [&["ann"][..], &["show", "ann"], &["show", "show"], &["grant"]] {
            let ask = testing::parse::<Admin>(typed).unwrap().into();
            let Ask::Read(query) = ask else { panic!("{typed:?} changes something") };
            assert_eq!(query.power(), Power::Look);
        }
        for (typed, class) in [("grant", Class::Disruptive), ("revoke", Class::Reversible)] {
            let verb = make(&[typed, "ann"]);
            assert_eq!((verb.class(1), verb.power()), (class, Power::Account));
            assert_eq!(verb.class(2), Class::Disruptive);
        }
        assert!(testing::parse::<Admin>(&["promote", "ann"]).is_err());
        assert!(testing::parse::<Admin>(&[]).is_err());
    }

    #[test]
    fn a_boolean_is_sent_and_nothing_where_it_is_so_already() {
        for (typed, admin) in [("grant", true), ("revoke", false)] {
            let verb = make(&[typed, "ann"]);
            let change = verb.change(&ann(), &seen(json!({ "admin": !admin }))).unwrap();
            assert_eq!(change.steps[0].body, json!({ "admin": admin }));
            assert_eq!(
                change.steps[0].path.parts(),
                ["_synapse", "admin", "v1", "users", "@ann:example.org", "admin"]
            );
            assert_eq!(change.wanted, FactMap::from([("admin".to_owned(), json!(admin))]));
            let skip = verb.change(&ann(), &seen(json!({ "admin": admin }))).unwrap_err();
            assert_eq!(skip.status, Status::NothingChanged);
        }
        let gone = json!({ "admin": false, "deactivated": true });
        assert!(make(&["grant", "ann"]).change(&ann(), &seen(gone)).is_err());
        let flagged = json!({ "admin": true, "deactivated": true });
        assert!(make(&["revoke", "ann"]).change(&ann(), &seen(flagged)).is_ok());
        let unknown =
            Snapshot { preconditions: account::facts_that_bind(true, None), ..Snapshot::default() };
        let skip = make(&["grant", "ann"]).change(&ann(), &unknown).unwrap_err();
        assert!(testing::skip(&skip).contains("no such user"), "{skip:?}");
    }

    #[test]
    fn each_way_names_the_other() {
        let (ordinary, admin) = (seen(json!({})), seen(json!({ "admin": 1 })));
        let verb = make(&["grant", "ann"]);
        let question = testing::question(&verb.question(&ann(), &ordinary));
        assert_eq!(question, "Make `@ann:example.org` a **server admin**\n");
        let told = testing::outcome(&verb.outcome(&ann(), &ordinary, &[], &admin));
        assert!(told.starts_with("Done · `@ann:example.org` is a server admin\n"), "{told}");
        assert!(told.ends_with("Undo: !user admin revoke @ann:example.org"), "{told}");
        let verb = make(&["revoke", "ann"]);
        let told = testing::outcome(&verb.outcome(&ann(), &admin, &[], &ordinary));
        assert!(told.ends_with("Undo: !user admin grant @ann:example.org"), "{told}");
    }

    #[test]
    fn showing_names_the_command_that_changes_it() {
        let text = |account: Value| testing::reply(&told(&testing::account(account)));
        assert_eq!(
            text(json!({"admin": 1})),
            "`@ann:example.org` is a **server admin**\nName: “Ann Lee”\n\
             Take it back: !user admin revoke @ann:example.org\n"
        );
        assert!(text(json!({})).contains("is not a server admin"));
        assert!(text(json!({"admin": 1, "deactivated": 1})).contains("deactivated, and still"));
    }
}
