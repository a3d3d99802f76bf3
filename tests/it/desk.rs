//! Reports that come to the room by themselves, and what becomes of them there.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use world::{Account, Api, Config, Message, Options, Person, Scene, Synapse};

use crate::{
    SYNOD,
    events::{redact, send},
    support::{api, code, is, make, says},
    turning::{answered_in, in_thread},
};

/// A homeserver of its own: on the shared one others report things too.
pub(crate) async fn own_homeserver() -> Result<Synapse> {
    Synapse::start(Options::default()).await
}

pub(crate) fn watching(config: Config) -> Config {
    config.set("reports.watch", true)
}

/// A desk on a homeserver of its own.
pub(crate) async fn desk() -> Result<Scene> {
    Scene::plan().on(&own_homeserver().await?).start_with(SYNOD, watching).await
}

/// Reports an event.
pub(crate) async fn report(by: &Api, room: &str, event: &str, why: &str) -> Result<()> {
    let path = format!("/_matrix/client/v3/rooms/{room}/report/{event}");
    let (status, answer) = by.post(&path, json!({"reason": why})).await?;
    ensure!(status == 200, "not reported: {answer}");
    Ok(())
}

/// Reports an account.
pub(crate) async fn report_account(by: &Api, user: &Account, why: &str) -> Result<()> {
    let path = format!("/_matrix/client/v3/users/{}/report", user.user_id);
    let (status, answer) = by.post(&path, json!({"reason": why})).await?;
    ensure!(status == 200, "not reported: {answer}");
    Ok(())
}

/// The first message of the thread about this account.
pub(crate) async fn thread_about(scene: &Scene, user: &Account, mark: usize) -> Result<Message> {
    let begins = format!("{} was reported", user.user_id);
    let of_bot = |message: &Message| {
        message.is_message()
            && message.sender == *scene.bot_id()
            && message.thread.is_none()
            && message.body.lines().next().is_some_and(|line| line.contains(&begins))
    };
    let told = scene.ann().wait_for_since(mark, "the thread of a case", of_bot).await;
    told.with_context(|| scene.bot().map(|bot| bot.log().tail(40)).unwrap_or_default())
}

/// The first message of a thread, or the edit of it, that shows this.
pub(crate) async fn shows(scene: &Scene, root: &Message, part: &str) -> Result<Message> {
    if root.body.contains(part) {
        return Ok(root.clone());
    }
    // A thread that was told of something a moment ago is left alone for a while.
    let shows = |message: &Message| message.body.contains(part);
    let last = Instant::now() + Duration::from_mins(1);
    loop {
        match scene.ann().edit_of(&root.event_id, shows).await {
            Err(_) if Instant::now() < last => {}
            found => return found.with_context(|| part.to_owned()),
        }
    }
}

/// Says something in a thread, and waits for the answer there.
pub(crate) async fn asks_in(
    scene: &Scene,
    who: &Person,
    root: &Message,
    text: &str,
) -> Result<Message> {
    let event = in_thread(scene, who, &root.event_id, text).await?;
    answered_in(scene, &root.event_id, &event).await.with_context(|| text.to_owned())
}

/// Whether the accused and those who report stand where each belongs, in every line.
fn is_never_confused(message: &Message, accused: &Account, reporters: &[&Account]) {
    for line in message.body.lines() {
        let names = |account: &&Account| {
            line.contains(account.user_id.as_str())
                || line.contains(&account.user_id.localpart().to_owned())
        };
        if line.starts_with("Accused") || line.starts_with("Case") {
            assert!(!reporters.iter().any(names), "{line}");
        }
        if line.starts_with("Reported by") {
            assert!(!names(&accused), "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_opens_a_thread_that_leads_to_the_act_and_to_its_end() -> Result<()> {
    let scene = desk().await?;
    let (ann, moe) = (scene.ann(), scene.moe().await?);
    let eve = scene.subject("eve").await?;
    let (sam, tom) = (scene.subject("sam").await?, scene.subject("tom").await?);
    let (by_eve, by_sam, by_tom) =
        (api(&scene, &eve).await?, api(&scene, &sam).await?, api(&scene, &tom).await?);
    let room = make(&by_eve, json!({"preset": "public_chat", "name": "The Lobby"})).await?;
    for member in [&by_sam, &by_tom] {
        member.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?;
    }
    let event = send(&by_eve, &room, "buy my gold").await?;
    let mark = ann.mark();
    report(&by_sam, &room, &event, "it is spam").await?;

    let thread = thread_about(&scene, &eve, mark).await?;
    says(&thread, "", &["Case 1: ", "State: new", "it is spam", "The Lobby", &room, &event]);
    says(&thread, "", &["Accused: ", "Reported by: ", "created "]);
    is_never_confused(&thread, &eve, &[&sam, &tom]);
    assert_eq!((thread.msgtype.as_str(), thread.mentions.len()), ("m.text", 0), "{thread}");
    // One of the operators may not look at private things, so it is not shown to all of them.
    assert!(!thread.body.contains("gold") && !thread.raw.to_string().contains("gold"), "{thread}");
    says(&thread, "", &["!report details ", " --show-content"]);

    report_account(&by_tom, &eve, "rude").await?;
    let further = |message: &Message| {
        message.thread.as_ref() == Some(&thread.event_id) && message.body.contains("1 more report")
    };
    let told = ann.wait_for_since(mark, "the second report in the thread", further).await?;
    is_never_confused(&told, &eve, &[&sam, &tom]);
    says(&told, "", &["rude", tom.user_id.localpart()]);
    let edited = shows(&scene, &thread, "was reported 2 times").await?;
    is_never_confused(&edited, &eve, &[&sam, &tom]);

    let claimed = asks_in(&scene, moe, &thread, "claim").await?;
    says(&claimed, "Done", &["Case 1", "claimed"]);
    shows(&scene, &thread, "State: claimed by @moe").await?;
    let second = asks_in(&scene, ann, &thread, "!claim").await?;
    says(&second, "Nothing changed", &["claimed first by", "@moe", "!case claim 1 --over"]);

    // A server can put a message into a thread: so it is asked, with the whole id.
    let question = asks_in(&scene, moe, &thread, "!user suspend . --for 12h").await?;
    says(&question, "", &[eve.user_id.as_str(), "!confirm"]);
    assert!(!is(&scene, &eve, "suspended").await?);
    let yes = format!("!confirm {} {}", code(&question)?, eve.user_id.localpart());
    says(&asks_in(&scene, moe, &thread, &yes).await?, "Done", &[eve.user_id.as_str()]);
    assert!(is(&scene, &eve, "suspended").await?);
    let acted = shows(&scene, &thread, "acted: #").await?;
    says(&acted, "", &["suspended"]);

    let talk = in_thread(&scene, ann, &thread.event_id, "close to midnight, he said").await?;
    scene.unanswered(&talk).await?;
    let closed = asks_in(&scene, moe, &thread, "close: spam, suspended").await?;
    says(&closed, "Done", &["closed", "!report dismiss ", " --users"]);
    shows(&scene, &thread, "State: closed by @moe").await?;
    let late = asks_in(&scene, ann, &thread, "claim").await?;
    says(&late, "Nothing changed", &["was closed by", "!case reopen 1"]);

    // What comes after that is another case, which tells of the first.
    let mark = ann.mark();
    report_account(&by_sam, &eve, "again").await?;
    let next = thread_about(&scene, &eve, mark).await?;
    says(&next, "", &["Case 2: ", "Before: ", "suspended by", "case 1, closed"]);
    let reopened = scene.ann_asks("!case reopen 1").await?;
    says(&reopened, "Nothing changed", &["case 2 is open, about the same accused"]);
    let list = scene.ann_asks("!report list --open").await?;
    says(&list, "One open case", &["1 new", eve.user_id.as_str()]);
    says(&scene.ann_asks("!case list --all").await?, "2 cases", &["1 new, 1 closed"]);
    says(&scene.ann_asks("!report stats").await?, "Cases since ", &["Reports: 3", "Closed: 1"]);
    let mine = scene.ask(moe, "!case list --mine --all").await?;
    says(&mine, "One case", &["1 closed"]);
    says(&scene.ask(scene.vic().await?, "!claim 2").await?, "Refused", &["moderator"]);
    says(&scene.ann_asks("!claim 9").await?, "Not found", &["there is no case 9"]);
    says(&scene.ann_asks("!claim").await?, "Not understood", &["say which case"]);
    says(&scene.ann_asks("!audit list").await?, "", &["case 1 was closed"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_claim_close_and_put_off_and_say_nothing_else() -> Result<()> {
    let scene = desk().await?;
    let (ann, moe, room) = (scene.ann(), scene.moe().await?, scene.room());
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let mark = ann.mark();
    report_account(&api(&scene, &sam).await?, &eve, "rude").await?;
    let thread = thread_about(&scene, &eve, mark).await?;
    ann.reaction_to(&thread.event_id, "👀").await?;
    let claim = moe.react(room, &thread.event_id, "👀").await?;
    shows(&scene, &thread, "State: claimed by @moe").await?;
    scene.unanswered(&claim).await?;
    let other = ann.react(room, &thread.event_id, "👀").await?;
    let first = scene.answer(ann, &other).await?;
    says(&first, "Nothing changed", &["claimed first by", "@moe"]);
    moe.react(room, &thread.event_id, "💤").await?;
    shows(&scene, &thread, "State: waiting until ").await?;
    let viewer = scene.vic().await?.react(room, &thread.event_id, "✅").await?;
    says(&scene.answer(ann, &viewer).await?, "Refused", &["moderator"]);
    moe.react(room, &thread.event_id, "❌").await?;
    shows(&scene, &thread, "State: dismissed by @moe").await?;
    says(&scene.ann_asks("!case reopen 1").await?, "Done", &["opened again"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_told_twice_over_kills_and_a_storm() -> Result<()> {
    let scene = desk().await?;
    let ann = scene.ann();
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let room = make(&by_eve, json!({"preset": "public_chat"})).await?;
    let mut events = Vec::new();
    for n in 0..10 {
        events.push(send(&by_eve, &room, &format!("buy my gold {n}")).await?);
    }
    let mut puppets = Vec::new();
    for n in 0..20 {
        let puppet = scene.subject(&format!("puppet{n}")).await?;
        let by = api(&scene, &puppet).await?;
        let (status, joined) =
            by.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?;
        ensure!(status == 200, "{joined}");
        puppets.push(by);
    }
    let mark = ann.mark();
    for (turn, event) in events.iter().enumerate() {
        for by in &puppets {
            report(by, &room, event, "spam").await?;
        }
        match turn {
            2 | 7 => {
                scene.bot()?.kill().await?;
                scene.bot()?.start_again().await?;
            }
            4 => {
                scene.bot()?.terminate().await?;
                scene.bot()?.start_again().await?;
            }
            _ => {}
        }
    }
    let thread = thread_about(&scene, &eve, mark).await?;
    let all = shows(&scene, &thread, "was reported 200 times").await?;
    says(&all, "", &["Event: ", "and 7 more", "are accounts created within a day"]);
    let list = scene.ann_asks("!case list").await?;
    says(&list, "One open case", &["200 reports"]);
    let roots = |message: &&Message| {
        message.is_message() && message.thread.is_none() && message.body.contains("was reported")
    };
    assert_eq!(ann.heard_since(mark).iter().filter(roots).count(), 1, "one thread");
    // What the thread was told of adds up.
    let told: usize = ann
        .heard_since(mark)
        .iter()
        .filter(|message| message.thread.as_ref() == Some(&thread.event_id))
        .filter_map(|message| message.body.split(" more report").next()?.parse::<usize>().ok())
        .sum();
    let first = thread.body.lines().next().unwrap_or_default();
    let first = first.split("was reported ").nth(1).and_then(|rest| rest.split(' ').next());
    let first: usize = first.and_then(|count| count.parse().ok()).unwrap_or(1);
    assert_eq!(first + told, 200, "{:?}", thread.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_was_put_back_gives_numbers_away_again() -> Result<()> {
    let synapse = own_homeserver().await?;
    let scene = Scene::plan().on(&synapse).start_with(SYNOD, watching).await?;
    let ann = scene.ann();
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let by_sam = api(&scene, &sam).await?;
    let mark = ann.mark();
    report_account(&by_sam, &eve, "before the loss").await?;
    let thread = thread_about(&scene, &eve, mark).await?;
    says(&scene.ann_asks("!close 1 done").await?, "Done", &["closed"]);
    shows(&scene, &thread, "State: closed").await?;

    // The report is gone there, and the next one has its number.
    synapse
        .damage(
            "DELETE FROM user_reports; DELETE FROM sqlite_sequence WHERE name = 'user_reports';",
        )
        .await?;
    says(&scene.ann_asks("!case list --all").await?, "One case", &[eve.user_id.as_str()]);
    let mark = ann.mark();
    report_account(&by_sam, &eve, "after the loss").await?;
    let next = thread_about(&scene, &eve, mark).await?;
    says(&next, "", &["Case 2: ", "after the loss", "case 1, closed"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_reported_before_the_first_start_is_left_until_it_is_asked_for() -> Result<()> {
    let synapse = own_homeserver().await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let room = make(&by_eve, json!({"preset": "public_chat"})).await?;
    by_sam.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?;
    let event = send(&by_eve, &room, "buy my gold").await?;
    report(&by_sam, &room, &event, "old news").await?;
    scene.start_bot(SYNOD, &watching(scene.config())).await?;
    let ann = scene.ann();
    says(&scene.ann_asks("!case list").await?, "No open cases", &[]);

    redact(&by_eve, &room, &event).await?;
    let mark = ann.mark();
    says(&scene.ann_asks("!report import --since 7d").await?, "Done", &["1 report", "1 case"]);
    let thread = thread_about(&scene, &eve, mark).await?;
    says(&thread, "", &["old news", &event]);
    says(&scene.ann_asks("!report import --since 7d").await?, "Nothing changed", &["already"]);
    assert_eq!(
        scene.ann_asks("!case list").await?.body.lines().next(),
        Some("One open case: 1 new; the oldest for under a minute")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_troll_reports_is_set_aside_together_and_counted_again() -> Result<()> {
    let scene = desk().await?;
    let ann = scene.ann();
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (troll, bob) = (scene.subject("troll").await?, scene.subject("bob").await?);
    let (by_troll, by_bob) = (api(&scene, &troll).await?, api(&scene, &bob).await?);
    let mark = ann.mark();
    for n in 0..12 {
        report_account(&by_troll, &eve, &format!("he is bad {n}")).await?;
    }
    report_account(&by_bob, &eve, "rude").await?;
    report_account(&by_troll, &sam, "he is bad too").await?;
    let thread = thread_about(&scene, &eve, mark).await?;
    thread_about(&scene, &sam, mark).await?;
    let all = shows(&scene, &thread, "was reported 13 times").await?;
    says(&all, "", &["12 of 13 by @troll", " alone"]);

    let aside = scene.ann_asks(&format!("!case set-aside {}", troll.user_id)).await?;
    says(&aside, "Done", &["13 reports in 2 open cases", "Closed: 1 case", "!case count"]);
    let left = ann.edit_of(&thread.event_id, |message| !message.body.contains("times")).await?;
    assert!(!left.body.contains("troll"), "{left}");
    let list = scene.ann_asks("!case list").await?;
    says(&list, "One open case", &[eve.user_id.as_str(), "1 report "]);
    // What comes of them from now on opens nothing.
    let tom = scene.subject("tom").await?;
    report_account(&by_troll, &tom, "and he").await?;
    report_account(&by_bob, &tom, "well").await?;
    let thread = thread_about(&scene, &tom, mark).await?;
    assert!(!thread.body.contains("troll") && !thread.body.contains("times"), "{thread}");
    let again = scene.ann_asks(&format!("!case count {}", troll.user_id)).await?;
    says(&again, "Done", &["count again"]);
    says(&scene.ann_asks("!case list").await?, "3 open cases", &["13 reports", "2 reports"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_is_covered_and_what_cannot_be_read_is_said_to_be_so() -> Result<()> {
    let synapse = own_homeserver().await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    // Everybody who is served may look at private things.
    let config = watching(scene.config()).without_operator(&scene.accounts()[1].user_id);
    scene.start_bot(SYNOD, &config).await?;
    let ann = scene.ann();
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    let encrypted = json!({"type": "m.room.encryption", "state_key": "",
        "content": {"algorithm": "m.megolm.v1.aes-sha2"}});
    let open = make(&by_eve, json!({"preset": "public_chat"})).await?;
    let closed =
        make(&by_eve, json!({"preset": "public_chat", "initial_state": [encrypted]})).await?;
    for room in [&open, &closed] {
        by_sam.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?;
    }
    let said = send(&by_eve, &open, "buy my gold at evil.example").await?;
    let path = format!("/_matrix/client/v3/rooms/{closed}/send/m.room.encrypted/1");
    let content = json!({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgAEpAB",
        "device_id": "DEVICE", "sender_key": "key", "session_id": "session"});
    let sent = by_eve.put(&path, content).await?.1;
    let secret = sent["event_id"].as_str().context("it is sent")?.to_owned();
    let mark = ann.mark();
    report(&by_sam, &open, &said, "spam").await?;
    let thread = thread_about(&scene, &eve, mark).await?;
    let html = thread.html.clone().unwrap_or_default();
    assert!(html.contains("<span data-mx-spoiler>“buy my gold at"), "{html}");
    assert!(!thread.body.contains("gold") && thread.body.contains("(covered)"), "{thread}");
    says(&scene.ann_asks("!audit list").await?, "", &["case 1 shows what was reported"]);
    report(&by_sam, &closed, &secret, "threats").await?;
    let both = shows(&scene, &thread, "encrypted: what it says cannot be checked").await?;
    says(&both, "", &[&secret, &closed]);

    // One that is gone stays in the case.
    let gone = send(&by_eve, &open, "and more").await?;
    report(&by_sam, &open, &gone, "worse").await?;
    shows(&scene, &thread, "was reported 3 times").await?;
    synapse.damage(&format!("DELETE FROM events WHERE event_id = '{gone}'; DELETE FROM event_json WHERE event_id = '{gone}';")).await?;
    report(&by_sam, &open, &said, "once more").await?;
    shows(&scene, &thread, "was reported 4 times").await?;
    shows(&scene, &thread, "no longer exists here").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_on_duty_is_called_where_nobody_deals_with_a_case() -> Result<()> {
    let synapse = own_homeserver().await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    let moe = &scene.accounts()[0].user_id;
    let config = watching(scene.config())
        .set("reports.remind_after", "3s")
        .set("reports.escalate_after", "8s")
        .operator_key(moe, "duty", json!(["daily 00:00-24:00"]));
    scene.start_bot(SYNOD, &config).await?;
    let ann = scene.ann();
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let mark = ann.mark();
    report_account(&api(&scene, &sam).await?, &eve, "rude").await?;
    let thread = thread_about(&scene, &eve, mark).await?;
    let reminds = |message: &Message| {
        message.thread.as_ref() == Some(&thread.event_id)
            && message.body.contains("nobody has claimed")
    };
    let first = ann.wait_for_since(mark, "a reminder", reminds).await?;
    assert!(first.mentions.is_empty() && first.msgtype == "m.text", "{first}");
    let calls = |message: &Message| reminds(message) && !message.mentions.is_empty();
    let second = ann.wait_for_since(mark, "a call", calls).await?;
    assert_eq!(second.mentions, std::slice::from_ref(moe), "{second}");
    assert!(!second.raw.to_string().contains("\"room\":true"), "never everybody: {second}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_thread_stands_ten_seconds_after_a_report_that_was_announced() -> Result<()> {
    let synapse = own_homeserver().await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let address = format!("127.0.0.1:{port}");
    let config = watching(scene.config()).set("monitoring.listen", address.as_str());
    scene.start_bot(SYNOD, &config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let by_sam = api(&scene, &sam).await?;
    let mark = scene.ann().mark();
    // As something before the homeserver does that sees a report go by.
    let answer = world::http().post(format!("http://{address}/reports")).send().await?;
    assert_eq!(answer.status(), 202);
    report_account(&by_sam, &eve, "rude").await?;
    let began = Instant::now();
    thread_about(&scene, &eve, mark).await?;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    Ok(())
}
