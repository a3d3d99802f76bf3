//! Reporters who are told, by a server notice, that what they reported was looked at.

use anyhow::Result;
use serde_json::{Value, json};
use world::{Config, Message, Options, Scene, Synapse};

use crate::{
    SYNOD,
    desk::{asks_in, own_homeserver, report_account, thread_about, watching},
    notice::notices,
    support::{api, says},
};

fn telling(config: Config) -> Config {
    watching(config).set("reports.tell_reporters", 2)
}

/// What a reporter reads, and nothing else.
fn looked_at() -> Value {
    json!({ "msgtype": "m.text", "body": "What you reported was looked at. Thank you for reporting it." })
}

/// What is said in the thread of a case after its reporters were told, or could not be.
async fn told_in(scene: &Scene, thread: &Message, mark: usize) -> Result<Message> {
    let is_it = |message: &Message| {
        message.thread.as_ref() == Some(&thread.event_id)
            && message.body.starts_with("Case ")
            && message.body.contains(" told, by a server notice, that it was looked at")
    };
    scene.ann().wait_for_since(mark, "who was told", is_it).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reported_first_is_told_once_and_nobody_is_named_to_them() -> Result<()> {
    let scene = Scene::plan().on(&own_homeserver().await?).start_with(SYNOD, telling).await?;
    let (ann, moe) = (scene.ann(), scene.moe().await?);
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (tom, kim) = (scene.subject("tom").await?, scene.subject("kim").await?);
    let mark = ann.mark();
    for by in [&sam, &sam, &tom, &kim] {
        report_account(&api(&scene, by).await?, &eve, "rude").await?;
    }
    let thread = thread_about(&scene, &eve, mark).await?;
    let closed = asks_in(&scene, moe, &thread, "close: spam").await?;
    says(&closed, "Done", &["closed", "2 reporters are told, by a server notice"]);
    let told = told_in(&scene, &thread, mark).await?;
    says(&told, "Case 1: 2 reporters were told", &[]);
    assert!(told.mentions.is_empty() && told.encrypted, "{told}");
    for reporter in [&sam, &tom] {
        assert_eq!(notices(&scene, reporter).await?, [looked_at()], "{}", reporter.user_id);
    }
    for other in [&kim, &eve] {
        assert!(notices(&scene, other).await?.is_empty(), "{}", other.user_id);
    }
    let record = scene.ann_asks(&format!("!audit list --on {}", sam.user_id)).await?;
    says(&record, "", &["sent a notice to @sam", moe.user_id().localpart()]);

    // Opened and closed again over a kill nobody is told twice.
    says(&asks_in(&scene, ann, &thread, "reopen").await?, "Done", &["opened again"]);
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    let again = asks_in(&scene, ann, &thread, "dismiss: no rule broken").await?;
    says(&again, "Done", &["dismissed"]);
    assert!(!again.body.contains("are told"), "two is the most for a case: {again}");
    assert_eq!(notices(&scene, &sam).await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_notices_are_switched_off_the_thread_says_so() -> Result<()> {
    let extra = "server_notices:\n".to_owned();
    let synapse = Synapse::start(Options { extra, ..Options::default() }).await?;
    let scene = Scene::plan().on(&synapse).start_with(SYNOD, telling).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let mark = scene.ann().mark();
    report_account(&api(&scene, &sam).await?, &eve, "rude").await?;
    let thread = thread_about(&scene, &eve, mark).await?;
    says(&asks_in(&scene, scene.ann(), &thread, "dismiss").await?, "Done", &["dismissed"]);
    let told = told_in(&scene, &thread, mark).await?;
    says(&told, "Case 1: no reporter was told", &["Not told: ", "system_mxid_localpart"]);
    Ok(())
}
