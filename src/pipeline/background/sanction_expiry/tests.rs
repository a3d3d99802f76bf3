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

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_to_last_meanwhile_stays() {
    let synapse = Synapse::shared().await.unwrap();
    let api = synapse.admin();
    let sam = synapse.register("last-sam", "a horse", false, "sam").await.unwrap();
    let by_sam = synapse.api(&synapse.log_in(&sam).await.unwrap().0);
    let stage = Stage::set(&synapse.url(), api.token());
    let is_blocked = async |room: &str| {
        let path = format!("/_synapse/admin/v1/rooms/{room}/block");
        api.get(&path).await.unwrap().1["block"] == true
    };

    // A block of an hour, and then a deletion that blocks for good.
    let room = by_sam.post("/_matrix/client/v3/createRoom", json!({})).await.unwrap().1;
    let room = room["room_id"].as_str().unwrap().to_owned();
    stage.say("moe", &format!("!room block {room} --for 1h")).await;
    assert!(is_blocked(&room).await);
    stage.say("ann", &format!("!room delete {room} --block")).await;
    let here = ruma::room_id!("!admin:synod.test");
    let code = stage.pipeline.questions.open_in(here).unwrap().pop().unwrap().code;
    let end: String = {
        let part = room.split(':').next().unwrap();
        part.chars().skip(part.chars().count() - 6).collect()
    };
    stage.say("ann", &format!("!confirm {code} {end}")).await;
    assert!(
        stage.heard.all().last().unwrap().contains("no longer ends by itself"),
        "{:?}",
        stage.heard.all().last()
    );
    assert!(stage.pipeline.sanctions.open().unwrap().is_empty());
    stage.clock.pass(3601);
    stage.pipeline.lift_due().await;
    assert!(is_blocked(&room).await);

    // A suspension that somebody else ended, and that is then set again for good.
    stage.say("moe", &format!("!user suspend {} --for 1h", sam.user_id)).await;
    let path = format!("/_synapse/admin/v1/suspend/{}", sam.user_id);
    api.put(&path, json!({ "suspend": false })).await.unwrap();
    stage.say("moe", &format!("!user suspend {}", sam.user_id)).await;
    stage.clock.pass(3601);
    stage.pipeline.lift_due().await;
    assert!(is_suspended(&api, &sam.user_id).await);
}
