//! Whom a question is about does not keep still: nothing of that may void the yes.

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};
use world::{Account, Api, Fault, Scene};

use crate::{
    SYNOD,
    support::{code, is, watched},
};

/// The subject's own client, and a room that somebody else has opened to everybody.
struct Lively {
    account: Account,
    api: Api,
    square: String,
}

/// What an answer must hold, or the homeserver takes nothing from this account any more.
async fn done(answer: impl Future<Output = Result<(u16, Value)>>) -> Result<Value> {
    let (status, answer) = answer.await?;
    anyhow::ensure!(status == 200, "{status} {answer}");
    Ok(answer)
}

impl Lively {
    async fn new(scene: &Scene, name: &str) -> Result<Self> {
        let account = scene.subject(name).await?;
        let api = scene.synapse().api(&scene.synapse().log_in(&account).await?.0);
        let open = json!({ "preset": "public_chat" });
        let admin = scene.synapse().admin();
        let made = admin.post("/_matrix/client/v3/createRoom", open);
        let square = done(made).await?["room_id"].as_str().context("no room")?.to_owned();
        Ok(Self { account, api, square })
    }

    /// Everything that an account does by itself, once: another name and picture, a room joined,
    /// something said and left, a room made, a file, and another device.
    async fn stir(&self, scene: &Scene, round: u32) -> Result<()> {
        let (api, user, square) = (&self.api, &self.account.user_id, &self.square);
        let rooms = "/_matrix/client/v3/rooms";
        let profile = format!("/_matrix/client/v3/profile/{user}");
        let name = json!({ "displayname": format!("not {round} me") });
        done(api.put(&format!("{profile}/displayname"), name)).await?;
        let picture = api.upload(vec![0; 64], "image/png", "me.png").await?;
        let picture = json!({ "avatar_url": picture });
        done(api.put(&format!("{profile}/avatar_url"), picture)).await?;
        done(api.post(&format!("{rooms}/{square}/join"), json!({}))).await?;
        let words = json!({ "msgtype": "m.text", "body": "catch me" });
        let send = format!("{rooms}/{square}/send/m.room.message/{round}-{}", user.localpart());
        done(api.put(&send, words)).await?;
        done(api.post(&format!("{rooms}/{square}/leave"), json!({}))).await?;
        done(api.post("/_matrix/client/v3/createRoom", json!({}))).await?;
        scene.synapse().log_in(&self.account).await?;
        Ok(())
    }

    /// Does so until the homeserver has enough of it, and answers how often it could.
    async fn stir_on(&self, scene: &Scene) -> u32 {
        let mut round = 1;
        while self.stir(scene, round).await.is_ok() {
            round += 1;
        }
        round
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_subject_does_meanwhile_does_not_void_the_yes() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = Lively::new(&scene, "eve").await?;
    let id = &eve.account.user_id;
    let question = scene.ann_asks(&format!("!user deactivate {id}")).await?;
    eve.stir(&scene, 0).await?;
    let account = scene.synapse().admin().account(id).await?;
    assert_eq!(account["displayname"], json!("not 0 me"));
    let code = code(&question)?;
    let confirm = format!("!confirm {code}");
    let (done, rounds) = tokio::join!(scene.ann_asks(&confirm), eve.stir_on(&scene));
    let done = done?;
    assert!(done.body.starts_with("Done · "), "after {rounds} rounds: {}", done.body);
    assert!(is(&scene, &eve.account, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_subject_does_in_the_last_moment_does_not_void_a_reaction() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = Lively::new(&scene, "eve").await?;
    let id = &eve.account.user_id;
    let question = scene.ann_asks(&format!("!user modify {id} --admin")).await?;
    // Between the yes and the look that decides over it.
    let path = format!("/users/%40{}", id.localpart());
    let held = proxy.next(Method::GET, &path, Fault::HoldRequest);
    let yes = scene.ann().react(scene.room(), &question.event_id, "✅").await?;
    held.reached().await?;
    eve.stir(&scene, 0).await?;
    held.release();
    let done = scene.answer(scene.ann(), &yes).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &eve.account, "admin").await?);
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());
    Ok(())
}
