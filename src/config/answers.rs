//! What `synod setup` reads: the file of answers, and the config that an earlier setup made.

use std::path::{Path, PathBuf};

use ruma::OwnedRoomOrAliasId;

use super::{
    Fault, Faults, Rank,
    files::{self, Surroundings},
    policy::optional_list,
    read::within,
    section::{Book, Field, Reported, Section},
    tree, value,
};

/// What is to be set up, as far as somebody has said it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// The homeserver, by its name or its address.
    pub homeserver: Option<String>,
    /// Where its Admin API answers, if that is elsewhere.
    pub admin_url: Option<String>,
    /// Whether it may be asked over plain http on a private network.
    pub allow_plain_http: bool,
    /// A server admin, whose login is used once.
    pub login: Option<String>,
    /// The file of that admin's password; `-` is standard input.
    pub password_file: Option<PathBuf>,
    /// The file of a token of that admin, in place of the password; `-` is standard input.
    pub token_file: Option<PathBuf>,
    /// The bot's account.
    pub bot: Option<String>,
    /// The account of the admin token.
    pub admin_account: Option<String>,
    /// Who may give commands.
    pub operators: Vec<Named>,
    /// The folder of everything that the bot keeps.
    pub state: Option<PathBuf>,
}

/// Somebody who is to give commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The account, whole or without its server.
    pub user: String,
    /// What it may do.
    pub rank: Rank,
    /// Its master key, which those of other servers need.
    pub master_key: Option<String>,
}

/// What stands in a config, as far as it can be read: secrets that are missing, and any other fault,
/// hide nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What a setup would have been told, to make it.
    pub answers: Answers,
    /// The admin rooms.
    pub rooms: Vec<OwnedRoomOrAliasId>,
    /// Where the admin token lies, where that is a file.
    pub admin_token: Option<PathBuf>,
    /// Where the bot's password lies.
    pub password: Option<PathBuf>,
    /// Where the bot's access token lies.
    pub access_token: Option<PathBuf>,
}

impl Answers {
    /// Reads a file of answers. Relative paths in it count from the folder that it lies in.
    ///
    /// # Errors
    /// All faults of the file together.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        let faults = |list| Faults { file: path.to_owned(), list };
        let text = files::config(path).map_err(|fault| {
            let instead = "Name the file of answers with --answers FILE".to_owned();
            faults(vec![Fault { instead, ..fault }])
        })?;
        let book = Book::default();
        let answers = parse(&book, &text).and_then(|node| {
            let root = Section::root(&book, &node)?;
            let answers = answers(&root, &folder(path));
            root.finish();
            answers
        });
        let (list, _) = book.close();
        match answers {
            Ok(answers) if list.is_empty() => Ok(answers),
            _ => Err(faults(list)),
        }
    }
}

impl Written {
    /// Reads what it can of the config at `path`; nothing where there is no such file.
    ///
    /// # Errors
    /// Where the file cannot be read, or is no config at all.
    pub fn read(path: &Path) -> Result<Option<Self>, Faults> {
        if matches!(path.try_exists(), Ok(false)) {
            return Ok(None);
        }
        let faults = |list| Faults { file: path.to_owned(), list };
        let text = files::config(path).map_err(|fault| faults(vec![fault]))?;
        let book = Book::default();
        let written = parse(&book, &text).and_then(|node| {
            let root = Section::root(&book, &node)?;
            Ok(written(&root, &folder(path)))
        });
        written.map(Some).map_err(|_| faults(book.close().0))
    }
}

/// Where relative paths count from.
fn folder(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.parent().map(Path::to_owned).unwrap_or_default()
}

fn parse(book: &Book, text: &str) -> Result<tree::Node, Reported> {
    tree::parse(text).map_err(|fault| book.add(fault))?.ok_or_else(|| {
        book.add(Fault {
            key: String::new(),
            line: None,
            what: "it is empty".to_owned(),
            instead: "Write at least `homeserver: example.org`".to_owned(),
        })
    })
}

fn answers(root: &Section<'_>, base: &Path) -> Result<Answers, Reported> {
    let homeserver = root.field("homeserver", "example.org").optional(word);
    let admin_url = root.field("admin_url", "http://127.0.0.1:8008").optional(word);
    let allow_plain_http = root.field("allow_plain_http", "true").flag(false);
    let login = root.field("login", "\"@ann:example.org\"").optional(word);
    let password_file = file(&root.field("password_file", "ann-password"), base);
    let token = root.field("token_file", "ann-token");
    let token_file = file(&token, base);
    let bot = root.field("bot", "\"@synod:example.org\"").optional(word);
    let admin_account = root.field("admin_account", "\"@synod-admin:example.org\"").optional(word);
    let operators =
        optional_list(&root.field("operators", "user_id: \"@ann:example.org\""), |item| {
            within(item.section(), operator)
        });
    let state = file(&root.field("state", "/var/lib/synod"), base);
    let (password_file, token_file) = (password_file?, token_file?);
    if password_file.is_some() && token_file.is_some() {
        return Err(token.wrong(
            "there is already a password",
            "Keep one of `password_file:` and `token_file:`",
        ));
    }
    Ok(Answers {
        homeserver: homeserver?,
        admin_url: admin_url?,
        allow_plain_http: allow_plain_http?,
        login: login?,
        password_file,
        token_file,
        bot: bot?,
        admin_account: admin_account?,
        operators: operators?,
        state: state?,
    })
}

fn operator(section: &Section<'_>) -> Result<Named, Reported> {
    let ranks = Rank::ALL.map(|rank| (rank.as_str(), rank));
    let user = section.field("user_id", "\"@ann:example.org\"").required(word);
    let rank = section.field("role", "admin").choice(&ranks, None);
    let master_key =
        section.field("master_key", "\"43 characters of base64\"").optional(value::master_key);
    Ok(Named { user: user?, rank: rank?, master_key: master_key? })
}

/// One word, of which the setup makes what it is.
fn word(field: &Field<'_>, text: &str) -> Result<String, Reported> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(field.wrong("this is not one word", "Write it without spaces"));
    }
    Ok(text.to_owned())
}

/// A path, or `-` for standard input.
fn file(field: &Field<'_>, base: &Path) -> Result<Option<PathBuf>, Reported> {
    field.optional(|field, text| {
        if text == "-" { Ok(PathBuf::from(text)) } else { files::path(field, text, base) }
    })
}

/// What a config says. Its faults are told by whoever loads it.
fn written(root: &Section<'_>, base: &Path) -> Written {
    let mut answers = Answers::default();
    let [mut admin_token, mut password, mut access_token] = [None, None, None];
    if let Ok(server) = root.field("homeserver", "").section() {
        answers.homeserver = text(&server.field("url", ""));
        answers.admin_url = text(&server.field("admin_url", ""));
        answers.allow_plain_http =
            server.field("allow_plain_http", "").flag(false).unwrap_or(false);
        admin_token = secret_file(&server.field("admin_token", ""), base);
    }
    if let Ok(bot) = root.field("bot", "").section() {
        answers.bot = text(&bot.field("user_id", ""));
        password = secret_file(&bot.field("password", ""), base);
        access_token = secret_file(&bot.field("access_token", ""), base);
    }
    answers.state = file(&root.field("state", ""), base).ok().flatten();
    let items = root.field("operators", "").list().unwrap_or_default();
    answers.operators = items
        .iter()
        .filter_map(|item| {
            let section = item.section().ok()?;
            let user = text(&section.field("user_id", ""))?;
            let role = text(&section.field("role", ""))?;
            let master_key = text(&section.field("master_key", ""));
            // A role of the config's own is no answer of a setup; what it may do is all the same here.
            let rank = Rank::ALL.into_iter().find(|rank| rank.as_str() == role);
            Some(Named { user, rank: rank.unwrap_or(Rank::Viewer), master_key })
        })
        .collect();
    let rooms = root.field("rooms", "").list().unwrap_or_default();
    let rooms = rooms.iter().filter_map(|item| item.required(value::room).ok()).collect();
    Written { answers, rooms, admin_token, password, access_token }
}

fn text(field: &Field<'_>) -> Option<String> {
    field.optional(|_, text| Ok(text.to_owned())).ok().flatten()
}

/// The file of a secret, where it comes from one.
fn secret_file(field: &Field<'_>, base: &Path) -> Option<PathBuf> {
    let section = field.delicate_section().ok().flatten()?;
    file(&section.field("file", ""), base).ok().flatten()
}

/// The secret in a file that nobody else may read, in one line.
///
/// # Errors
/// What is wrong with the file, and what to do, as one sentence each.
pub fn secret(path: &Path) -> Result<secrecy::SecretString, Fault> {
    let book = Book::default();
    let shown = path.display().to_string();
    let node =
        tree::Node { line: 0, value: tree::Value::Text { text: shown.clone(), plain: false } };
    let field = Field::alone(&book, &node);
    let environment = |name: &str| std::env::var_os(name);
    let around = Surroundings {
        base: Path::new(""),
        environment: &environment,
        verbs: &[],
        may_lack_keys: false,
    };
    let read = files::from_file(&field, &shown, around);
    read.map(|(secret, _)| secret).map_err(|_| {
        let (mut faults, _) = book.close();
        let what = "it cannot be read".to_owned();
        let other =
            Fault { key: String::new(), line: None, what, instead: "Check the file".to_owned() };
        Fault { key: shown, line: None, ..faults.pop().unwrap_or(other) }
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use secrecy::ExposeSecret as _;

    use super::*;

    fn load(text: &str) -> Result<Answers, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("answers.yaml");
        fs::write(&file, text).unwrap();
        let here = dir.path().to_owned();
        let relative = |path: PathBuf| path.strip_prefix(&here).map(Path::to_owned).unwrap_or(path);
        let answers = Answers::load(&file).map_err(|faults| faults.to_string())?;
        Ok(Answers {
            password_file: answers.password_file.map(relative),
            token_file: answers.token_file.map(relative),
            state: answers.state.map(relative),
            ..answers
        })
    }

    #[test]
    fn every_answer_is_read() {
        let answers = load(
            "homeserver: example.org\nadmin_url: http://127.0.0.1:8008\nallow_plain_http: true\n\
             login: ann\npassword_file: ann-password\nbot: \"@bot:example.org\"\n\
             admin_account: keeper\nstate: /var/lib/other\noperators:\n\
             - { user_id: ann, role: admin }\n\
             - { user_id: \"@moe:x\", role: moderator, master_key: \
             \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\" }\n",
        );
        let key = Some("A".repeat(43));
        let named = |user: &str, rank, master_key| Named { user: user.into(), rank, master_key };
        let wanted = Answers {
            homeserver: Some("example.org".into()),
            admin_url: Some("http://127.0.0.1:8008".into()),
            allow_plain_http: true,
            login: Some("ann".into()),
            password_file: Some("ann-password".into()),
            token_file: None,
            bot: Some("@bot:example.org".into()),
            admin_account: Some("keeper".into()),
            operators: vec![named("ann", Rank::Admin, None), named("@moe:x", Rank::Moderator, key)],
            state: Some("/var/lib/other".into()),
        };
        assert_eq!(answers, Ok(wanted));
        let answers = load("token_file: \"-\"\n").unwrap();
        assert_eq!(answers.token_file.as_deref(), Some(Path::new("-")));
    }

    #[test]
    fn all_faults_are_told_at_once_and_no_value_is_repeated() {
        let told = load(
            "homserver: Canary\npassword: Canary\nallow_plain_http: Canary\nlogin: two Canary\n\
             operators: [{ user_id: ann, role: Canary }, { role: admin }]\n",
        )
        .unwrap_err();
        for part in [
            "6 faults",
            "line 1, homserver: there is no such key here. Write `homeserver:`",
            "line 2, password: there is no such key here",
            "line 3, allow_plain_http: this is neither true nor false",
            "line 4, login: this is not one word",
            "operators[0].role: this value is not allowed here. Write viewer or moderator or admin",
            "operators[1].user_id: this key is missing",
        ] {
            assert!(told.contains(part), "{part} is not in {told}");
        }
        assert!(!told.contains("Canary"), "{told}");
        let both = load("password_file: a\ntoken_file: b\n").unwrap_err();
        assert!(both.contains("there is already a password"), "{both}");
        assert!(load("").unwrap_err().contains("it is empty"));
        assert!(load("[").is_err());
    }

    #[test]
    fn of_a_config_with_faults_the_rest_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("synod.yaml");
        assert_eq!(Written::read(&file), Ok(None));
        fs::write(
            &file,
            "homeserver: { url: \"https://x\", admin_token: { file: token } }\nunknown: 1\n\
             bot: { user_id: \"@synod:x\", password: { env: SYNOD_PASSWORD } }\n\
             rooms: [\"!room\", 7]\noperators: [{ user_id: \"@ann:x\", role: admin }, 3]\n",
        )
        .unwrap();
        let written = Written::read(&file).unwrap().unwrap();
        assert_eq!(written.answers.homeserver.as_deref(), Some("https://x"));
        assert_eq!(written.answers.bot.as_deref(), Some("@synod:x"));
        assert_eq!(written.admin_token, Some(dir.path().join("token")));
        assert_eq!((written.password, written.access_token), (None, None));
        assert_eq!((written.rooms.len(), written.answers.operators.len()), (1, 1));
        fs::write(&file, "[").unwrap();
        assert!(Written::read(&file).is_err());
    }

    #[test]
    fn a_secret_that_others_may_read_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        fs::write(&file, "Canary\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let fault = secret(&file).unwrap_err();
        assert!(fault.what.contains("every user of this machine can access it"), "{fault}");
        assert!(fault.key.ends_with("/secret") && !fault.to_string().contains("Canary"), "{fault}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(secret(&file).unwrap().expose_secret(), "Canary");
        fs::write(&file, "two\nlines").unwrap();
        assert!(secret(&file).unwrap_err().what.contains("more than one line"));
    }
}
