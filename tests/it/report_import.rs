//! More reports from before the bot began than threads are begun for at once.

use anyhow::Result;
use world::{Message, Scene};

use crate::{
    SYNOD,
    desk::{own_homeserver, watching},
    support::{says, told},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_many_reports_begins_ten_threads_a_minute_and_has_all_cases() -> Result<()> {
    let synapse = own_homeserver().await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    // Sixty accounts, each reported once.
    synapse
        .damage(
            "CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS
                (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) SELECT i FROM n;
            INSERT INTO user_reports (id, received_ts, target_user_id, user_id, reason)
                SELECT i, (CAST(strftime('%s', 'now') AS INTEGER) - 3600 + i) * 1000,
                    '@old-' || i || ':synod.test', '@sam:synod.test', 'old news' FROM n;",
        )
        .await?;
    scene.start_bot(SYNOD, &watching(scene.config())).await?;
    says(&scene.ann_asks("!case list").await?, "No open cases", &[]);
    let done = scene.ann_asks("!report import --since 7d").await?;
    says(&done, "Done", &["60 reports, in 60 cases", "begin ten a minute", "!case list"]);
    says(&scene.ann_asks("!case list").await?, "60 open cases: 60 new", &["@old-60"]);
    told(&scene, "50 more cases wait: I begin 10 threads a minute").await?;
    let roots = |message: &&Message| {
        message.is_message() && message.thread.is_none() && message.body.contains("was reported")
    };
    assert_eq!(scene.ann().heard().iter().filter(roots).count(), 10);
    says(&scene.ann_asks("!report import --since 7d").await?, "Nothing changed", &["already"]);
    says(&scene.ann_asks("!case show 60").await?, "Case 60: @old-60:synod.test", &["old news"]);
    Ok(())
}
