//! `!user list --all -o csv`, beside a bare loop over the same pages.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use world::{Api, Message, Proxy, Scene, Synapse};

use crate::{CROWD, TURNS, answer, megabytes, row, straight, synod};

const ASK: &str = "!user list --all -o csv";

/// At most this many times the bare loop.
const LIMIT: f64 = 1.2;

/// At most this much more memory than before, megabytes.
const GROWTH: f64 = 30.0;

pub(crate) async fn measure(synapse: &Synapse) -> Result<()> {
    let scene = Scene::plan().on(synapse).set().await?;
    let first = first_page(&scene).await?;
    synapse.add(CROWD).await?;
    straight(&scene).await?;
    let (bot, api) = (scene.bot()?, synapse.api(&scene.admin_token()?));
    // What is made once, connections and sessions, is no part of it.
    scene.ann_asks("!user list").await?;
    println!("{ASK}, {} accounts, in an encrypted room", CROWD.count);
    let mut all = (Duration::ZERO, Duration::ZERO);
    for turn in 1..=TURNS {
        let (bare, listed) = bare(&api, &first).await?;
        let (before, mark) = (bot.resident()?, scene.ann().mark());
        bot.forget_peak()?;
        let began = Instant::now();
        let asked = scene.ann().say(scene.room(), ASK).await?;
        answer(&scene, &asked).await?;
        let took = began.elapsed();
        let peak = bot.peak()?;
        all = (all.0 + bare, all.1 + took);
        row(&format!("turn {turn}"), (bare, took), LIMIT);
        let growth = megabytes(peak.saturating_sub(before));
        let verdict = if growth < GROWTH { "within" } else { "ABOVE" };
        println!(
            "  {:<28} {:.1} MB before, {:.1} MB at most: {growth:.1} MB, {verdict} {GROWTH:.0}",
            "its memory",
            megabytes(before),
            megabytes(peak),
        );
        let is_file = |message: &Message| message.msgtype == "m.file";
        let file = scene.ann().wait_for_since(mark, "the file", is_file).await?;
        let rows = String::from_utf8(scene.ann().download(&file).await?)?.lines().count() - 1;
        ensure!(rows == listed, "the file has {rows} accounts of {listed}");
    }
    row("all turns", all, LIMIT);
    println!();
    bot.terminate().await.map(drop)
}

/// Starts the scene's bot, learns the first page that it asks for, and ends it.
async fn first_page(scene: &Scene) -> Result<String> {
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    let bot = scene.start_bot(synod(), &config).await?;
    scene.ann_asks(ASK).await?;
    bot.terminate().await?;
    let mut asked = proxy.requests().into_iter().map(|request| request.path);
    asked.find(|path| path.contains("/users?") && path.contains("limit=")).context("no page")
}

/// Follows the pages to the end; how long that took, and how many accounts stood on them.
async fn bare(api: &Api, first: &str) -> Result<(Duration, usize)> {
    ensure!(first.contains("from=0"), "a first page begins at 0: {first}");
    let began = Instant::now();
    let (mut place, mut listed) = ("0".to_owned(), 0);
    loop {
        let (status, page) = api.get(&first.replace("from=0", &format!("from={place}"))).await?;
        ensure!(status == 200, "a page answered {status}");
        listed += page["users"].as_array().map_or(0, Vec::len);
        match page.get("next_token").and_then(Value::as_str) {
            Some(next) => next.clone_into(&mut place),
            None => return Ok((began.elapsed(), listed)),
        }
    }
}
