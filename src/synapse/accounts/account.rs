//! Who keeps an account, and what the authentication service has of it.

use jiff::Timestamp;
use ruma::UserId;
use serde::Deserialize;

use super::super::reader::Reader;
use crate::{
    change::Path,
    error::{
        accounts::At,
        api::{Error, Kind},
    },
};

/// Who keeps an account: where it is locked, ended, or made an admin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeper {
    /// The homeserver, as it has no authentication service, or none that the config says how to reach.
    Homeserver,
    /// The authentication service, which has this of it.
    Service(Kept),
    /// The homeserver, although it has such a service: that does not know the account, as it knows
    /// none of an application service.
    NotKnownThere,
}

/// An account as the authentication service has it
/// (`GET /api/admin/v1/users/by-username/{username}`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// By what it is named there, a ULID.
    pub id: String,
    /// Whether it may ask for a server admin's rights.
    pub admin: bool,
    /// Whether it is locked.
    pub locked: bool,
    /// Whether it is deactivated.
    pub deactivated: bool,
}

/// One object of the service's answers.
#[derive(Deserialize)]
struct Single {
    data: Object,
}

#[derive(Deserialize)]
struct Object {
    id: String,
    attributes: User,
}

#[derive(Deserialize)]
struct User {
    username: String,
    admin: bool,
    locked_at: Option<Timestamp>,
    deactivated_at: Option<Timestamp>,
}

impl Reader {
    /// Whether the config says how to reach an authentication service.
    pub fn knows_service(&self) -> bool {
        self.service().is_some()
    }

    /// Whether accounts are kept by an authentication service that the bot can ask.
    pub async fn has_service(&self) -> Result<bool, Error> {
        Ok(self.knows_service() && self.is_delegated().await?)
    }

    /// Who keeps the account of `user`, as the servers say.
    pub async fn keeper(&self, user: &UserId) -> Result<Keeper, Error> {
        if !self.is_local(user) || !self.has_service().await? {
            return Ok(Keeper::Homeserver);
        }
        Ok(match self.kept(user).await? {
            Some(kept) => Keeper::Service(kept),
            None => Keeper::NotKnownThere,
        })
    }

    /// What the service has of an account of this homeserver, `None` where it does not know it.
    ///
    /// It sees no more than the part before the colon, so it is asked first whose accounts it keeps.
    async fn kept(&self, user: &UserId) -> Result<Option<Kept>, Error> {
        self.must_serve_this_server().await?;
        let path = Path::accounts(["users", "by-username", user.localpart()]);
        let Object { id, attributes } = match self.get::<Single>(&path, &[]).await {
            Ok(single) => single.data,
            // Something in front of it, or a listener without that resource, knows no account.
            Err(error) if error.status() == Some(404) && !error.is_foreign() => return Ok(None),
            Err(error) => return Err(error),
        };
        // Something between that mixes answers up must not lend one account the state of another.
        if attributes.username != user.localpart() {
            let why = "it is about another account";
            return Err(Error::because(Kind::Unreadable, why).at(At::Api));
        }
        let User { admin, locked_at, deactivated_at, .. } = attributes;
        let (locked, deactivated) = (locked_at.is_some(), deactivated_at.is_some());
        Ok(Some(Kept { id, admin, locked, deactivated }))
    }

    /// Fails where the service keeps the accounts of another homeserver
    /// (`GET /api/admin/v1/site-config`). Asked once.
    async fn must_serve_this_server(&self) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Site {
            server_name: String,
        }
        let Some(service) = self.service() else { return Err(Error::new(Kind::Client)) };
        let ask = async || {
            let path = Path::accounts(["site-config"]);
            let serves = self.get::<Site>(&path, &[]).await?.server_name;
            let is_ours = serves == self.server_name().as_str();
            // What is wrong may be put right meanwhile, so only the right answer is kept.
            if is_ours { Ok(()) } else { Err(Error::new(Kind::Unreadable).at(At::Other)) }
        };
        service.serves_us.get_or_try_init(ask).await.copied()
    }
}
