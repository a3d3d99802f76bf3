//! Every verb, where something in front of the homeserver answers in its place: nothing of it is
//! told as a fact, and nothing is sent on the strength of it.

use futures_util::future::join_all;
use serde_json::json;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::{
    commands::{Does, GROUPS, Spec},
    pipeline::testing::Stage,
};

/// A page, as a proxy has it.
const PAGE: &str = "<html><body><h1>It works!</h1></body></html>";

/// Verbs that show any answer as it is, or ask nothing at the beginning of time or where the record is
/// empty.
const ASK_NOTHING: &[&str] = &["raw ", "matrix raw ", "media purge ", "room blocked"];

fn answers() -> Vec<(&'static str, ResponseTemplate)> {
    let page = |status| ResponseTemplate::new(status).set_body_raw(PAGE, "text/html");
    vec![
        ("a landing page", page(200)),
        ("an empty object", ResponseTemplate::new(200).set_body_json(json!({}))),
        ("an empty list", ResponseTemplate::new(200).set_body_json(json!([]))),
        ("another object", ResponseTemplate::new(200).set_body_json(json!({ "ok": true }))),
        ("null", ResponseTemplate::new(200).set_body_json(json!(null))),
        ("text", ResponseTemplate::new(200).set_body_json(json!("ok"))),
        ("nothing at all", ResponseTemplate::new(200)),
        ("what is cut off", ResponseTemplate::new(200).set_body_string("{\"name\": \"@eve")),
        ("a 403 that is a page", page(403)),
        (
            "a 403 of a gateway",
            ResponseTemplate::new(403).set_body_json(json!({ "message": "no" })),
        ),
        ("a 404 that is a page", page(404)),
        ("a 405 that is a page", page(405)),
        ("a 413 that is a page", page(413)),
        ("a redirect", page(301).insert_header("Location", "https://elsewhere.example/")),
    ]
}

/// Every verb that is typed as `does`, by its first example.
fn verbs(does: impl Fn(&Does) -> bool) -> Vec<String> {
    let all = GROUPS.iter().flat_map(|group| group.verbs.iter());
    let fits = all.filter(|spec: &&Spec| does(&spec.does));
    fits.filter_map(|spec| spec.examples.first())
        .filter(|example| !ASK_NOTHING.iter().any(|verb| example.starts_with(verb)))
        .map(|example| example.replace("@ann:example.org", "@eve:example.org"))
        .map(|example| example.replace("example.org", "synod.test"))
        .collect()
}

/// What is wrong with what is said to these commands where everything that is asked is answered
/// like this: nothing of it may be told as a fact, and nothing sent that would change something.
async fn wrong_where(commands: &[String], (what, answer): (&str, ResponseTemplate)) -> Vec<String> {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let stage = Stage::set(&server.uri(), "token");
    let mut wrong = Vec::new();
    for command in commands {
        let before = stage.heard.all().len();
        stage.say("ann", &format!("!{command}")).await;
        let said = stage.heard.all()[before..].join("\n");
        let names = [
            "in front of",
            "with a redirect",
            "not in the expected format",
            "broke before its answer was complete",
        ];
        if !said.contains("Failed") || !names.iter().any(|name| said.contains(name)) {
            wrong.push(format!("{what}, !{command}: {said}"));
        }
    }
    let sent = server.received_requests().await.unwrap();
    let changed = sent.iter().filter(|request| request.method != "GET");
    wrong.extend(changed.map(|request| format!("{what}: {} was sent", request.url)));
    wrong
}

async fn wrong(commands: &[String]) -> String {
    let told = answers().into_iter().map(|answer| wrong_where(commands, answer));
    join_all(told).await.concat().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_homeservers_answer_is_no_fact() {
    let looks = verbs(|does| matches!(does, Does::Look));
    assert!(looks.len() > 30, "{looks:?}");
    let wrong = wrong(&looks).await;
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_on_the_word_of_what_stands_in_front() {
    let changes = verbs(|does| !matches!(does, Does::Look));
    assert!(changes.len() > 30, "{changes:?}");
    let wrong = wrong(&changes).await;
    assert!(wrong.is_empty(), "{wrong}");
}
