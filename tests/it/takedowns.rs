//! Rooms are deleted, and their history: watched to the true end, and the evidence is kept.

use anyhow::{Context as _, Result};
use reqwest::Method;
use ruma::{OwnedEventId, RoomId, UserId};
use serde_json::{Value, json};
use world::{Account, Config, Fault, Message, NewRoom, Options, Person, Scene, Synapse, Things};

use crate::{
    SYNOD,
    support::{api as of, code, make, offered, says, told, watched},
};

/// The last six characters of what is a room id's own.
pub(crate) fn phrase(room: &str) -> String {
    let room = room.split_once(':').map_or(room, |(own, _)| own);
    let end: Vec<char> = room.chars().rev().take(6).collect();
    end.into_iter().rev().collect()
}

/// Says yes to a question about this room.
async fn confirmed(scene: &Scene, question: &Message, phrase: &str) -> Result<Message> {
    scene.ann_asks(&format!("!confirm {} {phrase}", code(question)?)).await
}

async fn looked_up(scene: &Scene, id: &str) -> Result<(u16, Value)> {
    let (status, room) =
        scene.synapse().admin().get(&format!("/_synapse/admin/v1/rooms/{id}")).await?;
    Ok((status, room))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_room_is_watched_to_its_end_and_its_files_are_kept_from_everybody() -> Result<()>
{
    let scene = Scene::start(SYNOD).await?;
    let things = Things::of(scene.synapse(), scene.subject("eve").await?).await?;
    let (id, api) = (things.room.as_str(), scene.synapse().admin());
    let sam = scene.subject("sam").await?;
    let sam = Person::login(scene.synapse(), sam.user_id.localpart(), &sam.password).await?;
    sam.join(&RoomId::parse(id)?).await?;
    let picture = json!({ "msgtype": "m.image", "body": "a.png", "url": things.media });
    let path = format!("/_matrix/client/v3/rooms/{id}/send/m.room.message/picture");
    let (status, answer) = of(&scene, &things.eve).await?.put(&path, picture).await?;
    assert_eq!(status, 200, "{answer}");

    let bare = scene.ann_asks(&format!("!room delete {id}")).await?;
    says(&bare, "Delete", &["Members: 2, 2 here", "NOT BLOCKED", "--block"]);
    says(&bare, "", &["1, of which 1 is not in quarantine", "--quarantine-media", "other servers"]);
    says(&bare, "", &["encrypted cannot be counted"]);
    let question = scene
        .ann_asks(&format!("!room delete {} --block --quarantine-media", things.alias))
        .await?;
    assert!(!question.body.contains("NOT BLOCKED"), "{}", question.body);
    says(&confirmed(&scene, &question, "").await?, "Refused", &["a phrase"]);
    assert_eq!(looked_up(&scene, id).await?.0, 200);
    let begun = confirmed(&scene, &question, &phrase(id)).await?;
    says(&begun, "Done", &["has started", "!room delete-status -d", "Not undone"]);

    // One of them was only invited.
    let over = told(&scene, "deleted from this server").await?;
    says(&over, "Done", &[id, "3 members of this server", "BLOCKED"]);
    assert!(over.mentions.contains(scene.ann().user_id()), "{:?}", over.mentions);
    assert_eq!(looked_up(&scene, id).await?.0, 404);
    let block = api.get(&format!("/_synapse/admin/v1/rooms/{id}/block")).await?.1;
    assert_eq!(block["block"], true);
    let file = things.media.trim_start_matches("mxc://");
    let file = api.get(&format!("/_synapse/admin/v1/media/{file}")).await?.1;
    assert!(file["media_info"]["quarantined_by"].is_string(), "{file}");

    let status = scene.ann_asks(&format!("!room delete-status {id}")).await?;
    says(&status, "Deletion of", &["complete", "3 members of this server"]);
    // The homeserver would take it once more, and call it complete.
    let again = scene.ann_asks(&format!("!room delete {id}")).await?;
    says(&again, "Not found", &["does not know the room", "!room block"]);
    let audit = scene.ann_asks("!audit list --limit 5").await?;
    says(&audit, "", &["the homeserver has finished: room delete"]);

    // What it did besides has its own way back, each part told.
    let undone = scene.ann_asks(offered(&begun, "!undo")?).await?;
    // Of what does not come back the question tells each part.
    says(&undone, "", &["gone for good", "Aliases", "!matrix raw"]);
    let undone = match code(&undone) {
        Ok(code) => scene.ann_asks(&format!("!confirm {code}")).await?,
        Err(_) => undone,
    };
    says(&undone, "Done", &["2 ", id, "released from quarantine", &things.media]);
    let block = api.get(&format!("/_synapse/admin/v1/rooms/{id}/block")).await?.1;
    assert_eq!(block["block"], false);
    let file = things.media.trim_start_matches("mxc://");
    let file = api.get(&format!("/_synapse/admin/v1/media/{file}")).await?.1;
    assert!(file["media_info"]["quarantined_by"].is_null(), "{file}");
    assert_eq!(looked_up(&scene, id).await?.0, 404, "the deletion stays");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_is_watched_on_after_a_kill_and_a_failed_one_says_why() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let things = Things::of(scene.synapse(), scene.subject("eve").await?).await?;
    let id = things.room.as_str();
    let question = scene.ann_asks(&format!("!room delete {id} --no-purge")).await?;
    says(&question, "Put everybody of this server out of", &["what this server has of it"]);
    let asked = proxy.next(Method::GET, "delete_status", Fault::HoldAnswer);
    says(&confirmed(&scene, &question, &phrase(id)).await?, "Done", &["has started"]);
    asked.reached().await?;
    scene.bot()?.kill().await?;
    asked.release();
    scene.bot()?.start_again().await?;
    let over = told(&scene, "everybody on this server was removed").await?;
    says(&over, "Done", &[id, "NOT BLOCKED"]);
    let (status, left) = looked_up(&scene, id).await?;
    assert_eq!((status, &left["joined_local_members"]), (200, &json!(0)));
    let sent = proxy.changes().iter().filter(|sent| sent.method == Method::DELETE).count();
    assert_eq!(sent, 1, "{:?}", proxy.changes());

    // One whose new room cannot be made: what is to be said in it is too long.
    let things = Things::of(scene.synapse(), scene.subject("sam").await?).await?;
    let (id, api) = (things.room.as_str(), scene.synapse().admin());
    let impossible = json!({
        "new_room_user_id": things.bob.user_id,
        "room_name": "x",
        "message": "x".repeat(70_000),
    });
    let begun = api.delete(&format!("/_synapse/admin/v2/rooms/{id}"), Some(impossible)).await?.1;
    let task = begun["delete_id"].as_str().context("it has begun")?;
    let path = format!("/_synapse/admin/v2/rooms/delete_status/{task}");
    world::until("it fails", async || Ok(api.get(&path).await?.1["status"] == "failed")).await?;
    let status = scene.ann_asks(&format!("!room delete-status -d {task}")).await?;
    says(&status, "Deletion of", &[id, "failed", "Why: ", "too large"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_rooms_are_collected_shown_and_deleted_and_no_others() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    scene.start_bot(SYNOD, &scene.config()).await?;
    let eve = scene.subject("eve").await?;
    let eve = Person::login(&synapse, eve.user_id.localpart(), &eve.password).await?;
    let mut rooms = Vec::new();
    for _ in 0..3 {
        rooms.push(eve.create_room(&NewRoom::default()).await?);
    }
    let (kept, left) = rooms.split_first().context("three rooms")?;
    for room in left {
        let (status, answer) =
            eve.api().post(&format!("/_matrix/client/v3/rooms/{room}/leave"), json!({})).await?;
        assert_eq!(status, 200, "{answer}");
    }
    let question = scene.ann_asks("!room purge-empty").await?;
    says(&question, "Delete 2 rooms, ", &[left[0].as_str(), left[1].as_str()]);
    assert!(!question.body.contains(kept.as_str()), "{}", question.body);
    says(&confirmed(&scene, &question, "2").await?, "Done", &["2 rooms"]);
    for room in left {
        told(&scene, &format!("{room} deleted from this server")).await?;
        assert_eq!(looked_up(&scene, room.as_str()).await?.0, 404);
    }
    assert_eq!(looked_up(&scene, kept.as_str()).await?.0, 200);
    let none = scene.ann_asks("!room purge-empty").await?;
    says(&none, "Nothing changed", &["nothing matches"]);
    Ok(())
}

/// What the messages of a room say that still say something.
async fn bodies(scene: &Scene, room: &str) -> Result<Vec<String>> {
    let path = format!("/_synapse/admin/v1/rooms/{room}/messages?dir=b&limit=100");
    let found = scene.synapse().admin().get(&path).await?.1;
    let chunk = found["chunk"].as_array().context("messages")?;
    let bodies = chunk.iter().filter_map(|event| event["content"]["body"].as_str());
    Ok(bodies.map(str::to_owned).collect())
}

async fn person(scene: &Scene, account: &Account) -> Result<Person> {
    Person::login(scene.synapse(), account.user_id.localpart(), &account.password).await
}

#[tokio::test(flavor = "multi_thread")]
async fn old_messages_are_purged_before_a_moment_or_an_event_and_the_end_is_told() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = person(&scene, &scene.subject("eve").await?).await?;
    let in_clear = NewRoom { encrypted: false, ..NewRoom::default() };
    let id = eve.create_room(&in_clear).await?;
    let id = id.as_str();
    let mut events = Vec::new();
    for n in 0..6 {
        events.push(eve.say(&RoomId::parse(id)?, &format!("word {n}")).await?);
    }
    let purge = |rest: &str| format!("!history purge {id} {rest}");
    let late = scene.ann_asks(&purge("--before 2099-01-01")).await?;
    says(&late, "Not understood", &["in the future", "--before-days 0"]);
    let elsewhere = scene.ann().say(scene.room(), "elsewhere").await?;
    let wrong = scene.ann_asks(&purge(&format!("-i {elsewhere}"))).await?;
    says(&wrong, "Not found", &["is not an event of"]);
    let unknown = scene.ann_asks("!history purge !nowhere:synod.test -d 3").await?;
    says(&unknown, "Not found", &["does not know the room"]);
    says(&scene.ann_asks(&purge("")).await?, "Not understood", &[]);

    let question = scene.ann_asks(&purge(&format!("-i {} --delete-local", events[3]))).await?;
    says(&question, "Delete old messages of", &["what came before", "its last message"]);
    let begun = confirmed(&scene, &question, &phrase(id)).await?;
    says(&begun, "Done", &["has started", "!history purge-status"]);
    let over = told(&scene, "its old messages were deleted").await?;
    assert!(over.mentions.contains(scene.ann().user_id()), "{:?}", over.mentions);
    assert_eq!(bodies(&scene, id).await?, ["word 5", "word 4", "word 3"]);

    // Without --delete-local what people of this server have written is kept, and shown to nobody.
    let question = scene.ann_asks(&purge("--before-days 0")).await?;
    says(
        &question,
        "Delete old messages of",
        &["what people of this server have written", "no client"],
    );
    let mark = scene.ann().mark();
    let begun = confirmed(&scene, &question, &phrase(id)).await?;
    let (_, task) = begun.body.split_once("!history purge-status ").context("a task")?;
    let task = task.lines().next().unwrap_or_default().trim_end_matches('`').to_owned();
    let is_over = |message: &Message| message.body.contains("its old messages were deleted");
    scene.ann().wait_for_since(mark, "the end", is_over).await?;
    let status = scene.ann_asks(&format!("!history purge-status {task}")).await?;
    says(&status, "Purge", &[&task, "is complete"]);
    assert_eq!(bodies(&scene, id).await?, ["word 5"]);
    let kept = |event: &OwnedEventId| format!("/_synapse/admin/v1/fetch_event/{event}");
    let api = scene.synapse().admin();
    assert_eq!(api.get(&kept(&events[0])).await?.0, 404);
    assert_eq!(api.get(&kept(&events[3])).await?.0, 200);
    Ok(())
}

/// The rooms that an account is in.
async fn rooms_of(scene: &Scene, user: &UserId) -> Result<Value> {
    let path = format!("/_synapse/admin/v1/users/{user}/joined_rooms");
    Ok(scene.synapse().admin().get(&path).await?.1["joined_rooms"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_another_speak_in_the_place_of_a_room() -> Result<()> {
    let protected = |config: Config| config.set("protected.server_admins", "second_person");
    let scene = Scene::plan().start_with(SYNOD, protected).await?;
    let (eve, boss) = (scene.subject("eve").await?, scene.subject("boss").await?);
    let admin = scene.synapse().admin();
    let path = format!("/_synapse/admin/v1/users/{}/admin", boss.user_id);
    assert_eq!(admin.put(&path, json!({ "admin": true })).await?.0, 200);
    let room = make(&of(&scene, &eve).await?, json!({})).await?;
    let moe = scene.moe().await?;
    let said = "-n Prizes -m \"Send me your keys\"";
    let raw = |version: &str, user: &UserId| {
        let body = format!("{{\"new_room_user_id\": \"{user}\", \"message\": \"x\"}}");
        format!("!raw {version}/rooms/{room} -m delete -d '{body}'")
    };
    // A moderator makes nobody speak.
    for command in [
        format!("!room delete {room} -u {} {said}", eve.user_id),
        raw("v2", &eve.user_id),
        raw("v1", &eve.user_id),
    ] {
        says(&scene.ask(moe, &command).await?, "Refused", &["the role admin"]);
    }
    // Nobody at all makes those of the bot speak, and who is protected is so here too.
    for own in [scene.bot_id(), &scene.keeper().user_id] {
        for command in [
            format!("!room delete {room} -u {own} {said}"),
            format!("!room make-admin {room} -u {own}"),
            raw("v2", own),
            raw("v1", own),
        ] {
            says(&scene.ann_asks(&command).await?, "Refused", &[own.as_str(), "nobody can change"]);
        }
    }
    for command in [
        format!("!room delete {room} -u {} {said}", boss.user_id),
        format!("!room make-admin {room} -u {}", boss.user_id),
        raw("v2", &boss.user_id),
    ] {
        let answer = scene.ann_asks(&command).await?;
        assert!(answer.body.contains("it is protected"), "{command}: {}", answer.body);
    }
    assert_eq!(rooms_of(&scene, &eve.user_id).await?, json!([room]));
    assert_eq!(rooms_of(&scene, &boss.user_id).await?, json!([]));
    Ok(())
}
