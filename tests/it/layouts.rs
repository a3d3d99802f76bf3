//! How answers are drawn: as the command says, else as the operator wants it, else as the config says.

use anyhow::{Context as _, Result};
use world::{Message, Scene};

use crate::{SYNOD, support::says};

/// How the entries of a list are drawn in this answer.
fn layout(answer: &Message) -> Result<&'static str> {
    let html = answer.html.as_deref().context("an answer has HTML")?;
    Ok(match html {
        html if html.contains("<li><strong>1 · <code>@") => "list",
        html if html.contains("<pre><code>") => "code",
        html if html.contains("<p><strong>1 · <code>@") => "cards",
        _ => "none",
    })
}

/// How many accounts an answer lists, whatever its layout.
fn listed(answer: &Message) -> usize {
    let titles = answer.body.lines().map(|line| line.trim_start_matches("- "));
    let ids = titles.map(|title| match title.split_once(" · ") {
        Some((number, id)) if number.parse::<u8>().is_ok() => id,
        _ => title,
    });
    ids.filter(|id| id.starts_with('@')).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_drawn_as_its_command_says_else_as_its_asker_wants_else_as_the_config_says()
-> Result<()> {
    let scene = Scene::plan().start_with(SYNOD, |config| config.set("layout", "list")).await?;
    let (ann, moe) = (scene.ann(), scene.moe().await?);
    let list = "!user list --limit 2";
    assert_eq!(layout(&scene.ann_asks(list).await?)?, "list");
    assert_eq!(layout(&scene.ann_asks(&format!("{list} --layout code")).await?)?, "code");

    says(&scene.ann_asks("!me layout cards").await?, "Done", &["two lines", "!me reset"]);
    says(&scene.ann_asks("!me layout cards").await?, "Nothing changed", &[]);
    says(&scene.ann_asks("!me").await?, "@ann", &["Layout: cards"]);
    assert_eq!(layout(&scene.ann_asks(list).await?)?, "cards");
    assert_eq!(layout(&scene.ask(moe, list).await?)?, "list", "it is ann's alone");
    let code = scene.ann_asks(&format!("{list} --layout code")).await?;
    assert_eq!(layout(&code)?, "code");
    assert!(code.body.contains("Created: "), "the plain text has all of it: {}", code.body);
    let next = "!user list --limit 2 --layout code --from 2";
    assert!(code.body.contains(next), "{next:?} is not in {}", code.body);

    // What was chosen outlives the bot.
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    assert_eq!(layout(&scene.ask(ann, list).await?)?, "cards");
    says(&scene.ann_asks("!me reset").await?, "Done", &["as the config says"]);
    assert_eq!(layout(&scene.ann_asks(list).await?)?, "list");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_not_offered_and_questions_are_cards_in_every_layout() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    for table in ["!user list --layout table", "!me layout table"] {
        let refused = scene.ann_asks(table).await?;
        assert!(refused.body.contains("phones cannot show tables; write list or code"));
    }
    says(&scene.ann_asks("!me layout code").await?, "Done", &["cut to fit a phone"]);
    let eve = scene.subject("eve").await?;
    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    let html = question.html.context("a question has HTML")?;
    assert!(html.contains(eve.user_id.as_str()) && !html.contains("<pre>"), "{html}");
    let done = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    says(&done, "Done", &[eve.user_id.as_str()]);
    assert!(!done.html.context("an answer has HTML")?.contains("<pre>"));
    let pending = scene.ann_asks("!pending --layout list").await?.html;
    assert!(pending.context("an answer has HTML")?.contains("<li><code>"));
    let accounts = scene.ann_asks("!user list --limit 2 --layout list").await?;
    assert_eq!(layout(&accounts)?, "list");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_as_long_as_its_asker_wants_where_they_type_no_length() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let moe = scene.moe().await?;
    for n in 0..7 {
        scene.subject(&format!("eve{n}")).await?;
    }
    assert!(listed(&scene.ann_asks("!user list").await?) > 5);
    let refused = scene.ann_asks("!me rows 3").await?;
    assert!(refused.body.contains("5 to 100"), "{}", refused.body);
    says(&scene.ann_asks("!me rows 5").await?, "Done", &["5 entries"]);
    let page = scene.ann_asks("!user list").await?;
    assert_eq!(listed(&page), 5, "{}", page.body);
    assert!(page.body.contains("!user list --limit 5 --from 5"), "{}", page.body);
    assert_eq!(listed(&scene.ann_asks("!user list --limit 7").await?), 7);
    assert!(listed(&scene.ask(moe, "!user list").await?) > 5, "it is ann's alone");
    says(&scene.ann_asks("!me reset").await?, "Done", &[]);
    assert!(listed(&scene.ann_asks("!user list").await?) > 5);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn times_stand_in_the_zone_of_whoever_asks_and_in_utc_for_everybody_else() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (moe, eve) = (scene.moe().await?, scene.subject("eve").await?);
    let refused = scene.ann_asks("!me timezone kolkatta").await?;
    says(&refused, "Not understood", &["the nearest: Asia/Kolkata"]);
    let chosen = scene.ann_asks("!me timezone asia/kolkata").await?;
    says(&chosen, "Done", &["Asia/Kolkata", " IST (", " UTC)"]);
    says(&scene.ann_asks("!me").await?, "@ann", &["Times: Asia/Kolkata"]);

    let details = format!("!user details {} --all", eve.user_id);
    says(&scene.ann_asks(&details).await?, "", &[" IST (", " UTC, just now)"]);
    let of_moe = scene.ask(moe, &details).await?;
    assert!(of_moe.body.contains(" UTC (") && !of_moe.body.contains("IST"), "{}", of_moe.body);
    let suspended = scene.ann_asks(&format!("!user suspend {} --for 3d", eve.user_id)).await?;
    says(&suspended, "Done", &["by itself, ", " IST ("]);
    // A question is for everybody, so UTC stands first.
    let plain = format!("!user deactivate {}", eve.user_id);
    says(&scene.ann_asks(&plain).await?, "Deactivate", &["Open until ", " UTC (", " IST)"]);
    let planned = scene.ann_asks(&format!("!user lock {} --for 3d --plan", eve.user_id)).await?;
    says(&planned, "What", &["by itself, ", " IST (", " UTC)"]);
    let of_moe = scene.ask(moe, &plain).await?;
    assert!(!of_moe.body.contains("IST"), "{}", of_moe.body);
    says(&scene.ann_asks("!me reset").await?, "Done", &["UTC"]);
    let again = scene.ann_asks(&details).await?;
    assert!(!again.body.contains("IST"), "{}", again.body);
    Ok(())
}
