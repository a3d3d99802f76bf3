//! `synod check`: looks at everything that the configuration names, and changes nothing.
//!
//! No store is opened and no device stays behind: the session of a bot that has run is used as it
//! lies on disk, a token as it is, and with a password the one login is logged out again at the
//! end, also when the check is interrupted. Nothing here shares code with the Matrix side of the
//! bot: what is told is what the homeserver shows to anybody who asks with those tokens.

use std::fmt;

use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;

mod account;
mod disk;
mod http;
mod keys;
mod operators;
mod room;

use account::Bot;
use http::Api;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// As it should be.
    Ok,
    /// The bot works, but not as well or as safely as it could.
    Warn,
    /// The bot does not work like this, or is not safe.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub mark: Mark,
    /// What is so, without a full stop.
    pub what: String,
    /// What to do about it, without a full stop.
    pub to_do: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.mark {
            Mark::Ok => "ok  ",
            Mark::Warn => "warn",
            Mark::Bad => "BAD ",
        };
        write!(f, "{mark}  {}.", one_line(&self.what))?;
        self.to_do.iter().try_for_each(|to_do| write!(f, " {}.", one_line(to_do)))
    }
}

/// Some of the words come from the homeserver: without line breaks, signs that steer a terminal,
/// or signs that turn the direction of writing.
fn one_line(text: &str) -> String {
    let steers = |character: char| {
        character.is_control()
            || matches!(character, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|character| if steers(character) { ' ' } else { character }).collect()
}

/// The findings so far; each is told as it comes.
struct Report<'a> {
    findings: Vec<Finding>,
    tell: &'a mut (dyn FnMut(&Finding) + Send),
}

impl Report<'_> {
    fn add(&mut self, finding: Finding) {
        (self.tell)(&finding);
        self.findings.push(finding);
    }

    fn all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }
}

impl Finding {
    pub(crate) fn ok(what: impl Into<String>) -> Self {
        Self { mark: Mark::Ok, what: what.into(), to_do: None }
    }

    pub(crate) fn warn(what: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { mark: Mark::Warn, what: what.into(), to_do: Some(to_do.into()) }
    }

    pub(crate) fn bad(what: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { mark: Mark::Bad, what: what.into(), to_do: Some(to_do.into()) }
    }
}

/// Looks at everything and returns what was found, having given each finding to `tell` as it came.
/// Ctrl-C and SIGTERM end it early, with a finding that says so.
pub async fn check(config: &Config, tell: &mut (dyn FnMut(&Finding) + Send)) -> Vec<Finding> {
    let mut report = Report { findings: Vec::new(), tell };
    report.add(Finding::ok(concat!("synod: version ", env!("CARGO_PKG_VERSION"))));
    report.all(disk::findings(config));
    let Ok((server, admin_server)) = http::both(config) else {
        report.add(Finding::bad("no HTTPS client can be made here", "Look at this system's TLS"));
        return report.findings;
    };
    if !account::homeserver(&server, &admin_server, &mut report).await {
        return report.findings;
    }
    // Installed before the login, so that a Ctrl-C during it cannot leave the device behind.
    let interrupts = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = interrupts else {
        report.add(Finding::bad("signals cannot be watched here", "Look at this system's limits"));
        return report.findings;
    };
    let bot = account::bot(config, &server, &mut report).await;
    let whole = tokio::select! {
        () = rest(config, &server, &admin_server, bot.as_ref(), &mut report) => true,
        _ = interrupt.recv() => false,
        _ = terminate.recv() => false,
    };
    if !whole {
        report.add(Finding::bad("interrupted: what is not told was not looked at", "Check again"));
    }
    if let Some(bot) = bot {
        report.all(account::leave(bot).await);
    }
    report.findings
}

/// What is looked at once it is known who the bot is.
async fn rest(
    config: &Config,
    server: &Api,
    admin_server: &Api,
    bot: Option<&Bot>,
    report: &mut Report<'_>,
) {
    let admin = account::admin(config, server, admin_server, report).await;
    account::delegated(server, report).await;
    if let Some(admin) = &admin {
        report.all(account::bot_as_seen(config, &admin.admin_api).await);
    }
    // Whoever may look: either token shows rooms and keys.
    let own = bot.map(|bot| &bot.api);
    if let Some(client) = own.or(admin.as_ref().map(|admin| &admin.client_api)) {
        let all_seeing = admin.as_ref().map(|admin| &admin.admin_api);
        let mut members = Some(operators::Members::default());
        for room in &config.rooms {
            report.all(room::findings(config, room, client, all_seeing, &mut members).await);
        }
        if let Some(room) = &config.record.room {
            report.all(room::of_the_record(config, (**room).into(), client, all_seeing).await);
        }
        report.all(keys::findings(config, client, bot).await);
        report.all(operators::findings(config, members.as_ref(), all_seeing).await);
    } else {
        report.add(Finding::bad(
            "rooms and keys were not looked at, since no token works",
            "Mend the tokens and check again",
        ));
    }
    if let Some(admin) = &admin {
        report.all(account::rate_limit(config, &admin.admin_api).await);
    }
}

#[cfg(test)]
mod tests;
