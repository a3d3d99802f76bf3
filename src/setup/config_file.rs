//! The config that a setup writes, which looks like config.example.yaml filled in.

use std::{fmt::Write as _, path::Path};

use ruma::{ServerName, UserId};

use super::{Files, Operator, full, homeserver::Homeserver};
use crate::{
    config::{Answers, Named, Written},
    finding::Finding,
};

/// What stands in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) server: &'a Homeserver,
    pub(super) allow_plain_http: bool,
    pub(super) files: &'a Files,
    pub(super) bot: &'a UserId,
    pub(super) operators: &'a [Operator],
    pub(super) room: &'a str,
}

/// The text of the file. Every value stands in double quotes, as JSON writes it, which YAML reads too.
pub(super) fn render(content: &Content<'_>) -> String {
    let Content { server, files, bot, operators, room, .. } = content;
    let address = |url: &url::Url| quoted(url.as_str().trim_end_matches('/'));
    let mut text = String::from(
        "# Made by `synod setup`; config.reference.yaml has every other key.\n\n# The bot answers \
        every command and asks every question, but a yes does nothing. Set this to\n# false when \
        you are happy with its answers.\nread_only: true\n\nhomeserver:\n",
    );
    // Writing into a text cannot fail.
    let _ = writeln!(text, "  url: {}", address(&server.url));
    if let Some(admin_url) = &server.admin_url {
        let _ = writeln!(text, "  admin_url: {}", address(admin_url));
    }
    if content.allow_plain_http {
        text.push_str("  allow_plain_http: true\n");
    }
    let login = if server.is_delegated {
        ("access_token", &files.access_token)
    } else {
        ("password", &files.password)
    };
    let _ = write!(
        text,
        "  admin_token: {{ file: {} }}\n\nbot:\n  user_id: {}\n  {}: {{ file: {} }}\n\n\
         state: {}\n\nrooms:\n  - {}\n\noperators:\n",
        path(&files.admin_token),
        quoted(bot.as_str()),
        login.0,
        path(login.1),
        path(&files.state),
        quoted(room),
    );
    for Operator { user_id, rank, master_key } in *operators {
        let _ = write!(
            text,
            "  - user_id: {}\n    role: {}\n",
            quoted(user_id.as_str()),
            rank.as_str()
        );
        if let Some(key) = master_key {
            let _ = writeln!(text, "    master_key: {}", quoted(key));
        }
    }
    text.push_str(
        "\n# New reports of messages and accounts open a thread in the room, see docs/reports.md.\nreports:\n  \
        watch: true\n",
    );
    text
}

fn path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Where what is said differs from the config, which stays as it is.
pub(super) fn differences(
    file: &Path,
    said: &Answers,
    written: &Written,
    server: &ServerName,
) -> Vec<Finding> {
    let have = &written.answers;
    let account = |name: &Option<String>| name.as_deref().map(|name| whole(name, server));
    let place = |text: &Option<String>| {
        let text = text.as_deref().filter(|text| text.contains("://"));
        text.map(|text| text.trim_end_matches('/').to_owned())
    };
    let folder = |path: &Option<std::path::PathBuf>| {
        let path = path.as_deref().map(|path| std::path::absolute(path).unwrap_or(path.into()));
        path.map(|path| path.display().to_string())
    };
    let pairs = [
        ("homeserver.url", place(&have.homeserver), place(&said.homeserver)),
        ("homeserver.admin_url", place(&have.admin_url), place(&said.admin_url)),
        ("bot.user_id", account(&have.bot), account(&said.bot)),
        ("state", folder(&have.state), folder(&said.state)),
        ("operators", team(&have.operators, server), team(&said.operators, server)),
    ];
    let file = file.display();
    let mut findings = vec![Finding::ok(format!("config: {file} exists, and stays as it is"))];
    findings.extend(pairs.into_iter().filter_map(|(key, have, said)| {
        let said = said.filter(|said| Some(said) != have.as_ref())?;
        let have = have.unwrap_or_else(|| "nothing".to_owned());
        Some(Finding::warn(
            format!("config: {key} is {have} there, not {said}"),
            format!("Change it in {file} if you want that"),
        ))
    }));
    findings
}

fn whole(name: &str, server: &ServerName) -> String {
    full(name, server).map_or_else(|_| name.to_owned(), |user| user.to_string())
}

/// Operators as they are compared, whatever their order; nothing where nobody is named.
fn team(operators: &[Named], server: &ServerName) -> Option<String> {
    let mut named: Vec<String> = operators
        .iter()
        .map(|one| format!("{} ({})", whole(&one.user, server), one.rank.as_str()))
        .collect();
    named.sort();
    (!named.is_empty()).then(|| named.join(", "))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ruma::user_id;

    use super::*;
    use crate::{
        check::http::{Api, client},
        config::{Config, Login, Rank},
        matrix::files,
    };

    fn server(admin_url: Option<&str>, is_delegated: bool) -> Homeserver {
        let url: url::Url = "http://127.0.0.1:8008".parse().unwrap();
        let api = Api::new(client().build().unwrap(), &url);
        Homeserver {
            url,
            admin_url: admin_url.map(|text| text.parse().unwrap()),
            client: api.clone(),
            admin: api,
            is_delegated,
        }
    }

    fn files_in(folder: &Path) -> Files {
        Files {
            config: folder.join("synod.yaml"),
            admin_token: folder.join("admin \"token\""),
            password: folder.join("password"),
            access_token: folder.join("access-token"),
            state: folder.join("state: of # synod"),
        }
    }

    fn operators() -> Vec<Operator> {
        let operator =
            |user: &UserId, rank| Operator { user_id: user.to_owned(), rank, master_key: None };
        vec![
            operator(user_id!("@ann:x"), Rank::Admin),
            operator(user_id!("@moe:x"), Rank::Moderator),
        ]
    }

    fn load(server: &Homeserver) -> (Config, String, Written) {
        let dir = tempfile::tempdir().unwrap();
        let files = files_in(dir.path());
        for file in [&files.admin_token, &files.password, &files.access_token] {
            files::write(file, b"secret\n").unwrap();
        }
        let operators = operators();
        let text = render(&Content {
            server,
            allow_plain_http: false,
            files: &files,
            bot: user_id!("@synod:x"),
            operators: &operators,
            room: "!room",
        });
        fs::write(&files.config, &text).unwrap();
        let written = Written::read(&files.config).unwrap().unwrap();
        let config = Config::load(&files.config, &[]);
        (config.unwrap_or_else(|faults| panic!("{faults}\n{text}")), text, written)
    }

    #[test]
    fn what_is_written_is_a_config_and_says_what_was_meant() {
        let (config, text, written) = load(&server(Some("http://127.0.0.1:9000"), false));
        assert!(config.read_only);
        assert!(config.reports.is_some(), "reports come to the room");
        assert_eq!(config.homeserver.admin_url.as_str(), "http://127.0.0.1:9000/");
        assert_eq!(config.bot.user_id, "@synod:x");
        assert!(matches!(config.bot.login, Login::Password(_)));
        assert!(config.state.ends_with("state: of # synod"), "{}", config.state.display());
        let roles: Vec<_> = config
            .operators
            .iter()
            .map(|one| (one.user_id.as_str(), one.role.name.as_str()))
            .collect();
        assert_eq!(roles, [("@ann:x", "admin"), ("@moe:x", "moderator")]);
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert!(lines.count() < 20, "{text}");
        assert_eq!(written.answers.bot.as_deref(), Some("@synod:x"));
        assert_eq!(written.rooms.len(), 1);
        assert!(written.admin_token.unwrap().ends_with("admin \"token\""));

        let (config, text, written) = load(&server(None, true));
        assert!(matches!(config.bot.login, Login::AccessToken(_)));
        assert!(!text.contains("admin_url"), "{text}");
        assert!(written.password.is_none() && written.access_token.is_some());
    }

    #[test]
    fn only_what_differs_is_told() {
        let (_, _, written) = load(&server(None, false));
        let named = |user: &str, rank| Named { user: user.to_owned(), rank, master_key: None };
        let same = Answers {
            homeserver: Some("http://127.0.0.1:8008/".into()),
            bot: Some("synod".into()),
            operators: vec![named("moe", Rank::Moderator), named("@ann:x", Rank::Admin)],
            ..Answers::default()
        };
        let told = |said: &Answers| {
            let server = ruma::server_name!("x");
            let told = differences(Path::new("synod.yaml"), said, &written, server);
            told.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(told(&same).len(), 1, "{:?}", told(&same));
        assert_eq!(told(&Answers::default()).len(), 1, "what was not said differs from nothing");
        let other = Answers {
            bot: Some("other".into()),
            operators: vec![named("ann", Rank::Viewer)],
            ..same
        };
        let told = told(&other);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[1].contains("bot.user_id is @synod:x there, not @other:x"), "{told:?}");
        assert!(told[2].contains("not @ann:x (viewer)"), "{told:?}");
    }
}
