//! Waves that are told by themselves, on a homeserver whose accounts are the test's own.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use super::*;
use crate::{
    operators::Policy,
    pipeline::testing::{Stage, cut::cut},
};

/// The seconds at which these tests begin.
const NOW: i64 = 1_795_183_200;

const THRESHOLD: WaveThreshold = WaveThreshold { accounts: 10, within: Duration::from_hours(1) };

/// Accounts: their names, when they were created, and whether a bridge has made them.
#[derive(Debug, Default, Clone)]
struct Homeserver {
    accounts: Arc<Mutex<Vec<(String, i64, bool)>>>,
    /// Whether it is away.
    away: Arc<Mutex<bool>>,
    /// How many rows of the list were asked for one by one, and how many accounts were looked up.
    asked: Arc<Mutex<(usize, usize)>>,
}

impl Homeserver {
    fn add(&self, name: &str, count: usize, at: i64, bridged: bool) {
        let mut accounts = self.accounts.lock().unwrap();
        let have = accounts.len();
        let new = (have..have + count).map(|n| (format!("@{name}{n}:synod.test"), at, bridged));
        accounts.extend(new);
    }

    fn take_asked(&self) -> (usize, usize) {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn list(&self, from: usize, limit: usize) -> Value {
        let mut accounts = self.accounts.lock().unwrap().clone();
        accounts.sort_by_key(|(_, at, _)| std::cmp::Reverse(*at));
        let rows = accounts.iter().skip(from).take(limit).map(|(name, at, _)| {
            json!({"name": name, "creation_ts": at * 1000, "deactivated": false, "admin": false})
        });
        let rows: Vec<Value> = rows.collect();
        json!({"users": rows, "total": accounts.len()})
    }

    fn account(&self, user: &str) -> Value {
        let accounts = self.accounts.lock().unwrap();
        let bridged = accounts.iter().any(|(name, _, bridged)| name == user && *bridged);
        json!({
            "name": user, "displayname": null, "avatar_url": null, "admin": 0, "deactivated": 0,
            "erased": false, "locked": false, "suspended": false, "shadow_banned": 0, "is_guest": 0,
            "creation_ts": NOW, "last_seen_ts": null, "appservice_id": bridged.then_some("irc"),
            "user_type": null, "threepids": [], "external_ids": [],
        })
    }
}

impl Respond for Homeserver {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if *self.away.lock().unwrap() {
            return ResponseTemplate::new(502);
        }
        let path = request.url.path().replace("%40", "@").replace("%3A", ":");
        let query = |key: &str| {
            let found = request.url.query_pairs().find(|(name, _)| name == key);
            found.and_then(|(_, value)| value.parse().ok()).unwrap_or(0_usize)
        };
        let mut asked = self.asked.lock().unwrap();
        let body = match path.strip_prefix("/_synapse/admin/").unwrap_or_default() {
            "v2/users" => {
                asked.0 += usize::from(query("limit") == 1);
                self.list(query("from"), query("limit"))
            }
            other if other.starts_with("v2/users/") => {
                asked.1 += 1;
                self.account(other.trim_start_matches("v2/users/"))
            }
            other if other.ends_with("joined_rooms") => json!({"joined_rooms": [], "total": 0}),
            "v1/event_reports" => json!({"event_reports": [], "total": 0}),
            "v1/user_reports" => json!({"user_reports": [], "total": 0}),
            other if other.ends_with("sent_invite_count") => json!({"invite_count": 0}),
            other if other.ends_with("joined_room_count") => {
                json!({"cumulative_joined_room_count": 0})
            }
            _ => {
                return ResponseTemplate::new(404)
                    .set_body_json(json!({"errcode": "M_UNRECOGNIZED"}));
            }
        };
        ResponseTemplate::new(200).set_body_json(body)
    }
}

async fn started() -> (MockServer, Homeserver, Stage) {
    let (server, homeserver) = (MockServer::start().await, Homeserver::default());
    Mock::given(any()).respond_with(homeserver.clone()).mount(&server).await;
    let wanted = |rules: &mut crate::pipeline::Rules| rules.wave = Some(THRESHOLD);
    let stage = Stage::with_rules(Policy::default(), wanted, &server.uri(), "token");
    stage.clock.pass(NOW);
    homeserver.add("ann", 30, NOW - 90 * 86_400, false);
    (server, homeserver, stage)
}

fn told(stage: &Stage) -> Vec<String> {
    let plain = |said: &String| said.replace(['\\', '\u{2060}'], "");
    stage.heard.all().iter().map(plain).collect()
}

/// Looks twice: whether it has grown and whether it is over.
async fn looks(stage: &Stage, watch: &mut WaveWatch) {
    for _ in 0..2 {
        stage.pipeline.look_for_wave(watch).await.unwrap();
    }
}

#[tokio::test]
async fn a_wave_is_told_once_and_again_where_it_has_doubled_or_comes_back() {
    let (_server, homeserver, stage) = started().await;
    let mut watch = WaveWatch::new(THRESHOLD);
    homeserver.add("raid-", 9, NOW - 60, false);
    looks(&stage, &mut watch).await;
    assert_eq!(told(&stage), [""; 0], "one too few");
    assert_eq!(homeserver.take_asked(), (2, 0), "a row each time, and nobody was looked at");

    homeserver.add("raid-", 3, NOW - 30, false);
    looks(&stage, &mut watch).await;
    let [first] = <[String; 1]>::try_from(told(&stage)).unwrap();
    for part in [
        "A wave of new accounts: 12 accounts created since",
        ": 1 group, nobody outside",
        "names like `raid-#`",
        "Told because 10 or more were created within 1 h",
        "!wave",
    ] {
        assert!(first.contains(part), "{part} in {first}");
    }
    assert!(!first.contains("!wave show"), "nobody was shown it by its letter: {first}");
    homeserver.take_asked();
    homeserver.add("raid-", 11, NOW - 20, false);
    looks(&stage, &mut watch).await;
    assert_eq!(told(&stage).len(), 1, "23 are not twice as many");
    assert_eq!(homeserver.take_asked(), (2, 0));
    homeserver.add("raid-", 1, NOW - 10, false);
    looks(&stage, &mut watch).await;
    let grown = told(&stage).pop().unwrap();
    assert!(grown.contains("The wave of new accounts has grown: 24 accounts"), "{grown}");
    looks(&stage, &mut watch).await;
    assert_eq!(told(&stage).len(), 2);

    // A few still come: it is the same wave.
    stage.clock.pass(3600);
    homeserver.add("raid-", 5, NOW + 3590, false);
    looks(&stage, &mut watch).await;
    homeserver.add("raid-", 7, NOW + 3595, false);
    looks(&stage, &mut watch).await;
    assert_eq!(told(&stage).len(), 2, "{:?}", told(&stage));
    assert!(stage.pipeline.wave_alerts.present().unwrap().is_some());
    // None come, and then others.
    stage.clock.pass(7200);
    looks(&stage, &mut watch).await;
    assert_eq!(stage.pipeline.wave_alerts.present().unwrap(), None);
    homeserver.add("spam-", 12, NOW + 10_700, false);
    looks(&stage, &mut watch).await;
    let again = told(&stage);
    assert!(again.len() == 3 && again[2].contains("A wave of new accounts: 12"), "{again:?}");
}

#[tokio::test]
async fn what_bridges_make_is_no_wave_and_is_not_looked_at_again_and_again() {
    let (_server, homeserver, stage) = started().await;
    let mut watch = WaveWatch::new(THRESHOLD);
    homeserver.add("irc-", 40, NOW - 60, true);
    for _ in 0..5 {
        looks(&stage, &mut watch).await;
    }
    let (rows, looked_up) = homeserver.take_asked();
    assert_eq!((told(&stage).len(), rows, looked_up), (0, 10, 40));
    // Among them a wave is told all the same, with its own number.
    homeserver.add("raid-", 12, NOW - 10, false);
    looks(&stage, &mut watch).await;
    let told = told(&stage);
    assert!(told.len() == 1 && told[0].contains(": 12 accounts created"), "{told:?}");
    assert!(told[0].contains("40 accounts of bridges left out"), "{told:?}");
}

#[tokio::test]
async fn a_look_that_failed_is_no_news_and_while_nobody_comes_it_is_looked_more_rarely() {
    let (_server, homeserver, stage) = started().await;
    let mut watch = WaveWatch::new(THRESHOLD);
    homeserver.add("raid-", 12, NOW - 60, false);
    looks(&stage, &mut watch).await;
    assert_eq!((told(&stage).len(), watch.pause), (1, BUSY));
    *homeserver.away.lock().unwrap() = true;
    stage.clock.pass(7200);
    for _ in 0..4 {
        stage.pipeline.look_for_wave(&mut watch).await.unwrap_err();
    }
    assert!(
        stage.pipeline.wave_alerts.present().unwrap().is_some(),
        "nobody knows that it is over"
    );
    *homeserver.away.lock().unwrap() = false;
    for _ in 0..20 {
        looks(&stage, &mut watch).await;
    }
    assert_eq!((told(&stage).len(), watch.pause), (1, IDLE));
    homeserver.add("bob", 1, NOW + 7100, false);
    stage.pipeline.look_for_wave(&mut watch).await.unwrap();
    assert_eq!(watch.pause, BUSY, "somebody has come");
}

#[tokio::test]
async fn killed_wherever_it_waits_a_wave_is_told_once() {
    for waits in 0..500 {
        let (_server, homeserver, mut stage) = started().await;
        stage.heard.take_once();
        homeserver.add("raid-", 12, NOW - 60, false);
        let mut watch = WaveWatch::new(THRESHOLD);
        let finished = cut(waits, stage.pipeline.look_for_wave(&mut watch)).await.is_some();
        stage.start_again().await;
        let mut watch = WaveWatch::new(THRESHOLD);
        looks(&stage, &mut watch).await;
        looks(&stage, &mut watch).await;
        let told = told(&stage);
        assert_eq!(told.len(), 1, "after {waits} waits: {told:?}");
        if finished {
            assert!(waits > 10, "it waits for the homeserver, the store and the room");
            return;
        }
    }
    panic!("it never ends");
}
