//! What a person sees who starts the binary with a configuration that is not right yet.

use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, method, path},
};

const CANARY: &str = "syt_Canary_7x9Q";

fn synod(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_synod")).args(arguments).output().unwrap()
}

fn check(folder: &Path, yaml: &str) -> Output {
    let path = folder.join("synod.yaml");
    fs::write(&path, yaml).unwrap();
    synod(&["check", "--config", path.to_str().unwrap()])
}

fn said(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(!said.contains("Canary"), "a secret was told: {said}");
    said
}

#[test]
fn faults_are_told_together_before_anything_connects() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = format!(
        "homeserver:\n  url: http://192.0.2.1\n  admin_token: {CANARY}\nbot: {{}}\nstat: 1\n"
    );
    let output = check(folder.path(), &yaml);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in [
        "synod.yaml: 8 faults",
        "line 2, homeserver.url: plain http",
        "line 3, homeserver.admin_token: secrets do not belong in this file",
        "line 4, bot.user_id: this key is missing",
        "line 4, bot: the bot has no way to log in",
        "line 5, stat: there is no such key here. Write `state:`",
        "\n  rooms: this key is missing",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(output.stdout.is_empty());
}

/// A configuration without a fault for the homeserver at `url`.
fn sound(folder: &Path, url: &str) -> String {
    let secret = folder.join("secret");
    fs::write(&secret, CANARY).unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    format!(
        "homeserver:\n  url: {url}\n  admin_token: {{ file: secret }}\n\
         bot:\n  user_id: \"@synod:x\"\n  password: {{ file: secret }}\n\
         state: state\nrooms: [\"#a:x\"]\n\
         operators: [{{ user_id: \"@ann:x\", role: admin }}]\nlog: trace\n"
    )
}

#[test]
fn a_homeserver_that_does_not_answer_is_one_bad_line() {
    let folder = tempfile::tempdir().unwrap();
    // A port on which nobody listens: it was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let output = check(folder.path(), &sound(folder.path(), &url));
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told.lines().filter(|line| line.starts_with("BAD ")).count(), 1, "{told}");
    assert!(told.contains("Connection refused") && told.contains("homeserver.url"), "{told}");
    assert!(told.contains(&format!("homeserver: request to {url} failed: no answer")), "{told}");
    assert!(!folder.path().join("state").exists(), "a check makes nothing");
}

#[test]
fn wrong_arguments_end_with_2_and_the_usage() {
    for arguments in [&["check"][..], &["chek", "--config", "x"], &[]] {
        let output = synod(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(said(&output).contains("Usage: synod"), "{arguments:?}");
    }
    let version = synod(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert!(said(&version).starts_with("synod "));
}

#[test]
fn the_example_as_it_stands_is_told_to_hold_placeholders() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.yaml");
    let output = synod(&["check", "--config", example]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for key in ["homeserver.url", "bot.user_id", "rooms[0]", "operators[0].user_id"] {
        assert!(said.contains(&format!("{key}: this is still a placeholder.")), "{key}: {said}");
    }
}

/// A homeserver by the name `name`, which takes no token and no password.
async fn foreign_homeserver(name: &str) -> MockServer {
    let server = MockServer::start().await;
    let answers = [
        ("/_matrix/client/versions", json!({ "versions": ["v1.18"] })),
        ("/_synapse/admin/v1/server_version", json!({ "server_version": "1.163.2" })),
        ("/_matrix/key/v2/server", json!({ "server_name": name })),
    ];
    for (route, answer) in answers {
        let answer = ResponseTemplate::new(200).set_body_json(answer);
        Mock::given(path(route)).respond_with(answer).mount(&server).await;
    }
    let refused = json!({ "errcode": "M_FORBIDDEN", "error": "Invalid username or password" });
    let refused = ResponseTemplate::new(403).set_body_json(refused);
    Mock::given(path("/_matrix/client/v3/login")).respond_with(refused).mount(&server).await;
    let unknown = json!({ "errcode": "M_UNKNOWN_TOKEN", "error": "Invalid access token" });
    let unknown = ResponseTemplate::new(401).set_body_json(unknown);
    Mock::given(path("/_matrix/client/v3/account/whoami"))
        .respond_with(unknown)
        .mount(&server)
        .await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_takes_no_token_says_who_it_is_where_it_tells_others() {
    let folder = tempfile::tempdir().unwrap();
    for (name, other) in [("y", true), ("x", false)] {
        let server = foreign_homeserver(name).await;
        let yaml = sound(folder.path(), &server.uri());
        let place = folder.path().to_owned();
        let output = tokio::task::spawn_blocking(move || check(&place, &yaml)).await.unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.contains("this homeserver is y, not x"), other, "{said}");
        assert_eq!(said.contains("@synod:x cannot log in"), !other, "{said}");
        assert_eq!(said.contains("admin token: it does not work"), !other, "{said}");
    }
}

/// A homeserver that is not an answer after the login, so that the check is still at it.
async fn slow_homeserver() -> MockServer {
    let server = MockServer::start().await;
    let answers = [
        ("/_matrix/client/versions", json!({ "versions": ["v1.18"] })),
        ("/_synapse/admin/v1/server_version", json!({ "server_version": "1.163.2" })),
        ("/_matrix/client/v3/login", json!({ "access_token": "syt_passing", "device_id": "D" })),
    ];
    for (route, answer) in answers {
        let answer = ResponseTemplate::new(200).set_body_json(answer);
        Mock::given(path(route)).respond_with(answer).mount(&server).await;
    }
    Mock::given(path("/_matrix/client/v3/account/whoami"))
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_mins(10)))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/_matrix/client/v3/logout"))
        .and(header("authorization", "Bearer syt_passing"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
        .expect(1)
        .mount(&server)
        .await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_check_leaves_no_device_behind() {
    let folder = tempfile::tempdir().unwrap();
    let server = slow_homeserver().await;
    let file = folder.path().join("synod.yaml");
    fs::write(&file, sound(folder.path(), &server.uri())).unwrap();
    let told = tokio::task::spawn_blocking(move || {
        let mut check = Command::new(env!("CARGO_BIN_EXE_synod"))
            .args(["check", "--config"])
            .arg(file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut told = String::new();
        for line in BufReader::new(check.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if line.contains("the password of @synod:x works") {
                let id = check.id().to_string();
                assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
            }
            told.push_str(&line);
            told.push('\n');
        }
        assert_eq!(check.wait().unwrap().code(), Some(1), "{told}");
        told
    })
    .await
    .unwrap();
    assert!(told.contains("interrupted"), "{told}");
    server.verify().await;
}
