//! A desk that is killed wherever it waits: between taking a report and telling it, between closing a case and
//! telling its reporters. The homeserver is the test's own.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use ruma::owned_room_id;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use super::*;
use crate::{
    operators::Policy,
    pipeline::testing::{Stage, cut::cut},
};

/// The seconds at which these tests begin.
const NOW: i64 = 1_795_183_200;
/// How often the desk waits at most in what is killed here.
const MOST: usize = 1_000;

/// Reports of accounts, and the notices that were sent to somebody.
#[derive(Debug, Default, Clone)]
struct Homeserver {
    /// Who was reported by whom.
    reports: Arc<Mutex<Vec<(&'static str, &'static str)>>>,
    notices: Arc<Mutex<BTreeMap<String, usize>>>,
    /// Whether it sends notices.
    silent: Arc<Mutex<bool>>,
}

impl Homeserver {
    fn report(&self, accused: &'static str, by: &'static str) {
        self.reports.lock().unwrap().push((accused, by));
    }

    fn list(&self, limit: usize, from: usize) -> Value {
        let reports = self.reports.lock().unwrap();
        let rows = reports.iter().enumerate().rev().skip(from).take(limit);
        let rows: Vec<Value> = rows
            .map(|(n, (accused, by))| {
                json!({"id": n + 1, "received_ts": (NOW - 1_000) * 1000 + i64::try_from(n).unwrap(),
                    "user_id": format!("@{by}:synod.test"), "reason": "rude",
                    "target_user_id": format!("@{accused}:synod.test")})
            })
            .collect();
        json!({"user_reports": rows, "total": reports.len()})
    }

    fn notice(&self, body: &Value) -> ResponseTemplate {
        if *self.silent.lock().unwrap() {
            let body = json!({"errcode": "M_UNKNOWN", "error": "Server notices are not enabled"});
            return ResponseTemplate::new(400).set_body_json(body);
        }
        assert_eq!(body["content"]["body"], notices::TEXT);
        let user = body["user_id"].as_str().unwrap().to_owned();
        *self.notices.lock().unwrap().entry(user).or_default() += 1;
        ResponseTemplate::new(200).set_body_json(json!({"event_id": "$notice"}))
    }
}

impl Respond for Homeserver {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let path = request.url.path().replace("%40", "@").replace("%3A", ":");
        let query = |key: &str| {
            let found = request.url.query_pairs().find(|(name, _)| name == key);
            found.and_then(|(_, value)| value.parse().ok()).unwrap_or(0_usize)
        };
        if path.contains("send_server_notice") && request.method == "PUT" {
            return self.notice(&request.body_json().unwrap());
        }
        let body = match path.strip_prefix("/_synapse/admin/").unwrap_or_default() {
            "v1/event_reports" => json!({"event_reports": [], "total": 0}),
            "v1/user_reports" => self.list(query("limit"), query("from")),
            other if other.starts_with("v2/users/") => json!({
                "name": other.trim_start_matches("v2/users/"), "displayname": null, "avatar_url": null,
                "admin": 0, "deactivated": 0, "erased": false, "locked": false, "suspended": false,
                "shadow_banned": 0, "is_guest": 0, "creation_ts": 1_760_000_000, "last_seen_ts": null,
                "appservice_id": null, "user_type": null, "threepids": [], "external_ids": [],
            }),
            _ => {
                let unknown = json!({"errcode": "M_UNRECOGNIZED", "error": "Unrecognized request"});
                return ResponseTemplate::new(404).set_body_json(unknown);
            }
        };
        ResponseTemplate::new(200).set_body_json(body)
    }
}

fn rules() -> DeskRules {
    DeskRules {
        room: owned_room_id!("!admin:synod.test"),
        remind_after: Duration::from_hours(4),
        escalate_after: Duration::from_hours(8),
        show_content: true,
        tell_reporters: 2,
        duty: Vec::new(),
    }
}

async fn served() -> (MockServer, Homeserver) {
    let (server, homeserver) = (MockServer::start().await, Homeserver::default());
    Mock::given(any()).respond_with(homeserver.clone()).mount(&server).await;
    (server, homeserver)
}

/// A desk that has begun, and takes what is reported from then on.
async fn begun(server: &MockServer) -> Stage {
    let wanted = |rules: &mut Rules| rules.desk = Some(self::rules());
    let stage = Stage::with_rules(Policy::default(), wanted, &server.uri(), "token");
    stage.heard.take_once();
    stage.clock.pass(NOW);
    works(&stage).await;
    stage
}

/// What the desk does in each turn.
async fn works(stage: &Stage) {
    let desk = &stage.pipeline.desk;
    desk.look().await;
    desk.bring_in_line(&rules()).await;
    desk.tell_reporters(&rules()).await.unwrap();
}

fn heard(stage: &Stage, words: &str) -> usize {
    let plain = |said: &String| said.replace(['\\', '\u{2060}'], "");
    stage.heard.all().iter().filter(|said| plain(said).contains(words)).count()
}

#[tokio::test]
async fn killed_wherever_it_waits_each_report_is_taken_once_and_told_once() {
    let (server, homeserver) = served().await;
    for waits in 0..MOST {
        homeserver.reports.lock().unwrap().clear();
        let mut stage = begun(&server).await;
        homeserver.report("eve", "ann");
        homeserver.report("sam", "bob");
        homeserver.report("eve", "bob");
        let first = cut(waits, works(&stage)).await.is_some();
        stage.start_again().await;
        works(&stage).await;
        let what = format!("killed after {waits} waits: {:#?}", stage.heard.all());
        let titles = ["@eve:synod.test` was reported", "@sam:synod.test` was reported"];
        for title in titles {
            assert_eq!(heard(&stage, title), 1, "{title}, {what}");
        }
        // What comes later joins the thread, whatever is cut off then.
        homeserver.report("eve", "tom");
        let second = cut(waits, works(&stage)).await.is_some();
        stage.start_again().await;
        works(&stage).await;
        works(&stage).await;
        let what = format!("killed again after {waits} waits: {:#?}", stage.heard.all());
        let cases = stage.pipeline.desk.cases().all().unwrap();
        let counts: Vec<(usize, usize)> = cases
            .iter()
            .map(|case| {
                let reports = stage.pipeline.desk.cases().reports(case.number).unwrap().len();
                (reports, case.told)
            })
            .collect();
        assert_eq!(counts, [(3, 3), (1, 1)], "{what}");
        // What the threads were told of adds up: of two that came together the first message tells.
        let more = heard(&stage, "1 more report about") + 2 * heard(&stage, "2 more reports about");
        let firsts = if heard(&stage, "reported 2 times") > 0 { 2 } else { 1 };
        assert_eq!(firsts + more, 3, "{what}");
        if first && second {
            assert!(waits > 5, "it waits for the homeserver, the store and the room");
            return;
        }
    }
    panic!("it never ends");
}

#[tokio::test]
async fn killed_wherever_it_waits_no_reporter_is_told_twice_that_it_was_looked_at() {
    let (server, homeserver) = served().await;
    for waits in 0..MOST {
        homeserver.reports.lock().unwrap().clear();
        homeserver.notices.lock().unwrap().clear();
        let mut stage = begun(&server).await;
        for by in ["kim", "bob", "kim", "tom"] {
            homeserver.report("eve", by);
        }
        works(&stage).await;
        stage.say("moe", "!dismiss 1 no rule broken").await;
        assert_eq!(heard(&stage, "2 reporters are told"), 1, "{:#?}", stage.heard.all());
        let finished = cut(waits, works(&stage)).await.is_some();
        stage.start_again().await;
        works(&stage).await;
        works(&stage).await;
        let told = homeserver.notices.lock().unwrap().clone();
        let what = format!("killed after {waits} waits: {told:?} {:#?}", stage.heard.all());
        // Two at most, as the config says, and never the third.
        let known = ["@kim:synod.test", "@bob:synod.test"];
        assert!(told.keys().all(|user| known.contains(&user.as_str())), "{what}");
        assert!(told.values().all(|times| *times == 1), "{what}");
        assert!(stage.pipeline.audit.left_open().unwrap().is_empty(), "{what}");
        let said = heard(&stage, "told, by a server notice, that it was looked at");
        assert_eq!(said, 2, "once at the end of the case and once after it: {what}");
        assert!(stage.pipeline.desk.cases().notices().unwrap().is_empty(), "{what}");
        if finished {
            assert_eq!(told.len(), 2, "{what}");
            assert_eq!(heard(&stage, "Case 1: 2 reporters were told"), 1, "{what}");
            return;
        }
    }
    panic!("it never ends");
}

#[tokio::test]
async fn where_the_homeserver_sends_no_notices_that_is_said_and_the_others_are_not_tried() {
    let (server, homeserver) = served().await;
    *homeserver.silent.lock().unwrap() = true;
    let stage = begun(&server).await;
    homeserver.report("eve", "kim");
    homeserver.report("eve", "bob");
    works(&stage).await;
    stage.say("moe", "!close 1 suspended").await;
    works(&stage).await;
    let told = stage.heard.all().pop().unwrap().replace(['\\', '\u{2060}'], "");
    assert!(told.contains("Case 1: no reporter was told"), "{told}");
    assert!(told.contains("server notices are disabled on this homeserver"), "{told}");
    let sent = server.received_requests().await.unwrap();
    let notices = sent.iter().filter(|sent| sent.url.path().contains("send_server_notice"));
    assert_eq!(notices.count(), 1);
    // Opened and closed again, the same reporters are not tried again.
    stage.say("moe", "!case reopen 1").await;
    stage.say("moe", "!close 1 really").await;
    works(&stage).await;
    assert_eq!(heard(&stage, "1 reporter is told"), 1, "the one who was not tried");
}

#[tokio::test]
async fn whoever_has_no_duty_any_more_is_not_called() {
    let (server, homeserver) = served().await;
    let stage = begun(&server).await;
    let moe = ruma::owned_user_id!("@moe:synod.test");
    let hours = |hours: &str| DeskRules {
        duty: vec![(moe.clone(), vec![hours.parse().unwrap()])],
        ..rules()
    };
    homeserver.report("eve", "kim");
    works(&stage).await;
    let desk = &stage.pipeline.desk;
    stage.clock.pass(5 * 3600);
    desk.bring_in_line(&hours("daily 00:00-24:00")).await;
    assert_eq!(heard(&stage, "nobody has claimed it"), 1, "a reminder first");
    stage.clock.pass(4 * 3600);
    let now = stage.pipeline.clock.now();
    let hour = |at: Timestamp| at.strftime("%H:%M").to_string();
    let ended = format!("daily {}-{}", hour(now - jiff::SignedDuration::from_hours(8)), hour(now));
    desk.bring_in_line(&hours(&ended)).await;
    let called = stage.heard.replies().pop().unwrap();
    assert_eq!(called.ring, crate::reply::Ring::These(Vec::new()), "{ended}");
    assert_eq!(heard(&stage, "Nobody is on duty now."), 1);
}
