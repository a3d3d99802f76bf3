//! The room itself turns against the bot: forged relations, giants, questions taken away, powers
//! taken and given, a double of the bot, and the room changed under its feet. Floods are in
//! `flood.rs`.

use anyhow::{Context as _, Result, ensure};
use ruma::{OwnedRoomId, UserId};
use serde_json::{Value, json};
use world::{Account, Message, NewRoom, PATIENCE, Person, Scene};

use crate::{
    SYNOD,
    support::{Attacks, code, is, says, set_state, state, suspend, watched},
};

/// A question that a bare yes may answer, and its code.
async fn light_question(scene: &Scene, about: &Account) -> Result<(Message, String)> {
    let question = scene.ann_asks(&format!("!user modify {} --admin", about.user_id)).await?;
    let code = code(&question)?;
    Ok((question, code))
}

/// Changes the room's power levels as ann, who made it.
async fn set_power(scene: &Scene, change: impl FnOnce(&mut Value)) -> Result<()> {
    let kind = "m.room.power_levels";
    let mut levels = state(scene.ann(), scene.room(), kind).await?;
    change(&mut levels);
    set_state(scene.ann(), scene.room(), kind, levels).await?;
    Ok(())
}

/// Waits until ann has heard that `user` is now this in the room, after `mark`.
async fn member(scene: &Scene, mark: usize, user: &UserId, membership: &str) -> Result<Message> {
    let what = format!("{user} to be {membership}");
    let is_it = |message: &Message| {
        message.kind == "m.room.member"
            && message.raw["state_key"] == user.as_str()
            && message.raw["content"]["membership"] == membership
    };
    scene.ann().wait_for_since(mark, &what, is_it).await
}

/// As many arrays in each other.
fn nested(depth: usize) -> Value {
    (0..depth).fold(json!("x"), |inner, _| json!([inner]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_whose_attacks_never_arrived_fails() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, room, vic) = (scene.ann(), scene.room(), scene.vic().await?);
    ann.kick(room, vic.user_id()).await?;
    let attacks = async |of: &[&Person]| {
        let mut attacks = Attacks::default();
        for who in of {
            attacks.send("words", who.say_in_clear(room, "!me")).await;
        }
        attacks
    };
    assert!(attacks(&[]).await.arrived(&scene, &[]).await.is_err(), "there was none");
    assert!(attacks(&[vic]).await.arrived(&scene, &["words"]).await.is_err(), "none was taken");
    let lost = attacks(&[ann, vic]).await.arrived(&scene, &[]).await;
    let lost = format!("{:#}", lost.err().context("one was refused")?);
    assert!(lost.contains("words") && lost.contains("not in room"), "{lost}");
    assert!(attacks(&[ann]).await.arrived(&scene, &["words"]).await.is_err(), "it was taken");
    assert_eq!(attacks(&[ann, vic, ann]).await.arrived(&scene, &["words"]).await?, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_and_deep_relations_lead_nowhere() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room, stranger) = (scene.ann(), scene.room(), scene.stranger().await?);
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (question, code) = light_question(&scene, &eve).await?;
    let asked = &question.event_id;

    let text =
        |relation: Value| json!({ "msgtype": "m.text", "body": "yes", "m.relates_to": relation });
    let to_question = json!({ "event_id": asked });
    let mut attacks = Attacks::default();
    for relation in [
        json!(null),
        json!("m.in_reply_to"),
        json!([{ "m.in_reply_to": to_question }]),
        json!({ "m.in_reply_to": [to_question] }),
        json!({ "m.in_reply_to": asked }),
        json!({ "m.in_reply_to": { "event_id": { "event_id": asked } } }),
        json!({ "m.in_reply_to": { "event_id": "" } }),
        json!({ "m.in_reply_to": { "event_id": "$never-sent" } }),
        json!({ "rel_type": 7, "event_id": asked }),
        json!({ "rel_type": ["m.annotation"], "event_id": asked, "key": "✅" }),
        json!({ "rel_type": "m.reference", "event_id": asked }),
        json!({ "rel_type": "m.thread", "event_id": asked, "is_falling_back": "perhaps" }),
        json!({ "rel_type": "m.replace", "event_id": asked }),
        json!({ "m.in_reply_to": to_question, "deep": nested(90) }),
    ] {
        let name =
            |how: &str| format!("{how} {}", relation.to_string().replace(asked.as_str(), "$q"));
        let (said, reacted) = (text(relation.clone()), json!({ "m.relates_to": relation }));
        let said_in_clear = stranger.send_in_clear(room, "m.room.message", said.clone());
        attacks.send(name("in clear"), said_in_clear).await;
        attacks.send(name("encrypted"), stranger.send(room, "m.room.message", said)).await;
        let reacted = stranger.send_in_clear(room, "m.reaction", reacted);
        attacks.send(name("a reaction"), reacted).await;
    }
    // The homeserver takes what is as deep as its own parser goes, and nothing deeper.
    for depth in [100, 120, 125, 126, 400] {
        let deep = json!({ "msgtype": "m.text", "body": suspend(&sam), "deep": nested(depth) });
        for who in [stranger, ann] {
            let said = who.send_in_clear(room, "m.room.message", deep.clone());
            attacks.send(format!("{depth} deep"), said).await;
        }
    }
    let refused = ["126 deep", "126 deep", "400 deep", "400 deep"];
    assert_eq!(attacks.arrived(&scene, &refused).await?, 3 * 14 + 2 * 3);
    // A chain of replies and of edits, each of the one before, that ends at the question.
    let mut last = asked.clone();
    for _ in 0..30 {
        last = stranger.reply(room, &last, "yes").await?;
    }
    // What the bot has said is not another's to edit, nor is an operator's command.
    stranger.edit(room, asked, &format!("Make {} an admin?", sam.user_id)).await?;
    let harmless = ann.say(room, "good morning").await?;
    let edit = stranger.edit(room, &harmless, &suspend(&sam)).await?;
    // The same relations in ann's own name are no yes to anything else either.
    let elsewhere = ann.reply(room, &last, "yes").await?;
    scene.unanswered(&elsewhere).await?;
    assert!(ann.answers_to(&edit).is_empty(), "an edit by a stranger was answered");
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    assert!(!is(&scene, &eve, "admin").await? && !is(&scene, &sam, "suspended").await?);

    let done = scene.ann_asks(&format!("!confirm {code}")).await?;
    says(&done, "Done", &[eve.user_id.as_str()]);
    assert!(is(&scene, &eve, "admin").await? && !is(&scene, &sam, "admin").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_as_large_as_they_may_be_are_answered_shortly_or_not_at_all() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room, stranger) = (scene.ann(), scene.room(), scene.stranger().await?);
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (question, _) = light_question(&scene, &eve).await?;
    let large = "x".repeat(60_000);
    let reaction = |key: &str| {
        let relation =
            json!({ "rel_type": "m.annotation", "event_id": question.event_id, "key": key });
        json!({ "m.relates_to": relation })
    };
    let html = |text: &str, html: String| {
        let format = "org.matrix.custom.html";
        json!({ "msgtype": "m.text", "body": text, "format": format, "formatted_body": html })
    };
    let command = suspend(&sam);
    for who in [stranger, ann] {
        who.say_in_clear(room, &large).await?;
        who.say_in_clear(room, &format!("{command} {large}")).await?;
        who.send_in_clear(room, "m.reaction", reaction(&"x".repeat(400))).await?;
        who.send_in_clear(room, "m.room.message", json!({ "msgtype": large, "body": command }))
            .await?;
        let tags = html(&command, "<b>".repeat(19_000));
        who.send_in_clear(room, "m.room.message", tags).await?;
        who.send_in_clear(room, "m.room.encrypted", json!({ "ciphertext": large })).await?;
    }
    // Encrypted, what was said is a quarter shorter than the event.
    let large = "x ".repeat(20_000);
    let many = ann.say(room, &format!("{command} {large}")).await?;
    let lines = ann.say(room, &format!("{command}\n{}", "!user\n".repeat(6_000))).await?;
    let pill = format!("<a href=\"https://matrix.to/#/{}\">sam</a>", sam.user_id);
    let nested = html("!user suspend sam", format!("{}!user suspend {pill}", "<b>".repeat(10_000)));
    let nested = ann.send(room, "m.room.message", nested).await?;
    let unknown = ann.say(room, &format!("!{}", "x".repeat(40_000))).await?;
    for (what, event) in
        [("words", &many), ("lines", &lines), ("HTML", &nested), ("a word", &unknown)]
    {
        let answer = scene.answer(ann, event).await.context(what)?;
        let length = answer.body.len();
        assert!(length < 2_000, "{what}: an answer of {length} bytes");
        assert!(answer.body.starts_with("Not understood · "), "{what}: {}", answer.body);
    }
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    assert!(!is(&scene, &sam, "suspended").await? && !is(&scene, &eve, "admin").await?);

    // What will not do is not repeated in full either.
    let reason = "because ".repeat(4_000);
    let refused = scene.ann_asks(&format!("{command} --reason \"{reason}\"")).await?;
    says(&refused, "Not understood", &["--reason", "longer than"]);
    assert!(refused.body.len() < 2_000, "an answer of {} bytes", refused.body.len());
    assert!(!is(&scene, &sam, "suspended").await?);
    says(&scene.ann_asks(&command).await?, "Done", &[sam.user_id.as_str()]);
    assert!(is(&scene, &sam, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_to_an_old_question_answers_nothing_any_more() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let [eve, sam, kim] = ["eve", "sam", "kim"].map(|name| scene.subject(name));
    let (eve, sam, kim) = (eve.await?, sam.await?, kim.await?);
    let (cancelled, number) = light_question(&scene, &eve).await?;
    scene.ann_asks(&format!("!cancel {number}")).await?;
    let (run, number) = light_question(&scene, &sam).await?;
    says(&scene.ann_asks(&format!("!confirm {number}")).await?, "Done", &[]);
    let path = format!("/_synapse/admin/v2/users/{}", sam.user_id);
    let (status, answer) = scene.synapse().admin().put(&path, json!({ "admin": false })).await?;
    ensure!(status == 200, "an admin still: {status} {answer}");
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());

    // Another is open: a yes under an old one is none to that.
    let (open, _) = light_question(&scene, &kim).await?;
    for (old, how) in [(&cancelled, "Cancelled"), (&run, "Answered yes")] {
        let yes = ann.react(room, &old.event_id, "✅").await?;
        says(&scene.answer(ann, &yes).await?, "Nothing changed", &["already closed", how]);
        let no = ann.react(room, &old.event_id, "❌").await?;
        scene.unanswered(&no).await?;
    }
    // Nor under what never was a question.
    let answer = scene.ann_asks("!me").await?;
    let yes = ann.react(room, &answer.event_id, "👍").await?;
    scene.unanswered(&yes).await?;
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());
    for account in [&eve, &sam, &kim] {
        assert!(!is(&scene, account, "admin").await?, "{}", account.user_id);
    }
    let yes = ann.react(room, &open.event_id, "✅").await?;
    says(&scene.answer(ann, &yes).await?, "Done", &[kim.user_id.as_str()]);
    assert!(is(&scene, &kim, "admin").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_was_removed_takes_its_code_and_nothing_less() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room, vic) = (scene.ann(), scene.room(), scene.vic().await?);
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    set_power(&scene, |levels| levels["users"][vic.user_id().as_str()] = json!(50)).await?;
    let (question, number) = light_question(&scene, &eve).await?;
    vic.redact(room, &question.event_id).await?;

    // She talks with the others, and no question is to be seen.
    let bare = ann.say(room, "yes").await?;
    let reply = ann.reply(room, &question.event_id, "yes").await?;
    let reaction = ann.react(room, &question.event_id, "👍").await?;
    for yes in [&bare, &reply, &reaction] {
        let refused = scene.answer(ann, yes).await?;
        says(&refused, "Not understood", &["removed", &format!("!confirm {number}")]);
    }
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    assert!(!is(&scene, &eve, "admin").await?);
    let done = scene.ann_asks(&format!("!confirm {number}")).await?;
    says(&done, "Done", &[eve.user_id.as_str()]);
    assert!(is(&scene, &eve, "admin").await?);

    // A no is as good as ever.
    let (question, number) = light_question(&scene, &sam).await?;
    vic.redact(room, &question.event_id).await?;
    let no = ann.say(room, "no").await?;
    says(&scene.answer(ann, &no).await?, "Nothing changed", &[&number, "cancelled"]);
    assert!(!is(&scene, &sam, "admin").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_yes_is_to_what_was_said_last_and_to_nothing_else() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, vic, room) = (scene.ann(), scene.vic().await?, scene.room());
    let (eve, stranger) = (scene.subject("eve").await?, scene.stranger().await?);
    let (question, number) = light_question(&scene, &eve).await?;
    let unclear = |told: &Message| {
        says(told, "Not understood", &["not the last message here", &format!("!confirm {number}")]);
    };

    for other in [vic, stranger] {
        other.say(room, "is that the one from yesterday?").await?;
        let yes = ann.say(room, "yes").await?;
        unclear(&scene.answer(ann, &yes).await?);
    }
    // What it offers is a command to be sent, not to be said yes to.
    let mistyped = scene.ann_asks(&format!("!user suspnd {}", eve.user_id)).await?;
    says(&mistyped, "Not understood", &["Did you mean", "!user suspend"]);
    let yes = ann.say(room, "yes").await?;
    unclear(&scene.answer(ann, &yes).await?);
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    assert!(!is(&scene, &eve, "admin").await?);

    let reply = ann.reply(room, &question.event_id, "yes").await?;
    says(&scene.answer(ann, &reply).await?, "Done", &[eve.user_id.as_str()]);
    assert!(is(&scene, &eve, "admin").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_anothers_question_is_good_for_nothing() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [moe, ..] = scene.accounts();
    let config = scene.config().operator_key(&moe.user_id, "role", "admin");
    scene.start_bot(SYNOD, &config).await?;
    let (ann, moe, room) = (scene.ann(), scene.moe().await?, scene.room());
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (hers, her_code) = light_question(&scene, &eve).await?;
    let his = scene.ask(moe, &format!("!user modify {} --admin", sam.user_id)).await?;
    let his_code = code(&his)?;
    for (who, code, asker) in [(moe, &her_code, ann), (ann, &his_code, moe)] {
        let refused = scene.ask(who, &format!("!confirm {code}")).await?;
        says(&refused, "Refused", &[asker.user_id().as_str(), "only they"]);
        says(&scene.ask(who, &format!("!approve {code}")).await?, "Refused", &[]);
    }
    let tick = moe.react(room, &hers.event_id, "✅").await?;
    says(&scene.answer(moe, &tick).await?, "Refused", &[ann.user_id().as_str()]);
    let reply = ann.reply(room, &his.event_id, "yes").await?;
    says(&scene.answer(ann, &reply).await?, "Refused", &[moe.user_id().as_str()]);
    assert!(!is(&scene, &eve, "admin").await? && !is(&scene, &sam, "admin").await?);

    says(&scene.ask(moe, &format!("!confirm {his_code}")).await?, "Done", &[]);
    assert!(!is(&scene, &eve, "admin").await? && is(&scene, &sam, "admin").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_bot_in_our_style_gets_no_yes_that_counts() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room, double) = (scene.ann(), scene.room(), scene.stranger().await?);
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let name = format!("/_matrix/client/v3/profile/{}/displayname", double.user_id());
    let (status, answer) = double.api().put(&name, json!({ "displayname": "synod" })).await?;
    ensure!(status == 200, "it keeps its name: {status} {answer}");
    let (real, number) = light_question(&scene, &sam).await?;

    // The same words, reactions and all, about somebody else.
    let words = real.body.replace(sam.user_id.as_str(), eve.user_id.as_str());
    let mut content = real.raw["content"].clone();
    content["body"] = words.into();
    let html = real.html.clone().unwrap_or_default();
    content["formatted_body"] = html.replace(sam.user_id.as_str(), eve.user_id.as_str()).into();
    let fake = double.send(room, "m.room.message", content).await?;
    for key in ["✅", "❌"] {
        double.react(room, &fake, key).await?;
    }
    let tick = ann.react(room, &fake, "✅").await?;
    let yes = ann.reply(room, &fake, "yes").await?;
    let no = ann.reply(room, &fake, "no").await?;
    for said in [&tick, &yes, &no] {
        scene.unanswered(said).await?;
    }
    // Nor does it make the bot take its own words, or its question, for something else.
    let told = double.reply(room, &real.event_id, &format!("Done · {number} is over")).await?;
    double.edit(room, &real.event_id, &format!("Question {number} was cancelled")).await?;
    double.say(room, &format!("!confirm {number}")).await?;
    scene.unanswered(&told).await?;
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    assert!(!is(&scene, &eve, "admin").await? && !is(&scene, &sam, "admin").await?);

    // It answers first, while the bot is away: the bot answers all the same.
    scene.bot()?.kill().await?;
    let confirm = ann.say(room, &format!("!confirm {number}")).await?;
    double.reply(room, &confirm, "Done · nothing to see here").await?;
    scene.bot()?.start_again().await?;
    says(&scene.answer(ann, &confirm).await?, "Done", &[sam.user_id.as_str()]);
    assert!(!is(&scene, &eve, "admin").await? && is(&scene, &sam, "admin").await?);
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gets_power_in_the_room_gets_none_over_the_bot() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room, stranger) = (scene.ann(), scene.room(), scene.stranger().await?);
    let (eve, bot) = (scene.subject("eve").await?, scene.bot_id());
    let (question, number) = light_question(&scene, &eve).await?;
    set_power(&scene, |levels| {
        levels["users"][stranger.user_id().as_str()] = json!(99);
        levels["users"][bot.as_str()] = json!(0);
    })
    .await?;
    let refused = scene.ask(stranger, &suspend(&eve)).await?;
    says(&refused, "Refused", &["not one of them"]);
    let yes = stranger.say(room, &format!("!confirm {number}")).await?;
    let name = json!({ "name": suspend(&eve) });
    set_state(stranger, room, "m.room.name", name).await?;
    set_state(stranger, room, "m.room.topic", json!({ "topic": format!("!confirm {number}") }))
        .await?;
    stranger.redact(room, &question.event_id).await?;
    scene.unanswered(&yes).await?;

    // Out of the room, and back only by an operator's hand.
    let mark = ann.mark();
    stranger.kick(room, bot).await?;
    member(&scene, mark, bot, "leave").await?;
    let mark = ann.mark();
    stranger.invite(room, bot).await?;
    let declined = member(&scene, mark, bot, "leave").await?;
    assert_eq!(declined.sender, *bot, "it declines by itself");
    let mark = ann.mark();
    ann.invite(room, bot).await?;
    member(&scene, mark, bot, "join").await?;
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    let account = scene.synapse().admin().account(&eve.user_id).await?;
    assert!(account["suspended"] == json!(false) && account["admin"] == json!(false));
    says(&scene.ann_asks(&suspend(&eve)).await?, "Done", &[eve.user_id.as_str()]);
    assert!(is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_bot_may_not_write_it_changes_nothing() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (_, number) = light_question(&scene, &sam).await?;
    let log = scene.bot()?.log();
    for (kind, default) in [("events_default", 0), ("m.room.encrypted", 0)] {
        let silence = |level: i64| {
            move |levels: &mut Value| match kind {
                "events_default" => levels[kind] = json!(level),
                _ => levels["events"][kind] = json!(level),
            }
        };
        set_power(&scene, silence(60)).await?;
        for command in [suspend(&eve), format!("!confirm {number}")] {
            let mark = log.mark();
            let said = ann.say(room, &command).await?;
            let unsent = log.wait_for("an answer was not sent", mark, PATIENCE).await?;
            assert!(unsent.contains(said.as_str()), "{unsent}");
        }
        assert!(proxy.changes().is_empty(), "{kind}: {:?}", proxy.changes());
        set_power(&scene, silence(default)).await?;
    }
    assert!(!is(&scene, &eve, "suspended").await? && !is(&scene, &sam, "admin").await?);
    says(&scene.ann_asks(&suspend(&eve)).await?, "Done", &[eve.user_id.as_str()]);
    assert!(is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgraded_room_is_told_of_and_not_followed() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let (ann, room, bot) = (scene.ann(), scene.room(), scene.bot_id());
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    scene.ann_asks("!me").await?;
    let path = format!("/_matrix/client/v3/rooms/{room}/upgrade");
    let (_, made) = ann.api().post(&path, json!({ "new_version": "11" })).await?;
    let new = made["replacement_room"].as_str().with_context(|| made.to_string())?;
    let new = OwnedRoomId::try_from(new)?;
    let about = |message: &Message| message.sender == *bot && message.body.contains(new.as_str());
    let told = ann.wait_for("the news of the upgrade", about).await?;
    assert!(told.room == *room && told.body.contains("config"), "{}", told.body);
    assert!(told.mentions.contains(ann.user_id()), "{:?}", told.raw);

    // Not even an operator leads it there: the config does.
    ann.join(&new).await?;
    ann.invite(&new, bot).await?;
    let there = ann.say(&new, &suspend(&eve)).await?;
    says(&scene.ann_asks(&suspend(&sam)).await?, "Done", &[sam.user_id.as_str()]);
    scene.unanswered(&there).await?;
    let members = format!("/_synapse/admin/v1/rooms/{new}/members");
    let members = scene.synapse().admin().get(&members).await?.1;
    assert_eq!(members["members"], json!([ann.user_id()]), "{members}");
    assert_eq!(proxy.changes().len(), 1, "{:?}", proxy.changes());
    assert!(!is(&scene, &eve, "suspended").await?);

    // Told once, and the config that names the new room leads it there.
    scene.bot()?.terminate().await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url()).room(&new);
    scene.bot()?.configure(&config.to_string())?;
    scene.bot()?.start_again().await?;
    ann.sees_joined(&new, bot).await?;
    let moved = ann.say(&new, &suspend(&eve)).await?;
    says(&scene.answer(ann, &moved).await?, "Done", &[eve.user_id.as_str()]);
    assert!(is(&scene, &eve, "suspended").await?);
    assert_eq!(ann.heard().iter().filter(|message| about(message)).count(), 1, "told once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgraded_room_of_the_record_is_told_of_in_the_admin_room() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let (ann, bot) = (scene.ann(), scene.bot_id());
    let record = NewRoom {
        invite: vec![bot.clone()],
        powers: [(bot.clone(), 50)].into(),
        ..NewRoom::default()
    };
    let record = ann.create_room(&record).await?;
    scene.start_bot(SYNOD, &scene.config().set("record.room", record.as_str())).await?;
    ann.sees_joined(&record, bot).await?;
    let path = format!("/_matrix/client/v3/rooms/{record}/upgrade");
    let (_, made) = ann.api().post(&path, json!({ "new_version": "11" })).await?;
    let new = made["replacement_room"].as_str().with_context(|| made.to_string())?;
    // That it was told stands in the room of the record too.
    let about = |message: &Message| {
        message.sender == *bot && message.room == *scene.room() && message.body.contains(new)
    };
    let told = ann.wait_for("the news of the upgrade", about).await?;
    assert!(told.body.contains("record.room in the config"), "{}", told.body);
    assert!(told.mentions.contains(ann.user_id()), "{:?}", told.raw);
    says(&scene.ann_asks("!me").await?, "", &["Role: admin"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_is_encrypted_midway_takes_nothing_in_clear_any_more() -> Result<()> {
    let scene = Scene::plan().in_clear().start(SYNOD).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (question, number) = light_question(&scene, &eve).await?;
    assert!(!question.encrypted);
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let encryption = set_state(ann, room, "m.room.encryption", algorithm.clone()).await?;
    let clear = [suspend(&sam), format!("!confirm {number}")];
    let refused = async || {
        for command in &clear {
            let said = ann.say_in_clear(room, command).await?;
            let refused = scene.answer(ann, &said).await?;
            says(&refused, "Refused", &["unencrypted"]);
            assert!(refused.encrypted, "{:?}", refused.raw);
        }
        anyhow::Ok(())
    };
    refused().await?;
    // There is no way back: neither without the event that says so,
    ann.redact(room, encryption.as_str().try_into()?).await?;
    refused().await?;
    // nor with a way to encrypt that nobody knows: then nobody is answered either.
    set_state(ann, room, "m.room.encryption", json!({ "algorithm": "none" })).await?;
    let log = scene.bot()?.log();
    let mark = log.mark();
    let said = ann.say_in_clear(room, &suspend(&sam)).await?;
    let unsent = log.wait_for("an answer was not sent", mark, PATIENCE).await?;
    assert!(unsent.contains(said.as_str()), "{unsent}");
    let encryption = set_state(ann, room, "m.room.encryption", algorithm).await?;
    assert!(!is(&scene, &sam, "suspended").await? && !is(&scene, &eve, "admin").await?);

    let enabled = |message: &Message| message.event_id == encryption;
    ann.wait_for("the encryption", enabled).await?;
    let done = scene.ann_asks(&format!("!confirm {number}")).await?;
    says(&done, "Done", &[eve.user_id.as_str()]);
    assert!(done.encrypted && is(&scene, &eve, "admin").await?);
    Ok(())
}
