//! `room list`: the rooms that this server knows.

use async_trait::async_trait;
use jiff::Timestamp;

use super::page::{self, Order, Row, Sort, Wanted};
use crate::{
    commands::{
        Later, Spec, Tables,
        listing::{
            Filter, Listing, Named, Page, Pages,
            chart::{Chart, Largest, called},
            search::Spellings,
        },
        refusals::looks,
    },
    error::Stop,
    reply::{IdsOf, Record},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<List>(
    "list",
    &[
        "room list",
        "room list -n lobby --public",
        "room list --sort joined_members --limit 20",
        "room list --empty",
        "room list --chart",
    ],
)
.later(&[
    Later::new("empty", 1, 110),
    Later::new("not_empty", 1, 110),
    Later::new("public", 1, 110),
    Later::new("not_public", 1, 110),
]);

/// List the rooms that this server knows, by name
///
/// Empty rooms have no members any more, from any server. The counts come from the homeserver's
/// statistics, which are slightly behind.
#[derive(Debug, Clone, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is typed or not")]
pub(super) struct List {
    #[command(flatten)]
    pages: Pages,
    /// Only rooms with this in their name or alias, or with exactly this id
    #[arg(short, long, value_parser = page::term)]
    name: Option<String>,
    #[command(flatten)]
    pub(super) order: Order,
    /// Only rooms without members
    #[arg(short, long, conflicts_with = "not_empty")]
    empty: bool,
    /// Leave out rooms without members
    #[arg(short = 'E', long)]
    not_empty: bool,
    /// Only rooms in the directory
    #[arg(short, long, conflicts_with = "not_public")]
    public: bool,
    /// Leave out rooms in the directory
    #[arg(short = 'P', long)]
    not_public: bool,
    /// Send a picture instead: the rooms with most members, or with most of what --sort names:
    /// `joined_local_members` or `state_events`
    #[arg(long, conflicts_with_all = ["from", "limit", "all", "reverse"])]
    chart: bool,
    // In which spellings the name is searched for.
    #[arg(skip)]
    spellings: Spellings,
}

impl List {
    /// What `room search TERM` lists.
    pub(super) fn search(term: String, pages: Pages, order: Order) -> Self {
        Self { pages, name: Some(term), order, ..Self::default() }
    }

    /// In which order they come: for a picture by what it shows, the largest first.
    fn ordered(&self) -> Result<Order, Stop> {
        match self.order.sort {
            None if self.chart => Ok(Order { sort: Some(Sort::JoinedMembers), ..self.order }),
            Some(sort) if self.chart && sort.measure().is_none() => Err(Stop::not_understood(
                "a picture can show only how many members or state events there are",
            )
            .or(&["room", "list", "--chart", "--sort", "state_events"])),
            _ => Ok(self.order),
        }
    }

    pub(super) fn wanted(&self) -> Wanted {
        let of = |yes: bool, no: bool| (yes || no).then_some(yes);
        Wanted {
            name: self.name.clone(),
            spellings: self.spellings,
            public: of(self.public, self.not_public),
            empty: of(self.empty, self.not_empty),
        }
    }
}

#[async_trait]
impl Listing for List {
    const NAMED: Named = page::NAMED;
    type Row = Row;

    fn refusals(&self) -> Tables {
        &[looks::PAGE]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        page::fetch(reader, self.wanted().query(self.ordered()?), from, limit).await
    }

    fn filter(&self, _reader: &Reader) -> Option<Filter<'_, Row>> {
        self.wanted().filter()
    }

    fn in_all_spellings(&self) -> Option<Self> {
        let Wanted { spellings, .. } = self.wanted().in_all_spellings()?;
        Some(Self { spellings, ..self.clone() })
    }

    fn chart(&self) -> Option<Chart<Row>> {
        let sort = self.order.sort.unwrap_or(Sort::JoinedMembers);
        let (title, value) = sort.measure().or_else(|| Sort::JoinedMembers.measure())?;
        let Wanted { name, public, empty, .. } = self.wanted();
        self.chart.then(|| {
            Chart::Largest(Largest {
                title,
                label: |row: &Row| {
                    called(&row.room_id, [row.name.as_ref(), row.canonical_alias.as_ref()])
                },
                value,
                shown: |count| count.to_string(),
                narrowed: name.is_some() || public.is_some() || empty.is_some(),
                listed_in_part: false,
            })
        })
    }

    fn ids_of(&self) -> Option<IdsOf> {
        Some(IdsOf::Rooms)
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
    fn options_mean_to_the_homeserver_what_they_say() {
        let asked = |typed: &[&str]| {
            let verb: List = testing::parse(typed).unwrap();
            let query = verb.wanted().query(verb.order);
            query.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
        };
        insta::assert_snapshot!(asked(&[]), @"order_by=name dir=f");
        insta::assert_snapshot!(asked(&["-e", "-p"]), @"order_by=name dir=f public_rooms=true empty_rooms=true");
        insta::assert_snapshot!(asked(&["-E", "-P", "-r", "-s", "version"]), @"order_by=version dir=b public_rooms=false empty_rooms=false");
        insta::assert_snapshot!(asked(&["--not-empty", "--not-public", "--sort", "creator", "--reverse"]), @"order_by=creator dir=b public_rooms=false empty_rooms=false");
        insta::assert_snapshot!(asked(&["-n", "lobby", "--public"]), @"order_by=name dir=f search_term=lobby");
        for typed in [
            &["-e", "-E"][..],
            &["-p", "-P"],
            &["-n", ""],
            &["-s", "colour"],
            &["-l", "0"],
            &["--chart", "-r"],
        ] {
            assert!(testing::parse::<List>(typed).is_err(), "{typed:?}");
        }
    }
}
