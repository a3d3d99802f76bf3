//! What takes up space, and what the homeserver does over time.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use world::{Options, Scene, Synapse};

use crate::{
    SYNOD,
    charts::picture,
    support::{api, make, says},
};

#[tokio::test(flavor = "multi_thread")]
async fn files_are_counted_by_account_and_rooms_only_by_another_database() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let tag = eve.user_id.localpart().split_once('-').map(|(_, tag)| tag).unwrap_or_default();
    let large: Vec<u8> = eve.user_id.as_bytes().repeat(200);
    api(&scene, &eve).await?.upload(large.clone(), "image/png", "large.png").await?;
    api(&scene, &sam).await?.upload(vec![7; 10], "image/png", "small.png").await?;
    let stats = scene.ann_asks(&format!("!stats media -n {tag}")).await?;
    says(&stats, "2 accounts", &[eve.user_id.as_str(), sam.user_id.as_str(), "Files: 1"]);
    let at = |user: &world::Account| stats.body.find(user.user_id.as_str());
    assert!(at(&eve) < at(&sam), "the largest first: {}", stats.body);
    let data = scene.ann_asks(&format!("!stats media -n {tag} -r -o json")).await?;
    let data: Value = serde_json::from_str(&data.body)?;
    assert_eq!(data["users"][1]["media_length"], large.len());
    let old = scene.ann_asks(&format!("!stats media -n {tag} --until 1d")).await?;
    says(&old, "Uploaded before 20", &["no accounts"]);
    let odd = scene.ann_asks("!stats media --since 1d --until 2d").await?;
    says(&odd, "Not understood", &["must be later than"]);
    says(&scene.ann_asks("!stats media -n Zoë").await?, "Not understood", &["plain letters"]);

    let rooms = scene.ann_asks("!stats rooms").await?;
    says(&rooms, "Failed", &["SQLite", "!room list --sort state_events"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_found_by_what_it_is_about() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let room = make(&api(&scene, &eve).await?, json!({})).await?;
    let path = format!("/_synapse/admin/v2/rooms/{room}");
    let (status, answer) = scene.synapse().admin().delete(&path, Some(json!({}))).await?;
    assert_eq!(status, 200, "{answer}");
    let id = answer["delete_id"].as_str().unwrap_or_default();
    let list = scene.ann_asks(&format!("!task list --resource {room}")).await?;
    says(&list, "1 task", &[id, "shutdown_and_purge_room", &room]);
    let none = scene.ann_asks(&format!("!task list -i {room} -s failed -s cancelled")).await?;
    says(&none, "no tasks", &[]);
    let data = scene.ann_asks(&format!("!task list -i {room} -o json")).await?;
    assert_eq!(serde_json::from_str::<Value>(&data.body)?["scheduled_tasks"][0]["id"], id);
    says(&scene.ann_asks("!task list --status done").await?, "Not understood", &["complete"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_are_as_large_as_the_homeserver_estimates_on_postgresql() -> Result<()> {
    let synapse = Synapse::start(Options { postgres: true, ..Options::default() }).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by, other) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let (large, small) = (
        make(&by, json!({ "preset": "public_chat", "name": "Large" })).await?,
        make(&other, json!({})).await?,
    );
    let join = format!("/_matrix/client/v3/join/{large}");
    assert_eq!(other.post(&join, json!({})).await?.0, 200, "there is nobody to be notified");
    for n in 0..40 {
        let path = format!("/_matrix/client/v3/rooms/{large}/send/m.room.message/{n}");
        let (status, answer) = by.put(&path, json!({ "msgtype": "m.text", "body": "x" })).await?;
        assert_eq!(status, 200, "{answer}");
    }
    let postgres = synapse.postgres().context("it has one")?;
    let path = "/_synapse/admin/v1/statistics/database/rooms";
    // The database estimates by what it knew when it last looked.
    postgres.query("ANALYZE").await?;
    assert_eq!(synapse.admin().get(path).await?.0, 500, "Synapse fails where all is new");
    let rooms = scene.ann_asks("!stats rooms").await?;
    says(&rooms, "Failed", &["cannot do it", "!room list --sort state_events"]);

    // What homeservers have of the time before 2022, which Synapse rests on.
    let old = "UPDATE event_edges SET room_id = events.room_id FROM events \
               WHERE events.event_id = event_edges.event_id";
    postgres.query(old).await?;
    postgres.query("ANALYZE").await?;
    let (status, theirs) = synapse.admin().get(path).await?;
    assert_eq!(status, 200, "{theirs}");
    let data = scene.ann_asks("!stats rooms -o json").await?;
    let data: Value = serde_json::from_str(&data.body)?;
    assert_eq!(data["rooms"][0]["room_id"], large, "{data}");
    // The command itself is an event, by which the estimate of the next moment is another.
    let [told, estimated] = [&data, &theirs].map(|of| estimates(&of["rooms"]));
    assert_eq!(told.len(), estimated.len(), "{data} {theirs}");
    for ((room, size), (same, about)) in told.iter().zip(&estimated) {
        assert_eq!(room, same);
        assert!((size - about).abs() < about / 10.0, "{size} bytes are not about {about}");
    }
    let told = scene.ann_asks("!stats rooms").await?;
    says(&told, "", &[&large, "“Large”", "About: "]);
    assert!(told.body.find(&large) < told.body.find(&small), "{}", told.body);

    let mark = scene.ann().mark();
    says(&scene.ann_asks("!stats rooms --chart").await?, "Rooms by size: ", &[".png"]);
    let shown = picture(&scene, mark).await?.replace('\u{2060}', "");
    let begins = "Bar chart. Rooms by size, ";
    assert!(shown.starts_with(begins) && shown.contains(": “Large” "), "{shown}");
    assert!(shown.contains(" KiB") || shown.contains(" MiB"), "{shown}");
    Ok(())
}

/// The rooms and how many bytes they take, in their order.
fn estimates(rooms: &Value) -> Vec<(&str, f64)> {
    let rooms = rooms.as_array().into_iter().flatten();
    rooms
        .filter_map(|room| Some((room["room_id"].as_str()?, room["estimated_size"].as_f64()?)))
        .collect()
}
