//! What can be done in the thread of a case, and what is said there later.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use world::{Api, Message, Proxy, Scene};

use crate::{
    SYNOD,
    desk::{asks_in, desk, own_homeserver, report, report_account, shows, thread_about, watching},
    events::send,
    support::{api, code, make, says},
};

/// A room that one account made and another has joined.
async fn shared(by: &Api, with: &Api) -> Result<String> {
    let room = make(by, json!({"preset": "public_chat"})).await?;
    let (status, answer) = with.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?;
    anyhow::ensure!(status == 200, "{answer}");
    Ok(room)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dot_is_the_one_event_and_the_one_room_of_the_case() -> Result<()> {
    let scene = desk().await?;
    let ann = scene.ann();
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let room = shared(&by_eve, &by_sam).await?;
    let event = send(&by_eve, &room, "buy my gold").await?;
    let mark = ann.mark();
    report(&by_sam, &room, &event, "spam").await?;
    let thread = thread_about(&scene, &eve, mark).await?;

    let question = asks_in(&scene, ann, &thread, "!event redact .").await?;
    says(&question, "", &[&event, eve.user_id.as_str(), &room]);
    let path = format!("/_matrix/client/v3/rooms/{room}/event/{event}");
    let body =
        async || -> Result<Value> { Ok(by_sam.get(&path).await?.1["content"]["body"].clone()) };
    assert_eq!(body().await?, "buy my gold");
    let given = question.body.lines().find_map(|line| line.split("!confirm ").nth(1));
    let given = given.context("how to say yes")?.replace("\u{2060}", "");
    says(&asks_in(&scene, ann, &thread, &format!("!confirm {given}")).await?, "Done", &[&event]);
    assert_eq!(body().await?, Value::Null);
    shows(&scene, &thread, "acted: #").await?;

    let question = asks_in(&scene, ann, &thread, "!room block .").await?;
    says(&question, "", &[&room, "!confirm"]);
    asks_in(&scene, ann, &thread, &format!("!deny {}", code(&question)?)).await?;

    // Where the reports are about two events, a dot is none of them.
    let other = send(&by_eve, &room, "and silver").await?;
    report(&by_sam, &room, &other, "spam too").await?;
    shows(&scene, &thread, "was reported 2 times").await?;
    let none = asks_in(&scene, ann, &thread, "!event redact .").await?;
    assert!(!none.body.contains("!confirm") && !none.body.contains(&other), "{none}");
    Ok(())
}

/// Whether a file is in quarantine, as the homeserver has it.
async fn is_quarantined(scene: &Scene, mxc: &str) -> Result<bool> {
    let id = mxc.trim_start_matches("mxc://");
    let path = format!("/_synapse/admin/v1/media/{id}");
    let info = scene.synapse().admin().get(&path).await?.1["media_info"].clone();
    Ok(!info["quarantined_by"].is_null())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dot_is_the_media_of_the_event_and_the_account_whose_media_it_is() -> Result<()> {
    let scene = desk().await?;
    let ann = scene.ann();
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let room = shared(&by_eve, &by_sam).await?;
    let file = by_eve.upload(b"a bad picture".to_vec(), "image/png", "bad.png").await?;
    let other = by_eve.upload(b"another one".to_vec(), "image/png", "other.png").await?;
    let picture = json!({"msgtype": "m.image", "body": other, "url": file});
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/picture");
    let event = by_eve.put(&path, picture).await?.1["event_id"].clone();
    let event = event.as_str().context("it is sent")?;
    let mark = ann.mark();
    report(&by_sam, &room, event, "it is vile").await?;
    let thread = thread_about(&scene, &eve, mark).await?;

    // A server can put a message into a thread: so it is asked, with the address of the file.
    let question = asks_in(&scene, ann, &thread, "!media quarantine .").await?;
    says(&question, "Quarantine ", &[&file, "bad.png", eve.user_id.as_str(), "!confirm"]);
    assert!(!question.body.contains(&other), "what is only mentioned is no file of it: {question}");
    assert!(!is_quarantined(&scene, &file).await?);
    let given = question.body.lines().find_map(|line| line.split("!confirm ").nth(1));
    let given = given.context("how to say yes")?.replace('\u{2060}', "");
    says(&asks_in(&scene, ann, &thread, &format!("!confirm {given}")).await?, "Done", &[&file]);
    assert!(is_quarantined(&scene, &file).await? && !is_quarantined(&scene, &other).await?);

    // All that the account has, and the same by the id of the event outside the thread.
    let all = asks_in(&scene, ann, &thread, "!media quarantine --user-id .").await?;
    says(&all, "", &[&other, "!confirm"]);
    says(&asks_in(&scene, ann, &thread, "!media list --user-id .").await?, "", &["2 files"]);
    says(&asks_in(&scene, ann, &thread, "!user media .").await?, "", &["2 files"]);
    let typed = scene.ann_asks(&format!("!media unquarantine {event}")).await?;
    says(&typed, "Take ", &[&file, "out of quarantine", "!confirm"]);
    let none = scene.ann_asks(&format!("!media protect {event}")).await?;
    says(&none, "Not understood", &["name the files themselves"]);
    let silent = send(&by_eve, &room, "see the picture above").await?;
    let none = scene.ann_asks(&format!("!media quarantine {silent}")).await?;
    says(&none, "Nothing changed", &["has no file"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_off_comes_back_to_whoever_has_claimed_it() -> Result<()> {
    let scene = desk().await?;
    let (ann, moe) = (scene.ann(), scene.moe().await?);
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let by_sam = api(&scene, &sam).await?;
    let mark = ann.mark();
    report_account(&by_sam, &eve, "rude").await?;
    let thread = thread_about(&scene, &eve, mark).await?;
    says(&asks_in(&scene, moe, &thread, "claim").await?, "Done", &["claimed"]);
    says(&asks_in(&scene, moe, &thread, "snooze 3s").await?, "Done", &["put off until"]);
    let back = |message: &Message| {
        message.thread.as_ref() == Some(&thread.event_id)
            && message.body.contains("has waited long enough")
    };
    let told = ann.wait_for_since(mark, "that it is back", back).await?;
    assert_eq!(told.mentions, std::slice::from_ref(&scene.accounts()[0].user_id), "{told}");
    shows(&scene, &thread, "State: claimed by @moe").await?;
    Ok(())
}

/// For how long the desk is looked at to which nothing comes, in seconds: `tests/long.sh --idle` looks until
/// it is idle, and for three minutes then.
const UNTIL_IDLE: u64 = 420;

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_to_which_nothing_comes_asks_ever_more_rarely() -> Result<()> {
    let seconds = match std::env::var("SYNOD_IDLE") {
        Ok(_) => UNTIL_IDLE,
        Err(_) => 30,
    };
    let synapse = own_homeserver().await?;
    let proxy = Proxy::start(&synapse.url()).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    let config = watching(scene.config()).set("homeserver.admin_url", proxy.url());
    scene.start_bot(SYNOD, &config).await?;
    let asked = || proxy.requests().iter().filter(|sent| sent.path.contains("_reports")).count();
    let begun = Instant::now();
    // When the homeserver was asked.
    let mut times: Vec<Duration> = Vec::new();
    while begun.elapsed() < Duration::from_secs(seconds) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        times.resize(asked(), begun.elapsed());
    }
    println!("asked {} times: {times:?}", times.len());
    let within = |from: u64, to: u64| {
        let span = Duration::from_secs(from)..Duration::from_secs(to);
        times.iter().filter(|at| span.contains(*at)).count()
    };
    // Each look is at two lists, the first at one more, and the pauses grow: 6, 9, 13 seconds. With a pause of 4
    // it would ask 16 times.
    assert!((1..=10).contains(&within(0, 30)), "{times:?}");
    if seconds == UNTIL_IDLE {
        let idle = within(240, UNTIL_IDLE);
        assert!((1..=3).contains(&idle), "{idle} requests in three minutes: {times:?}");
    }
    Ok(())
}
