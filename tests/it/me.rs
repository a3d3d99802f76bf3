//! `!me dm`: the direct room is there before a secret needs it.

use anyhow::Result;
use world::Scene;

use crate::{
    SYNOD,
    secrets::{direct_room, secret_told},
    support::{says, with_yes},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_direct_room_is_made_beforehand_and_is_the_one_that_secrets_come_to() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let not_yet = ["have not joined", "Accept the invitation", "!me dm"];
    says(&scene.ann_asks("!me dm").await?, "Your direct room is not ready", &not_yet);
    says(&scene.ann_asks("!me dm").await?, "Your direct room is not ready", &not_yet);
    let direct = direct_room(scene.ann()).await?;
    says(&scene.ann_asks("!me dm").await?, "Your direct room is ready", &[]);

    // Whoever has left it is invited to it again.
    scene.ann().leave(&direct).await?;
    says(&scene.ann_asks("!me dm").await?, "Your direct room is not ready", &not_yet);
    assert_eq!(direct_room(scene.ann()).await?, direct);
    says(&scene.ann_asks("!me dm").await?, "Your direct room is ready", &["signed a device"]);

    scene.ann().sees_joined(&direct, scene.bot_id()).await?;
    let eve = scene.subject("eve").await?;
    let mark = scene.ann().mark();
    let done = with_yes(&scene, &format!("!user password {}", eve.user_id)).await?;
    says(&done, "Done", &[]);
    assert!(secret_told(&scene, &direct, mark).await?.len() >= 16);
    Ok(())
}
