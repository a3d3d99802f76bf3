//! Who may speak to the bot, with what role, and what the config demands of whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ruma::{OwnedRoomId, OwnedUserId, UserId};

use crate::reply::Line;

mod policy;
mod role;

pub(crate) use policy::Facts;
pub use policy::{Policy, Protection, Rule, Stance};
pub use role::{Rank, Reach, Role};

/// A person on the allowlist, by one of their accounts.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    /// The account.
    pub user: OwnedUserId,
    /// Their role.
    pub role: Arc<Role>,
    /// Who they are: several accounts can be one person. The account itself where the config
    /// names nobody.
    pub person: String,
}

/// Everybody and everything that the gate knows by name.
#[derive(Debug, Clone)]
pub struct Roster {
    /// The bot's own account.
    pub bot: OwnedUserId,
    /// The account of the admin token, once known.
    pub admin_account: Option<OwnedUserId>,
    /// The admin rooms.
    pub rooms: BTreeSet<OwnedRoomId>,
    /// The room of the record, where there is one besides.
    pub record_room: Option<OwnedRoomId>,
    /// The operators.
    pub operators: BTreeMap<OwnedUserId, Operator>,
    /// The roles of the config's own.
    pub roles: Vec<Arc<Role>>,
    /// Whether nothing may be changed at all.
    pub read_only: bool,
    /// What the config demands besides.
    pub policy: Policy,
}

impl Roster {
    /// The operator with this account.
    pub fn operator(&self, user: &UserId) -> Option<&Operator> {
        self.operators.get(user)
    }
}

/// Why not, in words for the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub Line);
