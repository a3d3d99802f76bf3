//! Those who hold something that they should not: a token without keys, a session of an admin's.
//! Strangers, viewers and moderators try everything in `strangers.rs`.

use anyhow::Result;
use serde_json::{Value, json};
use synod::commands::{Does, GROUPS};
use world::{Person, Proxy, Scene, Things};

use crate::{crash::watched, verbs::says};

/// Every example of every verb that may change something, about these things.
fn changing(things: &Things) -> Vec<String> {
    let verbs = GROUPS.iter().flat_map(|group| group.verbs);
    let verbs = verbs.filter(|verb| verb.does != Does::Look);
    verbs.flat_map(|verb| verb.examples).map(|example| things.typed(example)).collect()
}

/// The state of everything that the examples are about, as the homeserver has it.
async fn state(scene: &Scene, things: &Things) -> Result<Vec<Value>> {
    let api = scene.synapse().admin();
    let (user, room) = (&things.eve.user_id, &things.room);
    let mut state = vec![api.account(user).await?];
    for path in [
        format!("v2/users/{user}/devices"),
        format!("v1/users/{user}/override_ratelimit"),
        format!("v1/rooms/{room}/block"),
        format!("v1/rooms/{room}/members"),
        format!("v1/rooms/{room}/state"),
        format!("v1/media/{}", things.media.trim_start_matches("mxc://")),
    ] {
        let mut found = api.get(&format!("/_synapse/admin/{path}")).await?.1;
        without(&mut found, &["age", "last_seen_ts"]);
        state.push(found);
    }
    Ok(state)
}

/// Takes out what passes of itself.
fn without(value: &mut Value, keys: &[&str]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !keys.contains(&key.as_str()));
            fields.values_mut().for_each(|field| without(field, keys));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| without(item, keys)),
        _ => {}
    }
}

/// The digits after this verb in what the bot said, if it named any.
fn code(body: &str, verb: &str) -> Option<String> {
    let after = body.split_once(verb)?.1.trim_start();
    let code: String = after.chars().take_while(char::is_ascii_digit).collect();
    (!code.is_empty()).then_some(code)
}

/// Everything that could be said to let a question pass.
fn every_yes(code: &str, things: &Things) -> Vec<String> {
    let phrase = things.eve.user_id.localpart();
    let room: String = things.room.chars().rev().take(6).collect::<Vec<_>>().iter().rev().collect();
    ["confirm", "approve"]
        .into_iter()
        .flat_map(|verb| ["", phrase, &room, "1"].map(|end| format!("!{verb} {code} {end}")))
        .collect()
}

async fn with_things(
    change: impl FnOnce(world::Config) -> world::Config,
) -> Result<(Scene, Proxy, Things)> {
    let (scene, proxy) = watched(change).await?;
    let things = Things::of(scene.synapse(), scene.subject("eve").await?).await?;
    Ok((scene, proxy, things))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_keys_changes_nothing_whatever_it_says() -> Result<()> {
    let (scene, proxy, things) = with_things(|config| config).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let before = state(&scene, &things).await?;
    // Questions of her own are open, which she has asked with her keys.
    let ask = |verb: &str| format!("!user {verb} {}", things.eve.user_id);
    let light = scene.ann_asks(&ask("password")).await?;
    let heavy = scene.ann_asks(&ask("deactivate")).await?;
    let mut said = changing(&things);
    assert!(said.len() > 30, "{said:?}");
    for question in [&light, &heavy] {
        let code = code(&question.body, "!confirm").unwrap_or_default();
        said.extend(every_yes(&code, &things));
    }
    said.extend(["yes", "!undo 1", "!limits lift", "!unfreeze"].map(str::to_owned));
    for text in &said {
        ann.say_in_clear(room, text).await?;
    }
    let last = ann.say_in_clear(room, "!undo 2").await?;
    says(&scene.answer(ann, &last).await?, "Refused", &["unencrypted"]);
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    assert_eq!(state(&scene, &things).await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admins_session_in_other_hands_changes_nothing_that_takes_two() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    // Her other account is the same person; moe is somebody else, and says nothing.
    let other = scene.subject("ann-too").await?;
    let [moe, ..] = scene.accounts();
    let config = scene
        .config()
        .set("homeserver.admin_url", proxy.url())
        .set("questions.rules", json!([{ "class": "reversible", "others": 1 }]))
        .operator_key(scene.ann().user_id(), "person", "ann")
        .operator(&other.user_id, "admin")
        .operator_key(&other.user_id, "person", "ann")
        .operator_key(&moe.user_id, "role", "admin");
    scene.start_bot(crate::SYNOD, &config).await?;
    let things = Things::of(scene.synapse(), scene.subject("eve").await?).await?;
    let localpart = other.user_id.localpart();
    let too = Person::login(scene.synapse(), localpart, &other.password).await?;
    scene.ann().invite(scene.room(), too.user_id()).await?;
    too.join(scene.room()).await?;
    scene.ann().sees_joined(scene.room(), too.user_id()).await?;
    let before = state(&scene, &things).await?;

    let mut asked = 0;
    for command in changing(&things) {
        let answer = scene.ann_asks(&command).await?;
        assert!(!answer.body.starts_with("Done"), "{command}: {}", answer.body);
        let Some(code) = code(&answer.body, "!approve") else { continue };
        asked += 1;
        // Once for one of them, and by all ways; the way is the same for every verb.
        let ways = every_yes(&code, &things);
        let ways = if asked == 1 { ways.as_slice() } else { &ways[1..=1] };
        for yes in ways {
            for who in [scene.ann(), &too] {
                says(&scene.ask(who, yes).await?, "Refused", &[]);
            }
        }
        if asked == 1 {
            for who in [scene.ann(), &too] {
                let tick = who.react(scene.room(), &answer.event_id, "✅").await?;
                says(&scene.answer(who, &tick).await?, "Refused", &[]);
            }
        }
    }
    assert!(asked > 15, "only {asked} of them asked");
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    assert_eq!(state(&scene, &things).await?, before);
    Ok(())
}
