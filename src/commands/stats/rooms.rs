//! `stats rooms`: which rooms take up most of the database.

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    change::Path,
    commands::{
        Spec, Tables,
        listing::{
            Listing, Named, Page, Pages,
            chart::{Chart, Largest, called},
        },
        refusals::looks,
    },
    error::Stop,
    reply::{Hostile, IdsOf, Line, Record, size},
    synapse::{Error, Reader},
};

pub(super) const SPEC: Spec =
    Spec::query::<Rooms>("rooms", &["stats rooms", "stats rooms --chart"]).since(1, 83);

/// List the ten rooms that use the most database space
///
/// The sizes are estimates, which only `PostgreSQL` can make.
#[derive(Debug, clap::Args)]
struct Rooms {
    #[command(flatten)]
    pages: Pages,
    /// Send a picture instead
    #[arg(long, conflicts_with_all = ["from", "limit", "all"])]
    chart: bool,
}

/// How many names are looked up at once.
const AT_ONCE: usize = 8;

#[derive(Debug, Deserialize)]
struct Room {
    #[serde(rename = "room_id")]
    id: String,
    estimated_size: u64,
    /// Not in the homeserver's list: looked up for what is shown.
    name: Option<Hostile>,
}

#[async_trait]
impl Listing for Rooms {
    const NAMED: Named =
        Named { key: "rooms", one: "room", many: "rooms", columns: &["room_id", "estimated_size"] };
    type Row = Room;

    fn refusals(&self) -> Tables {
        &[looks::PAGE]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        #[derive(Deserialize)]
        struct RoomSizes {
            rooms: Vec<Value>,
        }
        let path = Path::admin(["v1", "statistics", "database", "rooms"]);
        let listed: Result<RoomSizes, Error> = reader.get(&path, &[]).await;
        match listed {
            Ok(listed) => Ok(Page::part(listed.rooms, Pages::number(from)?, limit)),
            Err(error) => Err(explained(error)),
        }
    }

    async fn complete(&self, rows: Vec<Value>, reader: &Reader) -> Vec<Value> {
        let named = rows.into_iter().map(|mut row| async move {
            if let Some(id) = row["room_id"].as_str()
                // The list is worth showing without names.
                && let Ok(Some(room)) =
                    reader.find::<Value>(&Path::admin(["v1", "rooms", id]), &[]).await
            {
                row["name"] = room["name"].clone();
            }
            row
        });
        stream::iter(named).buffered(AT_ONCE).collect().await
    }

    fn chart(&self) -> Option<Chart<Room>> {
        self.chart.then_some(Chart::Largest(Largest {
            title: "Rooms by size",
            label: |room: &Room| called(&room.id, [room.name.as_ref()]),
            value: |room: &Room| Some(room.estimated_size),
            shown: size,
            narrowed: false,
            listed_in_part: true,
        }))
    }

    fn ids_of(&self) -> Option<IdsOf> {
        Some(IdsOf::Rooms)
    }

    fn id(&self, room: &Room, _: &Reader) -> Option<String> {
        Some(room.id.clone())
    }

    fn record(&self, room: &Room, _now: Timestamp) -> Record {
        let mut title = Line::new().code(&room.id);
        if let Some(name) = room.name.as_ref().filter(|name| !name.is_empty()) {
            title = title.plain(" ").hostile(name);
        }
        Record { title, facts: vec![("About", size(room.estimated_size).into())] }
    }
}

/// Says it kindly where the database is the small one.
fn explained(error: Error) -> Stop {
    let needs = error.message().is_some_and(|message| message.raw().contains("PostgreSQL"));
    let why = match error.status() {
        Some(400) if needs => {
            "this homeserver uses SQLite, which cannot estimate the size of a room; only \
            PostgreSQL can. A list by number of state events is a good substitute"
        }
        // It reads an estimate from each of seven tables, and stumbles over one that has none: a
        // column of `event_edges` that has been left empty since the schema of version 72.
        Some(500) if !error.is_foreign() => {
            "this homeserver cannot do it. Synapse fails if its database was created in 2022 or \
            later, or is still small; its log then says TypeError. A list by number of state \
            events is a good substitute"
        }
        _ => return error.into(),
    };
    Stop::failed(why).or(&["room", "list", "--sort", "state_events"])
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
    fn a_room_shows_its_size_and_its_name_where_that_is_known() {
        let verb: Rooms = testing::parse(&["-l", "5"]).unwrap();
        let rows = [
            json!({"room_id": "!a:example.org", "estimated_size": 1536, "name": "Lobby"}),
            json!({"room_id": "!b", "estimated_size": 0}),
        ];
        let records =
            rows.iter().map(|row| verb.record(&Room::deserialize(row).unwrap(), testing::now()));
        let text = testing::reply(&Reply::data("").with(Block::Records(records.collect())));
        assert_eq!(text, "\n* `!a:example.org` “Lobby”\n  About: 1.5 KiB\n* `!b`\n  About: 0 B\n");
    }
}
