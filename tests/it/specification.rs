//! A homeserver that is not Synapse: what the specification has for admins works, all else says that it is
//! not there, and which of both it is, is found by asking. The real Synapse stands behind it, and is looked
//! at past what stands between.

use anyhow::{Context as _, Result};
use futures_util::future::try_join_all;
use reqwest::Method;
use serde_json::json;
use world::{Account, Foreign, Passed, Proxy, Scene};

use crate::{
    SYNOD,
    jobs::{accounts, count, ended, lines, say_yes},
    support::{api, is, make, offered, says, told_in_reply, with_device},
};

mod page;

/// A scene on a homeserver that serves this.
async fn on(foreign: Foreign) -> Result<(Scene, Proxy)> {
    let scene = Scene::plan().set().await?;
    let proxy = Proxy::start(&scene.synapse().url()).await?;
    proxy.look_like(foreign);
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    scene.start_bot(SYNOD, &config).await?;
    Ok((scene, proxy))
}

/// The paths of the changes that were sent since this mark.
fn changes(proxy: &Proxy, mark: usize) -> Vec<String> {
    proxy.changes().split_off(mark).into_iter().map(|passed| passed.path).collect()
}

/// Whether an account is suspended, and whether it is locked.
async fn states(scene: &Scene, account: &Account) -> Result<(bool, bool)> {
    Ok((is(scene, account, "suspended").await?, is(scene, account, "locked").await?))
}

fn is_of_admin_api(passed: &Passed) -> bool {
    passed.path.starts_with("/_synapse/")
}

#[tokio::test(flavor = "multi_thread")]
async fn suspending_and_locking_go_by_the_specification_and_are_seen() -> Result<()> {
    let (scene, proxy) = on(Foreign::SPECIFIED).await?;
    let eve = scene.subject("eve").await?;
    let id = &eve.user_id;

    let suspended = scene.ann_asks(&format!("!user suspend {id} --reason spam")).await?;
    says(&suspended, "Done", &["is suspended", "Undo: "]);
    assert_eq!(states(&scene, &eve).await?, (true, false));
    let sent = changes(&proxy, 0);
    let [path] = sent.as_slice() else { panic!("one request: {sent:?}") };
    assert!(path.starts_with("/_matrix/client/v1/admin/suspend/"), "{path}");
    let again = scene.ann_asks(&format!("!user suspend {id}")).await?;
    says(&again, "Nothing changed", &["is already suspended", "!user details"]);
    let details = scene.ann_asks(&format!("!user details {id}")).await?;
    says(&details, "", &["State: suspended", "Name: "]);
    says(&scene.ann_asks(offered(&suspended, "!undo")?).await?, "Done", &[]);
    assert_eq!(states(&scene, &eve).await?, (false, false));

    says(&scene.ann_asks(&format!("!user lock {id}")).await?, "Done", &["is locked"]);
    assert_eq!(states(&scene, &eve).await?, (false, true));
    says(&scene.ann_asks(&format!("!user unlock {id}")).await?, "Done", &["no longer locked"]);
    assert_eq!(states(&scene, &eve).await?, (false, false));

    let imposed = scene.ann_asks(&format!("!user suspend {id} --for 2s")).await?;
    says(&imposed, "Done", &["Ends: by itself, "]);
    let lifted = told_in_reply(&scene, &imposed, "undid it as planned").await?;
    says(&lifted, "Done", &[]);
    assert_eq!(states(&scene, &eve).await?, (false, false));

    let many = accounts(&scene, 11).await?;
    let question = scene.ann_asks(&format!("!user suspend{}", lines(&many))).await?;
    let told = ended(&scene, &say_yes(&scene, &question, many.len()).await?).await?;
    says(&told, "Done · 11 of 11", &[]);
    assert_eq!(count(&scene, &many, "suspended").await?, 11);
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);

    let sent = proxy.changes();
    let by_specification = |passed: &Passed| passed.path.starts_with("/_matrix/client/v1/admin/");
    assert!(sent.iter().all(by_specification), "{sent:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_homeserver_protects_or_does_not_know_is_told() -> Result<()> {
    let (scene, proxy) = on(Foreign::SPECIFIED).await?;
    let password = "correct horse";
    let tag = scene.bot_id().localpart().to_owned();
    let synapse = scene.synapse();
    let other = synapse.register(&format!("other-{tag}"), password, true, "other").await?;
    for verb in ["suspend", "lock"] {
        let refused = scene.ann_asks(&format!("!user {verb} {}", other.user_id)).await?;
        says(&refused, "Refused", &["server admin"]);
        assert_eq!(states(&scene, &other).await?, (false, false));
    }
    let own = scene.ann_asks(&format!("!user suspend {}", scene.keeper().user_id)).await?;
    says(&own, "Refused", &["the account of the bot's admin token"]);
    let nobody = scene.ann_asks("!user lock nobody-of-that-name").await?;
    says(&nobody, "Not found", &["no such user", "or it is deactivated"]);
    let elsewhere = scene.ann_asks("!user lock @eve:elsewhere.example").await?;
    says(&elsewhere, "Refused", &["an account on another server"]);

    let gone = scene.subject("gone").await?;
    let path = format!("/_synapse/admin/v1/deactivate/{}", gone.user_id);
    synapse.admin().post(&path, json!({ "erase": false })).await?;
    let deactivated = scene.ann_asks(&format!("!user suspend {}", gone.user_id)).await?;
    says(&deactivated, "Not found", &["no such user", "or it is deactivated"]);
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());

    let (eve, _) = with_device(&scene, "eve").await?;
    let seen = scene.ann_asks(&format!("!user whois {}", eve.user_id)).await?;
    says(&seen, "", &[eve.user_id.as_str(), "connection", "IP addresses: 1"]);
    assert!(!seen.body.contains("127.0.0.1"), "{}", seen.body);
    let shown = scene.ann_asks(&format!("!user whois {} --show-ip", eve.user_id)).await?;
    says(&shown, "", &["127.0.0.1"]);
    let nobody = scene.ann_asks("!user whois nobody-of-that-name").await?;
    says(&nobody, "Not found", &["no such user", "or it is deactivated"]);

    let found = scene.ann_asks("!doctor").await?;
    says(&found, "", &["no Admin API of Synapse", "specification's suspend and lock"]);
    assert!(!found.body.contains("admin token: "), "the bot works: {}", found.body);
    let told = format!("!user suspend {} --tell \"No advertising\"", eve.user_id);
    says(&scene.ann_asks(&told).await?, "Failed", &["does not serve", "!notice send"]);
    assert_eq!(states(&scene, &eve).await?, (false, false));
    for (command, verb) in [("!wave", "!wave"), (&*format!("!watch {}", eve.user_id), "!watch")] {
        says(&scene.ann_asks(command).await?, "Failed", &["does not serve", verb]);
    }
    let help = scene.ann_asks("!help room list").await?;
    says(&help, "", &["Not here: ", "does not serve", "!user suspend"]);
    Ok(())
}

/// An Admin API of which most is not there, as other homeservers have it.
const PART: Foreign = Foreign {
    admin_api: &["v1/server_version", "v2/users"],
    suspend: false,
    lock: false,
    ..Foreign::SPECIFIED
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_is_read_back_and_what_is_served_is_asked_anew() -> Result<()> {
    let (scene, proxy) = on(PART).await?;
    let eve = scene.subject("eve").await?;
    let user = |words: &str| format!("!user {words} {}", eve.user_id);

    // A part of the Admin API is there: each verb finds out by itself.
    let found = scene.ann_asks(&format!("!user search {}", eve.user_id.localpart())).await?;
    says(&found, "", &[eve.user_id.as_str()]);
    let rooms = scene.ann_asks("!room list").await?;
    says(&rooms, "Failed", &["does not serve", "!room list", "it is not Synapse"]);
    let refused = scene.ann_asks(&user("suspend")).await?;
    says(&refused, "Failed", &["does not have this function", "it is not Synapse"]);
    assert_eq!(states(&scene, &eve).await?, (false, false));

    // None of it is there any more.
    proxy.look_like(Foreign::SPECIFIED);
    says(&scene.ann_asks(&user("suspend")).await?, "Done", &["is suspended"]);
    assert_eq!(states(&scene, &eve).await?, (true, false));
    says(&scene.ann_asks(&user("unsuspend")).await?, "Done", &[]);

    // What is asked for is not what is done.
    proxy.look_like(Foreign { lock_suspends: true, ..Foreign::SPECIFIED });
    let locked = scene.ann_asks(&format!("{} --for 1h", user("lock"))).await?;
    says(&locked, "Done in part", &["now suspended, and not locked", "Undo: "]);
    assert_eq!(states(&scene, &eve).await?, (true, false));
    says(&scene.ann_asks("!sanction list").await?, "No temporary measures", &[]);
    says(&scene.ann_asks(offered(&locked, "!undo")?).await?, "Done", &["no longer suspended"]);
    assert_eq!(states(&scene, &eve).await?, (false, false));

    // One of the two is not there any more: found at the look, and then known before it.
    proxy.look_like(Foreign { lock: false, ..Foreign::SPECIFIED });
    let refused = scene.ann_asks(&user("lock")).await?;
    says(&refused, "Refused", &["does not let its admins", "locked"]);
    let refused = scene.ann_asks(&user("lock")).await?;
    says(
        &refused,
        "Failed",
        &["does not serve", "!user lock", "What works here: ", "!user suspend"],
    );
    let suspended = scene.ann_asks(&user("suspend")).await?;
    says(&suspended, "Done", &["is suspended"]);
    assert_eq!(states(&scene, &eve).await?, (true, false));

    // It has them at the paths that they had before.
    proxy.look_like(Foreign { stable: false, ..Foreign::SPECIFIED });
    let mark = proxy.changes().len();
    says(&scene.ann_asks(&user("unsuspend")).await?, "Done", &[]);
    let sent = changes(&proxy, mark);
    let [path] = sent.as_slice() else { panic!("one request: {sent:?}") };
    let start = "/_matrix/client/unstable/uk.timedout.msc4323/admin/suspend/";
    assert!(path.starts_with(start), "{path}");
    assert_eq!(states(&scene, &eve).await?, (false, false));

    // Whoever is no admin any more is told of nothing, and that is not taken for the account's doing.
    let rights = async |admin: bool| {
        let path = format!("/_synapse/admin/v1/users/{}/admin", scene.keeper().user_id);
        scene.synapse().admin().put(&path, json!({ "admin": admin })).await
    };
    assert_eq!(rights(false).await?.0, 200);
    let refused = scene.ann_asks(&user("suspend")).await?;
    says(&refused, "Failed", &["does not serve", "check that the account of my admin token"]);
    assert_eq!(rights(true).await?.0, 200);
    says(&scene.ann_asks(&user("suspend")).await?, "Done", &["is suspended"]);
    says(&scene.ann_asks(&user("unsuspend")).await?, "Done", &[]);

    // It is Synapse after all.
    proxy.look_like(None);
    let mark = proxy.changes().len();
    says(&scene.ann_asks(&user("lock")).await?, "Done", &["is locked"]);
    let sent = changes(&proxy, mark);
    assert!(sent.iter().all(|path| path.starts_with("/_synapse/admin/")), "{sent:?}");
    assert_eq!(states(&scene, &eve).await?, (false, true));
    says(&scene.ann_asks("!room list").await?, "", &["shown"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_verb_says_that_it_is_not_there_and_asks_for_nothing() -> Result<()> {
    let (scene, proxy) = on(Foreign::SPECIFIED).await?;
    let eve = scene.subject("eve").await?;
    let alias = format!("elsewhere-{}", scene.bot_id().localpart());
    make(&api(&scene, &eve).await?, json!({ "room_alias_name": alias })).await?;
    let typed = |example: &str| {
        let lobby = format!("#{alias}:{}", world::SERVER_NAME);
        example
            .replace("@ann:example.org", eve.user_id.as_str())
            .replace("#lobby:example.org", &lobby)
    };
    // From now on it is known what is served.
    says(&scene.ann_asks(&format!("!user whois {}", eve.user_id)).await?, "", &["connection"]);
    let (before, mark) = (proxy.changes().len(), proxy.requests().len());
    let mut seen = Vec::new();
    // Several at once, which is faster.
    for some in page::first_examples().chunks(8) {
        let asked = some.iter().map(|(verb, example)| {
            let command = format!("!{}", typed(example));
            let scene = &scene;
            async move { anyhow::Ok((verb, command.clone(), scene.ann_asks(&command).await?)) }
        });
        for (verb, command, answer) in try_join_all(asked).await? {
            let works = page::works(verb, &answer).with_context(|| command)?;
            seen.push((verb.clone(), works));
        }
    }
    let asked = proxy.requests().split_off(mark);
    let in_vain: Vec<_> = asked.iter().filter(|passed| is_of_admin_api(passed)).collect();
    assert!(in_vain.is_empty(), "{in_vain:#?}");
    let puts = proxy.changes().split_off(before);
    assert!(puts.iter().all(|passed| passed.method == Method::PUT), "{puts:#?}");
    page::hold(&seen)
}
