//! `background status`: what the homeserver does with its database.

use async_trait::async_trait;

use super::updates::{self, Updates};
use crate::{
    change::Power,
    commands::{Memory, Query, Spec, Tables},
    error::Stop,
    reply::{Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Status>("status", &["background status"]);

/// Show whether background updates are on, and what runs now
///
/// The homeserver does not show what is waiting.
#[derive(Debug, clap::Args)]
struct Status {}

#[async_trait]
impl Query for Status {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let updates = updates::updates(reader).await?;
        let title = Line::new().code(reader.server_name());
        Ok(told(title, &updates))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        Ok(sheet.object("status", &updates::raw(reader).await?)?)
    }
}

fn told(title: Line, updates: &Updates) -> Reply {
    let reply = Reply::data(title).facts(updates.facts());
    if updates.enabled {
        return reply;
    }
    reply.command("Go on", ["background", "resume"].map(str::to_owned).to_vec())
}

#[cfg(test)]
mod tests {
    use super::{super::updates::tests::some, *};
    use crate::commands::user::testing;

    #[test]
    fn a_pause_comes_with_the_way_out_of_it() {
        let text = |enabled| testing::reply(&told("x".into(), &some(enabled, None)));
        assert_eq!(text(true), "x\nBackground updates: on\nRunning: nothing\n");
        assert!(text(false).ends_with("Go on: !background resume\n"));
        assert!(testing::parse::<Status>(&["x"]).is_err());
    }
}
