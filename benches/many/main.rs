//! What very much takes: a listing of 100,000 accounts, and a change of 1,000.
//!
//! `cargo bench --workspace --bench many` measures both over a real Synapse on loopback, each
//! beside the requests that it rests on, made bare in the same run and turn by turn, and reads the
//! bot's memory. `-- listing` or `-- suspending` measures one of the two. `-- growth` suspends many
//! more, and nothing beside them: what it shows is whether the bot's memory goes on growing.
//!
//! It judges nothing by its exit code: a slow day is no error.

use std::{env, ffi::OsString, time::Duration};

use anyhow::Result;
use ruma::EventId;
use world::{Crowd, Message, Options, Scene, Synapse};

mod growth;
mod listing;
mod suspending;

/// The program that is measured: the one of this build, or what `SYNOD` names, to compare two.
fn synod() -> OsString {
    env::var_os("SYNOD").unwrap_or_else(|| env!("CARGO_BIN_EXE_synod").into())
}

/// The accounts that are listed, and of which some are suspended.
const CROWD: Crowd = Crowd { name: "many", count: 100_000, named: 20 };

/// How often each is measured; every turn is shown.
const TURNS: usize = 3;

/// How often an answer is waited for once more.
const PATIENT: usize = 30;

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo test --benches` runs it too, and there it measures nothing.
    let words: Vec<String> = env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        println!("nothing is measured; use cargo bench --workspace --bench many");
        return Ok(());
    }
    let wanted = |name: &str| {
        let mut names = words.iter().filter(|word| !word.starts_with('-')).peekable();
        names.peek().is_none() || names.any(|word| word == name)
    };
    if cfg!(debug_assertions) {
        println!("This is a debug build: the homeserver is as quick as ever, and the bot is not.");
    }
    let synapse = Synapse::start(Options::default()).await?;
    if wanted("listing") {
        listing::measure(&synapse).await?;
    } else {
        synapse.add(CROWD).await?;
    }
    if wanted("suspending") {
        suspending::measure(&synapse).await?;
    }
    // Only on request: it takes minutes, and compares with nothing.
    if words.iter().any(|word| word == "growth") {
        growth::measure(&synapse).await?;
    }
    Ok(())
}

/// The bot's answer to an event, however long it takes.
async fn answer(scene: &Scene, event: &EventId) -> Result<Message> {
    for _ in 1..PATIENT {
        if let Ok(answer) = scene.answer(scene.ann(), event).await {
            return Ok(answer);
        }
    }
    scene.answer(scene.ann(), event).await
}

/// Lets the bot work without a proxy in its way.
async fn straight(scene: &Scene) -> Result<()> {
    let bot = scene.bot()?;
    bot.configure(&scene.config().to_string())?;
    bot.start_again().await
}

/// One line of a table: what it takes bare, what the bot takes, and the limit of its share.
fn row(what: &str, (bare, bot): (Duration, Duration), limit: f64) {
    let ratio = bot.as_secs_f64() / bare.as_secs_f64();
    let verdict = if ratio <= limit { "within" } else { "ABOVE" };
    println!(
        "  {what:<28} bare {:>6.2} s, the bot {:>6.2} s: {ratio:.2}, {verdict} {limit:.2}",
        bare.as_secs_f64(),
        bot.as_secs_f64(),
    );
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people, with one digit")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
