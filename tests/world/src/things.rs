//! What the examples of the verbs are about, on a real homeserver.

use anyhow::{Result, ensure};
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
}

impl Things {
    /// The things of this account, made by itself.
    pub async fn of(synapse: &Synapse, eve: Account) -> Result<Self> {
        let person = Person::login(synapse, eve.user_id.localpart(), &eve.password).await?;
        let localpart = format!("lobby-{}", eve.user_id.localpart());
        let alias = Some(localpart.clone());
        let room = person.create_room(&NewRoom { alias, ..NewRoom::default() }).await?;
        person.say(&room, "hello").await?;
        let token = format!("welcome-{}", eve.user_id.localpart());
        let new = "/_synapse/admin/v1/registration_tokens/new";
        let (status, _) = synapse.admin().post(new, json!({ "token": token })).await?;
        ensure!(status == 200, "no token: {status}");
        let gone = format!("gone-{}", eve.user_id.localpart());
        let gone = synapse.register(&gone, &eve.password, false, "gone").await?;
        let deactivate = format!("/_synapse/admin/v1/deactivate/{}", gone.user_id);
        let (status, _) = synapse.admin().post(&deactivate, json!({})).await?;
        ensure!(status == 200, "not deactivated: {status}");
        Ok(Self {
            media: person.upload(b"a picture".to_vec(), "image/png", "a.png").await?,
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
        let named = [
            ("@ann:example.org", self.eve.user_id.as_str()),
            ("@new:example.org", &new),
            ("@gone:example.org", self.gone.user_id.as_str()),
            ("welcome-friends", &self.token),
            ("JLAFKJWSCS", &self.device),
            ("#lobby:example.org", &self.alias),
            ("!OGEhHVWSdvArJzumhm:example.org", &self.room),
            ("mxc://example.org/abcdefghijklmnopqrstuvwx", &self.media),
            ("abcdefghijklmnopqrstuvwx", id),
        ];
        let example =
            named.iter().fold(example.to_owned(), |text, (from, to)| text.replace(from, to));
        format!("!{example}")
    }

    /// Puts them into every state that some verb takes back.
    pub async fn restrain(&self, api: &Api) -> Result<()> {
        let user = &self.eve.user_id;
        let limit = json!({ "messages_per_second": 1, "burst_count": 1 });
        let (status, _) = api
            .put(&format!("/_synapse/admin/v1/suspend/{user}"), json!({ "suspend": true }))
            .await?;
        ensure!(status == 200, "not suspended: {status}");
        api.post(&format!("/_synapse/admin/v1/users/{user}/shadow_ban"), json!({})).await?;
        api.post(&format!("/_synapse/admin/v1/users/{user}/override_ratelimit"), limit).await?;
        api.put(&format!("/_synapse/admin/v1/rooms/{}/block", self.room), json!({ "block": true }))
            .await?;
        let file = self.media.trim_start_matches("mxc://");
        api.post(&format!("/_synapse/admin/v1/media/quarantine/{file}"), json!({})).await?;
        let id = file.rsplit('/').next().unwrap_or_default();
        api.post(&format!("/_synapse/admin/v1/media/protect/{id}"), json!({})).await?;
        let state = json!({ "locked": true, "admin": true });
        let (status, _) = api.put(&format!("/_synapse/admin/v2/users/{user}"), state).await?;
        ensure!(status == 200, "not locked: {status}");
        Ok(())
    }
}
