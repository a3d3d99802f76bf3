//! Stop and freeze: what ends at once, what stays undone, and who lets it go on.

use std::process::Command;

use anyhow::Result;
use reqwest::Method;
use serde_json::json;
use world::{Fault, Scene};

use crate::{
    SYNOD,
    support::{code, digits, is, says, told_since, watched},
};

/// Says what only whoever has the machine can say.
fn on_the_machine(scene: &Scene, words: &[&str]) -> Result<()> {
    let config = scene.dir().join("synod.yaml");
    let status =
        Command::new(SYNOD).arg("unfreeze").args(words).arg("--config").arg(config).status()?;
    assert!(status.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_ends_every_question_whoever_asked() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let nothing = scene.ask(scene.vic().await?, "!stop").await?;
    says(&nothing, "Nothing changed", &["no question"]);
    let one = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    let moe = scene.moe().await?;
    let two = scene.ask(moe, &format!("!user deactivate {}", sam.user_id)).await?;

    // The lowest of the operators stops them all.
    let stopped = scene.ask(scene.vic().await?, "!stop").await?;
    says(&stopped, "Done", &["2"]);
    for (person, question) in [(scene.ann(), one), (moe, two)] {
        let late = scene.ask(person, &format!("!confirm {}", code(&question)?)).await?;
        says(&late, "Nothing changed", &["already closed"]);
        let edit = scene.ann().edit_of(&question.event_id, |_| true).await?;
        assert!(edit.body.contains("Cancelled"), "{}", edit.body);
    }
    assert!(!is(&scene, &eve, "deactivated").await? && !is(&scene, &sam, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_bot_changes_nothing_until_two_say_so() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let moe = scene.moe().await?;
    let suspend = format!("!user suspend {}", eve.user_id);
    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    let viewer = scene.ask(scene.vic().await?, "!freeze").await?;
    says(&viewer, "Refused", &["the role moderator"]);

    // What is in hand is finished, and then it is frozen before that is due.
    let held = proxy.next(Method::PUT, sam.user_id.localpart(), Fault::HoldAnswer);
    let imposed = format!("!user suspend {} --for 2s", sam.user_id);
    let imposed = scene.ann().say(scene.room(), &imposed).await?;
    held.reached().await?;
    let mark = scene.ann().mark();
    let frozen = scene.ask(moe, "!freeze").await?;
    held.release();
    says(&scene.answer(scene.ann(), &imposed).await?, "Done", &[]);
    says(&frozen, "Done", &["frozen", "closed: 1"]);
    assert!(frozen.mentions.contains(scene.ann().user_id()), "{:?}", frozen.mentions);

    let yes = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&yes, "Nothing changed", &["already closed"]);
    for command in [suspend.clone(), format!("!user password {}", eve.user_id)] {
        says(&scene.ann_asks(&command).await?, "Refused", &["frozen", "!unfreeze"]);
    }
    let details = scene.ann_asks(&format!("!user details {} --all", eve.user_id)).await?;
    says(&details, "", &["State: active"]);
    says(&scene.ann_asks(&format!("{suspend} --plan")).await?, "What", &["Nothing was sent"]);

    // What becomes due waits, and it is still so after a restart.
    told_since(&scene, mark, "and waits: I have been frozen").await?;
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    says(&scene.ann_asks(&suspend).await?, "Refused", &["frozen"]);

    // Whoever froze it counts as one of the two, and one alone does not do.
    for _ in 0..2 {
        says(&scene.ask(moe, "!unfreeze").await?, "Nothing changed", &["still frozen"]);
    }
    assert!(!is(&scene, &eve, "suspended").await? && is(&scene, &sam, "suspended").await?);
    // Who brakes again takes back what was said so far.
    says(&scene.ask(moe, "!freeze").await?, "Nothing changed", &["already frozen"]);
    says(&scene.ann_asks("!unfreeze").await?, "Nothing changed", &["still frozen"]);
    says(&scene.ask(moe, "!unfreeze").await?, "Done", &["no longer frozen"]);
    told_since(&scene, mark, "undid it as planned").await?;
    assert!(!is(&scene, &sam, "suspended").await?);
    says(&scene.ann_asks(&suspend).await?, "Done", &[]);
    assert!(is(&scene, &eve, "suspended").await?);
    says(&scene.ann_asks("!audit").await?, "", &["frozen", "unfrozen", "moe"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_person_is_not_served_and_the_last_one_left_is_not_alone() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let moe = scene.moe().await?;
    let id = moe.user_id();
    let suspend = format!("!user suspend {}", eve.user_id);
    says(
        &scene.ann_asks(&format!("!freeze {}", eve.user_id)).await?,
        "Not found",
        &["is not an operator"],
    );
    let own = format!("!freeze {}", scene.ann().user_id());
    says(&scene.ann_asks(&own).await?, "Refused", &["yourself"]);

    // Of the two who may act one is left, so nobody acts.
    let frozen = scene.ann_asks(&format!("!freeze {id}")).await?;
    says(&frozen, "Done", &[id.as_str(), "frozen completely"]);
    for command in ["!me", "!unfreeze", &format!("!unfreeze {id}"), "!freeze", &suspend, "!stop"] {
        says(&scene.ask(moe, command).await?, "Refused", &["you have been frozen"]);
    }
    says(&scene.ann_asks(&suspend).await?, "Refused", &["frozen"]);
    says(
        &scene.ann_asks("!unfreeze").await?,
        "Nothing changed",
        &["No other operator", "synod unfreeze"],
    );

    let mark = scene.ann().mark();
    on_the_machine(&scene, &[])?;
    told_since(&scene, mark, "by synod unfreeze on the machine").await?;
    says(&scene.ann_asks(&suspend).await?, "Done", &[]);
    says(&scene.ask(moe, "!me").await?, "Refused", &["you have been frozen"]);
    says(&scene.ann_asks(&format!("!unfreeze {id}")).await?, "Done", &[id.as_str()]);
    says(&scene.ask(moe, "!me").await?, "", &["Role: moderator"]);

    says(&scene.ask(moe, &format!("!freeze {}", scene.ann().user_id())).await?, "Done", &[]);
    let mark = scene.ann().mark();
    on_the_machine(&scene, &[scene.ann().user_id().as_str()])?;
    told_since(&scene, mark, "by synod unfreeze on the machine").await?;
    says(&scene.ann_asks("!me").await?, "", &["Role: admin", "I have been frozen"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_freeze_a_third_whose_approval_is_void_until_the_machine_lifts_it() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [moe, vic, _] = scene.accounts();
    let rules = json!([{ "class": "irreversible", "others": 2 }]);
    let config = scene
        .config()
        .set("questions.rules", rules)
        .operator_key(&moe.user_id, "role", "admin")
        .operator_key(&vic.user_id, "role", "moderator");
    scene.start_bot(SYNOD, &config).await?;
    let (ann, moe, vic) = (scene.ann(), scene.moe().await?, scene.vic().await?);
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);

    // One question that vic has approved, and one that vic has asked.
    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    let number = digits(&question.body, "!approve")?;
    let approve = format!("!approve {number} {}", eve.user_id.localpart());
    says(&scene.ask(vic, &approve).await?, "Nothing changed", &["1 of the 2"]);
    let own = scene.ask(vic, &format!("!user deactivate {}", sam.user_id)).await?;

    let frozen = scene.ask(moe, &format!("!freeze {}", vic.user_id())).await?;
    says(&frozen, "Done", &[vic.user_id().as_str(), "closed: 2"]);
    assert!(!frozen.body.contains("completely"), "two are left: {}", frozen.body);
    assert!(frozen.mentions.contains(ann.user_id()), "{:?}", frozen.mentions);
    for question in [&question, &own] {
        let edit = ann.edit_of(&question.event_id, |_| true).await?;
        assert!(edit.body.contains("Cancelled"), "{}", edit.body);
    }
    says(&scene.ask(moe, &approve).await?, "Nothing changed", &["already closed"]);
    assert!(!is(&scene, &eve, "deactivated").await? && !is(&scene, &sam, "deactivated").await?);

    // Nothing that vic says lifts it, and the two others act as before.
    let suspend = format!("!user suspend {}", eve.user_id);
    let own = format!("!unfreeze {}", vic.user_id());
    for command in [&own, "!unfreeze", "!undo 1", &suspend, &approve] {
        says(&scene.ask(vic, command).await?, "Refused", &["you have been frozen"]);
    }
    says(&scene.ann_asks(&suspend).await?, "Done", &[]);
    assert!(is(&scene, &eve, "suspended").await?);

    let mark = ann.mark();
    on_the_machine(&scene, &[vic.user_id().as_str()])?;
    told_since(&scene, mark, "by synod unfreeze on the machine").await?;
    let unsuspend = format!("!user unsuspend {}", eve.user_id);
    says(&scene.ask(vic, &unsuspend).await?, "Done", &[]);
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}
