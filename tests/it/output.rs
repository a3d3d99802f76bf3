//! Answers as data: `-o`, `--all`, and the file where it is long.

use anyhow::Result;
use serde_json::Value;
use world::Scene;

use crate::{SYNOD, record::export, verbs::says};

#[tokio::test(flavor = "multi_thread")]
async fn data_come_without_any_other_word_and_agree_with_the_homeserver() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let typed = format!("!user list -i {} -o", eve.user_id.localpart());
    let row = |users: &Value| users["users"][0].clone();

    let json = scene.ann_asks(&format!("{typed} json")).await?;
    let json: Value = serde_json::from_str(&json.body)?;
    let path = format!("/_synapse/admin/v2/users?user_id={}", eve.user_id.localpart());
    let homeserver = scene.synapse().admin().get(&path).await?.1;
    assert_eq!(row(&json), row(&homeserver));
    assert_eq!(json["total"], homeserver["total"]);

    let minified = scene.ann_asks(&format!("{typed} minified")).await?;
    assert_eq!(minified.body.lines().count(), 1);
    assert_eq!(serde_json::from_str::<Value>(&minified.body)?, json);

    let yaml = scene.ann_asks(&format!("{typed} yaml")).await?;
    says(&yaml, "users:", &[&format!("name: \"{}\"", eve.user_id), "total: 1"]);

    let csv = scene.ann_asks(&format!("{typed} csv")).await?;
    let lines: Vec<&str> = csv.body.lines().collect();
    assert_eq!(lines.len(), 2, "{csv:?}");
    assert!(lines[0].starts_with("name,displayname,admin"), "{csv:?}");
    assert!(lines[1].starts_with(&format!("{},eve,", eve.user_id)), "{csv:?}");

    let one = scene.ann_asks(&format!("!user details {} -o json", eve.user_id)).await?;
    assert_eq!(serde_json::from_str::<Value>(&one.body)?["name"], eve.user_id.as_str());
    let odd = scene.ann_asks("!user list -o xml").await?;
    says(&odd, "Refused · xml will not do", &["human, json, yaml, minified, csv"]);
    let change = scene.ann_asks(&format!("!user suspend {} -o json", eve.user_id)).await?;
    says(&change, "Refused · it does not take -o", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_long_list_is_a_file() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    for _ in 0..101 {
        scene.synapse().log_in(&eve).await?;
    }
    let (answer, file, text) =
        export(&scene, &format!("!device list {} --all", eve.user_id)).await?;
    says(&answer, eve.user_id.as_str(), &["101 devices, all of them in devices.csv"]);
    assert!(file.body == "devices.csv" && file.encrypted, "{file:?}");
    assert_eq!(text.lines().count(), 102);
    assert!(text.starts_with("device_id,display_name,last_seen_ts,"), "{text}");
    assert!(!text.contains("127.0.0.1"), "no address was asked for");

    let page = scene.ann_asks(&format!("!device list {}", eve.user_id)).await?;
    says(&page, eve.user_id.as_str(), &["101 devices, 1 to 100 shown", "--from 100"]);
    let rest = scene.ann_asks(&format!("!device list {} --from 100", eve.user_id)).await?;
    says(&rest, eve.user_id.as_str(), &["101 devices, 101 to 101 shown"]);
    Ok(())
}
