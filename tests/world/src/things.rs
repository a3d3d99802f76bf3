//! What the examples of the verbs are about, on a real homeserver.

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::{Account, Api, NewRoom, Person, Synapse};

/// An account with a device, a room of its own and a picture, in place of what examples name.
#[derive(Debug)]
pub struct Things {
    /// The account.
    pub eve: Account,
    /// The id of its device.
    pub device: String,
    /// The id of its room.
    pub room: String,
    /// An alias of that room.
    pub alias: String,
    /// The `mxc://` address of the picture.
    pub media: String,
    /// A registration token.
    pub token: String,
    /// An account that is deactivated.
    pub gone: Account,
    /// The number of the report of what it said in its room.
    pub report: u64,
    /// The id of that message.
    pub event: String,
    /// Another account, which has nothing, is invited to that room, and is in none.
    pub bob: Account,
    api: Api,
}

/// A server that no homeserver reaches, and the only one that those of the tests may try.
pub const UNREACHABLE: &str = "127.0.0.1:1";

impl Things {
    /// The things of this account, made by itself.
    pub async fn of(synapse: &Synapse, eve: Account) -> Result<Self> {
        let person = Person::login(synapse, eve.user_id.localpart(), &eve.password).await?;
        let localpart = format!("lobby-{}", eve.user_id.localpart());
        let alias = Some(localpart.clone());
        // Of a version in which whoever made it has a level that can be lowered.
        let version = Some("11".to_owned());
        let new = NewRoom { alias, version, public: true, ..NewRoom::default() };
        let room = person.create_room(&new).await?;
        // One that nobody is in any more.
        let left = person.create_room(&NewRoom::default()).await?;
        let leave = format!("/_matrix/client/v3/rooms/{left}/leave");
        let (status, _) = person.api().post(&leave, json!({})).await?;
        ensure!(status == 200, "not left: {status}");
        let event = person.say(&room, "hello").await?;
        let path = format!("/_matrix/client/v3/rooms/{room}/report/{event}");
        let (status, _) = person.api().post(&path, json!({ "reason": "spam" })).await?;
        ensure!(status == 200, "not reported: {status}");
        let path = format!("/_synapse/admin/v1/event_reports?user_id={}", eve.user_id);
        let reports = synapse.admin().get(&path).await?.1;
        let token = format!("welcome-{}", eve.user_id.localpart());
        let new = "/_synapse/admin/v1/registration_tokens/new";
        let (status, _) = synapse.admin().post(new, json!({ "token": token })).await?;
        ensure!(status == 200, "no token: {status}");
        let gone = format!("gone-{}", eve.user_id.localpart());
        let gone = synapse.register(&gone, &eve.password, false, "gone").await?;
        let deactivate = format!("/_synapse/admin/v1/deactivate/{}", gone.user_id);
        let (status, _) = synapse.admin().post(&deactivate, json!({})).await?;
        ensure!(status == 200, "not deactivated: {status}");
        let bob = format!("bob-{}", eve.user_id.localpart());
        let bob = synapse.register(&bob, "a password", false, "bob").await?;
        person.invite(&room, &bob.user_id).await?;
        // What is done to a file is done to every other of the same content.
        let picture = format!("a picture of {}", eve.user_id).into_bytes();
        Ok(Self {
            bob,
            api: person.api().clone(),
            event: event.to_string(),
            report: reports["event_reports"][0]["id"].as_u64().context("a report")?,
            media: person.upload(picture, "image/png", "a.png").await?,
            device: person.device_id().to_string(),
            alias: format!("#{localpart}:{}", eve.user_id.server_name()),
            room: room.to_string(),
            token,
            gone,
            eve,
        })
    }

    /// An example as it is typed, about these things.
    pub fn typed(&self, example: &str) -> String {
        let id = self.media.rsplit('/').next().unwrap_or_default();
        let new = format!("@new-{}", self.eve.user_id.localpart());
        let new = format!("{new}:{}", self.eve.user_id.server_name());
        let report = self.report.to_string();
        let named = [
            ("4711", report.as_str()),
            ("@bob:example.org", self.bob.user_id.as_str()),
            ("remote.example", UNREACHABLE),
            ("@ann:example.org", self.eve.user_id.as_str()),
            ("@new:example.org", &new),
            ("@gone:example.org", self.gone.user_id.as_str()),
            ("welcome-friends", &self.token),
            ("JLAFKJWSCS", &self.device),
            ("#lobby:example.org", &self.alias),
            ("!OGEhHVWSdvArJzumhm:example.org", &self.room),
            ("mxc://example.org/abcdefghijklmnopqrstuvwx", &self.media),
            ("abcdefghijklmnopqrstuvwx", id),
            ("$TsTSUFw1dabB3QWGsB-y6hsl9-KDXe1HhaYy29rK9Go", &self.event),
        ];
        let example =
            named.iter().fold(example.to_owned(), |text, (from, to)| text.replace(from, to));
        format!("!{example}")
    }

    /// Puts them into every state that some verb takes back.
    pub async fn restrain(&self, api: &Api) -> Result<()> {
        // First of all: what is said by somebody shadow-banned goes nowhere.
        fork(&self.api, api, &self.room).await?;
        let user = &self.eve.user_id;
        let limit = json!({ "messages_per_second": 1, "burst_count": 1 });
        let (status, answer) = api
            .put(&format!("/_synapse/admin/v1/suspend/{user}"), json!({ "suspend": true }))
            .await?;
        // An older homeserver suspends nobody.
        let cannot = answer["errcode"] == "M_UNRECOGNIZED";
        ensure!(status == 200 || cannot, "not suspended: {status}");
        api.post(&format!("/_synapse/admin/v1/users/{user}/shadow_ban"), json!({})).await?;
        api.post(&format!("/_synapse/admin/v1/users/{user}/override_ratelimit"), limit).await?;
        api.put(&format!("/_synapse/admin/v1/rooms/{}/block", self.room), json!({ "block": true }))
            .await?;
        let keys = json!({ "device_keys": { format!("@somebody:{UNREACHABLE}"): [] } });
        api.post("/_matrix/client/v3/keys/query", keys).await?;
        let paused = json!({ "enabled": false });
        api.post("/_synapse/admin/v1/background_updates/enabled", paused).await?;
        let file = self.media.trim_start_matches("mxc://");
        api.post(&format!("/_synapse/admin/v1/media/quarantine/{file}"), json!({})).await?;
        let id = file.rsplit('/').next().unwrap_or_default();
        api.post(&format!("/_synapse/admin/v1/media/protect/{id}"), json!({})).await?;
        let state = json!({ "locked": true, "admin": true, "approved": false });
        let (status, _) = api.put(&format!("/_synapse/admin/v2/users/{user}"), state).await?;
        ensure!(status == 200, "not locked: {status}");
        Ok(())
    }
}

/// How often it is tried to give a room several loose ends.
const TRIES: u32 = 50;

/// Gives a room more loose ends than one: several things are said in it at once, so that none
/// follows another. `by` says them; `admin` looks.
pub async fn fork(by: &Api, admin: &Api, room: &str) -> Result<()> {
    let ends = format!("/_synapse/admin/v1/rooms/{room}/forward_extremities");
    for n in 0..TRIES {
        let say = |which: &'static str| {
            let path = format!("/_matrix/client/v3/rooms/{room}/send/m.dummy/{n}{which}");
            async move { by.put(&path, json!({})).await }
        };
        let (a, b, c, d) = tokio::join!(say("a"), say("b"), say("c"), say("d"));
        for (status, answer) in [a?, b?, c?, d?] {
            ensure!(status == 200, "not said: {answer}");
        }
        if admin.get(&ends).await?.1["count"].as_u64() > Some(1) {
            return Ok(());
        }
    }
    bail!("{room} has one loose end after {TRIES} tries");
}
