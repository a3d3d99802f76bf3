//! Operators whose accounts are on another server: two real homeservers, with TLS between them.

use std::{fs, process::Stdio};

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::process::Command;
use world::{Config, Person, Scene, Synapse};

use crate::{
    SYNOD,
    support::{code, devices, digits, is, says, suspend, told, with_device},
};

/// Somebody of the other server, who is in the admin room.
async fn arrives(scene: &Scene, there: &Synapse, name: &str) -> Result<Person> {
    let account = there.register(name, "a password", false, name).await?;
    let person = Person::login(there, name, &account.password).await?;
    scene.ann().invite(scene.room(), person.user_id()).await?;
    person.join(scene.room()).await?;
    scene.ann().sees_joined(scene.room(), person.user_id()).await?;
    Ok(person)
}

/// Adds an operator who is known by this key.
fn known_by(config: Config, who: &Person, role: &str, key: &str) -> Config {
    config.operator(who.user_id(), role).operator_key(who.user_id(), "master_key", key)
}

/// What the binary says of a configuration on both of its outputs, and its exit code.
async fn said_of(scene: &Scene, command: &str, config: &Config) -> Result<(String, Option<i32>)> {
    let file = scene.dir().join("other.yaml");
    fs::write(&file, config.to_string())?;
    let mut synod = Command::new(SYNOD);
    synod.args([command, "--config"]).arg(file).current_dir(scene.dir());
    let output = synod.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let said = [output.stdout, output.stderr].concat();
    Ok((String::from_utf8(said)?, output.status.code()))
}

/// Waits until the homeserver of the bot shows the master key that somebody of the other server has.
async fn is_known_here(scene: &Scene, person: &Person) -> Result<()> {
    let (key, user) = (person.master_key().await?, person.user_id().as_str());
    let shown = async || {
        let query = json!({ "device_keys": { user: [] } });
        let (_, answer) = scene.ann().api().post("/_matrix/client/v3/keys/query", query).await?;
        Ok(answer["master_keys"][user].to_string().contains(&key))
    };
    world::until("the new key is known here", shown).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_of_another_server_acts_and_says_yes_by_the_key_in_the_config_alone() -> Result<()> {
    let (here, there) = Synapse::neighbours().await?;
    let scene = Scene::plan().on(&here).set().await?;
    let (zoe, max) = (arrives(&scene, &there, "zoe").await?, arrives(&scene, &there, "max").await?);
    let (ann, key) = (scene.ann(), zoe.master_key().await?);
    let others = json!([{ "class": "irreversible", "others": 1 }]);
    let config = scene.config().set("questions.rules", others);

    // Without the key nothing starts, and the check shows which it is.
    let without = config.clone().operator(zoe.user_id(), "admin");
    let (fault, exit) = said_of(&scene, "run", &without).await?;
    assert!(exit == Some(2) && fault.contains("needs a master key here"), "{exit:?} {fault}");
    assert!(fault.contains("`synod check` shows"), "{fault}");
    let (checked, exit) = said_of(&scene, "check", &without).await?;
    let shown = format!("{} has the master key {key}, and their entry", zoe.user_id());
    assert!(exit == Some(1) && checked.contains(&shown), "{exit:?} {checked}");

    // Of max it names another's, as it would be where his server showed a false one.
    let named = |key: &str| known_by(config.clone(), &zoe, "admin", key);
    let his = ann.master_key().await?;
    scene.start_bot(SYNOD, &known_by(named(&key), &max, "moderator", &his)).await?;
    for person in [&zoe, &max] {
        person.sees_joined(scene.room(), scene.bot_id()).await?;
    }
    let eve = scene.subject("eve").await?;
    let refused = scene.ask(&max, &suspend(&eve)).await?;
    says(&refused, "Refused", &["not the one that I know", "If the config names your key"]);
    assert!(!is(&scene, &eve, "suspended").await?);

    says(&scene.ask(&zoe, "!me").await?, "", &["Role: admin"]);
    says(&scene.ask(&zoe, &suspend(&eve)).await?, "Done", &[eve.user_id.as_str()]);
    assert!(is(&scene, &eve, "suspended").await?);
    // Her yes counts to her own question, and as the second person to that of somebody here.
    let (sam, device) = with_device(&scene, "sam").await?;
    let question = scene.ask(&zoe, &format!("!user logout {}", sam.user_id)).await?;
    assert_eq!(devices(&scene, &sam).await?, [device]);
    let confirm = format!("!confirm {}", code(&question)?);
    says(&scene.ask(&zoe, &confirm).await?, "Done", &[sam.user_id.as_str()]);
    assert!(devices(&scene, &sam).await?.is_empty());
    let question = scene.ann_asks(&format!("!user deactivate {}", sam.user_id)).await?;
    assert!(question.mentions.contains(zoe.user_id()), "{:?}", question.mentions);
    let number = digits(&question.body, "!approve")?;
    let approve = format!("!approve {number} {}", sam.user_id.localpart());
    says(&scene.ask(&zoe, &approve).await?, "Done", &[sam.user_id.as_str()]);
    assert!(is(&scene, &sam, "deactivated").await?);

    // Another key is not hers, until the config says so.
    zoe.reset_identity().await?;
    is_known_here(&scene, &zoe).await?;
    let unsuspend = format!("!user unsuspend {}", eve.user_id);
    let refused = scene.ask(&zoe, &unsuspend).await?;
    says(&refused, "Refused", &["not the one that I know", "If the config names your key"]);
    let key = zoe.master_key().await?;
    let news = told(&scene, &key).await?;
    says(&news, "Refused", &["My config names the old one", "master_key"]);
    assert!(news.mentions.contains(ann.user_id()), "{:?}", news.mentions);
    let tail = key.get(key.len() - 6..).context("a key has six characters")?;
    let accept = format!("!trust accept {} {tail}", zoe.user_id());
    says(&scene.ann_asks(&accept).await?, "Refused", &["it can be changed only there"]);
    assert!(is(&scene, &eve, "suspended").await?);

    scene.bot()?.configure(&named(&key).to_string())?;
    scene.bot()?.hang_up(" ready").await?;
    told(&scene, "From the machine").await?;
    says(&scene.ask(&zoe, &unsuspend).await?, "Done", &[eve.user_id.as_str()]);
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}
