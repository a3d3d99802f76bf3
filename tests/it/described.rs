//! Commands that clients know from the room's state, and send as objects (MSC4391).

use anyhow::{Context as _, Result};
use ruma::EventId;
use serde_json::{Value, json};
use world::{Config, Message, Person, Scene, until};

use crate::{
    SYNOD,
    support::{is, says},
};

const KIND: &str = "org.matrix.msc4391.command_description";

/// The descriptions in the room that say something, as the homeserver keeps them.
async fn described(scene: &Scene) -> Result<Vec<Value>> {
    let path = format!("/_matrix/client/v3/rooms/{}/state", scene.room());
    let (_, state) = scene.ann().api().get(&path).await?;
    let state = state.as_array().context("the state is a list")?;
    let says = |event: &&Value| event["type"] == KIND && event["content"] != json!({});
    Ok(state.iter().filter(says).cloned().collect())
}

fn describing(config: Config) -> Config {
    config.set("bot.describe_commands", true).set("homeserver.rate_limit", "lift")
}

/// A message with a command as an object, for the bot, and a text that says something else.
fn calling(scene: &Scene, object: &Value) -> Value {
    json!({
        "msgtype": "m.text",
        "body": "!freeze",
        "m.mentions": { "user_ids": [scene.bot_id()] },
        "org.matrix.msc4391.command": object,
    })
}

fn call(scene: &Scene, command: &str, arguments: Value) -> Value {
    let mut object = json!({ "command": command });
    object["arguments"] = arguments;
    calling(scene, &object)
}

/// Lets somebody's encrypted client send this, and answers what the bot replied.
async fn asks(scene: &Scene, person: &Person, content: Value) -> Result<Message> {
    let event = person.send(scene.room(), "m.room.message", content).await?;
    scene.answer(person, &event).await
}

/// Whether the homeserver has that event encrypted.
async fn is_encrypted(scene: &Scene, event: &EventId) -> Result<bool> {
    Ok(scene.ann().stored_event(scene.room(), event).await?["type"] == "m.room.encrypted")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_room_says_which_commands_there_are_only_while_the_config_says_so() -> Result<()> {
    let scene = Scene::plan().start_with(SYNOD, describing).await?;
    let names = async || -> Result<Vec<String>> {
        let all = described(&scene).await?;
        let name = |event: &Value| event["content"]["command"].as_str().map(str::to_owned);
        Ok(all.iter().filter_map(name).collect())
    };
    until("all are described", async || Ok(names().await?.len() == 11)).await?;
    let before = described(&scene).await?;
    for event in &before {
        assert_eq!(event["sender"], json!(scene.bot_id()), "{event}");
        assert_eq!(event["state_key"].as_str().map(str::len), Some(44), "{event}");
    }
    let suspend = before.iter().find(|event| event["content"]["command"] == "user suspend");
    let users = &suspend.context("suspend is described")?["content"]["parameters"][0];
    assert_eq!(users["schema"]["items"]["type"], "user_id", "{users}");

    // Nothing is said again at the next start. By an answer it is known from where the bot reads on.
    scene.ann_asks("!me").await?;
    let restart = async || -> Result<()> {
        scene.bot()?.terminate().await?;
        scene.bot()?.start_again().await?;
        scene.ann_asks("!me").await.map(drop)
    };
    restart().await?;
    scene.ann_asks("!user list").await?;
    let ids = |all: &[Value]| all.iter().map(|one| one["event_id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&described(&scene).await?), ids(&before));

    scene.bot()?.configure(&scene.config().set("homeserver.rate_limit", "lift").to_string())?;
    restart().await?;
    until("all are taken back", async || Ok(names().await?.is_empty())).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_described_by_itself_and_an_object_is_understood_all_the_same() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let arguments = json!({ "users": [eve.user_id], "reason": "--unsuspend" });
    let content = call(&scene, "user suspend", arguments);
    let event = scene.ann().send(scene.room(), "m.room.message", content).await?;
    let done = scene.answer(scene.ann(), &event).await?;
    assert!(is_encrypted(&scene, &event).await?);
    let words = format!("!user suspend {} --reason=--unsuspend", eve.user_id);
    says(&done, "Done", &[eve.user_id.as_str(), "Your client sent", &words]);
    assert!(is(&scene, &eve, "suspended").await?);
    // The text beside it was the command to freeze everything.
    let sam = scene.subject("sam").await?;
    let done =
        asks(&scene, scene.ann(), call(&scene, "user lock", json!({ "users": [sam.user_id] })));
    says(&done.await?, "Done", &[]);
    assert!(is(&scene, &sam, "locked").await?);
    assert_eq!(described(&scene).await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_asked_about_and_refused_as_typed_text_is() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let users = json!({ "users": [eve.user_id], "gdpr-erase": true });
    let erase = call(&scene, "user deactivate", users);
    let question = asks(&scene, scene.ann(), erase.clone()).await?;
    let typed = format!("!user deactivate {} --gdpr-erase", eve.user_id);
    says(&question, "Deactivate", &[" and ERASE ", &format!("Command: {typed}"), "!confirm"]);
    let as_typed = scene.ann_asks(&typed).await?;
    let head = |message: &Message| {
        let first = message.body.lines().next().unwrap_or_default();
        first.split_once(" · ").map(|(_, rest)| rest.to_owned())
    };
    assert_eq!(head(&question), head(&as_typed));

    let suspend = |arguments: Value| call(&scene, "user suspend", arguments);
    let just_eve = || suspend(json!({ "users": [eve.user_id] }));
    let vic = scene.vic().await?;
    says(&asks(&scene, vic, just_eve()).await?, "Refused", &["viewer"]);
    let unknown = suspend(json!({ "users": [eve.user_id], "force": true }));
    says(&asks(&scene, scene.ann(), unknown).await?, "Not understood", &["no parameter force"]);
    let junk = calling(&scene, &json!("user suspend"));
    says(&asks(&scene, scene.ann(), junk).await?, "Not understood", &["type it instead"]);
    let thief = scene.ann().login_unsigned_device().await?;
    let event = thief.send(scene.room(), "m.room.message", just_eve()).await?;
    says(&scene.answer(scene.ann(), &event).await?, "Refused", &[]);
    let event = scene.ann().send_in_clear(scene.room(), "m.room.message", just_eve()).await?;
    says(&scene.answer(scene.ann(), &event).await?, "Refused", &["encrypted"]);

    let mut edit = just_eve();
    edit["m.new_content"] = just_eve();
    edit["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": event });
    says(&asks(&scene, scene.ann(), edit).await?, "Refused", &["edited messages"]);
    let mut for_another = just_eve();
    for_another["m.mentions"] = json!({ "user_ids": ["@other:synod.test"] });
    let event = scene.ann().send(scene.room(), "m.room.message", for_another).await?;
    scene.unanswered(&event).await?;
    assert!(!is(&scene, &eve, "suspended").await?);
    assert!(!is(&scene, &eve, "deactivated").await?);
    Ok(())
}
