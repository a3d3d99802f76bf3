//! The room as an interface: listings are turned and picked from, a dot and a reply stand for what was
//! named, and answers stay where they are asked for.

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use ruma::{EventId, OwnedEventId};
use serde_json::{Value, json};
use world::{Account, Message, Person, Scene};

use crate::{
    SYNOD,
    support::{code, devices, digits, is, says},
};

const NEXT: &str = "➡️";
const PREVIOUS: &str = "⬅️";

/// Accounts whose names nobody else's begin like.
async fn accounts(scene: &Scene, count: usize) -> Result<Vec<Account>> {
    let ann = scene.ann().user_id().localpart();
    let tag = ann.split_once('-').map_or(ann, |(_, tag)| tag);
    let names: Vec<String> = (0..count).map(|n| format!("row{tag}x{n}")).collect();
    try_join_all(names.iter().map(|name| scene.subject(name))).await
}

/// The command that lists these accounts, two on a page.
fn listing(all: &[Account]) -> String {
    let localpart = all[0].user_id.localpart();
    let begin = localpart.split_once('x').map_or(localpart, |(begin, _)| begin);
    format!("!user list --user-id {begin}x --limit 2")
}

/// The message as it is after an edit that holds this.
async fn shows(scene: &Scene, event: &EventId, part: &str) -> Result<Message> {
    let holds = |message: &Message| message.body.contains(part);
    scene.ann().edit_of(event, holds).await.with_context(|| format!("it comes to show {part}"))
}

/// Waits until these are the bot's reactions to an event.
async fn has_arrows(scene: &Scene, event: &EventId, wanted: &[&str]) -> Result<()> {
    scene.ann().sees_reactions(event, scene.bot_id(), wanted).await
}

/// Whether a page shows just these of the accounts.
fn lists(page: &Message, all: &[Account], shown: std::ops::Range<usize>) {
    for (at, account) in all.iter().enumerate() {
        let is_there = page.body.contains(account.user_id.as_str());
        assert_eq!(is_there, shown.contains(&at), "{}: {}", account.user_id, page.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_is_turned_there_and_back_by_its_asker_and_by_nobody_else() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, moe, room) = (scene.ann(), scene.moe().await?, scene.room());
    let all = accounts(&scene, 5).await?;
    let page = scene.ann_asks(&listing(&all)).await?;
    says(&page, "", &["5 accounts, 1 to 2 shown", "Next page: !user list"]);
    lists(&page, &all, 0..2);
    let event = &page.event_id;
    has_arrows(&scene, event, &[NEXT]).await?;

    // Whoever has not asked turns nothing, an operator as little as anybody else.
    let by_moe = moe.react(room, event, NEXT).await?;
    let back = ann.react(room, event, PREVIOUS).await?;
    scene.unanswered(&by_moe).await?;
    scene.unanswered(&back).await?;
    let edits = |message: &Message| message.replaces.as_deref() == Some(event);
    assert!(!ann.heard().iter().any(edits), "nobody has turned it");
    // The bot takes its asker's reaction away, so that it can be given again.
    ann.sees_reactions(event, ann.user_id(), &[]).await?;

    ann.react(room, event, NEXT).await?;
    let second = shows(&scene, event, "3 to 4 shown").await?;
    assert!(second.encrypted, "{second}");
    lists(&second, &all, 2..4);
    has_arrows(&scene, event, &[PREVIOUS, NEXT]).await?;
    ann.sees_reactions(event, ann.user_id(), &[]).await?;
    ann.react(room, event, NEXT).await?;
    lists(&shows(&scene, event, "5 to 5 shown").await?, &all, 4..5);
    has_arrows(&scene, event, &[PREVIOUS]).await?;

    // It outlives a restart, with the places of its pages.
    scene.bot()?.terminate().await?;
    scene.bot()?.start_again().await?;
    let mark = ann.mark();
    ann.react(room, event, PREVIOUS).await?;
    let again = |message: &Message| edits(message) && message.body.contains("3 to 4 shown");
    lists(&ann.wait_for_since(mark, "the page before", again).await?, &all, 2..4);

    // As a message of its own, and the arrows stand under that from then on.
    let last = scene.ann_asks("!next").await?;
    says(&last, "", &["5 to 5 shown"]);
    lists(&last, &all, 4..5);
    has_arrows(&scene, &last.event_id, &[PREVIOUS]).await?;
    has_arrows(&scene, event, &[]).await?;
    says(&scene.ann_asks("!next").await?, "Nothing changed", &["last page", "!user list"]);
    says(&scene.ann_asks("!prev").await?, "", &["3 to 4 shown"]);
    let none = scene.ask(moe, "!next").await?;
    says(&none, "Not found", &["you have asked for no list in this room"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_turned_is_looked_up_anew_with_the_rights_of_who_asked() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, moe, room) = (scene.ann(), scene.moe().await?, scene.room());
    let all = accounts(&scene, 3).await?;
    let page = scene.ask(moe, &listing(&all)).await?;
    says(&page, "", &["3 accounts, 1 to 2 shown"]);
    has_arrows(&scene, &page.event_id, &[NEXT]).await?;
    scene.ann_asks(&format!("!user lock {}", all[2].user_id)).await?;
    moe.react(room, &page.event_id, NEXT).await?;
    says(&shows(&scene, &page.event_id, "3 to 3 shown").await?, "", &["locked"]);
    // Whoever is frozen is shown nothing, however they ask.
    scene.ann_asks(&format!("!freeze {}", moe.user_id())).await?;
    let back = moe.react(room, &page.event_id, PREVIOUS).await?;
    says(&scene.answer(ann, &back).await?, "Refused", &["frozen"]);
    Ok(())
}

/// Presses a key under a listing, and answers what the bot says to it.
async fn pressed(scene: &Scene, event: &EventId, key: &str) -> Result<Message> {
    let reaction = scene.ann().react(scene.room(), event, key).await?;
    let answer = scene.answer(scene.ann(), &reaction).await?;
    // Clients cannot show a reaction that is replied to.
    assert_eq!(answer.reply_to.as_deref(), Some(event), "{answer}");
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_picked_and_a_dot_stands_for_it_and_is_asked_about() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, moe, room) = (scene.ann(), scene.moe().await?, scene.room());
    let all = accounts(&scene, 3).await?;
    let none = scene.ann_asks("!user suspend .").await?;
    says(
        &none,
        "Not understood",
        &[". stands for what you named or picked", "the id of an account"],
    );

    let page = scene.ann_asks(&listing(&all)).await?;
    let second = format!("2 · {}", all[1].user_id);
    says(&page, "", &[&second, "Pick a row by a reaction with its number"]);
    let by_moe = moe.react(room, &page.event_id, "2️⃣").await?;
    let beyond = ann.react(room, &page.event_id, "3️⃣").await?;
    scene.unanswered(&by_moe).await?;
    scene.unanswered(&beyond).await?;
    let card = pressed(&scene, &page.event_id, "2️⃣").await?;
    let whole = format!("!user details {} --all", all[1].user_id);
    says(&card, "", &[all[1].user_id.as_str(), "Created: ", &whole]);
    assert!(!card.body.contains(all[0].user_id.as_str()), "{}", card.body);

    // Also what could be undone, and by the code: neither ✅ nor a bare yes is enough.
    let question = scene.ann_asks("!user suspend . --reason .").await?;
    says(&question, "", &[all[1].user_id.as_str(), "!confirm"]);
    let tick = ann.react(room, &question.event_id, "✅").await?;
    says(&scene.answer(ann, &tick).await?, "Refused", &["!confirm"]);
    assert!(!is(&scene, &all[1], "suspended").await?);
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &[all[1].user_id.as_str()]);
    assert!(is(&scene, &all[1], "suspended").await?);
    let record = digits(&done.body, "!undo")?;
    let shown = scene.ann_asks(&format!("!audit show {record}")).await?;
    says(&shown, "", &["--reason .", all[1].user_id.as_str()]);

    // What was typed last counts, and only where it fits.
    scene.ann_asks(&format!("!user details {}", all[0].user_id)).await?;
    says(&scene.ann_asks("!user whois .").await?, "", &[all[0].user_id.as_str()]);
    let unfit = scene.ann_asks("!room block .").await?;
    says(&unfit, "Not understood", &[all[0].user_id.as_str(), "this needs a room"]);
    let others = scene.ask(moe, "!user details .").await?;
    says(&others, "Not understood", &[". stands for what you named or picked"]);
    // A row stands for itself by its number, in the list that the same person asked for last.
    let page = scene.ann_asks(&listing(&all)).await?;
    says(&page, "", &[&format!("1 · {}", all[0].user_id)]);
    let html = page.html.context("a list has HTML")?;
    let (local, whole) = (all[0].user_id.localpart(), all[0].user_id.as_str());
    assert!(html.contains(&format!("@{local}<")) && !html.contains(whole), "{html}");
    let beyond = scene.ann_asks("!user suspend .3").await?;
    says(&beyond, "Not understood", &[".3 is no row of your last list", "which has 2"]);
    let question = scene.ann_asks("!user lock .2 .1").await?;
    says(&question, "", &["2 accounts", "!confirm"]);
    assert!(!is(&scene, &all[0], "locked").await?);
    scene.ann_asks(&format!("!cancel {}", code(&question)?)).await?;
    let others = scene.ask(moe, "!user details .1").await?;
    says(&others, "Not understood", &["and there is none"]);
    scene.ann_asks(&format!("!user details {}", all[0].user_id)).await?;

    // What came in clear names nothing.
    ann.say_in_clear(room, &format!("!user details {}", all[2].user_id)).await?;
    says(&scene.ann_asks("!user details .").await?, "", &[all[0].user_id.as_str()]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_to_an_answer_takes_nothing_back_and_gives_the_line_that_does() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (moe, room) = (scene.moe().await?, scene.room());
    let eve = scene.subject("eve").await?;
    let done = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    says(&done, "Done", &["is suspended"]);
    let undo = format!("!undo {}", digits(&done.body, "!undo")?);
    let by_moe = moe.react(room, &done.event_id, "↩️").await?;
    scene.unanswered(&by_moe).await?;
    let told = pressed(&scene, &done.event_id, "↩️").await?;
    says(&told, "Nothing changed", &["in clear", &undo]);
    assert!(is(&scene, &eve, "suspended").await?);
    says(&scene.ann_asks(&undo).await?, "Done", &[eve.user_id.as_str()]);
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}

async fn replies(scene: &Scene, to: &EventId, text: &str) -> Result<Message> {
    let said = scene.ann().reply(scene.room(), to, text).await?;
    scene.answer(scene.ann(), &said).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_a_card_or_an_answer_is_about_what_that_is_about() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let all = accounts(&scene, 3).await?;
    let (id, localpart) = (all[0].user_id.as_str(), all[0].user_id.localpart());
    let card = scene.ann_asks(&format!("!user details {localpart}")).await?;
    let question = replies(&scene, &card.event_id, "!user suspend").await?;
    says(&question, "", &[id, "!confirm"]);
    let yes = format!("!confirm {} {localpart}", code(&question)?);
    let done = scene.ann_asks(&yes).await?;
    says(&done, "Done", &[id]);
    assert!(is(&scene, &all[0], "suspended").await?);
    says(&replies(&scene, &done.event_id, "!user whois").await?, "", &[id]);
    let question = replies(&scene, &done.event_id, "!user unsuspend").await?;
    says(&question, "", &[id, "!confirm"]);
    let unfit = replies(&scene, &card.event_id, "!room block").await?;
    says(&unfit, "Not understood", &["that is about an account, and this needs a room"]);

    let page = scene.ann_asks(&listing(&all)).await?;
    let question = replies(&scene, &page.event_id, "!user lock").await?;
    let beyond = "This is about the 2 that were shown; the listing has 1 more.";
    says(&question, "Lock 2 accounts, ", &[beyond, id]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_what_somebody_wrote_is_about_the_one_that_it_names() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (moe, room) = (scene.moe().await?, scene.room());
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (id, localpart) = (eve.user_id.as_str(), eve.user_id.localpart());
    let pointed = moe.say(room, &format!("look at https://matrix.to/#/{id} please")).await?;
    says(&replies(&scene, &pointed, "!user details").await?, "", &[id, "Created: "]);
    let question = replies(&scene, &pointed, "!user suspend").await?;
    says(&question, "", &[id, "!confirm"]);
    assert!(!is(&scene, &eve, "suspended").await?, "it is asked, although it can be undone");
    let yes = format!("!confirm {} {localpart}", code(&question)?);
    says(&scene.ann_asks(&yes).await?, "Done", &[id]);
    let unfit = replies(&scene, &pointed, "!room block").await?;
    says(&unfit, "Not understood", &["that is about an account, and this needs a room"]);

    let both = moe.say(room, &format!("{id} and {} again", sam.user_id)).await?;
    let several = replies(&scene, &both, "!user lock").await?;
    says(&several, "Not understood", &["names several; type which you mean"]);
    let nobody = moe.say(room, "somebody should do something").await?;
    let none = replies(&scene, &nobody, "!user lock").await?;
    says(&none, "Not understood", &["it names nobody"]);
    // An edit shows another than the bot was told of.
    moe.edit(room, &pointed, &format!("look at {}", sam.user_id)).await?;
    let edited = replies(&scene, &pointed, "!user lock").await?;
    says(&edited, "Refused", &["was edited"]);
    Ok(())
}

/// Says something in the thread that begins with `root`, as a client does that has threads.
pub(crate) async fn in_thread(
    scene: &Scene,
    who: &Person,
    root: &EventId,
    text: &str,
) -> Result<OwnedEventId> {
    let content = json!({
        "msgtype": "m.text", "body": text, "m.mentions": {},
        "m.relates_to": {
            "rel_type": "m.thread", "event_id": root, "is_falling_back": true,
            "m.in_reply_to": { "event_id": root },
        },
    });
    who.send(scene.room(), "m.room.message", content).await
}

/// The bot's answer to something, which stands in the thread that begins with `root`.
pub(crate) async fn answered_in(scene: &Scene, root: &EventId, event: &EventId) -> Result<Message> {
    let answer = scene.answer(scene.ann(), event).await?;
    assert_eq!(answer.thread.as_deref(), Some(root), "{answer}");
    let relation = &answer.raw["content"]["m.relates_to"];
    assert_eq!(relation["is_falling_back"], Value::Bool(false), "{relation}");
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_in_a_thread_is_answered_there() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let all = accounts(&scene, 3).await?;
    scene.synapse().log_in(&all[0]).await?;
    let thread = ann.say(room, "about those of last night").await?;
    let asked = in_thread(&scene, ann, &thread, &listing(&all)).await?;
    let answered = answered_in(&scene, &thread, &asked).await?;
    ann.react(room, &answered.event_id, NEXT).await?;
    lists(&shows(&scene, &answered.event_id, "3 to 3 shown").await?, &all, 2..3);

    // A question, the answer to the reaction that says yes to it, and a file.
    let logout = format!("!user logout {}", all[0].user_id);
    let asked = in_thread(&scene, ann, &thread, &logout).await?;
    let question = answered_in(&scene, &thread, &asked).await?;
    let tick = ann.react(room, &question.event_id, "✅").await?;
    let done = answered_in(&scene, &thread, &tick).await?;
    says(&done, "Done", &[all[0].user_id.as_str()]);
    assert_eq!(done.reply_to.as_deref(), Some(&*question.event_id), "{done}");
    assert!(devices(&scene, &all[0]).await?.is_empty());
    let export = in_thread(&scene, ann, &thread, "!audit export").await?;
    answered_in(&scene, &thread, &export).await?;
    let is_file = |message: &Message| message.msgtype == "m.file";
    let file = ann.wait_for("the record as a file", is_file).await?;
    assert_eq!(file.thread.as_deref(), Some(&*thread), "{file}");
    // What is asked beside it is answered beside it.
    assert_eq!(scene.ann_asks("!me").await?.thread, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reactions_under_a_question_go_when_it_is_over() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let eve = scene.subject("eve").await?;
    scene.synapse().log_in(&eve).await?;
    let question = scene.ann_asks(&format!("!user logout {}", eve.user_id)).await?;
    has_arrows(&scene, &question.event_id, &["✅", "❌"]).await?;
    let no = ann.react(room, &question.event_id, "❌").await?;
    let answer = scene.answer(ann, &no).await?;
    says(&answer, "Nothing changed", &["was cancelled"]);
    assert_eq!(answer.reply_to.as_deref(), Some(&*question.event_id), "{answer}");
    has_arrows(&scene, &question.event_id, &[]).await?;
    assert_eq!(devices(&scene, &eve).await?.len(), 1);
    Ok(())
}
