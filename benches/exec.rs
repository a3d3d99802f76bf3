//! How quick a command from a shell is, beside synadm.
//!
//! `cargo bench --workspace --bench exec` runs ten looks by `synod exec` and the same ten by synadm, turn
//! by turn on one homeserver on loopback, each as a process of its own, as scripts do. It tells the median
//! of each and how many times as quick the bot is; the aim is 30. `SYNOD=/another/synod` measures another
//! build. It judges nothing by its exit code: a slow day is no error.

use std::{
    env,
    ffi::OsString,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::process::Command;
use world::{Options, Scene, Synadm, Synapse};

/// Turns that count, of each command.
const TURNS: usize = 15;

/// So many times as quick as synadm.
const AIM: f64 = 30.0;

/// The binary that is measured: this build's, or another's where `SYNOD` names one.
fn synod() -> OsString {
    env::var_os("SYNOD").unwrap_or_else(|| env!("CARGO_BIN_EXE_synod").into())
}

/// The same look in both.
struct Pair {
    synod: Vec<String>,
    synadm: Vec<String>,
}

fn pairs(scene: &Scene) -> Vec<Pair> {
    let (user, room) = (scene.ann().user_id().as_str(), scene.room().as_str());
    let same = [
        "user list",
        "user details USER",
        "user search ann",
        "user whois USER",
        "user membership USER",
        "room list",
        "room details ROOM",
        "room members ROOM",
        "regtok list",
    ];
    let words = |line: &str| {
        let word = |word: &str| word.replace("USER", user).replace("ROOM", room);
        line.split(' ').map(word).collect::<Vec<_>>()
    };
    let both = same.map(|line| (line, line)).into_iter().chain([("server version", "version")]);
    both.map(|(synod, synadm)| Pair { synod: words(synod), synadm: words(synadm) }).collect()
}

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo test --benches` runs it too, and there one turn shows that it works.
    let measures = env::args().any(|word| word == "--bench");
    let turns = if measures { TURNS } else { 1 };
    if cfg!(debug_assertions) && env::var_os("SYNOD").is_none() {
        println!("This is a debug build: synadm is as quick as ever, and the bot is not.");
    }
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    let socket = scene.dir().join("exec.sock");
    let shell = json!({ "socket": socket, "operators": { "root": scene.ann().user_id() } });
    scene.start_bot(synod(), &scene.config().set("shell", shell)).await?;
    let synadm = Synadm::of(&scene).await?;
    let (mut all, mut all_synadm) = (Duration::ZERO, Duration::ZERO);
    for Pair { synod: words, synadm: theirs } in pairs(&scene) {
        let (mut times, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..turns {
            times.push(exec(&socket, &words).await?);
            beside.push(of_synadm(&synadm, &theirs).await?);
        }
        let (time, beside) = (median(times), median(beside));
        tell(&words[..2].join(" "), time, beside);
        all += time;
        all_synadm += beside;
    }
    tell("all of them", all, all_synadm);
    Ok(())
}

async fn exec(socket: &Path, words: &[String]) -> Result<Duration> {
    let mut command = Command::new(synod());
    command.args(["exec", "--socket"]).arg(socket).arg("--").args(words);
    let began = Instant::now();
    let ran = command.output().await?;
    let took = began.elapsed();
    ensure!(ran.status.success() && !ran.stdout.is_empty(), "{words:?}: {ran:?}");
    Ok(took)
}

async fn of_synadm(synadm: &Synadm, words: &[String]) -> Result<Duration> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let began = Instant::now();
    let said = synadm.runs(&words).await?;
    let took = began.elapsed();
    ensure!(said.code == Some(0), "{words:?}: {said:?}");
    Ok(took)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn tell(what: &str, time: Duration, beside: Duration) {
    let times = beside.as_secs_f64() / time.as_secs_f64().max(f64::EPSILON);
    let aim = if times < AIM { format!(", and should be {AIM}") } else { String::new() };
    let (time, beside) = (time.as_secs_f64() * 1_000.0, beside.as_secs_f64() * 1_000.0);
    println!("{what}: {time:.1} ms, synadm {beside:.0} ms: {times:.0} times as quick{aim}");
}
