//! Secrets are told to one person in one room, and are nowhere else.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use ruma::OwnedRoomId;
use serde_json::{Value, json};
use world::{Account, Config, Fault, Message, Person, Proxy, Scene};

use crate::{
    SYNOD,
    kicked::token_of,
    record::export,
    support::{api, code, make, with_yes},
};

/// The room to which the bot has invited `person`, and that they have joined now.
pub(crate) async fn direct_room(person: &Person) -> Result<OwnedRoomId> {
    let (_, sync) = person.api().get("/_matrix/client/v3/sync?timeout=0").await?;
    let invited = sync.pointer("/rooms/invite").and_then(Value::as_object);
    let room = invited.and_then(|rooms| rooms.keys().next()).context("there is no invitation")?;
    let room = OwnedRoomId::try_from(room.as_str())?;
    person.join(&room).await?;
    Ok(room)
}

/// The secret that the bot tells in the direct room after `mark`.
pub(crate) async fn secret_told(
    scene: &Scene,
    direct: &OwnedRoomId,
    mark: usize,
) -> Result<String> {
    let in_direct = |message: &Message| message.room == *direct && message.is_message();
    let message = scene.ann().wait_for_since(mark, "the secret", in_direct).await?;
    ensure!(message.encrypted && message.from_signed_device, "{message}");
    Ok(message.body.lines().last().context("an empty message")?.to_owned())
}

/// What everybody in the admin room could read.
fn room_text(scene: &Scene) -> String {
    let heard = scene.ann().heard();
    let here = heard.iter().filter(|message| message.room == *scene.room());
    here.map(|message| message.raw.to_string()).collect()
}

async fn logs_in(scene: &Scene, account: &Account, password: &str) -> bool {
    let account = Account { user_id: account.user_id.clone(), password: password.to_owned() };
    scene.synapse().log_in(&account).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_told_in_the_direct_room_and_nowhere_else() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let ask = format!("!user password {}", eve.user_id);
    let refused = scene.ann_asks(&ask).await?;
    assert!(refused.body.starts_with("Refused · "), "no place to tell it: {}", refused.body);
    assert!(logs_in(&scene, &eve, &eve.password).await, "nothing was changed");

    let direct = direct_room(scene.ann()).await?;
    scene.ann().sees_joined(&direct, scene.bot_id()).await?;
    let mark = scene.ann().mark();
    let done = with_yes(&scene, &ask).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    let password = secret_told(&scene, &direct, mark).await?;
    assert!(password.len() >= 16, "{password}");
    assert!(logs_in(&scene, &eve, &password).await);
    assert!(!logs_in(&scene, &eve, &eve.password).await, "the old one is void");
    assert!(!room_text(&scene).contains(&password));

    // With a third person in it the room is not private any more.
    scene.ann().leave(&direct).await?;
    let refused = scene.ann_asks(&ask).await?;
    assert!(refused.body.starts_with("Refused · "), "{}", refused.body);
    assert!(logs_in(&scene, &eve, &password).await, "nothing was changed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_acts_as_the_account_and_ends() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let ask = format!("!user login {}", eve.user_id);
    let refused = scene.ann_asks(&ask).await?;
    assert!(refused.body.starts_with("Refused · "), "{}", refused.body);
    let direct = direct_room(scene.ann()).await?;
    scene.ann().sees_joined(&direct, scene.bot_id()).await?;
    let mark = scene.ann().mark();
    let done = with_yes(&scene, &ask).await?;
    assert!(done.body.starts_with("Done · ") && done.body.contains("Expires"), "{}", done.body);
    let token = secret_told(&scene, &direct, mark).await?;
    let (_, whoami) = scene.synapse().api(&token).get("/_matrix/client/v3/account/whoami").await?;
    assert_eq!(whoami["user_id"], json!(eve.user_id));
    assert!(!room_text(&scene).contains(&token));
    Ok(())
}

/// Every file below `folder` that holds one of the secrets, with its name.
pub(crate) fn leaks(folder: &Path, secrets: &[(&str, String)]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(leaks(&path, secrets)?);
            continue;
        }
        let bytes = fs::read(&path)?;
        for (name, secret) in secrets {
            if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
                found.push(format!("the {name} is in {}", path.display()));
            }
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_room_the_log_the_store_or_an_error() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let config: Config =
        scene.config().set("homeserver.admin_url", proxy.url()).set("log.filter", "trace");
    scene.start_bot(SYNOD, &config).await?;
    let eve = scene.subject("eve").await?;
    scene.ann_asks(&format!("!user password {}", eve.user_id)).await?;
    let direct = direct_room(scene.ann()).await?;
    scene.ann().sees_joined(&direct, scene.bot_id()).await?;

    let mark = scene.ann().mark();
    with_yes(&scene, &format!("!user password {}", eve.user_id)).await?;
    let password = secret_told(&scene, &direct, mark).await?;
    let mark = scene.ann().mark();
    with_yes(&scene, &format!("!user login {}", eve.user_id)).await?;
    let login = secret_told(&scene, &direct, mark).await?;

    // A token by which somebody is made to leave is told nobody at all.
    let sam = scene.subject("sam").await?;
    let made = make(&api(&scene, &sam).await?, json!({"preset": "public_chat"})).await?;
    let left = with_yes(&scene, &format!("!room kick {made} {} --as-user", sam.user_id)).await?;
    assert!(left.body.starts_with("Done · "), "{}", left.body);
    let acting = token_of(&proxy, "/leave")?;

    // A secret that was typed is refused, and taken out of the room.
    let typed = "Typed-7f3Kq-Canary";
    let command = format!("!user modify {} -P {typed}", eve.user_id);
    let event = scene.ann().say(scene.room(), &command).await?;
    let refused = scene.answer(scene.ann(), &event).await?;
    assert!(refused.body.starts_with("Refused · "), "{}", refused.body);
    assert!(!refused.raw.to_string().contains(typed), "{}", refused.raw);
    let redaction = |message: &Message| message.redacts.as_ref() == Some(&event);
    scene.ann().wait_for("the redaction", redaction).await?;

    // Requests that hold a secret fail, so that their errors are told and logged.
    let fault = Fault::Answer(500, json!({ "errcode": "M_UNKNOWN", "error": "no" }));
    let _failed = proxy.next(Method::POST, "/reset_password/", fault);
    let question = scene.ann_asks(&format!("!user password {}", eve.user_id)).await?;
    let told = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    assert!(told.body.starts_with("Unknown · "), "{}", told.body);
    let sent = proxy.changes();
    let sent = sent.last().context("a request was sent")?;
    let lost = sent.body["new_password"].as_str().context("it held a password")?.to_owned();
    assert_ne!(lost, password);

    let (_, _, exported) = export(&scene, "!audit export").await?;
    assert!(exported.contains("password"), "it holds what was asked: {exported}");

    let bot = scene.bot()?;
    bot.terminate().await?;
    let trace = bot.log().lines_with("TRACE").len();
    assert!(trace > 100, "only {trace} lines at trace level");
    let file = |name: &str| fs::read_to_string(scene.dir().join(name));
    let mut secrets = vec![
        ("new password", password),
        ("password that was lost", lost),
        ("login token", login),
        ("temporary token", acting),
        ("typed password", typed.to_owned()),
        ("admin token", file("admin-token")?.trim().to_owned()),
        ("bot's password", file("bot-password")?.trim().to_owned()),
    ];
    let leaked = leaks(&scene.state(), &secrets)?;
    assert!(leaked.is_empty(), "{leaked:?}");

    let session = session_token(&scene.state())?;
    secrets.push(("bot's token", session));
    let log = bot.log().text();
    // Ann wrote the typed one herself, and it was redacted.
    let room = room_text(&scene).replace(&json!(command).to_string(), "");
    for (name, secret) in &secrets {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert!(line.is_none(), "the {name} is in the log: {line:?}");
        assert!(!room.contains(secret.as_str()), "the {name} is in the room");
        assert!(!exported.contains(secret.as_str()), "the {name} is in the exported record");
    }
    Ok(())
}

/// The access token of the bot's own session, from the file that keeps it.
fn session_token(state: &Path) -> Result<String> {
    for entry in fs::read_dir(state)? {
        let path = entry?.path();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if let Some((_, token)) = text.split_once("\"access_token\":\"")
            && let Some((token, _)) = token.split_once('"')
        {
            return Ok(token.to_owned());
        }
    }
    anyhow::bail!("no file in {} keeps the session", state.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_holds_a_secret_dies_with_the_process() -> Result<()> {
    let scene = Scene::plan()
        .start_with(SYNOD, |config| config.set("commands.typed_secrets", true))
        .await?;
    let eve = scene.subject("eve").await?;
    let typed = "Typed-allowed-9xQ";
    let command = format!("!user modify {} -P {typed}", eve.user_id);
    let question = scene.ann_asks(&command).await?;
    assert!(!question.body.contains(typed), "{}", question.body);
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    let confirm = format!("!confirm {}", code(&question)?);
    let gone = scene.ann_asks(&confirm).await?;
    assert!(gone.body.starts_with("Expired · "), "{}", gone.body);
    assert!(!logs_in(&scene, &eve, typed).await);

    let done = with_yes(&scene, &command).await?;
    assert!(done.body.starts_with("Done · ") && !done.body.contains(typed), "{}", done.body);
    assert!(logs_in(&scene, &eve, typed).await);
    Ok(())
}
