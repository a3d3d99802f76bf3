//! `user password`: a new password, told to nobody but the asker.

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::{
    account::{self, how_many, noted},
    kept,
};
use crate::commands::refusals::{
    ACCOUNT_GONE, BY_SERVICE, Meaning, NO_PASSWORDS, NO_ROW, NOT_LOCAL,
};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{
        Action, Delegated, Spec,
        arguments::{UserRef, secret},
    },
    error::Stop,
    reply::{Line, Status},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::action::<Password>(
    "password",
    &["user password @ann:example.org", "user password @ann:example.org --no-logout"],
)
.delegated(Delegated::There);

/// The slot that holds the password.
pub(super) const SLOT: &str = "password";

/// Give an account a new password, which I make and send only to you, in a direct room
///
/// Its devices are logged out unless you add --no-logout.
#[derive(Debug, clap::Args)]
struct Password {
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// Keep its devices logged in
    #[arg(short, long)]
    no_logout: bool,
    #[command(flatten)]
    given: GivenSecret,
}

// A password that is typed, or made where it is not. No doc comment: it would become the verb's help.
#[derive(Debug, clap::Args)]
pub(super) struct GivenSecret {
    /// Set this password instead of making one; refused unless the config allows typed secrets
    #[arg(short = 'p', long = "password", value_name = "PASSWORD", value_parser = secret)]
    given: Option<SecretString>,
}

impl GivenSecret {
    /// The slot that the bot fills, where none was typed.
    pub(super) fn makes(&self) -> &'static [&'static str] {
        if self.is_typed() { &[] } else { &[SLOT] }
    }

    /// What was typed, for its slot.
    pub(super) fn typed(&self) -> Vec<(&'static str, SecretString)> {
        self.given.iter().map(|typed| (SLOT, typed.expose_secret().into())).collect()
    }

    /// Whether it was typed, so that nobody has to be told.
    pub(super) fn is_typed(&self) -> bool {
        self.given.is_some()
    }
}

/// What it means where the homeserver refuses it.
const REFUSALS: &[Meaning] = &[
    NO_PASSWORDS,
    NOT_LOCAL,
    ACCOUNT_GONE,
    NO_ROW,
    Meaning::new(
        400,
        "M_INVALID_PARAM",
        "",
        "the homeserver does not accept this password; it can have at most 512 characters",
    ),
    Meaning::new(
        400,
        BY_SERVICE,
        "",
        "the authentication service finds this password too weak; use a longer one",
    ),
    Meaning::new(
        403,
        BY_SERVICE,
        "",
        "the authentication service has no passwords (passwords.enabled in its configuration): people \
         sign in another way",
    ),
];

#[async_trait]
impl Action for Password {
    fn class(&self, _many: usize) -> Class {
        Class::Disruptive
    }

    fn power(&self) -> Power {
        Power::Account
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
        Some(REFUSALS)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subject(&self.user, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let (mut seen, account) = account::snapshot_with_belongings(subject, reader).await?;
        if let Some(account) = account
            && kept::note(&mut seen, &account, reader).await?.is_some()
        {
            kept::note_sessions(&mut seen, reader).await?;
        }
        Ok(seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let mut goes = vec![Line::from("its present password")];
        let mut stays = Vec::new();
        let devices = match kept::id(seen) {
            Some(_) => kept::counted(kept::sessions(seen).into_iter().map(|(kind, _)| kind)),
            None => how_many(noted(seen, "devices"), "device", "devices"),
        };
        if self.no_logout {
            stays.push(Line::from(format!("its sessions: {devices}, left logged in")));
        } else {
            goes.push(Line::from(format!("its sessions: {devices}, logged out")));
        }
        Question { title: Line::new().plain("Set a new password for ").code(subject), goes, stays }
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        account::exists(subject, seen)?;
        if seen.is("deactivated") {
            return Err(Skip::refused(
                Line::new().code(subject).plain(" is deactivated, so a password does not help"),
            )
            .or(format!("user modify {} --activate", subject.typed())));
        }
        let wanted = FactMap::from([("deactivated".to_owned(), json!(false))]);
        if let Some(id) = kept::id(seen) {
            let path = Path::accounts(["users", id, "set-password"]);
            let set = Step::new(Method::Post, path, json!({ "password": {"$secret": SLOT} }));
            // The service itself ends no session then.
            let ends = kept::ends(seen).filter(|_| !self.no_logout);
            return Ok(Change { steps: std::iter::once(set).chain(ends).collect(), wanted });
        }
        let path = Path::admin(["v1", "reset_password", &subject.segment()]);
        let body = json!({ "new_password": {"$secret": SLOT}, "logout_devices": !self.no_logout });
        Ok(Change { steps: vec![Step::new(Method::Post, path, body)], wanted })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let count = |seen: &Snapshot| match kept::id(seen) {
            Some(_) => Some(kept::sessions(seen).len() as u64),
            None => noted(seen, "devices"),
        };
        let left = count(after);
        let stayed = !self.no_logout && left.is_some_and(|left| left > 0);
        let title = Line::new().code(subject).plain(if stayed {
            " has a new password, but not all of its devices were logged out"
        } else {
            " has a new password"
        });
        let of = count(before);
        let label = if kept::id(after).is_some() { "Sessions" } else { "Devices" };
        Outcome {
            status: if stayed { Status::DoneInPart } else { Status::Done },
            title,
            facts: vec![(label, devices(of, left))],
            remains: Vec::new(),
            undo: Undo::None(
                "nobody here knows the old password; user password sets a new one".to_owned(),
            ),
        }
    }
}

/// How many devices there were and are.
pub(super) fn devices(before: Option<u64>, after: Option<u64>) -> Line {
    match (before, after) {
        (Some(before), Some(after)) => format!("{before} before, {after} now").into(),
        (_, Some(after)) => format!("{after} now").into(),
        (_, None) => "cannot be looked up".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::commands::user::testing::{account, ann};

    fn seen(deactivated: bool, devices: u64) -> Snapshot {
        let account = account(json!({ "deactivated": deactivated }));
        let mut seen = testing::snapshot_of(&account);
        seen.extra.insert("devices".to_owned(), json!(devices));
        seen
    }

    fn verb(typed: &[&str]) -> Password {
        testing::parse(typed).unwrap()
    }

    #[test]
    fn a_password_is_made_and_whispered_unless_it_was_typed() {
        let made = verb(&["ann"]);
        assert_eq!((made.makes(), made.whispers()), (&[SLOT][..], true));
        assert!(made.typed().is_empty());
        let typed = verb(&["ann", "-p", "hunter2"]);
        assert_eq!((typed.makes(), typed.whispers()), (&[][..], false));
        assert_eq!(typed.typed()[0].1.expose_secret(), "hunter2");
        assert!(!format!("{typed:?}").contains("hunter2"));
        assert!(testing::parse::<Password>(&["ann", "-p", ""]).is_err());
    }

    #[test]
    fn it_takes_over_an_account_and_cannot_be_put_back() {
        for typed in [&["ann"][..], &["ann", "-n"], &["ann", "--password", "x"]] {
            let verb = verb(typed);
            assert_eq!((verb.class(1), verb.power()), (Class::Disruptive, Power::Account));
        }
    }

    #[test]
    fn no_secret_stands_in_the_request_and_no_logout_is_really_sent() {
        for (typed, logout) in [
            (&["ann"][..], true),
            (&["ann", "--no-logout"], false),
            (&["ann", "-n", "-p", "hunter2"], false),
        ] {
            let change = verb(typed).change(&ann(), &seen(false, 1)).unwrap();
            assert_eq!(change, verb(typed).change(&ann(), &seen(false, 2)).unwrap());
            assert_eq!(
                change.steps[0].body,
                json!({"new_password": {"$secret": "password"}, "logout_devices": logout})
            );
            assert!(!change.steps[0].idempotent);
        }
    }

    #[test]
    fn a_deactivated_account_gets_none() {
        let skip = verb(&["ann"]).change(&ann(), &seen(true, 0)).unwrap_err();
        insta::assert_snapshot!(testing::skip(&skip), @r"
        Refused · `@ann:example.org` is deactivated, so a password does not help
        Try !user modify @ann:example.org --activate
        ");
    }

    #[test]
    fn question_and_outcome_say_what_becomes_of_the_devices() {
        let before = seen(false, 3);
        let asked = |typed: &[&str]| testing::question(&verb(typed).question(&ann(), &before));
        insta::assert_snapshot!(asked(&["ann"]), @r"
        Set a new password for `@ann:example.org`
        Lost:
        - its present password
        - its sessions: 3 devices, logged out
        ");
        insta::assert_snapshot!(asked(&["ann", "-n"]), @r"
        Set a new password for `@ann:example.org`
        Lost:
        - its present password
        Stays:
        - its sessions: 3 devices, left logged in
        ");
        let told = |typed: &[&str], left| {
            testing::outcome(&verb(typed).outcome(&ann(), &before, &[], &seen(false, left)))
        };
        insta::assert_snapshot!(told(&["ann"], 0), @r"
        Done · `@ann:example.org` has a new password
        Devices: 3 before, 0 now
        No undo: nobody here knows the old password; user password sets a new one
        ");
        insta::assert_snapshot!(told(&["ann", "-n"], 3), @r"
        Done · `@ann:example.org` has a new password
        Devices: 3 before, 3 now
        No undo: nobody here knows the old password; user password sets a new one
        ");
        insta::assert_snapshot!(told(&["ann"], 1), @r"
        Done in part · `@ann:example.org` has a new password, but not all of its devices were logged out
        Devices: 3 before, 1 now
        No undo: nobody here knows the old password; user password sets a new one
        ");
    }
}
