//! synadm's faults that show only on a homeserver unlike the usual, and Synod without them.

use anyhow::Result;
use serde_json::json;
use world::{Options, Scene, Synadm, Synapse};

use super::data;
use crate::{
    SYNOD,
    support::{is, says, with_yes},
};

#[tokio::test(flavor = "multi_thread")]
async fn f12_every_request_of_a_command_goes_to_the_same_address() -> Result<()> {
    let synapse = Synapse::start(Options { socket: true, ..Options::default() }).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let (one, two) = (scene.subject("one").await?, scene.subject("two").await?);
    let socket = synapse.dir().join("socket").display().to_string();
    let synadm = Synadm::at(&scene, &socket, json!({ "protocol": "unix" })).await?;
    let details = synadm.runs(&["user", "details", one.user_id.as_str()]).await?;
    assert_eq!(details.last()?["name"], one.user_id.as_str(), "one request: {details:?}");
    let theirs = synadm.runs(&["user", "deactivate", one.user_id.as_str()]).await?;
    assert!(!is(&scene, &one, "deactivated").await?, "synadm does it now: {theirs:?}");
    let ours = with_yes(&scene, &format!("!user deactivate {}", two.user_id)).await?;
    says(&ours, "Done", &[]);
    assert!(is(&scene, &two, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn f13_accounts_are_listed_and_found_where_they_are_delegated() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let synadm = Synadm::of(&scene).await?;
    synapse.delegate().await?;

    let theirs = synadm.runs(&["user", "list"]).await?.last()?;
    assert_eq!(theirs["errcode"], "M_INVALID_PARAM", "synadm lists them now");
    let ours = data(&scene, "!user list -o json").await?;
    let there = synapse.admin().get("/_synapse/admin/v2/users?guests=false&locked=true").await?.1;
    assert_eq!(ours["total"], there["total"], "{ours}");
    assert!(ours.to_string().contains(eve.user_id.as_str()), "{ours}");

    let pattern = format!("@{}:", eve.user_id.localpart());
    let crash = synadm.runs(&["user", "deactivate-regex", &pattern]).await?;
    assert!(crash.crashed_with("KeyError: 'users'"), "synadm finds them now: {crash:?}");
    let command = format!("!user deactivate-regex \"{pattern}.*\"");
    let found = scene.ann_asks(&format!("{command} --dry-run")).await?;
    says(&found, "", &[eve.user_id.as_str()]);

    let path = format!("/_synapse/admin/v1/users/{}/memberships", eve.user_id);
    synadm.runs(&["notice", "send", "-r", &pattern, "Hello"]).await?;
    let rooms = synapse.admin().get(&path).await?.1;
    assert_eq!(rooms["memberships"], json!({}), "synadm sends it now");
    let ours = with_yes(&scene, &format!("!notice send --regex \"{pattern}.*\" Hello")).await?;
    says(&ours, "Done", &[]);
    let rooms = synapse.admin().get(&path).await?.1;
    assert_ne!(rooms["memberships"], json!({}), "{rooms}");

    let refused = synadm.runs(&["user", "password", eve.user_id.as_str(), "-p", "x"]).await?;
    assert_eq!(refused.last()?["errcode"], "M_UNRECOGNIZED");
    let ours = scene.ann_asks(&format!("!user password {}", eve.user_id)).await?;
    says(&ours, "Failed", &["an authentication service", "Do it there"]);
    Ok(())
}
