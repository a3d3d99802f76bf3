//! Rooms in which nobody could change any more who has power, once somebody has left them.

use futures_util::{StreamExt as _, stream};
use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    holders::{Holders, present},
    known::{self, Room},
    power::Power,
};
use crate::{
    change::{Snapshot, Subject},
    commands::user::account::how_many,
    error::Stop,
    reply::{Hostile, Line},
    synapse::Reader,
};

/// In how many rooms of an account it is looked up who has power: each takes two requests or more.
const LOOKED_AT: usize = 100;
/// How many rooms are looked at at once.
const AT_ONCE: usize = 8;
/// How many rooms are named.
const NAMED: usize = 5;
/// Under this it is kept what was found.
const KEY: &str = "left without an admin";

/// What is lost in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Loss {
    /// Nobody who stays can change who has power.
    Admin,
    /// The same, and the power of a creator, which cannot be given, goes too.
    AdminAndCreator,
    /// Admins stay, and the power of a creator goes.
    Creator,
}

/// A room that somebody leaves a hole in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Hole {
    room: OwnedRoomId,
    name: Option<Hostile>,
    /// How many others are in it.
    others: Option<u64>,
    loss: Loss,
}

/// What was found of the rooms of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Holes {
    found: Vec<Hole>,
    /// How many rooms were looked at.
    looked_at: usize,
    /// How many there are.
    of: usize,
    /// Why one of them could not be looked at.
    fault: Option<String>,
}

/// Notes in which rooms `user`, an account that is to leave them all, is the only one who can change
/// who has power. That it could not be looked up is noted too.
pub(in crate::commands) async fn note_of_account(
    seen: &mut Snapshot,
    user: &UserId,
    reader: &Reader,
) {
    // Where it cannot be asked, the count of its rooms says so already.
    let Ok(rooms) = reader.joined_rooms(user).await else { return };
    note_of_rooms(seen, user, rooms, reader).await;
}

/// The same of `user` and these rooms, which it is in and is to leave.
pub(in crate::commands) async fn note_of_rooms(
    seen: &mut Snapshot,
    user: &UserId,
    mut rooms: Vec<OwnedRoomId>,
    reader: &Reader,
) {
    rooms.sort();
    let mut holes =
        Holes { of: rooms.len(), looked_at: rooms.len().min(LOOKED_AT), ..Holes::default() };
    let looks = rooms.into_iter().take(LOOKED_AT).map(|room| async move {
        let found = left_by(user, &room, reader).await;
        found.map_err(|stop| stop.to_string())
    });
    let mut looks = stream::iter(looks).buffered(AT_ONCE);
    while let Some(found) = looks.next().await {
        match found {
            Ok(found) => holes.found.extend(found),
            Err(fault) => holes.fault = holes.fault.or(Some(fault)),
        }
    }
    // The sort is stable, so that the same rooms are always named.
    holes.found.sort_by_key(|hole| std::cmp::Reverse(hole.others));
    if !holes.found.is_empty() || holes.fault.is_some() || holes.looked_at < holes.of {
        seen.extra.insert(KEY.to_owned(), json!(holes));
    }
}

/// The hole that `user` would leave in a room that it is in.
async fn left_by(user: &UserId, room: &RoomId, reader: &Reader) -> Result<Option<Hole>, Stop> {
    let Some(holders) = Holders::of(room, reader).await? else { return Ok(None) };
    let own = holders.power(user);
    if !own.is_enough() {
        return Ok(None);
    }
    let others: Vec<_> = holders.admins().filter(|(other, _)| other != user).collect();
    let stay = present(others.iter().map(|(other, _)| other.clone()), room, reader).await?;
    let creator =
        |(other, power): &(OwnedUserId, Power)| *power == Power::Creator && stay.contains(other);
    let creator_lost = own == Power::Creator && !others.iter().any(creator);
    let loss = match (stay.is_empty() && !holders.everybody(), creator_lost) {
        (true, true) => Loss::AdminAndCreator,
        (true, false) => Loss::Admin,
        (false, true) => Loss::Creator,
        (false, false) => return Ok(None),
    };
    let Some(known) = known::room(room, reader).await? else { return Ok(None) };
    let others = known.joined_members().map(|all| all.saturating_sub(1));
    // Alone in it, it leaves nobody behind.
    if others == Some(0) {
        return Ok(None);
    }
    let name = known.name().cloned();
    Ok(Some(Hole { room: room.to_owned(), name, others, loss }))
}

/// What somebody must know before `subject`, an account, leaves all its rooms.
pub(in crate::commands) fn warnings_of_account(subject: &Subject, seen: &Snapshot) -> Vec<Line> {
    let Some(holes) = seen.extra.get(KEY).and_then(|it| Holes::deserialize(it).ok()) else {
        return Vec::new();
    };
    let (creators, admins): (Vec<&Hole>, Vec<&Hole>) =
        holes.found.iter().partition(|hole| hole.loss == Loss::Creator);
    let mut lines = Vec::new();
    if let Some(first) = admins.first() {
        let many = how_many(Some(admins.len() as u64), "room", "rooms");
        lines.push(Line::new().code(subject).plain(" is the ").strong("only admin").plain(
            format!(
                " of {many} with other members; when it has left, nobody can change who has power \
                 there"
            ),
        ));
        lines.extend(admins.iter().take(NAMED).map(|hole| hole.line()));
        lines.extend(more(admins.len()));
        lines.push(
            Line::from("To make somebody else an admin there first: ")
                .command(format!("!room make-admin {} --user-id @…", first.room)),
        );
    }
    if !creators.is_empty() {
        let many = how_many(Some(creators.len() as u64), "room", "rooms");
        lines.push(Line::new().code(subject).plain(format!(
            " is the creator of {many} in which other admins stay; a creator's power cannot be \
            given to anybody, and is lost for good"
        )));
        lines.extend(creators.iter().take(NAMED).map(|hole| hole.line()));
        lines.extend(more(creators.len()));
    }
    if holes.looked_at < holes.of {
        let none = if holes.found.is_empty() { ", and found none" } else { "" };
        lines.push(Line::new().code(subject).plain(format!(
            " is in {} rooms. I checked {} of them for whether it is the only admin{none}",
            holes.of, holes.looked_at
        )));
    }
    lines.extend(holes.fault.map(|fault| {
        Line::from("I could not check whether ")
            .code(subject)
            .plain(" is the only admin of a room with other members")
            .plain(if holes.found.is_empty() { ": " } else { " everywhere: " })
            .plain(fault)
    }));
    lines
}

/// What somebody must know of `subject`, an account, where it can do nothing for a while.
pub(in crate::commands) fn warning_of_lock(subject: &Subject, seen: &Snapshot) -> Option<Line> {
    let holes = seen.extra.get(KEY).and_then(|it| Holes::deserialize(it).ok())?;
    // The power of a creator comes back with the account.
    let admins: Vec<&Hole> = holes.found.iter().filter(|hole| hole.loss != Loss::Creator).collect();
    let first = admins.first()?;
    let many = how_many(Some(admins.len() as u64), "room", "rooms");
    let mut line = Line::new().code(subject).plain(" is the ").strong("only admin");
    line = line.plain(format!(" of {many} with other members: "));
    for (n, hole) in admins.iter().take(NAMED).enumerate() {
        line = line.plain(if n > 0 { "; " } else { "" }).line(hole.line());
    }
    if let Some(more) = admins.len().checked_sub(NAMED).filter(|more| *more > 0) {
        line = line.plain(format!("; and {more} more"));
    }
    let line = line.plain(
        ". While it is locked, nobody can change who has power there. To make \
                           somebody else an admin: ",
    );
    Some(line.command(format!("!room make-admin {} --user-id @…", first.room)))
}

/// What somebody must know before `subject`, an account, loses its power in one room, and stays in it.
pub(super) fn warnings_of_demotion(subject: &Subject, seen: &Snapshot) -> Vec<Line> {
    let Some(holes) = seen.extra.get(KEY).and_then(|it| Holes::deserialize(it).ok()) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if let Some(hole) = holes.found.iter().find(|hole| hole.loss != Loss::Creator) {
        let line = Line::new().code(subject).plain(" is the ").strong("only admin").plain(" of ");
        lines.push(
            line.line(hole.line())
                .plain("; without its power nobody in the room can change who has power there"),
        );
        lines.push(
            Line::from("To make somebody else an admin there first: ")
                .command(format!("!room make-admin {} --user-id @…", hole.room)),
        );
    }
    lines.extend(holes.fault.map(|fault| {
        Line::from("I could not check whether ")
            .code(subject)
            .plain(" is the only admin of the room: ")
            .plain(fault)
    }));
    lines
}

fn more(all: usize) -> Option<Line> {
    let more = all.checked_sub(NAMED).filter(|more| *more > 0)?;
    Some(format!("and {more} more").into())
}

impl Hole {
    fn line(&self) -> Line {
        let mut line = Line::new();
        if let Some(name) = self.name.as_ref().filter(|name| !name.is_empty()) {
            line = line.hostile(name).plain(" ");
        }
        line = line.code(&self.room);
        if let Some(others) = self.others {
            line = line.plain(format!(", {}", how_many(Some(others), "other", "others")));
        }
        if self.loss == Loss::AdminAndCreator {
            line = line.plain("; its power as the creator is lost for good");
        }
        line
    }
}

/// Notes who of this server can change who has power in a room of which everybody here is put out,
/// where nobody who stays could.
pub(super) async fn note_of_room(
    seen: &mut Snapshot,
    room: &RoomId,
    known: &Room,
    reader: &Reader,
) -> Result<(), Stop> {
    let (Some(all), Some(local)) = (known.joined_members(), known.joined_local_members()) else {
        return Ok(());
    };
    let stay = all.saturating_sub(local);
    if stay == 0 {
        return Ok(());
    }
    let Some(holders) = Holders::of(room, reader).await? else { return Ok(()) };
    if holders.everybody() {
        return Ok(());
    }
    let admins = present(holders.admins().map(|(user, _)| user), room, reader).await?;
    if !admins.is_empty() && admins.iter().all(|user| reader.is_local(user)) {
        seen.extra.insert(KEY.to_owned(), json!({ "admins": admins, "stay": stay }));
    }
    Ok(())
}

/// What somebody must know before everybody of this server is put out of `subject`, a room.
pub(super) fn warnings_of_room(subject: &Subject, seen: &Snapshot) -> Vec<Line> {
    let Some(found) = seen.extra.get(KEY) else { return Vec::new() };
    let stay = how_many(found["stay"].as_u64(), "person", "people");
    let admins: Vec<&str> =
        found["admins"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut line = Line::new()
        .code(subject)
        .plain(format!(": {stay} on other servers stay in it. Its "))
        .strong("only admins")
        .plain(" are on this server: ");
    for (n, admin) in admins.iter().take(NAMED).enumerate() {
        line = if n > 0 { line.plain(", ") } else { line }.code(admin);
    }
    if admins.len() > NAMED {
        line = line.plain(format!(" and {} more", admins.len() - NAMED));
    }
    vec![
        line.plain("; afterwards nobody in it can change who has power"),
        Line::from("To make one of those an admin first: ")
            .command(format!("!room make-admin {} --user-id @…", subject.typed())),
    ]
}

#[cfg(test)]
mod tests {
    use super::{super::known::testing::lobby, *};
    use crate::commands::user::testing::{ann, line};

    fn hole(n: u64, loss: Loss) -> Hole {
        Hole {
            room: OwnedRoomId::try_from(format!("!r{n}:example.org")).unwrap(),
            name: (n == 1).then(|| Hostile::new("The *lobby*")),
            others: Some(n),
            loss,
        }
    }

    fn told(holes: &Holes) -> String {
        let mut seen = Snapshot::default();
        seen.extra.insert(KEY.to_owned(), json!(holes));
        let lines: Vec<String> = warnings_of_account(&ann(), &seen).iter().map(line).collect();
        lines.join("\n")
    }

    #[test]
    fn rooms_without_another_admin_are_named_with_what_to_do() {
        let found = vec![hole(2, Loss::AdminAndCreator), hole(1, Loss::Admin)];
        let of = found.len();
        let text = told(&Holes { found, looked_at: of, of, fault: None });
        assert_eq!(
            text,
            "`@ann:example.org` is the **only admin** of 2 rooms with other members; when it has \
            left, nobody can change who has power there\n`!r2:example.org`, 2 others; its power as \
            the creator is lost for good\n“The *lobby*” `!r1:example.org`, 1 other\nTo make \
            somebody else an admin there first: `!room make-admin !r2:example.org --user-id @…`"
        );
        let many = (1..=8).map(|n| hole(n, Loss::Admin)).collect();
        let text = told(&Holes { found: many, looked_at: 8, of: 8, fault: None });
        assert!(text.contains("of 8 rooms") && text.contains("\nand 3 more\n"), "{text}");
    }

    #[test]
    fn a_room_that_its_only_admin_stays_in_without_power_is_told_too() {
        let mut seen = Snapshot::default();
        assert!(warnings_of_demotion(&ann(), &seen).is_empty());
        let found = vec![hole(1, Loss::Admin)];
        seen.extra.insert(KEY.to_owned(), json!(Holes { found, looked_at: 1, of: 1, fault: None }));
        let text: Vec<String> = warnings_of_demotion(&ann(), &seen).iter().map(line).collect();
        assert!(
            text[0].contains("is the **only admin** of “The *lobby*” `!r1:example.org`, 1 other;")
        );
        assert!(
            text[0]
                .ends_with("without its power nobody in the room can change who has power there")
        );
        assert!(text[1].contains("!room make-admin !r1:example.org"), "{text:?}");
    }

    #[test]
    fn what_only_a_creator_loses_is_told_apart() {
        let found = vec![hole(3, Loss::Creator)];
        let text = told(&Holes { found, looked_at: 1, of: 1, fault: None });
        assert!(text.contains("is the creator of 1 room in which other admins stay"), "{text}");
        assert!(text.contains("lost for good") && !text.contains("make-admin"), "{text}");
    }

    #[test]
    fn what_was_not_looked_at_is_said() {
        let text = told(&Holes { looked_at: 100, of: 240, ..Holes::default() });
        assert!(text.contains("is in 240 rooms. I checked 100 of them"), "{text}");
        assert!(text.ends_with("found none"), "{text}");
        let fault = Some("the homeserver is away".to_owned());
        let text = told(&Holes { looked_at: 3, of: 3, fault, ..Holes::default() });
        assert!(text.ends_with("room with other members: the homeserver is away"), "{text}");
        assert!(warnings_of_account(&ann(), &Snapshot::default()).is_empty());
    }

    #[test]
    fn a_room_whose_admins_are_all_put_out_says_so() {
        let mut seen = Snapshot::default();
        assert!(warnings_of_room(&lobby(), &seen).is_empty());
        let found = json!({ "admins": ["@ann:example.org"], "stay": 12 });
        seen.extra.insert(KEY.to_owned(), found);
        let text: Vec<String> = warnings_of_room(&lobby(), &seen).iter().map(line).collect();
        assert!(text[0].contains("12 people on other servers stay in it"), "{text:?}");
        assert!(text[0].contains("are on this server: `@ann:example.org`;"), "{text:?}");
        assert!(text[1].contains("!room make-admin !lobby:example.org"), "{text:?}");
    }
}
