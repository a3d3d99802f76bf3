//! What is typed beside the place where it belongs: secrets, phrases, options.

use anyhow::{Context as _, Result};
use world::{NewRoom, Scene};

use crate::{SYNOD, basics::code, verbs::says};

#[tokio::test(flavor = "multi_thread")]
async fn the_phrase_of_a_room_is_its_own_and_not_the_end_of_the_servers_name() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let mut asked = Vec::new();
    for version in ["11", "12"] {
        let new = NewRoom {
            name: "Lobby".to_owned(),
            encrypted: false,
            version: Some(version.to_owned()),
            ..NewRoom::default()
        };
        let room = scene.ann().create_room(&new).await?;
        let opaque = room.as_str().trim_start_matches('!');
        let opaque = opaque.split_once(':').map_or(opaque, |(opaque, _)| opaque);
        let end = opaque.get(opaque.len() - 6..).context("six characters")?.to_owned();
        let question = scene.ann_asks(&format!("!room delete {room}")).await?;
        says(&question, "Delete", &["the last six characters of the room id"]);
        asked.push((room.clone(), code(&question)?, end));
    }
    assert!(asked[0].0.as_str().contains(':') && !asked[1].0.as_str().contains(':'));
    let server = asked[0].0.as_str();
    let server = server.get(server.len() - 6..).context("six characters")?;
    for (room, code, end) in &asked {
        let wrong = scene.ann_asks(&format!("!confirm {code} {server}")).await?;
        says(&wrong, "Refused", &["not the phrase"]);
        let done = scene.ann_asks(&format!("!confirm {code} {end}")).await?;
        says(&done, "Done", &["has begun", room.as_str()]);
    }
    Ok(())
}
