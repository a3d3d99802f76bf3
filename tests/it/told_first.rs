//! What somebody is told, as a server notice, before something is done to their account.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use world::{Account, Fault, Options, Passed, Scene, Synapse};

use crate::{
    SYNOD,
    notice::notices,
    support::{code, is, offered, says, watched, with_yes},
};

fn said(text: &str) -> Value {
    json!({ "msgtype": "m.text", "body": text })
}

/// The notices among what was sent.
fn sent(changes: Vec<Passed>) -> Vec<Passed> {
    let is_notice = |passed: &Passed| passed.path.contains("send_server_notice");
    changes.into_iter().filter(is_notice).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_is_told_first_and_only_once() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let moe = scene.moe().await?;
    let command =
        format!("!user suspend {} --tell \"No gold here\\nAsk us\" --for 3d", eve.user_id);
    let plan = scene.ann_asks(&format!("{command} --plan")).await?;
    says(&plan, "", &["send_server_notice", "No gold here", "suspend"]);
    let question = scene.ask(moe, &command).await?;
    says(&question, "Suspend", &["“No gold here Ask us”", "cannot be taken back"]);
    says(&question, "Suspend", &["has no room for notices yet", "cannot join"]);
    assert!(notices(&scene, &eve).await?.is_empty(), "a question says nothing");
    assert!(!is(&scene, &eve, "suspended").await?);

    let done = scene.ask(moe, &format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["is suspended", "Told", "an undo does not take that back", "Ends"]);
    assert!(is(&scene, &eve, "suspended").await?);
    assert_eq!(notices(&scene, &eve).await?, [said("No gold here\nAsk us")]);
    says(&scene.ask(moe, &command).await?, "Nothing changed", &["already suspended"]);
    let undo = offered(&done, "!undo")?;
    says(&scene.ask(moe, undo).await?, "Done", &["no longer suspended"]);
    assert_eq!(notices(&scene, &eve).await?.len(), 1, "an undo says nothing");

    // Several are each told once, and that is a notice to many.
    let both = format!("!user lock {} {} --tell Stop", eve.user_id, sam.user_id);
    says(&scene.ask(moe, &both).await?, "Refused", &["admin"]);
    let question = scene.ann_asks(&both).await?;
    says(&question, "Lock", &["“Stop”", "reads nothing while it is locked"]);
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["2 accounts"]);
    for account in [&eve, &sam] {
        let unlock = format!("/_synapse/admin/v2/users/{}", account.user_id);
        assert!(is(&scene, account, "locked").await?);
        scene.synapse().admin().put(&unlock, json!({ "locked": false })).await?;
        let heard = notices(&scene, account).await?;
        assert_eq!(heard.iter().filter(|heard| **heard == said("Stop")).count(), 1, "{heard:?}");
    }
    Ok(())
}

/// Leaves every room.
async fn leaves(scene: &Scene, account: &Account) -> Result<()> {
    let api = scene.synapse().api(&scene.synapse().log_in(account).await?.0);
    let (_, rooms) = api.get("/_matrix/client/v3/joined_rooms").await?;
    for room in rooms["joined_rooms"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        api.post(&format!("/_matrix/client/v3/rooms/{room}/leave"), json!({})).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_would_not_read_it_is_said_before_the_question() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let id = &eve.user_id;
    with_yes(&scene, &format!("!notice send {id} First")).await?;
    let in_it = scene.ann_asks(&format!("!user suspend {id} --tell Hello")).await?;
    says(&in_it, "Suspend", &["“Hello”"]);
    assert!(!in_it.body.contains("room for notices"), "{}", in_it.body);
    leaves(&scene, &eve).await?;
    let left = scene.ann_asks(&format!("!user suspend {id} --tell Hello")).await?;
    says(&left, "Suspend", &["has left its room for notices", "cannot join"]);
    let lock = format!("/_synapse/admin/v2/users/{id}");
    scene.synapse().admin().put(&lock, json!({ "locked": true })).await?;
    let locked = scene.ann_asks(&format!("!user deactivate {id} --tell Goodbye")).await?;
    says(&locked, "Deactivate", &["is locked already", "once it is unlocked"]);
    let bridged = scene.bridged("mute").await?;
    let nobody = scene.ann_asks(&format!("!user suspend {bridged} --tell Hello")).await?;
    says(&nobody, "Suspend", &["is a bridged account"]);

    let gone = scene.subject("gone").await?;
    let question =
        scene.ann_asks(&format!("!user deactivate {} --tell Goodbye", gone.user_id)).await?;
    says(&question, "Deactivate", &["“Goodbye”", "logged out right after"]);
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["is deactivated", "Told", "cannot be taken back either"]);
    let again = format!("!user deactivate {} --gdpr-erase --tell Goodbye", gone.user_id);
    says(&scene.ann_asks(&again).await?, "Refused", &["is deactivated", "without --tell"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_notices_are_switched_off_nothing_is_asked_and_nothing_is_done() -> Result<()> {
    let extra = "server_notices:\n".to_owned();
    let synapse = Synapse::start(Options { extra, ..Options::default() }).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    for verb in ["suspend", "lock", "deactivate"] {
        let told = scene.ann_asks(&format!("!user {verb} {} --tell Hello", eve.user_id)).await?;
        says(&told, "Failed", &["disabled", "system_mxid_localpart"]);
        assert!(!told.body.contains("!confirm"), "{}", told.body);
    }
    assert!(!is(&scene, &eve, "suspended").await? && !is(&scene, &eve, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_notice_fails_nothing_follows_and_what_was_told_is_not_told_again() -> Result<()>
{
    let (scene, proxy) = watched(|config| config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let notice = "/_synapse/admin/v1/send_server_notice/";
    let refusal = json!({"errcode": "M_FORBIDDEN", "error": "no"});
    let caught = proxy.next(Method::PUT, notice, Fault::Answer(403, refusal.clone()));
    let command = format!("!user suspend {} --tell Hello", eve.user_id);
    let told = with_yes(&scene, &command).await?;
    caught.reached().await?;
    says(&told, "Refused", &["nothing was done", "without --tell"]);
    assert!(!is(&scene, &eve, "suspended").await?);

    // No answer to the notice: nobody knows whether it was sent, and nothing follows it.
    let caught = proxy.next(Method::PUT, notice, Fault::LoseAnswer);
    let told = with_yes(&scene, &command).await?;
    caught.reached().await?;
    says(&told, "Unknown", &[eve.user_id.as_str()]);
    assert!(!is(&scene, &eve, "suspended").await?);
    assert_eq!(sent(proxy.changes()).len(), 2, "each was sent once");
    assert_eq!(notices(&scene, &eve).await?, [said("Hello")]);

    // The notice was sent, and what was to follow was not done.
    let suspend = format!("/_synapse/admin/v1/suspend/%40{}", sam.user_id.localpart());
    let caught = proxy.next(Method::PUT, &suspend, Fault::Answer(403, refusal));
    let told = with_yes(&scene, &format!("!user suspend {} --tell Hello", sam.user_id)).await?;
    caught.reached().await?;
    says(&told, "Done in part", &["Told", "“Hello”", "leave out --tell"]);
    assert!(!is(&scene, &sam, "suspended").await?);
    assert_eq!(notices(&scene, &sam).await?, [said("Hello")]);
    Ok(())
}
