//! The bot is killed, cut off, stopped and doubled, and a change still runs at most once.

use std::{future::Future, process::Command};

use anyhow::{Context as _, Result};
use reqwest::Method;
use world::{Account, Fault, Message, PATIENCE, Scene};

use crate::{
    SYNOD,
    support::{code, is, watched},
};

/// The part of a deactivation's path that no other request has.
const DEACTIVATE: &str = "/_synapse/admin/v1/deactivate/";

/// The question of a deactivation, and its code.
async fn asked(scene: &Scene, eve: &Account) -> Result<(Message, String)> {
    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    let code = code(&question)?;
    Ok((question, code))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_survives_a_kill_and_its_yes_runs_once() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let (_, code) = asked(&scene, &eve).await?;
    scene.bot()?.kill().await?;

    // The yes is said while nobody listens.
    let yes = scene.ann().say(scene.room(), &format!("!confirm {code}")).await?;
    scene.bot()?.start_again().await?;
    let done = scene.answer(scene.ann(), &yes).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &eve, "deactivated").await?);

    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    let again = scene.ann_asks(&format!("!confirm {code}")).await?;
    assert!(again.body.starts_with("Nothing changed · "), "{}", again.body);
    assert_eq!(scene.ann().answers_to(&yes).len(), 1, "the yes was answered twice");
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_request_and_record_is_told_and_not_repeated() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let (question, code) = asked(&scene, &eve).await?;
    let held = proxy.next(Method::POST, DEACTIVATE, Fault::HoldAnswer);
    let yes = scene.ann().say(scene.room(), &format!("!confirm {code}")).await?;
    held.reached().await?;
    scene.bot()?.kill().await?;
    held.release();

    scene.bot()?.start_again().await?;
    let told = scene.answer(scene.ann(), &yes).await?;
    assert!(told.body.starts_with("Unknown · "), "{}", told.body);
    assert!(told.body.contains("user deactivate"), "what was it about: {}", told.body);
    assert!(told.body.contains("State: deactivated"), "what is so now: {}", told.body);
    assert!(told.mentions.contains(scene.ann().user_id()), "it needs a person: {:?}", told.raw);
    let edit = scene.ann().edit_of(&question.event_id, |_| true).await?;
    assert!(edit.body.contains("yes"), "the question shows how it ended: {}", edit.body);

    let again = scene.ann_asks(&format!("!confirm {code}")).await?;
    assert!(again.body.starts_with("Nothing changed · "), "{}", again.body);
    // At the next start it is no news any more.
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    scene.ann_asks("!me").await?;
    assert_eq!(scene.ann().answers_to(&yes).len(), 1, "it was reported twice");
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_request_is_told_as_unknown_and_not_repeated() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    for fault in [Fault::LoseRequest, Fault::LoseAnswer] {
        let eve = scene.subject(if matches!(fault, Fault::LoseRequest) { "eve" } else { "sam" });
        let eve = eve.await?;
        let arrives = matches!(fault, Fault::LoseAnswer);
        let (_, code) = asked(&scene, &eve).await?;
        let before = proxy.changes().len();
        let _lost = proxy.next(Method::POST, DEACTIVATE, fault);
        let told = scene.ann_asks(&format!("!confirm {code}")).await?;
        assert!(told.body.starts_with("Unknown · "), "{}", told.body);
        assert!(told.body.contains(eve.user_id.as_str()), "{}", told.body);
        let deactivated = told.body.contains("State: deactivated");
        assert_eq!(deactivated, arrives, "what is so now: {}", told.body);
        assert_eq!(is(&scene, &eve, "deactivated").await?, arrives);
        let again = scene.ann_asks(&format!("!confirm {code}")).await?;
        assert!(again.body.starts_with("Nothing changed · "), "{}", again.body);
        assert_eq!(proxy.changes().len(), before + 1, "{:?}", proxy.changes());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_the_change_in_hand() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let (_, code) = asked(&scene, &eve).await?;
    let held = proxy.next(Method::POST, DEACTIVATE, Fault::HoldRequest);
    let yes = scene.ann().say(scene.room(), &format!("!confirm {code}")).await?;
    held.reached().await?;
    let bot = scene.bot()?;
    let mark = bot.log().mark();
    let let_go = async {
        bot.log().wait_for("stopping", mark, PATIENCE).await?;
        held.release();
        anyhow::Ok(())
    };
    let (ended, let_go) = tokio::join!(bot.terminate(), let_go);
    let_go?;
    assert_eq!(ended?.code(), Some(0), "{}", bot.log().tail(20));
    let done = scene.answer(scene.ann(), &yes).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &eve, "deactivated").await?);

    bot.start_again().await?;
    scene.ann_asks("!me").await?;
    assert_eq!(scene.ann().answers_to(&yes).len(), 1, "nothing was cut off");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_on_the_same_state_is_refused_in_one_line() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let config = scene.bot()?.config_file().to_owned();
    let second = tokio::task::spawn_blocking(move || {
        Command::new(SYNOD).args(["run", "--config"]).arg(config).output()
    });
    let second = second.await??;
    assert!(!second.status.success());
    let said = String::from_utf8([second.stdout, second.stderr].concat())?;
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(said.contains("another Synod is running"), "{said}");
    scene.ann_asks("!me").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_nobody_answers_expires_and_shows_it() -> Result<()> {
    let (scene, proxy) = watched(|config| config.set("questions.expire_after", "2s")).await?;
    let eve = scene.subject("eve").await?;
    let (question, code) = asked(&scene, &eve).await?;
    let edit = scene.ann().edit_of(&question.event_id, |_| true).await?;
    assert!(edit.body.contains("Expired"), "{}", edit.body);

    let late = scene.ann_asks(&format!("!confirm {code}")).await?;
    assert!(late.body.starts_with("Expired · "), "{}", late.body);
    assert!(late.body.contains("!user deactivate"), "the command to copy: {}", late.body);
    assert!(!is(&scene, &eve, "deactivated").await?);
    assert_eq!(proxy.changes().len(), 0, "{:?}", proxy.changes());
    Ok(())
}

/// Awaits three at once, so that whoever is quickest comes first.
async fn at_once<T>(
    one: impl Future<Output = Result<T>>,
    two: impl Future<Output = Result<T>>,
    three: impl Future<Output = Result<T>>,
) -> Result<[T; 3]> {
    let (one, two, three) = tokio::join!(one, two, three);
    Ok([one?, two?, three?])
}

#[tokio::test(flavor = "multi_thread")]
async fn several_yeses_at_once_run_it_once() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let question = scene.ann_asks(&format!("!user modify {} --admin", eve.user_id)).await?;
    let code = code(&question).context(question.body)?;
    let (ann, room) = (scene.ann(), scene.room());
    let confirm = format!("!confirm {code}");
    let yeses = at_once(
        ann.say(room, &confirm),
        ann.say(room, &confirm),
        ann.react(room, &question.event_id, "✅"),
    );
    let mut done = 0;
    for yes in yeses.await? {
        let answer = scene.answer(ann, &yes).await?;
        let word = answer.body.split(" ·").next().unwrap_or_default();
        match word {
            "Done" => done += 1,
            _ => assert_eq!(word, "Nothing changed", "{}", answer.body),
        }
    }
    assert_eq!(done, 1);
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());
    assert!(is(&scene, &eve, "admin").await?);
    Ok(())
}
