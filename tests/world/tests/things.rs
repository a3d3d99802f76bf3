//! The bot's process, the scene and the proxy, with a stand-in for the bot.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use anyhow::Result;
use reqwest::Method;
use serde_json::json;
use world::{Bot, Fault, Proxy, Scene, Synapse};

/// Says how it was called, is ready, and ends with 3 when asked to.
const STAND_IN: &str = "#!/bin/sh
echo called with $1 $2; cat $3
trap 'echo asked to end; exit 3' TERM
echo so far not already
echo INFO synod: ready
while :; do sleep 0.05; done
";

fn stand_in(dir: &Path) -> Result<std::path::PathBuf> {
    let file = dir.join("stand-in");
    fs::write(&file, STAND_IN)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700))?;
    Ok(file)
}

#[tokio::test]
async fn a_bot_is_started_ended_and_killed() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let bot = Bot::start(stand_in(dir.path())?, "read_only: true\n", dir.path()).await?;
    assert!(bot.log().text().starts_with("called with run --config\nread_only: true\n"));
    assert_eq!(fs::metadata(bot.config_file())?.permissions().mode() & 0o777, 0o600);
    assert_eq!(bot.terminate().await?.code(), Some(3));
    assert_eq!(bot.log().lines_with("asked to end").len(), 1);
    bot.start_again().await?;
    bot.kill().await?;
    assert_eq!(bot.log().lines_with("called with").len(), 2);
    assert_eq!(bot.log().lines_with("asked to end").len(), 1);
    let broken = Bot::start("/bin/false", "", dir.path()).await;
    assert!(broken.is_err_and(|error| format!("{error:#}").contains("it ended")));
    Ok(())
}

#[tokio::test]
async fn a_scene_has_people_accounts_and_secrets() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let config = scene.config().to_string();
    assert!(config.contains(&format!("user_id: \"{}\"", scene.bot_id())), "{config}");
    let vic = scene.vic().await?;
    let said = vic.say(scene.room(), "!user list").await?;
    let heard = scene.ann().next_message_from(vic.user_id()).await?;
    assert!(heard.encrypted && heard.event_id == said);
    let admin = scene.synapse().admin();
    let keeper = admin.account(&scene.keeper().user_id).await?;
    assert_eq!((&keeper["admin"], keeper["name"] != "@keeper:synod.test"), (&json!(true), true));
    let token = fs::read_to_string(scene.dir().join("admin-token"))?;
    let subject = scene.subject("mallory").await?;
    assert_eq!(scene.synapse().api(&token).account(&subject.user_id).await?["admin"], false);
    Ok(())
}

#[tokio::test]
async fn a_proxy_shows_holds_and_loses() -> Result<()> {
    let synapse = Synapse::shared().await?;
    let mallory = synapse.register("proxy-mallory", "secret", false, "Mallory").await?.user_id;
    let proxy = Proxy::start(&synapse.url()).await?;
    let (admin, through) = (synapse.admin(), world::Api::new(proxy.url(), synapse.admin().token()));
    let path = format!("/_synapse/admin/v1/suspend/{mallory}");
    let suspended = async || anyhow::Ok(admin.account(&mallory).await?["suspended"] == true);

    let held = proxy.next(Method::PUT, "/suspend/", Fault::HoldAnswer);
    let asking = tokio::spawn({
        let (through, path) = (through.clone(), path.clone());
        async move { through.put(&path, json!({ "suspend": true })).await }
    });
    held.reached().await?;
    assert!(suspended().await? && !asking.is_finished());
    held.release();
    assert_eq!(asking.await??.0, 200);

    proxy.next(Method::PUT, "/suspend/", Fault::LoseRequest);
    assert!(through.put(&path, json!({ "suspend": false })).await.is_err());
    assert!(suspended().await?);
    proxy.next(Method::PUT, "/suspend/", Fault::LoseAnswer);
    assert!(through.put(&path, json!({ "suspend": false })).await.is_err());
    assert!(!suspended().await?);
    proxy.next(Method::GET, "/users/", Fault::Answer(503, json!({ "errcode": "X" })));
    assert_eq!(
        through.account(&mallory).await.map_err(|e| e.to_string().contains("503")),
        Err(true)
    );
    assert_eq!(through.account(&mallory).await?["displayname"], "Mallory");

    let changes = proxy.changes();
    assert_eq!(changes.len(), 3);
    assert_eq!((&changes[0].path, &changes[0].body), (&path, &json!({ "suspend": true })));
    Ok(())
}
