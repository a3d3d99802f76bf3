use ruma::{owned_event_id, owned_user_id};

use super::*;
use crate::{
    change::{FactMap, Undo},
    clock::{Clock as _, FixedClock},
};

fn audit() -> (Audit, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
    let opened = Store::open(&dir.path().join("store"), Timestamp::UNIX_EPOCH).unwrap();
    (Audit::new(&opened.store, clock).unwrap(), dir)
}

/// Checks entries as a file of them is checked.
fn verify(entries: &[Kept], head: Option<&str>) -> Result<Head, NotWhole> {
    let lines: Vec<String> =
        entries.iter().map(|kept| serde_json::to_string(kept).unwrap() + "\n").collect();
    verify_lines(lines.concat().as_bytes(), head)
}

fn broken(entries: &[Kept]) -> (u64, &'static str) {
    match verify(entries, None) {
        Err(NotWhole::Broken(broken)) => (broken.seq, broken.what),
        other => panic!("it was tampered with: {other:?}"),
    }
}

fn eve() -> Subject {
    Subject::User(owned_user_id!("@eve:x.test"))
}

fn suspend(event: &str) -> Record {
    Record {
        by: Some(owned_user_id!("@ann:x.test")),
        event: Some(ruma::EventId::parse(event).unwrap()),
        words: vec!["user".into(), "suspend".into(), "@eve:x.test".into()],
        subjects: vec![eve()],
        ..Record::new(Kind::Opened)
    }
}

#[tokio::test]
async fn what_was_opened_and_not_closed_is_known_and_an_event_opens_one_change() {
    let (audit, _dir) = audit();
    let first = audit.open(suspend("$1")).await.unwrap();
    let second = audit.open(suspend("$2")).await.unwrap();
    assert!(matches!(
        audit.open(suspend("$1")).await,
        Err(Error::AlreadyOpened(before)) if before == first
    ));
    audit
        .close(first, Record { status: Some(Status::Done), ..Record::new(Kind::Closed) })
        .await
        .unwrap();
    let left: Vec<u64> = audit.left_open().unwrap().into_iter().map(|(n, _)| n).collect();
    assert_eq!(left, [second]);
    assert_eq!(audit.opened_by(&owned_event_id!("$2")).unwrap(), Some(second));
    let past = audit.past(&eve(), 5).unwrap();
    assert_eq!(
        past.iter().map(|p| (p.id, p.status)).collect::<Vec<_>>(),
        [(second, None), (first, Some(Status::Done))]
    );
}

#[tokio::test]
async fn a_chain_that_was_tampered_with_does_not_verify() {
    let (audit, _dir) = audit();
    for n in 0..4 {
        audit.note(suspend(&format!("${n}"))).await.unwrap();
    }
    let head = audit.verify().unwrap().whole().unwrap();
    assert_eq!(head, audit.head().await);
    assert_eq!(head.count, 4);
    let mut whole: Vec<Kept> = audit.last(9).unwrap();
    whole.reverse();

    let mut changed = whole.clone();
    changed[1].record.as_mut().unwrap().words[2] = "@mallory:x.test".into();
    assert_eq!(broken(&changed), (2, "its details were changed"));

    let mut moved = whole.clone();
    moved[2].entry.at += jiff::SignedDuration::from_secs(1);
    assert_eq!(broken(&moved), (3, "it was changed"));

    let mut cut = whole.clone();
    cut.remove(1);
    assert_eq!(broken(&cut), (2, "it is missing"));

    let mut erased = whole.clone();
    erased[1].record = None;
    assert_eq!(broken(&erased), (2, "its details were changed"));
    erased[1].salt = None;
    assert!(verify(&erased, None).is_ok(), "details may go and the chain still holds");

    assert_eq!(verify(&whole, Some(&head.hash)).unwrap(), head);
    let earlier = whole[1].entry.hash.clone();
    assert!(verify(&whole, Some(&earlier)).is_ok(), "it has grown since that head was noted");
    let short = verify(&whole[..3], Some(&head.hash));
    assert!(matches!(short, Err(NotWhole::OtherHead(_))), "its end was cut off: {short:?}");
}

#[tokio::test]
async fn the_chain_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
    {
        let store = Store::open(&path, Timestamp::UNIX_EPOCH).unwrap().store;
        Audit::new(&store, clock.clone()).unwrap().note(suspend("$1")).await.unwrap();
    }
    let store = Store::open(&path, Timestamp::UNIX_EPOCH).unwrap().store;
    let audit = Audit::new(&store, clock).unwrap();
    assert_eq!(audit.note(suspend("$2")).await.unwrap(), 2);
    assert_eq!(audit.verify().unwrap().whole().unwrap().count, 2);
}

#[tokio::test]
async fn the_file_has_every_entry_over_restarts_torn_lines_and_another_store() {
    let (audit, dir) = audit();
    let file = dir.path().join("record.jsonl");
    audit.note(suspend("$1")).await.unwrap();
    audit.mirror(&file, None).await.unwrap();
    audit.note(suspend("$2")).await.unwrap();
    let count = |file: &Path| {
        let text = std::fs::read_to_string(file).unwrap();
        verify_lines(text.as_bytes(), None).map(|head| head.count).unwrap()
    };
    assert_eq!(count(&file), 2);
    // A crash in the middle of a line, and entries that the file has not seen.
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.truncate(text.len() - 9);
    std::fs::write(&file, text).unwrap();
    audit.mirror(&file, None).await.unwrap();
    audit.note(suspend("$3")).await.unwrap();
    assert_eq!(count(&file), 3);
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o077, 0, "it is its owner's");

    let (other, _dir) = self::audit();
    other.note(suspend("$1")).await.unwrap();
    other.mirror(&file, None).await.unwrap();
    assert_eq!(count(&file), 1, "another store begins another file");
    let names = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name());
    assert!(names.into_iter().any(|n| n.to_string_lossy().contains("record.jsonl.before-")));
}

fn of(name: &str) -> Subject {
    Subject::User(ruma::UserId::parse(format!("@{name}:x.test")).unwrap())
}

#[tokio::test]
async fn details_go_after_their_time_and_with_an_erasure_and_the_chain_holds() {
    let (audit, _dir) = audit();
    let note = |name: &str| Record { subjects: vec![of(name)], words: vec![], ..suspend("$n") };
    for name in ["eve", "sam", "eve"] {
        audit.note(Record { kind: Kind::Refused, ..note(name) }).await.unwrap();
    }
    let about = |seq| audit.get(seq).unwrap().unwrap().record.map(|record| record.subjects);
    assert_eq!(audit.forget_about(&[of("eve")], 3).await.unwrap(), 1, "and not what came later");
    assert_eq!(
        [about(1), about(2), about(3)].map(Option::unwrap),
        [vec![], vec![of("sam")], vec![of("eve")]]
    );
    let open = audit.open(suspend("$open")).await.unwrap();
    let later = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(1);
    assert_eq!(audit.forget_before(Timestamp::UNIX_EPOCH).await.unwrap(), 0);
    audit.forget_before(later).await.unwrap();
    assert_eq!([about(1), about(2), about(3)], [None, None, None], "also what was left of it");
    assert_eq!(about(open), Some(vec![eve()]), "what has not ended stays");
    assert!(audit.verify().unwrap().whole().is_some());
}

/// A change of eve, sam and joe that moe has approved, as the record has its begin and its end.
async fn change_of_three(audit: &Audit) -> u64 {
    let all = ["eve", "sam", "joe"].map(of);
    let words =
        ["user", "suspend", "--reason", "rude to @eve:x.test", "eve", "@sam:x.test", "@joe:x.test"];
    let both = Record {
        words: words.map(str::to_owned).to_vec(),
        reason: Some("rude to @eve:x.test".to_owned()),
        subjects: all.to_vec(),
        left: all.clone().map(|one| (one, FactMap::new())).to_vec(),
        approvals: vec![owned_user_id!("@moe:x.test")],
        ..suspend("$three")
    };
    let number = audit.open(both.clone()).await.unwrap();
    let undo =
        |one: Subject| Undo::Command(vec!["user".into(), "unsuspend".into(), one.to_string()]);
    let ended = Record {
        undo: all.map(undo).to_vec(),
        requests: vec!["PUT /_synapse/admin/v1/suspend/@eve:x.test {}".to_owned()],
        status: Some(Status::Done),
        kind: Kind::Closed,
        ..both
    };
    audit.close(number, ended).await.unwrap();
    number
}

#[tokio::test]
async fn with_an_erasure_goes_that_subject_and_nothing_of_the_others() {
    let (audit, _dir) = audit();
    let number = change_of_three(&audit).await;
    assert_eq!(audit.forget_about(&[of("eve")], 3).await.unwrap(), 2);
    let all = |audit: &Audit| {
        let kept: Vec<Kept> = audit.entries(9).map(Result::unwrap).collect();
        verify(&kept, None).unwrap();
        serde_json::to_string(&kept).unwrap()
    };
    for name in ["@eve", "\"eve\""] {
        assert!(!all(&audit).contains(name), "{}", all(&audit));
    }

    let ended = audit.closing(number).unwrap().unwrap().record.unwrap();
    assert_eq!(ended.subjects, [of("sam"), of("joe")]);
    assert_eq!(ended.left.len(), 2);
    let undo =
        |name| Undo::Command(vec!["user".into(), "unsuspend".into(), format!("@{name}:x.test")]);
    assert_eq!(ended.undo, [undo("sam"), undo("joe")], "each beside its subject");
    assert_eq!(ended.approvals, [owned_user_id!("@moe:x.test")]);
    assert_eq!(ended.reason.as_deref(), Some("rude to (erased)"));
    assert_eq!((ended.status, ended.erased), (Some(Status::Done), 1));
    assert!(audit.past(&of("eve"), 9).unwrap().is_empty());
    assert_eq!(audit.past(&of("sam"), 9).unwrap().len(), 1);
    let listed = audit.last_where(9, |_| true).unwrap();
    assert_eq!(listed.iter().map(|kept| kept.entry.seq).collect::<Vec<_>>(), [2, 1]);

    audit.forget_about(&["sam", "joe"].map(of), 9).await.unwrap();
    assert!(!all(&audit).contains("@sam") && !all(&audit).contains("@joe"), "{}", all(&audit));
    let ended = audit.closing(number).unwrap().unwrap().record.unwrap();
    assert_eq!(
        (ended.erased, ended.words.as_slice()),
        (3, &["user".to_owned(), "suspend".to_owned()][..])
    );
    assert_eq!(ended.by, Some(owned_user_id!("@ann:x.test")), "who did it stays");
    assert!(audit.verify().unwrap().whole().is_some());
}

#[tokio::test]
async fn an_erasure_reads_only_what_names_its_subject() {
    let (audit, _dir) = audit();
    let number = change_of_three(&audit).await;
    let zoe = Record { subjects: vec![of("zoe")], words: vec![], ..suspend("$zoe") };
    audit.note(zoe).await.unwrap();
    // Whoever reads this one fails.
    let entries: Shelf<String> = audit.store.shelf("audit").unwrap();
    entries.put(&key(3), &"unreadable".to_owned()).unwrap();
    assert!(audit.get(3).is_err());
    assert_eq!(audit.forget_about(&[of("eve")], 9).await.unwrap(), 2);
    assert_eq!(audit.get(number).unwrap().unwrap().record.unwrap().erased, 1);
}

#[tokio::test]
async fn whoever_was_erased_is_not_back_where_the_record_is_restored_from_its_file() {
    let (audit, dir) = audit();
    let file = dir.path().join("record.jsonl");
    audit.mirror(&file, None).await.unwrap();
    let number = change_of_three(&audit).await;
    audit.forget_about(&[of("eve")], 9).await.unwrap();
    audit.forget_about(&[of("sam")], 9).await.unwrap();

    let (other, _dir) = self::audit();
    let mut links = Links::default();
    std::fs::read_to_string(&file).unwrap().lines().for_each(|line| links.add(line));
    assert_eq!(other.restore(&links).await.unwrap(), audit.head().await);
    let ended = other.closing(number).unwrap().unwrap().record.unwrap();
    assert_eq!((ended.subjects, ended.erased), (vec![of("joe")], 2));
    assert!(other.past(&of("eve"), 9).unwrap().is_empty());
    assert_eq!(other.past(&of("joe"), 9).unwrap().len(), 1);
    let kept: Vec<Kept> = other.entries(9).map(Result::unwrap).collect();
    let text = serde_json::to_string(&kept).unwrap();
    assert!(!text.contains("@eve") && !text.contains("@sam"), "{text}");
    assert!(other.verify().unwrap().whole().is_some());
}

/// The entries of a record from this number on, as they were told.
fn told(audit: &Audit, begin: u64) -> Links {
    let mut links = Links::default();
    for kept in audit.from(begin, usize::MAX).unwrap() {
        links.add(&serde_json::to_string(&kept).unwrap());
    }
    links
}

/// Two records that are the same up to number 2: the second is an older copy of the first.
async fn with_a_copy() -> ((Audit, tempfile::TempDir), (Audit, tempfile::TempDir)) {
    let (whole, copy) = (audit(), audit());
    for event in ["$1", "$2"] {
        whole.0.open(suspend(event)).await.unwrap();
    }
    copy.0.restore(&told(&whole.0, 1)).await.unwrap();
    (whole, copy)
}

#[tokio::test]
async fn a_copy_takes_over_what_follows_it_and_knows_what_was_opened_closed_and_undone() {
    let ((whole, _whole), (copy, _copy)) = with_a_copy().await;
    assert!(copy.missing(&told(&whole, 1)).await.unwrap().is_nothing());
    let done = |undoes| Record { status: Some(Status::Done), undoes, ..Record::new(Kind::Closed) };
    whole.close(1, done(None)).await.unwrap();
    let undo = whole.open(suspend("$3")).await.unwrap();
    whole.close(undo, done(Some(1))).await.unwrap();

    let later = told(&whole, 2);
    let missing = copy.missing(&later).await.unwrap();
    assert_eq!(missing, Missing { follows: true, ..Missing::default() });
    let taken: Vec<u64> =
        copy.take_over(&later).await.unwrap().iter().map(|kept| kept.entry.seq).collect();
    assert_eq!(taken, [3, 4, 5]);
    assert_eq!(copy.head().await, whole.head().await);
    assert!(copy.verify().unwrap().whole().is_some());
    assert_eq!(copy.undone_by(1).unwrap(), Some(undo));
    let left: Vec<u64> = copy.left_open().unwrap().into_iter().map(|(number, _)| number).collect();
    assert_eq!(left, [2]);
    assert!(matches!(copy.open(suspend("$3")).await, Err(Error::AlreadyOpened(4))));
    assert_eq!(copy.note(suspend("$4")).await.unwrap(), 6);
}

#[tokio::test]
async fn a_number_that_was_given_is_not_given_again_though_its_entry_is_lost() {
    let ((whole, _whole), (copy, _copy)) = with_a_copy().await;
    for event in ["$3", "$4", "$5"] {
        whole.open(suspend(event)).await.unwrap();
    }
    // The third cannot be read any more, so that nothing follows unbroken.
    let later = told(&whole, 4);
    let missing = copy.missing(&later).await.unwrap();
    assert_eq!(missing, Missing { beyond: Some(5), ..Missing::default() });
    assert!(copy.take_over(&later).await.unwrap().is_empty());
    assert_eq!(copy.skip(5, &later).await.unwrap(), 3);
    assert_eq!(copy.skip(5, &later).await.unwrap(), 0, "they are skipped once");
    assert_eq!(copy.note(suspend("$6")).await.unwrap(), 6);
    assert!(copy.verify().unwrap().whole().is_some());
    let stands = |seq| copy.get(seq).unwrap().unwrap().record.unwrap();
    assert_eq!((stands(3).words.len(), stands(4).words.len()), (0, 3), "what is known is kept");
    assert!((3..=5).all(|seq| stands(seq).kind == Kind::Noted && stands(seq).note.is_some()));
}

#[tokio::test]
async fn a_number_that_was_given_twice_is_known() {
    let ((whole, _whole), (copy, _copy)) = with_a_copy().await;
    whole.open(suspend("$3")).await.unwrap();
    copy.open(suspend("$other")).await.unwrap();
    let missing = copy.missing(&told(&whole, 1)).await.unwrap();
    assert_eq!(missing, Missing { differs: Some(3), ..Missing::default() });
}

#[tokio::test]
async fn what_is_not_on_disk_travels_nowhere() {
    let (audit, _dir) = audit();
    audit.note(suspend("$1")).await.unwrap();
    audit.append(suspend("$2")).await.unwrap();
    assert_eq!(audit.from(1, 9).unwrap().len(), 1);
    audit.note(suspend("$3")).await.unwrap();
    assert_eq!(audit.from(1, 9).unwrap().len(), 3);
}

/// Each sample holds what a version of the record has written: the first one; the one with approvals,
/// reasons and ends; the one with erasures and what goes on after a change; the one with more first words.
/// They are not to be made anew.
#[tokio::test]
async fn a_record_of_every_version_that_there_has_been_is_read_verified_and_gone_on_with() {
    let samples = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    for (version, count) in [(1, 9), (2, 9), (3, 12), (4, 12)] {
        let text =
            std::fs::read_to_string(samples.join(format!("record-v{version}.jsonl"))).unwrap();
        let whole = verify_lines(text.as_bytes(), None).unwrap();
        assert_eq!(whole.count, count, "version {version}");
        let mut links = Links::default();
        for line in text.lines() {
            links.add(line);
            // What was written is written the same again, so that a chain can be taken over.
            let kept: Kept = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_string(&kept).unwrap(), line, "version {version}");
        }
        let (audit, _dir) = audit();
        assert_eq!(audit.restore(&links).await.unwrap(), whole, "version {version}");
        assert_eq!(audit.verify().unwrap().whole(), Some(whole));
        let next = audit.note(Record::new(Kind::Noted)).await.unwrap();
        assert_eq!(next, count + 1);
        assert!(audit.verify().unwrap().whole().is_some(), "version {version}");
        match version {
            1 => assert_eq!(audit.undone_by(2).unwrap(), Some(8)),
            2 => {
                let opened = audit.get(5).unwrap().unwrap().record.unwrap();
                assert_eq!(opened.approvals, [owned_user_id!("@ben:x.test")]);
            }
            _ => {
                let left = audit.get(1).unwrap().unwrap().record.unwrap();
                assert_eq!((left.erased, left.subjects.len()), (1, 1));
                let ends = audit.ends(5).unwrap();
                let ended = ends.first().and_then(|end| end.record.as_ref()?.status);
                let word = if version == 3 { Status::Done } else { Status::Failed };
                assert_eq!((ends.len(), ended), (1, Some(word)));
            }
        }
    }
}

/// The file and those that were set aside, by their names, and how many entries each has.
fn rotated(file: &Path) -> Vec<(String, usize)> {
    let files = files_of(file).unwrap();
    let whole = verify_lines(joined(&files).unwrap(), None).unwrap();
    let entries: Vec<_> = files
        .iter()
        .map(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(file).unwrap().lines().count())
        })
        .collect();
    assert_eq!(whole.count, entries.iter().map(|(_, count)| *count as u64).sum::<u64>());
    entries
}

#[tokio::test]
async fn the_file_rotates_by_size_and_verifies_across_files_also_after_restarts() {
    let (audit, dir) = audit();
    let file = dir.path().join("record.jsonl");
    let rotation = Some(Rotation::Size(2_000));
    for round in 1..=6_u64 {
        audit.mirror(&file, rotation).await.unwrap();
        for _ in 0..3 {
            audit.note(suspend("$n")).await.unwrap();
        }
        let entries = rotated(&file);
        assert_eq!(entries.iter().map(|(_, count)| *count as u64).sum::<u64>(), 3 * round);
    }
    let entries = rotated(&file);
    assert!(entries.len() > 3, "{entries:?}");
    for (name, _) in &entries {
        let size = dir.path().join(name).metadata().unwrap().len();
        assert!(size <= 2_000, "{name}: {size}");
    }
    let second = entries[0].1 + 1;
    assert_eq!(entries[1].0, format!("record.jsonl.{second:012}"));
    // A stop between two files.
    std::fs::rename(&file, dir.path().join("record.jsonl.000000000018")).unwrap();
    audit.mirror(&file, rotation).await.unwrap();
    assert_eq!(rotated(&file).last().unwrap().1, 0, "nothing is written twice");
    audit.note(suspend("$n")).await.unwrap();
    assert_eq!(rotated(&file).last().unwrap().1, 1);

    // One that is missing, and one that was changed, shows; their order does not matter.
    let mut files = files_of(&file).unwrap();
    files.reverse();
    assert!(verify_lines(joined(&files).unwrap(), None).is_ok());
    let lost = files.remove(1);
    assert!(verify_lines(joined(&files).unwrap(), None).is_err());
    files.push(lost);
    let text = std::fs::read_to_string(&files[1]).unwrap();
    std::fs::write(&files[1], text.replacen("@ann", "@ben", 1)).unwrap();
    assert!(verify_lines(joined(&files).unwrap(), None).is_err());

    // Those of another store go aside together.
    let (other, _dir) = self::audit();
    other.note(suspend("$1")).await.unwrap();
    other.mirror(&file, rotation).await.unwrap();
    assert_eq!(rotated(&file), [("record.jsonl".to_owned(), 1)]);
}

#[tokio::test]
async fn the_file_rotates_with_the_first_entry_of_another_month() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at("2026-10-31T23:59:00Z".parse().unwrap()));
    let store = Store::open(&dir.path().join("store"), clock.now()).unwrap().store;
    let audit = Audit::new(&store, clock.clone()).unwrap();
    let file = dir.path().join("record.jsonl");
    audit.mirror(&file, Some(Rotation::Month)).await.unwrap();
    for pass in [0, 30, 60, 0, 40 * 24 * 3600] {
        clock.pass(pass);
        audit.note(suspend("$n")).await.unwrap();
    }
    let counts: Vec<usize> = rotated(&file).into_iter().map(|(_, count)| count).collect();
    assert_eq!(counts, [2, 2, 1]);
}
