//! The configuration: YAML in, one checked [`Config`] out, or every fault of the file at once.
//!
//! Nothing of a value is ever repeated in a fault: a token that slipped into the wrong line must
//! not reach a terminal or a journal. The place, a line number and what to write instead are
//! enough to find it. Secrets come from a file or from the environment, never from the YAML.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use ruma::{OwnedRoomId, OwnedRoomOrAliasId, OwnedUserId};
use secrecy::SecretString;
use url::Url;

use files::Surroundings;

mod answers;
mod difference;
mod fault;
mod files;
mod policy;
mod policy_lists;
mod read;
mod reports;
mod section;
mod shell;
mod tree;
mod value;
mod wave;

#[cfg(test)]
mod tests;

use crate::input::Prefix;

pub use crate::audit::Rotation;
pub use crate::clock::{Duty, Weekly};
pub use crate::operators::{Policy, Protection, Rank, Reach, Role, Rule, Stance};
pub use crate::reply::Layout;
pub use answers::{Answers, Named, Written, secret};
pub use difference::{Difference, Effect};
pub use fault::{Fault, Faults};
pub use policy_lists::{PolicyList, PolicyMode, UserMeasure};
pub use reports::ReportDesk;
pub use shell::ShellAccess;
pub(crate) use value::{is_loopback, is_private};
pub use wave::WaveThreshold;

/// Everything that Synod is told from outside. Made only by [`Config::load`], so whoever holds one
/// holds one without faults.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whether a yes answers that nothing was done.
    pub read_only: bool,
    /// The homeserver.
    pub homeserver: Homeserver,
    /// The account that speaks in the admin room.
    pub bot: Bot,
    /// The directory of everything that Synod keeps, 0700. It need not exist yet.
    pub state: PathBuf,
    /// The file of the bot's recovery key, 0600. It need not exist yet.
    pub recovery_key_file: PathBuf,
    /// The admin rooms, at least one.
    pub rooms: Vec<OwnedRoomOrAliasId>,
    /// Whether rooms in clear are served too.
    pub encryption: Encryption,
    /// Where the operators' master keys come from.
    pub trust: TrustSource,
    /// The roles besides viewer, moderator and admin.
    pub roles: Vec<Arc<Role>>,
    /// Who may speak to the bot, at least one admin among them.
    pub operators: Vec<Operator>,
    /// How long questions wait.
    pub questions: Questions,
    /// What is demanded of whom, and what is protected.
    pub policy: Policy,
    /// How commands are taken.
    pub commands: Commands,
    /// What becomes of the record.
    pub record: RecordKeeping,
    /// Who may speak to the bot from a shell of its machine; nobody where the config does not say.
    pub shell: Option<ShellAccess>,
    /// How the store is backed up.
    pub backup: Backup,
    /// When the rooms are told what was done in the week; never, where nothing is said.
    pub digest: Option<Weekly>,
    /// How reports come to the room; not by themselves, unless the config says so.
    pub reports: Option<ReportDesk>,
    /// How new accounts are told in the first admin room.
    pub announce: Announce,
    /// The moderation policy lists that are watched; none, unless the config names some.
    pub policy_lists: Vec<PolicyList>,
    /// From when on new accounts are told as a wave; never, where nothing is said.
    pub wave: Option<WaveThreshold>,
    /// Where the bot can be watched from outside; nowhere, unless the config says so.
    pub monitoring: Option<Monitoring>,
    /// In which layout listings come, where whoever asks wants no other.
    pub layout: Layout,
    /// What is logged, as a filter of `tracing`; known to parse.
    pub log: String,
    /// How the lines of the log look.
    pub log_format: LogFormat,
}

/// How the lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, for machines elsewhere.
    Auto,
    /// Lines that people read.
    Human,
    /// One JSON object a line.
    Json,
}

/// The homeserver.
#[derive(Debug, Clone)]
pub struct Homeserver {
    /// Base address of the client-server API: https, or http on loopback and, where the config
    /// allows it, to a private host; without a path.
    pub url: Url,
    /// Base address of the Admin API, under the same rules.
    pub admin_url: Url,
    /// Base address of the Admin API about files, under the same rules, where another process of the
    /// homeserver serves it.
    pub media_admin_url: Option<Url>,
    /// The access token of a server admin.
    pub admin_token: SecretString,
    /// When that token ends by itself, where it does.
    pub admin_token_expires: Option<Timestamp>,
    /// The file that it came from, where it came from one.
    pub admin_token_file: Option<PathBuf>,
    /// How to reach the authentication service that keeps its accounts, where there is one.
    pub authentication_service: Option<AuthenticationService>,
    /// What to do about the homeserver's limits on the bot's account.
    pub rate_limit: RateLimit,
}

/// The Matrix Authentication Service that keeps the accounts of the homeserver.
#[derive(Debug, Clone)]
pub struct AuthenticationService {
    /// Where it serves its admin API, under the same rules as the addresses of the homeserver.
    pub admin_url: Url,
    /// Where it gives out tokens.
    pub issuer: Url,
    /// The id of the bot's own client, a ULID.
    pub client_id: String,
    /// The secret of that client.
    pub client_secret: SecretString,
}

/// What to do about the homeserver's limits on the bot's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimit {
    /// Live with them.
    Keep,
    /// Ask once, then set an override for the bot's own account, on record.
    Lift,
}

/// The type of the events by which a bot describes its commands in a room (MSC4391).
pub const COMMAND_DESCRIPTION: &str = "org.matrix.msc4391.command_description";

/// The account that speaks in the admin room.
#[derive(Debug, Clone)]
pub struct Bot {
    /// Its id. Its server is the homeserver that is administered.
    pub user_id: OwnedUserId,
    /// How it logs in.
    pub login: Login,
    /// The name of its device in the lists of clients.
    pub device_name: String,
    /// The name that its profile gets where it has none.
    pub display_name: String,
    /// Whether its profile gets a picture where it has none.
    pub avatar: bool,
    /// With what its commands begin.
    pub prefix: Prefix,
    /// Whether clients are told in the state of the admin rooms which commands there are.
    pub describe_commands: bool,
}

/// How the bot logs in.
#[derive(Debug, Clone)]
pub enum Login {
    /// By password; the session is kept afterwards.
    Password(SecretString),
    /// With a token that belongs to a device.
    AccessToken(SecretString),
}

/// Whether rooms in clear are served too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Only encrypted rooms and encrypted commands.
    Required,
    /// Also rooms in clear, where no secret is given.
    Optional,
}

/// How new accounts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announce {
    /// Not at all.
    Off,
    /// As they come, several at once in one message.
    Each,
    /// Once a day.
    Daily,
}

/// Where the operators' master keys come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustSource {
    /// Pinned when first seen, for operators of the bot's own server; from the config where given.
    CrossSigned,
    /// From the config only.
    Verified,
}

/// Somebody who may speak to the bot.
#[derive(Debug, Clone)]
pub struct Operator {
    /// The account.
    pub user_id: OwnedUserId,
    /// What it may do.
    pub role: Arc<Role>,
    /// The human behind it: the same for several accounts of one person. The account's own id
    /// where the config names nobody.
    pub person: String,
    /// The public half of its master signing key, unpadded base64 of 32 bytes.
    pub master_key: Option<String>,
    /// The seed of its one-time passwords, base32.
    pub totp: Option<SecretString>,
    /// When it is called about reports that nobody deals with.
    pub duty: Vec<Duty>,
}

/// How long questions wait.
#[derive(Debug, Clone)]
pub struct Questions {
    /// For the asker's own yes.
    pub expire_after: Duration,
    /// For the yes of others.
    pub approve_within: Duration,
}

/// How commands are taken.
#[derive(Debug, Clone)]
pub struct Commands {
    /// A command older than this when it arrives is answered as too old.
    pub max_age: Duration,
    /// Whether a password may be typed in the room; it is then redacted.
    pub typed_secrets: bool,
}

/// What becomes of the record.
#[derive(Debug, Clone)]
pub struct RecordKeeping {
    /// The file to which it is also written, one JSON object a line.
    pub file: Option<PathBuf>,
    /// When that file is set aside, and another begun; never, where nothing is said.
    pub rotation: Option<Rotation>,
    /// The room to which it is also written.
    pub room: Option<OwnedRoomId>,
    /// How long personal details stay in it.
    pub details: Duration,
}

/// How the store is backed up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backup {
    /// Who can read what is exported: public keys, as the program `age` takes them.
    pub recipients: Vec<String>,
    /// When the bot exports by itself.
    pub schedule: Option<Schedule>,
}

/// When the bot exports its store by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// How long after the one before.
    pub every: Duration,
    /// Where the files are.
    pub folder: PathBuf,
    /// How many are kept.
    pub keep: usize,
}

/// Where the bot can be watched from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Monitoring {
    /// On which address it answers: of this machine only, unless the config allows another.
    pub listen: SocketAddr,
    /// For how long the homeserver may be silent before the bot counts as not healthy.
    pub outage_after: Duration,
}

/// A variable of the environment by its name.
type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Config {
    /// Reads and checks the YAML file at `path`, the secrets that it names, and the permissions of
    /// what lies on disk already. Connects to nothing and writes nothing. Relative paths in the
    /// file count from the folder that it lies in. A pattern of verbs must fit one of `verbs`.
    ///
    /// # Errors
    /// All faults of the file together, each with its place and what to write instead.
    pub fn load(path: &Path, verbs: &[String]) -> Result<Self, Faults> {
        Self::load_with(path, verbs, &|name| std::env::var_os(name))
    }

    /// The same for whoever looks at it and runs nothing: an operator who needs a master key may be
    /// without one. Which key that is shows only the homeserver.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_to_check(path: &Path, verbs: &[String]) -> Result<Self, Faults> {
        Self::read(path, verbs, &|name| std::env::var_os(name), true)
    }

    fn load_with(
        path: &Path,
        verbs: &[String],
        environment: Environment<'_>,
    ) -> Result<Self, Faults> {
        Self::read(path, verbs, environment, false)
    }

    fn read(
        path: &Path,
        verbs: &[String],
        environment: Environment<'_>,
        may_lack_keys: bool,
    ) -> Result<Self, Faults> {
        let text = files::config(path)
            .map_err(|fault| Faults { file: path.to_owned(), list: vec![fault] })?;
        // Absolute, so that the paths in the config mean the same wherever they are used.
        let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let base = file.parent().unwrap_or(Path::new(""));
        read::config(&text, Surroundings { base, environment, verbs, may_lack_keys })
            .config
            .map_err(|list| Faults { file: path.to_owned(), list })
    }
}
