//! Accounts that are watched: what is new of them is told in a thread, until the watch ends.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::json;
use world::{Account, Api, Caught, Fault, Message, Scene};

use crate::{
    SYNOD,
    support::{api, code, is, make, says, watched},
    turning::{answered_in, in_thread},
};

/// Stops the bot at once and starts it again: it looks at the watched accounts at the start.
async fn killed(scene: &Scene) -> Result<()> {
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await
}

/// What the bot says in the thread that begins with this message, first to last.
fn told_in(scene: &Scene, first: &Message) -> Vec<Message> {
    let in_it = |message: &Message| {
        message.is_message()
            && message.sender == *scene.bot_id()
            && message.thread.as_ref() == Some(&first.event_id)
    };
    scene.ann().heard().into_iter().filter(in_it).collect()
}

/// What is said with these words in that thread; an account is looked at again after a minute.
async fn tells(scene: &Scene, first: &Message, words: &str) -> Result<Message> {
    let is_it = |message: &Message| {
        message.thread.as_ref() == Some(&first.event_id) && message.body.contains(words)
    };
    let last = Instant::now() + Duration::from_secs(80);
    loop {
        match scene.ann().wait_for(words, is_it).await {
            Err(_) if Instant::now() < last => {}
            found => {
                return found.with_context(|| {
                    scene.bot().map(|bot| bot.log().tail(40)).unwrap_or_default()
                });
            }
        }
    }
}

async fn join(by: &Api, room: &str) -> Result<()> {
    let (status, answer) = by.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?;
    ensure!(status == 200, "not joined: {answer}");
    Ok(())
}

async fn leave(by: &Api, room: &str) -> Result<()> {
    let path = format!("/_matrix/client/v3/rooms/{room}/leave");
    let (status, answer) = by.post(&path, json!({})).await?;
    ensure!(status == 200, "not left: {answer}");
    Ok(())
}

async fn report(by: &Api, user: &Account, why: &str) -> Result<()> {
    let path = format!("/_matrix/client/v3/users/{}/report", user.user_id);
    let (status, answer) = by.post(&path, json!({"reason": why})).await?;
    ensure!(status == 200, "not reported: {answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_of_a_watched_account_is_told_in_the_thread_once_over_kills() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    make(&by_eve, json!({"name": "Her own"})).await?;
    by_eve.upload(b"a cat".to_vec(), "image/png", "cat.png").await?;
    report(&by_sam, &eve, "from before").await?;

    let first = scene.ann_asks(&format!("!watch {}", eve.user_id)).await?;
    says(&first, "Done", &[eve.user_id.as_str(), "is watched until", "UTC"]);
    says(&first, "", &["Devices: 1", "Rooms: 1", "Files: 1", "End it: !watch end @eve"]);
    assert!(first.thread.is_none() && first.mentions.is_empty(), "{first}");
    says(&scene.ann_asks("!watch list").await?, "One account is watched", &["for @ann"]);
    let again = scene.ann_asks(&format!("!watch {} --for 3d", eve.user_id)).await?;
    says(&again, "Nothing changed", &["is watched already, until"]);

    // All of it while the bot is away.
    scene.bot()?.kill().await?;
    let (_, device) = scene.synapse().log_in(&eve).await?;
    let lobby = make(&by_sam, json!({"preset": "public_chat", "name": "The Lobby"})).await?;
    join(&by_eve, &lobby).await?;
    let file = by_eve.upload(vec![0; 2048], "image/png", "dog.png").await?;
    report(&by_sam, &eve, "she is rude").await?;
    scene.bot()?.start_again().await?;
    let news = tells(&scene, &first, "1 new device").await?;
    let title = "1 new device, joined 1 room, 1 new file, 1 new report about it";
    says(&news, "", &[eve.user_id.as_str(), title]);
    says(&news, "", &[&device, &lobby, "“The Lobby”", &file, "“dog.png”, 2.0 KiB"]);
    says(&news, "", &["Reported by: @sam", "as an account: “she is rude”"]);
    assert!(news.mentions.is_empty() && news.encrypted, "{news}");
    for private in ["127.0.0.1", "from before", "cat.png", "Her own"] {
        assert!(!news.raw.to_string().contains(private), "{private}: {news}");
    }

    // What was told is not told again, whatever is cut off.
    killed(&scene).await?;
    leave(&by_eve, &lobby).await?;
    killed(&scene).await?;
    let left = tells(&scene, &first, "left 1 room").await?;
    assert_eq!(
        left.body.lines().next(),
        Some(&*format!("{}: left 1 room", eve.user_id)),
        "and nothing else"
    );
    // And without a start in between.
    join(&by_eve, &lobby).await?;
    tells(&scene, &first, &format!("{}: joined 1 room", eve.user_id)).await?;
    let told = told_in(&scene, &first);
    assert_eq!(told.len(), 3, "{told:#?}");
    says(&scene.ann_asks("!audit list").await?, "", &["the account is watched until"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_by_itself_after_a_last_look_and_says_so() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let first = scene.ann_asks(&format!("!watch {} --for 12s", eve.user_id)).await?;
    says(&first, "Done", &["is watched until", "Devices: 0"]);
    let (_, device) = scene.synapse().log_in(&eve).await?;
    let over = tells(&scene, &first, "is not watched any more: its time is over").await?;
    assert!(!over.body.contains("may be missing"), "{over}");
    let told = told_in(&scene, &first);
    let [news, last] = told.as_slice() else { panic!("{told:#?}") };
    says(news, "", &["1 new device", &device]);
    assert_eq!(last.event_id, over.event_id);
    says(&scene.ann_asks("!watch list").await?, "No accounts are watched", &[]);
    let record = scene.ann_asks("!audit list").await?;
    says(&record, "", &["I: noted", "the account is not watched any more:"]);
    let again = scene.ann_asks(&format!("!watch {}", eve.user_id)).await?;
    says(&again, "Done", &["Devices: 1"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_is_begun_and_ended_by_those_who_may_and_knows_its_account() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, moe, vic) = (scene.ann(), scene.moe().await?, scene.vic().await?);
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    for (command, word, part) in [
        ("!watch @nobody", "Not found", "there is no account"),
        ("!watch @eve:elsewhere.example", "Refused", "only accounts of this server"),
        ("!watch end", "Not understood", "say whose watch ends"),
        ("!watch @eve @sam", "Not understood", "say which account"),
    ] {
        says(&scene.ann_asks(command).await?, word, &[part]);
    }
    let long = scene.ann_asks(&format!("!watch {} --for 31d", eve.user_id)).await?;
    says(&long, "Not understood", &["30 days at most"]);
    let none = scene.ann_asks(&format!("!watch end {}", eve.user_id)).await?;
    says(&none, "Not found", &["is not watched"]);

    // Whoever may look at accounts may watch one; another's watch is ended by those who moderate.
    let first = scene.ask(moe, &format!("!watch {}", eve.user_id)).await?;
    says(&first, "Done", &["is watched until"]);
    let by_vic = scene.ask(vic, &format!("!watch {}", sam.user_id)).await?;
    says(&by_vic, "Done", &["is watched until"]);
    let not = scene.ask(vic, &format!("!watch end {}", eve.user_id)).await?;
    says(&not, "Refused", &["moderator"]);
    says(&scene.ann_asks("!watch list").await?, "2 accounts are watched", &["for @moe"]);

    // In its thread a dot stands for the account, and a change by it is asked with the whole id.
    let dot = in_thread(&scene, moe, &first.event_id, "!user suspend .").await?;
    let question = answered_in(&scene, &first.event_id, &dot).await?;
    says(&question, "", &[eve.user_id.as_str(), "!confirm"]);
    ensure!(!is(&scene, &eve, "suspended").await?);
    code(&question)?;
    let end = in_thread(&scene, ann, &first.event_id, "!watch end").await?;
    let ended = answered_in(&scene, &first.event_id, &end).await?;
    says(&ended, "Done", &[eve.user_id.as_str(), "is not watched any more"]);

    // One that is ended elsewhere says so in its thread, by whom.
    let end = scene.ann_asks(&format!("!watch end {}", sam.user_id)).await?;
    says(&end, "Done", &[sam.user_id.as_str()]);
    let told = tells(&scene, &by_vic, "is not watched any more: it was ended by").await?;
    says(&told, "", &[ann.user_id().as_str()]);
    says(&scene.ann_asks("!watch list").await?, "No accounts are watched", &[]);
    let told = told_in(&scene, &first);
    assert!(told.iter().all(|message| !message.body.contains("it was ended")), "{told:#?}");

    // An account that is deactivated, here or elsewhere, is watched no more.
    let first = scene.ann_asks(&format!("!watch {}", eve.user_id)).await?;
    let path = format!("/_synapse/admin/v1/deactivate/{}", eve.user_id);
    let (status, answer) = scene.synapse().admin().post(&path, json!({})).await?;
    ensure!(status == 200, "{answer}");
    killed(&scene).await?;
    let over = tells(&scene, &first, "the account is deactivated").await?;
    assert_eq!(told_in(&scene, &first).len(), 1, "and not what it has lost: {over}");
    let again = scene.ann_asks(&format!("!watch {}", eve.user_id)).await?;
    says(&again, "Refused", &["is deactivated"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_homeserver_does_not_answer_is_no_news() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let mut rooms = Vec::new();
    for _ in 0..2 {
        rooms.push(make(&by_eve, json!({})).await?);
    }
    let first = scene.ann_asks(&format!("!watch {}", eve.user_id)).await?;
    says(&first, "Done", &["Rooms: 2"]);

    // Not of its rooms and devices, but of its files.
    let broken = || Fault::Answer(500, json!({"errcode": "M_UNKNOWN", "error": "broken"}));
    let faults = [
        proxy.every(Method::GET, "/joined_rooms", broken()),
        proxy.every(Method::GET, "/devices", broken()),
    ];
    by_eve.upload(b"a cat".to_vec(), "image/png", "cat.png").await?;
    killed(&scene).await?;
    let news = tells(&scene, &first, "1 new file").await?;
    assert_eq!(
        news.body.lines().next(),
        Some(&*format!("{}: 1 new file", eve.user_id)),
        "nothing of what was not answered"
    );
    faults.iter().for_each(Caught::lift);

    // Not of anything.
    let nothing = proxy.every(Method::GET, "/_synapse/admin/v2/users/", broken());
    leave(&by_eve, &rooms[0]).await?;
    killed(&scene).await?;
    nothing.reached().await?;
    nothing.lift();
    let left = tells(&scene, &first, "left 1 room").await?;
    says(&left, "", &[&rooms[0]]);
    assert_eq!(told_in(&scene, &first).len(), 2);
    Ok(())
}
