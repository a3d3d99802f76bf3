//! Who lives on the demo's homeserver.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use ruma::{OwnedRoomId, OwnedUserId};
use serde_json::{Value, json};
use world::{Account, Api, Config, NewRoom, Person, SERVER_NAME, Synapse};

use crate::Progress;

/// What the account calls itself that will be deactivated.
pub(crate) const SPAMMER_NAME: &str = "Crypto Gains 4U";

/// Ordinary people: localpart, display name, devices.
const NEIGHBOURS: [(&str, &str, &[&str]); 6] = [
    ("lena.vogt", "Lena Vogt", &["Lena's phone", "Element on Windows"]),
    ("piotr.zielinski", "Piotr Zieliński", &["FluffyChat on Android"]),
    ("amara.diallo", "Amara Diallo", &["Element X on iOS", "Element Web in Firefox"]),
    ("kenji.mori", "森 賢二", &["Cinny"]),
    ("sofia.marquez", "Sofía Márquez", &[]),
    ("tom.brandt", "Tom (on holiday until August)", &["nheko"]),
];

/// A picture of one transparent pixel.
const PICTURE: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
    \0\0\0\rIDATx\x9cc\xf8\xff\xff?\0\x05\xfe\x02\xfe\r\xefF\xb8\0\0\0\0IEND\xaeB`\x82";

/// The people, the admin room and the folder of the bot.
#[derive(Debug)]
pub(crate) struct Town {
    /// The operator with the role `admin`.
    pub(crate) ann: Person,
    /// The operator with the role `moderator`.
    pub(crate) moses: Person,
    /// In the admin room, but no operator.
    pub(crate) stranger: Person,
    /// The bot's account.
    pub(crate) bot: Account,
    /// An ordinary account.
    pub(crate) neighbour: Account,
    /// The account that nobody will miss.
    pub(crate) spammer: Account,
    /// The access token of one of its devices.
    pub(crate) spammer_token: String,
    /// The admin room.
    pub(crate) room: OwnedRoomId,
    /// The folder of the bot's configuration, secrets and state.
    pub(crate) dir: PathBuf,
    server_admin: Account,
    /// An operator who has never logged in.
    ines: Account,
    accounts: Vec<Account>,
    /// The recovery keys of ann and moses.
    recovery: [String; 2],
}

impl Town {
    /// Makes everybody and everything but the bot's process.
    pub(crate) async fn build(synapse: &Synapse, progress: Progress) -> Result<Self> {
        progress.say("making a server admin, the bot's account, operators and a stranger");
        let mut accounts = Vec::new();
        let mut register = async |localpart: &str, name: &str, admin: bool| {
            let password = format!("{localpart}-demo");
            let account = synapse.register(localpart, &password, admin, name).await?;
            accounts.push(account.clone());
            anyhow::Ok(account)
        };
        let server_admin = register("server.admin", "Server admin", true).await?;
        let bot = register("synod", "Synod", false).await?;
        let ann = register("ann.keller", "Ann Keller", false).await?;
        let moses = register("moses.okafor", "Moses Okafor", false).await?;
        let ines = register("ines.duarte", "Inês Duarte", false).await?;
        let stranger = register("dagny.holm", "Dagny Holm", false).await?;
        let spammer = register("gains4u", SPAMMER_NAME, false).await?;
        let mut neighbours = Vec::new();
        for (localpart, name, _) in NEIGHBOURS {
            neighbours.push(register(localpart, name, false).await?);
        }

        progress.say("logging in ordinary people: devices, rooms, media");
        let (room, _) = settle(synapse, &neighbours).await?;
        let spammer_token = spam(synapse, &spammer, &room).await?;

        progress.say("logging in ann.keller, moses.okafor and dagny.holm, each with own keys");
        let ann = log_in_encrypted(synapse, &ann).await?;
        let moses = log_in_encrypted(synapse, &moses).await?;
        let stranger = log_in_encrypted(synapse, &stranger).await?;
        let (ann_key, moses_key) =
            tokio::try_join!(ann.enable_recovery(), moses.enable_recovery())?;

        progress.say("making the encrypted admin room, in which the bot may redact");
        let guests = [&bot.user_id, moses.user_id(), &ines.user_id, stranger.user_id()];
        let new = NewRoom {
            invite: guests.into_iter().cloned().collect(),
            powers: [(bot.user_id.clone(), 50)].into(),
            ..NewRoom::default()
        };
        let room = ann.create_room(&new).await?;
        for guest in [&moses, &stranger] {
            guest.join(&room).await?;
            ann.sees_joined(&room, guest.user_id()).await?;
        }

        let dir = synapse.dir().join("bot");
        fs::create_dir_all(&dir)?;
        write_secret(&dir.join("admin-token"), &synapse.log_in(&server_admin).await?.0)?;
        write_secret(&dir.join("bot-password"), &bot.password)?;
        let neighbour = neighbours.first().context("somebody lives here")?.clone();
        Ok(Self {
            ann,
            moses,
            stranger,
            bot,
            neighbour,
            spammer,
            spammer_token,
            room,
            dir,
            server_admin,
            ines,
            accounts,
            recovery: [ann_key, moses_key],
        })
    }

    /// What the bot is started with.
    pub(crate) fn config(&self, synapse: &Synapse) -> Config {
        Config::new()
            .read_only(false)
            .set("homeserver.url", synapse.url())
            .secret_file("homeserver.admin_token", &self.dir.join("admin-token"))
            .set("bot.user_id", self.bot.user_id.as_str())
            .secret_file("bot.password", &self.dir.join("bot-password"))
            .set("state", self.dir.join("state").display().to_string())
            .room(&self.room)
            .set("encryption", "required")
            .operator(self.ann.user_id(), "admin")
            .operator(self.moses.user_id(), "moderator")
            .operator(&self.ines.user_id, "admin")
    }

    /// All accounts that were made.
    pub(crate) fn everybody(&self) -> impl Iterator<Item = &OwnedUserId> {
        self.accounts.iter().map(|account| &account.user_id)
    }

    /// Says what one needs to join with one's own client.
    pub(crate) fn invite_in(&self, synapse: &Synapse) {
        println!("\nHomeserver   {}   (server name {SERVER_NAME})", synapse.url());
        println!("Admin room   {}", self.room);
        println!("\nJoin with your own client:");
        self.introduce(self.ann.user_id(), "operator, admin", Some(&self.recovery[0]));
        self.introduce(self.moses.user_id(), "operator, moderator", Some(&self.recovery[1]));
        self.introduce(
            &self.ines.user_id,
            "operator, admin; has never logged in, is invited",
            None,
        );
        self.introduce(self.stranger.user_id(), "in the room, but no operator", None);
        self.introduce(&self.server_admin.user_id, "server admin, not in the room", None);
        self.introduce(&self.neighbour.user_id, "somebody to act upon", None);
        println!("\nAn operator's new session counts once it is verified with the recovery key.");
        println!("Other people's passwords follow the same rule; @keeper made all the accounts.");
    }

    fn introduce(&self, user: &OwnedUserId, who: &str, recovery: Option<&String>) {
        let account = self.accounts.iter().find(|account| account.user_id == *user);
        let password = account.map_or("", |account| account.password.as_str());
        println!("  {user}  {who}\n      password      {password}");
        if let Some(key) = recovery {
            println!("      recovery key  {key}");
        }
    }
}

/// The body of a login with a password on a new device.
pub(crate) fn password_login(account: &Account, device: &str) -> Value {
    json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": account.user_id },
        "password": account.password,
        "initial_device_display_name": device,
    })
}

async fn log_in_encrypted(synapse: &Synapse, account: &Account) -> Result<Person> {
    Person::login(synapse, account.user_id.localpart(), &account.password).await
}

/// Gives the neighbours devices, a public room with some talk in it, and pictures. Answers the
/// room and the person who made it.
async fn settle(synapse: &Synapse, neighbours: &[Account]) -> Result<(String, Api)> {
    let mut commons: Option<(String, Api)> = None;
    for (account, (localpart, name, devices)) in neighbours.iter().zip(NEIGHBOURS) {
        for (position, device) in devices.iter().enumerate() {
            let api = log_in(synapse, account, device).await?;
            if position > 0 {
                continue;
            }
            api.upload(PICTURE.to_vec(), "image/png", &format!("{localpart}.png")).await?;
            let room = match &commons {
                Some((room, _)) => {
                    done(&api, &format!("join/{room}"), json!({})).await?;
                    room.clone()
                }
                None => create_commons(&api).await?,
            };
            say(&api, &room, &format!("Hello, {name} here.")).await?;
            commons.get_or_insert((room, api));
        }
    }
    commons.context("nobody has a device")
}

/// Two devices, some pictures, a room of its own and something unwanted. Answers a token.
async fn spam(synapse: &Synapse, account: &Account, room: &str) -> Result<String> {
    let api = log_in(synapse, account, "Chrome on Linux").await?;
    log_in(synapse, account, "python-requests").await?;
    for number in 1..=3 {
        api.upload(PICTURE.to_vec(), "image/png", &format!("gains-{number}.png")).await?;
    }
    done(&api, &format!("join/{room}"), json!({})).await?;
    say(&api, room, "Double your money by Friday!").await?;
    done(&api, "createRoom", json!({ "name": "Gains", "preset": "public_chat" })).await?;
    Ok(api.token().to_owned())
}

async fn create_commons(api: &Api) -> Result<String> {
    let body = json!({
        "name": "Village green",
        "preset": "public_chat",
        "visibility": "public",
        "room_alias_name": "village-green",
    });
    let made = done(api, "createRoom", body).await?;
    Ok(made["room_id"].as_str().context("a new room has an id")?.to_owned())
}

async fn say(api: &Api, room: &str, text: &str) -> Result<()> {
    let body = json!({ "msgtype": "m.text", "body": text });
    let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/hello");
    let (status, answer) = api.put(&path, body).await?;
    ensure!(status == 200, "{path}: {status} {answer}");
    Ok(())
}

async fn log_in(synapse: &Synapse, account: &Account, device: &str) -> Result<Api> {
    let answer = done(&synapse.api(""), "login", password_login(account, device)).await?;
    Ok(synapse.api(answer["access_token"].as_str().context("a login has a token")?))
}

/// A `POST` to the client-server API that must go well.
async fn done(api: &Api, path: &str, body: Value) -> Result<Value> {
    let (status, answer) = api.post(&format!("/_matrix/client/v3/{path}"), body).await?;
    ensure!(status == 200, "{path}: {status} {answer}");
    Ok(answer)
}

fn write_secret(file: &Path, text: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(file);
    Ok(file?.write_all(text.as_bytes())?)
}
