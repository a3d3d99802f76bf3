//! Synod beside synadm on the same homeserver: each of its commands, and each of its faults.
//!
//! The commands stand as data in [`commands`]. What looks is asked of both at the same moment and
//! compared as data; what changes is done by each to a twin of its own, and what the homeserver then
//! has of the twins is compared. Where they differ a difference is named with its reason, and one
//! that is not there any more is an error too.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use world::{Account, Message, Options, Scene, Synadm, Synapse, Things};

use crate::{SYNOD, support, support::code};

mod commands;
mod faults;
mod faults_of_data;
mod faults_of_servers;
mod told;
mod turned;

use commands::{COMMANDS, Held};

/// What two values differ in: by the path in each, with `*` for every place in a list, the first
/// pair that was found.
fn differences(theirs: &Value, ours: &Value) -> BTreeMap<String, (Value, Value)> {
    let mut found = BTreeMap::new();
    walk(String::new(), theirs, ours, &mut found);
    found
}

fn walk(path: String, theirs: &Value, ours: &Value, found: &mut BTreeMap<String, (Value, Value)>) {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let path = format!("{path}/{key}");
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => walk(path, a, b, found),
                    (a, b) => {
                        let side =
                            |value: Option<&Value>| value.cloned().unwrap_or("(absent)".into());
                        found.entry(path).or_insert_with(|| (side(a), side(b)));
                    }
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (a, b) in a.iter().zip(b) {
                walk(format!("{path}/*"), a, b, found);
            }
        }
        (a, b) if a != b => {
            found.entry(path).or_insert_with(|| (a.clone(), b.clone()));
        }
        _ => {}
    }
}

/// Without what changes by itself: times of last use, which are written some time after the fact,
/// and whatever no two events have alike.
fn at_rest(mut value: Value) -> Value {
    const RESTLESS: [&str; 13] = [
        "last_seen_ts",
        "last_seen",
        "last_access_ts",
        "creation_ts",
        "created_ts",
        "added_at",
        "validated_at",
        "replaces_state",
        "sha256",
        "event_id",
        "origin_server_ts",
        "age",
        "age_ts",
    ];
    match &mut value {
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                *field = if RESTLESS.contains(&key.as_str()) {
                    "at some time".into()
                } else {
                    at_rest(field.take())
                };
            }
        }
        Value::Array(items) => {
            for item in items.iter_mut() {
                *item = at_rest(item.take());
            }
            // Ids alone come in any order.
            if items.iter().all(Value::is_string) {
                items.sort_by_key(Value::to_string);
            }
        }
        _ => {}
    }
    value
}

/// What is wrong with a comparison: differences without a name, and names without a difference.
fn faults_of(what: &str, theirs: &Value, ours: &Value, apart: &[(&str, &str)]) -> Vec<String> {
    let found = differences(theirs, ours);
    let named: BTreeSet<&str> = apart.iter().map(|(path, _)| *path).collect();
    let unnamed = found.iter().filter(|(path, _)| !named.contains(path.as_str()));
    let unnamed = unnamed.map(|(path, (a, b))| format!("{what}: {path:?}: synadm {a}, Synod {b}"));
    let outdated = named.iter().filter(|path| !found.contains_key(**path));
    let outdated = outdated.map(|path| format!("{what}: no difference any more at {path}"));
    unnamed.chain(outdated).collect()
}

/// The words of a command as a shell would split them; there are quotes and nothing else.
fn words(text: &str) -> Vec<&str> {
    let parts = text.split('"').enumerate();
    let split = |(n, part)| -> Vec<&str> {
        if n % 2 == 1 { vec![part] } else { str::split_whitespace(part).collect() }
    };
    parts.flat_map(split).collect()
}

/// What the bot answers as data, in the room or in a file.
async fn data(scene: &Scene, ask: &str) -> Result<Value> {
    let mark = scene.ann().mark();
    let answer = scene.ann_asks(ask).await?;
    if let Ok(data) = serde_json::from_str(&answer.body) {
        return Ok(data);
    }
    ensure!(answer.body.contains(".json"), "{ask} is not answered with data: {}", answer.body);
    let is_file = |message: &Message| message.msgtype == "m.file";
    let file = scene.ann().wait_for_since(mark, "the file", is_file).await?;
    Ok(serde_json::from_slice(&scene.ann().download(&file).await?)?)
}

/// Lets ann say a command and then yes to its question, if it has one, in the way that it asks for.
async fn done(scene: &Scene, ask: &str, phrases: &[&str]) -> Result<Message> {
    let answer = scene.ann_asks(ask).await?;
    let Ok(code) = code(&answer) else { return Ok(answer) };
    let bare = scene.ann_asks(&format!("!confirm {code}")).await?;
    if !bare.body.starts_with("Refused · ") {
        return Ok(bare);
    }
    let mut answer = bare;
    for phrase in phrases {
        answer = scene.ann_asks(&format!("!confirm {code} {phrase}")).await?;
        if answer.body.starts_with("Done · ") {
            break;
        }
    }
    Ok(answer)
}

/// Things that are told from those of another twin by nothing but their names.
struct Twin {
    things: Things,
    mail: String,
}

impl Twin {
    async fn new(scene: &Scene, name: &str) -> Result<Self> {
        let synapse = scene.synapse();
        let account = scene.subject(name).await?;
        let localpart = account.user_id.localpart();
        let account = synapse.register(localpart, &account.password, false, "Twin").await?;
        let mut things = Things::of(synapse, account).await?;
        // A quarantine goes by content, so that of one would be that of the other.
        let api = support::api(scene, &things.eve).await?;
        let bytes = format!("{:>80}", things.eve.user_id);
        things.media = api.upload(bytes.into(), "image/png", "a.png").await?;
        let mail = format!("{}@mail.example", things.eve.user_id.localpart());
        Ok(Self { things, mail })
    }

    /// A command about its things, without the mark before it.
    fn typed(&self, command: &str) -> String {
        let own = format!("{}-choir", self.things.eve.user_id.localpart());
        let command =
            command.replace("ann@mail.example", &self.mail).replace("for-the-choir", &own);
        self.things.typed(&command).split_off(1)
    }

    /// What the homeserver says at a path, in the words of the examples.
    async fn state(&self, synapse: &Synapse, path: &str) -> Result<Value> {
        let (status, answer) = synapse.admin().get(&self.typed(path)).await?;
        let text = at_rest(answer).to_string();
        let things = &self.things;
        let media = things.media.rsplit('/').next().context("an id")?;
        let names = [
            (things.room.as_str(), "ROOM"),
            (things.device.as_str(), "DEVICE"),
            (media, "MEDIA"),
            (things.eve.user_id.localpart(), "TWIN"),
        ];
        let text = names.iter().fold(text, |text, (from, to)| text.replace(from, to));
        Ok(json!([status, serde_json::from_str::<Value>(&text)?]))
    }

    /// What a question about one of its accounts may ask for.
    fn phrases(&self) -> [String; 4] {
        let localpart = self.things.eve.user_id.localpart();
        ["", "gone-", "bob-", "new-"].map(|kind| format!("{kind}{localpart}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_synadms_commands_are_here_and_no_others() -> Result<()> {
    let mut here: Vec<&str> = COMMANDS.iter().map(|command| command.words).collect();
    here.sort_unstable();
    assert_eq!(here, Synadm::commands().await?);
    assert_eq!(here.len(), 52);
    for command in COMMANDS {
        assert!(!command.held.is_empty(), "{} is held against nothing", command.words);
        for held in command.held {
            match held {
                Held::Told(test) => {
                    let told = include_str!("parity/told.rs");
                    assert!(told.contains(&format!("async fn {test}(")), "there is no test {test}");
                }
                Held::Instead(why) => assert!(!why.is_empty()),
                Held::Look { .. } | Held::Change { .. } => {}
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_look_shows_what_synadms_shows() -> Result<()> {
    // Nobody else is on this homeserver, so that both see the same.
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let synadm = Synadm::of(&scene).await?;
    let twin = furnished(&scene).await?;
    let mut faults = Vec::new();
    for command in COMMANDS {
        for held in command.held {
            let Held::Look { theirs, ours, turned, apart } = held else { continue };
            let (theirs, ours) = (twin.typed(theirs), twin.typed(ours));
            let said = synadm.runs(&words(&theirs)).await?;
            let theirs = match said.last() {
                Ok(data) => data,
                Err(_) => Value::String(said.out.trim().to_owned()),
            };
            let what = format!("{} / {ours}", command.words);
            match data(&scene, &format!("!{ours} -o json")).await {
                Ok(ours) => {
                    let ours = at_rest(turned(ours));
                    faults.extend(faults_of(&what, &at_rest(theirs), &ours, apart));
                }
                Err(error) => faults.push(format!("{what}: {error:#}")),
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    Ok(())
}

/// Things with something of each kind that can be looked at.
async fn furnished(scene: &Scene) -> Result<Twin> {
    let twin = Twin::new(scene, "eve").await?;
    let api = scene.synapse().admin();
    let path = format!("/_synapse/admin/v2/users/{}", twin.things.eve.user_id);
    let more = json!({
        "threepids": [{ "medium": "email", "address": twin.mail }],
        "external_ids": [{ "auth_provider": "oidc-keycloak", "external_id": "5f0c2a" }],
    });
    let (status, answer) = api.put(&path, more).await?;
    ensure!(status == 200, "not furnished: {answer}");
    // A file in a room shows where what names it is not encrypted.
    let by = support::api(scene, &twin.things.eve).await?;
    let room = format!("/_matrix/client/v3/rooms/{}", twin.things.room);
    let content = json!({ "msgtype": "m.image", "body": "a.png", "url": twin.things.media });
    let (status, answer) = by.put(&format!("{room}/send/m.room.message/1"), content).await?;
    ensure!(status == 200, "not said: {answer}");
    let levels = json!({ "users": { twin.things.bob.user_id.as_str(): 50 } });
    let (status, answer) = by.put(&format!("{room}/state/m.room.power_levels"), levels).await?;
    ensure!(status == 200, "no power: {answer}");
    Ok(twin)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_leaves_what_synadms_leaves() -> Result<()> {
    let scene = Scene::plan().set().await?;
    scene.start_bot(SYNOD, &scene.config()).await?;
    let synapse = scene.synapse();
    let synadm = Synadm::of(&scene).await?;
    let (one, two) = (Twin::new(&scene, "one").await?, Twin::new(&scene, "two").await?);
    let mut faults = Vec::new();
    for command in COMMANDS {
        for held in command.held {
            let Held::Change { theirs, ours, state } = held else { continue };
            let before = one.state(synapse, state).await?;
            let said = synadm.runs(&words(&one.typed(theirs))).await?;
            let answer = done(
                &scene,
                &format!("!{}", two.typed(ours)),
                &two.phrases().each_ref().map(String::as_str),
            )
            .await?;
            let what = format!("{ours} ({})", answer.body.lines().next().unwrap_or_default());
            let (by_theirs, by_ours) =
                (one.state(synapse, state).await?, two.state(synapse, state).await?);
            faults.extend(faults_of(&what, &by_theirs, &by_ours, &[]));
            if by_theirs == before {
                faults.push(format!("{what}: did synadm change anything? {said:?} {by_theirs}"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    Ok(())
}

/// The account of a subject with a device that has a token of its own.
async fn account_of(scene: &Scene, name: &str) -> Result<(Account, String)> {
    let account = scene.subject(name).await?;
    let token = scene.synapse().log_in(&account).await?.0;
    Ok((account, token))
}
