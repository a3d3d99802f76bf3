//! `user joins`: how many rooms an account has joined.

use async_trait::async_trait;

use super::{
    account::{how_many, words},
    count::Counted,
};
use crate::{
    change::Power,
    commands::{Memory, Query, Spec, Tables, refusals::looks},
    error::Stop,
    reply::{Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Joins>(
    "joins",
    &["user joins @ann:example.org", "user joins @ann:example.org --since 3d"],
)
.since(1, 122);

/// Count the rooms that an account has joined, including those it has left
#[derive(Debug, clap::Args)]
struct Joins {
    #[command(flatten)]
    counted: Counted,
}

const KEY: &str = "cumulative_joined_room_count";

#[async_trait]
impl Query for Joins {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::SINCE, looks::ACCOUNT])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let user = reader.user_id(&self.counted.user)?;
        let joined = self.counted.ask(&user, KEY, KEY, reader).await?;
        let now = reader.joined_rooms(&user).await?.len() as u64;
        let since = self.counted.since(reader);
        let joined = how_many(Some(joined), "room", "rooms");
        let title = Line::new().code(&user).plain(format!(" has joined {joined}{since}"));
        Ok(Reply::data(title)
            .facts(vec![("In now", how_many(Some(now), "room", "rooms").into())])
            .command("Which ones", words(["user", "membership", user.as_str()])))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let user = reader.user_id(&self.counted.user)?;
        let joined = self.counted.ask(&user, KEY, KEY, reader).await?;
        Ok(sheet.object("joins", &self.counted.data(&user, KEY, joined, reader))?)
    }
}
