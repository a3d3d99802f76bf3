//! Files: first what they hold is uploaded, encrypted where the room is, then a message names it.

use std::time::Duration;

use futures_util::FutureExt as _;
use matrix_sdk::{
    Room,
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
    outbox::{Sender, Tried, one_try},
    upload::upload,
};
use crate::{
    pipeline::{Attached, Unsent},
    reply::File,
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

/// The largest file that is read, bytes: a list of 10,000 ids is smaller.
const LARGEST: u64 = 1024 * 1024;

impl Sender {
    /// The file that an event is, downloaded and decrypted.
    pub(super) async fn file_of(
        &self,
        room: &Room,
        event: &EventId,
    ) -> Result<Option<Attached>, Unsent> {
        let attempt = || {
            let asked = room.event(event, Some(one_try()));
            async { asked.await.map_err(Tried::Failed) }.boxed()
        };
        let found = self.insist(Instant::now() + UPLOAD, attempt).await?;
        let Some((sender, file)) = file_in(found.raw().json().get()) else { return Ok(None) };
        let name = file.filename().to_owned();
        // Whoever says no size is an operator too, and what the homeserver takes is the limit.
        let size = file.info.as_ref().and_then(|info| info.size).map(u64::from);
        if size.is_some_and(|size| size > LARGEST) {
            return Ok(Some(Attached { sender, name, bytes: None }));
        }
        let attempt = || {
            let client = room.client();
            let file = file.clone();
            async move { client.media().get_file(&file, false).await.map_err(Tried::Failed) }
                .boxed()
        };
        let bytes = self.insist(Instant::now() + UPLOAD, attempt).await?;
        let bytes = bytes.filter(|bytes| bytes.len() as u64 <= LARGEST);
        Ok(Some(Attached { sender, name, bytes }))
    }
}

/// Who sent this event, and the file that it is, if it is one.
fn file_in(json: &str) -> Option<(OwnedUserId, FileMessageEventContent)> {
    let event: Value = serde_json::from_str(json).ok()?;
    if event["type"] != "m.room.message" || event["content"]["msgtype"] != "m.file" {
        return None;
    }
    let sender = OwnedUserId::try_from(event["sender"].as_str()?).ok()?;
    Some((sender, serde_json::from_value(event["content"].clone()).ok()?))
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
    match source {
        MediaSource::Plain(uri) => content["url"] = json!(uri),
        MediaSource::Encrypted(file) => content["file"] = serde_json::to_value(file)?,
    }
    Ok(content)
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
