//! The report desk and a watch, where the admin room is not encrypted: nothing comes there by itself, unless the
//! config says that it may.

use anyhow::Result;
use world::{Message, PATIENCE, Scene};

use crate::{
    SYNOD,
    desk::{own_homeserver, report_account, thread_about, watching},
    support::{api, says},
};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_report_or_a_watch_comes_to_a_room_in_clear() -> Result<()> {
    let scene = Scene::plan().on(&own_homeserver().await?).in_clear().set().await?;
    let config = watching(scene.config());
    scene.start_bot(SYNOD, &config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (tom, by_sam) = (scene.subject("tom").await?, api(&scene, &sam).await?);
    let mark = scene.ann().mark();
    report_account(&by_sam, &eve, "rude").await?;
    thread_about(&scene, &eve, mark).await?;
    let first = scene.ann_asks(&format!("!watch {}", eve.user_id)).await?;
    says(&first, "Done", &["is watched until"]);

    // The room stays as it is, and may not be in clear any more.
    let bot = scene.bot()?;
    bot.terminate().await?;
    bot.configure(&config.set("encryption", "required").to_string())?;
    let (mark, log) = (scene.ann().mark(), bot.log().mark());
    report_account(&by_sam, &tom, "worse").await?;
    report_account(&by_sam, &eve, "rude again").await?;
    scene.synapse().log_in(&eve).await?;
    bot.start_again().await?;
    for tried in ["a case is not told yet", "what is new of an account is not told yet"] {
        bot.log().wait_for(tried, log, PATIENCE).await?;
    }
    let told = |message: &&Message| {
        message.sender == *scene.bot_id()
            && [&eve, &tom].iter().any(|it| message.raw.to_string().contains(it.user_id.as_str()))
    };
    let heard = scene.ann().heard_since(mark);
    let told: Vec<&Message> = heard.iter().filter(told).collect();
    assert!(told.is_empty(), "{told:?}");
    Ok(())
}
