//! Another configuration while the bot runs: whole or not at all, and nobody gives themselves more.

use anyhow::{Context as _, Result};
use serde_json::json;
use world::{Config, Scene};

use crate::{
    SYNOD,
    second_person::{SEED, totp_now},
    support::{is, says, told},
};

/// Puts a configuration where the bot reads it.
fn write(scene: &Scene, config: &Config) -> Result<()> {
    scene.bot()?.configure(&config.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gives_nobody_more_one_operator_puts_in_force_and_questions_stay() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let moe = scene.moe().await?;
    for command in ["!config reload", "!config reload --plan"] {
        says(&scene.ann_asks(command).await?, "Nothing changed", &["has not changed"]);
    }
    says(&scene.ask(moe, "!config reload").await?, "Refused", &["role admin"]);

    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    write(&scene, &scene.config().read_only(true).operator_key(moe.user_id(), "role", "viewer"))?;
    let planned = scene.ann_asks("!config reload --plan").await?;
    says(&planned, "", &["read_only", "moderator before, viewer now", "Gives nobody more rights"]);
    says(&scene.ann_asks("!config reload").await?, "Done", &["read_only", "restart with it"]);

    let suspend = format!("!user suspend {}", eve.user_id);
    says(&scene.ask(moe, &suspend).await?, "Refused", &["you are viewer"]);
    let rehearsed = scene.ann_asks(&suspend).await?;
    says(&rehearsed, "", &["read_only"]);
    assert!(!is(&scene, &eve, "suspended").await?);
    let pending = scene.ann_asks("!pending").await?;
    assert!(pending.body.contains("user deactivate"), "{} {}", question.body, pending.body);
    let listed = scene.ann_asks("!audit list").await?;
    says(&listed, "", &["config read again"]);
    says(&scene.ann_asks("!audit verify").await?, "", &["whole"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gives_somebody_more_takes_two_persons_or_the_machine() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (moe, vic) = (scene.moe().await?, scene.vic().await?);
    let raised = scene.config().operator_key(moe.user_id(), "role", "admin");
    write(&scene, &raised)?;
    let alone = scene.ann_asks("!config reload").await?;
    says(&alone, "Refused", &["SIGHUP", moe.user_id().as_str(), "admin now"]);
    says(&scene.ask(moe, "!config reload").await?, "Refused", &["role admin"]);

    scene.bot()?.hang_up(" ready").await?;
    told(&scene, "From the machine").await?;
    // Now there are two.
    let vic_acts = raised.clone().operator_key(vic.user_id(), "role", "moderator");
    write(&scene, &vic_acts)?;
    let eve = scene.subject("eve").await?;
    for _ in 0..2 {
        let asked = scene.ann_asks("!config reload").await?;
        says(&asked, "Nothing changed", &["another operator", vic.user_id().as_str()]);
        assert!(asked.mentions.contains(moe.user_id()), "{:?}", asked.mentions);
    }
    let suspend = format!("!user suspend {}", eve.user_id);
    says(&scene.ask(vic, &suspend).await?, "Refused", &["role moderator"]);
    // Agreed to one thing, nobody has agreed to another.
    write(&scene, &vic_acts.clone().set("questions.reactions", true).set("layout", "list"))?;
    says(&scene.ask(moe, "!config reload").await?, "Nothing changed", &["another operator"]);
    says(&scene.ask(vic, &suspend).await?, "Refused", &["role moderator"]);
    says(&scene.ann_asks("!config reload").await?, "Done", &["layout"]);
    says(&scene.ask(vic, &suspend).await?, "Done", &[]);
    assert!(is(&scene, &eve, "suspended").await?);

    let last = scene.ann_asks("!audit list --limit 5").await?;
    let by_both = [
        format!("{}: config read again", moe.user_id().localpart()),
        format!("approved by {}", scene.ann().user_id()),
    ];
    for part in by_both {
        assert!(last.body.contains(&part), "it is on record, {part}: {}", last.body);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_faults_or_cannot_be_begun_with_is_not_in_force() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let secret = "syt_Canary_of_reload";
    write(&scene, &scene.config().read_only(true).set("layout", secret).set("lgo", "info"))?;
    let faults = scene.ann_asks("!config reload").await?;
    says(&faults, "Refused", &["2 things are wrong", "layout", "lgo"]);
    assert!(!faults.body.contains(secret), "{}", faults.body);

    write(&scene, &scene.config().read_only(true).set("state", "elsewhere"))?;
    let start = scene.ann_asks("!config reload").await?;
    says(&start, "Refused", &["needs a restart", "state", "nothing is in force"]);

    let nobody = ruma::room_id!("!gone:synod.test");
    write(&scene, &scene.config().read_only(true).room(nobody))?;
    scene.bot()?.hang_up("was not put in force").await?;
    told(&scene, "the old one stays in force").await?;

    // Whether a file can be written shows only when it is opened.
    let file = scene.dir().join("no-such-folder/record.jsonl");
    let config = scene.config().read_only(true).set("record.file", file.display().to_string());
    write(&scene, &config)?;
    says(&scene.ann_asks("!config reload").await?, "Done", &["record.file"]);
    told(&scene, "the old one is in force again").await?;
    let done = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    says(&done, "Done", &[]);
    assert!(is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_and_a_new_key_take_as_many_and_as_much_as_the_rules_say() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [moe, vic, _] = scene.accounts();
    let rules = json!([
        { "verbs": ["config reload"], "others": 2, "totp": true, "reason": true },
        { "verbs": ["trust accept"], "others": 1, "reason": true },
    ]);
    let seed = scene.dir().join("seed");
    world::write_secret(&seed, SEED)?;
    let admins = [scene.ann().user_id(), &moe.user_id, &vic.user_id];
    let config =
        admins.iter().fold(scene.config().set("questions.rules", rules), |config, user| {
            config.operator_key(user, "role", "admin").operator_secret(user, "totp", &seed)
        });
    scene.start_bot(SYNOD, &config).await?;
    let (moe, vic) = (scene.moe().await?, scene.vic().await?);

    // In a list the record below would say less.
    write(&scene, &config.clone().set("layout", "code").set("questions.reactions", true))?;
    let bare = scene.ann_asks("!config reload").await?;
    says(&bare, "Refused", &["this needs a reason", "--reason"]);
    let reasoned = r#"!config reload --reason "aligned lists""#;
    let bare = scene.ann_asks(reasoned).await?;
    let whole = format!("{reasoned} 123456");
    says(&bare, "Refused", &["your one-time password at the end", &whole]);
    let reload = |typed: &str| format!("{reasoned} {typed}");
    let right = totp_now()?;
    let first = scene.ann_asks(&reload(&right)).await?;
    says(&first, "Nothing changed", &["2 other operators", "layout", reasoned]);
    assert!(first.mentions.contains(moe.user_id()), "{:?}", first.mentions);
    let second = scene.ask(moe, &reload(&right)).await?;
    says(&second, "Nothing changed", &["another operator must send the same command"]);
    assert!(!second.mentions.contains(scene.ann().user_id()), "{:?}", second.mentions);
    // Said once more it is no third voice, and neither is it the same password again.
    says(&scene.ask(moe, &reload(&right)).await?, "Refused", &["has been used"]);
    let verbose = scene.ann_asks("!config reload --plan").await?;
    says(&verbose, "", &["layout"]);
    says(&scene.ask(vic, &reload(&right)).await?, "Done", &["layout", "restart with it"]);
    let audit = scene.ann_asks("!audit list --limit 5").await?;
    let (_, listed) = audit.body.split_once("config read again").expect("it is on record");
    assert!(listed.contains("aligned lists"), "{}", audit.body);
    assert!(listed.contains(moe.user_id().as_str()), "{}", audit.body);
    assert!(!audit.body.contains(&right), "{}", audit.body);

    // A key that is accepted for vic takes two of the others by the same rules.
    vic.reset_identity().await?;
    let command = vic.say(scene.room(), "!me").await?;
    says(&scene.answer(moe, &command).await?, "Refused", &["cross-signing key"]);
    let key = vic.master_key().await?;
    let tail = key.get(key.len() - 6..).context("a key has six characters")?;
    let accept = format!("!trust accept {} {tail}", vic.user_id());
    says(&scene.ann_asks(&accept).await?, "Refused", &["this needs a reason"]);
    let accept = format!("{accept} --reason \"a new phone\"");
    let first = scene.ann_asks(&accept).await?;
    says(&first, "Nothing changed", &["1 more", &accept]);
    assert!(!first.mentions.contains(vic.user_id()), "{:?}", first.mentions);
    says(&scene.ann_asks(&accept).await?, "Nothing changed", &["1 more"]);
    says(&scene.ask(vic, "!me").await?, "Refused", &["cross-signing key"]);
    says(&scene.ask(moe, &accept).await?, "Done", &[&key]);
    says(&scene.ask(vic, "!me").await?, "", &["Role: admin"]);
    Ok(())
}
