use ruma::{owned_event_id, owned_room_id, owned_user_id};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(second)
}

fn report(id: u64, second: i64, by: &str, sender: Option<&str>) -> Report {
    Report {
        kind: ReportKind::Event,
        id,
        at: Some(at(second)),
        by: format!("@{by}:x.test").try_into().unwrap(),
        reason: Some(Hostile::new("spam")),
        what: Reported::Event {
            room: owned_room_id!("!lobby:x.test"),
            name: None,
            event: format!("${id}"),
            sender: sender.map(|name| format!("@{name}:x.test").try_into().unwrap()),
        },
        aside: false,
    }
}

struct Shelf {
    dir: tempfile::TempDir,
}

impl Shelf {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn open(&self) -> (Store, Cases) {
        let store = Store::open(&self.dir.path().join("store"), at(0)).unwrap().store;
        let cases = Cases::new(&store).unwrap();
        (store, cases)
    }
}

#[tokio::test]
async fn each_report_is_taken_once_also_by_another_run() {
    let shelf = Shelf::new();
    let first = report(5, 10, "ann", Some("eve"));
    {
        let (_store, cases) = shelf.open();
        assert_eq!(cases.take(&first, at(20)).unwrap().unwrap().number, 1);
        assert!(cases.take(&first, at(21)).unwrap().is_none());
        cases.flush().await.unwrap();
    }
    let (_store, cases) = shelf.open();
    assert!(cases.take(&first, at(22)).unwrap().is_none());
    let second = report(6, 11, "bob", Some("eve"));
    assert_eq!(cases.take(&second, at(23)).unwrap().unwrap().number, 1, "it is about the same");
    let other = report(7, 12, "bob", Some("sam"));
    assert_eq!(cases.take(&other, at(24)).unwrap().unwrap().number, 2);
    let ids: Vec<u64> = cases.reports(1).unwrap().iter().map(|report| report.id).collect();
    assert_eq!(ids, [5, 6]);
    assert_eq!(cases.open().unwrap().len(), 2);
}

#[test]
fn a_number_that_a_homeserver_gives_away_again_is_another_report() {
    let shelf = Shelf::new();
    let (_store, cases) = shelf.open();
    cases.take(&report(5, 10, "ann", Some("eve")), at(20)).unwrap();
    let again = report(5, 900, "bob", Some("eve"));
    assert!(cases.take(&again, at(901)).unwrap().is_some());
    assert!(cases.take(&again, at(902)).unwrap().is_none());
    assert_eq!(cases.reports(1).unwrap().len(), 2, "both are kept");
    // What was there before the bot began has a number and a time of before.
    let read = ReadTo { begun_id: 5, begun_at: at(10), until: at(10) };
    assert!(read.is_older(&report(4, 9, "ann", None)));
    assert!(!read.is_older(&report(4, 900, "ann", None)), "the homeserver was put back");
    assert!(!read.is_older(&report(6, 9, "ann", None)), "its clock was behind");
}

#[test]
fn what_a_crash_cuts_off_is_taken_whole_the_next_time() {
    let shelf = Shelf::new();
    let (_store, cases) = shelf.open();
    let first = report(5, 10, "ann", Some("eve"));
    let case = cases.take(&first, at(20)).unwrap().unwrap();
    // The report and the case are there, and nobody noted that it was taken.
    cases.taken.remove(&first.key()).unwrap();
    let again = cases.take(&first, at(30)).unwrap().unwrap();
    assert_eq!(again.number, case.number);
    assert_eq!(cases.reports(1).unwrap().len(), 1);
}

#[test]
fn what_is_reported_after_a_case_was_closed_opens_another() {
    let shelf = Shelf::new();
    let (_store, cases) = shelf.open();
    let mut case = cases.take(&report(5, 10, "ann", Some("eve")), at(20)).unwrap().unwrap();
    let by = owned_user_id!("@moe:x.test");
    case.enter(State::Closed { by, how: How::DealtWith, reason: None }, at(30));
    cases.keep(&case).unwrap();
    assert!(cases.open_about(&case.about).unwrap().is_none());
    let next = cases.take(&report(6, 40, "ann", Some("eve")), at(41)).unwrap().unwrap();
    assert_eq!(next.number, 2);
    let earlier = cases.earlier(&next).unwrap();
    assert_eq!(earlier.iter().map(|case| case.number).collect::<Vec<_>>(), [1]);
    // The closed one is kept once more, and does not take the place of the open one.
    cases.keep(&case).unwrap();
    assert_eq!(cases.open_about(&next.about).unwrap().unwrap().number, 2);
}

#[test]
fn an_event_that_nobody_knows_is_a_case_of_its_own() {
    let shelf = Shelf::new();
    let (_store, cases) = shelf.open();
    let one = cases.take(&report(5, 10, "ann", None), at(20)).unwrap().unwrap();
    let two = cases.take(&report(6, 10, "ann", None), at(20)).unwrap().unwrap();
    assert_eq!((one.number, two.number), (1, 2));
    assert_eq!(one.about.subject(), None, "nobody is accused");
}

#[test]
fn a_case_is_untold_until_its_thread_shows_it() {
    let shelf = Shelf::new();
    let (_store, cases) = shelf.open();
    let mut case = cases.take(&report(5, 10, "ann", Some("eve")), at(20)).unwrap().unwrap();
    let untold = || cases.unshown().unwrap().len();
    assert_eq!(untold(), 1);
    let root = owned_event_id!("$root");
    case.thread = Some(Thread {
        room: owned_room_id!("!admin:x.test"),
        root: root.clone(),
        shown: case.revision,
        state: State::New,
        changes: 0,
    });
    cases.keep(&case).unwrap();
    assert_eq!(untold(), 0);
    assert_eq!(cases.of_thread(&root).unwrap().unwrap().number, 1);
    cases.take(&report(6, 11, "bob", Some("eve")), at(21)).unwrap();
    assert_eq!(untold(), 1);
}

#[tokio::test]
async fn nothing_of_somebody_erased_stays_once_the_case_is_closed() {
    let shelf = Shelf::new();
    let (_store, cases) = shelf.open();
    cases.take(&report(5, 10, "ann", Some("eve")), at(20)).unwrap();
    cases.take(&report(6, 10, "bob", Some("sam")), at(20)).unwrap();
    cases.take(&report(7, 10, "eve", Some("sam")), at(20)).unwrap();
    cases.forget([owned_user_id!("@eve:x.test")].iter()).await.unwrap();
    assert_eq!(cases.reports(2).unwrap().len(), 1, "what she has reported is gone");
    cases.forget_before(at(0)).unwrap();
    assert_eq!(cases.open().unwrap().len(), 2, "somebody has still to close it");
    let mut case = cases.get(1).unwrap().unwrap();
    let by = owned_user_id!("@moe:x.test");
    case.enter(State::Closed { by, how: How::DealtWith, reason: None }, at(30));
    cases.keep(&case).unwrap();
    cases.forget_before(at(0)).unwrap();
    assert!(cases.get(1).unwrap().is_none() && cases.reports(1).unwrap().is_empty());
    let next = cases.take(&report(8, 50, "ann", Some("tom")), at(50)).unwrap().unwrap();
    assert_eq!(next.number, 3, "no number is given twice");
}

#[test]
fn reports_that_are_set_aside_are_so_until_then() {
    let shelf = Shelf::new();
    let (_store, cases) = shelf.open();
    let troll = owned_user_id!("@troll:x.test");
    let by = owned_user_id!("@moe:x.test");
    cases.set_aside(&SetAside { reporter: troll.clone(), by, at: at(0), until: at(100) }).unwrap();
    assert!(cases.aside(at(99)).unwrap().contains_key(&troll));
    assert!(cases.aside(at(100)).unwrap().is_empty());
    assert!(cases.end_aside(&troll).unwrap());
    assert!(!cases.end_aside(&troll).unwrap());
}

#[test]
fn what_was_set_aside_is_taken_up_again_by_a_report_that_counts() {
    let shelf = Shelf::new();
    let (_store, cases) = shelf.open();
    let aside = Report { aside: true, ..report(5, 10, "troll", Some("eve")) };
    let mut case = cases.take(&aside, at(20)).unwrap().unwrap();
    let by = owned_user_id!("@moe:x.test");
    case.enter(State::Closed { by, how: How::SetAside, reason: None }, at(20));
    cases.keep(&case).unwrap();
    let more = Report { aside: true, ..report(6, 11, "troll", Some("eve")) };
    assert!(!cases.take(&more, at(21)).unwrap().unwrap().state.is_open());
    let counts = cases.take(&report(7, 12, "ann", Some("eve")), at(22)).unwrap().unwrap();
    assert_eq!((counts.number, counts.state.is_open()), (1, true), "there is one case about her");
    assert_eq!(cases.open().unwrap().len(), 1);
}
