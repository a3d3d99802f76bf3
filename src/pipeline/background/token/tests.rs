//! The admin token ends, in each of the ways in which it can.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use ruma::room_id;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use crate::{pipeline::testing::Stage, reply::Status};

/// An answer that says what is wrong with the token, and what of it the room reads.
type Refusal = (u16, &'static str, &'static str, &'static str);

const REFUSALS: [Refusal; 5] = [
    (401, "M_UNKNOWN_TOKEN", "Access token has expired", "its time is over"),
    (401, "M_UNKNOWN_TOKEN", "Invalid access token passed.", "it was logged out"),
    (401, "M_USER_LOCKED", "This account has been locked", "token is locked"),
    (403, "ORG_MATRIX_EXPIRED_ACCOUNT", "User account has expired", "has expired"),
    (403, "M_FORBIDDEN", "You are not a server admin", "is not a server admin"),
];

/// Accounts that can be suspended, as long as the token is taken.
#[derive(Debug, Default, Clone)]
struct Homeserver(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// How often each was suspended or not any more.
    sent: HashMap<String, usize>,
    suspended: HashMap<String, bool>,
    /// After so many changes the token is not taken any more, and this is answered.
    ends: Option<(usize, Refusal)>,
}

impl Homeserver {
    fn end_after(&self, changes: usize, refusal: Refusal) {
        let mut state = self.0.lock().unwrap();
        let so_far: usize = state.sent.values().sum();
        state.ends = Some((so_far + changes, refusal));
    }

    fn take_again(&self) {
        self.0.lock().unwrap().ends = None;
    }

    fn sent(&self) -> HashMap<String, usize> {
        self.0.lock().unwrap().sent.clone()
    }
}

impl Respond for Homeserver {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let path = request.url.path().replace("%40", "@").replace("%3A", ":");
        let user = path.rsplit('/').next().unwrap_or_default().to_owned();
        let mut state = self.0.lock().unwrap();
        let so_far: usize = state.sent.values().sum();
        if let Some((after, (status, errcode, error, _))) = state.ends
            && so_far >= after
        {
            let body = json!({ "errcode": errcode, "error": error });
            return ResponseTemplate::new(status).set_body_json(body);
        }
        if request.method == "PUT" {
            let wanted = request.body_json::<serde_json::Value>().unwrap()["suspend"] == true;
            *state.sent.entry(user.clone()).or_default() += 1;
            state.suspended.insert(user, wanted);
            return ResponseTemplate::new(200).set_body_json(json!({}));
        }
        let suspended = state.suspended.get(&user).copied().unwrap_or_default();
        ResponseTemplate::new(200).set_body_json(json!({
            "name": user, "displayname": null, "avatar_url": null, "admin": 0, "deactivated": 0,
            "erased": false, "locked": false, "suspended": suspended, "shadow_banned": 0,
            "is_guest": 0, "creation_ts": 1_760_000_000, "last_seen_ts": null,
            "appservice_id": null, "user_type": null, "threepids": [], "external_ids": [],
        }))
    }
}

async fn started() -> (MockServer, Homeserver, Stage) {
    let (server, homeserver) = (MockServer::start().await, Homeserver::default());
    Mock::given(any()).respond_with(homeserver.clone()).mount(&server).await;
    let stage = Stage::set(&server.uri(), "token");
    stage.pipeline.watch_token().await;
    (server, homeserver, stage)
}

fn heard(stage: &Stage, words: &str) -> usize {
    stage.heard.all().iter().filter(|said| said.contains(words)).count()
}

const MANY: usize = 30;

/// A job of suspensions to which yes was said.
async fn job(stage: &Stage) {
    let users: Vec<String> = (0..MANY).map(|n| format!("@spam{n:02}:synod.test")).collect();
    stage.say("ann", &format!("!user suspend {}", users.join(" "))).await;
    let [ticket] = stage
        .pipeline
        .questions
        .open_in(room_id!("!admin:synod.test"))
        .unwrap()
        .try_into()
        .expect("one question");
    stage.say("ann", &format!("!confirm {} {MANY}", ticket.code)).await;
}

/// Returns when this holds.
async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Works on the jobs while this goes on, then stops as the bot does.
async fn work_beside(stage: &Stage, goes_on: impl Future<Output = ()>) {
    let over = CancellationToken::new();
    let beside = async {
        goes_on.await;
        over.cancel();
    };
    let whole = async { tokio::join!(stage.pipeline.work(over.clone()), beside) };
    if tokio::time::timeout(world::PATIENCE, whole).await.is_err() {
        let jobs = stage.pipeline.jobs.all().unwrap();
        let items: Vec<_> =
            jobs.iter().map(|job| stage.pipeline.jobs.items(job).unwrap()).collect();
        panic!("it does not come to that: {:?} {items:?}", stage.heard.all());
    }
}

fn is_refused(stage: &Stage) -> bool {
    stage.pipeline.reader.token().refused().is_some()
}

fn is_over(stage: &Stage) -> bool {
    stage.pipeline.jobs.open().unwrap().is_empty()
}

/// It is done to the end, each once, and told as done.
fn is_done_once(stage: &Stage, homeserver: &Homeserver, why: &str) {
    let sent = homeserver.sent();
    assert_eq!(sent.len(), MANY, "{why}");
    assert!(sent.values().all(|times| *times == 1), "{why}: {sent:?}");
    assert_eq!(heard(stage, &format!("**Done** · {MANY} of {MANY}")), 1, "{why}");
    let job = stage.pipeline.jobs.all().unwrap().remove(0);
    let closed = stage.pipeline.audit.closing(job.number.unwrap()).unwrap().unwrap();
    let closed = closed.record.unwrap();
    assert_eq!((closed.status, closed.undo.len()), (Some(Status::Done), MANY), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_for_a_token_and_does_the_rest() {
    for refusal in REFUSALS {
        let (_server, homeserver, stage) = started().await;
        job(&stage).await;
        homeserver.end_after(11, refusal);
        let ends_and_is_taken_again = async {
            until(|| is_refused(&stage)).await;
            stage.pipeline.watch_token().await;
            stage.pipeline.watch_token().await;
            assert_eq!(heard(&stage, refusal.3), 1, "{refusal:?}: {:?}", stage.heard.all());
            stage.clock.pass(6);
            stage.pipeline.watch_token().await;
            assert!(is_refused(&stage) && !is_over(&stage), "{refusal:?}");
            homeserver.take_again();
            stage.clock.pass(6);
            stage.pipeline.watch_token().await;
            assert_eq!(heard(&stage, "takes my admin token again"), 1, "{refusal:?}");
            // What was in hand meanwhile may only now hear that it was refused.
            while !is_over(&stage) {
                if is_refused(&stage) {
                    stage.clock.pass(6);
                    stage.pipeline.watch_token().await;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        work_beside(&stage, ends_and_is_taken_again).await;
        is_done_once(&stage, &homeserver, refusal.3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_for_a_token_goes_on_after_a_new_start() {
    for changes in [0, 1, 8, 20] {
        let (_server, homeserver, mut stage) = started().await;
        job(&stage).await;
        homeserver.end_after(changes, REFUSALS[0]);
        work_beside(&stage, until(|| is_refused(&stage))).await;
        // As after a reload: all of the bot but its store is made anew.
        homeserver.take_again();
        stage.start_again().await;
        work_beside(&stage, until(|| is_over(&stage))).await;
        is_done_once(&stage, &homeserver, &format!("after {changes}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sanction_waits_for_a_token_and_is_lifted() {
    for refusal in REFUSALS {
        let (_server, homeserver, stage) = started().await;
        stage.say("ann", "!user suspend @eve:synod.test --for 1h").await;
        stage.clock.pass(3600);
        homeserver.end_after(0, refusal);
        for _ in 0..20 {
            stage.pipeline.lift_due().await;
            stage.clock.pass(600);
        }
        assert_eq!(heard(&stage, "and waits"), 1, "{:?}", stage.heard.all());
        assert_eq!(heard(&stage, "I did not lift it"), 0);
        homeserver.take_again();
        stage.pipeline.watch_token().await;
        stage.clock.pass(61);
        stage.pipeline.watch_token().await;
        assert!(!is_refused(&stage), "{refusal:?}");
        stage.pipeline.lift_due().await;
        assert_eq!(heard(&stage, "I took it back by myself"), 1, "{:?}", stage.heard.all());
        assert_eq!(homeserver.sent()["@eve:synod.test"], 2);
        assert!(stage.pipeline.sanctions.open().unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_rooms_hear_of_it_without_anybody_asking() {
    let (_server, homeserver, stage) = started().await;
    homeserver.end_after(0, REFUSALS[1]);
    stage.clock.pass(59);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "admin token"), 0, "it is asked once a minute");
    stage.clock.pass(2);
    for _ in 0..5 {
        stage.pipeline.watch_token().await;
    }
    assert_eq!(heard(&stage, "it was logged out"), 1, "{:?}", stage.heard.all());
    assert_eq!(heard(&stage, "!config reload"), 1);
    // A token that comes and goes is no reason to say so again and again.
    for _ in 0..10 {
        homeserver.take_again();
        stage.clock.pass(6);
        stage.pipeline.watch_token().await;
        homeserver.end_after(0, REFUSALS[1]);
        stage.clock.pass(61);
        stage.pipeline.watch_token().await;
    }
    assert!(stage.heard.all().len() <= 4, "{:?}", stage.heard.all());
}

#[tokio::test]
async fn a_single_command_says_what_happened_and_what_to_do() {
    for refusal in REFUSALS {
        let (_server, homeserver, stage) = started().await;
        homeserver.end_after(0, refusal);
        for command in ["!user details @eve:synod.test", "!user suspend @eve:synod.test"] {
            stage.say("ann", command).await;
            let said = stage.heard.all().pop().unwrap();
            assert!(said.contains("Refused") && said.contains(refusal.3), "{command}: {said}");
            assert!(said.contains("whoever runs the bot"), "{command}: {said}");
        }
        assert!(homeserver.sent().is_empty());
    }
}

#[tokio::test]
async fn how_long_a_token_lives_is_learned_from_the_one_before() {
    let (_server, homeserver, stage) = started().await;
    stage.clock.pass(86_400);
    homeserver.end_after(0, REFUSALS[0]);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "its time is over"), 1, "{:?}", stage.heard.all());
    assert_eq!(heard(&stage, "may end by itself"), 0);
    homeserver.take_again();

    // Another token, a day of which nobody hears of it until a tenth of it is left.
    let stage = stage.with_token("another");
    let doctor = async |all: &str| {
        stage.say("ann", &format!("!doctor{all}")).await;
        stage.heard.all().pop().unwrap()
    };
    stage.clock.pass(70_000);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "My admin token may end"), 0);
    let said = doctor(" --all").await.replace('\\', "");
    assert!(said.contains("may end by itself at 1970-01-03 00:00 UTC"), "{said}");
    stage.clock.pass(8_000);
    for _ in 0..3 {
        stage.pipeline.watch_token().await;
        stage.clock.pass(61);
    }
    assert_eq!(heard(&stage, "My admin token may end"), 1, "{:?}", stage.heard.all());
    assert!(doctor("").await.contains("Could be better"), "{}", doctor("").await);
}

#[tokio::test]
async fn one_that_was_logged_out_says_nothing_of_how_long_another_lives() {
    let (_server, homeserver, stage) = started().await;
    stage.clock.pass(3600);
    homeserver.end_after(0, REFUSALS[1]);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "it was logged out"), 1);
    homeserver.take_again();
    let stage = stage.with_token("another");
    stage.clock.pass(3600);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "may end by itself"), 0);
}
