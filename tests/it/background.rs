//! Background updates on a homeserver of one's own: held, let go on, and started.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;
use world::{Message, Options, Person, Scene, Synapse};

use crate::{
    SYNOD,
    support::{offered, says, told_in_reply, with_yes},
};

/// Whether the homeserver has them on.
async fn is_on(synapse: &Synapse) -> Result<bool> {
    let path = "/_synapse/admin/v1/background_updates/enabled";
    Ok(synapse.admin().get(path).await?.1["enabled"] == json!(true))
}

/// How long it may take until a homeserver that has just been made is through with what it begins
/// with: many updates, one after the other, with a pause after each.
const BEGINS: Duration = Duration::from_mins(4);

/// What `person` is told once nothing is running.
async fn idle(scene: &Scene, person: &Person) -> Result<Message> {
    let begun = Instant::now();
    while begun.elapsed() < BEGINS {
        let status = scene.ask(person, "!background status").await?;
        if status.body.contains("Running: nothing") {
            return Ok(status);
        }
        says(&status, "synod.test", &["Background updates: on", "Running: “", "of work"]);
    }
    bail!("it is never idle")
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_are_held_let_go_on_and_started() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let vic = scene.vic().await?;
    says(&idle(&scene, vic).await?, "synod.test", &["Background updates: on"]);
    says(&scene.ann_asks("!background resume").await?, "Nothing changed", &["are not paused"]);

    let paused = scene.ann_asks("!background pause").await?;
    says(&paused, "Done", &["updates paused", "!undo"]);
    assert!(!is_on(&synapse).await?);
    says(&scene.ann_asks("!background pause").await?, "Nothing changed", &["already paused"]);
    let status = scene.ann_asks("!background status").await?;
    says(&status, "synod.test", &["Background updates: paused", "!background resume"]);

    // While they are paused nothing begins, and what waits cannot be put there twice.
    let job = "!background run populate_stats_process_rooms";
    let question = scene.ann_asks(job).await?;
    says(&question, "Start populate_stats_process_rooms", &["counts members"]);
    let started = with_yes(&scene, job).await?;
    says(&started, "Done", &["to its queue", "!background resume", "No undo"]);
    says(
        &with_yes(&scene, job).await?,
        "Nothing changed",
        &["already waiting or running", "!background status"],
    );
    says(&scene.ann_asks(offered(&paused, "!undo")?).await?, "Done", &["resumed"]);
    assert!(is_on(&synapse).await?);

    let short = scene.ann_asks("!background pause --for 3s").await?;
    says(&short, "Done", &["Ends: by itself"]);
    told_in_reply(&scene, &short, "undid it as planned").await?;
    assert!(is_on(&synapse).await?);

    let odd = scene.ann_asks("!background run regenerate_directory --before 2026-11-01").await?;
    says(&odd, "Not understood", &["only with event_resign"]);
    let unknown = scene.ann_asks("!background run everything").await?;
    says(&unknown, "Not understood", &["regenerate_directory"]);
    let moe = scene.moe().await?;
    for command in ["!background pause", "!background resume", job] {
        says(&scene.ask(moe, command).await?, "Refused", &["the role admin"]);
    }
    assert!(is_on(&synapse).await?);
    Ok(())
}
