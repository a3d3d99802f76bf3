//! `user search`: accounts by a part of their name.

use async_trait::async_trait;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    list::{List, bare},
    page::{self, Row},
};
use crate::{
    commands::{
        Spec,
        listing::{Filter, Listing, Named, Page, Pages},
    },
    error::Stop,
    reply::{Line, Record},
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
    #[command(flatten)]
    pages: Pages,
}

#[async_trait]
impl Listing for Search {
    const NAMED: Named = page::NAMED;
    type Row = Row;

    fn pages(&self) -> &Pages {
        &self.pages
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        self.list(reader)?.page(reader, from, limit).await
    }

    fn filter(&self, reader: &Reader) -> Option<Filter<'_, Row>> {
        self.list(reader).ok()?.wanted(reader)
    }

    async fn complete(&self, rows: Vec<Value>, reader: &Reader) -> Vec<Value> {
        page::marked_suspended(rows, reader).await
    }

    fn record(&self, row: &Row, now: Timestamp) -> Record {
        page::record(row, now)
    }

    fn id(&self, row: &Row, _: &Reader) -> Option<String> {
        Some(row.name.clone())
    }

    fn notes(&self, rows: &[Row]) -> Vec<Line> {
        page::notes(rows, false)
    }
}

impl Search {
    /// The listing that this is.
    fn list(&self, reader: &Reader) -> Result<List, Stop> {
        let term = bare(self.term.trim(), reader.server_name().as_str());
        if term.is_empty() {
            return Err(Stop::refused("there is nothing to search for").or(&["user", "list"]));
        }
        Ok(List::search(term, self.pages.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};

    #[test]
    fn it_takes_one_term() {
        let verb: Search = testing::parse(&["Ann Lee", "-l", "20"]).unwrap();
        assert_eq!((verb.term.as_str(), verb.pages.limit()), ("Ann Lee", 20));
        assert!(testing::parse::<Search>(&[]).is_err());
        assert!(testing::parse::<Search>(&["ann", "lee"]).is_err());
        assert!(testing::parse::<Search>(&["ann", "-l", "0"]).is_err());
    }
}
