//! One report, and whom or what it is about.

use std::fmt;

use super::{Deserialize, Hostile, OwnedRoomId, OwnedUserId, Serialize, Subject, Timestamp};

/// What a report is of. The homeserver numbers each kind by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// An event.
    Event,
    /// An account.
    Account,
    /// A room.
    Room,
}

impl ReportKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Event, Self::Account, Self::Room];

    /// What stands for it in keys of the store, which never change.
    pub fn key(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Account => "account",
            Self::Room => "room",
        }
    }
}

/// One report, as the homeserver has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What it is of.
    pub kind: ReportKind,
    /// Its number on the homeserver, among those of its kind.
    pub id: u64,
    /// When it was received.
    pub at: Option<Timestamp>,
    /// Who reported it.
    pub by: OwnedUserId,
    /// Why, in their words.
    pub reason: Option<Hostile>,
    /// What was reported.
    pub what: Reported,
    /// Whether it was set aside: it is kept, and not counted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub aside: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What was reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reported {
    /// An event.
    Event {
        /// In which room.
        room: OwnedRoomId,
        /// What the room is called: its alias, or its name.
        name: Option<Hostile>,
        /// Its id.
        event: String,
        /// Who sent it; not known where the homeserver does not have it any more.
        sender: Option<OwnedUserId>,
    },
    /// An account.
    Account(OwnedUserId),
    /// A room.
    Room(OwnedRoomId),
}

impl Reported {
    /// What stands for it where it is known again.
    pub fn key(&self) -> String {
        match self {
            Self::Event { room, event, .. } => format!("event {event} in {room}"),
            Self::Account(user) => format!("account {user}"),
            Self::Room(room) => format!("room {room}"),
        }
    }
}

impl Report {
    /// What it is kept under.
    pub fn key(&self) -> String {
        format!("{}-{:016x}", self.kind.key(), self.id)
    }

    /// Whom or what it is about: the account that sent what was reported, where that is known.
    pub fn about(&self) -> About {
        match &self.what {
            Reported::Event { sender: Some(user), .. } | Reported::Account(user) => {
                About::Account(user.clone())
            }
            Reported::Event { room, event, .. } => {
                About::Event { room: room.clone(), event: event.clone() }
            }
            Reported::Room(room) => About::Room(room.clone()),
        }
    }

    /// It as a subject of `report details` and `report dismiss`; none of a report of a room, for which the
    /// homeserver has no such request.
    pub fn subject(&self) -> Option<Subject> {
        match self.kind {
            ReportKind::Event => Some(Subject::EventReport(self.id)),
            ReportKind::Account => Some(Subject::UserReport(self.id)),
            ReportKind::Room => None,
        }
    }
}

/// Whom or what a case is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The account that was reported, or that sent what was reported.
    Account(OwnedUserId),
    /// An event of which nobody knows who sent it.
    Event {
        /// In which room.
        room: OwnedRoomId,
        /// Its id.
        event: String,
    },
    /// A room.
    Room(OwnedRoomId),
}

impl About {
    /// What it is kept under.
    pub fn key(&self) -> String {
        match self {
            Self::Account(user) => format!("account {user}"),
            Self::Event { event, .. } => format!("event {event}"),
            Self::Room(room) => format!("room {room}"),
        }
    }

    /// The subject of the changes that settle it.
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Self::Account(user) => Some(Subject::User(user.clone())),
            Self::Room(room) => Some(Subject::Room(room.clone())),
            Self::Event { .. } => None,
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Self::Account(user) => user.as_str(),
            Self::Event { event, .. } => event,
            Self::Room(room) => room.as_str(),
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
