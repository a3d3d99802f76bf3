//! One event is redacted on a real homeserver, and nothing else.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use world::{Api, Message, NewRoom, Person, Scene};

use crate::{
    SYNOD,
    events::{redact, send},
    support::{api, code, make, says, with_yes},
};

/// The content of events, as somebody in the room sees it.
async fn contents(api: &Api, room: &str, events: &[&str]) -> Result<Vec<Value>> {
    let mut contents = Vec::new();
    for event in events {
        let path = format!("/_matrix/client/v3/rooms/{room}/event/{}", event.replace('/', "%2F"));
        let (status, event) = api.get(&path).await?;
        anyhow::ensure!(status == 200, "{status} {event}");
        contents.push(event["content"]["body"].clone());
    }
    Ok(contents)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_redacted_and_what_was_said_around_it_stays() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    // The ids of events in rooms of this version have slashes in them.
    let room = make(&by_eve, json!({"preset": "public_chat", "room_version": "3"})).await?;
    let one = send(&by_eve, &room, "one").await?;
    let two = send(&by_eve, &room, "two").await?;
    let three = send(&by_eve, &room, "three").await?;
    let all = [one.as_str(), &two, &three];

    let command = format!("!event redact {two} --reason \"Spam and more\"");
    let vic = scene.vic().await?;
    says(&scene.ask(vic, &command).await?, "Refused", &["moderator"]);
    let plan = scene.ann_asks(&format!("{command} --plan")).await?;
    says(&plan, "", &["/redact", "after_ts", "before_ts", "\"limit\":1"]);
    let question = scene.ask(scene.moe().await?, &command).await?;
    let sender = eve.user_id.as_str();
    says(&question, "Redact", &[&two, sender, &room, "not erasure", "In the name of"]);
    assert_eq!(contents(&by_eve, &room, &all).await?, ["one", "two", "three"]);
    let yes = format!("!confirm {}", code(&question)?);
    let done = scene.ask(scene.moe().await?, &yes).await?;
    says(&done, "Done", &[&two, "is redacted", "Redacted by", sender, "3 events", "No undo"]);
    assert_eq!(contents(&by_eve, &room, &all).await?, [json!("one"), Value::Null, json!("three")]);
    let path = format!("/_matrix/client/v3/rooms/{room}/event/{}", two.replace('/', "%2F"));
    let (_, event) = by_eve.get(&path).await?;
    let because = event.pointer("/unsigned/redacted_because").context("redacted")?;
    assert_eq!(because["content"]["reason"], "Spam and more");
    assert_eq!(because["sender"], sender);
    says(&scene.ann_asks(&command).await?, "Nothing changed", &["already redacted", sender]);
    says(&scene.ann_asks(&format!("!audit list --on {two}")).await?, "", &["event redact"]);

    // By a link, after its sender was banned.
    let ban = json!({ "user_id": eve.user_id });
    let boss = make(scene.ann().api(), json!({"preset": "public_chat"})).await?;
    let (status, _) = by_eve.post(&format!("/_matrix/client/v3/join/{boss}"), json!({})).await?;
    assert_eq!(status, 200);
    let spam = send(&by_eve, &boss, "spam").await?;
    scene.ann().api().post(&format!("/_matrix/client/v3/rooms/{boss}/ban"), ban).await?;
    let link = format!("https://matrix.to/#/{boss}/{spam}?via=synod.test");
    let done = with_yes(&scene, &format!("!event redact {link}")).await?;
    says(&done, "Done", &[&spam, "is redacted"]);
    assert_eq!(contents(scene.ann().api(), &boss, &[&spam]).await?, [Value::Null]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_message_is_redacted_without_being_read() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let eve = Person::log_in_unsigned(scene.synapse(), &eve).await?;
    let room = eve.create_room(&NewRoom { encrypted: true, ..NewRoom::default() }).await?;
    let kept = eve.say(&room, "harmless").await?;
    let gone = eve.say(&room, "harmful").await?;
    assert_eq!(eve.stored_event(&room, &gone).await?["type"], "m.room.encrypted");
    let done = with_yes(&scene, &format!("!event redact {gone}")).await?;
    says(&done, "Done", &[gone.as_str(), "is redacted", "2 events of the same sender"]);
    let empty = eve.stored_event(&room, &gone).await?;
    assert!(empty["content"].get("ciphertext").is_none(), "{empty}");
    let whole = eve.stored_event(&room, &kept).await?;
    assert!(whole["content"]["ciphertext"].is_string(), "{whole}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_in_the_same_millisecond_is_named_before_it_goes_too() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let bridged = scene.bridged("twice").await?;
    let bridge = scene.synapse().bridge();
    let room = make(scene.ann().api(), json!({"preset": "public_chat"})).await?;
    let join = format!("/_matrix/client/v3/join/{room}?user_id={bridged}");
    assert_eq!(bridge.post(&join, json!({})).await?.0, 200);
    let at = async |text: &str, time: u64| -> Result<String> {
        let path = format!(
            "/_matrix/client/v3/rooms/{room}/send/m.room.message/{text}?user_id={bridged}&ts={time}"
        );
        let (_, sent) = bridge.put(&path, json!({"msgtype": "m.text", "body": text})).await?;
        Ok(sent["event_id"].as_str().with_context(|| sent.to_string())?.to_owned())
    };
    let moment = 1_600_000_000_000;
    let twin = at("twin", moment).await?;
    // So many that the twin is not among those that stand around it.
    for n in 0..60 {
        at(&format!("between-{n}"), moment + 1 + n).await?;
    }
    let (before, it) = (at("before", moment - 1).await?, at("it", moment).await?);

    // What a bridge has sent takes a phrase.
    let yes = |question: &Message, event: &str| -> Result<String> {
        let end = event.get(event.len() - 6..).context("a long id")?;
        Ok(format!("!confirm {} {end}", code(question)?))
    };
    let command = format!("!event redact {it}");
    let question = scene.ann_asks(&command).await?;
    says(&question, "Redact", &[&it, "with it", "1 other event", &twin, "same millisecond"]);
    let done = scene.ann_asks(&yes(&question, &it)?).await?;
    says(&done, "Done", &["is redacted", "Redacted with it", &twin]);
    let left = contents(scene.ann().api(), &room, &[&it, &twin, &before]).await?;
    assert_eq!(left, [Value::Null, Value::Null, json!("before")]);

    // Where the twin is gone already, nothing else goes.
    let (first, second) = (at("first", moment + 500).await?, at("second", moment + 500).await?);
    redact(scene.ann().api(), &room, &first).await?;
    let question = scene.ann_asks(&format!("!event redact {second}")).await?;
    assert!(!question.body.contains("other event"), "{}", question.body);
    let done = scene.ann_asks(&yes(&question, &second)?).await?;
    says(&done, "Done", &["is redacted", "are as they were"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_homeserver_redacts_for_nobody_is_refused_and_so_is_an_admin_room() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let room = make(&by_eve, json!({"preset": "public_chat", "name": "Lobby"})).await?;
    let about = send(&by_eve, &room, "about").await?;
    let reaction =
        json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": about, "key": "x"}});
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.reaction/r");
    let reaction = by_eve.put(&path, reaction).await?.1["event_id"].clone();
    let path = format!("/_matrix/client/v3/rooms/{room}/state/m.room.topic");
    let topic = by_eve.put(&path, json!({"topic": "gold"})).await?.1["event_id"].clone();
    for (event, kind) in [(reaction, "m.reaction"), (topic, "m.room.topic")] {
        let command = format!("!event redact {}", event.as_str().context("an event")?);
        let told = scene.ann_asks(&command).await?;
        says(&told, "Refused", &[kind, "only messages and joins", "!room power-levels"]);
    }
    says(&scene.ann_asks("!event redact $nosuchevent").await?, "Not found", &["no event"]);

    let said = scene.ann().say(scene.room(), "what nobody shall take out").await?;
    let told = scene.ann_asks(&format!("!event redact {said}")).await?;
    says(&told, "Refused", &["nobody can change through me"]);

    // A join is emptied of the name, and stays one.
    let path = format!("/_synapse/admin/v1/rooms/{room}/state?type=m.room.member");
    let member = async || -> Result<Value> {
        Ok(scene.synapse().admin().get(&path).await?.1["state"][0].clone())
    };
    let join = member().await?;
    let id = join["event_id"].as_str().context("a join")?;
    let question = scene.ann_asks(&format!("!event redact {id}")).await?;
    says(&question, "Redact", &["Membership", "name and picture", "nobody leaves"]);
    says(&scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?, "Done", &[id]);
    let join = member().await?;
    assert_eq!(join["content"]["membership"], "join");
    assert!(join["content"].get("displayname").is_none(), "{join}");
    Ok(())
}
