//! How a listing is collected from the homeserver's: page after page, filtered, to its end or to where
//! it is enough.

use serde_json::{Map, Value, json};

use super::{
    Apart, Kept, LARGE,
    rows::{Judge, Rows},
    search,
};
use crate::{error::Stop, reply::Sheet, synapse::Reader};

/// How many rows that are [looked up by themselves](super::Listing::is_looked_up) are looked through for one
/// page.
const LOOKED_UP: u64 = 2_000;

/// The same where all are wanted.
const LOOKED_UP_OF_ALL: u64 = 10_000;

/// What was found of a listing.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) rows: Vec<Value>,
    /// The number of the first that was looked at, where places are numbers.
    pub(super) from: Option<u64>,
    /// How many were looked through.
    pub(super) looked: u64,
    /// How many of those were looked up by themselves.
    looked_up: u64,
    pub(super) total: Option<u64>,
    pub(super) filtered: bool,
    pub(super) next: Option<String>,
    /// How many more the homeserver counts than it lists.
    unlisted: u64,
    /// How many are only counted, and why.
    apart: Vec<(&'static Apart, u64)>,
}

impl Collected {
    /// Whether a filter keeps a row; counts it where it was looked up by itself.
    fn judge(&mut self, judge: Option<&Judge<'_>>, row: &Value) -> Kept {
        let Some(judge) = judge else { return Kept::Yes };
        let judged = judge(row);
        self.looked_up += u64::from(judged.looked_up);
        judged.kept
    }

    /// Counts a row of which nobody can tell whether it belongs here.
    fn count(&mut self, why: &'static Apart) {
        match self.apart.iter_mut().find(|(known, _)| *known == why) {
            Some((_, count)) => *count += 1,
            None => self.apart.push((why, 1)),
        }
    }

    /// What is to be known of the rows that are not shown.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        let apart = self.apart.iter().map(|(why, count)| match count {
            1 => format!("1 more {}", why.one),
            _ => format!("{count} more {}", why.many),
        });
        counts_more(self.unlisted).into_iter().chain(apart)
    }

    /// The same, where the homeserver has nothing more to list.
    fn ended(mut self) -> Self {
        self.next = None;
        if let (Some(total), Some(from)) = (self.total, self.from) {
            self.unlisted = total.saturating_sub(from.saturating_add(self.looked));
        }
        self
    }
}

/// What is said where the homeserver counts more than it lists.
fn counts_more(unlisted: u64) -> Option<String> {
    (unlisted > 0).then(|| {
        format!(
            "The homeserver counts {unlisted} more than it lists; it may have left out some that \
            it cannot read itself."
        )
    })
}

/// Collects a page: asks on until it is full or nothing is left.
async fn find(listing: &dyn Rows, reader: &Reader) -> Result<Collected, Stop> {
    let (pages, filter) = (listing.pages(), listing.judge(reader));
    let limit = pages.limit();
    let size = if filter.is_some() { LARGE.max(limit) } else { limit };
    let mut place = pages.from.clone();
    let from = place.as_deref().map_or(Some(0), |from| from.parse().ok());
    let mut found = Collected { from, filtered: filter.is_some(), ..Collected::default() };
    loop {
        let page = listing.page(reader, place.as_deref(), size).await?;
        let numbered = place.as_deref().map_or(Some(0), |place| place.parse::<u64>().ok());
        found.total = page.total.or(found.total);
        let empty = page.rows.is_empty();
        for (n, row) in (1..).zip(page.rows) {
            found.looked += 1;
            match found.judge(filter.as_ref(), &row) {
                Kept::Yes => found.rows.push(row),
                Kept::No => {}
                Kept::Apart(why) => found.count(why),
                Kept::End => return Ok(found),
            }
            // Where places are no numbers, only a whole page has a next one.
            if found.rows.len() as u64 == limit
                && let (Some(begin), true) = (numbered, filter.is_some())
            {
                let next = begin + n;
                let more = page.next.is_some() || found.total.is_some_and(|total| next < total);
                found.next = more.then(|| next.to_string());
                return Ok(found);
            }
        }
        found.next.clone_from(&page.next);
        // An empty page ends it too, whatever it says of a next: the list may shrink meanwhile. And
        // one that leads to itself would never end.
        if empty || page.next.is_none() || page.next == place {
            return Ok(found.ended());
        }
        let is_enough = found.looked >= search::MOST || found.looked_up >= LOOKED_UP;
        if found.rows.len() as u64 >= limit || is_enough {
            return Ok(found);
        }
        place = page.next;
    }
}

/// The same, and where a search finds nothing, in all spellings: that there is nothing is said only then.
pub(super) async fn find_in_any_spelling(
    listing: &dyn Rows,
    reader: &Reader,
) -> Result<Collected, Stop> {
    let found = find(listing, reader).await?;
    if !found.rows.is_empty() || found.next.is_some() || listing.pages().from.is_some() {
        return Ok(found);
    }
    match listing.in_all_spellings() {
        Some(listing) => find(&*listing, reader).await,
        None => Ok(found),
    }
}

/// Writes every row of every page; the first `keep` of them are returned too, with what was found
/// besides. Nothing else is held but one page. Where it would look up too
/// many of them, the place is in it where it ended.
pub(super) async fn write_all(
    listing: &dyn Rows,
    reader: &Reader,
    sheet: &mut Sheet,
    keep: usize,
) -> Result<Collected, Stop> {
    // All are looked through anyway.
    let in_all_spellings = listing.in_all_spellings();
    let listing = in_all_spellings.as_deref().unwrap_or(listing);
    let (named, filter) = (listing.named(), listing.judge(reader));
    sheet.begin(named.key, named.columns)?;
    let mut place = None::<String>;
    let filtered = filter.is_some();
    let mut found = Collected { from: Some(0), filtered, ..Collected::default() };
    'pages: loop {
        let page = listing.page(reader, place.as_deref(), LARGE).await?;
        let empty = page.rows.is_empty();
        found.total = page.total.or(found.total);
        for row in page.rows {
            found.looked += 1;
            match found.judge(filter.as_ref(), &row) {
                Kept::Yes => {}
                Kept::No => continue,
                Kept::Apart(why) => {
                    found.count(why);
                    continue;
                }
                Kept::End => break 'pages,
            }
            let mut amended = row.clone();
            listing.amend(&mut amended);
            sheet.row(&amended)?;
            if found.rows.len() < keep {
                found.rows.push(row);
            }
        }
        if empty || page.next.is_none() || page.next == place {
            found = found.ended();
            break;
        }
        if found.looked_up >= LOOKED_UP_OF_ALL {
            found.next = page.next;
            break;
        }
        place = page.next;
    }
    let mut rest = Map::from_iter([("total".to_owned(), json!(sheet.rows()))]);
    rest.extend(noted(sheet, None, cut_off(&found).into_iter().chain(found.notes())));
    sheet.end(&rest)?;
    Ok(found)
}

/// What is said where all are wanted and there are more than it looks through.
pub(super) fn cut_off(found: &Collected) -> Option<String> {
    let next = found.next.as_ref()?;
    let of = found.total.map_or_else(String::new, |total| format!(" of {total}"));
    Some(format!(
        "These are not all: I looked through {}{of}, since each takes a request of its own. To go on, \
        replace --all by --from {next} --limit 1000.",
        found.looked
    ))
}

/// What else is to be known of the rows, as programs get it.
pub(super) fn noted(
    sheet: &mut Sheet,
    remark: Option<&str>,
    notes: impl Iterator<Item = String>,
) -> Option<(String, Value)> {
    let notes: Vec<String> = notes.collect();
    for note in &notes {
        sheet.note(note);
    }
    let all: Vec<&str> = remark.into_iter().chain(notes.iter().map(String::as_str)).collect();
    (!all.is_empty()).then(|| ("note".to_owned(), json!(all.join(" "))))
}
