//! What is typed beside the place where it belongs: secrets, phrases, options.

use anyhow::{Context as _, Result};
use ruma::EventId;
use serde_json::json;
use world::{Account, NewRoom, Scene};

use crate::{
    SYNOD,
    jobs::accounts,
    record::export,
    secrets::leaks,
    support::{code, digits, says},
};

/// Whether the homeserver still shows what this event said.
async fn is_removed(scene: &Scene, event: &EventId) -> Result<bool> {
    let stored = scene.ann().stored_event(scene.room(), event).await?;
    Ok(stored["content"].as_object().is_some_and(serde_json::Map::is_empty))
}

/// One password in each, in a place where the bot does not look for one.
fn spellings(eve: &Account) -> Vec<String> {
    let user = &eve.user_id;
    [
        "!user modify {} -p Canary-0",
        "!user password {} Canary-1",
        "!user register foo Canary-2",
        "!user password {} --pasword Canary-3",
        "!user password {} -P=Canary-4",
        "!user password {}\nCanary-5",
        "!user passwrd {} Canary-6",
        "!usr password {} Canary-7",
        "!password {} Canary-8",
        "!user password {} \"Canary-9",
        "!user password\neve\nCanary-10",
        "!user pw {} Canary-11",
        "!user password {} Canary-12 --help",
        "!help user passwrd {} Canary-13",
        "!raw PUT /_synapse/admin/v2/users/{} {password: Canary-14}",
        "!raw POST /_synapse/admin/v1/reset_password/{} --body {\"new_password\":\"Canary-15\"}",
        "good morning\n!user password {} -p Canary-16",
        "**!user password {} Canary-17**",
        "- !user password {} Canary-18",
        "> !user password {} Canary-19",
        "！user password {}, Canary-20",
        "/user password {} Canary-21",
        "!user.password {} Canary-22",
    ]
    .map(|text| text.replace("{}", user.as_str()))
    .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_the_wrong_place_is_removed_and_repeated_nowhere() -> Result<()> {
    let scene = Scene::plan().start_with(SYNOD, |config| config.set("log.filter", "trace")).await?;
    let (eve, ann) = (scene.subject("eve").await?, scene.ann());
    let mut answers = String::new();
    for text in spellings(&eve) {
        let said = ann.say(scene.room(), &text).await?;
        let answer = scene.answer(ann, &said).await.with_context(|| text.clone())?;
        says(&answer, "Refused", &["removed your message", "as leaked"]);
        assert!(is_removed(&scene, &said).await?, "{text} stays in the room");
        answers.push_str(&answer.raw.to_string());
    }
    // An access token says by its form what it is, wherever it stands.
    let token = format!("syt_a2VlcGVy_{}_38nVFx", "Canary-mvvmTndMPXzQz");
    for text in [
        "{}",
        "Bearer {}",
        "!note eve {}",
        "!regtok new --token {}",
        "!user details {}",
        "!config set homeserver.admin_token {}",
        "!user suspend nobody --reason \"{}\"",
        "good morning\n{}",
    ] {
        let said = ann.say(scene.room(), &text.replace("{}", &token)).await?;
        let answer = scene.answer(ann, &said).await.with_context(|| text.to_owned())?;
        says(&answer, "Refused", &["access token", "removed your message"]);
        assert!(is_removed(&scene, &said).await?, "{text} stays in the room");
        answers.push_str(&answer.raw.to_string());
    }
    // Who may not set a password has typed one all the same.
    let vic = scene.vic().await?;
    let text = format!("!user password {} -p Canary-vic", eve.user_id);
    let said = vic.say(scene.room(), &text).await?;
    answers.push_str(&scene.answer(vic, &said).await?.raw.to_string());
    assert!(is_removed(&scene, &said).await?, "{text} stays in the room");
    let harmless = ann.say(scene.room(), "good morning").await?;
    let text = format!("!user password {} -p Canary-edit", eve.user_id);
    let edit = ann.edit(scene.room(), &harmless, &text).await?;
    answers.push_str(&scene.answer(ann, &edit).await?.raw.to_string());
    assert!(is_removed(&scene, &edit).await?, "{text} stays in the room");

    // A slip in what takes no secret is answered as ever, and stays.
    let slip = ann.say(scene.room(), "!user suspnd eve spam").await?;
    says(&scene.answer(ann, &slip).await?, "Not understood", &["suspnd", "!user suspend eve spam"]);
    let slip_of_option = format!("!user password {} --no-logot", eve.user_id);
    let option = ann.say(scene.room(), &slip_of_option).await?;
    says(&scene.answer(ann, &option).await?, "Not understood", &["--no-logot"]);
    assert!(!is_removed(&scene, &slip).await? && !is_removed(&scene, &option).await?);

    let (_, _, exported) = export(&scene, "!audit export").await?;
    let bot = scene.bot()?;
    bot.terminate().await?;
    let canary = "Canary-".to_owned();
    for (place, text) in [("answers", &answers), ("record", &exported), ("log", &bot.log().text())]
    {
        let line = text.lines().find(|line| line.contains(&canary));
        assert!(line.is_none(), "in the {place}: {line:?}");
    }
    let leaked = leaks(&scene.state(), &[("password", canary)])?;
    assert!(leaked.is_empty(), "{leaked:?}");
    Ok(())
}

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
        says(&wrong, "Refused", &["not the right phrase"]);
        let done = scene.ann_asks(&format!("!confirm {code} {end}")).await?;
        says(&done, "Done", &["has started", room.as_str()]);
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
        says(&done, "Done", &["renamed", "!undo "]);
        let number = digits(&done.body, "!undo")?;
        let undone = scene.ann_asks(&format!("!undo {number} --reason=-slip")).await?;
        says(&undone, "Done", &["renamed"]);
        assert_eq!(name().await?, odd);
    }
    Ok(())
}
