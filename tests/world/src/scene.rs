//! The usual: an admin room with operators, a stranger and the bot.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{
    Account, Bot, Config, Message, NewRoom, Person, Synapse, bot::write_secret, synapse::random_hex,
};

/// What scene to set.
#[derive(Debug, Clone)]
pub struct Plan {
    synapse: Option<Synapse>,
    room: NewRoom,
}

/// An admin room made by `ann` (admin), with `moe` (moderator), `vic` (viewer), a stranger and
/// the bot invited, and the bot beside it once it is started.
///
/// Names are this scene's own, so many scenes play on one homeserver. Only `ann` is there from
/// the beginning; the others log in and join when they are first asked for, since each login
/// costs time.
#[derive(Debug)]
pub struct Scene {
    synapse: Synapse,
    room: OwnedRoomId,
    encrypted: bool,
    tag: String,
    ann: Person,
    moe: Guest,
    vic: Guest,
    stranger: Guest,
    keeper: Account,
    bot_account: Account,
    bot: OnceCell<Bot>,
    dir: TempDir,
}

#[derive(Debug)]
struct Guest {
    account: Account,
    person: OnceCell<Person>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        // A failed assertion knows nothing of the bot; what it said is often the answer.
        if std::thread::panicking()
            && let Some(bot) = self.bot.get()
        {
            eprintln!("the end of the bot's log:\n{}", bot.log().tail(60));
        }
    }
}

impl Plan {
    /// On another homeserver than the shared one.
    #[must_use]
    pub fn on(mut self, synapse: &Synapse) -> Self {
        self.synapse = Some(synapse.clone());
        self
    }

    /// In a room without encryption; the configuration says `encryption: optional`.
    #[must_use]
    pub fn in_clear(mut self) -> Self {
        self.room.encrypted = false;
        self
    }

    /// In a room that differs: version, alias, name. Invitations and powers are the scene's.
    #[must_use]
    pub fn room(mut self, room: NewRoom) -> Self {
        self.room = room;
        self
    }

    /// Sets it without the bot: see [`Scene::start_bot`].
    pub async fn set(self) -> Result<Scene> {
        let synapse = match self.synapse {
            Some(synapse) => synapse,
            None => Synapse::shared().await?,
        };
        Scene::set(synapse, self.room).await
    }

    /// Sets it with the bot started on the usual configuration and joined.
    pub async fn start(self, binary: impl AsRef<Path>) -> Result<Scene> {
        self.start_with(binary, |config| config).await
    }

    /// As [`Plan::start`], with the configuration changed.
    pub async fn start_with(
        self,
        binary: impl AsRef<Path>,
        change: impl FnOnce(Config) -> Config,
    ) -> Result<Scene> {
        let scene = self.set().await?;
        scene.start_bot(binary, &change(scene.config())).await?;
        Ok(scene)
    }
}

impl Scene {
    /// A scene to be changed before it is set.
    pub fn plan() -> Plan {
        Plan { synapse: None, room: NewRoom::default() }
    }

    /// The usual, with the bot in the room: `Scene::start(env!("CARGO_BIN_EXE_synod"))`.
    pub async fn start(binary: impl AsRef<Path>) -> Result<Self> {
        Self::plan().start(binary).await
    }

    async fn set(synapse: Synapse, room: NewRoom) -> Result<Self> {
        static SCENES: AtomicU32 = AtomicU32::new(1);
        let tag = format!("{}-{}", SCENES.fetch_add(1, Ordering::Relaxed), random_hex(3)?);
        let password = random_hex(8)?;
        let account = async |name: &str, admin: bool| {
            synapse.register(&format!("{name}-{tag}"), &password, admin, name).await
        };
        let keeper = account("keeper", true).await?;
        let bot_account = account("synod", false).await?;
        let [ann, moe, vic, stranger] = [
            account("ann", false).await?,
            account("moe", false).await?,
            account("vic", false).await?,
            account("stranger", false).await?,
        ];
        let ann = Person::login(&synapse, ann.user_id.localpart(), &ann.password).await?;
        let guests = [&bot_account, &moe, &vic, &stranger];
        let new = NewRoom {
            invite: guests.map(|guest| guest.user_id.clone()).to_vec(),
            powers: [(bot_account.user_id.clone(), 50)].into(),
            ..room
        };
        let room = ann.create_room(&new).await?;
        let dir = tempfile::Builder::new().prefix("scene-").tempdir_in(synapse.dir())?;
        write_secret(&dir.path().join("admin-token"), &synapse.log_in(&keeper).await?.0)?;
        write_secret(&dir.path().join("bot-password"), &bot_account.password)?;
        let guest = |account| Guest { account, person: OnceCell::new() };
        Ok(Self {
            room,
            encrypted: new.encrypted,
            tag,
            ann,
            moe: guest(moe),
            vic: guest(vic),
            stranger: guest(stranger),
            keeper,
            bot_account,
            bot: OnceCell::new(),
            dir,
            synapse,
        })
    }

    /// The usual configuration: three operators, this room, changes allowed.
    pub fn config(&self) -> Config {
        let encryption = if self.encrypted { "required" } else { "optional" };
        Config::new()
            .read_only(false)
            .set("homeserver.url", self.synapse.url())
            .secret_file("homeserver.admin_token", &self.dir.path().join("admin-token"))
            .set("bot.user_id", self.bot_id().as_str())
            // One upload less in each scene, and one file less of which a test would be told.
            .set("bot.avatar", false)
            .secret_file("bot.password", &self.dir.path().join("bot-password"))
            .set("state", self.state().display().to_string())
            .room(&self.room)
            .set("encryption", encryption)
            .set("log.format", "human")
            .operator(self.ann.user_id(), "admin")
            .operator(&self.moe.account.user_id, "moderator")
            .operator(&self.vic.account.user_id, "viewer")
    }

    /// Starts the bot on a configuration and waits until it is in the room. Once in a scene; its
    /// later starts are the bot's own: [`Bot::start_again`].
    pub async fn start_bot(&self, binary: impl AsRef<Path>, config: &Config) -> Result<&Bot> {
        let config = config.to_string();
        let start = Bot::start(binary, &config, self.dir.path());
        let bot = self.bot.get_or_try_init(|| start).await?;
        let joined = self.ann.sees_joined(&self.room, self.bot_id()).await;
        joined.with_context(|| self.bot_said())?;
        Ok(bot)
    }

    /// The bot, which must have been started.
    pub fn bot(&self) -> Result<&Bot> {
        self.bot.get().context("this scene has no bot yet")
    }

    /// The bot's id.
    pub fn bot_id(&self) -> &OwnedUserId {
        &self.bot_account.user_id
    }

    /// The bot's account.
    pub fn bot_account(&self) -> &Account {
        &self.bot_account
    }

    /// The server admin whose token the bot has.
    pub fn keeper(&self) -> &Account {
        &self.keeper
    }

    /// The token that the bot has of it.
    pub fn admin_token(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.dir.path().join("admin-token"))?)
    }

    /// The homeserver.
    pub fn synapse(&self) -> &Synapse {
        &self.synapse
    }

    /// The admin room.
    pub fn room(&self) -> &OwnedRoomId {
        &self.room
    }

    /// The folder of the bot's configuration, secrets and state; it goes with the scene.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The bot's state folder.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The admin.
    pub fn ann(&self) -> &Person {
        &self.ann
    }

    /// The moderator, in the room.
    pub async fn moe(&self) -> Result<&Person> {
        self.seat(&self.moe).await
    }

    /// The viewer, in the room.
    pub async fn vic(&self) -> Result<&Person> {
        self.seat(&self.vic).await
    }

    /// Somebody in the room whom the configuration does not name.
    pub async fn stranger(&self) -> Result<&Person> {
        self.seat(&self.stranger).await
    }

    /// The accounts of moderator, viewer and stranger, without their logging in.
    pub fn accounts(&self) -> [&Account; 3] {
        [&self.moe.account, &self.vic.account, &self.stranger.account]
    }

    /// Registers an ordinary account whose localpart begins with `name`, to be acted upon.
    pub async fn subject(&self, name: &str) -> Result<Account> {
        let localpart = format!("{name}-{}", self.tag);
        self.synapse.register(&localpart, &random_hex(8)?, false, name).await
    }

    /// Registers an account of the application service that the homeserver knows.
    pub async fn bridged(&self, name: &str) -> Result<OwnedUserId> {
        self.synapse.bridged(&format!("{name}-{}", self.tag)).await
    }

    /// Lets `person` say a command and answers what the bot replied.
    pub async fn ask(&self, person: &Person, text: &str) -> Result<Message> {
        let event = person.say(&self.room, text).await?;
        let answer = self.answer(person, &event).await;
        answer.with_context(|| format!("{person:?} said {text:?}"))
    }

    /// Lets ann say a command and answers what the bot replied.
    pub async fn ann_asks(&self, text: &str) -> Result<Message> {
        self.ask(&self.ann, text).await
    }

    /// The bot's answer to an event, as `person` has it.
    pub async fn answer(&self, person: &Person, event: &EventId) -> Result<Message> {
        let from_bot = |message: &Message| {
            message.is_message()
                && message.sender == *self.bot_id()
                && message.is_answer_to(event)
                && !message.says_it_waits()
        };
        let answer = person.wait_for(&format!("the bot's answer to {event}"), from_bot).await;
        answer.with_context(|| self.bot_said())
    }

    /// An error if the bot has answered `event` by the time that it has answered a command that
    /// ann sends now.
    pub async fn unanswered(&self, event: &EventId) -> Result<()> {
        let marker: OwnedEventId = self.ann.say(&self.room, "!me").await?;
        self.answer(&self.ann, &marker).await?;
        self.ann.unanswered_before(event, &marker).await
    }

    async fn seat<'a>(&self, guest: &'a Guest) -> Result<&'a Person> {
        let arrive = || async {
            let localpart = guest.account.user_id.localpart();
            let person = Person::login(&self.synapse, localpart, &guest.account.password).await?;
            person.join(&self.room).await?;
            self.ann.sees_joined(&self.room, person.user_id()).await?;
            Ok(person)
        };
        guest.person.get_or_try_init(arrive).await
    }

    fn bot_said(&self) -> String {
        let tail = self.bot.get().map(|bot| bot.log().tail(40));
        format!("the end of the bot's log:\n{}", tail.unwrap_or_default())
    }
}
