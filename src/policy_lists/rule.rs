//! A rule of a policy list, as it stands in a state event that anybody may have sent who may send state
//! in that room.

use ruma::{OwnedUserId, ServerName, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wildmatch::WildMatch;

use crate::reply::Hostile;

/// The longest id, and so the longest pattern that can fit one, bytes.
const LONGEST: usize = 255;
/// How many characters of a reason are kept.
const REASON: usize = 300;
/// How many wildcards a pattern may have: each more makes it slower to compare.
const WILDCARDS: usize = 16;

/// What rules are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Accounts.
    Users,
    /// Rooms.
    Rooms,
    /// Servers.
    Servers,
}

impl About {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Users, Self::Rooms, Self::Servers];

    /// The types of the state events that hold its rules: that of the specification, then those of before.
    pub fn event_types(self) -> [&'static str; 3] {
        match self {
            Self::Users => {
                ["m.policy.rule.user", "m.room.rule.user", "org.matrix.mjolnir.rule.user"]
            }
            Self::Rooms => {
                ["m.policy.rule.room", "m.room.rule.room", "org.matrix.mjolnir.rule.room"]
            }
            Self::Servers => {
                ["m.policy.rule.server", "m.room.rule.server", "org.matrix.mjolnir.rule.server"]
            }
        }
    }
}

/// What a rule recommends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recommendation {
    /// To have nothing to do with it.
    Ban,
    /// To remove it, with what it holds.
    Takedown,
}

impl Recommendation {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Takedown => "takedown",
        }
    }

    fn read(text: &str) -> Option<Self> {
        match text {
            "m.ban" | "org.matrix.mjolnir.ban" => Some(Self::Ban),
            "m.takedown" | "org.matrix.msc4204.takedown" => Some(Self::Takedown),
            _ => None,
        }
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What it is about.
    pub about: About,
    /// The id, or the pattern of ids, that it names.
    pub entity: Hostile,
    /// What it recommends.
    pub recommendation: Recommendation,
    /// Why, in the words of whoever wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Hostile>,
    /// Who wrote it.
    pub sender: OwnedUserId,
}

/// How many rules are not understood, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// They name their subject only by a hash of its id.
    pub hashed: usize,
    /// They recommend something else than a ban or a takedown.
    pub other: usize,
    /// They name nothing, or nothing that could be an id.
    pub nameless: usize,
}

impl Unread {
    /// How many in all.
    pub fn all(self) -> usize {
        self.hashed + self.other + self.nameless
    }
}

/// What stands in a state event of one of the types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// A rule.
    Rule(Box<Rule>),
    /// None any more: it was withdrawn, or redacted.
    Withdrawn,
    /// One that names its subject only by a hash.
    Hashed,
    /// One that recommends something else.
    Other,
    /// One that names nothing that could be an id.
    Nameless,
}

impl Read {
    /// Reads the content of a state event by this sender.
    pub fn of(about: About, sender: &str, content: &Value) -> Self {
        let Some(content) = content.as_object() else { return Self::Nameless };
        let text = |key: &str| content.get(key).and_then(Value::as_str);
        let Some(entity) = text("entity").filter(|entity| !entity.is_empty()) else {
            let hashed = content.get("hashes").is_some()
                || content.get("org.matrix.msc4205.hashes").is_some();
            return match hashed {
                true => Self::Hashed,
                // Whatever a redaction or another tool has left of it.
                false if text("recommendation").is_none() => Self::Withdrawn,
                false => Self::Nameless,
            };
        };
        let Some(recommendation) = text("recommendation").and_then(Recommendation::read) else {
            return Self::Other;
        };
        let (false, Ok(sender)) = (entity.len() > LONGEST, UserId::parse(sender)) else {
            return Self::Nameless;
        };
        let reason = text("reason").map(str::trim).filter(|reason| !reason.is_empty());
        let reason = reason.map(|reason| Hostile::new(shortened(reason)));
        let entity = Hostile::new(entity);
        Self::Rule(Box::new(Rule { about, entity, recommendation, reason, sender }))
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(REASON).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

impl Rule {
    /// Whether it names many by a pattern.
    pub fn is_pattern(&self) -> bool {
        self.entity.raw().contains(['*', '?'])
    }

    /// The account of this server that it names by its whole id.
    pub fn local_user(&self, own: &ServerName) -> Option<OwnedUserId> {
        if self.about != About::Users || self.is_pattern() {
            return None;
        }
        let user = UserId::parse(self.entity.raw()).ok()?;
        (user.server_name() == own).then_some(user)
    }

    /// The pattern by which it names many; nothing where it could fit no account of this server, or is too
    /// complicated to be compared.
    pub fn pattern(&self, own: &ServerName) -> Option<Pattern> {
        let text = self.entity.raw();
        if !self.is_pattern() || text.matches(['*', '?']).count() > WILDCARDS {
            return None;
        }
        if self.about == About::Users {
            // Every id of an account here ends with this, and so does what the pattern ends with.
            let end = format!(":{own}");
            let tail = text.rsplit(['*', '?']).next().unwrap_or_default();
            if !(end.ends_with(tail) || tail.ends_with(&end)) {
                return None;
            }
        }
        Some(Pattern(WildMatch::new(text)))
    }

    /// Whether it names many by a pattern that is too complicated to be compared.
    pub fn is_too_complicated(&self) -> bool {
        self.entity.raw().matches(['*', '?']).count() > WILDCARDS
    }
}

/// A pattern of ids.
#[derive(Debug, Clone)]
pub struct Pattern(WildMatch);

impl Pattern {
    /// Whether it fits an id.
    pub fn fits(&self, id: &str) -> bool {
        self.0.matches(id)
    }
}
