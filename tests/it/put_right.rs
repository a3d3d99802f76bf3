//! What people and clients make of a command, and what the bot makes of that: the command, or the line to
//! send in its place.

use anyhow::{Context as _, Result};
use world::Scene;

use crate::{
    SYNOD,
    support::{code, devices, digits, is, offered, says, watched, with_device},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_three_clients_send_is_the_same_command() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, ann, room) = (scene.subject("eve_x").await?, scene.ann(), scene.room());
    let (id, localpart) = (eve.user_id.as_str(), eve.user_id.localpart());
    let pill = format!("<a href=\"https://matrix.to/#/{id}\">Eve X</a>");
    for (client, body, html) in [
        ("Element Web", "!user details Eve X".to_owned(), format!("!user details {pill}")),
        (
            "Element X iOS",
            format!("!User details [Eve X](https://matrix.to/#/{id}) "),
            format!("!User details {pill}"),
        ),
        ("FluffyChat", "!user details @[Eve X]".to_owned(), format!("<p>!user details {pill}</p>")),
        (
            "Cinny, to the bot",
            format!("{} !user details {id}", scene.bot_id()),
            format!(
                "<a href=\"https://matrix.to/#/{}\">Synod</a> !user details {pill}",
                scene.bot_id()
            ),
        ),
        ("bold", format!("!user details **{id}**"), format!("!user details <strong>{id}</strong>")),
        (
            "a spoiler",
            format!("||!user details {localpart}||"),
            format!("<span data-mx-spoiler>!user details {localpart}</span>"),
        ),
    ] {
        let said = ann.say_html(room, &body, &html).await?;
        let answer = scene.answer(ann, &said).await.with_context(|| client.to_owned())?;
        says(&answer, id, &["Created: "]);
    }
    // A phone has been at the hyphens and the quotation marks.
    let typed = format!("!user suspend {localpart} —reason “spam & ads” —plan");
    says(&scene.ann_asks(&typed).await?, "What", &["Nothing was sent", id]);
    // The stars are in neither text.
    let said = ann.say_html(room, "!user search eve", "!user search <em>eve</em>").await?;
    says(&scene.answer(ann, &said).await?, "Not understood", &["may be missing"]);
    // Without its sign, but to the bot: the line that is meant.
    let asked = scene.ann_asks(&format!("{}: user suspend {localpart}", scene.bot_id())).await?;
    says(&asked, "Not understood", &["exclamation mark", &format!("!user suspend {localpart}")]);
    assert!(!is(&scene, &eve, "suspended").await?);
    says(&scene.ann_asks(offered(&asked, "!user suspend")?).await?, "Done", &[id]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_without_its_group_gets_the_whole_command_and_is_not_run() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let (id, localpart) = (eve.user_id.as_str(), eve.user_id.localpart());
    for (typed, meant) in [
        ("!suspend {}", "!user suspend {}"),
        ("!ban {}", "!user suspend {}"),
        ("!kick {}", "!user suspend {}"),
        ("!lock {} --for 3d", "!user lock {} --for 3d"),
        ("!erase {}", "!user deactivate {} --gdpr-erase"),
        ("!purge", "!history purge"),
        ("!block @{}:synod.test", "!user suspend @{}:synod.test"),
    ] {
        let (typed, meant) = (typed.replace("{}", localpart), meant.replace("{}", localpart));
        let answer = scene.ann_asks(&typed).await.with_context(|| typed.clone())?;
        says(&answer, "Not understood", &["there is no command", &meant]);
        assert!(!is(&scene, &eve, "suspended").await? && !is(&scene, &eve, "locked").await?);
    }
    for (typed, meant) in [
        ("!userlist", "!user list"),
        ("!rooms", "!room list"),
        ("!whois {}", "!user whois {}"),
        ("!devices {}", "!device list {}"),
    ] {
        let (typed, meant) = (typed.replace("{}", localpart), meant.replace("{}", localpart));
        let answer = scene.ann_asks(&typed).await.with_context(|| typed.clone())?;
        says(&answer, "Not understood", &[&meant]);
        let looked = scene.ann_asks(offered(&answer, &meant)?).await?;
        let no = ["Refused", "Not understood", "Not found"];
        assert!(!no.iter().any(|no| looked.body.starts_with(no)), "{typed}: {}", looked.body);
    }
    // What a viewer may not send is not offered to them.
    let vic = scene.vic().await?;
    let answer = scene.ask(vic, &format!("!ban {localpart}")).await?;
    assert!(!answer.body.contains("!user suspend"), "{}", answer.body);

    // A name in capitals, or with the full stop of a sentence, is offered as it is.
    for typed in [localpart.to_uppercase(), format!("{localpart}.")] {
        for verb in ["user suspend", "user details"] {
            let answer = scene.ann_asks(&format!("!{verb} {typed}")).await?;
            says(&answer, "Not found", &["no such user", &format!("!{verb} {id}")]);
        }
    }
    assert!(!is(&scene, &eve, "suspended").await?, "never guessed");
    // A full stop behind the verb is none of it.
    says(&scene.ann_asks("!help.").await?, "What I can do", &["!help"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_is_answered_whatever_became_of_its_question() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, _) = with_device(&scene, "eve").await?;
    let sam = scene.subject("sam").await?;
    let erase = format!("!user deactivate {} --gdpr-erase", sam.user_id);
    let phrase = scene.ann_asks(&erase).await?;
    let number = code(&phrase)?;
    let wrong = scene.ann_asks(&format!("!confirm {number} nonsense")).await?;
    says(&wrong, "Refused", &["not the right phrase", "the localpart of the account"]);
    let none = scene.ann_asks(&format!("!confirm {number}")).await?;
    says(&none, "Refused", &["needs a phrase", "the localpart of the account"]);
    for answer in [&wrong, &none] {
        assert!(!answer.body.contains(sam.user_id.localpart()), "{}", answer.body);
    }
    assert!(!is(&scene, &sam, "deactivated").await?);

    // The other question takes a phrase, so that a bare yes can be to this one only.
    let question = scene.ann_asks(&format!("!user logout {}", eve.user_id)).await?;
    says(&scene.ann_asks("yes").await?, "Done", &[eve.user_id.as_str()]);
    assert!(devices(&scene, &eve).await?.is_empty());
    scene.ann_asks(&format!("!cancel {number}")).await?;
    // Once more, in every way.
    let (ann, room) = (scene.ann(), scene.room());
    let late = ["Answered yes at"];
    let reaction = ann.react(room, &question.event_id, "✅").await?;
    says(&scene.answer(ann, &reaction).await?, "Nothing changed", &late);
    let reply = ann.reply(room, &question.event_id, "yes").await?;
    says(&scene.answer(ann, &reply).await?, "Nothing changed", &late);
    let again = format!("!confirm {}", code(&question)?);
    says(&scene.ann_asks(&again).await?, "Nothing changed", &late);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_yes_below_a_question_that_is_over_says_what_became_of_it() -> Result<()> {
    let (scene, _proxy) = watched(|config| config.set("questions.expire_after", "2s")).await?;
    let (eve, _) = with_device(&scene, "eve").await?;
    let question = scene.ann_asks(&format!("!user logout {}", eve.user_id)).await?;
    let number = code(&question)?;
    let edit = scene.ann().edit_of(&question.event_id, |_| true).await?;
    assert!(edit.body.contains("Expired"), "{}", edit.body);
    says(&scene.ann_asks("yes").await?, "Expired", &[&number, "nothing was done"]);
    assert!(!devices(&scene, &eve).await?.is_empty());
    // What comes after another word is talk.
    let talk = scene.ann().say(scene.room(), "so it goes").await?;
    scene.unanswered(&talk).await?;
    let yes = scene.ann().say(scene.room(), "yes").await?;
    scene.unanswered(&yes).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_the_command_that_it_stands_for() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (id, localpart) = (eve.user_id.as_str(), eve.user_id.localpart());
    says(&scene.ann_asks("!alias").await?, "This room has no aliases", &["!alias add"]);
    let unknown = scene.ann_asks(&format!("!spam {id}")).await?;
    says(&unknown, "Not understood", &["there is no command"]);

    let moe = scene.moe().await?;
    let made =
        scene.ask(moe, "!alias add spam \"user suspend --reason 'spam in the lobby'\"").await?;
    says(&made, "Done", &["!user suspend --reason \"spam in the lobby\"", "!alias remove spam"]);
    let done = scene.ann_asks(&format!("!spam {localpart}")).await?;
    let whole = format!("!user suspend {localpart} --reason \"spam in the lobby\"");
    says(&done, "Done", &[id, "!spam", &whole]);
    assert!(is(&scene, &eve, "suspended").await?);
    let record = scene.ann_asks(&format!("!audit list --on {id}")).await?;
    says(&record, "The record", &[" suspended ", "spam in the lobby"]);
    // Lines below it are those whom it is about, as below the command.
    let question = scene.ann_asks(&format!("!spam\n{}\n@nobody:synod.test", sam.user_id)).await?;
    says(&question, "", &[sam.user_id.as_str()]);

    // It hides no class, and gives nobody a right.
    scene.ann_asks("!alias add bye user deactivate --gdpr-erase").await?;
    let question = scene.ann_asks(&format!("!bye {id}")).await?;
    says(&question, "Deactivate", &["ERASE", &format!("!user deactivate {id} --gdpr-erase")]);
    assert!(!is(&scene, &eve, "deactivated").await?);
    scene.ann_asks(&format!("!cancel {}", code(&question)?)).await?;
    let vic = scene.vic().await?;
    says(&scene.ask(vic, &format!("!bye {id}")).await?, "Refused", &["viewer"]);
    says(&scene.ask(vic, "!alias add hop user list").await?, "Refused", &[]);
    says(&scene.ask(vic, "!alias list").await?, "2 aliases", &["!spam", "!bye"]);

    for (add, why) in [
        ("suspnd user suspend", "too much like"),
        ("ban user suspend", "may be meant for"),
        ("yess user suspend", "may be meant for an answer"),
        ("hop spam", "no command about the homeserver"),
        ("hop confirm 4821", "no command about the homeserver"),
        ("spam user lock", "already"),
    ] {
        let told = scene.ann_asks(&format!("!alias add {add}")).await?;
        let word = if why == "already" { "Refused" } else { "Not understood" };
        says(&told, word, &[why]);
    }
    says(&scene.ann_asks("!alias remove spam").await?, "Done", &["stands for nothing any more"]);
    says(
        &scene.ann_asks(&format!("!spam {id}")).await?,
        "Not understood",
        &["there is no command"],
    );
    let number = digits(&done.body, "!undo")?;
    says(&scene.ann_asks(&format!("!undo {number}")).await?, "Done", &[id]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_picks_one_of_the_commands_that_were_offered() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let (id, localpart) = (eve.user_id.as_str(), eve.user_id.localpart());
    let (ann, room) = (scene.ann(), scene.room());
    // A look is looked at once.
    let offered = scene.ann_asks(&format!("!find {localpart}")).await?;
    let both = ["Did you mean one of these?", "!user search", "!room search"];
    says(&offered, "Not understood", &both);
    says(&scene.ann_asks("1").await?, "1 account", &[id]);
    // A change is asked about, with the full id.
    let offered = scene.ann_asks(&format!("!ban {localpart}")).await?;
    says(&offered, "Not understood", &["!user suspend", "!user lock", "!user deactivate"]);
    let question = scene.ann_asks("2").await?;
    says(&question, "Lock", &[&format!("!user lock {id}"), "!confirm"]);
    assert!(!is(&scene, &eve, "locked").await?);
    let yes = format!("!confirm {} {localpart}", code(&question)?);
    says(&scene.ann_asks(&yes).await?, "Done", &[id]);
    assert!(is(&scene, &eve, "locked").await?);
    // Nobody else's number, none that was not offered, and none after another word.
    scene.ann_asks(&format!("!ban {localpart}")).await?;
    let moe = scene.moe().await?;
    let other = moe.say(room, "1").await?;
    scene.unanswered(&other).await?;
    let late = ann.say(room, "1").await?;
    scene.unanswered(&late).await?;
    assert!(!is(&scene, &eve, "suspended").await?);
    Ok(())
}
