//! `server version`: which Synapse answers, and which Synod asks.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    change::{Path, Power},
    commands::{Memory, Query, Spec, Tables},
    error::Stop,
    reply::{Fact, Hostile, Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Version>("version", &["server version"]);

/// Show the version of the homeserver, and mine
#[derive(Debug, clap::Args)]
struct Version {}

#[async_trait]
impl Query for Version {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        #[derive(Deserialize)]
        struct ServerVersion {
            server_version: Hostile,
        }
        let answered: ServerVersion =
            reader.get(&Path::admin(["v1", "server_version"]), &[]).await?;
        Ok(Reply::data(Line::new().code(reader.server_name()))
            .facts(facts(&answered.server_version)))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let answered: Value = reader.get(&Path::admin(["v1", "server_version"]), &[]).await?;
        Ok(sheet.object("version", &answered)?)
    }
}

fn facts(synapse: &Hostile) -> Vec<Fact> {
    vec![
        ("Synapse", Line::new().hostile(synapse)),
        ("Synod", Line::new().plain(env!("CARGO_PKG_VERSION"))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    #[test]
    fn it_takes_no_arguments_and_tells_both_versions() {
        assert_eq!(testing::parse::<Version>(&[]).unwrap().power(), Power::Look);
        assert!(testing::parse::<Version>(&["x"]).is_err());
        let text = testing::facts(&facts(&Hostile::new("1.163.2 (b=main)")));
        let own = env!("CARGO_PKG_VERSION");
        assert_eq!(text, format!("Synapse: “1.163.2 (b=main)”\nSynod: {own}\n"));
    }
}
