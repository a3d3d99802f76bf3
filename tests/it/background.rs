//! Background updates on a homeserver of one's own: held, let go on, and started.

use anyhow::Result;
use serde_json::json;
use world::{Options, Scene, Synapse};

use crate::{
    SYNOD,
    sanctions::told,
    verbs::{offered, says, with_yes},
};

/// Whether the homeserver has them on.
async fn is_on(synapse: &Synapse) -> Result<bool> {
    let path = "/_synapse/admin/v1/background_updates/enabled";
    Ok(synapse.admin().get(path).await?.1["enabled"] == json!(true))
}

/// Waits until a homeserver that has just been made is through with what it begins with.
async fn until_idle(synapse: &Synapse) -> Result<()> {
    let path = "/_synapse/admin/v1/background_updates/status";
    // Between two updates there is a moment without any.
    let mut idle = 0;
    while idle < 10 {
        let current = synapse.admin().get(path).await?.1["current_updates"].clone();
        idle = if current == json!({}) { idle + 1 } else { 0 };
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_are_held_let_go_on_and_started() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let vic = scene.vic().await?;
    until_idle(&synapse).await?;
    let status = scene.ask(vic, "!background status").await?;
    says(&status, "synod.test", &["Background updates: on", "Running: nothing"]);
    says(&scene.ann_asks("!background resume").await?, "Nothing changed", &["are not paused"]);

    let paused = scene.ann_asks("!background pause").await?;
    says(&paused, "Done", &["are paused", "!undo"]);
    assert!(!is_on(&synapse).await?);
    says(&scene.ann_asks("!background pause").await?, "Nothing changed", &["paused already"]);
    let status = scene.ann_asks("!background status").await?;
    says(&status, "synod.test", &["Background updates: paused", "!background resume"]);

    // While they are paused nothing begins, and what waits cannot be put there twice.
    let job = "!background run populate_stats_process_rooms";
    let question = scene.ann_asks(job).await?;
    says(&question, "Start populate_stats_process_rooms", &["counts members"]);
    let started = with_yes(&scene, job).await?;
    says(&started, "Done", &["into its queue", "!background resume", "No undo"]);
    says(&with_yes(&scene, job).await?, "Refused", &["nothing was done", "already in queue"]);
    says(&scene.ann_asks(offered(&paused, "!undo")?).await?, "Done", &["go on"]);
    assert!(is_on(&synapse).await?);

    let short = scene.ann_asks("!background pause --for 3s").await?;
    says(&short, "Done", &["Ends: by itself"]);
    told(&scene, &short, "took it back by myself").await?;
    assert!(is_on(&synapse).await?);

    let odd = scene.ann_asks("!background run regenerate_directory --before 2026-11-01").await?;
    says(&odd, "Refused", &["event_resign only"]);
    let unknown = scene.ann_asks("!background run everything").await?;
    says(&unknown, "Refused", &["regenerate_directory"]);
    let moe = scene.moe().await?;
    for command in ["!background pause", "!background resume", job] {
        says(&scene.ask(moe, command).await?, "Refused", &["the role admin"]);
    }
    assert!(is_on(&synapse).await?);
    Ok(())
}
