//! Secrets: from where they come, and that none shows.

use super::*;

#[test]
fn secrets_come_without_their_line_break_and_never_show() {
    use secrecy::ExposeSecret as _;
    let folder = Folder::new();
    for ending in ["", "\n", "\r\n"] {
        folder.file("secret", &format!("{CANARY}{ending}"), 0o600);
        let config = folder.load(SOUND).unwrap();
        assert_eq!(config.homeserver.admin_token.expose_secret(), CANARY);
        let file = config.homeserver.admin_token_file.as_deref();
        assert!(file.is_some_and(|file| file.ends_with("secret")));
        let Login::Password(password) = &config.bot.login else { panic!("no password") };
        assert_eq!(password.expose_secret(), CANARY);
        assert!(!format!("{config:?} {config:#?}").contains("Canary"));
    }
}

#[test]
fn secrets() {
    const TOKEN: &str = "{ file: secret }";
    const PLACE: &str = "line 4, homeserver.admin_token";
    each_is_the_only_fault(&[
        (TOKEN, CANARY, PLACE, "{ env: NAME }"),
        (TOKEN, "\"syt_Canary\"", PLACE, "{ file: /path/to/it }"),
        (TOKEN, "{}", PLACE, "Write `{ file: PATH }`"),
        (TOKEN, "{ credential: admin-token }", PLACE, "Start it with its systemd unit"),
        (TOKEN, "{ credential: ../secret }", PLACE, "not a path"),
        (TOKEN, "{ credential: .. }", PLACE, "not a path"),
        (TOKEN, "{ credential: a, env: TOKEN }", PLACE, "Keep one"),
        (TOKEN, "{ file: secret, env: TOKEN }", PLACE, "Keep one"),
        (TOKEN, "{ file: syt_Canary }", "line 4, homeserver.admin_token.file: ", "Create it"),
        (TOKEN, "{ file: open }", PLACE, "chmod 0600"),
        (TOKEN, "{ file: group }", PLACE, "chmod 0600"),
        (TOKEN, "{ file: blank }", PLACE, "Put the secret into it"),
        (TOKEN, "{ file: lines }", PLACE, "Keep only the secret"),
        (TOKEN, "{ file: mine }", PLACE, "Name the file"),
        (TOKEN, "{ file: ~/secret }", PLACE, "Write the full path"),
        (TOKEN, "{ env: syt_Canary }", "line 4, homeserver.admin_token.env: ", "not the secret"),
        (TOKEN, "{ env: EMPTY }", PLACE, "Put the secret into it"),
        (TOKEN, "{ env: \"A=B\" }", PLACE, "write its name here"),
        ("  password: { env: TOKEN }\n", "", "line 5, bot: ", "Write `password:"),
        (
            "  password: { env: TOKEN }\n",
            "  password: { env: TOKEN }\n  access_token: { env: TOKEN }\n",
            "line 5, bot: ",
            "Keep one",
        ),
    ]);
}

#[test]
fn a_key_that_may_be_a_secret_is_not_named() {
    for keys in ["{ syt_Canary }", "{ canary: 1, file: secret }"] {
        let faults = Folder::new().faults(&SOUND.replace("{ file: secret }", keys));
        assert!(faults.iter().all(|fault| !fault.contains("canary")), "{faults:#?}");
        assert!(
            faults.iter().any(|fault| fault.contains("write one of: file, env, credential")),
            "{faults:#?}"
        );
    }
}

#[test]
fn a_credential_of_systemd_may_show_the_mask_of_its_access_list() {
    let folder = Folder::new();
    let yaml = SOUND.replace("file: secret", "file: group");
    let load = |credentials: &str| folder.load_with_credentials(&yaml, Some(credentials));
    load("").unwrap();
    load("mine").unwrap_err();
    folder.file("group", CANARY, 0o644);
    load("").unwrap_err();
}

#[test]
fn a_credential_is_found_by_its_name() {
    use secrecy::ExposeSecret as _;

    let folder = Folder::new();
    let load = |name: &str, credentials: &str| {
        let source = format!("credential: {name}");
        let yaml = SOUND.replace("file: secret", &source);
        folder.load_with_credentials(&yaml, Some(credentials))
    };
    for name in ["secret", "group"] {
        let homeserver = load(name, "").unwrap().homeserver;
        assert_eq!(homeserver.admin_token.expose_secret(), CANARY, "{name}");
        assert_eq!(homeserver.admin_token_file, None, "its age says nothing");
    }
    let missing = load("secret", "mine").unwrap_err().to_string();
    assert!(missing.contains("admin_token.credential: no credential with this name"), "{missing}");
    let open = load("open", "").unwrap_err().to_string();
    assert!(open.contains("every user of this machine"), "{open}");
}
