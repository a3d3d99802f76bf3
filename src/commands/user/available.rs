//! `user available`: whether somebody could have this name.

use async_trait::async_trait;
use ruma::UserId;
use serde_json::{Value, json};

use super::account;
use crate::{
    change::{Path, Power},
    commands::{Memory, Query, Spec, Tables, arguments::UserRef, refusals::looks},
    error::Stop,
    reply::{Line, Reply, Sheet},
    synapse::{Error, Reader, holding},
};

pub(super) const SPEC: Spec = Spec::query::<Available>("available", &["user available new"]);

/// Check whether a user name is free
#[derive(Debug, clap::Args)]
struct Available {
    /// The name: new, or @new:example.org
    user: UserRef,
}

/// Why a name is not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Somebody has it, or had it.
    InUse,
    /// No account can be called so.
    Invalid,
    /// Only a bridge may make accounts like it.
    Exclusive,
}

impl Taken {
    /// The homeserver says no by an error.
    fn of(error: &Error) -> Option<Self> {
        match error.errcode()? {
            "M_USER_IN_USE" => Some(Self::InUse),
            "M_INVALID_USERNAME" => Some(Self::Invalid),
            "M_EXCLUSIVE" => Some(Self::Exclusive),
            _ => None,
        }
    }

    /// The same in words that follow the id.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::InUse => " is taken: it is or was in use",
            Self::Invalid => {
                " cannot be a user id here: a name has lower-case letters, digits and . _ = - / +, \
                and is not a number"
            }
            Self::Exclusive => " is reserved for the accounts of a bridge",
        }
    }

    fn errcode(self) -> &'static str {
        match self {
            Self::InUse => "M_USER_IN_USE",
            Self::Invalid => "M_INVALID_USERNAME",
            Self::Exclusive => "M_EXCLUSIVE",
        }
    }
}

/// Why an account with this id cannot be made; `None` where it can.
/// `GET /_synapse/admin/v1/username_available`.
pub(super) async fn taken(user: &UserId, reader: &Reader) -> Result<Option<Taken>, Stop> {
    let path = Path::admin(["v1", "username_available"]);
    let query = [("username", user.localpart().to_owned())];
    match reader.get::<Value>(&path, &query).await {
        Ok(answered) => Ok(holding(answered, "available").map(|_| None)?),
        Err(error) => match Taken::of(&error) {
            Some(taken) => Ok(Some(taken)),
            None => Err(error.into()),
        },
    }
}

#[async_trait]
impl Query for Available {
    fn power(&self) -> Power {
        Power::Look
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::NEW_NAME])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let user = reader.user_id(&self.user)?;
        account::local(&user, reader)?;
        Ok(told(&user, taken(&user, reader).await?))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let user = reader.user_id(&self.user)?;
        account::local(&user, reader)?;
        let data = match taken(&user, reader).await? {
            None => json!({ "available": true }),
            Some(taken) => json!({ "available": false, "errcode": taken.errcode() }),
        };
        Ok(sheet.object("available", &data)?)
    }
}

fn told(user: &UserId, taken: Option<Taken>) -> Reply {
    let line = Line::new().code(user);
    match taken {
        None => Reply::data(line.plain(" is free")),
        Some(taken @ Taken::InUse) => Reply::data(line.plain(taken.as_str()))
            .command("Look at it", account::words(["user", "details", user.as_str()])),
        Some(taken) => Reply::data(line.plain(taken.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn a_name_is_free_or_it_is_said_why_not() {
        let user = <&UserId>::try_from("@new:example.org").unwrap();
        let told = |taken| testing::reply(&told(user, taken));
        assert_eq!(told(None), "`@new:example.org` is free\n");
        assert!(told(Some(Taken::InUse)).contains("is taken"));
        assert!(told(Some(Taken::Invalid)).contains("lower-case"));
        assert!(told(Some(Taken::Exclusive)).contains("bridge"));
    }
}
