//! An operator talks with the bot in an encrypted room, and the homeserver changes.

use anyhow::Result;
use serde_json::json;
use world::Scene;

use crate::{
    SYNOD,
    support::{code, digits, says},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_runs_at_once_and_its_undo_takes_it_back() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let api = scene.synapse().admin();

    let details = scene.ann_asks(&format!("!user details {}", eve.user_id)).await?;
    assert!(details.body.contains(eve.user_id.as_str()), "{}", details.body);
    assert!(details.encrypted);

    says(&scene.ann_asks("!undo").await?, "Not understood", &["say which change", "!audit"]);
    let done = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert_eq!(api.account(&eve.user_id).await?["suspended"], json!(true));

    // Which one is never guessed.
    let number = digits(&done.body, "!undo")?;
    let which = scene.ann_asks("!undo").await?;
    says(
        &which,
        "Not understood",
        &["say which change", &format!("!undo {number}"), "!user suspend"],
    );
    assert_eq!(api.account(&eve.user_id).await?["suspended"], json!(true));
    let undone = scene.ann_asks(&format!("!undo {number}")).await?;
    assert!(undone.body.starts_with("Done · "), "{}", undone.body);
    assert_eq!(api.account(&eve.user_id).await?["suspended"], json!(false));

    let again = scene.ann_asks(&format!("!undo {number}")).await?;
    assert!(again.body.starts_with("Nothing changed · "), "{}", again.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivation_asks_and_runs_once() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let api = scene.synapse().admin();

    let question =
        scene.ann_asks(&format!("!user deactivate {} --gdpr-erase", eve.user_id)).await?;
    assert!(
        question.body.lines().next().unwrap_or_default().contains("ERASED"),
        "{}",
        question.body
    );
    let code = code(&question)?;
    let bare = scene.ann_asks(&format!("!confirm {code}")).await?;
    assert!(bare.body.starts_with("Refused · "), "erasing takes a phrase: {}", bare.body);
    assert_eq!(api.account(&eve.user_id).await?["deactivated"], json!(false));

    let localpart = eve.user_id.localpart();
    let done = scene.ann_asks(&format!("!confirm {code} {localpart}")).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    let account = api.account(&eve.user_id).await?;
    assert_eq!((&account["deactivated"], &account["erased"]), (&json!(true), &json!(true)));

    let again = scene.ann_asks(&format!("!confirm {code} {localpart}")).await?;
    assert!(again.body.starts_with("Nothing changed · "), "{}", again.body);
    assert!(again.body.contains(scene.ann().user_id().as_str()), "by whom: {}", again.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_one_line_and_nothing_happens() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let stranger = scene.stranger().await?;
    let refused = scene.ask(stranger, &format!("!user suspend {}", eve.user_id)).await?;
    assert!(refused.body.starts_with("Refused · "), "{}", refused.body);
    let silence = stranger.say(scene.room(), &format!("!user suspend {}", eve.user_id)).await?;
    scene.unanswered(&silence).await?;
    let account = scene.synapse().admin().account(&eve.user_id).await?;
    assert_eq!(account["suspended"], json!(false));
    Ok(())
}
