//! The admin room: made by the account of the admin token, which then leaves it.
//!
//! A room's maker holds all power in it for ever, so it is neither the bot nor one of the operators.

use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Value, json};

use super::{Operator, accounts::Caller, notes::Notes};
use crate::{check::http::Trouble, config::Rank, finding::Finding};

/// What the room's first event says of whose it is, so that a setup that was cut off finds it.
const MARK: &str = "org.synod.bot";

/// The first room version in which the maker has power without being named.
const MAKERS_HAVE_POWER: u32 = 12;

/// What the bot needs, which is to redact a password that somebody types by mistake.
const REDACTS: i64 = 50;

/// What it takes for everything that changes the room, and to let anybody in.
const ADMINISTERS: i64 = 100;

/// Whose room it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Team<'a> {
    pub(super) bot: &'a UserId,
    pub(super) operators: &'a [Operator],
}

impl Team<'_> {
    /// The power of each, beside `maker` where the room version wants it named.
    fn powers(self, maker: Option<&UserId>) -> Value {
        let power = |rank| match rank {
            Rank::Admin => ADMINISTERS,
            Rank::Moderator => REDACTS,
            Rank::Viewer => 0,
        };
        let operators = self.operators.iter().map(|one| (one.user_id.as_str(), power(one.rank)));
        let named = operators.filter(|(_, power)| *power > 0).chain([(self.bot.as_str(), REDACTS)]);
        let maker = maker.map(|maker| (maker.as_str(), ADMINISTERS));
        let users: serde_json::Map<String, Value> =
            named.chain(maker).map(|(user, power)| (user.to_owned(), power.into())).collect();
        json!({
            "users": users,
            "users_default": 0,
            "events": { "m.room.tombstone": ADMINISTERS },
            "events_default": 0,
            "state_default": ADMINISTERS,
            "invite": ADMINISTERS,
            "kick": ADMINISTERS,
            "ban": ADMINISTERS,
            "redact": REDACTS,
            "notifications": { "room": ADMINISTERS },
        })
    }

    /// What is asked for to make the room.
    fn creation(self, maker: &UserId, version: u32) -> Value {
        let state = |kind: &str, content: Value| json!({ "type": kind, "state_key": "", "content": content });
        let maker = (version < MAKERS_HAVE_POWER).then_some(maker);
        let server = self.bot.server_name();
        let invite: Vec<&OwnedUserId> = self.operators.iter().map(|one| &one.user_id).collect();
        json!({
            "name": format!("Synod on {server}"),
            "topic": format!("What is done on {server}. Type !help"),
            "preset": "private_chat",
            "visibility": "private",
            "creation_content": { MARK: self.bot },
            "initial_state": [
                state("m.room.encryption", json!({ "algorithm": "m.megolm.v1.aes-sha2" })),
                state("m.room.join_rules", json!({ "join_rule": "invite" })),
                state("m.room.history_visibility", json!({ "history_visibility": "joined" })),
                state("m.room.guest_access", json!({ "guest_access": "forbidden" })),
            ],
            "power_level_content_override": self.powers(maker),
            "invite": invite,
        })
    }
}

/// The room: the one that was made already, or a new one. With what is told of it.
pub(super) async fn make(
    caller: &Caller,
    team: Team<'_>,
    notes: &mut Notes,
) -> Result<(OwnedRoomId, Finding), Finding> {
    let failed = |trouble: Trouble| {
        Finding::bad(
            format!("room: it cannot be created: {trouble}"),
            trouble.to_do("--homeserver", "Fix what the homeserver says there, and run this again"),
        )
    };
    if let Some(room) = notes.room() {
        return Ok((room.clone(), Finding::ok(format!("room: {room} exists"))));
    }
    if let Some(room) = found(caller, team).await.map_err(failed)? {
        notes.has_room(&room)?;
        let told = Finding::ok(format!("room: {room} was created earlier"));
        return Ok((room, told));
    }
    let version = default_version(caller).await.map_err(failed)?;
    let body = team.creation(&caller.user, version);
    let path = ["_matrix", "client", "v3", "createRoom"];
    let answer = caller.client.post(&path, &body).await.map_err(failed)?;
    let room = answer["room_id"].as_str().and_then(|room| OwnedRoomId::try_from(room).ok());
    let room = room.ok_or_else(|| failed(Trouble::Strange))?;
    notes.has_room(&room)?;
    let invited = team.operators.len();
    let invited = if invited == 1 { "1 operator".into() } else { format!("{invited} operators") };
    let told = Finding::ok(format!("room: created {room}, encrypted, and invited {invited}"));
    Ok((room, told))
}

/// The version of the rooms that the homeserver makes.
async fn default_version(caller: &Caller) -> Result<u32, Trouble> {
    let answer = caller.client.get(&["_matrix", "client", "v3", "capabilities"], &[]).await?;
    let version = answer["capabilities"]["m.room_versions"]["default"].as_str();
    Ok(version.and_then(|version| version.parse().ok()).unwrap_or(1))
}

/// A room of this bot in which it or the maker of rooms is.
async fn found(caller: &Caller, team: Team<'_>) -> Result<Option<OwnedRoomId>, Trouble> {
    for user in [caller.user.as_str(), team.bot.as_str()] {
        let path = ["_synapse", "admin", "v1", "users", user, "joined_rooms"];
        let listed = caller.admin.get(&path, &[]).await?;
        let rooms = listed["joined_rooms"].as_array().map(Vec::as_slice).unwrap_or_default();
        for room in rooms.iter().filter_map(|room| OwnedRoomId::try_from(room.as_str()?).ok()) {
            if is_fit(&state(caller, &room).await?, caller, team) {
                return Ok(Some(room));
            }
        }
    }
    Ok(None)
}

/// Whether it was made here for this bot, and to its end.
fn is_fit(state: &[Value], caller: &Caller, team: Team<'_>) -> bool {
    let event = |kind: &str| state.iter().find(|event| event["type"] == kind);
    event("m.room.create").is_some_and(|create| {
        create["content"][MARK] == team.bot.as_str() && create["sender"] == caller.user.as_str()
    }) && event("m.room.encryption").is_some()
        && event("m.room.guest_access").is_some()
        && event("m.room.history_visibility").is_some()
}

async fn state(caller: &Caller, room: &RoomId) -> Result<Vec<Value>, Trouble> {
    let path = ["_synapse", "admin", "v1", "rooms", room.as_str(), "state"];
    let mut answer = caller.admin.get(&path, &[]).await?;
    match answer["state"].take() {
        Value::Array(events) => Ok(events),
        _ => Err(Trouble::Strange),
    }
}

/// Brings in whom the room is for, and leaves it: the bot joins, and who was not invited is.
pub(super) async fn hand_over(
    caller: &Caller,
    room: &RoomId,
    team: Team<'_>,
) -> Result<Vec<Finding>, Finding> {
    let failed = |trouble: Trouble| {
        Finding::bad(
            format!("room: ownership of {room} cannot be given to the operators: {trouble}"),
            trouble.to_do("--admin-url", "Fix what the homeserver says there, and run this again"),
        )
    };
    let events = state(caller, room).await.map_err(failed)?;
    let membership = |user: &UserId| {
        let is_theirs = |event: &&Value| {
            event["type"] == "m.room.member" && event["state_key"] == user.as_str()
        };
        events.iter().find(is_theirs).and_then(|event| event["content"]["membership"].as_str())
    };
    if membership(&caller.user) != Some("join") {
        // It has left, so the room is its operators' own.
        return Ok(absent(room, team, membership));
    }
    for operator in team.operators.iter().filter(|one| membership(&one.user_id).is_none()) {
        let path = ["_matrix", "client", "v3", "rooms", room.as_str(), "invite"];
        let body = json!({ "user_id": operator.user_id });
        caller.client.post(&path, &body).await.map_err(failed)?;
    }
    let mut findings = Vec::new();
    if membership(team.bot) != Some("join") {
        let path = ["_synapse", "admin", "v1", "join", room.as_str()];
        caller.admin.post(&path, &json!({ "user_id": team.bot })).await.map_err(failed)?;
        findings.push(Finding::ok(format!("room: {} is in it", team.bot)));
    }
    leave(caller, room, team, &events).await.map_err(failed)?;
    findings.push(Finding::ok(format!("room: {}, which created it, has left it", caller.user)));
    Ok(findings)
}

/// Takes the maker out of the room, and out of its powers where they name it.
async fn leave(
    caller: &Caller,
    room: &RoomId,
    team: Team<'_>,
    events: &[Value],
) -> Result<(), Trouble> {
    let levels = events.iter().find(|event| event["type"] == "m.room.power_levels");
    let named =
        levels.is_some_and(|levels| levels["content"]["users"].get(caller.user.as_str()).is_some());
    let room = room.as_str();
    if named {
        let kind = "m.room.power_levels";
        let path = ["_matrix", "client", "v3", "rooms", room, "state", kind, ""];
        caller.client.put(&path, &team.powers(None)).await?;
    }
    let path = ["_matrix", "client", "v3", "rooms", room, "leave"];
    caller.client.post(&path, &json!({})).await.map(|_| ())
}

/// What is told of a room in which somebody is missing, and that only its operators can mend.
fn absent<'a>(
    room: &RoomId,
    team: Team<'_>,
    membership: impl Fn(&UserId) -> Option<&'a str>,
) -> Vec<Finding> {
    let everybody = team.operators.iter().map(|one| &*one.user_id).chain([team.bot]);
    everybody
        .filter(|user| !matches!(membership(user), Some("join" | "invite")))
        .map(|user| {
            Finding::warn(
                format!("room: {user} is not in {room}"),
                "Ask an operator who is in it and has power 100 to invite them",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    fn operators() -> Vec<Operator> {
        let operator =
            |user: &UserId, rank| Operator { user_id: user.to_owned(), rank, master_key: None };
        vec![
            operator(user_id!("@ann:x"), Rank::Admin),
            operator(user_id!("@moe:x"), Rank::Moderator),
            operator(user_id!("@vic:x"), Rank::Viewer),
        ]
    }

    #[test]
    fn each_has_the_power_of_their_role_and_the_bot_no_more_than_to_redact() {
        let operators = operators();
        let team = Team { bot: user_id!("@synod:x"), operators: &operators };
        let made = team.creation(user_id!("@maker:x"), 12);
        let powers = &made["power_level_content_override"];
        let users = json!({ "@ann:x": 100, "@moe:x": 50, "@synod:x": 50 });
        assert_eq!(powers["users"], users, "a maker is not named in this version");
        for (key, level) in [
            ("users_default", 0),
            ("events_default", 0),
            ("state_default", 100),
            ("invite", 100),
            ("kick", 100),
            ("ban", 100),
            ("redact", 50),
        ] {
            assert_eq!(powers[key], level, "{key}");
        }
        assert_eq!(made["invite"], json!(["@ann:x", "@moe:x", "@vic:x"]));
        let old = team.creation(user_id!("@maker:x"), 10);
        assert_eq!(old["power_level_content_override"]["users"]["@maker:x"], 100);
        assert!(team.powers(None)["users"].get("@maker:x").is_none());
    }

    #[test]
    fn the_room_is_encrypted_closed_and_without_guests_from_its_first_event() {
        let operators = operators();
        let team = Team { bot: user_id!("@synod:x"), operators: &operators };
        let made = team.creation(user_id!("@maker:x"), 12);
        let is = |kind: &str, key: &str, value: &str| {
            let events = made["initial_state"].as_array().unwrap();
            events.iter().any(|one| one["type"] == kind && one["content"][key] == value)
        };
        assert!(is("m.room.encryption", "algorithm", "m.megolm.v1.aes-sha2"));
        assert!(is("m.room.join_rules", "join_rule", "invite"));
        assert!(is("m.room.history_visibility", "history_visibility", "joined"));
        assert!(is("m.room.guest_access", "guest_access", "forbidden"));
    }
}
