//! A file whose subjects a command takes is judged like a message, before anything of it is read.

use anyhow::{Context as _, Result};
use ruma::{EventId, OwnedEventId};
use serde_json::{Value, json};
use world::{Account, Message, NewRoom, Person, Scene};

use crate::{
    SYNOD,
    jobs::{accounts, count},
    support::says,
};

/// The content of a message that names a file that lies in clear at this address.
fn in_clear(name: &str, url: &str) -> Value {
    json!({ "msgtype": "m.file", "body": name, "filename": name, "url": url, "m.mentions": {} })
}

/// The list of all of them, a line each.
fn list(all: &[Account]) -> String {
    let ids: Vec<&str> = all.iter().map(|one| one.user_id.as_str()).collect();
    ids.join("\n")
}

/// Lets ann reply to `file` with a change of all that it lists, and answers what the bot says.
async fn replied(scene: &Scene, file: &EventId) -> Result<Message> {
    let asked = scene.ann().reply(scene.room(), file, "!user lock").await?;
    scene.answer(scene.ann(), &asked).await
}

/// Lets ann reply to each of these, each refused with the reason beside it and nothing changed.
async fn refused(scene: &Scene, all: &[Account], files: &[(&OwnedEventId, &str)]) -> Result<()> {
    for (file, why) in files {
        let answer = replied(scene, file).await.with_context(|| format!("{why:?}"))?;
        says(&answer, "", &[why]);
        let word = answer.body.split(" · ").next().unwrap_or_default();
        assert!(["Refused", "Not understood"].contains(&word), "{}", answer.body);
        assert!(!answer.body.contains(all[0].user_id.as_str()), "{}", answer.body);
    }
    assert_eq!(count(scene, all, "locked").await?, 0);
    Ok(())
}

/// Lets ann reply to a file that counts: it is asked about all that it lists.
async fn counts(scene: &Scene, all: &[Account], file: &EventId) -> Result<()> {
    let question = replied(scene, file).await?;
    says(&question, "", &["2 accounts, ", all[0].user_id.as_str(), all[1].user_id.as_str()]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_in_clear_or_from_an_unsigned_device_is_nobodys() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, room, all) = (scene.ann(), scene.room(), accounts(&scene, 2).await?);
    let text = list(&all);
    let bytes = ("list.txt", text.as_bytes());
    let own = ann.attach(room, bytes, None).await?;
    counts(&scene, &all, &own).await?;

    // Ann's access token is enough for this, and so is the homeserver.
    let url = ann.upload(text.clone().into_bytes(), "text/plain", "list.txt").await?;
    let clear = ann.send_in_clear(room, "m.room.message", in_clear("list.txt", &url)).await?;
    let thief = ann.login_unsigned_device().await?;
    let stolen = thief.attach(room, bytes, None).await?;
    // In the bot's own name, by its password or token.
    let (token, _) = scene.synapse().log_in(scene.bot_account()).await?;
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/list");
    let (_, sent) = scene.synapse().api(&token).put(&path, in_clear("list.txt", &url)).await?;
    let bots: OwnedEventId = sent["event_id"].as_str().context("no event")?.try_into()?;
    // What the message says is signed, what lies at the address is the homeserver's word.
    let open = ann.send(room, "m.room.message", in_clear("list.txt", &url)).await?;
    refused(
        &scene,
        &all,
        &[
            (&clear, "unencrypted"),
            (&stolen, "not verified"),
            (&bots, "unencrypted"),
            (&open, "its content is not encrypted"),
        ],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_another_room_sent_again_edited_or_removed_is_not_taken() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, room, all) = (scene.ann(), scene.room(), accounts(&scene, 2).await?);
    let text = list(&all);
    let bytes = ("list.txt", text.as_bytes());
    let new = NewRoom { invite: vec![scene.bot_id().clone()], ..NewRoom::default() };
    let other = ann.create_room(&new).await?;
    let elsewhere = ann.attach(&other, bytes, None).await?;

    let own = ann.attach(room, bytes, None).await?;
    counts(&scene, &all, &own).await?;
    let again = ann.replay(room, &own).await?;
    let edited = ann.attach(room, bytes, None).await?;
    ann.edit(room, &edited, "another list").await?;
    let removed = ann.attach(room, bytes, None).await?;
    ann.redact(room, &removed).await?;
    let url = ann.upload(text.clone().into_bytes(), "text/plain", "list.txt").await?;
    let mut content = in_clear("list.txt", &url);
    content["m.new_content"] = in_clear("list.txt", &url);
    content["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": own });
    let edit = ann.send(room, "m.room.message", content).await?;
    refused(
        &scene,
        &all,
        &[
            (&elsewhere, "not in this room"),
            (&again, "an old one sent again"),
            (&edit, "an edit"),
            (&removed, "was removed"),
        ],
    )
    .await?;
    says(&replied(&scene, &edited).await?, "Refused", &["was edited"]);
    // The one that was edited by somebody else than its sender cannot be, so `own` still counts.
    let larger = vec![b'a'; 3 * 1024 * 1024];
    let large = ann.attach(room, ("large.txt", &larger), None).await?;
    says(&replied(&scene, &large).await?, "Refused", &["large.txt", "larger than 1 MiB"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_ones_other_account_counts_until_its_key_changes() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [moe, _, _] = scene.accounts();
    let config = scene.config().operator_key(&moe.user_id, "person", "ann");
    let config = config.operator_key(scene.ann().user_id(), "person", "ann");
    scene.start_bot(SYNOD, &config).await?;
    let (room, all) = (scene.room(), accounts(&scene, 2).await?);
    let moe: &Person = scene.moe().await?;
    scene.ask(moe, "!me").await?;
    let text = list(&all);
    let before = moe.attach(room, ("list.txt", text.as_bytes()), None).await?;
    counts(&scene, &all, &before).await?;

    moe.reset_identity().await?;
    let after = moe.attach(room, ("list.txt", text.as_bytes()), None).await?;
    refused(&scene, &all, &[(&after, "cross-signing key"), (&before, "cross-signing key")]).await
}
