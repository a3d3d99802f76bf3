//! What takes more than its asker: who may say yes to it, how, and who may stop it.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use totp_rs::{Algorithm, TOTP};
use world::{Account, Config, Message, Person, Scene};

use crate::{
    SYNOD,
    support::{api, digits, is, make, not_too_early, offered, says},
};

/// The seed that the tests give to everybody, base32.
pub(crate) const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// A rule that demands so many others for what cannot be undone.
fn others(number: u64) -> Value {
    json!([{ "class": "irreversible", "others": number }])
}

async fn start(rules: Value, more: impl FnOnce(Config) -> Config) -> Result<Scene> {
    let change = |config: Config| more(config.set("questions.rules", rules));
    Scene::plan().start_with(SYNOD, change).await
}

/// Ann asks for the end of an account, which others are to approve.
async fn asks_for_the_end(scene: &Scene, of: &Account) -> Result<(Message, String)> {
    let question =
        scene.ann_asks(&format!("!user deactivate {} --reason spam", of.user_id)).await?;
    let code = digits(&question.body, "!approve")?;
    Ok((question, code))
}

async fn approves(scene: &Scene, who: &Person, code: &str, of: &Account) -> Result<Message> {
    scene.ask(who, &format!("!approve {code} {}", of.user_id.localpart())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_person_approves_by_code_and_phrase_and_nothing_else_counts() -> Result<()> {
    let scene = start(others(1), |config| config).await?;
    let eve = scene.subject("eve").await?;
    let (ann, moe, vic) = (scene.ann(), scene.moe().await?, scene.vic().await?);
    let (question, code) = asks_for_the_end(&scene, &eve).await?;
    let (id, phrase) = (eve.user_id.as_str(), eve.user_id.localpart());
    says(&question, "", &[id, ann.user_id().as_str(), "Reason: \u{201c}spam\u{201d}", "!deny"]);
    assert!(question.mentions.contains(moe.user_id()), "{:?}", question.mentions);
    assert!(!question.mentions.contains(vic.user_id()), "a viewer could not do it");

    for (who, typed) in [
        (ann, format!("!confirm {code} {phrase}")),
        (ann, format!("!approve {code} {phrase}")),
        (vic, format!("!approve {code} {phrase}")),
        (moe, format!("!confirm {code} {phrase}")),
        (moe, format!("!approve {code}")),
        (moe, format!("!approve {code} {id}")),
    ] {
        says(&scene.ask(who, &typed).await?, "Refused", &[&code]);
    }
    let reaction = moe.react(scene.room(), &question.event_id, "✅").await?;
    says(&scene.answer(moe, &reaction).await?, "Refused", &["!approve"]);
    let bare = moe.say(scene.room(), "yes").await?;
    scene.unanswered(&bare).await?;
    assert!(!is(&scene, &eve, "deactivated").await?);

    let done = approves(&scene, moe, &code, &eve).await?;
    says(&done, "Done", &[id]);
    assert!(done.mentions.contains(ann.user_id()), "who asked is told: {:?}", done.mentions);
    assert!(is(&scene, &eve, "deactivated").await?);
    says(&approves(&scene, moe, &code, &eve).await?, "Nothing changed", &["already closed"]);
    let number = done.body.split_once("On record as #").context("no number")?.1;
    let shown = scene.ann_asks(&format!("!audit show {}", number.trim())).await?;
    let by = |label: &str, who: &Person| format!("{label}: {}", who.user_id());
    says(&shown, "", &[&by("By", ann), &by("Approved by", moe), "spam"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_approve_may_deny_also_by_a_reaction() -> Result<()> {
    let scene = start(others(1), |config| config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let moe = scene.moe().await?;
    let (question, number) = asks_for_the_end(&scene, &eve).await?;
    says(&scene.ask(scene.vic().await?, &format!("!deny {number}")).await?, "Refused", &[]);
    let denied = scene.ask(moe, &format!("!deny {number} ask her first")).await?;
    says(&denied, "Nothing changed", &["denied", "ask her first"]);
    assert!(denied.mentions.contains(scene.ann().user_id()), "{:?}", denied.mentions);
    let edit = scene.ann().edit_of(&question.event_id, |_| true).await?;
    assert!(edit.body.contains("Denied"), "{}", edit.body);
    says(
        &approves(&scene, moe, &number, &eve).await?,
        "Nothing changed",
        &["already closed", "Denied"],
    );

    let (question, number) = asks_for_the_end(&scene, &sam).await?;
    let reaction = moe.react(scene.room(), &question.event_id, "❌").await?;
    says(&scene.answer(moe, &reaction).await?, "Nothing changed", &[&number, "denied"]);
    assert!(!is(&scene, &eve, "deactivated").await? && !is(&scene, &sam, "deactivated").await?);
    let record = scene.ann_asks("!audit list --limit 20").await?;
    says(&record, "", &["denied", "ask her first"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_survive_a_kill_and_not_their_giver_s_removal() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [moe, vic, _] = scene.accounts();
    let config = scene.config().set("questions.rules", others(2)).operator_key(
        &vic.user_id,
        "role",
        "moderator",
    );
    let bot = scene.start_bot(SYNOD, &config).await?;
    let (eve, moe_id) = (scene.subject("eve").await?, moe.user_id.clone());
    let (moe, vic) = (scene.moe().await?, scene.vic().await?);

    let (_, number) = asks_for_the_end(&scene, &eve).await?;
    let first = approves(&scene, moe, &number, &eve).await?;
    says(&first, "Nothing changed", &["1 of the 2"]);
    assert!(first.mentions.contains(vic.user_id()), "{:?}", first.mentions);
    says(&approves(&scene, moe, &number, &eve).await?, "Nothing changed", &["already"]);
    bot.kill().await?;
    bot.configure(&config.clone().without_operator(&moe_id).to_string())?;
    bot.start_again().await?;
    // Of the two one is no longer an operator, and nobody is left to make up for it.
    let second = approves(&scene, vic, &number, &eve).await?;
    says(&second, "Refused", &["2 other operators", "there is only 1"]);
    assert!(!is(&scene, &eve, "deactivated").await?);

    bot.kill().await?;
    bot.configure(&config.to_string())?;
    bot.start_again().await?;
    let (_, number) = asks_for_the_end(&scene, &eve).await?;
    says(&approves(&scene, moe, &number, &eve).await?, "Nothing changed", &["1 of the 2"]);
    bot.kill().await?;
    bot.start_again().await?;
    says(&approves(&scene, vic, &number, &eve).await?, "Done", &[eve.user_id.as_str()]);
    assert!(is(&scene, &eve, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_asks_for_who_is_removed_is_not_done() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [moe, ..] = scene.accounts();
    let bea = scene.subject("bea").await?;
    let config = scene
        .config()
        .set("questions.rules", others(1))
        .operator(&bea.user_id, "admin")
        .operator_key(&moe.user_id, "role", "admin");
    let bot = scene.start_bot(SYNOD, &config).await?;
    let eve = scene.subject("eve").await?;
    let moe = scene.moe().await?;
    let (_, number) = asks_for_the_end(&scene, &eve).await?;
    bot.kill().await?;
    bot.configure(&config.without_operator(scene.ann().user_id()).to_string())?;
    bot.start_again().await?;
    let refused = approves(&scene, moe, &number, &eve).await?;
    says(&refused, "Refused", &[scene.ann().user_id().as_str(), "no longer an operator"]);
    assert!(!is(&scene, &eve, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_alone_waits_in_sight_of_all_where_the_config_lets_them() -> Result<()> {
    let lone = |config: Config| config.set("questions.alone", true);
    let scene = start(others(3), |config| lone(config).set("questions.alone_after", "4s")).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let ask = |of: &Account, more: &str| format!("!user deactivate {}{more}", of.user_id);
    let few = scene.ann_asks(&ask(&eve, "")).await?;
    says(&few, "Refused", &["3 other operators", "there is only 1", "--alone"]);

    let question = scene.ann_asks(&ask(&eve, " --alone \"nobody wakes up\"")).await?;
    says(&question, "", &["alone", "nobody wakes up", "!deny", "!confirm"]);
    for other in scene.accounts().into_iter().take(2) {
        assert!(question.mentions.contains(&other.user_id), "{:?}", question.mentions);
    }
    let yes =
        format!("!confirm {} {}", digits(&question.body, "!confirm")?, eve.user_id.localpart());
    says(&scene.ann_asks(&yes).await?, "Refused", &["can be confirmed from"]);
    assert!(!is(&scene, &eve, "deactivated").await?);
    let (_, done) = not_too_early(&scene, &yes).await?;
    says(&done, "Done", &[eve.user_id.as_str()]);
    assert!(is(&scene, &eve, "deactivated").await?);
    says(&scene.ann_asks("!audit").await?, "", &["ALONE: \u{201c}nobody wakes up\u{201d}"]);

    let question = scene.ann_asks(&ask(&sam, " --alone \"nobody wakes up\"")).await?;
    let number = digits(&question.body, "!deny")?;
    let denied = scene.ask(scene.vic().await?, &format!("!deny {number}")).await?;
    says(&denied, "Nothing changed", &["denied"]);
    let late = format!("!confirm {number} {}", sam.user_id.localpart());
    says(&scene.ann_asks(&late).await?, "Nothing changed", &["Denied"]);
    assert!(!is(&scene, &sam, "deactivated").await?);
    Ok(())
}

/// The one-time password of now by [`SEED`].
pub(crate) fn totp_now() -> Result<String> {
    let totp = TOTP::new(Algorithm::SHA1, 6, 1, 30, b"12345678901234567890".to_vec())?;
    Ok(totp.generate(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs()))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_time_passwords_count_once_and_guessing_ends() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let seed = scene.dir().join("seed");
    world::write_secret(&seed, SEED)?;
    let mut config = scene
        .config()
        .set("questions.rules", json!([{ "verbs": ["user deactivate"], "totp": true }]));
    let [moe, ..] = scene.accounts();
    for user in [scene.ann().user_id(), &moe.user_id] {
        config = config.operator_secret(user, "totp", &seed);
    }
    scene.start_bot(SYNOD, &config).await?;
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map(|now| now.as_secs());
    let totp = TOTP::new(Algorithm::SHA1, 6, 1, 30, b"12345678901234567890".to_vec())?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);

    let ask = |of: &Account| format!("!user deactivate {}", of.user_id);
    let question = scene.ann_asks(&ask(&eve)).await?;
    says(&question, "", &["one-time password"]);
    let number = digits(&question.body, "!confirm")?;
    let confirm = |typed: &str| format!("!confirm {number} {typed}");
    says(&scene.ann_asks(&confirm("")).await?, "Refused", &["your one-time password"]);
    let wrong =
        |one: &str| if totp.check(one, now().unwrap_or_default()) { "000001" } else { "000000" };
    says(&scene.ann_asks(&confirm(wrong("000000"))).await?, "Refused", &["After 4 more"]);
    assert!(!is(&scene, &eve, "deactivated").await?);
    let right = totp.generate(now()?);
    says(&scene.ann_asks(&confirm(&right)).await?, "Done", &[eve.user_id.as_str()]);
    assert!(is(&scene, &eve, "deactivated").await?);

    let question = scene.ann_asks(&ask(&sam)).await?;
    let confirm = format!("!confirm {} ", digits(&question.body, "!confirm")?);
    says(&scene.ann_asks(&format!("{confirm}{right}")).await?, "Refused", &["has been used"]);
    for _ in 0..5 {
        says(&scene.ann_asks(&format!("{confirm}{}", wrong("000000"))).await?, "Refused", &[]);
    }
    says(&scene.ann_asks("!me").await?, "Refused", &["too many wrong one-time passwords"]);
    assert!(!is(&scene, &sam, "deactivated").await?);
    let record = scene.ask(scene.moe().await?, "!audit").await?;
    says(&record, "", &["too many wrong one-time passwords"]);
    assert!(!record.body.contains(&right), "{}", record.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_takes_the_one_time_password_of_whoever_gives_it() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let seed = scene.dir().join("seed");
    world::write_secret(&seed, SEED)?;
    let rules = json!([{ "verbs": ["user deactivate"], "others": 1, "totp": true }]);
    let [moe, ..] = scene.accounts();
    let config = [scene.ann().user_id(), &moe.user_id]
        .iter()
        .fold(scene.config().set("questions.rules", rules), |config, user| {
            config.operator_secret(user, "totp", &seed)
        });
    scene.start_bot(SYNOD, &config).await?;
    let eve = scene.subject("eve").await?;
    let (moe, phrase) = (scene.moe().await?, eve.user_id.localpart());
    let (_, number) = asks_for_the_end(&scene, &eve).await?;
    says(&approves(&scene, moe, &number, &eve).await?, "Refused", &["one-time password"]);
    assert!(!is(&scene, &eve, "deactivated").await?);
    let right = totp_now()?;
    let approved = scene.ask(moe, &format!("!approve {number} {phrase} {right}")).await?;
    says(&approved, "Done", &[eve.user_id.as_str()]);
    assert!(is(&scene, &eve, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_a_bridge_is_known_by_the_servers_mark_and_protected() -> Result<()> {
    let scene = Scene::plan()
        .start_with(SYNOD, |config| config.set("protected.bridged", "refused"))
        .await?;
    let bridged = scene.bridged("irc").await?;
    let told = scene.ann_asks(&format!("!user details {bridged}")).await?;
    says(&told, "", &["Bridged by"]);
    for verb in ["suspend", "deactivate"] {
        let refused = scene.ann_asks(&format!("!user {verb} {bridged}")).await?;
        says(&refused, "Refused", &["a bridged account", "forbids changing that through me"]);
    }
    let account = scene.synapse().admin().account(&bridged).await?;
    assert!(account["suspended"] == false && account["deactivated"] == false, "{account}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_much_that_cannot_be_undone_is_joined_by_another() -> Result<()> {
    let few = |config: Config| config.set("questions.unreviewed", 2);
    let scene = Scene::plan().start_with(SYNOD, few).await?;
    let moe = scene.moe().await?;
    for name in ["one", "two"] {
        let account = scene.subject(name).await?;
        let command = format!("!user deactivate {}", account.user_id);
        says(&crate::support::with_yes(&scene, &command).await?, "Done", &[]);
    }
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (question, number) = asks_for_the_end(&scene, &eve).await?;
    says(&question, "", &["more than 2 irreversible changes in ten minutes need a second person"]);
    // What can be undone never counts, and somebody else's hands are not tied.
    says(&scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?, "Done", &[]);
    let other = scene.ask(moe, &format!("!user deactivate {}", sam.user_id)).await?;
    says(&other, "", &["!confirm"]);
    says(&approves(&scene, moe, &number, &eve).await?, "Done", &[]);
    assert!(is(&scene, &eve, "deactivated").await? && !is(&scene, &sam, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn protected_subjects_take_a_second_person_and_a_reason_is_as_wanted() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [moe, vic, _] = scene.accounts();
    let abuse = scene.subject("abuse").await?;
    let rules = json!([{ "protected": true, "reason": true }]);
    let config = scene
        .config()
        .set("questions.rules", rules)
        .set("questions.reason", "^OPS-[0-9]+")
        .set("protected.subjects", json!([{ "id": "@abuse*", "change": "refused" }]))
        .operator_key(&moe.user_id, "role", "admin");
    scene.start_bot(SYNOD, &config).await?;
    let suspend = format!("!user suspend {}", vic.user_id);
    says(&scene.ann_asks(&suspend).await?, "Refused", &["--reason", "^OPS-"]);
    let sloppy = format!("{suspend} --reason because");
    says(
        &scene.ann_asks(&sloppy).await?,
        "Refused",
        &["does not have the form that my config requires"],
    );
    let refused = scene.ann_asks(&format!("!user suspend {}", abuse.user_id)).await?;
    says(&refused, "Refused", &["protected by the config"]);

    let plan = scene.ann_asks(&format!("{suspend} --reason OPS-7 --plan")).await?;
    says(&plan, "What", &["by another operator", "Nothing was sent"]);
    let question = scene.ann_asks(&format!("{suspend} --reason OPS-7")).await?;
    says(&question, "", &["since it is protected"]);
    assert_eq!(question.mentions.len(), 1, "only moe may: {:?}", question.mentions);
    let command = offered(&question, "!approve")?.replace("LOCALPART", vic.user_id.localpart());
    let command = command.split(" with ").next().unwrap_or_default().replace('`', "");
    assert!(!is(&scene, vic, "suspended").await? && !is(&scene, &abuse, "suspended").await?);
    says(&scene.ask(scene.moe().await?, command.trim()).await?, "Done", &[]);
    assert!(is(&scene, vic, "suspended").await?);
    // The undo acts on the same account, and asks for the same.
    let question =
        scene.ann_asks(&format!("!user unsuspend {} --reason OPS-8", vic.user_id)).await?;
    says(&question, "", &["since it is protected"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_room_in_clear_nobody_approves() -> Result<()> {
    let plan = Scene::plan().in_clear();
    let scene = plan.start_with(SYNOD, |config| config.set("questions.rules", others(1))).await?;
    let eve = scene.subject("eve").await?;
    scene.moe().await?;
    let refused = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    says(&refused, "Refused", &["since my config requires it", "only in an encrypted room"]);
    let approval = scene.ask(scene.moe().await?, "!approve 4821 eve").await?;
    says(&approval, "Refused", &["only in an encrypted room"]);
    assert!(!is(&scene, &eve, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_by_verb_holds_for_whatever_amounts_to_that_verb() -> Result<()> {
    let rules = json!([{ "verbs": ["user deactivate"], "others": 1 }]);
    let scene = start(rules, |config| config).await?;
    let eve = scene.subject("eve").await?;
    scene.moe().await?;
    let id = &eve.user_id;
    says(&scene.ann_asks(&format!("!user modify {id} -n Eve")).await?, "Done", &[]);
    let question = scene.ann_asks(&format!("!user modify {id} --deactivate")).await?;
    says(&question, "", &["!approve", "my config requires it"]);
    assert!(!is(&scene, &eve, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_by_verb_holds_for_what_a_verb_sends_and_for_the_same_with_another_option()
-> Result<()> {
    let verbs = ["room block", "media quarantine", "device delete", "user unsuspend"];
    let rules = json!([{ "verbs": verbs, "others": 1 }]);
    let scene = start(rules, |config| config).await?;
    let eve = scene.subject("eve").await?;
    scene.moe().await?;
    let (id, by_eve) = (&eve.user_id, api(&scene, &eve).await?);
    let room = make(&by_eve, json!({})).await?;
    says(&scene.ann_asks(&format!("!user suspend {id}")).await?, "Done", &[]);
    for command in [
        format!("!room delete {room} --block"),
        format!("!room delete {room} --quarantine-media"),
        format!("!user logout {id}"),
        format!("!user suspend {id} --unsuspend"),
        format!("!raw v1/suspend/{id} -m put -d '{{\"suspend\": false}}'"),
    ] {
        says(&scene.ann_asks(&command).await?, "", &["!approve", "my config requires it"]);
    }
    let alone = scene.ann_asks(&format!("!room delete {room}")).await?;
    assert!(!alone.body.contains("!approve"), "no rule is about that: {}", alone.body);
    assert!(is(&scene, &eve, "suspended").await?);
    Ok(())
}
