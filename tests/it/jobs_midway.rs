//! What befalls a job on its way, and what becomes of the rest of it.

use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use reqwest::Method;
use ruma::OwnedEventId;
use synod::{
    jobs::{Jobs, Stage},
    store::Store,
};
use world::{Account, Caught, Fault, Message, PATIENCE, Person, Proxy, Scene};

use crate::{
    jobs::{accounts, count, ended, ended_for, lines, outcomes, say_yes},
    store::{nearly_full, no_more, restart},
    support::{code, digits, is, says, watched},
};

/// How many subjects of a job are in hand at once.
const IN_HAND: usize = 8;

/// Holds the answers to what is sent for these; as many as are in hand at once.
fn hold(proxy: &Proxy, some: &[Account]) -> Vec<Caught> {
    let held = |one: &Account| proxy.next(Method::PUT, one.user_id.localpart(), Fault::HoldAnswer);
    some.iter().map(held).collect()
}

/// Lets `person` ask this of them and say yes to it, and waits until as many as can be are in hand,
/// held. Answers the event of the yes, and what is held.
async fn held_job(
    (scene, proxy): (&Scene, &Proxy),
    person: &Person,
    (command, all): (&str, &[Account]),
) -> Result<(OwnedEventId, Vec<Caught>)> {
    let question = scene.ask(person, &format!("!{command}{}", lines(all))).await?;
    let held = hold(proxy, &all[..IN_HAND]);
    let yes = format!("!confirm {} {}", code(&question)?, all.len());
    let yes = person.say(scene.room(), &yes).await?;
    try_join_all(held.iter().map(Caught::reached)).await?;
    Ok((yes, held))
}

/// The message that shows how far the job of this yes is, and its number.
pub(crate) async fn progress(scene: &Scene, yes: &OwnedEventId) -> Result<(Message, String)> {
    let message = scene.answer(scene.ann(), yes).await?;
    let number = digits(&message.body, "Job #")?;
    Ok((message, number))
}

/// How often something was sent for each.
fn sent(proxy: &Proxy, all: &[Account]) -> Vec<usize> {
    let changes = proxy.changes();
    let to = |one: &Account| {
        changes.iter().filter(|passed| passed.path.contains(one.user_id.localpart())).count()
    };
    all.iter().map(to).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_changed_since_the_question_is_left_out_and_told() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (api, all) = (scene.synapse().admin(), accounts(&scene, 12).await?);
    let question = scene.ann_asks(&format!("!user suspend{}", lines(&all))).await?;
    let account = |n: usize| format!("/_synapse/admin/v2/users/{}", all[n].user_id);
    api.put(&account(4), serde_json::json!({ "locked": true })).await?;
    api.put(&account(5), serde_json::json!({ "admin": true })).await?;
    api.put(&account(6), serde_json::json!({ "deactivated": true })).await?;
    let suspend = format!("/_synapse/admin/v1/suspend/{}", all[7].user_id);
    api.put(&suspend, serde_json::json!({ "suspend": true })).await?;

    let mark = scene.ann().mark();
    let yes = say_yes(&scene, &question, 12).await?;
    let told = ended(&scene, &yes).await?;
    let text = outcomes(&scene, mark).await?;
    let line = |n: usize| {
        let of = text.lines().find(|line| line.contains(all[n].user_id.as_str()));
        of.unwrap_or_default()
    };
    for changed in [5, 7] {
        assert!(line(changed).contains("Nothing changed"), "{text}");
    }
    assert!(line(5).contains("it has changed since you were asked"), "{text}");
    assert!(line(5).contains("admin"), "{text}");
    assert!(!line(6).contains("Done"), "{text}");
    says(&told, "Done in part · 9 of 12", &["done 9"]);
    assert!(line(4).contains("Done"), "a lock has nothing to do with it: {text}");
    for left in [5, 6] {
        assert!(!is(&scene, &all[left], "suspended").await?, "{text}");
    }
    assert_eq!(count(&scene, &all, "suspended").await?, 10);
    let sent = sent(&proxy, &all);
    assert_eq!(sent, [1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_shows_how_far_it_is_and_its_asker_or_an_admin_stops_it() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, moe, vic) = (scene.ann(), scene.moe().await?, scene.vic().await?);
    let all = accounts(&scene, 30).await?;
    let (yes, held) = held_job((&scene, &proxy), ann, ("user suspend", &all)).await?;
    let (message, number) = progress(&scene, &yes).await?;
    let job = format!("Job #{number}");
    says(&message, "▱▱▱▱▱▱▱▱ 0 % · 0 of 30", &[&job, &format!("!job stop {number}")]);
    let half = ann.edit_of(&message.event_id, |_| true).await?;
    assert!(half.body.contains("0 of 30") && half.mentions.is_empty(), "{}", half.body);
    let show = format!("!job show {number}");
    says(&scene.ask(vic, &show).await?, "", &["running", "not started 30", "SHA-256"]);
    says(&scene.ann_asks("!job show 9999").await?, "Not found", &["no such job"]);
    says(
        &scene.ann_asks("!job show it").await?,
        "Not understood",
        &["name a job by its number", "!job list"],
    );

    let stop = format!("!job stop {number}");
    for other in [vic, moe] {
        let refused = scene.ask(other, &stop).await?;
        says(&refused, "Refused", &["only they or an admin", ann.user_id().as_str()]);
    }
    says(&scene.ann_asks(&stop).await?, "Done", &["is being stopped"]);
    says(&scene.ann_asks(&stop).await?, "Nothing changed", &["already being stopped"]);
    says(&scene.ann_asks(&show).await?, "", &["stopping"]);
    held.iter().for_each(Caught::release);
    let told = ended(&scene, &yes).await?;
    says(&told, "Done in part · 8 of 30", &["not started 22", "Stopped by"]);
    assert_eq!(count(&scene, &all, "suspended").await?, IN_HAND);
    ann.edit_of(&message.event_id, |edit| edit.body.contains("Finished: done 8")).await?;
    // The message that shows it, and the end.
    assert_eq!(ann.answers_to(&yes).len(), 2, "{:?}", ann.answers_to(&yes));
    says(&scene.ann_asks(&show).await?, "", &["finished", &format!("!audit show {number}")]);

    let (yes, held) = held_job((&scene, &proxy), moe, ("user lock", &all)).await?;
    let (_, number) = progress(&scene, &yes).await?;
    says(&scene.ann_asks(&format!("!job stop {number}")).await?, "Done", &[]);
    held.iter().for_each(Caught::release);
    let told = ended_for(&scene, moe, &yes).await?;
    says(&told, "Done in part · 8 of 30", &["Stopped by", ann.user_id().as_str()]);
    assert_eq!(count(&scene, &all, "locked").await?, IN_HAND);
    assert_eq!(proxy.changes().len(), 2 * IN_HAND, "{:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_end_the_bot_finishes_what_is_in_hand_and_the_rest_at_its_next_start() -> Result<()>
{
    let (scene, proxy) = watched(|config| config).await?;
    let all = accounts(&scene, 30).await?;
    let (yes, held) = held_job((&scene, &proxy), scene.ann(), ("user suspend", &all)).await?;
    let bot = scene.bot()?;
    let mark = bot.log().mark();
    let let_go = async {
        bot.log().wait_for("stopping", mark, PATIENCE).await?;
        held.iter().for_each(Caught::release);
        anyhow::Ok(())
    };
    let (ended_with, let_go) = tokio::join!(bot.terminate(), let_go);
    let_go?;
    assert_eq!(ended_with?.code(), Some(0), "{}", bot.log().tail(20));
    assert_eq!(count(&scene, &all, "suspended").await?, IN_HAND);
    assert_eq!(proxy.changes().len(), IN_HAND, "{:?}", proxy.changes());

    bot.start_again().await?;
    says(&ended(&scene, &yes).await?, "Done · 30 of 30", &["done 30"]);
    assert_eq!(count(&scene, &all, "suspended").await?, 30);
    assert_eq!(sent(&proxy, &all), [1; 30], "each of them once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_right_in_between_has_the_rest_refused() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (moe, all) = (scene.moe().await?, accounts(&scene, 30).await?);
    let (yes, held) = held_job((&scene, &proxy), moe, ("user suspend", &all)).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    let config = config.operator_key(moe.user_id(), "role", "viewer");
    scene.bot()?.configure(&config.to_string())?;
    says(&scene.ann_asks("!config reload").await?, "Done", &["viewer now", "restart with it"]);
    held.iter().for_each(Caught::release);
    let told = ended_for(&scene, moe, &yes).await?;
    says(&told, "Done in part · 8 of 30", &["done 8", "refused 22", all[29].user_id.as_str()]);
    assert_eq!(count(&scene, &all, "suspended").await?, IN_HAND);
    assert_eq!(proxy.changes().len(), IN_HAND, "{:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_or_read_only_it_waits_says_so_and_goes_on() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, moe) = (scene.ann(), scene.moe().await?);
    let all = accounts(&scene, 30).await?;
    let (yes, held) = held_job((&scene, &proxy), ann, ("user suspend", &all)).await?;
    let (message, _) = progress(&scene, &yes).await?;
    says(
        &scene.ask(moe, "!freeze").await?,
        "Done",
        &["Jobs that wait until the freeze is lifted: 1"],
    );
    held.iter().for_each(Caught::release);
    let waits = |why: &'static str| {
        move |edit: &Message| edit.body.contains("It waits") && edit.body.contains(why)
    };
    ann.edit_of(&message.event_id, waits("frozen")).await?;
    assert_eq!(count(&scene, &all, "suspended").await?, IN_HAND);

    let held = hold(&proxy, &all[IN_HAND..2 * IN_HAND]);
    says(&scene.ann_asks("!unfreeze").await?, "Nothing changed", &["still frozen"]);
    says(&scene.ask(moe, "!unfreeze").await?, "Done", &["no longer frozen"]);
    try_join_all(held.iter().map(Caught::reached)).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    scene.bot()?.configure(&config.clone().read_only(true).to_string())?;
    says(&scene.ann_asks("!config reload").await?, "Done", &["read_only"]);
    held.iter().for_each(Caught::release);
    ann.edit_of(&message.event_id, waits("read-only")).await?;
    assert_eq!(proxy.changes().len(), 2 * IN_HAND, "{:?}", proxy.changes());
    scene.bot()?.configure(&config.to_string())?;
    scene.bot()?.hang_up(" ready").await?;
    let told = ended(&scene, &yes).await?;
    says(&told, "Done · 30 of 30", &[]);
    assert_eq!(count(&scene, &all, "suspended").await?, 30);
    assert_eq!(sent(&proxy, &all), [1; 30], "each of them once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_disk_takes_no_more_it_begins_nothing_and_goes_on_when_it_does() -> Result<()> {
    let (scene, proxy) = nearly_full().await?;
    let all = accounts(&scene, 40).await?;
    let (yes, held) = held_job((&scene, &proxy), scene.ann(), ("user suspend", &all)).await?;
    no_more(&scene)?;
    held.iter().for_each(Caught::release);
    let log = scene.bot()?.log();
    log.wait_for("a job cannot be ended", 0, PATIENCE).await?;
    // So many are marked at once before anything is sent for them; more could not be.
    assert_eq!(count(&scene, &all[32..], "suspended").await?, 0);
    assert!(sent(&proxy, &all[32..]).iter().all(|sent| *sent == 0), "{:?}", proxy.changes());

    restart(&scene).await?;
    says(&ended(&scene, &yes).await?, "Done · 40 of 40", &["done 40"]);
    assert_eq!(count(&scene, &all, "suspended").await?, 40);
    assert!(sent(&proxy, &all).iter().all(|sent| (1..=2).contains(sent)), "{:?}", proxy.changes());
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);
    Ok(())
}

/// Numbers that look like chance and follow from their seed.
struct Chance(u64);

impl Chance {
    /// As `SYNOD_SEED` says, or another one each time. A test that fails shows it.
    fn new() -> Result<Self> {
        let seed = match std::env::var("SYNOD_SEED") {
            Ok(seed) => seed.parse()?,
            Err(_) => SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos().into(),
        };
        eprintln!("SYNOD_SEED={seed}");
        Ok(Self(seed))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap_or_default() % end
    }
}

/// Those of the only job that are over, by what is on the disk of a bot that does not run.
fn over(scene: &Scene) -> Result<Vec<String>> {
    let opened = Store::open(&scene.state().join("store"), jiff::Timestamp::now())?;
    ensure!(opened.moved_aside.is_none(), "the store of the bot was to be opened");
    let jobs = Jobs::new(&opened.store)?;
    let job = jobs.all()?.pop().context("no job")?;
    let items = jobs.items(&job.id)?.into_iter();
    let over = items.filter(|item| matches!(item.stage, Stage::Over(_)));
    Ok(over.map(|item| item.subject.to_string()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_by_chance_again_and_again_it_sends_nothing_twice_that_was_over() -> Result<()> {
    let mut chance = Chance::new()?;
    let (scene, proxy) = watched(|config| config).await?;
    let all = accounts(&scene, 40).await?;
    let question = scene.ann_asks(&format!("!user suspend{}", lines(&all))).await?;
    let sent_to = |one: &str| {
        let localpart = one.trim_start_matches('@').split(':').next().unwrap_or_default();
        proxy.changes().iter().filter(|passed| passed.path.contains(localpart)).count()
    };
    let mut yes = None;
    let mut finished: HashMap<String, usize> = HashMap::new();
    for round in 0..3 {
        let flags = try_join_all(all.iter().map(|one| is(&scene, one, "suspended"))).await?;
        let left: Vec<&Account> =
            all.iter().zip(flags).filter(|(_, is)| !is).map(|(one, _)| one).collect();
        if left.is_empty() {
            break;
        }
        // Before the last of them is sent, what is over is on disk.
        let late = round == 2 && finished.is_empty();
        let at = if late { left.len() - 1 } else { chance.below(left.len()) };
        let at = left[at].user_id.localpart();
        let fault = [Fault::HoldRequest, Fault::HoldAnswer];
        let held = proxy.next(Method::PUT, at, fault[chance.below(2)].clone());
        match &yes {
            None => yes = Some(say_yes(&scene, &question, 40).await?),
            Some(_) => scene.bot()?.start_again().await?,
        }
        held.reached().await?;
        scene.bot()?.kill().await?;
        held.release();
        // What was on its way is told apart from what will be sent.
        proxy.settled().await?;
        for one in over(&scene)? {
            let so_far = sent_to(&one);
            assert_eq!(*finished.entry(one.clone()).or_insert(so_far), so_far, "{one}");
        }
    }
    scene.bot()?.start_again().await?;
    let told = ended(&scene, &yes.context("nothing was begun")?).await?;
    assert!(told.body.contains("40 of 40"), "{}", told.body);
    assert_eq!(count(&scene, &all, "suspended").await?, 40);
    assert!(!finished.is_empty(), "every kill came too early");
    for (one, before) in finished {
        assert_eq!(sent_to(&one), before, "{one} was over and was sent again");
    }
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);
    Ok(())
}
