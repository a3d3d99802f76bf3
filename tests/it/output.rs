//! Answers as data: `-o`, `--all`, and the file where it is long.

use anyhow::Result;
use serde_json::Value;
use world::{Crowd, Message, Options, Scene, Synapse};

use crate::{SYNOD, record::export, support::says};

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
    says(&odd, "Not understood · xml will not do", &["human, json, yaml, minified, csv"]);
    let change = scene.ann_asks(&format!("!user suspend {} -o json", eve.user_id)).await?;
    says(&change, "Not understood · -o is no option of !user suspend", &[]);
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
    says(&page, eve.user_id.as_str(), &["101 devices, 1 to 20 shown", "--from 20"]);
    let csv = scene.ann_asks(&format!("!device list {} -o csv --limit 2", eve.user_id)).await?;
    says(&csv, "", &["not all, only 2 of 101", "--all", "--from 2"]);
    let json = scene.ann_asks(&format!("!device list {} -o json --limit 2", eve.user_id)).await?;
    assert!(!json.body.contains("not all") && json.body.contains("next_token"), "{}", json.body);
    let rest = scene.ann_asks(&format!("!device list {} --from 100", eve.user_id)).await?;
    says(&rest, eve.user_id.as_str(), &["101 devices, 101 to 101 shown"]);
    Ok(())
}

/// So many, and so long are their names, that a file of all of them is 20 megabytes.
const CROWD: Crowd = Crowd { name: "many", count: 20_000, named: 1_000 };

#[tokio::test(flavor = "multi_thread")]
async fn a_file_takes_less_memory_than_it_is_long() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    synapse.add(CROWD).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    scene.ann_asks("!user list -o csv").await?;
    let (bot, mark) = (scene.bot()?, scene.ann().mark());
    let before = bot.resident()?;
    bot.forget_peak()?;
    let asked = scene.ann().say(scene.room(), "!user list -n many --all -o csv").await?;
    let is_file = |message: &Message| message.msgtype == "m.file";
    let mut heard = scene.ann().wait_for_since(mark, "the file", is_file).await;
    for _ in 0..8 {
        if heard.is_err() {
            heard = scene.ann().wait_for_since(mark, "the file", is_file).await;
        }
    }
    let (file, peak) = (heard?, bot.peak()?);
    says(&scene.answer(scene.ann(), &asked).await?, "users.csv", &["MiB"]);
    assert!(file.encrypted, "{file:?}");
    let text = String::from_utf8(scene.ann().download(&file).await?)?;
    let (grown, length) = (peak - before, text.len() as u64);
    println!("{grown} bytes more for {length}");
    assert!(grown < length, "the memory grew by {grown} bytes for {length}");
    let ids = CROWD.ids()?;
    assert_eq!(text.lines().count(), ids.len() + 1);
    for (row, id) in text.lines().skip(1).zip(&ids) {
        assert!(row.starts_with(&format!("{id},{}", id.localpart())), "{row}");
    }
    Ok(())
}
