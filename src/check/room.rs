//! An admin room, from its state.

use ruma::{OwnedUserId, RoomOrAliasId, UserId};
use serde_json::Value;

use super::{
    Finding,
    http::{Api, Trouble},
    operators::Members,
};
use crate::config::{COMMAND_DESCRIPTION, Config, Encryption};

/// What the bot sends besides redactions. Reactions are never encrypted.
const SENDS: [&str; 3] = ["m.room.encrypted", "m.room.message", "m.reaction"];

/// What is told of one room; its members go to `members`, and where it cannot be looked at, nothing
/// is known of any. Asks `client`, which carries any token, and the Admin API where there is a
/// token for it: that sees rooms in which the bot is not.
pub(super) async fn findings(
    config: &Config,
    room: &RoomOrAliasId,
    client: &Api,
    admin: Option<&Api>,
    members: &mut Option<Members>,
) -> Vec<Finding> {
    let events = match state(room, "rooms", client, admin).await {
        Ok(events) => events,
        Err(finding) => {
            *members = None;
            return vec![finding];
        }
    };
    if let Some(members) = members {
        members.add(&events);
    }
    judge(config, room.as_str(), &State(&events))
}

/// What is told of the room of the record: the bot is to write there, and not to remove anything.
pub(super) async fn of_the_record(
    config: &Config,
    room: &RoomOrAliasId,
    client: &Api,
    admin: Option<&Api>,
) -> Vec<Finding> {
    match state(room, "record.room", client, admin).await {
        Ok(state) => {
            let (state, room) = (State(&state), room.as_str());
            vec![
                membership(config, room, &state),
                encryption(config, room, &state),
                join_rule(room, &state),
                appends_only(&config.bot.user_id, room, &state),
            ]
        }
        Err(finding) => vec![finding],
    }
}

/// Tells where the homeserver keeps no statistics, from the first admin room: they are all that it
/// goes by when it lists and counts rooms.
pub(super) async fn statistics(config: &Config, client: &Api, admin: &Api) -> Option<Finding> {
    let id = resolve(config.rooms.first()?, "rooms", client).await.ok()?;
    let room = admin.get(&["_synapse", "admin", "v1", "rooms", &id], &[]).await.ok()?;
    let keeps_none = room.get("joined_members").is_some_and(Value::is_null)
        && room.get("join_rules").is_some_and(Value::is_null);
    keeps_none.then(|| {
        Finding::warn(
            "homeserver: it keeps no room statistics, so it cannot list, search or count rooms",
            "Remove stats: {enabled: false} from its configuration, restart it, and send \
            !background run populate_stats_process_rooms",
        )
    })
}

/// The events of the state of the room that stands under this key of the config.
async fn state(
    room: &RoomOrAliasId,
    key: &str,
    client: &Api,
    admin: Option<&Api>,
) -> Result<Vec<Value>, Finding> {
    let id = resolve(room, key, client).await?;
    let state = match admin {
        Some(admin) => {
            let path = ["_synapse", "admin", "v1", "rooms", &id, "state"];
            admin.get(&path, &[]).await.map(|mut answer| answer["state"].take())
        }
        None => client.get(&["_matrix", "client", "v3", "rooms", &id, "state"], &[]).await,
    };
    match state {
        Ok(Value::Array(events)) => Ok(events),
        Ok(_) => Err(not_looked_at(room, &Trouble::Strange)),
        Err(trouble) if trouble.status() == Some(404) => Err(Finding::bad(
            format!("room {room}: this homeserver is not in this room"),
            format!(
                "Create the room on this homeserver, encrypted and invite-only, and write its id \
                or alias under {key}"
            ),
        )),
        Err(trouble) => Err(not_looked_at(room, &trouble)),
    }
}

fn not_looked_at(room: &RoomOrAliasId, trouble: &Trouble) -> Finding {
    Finding::bad(
        format!("room {room}: it cannot be checked: {trouble}"),
        trouble.to_do(
            "homeserver.admin_url",
            "Invite the bot and make sure that the admin token \
                                               works",
        ),
    )
}

async fn resolve(room: &RoomOrAliasId, key: &str, client: &Api) -> Result<String, Finding> {
    if !room.is_room_alias_id() {
        return Ok(room.to_string());
    }
    let path = ["_matrix", "client", "v3", "directory", "room", room.as_str()];
    let answer = client.get(&path, &[]).await.map_err(|trouble| {
        Finding::bad(
            format!("room {room}: the alias points nowhere: {trouble}"),
            trouble.to_do(
                "homeserver.url",
                &format!("Give the room this alias, or write its id under {key}"),
            ),
        )
    })?;
    answer["room_id"].as_str().map(str::to_owned).ok_or_else(|| {
        Finding::bad(format!("room {room}: the alias points to no room"), "Write the room's id")
    })
}

/// Everything there is to say about a room whose state is known.
fn judge(config: &Config, room: &str, state: &State<'_>) -> Vec<Finding> {
    let mut findings = vec![membership(config, room, state), encryption(config, room, state)];
    findings.push(join_rule(room, state));
    findings.push(power(&config.bot.user_id, room, state));
    if config.bot.describe_commands {
        findings.push(describes(&config.bot.user_id, room, state));
    }
    findings.extend(history(room, state));
    findings.extend(listeners(config, room, state));
    findings
}

fn membership(config: &Config, room: &str, state: &State<'_>) -> Finding {
    let bot = &config.bot.user_id;
    let invite = format!("Let an operator invite {bot}; the bot joins by itself once it runs");
    match state.event("m.room.member", bot.as_str()) {
        Some(event) if event["content"]["membership"] == "join" => {
            Finding::ok(format!("room {room}: the bot has joined"))
        }
        Some(event) if event["content"]["membership"] == "invite" => {
            let inviter = event["sender"].as_str().unwrap_or_default();
            if config.operators.iter().any(|operator| operator.user_id == inviter) {
                return Finding::ok(format!(
                    "room {room}: the bot is invited and joins when it \
                                            starts"
                ));
            }
            let what = format!(
                "room {room}: the bot is invited by {inviter}, who is not an \
                                operator"
            );
            Finding::bad(what, invite)
        }
        Some(event) if event["content"]["membership"] == "ban" => {
            Finding::bad(format!("room {room}: the bot is banned"), "Lift the ban and invite it")
        }
        _ => Finding::bad(format!("room {room}: the bot is not invited"), invite),
    }
}

fn encryption(config: &Config, room: &str, state: &State<'_>) -> Finding {
    let algorithm = &state.content("m.room.encryption")["algorithm"];
    match (algorithm.as_str(), config.encryption) {
        (Some("m.megolm.v1.aes-sha2"), _) => Finding::ok(format!("room {room}: encrypted")),
        (Some(_), _) => Finding::bad(
            format!("room {room}: encrypted with a method that synod does not know"),
            "Use another room",
        ),
        (None, Encryption::Required) => Finding::bad(
            format!("room {room}: not encrypted, so the bot answers nobody there"),
            "Turn on encryption in the room's settings, or set `encryption: optional`",
        ),
        (None, Encryption::Optional) => Finding::warn(
            format!("room {room}: not encrypted; whoever runs a server in it can forge commands"),
            "Turn on encryption in the room's settings",
        ),
    }
}

fn join_rule(room: &str, state: &State<'_>) -> Finding {
    let rule = &state.content("m.room.join_rules")["join_rule"];
    let to_do = "Make it invite-only in the room's settings";
    match rule.as_str() {
        None | Some("invite" | "private") => Finding::ok(format!("room {room}: invite-only")),
        Some("public") => {
            Finding::bad(format!("room {room}: public, anybody may join and read"), to_do)
        }
        Some(rule) => {
            let what = format!("room {room}: not invite-only (join rule {rule})");
            Finding::warn(what, to_do)
        }
    }
}

fn power(bot: &UserId, room: &str, state: &State<'_>) -> Finding {
    let levels = Levels::of(state);
    let needed = levels.needed();
    let to_do = format!("Set the bot's power level to {needed}");
    match levels.user(bot, state) {
        None => Finding::warn(
            format!(
                "room {room}: the bot created the room, so it has all power in it, \
                     permanently"
            ),
            "Let a person create a new room, and give the bot the power to redact",
        ),
        Some(power) if power < levels.sends() => {
            let what = format!("room {room}: the bot may not send (it has {power})");
            Finding::bad(what, to_do)
        }
        Some(power) if power < needed => Finding::bad(
            format!("room {room}: the bot may not redact (it has {power}, and needs {needed})"),
            to_do,
        ),
        Some(power) if power > needed => Finding::warn(
            format!("room {room}: the bot has more power than it needs ({power}, not {needed})"),
            to_do,
        ),
        Some(power) => Finding::ok(format!(
            "room {room}: the bot may redact, nothing more \
                                            ({power})"
        )),
    }
}

/// Whether the bot may put into the room's state which commands there are.
fn describes(bot: &UserId, room: &str, state: &State<'_>) -> Finding {
    let levels = Levels::of(state);
    let needed = levels.state(COMMAND_DESCRIPTION);
    match levels.user(bot, state) {
        Some(power) if power < needed => Finding::warn(
            format!(
                "room {room}: the bot may not describe its commands (it has {power}, and needs {needed})"
            ),
            format!(
                "In its power levels, set {COMMAND_DESCRIPTION} to the bot's level, or set \
                 `bot.describe_commands: false`"
            ),
        ),
        _ => Finding::ok(format!("room {room}: the bot may describe its commands")),
    }
}

/// Whether the bot may write, and may not remove what it has written.
fn appends_only(bot: &UserId, room: &str, state: &State<'_>) -> Finding {
    let levels = Levels::of(state);
    let to_do = "In its power levels, set m.room.redaction above the bot's level";
    match levels.user(bot, state) {
        Some(power) if power < levels.sends() => Finding::bad(
            format!("room {room}: the bot may not write the record there (it has {power})"),
            format!("Set the bot's power level to {}", levels.sends()),
        ),
        Some(power) if power < levels.event("m.room.redaction") => {
            Finding::ok(format!("room {room}: the bot may write the record but not redact it"))
        }
        _ => Finding::warn(
            format!("room {room}: the bot may redact the record that it writes there"),
            to_do,
        ),
    }
}

fn history(room: &str, state: &State<'_>) -> Option<Finding> {
    match state.content("m.room.history_visibility")["history_visibility"].as_str() {
        Some("world_readable") => Some(Finding::bad(
            format!("room {room}: everybody can read its history"),
            "Set the history to members only in the room's settings",
        )),
        Some("invited" | "joined") => None,
        _ => Some(Finding::ok(format!(
            "room {room}: people who join later can read earlier messages"
        ))),
    }
}

fn listeners(config: &Config, room: &str, state: &State<'_>) -> Option<Finding> {
    let known = |user: &str| {
        config.bot.user_id == user
            || config.operators.iter().any(|operator| operator.user_id == user)
    };
    let strangers = state
        .0
        .iter()
        .filter(|event| event["type"] == "m.room.member")
        .filter(|event| event["content"]["membership"] == "join")
        .filter(|event| event["state_key"].as_str().is_some_and(|user| !known(user)))
        .count();
    (strangers > 0).then(|| {
        Finding::warn(
            format!("room {room}: {strangers} in it who are not operators read every answer"),
            "Remove them, or add them under operators",
        )
    })
}

/// The state of a room as its events.
struct State<'a>(&'a [Value]);

impl<'a> State<'a> {
    fn event(&self, kind: &str, key: &str) -> Option<&'a Value> {
        self.0.iter().find(|event| event["type"] == kind && event["state_key"] == key)
    }

    fn content(&self, kind: &str) -> &'a Value {
        self.event(kind, "").map_or(&Value::Null, |event| &event["content"])
    }
}

/// The power levels of a room, with the specification's defaults.
struct Levels<'a> {
    content: &'a Value,
    /// Accounts whose power has no bound, in rooms of version 12 and later.
    creators: Vec<OwnedUserId>,
}

impl<'a> Levels<'a> {
    fn of(state: &State<'a>) -> Self {
        let creators = match state.content("m.room.create")["room_version"].as_str() {
            Some(version) if version.parse::<u32>().is_ok_and(|version| version >= 12) => {
                creators(state)
            }
            _ => Vec::new(),
        };
        Self { content: state.content("m.room.power_levels"), creators }
    }

    /// The level of an account; `None` where it has no bound.
    fn user(&self, user: &UserId, state: &State<'_>) -> Option<i64> {
        if self.creators.iter().any(|creator| creator == user) {
            return None;
        }
        if self.content.is_null() {
            // Without the event whoever made the room has 100 and everybody else 0.
            return Some(if creators(state).iter().any(|maker| maker == user) { 100 } else { 0 });
        }
        let own = level(&self.content["users"][user.as_str()]);
        Some(own.or(level(&self.content["users_default"])).unwrap_or(0))
    }

    /// What it takes to send what the bot sends.
    fn sends(&self) -> i64 {
        SENDS.into_iter().map(|kind| self.event(kind)).max().unwrap_or(0)
    }

    /// What it takes to send that and to redact what others sent.
    fn needed(&self) -> i64 {
        let redact = level(&self.content["redact"]).unwrap_or(50);
        self.sends().max(redact).max(self.event("m.room.redaction"))
    }

    /// What it takes to send a state event of this type.
    fn state(&self, kind: &str) -> i64 {
        let default = if self.content.is_null() { 0 } else { 50 };
        let own = level(&self.content["events"][kind]);
        own.or(level(&self.content["state_default"])).unwrap_or(default)
    }

    fn event(&self, kind: &str) -> i64 {
        let own = level(&self.content["events"][kind]);
        own.or(level(&self.content["events_default"])).unwrap_or(0)
    }
}

fn creators(state: &State<'_>) -> Vec<OwnedUserId> {
    let create = state.event("m.room.create", "").unwrap_or(&Value::Null);
    let more = create["content"]["additional_creators"].as_array();
    std::iter::once(&create["sender"])
        .chain(more.into_iter().flatten())
        .filter_map(|user| OwnedUserId::try_from(user.as_str()?).ok())
        .collect()
}

/// A level; rooms before version 10 may hold it as text.
fn level(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests;
