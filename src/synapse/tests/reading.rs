//! Looking at a homeserver that is not well.

use std::time::{Duration, Instant};

use ruma::{room_id, user_id};
use serde::Deserialize;
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, path},
};

use super::{Bytes, TOKEN, Then, access, asked, nobody, reader, short_reader};
use crate::{
    change::Path,
    commands::arguments::{RoomRef, UserRef},
    error::Stop,
    synapse::{Error, Reader},
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}";

fn version() -> Path {
    Path::admin(["v1", "server_version"])
}

async fn get(reader: &Reader) -> Result<Value, Error> {
    reader.get(&version(), &[]).await
}

/// A server that gives `first` to that many requests, and success to the rest.
async fn at_first(count: u64, first: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(first).up_to_n_times(count).mount(&server).await;
    let success = ResponseTemplate::new(200).set_body_json(json!({"fine": true}));
    Mock::given(any()).respond_with(success).mount(&server).await;
    server
}

async fn always(answer: ResponseTemplate) -> MockServer {
    at_first(u64::MAX, answer).await
}

#[tokio::test]
async fn what_is_in_an_id_stays_in_its_part_of_the_path() {
    let server = Bytes::start(Then::Say(OK)).await;
    let reader = reader(&format!("{}/prefix/", server.base));
    let path = Path::admin(["v2", "users", "@a/b%2F?c=d#e+f gä..:x", "%2e%2e", "a\\b"]);
    let query = [("name", "Ann & Lee+ä".to_owned())];
    reader.get::<Value>(&path, &query).await.unwrap();
    let request = server.requests().remove(0);
    assert_eq!(
        request.lines().next().unwrap(),
        "GET /prefix/_synapse/admin/v2/users/%40a%2Fb%252F%3Fc%3Dd%23e%2Bf%20g%C3%A4..%3Ax\
         /%252e%252e/a%5Cb?name=Ann%20%26%20Lee%2B%C3%A4 HTTP/1.1"
    );
    assert_eq!(request.matches(TOKEN).count(), 1);
    assert!(request.contains(&format!("authorization: Bearer {TOKEN}\r\n")));
}

#[tokio::test]
async fn a_part_that_would_change_the_path_is_not_sent() {
    let server = Bytes::start(Then::Say(OK)).await;
    for part in ["", ".", ".."] {
        let path = Path::admin(["v2", "users", part, "devices"]);
        let error = reader(&server.base).get::<Value>(&path, &[]).await.unwrap_err();
        assert!(error.to_string().contains("nothing was sent"), "{part:?}: {error}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_short_failure_is_not_noticed() {
    for status in [429, 502, 503, 504] {
        let server = at_first(3, ResponseTemplate::new(status)).await;
        assert_eq!(get(&reader(&server.uri())).await.unwrap(), json!({"fine": true}), "{status}");
        assert_eq!(asked(&server).await, 4, "{status}");
    }
}

#[tokio::test]
async fn a_long_failure_is_told_after_three_repeats() {
    let server = always(ResponseTemplate::new(503)).await;
    assert_eq!(get(&reader(&server.uri())).await.unwrap_err().status(), Some(503));
    assert_eq!(asked(&server).await, 4);
}

#[tokio::test]
async fn what_a_repeat_cannot_mend_is_not_repeated() {
    for status in [302, 400, 403, 404, 500] {
        let server = always(ResponseTemplate::new(status)).await;
        assert_eq!(get(&reader(&server.uri())).await.unwrap_err().status(), Some(status));
        assert_eq!(asked(&server).await, 1, "{status}");
    }
}

#[tokio::test]
async fn the_homeserver_says_how_long_to_wait() {
    let limited = json!({"errcode": "M_LIMIT_EXCEEDED", "error": "Slow", "retry_after_ms": 250});
    let server = at_first(1, ResponseTemplate::new(429).set_body_json(limited)).await;
    let started = Instant::now();
    get(&reader(&server.uri())).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(250));

    let server = at_first(1, ResponseTemplate::new(503).insert_header("Retry-After", "1")).await;
    let started = Instant::now();
    get(&reader(&server.uri())).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_wait_is_understood_in_every_form_in_which_it_is_said() {
    let limited = |headers: &[(&'static str, &'static str)], body: Value| {
        let answer = ResponseTemplate::new(429).set_body_json(body);
        headers.iter().fold(answer, |answer, (name, value)| answer.append_header(*name, *value))
    };
    let said = json!({ "errcode": "M_LIMIT_EXCEEDED", "error": "Slow" });
    let with = |wait: Value| {
        let mut said = said.clone();
        said["retry_after_ms"] = wait;
        said
    };
    let date = ("Date", "Sun, 29 Nov 2026 15:00:00 GMT");
    let after = |at| [("Retry-After", at), date];
    for (answer, wait) in [
        (limited(&[], with(json!(29_500))), Some(29_500)),
        (limited(&[], with(json!(29_500.0))), Some(29_500)),
        (limited(&[], with(json!(29_500.25))), Some(29_500)),
        (limited(&[("Retry-After", " 29 ")], said.clone()), Some(29_000)),
        (limited(&[("Retry-After", "29")], with(json!("soon"))), Some(29_000)),
        (limited(&[("Retry-After", "29")], with(json!(-1))), Some(29_000)),
        (limited(&after("Sun, 29 Nov 2026 15:00:29 GMT"), said.clone()), Some(29_000)),
        (limited(&after("Sun, 29 Nov 2026 16:00:00 GMT"), json!({})), Some(3_600_000)),
    ] {
        let server = always(answer).await;
        let error = get(&reader(&server.uri())).await.unwrap_err();
        let told = error.retry_after().map(|wait| wait.as_millis());
        assert_eq!(told, wait, "{error}");
        assert_eq!(asked(&server).await, 1, "it is longer than anybody waits");
    }
    // Nobody can tell how far these are away, or they are over: it is tried again as after any fault.
    for at in ["Sun, 29 Nov 2026 14:00:00 GMT", "tomorrow", "-5", "1.5", ""] {
        let server = at_first(1, limited(&after(at), said.clone())).await;
        get(&reader(&server.uri())).await.unwrap();
        assert_eq!(asked(&server).await, 2, "{at}");
    }
    let odd = json!({ "errcode": "M_LIMIT_EXCEEDED", "error": ["Slow"], "retry_after_ms": [] });
    let server = always(limited(&[], odd)).await;
    let error = get(&reader(&server.uri())).await.unwrap_err();
    assert_eq!((error.errcode(), error.is_foreign()), (Some("M_LIMIT_EXCEEDED"), false), "{error}");
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_told_instead() {
    let limited = ResponseTemplate::new(429).insert_header("Retry-After", "21");
    let server = always(limited).await;
    let error = get(&reader(&server.uri())).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(21)));
    assert!(error.to_string().ends_with("try again in 21 s"), "{error}");
    assert_eq!(asked(&server).await, 1);
}

#[tokio::test]
async fn a_homeserver_that_hangs_is_told_and_was_asked_again() {
    let server = Bytes::start(Then::Hang).await;
    let error = get(&short_reader(&server.base)).await.unwrap_err();
    assert!(error.to_string().contains("did not answer in time"), "{error}");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_homeserver_that_is_down_is_told() {
    let error = get(&reader(&nobody().await)).await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    assert!(std::error::Error::source(&error).is_some(), "the log needs the cause");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_told_and_was_asked_for_again() {
    for broken in ["", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"a\""] {
        let server = Bytes::start(Then::SayAndClose(broken)).await;
        let error = get(&reader(&server.base)).await.unwrap_err();
        assert!(error.to_string().contains("broke"), "{error}");
        assert_eq!(server.requests().len(), 4);
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n";
    // 0x3e9 = 1001 bytes in one chunk, and then nothing more: the limit must not wait for the end.
    let chunk: &'static str = Box::leak(
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n{}", "x".repeat(1001))
            .into_boxed_str(),
    );
    for endless in [announced, chunk] {
        let server = Bytes::start(Then::Say(endless)).await;
        let error = get(&short_reader(&server.base)).await.unwrap_err();
        assert!(error.to_string().contains("longer than the bot accepts"), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn the_token_does_not_follow_a_redirect() {
    let elsewhere = always(ResponseTemplate::new(200)).await;
    for status in [301, 302, 303, 307, 308] {
        let redirect = ResponseTemplate::new(status).insert_header("Location", elsewhere.uri());
        let server = always(redirect).await;
        let error = get(&reader(&server.uri())).await.unwrap_err();
        assert!(error.to_string().contains("redirect"), "{error}");
    }
    assert_eq!(asked(&elsewhere).await, 0);
}

/// Another process, because the environment of this one is shared by all tests.
#[test]
fn a_proxy_in_the_environment_is_ignored() {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    {
        command.env(name, "http://127.0.0.1:1");
    }
    for name in ["no_proxy", "NO_PROXY", "REQUEST_METHOD"] {
        command.env_remove(name);
    }
    let plain_get = "synapse::tests::reading::what_is_in_an_id_stays_in_its_part_of_the_path";
    let output = command.args(["--exact", plain_get]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn one_look_asks_once() {
    let delay = Duration::from_millis(50);
    let answer = ResponseTemplate::new(200).set_body_json(json!({"n": 1})).set_delay(delay);
    let server = always(answer).await;
    let reader = reader(&server.uri());
    let look = reader.look();
    let both = tokio::join!(get(&look), get(&look));
    assert_eq!((both.0.unwrap(), both.1.unwrap()), (json!({"n": 1}), json!({"n": 1})));
    get(&look.clone()).await.unwrap();
    assert_eq!(asked(&server).await, 1);

    look.get::<Value>(&version(), &[("from", "1".to_owned())]).await.unwrap();
    assert_eq!(asked(&server).await, 2, "another query is another request");
    get(&look.look()).await.unwrap();
    assert_eq!(asked(&server).await, 3, "another look sees afresh");
    get(&reader).await.unwrap();
    get(&reader).await.unwrap();
    assert_eq!(asked(&server).await, 5, "without a look nothing is remembered");
}

#[tokio::test]
async fn one_look_outlives_the_caller_that_asked_first() {
    let server = Bytes::start(Then::Hang).await;
    let look = short_reader(&server.base).look();
    let first = tokio::time::timeout(Duration::from_millis(50), get(&look)).await;
    assert!(first.is_err(), "the first caller gave up");
    assert!(get(&look).await.unwrap_err().to_string().contains("in time"));
}

#[tokio::test]
async fn unknown_is_told_apart_from_not_served() {
    let answer = |status, errcode: &str, error: &str| {
        ResponseTemplate::new(status).set_body_json(json!({"errcode": errcode, "error": error}))
    };
    let find = async |answer| {
        let server = always(answer).await;
        reader(&server.uri()).find::<Value>(&version(), &[]).await
    };
    let user = find(answer(404, "M_NOT_FOUND", "User not found")).await;
    assert_eq!(user.unwrap(), None);
    let row = find(answer(404, "M_UNKNOWN", "No row found (users)")).await;
    assert_eq!(row.unwrap(), None);

    let route = find(answer(404, "M_UNRECOGNIZED", "Unrecognized request")).await.unwrap_err();
    assert!(route.is_unknown_route());
    assert!(find(answer(404, "M_UNKNOWN", "Something else")).await.is_err());
    assert!(find(answer(400, "M_NOT_FOUND", "User not found")).await.is_err());
    assert!(find(ResponseTemplate::new(404).set_body_string("<h1>Not Found</h1>")).await.is_err());
}

#[tokio::test]
async fn an_answer_that_is_something_else_shows_nothing_of_itself() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its failure to parse is looked at")]
    struct Wanted {
        count: u64,
    }
    let page = "something in front of the homeserver answered instead";
    let other = "not in the expected format";
    for (body, words) in [
        (r#"{"count": "hunter2"}"#, other),
        ("\"hunter2\"", other),
        ("{}", other),
        (" { } ", other),
        ("[]", other),
        ("[2]", other),
        ("<html>hunter2</html>", page),
        ("", page),
        (" \r\n", page),
        ("null", other),
        ("5", other),
        ("true", other),
        ("\u{1f}\u{8b}hunter2", page),
        ("not found", page),
    ] {
        let server = always(ResponseTemplate::new(200).set_body_string(body)).await;
        let error = reader(&server.uri()).get::<Wanted>(&version(), &[]).await.unwrap_err();
        assert!(error.to_string().contains(words), "{body}: {error}");
        assert!(error.to_string().contains("homeserver.admin_url"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_or_empty_is_named_so() {
    for (body, words) in [
        ("{\"count\": 7", "broke before its answer was complete"),
        ("{\"users\": [{\"name\": \"hunt", "broke before its answer was complete"),
        ("{", "broke before its answer was complete"),
        ("", "instead, with nothing"),
        ("\n", "instead, with nothing"),
        ("<p>", "instead, with a web page"),
    ] {
        let server = always(ResponseTemplate::new(200).set_body_string(body)).await;
        let error = get(&reader(&server.uri())).await.unwrap_err();
        assert!(error.to_string().contains(words), "{body}: {error}");
    }
}

#[tokio::test]
async fn an_error_names_neither_the_token_nor_the_address() {
    let base = nobody().await;
    let reader = short_reader(&base);
    let ann = user_id!("@ann:example.org");
    let error = reader.account(ann).await.unwrap_err();
    let said = format!("{error} {error:?} {reader:?} {:?}", access(&base));
    assert!(!said.contains(TOKEN), "{said}");
    let cause = std::error::Error::source(&error).unwrap();
    assert!(!format!("{cause} {cause:?}").contains("ann"), "{cause:?}");
}

#[tokio::test]
async fn an_account_is_read_with_its_two_units_of_time() {
    let server = always(ResponseTemplate::new(200).set_body_json(json!({
        "name": "@ann:example.org", "displayname": "Ann", "avatar_url": null,
        "threepids": [{"medium": "email", "address": "ann@example.org", "added_at": 1}],
        "external_ids": [{"auth_provider": "oidc-x", "external_id": "7"}],
        "is_guest": 0, "admin": 1, "deactivated": false, "erased": 0, "locked": false,
        "suspended": 1, "shadow_banned": false, "creation_ts": 1_700_000_000,
        "last_seen_ts": 1_700_000_000_000_u64, "appservice_id": null, "user_type": null,
        "consent_ts": null, "something_new": {},
    })))
    .await;
    let ann = user_id!("@ann:example.org");
    let account = reader(&server.uri()).account(ann).await.unwrap().unwrap();
    assert_eq!(account.user_id, ann);
    assert_eq!(account.created.unwrap().to_string(), "2023-11-14T22:13:20Z");
    assert_eq!(account.last_seen, account.created);
    assert!(account.admin && !account.is_guest && !account.erased);
    assert_eq!(account.suspended, Some(true));
    assert_eq!(account.threepids[0].address.raw(), "ann@example.org");
}

#[tokio::test]
async fn devices_keep_their_addresses_to_themselves() {
    let server = always(ResponseTemplate::new(200).set_body_json(json!({
        "devices": [
            {"device_id": "PHONE", "display_name": "Phone", "last_seen_ip": "192.0.2.7",
             "last_seen_user_agent": "Element", "last_seen_ts": 1_700_000_000_000_u64,
             "user_id": "@ann:example.org"},
            {"device_id": "DRY", "display_name": null, "last_seen_ip": null,
             "last_seen_user_agent": null, "last_seen_ts": null, "user_id": "@ann:example.org",
             "dehydrated": true},
        ],
        "total": 2,
    })))
    .await;
    let devices = reader(&server.uri()).devices(user_id!("@ann:example.org")).await.unwrap();
    assert!(!format!("{devices:?}").contains("192.0.2.7"));
    assert_eq!(devices[0].ip.as_ref().unwrap().show().raw(), "192.0.2.7");
    assert!(devices[1].dehydrated && devices[1].last_seen.is_none());
}

#[tokio::test]
async fn an_alias_is_resolved_and_an_unknown_one_refused() {
    let server = MockServer::start().await;
    let found = ResponseTemplate::new(200).set_body_json(json!({"room_id": "!abc", "servers": []}));
    Mock::given(path("/_matrix/client/v3/directory/room/%23lobby%3Aexample.org"))
        .respond_with(found)
        .mount(&server)
        .await;
    let away = json!({"errcode": "M_UNKNOWN", "error": "Failed to fetch alias"});
    Mock::given(path("/_matrix/client/v3/directory/room/%23lobby%3Aelsewhere.org"))
        .respond_with(ResponseTemplate::new(502).set_body_json(away))
        .mount(&server)
        .await;
    let unknown = json!({"errcode": "M_NOT_FOUND", "error": "Room alias not found"});
    Mock::given(any())
        .respond_with(ResponseTemplate::new(404).set_body_json(unknown))
        .with_priority(9)
        .mount(&server)
        .await;
    let reader = reader(&server.uri());
    let room = |text: &str| text.parse::<RoomRef>().unwrap();
    assert_eq!(reader.room_id(&room("#lobby:example.org")).await.unwrap(), room_id!("!abc"));
    assert_eq!(reader.room_id(&room("#lobby")).await.unwrap(), room_id!("!abc"));
    assert_eq!(reader.room_id(&room("!typed")).await.unwrap(), room_id!("!typed"));
    let refused = reader.room_id(&room("#lobbby:example.org")).await.unwrap_err();
    assert!(matches!(refused, Stop::Refused { .. }), "{refused:?}");
    let refused = reader.room_id(&room("#lobby:elsewhere.org")).await.unwrap_err();
    assert!(format!("{refused:?}").contains("could not ask"), "{refused:?}");
}

#[tokio::test]
async fn a_localpart_is_an_account_here() {
    let reader = reader(&nobody().await);
    let user = |text: &str| reader.user_id(&text.parse::<UserRef>().unwrap()).unwrap();
    assert_eq!(user("ann"), "@ann:example.org");
    assert_eq!(user("@ann"), "@ann:example.org");
    assert_eq!(user("@ann:elsewhere.org"), "@ann:elsewhere.org");
    assert!(reader.is_local(&user("ann")));
    assert!(!reader.is_local(&user("@ann:elsewhere.org")));
}
