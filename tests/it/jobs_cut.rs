//! A change of a thousand accounts, killed somewhere in the middle.

use std::collections::HashMap;

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rand::Rng as _;
use reqwest::Method;
use ruma::{OwnedUserId, UserId};
use serde_json::json;
use world::{Answered, Crowd, Fault, Message, Options, Proxy, Scene, Synapse};

use crate::{
    SYNOD,
    jobs::{outcomes, say_yes},
    support::says,
};

const CROWD: Crowd = Crowd { name: "spam", count: 1_000, named: 10 };

/// How many are in hand at once.
const IN_HAND: usize = 8;

/// How often what takes long is waited for once more.
const PATIENT: usize = 15;

/// Waits for what may take long.
async fn patiently<T>(wait: impl AsyncFn() -> Result<T>) -> Result<T> {
    for _ in 1..PATIENT {
        if let Ok(come) = wait().await {
            return Ok(come);
        }
    }
    wait().await
}

/// Of whom the homeserver has answered the change and the look after it.
fn finished<'a>(answered: &[Answered], all: &'a [OwnedUserId]) -> Vec<&'a UserId> {
    let over = |user: &&UserId| {
        let theirs = answered.iter().filter(|one| one.request.path.contains(user.localpart()));
        let mut after = theirs.skip_while(|one| one.request.method != Method::PUT).skip(1);
        after.any(|one| one.request.method == Method::GET)
    };
    all.iter().map(AsRef::as_ref).filter(over).collect()
}

async fn is_suspended(synapse: &Synapse, all: &[OwnedUserId]) -> Result<usize> {
    let api = synapse.admin();
    let flags = stream::iter(all).map(|user| async { api.account(user).await });
    let flags: Vec<_> = flags.buffered(IN_HAND).try_collect().await?;
    Ok(flags.iter().filter(|account| account["suspended"] == json!(true)).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_are_suspended_once_whenever_the_bot_is_killed() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    synapse.add(CROWD).await?;
    let all = CROWD.ids()?;
    let scene = Scene::plan().on(&synapse).set().await?;
    let proxy = Proxy::start(&synapse.url()).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    scene.start_bot(SYNOD, &config).await?;

    let ids: Vec<&str> = all.iter().map(|user| user.as_str()).collect();
    let question = question(&scene, &format!("!user suspend\n{}", ids.join("\n"))).await?;
    let (at, mark) = (rand::rng().random_range(0..all.len()), scene.ann().mark());
    println!("the bot is killed while it has number {at} in hand");
    let cut = proxy.next(Method::PUT, all[at].localpart(), Fault::HoldAnswer);
    let yes = say_yes(&scene, &question, all.len()).await?;
    patiently(|| cut.reached()).await?;
    scene.bot()?.kill().await?;
    let over = finished(&proxy.answered(), &all);
    cut.release();

    scene.bot()?.start_again().await?;
    let is_end = |message: &Message| {
        message.reply_to.as_ref() == Some(&yes) && message.mentions.contains(scene.ann().user_id())
    };
    let told = patiently(|| scene.ann().wait_for("the end of the job", is_end)).await?;
    says(&told, "Done · 1000 of 1000", &["done 1000", "!undo "]);
    assert_eq!(is_suspended(&synapse, &all).await?, all.len());
    let mut sent = HashMap::<String, usize>::new();
    for change in proxy.changes() {
        *sent.entry(change.path).or_default() += 1;
    }
    let times = |user: &UserId| {
        let theirs = sent.iter().find(|(path, _)| path.contains(user.localpart()));
        theirs.map_or(0, |(_, times)| *times)
    };
    for user in over {
        assert_eq!(times(user), 1, "{user} was over when the bot was killed at {at}");
    }
    let again: Vec<&OwnedUserId> = all.iter().filter(|user| times(user) != 1).collect();
    assert!(again.len() <= IN_HAND, "only what was in hand at {at}: {again:?}");
    assert!(again.iter().all(|user| times(user) == 2), "{again:?}");

    let text = outcomes(&scene, mark).await?;
    let mut rows = text.lines().skip(1);
    for user in &all {
        let row = rows.next().context("an outcome is missing")?;
        ensure!(row.starts_with(&format!("{user},Done,{user} is suspended")), "{row}");
    }
    assert_eq!(rows.next(), None);
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);
    Ok(())
}

/// The question to a command about the thousand, after the word that says what takes so long.
async fn question(scene: &Scene, command: &str) -> Result<Message> {
    let (ann, asked) = (scene.ann(), scene.ann().say(scene.room(), command).await?);
    let word = patiently(|| scene.answer(ann, &asked)).await?;
    says(&word, "First I look at all 1000", &["nothing is changed yet"]);
    let is_question = |message: &Message| {
        message.reply_to.as_ref() == Some(&asked) && message.body.contains("!confirm")
    };
    let question = patiently(|| ann.wait_for("the question", is_question)).await?;
    says(&question, "", &["1000 accounts, "]);
    let over = |edit: &Message| edit.body.contains("I have looked at all 1000");
    ann.edit_of(&word.event_id, over).await?;
    Ok(question)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_is_about_as_many_as_fit() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    synapse.add(CROWD).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    // So many take another person, where the config says nothing.
    scene.start_bot(SYNOD, &scene.config().set("questions.unreviewed", CROWD.count)).await?;
    let asked = question(&scene, "!user deactivate-regex @spam").await?;
    says(&asked, "", &["!confirm"]);
    let code = crate::support::code(&asked)?;
    let cancelled = scene.ann_asks(&format!("!cancel {code}")).await?;
    says(&cancelled, "Nothing changed", &["was cancelled"]);
    Ok(())
}
