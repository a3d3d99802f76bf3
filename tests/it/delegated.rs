//! Accounts that an authentication service keeps, and that the bot changes there: by its admin API, as
//! `tests/world/src/synapse/service` serves it in front of a real Synapse with delegated accounts.
//! That is not the Matrix Authentication Service itself, which no test runs.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};
use world::{Account, Config, Message, Options, PATIENCE, Scene, Service, Synapse};

use crate::{
    SYNOD,
    secrets::{direct_room, secret_told},
    support::{code, is, offered, says, told, with_yes},
};

/// A scene whose homeserver has handed its accounts over, with the bot told how to reach the service.
struct Delegated {
    scene: Scene,
    service: Service,
    eve: Account,
}

impl Delegated {
    async fn start() -> Result<Self> {
        let extra = "background_updates: { sleep_enabled: false }\n".to_owned();
        let synapse = Synapse::start(Options { extra, ..Options::default() }).await?;
        let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
        let eve = scene.subject("eve").await?;
        let service = synapse.delegate_to_service().await?;
        let delegated = Self { scene, service, eve };
        delegated.tell_bot().await?;
        Ok(delegated)
    }

    async fn tell_bot(&self) -> Result<()> {
        let bot = self.scene.bot()?;
        bot.terminate().await?;
        bot.configure(&self.service.known_to(self.scene.config()).to_string())?;
        bot.start_again().await
    }

    /// Eve as the service has her.
    async fn there(&self) -> Result<Value> {
        self.service.user(self.eve.user_id.localpart()).await
    }

    /// Whether the homeserver has this flag of eve.
    async fn here(&self, flag: &str) -> Result<bool> {
        is(&self.scene, &self.eve, flag).await
    }

    /// How often the service was asked for this.
    async fn asked(&self, ending: &str) -> Result<usize> {
        let requests = self.service.requests().await?;
        Ok(requests.iter().filter(|request| request.ends_with(ending)).count())
    }
}

/// Ann asks, says yes by the code and the phrase, and gets an answer.
async fn with_phrase(scene: &Scene, command: &str, phrase: &str) -> Result<Message> {
    let question = scene.ann_asks(command).await?;
    scene.ann_asks(&format!("!confirm {} {phrase}", code(&question)?)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_made_and_ended_at_the_service_which_tells_the_homeserver() -> Result<()> {
    let delegated = Delegated::start().await?;
    let Delegated { scene, service, eve } = &delegated;
    let (lock, unlock) =
        (format!("!user lock {}", eve.user_id), format!("!user unlock {}", eve.user_id));

    service.waits().await?;
    let locked = scene.ann_asks(&lock).await?;
    says(&locked, "Done", &["is locked", "within two minutes", "The homeserver has: not locked"]);
    assert!(delegated.there().await?["locked_at"].is_string());
    assert!(!delegated.here("locked").await?, "the service has not told it yet");
    service.goes_on().await?;
    assert!(delegated.here("locked").await?);
    says(&scene.ann_asks(&lock).await?, "Nothing changed", &["is already locked"]);
    assert_eq!(delegated.asked("/lock").await?, 1, "a step is sent once");
    assert_eq!(delegated.asked("/oauth2/token").await?, 1, "there is one token for all");

    // With another token where that has ended.
    service.forget_tokens().await?;
    let unlocked = scene.ann_asks(offered(&locked, "!undo")?).await?;
    says(&unlocked, "Done", &["is no longer locked"]);
    service.goes_on().await?;
    assert!(delegated.there().await?["locked_at"].is_null() && !delegated.here("locked").await?);
    assert_eq!(delegated.asked("/oauth2/token").await?, 2);
    says(&scene.ann_asks(&unlock).await?, "Nothing changed", &["is not locked"]);

    // A bridge's accounts are the homeserver's.
    let bridged = scene.bridged("eve").await?;
    let done = with_phrase(scene, &format!("!user lock {bridged}"), bridged.localpart()).await?;
    says(&done, "Done", &["is locked"]);
    assert_eq!(scene.synapse().admin().account(&bridged).await?["locked"], json!(true));

    let refused = scene.ann_asks(&format!("!user modify {} --lock", eve.user_id)).await?;
    says(&refused, "Failed", &["!user modify", "cannot do that", "Use !user lock"]);
    assert!(!delegated.here("locked").await?);

    let said = scene.bot()?.log().text();
    for secret in ["mat_", "the-secret-of-the-client"] {
        assert!(!said.contains(secret), "{secret} is in the log");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_refuses_is_told_with_what_to_set_and_nothing_is_done() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let service = synapse.delegate_to_service().await?;
    let lock = format!("!user lock {}", eve.user_id);
    let refused = scene.ann_asks(&lock).await?;
    says(&refused, "Failed", &["Do it there", "homeserver.authentication_service"]);

    let delegated = Delegated { scene, service, eve };
    delegated.tell_bot().await?;
    let Delegated { scene, service, .. } = &delegated;
    let key = "homeserver.authentication_service";
    let rows = [
        (json!({ "server_name": "elsewhere.test" }), "belongs to another homeserver", key),
        (
            json!({ "server_name": synapse.server_name(), "admin_clients": [] }),
            "does not let the bot administer it",
            "policy.data.admin_clients",
        ),
    ];
    for (settings, why, what) in rows {
        service.set(settings).await?;
        service.forget_tokens().await?;
        says(&scene.ann_asks(&lock).await?, "Failed", &[why, what]);
    }
    service.set(json!({ "admin_clients": ["01JD0PSYN0D0000000000000B0"] })).await?;
    for (status, word, parts) in [
        (401, "Failed", ["does not let the bot administer it", "policy.data.admin_clients"]),
        (403, "Refused", ["the authentication service refused", "the rules say no"]),
        (404, "Failed", ["does not serve its admin API", "adminapi"]),
        (429, "Failed", ["limits how often", "try again later"]),
    ] {
        let title = if status == 404 { Value::Null } else { json!("the rules say no") };
        service.set(json!({ "answers": { "/lock": [status, title] } })).await?;
        says(&scene.ann_asks(&lock).await?, word, &parts);
        assert!(delegated.there().await?["locked_at"].is_null(), "{status}");
    }
    service.set(json!({ "answers": { "/lock": [500, "it broke"] } })).await?;
    let unknown = scene.ann_asks(&lock).await?;
    says(&unknown, "Unknown", &["the outcome is unknown", "its log says why"]);
    // Nobody is touched of whom it cannot be seen whether they are a server admin.
    let eve = &delegated.eve.user_id;
    let by_name = format!("by-username/{}", eve.localpart());
    service.set(json!({ "answers": { (by_name): [500, "it broke"] } })).await?;
    let refused = scene.ann_asks(&format!("!user suspend {eve}")).await?;
    says(&refused, "Failed", &["the authentication service failed"]);
    assert!(!delegated.here("suspended").await?);
    let shown = scene.ann_asks(&format!("!user details {eve} --all")).await?;
    says(&shown, "", &["Authentication service: the authentication service failed"]);
    service.set(json!({ "answers": {} })).await?;
    says(&scene.ann_asks(&format!("!user suspend {eve}")).await?, "Done", &[]);
    says(&scene.ann_asks(&format!("!user unsuspend {eve}")).await?, "Done", &[]);
    says(&scene.ann_asks(&lock).await?, "Done", &["is locked"]);
    delegated.there().await?["locked_at"].as_str().context("it is locked there")?;
    Ok(())
}

/// Whether a homeserver has made all indexes of its database, which it does beside its work.
async fn has_indexes(synapse: &Synapse) -> Result<bool> {
    let script = "import sqlite3, sys\nfile = f'file:{sys.argv[1]}?mode=ro'\n\
                  left = 'select count(*) from background_updates'\n\
                  print(sqlite3.connect(file, uri=True).execute(left).fetchone()[0])";
    let database = synapse.dir().join("homeserver.db");
    let output = Command::new("python3").args(["-c", script]).arg(database).output().await?;
    Ok(output.stdout.trim_ascii() == b"0")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_ended_and_opened_again_at_the_service() -> Result<()> {
    let delegated = Delegated::start().await?;
    let Delegated { scene, service, eve } = &delegated;
    let id = delegated.there().await?["id"].as_str().context("an id")?.to_owned();

    let admin = format!("!user admin grant {}", eve.user_id);
    says(&with_yes(scene, &admin).await?, "Done", &["is a server admin", "log in next"]);
    assert_eq!(delegated.there().await?["admin"], json!(true));
    assert!(!delegated.here("admin").await?, "the homeserver has no part in it");
    let looked = scene.ann_asks(&format!("!user admin {}", eve.user_id)).await?;
    says(&looked, "", &["is a server admin", "The homeserver has: not a server admin"]);
    let looked = scene.ann_asks(&format!("!user details {} --all", eve.user_id)).await?;
    says(&looked, "", &["The homeserver has: not a server admin"]);
    // She is protected as whoever is a server admin.
    let revoke = format!("!user admin revoke {}", eve.user_id);
    let revoked = with_phrase(scene, &revoke, eve.user_id.localpart()).await?;
    says(&revoked, "Done", &["is an ordinary account now"]);
    assert_eq!(delegated.there().await?["admin"], json!(false));

    // A new password is told to whoever asks, and to nobody else.
    says(&scene.ann_asks("!me dm").await?, "Your direct room is not ready", &[]);
    let direct = direct_room(scene.ann()).await?;
    scene.ann().sees_joined(&direct, scene.bot_id()).await?;
    let mark = scene.ann().mark();
    // More sessions than there are on one page of the service.
    let of = json!({ "user_id": id, "created_at": "2026-11-01T10:00:00Z" });
    for _ in 0..105 {
        service.make("user-session", of.clone()).await?;
    }
    let password = format!("!user password {}", eve.user_id);
    let question = scene.ann_asks(&password).await?;
    says(&question, "", &["105 browser, logged out"]);
    let changed = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&changed, "Done", &["has a new password", "105 before, 0 now"]);
    let password_told = secret_told(scene, &direct, mark).await?;
    assert_eq!(service.password(eve.user_id.localpart()).await?, json!(password_told));
    let sessions = service.objects("user-session").await?;
    assert!(sessions.as_object().unwrap().values().all(|one| one["finished_at"].is_string()));
    service.set(json!({ "passwords": false })).await?;
    says(&with_yes(scene, &password).await?, "Refused", &["has no passwords"]);

    // It is never erased unless that was asked for.
    let end = format!("!user deactivate {}", eve.user_id);
    service.waits().await?;
    let ended = with_yes(scene, &end).await?;
    says(&ended, "Done", &["is deactivated at the authentication service"]);
    assert!(delegated.there().await?["deactivated_at"].is_string());
    assert!(!delegated.here("deactivated").await?, "the service has not told it yet");
    service.goes_on().await?;
    told(scene, "and is in no room").await?;
    assert!(delegated.here("deactivated").await? && !delegated.here("erased").await?);

    // Without one of them Synapse cannot open an account again, and answers 500.
    world::until("the homeserver's new database has its indexes", async || {
        has_indexes(scene.synapse()).await
    })
    .await?;
    let back = with_yes(scene, &format!("!user reactivate {}", eve.user_id)).await?;
    says(&back, "Done", &["reactivated", "It has its former password"]);
    assert!(delegated.there().await?["deactivated_at"].is_null());
    assert!(!delegated.here("deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_over_when_the_homeserver_has_erased_it() -> Result<()> {
    let delegated = Delegated::start().await?;
    let Delegated { scene, service, eve } = &delegated;
    let id = delegated.there().await?["id"].as_str().context("an id")?.to_owned();
    let app = json!({
        "user_id": id, "created_at": "2026-11-01T10:00:00Z", "client_id": "01JD0PSYN0D0000000000000C0",
        "scope": "urn:matrix:client:api:* urn:matrix:client:device:ABCDEFGHIJ",
    });
    service.make("oauth2-session", app).await?;
    let out = with_yes(scene, &format!("!user logout {}", eve.user_id)).await?;
    says(&out, "Done", &["is logged out", "1 app (OAuth 2)"]);
    let apps = service.objects("oauth2-session").await?;
    assert!(apps.as_object().unwrap().values().all(|one| one["finished_at"].is_string()));
    let again = scene.ann_asks(&format!("!user logout {}", eve.user_id)).await?;
    says(&again, "Nothing changed", &["is not logged in anywhere"]);

    let erase = format!("!user deactivate {} --gdpr-erase", eve.user_id);
    let ended = with_phrase(scene, &erase, eve.user_id.localpart()).await?;
    says(&ended, "Done", &["is deactivated"]);
    told(scene, "and is in no room").await?;
    assert!(delegated.here("deactivated").await? && delegated.here("erased").await?);

    // What the service does not know is the homeserver's.
    let bridged = scene.bridged("max").await?;
    let end = format!("!user deactivate {bridged}");
    let ended = with_phrase(scene, &end, bridged.localpart()).await?;
    says(&ended, "Done", &["is deactivated"]);
    assert_eq!(scene.synapse().admin().account(&bridged).await?["deactivated"], json!(true));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_new_accounts_are_made_at_the_service() -> Result<()> {
    let delegated = Delegated::start().await?;
    let Delegated { scene, service, eve } = &delegated;
    let token = async |name: &str| -> Result<Value> {
        let all = service.objects("user-registration_token").await?;
        let found = all.as_object().and_then(|all| all.values().find(|one| one["token"] == name));
        Ok(found.cloned().unwrap_or_default())
    };
    let made = scene.ann_asks("!regtok new --token welcome --uses-allowed 2").await?;
    says(&made, "Done", &["welcome", "can be used to register now"]);
    assert_eq!(token("welcome").await?["usage_limit"], json!(2));
    let twice = scene.ann_asks("!regtok new --token welcome").await?;
    says(&twice, "Refused", &["there is a token welcome already"]);
    says(&scene.ann_asks("!regtok details welcome").await?, "welcome", &["0 of 2", "valid"]);
    let until = "!regtok update welcome --uses-allowed 5 --expire-at 2100-01-01";
    says(&scene.ann_asks(until).await?, "Done", &[]);
    let there = token("welcome").await?;
    let limits = (&there["usage_limit"], &there["expires_at"]);
    assert_eq!(limits, (&json!(5), &json!("2100-01-01T00:00:00Z")));
    let gone = with_yes(scene, "!regtok delete welcome").await?;
    says(&gone, "Done", &["welcome", "is revoked"]);
    assert!(token("welcome").await?["revoked_at"].is_string());
    says(&scene.ann_asks("!regtok list").await?, "", &["welcome", "revoked"]);
    // The name is taken there for good, so the way back makes it usable again.
    let back = scene.ann_asks(offered(&gone, "!undo")?).await?;
    says(&back, "Done", &["can be used to register now"]);
    let there = token("welcome").await?;
    assert!(there["revoked_at"].is_null() && there["usage_limit"] == 5, "{there}");
    says(&scene.ann_asks("!regtok new --length 5").await?, "Refused", &["leave out --length"]);
    says(&scene.ann_asks("!regtok new").await?, "Done", &["can be used to register now"]);
    assert_eq!(service.objects("user-registration_token").await?.as_object().unwrap().len(), 2);

    says(&scene.ann_asks("!me dm").await?, "Your direct room is not ready", &[]);
    let direct = direct_room(scene.ann()).await?;
    scene.ann().sees_joined(&direct, scene.bot_id()).await?;
    let mark = scene.ann().mark();
    let name = format!("new-{}", eve.user_id.localpart());
    let ask = format!("!user register {name} --admin --display-name \"New One\"");
    says(&with_yes(scene, &ask).await?, "Done", &["is created", "New One"]);
    let there = service.user(&name).await?;
    assert_eq!(there["admin"], json!(true));
    assert_eq!(service.password(&name).await?, json!(secret_told(scene, &direct, mark).await?));
    let user = eve.user_id.as_str().replacen('@', "@new-", 1);
    let here = scene.synapse().admin().account(user.as_str().try_into()?).await?;
    assert_eq!((&here["displayname"], &here["deactivated"]), (&json!("New One"), &json!(false)));
    let again = scene.ann_asks(&format!("!user register {name}")).await?;
    says(&again, "Refused", &["already exists"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_acts_as_an_account_is_a_personal_session() -> Result<()> {
    let delegated = Delegated::start().await?;
    let Delegated { scene, service, eve } = &delegated;
    says(&scene.ann_asks("!me dm").await?, "Your direct room is not ready", &[]);
    let direct = direct_room(scene.ann()).await?;
    scene.ann().sees_joined(&direct, scene.bot_id()).await?;
    let mark = scene.ann().mark();
    let made = with_yes(scene, &format!("!user login {}", eve.user_id)).await?;
    says(&made, "Done", &["a token that acts as it was made"]);
    let token = secret_told(scene, &direct, mark).await?;
    let (status, who) =
        scene.synapse().api(&token).get("/_matrix/client/v3/account/whoami").await?;
    assert_eq!((status, &who["user_id"]), (200, &json!(eve.user_id)));
    let all = service.objects("personal-session").await?;
    let session = all.as_object().unwrap().values().next().context("a session")?;
    assert_eq!(session["scope"], json!("urn:matrix:client:api:*"), "and no admin's");
    assert!(session["expires_at"].is_string());
    let shown = scene.ann_asks(&format!("!user details {}", eve.user_id)).await?;
    says(&shown, "", &["Sessions: 1 personal token"]);
    let out = with_yes(scene, &format!("!user logout {}", eve.user_id)).await?;
    says(&out, "Done", &["is logged out", "1 personal token"]);
    let all = service.objects("personal-session").await?;
    assert!(all.as_object().unwrap().values().all(|one| one["revoked_at"].is_string()));
    Ok(())
}

/// What `synod check` says of the service with this configuration.
async fn checked(scene: &Scene, config: &Config) -> Result<String> {
    let file = scene.dir().join("check.yaml");
    std::fs::write(&file, config.to_string())?;
    let mut check = Command::new(SYNOD);
    check.args(["check", "--config"]).arg(file).current_dir(scene.dir());
    let output = timeout(PATIENCE, check.output()).await??;
    let told = String::from_utf8(output.stdout)?;
    assert!(!told.contains("the-secret-of-the-client"), "{told}");
    // Nobody can log in by a password there, as the bot of this configuration would.
    let of_service =
        |line: &&str| line.contains("authentication service") && !line.contains("cannot log in");
    Ok(told.lines().filter(of_service).collect::<Vec<_>>().join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_says_whether_the_service_lets_the_bot_in() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    let service = synapse.delegate_to_service().await?;
    let (without, with) = (scene.config(), service.known_to(scene.config()));
    let says = async |config: &Config, start: &str, what: &str| -> Result<()> {
        let told = checked(&scene, config).await?;
        assert!(told.starts_with(start) && told.contains(what), "{start} {what}: {told}");
        Ok(())
    };
    says(&without, "warn", "set homeserver.authentication_service").await?;
    says(&with, "ok", "lets synod do that too").await?;
    service.set(json!({ "server_name": "elsewhere.test" })).await?;
    says(&with, "BAD", "of another homeserver").await?;
    service.set(json!({ "admin_clients": [] })).await?;
    says(&with, "BAD", "policy.data.admin_clients").await?;
    let other = scene.dir().join("other-secret");
    std::fs::write(&other, "none of its secrets")?;
    std::fs::set_permissions(&other, Permissions::from_mode(0o600))?;
    let key = "homeserver.authentication_service.client_secret";
    says(&with.secret_file(key, &other), "BAD", "client_secret_basic").await
}
