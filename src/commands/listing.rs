//! Listings: what pages, filters and sorts.
//!
//! A verb says how one page of the homeserver's is asked for and what one row looks like; the rest
//! is the same for all: `--from`, `--limit`, `--all`, filters of our own that ask on until a page is
//! full, cards for people, rows for programs, a file where it is long.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use self::{
    chart::Chart,
    collect::{Collected, cut_off, find_in_any_spelling, noted, write_all},
    rows::Rows,
};
use super::{Memory, Query, Tables};
use crate::{
    change::Power,
    error::Stop,
    reply::{Block, Format, IdsOf, Line, Record, Reply, Sheet},
    synapse::Reader,
};

/// Which part of a listing is wanted.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Pages {
    /// Start here: how many to skip, or the value in the next-page command
    #[arg(short, long, value_name = "PLACE", overrides_with = "from")]
    pub from: Option<String>,
    /// Show at most this many; 20 unless you say otherwise
    #[arg(short, long, value_name = "NUMBER",
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub limit: Option<u64>,
    /// Get all pages; a long list comes as a CSV file, or in the format that -o names
    #[arg(long, conflicts_with_all = ["from", "limit"])]
    pub all: bool,
}

/// How many are shown where nothing else was typed: as many as fit on a few screens of a phone.
const SHOWN: u64 = 20;

/// How many are shown of all, where all are wanted: more of them come as a file.
const SHOWN_OF_ALL: u64 = 100;

/// How many are asked for at once where all are wanted, or some are not kept: large pages cost the
/// homeserver less than many.
const LARGE: u64 = 1000;

impl Pages {
    /// How many are to be shown.
    pub fn limit(&self) -> u64 {
        self.limit.unwrap_or(SHOWN)
    }

    /// The place as a number; a refusal where it is none.
    pub fn number(from: Option<&str>) -> Result<u64, Stop> {
        let Some(from) = from else { return Ok(0) };
        from.parse().map_err(|_| {
            Stop::not_understood(
                Line::new()
                    .code("--from")
                    .plain(" takes a number to skip, such as 100, not ")
                    .code(from),
            )
        })
    }
}

/// One page of the homeserver's.
#[derive(Debug, Default)]
pub struct Page {
    /// Its rows as the homeserver sent them, without what is private.
    pub rows: Vec<Value>,
    /// How many there are on all pages, where it says so.
    pub total: Option<u64>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}

impl Page {
    /// A page that is everything there is.
    pub fn whole(rows: Vec<Value>) -> Self {
        Self { total: Some(rows.len() as u64), rows, next: None }
    }

    /// The part of everything there is that begins at `from` and has at most `limit` rows.
    pub fn part(rows: Vec<Value>, from: u64, limit: u64) -> Self {
        let total = rows.len() as u64;
        let skip = usize::try_from(from).unwrap_or(usize::MAX);
        let take = usize::try_from(limit).unwrap_or(usize::MAX);
        let next = from.saturating_add(limit);
        let rows = rows.into_iter().skip(skip).take(take).collect();
        Self { rows, total: Some(total), next: (next < total).then(|| next.to_string()) }
    }
}

/// Whether a row belongs in the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Nobody can tell, so that it is only counted.
    Apart(&'static Apart),
    /// Neither it nor any after it.
    End,
}

/// Why it cannot be told of some rows whether they belong in the listing, as it is said after
/// `1 more` and after `3 more`.
#[derive(Debug, PartialEq, Eq)]
pub struct Apart {
    /// Of one.
    pub one: &'static str,
    /// Of several.
    pub many: &'static str,
}

/// What a listing is called.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// The key of its rows in JSON and YAML, as the homeserver names it, and the name of its file.
    pub key: &'static str,
    /// What one row is.
    pub one: &'static str,
    /// What several are.
    pub many: &'static str,
    /// The columns of CSV.
    pub columns: &'static [&'static str],
}

/// A verb that lists.
#[async_trait]
pub trait Listing: Debug + Send + Sync + 'static {
    /// What it is called.
    const NAMED: Named;

    /// One row, as far as it is read here.
    type Row: DeserializeOwned + Send;

    /// What right it takes, given its arguments.
    fn power(&self) -> Power {
        Power::Look
    }

    /// What it means where the homeserver refuses the look.
    fn refusals(&self) -> Tables;

    /// Which part is wanted.
    fn pages(&self) -> &Pages;

    /// What the listing is of, before the count: `@ann:example.org`. Nothing for the whole server.
    fn of(&self, _reader: &Reader) -> Line {
        Line::new()
    }

    /// Asks for one page.
    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop>;

    /// A filter that the homeserver does not have: what it keeps; `None` where there is none.
    fn filter(&self, _reader: &Reader) -> Option<Filter<'_, Self::Row>> {
        None
    }

    /// Whether a row was looked up by itself before the filter: so many are not looked through as of what
    /// the homeserver lists.
    fn is_looked_up(&self, _row: &Self::Row) -> bool {
        false
    }

    /// The same listing of what is [spelt otherwise](search::Spellings::All) than its term too, where a
    /// search may have missed that.
    fn in_all_spellings(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// Looks up what the homeserver's listing does not say, for what is shown in words.
    async fn complete(&self, rows: Vec<Value>, _reader: &Reader) -> Vec<Value> {
        rows
    }

    /// The same for what is told to programs, where the listing is wrong without it. Not where all
    /// pages are followed: it would take as many requests as there are rows.
    async fn corrected(&self, rows: Vec<Value>, _reader: &Reader) -> Vec<Value> {
        rows
    }

    /// Puts a row into the shape in which programs get it: what cannot be true is `null`.
    fn amend(&self, _row: &mut Value) {}

    /// What is to be known of the listing as a whole, before it is believed.
    async fn remark(&self, _rows: &[Value], _reader: &Reader) -> Option<&'static str> {
        None
    }

    /// A row for people.
    fn record(&self, row: &Self::Row, now: Timestamp) -> Record;

    /// What the ids of its rows are the ids of, where a reply to the listing can be about all of it.
    fn ids_of(&self) -> Option<IdsOf> {
        None
    }

    /// The id of a row as a command takes it, where it has [such ids](Self::ids_of).
    fn id(&self, _row: &Self::Row, _reader: &Reader) -> Option<String> {
        None
    }

    /// The account that a row accuses of something, where it does: a command about accounts that replies to
    /// the listing is about these.
    fn accused(&self, _row: &Self::Row) -> Option<String> {
        None
    }

    /// How it is drawn as a picture, where that was asked for.
    fn chart(&self) -> Option<Chart<Self::Row>> {
        None
    }

    /// What else is to be known of the rows that are shown.
    fn notes(&self, _rows: &[Self::Row]) -> Vec<Line> {
        Vec::new()
    }
}

/// What a filter keeps.
pub type Filter<'a, R> = Box<dyn Fn(&R) -> Kept + Send + Sync + 'a>;

#[async_trait]
impl<L: Listing> Query for L {
    fn power(&self) -> Power {
        Listing::power(self)
    }

    fn refusals(&self) -> Option<Tables> {
        Some(Listing::refusals(self))
    }

    async fn answer(&self, reader: &Reader, _memory: &dyn Memory) -> Result<Reply, Stop> {
        answer(self, reader).await
    }

    async fn data(&self, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
        data(self, reader, sheet).await
    }
}

/// The listing for people.
async fn answer(listing: &dyn Rows, reader: &Reader) -> Result<Reply, Stop> {
    let named = listing.named();
    if let Some(chart) = listing.chart() {
        return chart::answer(listing, chart, &reader.afresh()).await;
    }
    if !listing.pages().all {
        let found = find_in_any_spelling(listing, reader).await?;
        let title = listing.of(reader).plain(title(&found, named));
        let more: Vec<String> = found.notes().collect();
        // What is not kept of those that the homeserver counts is counted by nobody.
        let total = found.total.filter(|_| !found.filtered);
        let reply = shown(listing, title, found.rows, reader).await.with_next(found.next);
        let reply = Reply { total, ..reply };
        return Ok(more.into_iter().fold(reply, Reply::note));
    }
    let mut sheet = Sheet::new(Format::Csv);
    // One more than is shown tells whether that is all.
    let shown_most = usize::try_from(SHOWN_OF_ALL).unwrap_or(usize::MAX);
    let found = write_all(listing, &reader.afresh(), &mut sheet, shown_most + 1).await?;
    let more: Vec<String> = cut_off(&found).into_iter().chain(found.notes()).collect();
    let (first, so_far) = (found.rows, if found.next.is_some() { " so far" } else { "" });
    let count = super::user::account::how_many(Some(sheet.rows()), named.one, named.many);
    let title = listing.of(reader).plain(count).plain(so_far);
    if first.len() <= shown_most {
        let reply = shown(listing, title, first, reader).await;
        return Ok(more.into_iter().fold(reply, Reply::note));
    }
    let file = sheet.file()?;
    let which = if found.next.is_some() { ", in " } else { ", all of them in " };
    let line = title.plain(which).code(&file.name).plain(format!(" ({})", file.size()));
    Ok(more.into_iter().fold(Reply::data(line).attaching(file), Reply::note))
}

/// The listing for programs.
async fn data(listing: &dyn Rows, reader: &Reader, sheet: &mut Sheet) -> Result<(), Stop> {
    if listing.chart().is_some() {
        return Err(chart::no_data());
    }
    if listing.pages().all {
        return write_all(listing, &reader.afresh(), sheet, 0).await.map(drop);
    }
    let found = find_in_any_spelling(listing, reader).await?;
    let mut rest = Map::new();
    let remark = listing.remark(&found.rows, reader).await;
    rest.extend(noted(sheet, remark, found.notes()));
    let named = listing.named();
    sheet.begin(named.key, named.columns)?;
    for mut row in listing.corrected(found.rows, reader).await {
        listing.amend(&mut row);
        sheet.row(&row)?;
    }
    rest.extend(found.total.map(|total| ("total".to_owned(), json!(total))));
    rest.extend(found.next.map(|next| ("next_token".to_owned(), json!(next))));
    Ok(sheet.end(&rest)?)
}

async fn shown(listing: &dyn Rows, title: Line, rows: Vec<Value>, reader: &Reader) -> Reply {
    let remark = listing.remark(&rows, reader).await;
    let rows = listing.complete(rows, reader).await;
    let shown = listing.shown(&rows, reader);
    let mut reply = Reply::data(title);
    if !rows.is_empty() {
        reply = reply.with(Block::Records(shown.records));
        (reply.ids_of, reply.ids) = (shown.ids_of, shown.ids);
        reply.accused = shown.accused;
    }
    let unread: Vec<&Value> = shown.unread.iter().filter_map(|place| rows.get(*place)).collect();
    if !unread.is_empty() {
        reply = reply.note(not_read(&unread, listing.named().columns));
    }
    reply = remark.into_iter().fold(reply, Reply::note);
    shown.notes.into_iter().fold(reply, Reply::note)
}

/// How many rows that cannot be read are named.
const NAMED_AT_MOST: usize = 10;

/// Which rows cannot be read: by their ids, which stand in the first column.
fn not_read(rows: &[&Value], columns: &[&str]) -> Line {
    let id = |row: &&Value| row[*columns.first()?].as_str().map(str::to_owned);
    let ids: Vec<String> = rows.iter().filter_map(id).take(NAMED_AT_MOST).collect();
    let mut line = Line::from(format!("{} more I cannot read", rows.len()));
    for (n, id) in ids.iter().enumerate() {
        line = line.plain(if n == 0 { ": " } else { ", " }).code(id);
    }
    line.plain("; -o json shows them as they are.")
}

fn title(found: &Collected, named: Named) -> String {
    let how_many = |count| super::user::account::how_many(Some(count), named.one, named.many);
    let shown = found.rows.len() as u64;
    let (Some(total), Some(from)) = (found.total, found.from) else {
        let count = how_many(shown);
        return if found.next.is_some() { format!("{count}, and there are more") } else { count };
    };
    let (first, last) = (from + 1, from + found.looked);
    if found.filtered {
        let more = if found.next.is_some() { " so far" } else { "" };
        let count = how_many(shown);
        return match (from, found.looked == total) {
            (0, true) if total == 0 => count,
            (0, true) => format!("{count} found; looked through all {total}"),
            (0, false) => format!("{count} found{more}; looked through {last} of {total}"),
            _ => format!("{count} found{more}; looked through {first} to {last} of {total}"),
        };
    }
    let all = how_many(total);
    match (shown, from) {
        (0, 0) => all,
        (0, _) => format!("{all}, none from {first} on"),
        _ if shown == total => format!("{all}, all shown"),
        _ => format!("{all}, {first} to {last} shown"),
    }
}

pub mod chart;
mod collect;
mod rows;
pub mod search;
#[cfg(test)]
mod tests;
