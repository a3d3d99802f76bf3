//! Commands that take more than a row to be held against synadm's.

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};
use world::{Account, Options, Passed, Proxy, SERVER_NAME, Scene, Synadm, Synapse};

use super::{account_of, data, done};
use crate::{
    SYNOD,
    secrets::{direct_room, secret_told},
    support::{api, devices, make, offered, says, told, watched, with_device, with_yes},
};

/// A scene in which the requests of both come by the same proxy.
async fn both_watched() -> Result<(Scene, Proxy, Synadm)> {
    let (scene, proxy) = watched(|config| config).await?;
    let synadm = Synadm::at(&scene, proxy.url(), json!({})).await?;
    Ok((scene, proxy, synadm))
}

/// The last change that came by.
fn last_change(proxy: &Proxy) -> Result<Passed> {
    proxy.changes().pop().context("nothing was changed")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_as_good_as_synadms() -> Result<()> {
    let (scene, proxy, synadm) = both_watched().await?;
    let (one, two) = (scene.subject("one").await?, scene.subject("two").await?);
    // Where the secret may be told is settled by the first question.
    scene.ann_asks(&format!("!user login {}", two.user_id)).await?;
    let direct = direct_room(scene.ann()).await?;
    scene.ann().sees_joined(&direct, scene.bot_id()).await?;
    for options in ["", "--expire-days 3", "--expire-ts 1900000000000", "--expire-never"] {
        let words = format!("user login {} {options}", one.user_id);
        let theirs = synadm.runs(&super::words(&words)).await?.last()?;
        let theirs = theirs["access_token"].as_str().context("a token")?.to_owned();
        let by_theirs = last_change(&proxy)?;
        let mark = scene.ann().mark();
        let command = format!("!user login {} {options}", two.user_id);
        says(&with_yes(&scene, &command).await?, "Done", &[]);
        let ours = secret_told(&scene, &direct, mark).await?;
        let by_ours = last_change(&proxy)?;
        for (token, account) in [(theirs, &one), (ours, &two)] {
            let api = scene.synapse().api(&token);
            let (_, who) = api.get("/_matrix/client/v3/account/whoami").await?;
            assert_eq!(who["user_id"], account.user_id.as_str(), "{options}");
        }
        let until = |passed: &Passed| passed.body["valid_until_ms"].as_i64();
        match (until(&by_theirs), until(&by_ours)) {
            (Some(a), Some(b)) => assert!((a - b).abs() < 120_000, "{options}: {a} and {b}"),
            (a, b) => assert_eq!(a, b, "{options}"),
        }
    }
    assert_eq!(devices(&scene, &two).await?, devices(&scene, &one).await?, "no device is made");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_as_good_as_synadms() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let synadm = Synadm::of(&scene).await?;
    let (one, _) = account_of(&scene, "one").await?;
    let (two, _) = account_of(&scene, "two").await?;
    let ask = format!("!user password {}", two.user_id);
    says(&scene.ann_asks(&ask).await?, "Refused", &["only you may read"]);
    let direct = direct_room(scene.ann()).await?;
    scene.ann().sees_joined(&direct, scene.bot_id()).await?;
    for (options, left, chosen) in [("-n", 1, "correct horse"), ("", 0, "battery staple")] {
        let words = format!("user password {} {options} -p \"{chosen}\"", one.user_id);
        synadm.runs(&super::words(&words)).await?;
        // One that is typed has been read by the whole room: it is made, and told in another.
        let typed = format!("{ask} {options} -p \"{chosen}\"");
        says(&scene.ann_asks(&typed).await?, "Refused", &["do not type a secret in a room"]);
        let mark = scene.ann().mark();
        says(&with_yes(&scene, &format!("{ask} {options}")).await?, "Done", &[]);
        let made = secret_told(&scene, &direct, mark).await?;
        for account in [&one, &two] {
            assert_eq!(devices(&scene, account).await?.len(), left, "{account:?} {options}");
        }
        for (account, password) in [(&one, chosen), (&two, made.as_str())] {
            let account = Account { password: password.to_owned(), ..account.clone() };
            let (token, _) = scene.synapse().log_in(&account).await?;
            let log_out = "/_matrix/client/v3/logout";
            scene.synapse().api(&token).post(log_out, json!({})).await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_devices_are_pruned() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let synadm = Synadm::of(&scene).await?;
    let mut twins = Vec::new();
    for name in ["one", "two"] {
        let (account, seen) = with_device(&scene, name).await?;
        for spare in ["SPARE", "OTHER"] {
            let path = format!("/_synapse/admin/v2/users/{}/devices", account.user_id);
            scene.synapse().admin().post(&path, json!({ "device_id": spare })).await?;
        }
        twins.push((account, seen));
    }
    let [(one, one_seen), (two, two_seen)] = twins.as_slice() else { unreachable!("two") };
    let list = ["user", "prune-devices", one.user_id.as_str(), "--ts", "-l"];
    let theirs = synadm.runs(&list).await?.last()?;
    assert_eq!(theirs.as_array().map(Vec::len), Some(2), "{theirs}");
    // What was never seen may be about to be used, and is deleted where that is asked for.
    let command = format!("!user prune-devices {}", two.user_id);
    says(&scene.ann_asks(&command).await?, "Nothing changed", &["2 devices never seen"]);
    let list = scene.ann_asks(&format!("{command} --never-seen -l")).await?;
    says(&list, "Nothing changed", &["SPARE", "OTHER"]);
    assert!(!list.body.contains(two_seen.as_str()), "{}", list.body);

    synadm.runs(&["user", "prune-devices", one.user_id.as_str(), "--ts"]).await?;
    says(&with_yes(&scene, &format!("{command} --never-seen")).await?, "Done", &[]);
    assert_eq!(devices(&scene, one).await?, [one_seen.as_str()]);
    assert_eq!(devices(&scene, two).await?, [two_seen.as_str()]);
    Ok(())
}

/// What a room's messages hold, oldest first.
async fn contents(scene: &Scene, room: &str) -> Result<Vec<Value>> {
    let path = format!("/_synapse/admin/v1/rooms/{room}/messages?dir=b&limit=50");
    let said = scene.synapse().admin().get(&path).await?.1;
    let said = said["chunk"].as_array().context("messages")?.iter().rev();
    let messages = said.filter(|event| event["type"] == "m.room.message");
    Ok(messages.map(|event| event["content"].clone()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redaction_takes_as_much_as_synadms() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let synadm = Synadm::of(&scene).await?;
    let mut twins = Vec::new();
    for name in ["one", "two"] {
        let account = scene.subject(name).await?;
        let by = api(&scene, &account).await?;
        let mut its = Vec::new();
        for name in ["spared", "cleared"] {
            let room = make(&by, json!({ "name": name })).await?;
            let say = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/1");
            by.put(&say, json!({ "msgtype": "m.text", "body": "spam" })).await?;
            its.push(room);
        }
        twins.push((account, its));
    }
    let [(one, ones), (two, twos)] = twins.as_slice() else { unreachable!("two") };
    let words = ["user", "redact", one.user_id.as_str(), "-r", &ones[1], "--reason", "spam"];
    let theirs = synadm.runs(&words).await?.last()?;
    let theirs = theirs["redact_id"].as_str().context("an id")?.to_owned();
    let command = format!("!user redact {} -r {} --reason spam", two.user_id, twos[1]);
    let done = done(&scene, &command, &[two.user_id.localpart()]).await?;
    says(&done, "Done", &[]);
    let status = offered(&done, "!user redact-status")?.to_owned();
    let mut both = [Value::Null, Value::Null];
    world::until("both are redacted", async || {
        let seen = synadm.runs(&["user", "redact-status", &theirs]).await?.last()?;
        both = [seen, data(&scene, &format!("{status} -o json")).await?];
        assert!(!both.iter().any(|seen| seen["status"] == "failed"), "{both:?}");
        Ok(both.iter().all(|seen| seen["status"] == "complete"))
    })
    .await?;
    assert_eq!(both[0], both[1]);
    let theirs_seen_by_ours = format!("!user redact-status {theirs} -o json");
    assert_eq!(data(&scene, &theirs_seen_by_ours).await?, both[0]);
    let spam = json!({ "msgtype": "m.text", "body": "spam" });
    for rooms in [ones, twos] {
        assert_eq!(contents(&scene, &rooms[0]).await?, std::slice::from_ref(&spam));
        assert_eq!(contents(&scene, &rooms[1]).await?, [json!({})]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_other_servers_is_purged() -> Result<()> {
    // Nothing is on another server here, and nothing is as old as this: the requests tell.
    let (scene, proxy, synadm) = both_watched().await?;
    let rows = [
        ("media purge -t 31000000000", "media purge -t 31000000000"),
        ("media delete -t 31000000000 --size 20", "media delete -t 31000000000 --size 20KiB"),
        ("media delete -t 31000000000 --all", "media delete -t 31000000000 --all"),
    ];
    for (theirs, ours) in rows {
        synadm.runs(&super::words(theirs)).await?;
        let by_theirs = last_change(&proxy)?;
        let answer = done(&scene, &format!("!{ours}"), &[SERVER_NAME]).await?;
        let by_ours = last_change(&proxy)?;
        assert_eq!(asked(&by_theirs)?, asked(&by_ours)?, "{ours}");
        assert_eq!(proxy.changes().len() % 2, 0, "each sends one: {}", answer.body);
    }
    Ok(())
}

type Asked = (Method, String, Vec<(String, String)>);

/// The method, path and query of a request, in which the homeserver's defaults are left out.
fn asked(passed: &Passed) -> Result<Asked> {
    let url = url::Url::parse("http://homeserver")?.join(&passed.path)?;
    let mut query: Vec<_> = url.query_pairs().into_owned().collect();
    query.retain(|(key, value)| {
        !matches!((key.as_str(), value.as_str()), ("keep_profiles", "true") | ("size_gt", "0"))
    });
    query.sort();
    Ok((passed.method.clone(), url.path().to_owned(), query))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_the_same_but_for_its_formatted_text() -> Result<()> {
    let (scene, proxy, synadm) = both_watched().await?;
    let (one, two) = (scene.subject("one").await?, scene.subject("two").await?);
    let text = "Down at 8 < 9";
    let theirs = ["notice", "send", one.user_id.as_str(), text, "<b>Down</b> at 8"];
    synadm.runs(&theirs).await?;
    let by_theirs = last_change(&proxy)?;
    let command = format!("!notice send {} \"{text}\" \"<b>Down</b> at 8\"", two.user_id);
    says(&with_yes(&scene, &command).await?, "Done", &[]);
    assert_eq!(last_change(&proxy)?.body["content"], by_theirs.body["content"]);

    // synadm takes the plain text for HTML, in which `< 9` is the beginning of something.
    synadm.runs(&theirs[..4]).await?;
    assert_eq!(last_change(&proxy)?.body["content"]["formatted_body"], text);
    says(
        &with_yes(&scene, &format!("!notice send {} \"{text}\"", two.user_id)).await?,
        "Done",
        &[],
    );
    assert_eq!(last_change(&proxy)?.body["content"], json!({ "msgtype": "m.text", "body": text }));
    let path = format!("/_synapse/admin/v1/users/{}/joined_rooms", two.user_id);
    let of_two = scene.synapse().admin().get(&path).await?.1;
    assert_eq!(of_two["total"], 1, "it has arrived");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_nothing_that_this_homeserver_could_delete() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let synadm = Synadm::of(&scene).await?;
    let theirs = synadm.runs(&["group", "delete", "+choir:synod.test"]).await?;
    assert_eq!(theirs.last()?["errcode"], "M_UNRECOGNIZED", "{theirs:?}");
    says(&scene.ann_asks("!group delete +choir:synod.test").await?, "Not understood", &["group"]);
    Ok(())
}

/// The last six characters of what is a room id's own, which is what a yes to its end takes.
fn end_of(room: &str) -> &str {
    let room = room.split_once(':').map_or(room, |(own, _)| own);
    room.get(room.len().saturating_sub(6)..).unwrap_or_default()
}

/// What the homeserver answers for a room.
async fn room_status(scene: &Scene, room: &str) -> Result<u16> {
    Ok(scene.synapse().admin().get(&format!("/_synapse/admin/v1/rooms/{room}")).await?.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_room_is_gone_for_both() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let synadm = Synadm::of(&scene).await?;
    let by = api(&scene, &scene.subject("eve").await?).await?;
    let (one, two) = (make(&by, json!({})).await?, make(&by, json!({})).await?);
    let theirs = synadm.runs(&["room", "delete", &one, "--block"]).await?.last()?;
    let theirs = theirs["delete_id"].as_str().context("an id")?.to_owned();
    let begun = done(&scene, &format!("!room delete {two} --block"), &[end_of(&two)]).await?;
    says(&begun, "Done", &["has started"]);
    told(&scene, &format!("{two} deleted from this server")).await?;
    let mut seen = Value::Null;
    world::until("it is deleted", async || {
        seen = synadm.runs(&["room", "delete-status", "-d", &theirs]).await?.last()?;
        assert_ne!(seen["status"], "failed", "{seen}");
        Ok(seen["status"] == "complete")
    })
    .await?;
    let ours = data(&scene, &format!("!room delete-status -d {theirs} -o json")).await?;
    assert_eq!(ours["results"], json!([seen]));
    for room in [&one, &two] {
        assert_eq!(room_status(&scene, room).await?, 404);
        let path = format!("/_synapse/admin/v1/rooms/{room}/block");
        assert_eq!(scene.synapse().admin().get(&path).await?.1["block"], true);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_empty_goes_for_both() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let synadm = Synadm::of(&scene).await?;
    let by = api(&scene, &scene.subject("eve").await?).await?;
    let mut rooms = Vec::new();
    for _ in 0..2 {
        let room = make(&by, json!({})).await?;
        by.post(&format!("/_matrix/client/v3/rooms/{room}/leave"), json!({})).await?;
        // Each is the only empty one when it is its turn.
        if rooms.is_empty() {
            synadm.runs(&["room", "purge-empty"]).await?;
        } else {
            says(&done(&scene, "!room purge-empty", &[end_of(&room)]).await?, "Done", &[&room]);
            told(&scene, &format!("{room} deleted from this server")).await?;
        }
        let is_gone = async || Ok(room_status(&scene, &room).await? == 404);
        world::until("it is gone", is_gone).await?;
        rooms.push(room);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_takes_as_much_as_synadms() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let synadm = Synadm::of(&scene).await?;
    let by = api(&scene, &scene.subject("eve").await?).await?;
    let mut twins = Vec::new();
    for _ in 0..2 {
        let room = make(&by, json!({})).await?;
        let mut third = String::new();
        for n in 0..4 {
            let say = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{n}");
            let said = by.put(&say, json!({ "msgtype": "m.text", "body": "spam" })).await?.1;
            if n == 2 {
                third = said["event_id"].as_str().context("an event")?.to_owned();
            }
        }
        twins.push((room, third));
    }
    let [(one, before_one), (two, before_two)] = twins.as_slice() else { unreachable!("two") };
    let words = ["history", "purge", one, "-i", before_one, "--delete-local"];
    let theirs = synadm.runs(&words).await?.last()?;
    let theirs = theirs["purge_id"].as_str().context("an id")?.to_owned();
    let command = format!("!history purge {two} -i {before_two} --delete-local");
    says(&done(&scene, &command, &[end_of(two)]).await?, "Done", &["has started"]);
    told(&scene, "its old messages were deleted").await?;
    let mut seen = Value::Null;
    world::until("it is purged", async || {
        seen = synadm.runs(&["history", "purge-status", &theirs]).await?.last()?;
        assert_ne!(seen["status"], "failed", "{seen}");
        Ok(seen["status"] == "complete")
    })
    .await?;
    assert_eq!(data(&scene, &format!("!history purge-status {theirs} -o json")).await?, seen);
    for room in [one, two] {
        assert_eq!(contents(&scene, room).await?.len(), 2, "{room}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_request_does_what_synadms_does() -> Result<()> {
    let (scene, proxy, synadm) = both_watched().await?;
    let by_eve = api(&scene, &scene.subject("eve").await?).await?;
    for (verb, path, body) in [
        ("raw", "v1/rooms/ROOM/block", "{\"block\": true}"),
        ("matrix raw", "client/v3/directory/list/room/ROOM", "{\"visibility\": \"private\"}"),
    ] {
        let mut sent = Vec::new();
        for ours in [false, true] {
            let room = make(&by_eve, json!({ "preset": "public_chat" })).await?;
            let endpoint = path.replace("ROOM", &room);
            if ours {
                let typed = format!("!{verb} {endpoint} -m put -d '{body}'");
                let end: String = room.chars().skip(room.chars().count() - 6).collect();
                says(&done(&scene, &typed, &[&end]).await?, "Done", &["answered 200"]);
            } else {
                let words = verb.split(' ').chain([endpoint.as_str(), "-m", "put", "-d", body]);
                synadm.runs(&words.collect::<Vec<_>>()).await?;
            }
            let Passed { method, path, body, .. } = last_change(&proxy)?;
            sent.push((method, path.replace("%21", "!").replace(&room, "ROOM"), body));
        }
        assert_eq!(sent[0], sent[1], "{verb}");
    }
    Ok(())
}
