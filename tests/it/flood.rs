//! As much as the homeserver takes is said in the room, and operators are served meanwhile. What
//! ten thousand a minute are to the bot is in `src/pipeline/inbound/queue/tests.rs`.

use std::{
    future::Future,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use ruma::{OwnedEventId, RoomId};
use serde_json::{Value, json};
use world::{Message, Person, Scene};

use crate::support::{code, is, says, watched};

/// How many talk at once. The homeserver is busy with these for as long as they do.
const AT_ONCE: usize = 3;

/// How many commands are answered while it floods.
const SERVED: usize = 6;

/// How many messages somebody sends in an operator's name.
const FLOOD: usize = 240;

/// Lets `person` send what `what` makes of so many numbers. Counts what was taken.
async fn flood(
    person: &Person,
    room: &RoomId,
    taken: &AtomicUsize,
    many: usize,
    what: impl Fn(usize) -> (&'static str, Value),
) -> Result<()> {
    let numbers = AtomicUsize::new(0);
    let one = || async {
        loop {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            if number >= many {
                return anyhow::Ok(());
            }
            let (kind, content) = what(number);
            person.send_in_clear(room, kind, content).await?;
            taken.fetch_add(1, Ordering::Relaxed);
        }
    };
    try_join_all((0..AT_ONCE).map(|_| one())).await.map(drop)
}

/// When the homeserver took an event, in milliseconds.
fn at(message: &Message) -> i64 {
    message.raw["origin_server_ts"].as_i64().unwrap_or_default()
}

/// How long somebody waited for an answer by the homeserver's clock, and how long the homeserver
/// took for the command alone, both in milliseconds.
#[derive(Debug)]
struct Wait {
    answer: i64,
    command: i64,
}

/// Lets `person` send some commands and waits for the answer to each. `more` is done in between.
async fn served<F: Future<Output = Result<()>>>(
    scene: &Scene,
    person: &Person,
    more: impl Fn(usize) -> F,
) -> Result<Vec<Wait>> {
    let mut waits = Vec::new();
    for number in 0..SERVED {
        let began = Instant::now();
        let said: OwnedEventId = person.say(scene.room(), "!me").await?;
        let command = i64::try_from(began.elapsed().as_millis())?;
        let answer = scene.answer(person, &said).await?;
        let asked = person.wait_for("their own words", |one| one.event_id == said).await?;
        waits.push(Wait { answer: at(&answer) - at(&asked), command });
        more(number).await?;
    }
    Ok(waits)
}

/// Two seconds, or on a machine that is so busy that the homeserver needs long for any message, as
/// long as it takes for a few. Most of the waits at the end must be as short: a bot that has fallen
/// behind is late each time, and one that is held up every other time is late too often. A single
/// one may be late, since a homeserver under such a flood sometimes pauses between a message and
/// its answer, which `command` does not show.
fn is_prompt(waits: &[Wait], taken: &AtomicUsize) {
    let taken = taken.load(Ordering::Relaxed);
    let late = &waits[SERVED / 2..];
    let prompt = late.iter().filter(|wait| wait.answer <= (6 * wait.command).max(2_000)).count();
    assert!(prompt > late.len() / 2, "{waits:?} beside {taken} events");
    assert!(taken > 5 * SERVED, "that was no flood: {taken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_by_strangers_holds_up_no_operator() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room, stranger) = (scene.ann(), scene.room(), scene.stranger().await?);
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let question = scene.ann_asks(&format!("!user modify {} --admin", eve.user_id)).await?;
    let number = code(&question)?;
    let asked = &question.event_id;
    let commands = [
        format!("!user suspend {}", eve.user_id),
        format!("!confirm {number}"),
        "yes".to_owned(),
        "!help".to_owned(),
        format!("!user suspend {} {}", eve.user_id, "x".repeat(30_000)),
    ];
    let noise = |number: usize| {
        if let Some(text) = commands.get(number % 6) {
            let relation = json!({ "m.in_reply_to": { "event_id": asked } });
            let message = json!({ "msgtype": "m.text", "body": text, "m.relates_to": relation });
            return ("m.room.message", message);
        }
        // No two reactions of somebody to one event are alike.
        let bits = (0..20).map(|bit| if number >> bit & 1 == 1 { '\u{fe0e}' } else { '\u{fe0f}' });
        let key = format!("✅{}", bits.collect::<String>());
        let relation = json!({ "rel_type": "m.annotation", "event_id": asked, "key": key });
        ("m.reaction", json!({ "m.relates_to": relation }))
    };
    let suspend = format!("!user suspend {}", sam.user_id);
    let change = |number| {
        let (scene, suspend) = (&scene, &suspend);
        async move {
            if number == SERVED / 2 {
                says(&scene.ann_asks(suspend).await?, "Done", &[]);
            }
            Ok(())
        }
    };
    let taken = AtomicUsize::new(0);
    let waits = tokio::select! {
        waits = served(&scene, ann, change) => waits?,
        ended = flood(stranger, room, &taken, usize::MAX, noise) => return ended.context("the flood ended"),
    };
    is_prompt(&waits, &taken);
    let by_bot = |message: &&Message| message.sender == *scene.bot_id();
    let to_strangers =
        ann.heard().iter().filter(by_bot).filter(|m| m.body.contains("not one")).count();
    assert_eq!(to_strangers, 1, "one polite line");
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());
    assert!(!is(&scene, &eve, "admin").await? && !is(&scene, &eve, "suspended").await?);
    assert!(is(&scene, &sam, "suspended").await?);
    says(&scene.ann_asks(&format!("!confirm {number}")).await?, "Done", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_in_an_operators_name_is_refused_in_part_and_holds_up_no_other() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, moe, room) = (scene.ann(), scene.moe().await?, scene.room());
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    scene.ask(moe, "!me").await?;
    // What somebody can send who has her access token and none of her keys: words in clear, what
    // comes from a device that she has not signed, and what nobody can decrypt.
    let thief = ann.login_unsigned_device().await?;
    let suspend = format!("!user suspend {}", eve.user_id);
    let stolen = thief.say(room, &suspend).await?;
    says(&scene.answer(ann, &stolen).await?, "Refused", &["not verified"]);
    let unsigned = thief.stored_event(room, &stolen).await?["content"].take();
    let noise = |number: usize| match number % 3 {
        0 => ("m.room.message", json!({ "msgtype": "m.text", "body": suspend })),
        1 => ("m.room.encrypted", unsigned.clone()),
        _ => {
            let mut lost = unsigned.clone();
            lost["session_id"] = format!("nobody has session {number}").into();
            ("m.room.encrypted", lost)
        }
    };

    // While the bot is away, so that it finds all of them at once, and another's command behind.
    scene.bot()?.terminate().await?;
    let taken = AtomicUsize::new(0);
    flood(ann, room, &taken, FLOOD, noise).await?;
    let said = moe.say(room, &format!("!user suspend {}", sam.user_id)).await?;
    let mark = moe.mark();
    scene.bot()?.start_again().await?;
    says(&scene.answer(moe, &said).await?, "Done", &[sam.user_id.as_str()]);
    let heard = moe.heard_since(mark);
    let before = heard.iter().take_while(|one| one.reply_to.as_ref() != Some(&said));
    let refused = before.filter(|one| one.body.starts_with("Refused · ")).count();
    assert!(refused < FLOOD / 4, "he was answered after {refused} refusals");

    // Her own words count as before.
    says(&scene.ann_asks(&format!("!user unsuspend {}", sam.user_id)).await?, "Done", &[]);
    assert_eq!(proxy.changes().len(), 2, "{:?}", proxy.changes());
    assert!(!is(&scene, &eve, "suspended").await? && !is(&scene, &sam, "suspended").await?);
    Ok(())
}
