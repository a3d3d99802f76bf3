use std::{path::PathBuf, time::Duration};

use ruma::user_id;

use super::*;
use crate::config::{
    Backup, Bot, Commands, Encryption, Homeserver, Login, Operator, Policy, Questions, Rank,
    RateLimit, RecordKeeping, TrustSource,
};

/// A bot `@synod:x` with one operator `@ann:x`.
pub(crate) fn config(encryption: Encryption) -> Config {
    let url = url::Url::parse("https://x").unwrap();
    Config {
        read_only: true,
        homeserver: Homeserver {
            admin_url: url.clone(),
            url,
            media_admin_url: None,
            admin_token: "".into(),
            admin_token_expires: None,
            admin_token_file: None,
            authentication_service: None,
            rate_limit: RateLimit::Keep,
        },
        bot: Bot {
            user_id: user_id!("@synod:x").to_owned(),
            login: Login::Password("".into()),
            device_name: String::new(),
            display_name: String::new(),
            avatar: true,
            prefix: crate::input::Prefix::default(),
            describe_commands: false,
        },
        state: PathBuf::new(),
        recovery_key_file: PathBuf::new(),
        rooms: Vec::new(),
        encryption,
        trust: TrustSource::CrossSigned,
        operators: vec![Operator {
            user_id: user_id!("@ann:x").to_owned(),
            role: Rank::Admin.into(),
            person: "ann".to_owned(),
            master_key: None,
            totp: None,
            duty: Vec::new(),
        }],
        questions: Questions { expire_after: Duration::ZERO, approve_within: Duration::ZERO },
        roles: Vec::new(),
        policy: Policy::default(),
        record: RecordKeeping { file: None, rotation: None, room: None, details: Duration::ZERO },
        backup: Backup::default(),
        digest: None,
        reports: None,
        policy_lists: Vec::new(),
        wave: None,
        commands: Commands { max_age: Duration::ZERO, typed_secrets: false },
        shell: None,
        announce: crate::config::Announce::Off,
        monitoring: None,
        layout: crate::config::Layout::Cards,
        log: String::new(),
        log_format: crate::config::LogFormat::Auto,
    }
}

#[test]
fn a_finding_is_one_line_whatever_the_homeserver_says() {
    let finding = Finding::bad("it said \u{1b}[2J\n\u{202e}ok", "Look\r\nthere");
    assert_eq!(finding.to_string(), "BAD   it said  [2J  ok. Look  there.");
}
