use ruma::{room_id, user_id};

use super::*;
use crate::reply::Hostile;

fn at(minute: i64) -> Timestamp {
    "2026-11-30T10:00:00Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_mins(minute)
}

fn device(id: &str) -> LookedDevice {
    LookedDevice { id: id.to_owned(), name: Some(Hostile::new("Phone")) }
}

fn file(id: &str, minute: i64) -> LookedFile {
    let file = NewFile { id: id.to_owned(), name: None, bytes: Some(100) };
    LookedFile { at: Some(at(minute)), file }
}

fn files(page: &[(&str, i64)], more: bool) -> Files {
    let page: Vec<_> = page.iter().map(|(id, minute)| file(id, *minute)).collect();
    Files { total: page.len() as u64, page, more }
}

fn report(id: u64, minute: i64) -> LookedReport {
    let by = user_id!("@sam:x.test").to_owned();
    LookedReport { id, at: Some(at(minute)), by, reason: None, room: None }
}

fn reports(page: &[(u64, i64)]) -> LookedReports {
    let page = page.iter().map(|(id, minute)| report(*id, *minute)).collect();
    LookedReports { page, more: false }
}

fn look(devices: &[&str], rooms: &[&ruma::RoomId]) -> Look {
    Look {
        devices: Some(devices.iter().map(|id| device(id)).collect()),
        rooms: Some(rooms.iter().map(|&room| room.to_owned()).collect()),
        files: Some(files(&[("a", 1)], false)),
        event_reports: Some(reports(&[(1, 1)])),
        account_reports: Some(reports(&[])),
    }
}

#[test]
fn the_first_look_is_no_news_and_the_next_one_only_what_is_new() {
    let (one, two, three) = (room_id!("!a:x.test"), room_id!("!b:x.test"), room_id!("!c:x.test"));
    let mut seen = Seen::default();
    assert!(seen.take(look(&["A", "B"], &[one, two])).is_empty());
    assert!(seen.take(look(&["A", "B"], &[two, one])).is_empty());
    let next = Look {
        files: Some(files(&[("c", 4), ("b", 3), ("a", 1)], false)),
        event_reports: Some(reports(&[(2, 5), (1, 1)])),
        account_reports: Some(reports(&[(1, 5)])),
        ..look(&["A", "C"], &[one, three])
    };
    let news = seen.take(next.clone());
    assert_eq!(news.devices.named, [device("C")], "one that is gone is no news");
    assert_eq!(news.joined.named, [NewRoom { id: three.to_owned(), name: None }]);
    assert_eq!(news.left.named, [two]);
    let ids: Vec<&str> = news.files.named.iter().map(|file| file.id.as_str()).collect();
    assert_eq!((ids, news.bytes), (vec!["c", "b"], 200));
    assert_eq!(news.reports.named, [report(2, 5), report(1, 5)], "of both kinds");
    assert!(seen.take(next).is_empty(), "told once");
}

#[test]
fn what_could_not_be_looked_up_is_no_news_and_is_told_when_it_can_be() {
    let (one, two) = (room_id!("!a:x.test"), room_id!("!b:x.test"));
    let mut seen = Seen::default();
    // Where the first look failed, the next is what later ones are held against.
    let first = Look { devices: None, ..look(&[], &[one]) };
    assert!(seen.take(first).is_empty());
    assert!(Look::default().is_empty());
    assert!(seen.take(Look::default()).is_empty(), "it has not left all its rooms");
    let back = seen.take(look(&["A"], &[one, two]));
    assert_eq!((back.devices.count, back.left.count), (0, 0));
    assert_eq!(back.joined.named, [NewRoom { id: two.to_owned(), name: None }]);
    let left = seen.take(look(&["A"], &[]));
    assert_eq!(left.left.count, 2, "an answer without rooms is one");
}

#[test]
fn older_files_that_come_to_light_and_numbers_given_away_again_are_told_rightly() {
    let mut seen = Seen::default();
    let with = |files: Files| Look { files: Some(files), ..Look::default() };
    assert!(seen.take(with(files(&[("c", 3), ("b", 2)], true))).is_empty());
    let older = seen.take(with(files(&[("b", 2), ("a", 1)], false)));
    assert!(older.is_empty(), "one was deleted, and an older one is on the page");
    let none = seen.take(with(files(&[], false)));
    assert!(none.is_empty());
    let all = seen.take(with(files(&[("e", 5), ("d", 4)], true)));
    assert_eq!((all.files.count, all.files.at_least), (2, true), "the page holds no older one");

    let with = |reports: LookedReports| Look { event_reports: Some(reports), ..Look::default() };
    assert!(seen.take(with(reports(&[(7, 1)]))).is_empty());
    let again = seen.take(with(reports(&[(7, 9)])));
    assert_eq!(again.reports.named, [report(7, 9)], "the homeserver was put back");
}

#[test]
fn of_much_that_is_new_some_is_named_and_all_is_counted() {
    let mut seen = Seen::default();
    seen.take(look(&[], &[]));
    let names: Vec<String> = (0..12).map(|n| format!("D{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let news = seen.take(look(&names, &[]));
    assert_eq!((news.devices.count, news.devices.named.len()), (12, 5));
}

fn watch(number: u64) -> Observed {
    Observed {
        number,
        about: user_id!("@eve:x.test").to_owned(),
        by: user_id!("@ann:x.test").to_owned(),
        begun: at(0),
        until: at(60),
        room: room_id!("!admin:x.test").to_owned(),
        asked: Some(ruma::owned_event_id!("$asked")),
        in_thread: None,
        first: None,
        baseline: Baseline::default(),
        seen: Seen::default(),
        news: None,
        told: 0,
        end: None,
    }
}

#[tokio::test]
async fn a_watch_is_known_after_a_restart_until_its_end_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut seen = Seen::default();
    seen.take(look(&["A"], &[room_id!("!a:x.test")]));
    let news = seen.take(look(&["A", "B"], &[]));
    let kept = Observed {
        first: Some(ruma::owned_event_id!("$first")),
        seen,
        news: Some(news),
        told: 3,
        ..watch(7)
    };
    {
        let store = Store::open(&path, at(0)).unwrap().store;
        Observations::new(&store).unwrap().keep(&kept).await.unwrap();
    }
    let store = Store::open(&path, at(0)).unwrap().store;
    let observations = Observations::new(&store).unwrap();
    assert_eq!(observations.get(7).unwrap(), Some(kept.clone()));
    assert_eq!(observations.about(&kept.about).unwrap(), Some(kept.clone()));
    let of_thread = |root: &str| {
        observations.of_thread(<&EventId>::try_from(root).unwrap()).unwrap().map(|one| one.number)
    };
    assert_eq!((of_thread("$first"), of_thread("$asked")), (Some(7), None));
    assert!(observations.is_begun_by(ruma::event_id!("$asked")).unwrap());

    let two = Observed { in_thread: Some(ruma::owned_event_id!("$first")), ..watch(8) };
    observations.keep(&two).await.unwrap();
    assert_eq!(of_thread("$first"), None, "two are told there, and nobody knows which is meant");

    let ended = Observed { end: Some(End::Time { missed: false }), ..kept };
    observations.keep(&ended).await.unwrap();
    assert_eq!(observations.about(&ended.about).unwrap().map(|one| one.number), Some(8));
    assert_eq!(observations.all().unwrap().len(), 2, "its end is still to be told");
    observations.forget(7).await.unwrap();
    assert_eq!(observations.all().unwrap(), [two]);
}
