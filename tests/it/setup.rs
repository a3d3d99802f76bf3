//! `synod setup` on a real homeserver: from an admin's login to the first answer, twice, cut off
//! anywhere, and where something is wrong.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::Command,
    time::timeout,
};
use world::{Fault, Options, Proxy, Synapse, write_secret};

use crate::SYNOD;

mod site;

use site::{PATIENCE, Site, mode};

#[tokio::test(flavor = "multi_thread")]
async fn from_an_admins_login_to_the_first_answer() -> Result<()> {
    let site = Site::new().await?;
    let told = site.set_up(&site.options(&site.synapse.url())).await?;
    let room = site.rooms().await?.pop().context("a room")?;
    told.well(&[
        "Synapse 1.",
        &format!("created the account {}, an admin", site.keeper()?),
        &format!("created the account {};", site.bot()?),
        &format!("created {room}, encrypted, and invited 1 operator"),
        "reports: new reports will open a thread in the room",
        "the recovery key is in",
        "\nNext:\n",
        "synod run --config",
    ]);
    site.is_whole().await?;
    for (file, right) in [
        ("synod.yaml", 0o600),
        ("admin-token", 0o600),
        ("password", 0o600),
        ("state", 0o700),
        ("state/recovery.key", 0o600),
        ("state/setup.json", 0o600),
    ] {
        assert_eq!(mode(&site.path(file))?, right, "{file}");
    }
    let config = site.read("synod.yaml")?;
    let secrets = [site.read("admin-token")?, site.read("password")?];
    assert!(config.contains("\nreports:\n  watch: true\n"), "{config}");
    assert!(secrets.iter().all(|secret| !config.contains(secret.trim())), "{config}");
    site.check().await?.well(&[
        "the bot has joined",
        "may redact, nothing more (50)",
        "admin token: it",
    ]);

    let mut bot = None;
    let help = site.ann_asks(&mut bot, "!help").await?;
    assert!(help.from_signed_device && help.body.contains("!user"), "{}", help.body);
    // With an operator in the room nothing is left to wish for but what is the homeserver's own.
    let told = site.check().await?;
    told.well(&["all of them are in an admin room"]);
    assert!(!told.text.contains("BAD "), "{}", told.text);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_setup_doubles_nothing_and_mends_what_is_missing() -> Result<()> {
    let site = Site::new().await?;
    let options = site.options(&site.synapse.url());
    site.set_up(&options).await?.well(&[]);
    let files = ["synod.yaml", "admin-token", "password", "state/recovery.key"];
    let before = files.map(|file| site.read(file).unwrap());
    // Nobody has to log in any more.
    let config = site.path("synod.yaml").display().to_string();
    let alone = ["--config".to_owned(), config];
    site.set_up(&alone).await?.well(&["exists, and stays as it is", "works"]);
    assert_eq!(files.map(|file| site.read(file).unwrap()), before);
    site.is_whole().await?;

    let told = site.set_up(&site.with("--bot", Some("somebody-else"))).await?;
    told.well(&["bot.user_id is", "not @somebody-else:", "Change it in"]);
    assert_eq!(site.read("synod.yaml")?, before[0]);

    // What is lost is made anew, and what was there before is worth nothing any more.
    let mut bot = None;
    site.ann_asks(&mut bot, "!me").await?;
    bot.context("a bot")?.terminate().await?;
    fs::remove_file(site.path("admin-token"))?;
    fs::remove_file(site.path("password"))?;
    site.set_up(&alone).await?.bad(&["a server admin", "--login NAME"]);
    let told = site.set_up(&options).await?;
    told.well(&["from a login of", "set the password of"]);
    let old = site.synapse.api(before[1].trim());
    assert_eq!(old.get("/_matrix/client/v3/account/whoami").await?.0, 401);
    site.is_whole().await?;
    let mut bot = None;
    site.ann_asks(&mut bot, "!me").await?;
    Ok(())
}

/// A request by which a setup changes something.
struct Step {
    method: Method,
    path: &'static str,
    /// Whether a setup that does not get through with it ends there, to be run again.
    ends: bool,
}

/// Those of one setup, in order.
fn steps() -> Vec<Step> {
    let step = |method, path, ends| Step { method, path, ends };
    vec![
        step(Method::POST, "/v3/login", true),
        step(Method::PUT, "/v2/users/@keeper", true),
        step(Method::POST, "/v3/login", true),
        step(Method::POST, "/v3/logout", false),
        step(Method::PUT, "/v2/users/@synod", true),
        step(Method::POST, "/v3/createRoom", true),
        // From here it is the bot itself, which tries again for a while.
        step(Method::POST, "/v3/login", false),
        step(Method::POST, "/keys/upload", false),
        step(Method::POST, "/keys/device_signing/upload", false),
        step(Method::PUT, "/account_data/", false),
        step(Method::POST, "/v1/join/", true),
        step(Method::POST, "/leave", true),
    ]
}

/// Where among them a second login of the same run is: that of the account of the admin token.
const SECOND_LOGIN: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_that_was_killed_anywhere_goes_on_and_doubles_nothing() -> Result<()> {
    let site = Site::new().await?;
    let proxy = Proxy::start(&site.synapse.url()).await?;
    let options = site.options(proxy.url());
    for (place, Step { method, path, ends }) in steps().into_iter().enumerate() {
        let befall = |fault| {
            if place == SECOND_LOGIN {
                // That of the admin, which comes first, goes through.
                proxy.next(method.clone(), path, Fault::Impatient(PATIENCE));
            }
            proxy.next(method.clone(), path, fault)
        };
        let what = || format!("step {place}: {method} {path}");
        if ends {
            befall(Fault::LoseRequest);
            site.set_up(&options).await.with_context(what)?.bad(&["no answer"]);
        }
        let held = befall(Fault::HoldAnswer);
        let mut setup = site.start(&options)?;
        let reached = held.reached().await;
        setup.kill().await?;
        reached.with_context(what)?;
        held.release();
        proxy.settled().await?;
    }
    let told = site.set_up(&options).await?;
    told.well(&["\nNext:\n"]);
    site.is_whole().await?;
    let mut bot = None;
    let help = site.ann_asks(&mut bot, "!help").await?;
    assert!(help.body.contains("!user"), "{}", help.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_that_was_killed_after_each_word_of_it_goes_on() -> Result<()> {
    let site = Site::new().await?;
    let options = site.options(&site.synapse.url());
    let mut seen = BTreeSet::new();
    let mut killed = 0;
    loop {
        let mut setup = site.start(&options)?;
        let mut lines = BufReader::new(setup.stdout.take().context("its output")?).lines();
        // The check changes nothing, so it is enough to get there.
        let mut said_more = false;
        while let Some(line) = timeout(PATIENCE, lines.next_line()).await?? {
            if line.contains("synod: version") {
                break;
            }
            if seen.insert(line) {
                said_more = true;
                break;
            }
        }
        setup.kill().await?;
        if !said_more {
            break;
        }
        killed += 1;
    }
    assert!(killed > 8, "killed {killed} times");
    site.set_up(&options).await?.well(&["\nNext:\n"]);
    site.is_whole().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_interrupts_it_is_logged_out_and_told_that_it_goes_on() -> Result<()> {
    let site = Site::new().await?;
    let proxy = Proxy::start(&site.synapse.url()).await?;
    let options = site.options(proxy.url());
    let held = proxy.next(Method::PUT, "/v2/users/@keeper", Fault::HoldRequest);
    let setup = site.start(&options)?;
    held.reached().await?;
    let process = setup.id().context("it runs")?.to_string();
    ensure!(Command::new("kill").args(["-INT", &process]).status().await?.success());
    let output = timeout(PATIENCE, setup.wait_with_output()).await??;
    site.told(&output)?.bad(&["interrupted", "Run it again"]);
    assert_eq!(site.devices(&site.root.user_id).await?, Vec::<String>::new());
    held.release();
    proxy.settled().await?;
    site.set_up(&options).await?.well(&["\nNext:\n"]);
    site.is_whole().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_in_one_line_and_nothing_is_made() -> Result<()> {
    let site = Site::new().await?;
    write_secret(&site.path("wrong"), "not the password")?;
    let wrong = site.path("wrong").display().to_string();
    site.set_up(&site.with("--password-file", Some(&wrong))).await?.bad(&[
        site.root.user_id.as_str(),
        "refuses the login",
        "type the password again",
    ]);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let nobody = format!("http://{nobody}");
    site.set_up(&site.with("--homeserver", Some(&nobody))).await?.bad(&[
        "nothing answers at",
        &nobody,
        "--homeserver https://",
    ]);
    site.set_up(&site.with("--homeserver", Some("http://matrix.example.org")))
        .await?
        .bad(&["plain http", "Give https://"]);
    site.set_up(&site.with("--homeserver", None)).await?.bad(&["Give --homeserver ADDRESS"]);
    site.set_up(&site.with("--admin", None)).await?.bad(&["Give --admin NAME"]);
    let nobody = format!("@nobody-{}:{}", site.tag, site.synapse.server_name());
    site.set_up(&site.with("--admin", Some(&nobody))).await?.bad(&[&nobody, "has no account here"]);
    site.set_up(&site.with("--admin", Some("@zoe:elsewhere.test")))
        .await?
        .bad(&["is on another server", "master_key"]);

    fs::create_dir(site.path("open"))?;
    fs::set_permissions(site.path("open"), fs::Permissions::from_mode(0o755))?;
    let open = site.path("open").display().to_string();
    site.set_up(&site.with("--state", Some(&open))).await?.bad(&["others besides", "chmod 0700"]);
    assert_eq!(mode(&site.path("open"))?, 0o755, "it may be anybody's");

    write_secret(&site.path("ann"), "I am Ann")?;
    let mut ordinary = site.with("--login", Some(site.ann.user_id().as_str()));
    let place = ordinary.iter().position(|one| one == "--password-file").context("an option")?;
    ordinary[place + 1] = site.path("ann").display().to_string();
    let before = site.devices(site.ann.user_id()).await?;
    site.set_up(&ordinary).await?.bad(&[
        site.ann.user_id().as_str(),
        "is not a server admin",
        "register_new_matrix_user",
    ]);
    assert_eq!(site.devices(site.ann.user_id()).await?, before, "no login stays behind");

    assert!(!site.is_there(&site.bot()?).await? && !site.is_there(&site.keeper()?).await?);
    assert_eq!(site.devices(&site.root.user_id).await?, Vec::<String>::new());
    for file in ["synod.yaml", "admin-token", "password"] {
        assert!(!site.path(file).exists(), "{file}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_somebody_else_has_made_is_left_alone() -> Result<()> {
    let site = Site::new().await?;
    let taken = site.id("taken")?;
    let taken = site.synapse.register(taken.localpart(), "theirs", false, "Theirs").await?;
    let before = site.admin().account(&taken.user_id).await?;
    site.set_up(&site.with("--admin-account", Some(taken.user_id.localpart()))).await?.bad(&[
        taken.user_id.as_str(),
        "was not created by this setup",
        "--admin-account",
    ]);
    assert_eq!(site.admin().account(&taken.user_id).await?, before);
    let bot = site.with("--bot", Some(taken.user_id.localpart()));
    let told = site.set_up(&bot).await?;
    told.bad(&[taken.user_id.as_str(), "--bot", "put its password into"]);
    assert_eq!(site.admin().account(&taken.user_id).await?, before);
    // With its password it is the bot, if that is its password.
    write_secret(&site.path("password"), "not the password\n")?;
    site.set_up(&bot).await?.bad(&["cannot log in with the password in"]);
    write_secret(&site.path("password"), "theirs\n")?;
    site.set_up(&bot).await?.well(&["its password works", "\nNext:\n"]);
    site.synapse.log_in(&taken).await.context("the password is as it was")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_answers_and_a_secret_on_standard_input_say_the_same() -> Result<()> {
    let site = Site::new().await?;
    let moe = site.synapse.register(&format!("moe-{}", site.tag), "Moe", false, "Moe").await?;
    let answers = format!(
        "homeserver: {}\nlogin: {}\npassword_file: \"-\"\nbot: synod-{tag}\n\
         admin_account: keeper-{tag}\nstate: state\noperators:\n\
         - {{ user_id: \"{}\", role: admin }}\n- {{ user_id: moe-{tag}, role: moderator }}\n",
        site.synapse.url(),
        site.root.user_id.localpart(),
        site.ann.user_id(),
        tag = site.tag,
    );
    fs::write(site.path("answers.yaml"), &answers)?;
    let run = async |answers: &str| {
        fs::write(site.path("answers.yaml"), answers)?;
        let mut command = Command::new(SYNOD);
        command.args(["setup", "--config", "made/synod.yaml", "--answers", "answers.yaml"]);
        command.current_dir(site.dir.path()).stdin(Stdio::piped());
        let mut setup = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        setup.stdin.take().context("its input")?.write_all(b"let me in\n").await?;
        site.told(&timeout(PATIENCE, setup.wait_with_output()).await??)
    };
    // A secret where none belongs is not repeated; every fault of the file is told at once.
    let told = run(&format!("{answers}pasword: let me in\nallow_plain_http: perhaps\n")).await?;
    assert_eq!(told.code, Some(2), "{}", told.text);
    told.says(&["2 faults", "there is no such key here", "neither true nor false"]);
    assert!(!site.path("made").exists());

    // Moe has no keys yet, which the check tells; everything is made all the same.
    let told = run(&answers).await?;
    told.bad(&[moe.user_id.as_str(), "no master key"]);
    told.says(&["\nNext:\n", "Fix what is BAD above"]);
    assert_eq!(mode(&site.path("made"))?, 0o700);
    let [room] = &site.rooms().await?[..] else { panic!("one room") };
    let state = site.state(room.as_str()).await?;
    assert_eq!(state["m.room.power_levels"]["users"][moe.user_id.as_str()], 50);
    let invited = format!("m.room.member/{}", moe.user_id);
    assert_eq!(state[&invited]["membership"], "invite");
    assert_eq!(site.devices(&site.root.user_id).await?, Vec::<String>::new());
    Ok(())
}

/// Types answers at a terminal.
const TYPIST: &str = include_str!("setup/typist.py");

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_it_asks_and_shows_no_password() -> Result<()> {
    let site = Site::new().await?;
    let (url, bot) = (site.synapse.url(), format!("synod-{}", site.tag));
    let root = site.root.user_id.localpart();
    let answers = json!([
        ["The homeserver", url, false],
        ["The name of a server admin", root, false],
        ["The bot's name", bot, false],
        ["Admins, who may use every command", site.ann.user_id(), false],
        ["The names of moderators", "", false],
        ["The names of viewers, who can only look", "", false],
        ["The password of", "not the password", true],
        // Mistyped, so both are asked for again; the name may stay.
        ["The name of a server admin", "", false],
        ["The password of", "let me in", true],
    ]);
    let path = |name: &str| site.path(name).display().to_string();
    let mut typing = Command::new("python3");
    typing.args(["-c", TYPIST, &answers.to_string(), SYNOD, "setup"]);
    typing.args(["--config", &path("synod.yaml"), "--state", &path("state")]);
    typing.args(["--admin-account", &format!("keeper-{}", site.tag)]).kill_on_drop(true);
    let output = timeout(PATIENCE, typing.output()).await.context("it waits for an answer")??;
    let told = site.told(&output)?;
    told.well(&["The bot's name [synod]", "refuses the login", "Next:"]);
    site.is_whole().await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_service_keeps_the_accounts_it_says_what_to_run_there_and_goes_on() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let site = Site::on(synapse).await?;
    // What the commands of the service would make.
    let (bot, keeper) = (site.bot()?, site.keeper()?);
    let bot = site.synapse.register(bot.localpart(), "its own", false, "Synod").await?;
    let keeper = site.synapse.register(keeper.localpart(), "its own", true, "Keeper").await?;
    let [bot, keeper] = [site.synapse.log_in(&bot).await?.0, site.synapse.log_in(&keeper).await?.0];
    site.synapse.delegate().await?;
    let options = site.options(&site.synapse.url());
    let told = site.set_up(&options).await?;
    told.bad(&["an authentication service manages them"]);
    for (name, rest) in
        [("keeper", " --yes-i-want-to-grant-synapse-admin-privileges"), ("synod", "")]
    {
        let name = format!("{name}-{}", site.tag);
        told.says(&[
            &format!("mas-cli manage register-user --yes {name}\n"),
            &format!("mas-cli manage issue-compatibility-token {name}{rest}\n"),
        ]);
    }
    write_secret(&site.path("admin-token"), &keeper)?;
    site.set_up(&options).await?.bad(&["its access token is not in", "mas-cli manage"]);
    write_secret(&site.path("access-token"), &keeper)?;
    site.set_up(&options).await?.bad(&["belongs to", "name that account with --bot"]);
    write_secret(&site.path("access-token"), &bot)?;
    let told = site.set_up(&options).await?;
    told.well(&["the recovery key is in", "Next:"]);
    assert!(site.read("synod.yaml")?.contains("access_token: { file:"), "no password is there");
    let mut bot = None;
    let help = site.ann_asks(&mut bot, "!help").await?;
    assert!(help.from_signed_device && help.body.contains("!user"), "{}", help.body);
    Ok(())
}
