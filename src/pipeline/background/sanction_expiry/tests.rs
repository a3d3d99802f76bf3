use ruma::UserId;
use serde_json::json;
use world::{Api, Fault, Proxy, Synapse};

use crate::pipeline::{background::sanction_expiry::*, testing::Stage};

async fn is_suspended(api: &Api, user: &UserId) -> bool {
    api.account(user).await.unwrap()["suspended"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_lifted_is_tried_again_and_then_left_to_the_operators() {
    let synapse = Synapse::shared().await.unwrap();
    let proxy = Proxy::start(&synapse.url()).await.unwrap();
    let (api, eve) = (synapse.admin(), synapse.register("lift-eve", "a horse", false, "eve").await);
    let eve = eve.unwrap().user_id;
    let stage = Stage::set(proxy.url(), api.token());
    stage.say("moe", &format!("!user suspend {eve} --for 1h")).await;
    assert!(is_suspended(&api, &eve).await);
    let [sanction] = stage.pipeline.sanctions.open().unwrap().try_into().unwrap();
    let heard = |words: &str| stage.heard.all().iter().filter(|said| said.contains(words)).count();

    stage.clock.pass(3600);
    for (tries, wait) in (1..).zip(AGAIN) {
        let refusal = json!({ "errcode": "M_UNKNOWN", "error": "not now" });
        proxy.next(reqwest::Method::PUT, "/suspend/", Fault::Answer(400, refusal));
        let before = proxy.changes().len();
        stage.pipeline.lift_due().await;
        // It is not due again before its time.
        stage.pipeline.lift_due().await;
        assert_eq!(proxy.changes().len(), before + 1, "try {tries}");
        let kept = stage.pipeline.sanctions.again(&sanction).unwrap().unwrap();
        assert_eq!((kept.tries, kept.state), (tries, State::Running));
        assert_eq!(heard("I try again at"), 1, "told the first time");
        stage.clock.pass(wait.as_secs());
    }
    let refusal = json!({ "errcode": "M_UNKNOWN", "error": "not now" });
    proxy.next(reqwest::Method::PUT, "/suspend/", Fault::Answer(400, refusal));
    stage.pipeline.lift_due().await;
    assert_eq!(heard("it failed too often"), 1);
    assert!(is_suspended(&api, &eve).await);
    let sent = proxy.changes().len();
    stage.clock.pass(86_400);
    stage.pipeline.lift_due().await;
    assert_eq!(proxy.changes().len(), sent, "nobody tries any more");
    assert!(stage.pipeline.audit.left_open().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lift_that_failed_once_is_done_at_its_next_try() {
    let synapse = Synapse::shared().await.unwrap();
    let proxy = Proxy::start(&synapse.url()).await.unwrap();
    let (api, sam) = (synapse.admin(), synapse.register("lift-sam", "a horse", false, "sam").await);
    let sam = sam.unwrap().user_id;
    let stage = Stage::set(proxy.url(), api.token());
    stage.say("moe", &format!("!user suspend {sam} --for 1h")).await;
    stage.clock.pass(3600);
    let refusal = json!({ "errcode": "M_UNKNOWN", "error": "not now" });
    proxy.next(reqwest::Method::PUT, "/suspend/", Fault::Answer(400, refusal));
    stage.pipeline.lift_due().await;
    assert!(is_suspended(&api, &sam).await);
    stage.clock.pass(20);
    stage.pipeline.lift_due().await;
    assert!(!is_suspended(&api, &sam).await);
    assert!(stage.pipeline.sanctions.open().unwrap().is_empty());
    assert!(stage.heard.all().last().unwrap().contains("I undid it as planned"));
}
