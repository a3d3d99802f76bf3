//! The accounts: that of the admin token and the bot's, and whoever makes them.

use std::path::Path;

use ruma::{OwnedUserId, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{cannot, homeserver::Homeserver, notes::Notes, secret_in};
use crate::{
    check::http::{Api, Trouble},
    clock::Clock,
    finding::Finding,
    matrix::files,
};

/// Characters of a password that nobody types: some 187 bits.
const PASSWORD: usize = 32;

/// The device of the admin token: a login on a device that is there takes its place, so however often
/// a setup was cut off, there is one.
const TOKEN_DEVICE: &str = "SYNODADMINTOKEN";

/// The device of the login that is used once, for the same reason.
const PASSING_DEVICE: &str = "SYNODSETUP";

/// What makes a first admin where nobody is one.
pub(super) const FIRST_ADMIN: &str = "if there is no admin yet, create one on the homeserver's \
    machine with register_new_matrix_user -c homeserver.yaml --user NAME --admin, and run this \
    again with --login NAME";

/// Somebody whose token works.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) user: OwnedUserId,
    /// The client API.
    pub(super) client: Api,
    /// The Admin API.
    pub(super) admin: Api,
}

impl Caller {
    /// Whose token it is (`GET /_matrix/client/v3/account/whoami`).
    pub(super) async fn of(server: &Homeserver, token: &SecretString) -> Result<Self, Trouble> {
        let client = server.client.with(token);
        let answer = client.get(&["_matrix", "client", "v3", "account", "whoami"], &[]).await?;
        let user = answer["user_id"].as_str().and_then(|user| OwnedUserId::try_from(user).ok());
        let admin = server.admin.with(token);
        Ok(Self { user: user.ok_or(Trouble::Strange)?, client, admin })
    }

    /// Whether the Admin API serves them.
    pub(super) async fn check_admin(&self) -> Result<(), Trouble> {
        let path = ["_synapse", "admin", "v2", "users"];
        let answer = self.admin.get(&path, &[("limit", "1"), ("guests", "false")]).await?;
        if answer["users"].is_array() { Ok(()) } else { Err(Trouble::Strange) }
    }

    /// An account, where there is one.
    pub(super) async fn account(&self, user: &UserId) -> Result<Option<Value>, Trouble> {
        let path = ["_synapse", "admin", "v2", "users", user.as_str()];
        match self.admin.get(&path, &[]).await {
            Ok(account) if account["name"].is_string() => Ok(Some(account)),
            Ok(_) => Err(Trouble::Strange),
            Err(trouble) if trouble.status() == Some(404) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    async fn put(&self, user: &UserId, body: &Value) -> Result<(), Trouble> {
        let path = ["_synapse", "admin", "v2", "users", user.as_str()];
        self.admin.put(&path, body).await.map(|_| ())
    }
}

/// A server admin's own login, which is used once and logged out again.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) caller: Caller,
    token: SecretString,
    /// Whether the login was made here, and is ended here.
    pub(super) passing: bool,
}

impl Visit {
    /// Logs in with a password, as a server admin. Where that is `account`, which the admin token is
    /// to belong to, it is the login that stays.
    pub(super) async fn by_password(
        server: &Homeserver,
        user: &str,
        password: &SecretString,
        account: &str,
    ) -> Result<Self, Finding> {
        let logged_in = async |device, name| {
            let token = log_in(server, user, password, device, name).await?;
            let caller = Caller::of(server, &token).await?;
            Ok(Self { caller, token, passing: true })
        };
        let failed = |trouble| not_logged_in(user, &trouble);
        let mut visit: Self = logged_in(PASSING_DEVICE, "Synod setup").await.map_err(failed)?;
        let checked = visit.check_admin().await;
        if checked.is_ok() && is_named(&visit.caller.user, account) {
            let lasting = logged_in(TOKEN_DEVICE, "Synod").await.map_err(failed);
            visit.leave().await;
            visit = Self { passing: false, ..lasting? };
        }
        match checked {
            Ok(()) => Ok(visit),
            Err(finding) => {
                visit.leave().await;
                Err(finding)
            }
        }
    }

    /// Takes a token of a server admin.
    pub(super) async fn by_token(
        server: &Homeserver,
        token: &SecretString,
    ) -> Result<Self, Finding> {
        let caller = Caller::of(server, token).await.map_err(|trouble| {
            Finding::bad(
                format!("login: the homeserver does not accept the token: {trouble}"),
                trouble.to_do("--homeserver", "Log in again as a server admin and use that token"),
            )
        })?;
        let visit = Self { caller, token: token.clone(), passing: false };
        visit.check_admin().await?;
        Ok(visit)
    }

    async fn check_admin(&self) -> Result<(), Finding> {
        let user = &self.caller.user;
        self.caller.check_admin().await.map_err(|trouble| match trouble.status() {
            Some(403) => Finding::bad(
                format!("login: {user} is not a server admin: {trouble}"),
                format!("Use a server admin with --login; {FIRST_ADMIN}"),
            ),
            _ => Finding::bad(
                format!("login: the Admin API does not accept the login of {user}: {trouble}"),
                trouble.to_do(
                    "--admin-url",
                    "Make sure that --admin-url belongs to the same \
                                              homeserver",
                ),
            ),
        })
    }

    /// Ends the login, if it was made here.
    pub(super) async fn leave(&self) -> Option<Finding> {
        if !self.passing {
            return None;
        }
        let path = ["_matrix", "client", "v3", "logout"];
        let trouble = self.caller.client.post(&path, &json!({})).await.err()?;
        // Whoever was cut off here comes again: then it is logged out already.
        (trouble.status() != Some(401)).then(|| {
            Finding::warn(
                format!("login: it could not be logged out: {trouble}"),
                format!("Remove the device {PASSING_DEVICE} of {}", self.caller.user),
            )
        })
    }
}

/// Whether an account is what somebody has called it, with or without its server.
fn is_named(user: &UserId, name: &str) -> bool {
    name == user.as_str() || name.trim_start_matches('@') == user.localpart()
}

fn not_logged_in(user: &str, trouble: &Trouble) -> Finding {
    let (what, to_do) = match trouble.status() {
        Some(429) => {
            ("the homeserver limits logins at the moment", "Wait a few minutes, and run this again")
        }
        Some(403) => (
            "the homeserver refuses the login",
            "Make sure that this is one of its server admins, and type the password again",
        ),
        _ => (
            "they cannot log in",
            "If it does not accept passwords, give a server admin's token in a file with \
             --token-file",
        ),
    };
    Finding::bad(format!("login: {user}: {what}: {trouble}"), trouble.to_do("--homeserver", to_do))
}

/// Logs in by password and answers the token (`POST /_matrix/client/v3/login`).
async fn log_in(
    server: &Homeserver,
    user: &str,
    password: &SecretString,
    device: &str,
    name: &str,
) -> Result<SecretString, Trouble> {
    let body = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": user },
        "password": password.expose_secret(),
        "device_id": device,
        "initial_device_display_name": name,
    });
    let answer = server.client.post(&["_matrix", "client", "v3", "login"], &body).await?;
    answer["access_token"].as_str().map(SecretString::from).ok_or(Trouble::Strange)
}

/// The account of the admin token, with the token that lies in its file: the one that lies there
/// works, or it is made now by `visit`.
pub(super) async fn admin_token(
    (server, visit): (&Homeserver, &Visit),
    account: &UserId,
    file: &Path,
    notes: &mut Notes,
    clock: &dyn Clock,
) -> Result<Vec<Finding>, Finding> {
    if visit.caller.user == *account && !visit.passing {
        write_secret(file, &visit.token)?;
        return Ok(vec![Finding::ok(format!(
            "admin token: the token of {account} is in {}",
            file.display()
        ))]);
    }
    let mut findings = Vec::new();
    let password = SecretString::from(clock.secret(PASSWORD));
    if make_sure(&visit.caller, account, "--admin-account", notes).await? {
        findings.push(Finding::ok(format!("admin token: created the account {account}, an admin")));
    }
    // Nobody keeps its password: whoever needs another token comes with an admin's login again.
    let body = json!({
        "admin": true,
        "displayname": "Synod (admin token)",
        "password": password.expose_secret(),
        "logout_devices": true,
    });
    let made = visit.caller.put(account, &body).await;
    made.map_err(|trouble| not_made(account, "--admin", &trouble))?;
    let token = log_in(server, account.as_str(), &password, TOKEN_DEVICE, "Synod").await;
    let token = token.map_err(|trouble| {
        Finding::bad(
            format!("admin token: {account} cannot log in: {trouble}"),
            trouble.to_do("--homeserver", "Wait a few minutes, and run this again"),
        )
    })?;
    write_secret(file, &token)?;
    findings.push(Finding::ok(format!(
        "admin token: it is in {}, from a login of {account} that is used only for this",
        file.display()
    )));
    Ok(findings)
}

/// Sees to it that this account is one of ours to make or to change: it was made here, or there is
/// none. Whether there was none.
async fn make_sure(
    caller: &Caller,
    account: &UserId,
    flag: &str,
    notes: &mut Notes,
) -> Result<bool, Finding> {
    let there = caller.account(account).await.map_err(|trouble| not_seen(account, &trouble))?;
    match there {
        None => {
            notes.makes(account)?;
            Ok(true)
        }
        Some(_) if notes.has_made(account) => Ok(false),
        Some(_) => Err(Finding::bad(
            format!("account: {account} already exists, and was not created by this setup"),
            format!("Name another one with {flag}, which is then created"),
        )),
    }
}

fn not_seen(account: &UserId, trouble: &Trouble) -> Finding {
    Finding::bad(
        format!("account: {account} cannot be checked: {trouble}"),
        trouble.to_do("--admin-url", "Run this again"),
    )
}

fn not_made(account: &UserId, as_what: &str, trouble: &Trouble) -> Finding {
    Finding::bad(
        format!("account: {account} cannot be created: {trouble}"),
        trouble.to_do(
            "--admin-url",
            &format!(
                "Create it on the homeserver's machine with register_new_matrix_user -c \
                homeserver.yaml --user {} {as_what}, and see what it says there",
                account.localpart()
            ),
        ),
    )
}

/// The bot's account, whose password lies in `file` before it is made.
pub(super) async fn bot(
    caller: &Caller,
    server: &Homeserver,
    account: &UserId,
    file: &Path,
    notes: &mut Notes,
    clock: &dyn Clock,
) -> Result<Finding, Finding> {
    let there = caller.account(account).await.map_err(|trouble| not_seen(account, &trouble))?;
    let kept = secret_in(file)?;
    if let (Some(_), Some(password)) = (&there, &kept)
        && !notes.has_made(account)
    {
        // Somebody has made it, and put its password there.
        return its_password(server, account, password, file).await;
    }
    if there.is_some() && kept.is_some() && notes.is_done {
        return Ok(Finding::ok(format!("bot: its account {account} exists")));
    }
    let is_new = make_sure(caller, account, "--bot", notes).await.map_err(|finding| Finding {
        to_do: finding.to_do.map(|to_do| {
            format!("{to_do}; or put its password into {}, and run this again", file.display())
        }),
        ..finding
    })?;
    let password = if let Some(password) = kept {
        password
    } else {
        let password = SecretString::from(clock.secret(PASSWORD));
        write_secret(file, &password)?;
        password
    };
    // Sent again where it was cut off: it may be there with another password, or with none.
    let body = json!({
        "admin": false,
        "displayname": "Synod",
        "password": password.expose_secret(),
        "logout_devices": false,
    });
    let made = caller.put(account, &body).await;
    made.map_err(|trouble| not_made(account, "--no-admin", &trouble))?;
    let made = if is_new { "created" } else { "set the password of" };
    let file = file.display();
    Ok(Finding::ok(format!("bot: {made} the account {account}; its password is in {file}")))
}

/// Tries the password of a bot that somebody else has made, and logs out again.
async fn its_password(
    server: &Homeserver,
    account: &UserId,
    password: &SecretString,
    file: &Path,
) -> Result<Finding, Finding> {
    let token = log_in(server, account.as_str(), password, PASSING_DEVICE, "Synod setup").await;
    let token = token.map_err(|trouble| {
        Finding::bad(
            format!(
                "bot: {account} cannot log in with the password in {}: {trouble}",
                file.display()
            ),
            "Put its password there, or name another account with --bot, which is then created",
        )
    })?;
    let path = ["_matrix", "client", "v3", "logout"];
    if let Err(trouble) = server.client.with(&token).post(&path, &json!({})).await {
        return Err(Finding::bad(
            format!("bot: the login that tested its password could not be logged out: {trouble}"),
            format!("Remove the device {PASSING_DEVICE} of {account}, and run this again"),
        ));
    }
    Ok(Finding::ok(format!("bot: its account {account} exists, and its password works")))
}

/// Logs out what is left of a bot that was cut off at its first login: every device but its own.
pub(super) async fn tidy(caller: &Caller, account: &UserId, own: &str) -> Result<(), Trouble> {
    let user = account.as_str();
    let path = ["_synapse", "admin", "v2", "users", user, "devices"];
    let listed = caller.admin.get(&path, &[]).await?;
    let devices = listed["devices"].as_array().map(Vec::as_slice).unwrap_or_default();
    let others: Vec<&str> = devices
        .iter()
        .filter_map(|device| device["device_id"].as_str())
        .filter(|device| *device != own)
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    let path = ["_synapse", "admin", "v2", "users", user, "delete_devices"];
    caller.admin.post(&path, &json!({ "devices": others })).await.map(|_| ())
}

/// Ends the login of an admin whose setup was cut off before it could do so itself.
pub(super) async fn log_out_visitor(caller: &Caller, visitor: &UserId) -> Result<(), Finding> {
    let path = ["_synapse", "admin", "v2", "users", visitor.as_str(), "delete_devices"];
    let done = caller.admin.post(&path, &json!({ "devices": [PASSING_DEVICE] })).await;
    done.map(|_| ()).map_err(|trouble| {
        Finding::bad(
            format!("login: the login of {visitor} could not be logged out: {trouble}"),
            format!("Remove the device {PASSING_DEVICE} of that account, and run this again"),
        )
    })
}

/// Puts a secret into its file, for this user alone.
pub(super) fn write_secret(file: &Path, secret: &SecretString) -> Result<(), Finding> {
    let line = SecretString::from(format!("{}\n", secret.expose_secret()));
    files::write(file, line.expose_secret().as_bytes()).map_err(|error| cannot(&error))
}
