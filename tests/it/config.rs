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
        "line 3, homeserver.admin_token: a secret does not stand in this file",
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

/// A homeserver that answers nothing after the login, so that the check is still at it.
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
