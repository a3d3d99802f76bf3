//! Commands are stopped while they only look, and what cannot be stopped is said to be so.

use anyhow::Result;
use reqwest::Method;
use world::{Fault, Things};

use crate::{
    jobs::{accounts, count, lines},
    support::{code, says, watched},
};

#[tokio::test(flavor = "multi_thread")]
async fn while_many_are_looked_at_cancel_and_stop_work_at_once() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, moe, room) = (scene.ann(), scene.moe().await?, scene.room());
    let all = accounts(&scene, 12).await?;
    let path = format!("/_synapse/admin/v2/users/%40{}", all[5].user_id.localpart());
    let command = format!("!user suspend{}", lines(&all));

    let held = proxy.next(Method::GET, &path, Fault::HoldAnswer);
    let long = ann.say(room, &command).await?;
    held.reached().await?;
    // Somebody else's is not theirs to cancel.
    says(&scene.ask(moe, "!cancel").await?, "Nothing changed", &[]);
    says(&scene.ann_asks("!cancel").await?, "Done", &["user suspend", "is stopped"]);
    let answer = scene.answer(ann, &long).await?;
    says(&answer, "Nothing changed", &["stopped by", ann.user_id().as_str()]);
    held.release();

    let held = proxy.next(Method::GET, &path, Fault::HoldAnswer);
    let long = ann.say(room, &command).await?;
    held.reached().await?;
    let stopped = scene.ask(moe, "!stop").await?;
    says(&stopped, "Done", &["before anything was asked or done: 1", "user suspend"]);
    let answer = scene.answer(ann, &long).await?;
    says(&answer, "Nothing changed", &["stopped by", moe.user_id().as_str()]);
    held.release();
    assert_eq!(count(&scene, &all, "suspended").await?, 0);
    assert_eq!(proxy.changes().len(), 0, "{:?}", proxy.changes());
    // What comes after it is not held up.
    let question = scene.ann_asks(&command).await?;
    says(&question, "Suspend 12 accounts, ", &[]);
    says(&scene.ann_asks("!stop").await?, "Done", &["questions closed"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_homeserver_goes_on_with_is_named_and_said_not_to_stop() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let things = Things::of(scene.synapse(), scene.subject("eve").await?).await?;
    let question = scene.ann_asks(&format!("!room delete {}", things.room)).await?;
    let own = things.room.split(':').next().unwrap_or_default();
    let phrase: String = own.chars().skip(own.chars().count() - 6).collect();
    let asked = proxy.next(Method::GET, "delete_status", Fault::HoldAnswer);
    let begun = scene.ann_asks(&format!("!confirm {} {phrase}", code(&question)?)).await?;
    says(&begun, "Done", &["has started"]);
    asked.reached().await?;
    let stopped = scene.ann_asks("!stop").await?;
    says(&stopped, "Nothing changed", &["I cannot stop", "room delete", "nothing stops that"]);

    // And after a kill it is not told as done.
    scene.bot()?.kill().await?;
    asked.release();
    scene.bot()?.start_again().await?;
    let over = crate::support::told(&scene, "deleted from this server").await?;
    says(&over, "Done", &[&things.room]);
    Ok(())
}
