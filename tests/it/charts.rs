//! Listings as pictures.

use anyhow::{Context as _, Result};
use serde_json::json;
use world::{Message, Scene};

use crate::{
    SYNOD,
    events::send,
    support::{api, make, says},
};

/// What stands for a picture that came after `mark`, once it is one: encrypted, a PNG, and as large as
/// it says.
pub(crate) async fn picture(scene: &Scene, mark: usize) -> Result<String> {
    let is_picture =
        |message: &Message| message.msgtype == "m.image" && message.sender == *scene.bot_id();
    let picture = scene.ann().wait_for_since(mark, "a picture", is_picture).await?;
    let content = &picture.raw["content"];
    assert!(picture.encrypted && content["file"].is_object(), "{content}");
    assert_eq!(content["m.mentions"], json!({}));
    let png = scene.ann().download(&picture).await?;
    let (width, height) = size(&png).context("it is no PNG")?;
    let info = json!({ "mimetype": "image/png", "size": png.len(), "w": width, "h": height });
    assert_eq!(content["info"], info);
    assert_eq!(width, 780, "half of it are the pixels of a phone");
    let name = content["filename"].as_str().context("it has no name")?;
    assert!(name.to_lowercase().ends_with("png") && picture.body != name, "{content}");
    // As it was sent: with what keeps clients from making links of names.
    content["body"].as_str().map(str::to_owned).context("it has no text")
}

/// The width and the height that a PNG says it has.
fn size(png: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(png.get(at..at + 4)?.try_into().ok()?));
    png.starts_with(b"\x89PNG\r\n\x1a\n").then_some(())?;
    Some((number(16)?, number(20)?))
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_come_as_encrypted_pictures_that_say_what_they_show() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let (eve, sam) = (scene.subject("eve").await?, scene.subject("sam").await?);
    let (by_eve, by_sam) = (api(&scene, &eve).await?, api(&scene, &sam).await?);
    by_eve.upload(vec![7; 50_000], "image/png", "a.png").await?;
    let name = format!("Hall of {}", eve.user_id.localpart());
    let new = json!({ "preset": "public_chat", "name": format!("{name} https://evil.example") });
    let room = make(&by_eve, new).await?;
    by_sam.post(&format!("/_matrix/client/v3/join/{room}"), json!({})).await?;
    let event = send(&by_eve, &room, "buy my gold").await?;
    let path = format!("/_matrix/client/v3/rooms/{room}/report/{event}");
    assert_eq!(by_sam.post(&path, json!({ "reason": "spam" })).await?.0, 200);

    let (user, localpart) = (eve.user_id.as_str(), eve.user_id.localpart());
    let fits = "only those that fit the command's filters";
    for (command, begins, alt) in [
        (
            format!("!stats media --chart -n {localpart}"),
            "Media by account: 1 account",
            vec![format!("Bar chart. Media by account, 1 account, {fits}: {user} 48.8 KiB.")],
        ),
        (
            format!("!user list --chart -n {localpart}"),
            "Accounts created per day: 1 from ",
            vec!["UTC, ".to_owned(), "most were 1 on ".into(), "none on 29 of 30 days.".into()],
        ),
        (
            format!("!report list --chart --sender {user}"),
            "Sent by ",
            vec![format!("Sent by {user}: Reports of events per day, 1 from ")],
        ),
        (
            format!("!room list --chart -n {localpart}"),
            "Rooms by members: 1 room",
            vec![
                format!("Bar chart. Rooms by members, 1 room, {fits}: “{name} https"),
                " 2.".into(),
            ],
        ),
        ("!room list --chart".to_owned(), "Rooms by members: ", vec!["Bar chart. Rooms by".into()]),
    ] {
        let mark = scene.ann().mark();
        let answer = scene.ann_asks(&command).await?;
        says(&answer, begins, &[".png"]);
        let body = picture(&scene, mark).await?;
        let shown = body.replace('\u{2060}', "");
        for part in alt {
            assert!(shown.contains(&part), "{part:?} is not in {body}");
        }
        assert!(!body.contains("https:"), "nobody's name is a link: {body}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_picture_can_show_is_refused_with_what_can() -> Result<()> {
    let scene = Scene::start(SYNOD).await?;
    let refused = scene.ann_asks("!room list --chart --sort name").await?;
    says(&refused, "Not understood", &["!room list --chart --sort state_events"]);
    let refused = scene.ann_asks("!stats media --chart -s user_id").await?;
    says(&refused, "Not understood", &["!stats media --chart"]);
    let data = scene.ann_asks("!user list --chart -o json").await?;
    says(&data, "Not understood", &["which is no data"]);
    let nobody = scene.ann_asks("!user list --chart -n there-is-nobody-of-this-name").await?;
    says(&nobody, "Accounts created per day: 0 from ", &["UTC"]);
    Ok(())
}
