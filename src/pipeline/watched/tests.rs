//! What is counted, and why the bot is not ready, in a room of which the test is the homeserver.

use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, method, path_regex},
};

use super::*;
use crate::{
    config, metrics::Process, monitoring::Monitor, pipeline::testing::Stage, service::Service,
};

/// A homeserver that knows one account, whatever its name, and nothing else.
async fn homeserver() -> MockServer {
    let server = MockServer::start().await;
    let nothing = json!({ "errcode": "M_NOT_FOUND", "error": "no" });
    let account = |request: &wiremock::Request| {
        let user = request.url.path().rsplit('/').next().unwrap_or_default();
        let user = percent_encoding::percent_decode_str(user).decode_utf8_lossy().into_owned();
        ResponseTemplate::new(200).set_body_json(json!({
            "name": user, "displayname": "canary", "deactivated": false, "admin": false,
            "locked": false, "suspended": false, "shadow_banned": false, "creation_ts": 0,
            "erased": false, "external_ids": [], "threepids": [], "user_type": null,
            "is_guest": false, "appservice_id": null, "consent_ts": null, "avatar_url": null,
            "consent_version": null, "consent_server_notice_sent": null,
        }))
    };
    let users = path_regex("^/_synapse/admin/v2/users/[^/]+$");
    Mock::given(method("GET")).and(users).respond_with(account).mount(&server).await;
    let refusal = ResponseTemplate::new(404).set_body_json(nothing);
    Mock::given(any()).respond_with(refusal).with_priority(9).mount(&server).await;
    server
}

async fn scraped(stage: &Stage) -> String {
    let process = Process { sync_age: Duration::ZERO, healthy: true, ready: true };
    let levels = stage.pipeline.levels().await.unwrap();
    stage.metrics.text(process, Some(&levels)).unwrap()
}

/// The value of a series; none where there is none.
fn value(text: &str, series: &str) -> Option<f64> {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.map(|value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_counted_by_verb_and_outcome() {
    let server = homeserver().await;
    let stage = Stage::set(&server.uri(), "token");
    stage.say("ann", "!me").await;
    stage.say("ann", "!me").await;
    stage.say("ann", "!user whois @eve:synod.test").await;
    stage.say("moe", "!user password @eve:synod.test").await;
    stage.say("ann", "!user deactivate @eve:synod.test").await;
    stage.say("ann", "!user suspend @ann:synod.test --until nonsense").await;
    stage.say("mallory", "!user suspend @ann:synod.test").await;
    stage.say("ann", "no").await;
    let text = scraped(&stage).await;
    for (series, count) in [
        ("synod_commands_total{outcome=\"answered\",verb=\"me\"}", 2.0),
        ("synod_commands_total{outcome=\"not_found\",verb=\"user whois\"}", 1.0),
        ("synod_commands_total{outcome=\"refused\",verb=\"user password\"}", 1.0),
        ("synod_commands_total{outcome=\"asked\",verb=\"user deactivate\"}", 1.0),
        ("synod_commands_total{outcome=\"stranger\",verb=\"none\"}", 1.0),
        ("synod_answer_seconds_count{kind=\"own\"}", 3.0),
        ("synod_jobs{state=\"running\"}", 0.0),
        ("synod_admin_token_accepted", 1.0),
        ("synod_own_keys_in_order{key=\"device\"}", 1.0),
        ("synod_frozen", 0.0),
    ] {
        assert_eq!(value(&text, series), Some(count), "{series} in\n{text}");
    }
    assert!(value(&text, "synod_record_entries").unwrap() > 0.0, "{text}");
    assert!(value(&text, "synod_store_bytes").unwrap() > 0.0, "{text}");
    let asked = "synod_admin_api_request_seconds_count{operation=\"GET v2/users/{user_id}\"}";
    assert!(value(&text, asked).unwrap() > 0.0, "{text}");
    let failed = "synod_admin_api_errors_total{kind=\"404\",operation=";
    assert!(text.contains(failed), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_counted_as_it_is_when_it_is_asked_for() {
    let server = homeserver().await;
    let stage = Stage::set(&server.uri(), "token");
    let level = async |series: &str| value(&scraped(&stage).await, series).unwrap();
    assert!(level("synod_open_questions").await < 0.5);
    stage.say("ann", "!user deactivate @eve:synod.test").await;
    assert!((level("synod_open_questions").await - 1.0).abs() < 0.5);
    stage.clock.pass(601);
    assert!(level("synod_open_questions").await < 0.5, "its time is over");
    stage.say("ann", "!freeze").await;
    assert!((level("synod_frozen").await - 1.0).abs() < 0.5);
    stage.heard.ail(Some(Ailment::Unsigned));
    stage.say("ann", "!me").await;
    assert!(level("synod_own_keys_in_order{key=\"device\"}").await < 0.5);
    assert!(level("synod_own_keys_in_order{key=\"one_time\"}").await > 0.5);
    assert!((level("synod_answers_waiting").await - 1.0).abs() < 0.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_anybody_is_called_or_says_is_in_the_metrics() {
    let server = homeserver().await;
    let stage = Stage::set(&server.uri(), "canary-token");
    for said in [
        "!user details @canary:synod.test",
        "!room details !canary:synod.test",
        "!canary canary",
        "!user canary @canary:synod.test",
        "!raw GET v2/users/@canary:synod.test/canary/canary",
        "!raw GET v1/canary",
        "!regtok details canary",
        "!media details mxc://canary.test/canary",
        "!user suspend @canary:synod.test --reason canary",
        "!user deactivate @canary:synod.test",
        "canary",
        "!note add @canary:synod.test canary",
    ] {
        for who in ["ann", "moe", "canary"] {
            stage.say(who, said).await;
        }
    }
    let text = scraped(&stage).await;
    for told in ["canary", "synod.test", "ann", "moe\"", "syt_", "@", "!", "mxc"] {
        let found = text.lines().find(|line| !line.starts_with('#') && line.contains(told));
        // The names of parts, such as `user_id`, come from the table.
        assert_eq!(found, None, "{told} in\n{text}");
    }
    let verbs: std::collections::BTreeSet<String> = crate::pipeline::verbs().into_iter().collect();
    let named = text.lines().filter_map(|line| line.split_once("verb=\"")?.1.split('"').next());
    for verb in named {
        let beside = crate::metrics::BESIDE_VERBS.contains(&verb) || verb == "other";
        assert!(verbs.contains(verb) || beside, "{verb} is no verb");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn why_it_is_not_ready_is_said_in_words() {
    let server = homeserver().await;
    let stage = Stage::set(&server.uri(), "token");
    assert_eq!(stage.pipeline.hindrances().await, [""; 0]);
    for (ailment, words) in
        [(Ailment::Unsigned, "cross-signing keys"), (Ailment::OneTimeKeys, "one-time keys")]
    {
        stage.heard.ail(Some(ailment));
        let why = stage.pipeline.hindrances().await;
        assert!(why.len() == 1 && why[0].contains(words), "{why:?}");
    }
    stage.heard.ail(None);
    let unknown = json!({ "errcode": "M_UNKNOWN_TOKEN", "error": "canary" });
    let refusal = ResponseTemplate::new(401).set_body_json(unknown);
    let once = Mock::given(any()).respond_with(refusal).up_to_n_times(1).with_priority(1);
    once.mount(&server).await;
    let why = stage.pipeline.hindrances().await;
    assert_eq!(why, ["the homeserver does not accept my admin token"]);
    assert_eq!(stage.pipeline.hindrances().await, [""; 0], "it takes it again");
    server.reset().await;
    let why = stage.pipeline.hindrances().await;
    assert_eq!(why, ["the homeserver's Admin API does not answer as it should"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_all_the_time_is_told_what_was_found_a_moment_ago() {
    let server = homeserver().await;
    let stage = Stage::set(&server.uri(), "token");
    let listen = "127.0.0.1:0".parse().unwrap();
    let settings = config::Monitoring { listen, outage_after: Duration::from_mins(5) };
    let monitor = Monitor::begin(Some(&settings), &Service::of_nobody()).await.unwrap();
    assert_eq!(monitor.readiness().await, Some(Err("starting".to_owned())));
    monitor.shows(&stage.pipeline);
    for _ in 0..100 {
        assert_eq!(monitor.readiness().await, Some(Ok("Starting")));
    }
    let asked = server.received_requests().await.unwrap().len();
    assert!((1..5).contains(&asked), "{asked} requests");
}
