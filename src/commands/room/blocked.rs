//! `room blocked`: which rooms are blocked, as far as that is known.

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use ruma::{OwnedRoomId, RoomId};
use serde_json::{Map, Value, json};

use super::known::{self, Blocked as Block};
use crate::{
    change::{Power, Subject},
    commands::{
        Memory, Past, Query, Spec, Tables, arguments::RoomRef, refusals::looks,
        user::account::how_many,
    },
    error::Stop,
    reply::{Block as Part, Hostile, IdsOf, Line, Record, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Blocked>(
    "blocked",
    &[
        "room blocked",
        "room blocked #lobby:example.org !OGEhHVWSdvArJzumhm:example.org",
        "room blocked -o csv",
    ],
);

/// List blocked rooms, as far as they are known
///
/// The homeserver has no such list. So I go through the rooms that my record says were blocked through
/// me, and ask the homeserver about each. Rooms that were blocked with another tool are not in it; name
/// them to have them checked. To unblock all that a list shows, reply to it with
/// `room unblock`.
#[derive(Debug, clap::Args)]
struct Blocked {
    /// Check these rooms instead: ids, !abc:example.org or !abc, or aliases, #lobby:example.org
    #[arg(value_name = "ROOM")]
    rooms: Vec<RoomRef>,
}

/// The verbs by which a room may have been blocked. Whether it is blocked is asked of the homeserver, so
/// there may be too many of them.
const VERBS: &[&str] =
    &["room block", "room unblock", "room delete", "room purge-empty", "raw", "undo"];

/// How many rooms are checked at most, the newest in the record: each takes a request.
const CHECKED: usize = 500;

/// How many rooms are shown.
const SHOWN: usize = 50;

/// How many requests are under way at once.
const AT_ONCE: usize = 8;

/// A room that was checked.
#[derive(Debug)]
struct Checked {
    id: OwnedRoomId,
    block: Block,
    /// Its name, where the homeserver knows it.
    name: Option<Hostile>,
    /// The change by which the bot knows of it.
    past: Option<Past>,
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    rooms: Vec<Checked>,
    /// Whether the rooms were typed.
    typed: bool,
    /// How many of the record's are not blocked.
    free: usize,
    /// Whether the record has more than were checked.
    more: bool,
    /// Since when the record has what was done.
    since: Option<Timestamp>,
}

#[async_trait]
impl Query for Blocked {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::ROOM])
    }

    async fn answer(&self, reader: &Reader, memory: &dyn Memory) -> Result<Reply, Stop> {
        Ok(told(&self.found(reader, memory).await?, reader.now()))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        write(&self.typed(reader).await?, sheet)
    }

    async fn data_remembered(
        &self,
        reader: &Reader,
        memory: &dyn Memory,
        sheet: &mut Sheet,
    ) -> Result<(), Stop> {
        write(&self.found(reader, memory).await?, sheet)
    }
}

impl Blocked {
    async fn found(&self, reader: &Reader, memory: &dyn Memory) -> Result<Found, Stop> {
        if self.rooms.is_empty() {
            remembered(reader, memory).await
        } else {
            self.typed(reader).await
        }
    }

    /// What is so of the rooms that were typed.
    async fn typed(&self, reader: &Reader) -> Result<Found, Stop> {
        let subjects = known::subjects(&self.rooms, reader).await?;
        let rooms = subjects.into_iter().filter_map(|subject| match subject {
            Subject::Room(id) => Some((id, None)),
            _ => None,
        });
        let rooms = checked(rooms.collect(), reader).await?;
        Ok(Found { rooms, typed: true, ..Found::default() })
    }
}

/// Which of the rooms in the record are blocked.
async fn remembered(reader: &Reader, memory: &dyn Memory) -> Result<Found, Stop> {
    let changed = memory.changed_by(VERBS, CHECKED)?;
    let rooms = changed.subjects.into_iter().filter_map(|(subject, past)| {
        // Whoever may not ask about a room is told nothing of it.
        reader.may_name(&subject).ok()?;
        match subject {
            Subject::Room(id) => Some((id, Some(past))),
            _ => None,
        }
    });
    let mut rooms = checked(rooms.collect(), reader).await?;
    let all = rooms.len();
    rooms.retain(|room| room.block.block);
    let free = all - rooms.len();
    Ok(Found { rooms, typed: false, free, more: changed.more, since: changed.since })
}

/// Asks the homeserver about each, in the same order.
async fn checked(
    rooms: Vec<(OwnedRoomId, Option<Past>)>,
    reader: &Reader,
) -> Result<Vec<Checked>, Stop> {
    let looks = rooms.into_iter().map(|(id, past)| async move {
        let block = known::blocked(&id, reader).await?;
        let name = if block.block || past.is_none() { name(&id, reader).await } else { None };
        Ok(Checked { id, block, name, past })
    });
    stream::iter(looks).buffered(AT_ONCE).try_collect().await
}

/// The name of a room: one that cannot be looked up is told by its id.
async fn name(room: &RoomId, reader: &Reader) -> Option<Hostile> {
    known::room(room, reader).await.ok()??.name().filter(|name| !name.is_empty()).cloned()
}

fn told(found: &Found, now: Timestamp) -> Reply {
    let blocked = found.rooms.iter().filter(|room| room.block.block).count();
    let title = if found.typed {
        let all = how_many(Some(found.rooms.len() as u64), "room", "rooms");
        format!(
            "{all}, {} blocked",
            if blocked == 0 { "none".to_owned() } else { blocked.to_string() }
        )
    } else {
        how_many(Some(blocked as u64), "blocked room", "blocked rooms") + " known to me"
    };
    let shown = &found.rooms[..found.rooms.len().min(SHOWN)];
    let mut reply = Reply::data(title);
    if !shown.is_empty() {
        let records = shown.iter().map(|room| record(room, found.typed, now)).collect();
        reply = reply.with(Part::Records(records));
        reply.ids_of = Some(IdsOf::Rooms);
        reply.ids = shown.iter().map(|room| room.id.to_string()).collect();
    }
    if found.rooms.len() > SHOWN {
        let more = found.rooms.len() - SHOWN;
        reply = reply.note(
            Line::from(format!("{more} more are not shown; all of them come with ")).code("-o csv"),
        );
    }
    if found.typed { reply } else { rests_on(found, now).into_iter().fold(reply, Reply::note) }
}

/// What the list rests on, and what is not in it.
fn rests_on(found: &Found, now: Timestamp) -> Vec<Line> {
    let begin = match found.since {
        Some(since) => Line::from("This is what my record says since ")
            .time(Some(since), now)
            .plain(", and the homeserver confirms. "),
        None => Line::from("My record is empty. "),
    };
    let mut notes = vec![
        begin
            .plain(
                "The homeserver has no list of its own, so rooms that were blocked with another tool, \
                 or before that, are missing here. To check a room, name it: ",
            )
            .command("!room blocked ROOM"),
    ];
    if found.free > 0 {
        let free = how_many(Some(found.free as u64), "room", "rooms");
        let are = if found.free == 1 { "is" } else { "are" };
        notes.push(
            format!("{free} in my record that could have been blocked {are} not blocked now.")
                .into(),
        );
    }
    if found.more {
        notes.push(
            format!("My record has more rooms: I checked the {CHECKED} of the newest changes.")
                .into(),
        );
    }
    notes
}

fn record(room: &Checked, with_state: bool, now: Timestamp) -> Record {
    let mut title = Line::new().code(&room.id);
    if let Some(name) = &room.name {
        title = title.plain(" ").hostile(name);
    }
    let mut facts = Vec::new();
    if with_state {
        facts.push(("Blocked", known::block(&room.block)));
    } else if let Some(by) = &room.block.user_id {
        facts.push(("By", Line::new().hostile(by)));
    }
    if let Some(past) = &room.past {
        let line = Line::new()
            .ago(Some(past.at), now)
            .plain(", ")
            .command(format!("!audit show {}", past.id));
        facts.push(("In my record", line));
    }
    Record { title, facts }
}

/// The rooms as programs get them.
fn write(found: &Found, sheet: &mut Sheet) -> Result<(), Stop> {
    sheet.begin("rooms", &["room_id", "name", "block", "user_id", "record", "record_ts"])?;
    for room in &found.rooms {
        sheet.row(&json!({
            "room_id": room.id,
            "name": room.name.as_ref().map(Hostile::raw),
            "block": room.block.block,
            "user_id": room.block.user_id.as_ref().map(Hostile::raw),
            "record": room.past.as_ref().map(|past| past.id),
            "record_ts": room.past.as_ref().map(|past| past.at.as_millisecond()),
        }))?;
    }
    let mut rest = Map::from_iter([("total".to_owned(), Value::from(found.rooms.len()))]);
    if found.more {
        let note =
            format!("My record has more rooms: I checked the {CHECKED} of the newest changes.");
        sheet.note(note.clone());
        rest.insert("note".to_owned(), note.into());
    }
    Ok(sheet.end(&rest)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing::{self, now};

    fn checked(n: usize, block: bool) -> Checked {
        let past = Past {
            id: 17,
            at: now() - jiff::SignedDuration::from_hours(48),
            by: "@ann:example.org".try_into().unwrap(),
            words: Vec::new(),
            command: String::new(),
            status: None,
        };
        Checked {
            id: RoomId::parse(format!("!r{n}:example.org")).unwrap(),
            block: Block { block, user_id: block.then(|| Hostile::new("@moe:example.org")) },
            name: (n == 1).then(|| Hostile::new("The *lobby*")),
            past: Some(past),
        }
    }

    #[test]
    fn the_list_says_what_it_rests_on() {
        let rooms = vec![checked(1, true), checked(2, true)];
        let since = Some(now() - jiff::SignedDuration::from_hours(240));
        let found = Found { rooms, free: 1, since, ..Found::default() };
        insta::assert_snapshot!(testing::reply(&told(&found, now())), @r"
        2 blocked rooms known to me
        * `!r1:example.org` “The *lobby*”
          By: “@moe:example.org” · In my record: 2 days ago, `!audit show 17`
        * `!r2:example.org`
          By: “@moe:example.org” · In my record: 2 days ago, `!audit show 17`
        (This is what my record says since 2026-11-10 14:03 UTC (10 days ago), and the homeserver confirms. The homeserver has no list of its own, so rooms that were blocked with another tool, or before that, are missing here. To check a room, name it: `!room blocked ROOM`)
        (1 room in my record that could have been blocked is not blocked now.)
        ");
        let reply = told(&found, now());
        assert_eq!(reply.ids, ["!r1:example.org", "!r2:example.org"]);
        let empty = testing::reply(&told(&Found::default(), now()));
        assert!(empty.starts_with("no blocked rooms known to me\n"), "{empty}");
        assert!(empty.contains("another tool"), "{empty}");
        let more = Found { more: true, ..Found::default() };
        assert!(testing::reply(&told(&more, now())).contains("the 500 of the newest"));
    }

    #[test]
    fn rooms_that_are_named_are_told_whether_they_are_blocked_or_not() {
        let mut rooms = vec![checked(1, true), checked(2, false)];
        for room in &mut rooms {
            room.past = None;
        }
        let found = Found { rooms, typed: true, ..Found::default() };
        insta::assert_snapshot!(testing::reply(&told(&found, now())), @r"
        2 rooms, 1 blocked
        * `!r1:example.org` “The *lobby*”
          Blocked: **yes**, by “@moe:example.org”
        * `!r2:example.org`
          Blocked: no
        ");
        let many = (0..60).map(|n| checked(n, true)).collect();
        let found = Found { rooms: many, typed: true, ..Found::default() };
        let reply = told(&found, now());
        assert_eq!(reply.ids.len(), SHOWN);
        assert!(testing::reply(&reply).contains("10 more are not shown"), "{reply:?}");
    }
}
