//! `stats media`: whose files take up how much.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    change::Path,
    commands::{
        Spec, Tables,
        arguments::Since,
        listing::{
            Filter, Kept, Listing, Named, Page, Pages,
            chart::{Chart, Largest},
            search::{self, Spellings},
        },
        refusals::looks,
    },
    error::Stop,
    reply::{Hostile, IdsOf, Line, Record, size, utc},
    synapse::{
        Reader,
        wire::{Bytes, known, null_unless_known},
    },
};

pub(super) const SPEC: Spec = Spec::query::<Media>(
    "media",
    &[
        "stats media",
        "stats media --since 30d --limit 10",
        "stats media -s media_count -n ann",
        "stats media --chart",
    ],
);

/// List the accounts that have uploaded files, by total size
///
/// Deleted files do not count.
#[derive(Debug, clap::Args)]
struct Media {
    #[command(flatten)]
    pages: Pages,
    /// Sort by this: sizes and counts largest first, names from A to Z
    #[arg(short, long, value_enum, default_value_t = Sort::MediaLength)]
    sort: Sort,
    /// Reverse the order
    #[arg(short, long)]
    reverse: bool,
    /// Only files uploaded since this date or within this age (3d, 2 weeks)
    #[arg(long, value_name = "DATE|AGE")]
    since: Option<Since>,
    /// Only files uploaded before this date, or older than this age
    #[arg(long, value_name = "DATE|AGE")]
    until: Option<Since>,
    /// Only accounts with this in their localpart or display name
    #[arg(short, long, value_parser = term)]
    name: Option<String>,
    /// Send a picture instead: the accounts whose files take up most, or with -s `media_count` those
    /// with most files
    #[arg(long, conflicts_with_all = ["from", "limit", "all", "reverse"])]
    chart: bool,
}

/// The homeserver takes nothing but ASCII here.
fn term(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if !text.is_ascii() {
        return Err("the homeserver can search only for plain letters here, without accents or \
            other scripts; type a part with plain letters, or leave it out"
            .to_owned());
    }
    Ok(text.to_owned())
}

/// What the homeserver can sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Sort {
    MediaLength,
    MediaCount,
    UserId,
    Displayname,
}

impl Sort {
    fn as_str(self) -> &'static str {
        match self {
            Self::MediaLength => "media_length",
            Self::MediaCount => "media_count",
            Self::UserId => "user_id",
            Self::Displayname => "displayname",
        }
    }

    fn largest_first(self) -> bool {
        matches!(self, Self::MediaLength | Self::MediaCount)
    }
}

#[derive(Debug, Deserialize)]
struct User {
    /// `None` for files that the homeserver has no such account for, such as old previews of links.
    #[serde(default, rename = "user_id", deserialize_with = "known")]
    id: Option<String>,
    #[serde(default, deserialize_with = "known")]
    displayname: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    media_count: Option<u64>,
    #[serde(default, deserialize_with = "known")]
    media_length: Option<Bytes>,
}

#[async_trait]
impl Listing for Media {
    const NAMED: Named = Named {
        key: "users",
        one: "account",
        many: "accounts",
        columns: &["user_id", "displayname", "media_count", "media_length"],
    };
    type Row = User;

    fn refusals(&self) -> Tables {
        &[looks::USAGE, looks::PAGE]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn of(&self, reader: &Reader) -> Line {
        let at =
            |since: &Option<Since>| since.as_ref().map(|since| utc(since.before(reader.now())));
        match (at(&self.since), at(&self.until)) {
            (None, None) => Line::new(),
            (Some(since), None) => format!("Uploaded since {since}: ").into(),
            (None, Some(until)) => format!("Uploaded before {until}: ").into(),
            (Some(since), Some(until)) => format!("Uploaded from {since} to {until}: ").into(),
        }
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        #[derive(Deserialize)]
        struct UsagePage {
            users: Vec<Value>,
            total: u64,
            next_token: Option<u64>,
        }
        let mut query = self.query(reader.now())?;
        query.push(("from", Pages::number(from)?.to_string()));
        query.push(("limit", limit.to_string()));
        let path = Path::admin(["v1", "statistics", "users", "media"]);
        let UsagePage { users, total, next_token } = reader.get(&path, &query).await?;
        let next = next_token.map(|next| next.to_string());
        let mut rows = users;
        for row in &mut rows {
            null_unless_known::<u64>(row, "media_count");
            null_unless_known::<Bytes>(row, "media_length");
        }
        Ok(Page { rows, total: Some(total), next })
    }

    fn filter(&self, _reader: &Reader) -> Option<Filter<'_, User>> {
        let name =
            self.name.as_ref().filter(|name| search::is_found_here(name, Spellings::Usual))?;
        let name = search::folded(name);
        Some(Box::new(move |user| {
            let id = user.id.as_deref().unwrap_or_default();
            let localpart = id.split(':').next().unwrap_or_default();
            let shown = user.displayname.as_ref().map(Hostile::raw).unwrap_or_default();
            let has = |text: &str| search::holds(text, &name);
            if has(localpart) || has(shown) { Kept::Yes } else { Kept::No }
        }))
    }

    fn chart(&self) -> Option<Chart<User>> {
        let by_count = self.sort == Sort::MediaCount;
        self.chart.then(|| {
            Chart::Largest(Largest {
                title: if by_count { "Files by account" } else { "Media by account" },
                label: named,
                value: if by_count { |user: &User| user.media_count } else { length },
                shown: if by_count { |count| count.to_string() } else { size },
                narrowed: self.name.is_some(),
                listed_in_part: false,
            })
        })
    }

    fn ids_of(&self) -> Option<IdsOf> {
        Some(IdsOf::Accounts)
    }

    fn id(&self, user: &User, _: &Reader) -> Option<String> {
        user.id.clone()
    }

    fn record(&self, user: &User, _now: Timestamp) -> Record {
        record(user)
    }
}

impl Media {
    /// What is asked of the homeserver, besides the place and the number.
    fn query(&self, now: Timestamp) -> Result<Vec<(&'static str, String)>, Stop> {
        if self.chart && !self.sort.largest_first() {
            let why = "a picture can show only how large files are, or how many";
            return Err(Stop::not_understood(why).or(&["stats", "media", "--chart"]));
        }
        let backwards = self.sort.largest_first() != self.reverse;
        let mut query = vec![
            ("order_by", self.sort.as_str().to_owned()),
            ("dir", if backwards { "b" } else { "f" }.to_owned()),
        ];
        let at = |since: &Since| since.before(now).as_millisecond().max(0);
        let (since, until) = (self.since.as_ref().map(at), self.until.as_ref().map(at));
        if until.is_some_and(|until| until <= since.unwrap_or(0)) {
            return Err(Stop::not_understood(
                Line::new().code("--until").plain(" must be later than ").code("--since"),
            ));
        }
        query.extend(since.map(|since| ("from_ts", since.to_string())));
        query.extend(until.map(|until| ("until_ts", until.to_string())));
        let asked = self.name.as_deref();
        let asked = asked.and_then(|name| search::asked_for(name, Spellings::Usual));
        query.extend(asked.map(|name| ("search_term", name)));
        Ok(query)
    }
}

/// Its id, where there is one.
fn named(user: &User) -> Line {
    match &user.id {
        Some(id) => Line::new().code(id),
        None => "the homeserver has no such account".into(),
    }
}

/// How much its files take up, bytes.
fn length(user: &User) -> Option<u64> {
    user.media_length.map(|Bytes(bytes)| bytes)
}

fn record(user: &User) -> Record {
    let mut title = named(user);
    if let Some(name) = user.displayname.as_ref().filter(|name| !name.is_empty()) {
        title = title.plain(" ").hostile(name);
    }
    let facts = vec![
        ("Size", or_not_known(length(user).map(size))),
        ("Files", or_not_known(user.media_count.map(|count| count.to_string()))),
    ];
    Record { title, facts }
}

fn or_not_known(text: Option<String>) -> Line {
    text.map_or_else(|| "not known".into(), Line::from)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use serde_json::json;

    use super::*;
    use crate::{
        commands::user::testing::{self, now, nowhere},
        reply::{Block, Reply},
    };

    fn verb(typed: &[&str]) -> Media {
        testing::parse(typed).unwrap()
    }

    fn asked(typed: &[&str]) -> String {
        let query = verb(typed).query(now()).unwrap();
        query.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_takes_up_most_comes_first() {
        assert_eq!(asked(&[]), "order_by=media_length dir=b");
        assert_eq!(asked(&["-r"]), "order_by=media_length dir=f");
        assert_eq!(asked(&["-s", "user_id"]), "order_by=user_id dir=f");
        assert_eq!(
            asked(&["-n", "ann", "--since", "2026-11-01", "--until", "2026-11-02"]),
            "order_by=media_length dir=b from_ts=1793491200000 until_ts=1793577600000 \
             search_term=ann"
        );
        for sort in Sort::value_variants() {
            assert_eq!(sort.to_possible_value().unwrap().get_name(), sort.as_str());
        }
    }

    #[test]
    fn what_the_homeserver_would_not_understand_is_refused_with_a_reason() {
        for typed in [&["-n", ""][..], &["-n", "Zoë"], &["-s", "colour"], &["--since", "03/04"]] {
            assert!(testing::parse::<Media>(typed).is_err(), "{typed:?}");
        }
        for typed in [&["--since", "1d", "--until", "2d"][..], &["--chart", "-s", "user_id"]] {
            assert!(verb(typed).query(now()).is_err(), "{typed:?}");
        }
        assert_eq!(asked(&["--chart"]), "order_by=media_length dir=b");
    }

    #[test]
    fn wildcards_of_the_database_are_ordinary_characters() {
        let user = |id: &str| -> User {
            serde_json::from_value(json!({"user_id": id, "displayname": null, "media_count": 1,
                                          "media_length": 1}))
            .unwrap()
        };
        let verb = verb(&["-n", "n_l"]);
        let keeps = verb.filter(&nowhere()).unwrap();
        assert_eq!(keeps(&user("@ann_lee:example.org")), Kept::Yes);
        assert_eq!(keeps(&user("@annxlee:n_l.example")), Kept::No);
        assert!(self::verb(&["-n", "ann"]).filter(&nowhere()).is_none());
    }

    #[test]
    fn an_account_shows_size_and_number() {
        let user = json!({"user_id": "@ann:example.org", "displayname": "Ann Lee",
                          "media_count": 3, "media_length": 1536});
        let records = vec![record(&User::deserialize(user).unwrap())];
        let text = testing::reply(&Reply::data("").with(Block::Records(records)));
        assert_eq!(text, "\n* `@ann:example.org` “Ann Lee”\n  Size: 1.5 KiB · Files: 3\n");
        let nobodys = json!({"user_id": null, "displayname": 7, "media_count": -1,
                             "media_length": "x"});
        let records = vec![record(&User::deserialize(nobodys).unwrap())];
        let text = testing::reply(&Reply::data("").with(Block::Records(records)));
        assert_eq!(
            text,
            "\n* the homeserver has no such account\n  Size: not known · Files: not \
                          known\n"
        );
        let line = testing::line(&verb(&["--since", "2026-11-01"]).of(&nowhere()));
        assert_eq!(line, "Uploaded since 2026-11-01 00:00 UTC: ");
    }
}
