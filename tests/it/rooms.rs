//! Rooms on a real homeserver: looking, blocking, and giving power.

use anyhow::Result;
use serde_json::{Value, json};
use world::{Account, Api, Scene};

use crate::{
    SYNOD,
    support::{api, code, make, offered, says, with_yes},
};

/// Whether the homeserver has a room blocked.
async fn is_blocked(scene: &Scene, room: &str) -> Result<bool> {
    let path = format!("/_synapse/admin/v1/rooms/{room}/block");
    Ok(scene.synapse().admin().get(&path).await?.1["block"] == json!(true))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_shown_by_id_alias_link_and_pill() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let alias = format!("lobby-{}", eve.user_id.localpart());
    let wanted = json!({
        "preset": "public_chat", "room_alias_name": alias, "name": "The lobby", "topic": "Hello",
    });
    let room = make(&api(&scene, &eve).await?, wanted).await?;
    let alias = format!("#{alias}:synod.test");
    let told = ["The lobby", "Hello", "1, 1 here", "everybody", "Blocked: no"];
    for typed in [
        room.clone(),
        alias.clone(),
        format!("https://matrix.to/#/{room}"),
        format!("https://matrix.to/#/{}", alias.replace('#', "%23")),
    ] {
        let details = scene.ann_asks(&format!("!room details {typed} --all")).await?;
        says(&details, room.as_str(), &told);
    }
    let link = alias.replace('#', "%23");
    let pill = format!("!room show <a href=\"https://matrix.to/#/{link}\">The lobby</a>");
    let event = scene.ann().say_html(scene.room(), "!room show The lobby", &pill).await?;
    says(&scene.answer(scene.ann(), &event).await?, "", &[room.as_str(), "The lobby"]);

    says(&scene.ann_asks(&format!("!room block {room}")).await?, "Done", &[]);
    let details = scene.ann_asks(&format!("!room details {room}")).await?;
    says(&details, "", &["Blocked: yes", "Done through me", "room block"]);

    let unknown = scene.ann_asks("!room details !nowhere:synod.test").await?;
    says(&unknown, "Not found", &["does not know the room"]);
    let no_alias = scene.ann_asks("!room details #nowhere:synod.test").await?;
    says(
        &no_alias,
        "Not found",
        &["no room with the alias", "#nowhere:synod.test", "!room search nowhere"],
    );
    says(&scene.ann_asks("!room details lobby").await?, "Not understood", &["a room is needed"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_joins_a_blocked_room_until_that_is_taken_back() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let sam = api(&scene, &sam).await?;
    let room = make(&api(&scene, &eve).await?, json!({"preset": "public_chat"})).await?;
    let join = async || {
        anyhow::Ok(sam.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?.0)
    };

    let free = scene.ann_asks(&format!("!room unblock {room}")).await?;
    says(&free, "Nothing changed", &["is not blocked"]);
    let moe = scene.moe().await?;
    let blocked = scene.ask(moe, &format!("!room block {room}")).await?;
    says(&blocked, "Done", &["blocked: nobody", "Members: 1", "who is in it"]);
    assert!(is_blocked(&scene, &room).await?);
    assert_eq!(join().await?, 403);
    says(&scene.ann_asks(&format!("!room block {room}")).await?, "Nothing changed", &["already"]);
    let status = scene.ann_asks(&format!("!room block-status {room}")).await?;
    says(&status, "", &["is blocked", scene.keeper().user_id.as_str(), "!room unblock"]);

    says(&scene.ann_asks(offered(&blocked, "!undo")?).await?, "Done", &["no longer blocked"]);
    assert!(!is_blocked(&scene, &room).await?);
    assert_eq!(join().await?, 200);
    scene.ann_asks(&format!("!room block {room}")).await?;
    says(&scene.ann_asks(&format!("!room block {room} --unblock")).await?, "Done", &[]);
    assert!(!is_blocked(&scene, &room).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_nobody_here_knows_is_blocked_and_that_is_said() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let room = format!("!{}:elsewhere.example", scene.bot_id().localpart());
    let status = scene.ann_asks(&format!("!room block-status {room}")).await?;
    says(&status, "", &["is not blocked", "does not know it"]);
    let blocked = scene.ann_asks(&format!("!room block {room}")).await?;
    says(&blocked, "Done", &["blocked: nobody", "does not know it", "!undo"]);
    assert!(is_blocked(&scene, &room).await?);
    let details = scene.ann_asks(&format!("!room details {room}")).await?;
    says(&details, "", &["does not know the room", "Blocked: yes", "room block"]);
    says(&scene.ann_asks(offered(&blocked, "!undo")?).await?, "Done", &[]);
    assert!(!is_blocked(&scene, &room).await?);
    Ok(())
}

/// The level that `user` has in a room.
async fn level(api: &Api, room: &str, user: &Account) -> Result<Value> {
    let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.power_levels/");
    Ok(api.get(&path).await?.1["users"][user.user_id.as_str()].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_of_a_room_is_made_with_a_yes_and_invited() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let eve = api(&scene, &eve).await?;
    for version in ["11", "12"] {
        let wanted = json!({"preset": "private_chat", "room_version": version});
        let room = make(&eve, wanted).await?;
        let command = format!("!room make-admin {room} --user-id {}", sam.user_id);
        let question = scene.ann_asks(&command).await?;
        says(&question, "Make", &[sam.user_id.as_str(), &room, "Its power: 0", "In the room: no"]);
        assert_eq!(level(&eve, &room, &sam).await?, Value::Null, "a question gives no power");
        let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
        says(
            &done,
            "Done",
            &["is an admin of", "Power now: 100", "In the room: invited", "No undo"],
        );
        assert_eq!(level(&eve, &room, &sam).await?, json!(100));
        let again = scene.ann_asks(&command).await?;
        says(&again, "Nothing changed", &["already"]);

        // Without a name it is for the account of the admin token.
        let own = with_yes(&scene, &format!("!room make-admin {room}")).await?;
        says(&own, "Done", &[scene.keeper().user_id.as_str()]);
        assert_eq!(level(&eve, &room, scene.keeper()).await?, json!(100));

        let nobody = format!("!room make-admin {room} -u @nobody-at-all:synod.test");
        says(&scene.ann_asks(&nobody).await?, "Not found", &["no such user"]);
        let moe = scene.moe().await?;
        says(&scene.ask(moe, &command).await?, "Refused", &["admin"]);
    }
    let unknown = format!("!room make-admin !nowhere:synod.test -u {}", sam.user_id);
    says(&scene.ann_asks(&unknown).await?, "Not found", &["does not know the room"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_room_is_refused_flatly_whoever_asks() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let room = scene.room();
    for command in [
        format!("!room block {room}"),
        format!("!room unblock {room}"),
        format!("!room make-admin {room}"),
        format!("!room make-admin {room} -u {}", scene.accounts()[2].user_id),
        format!("!room join {room} {}", scene.accounts()[2].user_id),
        format!("!room kick {room} {}", scene.accounts()[2].user_id),
        format!("!room demote {room} {}", scene.accounts()[2].user_id),
        format!("!room extremities {room} --delete"),
        format!("!room empty {room}"),
    ] {
        let answer = scene.ann_asks(&command).await?;
        says(&answer, "Refused", &["an admin room of the bot"]);
    }
    assert!(!is_blocked(&scene, room.as_str()).await?);
    says(
        &scene.ann_asks(&format!("!room details {room}")).await?,
        "",
        &[room.as_str(), "Encrypted: yes"],
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_moved_after_the_question_is_asked_again() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let by_eve = api(&scene, &eve).await?;
    let name = format!("lobby-{}", eve.user_id.localpart());
    let wanted = |alias: &str| json!({"preset": "private_chat", "room_alias_name": alias});
    let first = make(&by_eve, wanted(&name)).await?;
    let other = make(&by_eve, json!({"preset": "private_chat"})).await?;
    let alias = format!("#{name}:synod.test");
    let command = format!("!room make-admin {alias} --user-id {}", sam.user_id);
    let question = scene.ann_asks(&command).await?;
    says(&question, "Make", &[&first]);

    let path = format!("/_matrix/client/v3/directory/room/{}", alias.replace('#', "%23"));
    assert_eq!(by_eve.delete(&path, None).await?.0, 200);
    assert_eq!(by_eve.put(&path, json!({ "room_id": other })).await?.0, 200);
    let again = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&again, "", &["Something changed", &other, "!confirm"]);
    assert_ne!(code(&again)?, code(&question)?);
    for room in [&first, &other] {
        assert_eq!(level(&by_eve, room, &sam).await?, Value::Null, "{room} has a new admin");
    }
    // The new question is about the room that it names.
    let done = scene.ann_asks(&format!("!confirm {}", code(&again)?)).await?;
    says(&done, "Done", &[&other]);
    assert_eq!(level(&by_eve, &first, &sam).await?, Value::Null);
    assert_eq!(level(&by_eve, &other, &sam).await?, json!(100));
    Ok(())
}
