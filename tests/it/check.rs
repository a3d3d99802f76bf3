//! `synod check` beside a real homeserver: what it tells, and that nothing stays of it.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use world::{Config, Fault, NewRoom, Options, PATIENCE, Proxy, Scene, Synapse, until};

use crate::{SYNOD, support::devices};

/// What a check has told.
struct Told {
    status: ExitStatus,
    lines: Vec<String>,
}

impl Told {
    /// Exit code 1, and one bad line with all `words`; the others are about something else.
    #[track_caller]
    fn bad(&self, words: &[&str]) {
        let bad: Vec<_> = self.marked("BAD ").collect();
        assert_eq!(self.status.code(), Some(1), "{:#?}", self.lines);
        let [bad] = bad.as_slice() else { panic!("one thing is wrong: {:#?}", self.lines) };
        for words in words {
            assert!(bad.contains(words), "{words:?} is not in {bad}");
        }
    }

    /// Exit code 0, and a warning with all `words`.
    #[track_caller]
    fn warns(&self, words: &[&str]) {
        assert_eq!(self.status.code(), Some(0), "{:#?}", self.lines);
        let fits = |line: &str| words.iter().all(|words| line.contains(words));
        assert!(self.marked("warn").any(fits), "{words:?}: {:#?}", self.lines);
    }

    /// Exit code 0, and exactly these lines by their beginnings, each of them well.
    #[track_caller]
    fn well(&self, lines: &[String]) {
        assert_eq!(self.status.code(), Some(0), "{:#?}", self.lines);
        assert_eq!(self.lines.len(), lines.len(), "{:#?}", self.lines);
        for (line, start) in self.lines.iter().zip(lines) {
            assert!(line.starts_with(&format!("ok    {start}")), "not {start:?}: {line}");
        }
    }

    fn marked<'a>(&'a self, mark: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().map(String::as_str).filter(move |line| line.starts_with(mark))
    }
}

/// Starts a check on a configuration that lies in a file of its own.
fn start(scene: &Scene, config: &Config) -> Result<Child> {
    start_by(SYNOD, scene, &config.to_string())
}

/// The same, with the binary or what stands in its place, and the text of the file.
fn start_by(binary: impl AsRef<OsStr>, scene: &Scene, config: &str) -> Result<Child> {
    let file = scene.dir().join("check.yaml");
    fs::write(&file, config)?;
    let mut check = Command::new(binary);
    check.args(["check", "--config"]).arg(file).current_dir(scene.dir());
    check.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Ok(check.spawn()?)
}

/// Waits for the end of a check. No secret of the scene may be in what it said.
async fn end(scene: &Scene, check: Child) -> Result<Told> {
    let output = tokio::time::timeout(PATIENCE, check.wait_with_output()).await;
    let output = output.context("the check does not end")??;
    let (told, log) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    let password = &scene.bot_account().password;
    // Every token of Synapse begins like this, also that of the login that the check makes.
    for secret in ["syt_", password, "not the password"] {
        ensure!(!told.contains(secret) && !log.contains(secret), "{secret} is in {told}{log}");
    }
    Ok(Told { status: output.status, lines: told.lines().map(str::to_owned).collect() })
}

/// A whole check. The bot's account has the same devices before it and after.
async fn check(scene: &Scene, config: &Config) -> Result<Told> {
    let before = devices(scene, scene.bot_account()).await?;
    let told = end(scene, start(scene, config)?).await?;
    assert_eq!(devices(scene, scene.bot_account()).await?, before, "a device stays behind");
    Ok(told)
}

/// The configuration of a scene in which nothing is left to wish for.
fn sound(scene: &Scene) -> Config {
    let [moe, vic, _] = scene.accounts();
    let config = scene.config().set("homeserver.rate_limit", "lift");
    config.without_operator(&moe.user_id).without_operator(&vic.user_id)
}

/// A file of the scene that holds a secret.
fn secret(scene: &Scene, name: &str, text: &str) -> Result<PathBuf> {
    let file = scene.dir().join(name);
    fs::write(&file, text)?;
    fs::set_permissions(&file, Permissions::from_mode(0o600))?;
    Ok(file)
}

/// [`sound`], with an access token of the bot in place of its password.
fn with_token(scene: &Scene, token: &str) -> Result<Config> {
    let file = secret(scene, "bot-token", token)?;
    Ok(sound(scene).without("bot.password").secret_file("bot.access_token", &file))
}

/// [`sound`], with another room.
async fn with_room(scene: &Scene, new: NewRoom) -> Result<Config> {
    let room = scene.ann().create_room(&new).await?;
    Ok(sound(scene).without("rooms").room(&room))
}

/// Every file below a folder with its content.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            let bytes = fs::read(&path)?;
            found.insert(path, bytes);
        }
    }
    Ok(found)
}

/// What is told of Synod itself and of the machine where all is well.
fn machine(state: String) -> Vec<String> {
    let mut lines = vec![format!("synod: version {}.", env!("CARGO_PKG_VERSION")), state];
    lines.push("disk: ".to_owned());
    lines
}

/// What is told of the room and of ann where all is well.
fn room_and_keys(scene: &Scene, member: &str, own: &str) -> Vec<String> {
    let (room, ann) = (scene.room(), scene.ann().user_id());
    vec![
        format!("room {room}: {member}"),
        format!("room {room}: encrypted."),
        format!("room {room}: "),
        format!("room {room}: the bot may redact, nothing more (50)."),
        format!("room {room}: people who join later can read earlier messages"),
        format!("keys: {own}"),
        format!("keys: {ann} has the master key "),
        "operators: all of them are in an admin room.".to_owned(),
        "approval: more than 20 changes".to_owned(),
        "rate limit: ".to_owned(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_before_the_first_start_and_nothing_is_made() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let told = check(&scene, &sound(&scene)).await?;
    let mut lines = machine(format!("state: {} does not exist yet", scene.state().display()));
    lines.extend([
        "admin token: its file was written 0 days ago.".to_owned(),
        "homeserver: reachable, Synapse 1.".to_owned(),
        format!("bot: the password of {} works.", scene.bot_id()),
        format!("admin token: it works and belongs to the admin {}.", scene.keeper().user_id),
    ]);
    lines.extend(room_and_keys(&scene, "the bot is invited", "the bot has none yet"));
    told.well(&lines);
    let asked = format!(", at {}.", scene.synapse().url());
    assert!(told.marked("ok").any(|line| line.ends_with(&asked)), "{:#?}", told.lines);
    assert!(!scene.state().exists(), "a check makes no state");
    assert_eq!(devices(&scene, scene.bot_account()).await?, Vec::<String>::new());

    let (token, device) = scene.synapse().log_in(scene.bot_account()).await?;
    let told = check(&scene, &with_token(&scene, &token)?).await?;
    assert_eq!(told.status.code(), Some(0), "{:#?}", told.lines);
    let works = format!("the token of {} works, device {device}.", scene.bot_id());
    assert!(told.marked("ok").any(|line| line.contains(&works)), "{:#?}", told.lines);
    let (status, _) = scene.synapse().api(&token).get("/_matrix/client/v3/account/whoami").await?;
    assert_eq!(status, 200, "a given token is not logged out");
    assert!(!scene.state().exists(), "a check makes no state");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_beside_a_running_bot_which_does_not_notice() -> Result<()> {
    let scene = Scene::plan().set().await?;
    scene.start_bot(SYNOD, &sound(&scene)).await?;
    scene.ann_asks("!me").await?;
    let own = devices(&scene, scene.bot_account()).await?;
    let [device] = own.as_slice() else { panic!("one device: {own:?}") };
    let device = device.trim_matches('"');
    let mut lines = machine(format!("state: {} exists", scene.state().display()));
    lines.extend([
        "store: it uses ".to_owned(),
        "admin token: its file was written 0 days ago.".to_owned(),
        "homeserver: reachable, Synapse 1.".to_owned(),
        format!("bot: the saved session works, device {device}."),
        format!("admin token: it works and belongs to the admin {}.", scene.keeper().user_id),
    ]);
    let signed = format!("the bot's device {device} is signed by its own keys.");
    lines.extend(room_and_keys(&scene, "the bot has joined.", &signed));
    check(&scene, &sound(&scene)).await?.well(&lines);
    // It sends and reads on, with the session that the check has looked at.
    let eve = scene.subject("eve").await?;
    let done = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);

    scene.bot()?.terminate().await?;
    let before = files(&scene.state())?;
    check(&scene, &sound(&scene)).await?.well(&lines);
    assert!(files(&scene.state())? == before, "the check wrote into the state");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_logged_out_is_told_and_what_it_says_to_do_works() -> Result<()> {
    let scene = Scene::plan().set().await?;
    scene.start_bot(SYNOD, &sound(&scene)).await?;
    scene.ann_asks("!me").await?;
    let bot = scene.bot()?;
    bot.terminate().await?;
    let before = devices(&scene, scene.bot_account()).await?;
    let [device] = before.as_slice() else { panic!("one device: {before:?}") };
    let path = format!("/_synapse/admin/v2/users/{}/devices/{device}", scene.bot_id());
    assert_eq!(scene.synapse().admin().delete(&path, None).await?.0, 200);

    let told = check(&scene, &sound(&scene)).await?;
    let session = scene.state().join("session.json");
    told.bad(&[&format!("somebody has logged its device {device} out"), "401 M_UNKNOWN_TOKEN"]);
    told.bad(&[&format!("delete {} and start synod", session.display()), "as a new device"]);
    // What it says helps.
    fs::remove_file(session)?;
    bot.start_again().await?;
    let mut answer = scene.ann_asks("!me").await?;
    // Her client may not have known the new device when she said it.
    if answer.body.contains("could not decrypt") {
        answer = scene.ann_asks("!me").await?;
    }
    assert!(answer.from_signed_device && answer.body.contains("Role: admin"), "{}", answer.body);
    let after = devices(&scene, scene.bot_account()).await?;
    assert!(after.len() == 1 && after != before, "{after:?} in place of {before:?}");
    let told = check(&scene, &sound(&scene)).await?;
    assert_eq!(told.status.code(), Some(0), "{:#?}", told.lines);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_time_is_over_is_not_told_as_logged_out() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    scene.start_bot(SYNOD, &sound(&scene)).await?;
    scene.ann_asks("!me").await?;
    let bot = scene.bot()?;
    bot.terminate().await?;
    let before = devices(&scene, scene.bot_account()).await?;
    let expire =
        format!("UPDATE access_tokens SET valid_until_ms = 1 WHERE user_id = '{}'", scene.bot_id());
    synapse.damage(&expire).await?;
    let told = check(&scene, &sound(&scene)).await?;
    told.warns(&["has expired", "logs in again by itself, as the same device"]);
    assert!(!told.lines.iter().any(|line| line.contains("somebody has logged")));
    bot.start_again().await?;
    scene.ann_asks("!me").await?;
    assert_eq!(devices(&scene, scene.bot_account()).await?, before, "another device");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_time_keys_that_run_out_are_told_and_a_start_puts_new_ones_there() -> Result<()> {
    let scene = Scene::plan().set().await?;
    scene.start_bot(SYNOD, &sound(&scene)).await?;
    scene.ann_asks("!me").await?;
    let bot = scene.bot()?;
    bot.terminate().await?;
    let own = devices(&scene, scene.bot_account()).await?;
    let [device] = own.as_slice() else { panic!("one device: {own:?}") };
    let few = |told: &Told| {
        told.marked("BAD ").any(|line| line.contains(&format!("of the bot's device {device}")))
    };
    assert!(!few(&check(&scene, &sound(&scene)).await?), "there are enough of them");
    // Whoever writes to the bot from a new device takes one of fifty.
    let claim = json!({ "one_time_keys": { scene.bot_id().as_str(): {
        device.as_str(): "signed_curve25519" } } });
    for _ in 0..45 {
        let claimed = scene.ann().api().post("/_matrix/client/v3/keys/claim", claim.clone());
        assert_eq!(claimed.await?.0, 200);
    }
    let told = check(&scene, &sound(&scene)).await?;
    told.bad(&[
        "one-time keys of the bot's device",
        "cannot read messages from new devices",
        "Start synod if it does not run",
    ]);
    bot.start_again().await?;
    scene.ann_asks("!me").await?;
    until("there are enough again", async || Ok(!few(&check(&scene, &sound(&scene)).await?))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_cannot_log_in_is_told_and_the_rest_is_looked_at() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let bot = scene.bot_id();
    let wrong = secret(&scene, "wrong", "not the password")?;
    let told = check(&scene, &sound(&scene).secret_file("bot.password", &wrong)).await?;
    told.bad(&[bot.as_str(), "cannot log in", "403 M_FORBIDDEN", "bot.password"]);
    let redact = "the bot may redact";
    assert!(told.marked("ok").any(|line| line.contains(redact)), "{:#?}", told.lines);

    let (dead, _) = scene.synapse().log_in(scene.bot_account()).await?;
    scene.synapse().api(&dead).post("/_matrix/client/v3/logout", json!({})).await?;
    let told = check(&scene, &with_token(&scene, &dead)?).await?;
    told.bad(&["bot.access_token does not work", "401 M_UNKNOWN_TOKEN", "Log in as the bot"]);

    let told = check(&scene, &with_token(&scene, scene.ann().api().token())?).await?;
    told.bad(&[&format!("belongs to {}, not to {bot}", scene.ann().user_id())]);

    // What an admin gets who acts as the bot: it can do nothing that needs keys.
    let path = format!("/_synapse/admin/v1/users/{bot}/login");
    let (_, answer) = scene.synapse().admin().post(&path, json!({})).await?;
    let token = answer["access_token"].as_str().context("no token")?;
    let told = check(&scene, &with_token(&scene, token)?).await?;
    told.bad(&[bot.as_str(), "cannot be used", "no device", "Log in as the bot"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_token_that_is_none_or_is_the_bots_own_is_told() -> Result<()> {
    let scene = Scene::plan().set().await?;
    // Without an admin it is the bot that looks at the room, for which it must be in it.
    let (own, _) = scene.synapse().log_in(scene.bot_account()).await?;
    let join = format!("/_matrix/client/v3/join/{}", scene.room());
    scene.synapse().api(&own).post(&join, json!({})).await?;
    let ordinary = secret(&scene, "ordinary", scene.ann().api().token())?;
    let config = sound(&scene).secret_file("homeserver.admin_token", &ordinary);
    let told = check(&scene, &config).await?;
    told.bad(&["admin token", scene.ann().user_id().as_str(), "not a server admin", "403"]);

    let dead = secret(&scene, "dead", "dead-token")?;
    let config = sound(&scene).secret_file("homeserver.admin_token", &dead);
    check(&scene, &config).await?.bad(&["admin token: it does not work", "M_UNKNOWN_TOKEN"]);

    let own = secret(&scene, "own", &own)?;
    let config = sound(&scene).secret_file("homeserver.admin_token", &own);
    check(&scene, &config).await?.bad(&[scene.bot_id().as_str(), "not a server admin"]);
    let account = format!("/_synapse/admin/v2/users/{}", scene.bot_id());
    scene.synapse().admin().put(&account, json!({ "admin": true })).await?;
    let told = check(&scene, &config).await?;
    told.warns(&["admin token", "the bot's own account"]);
    told.warns(&[scene.bot_id().as_str(), "is a server admin, which is not needed"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_does_not_serve_is_told() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let bot = scene.bot_id();
    let new = |encrypted, invited: bool, power| NewRoom {
        encrypted,
        invite: if invited { vec![bot.clone()] } else { Vec::new() },
        powers: [(bot.clone(), power)].into(),
        ..NewRoom::default()
    };
    let told = check(&scene, &with_room(&scene, new(true, false, 50)).await?).await?;
    told.bad(&["the bot is not invited", &format!("operator invite {bot}")]);
    let told = check(&scene, &with_room(&scene, new(true, true, 0)).await?).await?;
    told.bad(&["may not redact (it has 0, and needs 50)", "power level to 50"]);
    let told = check(&scene, &with_room(&scene, new(false, true, 50)).await?).await?;
    told.bad(&["not encrypted", "answers nobody there", "Turn on encryption"]);
    let served = with_room(&scene, new(false, true, 50)).await?.set("encryption", "optional");
    check(&scene, &served).await?.warns(&["not encrypted", "forge commands"]);

    let config = sound(&scene).without("rooms").room(ruma::room_id!("!nowhere:synod.test"));
    check(&scene, &config).await?.bad(&["!nowhere:synod.test", "is not in this room"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_whose_word_does_not_count_is_told() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, [moe, _, _]) = (scene.ann(), scene.accounts());
    let config = sound(&scene).operator(&moe.user_id, "moderator");
    let told = check(&scene, &config).await?;
    told.bad(&[moe.user_id.as_str(), "no master key", "set up secure backup"]);

    let key = ann.master_key().await?;
    let pinned = sound(&scene).operator_key(ann.user_id(), "master_key", key.as_str());
    let told = check(&scene, &pinned).await?;
    assert_eq!(told.status.code(), Some(0), "{:#?}", told.lines);
    let known = format!("{key} (as configured), 1 signed device and 0 unsigned");
    assert!(told.marked("ok").any(|line| line.contains(&known)), "{:#?}", told.lines);

    let _second = ann.login_unsigned_device().await?;
    check(&scene, &pinned).await?.warns(&["1 signed device and 1 unsigned", "verify or remove"]);
    ann.reset_identity().await?;
    let told = check(&scene, &pinned).await?;
    told.bad(&[ann.user_id().as_str(), "not the configured one", "Ask them in person"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_cannot_be_reached_is_told() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let admin = scene.synapse().admin();
    let [moe, vic, _] = scene.accounts();
    let eve = scene.subject("eve").await?;
    let nobody = ruma::user_id!("@nobody-at-all:synod.test");
    // Without keys their word counts for nothing; here that is no fault.
    let config = sound(&scene).set("encryption", "optional");
    let config = [&moe.user_id, &eve.user_id]
        .into_iter()
        .fold(config, |config, user| config.operator(user, "moderator"));
    let told = check(&scene, &config.operator(nobody, "viewer")).await?;
    told.warns(&[moe.user_id.as_str(), "is invited to an admin room but has not joined"]);
    told.warns(&[eve.user_id.as_str(), "is in no admin room", "Invite them"]);
    told.warns(&[nobody.as_str(), "has no account on this homeserver"]);

    let path = format!("/_synapse/admin/v1/deactivate/{}", vic.user_id);
    admin.post(&path, json!({})).await?;
    let config = sound(&scene).set("encryption", "optional").operator(&vic.user_id, "viewer");
    let told = check(&scene, &config).await?;
    told.warns(&[vic.user_id.as_str(), "is deactivated", "remove them from operators"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_token_that_has_lain_there_for_years_is_told() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let file = fs::File::open(scene.dir().join("admin-token"))?;
    file.set_modified(SystemTime::now() - Duration::from_hours(24 * 500))?;
    let told = check(&scene, &sound(&scene)).await?;
    told.warns(&["admin token: its file was written 500 days ago", "Log in again"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_is_interrupted_leaves_no_device_behind() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let held = proxy.next(Method::GET, "/account/whoami", Fault::HoldRequest);
    let config = sound(&scene).set("homeserver.url", proxy.url());
    let check = start(&scene, &config)?;
    held.reached().await?;
    let in_between = devices(&scene, scene.bot_account()).await?;
    assert_eq!(in_between.len(), 1, "the check's own login: {in_between:?}");

    let pid = check.id().context("it runs")?.to_string();
    ensure!(Command::new("kill").args(["-TERM", &pid]).status().await?.success());
    let told = end(&scene, check).await?;
    told.bad(&["interrupted", "Check again"]);
    assert_eq!(devices(&scene, scene.bot_account()).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_is_hindered_or_unlimited_is_told() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (api, bot) = (scene.synapse().admin(), scene.bot_id());
    let limit = format!("/_synapse/admin/v1/users/{bot}/override_ratelimit");
    let none = json!({ "messages_per_second": 0, "burst_count": 0 });
    let keep = sound(&scene).without("homeserver.rate_limit");
    check(&scene, &keep).await?.warns(&["rate limit: the server's default", "rate_limit: lift"]);
    api.post(&limit, none).await?;
    let told = check(&scene, &keep).await?;
    let lifted = "rate limit: lifted for the bot";
    assert!(told.marked("ok").any(|line| line.contains(lifted)), "{:#?}", told.lines);
    let (_, still): (u16, Value) = api.get(&limit).await?;
    assert_eq!(still["messages_per_second"], json!(0), "a check changes nothing");

    let suspend = format!("/_synapse/admin/v1/suspend/{bot}");
    api.put(&suspend, json!({ "suspend": true })).await?;
    check(&scene, &keep).await?.bad(&[bot.as_str(), "is suspended", "Undo that"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_homeserver_than_the_configs_is_told_by_name_and_nothing_else() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let url = scene.synapse().url();
    let misspelt = sound(&scene).to_string().replace(":synod.test", ":sinod.test");
    let told = end(&scene, start_by(SYNOD, &scene, &misspelt)?).await?;
    let names = ["homeserver: this homeserver is synod.test, not sinod.test.", url.as_str()];
    told.bad(&names);
    told.bad(&["Write synod.test after the colon in bot.user_id, rooms and operators"]);
    let last = told.lines.last().context("something is told")?;
    assert!(last.starts_with("BAD   homeserver: "), "the check ends there: {:#?}", told.lines);

    // So too with a token, which says whose it is.
    let (token, _) = scene.synapse().log_in(scene.bot_account()).await?;
    let config = with_token(&scene, &token)?.to_string().replace(":synod.test", ":sinod.test");
    end(&scene, start_by(SYNOD, &scene, &config)?).await?.bad(&names);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_alone_can_approve_is_told_and_where_nobody_can() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, [moe, vic, _]) = (scene.ann().user_id(), scene.accounts());
    // Without keys their word counts for nothing; here that is no fault.
    let config = sound(&scene).set("encryption", "optional").operator(&moe.user_id, "admin");
    let told = check(&scene, &config).await?;
    let nobody = "approval: nobody can approve changes of operators, changes of server admins";
    told.warns(&[nobody, &format!("there is only {ann}"), "is in an admin room"]);

    for account in [moe, vic] {
        let (token, _) = scene.synapse().log_in(account).await?;
        let join = format!("/_matrix/client/v3/join/{}", scene.room());
        assert_eq!(scene.synapse().api(&token).post(&join, json!({})).await?.0, 200);
    }
    let told = check(&scene, &config).await?;
    let only = format!("only {} can approve what {ann} asks", moe.user_id);
    assert!(told.marked("ok").any(|line| line.contains(&only)), "{:#?}", told.lines);
    let told = check(&scene, &config.operator(&vic.user_id, "admin")).await?;
    assert!(!told.lines.iter().any(|line| line.contains("approval: ")), "{:#?}", told.lines);
    Ok(())
}

/// Something that runs the binary where `synapse` is a name of this machine, as it would be that of
/// another container.
fn beside_a_container(scene: &Scene) -> Result<PathBuf> {
    let (hosts, script) = (scene.dir().join("hosts"), scene.dir().join("synod-in-compose"));
    fs::write(&hosts, "127.0.0.1 localhost synapse\n")?;
    let text = format!(
        "#!/bin/sh\nexec unshare --mount sh -c 'mount --bind {} /etc/hosts && exec {SYNOD} \"$@\"' \
         sh \"$@\"\n",
        hosts.display()
    );
    fs::write(&script, text)?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    Ok(script)
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_to_a_private_name_takes_a_key_of_the_config() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let synod = beside_a_container(&scene)?;
    let url = scene.synapse().url().replace("127.0.0.1", "synapse");
    let there = sound(&scene).set("homeserver.url", url.as_str());
    let there = there.set("homeserver.admin_url", url.as_str());
    let refused = start_by(&synod, &scene, &there.to_string())?.wait_with_output().await?;
    let said = String::from_utf8(refused.stderr)?;
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains("homeserver.url: plain http would send the tokens unencrypted"),
        "{said}"
    );
    assert!(said.contains("`allow_plain_http: true` under homeserver"), "{said}");

    let allowed = there.set("homeserver.allow_plain_http", true);
    let told = end(&scene, start_by(&synod, &scene, &allowed.to_string())?).await?;
    assert_eq!(told.status.code(), Some(0), "{:#?}", told.lines);
    let clear = format!("at {url} (unencrypted, as allow_plain_http allows).");
    assert!(told.marked("ok").any(|line| line.ends_with(&clear)), "{:#?}", told.lines);

    scene.start_bot(&synod, &allowed).await?;
    let eve = scene.subject("eve").await?;
    let done = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    let account = scene.synapse().admin().account(&eve.user_id).await?;
    assert_eq!(account["suspended"], json!(true), "{account}");

    let public = allowed.set("homeserver.url", "http://matrix.example.org");
    let refused = start_by(&synod, &scene, &public.to_string())?.wait_with_output().await?;
    let said = String::from_utf8(refused.stderr)?;
    assert!(said.contains("allow_plain_http is for private names and addresses"), "{said}");
    Ok(())
}
