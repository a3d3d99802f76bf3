//! Roles of the config's own: powers, for some verbs, over some subjects.

use anyhow::{Context as _, Result};
use serde_json::json;
use world::Scene;

use crate::{
    SYNOD,
    support::{api, digits, is, make, says},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_ones_own_does_its_verbs_to_its_subjects_and_nothing_else() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [_, vic, _] = scene.accounts();
    let role = json!([{
        "name": "spam-team",
        "powers": ["look", "moderate"],
        "verbs": ["user *"],
        "not_on": ["@staff*"],
    }]);
    let config = scene.config().set("roles", role).operator_key(&vic.user_id, "role", "spam-team");
    scene.start_bot(SYNOD, &config).await?;
    let (eve, staff) = (scene.subject("eve").await?, scene.subject("staff").await?);
    let vic = scene.vic().await?;

    says(&scene.ask(vic, "!me").await?, "", &["Role: spam-team"]);
    let done = scene.ask(vic, &format!("!user suspend {}", eve.user_id)).await?;
    says(&done, "Done", &[]);
    let staffed = scene.ask(vic, &format!("!user suspend {}", staff.user_id)).await?;
    says(&staffed, "Refused", &["spam-team does not cover", staff.user_id.as_str()]);
    let other = scene.ask(vic, "!room block !somewhere:synod.test").await?;
    says(&other, "Refused", &["the role moderator", "you are spam-team"]);
    let power = scene.ask(vic, &format!("!user password {}", eve.user_id)).await?;
    says(&power, "Refused", &["the role admin", scene.ann().user_id().as_str()]);
    assert!(is(&scene, &eve, "suspended").await? && !is(&scene, &staff, "suspended").await?);

    // It holds for looks too, also where the id is not typed in full.
    says(&scene.ask(vic, &format!("!user details {}", eve.user_id)).await?, "", &["suspended"]);
    let localpart = staff.user_id.localpart();
    for look in ["details", "details -o json", "media", "ratelimit"] {
        let staffed = scene.ask(vic, &format!("!user {look} {localpart}")).await?;
        says(&staffed, "Refused", &["spam-team does not cover", staff.user_id.as_str()]);
    }

    let help = scene.ask(vic, "!help").await?;
    says(&help, "", &["!user", "suspend"]);
    assert!(!help.body.contains("!room") && !help.body.contains("password"), "{}", help.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_does_not_reach_it_does_not_find_in_notes_and_record() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [_, vic, _] = scene.accounts();
    let role = json!([{
        "name": "spam-team", "powers": ["look", "look-private", "moderate"], "not_on": ["@staff*"],
    }]);
    let config = scene.config().set("roles", role).operator_key(&vic.user_id, "role", "spam-team");
    scene.start_bot(SYNOD, &config).await?;
    let (eve, staff) = (scene.subject("eve").await?, scene.subject("staff").await?);
    let (eve, staff) = (eve.user_id.as_str(), staff.user_id.as_str());
    let vic = scene.vic().await?;
    for (whom, what) in [(eve, "warned"), (staff, "on leave")] {
        says(&scene.ann_asks(&format!("!note {whom} {what}")).await?, "Done", &[]);
    }
    // A list names accounts of this server without it.
    let [eve_there, staff_there] = [eve, staff].map(|id| id.split(':').next().unwrap_or(id));
    let noted = scene.ann_asks("!note list").await?;
    says(&noted, "", &["2 notes", eve_there, staff_there, "on leave"]);
    let noted = scene.ask(vic, "!note list").await?;
    says(&noted, "", &["One note", eve_there, "warned"]);
    assert!(!noted.body.contains(staff_there), "{}", noted.body);

    let suspended = scene.ann_asks(&format!("!user suspend {staff}")).await?;
    says(&suspended, "Done", &[]);
    let (_, number) = suspended.body.rsplit_once("!undo ").context("an undo line")?;
    let number = number.split_whitespace().next().context("its number")?;
    let unreached = "spam-team does not cover";
    for look in [
        format!("!audit show {number}"),
        format!("!audit list --on {staff}"),
        format!("!audit export --on {staff}"),
    ] {
        says(&scene.ask(vic, &look).await?, "Refused", &[unreached, staff]);
        let seen = scene.ann_asks(&look).await?;
        assert!(!seen.body.starts_with("Refused"), "{look}: {}", seen.body);
    }
    says(&scene.ask(vic, &format!("!audit list --on {eve}")).await?, "", &["note was written"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_does_what_its_verbs_send_and_nothing_more() -> Result<()> {
    let scene = Scene::plan().set().await?;
    let [_, vic, _] = scene.accounts();
    let verbs = ["user unsuspend", "room delete", "user logout", "sanction *"];
    let role = json!([{ "name": "helper", "powers": ["look", "moderate"], "verbs": verbs }]);
    let config = scene.config().set("roles", role).operator_key(&vic.user_id, "role", "helper");
    scene.start_bot(SYNOD, &config).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let by_eve = api(&scene, &eve).await?;
    let room = make(&by_eve, json!({})).await?;
    let vic = scene.vic().await?;
    let imposed = scene.ann_asks(&format!("!user suspend {} --for 3h", eve.user_id)).await?;
    let number = digits(&imposed.body, "!undo")?;
    for command in [
        format!("!room delete {room} --block"),
        format!("!room delete {room} --quarantine-media"),
        format!("!room delete {room} -u {}", sam.user_id),
        format!("!user logout {}", sam.user_id),
        // To have it longer is to suspend.
        format!("!sanction extend {number} --for 3d"),
    ] {
        says(&scene.ask(vic, &command).await?, "Refused", &["you are helper"]);
    }
    let delete = scene.ask(vic, &format!("!room delete {room}")).await?;
    assert!(delete.body.contains("!confirm"), "{}", delete.body);
    // The same operation with the other value is another verb.
    let done = scene.ann_asks(&format!("!user suspend {}", sam.user_id)).await?;
    says(&done, "Done", &[]);
    let done = scene.ask(vic, &format!("!user unsuspend {}", sam.user_id)).await?;
    says(&done, "Done", &[]);
    assert!(!is(&scene, &sam, "suspended").await? && is(&scene, &eve, "suspended").await?);
    Ok(())
}
