//! How quick an answer is, and how much memory the bot takes.
//!
//! `cargo bench --workspace --bench answer` measures `!user details @x` over a real Synapse on
//! loopback, first in a room in clear, then in an encrypted one. Beside each answer, in the same
//! run and turn by turn, it measures what no bot can do without: two bare message round trips
//! (from sending to hearing it in one's own `/sync`, with the same client and filter) and the
//! requests to the Admin API that the answer rests on; and the least that a bot on matrix-nio takes
//! for the same requests and an answer. Of the bot's own part it tells what lies in
//! the way: from the end of its sync to its first request, and from the answer to the last of these
//! to the sending of its own. Then it gives the bot 1,000 commands and reads its resident memory.
//!
//! `-- speed` or `-- memory` measures one of the two, and `SYNOD=/another/synod` another build, so that
//! two can be compared. It judges nothing by its exit code: a slow day
//! is no error.

use std::{
    env,
    ffi::OsString,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use ruma::OwnedRoomId;
use serde_json::json;
use world::{Account, Api, NewRoom, Nio, Options, Proxy, Scene, Synapse};

use tap::{Exchange, Tap};

mod tap;

/// The binary that is measured: this build's, or another's where `SYNOD` names one.
fn synod() -> OsString {
    env::var_os("SYNOD").unwrap_or_else(|| env!("CARGO_BIN_EXE_synod").into())
}

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
    /// How long the bot's own part may take before the first request, and after the last, in ms.
    own: [f64; 2],
}

const ROOMS: [Rooms; 2] = [
    Rooms { name: "in clear", encrypted: false, limit: 0.95, own: [3.0, 1.0] },
    Rooms { name: "encrypted", encrypted: true, limit: 1.05, own: [6.0, 2.0] },
];

/// At most this many times what the bot on matrix-nio takes.
const RIVAL: f64 = 1.0;

#[tokio::main]
async fn main() -> Result<()> {
    // `cargo test --benches` runs it too, and there is nothing to measure in a debug build but another.
    let words: Vec<String> = env::args().skip(1).collect();
    if cfg!(debug_assertions) && env::var_os("SYNOD").is_none() {
        println!("a debug build measures nothing; use cargo bench --workspace --bench answer");
        return Ok(());
    }
    let wanted = |name: &str| {
        let mut names = words.iter().filter(|word| !word.starts_with('-')).peekable();
        names.peek().is_none() || names.any(|word| word == name)
    };
    let synapse = Synapse::start(Options::default()).await?;
    if wanted("speed") {
        for rooms in &ROOMS {
            speed(&synapse, rooms).await?;
        }
    }
    if wanted("memory") {
        memory(&synapse).await?;
    }
    Ok(())
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

/// What was measured in the turns of one kind of room.
#[derive(Default)]
struct Measured {
    trips: Vec<Duration>,
    requests: Vec<Duration>,
    together: Vec<Duration>,
    answers: Vec<Duration>,
    rivals: Vec<Duration>,
    before: Vec<Duration>,
    after: Vec<Duration>,
}

async fn speed(synapse: &Synapse, rooms: &Rooms) -> Result<()> {
    let plan = Scene::plan().on(synapse);
    let plan = if rooms.encrypted { plan } else { plan.in_clear() };
    let scene = plan.set().await?;
    let eve = scene.subject("eve").await?;
    let looks = looks(&scene, &eve).await?;
    // What is measured has nothing in its way but a wire.
    let tap = Tap::to(&synapse.url()).await?;
    let config = scene.config().set("homeserver.url", tap.url());
    scene.bot()?.configure(&config.set("homeserver.admin_url", tap.url()).to_string())?;
    scene.bot()?.start_again().await?;
    let rival = Rival::of(&scene, rooms.encrypted, &looks).await?;
    let api = synapse.api(synapse.admin().token());
    let mut measured = Measured::default();
    for turn in 0..WARM_UP + TURNS {
        // Two trips, as an answer is two messages; and all sides of it by turns.
        let trip = round_trip(&scene).await? + round_trip(&scene).await?;
        let request = bare(&api, &looks).await?;
        let by_rival = rival.answer(&scene, &eve).await?;
        let mark = tap.mark();
        let answer = answer(&scene, &eve).await?;
        let (before, after) = own_part(&tap.exchanges(), mark)?;
        if turn >= WARM_UP {
            measured.trips.push(trip);
            measured.requests.push(request);
            measured.together.push(trip + request);
            measured.answers.push(answer);
            measured.rivals.push(by_rival);
            measured.before.push(before);
            measured.after.push(after);
        }
    }
    measured.tell(rooms, looks.len());
    Ok(())
}

impl Measured {
    fn tell(self, rooms: &Rooms, looks: usize) {
        println!("!user details, {}: median and 90th percentile of {TURNS}, in ms", rooms.name);
        let tell = |what: &str, times: Vec<Duration>| {
            let times = Times::of(times);
            println!("  {what:<42} {:>7.1} {:>7.1}", times.median(), times.at(90));
            times.median()
        };
        let verdict = |is: f64, limit: f64| if is <= limit { "within" } else { "ABOVE" };
        tell("two message round trips", self.trips);
        tell(&format!("{looks} requests to the Admin API, in turn"), self.requests);
        let together = tell("both", self.together);
        let answer = tell("the answer", self.answers);
        let rival = tell("the same by a bot on matrix-nio", self.rivals);
        let before = tell("the bot's own, from its sync to its requests", self.before);
        let after = tell("the bot's own, from these to its answer", self.after);
        let (ratio, limit) = (answer / together, rooms.limit);
        println!("  the answer takes {ratio:.2} of both, {} {limit:.2}", verdict(ratio, limit));
        let ratio = answer / rival;
        println!("  and {ratio:.2} of a bot on matrix-nio, {} {RIVAL:.2}", verdict(ratio, RIVAL));
        for (what, own, limit) in [("before", before, rooms.own[0]), ("after", after, rooms.own[1])]
        {
            println!("  {own:.1} ms {what} the requests, {} {limit:.1}", verdict(own, limit));
        }
        println!();
    }
}

/// What of an answer is the bot's own: from the end of its sync to the first request to the Admin
/// API after `mark`, and from the answer to the last of these to the sending of its own.
fn own_part(exchanges: &[Exchange], mark: usize) -> Result<(Duration, Duration)> {
    let new = || exchanges.iter().skip(mark);
    let looks = || new().filter(|one| one.line.starts_with("GET /_synapse/admin/"));
    let first = looks().map(|look| look.asked).min().context("no request was made")?;
    let last = looks().filter_map(|look| look.answered).max().context("no request was answered")?;
    let syncs = exchanges.iter().filter(|one| one.line.contains("/sync?"));
    let heard = syncs.filter_map(|sync| sync.answered).filter(|at| *at < first).max();
    let heard = heard.context("no sync came before")?;
    let sent = new().filter(|one| one.line.starts_with("PUT ") && one.line.contains("/send/"));
    let sent = sent.map(|one| one.asked).min().context("nothing was sent")?;
    Ok((first - heard, sent.saturating_duration_since(last)))
}

/// A bot on matrix-nio in a room of its own with ann.
struct Rival {
    _bot: Nio,
    room: OwnedRoomId,
}

impl Rival {
    async fn of(scene: &Scene, encrypted: bool, looks: &[String]) -> Result<Self> {
        let account = scene.subject("rival").await?;
        let invite = vec![account.user_id.clone()];
        let room = NewRoom { encrypted, invite, ..NewRoom::default() };
        let room = scene.ann().create_room(&room).await?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/answer/rival.py");
        let settings = json!({
            "homeserver": scene.synapse().url(),
            "user_id": account.user_id,
            "password": account.password,
            "admin_token": scene.admin_token()?,
            "room": room,
            "encrypted": encrypted,
            "looks": looks,
        });
        let bot = Nio::start(&script, &settings).await?;
        scene.ann().sees_joined(&room, &account.user_id).await?;
        Ok(Self { _bot: bot, room })
    }

    async fn answer(&self, scene: &Scene, eve: &Account) -> Result<Duration> {
        let began = Instant::now();
        let said = scene.ann().say(&self.room, &format!("!user details {}", eve.user_id)).await?;
        let answer = scene.ann().answer_to(&said).await?;
        let took = began.elapsed();
        ensure!(answer.body.contains(eve.user_id.as_str()), "not an answer: {}", answer.body);
        Ok(took)
    }
}

/// Learns from a run of the scene's bot which requests it makes for one answer.
async fn looks(scene: &Scene, eve: &Account) -> Result<Vec<String>> {
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    let bot = scene.start_bot(synod(), &config).await?;
    let before = proxy.requests().len();
    answer(scene, eve).await?;
    let made = proxy.requests().into_iter().skip(before);
    let looks: Vec<String> =
        made.filter(|request| request.method == Method::GET).map(|request| request.path).collect();
    ensure!(!looks.is_empty(), "an answer about an account takes a look at it");
    bot.terminate().await?;
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
    let scene = Scene::plan().on(synapse).start(synod()).await?;
    let eve = scene.subject("eve").await?;
    let memory = || -> Result<String> {
        let (resident, own) = (scene.bot()?.resident()?, scene.bot()?.anonymous()?);
        let (resident, own) = (megabytes(resident), megabytes(own));
        Ok(format!("{resident:.1} MB, of which {own:.1} MB are no part of a file such as its code"))
    };
    println!("resident memory, encrypted room, at the start: {}", memory()?);
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
        let no = ["Refused", "Not understood", "Not found", "Failed"];
        let is_no = no.iter().any(|no| answer.body.starts_with(&format!("{no} · ")));
        ensure!(!is_no, "{command}: {}", answer.body);
    }
    println!("  after {COMMANDS} commands: {}; the limit is 60 MB", memory()?);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people, with one digit")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
