//! Requests by their path, to a real homeserver.

use anyhow::{Context as _, Result};
use reqwest::Method;
use ruma::UserId;
use serde_json::json;
use world::{Fault, Message, Scene};

use crate::{
    SYNOD,
    support::{api, code, digits, is, make, says, watched, with_device, with_yes},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_look_shows_what_was_answered_to_those_who_may_see_it() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, device) = with_device(&scene, "eve").await?;
    let (moe, vic) = (scene.moe().await?, scene.vic().await?);
    let devices = format!("!raw v2/users/{}/devices", eve.user_id);
    for person in [scene.ann(), moe] {
        let answer = scene.ask(person, &devices).await?;
        says(&answer, "GET /_synapse/admin/v2/users/", &[&device, "last_seen_ip"]);
    }
    says(&scene.ask(vic, &devices).await?, "Refused", &["the role moderator"]);
    says(&scene.ask(vic, "!raw v1/server_version").await?, "GET", &["server_version"]);
    let minified = scene.ann_asks("!raw /_synapse/admin/v1/server_version -o minified").await?;
    says(&minified, "{\"server_version\":\"", &[]);
    // As it is written in the homeserver's documentation.
    let written = scene.ann_asks("!raw GET /_synapse/admin/v1/server_version -o minified").await?;
    says(&written, "{\"server_version\":\"", &[]);
    // What is private is on record, and so is what nobody knows.
    let unknown = "!raw v9/nothing/known";
    says(&scene.ask(moe, unknown).await?, "Refused", &["the role admin"]);
    says(&scene.ann_asks(unknown).await?, "Failed", &["does not have this function"]);
    let record = scene.ann_asks("!audit list --limit 20").await?;
    for looked in [devices.trim_start_matches('!'), "raw v9/nothing/known"] {
        assert!(record.body.contains(looked), "{looked} is not in {}", record.body);
    }
    assert!(!record.body.contains("server_version"), "{}", record.body);

    let by_eve = api(&scene, &eve).await?;
    let room = make(&by_eve, json!({ "topic": "x".repeat(9000) })).await?;
    let mark = scene.ann().mark();
    let long = scene.ann_asks(&format!("!raw v1/rooms/{room}/state")).await?;
    says(&long, "GET", &["answer.json", "KiB"]);
    let is_file = |message: &Message| message.msgtype == "m.file";
    let file = scene.ann().wait_for_since(mark, "the file", is_file).await?;
    let state: serde_json::Value = serde_json::from_slice(&scene.ann().download(&file).await?)?;
    assert!(state["state"].as_array().is_some_and(|state| state.len() > 4), "{state}");
    Ok(())
}

/// How somebody may try to reach an account by `raw`.
fn ways_to(id: &UserId) -> Vec<String> {
    let encoded = id.as_str().replace('@', "%40").replace(':', "%3A");
    let plain = [id.as_str(), &encoded].into_iter().flat_map(|user| {
        [
            format!("v2/users/{user} -m put -d '{{\"deactivated\": true}}'"),
            format!("v1/deactivate/{user} -m post"),
            format!("v1/suspend/{user} -m put -d '{{\"suspend\": true}}'"),
            format!("v2/users/{user}/delete_devices -m post -d '{{\"devices\": []}}'"),
            format!("v2/users/{user}/devices/X -m delete"),
            format!("v9/nothing/{user} -m post"),
            format!("v2/users/{user}"),
            format!("v1/whois/{user}"),
            format!("v2/users?user_id={user}"),
        ]
    });
    let twisted = [
        format!("v9/nothing -m post -d '{{\"x\": [\"{id}\"]}}'"),
        format!("v1/send_server_notice -m post -d '{{\"user_id\": \"{id}\"}}'"),
        format!("v1/rooms/!x:synod.test/make_room_admin -m post -d '{{\"user_id\": \"{id}\"}}'"),
        format!("v2/users//{id} -m put"),
        format!("v1/../v2/users/{id} -m put"),
        format!("v1/%2e%2e/v2/users/{id} -m put"),
        format!("v2/users/{id}/ -m put"),
        format!("v2/users%2F{id} -m put"),
        format!("v2/users/{} -m put", encoded.replace('%', "%25")),
        format!("v2\\users\\{id} -m put"),
        format!("V2/users/{id} -m put"),
        format!("v2/Users/{id} -m put"),
        format!("v2/users;x=y/{id} -m put"),
        format!("http://127.0.0.1/_synapse/admin/v2/users/{id} -m put"),
    ];
    plain.chain(twisted).collect()
}

/// What is nobody's business but that of whoever is logged in.
const ONES_OWN: [&str; 19] = [
    "sync",
    "account/whoami",
    "account/3pid",
    "devices",
    "keys/changes",
    "pushers",
    "room_keys/version",
    "joined_rooms",
    "logout -m post",
    "logout/all -m post",
    "login -m post",
    "register -m post",
    "delete_devices -m post",
    "account/password -m post",
    "account/deactivate -m post",
    "user/@a:synod.test/openid/request_token -m post",
    "devices/X -m delete",
    "keys/upload -m post",
    "sendToDevice/a/b -m put",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_bots_own_is_reached_however_its_path_is_written() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let room = scene.room();
    let mut refused = Vec::new();
    for own in [scene.bot_account(), scene.keeper()] {
        refused.extend(ways_to(&own.user_id));
    }
    refused.extend([
        format!("v2/rooms/{room} -m delete"),
        format!("v1/rooms/{room}/block -m put -d '{{\"block\": true}}'"),
        format!("v9/nothing/{room} -m delete"),
        format!("v1/join/{room} -m post -d '{{\"user_id\": \"{}\"}}'", scene.accounts()[2].user_id),
        "/_synapse/mas/query_user".to_owned(),
        "/_matrix/client/v3/account/whoami".to_owned(),
    ]);
    let mark = proxy.requests().len();
    for typed in &refused {
        let answer = scene.ann_asks(&format!("!raw {typed}")).await?;
        let word = answer.body.split(" · ").next().unwrap_or_default();
        assert!(["Refused", "Not understood"].contains(&word), "{typed}: {}", answer.body);
    }
    for path in ONES_OWN {
        let answer = scene.ann_asks(&format!("!matrix raw client/v3/{path}")).await?;
        says(&answer, "Refused", &["are refused; what I"]);
    }
    let token = scene.ann_asks("!matrix raw client/versions --token hunter2-token").await?;
    says(&token, "Refused", &["secret"]);
    let kick = format!("!matrix raw client/v3/rooms/{room}/leave -m post");
    says(&scene.ann_asks(&kick).await?, "Refused", &["an admin room of the bot"]);
    let profile = format!("!matrix raw client/v3/profile/{}", scene.keeper().user_id);
    says(&scene.ann_asks(&profile).await?, "Refused", &["admin token"]);
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    // Looks at what is to be protected are the bot's own, as are those at when the account that would
    // join was last seen; none is what was typed.
    let joins = scene.accounts()[2].user_id.localpart();
    for request in proxy.requests().split_off(mark) {
        let path = &request.path;
        if path.contains(joins) && path.ends_with("/devices") {
            continue;
        }
        let typed = ["/sync", "/3pid", "/devices", "/whois/", "v9/", "/pushers", "/profile/"];
        assert!(!typed.iter().any(|typed| path.contains(typed)), "{path} was asked for");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_asked_for_sent_as_typed_and_told_as_it_is() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let path = format!("/_synapse/admin/v1/suspend/{}", eve.user_id);
    let command = format!("!raw {path} -m put -d '{{\"suspend\": true}}'");
    let plan = scene.ann_asks(&format!("{command} --plan")).await?;
    says(&plan, "What", &["Nothing was sent", &format!("PUT {path} {{\"suspend\":true}}")]);
    assert!(proxy.changes().is_empty());

    let moe = scene.moe().await?;
    let question = scene.ask(moe, &command).await?;
    says(&question, "Send", &[&format!("PUT {path}"), "user suspend", eve.user_id.as_str()]);
    assert!(!is(&scene, &eve, "suspended").await?);
    let done = scene.ask(moe, &format!("!confirm {}", code(&question)?)).await?;
    says(
        &done,
        "Done",
        &["the homeserver answered 200", "I did not check", "No undo", "On record"],
    );
    says(&done, "Done", &[&format!("user_{}_suspended", eve.user_id)]);
    assert!(is(&scene, &eve, "suspended").await?);
    let [sent] = <[_; 1]>::try_from(proxy.changes()).ok().context("one request")?;
    assert_eq!((sent.method, sent.body), (Method::PUT, json!({ "suspend": true })));

    // What it could mean at its worst is what it takes, and it is refused as any verb's.
    let account = format!("!raw v2/users/{} -m put -d '{{\"displayname\": \"E\"}}'", eve.user_id);
    says(&scene.ask(moe, &account).await?, "Refused", &["the role admin"]);
    let bad = with_yes(&scene, &format!("!raw {path} -m put -d '{{\"suspend\": 7}}'")).await?;
    says(&bad, "Refused", &["refused the request (400"]);
    // What nobody knows wants a phrase, and is about the account in it.
    let unknown = scene.ann_asks(&format!("!raw v9/nothing/{} -m post", eve.user_id)).await?;
    let confirm = format!("!confirm {}", code(&unknown)?);
    says(&scene.ann_asks(&confirm).await?, "Refused", &["phrase"]);
    let held = proxy.next(
        Method::POST,
        "/v9/nothing/",
        Fault::Answer(
            200,
            json!({
                "access_token": "abcdef", "other": "syt_ZXZl_abc", "shown": "*bold* <b>x</b>",
            }),
        ),
    );
    let said = scene.ann_asks(&format!("{confirm} {}", eve.user_id.localpart())).await?;
    held.reached().await?;
    says(&said, "Done", &["answered 200", "(withheld)", "*bold* <b>x</b>"]);
    for secret in ["abcdef", "syt_ZXZl"] {
        assert!(!said.raw.to_string().contains(secret), "{}", said.raw);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_config_says_of_a_verb_holds_for_its_path_too() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [moe, vic, _] = scene.accounts();
    let roles = json!([{
        "name": "readers", "powers": ["look", "look-private"], "verbs": ["raw"],
        "not_on": ["@staff*"],
    }]);
    let demands = json!([{ "verbs": ["user deactivate"], "others": 1 }]);
    let config = scene.config().set("roles", roles).set("questions.rules", demands);
    let config = config.operator_key(&vic.user_id, "role", "readers");
    let config = config.operator_key(&moe.user_id, "role", "admin");
    scene.start_bot(SYNOD, &config).await?;
    let (eve, staff) = (scene.subject("eve").await?, scene.subject("staff").await?);
    let vic = scene.vic().await?;
    let of = |account: &world::Account| format!("!raw v2/users/{}", account.user_id);
    says(&scene.ask(vic, &of(&eve)).await?, "GET", &["\"deactivated\": false"]);
    for beyond in [of(&staff), format!("!raw v2/users?name={}", staff.user_id.localpart())] {
        let answer = scene.ask(vic, &beyond).await?;
        says(&answer, "Refused", &["readers does not cover"]);
    }
    says(&scene.ask(vic, "!raw v9/nothing").await?, "Refused", &["the role admin"]);

    let gone = format!("{} -m put -d '{{\"deactivated\": true}}'", of(&eve));
    let question = scene.ann_asks(&gone).await?;
    says(&question, "Send", &["!approve"]);
    let alone = format!(
        "!confirm {} {}",
        code(&question).or_else(|_| digits(&question.body, "!approve"))?,
        eve.user_id.localpart()
    );
    scene.ann_asks(&alone).await?;
    assert!(!is(&scene, &eve, "deactivated").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_goes_in_or_comes_out_by_a_path() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    for (typed, verb) in [
        (format!("v1/search_users/{}?term=e", eve.user_id), "!help user search"),
        (format!("v1/users/{}/login -m post", eve.user_id), "!help user login"),
        ("v1/register".to_owned(), "!help user register"),
    ] {
        let answer = scene.ann_asks(&format!("!raw {typed}")).await?;
        says(&answer, "Refused", &["contains a secret", verb]);
    }
    let secret = "Canary-4f9Qx";
    for typed in [
        format!(
            "v1/reset_password/{} -m post -d '{{\"new_password\": \"{secret}\"}}'",
            eve.user_id
        ),
        format!("v1/rooms?access_token={secret}"),
        format!("v2/users/{} -m put -d '{{\"password\": \"{secret}'", eve.user_id),
    ] {
        let event = scene.ann().say(scene.room(), &format!("!raw {typed}")).await?;
        let refused = scene.answer(scene.ann(), &event).await?;
        let word = refused.body.split(" · ").next().unwrap_or_default();
        assert!(["Refused", "Not understood"].contains(&word), "{}", refused.body);
        assert!(!refused.raw.to_string().contains(secret), "{}", refused.raw);
        let redaction = |message: &Message| message.redacts.as_ref() == Some(&event);
        scene.ann().wait_for("the redaction", redaction).await?;
    }
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    let log = scene.bot()?.log().text();
    assert!(!log.contains(secret), "it is in the log");
    let record = scene.ann_asks("!audit list --limit 50").await?;
    assert!(!record.body.contains(secret), "{}", record.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_may_be_typed_reaches_the_homeserver_and_nobody_else() -> Result<()> {
    let scene = Scene::plan()
        .start_with(SYNOD, |config| config.set("commands.typed_secrets", true))
        .await?;
    let eve = scene.subject("eve").await?;
    let secret = "Canary-typed-7";
    let body = format!("{{\"new_password\": \"{secret}\"}}");
    let typed = format!("!raw v1/reset_password/{} -m post -d '{body}'", eve.user_id);
    let question = scene.ann_asks(&typed).await?;
    assert!(!question.raw.to_string().contains(secret), "{}", question.raw);
    let done = scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    says(&done, "Done", &["answered 200"]);
    assert!(!done.raw.to_string().contains(secret), "{}", done.raw);
    let account = world::Account { password: secret.to_owned(), ..eve };
    scene.synapse().log_in(&account).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_and_the_profiles_of_others_are_reached_by_the_api_of_clients() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let eve = scene.subject("eve").await?;
    let room = make(&api(&scene, &eve).await?, json!({})).await?;
    says(&scene.ann_asks("!matrix raw client/versions").await?, "GET", &["unstable_features"]);
    let listed = format!("!matrix raw client/v3/directory/list/room/{room}");
    says(&scene.ann_asks(&listed).await?, "GET", &["private"]);
    let path = format!("client/v3/profile/{}/displayname", eve.user_id);
    let command = format!("!matrix raw {path} -m put -d '{{\"displayname\": \"Eve Lee\"}}'");
    let moe = scene.moe().await?;
    says(&scene.ask(moe, &command).await?, "Refused", &["the role admin"]);
    let question = scene.ann_asks(&command).await?;
    says(&question, "Send", &["I do not know what that is", eve.user_id.as_str()]);
    let confirm = format!("!confirm {}", code(&question)?);
    says(&scene.ann_asks(&confirm).await?, "Refused", &["phrase"]);
    let done = scene.ann_asks(&format!("{confirm} {}", eve.user_id.localpart())).await?;
    says(&done, "Done", &["answered 200"]);
    assert_eq!(scene.synapse().admin().account(&eve.user_id).await?["displayname"], "Eve Lee");
    Ok(())
}
