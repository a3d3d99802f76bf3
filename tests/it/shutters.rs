//! All registration tokens disabled for a time, and enabled again as they were: on homeservers of their
//! own, since this is about every token that there is.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use world::{Fault, Message, Options, Proxy, Scene, Synapse};

use crate::{
    SYNOD,
    jobs::ended,
    support::{code, digits, says, told_in_reply},
};

const TOKENS: &str = "/_synapse/admin/v1/registration_tokens";

/// Registration takes a token.
const WITH_TOKEN: &str = "enable_registration: true\nregistration_requires_token: true\n";

/// Registration takes nothing.
const WITHOUT_TOKEN: &str =
    "enable_registration: true\nenable_registration_without_verification: true\n";

async fn homeserver(config: &str) -> Result<Synapse> {
    Synapse::start(Options { extra: config.to_owned(), ..Options::default() }).await
}

/// Makes a token.
async fn make(synapse: &Synapse, name: &str, uses: Value, expiry: Value) -> Result<()> {
    let body = json!({ "token": name, "uses_allowed": uses, "expiry_time": expiry });
    let (status, answer) = synapse.admin().post(&format!("{TOKENS}/new"), body).await?;
    ensure!(status == 200, "{name}: {status} {answer}");
    Ok(())
}

async fn set(synapse: &Synapse, name: &str, body: Value) -> Result<()> {
    let (status, answer) = synapse.admin().put(&format!("{TOKENS}/{name}"), body).await?;
    ensure!(status == 200, "{name}: {status} {answer}");
    Ok(())
}

/// Every token as the homeserver has it.
async fn tokens(synapse: &Synapse) -> Result<BTreeMap<String, Value>> {
    let (status, answer) = synapse.admin().get(TOKENS).await?;
    ensure!(status == 200, "{status} {answer}");
    let rows = answer["registration_tokens"].as_array().context("a list of tokens")?;
    let row = |row: &Value| Some((row["token"].as_str()?.to_owned(), row.clone()));
    Ok(rows.iter().filter_map(row).collect())
}

/// When a token expires, as the homeserver has it.
async fn expiry(synapse: &Synapse, name: &str) -> Result<Value> {
    Ok(tokens(synapse).await?.get(name).context("it is there")?["expiry_time"].clone())
}

/// Whether this is a moment that is over.
fn is_past(expiry: &Value) -> bool {
    expiry.as_i64().is_some_and(|at| at < jiff::Timestamp::now().as_millisecond())
}

/// Whether somebody can register with this token.
async fn registers(synapse: &Synapse, name: &str, token: &str) -> Result<bool> {
    let (api, path) = (synapse.api(""), "/_matrix/client/v3/register");
    let mut body = json!({ "username": name, "password": "a horse, a battery" });
    let (_, asked) = api.post(path, body.clone()).await?;
    for stage in ["m.login.registration_token", "m.login.dummy"] {
        body["auth"] = json!({ "type": stage, "token": token, "session": asked["session"] });
        let (status, answer) = api.post(path, body.clone()).await?;
        match status {
            200 => return Ok(true),
            401 if answer.get("errcode").is_none() => {}
            401 => return Ok(false),
            other => anyhow::bail!("{other} {answer}"),
        }
    }
    Ok(false)
}

/// Asks, says yes, and waits for the end of it.
async fn done(scene: &Scene, command: &str) -> Result<(Message, Message)> {
    let question = scene.ann_asks(command).await?;
    let code = code(&question).context(question.body.clone())?;
    let yes = scene.ann().say(scene.room(), &format!("!confirm {code}")).await?;
    Ok((question, ended(scene, &yes).await?))
}

#[tokio::test(flavor = "multi_thread")]
async fn while_they_are_closed_no_token_registers_and_then_each_is_as_it_was() -> Result<()> {
    let synapse = homeserver(WITH_TOKEN).await?;
    make(&synapse, "choir", json!(3), json!(null)).await?;
    make(&synapse, "anybody", json!(null), json!(4_102_444_800_000_i64)).await?;
    make(&synapse, "gone", json!(1), json!(null)).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    assert!(registers(&synapse, "first", "gone").await?);
    let before = tokens(&synapse).await?;
    says(&scene.ann_asks("!shutters").await?, "Open: 2 registration tokens", &[]);

    let plan = scene.ann_asks("!shutters close --plan").await?;
    says(&plan, "", &["Nothing was sent", "/registration_tokens/choir", "expiry_time"]);
    let command = "!shutters close --for 2h --reason \"a wave of spam\"";
    let question = scene.ann_asks(command).await?;
    says(
        &question,
        "Disable 2 registration tokens, anybody, choir",
        &["can be undone", "until 20", "exactly as it was", "allow_guest_access: false"],
    );
    says(&question, "", &["Registration takes a token", "!shutters close --for 2h"]);
    assert_eq!(tokens(&synapse).await?, before, "a question changes nothing");

    let (_, closed) = done(&scene, command).await?;
    says(&closed, "Done · 2 of 2", &["Ends: by itself, ", "!undo "]);
    let now = tokens(&synapse).await?;
    for name in ["choir", "anybody"] {
        let mut wanted = before[name].clone();
        assert!(is_past(&now[name]["expiry_time"]), "{}", now[name]);
        wanted["expiry_time"] = now[name]["expiry_time"].clone();
        assert_eq!(now[name], wanted, "only its expiry is another");
        assert!(!registers(&synapse, &format!("raid-{name}"), name).await?, "{name}");
    }
    assert_eq!(now["gone"], before["gone"]);
    let number = digits(&closed.body, "On record as #")?;
    let status = scene.ann_asks("!shutters status").await?;
    says(&status, "Closed: 2 registration tokens are disabled", &[&number, "by ann", "choir"]);
    let again = scene.ann_asks("!shutters close").await?;
    says(&again, "Nothing changed", &[&format!("#{number}"), "!sanction extend"]);
    let longer = scene.ann_asks(&format!("!sanction extend {number} --for 1h")).await?;
    says(&longer, "Done", &["2 subjects"]);
    let moe = scene.moe().await?;
    says(&scene.ask(moe, "!shutters open").await?, "Refused", &["admin"]);

    // What is made meanwhile is closed beside the others, and none of them forgets how it was.
    make(&synapse, "later", json!(7), json!(null)).await?;
    says(&scene.ann_asks("!shutters").await?, "Closed in part", &["1 can be used"]);
    let (question, later) = done(&scene, "!shutters close --for 1h").await?;
    says(&question, "Disable later", &["Others stay disabled until", &format!("#{number}")]);
    says(&later, "Done · 1 of 1", &[]);
    assert!(is_past(&expiry(&synapse, "later").await?));

    let (question, opened) = done(&scene, "!shutters open").await?;
    says(&question, "Enable again 3 registration tokens", &["as before"]);
    says(&opened, "Done · 3 of 3", &[]);
    let mut now = tokens(&synapse).await?;
    assert_eq!(now.remove("later").context("it is there")?["expiry_time"], json!(null));
    assert_eq!(now, before);
    assert!(registers(&synapse, "second", "anybody").await?);
    says(&scene.ann_asks("!shutters status").await?, "Open: 3 registration tokens", &[]);
    says(&scene.ann_asks("!shutters open").await?, "Nothing changed", &["are open"]);
    says(&scene.ann_asks("!sanction list").await?, "No temporary measures", &[]);
    says(&scene.ann_asks("!audit verify").await?, "The record is whole", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn open_registration_is_told_with_the_lines_that_close_it() -> Result<()> {
    let synapse = homeserver(WITHOUT_TOKEN).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let none = scene.ann_asks("!shutters close").await?;
    says(&none, "Nothing changed", &["no registration token can be used", "!shutters status"]);
    make(&synapse, "choir", json!(null), json!(null)).await?;
    let before = tokens(&synapse).await?;
    let (question, closed) = done(&scene, "!shutters close").await?;
    says(
        &question,
        "Disable choir",
        &[
            "open without a token, and this does not stop it",
            "enable_registration: false",
            "registration_requires_token: true",
            "--for 12h",
        ],
    );
    says(&closed, "Done · 1 of 1", &["Ends: by itself, "]);
    assert!(is_past(&expiry(&synapse, "choir").await?));
    // Its undo opens them again too.
    let number = digits(&closed.body, "!undo ")?;
    says(&scene.ann_asks(&format!("!undo {number}")).await?, "Done", &["choir"]);
    assert_eq!(tokens(&synapse).await?, before);
    says(&scene.ann_asks("!shutters").await?, "Open: one registration token", &[]);
    let long = scene.ann_asks("!shutters close --for 8d").await?;
    says(&long, "Not understood", &["at most 7 days"]);
    assert_eq!(tokens(&synapse).await?, before);
    // To see how it stands has made nobody an account.
    let (_, users) = synapse.admin().get("/_synapse/admin/v2/users?guests=true").await?;
    let users = users["users"].as_array().context("a list of accounts")?;
    assert!(users.iter().all(|user| user["is_guest"] != json!(true)), "{users:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn they_open_by_themselves_and_what_others_changed_is_named_and_left_alone() -> Result<()> {
    let synapse = homeserver(WITH_TOKEN).await?;
    for name in ["changed", "choir", "deleted", "dated"] {
        make(&synapse, name, json!(5), json!(null)).await?;
    }
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    let (_, closed) = done(&scene, "!shutters close --for 20s").await?;
    says(&closed, "Done · 4 of 4", &["Ends: by itself, "]);
    set(&synapse, "changed", json!({ "uses_allowed": 7 })).await?;
    set(&synapse, "dated", json!({ "expiry_time": 4_102_444_800_000_i64 })).await?;
    let (status, _) = synapse.admin().delete(&format!("{TOKENS}/deleted"), None).await?;
    assert_eq!(status, 200);
    let status = scene.ann_asks("!shutters").await?;
    says(&status, "Closed in part", &["Changed by somebody since", "Deleted since: deleted"]);
    // It is due while the bot is down.
    scene.bot()?.kill().await?;
    scene.bot()?.start_again().await?;
    let told = told_in_reply(&scene, &closed, "undid it as planned").await?;
    says(
        &told,
        "Done in part · choir as before",
        &["Not ended:", "uses allowed was 5 and is 7", "expiry time was", "deleted"],
    );
    assert_eq!(told.mentions, [scene.ann().user_id().clone()], "somebody should look at it");
    assert_eq!(expiry(&synapse, "choir").await?, json!(null));
    assert!(is_past(&expiry(&synapse, "changed").await?));
    assert_eq!(expiry(&synapse, "dated").await?, json!(4_102_444_800_000_i64));
    assert!(!tokens(&synapse).await?.contains_key("deleted"), "it is not made again");
    says(&scene.ann_asks("!sanction list").await?, "No temporary measures", &[]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_goes_on_and_restores_nothing_twice() -> Result<()> {
    let synapse = homeserver(WITH_TOKEN).await?;
    for (name, uses) in [("one", json!(1)), ("two", json!(2)), ("any", json!(null))] {
        make(&synapse, name, uses, json!(null)).await?;
    }
    let before = tokens(&synapse).await?;
    let scene = Scene::plan().on(&synapse).set().await?;
    let proxy = Proxy::start(&synapse.url()).await?;
    let config = scene.config().set("homeserver.admin_url", proxy.url());
    scene.start_bot(SYNOD, &config).await?;
    for closes in [true, false] {
        let command = if closes { "!shutters close" } else { "!shutters open" };
        let question = scene.ann_asks(command).await?;
        let code = code(&question).context(question.body.clone())?;
        let cut = proxy.next(Method::PUT, "registration_tokens/two", Fault::HoldAnswer);
        let yes = scene.ann().say(scene.room(), &format!("!confirm {code}")).await?;
        cut.reached().await?;
        scene.bot()?.kill().await?;
        cut.release();
        scene.bot()?.start_again().await?;
        says(&ended(&scene, &yes).await?, "Done · 3 of 3", &[]);
        for (name, token) in &tokens(&synapse).await? {
            assert_eq!(is_past(&token["expiry_time"]), closes, "{command} {name}");
        }
    }
    assert_eq!(tokens(&synapse).await?, before);
    says(&scene.ann_asks("!sanction list").await?, "No temporary measures", &[]);
    says(&scene.ann_asks("!shutters").await?, "Open: 3 registration tokens", &[]);
    Ok(())
}
