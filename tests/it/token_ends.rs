//! The admin token ends: what needs it waits for another one, and the room knows what to do.

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::json;
use world::{Caught, Fault, Message, Scene, write_secret};

use crate::{
    SYNOD,
    jobs::{accounts, count, ended, lines, say_yes},
    jobs_midway::progress,
    support::{says, suspend, told, watched},
};

/// How many accounts the job is about.
const MANY: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_for_the_next_token_and_goes_on_after_the_reload() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let all = accounts(&scene, MANY).await?;
    let question = scene.ann_asks(&format!("!user suspend{}", lines(&all))).await?;
    let caught = |n: usize| proxy.next(Method::PUT, all[n].user_id.localpart(), Fault::HoldRequest);
    let held: Vec<Caught> = (0..8).map(caught).collect();
    let yes = say_yes(&scene, &question, MANY).await?;
    try_join_all(held.iter().map(Caught::reached)).await?;

    // Somebody logs the session of the token out, in the middle of it.
    let old = scene.synapse().api(&scene.admin_token()?);
    let (status, _) = old.post("/_matrix/client/v3/logout", json!({})).await?;
    assert_eq!(status, 200);
    held.iter().for_each(Caught::release);
    let news = told(&scene, "does not accept the bot's admin token").await?;
    says(&news, "Failed", &["homeserver.admin_token", "Jobs", "!config reload"]);
    assert!(news.mentions.contains(scene.ann().user_id()), "{:?}", news.mentions);
    let alone = scene.ann_asks(&suspend(&all[19])).await?;
    says(&alone, "Failed", &["does not accept the bot's admin token", "!config reload"]);
    assert!(count(&scene, &all, "suspended").await? < MANY);

    let (token, _) = scene.synapse().log_in(scene.keeper()).await?;
    write_secret(&scene.dir().join("admin-token"), &token)?;
    scene.bot()?.hang_up(" ready").await?;
    let over = ended(&scene, &yes).await?;
    says(&over, &format!("Done · {MANY} of {MANY}"), &[&format!("done {MANY}")]);
    assert_eq!(count(&scene, &all, "suspended").await?, MANY);
    says(&scene.ann_asks("!audit verify").await?, "", &["whole"]);
    Ok(())
}

/// How long the homeserver asks for in the test below: longer than one request waits for it.
const ASKED_FOR: u64 = 31;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_until_a_limit_is_over_and_leaves_nobody_out() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let all = accounts(&scene, MANY).await?;
    let question = scene.ann_asks(&format!("!user suspend{}", lines(&all))).await?;
    let limited = json!({
        "errcode": "M_LIMIT_EXCEEDED", "error": "Too many requests", "retry_after_ms": ASKED_FOR * 1000,
    });
    let refusing = proxy.every(Method::PUT, "/suspend", Fault::Answer(429, limited));
    let yes = say_yes(&scene, &question, MANY).await?;
    let (message, _) = progress(&scene, &yes).await?;
    // What it tells is waited for in steps, each shorter than the patience of the client.
    for most in [ASKED_FOR, 18, 6] {
        let goes_on = |edit: &Message| {
            let (_, why) =
                edit.body.split_once("It waits: the homeserver limits how often I may ask it")?;
            let (_, left) = why.split_once("I go on in ")?;
            left.split_once('s')?.0.parse::<u64>().ok()
        };
        let soon = |edit: &Message| goes_on(edit).is_some_and(|left| left <= most);
        scene.ann().edit_of(&message.event_id, soon).await?;
    }
    assert_eq!(count(&scene, &all, "suspended").await?, 0);
    refusing.lift();
    let over = ended(&scene, &yes).await?;
    says(&over, &format!("Done · {MANY} of {MANY}"), &[&format!("done {MANY}")]);
    assert_eq!(count(&scene, &all, "suspended").await?, MANY);
    Ok(())
}

/// How long the token of the test below lives: long enough for the bot to start.
const LIVES: i64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_by_itself_is_told_before_and_at_once() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let eve = scene.subject("eve").await?;
    let ends = Timestamp::now() + SignedDuration::from_secs(LIVES);
    let path = format!("/_synapse/admin/v1/users/{}/login", scene.keeper().user_id);
    let wanted = json!({ "valid_until_ms": ends.as_millisecond() });
    let (_, made) = scene.synapse().admin().post(&path, wanted).await?;
    let token = made["access_token"].as_str().context("a token")?;
    write_secret(&scene.dir().join("admin-token"), token)?;
    let config = scene.config().set("homeserver.admin_token_expires", ends.to_string());
    scene.start_bot(SYNOD, &config).await?;

    let before = told(&scene, "My admin token expires at").await?;
    says(&before, "", &["according to my config", "!config reload"]);
    assert!(before.mentions.contains(scene.ann().user_id()), "{:?}", before.mentions);
    // Nobody asks for anything meanwhile: the bot looks by itself, at the moment that was named.
    let over = told(&scene, "admin token has expired").await?;
    says(&over, "Failed", &["homeserver.admin_token", "!config reload"]);
    says(&scene.ann_asks("!doctor").await?, "", &["the admin token expires at"]);

    let (token, _) = scene.synapse().log_in(scene.keeper()).await?;
    write_secret(&scene.dir().join("admin-token"), &token)?;
    scene.bot()?.configure(&scene.config().to_string())?;
    scene.bot()?.hang_up(" ready").await?;
    says(&scene.ann_asks(&suspend(&eve)).await?, "Done", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_starts_with_a_token_that_has_ended_says_so_and_waits() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    scene.bot()?.terminate().await?;
    let old = scene.synapse().api(&scene.admin_token()?);
    assert_eq!(old.post("/_matrix/client/v3/logout", json!({})).await?.0, 200);
    scene.bot()?.start_again().await?;
    told(&scene, "does not accept the bot's admin token").await?;
    says(&scene.ann_asks(&suspend(&eve)).await?, "Failed", &["!config reload"]);

    let (token, _) = scene.synapse().log_in(scene.keeper()).await?;
    write_secret(&scene.dir().join("admin-token"), &token)?;
    scene.bot()?.hang_up(" ready").await?;
    says(&scene.ann_asks(&suspend(&eve)).await?, "Done", &[]);
    Ok(())
}
