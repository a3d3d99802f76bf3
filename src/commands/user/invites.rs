//! `user invites`: how many people an account has invited.

use async_trait::async_trait;

use super::{account::how_many, count::Counted};
use crate::{
    change::Power,
    commands::{Memory, Query, Spec, Tables, refusals::looks},
    error::Stop,
    reply::{Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Invites>(
    "invites",
    &["user invites @ann:example.org", "user invites @ann:example.org --since 3d"],
)
.since(1, 122);

/// Count the invitations that an account has sent; many recent ones are a sign of spam
#[derive(Debug, clap::Args)]
struct Invites {
    #[command(flatten)]
    counted: Counted,
}

const ENDPOINT: &str = "sent_invite_count";
const KEY: &str = "invite_count";

#[async_trait]
impl Query for Invites {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::SINCE, looks::ACCOUNT])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let user = reader.user_id(&self.counted.user)?;
        let sent = self.counted.ask(&user, ENDPOINT, KEY, reader).await?;
        let sent = how_many(Some(sent), "invitation", "invitations");
        let since = self.counted.since(reader);
        Ok(Reply::data(Line::new().code(&user).plain(format!(" has sent {sent}{since}"))))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let user = reader.user_id(&self.counted.user)?;
        let sent = self.counted.ask(&user, ENDPOINT, KEY, reader).await?;
        Ok(sheet.object("invites", &self.counted.data(&user, KEY, sent, reader))?)
    }
}
