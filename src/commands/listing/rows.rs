//! A listing with its rows as JSON. What is the same for all listings is written against this, so that it
//! is compiled once: as often as there are listings, it was a fiftieth of the program.

use async_trait::async_trait;
use serde::Deserialize as _;
use serde_json::Value;

use super::{
    Kept, Listing, Named, Page, Pages,
    chart::{Chart, Drawn},
};
use crate::{
    error::Stop,
    reply::{IdsOf, Line, Record},
    synapse::Reader,
};

/// What a filter says of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub(super) kept: Kept,
    /// Whether it was [looked up by itself](Listing::is_looked_up).
    pub(super) looked_up: bool,
}

/// A filter over rows as the homeserver sent them.
pub(super) type Judge<'a> = Box<dyn Fn(&Value) -> Judged + Send + Sync + 'a>;

/// What is shown of the rows that can be read.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) records: Vec<Record>,
    /// What they are the ids of.
    pub(super) ids_of: Option<IdsOf>,
    pub(super) ids: Vec<String>,
    /// Whom they accuse, each once.
    pub(super) accused: Vec<String>,
    pub(super) notes: Vec<Line>,
    /// The places of those that cannot be read.
    pub(super) unread: Vec<usize>,
}

/// What a [`Listing`] is to everything but its verb.
#[async_trait]
pub(super) trait Rows: Send + Sync {
    fn named(&self) -> Named;

    fn pages(&self) -> &Pages;

    fn of(&self, reader: &Reader) -> Line;

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop>;

    /// `None` where every row is kept.
    fn judge<'a>(&'a self, reader: &Reader) -> Option<Judge<'a>>;

    fn in_all_spellings(&self) -> Option<Box<dyn Rows>>;

    async fn complete(&self, rows: Vec<Value>, reader: &Reader) -> Vec<Value>;

    async fn corrected(&self, rows: Vec<Value>, reader: &Reader) -> Vec<Value>;

    fn amend(&self, row: &mut Value);

    async fn remark(&self, rows: &[Value], reader: &Reader) -> Option<&'static str>;

    fn chart(&self) -> Option<Drawn>;

    fn shown(&self, rows: &[Value], reader: &Reader) -> Shown;
}

/// A row as its verb reads it.
pub(super) fn read<L: Listing>(row: &Value) -> Option<L::Row> {
    L::Row::deserialize(row).inspect_err(|error| unread(L::NAMED.one, error)).ok()
}

fn unread(kind: &str, error: &serde_json::Error) {
    tracing::warn!(kind, error = error as &dyn std::error::Error, "a row cannot be read");
}

#[async_trait]
impl<L: Listing> Rows for L {
    fn named(&self) -> Named {
        L::NAMED
    }

    fn pages(&self) -> &Pages {
        Listing::pages(self)
    }

    fn of(&self, reader: &Reader) -> Line {
        Listing::of(self, reader)
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        Listing::page(self, reader, from, limit).await
    }

    fn judge<'a>(&'a self, reader: &Reader) -> Option<Judge<'a>> {
        let keeps = self.filter(reader)?;
        // Of a row that cannot be read it is not known whether it fits, so it does not.
        let unread = Judged { kept: Kept::No, looked_up: false };
        Some(Box::new(move |row| match read::<L>(row) {
            Some(row) => Judged { kept: keeps(&row), looked_up: self.is_looked_up(&row) },
            None => unread,
        }))
    }

    fn in_all_spellings(&self) -> Option<Box<dyn Rows>> {
        Listing::in_all_spellings(self).map(|listing| Box::new(listing) as Box<dyn Rows>)
    }

    async fn complete(&self, rows: Vec<Value>, reader: &Reader) -> Vec<Value> {
        Listing::complete(self, rows, reader).await
    }

    async fn corrected(&self, rows: Vec<Value>, reader: &Reader) -> Vec<Value> {
        Listing::corrected(self, rows, reader).await
    }

    fn amend(&self, row: &mut Value) {
        Listing::amend(self, row);
    }

    async fn remark(&self, rows: &[Value], reader: &Reader) -> Option<&'static str> {
        Listing::remark(self, rows, reader).await
    }

    fn chart(&self) -> Option<Drawn> {
        Listing::chart(self).map(Chart::drawn::<L>)
    }

    fn shown(&self, rows: &[Value], reader: &Reader) -> Shown {
        let mut shown = Shown { ids_of: self.ids_of(), ..Shown::default() };
        let mut all = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let Some(row) = read::<L>(row) else {
                shown.unread.push(place);
                continue;
            };
            shown.records.push(self.record(&row, reader.now()));
            shown.ids.extend(self.id(&row, reader));
            shown.accused.extend(self.accused(&row).filter(|id| !shown.accused.contains(id)));
            all.push(row);
        }
        shown.notes = self.notes(&all);
        shown
    }
}
