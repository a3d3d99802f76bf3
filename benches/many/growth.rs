//! Whether the memory that jobs take comes to an end: many of them, one after the other. Beside it
//! stands what the store has on disk, of whose pages sled keeps an index in memory.

use std::{fs, path::Path};

use anyhow::Result;
use world::{Scene, Synapse};

use crate::{CROWD, megabytes, suspending, synod};

/// How many jobs, each of [`suspending::MANY`] accounts.
const JOBS: usize = 10;

pub(crate) async fn measure(synapse: &Synapse) -> Result<()> {
    let scene = Scene::plan().on(synapse).start(synod()).await?;
    let bot = scene.bot()?;
    let mut people = CROWD.ids()?.into_iter();
    println!("{JOBS} jobs of {} accounts, one after the other", suspending::MANY);
    for job in 1..=JOBS {
        let them: Vec<_> = people.by_ref().take(suspending::MANY).collect();
        bot.forget_peak()?;
        suspending::suspend(&scene, &them).await?;
        let (peak, after) = (megabytes(bot.peak()?), megabytes(bot.resident()?));
        let own = megabytes(bot.anonymous()?);
        println!(
            "  job {job:>2}: {peak:.1} MB at most, {after:.1} MB after it, of which {own:.1} MB are \
             no part of a file such as its code; its store has {:.1} MB on disk",
            megabytes(size(&scene.state().join("store"))?)
        );
    }
    Ok(())
}

/// What is in a folder, in bytes.
fn size(folder: &Path) -> Result<u64> {
    let mut all = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        all += if entry.file_type()?.is_dir() {
            size(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(all)
}
