//! What reaches the bot in an operator's name and is not their word, or not a command.

use anyhow::{Context as _, Result};
use ruma::EventId;
use serde_json::json;
use world::{Message, Scene};

use crate::{
    SYNOD,
    support::{code, is, later_than, says, suspend},
};

/// The bot's answer to `event`: a refusal that says `why`.
async fn refused(scene: &Scene, event: &EventId, why: &str) -> Result<Message> {
    let answer = scene.answer(scene.ann(), event).await?;
    says(&answer, "Refused", &[why]);
    Ok(answer)
}

/// The bot's answer to `event`, which cannot be read as one command, and `why`.
async fn not_understood(scene: &Scene, event: &EventId, why: &str) -> Result<()> {
    says(&scene.answer(scene.ann(), event).await?, "Not understood", &[why]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plaintext_command_in_the_encrypted_room_does_nothing_and_is_told_why() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let clear = scene.ann().say_in_clear(scene.room(), &suspend(&eve)).await?;
    refused(&scene, &clear, "unencrypted").await?;
    assert!(!is(&scene, &eve, "suspended").await?);

    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    let confirm = format!("!confirm {}", code(&question)?);
    let clear = scene.ann().say_in_clear(scene.room(), &confirm).await?;
    refused(&scene, &clear, "unencrypted").await?;
    assert!(!is(&scene, &eve, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_nobody_signed_is_refused() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let thief = scene.ann().login_unsigned_device().await?;
    let stolen = thief.say(scene.room(), &suspend(&eve)).await?;
    refused(&scene, &stolen, "not verified").await?;
    assert!(!is(&scene, &eve, "suspended").await?);

    let done = scene.ann_asks(&suspend(&eve)).await?;
    assert!(done.body.starts_with("Done · "), "her own device goes on: {}", done.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key_is_refused_told_and_accepted_by_another_admin() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [moe, _, _] = scene.accounts();
    let config = scene.config().operator_key(&moe.user_id, "role", "admin");
    scene.start_bot(SYNOD, &config).await?;
    let (ann, moe) = (scene.ann(), scene.moe().await?);
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    scene.ann_asks("!me").await?;
    scene.ask(moe, "!me").await?;

    ann.reset_identity().await?;
    let command = ann.say(scene.room(), &suspend(&eve)).await?;
    let answer = scene.answer(moe, &command).await?;
    assert!(answer.body.starts_with("Refused · "), "{}", answer.body);
    assert!(answer.body.contains("cross-signing key"), "{}", answer.body);
    assert!(!is(&scene, &eve, "suspended").await?);
    let key = ann.master_key().await?;
    let told = |message: &Message| {
        message.sender == *scene.bot_id()
            && message.reply_to.is_none()
            && message.body.contains(&key)
    };
    let told = moe.wait_for("the news of the key", told).await?;
    assert!(told.mentions.contains(moe.user_id()), "{:?}", told.raw);

    // The other admin is served meanwhile.
    let done = scene.ask(moe, &suspend(&sam)).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &sam, "suspended").await?);

    let tail = key.get(key.len() - 6..).context("a key has six characters")?;
    let accept = format!("!trust accept {} {tail}", ann.user_id());
    assert!(told.body.contains(&accept), "the command to copy: {}", told.body);
    let wrong = scene.ask(moe, &format!("!trust accept {} AAAAAA", ann.user_id())).await?;
    assert!(wrong.body.starts_with("Refused · "), "{}", wrong.body);
    let accepted = scene.ask(moe, &accept).await?;
    assert!(accepted.body.starts_with("Done · "), "{}", accepted.body);
    let done = scene.ann_asks(&suspend(&eve)).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_ciphertext_does_nothing() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, moe) = (scene.ann(), scene.moe().await?);
    let eve = scene.subject("eve").await?;
    let original = ann.say(scene.room(), &suspend(&eve)).await?;
    let done = scene.answer(ann, &original).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    let path = format!("/_synapse/admin/v1/suspend/{}", eve.user_id);
    scene.synapse().admin().put(&path, json!({ "suspend": false })).await?;

    let replayed = ann.replay(scene.room(), &original).await?;
    refused(&scene, &replayed, "old message").await?;
    let by_another = moe.replay(scene.room(), &original).await?;
    refused(&scene, &by_another, "somebody else's session").await?;
    assert!(!is(&scene, &eve, "suspended").await?);

    // Also after the bot has forgotten all that was only in its memory.
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    let replayed = ann.replay(scene.room(), &original).await?;
    refused(&scene, &replayed, "old message").await?;
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_moved_to_another_question_does_nothing() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    // A yes to nothing, as people say it all day.
    let idle = ann.say(room, "yes").await?;
    scene.unanswered(&idle).await?;

    let first = scene.ann_asks(&format!("!user modify {} --admin", eve.user_id)).await?;
    scene.ann_asks(&format!("!cancel {}", code(&first)?)).await?;
    let yes = ann.reply(room, &first.event_id, "yes").await?;
    let over = scene.answer(ann, &yes).await?;
    assert!(over.body.starts_with("Nothing changed · "), "{}", over.body);

    let second = scene.ann_asks(&format!("!user modify {} --admin", sam.user_id)).await?;
    let reaction = ann.react(room, &first.event_id, "✅").await?;
    let over = scene.answer(ann, &reaction).await?;
    assert!(over.body.starts_with("Nothing changed · "), "{}", over.body);
    let relation = json!({ "m.in_reply_to": { "event_id": second.event_id } });
    for old in [&idle, &yes] {
        let moved =
            ann.replay_with(room, old, |content| content["m.relates_to"] = relation.clone());
        let moved = moved.await?;
        scene.ann_asks("!pending").await?;
        assert!(!is(&scene, &sam, "admin").await?, "an old yes was taken: {old}, moved as {moved}");
    }
    // The question stands, and her own yes to it counts.
    let yes = ann.reply(room, &second.event_id, "yes").await?;
    let done = scene.answer(ann, &yes).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &sam, "admin").await? && !is(&scene, &eve, "admin").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_command_is_not_run() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    for silent in [
        ann.notice(room, &suspend(&eve)).await?,
        ann.emote(room, &suspend(&eve)).await?,
        ann.say(room, room.as_str()).await?,
        ann.say(room, "!aBcDeFgHiJ:synod.test").await?,
        ann.say(room, &format!("> {}\n> and more", suspend(&eve))).await?,
        ann.say(room, "I would like to ! user suspend somebody").await?,
    ] {
        scene.unanswered(&silent).await?;
    }
    let quoted = ann.say(room, &format!("> {}", suspend(&eve))).await?;
    not_understood(&scene, &quoted, "quoted").await?;
    let harmless = ann.say(room, "good morning").await?;
    let edit = ann.edit(room, &harmless, &suspend(&eve)).await?;
    refused(&scene, &edit, "edited").await?;

    let both = format!("{}\n{}", suspend(&eve), suspend(&sam));
    let both = ann.say(room, &both).await?;
    not_understood(&scene, &both, "two commands").await?;
    assert!(!is(&scene, &eve, "suspended").await? && !is(&scene, &sam, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_while_the_bot_was_down_runs_once() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    scene.ann_asks("!me").await?;
    scene.bot()?.kill().await?;
    let command = scene.ann().say(scene.room(), &suspend(&eve)).await?;
    scene.bot()?.start_again().await?;
    let done = scene.answer(scene.ann(), &command).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    assert!(is(&scene, &eve, "suspended").await?);

    let path = format!("/_synapse/admin/v1/suspend/{}", eve.user_id);
    scene.synapse().admin().put(&path, json!({ "suspend": false })).await?;
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    scene.ann_asks("!me").await?;
    assert!(!is(&scene, &eve, "suspended").await?, "it ran again");
    assert_eq!(scene.ann().answers_to(&command).len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_comes_too_late_is_answered_as_too_old() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    scene.ann_asks("!me").await?;
    scene.bot()?.terminate().await?;
    let command = scene.ann().say(scene.room(), &suspend(&eve)).await?;
    later_than(&scene, &command, 1_000).await?;
    let config = scene.config().set("commands.max_age", "1s").to_string();
    scene.bot()?.configure(&config)?;
    scene.bot()?.start_again().await?;
    let old = scene.answer(scene.ann(), &command).await?;
    assert!(old.body.starts_with("Expired · "), "{}", old.body);
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_the_first_start_never_runs() -> Result<()> {
    for plan in [Scene::plan(), Scene::plan().in_clear()] {
        let scene = plan.set().await.context("setting")?;
        let eve = scene.subject("eve").await?;
        let before = scene.ann().say(scene.room(), &suspend(&eve)).await?;
        scene.start_bot(SYNOD, &scene.config()).await?;
        scene.unanswered(&before).await?;
        assert!(!is(&scene, &eve, "suspended").await?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_room_in_clear_runs_nothing_where_encryption_is_required() -> Result<()> {
    let plan = Scene::plan().in_clear();
    let scene = plan.start_with(SYNOD, |config| config.set("encryption", "required")).await?;
    let eve = scene.subject("eve").await?;
    let told = |message: &Message| {
        message.sender == *scene.bot_id()
            && message.body.contains("take commands only in encrypted rooms")
    };
    scene.ann().wait_for("what is wrong with the room", told).await?;
    let user = &eve.user_id;
    for command in [
        format!("!user details {user}"),
        suspend(&eve),
        format!("!user deactivate {user}"),
        format!("!trust accept {} AAAAAA", scene.accounts()[0].user_id),
        "!audit".to_owned(),
        "!freeze".to_owned(),
    ] {
        let said = scene.ann().say(scene.room(), &command).await?;
        refused(&scene, &said, "unencrypted").await?;
    }
    assert!(!is(&scene, &eve, "suspended").await? && !is(&scene, &eve, "deactivated").await?);

    // Once it is encrypted it is an admin room like others, and what came before counts for nothing.
    let encryption = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let kind = "m.room.encryption";
    let id = crate::support::set_state(scene.ann(), scene.room(), kind, encryption).await?;
    scene.ann().wait_for("the encryption", |message| message.event_id == id).await?;
    let me = scene.ann_asks("!me").await?;
    assert!(me.body.contains("Role: admin") && !me.body.contains("frozen"), "{}", me.body);
    assert!(!is(&scene, &eve, "suspended").await?);
    let done = scene.ann_asks(&suspend(&eve)).await?;
    assert!(done.body.starts_with("Done · ") && done.encrypted, "{}", done.body);
    assert!(is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_bot_says_is_read_by_no_device_that_its_owner_has_not_signed() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, room, eve) = (scene.ann(), scene.room(), scene.subject("eve").await?);
    let stranger = scene.stranger().await?;
    // Added to the account of an operator, and of somebody else, by whoever runs their server.
    let devices = [ann.login_unsigned_device().await?, stranger.login_unsigned_device().await?];
    let details = format!("!user details {}", eve.user_id);
    let command = ann.say(room, &details).await?;
    let answer = scene.answer(ann, &command).await?;
    assert!(answer.body.contains(eve.user_id.as_str()), "{}", answer.body);
    // Keys come before what they open: by the time of a later message they would be there.
    let last = ann.say(room, "that is all").await?;
    for device in &devices {
        let heard = device.wait_for("the later message", |message| message.event_id == last).await;
        assert_eq!(heard?.body, "that is all", "ann's own client encrypts for any device");
        let of_bot = |message: &Message| message.event_id == answer.event_id;
        let got = device.wait_for("the bot's answer", of_bot).await?;
        assert_eq!((got.kind.as_str(), got.body.as_str()), ("m.room.encrypted", ""), "{device:?}");
        let read = device.heard().into_iter().any(|m| of_bot(&m) && !m.body.is_empty());
        assert!(!read, "{device:?} reads what the bot says");
    }
    // A signed device of a member reads it, whoever they are: who is in the room is another matter.
    let read = stranger.wait_for("the answer", |m| m.event_id == answer.event_id && m.is_message());
    assert!(read.await?.body.contains(eve.user_id.as_str()));
    Ok(())
}
