//! What is to be told of a list.

use serde::{Deserialize, Serialize};

use super::{Rule, Unread};

/// How many ids of what a rule fits are kept.
const MOST: usize = 200;

/// Some ids, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Few {
    /// The first of them.
    pub ids: Vec<String>,
    /// How many there are.
    pub count: usize,
    /// Whether there may be more, since not all were compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
}

impl Few {
    /// One more.
    pub fn push(&mut self, id: &str) {
        self.count += 1;
        if self.ids.len() < MOST {
            self.ids.push(id.to_owned());
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// A rule that fits something here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fit {
    /// The rule.
    pub rule: Rule,
    /// What operators may want to act on.
    pub fits: Few,
    /// What else it fits, and why that is left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_alone: Vec<(String, String)>,
    /// Whether the rule was known already and says something else now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed: bool,
}

/// A rule that fitted something here, and is not there any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// The rule as it was.
    pub rule: Rule,
    /// What it fitted.
    pub fitted: Few,
}

/// How many rules a list has, and how many of them fit something here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rules about accounts.
    pub users: usize,
    /// Rules about rooms.
    pub rooms: usize,
    /// Rules about servers.
    pub servers: usize,
    /// Those that recommend a takedown.
    pub takedowns: usize,
    /// Rules that name many by a pattern, of accounts or rooms.
    pub patterns: usize,
    /// Rules that name an account of this server.
    pub fit_users: usize,
    /// Rules that name a room that this server knows.
    pub fit_rooms: usize,
    /// Patterns that fit something here.
    pub fit_patterns: usize,
    /// Those that are not understood.
    pub unread: Unread,
}

impl Counts {
    /// How many rules there are that are understood.
    pub fn all(&self) -> usize {
        self.users + self.rooms + self.servers
    }
}

/// One message about a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It was read for the first time.
    First(Counts),
    /// Rules name accounts here.
    Users(Vec<Fit>),
    /// Rules name rooms that are known here.
    Rooms(Vec<Fit>),
    /// A rule names one account or room, and the bot is about to act on it by itself.
    Acting(Box<Fit>),
    /// A pattern fits something here.
    Pattern(Box<Fit>),
    /// So many more rules fit something here than were told one by one.
    More(usize),
    /// Rules are not there any more.
    Withdrawn(Vec<Withdrawn>),
    /// It cannot be read, and why.
    Fault(String),
    /// It can be read again.
    ReadAgain,
}
