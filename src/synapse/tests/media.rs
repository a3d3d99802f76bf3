//! Files of a homeserver that serves them from a process of their own.

use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, path},
};

use super::{access, asked, reader, writer};
use crate::{
    change::{Method, Path, Step},
    clock::SystemClock,
    error::api::Error,
    gate::Permit,
    synapse::{Access, Reader, Secrets, SendError, Writer},
};

/// A process that knows these routes and no others.
async fn process(routes: &[&str]) -> MockServer {
    let server = MockServer::start().await;
    for route in routes {
        let answer = ResponseTemplate::new(200).set_body_json(json!({ "fine": true }));
        Mock::given(path(*route)).respond_with(answer).mount(&server).await;
    }
    let unknown = json!({ "errcode": "M_UNRECOGNIZED", "error": "Unrecognized request" });
    let unknown = ResponseTemplate::new(404).set_body_json(unknown);
    Mock::given(any()).respond_with(unknown).with_priority(9).mount(&server).await;
    server
}

const VERSION: &str = "/_synapse/admin/v1/server_version";
const QUARANTINE: &str = "/_synapse/admin/v1/media/quarantine/x.test/abc";
/// Asked for to learn whether files are served.
const NOBODY: &str = "/_synapse/admin/v1/users/%40%3Aexample.org/media";

fn of_media() -> Vec<Path> {
    vec![
        Path::admin(["v1", "media", "x.test", "abc"]),
        Path::admin(["v1", "media", "quarantine", "x.test", "abc"]),
        Path::admin(["v1", "media", "x.test", "delete"]),
        Path::admin(["v1", "room", "!abc:x.test", "media"]),
        Path::admin(["v1", "room", "!abc:x.test", "media", "quarantine"]),
        Path::admin(["v1", "user", "@ann:x.test", "media", "quarantine"]),
        Path::admin(["v1", "users", "@ann:x.test", "media"]),
        Path::admin(["v1", "quarantine_media", "!abc:x.test"]),
        Path::admin(["v1", "purge_media_cache"]),
    ]
}

fn of_the_rest() -> Vec<Path> {
    vec![
        Path::admin(["v1", "server_version"]),
        Path::admin(["v2", "users", "media"]),
        Path::admin(["v1", "rooms", "media"]),
        Path::admin(["v1", "statistics", "users", "media"]),
        Path::admin(["v1", "registration_tokens", "media"]),
        Path::client(["v1", "media", "config"]),
    ]
}

fn with_media(main: &str, media: &str) -> Access {
    Access { media: Some(media.parse().unwrap()), ..access(main) }
}

async fn got(reader: &Reader, path: &Path) -> Result<Value, Error> {
    reader.get(path, &[]).await
}

#[tokio::test]
async fn what_is_about_files_goes_to_their_address_and_nothing_else_does() {
    for path in of_media() {
        assert!(path.is_of_media(), "{path:?}");
    }
    for path in of_the_rest() {
        assert!(!path.is_of_media(), "{path:?}");
    }
    let (main, media) = (process(&[VERSION]).await, process(&[NOBODY, QUARANTINE]).await);
    let access = || with_media(&main.uri(), &media.uri());
    let reader = Reader::new(access(), std::sync::Arc::new(SystemClock)).unwrap();
    got(&reader, &Path::admin(["v1", "server_version"])).await.unwrap();
    got(&reader, &Path::admin(["v1", "users", "@:example.org", "media"])).await.unwrap();
    assert_eq!((asked(&main).await, asked(&media).await), (1, 1));

    let step = quarantine();
    let mut permit = Permit::naming(std::slice::from_ref(&step));
    let writer = Writer::new(access()).unwrap();
    writer.send(&mut permit, &step, &mut Secrets::new()).await.unwrap();
    assert_eq!((asked(&main).await, asked(&media).await), (1, 2));
}

fn quarantine() -> Step {
    let path = Path::admin(["v1", "media", "quarantine", "x.test", "abc"]);
    Step::new(Method::Post, path, json!({})).idempotent()
}

#[tokio::test]
async fn files_that_are_served_elsewhere_are_told_from_what_is_too_old() {
    let file = Path::admin(["v1", "media", "x.test", "abc"]);
    for (routes, words) in [
        // The main process of a homeserver with a media worker.
        (&[VERSION][..], "set homeserver.media_admin_url to the address of that worker"),
        // A Synapse that is too old to show one file.
        (&[VERSION, NOBODY], "it is too old"),
        // Some other worker.
        (&[], "another worker serves it"),
    ] {
        let server = process(routes).await;
        let error = got(&reader(&server.uri()), &file).await.unwrap_err();
        assert!(error.to_string().contains(words), "{routes:?}: {error}");
        assert_eq!(error.is_misplaced_media(), words.starts_with("set"), "{routes:?}");
    }
    // What is not about files is no reason to look for them.
    let server = process(&[VERSION]).await;
    got(&reader(&server.uri()), &Path::admin(["v1", "rooms"])).await.unwrap_err();
    assert_eq!(asked(&server).await, 1);

    let (main, wrong) = (process(&[VERSION]).await, process(&[VERSION]).await);
    let access = with_media(&main.uri(), &wrong.uri());
    let reader = Reader::new(access, std::sync::Arc::new(SystemClock)).unwrap();
    let error = got(&reader, &file).await.unwrap_err();
    assert!(error.to_string().starts_with("the process at homeserver.media_admin_url"), "{error}");
}

#[tokio::test]
async fn a_change_of_files_that_nobody_serves_has_changed_nothing() {
    let main = process(&[VERSION]).await;
    let step = quarantine();
    let mut permit = Permit::naming(std::slice::from_ref(&step));
    let sent = writer(&main.uri()).send(&mut permit, &step, &mut Secrets::new()).await;
    let Err(SendError::Refused(error)) = sent else { panic!("{sent:?}") };
    assert!(error.is_misplaced_media(), "{error}");
}
