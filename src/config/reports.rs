//! How reports come to the room.

use std::time::Duration;

use ruma::OwnedRoomOrAliasId;

use super::{
    section::{Reported, Section},
    value,
};

const REMIND_AFTER: Duration = Duration::from_hours(4);
/// Those on duty are called after so many times as long.
const TIMES: u32 = 2;
/// How many reporters of a case can be told: each takes a request or several.
const MOST_TOLD: usize = 50;

/// How reports come to the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportDesk {
    /// The admin room to which they come; the first of the config, where nothing is said.
    pub room: Option<OwnedRoomOrAliasId>,
    /// After how long somebody is reminded of a case that nobody has dealt with.
    pub remind_after: Duration,
    /// After how long those on duty are called.
    pub escalate_after: Duration,
    /// Whether what was reported is shown, where everybody there may see it.
    pub show_content: bool,
    /// How many reporters of a case are told at most, once it is closed, that it was looked at.
    pub tell_reporters: usize,
}

/// Reads the section; `None` where reports do not come by themselves.
pub(super) fn read(
    section: &Section<'_>,
    rooms: Option<&[OwnedRoomOrAliasId]>,
) -> Result<Option<ReportDesk>, Reported> {
    let watch = section.field("watch", "true").flag(false);
    let room = section.field("room", "\"#reports:example.org\"").optional(|field, text| {
        let room = value::room(field, text)?;
        if rooms.is_some_and(|rooms| !rooms.contains(&room)) {
            return Err(field.wrong(
                "this is none of the admin rooms",
                "Write one that is in the list of `rooms`, spelled as there, or remove the key",
            ));
        }
        Ok(room)
    });
    let remind = section.field("remind_after", "4h").optional(value::duration);
    let call_field = section.field("escalate_after", "8h");
    let call = call_field.optional(value::duration);
    let show_content = section.field("show_content", "false").flag(true);
    let told = section
        .field("tell_reporters", "20")
        .optional(|field, text| value::count(field, text, 0..=MOST_TOLD));
    let remind_after = remind?.unwrap_or(REMIND_AFTER);
    let escalate_after = call?.unwrap_or(remind_after * TIMES);
    if escalate_after < remind_after {
        return Err(call_field.wrong(
            "this is shorter than `remind_after`",
            "Write a longer time: those on duty are called after the reminder",
        ));
    }
    let (room, show_content, tell_reporters) = (room?, show_content?, told?.unwrap_or_default());
    let desk = ReportDesk { room, remind_after, escalate_after, show_content, tell_reporters };
    Ok(watch?.then_some(desk))
}
