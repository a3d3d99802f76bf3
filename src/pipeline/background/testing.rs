//! A homeserver of accounts for the tests of what goes on without a message, and jobs about them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use ruma::room_id;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use crate::{
    pipeline::{
        Ailment,
        testing::{Heard, Stage},
    },
    reply::Status,
};

/// An answer that says what is wrong with the token, and what of it the room reads.
pub(in crate::pipeline) type Refusal = (u16, &'static str, &'static str, &'static str);

pub(super) const REFUSALS: [Refusal; 5] = [
    (401, "M_UNKNOWN_TOKEN", "Access token has expired", "admin token has expired"),
    (401, "M_UNKNOWN_TOKEN", "Invalid access token passed.", "it was logged out"),
    (401, "M_USER_LOCKED", "This account has been locked", "token is locked"),
    (403, "ORG_MATRIX_EXPIRED_ACCOUNT", "User account has expired", "has expired"),
    (403, "M_FORBIDDEN", "You are not a server admin", "is not a server admin"),
];

/// Accounts that can be suspended, as long as the token is taken.
#[derive(Debug, Default, Clone)]
pub(in crate::pipeline) struct Homeserver(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// How often each was suspended or not any more.
    sent: HashMap<String, usize>,
    suspended: HashMap<String, bool>,
    /// After so many changes the token is not taken any more, and this is answered.
    ends: Option<(usize, Refusal)>,
    /// After so many changes nobody hears the bot any more.
    mutes: Option<(usize, Arc<Heard>)>,
}

impl Homeserver {
    pub(super) fn end_after(&self, changes: usize, refusal: Refusal) {
        let mut state = self.0.lock().unwrap();
        let so_far: usize = state.sent.values().sum();
        state.ends = Some((so_far + changes, refusal));
    }

    /// After so many changes more, nobody hears the bot of this stage any more.
    pub(super) fn mute_after(&self, changes: usize, stage: &Stage) {
        let mut inner = self.0.lock().unwrap();
        let so_far: usize = inner.sent.values().sum();
        inner.mutes = Some((so_far + changes, stage.heard.clone()));
    }

    pub(super) fn take_again(&self) {
        self.0.lock().unwrap().ends = None;
    }

    pub(super) fn sent(&self) -> HashMap<String, usize> {
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
            if let Some((after, heard)) = &state.mutes
                && so_far + 1 == *after
            {
                heard.ail(Some(Ailment::Unsigned));
            }
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

pub(in crate::pipeline) async fn started() -> (MockServer, Homeserver, Stage) {
    let (server, homeserver) = (MockServer::start().await, Homeserver::default());
    Mock::given(any()).respond_with(homeserver.clone()).mount(&server).await;
    let stage = Stage::set(&server.uri(), "token");
    stage.pipeline.watch_token().await;
    (server, homeserver, stage)
}

pub(in crate::pipeline) fn heard(stage: &Stage, words: &str) -> usize {
    let plain = |said: &String| said.replace(['\\', '\u{2060}'], "");
    stage.heard.all().iter().filter(|said| plain(said).contains(words)).count()
}

pub(super) const MANY: usize = 30;

/// A job of suspensions to which yes was said.
pub(super) async fn job(stage: &Stage) {
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
pub(super) async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Works on the jobs while this goes on, then stops as the bot does.
pub(super) async fn work_beside(stage: &Stage, goes_on: impl Future<Output = ()>) {
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

pub(super) fn is_over(stage: &Stage) -> bool {
    stage.pipeline.jobs.open().unwrap().is_empty()
}

/// It is done to the end, each once, and told as done.
pub(super) fn is_done_once(stage: &Stage, homeserver: &Homeserver, why: &str) {
    let sent = homeserver.sent();
    assert_eq!(sent.len(), MANY, "{why}");
    assert!(sent.values().all(|times| *times == 1), "{why}: {sent:?}");
    assert_eq!(heard(stage, &format!("**Done** · {MANY} of {MANY}")), 1, "{why}");
    let job = stage.pipeline.jobs.all().unwrap().remove(0);
    let closed = stage.pipeline.audit.closing(job.number.unwrap()).unwrap().unwrap();
    let closed = closed.record.unwrap();
    assert_eq!((closed.status, closed.undo.len()), (Some(Status::Done), MANY), "{why}");
}
