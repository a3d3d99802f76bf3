//! `user search`: accounts by a part of their name.

use async_trait::async_trait;

use super::{
    account::words,
    list::{List, bare},
    page,
};
use crate::{
    change::Power,
    commands::{Memory, Query, Spec},
    error::Stop,
    reply::Reply,
    synapse::Reader,
};

pub(super) const SPEC: Spec =
    Spec::query::<Search>("search", &["user search ann", "user search \"Ann Lee\" --limit 20"]);

/// Search accounts by a part of their localpart or display name; capitals do not matter
///
/// Deactivated accounts and guests are found too.
#[derive(Debug, clap::Args)]
struct Search {
    /// A part of the name; of a whole id, the part before the colon is searched for
    term: String,
    /// Skip this many accounts
    #[arg(short, long, default_value_t = 0)]
    from: u64,
    /// Show at most this many
    #[arg(short, long, default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    limit: u64,
}

#[async_trait]
impl Query for Search {
    fn power(&self) -> Power {
        Power::Look
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        let term = bare(self.term.trim(), reader.server_name().as_str());
        if term.is_empty() {
            return Err(Stop::refused("there is nothing to search for").or(&["user", "list"]));
        }
        let found = List::search(term, self.from, self.limit).find(reader).await?;
        let again = found.next.map(|next| self.again(next));
        Ok(page::told(&found, again, false, reader.now()))
    }
}

impl Search {
    /// This command again, from another place on.
    fn again(&self, from: u64) -> Vec<String> {
        let (from, limit) = (from.to_string(), self.limit.to_string());
        words(["user", "search", &self.term, "--from", &from, "--limit", &limit])
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn it_takes_one_term_and_says_itself_again() {
        let verb: Search = testing::parse(&["Ann Lee", "-l", "20"]).unwrap();
        assert_eq!((verb.term.as_str(), verb.from, verb.limit), ("Ann Lee", 0, 20));
        assert_eq!(
            testing::spoken(&verb.again(20)),
            "user search \"Ann Lee\" --from 20 --limit 20"
        );
        assert!(testing::parse::<Search>(&[]).is_err());
        assert!(testing::parse::<Search>(&["ann", "lee"]).is_err());
        assert!(testing::parse::<Search>(&["ann", "-l", "0"]).is_err());
    }
}
