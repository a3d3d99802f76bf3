//! `synod setup`: from an admin's login to a bot that can be started.
//!
//! It finds the homeserver, makes what is missing of the accounts, the room, the secrets and the
//! config, and ends with the check. What it makes it notes, or finds again by what is there: so a
//! setup that was cut off goes on where it was, and a later one doubles nothing. A config that is
//! there is never written over.
//!
//! The admin's own login serves for one thing, which is to make the account of the admin token. That
//! makes everything else, and can be logged out apart.

use std::{
    error::Error,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use ruma::{OwnedUserId, ServerName};
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    check,
    config::{self, Answers, Faults, Rank, Written},
    finding::{Finding, Mark},
    matrix::files,
    run::chain,
};

mod accounts;
mod config_file;
mod delegated;
mod homeserver;
mod notes;
mod questions;
mod room;
mod work;

use accounts::{Caller, Visit};
use homeserver::Homeserver;
use notes::Notes;
use work::Work;

pub use questions::Terminal;

/// Why a setup ended before its end.
#[derive(Debug)]
pub enum Stopped {
    /// Something is not as it has to be.
    By(Finding),
    /// A file has faults.
    Faults(Faults),
}

impl From<Finding> for Stopped {
    fn from(finding: Finding) -> Self {
        Self::By(finding)
    }
}

impl From<Faults> for Stopped {
    fn from(faults: Faults) -> Self {
        Self::Faults(faults)
    }
}

/// What a setup has come to.
#[derive(Debug)]
pub struct Ready {
    /// The folder of the bot's state.
    pub state: PathBuf,
    /// The file of the bot's recovery key, where it is there.
    pub recovery_key: Option<PathBuf>,
    /// Whether a yes does nothing yet.
    pub read_only: bool,
    /// Whether the check found nothing that is bad.
    pub is_well: bool,
}

/// Somebody who may give commands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Operator {
    user_id: OwnedUserId,
    rank: Rank,
    master_key: Option<String>,
}

/// The files that a setup makes or finds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Files {
    config: PathBuf,
    admin_token: PathBuf,
    password: PathBuf,
    access_token: PathBuf,
    state: PathBuf,
}

/// Where everything is made, and where somebody else says that it is.
const STATE: &str = "/var/lib/synod";

impl Files {
    /// Those that the config names, and the others beside it.
    fn of(config: &Path, written: Option<&Written>, answers: &Answers) -> Self {
        let config = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
        let state = answers.state.as_deref().unwrap_or(Path::new(STATE));
        let beside = |name: &str| config.with_file_name(name);
        let named = |of: fn(&Written) -> &Option<PathBuf>| written.and_then(|w| of(w).clone());
        Self {
            admin_token: named(|w| &w.admin_token).unwrap_or_else(|| beside("admin-token")),
            password: named(|w| &w.password).unwrap_or_else(|| beside("password")),
            access_token: named(|w| &w.access_token).unwrap_or_else(|| beside("access-token")),
            state: std::path::absolute(state).unwrap_or_else(|_| state.to_owned()),
            config,
        }
    }

    /// Makes the folders, for this user alone, where there are none.
    fn make_folders(&self) -> Result<(), Finding> {
        let beside = [&self.config, &self.admin_token, &self.password].map(|file| file.parent());
        for folder in beside.into_iter().flatten().chain([&*self.state]) {
            if !folder.exists() {
                files::private_dir(folder).map_err(|error| cannot(&error))?;
            }
        }
        // One that was there may be anybody's, so it is not closed here.
        let is_open = |state: std::fs::Metadata| state.permissions().mode() & 0o077 != 0;
        if self.state.metadata().is_ok_and(is_open) {
            let state = self.state.display();
            return Err(Finding::bad(
                format!("state: others besides its owner can access {state}"),
                format!("Close it with chmod 0700 {state}, or name another folder with --state"),
            ));
        }
        Ok(())
    }
}

/// Sets everything up, and tells each step in `terminal` as it is done. What was not said it asks
/// there; a config at `config` counts more than what is said.
///
/// # Errors
/// The first thing that is not as it has to be, with what to do. Run again, it goes on from there.
pub async fn setup(
    config: &Path,
    said: &Answers,
    verbs: &[String],
    terminal: &mut dyn Terminal,
) -> Result<Ready, Stopped> {
    let written = Written::read(config)?;
    if written.as_ref().is_some_and(|written| written.admin_token.is_none()) {
        let what = format!("config: {} names no admin token file", config.display());
        return Err(Finding::bad(
            what,
            "See what `synod check` says about it, or name another file",
        )
        .into());
    }
    let mut answers = written.as_ref().map_or_else(|| said.clone(), |written| kept(said, written));
    let files = Files::of(config, written.as_ref(), &answers);
    let homeserver = questions::homeserver(&answers, terminal)?;
    let (server, finding) = homeserver::find(homeserver::Said {
        homeserver: &homeserver,
        admin_url: answers.admin_url.as_deref(),
        allow_plain_http: answers.allow_plain_http,
    })
    .await?;
    terminal.tell(&finding);
    files.make_folders()?;
    let mut notes = Notes::read(&files.state)?;
    notes.begin(written.is_none() && !files.state.join("store").exists());
    let entry = entry(&server, &files, &mut answers, terminal).await?;
    let work = Work {
        name: entry.caller().user.server_name().to_owned(),
        server,
        files,
        answers,
        written,
        verbs,
    };
    // From here nothing is asked any more, so that Ctrl-C is heard.
    let interrupts = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = interrupts else {
        let what = "signals cannot be received here";
        return Err(Finding::bad(what, "Check the limits of this system").into());
    };
    let done = tokio::select! {
        done = work.carry_out(said, &entry, &mut notes, terminal) => done,
        _ = interrupt.recv() => Err(interrupted().into()),
        _ = terminate.recv() => Err(interrupted().into()),
    };
    // Where all went well it has left already, and to leave twice does nothing.
    if let (Err(_), Entry::Visit(visit)) = (&done, &entry)
        && let Some(finding) = visit.leave().await
    {
        terminal.tell(&finding);
    }
    let config = done?;
    let findings = check::check(&config, &mut |finding| terminal.tell(finding)).await;
    Ok(Ready {
        is_well: findings.iter().all(|finding| finding.mark != Mark::Bad),
        recovery_key: Some(config.recovery_key_file).filter(|file| file.is_file()),
        read_only: config.read_only,
        state: config.state,
    })
}

fn tell_all(terminal: &mut dyn Terminal, findings: &[Finding]) {
    for finding in findings {
        terminal.tell(finding);
    }
}

fn interrupted() -> Finding {
    Finding::bad("interrupted", "Run it again: it continues from here")
}

/// What is said, where the config does not say it already.
fn kept(said: &Answers, written: &Written) -> Answers {
    let written = written.answers.clone();
    Answers {
        homeserver: written.homeserver.or_else(|| said.homeserver.clone()),
        admin_url: written.admin_url,
        allow_plain_http: written.allow_plain_http,
        bot: written.bot.or_else(|| said.bot.clone()),
        state: written.state.or_else(|| said.state.clone()),
        operators: if written.operators.is_empty() {
            said.operators.clone()
        } else {
            written.operators
        },
        ..said.clone()
    }
}

/// Who makes what is missing.
#[derive(Debug)]
enum Entry {
    /// The account of the admin token, whose token lies in its file.
    Kept(Caller),
    /// A server admin, for whom it is made now.
    Visit(Visit),
}

impl Entry {
    fn caller(&self) -> &Caller {
        match self {
            Self::Kept(caller) => caller,
            Self::Visit(visit) => &visit.caller,
        }
    }
}

/// Finds the token that is kept, or lets an admin log in.
async fn entry(
    server: &Homeserver,
    files: &Files,
    answers: &mut Answers,
    terminal: &mut dyn Terminal,
) -> Result<Entry, Finding> {
    if let Some(caller) = kept_token(server, &files.admin_token, terminal).await? {
        questions::team(answers, terminal)?;
        return Ok(Entry::Kept(caller));
    }
    if server.is_delegated {
        questions::team(answers, terminal)?;
        return delegated::entry(server, files, answers, terminal).await.map(Entry::Kept);
    }
    questions::visit(server, answers, terminal).await.map(Entry::Visit)
}

/// Whose the admin token is that lies in its file, where one does that works.
async fn kept_token(
    server: &Homeserver,
    file: &Path,
    terminal: &mut dyn Terminal,
) -> Result<Option<Caller>, Finding> {
    let Some(token) = secret_in(file)? else { return Ok(None) };
    let shown = file.display();
    match Caller::of(server, &token).await {
        Ok(caller) => match caller.check_admin().await {
            Ok(()) => {
                let user = &caller.user;
                terminal.tell(&Finding::ok(format!("admin token: {user}'s, in {shown}, works")));
                Ok(Some(caller))
            }
            Err(trouble) => Err(Finding::bad(
                format!("admin token: {} in {shown} is not an admin: {trouble}", caller.user),
                trouble.to_do("--admin-url", "Move the file aside, and run this again"),
            )),
        },
        Err(trouble) if trouble.status() == Some(401) => {
            let what = format!("admin token: the one in {shown} no longer works");
            terminal.tell(&Finding::warn(what, "A new one is made now"));
            Ok(None)
        }
        Err(trouble) => Err(Finding::bad(
            format!("admin token: the one in {shown} cannot be tested: {trouble}"),
            trouble.to_do("--homeserver", "Run this again"),
        )),
    }
}

/// A user id, of which the server may be left out.
fn full(text: &str, server: &ServerName) -> Result<OwnedUserId, Finding> {
    let whole = if text.contains(':') {
        text.to_owned()
    } else {
        format!("@{}:{server}", text.trim_start_matches('@'))
    };
    let wrong = || {
        let what = format!("{text}: this is not an account name");
        Finding::bad(what, format!("Write it like @ann:{server}"))
    };
    OwnedUserId::try_from(whole).map_err(|_| wrong())
}

/// A file that cannot be read or written.
fn cannot(error: &dyn Error) -> Finding {
    Finding::bad(
        format!("files: {}", chain(error)),
        "Run this as the user that will run synod, and make sure that the folders belong to that \
         user",
    )
}

/// The secret in a file, where there is one.
fn secret_in(file: &Path) -> Result<Option<SecretString>, Finding> {
    if matches!(file.try_exists(), Ok(false)) {
        return Ok(None);
    }
    let read = config::secret(file).map(Some);
    read.map_err(|fault| Finding::bad(format!("{}: {}", fault.key, fault.what), fault.instead))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Named;

    #[test]
    fn a_name_is_completed_and_a_whole_id_stays() {
        let server = ruma::server_name!("example.org");
        for (text, whole) in [
            ("synod", "@synod:example.org"),
            ("@synod", "@synod:example.org"),
            ("@ann:example.org", "@ann:example.org"),
            ("@ann:[::1]:8448", "@ann:[::1]:8448"),
        ] {
            assert_eq!(full(text, server).unwrap(), whole);
        }
        for text in ["ann:example.org", "@ann:", "@ann:exa mple"] {
            assert!(full(text, server).is_err(), "{text}");
        }
    }

    #[test]
    fn what_the_config_says_counts_more_than_what_is_said() {
        let named = |user: &str| Named { user: user.into(), rank: Rank::Admin, master_key: None };
        let said = Answers {
            homeserver: Some("elsewhere.org".into()),
            admin_url: Some("http://127.0.0.1:1".into()),
            login: Some("ann".into()),
            operators: vec![named("eve")],
            ..Answers::default()
        };
        let answers = Answers {
            homeserver: Some("https://x".into()),
            bot: Some("@synod:x".into()),
            operators: vec![named("@ann:x")],
            ..Answers::default()
        };
        let written = Written {
            answers,
            rooms: Vec::new(),
            admin_token: None,
            password: None,
            access_token: None,
        };
        let kept = kept(&said, &written);
        assert_eq!(kept.homeserver.as_deref(), Some("https://x"));
        assert_eq!((kept.admin_url, kept.login.as_deref()), (None, Some("ann")));
        assert_eq!(kept.operators, [named("@ann:x")]);
    }
}
