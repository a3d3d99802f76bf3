//! What the usual verbs do is so on the homeserver, of whatever version.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use world::{Message, Scene};

use crate::support::{api, code, devices, make, offered, says, with_device};

/// Says a command, and yes to the question that may follow.
async fn done(scene: &Scene, command: &str) -> Result<Message> {
    done_to(scene, command, "").await
}

/// The same, with the phrase that a question may want.
async fn done_to(scene: &Scene, command: &str, phrase: &str) -> Result<Message> {
    yes(scene, scene.ann_asks(command).await?, phrase).await
}

/// Says yes to this answer where it is a question.
async fn yes(scene: &Scene, mut answer: Message, phrase: &str) -> Result<Message> {
    if let Ok(code) = code(&answer) {
        answer = scene.ann_asks(&format!("!confirm {code}")).await?;
        if answer.body.contains("needs a phrase") {
            answer = scene.ann_asks(&format!("!confirm {code} {phrase}")).await?;
        }
    }
    says(&answer, "Done", &[]);
    Ok(answer)
}

/// Fails unless accounts, rooms, files and tokens are what the bot says it made of them.
pub(super) async fn are_so(scene: &Scene) -> Result<()> {
    accounts(scene).await?;
    suspension(scene).await?;
    others(scene).await?;
    for look in ["!doctor", "!wave", "!me", "!audit verify"] {
        let answer = scene.ann_asks(look).await?;
        assert!(!answer.body.starts_with("Failed"), "{look}: {}", answer.body);
    }
    Ok(())
}

async fn accounts(scene: &Scene) -> Result<()> {
    let (eve, device) = with_device(scene, "effects").await?;
    let (id, server) = (&eve.user_id, scene.synapse().admin());
    let done = async |command: &str| done_to(scene, command, id.localpart()).await;
    let has = async |key: &str| anyhow::Ok(server.account(id).await?[key].clone());
    for (verb, key, value) in [
        ("lock", "locked", true),
        ("unlock", "locked", false),
        ("shadow-ban", "shadow_banned", true),
        ("admin", "admin", true),
    ] {
        let command = match verb {
            "admin" => format!("!user modify {id} --admin"),
            verb => format!("!user {verb} {id}"),
        };
        done(&command).await?;
        assert_eq!(has(key).await?, json!(value), "{command}");
    }
    let named = done(&format!("!user modify {id} -n \"Eve Lee\"")).await?;
    assert_eq!(has("displayname").await?, "Eve Lee");
    done(offered(&named, "!undo")?).await?;
    assert_eq!(has("displayname").await?, "effects");
    assert_eq!(devices(scene, &eve).await?, [device]);
    done(&format!("!user logout {id}")).await?;
    assert!(devices(scene, &eve).await?.is_empty());
    done(&format!("!user modify {id} --no-admin")).await?;
    done(&format!("!user deactivate {id}")).await?;
    assert_eq!(has("deactivated").await?, true);
    Ok(())
}

/// Where an account can be suspended it is; where not, nobody is told that it is or is not.
async fn suspension(scene: &Scene) -> Result<()> {
    let eve = scene.subject("suspended").await?;
    let (id, server) = (&eve.user_id, scene.synapse().admin());
    let is_known = server.account(id).await?.get("suspended").is_some();
    let details = scene.ann_asks(&format!("!user details {id} --all")).await?;
    let does_not_say = details.body.contains("does not say whether it is suspended");
    assert_eq!(does_not_say, !is_known, "{}", details.body);
    let answer = scene.ann_asks(&format!("!user suspend {id}")).await?;
    if is_known {
        says(&answer, "Done", &[]);
        assert_eq!(server.account(id).await?["suspended"], true);
    } else {
        says(&answer, "Failed", &["too old for !user suspend", "1.122"]);
        assert_eq!(server.account(id).await?.get("suspended"), None);
    }
    Ok(())
}

async fn others(scene: &Scene) -> Result<()> {
    let server = scene.synapse().admin();
    let answers = async |path: String| server.get(&format!("/_synapse/admin/{path}")).await;
    let eve = scene.subject("owner").await?;
    let by_eve = api(scene, &eve).await?;
    let room = make(&by_eve, json!({})).await?;
    for (verb, blocked) in [("block", true), ("unblock", false)] {
        done(scene, &format!("!room {verb} {room}")).await?;
        let (_, answer) = answers(format!("v1/rooms/{room}/block")).await?;
        assert_eq!(answer["block"], blocked, "{verb}");
    }
    let file = by_eve.upload(vec![1; 64], "image/png", "a.png").await?;
    let listed = async || -> Result<Value> {
        let (status, answer) = answers(format!("v1/users/{}/media", eve.user_id)).await?;
        ensure!(status == 200, "{answer}");
        Ok(answer["total"].clone())
    };
    assert_eq!(listed().await?, 1);
    let answer = scene.ann_asks(&format!("!media delete {file}")).await?;
    if answer.body.contains("too old") {
        says(&answer, "Failed", &["named files of !media delete", "1.140"]);
        assert_eq!(listed().await?, 1);
    } else {
        yes(scene, answer, "1").await?;
        assert_eq!(listed().await?, 0);
    }
    let token = "for-some-friends";
    done(scene, &format!("!regtok new --token {token}")).await?;
    assert_eq!(answers(format!("v1/registration_tokens/{token}")).await?.0, 200);
    done(scene, &format!("!regtok delete {token}")).await?;
    assert_eq!(answers(format!("v1/registration_tokens/{token}")).await?.0, 404);
    Ok(())
}
