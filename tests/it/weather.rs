//! The homeserver restarts, slows down and fails, and accounts bear hostile names.

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::json;
use world::{Fault, Message, Options, PATIENCE, Scene, Synapse};

use crate::{
    SYNOD,
    support::{code, is, watched, with_yes},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_outlives_a_restart_of_the_homeserver() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    scene.ann_asks("!me").await?;
    let log = scene.bot()?.log();
    let mark = log.mark();
    synapse.stop().await?;
    log.wait_for("the sync fails", mark, PATIENCE).await?;
    synapse.start_again().await?;
    let done = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn under_default_rate_limits_all_is_answered_and_the_limit_is_lifted() -> Result<()> {
    let options = Options { default_rate_limits: true, ..Options::default() };
    let synapse = Synapse::start(options).await?;
    let scene = Scene::plan()
        .on(&synapse)
        .start_with(SYNOD, |config| config.set("homeserver.rate_limit", "lift"))
        .await?;
    let (ann, api) = (scene.ann(), synapse.admin());
    // It is the bot that is to be slowed down, not ann.
    let limit = |user: &str| format!("/_synapse/admin/v1/users/{user}/override_ratelimit");
    let none = json!({ "messages_per_second": 0, "burst_count": 0 });
    api.post(&limit(ann.user_id().as_str()), none.clone()).await?;
    let mut commands = Vec::new();
    for _ in 0..20 {
        commands.push(ann.say(scene.room(), "!me").await?);
    }
    let slowed = "the homeserver limits how fast";
    scene.bot()?.log().wait_for(slowed, 0, PATIENCE).await?;
    let bot = limit(scene.bot_id().as_str());
    assert_eq!(api.get(&bot).await?.1, json!({}), "nobody has asked for it yet");

    let told = |message: &Message| {
        message.sender == *scene.bot_id() && message.body.contains("limits how fast")
    };
    let told = ann.wait_for("the news of the limit", told).await?;
    assert!(told.body.contains("!limits lift"), "{}", told.body);
    assert!(told.mentions.contains(ann.user_id()), "it asks a person: {:?}", told.raw);
    let heard = ann.heard();
    let before = heard.iter().take_while(|message| message.event_id != told.event_id);
    let answered = before.filter(|m| m.reply_to.as_ref().is_some_and(|e| commands.contains(e)));
    assert!(answered.count() < 15, "the news waited behind the answers");

    let lifted = scene.ann_asks("!limits lift").await?;
    assert!(lifted.body.starts_with("Done · "), "{}", lifted.body);
    assert_eq!(api.get(&bot).await?.1, none);
    for command in &commands {
        scene.answer(ann, command).await?;
        assert_eq!(ann.answers_to(command).len(), 1, "{command} was answered twice");
    }
    let restored = scene.ann_asks("!limits restore").await?;
    assert!(restored.body.starts_with("Done · "), "{}", restored.body);
    assert_eq!(api.get(&bot).await?.1, json!({}));
    Ok(())
}

/// The tags of an answer's HTML in order, and how many lines its plain text has.
fn structure(message: &Message) -> Result<(Vec<String>, usize)> {
    let html = message.html.as_deref().context("an answer has HTML")?;
    let tags = html.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0.to_owned()));
    Ok((tags.collect(), message.body.lines().count()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_name_leaves_the_structure_of_an_answer_as_it_is() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let api = scene.synapse().admin();
    let mut structures = Vec::new();
    let names = [
        "Eve",
        "**b** _i_ `c` ~~s~~ [l](https://evil.example) ![i](mxc://x/y) @room",
        "<b>b</b><script>x</script><img src=x>&lt;i&gt;",
        "x\n# head\n\n- item\n1. one\n> quote\n```\ncode\n| a | b |\n|---|---|\n| 1 | 2 |",
        "\u{202e}gnp.exe\u{2066}x\u{200b}\u{feff} | y || z\r\n\t\u{2028}w \\| \\",
        "Done · ✅ !confirm 0000",
    ];
    for (number, name) in names.into_iter().enumerate() {
        let eve = scene.subject(&format!("eve{number}")).await?;
        let id = &eve.user_id;
        let path = format!("/_synapse/admin/v2/users/{id}");
        api.put(&path, json!({ "displayname": name })).await?;
        let mut all = Vec::new();
        for command in [
            format!("!user details {id}"),
            format!("!user search {}", id.localpart()),
            format!("!user deactivate {id}"),
            format!("!user modify {id} -u -n Eve2"),
        ] {
            let answer = scene.ann_asks(&command).await?;
            assert!(!answer.body.contains('\u{202e}'), "{}", answer.body);
            assert!(answer.mentions.is_empty(), "{:?}", answer.raw);
            all.push((structure(&answer)?, answer.body.clone()));
            if command.contains("deactivate") {
                scene.ann_asks(&format!("!cancel {}", code(&answer)?)).await?;
            }
        }
        structures.push(all);
    }
    let plain = structures.remove(0);
    for hostile in structures {
        for ((plain, _), (hostile, body)) in plain.iter().zip(hostile) {
            assert_eq!(hostile, *plain, "a name changed the structure of {body}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_asks_and_plans_and_does_nothing() -> Result<()> {
    let (scene, proxy) = watched(|config| config.read_only(true)).await?;
    let eve = scene.subject("eve").await?;
    let at_once = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    assert!(at_once.body.starts_with("Nothing changed · "), "{}", at_once.body);
    assert!(at_once.body.contains("read-only"), "{}", at_once.body);
    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    assert!(question.body.contains("read-only"), "{}", question.body);
    let yes = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    assert!(yes.body.starts_with("Nothing changed · "), "{}", yes.body);
    let edit = scene.ann().edit_of(&question.event_id, |_| true).await?;
    assert!(edit.body.contains("nothing was done"), "{}", edit.body);
    assert_eq!(proxy.changes().len(), 0, "{:?}", proxy.changes());
    assert!(!is(&scene, &eve, "deactivated").await? && !is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_admin_api_is_told_as_what_it_is() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let deactivate = format!("!user deactivate {}", eve.user_id);
    let error = |code: &str| json!({ "errcode": code, "error": "canary words of the server" });

    let broken = Fault::Answer(500, error("M_UNKNOWN"));
    let _broken = proxy.next(Method::POST, "/deactivate/", broken);
    let told = with_yes(&scene, &deactivate).await?;
    assert!(told.body.starts_with("Unknown · "), "{}", told.body);
    assert!(told.body.contains("State: active"), "what is so now: {}", told.body);
    assert_eq!(proxy.changes().len(), 1, "a change is not repeated");

    let forbidden = Fault::Answer(403, error("M_FORBIDDEN"));
    let _forbidden = proxy.next(Method::POST, "/deactivate/", forbidden);
    let told = with_yes(&scene, &deactivate).await?;
    assert!(told.body.starts_with("Refused · "), "{}", told.body);
    assert_eq!(proxy.changes().len(), 2);

    let mut slow = error("M_LIMIT_EXCEEDED");
    slow["retry_after_ms"] = json!(100);
    let _slow = proxy.next(Method::POST, "/deactivate/", Fault::Answer(429, slow));
    let done = with_yes(&scene, &deactivate).await?;
    assert!(done.body.starts_with("Done · "), "told when to come again: {}", done.body);
    assert_eq!(proxy.changes().len(), 4);
    assert!(is(&scene, &eve, "deactivated").await?);

    // A read that fails once is asked again.
    let sam = scene.subject("sam").await?;
    for fault in [Fault::LoseAnswer, Fault::Answer(502, error("M_UNKNOWN"))] {
        let path = format!("/_synapse/admin/v2/users/%40{}", sam.user_id.localpart());
        let failed = proxy.next(Method::GET, &path, fault);
        let details = scene.ann_asks(&format!("!user details {} --all", sam.user_id)).await?;
        failed.reached().await?;
        assert!(details.body.contains("State: active"), "{}", details.body);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_in_clear_is_served_where_the_config_says_so() -> Result<()> {
    let scene = Scene::plan().in_clear().start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let warned = |message: &Message| {
        message.sender == *scene.bot_id() && message.body.contains("not encrypted")
    };
    scene.ann().wait_for("the warning", warned).await?;
    let done = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    assert!(done.body.starts_with("Done · ") && !done.encrypted, "{}", done.body);
    assert!(is(&scene, &eve, "suspended").await?);
    let accept = format!("!trust accept {} AAAAAA", scene.accounts()[0].user_id);
    let refused = scene.ann_asks(&accept).await?;
    assert!(refused.body.starts_with("Refused · "), "{}", refused.body);
    assert!(refused.body.contains("encrypted"), "{}", refused.body);
    Ok(())
}
