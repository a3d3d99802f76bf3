//! The traps of Synapse's Admin API, each with the test that walks into it, and those that no other
//! file has.

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};
use world::{Account, Api, NewRoom, Person, Scene, until};

use crate::{
    SYNOD,
    support::{api, make, says, watched, with_device, with_yes},
};

/// What each is, and the tests that show the bot beside it.
const TRAPS: &[(&str, &[(&str, &str)])] = &[
    (
        "it answers 200, and nothing has happened",
        &[
            ("traps.rs", "what_would_be_answered_with_success_and_do_nothing_is_not_sent"),
            ("media.rs", "unknown_and_protected_files_are_refused_though_the_homeserver_says_yes"),
        ],
    ),
    (
        "offsets shift while something is deleted or changed",
        &[("parity/faults.rs", "f03_a_pattern_skips_nobody")],
    ),
    ("a limit of 0 leads back to the same page", &[("traps.rs", "a_page_of_nothing_is_refused")]),
    (
        "_ and % stand for any characters",
        &[
            ("traps.rs", "what_is_searched_is_what_was_typed"),
            ("federation.rs", "a_server_that_cannot_be_reached_is_shown_and_tried_again"),
        ],
    ),
    ("locked accounts are left out", &[("traps.rs", "what_is_searched_is_what_was_typed")]),
    ("an @ in a search finds nobody", &[("traps.rs", "what_is_searched_is_what_was_typed")]),
    (
        "a search of rooms beside another filter finds what does not fit",
        &[("rooms_listed.rs", "a_search_beside_other_filters_finds_what_fits_both")],
    ),
    (
        "the files of an account are deleted by the page",
        &[("media.rs", "everything_of_an_account_goes_and_nothing_of_anybody_else")],
    ),
    (
        "a quarantine goes by the content",
        &[("media.rs", "a_quarantine_goes_by_the_content_and_so_does_its_undo")],
    ),
    (
        "the deletion of an unknown room is complete",
        &[("traps.rs", "what_would_be_answered_with_success_and_do_nothing_is_not_sent")],
    ),
    (
        "why a deletion has failed stands only among the tasks",
        &[("takedowns.rs", "a_deletion_is_watched_on_after_a_kill_and_a_failed_one_says_why")],
    ),
    (
        "any task is told as a redaction, or makes a 500",
        &[("traps.rs", "what_is_no_redaction_is_not_told_as_one")],
    ),
    (
        "ordinary input makes a 500",
        &[("traps.rs", "what_would_make_the_homeserver_fail_is_refused_in_a_sentence")],
    ),
    (
        "rooms of version 12 have ids without a server, and creators",
        &[
            (
                "rooms_listed.rs",
                "power_is_shown_of_one_room_and_of_many_with_the_creators_of_new_ones",
            ),
            ("parity/faults_of_data.rs", "f18_power_levels_have_creators_and_need_no_users"),
            ("rooms.rs", "an_admin_of_a_room_is_made_with_a_yes_and_invited"),
        ],
    ),
    (
        "moments are in seconds here and in milliseconds there",
        &[("verbs.rs", "what_is_known_of_an_account_is_shown")],
    ),
    (
        "booleans are 0 and 1",
        &[("media.rs", "what_is_protected_stays_out_of_quarantine_until_that_ends")],
    ),
    (
        "ids hold what means something in a path",
        &[
            ("events.rs", "an_event_is_shown_and_its_words_only_on_demand_and_never_by_accident"),
            ("traps.rs", "names_hold_what_means_something_in_a_path"),
        ],
    ),
];

#[test]
fn every_trap_has_a_test() {
    for (trap, tests) in TRAPS {
        assert!(!tests.is_empty(), "{trap}");
        for (file, test) in *tests {
            let path = format!("{}/tests/it/{file}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(text.contains(&format!("async fn {test}(")), "{trap}: no {test} in {file}");
        }
    }
}

/// What the homeserver answers to its own interface.
async fn raw(api: &Api, method: &Method, path: &str, body: Value) -> Result<u16> {
    let path = format!("/_synapse/admin/{path}");
    let (status, _) = match *method {
        Method::GET => api.get(&path).await?,
        Method::PUT => api.put(&path, body).await?,
        Method::DELETE => api.delete(&path, Some(body)).await?,
        _ => api.post(&path, body).await?,
    };
    Ok(status)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_answered_with_success_and_do_nothing_is_not_sent() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (eve, _) = with_device(&scene, "eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let room = make(&by_eve, json!({"preset": "public_chat"})).await?;
    let (api, id) = (scene.synapse().admin(), eve.user_id.as_str());
    let nobody = "@nobody-at-all:synod.test";
    let in_any = json!({ "rooms": [] });
    for (method, path, body, command, why) in [
        (
            Method::POST,
            "v1/media/quarantine/synod.test/nosuchfile".to_owned(),
            json!({}),
            "!media quarantine mxc://synod.test/nosuchfile".to_owned(),
            "no such file",
        ),
        (
            Method::DELETE,
            format!("v2/users/{id}/devices/NOSUCH"),
            json!({}),
            format!("!device delete {id} NOSUCH"),
            "has no device",
        ),
        (
            Method::DELETE,
            "v2/rooms/!nowhere:synod.test".to_owned(),
            json!({}),
            "!room delete !nowhere:synod.test".to_owned(),
            "!nowhere:synod.test",
        ),
        (
            Method::POST,
            format!("v1/user/{nobody}/redact"),
            in_any,
            format!("!user redact {nobody}"),
            "no such user",
        ),
        (
            Method::PUT,
            format!("v1/rooms/{room}/block"),
            json!({ "block": false }),
            format!("!room unblock {room}"),
            "not blocked",
        ),
        (
            Method::POST,
            format!("v1/join/{room}"),
            json!({ "user_id": id }),
            format!("!room join {room} {id}"),
            "already",
        ),
    ] {
        let status = raw(&api, &method, &path, body).await?;
        assert!((200..300).contains(&status), "{path} says {status} now, so it is no trap");
        let answer = scene.ann_asks(&command).await?;
        let word = answer.body.split(" · ").next().unwrap_or_default();
        assert!(
            ["Refused", "Not found", "Nothing changed"].contains(&word),
            "{command}: {}",
            answer.body
        );
        assert!(answer.body.contains(why), "{command}: {}", answer.body);
    }
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_make_the_homeserver_fail_is_refused_in_a_sentence() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let (api, nowhere) = (scene.synapse().admin(), "!nowhere:synod.test");
    let features = json!({ "features": { "msc3881": true } });
    for (method, path, body, command, why) in [
        (
            Method::GET,
            format!("v1/rooms/{nowhere}/hierarchy"),
            Value::Null,
            format!("!room hierarchy {nowhere}"),
            nowhere,
        ),
        (
            Method::DELETE,
            format!("v1/rooms/{nowhere}/forward_extremities"),
            json!({}),
            format!("!room extremities {nowhere} --delete"),
            nowhere,
        ),
        (
            Method::PUT,
            "v1/experimental_features/@nobody-at-all:synod.test".to_owned(),
            features,
            "!user experimental @nobody-at-all --enable msc3881".to_owned(),
            "no such user",
        ),
        (
            Method::POST,
            "v1/account_validity/validity".to_owned(),
            json!({ "user_id": eve.user_id }),
            format!("!user validity {}", eve.user_id),
            "--expire-at",
        ),
    ] {
        let status = raw(&api, &method, &path, body).await?;
        assert_eq!(status, 500, "{path} does not fail any more, so it is no trap");
        let answer = scene.ann_asks(&command).await?;
        says(&answer, "", &[why]);
        let word = answer.body.split(" · ").next().unwrap_or_default();
        assert!(["Not found", "Not understood"].contains(&word), "{}", answer.body);
        assert!(!answer.body.contains("In the log"), "{command}: {}", answer.body);
    }
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_nothing_is_refused() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let path = "/_synapse/admin/v2/users?from=0&limit=0";
    let page = scene.synapse().admin().get(path).await?.1;
    assert_eq!(page["next_token"], "0", "it leads on now, so it is no trap: {page}");
    for list in ["user list", "user search a", "room list", "media changes", "report list"] {
        let answer = scene.ann_asks(&format!("!{list} --limit 0")).await?;
        says(&answer, "Not understood", &["--limit", "1"]);
    }
    Ok(())
}

/// The accounts that a list shows.
async fn listed(scene: &Scene, command: &str) -> Result<Vec<String>> {
    let answer = scene.ann_asks(&format!("{command} -o json")).await?;
    let data: Value = serde_json::from_str(&answer.body).context(answer.body.clone())?;
    let users = data["users"].as_array().context("users")?;
    let mut names: Vec<String> =
        users.iter().filter_map(|user| user["name"].as_str().map(str::to_owned)).collect();
    names.sort();
    Ok(names)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_searched_is_what_was_typed() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let tag = scene.subject("trap").await?;
    let account = async |name: &str| -> Result<Account> {
        let name = format!("{name}-{}", tag.user_id.localpart());
        scene.synapse().register(&name, "correct horse", false, "somebody").await
    };
    let (one, other) = (account("a_b").await?, account("axb").await?);
    let admin = scene.synapse().admin();
    let lock = format!("/_synapse/admin/v2/users/{}", one.user_id);
    assert_eq!(admin.put(&lock, json!({ "locked": true })).await?.0, 200);

    let part = one.user_id.localpart();
    let path = format!("/_synapse/admin/v2/users?locked=true&name={part}");
    let found = admin.get(&path).await?.1;
    assert_eq!(found["total"], 2, "_ stands for itself now: {found}");
    let without = admin.get(&path.replace("locked=true&", "")).await?.1;
    assert_eq!(without["total"], 1, "locked accounts are listed now: {without}");
    let at = admin.get(&path.replace("name=", "name=@")).await?.1;
    assert_eq!(at["total"], 0, "an @ is found now: {at}");

    for search in [part.to_owned(), format!("@{part}"), one.user_id.to_string()] {
        let found = listed(&scene, &format!("!user search {search}")).await?;
        assert_eq!(found, [one.user_id.as_str()], "{search}");
    }
    assert_eq!(listed(&scene, &format!("!user list -n {part}")).await?, [one.user_id.as_str()]);
    let both = listed(&scene, &format!("!user search {}", tag.user_id.localpart())).await?;
    for account in [&one, &other] {
        assert!(both.iter().any(|name| *name == account.user_id), "{both:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn names_hold_what_means_something_in_a_path() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let admin = scene.synapse().admin();
    // Slashes and a plus are what the homeserver lets into a new name; a device has any id.
    let localpart = format!("a/b+c=d-{}", scene.subject("path").await?.user_id.localpart());
    let id = format!("@{localpart}:synod.test");
    let path = id.replace('/', "%2F").replace('+', "%2B");
    let path = format!("/_synapse/admin/v2/users/{path}");
    assert_eq!(admin.put(&path, json!({ "displayname": "Odd" })).await?.0, 201);
    says(&scene.ann_asks(&format!("!user details {id}")).await?, "", &[&id, "Odd"]);
    says(&scene.ann_asks(&format!("!user suspend {id}")).await?, "Done", &[&id]);
    let account = admin.get(&path).await?.1;
    assert_eq!(account["suspended"], true, "{account}");
    says(&scene.ann_asks(&format!("!user unsuspend {id}")).await?, "Done", &[&id]);

    let device = "a/b?c#d%e ä";
    let made = with_yes(&scene, &format!("!device create {id} \"{device}\"")).await?;
    says(&made, "Done", &[device]);
    let listed = admin.get(&format!("{path}/devices")).await?.1;
    let has = listed["devices"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one["device_id"] == device));
    assert!(has, "{listed}");

    // An alias with the same.
    let alias = format!("a+b%cä-{}", scene.subject("alias").await?.user_id.localpart());
    let eve = scene.subject("eve").await?;
    let eve = Person::login(scene.synapse(), eve.user_id.localpart(), &eve.password).await?;
    let room =
        eve.create_room(&NewRoom { alias: Some(alias.clone()), ..NewRoom::default() }).await?;
    for typed in [format!("#{alias}:synod.test"), format!("#{alias}")] {
        let resolved = scene.ann_asks(&format!("!room resolve \"{typed}\"")).await?;
        says(&resolved, "", &[room.as_str(), &typed]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_redaction_is_not_told_as_one() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, _) = with_device(&scene, "eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let admin = scene.synapse().admin();
    let begin = async |method: Method, path: &str, key: &str, body: Value| -> Result<String> {
        let path = format!("/_synapse/admin/{path}");
        let (status, answer) = match method {
            Method::DELETE => admin.delete(&path, Some(body)).await?,
            _ => admin.post(&path, body).await?,
        };
        let id = answer[key].as_str().with_context(|| format!("{path}: {status} {answer}"))?;
        until("the task is complete", async || {
            let listed = admin.get("/_synapse/admin/v1/scheduled_tasks").await?.1;
            let all = listed["scheduled_tasks"].as_array().cloned().unwrap_or_default();
            Ok(all.iter().any(|task| task["id"] == id && task["status"] == "complete"))
        })
        .await?;
        Ok(id.to_owned())
    };
    let (gone, purged) = (make(&by_eve, json!({})).await?, make(&by_eve, json!({})).await?);
    let deletion = format!("v2/rooms/{gone}");
    let deletion = begin(Method::DELETE, &deletion, "delete_id", json!({})).await?;
    let purge = format!("v1/purge_history/{purged}");
    let until_now = json!({ "purge_up_to_ts": 4_000_000_000_000_i64, "delete_local_events": true });
    let purge = begin(Method::POST, &purge, "purge_id", until_now).await?;
    let redaction = format!("v1/user/{}/redact", eve.user_id);
    let none = json!({ "rooms": [] });
    let redaction = begin(Method::POST, &redaction, "redact_id", none).await?;

    for (id, trap) in [(&deletion, 200), (&purge, 500)] {
        let path = format!("/_synapse/admin/v1/user/redact_status/{id}");
        assert_eq!(admin.get(&path).await?.0, trap, "it is no trap any more");
        for output in ["", " -o json"] {
            let answer = scene.ann_asks(&format!("!user redact-status {id}{output}")).await?;
            says(&answer, "Not found", &["not the id of a redaction", "!task list"]);
        }
    }
    says(&scene.ann_asks(&format!("!user redact-status {redaction}")).await?, "Redaction", &[]);
    Ok(())
}
