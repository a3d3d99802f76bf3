//! Files: first what they hold is uploaded, encrypted where the room is, then a message names it.

use std::{io::Read as _, time::Duration};

use futures_util::FutureExt as _;
use matrix_sdk::{
    Room,
    media::MediaError,
    ruma::{api::error::ErrorKind, events::room::MediaSource},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::outbox::{Sender, Tried, one_try};
use crate::{pipeline::Unsent, reply::File};

/// The longest that an upload may take, all its tries together.
const UPLOAD: Duration = Duration::from_mins(2);

impl Sender {
    /// Uploads what the file holds, and returns the content of the message that names it.
    pub(super) async fn uploaded(&self, room: &Room, file: &File) -> Result<Value, Unsent> {
        let attempt = || async { upload(room, file).await.map_err(Tried::Failed) }.boxed();
        let source = self.insist(Instant::now() + UPLOAD, attempt).await.map_err(told)?;
        content(file, &source).map_err(|error| Unsent::Refused(Box::new(error)))
    }
}

async fn upload(room: &Room, file: &File) -> Result<MediaSource, matrix_sdk::Error> {
    let client = room.client();
    let config = one_try().timeout(UPLOAD);
    if room.latest_encryption_state().await?.is_encrypted() {
        let mut bytes = file.read();
        let uploaded = client.upload_encrypted_file(&mut bytes).with_request_config(config).await?;
        Ok(MediaSource::Encrypted(Box::new(uploaded)))
    } else {
        let uploaded = client.media().upload(&file.mime, read(file)?, Some(config)).await?;
        Ok(MediaSource::Plain(uploaded.content_uri))
    }
}

fn read(file: &File) -> Result<Vec<u8>, matrix_sdk::Error> {
    let mut bytes = Vec::new();
    file.read().read_to_end(&mut bytes)?;
    Ok(bytes)
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
