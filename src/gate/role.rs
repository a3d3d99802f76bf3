//! What an operator may do at all.

use serde::{Deserialize, Serialize};

use crate::change::Power;

/// The powers that an operator has. Ordered: each has what the ones before it have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May look, but not at private things.
    Viewer,
    /// May look at everything and act on ordinary accounts, rooms and media.
    Moderator,
    /// May do everything.
    Admin,
}

impl Role {
    /// The lowest role that has `power`.
    pub fn with(power: Power) -> Self {
        match power {
            Power::Look => Self::Viewer,
            Power::LookPrivate | Power::Moderate => Self::Moderator,
            Power::Account | Power::Server => Self::Admin,
        }
    }

    /// Whether this role has `power`.
    pub fn has(self, power: Power) -> bool {
        self >= Self::with(power)
    }

    /// The name of the role as the config writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
        }
    }
}
