//! Registration tokens on a real homeserver.

use anyhow::Result;
use serde_json::{Value, json};
use world::Scene;

use crate::{
    SYNOD,
    support::{offered, says, with_yes},
};

/// A token as the homeserver has it, null where it has none.
async fn token(scene: &Scene, name: &str) -> Result<Value> {
    let path = format!("/_synapse/admin/v1/registration_tokens/{name}");
    let (status, token) = scene.synapse().admin().get(&path).await?;
    Ok(if status == 200 { token } else { Value::Null })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_changed_and_deleted_and_each_is_taken_back() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let name = format!("choir-{}", scene.bot_id().localpart());
    let made = scene.ann_asks(&format!("!regtok new -n {name} -u 3 -e 2100-01-01")).await?;
    says(&made, "Done", &[&name, "Uses: 3", "Expires: 2100-01-01 00:00 UTC", "!regtok delete"]);
    let there = token(&scene, &name).await?;
    assert_eq!(there["uses_allowed"], 3);
    assert_eq!(there["expiry_time"], json!(4_102_444_800_000_i64));
    let again = scene.ann_asks(&format!("!regtok new -n {name}")).await?;
    says(&again, "Refused", &["already"]);

    let details = scene.ann_asks(&format!("!regtok details {name}")).await?;
    says(&details, &name, &["State: valid", "Used: 0 of 3", "Done through me"]);
    let list = scene.ann_asks("!regtok list --valid --limit 1000").await?;
    says(&list, "", &[&name]);

    let changed = scene.ann_asks(&format!("!regtok update {name} -u -1 -t -1")).await?;
    says(&changed, "Done", &["Used: 0 of any number", "Expires: never"]);
    let there = token(&scene, &name).await?;
    assert_eq!((&there["uses_allowed"], &there["expiry_time"]), (&Value::Null, &Value::Null));
    let same = scene.ann_asks(&format!("!regtok update {name} -u -1")).await?;
    says(&same, "Nothing changed", &["already"]);
    // What is left out stays as it is.
    let zero = scene.ann_asks(&format!("!regtok update {name} -u 0")).await?;
    says(&zero, "Not understood", &["Synapse takes 0 for any number", "delete the token"]);
    // Elsewhere it can be set, and is told as what it is.
    let path = format!("/_synapse/admin/v1/registration_tokens/{name}");
    scene.synapse().admin().put(&path, json!({ "uses_allowed": 0 })).await?;
    let list = scene.ann_asks("!regtok list -V --limit 1000").await?;
    says(&list, "", &[&name, "any number, since Synapse takes 0 for that"]);
    let dated = scene.ann_asks(&format!("!regtok update {name} -e 2100-01-01")).await?;
    assert_eq!(token(&scene, &name).await?["uses_allowed"], 0);
    says(&scene.ann_asks(offered(&dated, "!undo")?).await?, "Done", &["Expires: never"]);
    assert_eq!(token(&scene, &name).await?["expiry_time"], Value::Null);

    let question = scene.ann_asks(&format!("!regtok delete {name}")).await?;
    says(&question, "Delete the registration token", &["the accounts that were created with it"]);
    assert_ne!(token(&scene, &name).await?, Value::Null);
    let deleted = with_yes(&scene, &format!("!regtok delete {name}")).await?;
    says(&deleted, "Done", &["is deleted"]);
    assert_eq!(token(&scene, &name).await?, Value::Null);
    says(&scene.ann_asks(offered(&deleted, "!undo")?).await?, "Done", &[&name, "Uses: any number"]);
    assert_eq!(token(&scene, &name).await?["uses_allowed"], Value::Null);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_homeserver_made_is_shown_and_can_be_made_useless() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let made = scene.ann_asks("!regtok new --length 24 --uses-allowed 1").await?;
    says(&made, "Done", &["can be used to register now", "Uses: 1", "Expires: never"]);
    let delete = offered(&made, "!regtok delete ")?;
    // One in 66 begins with a hyphen, and is then offered behind `--`.
    let name = delete.rsplit(' ').next().unwrap_or_default();
    assert_eq!(name.chars().count(), 24, "{name}");
    assert_eq!(token(&scene, name).await?["uses_allowed"], 1);
    // Its undo deletes it, and asks before it does.
    says(
        &scene.ann_asks(offered(&made, "!undo")?).await?,
        "Delete the registration token",
        &[name],
    );
    assert_eq!(token(&scene, name).await?["uses_allowed"], 1);

    // Several at once are asked for, and one that looks like an option is a token all the same.
    let other = format!("-other-{}~", scene.bot_id().localpart());
    let odd = scene.ann_asks(&format!("!regtok new --token={other}")).await?;
    let delete_other = offered(&odd, "!regtok delete ")?;
    assert_eq!(delete_other, format!("!regtok delete -- {other}"));
    let delete = delete_other.replace(&other, name);
    says(
        &with_yes(&scene, &format!("{delete} {other} {other}")).await?,
        "Done",
        &["2 registration tokens"],
    );
    assert_eq!(token(&scene, name).await?, Value::Null);
    assert_eq!(token(&scene, &other).await?, Value::Null);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_before_it_is_asked_for() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    for (typed, why) in [
        ("new --token new", "changed or deleted"),
        ("new -e 2020-01-01", "in the past"),
        ("new -t 1900000000", "type milliseconds"),
        ("new -n a/b", "letters, digits"),
        ("update nosuchtoken -u 1", "there is no token"),
        ("details nosuchtoken", "there is no token"),
        ("delete nosuchtoken", "there is no token"),
    ] {
        let answer = scene.ann_asks(&format!("!regtok {typed}")).await?;
        let unknown = why == "there is no token";
        says(&answer, if unknown { "Not found" } else { "Not understood" }, &[why]);
    }
    assert_eq!(token(&scene, "new").await?, Value::Null);
    let moe = scene.moe().await?;
    for typed in ["list", "new", "details x"] {
        says(&scene.ask(moe, &format!("!regtok {typed}")).await?, "Refused", &["admin"]);
    }
    Ok(())
}
