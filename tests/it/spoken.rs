//! What people type and their clients make of it, where it can be understood or must be asked about.

use anyhow::{Context as _, Result};
use ruma::{EventId, OwnedEventId};
use serde_json::{Value, json};
use world::{Account, Message, Person, Scene};

use crate::{
    SYNOD,
    jobs::{accounts, count, ended, lines, say_yes},
    rooms_listed::until_counted,
    support::{api, code, devices, digits, is, make, offered, says, with_device},
};

async fn replies(scene: &Scene, to: &EventId, text: &str) -> Result<Message> {
    let said = scene.ann().reply(scene.room(), to, text).await?;
    scene.answer(scene.ann(), &said).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_and_commands_are_understood_as_people_and_clients_write_them() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve_a").await?;
    let (id, localpart, bot) = (eve.user_id.as_str(), eve.user_id.localpart(), scene.bot_id());
    let server = eve.user_id.server_name();
    for typed in [
        format!("!user details {id}."),
        format!("!user details <{id}>,"),
        format!("！user details ＠{localpart}：{server}"),
        format!("!user details {}", id.replacen('e', "e\u{ad}", 1)),
        format!("!user details {}", id.replace('_', "\\_")),
        format!("{bot} !user details {id}"),
        format!("{bot}: !user details {localpart}"),
        format!("**!user details {localpart},**"),
        format!("- !user details {localpart}"),
    ] {
        let answer = scene.ann_asks(&typed).await.with_context(|| typed.clone())?;
        says(&answer, "", &[id, "Created: "]);
    }
    let quoted = scene.ann_asks(&format!("> !user suspend {id}")).await?;
    says(&quoted, "Not understood", &["I do not run quoted commands"]);
    assert!(!is(&scene, &eve, "suspended").await?);
    // A letter that only looks like one of the id.
    let other = scene.ann_asks(&format!("!user details {}", id.replacen('e', "е", 1))).await?;
    says(&other, "Not found", &["no such user", "U+0435"]);
    let long = scene.ann_asks(&format!("!user suspend {}", "x".repeat(20_000))).await?;
    says(&long, "Not understood", &["an id has at most 255 characters"]);
    assert!(long.body.len() < 600, "{}", long.body);

    let both = accounts(&scene, 2).await?;
    let [one, two] = both.as_slice() else { anyhow::bail!("two accounts") };
    let list = format!("!user suspend {}, {};", one.user_id.localpart(), two.user_id.localpart());
    let question = scene.ann_asks(&list).await?;
    says(&question, "Suspend 2 accounts, ", &[one.user_id.as_str(), two.user_id.as_str()]);
    says(&scene.ann_asks("yes").await?, "Done", &["2 accounts"]);
    assert_eq!(count(&scene, &both, "suspended").await?, 2);
    let twin = format!(
        "!user lock [Eve @{}](https://matrix.to/#/{id})",
        one.user_id.as_str().trim_start_matches('@')
    );
    says(&scene.ann_asks(&twin).await?, "Not understood", &["reads Eve", one.user_id.as_str(), id]);
    assert!(!is(&scene, &eve, "locked").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_or_a_reason_of_several_words_makes_nobody_else_a_subject() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, anna) = (scene.subject("eve").await?, scene.subject("anna").await?);
    let (user, other) = (eve.user_id.localpart(), anna.user_id.localpart());
    let done = scene.ann_asks(&format!("!user suspend {user} --for 3 days")).await?;
    says(&done, "Done", &["is suspended", "Ends: by itself"]);
    scene.ann_asks(&format!("!user unsuspend {user}")).await?;

    let asked = scene.ann_asks(&format!("!user suspend {user} for 3d")).await?;
    says(&asked, "Not understood", &["begins with two hyphens"]);
    assert!(!is(&scene, &eve, "suspended").await?, "never without the time");
    let again = scene.ann_asks(offered(&asked, "!user suspend")?).await?;
    says(&again, "Done", &["Ends: by itself"]);

    let unclear = format!("!user lock {user} --reason reported by {other}");
    let asked = scene.ann_asks(&unclear).await?;
    says(&asked, "Not understood", &["where the text behind", "quotation marks"]);
    assert!(!is(&scene, &eve, "locked").await? && !is(&scene, &anna, "locked").await?);
    says(&scene.ann_asks(offered(&asked, "!user lock")?).await?, "Done", &[user]);
    assert!(is(&scene, &eve, "locked").await? && !is(&scene, &anna, "locked").await?);

    // The short form of an id means the same in the record and in notes.
    for on in [user, eve.user_id.as_str(), &format!("@{user}")] {
        let list = scene.ann_asks(&format!("!audit list --on {on}")).await?;
        says(&list, "The record", &[" locked @", "reported by"]);
    }
    let nobody = scene.ann_asks("!audit list --on nobody-of-that-name").await?;
    says(&nobody, "The record holds nothing like that about @nobody-of-that-name:", &["device"]);
    let noted = scene.ann_asks(&format!("!note add {user} warned by mail")).await?;
    says(&noted, "Done", &[eve.user_id.as_str(), "warned by mail"]);
    let number = digits(&noted.body, "!note remove")?;
    says(
        &scene.ann_asks(&format!("!note delete {number}")).await?,
        "Done",
        &["removed note about"],
    );
    says(
        &scene.ann_asks("!note delete it").await?,
        "Not understood",
        &["name a note by its number"],
    );
    Ok(())
}

/// Reports somebody's event or account, as somebody else.
async fn report(scene: &Scene, by: &Account, path: &str) -> Result<()> {
    let (status, answer) = api(scene, by).await?.post(path, json!({ "reason": "spam" })).await?;
    anyhow::ensure!(status == 200, "not reported: {answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_a_listing_acts_on_what_that_lists_and_on_nothing_else() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let by_eve = api(&scene, &eve).await?;
    let room = make(&by_eve, json!({ "name": format!("den of {}", eve.user_id) })).await?;
    report(&scene, &sam, &format!("/_matrix/client/v3/users/{}/report", eve.user_id)).await?;
    let list = format!("!report list --users --target {}", eve.user_id);
    let reports = scene.ann_asks(&list).await?;
    let data: Value =
        serde_json::from_str(&scene.ann_asks(&format!("{list} -o json")).await?.body)?;
    let number = data["user_reports"][0]["id"].as_u64().context("a report")?.to_string();
    for verb in ["!room block", "!device delete", "!note"] {
        let answer = replies(&scene, &reports.event_id, verb).await?;
        says(&answer, "Not understood", &["list"]);
        assert!(!answer.body.contains("no such user"), "{verb}: {}", answer.body);
    }
    let misfit = replies(&scene, &reports.event_id, "!room block").await?;
    let holds = "that list holds reports of accounts, and this needs a room";
    says(&misfit, "Not understood", &[holds]);
    // Of those whom it names the one who was reported is meant, and the question says so.
    let question = replies(&scene, &reports.event_id, "!user suspend").await?;
    says(&question, "", &["about the accused of these reports", eve.user_id.as_str(), "!confirm"]);
    assert!(!question.body.contains(sam.user_id.as_str()), "{question}");
    scene.ann_asks("!stop").await?;
    // They are reports of accounts, also where nobody says so again.
    let question = replies(&scene, &reports.event_id, "!report dismiss").await?;
    says(&question, "Clear account report", &[&number, "spam"]);
    let confirm = format!("!confirm {}", code(&question)?);
    let phrase = format!("{confirm} {number}");
    let mut done = scene.ann_asks(&phrase).await?;
    if !done.body.starts_with("Done") {
        done = scene.ann_asks(&format!("{confirm} account report {number}")).await?;
    }
    says(&done, "Done", &["dismissed"]);

    until_counted(&scene.synapse().admin(), &room, 1).await?;
    let rooms = scene.ann_asks(&format!("!room search \"{}\"", eve.user_id)).await?;
    says(&rooms, "1 room", &[&room]);
    let misfit = replies(&scene, &rooms.event_id, "!user suspend").await?;
    says(&misfit, "Not understood", &["that list holds rooms"]);
    let users = scene.ann_asks(&format!("!user search {}", eve.user_id)).await?;
    let misfit = replies(&scene, &users.event_id, "!room delete").await?;
    says(&misfit, "Not understood", &["that list holds accounts, and this needs a room"]);
    let question = replies(&scene, &users.event_id, "!user suspend").await?;
    says(&question, "Suspend", &[eve.user_id.as_str()]);
    Ok(())
}

/// The files with this name that ann has heard of since.
async fn file(scene: &Scene, mark: usize, name: &str) -> Result<String> {
    let is_it = |message: &Message| message.msgtype == "m.file" && message.body.contains(name);
    let file = scene.ann().wait_for_since(mark, name, is_it).await?;
    Ok(String::from_utf8(scene.ann().download(&file).await?)?)
}

/// More than one message of 64 kB holds with the name of the server.
const UNKNOWN: usize = 4_000;

/// How often it is waited for an answer that takes long.
const ROUNDS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_unknown_ids_are_one_summary_and_a_file() -> Result<()> {
    let scene = Scene::plan().in_clear().start(SYNOD).await?;
    let ann = scene.ann();
    scene.ann_asks("!me").await?;
    let nobody: Vec<String> = (0..UNKNOWN).map(|n| format!("n{n:04}")).collect();
    let mark = ann.mark();
    let typed = format!("!user suspend\n{}", nobody.join("\n"));
    let said = ann.say(scene.room(), &typed).await?;
    let is_end = |message: &Message| {
        message.reply_to.as_ref() == Some(&said) && !message.body.contains("First I look at all")
    };
    let mut end = ann.wait_for_since(mark, "the summary", is_end).await;
    for _ in 1..ROUNDS {
        if end.is_err() {
            end = ann.wait_for_since(mark, "the summary", is_end).await;
        }
    }
    let end = end?;
    let all = format!("{UNKNOWN} · no such user");
    says(&end, "Nothing changed", &[&format!("{UNKNOWN} accounts"), &all, "left-out.csv"]);
    let left_out = file(&scene, mark, "left-out.csv").await?;
    assert_eq!(left_out.lines().count(), UNKNOWN + 1, "{}", left_out.lines().count());
    assert!(left_out.contains("@n0000:synod.test,") && left_out.contains("@n3999:synod.test,"));

    // That it looks, the summary and its file, and no more, however often the first is brought up to
    // date.
    let by_bot = |message: &&Message| message.sender == *scene.bot_id();
    let heard = ann.heard_since(mark);
    let said: Vec<&Message> = heard.iter().filter(by_bot).collect();
    assert!(said.iter().all(|message| message.body.len() < 1_500), "{said:?}");
    let summaries = said.iter().filter(|message| message.body.contains(&all)).count();
    let files = said.iter().filter(|message| message.msgtype == "m.file").count();
    assert_eq!((summaries, files), (1, 1), "{said:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_many_names_what_stands_out_and_gives_the_list() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let all = accounts(&scene, 12).await?;
    let moe = scene.moe().await?.user_id().clone();
    let noted = all[5].user_id.as_str();
    scene.ann_asks(&format!("!note {noted} is on holiday")).await?;
    let address = format!("{}@x.test", all[7].user_id.localpart());
    let mail = json!({ "threepids": [{ "medium": "email", "address": address }] });
    let path = format!("/_synapse/admin/v2/users/{}", all[7].user_id);
    assert_eq!(scene.synapse().admin().put(&path, mail).await?.0, 200);
    let path = format!("/_synapse/admin/v2/users/{}", all[3].user_id);
    scene.synapse().admin().put(&path, json!({ "admin": true })).await?;
    let nobody: Vec<String> = (0..30).map(|n| format!("@nobody{n}:synod.test")).collect();
    let typed = format!("!user deactivate{}\n{moe}\n{}", lines(&all), nobody.join("\n"));
    let mark = scene.ann().mark();
    let question = scene.ann_asks(&typed).await?;
    says(
        &question,
        "Deactivate 1",
        &[
            " accounts, ",
            "What stands out among them:",
            &format!("1 server admin: {}", all[3].user_id),
            &format!("1 with a note: {noted}"),
            &format!("1 with an email address or phone number: {}", all[7].user_id),
            "Lost for each:",
            "All of them: list-",
            "30 · no such user",
        ],
    );
    let list = file(&scene, mark, "list-").await?;
    assert!(all.iter().all(|one| list.contains(one.user_id.as_str())), "{list}");
    assert!(!list.contains("@nobody"), "{list}");
    let left_out = file(&scene, mark, "left-out-").await?;
    assert!(left_out.contains("@nobody29:synod.test,Not found,"), "{left_out}");
    // Who is an operator comes first, however many others are left out.
    let told = question.body.clone();
    if let (Some(moe), Some(rest)) = (told.find(moe.as_str()), told.find("no such user")) {
        assert!(moe < rest, "{told}");
    }

    let mark = scene.ann().mark();
    let plan = scene.ann_asks(&format!("!user suspend --plan{}", lines(&all))).await?;
    says(&plan, "What", &["Nothing was sent", "plan.csv", "12, 12 requests"]);
    assert!(plan.body.len() < 3_000, "{}", plan.body);
    let requests = file(&scene, mark, "plan.csv").await?;
    assert_eq!(requests.lines().count(), 13, "{requests}");
    assert_eq!(count(&scene, &all, "suspended").await?, 0);

    let typed = format!("!user suspend\n{}", nobody.join("\n"));
    let mark = scene.ann().mark();
    let none = scene.ann_asks(&typed).await?;
    says(&none, "Nothing changed", &["30 accounts", "30 · no such user", "left-out.csv"]);
    assert!(none.body.len() < 1_000, "{}", none.body);
    assert_eq!(file(&scene, mark, "left-out.csv").await?.lines().count(), 31);
    Ok(())
}

/// Says yes in a way that does not name the question, right below one that it may answer, while
/// another is open that needs its code.
async fn right_below(
    scene: &Scene,
    names: [&str; 2],
    say: impl AsyncFn(&Person, &EventId) -> Result<OwnedEventId>,
) -> Result<()> {
    let (eve, sam) = (scene.subject(names[0]).await?, scene.subject(names[1]).await?);
    scene.synapse().log_in(&sam).await?;
    let first = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    let second = scene.ann_asks(&format!("!user logout {}", sam.user_id)).await?;
    says(&second, "", &["Go on?"]);
    let yes = say(scene.ann(), &second.event_id).await?;
    says(&scene.answer(scene.ann(), &yes).await?, "Done", &[sam.user_id.as_str()]);
    assert!(devices(scene, &sam).await?.is_empty());
    assert!(!is(scene, &eve, "deactivated").await?);
    // What needs its code is not answered so, wherever the yes stands.
    let light = scene.ann().reply(scene.room(), &first.event_id, "yes").await?;
    says(&scene.answer(scene.ann(), &light).await?, "Refused", &["needs its code"]);
    assert!(!is(scene, &eve, "deactivated").await?);
    scene.ann_asks(&format!("!cancel {}", code(&first)?)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_yes_right_below_a_question_answers_that_one() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let room = scene.room().clone();
    right_below(&scene, ["one", "two"], async |ann, _| ann.say(&room, "yes").await).await?;
    right_below(&scene, ["three", "four"], async |ann, question| {
        ann.reply(&room, question, "yes").await
    })
    .await?;
    // Also where another could be answered so; once anything else is said, it may be to any of them.
    let (kim, _) = with_device(&scene, "kim").await?;
    let (lou, _) = with_device(&scene, "lou").await?;
    let logout = |account: &Account| format!("!user logout {}", account.user_id);
    let first = scene.ann_asks(&logout(&kim)).await?;
    scene.ann_asks(&logout(&lou)).await?;
    says(&scene.ann_asks("yes").await?, "Done", &[lou.user_id.as_str()]);
    assert!(devices(&scene, &lou).await?.is_empty() && !devices(&scene, &kim).await?.is_empty());
    let second = scene.ann_asks(&format!("!user modify {} --admin", lou.user_id)).await?;
    scene.ann_asks("!pending").await?;
    let which = scene.ann_asks("yes").await?;
    says(&which, "Not understood", &["which question?", &code(&first)?, &code(&second)?]);
    assert!(!is(&scene, &lou, "admin").await? && !devices(&scene, &kim).await?.is_empty());
    scene.ann_asks(&format!("!cancel {}", code(&first)?)).await?;
    scene.ann_asks(&format!("!cancel {}", code(&second)?)).await?;
    // A reaction can be moved to another question, and is no word of its own.
    let (eve, _) = with_device(&scene, "eve").await?;
    let first = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    let second = scene.ann_asks(&format!("!user logout {}", eve.user_id)).await?;
    let yes = scene.ann().react(&room, &second.event_id, "✅").await?;
    says(
        &scene.answer(scene.ann(), &yes).await?,
        "Not understood",
        &["which question?", &code(&first)?],
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn names_in_other_alphabets_are_found_in_every_spelling() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let by_eve = api(&scene, &eve).await?;
    let tag = eve.user_id.localpart();
    let mut rooms: Vec<(String, &str)> = Vec::new();
    for (name, term) in [
        ("Ärger-Ecke", "ärger-ecke"),
        ("ЖКХ Дом", "жкх дом"),
        // A capital of a letter of ASCII that is none itself, and a letter with its mark in two characters.
        ("İstanbul", "istanbul"),
        ("A\u{308}pfel", "äpfel"),
    ] {
        let room = make(&by_eve, json!({ "name": format!("{name} {tag}") })).await?;
        until_counted(&scene.synapse().admin(), &room, 1).await?;
        rooms.push((room, term));
    }
    for (room, term) in &rooms {
        for term in [(*term).to_owned(), term.to_uppercase()] {
            let found = scene.ann_asks(&format!("!room search \"{term} {tag}\"")).await?;
            says(&found, "1 room", &[room.as_str()]);
        }
    }
    let path = format!("/_synapse/admin/v2/users/{}", eve.user_id);
    let named = json!({ "displayname": format!("Özlem Öz {tag}") });
    scene.synapse().admin().put(&path, named).await?;
    for term in ["özlem öz", "ÖZLEM ÖZ", "Özlem Öz"] {
        let found = scene.ann_asks(&format!("!user search \"{term} {tag}\"")).await?;
        says(&found, "1 account", &[eve.user_id.as_str()]);
    }
    let none = scene.ann_asks(&format!("!room search \"ünbekannt {tag}\"")).await?;
    says(&none, "no rooms", &[]);
    let listed: Value = serde_json::from_str(
        &scene.ann_asks(&format!("!room search \"жкх дом {tag}\" -o json")).await?.body,
    )?;
    assert_eq!(listed["rooms"][0]["room_id"], json!(rooms[1].0));
    let all = scene.ann_asks(&format!("!room search \"istanbul {tag}\" --all")).await?;
    says(&all, "1 room", &[&rooms[2].0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_back_says_why_and_what_is_still_frozen() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let moe = scene.moe().await?;
    let eve = scene.subject("eve").await?;
    let locked = scene.ann_asks(&format!("!user lock {}", eve.user_id)).await?;
    let number = digits(&locked.body, "!undo")?;
    let erase = format!("!user deactivate {} --gdpr-erase", eve.user_id);
    let question = scene.ann_asks(&erase).await?;
    let yes = format!("!confirm {} {}", code(&question)?, eve.user_id.localpart());
    says(&scene.ann_asks(&yes).await?, "Done", &[]);
    let undo = scene.ann_asks(&format!("!undo {number}")).await?;
    says(&undo, "Refused", &["has been erased since", &format!("!audit show {number}")]);
    says(&scene.ann_asks(&format!("!audit show {number}")).await?, "", &["user lock"]);

    says(&scene.ann_asks(&format!("!freeze {}", moe.user_id())).await?, "Done", &["frozen"]);
    scene.ann_asks("!freeze").await?;
    let unfrozen = scene.ann_asks(&format!("!unfreeze {}", moe.user_id())).await?;
    says(&unfrozen, "Done", &["no longer frozen", "I have been frozen since", "!unfreeze"]);
    scene.ann_asks("!unfreeze").await?;
    says(&scene.ask(moe, "!unfreeze").await?, "Done", &["I am no longer frozen"]);
    let sam = scene.subject("sam").await?;
    says(&scene.ann_asks(&format!("!user lock {}", sam.user_id)).await?, "Done", &[]);
    Ok(())
}

/// The end of a job is said to the question that was put with a list.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_with_its_list_is_answered_like_any_other() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let all = accounts(&scene, 11).await?;
    let question = scene.ann_asks(&format!("!user lock{}", lines(&all))).await?;
    let yes = say_yes(&scene, &question, 11).await?;
    says(&ended(&scene, &yes).await?, "Done · 11 of 11", &[]);
    assert_eq!(count(&scene, &all, "locked").await?, 11);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_nearly_a_command_is_understood_or_told_with_what_to_type() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, bob) = (scene.subject("eve").await?, scene.subject("bob").await?);
    let (id, localpart) = (eve.user_id.as_str(), eve.user_id.localpart());
    for typed in [
        format!("!user details ({id})"),
        format!("!user details {id}'s"),
        format!("!user details [\"{id}\"]"),
        format!("!user details **{id}**"),
        format!("!user details @{localpart}:SYNOD.TEST"),
        format!("!user details https://app.element.io/#/user/{id}"),
        format!("!user details http://matrix.to/#/{id}?via=synod.test"),
        format!("!!user details {localpart}"),
        format!("{}: !user details {localpart}", scene.bot_id().localpart()),
    ] {
        let answer = scene.ann_asks(&typed).await.with_context(|| typed.clone())?;
        says(&answer, "", &[id, "Created: "]);
    }
    for (typed, meant) in [
        ("!user suspend {} because he spams", "--reason"),
        ("!user suspend {} -plan", "--plan"),
        ("!user suspend {} plan", "--plan"),
        ("!user suspend {} for a week", "--for"),
        ("!suspend {}", "!user suspend"),
        ("!user.suspend {}", "!user suspend"),
        ("!user suspend {} — spam", "not a user name"),
        ("/user suspend {}", "exclamation mark"),
        ("(!user suspend {})", "exclamation mark"),
        ("~~!user suspend {}~~", "struck out"),
        ("!room details Lobby", "!room search"),
    ] {
        let typed = typed.replace("{}", localpart);
        let answer = scene.ann_asks(&typed).await.with_context(|| typed.clone())?;
        says(&answer, "Not understood", &[meant]);
        assert!(!is(&scene, &eve, "suspended").await?, "{typed}");
    }
    let planned = scene.ann_asks(&format!("!user suspend {localpart} −−plan")).await?;
    says(&planned, "What", &["Nothing was sent"]);
    let asked = format!("!user suspend {localpart} and {}", bob.user_id.localpart());
    let again = scene.ann_asks(&asked).await?;
    says(&again, "Not understood", &["put nothing but spaces between them"]);
    let question = scene.ann_asks(offered(&again, "!user suspend")?).await?;
    says(&question, "Suspend 2 accounts, ", &[id, bob.user_id.as_str()]);
    says(&scene.ann_asks("yes").await?, "Done", &["2 accounts"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_other_words_is_an_answer_or_is_told() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    for (place, yes) in ["✅", "Okay.", "**yes**"].into_iter().enumerate() {
        let (eve, _) = with_device(&scene, &format!("eve{place}")).await?;
        scene.ann_asks(&format!("!user logout {}", eve.user_id)).await?;
        says(&scene.ann_asks(yes).await?, "Done", &[eve.user_id.as_str()]);
        assert!(devices(&scene, &eve).await?.is_empty(), "{yes}");
    }
    let (eve, _) = with_device(&scene, "eve").await?;
    let question = scene.ann_asks(&format!("!user logout {}", eve.user_id)).await?;
    let code = code(&question)?;
    for almost in ["ja", "yes please", "confirm", &format!("yes {code}"), &code] {
        let told = scene.ann_asks(almost).await.with_context(|| almost.to_owned())?;
        says(
            &told,
            "Not understood",
            &["nothing was done", &format!("!confirm {code}"), "!cancel"],
        );
        assert!(!devices(&scene, &eve).await?.is_empty(), "{almost}");
    }
    // What is told is right as it stands, and so is the shorter word.
    says(&scene.ann_asks(&format!("!confirm #{code}.")).await?, "Done", &[eve.user_id.as_str()]);
    assert!(devices(&scene, &eve).await?.is_empty());
    // Without a question it is talk.
    let talk = scene.ann().say(scene.room(), "ja").await?;
    scene.unanswered(&talk).await
}
