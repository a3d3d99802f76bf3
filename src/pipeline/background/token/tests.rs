//! The admin token ends, in each of the ways in which it can.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{
    clock::Clock,
    pipeline::background::testing::{
        REFUSALS, heard, is_done_once, is_over, job, started, until, work_beside,
    },
    pipeline::testing::Stage,
};

fn is_refused(stage: &Stage) -> bool {
    stage.pipeline.reader.token().refused().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_for_a_token_and_does_the_rest() {
    for refusal in REFUSALS {
        let (_server, homeserver, stage) = started().await;
        job(&stage).await;
        homeserver.end_after(11, refusal);
        let ends_and_is_taken_again = async {
            until(|| is_refused(&stage)).await;
            stage.pipeline.watch_token().await;
            stage.pipeline.watch_token().await;
            assert_eq!(heard(&stage, refusal.3), 1, "{refusal:?}: {:?}", stage.heard.all());
            stage.clock.pass(6);
            stage.pipeline.watch_token().await;
            assert!(is_refused(&stage) && !is_over(&stage), "{refusal:?}");
            homeserver.take_again();
            stage.clock.pass(6);
            stage.pipeline.watch_token().await;
            assert_eq!(heard(&stage, "accepts my admin token again"), 1, "{refusal:?}");
            // What was in hand meanwhile may only now hear that it was refused.
            while !is_over(&stage) {
                if is_refused(&stage) {
                    stage.clock.pass(6);
                    stage.pipeline.watch_token().await;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        Box::pin(work_beside(&stage, ends_and_is_taken_again)).await;
        is_done_once(&stage, &homeserver, refusal.3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_for_a_token_goes_on_after_a_new_start() {
    for changes in [0, 1, 8, 20] {
        let (_server, homeserver, mut stage) = started().await;
        job(&stage).await;
        homeserver.end_after(changes, REFUSALS[0]);
        work_beside(&stage, until(|| is_refused(&stage))).await;
        // As after a reload: all of the bot but its store is made anew.
        homeserver.take_again();
        stage.start_again().await;
        work_beside(&stage, until(|| is_over(&stage))).await;
        is_done_once(&stage, &homeserver, &format!("after {changes}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sanction_waits_for_a_token_and_is_lifted() {
    for refusal in REFUSALS {
        let (_server, homeserver, stage) = started().await;
        stage.say("ann", "!user suspend @eve:synod.test --for 1h").await;
        stage.clock.pass(3600);
        homeserver.end_after(0, refusal);
        for _ in 0..20 {
            stage.pipeline.lift_due().await;
            stage.clock.pass(600);
        }
        assert_eq!(heard(&stage, "and waits"), 1, "{:?}", stage.heard.all());
        assert_eq!(heard(&stage, "I did not lift it"), 0);
        homeserver.take_again();
        stage.pipeline.watch_token().await;
        stage.clock.pass(61);
        stage.pipeline.watch_token().await;
        assert!(!is_refused(&stage), "{refusal:?}");
        stage.pipeline.lift_due().await;
        assert_eq!(heard(&stage, "I undid it as planned"), 1, "{:?}", stage.heard.all());
        assert_eq!(homeserver.sent()["@eve:synod.test"], 2);
        assert!(stage.pipeline.sanctions.open().unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_rooms_hear_of_it_without_anybody_asking() {
    let (_server, homeserver, stage) = started().await;
    homeserver.end_after(0, REFUSALS[1]);
    stage.clock.pass(59);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "admin token"), 0, "it is asked once a minute");
    stage.clock.pass(2);
    for _ in 0..5 {
        stage.pipeline.watch_token().await;
    }
    assert_eq!(heard(&stage, "it was logged out"), 1, "{:?}", stage.heard.all());
    assert_eq!(heard(&stage, "!config reload"), 1);
    // A token that comes and goes is no reason to say so again and again.
    for _ in 0..10 {
        homeserver.take_again();
        stage.clock.pass(6);
        stage.pipeline.watch_token().await;
        homeserver.end_after(0, REFUSALS[1]);
        stage.clock.pass(61);
        stage.pipeline.watch_token().await;
    }
    assert!(stage.heard.all().len() <= 4, "{:?}", stage.heard.all());
}

#[tokio::test]
async fn a_single_command_says_what_happened_and_what_to_do() {
    for refusal in REFUSALS {
        let (_server, homeserver, stage) = started().await;
        homeserver.end_after(0, refusal);
        for command in ["!user details @eve:synod.test", "!user suspend @eve:synod.test"] {
            stage.say("ann", command).await;
            let said = stage.heard.all().pop().unwrap();
            assert!(said.contains("Failed") && said.contains(refusal.3), "{command}: {said}");
            assert!(said.contains("whoever runs the bot"), "{command}: {said}");
        }
        assert!(homeserver.sent().is_empty());
    }
}

#[tokio::test]
async fn how_long_a_token_lives_is_learned_from_the_one_before() {
    let (_server, homeserver, stage) = started().await;
    stage.clock.pass(86_400);
    homeserver.end_after(0, REFUSALS[0]);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "admin token has expired"), 1, "{:?}", stage.heard.all());
    assert_eq!(heard(&stage, "may expire"), 0);
    homeserver.take_again();

    // Another token, a day of which nobody hears of it until a tenth of it is left.
    let stage = stage.with_token("another");
    let doctor = async |all: &str| {
        stage.say("ann", &format!("!doctor{all}")).await;
        stage.heard.all().pop().unwrap()
    };
    stage.clock.pass(70_000);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "My admin token may expire"), 0);
    let said = doctor(" --all").await.replace('\\', "");
    assert!(said.contains("may expire at 1970-01-03 00:00 UTC"), "{said}");
    stage.clock.pass(8_000);
    for _ in 0..3 {
        stage.pipeline.watch_token().await;
        stage.clock.pass(61);
    }
    assert_eq!(heard(&stage, "My admin token may expire"), 1, "{:?}", stage.heard.all());
    assert!(doctor("").await.contains("Could be better"), "{}", doctor("").await);
}

#[tokio::test]
async fn a_date_in_the_config_is_told_a_day_before_and_asked_after_at_once() {
    let (_server, homeserver, stage) = started().await;
    let start = Clock::now(stage.clock.as_ref());
    let ends = start + SignedDuration::from_hours(72);
    let stage = stage.with_token_that_expires(ends);
    let doctor = async |all: &str| {
        stage.say("ann", &format!("!doctor{all}")).await;
        stage.heard.all().pop().unwrap().replace('\\', "")
    };
    let told = "My admin token expires at 1970-01-04 00:00 UTC, according to my config";
    stage.clock.pass(47 * 3600);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "My admin token"), 0, "a day and an hour before");
    assert!(doctor(" --all").await.contains("the admin token expires at 1970-01-04 00:00 UTC"));
    assert!(!doctor("").await.contains("the admin token"), "{}", doctor("").await);
    stage.clock.pass(2 * 3600);
    for _ in 0..3 {
        stage.pipeline.watch_token().await;
        stage.clock.pass(61);
    }
    assert_eq!(heard(&stage, told), 1, "{:?}", stage.heard.all());
    assert_eq!(heard(&stage, "!config reload"), 1);
    assert!(doctor("").await.contains("Could be better"), "{}", doctor("").await);

    // Another date for the same token is told too, and the same one is not told again.
    let stage = stage.with_token_that_expires(ends);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "My admin token expires"), 1);
    let stage = stage.with_token_that_expires(ends + SignedDuration::from_mins(5));
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "My admin token expires at 1970-01-04 00:05 UTC"), 1);

    // It is asked at that moment, not within the minute after it.
    let end = ends + SignedDuration::from_mins(5);
    stage.clock.pass(end.duration_since(Clock::now(stage.clock.as_ref())).as_secs() - 2);
    stage.pipeline.watch_token().await;
    homeserver.end_after(0, REFUSALS[0]);
    stage.clock.pass(1);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "admin token has expired"), 0);
    stage.clock.pass(1);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "admin token has expired"), 1, "{:?}", stage.heard.all());
}

#[tokio::test]
async fn how_long_a_token_lives_is_learned_from_what_the_bot_was_told_at_its_own_login() {
    let (_server, _homeserver, stage) = started().await;
    stage.pipeline.learn_token_life(SignedDuration::from_hours(240));
    stage.clock.pass(215 * 3600);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "My admin token"), 0, "more than a tenth is left");
    stage.say("ann", "!doctor --all").await;
    let said = stage.heard.all().pop().unwrap().replace('\\', "");
    let known = "may expire at 1970-01-11 00:00 UTC, since tokens on this homeserver last";
    assert!(said.contains(known), "{said}");
    stage.clock.pass(2 * 3600);
    stage.pipeline.watch_token().await;
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "like other tokens on this homeserver"), 1, "{:?}", stage.heard.all());

    // It lives longer, so it is none of those that end.
    stage.clock.pass(48 * 3600);
    stage.say("ann", "!doctor --all").await;
    let said = stage.heard.all().pop().unwrap();
    assert!(!said.contains("may expire"), "{said}");
}

#[tokio::test]
async fn one_that_was_logged_out_says_nothing_of_how_long_another_lives() {
    let (_server, homeserver, stage) = started().await;
    stage.clock.pass(3600);
    homeserver.end_after(0, REFUSALS[1]);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "it was logged out"), 1);
    homeserver.take_again();
    let stage = stage.with_token("another");
    stage.clock.pass(3600);
    stage.pipeline.watch_token().await;
    assert_eq!(heard(&stage, "may expire"), 0);
}
