//! `room power-levels`: who has power in which room.

use std::{cmp::Reverse, collections::BTreeMap};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use ruma::RoomId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    known,
    page::{self, Order, Row, Wanted},
    power,
    standing::{self, AS_OF_LEAVING, OF_THEN},
};
use crate::{
    commands::{
        Ask, Does, Spec, Tables,
        arguments::RoomRef,
        listing::{Kept, Listing, Named, Page, Pages},
        refusals::looks,
    },
    error::Stop,
    reply::{Fact, Line, Record},
    synapse::{Error, Reader},
};

pub(super) const SPEC: Spec = Spec::of::<PowerLevels>(
    Does::Look,
    "power-levels",
    &[
        "room power-levels #lobby:example.org",
        "room power-levels --name lobby",
        "room power-levels --sort joined_members --limit 20 --all-details",
    ],
);

/// How many rooms are shown where nothing else was typed: each takes two requests.
const SHOWN: u64 = 10;
/// How many rooms are looked at at once.
const AT_ONCE: usize = 8;
/// How many accounts of one room are shown.
const MOST: usize = 20;

/// Show who has power in a room, or in each of many
///
/// In rooms of version 12 and later the creators have more power than any level.
#[derive(Debug, clap::Args)]
struct PowerLevels {
    /// One room: its id, !abc:example.org or !abc, or its alias, #lobby:example.org; by default all
    /// rooms of this server
    #[arg(conflicts_with_all = ["room_id", "name", "from", "all", "sort", "reverse"])]
    room: Option<RoomRef>,
    /// The same, as an option
    #[arg(short = 'i', long, value_name = "ROOM",
          conflicts_with_all = ["name", "from", "all", "sort", "reverse"])]
    room_id: Option<RoomRef>,
    /// Also show what `room list` shows of each room
    #[arg(short, long)]
    all_details: bool,
    /// Start here: how many rooms to skip, or the value in the next-page command
    #[arg(short, long, value_name = "PLACE", overrides_with = "from")]
    from: Option<String>,
    /// Show at most this many rooms; each needs two requests
    #[arg(short, long, value_name = "NUMBER", default_value_t = SHOWN,
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    limit: u64,
    /// Get all pages; this can take long on a large server
    #[arg(long, conflicts_with = "from")]
    all: bool,
    /// Only rooms with this in their name or alias, or with exactly this id
    #[arg(short, long, value_parser = page::term)]
    name: Option<String>,
    #[command(flatten)]
    order: Order,
}

impl From<PowerLevels> for Ask {
    fn from(typed: PowerLevels) -> Self {
        let limit = (!typed.all).then_some(typed.limit);
        Self::Read(Box::new(Levels {
            room: typed.room.or(typed.room_id),
            details: typed.all_details,
            pages: Pages { from: typed.from, limit, all: typed.all },
            wanted: Wanted { name: typed.name, ..Wanted::default() },
            order: typed.order,
        }))
    }
}

/// What was typed.
#[derive(Debug)]
struct Levels {
    room: Option<RoomRef>,
    details: bool,
    pages: Pages,
    wanted: Wanted,
    order: Order,
}

/// One room with the power in it.
#[derive(Debug, Deserialize)]
struct Powered {
    #[serde(flatten)]
    room: Row,
    /// The content of its event of power levels.
    power_levels: Option<Value>,
    #[serde(default)]
    creators: Vec<String>,
    /// Whether the creators stand above all levels.
    #[serde(default)]
    creators_above: bool,
    #[serde(default)]
    as_of_leaving: bool,
    /// Why there is nothing to be known.
    fault: Option<String>,
}

#[async_trait]
impl Listing for Levels {
    const NAMED: Named = Named {
        columns: &["room_id", "name", "canonical_alias", "power_levels", "creators"],
        ..page::NAMED
    };
    type Row = Powered;

    fn refusals(&self) -> Tables {
        &[looks::ROOM]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        if let Some(room) = &self.room {
            let room = reader.room_id(room).await?;
            let found = known::raw(&room, reader).await?;
            let found = found.ok_or_else(|| Stop::not_found(known::unknown(&room)))?;
            return Ok(Page::whole(vec![self.powered(found, reader).await]));
        }
        let mut page = page::fetch(reader, self.wanted.query(self.order), from, limit).await?;
        // Not by the filter of listings: that asks for far more rooms than are shown, and each room
        // takes two requests.
        if let Some(keeps) = self.wanted.filter() {
            let keeps = |row: &Value| Row::deserialize(row).is_ok_and(|r| keeps(&r) == Kept::Yes);
            page.rows.retain(keeps);
            page.total = None;
        }
        let rooms = page.rows.into_iter().map(|room| self.powered(room, reader));
        Ok(Page { rows: stream::iter(rooms).buffered(AT_ONCE).collect().await, ..page })
    }

    fn record(&self, powered: &Powered, _now: Timestamp) -> Record {
        let mut record = page::record(&powered.room, self.order.sort);
        if !self.details {
            record.facts.clear();
        }
        record.facts.extend(facts(powered));
        record
    }
}

impl Levels {
    /// A room as it is listed, with the power in it.
    async fn powered(&self, mut room: Value, reader: &Reader) -> Value {
        if !self.details
            && let Some(room) = room.as_object_mut()
        {
            room.retain(|key, _| {
                let kept = ["room_id", "name", "canonical_alias", "joined_members", AS_OF_LEAVING];
                kept.contains(&key.as_str())
            });
        }
        let Some(Ok(id)) = room["room_id"].as_str().map(RoomId::parse) else { return room };
        match looked_up(&id, reader).await {
            Ok(found) => {
                room["power_levels"] = found.levels;
                room["creators"] = json!(found.creators);
                if found.as_of_leaving {
                    room[AS_OF_LEAVING] = json!(true);
                }
                room["creators_above"] = json!(id.server_name().is_none());
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no power levels");
                room["fault"] = json!(error.to_string());
            }
        }
        room
    }
}

/// What a room's state says of the power in it.
struct Found {
    /// The content of the event of power levels, `Null` where there is none.
    levels: Value,
    /// None where its first event is not known.
    creators: Vec<String>,
    /// Whether it is of the day on which this server left.
    as_of_leaving: bool,
}

async fn looked_up(room: &RoomId, reader: &Reader) -> Result<Found, Error> {
    let create = power::state(room, "m.room.create", reader);
    let levels = power::state(room, "m.room.power_levels", reader);
    let (create, levels) = tokio::join!(create, levels);
    let (mut create, mut levels) = (create?, levels?);
    let then = if create.is_none() && levels.is_none() {
        standing::of_then(room, false, reader).await?
    } else {
        None
    };
    if let Some(then) = &then {
        create = power::among(then, "m.room.create");
        levels = power::among(then, "m.room.power_levels");
    }
    let creators = create.iter().flat_map(power::Event::creators).map(str::to_owned).collect();
    let levels = levels.map(|levels| levels.content).unwrap_or_default();
    Ok(Found { levels, creators, as_of_leaving: then.is_some() })
}

fn facts(powered: &Powered) -> Vec<Fact> {
    if let Some(fault) = &powered.fault {
        return vec![("Power", format!("cannot be looked up: {fault}").into())];
    }
    let mut facts = Vec::new();
    if powered.as_of_leaving {
        facts.push(("Here", OF_THEN.into()));
    }
    if powered.creators_above {
        let creators = match powered.creators.as_slice() {
            [] => "not known".into(),
            creators => some(creators),
        };
        facts.push(("Creators, above all", creators));
    }
    let Some(levels) = powered.power_levels.as_ref().filter(|levels| levels.is_object()) else {
        // A room has its first event, and soon its levels: without both its state is not known.
        let said = match (powered.creators.is_empty(), powered.creators_above) {
            (true, _) => "not known",
            (false, true) => "nobody else",
            (false, false) => "only who created the room",
        };
        facts.push(("Power", said.into()));
        return facts;
    };
    let mut by_level: BTreeMap<Reverse<i64>, Vec<String>> = BTreeMap::new();
    let mut odd = Vec::new();
    for (user, level) in levels["users"].as_object().into_iter().flatten() {
        match power::level(Some(level)) {
            Some(level) => by_level.entry(Reverse(level)).or_default().push(user.clone()),
            // As if they were not named.
            None if level.is_null() => {}
            None => odd.push(user.clone()),
        }
    }
    let mut line = Line::new();
    for (n, (Reverse(level), users)) in by_level.iter().enumerate() {
        let head = if n == 0 { format!("{level}: ") } else { format!("; {level}: ") };
        line = line.plain(head).line(some(users));
    }
    facts.push(("Power", if by_level.is_empty() { "nobody".into() } else { line }));
    if !odd.is_empty() {
        facts.push(("Power unknown, since it is not a number", some(&odd)));
    }
    let of = |key: &str| power::level(levels.get(key));
    facts.push(("Everybody else", of("users_default").unwrap_or(0).to_string().into()));
    let needed = power::level(levels.pointer("/events/m.room.power_levels"))
        .or_else(|| of("state_default"))
        .unwrap_or(power::NEEDED);
    facts.push(("Changing power takes", needed.to_string().into()));
    facts
}

/// The first of them.
fn some(users: &[String]) -> Line {
    let mut line = Line::new();
    for (n, user) in users.iter().take(MOST).enumerate() {
        line = if n == 0 { line } else { line.plain(", ") }.code(user);
    }
    match users.len().saturating_sub(MOST) {
        0 => line,
        more => line.plain(format!(" and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::page::tests::lobby, *};
    use crate::commands::user::testing;

    fn told(other: Value) -> String {
        testing::facts(&facts(&Powered::deserialize(lobby(other)).unwrap()))
    }

    #[test]
    fn levels_come_from_the_highest_down() {
        let levels = json!({
            "users": {"@moe:x": 50, "@ann:x": 100, "@bob:x": "50", "@odd:x": "much", "@nil:x": null},
            "users_default": 5, "events": {"m.room.power_levels": 90},
        });
        assert_eq!(
            told(json!({"power_levels": levels, "creators": ["@ann:x"]})),
            "Power: 100: `@ann:x`; 50: `@bob:x`, `@moe:x`\n\
             Power unknown, since it is not a number: `@odd:x`\n\
             Everybody else: 5\n\
             Changing power takes: 90\n"
        );
        let many: Vec<String> = (0..25).map(|n| format!("@u{n}:x")).collect();
        assert!(testing::line(&some(&many)).ends_with("`@u19:x` and 5 more"));
    }

    #[test]
    fn creators_stand_above_all_where_the_version_says_so() {
        let new = json!({"power_levels": {"users": {}}, "creators": ["@ann:x", "@bob:x"],
                         "creators_above": true});
        assert_eq!(
            told(new),
            "Creators, above all: `@ann:x`, `@bob:x`\n\
             Power: nobody\n\
             Everybody else: 0\n\
             Changing power takes: 50\n"
        );
        let bare = json!({"power_levels": null, "creators": ["@ann:x"]});
        assert_eq!(told(bare), "Power: only who created the room\n");
        // Every room was made by somebody.
        assert_eq!(told(json!({"power_levels": null})), "Power: not known\n");
        let then =
            told(json!({"power_levels": null, "creators_above": true, "as_of_leaving": true}));
        assert!(then.starts_with(
            "Here: This server has left this room; this is the state from \
                                  then"
        ));
        assert!(then.ends_with("Creators, above all: not known\nPower: not known\n"), "{then}");
        let fault = told(json!({"fault": "the homeserver is away"}));
        assert_eq!(fault, "Power: cannot be looked up: the homeserver is away\n");
    }

    #[test]
    fn it_is_of_one_room_or_of_many_and_never_of_both() {
        for typed in [
            &[][..],
            &["#lobby:example.org"],
            &["-i", "!a", "-a"],
            &["-n", "lobby", "-l", "5"],
            &["-f", "5", "-s", "creator", "-r"],
            &["--all"],
        ] {
            assert!(testing::parse::<PowerLevels>(typed).is_ok(), "{typed:?}");
        }
        for typed in [&["!a", "-n", "x"][..], &["!a", "-i", "!b"], &["-i", "!a", "--all"], &["a"]] {
            assert!(testing::parse::<PowerLevels>(typed).is_err(), "{typed:?}");
        }
    }
}
