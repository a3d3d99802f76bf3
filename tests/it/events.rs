//! Events on a real homeserver: who sent what, and what it says only on demand.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use world::{Api, Scene};

use crate::{
    SYNOD,
    support::{api, make, says},
};

/// Sends a message and answers its event id.
pub(crate) async fn send(api: &Api, room: &str, text: &str) -> Result<String> {
    let transaction = text.replace(' ', "-");
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{transaction}");
    let (_, sent) = api.put(&path, json!({"msgtype": "m.text", "body": text})).await?;
    Ok(sent["event_id"].as_str().with_context(|| format!("it is sent: {sent}"))?.to_owned())
}

/// Redacts an event.
pub(crate) async fn redact(api: &Api, room: &str, event: &str) -> Result<()> {
    let path = format!("/_matrix/client/v3/rooms/{room}/redact/{}/t", event.replace('/', "%2F"));
    let (status, answer) = api.put(&path, json!({})).await?;
    anyhow::ensure!(status == 200, "not redacted: {answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_shown_and_its_words_only_on_demand_and_never_by_accident() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    // The ids of events in rooms of this version have slashes in them.
    let room = make(&by_eve, json!({"preset": "public_chat", "room_version": "3"})).await?;
    let event = send(&by_eve, &room, "meet me at nine").await?;
    let sender = eve.user_id.as_str();
    for more in ["", "-o json", "-o yaml"] {
        let closed = scene.ann_asks(&format!("!event details {event} {more}")).await?;
        says(&closed, "", &[sender, &room, "m.room.message"]);
        assert!(!closed.body.contains("nine"), "{}", closed.body);
    }
    let typed = format!("!event details {event} --show-content");
    says(&scene.ann_asks(&typed).await?, &event, &["meet me at nine", "!room context"]);
    says(&scene.ann_asks("!audit").await?, "", &["looked at private things", "--show-content"]);
    says(&scene.ask(scene.vic().await?, &typed).await?, "Refused", &["moderator"]);

    redact(&by_eve, &room, &event).await?;
    // The homeserver still hands out what it said, and does not say that it was redacted.
    let path = format!("/_synapse/admin/v1/fetch_event/{}", event.replace('/', "%2F"));
    let raw = scene.synapse().admin().get(&path).await?.1.to_string();
    assert!(raw.contains("nine") && !raw.contains("redacted_because"), "no trap: {raw}");
    for more in ["", "--show-content", "--show-content -o json"] {
        let gone = scene.ann_asks(&format!("!event details {event} {more}")).await?;
        says(&gone, "", &[sender]);
        assert!(!gone.body.contains("nine"), "{}", gone.body);
    }
    let told = scene.ann_asks(&typed).await?;
    says(&told, &event, &["Redacted: by", "Says: nothing any more"]);
    let said = scene.ann_asks(&format!("!event details {event} --show-redacted")).await?;
    says(&said, &event, &["Redacted: by", "Says, or said: “meet me at nine”"]);
    let data = scene.ann_asks(&format!("!event show {event} --show-redacted -o json")).await?;
    let data: Value = serde_json::from_str(&data.body)?;
    assert_eq!(data["event"]["content"]["body"], "meet me at nine");

    says(&scene.ann_asks("!event details $nosuchevent").await?, "Not found", &["no event"]);
    says(
        &scene.ann_asks("!event details nosuchevent").await?,
        "Not understood",
        &["begins with $"],
    );
    Ok(())
}
