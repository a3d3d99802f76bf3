//! The week, told in the rooms at the moment that the config names.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use world::{Message, Scene};

use crate::{
    SYNOD,
    support::{says, suspend},
};

/// Within what time the bot begins, and all is said that is to be in its week.
const BEFORE: SignedDuration = SignedDuration::from_secs(40);

/// The first minute of the week for which there is time enough, as the config names it.
fn soon() -> String {
    let soon = Timestamp::now() + BEFORE;
    let rest = SignedDuration::from_secs(60 - soon.as_second().rem_euclid(60));
    (soon + rest).to_zoned(TimeZone::UTC).strftime("%A %H:%M").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_told_at_the_moment_of_the_config_and_once() -> Result<()> {
    let scene = Scene::plan().start_with(SYNOD, |config| config.set("digest", soon())).await?;
    let (ann, eve) = (scene.ann(), scene.subject("eve").await?);
    says(&scene.ann_asks(&suspend(&eve)).await?, "Done", &[]);
    says(&scene.ask(scene.vic().await?, &suspend(&eve)).await?, "Refused", &[]);
    let told = |message: &Message| message.body.contains("The week until");
    assert!(!ann.heard().iter().any(told), "before its moment nothing is told");

    let last = Timestamp::now() + SignedDuration::from_mins(2);
    let digest = loop {
        match ann.wait_for("the week", told).await {
            Ok(digest) => break digest,
            Err(error) if Timestamp::now() > last => return Err(error),
            Err(_) => {}
        }
    };
    let body = digest.body.replace('\u{2060}', "");
    for part in ["1 change", "user suspend 1", "Refused: 1", "!audit list"] {
        assert!(body.contains(part), "{part}: {body}");
    }
    assert!(body.contains(ann.user_id().as_str()), "{body}");
    assert!(digest.mentions.is_empty() && digest.from_signed_device, "{digest}");

    // It is told once, also by a bot that begins after the moment.
    scene.bot()?.terminate().await?;
    scene.bot()?.start_again().await?;
    says(&scene.ann_asks("!me").await?, "", &[ann.user_id().as_str()]);
    assert_eq!(ann.heard().iter().filter(|message| told(message)).count(), 1);
    Ok(())
}
