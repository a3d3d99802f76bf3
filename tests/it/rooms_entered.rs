//! Rooms on a real homeserver: who is put into them, and what was sent there.

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};
use world::{Fault, Scene, fork};

use crate::{
    SYNOD,
    events::{redact, send},
    support::{api, make, offered, says, watched, with_yes},
};

/// Whether the homeserver has an account in a room.
async fn is_in(scene: &Scene, user: &str, room: &str) -> Result<bool> {
    let path = format!("/_synapse/admin/v1/users/{user}/joined_rooms");
    let rooms = scene.synapse().admin().get(&path).await?.1["joined_rooms"].clone();
    Ok(rooms.as_array().is_some_and(|rooms| rooms.iter().any(|one| one == room)))
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_put_into_a_room_with_a_yes_and_nobody_else_is() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let [eve, sam, tom] =
        [scene.subject("eve").await?, scene.subject("sam").await?, scene.subject("tom").await?];
    let by_eve = api(&scene, &eve).await?;
    let room = make(&by_eve, json!({"preset": "public_chat", "name": "The lobby"})).await?;
    let (sam, tom) = (sam.user_id.as_str(), tom.user_id.as_str());
    let join = format!("!room join {room} {sam}");
    says(&scene.ask(scene.moe().await?, &join).await?, "Refused", &["the role admin"]);
    let question = scene.ann_asks(&join).await?;
    says(&question, "Put ", &[sam, &room, "The lobby"]);
    assert!(!is_in(&scene, sam, &room).await?, "a question puts nobody anywhere");
    says(&with_yes(&scene, &join).await?, "Done", &[sam, &room, "The lobby", "No undo"]);
    assert!(is_in(&scene, sam, &room).await?);
    says(&scene.ann_asks(&join).await?, "Nothing changed", &["is already in"]);

    // The homeserver would put in even those who cannot come themselves.
    let path = format!("/_synapse/admin/v1/deactivate/{tom}");
    let dead = format!("!room join {room} {tom}");
    says(&scene.ann_asks(&format!("{dead} --plan")).await?, "", &["Nothing was sent"]);
    scene.synapse().admin().post(&path, json!({})).await?;
    says(&scene.ann_asks(&dead).await?, "Refused", &["is deactivated"]);
    let nobody = scene.ann_asks(&format!("!room join {room} @nobody-at-all:synod.test")).await?;
    says(&nobody, "Not found", &["no such user"]);
    let remote = scene.ann_asks(&format!("!room join {room} @bob:elsewhere.example")).await?;
    says(&remote, "Refused", &["another server"]);
    let unknown = scene.ann_asks(&format!("!room join !nowhere:synod.test {sam}")).await?;
    says(&unknown, "Not found", &["does not know the room", "--server-name"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn into_a_closed_room_somebody_must_invite() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let by_eve = api(&scene, &eve).await?;
    let closed = make(&by_eve, json!({"preset": "private_chat"})).await?;
    let join = format!("!room join {closed} {}", sam.user_id);
    let refused = scene.ann_asks(&join).await?;
    let keeper = scene.keeper().user_id.as_str();
    says(&refused, "Refused", &["is not open to everybody", keeper, "!room make-admin"]);
    assert!(!is_in(&scene, sam.user_id.as_str(), &closed).await?);

    // That command and the account's own joining are the way.
    says(&with_yes(&scene, offered(&refused, "!room make-admin")?).await?, "Done", &["invited"]);
    let by_keeper = api(&scene, scene.keeper()).await?;
    let path = format!("/_matrix/client/v3/join/{closed}");
    assert_eq!(by_keeper.post(&path, json!({})).await?.0, 200);
    says(&with_yes(&scene, &join).await?, "Done", &["is in"]);
    assert!(is_in(&scene, sam.user_id.as_str(), &closed).await?);

    let ban = json!({"user_id": sam.user_id});
    by_eve.post(&format!("/_matrix/client/v3/rooms/{closed}/ban"), ban).await?;
    says(&scene.ann_asks(&join).await?, "Refused", &["is banned from"]);
    let open = make(&by_eve, json!({"preset": "public_chat"})).await?;
    scene.ann_asks(&format!("!room block {open}")).await?;
    let blocked = scene.ann_asks(&format!("!room join {open} {}", sam.user_id)).await?;
    says(&blocked, "Refused", &["is blocked", "!room unblock"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_listed_and_what_it_said_only_on_demand() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let room = make(&by_eve, json!({"preset": "public_chat"})).await?;
    by_sam.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?;
    let first = send(&by_eve, &room, "meet me at nine").await?;
    let gone = send(&by_eve, &room, "bring the gold").await?;
    let last = send(&by_sam, &room, "who are you").await?;
    redact(&by_eve, &room, &gone).await?;
    let said = ["nine", "gold", "who are you"];

    for look in [
        format!("!room messages {room}"),
        format!("!room messages {room} -r -o json"),
        format!("!room messages {room} --all -o csv"),
        format!("!room context {room} {first}"),
        format!("!room context {room} {first} -o yaml"),
    ] {
        let closed = scene.ann_asks(&look).await?;
        says(&closed, "", &["m.room.message", eve.user_id.as_str(), sam.user_id.as_str()]);
        for words in said {
            assert!(!closed.body.contains(words), "{look}: {}", closed.body);
        }
    }
    let open = format!("!room messages {room} --show-content");
    let told = scene.ann_asks(&open).await?;
    says(&told, &room, &["newest first", "“meet me at nine”", "“who are you”", "Redacted: by"]);
    assert!(!told.body.contains("gold"), "{}", told.body);
    assert!(told.body.find("who are you") < told.body.find("at nine"), "{}", told.body);
    says(&scene.ask(scene.vic().await?, &open).await?, "Refused", &["moderator"]);
    says(&scene.ann_asks("!audit").await?, "", &["looked at private things", "--show-content"]);

    let hers =
        scene.ann_asks(&format!("{open} --sender {} -t m.room.message", sam.user_id)).await?;
    says(&hers, &room, &["1 event", "who are you"]);
    let page = scene.ann_asks(&format!("{open} -l 1 -t m.room.message")).await?;
    says(&page, &room, &["1 event", "who are you", "!room messages"]);
    let next = scene.ann_asks(offered(&page, "!room messages")?).await?;
    says(&next, &room, &["1 event", "Redacted"]);
    let odd = scene.ann_asks(&format!("!room messages {room} --from nowhere")).await?;
    says(&odd, "Not found", &["does not know this position"]);

    let around =
        scene.ann_asks(&format!("!room context {room} {last} -l 2 --show-content")).await?;
    says(&around, &room, &["this event", "who are you"]);
    let other = make(&by_eve, json!({})).await?;
    let elsewhere = scene.ann_asks(&format!("!room context {other} {last}")).await?;
    says(&elsewhere, "Not found", &["there is no event", "!event details"]);
    for look in
        ["messages !nowhere:synod.test".to_owned(), format!("context !nowhere:synod.test {last}")]
    {
        let unknown = scene.ann_asks(&format!("!room {look}")).await?;
        says(&unknown, "Not found", &["does not know the room"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_leads_to_an_event_and_a_space_to_its_rooms() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let room = make(&by_eve, json!({"name": "Child"})).await?;
    let last = send(&by_eve, &room, "the last").await?;
    let before = scene.ann_asks(&format!("!room at {room} 0s --before")).await?;
    says(&before, &last, &["The last event before 20", "!room context"]);
    let first = scene.ann_asks(&format!("!room at {room} 2020-01-01 -o json")).await?;
    let first: Value = serde_json::from_str(&first.body)?;
    let event = first["event_id"].as_str().unwrap_or_default();
    let details = scene.ann_asks(&format!("!event details {event}")).await?;
    says(&details, event, &["m.room.create", &room]);
    let none = scene.ann_asks(&format!("!room at {room} 2020-01-01 -b")).await?;
    says(&none, "Not found", &["has no event before 2020-01-01 00:00 UTC"]);
    let unknown = scene.ann_asks("!room at !nowhere:synod.test 3d").await?;
    says(&unknown, "Not found", &["does not know the room"]);

    let wanted = json!({"creation_content": {"type": "m.space"}, "name": "Club"});
    let space = make(&by_eve, wanted).await?;
    for child in [&room, "!far:elsewhere.example"] {
        let path = format!("/_matrix/client/v3/rooms/{space}/state/m.space.child/{child}");
        assert_eq!(by_eve.put(&path, json!({"via": ["synod.test"]})).await?.0, 200);
    }
    let all = scene.ann_asks(&format!("!room hierarchy {space}")).await?;
    says(&all, &space, &["2 rooms", "“Club”", "Space: of 2", &room, "“Child”"]);
    let top = scene.ann_asks(&format!("!room hierarchy {space} -m 0")).await?;
    assert!(!top.body.contains(&room), "{}", top.body);
    let page = scene.ann_asks(&format!("!room hierarchy {space} -l 1")).await?;
    says(&page, &space, &["1 room, and there are more"]);
    let next = scene.ann_asks(offered(&page, "!room hierarchy")?).await?;
    says(&next, &space, &["1 room", &room]);
    let odd = scene.ann_asks(&format!("!room hierarchy {space} --from nowhere")).await?;
    says(&odd, "Not found", &["has forgotten this position"]);
    let unknown = scene.ann_asks("!room hierarchy !nowhere:synod.test").await?;
    says(&unknown, "Not found", &["does not know the room"]);
    Ok(())
}

/// Where a space that everybody may join names rooms that the homeserver does not know, it lists in
/// their place what it has listed before.
#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_the_homeserver_garbles_is_told_as_far_as_it_is_known() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let public = |name: &str| json!({"preset": "public_chat", "name": name});
    let room = make(&by_eve, public("Child")).await?;
    let mut wanted = public("Club");
    wanted["creation_content"] = json!({"type": "m.space"});
    let space = make(&by_eve, wanted).await?;
    for child in [room.as_str(), "!far:elsewhere.example", "!farther:elsewhere.example"] {
        let path = format!("/_matrix/client/v3/rooms/{space}/state/m.space.child/{child}");
        assert_eq!(by_eve.put(&path, json!({"via": ["synod.test"]})).await?.0, 200);
    }
    let path = format!("/_synapse/admin/v1/rooms/{space}/hierarchy");
    let (_, listed) = scene.synapse().admin().get(&path).await?;
    let rooms = listed["rooms"].as_array().context("rooms")?;
    assert_eq!(rooms.len(), 4, "the homeserver does not garble it any more: {listed}");

    let told = scene.ann_asks(&format!("!room hierarchy {space}")).await?;
    says(&told, &space, &["“Club”", "“Child”", "more than once", "fewer than it counted"]);
    for (name, once) in [("“Club”", 1), ("“Child”", 1), ("elsewhere.example", 0)] {
        assert_eq!(told.body.matches(name).count(), once, "{name}: {}", told.body);
    }

    let fails = json!({"errcode": "M_UNKNOWN", "error": "Internal server error"});
    let failing = proxy.every(Method::GET, "/hierarchy", Fault::Answer(500, fails));
    let failed = scene.ann_asks(&format!("!room hierarchy {space}")).await?;
    let next = [format!("!room hierarchy {space} --max-depth 1"), format!("!room state {space}")];
    let [less_deep, state] = next.each_ref().map(String::as_str);
    says(&failed, "Failed", &["fails at the space", "(500)", less_deep, state]);
    let top = scene.ann_asks(less_deep).await?;
    says(&top, "Failed", &["(500)", state]);
    assert!(!top.body.contains("--max-depth"), "{}", top.body);
    failing.lift();
    // What it says to do works.
    let state = scene.ann_asks(offered(&top, "!room state")?).await?;
    says(&state, "", &["m.space.child", "elsewhere.example"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn loose_ends_are_shown_and_all_but_the_newest_deleted() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let room = make(&by_eve, json!({})).await?;
    let delete = format!("!room extremities {room} --delete");
    says(&scene.ann_asks(&delete).await?, "Nothing changed", &["no extremities to delete"]);
    let count = async || {
        let path = format!("/_synapse/admin/v1/rooms/{room}/forward_extremities");
        anyhow::Ok(scene.synapse().admin().get(&path).await?.1["count"].as_u64())
    };
    fork(&by_eve, &scene.synapse().admin(), &room).await?;
    let shown = scene.ann_asks(&format!("!room extremities {room}")).await?;
    says(&shown, &room, &["loose ends", "Received: just now"]);
    says(&scene.ask(scene.moe().await?, &delete).await?, "Refused", &["the role admin"]);
    assert!(count().await? > Some(1));
    let done = with_yes(&scene, &delete).await?;
    says(&done, "Done", &["deleted", "Now: 1", "No undo"]);
    assert_eq!(count().await?, Some(1));
    for look in ["", "--delete"] {
        let unknown =
            scene.ann_asks(&format!("!room extremities !nowhere:synod.test {look}")).await?;
        says(&unknown, "Not found", &["does not know the room"]);
    }
    Ok(())
}
