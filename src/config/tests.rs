use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use tempfile::TempDir;

use super::{files::Surroundings, *};

mod difference;
mod examples;
mod secrets;
mod shell;

/// Stands wherever a secret does, in the right places and in the wrong ones.
const CANARY: &str = "syt_Canary_7x9Q";

const KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA";

/// A folder with a sound configuration, from which each test breaks a piece.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.file("secret", CANARY, 0o600);
        folder.file("open", CANARY, 0o644);
        folder.file("group", CANARY, 0o640);
        folder.file("blank", "\n", 0o600);
        folder.file("lines", &format!("{CANARY}\n{CANARY}\n"), 0o600);
        for (name, mode) in [("mine", 0o700), ("shared", 0o750)] {
            fs::create_dir(folder.0.path().join(name)).unwrap();
            fs::set_permissions(folder.0.path().join(name), Permissions::from_mode(mode)).unwrap();
        }
        folder
    }

    fn file(&self, name: &str, content: &str, mode: u32) {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self, yaml: &str) -> Result<Config, Faults> {
        self.load_with_credentials(yaml, None)
    }

    /// The same under systemd, with its credentials in this folder of the folder.
    fn load_with_credentials(&self, yaml: &str, folder: Option<&str>) -> Result<Config, Faults> {
        self.file("synod.yaml", yaml, 0o644);
        let credentials = folder.map(|folder| self.0.path().join(folder));
        Config::load_with(&self.0.path().join("synod.yaml"), &crate::pipeline::verbs(), &|name| {
            match name {
                "TOKEN" => Some(CANARY.into()),
                "EMPTY" => Some("".into()),
                "CREDENTIALS_DIRECTORY" => credentials.clone().map(Into::into),
                _ => None,
            }
        })
    }

    /// The faults of a file that has some, as they are printed.
    fn faults(&self, yaml: &str) -> Vec<String> {
        let faults = self.load(yaml).expect_err("the file has a fault");
        assert!(!faults.list.is_empty());
        for text in [faults.to_string(), format!("{faults:?}")] {
            assert!(!text.contains("Canary"), "a secret was told: {text}");
        }
        faults.list.iter().map(ToString::to_string).collect()
    }
}

const SOUND: &str = r##"
homeserver:
  url: https://matrix.example.org
  admin_token: { file: secret }
bot:
  user_id: "@synod:example.org"
  password: { env: TOKEN }
state: mine
rooms: ["#admins:example.org"]
operators:
  - user_id: "@ann:example.org"
    role: admin
"##;

/// What is put in place of what, and the words with which the one fault begins and ends.
type Case = (&'static str, &'static str, &'static str, &'static str);

fn each_is_the_only_fault(cases: &[Case]) {
    let folder = Folder::new();
    for (sound, broken, place, remedy) in cases {
        assert!(SOUND.contains(sound), "{sound} is not in the sound file");
        let faults = folder.faults(&SOUND.replacen(sound, broken, 1));
        assert_eq!(faults.len(), 1, "{broken}: {faults:#?}");
        assert!(faults[0].starts_with(place), "{broken}: {} instead of {place}", faults[0]);
        assert!(faults[0].contains(remedy), "{broken}: {} instead of {remedy}", faults[0]);
    }
}

#[test]
fn what_is_left_out_has_its_default() {
    let folder = Folder::new();
    let config = folder.load(SOUND).unwrap();
    assert!(config.read_only);
    assert_eq!(config.homeserver.admin_url.as_str(), "https://matrix.example.org/");
    assert_eq!(config.homeserver.rate_limit, RateLimit::Keep);
    assert_eq!(config.bot.device_name, "Synod");
    assert!(config.bot.prefix.is_usual());
    assert_eq!((config.bot.display_name.as_str(), config.bot.avatar), ("Synod", true));
    assert!(!config.bot.describe_commands);
    assert_eq!(config.state, folder.0.path().join("mine"));
    assert_eq!(config.recovery_key_file, folder.0.path().join("mine/recovery.key"));
    assert_eq!(config.encryption, Encryption::Required);
    assert_eq!(config.trust, TrustSource::CrossSigned);
    assert_eq!(config.operators[0].person, "@ann:example.org");
    assert_eq!(config.questions.expire_after, Duration::from_mins(10));
    assert_eq!(config.questions.approve_within, Duration::from_hours(24));
    assert!(
        config.policy.reactions && config.policy.alone.is_none() && config.policy.rules.is_empty()
    );
    assert_eq!(config.policy.unreviewed, 20);
    assert_eq!(config.policy.protection.operators, Stance::Phrase, "nobody else is there");
    assert_eq!(config.commands.max_age, Duration::from_mins(5));
    assert!(!config.commands.typed_secrets);
    assert_eq!(config.layout, Layout::Cards);
    assert_eq!(config.monitoring, None, "it listens nowhere");
    assert_eq!(config.log, "info");
}

#[test]
fn the_log_is_a_filter_or_a_section_with_its_form() {
    let folder = Folder::new();
    for (lines, filter, format) in [
        ("log: debug", "debug", LogFormat::Auto),
        ("log: { filter: warn }", "warn", LogFormat::Auto),
        ("log: { format: json }", "info", LogFormat::Json),
        (
            "log: { format: human, filter: 'info,synod=debug' }",
            "info,synod=debug",
            LogFormat::Human,
        ),
        ("log: { format: auto }", "info", LogFormat::Auto),
    ] {
        let config = folder.load(&format!("{SOUND}{lines}\n"));
        let config = config.unwrap_or_else(|faults| panic!("{lines}: {faults}"));
        assert_eq!((config.log.as_str(), config.log_format), (filter, format), "{lines}");
    }
    for (lines, instead) in [
        ("log: { format: yaml }", "auto or human or json"),
        ("log: { level: info }", "filter, format"),
        ("log: { filter: inof }", "info,synod=debug"),
        ("log: { filter: }", "filter: info"),
    ] {
        let faults = folder.faults(&format!("{SOUND}{lines}\n"));
        assert!(faults.len() == 1 && faults[0].contains(instead), "{lines}: {faults:#?}");
    }
}

#[test]
fn it_listens_on_this_machine_unless_another_address_is_allowed() {
    let folder = Folder::new();
    let with = |lines: &str| format!("{SOUND}monitoring: {{ {lines} }}\n");
    for (lines, listen, minutes) in [
        ("listen: 127.0.0.1:9464", "127.0.0.1:9464", 5),
        ("listen: \"[::1]:9464\", outage_after: 1min", "[::1]:9464", 1),
        ("listen: 127.9.9.9:80, allow_remote: false", "127.9.9.9:80", 5),
        ("listen: 0.0.0.0:9464, allow_remote: true", "0.0.0.0:9464", 5),
        ("listen: 10.0.0.2:9464, allow_remote: true, outage_after: 2min", "10.0.0.2:9464", 2),
    ] {
        let config = folder.load(&with(lines)).unwrap_or_else(|faults| panic!("{lines}: {faults}"));
        let outage_after = Duration::from_mins(minutes);
        let listen = listen.parse().unwrap();
        assert_eq!(config.monitoring, Some(Monitoring { listen, outage_after }), "{lines}");
    }
    let nowhere = folder.load(&with("allow_remote: true, outage_after: 2min")).unwrap();
    assert_eq!(nowhere.monitoring, None);
    for (lines, what, instead) in [
        ("listen: 0.0.0.0:9464", "other machines", "allow_remote: true"),
        ("listen: \"[::]:9464\"", "other machines", "allow_remote: true"),
        ("listen: 192.168.1.1:9464", "other machines", "127.0.0.1:9464"),
        ("listen: localhost:9464", "not an address with a port", "127.0.0.1:9464"),
        ("listen: 127.0.0.1", "not an address with a port", "127.0.0.1:9464"),
        ("listen: \"127.0.0.1:99999\"", "not an address with a port", "127.0.0.1:9464"),
        ("listen: 127.0.0.1:9464, allow_remote: yes", "neither true nor false", "true"),
        ("listen: 127.0.0.1:9464, outage_after: 0s", "too short", "1s to 24h"),
        ("listen: 127.0.0.1:9464, port: 9464", "no such key", "listen"),
    ] {
        let faults = folder.faults(&with(lines));
        assert!(faults.len() == 1 && faults[0].contains("monitoring"), "{lines}: {faults:#?}");
        assert!(faults[0].contains(what) && faults[0].contains(instead), "{lines}: {faults:#?}");
    }
}

#[test]
fn keys() {
    each_is_the_only_fault(&[
        ("state: mine", "state: mine\nstat: 1", "line 9, stat: ", "Write `state:`"),
        ("state: mine", "state: mine\nsyt_Canary: 1", "line 9, the file: ", "Remove it"),
        ("state: mine", "state: mine\nstate: mine", "line 9, state: ", "Keep one"),
        ("state: mine", "", "state: this key is missing", "Write `state: /var/lib/synod`"),
        ("state: mine", "state:", "line 8, state: the value is missing", "Write `state: "),
        ("state: mine", "state: [mine]", "line 8, state: ", "such as /var/lib/synod"),
        (
            "state: mine",
            "state: mine\nquestions: 7",
            "line 9, questions: ",
            "`expire_after: 10min`",
        ),
        ("  url:", "  uri: 1\n  url:", "line 3, homeserver.uri: ", "Write `url:`"),
        ("    role: admin", "    role: admin\n    rank: 1", "line 13, operators[0].rank: ", "role"),
        ("    role: admin", "", "line 11, operators[0].role: this key is missing", "moderator`"),
    ]);
}

#[test]
fn addresses() {
    const REMOTE: &str = "https://matrix.example.org";
    const PLACE: &str = "line 3, homeserver.url: ";
    each_is_the_only_fault(&[
        (REMOTE, "http://matrix.example.org", PLACE, "Write https://"),
        (REMOTE, "http://localhost.example.org", PLACE, "Write https://"),
        (REMOTE, "http://10.0.0.1", PLACE, "Write https://"),
        (REMOTE, "https://ann:syt_Canary@example.org", PLACE, "Remove everything before the @"),
        (REMOTE, "https://example.org/_matrix", PLACE, "Remove that"),
        (REMOTE, "https://example.org/?access_token=syt_Canary", PLACE, "Remove that"),
        (REMOTE, "ftp://example.org", PLACE, "such as https://"),
        (REMOTE, "example.org", PLACE, "such as https://"),
    ]);
    for loopback in ["http://localhost:8008", "http://127.8.9.1", "\"http://[::1]:8008\""] {
        Folder::new().load(&SOUND.replace(REMOTE, loopback)).unwrap();
    }
}

#[test]
fn dates() {
    const TOKEN: &str = "admin_token: { file: secret }";
    let dated = |date: &str| format!("{TOKEN}\n  admin_token_expires: {date}");
    let folder = Folder::new();
    for (date, moment) in [
        ("2027-01-31", "2027-01-31T00:00:00Z"),
        ("\"2027-01-31\"", "2027-01-31T00:00:00Z"),
        ("2027-01-31T10:00:00Z", "2027-01-31T10:00:00Z"),
        ("2027-01-31T10:00:00+02:00", "2027-01-31T08:00:00Z"),
    ] {
        let config = folder.load(&SOUND.replace(TOKEN, &dated(date))).unwrap();
        assert_eq!(config.homeserver.admin_token_expires, Some(moment.parse().unwrap()), "{date}");
    }
    assert_eq!(folder.load(SOUND).unwrap().homeserver.admin_token_expires, None);
    let place = "line 5, homeserver.admin_token_expires: this is not a date";
    for date in ["31.1.2027", "2027-02-30", "2027-01-31T10:00", "never", "1801353600"] {
        let faults = folder.faults(&SOUND.replace(TOKEN, &dated(date)));
        let [fault] = faults.as_slice() else { panic!("{date}: {faults:?}") };
        assert!(fault.starts_with(place) && fault.contains("2027-01-31"), "{date}: {fault}");
    }
}

#[test]
fn plain_http_goes_to_a_private_host_only_and_only_where_the_config_says_so() {
    const REMOTE: &str = "https://matrix.example.org";
    let folder = Folder::new();
    let with = |address: &str, key: &str| {
        SOUND.replace(REMOTE, &format!("\"{address}\"\n  admin_url: \"{address}\"{key}"))
    };
    let allowed = |address: &str| with(address, "\n  allow_plain_http: true");
    for private in [
        "http://synapse:8008",
        "http://synapse.internal",
        "http://matrix.home.arpa",
        "http://synapse.default.svc.cluster.local:8008",
        "http://10.0.0.2:8008",
        "http://172.16.0.1",
        "http://192.168.1.2",
        "http://[fd00::2]:8008",
    ] {
        let config = folder.load(&allowed(private)).unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(config.homeserver.url.scheme(), "http");
        assert_eq!(config.homeserver.url, config.homeserver.admin_url);
        for refused in [with(private, ""), with(private, "\n  allow_plain_http: false")] {
            let faults = folder.faults(&refused);
            assert_eq!(faults.len(), 2, "{private}: {faults:#?}");
            for (fault, key) in faults.iter().zip(["url", "admin_url"]) {
                assert!(fault.contains(&format!("homeserver.{key}: plain http")), "{fault}");
                assert!(fault.contains("`allow_plain_http: true` under homeserver"), "{fault}");
            }
        }
    }
    for public in [
        "http://matrix.example.org",
        "http://internal.example.org",
        "http://example.local.org",
        "http://8.8.8.8",
        "http://172.32.0.1",
        "http://192.0.2.1",
        "http://[2001:db8::1]",
    ] {
        let faults = folder.faults(&allowed(public));
        assert_eq!(faults.len(), 2, "{public}: {faults:#?}");
        assert!(faults[0].contains("allow_plain_http is for private names"), "{faults:#?}");
        let faults = folder.faults(&with(public, ""));
        assert!(faults[0].ends_with("only to localhost, 127.0.0.1 or [::1]."), "{faults:#?}");
    }
    let faults = folder.faults(&with("http://synapse:8008", "\n  allow_plain_http: yes"));
    assert!(faults.iter().any(|fault| fault.contains("allow_plain_http: this is neither")));
}

#[test]
fn the_state() {
    each_is_the_only_fault(&[
        ("state: mine", "state: shared", "line 8, state: its group can access it", "chmod 0700"),
        ("state: mine", "state: secret", "line 8, state: ", "Name a directory"),
        (
            "state: mine",
            "state: mine\nrecovery_key_file: open",
            "line 9, recovery_key_file: every user",
            "chmod 0600",
        ),
        ("state: mine", "state: mine\nrecovery_key_file: mine", "line 9, ", "Name a file"),
    ]);
    let folder = Folder::new();
    symlink(folder.0.path().join("shared"), folder.0.path().join("link")).unwrap();
    assert_eq!(folder.faults(&SOUND.replace("mine", "link")).len(), 1);
    folder.load(&SOUND.replace("mine", "not/yet/made")).unwrap();
}

#[test]
fn people_and_rooms() {
    const BOT: &str = "\"@synod:example.org\"";
    const ROOMS: &str = "rooms: [\"#admins:example.org\"]";
    const OPERATOR: &str = "  - user_id: \"@ann:example.org\"\n    role: admin\n";
    each_is_the_only_fault(&[
        (BOT, "synod", "line 6, bot.user_id: ", "\"@ann:example.org\""),
        (BOT, "\"syt_Canary\"", "line 6, bot.user_id: ", "\"@ann:example.org\""),
        (BOT, "!synod:example.org", "line 6, bot.user_id: without quotes", "double quotes"),
        (ROOMS, "rooms: []", "line 9, rooms: the list is empty", "`- \"#admins:example.org\"`"),
        (ROOMS, "rooms: admins", "line 9, rooms: ", "on its own line"),
        (ROOMS, "rooms: [admins]", "line 9, rooms[0]: ", "\"!id\""),
        (ROOMS, "rooms:\n  - #admins:example.org", "line 10, rooms[0]: ", "Write `\"#admins"),
        (ROOMS, "rooms:\n  - !id:example.org", "line 10, rooms[0]: ", "double quotes"),
        (ROOMS, "rooms: [\"!a\", \"!a\"]", "line 9, rooms[1]: ", "Remove one"),
        (
            "role: admin",
            "role: owner",
            "line 12, operators[0].role: ",
            "viewer or moderator or admin",
        ),
        ("role: admin", "role: moderator", "line 10, operators: ", "`role: admin`"),
        (
            BOT,
            "\"@synod:example.org\"\n  prefix: \"/\"",
            "line 7, bot.prefix: it does not",
            "! . ?",
        ),
        (BOT, "\"@synod:example.org\"\n  prefix: s", "line 7, bot.prefix: it does not", "\"!s \""),
        (BOT, "\"@synod:example.org\"\n  prefix: \"!s\"", "line 7, bot.prefix: the name", "space"),
        (
            BOT,
            "\"@synod:example.org\"\n  prefix: \"!user \"",
            "line 7, bot.prefix: the name",
            "!s ",
        ),
        (
            BOT,
            "\"@synod:example.org\"\n  prefix: \"!help \"",
            "line 7, bot.prefix: the name",
            "!s ",
        ),
        ("@ann", "@synod", "line 11, operators[0].user_id: ", "account of a person"),
        ("role: admin", "role: admin\n    master_key: abc", "line 13, operators[0].master", "43"),
        (
            "@ann:example.org",
            "@ann:other.org",
            "line 11, operators[0].master_key: ",
            "Write the 43",
        ),
        ("state: mine", "trust: verified\nstate: mine", "line 12, operators[0].master_key: ", "43"),
        (
            OPERATOR,
            "  - { user_id: \"@ann:example.org\", role: admin }\n  - { user_id: \
             \"@ann:example.org\", role: viewer }\n",
            "line 12, operators[1].user_id: ",
            "Remove one",
        ),
    ]);
}

#[test]
fn an_operator_of_another_server_with_a_key_is_welcome() {
    let with_key = format!("role: admin\n    master_key: {KEY}");
    let config = Folder::new()
        .load(
            &SOUND.replace("@ann:example.org", "@ann:other.org").replace("role: admin", &with_key),
        )
        .unwrap();
    assert_eq!(config.operators[0].master_key.as_deref(), Some(KEY));
    assert_eq!(config.operators[0].role.rank, Rank::Admin);
}

#[test]
fn values() {
    let case = |line: &'static str, place, remedy| -> Case { ("state: mine", line, place, remedy) };
    each_is_the_only_fault(&[
        case("state: mine\nread_only: yes", "line 9, read_only: ", "`true` or `false`"),
        case("state: mine\nlayout: table", "line 9, layout: ", "cards or list or code"),
        case("state: mine\ntables: true", "line 9, tables: phones", "`layout: list`"),
        case("state: mine\ntables: false", "line 9, tables: phones", "`layout: cards`"),
        case("state: mine\nencryption: on", "line 9, encryption: ", "required or optional"),
        case("state: mine\ntrust: me", "line 9, trust: ", "cross_signed or verified"),
        case("state: mine\nquestions: { expire_after: soon }", "line 9, questions.expire_a", "1h"),
        case("state: mine\nquestions: { expire_after: 0s }", "line 9, questions.expire_a", "24h"),
        case("state: mine\ncommands: { max_age: 25h }", "line 9, commands.max_age: ", "24h"),
        case("state: mine\ncommands: { max_age: -5min }", "line 9, commands.max_age: ", "1s"),
        case("state: mine\nquestions: { unreviewed: 0 }", "line 9, questions.unreviewed", "1 to"),
        case("state: mine\nquestions: { reason: \"(\" }", "line 9, questions.reason", "'^TICKET"),
        case(
            "state: mine\nquestions: { rules: [{ class: irreversible }] }",
            "line 9, questions.rules[0]: this rule requires nothing",
            "others: 1",
        ),
        case(
            "state: mine\nquestions: { rules: [{ verbs: [\"user desactivate\"], others: 1 }] }",
            "line 9, questions.rules[0].verbs[0]: there is no such command",
            "user *",
        ),
        case(
            "state: mine\nquestions: { rules: [{ totp: true }] }",
            "line 11, operators: ",
            "totp: { file",
        ),
        case("state: mine\nroles: [{ name: admin, powers: [look] }]", "line 9, roles", "its own"),
        case(
            "state: mine\nroles: [{ name: a, powers: [rule] }]",
            "line 9, roles[0].powers[0]",
            "look-private",
        ),
        case(
            "state: mine\nroles: [{ name: a, powers: [look], verbs: [usr] }]",
            "line 9, roles[0].verbs[0]: there is no such command",
            "user *",
        ),
        case("state: mine\nprotected: { bridged: never }", "line 9, protected.bridged", "refused"),
        case(
            "state: mine\nprotected: { subjects: [{ id: eve, change: refused }] }",
            "line 9, protected.subjects[0].id",
            "double quotes",
        ),
        case("state: mine\nlog: inof", "line 9, log: ", "info"),
        case("state: mine\nlog: synod=loud", "line 9, log: ", "info,synod=debug"),
    ]);
    for log in ["warn", "info,synod=debug", "\"info,synod[span]=trace\""] {
        Folder::new().load(&format!("{SOUND}log: {log}\n")).unwrap();
    }
}

#[test]
fn what_is_demanded_of_whom() {
    let folder = Folder::new();
    folder.file("seed", "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ", 0o600);
    folder.file("short", "GEZDGNBV", 0o600);
    let yaml = format!(
        "{SOUND}    totp: {{ file: seed }}
  - user_id: \"@bea:example.org\"
    role: admin
    totp: {{ file: seed }}
questions:
  alone: true
  rules:
    - verbs: [\"user admin\", \"room *\"]
      class: irreversible
      power: account
      subjects: 10
      protected: false
      others: 2
      totp: true
      reason: true
protected:
  bridged: refused
  subjects:
    - {{ id: \"@abuse:example.org\", change: refused }}
"
    );
    let policy = folder.load(&yaml).unwrap().policy;
    let rule = &policy.rules[0];
    assert_eq!(policy.alone, Some(Duration::from_mins(5)));
    assert!(rule.totp && rule.reason);
    assert_eq!((rule.others, rule.subjects, rule.protected), (2, Some(10), Some(false)));
    assert_eq!(rule.verbs.len(), 2);
    assert_eq!(policy.protection.bridged, Stance::Refused);
    assert_eq!(policy.protection.operators, Stance::SecondPerson, "there are two");
    assert_eq!(policy.protection.subjects.len(), 1);

    let own = "roles:\n  - { name: spam-team, powers: [look], not_on: [\"@staff-*\"] }\n";
    let named = yaml.replacen("role: admin", "role: spam-team", 1).replacen(
        "bot:",
        &format!("{own}bot:"),
        1,
    );
    let config = folder.load(&named).unwrap();
    assert_eq!(config.operators[0].role.name, "spam-team");
    let unknown = folder.faults(&yaml.replacen("role: admin", "role: chief", 1));
    assert!(unknown[0].contains("Write viewer or moderator or admin"), "{unknown:?}");

    let short = folder.faults(&yaml.replacen("file: seed", "file: short", 1));
    assert!(
        short[0].contains("operators[0].totp: this is not a one-time password seed"),
        "{short:?}"
    );
}

#[test]
fn all_faults_come_together_in_the_order_of_their_lines() {
    let faults = Folder::new().faults(
        "read_onyl: true\n\
         homeserver:\n  url: http://example.org\n  admin_token: syt_Canary\n  extra: 1\n\
         bot:\n  user_id: synod\n  password: { file: open }\n\
         state: shared\n\
         rooms: [admins]\n\
         operators:\n\
         - { user_id: ann, role: chief }\n\
         - { user_id: \"@b:c\", role: viewer, keys: 1 }\n\
         questions: { expire_after: never }\n",
    );
    let places: Vec<&str> =
        faults.iter().map(|fault| fault.split(": ").next().unwrap_or_default()).collect();
    assert_eq!(
        places,
        [
            "line 1, read_onyl",
            "line 3, homeserver.url",
            "line 4, homeserver.admin_token",
            "line 5, homeserver.extra",
            "line 7, bot.user_id",
            "line 8, bot.password.file",
            "line 9, state",
            "line 10, rooms[0]",
            "line 12, operators[0].user_id",
            "line 12, operators[0].role",
            "line 13, operators[1].keys",
            "line 14, questions.expire_after",
        ]
    );
}

#[test]
fn what_is_no_configuration_at_all() {
    let folder = Folder::new();
    for (yaml, words) in [
        ("", "it is empty. Start from config.example.yaml"),
        ("# only a comment\n", "it is empty"),
        ("- a list", "keys with values are needed here"),
        ("read_only: true\nbot: @syt_Canary", "line 2, the file: this is not YAML: "),
        ("read_only: \"syt_Canary", "the file: this is not YAML: "),
        ("read_only: *syt_Canary", "the file: this is not YAML: "),
        ("read_only: true\n---\nread_only: true\n", "a second YAML document begins here"),
    ] {
        let faults = folder.faults(yaml);
        assert_eq!(faults.len(), 1, "{yaml}: {faults:#?}");
        assert!(faults[0].contains(words), "{yaml}: {}", faults[0]);
    }
    let deep = "[".repeat(5000);
    assert!(folder.faults(&format!("rooms: {deep}"))[0].contains("this is not YAML"));
    let missing = Config::load(&folder.0.path().join("nowhere"), &[]).unwrap_err().to_string();
    assert!(missing.contains("it does not exist. Name the configuration"), "{missing}");
}
