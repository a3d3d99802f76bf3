//! Rows of the homeserver's database that are odd in one field: what is beside it is told and can be
//! acted on all the same, and nothing is told as missing that is only not seen.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use synod::reply::ago;
use world::{Api, Fault, Options, Scene, Synapse};

use crate::{
    SYNOD,
    rooms_listed::until_counted,
    support::{api, behind_its_back, make, says, watched, with_yes},
};

/// A homeserver of one's own, where rooms are in clear.
async fn own() -> Result<(Synapse, Scene)> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).in_clear().start(SYNOD).await?;
    Ok((synapse, scene))
}

/// How far a moment lies from now, in seconds since 1970, as the bot says it.
fn from_now(second: i64) -> Result<String> {
    Ok(ago(Timestamp::from_second(second)?, Timestamp::now()))
}

async fn data(scene: &Scene, command: &str) -> Result<Value> {
    let answer = scene.ann_asks(&format!("{command} -o json")).await?;
    serde_json::from_str(&answer.body).with_context(|| answer.body.clone())
}

/// Says something in a room, and reports it; answers the event.
async fn reported(by: &Api, room: &str, number: u32) -> Result<String> {
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{number}");
    let (_, said) = by.put(&path, json!({ "msgtype": "m.text", "body": "x" })).await?;
    let event = said["event_id"].as_str().with_context(|| said.to_string())?.to_owned();
    let path = format!("/_matrix/client/v3/rooms/{room}/report/{event}");
    let (status, answer) = by.post(&path, json!({ "reason": "spam" })).await?;
    anyhow::ensure!(status == 200, "{answer}");
    Ok(event)
}

/// Waits until the statistics know all that was done so far. They take it in its order, and would put
/// back what is taken out of them before.
async fn until_all_counted(synapse: &Synapse, by: &Api) -> Result<()> {
    let last = make(by, json!({ "preset": "public_chat" })).await?;
    until_counted(&synapse.admin(), &last, 1).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_the_homeserver_cannot_read_or_hides_are_not_told_as_none() -> Result<()> {
    let (synapse, scene) = own().await?;
    let eve = api(&scene, &scene.subject("eve").await?).await?;
    let room = make(&eve, json!({ "preset": "public_chat", "name": "Reported" })).await?;
    let bare = make(&eve, json!({ "preset": "public_chat", "name": "Bare" })).await?;
    let mut events = Vec::new();
    for number in 1..=4 {
        events.push(reported(&eve, &room, number).await?);
    }
    reported(&eve, &bare, 1).await?;
    until_all_counted(&synapse, &eve).await?;
    let listed = synapse.admin().get("/_synapse/admin/v1/event_reports").await?.1;
    let listed = listed["event_reports"].as_array().cloned().unwrap_or_default();
    let number = |event: &String| {
        let mut of = listed.iter().filter(|report| report["event_id"] == event.as_str());
        of.next().and_then(|report| report["id"].as_u64()).context("it is listed")
    };
    let [null, text, later, odd] = events.as_slice() else { unreachable!("there are four") };
    behind_its_back(
        &synapse,
        format!(
            "UPDATE event_reports SET content = NULL WHERE event_id = '{null}';\n\
             UPDATE event_reports SET content = 'no JSON' WHERE event_id = '{text}';\n\
             UPDATE event_reports SET received_ts = 4000000000000 WHERE event_id = '{later}';\n\
             UPDATE event_reports SET content = '{{\"score\":\"much\",\"reason\":[1]}}', \
             received_ts = 1700000000 WHERE event_id = '{odd}';\n\
             DELETE FROM room_stats_state WHERE room_id = '{bare}';"
        ),
    )
    .await?;
    let list = scene.ann_asks("!report list").await?;
    says(&list, "4 reports", &["The homeserver counts 2 more than it lists", later, odd]);
    says(&list, "", &["When: not known", "When: 2023-11-14"]);
    let listed = data(&scene, "!report list").await?;
    assert_eq!(listed["event_reports"][0]["received_ts"], Value::Null, "{listed}");
    let odd = &listed["event_reports"][1];
    assert_eq!(odd["received_ts"], 1_700_000_000_000_i64, "{listed}");
    assert!(odd["score"].is_null() && odd["reason"].is_null(), "{listed}");
    assert!(listed["note"].as_str().is_some_and(|note| note.contains("counts 2 more")), "{listed}");

    let hidden = scene.ann_asks(&format!("!report list --room {bare}")).await?;
    says(&hidden, "Failed", &["hides reports", "cannot tell", &bare]);
    let none = make(&eve, json!({ "preset": "public_chat", "name": "None" })).await?;
    until_counted(&synapse.admin(), &none, 1).await?;
    says(&scene.ann_asks(&format!("!report list --room {none}")).await?, "no reports", &[]);

    for number in [number(null)?, number(text)?] {
        let told = scene.ann_asks(&format!("!report details {number}")).await?;
        says(&told, "Failed", &["fails at reading", &format!("!report dismiss {number}")]);
        let dismissed = with_yes(&scene, &format!("!report dismiss {number}")).await?;
        says(&dismissed, "Done", &[&format!("report {number}")]);
    }
    for number in [number(null)?, number(text)?] {
        let path = format!("/_synapse/admin/v1/event_reports/{number}");
        assert_eq!(synapse.admin().get(&path).await?.0, 404, "{number} is still there");
    }
    let gone = scene.ann_asks(&format!("!report details {}", number(null)?)).await?;
    says(&gone, "Not found", &["there is no"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_half_built_statistics_leave_out_of_a_room_is_read_from_its_state() -> Result<()> {
    let (synapse, scene) = own().await?;
    let eve = api(&scene, &scene.subject("eve").await?).await?;
    let encryption = json!({ "type": "m.room.encryption", "state_key": "",
        "content": { "algorithm": "m.megolm.v1.aes-sha2" } });
    let wanted = json!({ "preset": "public_chat", "name": "Half", "topic": "Whole",
        "room_alias_name": "half", "initial_state": [encryption] });
    let half = make(&eve, wanted).await?;
    let plain = make(&eve, json!({ "preset": "public_chat", "name": "Plain" })).await?;
    let closed = make(&eve, json!({ "preset": "public_chat", "name": "Closed" })).await?;
    let path = format!("/_matrix/client/v3/rooms/{closed}/state/m.room.tombstone/");
    eve.put(&path, json!({ "body": "x", "replacement_room": 42 })).await?;
    until_all_counted(&synapse, &eve).await?;
    behind_its_back(
        &synapse,
        format!(
            "UPDATE room_stats_state SET encryption = NULL, name = NULL, topic = NULL, \
             canonical_alias = NULL, history_visibility = NULL WHERE room_id = '{half}';"
        ),
    )
    .await?;
    let told = scene.ann_asks(&format!("!room details {half} --all")).await?;
    let known = ["Name: \u{201c}Half\u{201d}", "Topic: \u{201c}Whole\u{201d}", "Encrypted: yes"];
    says(&told, "", &known);
    says(&told, "", &["#half:synod.test", "Who may read: members, all of it", "Members: 1"]);
    let room = data(&scene, &format!("!room details {half}")).await?;
    assert_eq!(room["encryption"], "m.megolm.v1.aes-sha2", "{room}");
    assert_eq!((&room["name"], &room["topic"]), (&json!("Half"), &json!("Whole")), "{room}");
    let told = scene.ann_asks(&format!("!room details {plain} --all")).await?;
    says(&told, "", &["Encrypted: no", "Name: \u{201c}Plain\u{201d}"]);
    let told = scene.ann_asks(&format!("!room details {closed} --all")).await?;
    says(&told, "", &["Replaced by: it is closed, and names no replacement"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_ahead_has_not_happened_and_what_nobody_has_is_told_so() -> Result<()> {
    let (synapse, scene) = own().await?;
    let eve = scene.subject("eve").await?;
    let id = &eve.user_id;
    behind_its_back(
        &synapse,
        format!(
            "UPDATE users SET creation_ts = 4000000000, user_type = 'odd' WHERE name = '{id}';\n\
             INSERT INTO local_media_repository (media_id, media_length, created_ts, last_access_ts, \
             user_id) VALUES ('ahead', 5, 4000000000000, 1700000000, '{id}'), \
             ('nobodys', 7, 1700000000000, -5, NULL);\n\
             INSERT INTO destinations VALUES ('ahead.example', 4000000000000, 1, 4000000000000, 1), \
             ('seconds.example', 1700000000, 3600, 1700000000, 1), \
             ('null.example', NULL, NULL, NULL, NULL);\n\
             INSERT INTO pushers (id, user_name, profile_tag, kind, app_id, app_display_name, \
             device_display_name, pushkey, ts, data, enabled) VALUES (901, '{id}', '', 'http', \
             'org.app', 'App', '', 'the key', 0, 'null', 1);"
        ),
    )
    .await?;
    let told = scene.ann_asks(&format!("!user details {id} --all")).await?;
    says(&told, "", &["Created: not known", "Type: \u{201c}odd\u{201d}"]);
    let account = data(&scene, &format!("!user details {id}")).await?;
    assert!(account["creation_ts"].is_null(), "{account}");
    let listed = data(&scene, &format!("!user list -i {}", id.localpart())).await?;
    assert!(listed["users"][0]["creation_ts"].is_null(), "{listed}");
    let file = scene.ann_asks("!media details ahead").await?;
    let [seconds, ahead, start] = [1_700_000_000, 4_000_000_000, 0].map(from_now);
    let (seconds, ahead, start) = (seconds?, ahead?, start?);
    says(&file, "", &["Created: not known", &format!("Last access: {seconds}")]);
    for command in ["!media details ahead".to_owned(), format!("!user media {id}")] {
        let file = data(&scene, &command).await?;
        let file =
            file.get("media").or_else(|| file.get("media_info")).context("files")?[0].clone();
        assert!(file["created_ts"].is_null(), "{file}");
        assert_eq!(file["last_access_ts"], 1_700_000_000_000_i64, "{file}");
    }
    let stats = scene.ann_asks("!stats media").await?;
    says(&stats, "2 accounts", &["the homeserver has no such account", "Size: 7 B", id.as_str()]);
    assert!(!stats.body.contains("cannot read"), "{}", stats.body);
    let servers = scene.ann_asks("!federation list").await?;
    says(&servers, "3 servers", &["Failing since: not known", &format!("Last tried: {seconds}")]);
    assert!(!servers.body.contains(&start) && !servers.body.contains(&ahead), "{}", servers.body);
    let pushers = scene.ann_asks(&format!("!user pushers {id} --show-keys")).await?;
    says(&pushers, "", &["\u{201c}App\u{201d}", "the key"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_may_write_what_they_like_as_their_name() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = api(&scene, &scene.subject("eve").await?).await?;
    let room = make(&eve, json!({ "preset": "public_chat", "room_version": "10" })).await?;
    let levels = json!({ "users": { "@big:x.example": u64::MAX, "@half:x.example": 50.5,
        "@odd:x.example": "much", "@text:x.example": "75" }, "users_default": null });
    let state = json!({ "state": [{ "type": "m.room.power_levels", "state_key": "",
        "sender": "@eve:x.example", "content": levels }] });
    for (number, name) in [json!(["x"]), json!({ "a": 1 }), json!(null)].iter().enumerate() {
        let path =
            format!("/_matrix/client/v3/rooms/{room}/state/m.room.member/@u{number}:x.example");
        let ban = json!({ "membership": "ban", "displayname": name });
        let (status, answer) = eve.put(&path, ban).await?;
        assert_eq!(status, 200, "{answer}");
    }
    let banned = scene.ann_asks(&format!("!room members {room} -m ban")).await?;
    says(&banned, "", &["3 accounts", "@u0:x.example", "@u1:x.example", "@u2:x.example"]);
    assert!(!banned.body.contains("cannot read"), "{}", banned.body);

    let _caught = proxy.next(Method::GET, "m.room.power_levels", Fault::Answer(200, state));
    let power = scene.ann_asks(&format!("!room power-levels {room}")).await?;
    let all = ["@big:x.example; 75: @text:x.example; 50: @half:x.example", "Everybody else: 0"];
    says(&power, "", &all);
    says(&power, "", &["is not a number: @odd:x.example"]);
    Ok(())
}
