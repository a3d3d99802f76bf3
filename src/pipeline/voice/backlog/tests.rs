use super::*;
use crate::pipeline::testing::Stage;

/// Nothing answers there.
const NOWHERE: &str = "http://127.0.0.1:9";

async fn say_late(stage: &Stage) -> bool {
    stage.pipeline.voice.backlog().say_all().await == Round::WentOn
}

fn on_disk(stage: &Stage) -> String {
    format!("{:?}", Unsaids::new(&stage.pipeline.store).unwrap().all().unwrap())
}

#[tokio::test]
async fn what_was_refused_is_said_as_it_was_meant_in_order_and_once() {
    let stage = Stage::set(NOWHERE, "token");
    stage.heard.refuse(|_| true);
    stage.say("ann", "!note @eve:synod.test the first").await;
    stage.say("ann", "!note list").await;
    // Nothing overtakes what waits, also where it would get through.
    stage.heard.refuse(|_| false);
    stage.say("moe", "!note @eve:synod.test the third").await;
    assert_eq!(stage.heard.all(), Vec::<String>::new());
    assert!(say_late(&stage).await);
    let said = stage.heard.all();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].starts_with("Done") || said[0].starts_with("**Done"), "{said:?}");
    assert!(said[1].contains("the first"), "the look comes second: {said:?}");
    assert!(said.iter().all(|one| !one.contains("late and shortened")), "{said:?}");
    assert!(!say_late(&stage).await);
    stage.say("ann", "!me").await;
    assert_eq!(stage.heard.all().len(), 4, "what comes now is said at once");
}

#[tokio::test]
async fn what_was_refused_outlives_the_process_but_looks_do_not() {
    let mut stage = Stage::set(NOWHERE, "token");
    stage.heard.refuse(|_| true);
    stage.say("ann", "!freeze").await;
    stage.say("ann", "!note list").await;
    stage.say("moe", "!user password @eve:synod.test").await;
    stage.start_again().await;
    stage.start_again().await;
    assert!(!say_late(&stage).await);
    stage.heard.refuse(|_| false);
    assert!(say_late(&stage).await);
    let said = stage.heard.all();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("Done") && said[0].contains("frozen"), "{said:?}");
    assert!(said[1].contains("Refused"), "{said:?}");
    assert!(said.iter().all(|one| one.contains("late and shortened")), "{said:?}");
    stage.start_again().await;
    assert!(!say_late(&stage).await);
    assert_eq!(stage.heard.all().len(), 2, "it is said twice");
}

#[tokio::test]
async fn what_is_refused_for_its_length_is_said_in_short() {
    let stage = Stage::set(NOWHERE, "token");
    stage.heard.refuse(|text| text.len() > 300);
    stage.say("ann", "!help").await;
    assert!(say_late(&stage).await);
    let said = stage.heard.all();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("late and shortened"), "{said:?}");
}

#[tokio::test]
async fn what_never_gets_through_holds_up_nothing_for_ever() {
    let stage = Stage::set(NOWHERE, "token");
    stage.heard.refuse(|text| text.contains("@eve"));
    stage.say("ann", "!note @eve:synod.test has been warned").await;
    for _ in 0..REFUSED {
        assert!(!say_late(&stage).await);
    }
    stage.say("ann", "!me").await;
    assert!(say_late(&stage).await);
    assert_eq!(stage.heard.all().len(), 1, "it goes first");
    stage.say("ann", "!me").await;
    assert_eq!(stage.heard.all().len(), 2, "and from then on nothing waits for the other one");
    assert!(on_disk(&stage).contains("Done"), "which is not given up");
}

#[tokio::test]
async fn while_everything_is_refused_nothing_loses_its_place() {
    let stage = Stage::set(NOWHERE, "token");
    stage.heard.refuse(|_| true);
    for text in ["one", "two", "three", "four"] {
        stage.say("ann", &format!("!note @eve:synod.test {text}")).await;
    }
    for _ in 0..3 * REFUSED {
        assert!(!say_late(&stage).await);
    }
    stage.heard.refuse(|_| false);
    assert!(say_late(&stage).await);
    assert_eq!(stage.heard.all().len(), 4);
}

#[tokio::test]
async fn a_stop_and_a_freeze_are_heard_before_what_waits() {
    let stage = Stage::set(NOWHERE, "token");
    stage.heard.refuse(|_| true);
    stage.say("ann", "!note @eve:synod.test has been warned").await;
    stage.say("ann", "!freeze").await;
    stage.heard.refuse(|_| false);
    stage.say("ann", "!stop").await;
    assert!(say_late(&stage).await);
    let said = stage.heard.all();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].contains("no question was open"), "{said:?}");
    assert!(said[1].contains("frozen"), "{said:?}");
}

#[tokio::test]
async fn nothing_that_somebody_typed_in_the_wrong_place_is_written_down() {
    let stage = Stage::set(NOWHERE, "token");
    stage.heard.refuse(|_| true);
    for typed in [
        "!user password @eve:synod.test hunter2",
        "!user passwort @eve:synod.test hunter2",
        "!user list hunter2",
        "!note list hunter2",
        "!user suspend hunter2 --password hunter2",
        "!confirm hunter2",
    ] {
        stage.say("ann", typed).await;
    }
    let kept = on_disk(&stage);
    assert!(kept.contains("Refused") && !kept.contains("hunter2"), "{kept}");
}

#[tokio::test]
async fn what_is_kept_has_a_bound_and_what_is_left_out_is_told() {
    let stage = Stage::set(NOWHERE, "token");
    stage.heard.refuse(|_| true);
    for _ in 0..MOST + 20 {
        stage.say("ann", "!note @eve:synod.test has been warned").await;
    }
    let unsaid = Unsaids::new(&stage.pipeline.store).unwrap().all().unwrap();
    assert_eq!(unsaid.len(), MOST + 1);
    stage.heard.refuse(|_| false);
    assert!(say_late(&stage).await);
    let said = stage.heard.all();
    assert!(said.last().is_some_and(|last| last.contains("Too many of my messages")), "{said:?}");
    assert_eq!(said.len(), MOST + 1);
}
