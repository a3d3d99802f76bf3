//! `federation list`: the servers that this one sends to.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::destination::Destination;
use crate::{
    change::Path,
    commands::{
        Spec, Tables,
        listing::{Filter, Kept, Listing, Named, Page, Pages},
        refusals::looks,
    },
    error::Stop,
    reply::{IdsOf, Line, Record},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<List>(
    "list",
    &["federation list", "federation list --failing", "federation list -d example -s failure_ts"],
);

/// List the servers that this one sends to, by name
///
/// A server counts as failing only after several failed tries, which takes some twenty minutes.
#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    pages: Pages,
    /// Only servers with this in their name
    #[arg(short, long, value_name = "TEXT", value_parser = not_empty)]
    destination: Option<String>,
    /// Only servers that cannot be reached
    #[arg(long)]
    failing: bool,
    /// Sort by this; everything but destination costs a large server some work
    #[arg(short, long, value_enum, default_value_t = Sort::Destination)]
    sort: Sort,
    /// Reverse the order
    #[arg(short, long)]
    reverse: bool,
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// What the homeserver can sort servers by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Sort {
    Destination,
    RetryLastTs,
    RetryInterval,
    FailureTs,
    LastSuccessfulStreamOrdering,
}

impl Sort {
    fn as_str(self) -> &'static str {
        match self {
            Self::Destination => "destination",
            Self::RetryLastTs => "retry_last_ts",
            Self::RetryInterval => "retry_interval",
            Self::FailureTs => "failure_ts",
            Self::LastSuccessfulStreamOrdering => "last_successful_stream_ordering",
        }
    }
}

#[async_trait]
impl Listing for List {
    const NAMED: Named = Named {
        key: "destinations",
        one: "server",
        many: "servers",
        columns: &[
            "destination",
            "retry_last_ts",
            "retry_interval",
            "failure_ts",
            "last_successful_stream_ordering",
        ],
    };
    type Row = Destination;

    fn refusals(&self) -> Tables {
        &[looks::PAGE]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        #[derive(Deserialize)]
        struct DestinationPage {
            destinations: Vec<Value>,
            total: u64,
            next_token: Option<String>,
        }
        let query = self.query(Pages::number(from)?, limit);
        let path = Path::admin(["v1", "federation", "destinations"]);
        let DestinationPage { destinations, total, next_token } = reader.get(&path, &query).await?;
        Ok(Page { rows: destinations, total: Some(total), next: next_token })
    }

    fn filter(&self, _reader: &Reader) -> Option<Filter<'_, Destination>> {
        // To the homeserver these two stand for any characters.
        let name = self.destination.as_deref().filter(|name| name.contains(['%', '_']));
        if !self.failing && name.is_none() {
            return None;
        }
        Some(Box::new(move |row| {
            let named =
                name.is_none_or(|name| row.name.to_lowercase().contains(&name.to_lowercase()));
            if named && (!self.failing || row.is_failing()) { Kept::Yes } else { Kept::No }
        }))
    }

    fn ids_of(&self) -> Option<IdsOf> {
        Some(IdsOf::Servers)
    }

    fn id(&self, row: &Destination, _: &Reader) -> Option<String> {
        Some(row.name.clone())
    }

    fn record(&self, row: &Destination, now: Timestamp) -> Record {
        Record { title: Line::new().code(&row.name), facts: row.facts(now) }
    }
}

impl List {
    fn query(&self, from: u64, limit: u64) -> Vec<(&'static str, String)> {
        let mut query = vec![
            ("from", from.to_string()),
            ("limit", limit.to_string()),
            ("order_by", self.sort.as_str().to_owned()),
            ("dir", if self.reverse { "b" } else { "f" }.to_owned()),
        ];
        query.extend(self.destination.clone().map(|name| ("destination", name)));
        query
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use serde_json::json;

    use super::{super::destination::tests::remote, *};
    use crate::commands::user::testing::{self, nowhere};

    fn verb(typed: &[&str]) -> List {
        testing::parse(typed).unwrap()
    }

    #[test]
    fn options_mean_to_the_homeserver_what_they_say() {
        let asked = |typed: &[&str]| {
            let query = verb(typed).query(5, 10);
            query.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(asked(&[]), "from=5 limit=10 order_by=destination dir=f");
        assert_eq!(
            asked(&["-d", "x", "-s", "failure_ts", "-r"]),
            "from=5 limit=10 order_by=failure_ts dir=b destination=x"
        );
        for sort in Sort::value_variants() {
            assert_eq!(sort.to_possible_value().unwrap().get_name(), sort.as_str());
        }
        for typed in [&["-d", ""][..], &["-s", "colour"], &["-l", "0"]] {
            assert!(testing::parse::<List>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn failing_servers_and_underscores_are_filtered_here() {
        let row = |other: Value| Destination::deserialize(other).unwrap();
        let kept = |typed: &[&str], row: &Destination| {
            let verb = verb(typed);
            verb.filter(&nowhere()).map(|keeps| keeps(row))
        };
        assert_eq!(kept(&[], &row(remote(true))), None);
        assert_eq!(kept(&["-d", "remote"], &row(remote(true))), None);
        assert_eq!(kept(&["--failing"], &row(remote(true))), Some(Kept::Yes));
        assert_eq!(kept(&["--failing"], &row(remote(false))), Some(Kept::No));
        let odd = row(json!({"destination": "a_b.example"}));
        assert_eq!(kept(&["-d", "A_B"], &odd), Some(Kept::Yes));
        assert_eq!(kept(&["-d", "_b_"], &odd), Some(Kept::No));
        assert_eq!(kept(&["-d", "a_b", "--failing"], &odd), Some(Kept::No));
    }
}
