//! `room hierarchy`: the rooms of a space.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::{OwnedRoomId, RoomId};
use serde::Deserialize;
use serde_json::Value;

use super::{known, page};
use crate::{
    change::Path,
    commands::{
        Spec, Tables,
        arguments::RoomRef,
        listing::{Listing, Named, Page, Pages},
        refusals::looks,
    },
    error::Stop,
    reply::{Hostile, Line, Record},
    synapse::{
        Error, Reader,
        wire::{known as if_known, readable},
    },
};

pub(super) const SPEC: Spec = Spec::query::<Hierarchy>(
    "hierarchy",
    &["room hierarchy #lobby:example.org", "room hierarchy #lobby:example.org --max-depth 1"],
)
.since(1, 142);

/// List the rooms of a space, the space first
///
/// Rooms without members on this server are left out.
#[derive(Debug, clap::Args)]
struct Hierarchy {
    /// The space: its id, !abc:example.org or !abc, or its alias, #lobby:example.org
    room: RoomRef,
    /// How many levels deep to go; 1 lists only the rooms of the space itself
    #[arg(short, long, value_name = "NUMBER")]
    max_depth: Option<u64>,
    #[command(flatten)]
    pages: Pages,
}

/// How many rooms the homeserver puts on a page at most.
const LARGEST: u64 = 50;

#[derive(Debug, Deserialize)]
struct Room {
    #[serde(rename = "room_id")]
    id: String,
    name: Option<Hostile>,
    canonical_alias: Option<Hostile>,
    #[serde(rename = "room_type")]
    kind: Option<Hostile>,
    #[serde(default, deserialize_with = "if_known")]
    num_joined_members: Option<u64>,
    join_rule: Option<Hostile>,
    #[serde(default, deserialize_with = "readable")]
    children_state: Vec<Value>,
    /// Whether the homeserver listed it more than once; said by [`each_once`].
    #[serde(default, rename = "org.synod.again")]
    again: bool,
}

#[async_trait]
impl Listing for Hierarchy {
    const NAMED: Named = Named {
        key: "rooms",
        one: "room",
        many: "rooms",
        columns: &[
            "room_id",
            "name",
            "canonical_alias",
            "room_type",
            "num_joined_members",
            "join_rule",
            "room_version",
            "topic",
        ],
    };
    type Row = Room;

    fn refusals(&self) -> Tables {
        &[looks::PLACE, looks::ROOM]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn of(&self, _reader: &Reader) -> Line {
        known::titled(&self.room).plain(": ")
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        let room = reader.room_id(&self.room).await?;
        must_have_members(&room, reader).await?;
        let mut query = vec![("limit", page_of(limit).to_string())];
        query.extend(self.max_depth.map(|depth| ("max_depth", depth.to_string())));
        query.extend(from.map(|from| ("from", from.to_owned())));
        match asked(&room, &query, reader).await {
            Ok(HierarchyPage { rooms, next_batch }) => {
                Ok(Page { rows: rooms, total: None, next: next_batch })
            }
            Err(error) if from.is_some() && error.status() == Some(400) && !error.is_foreign() => {
                Err(Stop::not_found(
                    "the homeserver has forgotten this position; leave out --from to start at the \
                     beginning",
                ))
            }
            Err(error) if is_of_its_own(&error) => Err(failed(&room, self.max_depth)),
            Err(error) => Err(error.into()),
        }
    }

    async fn complete(&self, rows: Vec<Value>, _reader: &Reader) -> Vec<Value> {
        each_once(rows)
    }

    fn notes(&self, rows: &[Room]) -> Vec<Line> {
        let again: Vec<&Room> = rows.iter().filter(|room| room.again).collect();
        let Some(first) = again.first() else { return Vec::new() };
        let line = Line::new().plain("The homeserver listed ").code(&first.id);
        let line = match again.len() {
            1 => line,
            n => line.plain(format!(" and {} others", n - 1)),
        };
        vec![line.plain(
            " more than once, as it does with rooms that it does not know itself. Each is shown \
            once, so there are fewer than it counted",
        )]
    }

    fn record(&self, room: &Room, _now: Timestamp) -> Record {
        record(room)
    }
}

/// A page of the rooms of a space, as the homeserver has it.
#[derive(Deserialize)]
struct HierarchyPage {
    rooms: Vec<Value>,
    next_batch: Option<String>,
}

async fn asked(
    room: &RoomId,
    query: &[(&str, String)],
    reader: &Reader,
) -> Result<HierarchyPage, Error> {
    reader.get(&Path::admin(["v1", "rooms", room.as_str(), "hierarchy"]), query).await
}

/// Whether the homeserver has an internal error.
fn is_of_its_own(error: &Error) -> bool {
    error.status() == Some(500) && !error.is_foreign()
}

/// Refuses a room that nobody here is in: for such a one the homeserver has an internal error.
async fn must_have_members(room: &RoomId, reader: &Reader) -> Result<(), Stop> {
    match known::room(room, reader).await? {
        None => Err(Stop::not_found(known::unknown(room))),
        Some(known) if !known.has_members_here() => {
            Err(Stop::refused(Line::new().plain("nobody on this server is in ").code(room)))
        }
        Some(_) => Ok(()),
    }
}

/// The most rooms of a space that are taken together.
const MOST: usize = 1_000;

/// The rooms of a space that have members here, the space first, each once. A refusal where it is no
/// space, or has too many.
pub(super) async fn rooms_of(space: &RoomId, reader: &Reader) -> Result<Vec<OwnedRoomId>, Stop> {
    must_have_members(space, reader).await?;
    let mut rooms: Vec<OwnedRoomId> = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let mut query = vec![("limit", LARGEST.to_string())];
        query.extend(from.map(|from| ("from", from)));
        let page = match asked(space, &query, reader).await {
            Err(error) if is_of_its_own(&error) => return Err(failed(space, None)),
            page => page?,
        };
        if rooms.is_empty()
            && page.rooms.first().is_none_or(|first| first["room_type"] != "m.space")
        {
            return Err(Stop::refused(Line::new().code(space).plain(" is a room, and no space"))
                .or(&["room", "details", space.as_str()]));
        }
        for row in page.rooms {
            let id = row["room_id"].as_str().and_then(|id| OwnedRoomId::try_from(id).ok());
            rooms.extend(id.filter(|id| !rooms.contains(id)));
        }
        if rooms.len() > MOST {
            let why = format!(" has more than {MOST} rooms, which are too many to take together");
            return Err(Stop::refused(Line::new().code(space).plain(why)));
        }
        from = page.next_batch;
        if from.is_none() {
            return Ok(rooms);
        }
    }
}

/// How many to ask for, so that whole pages come near what is wanted.
fn page_of(limit: u64) -> u64 {
    limit.div_ceil(limit.div_ceil(LARGEST).max(1))
}

/// Each room once, where it stands first; one that stood there again says so.
fn each_once(rows: Vec<Value>) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    let mut places = HashMap::new();
    for row in rows {
        let Some(id) = row["room_id"].as_str().map(str::to_owned) else {
            kept.push(row);
            continue;
        };
        let first = places.get(&id).and_then(|place| kept.get_mut(*place));
        if let Some(first) = first.and_then(Value::as_object_mut) {
            first.insert("org.synod.again".to_owned(), true.into());
        } else {
            places.insert(id, kept.len());
            kept.push(row);
        }
    }
    kept
}

/// The refusal where the homeserver has an internal error for a space that it knows.
fn failed(room: &RoomId, max_depth: Option<u64>) -> Stop {
    let stop =
        Stop::failed(Line::new().plain("the homeserver fails at the space ").code(room).plain(
            " (500). Synapse does so if the space contains rooms that it does not know, or a \
                room contains itself. Try a smaller depth; the state of the space lists its rooms",
        ));
    let stop = match max_depth {
        Some(1) => stop,
        _ => stop.or(&["room", "hierarchy", room.as_str(), "--max-depth", "1"]),
    };
    stop.or(&["room", "state", room.as_str()])
}

fn record(room: &Room) -> Record {
    let mut title = Line::new().code(&room.id);
    if let Some(name) = room.name.as_ref().filter(|name| !name.is_empty()) {
        title = title.plain(" ").hostile(name);
    }
    let mut facts = Vec::new();
    if let Some(alias) = room.canonical_alias.as_ref().filter(|alias| !alias.is_empty()) {
        facts.push(("Alias", Line::new().hostile(alias)));
    }
    if room.kind.as_ref().is_some_and(|kind| kind.raw() == "m.space") {
        facts.push(("Space", format!("of {}", room.children_state.len()).into()));
    }
    let members = room.num_joined_members;
    facts.push(("Members", members.map_or_else(|| "not known".into(), |n| n.to_string().into())));
    if let Some(rule) = &room.join_rule {
        facts.push(("Who may join", page::who_may_join(Some(rule))));
    }
    Record { title, facts }
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
    fn pages_are_no_larger_than_the_homeserver_makes_them() {
        for (limit, page) in [(1, 1), (50, 50), (51, 26), (60, 30), (100, 50), (1000, 50)] {
            assert_eq!(page_of(limit), page, "{limit}");
        }
    }

    #[test]
    fn a_space_says_how_many_stand_in_it() {
        let rows = [
            json!({"room_id": "!space", "name": "Club", "room_type": "m.space",
                   "num_joined_members": 3, "join_rule": "invite", "children_state": [{}, {}]}),
            json!({"room_id": "!room:example.org", "canonical_alias": "#room:example.org"}),
        ];
        let records = rows.iter().map(|row| record(&Room::deserialize(row).unwrap()));
        let text = testing::reply(&Reply::data("").with(Block::Records(records.collect())));
        assert_eq!(
            text,
            "\n* `!space` “Club”\n  Space: of 2 · Members: 3 · Who may join: invite only\n\
             * `!room:example.org`\n  Alias: “#room:example.org” · Members: not known\n"
        );
        assert!(testing::parse::<Hierarchy>(&["!a", "-m", "0", "-l", "5"]).is_ok());
    }

    #[test]
    fn what_the_homeserver_lists_twice_is_shown_once_and_said() {
        let row = |id: &str| json!({"room_id": id, "children_state": []});
        let rows = each_once(vec![row("!a"), row("!b"), row("!a"), row("!c"), row("!a")]);
        let rooms: Vec<Room> = rows.iter().map(|row| Room::deserialize(row).unwrap()).collect();
        let ids: Vec<&str> = rooms.iter().map(|room| room.id.as_str()).collect();
        assert_eq!(ids, ["!a", "!b", "!c"]);
        let verb: Hierarchy = testing::parse(&["!a"]).unwrap();
        let notes: Vec<String> = verb.notes(&rooms).iter().map(Line::text).collect();
        assert_eq!(notes.len(), 1);
        assert!(notes[0].contains("!a") && notes[0].contains("more than once"), "{notes:?}");
        let once = each_once(vec![row("!a"), row("!b")]);
        let once: Vec<Room> = once.iter().map(|row| Room::deserialize(row).unwrap()).collect();
        assert!(verb.notes(&once).is_empty());
    }
}
