//! Who has power in a room is looked up before anything is promised: who could give it, and who would
//! take it away by leaving.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use world::{Account, Api, Scene, Synapse};

use crate::{
    SYNOD,
    support::{api, code, make, offered, says, with_yes},
};

/// Lets somebody into an open room.
async fn join(by: &Api, room: &str) -> Result<()> {
    let (status, answer) = by.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?;
    anyhow::ensure!(status == 200, "{answer}");
    Ok(())
}

async fn leave(by: &Api, room: &str) -> Result<()> {
    let path = format!("/_matrix/client/v3/rooms/{room}/leave");
    let (status, answer) = by.post(&path, json!({})).await?;
    anyhow::ensure!(status == 200, "{answer}");
    Ok(())
}

/// The power levels of a room, as the homeserver has them.
async fn levels(scene: &Scene, room: &str) -> Result<Value> {
    let path = format!("/_synapse/admin/v1/rooms/{room}/state?type=m.room.power_levels");
    let (_, found) = scene.synapse().admin().get(&path).await?;
    Ok(found["state"][0]["content"].clone())
}

/// A room of this version, open or not, and somebody without power in it.
async fn room_of(by: &Api, version: &str, preset: &str, members: &[&Api]) -> Result<String> {
    let wanted = json!({ "preset": preset, "room_version": version, "name": "The lobby" });
    let room = make(by, wanted).await?;
    for member in members {
        join(member, &room).await?;
    }
    Ok(room)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_question_says_in_whose_name_power_is_given_and_what_it_is() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let by_eve = api(&scene, &eve).await?;
    for (version, preset, acts, gets, place) in [
        ("11", "private_chat", "whose power is 100", "It gets: 100", "no; it is invited"),
        ("12", "private_chat", "by its power as a creator", "cannot be given", "it is invited"),
        ("12", "public_chat", "by its power as a creator", "cannot be given", "joins by itself"),
    ] {
        let room = room_of(&by_eve, version, preset, &[]).await?;
        let command = format!("!room make-admin {room} -u {}", sam.user_id);
        let question = scene.ann_asks(&command).await?;
        let named = format!("In the name of: {}", eve.user_id);
        says(&question, "Make", &[&named, acts, gets, place]);
        let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
        says(&done, "Done", &["is an admin of", "Power now: 100"]);
        assert_eq!(levels(&scene, &room).await?["users"][sam.user_id.as_str()], 100);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_power_cannot_be_given_it_is_said_before_the_question_and_what_can_be_done()
-> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let [eve, sam, tom] =
        [scene.subject("eve").await?, scene.subject("sam").await?, scene.subject("tom").await?];
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let by_tom = api(&scene, &tom).await?;
    let command = |room: &str| format!("!room make-admin {room} -u {}", sam.user_id);
    let (eve, sam, tom) = (eve.user_id.as_str(), &sam.user_id, &tom.user_id);

    // Its creator has left, and somebody without power is still in it.
    for (version, said) in
        [("11", "has enough power, has left"), ("12", "a creator, has left: a creator's power")]
    {
        let room = room_of(&by_eve, version, "public_chat", &[&by_sam]).await?;
        leave(&by_eve, &room).await?;
        let refused = scene.ann_asks(&command(&room)).await?;
        says(&refused, "Refused", &["nobody on this server", eve, said, "!room join"]);
        // What it offers is the way.
        says(&with_yes(&scene, offered(&refused, "!room join")?).await?, "Done", &["is in"]);
        says(&with_yes(&scene, &command(&room)).await?, "Done", &["Power now: 100"]);

        leave(&by_eve, &room).await?;
        leave(&by_sam, &room).await?;
        says(&scene.ann_asks(&command(&room)).await?, "Refused", &["is in", "any more"]);
    }

    // The strongest who is left has too little.
    let room = room_of(&by_eve, "11", "public_chat", &[&by_sam, &by_tom]).await?;
    let mut weak = levels(&scene, &room).await?;
    weak["users"][tom.as_str()] = json!(50);
    let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.power_levels/");
    assert_eq!(by_eve.put(&path, weak).await?.0, 200);
    leave(&by_eve, &room).await?;
    let refused = scene.ann_asks(&command(&room)).await?;
    says(&refused, "Refused", &["the most power", tom.as_str(), "with 50", "needs 100", eve]);

    // Whoever is banned would get the power, and no invitation.
    let room = room_of(&by_eve, "11", "private_chat", &[]).await?;
    let ban = json!({ "user_id": sam });
    by_eve.post(&format!("/_matrix/client/v3/rooms/{room}/ban"), ban).await?;
    says(&scene.ann_asks(&command(&room)).await?, "Refused", &["is banned from", "lift the ban"]);
    let gone = format!("/_matrix/client/v3/rooms/{room}/unban");
    assert_eq!(by_eve.post(&gone, json!({ "user_id": sam })).await?.0, 200);
    scene.ann_asks(&format!("!room block {room}")).await?;
    says(&scene.ann_asks(&command(&room)).await?, "Refused", &["is blocked", "!room unblock"]);
    assert_eq!(levels(&scene, &room).await?["users"][sam.as_str()], Value::Null);
    Ok(())
}

/// The question about deactivating an account, cancelled.
async fn asked(scene: &Scene, command: &str) -> Result<String> {
    let question = scene.ann_asks(command).await?;
    scene.ann_asks(&format!("!cancel {}", code(&question)?)).await?;
    Ok(question.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_would_leave_a_room_without_an_admin_is_named_with_what_to_do_first() -> Result<()>
{
    let scene = Scene::start(SYNOD).await?;
    let [eve, sam, tom] =
        [scene.subject("eve").await?, scene.subject("sam").await?, scene.subject("tom").await?];
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let old = room_of(&by_eve, "11", "public_chat", &[&by_sam]).await?;
    let new = room_of(&by_eve, "12", "public_chat", &[&by_sam]).await?;
    let alone = room_of(&by_eve, "11", "public_chat", &[]).await?;
    let shared = room_of(&by_eve, "11", "public_chat", &[&by_sam]).await?;
    let make_admin = |room: &str| format!("!room make-admin {room} -u {}", sam.user_id);
    says(&with_yes(&scene, &make_admin(&shared)).await?, "Done", &[]);

    for command in [
        format!("!user deactivate {}", eve.user_id),
        format!("!user modify {} --deactivate", eve.user_id),
        format!("!user deactivate-regex \"@{}\"", eve.user_id.localpart()),
        format!("!user deactivate {} {}", tom.user_id, eve.user_id),
    ] {
        let question = asked(&scene, &command).await?;
        let named = format!("{} is the only admin of 2 rooms", eve.user_id);
        for part in [&named, &old, &new, "1 other", "lost for good", "!room make-admin"] {
            assert!(question.contains(part), "{command}: no {part:?} in {question}");
        }
        assert!(!question.contains(&alone) && !question.contains(&shared), "{question}");
        assert!(!question.contains(&format!("{} is the only", tom.user_id)), "{question}");
    }
    let plan = scene.ann_asks(&format!("!user deactivate {} --plan", eve.user_id)).await?;
    says(&plan, "What", &["only admin", &old]);

    // A lock of one runs at once, and says it of the time until its end.
    let both = asked(&scene, &format!("!user lock {} {}", tom.user_id, eve.user_id)).await?;
    let named = format!("{} is the only admin of 2 rooms", eve.user_id);
    assert!(both.contains(&named) && both.contains(&old) && !both.contains(&alone), "{both}");
    let locked = scene.ann_asks(&format!("!user lock {}", eve.user_id)).await?;
    says(&locked, "Done", &[&named, "While it is locked", "!room make-admin", &old, &new]);
    let unlocked = scene.ann_asks(&format!("!user unlock {}", eve.user_id)).await?;
    says(&unlocked, "Done", &["no longer locked"]);
    assert!(!unlocked.body.contains("only admin"), "{unlocked}");

    // Once somebody else is an admin there is nothing to say, but for what cannot be given.
    for room in [&old, &new] {
        says(&with_yes(&scene, &make_admin(room)).await?, "Done", &[]);
    }
    let question = asked(&scene, &format!("!user deactivate {}", eve.user_id)).await?;
    assert!(!question.contains("only admin") && !question.contains(&old), "{question}");
    assert!(question.contains("is the creator of 1 room") && question.contains(&new), "{question}");
    let bare = asked(&scene, &format!("!user deactivate {}", sam.user_id)).await?;
    assert!(!bare.contains("only admin"), "{bare}");
    Ok(())
}

/// Bob of another server in a room of eve's.
async fn with_bob(scene: &Scene, there: &Synapse) -> Result<(Account, Account, String)> {
    let eve = scene.subject("eve").await?;
    let bob = there.register("bob", "a password", false, "Bob").await?;
    let by_bob = there.api(&there.log_in(&bob).await?.0);
    let wanted = json!({ "preset": "public_chat", "room_version": "11" });
    let room = make(&api(scene, &eve).await?, wanted).await?;
    let via = scene.synapse().server_name();
    let path = format!("/_matrix/client/v3/join/{room}?server_name={via}");
    let (status, answer) = by_bob.post(&path, json!({})).await?;
    anyhow::ensure!(status == 200, "{answer}");
    Ok((eve, bob, room))
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_other_servers_are_not_left_without_an_admin_by_accident() -> Result<()> {
    let (here, there) = Synapse::neighbours().await?;
    let scene = Scene::plan().on(&here).start(SYNOD).await?;
    let (eve, bob, room) = with_bob(&scene, &there).await?;
    let delete = format!("!room delete {room}");
    let question = scene.ann_asks(&delete).await?;
    let only = ["only admins", "1 person on other servers", eve.user_id.as_str()];
    says(&question, "Delete", &only);
    let command = offered(&question, "!room make-admin")?;
    let command = command.trim_end_matches("@…");
    let given = with_yes(&scene, &format!("{command}{}", bob.user_id)).await?;
    says(&given, "Done", &[bob.user_id.as_str(), "Power now: 100"]);
    let question = asked(&scene, &delete).await?;
    assert!(!question.contains("only admins"), "{question}");

    // When eve has gone too, those who can are named and of another server.
    let sam = scene.subject("sam").await?;
    let by_sam = api(&scene, &sam).await?;
    join(&by_sam, &room).await?;
    leave(&api(&scene, &eve).await?, &room).await?;
    let refused = scene.ann_asks(&format!("!room make-admin {room} -u {}", sam.user_id)).await?;
    let asked = format!("Ask one of these, on other servers: {}", bob.user_id);
    says(&refused, "Refused", &["has left, and could come back", &asked]);
    refused.body.find("!room join").context("eve could come back")?;
    Ok(())
}
