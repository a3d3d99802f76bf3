//! Where a setup is tried: a homeserver, its admin, an operator, and a folder in which nothing is set
//! up yet.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use ruma::{OwnedRoomId, OwnedUserId, UserId};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::timeout,
};
use world::{Account, Api, Bot, Message, Person, Synapse, write_secret};

use crate::SYNOD;

/// Keys are made on a machine that may be busy.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// A homeserver with somebody who is its admin, somebody who is to give commands, and a folder in
/// which nothing is set up yet.
pub(super) struct Site {
    pub(super) synapse: Synapse,
    pub(super) dir: TempDir,
    pub(super) tag: String,
    /// The server admin.
    pub(super) root: Account,
    /// The operator.
    pub(super) ann: Person,
}

impl Site {
    pub(super) async fn new() -> Result<Self> {
        Self::on(Synapse::shared().await?).await
    }

    pub(super) async fn on(synapse: Synapse) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("setup-").tempdir_in(synapse.dir())?;
        let tag = dir.path().file_name().and_then(|name| name.to_str()).context("a name")?;
        let tag = tag.to_ascii_lowercase();
        let root = synapse.register(&format!("root-{tag}"), "let me in", true, "Root").await?;
        let ann = synapse.register(&format!("ann-{tag}"), "I am Ann", false, "Ann").await?;
        let ann = Person::login(&synapse, ann.user_id.localpart(), &ann.password).await?;
        write_secret(&dir.path().join("root-password"), "let me in\n")?;
        Ok(Self { synapse, dir, tag, root, ann })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn read(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.path(name)).with_context(|| name.to_owned())
    }

    pub(super) fn id(&self, name: &str) -> Result<OwnedUserId> {
        Ok(UserId::parse(format!("@{name}-{}:{}", self.tag, self.synapse.server_name()))?)
    }

    pub(super) fn bot(&self) -> Result<OwnedUserId> {
        self.id("synod")
    }

    pub(super) fn keeper(&self) -> Result<OwnedUserId> {
        self.id("keeper")
    }

    /// Every option, for the homeserver at `url`.
    pub(super) fn options(&self, url: &str) -> Vec<String> {
        let path = |name: &str| self.path(name).display().to_string();
        let pairs = [
            ("--config", path("synod.yaml")),
            ("--state", path("state")),
            ("--homeserver", url.to_owned()),
            ("--login", self.root.user_id.to_string()),
            ("--password-file", path("root-password")),
            ("--bot", format!("synod-{}", self.tag)),
            ("--admin-account", format!("keeper-{}", self.tag)),
            ("--admin", self.ann.user_id().to_string()),
        ];
        pairs.into_iter().flat_map(|(option, value)| [option.to_owned(), value]).collect()
    }

    /// The options with one of them changed, or left out where it is given nothing.
    pub(super) fn with(&self, option: &str, value: Option<&str>) -> Vec<String> {
        let options = self.options(&self.synapse.url());
        let kept = options.chunks(2).filter(|pair| pair.first().is_some_and(|one| one != option));
        let mut options = kept.flatten().cloned().collect::<Vec<_>>();
        options.extend(value.into_iter().flat_map(|value| [option.to_owned(), value.to_owned()]));
        options
    }

    pub(super) fn start(&self, options: &[String]) -> Result<Child> {
        let mut command = Command::new(SYNOD);
        command.arg("setup").args(options).current_dir(self.dir.path()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command.spawn()?)
    }

    /// A whole setup. No secret is in what it says.
    pub(super) async fn set_up(&self, options: &[String]) -> Result<Told> {
        let output = timeout(PATIENCE, self.start(options)?.wait_with_output()).await;
        self.told(&output.context("the setup does not end")??)
    }

    pub(super) fn told(&self, output: &Output) -> Result<Told> {
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        let text = String::from_utf8(text)?;
        let known = ["admin-token", "password", "state/recovery.key", "root-password"];
        let known = known.iter().filter_map(|name| self.read(name).ok());
        for secret in known.chain(["syt_".into(), "let me in".into(), "not the password".into()]) {
            ensure!(!text.contains(secret.trim()), "a secret is in {text}");
        }
        Ok(Told { code: output.status.code(), text })
    }

    pub(super) fn admin(&self) -> Api {
        self.synapse.admin()
    }

    /// What the homeserver answers to a look.
    pub(super) async fn look(&self, path: &str) -> Result<Value> {
        let (status, answer) = self.admin().get(path).await?;
        ensure!(status == 200, "{path}: {status} {answer}");
        Ok(answer)
    }

    pub(super) async fn is_there(&self, user: &UserId) -> Result<bool> {
        Ok(self.admin().get(&format!("/_synapse/admin/v2/users/{user}")).await?.0 == 200)
    }

    /// The ids of an account's devices.
    pub(super) async fn devices(&self, user: &UserId) -> Result<Vec<String>> {
        let listed = self.look(&format!("/_synapse/admin/v2/users/{user}/devices")).await?;
        let devices = listed["devices"].as_array().context("a list of devices")?;
        let id = |device: &Value| device["device_id"].as_str().map(str::to_owned);
        Ok(devices.iter().filter_map(id).collect())
    }

    /// The rooms in which the bot is.
    pub(super) async fn rooms(&self) -> Result<Vec<OwnedRoomId>> {
        let path = format!("/_synapse/admin/v1/users/{}/joined_rooms", self.bot()?);
        let listed = self.look(&path).await?;
        let rooms = listed["joined_rooms"].as_array().context("a list of rooms")?;
        rooms.iter().map(|room| Ok(room.as_str().unwrap_or_default().try_into()?)).collect()
    }

    /// Every room that the account of the admin token has made.
    pub(super) async fn made(&self) -> Result<usize> {
        let listed = self.look("/_synapse/admin/v1/rooms?limit=1000").await?;
        let rooms = listed["rooms"].as_array().context("a list of rooms")?;
        let keeper = self.keeper()?;
        Ok(rooms.iter().filter(|room| room["creator"] == keeper.as_str()).count())
    }

    /// The content of each kind of state of a room, those with a key by `kind/key`.
    pub(super) async fn state(&self, room: &str) -> Result<BTreeMap<String, Value>> {
        let state = self.look(&format!("/_synapse/admin/v1/rooms/{room}/state")).await?;
        let events = state["state"].as_array().context("a state")?;
        let named = |event: &Value| {
            let (kind, key) = (event["type"].as_str()?, event["state_key"].as_str()?);
            let name = if key.is_empty() { kind.to_owned() } else { format!("{kind}/{key}") };
            Some((name, event["content"].clone()))
        };
        Ok(events.iter().filter_map(named).collect())
    }

    pub(super) async fn check(&self) -> Result<Told> {
        let mut command = Command::new(SYNOD);
        command.arg("check").arg("--config").arg(self.path("synod.yaml"));
        self.told(&command.output().await?)
    }

    /// Starts the bot on what was set up and lets ann say `command` in its room, who accepts the
    /// invitation first. Answers what the bot replied.
    pub(super) async fn ann_asks(&self, bot: &mut Option<Bot>, command: &str) -> Result<Message> {
        if bot.is_none() {
            let config = self.read("synod.yaml")?;
            *bot = Some(Bot::start(SYNOD, &config, self.dir.path()).await?);
        }
        let [room] = &self.rooms().await?[..] else { anyhow::bail!("one room") };
        self.ann.join(room).await?;
        self.ann.sees_joined(room, &self.bot()?).await?;
        let event = self.ann.say(room, command).await?;
        self.ann.answer_to(&event).await
    }

    /// One account of each kind, one room, one device each, and no login of the admin's left.
    pub(super) async fn is_whole(&self) -> Result<()> {
        let (bot, keeper) = (self.bot()?, self.keeper()?);
        let accounts = [&bot, &keeper];
        for (user, is_admin) in accounts.into_iter().zip([false, true]) {
            assert_eq!(self.admin().account(user).await?["admin"], is_admin, "{user}");
        }
        assert_eq!(self.made().await?, 1, "one room");
        let rooms = self.rooms().await?;
        let [room] = &rooms[..] else { panic!("one room: {rooms:?}") };
        assert_eq!(self.devices(&self.root.user_id).await?, Vec::<String>::new());
        let [bots, keepers] = [self.devices(&bot).await?, self.devices(&keeper).await?];
        assert_eq!((bots.len(), keepers.len()), (1, 1), "{bots:?} {keepers:?}");
        let session: Value = serde_json::from_str(&self.read("state/session.json")?)?;
        assert_eq!(session["device_id"], bots[0]);
        let token = self.synapse.api(self.read("admin-token")?.trim());
        let (_, who) = token.get("/_matrix/client/v3/account/whoami").await?;
        assert_eq!((&who["user_id"], &who["device_id"]), (&json!(keeper), &json!(keepers[0])));
        self.room_is_right(room.as_str()).await
    }

    pub(super) async fn room_is_right(&self, room: &str) -> Result<()> {
        let state = self.state(room).await?;
        let ann = self.ann.user_id();
        let levels = &state["m.room.power_levels"];
        let powers = json!({ self.bot()?.as_str(): 50, ann.as_str(): 100 });
        assert_eq!(levels["users"], powers, "nobody else has power");
        for (key, level) in
            [("users_default", 0), ("state_default", 100), ("invite", 100), ("redact", 50)]
        {
            assert_eq!(levels[key], level, "{key}");
        }
        for (kind, key, value) in [
            ("m.room.encryption", "algorithm", "m.megolm.v1.aes-sha2"),
            ("m.room.join_rules", "join_rule", "invite"),
            ("m.room.history_visibility", "history_visibility", "joined"),
            ("m.room.guest_access", "guest_access", "forbidden"),
        ] {
            assert_eq!(state[kind][key], value, "{kind}");
        }
        let member = |user: &UserId| state[&format!("m.room.member/{user}")]["membership"].clone();
        assert_eq!(member(&self.bot()?), "join");
        assert_eq!(member(&self.keeper()?), "leave", "whoever made it has left");
        assert!(["invite", "join"].contains(&member(ann).as_str().unwrap_or_default()));
        let members = state.keys().filter(|key| key.starts_with("m.room.member/"));
        assert_eq!(members.count(), 3, "nobody else was ever in it");
        Ok(())
    }
}

/// What a setup has said, and how it ended.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) code: Option<i32>,
    pub(super) text: String,
}

impl Told {
    /// It went well, and every part is in what it says.
    #[track_caller]
    pub(super) fn well(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(0), "{}", self.text);
        self.says(parts);
    }

    /// It ended with exit code 1 and one bad line that has every part.
    #[track_caller]
    pub(super) fn bad(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(1), "{}", self.text);
        let bad: Vec<_> = self.text.lines().filter(|line| line.starts_with("BAD ")).collect();
        let [line] = bad[..] else { panic!("one thing is wrong: {}", self.text) };
        for part in parts {
            assert!(line.contains(part), "{part:?} is not in {line}");
        }
    }

    #[track_caller]
    pub(super) fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.text.contains(part), "{part:?} is not in {}", self.text);
        }
    }
}

pub(super) fn mode(path: &Path) -> Result<u32> {
    let metadata = fs::metadata(path).with_context(|| path.display().to_string())?;
    Ok(metadata.permissions().mode() & 0o7777)
}
