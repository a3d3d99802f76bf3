//! What it costs that a flush waits for the disk.
//!
//! `cargo bench --workspace --bench flush` measures, turn by turn in one run and on the disk of the
//! temporary folder (`TMPDIR`), the store's flush and sled's own, which waits for the kernel only:
//! one flush after the other, eight at once, and changes, each with a record that opens it and one
//! that closes it. It judges nothing by its exit code: a slow disk is no error.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use futures_util::future::try_join_all;
use synod::store::{Shelf, Store};

/// Flushes of each kind, and changes.
const TURNS: usize = 200;

/// About as long as an entry of the record, bytes.
const ENTRY: usize = 900;

/// Two stores of the same kind.
struct Stores {
    synced: (Store, Shelf<String>),
    unsynced: sled::Db,
}

impl Stores {
    fn open(dir: &Path) -> Result<Self> {
        let store = Store::open(&dir.join("synced"), jiff::Timestamp::now())?.store;
        let shelf = store.shelf("entries")?;
        let unsynced = sled::Config::new()
            .path(dir.join("unsynced"))
            .cache_capacity(4 << 20)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(Some(500))
            .open()?;
        Ok(Self { synced: (store, shelf), unsynced })
    }

    async fn write(&self, synced: bool, number: usize) -> Result<()> {
        let (key, entry) = (format!("{number:016x}"), "x".repeat(ENTRY));
        let (store, entries) = &self.synced;
        if synced {
            entries.put(&key, &entry)?;
            store.flush().await?;
        } else {
            self.unsynced.insert(key, entry.as_bytes())?;
            // Not `flush_async`, which under load does not always return.
            let db = self.unsynced.clone();
            tokio::task::spawn_blocking(move || db.flush()).await??;
        }
        Ok(())
    }
}

/// Times of one kind, told in order of size.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn tell(mut self, what: &str, synced: bool) {
        self.0.sort_unstable();
        let at = |share: usize| {
            let time = self.0.get(self.0.len() * share / 100).copied().unwrap_or_default();
            time.as_secs_f64() * 1_000.0
        };
        let kind = if synced { "on disk" } else { "in the kernel" };
        println!("{what}, {kind}: median {:.2} ms, p95 {:.2} ms", at(50), at(95));
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let stores = Stores::open(dir.path())?;
    for (what, at_once, each) in
        [("one flush", 1, 1), ("eight flushes at once", 8, 1), ("one change", 1, 2)]
    {
        let (mut synced, mut unsynced) = (Times::default(), Times::default());
        for turn in 0..TURNS {
            for (kind, times) in [(true, &mut synced), (false, &mut unsynced)] {
                let begun = Instant::now();
                for part in 0..each {
                    // Never what stands there already: sled does not write that.
                    let number = (each * 100 + at_once) * 10_000 + (turn * each + part) * at_once;
                    try_join_all((0..at_once).map(|n| stores.write(kind, number + n))).await?;
                }
                times.0.push(begun.elapsed());
            }
        }
        synced.tell(what, true);
        unsynced.tell(what, false);
    }
    Ok(())
}
