//! Files that somebody has sent.

use anyhow::{Context, Result};
use matrix_sdk::ruma::events::room::message::FileMessageEventContent;

use super::Person;
use crate::Message;

impl Person {
    /// What the file holds that a message names: downloaded, and decrypted where it is encrypted.
    pub async fn download(&self, message: &Message) -> Result<Vec<u8>> {
        let content = message.raw["content"].clone();
        let file: FileMessageEventContent =
            serde_json::from_value(content).with_context(|| message.to_string())?;
        let bytes = self.client.media().get_file(&file, false).await?;
        bytes.with_context(|| format!("no file is named by {message}"))
    }
}
