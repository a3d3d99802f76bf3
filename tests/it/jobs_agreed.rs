//! What is agreed to with a job: by whom, for how long, and for how many it counts.

use anyhow::{Context as _, Result};
use serde_json::json;
use world::{Message, Scene};

use crate::{
    SYNOD,
    jobs::{accounts, count, ended, lines, say_yes},
    support::{code, digits, is, not_too_early, says},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_counts_for_each_of_its_subjects_and_once_where_another_has_agreed() -> Result<()> {
    let rule = json!([{ "subjects": 12, "others": 1 }]);
    let limited =
        |config: world::Config| config.set("questions.rules", rule).set("questions.unreviewed", 12);
    let scene = Scene::plan().start_with(SYNOD, limited).await?;
    let (moe, all) = (scene.moe().await?, accounts(&scene, 25).await?);
    let deactivate = |from: usize, to: usize| format!("!user deactivate{}", lines(&all[from..to]));

    let question = scene.ann_asks(&deactivate(0, 12)).await?;
    let approve = digits(&question.body, "!approve ")?;
    let short = scene.ask(moe, &format!("!approve {approve}")).await?;
    says(&short, "Refused", &["needs a phrase"]);
    assert_eq!(count(&scene, &all, "deactivated").await?, 0);
    let yes = moe.say(scene.room(), &format!("!approve {approve} 12")).await?;
    let told = ended(&scene, &yes).await?;
    says(&told, "Done · 12 of 12", &[]);
    assert_eq!(count(&scene, &all[..12], "deactivated").await?, 12);
    let number = digits(&told.body, "On record as #")?;
    let shown = scene.ann_asks(&format!("!audit show {number}")).await?;
    says(&shown, "", &[&format!("Approved by: {}", moe.user_id())]);

    // Those twelve count as one, so eleven of her own are not too many, and then the next is.
    let question = scene.ann_asks(&deactivate(12, 23)).await?;
    let yes = say_yes(&scene, &question, 11).await?;
    says(&ended(&scene, &yes).await?, "Done · 11 of 11", &[]);
    assert_eq!(count(&scene, &all, "deactivated").await?, 23);
    let question = scene.ann_asks(&deactivate(23, 24)).await?;
    says(&question, "", &["!approve", "with this it would be 13"]);
    assert!(!is(&scene, &all[23], "deactivated").await?);
    // What can be taken back does not count.
    let done = scene.ann_asks(&format!("!user suspend {}", all[24].user_id)).await?;
    says(&done, "Done", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_somebody_alone_waits_in_sight_of_all_and_is_on_record_as_that() -> Result<()> {
    let rule = json!([{ "subjects": 11, "others": 1 }]);
    let lone = |config: world::Config| {
        config
            .set("questions.rules", rule)
            .set("questions.alone", true)
            .set("questions.alone_after", "8s")
    };
    let scene = Scene::plan().start_with(SYNOD, lone).await?;
    let all = accounts(&scene, 11).await?;
    let asked = format!("!user suspend --alone \"nobody wakes up\"{}", lines(&all));
    let question = scene.ann_asks(&asked).await?;
    says(&question, "", &["11 accounts", "nobody wakes up", "!deny"]);
    assert!(question.mentions.contains(&scene.accounts()[0].user_id), "{:?}", question.mentions);
    let early = say_yes(&scene, &question, 11).await?;
    says(&scene.answer(scene.ann(), &early).await?, "Refused", &["can be confirmed from"]);
    assert_eq!(count(&scene, &all, "suspended").await?, 0);
    let yes = format!("!confirm {} 11", code(&question)?);
    let (yes, _) = not_too_early(&scene, &yes).await?;
    let told = ended(&scene, &yes).await?;
    says(&told, "Done · 11 of 11", &[]);
    assert_eq!(count(&scene, &all, "suspended").await?, 11);
    let number = digits(&told.body, "On record as #")?;
    let shown = scene.ann_asks(&format!("!audit show {number}")).await?;
    says(&shown, "", &["ALONE: \u{201c}nobody wakes up\u{201d}"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_subject_of_a_job_with_an_end_is_let_go_by_itself() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let all = accounts(&scene, 11).await?;
    let typed = format!("!user suspend --for 15s{}", lines(&all));
    let question = scene.ann_asks(&typed).await?;
    let mark = scene.ann().mark();
    let yes = say_yes(&scene, &question, 11).await?;
    says(&ended(&scene, &yes).await?, "Done · 11 of 11", &["Ends: by itself, "]);
    assert_eq!(count(&scene, &all, "suspended").await?, 11);
    says(&scene.ann_asks("!sanction list").await?, "11 temporary measures", &[]);
    // Whom somebody lets go before is none of those any more.
    let early = scene.ann_asks(&format!("!user unsuspend {}", all[0].user_id)).await?;
    says(&early, "Done", &[]);
    says(&scene.ann_asks("!sanction list").await?, "10 temporary measures", &[]);
    // One after the other, so that each is waited for by itself: they are let go in a row.
    for one in &all[1..] {
        let lifted = |message: &Message| {
            // The command that imposed it names them all.
            let first = message.body.lines().next().unwrap_or_default();
            message.body.contains("undid it as planned") && first.contains(one.user_id.as_str())
        };
        scene.ann().wait_for_since(mark, "the end of a sanction", lifted).await?;
    }
    assert_eq!(count(&scene, &all, "suspended").await?, 0);
    says(&scene.ann_asks("!sanction list").await?, "No temporary measures", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_job_is_moved_for_all_of_it_and_so_is_its_lift() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let all = accounts(&scene, 12).await?;
    let question = scene.ann_asks(&format!("!user lock --for 3d{}", lines(&all))).await?;
    let yes = say_yes(&scene, &question, 12).await?;
    let told = ended(&scene, &yes).await?;
    let number = digits(&told.body, "On record as #")?;
    let moe = scene.moe().await?;
    let shorter = scene.ask(moe, &format!("!sanction lift {number}")).await?;
    says(&shorter, "Refused", &[]);
    let moved = scene.ann_asks(&format!("!sanction extend {number} --for 1d")).await?;
    says(&moved, "Done", &["12 subjects", &format!("#{number}")]);
    let listed = scene.ann_asks("!sanction list").await?;
    says(&listed, "12 temporary measures", &["in 3 days"]);
    assert!(!listed.body.contains("in 2 days"), "one was left behind: {}", listed.body);
    assert_eq!(count(&scene, &all, "locked").await?, 12);

    let question = scene.ann_asks(&format!("!sanction lift {number}")).await?;
    says(&question, "", &["12 accounts, "]);
    let yes = say_yes(&scene, &question, 12).await?;
    says(&ended(&scene, &yes).await?, "Done · 12 of 12", &[]);
    assert_eq!(count(&scene, &all, "locked").await?, 0);
    says(&scene.ann_asks("!sanction list").await?, "No temporary measures", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_of_many_takes_their_number_and_what_was_kept_of_each() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let all = accounts(&scene, 11).await?;
    let (first, last) = (&all[0].user_id, &all[10].user_id);
    for id in [first, last] {
        scene.ann_asks(&format!("!note {id} lives in Ulm")).await?;
        scene.ann_asks(&format!("!user suspend {id} --reason insults")).await?;
    }
    let typed = format!("!user deactivate --gdpr-erase{}", lines(&all));
    let question = scene.ann_asks(&typed).await?;
    says(&question, "Deactivate 11 accounts, ", &[" and ERASE "]);
    let bare = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&bare, "Refused", &["phrase"]);
    let light = scene.ann().reply(scene.room(), &question.event_id, "yes").await?;
    says(&scene.answer(scene.ann(), &light).await?, "Refused", &["needs its code"]);
    assert_eq!(count(&scene, &all, "deactivated").await?, 0);

    let yes = say_yes(&scene, &question, 11).await?;
    let told = ended(&scene, &yes).await.context("no end")?;
    says(&told, "Done · 11 of 11", &["No undo"]);
    assert_eq!(count(&scene, &all, "erased").await?, 11);
    for id in [first, last] {
        let notes = scene.ann_asks(&format!("!note list {id}")).await?;
        assert!(!notes.body.contains("Ulm"), "{}", notes.body);
        let kept = scene.ann_asks(&format!("!audit list --limit 50 --on {id}")).await?;
        assert!(!kept.body.contains("insults"), "{}", kept.body);
    }
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);
    Ok(())
}
