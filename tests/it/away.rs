//! The homeserver goes away while an answer is on its way out, or puts the bot out.

use std::time::Duration;

use anyhow::Result;
use reqwest::Method;
use world::{Fault, Options, PATIENCE, Proxy, Scene, Synapse};

use crate::{SYNOD, support::is};

/// Longer than the bot tries to send one answer, with looks at the homeserver before it.
const GIVES_UP: Duration = Duration::from_mins(2);

/// Longer than the bot waits between two tries to hear from the homeserver.
const COMES_BACK: Duration = Duration::from_secs(90);

/// A scene on a homeserver of its own, which a test may stop. Its Admin API lies behind a proxy.
async fn alone() -> Result<(Synapse, Scene, Proxy)> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    let proxy = Proxy::start(&synapse.url()).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    scene.start_bot(SYNOD, &config).await?;
    scene.ann_asks("!me").await?;
    Ok((synapse, scene, proxy))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_waits_for_a_homeserver_that_is_soon_back() -> Result<()> {
    let (synapse, scene, proxy) = alone().await?;
    let (ann, eve) = (scene.ann(), scene.subject("eve").await?);
    let held = proxy.next(Method::GET, "/server_version", Fault::HoldAnswer);
    let command = ann.say(scene.room(), "!server version").await?;
    held.reached().await?;
    synapse.stop().await?;
    held.release();
    synapse.start_again().await?;
    let answer = scene.answer(ann, &command).await?;
    assert!(answer.body.contains("Synapse: “1."), "{}", answer.body);

    let done = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &eve, "suspended").await?);
    assert_eq!(ann.answers_to(&command).len(), 1, "it was said twice");
    let unsent = scene.bot()?.log().lines_with("an answer was not sent");
    assert_eq!(unsent, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_took_is_given_when_the_homeserver_is_back() -> Result<()> {
    let (synapse, scene, proxy) = alone().await?;
    let (ann, eve) = (scene.ann(), scene.subject("eve").await?);
    let held = proxy.next(Method::PUT, "/suspend/", Fault::HoldAnswer);
    let command = ann.say(scene.room(), &format!("!user suspend {}", eve.user_id)).await?;
    held.reached().await?;
    let log = scene.bot()?.log();
    let mark = log.mark();
    synapse.stop().await?;
    held.release();
    let unsent = log.wait_for("an answer was not sent", mark, GIVES_UP).await?;
    assert!(unsent.contains(command.as_str()), "to what: {unsent}");
    assert!(unsent.contains("did not accept it in time"), "why: {unsent}");

    synapse.start_again().await?;
    log.wait_for("the homeserver answers again", mark, COMES_BACK).await?;
    let record = scene.ann_asks("!audit").await?;
    let suspended = format!("suspended @{}", eve.user_id.localpart());
    assert!(record.body.contains(&suspended), "{}", record.body);
    assert!(record.body.contains("Unknown"), "it could not look again: {}", record.body);
    let told = scene.answer(ann, &command).await?;
    assert!(told.body.starts_with("Unknown · "), "{}", told.body);
    assert_eq!(ann.answers_to(&command).len(), 1, "it was said twice");
    assert_eq!(proxy.changes().len(), 1, "it is not repeated: {:?}", proxy.changes());
    assert!(is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_whose_device_is_logged_out_ends_and_says_why() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (api, eve) = (scene.synapse().admin(), scene.subject("eve").await?);
    scene.ann_asks("!me").await?;
    let devices = format!("/_synapse/admin/v2/users/{}/devices", scene.bot_id());
    let known = api.get(&devices).await?.1;
    assert_eq!(known["total"], 1, "{known}");
    let device = known["devices"][0]["device_id"].as_str().unwrap_or_default();
    let (bot, mark) = (scene.bot()?, scene.bot()?.log().mark());
    let (status, answer) = api.delete(&format!("{devices}/{device}"), None).await?;
    assert_eq!(status, 200, "{answer}");

    let why = bot.log().wait_for("somebody logged its device out", mark, PATIENCE).await?;
    assert!(why.contains("session.json"), "what to do: {why}");
    assert_eq!(bot.ended().await?.code(), Some(1), "{}", bot.log().tail(20));
    let said = scene.ann().say(scene.room(), &format!("!user suspend {}", eve.user_id)).await?;
    // It does not come back by itself: perhaps that was what somebody meant by it.
    assert!(bot.start_again().await.is_err(), "it began again");
    assert_eq!(api.get(&devices).await?.1["total"], 0, "it made itself another device");
    assert!(scene.ann().answers_to(&said).is_empty());
    assert!(!is(&scene, &eve, "suspended").await?);

    // Whoever has the machine lets it, as it says.
    std::fs::remove_file(scene.state().join("session.json"))?;
    let mark = bot.log().mark();
    bot.start_again().await?;
    // What came before its new device began to read is not run, and is told as what it is.
    let told = scene.answer(scene.ann(), &said).await?;
    assert!(told.body.starts_with("Failed · "), "{}", told.body);
    assert!(told.body.contains("could not decrypt"), "{}", told.body);
    bot.log().wait_for("logged in as a new device", mark, PATIENCE).await?;
    scene.ann_asks("!me").await?;
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}
