//! How the bot behaves in a room besides what it is asked: it greets, shows that it is at work, and marks
//! what it could not answer so that its sender sees it.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use ruma::{EventId, OwnedEventId};
use serde_json::{Value, json};
use world::{Account, Fault, Message, Proxy, Scene, until};

use crate::{
    SYNOD,
    support::{told, told_since, watched},
};

/// The reaction of the bot under an event, heard already or still to come.
async fn reaction(scene: &Scene, event: &EventId, key: &str) -> Result<Message> {
    let is_it = |message: &Message| {
        message.sender == *scene.bot_id()
            && message.reaction.as_ref().is_some_and(|(to, with)| to == event && with == key)
    };
    scene.ann().wait_for(&format!("{key} under {event}"), is_it).await
}

/// The reactions of the bot under an event so far.
fn reactions(scene: &Scene, event: &EventId) -> Vec<String> {
    let heard = scene.ann().heard().into_iter();
    let of_bot = heard.filter(|message| message.sender == *scene.bot_id());
    let under = of_bot.filter_map(|message| message.reaction.filter(|(to, _)| to == event));
    under.map(|(_, key)| key).collect()
}

/// Returns when the homeserver has redacted an event.
async fn redacted(scene: &Scene, event: &OwnedEventId) -> Result<()> {
    let is_it = |message: &Message| message.redacts.as_ref() == Some(event);
    scene.ann().wait_for(&format!("the redaction of {event}"), is_it).await.map(drop)
}

/// Whether the room shows that the bot writes.
async fn writes(scene: &Scene) -> Result<bool> {
    // The homeserver answers the same question for two minutes as it did before.
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let path = format!("/_matrix/client/v3/sync?timeout={}", ASKED.fetch_add(1, Ordering::Relaxed));
    let (_, synced) = scene.ann().api().get(&path).await?;
    let joined = &synced["rooms"]["join"][scene.room().as_str()];
    let events = joined["ephemeral"]["events"].as_array().context("ephemeral events")?;
    let typing = events.iter().filter(|event| event["type"] == "m.typing");
    let mut users = typing.filter_map(|event| event["content"]["user_ids"].as_array()).flatten();
    Ok(users.any(|user| *user == json!(scene.bot_id())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_cannot_read_the_refusal_sees_a_mark_under_its_message() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let thief = ann.login_unsigned_device().await?;
    let stolen = thief.say(room, "!me").await?;
    let is_mark = |message: &Message| {
        message.reaction == Some((stolen.clone(), "⚠️".to_owned()))
            && message.sender == *scene.bot_id()
    };
    let mark = thief.wait_for("the mark", is_mark).await?;
    assert!(!mark.encrypted, "{mark}");
    let refusal = thief.wait_for("the refusal", |m| m.reply_to.as_ref() == Some(&stolen)).await?;
    assert_eq!(refusal.body, "", "its device reads the refusal");

    // Not again for each of many, for whoever can write in her name.
    let again = thief.say(room, "!me").await?;
    scene.answer(ann, &again).await?;
    // Nor for a stranger, who gets the one line.
    let stranger = scene.stranger().await?.login_unsigned_device().await?;
    let asked = stranger.say(room, "!me").await?;
    scene.answer(ann, &asked).await?;
    let own = ann.say(room, "!me").await?;
    scene.answer(ann, &own).await?;
    for event in [&again, &asked, &own] {
        assert_eq!(reactions(&scene, event), Vec::<String>::new(), "{event}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_greeted_when_the_bot_first_comes_into_it() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let greeting = told(&scene, "I am here").await?;
    let parts = [scene.bot_id().as_str(), "I look, and make changes", "1 operator", "!help"];
    crate::support::says(&greeting, "I am here · ", &parts);
    assert!(greeting.encrypted && greeting.mentions.is_empty(), "{:?}", greeting.raw);
    assert_eq!(greeting.msgtype, "m.notice");
    // Neither at the next start, nor when it is put out and invited again.
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    scene.ann_asks("!me").await?;
    let (api, user) = (scene.ann().api(), json!({ "user_id": scene.bot_id() }));
    let (path, mark) = (format!("/_matrix/client/v3/rooms/{}", scene.room()), scene.ann().mark());
    ensure!(api.post(&format!("{path}/kick"), user.clone()).await?.0 == 200);
    ensure!(api.post(&format!("{path}/invite"), user).await?.0 == 200);
    let joins = |message: &Message| {
        message.kind == "m.room.member"
            && message.sender == *scene.bot_id()
            && message.raw["content"]["membership"] == "join"
    };
    scene.ann().wait_for_since(mark, "the bot's return", joins).await?;
    let command = scene.ann().say(scene.room(), "!me").await?;
    scene.answer(scene.ann(), &command).await?;
    let greetings = scene.ann().heard().into_iter().filter(|m| m.body.contains("I am here"));
    assert_eq!(greetings.count(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_behind_the_bots_joining_is_answered_over_a_kill_and_a_gap() -> Result<()> {
    let scene = Scene::plan().in_clear().set().await?;
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let _joins = proxy.next(Method::POST, "/join", Fault::HoldAnswer);
    let before = scene.ann().say(scene.room(), "!server version").await?;
    let config = scene.config().set("homeserver.url", proxy.url());
    scene.start_bot(SYNOD, &config).await?;
    // It is in the room, and hears nothing of it before it is killed.
    let deaf = proxy.every(Method::GET, "/sync", Fault::LoseRequest);
    let command = scene.ann().say(scene.room(), "!me").await?;
    // More than a sync lists.
    for n in 0..=100 {
        let path = format!("/_matrix/client/v3/rooms/{}/send/m.room.message/{n}", scene.room());
        let said = json!({ "msgtype": "m.text", "body": "What is this?" });
        ensure!(scene.ann().api().put(&path, said).await?.0 == 200);
    }
    scene.bot()?.kill().await?;
    deaf.lift();
    scene.bot()?.start_again().await?;
    let answer = scene.answer(scene.ann(), &command).await?;
    crate::support::says(&answer, "", &[scene.ann().user_id().as_str()]);
    assert_eq!(scene.ann().answers_to(&before).len(), 0, "it was said before the bot came");
    Ok(())
}

/// The profile of an account.
async fn profile(scene: &Scene, of: &Account) -> Result<Value> {
    let path = format!("/_matrix/client/v3/profile/{}", of.user_id);
    Ok(scene.synapse().admin().get(&path).await?.1)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_gives_itself_a_name_and_a_picture_once_and_only_where_it_has_none() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (bot, api) = (scene.bot_account(), scene.synapse().admin());
    let account = format!("/_synapse/admin/v2/users/{}", bot.user_id);
    // As a homeserver names an account that nobody has named.
    let named = |name: &str| json!({ "displayname": name });
    api.put(&account, named(bot.user_id.localpart())).await?;
    let config = scene.config().set("bot.avatar", true).set("bot.display_name", "The Synod");
    scene.start_bot(SYNOD, &config).await?;
    scene.ann_asks("!me").await?;
    let given = profile(&scene, bot).await?;
    assert_eq!(given["displayname"], "The Synod", "{given}");
    let picture = given["avatar_url"].as_str().context("a picture")?.replace("mxc://", "");
    let path = format!("/_matrix/client/v1/media/download/{picture}");
    assert_eq!(scene.ann().api().get(&path).await?.0, 200, "{path}");

    // Somebody has it otherwise.
    api.put(&account, json!({ "displayname": "Eve", "avatar_url": "" })).await?;
    scene.bot()?.terminate().await?;
    scene.bot()?.start_again().await?;
    scene.ann_asks("!me").await?;
    let kept = profile(&scene, bot).await?;
    assert_eq!(kept["displayname"], "Eve", "{kept}");
    assert!(kept["avatar_url"].as_str().is_none_or(str::is_empty), "{kept}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_a_picture_that_somebody_gave_the_bot_stay() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let picture = scene.ann().upload(b"a picture".to_vec(), "image/png", "own.png").await?;
    let account = format!("/_synapse/admin/v2/users/{}", scene.bot_id());
    let own = json!({ "displayname": "Warden", "avatar_url": picture });
    scene.synapse().admin().put(&account, own.clone()).await?;
    scene.start_bot(SYNOD, &scene.config().set("bot.avatar", true)).await?;
    scene.ann_asks("!me").await?;
    let kept = profile(&scene, scene.bot_account()).await?;
    assert_eq!(
        (&kept["displayname"], &kept["avatar_url"]),
        (&own["displayname"], &own["avatar_url"])
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_while_is_shown_to_be_at_work_until_it_is_answered() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room) = (scene.ann(), scene.room());
    scene.ann_asks("!me").await?;
    let held = proxy.next(Method::GET, "/server_version", Fault::HoldAnswer);
    let command = ann.say(room, "!server version").await?;
    held.reached().await?;
    let mark = reaction(&scene, &command, "⏳").await?;
    until("it is shown that the bot writes", async || writes(&scene).await).await?;
    held.release();
    let answer = scene.answer(ann, &command).await?;
    redacted(&scene, &mark.event_id).await?;
    let place = |event: &EventId| {
        let is_it = |message: &Message| {
            message.event_id == *event || message.redacts.as_deref() == Some(event)
        };
        ann.heard().iter().rposition(is_it)
    };
    assert!(place(&answer.event_id) < place(&mark.event_id), "it was gone before the answer");
    until("the bot writes no more", async || Ok(!writes(&scene).await?)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_a_kill_leaves_behind_goes_at_the_next_start() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    scene.ann_asks("!me").await?;
    let held = proxy.next(Method::GET, "/server_version", Fault::HoldAnswer);
    let command = scene.ann().say(scene.room(), "!server version").await?;
    held.reached().await?;
    let mark = reaction(&scene, &command, "⏳").await?;
    // Half a second after a write it is on disk; by an answer that is sent it is known to be later.
    crate::support::later_than(&scene, &mark.event_id, 2_000).await?;
    scene.bot()?.kill().await?;
    held.release();
    let before = scene.ann().mark();
    scene.bot()?.start_again().await?;
    told_since(&scene, before, "I was stopped before I got to this").await?;
    redacted(&scene, &mark.event_id).await
}
