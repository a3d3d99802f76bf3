//! 1,000 accounts suspended by one command, beside the same requests made bare.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Method;
use ruma::{OwnedEventId, OwnedUserId};
use world::{Api, Message, Passed, Proxy, Scene, Synapse};

use crate::{CROWD, PATIENT, TURNS, megabytes, row, straight, synod};

/// How many are suspended by one command.
pub(crate) const MANY: usize = 1_000;

/// How many the requests are learned from: enough to be a job.
const SAMPLE: usize = 12;

/// How many subjects the bot has in hand at once.
const AT_ONCE: usize = 8;

/// At most this many times the bare requests.
const LIMIT: f64 = 1.3;

/// Stands for the subject's localpart in a path.
const SUBJECT: &str = "{subject}";

/// What is asked of the homeserver.
#[derive(Default)]
struct Requests {
    /// For the command as a whole.
    once: Vec<Passed>,
    /// For each subject, one after the other.
    each: Vec<Passed>,
}

/// How long it takes until the question is there, and from the yes to the end.
pub(crate) struct Times {
    question: Duration,
    job: Duration,
}

pub(crate) async fn measure(synapse: &Synapse) -> Result<()> {
    let scene = Scene::plan().on(synapse).set().await?;
    let mut people = CROWD.ids()?.into_iter();
    let mut next = |count| people.by_ref().take(count).collect::<Vec<_>>();
    let (looks, changes) = learn(&scene, &next(SAMPLE)).await?;
    straight(&scene).await?;
    let (bot, api) = (scene.bot()?, synapse.api(&scene.admin_token()?));
    let methods = changes.each.iter().map(|request| request.method.as_str());
    println!(
        "!user suspend with {MANY} accounts, {AT_ONCE} in hand at once; for each {} to look before \
         the question, {} after the yes",
        looks.each.len(),
        methods.collect::<Vec<_>>().join(", "),
    );
    let mut all = (Duration::ZERO, Duration::ZERO);
    for turn in 1..=TURNS {
        let them = next(MANY);
        let bare = Times {
            question: bare(&api, &looks, &them).await?,
            job: bare(&api, &changes, &them).await?,
        };
        bot.forget_peak()?;
        let before = bot.resident()?;
        let took = suspend(&scene, &next(MANY)).await?;
        row(&format!("turn {turn}, to the question"), (bare.question, took.question), LIMIT);
        row(&format!("turn {turn}, from the yes on"), (bare.job, took.job), LIMIT);
        let both = |times: &Times| times.question + times.job;
        all = (all.0 + both(&bare), all.1 + both(&took));
        row(&format!("turn {turn}, both"), (both(&bare), both(&took)), LIMIT);
        let peak = bot.peak()?;
        println!(
            "  its memory: {:.1} MB before, {:.1} MB at most",
            megabytes(before),
            megabytes(peak)
        );
    }
    row("all turns", all, LIMIT);
    Ok(())
}

/// Starts the scene's bot, learns what it asks for a job, and ends it.
async fn learn(scene: &Scene, sample: &[OwnedUserId]) -> Result<(Requests, Requests)> {
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    let bot = scene.start_bot(synod(), &config).await?;
    let at_start = proxy.requests().len();
    let question = question(scene, sample).await?;
    let asked = proxy.requests().len();
    let yes = say_yes(scene, &question, sample.len()).await?;
    ended(scene, &yes, sample.len()).await?;
    let all = proxy.requests();
    bot.terminate().await?;
    let part = |range| requests(all.get(range).unwrap_or_default(), sample);
    Ok((part(at_start..asked)?, part(asked..all.len())?))
}

/// Sorts requests by what they are about; all subjects must have the same.
fn requests(passed: &[Passed], sample: &[OwnedUserId]) -> Result<Requests> {
    let of = |user: &OwnedUserId| -> Vec<Passed> {
        let theirs = passed.iter().filter(|request| request.path.contains(user.localpart()));
        let named = |request: &Passed| {
            let path = request.path.replace(user.localpart(), SUBJECT);
            Passed { path, ..request.clone() }
        };
        theirs.map(named).collect()
    };
    let sorted: Vec<Vec<Passed>> = sample.iter().map(of).collect();
    let each = sorted.first().context("an empty sample")?.clone();
    let line = |request: &Passed| (request.method.clone(), request.path.clone());
    let lines = |requests: &[Passed]| requests.iter().map(line).collect::<Vec<_>>();
    ensure!(
        sorted.iter().all(|one| lines(one) == lines(&each)),
        "not the same for all: {sorted:?}"
    );
    let about_one =
        |request: &&Passed| sample.iter().any(|user| request.path.contains(user.localpart()));
    let once = passed.iter().filter(|request| !about_one(request)).cloned().collect();
    Ok(Requests { once, each })
}

/// The requests themselves, for as many at once as the bot has in hand.
async fn bare(api: &Api, requests: &Requests, them: &[OwnedUserId]) -> Result<Duration> {
    let began = Instant::now();
    for request in &requests.once {
        send(api, request, "").await?;
    }
    stream::iter(them)
        .map(Ok)
        .try_for_each_concurrent(AT_ONCE, |user| async move {
            for request in &requests.each {
                send(api, request, user.localpart()).await?;
            }
            anyhow::Ok(())
        })
        .await?;
    Ok(began.elapsed())
}

async fn send(api: &Api, request: &Passed, localpart: &str) -> Result<()> {
    let path = request.path.replace(SUBJECT, localpart);
    let (status, _) = match request.method {
        Method::GET => api.get(&path).await?,
        Method::PUT => api.put(&path, request.body.clone()).await?,
        Method::POST => api.post(&path, request.body.clone()).await?,
        _ => bail!("{} is not expected here", request.method),
    };
    ensure!(status < 500, "{path} answered {status}");
    Ok(())
}

pub(crate) async fn suspend(scene: &Scene, them: &[OwnedUserId]) -> Result<Times> {
    let began = Instant::now();
    let asked = question(scene, them).await?;
    let to_question = began.elapsed();
    let began = Instant::now();
    let yes = say_yes(scene, &asked, them.len()).await?;
    ended(scene, &yes, them.len()).await?;
    Ok(Times { question: to_question, job: began.elapsed() })
}

async fn question(scene: &Scene, them: &[OwnedUserId]) -> Result<Message> {
    let lines: Vec<&str> = them.iter().map(|user| user.as_str()).collect();
    let typed = format!("!user suspend\n{}", lines.join("\n"));
    let event = scene.ann().say(scene.room(), &typed).await?;
    // A word comes before it that says what takes so long.
    let is_question = |message: &Message| {
        message.reply_to.as_ref() == Some(&event) && message.body.contains("!confirm")
    };
    for _ in 0..PATIENT {
        if let Ok(question) = scene.ann().wait_for("the question", is_question).await {
            return Ok(question);
        }
    }
    bail!("there is no question")
}

async fn say_yes(scene: &Scene, question: &Message, many: usize) -> Result<OwnedEventId> {
    let (_, after) = question.body.split_once("!confirm ").context(question.body.clone())?;
    let code: String = after.chars().take_while(char::is_ascii_digit).collect();
    scene.ann().say(scene.room(), &format!("!confirm {code} {many}")).await
}

/// Waits for the end of the job that this yes began: its answer calls whoever asked.
async fn ended(scene: &Scene, yes: &OwnedEventId, many: usize) -> Result<()> {
    let ann = scene.ann();
    let is_end = |message: &Message| {
        message.reply_to.as_ref() == Some(yes) && message.mentions.contains(ann.user_id())
    };
    for _ in 0..PATIENT {
        if let Ok(told) = ann.wait_for("the end of the job", is_end).await {
            ensure!(told.body.starts_with(&format!("Done · {many} of {many}")), "{}", told.body);
            return Ok(());
        }
    }
    bail!("the job does not end")
}
