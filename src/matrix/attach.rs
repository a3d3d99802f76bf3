//! Files: first what they hold is uploaded, encrypted where the room is, then a message names it.

use std::time::Duration;

use futures_util::FutureExt as _;
use matrix_sdk::{
    Room,
    deserialized_responses::{AlgorithmInfo, EncryptionInfo},
    media::MediaError,
    ruma::{
        EventId, OwnedUserId,
        api::error::ErrorKind,
        events::room::{MediaSource, message::FileMessageEventContent},
    },
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    download::download,
    outbox::{Sender, Tried},
    shown::{is_whole, message_index_of, opened},
    upload::upload,
};
use crate::{
    pipeline::{Attached, Attachment, Held, Sealed, Unsent},
    reply::{File, Layout, Looks, Reply},
};

/// The longest that an upload may take, all its tries together.
const UPLOAD: Duration = Duration::from_mins(2);

impl Sender {
    /// Uploads what the file holds, and returns the content of the message that names it.
    pub(super) async fn uploaded(&self, room: &Room, file: &File) -> Result<Value, Unsent> {
        let attempt = || {
            async {
                let encrypted = room.latest_encryption_state().await;
                let encrypted = encrypted.map_err(Tried::Failed)?.is_encrypted();
                let uploaded = upload(&room.client(), file, encrypted, UPLOAD).await;
                uploaded.map_err(Tried::Failed)
            }
            .boxed()
        };
        let source = self.insist(Instant::now() + UPLOAD, attempt).await.map_err(told)?;
        content(file, &source).map_err(|error| Unsent::Refused(Box::new(error)))
    }
}

impl Sender {
    /// What an event is that may be a file, looked at and decrypted. Nothing is downloaded.
    pub(super) async fn file_of(&self, room: &Room, event: &EventId) -> Result<Attachment, Unsent> {
        let json = match self.look_at(room.room_id(), event).await {
            Err(error) if is_unknown(&error) => return Ok(Attachment::Elsewhere),
            shown => shown?,
        };
        let refused = |error| Unsent::Refused(Box::new(error));
        let shown: Value = serde_json::from_str(&json).map_err(refused)?;
        let here = |key: &str, id: &str| shown[key].as_str().is_none_or(|shown| shown == id);
        if !here("room_id", room.room_id().as_str()) || !here("event_id", event.as_str()) {
            return Ok(Attachment::Elsewhere);
        }
        if !is_whole(&json) {
            return Ok(Attachment::Removed);
        }
        if !shown["unsigned"]["m.relations"]["m.replace"].is_null() {
            return Ok(Attachment::Edited);
        }
        let Some((session, index)) = message_index_of(&json)? else {
            return Ok(file_in(&shown, None));
        };
        let Some(event) = opened(room, &json).await else { return Ok(Attachment::Undecryptable) };
        let own = match event.encryption_info() {
            Some(info) => is_own(room, info).await,
            None => return Ok(Attachment::Undecryptable),
        };
        let event: Value = serde_json::from_str(event.raw().json().get()).map_err(refused)?;
        Ok(file_in(&event, Some(Sealed { session, index, own })))
    }

    /// What a file holds, as far as `most` bytes.
    pub(super) async fn held_by(&self, file: &Attached, most: u64) -> Result<Held, Unsent> {
        let attempt = || {
            let client = self.shared.client.clone();
            let source = file.source.clone();
            async move { download(&client, &source, most, UPLOAD).await.map_err(Tried::from) }
                .boxed()
        };
        self.insist(Instant::now() + UPLOAD, attempt).await
    }
}

/// Whether the homeserver says that there is no such event in the room, or none that the bot may
/// see.
fn is_unknown(error: &Unsent) -> bool {
    let Unsent::Refused(error) = error else { return false };
    let kind = error.downcast_ref().and_then(matrix_sdk::Error::client_api_error_kind);
    matches!(kind, Some(ErrorKind::NotFound | ErrorKind::Forbidden))
}

/// Whether it was encrypted in a session that this very device began.
async fn is_own(room: &Room, info: &EncryptionInfo) -> bool {
    let AlgorithmInfo::MegolmV1AesSha2 { curve25519_key, .. } = &info.algorithm_info else {
        return false;
    };
    let own = room.client().encryption().curve25519_key().await.map(|key| key.to_base64());
    info.sender == room.own_user_id()
        && info.forwarder.is_none()
        && own.as_ref() == Some(curve25519_key)
}

/// The file that an event in clear, or decrypted, names, or the text that it is.
fn file_in(event: &Value, sealed: Option<Sealed>) -> Attachment {
    let content = &event["content"];
    if event["type"] != "m.room.message" || !event["state_key"].is_null() {
        return Attachment::None;
    }
    if content["m.relates_to"]["rel_type"] == "m.replace" {
        return Attachment::Edit;
    }
    match content["msgtype"].as_str() {
        Some("m.file") => {}
        Some("m.text" | "m.notice") => {
            let text = |key: &str| content[key].as_str().map(str::to_owned);
            let formatted = text("formatted_body");
            return text("body")
                .map_or(Attachment::None, |body| Attachment::Text { body, formatted });
        }
        _ => return Attachment::None,
    }
    let sender = event["sender"].as_str().and_then(|sender| OwnedUserId::try_from(sender).ok());
    let file = serde_json::from_value::<FileMessageEventContent>(content.clone());
    let (Some(sender), Ok(file)) = (sender, file) else { return Attachment::None };
    Attachment::File(Box::new(Attached {
        sender,
        name: file.filename().to_owned(),
        size: file.info.as_ref().and_then(|info| info.size).map(u64::from),
        sealed,
        source: file.source,
    }))
}

/// The content of a message that is a file.
fn content(file: &File, source: &MediaSource) -> serde_json::Result<Value> {
    let mut content = json!({
        "msgtype": "m.file",
        "body": file.name,
        "filename": file.name,
        "info": { "mimetype": file.mime.as_ref(), "size": file.bytes() },
        "m.mentions": {},
    });
    if let Some(looks) = &file.looks {
        describe(&mut content, looks);
    }
    match source {
        MediaSource::Plain(uri) => content["url"] = json!(uri),
        MediaSource::Encrypted(file) => content["file"] = serde_json::to_value(file)?,
    }
    Ok(content)
}

/// Makes the content of a file that of a picture: beside the name of the file, the body is what the
/// picture shows.
fn describe(content: &mut Value, looks: &Looks) {
    content["msgtype"] = json!("m.image");
    content["info"]["w"] = json!(looks.width);
    content["info"]["h"] = json!(looks.height);
    let alt = Reply::default().text(looks.alt.clone()).draw(Layout::default());
    if let Some(alt) = alt.first() {
        content["body"] = json!(alt.body);
        content["format"] = json!("org.matrix.custom.html");
        content["formatted_body"] = json!(alt.html);
    }
}

/// A refusal for its size is one that somebody can do something about.
fn told(error: Unsent) -> Unsent {
    match error {
        Unsent::Refused(error) if is_too_large(&*error) => Unsent::TooLarge,
        other => other,
    }
}

/// Whether a file is larger than the homeserver says that it takes, than it takes, or than a proxy
/// before it lets through.
fn is_too_large(error: &(dyn std::error::Error + 'static)) -> bool {
    let Some(error) = error.downcast_ref::<matrix_sdk::Error>() else { return false };
    matches!(error, matrix_sdk::Error::Media(MediaError::MediaTooLargeToUpload { .. }))
        || error.client_api_error_kind() == Some(&ErrorKind::TooLarge)
        || error.as_client_api_error().is_some_and(|error| error.status_code.as_u16() == 413)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::{Hostile, Line};

    #[test]
    fn a_picture_says_how_large_it_is_and_what_it_shows_without_links() {
        let name = Hostile::new("see https://evil.example @room");
        let alt = Line::from("Bar chart. The largest is ").hostile(&name).plain(", 7.");
        let looks = Looks { width: 780, height: 300, alt };
        let file = File::picture("media.png", b"png".to_vec(), looks);
        let source = MediaSource::Plain("mxc://one.example/abc".into());
        let mut content = content(&file, &source).unwrap();
        let body = content["body"].take();
        let html = content["formatted_body"].take();
        for text in [body.as_str().unwrap(), html.as_str().unwrap()] {
            assert!(text.contains("Bar chart. The largest is"), "{text}");
            assert!(!text.contains("https:") && !text.contains("@room"), "{text}");
        }
        assert_eq!(
            content,
            json!({
                "msgtype": "m.image",
                "body": null,
                "format": "org.matrix.custom.html",
                "formatted_body": null,
                "filename": "media.png",
                "info": { "mimetype": "image/png", "size": 3, "w": 780, "h": 300 },
                "url": "mxc://one.example/abc",
                "m.mentions": {},
            })
        );
    }

    #[test]
    fn a_file_names_what_it_is_and_mentions_nobody() {
        let file = File::new("record.jsonl", mime::APPLICATION_JSON, b"{}\n".to_vec());
        let source = MediaSource::Plain("mxc://one.example/abc".into());
        assert_eq!(
            content(&file, &source).unwrap(),
            json!({
                "msgtype": "m.file",
                "body": "record.jsonl",
                "filename": "record.jsonl",
                "info": { "mimetype": "application/json", "size": 3 },
                "url": "mxc://one.example/abc",
                "m.mentions": {},
            })
        );
    }
}
