//! Another server that can really be reached: its accounts, its rooms, its files, and its absence.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde_json::{Value, json};
use world::{Account, Api, Scene, Synapse};

use crate::{
    SYNOD,
    support::{api, make, says, with_yes},
};

/// Bob, who lives on the other server, and eve, who lives on the bot's.
struct Both {
    scene: Scene,
    there: Synapse,
    eve: Account,
    by_eve: Api,
    bob: Account,
    by_bob: Api,
}

impl Both {
    async fn start() -> Result<Self> {
        let (here, there) = Synapse::neighbours().await?;
        let scene = Scene::plan().on(&here).start(SYNOD).await?;
        let eve = scene.subject("eve").await?;
        let bob = there.register("bob", "a password", false, "Bob").await?;
        let (by_eve, token) = (api(&scene, &eve).await?, there.log_in(&bob).await?.0);
        Ok(Self { by_bob: there.api(&token), scene, there, eve, by_eve, bob })
    }

    /// A public room of eve's that bob has joined by asking her server.
    async fn shared(&self) -> Result<String> {
        let room = make(&self.by_eve, json!({ "preset": "public_chat", "name": "Shared" })).await?;
        let via = self.scene.synapse().server_name();
        let join = format!("/_matrix/client/v3/join/{room}?server_name={via}");
        let (status, answer) = self.by_bob.post(&join, json!({})).await?;
        assert_eq!(status, 200, "{answer}");
        Ok(room)
    }

    async fn eve_says(&self, room: &str, text: &str) -> Result<()> {
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{text}");
        let content = json!({ "msgtype": "m.text", "body": text });
        let (status, answer) = self.by_eve.put(&path, content).await?;
        assert_eq!(status, 200, "{answer}");
        Ok(())
    }

    /// Whether bob has received this in the room.
    async fn bob_hears(&self, room: &str, text: &str) -> Result<bool> {
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=20");
        Ok(self.by_bob.get(&path).await?.1["chunk"].to_string().contains(text))
    }

    /// The other server as the homeserver has it.
    async fn destination(&self) -> Result<Value> {
        let name = self.there.server_name();
        let path = format!("/_synapse/admin/v1/federation/destinations/{name}");
        Ok(self.scene.synapse().admin().get(&path).await?.1)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_is_reached_lost_and_found_again() -> Result<()> {
    let both = Both::start().await?;
    let (scene, name) = (&both.scene, both.there.server_name());
    let room = both.shared().await?;
    both.eve_says(&room, "first").await?;
    let sent = async || Ok(both.destination().await?["last_successful_stream_ordering"].is_u64());
    world::until("something was sent there", sent).await?;
    says(&scene.ann_asks("!federation list").await?, "1 server", &[name, "Reached: yes"]);
    let details = scene.ann_asks(&format!("!federation details {}", both.bob.user_id)).await?;
    says(&details, name, &["Reached: yes", "Rooms shared: 1", "!federation rooms"]);
    let rooms = scene.ann_asks(&format!("!federation rooms {name}")).await?;
    says(&rooms, name, &["1 room", &room, "Shared", "Members: 2"]);
    let reset = format!("!federation reset {name}");
    says(&scene.ann_asks(&reset).await?, "Nothing changed", &["is not failing"]);

    both.there.stop().await?;
    both.eve_says(&room, "second").await?;
    let failing = async || Ok(both.destination().await?["retry_last_ts"].as_u64() > Some(0));
    world::until("the other server counts as failing", failing).await?;
    let details = scene.ann_asks(&format!("!federation details {name}")).await?;
    says(&details, name, &["Reached: no", "Failing since: ", "Rooms shared: 1", &reset]);
    assert!(!details.body.contains("not known"), "{}", details.body);
    let list = scene.ann_asks("!federation list --failing").await?;
    says(&list, "1 server", &[name, "Next try: "]);

    both.there.start_again().await?;
    says(&with_yes(scene, &reset).await?, "Done", &["is being retried"]);
    assert_eq!(both.destination().await?["retry_last_ts"], 0);
    world::until("bob hears it", || both.bob_hears(&room, "second")).await?;
    let details = scene.ann_asks(&format!("!federation details {name} -o json")).await?;
    let details: Value = serde_json::from_str(&details.body)?;
    assert_eq!(details, both.destination().await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_and_what_is_of_another_server_is_shown_and_left_to_it() -> Result<()> {
    let both = Both::start().await?;
    let (scene, bob, name) = (&both.scene, both.bob.user_id.as_str(), both.there.server_name());
    let room = both.shared().await?;
    let members = scene.ann_asks(&format!("!room members {room}")).await?;
    says(&members, "", &[bob, both.eve.user_id.as_str()]);
    let dossier = scene.ann_asks(&format!("!room details {room}")).await?;
    says(&dossier, "", &["Members: 2, 1 here"]);
    says(&scene.ann_asks(&format!("!user membership {bob}")).await?, "", &[&room, "Shared"]);
    for verb in ["details", "suspend", "deactivate", "password", "whois"] {
        let refused = scene.ann_asks(&format!("!user {verb} {bob}")).await?;
        says(&refused, "Refused", &[bob, "another server", "!user membership"]);
    }

    // A room that no server but his has, which is found by asking there.
    let alias = format!("#den:{name}");
    let den = json!({ "preset": "public_chat", "room_alias_name": "den", "name": "Den" });
    let den = make(&both.by_bob, den).await?;
    says(&scene.ann_asks(&format!("!room resolve {alias}")).await?, "", &[&den]);
    let details = scene.ann_asks(&format!("!room details {alias}")).await?;
    says(&details, "Not found", &["does not know the room"]);
    let eve = both.eve.user_id.as_str();
    let joined = with_yes(scene, &format!("!room join {alias} {eve}")).await?;
    says(&joined, "Done", &[eve, &den]);
    let path = format!("/_matrix/client/v3/rooms/{den}/joined_members");
    let there = async || Ok(both.by_bob.get(&path).await?.1["joined"][eve].is_object());
    world::until("bob's server has her in his room", there).await?;
    says(&scene.ann_asks(&format!("!room details {alias}")).await?, "", &["Den"]);

    // When she leaves, nobody on this server is in it, and it can go.
    let leave = format!("/_matrix/client/v3/rooms/{den}/leave");
    both.by_eve.post(&leave, json!({})).await?;
    let admin = with_yes(scene, &format!("!room make-admin {den} -u {eve}")).await;
    assert!(admin.is_err() || !admin?.body.starts_with("Done · "));
    let empty = scene.ann_asks("!room purge-empty --plan").await?;
    assert!(empty.body.contains(&den) && !empty.body.contains(&room), "{}", empty.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_another_servers_file_is_purged_and_fetched_again() -> Result<()> {
    let both = Both::start().await?;
    let scene = &both.scene;
    let file = both.by_bob.upload(vec![7; 2000], "image/png", "a.png").await?;
    let id = file.trim_start_matches("mxc://");
    let fetch = format!("/_matrix/client/v1/media/download/{id}");
    let info = format!("/_synapse/admin/v1/media/{id}");
    let none = scene.ann_asks(&format!("!media details {file}")).await?;
    says(&none, "Not found", &["has no copy of it"]);
    assert_eq!(both.by_eve.get(&fetch).await?.0, 200);
    says(&scene.ann_asks(&format!("!media details {file}")).await?, "", &["image/png"]);
    let delete = scene.ann_asks(&format!("!media delete {file}")).await?;
    says(&delete, "Refused", &["another server", "!media purge"]);

    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let purged = with_yes(scene, &format!("!media purge --before-ts {now}")).await?;
    says(&purged, "Done", &["1 copy deleted"]);
    assert_eq!(scene.synapse().admin().get(&info).await?.0, 404);
    assert_eq!(both.by_eve.get(&fetch).await?.0, 200, "its own server has it");

    says(&scene.ann_asks(&format!("!media quarantine {file}")).await?, "Done", &[&file]);
    assert_eq!(both.by_eve.get(&fetch).await?.0, 404, "not for anybody here");
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let purged = with_yes(scene, &format!("!media purge --before-ts {now}")).await?;
    says(&purged, "Nothing changed", &["no such copy"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_another_server_is_redacted_by_who_was_there_with_power() -> Result<()> {
    let both = Both::start().await?;
    let (scene, bob) = (&both.scene, both.bob.user_id.as_str());
    let room = both.shared().await?;
    let keeper = api(scene, scene.keeper()).await?;
    let who = scene.keeper().user_id.as_str();
    let bob_says = async |text: &str| -> Result<String> {
        let event = crate::events::send(&both.by_bob, &room, text).await?;
        let path = format!("/_synapse/admin/v1/fetch_event/{event}");
        let arrived = async || Ok(keeper.get(&path).await?.0 == 200);
        world::until("it has arrived here", arrived).await?;
        Ok(event)
    };
    let outside = bob_says("outside").await?;
    let told = scene.ann_asks(&format!("!event redact {outside}")).await?;
    says(&told, "Refused", &[who, "was not in", &room, "!room power-levels"]);

    let join = format!("/_matrix/client/v3/join/{room}");
    assert_eq!(keeper.post(&join, json!({})).await?.0, 200);
    let member = format!("/_matrix/client/v3/rooms/{room}/state/m.room.member/{who}");
    let joined = async || Ok(both.by_bob.get(&member).await?.1["membership"] == "join");
    world::until("the other server knows of the join", joined).await?;
    let weak = bob_says("weak").await?;
    let told = scene.ann_asks(&format!("!event redact {weak}")).await?;
    says(&told, "Refused", &[who, "had the power 0", "it takes 50"]);

    let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.power_levels");
    let (_, mut levels) = both.by_eve.get(&path).await?;
    levels["users"][who] = json!(50);
    assert_eq!(both.by_eve.put(&path, levels).await?.0, 200);
    let spoken_of = async || Ok(both.by_bob.get(&path).await?.1["users"][who] == json!(50));
    world::until("the other server knows of the power", spoken_of).await?;
    let spam = bob_says("spam").await?;
    let question = scene.ann_asks(&format!("!event redact {spam}")).await?;
    says(&question, "Redact", &[&spam, bob, "the account of my admin token"]);
    let done = with_yes(scene, &format!("!event redact {spam}")).await?;
    says(&done, "Done", &["is redacted", "Redacted by", who]);
    let body = async |by: &Api, event: &str| -> Result<Value> {
        let path = format!("/_matrix/client/v3/rooms/{room}/event/{event}");
        Ok(by.get(&path).await?.1["content"]["body"].clone())
    };
    assert_eq!(body(&both.by_eve, &spam).await?, Value::Null);
    assert_eq!(body(&both.by_eve, &weak).await?, "weak");
    let there = async || Ok(body(&both.by_bob, &spam).await? == Value::Null);
    world::until("it is redacted there too", there).await?;
    // What was sent before anybody had the power is out of reach as before.
    says(&scene.ann_asks(&format!("!event redact {weak}")).await?, "Refused", &["power 0"]);
    Ok(())
}
