//! What may be asked of the API of clients.
//!
//! There the bot's admin token acts as its own account, so most of it is about that account: its
//! sessions, keys, devices, what it has stored, what it was sent. None of that is asked. What may be
//! looked at stands here one by one; what may be changed is what rooms, their directory and the
//! profiles of others consist of, and all of it is taken for the worst.

use crate::{
    change::{
        Class,
        Power::{self, Look, LookPrivate},
    },
    commands::operations::{Operation, Reach, look},
};

/// Why they are in no verb's examples.
const CLIENTS: Reach = Reach::Unspoken("of the API of clients");

/// What may be looked at, by its path behind the version.
pub(super) const LOOKS: &[Operation] = &[
    look("versions", Look, CLIENTS),
    look("capabilities", Look, CLIENTS),
    look("publicRooms", Look, CLIENTS),
    look("directory/room/{room_alias}", Look, CLIENTS),
    look("directory/list/room/{room_id}", Look, CLIENTS),
    look("profile/{user_id}", Look, CLIENTS),
    look("profile/{user_id}/{field}", Look, CLIENTS),
    look("rooms/{room_id}/aliases", Look, CLIENTS),
    look("rooms/{room_id}/context/{event_id}", LookPrivate, CLIENTS),
    look("rooms/{room_id}/event/{event_id}", LookPrivate, CLIENTS),
    look("rooms/{room_id}/hierarchy", Look, CLIENTS),
    look("rooms/{room_id}/joined_members", Look, CLIENTS),
    look("rooms/{room_id}/members", LookPrivate, CLIENTS),
    look("rooms/{room_id}/messages", LookPrivate, CLIENTS),
    look("rooms/{room_id}/relations/{event_id}", LookPrivate, CLIENTS),
    look("rooms/{room_id}/state", LookPrivate, CLIENTS),
    look("rooms/{room_id}/state/{event_type}", LookPrivate, CLIENTS),
    look("rooms/{room_id}/state/{event_type}/{state_key}", LookPrivate, CLIENTS),
    look("rooms/{room_id}/timestamp_to_event", Look, CLIENTS),
];

/// What may be changed, by whatever method, by its path behind the version.
pub(super) const CHANGES: &[Operation] = &[
    change("createRoom"),
    change("directory/list/room/{room_id}"),
    change("directory/room/{room_alias}"),
    change("profile/{user_id}/{field}").also(&["user modify"]),
    change("rooms/{room_id}/{what}").also(IN_A_ROOM),
    change("rooms/{room_id}/{what}/{which}").also(IN_A_ROOM),
    change("rooms/{room_id}/{what}/{which}/{of_it}").also(IN_A_ROOM),
];

/// What can be done in a room that there are verbs for.
const IN_A_ROOM: &[&str] =
    &["room join", "room kick", "room make-admin", "room demote", "user redact"];

/// In place of a method: by whatever one.
pub(super) const ANY: &str = "*";

const fn change(path: &'static str) -> Operation {
    Operation::new((ANY, path), Power::Server, Some(Class::Irreversible), CLIENTS).phrase()
}
