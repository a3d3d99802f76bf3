//! The homeserver and the accounts: the bot's, and that of the admin token.

use ruma::{OwnedUserId, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{
    Finding, Report, disk,
    http::{Api, Trouble},
};
use crate::config::{Config, Login, RateLimit};

/// What the device of a password login is called for the moment that it exists.
const PASSING_DEVICE: &str = "synod check";

/// The bot's account, asked with a token that works.
pub(super) struct Bot {
    pub(super) api: Api,
    /// The device that the bot runs as, or will; `None` for a login that only the check made.
    pub(super) device: Option<String>,
    /// The device that the check made and logs out again.
    passing: Option<String>,
}

/// The account of the admin token, with a token that works.
pub(super) struct Admin {
    pub(super) client_api: Api,
    pub(super) admin_api: Api,
}

/// Tells whether both APIs answer, and what they are; false where nobody answers at all. Asks
/// `/_matrix/client/versions` and `/_synapse/admin/v1/server_version`, which take no token.
pub(super) async fn homeserver(server: &Api, admin_server: &Api, report: &mut Report<'_>) -> bool {
    let versions = server.get(&["_matrix", "client", "versions"], &[]).await;
    let versions = versions.and_then(|answer| match &answer["versions"] {
        Value::Array(_) => Ok(()),
        _ => Err(Trouble::Strange),
    });
    if let Err(trouble) = versions {
        report.add(Finding::bad(
            format!("homeserver: {trouble}"),
            "See that it runs and that homeserver.url is its address",
        ));
        return false;
    }
    let version = admin_server.get(&["_synapse", "admin", "v1", "server_version"], &[]).await;
    let version = version.map(|answer| answer["server_version"].as_str().map(str::to_owned));
    report.add(match version {
        Ok(Some(version)) => Finding::ok(format!("homeserver: reachable, Synapse {version}")),
        Ok(None) => no_admin_api("it is not Synapse's"),
        Err(trouble) => no_admin_api(&trouble.to_string()),
    });
    true
}

fn no_admin_api(why: &str) -> Finding {
    Finding::bad(
        format!("homeserver: reachable, but its Admin API is not: {why}"),
        "Let homeserver.admin_url name the address where Synapse serves /_synapse/admin; a \
         reverse proxy often leaves it out",
    )
}

/// Finds a token of the bot that works: the session that it keeps, its access token, or one login
/// by password.
pub(super) async fn bot(config: &Config, server: &Api, report: &mut Report<'_>) -> Option<Bot> {
    let (kept, finding) = disk::kept(config);
    report.all(finding);
    if let Some(kept) = kept {
        match whoami(server, &kept.token).await {
            Ok(_) => {
                report.add(Finding::ok(format!(
                    "bot: the kept session works, device {}",
                    kept.device
                )));
                let device = Some(kept.device);
                return Some(Bot { api: server.with(&kept.token), device, passing: None });
            }
            Err(trouble)
                if trouble.is_of_expired_token()
                    && matches!(config.bot.login, Login::Password(_)) =>
            {
                report.add(Finding::warn(
                    format!("bot: the time of the kept session is over: {trouble}"),
                    "Start synod if it does not run: it logs in again on the same device",
                ));
            }
            Err(trouble) => report.add(Finding::bad(
                format!("bot: the kept session does not work: {trouble}"),
                after(&trouble, &config.bot.login),
            )),
        }
    }
    match &config.bot.login {
        Login::AccessToken(token) => by_token(config, server, token, report).await,
        Login::Password(password) => by_password(config, server, password, report).await,
    }
}

/// What helps against a kept session that does not work.
fn after(trouble: &Trouble, login: &Login) -> &'static str {
    match (trouble.status(), login) {
        (Some(401), Login::AccessToken(_)) if trouble.is_of_expired_token() => {
            "Its time is over: log in as the bot, put the new token in its place and start synod"
        }
        (Some(401), Login::Password(_)) => {
            "Somebody has logged its device out. If that was not meant as a stop, delete \
             session.json in the state folder and start synod: it logs in as a new device"
        }
        (Some(401), Login::AccessToken(_)) => {
            "Somebody has logged its device out. If that was not meant as a stop, log in as the \
             bot, put the new token in its place, delete session.json in the state folder and \
             start synod"
        }
        _ => "Look at what the homeserver says there, and check again",
    }
}

async fn by_token(
    config: &Config,
    server: &Api,
    token: &SecretString,
    report: &mut Report<'_>,
) -> Option<Bot> {
    const FIT: &str = "Log in as the bot and take that token: one made through the Admin API, or \
                       an application service's, belongs to no device and cannot encrypt";
    match whoami(server, token).await {
        Err(trouble) => {
            report.add(Finding::bad(
                format!("bot: bot.access_token does not work: {trouble}"),
                "Log in as the bot and put the new token in its place",
            ));
            None
        }
        Ok((user, _)) if user != config.bot.user_id => {
            report.add(Finding::bad(
                format!("bot: bot.access_token belongs to {user}, not to {}", config.bot.user_id),
                "Write the user id of the token's account, or the token of this account",
            ));
            None
        }
        Ok((user, None)) => {
            let what = format!("bot: the token of {user} is unfit, it belongs to no device");
            report.add(Finding::bad(what, FIT));
            Some(Bot { api: server.with(token), device: None, passing: None })
        }
        Ok((user, Some(device))) => {
            report.add(Finding::ok(format!("bot: the token of {user} works, device {device}")));
            Some(Bot { api: server.with(token), device: Some(device), passing: None })
        }
    }
}

async fn by_password(
    config: &Config,
    server: &Api,
    password: &SecretString,
    report: &mut Report<'_>,
) -> Option<Bot> {
    let user = &config.bot.user_id;
    let body = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": user },
        "password": password.expose_secret(),
        "initial_device_display_name": PASSING_DEVICE,
    });
    let answer = server.post(&["_matrix", "client", "v3", "login"], &body).await;
    let token = answer.as_ref().ok().and_then(|answer| answer["access_token"].as_str());
    match (&answer, token) {
        (Ok(answer), Some(token)) => {
            report.add(Finding::ok(format!("bot: the password of {user} works")));
            Some(Bot {
                api: server.with(&token.into()),
                device: None,
                passing: Some(answer["device_id"].as_str().unwrap_or("?").to_owned()),
            })
        }
        (Err(trouble), _) if trouble.status() == Some(429) => {
            let what = format!("bot: the homeserver limits logins just now: {trouble}");
            report.add(Finding::warn(what, "Wait some minutes and check again"));
            None
        }
        (Err(trouble), _) => {
            report.add(Finding::bad(
                format!("bot: {user} cannot log in: {trouble}"),
                "See that the account exists on this server and that bot.password is its \
                 password; where accounts are delegated, give it bot.access_token instead",
            ));
            None
        }
        (Ok(_), None) => {
            let what = "bot: the answer to the login holds no token";
            report.add(Finding::bad(what, "See that homeserver.url is a homeserver's address"));
            None
        }
    }
}

/// Logs the check's own login out again, if there was one.
pub(super) async fn leave(bot: Bot) -> Option<Finding> {
    let device = bot.passing?;
    let logout = bot.api.post(&["_matrix", "client", "v3", "logout"], &json!({})).await;
    logout.err().map(|trouble| {
        Finding::bad(
            format!("the check's own login could not be logged out: {trouble}"),
            format!("Remove the device {device} ({PASSING_DEVICE}) of the bot's account"),
        )
    })
}

/// The account of the admin token, if it works and is an admin's.
pub(super) async fn admin(
    config: &Config,
    server: &Api,
    admin_server: &Api,
    report: &mut Report<'_>,
) -> Option<Admin> {
    let token = &config.homeserver.admin_token;
    let (user, _) = match whoami(server, token).await {
        Ok(who) => who,
        Err(trouble) => {
            report.add(Finding::bad(
                format!("admin token: it does not work: {trouble}"),
                trouble.to_do(
                    "homeserver.url",
                    "Put a token of a server admin in the place that homeserver.admin_token names",
                ),
            ));
            return None;
        }
    };
    let admin_api = admin_server.with(token);
    let users = ["_synapse", "admin", "v2", "users"];
    let listed = admin_api.get(&users, &[("limit", "1"), ("guests", "false")]).await;
    let listed = listed.and_then(|answer| match &answer["users"] {
        Value::Array(_) => Ok(()),
        _ => Err(Trouble::Strange),
    });
    let finding = match listed {
        Ok(()) if user == config.bot.user_id => Finding::warn(
            format!("admin token: it works, but belongs to the bot's own account {user}"),
            "Better make an admin account for it alone, so that whoever takes over the bot's \
             account does not get the server",
        ),
        Ok(()) => Finding::ok(format!("admin token: it works and belongs to the admin {user}")),
        Err(trouble) if trouble.status() == Some(403) => Finding::bad(
            format!("admin token: {user} is not a server admin: {trouble}"),
            "Make the account an admin, or take the token of one; where accounts are delegated \
             the token needs the scope urn:synapse:admin:*",
        ),
        Err(trouble) => Finding::bad(
            format!("admin token: the Admin API does not take it: {trouble}"),
            trouble.to_do(
                "homeserver.admin_url",
                "See that homeserver.admin_url is an address of the same homeserver",
            ),
        ),
    };
    let works = finding.mark != super::Mark::Bad;
    report.add(finding);
    works.then(|| Admin { client_api: server.with(token), admin_api })
}

/// Tells if accounts are kept by an authentication service beside Synapse.
pub(super) async fn delegated(server: &Api, report: &mut Report<'_>) {
    let metadata = server.get(&["_matrix", "client", "v1", "auth_metadata"], &[]).await;
    if metadata.is_ok_and(|metadata| metadata["issuer"].is_string()) {
        report.add(Finding::warn(
            "accounts are delegated to an authentication service",
            "Passwords, locks, admin rights and logins are changed there; Synapse cannot, and \
             synod says so when asked to",
        ));
    }
}

/// The bot's account as an admin sees it.
pub(super) async fn bot_as_seen(config: &Config, admin: &Api) -> Option<Finding> {
    let user = &config.bot.user_id;
    let answer = match account(user, admin).await {
        Ok(answer) => answer,
        Err(trouble) => {
            return Some(Finding::bad(
                format!("bot: the account {user} cannot be looked at: {trouble}"),
                trouble.to_do(
                    "homeserver.admin_url",
                    "Register it on this homeserver, as an ordinary account",
                ),
            ));
        }
    };
    match hindrance(&answer) {
        Some(flag) => Some(Finding::bad(
            format!("bot: the account {user} is {flag}"),
            "Take that back, or give the bot another account",
        )),
        None if truth(&answer["admin"]) => Some(Finding::warn(
            format!("bot: the account {user} is a server admin and need not be"),
            "Take the right away from it; the admin token is enough",
        )),
        None => None,
    }
}

/// An account as an admin sees it.
pub(super) async fn account(user: &UserId, admin: &Api) -> Result<Value, Trouble> {
    let answer = admin.get(&["_synapse", "admin", "v2", "users", user.as_str()], &[]).await?;
    // What says nothing of an account would read like one with which nothing is wrong.
    if answer["name"].is_string() { Ok(answer) } else { Err(Trouble::Strange) }
}

/// What keeps an account from speaking, as an admin sees the account.
pub(super) fn hindrance(account: &Value) -> Option<String> {
    ["deactivated", "locked", "suspended", "shadow_banned"]
        .into_iter()
        .find(|flag| truth(&account[*flag]))
        .map(|flag| flag.replace('_', "-"))
}

/// The homeserver's limit on what the bot may send.
pub(super) async fn rate_limit(config: &Config, admin: &Api) -> Vec<Finding> {
    let user = config.bot.user_id.as_str();
    let path = ["_synapse", "admin", "v1", "users", user, "override_ratelimit"];
    match admin.get(&path, &[]).await {
        Ok(answer) => vec![limit(config.homeserver.rate_limit, &answer)],
        // The account is not there, which has been told.
        Err(trouble) if trouble.status() == Some(404) => Vec::new(),
        Err(trouble) => vec![Finding::warn(
            format!("rate limit: it cannot be looked at: {trouble}"),
            "Check again",
        )],
    }
}

fn limit(wanted: RateLimit, answer: &Value) -> Finding {
    let number = |name: &str| answer[name].as_i64();
    match (number("messages_per_second"), number("burst_count"), wanted) {
        (Some(0), Some(0), _) => Finding::ok("rate limit: lifted for the bot"),
        (Some(rate), Some(burst), _) => Finding::ok(format!(
            "rate limit: set for the bot, {rate} a second after the first {burst}"
        )),
        (_, _, RateLimit::Lift) => {
            Finding::ok("rate limit: the server's own; the bot will ask once whether to lift it")
        }
        (_, _, RateLimit::Keep) => Finding::warn(
            "rate limit: the server's own, by default ten events and then one in five seconds",
            "If answers are slow, write `rate_limit: lift` under homeserver",
        ),
    }
}

/// Whose token it is, and of which device.
async fn whoami(
    server: &Api,
    token: &SecretString,
) -> Result<(OwnedUserId, Option<String>), Trouble> {
    let path = ["_matrix", "client", "v3", "account", "whoami"];
    let answer = server.with(token).get(&path, &[]).await?;
    let user = answer["user_id"].as_str().and_then(|user| OwnedUserId::try_from(user).ok());
    let device = answer["device_id"].as_str().map(str::to_owned);
    Ok((user.ok_or(Trouble::Strange)?, device))
}

/// A flag that `SQLite` may have made a number.
fn truth(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_i64().is_some_and(|number| number != 0))
}

#[cfg(test)]
mod tests {
    use super::{super::Mark, *};

    #[test]
    fn an_empty_override_is_not_a_lifted_limit() {
        let lifted = json!({ "messages_per_second": 0, "burst_count": 0 });
        assert_eq!(limit(RateLimit::Keep, &lifted).mark, Mark::Ok);
        assert_eq!(limit(RateLimit::Keep, &json!({})).mark, Mark::Warn);
        assert!(limit(RateLimit::Lift, &json!({})).what.contains("ask once"));
        let set = limit(RateLimit::Keep, &json!({ "messages_per_second": 3, "burst_count": 40 }));
        assert!(set.what.contains("3 a second after the first 40"));
    }
}
