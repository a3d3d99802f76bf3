//! What each verb does to a real homeserver, and what it refuses.

use anyhow::{Context as _, Result};
use serde_json::json;
use world::{Account, Scene};

use crate::{
    SYNOD,
    support::{code, is, offered, says, with_device, with_yes},
};

#[tokio::test(flavor = "multi_thread")]
async fn help_leads_from_everything_to_one_command() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    says(&scene.ann_asks("!help").await?, "", &["!user suspend", ", device, ", "confirm"]);
    says(&scene.ann_asks("!help user").await?, "", &["!user deactivate", "!user list"]);
    let by_help = scene.ann_asks("!help user deactivate").await?;
    says(&by_help, "", &["--gdpr-erase", "!user deactivate @ann:example.org"]);
    assert_eq!(scene.ann_asks("!user deactivate --help").await?.body, by_help.body);

    let wrong = scene.ann_asks("!user sspend @x").await?;
    says(&wrong, "Not understood", &["sspend", "!user suspend @x"]);
    assert!(wrong.body.lines().count() < 10, "a wall: {}", wrong.body);
    let option = scene.ann_asks("!user deactivate @x --erase").await?;
    says(&option, "Not understood", &["--erase", "Did you mean"]);
    says(&scene.ann_asks("!user deactivate @x --yes").await?, "Not understood", &["--yes"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_phones_make_of_a_command_is_understood() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let id = &eve.user_id;
    says(&scene.ann_asks(&format!("!User suspend {id}")).await?, "Done", &[]);
    let typed = format!("!user suspend {id} \u{2014}unsuspend");
    says(&scene.ann_asks(&typed).await?, "Done", &["is no longer suspended"]);
    let named = format!("!user modify {id} -n \u{201c}Eve Lee\u{201d}");
    says(&scene.ann_asks(&named).await?, "Done", &["Eve Lee"]);
    let api = scene.synapse().admin();
    assert_eq!(api.account(id).await?["displayname"], "Eve Lee");

    let pill = format!("<a href=\"https://matrix.to/#/{id}\">Eve</a>");
    let (text, html) = ("!user suspend Eve", format!("!user suspend {pill}"));
    let event = scene.ann().say_html(scene.room(), text, &html).await?;
    says(&scene.answer(scene.ann(), &event).await?, "Done", &[id.as_str()]);
    assert!(is(&scene, &eve, "suspended").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_searches_find_accounts_page_by_page() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (_, tag) = eve.user_id.localpart().split_once('-').context("subjects have a tag")?;
    let search = scene.ann_asks(&format!("!user search {tag}")).await?;
    says(&search, "", &[eve.user_id.as_str(), sam.user_id.as_str()]);
    says(&scene.ann_asks("!user search nobody-has-this-name").await?, "no accounts", &[]);

    scene.ann_asks(&format!("!user suspend {}", eve.user_id)).await?;
    let list = scene.ann_asks(&format!("!user list -n {}", eve.user_id.localpart())).await?;
    says(&list, "", &[eve.user_id.as_str(), "suspended"]);
    assert!(!list.body.contains(sam.user_id.as_str()), "{}", list.body);

    let first = scene.ann_asks("!user list --limit 2").await?;
    says(&first, "", &["1 to 2 shown", "accounts"]);
    let next = offered(&first, "!user list --limit 2 --from 2")?;
    let second = scene.ann_asks(next).await?;
    says(&second, "", &["3 to 4 shown"]);

    let new = scene.ann_asks("!user list --since 1h --limit 1000").await?;
    says(&new, "", &[sam.user_id.as_str()]);
    says(&scene.ann_asks("!user list --since 03/04").await?, "Not understood", &["03/04"]);

    with_yes(&scene, &format!("!user deactivate {}", sam.user_id)).await?;
    let mine = format!("!user list -n {}", sam.user_id.localpart());
    assert!(!scene.ann_asks(&mine).await?.body.contains(sam.user_id.as_str()));
    says(&scene.ann_asks(&format!("{mine} -d")).await?, "", &[sam.user_id.as_str(), "deactivated"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_an_account_is_shown() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, device) = with_device(&scene, "eve").await?;
    let ann = scene.ann();
    ann.upload(vec![7; 2048], "image/png", "cat.png").await?;

    let details = scene.ann_asks(&format!("!user details {} --all", eve.user_id)).await?;
    says(&details, "", &["Created: 20", "UTC", "State: active", "Devices: 1", "Server admin: no"]);
    let shown = scene.ann_asks(&format!("!user show {}", eve.user_id.localpart())).await?;
    assert!(shown.body.contains(eve.user_id.as_str()), "{}", shown.body);

    for look in ["user whois", "device list"] {
        let closed = scene.ann_asks(&format!("!{look} {}", eve.user_id)).await?;
        assert!(!closed.body.contains("127.0.0.1"), "{}", closed.body);
        let open = scene.ann_asks(&format!("!{look} {} --show-ip", eve.user_id)).await?;
        says(&open, "", &[eve.user_id.as_str(), "127.0.0.1"]);
    }
    says(&scene.ann_asks("!audit").await?, "", &["looked at private things", "--show-ip"]);
    let devices = scene.ann_asks(&format!("!device list {}", eve.user_id)).await?;
    says(&devices, "", &["1 device", &device]);

    let rooms = scene.ann_asks(&format!("!user membership {}", ann.user_id())).await?;
    says(&rooms, "", &["is in 1 room", scene.room().as_str(), "Admin room"]);
    let media = scene.ann_asks(&format!("!user media {}", ann.user_id())).await?;
    says(&media, "", &["1 file", "cat.png"]);
    says(&scene.ann_asks("!server version").await?, "", &["1.163.2", "synod.test"]);

    for look in ["user details", "user whois", "user media", "device list", "user membership"] {
        let unknown = scene.ann_asks(&format!("!{look} @nobody-at-all:synod.test")).await?;
        says(&unknown, "Not found", &["no such user"]);
    }
    let remote = scene.ann_asks("!user details @bob:elsewhere.example").await?;
    says(&remote, "Refused", &["@bob:elsewhere.example"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn modify_shows_old_and_new_and_is_taken_back() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let (id, api) = (&eve.user_id, scene.synapse().admin());
    let named = scene.ann_asks(&format!("!user modify {id} -n \"Eve Lee\" --lock")).await?;
    says(&named, "Done", &["eve", "→", "Eve Lee", "no → yes"]);
    let account = api.account(id).await?;
    assert_eq!((&account["displayname"], &account["locked"]), (&json!("Eve Lee"), &json!(true)));
    let undone = scene.ann_asks(offered(&named, "!undo")?).await?;
    says(&undone, "Done", &[]);
    let account = api.account(id).await?;
    assert_eq!((&account["displayname"], &account["locked"]), (&json!("eve"), &json!(false)));

    let same = scene.ann_asks(&format!("!user modify {id} -n eve")).await?;
    says(&same, "Nothing changed", &[]);
    says(&with_yes(&scene, &format!("!user modify {id} --admin")).await?, "Done", &[]);
    assert!(is(&scene, &eve, "admin").await?);
    let deactivate = scene.ann_asks(&format!("!user modify {id} --deactivate")).await?;
    says(&deactivate, "", &["!confirm"]);
    assert!(!is(&scene, &eve, "deactivated").await?, "another name for it takes the same question");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typo_creates_nobody_and_create_does() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let new = format!("@new-{}:synod.test", eve.user_id.localpart());
    let path = format!("/_synapse/admin/v2/users/{new}");
    let exists = async || anyhow::Ok(scene.synapse().admin().get(&path).await?.0 == 200);

    let typo = scene.ann_asks(&format!("!user modify {new} -n Eve")).await?;
    says(&typo, "Not found", &["no such user", "--create"]);
    assert!(!exists().await?);
    let question = scene.ann_asks(&format!("!user modify {new} -n Eve --create")).await?;
    assert!(!exists().await?, "a question creates nobody");
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["is created"]);
    assert!(exists().await?);
    let again = scene.ann_asks(&format!("!user modify {new} -n Eve --create")).await?;
    says(&again, "Refused", &["already exists"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn suspending_says_what_is_so() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let id = &eve.user_id;
    says(&scene.ann_asks(&format!("!user unsuspend {id}")).await?, "Nothing changed", &[]);
    says(&scene.ann_asks(&format!("!user suspend {id}")).await?, "Done", &["!undo"]);
    says(&scene.ann_asks(&format!("!user suspend {id}")).await?, "Nothing changed", &["already"]);
    says(&scene.ann_asks(&format!("!user unsuspend {id}")).await?, "Done", &[]);
    assert!(!is(&scene, &eve, "suspended").await?);
    for verb in ["suspend", "unsuspend"] {
        let unknown = scene.ann_asks(&format!("!user {verb} @nobody-at-all:synod.test")).await?;
        says(&unknown, "Not found", &["no such user"]);
        let remote = scene.ann_asks(&format!("!user {verb} @bob:elsewhere.example")).await?;
        says(&remote, "Refused", &["elsewhere.example"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn deactivating_tells_unknown_remote_and_deactivated_apart() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, _) = with_device(&scene, "eve").await?;
    let near = format!("!user deactivate @{}x:synod.test", eve.user_id.localpart());
    let unknown = scene.ann_asks(&near).await?;
    says(&unknown, "Not found", &["no such user"]);
    assert!(!unknown.body.contains("!user deactivate"), "a near match to run: {}", unknown.body);
    let remote = scene.ann_asks("!user deactivate @bob:elsewhere.example").await?;
    says(&remote, "Refused", &["elsewhere.example"]);
    assert!(!remote.body.contains("no such user"), "{}", remote.body);

    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    says(&question, "Deactivate", &["without erasing", "1 device", "its messages", "its media"]);
    // Names and last seen may change all the while; they bind nothing.
    let path = format!("/_synapse/admin/v2/users/{}", eve.user_id);
    scene.synapse().admin().put(&path, json!({ "displayname": "Somebody else" })).await?;
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["not erased", "!user membership"]);
    let account = scene.synapse().admin().account(&eve.user_id).await?;
    assert_eq!((&account["deactivated"], &account["erased"]), (&json!(true), &json!(false)));
    let again = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    says(&again, "Nothing changed", &["already"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_fact_that_changed_is_asked_again() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let question = scene.ann_asks(&format!("!user deactivate {}", eve.user_id)).await?;
    let path = format!("/_synapse/admin/v2/users/{}", eve.user_id);
    scene.synapse().admin().put(&path, json!({ "admin": true })).await?;
    let first = code(&question)?;
    let again = scene.ann_asks(&format!("!confirm {first}")).await?;
    says(&again, "", &["Something changed", "admin was", "!confirm"]);
    assert_ne!(code(&again)?, first);
    assert!(!is(&scene, &eve, "deactivated").await?);
    let late = scene.ann_asks(&format!("!confirm {first}")).await?;
    says(&late, "Nothing changed", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_listed_cancelled_and_told_apart() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    says(&scene.ann_asks("!pending").await?, "No question", &[]);
    let admin = |account: &Account| format!("!user modify {} --admin", account.user_id);
    let first = scene.ann_asks(&admin(&eve)).await?;
    let second = scene.ann_asks(&admin(&sam)).await?;
    let (one, two) = (code(&first)?, code(&second)?);
    says(&scene.ann_asks("!pending").await?, "2 questions", &[&one, &two]);
    let which = scene.ann_asks("yes").await?;
    says(&which, "Not understood", &["which", &one, &two]);
    for verb in ["!confirm", "!cancel"] {
        let (one, two) = (format!("{verb} {one}"), format!("{verb} {two}"));
        says(&scene.ann_asks(verb).await?, "Not understood", &["which", &one, &two]);
    }
    assert!(!is(&scene, &eve, "admin").await? && !is(&scene, &sam, "admin").await?);

    let cancelled = scene.ann_asks(&format!("!cancel {one}")).await?;
    says(&cancelled, "Nothing changed", &["cancelled"]);
    let edit = scene.ann().edit_of(&first.event_id, |_| true).await?;
    assert!(edit.body.contains("Cancelled"), "{}", edit.body);
    let late = scene.ann_asks(&format!("!confirm {one}")).await?;
    says(&late, "Nothing changed", &["is already closed", "Cancelled at"]);
    says(&scene.ann_asks("!confirm 000000").await?, "Not found", &["no such question"]);
    let yes = scene.ann_asks("yes").await?;
    says(&yes, "Not understood", &["not the last message here", &format!("!confirm {two}")]);
    let done = scene.ann_asks(&format!("!confirm {two}")).await?;
    says(&done, "Done", &[sam.user_id.as_str()]);
    assert!(!is(&scene, &eve, "admin").await? && is(&scene, &sam, "admin").await?);
    says(&scene.ann_asks("!audit").await?, "", &[" changed @", " cancelled user modify"]);
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);
    says(&scene.ann_asks("!confirm").await?, "Nothing changed", &["you have no open question"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_have_changed_since_is_not_undone() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (moe, api) = (scene.moe().await?, scene.synapse().admin());
    let (id, sams) = (&eve.user_id, &sam.user_id);
    // By another operator, and past the bot.
    let done = scene.ann_asks(&format!("!user suspend {id}")).await?;
    let undo = offered(&done, "!undo")?.to_owned();
    says(&scene.ask(moe, &format!("!user unsuspend {id}")).await?, "Done", &[]);
    let done = scene.ann_asks(&format!("!user lock {sams}")).await?;
    let unlock = offered(&done, "!undo")?.to_owned();
    let path = format!("/_synapse/admin/v2/users/{sams}");
    api.put(&path, json!({ "locked": false })).await?;
    for person in [scene.ann(), moe] {
        for undo in [&undo, &unlock] {
            let refused = scene.ask(person, undo).await?;
            says(&refused, "Refused", &["it has changed since"]);
        }
    }
    assert!(!is(&scene, &eve, "suspended").await? && !is(&scene, &sam, "locked").await?);

    // Of several that one command has changed, what somebody has changed since is left alone.
    let question = scene.ann_asks(&format!("!user suspend {id} {sams}")).await?;
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    let undo = offered(&done, "!undo")?.to_owned();
    says(&scene.ask(moe, &format!("!user unsuspend {sams}")).await?, "Done", &[]);
    let mut answer = scene.ann_asks(&undo).await?;
    if answer.body.contains("!confirm") {
        answer = scene.ann_asks(&format!("!confirm {}", code(&answer)?)).await?;
    }
    says(&answer, "", &[sams.as_str()]);
    assert!(!is(&scene, &sam, "suspended").await? && !is(&scene, &eve, "suspended").await?);

    // Nor is a name that somebody else has given since.
    let named = scene.ann_asks(&format!("!user modify {id} -n \"Eve Lee\"")).await?;
    says(&scene.ask(moe, &format!("!user modify {id} -n Eva")).await?, "Done", &[]);
    let undone = scene.ann_asks(offered(&named, "!undo")?).await?;
    says(&undone, "Refused", &["it has changed since", "Eva"]);
    assert_eq!(api.account(&eve.user_id).await?["displayname"], "Eva");
    Ok(())
}
