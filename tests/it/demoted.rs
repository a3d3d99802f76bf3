//! A room's admins and moderators are taken back to the power that everybody has there, and nothing else
//! of its power levels is touched.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use world::{Api, Fault, Scene};

use crate::{
    kicked::{is_ended, join, token_of},
    support::{api, code, devices, digits, make, offered, says, watched, with_yes},
};

/// The power levels of a room, as the homeserver has them.
async fn levels(scene: &Scene, room: &str) -> Result<Value> {
    let path = format!("/_synapse/admin/v1/rooms/{room}/state?type=m.room.power_levels");
    let (_, found) = scene.synapse().admin().get(&path).await?;
    Ok(found["state"][0]["content"].clone())
}

/// Gives somebody a level, and answers what the levels are then.
async fn give(scene: &Scene, by: &Api, room: &str, user: &str, level: i64) -> Result<Value> {
    let mut all = levels(scene, room).await?;
    all["users"].as_object_mut().context("users")?.insert(user.to_owned(), json!(level));
    let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.power_levels/");
    let (status, answer) = by.put(&path, all.clone()).await?;
    ensure!(status == 200, "{answer}");
    Ok(all)
}

fn without(mut all: Value, user: &str) -> Value {
    all["users"].as_object_mut().map(|users| users.remove(user));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_lowers_its_own_power_and_make_admin_gives_just_that_back() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let wanted = json!({"preset": "public_chat", "name": "The lobby", "room_version": "11"});
    let room = make(&by_eve, wanted).await?;
    join(&by_sam, &room).await?;
    let (id, own) = (sam.user_id.as_str(), devices(&scene, &sam).await?);
    let demote = format!("!room demote {room} {id} --as-user");
    says(&scene.ann_asks(&demote).await?, "Nothing changed", &["has 0 there"]);
    let before = give(&scene, &by_eve, &room, id, 100).await?;

    says(&scene.ask(scene.moe().await?, &demote).await?, "Refused", &["the role admin"]);
    let question = scene.ann_asks(&demote).await?;
    let parts = [id, "back from 100 to 0", "takes the account over for a moment"];
    says(&question, "Take the power of", &parts);
    assert!(!question.body.contains("only admin"), "{}", question.body);
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &[id, "has the power 0", "it had 100", "!undo"]);
    assert_eq!(levels(&scene, &room).await?, without(before.clone(), id), "nothing else");
    is_ended(&scene, &token_of(&proxy, "/m.room.power_levels")?).await?;
    assert_eq!(devices(&scene, &sam).await?, own);

    let number = digits(&done.body, "!undo")?;
    says(&with_yes(&scene, &format!("!undo {number}")).await?, "Done", &["is an admin of"]);
    assert_eq!(levels(&scene, &room).await?, before);

    // The last one who could give it back takes the way back with it, and that is said first.
    with_yes(&scene, &demote).await?;
    let question =
        scene.ann_asks(&format!("!room demote {room} {} --as-user", eve.user_id)).await?;
    says(&question, "Take the power of", &["only admin", "without its power", "!room make-admin"]);
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["No undo"]);
    assert_eq!(levels(&scene, &room).await?["users"], json!({}));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_of_the_admin_token_demotes_whoever_has_less() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let room = make(&by_eve, json!({"preset": "public_chat", "room_version": "11"})).await?;
    join(&by_sam, &room).await?;
    let id = sam.user_id.as_str();
    give(&scene, &by_eve, &room, id, 50).await?;
    // A moderator has too little to change any power, its own included.
    let demote = format!("!room demote {room} {id} --as-user");
    let refused = scene.ann_asks(&demote).await?;
    says(&refused, "Refused", &["is not in", "it has 50, and changing power there needs 100"]);
    with_yes(&scene, offered(&refused, "!room make-admin")?).await?;
    join(&api(&scene, scene.keeper()).await?, &room).await?;
    let before = levels(&scene, &room).await?;
    let sent = proxy.changes().len();
    let done = with_yes(&scene, &demote).await?;
    says(&done, "Done", &["it had 50", "No undo"]);
    assert_eq!(levels(&scene, &room).await?, without(before, id));
    let sent = proxy.changes().split_off(sent);
    assert_eq!(sent.len(), 1, "nobody is taken over: {sent:?}");

    let creator = make(&by_eve, json!({"preset": "public_chat", "room_version": "12"})).await?;
    let refused = scene.ann_asks(&format!("!room demote {creator} {}", eve.user_id)).await?;
    says(&refused, "Refused", &["is a creator of the room", "version 12"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_sets_meanwhile_is_asked_about_and_what_crosses_is_told() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let room = make(&by_eve, json!({"preset": "public_chat", "room_version": "11"})).await?;
    join(&by_sam, &room).await?;
    let id = sam.user_id.as_str();
    give(&scene, &by_eve, &room, id, 100).await?;
    let demote = format!("!room demote {room} {id} --as-user");

    let question = scene.ann_asks(&demote).await?;
    let changed = give(&scene, &by_eve, &room, "@tom:synod.test", 10).await?;
    let again = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&again, "", &["power levels was"]);
    assert_eq!(levels(&scene, &room).await?, changed, "that yes was to something else");
    let done = scene.ann_asks(&format!("!confirm {}", code(&again)?)).await?;
    says(&done, "Done", &["it had 100"]);
    assert_eq!(levels(&scene, &room).await?, without(changed, id), "tom keeps what he got");

    // Between the last look and the request there is a moment that nobody can close.
    give(&scene, &by_eve, &room, id, 100).await?;
    let question = scene.ann_asks(&demote).await?;
    let held = proxy.next(Method::PUT, "/m.room.power_levels", Fault::HoldRequest);
    let yes = format!("!confirm {}", code(&question)?);
    let yes = scene.ann().say(scene.room(), &yes).await?;
    held.reached().await?;
    give(&scene, &by_eve, &room, "@tom:synod.test", 20).await?;
    held.release();
    let told = scene.answer(scene.ann(), &yes).await?;
    says(&told, "Done in part", &["at the same moment", "is overwritten", "!room power-levels"]);
    Ok(())
}
