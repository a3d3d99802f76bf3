//! What is typed beside the place where it belongs: secrets, phrases, options.

use anyhow::{Context as _, Result};
use serde_json::json;
use world::{NewRoom, Scene};

use crate::{SYNOD, basics::code, jobs::accounts, verbs::says};

#[tokio::test(flavor = "multi_thread")]
async fn the_phrase_of_a_room_is_its_own_and_not_the_end_of_the_servers_name() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let mut asked = Vec::new();
    for version in ["11", "12"] {
        let new = NewRoom {
            name: "Lobby".to_owned(),
            encrypted: false,
            version: Some(version.to_owned()),
            ..NewRoom::default()
        };
        let room = scene.ann().create_room(&new).await?;
        let opaque = room.as_str().trim_start_matches('!');
        let opaque = opaque.split_once(':').map_or(opaque, |(opaque, _)| opaque);
        let end = opaque.get(opaque.len() - 6..).context("six characters")?.to_owned();
        let question = scene.ann_asks(&format!("!room delete {room}")).await?;
        says(&question, "Delete", &["the last six characters of the room id"]);
        asked.push((room.clone(), code(&question)?, end));
    }
    assert!(asked[0].0.as_str().contains(':') && !asked[1].0.as_str().contains(':'));
    let server = asked[0].0.as_str();
    let server = server.get(server.len() - 6..).context("six characters")?;
    for (room, code, end) in &asked {
        let wrong = scene.ann_asks(&format!("!confirm {code} {server}")).await?;
        says(&wrong, "Refused", &["not the phrase"]);
        let done = scene.ann_asks(&format!("!confirm {code} {end}")).await?;
        says(&done, "Done", &["has begun", room.as_str()]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_put_again_knows_that_its_list_came_from_a_reply() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let all = accounts(&scene, 1).await?;
    let eve = &all[0];
    let list = scene.ann_asks(&format!("!user search {}", eve.user_id)).await?;
    let rename = "!user modify --display-name Renamed";
    let asked = scene.ann().reply(scene.room(), &list.event_id, rename).await?;
    let question = scene.answer(scene.ann(), &asked).await?;
    says(&question, "", &["Renamed", "with the localpart"]);
    // Something that binds is another now.
    let path = format!("/_synapse/admin/v2/users/{}", eve.user_id);
    scene.synapse().admin().put(&path, json!({ "locked": true })).await?;
    let named = async || -> Result<bool> {
        let (_, account) = scene.synapse().admin().get(&path).await?;
        Ok(account["displayname"] == "Renamed")
    };
    let yes = format!("!confirm {} {}", code(&question)?, eve.user_id.localpart());
    let again = scene.ann_asks(&yes).await?;
    says(&again, "", &["Something changed", "with the localpart"]);
    assert!(!named().await?, "nobody has said yes to what it is now");
    let yes = format!("!confirm {} {}", code(&again)?, eve.user_id.localpart());
    says(&scene.ann_asks(&yes).await?, "Done", &[eve.user_id.as_str()]);
    assert!(named().await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_gets_back_a_name_that_looks_like_an_option() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let (_, device) = scene.synapse().log_in(&eve).await?;
    let path = format!("/_synapse/admin/v2/users/{}/devices/{device}", eve.user_id);
    let name = async || -> Result<String> {
        let (_, device) = scene.synapse().admin().get(&path).await?;
        Ok(device["display_name"].as_str().unwrap_or_default().to_owned())
    };
    for odd in ["-x", "--reason", "--", "!user", "a \"b\" 'c'", ""] {
        scene.synapse().admin().put(&path, json!({ "display_name": odd })).await?;
        let rename = format!("!device rename {} {device} Work", eve.user_id);
        let done = scene.ann_asks(&rename).await?;
        says(&done, "Done", &["has another name", "!undo "]);
        let (_, undo) = done.body.split_once("!undo ").context("no undo")?;
        let number: String = undo.chars().take_while(char::is_ascii_digit).collect();
        let undone = scene.ann_asks(&format!("!undo {number} --reason=-slip")).await?;
        says(&undone, "Done", &["has another name"]);
        assert_eq!(name().await?, odd);
    }
    Ok(())
}
