use std::path::{Path, PathBuf};

use super::*;

fn open(dir: &Path) -> Opened {
    Store::open(dir, jiff::Timestamp::UNIX_EPOCH).unwrap()
}

#[tokio::test]
async fn records_survive() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    {
        let opened = open(&path);
        assert!(opened.new);
        let shelf = opened.store.shelf::<u32>("numbers").unwrap();
        assert!(shelf.put_new("a", &1).unwrap());
        assert!(!shelf.put_new("a", &2).unwrap());
        assert!(shelf.swap("a", &1, &3).unwrap());
        assert!(!shelf.swap("a", &1, &4).unwrap());
        shelf.put("b", &5).unwrap();
        opened.store.flush().await.unwrap();
    }
    let opened = open(&path);
    assert!(!opened.new);
    let shelf = opened.store.shelf::<u32>("numbers").unwrap();
    assert_eq!(shelf.all().unwrap(), [("a".to_owned(), 3), ("b".to_owned(), 5)]);
    assert_eq!(shelf.last(1).unwrap(), [("b".to_owned(), 5)]);
    assert_eq!(
        shelf.last_where(9, |number| Ok(Some(number).filter(|number| *number < 5))).unwrap(),
        [3]
    );
    assert_eq!(shelf.last_under("a", 9).unwrap(), [("a".to_owned(), 3)]);
}

#[test]
fn a_store_that_something_else_holds_is_waited_for_and_never_moved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let opened = open(&path);
    let held = opened.store.shelf::<u32>("numbers").unwrap();
    assert!(held.put_new("a", &1).unwrap());
    let at_the_same_time = Store::open(&path, jiff::Timestamp::UNIX_EPOCH);
    assert!(at_the_same_time.is_err_and(|error| error.is_held()));
    let entries = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(entries, 1, "nothing was moved");
    let second = std::thread::spawn(move || open(&path));
    drop((opened, held));
    let opened = second.join().unwrap();
    assert!(!opened.new && opened.moved_aside.is_none());
    assert_eq!(opened.store.shelf::<u32>("numbers").unwrap().get("a").unwrap(), Some(1));
}

#[test]
fn a_store_that_will_not_open_is_moved_aside_and_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("conf"), b"\xff\xffnot a configuration of sled").unwrap();
    let opened = open(&path);
    assert!(opened.new && !opened.rebuilt, "there is nothing in it");
    let aside = opened.moved_aside.expect("it says where the old one went");
    assert!(aside.join("conf").exists());
    assert!(opened.store.shelf::<u32>("numbers").unwrap().put_new("a", &1).unwrap());
}

#[test]
fn a_record_of_a_later_version_is_refused_and_not_guessed_at() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(&dir.path().join("store"));
    let tree = opened.store.db.open_tree("numbers").unwrap();
    tree.insert("a", r#"{"v":2,"d":1}"#).unwrap();
    let shelf = opened.store.shelf::<u32>("numbers").unwrap();
    assert!(matches!(shelf.get("a"), Err(Error::Later(2))));
}

/// A disk of its own, as small as `size` says, for as long as this lives.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, size: &str) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let at = at.to_owned();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "none", text(&at)]);
        Self(at)
    }

    /// Leaves no room on it; answers the file that takes it.
    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        let mut file = std::fs::File::create(&filler).unwrap();
        for size in [1 << 16, 1] {
            while std::io::Write::write_all(&mut file, &vec![b'x'; size]).is_ok() {}
        }
        filler
    }

    /// The same disk at a second place, which cannot be written to. (To remount the disk itself
    /// fails as long as anything still has one of its files open, as a store does for a moment
    /// after it was dropped.)
    fn read_only(&self, at: &Path) -> Self {
        std::fs::create_dir_all(at).unwrap();
        run("mount", &["--bind", text(&self.0), text(at)]);
        let view = Self(at.to_owned());
        run("mount", &["-o", "remount,bind,ro", text(at)]);
        view
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l", text(&self.0)]);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Where this fails the test fails too: it needs to be run by root, who may mount.
fn run(program: &str, words: &[&str]) {
    let done = std::process::Command::new(program).args(words).status().unwrap();
    assert!(done.success(), "{program} {words:?}: {done}; run this as root");
}

/// A store with one record in it.
fn keep_one(path: &Path) {
    let store = open(path).store;
    assert!(store.shelf::<u32>("numbers").unwrap().put_new("a", &1).unwrap());
}

/// That this opens as the store that [`keep_one`] left, and nothing lies beside it but `others`.
#[track_caller]
fn assert_kept(path: &Path, others: usize) {
    let opened = open(path);
    assert!(!opened.new && opened.moved_aside.is_none());
    assert_eq!(opened.store.shelf::<u32>("numbers").unwrap().get("a").unwrap(), Some(1));
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1 + others);
}

#[track_caller]
fn assert_not_opened(path: &Path, advice: &str) {
    let error = Store::open(path, jiff::Timestamp::UNIX_EPOCH).map(drop).unwrap_err().to_string();
    assert!(error.contains(advice), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    let beside = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let names: Vec<_> = beside.map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name == "store" || name == "filler"), "{names:?}");
}

#[test]
fn a_full_disk_ends_with_what_to_do_and_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::mount(&dir.path().join("disk"), "8m");
    let path = disk.0.join("store");
    keep_one(&path);
    let filler = disk.fill();
    for _ in 0..3 {
        assert_not_opened(&path, "free space on its disk");
    }
    std::fs::remove_file(filler).unwrap();
    assert_kept(&path, 0);
}

#[test]
fn a_disk_that_cannot_be_written_ends_with_what_to_do_and_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::mount(&dir.path().join("disk"), "8m");
    let path = disk.0.join("store");
    keep_one(&path);
    let view = disk.read_only(&dir.path().join("view"));
    assert_not_opened(&view.0.join("store"), "mount it writable");
    drop(view);
    assert_kept(&path, 0);
}

#[test]
fn what_is_no_folder_is_left_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    std::fs::write(&path, "somebody's file").unwrap();
    assert_not_opened(&path, "move away what is in its place");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's file");
}

#[test]
fn a_damaged_store_stays_where_it_is_while_there_is_no_room_for_another() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::mount(&dir.path().join("disk"), "8m");
    let path = disk.0.join("store");
    keep_one(&path);
    spoil_snapshot(&path);
    let filler = disk.fill();
    assert_not_opened(&path, "free space on its disk");
    assert!(path.join("db").exists());
    std::fs::remove_file(filler).unwrap();
    let opened = open(&path);
    assert!(opened.moved_aside.is_some_and(|aside| aside.join("db").exists()));
}

/// Spoils what sled begins with when it opens a store.
fn spoil_snapshot(path: &Path) {
    // The first opening of what is there writes one.
    drop(open(path));
    let files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let snapshots: Vec<_> = files.filter(|file| text(file).contains("/snap.")).collect();
    assert!(!snapshots.is_empty());
    for snapshot in snapshots {
        std::fs::write(snapshot, "no snapshot of sled").unwrap();
    }
}

#[test]
fn what_only_its_snapshot_keeps_from_opening_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    keep_one(&path);
    spoil_snapshot(&path);
    let opened = open(&path);
    let aside = opened.moved_aside.expect("it says where the old one went");
    assert!(aside.join("db").exists());
    assert_eq!(opened.store.shelf::<u32>("numbers").unwrap().get("a").unwrap(), Some(1));
}

#[test]
fn what_only_its_configuration_keeps_from_opening_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    keep_one(&path);
    std::fs::write(path.join("conf"), b"\xff\xffnot a configuration of sled").unwrap();
    let opened = open(&path);
    assert!(opened.rebuilt && !opened.new);
    assert_eq!(opened.store.shelf::<u32>("numbers").unwrap().get("a").unwrap(), Some(1));
}

#[test]
fn a_store_with_a_long_past_is_there_again_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let kept = |path: &Path| {
        let store = open(path).store;
        ["some", "others"].map(|name| store.shelf::<String>(name).unwrap().all().unwrap())
    };
    // So much that parts of the log were used several times.
    for round in 0..6_u32 {
        let store = open(&path).store;
        let shelves = ["some", "others"].map(|name| store.shelf::<String>(name).unwrap());
        for number in 0..1_500_u32 {
            let (shelf, key) = (&shelves[usize::from(number % 3 == 0)], format!("{number:06}"));
            if (number + round) % 5 == 0 {
                shelf.remove(&key).unwrap();
            } else {
                shelf.put(&key, &format!("{round}").repeat(500)).unwrap();
            }
        }
        store.shelf::<String>("some").unwrap().put("large", &"x".repeat(300_000)).unwrap();
    }
    let before = kept(&path);
    assert!(before[0].len() > 500 && before[1].len() > 300);
    spoil_snapshot(&path);
    let opened = open(&path);
    assert!(opened.rebuilt && !opened.new);
    drop(opened);
    assert!(kept(&path) == before, "something is missing, or there again");
}

#[test]
fn a_log_that_does_not_reach_as_far_as_it_did_is_not_taken_for_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    keep_one(&path);
    spoil_snapshot(&path);
    // From its middle on it is something else.
    let mut log = std::fs::read(path.join("db")).unwrap();
    let (begin, written) = (64, log.iter().rposition(|byte| *byte != 0).unwrap());
    log[begin..=written].fill(b'x');
    std::fs::write(path.join("db"), log).unwrap();
    let opened = open(&path);
    assert!(opened.new && !opened.rebuilt);
    assert!(opened.moved_aside.is_some());
}

#[test]
fn a_store_of_another_version_of_sled_is_left_for_that_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    keep_one(&path);
    let mut conf = std::fs::read(path.join("conf")).unwrap();
    let at = conf.windows(4).position(|window| window == b"0.34").unwrap();
    conf[at + 3] = b'5';
    std::fs::write(path.join("conf"), conf).unwrap();
    assert_not_opened(&path, "start that version again");
}

#[test]
fn wherever_the_change_of_stores_is_cut_off_the_next_start_finds_its_way() {
    let now = jiff::Timestamp::UNIX_EPOCH;
    // Before anything moved: it is looked at anew.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    keep_one(&path);
    for left in ["making", "ready"] {
        std::fs::create_dir(path.with_extension(left)).unwrap();
        std::fs::write(path.with_extension(left).join("db"), "half").unwrap();
        assert_kept(&path, 0);
    }
    // After the damaged one moved, and before the other took its place.
    spoil_snapshot(&path);
    repair::replace(&path, now).unwrap();
    std::fs::rename(&path, path.with_extension("ready")).unwrap();
    for _ in 0..2 {
        let opened = open(&path);
        assert!(opened.rebuilt && !opened.new);
        assert_eq!(opened.store.shelf::<u32>("numbers").unwrap().get("a").unwrap(), Some(1));
        assert!(opened.moved_aside.is_some_and(|aside| aside.join("db").exists()), "not told yet");
    }
    Store::told(&path).unwrap();
    assert_kept(&path, 1);
}

#[tokio::test]
async fn what_flushes_at_the_same_time_waits_for_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store")).store;
    let shelf = store.shelf::<u32>("numbers").unwrap();
    let flushes = (0..32).map(|number| {
        let (store, shelf) = (store.clone(), shelf.clone());
        async move {
            shelf.put(&number.to_string(), &number).unwrap();
            store.flush().await
        }
    });
    let results = futures_util::future::join_all(flushes).await;
    assert!(results.iter().all(Result::is_ok));
    let waits = store.disk.waits();
    assert!(waits <= 3, "32 flushes at once waited {waits} times");
}

#[tokio::test]
async fn a_flush_waits_for_the_files_of_large_records_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = open(&path).store;
    store.shelf::<String>("large").unwrap().put("a", &"x".repeat(1 << 20)).unwrap();
    store.flush().await.unwrap();
    assert!(std::fs::read_dir(path.join("blobs")).unwrap().count() > 0, "it is no large record");
    assert_eq!(store.disk.unsynced().unwrap(), 0);
}

#[test]
fn a_state_of_a_later_version_is_refused_in_one_line_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    keep_one(&path);
    assert_kept(&path, 0);
    {
        let store = open(&path).store;
        store.shelf("state-version").unwrap().put("version", &(STATE_VERSION + 1)).unwrap();
        store.shelf("state-written-by").unwrap().put("by", &"9.0.0".to_owned()).unwrap();
        store.flush_here().unwrap();
    }
    for _ in 0..2 {
        let refused = Store::open(&path, jiff::Timestamp::UNIX_EPOCH).unwrap_err().to_string();
        assert!(refused.contains("a later version of Synod (9.0.0)"), "{refused}");
        assert!(
            refused.contains("start the later version again") && !refused.contains('\n'),
            "{refused}"
        );
    }
    // Back with the version that wrote it, nothing is missing.
    let store = Store::try_open(&path).unwrap();
    assert_eq!(
        store.shelf::<u32>("state-version").unwrap().get("version").unwrap(),
        Some(STATE_VERSION + 1)
    );
    store.shelf("state-version").unwrap().put("version", &STATE_VERSION).unwrap();
    drop(store);
    assert_kept(&path, 0);
}

#[test]
fn a_store_from_before_there_were_versions_is_taken_for_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    {
        let store = Store::try_open(&path).unwrap();
        store.shelf::<u32>("numbers").unwrap().put("a", &1).unwrap();
        store.flush_here().unwrap();
    }
    let opened = open(&path);
    assert!(!opened.new);
    assert_eq!(opened.store.shelf::<u32>("numbers").unwrap().get("a").unwrap(), Some(1));
    let version = opened.store.shelf::<u32>("state-version").unwrap().get("version").unwrap();
    assert_eq!(version, Some(STATE_VERSION));
}

/// A store that has held much more than it holds.
fn bloated(path: &Path) -> Contents {
    let store = open(path).store;
    let shelf = store.shelf::<String>("some").unwrap();
    for round in 0..4_u32 {
        for number in 0..500_u32 {
            shelf.put(&format!("{number:06}"), &format!("{round}").repeat(2_000)).unwrap();
        }
    }
    for number in 20..500_u32 {
        shelf.remove(&format!("{number:06}")).unwrap();
    }
    shelf.put("large", &"x".repeat(300_000)).unwrap();
    store.flush_here().unwrap();
    store.contents().unwrap()
}

#[test]
fn a_store_that_is_compacted_holds_the_same_in_less_room() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let before = bloated(&path);
    let compacted = Store::compact(&path).unwrap();
    assert!(compacted.after < compacted.before / 2, "{compacted:?}");
    assert_eq!(compacted.records, before.records);
    let opened = open(&path);
    assert!(!opened.new && opened.moved_aside.is_none());
    assert_eq!(opened.store.contents().unwrap(), before);
    drop(opened);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn wherever_compacting_is_cut_off_the_store_is_whole_and_it_can_be_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let before = bloated(&path);
    let [making, ready, old] =
        ["making", "ready", "before-compacting"].map(|name| path.with_extension(name));
    let same = |path: &Path| assert_eq!(open(path).store.contents().unwrap(), before);
    let again = || {
        Store::compact(&path).unwrap();
        same(&path);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    };
    // While it is made, and when it is ready.
    for left in [&making, &ready] {
        std::fs::create_dir(left).unwrap();
        std::fs::write(left.join("db"), "half").unwrap();
        same(&path);
        std::fs::create_dir(left).unwrap();
        again();
    }
    // Between the two renames: the new one is ready, the old one aside.
    let copy = |to: &Path| {
        let words = ["-r", text(&path), text(to)];
        run("cp", &words);
    };
    copy(&old);
    std::fs::rename(&path, &ready).unwrap();
    same(&path);
    again();
    // Behind them, before the old one has gone.
    copy(&old);
    same(&path);
    assert!(old.exists(), "a start leaves it where it is");
    again();
}

#[test]
fn a_store_that_cannot_be_read_is_not_compacted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    assert!(matches!(Store::compact(&path), Err(Error::Missing { .. })));
    keep_one(&path);
    spoil_snapshot(&path);
    let names = || {
        let entries = std::fs::read_dir(dir.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
    };
    assert!(Store::compact(&path).is_err());
    assert_eq!(names(), ["store"], "it is left for the start that repairs it");
    assert!(open(&path).rebuilt);
}
