//! What a homeserver serves of what its admins use: Synapse's Admin API, or no more than the endpoints that
//! the specification has for them.
//!
//! That is found by asking, never by the homeserver's name. Nothing is asked as long as the Admin API
//! answers: the first of its endpoints that is not there leads here.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use ruma::UserId;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

use super::reader::Reader;
use crate::{change::Path, error::api::Error};

/// How long it is believed that there is no more than the specification's endpoints. A homeserver may get
/// an Admin API, and what stands before it may have sent a request elsewhere for a moment.
const BELIEVED: Duration = Duration::from_mins(5);

/// By which capability the endpoints are announced, and whether they are at their stable paths: since
/// version 1.18 of the specification, and before, as MSC4323 had it.
const CAPABILITIES: [(&str, bool); 2] =
    [("m.account_moderation", true), ("uk.timedout.msc4323", false)];

/// What a homeserver serves of what its admins use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surface {
    /// Whether it serves Synapse's Admin API, or some of it.
    pub admin_api: bool,
    /// What states of accounts it lets its admins set by the specification's endpoints; `None` for
    /// none, and where its Admin API serves accounts.
    pub moderation: Option<Moderation>,
    /// Whether it serves `GET /_matrix/client/v3/admin/whois/{userId}`, and no Admin API for it.
    pub whois: bool,
}

impl Surface {
    /// That of a homeserver whose Admin API serves accounts.
    const WHOLE: Self = Self { admin_api: true, moderation: None, whois: false };
}

/// What states of accounts a homeserver lets its admins set by the endpoints of the specification
/// (`/_matrix/client/v1/admin/{suspend,lock}/{userId}`), as it announces it to whom it lets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Moderation {
    /// Whether they can suspend.
    #[serde(default)]
    pub suspend: bool,
    /// Whether they can lock.
    #[serde(default)]
    pub lock: bool,
    /// Whether the endpoints are at their stable paths.
    #[serde(skip)]
    pub stable: bool,
}

impl Moderation {
    /// The endpoint that tells and sets a state, `suspend` or `lock`, of the account with this id.
    pub fn path(stable: bool, what: &str, user: &str) -> Path {
        if stable {
            Path::client(["v1", "admin", what, user])
        } else {
            Path::client(["unstable", "uk.timedout.msc4323", "admin", what, user])
        }
    }

    /// What capabilities say, as `GET /_matrix/client/v3/capabilities` answers them.
    pub fn announced(answer: &Value) -> Option<Self> {
        CAPABILITIES.iter().find_map(|(name, stable)| {
            let announced = Self::deserialize(answer["capabilities"].get(name)?).ok()?;
            (announced.suspend || announced.lock).then_some(Self { stable: *stable, ..announced })
        })
    }
}

/// What a homeserver was found to lack, if anything. Whoever asks the same homeserver shares it.
#[derive(Debug, Default)]
pub(super) struct Surfaces(Mutex<Option<(Surface, Instant)>>);

impl Surfaces {
    fn get(&self) -> Option<(Surface, Instant)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, surface: Option<Surface>) {
        let found = surface.map(|surface| (surface, Instant::now()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }
}

impl Reader {
    /// What the homeserver serves, where it was found to lack the Admin API or that of accounts;
    /// looked up again from time to time. `None`, and nothing is asked, as long as nothing was found to
    /// lack.
    pub async fn surface(&self) -> Result<Option<Surface>, Error> {
        match self.shared.surface.get() {
            None => Ok(None),
            Some((surface, at)) if surface.moderation.is_some() && at.elapsed() < BELIEVED => {
                Ok(Some(surface))
            }
            // Also where nothing at all is there: who mends that sees it with the next command.
            Some(_) => Box::pin(self.learn_surface()).await.map(Some),
        }
    }

    /// Whether accounts were found to be told by the specification's endpoints alone. Asks nobody.
    pub fn sees_by_specification(&self) -> bool {
        self.shared.surface.get().is_some_and(|(surface, _)| surface.moderation.is_some())
    }

    /// Whether the homeserver was found to have no Admin API. Asks nobody.
    pub fn lacks_admin_api(&self) -> bool {
        self.shared.surface.get().is_some_and(|(surface, _)| !surface.admin_api)
    }

    /// Looks up what the homeserver serves: whether two endpoints of the Admin API are there,
    /// `GET /_synapse/admin/v1/server_version` and `GET /_synapse/admin/v2/users/{user_id}` with the
    /// caller's own id; and where the second is not, what
    /// `GET /_matrix/client/v3/capabilities` announces and whether there is
    /// `GET /_matrix/client/v3/admin/whois/{userId}`.
    pub async fn learn_surface(&self) -> Result<Surface, Error> {
        let reader = self.look();
        let own = reader.caller().await?;
        let (version, users) =
            (Path::admin(["v1", "server_version"]), Path::admin(["v2", "users", own.as_str()]));
        let (version, users) = tokio::try_join!(reader.serves(&version), reader.serves(&users))?;
        if users {
            self.shared.surface.set(None);
            return Ok(Surface::WHOLE);
        }
        let capabilities = Path::client(["v3", "capabilities"]);
        let whois = whois(&own);
        let (capabilities, whois) =
            tokio::join!(reader.get_any::<Value>(&capabilities, &[]), reader.serves(&whois));
        // A homeserver that has no capabilities to tell refuses to tell them.
        let moderation = match capabilities {
            Ok(answer) => Moderation::announced(&answer),
            Err(error) if error.is_away() || error.is_for_now() => return Err(error),
            Err(_) => None,
        };
        let surface = Surface { admin_api: version, moderation, whois: whois? };
        tracing::info!(?surface, "the homeserver serves no accounts by an Admin API");
        // Where the Admin API is another worker's, each of its endpoints is asked for as before.
        let is_known = !surface.admin_api || surface.moderation.is_some();
        self.shared.surface.set(is_known.then_some(surface));
        Ok(surface)
    }

    /// Whether the homeserver knows this route, whatever it answers.
    async fn serves(&self, path: &Path) -> Result<bool, Error> {
        match self.get_any::<IgnoredAny>(path, &[]).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_away() || error.is_for_now() => Err(error),
            Err(error) => Ok(!error.is_unknown_route()),
        }
    }

    /// With what an account connects: `GET /_synapse/admin/v1/whois/{user_id}`, and where that is not
    /// there, the endpoint that the specification has for the same.
    pub async fn whois<T: DeserializeOwned>(&self, user: &UserId) -> Result<T, Error> {
        if self.lacks_admin_api() {
            return self.get(&whois(user), &[]).await;
        }
        match self.get(&Path::admin(["v1", "whois", user.as_str()]), &[]).await {
            Err(error) if error.is_unknown_route() => self.get(&whois(user), &[]).await,
            answered => answered,
        }
    }
}

/// The specification's endpoint that tells with what an account connects.
fn whois(user: &UserId) -> Path {
    Path::client(["v3", "admin", "whois", user.as_str()])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_announced_is_read_and_the_stable_paths_come_first() {
        let announced =
            |capabilities: Value| Moderation::announced(&json!({ "capabilities": capabilities }));
        let both = json!({ "suspend": true, "lock": true });
        let (suspend, lock) = (true, true);
        assert_eq!(
            announced(json!({ "m.account_moderation": both, "uk.timedout.msc4323": both })),
            Some(Moderation { suspend, lock, stable: true })
        );
        assert_eq!(
            announced(json!({ "uk.timedout.msc4323": { "suspend": true } })),
            Some(Moderation { suspend, lock: false, stable: false })
        );
        let nothing = json!({ "suspend": false, "lock": false });
        for none in [
            json!({}),
            json!({ "m.account_moderation": nothing }),
            json!({ "m.account_moderation": null }),
            json!({ "m.account_moderation": [true, true, 7] }),
            json!({ "m.account_moderation": { "suspend": "yes" } }),
            json!({ "m.change_password": { "enabled": true } }),
            json!(null),
        ] {
            assert_eq!(announced(none.clone()), None, "{none}");
        }
    }
}
