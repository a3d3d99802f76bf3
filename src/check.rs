//! `synod check`: looks at everything that the configuration names, and changes nothing.
//!
//! No store is opened and no device stays behind: the session of a bot that has run is used as it
//! lies on disk, a token as it is, and with a password the one login is logged out again at the
//! end, also when the check is interrupted. Nothing here shares code with the Matrix side of the
//! bot: what is told is what the homeserver shows to anybody who asks with those tokens.

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::Config,
    finding::{Finding, Mark},
};

mod account;
mod approval;
mod disk;
mod elsewhere;
pub(crate) mod http;
mod keys;
mod operators;
mod room;
mod service;

use account::Bot;
use elsewhere::Serves;
use http::Api;

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

/// Looks at everything and returns what was found, having given each finding to `tell` as it came.
/// Ctrl-C and SIGTERM end it early, with a finding that says so.
pub async fn check(config: &Config, tell: &mut (dyn FnMut(&Finding) + Send)) -> Vec<Finding> {
    let mut report = Report { findings: Vec::new(), tell };
    report.add(Finding::ok(concat!("synod: version ", env!("CARGO_PKG_VERSION"))));
    report.all(disk::findings(config));
    let Ok((server, admin_server)) = http::both(config) else {
        report.add(Finding::bad(
            "an HTTPS client cannot be set up here",
            "Check the TLS setup of this system",
        ));
        return report.findings;
    };
    let homeserver = account::homeserver(config, &server, &admin_server, &mut report).await;
    let Some(by) = homeserver else { return report.findings };
    // Installed before the login, so that a Ctrl-C during it cannot leave the device behind.
    let interrupts = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = interrupts else {
        report.add(Finding::bad(
            "signals cannot be received here",
            "Check the limits of this system",
        ));
        return report.findings;
    };
    let bot = match account::bot(config, &server, &mut report).await {
        Ok(bot) => Some(bot),
        Err(why) => {
            let other = account::misnamed(config, &server).await;
            let is_ours = other.is_none();
            report.add(other.unwrap_or(why));
            if !is_ours {
                return report.findings;
            }
            None
        }
    };
    let whole = tokio::select! {
        () = rest(config, (&server, &admin_server), by, bot.as_ref(), &mut report) => true,
        _ = interrupt.recv() => false,
        _ = terminate.recv() => false,
    };
    if !whole {
        report.add(Finding::bad(
            "interrupted: whatever is not listed was not checked",
            "Check again",
        ));
    }
    if let Some(bot) = bot {
        report.all(account::leave(bot).await);
    }
    report.findings
}

/// What is looked at once it is known who the bot is.
async fn rest(
    config: &Config,
    (server, admin_server): (&Api, &Api),
    by: Serves,
    bot: Option<&Bot>,
    report: &mut Report<'_>,
) {
    let admin = account::admin(config, (server, admin_server), by, report).await;
    service::findings(config, server, report).await;
    let all_seeing = admin.as_ref().and_then(|admin| admin.admin_api.as_ref());
    if let Some(all_seeing) = all_seeing {
        report.all(account::bot_as_seen(config, all_seeing).await);
        report.all(account::media(config, all_seeing).await);
    }
    // Whoever may look: either token shows rooms and keys.
    let own = bot.map(|bot| &bot.api);
    if let Some(client) = own.or(admin.as_ref().map(|admin| &admin.client_api)) {
        let mut members = Some(operators::Members::default());
        for room in &config.rooms {
            report.all(room::findings(config, room, client, all_seeing, &mut members).await);
        }
        if let Some(room) = &config.record.room {
            report.all(room::of_the_record(config, (**room).into(), client, all_seeing).await);
        }
        report.all(keys::findings(config, client, bot).await);
        report.all(operators::findings(config, members.as_ref(), all_seeing).await);
        report.all(approval::findings(config, members.as_ref()));
    } else {
        report.add(Finding::bad(
            "rooms and keys were not checked, since no token works",
            "Fix the tokens and check again",
        ));
    }
    if let (Some(admin), Some(all_seeing)) = (&admin, all_seeing) {
        report.all(account::rate_limit(config, all_seeing).await);
        report.all(room::statistics(config, client_of(bot, admin), all_seeing).await);
    }
}

/// Whoever may resolve an alias.
fn client_of<'a>(bot: Option<&'a Bot>, admin: &'a account::Admin) -> &'a Api {
    bot.map_or(&admin.client_api, |bot| &bot.api)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::config as stage_config;
