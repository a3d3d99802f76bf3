//! `federation rooms`: the rooms that are shared with another server.

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use ruma::{OwnedServerName, ServerName};
use serde::Deserialize;
use serde_json::Value;

use super::destination;
use crate::{
    change::{Path, Subject},
    commands::{
        Spec, Tables,
        listing::{Listing, Named, Page, Pages},
        refusals::looks,
    },
    error::Stop,
    reply::{Fact, Hostile, IdsOf, Line, Record},
    synapse::{Error, Reader, wire::known},
};

pub(super) const SPEC: Spec = Spec::query::<Rooms>(
    "rooms",
    &["federation rooms remote.example", "federation rooms remote.example --limit 20 --reverse"],
);

/// List the rooms that are shared with another server, by id
#[derive(Debug, clap::Args)]
struct Rooms {
    /// The name of the server
    #[arg(value_parser = destination::server)]
    server: OwnedServerName,
    #[command(flatten)]
    pages: Pages,
    /// Reverse the order
    #[arg(short, long)]
    reverse: bool,
}

/// How many names are looked up at once.
const AT_ONCE: usize = 8;

#[derive(Debug, Deserialize)]
struct Shared {
    room_id: String,
    /// Not in the homeserver's list: looked up for what is shown.
    name: Option<Hostile>,
    canonical_alias: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    joined_members: Option<u64>,
}

#[derive(Deserialize)]
struct RoomPage {
    rooms: Vec<Value>,
    total: u64,
    next_token: Option<String>,
}

fn path(server: &ServerName) -> Path {
    Path::admin(["v1", "federation", "destinations", server.as_str(), "rooms"])
}

/// How many there are.
pub(super) async fn count(server: &ServerName, reader: &Reader) -> Result<u64, Error> {
    let listed: RoomPage = reader.get(&path(server), &[("limit", "1".to_owned())]).await?;
    Ok(listed.total)
}

#[async_trait]
impl Listing for Rooms {
    const NAMED: Named = Named {
        key: "rooms",
        one: "room",
        many: "rooms",
        columns: &["room_id", "stream_ordering"],
    };
    type Row = Shared;

    fn refusals(&self) -> Tables {
        &[looks::DESTINATION, looks::PAGE]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn of(&self, _reader: &Reader) -> Line {
        Line::new().code(&self.server).plain(": ")
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        reader.may_name(&Subject::Destination(self.server.clone()))?;
        let query = [
            ("from", Pages::number(from)?.to_string()),
            ("limit", limit.to_string()),
            ("dir", if self.reverse { "b" } else { "f" }.to_owned()),
        ];
        let listed: Option<RoomPage> = reader.find(&path(&self.server), &query).await?;
        let listed = listed.ok_or_else(|| Stop::not_found(destination::unknown(&self.server)))?;
        Ok(Page { rows: listed.rooms, total: Some(listed.total), next: listed.next_token })
    }

    async fn complete(&self, rows: Vec<Value>, reader: &Reader) -> Vec<Value> {
        let named = rows.into_iter().map(|row| async move {
            let Some(id) = row["room_id"].as_str() else { return row };
            // The list is worth showing without names.
            let path = Path::admin(["v1", "rooms", id]);
            reader.find::<Value>(&path, &[]).await.ok().flatten().unwrap_or(row)
        });
        stream::iter(named).buffered(AT_ONCE).collect().await
    }

    fn ids_of(&self) -> Option<IdsOf> {
        Some(IdsOf::Rooms)
    }

    fn id(&self, room: &Shared, _: &Reader) -> Option<String> {
        Some(room.room_id.clone())
    }

    fn record(&self, room: &Shared, _now: Timestamp) -> Record {
        record(room)
    }
}

fn record(room: &Shared) -> Record {
    let mut title = Line::new().code(&room.room_id);
    if let Some(name) = room.name.as_ref().filter(|name| !name.is_empty()) {
        title = title.plain(" ").hostile(name);
    }
    let alias = room.canonical_alias.as_ref().filter(|alias| !alias.is_empty());
    let alias = alias.map(|alias| ("Alias", Line::new().hostile(alias)));
    let members: Option<Fact> =
        room.joined_members.map(|members| ("Members", members.to_string().into()));
    Record { title, facts: alias.into_iter().chain(members).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        commands::user::testing,
        reply::{Block, Reply},
    };

    #[test]
    fn a_room_is_shown_by_its_id_and_with_its_name_where_that_is_known() {
        let rows = [
            json!({"room_id": "!a:example.org", "stream_ordering": 12}),
            json!({"room_id": "!b", "name": "Lobby", "canonical_alias": null,
                   "joined_members": 3}),
        ];
        let records = rows.iter().map(|row| record(&Shared::deserialize(row).unwrap()));
        let text = testing::reply(&Reply::data("").with(Block::Records(records.collect())));
        assert_eq!(text, "\n* `!a:example.org`\n  \n* `!b` “Lobby”\n  Members: 3\n");
    }

    #[test]
    fn it_takes_one_server() {
        assert!(testing::parse::<Rooms>(&["remote.example", "-l", "5", "-r"]).is_ok());
        assert!(testing::parse::<Rooms>(&[]).is_err());
        assert!(testing::parse::<Rooms>(&["not a server"]).is_err());
    }
}
