//! Reports on a real homeserver: read, and cleared away.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use world::{Account, Api, Scene};

use crate::{
    SYNOD,
    events::{redact, send},
    support::{api, code, make, says},
};

/// Reports an event, and answers the number of the report.
async fn report(scene: &Scene, by: (&Account, &Api), room: &str, event: &str) -> Result<u64> {
    let path = format!("/_matrix/client/v3/rooms/{room}/report/{event}");
    let (status, answer) = by.1.post(&path, json!({"reason": "it is spam"})).await?;
    anyhow::ensure!(status == 200, "not reported: {answer}");
    let path = format!("/_synapse/admin/v1/event_reports?user_id={}", by.0.user_id);
    let reports = scene.synapse().admin().get(&path).await?.1;
    reports["event_reports"][0]["id"].as_u64().with_context(|| reports.to_string())
}

async fn exists(scene: &Scene, kind: &str, number: u64) -> Result<bool> {
    let path = format!("/_synapse/admin/v1/{kind}/{number}");
    Ok(scene.synapse().admin().get(&path).await?.0 == 200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_an_event_is_read_and_cleared_away() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let room = make(&by_eve, json!({"preset": "public_chat"})).await?;
    by_sam.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?;
    let event = send(&by_eve, &room, "buy my gold").await?;
    let first = report(&scene, (&sam, &by_sam), &room, &event).await?;
    let (reporter, sender) = (sam.user_id.as_str(), eve.user_id.as_str());

    for filter in
        [format!("--sender {sender}"), format!("--reporter {reporter}"), format!("--room {room}")]
    {
        let list = scene.ann_asks(&format!("!report list {filter}")).await?;
        let number = first.to_string();
        says(&list, "", &["1 report", &number, reporter, sender, "it is spam", &event]);
        assert!(!list.body.contains("gold"), "{}", list.body);
    }
    // To the homeserver a part of an id is enough.
    let part = reporter.strip_suffix('t').context("an id at synod.test")?;
    let none = scene.ann_asks(&format!("!report list --reporter {part}")).await?;
    says(&none, "no reports found", &[]);

    // A reply to the list acts on whoever was reported, and says so.
    let list = scene.ann_asks(&format!("!report list --sender {sender}")).await?;
    let event_of = scene.ann().reply(scene.room(), &list.event_id, "!user suspend").await?;
    let question = scene.answer(scene.ann(), &event_of).await?;
    says(&question, "", &["the accused", sender, "!confirm"]);
    assert!(!question.body.contains(reporter), "{question}");

    for more in ["", "-o json"] {
        let closed = scene.ann_asks(&format!("!report details {first} {more}")).await?;
        says(&closed, "", &[reporter, sender, "it is spam", "m.room.message"]);
        assert!(!closed.body.contains("gold"), "{}", closed.body);
    }
    let open = format!("!report details {first} --show-content");
    says(&scene.ann_asks(&open).await?, "report ", &["Says: “buy my gold”", "!report dismiss"]);
    says(&scene.ask(scene.vic().await?, &open).await?, "Refused", &["moderator"]);
    redact(&by_eve, &room, &event).await?;
    let path = format!("/_synapse/admin/v1/event_reports/{first}");
    let raw = scene.synapse().admin().get(&path).await?.1.to_string();
    assert!(raw.contains("gold"), "no trap: {raw}");
    for more in ["", "-o json"] {
        let gone = scene.ann_asks(&format!("{open} {more}")).await?;
        assert!(!gone.body.contains("gold"), "{}", gone.body);
    }
    says(&scene.ann_asks(&open).await?, "report ", &["Redacted: by", "nothing any more"]);

    let second = report(&scene, (&sam, &by_sam), &room, &event).await?;
    let moe = scene.moe().await?;
    let question = scene.ask(moe, &format!("!report dismiss {first} {second} {second}")).await?;
    says(&question, "", &["it is spam", reporter]);
    assert!(exists(&scene, "event_reports", first).await?, "a question deletes nothing");
    // Of several, how many is to be said with the code.
    let confirm = format!("!confirm {} 2", code(&question)?);
    says(&scene.ask(moe, &confirm).await?, "Done", &["dismissed"]);
    for number in [first, second] {
        assert!(!exists(&scene, "event_reports", number).await?);
    }
    let again = scene.ann_asks(&format!("!report dismiss {first}")).await?;
    says(&again, "Nothing changed", &["already dismissed, by", moe.user_id().as_str()]);
    let never = scene.ann_asks("!report dismiss 999999").await?;
    says(&never, "Not found", &["there is no report", "!report list"]);
    says(
        &scene.ann_asks("!report details five").await?,
        "Not understood",
        &["a report by its number"],
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_an_account_is_never_taken_for_one_of_an_event() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let by_sam = api(&scene, &sam).await?;
    let target = eve.user_id.as_str();
    let path = format!("/_matrix/client/v3/users/{target}/report");
    assert_eq!(by_sam.post(&path, json!({"reason": "rude"})).await?.0, 200);
    let list = scene.ann_asks(&format!("!report list --users --target {target} -o json")).await?;
    let list: Value = serde_json::from_str(&list.body)?;
    let number = list["user_reports"][0]["id"].as_u64().with_context(|| list.to_string())?;
    let told = scene.ann_asks(&format!("!report list -u --reporter {}", sam.user_id)).await?;
    says(&told, "1 report of an account", &[target, "rude"]);
    let details = scene.ann_asks(&format!("!report show {number} --users")).await?;
    says(&details, "account report", &[target, sam.user_id.as_str(), "!user details"]);

    let question = scene.ann_asks(&format!("!report dismiss {number} --users")).await?;
    assert!(exists(&scene, "user_reports", number).await?, "a question deletes nothing");
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["account report", target, "rude"]);
    assert!(!exists(&scene, "user_reports", number).await?);
    says(&scene.ann_asks("!report list --target @x").await?, "Not understood", &["--users"]);
    Ok(())
}
