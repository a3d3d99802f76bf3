//! The memory of the bot holds the admin token: it is kept out of core dumps.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use anyhow::Result;
use rustix::process::{Signal, kill_process};
use world::Scene;

use crate::{SYNOD, store::pid};

/// Somebody who owns nothing else.
const NOBODY: u32 = 65_534;

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_leaves_no_core_with_the_token_whatever_the_limit_was() -> Result<()> {
    let scene = Scene::plan().set().await?;
    // As a user like any other, whose processes may look into each other's memory.
    let program = scene.dir().join("synod-with-cores");
    let script = format!(
        "#!/bin/sh\nulimit -c unlimited\nchown -R {NOBODY}:{NOBODY} {}\n\
         exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {SYNOD} \"$@\"\n",
        scene.dir().display(),
    );
    fs::write(&program, script)?;
    fs::set_permissions(&program, Permissions::from_mode(0o755))?;
    scene.start_bot(&program, &scene.config()).await?;
    let pid = pid(&scene)?;
    let folder = format!("/proc/{}", pid.as_raw_nonzero());
    let limits = fs::read_to_string(format!("{folder}/limits"))?;
    let cores = limits.lines().find(|line| line.starts_with("Max core file size"));
    let words: Vec<_> = cores.unwrap_or_default().split_whitespace().collect();
    assert_eq!(words, ["Max", "core", "file", "size", "0", "0", "bytes"], "{limits}");
    let status = fs::read_to_string(format!("{folder}/status"))?;
    assert!(status.contains(&format!("Uid:\t{NOBODY}")), "{status}");
    let owner = fs::metadata(format!("{folder}/mem"))?.uid();
    assert_eq!(owner, 0, "the user's other processes can look into its memory");

    kill_process(pid, Signal::ABORT)?;
    scene.bot()?.ended().await?;
    let token = scene.admin_token()?;
    for entry in fs::read_dir(scene.dir())? {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.contains("token") && file.is_file() {
            let text = String::from_utf8_lossy(&fs::read(&file)?).into_owned();
            assert!(!text.contains(token.trim()), "{name} holds the token");
        }
    }
    Ok(())
}
