//! `--plan`: what a change would do is shown, and not done.

use std::collections::BTreeSet;

use anyhow::Result;
use reqwest::Method;
use serde_json::json;
use synod::commands::{Does, GROUPS};
use world::{Account, Fault, Things};

use crate::support::{code, digits, is, watched};

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_shows_its_requests_and_sends_none() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let things = Things::of(scene.synapse(), scene.subject("eve").await?).await?;
    let mut planned = BTreeSet::new();
    for restrained in [false, true] {
        if restrained {
            things.restrain(&scene.synapse().admin()).await?;
        }
        let before = scene.synapse().admin().account(&things.eve.user_id).await?;
        for group in GROUPS {
            for verb in group.verbs.iter().filter(|verb| verb.does != Does::Look) {
                for example in verb.examples {
                    // All that is there to be purged is younger than that.
                    let typed = things.typed(example).replace("--before-days 90", "-d 0");
                    let answer = scene.ann_asks(&format!("{typed} --plan")).await?;
                    if answer.body.contains("Nothing was sent") {
                        let apis = ["/_synapse/admin/", "/_matrix/client/"];
                        let named = apis.iter().any(|api| answer.body.contains(api));
                        assert!(named, "{}", answer.body);
                        planned.insert(group.words(verb));
                    }
                }
            }
        }
        let after = scene.synapse().admin().account(&things.eve.user_id).await?;
        assert_eq!(after, before);
    }
    assert!(proxy.changes().is_empty(), "{:?}", proxy.changes());
    let all = GROUPS.iter().flat_map(|group| {
        let changing = group.verbs.iter().filter(|verb| verb.does != Does::Look);
        changing.map(|verb| group.words(verb))
    });
    assert_eq!(planned, all.collect());
    let pending = scene.ann_asks("!pending").await?;
    assert!(pending.body.starts_with("No question"), "{}", pending.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planned_is_what_is_sent_and_the_reason_is_on_record() -> Result<()> {
    let (scene, proxy) = watched(|config| config).await?;
    let eve = scene.subject("eve").await?;
    let suspend = format!("!user suspend {} --reason \"spam, *ticket* 7\"", eve.user_id);
    let plan = scene.ann_asks(&format!("{suspend} --plan")).await?;
    assert!(plan.body.contains("suspended: no"), "it rests on facts: {}", plan.body);
    assert!(!is(&scene, &eve, "suspended").await?);

    let done = scene.ann_asks(&suspend).await?;
    assert!(done.body.starts_with("Done · "), "{}", done.body);
    let sent = proxy.changes();
    let [sent] = sent.as_slice() else { panic!("one request: {sent:?}") };
    assert!(
        plan.body.contains(&format!("{} {}", sent.method, suspend_path(&eve))),
        "{}",
        plan.body
    );
    assert!(plan.body.contains(&sent.body.to_string()), "{} in {}", sent.body, plan.body);
    let record = scene.ann_asks("!audit list").await?;
    assert!(record.body.contains("spam, *ticket* 7"), "{}", record.body);

    // An undo can be planned too, and a question carries the reason to its yes.
    let number = digits(&done.body, "!undo")?;
    let undo = scene.ann_asks(&format!("!undo {number} --plan")).await?;
    assert!(undo.body.contains("Nothing was sent"), "{}", undo.body);
    assert!(is(&scene, &eve, "suspended").await?);
    let question =
        scene.ann_asks(&format!("!user deactivate {} --reason \"gone bad\"", eve.user_id)).await?;
    let held = proxy.next(Method::POST, "/deactivate/", Fault::Answer(403, json!({})));
    scene.ann_asks(&format!("!confirm {}", code(&question)?)).await?;
    held.reached().await?;
    let record = scene.ann_asks("!audit list --limit 2").await?;
    assert!(record.body.contains("gone bad"), "{}", record.body);
    Ok(())
}

fn suspend_path(eve: &Account) -> String {
    format!("/_synapse/admin/v1/suspend/{}", eve.user_id)
}
