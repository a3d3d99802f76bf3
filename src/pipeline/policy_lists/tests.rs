use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

use super::*;
use crate::pipeline::testing::Stage;

/// A homeserver with the accounts eve and sam and one list, whose state a test sets.
#[derive(Clone)]
struct Here(Arc<Mutex<Lists>>);

struct Lists {
    /// Who of this homeserver is in its room.
    members: u64,
    state: Vec<Value>,
    /// Accounts that have come since.
    late: Vec<&'static str>,
}

impl Here {
    fn set(&self, change: impl FnOnce(&mut Lists)) {
        change(&mut self.0.lock().unwrap());
    }

    fn put(&self, state_key: &str, content: &Value) {
        self.set(|lists| {
            lists.state.retain(|event| event["state_key"] != state_key);
            lists.state.push(json!({
                "type": "m.policy.rule.user",
                "state_key": state_key,
                "sender": "@mod:lists.test",
                "content": content,
            }));
        });
    }
}

impl Respond for Here {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let found = |body: Value| ResponseTemplate::new(200).set_body_json(body);
        let path = request.url.path().replace("%21", "!").replace("%40", "@").replace("%3A", ":");
        let lists = self.0.lock().unwrap();
        if path.ends_with("/rooms/!told:lists.test") {
            return found(json!({"joined_local_members": lists.members}));
        }
        if path.ends_with("/rooms/!told:lists.test/state") {
            let wanted = request.url.query_pairs().find(|(key, _)| key == "type");
            let wanted = wanted.map(|(_, value)| value.into_owned()).unwrap_or_default();
            let state = lists.state.iter().filter(|event| event["type"] == wanted.as_str());
            return found(json!({"state": state.collect::<Vec<_>>()}));
        }
        if path.ends_with("/v2/users") {
            let users = lists.late.iter().map(|name| json!({"name": name, "admin": false}));
            return found(json!({"users": users.collect::<Vec<_>>(), "total": 1}));
        }
        for name in ["@eve:synod.test", "@sam:synod.test", "@moe:synod.test"] {
            if path.ends_with(&format!("/users/{name}")) {
                return found(json!({"name": name, "admin": false, "deactivated": false}));
            }
        }
        let unknown = json!({"errcode": "M_NOT_FOUND", "error": "unknown"});
        ResponseTemplate::new(404).set_body_json(unknown)
    }
}

async fn stage() -> (Stage, Here, MockServer) {
    let here =
        Here(Arc::new(Mutex::new(Lists { members: 1, state: Vec::new(), late: Vec::new() })));
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(here.clone()).mount(&server).await;
    (Stage::set(&server.uri(), "token"), here, server)
}

fn ban(entity: &str) -> Value {
    json!({"entity": entity, "recommendation": "m.ban", "reason": "spam"})
}

/// What is told of the first list when the lists are read now.
async fn read(stage: &Stage) -> Vec<String> {
    let mark = stage.heard.all().len();
    stage.pipeline.policy_watch.round().await.unwrap();
    let heard = stage.heard.all().split_off(mark);
    let heard = heard.into_iter().map(|told| told.replace(['\\', '\u{2060}'], ""));
    heard.filter(|told| told.contains("Policy list 1 ")).collect()
}

#[tokio::test]
async fn a_rule_is_told_once_and_a_room_that_cannot_be_read_withdraws_none() {
    let (mut stage, here, server) = stage().await;
    here.put("old", &ban("@sam:synod.test"));
    let told = read(&stage).await;
    assert!(told.len() == 1 && told[0].contains("read for the first time: 1 rule"), "{told:?}");
    here.put("new", &ban("@eve:synod.test"));
    here.put("far", &ban("@eve:elsewhere.test"));
    here.put("nobody", &ban("@nobody:synod.test"));
    let told = read(&stage).await;
    assert!(told.len() == 1 && told[0].contains("names `@eve:synod.test`"), "{told:?}");
    assert_eq!(read(&stage).await, Vec::<String>::new());
    stage.start_again().await;
    assert_eq!(read(&stage).await, Vec::<String>::new());

    // Nothing was withdrawn: nobody is there to be told.
    here.set(|lists| {
        lists.members = 0;
        lists.state.clear();
    });
    let told = read(&stage).await;
    assert!(told.len() == 1 && told[0].contains("cannot be read"), "{told:?}");
    assert_eq!(read(&stage).await, Vec::<String>::new());
    here.set(|lists| lists.members = 1);
    let told = read(&stage).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("can be read again"), "{told:?}");
    assert!(told[1].contains("has withdrawn 2 rules that fitted"), "{told:?}");

    // A look at a list where nothing is new takes one request for the room and one for each type.
    let before = server.received_requests().await.unwrap().len();
    read(&stage).await;
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len() - before, 11, "with one for the other list, which is not known");
    assert!(requests.iter().all(|request| request.method.as_str() == "GET"));
}

#[tokio::test]
async fn a_list_that_is_too_long_is_not_read_and_one_that_changes_all_the_time_not_too_often() {
    let (stage, here, _server) = stage().await;
    read(&stage).await;
    here.set(|lists| {
        let rule = |n: usize| {
            json!({"type": "m.policy.rule.user", "state_key": n.to_string(),
                "sender": "@mod:lists.test", "content": ban("@far:elsewhere.test")})
        };
        lists.state = (0..20_001).map(rule).collect();
    });
    let told = read(&stage).await;
    assert!(told.len() == 1 && told[0].contains("more than 20,000 rules"), "{told:?}");
    here.set(|lists| lists.state.clear());
    read(&stage).await;
    let mut all = 0;
    for n in 0..60 {
        let reason = json!({"entity": "@eve:synod.test", "recommendation": "m.ban", "reason": n});
        let reason = if n % 2 == 0 { reason } else { json!({}) };
        here.put("flip", &reason);
        all += read(&stage).await.len();
    }
    assert!((10..=MESSAGES_PER_HOUR).contains(&all), "{all}");
    assert!(stage.pipeline.policy_watch.is_told_too_often("!told:lists.test"));
}

#[tokio::test]
async fn an_account_that_comes_later_is_told_within_the_hour() {
    let (stage, here, _server) = stage().await;
    read(&stage).await;
    here.set(|lists| lists.late = vec!["@sam:synod.test"]);
    here.put("sam", &ban("@sam:synod.test"));
    here.put("late", &ban("@late:synod.test"));
    here.put("herd", &ban("@late*:synod.test"));
    let told = read(&stage).await;
    assert!(told.len() == 1 && told[0].contains("names `@sam:synod.test`"), "{told:?}");
    here.set(|lists| lists.late = vec!["@sam:synod.test", "@late:synod.test"]);
    assert_eq!(read(&stage).await, Vec::<String>::new());
    stage.clock.pass(60 * 60 + 1);
    let told = read(&stage).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("@late:synod.test"), "{told:?}");
    assert!(told[1].contains("which fits 1 account here"), "{told:?}");
    stage.clock.pass(60 * 60 + 1);
    assert_eq!(read(&stage).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_let_go_or_protected_is_named_as_that() {
    let (stage, here, _server) = stage().await;
    read(&stage).await;
    stage.say("ann", "!policy keep @eve:synod.test").await;
    here.put("eve", &ban("@eve:synod.test"));
    here.put("moe", &ban("@moe:synod.test"));
    let told = read(&stage).await;
    assert!(told.len() == 1 && told[0].contains("names 2 accounts here"), "{told:?}");
    assert!(told[0].contains("let go by @ann:synod.test"), "{told:?}");
    assert!(told[0].contains("an operator"), "{told:?}");
    assert!(!told[0].contains("!user suspend"), "{told:?}");
    stage.say("ann", "!policy keep --list").await;
    assert!(stage.heard.all().last().unwrap().contains("One was let go"));
}
