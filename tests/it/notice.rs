//! Server notices on a real homeserver.

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};
use world::{Account, Options, Scene, Synapse};

use crate::{
    SYNOD,
    support::{says, watched, with_yes},
};

/// What the homeserver has said to an account, oldest first.
pub(crate) async fn notices(scene: &Scene, account: &Account) -> Result<Vec<Value>> {
    let api = scene.synapse().api(&scene.synapse().log_in(account).await?.0);
    let (_, sync) = api.get("/_matrix/client/v3/sync?timeout=0").await?;
    let rooms = sync.pointer("/rooms/join").and_then(Value::as_object);
    let mut said = Vec::new();
    for room in rooms.into_iter().flat_map(|rooms| rooms.keys()) {
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=50");
        let (_, messages) = api.get(&path).await?;
        let chunk = messages["chunk"].as_array().context("messages")?;
        let of_notices = |event: &&Value| {
            event["type"] == "m.room.message"
                && event["sender"].as_str().is_some_and(|sender| sender.starts_with("@notices:"))
        };
        said.extend(chunk.iter().filter(of_notices).map(|event| event["content"].clone()));
    }
    said.reverse();
    Ok(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_reaches_whom_it_is_for_once_and_as_it_was_written() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let moe = scene.moe().await?;
    let command = format!("!notice send {} \"Down at 8 < 9\\nSorry\"", eve.user_id);
    let question = scene.ask(moe, &command).await?;
    says(&question, "Send a notice to", &[eve.user_id.as_str(), "Down at 8 < 9"]);
    assert!(notices(&scene, &eve).await?.is_empty(), "a question says nothing");
    let done = with_yes(&scene, &command).await?;
    says(&done, "Done", &["got a notice from the homeserver", "No undo"]);
    let plain = json!({"msgtype": "m.text", "body": "Down at 8 < 9\nSorry"});
    assert_eq!(notices(&scene, &eve).await?.as_slice(), std::slice::from_ref(&plain));

    // Said again it is another one, and both get it though it is sent at the same moment.
    let both = format!("!notice send {} \"**Up** again\" -m --also {}", eve.user_id, sam.user_id);
    says(&scene.ask(moe, &both).await?, "Refused", &["admin"]);
    says(&with_yes(&scene, &both).await?, "Done", &["2 accounts"]);
    let html = json!({"msgtype": "m.text", "body": "**Up** again",
        "format": "org.matrix.custom.html", "formatted_body": "<p><strong>Up</strong> again</p>"});
    assert_eq!(notices(&scene, &eve).await?, [plain, html.clone()]);
    assert_eq!(notices(&scene, &sam).await?, [html]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_that_are_switched_off_are_told_before_anything_is_asked() -> Result<()> {
    let extra = "server_notices:\n".to_owned();
    let synapse = Synapse::start(Options { extra, ..Options::default() }).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    for to in [format!("{}", eve.user_id), format!("{} --also {}", eve.user_id, sam.user_id)] {
        let told = scene.ann_asks(&format!("!notice send {to} Hello")).await?;
        says(&told, "Failed", &["disabled", "homeserver.yaml", "system_mxid_localpart"]);
        assert!(!told.body.contains("!confirm"), "{}", told.body);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_notices_are_switched_on_is_asked_without_anybody_getting_one() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let sent = || {
        let mut sent = proxy.answered();
        sent.retain(|answered| answered.request.method != Method::GET);
        sent
    };
    let command = format!("!notice send {} Hello", eve.user_id);
    // A plan sends nothing, and neither does a command that is refused.
    says(&scene.ann_asks(&format!("{command} --plan")).await?, "", &["Hello"]);
    let boss = scene.keeper();
    let moe = scene.moe().await?;
    let above = scene.ask(moe, &format!("!notice send {} Hello", boss.user_id)).await?;
    says(&above, "Refused", &[boss.user_id.as_str()]);
    assert!(sent().is_empty(), "{:?}", sent());

    says(&scene.ann_asks(&command).await?, "Send a notice to", &[eve.user_id.as_str()]);
    let [asked] = sent().try_into().expect("one probe");
    assert_eq!((asked.status, asked.request.body), (400, json!({"user_id": "", "content": {}})));
    let rooms = format!("/_synapse/admin/v1/users/{}/memberships", eve.user_id);
    let (_, rooms) = scene.synapse().admin().get(&rooms).await?;
    assert_eq!(rooms["memberships"], json!({}), "nobody has a room for notices by it");
    assert!(notices(&scene, &eve).await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_finds_all_it_fits_and_nobody_who_cannot_read() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, gone) = (scene.subject("same-a").await?, scene.subject("same-b").await?);
    let (locked, other) = (scene.subject("same-c").await?, scene.subject("other").await?);
    let api = scene.synapse().admin();
    let deactivate = format!("/_synapse/admin/v1/deactivate/{}", gone.user_id);
    api.post(&deactivate, json!({})).await?;
    let lock = format!("/_synapse/admin/v2/users/{}", locked.user_id);
    api.put(&lock, json!({ "locked": true })).await?;

    let (_, tag) = eve.user_id.localpart().split_once("-a-").context("a tag")?;
    let command = format!("!notice send \"@same-.-{tag}:synod\\.test\" Hello --regex");
    let question = scene.ann_asks(&command).await?;
    says(&question, "Send a notice to", &[eve.user_id.as_str()]);
    for left in [&gone, &locked, &other] {
        assert!(!question.body.contains(left.user_id.as_str()), "{}", question.body);
    }
    says(&with_yes(&scene, &command).await?, "Done", &[eve.user_id.as_str()]);
    assert_eq!(notices(&scene, &eve).await?, [json!({"msgtype": "m.text", "body": "Hello"})]);
    assert!(notices(&scene, &other).await?.is_empty());

    let none = scene.ann_asks("!notice send \"@nobody-at-all\" Hello -r").await?;
    says(&none, "Not found", &["no account matches"]);
    let wrong = scene.ann_asks("!notice send \"@(same\" Hello -r").await?;
    says(&wrong, "Not understood", &["not a regular expression"]);
    let named = scene.ann_asks(&format!("!notice send {} Hello", gone.user_id)).await?;
    says(&named, "Nothing changed", &["is deactivated"]);
    let nobody = scene.ann_asks("!notice send @nobody-at-all:synod.test Hello").await?;
    says(&nobody, "Not found", &["no such user"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_another_type_is_sent_as_it_was_written() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let command = |content: &str| {
        format!("!notice send {} '{content}' --type m.room.topic --state-key \"\"", eve.user_id)
    };
    let wrong = scene.ann_asks(&command("News")).await?;
    says(&wrong, "Not understood", &["the text is the content of the event", "JSON object"]);
    let question = scene.ann_asks(&command(r#"{"topic": "News"}"#)).await?;
    says(&question, "Send a notice to", &["m.room.topic", "(state)"]);
    says(&with_yes(&scene, &command(r#"{"topic": "News"}"#)).await?, "Done", &["got a notice"]);
    assert!(notices(&scene, &eve).await?.is_empty(), "it is no message");

    let api = scene.synapse().api(&scene.synapse().log_in(&eve).await?.0);
    let (_, sync) = api.get("/_matrix/client/v3/sync?timeout=0").await?;
    let joined = sync.pointer("/rooms/join").and_then(Value::as_object).context("no room")?;
    let room = joined.keys().next().context("no room")?;
    let topic = format!("/_matrix/client/v3/rooms/{room}/state/m.room.topic");
    assert_eq!(api.get(&topic).await?.1["topic"], "News");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_in_the_servers_name_to_those_above_them() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, boss) = (scene.subject("eve").await?, scene.subject("boss").await?);
    let admin = scene.synapse().admin();
    let path = format!("/_synapse/admin/v1/users/{}/admin", boss.user_id);
    assert_eq!(admin.put(&path, json!({ "admin": true })).await?.0, 200);
    let moe = scene.moe().await?;
    let phish = "\"Your password expires: https://evil.example\"";
    let above = [&boss.user_id, scene.ann().user_id(), &scene.keeper().user_id, scene.bot_id()];
    for user in above {
        let command = format!("!notice send {user} {phish}");
        says(&scene.ask(moe, &command).await?, "Refused", &[user.as_str()]);
        let body = format!("{{\"user_id\": \"{user}\", \"content\": {{}}}}");
        let path = format!("!raw v1/send_server_notice -m post -d '{body}'");
        says(&scene.ask(moe, &path).await?, "Refused", &[user.as_str()]);
    }
    let state =
        format!("!notice send {} '{{}}' --type m.room.power_levels --state-key \"\"", eve.user_id);
    says(&scene.ask(moe, &state).await?, "Refused", &["the role admin"]);
    let body =
        format!("{{\"user_id\": \"{}\", \"content\": {{}}, \"type\": \"m.x\"}}", eve.user_id);
    let raw = format!("!raw v1/send_server_notice -m post -d '{body}'");
    says(&scene.ask(moe, &raw).await?, "Refused", &["the role admin"]);
    assert!(notices(&scene, &boss).await?.is_empty() && notices(&scene, &eve).await?.is_empty());
    let ann = with_yes(&scene, &format!("!notice send {} Hello", boss.user_id)).await?;
    says(&ann, "Done", &["got a notice"]);
    Ok(())
}
