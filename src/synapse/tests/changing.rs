//! Changing something at a homeserver that is not well.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, path_regex},
};

use super::{Bytes, Then, asked, nobody, reader, short_writer, writer};
use crate::{
    change::{Answer, Method, Path, Step, as_account},
    gate::Permit,
    synapse::{Secrets, SendError, Writer},
};

fn step() -> Step {
    Step::new(Method::Put, Path::admin(["v1", "suspend", "@ann:x"]), json!({"suspend": true}))
}

fn password() -> Step {
    let path = Path::admin(["v1", "reset_password", "@ann:x"]);
    Step::new(
        Method::Post,
        path,
        json!({"new_password": {"$secret": "password"}, "logout_devices": true}),
    )
}

fn login() -> Step {
    let path = Path::admin(["v1", "users", "@ann:x", "login"]);
    Step::new(Method::Post, path, json!({})).revealing("/access_token", "token")
}

/// Sends `step` with a permit for it.
async fn send(writer: &Writer, step: &Step, secrets: &mut Secrets) -> Result<Answer, SendError> {
    let mut permit = Permit::naming(std::slice::from_ref(step));
    writer.send(&mut permit, step, secrets).await
}

async fn plain(writer: &Writer) -> Result<Answer, SendError> {
    send(writer, &step(), &mut Secrets::new()).await
}

async fn at_first(count: u64, first: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(first).up_to_n_times(count).mount(&server).await;
    let success = ResponseTemplate::new(200).set_body_json(json!({}));
    Mock::given(any()).respond_with(success).mount(&server).await;
    server
}

async fn always(answer: ResponseTemplate) -> MockServer {
    at_first(u64::MAX, answer).await
}

fn limited(wait: u64) -> ResponseTemplate {
    let body = json!({"errcode": "M_LIMIT_EXCEEDED", "error": "Slow", "retry_after_ms": wait});
    ResponseTemplate::new(429).set_body_json(body)
}

#[tokio::test]
async fn only_what_the_permit_names_is_sent_and_only_once() {
    let server = always(ResponseTemplate::new(200).set_body_json(json!({"done": 1}))).await;
    let writer = writer(&server.uri());
    let secrets = &mut Secrets::new();
    let mut permit = Permit::naming(&[step()]);

    let other = Step { query: vec![("a".into(), "b".into())], ..step() };
    for step in [password(), other] {
        let refused = writer.send(&mut permit, &step, secrets).await;
        assert!(matches!(refused, Err(SendError::NotPermitted)), "{refused:?}");
    }
    assert_eq!(asked(&server).await, 0);

    let answer = writer.send(&mut permit, &step(), secrets).await.unwrap();
    assert_eq!((answer.status, answer.body), (200, json!({"done": 1})));
    let again = writer.send(&mut permit, &step(), secrets).await;
    assert!(matches!(again, Err(SendError::NotPermitted)), "{again:?}");
    assert_eq!(asked(&server).await, 1);
}

#[tokio::test]
async fn a_permit_for_the_same_step_twice_is_good_twice() {
    let server = always(ResponseTemplate::new(200)).await;
    let writer = writer(&server.uri());
    let mut permit = Permit::naming(&[step(), step()]);
    for _ in 0..2 {
        writer.send(&mut permit, &step(), &mut Secrets::new()).await.unwrap();
    }
    assert_eq!(asked(&server).await, 2);
}

#[tokio::test]
async fn what_never_left_is_known_not_to_have() {
    let refused = plain(&writer(&nobody().await)).await.unwrap_err();
    assert!(matches!(refused, SendError::NotSent(_)), "{refused:?}");
    let unknown_host = plain(&writer("http://homeserver.invalid")).await.unwrap_err();
    assert!(matches!(unknown_host, SendError::NotSent(_)), "{unknown_host:?}");
    let server = Bytes::start(Then::SayAndClose("this is not TLS")).await;
    let no_tls = plain(&writer(&server.base.replace("http:", "https:"))).await.unwrap_err();
    assert!(matches!(no_tls, SendError::NotSent(_)), "{no_tls:?}");
}

#[tokio::test]
async fn what_left_and_was_not_answered_is_unknown_and_not_sent_again() {
    for then in [Then::Hang, Then::SayAndClose(""), Then::SayAndClose("HTTP/1.1 2")] {
        let server = Bytes::start(then).await;
        let error = plain(&short_writer(&server.base)).await.unwrap_err();
        assert!(matches!(error, SendError::Unknown(_)), "{then:?}: {error:?}");
        assert_eq!(server.requests().len(), 1, "{then:?}");
    }
}

#[tokio::test]
async fn a_failure_of_the_homeserver_is_unknown_and_not_sent_again() {
    for status in [408, 500, 502, 503, 504] {
        let server = always(ResponseTemplate::new(status)).await;
        let error = plain(&writer(&server.uri())).await.unwrap_err();
        assert!(matches!(error, SendError::Unknown(_)), "{status}: {error:?}");
        assert_eq!(asked(&server).await, 1, "{status}");
    }
}

#[tokio::test]
async fn a_no_is_a_no() {
    let elsewhere = always(ResponseTemplate::new(200)).await;
    for status in [307, 308, 400, 401, 403, 404, 409] {
        let no = ResponseTemplate::new(status).insert_header("Location", elsewhere.uri());
        let server = always(no).await;
        let error = plain(&writer(&server.uri())).await.unwrap_err();
        assert!(matches!(error, SendError::Refused(_)), "{status}: {error:?}");
        assert_eq!(asked(&server).await, 1, "{status}");
    }
    assert_eq!(asked(&elsewhere).await, 0, "neither token nor change follows a redirect");
}

#[tokio::test]
async fn too_early_is_sent_again_where_nobody_says_when() {
    let page = ResponseTemplate::new(429).set_body_raw("<h1>Slow down</h1>", "text/html");
    let silent = ResponseTemplate::new(429).set_body_json(json!({
        "errcode": "M_LIMIT_EXCEEDED", "error": "Slow", "retry_after_ms": null,
    }));
    for limited in [page, silent, ResponseTemplate::new(429)] {
        let server = at_first(3, limited.clone()).await;
        plain(&short_writer(&server.uri())).await.unwrap();
        assert_eq!(asked(&server).await, 4);
        let server = always(limited).await;
        let error = plain(&short_writer(&server.uri())).await.unwrap_err();
        assert!(matches!(error, SendError::Refused(_)), "{error:?}");
        assert_eq!(asked(&server).await, 4);
    }
}

#[tokio::test]
async fn too_early_is_sent_again_when_the_homeserver_says_when() {
    let server = at_first(3, limited(60)).await;
    let started = Instant::now();
    plain(&writer(&server.uri())).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(180));
    assert_eq!(asked(&server).await, 4);

    let server = always(limited(1)).await;
    let error = plain(&writer(&server.uri())).await.unwrap_err();
    assert!(matches!(error, SendError::Refused(_)), "{error:?}");
    assert_eq!(asked(&server).await, 4);

    let server = always(limited(30_001)).await;
    let error = plain(&writer(&server.uri())).await.unwrap_err();
    assert!(matches!(error, SendError::Refused(_)), "{error:?}");
    assert_eq!(asked(&server).await, 1);
}

#[tokio::test]
async fn no_change_goes_over_a_connection_that_was_left_open() {
    let server = Bytes::start(Then::Say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")).await;
    let writer = writer(&server.base);
    for _ in 0..3 {
        plain(&writer).await.unwrap();
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_secret_is_filled_in_at_the_last_moment() {
    let server = always(ResponseTemplate::new(200).set_body_json(json!({}))).await;
    let mut secrets = Secrets::new();
    secrets.put("password", "correct horse".into());
    send(&writer(&server.uri()), &password(), &mut secrets).await.unwrap();
    let sent: Value = server.received_requests().await.unwrap()[0].body_json().unwrap();
    assert_eq!(sent, json!({"new_password": "correct horse", "logout_devices": true}));
    assert!(!format!("{secrets:?}").contains("horse"));
}

#[tokio::test]
async fn without_its_secret_nothing_is_sent() {
    let server = always(ResponseTemplate::new(200)).await;
    let error = send(&writer(&server.uri()), &password(), &mut Secrets::new()).await.unwrap_err();
    assert!(matches!(error, SendError::NoSecret), "{error:?}");
    assert_eq!(asked(&server).await, 0);
}

#[tokio::test]
async fn a_secret_in_the_answer_is_gone_before_anybody_reads_it() {
    let body = json!({"access_token": "syt_made_here", "user_id": "@ann:x"});
    let server = always(ResponseTemplate::new(200).set_body_json(body)).await;
    let mut secrets = Secrets::new();
    let answer = send(&writer(&server.uri()), &login(), &mut secrets).await.unwrap();
    assert_eq!(answer.body, json!({"access_token": {"$secret": "token"}, "user_id": "@ann:x"}));
    assert_eq!(secrets.take("token").unwrap().expose_secret(), "syt_made_here");
}

#[tokio::test]
async fn success_without_a_readable_answer_is_done() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"a\"";
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n";
    let empty = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
    for (bytes, status) in [(cut, 200), (long, 200), (empty, 201)] {
        let server = Bytes::start(Then::SayAndClose(bytes)).await;
        let answer = plain(&short_writer(&server.base)).await.unwrap();
        assert_eq!((answer.status, answer.body), (status, Value::Null));
    }
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_is_no_success() {
    for status in [200, 201] {
        let server = always(ResponseTemplate::new(status).set_body_string("<p>Welcome</p>")).await;
        let error = plain(&writer(&server.uri())).await.unwrap_err();
        assert!(matches!(error, SendError::Unknown(_)), "{status}: {error:?}");
        assert!(error.to_string().contains("something in front of the homeserver"), "{error}");
        assert_eq!(asked(&server).await, 1);
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_no_success_either() {
    for body in ["{\"a\"", "[1, 2", "{"] {
        let server = always(ResponseTemplate::new(200).set_body_string(body)).await;
        let error = plain(&writer(&server.uri())).await.unwrap_err();
        assert!(matches!(error, SendError::Unknown(_)), "{body}: {error:?}");
        assert!(error.to_string().contains("broke before its answer was complete"), "{error}");
        assert_eq!(asked(&server).await, 1);
    }
}

#[tokio::test]
async fn a_no_that_is_not_the_homeservers_is_named_for_what_it_is() {
    for (status, words) in [
        (301, "with a redirect"),
        (401, "requires its own login"),
        (403, "in front of the homeserver answered instead (403)"),
        (405, "blocks this kind of request (405)"),
        (502, "the proxy in front of the homeserver got no answer from it (502)"),
        (504, "the proxy in front of the homeserver got no answer from it (504)"),
    ] {
        let page = ResponseTemplate::new(status).set_body_raw("<h1>Sorry</h1>", "text/html");
        let error = plain(&writer(&always(page).await.uri())).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains(words) && said.contains("homeserver.admin_url"), "{status}: {said}");
        let is_unknown = matches!(error, SendError::Unknown(_));
        assert_eq!(is_unknown, status > 500, "{status}: {error:?}");
    }
    // What wants to be authenticated again has no error code, and is the homeserver's.
    let flows = json!({ "flows": [{ "stages": ["m.login.password"] }], "session": "x" });
    let asks = always(ResponseTemplate::new(401).set_body_json(flows)).await;
    let said = plain(&writer(&asks.uri())).await.unwrap_err().to_string();
    assert!(!said.contains("in front of"), "{said}");
}

#[tokio::test]
async fn success_that_lost_the_secret_it_made_is_unknown() {
    for body in [json!({}), json!({"access_token": 7}), json!([])] {
        let server = always(ResponseTemplate::new(200).set_body_json(&body)).await;
        let mut secrets = Secrets::new();
        let error = send(&writer(&server.uri()), &login(), &mut secrets).await.unwrap_err();
        assert!(matches!(error, SendError::Unknown(_)), "{body}: {error:?}");
        assert!(secrets.is_empty());
    }
}

#[tokio::test]
async fn a_homeserver_that_repeats_a_secret_is_not_quoted() {
    let complaints = [
        "bad password: hunter2hunter2",
        "1 validation error\nnew_password\n  too long [type=string_too_long, input_value='hunt...']",
    ];
    for complaint in complaints {
        let body = json!({"errcode": "M_INVALID_PARAM", "error": complaint});
        let server = always(ResponseTemplate::new(400).set_body_json(body)).await;
        let mut secrets = Secrets::new();
        secrets.put("password", "hunter2hunter2".into());
        let error = send(&writer(&server.uri()), &password(), &mut secrets).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunt"), "{error:?}");
        assert!(error.to_string().contains("M_INVALID_PARAM"), "{error}");
    }
}

/// What is done in an account's name, with the answers that make it possible.
async fn acting() -> (MockServer, Vec<Step>) {
    let server = MockServer::start().await;
    let token = json!({ "access_token": "syt_of_ann" });
    Mock::given(path_regex("/login$"))
        .respond_with(ResponseTemplate::new(200).set_body_json(token))
        .mount(&server)
        .await;
    let deed = Step::new(Method::Post, Path::client(["v3", "rooms", "!a:x", "leave"]), json!({}));
    let ann = <&ruma::UserId>::try_from("@ann:x").unwrap();
    (server, as_account(ann, jiff::Timestamp::UNIX_EPOCH, vec![deed]))
}

#[tokio::test]
async fn what_is_done_in_an_accounts_name_goes_with_its_token_and_with_no_other() {
    let (server, steps) = acting().await;
    let success = ResponseTemplate::new(200).set_body_json(json!({}));
    Mock::given(any()).respond_with(success).mount(&server).await;
    let (writer, mut secrets) = (writer(&server.uri()), Secrets::new());
    for step in &steps {
        let answer = send(&writer, step, &mut secrets).await.unwrap();
        assert!(!answer.body.to_string().contains("syt_of_ann"), "{answer:?}");
    }
    let sent = server.received_requests().await.unwrap();
    let of = |n: usize| {
        let all = sent[n].headers.get_all("authorization").iter();
        all.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let admin = of(0);
    assert!(admin.len() == 1 && admin != ["Bearer syt_of_ann"], "{admin:?}");
    assert_eq!(of(1), ["Bearer syt_of_ann"]);
    assert_eq!(of(2), ["Bearer syt_of_ann"], "what is ended is that token");
    assert!(!format!("{secrets:?}").contains("syt_of_ann"));
    let written = serde_json::to_string(&steps).unwrap();
    assert!(!written.contains("syt_of_ann"), "{written}");
}

#[tokio::test]
async fn what_the_homeserver_says_of_another_token_is_not_said_of_the_admins() {
    for (code, status) in [("M_UNKNOWN_TOKEN", 401), ("M_USER_LOCKED", 401)] {
        let (server, steps) = acting().await;
        let text = "Unrecognised access token syt_of_ann";
        let body = json!({ "errcode": code, "error": text });
        let no = ResponseTemplate::new(status).set_body_json(body);
        Mock::given(path_regex("/leave$")).respond_with(no).mount(&server).await;
        let reader = reader(&server.uri());
        let (writer, mut secrets) = (writer(&server.uri()).noting(&reader), Secrets::new());
        send(&writer, &steps[0], &mut secrets).await.unwrap();
        let error = send(&writer, &steps[1], &mut secrets).await.unwrap_err();
        assert!(matches!(error, SendError::NotTaken(_)) && !error.is_for_now(), "{error:?}");
        assert!(reader.token().refused().is_none(), "the admin token is as good as before");
        assert!(!format!("{error} {error:?}").contains("syt_of_ann"), "{error:?}");
    }
}

#[tokio::test]
async fn without_the_token_nothing_is_done_with_the_admins() {
    let (server, steps) = acting().await;
    let error = send(&writer(&server.uri()), &steps[1], &mut Secrets::new()).await.unwrap_err();
    assert!(matches!(error, SendError::NoSecret), "{error:?}");
    assert_eq!(asked(&server).await, 0);
}
