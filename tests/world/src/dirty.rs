//! A homeserver that is old and was mistreated; `DIRTY.md` describes it.

use std::{
    collections::BTreeMap,
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::{Account, Api, SERVER_NAME, Synapse, install::SYNAPSE, until};

/// Accounts that are made through the API, and edited then.
const MADE: [&str; 10] =
    ["eve", "owner", "old", "zero", "quiet", "hull", "shell", "alice", "blank", "many"];

/// Every other character that an account may have in its localpart.
const LEGAL: &str = "a.b_c=d/e+f-g";

/// Accounts that no interface makes any more.
const INSERTED: [&str; 8] =
    ["imported", "huge", "negative", "future", "Alice", "Caps!~x", "with space", "42"];

/// Rooms that `@owner` is in.
const ROOMS: [&str; 10] = [
    "negative",
    "absurd",
    "inhabited",
    "no-state",
    "no-counts",
    "no-statistics",
    "no-create",
    "odd-version",
    "no-version",
    "off-file",
];

/// What is on such a homeserver.
#[derive(Debug)]
pub struct Dirty {
    users: BTreeMap<&'static str, String>,
    rooms: BTreeMap<&'static str, String>,
    /// Files of `@eve`: a row without a file, two rows with nothing or nonsense in them, and a file
    /// without a row.
    pub files: [String; 4],
    /// The number of the report of an event that is gone.
    pub report: u64,
    /// Tokens that nobody could make so.
    pub tokens: [&'static str; 2],
}

impl Dirty {
    /// Makes a homeserver such a one. It is stopped and started again for it, so it has to be one's
    /// own, and new.
    pub async fn make(synapse: &Synapse) -> Result<Self> {
        let mut apis = BTreeMap::new();
        let mut users = BTreeMap::new();
        for name in MADE {
            let account = synapse.register(name, "a password", false, name).await?;
            users.insert(name, account.user_id.to_string());
            if ["eve", "owner", "zero", "quiet", "hull", "shell"].contains(&name) {
                apis.insert(name, logged_in(synapse, &account).await?);
            }
        }
        let encoded = LEGAL.replace('/', "%2F");
        let path = format!("/_synapse/admin/v2/users/@{encoded}:{SERVER_NAME}");
        let (status, answer) =
            synapse.admin().put(&path, json!({ "password": "a password" })).await?;
        ensure!(status == 201, "{LEGAL}: {status} {answer}");
        for name in INSERTED.into_iter().chain([LEGAL]) {
            users.insert(name, format!("@{name}:{SERVER_NAME}"));
        }
        users.insert("bridged", synapse.bridged("dirty").await?.to_string());
        let rooms = rooms(&apis).await?;
        let eve = &apis["eve"];
        let said = send(&apis["owner"], &rooms["negative"], 1).await?;
        // What is said next follows it: the end of a room that is gone would stop everything there.
        send(&apis["owner"], &rooms["negative"], 2).await?;
        let report = reported(&apis["hull"], &synapse.admin(), &rooms["negative"], &said).await?;
        let mut uploads = Vec::new();
        for what in ["gone", "lost"] {
            let mxc = eve.upload(what.as_bytes().to_vec(), "text/plain", what).await?;
            uploads.push(mxc.rsplit('/').next().context("an id")?.to_owned());
        }
        counted(&synapse.admin(), &rooms["left"]).await?;
        synapse.stop().await?;
        remove(synapse, &uploads[0])?;
        let made = json!({ "rooms": rooms, "reported": said, "lost": uploads[1] });
        edit(synapse, &made).await?;
        synapse.start_again().await?;
        let files = [&uploads[0], "ghost", "minus", &uploads[1]]
            .map(|id| format!("mxc://{SERVER_NAME}/{id}"));
        Ok(Self { users, rooms, files, report, tokens: ["a b/ü?#", "for-ever"] })
    }

    /// All accounts, by what is the matter with them.
    pub fn users(&self) -> &BTreeMap<&'static str, String> {
        &self.users
    }

    /// The id of this account.
    pub fn user(&self, name: &str) -> &str {
        &self.users[name]
    }

    /// The id of this room.
    pub fn room(&self, name: &str) -> &str {
        &self.rooms[name]
    }

    /// All rooms, by what is the matter with them.
    pub fn rooms(&self) -> &BTreeMap<&'static str, String> {
        &self.rooms
    }
}

async fn logged_in(synapse: &Synapse, account: &Account) -> Result<Api> {
    let api = synapse.api(&synapse.log_in(account).await?.0);
    // Seen once.
    api.get("/_matrix/client/v3/sync?timeout=0").await?;
    Ok(api)
}

fn done(what: &str, answered: Result<(u16, Value)>) -> Result<Value> {
    let (status, answer) = answered?;
    ensure!(status == 200, "{what}: {status} {answer}");
    Ok(answer)
}

async fn room(by: &Api, wanted: Value) -> Result<String> {
    let made = done("a room", by.post("/_matrix/client/v3/createRoom", wanted).await)?;
    Ok(made["room_id"].as_str().context("a room has an id")?.to_owned())
}

async fn rooms(apis: &BTreeMap<&'static str, Api>) -> Result<BTreeMap<&'static str, String>> {
    let (owner, eve) = (&apis["owner"], &apis["eve"]);
    let mut rooms = BTreeMap::new();
    for name in ROOMS {
        let wanted = json!({ "preset": "public_chat", "name": name, "room_alias_name": name });
        rooms.insert(name, room(owner, wanted).await?);
    }
    let act = async |by: &Api, room: &str, what: &str| {
        let path = format!("/_matrix/client/v3/rooms/{room}/{what}");
        done(what, by.post(&path, json!({})).await)
    };
    for name in ["hull", "shell"] {
        act(&apis[name], &rooms["inhabited"], "join").await?;
    }
    act(&apis["hull"], &rooms["negative"], "join").await?;
    let loud = json!({ "name": "x\u{202e}txt\u{1}", "topic": "t".repeat(30_000) });
    let loud = room(owner, loud).await?;
    let alias = format!("#negative:{SERVER_NAME}");
    let aliases = json!({ "alias": "", "alt_aliases": [alias, alias] });
    let path =
        format!("/_matrix/client/v3/rooms/{}/state/m.room.canonical_alias/", rooms["negative"]);
    done("aliases", owner.put(&path, aliases).await)?;
    let encryption = json!({ "type": "m.room.encryption", "state_key": "",
        "content": { "algorithm": "m.megolm.v1.aes-sha2" } });
    let wanted = json!({ "name": "Left", "room_version": "11", "preset": "public_chat",
        "initial_state": [encryption] });
    let left = room(eve, wanted).await?;
    act(owner, &left, "join").await?;
    let bans = format!("/_matrix/client/v3/rooms/{left}/ban");
    let who = json!({ "user_id": format!("@spam:{SERVER_NAME}") });
    done("a ban", eve.post(&bans, who).await)?;
    for by in [owner, eve] {
        act(by, &left, "leave").await?;
    }
    rooms.extend([("loud", loud), ("left", left)]);
    Ok(rooms)
}

async fn send(by: &Api, room: &str, number: u32) -> Result<String> {
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{number}");
    let said = done("said", by.put(&path, json!({ "msgtype": "m.text", "body": "x" })).await)?;
    Ok(said["event_id"].as_str().context("an event has an id")?.to_owned())
}

async fn reported(by: &Api, admin: &Api, room: &str, event: &str) -> Result<u64> {
    let path = format!("/_matrix/client/v3/rooms/{room}/report/{event}");
    done("a report", by.post(&path, json!({ "reason": "spam" })).await)?;
    let listed = admin.get("/_synapse/admin/v1/event_reports").await?.1;
    listed["event_reports"][0]["id"].as_u64().context("a report has a number")
}

/// Waits until the statistics know that everybody has left this room, the last thing that was done:
/// what they learn later would be counted on top of what is put into them.
async fn counted(admin: &Api, left: &str) -> Result<()> {
    until("the statistics are up to date", async || {
        let listed = admin.get("/_synapse/admin/v1/rooms?limit=100").await?.1;
        let mut rooms = listed["rooms"].as_array().into_iter().flatten();
        let emptied = |room: &&Value| room["joined_members"] == 0 && room["join_rules"].is_null();
        let events = |room: &Value| room["state_events"].as_u64() >= Some(8);
        Ok(rooms.find(|room| room["room_id"] == left).filter(emptied).is_some_and(events))
    })
    .await
}

/// Takes a file away from under its row.
fn remove(synapse: &Synapse, id: &str) -> Result<()> {
    let (one, rest) = id.split_at(2);
    let (two, rest) = rest.split_at(2);
    let file = synapse.dir().join("media/local_content").join(one).join(two).join(rest);
    std::fs::remove_file(&file).with_context(|| file.display().to_string())
}

async fn edit(synapse: &Synapse, made: &Value) -> Result<()> {
    let mut command = Command::new(SYNAPSE.python().await?);
    command.args(["-I", "-S", "-c", include_str!("dirty.py")]);
    command.arg(synapse.dir().join("homeserver.db")).arg(SERVER_NAME);
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let made = made.to_string();
    let run = move || -> Result<std::process::Output> {
        let mut child = command.spawn()?;
        child.stdin.take().context("it reads")?.write_all(made.as_bytes())?;
        Ok(child.wait_with_output()?)
    };
    let output = spawn_blocking(run).await??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the database cannot be edited: {said}");
    Ok(())
}
