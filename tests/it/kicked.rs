//! Accounts are taken out of rooms: by the account of the admin token where it may, else in their own
//! names, with a token that nobody sees and that is of no use afterwards.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use world::{Account, Api, Fault, Proxy, Scene};

use crate::{
    SYNOD,
    jobs::{ended, say_yes},
    support::{api, code, devices, digits, make, says, watched, with_device, with_yes},
};

/// Lets somebody into an open room, or one that they are invited to.
pub(crate) async fn join(by: &Api, room: &str) -> Result<()> {
    let (status, answer) = by.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?;
    ensure!(status == 200, "{answer}");
    Ok(())
}

/// How an account stands to a room, and who has made it so, as the room's state says.
pub(crate) async fn stands(scene: &Scene, user: &str, room: &str) -> Result<(String, String)> {
    let path = format!("/_synapse/admin/v1/rooms/{room}/state?type=m.room.member");
    let (_, found) = scene.synapse().admin().get(&path).await?;
    let state = found["state"].as_array().context("the state of a room")?;
    let event = state.iter().find(|event| event["state_key"] == user).cloned();
    let event = event.unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok((text(&event["content"]["membership"]), text(&event["sender"])))
}

/// The only token with which something was done that is not the admin's, as the proxy has seen it.
pub(crate) fn token_of(proxy: &Proxy, path: &str) -> Result<String> {
    let all = proxy.changes();
    let with = all.iter().find(|passed| passed.path.contains(path)).context("it was not sent")?;
    Ok(with.token.clone())
}

/// Fails unless the homeserver takes this token no more.
pub(crate) async fn is_ended(scene: &Scene, token: &str) -> Result<()> {
    let who = scene.synapse().api(token).get("/_matrix/client/v3/account/whoami").await?;
    ensure!(who.0 == 401, "the token is still taken: {who:?}");
    Ok(())
}

/// An account that is logged in: its id, its device, and its own session.
async fn logged_in(scene: &Scene, name: &str) -> Result<(Account, Vec<String>, Api)> {
    let (account, _) = with_device(scene, name).await?;
    let own = api(scene, &account).await?;
    let all = devices(scene, &account).await?;
    Ok((account, all, own))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_leaves_in_its_own_name_and_stays_logged_in() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let (sam, before, by_sam) = logged_in(&scene, "sam").await?;
    let wanted = json!({"preset": "public_chat", "name": "The lobby", "room_version": "11"});
    let room = make(&by_eve, wanted).await?;
    join(&by_sam, &room).await?;
    let id = sam.user_id.as_str();
    let kick = format!("!room kick {room} {id} --as-user");

    says(&scene.ask(scene.moe().await?, &kick).await?, "Refused", &["the role admin"]);
    let plan = scene.ann_asks(&format!("{kick} --plan")).await?;
    says(&plan, "", &["/login", "/leave", "with the token of", "/v3/logout", "Nothing was sent"]);
    let question = scene.ann_asks(&kick).await?;
    let parts = [id, &room, "takes the account over for a moment", "can come back by itself"];
    says(&question, "Take ", &parts);
    assert!(proxy.changes().is_empty(), "a question sends nothing");
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &[id, "is out of", &room, "Undo", "!undo"]);
    assert_eq!(stands(&scene, id, &room).await?, ("leave".to_owned(), id.to_owned()));

    // The token was its, is of no use any more, and took nothing of the account's own with it.
    let token = token_of(&proxy, "/leave")?;
    assert_ne!(token, scene.synapse().admin().token());
    assert_eq!(token_of(&proxy, "/v3/logout")?, token, "what was ended is that one");
    is_ended(&scene, &token).await?;
    assert_eq!(devices(&scene, &sam).await?, before);
    let (status, who) = by_sam.get("/_matrix/client/v3/account/whoami").await?;
    assert!(status == 200 && who["user_id"] == id, "{status} {who}");
    let lasts = proxy.changes()[0].body["valid_until_ms"].as_i64().context("until when")?;
    let left = lasts - jiff::Timestamp::now().as_millisecond();
    assert!(left <= 60_000, "it would have ended by itself: {left}");

    says(&scene.ann_asks(&kick).await?, "Nothing changed", &["is not in", &room]);
    let number = digits(&done.body, "!undo")?;
    says(&with_yes(&scene, &format!("!undo {number}")).await?, "Done", &["is in"]);
    assert_eq!(stands(&scene, id, &room).await?.0, "join");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_account_of_the_admin_token_has_power_it_removes_and_takes_nobody_over()
-> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let [eve, sam, tom] =
        [scene.subject("eve").await?, scene.subject("sam").await?, scene.subject("tom").await?];
    let keeper = scene.keeper().user_id.as_str();
    let [by_eve, by_sam, by_tom] =
        [api(&scene, &eve).await?, api(&scene, &sam).await?, api(&scene, &tom).await?];
    let by_keeper = api(&scene, scene.keeper()).await?;
    let room = make(&by_eve, json!({"preset": "public_chat", "room_version": "11"})).await?;
    join(&by_sam, &room).await?;
    join(&by_tom, &room).await?;
    let (sam, tom) = (sam.user_id.as_str(), tom.user_id.as_str());
    let moe = scene.moe().await?;

    let as_admin = format!("!room kick {room} {sam} {tom}");
    let refused = scene.ask(moe, &format!("!room kick {room} {sam}")).await?;
    says(&refused, "Refused", &[keeper, "is not in", "!room make-admin", "!room kick"]);
    join(&by_keeper, &room).await?;
    let refused = scene.ask(moe, &format!("!room kick {room} {sam}")).await?;
    says(&refused, "Refused", &["its power there is 0", "at least 50"]);
    with_yes(&scene, &format!("!room make-admin {room}")).await?;
    let sent = proxy.changes().len();

    let question = scene.ask(moe, &as_admin).await?;
    says(&question, "Take ", &[keeper, "removes it from the room"]);
    let done = scene.ask(moe, &format!("!confirm {} 2", code(&question)?)).await?;
    says(&done, "Done", &[sam, tom]);
    for user in [sam, tom] {
        let stands = stands(&scene, user, &room).await?;
        assert_eq!(stands, ("leave".to_owned(), keeper.to_owned()));
    }
    let sent = proxy.changes().split_off(sent);
    assert!(sent.iter().all(|passed| passed.path.ends_with("/kick")), "{sent:?}");

    // Where both have the same power neither removes the other.
    let refused = scene.ask(moe, &format!("!room kick {room} {}", eve.user_id)).await?;
    says(&refused, "Refused", &["its power there is 100", "that of the other is 100"]);
    let question = scene.ann_asks(&format!("!room kick {room} {} --as-user", eve.user_id)).await?;
    says(&question, "Take ", &["takes the account over for a moment"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_is_taken_out_of_all_rooms_of_a_space() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let space = json!({"preset": "public_chat", "creation_content": {"type": "m.space"}});
    let space = make(&by_eve, space).await?;
    let mut rooms = Vec::new();
    for name in ["One", "Two", "Three", "Elsewhere"] {
        let room = make(&by_eve, json!({"preset": "public_chat", "name": name})).await?;
        if name != "Elsewhere" {
            let path = format!("/_matrix/client/v3/rooms/{space}/state/m.space.child/{room}");
            assert_eq!(by_eve.put(&path, json!({"via": ["synod.test"]})).await?.0, 200);
        }
        rooms.push(room);
    }
    for room in [&space, &rooms[0], &rooms[1], &rooms[3]] {
        join(&by_sam, room).await?;
    }
    let id = sam.user_id.as_str();
    let plain = scene.ann_asks(&format!("!room kick {} {id} --space", rooms[0])).await?;
    says(&plain, "Refused", &["is a room, and no space"]);
    let two = format!("!room kick {space} {id} {} --space", eve.user_id);
    says(&scene.ann_asks(&two).await?, "Not understood", &["one account at a time"]);

    let question = scene.ann_asks(&format!("!room kick {space} {id} --space --as-user")).await?;
    says(&question, "", &[&space, &rooms[0], &rooms[1]]);
    assert!(!question.body.contains(&rooms[2]), "it is not in that one: {}", question.body);
    assert!(!question.body.contains(&rooms[3]), "nor is that of the space: {}", question.body);
    let done = scene.ann_asks(&format!("!confirm {} 3", code(&question)?)).await?;
    says(&done, "Done", &[&rooms[0], &rooms[1]]);
    for room in [&space, &rooms[0], &rooms[1]] {
        assert_eq!(stands(&scene, id, room).await?.0, "leave");
    }
    assert_eq!(stands(&scene, id, &rooms[3]).await?.0, "join", "that is no room of the space");
    for passed in proxy.changes().iter().filter(|passed| passed.path.contains("/leave")) {
        is_ended(&scene, &passed.token).await?;
    }
    let nowhere = scene.ann_asks(&format!("!room kick {space} {id} --space --as-user")).await?;
    says(&nowhere, "Not found", &["is in no room of the space"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_of_many_rooms_is_one_list_and_one_job() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let space = json!({"preset": "public_chat", "creation_content": {"type": "m.space"}});
    let space = make(&by_eve, space).await?;
    join(&by_sam, &space).await?;
    let mut rooms = vec![space.clone()];
    for _ in 0..11 {
        let room = make(&by_eve, json!({"preset": "public_chat"})).await?;
        let path = format!("/_matrix/client/v3/rooms/{space}/state/m.space.child/{room}");
        assert_eq!(by_eve.put(&path, json!({"via": ["synod.test"]})).await?.0, 200);
        join(&by_sam, &room).await?;
        rooms.push(room);
    }
    let id = sam.user_id.as_str();
    let question = scene.ann_asks(&format!("!room kick {space} {id} --space --as-user")).await?;
    says(&question, "", &["12"]);
    // One that it joins later is not part of the list.
    let later = make(&by_eve, json!({"preset": "public_chat"})).await?;
    let path = format!("/_matrix/client/v3/rooms/{space}/state/m.space.child/{later}");
    assert_eq!(by_eve.put(&path, json!({"via": ["synod.test"]})).await?.0, 200);
    join(&by_sam, &later).await?;
    let told = ended(&scene, &say_yes(&scene, &question, 12).await?).await?;
    says(&told, "Done · 12 of 12", &[]);
    for room in &rooms {
        assert_eq!(stands(&scene, id, room).await?.0, "leave");
    }
    assert_eq!(stands(&scene, id, &later).await?.0, "join", "a yes is to the list");
    let left: Vec<_> =
        proxy.changes().into_iter().filter(|passed| passed.path.ends_with("/leave")).collect();
    assert_eq!(left.len(), 12);
    for passed in left {
        is_ended(&scene, &passed.token).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_ended_even_where_the_homeserver_refuses_what_it_was_made_for() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let room = make(&by_eve, json!({"preset": "public_chat"})).await?;
    join(&by_sam, &room).await?;
    let id = sam.user_id.as_str();
    let kick = format!("!room kick {room} {id} --as-user");

    let no = json!({"errcode": "M_FORBIDDEN", "error": "No"});
    let _no = proxy.next(Method::POST, "/leave", Fault::Answer(403, no));
    let refused = with_yes(&scene, &kick).await?;
    says(&refused, "Refused", &[id, "nothing was done"]);
    is_ended(&scene, &token_of(&proxy, "/leave")?).await?;

    // An answer that is lost is no reason to leave it lying about either.
    let sent = proxy.changes().len();
    let _lost = proxy.next(Method::POST, "/leave", Fault::LoseRequest);
    says(&with_yes(&scene, &kick).await?, "Unknown", &[id]);
    let sent = proxy.changes().split_off(sent);
    assert_eq!(sent.len(), 3, "each once: {sent:?}");
    is_ended(&scene, &sent[1].token).await?;
    assert_eq!(stands(&scene, id, &room).await?.0, "join");

    // Where it cannot be ended, what it was made for is done all the same, and that is said.
    let _away = proxy.next(Method::POST, "/v3/logout", Fault::Page(502));
    let done = with_yes(&scene, &kick).await?;
    says(&done, "Done", &[id, "could not be ended", "expires by itself"]);
    assert_eq!(stands(&scene, id, &room).await?.0, "leave");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_the_token_and_its_use_is_told_and_not_repeated() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let room = make(&by_eve, json!({"preset": "public_chat"})).await?;
    join(&by_sam, &room).await?;
    let id = sam.user_id.as_str();
    let question = scene.ann_asks(&format!("!room kick {room} {id} --as-user")).await?;
    let held = proxy.next(Method::POST, "/login", Fault::HoldAnswer);
    let yes = format!("!confirm {}", code(&question)?);
    let yes = scene.ann().say(scene.room(), &yes).await?;
    held.reached().await?;
    scene.bot()?.kill().await?;
    held.release();
    scene.bot()?.start_again().await?;
    let told = scene.answer(scene.ann(), &yes).await?;
    says(&told, "Unknown", &["room kick", id]);
    scene.ann_asks("!me").await?;
    let sent = proxy.changes();
    assert!(sent.len() == 1 && sent[0].path.ends_with("/login"), "{sent:?}");
    assert_eq!(stands(&scene, id, &room).await?.0, "join", "nothing is repeated by itself");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_locked_or_leaves_a_hole_is_told_before() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let room = make(&by_eve, json!({"preset": "private_chat", "room_version": "11"})).await?;
    let invite = format!("/_matrix/client/v3/rooms/{room}/invite");
    by_eve.post(&invite, json!({"user_id": sam.user_id})).await?;
    let invited = scene.ann_asks(&format!("!room kick {room} {}", sam.user_id)).await?;
    says(&invited, "Nothing changed", &["is not in", "it is only invited"]);
    join(&by_sam, &room).await?;
    let question = scene.ann_asks(&format!("!room kick {room} {} --as-user", eve.user_id)).await?;
    says(
        &question,
        "Take ",
        &["only admin", "!room make-admin", "only if somebody there lets it in"],
    );
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["No undo", "has to invite it again"]);

    let lock = format!("/_synapse/admin/v2/users/{}", sam.user_id);
    let (status, _) = scene.synapse().admin().put(&lock, json!({"locked": true})).await?;
    assert_eq!(status, 200);
    let locked = scene.ann_asks(&format!("!room kick {room} {} --as-user", sam.user_id)).await?;
    says(&locked, "Refused", &["is locked", "!user unlock"]);
    let remote = scene.ann_asks(&format!("!room kick {room} @bob:elsewhere.example")).await?;
    says(&remote, "Nothing changed", &["is not in"]);
    let unknown =
        scene.ann_asks(&format!("!room kick !nowhere:synod.test {}", sam.user_id)).await?;
    says(&unknown, "Not found", &["does not know the room"]);
    Ok(())
}
