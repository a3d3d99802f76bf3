//! The main job of Synod on a real homeserver, from nothing to the proof, as a transcript.
//!
//! `deploy/demo.sh` builds and starts it. It ends with 0 only if every step came out as expected.

mod story;
mod talk;
mod town;
mod typed;

use std::{
    env,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::{
    select,
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};
use world::{Bot, Options, SERVER_NAME, Synapse, is_installed};

use self::{talk::Talk, town::Town};

const USAGE: &str = "usage: demo [--once]

Starts a homeserver and Synod, plays a conversation with them and prints it, then stays up until
Ctrl-C; what is typed meanwhile is said in the admin room. With --once it ends after the
conversation.";

/// Says what is being done and since when.
#[derive(Debug, Clone, Copy)]
struct Progress(Instant);

impl Progress {
    fn say(self, what: &str) {
        println!("[{:>5.1} s] {what}", self.0.elapsed().as_secs_f64());
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let once = match words.as_slice() {
        [] => false,
        ["--once"] => true,
        ["--help"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match demonstrate(once).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\nThe demo did not come to its end: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What stands when the conversation is over.
struct Played {
    as_expected: bool,
    // In this order: the bot ends before the homeserver.
    bot: Bot,
    town: Town,
    synapse: Synapse,
}

/// Answers whether every step came out as expected.
async fn demonstrate(once: bool) -> Result<bool> {
    // Homeserver, bot and data go with what `play` holds, also when it is dropped in the middle.
    let played = select! {
        played = play() => played?,
        name = interrupted() => bail!("interrupted by {}", name?),
    };
    if !once {
        played.town.invite_in(&played.synapse);
        typed::explain();
        println!("\nCtrl-C ends it all.");
        // Somebody may be at it for hours; a signal ends it, and ending so is as it should be.
        let signal = select! {
            signal = interrupted() => signal?,
            signal = stay(&played.town) => signal?,
        };
        println!("\n{signal}: stopping Synod and the homeserver.");
    }
    let ended = played.bot.terminate().await?;
    played.synapse.stop().await?;
    println!("Synod has ended ({ended}); the homeserver and all its data are gone.");
    Ok(played.as_expected && ended.success())
}

/// Lets one type until the input ends, and then waits for a signal.
async fn stay(town: &Town) -> Result<&'static str> {
    typed::type_along(town, &mut Talk::from_now(town)).await;
    interrupted().await
}

/// Sets everything up and holds the conversation.
async fn play() -> Result<Played> {
    let progress = Progress(Instant::now());
    let binary = binary()?;
    let synapse = start_synapse(progress).await?;
    let town = Town::build(&synapse, progress).await?;
    let config = town.config(&synapse);
    progress.say("starting Synod with this configuration:\n");
    for line in config.to_string().lines() {
        println!("    {line}");
    }
    println!(
        "\n    (`read_only: false` lets it act at once. On your own server begin with true.)\n"
    );
    let bot = Bot::start(&binary, &config.to_string(), &town.dir).await?;
    town.ann.sees_joined(&town.room, &town.bot.user_id).await?;
    progress.say("Synod is in the admin room; what follows is what ann.keller's client shows\n");

    let mut talk = Talk::new(&town);
    if let Err(error) = story::tell(&town, &synapse, &mut talk).await {
        talk.broke_off(&error, &bot.log().tail(30));
    }
    let as_expected = talk.verdict();
    println!("The demo took {:.1} s.", progress.0.elapsed().as_secs_f64());
    Ok(Played { as_expected, bot, town, synapse })
}

async fn start_synapse(progress: Progress) -> Result<Synapse> {
    if is_installed() {
        progress.say(&format!("starting Synapse for {SERVER_NAME}, empty, on loopback"));
    } else {
        progress.say("installing Synapse into the build folder, once: about a minute");
    }
    let mut waiting = interval(Duration::from_secs(5));
    waiting.set_missed_tick_behavior(MissedTickBehavior::Delay);
    waiting.tick().await;
    let start = Synapse::start(Options::default());
    tokio::pin!(start);
    loop {
        select! {
            synapse = &mut start => break synapse,
            _ = waiting.tick() => progress.say("... still at it"),
        }
    }
}

/// The bot lies beside the folder of the examples.
fn binary() -> Result<PathBuf> {
    let own = env::current_exe()?;
    let folder = own.parent().and_then(|examples| examples.parent());
    let binary = folder.context("a program lies in a folder")?.join("synod");
    ensure!(
        binary.is_file(),
        "{} is not there: start the demo by deploy/demo.sh, which builds it",
        binary.display()
    );
    Ok(binary)
}

/// Returns when somebody asks this program to end, with the name of the signal.
async fn interrupted() -> Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    select! {
        pressed = tokio::signal::ctrl_c() => pressed.map(|()| "Ctrl-C").map_err(Into::into),
        _ = terminate.recv() => Ok("SIGTERM"),
    }
}
