//! Files that somebody has sent.

use anyhow::{Context, Result};
use matrix_sdk::{
    attachment::AttachmentConfig,
    ruma::events::room::message::{FileMessageEventContent, TextMessageEventContent},
};
use ruma::{OwnedEventId, RoomId};

use super::Person;
use crate::Message;

impl Person {
    /// Sends a file, encrypted where the room is, with a caption where there is one.
    pub async fn attach(
        &self,
        room: &RoomId,
        (name, bytes): (&str, &[u8]),
        caption: Option<&str>,
    ) -> Result<OwnedEventId> {
        let caption = caption.map(TextMessageEventContent::plain);
        let config = AttachmentConfig::new().caption(caption);
        let sending = self.room(room)?;
        let kind = mime::TEXT_PLAIN;
        let sent = sending.send_attachment(name, &kind, bytes.to_vec(), config).await?;
        Ok(sent.event_id)
    }

    /// What the file holds that a message names: downloaded, and decrypted where it is encrypted.
    pub async fn download(&self, message: &Message) -> Result<Vec<u8>> {
        let content = message.raw["content"].clone();
        let file: FileMessageEventContent =
            serde_json::from_value(content).with_context(|| message.to_string())?;
        let bytes = self.client.media().get_file(&file, false).await?;
        bytes.with_context(|| format!("no file is named by {message}"))
    }
}
