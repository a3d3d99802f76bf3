//! Series of crashes and faults, of any length, and what must hold whatever happens.
//!
//! In `.ci/run` each is a short piece; `tests/long.sh` lets them run as long as wanted. Both print
//! the seed that chance follows from.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use reqwest::Method;
use ruma::OwnedEventId;
use serde_json::Value;
use tokio::time::sleep;
use world::{Account, Message, Proxy, Scene, Storm};

use crate::{
    SYNOD,
    support::{code, is},
};

/// How long after the last fault everything must be answered.
const RECOVERY: Duration = Duration::from_secs(15);

/// How soon after a command the bot is killed, in milliseconds.
const KILL_WITHIN: u64 = 750;

/// How many requests of a hundred a storm hurts.
const HURT: u32 = 55;

/// A number from the environment: a length, or the seed of chance.
fn given(name: &str) -> Result<Option<u64>> {
    match env::var(name) {
        Ok(given) => Ok(Some(given.parse().with_context(|| format!("{name} is a number"))?)),
        Err(_) => Ok(None),
    }
}

/// Chance, from the seed that is given or from one that nobody chose.
fn chance(series: &str) -> Result<(u64, StdRng)> {
    let seed = given("SERIES_SEED")?.unwrap_or_else(|| rand::rng().random());
    println!("{series}: SERIES_SEED={seed}");
    Ok((seed, StdRng::seed_from_u64(seed)))
}

/// A change that is asked for, and the flag that it sets.
#[derive(Debug, Clone, Copy)]
struct Asked {
    verb: &'static str,
    flag: &'static str,
    /// Whether it takes a code.
    coded: bool,
}

const CHANGES: [Asked; 4] = [
    Asked { verb: "suspend", flag: "suspended", coded: false },
    Asked { verb: "lock", flag: "locked", coded: false },
    Asked { verb: "shadow-ban", flag: "shadow_banned", coded: false },
    Asked { verb: "deactivate", flag: "deactivated", coded: true },
];

/// One command about an account that no other command is about.
#[derive(Debug)]
struct Command {
    what: Asked,
    about: Account,
    /// Its event, and after it that of its yes.
    said: Vec<OwnedEventId>,
}

/// Everything that was asked for.
struct Series<'a> {
    scene: &'a Scene,
    /// What every request of the bot's to the Admin API comes by.
    admin: &'a Proxy,
    commands: Vec<Command>,
    /// How many accounts were made.
    made: usize,
}

impl<'a> Series<'a> {
    fn new(scene: &'a Scene, admin: &'a Proxy) -> Self {
        Self { scene, admin, commands: Vec::new(), made: 0 }
    }

    /// Says one of the changes about a new account, with its yes where it takes one and the
    /// question comes. Returns as soon as the last word is said.
    async fn ask(&mut self, chance: &mut StdRng) -> Result<()> {
        let what = *CHANGES.choose(chance).context("there are changes")?;
        self.made += 1;
        let about = self.scene.subject(&format!("s{}", self.made)).await?;
        let (ann, room) = (self.scene.ann(), self.scene.room());
        let said = ann.say(room, &format!("!user {} {}", what.verb, about.user_id)).await?;
        let mut command = Command { what, about, said: vec![said.clone()] };
        if what.coded
            && let Ok(question) = self.scene.answer(ann, &said).await
            && let Ok(code) = code(&question)
        {
            command.said.push(ann.say(room, &format!("!confirm {code}")).await?);
        }
        self.commands.push(command);
        Ok(())
    }

    /// Waits until every command and every yes has an answer; how long that took from `since`.
    async fn answered(&self, since: Instant) -> Result<Duration> {
        for event in self.commands.iter().flat_map(|command| &command.said) {
            self.scene.answer(self.scene.ann(), event).await?;
        }
        let took = since.elapsed();
        ensure!(took <= RECOVERY, "everything was answered only after {took:?}");
        Ok(took)
    }

    /// Holds what was told against what was done.
    async fn holds(&self) -> Result<()> {
        for command in &self.commands {
            let words = self.words(command);
            let about = format!("{command:?} was answered {words:?}");
            let so = is(self.scene, &command.about, command.what.flag).await?;
            let told = |word: &str| words.iter().any(|told| told == word);
            ensure!(so || !told("Done"), "told as done, and it is not: {about}");
            let may_be = told("Done") || told("Unknown") || told("Done in part");
            ensure!(!so || may_be, "done, and never told: {about}");
            let sent = self.sent(command);
            ensure!(sent.len() <= 1, "sent more than once: {sent:?}; {about}");
        }
        self.numbers()?;
        let verified = self.scene.ann_asks("!audit verify").await?;
        ensure!(verified.body.contains("The record is whole"), "{}", verified.body);
        Ok(())
    }

    /// The first words of the answers to a command and to its yes.
    fn words(&self, command: &Command) -> Vec<String> {
        let answers = command.said.iter().flat_map(|event| self.scene.ann().answers_to(event));
        answers.map(|told| told.body.split(" · ").next().unwrap_or_default().to_owned()).collect()
    }

    /// The requests that would have changed what a command is about.
    fn sent(&self, command: &Command) -> Vec<String> {
        let name = command.about.user_id.localpart();
        let changes = self.admin.changes().into_iter();
        let theirs = changes.filter(|one| {
            // Other names begin alike.
            one.path.split(['/', '?', '@', ':']).any(|part| {
                part == name || part.trim_start_matches("%40").split("%3A").next() == Some(name)
            })
        });
        theirs.map(|one| format!("{} {}", one.method, one.path)).collect()
    }

    /// No number of the record was given twice, neither in what travels nor in what can be undone.
    fn numbers(&self) -> Result<()> {
        let mut hashes: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        let mut undos: BTreeMap<String, BTreeSet<OwnedEventId>> = BTreeMap::new();
        for message in self.scene.ann().heard() {
            if message.sender != *self.scene.bot_id() {
                continue;
            }
            for entry in entries(&message)? {
                let (seq, hash) = (&entry["seq"], &entry["hash"]);
                let seq = seq.as_u64().context("an entry has a number")?;
                hashes.entry(seq).or_default().insert(hash.to_string());
            }
            if let (Some((_, undo)), Some(about)) =
                (message.body.split_once("!undo "), &message.reply_to)
            {
                let number = undo.chars().take_while(char::is_ascii_digit).collect();
                undos.entry(number).or_default().insert(about.clone());
            }
        }
        for (seq, hashes) in hashes {
            ensure!(hashes.len() == 1, "number {seq} stands for {}", hashes.len());
        }
        for (number, about) in undos {
            ensure!(about.len() == 1, "!undo {number} was offered for {about:?}");
        }
        Ok(())
    }
}

/// The entries of the record that travel with a message.
fn entries(message: &Message) -> Result<Vec<Value>> {
    let carried = message.raw["content"]["synod.record"].as_array().cloned().unwrap_or_default();
    let entry = |line: &Value| {
        let line: Value = serde_json::from_str(line.as_str().context("a line is text")?)?;
        Ok(line["entry"].clone())
    };
    carried.iter().map(entry).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_the_bot_is_killed_each_change_is_made_at_most_once_and_told() -> Result<()> {
    let kills = given("SERIES_KILLS")?.unwrap_or(6);
    let (_, mut chance) = chance("crashes")?;
    let scene = Scene::plan().set().await?;
    let admin = Proxy::start(&scene.synapse().url()).await?;
    scene.start_bot(SYNOD, &scene.config().set("homeserver.admin_url", admin.url())).await?;
    // What is said before it has begun to read in the room is for nobody.
    scene.ann_asks("!me").await?;
    let mut series = Series::new(&scene, &admin);
    for kill in 1..=kills {
        series.ask(&mut chance).await?;
        let after = Duration::from_millis(chance.random_range(0..=KILL_WITHIN));
        sleep(after).await;
        scene.bot()?.kill().await?;
        let since = Instant::now();
        scene.bot()?.start_again().await?;
        let took = series.answered(since).await.with_context(|| format!("kill {kill}"))?;
        println!("kill {kill}, {after:?} after the command: all told {took:?} later");
    }
    admin.settled().await?;
    series.holds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_storm_of_faults_each_change_is_made_at_most_once_and_told() -> Result<()> {
    let length = Duration::from_secs(given("SERIES_SECONDS")?.unwrap_or(20));
    let (seed, mut chance) = chance("storm")?;
    let scene = Scene::plan().set().await?;
    let [admin, client] =
        [Proxy::start(&scene.synapse().url()).await?, Proxy::start(&scene.synapse().url()).await?];
    let config =
        scene.config().set("homeserver.url", client.url()).set("homeserver.admin_url", admin.url());
    scene.start_bot(SYNOD, &config).await?;
    scene.ann_asks("!me").await?;
    let mut series = Series::new(&scene, &admin);
    admin.storm(Storm { seed, percent: HURT });
    client.storm(Storm { seed: seed.wrapping_add(1), percent: HURT });
    let begun = Instant::now();
    while begun.elapsed() < length {
        series.ask(&mut chance).await?;
        sleep(Duration::from_millis(chance.random_range(0..2_000))).await;
    }
    admin.calm();
    client.calm();
    let took = series.answered(Instant::now()).await?;
    println!("{} commands in {length:?}: all told {took:?} after it", series.commands.len());
    admin.settled().await?;
    ensure!(!client.requests().iter().all(|one| one.method == Method::GET), "nothing was said");
    series.holds().await
}
