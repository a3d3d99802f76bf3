//! `regtok details`: one token.

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use super::token::{self, Token, existing};
use crate::{
    change::{Power, Subject},
    commands::{
        Delegated, Memory, Query, Spec, Tables,
        past::{self, PAST},
        refusals::looks,
    },
    error::Stop,
    reply::{Line, Reply, Sheet},
    synapse::Reader,
};

pub(super) const SPEC: Spec =
    Spec::query::<Details>("details", &["regtok details welcome-friends"])
        .also(&["show"])
        .delegated(Delegated::There);

/// Show a registration token: how often it was used, and when it expires
#[derive(Debug, clap::Args)]
struct Details {
    /// The token
    #[arg(value_parser = existing)]
    token: String,
}

impl Details {
    async fn found<T: DeserializeOwned>(&self, reader: &Reader) -> Result<T, Stop> {
        reader.may_name(&Subject::Token(self.token.clone()))?;
        let found = token::find(&self.token, reader).await?.ok_or_else(|| {
            Stop::not_found(Line::new().plain("there is no token ").code(&self.token))
                .or(&["regtok", "list"])
        })?;
        serde_json::from_value(found).map_err(|_| token::unread())
    }
}

#[async_trait]
impl Query for Details {
    // Whoever reads a token can make an account with it.
    fn power(&self) -> Power {
        Power::Account
    }

    fn refusals(&self) -> Option<Tables> {
        Some(&[looks::TOKEN])
    }

    async fn answer(&self, reader: &Reader, memory: &dyn Memory) -> Result<Reply, Stop> {
        let token: Token = self.found(reader).await?;
        let remembered = memory.of(&Subject::Token(self.token.clone()), PAST);
        let reply = Reply::data(Line::new().code(&token.name)).facts(token.facts(reader.now()));
        Ok(past::told(reply, &remembered, reader.now()))
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        Ok(sheet.object("registration_token", &self.found(reader).await?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    #[test]
    fn only_what_can_be_a_token_is_asked_for() {
        let verb = testing::parse::<Details>(&["welcome"]).unwrap();
        assert_eq!(verb.power(), Power::Account);
        for typed in [&[][..], &["new"], &["../admin"], &["a", "b"]] {
            assert!(testing::parse::<Details>(typed).is_err(), "{typed:?}");
        }
    }
}
