//! `user deactivate`: an account's end, with or without erasure, with or without its files.

use std::sync::LazyLock;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    account::{self, how_many, noted, words},
    kept,
};
use crate::commands::refusals::{ACCOUNT_GONE, Meaning, NOT_LOCAL, OTHER_BODY, of_either};
use crate::{
    change::{
        Answer, Change, Class, FactMap, Method, Outcome, Path, Power, Question, Skip, Snapshot,
        Step, Subject, Undo,
    },
    commands::{
        Action, Ask, Delegated, Does, LongWork, Spec,
        arguments::UserRef,
        media::delete_user,
        notice::tell::{self, Tell, Then},
        room::holes,
    },
    error::Stop,
    reply::{Hostile, Line},
    synapse::Reader,
};

mod files;
pub(super) mod leaving;

use leaving::Leaving;

pub(super) const SPEC: Spec = Spec::of::<Typed>(
    Does::Change,
    "deactivate",
    &[
        "user deactivate @ann:example.org",
        "user deactivate @ann:example.org --gdpr-erase",
        "user deactivate @ann:example.org --delete-media",
        "user deactivate @ann:example.org --tell \"You asked for this. Goodbye\"",
    ],
)
.delegated(Delegated::Half);

/// Deactivate an account: it is logged out everywhere, leaves its rooms, and cannot log in again
///
/// I show the account and what is lost, and ask. Messages stay, and media without --delete-media.
/// Reactivating the account does not bring back what was lost. On an account that is already deactivated,
/// --gdpr-erase erases it, and --delete-media deletes what it has uploaded.
#[derive(Debug, clap::Args)]
struct Typed {
    #[command(flatten)]
    deactivate: Deactivate,
    #[command(flatten)]
    tell: Tell,
}

impl From<Typed> for Ask {
    fn from(Typed { deactivate, tell }: Typed) -> Self {
        let several = deactivate.users.len() > 1;
        let told: &'static [Meaning] =
            if deactivate.delete_media { &TOLD_WITH_MEDIA } else { &TOLD };
        tell.before(deactivate, Then::Deactivated, several, told)
    }
}

// No doc comment: it would become the verb's help.
#[derive(Debug, clap::Args)]
struct Deactivate {
    /// The accounts, one or several: @ann:example.org, or ann for an account of this server
    #[arg(required = true, num_args = 1.., value_name = "USER")]
    users: Vec<UserRef>,
    /// Also erase: delete name and picture, and hide messages from people who join later
    #[arg(short = 'e', long = "gdpr-erase")]
    erase: bool,
    /// Also delete every file that it has uploaded, as `media delete-user` does
    #[arg(long)]
    delete_media: bool,
}

/// What a refusal means where the files go too, and where they are told something first.
static WITH_MEDIA: LazyLock<Vec<Meaning>> =
    LazyLock::new(|| of_either(REFUSALS, delete_user::REFUSALS));
static TOLD: LazyLock<Vec<Meaning>> = LazyLock::new(|| tell::meanings(REFUSALS));
static TOLD_WITH_MEDIA: LazyLock<Vec<Meaning>> = LazyLock::new(|| tell::meanings(&WITH_MEDIA));

/// What it means where the homeserver refuses it.
pub(in crate::commands) const REFUSALS: &[Meaning] = &[
    Meaning::new(
        403,
        "M_FORBIDDEN",
        "",
        "a module of the homeserver forbids deactivating this account; ask whoever runs the \
         homeserver",
    ),
    Meaning::new(
        400,
        "M_UNKNOWN",
        "threepid from ID server",
        "an identity server does not release its email address or phone number, so the homeserver \
        has not deactivated it. Remove them first: `!user modify` with --clear-threepids",
    )
    .failed(),
    OTHER_BODY,
    Meaning::new(
        400,
        "M_UNKNOWN",
        "deactivate",
        "the homeserver says that it is an account of another server: its own name is not the one \
        after the colon",
    )
    .failed(),
    NOT_LOCAL,
    ACCOUNT_GONE,
];

#[async_trait]
impl Action for Deactivate {
    fn class(&self, _many: usize) -> Class {
        Class::Irreversible
    }

    fn amounts_to(&self) -> Vec<&str> {
        if self.delete_media { vec!["media delete-user", "media delete"] } else { Vec::new() }
    }

    fn did(&self) -> Option<&'static str> {
        Some(match (self.erase, self.delete_media) {
            (false, false) => "deactivated",
            (true, false) => "deactivated and erased",
            (false, true) => "deactivated and deleted all files of",
            (true, true) => "deactivated, erased and deleted all files of",
        })
    }

    fn power(&self) -> Power {
        Power::Moderate
    }

    fn phrase(&self) -> bool {
        self.erase
    }

    fn refusals(&self, _subject: &Subject) -> Option<&'static [Meaning]> {
        Some(if self.delete_media { &WITH_MEDIA } else { REFUSALS })
    }

    async fn subjects(&self, reader: &Reader) -> Result<Vec<Subject>, Stop> {
        account::subjects(&self.users, reader)
    }

    async fn snapshot(&self, subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
        let mut seen = snapshot(subject, reader).await?;
        note_holes(&mut seen, subject, reader).await?;
        if self.delete_media && seen.is("exists") {
            files::note(&mut seen, account::id(subject)?, reader).await?;
        }
        Ok(seen)
    }

    async fn snapshot_after(
        &self,
        subject: &Subject,
        answers: &[Answer],
        reader: &Reader,
    ) -> Result<Snapshot, Stop> {
        let mut seen = self.snapshot(subject, reader).await?;
        if self.delete_media && !answers.is_empty() {
            // Where something failed, this is all that says how far it came.
            let so_far = files::so_far(&seen, answers);
            seen.display.push(("So far", so_far));
        }
        Ok(seen)
    }

    fn warnings(&self, subject: &Subject, seen: &Snapshot) -> Vec<Line> {
        holes::warnings_of_account(subject, seen)
    }

    fn question(&self, subject: &Subject, seen: &Snapshot) -> Question {
        let question = question(subject, seen, self.erase, self.delete_media);
        if !self.delete_media {
            return question;
        }
        files::asked(subject, seen, change(subject, seen, self.erase).is_err(), question)
    }

    fn change(&self, subject: &Subject, seen: &Snapshot) -> Result<Change, Skip> {
        let change = change(subject, seen, self.erase);
        if self.delete_media { files::change(subject, seen, change) } else { change }
    }

    fn erases(&self, _subject: &Subject) -> bool {
        self.erase
    }

    fn outcome(
        &self,
        subject: &Subject,
        _before: &Snapshot,
        answers: &[Answer],
        after: &Snapshot,
    ) -> Outcome {
        let outcome = outcome(subject, after);
        if self.delete_media { files::ended(subject, answers, after, outcome) } else { outcome }
    }

    fn long_work(&self) -> Option<&dyn LongWork> {
        Some(Leaving::after(self.erase, self.delete_media))
    }
}

/// Looks in which rooms an account that is to be deactivated is the only admin. One that is
/// deactivated already has lost that.
pub(super) async fn note_holes(
    seen: &mut Snapshot,
    subject: &Subject,
    reader: &Reader,
) -> Result<(), Stop> {
    if seen.is("exists") && !seen.is("deactivated") {
        holes::note_of_account(seen, account::id(subject)?, reader).await;
    }
    Ok(())
}

/// Looks at an account that is to be deactivated, whichever verb does it.
pub(super) async fn snapshot(subject: &Subject, reader: &Reader) -> Result<Snapshot, Stop> {
    let (mut seen, account) = account::snapshot_with_belongings(subject, reader).await?;
    if let Some(account) = account {
        seen.preconditions.insert("erased".to_owned(), json!(account.erased));
        seen.extra.insert("addresses".to_owned(), json!(account.threepids.len()));
        let shown = |text: &Option<Hostile>| text.as_ref().is_some_and(|text| !text.is_empty());
        let profile = shown(&account.displayname) || shown(&account.avatar_url);
        seen.extra.insert("profile".to_owned(), json!(u8::from(profile)));
        kept::note(&mut seen, &account, reader).await?;
    }
    Ok(seen)
}

/// What deactivating brings about, by the key under which it is noted how much of it is left.
const ENDS: [(&str, &str, &str); 3] = [
    ("devices", "device", "devices"),
    ("rooms", "room", "rooms"),
    ("addresses", "address", "addresses"),
];

/// What a deactivated account still has, which it would not have had it been deactivated by the
/// homeserver: a flag in a database, or a fault in the middle, does not end the rest.
fn left_over(seen: &Snapshot, erase: bool) -> Vec<String> {
    let mut left: Vec<String> = ENDS
        .iter()
        .filter_map(|(key, one, many)| {
            let count = noted(seen, key).filter(|count| *count > 0)?;
            Some(how_many(Some(count), one, many))
        })
        .collect();
    if erase && seen.is("erased") && noted(seen, "profile").is_some_and(|profile| profile > 0) {
        left.push("its name or picture".to_owned());
    }
    left
}

/// The request that deactivates an account, whichever verb does it.
pub(super) fn change(subject: &Subject, seen: &Snapshot, erase: bool) -> Result<Change, Skip> {
    account::exists(subject, seen)?;
    if seen.is("deactivated") && !left_over(seen, erase).is_empty() {
        return Ok(change_to(subject, seen, erase));
    }
    match (seen.is("deactivated"), seen.is("erased"), erase) {
        (true, true, _) => Err(account::already(subject, "is already deactivated and erased")),
        (true, false, false) => {
            Err(account::already(subject, "is already deactivated, and not erased"))
        }
        _ => Ok(change_to(subject, seen, erase)),
    }
}

/// Where the authentication service keeps the account it is told, and tells the homeserver afterwards:
/// `POST /api/admin/v1/users/{id}/deactivate`.
fn change_to(subject: &Subject, seen: &Snapshot, erase: bool) -> Change {
    if let Some(id) = kept::id(seen) {
        let path = Path::accounts(["users", id, "deactivate"]);
        // Where this is left out, it erases.
        let body = json!({ "skip_erase": !erase });
        let wanted = FactMap::from([("deactivated".to_owned(), Value::Bool(true))]);
        return Change { steps: vec![Step::new(Method::Post, path, body).idempotent()], wanted };
    }
    let path = Path::admin(["v1", "deactivate", &subject.segment()]);
    let body = json!({ "erase": erase });
    let mut wanted = FactMap::from([("deactivated".to_owned(), Value::Bool(true))]);
    if erase {
        wanted.insert("erased".to_owned(), Value::Bool(true));
    }
    Change { steps: vec![Step::new(Method::Post, path, body).idempotent()], wanted }
}

/// The question before an account is deactivated, whichever verb does it.
pub(super) fn question(
    subject: &Subject,
    seen: &Snapshot,
    erase: bool,
    media_too: bool,
) -> Question {
    let left = if seen.is("deactivated") { left_over(seen, erase) } else { Vec::new() };
    let title = if !left.is_empty() {
        Line::new()
            .plain("Deactivate ")
            .code(subject)
            .plain(format!(" again, which is flagged so and still has {}", left.join(", ")))
    } else if seen.is("deactivated") {
        // Only erasing is left to do.
        let title = Line::new().strong("ERASE").plain(" ").code(subject);
        return Question {
            title: title.plain(", deactivated already"),
            goes: goes(seen, erase),
            stays: stays(seen, erase, media_too),
        };
    } else {
        Line::new().plain("Deactivate ").code(subject)
    };
    let title = if erase {
        title.plain(" and ").strong("ERASE")
    } else if seen.is("erased") {
        title.plain("; it is ").strong("ERASED").plain(" already")
    } else {
        title.plain(", without erasing")
    };
    Question { title, goes: goes(seen, erase), stays: stays(seen, erase, media_too) }
}

fn goes(seen: &Snapshot, erase: bool) -> Vec<Line> {
    let mut goes = Vec::new();
    let again = seen.is("deactivated") && !left_over(seen, erase).is_empty();
    if !seen.is("deactivated") || again {
        if noted(seen, "devices") != Some(0) {
            let devices = how_many(noted(seen, "devices"), "device", "devices");
            goes.push(format!("{devices}, with the keys to encrypted messages"));
        }
        goes.push("password, email, phone".to_owned());
        goes.push("settings and key backup".to_owned());
        goes.push(match noted(seen, "rooms") {
            Some(0) => "its invitations".to_owned(),
            rooms => {
                let rooms = how_many(rooms, "room", "rooms");
                format!("its place in {rooms}, its invitations")
            }
        });
    }
    if erase {
        goes.push("name and picture".to_owned());
        goes.push("its messages, for people who join later".to_owned());
    }
    goes.into_iter().map(Line::from).collect()
}

fn stays(seen: &Snapshot, erase: bool, media_too: bool) -> Vec<Line> {
    let mut stays = vec![
        if erase {
            "its messages, for people in the rooms now and on other servers"
        } else {
            "its messages"
        }
        .to_owned(),
    ];
    if !erase {
        stays.push("name and picture".to_owned());
    }
    if !media_too {
        stays.push(match noted(seen, "media") {
            None => "its media".to_owned(),
            Some(0) => "its media, of which it has none".to_owned(),
            media => format!("its media, {}", how_many(media, "file", "files")),
        });
    }
    if seen.is("admin") {
        stays.push("its server-admin flag".to_owned());
    }
    match noted(seen, "sign-on") {
        None | Some(0) => {}
        links => stays.push(format!("its {}", how_many(links, "sign-on link", "sign-on links"))),
    }
    stays.push("its id, which nobody can register again".to_owned());
    stays.into_iter().map(Line::from).collect()
}

/// The outcome of deactivating an account, whichever verb did it.
pub(super) fn outcome(subject: &Subject, after: &Snapshot) -> Outcome {
    Outcome::done(title(subject, after), Undo::None(not_back(after.is("erased"))))
        .facts([("Devices", left(after)), ("Rooms", rooms(after))])
        .remains(remains(subject, after))
}

/// What does not come back by itself, part by part, and what comes nearest.
fn not_back(erased: bool) -> String {
    let mut parts = vec![
        "Login: `!user reactivate`, then `!user password` for a new password",
        "Rooms: it must join each again, or be put into each by `!room join`",
        "Email and phone: they must be added again, see `!user modify` with --threepid",
    ];
    if erased {
        parts.push("Name and picture: they must be set again, see `!user modify`");
    }
    parts.push("Sessions, keys to encrypted messages, settings: they do not come back");
    parts.join("\n")
}

/// That it is deactivated, and whether it is erased.
fn title(subject: &Subject, after: &Snapshot) -> Line {
    if kept::lags(after) {
        return Line::new().code(subject).plain(
            " is deactivated at the authentication service. That now tells the homeserver; I will say \
             here what became of it there",
        );
    }
    let title = Line::new().code(subject).plain(" is deactivated and ");
    if after.is("erased") { title.strong("ERASED") } else { title.strong("not erased") }
}

fn left(after: &Snapshot) -> Line {
    match noted(after, "devices") {
        Some(0) => "none left".into(),
        Some(left) => format!("{left} left").into(),
        None => "cannot be looked up".into(),
    }
}

fn rooms(after: &Snapshot) -> Line {
    match noted(after, "rooms") {
        Some(0) => "none left".into(),
        Some(left) => {
            format!("{left} still to leave; I will say here when that is finished").into()
        }
        None => "cannot be looked up".into(),
    }
}

/// What people expect to be gone and is not, each with the command that shows or ends it.
fn remains(subject: &Subject, after: &Snapshot) -> Vec<(Line, Vec<String>)> {
    let id = &subject.typed();
    let mut remains = vec![(
        Line::from("Its messages remain; rooms that others here are in"),
        words(["user", "membership", id]),
    )];
    if noted(after, "media") != Some(0) {
        let files = match noted(after, "media") {
            None => "Its media remain".to_owned(),
            media => format!("Its media remain, {}", how_many(media, "file", "files")),
        };
        remains.push((files.into(), words(["user", "media", id])));
    }
    if after.is("admin") {
        remains.push((
            "It is still flagged as a server admin".into(),
            words(["user", "modify", id, "--no-admin"]),
        ));
    }
    if noted(after, "sign-on").is_some_and(|links| links > 0) {
        remains.push((
            "Its sign-on links remain".into(),
            words(["user", "modify", id, "--external-id", "", ""]),
        ));
    }
    remains
}

#[cfg(test)]
mod tests;
