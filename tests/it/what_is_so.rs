//! What was begun is followed to its true end, what is kept is named, and what the homeserver refuses
//! is told by its cause.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use reqwest::Method;
use serde_json::{Value, json};
use world::{Account, Api, Fault, Options, Proxy, Scene, Synapse};

use crate::{
    SYNOD,
    jobs::{ended, outcomes, say_yes},
    support::{
        api, code, devices, digits, make, offered, says, told, told_since, watched, with_yes,
    },
};

async fn joined(scene: &Scene, account: &Account) -> Result<usize> {
    let path = format!("/_synapse/admin/v1/users/{}/joined_rooms", account.user_id);
    let (_, found) = scene.synapse().admin().get(&path).await?;
    Ok(found["joined_rooms"].as_array().context("rooms")?.len())
}

/// So many rooms of an account.
async fn rooms(by: &Api, count: usize) -> Result<Vec<String>> {
    let wanted = json!({ "preset": "private_chat" });
    try_join_all((0..count).map(|_| make(by, wanted.clone()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivation_is_followed_until_every_room_is_left_after_a_restart_too() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    rooms(&api(&scene, &eve).await?, 25).await?;
    let begun = with_yes(&scene, &format!("!user deactivate {}", eve.user_id)).await?;
    says(&begun, "Done", &["is deactivated and not erased", "still to leave; I will say here"]);
    let asked = proxy.next(Method::GET, "joined_rooms", Fault::HoldAnswer);
    asked.reached().await?;
    scene.bot()?.kill().await?;
    asked.release();
    scene.bot()?.start_again().await?;
    let over = told(&scene, "and has left all ").await?;
    says(&over, "Done", &[eve.user_id.as_str(), "is deactivated and not erased", "rooms"]);
    assert!(over.mentions.contains(scene.ann().user_id()), "{:?}", over.mentions);
    assert_eq!(joined(&scene, &eve).await?, 0);
    let sent = proxy.changes().iter().filter(|sent| sent.path.contains("deactivate")).count();
    assert_eq!(sent, 1, "{:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivation_without_an_answer_is_followed_to_the_later_word() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    rooms(&api(&scene, &eve).await?, 3).await?;
    // The homeserver does it, and what stands before it gives up.
    proxy.next(Method::POST, "deactivate", Fault::LoseAnswer);
    let unknown = with_yes(&scene, &format!("!user deactivate {} -e", eve.user_id)).await;
    // Erasure asks for the name too.
    assert!(unknown.is_err() || unknown?.body.starts_with("Refused"));
    let question = scene.ann_asks(&format!("!user deactivate {} -e", eve.user_id)).await?;
    let yes = format!("!confirm {} {}", code(&question)?, eve.user_id.localpart());
    let unknown = scene.ann_asks(&yes).await?;
    says(&unknown, "Unknown", &["Still running: perhaps", "say here what happened"]);
    let over = told(&scene, "although no answer came").await?;
    says(&over, "Done", &[eve.user_id.as_str(), "is deactivated and ERASED", "none left"]);
    assert_eq!(joined(&scene, &eve).await?, 0);
    // Later answers say how it really ended.
    let details = scene.ann_asks(&format!("!user details {}", eve.user_id)).await?;
    assert!(!details.body.contains("Unknown · "), "{}", details.body);
    Ok(())
}

/// How many devices the account of the next test has, so many that it takes the homeserver longer to
/// delete them than what stands before it waits.
const DEVICES: usize = 4_000;

/// How long the web server in front waits for the homeserver: long enough for the request to reach it,
/// short beside what deleting [`DEVICES`] takes on the quickest machine.
const PATIENCE: Duration = Duration::from_millis(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivation_of_thousands_of_devices_outlasts_the_proxy_and_is_followed() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).in_clear().set().await?;
    let eve = scene.subject("eve").await?;
    // Each device goes once for each room.
    rooms(&api(&scene, &eve).await?, 24).await?;
    let many = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {DEVICES}) \
         INSERT INTO devices (user_id, device_id, display_name, hidden) \
         SELECT '{}', 'D' || i, 'Phone ' || i, 0 FROM n;",
        eve.user_id
    );
    synapse.damage(&many).await?;
    let proxy = Proxy::start(&synapse.url()).await?;
    scene.start_bot(SYNOD, &scene.config().set("homeserver.admin_url", proxy.url())).await?;
    let before = devices(&scene, &eve).await?.len();
    assert!(before >= DEVICES, "{before}");

    let impatient = Fault::Impatient(PATIENCE);
    let _waits = proxy.every(Method::POST, "/deactivate/", impatient);
    let unknown = with_yes(&scene, &format!("!user deactivate {}", eve.user_id)).await?;
    says(&unknown, "Unknown", &["(504)", "Still running: perhaps", "say here what happened"]);
    let over = told(&scene, "although no answer came").await?;
    says(&over, "Done", &[eve.user_id.as_str(), "is deactivated and not erased"]);
    let account = synapse.admin().account(&eve.user_id).await?;
    assert_eq!(account["deactivated"], true, "{account}");
    assert!(devices(&scene, &eve).await?.is_empty());
    assert_eq!(joined(&scene, &eve).await?, 0);
    let sent = proxy.changes().iter().filter(|sent| sent.path.contains("deactivate")).count();
    assert_eq!(sent, 1, "{:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_job_each_is_followed_and_its_file_says_that_all_rooms_are_left() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let accounts = crate::jobs::accounts(&scene, 12).await?;
    let (first, _) = accounts.split_first().context("accounts")?;
    rooms(&api(&scene, first).await?, 12).await?;
    let command = format!("!user deactivate{}", crate::jobs::lines(&accounts));
    let question = scene.ann_asks(&command).await?;
    says(&question, "Deactivate 12 accounts, ", &[]);
    let mark = scene.ann().mark();
    let yes = say_yes(&scene, &question, 12).await?;
    says(&ended(&scene, &yes).await?, "Done", &["12 of 12"]);
    let file = outcomes(&scene, mark).await?;
    let row = file.lines().find(|line| line.contains(first.user_id.as_str())).context("a row")?;
    assert!(row.contains("has left "), "{row}");
    assert_eq!(joined(&scene, first).await?, 0);
    Ok(())
}

async fn say(by: &Api, room: &str, text: &str) -> Result<(String, u64)> {
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{text}");
    let (_, sent) = by.put(&path, json!({ "msgtype": "m.text", "body": text })).await?;
    let id = sent["event_id"].as_str().context("an event")?.to_owned();
    let (_, event) = by.get(&format!("/_matrix/client/v3/rooms/{room}/event/{id}")).await?;
    Ok((id, event["origin_server_ts"].as_u64().context("when")?))
}

async fn still_says(scene: &Scene, room: &str) -> Result<Vec<String>> {
    let path = format!("/_synapse/admin/v1/rooms/{room}/messages?dir=b&limit=100");
    let found = scene.synapse().admin().get(&path).await?.1;
    let chunk = found["chunk"].as_array().context("messages")?;
    let bodies = chunk.iter().filter_map(|event| event["content"]["body"].as_str());
    Ok(bodies.map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_says_which_old_message_stays_and_how_it_is_redacted() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let room = make(&by_eve, json!({ "preset": "private_chat" })).await?;
    for text in ["one", "two"] {
        say(&by_eve, &room, text).await?;
    }
    let (third, at) = say(&by_eve, &room, "three").await?;
    // The homeserver takes what came after the moment in any room, so this is not the next event.
    scene.ann_asks("!me").await?;
    let (_, later) = say(&by_eve, &room, "four").await?;
    assert!(later > at + 1);
    let before = at + 1;
    let purge = format!("!history purge {room} --before-ts {before} --delete-local");
    let question = scene.ann_asks(&purge).await?;
    says(&question, "Delete old messages of", &["Stays: ", &third, eve.user_id.as_str()]);
    let redact = offered(&question, "!user redact")?.to_owned();
    let end: String = room.chars().rev().take(6).collect();
    let end: String = end.chars().rev().collect();
    let mark = scene.ann().mark();
    let yes = format!("!confirm {} {end}", code(&question)?);
    says(&scene.ann_asks(&yes).await?, "Done", &["has started"]);
    let over = told_since(&scene, mark, "its old messages were deleted").await?;
    says(&over, "Done", &["but for the newest of them", &third, "!user redact"]);
    assert_eq!(still_says(&scene, &room).await?, ["four", "three"]);
    let question = scene.ann_asks(&redact).await?;
    scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    world::until("it is redacted", async || Ok(still_says(&scene, &room).await? == ["four"]))
        .await?;

    // Where nothing is older it is said at once, and nothing is sent.
    let made = scene.ann_asks(&format!("!history purge {room} --before 2020-01-01")).await?;
    says(&made, "Nothing changed", &["nothing in", "is older than 2020-01-01"]);
    let path = format!("/_synapse/admin/v1/rooms/{room}/state?type=m.room.create");
    let (_, state) = scene.synapse().admin().get(&path).await?;
    let create = state["state"][0]["event_id"].as_str().context("the first event")?;
    let made = scene.ann_asks(&format!("!history purge {room} -i {create}")).await?;
    says(&made, "Nothing changed", &["the first of the room"]);
    Ok(())
}

/// Where a notice goes to: an account's room for notices, and its way into and out of it.
async fn notices(by: &Api) -> Result<(Vec<String>, Vec<String>)> {
    let (_, sync) = by.get("/_matrix/client/v3/sync?timeout=0").await?;
    let of = |kind: &str| -> Vec<String> {
        let rooms = sync.pointer(&format!("/rooms/{kind}")).and_then(Value::as_object);
        rooms.into_iter().flat_map(|rooms| rooms.keys().cloned()).collect()
    };
    Ok((of("join"), of("invite")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_to_who_is_not_in_the_room_for_it_is_not_told_as_received() -> Result<()> {
    let extra = "server_notices: {system_mxid_localpart: notices, room_name: Notices}\n".to_owned();
    let synapse = Synapse::start(Options { extra, ..Options::default() }).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let nora = scene.subject("nora").await?;
    let by_nora = api(&scene, &nora).await?;
    let command = format!("!notice send {} Hello", nora.user_id);
    let sent = with_yes(&scene, &command).await?;
    says(&sent, "Done", &["was sent a notice", "invited, not joined"]);
    let (_, invited) = notices(&by_nora).await?;
    let room = invited.first().context("an invitation")?;

    by_nora.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?;
    says(&with_yes(&scene, &command).await?, "Done", &["got a notice from the homeserver"]);
    let ignored = json!({ "ignored_users": { "@notices:synod.test": {} } });
    let path = format!("/_matrix/client/v3/user/{}/account_data/m.ignored_user_list", nora.user_id);
    assert_eq!(by_nora.put(&path, ignored).await?.0, 200);
    let sent = with_yes(&scene, &command).await?;
    let said = ["was sent a notice, and ", "@notices:synod.test", "probably does not see it"];
    says(&sent, "Done", &said);
    by_nora.put(&path, json!({ "ignored_users": {} })).await?;

    let leave = format!("/_matrix/client/v3/rooms/{room}/leave");
    assert_eq!(by_nora.post(&leave, json!({})).await?.0, 200);
    let sent = with_yes(&scene, &command).await?;
    says(&sent, "Done", &["was sent a notice", "invited, not joined"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_that_are_switched_off_are_told_with_the_key_that_switches_them_on() -> Result<()> {
    let extra = "server_notices: null\n".to_owned();
    let synapse = Synapse::start(Options { extra, ..Options::default() }).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let nora = scene.subject("nora").await?;
    // Before anything is asked.
    let refused = scene.ann_asks(&format!("!notice send {} Hello", nora.user_id)).await?;
    says(&refused, "Failed", &["server notices are disabled", "system_mxid_localpart"]);
    assert!(!refused.body.contains("M_UNKNOWN"), "{}", refused.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_homeserver_refuses_is_told_by_its_cause_and_never_in_its_own_words() -> Result<()>
{
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let room = make(&by_eve, json!({ "preset": "public_chat" })).await?;
    let user = eve.user_id.as_str();
    for (command, method, path, (status, errcode, error), word, said) in [
        (
            format!("!user suspend {user}"),
            Method::PUT,
            "v1/suspend",
            (404, "M_NOT_FOUND", "User not found"),
            "Not found",
            "no longer exists",
        ),
        (
            format!("!user deactivate {user}"),
            Method::POST,
            "v1/deactivate",
            (403, "M_FORBIDDEN", "Deactivation of this user is forbidden"),
            "Refused",
            "a module of the homeserver",
        ),
        (
            format!("!room make-admin {room}"),
            Method::POST,
            "make_room_admin",
            (400, "M_UNKNOWN", "No local admin user in room"),
            "Refused",
            "!room power-levels",
        ),
        (
            format!("!notice send {user} Hello"),
            Method::PUT,
            "send_server_notice",
            (400, "M_UNKNOWN", "Server notices are not enabled on this server"),
            "Failed",
            "server notices are disabled",
        ),
        (
            "!regtok new".to_owned(),
            Method::POST,
            "registration_tokens/new",
            (400, "M_INVALID_PARAM", "Token already exists: x"),
            "Refused",
            "token already exists",
        ),
        (
            format!("!user lock {user}"),
            Method::PUT,
            "v2/users",
            (400, "M_BAD_JSON", "Something <b>odd</b>"),
            "Refused",
            "does not accept this request",
        ),
    ] {
        let body = json!({ "errcode": errcode, "error": error });
        proxy.next(method, path, Fault::Answer(status, body));
        let mut answer = scene.ann_asks(&command).await?;
        if let Ok(code) = code(&answer) {
            answer = scene.ann_asks(&format!("!confirm {code}")).await?;
        }
        says(&answer, word, &[said]);
        let title = answer.body.lines().next().unwrap_or_default();
        for raw in [error, errcode, &format!("({status}")] {
            assert!(!title.contains(raw), "{command}: {}", answer.body);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_deletion_that_fails_each_part_is_told_in_every_later_answer() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let eve = synapse.register("eve", "a password", false, "Eve").await?;
    let by_eve = synapse.api(&synapse.log_in(&eve).await?.0);
    let room = make(&by_eve, json!({ "preset": "public_chat", "room_version": "11" })).await?;
    // Nobody can leave a room without its first event.
    let lost: String = ["current_state_events", "state_events", "state_groups_state"]
        .map(|table| {
            format!("DELETE FROM {table} WHERE room_id='{room}' AND type='m.room.create';")
        })
        .concat();
    synapse.damage(&lost).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let question = scene.ann_asks(&format!("!room delete {room} --block")).await?;
    let (own, _) = room.trim_start_matches('!').split_once(':').context("an id")?;
    let end = own.get(own.len() - 6..).context("its end")?;
    let yes = format!("!confirm {} {end}", code(&question)?);
    let begun = scene.ann_asks(&yes).await?;
    says(&begun, "Done", &["has started"]);
    let over = told(&scene, "it could not be deleted").await?;
    says(&over, "Done in part", &["What was done: it is blocked", eve.user_id.as_str()]);
    let block = format!("/_synapse/admin/v1/rooms/{room}/block");
    assert_eq!(scene.synapse().admin().get(&block).await?.1["block"], true);

    let status = scene.ann_asks(&format!("!room delete-status {room}")).await?;
    says(
        &status,
        "Deletion of",
        &["State: failed", "still on this server; in it: 1 member", "Blocked: yes", "Why: "],
    );
    let details = scene.ann_asks(&format!("!room details {room}")).await?;
    says(&details, "", &["Done in part · !room delete"]);
    let number = digits(&begun.body, "!undo")?;
    let shown = scene.ann_asks(&format!("!audit show {number}")).await?;
    says(&shown, "", &["The homeserver finished it later: Done in part", "could not be deleted"]);
    Ok(())
}
