//! Who waits for whom: one operator's commands in turn, one subject's changes in turn, and nobody
//! else for anybody.

use anyhow::Result;
use reqwest::Method;
use serde_json::json;
use world::{Account, Fault, Message, Person, Proxy, Scene};

use crate::support::{code, is, says, watched};

/// The part of a suspension's path that no other request has.
const SUSPEND: &str = "/_synapse/admin/v1/suspend/";

/// What was changed so far: whom, and with which body.
fn changes(proxy: &Proxy) -> Vec<(String, serde_json::Value)> {
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().replace("%40", "@");
    proxy.changes().into_iter().map(|change| (last(&change.path), change.body)).collect()
}

/// A suspension, or the end of one, as it is sent.
fn sent(account: &Account, suspend: bool) -> (String, serde_json::Value) {
    let id = account.user_id.as_str().replace(':', "%3A");
    (id, json!({ "suspend": suspend }))
}

fn is_done(answer: &Message) -> bool {
    answer.body.starts_with("Done · ")
}

/// Returns when the bot has read everything said before this: it has answered somebody for whom
/// nothing is in the way, twice.
async fn all_read(scene: &Scene, person: &Person) -> Result<()> {
    scene.ask(person, "!me").await?;
    scene.ask(person, "!me").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_operators_commands_run_in_turn() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, vic, room) = (scene.ann(), scene.vic().await?, scene.room());
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let held = proxy.next(Method::PUT, SUSPEND, Fault::HoldRequest);
    let first = ann.say(room, &format!("!user suspend {}", eve.user_id)).await?;
    held.reached().await?;
    let second = ann.say(room, &format!("!user suspend {}", sam.user_id)).await?;
    let look = ann.say(room, &format!("!user details {}", eve.user_id)).await?;
    all_read(&scene, vic).await?;
    for waiting in [&first, &second, &look] {
        assert!(ann.answers_to(waiting).is_empty(), "the first change is not over");
    }
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());
    assert!(!is(&scene, &sam, "suspended").await?);

    held.release();
    assert!(is_done(&scene.answer(ann, &first).await?));
    assert!(is_done(&scene.answer(ann, &second).await?));
    // Said after the change, it shows what the change has led to.
    let looked = scene.answer(ann, &look).await?;
    assert!(looked.body.contains("suspended"), "{}", looked.body);
    assert_eq!(changes(&proxy), [sent(&eve, true), sent(&sam, true)]);
    assert!(is(&scene, &eve, "suspended").await? && is(&scene, &sam, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_another_subject_does_not_wait_and_who_waits_is_told_for_what() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let kim = scene.subject("kim").await?;
    let held = proxy.next(Method::PUT, SUSPEND, Fault::HoldRequest);
    let first = ann.say(room, &format!("!user suspend {}", eve.user_id)).await?;
    held.reached().await?;
    let same = ann.say(room, &format!("!user details {}", eve.user_id)).await?;
    let second = ann.say(room, &format!("!user suspend {}", sam.user_id)).await?;
    let other = scene.ann_asks(&format!("!user details {} --all", kim.user_id)).await?;
    says(&other, "", &["State: active"]);
    says(&scene.ann_asks("!help user lock").await?, "", &["Lock an account"]);

    for (waiting, what) in [(&same, &eve), (&second, &eve)] {
        let of_it = |message: &Message| {
            message.reply_to.as_ref() == Some(waiting) && message.says_it_waits()
        };
        let told = ann.wait_for("the word that it waits", of_it).await?;
        says(&told, "Waiting for ", &["user suspend", what.user_id.as_str()]);
    }
    for waiting in [&first, &same, &second] {
        assert!(ann.answers_to(waiting).is_empty(), "the first change is not over");
    }
    held.release();
    assert!(is_done(&scene.answer(ann, &second).await?));
    says(&scene.answer(ann, &same).await?, "", &["suspended"]);
    let words = |message: &&Message| message.says_it_waits();
    assert_eq!(ann.heard().iter().filter(words).count(), 2, "each is told once");
    assert_eq!(changes(&proxy), [sent(&eve, true), sent(&sam, true)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_look_holds_up_nobody() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, moe, room) = (scene.ann(), scene.moe().await?, scene.room());
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let path = format!("/_synapse/admin/v2/users/%40{}", eve.user_id.localpart());
    let held = proxy.next(Method::GET, &path, Fault::HoldAnswer);
    let long = ann.say(room, &format!("!user details {}", eve.user_id)).await?;
    held.reached().await?;

    let done = scene.ann_asks(&format!("!user suspend {}", sam.user_id)).await?;
    assert!(is_done(&done), "her own next command: {}", done.body);
    let done = scene.ask(moe, &format!("!user suspend {}", eve.user_id)).await?;
    assert!(is_done(&done), "another's, about the same account: {}", done.body);
    let looked = scene.ann_asks(&format!("!user details {}", sam.user_id)).await?;
    assert!(looked.body.contains("suspended"), "{}", looked.body);
    assert!(ann.answers_to(&long).is_empty(), "its answer is still held");
    assert!(is(&scene, &eve, "suspended").await? && is(&scene, &sam, "suspended").await?);

    held.release();
    let looked = scene.answer(ann, &long).await?;
    assert!(looked.body.contains(eve.user_id.as_str()), "{}", looked.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_overtakes_what_is_in_hand() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let [eve, sam, kim] = ["eve", "sam", "kim"].map(|name| scene.subject(name));
    let (eve, sam, kim) = (eve.await?, sam.await?, kim.await?);
    let erase = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    let raise = scene.ann_asks(&format!("!user modify {} --admin", kim.user_id)).await?;
    let code = code(&erase)?;
    let held = proxy.next(Method::PUT, SUSPEND, Fault::HoldRequest);
    let first = ann.say(room, &format!("!user suspend {}", sam.user_id)).await?;
    held.reached().await?;

    // The yes waits for its turn; the no that comes after it does not.
    let yes = ann.say(room, &format!("!confirm {code}")).await?;
    let cancelled = scene.ann_asks(&format!("!cancel {code}")).await?;
    assert!(cancelled.body.contains("was cancelled"), "{}", cancelled.body);
    let no = ann.react(room, &raise.event_id, "❌").await?;
    let edit = ann.edit_of(&raise.event_id, |_| true).await?;
    assert!(edit.body.contains("Cancelled"), "{}", edit.body);
    let told = scene.answer(ann, &no).await?;
    assert!(told.body.contains("was cancelled"), "{}", told.body);
    assert!(ann.answers_to(&first).is_empty() && ann.answers_to(&yes).is_empty());

    held.release();
    assert!(is_done(&scene.answer(ann, &first).await?));
    let late = scene.answer(ann, &yes).await?;
    assert!(late.body.starts_with("Nothing changed · "), "{}", late.body);
    assert_eq!(changes(&proxy), [sent(&sam, true)]);
    assert!(!is(&scene, &eve, "deactivated").await? && !is(&scene, &kim, "admin").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_changes_of_one_account_keep_their_order() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, moe, vic) = (scene.ann(), scene.moe().await?, scene.vic().await?);
    let eve = scene.subject("eve").await?;
    let held = proxy.next(Method::PUT, SUSPEND, Fault::HoldRequest);
    let on = ann.say(scene.room(), &format!("!user suspend {}", eve.user_id)).await?;
    held.reached().await?;
    let off = moe.say(scene.room(), &format!("!user unsuspend {}", eve.user_id)).await?;
    all_read(&scene, vic).await?;
    assert!(ann.answers_to(&off).is_empty(), "somebody else changes this account");
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());

    held.release();
    assert!(is_done(&scene.answer(ann, &on).await?));
    // It has looked only when it was its turn: before, there was nothing to take back.
    let off = scene.answer(moe, &off).await?;
    assert!(is_done(&off), "{}", off.body);
    assert_eq!(changes(&proxy), [sent(&eve, true), sent(&eve, false)]);
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}
