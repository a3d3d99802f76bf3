//! Many subjects at once: one question, a job, its outcome for each, and its undo.

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use reqwest::Method;
use ruma::OwnedEventId;
use world::{Account, Caught, Fault, Message, Person, Scene};

use crate::{
    SYNOD,
    support::{code, digits, is, offered, says, watched},
};

/// So many ordinary accounts.
pub(crate) async fn accounts(scene: &Scene, count: usize) -> Result<Vec<Account>> {
    let names: Vec<String> = (0..count).map(|n| format!("spam{n:02}")).collect();
    try_join_all(names.iter().map(|name| scene.subject(name))).await
}

pub(crate) fn lines(accounts: &[Account]) -> String {
    let ids: Vec<&str> = accounts.iter().map(|account| account.user_id.as_str()).collect();
    format!("\n{}", ids.join("\n"))
}

/// How many of these have this flag, as the homeserver has it.
pub(crate) async fn count(scene: &Scene, accounts: &[Account], flag: &str) -> Result<usize> {
    let flags = try_join_all(accounts.iter().map(|account| is(scene, account, flag))).await?;
    Ok(flags.into_iter().filter(|is| *is).count())
}

/// Says the yes to a question about so many.
pub(crate) async fn say_yes(
    scene: &Scene,
    question: &Message,
    many: usize,
) -> Result<OwnedEventId> {
    let code = code(question).context(question.body.clone())?;
    scene.ann().say(scene.room(), &format!("!confirm {code} {many}")).await
}

/// The answer at the end of the job that ann began with this yes: it calls her.
pub(crate) async fn ended(scene: &Scene, yes: &OwnedEventId) -> Result<Message> {
    ended_for(scene, scene.ann(), yes).await
}

/// The answer at the end of the job that this person began with this yes.
pub(crate) async fn ended_for(
    scene: &Scene,
    person: &Person,
    yes: &OwnedEventId,
) -> Result<Message> {
    let is_end = |message: &Message| {
        message.reply_to.as_ref() == Some(yes) && message.mentions.contains(person.user_id())
    };
    scene.ann().wait_for("the end of the job", is_end).await
}

/// The file of a job's outcomes, which comes before its answer.
pub(crate) async fn outcomes(scene: &Scene, mark: usize) -> Result<String> {
    let is_file = |message: &Message| message.msgtype == "m.file";
    let file = scene.ann().wait_for_since(mark, "the file of outcomes", is_file).await?;
    Ok(String::from_utf8(scene.ann().download(&file).await?)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_asked_once_done_told_for_each_and_taken_back() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let all = accounts(&scene, 12).await?;
    scene.ann_asks(&format!("!user suspend {}", all[3].user_id)).await?;
    let nobody = "@nobody-of-that-name:synod.test";
    let typed = format!(
        "!user suspend --reason \"spam wave\"\n```{}\n{nobody}\n{}\n@far:elsewhere.example\n```",
        lines(&all),
        scene.bot_id()
    );
    let question = scene.ann_asks(&typed).await?;
    let (first, last) = (all[0].user_id.as_str(), all[11].user_id.as_str());
    says(
        &question,
        "Suspend 11 accounts, ",
        &[
            all[0].user_id.localpart(),
            all[11].user_id.localpart(),
            &format!("Left out: {} is already suspended", all[3].user_id),
            &format!("Left out: no such user: {nobody}"),
            "the bot's own account",
            "Left out: @far:elsewhere.example is an account on another server",
            "can be undone",
            "with how many there are",
        ],
    );
    let wrong = say_yes(&scene, &question, 15).await?;
    says(&scene.answer(scene.ann(), &wrong).await?, "Refused", &["not the right phrase"]);
    assert_eq!(count(&scene, &all, "suspended").await?, 1);

    let mark = scene.ann().mark();
    let yes = say_yes(&scene, &question, 11).await?;
    let told = ended(&scene, &yes).await?;
    says(&told, "Done · 11 of 11", &["done 11", "!undo "]);
    assert_eq!(count(&scene, &all, "suspended").await?, 12);
    let text = outcomes(&scene, mark).await?;
    assert_eq!(text.lines().count(), 12, "{text}");
    assert!(text.contains(&format!("{first},Done,{first} is suspended,!user unsuspend")), "{text}");

    // What somebody else has done since is not undone.
    scene.ann_asks(&format!("!user unsuspend {last}")).await?;
    let number = digits(&told.body, "!undo")?;
    let question = scene.ann_asks(&format!("!undo {number}")).await?;
    says(&question, "End the suspension of 10 accounts, ", &["Left out", "it has changed since"]);
    // Ten are seen at a glance: one yes does it.
    let back = scene.ann_asks("yes").await?;
    says(&back, "Done", &["10 accounts", "no longer suspended"]);
    assert!(is(&scene, &all[3], "suspended").await?, "that one was suspended before");
    assert_eq!(count(&scene, &all, "suspended").await?, 1);
    let jobs = scene.ann_asks("!job list").await?;
    says(&jobs, "No job is running", &[&format!("#{number}"), "finished: done 11"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_a_listing_is_about_all_of_it_and_always_asked() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let all = accounts(&scene, 3).await?;
    let list = scene.ann_asks(&format!("!user search {}", all[1].user_id)).await?;
    says(&list, "1 account", &[all[1].user_id.as_str()]);

    let asked = scene.ann().reply(scene.room(), &list.event_id, "!user suspend").await?;
    let question = scene.answer(scene.ann(), &asked).await?;
    // One account would run at once; what a reply is to could have been moved.
    says(&question, "Suspend", &[all[1].user_id.as_str(), "with the localpart"]);
    assert_eq!(count(&scene, &all, "suspended").await?, 0);
    let code = code(&question)?;
    let yes = format!("!confirm {code} {}", all[1].user_id.localpart());
    says(&scene.ann_asks(&yes).await?, "Done", &["is suspended"]);

    let named = format!("!user lock {}", all[0].user_id);
    let asked = scene.ann().reply(scene.room(), &list.event_id, &named).await?;
    says(&scene.answer(scene.ann(), &asked).await?, "Done", &[all[0].user_id.as_str()]);
    assert_eq!(count(&scene, &all, "locked").await?, 1);
    let talk = scene.ann().say(scene.room(), "talk").await?;
    let asked = scene.ann().reply(scene.room(), &talk, "!user suspend").await?;
    says(&scene.answer(scene.ann(), &asked).await?, "Not understood", &["it names nobody"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_lists_those_whom_a_command_is_about() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (ann, room) = (scene.ann(), scene.room());
    let all = accounts(&scene, 12).await?;
    let mark = ann.mark();
    let rows: Vec<String> = all.iter().map(|one| format!("1,{},x", one.user_id)).collect();
    let csv = format!("n,name,displayname\n{}\n", rows.join("\n"));
    let file = ("spam.csv", csv.as_bytes());
    let caption = Some("!user shadow-ban --reason \"ticket 7\"");
    let asked = ann.attach(room, file, caption).await?;
    let question = scene.answer(ann, &asked).await?;
    says(
        &question,
        "Shadow-ban 12 accounts, ",
        &[all[0].user_id.as_str(), "with how many there are"],
    );
    let yes = say_yes(&scene, &question, 12).await?;
    says(&ended(&scene, &yes).await?, "Done · 12 of 12", &[]);
    assert_eq!(count(&scene, &all, "shadow_banned").await?, 12);

    // The file of outcomes is a list too, and so is any of one's own that one replies to.
    let is_outcomes = |message: &Message| message.body.starts_with("job-");
    let outcomes = ann.wait_for_since(mark, "the outcomes", is_outcomes).await?;
    let asked = ann.reply(room, &outcomes.event_id, "!user lock").await?;
    says(&scene.answer(ann, &asked).await?, "", &["12 accounts"]);
    let lines = format!("{}\n", all[0].user_id);
    let own = ann.attach(room, ("one.txt", lines.as_bytes()), None).await?;
    let asked = ann.reply(room, &own, "!user lock").await?;
    says(&scene.answer(ann, &asked).await?, "Lock", &["with the localpart"]);

    let moe = scene.moe().await?;
    let asked = moe.reply(room, &own, "!user lock").await?;
    says(&scene.answer(moe, &asked).await?, "Refused", &["a file of your own or of mine"]);
    let odd = ann.attach(room, ("odd.txt", b"some words here\n"), Some("!user lock")).await?;
    says(
        &scene.answer(ann, &odd).await?,
        "Not understood",
        &["odd.txt has a line that names none"],
    );
    assert_eq!(count(&scene, &all, "locked").await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slip_among_several_has_what_would_run_at_once_asked_first() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let all = accounts(&scene, 2).await?;
    let (first, second) = (&all[0].user_id, &all[1].user_id);
    let typed = format!("!user suspend {first} for-spamming {first}");
    let question = scene.ann_asks(&typed).await?;
    says(&question, "Suspend", &["Left out", "no such user: @for-spamming", "Go on?"]);
    assert_eq!(count(&scene, &all, "suspended").await?, 0);
    let done = scene.ann_asks("yes").await?;
    says(&done, "Done", &[first.as_str()]);
    let number = offered(&done, "!undo ")?.trim_start_matches("!undo ").to_owned();
    let record = scene.ann_asks(&format!("!audit show {number}")).await?;
    says(&record, "", &["Class: disruptive"]);
    let both = scene.ann_asks(&format!("!user lock {first} {second}")).await?;
    says(&both, "Lock 2 accounts, ", &[first.as_str(), second.as_str(), "Go on?"]);
    says(&scene.ann_asks("yes").await?, "Done · 2 accounts, ", &[first.as_str()]);
    assert_eq!(count(&scene, &all, "locked").await?, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_loses_nothing_and_repeats_nothing() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let all = accounts(&scene, 40).await?;
    let question = scene.ann_asks(&format!("!user suspend{}", lines(&all))).await?;
    says(&question, "Suspend 40 accounts, ", &[]);
    let held = proxy.next(Method::PUT, all[17].user_id.localpart(), Fault::HoldAnswer);
    let yes = say_yes(&scene, &question, 40).await?;
    held.reached().await?;
    scene.bot()?.kill().await?;
    held.release();

    scene.bot()?.start_again().await?;
    let told = ended(&scene, &yes).await?;
    says(&told, "Done · 40 of 40", &["done 40"]);
    assert_eq!(count(&scene, &all, "suspended").await?, 40);
    for account in &all {
        let sent =
            proxy.changes().iter().filter(|p| p.path.contains(account.user_id.localpart())).count();
        // What was in hand may be sent again, for it is harmless; what was over is not.
        assert!(sent == 1 || sent == 2 && account.user_id != all[0].user_id, "{sent} {account:?}");
    }
    assert!(proxy.changes().len() < 40 + 9, "only what was in hand: {}", proxy.changes().len());
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_while_the_bot_is_frozen_and_is_stopped_for_good() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let all = accounts(&scene, 30).await?;
    let question = scene.ann_asks(&format!("!user lock{}", lines(&all))).await?;
    // As many as are in hand at once.
    let hold = |one: &Account| proxy.next(Method::PUT, one.user_id.localpart(), Fault::HoldAnswer);
    let caught: Vec<Caught> = all[..8].iter().map(hold).collect();
    let yes = say_yes(&scene, &question, 30).await?;
    try_join_all(caught.iter().map(Caught::reached)).await?;
    says(
        &scene.ann_asks("!freeze").await?,
        "Done",
        &["Jobs that wait until the freeze is lifted: 1"],
    );
    caught.iter().for_each(Caught::release);
    let list = scene.ann_asks("!job list").await?;
    says(&list, "Running jobs: 1", &["running", "not started"]);
    let locked = 8;

    says(&scene.ann_asks("!stop").await?, "Done", &["jobs stopped: 1"]);
    let told = ended(&scene, &yes).await?;
    says(&told, "Done in part", &["not started", "Stopped by", all[29].user_id.as_str()]);
    assert_eq!(count(&scene, &all, "locked").await?, locked);
    Ok(())
}
