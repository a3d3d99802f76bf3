//! What this homeserver cannot serve: it is too old, another worker has it, or its accounts are
//! delegated. Said when it is tried, and in help.

use anyhow::Result;
use reqwest::Method;
use serde_json::json;
use synod::commands::{Delegated, GROUPS, needs};
use world::{Fault, Options, Scene, Synapse, Things, operations};

use crate::{
    SYNOD,
    jobs::{accounts, ended, lines, say_yes},
    support::{is, says, watched, with_yes},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_homeserver_that_is_too_old_is_told_when_tried_and_in_help() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let is = |version: &str| {
        let version = json!({ "server_version": format!("{version} (b=old)") });
        proxy.next(Method::GET, "/v1/server_version", Fault::Answer(200, version))
    };
    let old = || is("1.99.0");
    for (command, since) in [("user redact", "1.116"), ("user invites", "1.122")] {
        let _old = old();
        let refused = scene.ann_asks(&format!("!{command} {}", eve.user_id)).await?;
        says(&refused, "Failed", &["too old", &format!("!{command}"), "Synapse 1.99", since]);
        let _old = old();
        let help = scene.ann_asks(&format!("!help {command}")).await?;
        let takes = format!("Synapse {since} or newer");
        says(&help, "", &[&takes, "Not here: ", "Synapse 1.99"]);
        let _old = old();
        assert_eq!(scene.ann_asks(&format!("!{command} --help")).await?.body, help.body);
        let help = scene.ann_asks(&format!("!help {command}")).await?.body;
        assert!(help.contains(&takes) && !help.contains("Not here"), "{help}");
    }
    // It would redact everything, having no idea of what is older.
    let _old = is("1.150.0");
    let refused = scene.ann_asks(&format!("!user redact {} --before 30d", eve.user_id)).await?;
    says(&refused, "Failed", &["too old", "--before", "Synapse 1.150", "1.157"]);
    let _old = is("1.150.0");
    let help = scene.ann_asks("!help user redact").await?;
    says(&help, "", &["Not here: ", "--before", "--after", "Synapse 1.150"]);
    let _old = is("1.99.0");
    let refused = scene.ann_asks("!room list --public").await?;
    says(&refused, "Failed", &["too old", "--public", "1.110"]);
    let _old = is("1.150.0");
    let without = scene.ann_asks(&format!("!user redact {}", eve.user_id)).await?;
    says(&without, "Nothing changed", &["is in no room here"]);
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_worker_serves_is_told_with_what_to_set() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let rows = [
        ("!task list".to_owned(), "/v1/scheduled_tasks"),
        (format!("!user pushers {}", eve.user_id), "/pushers"),
        ("!media quarantine mxc://synod.test/a".to_owned(), "/v1/media/synod.test/a"),
    ];
    for (command, route) in rows {
        let unknown = json!({ "errcode": "M_UNRECOGNIZED", "error": "Unrecognized request" });
        let _trap = proxy.next(Method::GET, route, Fault::Answer(404, unknown));
        let refused = scene.ann_asks(&command).await?;
        says(&refused, "Failed", &["another worker", "homeserver.admin_url", "!server version"]);
    }
    Ok(())
}

/// What is not there any more where accounts are delegated, and the verb that takes it.
const GONE: [(&str, &str, &str); 12] = [
    ("POST", "v1/account_validity/validity", "user validity"),
    ("GET", "v1/register", ""),
    ("POST", "v1/register", ""),
    ("GET", "v1/registration_tokens", "regtok list"),
    ("DELETE", "v1/registration_tokens/{token}", "regtok delete"),
    ("GET", "v1/registration_tokens/{token}", "regtok details"),
    ("PUT", "v1/registration_tokens/{token}", "regtok update"),
    ("POST", "v1/registration_tokens/new", "regtok new"),
    ("POST", "v1/reset_password/{target_user_id}", "user password"),
    ("GET", "v1/users/{user_id}/admin", "user admin"),
    ("PUT", "v1/users/{user_id}/admin", "user admin"),
    ("POST", "v1/users/{user_id}/login", "user login"),
];

/// The operations that a homeserver does not have. Nothing is done: no token is shown to it.
async fn gone(synapse: &Synapse) -> Result<Vec<(String, String)>> {
    let (http, mut gone) = (world::http(), Vec::new());
    for (path, method) in operations().await? {
        let url = format!("{}/_synapse/admin/{path}", synapse.url());
        let answer = http.request(method.parse()?, url).json(&json!({})).send().await?;
        if answer.status() == 404 && answer.text().await?.contains("M_UNRECOGNIZED") {
            gone.push((path, method));
        }
    }
    gone.sort();
    Ok(gone)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_authentication_service_keeps_is_left_to_it() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let things = Things::of(&synapse, scene.subject("eve").await?).await?;
    let eve = &things.eve.user_id;
    assert!(gone(&synapse).await?.is_empty());
    let help = scene.ann_asks("!help user password").await?;
    says(&help, "", &["if an authentication service manages", "homeserver.authentication_service"]);
    assert!(!help.body.contains("Not here"), "{}", help.body);

    let many = accounts(&scene, 11).await?;
    synapse.delegate().await?;
    let mut known: Vec<_> =
        GONE.map(|(method, path, _)| (path.to_owned(), method.to_owned())).into();
    known.sort();
    assert_eq!(gone(&synapse).await?, known);
    for (_, path, verb) in GONE {
        let there = matches!(needs(verb).delegated, Delegated::Nothing | Delegated::There);
        assert!(verb.is_empty() || there, "{path}");
    }
    let before = synapse.admin().account(eve).await?;
    for group in GROUPS {
        let cannot = |verb: &&synod::commands::Spec| {
            matches!(verb.needs.delegated, Delegated::Nothing | Delegated::There)
        };
        for verb in group.verbs.iter().filter(cannot) {
            for example in verb.examples {
                let refused = scene.ann_asks(&things.typed(example)).await?;
                says(&refused, "Failed", &["an authentication service", "Do it there"]);
            }
        }
    }
    for verb in ["kick", "demote"] {
        let command = things.typed(&format!("room {verb} #lobby:example.org @ann:example.org"));
        let refused = scene.ann_asks(&format!("{command} --as-user")).await?;
        says(&refused, "Failed", &["an authentication service", "only without", "--as-user"]);
        let as_admin = scene.ann_asks(&command).await?;
        says(&as_admin, "Refused", &["the account of my admin token"]);
    }
    for option in ["--lock", "--unlock", "--admin", "--activate"] {
        let refused = scene.ann_asks(&format!("!user modify {eve} {option}")).await?;
        says(&refused, "Failed", &["an authentication service"]);
    }
    let made = scene.ann_asks("!user modify @brand-new --create").await?;
    says(&made, "Failed", &["an authentication service", "!user register"]);
    assert_eq!(synapse.admin().account(eve).await?, before);
    let help = scene.ann_asks("!help user password").await?;
    says(&help, "", &["Not here: ", "an authentication service"]);
    assert_eq!(scene.ann_asks("!user password --help").await?.body, help.body);

    // The rest goes on as it was.
    says(&scene.ann_asks("!user list").await?, "", &["accounts", eve.as_str()]);
    says(&scene.ann_asks(&format!("!user suspend {eve}")).await?, "Done", &[]);
    assert!(is(&scene, &things.eve, "suspended").await?);
    let named = scene.ann_asks(&format!("!user modify {eve} -n \"Eve Lee\"")).await?;
    says(&named, "Done", &["Eve Lee"]);
    let gone = with_yes(&scene, &format!("!user deactivate {}", things.bob.user_id)).await?;
    says(&gone, "Done", &["can still log in until you do the same there"]);
    assert!(is(&scene, &things.bob, "deactivated").await?);
    let question = scene.ann_asks(&format!("!user deactivate{}", lines(&many))).await?;
    let told = ended(&scene, &say_yes(&scene, &question, many.len()).await?).await?;
    says(&told, "Done · 11 of 11", &["can still log in until you do the same there"]);
    Ok(())
}
