//! What the pages for administrators say is tried: a backup and the way back, a state that is lost, a
//! recovery key that is lost.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use world::{PATIENCE, Scene, write_secret};

use crate::{
    SYNOD,
    support::{devices, digits, is, says, suspend},
};

/// The block of a page that begins with these words.
fn block(page: &str, begin: &str) -> Result<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let page = fs::read_to_string(file)?;
    let after = page.split("```sh").map(str::trim_start).find(|block| block.starts_with(begin));
    let block = after.and_then(|block| block.split("```").next());
    block.map(str::to_owned).with_context(|| format!("no block {begin:?}"))
}

/// Does what a block says, in `here`, with the folders of the scene in place of the usual ones.
fn do_it(scene: &Scene, here: &Path, block: &str) -> Result<()> {
    let folder = scene.dir().strip_prefix("/")?.display().to_string();
    assert!(scene.state().starts_with(scene.dir()), "one folder holds it all");
    let block = block.replace("etc/synod var/lib/synod", &folder);
    ensure!(!block.contains("var/lib"), "{block}");
    let done = Command::new("bash").args(["-euc", &block]).current_dir(here).output()?;
    ensure!(done.status.success(), "{block}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_as_the_book_makes_it_goes_on_where_it_was() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let done = scene.ann_asks(&suspend(&eve)).await?;
    let number = digits(&done.body, "!undo")?;
    let own = devices(&scene, scene.bot_account()).await?;
    scene.bot()?.terminate().await?;

    let elsewhere = tempfile::tempdir()?;
    do_it(&scene, elsewhere.path(), &block("backup.md", "tar --create")?)?;
    fs::remove_dir_all(scene.state())?;
    do_it(&scene, elsewhere.path(), &block("backup.md", "tar --extract")?)?;

    scene.bot()?.start_again().await?;
    says(&scene.ann_asks(&format!("!undo {number}")).await?, "Done", &[]);
    assert!(!is(&scene, &eve, "suspended").await?);
    says(&scene.ann_asks("!audit verify").await?, "", &["whole"]);
    assert_eq!(devices(&scene, scene.bot_account()).await?, own, "it needs no other device");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_has_lost_its_state_is_the_same_with_its_recovery_key() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    scene.ann_asks("!me").await?;
    let own = devices(&scene, scene.bot_account()).await?;
    scene.bot()?.terminate().await?;
    let file = scene.state().join("recovery.key");
    let key = fs::read_to_string(&file)?;
    fs::remove_dir_all(scene.state())?;

    DirBuilder::new().mode(0o700).create(scene.state())?;
    write_secret(&file, &key)?;
    let log = scene.bot()?.log();
    let mark = log.mark();
    scene.bot()?.start_again().await?;
    // It reads what is said from now on.
    log.wait_for("reading begins at the end of the room", mark, PATIENCE).await?;
    let told = scene.ann_asks("!me").await?;
    assert!(told.from_signed_device, "{:?}", told.raw);
    assert_ne!(devices(&scene, scene.bot_account()).await?, own, "a new device");
    assert_eq!(fs::read_to_string(&file)?, key, "the key stays");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_key_that_is_lost_is_made_anew() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    scene.ann_asks("!me").await?;
    let bot = scene.bot()?;
    let file = scene.state().join("recovery.key");
    let lost = fs::read_to_string(&file)?;
    fs::remove_file(&file)?;

    // The requests of the page, to the homeserver of the scene.
    let kind = "m.secret_storage.default_key";
    assert!(block("rotate.md", "curl --request PUT")?.contains(kind));
    let (token, _) = scene.synapse().log_in(scene.bot_account()).await?;
    let own = scene.synapse().api(&token);
    let path = format!("/_matrix/client/v3/user/{}/account_data/{kind}", scene.bot_id());
    assert_eq!(own.put(&path, json!({})).await?.0, 200);
    assert_eq!(own.post("/_matrix/client/v3/logout", json!({})).await?.0, 200);
    bot.terminate().await?;
    bot.start_again().await?;
    assert!(scene.ann_asks("!me").await?.from_signed_device, "it is the same as before");
    let key = fs::read_to_string(&file).context("a new recovery key")?;
    assert_ne!(key, lost);

    // The new one is worth something: it signs another device.
    bot.terminate().await?;
    fs::remove_file(scene.state().join("session.json"))?;
    bot.start_again().await?;
    let told = scene.ann_asks("!me").await?;
    assert!(told.from_signed_device, "{:?}", told.raw);
    Ok(())
}
