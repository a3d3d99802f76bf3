//! synadm's faults in what it shows and in how it is set up, and Synod without them.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use world::{Proxy, Scene, Synadm, write_secret};

use super::data;
use crate::{
    SYNOD,
    support::{api, both, make, says},
};

#[tokio::test(flavor = "multi_thread")]
async fn f08_what_is_no_id_is_refused_and_never_means_everybody() -> Result<()> {
    let (scene, synadm) = both().await?;
    let crash = synadm.runs(&["user", "details", "bad!name"]).await?;
    assert!(crash.crashed_with("Error"), "synadm says what it is now: {crash:?}");
    let all = synadm.runs(&["user", "list", "-i", "x!"]).await?.last()?;
    assert!(all["total"].as_u64() > Some(0), "synadm filters now: {all}");
    let part = scene.ann().user_id().localpart().split_at(5).0;
    let none = synadm.runs(&["user", "list", "-i", part]).await?.last()?;
    assert_eq!(none["total"], 0, "synadm looks for parts now");

    says(&scene.ann_asks("!user details bad!name").await?, "Not found", &["bad!name"]);
    let ours = data(&scene, "!user list -i x! -o json").await?;
    assert_eq!(ours["total"], 0, "{ours}");
    let ours = data(&scene, &format!("!user list -i {part} -o json")).await?;
    assert_ne!(ours["total"], 0, "{ours}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f09_a_localpart_belongs_to_the_homeserver_of_the_bot() -> Result<()> {
    let (scene, proxy) = crate::support::watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let lost = json!({ "homeserver": "auto-retrieval" });
    let synadm = Synadm::at(&scene, proxy.url(), lost).await?;
    let theirs = synadm.runs(&["user", "details", eve.user_id.localpart()]).await?;
    let asked = |end: &str| {
        proxy.requests().iter().any(|passed| passed.path.replace("%3A", ":").contains(end))
    };
    assert!(asked(&format!("{}:None", eve.user_id.localpart())), "{theirs:?}");
    let details = format!("!user details {} -o json", eve.user_id.localpart());
    assert_eq!(data(&scene, &details).await?["name"], eve.user_id.as_str());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f10_an_error_of_the_api_is_told_in_words() -> Result<()> {
    let (scene, synadm) = both().await?;
    let nobody = format!("@nobody-{}", scene.ann().user_id().as_str().trim_start_matches('@'));
    let room = "!nowhere:synod.test";
    let rows = [
        (["user", "media", &nobody], "user media"),
        (["user", "deactivate", &nobody], "user deactivate"),
        (["room", "members", room], "room members"),
    ];
    for (theirs, ours) in rows {
        let crash = synadm.runs(&[["-o", "human"].as_slice(), &theirs].concat()).await?;
        assert!(crash.crashed_with("KeyError"), "synadm tells it now: {crash:?}");
        let subject = theirs[2];
        let ours = scene.ann_asks(&format!("!{ours} {subject}")).await?;
        says(&ours, "Not found", &[subject]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f11_what_was_not_done_is_not_told_as_done() -> Result<()> {
    let (scene, synadm) = both().await?;
    let nobody = format!("@nobody-{}", scene.ann().user_id().as_str().trim_start_matches('@'));
    for command in ["user details", "user suspend", "user shadow-ban"] {
        let (group, verb) = command.split_once(' ').context("two words")?;
        let theirs = synadm.runs(&[group, verb, &nobody]).await?;
        assert_eq!(theirs.code, Some(0), "synadm tells scripts now: {theirs:?}");
        assert!(theirs.last()?["errcode"].is_string(), "{theirs:?}");
        let ours = scene.ann_asks(&format!("!{command} {nobody}")).await?;
        says(&ours, "Not found", &[&nobody]);
    }
    Ok(())
}

/// What `synod check` says to a configuration, and whether it is content.
async fn checked(scene: &Scene, config: &str) -> Result<(bool, String)> {
    let file = scene.dir().join("other.yaml");
    write_secret(&file, config)?;
    let check = move || Command::new(SYNOD).args(["check", "--config"]).arg(file).output();
    let output = spawn_blocking(check).await??;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8(said)?))
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_a_configuration_without_what_it_needs_is_refused() -> Result<()> {
    let (scene, synadm) = both().await?;
    let url = scene.synapse().url();
    let set = [
        "config",
        "-t",
        "a-token",
        "-b",
        &url,
        "--protocol",
        "http",
        "-p",
        "/_synapse/admin",
        "-m",
        "/_matrix",
        "-w",
        "30",
        "-o",
        "json",
        "-d",
        "well-known",
        "-n",
        "synod.test",
        "-i",
    ];
    synadm.runs(&set).await?;
    let kept = synadm.config()?;
    assert!(kept.contains("user: null"), "synadm asks for it now: {kept}");
    let config = scene.config().without("bot.user_id").to_string();
    let (content, said) = checked(&scene, &config).await?;
    assert!(!content && said.contains("bot.user_id"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f18_power_levels_have_creators_and_need_no_users() -> Result<()> {
    let (scene, synadm) = both().await?;
    let eve = scene.subject("eve").await?;
    let by = api(&scene, &eve).await?;
    let name = format!("powers of {}", eve.user_id.localpart());
    let room = make(&by, json!({ "name": name, "room_version": "12" })).await?;
    let list = ["room", "power-levels", "-n", &name];
    let theirs = synadm.runs(&list).await?;
    assert!(!theirs.out.contains(eve.user_id.as_str()), "synadm names creators now: {theirs:?}");
    let ours = scene.ann_asks(&format!("!room power-levels {room}")).await?;
    says(&ours, "", &[eve.user_id.as_str()]);

    let state = format!("/_matrix/client/v3/rooms/{room}/state/m.room.power_levels");
    let (status, answer) = by.put(&state, json!({ "users_default": 0 })).await?;
    assert_eq!(status, 200, "{answer}");
    let crash = synadm.runs(&list).await?;
    assert!(crash.crashed_with("KeyError: 'users'"), "synadm shows it now: {crash:?}");
    let ours = scene.ann_asks(&format!("!room power-levels {room}")).await?;
    says(&ours, "", &[eve.user_id.as_str()]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_the_token_goes_to_the_configured_address_alone() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let lost = json!({ "homeserver": "auto-retrieval" });
    Synadm::at(&scene, proxy.url(), lost).await?.runs(&["user", "details", "eve"]).await?;
    let asks_others = || {
        let elsewhere = |path: &str| path.contains("well-known") || path.contains("/key/v2");
        proxy.requests().iter().any(|passed| elsewhere(&passed.path))
    };
    assert!(asks_others(), "synadm asks nobody now: {:?}", proxy.requests());

    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let config = scene.config().set("homeserver.url", proxy.url());
    scene.start_bot(SYNOD, &config).await?;
    let eve = scene.subject("eve").await?;
    let details = format!("!user details {} -o json", eve.user_id.localpart());
    assert_eq!(data(&scene, &details).await?["name"], eve.user_id.as_str());
    let elsewhere = |path: &str| path.contains("well-known") || path.contains("/key/v2");
    let asked: Vec<String> = proxy.requests().into_iter().map(|passed| passed.path).collect();
    assert!(!asked.iter().any(|path| elsewhere(path)), "{asked:?}");
    assert!(asked.iter().any(|path| path.contains("/_synapse/admin/")), "{asked:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f21_what_the_configuration_leaves_out_has_a_default() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let short = json!({ "format": Value::Null });
    let crash = Synadm::at(&scene, &scene.synapse().url(), short).await?.runs(&["version"]).await?;
    assert!(crash.crashed_with("KeyError"), "synadm has a default now: {crash:?}");
    // The scene's configuration has nothing but what is asked for; how an answer looks is not in it.
    scene.start_bot(SYNOD, &scene.config()).await?;
    let version = data(&scene, "!server version -o json").await?;
    assert!(version["server_version"].is_string(), "{version}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_braces_in_a_path_are_braces() -> Result<()> {
    let (scene, synadm) = both().await?;
    let room = make(&api(&scene, &scene.subject("eve").await?).await?, json!({})).await?;
    let filter = "{\"types\":[\"m.room.create\"]}";
    let path = format!("v1/rooms/{room}/messages?dir=f&filter={filter}");
    let crash = synadm.runs(&["raw", &path]).await?;
    assert!(crash.crashed_with("KeyError"), "synadm does what it says now: {crash:?}");
    let ours = scene.ann_asks(&format!("!raw '{path}'")).await?;
    says(&ours, "GET", &["m.room.create"]);
    assert!(!ours.body.contains("m.room.member"), "{}", ours.body);
    Ok(())
}
