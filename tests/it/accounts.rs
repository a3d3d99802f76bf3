//! Locks, bans, limits, logouts and redactions on a real homeserver.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use world::{Account, Api, Message, Scene};

use crate::{
    SYNOD,
    support::{code, devices, is, offered, says, with_device, with_yes},
};

/// Takes back what an answer offers to take back, which must succeed without a question.
async fn undone(scene: &Scene, answer: &Message) -> Result<Message> {
    let undone = scene.ann_asks(offered(answer, "!undo")?).await?;
    says(&undone, "Done", &[]);
    Ok(undone)
}

/// The status that the homeserver answers to somebody who asks who they are.
async fn whoami(api: &Api) -> Result<u16> {
    Ok(api.get("/_matrix/client/v3/account/whoami").await?.0)
}

/// Lets each command be about somebody unknown, and somebody of another server.
async fn unknown_and_remote(scene: &Scene, verbs: &[&str]) -> Result<()> {
    for verb in verbs {
        let about = |user| format!("!{}", verb.replace("@x", user));
        let unknown = scene.ann_asks(&about("@nobody-at-all:synod.test")).await?;
        says(&unknown, "Not found", &["no such user"]);
        let remote = scene.ann_asks(&about("@bob:elsewhere.example")).await?;
        says(&remote, "Refused", &["elsewhere.example", "another server"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_shuts_out_and_its_undo_lets_in_on_the_same_device() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let id = &eve.user_id;
    let own = scene.synapse().api(&scene.synapse().log_in(&eve).await?.0);

    says(&scene.ann_asks(&format!("!user unlock {id}")).await?, "Nothing changed", &["not locked"]);
    let locked = scene.ann_asks(&format!("!user lock {id}")).await?;
    says(&locked, "Done", &["is locked", "do nothing"]);
    assert!(is(&scene, &eve, "locked").await?);
    assert_eq!(whoami(&own).await?, 401);
    let again = scene.ann_asks(&format!("!user lock {id}")).await?;
    says(&again, "Nothing changed", &["already"]);

    undone(&scene, &locked).await?;
    assert!(!is(&scene, &eve, "locked").await?);
    assert_eq!(whoami(&own).await?, 200);

    scene.ann_asks(&format!("!user lock {id}")).await?;
    let unlocked = scene.ann_asks(&format!("!user unlock {id}")).await?;
    says(&unlocked, "Done", &["no longer locked"]);
    undone(&scene, &unlocked).await?;
    assert!(is(&scene, &eve, "locked").await?);
    unknown_and_remote(&scene, &["user lock @x", "user unlock @x"]).await?;
    let nobody = "/_synapse/admin/v2/users/@nobody-at-all:synod.test";
    assert_eq!(
        scene.synapse().admin().get(nobody).await?.0,
        404,
        "locking somebody unknown creates nobody"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_ban_is_set_and_ended() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let id = &eve.user_id;
    let none = scene.ann_asks(&format!("!user shadow-ban {id} --unban")).await?;
    says(&none, "Nothing changed", &["not shadow-banned"]);
    let banned = scene.ann_asks(&format!("!user shadow-ban {id}")).await?;
    says(&banned, "Done", &["nobody receives"]);
    assert!(is(&scene, &eve, "shadow_banned").await?);
    says(&scene.ann_asks(&format!("!user shadow-ban {id}")).await?, "Nothing changed", &[]);
    let ended = undone(&scene, &banned).await?;
    assert!(!is(&scene, &eve, "shadow_banned").await?);
    undone(&scene, &ended).await?;
    assert!(is(&scene, &eve, "shadow_banned").await?);
    says(&scene.ann_asks(&format!("!user shadow-ban {id} -u")).await?, "Done", &[]);
    assert!(!is(&scene, &eve, "shadow_banned").await?);
    unknown_and_remote(&scene, &["user shadow-ban @x", "user shadow-ban @x -u"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_admin_is_made_with_a_yes_and_unmade_with_a_phrase() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let id = &eve.user_id;
    let shown = scene.ann_asks(&format!("!user admin {id}")).await?;
    says(&shown, "", &[id.as_str(), "is not a server admin", "!user admin grant"]);
    let nothing = scene.ann_asks(&format!("!user admin revoke {id}")).await?;
    says(&nothing, "Nothing changed", &["is not a server admin"]);

    let question = scene.ann_asks(&format!("!user admin grant {id}")).await?;
    assert!(!is(&scene, &eve, "admin").await?, "a question makes nobody an admin");
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["is a server admin"]);
    assert!(is(&scene, &eve, "admin").await?);
    says(&scene.ann_asks(&format!("!user admin show {id}")).await?, "", &["server admin"]);
    says(&scene.ann_asks(&format!("!user admin grant {id}")).await?, "Nothing changed", &[]);

    // Taking it back is an act on a server admin, and asks as such.
    let question = scene.ann_asks(offered(&done, "!undo")?).await?;
    let confirm = format!("!confirm {}", code(&question)?);
    says(&scene.ann_asks(&confirm).await?, "Refused", &[]);
    assert!(is(&scene, &eve, "admin").await?);
    let done = scene.ann_asks(&format!("{confirm} {}", id.localpart())).await?;
    says(&done, "Done", &["ordinary account"]);
    assert!(!is(&scene, &eve, "admin").await?);
    let back = scene.ann_asks(offered(&done, "!undo")?).await?;
    says(&back, "Make", &[id.as_str(), "!user admin grant"]);
    says(&scene.ann_asks(&format!("!confirm {}", code(&back)?)).await?, "Done", &[]);
    assert!(is(&scene, &eve, "admin").await?);
    unknown_and_remote(&scene, &["user admin @x", "user admin grant @x", "user admin revoke @x"])
        .await
}

/// The rate limit of its own that an account has.
async fn limit(scene: &Scene, account: &Account) -> Result<Value> {
    let path = format!("/_synapse/admin/v1/users/{}/override_ratelimit", account.user_id);
    Ok(scene.synapse().admin().get(&path).await?.1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_shown_set_and_put_back_exactly() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let id = &eve.user_id;
    let both = |a: u32, b: u32| json!({"messages_per_second": a, "burst_count": b});
    let shown = scene.ann_asks(&format!("!user ratelimit {id}")).await?;
    says(&shown, "", &[id.as_str(), "none of its own"]);
    says(&scene.ann_asks(&format!("!user ratelimit clear {id}")).await?, "Nothing changed", &[]);

    let set = format!("!user ratelimit set {id} --messages-per-second 5 --burst-count 20");
    let five = scene.ann_asks(&set).await?;
    says(&five, "Done", &["5 a second, 20 at once"]);
    assert_eq!(limit(&scene, &eve).await?, both(5, 20));
    says(&scene.ann_asks(&set).await?, "Nothing changed", &["already"]);
    let none = scene.ann_asks(&format!("!user ratelimit {id} -m 0 -b 0")).await?;
    says(&none, "Done", &["no limit at all"]);
    assert_eq!(limit(&scene, &eve).await?, both(0, 0));
    undone(&scene, &none).await?;
    assert_eq!(limit(&scene, &eve).await?, both(5, 20));

    let cleared = scene.ann_asks(&format!("!user ratelimit clear {id}")).await?;
    says(&cleared, "Done", &["no longer has its own limit"]);
    assert_eq!(limit(&scene, &eve).await?, json!({}));
    let back = undone(&scene, &cleared).await?;
    assert_eq!(limit(&scene, &eve).await?, both(5, 20));
    undone(&scene, &back).await?;
    assert_eq!(limit(&scene, &eve).await?, json!({}));

    for unclear in ["set @x", "clear @x -m 1 -b 1", "show @x -m 1 -b 1", "set @x -m 1"] {
        let typed = format!("!user ratelimit {}", unclear.replace("@x", id.as_str()));
        says(&scene.ann_asks(&typed).await?, "Not understood", &[]);
    }
    assert_eq!(limit(&scene, &eve).await?, json!({}));
    let verbs = ["user ratelimit @x", "user ratelimit set @x -m 1 -b 1", "user ratelimit clear @x"];
    unknown_and_remote(&scene, &verbs).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_takes_every_device_also_those_that_came_after_the_question() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, first) = with_device(&scene, "eve").await?;
    let second = scene.synapse().log_in(&eve).await?;
    let command = format!("!user logout {}", eve.user_id);
    let question = scene.ann_asks(&command).await?;
    says(&question, "Log", &["2 devices", &first, &second.1]);
    assert_eq!(devices(&scene, &eve).await?.len(), 2);
    let third = scene.synapse().log_in(&eve).await?;
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["is logged out on 3 devices", "No undo"]);
    assert_eq!(devices(&scene, &eve).await?, Vec::<String>::new());
    for (token, _) in [second, third] {
        assert_eq!(whoami(&scene.synapse().api(&token)).await?, 401);
    }
    says(&scene.ann_asks(&command).await?, "Nothing changed", &["is not logged in anywhere"]);
    unknown_and_remote(&scene, &["user logout @x"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_deleted_one_by_one_and_an_unknown_one_is_left_out() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, first) = with_device(&scene, "eve").await?;
    let (token, second) = scene.synapse().log_in(&eve).await?;
    let id = &eve.user_id;
    let unknown = scene.ann_asks(&format!("!device delete {id} NOSUCH")).await?;
    says(&unknown, "Not found", &["has no device", "NOSUCH", "!device list"]);

    let question = scene.ann_asks(&format!("!device delete {id} {first} NOSUCH {first}")).await?;
    says(&question, "Delete the device", &[&first, "Left out", "NOSUCH"]);
    assert_eq!(devices(&scene, &eve).await?.len(), 2);
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &[&first, "deleted and logged out", "No undo"]);
    assert_eq!(devices(&scene, &eve).await?, [second.as_str()]);
    assert_eq!(whoami(&scene.synapse().api(&token)).await?, 200, "the other one stays");

    let (_, third) = scene.synapse().log_in(&eve).await?;
    let both = format!("!device delete {id} {second} {third}");
    says(&with_yes(&scene, &both).await?, "Done", &["2 devices", &second, &third]);
    assert_eq!(devices(&scene, &eve).await?, Vec::<String>::new());
    unknown_and_remote(&scene, &["device delete @x NOSUCH"]).await
}

/// A room that `api`'s owner makes, and the ids of what they say there.
async fn talk(api: &Api, texts: &[&str]) -> Result<(String, Vec<String>)> {
    let path = "/_matrix/client/v3/createRoom";
    let (_, made) = api.post(path, json!({"preset": "public_chat"})).await?;
    let room = made["room_id"].as_str().context("a room is made")?.to_owned();
    let mut said = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{n}");
        let (_, sent) = api.put(&path, json!({"msgtype": "m.text", "body": text})).await?;
        said.push(sent["event_id"].as_str().context("it is said")?.to_owned());
    }
    Ok((room, said))
}

/// What is left of the messages: their bodies, null where they are redacted.
async fn left(api: &Api, room: &str, said: &[String]) -> Result<Vec<Value>> {
    let mut left = Vec::new();
    for event in said {
        let path = format!("/_matrix/client/v3/rooms/{room}/event/{event}");
        left.push(api.get(&path).await?.1["content"]["body"].clone());
    }
    Ok(left)
}

/// Follows the status of a redaction that an answer names to its end.
async fn redacted(scene: &Scene, answer: &Message) -> Result<Message> {
    let status = offered(answer, "!user redact-status")?;
    for _ in 0..200 {
        let told = scene.ann_asks(status).await?;
        if !told.body.contains("is running") && !told.body.contains("is waiting") {
            return Ok(told);
        }
    }
    bail!("the redaction does not end")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redaction_empties_messages_and_can_be_followed() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let id = &eve.user_id;
    let nowhere = scene.ann_asks(&format!("!user redact {id}")).await?;
    says(&nowhere, "Nothing changed", &["is in no room", "--room"]);

    let own = scene.synapse().api(&scene.synapse().log_in(&eve).await?.0);
    let (one, in_one) = talk(&own, &["buy", "gold"]).await?;
    let (two, in_two) = talk(&own, &["now"]).await?;
    let named = format!("!user redact {id} --room {one} --reason \"Spam and more\"");
    let question = scene.ann_asks(&named).await?;
    says(&question, "Redact", &["1 room", "not erasure", "other servers"]);
    assert_eq!(left(&own, &one, &in_one).await?, [json!("buy"), json!("gold")]);
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["has started", "!user redact-status", "not erasure", "No undo"]);
    says(&redacted(&scene, &done).await?, "Redaction", &["is complete"]);
    assert_eq!(left(&own, &one, &in_one).await?, [Value::Null, Value::Null]);
    assert_eq!(left(&own, &two, &in_two).await?, [json!("now")], "only the named room");
    let event = format!("/_matrix/client/v3/rooms/{one}/event/{}", in_one[0]);
    let (_, event) = own.get(&event).await?;
    let reason = event.pointer("/unsigned/redacted_because/content/reason");
    assert_eq!(reason, Some(&json!("Spam and more")));

    let all = with_yes(&scene, &format!("!user redact {id}")).await?;
    says(&all, "Done", &["2 rooms"]);
    redacted(&scene, &all).await?;
    assert_eq!(left(&own, &two, &in_two).await?, [Value::Null]);

    // Only what was sent within a window, and in another's name where that is wanted.
    let (three, in_three) = talk(&own, &["before", "after"]).await?;
    let event = format!("/_matrix/client/v3/rooms/{three}/event/{}", in_three[1]);
    let sent = own.get(&event).await?.1["origin_server_ts"].clone();
    let early = format!("!user redact {id} -r {three} --before {sent}");
    let question = scene.ann_asks(&early).await?;
    says(&question, "Redact", &["Sent before", "sent at another time"]);
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&redacted(&scene, &done).await?, "Redaction", &["is complete"]);
    assert_eq!(left(&own, &three, &in_three).await?, [Value::Null, json!("after")]);
    let by_admin = with_yes(&scene, &format!("!user redact {id} -r {three} --use-admin")).await?;
    says(&redacted(&scene, &by_admin).await?, "Redaction", &["could not be redacted"]);
    assert_eq!(left(&own, &three, &in_three).await?, [Value::Null, json!("after")]);

    let elsewhere = format!("!user redact {id} --room !nowhere:synod.test");
    says(&scene.ann_asks(&elsewhere).await?, "Not found", &["!nowhere:synod.test"]);
    let unknown = scene.ann_asks("!user redact @nobody-at-all:synod.test").await?;
    says(&unknown, "Not found", &["no such user"]);
    let remote = scene.ann_asks("!user redact @bob:elsewhere.example").await?;
    says(&remote, "Nothing changed", &["is in no room"]);
    let status = scene.ann_asks("!user redact-status NOSUCH").await?;
    says(&status, "Not found", &["no redaction", "NOSUCH"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_redacted_out_of_an_admin_room() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let stranger = scene.stranger().await?;
    let room = scene.room();
    let said = stranger.say(room, "Hello").await?;
    let before = stranger.stored_event(room, &said).await?;
    let id = stranger.user_id();
    for command in [format!("!user redact {id}"), format!("!user redact {id} -r {room}")] {
        let answer = scene.ann_asks(&command).await?;
        says(&answer, "Refused", &[room.as_str(), "admin room"]);
    }
    assert_eq!(stranger.stored_event(room, &said).await?["content"], before["content"]);
    Ok(())
}

/// What these verbs would do to the account `id`.
fn all(id: &str) -> Vec<String> {
    [
        "user lock @x",
        "user shadow-ban @x",
        "user approve @x --withdraw",
        "user admin revoke @x",
        "user ratelimit clear @x",
        "user ratelimit set @x -m 1 -b 1",
        "user logout @x",
        "user redact @x",
        "device delete @x NOSUCH",
        "device create @x NEWDEVICE",
        "device rename @x NOSUCH Name",
        "user prune-devices @x -d 0 -s 0 --never-seen",
        "user experimental @x -e msc3881",
        "user cross-signing-reset @x",
        "user validity @x -e 2100-01-01",
        "user deactivate-regex @x",
        "media delete-user @x",
        "room join !nobody-knows-it:synod.test @x",
        "room kick !nobody-knows-it:synod.test @x",
    ]
    .map(|verb| format!("!{}", verb.replace("@x", id)))
    .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_and_whoever_stands_above_are_left_alone() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let api = scene.synapse().admin();
    for own in [scene.bot_account(), scene.keeper()] {
        let before = (api.account(&own.user_id).await?, limit(&scene, own).await?);
        for command in all(own.user_id.as_str()) {
            let answer = scene.ann_asks(&command).await?;
            says(&answer, "Refused", &["which nobody can change through me"]);
        }
        assert_eq!((api.account(&own.user_id).await?, limit(&scene, own).await?), before);
        assert!(!devices(&scene, own).await?.is_empty());
    }
    let moe = scene.moe().await?;
    let [_, vic, _] = scene.accounts();
    // Without a device of hers there would be nothing to prune.
    scene.synapse().log_in(vic).await?;
    let before = (api.account(&vic.user_id).await?, limit(&scene, vic).await?);
    for command in all(vic.user_id.as_str()) {
        let answer = scene.ask(moe, &command).await?;
        assert!(answer.body.starts_with("Refused · "), "{command}: {}", answer.body);
    }
    assert_eq!((api.account(&vic.user_id).await?, limit(&scene, vic).await?), before);
    assert!(!devices(&scene, vic).await?.is_empty());
    Ok(())
}
