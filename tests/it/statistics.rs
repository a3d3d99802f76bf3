//! What takes up space, and what the homeserver does over time.

use anyhow::Result;
use serde_json::{Value, json};
use world::Scene;

use crate::{
    SYNOD,
    rooms::{api, make},
    verbs::says,
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
    says(&odd, "Refused", &["must be later than"]);
    says(&scene.ann_asks("!stats media -n Zoë").await?, "Refused", &["plain letters"]);

    let rooms = scene.ann_asks("!stats rooms").await?;
    says(&rooms, "Refused", &["SQLite", "!room list --sort state_events"]);
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
    says(&scene.ann_asks("!task list --status done").await?, "Refused", &["complete"]);
    Ok(())
}
