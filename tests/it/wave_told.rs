//! A wave of new accounts that the bot tells by itself.

use anyhow::Result;
use serde_json::json;
use world::{Message, Options, Scene, Synapse};

use crate::{
    SYNOD,
    support::{says, told},
};

/// Makes accounts with these numbers, a moment ago.
async fn raid(synapse: &Synapse, first: usize, last: usize) -> Result<()> {
    let statement = format!(
        "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})
        INSERT INTO users (name, password_hash, creation_ts, admin, is_guest, deactivated, shadow_banned)
            SELECT '@raid-' || i || ':synod.test', NULL, CAST(strftime('%s', 'now') AS INTEGER) - 60,
                0, 0, 0, 0 FROM n;"
    );
    synapse.damage(&statement).await
}

/// How often the bot has begun a message so.
fn times(scene: &Scene, begins: &str) -> usize {
    let is_it =
        |message: &&Message| message.sender == *scene.bot_id() && message.body.starts_with(begins);
    scene.ann().heard().iter().filter(is_it).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_is_told_once_over_kills_and_again_where_it_has_doubled() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    raid(&synapse, 1, 12).await?;
    let threshold = json!({ "accounts": 10, "within": "1h" });
    scene.start_bot(SYNOD, &scene.config().set("wave.tell_above", threshold)).await?;
    // The accounts of the scene are new too, and in no group.
    let first = told(&scene, "A wave of new accounts: ").await?;
    says(&first, "A wave of new accounts: ", &[" created since ", ": 1 group, "]);
    says(
        &first,
        "",
        &["A · 12 accounts · names like raid-#", "Samples: ", "@raid-", "Look real: none"],
    );
    says(&first, "", &["Told because 10 or more were created within 1 h", "I have done nothing"]);
    says(&first, "", &["To review the groups and act on them: !wave"]);
    assert!(first.encrypted && first.mentions.is_empty() && first.msgtype == "m.text", "{first}");
    for private in ["127.0.0.1", "user_agent"] {
        assert!(!first.raw.to_string().contains(private), "{private}: {first}");
    }
    let shown = scene.ann_asks("!wave").await?;
    says(&shown, "", &["A · 12 accounts · names like raid-#", "!wave show A"]);

    // It looks at each start, and tells nothing that the room knows.
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    scene.ann_asks("!wave").await?;
    scene.bot()?.kill().await?;
    raid(&synapse, 13, 60).await?;
    scene.bot()?.start_again().await?;
    let grown = told(&scene, "The wave of new accounts has grown: ").await?;
    says(&grown, "The wave of new accounts has grown: ", &["A · 60 accounts · names like raid-#"]);
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    scene.ann_asks("!wave").await?;
    assert_eq!(times(&scene, "A wave of new accounts: "), 1);
    assert_eq!(times(&scene, "The wave of new accounts has grown: "), 1);
    let record = scene.ann_asks("!audit list").await?;
    assert!(!record.body.contains("raid-"), "nobody was touched: {record}");
    Ok(())
}
