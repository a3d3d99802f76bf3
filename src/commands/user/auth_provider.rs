//! `user auth-provider`: who signs on with an account of somebody else's.

use async_trait::async_trait;
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::json;

use super::account::words;
use crate::{
    change::{Path, Power, Subject},
    commands::{Memory, Query, Spec, Tables, refusals::looks},
    error::Stop,
    reply::{Hostile, Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<AuthProvider>(
    "auth-provider",
    &["user auth-provider 5f0c2a --provider oidc-keycloak"],
);

/// Find the account that uses a given single sign-on (SSO) account
///
/// You need a role that may see private data, since this shows who somebody is elsewhere.
#[derive(Debug, clap::Args)]
struct AuthProvider {
    /// The id of the account at the provider
    #[arg(value_name = "ID")]
    external_id: String,
    /// The provider's id in the homeserver's config; for `OpenID` Connect it begins with oidc-
    #[arg(short, long)]
    provider: String,
}

impl AuthProvider {
    async fn owner(&self, reader: &Reader) -> Result<OwnedUserId, Stop> {
        #[derive(Deserialize)]
        struct AccountOf {
            user_id: OwnedUserId,
        }
        let path =
            Path::admin(["v1", "auth_providers", &self.provider, "users", &self.external_id]);
        let found: Option<AccountOf> = reader.find(&path, &[]).await?;
        let found = found.map(|found| found.user_id).ok_or_else(|| {
            let line = Line::new()
                .plain("no account here logs in as ")
                .hostile(&Hostile::new(&self.external_id))
                .plain(" of ")
                .hostile(&Hostile::new(&self.provider));
            let hint = if self.provider.starts_with("oidc") {
                ""
            } else {
                ". Provider ids for OpenID Connect begin with oidc-"
            };
            Stop::not_found(line.plain(hint))
        })?;
        reader.may_name(&Subject::User(found.clone()))?;
        Ok(found)
    }
}

#[async_trait]
impl Query for AuthProvider {
    fn power(&self) -> Power {
        Power::LookPrivate
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::SIGN_ON])
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let user = self.owner(reader).await?;
        let title = Line::new()
            .code(&user)
            .plain(" logs in as ")
            .hostile(&Hostile::new(&self.external_id))
            .plain(" of ")
            .hostile(&Hostile::new(&self.provider));
        let look = words(["user", "details", user.as_str()]);
        Ok(Reply::data(title).command("Look at it", look))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        let user_id = self.owner(reader).await?;
        Ok(sheet.object("auth_provider", &json!({ "user_id": user_id }))?)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn the_provider_is_never_guessed() {
        for typed in [&["abc", "-p", "saml"][..], &["a/b", "--provider", "oidc-x"]] {
            let verb = testing::parse::<AuthProvider>(typed).unwrap();
            assert_eq!(verb.power(), Power::LookPrivate);
        }
        assert!(testing::parse::<AuthProvider>(&["abc"]).is_err());
    }
}
