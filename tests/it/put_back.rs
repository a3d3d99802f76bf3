//! A copy of the bot's state is put back: no number twice, nothing forgotten, and the rooms hear of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use world::{Message, Scene};

use crate::{
    SYNOD,
    support::{code, devices, digits, is, offered, says, told_since, watched},
};

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Stops the bot, copies a part of its state, and starts it again.
async fn copied(scene: &Scene, part: &str) -> Result<PathBuf> {
    scene.bot()?.terminate().await?;
    let kept = scene.dir().join("copy");
    copy(&scene.state().join(part), &kept)?;
    scene.bot()?.start_again().await?;
    Ok(kept)
}

/// Stops the bot, puts the copy in the place of that part of its state, and starts it again. Answers
/// what the room is told of it.
async fn put_back(scene: &Scene, part: &str, kept: &Path) -> Result<Message> {
    scene.bot()?.terminate().await?;
    let place = scene.state().join(part);
    fs::remove_dir_all(&place)?;
    copy(kept, &place)?;
    let mark = scene.ann().mark();
    scene.bot()?.start_again().await?;
    told_since(scene, mark, "somebody restored a copy").await
}

/// The number under which a change can be taken back.
fn number(done: &Message) -> Result<String> {
    says(done, "Done", &["!undo"]);
    digits(&done.body, "!undo")
}

/// What was done after the copy is known and can be taken back, and numbers go on after it.
async fn goes_on_where_it_was(part: &str) -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let names = ["eve", "sam", "kim"];
    let [eve, sam, kim] = names.map(|name| scene.subject(name));
    let (eve, sam, kim) = (eve.await?, sam.await?, kim.await?);
    scene.ann_asks(&format!("!user lock {}", kim.user_id)).await?;
    let question = scene.ann_asks(&format!("!user deactivate {}", kim.user_id)).await?;
    let kept = copied(&scene, part).await?;

    let done = scene.ann_asks(&format!("!user suspend {} --for 9d", eve.user_id)).await?;
    let first = number(&done)?;
    let told = put_back(&scene, part, &kept).await?;
    says(
        &told,
        "My state is older",
        &[&format!("#{first}"), eve.user_id.as_str(), "Questions closed"],
    );
    assert!(told.mentions.contains(scene.ann().user_id()), "{:?}", told.raw);

    // It hears, and is heard.
    let again = scene.ann_asks(&format!("!user suspend {}", sam.user_id)).await?;
    let second = number(&again)?;
    assert!(second.parse::<u64>()? > first.parse()?, "{second} comes after {first}");
    let late = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&late, "Nothing changed", &[]);
    assert!(!is(&scene, &kim, "deactivated").await?);
    says(
        &scene.ann_asks("!sanction list").await?,
        "One temporary measure",
        &[eve.user_id.localpart()],
    );
    let undone = scene.ann_asks(offered(&done, "!undo ")?).await?;
    says(&undone, "Done", &[eve.user_id.as_str()]);
    assert!(!is(&scene, &eve, "suspended").await?);
    assert!(is(&scene, &sam, "suspended").await?, "another number undid it");
    let verified = scene.ann_asks("!audit verify").await?;
    says(&verified, "The record is whole", &[]);

    // At the next start it is no news any more.
    let mark = scene.ann().mark();
    scene.bot()?.terminate().await?;
    scene.bot()?.start_again().await?;
    scene.ann_asks("!me").await?;
    let news = |message: &&Message| message.body.contains("somebody restored a copy");
    assert_eq!(scene.ann().heard_since(mark).iter().filter(news).count(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_state_that_is_put_back_goes_on_where_it_was() -> Result<()> {
    Box::pin(goes_on_where_it_was("")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_put_back_goes_on_where_it_was() -> Result<()> {
    Box::pin(goes_on_where_it_was("store")).await
}

/// What cannot be read any more was given a number all the same.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_nobody_can_read_any_more_are_not_given_again() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    scene.ann_asks("!me").await?;
    let kept = copied(&scene, "").await?;
    // Somebody joins or leaves: what comes now is encrypted with keys that the copy has not got.
    let vic = scene.vic().await?;
    vic.leave(scene.room()).await?;
    let done = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    let first: u64 = number(&done)?.parse()?;
    let told = put_back(&scene, "", &kept).await?;
    says(&told, "My state is older", &["I can no longer read"]);
    let again = scene.ann_asks(&format!("!user suspend {}", sam.user_id)).await?;
    let second: u64 = number(&again)?.parse()?;
    assert!(second > first, "{second} comes after {first}");
    let gone = scene.ann_asks(offered(&done, "!undo ")?).await?;
    says(&gone, "Not found", &[]);
    // What the record has of such a number is that it was given, and not what under it was done.
    let shown = scene.ann_asks(&format!("!audit show {first}")).await?;
    let given = "this number was used before an older state of the bot was restored";
    says(&shown, &format!("#{first}"), &[given]);
    assert!(!shown.body.contains(eve.user_id.as_str()), "{}", shown.body);
    says(&scene.ann_asks(&format!("!audit show {second}")).await?, "", &[sam.user_id.as_str()]);
    assert!(is(&scene, &eve, "suspended").await? && is(&scene, &sam, "suspended").await?);
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);
    Ok(())
}

/// Runs a command about the store with the bot's config.
fn store(scene: &Scene, words: &[&str]) -> Result<String> {
    let config = scene.bot()?.config_file().display().to_string();
    let output =
        Command::new(SYNOD).arg("store").args(words).args(["--config", &config]).output()?;
    let said = String::from_utf8([output.stdout, output.stderr].concat())?;
    ensure!(output.status.success(), "{words:?}: {said}");
    Ok(said)
}

/// Backup, loss of the machine, import, start: nothing runs twice, and nothing is forgotten that was in
/// the backup.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_imported_on_a_new_machine_runs_nothing_again() -> Result<()> {
    let keys = tempfile::tempdir()?;
    let key = keys.path().join("key");
    let made = Command::new("age-keygen").arg("-o").arg(&key).output()?;
    let made = String::from_utf8(made.stderr)?;
    let recipient = made.trim().rsplit(' ').next().context("a public key")?.to_owned();
    let (scene, proxy) =
        watched(|config| config.set("backup.recipients", json!([recipient]))).await?;
    let [eve, sam, kim] = ["eve", "sam", "kim"].map(|name| scene.subject(name));
    let (eve, sam, kim) = (eve.await?, sam.await?, kim.await?);
    let first = scene.ann_asks(&format!("!user suspend {} --for 9d", eve.user_id)).await?;
    scene.ann_asks(&format!("!note {} lives in Ulm", eve.user_id)).await?;
    let question = scene.ann_asks(&format!("!user deactivate {}", kim.user_id)).await?;
    let device = devices(&scene, scene.bot_account()).await?;
    scene.bot()?.terminate().await?;
    let export = keys.path().join("export").display().to_string();
    assert!(store(&scene, &["export", &export])?.contains("with the recovery key"));
    scene.bot()?.start_again().await?;

    // What comes after the backup: another change, an undo, a question that is answered.
    let later = scene.ann_asks(&format!("!user suspend {}", sam.user_id)).await?;
    let later: u64 = number(&later)?.parse()?;
    says(&scene.ann_asks(offered(&first, "!undo ")?).await?, "Done", &[eve.user_id.as_str()]);
    let yes = format!("!confirm {}", code(&question)?);
    says(&scene.ann_asks(&yes).await?, "Done", &[]);
    assert!(is(&scene, &kim, "deactivated").await? && !is(&scene, &eve, "suspended").await?);
    let changes = proxy.changes().len();

    scene.bot()?.terminate().await?;
    fs::remove_dir_all(scene.state())?;
    let identity = key.display().to_string();
    store(&scene, &["import", &export, "--identity", &identity])?;
    assert!(store(&scene, &["check"])?.contains("the record is whole"));
    let mark = scene.ann().mark();
    scene.bot()?.start_again().await?;
    let told = told_since(&scene, mark, "somebody restored a copy").await?;
    says(&told, "My state is older", &["New records get new numbers", "Questions closed"]);
    assert!(told.mentions.contains(scene.ann().user_id()), "{:?}", told.raw);
    assert_ne!(devices(&scene, scene.bot_account()).await?, device, "it is another device");

    says(&scene.ann_asks(&yes).await?, "Nothing changed", &[]);
    assert_eq!(proxy.changes().len(), changes, "{:?}", proxy.changes());
    assert!(is(&scene, &sam, "suspended").await? && !is(&scene, &eve, "suspended").await?);
    let notes = scene.ann_asks(&format!("!note list {}", eve.user_id)).await?;
    says(&notes, "", &["Ulm"]);
    let again = scene.ann_asks(&format!("!user lock {}", sam.user_id)).await?;
    let again: u64 = number(&again)?.parse()?;
    assert!(again > later, "{again} comes after {later}");
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);

    // At the next start it is no news any more.
    let mark = scene.ann().mark();
    scene.bot()?.terminate().await?;
    scene.bot()?.start_again().await?;
    scene.ann_asks("!me").await?;
    let news = |message: &&Message| message.body.contains("somebody restored a copy");
    assert_eq!(scene.ann().heard_since(mark).iter().filter(news).count(), 0);
    assert_eq!(proxy.changes().len(), changes + 1, "{:?}", proxy.changes());
    Ok(())
}
