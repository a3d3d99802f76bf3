//! `media changes`: what went into quarantine and out of it.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::file;
use crate::{
    change::Path,
    commands::{
        Spec, Tables,
        listing::{Listing, Named, Page, Pages},
        refusals::looks,
    },
    error::Stop,
    reply::{Hostile, Line, Record},
    synapse::{Reader, wire::flag},
};

pub(super) const SPEC: Spec =
    Spec::query::<Changes>("changes", &["media changes", "media changes --limit 20"]).since(1, 152);

/// List files that were quarantined or released from quarantine, oldest first
///
/// The homeserver keeps this list since version 1.152, without dates; it may miss a change or list one twice.
#[derive(Debug, clap::Args)]
struct Changes {
    #[command(flatten)]
    pages: Pages,
}

#[derive(Debug, Deserialize)]
struct Row {
    origin: Option<Hostile>,
    media_id: Hostile,
    #[serde(default, deserialize_with = "flag")]
    quarantined: bool,
}

/// A place in the list: where the homeserver's page begins, and how many of it were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    from: u64,
    shown: usize,
}

impl Place {
    fn read(text: Option<&str>) -> Result<Self, Stop> {
        let text = text.unwrap_or("0");
        let (from, shown) = text.split_once('+').unwrap_or((text, "0"));
        match (from.parse(), shown.parse()) {
            (Ok(from), Ok(shown)) => Ok(Self { from, shown }),
            _ => Err(Stop::not_understood(
                Line::new()
                    .code("--from")
                    .plain(" takes the value in the next-page command, not ")
                    .code(text),
            )),
        }
    }
}

#[derive(Debug, Deserialize)]
struct ChangePage {
    changes: Vec<Value>,
    next_batch: u64,
}

impl Changes {
    /// One page of the homeserver's: always with a next one, and with a length of its own.
    async fn listed(from: u64, reader: &Reader) -> Result<ChangePage, Stop> {
        let path = Path::admin(["v1", "media", "quarantine_changes"]);
        Ok(reader.get(&path, &[("from", from.to_string())]).await?)
    }
}

/// The part of a page of the homeserver's that is wanted, and whether it is the last of it.
fn part(ChangePage { changes, next_batch }: ChangePage, place: Place, limit: u64) -> (Page, bool) {
    let take = usize::try_from(limit).unwrap_or(usize::MAX);
    let upto = place.shown.saturating_add(take);
    let last = upto >= changes.len();
    let next = if last { next_batch.to_string() } else { format!("{}+{upto}", place.from) };
    let rows: Vec<Value> = changes.into_iter().skip(place.shown).take(take).collect();
    (Page { rows, total: None, next: Some(next) }, last)
}

#[async_trait]
impl Listing for Changes {
    const NAMED: Named = Named {
        key: "changes",
        one: "change",
        many: "changes",
        columns: &["origin", "media_id", "quarantined"],
    };
    type Row = Row;

    fn refusals(&self) -> Tables {
        &[looks::CHANGES]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        let place = Place::read(from)?;
        let listed = Self::listed(place.from, reader).await?;
        let begin = listed.next_batch;
        let (page, last) = part(listed, place, limit);
        // Only an empty page is the end, so a next one is looked at before it is promised.
        if last && Self::listed(begin, reader).await?.changes.is_empty() {
            return Ok(Page { next: None, ..page });
        }
        Ok(page)
    }

    fn record(&self, row: &Row, _now: Timestamp) -> Record {
        let origin = row.origin.as_ref().map_or("", Hostile::raw);
        let title = Hostile::new(format!("mxc://{origin}/{}", row.media_id.raw()));
        let what = if row.quarantined { "into quarantine" } else { "out of quarantine" };
        Record { title: file::address(&title), facts: vec![("Went", what.into())] }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_of_the_homeservers_is_shown_in_parts() {
        let place = |text: Option<&str>| Place::read(text).unwrap();
        let page = |from, limit| {
            let changes = vec![json!(1), json!(2), json!(3)];
            let (page, last) = part(ChangePage { changes, next_batch: 9 }, place(from), limit);
            (page.rows, page.next.unwrap(), last)
        };
        assert_eq!(page(None, 2), (vec![json!(1), json!(2)], "0+2".to_owned(), false));
        assert_eq!(page(Some("0+2"), 2), (vec![json!(3)], "9".to_owned(), true));
        assert_eq!(page(Some("4"), 3).1, "9");
        assert!(Place::read(Some("last")).is_err() && Place::read(Some("1+x")).is_err());
    }
}
