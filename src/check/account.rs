//! The homeserver and the accounts: the bot's, and that of the admin token.

use ruma::{OwnedServerName, OwnedUserId, ServerName, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{
    Finding, Report, disk,
    elsewhere::{self, Serves},
    http::{Api, Trouble},
};
use crate::{
    config::{Config, Login, RateLimit},
    synapse::files_of_nobody,
};

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
    /// `None` where the homeserver has no Admin API.
    pub(super) admin_api: Option<Api>,
}

/// Tells whether both APIs answer, and what they are; `None` where nobody answers at all. Asks
/// `/_matrix/client/versions` and `/_synapse/admin/v1/server_version`, which take no token, and where
/// the second is not there, what the homeserver announces to its admins.
pub(super) async fn homeserver(
    config: &Config,
    server: &Api,
    admin_server: &Api,
    report: &mut Report<'_>,
) -> Option<Serves> {
    let versions = server.get(&["_matrix", "client", "versions"], &[]).await;
    let versions = versions.and_then(|answer| match &answer["versions"] {
        Value::Array(_) => Ok(()),
        _ => Err(Trouble::Strange),
    });
    if let Err(trouble) = versions {
        report.add(Finding::bad(
            format!("homeserver: request to {} failed: {trouble}", server.address()),
            trouble.to_do(
                "homeserver.url",
                "Make sure that it runs and that homeserver.url is its \
                                          address",
            ),
        ));
        return None;
    }
    let version = admin_server.get(&["_synapse", "admin", "v1", "server_version"], &[]).await;
    let version = version.map(|answer| answer["server_version"].as_str().map(str::to_owned));
    if let Err(Trouble::Refused { status: 404, errcode, .. }) = &version
        && errcode == "M_UNRECOGNIZED"
        && let Some(announced) = elsewhere::announced(config, admin_server).await
    {
        report.add(elsewhere::told(announced, &places(server, admin_server)));
        return Some(Serves::Specification);
    }
    report.add(match version {
        Ok(Some(version)) => {
            let places = places(server, admin_server);
            Finding::ok(format!("homeserver: reachable, Synapse {version}, at {places}"))
        }
        Ok(None) => no_admin_api(server, admin_server, "it is not Synapse"),
        Err(trouble) => no_admin_api(server, admin_server, &trouble.to_string()),
    });
    Some(Serves::AdminApi)
}

/// Where the homeserver is asked, and which of that others on the network can read.
fn places(server: &Api, admin_server: &Api) -> String {
    let place = |api: &Api| {
        let clear =
            if api.is_in_clear() { " (unencrypted, as allow_plain_http allows)" } else { "" };
        api.address() + clear
    };
    let (server, admin_server) = (place(server), place(admin_server));
    if server == admin_server {
        return server;
    }
    format!("{server}, and its Admin API at {admin_server}")
}

fn no_admin_api(server: &Api, admin_server: &Api, why: &str) -> Finding {
    let (server, admin_server) = (server.address(), admin_server.address());
    Finding::bad(
        format!(
            "homeserver: reachable at {server}, but its Admin API is not at {admin_server}: {why}"
        ),
        "Set homeserver.admin_url to the address where Synapse serves /_synapse/admin; a reverse \
        proxy often leaves it out",
    )
}

/// Told where another homeserver answers than the one that the ids of the config name.
pub(super) async fn misnamed(config: &Config, server: &Api) -> Option<Finding> {
    let name = if let Ok((user, _)) = whoami(server, &config.homeserver.admin_token).await {
        user.server_name().to_owned()
    } else {
        // What it tells other servers of itself; it need not do so at this address.
        let keys = server.get(&["_matrix", "key", "v2", "server"], &[]).await.ok()?;
        OwnedServerName::try_from(keys["server_name"].as_str()?).ok()?
    };
    otherwise_named(&name, config.bot.user_id.server_name(), &server.address())
}

fn otherwise_named(name: &ServerName, written: &ServerName, at: &str) -> Option<Finding> {
    (name != written).then(|| {
        Finding::bad(
            format!("homeserver: this homeserver is {name}, not {written}"),
            format!(
                "Write {name} after the colon in bot.user_id, rooms and operators; or, if you mean \
                {written}, set homeserver.url to its address instead of {at}. Then check again: \
                nothing else was checked"
            ),
        )
    })
}

/// Finds a token of the bot that works: the session that it keeps, its access token, or one login
/// by password. Where there is none, the last finding is why.
pub(super) async fn bot(
    config: &Config,
    server: &Api,
    report: &mut Report<'_>,
) -> Result<Bot, Finding> {
    let (kept, finding) = disk::kept(config);
    report.all(finding);
    if let Some(kept) = kept {
        match whoami(server, &kept.token).await {
            Ok(_) => {
                report.add(Finding::ok(format!(
                    "bot: the saved session works, device {}",
                    kept.device
                )));
                let device = Some(kept.device);
                return Ok(Bot { api: server.with(&kept.token), device, passing: None });
            }
            Err(trouble) => report.add(ended(config, &kept.device, &trouble)),
        }
    }
    match &config.bot.login {
        Login::AccessToken(token) => by_token(config, server, token, report).await,
        Login::Password(password) => by_password(config, server, password, report).await,
    }
}

/// What is told of a kept session that does not work.
fn ended(config: &Config, device: &str, trouble: &Trouble) -> Finding {
    let file = disk::session(config);
    let file = file.display();
    let by_password = matches!(config.bot.login, Login::Password(_));
    match trouble.status() {
        Some(401) if trouble.has_expired() && by_password => Finding::warn(
            format!("bot: the session of its device {device} has expired: {trouble}"),
            "Start synod, which logs in again by itself, as the same device",
        ),
        Some(401) if trouble.has_expired() => Finding::bad(
            format!("bot: the session of its device {device} has expired: {trouble}"),
            "Log in as the bot, put the new token in the place set in bot.access_token, and start \
             synod",
        ),
        Some(401) => {
            let token = if by_password {
                ""
            } else {
                "log in as the bot, put the new token in the place set in bot.access_token, "
            };
            Finding::bad(
                format!("bot: somebody has logged its device {device} out: {trouble}"),
                format!(
                    "If that was done to stop the bot, leave it. If not, {token}delete {file} and \
                    start synod: it continues as a new device"
                ),
            )
        }
        _ => Finding::bad(
            format!("bot: the saved session of its device {device} does not work: {trouble}"),
            trouble.to_do("homeserver.url", "Fix what the homeserver says there, and check again"),
        ),
    }
}

async fn by_token(
    config: &Config,
    server: &Api,
    token: &SecretString,
    report: &mut Report<'_>,
) -> Result<Bot, Finding> {
    const FIT: &str = "Log in as the bot and use that token: a token from the Admin API or an \
        application service belongs to no device and cannot encrypt";
    match whoami(server, token).await {
        Err(trouble) => {
            let ended = match trouble.status() {
                Some(401) if trouble.has_expired() => "it has expired: ",
                Some(401) => "it was logged out, or it never was a token: ",
                _ => "",
            };
            Err(Finding::bad(
                format!("bot: bot.access_token does not work: {ended}{trouble}"),
                trouble
                    .to_do("homeserver.url", "Log in as the bot and replace it with the new token"),
            ))
        }
        Ok((user, _)) if user != config.bot.user_id => Err(Finding::bad(
            format!("bot: bot.access_token belongs to {user}, not to {}", config.bot.user_id),
            "Write the user id of the token's account, or the token of this account",
        )),
        Ok((user, None)) => {
            let what = format!(
                "bot: the token of {user} cannot be used, since it belongs to no \
                                device"
            );
            report.add(Finding::bad(what, FIT));
            Ok(Bot { api: server.with(token), device: None, passing: None })
        }
        Ok((user, Some(device))) => {
            report.add(Finding::ok(format!("bot: the token of {user} works, device {device}")));
            Ok(Bot { api: server.with(token), device: Some(device), passing: None })
        }
    }
}

async fn by_password(
    config: &Config,
    server: &Api,
    password: &SecretString,
    report: &mut Report<'_>,
) -> Result<Bot, Finding> {
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
            Ok(Bot {
                api: server.with(&token.into()),
                device: None,
                passing: Some(answer["device_id"].as_str().unwrap_or("?").to_owned()),
            })
        }
        (Err(trouble), _) if trouble.status() == Some(429) => {
            let what = format!("bot: the homeserver limits logins at the moment: {trouble}");
            Err(Finding::warn(what, "Wait a few minutes and check again"))
        }
        (Err(trouble), _) => Err(Finding::bad(
            format!("bot: {user} cannot log in: {trouble}"),
            trouble.to_do(
                "homeserver.url",
                "Make sure that the account exists on this server and that bot.password is its \
                password; if an authentication service manages the accounts, use bot.access_token \
                instead",
            ),
        )),
        (Ok(_), None) => {
            let what = "bot: the answer to the login contains no token";
            Err(Finding::bad(what, "Make sure that homeserver.url is the address of a homeserver"))
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
    (server, admin_server): (&Api, &Api),
    by: Serves,
    report: &mut Report<'_>,
) -> Option<Admin> {
    let token = &config.homeserver.admin_token;
    let (user, _) = match whoami(server, token).await {
        Ok(who) => who,
        Err(trouble) => {
            report.add(untaken(config, &trouble));
            return None;
        }
    };
    let admin_api = admin_server.with(token);
    let has_rights = match by {
        Serves::AdminApi => lists(&admin_api).await,
        // Only to an admin anything was announced.
        Serves::Specification => Ok(()),
    };
    let finding = match has_rights {
        Ok(()) if user == config.bot.user_id => Finding::warn(
            format!("admin token: it works, but belongs to the bot's own account {user}"),
            "Use a separate admin account for it, so that somebody who takes over the bot's \
            account does not get the server",
        ),
        Ok(()) => Finding::ok(format!("admin token: it works and belongs to the admin {user}")),
        Err(trouble) if trouble.status() == Some(403) => Finding::bad(
            format!("admin token: {user} is not a server admin: {trouble}"),
            "Make the account an admin, or use an admin's token; if an authentication service \
            manages the accounts, the token needs the scope urn:synapse:admin:*",
        ),
        Err(trouble) => Finding::bad(
            format!("admin token: the Admin API does not accept it: {trouble}"),
            trouble.to_do(
                "homeserver.admin_url",
                "Make sure that homeserver.admin_url is an address of the same homeserver",
            ),
        ),
    };
    let works = finding.mark != super::Mark::Bad;
    report.add(finding);
    let admin_api = (by == Serves::AdminApi).then_some(admin_api);
    works.then(|| Admin { client_api: server.with(token), admin_api })
}

/// Lists an account, which only an admin may.
async fn lists(admin_api: &Api) -> Result<(), Trouble> {
    let users = ["_synapse", "admin", "v2", "users"];
    let listed = admin_api.get(&users, &[("limit", "1"), ("guests", "false")]).await;
    listed.and_then(|answer| match &answer["users"] {
        Value::Array(_) => Ok(()),
        _ => Err(Trouble::Strange),
    })
}

/// What is told of an admin token that the homeserver does not take.
fn untaken(config: &Config, trouble: &Trouble) -> Finding {
    let ended = match trouble.status() {
        Some(401) if trouble.has_expired() => "it has expired: ",
        Some(401) => "it was logged out, or it never was a token: ",
        _ => "",
    };
    let place = config.homeserver.admin_token_file.as_ref().map_or_else(
        || "in the place set in homeserver.admin_token".to_owned(),
        |file| format!("into {}", file.display()),
    );
    let to_do = format!(
        "Log in as the server admin and put the token of that login {place}; a running bot loads \
        it with !config reload"
    );
    Finding::bad(
        format!("admin token: it does not work: {ended}{trouble}"),
        trouble.to_do("homeserver.url", &to_do),
    )
}

/// Whether files are served where they are asked for. Asks for those of an account that nobody can have,
/// which is refused by another name where they are.
/// `GET /_synapse/admin/v1/users/{user_id}/media`.
pub(super) async fn media(config: &Config, admin: &Api) -> Option<Finding> {
    let named = config.homeserver.media_admin_url.as_ref();
    let api = named.map_or_else(|| admin.clone(), |url| admin.at(url));
    let path = files_of_nobody(config.bot.user_id.server_name());
    let path: Vec<&str> = path.parts().iter().map(String::as_str).collect();
    let trouble = api.get(&path, &[("limit", "1")]).await.err();
    let address = api.address();
    match (trouble, named) {
        (Some(trouble), None) if trouble.is_unknown_route() => Some(Finding::warn(
            format!("files: a media worker serves them, not {address}"),
            "Set homeserver.media_admin_url to the address of the media worker; until then commands \
            about files fail",
        )),
        (Some(trouble), Some(_)) if trouble.is_unknown_route() => Some(Finding::bad(
            format!("files: {address} does not serve them"),
            "Set homeserver.media_admin_url to the address of the media worker, or remove the key if \
            there is none",
        )),
        (Some(trouble), Some(_)) if !matches!(trouble.status(), Some(400 | 404)) => {
            Some(Finding::bad(
                format!("files: request to {address} failed: {trouble}"),
                trouble.to_do(
                    "homeserver.media_admin_url",
                    "Make sure that it runs, and that homeserver.media_admin_url is an address of the \
                    same homeserver",
                ),
            ))
        }
        (_, Some(_)) => Some(Finding::ok(format!("files: served at {address}"))),
        (_, None) => None,
    }
}

/// The bot's account as an admin sees it.
pub(super) async fn bot_as_seen(config: &Config, admin: &Api) -> Option<Finding> {
    let user = &config.bot.user_id;
    let answer = match account(user, admin).await {
        Ok(answer) => answer,
        Err(trouble) => {
            return Some(Finding::bad(
                format!("bot: the account {user} cannot be checked: {trouble}"),
                trouble.to_do(
                    "homeserver.admin_url",
                    "Register it on this homeserver as an ordinary account",
                ),
            ));
        }
    };
    match hindrance(&answer) {
        Some(flag) => Some(Finding::bad(
            format!("bot: the account {user} is {flag}"),
            "Undo that, or give the bot another account",
        )),
        None if truth(&answer["admin"]) => Some(Finding::warn(
            format!("bot: the account {user} is a server admin, which is not needed"),
            "Make it an ordinary account; the admin token is enough",
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
            format!("rate limit: it cannot be checked: {trouble}"),
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
        (_, _, RateLimit::Lift) => Finding::ok(
            "rate limit: the server's default; the bot will ask once whether to lift \
                         it",
        ),
        (_, _, RateLimit::Keep) => Finding::warn(
            "rate limit: the server's default, usually ten events and then one every five seconds",
            "If answers are slow, set `rate_limit: lift` under homeserver",
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
    use crate::config::Encryption;

    fn refused(status: u16, soft_logout: bool) -> Trouble {
        let (errcode, error) = ("M_UNKNOWN_TOKEN".to_owned(), "no".to_owned());
        Trouble::Refused { status, errcode, error, soft_logout }
    }

    #[test]
    fn another_homeserver_is_told_by_both_names() {
        let told = |name: &str, written: &str| {
            let [name, written] = [name, written].map(|name| ServerName::parse(name).unwrap());
            otherwise_named(&name, &written, "https://m.x")
        };
        assert_eq!(told("example.org", "example.org"), None);
        for (name, written) in [("example.org", "exmaple.org"), ("x", "x:8448"), ("x.org", "x")] {
            let told = told(name, written).unwrap();
            assert_eq!(told.mark, Mark::Bad);
            let what = format!("homeserver: this homeserver is {name}, not {written}");
            assert_eq!(told.what, what);
            let to_do = told.to_do.unwrap();
            assert!(to_do.contains(&format!("Write {name} after the colon")), "{to_do}");
            assert!(
                to_do.contains("set homeserver.url to its address instead of https://m.x"),
                "{to_do}"
            );
        }
    }

    #[test]
    fn a_session_that_was_logged_out_is_told_from_one_that_has_expired() {
        let mut config = super::super::tests::config(Encryption::Required);
        config.state = "/var/lib/synod".into();
        let told = |config: &Config, trouble| ended(config, "DEV", &trouble).to_string();
        let out = told(&config, refused(401, false));
        assert!(out.starts_with("BAD   bot: somebody has logged its device DEV out: "), "{out}");
        assert!(out.contains("delete /var/lib/synod/session.json and start synod"), "{out}");
        assert!(!out.contains("bot.access_token"), "{out}");
        let expired = told(&config, refused(401, true));
        assert!(expired.starts_with("warn  bot: the session of its device DEV has"), "{expired}");
        assert!(expired.contains("Start synod, which logs in again by itself"), "{expired}");
        config.bot.login = Login::AccessToken("".into());
        for soft in [false, true] {
            let out = told(&config, refused(401, soft));
            assert!(
                out.contains("put the new token in the place set in bot.access_token"),
                "{out}"
            );
        }
        let other = told(&config, refused(500, false));
        assert!(other.contains("DEV does not work: the server answered 500"), "{other}");
        let foreign = told(&config, Trouble::Foreign(502));
        assert!(foreign.contains("Set homeserver.url to an address"), "{foreign}");
    }

    #[test]
    fn an_admin_token_that_is_not_taken_is_told_with_its_file() {
        let mut config = super::super::tests::config(Encryption::Required);
        let told = untaken(&config, &refused(401, false)).to_string();
        assert!(told.contains("does not work: it was logged out, or it never"), "{told}");
        assert!(told.contains("in the place set in homeserver.admin_token"), "{told}");
        config.homeserver.admin_token_file = Some("/etc/synod/admin-token".into());
        let told = untaken(&config, &refused(401, true)).to_string();
        assert!(told.contains("it has expired: the server answered 401"), "{told}");
        assert!(told.contains("into /etc/synod/admin-token; a running bot"), "{told}");
    }

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
