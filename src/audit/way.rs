//! By which way a command came, where that is no room.

use serde::{Deserialize, Serialize};

use crate::reply::Line;

/// By which way a command came, where that is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// From a shell of the machine.
    Shell {
        /// The user id there, as the kernel tells it.
        uid: u32,
    },
}

impl From<Way> for Line {
    fn from(way: Way) -> Self {
        match way {
            Way::Shell { uid } => Self::from(format!("the shell, as user id {uid}")),
        }
    }
}
