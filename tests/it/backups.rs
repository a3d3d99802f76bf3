//! The exports that the bot makes by itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use world::{Message, PATIENCE, Scene};

use crate::{
    SYNOD,
    support::{says, told_since},
};

/// A scene whose bot has a key of age to encrypt to.
async fn scene(every: &str) -> Result<(Scene, world::Config)> {
    let scene = Scene::plan().set().await?;
    let made = Command::new("age-keygen").arg("-o").arg(scene.dir().join("key")).output()?;
    let said = String::from_utf8(made.stderr)?;
    let recipient = said.trim().rsplit(' ').next().context("a public key")?.to_owned();
    let config = scene
        .config()
        .set("backup.recipients", json!([recipient]))
        .set("backup.folder", folder(&scene).display().to_string())
        .set("backup.every", every);
    Ok((scene, config))
}

fn folder(scene: &Scene) -> PathBuf {
    scene.dir().join("backups")
}

fn backups(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_bot_exports_by_itself_what_another_can_be_made_of() -> Result<()> {
    let (scene, config) = scene("day").await?;
    let bot = scene.start_bot(SYNOD, &config).await?;
    bot.log().wait_for("a backup is written", 0, PATIENCE).await?;
    scene.ann_asks("!me").await?;
    bot.terminate().await?;
    bot.start_again().await?;
    scene.ann_asks("!me").await?;
    let made = backups(&folder(&scene))?;
    assert_eq!(made.len(), 1, "one a day, over restarts: {made:?}");
    bot.terminate().await?;
    fs::remove_dir_all(scene.state())?;
    let imported = Command::new(SYNOD)
        .args(["store", "import", "--config"])
        .arg(bot.config_file())
        .arg(&made[0])
        .arg("--identity")
        .arg(scene.dir().join("key"))
        .output()?;
    ensure!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let mark = scene.ann().mark();
    bot.start_again().await?;
    told_since(&scene, mark, "somebody restored a copy").await?;
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_fails_is_told_in_the_room_once() -> Result<()> {
    let (scene, config) = scene("hour").await?;
    fs::write(folder(&scene), "in the way")?;
    let bot = scene.start_bot(SYNOD, &config).await?;
    let told = told_since(&scene, 0, "I could not make the backup that is due").await?;
    assert!(told.body.contains("backups"), "why: {}", told.body);
    scene.ann_asks("!me").await?;
    let mark = bot.log().mark();
    bot.terminate().await?;
    bot.start_again().await?;
    bot.log().wait_for("no backup was made", mark, PATIENCE).await?;
    scene.ann_asks("!me").await?;
    let news = |message: &&Message| message.body.contains("I could not make the backup");
    assert_eq!(scene.ann().heard_since(0).iter().filter(news).count(), 1);
    Ok(())
}
