//! What is left behind: accounts that nobody uses, rooms that are emptied or blocked, and what comes back
//! of what was taken away.

use anyhow::{Context as _, Result};
use ruma::UserId;
use serde_json::{Value, json};
use world::{Account, Api, Message, Options, Scene, Synapse};

use crate::{
    SYNOD,
    support::{api, behind_its_back, code, is, make, offered, says, told, with_device, with_yes},
    takedowns::phrase,
};

/// A scene on a homeserver of its own.
async fn own() -> Result<Scene> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    scene.start_bot(SYNOD, &scene.config()).await?;
    Ok(scene)
}

/// Asks, and says yes with the phrase of a room.
async fn with_phrase(scene: &Scene, command: &str, room: &str) -> Result<Message> {
    let question = scene.ann_asks(command).await?;
    scene.ann_asks(&format!("!confirm {} {}", code(&question)?, phrase(room))).await
}

async fn get(scene: &Scene, path: &str) -> Result<(u16, Value)> {
    scene.synapse().admin().get(&format!("/_synapse/admin/v1/{path}")).await
}

/// What the homeserver says of who is in a room.
async fn members(scene: &Scene, room: &str) -> Result<Value> {
    Ok(get(scene, &format!("rooms/{room}/members")).await?.1["members"].clone())
}

async fn join(by: &Api, room: &str) -> Result<u16> {
    Ok(by.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?.0)
}

/// How somebody was created and last seen so many days ago, as the database has it.
fn aged(user: &UserId, created: i64, seen: Option<i64>) -> String {
    let ago = |days: i64| format!("(CAST(strftime('%s', 'now') AS INTEGER) - {days} * 86400)");
    let seen = seen.map_or_else(|| "NULL".to_owned(), |days| format!("{} * 1000", ago(days)));
    format!(
        "UPDATE users SET creation_ts = {} WHERE name = '{user}';\n\
         UPDATE devices SET last_seen = {seen} WHERE user_id = '{user}';\n\
         DELETE FROM user_ips WHERE user_id = '{user}';\n",
        ago(created)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_accounts_are_listed_and_none_that_the_homeserver_has_only_forgotten() -> Result<()> {
    let scene = own().await?;
    let synapse = scene.synapse();
    let mut made = Vec::new();
    for name in ["old", "mailed", "used", "young", "forgotten", "elsewhere", "gone"] {
        made.push(with_device(&scene, name).await?.0);
    }
    let [old, mailed, used, young, forgotten, elsewhere, gone] = made.as_slice() else {
        unreachable!("there are seven")
    };
    // As many as a job is for.
    let mut others = Vec::new();
    for n in 0..10 {
        others.push(with_device(&scene, &format!("idle{n}")).await?.0);
    }
    let bridged = synapse.bridged("idle").await?;
    let path = format!("/_synapse/admin/v2/users/{}", mailed.user_id);
    let address = json!({ "threepids": [{ "medium": "email", "address": "m@mail.example" }] });
    assert_eq!(synapse.admin().put(&path, address).await?.0, 200);
    with_yes(&scene, &format!("!user deactivate {}", gone.user_id)).await?;
    let statements = [
        aged(&old.user_id, 900, Some(400)),
        aged(&mailed.user_id, 900, Some(500)),
        aged(&used.user_id, 900, Some(300)),
        aged(&young.user_id, 20, None),
        aged(&forgotten.user_id, 900, None),
        aged(&elsewhere.user_id, 900, Some(450)),
        aged(&gone.user_id, 900, None),
        aged(&bridged, 900, None),
        // It was used ten days ago in a session that is logged out since.
        format!(
            "INSERT INTO user_ips (user_id, access_token, device_id, ip, user_agent, last_seen) \
             VALUES ('{}', 'x', 'GONE', '192.0.2.1', 'x', \
             (CAST(strftime('%s', 'now') AS INTEGER) - 864000) * 1000);",
            elsewhere.user_id
        ),
    ];
    let others_aged = others.iter().map(|other| aged(&other.user_id, 900, Some(420)));
    let statements = statements.into_iter().chain(others_aged).collect::<Vec<_>>();
    behind_its_back(synapse, statements.concat()).await?;

    let idle = scene.ann_asks("!user list --idle 365d").await?;
    says(&idle, "12 accounts found; looked through all", &[old.user_id.as_str()]);
    says(&idle, "", &["1 more has no known last activity", "forgets this after about a month"]);
    let at = |account: &Account| idle.body.find(account.user_id.as_str());
    assert!(at(mailed).context("mailed")? < at(old).context("old")?, "longest ago first: {idle}");
    for other in [used, young, forgotten, elsewhere, gone] {
        assert!(at(other).is_none(), "{} is in {}", other.user_id, idle.body);
    }
    assert!(!idle.body.contains(bridged.as_str()), "{}", idle.body);
    let ten = scene.ann_asks("!user list --idle 200d").await?;
    says(&ten, "13 accounts found", &[used.user_id.as_str()]);

    let mailless = scene.ann_asks("!user list --idle 365d --no-mail").await?;
    says(&mailless, "11 accounts found", &[old.user_id.as_str(), "1 more has no known"]);
    let csv = scene.ann_asks("!user list --idle 365d --all -o csv").await?;
    says(&csv, "", &[old.user_id.as_str(), mailed.user_id.as_str(), "1 more has no known"]);
    let data = scene.ann_asks("!user list --idle 365d --all -o json").await?;
    let data: Value = serde_json::from_str(&data.body)?;
    assert_eq!(data["total"], 12, "{data}");
    assert!(data["users"][0].get("looked_up").is_none(), "{data}");
    assert!(data["note"].as_str().is_some_and(|note| note.contains("no known last")), "{data}");

    // The list is the list of a job.
    let asked = scene.ann().reply(scene.room(), &idle.event_id, "!user deactivate").await?;
    let question = scene.answer(scene.ann(), &asked).await?;
    says(&question, "", &["12 accounts", old.user_id.as_str(), mailed.user_id.as_str()]);
    scene.ann_asks(&format!("!confirm {} 12", code(&question)?)).await?;
    told(&scene, "12 of 12").await?;
    for other in &others {
        assert!(is(&scene, other, "deactivated").await?, "{}", other.user_id);
    }
    assert!(is(&scene, old, "deactivated").await? && is(&scene, mailed, "deactivated").await?);
    for other in [used, young, forgotten, elsewhere] {
        assert!(!is(&scene, other, "deactivated").await?, "{}", other.user_id);
    }
    says(&scene.ann_asks("!user list --idle 365d").await?, "no accounts found", &["1 more"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_room_stays_and_its_people_are_put_back_where_it_lets_them_in() -> Result<()> {
    let (here, there) = Synapse::neighbours().await?;
    let scene = Scene::plan().on(&here).start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let bob = there.register("bob", "a password", false, "Bob").await?;
    let by_bob = there.api(&there.log_in(&bob).await?.0);
    let room = make(&by_eve, json!({ "preset": "public_chat" })).await?;
    assert_eq!(join(&by_sam, &room).await?, 200);
    let via = format!("/_matrix/client/v3/join/{room}?server_name={}", here.server_name());
    assert_eq!(by_bob.post(&via, json!({})).await?.0, 200);
    let counted = async || {
        let room = get(&scene, &format!("rooms/{room}")).await?.1;
        Ok(room["joined_members"] == 3 && room["joined_local_members"] == 2)
    };
    world::until("the members are counted", counted).await?;

    let empty = format!("!room empty {room}");
    let question = scene.ann_asks(&empty).await?;
    says(&question, "Put everybody of this server out of", &["2 members", "OPEN"]);
    says(&question, "", &["1 person on other servers", "only admins", "!room make-admin"]);
    let begun = with_phrase(&scene, &empty, &room).await?;
    says(&begun, "Done", &["has started", "!room delete-status -d", "!undo", "Not undone"]);
    says(&told(&scene, "everybody on this server was removed").await?, "Done", &[&room]);
    assert_eq!(get(&scene, &format!("rooms/{room}")).await?.0, 200, "it is still known");
    let block = get(&scene, &format!("rooms/{room}/block")).await?.1;
    assert_eq!(block["block"], false);
    let left = async || {
        let path = format!("/_matrix/client/v3/rooms/{room}/joined_members");
        let joined = by_bob.get(&path).await?.1["joined"].clone();
        Ok(joined.as_object().is_some_and(|joined| joined.len() == 1))
    };
    world::until("bob is alone in it", left).await?;
    says(&scene.ann_asks(&empty).await?, "Nothing changed", &["has no members"]);

    let undone = with_yes(&scene, offered(&begun, "!undo")?).await?;
    says(&undone, "Done", &[eve.user_id.as_str(), sam.user_id.as_str(), &room]);
    let back = members(&scene, &room).await?.to_string();
    for account in [&eve, &sam, &bob] {
        assert!(back.contains(account.user_id.as_str()), "{back}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_room_that_nobody_stays_in_is_told_to_be_lost() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let room = make(&by_eve, json!({ "preset": "public_chat", "invite": [sam.user_id] })).await?;
    let empty = format!("!room empty {room}");
    says(&scene.ann_asks(&empty).await?, "Put everybody", &["nobody stays in it"]);
    let begun = with_phrase(&scene, &empty, &room).await?;
    says(&begun, "Done", &["No undo", "nobody is left in the room", "!room messages"]);
    told(&scene, "everybody on this server was removed").await?;
    assert_eq!(members(&scene, &room).await?, json!([]));
    assert_eq!(join(&by_sam, &room).await?, 404, "what was told is so");
    let undo = format!("!undo {}", crate::support::digits(&begun.body, "#")?);
    let why = scene.ann_asks(&undo).await?;
    says(&why, "Refused", &["cannot be undone by one command", "nobody is left in the room"]);

    // Neither a viewer nor anybody for the room of the bot itself.
    let vic = scene.vic().await?;
    says(&scene.ask(vic, &empty).await?, "Refused", &["moderator"]);
    let own = scene.ann_asks(&format!("!room empty {}", scene.room())).await?;
    says(&own, "Refused", &["nobody can change"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_rooms_are_listed_as_the_homeserver_has_them_now() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = api(&scene, &scene.subject("eve").await?).await?;
    let none = scene.ann_asks("!room blocked").await?;
    says(&none, "no blocked rooms known to me", &["another tool"]);
    let mut rooms = Vec::new();
    for name in ["First", "Second", "Third", "Fourth"] {
        rooms.push(make(&eve, json!({ "preset": "public_chat", "name": name })).await?);
    }
    let [first, second, third, fourth] = rooms.as_slice() else { unreachable!("there are four") };
    for room in [first, second] {
        says(&scene.ann_asks(&format!("!room block {room}")).await?, "Done", &[]);
    }
    with_phrase(&scene, &format!("!room delete {third} --block"), third).await?;
    told(&scene, "deleted from this server").await?;
    // Another tool blocks one and unblocks another.
    let admin = scene.synapse().admin();
    for (room, block) in [(fourth, true), (second, false)] {
        let path = format!("/_synapse/admin/v1/rooms/{room}/block");
        assert_eq!(admin.put(&path, json!({ "block": block })).await?.0, 200);
    }

    let list = scene.ann_asks("!room blocked").await?;
    says(&list, "2 blocked rooms known to me", &[first, third, "First", "!audit show"]);
    says(&list, "", &["1 room in my record", "is not blocked now"]);
    assert!(!list.body.contains(second) && !list.body.contains(fourth), "{}", list.body);
    let named = scene.ann_asks(&format!("!room blocked {second} {fourth}")).await?;
    says(&named, "2 rooms, 1 blocked", &[second, fourth, "Blocked: yes", "Blocked: no"]);
    let data = scene.ann_asks("!room blocked -o json").await?;
    let data: Value = serde_json::from_str(&data.body)?;
    assert_eq!((&data["total"], &data["rooms"][0]["block"]), (&json!(2), &json!(true)), "{data}");

    // A reply to the list is about all of it.
    let asked = scene.ann().reply(scene.room(), &list.event_id, "!room unblock").await?;
    let question = scene.answer(scene.ann(), &asked).await?;
    let done = scene.ann_asks(&format!("!confirm {} 2", code(&question)?)).await?;
    says(&done, "Done", &[]);
    for room in [first, third] {
        let path = format!("rooms/{room}/block");
        assert_eq!(get(&scene, &path).await?.1["block"], false, "{room}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_undo_of_a_takedown_says_part_by_part_what_comes_back() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let room = make(&api(&scene, &eve).await?, json!({ "preset": "public_chat" })).await?;
    let begun = with_phrase(&scene, &format!("!room delete {room}"), &room).await?;
    says(&begun, "Done", &["No undo", "gone for good", "Aliases"]);
    told(&scene, "deleted from this server").await?;
    let undo = format!("!undo {}", crate::support::digits(&begun.body, "#")?);
    let parts = scene.ann_asks(&undo).await?;
    says(&parts, "Refused", &["cannot be undone by one command", "What comes back, and how"]);
    says(&parts, "", &["nobody else has them", "!matrix raw"]);

    let done = with_yes(&scene, &format!("!user deactivate {}", eve.user_id)).await?;
    says(&done, "Done", &["No undo", "!user reactivate", "!user password", "!room join"]);
    let undo = format!("!undo {}", crate::support::digits(&done.body, "#")?);
    let parts = scene.ann_asks(&undo).await?;
    says(&parts, "Refused", &["Login", "!user reactivate", "Rooms", "they do not come back"]);
    assert!(is(&scene, &eve, "deactivated").await?);
    Ok(())
}
