//! What the room reads about an answer that is not success.

use serde_json::json;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::short_reader;
use crate::{change::Path, synapse::Error};

async fn error(status: u16, errcode: &str, message: &str) -> Error {
    let server = MockServer::start().await;
    let body = json!({"errcode": errcode, "error": message, "retry_after_ms": null});
    let answer = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let path = Path::admin(["v1", "server_version"]);
    short_reader(&server.uri()).get::<serde_json::Value>(&path, &[]).await.unwrap_err()
}

#[tokio::test]
async fn the_room_reads_whose_side_it_is_on() {
    let cases = [
        (
            401,
            "M_UNKNOWN_TOKEN",
            "Invalid access token passed.",
            "does not accept the bot's admin token",
        ),
        (401, "M_USER_LOCKED", "This account has been locked", "admin token is locked"),
        (403, "M_FORBIDDEN", "You are not a server admin", "is not a server admin"),
        (404, "M_UNRECOGNIZED", "Unrecognized request", "does not have this function"),
        (405, "M_UNRECOGNIZED", "Unrecognized request", "does not have this function"),
        (429, "M_LIMIT_EXCEEDED", "Too Many Requests", "limits how often"),
        (
            400,
            "M_UNKNOWN",
            "Can only look up local users",
            "the homeserver refused the request (400 M_UNKNOWN: Can only look up local users)",
        ),
        (
            404,
            "M_NOT_FOUND",
            "User not found",
            "knows nothing with that name (404 M_NOT_FOUND: User not found)",
        ),
        (
            500,
            "M_UNKNOWN",
            "Internal server error",
            "failed to handle the request; its log says why (500 M_UNKNOWN: Internal server error)",
        ),
        (502, "", "", "the proxy in front of the homeserver got no answer from it (502)"),
    ];
    for (status, errcode, message, wanted) in cases {
        let said = error(status, errcode, message).await.to_string();
        assert!(said.contains(wanted), "{status} {errcode}: {said}");
        assert!(!said.contains("127.0.0.1") && !said.ends_with('.'), "{said}");
    }
}

#[tokio::test]
async fn the_homeservers_own_words_cannot_alter_an_answer() {
    let message =
        "a\n# b\r\n* **c** `d` <b>e</b> [f](http://g) | h ~~i~~ _j_ \u{202e}k\u{2066} \\l &lt;";
    let said = error(400, "M_UNKNOWN", message).await.to_string();
    assert!(
        said.ends_with("(400 M_UNKNOWN: a # b c d b e /b f (http: g) h i j k l lt;)"),
        "{said}"
    );
    let long = error(400, "M_UNKNOWN", &"ä".repeat(400)).await.to_string();
    assert!(long.chars().count() < 300 && long.ends_with("…)"), "{long}");
    let code = error(400, "M_<b>\n", "x").await;
    assert_eq!(code.errcode(), None);
}
