//! Something stands in front of the homeserver and answers in its place: it is named for what it is,
//! and nothing that it says is taken for the homeserver's word.

use anyhow::Result;
use reqwest::Method;
use serde_json::json;
use world::Fault;

use crate::support::{is, says, suspend, watched};

/// What is answered in place of the homeserver, and how that is named.
fn answers() -> Vec<(Fault, &'static str)> {
    vec![
        (Fault::Page(403), "something in front of the homeserver answered instead (403)"),
        (Fault::Page(404), "something in front of the homeserver answered instead (404)"),
        (Fault::Page(405), "blocks this kind of request (405)"),
        (Fault::Page(401), "requires its own login (401)"),
        (Fault::Page(301), "answers with a redirect"),
        (
            Fault::Page(200),
            "something in front of the homeserver answered instead, with a web \
                            page",
        ),
        (Fault::Answer(403, json!({ "message": "Forbidden" })), "answered instead (403)"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_answers_is_named_and_no_fact() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let path = format!("/_synapse/admin/v2/users/%40{}", eve.user_id.localpart());
    let empty = [json!({}), json!([])].map(|body| Fault::Answer(200, body));
    let empty = empty.map(|fault| (fault, "not in the expected format"));
    for (fault, named) in answers().into_iter().chain(empty) {
        let _caught = proxy.next(Method::GET, &path, fault.clone());
        let look = scene.ann_asks(&format!("!user admin {}", eve.user_id)).await?;
        says(&look, "Failed", &[named, "homeserver.admin_url"]);
        let _caught = proxy.next(Method::GET, &path, fault);
        let change = scene.ann_asks(&suspend(&eve)).await?;
        says(&change, "Failed", &[named, "homeserver.admin_url"]);
    }
    for key in ["event_reports", "rooms", "federation/destinations"] {
        let path = format!("/_synapse/admin/v1/{key}");
        let list = match key {
            "event_reports" => "!report list",
            "rooms" => "!room list",
            _ => "!federation list",
        };
        let _caught = proxy.next(Method::GET, &path, Fault::Answer(200, json!({ "ok": true })));
        says(&scene.ann_asks(list).await?, "Failed", &["not in the expected format"]);
    }
    assert_eq!(proxy.changes().len(), 0, "{:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_it_keeps_back_is_not_told_as_the_homeservers_no() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    for (fault, named) in answers() {
        let unknown = matches!(fault, Fault::Page(200));
        let _caught = proxy.next(Method::PUT, "/suspend/", fault);
        let told = scene.ann_asks(&suspend(&eve)).await?;
        says(&told, if unknown { "Unknown" } else { "Failed" }, &[named, "homeserver.admin_url"]);
        if unknown {
            says(&told, "", &["State: active"]);
        }
        assert!(!is(&scene, &eve, "suspended").await?);
    }
    let ok = |rest: &str| Fault::Raw(format!("HTTP/1.1 200 OK\r\n{rest}").into_bytes());
    for (fault, word) in [
        (Fault::Answer(200, json!({})), "Nothing changed"),
        (Fault::Answer(200, json!([])), "Nothing changed"),
        (ok("content-length: 0\r\n\r\n"), "Nothing changed"),
        (ok("content-length: 9\r\n\r\n{\"name\":"), "Nothing changed"),
        (ok("content-length: 8\r\n\r\n{\"name\":"), "Unknown"),
        (ok("content-encoding: gzip\r\ncontent-length: 7\r\n\r\ngarbage"), "Nothing changed"),
        (Fault::Raw(b"no HTTP\r\n\r\n".to_vec()), "Unknown"),
        (Fault::Answer(413, json!({ "errcode": "M_TOO_LARGE", "error": "x" })), "Refused"),
        (Fault::Page(413), "Failed"),
    ] {
        let _caught = proxy.next(Method::PUT, "/suspend/", fault.clone());
        let told = scene.ann_asks(&suspend(&eve)).await?;
        says(&told, word, &[eve.user_id.as_str()]);
        assert!(!told.body.contains("It may"), "it may still do all: {fault:?} {}", told.body);
        assert!(!is(&scene, &eve, "suspended").await?);
    }
    for status in [502, 504] {
        let _caught = proxy.next(Method::PUT, "/suspend/", Fault::Page(status));
        let told = scene.ann_asks(&suspend(&eve)).await?;
        says(&told, "Unknown", &["the proxy in front of the homeserver", "State: active"]);
    }
    says(&scene.ann_asks(&suspend(&eve)).await?, "Done", &[]);
    assert!(is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_another_is_not_taken_for_that_of_whom_it_is_asked() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let others = scene.synapse().admin().account(&sam.user_id).await?;
    let path = format!("/_synapse/admin/v2/users/%40{}", eve.user_id.localpart());
    for command in [suspend(&eve), format!("!user admin {}", eve.user_id)] {
        let _caught = proxy.next(Method::GET, &path, Fault::Answer(200, others.clone()));
        says(&scene.ann_asks(&command).await?, "Failed", &["not in the expected format"]);
    }
    let other = json!({ "room_id": "!other:x.example", "name": "Other", "joined_members": 0 });
    let _caught = proxy.next(Method::GET, "/_synapse/admin/v1/rooms/", Fault::Answer(200, other));
    let told = scene.ann_asks("!room power-levels !another:synod.test").await?;
    says(&told, "Failed", &["not in the expected format"]);
    assert_eq!(proxy.changes().len(), 0, "{:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_does_not_take_it_for_a_lost_right() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    for fault in [Fault::Page(403), Fault::Page(405), Fault::Page(301), Fault::Page(200)] {
        let _caught = proxy.next(Method::GET, "/_synapse/admin/v2/users?limit=1", fault.clone());
        let told = scene.ann_asks("!doctor").await?;
        let named = ["Bad\n- “admin token: ", "in front of", "Set homeserver.admin_url"];
        says(&told, "Problems: ", &named);
        assert!(!told.body.contains("is not a server admin"), "{fault:?}: {}", told.body);
    }
    let body = json!({ "errcode": "M_FORBIDDEN", "error": "You are not a server admin" });
    let _caught =
        proxy.next(Method::GET, "/_synapse/admin/v2/users?limit=1", Fault::Answer(403, body));
    let told = scene.ann_asks("!doctor").await?;
    says(&told, "Problems: ", &["Bad\n- “admin token: ", "is not a server admin"]);
    Ok(())
}
