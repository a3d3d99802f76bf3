use std::{
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    sync::Arc,
};

use super::*;
use crate::{
    audit::{Audit, Kind, Record},
    clock::FixedClock,
    config::{Backup, Config, Encryption, Schedule},
    finding::Mark,
    store::{RawRecord, Store},
};

/// A state with something in its store, and the config for it.
struct Stage {
    dir: tempfile::TempDir,
    config: Config,
}

impl Stage {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("state");
        let config = Config {
            recovery_key_file: folder.join(RECOVERY_KEY),
            state: folder.clone(),
            ..crate::check::stage_config(Encryption::Required)
        };
        let stage = Self { dir, config };
        let store = Store::open(&folder.join("store"), Timestamp::UNIX_EPOCH).unwrap().store;
        let audit = Audit::new(&store, clock()).unwrap();
        for note in ["one", "two", "three"] {
            let record = Record { note: Some(note.to_owned()), ..Record::new(Kind::Noted) };
            audit.note(record).await.unwrap();
        }
        store.shelf::<String>("pins").unwrap().put("@ann:x", &"key".to_owned()).unwrap();
        store.flush().await.unwrap();
        fs::write(folder.join(IDENTITY), "{\"master_key\":\"public\"}").unwrap();
        fs::write(folder.join(RECOVERY_KEY), "very secret").unwrap();
        fs::write(folder.join("session.json"), "session").unwrap();
        stage
    }

    fn store(&self) -> Store {
        Store::open_as_it_is(&self.config.state.join("store")).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn exported(&self, name: &str) -> PathBuf {
        let file = self.file(name);
        export(&self.store(), &self.config, &file, true, now()).unwrap();
        file
    }

    /// The same bot on another machine.
    fn elsewhere(&self, name: &str) -> Config {
        let state = self.file(name);
        Config { recovery_key_file: state.join(RECOVERY_KEY), state, ..self.config.clone() }
    }
}

fn now() -> Timestamp {
    "2026-10-05T08:00:00Z".parse().unwrap()
}

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::at(now()))
}

fn source(file: &std::path::Path) -> Source {
    Source { file: File::open(file).unwrap(), identity: None }
}

/// Everything in a store but what says whether it was imported.
fn contents(store: &Store) -> Vec<(String, RawRecord)> {
    let mut all = Vec::new();
    for shelf in store.shelves().unwrap() {
        if shelf != "imported" {
            let records = store.records(&shelf).unwrap();
            all.extend(records.map(|record| (shelf.clone(), record.unwrap())));
        }
    }
    all
}

#[tokio::test]
async fn what_was_exported_is_imported_as_it_was_and_known_to_be_older() {
    let stage = Stage::new().await;
    let file = stage.exported("export");
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("very secret"), "without encryption the recovery key stays where it is");
    assert!(text.contains("public") && !text.contains("session"));
    let config = stage.elsewhere("other");
    let imported = import(&config, source(&file), now()).unwrap();
    assert_eq!((imported.at, imported.recovery_key), (now(), false));
    let before = contents(&stage.store());
    let other = Store::open(&config.state.join("store"), now()).unwrap();
    assert!(!other.new && other.moved_aside.is_none());
    assert_eq!(contents(&other.store), before);
    assert_eq!(imported.records, u64::try_from(before.len()).unwrap());
    assert!(other.store.is_imported().unwrap());
    other.store.has_caught_up().await.unwrap();
    assert!(!other.store.is_imported().unwrap() && !stage.store().is_imported().unwrap());
    let audit = Audit::new(&other.store, clock()).unwrap();
    assert_eq!(audit.verify().unwrap().whole().unwrap().count, 3);
}

#[tokio::test]
async fn what_is_cut_off_changed_or_continued_makes_no_store() {
    let stage = Stage::new().await;
    let text = fs::read_to_string(stage.exported("export")).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let half = |at: usize| lines[..at].concat();
    let changed = |from: &str, to: &str| text.replacen(from, to, 1);
    let twice = lines[3..].iter().fold(half(4), |all, line| all + *line);
    let cases = [
        (String::new(), "does not begin"),
        ("no export\n".to_owned(), "cannot be read"),
        (half(1), "end is missing"),
        (half(lines.len() - 1), "end is missing"),
        (text.trim_end_matches("\"}}\n").to_owned(), "end is missing"),
        (changed("three", "throe"), "was changed"),
        ([&lines[..2], &lines[3..]].concat().concat(), "was changed"),
        (twice, "was changed"),
        (text.clone() + lines[2], "more follows"),
        (text.clone() + "\n", "more follows"),
    ];
    for (number, (text, why)) in cases.into_iter().enumerate() {
        let file = stage.file("cut");
        fs::write(&file, text).unwrap();
        let config = stage.elsewhere(&format!("other-{number}"));
        let error = import(&config, source(&file), now()).unwrap_err().to_string();
        assert!(error.contains(why), "{number}: {error}");
        assert!(!config.state.join("store").exists(), "{number}");
        assert!(!config.state.join(IDENTITY).exists(), "{number}");
        // And the whole one can be imported there.
        import(&config, source(&stage.file("export")), now()).unwrap();
    }
}

#[tokio::test]
async fn another_bots_and_a_later_versions_are_refused_in_one_line() {
    let stage = Stage::new().await;
    let text = fs::read_to_string(stage.exported("export")).unwrap();
    let cases = [
        ("@synod:x", "@other:x", "it belongs to the bot @other:x"),
        ("\"format\":1", "\"format\":2", "a later version of Synod"),
        ("\"state\":2", "\"state\":3", "a later version of Synod"),
    ];
    for (from, to, why) in cases {
        let file = stage.file("other");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let config = stage.elsewhere("state-of-another");
        let error = import(&config, source(&file), now()).unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains('\n'), "{error}");
        assert!(!config.state.exists(), "nothing is made");
    }
}

#[tokio::test]
async fn only_an_empty_state_is_imported_into_and_no_file_is_written_over() {
    let stage = Stage::new().await;
    let file = stage.exported("export");
    let again = export(&stage.store(), &stage.config, &file, true, now()).unwrap_err();
    assert!(matches!(again, Error::IsThere(_)), "{again}");
    let into = import(&stage.config, source(&file), now()).unwrap_err().to_string();
    assert!(into.contains("already exists: an import needs an empty state"), "{into}");
    for left in ["session.json", "matrix", "store", "store.broken-7", "somebody's"] {
        let config = stage.elsewhere("not-empty");
        fs::create_dir_all(config.state.join(left)).unwrap();
        let error = import(&config, source(&file), now()).unwrap_err().to_string();
        assert!(error.contains(left), "{error}");
        fs::remove_dir_all(&config.state).unwrap();
    }
    // What an import needs, and what another has left, is no hindrance.
    let config = stage.elsewhere("prepared");
    fs::create_dir_all(config.state.join("store.making")).unwrap();
    fs::write(config.state.join("store.making").join("db"), "half").unwrap();
    fs::write(config.state.join(RECOVERY_KEY), "kept elsewhere").unwrap();
    fs::write(config.state.join("lock"), "").unwrap();
    assert!(import(&config, source(&file), now()).unwrap().recovery_key);
    assert_eq!(fs::read_to_string(&config.recovery_key_file).unwrap(), "kept elsewhere");
}

#[tokio::test]
async fn without_somebody_who_may_read_it_nothing_is_written() {
    let stage = Stage::new().await;
    let file = stage.file("export");
    let error = export(&stage.store(), &stage.config, &file, false, now()).unwrap_err();
    assert!(matches!(error, Error::NoRecipients), "{error}");
    assert!(!file.exists());
    let backup = Backup { recipients: vec!["age1nobody".to_owned()], schedule: None };
    let config = Config { backup, ..stage.config.clone() };
    let error = export(&stage.store(), &config, &file, false, now()).unwrap_err();
    assert!(matches!(error, Error::Age(_) | Error::NoAge), "{error}");
    assert!(!error.to_string().contains('\n') && !file.exists(), "{error}");
}

#[tokio::test]
async fn the_check_names_what_cannot_be_read_and_where_the_chain_breaks() {
    let stage = Stage::new().await;
    let look = || {
        let findings = check(&stage.store(), &stage.config.state, clock()).unwrap();
        let bad: Vec<String> =
            findings.iter().filter(|one| one.mark == Mark::Bad).map(ToString::to_string).collect();
        let all: Vec<String> = findings.iter().map(ToString::to_string).collect();
        (bad, all.join("\n"))
    };
    let (bad, all) = look();
    assert_eq!(bad, [""; 0]);
    assert!(all.contains("audit: 3 (entries of the record)"), "{all}");
    assert!(all.contains("pins: 1 (keys of operators)"), "{all}");
    assert!(all.contains("the record is whole: 3 entries"), "{all}");

    let put = |shelf: &str, key: &str, value: &str| {
        let record = RawRecord { key: key.to_owned(), value: value.to_owned() };
        stage.store().put_raw(shelf, &record).unwrap();
    };
    put("pins", "@ben:x", "{\"v\":1,\"d\":7}");
    put("jobs", "a", "{\"v\":9,\"d\":{}}");
    put("notes", "b", "half a rec");
    put("from-later", "c", "{\"v\":1,\"d\":1}");
    let (bad, all) = look();
    assert_eq!(bad.len(), 3, "{bad:#?}");
    assert!(
        all.contains("pins: 2 (keys of operators); 1 of them cannot be read: \"@ben:x\""),
        "{all}"
    );
    assert!(all.contains("later version of Synod"), "{all}");
    assert!(all.contains("from-later: unknown content"), "{all}");

    let record = stage.store().records("audit").unwrap().nth(1).unwrap().unwrap();
    put("audit", &record.key, &record.value.replace("two", "too"));
    let (bad, _) = look();
    assert!(bad.iter().any(|bad| bad.contains("broken at number 2")), "{bad:#?}");
}

/// Whoever adds a shelf says here what is in it.
#[test]
fn every_shelf_of_the_code_is_known_to_the_check() {
    fn named_in(folder: &std::path::Path, names: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                named_in(&path, names);
            } else if !path.ends_with("tests.rs") && path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                for call in [".shelf(", ".shelf::<"] {
                    let after = text.split(call).skip(1);
                    let quoted = after.filter_map(|rest| {
                        let before =
                            if call.ends_with('<') { rest.split_once(">(")?.1 } else { rest };
                        Some(before.strip_prefix('"')?.split_once('"')?.0.to_owned())
                    });
                    names.extend(quoted);
                }
            }
        }
    }
    let mut names = Vec::new();
    named_in(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src"), &mut names);
    assert!(names.len() > 35, "{names:?}");
    for name in names {
        let tests = ["numbers", "large", "some", "others"];
        let known = check::SHELVES.iter().any(|(shelf, ..)| *shelf == name);
        assert!(known || tests.contains(&name.as_str()), "{name}");
    }
}

#[tokio::test]
async fn a_pipe_takes_an_export_and_gives_it_back() {
    let stage = Stage::new().await;
    let file = stage.file("piped");
    let written = File::create(&file).unwrap();
    export_to(&stage.store(), &stage.config, written, true, now()).unwrap();
    let (read, mut write) = io::pipe().unwrap();
    let bytes = fs::read(&file).unwrap();
    let writer = std::thread::spawn(move || write.write_all(&bytes).unwrap());
    let config = stage.elsewhere("from-pipe");
    let file = File::from(std::os::fd::OwnedFd::from(read));
    import(&config, Source { file, identity: None }, now()).unwrap();
    writer.join().unwrap();
}

/// What a version has written once, later ones can read. The samples are not to be made anew.
#[tokio::test]
async fn a_state_of_every_version_that_there_has_been_is_read_whole() {
    let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    for version in 1..=store::STATE_VERSION {
        let stage = Stage::new().await;
        let config = stage.elsewhere("from-a-sample");
        let file = samples.join(format!("state-v{version}.jsonl"));
        import(&config, source(&file), now()).unwrap();
        let store = Store::open(&config.state.join("store"), now()).unwrap().store;
        let findings = check(&store, &config.state, clock()).unwrap();
        let all: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(findings.iter().all(|one| one.mark == Mark::Ok), "{all:#?}");
        for shelf in
            ["audit: 12", "jobs: 2", "job-items: 2", "sanctions: 2", "tickets: 1", "notes: 1"]
        {
            assert!(all.iter().any(|line| line.contains(shelf)), "{shelf}: {all:#?}");
        }
        assert!(all.iter().any(|line| line.contains("the record is whole: 12 entries")));
        let audit = Audit::new(&store, clock()).unwrap();
        let record = Record { note: Some("on".to_owned()), ..Record::new(Kind::Noted) };
        assert_eq!(audit.note(record).await.unwrap(), 13, "numbers go on");
    }
}

#[tokio::test]
async fn one_is_due_when_the_last_is_old_enough_and_only_so_many_are_kept() {
    let stage = Stage::new().await;
    let key = std::process::Command::new("age-keygen").output().unwrap();
    let said = String::from_utf8(key.stderr).unwrap();
    let recipient = said.trim().rsplit(' ').next().unwrap().to_owned();
    let day = std::time::Duration::from_hours(24);
    let folder = stage.file("backups");
    let schedule = Schedule { every: day, folder: folder.clone(), keep: 3 };
    let backup = Backup { recipients: vec![recipient], schedule: Some(schedule.clone()) };
    let config = Config { backup, ..stage.config.clone() };
    let store = stage.store();
    assert!(is_due(&schedule, now()).unwrap());
    let mut at = now();
    for _ in 0..5 {
        make(&store, &config, &schedule, at).unwrap();
        assert!(!is_due(&schedule, at).unwrap());
        at += jiff::SignedDuration::from_hours(23);
        assert!(!is_due(&schedule, at).unwrap());
        at += jiff::SignedDuration::from_hours(1);
        assert!(is_due(&schedule, at).unwrap());
        fs::write(folder.join("somebody-elses.age"), "").unwrap();
    }
    let entries = fs::read_dir(&folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let days = ["07", "08", "09"].map(|day| format!("synod-202610{day}T080000Z.age"));
    assert_eq!(names[1..], days);
    assert_eq!(names[0], "somebody-elses.age");
    assert!(fs::read(folder.join(&names[1])).unwrap().starts_with(b"age-encryption.org/"));
}

/// While all is copied nobody writes, so that what is copied was there at one moment.
#[tokio::test]
async fn what_is_copied_while_others_write_was_there_at_one_moment() {
    let stage = Stage::new().await;
    let store = stage.store();
    let [first, second] = ["pins", "changed_keys"].map(|name| store.shelf::<String>(name).unwrap());
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let told = stop.clone();
    let writer = std::thread::spawn(move || {
        let mut number = 0_u64;
        while !told.load(std::sync::atomic::Ordering::Relaxed) {
            // The second never says more than the first.
            first.put("counter", &number.to_string()).unwrap();
            second.put("counter", &number.to_string()).unwrap();
            number += 1;
        }
    });
    let read = |shelf: &'static str| -> u64 {
        let shelf = store.shelf::<String>(shelf).unwrap();
        shelf.get("counter").unwrap().unwrap_or_default().parse().unwrap_or_default()
    };
    while read("changed_keys") < 10 {
        std::thread::yield_now();
    }
    for _ in 0..200 {
        let (second, first) = store.at_one_moment(|| (read("changed_keys"), read("pins")));
        assert!(first == second || first == second + 1, "{first} {second}");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.join().unwrap();
}
