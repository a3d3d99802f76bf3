//! How much that cannot be undone one person does before another must agree.

use anyhow::Result;
use futures_util::future::try_join_all;
use reqwest::Method;
use ruma::OwnedEventId;
use world::{Account, Caught, Config, Fault, Message, Scene};

use crate::{
    SYNOD,
    jobs::{accounts, count, ended, lines, say_yes},
    support::{digits, says, watched},
};

fn allowed(count: usize) -> impl FnOnce(Config) -> Config {
    move |config| config.set("questions.unreviewed", count)
}

fn deactivate(all: &[Account]) -> String {
    format!("!user deactivate{}", lines(all))
}

/// The yes of whoever asked, to a question about so many.
fn own_yes(question: &Message, many: usize) -> Result<String> {
    Ok(format!("!confirm {} {many}", digits(&question.body, "!confirm ")?))
}

/// The question that is put again, in place of what this yes would have done.
async fn asked_again(scene: &Scene, yes: &OwnedEventId) -> Result<Message> {
    let question = scene.answer(scene.ann(), yes).await?;
    says(&question, "", &["so I ask again", "!approve", "need a second person"]);
    Ok(question)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_counts_whole_before_anything_of_it_is_done() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, moe, all) = (scene.ann(), scene.moe().await?, accounts(&scene, 21).await?);
    let question = scene.ask(moe, &deactivate(&all)).await?;
    let why = "since more than 20 irreversible changes in ten minutes need a second person (with \
               this it would be 21)";
    says(&question, "", &["21 accounts", why, ann.user_id().as_str()]);
    let number = digits(&question.body, "!approve ")?;
    let own = scene.ask(moe, &format!("!confirm {number} 21")).await?;
    says(&own, "Refused", &["somebody else's approval"]);
    let own = scene.ask(moe, &format!("!approve {number} 21")).await?;
    says(&own, "Refused", &["not for you to approve"]);
    assert_eq!(count(&scene, &all, "deactivated").await?, 0);

    let planned = scene.ask(moe, &format!("!user deactivate --plan{}", lines(&all))).await?;
    says(&planned, "", &["by another operator"]);
    let yes = ann.say(scene.room(), &format!("!approve {number} 21")).await?;
    let told = |message: &Message| {
        message.reply_to.as_ref() == Some(&yes) && message.body.starts_with("Done · 21 of 21")
    };
    moe.wait_for("the end of the job", told).await?;
    assert_eq!(count(&scene, &all, "deactivated").await?, 21);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_were_put_first_count_when_they_are_confirmed() -> Result<()> {
    let scene = Scene::plan().start_with(SYNOD, allowed(3)).await?;
    let all = accounts(&scene, 5).await?;
    scene.moe().await?;
    let first = scene.ann_asks(&deactivate(&all[..2])).await?;
    let second = scene.ann_asks(&deactivate(&all[2..4])).await?;
    let third = scene.ann_asks(&deactivate(&all[4..])).await?;
    // Nothing was done so far, and so none of them takes another person.
    let yes = own_yes(&second, 2)?;
    says(&scene.ann_asks(&own_yes(&first, 2)?).await?, "Done", &["2 accounts"]);
    let yes = scene.ann().say(scene.room(), &yes).await?;
    let again = asked_again(&scene, &yes).await?;
    assert_eq!(count(&scene, &all, "deactivated").await?, 2);
    let used = scene.ann_asks(&own_yes(&second, 2)?).await?;
    says(&used, "Nothing changed", &["put again as another question"]);
    // One more is within what she may do herself, and then none is.
    let name = all[4].user_id.localpart();
    let yes = format!("!confirm {} {name}", digits(&third.body, "!confirm ")?);
    says(&scene.ann_asks(&yes).await?, "Done", &[]);
    let yes = format!("!approve {} 2", digits(&again.body, "!approve ")?);
    says(&scene.ask(scene.moe().await?, &yes).await?, "Done", &["2 accounts"]);
    assert_eq!(count(&scene, &all, "deactivated").await?, 5);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_lists_confirmed_at_once_the_second_is_weighed_with_the_first() -> Result<()> {
    let scene = Scene::plan().start_with(SYNOD, allowed(15)).await?;
    let all = accounts(&scene, 22).await?;
    scene.moe().await?;
    let ann = scene.ann();
    let first = scene.ann_asks(&deactivate(&all[..11])).await?;
    let second = scene.ann_asks(&deactivate(&all[11..])).await?;
    let one = say_yes(&scene, &first, 11).await?;
    let other = ann.say(scene.room(), &own_yes(&second, 11)?).await?;
    asked_again(&scene, &other).await?;
    says(&ended(&scene, &one).await?, "Done · 11 of 11", &[]);
    assert_eq!(count(&scene, &all, "deactivated").await?, 11);
    Ok(())
}

/// Holds what is sent for these, until as many as can be are in hand.
async fn hold(
    scene: &Scene,
    proxy: &world::Proxy,
    all: &[Account],
) -> Result<(OwnedEventId, Vec<Caught>)> {
    let question = scene.ann_asks(&deactivate(all)).await?;
    let held = all[..8].iter();
    let held: Vec<Caught> = held
        .map(|one| proxy.next(Method::POST, one.user_id.localpart(), Fault::HoldAnswer))
        .collect();
    let yes = say_yes(scene, &question, all.len()).await?;
    try_join_all(held.iter().map(Caught::reached)).await?;
    Ok((yes, held))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_or_never_begun_does_not_count_and_what_is_in_hand_does() -> Result<()> {
    let (scene, proxy) = watched(allowed(12)).await?;
    let all = accounts(&scene, 20).await?;
    scene.moe().await?;
    // A question that nobody answers is nothing that was done.
    scene.ann_asks(&deactivate(&all[..12])).await?;
    let (yes, held) = hold(&scene, &proxy, &all[..12]).await?;
    let while_in_hand = scene.ann_asks(&deactivate(&all[12..14])).await?;
    says(&while_in_hand, "", &["!approve", "with this it would be 14"]);
    says(&scene.ann_asks("!stop").await?, "Done", &[]);
    held.iter().for_each(Caught::release);
    says(&ended(&scene, &yes).await?, "Done in part · 8 of 12", &["not started 4"]);
    assert_eq!(count(&scene, &all, "deactivated").await?, 8);

    let four = scene.ann_asks(&deactivate(&all[12..16])).await?;
    says(&four, "", &["!confirm"]);
    let five = scene.ann_asks(&deactivate(&all[12..17])).await?;
    says(&five, "", &["!approve", "with this it would be 13"]);
    says(&scene.ann_asks(&own_yes(&four, 4)?).await?, "Done", &["4 accounts"]);
    assert_eq!(count(&scene, &all, "deactivated").await?, 12);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_in_clear_hears_why_it_takes_another_person() -> Result<()> {
    let scene = Scene::plan().in_clear().start_with(SYNOD, allowed(2)).await?;
    let all = accounts(&scene, 3).await?;
    scene.moe().await?;
    let refused = scene.ann_asks(&deactivate(&all)).await?;
    let why = "more than 2 irreversible changes in ten minutes need a second person";
    says(&refused, "Refused", &[why, "only in an encrypted room"]);
    assert_eq!(count(&scene, &all, "deactivated").await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_else_may_the_answer_says_why_and_what_helps() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [moe, vic, _] = scene.accounts();
    let config = scene
        .config()
        .set("questions.unreviewed", 2)
        .operator_key(&moe.user_id, "role", "viewer")
        .operator_key(&vic.user_id, "role", "viewer");
    scene.start_bot(SYNOD, &config).await?;
    let all = accounts(&scene, 3).await?;
    let refused = scene.ann_asks(&deactivate(&all)).await?;
    let why = "more than 2 irreversible changes in ten minutes need a second person";
    says(&refused, "Refused", &[why, "there is nobody else", "--alone"]);
    let two = scene.ann_asks(&deactivate(&all[..2])).await?;
    says(&scene.ann_asks(&own_yes(&two, 2)?).await?, "Done", &["2 accounts"]);
    assert_eq!(count(&scene, &all, "deactivated").await?, 2);
    Ok(())
}
