//! The store cannot be opened for want of something that can be put right: nothing of it is lost.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use world::Scene;

use crate::{SYNOD, support::is};

/// Somebody who owns nothing.
const NOBODY: u32 = 65_534;

/// Something that is mounted for as long as this lives.
struct Mounted(PathBuf);

impl Mounted {
    /// An empty disk with room for this many mebibytes.
    fn disk(at: &Path, mebibytes: usize) -> Result<Self> {
        fs::create_dir_all(at)?;
        let size = format!("size={mebibytes}m,mode=700");
        run("mount", &["-t", "tmpfs", "-o", &size, "none", text(at)?])?;
        Ok(Self(at.to_owned()))
    }

    /// The folder itself, which nobody can write to.
    fn read_only(at: &Path) -> Result<Self> {
        run("mount", &["--bind", text(at)?, text(at)?])?;
        let mounted = Self(at.to_owned());
        run("mount", &["-o", "remount,bind,ro", text(at)?])?;
        Ok(mounted)
    }

    /// Leaves no room on it; answers the file that takes it.
    fn fill(&self) -> Result<PathBuf> {
        let filler = self.0.join("filler");
        let mut file = File::create(&filler)?;
        for size in [1 << 16, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
        Ok(filler)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = run("umount", &["-l", &self.0.display().to_string()]) {
            eprintln!("{error:#}");
        }
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of a test is plain text")
}

/// Where this fails the test fails too: only root can mount, and give files away.
fn run(program: &str, words: &[&str]) -> Result<()> {
    let done = Command::new(program).args(words).status()?;
    ensure!(done.success(), "{program} {words:?}: {done}; run this as root");
    Ok(())
}

/// Starts the bot, as somebody else if need be, and answers in which words it ends at once.
async fn starts_in_vain(scene: &Scene, user: Option<u32>) -> Result<String> {
    let mut command = Command::new(SYNOD);
    command.args(["run", "--config"]).arg(scene.bot()?.config_file());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let ended = tokio::task::spawn_blocking(move || command.output()).await??;
    let said = String::from_utf8([ended.stdout, ended.stderr].concat())?;
    ensure!(ended.status.code() == Some(1), "it ended with {}: {said}", ended.status);
    let last = said.trim_end().lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("synod: "), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    Ok(last)
}

/// Lets ann suspend sam and make a note of eve, and stops the bot.
async fn something_to_lose(scene: &Scene) -> Result<()> {
    let [eve, sam] = ["eve", "sam"].map(|name| scene.subject(name));
    let (eve, sam) = (eve.await?, sam.await?);
    let done = scene.ann_asks(&format!("!user suspend {}", sam.user_id)).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(scene, &sam, "suspended").await?);
    let noted = scene.ann_asks(&format!("!note {} has been warned", eve.user_id)).await?;
    assert!(noted.body.starts_with("Done · "), "{}", noted.body);
    scene.bot()?.terminate().await?;
    Ok(())
}

/// Starts the bot again: it knows all that it knew, and does not say that it lost anything.
async fn nothing_is_lost(scene: &Scene) -> Result<()> {
    let mark = scene.ann().mark();
    scene.bot()?.start_again().await?;
    let notes = scene.ann_asks("!note list").await?;
    assert!(notes.body.contains("has been warned"), "{}", notes.body);
    let record = scene.ann_asks("!audit show 2").await?;
    assert!(record.body.contains("user suspend"), "{}", record.body);
    let lost =
        scene.ann().heard_since(mark).into_iter().find(|said| said.body.contains("My store"));
    assert!(lost.is_none(), "{lost:?}");
    let beside = fs::read_dir(scene.state())?.map(|entry| Ok(entry?.file_name()));
    let beside: Vec<_> = beside.collect::<Result<_>>()?;
    let aside = beside.iter().find(|name| name.to_string_lossy().starts_with("store."));
    assert!(aside.is_none_or(|name| name == "store.key"), "{beside:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_at_the_start_costs_nothing() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let disk = Mounted::disk(&scene.state(), 64)?;
    scene.start_bot(SYNOD, &scene.config()).await?;
    something_to_lose(&scene).await?;
    let filler = disk.fill()?;
    for _ in 0..3 {
        let said = starts_in_vain(&scene, None).await?;
        assert!(said.contains("free space on its disk"), "{said}");
    }
    fs::remove_file(filler)?;
    nothing_is_lost(&scene).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_somebody_else_is_left_alone() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    something_to_lose(&scene).await?;
    // All but a part of it is given to somebody else, who then runs the bot.
    let (dir, state) = (scene.dir().to_owned(), scene.state());
    for part in ["store/db", "store/conf", "store"] {
        run("chown", &["-R", &format!("{NOBODY}:{NOBODY}"), text(&dir)?])?;
        run("chown", &["-R", "0:0", text(&state.join(part))?])?;
        let said = starts_in_vain(&scene, Some(NOBODY)).await?;
        assert!(said.contains("make the user that runs synod the owner"), "{part}: {said}");
    }
    run("chown", &["-R", "0:0", text(&dir)?])?;
    nothing_is_lost(&scene).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_cannot_be_written_at_the_start_costs_nothing() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    something_to_lose(&scene).await?;
    for folder in [scene.state().join("store"), scene.state()] {
        let _mounted = Mounted::read_only(&folder)?;
        let said = starts_in_vain(&scene, None).await?;
        assert!(said.contains("mount it writable"), "{said}");
    }
    nothing_is_lost(&scene).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_snapshot_alone_is_damaged_is_there_again_and_that_is_told() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    something_to_lose(&scene).await?;
    // Each start but the first writes one.
    scene.bot()?.start_again().await?;
    scene.bot()?.terminate().await?;
    for entry in fs::read_dir(scene.state().join("store"))? {
        let file = entry?.path();
        if text(&file)?.contains("/snap.") {
            fs::write(file, "no snapshot of sled")?;
        }
    }
    let mark = scene.ann().mark();
    scene.bot()?.start_again().await?;
    let told = scene
        .ann()
        .wait_for_since(mark, "the news of the store", |said| said.body.contains("My store"))
        .await?;
    assert!(told.body.contains("rebuilt it"), "{}", told.body);
    let aside = told.body.split_whitespace().find(|word| word.contains("store.broken-"));
    let aside = aside.context(told.body.clone())?.trim_matches(['`', '.']);
    assert!(PathBuf::from(aside).join("db").exists(), "it is kept: {aside}");
    let notes = scene.ann_asks("!note list").await?;
    assert!(notes.body.contains("has been warned"), "{}", notes.body);
    let whole = scene.ann_asks("!audit verify").await?;
    assert!(whole.body.contains("The record is whole"), "{}", whole.body);

    // At the next start it is no news any more.
    scene.bot()?.terminate().await?;
    let mark = scene.ann().mark();
    scene.bot()?.start_again().await?;
    scene.ann_asks("!me").await?;
    let again =
        scene.ann().heard_since(mark).into_iter().find(|said| said.body.contains("My store"));
    assert!(again.is_none(), "{again:?}");
    Ok(())
}
