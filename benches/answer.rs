//! How quick an answer is, and how much memory the bot takes.
//!
//! `cargo bench --workspace --bench answer` measures `!user details @x` over a real Synapse on
//! loopback, first in a room in clear, then in an encrypted one. Beside each answer, in the same
//! run and turn by turn, it measures what no bot can do without: two bare message round trips
//! (from sending to hearing it in one's own `/sync`, with the same client and filter) and the
//! requests to the Admin API that the answer rests on. Then it gives the bot 1,000 commands and
//! reads its resident memory.
//!
//! It judges nothing by its exit code: a slow day is no error.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use world::{Account, Api, Options, Proxy, Scene, Synapse};

const SYNOD: &str = env!("CARGO_BIN_EXE_synod");

/// Turns before anything is counted: sessions are made, caches filled.
const WARM_UP: usize = 10;

/// Turns that count.
const TURNS: usize = 60;

/// Commands after which the memory is read.
const COMMANDS: usize = 1_000;

/// What one command costs beside what it is measured against.
struct Rooms {
    name: &'static str,
    encrypted: bool,
    /// At most this many times two round trips and the requests.
    limit: f64,
}

const ROOMS: [Rooms; 2] = [
    Rooms { name: "in clear", encrypted: false, limit: 0.95 },
    Rooms { name: "encrypted", encrypted: true, limit: 1.05 },
];

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo test --benches` runs it too, and there is nothing to measure in a debug build.
    if cfg!(debug_assertions) {
        println!("a debug build measures nothing; use cargo bench --workspace --bench answer");
        return Ok(());
    }
    let synapse = Synapse::start(Options::default()).await?;
    for rooms in &ROOMS {
        speed(&synapse, rooms).await?;
    }
    memory(&synapse).await
}

/// Times of one kind, in order of size.
struct Times(Vec<Duration>);

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// The time that `share` of all stay below, in milliseconds.
    fn at(&self, share: usize) -> f64 {
        let position = self.0.len() * share / 100;
        let time = self.0.get(position).or(self.0.last()).copied().unwrap_or_default();
        time.as_secs_f64() * 1_000.0
    }

    fn median(&self) -> f64 {
        self.at(50)
    }
}

async fn speed(synapse: &Synapse, rooms: &Rooms) -> Result<()> {
    let plan = Scene::plan().on(synapse);
    let plan = if rooms.encrypted { plan } else { plan.in_clear() };
    let scene = plan.set().await?;
    let eve = scene.subject("eve").await?;
    let looks = looks(&scene, &eve).await?;
    let api = synapse.api(synapse.admin().token());
    let (mut trips, mut requests, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..WARM_UP + TURNS {
        // Two trips, as an answer is two messages; and both sides of it by turns.
        let trip = round_trip(&scene).await? + round_trip(&scene).await?;
        let request = bare(&api, &looks).await?;
        let answer = answer(&scene, &eve).await?;
        if turn >= WARM_UP {
            trips.push(trip);
            requests.push(request);
            answers.push(answer);
        }
    }
    let together = trips.iter().zip(&requests).map(|(trip, request)| *trip + *request).collect();
    let [trips, requests, answers, together] = [trips, requests, answers, together].map(Times::of);
    let ratio = answers.median() / together.median();
    println!("!user details, {}: median and 90th percentile of {TURNS}, in ms", rooms.name);
    let row = |what: &str, times: &Times| {
        println!("  {what:<34} {:>7.1} {:>7.1}", times.median(), times.at(90));
    };
    row("two message round trips", &trips);
    row(&format!("{} requests to the Admin API", looks.len()), &requests);
    row("both", &together);
    row("the answer", &answers);
    let limit = rooms.limit;
    let verdict = if ratio <= limit { "within" } else { "ABOVE" };
    println!("  the answer takes {ratio:.2} of both, {verdict} the limit of {limit:.2}\n");
    Ok(())
}

/// Starts the scene's bot and learns which requests it makes for one answer.
async fn looks(scene: &Scene, eve: &Account) -> Result<Vec<String>> {
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    let bot = scene.start_bot(SYNOD, &config).await?;
    let before = proxy.requests().len();
    answer(scene, eve).await?;
    let made = proxy.requests().into_iter().skip(before);
    let looks: Vec<String> =
        made.filter(|request| request.method == Method::GET).map(|request| request.path).collect();
    ensure!(!looks.is_empty(), "an answer about an account takes a look at it");
    // What is measured has no proxy in its way.
    bot.terminate().await?;
    bot.configure(&scene.config().to_string())?;
    bot.start_again().await?;
    Ok(looks)
}

/// From sending a message that is no command to hearing it oneself.
async fn round_trip(scene: &Scene) -> Result<Duration> {
    let ann = scene.ann();
    let mark = ann.mark();
    let began = Instant::now();
    let event = ann.say(scene.room(), "a message that asks for nothing").await?;
    ann.wait_for_since(mark, "one's own message", |heard| heard.event_id == event).await?;
    Ok(began.elapsed())
}

/// The requests themselves, one after another.
async fn bare(api: &Api, looks: &[String]) -> Result<Duration> {
    let began = Instant::now();
    for look in looks {
        let (status, _) = api.get(look).await?;
        ensure!(status == 200, "{look} answered {status}");
    }
    Ok(began.elapsed())
}

/// From sending the command to hearing the answer.
async fn answer(scene: &Scene, eve: &Account) -> Result<Duration> {
    let began = Instant::now();
    let answer = scene.ann_asks(&format!("!user details {}", eve.user_id)).await?;
    let took = began.elapsed();
    ensure!(answer.body.contains(eve.user_id.as_str()), "not an answer: {}", answer.body);
    Ok(took)
}

async fn memory(synapse: &Synapse) -> Result<()> {
    let scene = Scene::plan().on(synapse).start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let resident = || scene.bot()?.resident().context("the bot's memory");
    let at_start = resident()?;
    let id = &eve.user_id;
    let commands = [
        format!("!user details {id}"),
        "!user list".to_owned(),
        format!("!user suspend {id}"),
        format!("!user unsuspend {id}"),
        "!help user".to_owned(),
    ];
    for command in commands.iter().cycle().take(COMMANDS) {
        let answer = scene.ann_asks(command).await?;
        ensure!(!answer.body.starts_with("Refused · "), "{command}: {}", answer.body);
    }
    let after = resident()?;
    println!("resident memory, encrypted room: {:.1} MB at the start,", megabytes(at_start));
    println!("  {:.1} MB after {COMMANDS} commands; the limit is 60 MB", megabytes(after));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people, with one digit")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
