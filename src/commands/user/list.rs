//! `user list`: the accounts of this server.

use async_trait::async_trait;
use jiff::Timestamp;

use serde_json::Value;

use super::{
    activity,
    page::{self, Besides, Row, Sort},
};
use crate::{
    commands::{
        Later, Spec, Tables,
        arguments::Since,
        listing::{
            Filter, Kept, Listing, Named, Page, Pages,
            chart::{Chart, Days},
            search::{self, Spellings},
        },
        refusals::looks,
    },
    error::Stop,
    reply::{IdsOf, Line, Record},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::query::<List>(
    "list",
    &[
        "user list",
        "user list -n \"Ann Lee\" -d",
        "user list --since 3d",
        "user list --only-deactivated",
        "user list --chart",
        "user list --seen-since 2026-11-01 --no-guests --limit 20",
        "user list --idle 365d --no-mail",
    ],
)
.later(&[
    Later::new("exclude_user_type", 1, 88),
    Later::new("admins", 1, 91),
    Later::new("non_admins", 1, 91),
    Later::new("only_deactivated", 1, 103),
]);

/// List accounts, by name
///
/// Deactivated accounts are left out unless -d is given; locked and suspended ones are listed and
/// marked, guests are listed unless -G is given. --idle and --no-mail leave out bridged accounts: a bridge
/// makes them without sessions and emails. I look up accounts one by one for these two, so a large server
/// takes several pages. To act on all that a list shows, reply to it, for example with `user deactivate`;
/// protected accounts are listed, and what my config says of them holds when you act.
#[derive(Debug, Clone, Default, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is typed or not")]
pub(super) struct List {
    #[command(flatten)]
    pages: Pages,
    /// List guests too; the homeserver does so unless -G is given
    #[arg(short, long, conflicts_with = "no_guests")]
    guests: bool,
    /// Leave guests out
    #[arg(short = 'G', long)]
    no_guests: bool,
    /// List deactivated accounts too
    #[arg(short, long)]
    deactivated: bool,
    /// List only deactivated accounts
    #[arg(short = 'D', long, conflicts_with = "deactivated")]
    only_deactivated: bool,
    /// List only server admins
    #[arg(short, long, conflicts_with = "non_admins")]
    admins: bool,
    /// Leave server admins out
    #[arg(short = 'A', long)]
    non_admins: bool,
    /// Sort by this; everything but name and `creation_ts` costs a large server some work
    #[arg(long, value_enum)]
    sort_by: Option<Sort>,
    /// Reverse the order
    #[arg(long)]
    reverse: bool,
    /// Leave out this type, such as bot; "" stands for accounts without a type. Can be repeated
    #[arg(long, value_name = "TYPE")]
    exclude_user_type: Vec<String>,
    /// Has no effect: locked accounts are always listed
    #[arg(short = 'L', long)]
    locked: bool,
    /// Only accounts with this in their localpart or display name
    #[arg(short, long, conflicts_with = "user_id", value_parser = not_empty)]
    name: Option<String>,
    /// Only accounts with this in their id
    #[arg(short = 'i', long, value_parser = not_empty)]
    user_id: Option<String>,
    /// Only accounts created since this date or within this age (3d, 2 weeks); newest first unless
    /// you sort otherwise
    #[arg(long, value_name = "DATE|AGE")]
    since: Option<Since>,
    /// Only accounts active since this date or within this age; last seen first unless you sort
    /// otherwise
    #[arg(long, value_name = "DATE|AGE")]
    seen_since: Option<Since>,
    /// Only accounts that were created and last seen before this date, or longer ago than this (365d,
    /// 1y). If nothing is known of when an account was last seen, it is only counted. Longest ago first
    /// unless you sort otherwise
    #[arg(long, value_name = "AGE|DATE", conflicts_with = "seen_since")]
    idle: Option<Since>,
    /// Only accounts without an email address
    #[arg(long)]
    no_mail: bool,
    /// Send a picture instead: how many were created on each of the last 30 days, deactivated ones
    /// included
    #[arg(long, conflicts_with_all = [
        "from", "limit", "all", "sort_by", "reverse", "since", "seen_since",
        "idle", "no_mail",
    ])]
    chart: bool,
    // Whether it is `user search`, which is nothing without a name.
    #[arg(skip)]
    searches: bool,
    // In which spellings name or id are searched for.
    #[arg(skip)]
    spellings: Spellings,
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
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
        let server = reader.server_name().as_str();
        if self.searches && self.name.as_deref().is_none_or(|name| bare(name, server).is_empty()) {
            return Err(Stop::not_understood("the search text is empty").or(&["user", "list"]));
        }
        let query = self.query(server);
        // With true the older version lists all, and the newer one only those.
        let version = if self.only_deactivated { "v3" } else { "v2" };
        let page = page::fetch(reader, version, &query, from, limit).await?;
        let wanted = self.wanted_here(server, reader.now());
        let Some(activity) = &wanted.activity else { return Ok(page) };
        let fits = |row: &Row| wanted.by_the_list(row) == Kept::Yes;
        activity.looked_up(page, from, fits, reader).await
    }

    fn is_looked_up(&self, row: &Row) -> bool {
        row.looked_up.is_some()
    }

    fn filter(&self, reader: &Reader) -> Option<Filter<'_, Row>> {
        let wanted = self.wanted_here(reader.server_name().as_str(), reader.now());
        wanted.filters().then(|| Box::new(move |row: &Row| wanted.keeps(row)) as Filter<'_, Row>)
    }

    fn in_all_spellings(&self) -> Option<Self> {
        // An id is in ASCII, or as old servers made it.
        let more = self.name.as_deref().is_some_and(search::is_spelt_otherwise);
        more.then(|| Self { spellings: Spellings::All, ..self.clone() })
    }

    async fn complete(&self, rows: Vec<Value>, reader: &Reader) -> Vec<Value> {
        page::looked_up(rows, Besides::SeenAndSuspended, reader).await
    }

    async fn corrected(&self, rows: Vec<Value>, reader: &Reader) -> Vec<Value> {
        page::looked_up(rows, Besides::Seen, reader).await
    }

    fn amend(&self, row: &mut Value) {
        page::amend(row);
    }

    fn record(&self, row: &Row, now: Timestamp) -> Record {
        page::record(row, now)
    }

    fn chart(&self) -> Option<Chart<Row>> {
        self.chart.then(|| {
            Chart::Days(Days {
                title: "Accounts created per day",
                at: |row: &Row| row.created().map(|created| created.at),
                narrowed: self.narrows(),
            })
        })
    }

    fn ids_of(&self) -> Option<IdsOf> {
        Some(IdsOf::Accounts)
    }

    fn id(&self, row: &Row, _: &Reader) -> Option<String> {
        Some(row.name.clone())
    }

    fn notes(&self, rows: &[Row]) -> Vec<Line> {
        let forgets = self.idle.is_some().then(|| {
            "When an account was last seen is what the homeserver still knows: of a session that was \
             logged out it forgets this after about a month."
                .into()
        });
        let notes = page::notes(rows, !self.deactivated && !self.only_deactivated);
        notes.into_iter().chain(forgets).collect()
    }
}

impl List {
    /// What the accounts are sorted by, and whether backwards. A filter by time that I do myself
    /// goes with the order in which its accounts come first.
    fn order(&self) -> (Sort, bool) {
        let by_creation = self.chart || self.since.is_some();
        match (self.sort_by, &self.seen_since) {
            (Some(sort), _) => (sort, self.reverse),
            (None, _) if by_creation => (Sort::CreationTs, !self.reverse),
            (None, Some(_)) => (Sort::LastSeenTs, !self.reverse),
            (None, None) if self.idle.is_some() => (Sort::LastSeenTs, self.reverse),
            (None, None) => (Sort::Name, self.reverse),
        }
    }

    /// Whether only some of the accounts that there are fit what was typed.
    fn narrows(&self) -> bool {
        let by_kind = self.no_guests || self.only_deactivated || self.admins || self.non_admins;
        let by_text = self.name.is_some() || self.user_id.is_some();
        by_kind || by_text || !self.exclude_user_type.is_empty()
    }

    /// What is asked of the homeserver, besides the place and the number.
    fn query(&self, server: &str) -> Vec<(&'static str, String)> {
        let (sort, backwards) = self.order();
        // A raid that was dealt with was one all the same.
        let deactivated = self.deactivated || self.only_deactivated || self.chart;
        let mut query = vec![
            ("order_by", sort.as_str().to_owned()),
            ("dir", if backwards { "b" } else { "f" }.to_owned()),
            ("deactivated", deactivated.to_string()),
            // Hidden by default, and an operator looks for just these.
            ("locked", "true".to_owned()),
        ];
        for (key, yes, no) in
            [("guests", self.guests, self.no_guests), ("admins", self.admins, self.non_admins)]
        {
            if yes || no {
                query.push((key, yes.to_string()));
            }
        }
        query.extend(self.exclude_user_type.iter().map(|kind| ("not_user_type", kind.clone())));
        let name = self.name.as_deref().map(|name| bare(name, server));
        for (key, term) in [("name", name), ("user_id", self.user_id.as_deref())] {
            let asked = term.and_then(|term| search::asked_for(term, self.spellings));
            query.extend(asked.map(|part| (key, part)));
        }
        query
    }

    fn wanted_here(&self, server: &str, now: Timestamp) -> Wanted {
        let (sort, backwards) = self.order();
        let exactly =
            |text: &str| search::is_found_here(text, self.spellings).then(|| search::folded(text));
        let idle_since = self.idle.as_ref().map(|since| since.before(now));
        let activity = activity::Wanted { idle_since, no_mail: self.no_mail, now };
        Wanted {
            activity: Some(activity).filter(|_| idle_since.is_some() || self.no_mail),
            created: self.since.as_ref().map(|since| since.before(now)),
            seen: self.seen_since.as_ref().map(|since| since.before(now)),
            newest_first: backwards.then_some(sort),
            name: self.name.as_deref().and_then(|name| exactly(bare(name, server))),
            id: self.user_id.as_deref().and_then(exactly),
        }
    }

    /// What `user search TERM` lists.
    pub(super) fn search(term: &str, pages: Pages) -> Self {
        let name = Some(term.trim().to_owned());
        Self { pages, name, deactivated: true, searches: true, ..Self::default() }
    }
}

/// The part of a name that the homeserver searches for: it adds the `@` itself and stops at the
/// colon, so a whole id would find nothing.
fn bare<'a>(name: &'a str, server: &str) -> &'a str {
    let own = name.strip_suffix(server).and_then(|name| name.strip_suffix(':'));
    match name.strip_prefix('@') {
        Some(id) => id.split_once(':').map_or(id, |(localpart, _)| localpart),
        None => own.unwrap_or(name),
    }
}

/// What I filter myself, since the homeserver cannot, or takes `%` and `_` for wildcards.
#[derive(Debug)]
struct Wanted {
    activity: Option<activity::Wanted>,
    created: Option<Timestamp>,
    seen: Option<Timestamp>,
    newest_first: Option<Sort>,
    name: Option<String>,
    id: Option<String>,
}

impl Wanted {
    fn filters(&self) -> bool {
        let by_time = self.created.is_some() || self.seen.is_some() || self.activity.is_some();
        by_time || self.name.is_some() || self.id.is_some()
    }

    fn keeps(&self, row: &Row) -> Kept {
        match (self.by_the_list(row), &self.activity) {
            (Kept::Yes, Some(activity)) => activity.keeps(row),
            (kept, _) => kept,
        }
    }

    /// Whether a row fits as far as the homeserver's list says.
    fn by_the_list(&self, row: &Row) -> Kept {
        for (sort, since, at) in [
            (Sort::CreationTs, self.created, row.created()),
            (Sort::LastSeenTs, self.seen, row.last_seen()),
        ] {
            match (since, at) {
                (Some(_), None) => return Kept::No,
                // Whatever comes after the first that is too old is older still.
                (Some(since), Some(dated)) if dated.at < since => {
                    let last = self.newest_first == Some(sort) && dated.in_order;
                    return if last { Kept::End } else { Kept::No };
                }
                _ => {}
            }
        }
        let has = search::holds;
        let name = self.name.as_deref().is_none_or(|term| {
            has(row.localpart(), term)
                || row.displayname.as_ref().is_some_and(|name| has(name.raw(), term))
        });
        let id = self.id.as_deref().is_none_or(|term| has(&row.name, term));
        if name && id { Kept::Yes } else { Kept::No }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing, *};
    use crate::commands::user::testing::now;

    fn verb(typed: &[&str]) -> List {
        testing::parse(typed).unwrap()
    }

    fn asked(typed: &[&str]) -> String {
        let query = verb(typed).query("example.org");
        query.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn options_mean_to_the_homeserver_what_they_say() {
        insta::assert_snapshot!(asked(&[]), @"order_by=name dir=f deactivated=false locked=true");
        insta::assert_snapshot!(asked(&["-d", "-g", "-a", "--sort-by", "displayname", "--reverse"]), @"order_by=displayname dir=b deactivated=true locked=true guests=true admins=true");
        insta::assert_snapshot!(asked(&["--chart"]), @"order_by=creation_ts dir=b deactivated=true locked=true");
        insta::assert_snapshot!(asked(&["-D"]), @"order_by=name dir=f deactivated=true locked=true");
        insta::assert_snapshot!(asked(&["-G", "-A", "-L", "--exclude-user-type", "bot", "--exclude-user-type", ""]), @"order_by=name dir=f deactivated=false locked=true guests=false admins=false not_user_type=bot not_user_type=");
        insta::assert_snapshot!(asked(&["-n", "@Carol:example.org", "--since", "3d"]), @"order_by=creation_ts dir=b deactivated=false locked=true name=Carol");
        insta::assert_snapshot!(asked(&["--idle", "365d", "--no-mail", "-G"]), @"order_by=last_seen_ts dir=f deactivated=false locked=true guests=false");
        insta::assert_snapshot!(asked(&["-i", "carol", "--seen-since", "2026-11-01", "--reverse"]), @"order_by=last_seen_ts dir=f deactivated=false locked=true user_id=carol");
        for typed in [
            &["-g", "-G"][..],
            &["-a", "-A"],
            &["-n", "x", "-i", "y"],
            &["-n", ""],
            &["-l", "0"],
            &["--sort-by", "colour"],
            &["--since", "03/04"],
            &["--since", "3m"],
            &["--chart", "--limit", "5"],
            &["--chart", "--since", "3d"],
            &["--chart", "--idle", "1y"],
            &["--chart", "--no-mail"],
            &["--idle", "1y", "--seen-since", "3d"],
        ] {
            assert!(testing::parse::<List>(typed).is_err(), "{typed:?}");
        }
    }

    fn row(other: Value) -> Row {
        let mut row = json!({
            "name": "@ann_lee:example.org", "displayname": "Ann Lee", "is_guest": 0, "admin": 0,
            "deactivated": 0, "shadow_banned": 0, "creation_ts": 1_795_000_000_000_i64,
            "last_seen_ts": 1_795_000_000_000_i64, "erased": false, "locked": false,
            "user_type": null,
        });
        if let (Some(row), Value::Object(other)) = (row.as_object_mut(), other) {
            row.extend(other);
        }
        serde_json::from_value(row).unwrap()
    }

    #[test]
    fn times_are_filtered_here_and_an_order_by_them_ends_the_search() {
        let old = || row(json!({"creation_ts": 1_600_000_000_000_i64}));
        let kept =
            |typed: &[&str], row: &Row| verb(typed).wanted_here("example.org", now()).keeps(row);
        assert_eq!(kept(&["--since", "3d"], &row(json!({}))), Kept::Yes);
        assert_eq!(kept(&["--since", "3d"], &old()), Kept::End);
        assert_eq!(kept(&["--since", "3d", "--reverse"], &old()), Kept::No);
        assert_eq!(kept(&["--since", "3d", "--sort-by", "name"], &old()), Kept::No);
        assert_eq!(kept(&["--since", "1d"], &row(json!({}))), Kept::End);
        // Written in another unit it sorts before all others, and says nothing of those.
        let mixed_up = row(json!({"creation_ts": 1_600_000_000_000_000_i64}));
        assert_eq!(kept(&["--since", "3d"], &mixed_up), Kept::No);
        let not_known = row(json!({"creation_ts": 4.6e21}));
        assert_eq!(kept(&["--since", "3d"], &not_known), Kept::No);
        assert_eq!(kept(&["-n", "ann_lee"], &not_known), Kept::Yes);
        // Some databases sort what was never seen first, so it does not end the search.
        let never = row(json!({"last_seen_ts": null}));
        assert_eq!(kept(&["--seen-since", "3d"], &never), Kept::No);
        assert_eq!(kept(&["--since", "3d", "--seen-since", "1d"], &row(json!({}))), Kept::No);
    }

    #[test]
    fn wildcards_of_the_database_are_ordinary_characters() {
        let kept = |typed: &[&str], name: &str| {
            let row = row(json!({"name": name, "displayname": "100% Ann"}));
            verb(typed).wanted_here("example.org", now()).keeps(&row)
        };
        assert_eq!(kept(&["-i", "N_L"], "@ann_lee:example.org"), Kept::Yes);
        assert_eq!(kept(&["-i", "n_l"], "@annxlee:example.org"), Kept::No);
        assert_eq!(kept(&["-n", "ann_l"], "@annxlee:example.org"), Kept::No);
        assert_eq!(kept(&["-n", "@ann_l:example.org"], "@ann_lee:example.org"), Kept::Yes);
        assert_eq!(kept(&["-n", "0% a"], "@x:example.org"), Kept::Yes);
        assert_eq!(kept(&["-n", "1%A"], "@x:example.org"), Kept::No);
        assert!(!verb(&["-n", "ann"]).wanted_here("example.org", now()).filters());
    }

    #[test]
    fn names_in_other_alphabets_are_found_in_every_spelling() {
        for (term, name) in [("özlem", "Özlem Öz"), ("ÖZLEM", "özlem"), ("жкх", "ЖКХ Дом 5")]
        {
            let verb = verb(&["-n", term]);
            let row = row(json!({ "displayname": name }));
            assert_eq!(verb.wanted_here("example.org", now()).keeps(&row), Kept::Yes, "{term}");
        }
        assert!(asked(&["-n", "özlem"]).ends_with(" name=zlem"));
        assert!(!asked(&["-n", "жкх"]).contains(" name="));
    }

    #[test]
    fn a_whole_id_is_cut_to_what_can_be_found() {
        for (name, found) in [
            ("@carol:example.org", "carol"),
            ("@carol", "carol"),
            ("carol:example.org", "carol"),
            ("carol", "carol"),
            ("Note: Carol", "Note: Carol"),
        ] {
            assert_eq!(bare(name, "example.org"), found);
        }
    }
}
