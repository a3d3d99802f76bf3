//! `room search`: rooms by a part of their name or alias.

use async_trait::async_trait;
use jiff::Timestamp;

use super::page::{self, Order, Row, Wanted};
use crate::{
    commands::{
        Spec,
        listing::{Filter, Listing, Named, Page, Pages},
    },
    error::Stop,
    reply::Record,
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<Search>(
    "search",
    &["room search lobby", "room search \"Book club\" --sort joined_members --limit 20"],
);

/// Search rooms by a part of their name or alias, or by their whole id; capitals do not matter
#[derive(Debug, clap::Args)]
struct Search {
    /// A part of the name; of an alias, the part before the colon is searched for
    #[arg(value_parser = page::term)]
    term: String,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    order: Order,
}

impl Search {
    fn wanted(&self) -> Wanted {
        Wanted { name: Some(self.term.clone()), ..Wanted::default() }
    }
}

#[async_trait]
impl Listing for Search {
    const NAMED: Named = page::NAMED;
    type Row = Row;

    fn pages(&self) -> &Pages {
        &self.pages
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        page::fetch(reader, self.wanted().query(self.order), from, limit).await
    }

    fn filter(&self, _reader: &Reader) -> Option<Filter<'_, Row>> {
        self.wanted().filter()
    }

    fn id(&self, row: &Row, _: &Reader) -> Option<String> {
        Some(row.room_id.clone())
    }

    fn record(&self, row: &Row, _now: Timestamp) -> Record {
        page::record(row, self.order.sort)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    #[test]
    fn it_takes_one_term() {
        let verb: Search = testing::parse(&["Book club", "-l", "20"]).unwrap();
        let query = verb.wanted().query(verb.order);
        assert_eq!(query[2], ("search_term", "Book club".to_owned()));
        for typed in [&[][..], &["book", "club"], &["#:example.org"], &["a", "-l", "0"]] {
            assert!(testing::parse::<Search>(typed).is_err(), "{typed:?}");
        }
    }
}
