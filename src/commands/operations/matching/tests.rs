use serde_json::json;

use super::*;
use crate::{change::Path, commands::operations::OPERATIONS};

fn parts(path: &str) -> Vec<String> {
    path.split('/').map(str::to_owned).collect()
}

fn done(method: Method, path: &str, body: Value, found: &[(&str, bool)]) -> Vec<&'static str> {
    let step = Step::new(method, Path::below(crate::change::Root::Admin, parts(path)), body);
    let preconditions = found.iter().map(|(fact, is)| ((*fact).to_owned(), json!(is))).collect();
    verbs(&step, &Snapshot { preconditions, ..Snapshot::default() })
}

#[test]
fn the_same_operation_with_another_value_is_another_verb() {
    for (path, key, yes, no) in [
        ("v1/suspend/@ann:x", "suspend", "user suspend", "user unsuspend"),
        ("v1/rooms/!a:x/block", "block", "room block", "room unblock"),
        ("v2/users/@ann:x", "locked", "user lock", "user unlock"),
        ("v2/users/@ann:x", "deactivated", "user deactivate", "user reactivate"),
    ] {
        assert_eq!(done(Method::Put, path, json!({ key: true }), &[]), [yes]);
        assert_eq!(done(Method::Put, path, json!({ key: false }), &[]), [no]);
        // What the homeserver makes of this nobody knows.
        assert_eq!(done(Method::Put, path, json!({ key: "no" }), &[]).len(), 2, "{path}");
    }
    for (is, verb) in [(true, "background resume"), (false, "background pause")] {
        let path = "v1/background_updates/enabled";
        assert_eq!(done(Method::Post, path, json!({ "enabled": is }), &[]), [verb]);
    }
}

#[test]
fn the_fields_of_an_account_are_told_apart() {
    let put = |body, found| done(Method::Put, "v2/users/@ann:x", body, found);
    let there = &[("exists", true)][..];
    assert_eq!(put(json!({"displayname": "Ann"}), there), ["user modify"]);
    assert_eq!(put(json!({"password": "x", "logout_devices": true}), there), ["user password"]);
    assert_eq!(put(json!({"admin": false}), there), ["user admin"]);
    let both = put(json!({"displayname": "Ann", "deactivated": true}), there);
    assert_eq!(both, ["user modify", "user deactivate"]);
    // What an account is made with is no change of it.
    let new = &[("exists", false)][..];
    let made = json!({"password": "x", "admin": false, "displayname": "Ann"});
    assert_eq!(put(made, new), ["user register"]);
    assert_eq!(put(json!({"admin": true}), new), ["user register", "user admin"]);
}

#[test]
fn a_room_that_is_deleted_is_blocked_and_replaced_by_what_its_body_says() {
    for path in ["v2/rooms/!a:x", "v1/rooms/!a:x"] {
        let delete = |body| done(Method::Delete, path, body, &[]);
        assert_eq!(delete(json!({"block": false, "new_room_user_id": null})), ["room delete"]);
        assert_eq!(delete(json!({"block": true})), ["room delete", "room block"]);
        let instead = delete(json!({"new_room_user_id": "@ann:x"}));
        assert_eq!(instead, ["room delete", "room join", "notice send"]);
    }
    let quarantine = done(Method::Post, "v1/room/!a:x/media/quarantine", json!({}), &[]);
    assert_eq!(quarantine, ["media quarantine"]);
}

#[test]
fn what_could_be_taken_for_an_operation_does_its_work() {
    for (path, verb) in [
        ("v1/user/@ann:x/redacted", "user redact"),
        ("v1/user/@ann:x/redact/now", "user redact"),
        (
            "v1/users/@ann:x/_allow_cross_signing_replacement_without_uia2",
            "user cross-signing-reset",
        ),
        ("v1/users/@ann:x/login/x", "user login"),
    ] {
        assert_eq!(done(Method::Post, path, json!({}), &[]), [verb], "{path}");
    }
    let features = "v1/experimental_features/@ann:x/all";
    assert_eq!(done(Method::Put, features, json!({}), &[]), ["user experimental"]);
    for other in ["v1/user/@ann:x/redac", "v1/user", "v9/user/@ann:x/redact", "v1/nothing"] {
        assert!(done(Method::Post, other, json!({}), &[]).is_empty(), "{other}");
    }
}

#[test]
fn of_two_that_it_could_be_it_is_the_dearer() {
    let (found, _) = exactly(Some(Method::Post), &parts("v1/media/protect/delete")).unwrap();
    assert_eq!(found.path, "v1/media/{server_name}/delete");
}

#[test]
fn no_operation_extends_itself_into_another_unseen() {
    for operation in OPERATIONS.iter().filter(|one| one.class.is_some()) {
        let method = [Method::Post, Method::Put, Method::Delete]
            .into_iter()
            .find(|method| method.as_str() == operation.method);
        for longer in [format!("{}x", operation.path), format!("{}/x", operation.path)] {
            let longer = parts(&longer);
            let found = exactly(method, &longer).is_some();
            assert!(found || !extended(method, &longer).is_empty(), "{}", operation.path);
        }
    }
}
