//! `user modify`: the fields of an account, old and new side by side.

use async_trait::async_trait;
use clap::ArgGroup;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use super::{
    account,
    deactivate::{self, leaving::Leaving},
    password::{SLOT, devices},
};
use crate::commands::refusals::{self, Meaning};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{
        Action, LongWork, Spec,
        arguments::{UserRef, secret},
        room::holes,
    },
    error::Stop,
    reply::{Fact, Line, Status},
    synapse::Reader,
};

mod field;
mod rooms;

use field::Field;
use rooms::Telling;

pub(super) const SPEC: Spec = Spec::action::<Modify>(
    "modify",
    &[
        "user modify @ann:example.org -n \"Ann Lee\"",
        "user modify @ann:example.org --lock",
        "user modify @ann:example.org --admin",
        "user modify @ann:example.org --threepid email ann@example.org",
        "user modify @ann:example.org --deactivate",
        "user modify @new:example.org --create -n \"Somebody New\"",
    ],
);

/// Change fields of an account, and show old and new values side by side
///
/// A new account is created only with --create, so a typo creates nothing.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args([
    "password_prompt", "password", "display_name", "threepid", "clear_threepids", "avatar_url",
    "admin", "no_admin", "activate", "deactivate", "user_type", "lock", "unlock", "create",
    "external_id",
])))]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is typed or not")]
struct Modify {
    /// The account: @ann:example.org, or ann for an account of this server
    user: UserRef,
    /// A room cannot prompt for a password; `user password` makes one instead
    #[arg(short, long, conflicts_with = "password")]
    password_prompt: bool,
    /// Set this password; refused unless the config allows typed secrets
    #[arg(short = 'P', long, value_parser = secret)]
    password: Option<SecretString>,
    /// Set the display name; "" removes it
    #[arg(short = 'n', long, value_name = "NAME")]
    display_name: Option<String>,
    /// Set an email address (email) or phone number (msisdn); replaces all existing ones. Can be
    /// repeated; '' '' removes all
    #[arg(short, long, num_args = 2, value_names = ["MEDIUM", "ADDRESS"],
          allow_hyphen_values = true)]
    threepid: Vec<String>,
    /// Remove all email addresses and phone numbers
    #[arg(long, conflicts_with = "threepid")]
    clear_threepids: bool,
    /// Set the picture to this mxc:// address; "" removes it
    #[arg(short = 'v', long, value_name = "MXC", value_parser = picture)]
    avatar_url: Option<String>,
    /// Make it a server admin
    #[arg(short, long, conflicts_with = "no_admin")]
    admin: bool,
    /// Make it an ordinary account
    #[arg(short = 'u', long)]
    no_admin: bool,
    /// Reactivate a deactivated account; what it lost does not come back
    #[arg(long, conflicts_with_all = ["deactivate", "create"])]
    activate: bool,
    /// Deactivate it without erasure, as `user deactivate` does
    #[arg(long, conflicts_with_all = ["create", "lock", "password"])]
    deactivate: bool,
    /// Set its type: bot, support, a type defined by the server, or regular for none
    #[arg(long, value_name = "TYPE")]
    user_type: Option<String>,
    /// Keep its devices logged in when the password is set
    #[arg(long, requires = "password")]
    no_logout: bool,
    /// Lock it: it can do nothing until it is unlocked, and stays logged in
    #[arg(short, long, conflicts_with_all = ["unlock", "create"])]
    lock: bool,
    /// Unlock it
    #[arg(short = 'L', long, conflicts_with = "create")]
    unlock: bool,
    /// Create the account, which must not exist
    #[arg(long)]
    create: bool,
    /// Set a single sign-on account that logs in to this one; replaces all existing ones. Can be
    /// repeated; '' '' removes all
    #[arg(long, num_args = 2, value_names = ["PROVIDER", "ID"], allow_hyphen_values = true)]
    external_id: Vec<String>,
}

/// The homeserver takes any text for the address of a picture, and clients then show none.
fn picture(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with("mxc://") {
        Ok(text.to_owned())
    } else {
        Err("a picture's address begins with mxc://".to_owned())
    }
}

#[async_trait]
impl Action for Modify {
    fn class(&self, many: usize) -> Class {
        let disruptive = self.password.is_some()
            || self.admin
            || self.activate
            || self.create
            || self.replaces_contacts()
            || many > 1;
        match (self.deactivate, disruptive) {
            (true, _) => Class::Irreversible,
            (false, true) => Class::Disruptive,
            (false, false) => Class::Reversible,
        }
    }

    fn amounts_to(&self) -> Vec<&str> {
        [
            (self.admin || self.no_admin, "user admin"),
            (self.deactivate, "user deactivate"),
            (self.activate, "user reactivate"),
            (self.create, "user register"),
            (self.lock, "user lock"),
            (self.unlock, "user unlock"),
            (self.password.is_some(), "user password"),
        ]
        .into_iter()
        .filter_map(|(asked, verb)| asked.then_some(verb))
        .collect()
    }

    fn power(&self) -> Power {
        let account = self.password.is_some()
            || self.admin
            || self.no_admin
            || self.activate
            || self.create
            || self.user_type.is_some()
            || self.replaces_contacts();
        if account { Power::Account } else { Power::Moderate }
    }

    fn typed(&self) -> Vec<(&'static str, SecretString)> {
        self.password.iter().map(|typed| (SLOT, typed.expose_secret().into())).collect()
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(refusals::ACCOUNT)
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        if self.password_prompt {
            let user = reader.user_id(&self.user)?;
            let stop =
                Stop::not_understood("a room cannot prompt for a password; I can make one myself");
            return Err(stop.or(&["user", "password", user.as_str()]));
        }
        for (pairs, option) in
            [(&self.threepid, "--threepid"), (&self.external_id, "--external-id")]
        {
            field::pairs(pairs)
                .map_err(|fault| Stop::not_understood(Line::new().code(option).plain(fault)))?;
        }
        account::subject(&self.user, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        // What is counted is what the words of these two need.
        let (mut seen, account) = if self.deactivate || self.password.is_some() {
            account::snapshot_with_belongings(subject, reader).await?
        } else {
            account::snapshot(subject, reader).await?
        };
        if let Some(account) = account {
            field::note(&mut seen, &account);
        }
        if self.deactivate {
            deactivate::note_holes(&mut seen, subject, reader).await?;
        }
        let changes: Vec<Fact> = self.fields().iter().map(|field| field.asked(&seen)).collect();
        // What changes is shown once, with its old value.
        seen.display.retain(|(label, _)| changes.iter().all(|(changed, _)| changed != label));
        seen.display.extend(changes);
        Ok(seen)
    }

    fn warnings(&self, subject: &Subject, seen: &Snapshot) -> Vec<Line> {
        holes::warnings_of_account(subject, seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        if self.deactivate {
            let mut question = deactivate::question(subject, seen, false, false);
            if self.fields().len() > 1 {
                question.title = question.title.plain(", and changed as below");
            }
            return question;
        }
        let title = if self.create {
            Line::new().plain("Create ").code(subject)
        } else {
            Line::new().plain("Change ").code(subject)
        };
        let mut question = Question { title, ..Question::default() };
        if self.password.is_some() && !self.create {
            question.goes.push("its present password".into());
            if self.no_logout {
                question.stays.push("its sessions".into());
            } else {
                question.goes.push("its sessions: every device is logged out".into());
            }
        }
        if self.activate {
            let lost = "; what it lost when it was deactivated does not come back";
            question.title = question.title.plain(lost);
            if seen.is("erased") {
                let shown = "the hiding of its messages from people who join a room later";
                question.goes.push(shown.into());
            }
        }
        question
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        self.possible(subject, seen)?;
        let fields = self.fields();
        if !self.create && self.password.is_none() && fields.iter().all(|field| field.is_so(seen)) {
            return Err(account::already(subject, "already is as you want it"));
        }
        let mut body: Map<String, Value> =
            fields.iter().map(|field| (field.key().to_owned(), field.value())).collect();
        if self.password.is_some() {
            body.insert("password".to_owned(), json!({ "$secret": SLOT }));
            body.insert("logout_devices".to_owned(), json!(!self.no_logout));
        }
        let path = Path::admin(["v2", "users", &subject.segment()]);
        let step = Step::new(Method::Put, path, Value::Object(body));
        let again = self.password.is_none() && !self.create;
        let step = if again { step.idempotent() } else { step };
        Ok(Change { steps: vec![step], wanted: self.wanted() })
    }

    fn outcome(
        &self,
        subject: &Subject,
        before: &Snapshot,
        _answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let fields = self.fields();
        let so = fields.iter().filter(|field| field.is_so(after)).count();
        let all = so == fields.len();
        let mut facts: Vec<Fact> =
            fields.iter().map(|field| field.applied(before, after)).collect();
        if self.password.is_some() {
            facts.push(("Password", "set, as typed".into()));
            if !self.create {
                let (before, after) =
                    (account::noted(before, "devices"), account::noted(after, "devices"));
                facts.push(("Devices", devices(before, after)));
            }
        }
        let mut outcome = Outcome {
            status: match (all, so > 0 || self.password.is_some() || self.create) {
                (true, _) => Status::Done,
                (false, true) => Status::DoneInPart,
                (false, false) => Status::NothingChanged,
            },
            title: Line::new().code(subject).plain(match (all, self.create) {
                (true, true) => " is created",
                (true, false) => " is changed",
                (false, _) => {
                    ": the homeserver reported success, but not everything is as it should be"
                }
            }),
            facts,
            remains: Vec::new(),
            undo: self.undo(subject, before),
        };
        if self.deactivate && after.is("deactivated") {
            let deactivated = deactivate::outcome(subject, after);
            outcome.title = deactivated.title;
            outcome.facts.extend(deactivated.facts);
            outcome.remains = deactivated.remains;
            outcome.undo = deactivated.undo;
        }
        if self.password.is_some()
            && let Some(back) = self.back(&subject.typed(), before)
        {
            outcome.remains.push(("This restores everything but the password".into(), back));
        }
        if (self.activate || self.create) && self.password.is_none() {
            outcome.remains.push((
                "It has no password yet".into(),
                account::words(["user", "password", &subject.typed()]),
            ));
        }
        outcome
    }

    fn long_work(&self) -> Option<&dyn LongWork> {
        if self.deactivate {
            return Some(Leaving::after(false, false));
        }
        self.is_seen_in_rooms().then_some(&Telling as &dyn LongWork)
    }
}

impl Modify {
    /// Whether the rooms of the account have something to be told.
    fn is_seen_in_rooms(&self) -> bool {
        (self.display_name.is_some() || self.avatar_url.is_some()) && !self.create
    }

    /// Whether what ties the account to a person elsewhere is replaced.
    fn replaces_contacts(&self) -> bool {
        !self.threepid.is_empty() || self.clear_threepids || !self.external_id.is_empty()
    }

    /// The fields that are to be set, in the order in which they are shown.
    fn fields(&self) -> Vec<Field> {
        let flag = |yes: bool, no: bool| (yes || no).then_some(yes);
        let pairs = |typed: &[String]| field::pairs(typed).unwrap_or_default();
        let threepids = (!self.threepid.is_empty() || self.clear_threepids)
            .then(|| Field::threepids(pairs(&self.threepid)));
        let external =
            (!self.external_id.is_empty()).then(|| Field::ExternalIds(pairs(&self.external_id)));
        [
            self.display_name.clone().map(Field::DisplayName),
            self.avatar_url.clone().map(Field::AvatarUrl),
            self.user_type.as_deref().map(Field::user_type),
            flag(self.admin, self.no_admin).map(Field::Admin),
            flag(self.lock, self.unlock).map(Field::Locked),
            flag(self.deactivate, self.activate).map(Field::Deactivated),
            threepids,
            external,
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Why it cannot be done to the subject as it is, where it cannot.
    fn possible(&self, subject: &Subject, seen: &Snapshot) -> Result<(), Skip> {
        let refused = |why: &str| Skip::refused(Line::new().code(subject).plain(why));
        match (account::exists(subject, seen), self.create) {
            (Ok(()), true) => {
                return Err(refused(" already exists, so it is not created")
                    .or(format!("user details {}", subject.typed())));
            }
            (Err(_), true) if seen.is("local") => {
                // The homeserver takes fewer characters for a new name than it has in old ones.
                let strict = subject.user().is_some_and(|user| user.validate_strict().is_ok());
                return if strict {
                    Ok(())
                } else {
                    let why =
                        " cannot be the id of a new account: use only a-z, 0-9 and . _ = - / +";
                    Err(Skip::not_understood(Line::new().code(subject).plain(why)))
                };
            }
            (Err(mut skip), _) => {
                if seen.is("local") {
                    skip.why = skip.why.plain("; to create it, add ").code("--create");
                }
                return Err(skip);
            }
            (Ok(()), false) => {}
        }
        if self.lock && seen.is("deactivated") && !self.activate {
            return Err(refused(" is deactivated, so there is nothing to lock"));
        }
        if self.password.is_some() && seen.is("deactivated") && !self.activate {
            return Err(refused(" is deactivated, so a password does not help")
                .or(format!("user modify {} --activate", subject.typed())));
        }
        Ok(())
    }

    /// What is to be so afterwards.
    fn wanted(&self) -> FactMap {
        let set = self.fields().into_iter().map(|field| (field.key().to_owned(), field.value()));
        [("exists".to_owned(), json!(true))].into_iter().chain(set).collect()
    }

    /// The way back, from what was there before.
    fn undo(&self, subject: &Subject, before: &Snapshot) -> Undo {
        let id = &subject.typed();
        if self.create {
            return Undo::Command(account::words(["user", "deactivate", id]));
        }
        // Opening an account ends its erasure, which no field can put back.
        if self.activate && before.is("erased") {
            return Undo::Command(account::words(["user", "deactivate", id, "--gdpr-erase"]));
        }
        if self.password.is_some() {
            return Undo::None(
                "nobody here knows the old password; user password sets a new one".to_owned(),
            );
        }
        if !self.fields().iter().all(|field| field.can_be_typed(before)) {
            return Undo::None(
                "the old value looks like an option, so it cannot be typed here".to_owned(),
            );
        }
        self.back(id, before)
            .map_or_else(|| Undo::None("everything already was that way".to_owned()), Undo::Command)
    }

    /// The command that puts back the fields that were not so before.
    fn back(&self, id: &str, before: &Snapshot) -> Option<Vec<String>> {
        let options: Vec<String> =
            self.fields().iter().flat_map(|field| field.back(before)).collect();
        let command = account::words(["user", "modify", id]).into_iter();
        (!options.is_empty()).then(|| command.chain(options).collect())
    }
}

#[cfg(test)]
mod tests;
