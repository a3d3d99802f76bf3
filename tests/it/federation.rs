//! Other servers, of which one cannot be reached.

use anyhow::Result;
use serde_json::{Value, json};
use world::{Options, Scene, Synapse, UNREACHABLE};

use crate::{
    SYNOD,
    support::{says, with_yes},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_shown_and_tried_again() -> Result<()> {
    let synapse = Synapse::start(Options::default()).await?;
    let scene = Scene::plan().on(&synapse).start(SYNOD).await?;
    says(&scene.ann_asks("!federation list").await?, "no servers", &[]);
    let reset = format!("!federation reset {UNREACHABLE}");
    says(&scene.ann_asks(&reset).await?, "Not found", &["has never sent anything to"]);
    for verb in ["details", "rooms"] {
        let unknown = scene.ann_asks(&format!("!federation {verb} {UNREACHABLE}")).await?;
        says(&unknown, "Not found", &["has never sent anything to"]);
    }

    let keys = json!({ "device_keys": { format!("@bob:{UNREACHABLE}"): [] } });
    synapse.admin().post("/_matrix/client/v3/keys/query", keys).await?;
    let path = format!("/_synapse/admin/v1/federation/destinations/{UNREACHABLE}");
    let failing = async || {
        anyhow::Ok(synapse.admin().get(&path).await?.1["retry_last_ts"].as_u64() > Some(0))
    };
    // It is written down a moment after the fact.
    world::until("it is failing", failing).await?;
    for list in ["list", "list --failing", "list -d 0.0.1", "list --sort failure_ts -r"] {
        let listed = scene.ann_asks(&format!("!federation {list}")).await?;
        says(&listed, "1 server", &[UNREACHABLE, "Reached: no", "Next try: "]);
    }
    // To the homeserver _ stands for any character.
    says(&scene.ann_asks("!federation list -d 0_0").await?, "no servers found", &[]);
    let details = scene.ann_asks(&format!("!federation details @bob:{UNREACHABLE}")).await?;
    says(&details, UNREACHABLE, &["Failing since: ", "Rooms shared: 0", &reset]);
    assert!(!details.body.contains("not known"), "{}", details.body);
    let rooms = scene.ann_asks(&format!("!federation rooms {UNREACHABLE}")).await?;
    says(&rooms, UNREACHABLE, &["no rooms"]);
    let data = scene.ann_asks(&format!("!federation show {UNREACHABLE} -o json")).await?;
    assert_eq!(serde_json::from_str::<Value>(&data.body)?["retry_interval"], 600_000);

    says(&scene.ask(scene.moe().await?, &reset).await?, "Refused", &["the role admin"]);
    assert!(failing().await?);
    let done = with_yes(&scene, &reset).await?;
    says(&done, "Done", &["is being retried", "not known yet", "!federation details"]);
    assert!(!failing().await?);
    says(&scene.ann_asks(&reset).await?, "Nothing changed", &["is not failing"]);
    says(&scene.ann_asks("!federation list --failing").await?, "no servers found", &[]);
    Ok(())
}
