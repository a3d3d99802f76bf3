//! From the tree to the [`Config`], section by section. Every key that exists is named here.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ruma::{OwnedRoomOrAliasId, OwnedUserId, UserId};

use super::{
    Announce, AuthenticationService, Backup, Bot, Commands, Config, Encryption, Homeserver, Layout,
    LogFormat, Login, Monitoring, Operator, Policy, Questions, Rank, RateLimit, RecordKeeping,
    Role, Schedule, TrustSource,
    fault::Fault,
    files::{self, Surroundings},
    policy, policy_lists, reports,
    section::{Book, Field, Reported, Section},
    shell, tree, value, wave,
};
use crate::change::Power;

const DEVICE_NAME: &str = "Synod";
const DISPLAY_NAME: &str = "Synod";
const RECOVERY_KEY: &str = "recovery.key";
const LOG: &str = "info";
const EXPIRE_AFTER: Duration = Duration::from_mins(10);
const APPROVE_WITHIN: Duration = Duration::from_hours(24);
const DETAILS_DAYS: usize = 90;
const MOST_DAYS: usize = 3650;
const HOUR: u64 = 3600;
const BACKUPS: usize = 7;
const MOST_BACKUPS: usize = 1000;
const MAX_AGE: Duration = Duration::from_mins(5);
const OUTAGE_AFTER: Duration = Duration::from_mins(5);

const ANNOUNCE: [(&str, Announce); 3] =
    [("off", Announce::Off), ("each", Announce::Each), ("daily", Announce::Daily)];

/// What came of a file.
pub(super) struct Reading {
    pub(super) config: Result<Config, Vec<Fault>>,
    /// Every key that was asked for, `[]` standing for the items of a list.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test holds it against the reference"))]
    pub(super) asked: BTreeSet<String>,
}

/// Reads the text of a file.
pub(super) fn config(text: &str, around: Surroundings<'_>) -> Reading {
    let book = Book::default();
    let config = document(&book, text, around);
    let (faults, asked) = book.close();
    let config = match config {
        Ok(config) if faults.is_empty() => Ok(config),
        _ => Err(faults),
    };
    Reading { config, asked }
}

fn document(book: &Book, text: &str, around: Surroundings<'_>) -> Result<Config, Reported> {
    let node = tree::parse(text).map_err(|fault| book.add(fault))?.ok_or_else(|| {
        book.add(Fault {
            key: String::new(),
            line: None,
            what: "it is empty".to_owned(),
            instead: "Start from config.example.yaml".to_owned(),
        })
    })?;
    let root = Section::root(book, &node)?;
    let config = whole(&root, around);
    root.finish();
    config
}

// Every part is read before the first `?`, so that one fault does not hide the next.
fn whole(root: &Section<'_>, around: Surroundings<'_>) -> Result<Config, Reported> {
    let read_only = root.field("read_only", "true").flag(true);
    let homeserver = within(root.field("homeserver", "url: ...").section(), |section| {
        homeserver(section, around)
    });
    let bot = within(root.field("bot", "user_id: ...").section(), |section| bot(section, around));
    let state = root
        .field("state", "/var/lib/synod")
        .required(|field, text| files::state(field, text, around.base));
    let recovery = recovery_key_file(root, state.as_deref().ok(), around);
    let rooms = rooms(&root.field("rooms", "\"#admins:example.org\""));
    let encryption = root.field("encryption", "required").choice(
        &[("required", Encryption::Required), ("optional", Encryption::Optional)],
        Some(Encryption::Required),
    );
    let trust = root.field("trust", "cross_signed").choice(
        &[("cross_signed", TrustSource::CrossSigned), ("verified", TrustSource::Verified)],
        Some(TrustSource::CrossSigned),
    );
    let own = bot.as_ref().ok().map(|bot: &Bot| &*bot.user_id);
    let verified = trust.is_ok_and(|trust| trust == TrustSource::Verified);
    let roles = roles(&root.field("roles", "name: spam-team"), around.verbs);
    let field = root.field("operators", "user_id: \"@ann:example.org\"");
    let known = roles.as_deref().unwrap_or_default();
    let operators = operators(&field, own, verified, around, known);
    let asked = root.field("questions", "expire_after: 10min").optional_section();
    let asked = within(asked, |section| questions(section, around.verbs));
    let protection = root.field("protected", "operators: second_person").optional_section();
    let lone = operators.as_ref().is_ok_and(|operators| is_lone(operators));
    let protection = within(protection, |section| policy::protection(section, lone));
    let commands = within(root.field("commands", "max_age: 5min").optional_section(), commands);
    let kept = root.field("record", "keep_details: 90").optional_section();
    let record = within(kept, |section| record(section, rooms.as_deref().ok(), around));
    let asked_shell = root.field("shell", "operators: ...");
    let shell = asked_shell.is_named().then(|| {
        let known = operators.as_deref().unwrap_or_default();
        within(asked_shell.section(), |section| shell::read(section, known, around.base))
    });
    let shell = shell.transpose();
    let backup = within(root.field("backup", "recipients: ...").optional_section(), |section| {
        backup(section, around)
    });
    let digest = root.field("digest", "monday 09:00").optional(value::weekly);
    let desk = root.field("reports", "watch: true").optional_section();
    let desk = within(desk, |section| reports::read(section, rooms.as_deref().ok()));
    let accounts = root.field("accounts", "announce: each").optional_section();
    let announce = within(accounts, |section| {
        section.field("announce", "each").choice(&ANNOUNCE, Some(Announce::Off))
    });
    let lists = policy_lists::read(&root.field("policy_lists", "room: ..."));
    let waves = root.field("wave", "tell_above: ...").optional_section();
    let wave = within(waves, wave::read);
    let watched = root.field("monitoring", "listen: 127.0.0.1:9464").optional_section();
    let monitoring = within(watched, monitoring);
    let layouts = Layout::ALL.map(|layout| (layout.as_str(), layout));
    let layout = root.field("layout", "list").choice(&layouts, Some(Layout::Cards));
    root.gone(
        "tables",
        "phones cannot show tables, so there are none any more",
        "Write `layout: cards`, `layout: list` or `layout: code` in its place",
    );
    let log = log(&root.field("log", LOG));
    if let (Ok(operators), Ok((_, demands))) = (&operators, &asked) {
        totp_for_all(&field, operators, demands)?;
    }
    let (questions, demands) = asked?;
    let (log, log_format) = log?;
    Ok(Config {
        read_only: read_only?,
        homeserver: homeserver?,
        bot: bot?,
        state: state?,
        recovery_key_file: recovery?,
        rooms: rooms?,
        encryption: encryption?,
        trust: trust?,
        roles: roles?,
        operators: operators?,
        questions,
        policy: Policy { protection: protection?, ..demands },
        commands: commands?,
        record: record?,
        shell: shell?,
        backup: backup?,
        digest: digest?,
        reports: desk?,
        announce: announce?,
        policy_lists: lists?,
        wave: wave?,
        monitoring: monitoring?,
        layout: layout?,
        log,
        log_format,
    })
}

/// Reads a section and then looks for what else stands in it.
pub(super) fn within<T>(
    section: Result<Section<'_>, Reported>,
    read: impl FnOnce(&Section<'_>) -> Result<T, Reported>,
) -> Result<T, Reported> {
    let section = section?;
    let value = read(&section);
    section.finish();
    value
}

fn homeserver(section: &Section<'_>, around: Surroundings<'_>) -> Result<Homeserver, Reported> {
    let plain = section.field("allow_plain_http", "true").flag(false);
    let allowed = plain.unwrap_or(false);
    let address = |field: &Field<'_>, text: &str| value::address(field, text, allowed);
    let url = section.field("url", "https://matrix.example.org").required(address);
    let admin_url = section.field("admin_url", "http://127.0.0.1:8008").optional(address);
    let media = section.field("media_admin_url", "http://127.0.0.1:8085").optional(address);
    let admin_token =
        files::sourced(&section.field("admin_token", "{ file: /etc/synod/admin-token }"), around);
    let expires = section.field("admin_token_expires", "2027-01-31").optional(value::moment);
    let field = section.field("authentication_service", "admin_url: ...");
    let service = field.is_named().then(|| {
        within(field.section(), |section| authentication_service(section, around, allowed))
    });
    let service = service.transpose();
    let rate_limit = section
        .field("rate_limit", "keep")
        .choice(&[("keep", RateLimit::Keep), ("lift", RateLimit::Lift)], Some(RateLimit::Keep));
    plain?;
    let url = url?;
    let (admin_token, admin_token_file) = admin_token?;
    Ok(Homeserver {
        admin_url: admin_url?.unwrap_or_else(|| url.clone()),
        url,
        media_admin_url: media?,
        admin_token,
        admin_token_expires: expires?,
        admin_token_file,
        authentication_service: service?,
        rate_limit: rate_limit?,
    })
}

fn authentication_service(
    section: &Section<'_>,
    around: Surroundings<'_>,
    plain: bool,
) -> Result<AuthenticationService, Reported> {
    let address = |field: &Field<'_>, text: &str| value::address(field, text, plain);
    let admin_url = section.field("admin_url", "https://auth.example.org").required(address);
    let issuer = section.field("issuer", "https://auth.example.org").optional(address);
    let client_id = section.field("client_id", "01JD0PSYN0D0000000000000B0").required(value::ulid);
    let field = section.field("client_secret", "{ file: /etc/synod/client-secret }");
    let client_secret = files::secret(&field, around);
    let admin_url = admin_url?;
    Ok(AuthenticationService {
        issuer: issuer?.unwrap_or_else(|| admin_url.clone()),
        admin_url,
        client_id: client_id?,
        client_secret: client_secret?,
    })
}

fn bot(section: &Section<'_>, around: Surroundings<'_>) -> Result<Bot, Reported> {
    let user_id = section.field("user_id", "\"@synod:example.org\"").required(value::user);
    let password = section.field("password", "{ file: /etc/synod/password }");
    let token = section.field("access_token", "{ file: /etc/synod/access-token }");
    let login = match (password.is_named(), token.is_named()) {
        (true, false) => files::secret(&password, around).map(Login::Password),
        (false, true) => files::secret(&token, around).map(Login::AccessToken),
        (false, false) => Err(section.wrong(
            "the bot has no way to log in",
            "Write `password: { file: PATH }`, or `access_token: { file: PATH }`",
        )),
        (true, true) => Err(section.wrong(
            "the bot has two ways to log in",
            "Keep one of `password:` and `access_token:`",
        )),
    };
    let device_name = section.field("device_name", DEVICE_NAME).optional(value::name);
    let display_name = section.field("display_name", DISPLAY_NAME).optional(value::name);
    let avatar = section.field("avatar", "true").flag(true);
    let prefix = section
        .field("prefix", "\"!s \"")
        .optional(|field, text| value::prefix(field, text, around.verbs));
    let describe_commands = section.field("describe_commands", "false").flag(false);
    Ok(Bot {
        user_id: user_id?,
        login: login?,
        device_name: device_name?.unwrap_or_else(|| DEVICE_NAME.to_owned()),
        display_name: display_name?.unwrap_or_else(|| DISPLAY_NAME.to_owned()),
        avatar: avatar?,
        prefix: prefix?.unwrap_or_default(),
        describe_commands: describe_commands?,
    })
}

/// The file of the recovery key, which lies in the state unless the config says otherwise.
fn recovery_key_file(
    root: &Section<'_>,
    state: Option<&Path>,
    around: Surroundings<'_>,
) -> Result<PathBuf, Reported> {
    let field = root.field("recovery_key_file", "/var/lib/synod/recovery.key");
    match field.optional(|field, text| files::own_file(field, text, around.base))? {
        Some(path) => Ok(path),
        // Without a state the path does not matter: the fault of the state is written down.
        None => Ok(state.unwrap_or(Path::new("")).join(RECOVERY_KEY)),
    }
}

fn rooms(field: &Field<'_>) -> Result<Vec<OwnedRoomOrAliasId>, Reported> {
    let mut rooms = Vec::new();
    let mut lost = None;
    for item in field.list()? {
        match item.required(value::room) {
            Ok(room) if rooms.contains(&room) => {
                lost =
                    Some(item.wrong("this room is already in the list", "Remove one of the two"));
            }
            Ok(room) => rooms.push(room),
            Err(reported) => lost = Some(reported),
        }
    }
    lost.map_or(Ok(rooms), Err)
}

/// What an operator is compared with, whether or not the entries before it are valid.
struct Company<'a> {
    bot: Option<&'a UserId>,
    verified: bool,
    around: Surroundings<'a>,
    /// The roles of the config's own, as far as they could be read.
    own: &'a [Arc<Role>],
    users: Vec<OwnedUserId>,
    keys: Vec<String>,
    /// The roles that could be read.
    roles: Vec<Arc<Role>>,
}

fn operators(
    field: &Field<'_>,
    bot: Option<&UserId>,
    verified: bool,
    around: Surroundings<'_>,
    own: &[Arc<Role>],
) -> Result<Vec<Operator>, Reported> {
    let (users, keys, roles) = (Vec::new(), Vec::new(), Vec::new());
    let mut company = Company { bot, verified, around, own, users, keys, roles };
    let items = field.list()?;
    let operators: Vec<Result<Operator, Reported>> = items
        .iter()
        .map(|item| within(item.section(), |section| operator(section, &mut company)))
        .collect();
    let all_read = company.roles.len() == operators.len();
    if all_read && company.roles.iter().all(|role| role.rank < Rank::Admin) {
        return Err(field.wrong(
            "none of the operators is an admin",
            "Give at least one operator `role: admin`",
        ));
    }
    operators.into_iter().collect()
}

fn operator(section: &Section<'_>, company: &mut Company<'_>) -> Result<Operator, Reported> {
    let user_id = operator_id(&section.field("user_id", "\"@ann:example.org\""), company);
    let role = section.field("role", "moderator").required(|field, text| {
        role(text, company.own).ok_or_else(|| {
            let own = company.own.iter().map(|role| role.name.as_str());
            let names: Vec<&str> = Rank::ALL.map(Rank::as_str).into_iter().chain(own).collect();
            field.wrong("there is no such role", format!("Write {}", names.join(" or ")))
        })
    });
    company.roles.extend(role.iter().cloned());
    let person = section.field("person", "ann").optional(value::name);
    let field = section.field("master_key", "\"43 characters of base64\"");
    let master_key = operator_key(&field, user_id.as_deref().ok(), company);
    let field = section.field("totp", "{ file: /etc/synod/totp-ann }");
    let totp = field.is_named().then(|| {
        let seed = files::secret(&field, company.around)?;
        value::is_totp_seed(&field, &seed).map(|()| seed)
    });
    let totp = totp.transpose();
    let hours = section.field("duty", "mon-fri 09:00-17:00 Europe/Berlin");
    let duty = policy::optional_list(&hours, |item| item.required(value::duty));
    let user_id = user_id?;
    Ok(Operator {
        role: role?,
        totp: totp?,
        duty: duty?,
        person: person?.unwrap_or_else(|| user_id.to_string()),
        master_key: master_key?,
        user_id,
    })
}

/// The role with this name.
fn role(name: &str, own: &[Arc<Role>]) -> Option<Arc<Role>> {
    let built_in = Rank::ALL.into_iter().find(|rank| rank.as_str() == name).map(Arc::from);
    built_in.or_else(|| own.iter().find(|role| role.name == name).cloned())
}

fn roles(field: &Field<'_>, verbs: &[String]) -> Result<Vec<Arc<Role>>, Reported> {
    let read = |section: &Section<'_>| policy::role(section, verbs);
    let roles = policy::optional_list(field, |item| within(item.section(), read))?;
    for (place, one) in roles.iter().enumerate() {
        if role(&one.name, &roles[..place]).is_some() {
            return Err(field.wrong(
                "two roles have the same name",
                "Give each its own name; viewer, moderator and admin are built in",
            ));
        }
    }
    Ok(roles)
}

fn operator_id(field: &Field<'_>, company: &mut Company<'_>) -> Result<OwnedUserId, Reported> {
    let user = field.required(value::user)?;
    if company.bot == Some(&*user) {
        return Err(field.wrong(
            "the bot cannot be its own operator",
            "Name the account of a person, or remove the entry",
        ));
    }
    if company.users.contains(&user) {
        return Err(field.wrong("this operator is in the list twice", "Remove one of the two"));
    }
    company.users.push(user.clone());
    Ok(user)
}

fn operator_key(
    field: &Field<'_>,
    user: Option<&UserId>,
    company: &mut Company<'_>,
) -> Result<Option<String>, Reported> {
    const INSTEAD: &str = "Write the 43 characters that `synod check` shows for this account, \
        after comparing them with the person";
    let remote =
        user.zip(company.bot).is_some_and(|(user, bot)| user.server_name() != bot.server_name());
    let Some(key) = field.optional(value::master_key)? else {
        return match (remote, company.verified) {
            _ if company.around.may_lack_keys => Ok(None),
            (true, _) => {
                Err(field.wrong("an operator on another server needs a master key here", INSTEAD))
            }
            (_, true) => {
                Err(field.wrong("with `trust: verified` every operator needs one", INSTEAD))
            }
            _ => Ok(None),
        };
    };
    if company.keys.contains(&key) {
        return Err(field.wrong(
            "another operator has the same master key",
            "Write this account's key: each account has its own",
        ));
    }
    company.keys.push(key.clone());
    Ok(Some(key))
}

fn questions(section: &Section<'_>, verbs: &[String]) -> Result<(Questions, Policy), Reported> {
    let expire_after = section.field("expire_after", "10min").optional(value::duration);
    let approve_within = section.field("approve_within", "24h").optional(value::duration);
    let demands = policy::demands(section, verbs);
    let questions = Questions {
        expire_after: expire_after?.unwrap_or(EXPIRE_AFTER),
        approve_within: approve_within?.unwrap_or(APPROVE_WITHIN),
    };
    Ok((questions, demands?))
}

/// Whether only one person is an admin: nobody could be a second one.
fn is_lone(operators: &[Operator]) -> bool {
    let admins = operators.iter().filter(|one| one.role.rank == Rank::Admin);
    admins.map(|one| one.person.as_str()).collect::<BTreeSet<_>>().len() < 2
}

fn record(
    section: &Section<'_>,
    rooms: Option<&[OwnedRoomOrAliasId]>,
    around: Surroundings<'_>,
) -> Result<RecordKeeping, Reported> {
    let room = section.field("room", "\"!record:example.org\"").optional(|field, text| {
        let room = value::room_id(field, text)?;
        if rooms.is_some_and(|rooms| rooms.iter().any(|admin| admin.as_str() == room.as_str())) {
            return Err(field.wrong(
                "this is an admin room, where the record is written anyway",
                "Create a separate room for it, or remove the key",
            ));
        }
        Ok(room)
    });
    let file = section
        .field("file", "/var/lib/synod/record.jsonl")
        .optional(|field, text| files::own_file(field, text, around.base));
    let rotate = section.field("rotate", "month");
    let rotation = match (rotate.is_named(), section.field("file", "").is_named()) {
        (true, false) => {
            Err(rotate.wrong("there is no file to rotate", "Write `file:` too, or remove the key"))
        }
        _ => rotate.optional(value::rotation),
    };
    let days = section
        .field("keep_details", "90")
        .optional(|field, text| value::count(field, text, 1..=MOST_DAYS));
    let days = u64::try_from(days?.unwrap_or(DETAILS_DAYS)).unwrap_or_default();
    Ok(RecordKeeping {
        file: file?,
        rotation: rotation?,
        room: room?,
        details: Duration::from_hours(24 * days),
    })
}

fn backup(section: &Section<'_>, around: Surroundings<'_>) -> Result<Backup, Reported> {
    let field = section.field("recipients", "[age1...]");
    let recipients = policy::optional_list(&field, |item| item.required(value::recipient));
    let every = policy::choice(
        &section.field("every", "day"),
        &[("hour", HOUR), ("day", 24 * HOUR), ("week", 7 * 24 * HOUR)],
    );
    let place = section.field("folder", "/var/backups/synod");
    let folder = place.optional(|field, text| files::path(field, text, around.base));
    let keep = section
        .field("keep", "7")
        .optional(|field, text| value::count(field, text, 1..=MOST_BACKUPS));
    let (recipients, keep) = (recipients?, keep?.unwrap_or(BACKUPS));
    let schedule = match (every?, folder?) {
        (None, _) => None,
        (Some(_), None) => {
            return Err(place.wrong("scheduled backups need a folder", "Write `folder: PATH`"));
        }
        (Some(_), _) if recipients.is_empty() => {
            return Err(field.wrong(
                "scheduled backups need somebody who can decrypt them",
                "Write the public key that `age-keygen` shows",
            ));
        }
        (Some(seconds), Some(folder)) => {
            Some(Schedule { every: Duration::from_secs(seconds), folder, keep })
        }
    };
    Ok(Backup { recipients, schedule })
}

/// Where a rule demands one-time passwords, everybody who could say yes has a seed.
fn totp_for_all(
    field: &Field<'_>,
    operators: &[Operator],
    demands: &Policy,
) -> Result<(), Reported> {
    let demanded = demands.rules.iter().any(|rule| rule.totp);
    let acts = |role: &Role| role.has(Power::Moderate) || role.has(Power::Account);
    let without = |one: &Operator| acts(&one.role) && one.totp.is_none();
    if demanded && operators.iter().any(without) {
        return Err(field.wrong(
            "a rule requires one-time passwords, but not every operator has a seed",
            "Write `totp: { file: PATH }` for each moderator and admin",
        ));
    }
    Ok(())
}

/// What is logged and how it looks; the first of them alone may stand in the line of the key.
fn log(field: &Field<'_>) -> Result<(String, LogFormat), Reported> {
    let Some(section) = field.section_or_text()? else {
        return Ok((field.required(value::log)?, LogFormat::Auto));
    };
    within(Ok(section), |section| {
        let filter = section.field("filter", LOG).optional(value::log);
        let formats =
            [("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)];
        let format = section.field("format", "json").choice(&formats, Some(LogFormat::Auto));
        Ok((filter?.unwrap_or_else(|| LOG.to_owned()), format?))
    })
}

fn monitoring(section: &Section<'_>) -> Result<Option<Monitoring>, Reported> {
    let remote = section.field("allow_remote", "true").flag(false);
    let allowed = remote.unwrap_or(false);
    let listen = section
        .field("listen", "127.0.0.1:9464")
        .optional(|field, text| value::listened(field, text, allowed));
    let outage_after = section.field("outage_after", "5min").optional(value::duration);
    remote?;
    let outage_after = outage_after?.unwrap_or(OUTAGE_AFTER);
    Ok(listen?.map(|listen| Monitoring { listen, outage_after }))
}

fn commands(section: &Section<'_>) -> Result<Commands, Reported> {
    let max_age = section.field("max_age", "5min").optional(value::duration);
    let typed_secrets = section.field("typed_secrets", "false").flag(false);
    Ok(Commands { max_age: max_age?.unwrap_or(MAX_AGE), typed_secrets: typed_secrets? })
}
