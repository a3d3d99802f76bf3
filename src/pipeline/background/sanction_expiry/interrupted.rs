//! Measures whose end is cut off wherever the bot waits, or comes while the homeserver is away. The
//! homeserver is the test's own.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use ruma::{owned_event_id, owned_room_id, owned_user_id};
use serde_json::json;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use super::*;
use crate::{
    change::{FactMap, Subject},
    operators::{Policy, Rank},
    pipeline::{
        background::testing::{heard, started},
        testing::{Stage, cut::cut},
    },
};

/// How often the bot waits at most in what is killed here.
const MOST: usize = 1_000;
/// When a token that was disabled expired, in milliseconds.
const LEFT: i64 = 1_000;
const TOKENS: [&str; 2] = ["choir", "staff"];

/// Registration tokens that were disabled, and how often each was changed.
#[derive(Debug, Default, Clone)]
struct Homeserver {
    changed: Arc<Mutex<BTreeMap<String, usize>>>,
    /// Whether it is away.
    away: Arc<Mutex<bool>>,
}

impl Respond for Homeserver {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if *self.away.lock().unwrap() {
            return ResponseTemplate::new(502);
        }
        let name = request.url.path().rsplit('/').next().unwrap_or_default().to_owned();
        let mut changed = self.changed.lock().unwrap();
        if request.method == "PUT" {
            *changed.entry(name.clone()).or_default() += 1;
        }
        let expiry = if changed.contains_key(&name) { json!(null) } else { json!(LEFT) };
        ResponseTemplate::new(200).set_body_json(json!({
            "token": name, "uses_allowed": null, "pending": 0, "completed": 0, "expiry_time": expiry,
        }))
    }
}

/// A bot that has disabled these tokens for an hour, which is over.
async fn closed(server: &MockServer) -> Stage {
    let stage = Stage::with(Policy::default(), &server.uri(), "token");
    stage.heard.take_once();
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let record = Record { words: words("shutters close --for 1h"), ..Record::new(Kind::Noted) };
    let number = stage.pipeline.audit.note(record).await.unwrap();
    for token in TOKENS {
        let left = FactMap::from([
            ("uses_allowed".to_owned(), json!(null)),
            ("expiry_time".to_owned(), json!(LEFT)),
        ]);
        let sanction = Sanction {
            number,
            subject: Subject::Token(token.to_owned()),
            words: words("shutters close --for 1h"),
            undo: words(&format!("regtok update {token} --expiry-ts -1")),
            left,
            by: owned_user_id!("@ann:synod.test"),
            role: Rank::Admin,
            asked: (owned_room_id!("!admin:synod.test"), owned_event_id!("$asked")),
            until: stage.pipeline.clock.now() + SignedDuration::from_hours(1),
            again: None,
            tries: 0,
            state: State::Running,
        };
        stage.pipeline.sanctions.keep(&sanction).await.unwrap();
    }
    stage.clock.pass(3600);
    stage
}

async fn served() -> (MockServer, Homeserver) {
    let (server, homeserver) = (MockServer::start().await, Homeserver::default());
    Mock::given(any()).respond_with(homeserver.clone()).mount(&server).await;
    (server, homeserver)
}

#[tokio::test]
async fn killed_wherever_it_waits_what_was_opened_again_is_told_once_after_the_restart() {
    let (server, homeserver) = served().await;
    for waits in 0..MOST {
        homeserver.changed.lock().unwrap().clear();
        let mut stage = closed(&server).await;
        let finished = cut(waits, stage.pipeline.lift_due()).await.is_some();
        stage.start_again().await;
        stage.pipeline.lift_due().await;
        stage.pipeline.lift_due().await;
        let what = format!("killed after {waits} waits: {:#?}", stage.heard.all());
        let changed = homeserver.changed.lock().unwrap().clone();
        assert_eq!(changed.len(), TOKENS.len(), "{what}");
        assert!(changed.values().all(|times| *times == 1), "{changed:?} {what}");
        assert_eq!(heard(&stage, "has ended: I undid it as planned"), 1, "{what}");
        for token in TOKENS {
            assert!(heard(&stage, token) > 0, "nothing is said of {token}, {what}");
        }
        assert!(stage.pipeline.sanctions.untold().unwrap().is_empty(), "{what}");
        assert!(stage.pipeline.audit.left_open().unwrap().is_empty(), "{what}");
        if finished {
            assert_eq!(heard(&stage, " as before"), 1, "{what}");
            assert!(waits > 10, "it waits for the homeserver, the store and the room");
            return;
        }
    }
    panic!("it never ends");
}

#[tokio::test]
async fn so_is_what_was_lifted_of_one_subject() {
    for waits in 0..MOST {
        let (_server, homeserver, mut stage) = started().await;
        stage.heard.take_once();
        stage.say("moe", "!user suspend @eve:synod.test --for 1h").await;
        stage.clock.pass(3600);
        let finished = cut(waits, stage.pipeline.lift_due()).await.is_some();
        stage.start_again().await;
        stage.pipeline.lift_due().await;
        stage.pipeline.lift_due().await;
        let what = format!("killed after {waits} waits: {:#?}", stage.heard.all());
        assert_eq!(homeserver.sent()["@eve:synod.test"], 2, "{what}");
        let told = heard(&stage, "has ended: I undid it as planned");
        // Cut off in the middle of the change, nobody knows what came of it, and that is told.
        let cut_off = heard(&stage, "Unknown");
        assert!(told == 1 || told == 0 && cut_off == 1, "{what}");
        assert!(stage.pipeline.sanctions.untold().unwrap().is_empty(), "{what}");
        if finished {
            assert_eq!((told, cut_off), (1, 0), "{what}");
            return;
        }
    }
    panic!("it never ends");
}

#[tokio::test]
async fn while_the_homeserver_is_away_they_are_tried_again_for_as_long_as_it_takes() {
    let (server, homeserver) = served().await;
    let stage = closed(&server).await;
    *homeserver.away.lock().unwrap() = true;
    // More often than anything is tried that the homeserver refuses.
    for _ in 0..2 * AGAIN.len() {
        stage.pipeline.lift_due().await;
        stage.clock.pass(600);
    }
    assert_eq!(heard(&stage, "I try again at"), 1, "told the first time: {:#?}", stage.heard.all());
    assert_eq!(stage.pipeline.sanctions.open().unwrap().len(), TOKENS.len());
    *homeserver.away.lock().unwrap() = false;
    stage.pipeline.lift_due().await;
    assert_eq!(homeserver.changed.lock().unwrap().len(), TOKENS.len());
    let told = stage.heard.all().pop().unwrap();
    assert!(told.contains("I undid it as planned"), "{told}");
    assert!(stage.pipeline.sanctions.open().unwrap().is_empty());
}
