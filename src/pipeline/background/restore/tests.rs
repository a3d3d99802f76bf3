use ruma::{owned_event_id, owned_room_id, owned_user_id};

use crate::pipeline::{background::restore::*, testing::Stage};

const NOWHERE: &str = "http://127.0.0.1:9";

fn eve() -> Subject {
    Subject::User(owned_user_id!("@eve:synod.test"))
}

fn words(verb: &str) -> Vec<String> {
    ["user", verb, "@eve:synod.test"].map(str::to_owned).to_vec()
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Records a change of eve by moe, and answers its number.
async fn change(stage: &Stage, verb: &str, left: bool, until: Option<i64>) -> u64 {
    let opened = Record {
        by: Some(owned_user_id!("@moe:synod.test")),
        room: Some(owned_room_id!("!admin:synod.test")),
        words: words(verb),
        subjects: vec![eve()],
        ..Record::new(Kind::Opened)
    };
    let audit = &stage.pipeline.audit;
    let number = audit.open(opened.clone()).await.unwrap();
    let closed = Record {
        kind: Kind::Closed,
        event: Some(owned_event_id!("$asked")),
        status: Some(Status::Done),
        until: until.map(second),
        left: vec![(eve(), [(verb.trim_start_matches("un").to_owned(), left.into())].into())],
        undo: vec![Undo::Command(words(&format!("un{verb}")))],
        ..opened
    };
    audit.close(number, closed).await.unwrap();
    number
}

/// What a bot that has said all of its record would find of it.
fn found(stage: &Stage) -> Links {
    let mut links = Links::default();
    for kept in stage.pipeline.audit.from(1, usize::MAX).unwrap() {
        links.add(&serde_json::to_string(&kept).unwrap());
    }
    links
}

#[tokio::test]
async fn what_ends_by_itself_and_what_is_frozen_goes_on_by_what_the_record_says() {
    let before = Stage::set(NOWHERE, "token");
    let suspended = change(&before, "suspend", true, Some(1_000)).await;
    let locked = change(&before, "lock", true, Some(2_000)).await;
    change(&before, "unsuspend", false, None).await;
    let moved = Record { of: Some(locked), until: Some(second(9_000)), ..Record::new(Kind::Moved) };
    before.pipeline.audit.note(moved).await.unwrap();
    before.say("ann", "!freeze @moe:synod.test").await;
    before.say("ann", "!unfreeze @moe:synod.test").await;
    before.say("ann", "!freeze").await;
    before.say("ann", "!unfreeze").await;

    let after = Stage::set(NOWHERE, "token");
    let recalled = Recalled { file: Links::default(), rooms: found(&before) };
    let restored = after.pipeline.restore(&recalled).await.unwrap().unwrap();
    assert_eq!((restored.sanctions, restored.freezes), (1, 1), "{restored:?}");
    assert_eq!(after.pipeline.audit.head().await, before.pipeline.audit.head().await);
    assert!(after.pipeline.audit.verify().unwrap().whole().is_some());
    let open = after.pipeline.sanctions.open().unwrap();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((open[0].number, open[0].until), (locked, second(9_000)));
    assert_eq!((open[0].undo.as_slice(), open[0].role), (&*words("unlock"), Rank::Moderator));
    let ended = after.pipeline.sanctions.of(suspended).unwrap().remove(0);
    assert!(matches!(ended.state, State::Ended(_)), "{ended:?}");
    assert!(after.pipeline.freeze_control.bot_frozen().is_some(), "one alone has not lifted it");
    let past = after.pipeline.audit.past(&eve(), 10).unwrap();
    assert_eq!(past.len(), 3, "{past:?}");
    assert!(past.iter().all(|one| one.status == Some(Status::Done)), "{past:?}");

    // What is there already is not replaced, and the chain goes on.
    assert!(after.pipeline.restore(&recalled).await.unwrap().is_none());
    after.say("moe", "!stop").await;
    assert!(after.pipeline.audit.verify().unwrap().whole().is_some());
}

#[tokio::test]
async fn only_an_unbroken_chain_is_taken_over_and_the_longer_one_of_two() {
    let before = Stage::set(NOWHERE, "token");
    for verb in ["suspend", "unsuspend", "lock"] {
        change(&before, verb, true, None).await;
    }
    let lines = |range: std::ops::Range<usize>| {
        let all = before.pipeline.audit.from(1, usize::MAX).unwrap();
        let mut links = Links::default();
        for kept in &all[range] {
            links.add(&serde_json::to_string(kept).unwrap());
        }
        links
    };
    let mut forged = lines(0..4);
    let mut kept = before.pipeline.audit.get(5).unwrap().unwrap();
    kept.record.as_mut().unwrap().words = words("deactivate");
    forged.add(&serde_json::to_string(&kept).unwrap());
    forged.add("no entry");

    for (file, rooms, entries) in [
        (forged, lines(0..3), Some(4)),
        (lines(0..2), lines(0..6), Some(6)),
        (lines(1..6), Links::default(), None),
    ] {
        let after = Stage::set(NOWHERE, "token");
        let restored = after.pipeline.restore(&Recalled { file, rooms }).await.unwrap();
        assert_eq!(restored.map(|restored| restored.entries), entries);
        assert!(after.pipeline.audit.verify().unwrap().whole().is_some());
    }
}
