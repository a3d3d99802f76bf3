//! A job is killed wherever it waits, and goes on.

use std::{
    collections::HashMap,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
};

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use crate::{confirm::State as Question, pipeline::testing::Stage, reply::Status};

/// Accounts that can be suspended, and how often each was.
#[derive(Debug, Default, Clone)]
struct Accounts(Arc<Mutex<HashMap<String, usize>>>);

impl Respond for Accounts {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let path = request.url.path().replace("%40", "@").replace("%3A", ":");
        let user = path.rsplit('/').next().unwrap_or_default().to_owned();
        let mut sent = self.0.lock().unwrap();
        if request.method == "PUT" {
            *sent.entry(user).or_default() += 1;
            return ResponseTemplate::new(200).set_body_json(json!({}));
        }
        ResponseTemplate::new(200).set_body_json(account(&user, sent.contains_key(&user)))
    }
}

fn account(user: &str, suspended: bool) -> Value {
    json!({
        "name": user, "displayname": null, "avatar_url": null, "admin": 0, "deactivated": 0,
        "erased": false, "locked": false, "suspended": suspended, "shadow_banned": 0,
        "is_guest": 0, "creation_ts": 1_760_000_000, "last_seen_ts": null,
        "appservice_id": null, "user_type": null, "threepids": [], "external_ids": [],
    })
}

const MANY: usize = 12;

/// A bot to which yes was said about so many accounts.
async fn begun(base: &str) -> Stage {
    let stage = Stage::set(base, "token");
    let users: Vec<String> = (0..MANY).map(|n| format!("@spam{n:02}:synod.test")).collect();
    stage.say("ann", &format!("!user suspend {}", users.join(" "))).await;
    let open = stage.pipeline.questions.open_in(ruma::room_id!("!admin:synod.test")).unwrap();
    let ticket = open.into_iter().find(|ticket| ticket.state == Question::Open).unwrap();
    stage.say("ann", &format!("!confirm {} {MANY}", ticket.code)).await;
    stage
}

/// When a job is killed.
#[derive(Debug, Clone, Copy)]
enum Kill {
    /// After it has waited so often.
    Waits(usize),
    /// Once so many accounts were changed: also on a busy machine, where it waits more often.
    Changed(usize),
}

impl Kill {
    /// All of them, the first ones close to each other.
    fn all() -> impl Iterator<Item = Self> {
        let waits = (0..56).map(|tries| {
            let waits: usize = 1 << (tries / 4);
            Self::Waits(waits + waits * (tries % 4) / 4)
        });
        waits.chain([2, 5, 8, 11].map(Self::Changed))
    }

    fn is_due(self, waited: usize, accounts: &Accounts) -> bool {
        match self {
            Self::Waits(waits) => waited > waits,
            Self::Changed(changed) => accounts.0.lock().unwrap().len() >= changed,
        }
    }
}

/// Polls a future until it is killed; whether it ended before.
async fn cut(kill: Kill, accounts: &Accounts, inner: impl Future) -> bool {
    let mut inner = pin!(inner);
    for waited in 0.. {
        if kill.is_due(waited, accounts) {
            return false;
        }
        if inner.as_mut().now_or_never().is_some() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// Works until no job is left.
async fn finish(stage: &Stage) {
    let over = CancellationToken::new();
    let done = async {
        while !stage.pipeline.jobs.jobs.open().unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        over.cancel();
    };
    tokio::join!(stage.pipeline.work(over.clone()), done);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_wherever_it_waits_it_does_the_rest_and_tells_the_truth() {
    let mut kills = 0;
    for kill in Kill::all() {
        let server = MockServer::start().await;
        let accounts = Accounts::default();
        Mock::given(any()).respond_with(accounts.clone()).mount(&server).await;
        let mut stage = begun(&server.uri()).await;
        let over = CancellationToken::new();
        cut(kill, &accounts, stage.pipeline.work(over)).await;
        let job = stage.pipeline.jobs.jobs.all().unwrap().remove(0);
        let items = stage.pipeline.jobs.jobs.items(&job.id).unwrap();
        let finished: Vec<String> = items
            .iter()
            .filter(|item| matches!(item.stage, crate::jobs::Stage::Over(_)))
            .map(|item| item.subject.to_string())
            .collect();
        kills += usize::from(!finished.is_empty() && finished.len() < MANY);
        let before = accounts.0.lock().unwrap().clone();

        stage.start_again().await;
        finish(&stage).await;
        let sent = accounts.0.lock().unwrap().clone();
        assert_eq!(sent.len(), MANY, "after {kill:?}");
        for user in &finished {
            assert_eq!(sent.get(user), before.get(user), "{user} was over after {kill:?}");
        }
        let audit = &stage.pipeline.audit;
        assert!(audit.verify().unwrap().whole().is_some() && audit.left_open().unwrap().is_empty());
        let number = job.number.unwrap();
        let closed = audit.closing(number).unwrap().unwrap().record.unwrap();
        assert_eq!((closed.status, closed.undo.len()), (Some(Status::Done), MANY), "{closed:?}");
        let told: Vec<String> =
            stage.heard.all().into_iter().filter(|said| said.contains("** · 12 of 12")).collect();

        assert!(!told.is_empty(), "after {kill:?} nobody was told");
    }
    assert!(kills > 1, "too few kills came in the middle: {kills}");
}

#[tokio::test]
async fn what_was_sent_and_must_not_be_sent_twice_is_told_as_unknown() {
    let server = MockServer::start().await;
    let accounts = Accounts::default();
    Mock::given(any()).respond_with(accounts.clone()).mount(&server).await;
    let mut stage = begun(&server.uri()).await;
    let job = stage.pipeline.jobs.jobs.all().unwrap().remove(0);
    let mut item = stage.pipeline.jobs.jobs.items(&job.id).unwrap().remove(4);
    item.stage = crate::jobs::Stage::Sent;
    stage.pipeline.jobs.jobs.put(&job.id, 4, &item).unwrap();
    stage.start_again().await;
    finish(&stage).await;
    let unknown = item.subject.to_string();
    assert!(!accounts.0.lock().unwrap().contains_key(&unknown), "it was sent again");
    let told = stage.heard.all().pop().unwrap();
    assert!(told.contains("**Unknown**") && told.contains("11 of 12"), "{told}");
    assert!(told.contains(&unknown), "it is among those to look at: {told}");
}
