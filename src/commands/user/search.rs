//! `user search`: accounts by a part of their name.

use super::list::List;
use crate::commands::{Ask, Does, Spec, listing::Pages};

pub(super) const SPEC: Spec = Spec::of::<Search>(
    Does::Look,
    "search",
    &["user search ann", "user search \"Ann Lee\" --limit 20"],
);

/// Search accounts by a part of their user name or display name; upper and lower case are the same
///
/// Deactivated accounts and guests are found too.
#[derive(Debug, clap::Args)]
struct Search {
    /// A part of the name; for a full id, only the part before the colon is used
    term: String,
    #[command(flatten)]
    pages: Pages,
}

impl From<Search> for Ask {
    fn from(typed: Search) -> Self {
        Self::Read(Box::new(List::search(&typed.term, typed.pages)))
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
