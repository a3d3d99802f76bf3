//! Which moderation policy lists are watched, and what follows from their rules.

use ruma::OwnedRoomOrAliasId;

use super::{
    policy,
    section::{Field, Reported, Section},
    value,
};

/// How many lists there can be: each is read every few minutes.
const MOST: usize = 20;

/// How many sanctions a list may lead to within an hour, where nothing is said, and at most.
const PER_HOUR: usize = 10;
const MOST_PER_HOUR: usize = 1_000;

/// A room whose policy rules are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyList {
    /// The room, in which somebody of this homeserver is.
    pub room: OwnedRoomOrAliasId,
    /// What follows from a rule that fits.
    pub mode: PolicyMode,
    /// What is done to an account that a rule names.
    pub users: UserMeasure,
    /// How many sanctions it may lead to within an hour; beyond them operators are asked.
    pub per_hour: usize,
}

/// What follows from a rule that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyMode {
    /// Operators are told, with the command to send.
    Ask,
    /// The bot acts by itself, and takes it back where the rule goes.
    Act,
}

/// What is done to an account that a rule names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserMeasure {
    /// It is suspended.
    Suspend,
    /// It is locked.
    Lock,
}

/// Reads the list of lists.
pub(super) fn read(field: &Field<'_>) -> Result<Vec<PolicyList>, Reported> {
    let lists = policy::optional_list(field, |item| super::read::within(item.section(), list))?;
    if lists.len() > MOST {
        return Err(field.wrong("these are too many lists", "Name at most 20"));
    }
    for (place, list) in lists.iter().enumerate() {
        if lists.iter().take(place).any(|other| other.room == list.room) {
            return Err(field.wrong("a room is named twice", "Remove one of the two"));
        }
    }
    Ok(lists)
}

fn list(section: &Section<'_>) -> Result<PolicyList, Reported> {
    let room = section.field("room", "\"#bans:example.org\"").required(value::room);
    let modes = [("ask", PolicyMode::Ask), ("act", PolicyMode::Act)];
    let mode = section.field("mode", "ask").choice(&modes, Some(PolicyMode::Ask));
    let measures = [("suspend", UserMeasure::Suspend), ("lock", UserMeasure::Lock)];
    let users = section.field("users", "suspend").choice(&measures, Some(UserMeasure::Suspend));
    let per_hour = section
        .field("per_hour", "10")
        .optional(|field, text| value::count(field, text, 1..=MOST_PER_HOUR));
    Ok(PolicyList {
        room: room?,
        mode: mode?,
        users: users?,
        per_hour: per_hour?.unwrap_or(PER_HOUR),
    })
}
