//! Looking at a homeserver that has no Admin API, or not all of it.

use ruma::user_id;
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, path, path_regex},
};

use super::{asked, reader};
use crate::synapse::{Moderation, Surface};

/// Where it is asked of an account, by the specification.
const EVE: &str = "/_matrix/client/v1/admin/suspend/%40eve%3Aexample.org";

fn says(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

fn refuses(status: u16, errcode: &str) -> ResponseTemplate {
    says(status, &json!({ "errcode": errcode, "error": "no" }))
}

/// A homeserver that knows whose the token is, lets that account suspend, and knows nothing else but what
/// is mounted before: of eve it says this.
async fn specified(eve: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let own = json!({ "user_id": "@keeper:example.org" });
    let announced = json!({ "capabilities": { "m.account_moderation": { "suspend": true } } });
    for (at, answer) in [
        ("/_matrix/client/v3/account/whoami", says(200, &own)),
        ("/_matrix/client/v3/capabilities", says(200, &announced)),
        (EVE, eve),
    ] {
        Mock::given(path(at)).respond_with(answer).mount(&server).await;
    }
    Mock::given(any()).respond_with(refuses(404, "M_UNRECOGNIZED")).mount(&server).await;
    server
}

/// How many requests were for the Admin API.
async fn for_admin_api(server: &MockServer) -> usize {
    let requests = server.received_requests().await.unwrap();
    requests.iter().filter(|request| request.url.path().starts_with("/_synapse/")).count()
}

#[tokio::test]
async fn nothing_more_is_asked_where_the_admin_api_answers() {
    let server = MockServer::start().await;
    let account = json!({ "name": "@eve:example.org", "admin": false, "deactivated": false });
    Mock::given(path_regex("^/_synapse/admin/v2/users/"))
        .respond_with(says(200, &account))
        .mount(&server)
        .await;
    Mock::given(any()).respond_with(refuses(404, "M_UNRECOGNIZED")).mount(&server).await;
    let reader = reader(&server.uri());
    assert_eq!(reader.surface().await.unwrap(), None);
    let found = reader.account(user_id!("@eve:example.org")).await.unwrap().unwrap();
    assert_eq!((found.told, asked(&server).await), (None, 1));
    assert_eq!(reader.surface().await.unwrap(), None);
    assert_eq!(asked(&server).await, 1);
}

#[tokio::test]
async fn that_there_is_no_admin_api_is_found_once_and_known_from_then_on() {
    let server = specified(says(200, &json!({ "suspended": true }))).await;
    let reader = reader(&server.uri());
    let eve = user_id!("@eve:example.org");
    for _ in 0..3 {
        let found = reader.look().account(eve).await.unwrap().unwrap();
        assert_eq!((found.suspended, found.locked, found.admin), (Some(true), false, false));
        let told = found.told.unwrap();
        assert_eq!((told.suspended, told.locked, told.withheld), (Some(true), None, false));
    }
    // The look that was in vain, and the two by which it is found what is there.
    assert_eq!(for_admin_api(&server).await, 3);
    let moderation = Some(Moderation { suspend: true, lock: false, stable: true });
    let surface = Surface { admin_api: false, moderation, whois: false };
    assert_eq!(reader.surface().await.unwrap(), Some(surface));
    assert!(reader.lacks_admin_api() && reader.sees_by_specification());
}

#[tokio::test]
async fn what_the_specification_refuses_is_told_from_what_is_not_there() {
    let eve = user_id!("@eve:example.org");
    let look = async |answer| {
        let server = specified(answer).await;
        reader(&server.uri()).account(eve).await
    };
    assert_eq!(look(refuses(404, "M_NOT_FOUND")).await.unwrap(), None);
    let admin = look(refuses(403, "M_FORBIDDEN")).await.unwrap().unwrap();
    assert!(admin.admin && admin.told.is_some_and(|told| told.withheld));
    for no_answer in [
        says(200, &json!({ "locked": true })),
        says(200, &json!({ "suspended": "yes" })),
        refuses(401, "M_UNKNOWN_TOKEN"),
        ResponseTemplate::new(403),
    ] {
        assert!(look(no_answer).await.is_err());
    }
}

#[tokio::test]
async fn a_part_of_the_admin_api_is_asked_for_each_time() {
    let server = MockServer::start().await;
    for (at, body) in [
        ("/_matrix/client/v3/account/whoami", json!({ "user_id": "@keeper:example.org" })),
        ("/_synapse/admin/v1/server_version", json!({ "server_version": "1.163.2" })),
        ("/_matrix/client/v3/capabilities", json!({ "capabilities": {} })),
    ] {
        Mock::given(path(at)).respond_with(says(200, &body)).mount(&server).await;
    }
    Mock::given(any()).respond_with(refuses(404, "M_UNRECOGNIZED")).mount(&server).await;
    let reader = reader(&server.uri());
    let error = reader.account(user_id!("@eve:example.org")).await.unwrap_err();
    assert!(error.is_unknown_route());
    assert_eq!(reader.surface().await.unwrap(), None, "another worker may have the rest");
    assert!(!reader.lacks_admin_api());
}
