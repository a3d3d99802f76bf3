//! An account as the specification's endpoints tell of it, where there are no others.

use ruma::UserId;
use serde::Deserialize;
use serde_json::Value;

use super::{
    account::{Account, Told},
    reader::Reader,
    surface::Moderation,
};
use crate::{
    change::Path,
    error::api::{Error, Kind},
    reply::Hostile,
};

impl Reader {
    /// The account `user` of this homeserver, `None` where there is none; an error for the user of
    /// another one. `GET /_synapse/admin/v2/users/{user_id}`; where that is not there, what the
    /// specification's endpoints tell.
    pub async fn account(&self, user: &UserId) -> Result<Option<Account>, Error> {
        let known = self.surface().await?.and_then(|surface| surface.moderation);
        let first = match known {
            // What is rare is kept out of every future that has this one in it.
            Some(moderation) => Box::pin(self.account_as_specified(user, moderation)).await,
            None => self.account_of_admin_api(user).await,
        };
        let in_doubt = match &first {
            Ok(account) => account.as_ref().and_then(|it| it.told).is_some_and(|it| it.withheld),
            Err(error) => error.is_unknown_route(),
        };
        if in_doubt { Box::pin(self.account_anew(user, known, first)).await } else { first }
    }

    /// The same, where the `first` answer shows that the homeserver serves something else than is
    /// `known` of it, or perhaps that the token is no longer that of an admin.
    async fn account_anew(
        &self,
        user: &UserId,
        known: Option<Moderation>,
        first: Result<Option<Account>, Error>,
    ) -> Result<Option<Account>, Error> {
        match self.learn_surface().await?.moderation {
            Some(_) if first.is_ok() => first,
            Some(moderation) => self.account_as_specified(user, moderation).await,
            None if known.is_some() => self.account_of_admin_api(user).await,
            None => first,
        }
    }

    /// The account `user` of this homeserver, as far as the specification's endpoints tell of it; `None`
    /// where there is none, or where it is deactivated: they do not tell one from the other.
    /// `GET /_matrix/client/v1/admin/suspend/{userId}` and `…/lock/{userId}`, as far as they are served,
    /// and `GET /_matrix/client/v3/profile/{userId}`.
    async fn account_as_specified(
        &self,
        user: &UserId,
        moderation: Moderation,
    ) -> Result<Option<Account>, Error> {
        let Moderation { suspend, lock, stable } = moderation;
        let state = async |served: bool, what: &str, key: &str| {
            if served {
                self.state(&Moderation::path(stable, what, user.as_str()), key).await.map(Some)
            } else {
                Ok(None)
            }
        };
        let (suspended, locked, name) = tokio::join!(
            state(suspend, "suspend", "suspended"),
            state(lock, "lock", "locked"),
            self.profile_name(user)
        );
        let told = |suspended, locked, withheld| Told { suspended, locked, stable, withheld };
        let told = match (suspended, locked) {
            (Ok(suspended), Ok(locked)) => told(suspended, locked, false),
            (Err(error), _) | (_, Err(error)) if error.is_unknown_object() => return Ok(None),
            // Whoever was told of the endpoints is an admin: of other admins nobody is told.
            (Err(error), _) | (_, Err(error))
                if error.status() == Some(403) && !error.is_of_token() && !error.is_foreign() =>
            {
                told(None, None, true)
            }
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        Ok(Some(Account::told(user.to_owned(), name, told)))
    }

    /// A state of an account. An answer that does not say it is none.
    async fn state(&self, path: &Path, key: &str) -> Result<bool, Error> {
        let answer: Value = self.get(path, &[]).await?;
        let state = answer.get(key).and_then(Value::as_bool);
        state.ok_or_else(|| Error::because(Kind::Unreadable, format!("an answer has no {key}")))
    }

    /// The name that people see, only shown: where it cannot be looked up there is none.
    async fn profile_name(&self, user: &UserId) -> Option<Hostile> {
        #[derive(Deserialize)]
        struct Profile {
            displayname: Option<Hostile>,
        }
        let path = Path::client(["v3", "profile", user.as_str()]);
        self.get::<Profile>(&path, &[]).await.ok()?.displayname
    }
}
