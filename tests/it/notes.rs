//! What operators note about somebody, and what they find in the record.

use anyhow::Result;
use world::Scene;

use crate::{
    SYNOD,
    support::{offered, says},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_shown_with_whom_it_is_about_until_it_is_removed() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let id = eve.user_id.as_str();
    let details = format!("!user details {id}");
    says(&scene.ann_asks("!note list").await?, "No notes", &[]);
    let viewer = scene.ask(scene.vic().await?, &format!("!note {id} likes cats")).await?;
    says(&viewer, "Refused", &["the role moderator"]);

    let moe = scene.moe().await?;
    let noted = scene.ask(moe, &format!("!note {id} warned by mail, *again* | x")).await?;
    says(&noted, "Done", &[id, "“warned by mail, *again* | x”"]);
    let remote = scene.ann_asks("!note @bob:elsewhere.example invites everybody").await?;
    says(&remote, "Done", &["@bob:elsewhere.example"]);

    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    let by_moe = format!("“warned by mail, *again* | x” by {}", moe.user_id());
    says(&scene.ann_asks(&details).await?, "", &["Notes:", &by_moe]);
    let listed = scene.ask(scene.vic().await?, "!note list").await?;
    let eve = eve.user_id.localpart();
    says(&listed, "2 notes", &[eve, "@bob:elsewhere.example", "invites everybody"]);
    let one = scene.ann_asks(&format!("!note list {id}")).await?;
    says(&one, "One note", &["warned"]);
    assert!(!one.body.contains("bob"), "{}", one.body);

    says(&scene.ann_asks(offered(&noted, "!note remove")?).await?, "Done", &["removed", id]);
    assert!(!scene.ann_asks(&details).await?.body.contains("Notes:"));
    for (wrong, why) in [
        (format!("!note {id}"), "1 to 500 characters"),
        (format!("!note {id} {}", "x".repeat(501)), "501"),
        ("!note remove 99999".to_owned(), "no note"),
        ("!note remove soon".to_owned(), "number"),
        ("!note list a b".to_owned(), "too many or too few"),
    ] {
        let word = if why == "no note" { "Not found" } else { "Not understood" };
        says(&scene.ann_asks(&wrong).await?, word, &[why]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_is_searched_from_the_room() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let moe = scene.moe().await?;
    let (ann, moe_id) = (scene.ann().user_id().as_str(), moe.user_id().as_str());
    says(&scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?, "Done", &[]);
    says(&scene.ask(moe, &format!("!user lock {}", eve.user_id)).await?, "Done", &[]);
    says(&scene.ann_asks(&format!("!user lock {}", sam.user_id)).await?, "Done", &[]);
    let password = format!("!user password {}", sam.user_id);
    says(&scene.ask(moe, &password).await?, "Refused", &[]);

    let (eve_name, sam_name) = (eve.user_id.localpart(), sam.user_id.localpart());
    let suspend = format!(" suspended @{eve_name}");
    let (lock_eve, lock_sam) = (format!(" locked @{eve_name}"), format!(" locked @{sam_name}"));
    let password = format!("user password @{sam_name}");
    for (filter, shown) in [
        (String::new(), vec![&suspend, &lock_eve, &lock_sam, &password]),
        (format!("--by {ann}"), vec![&suspend, &lock_sam]),
        (format!("--by {moe_id}"), vec![&lock_eve, &password]),
        (format!("--on {}", eve.user_id), vec![&suspend, &lock_eve]),
        ("--verb \"user lock\"".to_owned(), vec![&lock_eve, &lock_sam]),
        ("--verb user --outcome refused".to_owned(), vec![&password]),
        ("--outcome done --since 1h".to_owned(), vec![&suspend, &lock_eve, &lock_sam]),
        ("--until 2020-01-01".to_owned(), vec![]),
    ] {
        let listed = scene.ann_asks(&format!("!audit list {filter}")).await?.body;
        for command in [&suspend, &lock_eve, &lock_sam, &password] {
            let times = listed.matches(command.as_str()).count();
            assert_eq!(
                times,
                usize::from(shown.contains(&command)),
                "{filter}: {command} {listed}"
            );
        }
    }
    let wrong = scene.ann_asks("!audit list --since 03/04").await?;
    says(&wrong, "Not understood", &["2026-11-01"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dossier_counts_the_open_reports() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let stranger = scene.stranger().await?;
    let details = format!("!user details {} --all", stranger.user_id());
    says(&scene.ann_asks(&details).await?, "", &["Open reports: 0 of messages, 0 of the account"]);
    let ann = scene.ann();
    let rude = stranger.say(scene.room(), "something rude").await?;
    let reason = serde_json::json!({ "reason": "rude" });
    for path in [
        format!("/_matrix/client/v3/rooms/{}/report/{rude}", scene.room()),
        format!("/_matrix/client/v3/users/{}/report", stranger.user_id()),
    ] {
        let (status, answer) = ann.api().post(&path, reason.clone()).await?;
        anyhow::ensure!(status == 200, "{path}: {answer}");
    }
    says(&scene.ann_asks(&details).await?, "", &["Open reports: 1 of messages, 1 of the account"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_removes_the_note_of_another_is_on_record() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let (ann, moe, id) = (scene.ann(), scene.moe().await?, eve.user_id.as_str());
    let noted = scene.ann_asks(&format!("!note {id} moe shouts at this one")).await?;
    let removal = offered(&noted, "!note remove")?.to_owned();
    let number = removal.rsplit(' ').next().unwrap_or_default();
    says(&scene.ask(moe, &removal).await?, "Done", &["removed", id]);
    says(&scene.ann_asks("!note list").await?, "No notes", &[]);

    // It says who, what and about whom; and that it was written, by whom and in which words, stands
    // there still.
    for (who, what) in [(moe, "a note was removed"), (ann, "a note was written")] {
        let listed = format!("!audit list --on {id} --by {}", who.user_id());
        let listed = scene.ann_asks(&listed).await?;
        says(&listed, "The record", &[what, who.user_id().localpart()]);
        assert_eq!(listed.body.matches("a note was").count(), 1, "{}", listed.body);
    }
    let written = scene.ann_asks(&format!("!audit show {number}")).await?;
    says(&written, "", &["a note was written", id, ann.user_id().as_str(), "moe shouts"]);
    Ok(())
}
