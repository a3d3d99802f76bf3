//! Those who hold something that they should not: a token without keys, a session of an admin's.
//! Strangers, viewers and moderators try everything in `strangers.rs`.

use anyhow::{Context as _, Result};
use serde_json::json;
use synod::commands::{Does, GROUPS};
use world::{Person, Things};

use crate::{
    everything::{Watched, alone},
    open_matters::answers,
    support::{digits, says},
};

/// Every example of every verb that may change something, about these things.
fn changing(things: &Things) -> Vec<String> {
    let verbs = GROUPS.iter().flat_map(|group| group.verbs);
    let verbs = verbs.filter(|verb| verb.does != Does::Look);
    verbs.flat_map(|verb| verb.examples).map(|example| things.typed(example)).collect()
}

/// Everything that could be said to let a question pass.
fn every_yes(code: &str, things: &Things) -> Vec<String> {
    let phrase = things.eve.user_id.localpart();
    let own = things.room.split(':').next().unwrap_or_default();
    let room: String = own.chars().rev().take(6).collect::<Vec<_>>().iter().rev().collect();
    ["confirm", "approve"]
        .into_iter()
        .flat_map(|verb| ["", phrase, &room, "1"].map(|end| format!("!{verb} {code} {end}")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_keys_changes_nothing_whatever_it_says() -> Result<()> {
    let mut watched = Watched::start(|config, _| config).await?;
    // Questions of her own are open, which she has asked with her keys.
    let scene = &watched.scene;
    let ask = |verb: &str| format!("!user {verb} {}", watched.free.eve.user_id);
    let light = scene.ann_asks(&ask("password")).await?;
    let heavy = scene.ann_asks(&ask("deactivate")).await?;
    watched.begin().await?;
    let scene = &watched.scene;
    let (ann, room) = (scene.ann(), scene.room());
    let mut said = changing(&watched.free);
    said.extend(changing(&watched.restrained).iter().map(|command| format!("{command} --plan")));
    assert!(said.len() > 100, "{said:?}");
    for question in [&light, &heavy] {
        let code = digits(&question.body, "!confirm").unwrap_or_default();
        said.extend(every_yes(&code, &watched.free));
    }
    said.extend(["!undo 1", "!limits lift", "!unfreeze"].map(str::to_owned));
    for some in said.chunks(16) {
        let mut last = None;
        for text in some {
            last = Some(ann.say_in_clear(room, text).await?);
        }
        // What is not believed is answered too, and a busy bot should not fall far behind.
        scene.answer(ann, &last.context("something was said")?).await?;
    }
    ann.say_in_clear(room, "yes").await?;
    let last = ann.say_in_clear(room, "!undo 2").await?;
    says(&scene.answer(ann, &last).await?, "Refused", &["unencrypted"]);
    let tick = ann.react(room, &heavy.event_id, "✅").await?;
    says(&scene.answer(ann, &tick).await?, "Refused", &["!confirm"]);
    watched.nothing_changed("a token without keys").await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admins_session_in_other_hands_changes_nothing_that_takes_two() -> Result<()> {
    let (scene, proxy) = alone().await?;
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
    let localpart = other.user_id.localpart();
    let too = Person::login(scene.synapse(), localpart, &other.password).await?;
    scene.ann().invite(scene.room(), too.user_id()).await?;
    too.join(scene.room()).await?;
    scene.ann().sees_joined(scene.room(), too.user_id()).await?;
    let mut watched = Watched::of(scene, proxy).await?;
    // The room in which secrets are told is made when it is first needed.
    watched.scene.ann_asks("!me dm").await?;
    watched.begin().await?;
    let scene = &watched.scene;

    let question =
        scene.ann_asks(&format!("!user deactivate {}", watched.free.eve.user_id)).await?;
    let (free, restrained) = (changing(&watched.free), changing(&watched.restrained));
    let mut said = answers(scene, scene.ann(), &free).await?;
    // What takes something back has nothing to do where nothing is.
    let idle = restrained.iter().zip(&said);
    let idle = idle.filter(|(_, (_, answer))| answer.starts_with("Nothing changed · "));
    let idle: Vec<&String> = idle.map(|(restrained, _)| restrained).collect();
    said.extend(answers(scene, scene.ann(), &idle).await?);
    let mut codes = Vec::new();
    for (command, answer) in &said {
        assert!(!answer.starts_with("Done · "), "{command}: {answer}");
        codes.extend(digits(answer, "!approve"));
    }
    let first = codes.first().context("nothing was asked")?;
    // One of them by all ways, and the others by one: the way is the same for every verb.
    let phrase = watched.free.eve.user_id.localpart();
    let mut yeses = every_yes(first, &watched.free);
    yeses.extend(codes.iter().map(|code| format!("!approve {code} {phrase}")));
    // Of her own questions many are open, and a tick does not say which; of the other's none is.
    for (who, no) in [(scene.ann(), "Not understood"), (&too, "Refused")] {
        for (yes, answer) in answers(scene, who, &yeses).await? {
            assert!(answer.starts_with("Refused · "), "{yes}: {answer}");
        }
        let tick = who.react(scene.room(), &question.event_id, "✅").await?;
        says(&scene.answer(who, &tick).await?, no, &[]);
    }
    let asked = codes.len();
    assert!(asked > 30, "only {asked} of them asked");
    watched.nothing_changed("an admin alone").await
}
