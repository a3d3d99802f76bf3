//! `!doctor`: what is wrong is found from the room, with what to do.

use anyhow::Result;
use world::Scene;

use crate::{SYNOD, support::says};

#[tokio::test(flavor = "multi_thread")]
async fn what_could_be_better_is_told_in_the_room_with_what_to_do() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    scene.stranger().await?;
    let sessions = || async {
        let path = format!("/_synapse/admin/v2/users/{}/devices", scene.bot_id());
        scene.synapse().admin().get(&path).await
    };
    let before = sessions().await?.1["total"].clone();
    let told = scene.ask(scene.vic().await?, "!doctor").await?;
    // Somebody reads along who is no operator.
    says(&told, "", &["Could be better", "1 in it who are not operators", "Remove them"]);
    assert!(!told.body.contains("the record is whole"), "{}", told.body);
    assert_eq!(sessions().await?.1["total"], before, "no device stays behind");

    let all = scene.ann_asks("!doctor --all").await?;
    says(&all, "", &["the record is whole", "clock", "Fine"]);
    let own = concat!("synod: version ", env!("CARGO_PKG_VERSION"));
    let rests_on = ["Synapse 1.", "free for the state", "store: it uses", "file was written"];
    says(&all, "", &[&[own][..], &rests_on].concat());
    scene.ask(scene.moe().await?, "!freeze").await?;
    says(&scene.ann_asks("!doctor").await?, "", &["I am frozen", "!unfreeze"]);
    Ok(())
}
