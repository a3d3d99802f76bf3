//! What the bot has to say is said, whatever stands between it and the room for a while.

use std::{fs, process::Command};

use anyhow::Result;
use reqwest::Method;
use ruma::OwnedEventId;
use serde_json::json;
use world::{Caught, Config, Fault, NewRoom, Options, PATIENCE, Person, Proxy, Scene, Synapse};

use crate::{
    SYNOD,
    support::{behind_its_back, devices, is, says, suspend, told_since},
};

/// A scene whose bot speaks with its homeserver through a proxy.
async fn through(change: impl FnOnce(Config) -> Config) -> Result<(Scene, Proxy)> {
    let scene = Scene::plan().set().await?;
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let config = change(scene.config().set("homeserver.url", proxy.url()));
    scene.start_bot(SYNOD, &config).await?;
    scene.ann_asks("!me").await?;
    Ok((scene, proxy))
}

/// What `synod check` says, beside a bot or not.
async fn check(scene: &Scene) -> Result<String> {
    let mut command = Command::new(SYNOD);
    command.args(["check", "--config"]).arg(scene.bot()?.config_file());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    Ok(String::from_utf8(output.stdout)?)
}

/// The line of a check that is bad and holds this.
fn bad_line<'a>(check: &'a str, part: &str) -> &'a str {
    let mut bad = check.lines().filter(|line| line.starts_with("BAD"));
    bad.find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part:?} is not bad in {check}"))
}

/// From now on nothing that the bot says gets through.
fn silence(proxy: &Proxy, fault: Fault) -> Caught {
    proxy.every(Method::PUT, "/send/m.room.", fault)
}

/// Lets ann say something of which the answer does not get through.
async fn unanswered(scene: &Scene, command: &str) -> Result<OwnedEventId> {
    let log = scene.bot()?.log();
    let mark = log.mark();
    let said = scene.ann().say(scene.room(), command).await?;
    let unsent = log.wait_for("an answer was not sent", mark, PATIENCE).await?;
    assert!(unsent.contains(said.as_str()), "{unsent}");
    Ok(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_refused_is_given_later_in_order_and_once() -> Result<()> {
    let (scene, proxy) = through(|config| config).await?;
    let (ann, eve) = (scene.ann(), scene.subject("eve").await?);
    let too_large = json!({ "errcode": "M_TOO_LARGE", "error": "no" });
    for fault in [Fault::Page(413), Fault::Answer(413, too_large), Fault::Page(200)] {
        let slow = matches!(fault, Fault::Page(200));
        let silenced = silence(&proxy, fault);
        let lock = format!("!user lock {}", eve.user_id);
        let locked = if slow {
            // Not a refusal: the bot goes on trying by itself.
            let said = ann.say(scene.room(), &lock).await?;
            silenced.reached().await?;
            said
        } else {
            unanswered(&scene, &lock).await?
        };
        let me = if slow { None } else { Some(unanswered(&scene, "!me").await?) };
        assert!(is(&scene, &eve, "locked").await?);
        silenced.lift();
        says(&scene.answer(ann, &locked).await?, "Done", &[eve.user_id.as_str()]);
        if let Some(me) = me {
            let about_me = scene.answer(ann, &me).await?;
            says(&about_me, "", &["Role: admin"]);
            assert_eq!(ann.answers_to(&me).len(), 1);
            let place = |event: &OwnedEventId| {
                ann.heard().iter().position(|heard| heard.reply_to.as_ref() == Some(event))
            };
            assert!(place(&locked) < place(&me), "out of order");
        }
        let unlock = format!("!user unlock {}", eve.user_id);
        says(&scene.ann_asks(&unlock).await?, "Done", &[]);
        assert_eq!(ann.answers_to(&locked).len(), 1, "it was said twice");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_refused_outlives_a_kill_and_a_restart() -> Result<()> {
    let (scene, proxy) = through(|config| config).await?;
    let (ann, eve) = (scene.ann(), scene.subject("eve").await?);
    let silenced = silence(&proxy, Fault::Page(413));
    let suspended = unanswered(&scene, &format!("!user suspend {}", eve.user_id)).await?;
    let frozen = unanswered(&scene, "!freeze").await?;
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    scene.bot()?.terminate().await?;
    silenced.lift();
    scene.bot()?.start_again().await?;
    let first = scene.answer(ann, &suspended).await?;
    says(&first, "Done", &["user suspend", "On record as #", "late and shortened", "!undo"]);
    let second = scene.answer(ann, &frozen).await?;
    says(&second, "Done", &["frozen", "late and shortened"]);
    assert!(is(&scene, &eve, "suspended").await?);

    scene.bot()?.terminate().await?;
    scene.bot()?.start_again().await?;
    scene.ann_asks("!me").await?;
    for said in [&suspended, &frozen] {
        assert_eq!(ann.answers_to(said).len(), 1, "it was said twice");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_asked_for_is_told_later_too() -> Result<()> {
    let (scene, proxy) = through(|config| config).await?;
    let mark = scene.ann().mark();
    let silenced = silence(&proxy, Fault::Page(413));
    let moe = scene.moe().await?;
    // The news of a key that is seen for the first time, by the bot that has it to say.
    let said = moe.say(scene.room(), "!me").await?;
    scene.bot()?.log().wait_for("an answer was not sent", 0, PATIENCE).await?;
    silenced.lift();
    scene.answer(scene.ann(), &said).await?;
    told_since(&scene, mark, &moe.master_key().await?).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_keys_were_replaced_changes_nothing_until_it_is_heard_again() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, eve, bot) = (scene.ann(), scene.subject("eve").await?, scene.bot()?);
    scene.ann_asks("!me").await?;
    let (heard, log) = (ann.mark(), bot.log());
    let mark = log.mark();
    let thief = Person::log_in_unsigned(scene.synapse(), scene.bot_account()).await?;
    thief.reset_identity().await?;
    let key = thief.enable_recovery().await?;
    log.wait_for("somebody has made new cross-signing keys", mark, PATIENCE).await?;

    let refused = unanswered(&scene, &suspend(&eve)).await?;
    let frozen = unanswered(&scene, "!freeze").await?;
    let kept = unanswered(&scene, "!unfreeze").await?;
    assert!(!is(&scene, &eve, "suspended").await?);
    let file = scene.state().join("recovery.key");
    let told = check(&scene).await?;
    let bad = bad_line(&told, "somebody made new cross-signing keys");
    assert!(bad.contains(&file.display().to_string()), "the cure: {bad}");

    // With the key of before it does not begin, and says the same.
    bot.terminate().await?;
    let mark = log.mark();
    assert!(bot.start_again().await.is_err(), "it began");
    let why = log.wait_for("somebody made new cross-signing keys", mark, PATIENCE).await?;
    assert!(why.contains(&file.display().to_string()), "{why}");

    fs::write(&file, &key)?;
    bot.start_again().await?;
    says(&scene.answer(ann, &refused).await?, "Failed", &["Nothing was done"]);
    says(&scene.answer(ann, &frozen).await?, "Done", &["frozen"]);
    says(&scene.answer(ann, &kept).await?, "Failed", &["Nothing was done"]);
    let news = told_since(&scene, heard, "new cross-signing keys").await?;
    assert!(news.mentions.contains(ann.user_id()) && news.encrypted, "{:?}", news.raw);
    says(&scene.ann_asks(&suspend(&eve)).await?, "", &["frozen"]);
    assert!(!is(&scene, &eve, "suspended").await?);
    let told = check(&scene).await?;
    let own = |line: &str| line.starts_with("BAD") && line.contains("bot's");
    assert!(!told.lines().any(own), "{told}");
    let again = |text: &str| text.contains("new cross-signing keys");
    let news = ann.heard().into_iter().filter(|message| again(&message.body)).count();
    assert_eq!(news, 1, "told once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_keys_that_are_gone_from_the_homeserver_are_told_and_put_back() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    scene.ann_asks("!me").await?;
    let bot = scene.bot()?;
    let file = scene.state().join("recovery.key");
    let before = fs::read_to_string(&file)?;
    let (token, _) = scene.synapse().log_in(scene.bot_account()).await?;
    let own = scene.synapse().api(&token);
    let kind = "m.secret_storage.default_key";
    let path = format!("/_matrix/client/v3/user/{}/account_data/{kind}", scene.bot_id());
    let (status, answer) = own.put(&path, json!({})).await?;
    assert_eq!(status, 200, "{answer}");
    let doctor = scene.ann_asks("!doctor").await?;
    says(&doctor, "", &["secret storage of the bot's account is missing", "Restart synod"]);

    bot.terminate().await?;
    bot.start_again().await?;
    scene.ann_asks("!me").await?;
    assert_ne!(fs::read_to_string(&file)?, before, "a new recovery key");
    let doctor = scene.ann_asks("!doctor").await?;
    assert!(!doctor.body.contains("secret storage"), "{}", doctor.body);

    // The new one recovers: a store that is lost costs nothing but the device.
    bot.terminate().await?;
    fs::remove_file(scene.state().join("session.json"))?;
    bot.start_again().await?;
    let told = scene.ann_asks("!me").await?;
    assert!(told.from_signed_device, "{:?}", told.raw);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_whose_time_is_over_is_replaced_on_the_same_device() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    let proxy = Proxy::start(&synapse.url()).await?;
    let config = scene.config().set("homeserver.url", proxy.url());
    scene.start_bot(SYNOD, &config).await?;
    scene.ann_asks("!me").await?;
    let (ann, eve) = (scene.ann(), scene.subject("eve").await?);
    let before = devices(&scene, scene.bot_account()).await?;
    let held = proxy.next(Method::POST, "/v3/login", Fault::HoldRequest);
    let expire =
        format!("UPDATE access_tokens SET valid_until_ms = 1 WHERE user_id = '{}'", scene.bot_id());
    behind_its_back(&synapse, expire).await?;
    held.reached().await?;
    let meanwhile = ann.say(scene.room(), &suspend(&eve)).await?;
    held.release();
    let told = scene.answer(ann, &meanwhile).await?;
    says(&told, "Failed", &["while I was logged out"]);
    assert!(!is(&scene, &eve, "suspended").await?);
    says(&scene.ann_asks(&suspend(&eve)).await?, "Done", &[]);
    assert_eq!(devices(&scene, scene.bot_account()).await?, before, "another device");

    // Also at a start.
    scene.bot()?.terminate().await?;
    let expire =
        format!("UPDATE access_tokens SET valid_until_ms = 1 WHERE user_id = '{}'", scene.bot_id());
    behind_its_back(&synapse, expire).await?;
    scene.bot()?.start_again().await?;
    says(&scene.ann_asks("!me").await?, "", &["Role: admin"]);
    assert_eq!(devices(&scene, scene.bot_account()).await?, before, "another device");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_rooms_that_is_gone_is_told_in_the_others_and_ends_nothing() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, bot_id) = (scene.ann(), scene.bot_id());
    let new = || NewRoom {
        invite: vec![bot_id.clone()],
        powers: [(bot_id.clone(), 50)].into(),
        ..NewRoom::default()
    };
    let (second, record) = (ann.create_room(&new()).await?, ann.create_room(&new()).await?);
    let alias = format!("#gone-{}:{}", bot_id.localpart(), bot_id.server_name());
    let alias = <&ruma::RoomAliasId>::try_from(alias.as_str())?;
    // One that never was: the others are served all the same.
    let config = scene.config().room(&second).room(alias).set("record.room", record.as_str());
    scene.start_bot(SYNOD, &config).await?;
    for room in [&second, &record] {
        ann.sees_joined(room, bot_id).await?;
    }
    let told = told_since(&scene, 0, alias.as_str()).await?;
    assert!(told.body.contains("take it out of rooms in the config"), "{}", told.body);
    scene.ann_asks("!me").await?;

    for (room, key) in [(&second, "out of rooms in"), (&record, "out of record.room in")] {
        let mark = ann.mark();
        ann.kick(room, bot_id).await?;
        let told = told_since(&scene, mark, room.as_str()).await?;
        assert_eq!(told.room, *scene.room());
        assert!(told.body.contains(key) && told.body.contains("no longer"), "{}", told.body);
        assert!(told.mentions.contains(ann.user_id()), "{:?}", told.raw);
    }
    // It is told once, is no reason not to start, and heals with an invitation.
    let mark = ann.mark();
    scene.bot()?.terminate().await?;
    scene.bot()?.start_again().await?;
    scene.ann_asks("!me").await?;
    let again = |message: &world::Message| message.body.contains(second.as_str());
    assert!(!ann.heard_since(mark).iter().any(again), "told twice");
    ann.invite(&second, bot_id).await?;
    ann.sees_joined(&second, bot_id).await?;
    let said = ann.say(&second, "!me").await?;
    scene.answer(ann, &said).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_the_homeserver_refuses_is_given_up_and_what_is_not_so_is_told()
-> Result<()> {
    let (scene, proxy) = through(|config| config).await?;
    let (ann, eve, sam) = (scene.ann(), scene.subject("eve").await?, scene.subject("sam").await?);
    says(&scene.ann_asks(&suspend(&eve)).await?, "Done", &[]);
    says(&scene.ann_asks(&suspend(&sam)).await?, "Done", &[]);
    // As if its database were from before that.
    let path = format!("/_synapse/admin/v1/suspend/{}", eve.user_id);
    scene.synapse().admin().put(&path, json!({ "suspend": false })).await?;
    scene.bot()?.terminate().await?;
    let refused = json!({ "errcode": "M_UNKNOWN", "error": "Invalid since" });
    let refused = proxy.next(Method::GET, "since=", Fault::Answer(400, refused));
    let meanwhile = ann.say(scene.room(), "!me").await?;
    let mark = ann.mark();
    scene.bot()?.start_again().await?;
    refused.reached().await?;
    scene.answer(ann, &meanwhile).await?;
    let told = told_since(&scene, mark, "database").await?;
    assert!(told.body.contains(eve.user_id.as_str()), "{}", told.body);
    assert!(!told.body.contains(sam.user_id.as_str()), "that is so: {}", told.body);
    assert!(!is(&scene, &eve, "suspended").await?, "nothing is done again");
    scene.ann_asks("!me").await?;
    assert_eq!(ann.answers_to(&meanwhile).len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_outage_the_bot_is_back_within_seconds() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let verbose = |config: Config| config.set("log.filter", "info,synod::matrix=debug");
    let scene = Scene::plan().on(&synapse).start_with(SYNOD, verbose).await?;
    scene.ann_asks("!me").await?;
    let log = scene.bot()?.log();
    let mark = log.mark();
    synapse.stop().await?;
    log.wait_for("the sync fails", mark, PATIENCE).await?;
    // So many tries that waits which double would be long by now.
    for _ in 0..6 {
        let tried = log.mark();
        log.wait_for("the sync fails still", tried, PATIENCE).await?;
    }
    synapse.start_again().await?;
    let back = std::time::Instant::now();
    log.wait_for("the homeserver answers again", mark, PATIENCE).await?;
    assert!(back.elapsed().as_secs() < 5, "{:?}", back.elapsed());
    scene.ann_asks("!me").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_time_keys_that_clash_are_healed_by_another_device() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, bot) = (scene.ann(), scene.bot()?);
    scene.ann_asks("!me").await?;
    let before = devices(&scene, scene.bot_account()).await?;
    bot.terminate().await?;
    let (store, copy) = (scene.state().join("matrix"), scene.dir().join("copy"));
    copy_files(&store, &copy)?;
    bot.start_again().await?;
    // Each new device that writes takes one of the bot's one-time keys.
    says(&scene.ask(scene.moe().await?, "!me").await?, "", &["Role: moderator"]);
    bot.terminate().await?;
    fs::remove_dir_all(&store)?;
    copy_files(&copy, &store)?;
    let mark = ann.mark();
    bot.start_again().await?;
    let vic = scene.vic().await?;
    vic.say(scene.room(), "!me").await?;
    told_since(&scene, mark, "I logged in as a new device").await?;
    let after = devices(&scene, scene.bot_account()).await?;
    assert!(after.len() == 1 && after != before, "{after:?} in place of {before:?}");
    let told = scene.ask(vic, "!me").await?;
    assert!(told.from_signed_device, "{:?}", told.raw);
    says(&scene.ask(scene.moe().await?, "!me").await?, "", &["Role: moderator"]);
    let doctor = scene.ann_asks("!doctor").await?;
    assert!(!doctor.body.contains("one-time keys"), "{}", doctor.body);
    Ok(())
}

/// Copies a folder without folders in it.
fn copy_files(from: &std::path::Path, to: &std::path::Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
