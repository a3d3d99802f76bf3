//! What goes on without a message, while nobody could hear what becomes of it.

use std::time::Duration;

use crate::pipeline::Ailment;

use super::testing::{MANY, heard, is_done_once, is_over, job, started, until, work_beside};

/// Longer than a job waits before it looks whether it may go on.
const LOOKS_AGAIN: Duration = Duration::from_millis(2_500);

/// How many subjects of a job are in hand at most.
const IN_HAND: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_nobody_hears_any_more_waits_in_the_middle_and_goes_on_later() {
    for after in [1, 11, MANY - IN_HAND] {
        let (_server, homeserver, stage) = started().await;
        job(&stage).await;
        homeserver.mute_after(after, &stage);
        let so_many = || homeserver.sent().len();
        work_beside(&stage, until(|| so_many() >= after)).await;
        // What was in hand when nobody heard it any more is finished, and nothing else is begun.
        let done = so_many();
        assert!((after..after + IN_HAND).contains(&done), "{done} after {after}");
        let said = stage.heard.all().len();
        work_beside(&stage, tokio::time::sleep(LOOKS_AGAIN)).await;
        assert_eq!(so_many(), done, "it went on while nobody could hear it");
        assert!(!is_over(&stage) && stage.heard.all().len() == said);

        stage.heard.ail(None);
        work_beside(&stage, until(|| is_over(&stage))).await;
        is_done_once(&stage, &homeserver, &format!("mute after {after}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_nobody_hears_any_more_waits_also_after_a_new_start() {
    let (_server, homeserver, mut stage) = started().await;
    job(&stage).await;
    homeserver.mute_after(11, &stage);
    work_beside(&stage, until(|| homeserver.sent().len() >= 11)).await;
    let done = homeserver.sent().len();
    stage.start_again().await;
    work_beside(&stage, tokio::time::sleep(LOOKS_AGAIN)).await;
    assert_eq!(homeserver.sent().len(), done, "it went on while nobody could hear it");
    stage.heard.ail(None);
    work_beside(&stage, until(|| is_over(&stage))).await;
    is_done_once(&stage, &homeserver, "mute over a start");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sanction_that_ends_while_nobody_hears_it_waits_and_is_told_and_lifted_later() {
    let (_server, homeserver, stage) = started().await;
    stage.say("ann", "!user suspend @eve:synod.test --for 1h").await;
    stage.heard.ail(Some(Ailment::Unsigned));
    stage.clock.pass(3600);
    for _ in 0..20 {
        stage.pipeline.lift_due().await;
        stage.clock.pass(600);
    }
    assert_eq!(homeserver.sent()["@eve:synod.test"], 1, "it was lifted, and nobody could hear it");
    assert_eq!(stage.pipeline.sanctions.open().unwrap().len(), 1, "it was given up");

    stage.heard.ail(None);
    stage.pipeline.voice.backlog().say_all().await;
    assert_eq!(heard(&stage, "is due to end, and waits"), 1, "{:?}", stage.heard.all());
    assert_eq!(heard(&stage, "I did not lift it"), 0);
    stage.pipeline.lift_due().await;
    assert_eq!(homeserver.sent()["@eve:synod.test"], 2);
    assert_eq!(heard(&stage, "I undid it as planned"), 1, "{:?}", stage.heard.all());
    assert!(stage.pipeline.sanctions.open().unwrap().is_empty());
}
