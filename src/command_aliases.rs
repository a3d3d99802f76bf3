//! Aliases of commands, which operators have made for a room.

use jiff::Timestamp;
use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde::{Deserialize, Serialize};

use crate::store::{self, Shelf, Store};

/// One alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAlias {
    /// The word that is typed for it.
    pub name: String,
    /// The words that it stands for.
    pub words: Vec<String>,
    /// The room in which it does.
    pub room: OwnedRoomId,
    /// Who made it.
    pub by: OwnedUserId,
    /// When.
    pub at: Timestamp,
}

/// The aliases of every room.
#[derive(Debug, Clone)]
pub struct CommandAliases {
    shelf: Shelf<CommandAlias>,
    store: Store,
}

impl CommandAliases {
    /// The aliases in `store`.
    pub fn new(store: &Store) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("command-aliases")?, store: store.clone() })
    }

    /// The alias of this name in a room.
    pub fn get(&self, room: &RoomId, name: &str) -> Result<Option<CommandAlias>, store::Error> {
        self.shelf.get(&key(room, name))
    }

    /// Those of a room, by name.
    pub fn of(&self, room: &RoomId) -> Result<Vec<CommandAlias>, store::Error> {
        let all = self.shelf.all()?.into_iter().map(|(_, alias)| alias);
        let mut found: Vec<CommandAlias> = all.filter(|alias| alias.room == room).collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Keeps a new one and returns when it is on disk; false where the room has one of this name.
    pub async fn add(&self, alias: &CommandAlias) -> Result<bool, store::Error> {
        let added = self.shelf.put_new(&key(&alias.room, &alias.name), alias)?;
        self.store.flush().await?;
        Ok(added)
    }

    /// Forgets one and returns when that is on disk.
    pub async fn remove(&self, room: &RoomId, name: &str) -> Result<(), store::Error> {
        self.shelf.remove(&key(room, name))?;
        self.store.flush().await
    }
}

/// No room id has a line break in it.
fn key(room: &RoomId, name: &str) -> String {
    format!("{room}\n{name}")
}
