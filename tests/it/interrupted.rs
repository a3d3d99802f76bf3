//! A stop comes before anything was done: the room is told, and nothing runs by itself later.

use anyhow::Result;
use reqwest::Method;
use ruma::OwnedEventId;
use world::{Account, Fault, Message, Proxy, Scene};

use crate::support::{code, is, watched, with_yes};

/// Lets ann say `command` and kills the bot at its first look at `about`, when the message stands
/// in the journal on disk.
async fn cut_off(
    (scene, proxy): (&Scene, &Proxy),
    about: &Account,
    command: &str,
) -> Result<OwnedEventId> {
    let path = format!("/users/%40{}", about.user_id.localpart());
    let held = proxy.next(Method::GET, &path, Fault::HoldRequest);
    let event = scene.ann().say(scene.room(), command).await?;
    held.reached().await?;
    // A refusal is recorded before it is said, and with it everything from before is on disk.
    let vic = scene.vic().await?;
    let refused = scene.ask(vic, &format!("!user suspend {}", about.user_id)).await?;
    assert!(refused.body.starts_with("Refused · "), "{}", refused.body);
    scene.bot()?.kill().await?;
    held.release();
    Ok(event)
}

/// Starts the bot, which tells ann once and for all that it did not come to `event`.
async fn told_once(scene: &Scene, event: &OwnedEventId) -> Result<Message> {
    scene.bot()?.start_again().await?;
    let told = scene.answer(scene.ann(), event).await?;
    assert!(told.body.starts_with("Failed · "), "{}", told.body);
    assert!(told.body.contains("nothing was done"), "{}", told.body);
    assert!(told.body.contains("Send it again"), "what to do: {}", told.body);
    scene.ann_asks("!me").await?;
    scene.bot()?.terminate().await?;
    scene.bot()?.start_again().await?;
    scene.ann_asks("!me").await?;
    assert_eq!(scene.ann().answers_to(event).len(), 1, "it is no news at the next start");
    Ok(told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_a_kill_cut_off_is_told_and_not_run_by_itself() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let suspend = format!("!user suspend {}", eve.user_id);
    let event = cut_off((&scene, &proxy), &eve, &suspend).await?;
    told_once(&scene, &event).await?;
    assert!(!is(&scene, &eve, "suspended").await?);
    assert_eq!(proxy.changes().len(), 0, "{:?}", proxy.changes());
    let done = scene.ann_asks(&suspend).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_a_kill_cut_off_is_told() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let details = format!("!user details {}", eve.user_id);
    let event = cut_off((&scene, &proxy), &eve, &details).await?;
    told_once(&scene, &event).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_that_a_kill_cut_off_is_told_and_ends_its_question() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, eve) = (scene.ann(), scene.subject("eve").await?);
    let deactivate = format!("!user deactivate {}", eve.user_id);
    let question = scene.ann_asks(&deactivate).await?;
    let confirm = format!("!confirm {}", code(&question)?);
    let event = cut_off((&scene, &proxy), &eve, &confirm).await?;
    told_once(&scene, &event).await?;
    let edit = ann.edit_of(&question.event_id, |_| true).await?;
    assert!(edit.body.contains("could not be done any more"), "{}", edit.body);
    let again = scene.ann_asks(&confirm).await?;
    assert!(again.body.starts_with("Nothing changed · "), "{}", again.body);
    assert!(!is(&scene, &eve, "deactivated").await?);
    assert_eq!(proxy.changes().len(), 0, "{:?}", proxy.changes());

    let done = with_yes(&scene, &deactivate).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &eve, "deactivated").await?);
    Ok(())
}
