//! The disk takes no more, or gives back something else: nothing is changed that is not on record.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use ruma::OwnedEventId;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use synod::store::Store;
use world::{Account, Fault, Message, PATIENCE, Proxy, Scene};

use crate::{
    SYNOD,
    support::{code, is, offered, watched, with_yes},
};

/// No other file of the bot comes near this size, bytes.
const FULL: u64 = 8 << 20;

/// The file to which the store appends.
fn data(scene: &Scene) -> PathBuf {
    scene.state().join("store").join("db")
}

/// Makes the store so large that its end lies beyond [`FULL`]. The bot must not run.
async fn fill(scene: &Scene) -> Result<()> {
    let opened = Store::open(&scene.state().join("store"), jiff::Timestamp::now())?;
    ensure!(opened.moved_aside.is_none(), "the store of the bot was to be opened");
    let shelf = opened.store.shelf::<String>("filling")?;
    let record = "x".repeat(32 << 10);
    for number in 0.. {
        shelf.put(&format!("{number:08}"), &record)?;
        opened.store.flush().await?;
        if fs::metadata(data(scene))?.len() > FULL + (4 << 20) {
            break;
        }
    }
    Ok(())
}

/// The process of the scene's bot.
pub(crate) fn pid(scene: &Scene) -> Result<Pid> {
    let words = [SYNOD, "run", "--config", &scene.bot()?.config_file().display().to_string(), ""];
    let words = words.join("\0");
    let runs = |pid: &i32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == words.as_bytes())
    };
    let processes =
        fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let found = processes.filter_map(|name| name.parse().ok()).find(runs);
    found.and_then(Pid::from_raw).context("the bot does not run")
}

/// Lets the kernel take no more for the store, as on a full disk, but still for the smaller files
/// that the bot needs to read and answer.
pub(crate) fn no_more(scene: &Scene) -> Result<()> {
    let limit = Rlimit { current: Some(FULL), maximum: None };
    prlimit(Some(pid(scene)?), Resource::Fsize, limit)?;
    Ok(())
}

/// A scene whose store takes no more once that is said by [`no_more`].
pub(crate) async fn nearly_full() -> Result<(Scene, Proxy)> {
    let (scene, proxy) = watched(|config| config).await?;
    // Having answered, the bot has noted how far it has read.
    scene.ann_asks("!me").await?;
    scene.bot()?.terminate().await?;
    fill(&scene).await?;
    scene.bot()?.start_again().await?;
    Ok((scene, proxy))
}

/// Starts the bot anew, with room on the disk. It has ended as it should, or could not flush.
pub(crate) async fn restart(scene: &Scene) -> Result<()> {
    scene.bot()?.terminate().await?;
    scene.bot()?.start_again().await
}

/// Lets ann say `command`, which looks at `about`; from this look on the disk takes no more.
/// Answers the event, to which the bot has said that it cannot write the record.
async fn unrecorded(
    (scene, proxy): (&Scene, &Proxy),
    about: &Account,
    command: &str,
) -> Result<OwnedEventId> {
    let path = format!("/users/%40{}", about.user_id.localpart());
    let held = proxy.next(Method::GET, &path, Fault::HoldRequest);
    let event = scene.ann().say(scene.room(), command).await?;
    held.reached().await?;
    no_more(scene)?;
    held.release();
    let refused = scene.answer(scene.ann(), &event).await?;
    assert!(refused.body.starts_with("Failed · "), "{}", refused.body);
    let why = "I cannot write the record, so nothing was done";
    assert!(refused.body.contains(why), "{}", refused.body);
    let cause = scene.bot()?.log().lines_with("the record cannot be written");
    assert!(cause.iter().any(|line| line.contains("File too large")), "{cause:?}");
    assert_eq!(proxy.changes().len(), 0, "{:?}", proxy.changes());
    Ok(event)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_record_nothing_is_changed_and_the_answer_says_so() -> Result<()> {
    let (scene, proxy) = nearly_full().await?;
    let (ann, sam) = (scene.ann(), scene.subject("sam").await?);
    let suspend = format!("!user suspend {}", sam.user_id);
    let first = unrecorded((&scene, &proxy), &sam, &suspend).await?;
    for command in [suspend.as_str(), "!me"] {
        let refused = scene.ann_asks(command).await?;
        assert!(refused.body.starts_with("Failed · "), "{}", refused.body);
        assert!(refused.body.contains("I cannot read or write my store"), "{}", refused.body);
        assert!(refused.body.contains("restarted"), "what to do: {}", refused.body);
    }

    // What was refused is not made up for, and what is said now is done.
    restart(&scene).await?;
    let verified = scene.ann_asks("!audit verify").await?;
    assert!(!verified.body.contains("broken"), "{}", verified.body);
    assert_eq!(ann.answers_to(&first).len(), 1, "it was answered again");
    assert!(!is(&scene, &sam, "suspended").await?);
    assert_eq!(proxy.changes().len(), 0, "{:?}", proxy.changes());
    let done = scene.ann_asks(&suspend).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &sam, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_that_cannot_be_recorded_does_nothing() -> Result<()> {
    let (scene, proxy) = nearly_full().await?;
    let eve = scene.subject("eve").await?;
    let deactivate = format!("!user deactivate {}", eve.user_id);
    let question = scene.ann_asks(&deactivate).await?;
    let confirm = format!("!confirm {}", code(&question)?);
    let yes = unrecorded((&scene, &proxy), &eve, &confirm).await?;

    restart(&scene).await?;
    scene.ann_asks("!me").await?;
    assert_eq!(scene.ann().answers_to(&yes).len(), 1, "it was answered again");
    assert!(!is(&scene, &eve, "deactivated").await?);
    assert_eq!(proxy.changes().len(), 0, "{:?}", proxy.changes());
    let done = with_yes(&scene, &deactivate).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &eve, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_cannot_be_recorded_is_told_again_at_the_next_start() -> Result<()> {
    let (scene, proxy) = nearly_full().await?;
    let (ann, eve) = (scene.ann(), scene.subject("eve").await?);
    let held = proxy.next(Method::PUT, "/suspend/", Fault::HoldAnswer);
    let command = ann.say(scene.room(), &format!("!user suspend {}", eve.user_id)).await?;
    held.reached().await?;
    no_more(&scene)?;
    held.release();
    let done = scene.answer(ann, &command).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    let log = scene.bot()?.log();
    log.wait_for("an outcome was not recorded", 0, PATIENCE).await?;

    restart(&scene).await?;
    let again = |message: &Message| {
        message.reply_to.as_ref() == Some(&command) && message.body.starts_with("Unknown · ")
    };
    let told = ann.wait_for("the report of the open change", again).await?;
    assert!(told.body.contains("suspended"), "what is so now: {}", told.body);
    assert!(is(&scene, &eve, "suspended").await?);
    assert_eq!(proxy.changes().len(), 1, "it is not repeated: {:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_moved_aside_and_nothing_from_before_is_run() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let [eve, sam] = ["eve", "sam"].map(|name| scene.subject(name));
    let (eve, sam) = (eve.await?, sam.await?);
    let suspend = ann.say(room, &format!("!user suspend {}", sam.user_id)).await?;
    assert!(scene.answer(ann, &suspend).await?.body.starts_with("Done · "));
    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    let confirm = format!("!confirm {}", code(&question)?);
    scene.bot()?.kill().await?;
    // Its snapshot and its log, so that nothing can be made of it again.
    for entry in fs::read_dir(scene.state().join("store"))? {
        let file = entry?.path();
        if file.is_file() {
            fs::write(file, b"\xff\xff no store has this, whatever it says")?;
        }
    }
    let missed = [&confirm, &format!("!user suspend {}", eve.user_id)];
    let missed = [ann.say(room, missed[0]).await?, ann.say(room, missed[1]).await?];

    let mark = ann.mark();
    scene.bot()?.start_again().await?;
    let lost = |message: &Message| {
        message.sender == *scene.bot_id() && message.body.contains("My store could not be opened")
    };
    let told = ann.wait_for_since(mark, "the news of the store", lost).await?;
    let aside = told.body.split_whitespace().find(|word| word.contains("store.broken-"));
    let aside = aside.context(told.body.clone())?.trim_matches(['`', '.']);
    assert!(PathBuf::from(aside).join("db").exists(), "it is kept: {aside}");

    let unknown = scene.ann_asks(&confirm).await?;
    assert!(unknown.body.starts_with("Not found · "), "{}", unknown.body);
    assert!(unknown.body.contains("no such question"), "{}", unknown.body);
    for missed in &missed {
        assert!(ann.answers_to(missed).is_empty(), "what was said before is not looked at");
    }
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());
    assert!(!is(&scene, &eve, "deactivated").await? && !is(&scene, &eve, "suspended").await?);
    let done = scene.ann_asks(&format!("!user unsuspend {}", sam.user_id)).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);

    // Which ciphertexts were used up is forgotten too, so the bot cannot read the old ones.
    let replayed = ann.replay(room, &suspend).await?;
    scene.unanswered(&replayed).await?;
    assert!(!is(&scene, &sam, "suspended").await?, "a replay ran");
    assert_eq!(proxy.changes().len(), 2, "{:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_has_its_record_and_the_ends_of_sanctions_back_from_the_room() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let done = scene.ann_asks(&format!("!user suspend {} --for 20s", eve.user_id)).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    let done = scene.ann_asks(&format!("!user suspend {}", sam.user_id)).await?;
    let undo = offered(&done, "!undo")?;
    scene.ask(scene.moe().await?, "!freeze").await?;
    scene.bot()?.kill().await?;
    fs::remove_dir_all(scene.state().join("store"))?;

    let mark = scene.ann().mark();
    scene.bot()?.start_again().await?;
    let lost = |message: &Message| {
        message.sender == *scene.bot_id() && message.body.contains("My store was missing")
    };
    let told = scene.ann().wait_for_since(mark, "the news of the store", lost).await?;
    let so = "Temporary measures still running: 1, freezes in force: 1";
    assert!(told.body.contains(so), "{}", told.body);
    let held = scene.ann_asks(&format!("!user unsuspend {}", sam.user_id)).await?;
    assert!(held.body.contains("frozen"), "{}", held.body);
    assert!(is(&scene, &sam, "suspended").await?);
    for person in [scene.ann(), scene.moe().await?] {
        scene.ask(person, "!unfreeze").await?;
    }
    let undone = scene.ann_asks(undo).await?;
    assert!(undone.body.starts_with("Done · "), "{}", undone.body);
    let lifted = |message: &Message| message.body.contains("I undid it as planned");
    scene.ann().wait_for_since(mark, "the end of the sanction", lifted).await?;
    assert!(!is(&scene, &eve, "suspended").await? && !is(&scene, &sam, "suspended").await?);
    let whole = scene.ann_asks("!audit verify").await?;
    assert!(whole.body.contains("The record is whole"), "{}", whole.body);
    Ok(())
}
