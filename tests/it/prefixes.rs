//! A bot among others in one room: its commands begin with a prefix of its own, in what it hears and in what
//! it says.

use anyhow::{Context as _, Result};
use world::{Message, Scene};

use crate::{
    SYNOD,
    support::{is, offered, says},
};

/// The command that an answer offers behind these words.
fn behind<'a>(answer: &'a Message, words: &str) -> Result<&'a str> {
    let line = offered(answer, words)?;
    Ok(line.strip_prefix(words).context("behind the words")?.trim())
}

/// Asks, says yes by the code and takes it back, by what the answers offer; and nothing of it with the
/// exclamation mark of another bot.
async fn converses(prefix: &str) -> Result<()> {
    let scene = Scene::plan().set().await?;
    scene.start_bot(SYNOD, &scene.config().set("bot.prefix", prefix)).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let eve = scene.subject("eve").await?;

    // The greeting names the help as it is typed here, and the help the commands.
    let help = scene.ann_asks(&format!("{prefix}help")).await?;
    says(&help, "", &[&format!("{prefix}user details"), &format!("{prefix}help user suspend")]);
    assert!(!help.body.contains("!user") && !help.body.contains("!help"), "{help}");

    // What is said to another bot gets no answer, not even a mark: what comes next is answered first.
    let other = ann.say(room, &format!("!user suspend {}", eve.user_id)).await?;
    let ban = ann.say(room, "!ban @eve:example.org").await?;
    let done = scene.ann_asks(&format!("{prefix}user suspend {}", eve.user_id)).await?;
    says(&done, "Done", &[]);
    assert!(is(&scene, &eve, "suspended").await?);
    let heard = ann.heard();
    let to_others = |message: &&Message| {
        let about = message.reply_to.as_ref();
        let reaction = message.reaction.as_ref().map(|(to, _)| to);
        [about, reaction].into_iter().flatten().any(|event| [&other, &ban].contains(&event))
    };
    assert_eq!(heard.iter().filter(to_others).count(), 0, "{other} and {ban} are for another bot");

    // Its undo is copied from the answer and sent.
    let undo = behind(&done, "Undo: ")?.to_owned();
    assert!(undo.starts_with(&format!("{prefix}u")), "{undo}");
    says(&scene.ann_asks(&undo).await?, "Done", &[]);
    assert!(!is(&scene, &eve, "suspended").await?);

    // A question, and a yes by its code as it prints it.
    let question = scene.ann_asks(&format!("{prefix}user deactivate {}", eve.user_id)).await?;
    let confirm = offered(&question, &format!("{prefix}confirm "))?.to_owned();
    ann.say(room, &confirm.replacen(prefix, "!", 1)).await?;
    assert!(!is(&scene, &eve, "deactivated").await?);
    says(&scene.ann_asks(&confirm).await?, "Done", &[]);
    assert!(is(&scene, &eve, "deactivated").await?);

    // What is mistyped is put right with the prefix, and a mention addresses this bot alone.
    let wrong = scene.ann_asks(&format!("{prefix}usr details {}", eve.user_id)).await?;
    says(&wrong, "Not understood", &[&format!("{prefix}user details {}", eve.user_id)]);
    let named = scene.ann_asks(&format!("{}: !me", scene.bot_id())).await?;
    says(&named, "", &["admin"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_with_a_prefix_of_its_own_leaves_other_bots_alone() -> Result<()> {
    converses(".").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_behind_the_sign_tells_two_bots_apart() -> Result<()> {
    converses("!s ").await
}
