//! Cross-signing keys as the homeserver shows them.
//!
//! Which key signed which is read from the answer; the signatures themselves are not computed. The
//! bot does that whenever it believes a device, and a check need not: it tells people what to mend.

use ruma::UserId;
use serde_json::{Value, json};

use super::{Finding, account::Bot, disk, http::Api};
use crate::config::{Config, Encryption, Operator, TrustSource};

/// The keys of one account in an answer to `POST /keys/query`.
struct Keys<'a> {
    answer: &'a Value,
    user: &'a str,
}

/// What is told of the bot's keys and those of every operator.
pub(super) async fn findings(config: &Config, client: &Api, bot: Option<&Bot>) -> Vec<Finding> {
    let users = std::iter::once(&config.bot.user_id)
        .chain(config.operators.iter().map(|operator| &operator.user_id));
    let wanted: serde_json::Map<String, Value> =
        users.map(|user| (user.to_string(), json!([]))).collect();
    let path = ["_matrix", "client", "v3", "keys", "query"];
    let answer = match client.post(&path, &json!({ "device_keys": wanted })).await {
        Ok(answer) => answer,
        Err(trouble) => {
            let what = format!("keys: they cannot be checked: {trouble}");
            return vec![Finding::bad(what, "Check again")];
        }
    };
    let keys = Keys::of(&answer, &config.bot.user_id);
    let own = OwnState {
        device: bot.and_then(|bot| bot.device.as_deref()),
        has_run: disk::has_run(config),
        recovery_key: config.recovery_key_file.is_file(),
        replaced: disk::known_master_key(config)
            .is_some_and(|known| keys.master() != Some(known.as_str())),
    };
    let mut findings = vec![own_keys(config, &own, &keys)];
    if own.has_run
        && let Some(bot) = bot
        && let Some(device) = own.device
        && keys.has(device)
    {
        findings.extend(secrets(config, &bot.api).await);
        findings.extend(one_time_keys(config, &bot.api, device).await);
    }
    findings.extend(
        config
            .operators
            .iter()
            .map(|operator| operator_keys(config, operator, &Keys::of(&answer, &operator.user_id))),
    );
    findings
}

/// What is known of the bot besides what the homeserver shows.
struct OwnState<'a> {
    device: Option<&'a str>,
    has_run: bool,
    recovery_key: bool,
    /// Whether others are shown than those that the bot knows as its own.
    replaced: bool,
}

/// Fewer one-time keys on the homeserver than a bot leaves there that can put new ones. A start
/// after which many devices come at once takes some of the fifty.
const FEW: u64 = 10;

/// What is told where the secrets of the bot's account are gone from the homeserver.
async fn secrets(config: &Config, client: &Api) -> Option<Finding> {
    let user = config.bot.user_id.as_str();
    let kind = "m.secret_storage.default_key";
    let path = ["_matrix", "client", "v3", "user", user, "account_data", kind];
    let file = config.recovery_key_file.display();
    match client.get(&path, &[]).await {
        Ok(content) if content["key"].is_string() => None,
        Err(trouble) if trouble.status() != Some(404) => Some(Finding::warn(
            format!("keys: the secret storage of the bot's account cannot be checked: {trouble}"),
            "Check again",
        )),
        Ok(_) | Err(_) => Some(Finding::bad(
            format!(
                "keys: the secret storage of the bot's account is missing, so the recovery key in \
                {file} recovers nothing"
            ),
            format!(
                "Restart synod, which creates a new one and writes its recovery key into \
                     {file}"
            ),
        )),
    }
}

/// What is told where the homeserver runs out of the bot's one-time keys. Asking how many there are
/// uploads nothing.
async fn one_time_keys(config: &Config, client: &Api, device: &str) -> Option<Finding> {
    let path = ["_matrix", "client", "v3", "keys", "upload"];
    let answer = client.post(&path, &json!({})).await.ok()?;
    let count = answer["one_time_key_counts"]["signed_curve25519"].as_u64().unwrap_or_default();
    (count < FEW).then(|| {
        Finding::bad(
            format!(
                "keys: the homeserver has {count} one-time keys of the bot's device {device}, and \
                without them the bot cannot read messages from new devices"
            ),
            format!(
                "Start synod if it does not run. If there are still so few then: stop it, delete \
                session.json in {}, and start it again, so that it logs in as a new device",
                config.state.display()
            ),
        )
    })
}

fn own_keys(config: &Config, own: &OwnState<'_>, keys: &Keys<'_>) -> Finding {
    let file = config.recovery_key_file.display();
    let recover = format!(
        "Put the bot's recovery key into {file}; if it is lost, reset the bot's identity from a \
         client that is logged in as the bot"
    );
    match (keys.master(), own.device) {
        (None, _) if own.has_run => Finding::bad(
            "keys: the bot has run, but has no cross-signing keys, so clients ignore it",
            "Start it and read its log about keys",
        ),
        (None, _) => Finding::ok("keys: the bot has none yet; the first start creates them"),
        (Some(_), Some(device)) if keys.is_signed(device) => {
            Finding::ok(format!("keys: the bot's device {device} is signed by its own keys"))
        }
        (Some(_), Some(device)) if own.replaced => Finding::bad(
            format!(
                "keys: somebody made new cross-signing keys for the bot's account, so its device \
                {device} is not signed, nobody can read its messages, and it changes nothing"
            ),
            format!(
                "Put the recovery key of the new keys into {file} and restart synod; if nobody has \
                it, create new keys again with a client that is logged in as the bot, and use the \
                recovery key that it shows. If it was none of you, change the account's password \
                first"
            ),
        ),
        (Some(_), Some(device)) if own.recovery_key => Finding::warn(
            format!("keys: the bot's device {device} is not signed, so clients ignore it"),
            format!("Start synod, which signs it with the recovery key in {file}"),
        ),
        (Some(_), Some(device)) => Finding::bad(
            format!("keys: the bot's device {device} is not signed, so clients ignore it"),
            recover,
        ),
        (Some(_), None) if own.recovery_key => Finding::ok(format!(
            "keys: the bot has keys, and the first start recovers them with {file}"
        )),
        (Some(_), None) => Finding::bad(
            format!(
                "keys: the bot's account has keys, but {file} does not contain the recovery \
                     key"
            ),
            recover,
        ),
    }
}

/// Whether the config does not name the key of an operator, and the bot does not start without it.
fn lacks_key(config: &Config, operator: &Operator) -> bool {
    let is_elsewhere = operator.user_id.server_name() != config.bot.user_id.server_name();
    operator.master_key.is_none() && (is_elsewhere || config.trust == TrustSource::Verified)
}

fn operator_keys(config: &Config, operator: &Operator, keys: &Keys<'_>) -> Finding {
    let user = &operator.user_id;
    let lacks_key = lacks_key(config, operator);
    let missing = |what: String, to_do: &str| match config.encryption {
        Encryption::Optional if !lacks_key => Finding::warn(what, to_do),
        Encryption::Optional | Encryption::Required => Finding::bad(what, to_do),
    };
    let Some(master) = keys.master() else {
        let server = user.server_name();
        if keys.server_is_silent(server.as_str()) {
            let what = format!("keys: {user} is unknown, since {server} does not answer");
            let to_do = "Check again when it does";
            return if lacks_key { Finding::bad(what, to_do) } else { Finding::warn(what, to_do) };
        }
        return missing(
            format!("keys: {user} has no master key, so the bot accepts nothing from them"),
            "Ask them to set up secure backup (or recovery) in their client's settings, which \
            creates the keys",
        );
    };
    match &operator.master_key {
        Some(pinned) if pinned != master => {
            return Finding::bad(
                format!("keys: {user} shows the master key {master}, not the configured one"),
                "Ask them in person whether they reset their identity, and write this key as \
                 their master_key only if they did",
            );
        }
        None if lacks_key => {
            return Finding::bad(
                format!(
                    "keys: {user} has the master key {master}, and their entry in the config needs \
                     it, so the bot does not start"
                ),
                "Compare this key with them, and write it as their master_key",
            );
        }
        _ => {}
    }
    let pinned = if operator.master_key.is_some() { "as configured" } else { "not configured" };
    let (signed, unsigned) = keys.count();
    let devices = |count: usize| if count == 1 { "device" } else { "devices" };
    let what = format!(
        "keys: {user} has the master key {master} ({pinned}), {signed} signed {} and {unsigned} \
         unsigned",
        devices(signed)
    );
    if signed == 0 {
        return missing(
            what,
            "Ask them to verify a session: the bot accepts commands only from \
            verified ones",
        );
    }
    if unsigned > 0 {
        let to_do = "Commands from an unsigned session are refused; ask them to verify or remove \
                     it";
        return Finding::warn(what, to_do);
    }
    Finding::ok(what)
}

impl<'a> Keys<'a> {
    fn of(answer: &'a Value, user: &'a UserId) -> Self {
        Self { answer, user: user.as_str() }
    }

    /// The public master key.
    fn master(&self) -> Option<&'a str> {
        public_key(&self.answer["master_keys"][self.user])
    }

    /// The public self-signing key, if the master key signed it.
    fn self_signing(&self) -> Option<&'a str> {
        let key = &self.answer["self_signing_keys"][self.user];
        self.signed_by(key, self.master()?).then(|| public_key(key)).flatten()
    }

    fn has(&self, device: &str) -> bool {
        self.answer["device_keys"][self.user][device].is_object()
    }

    fn is_signed(&self, device: &str) -> bool {
        let device = &self.answer["device_keys"][self.user][device];
        self.self_signing().is_some_and(|key| self.signed_by(device, key))
    }

    /// How many devices are signed, and how many are not.
    fn count(&self) -> (usize, usize) {
        let devices = self.answer["device_keys"][self.user].as_object();
        let all = devices.map_or(0, serde_json::Map::len);
        let signed = devices
            .into_iter()
            .flat_map(serde_json::Map::keys)
            .filter(|device| self.is_signed(device))
            .count();
        (signed, all - signed)
    }

    fn signed_by(&self, signed: &Value, key: &str) -> bool {
        signed["signatures"][self.user][format!("ed25519:{key}")].is_string()
    }

    fn server_is_silent(&self, server: &str) -> bool {
        !self.answer["failures"][server].is_null()
    }
}

/// The one key of a cross-signing key object.
fn public_key(object: &Value) -> Option<&str> {
    object["keys"].as_object()?.values().next()?.as_str()
}

#[cfg(test)]
mod tests;
