//! The power is cut: what the store has not waited for is gone.
//!
//! A killed process loses nothing that it has written, for the kernel has it. So a library is
//! preloaded into the bot that keeps beside its store what is surely on disk, see `keep_synced.c`,
//! and that takes the place of the store.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};
use reqwest::Method;
use world::{Fault, Proxy, Scene};

use crate::{SYNOD, support::is};

/// What would be left of the store of a scene.
struct Left(PathBuf);

impl Left {
    /// Takes it, as it is at this moment.
    fn take(&self) -> Result<PathBuf> {
        let taken = self.0.with_extension("taken");
        copy(&self.0, &taken)?;
        Ok(taken)
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let done = Command::new("cp").arg("-r").args([from, to]).status()?;
    ensure!(done.success(), "{} cannot be copied", from.display());
    Ok(())
}

/// A scene whose Admin API requests come by a proxy, and of whose store is known what is on disk.
async fn on_unsure_power() -> Result<(Scene, Proxy, Left)> {
    let scene = Scene::plan().set().await?;
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let library = scene.dir().join("keep_synced.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/keep_synced.c");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl");
    ensure!(compile.status()?.success(), "the library cannot be compiled; is there a cc?");
    let left = Left(scene.dir().join("left"));
    fs::create_dir(&left.0)?;
    let program = scene.dir().join("synod-kept");
    let script = format!(
        "#!/bin/sh\nLD_PRELOAD={} KEEP_FROM={} KEEP_TO={} exec {SYNOD} \"$@\"\n",
        library.display(),
        scene.state().join("store").display(),
        left.0.display(),
    );
    fs::write(&program, script)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700))?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    scene.start_bot(&program, &config).await?;
    Ok((scene, proxy, left))
}

/// Cuts the power of the bot, with `left` on disk, and starts it again.
async fn cut(scene: &Scene, left: &Path) -> Result<()> {
    scene.bot()?.kill().await?;
    let store = scene.state().join("store");
    fs::rename(&store, scene.dir().join("unsure"))?;
    copy(left, &store)?;
    scene.bot()?.start_again().await
}

/// What the record says of the only change. Ann's key, which was pinned, stands before it.
async fn on_record(scene: &Scene) -> Result<String> {
    Ok(scene.ann_asks("!audit show 2").await?.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_the_power_was_cut_is_on_record_and_not_sent_again() -> Result<()> {
    let (scene, proxy, left) = on_unsure_power().await?;
    let (ann, eve) = (scene.ann(), scene.subject("eve").await?);
    let held = proxy.next(Method::PUT, "/suspend/", Fault::HoldRequest);
    let command = ann.say(scene.room(), &format!("!user suspend {}", eve.user_id)).await?;
    held.reached().await?;
    let taken = left.take()?;
    cut(&scene, &taken).await?;

    let told = scene.answer(ann, &command).await?;
    assert!(told.body.starts_with("Unknown · "), "{}", told.body);
    assert!(told.body.contains("user suspend"), "{}", told.body);
    let record = on_record(&scene).await?;
    assert!(record.contains("user suspend"), "{record}");
    assert_eq!(ann.answers_to(&command).len(), 1, "it was answered again");
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_the_power_was_cut_is_on_record_with_its_end() -> Result<()> {
    let (scene, proxy, left) = on_unsure_power().await?;
    let (ann, eve) = (scene.ann(), scene.subject("eve").await?);
    let command = ann.say(scene.room(), &format!("!user suspend {}", eve.user_id)).await?;
    let done = scene.answer(ann, &command).await?;
    let taken = left.take()?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    cut(&scene, &taken).await?;

    let record = on_record(&scene).await?;
    assert!(record.contains("user suspend"), "{record}");
    assert!(record.contains("Done"), "how it ended: {record}");
    assert_eq!(ann.answers_to(&command).len(), 1, "it was answered again");
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());
    Ok(())
}
