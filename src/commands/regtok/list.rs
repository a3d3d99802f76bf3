//! `regtok list`: the tokens with which people may register.

use async_trait::async_trait;
use jiff::Timestamp;

use super::token::{self, Token};
use crate::{
    change::Power,
    commands::{
        Delegated, Spec, Tables,
        listing::{Listing, Named, Page, Pages},
        refusals::looks,
    },
    error::Stop,
    reply::{IdsOf, Line, Record},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<List>("list", &["regtok list", "regtok list --valid"])
    .delegated(Delegated::There);

/// List the registration tokens
#[derive(Debug, clap::Args)]
struct List {
    /// Only tokens that can be used now
    #[arg(short, long, conflicts_with = "invalid")]
    valid: bool,
    /// Only tokens that are expired or used up
    #[arg(short = 'V', long)]
    invalid: bool,
    #[command(flatten)]
    pages: Pages,
}

#[async_trait]
impl Listing for List {
    const NAMED: Named = Named {
        key: "registration_tokens",
        one: "token",
        many: "tokens",
        columns: &["token", "uses_allowed", "pending", "completed", "expiry_time"],
    };
    type Row = Token;

    // Whoever reads a token can make an account with it.
    fn power(&self) -> Power {
        Power::Account
    }

    fn refusals(&self) -> Tables {
        &[looks::TOKEN, looks::PAGE]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        let valid = (self.valid || self.invalid).then_some(self.valid);
        let mut tokens = token::all(reader, valid).await?;
        // The homeserver has them in no order.
        tokens.sort_by(|a, b| a["token"].as_str().cmp(&b["token"].as_str()));
        Ok(Page::part(tokens, Pages::number(from)?, limit))
    }

    fn ids_of(&self) -> Option<IdsOf> {
        Some(IdsOf::Tokens)
    }

    fn id(&self, token: &Token, _: &Reader) -> Option<String> {
        Some(token.name.clone())
    }

    fn record(&self, token: &Token, now: Timestamp) -> Record {
        Record { title: Line::new().code(&token.name), facts: token.facts(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    #[test]
    fn tokens_take_the_right_to_make_accounts() {
        for typed in [&[][..], &["-v"], &["-V", "-l", "3"], &["--invalid"]] {
            let verb = testing::parse::<List>(typed).unwrap();
            assert_eq!(Listing::power(&verb), Power::Account, "{typed:?}");
        }
        assert!(testing::parse::<List>(&["-v", "-V"]).is_err());
    }
}
