//! `room search`: rooms by a part of their name or alias.

use super::{
    list::List,
    page::{self, Order},
};
use crate::commands::{Ask, Does, Spec, listing::Pages};

pub(super) const SPEC: Spec = Spec::of::<Search>(
    Does::Look,
    "search",
    &["room search lobby", "room search \"Book club\" --sort joined_members --limit 20"],
);

/// Search rooms by a part of their name or alias, or by their full id; upper and lower case are the same
#[derive(Debug, clap::Args)]
struct Search {
    /// A part of the name; for an alias, only the part before the colon is used
    #[arg(value_parser = page::term)]
    term: String,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    order: Order,
}

impl From<Search> for List {
    fn from(typed: Search) -> Self {
        Self::search(typed.term, typed.pages, typed.order)
    }
}

impl From<Search> for Ask {
    fn from(typed: Search) -> Self {
        Self::Read(Box::new(List::from(typed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::user::testing;

    #[test]
    fn it_takes_one_term() {
        let verb = List::from(testing::parse::<Search>(&["Book club", "-l", "20"]).unwrap());
        let query = verb.wanted().query(verb.order);
        assert_eq!(query[2], ("search_term", "Book club".to_owned()));
        for typed in [&[][..], &["book", "club"], &["#:example.org"], &["a", "-l", "0"]] {
            assert!(testing::parse::<Search>(typed).is_err(), "{typed:?}");
        }
    }
}
