//! What several tests ask, say and look at.

use std::{fmt::Display, future::Future, process::Command};

use anyhow::{Context as _, Result, ensure};
use ruma::{EventId, OwnedEventId, RoomId};
use serde_json::{Value, json};
use synod::reply::Status;
use tokio::time::timeout;
use world::{Account, Api, Config, Message, PATIENCE, Person, Proxy, Scene, Synadm, Synapse};

use crate::SYNOD;

/// The digits of the question in `message`.
pub(crate) fn code(message: &Message) -> Result<String> {
    digits(&message.body, "!confirm")
}

/// The digits after the first of these words.
pub(crate) fn digits(body: &str, words: &str) -> Result<String> {
    let (_, after) = body.split_once(words).with_context(|| format!("no {words:?} in {body}"))?;
    let digits = after.trim_start().chars().take_while(char::is_ascii_digit);
    let digits: String = digits.collect();
    ensure!(!digits.is_empty(), "no digits after {words:?} in {body}");
    Ok(digits)
}

/// A flag of an account as the homeserver has it, such as `suspended`.
pub(crate) async fn is(scene: &Scene, account: &Account, flag: &str) -> Result<bool> {
    Ok(scene.synapse().admin().account(&account.user_id).await?[flag] == json!(true))
}

/// The ids of an account's devices, in order.
pub(crate) async fn devices(scene: &Scene, account: &Account) -> Result<Vec<String>> {
    let path = format!("/_synapse/admin/v2/users/{}/devices", account.user_id);
    let (status, listed) = scene.synapse().admin().get(&path).await?;
    ensure!(status == 200, "{status} {listed}");
    let devices = listed["devices"].as_array().context("a list of devices")?;
    let id = |device: &Value| Some(device["device_id"].as_str()?.to_owned());
    let mut ids: Vec<String> = devices.iter().filter_map(id).collect();
    ids.sort();
    Ok(ids)
}

/// The interface of an account that logs in for it.
pub(crate) async fn api(scene: &Scene, account: &Account) -> Result<Api> {
    Ok(scene.synapse().api(&scene.synapse().log_in(account).await?.0))
}

/// A room that an account makes, with what is asked for besides.
pub(crate) async fn make(api: &Api, wanted: Value) -> Result<String> {
    let (_, made) = api.post("/_matrix/client/v3/createRoom", wanted).await?;
    Ok(made["room_id"].as_str().with_context(|| format!("a room is made: {made}"))?.to_owned())
}

/// A piece of a room's state, as `person` sees it.
pub(crate) async fn state(person: &Person, room: &RoomId, kind: &str) -> Result<Value> {
    let path = format!("/_matrix/client/v3/rooms/{room}/state/{kind}/");
    let (status, content) = person.api().get(&path).await?;
    ensure!(status == 200, "{kind} of {room}: {status} {content}");
    Ok(content)
}

/// Sets a piece of a room's state as `person`, and answers the event.
pub(crate) async fn set_state(
    person: &Person,
    room: &RoomId,
    kind: &str,
    content: Value,
) -> Result<String> {
    let path = format!("/_matrix/client/v3/rooms/{room}/state/{kind}/");
    let (status, answer) = person.api().put(&path, content).await?;
    ensure!(status == 200, "{kind} of {room}: {status} {answer}");
    Ok(answer["event_id"].as_str().context("a state event has an id")?.to_owned())
}

/// A scene whose Admin API requests come by a proxy.
pub(crate) async fn watched(change: impl FnOnce(Config) -> Config) -> Result<(Scene, Proxy)> {
    let scene = Scene::plan().set().await?;
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    scene.start_bot(SYNOD, &change(config)).await?;
    Ok((scene, proxy))
}

/// A scene, and synadm on the same homeserver.
pub(crate) async fn both() -> Result<(Scene, Synadm)> {
    let scene = Scene::start(SYNOD).await?;
    let synadm = Synadm::of(&scene).await?;
    Ok((scene, synadm))
}

/// Changes the database of a homeserver of one's own, which is stopped and started again for it.
pub(crate) async fn behind_its_back(synapse: &Synapse, statement: String) -> Result<()> {
    synapse.stop().await?;
    let script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as database:\n    \
                  database.executescript(sys.argv[2])";
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(synapse.dir().join("homeserver.db")).arg(statement);
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    synapse.start_again().await
}

/// The command that suspends an account.
pub(crate) fn suspend(account: &Account) -> String {
    format!("!user suspend {}", account.user_id)
}

/// Ann asks, says yes by the code, and gets an answer.
pub(crate) async fn with_yes(scene: &Scene, command: &str) -> Result<Message> {
    let question = scene.ann_asks(command).await?;
    let code = code(&question)?;
    scene.ann_asks(&format!("!confirm {code}")).await
}

/// An account with one device that has been seen, and that device's id.
pub(crate) async fn with_device(scene: &Scene, name: &str) -> Result<(Account, String)> {
    let account = scene.subject(name).await?;
    let (token, device) = scene.synapse().log_in(&account).await?;
    scene.synapse().api(&token).get("/_matrix/client/v3/sync?timeout=0").await?;
    Ok((account, device))
}

/// The command that an answer offers to copy, from `start` to the end of its line.
pub(crate) fn offered<'a>(answer: &'a Message, start: &str) -> Result<&'a str> {
    let at = answer.body.find(start).with_context(|| answer.body.clone())?;
    let line = answer.body.get(at..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    Ok(line.trim_end_matches('`').trim())
}

/// What a question says behind its code; of any other answer, all of it.
fn asked(body: &str) -> &str {
    body.strip_prefix("❓ ").and_then(|body| body.split_once(" · ")).map_or(body, |(_, rest)| rest)
}

/// An answer begins with `word`, which is compared whole where it is an outcome, a question with it behind
/// its code; and it holds every part.
pub(crate) fn says(answer: &Message, word: &str, parts: &[&str]) {
    assert!(!word.is_empty() || !parts.is_empty(), "this would hold of every answer");
    let is_first_word = Status::ALL.iter().any(|status| status.as_str() == word);
    let word = if is_first_word { format!("{word} · ") } else { word.to_owned() };
    assert!(asked(&answer.body).starts_with(&word), "{word:?} does not begin {}", answer.body);
    for part in parts {
        assert!(answer.body.contains(part), "{part:?} is not in {}", answer.body);
    }
}

/// What the bot says with these words, heard already or still to come.
pub(crate) async fn told(scene: &Scene, words: &str) -> Result<Message> {
    told_since(scene, 0, words).await
}

/// As [`told`], but blind to what ann heard before `mark`.
pub(crate) async fn told_since(scene: &Scene, mark: usize, words: &str) -> Result<Message> {
    let by_bot =
        |message: &Message| message.sender == *scene.bot_id() && message.body.contains(words);
    scene.ann().wait_for_since(mark, words, by_bot).await
}

/// What is said with these words to what `answer` answers.
pub(crate) async fn told_in_reply(scene: &Scene, answer: &Message, words: &str) -> Result<Message> {
    let about = answer.reply_to.clone().context("an answer replies to something")?;
    let what = format!("{words:?} as an answer to {about}");
    let is_it = |message: &Message| {
        message.reply_to.as_ref() == Some(&about) && message.body.contains(words)
    };
    scene.ann().wait_for(&what, is_it).await
}

/// Lets ann say a yes that is refused as too early, again and again until it is not any more.
/// Answers its event and the first answer to it.
pub(crate) async fn not_too_early(scene: &Scene, yes: &str) -> Result<(OwnedEventId, Message)> {
    let early = async {
        loop {
            let said = scene.ann().say(scene.room(), yes).await?;
            let answer = scene.answer(scene.ann(), &said).await?;
            if !answer.body.contains("can be confirmed from") {
                return Ok((said, answer));
            }
        }
    };
    timeout(PATIENCE, early).await.with_context(|| format!("{yes} was always too early"))?
}

/// When the homeserver took an event, in milliseconds, as ann has heard.
async fn taken_at(scene: &Scene, event: &EventId) -> Result<i64> {
    let what = format!("when {event} was taken");
    let heard = scene.ann().wait_for(&what, |message| message.event_id == *event).await?;
    heard.raw["origin_server_ts"].as_i64().context(what)
}

/// Lets ann talk until by the homeserver's clock it is more than so many milliseconds after `event`.
pub(crate) async fn later_than(scene: &Scene, event: &EventId, milliseconds: i64) -> Result<()> {
    let taken = taken_at(scene, event).await?;
    let talk = async {
        loop {
            let said = scene.ann().say(scene.room(), "time goes by").await?;
            if taken_at(scene, &said).await? > taken + milliseconds {
                return Ok(());
            }
        }
    };
    timeout(PATIENCE, talk).await.context("the homeserver's clock stands")?
}

/// Messages that mean harm, each with a name, and whether the homeserver took it.
///
/// That nothing happens after an attack says something only if the attack was there: a test ends
/// with [`Attacks::arrived`] before it looks at what became of them.
#[derive(Debug, Default)]
pub(crate) struct Attacks {
    taken: Vec<(String, OwnedEventId)>,
    refused: Vec<(String, String)>,
}

impl Attacks {
    /// Sends one, which the homeserver takes or refuses.
    pub(crate) async fn send(
        &mut self,
        name: impl Display,
        sending: impl Future<Output = Result<OwnedEventId>>,
    ) {
        match sending.await {
            Ok(event) => self.taken.push((name.to_string(), event)),
            Err(why) => self.refused.push((name.to_string(), format!("{why:#}"))),
        }
    }

    /// Waits until ann's client has heard all that were taken, as the bot's does, and answers how
    /// many they are. An error if others were refused than those whose names are in `refused`: what
    /// was never sent attacks nobody, and what is taken now is one attack more than this test knows.
    pub(crate) async fn arrived(self, scene: &Scene, refused: &[&str]) -> Result<usize> {
        let (names, whys): (Vec<_>, Vec<_>) =
            self.refused.iter().map(|(name, why)| (name.as_str(), why)).unzip();
        ensure!(names == refused, "{names:?} did not arrive, {refused:?} were not to: {whys:#?}");
        ensure!(!self.taken.is_empty(), "no attack arrived");
        for (name, event) in &self.taken {
            let it =
                |message: &Message| message.event_id == *event && message.room == *scene.room();
            scene.ann().wait_for(name, it).await?;
        }
        Ok(self.taken.len())
    }
}
