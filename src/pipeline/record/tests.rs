use jiff::Timestamp;

use super::{
    feed::{CARRIED, DAY, line},
    *,
};
use crate::{
    audit::{Kept, Kind, Record, verify_lines},
    change::Subject,
    clock::Clock as _,
    pipeline::testing::Stage,
    sanctions::{Sanction, State},
};

/// Nothing answers there.
const NOWHERE: &str = "http://127.0.0.1:9";

fn records(stage: &Stage, kind: Kind) -> Vec<Record> {
    let kept = stage.pipeline.audit.last(100).unwrap();
    kept.into_iter().filter_map(|k| k.record).filter(|record| record.kind == kind).collect()
}

#[tokio::test]
async fn strangers_are_counted_by_sender_and_hour_and_not_recorded_singly() {
    let stage = Stage::set(NOWHERE, "token");
    for sender in ["eve", "eve", "mallory", "eve"] {
        stage.say(sender, "!user suspend @ann:synod.test").await;
    }
    stage.pipeline.keep_hours().await;
    assert_eq!(stage.pipeline.audit.head().await.count, 0, "the hour is not over");
    stage.clock.pass(HOUR);
    stage.say("eve", "!user suspend @ann:synod.test").await;
    stage.pipeline.keep_hours().await;
    let counted = |stage: &Stage| {
        let mut counted: Vec<(String, String)> = records(stage, Kind::Strange)
            .into_iter()
            .map(|record| (record.by.unwrap().to_string(), record.note.unwrap()))
            .collect();
        counted.sort();
        counted
    };
    let first = counted(&stage);
    assert_eq!(first.len(), 2, "{first:?}");
    assert_eq!(first[0].0, "@eve:synod.test");
    assert!(first[0].1.starts_with("3 within the hour") && first[1].1.starts_with("1 "));
    stage.clock.pass(HOUR);
    stage.pipeline.keep_hours().await;
    stage.pipeline.keep_hours().await;
    assert_eq!(counted(&stage).len(), 3, "each hour once");
}

#[tokio::test]
async fn the_head_is_told_once_a_day_and_everything_travels_with_what_is_said() {
    let stage = Stage::set(NOWHERE, "token");
    stage.pipeline.keep_hours().await;
    for _ in 0..3 {
        stage.say("moe", "!user password @eve:synod.test").await;
    }
    stage.pipeline.keep_hours().await;
    let head = stage.pipeline.audit.head().await;
    let told = |stage: &Stage| {
        stage.heard.all().into_iter().filter(|text| text.contains("The record has")).collect()
    };
    assert_eq!(told(&stage), Vec::<String>::new(), "not on the first day");
    stage.clock.pass(DAY);
    stage.pipeline.keep_hours().await;
    stage.clock.pass(HOUR);
    stage.pipeline.keep_hours().await;
    let lines: Vec<String> = told(&stage);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("3 entries") && lines[0].contains(&head.hash), "{lines:?}");

    let carried = stage.heard.carried().join("\n");
    assert_eq!(verify_lines(carried.as_bytes(), Some(&head.hash)).unwrap(), head);
    assert!(carried.contains("@eve:synod.test"));
}

#[tokio::test]
async fn what_is_personal_goes_after_its_time() {
    let stage = Stage::set(NOWHERE, "token");
    stage.say("moe", "!user password @eve:synod.test").await;
    stage.clock.pass(89 * DAY);
    stage.pipeline.keep_hours().await;
    assert_eq!(records(&stage, Kind::Refused).len(), 1);
    stage.clock.pass(2 * DAY);
    stage.pipeline.keep_hours().await;
    assert_eq!(records(&stage, Kind::Refused).len(), 0);
    assert_eq!(stage.pipeline.audit.verify().unwrap().whole().unwrap().count, 1);
}

#[tokio::test]
async fn somebody_brakes_while_much_is_forgotten() {
    let stage = Stage::set(NOWHERE, "token");
    let eve = Subject::User(ruma::owned_user_id!("@eve:synod.test"));
    let about_eve = || Record { subjects: vec![eve.clone()], ..Record::new(Kind::Looked) };
    let notes = (0..2000).map(|_| stage.pipeline.audit.note(about_eve()));
    futures_util::future::join_all(notes).await;

    let through = std::sync::atomic::AtomicBool::new(false);
    let forget = async {
        stage.pipeline.executor.forget(std::slice::from_ref(&eve), u64::MAX).await;
        through.store(true, Ordering::Relaxed);
    };
    let freeze = async {
        stage.say("ann", "!freeze").await;
        assert!(!through.load(Ordering::Relaxed), "the freeze had to wait for all of it");
    };
    Box::pin(futures_util::future::join(forget, freeze)).await;
    assert!(stage.pipeline.freeze_control.bot_frozen().is_some());
    let left = records(&stage, Kind::Looked);
    assert!(left.iter().all(|record| record.subjects.is_empty()), "{left:?}");
}

#[test]
fn what_is_too_long_for_a_message_travels_without_its_details() {
    let entry = crate::audit::Entry {
        seq: 1,
        at: Timestamp::UNIX_EPOCH,
        kind: Kind::Noted,
        digest: String::new(),
        before: String::new(),
        hash: String::new(),
    };
    let long = Record { note: Some("x".repeat(CARRIED)), ..Record::new(Kind::Noted) };
    let kept = Kept { entry, salt: Some("salt".to_owned()), record: Some(long) };
    let line = line(&kept).unwrap();
    assert!(line.len() < CARRIED && line.contains("\"record\":null"), "{line}");
}

#[tokio::test]
async fn what_is_too_old_to_matter_goes_while_the_bot_runs() {
    let stage = Stage::set(NOWHERE, "token");
    let request = stage.request("ann", "!help");
    assert!(stage.hand(request.clone()).await);
    for _ in 0..200 {
        stage.say("ann", "!help").await;
    }
    let sanction = |number, state| Sanction {
        number,
        subject: Subject::User(ruma::owned_user_id!("@eve:synod.test")),
        words: vec!["user".to_owned(), "suspend".to_owned()],
        undo: vec!["user".to_owned(), "unsuspend".to_owned()],
        left: [("suspended".to_owned(), true.into())].into(),
        by: request.sender.clone(),
        role: crate::operators::Rank::Admin,
        asked: (request.room.clone(), request.event.clone()),
        until: stage.clock.now(),
        again: None,
        tries: 0,
        state,
    };
    for number in 1..=200 {
        stage.pipeline.sanctions.keep(&sanction(number, State::Ended(number))).await.unwrap();
    }
    stage.pipeline.sanctions.keep(&sanction(300, State::Stuck)).await.unwrap();

    stage.clock.pass(8 * 24 * HOUR);
    stage.pipeline.keep_hours().await;
    assert_eq!(stage.pipeline.journal.count().unwrap(), 0);
    assert_eq!(stage.pipeline.sanctions.of(7).unwrap().len(), 1, "it can be asked for");
    stage.clock.pass(90 * 24 * HOUR);
    stage.pipeline.keep_hours().await;
    for number in 1..=200 {
        assert!(stage.pipeline.sanctions.of(number).unwrap().is_empty(), "{number}");
    }
    assert_eq!(stage.pipeline.sanctions.of(300).unwrap().len(), 1, "it is left to somebody");
}

#[tokio::test]
async fn what_is_on_record_has_the_id_of_the_request_under_which_the_log_has_it() {
    let stage = Stage::set(NOWHERE, "token");
    let request = stage.request("moe", "!user password @eve:synod.test");
    let id = crate::pipeline::request_id(&request.event);
    stage.hand(request).await;
    stage.say("ann", "!audit show 1").await;
    let shown = stage.heard.all().pop().unwrap();
    assert!(shown.contains("Request") && shown.contains(&format!("`{id}`")), "{shown}");
}
