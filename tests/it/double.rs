//! A second bot in the room: one that only looks like ours, and one that is ours with a state of
//! its own. What a false one can do with questions is in `hostile.rs`.

use anyhow::Result;
use world::{Bot, Message, Person, Scene, write_secret};

use crate::{
    SYNOD,
    support::{code, is, offered, says, watched},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_the_real_bot_knows_nothing_of_what_a_false_one_says() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room, double) = (scene.ann(), scene.room(), scene.stranger().await?);
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let done = scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    says(&done, "Done", &["!undo "]);
    let changes = proxy.changes().len();

    // The same answer about somebody else, as a reply to a command of hers, with a number.
    let asked = ann.say(room, "good morning").await?;
    let mut content = done.raw["content"].clone();
    for key in ["body", "formatted_body"] {
        let words = content[key].as_str().unwrap_or_default();
        let words = words.replace(eve.user_id.as_str(), sam.user_id.as_str());
        content[key] = words.replace("!undo ", "!undo 99").into();
    }
    content["m.relates_to"] = serde_json::json!({ "m.in_reply_to": { "event_id": asked } });
    let fake = double.send(room, "m.room.message", content).await?;
    let heard = ann.wait_for("the false answer", |message| message.event_id == fake).await?;
    says(&heard, "Done", &[sam.user_id.as_str()]);
    let number = offered(&heard, "!undo")?.trim_start_matches("!undo ");

    let about = format!("!audit list --on {}", sam.user_id);
    says(&scene.ann_asks(&about).await?, "The record holds nothing like that", &[]);
    let shown = scene.ann_asks(&format!("!audit show {number}")).await?;
    says(&shown, "Not found", &["no record"]);
    says(&scene.ann_asks(&format!("!undo {number}")).await?, "Not found", &["no change"]);
    // Nothing that is said or clicked under it is said to the real one.
    for said in [
        ann.reply(room, &fake, "yes").await?,
        ann.reply(room, &fake, "no").await?,
        ann.react(room, &fake, "✅").await?,
        ann.react(room, &fake, "❌").await?,
        double.reply(room, &done.event_id, &format!("!user suspend {}", sam.user_id)).await?,
        double.react(room, &done.event_id, "✅").await?,
    ] {
        scene.ann_asks("!me").await?;
        let answers = ann.answers_to(&said);
        assert!(answers.iter().all(|answer| answer.body.starts_with("Refused · ")), "{answers:?}");
    }
    assert_eq!(proxy.changes().len(), changes, "{:?}", proxy.changes());
    assert!(!is(&scene, &sam, "suspended").await? && is(&scene, &eve, "suspended").await?);
    Ok(())
}

/// A second bot with an account and a state of its own, and the same operators, in the room.
async fn second(scene: &Scene) -> Result<(Bot, world::Account)> {
    let account = scene.subject("synod-too").await?;
    let dir = scene.dir().join("second");
    std::fs::create_dir_all(&dir)?;
    write_secret(&dir.join("bot-password"), &account.password)?;
    let config = scene
        .config()
        .set("bot.user_id", account.user_id.as_str())
        .secret_file("bot.password", &dir.join("bot-password"))
        .set("state", dir.join("state").display().to_string());
    scene.ann().invite(scene.room(), &account.user_id).await?;
    let bot = Bot::start(SYNOD, &config.to_string(), &dir).await?;
    scene.ann().sees_joined(scene.room(), &account.user_id).await?;
    Ok((bot, account))
}

/// What both answer to `text`: ours, and the second one.
async fn both(
    scene: &Scene,
    (who, text): (&Person, &str),
    second: &world::Account,
) -> Result<[Message; 2]> {
    let said = who.say(scene.room(), text).await?;
    let ours = scene.answer(who, &said).await?;
    let theirs = |message: &Message| {
        message.sender == second.user_id && message.reply_to.as_ref() == Some(&said)
    };
    Ok([ours, who.wait_for("the second bot's answer", theirs).await?])
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bots_with_two_states_both_answer_and_what_is_done_once_is_done_once() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (bot, account) = second(&scene).await?;
    let (ann, eve) = (scene.ann(), scene.subject("eve").await?);

    // Each runs what runs at once; whoever comes second finds it done, or does it once more.
    let suspend = format!("!user suspend {}", eve.user_id);
    let answers = both(&scene, (ann, &suspend), &account).await?;
    let word = |answer: &Message| answer.body.split(" ·").next().unwrap_or_default().to_owned();
    let words = answers.each_ref().map(word);
    assert!(words.contains(&"Done".to_owned()), "{words:?}");
    assert!(words.iter().all(|word| word == "Done" || word == "Nothing changed"), "{words:?}");
    assert!(is(&scene, &eve, "suspended").await?);

    // Each puts a question of its own, and the code of one is nothing to the other.
    let deactivate = format!("!user deactivate {}", eve.user_id);
    let [one, two] = both(&scene, (ann, &deactivate), &account).await?;
    assert_ne!(code(&one)?, code(&two)?);
    let confirm = format!("!confirm {}", code(&two)?);
    let [ours, theirs] = both(&scene, (ann, &confirm), &account).await?;
    says(&ours, "Not found", &["no such question"]);
    says(&theirs, "Done", &[eve.user_id.as_str()]);
    assert!(is(&scene, &eve, "deactivated").await?);
    // The other question stands, and finds that it is over.
    let confirm = format!("!confirm {}", code(&one)?);
    let [ours, theirs] = both(&scene, (ann, &confirm), &account).await?;
    says(&ours, "Nothing changed", &["already"]);
    says(&theirs, "Not found", &["no such question"]);

    // A brake is each one's own, and both hear it.
    let [ours, theirs] = both(&scene, (scene.moe().await?, "!freeze"), &account).await?;
    says(&ours, "Done", &["frozen"]);
    says(&theirs, "Done", &["frozen"]);
    bot.terminate().await?;
    Ok(())
}
