//! What is asked of the authentication service, and with which token.

use ruma::user_id;
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{method, path},
};

use super::*;
use crate::{
    change::{Method, Path, Step},
    gate::Permit,
    synapse::{AccountsAccess, Keeper, Secrets, SendError},
};

const ID: &str = "01JD0PSYN0D0000000000000E0";

/// A homeserver that says that an authentication service keeps its accounts, and that service, which
/// gives out tokens that last so many seconds.
async fn both(expires_in: u64) -> (MockServer, MockServer, Reader) {
    let (homeserver, service) = (MockServer::start().await, MockServer::start().await);
    let metadata = json!({ "issuer": service.uri() });
    answers(&homeserver, "GET", "/_matrix/client/v1/auth_metadata", 200, metadata).await;
    let given =
        json!({ "access_token": "mat_a", "token_type": "Bearer", "expires_in": expires_in });
    answers(&service, "POST", "/oauth2/token", 200, given).await;
    let site = json!({ "server_name": "example.org" });
    answers(&service, "GET", "/api/admin/v1/site-config", 200, site).await;
    let accounts = AccountsAccess {
        admin_url: service.uri().parse().unwrap(),
        issuer: service.uri().parse().unwrap(),
        client_id: "01JD0PSYN0D0000000000000B0".to_owned(),
        client_secret: "hunter2".into(),
    };
    let access = Access { accounts: Some(accounts), ..access(&homeserver.uri()) };
    let limits = Limits { pause: SHORT.pause, ..Limits::READ };
    let reader = Reader::limited(access, Arc::new(SystemClock), limits).unwrap();
    (homeserver, service, reader)
}

async fn answers(server: &MockServer, verb: &str, at: &str, status: u16, body: Value) {
    let answer = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(method(verb)).and(path(at)).respond_with(answer).mount(server).await;
}

/// The requests for this path that reached `server`.
async fn asked_for(server: &MockServer, at: &str) -> Vec<Request> {
    let requests = server.received_requests().await.unwrap();
    requests.into_iter().filter(|request| request.url.path() == at).collect()
}

fn user(name: &str, locked: bool) -> Value {
    let locked = locked.then_some("2026-11-20T10:00:00.123456Z");
    let attributes = json!({
        "username": name, "created_at": "2026-11-01T10:00:00Z", "locked_at": locked,
        "deactivated_at": null, "admin": false, "legacy_guest": false,
    });
    json!({ "data": { "type": "user", "id": ID, "attributes": attributes } })
}

const ANN: &str = "/api/admin/v1/users/by-username/ann";

fn lock() -> Step {
    Step::new(Method::Post, Path::accounts(["users", ID, "lock"]), Value::Null)
}

#[tokio::test]
async fn one_token_of_its_own_serves_for_all_and_the_admin_token_goes_nowhere_else() {
    let (_homeserver, service, reader) = both(300).await;
    answers(&service, "GET", ANN, 200, user("ann", true)).await;
    answers(
        &service,
        "POST",
        "/api/admin/v1/users/01JD0PSYN0D0000000000000E0/lock",
        200,
        json!({}),
    )
    .await;
    let ann = user_id!("@ann:example.org");
    for _ in 0..3 {
        let Keeper::Service(kept) = reader.look().keeper(ann).await.unwrap() else {
            panic!("the service keeps it")
        };
        assert!(kept.locked && !kept.deactivated && kept.id == ID);
    }
    let writer = writer("http://127.0.0.1:9").noting(&reader);
    let mut permit = Permit::naming(&[lock()]);
    writer.send(&mut permit, &lock(), &mut Secrets::new()).await.unwrap();
    let again = writer.send(&mut permit, &lock(), &mut Secrets::new()).await;
    assert!(matches!(again, Err(SendError::NotPermitted)));

    let tokens = asked_for(&service, "/oauth2/token").await;
    assert_eq!(tokens.len(), 1);
    assert_eq!(
        String::from_utf8_lossy(&tokens[0].body),
        "grant_type=client_credentials&scope=urn%3Amas%3Aadmin"
    );
    for request in service.received_requests().await.unwrap() {
        let header = request.headers["authorization"].to_str().unwrap();
        let wanted = if request.url.path() == "/oauth2/token" { "Basic " } else { "Bearer mat_a" };
        assert!(header.starts_with(wanted) && !header.contains(TOKEN), "{}", request.url);
    }
    assert_eq!(asked_for(&service, "/api/admin/v1/site-config").await.len(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_once_where_it_is_refused() {
    let (_homeserver, service, reader) = both(0).await;
    answers(&service, "GET", ANN, 200, user("ann", false)).await;
    let ann = user_id!("@ann:example.org");
    for _ in 0..2 {
        reader.look().keeper(ann).await.unwrap();
    }
    assert_eq!(asked_for(&service, "/oauth2/token").await.len(), 3, "one for each request");

    let (_homeserver, service, reader) = both(300).await;
    let refused = json!({ "errors": [{ "title": "Missing scope" }] });
    let at = "/api/admin/v1/users/01JD0PSYN0D0000000000000E0/lock";
    answers(&service, "POST", at, 401, refused).await;
    let writer = writer("http://127.0.0.1:9").noting(&reader);
    let sent = writer
        .send(&mut Permit::naming(&[lock()]), &lock(), &mut Secrets::new())
        .await
        .unwrap_err();
    assert!(matches!(&sent, SendError::Refused(_)), "{sent:?}");
    assert!(sent.to_string().contains("policy.data.admin_clients"), "{sent}");
    assert_eq!(asked_for(&service, at).await.len(), 2);
    assert_eq!(asked_for(&service, "/oauth2/token").await.len(), 2);
}

#[tokio::test]
async fn an_account_of_another_name_or_server_is_never_taken_for_this_one() {
    let (_homeserver, service, reader) = both(300).await;
    answers(&service, "GET", ANN, 200, user("anna", true)).await;
    let ann = user_id!("@ann:example.org");
    assert!(reader.look().keeper(ann).await.is_err());
    let elsewhere = user_id!("@ann:evil.example");
    assert_eq!(reader.look().keeper(elsewhere).await.unwrap(), Keeper::Homeserver);
    assert_eq!(asked_for(&service, ANN).await.len(), 1, "it is not asked about that one");
}

#[tokio::test]
async fn who_is_not_known_there_is_told_from_an_admin_api_that_is_not_there() {
    let (_homeserver, service, reader) = both(300).await;
    let ann = user_id!("@ann:example.org");
    // No such route.
    let error = reader.look().keeper(ann).await.unwrap_err();
    assert!(error.to_string().contains("adminapi"), "{error}");
    answers(&service, "GET", ANN, 404, json!({ "errors": [{ "title": "User not found" }] })).await;
    assert_eq!(reader.look().keeper(ann).await.unwrap(), Keeper::NotKnownThere);
}
