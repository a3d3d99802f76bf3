//! A listing as a picture: its largest rows as bars, or how many there were each day as columns.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde_json::Value;

use super::{
    Kept, LARGE, Listing, Named,
    rows::{Rows, read},
    search,
};
use crate::{
    chart::{self, Bar, Error, Head, MOST_BARS, Others, Picture, font, in_words},
    commands::user::account::how_many,
    error::Stop,
    reply::{File, Hostile, Line, Looks, Reply},
    synapse::Reader,
};

/// How many days are drawn, the last of them today; and how long before that the first is.
const DAYS: usize = 30;
const BEFORE: SignedDuration = SignedDuration::from_hours(29 * 24);

/// How many of the largest are named in the words that stand for a picture.
const NAMED_IN_WORDS: usize = 5;

/// How the rows of a listing are drawn.
#[derive(Debug)]
pub enum Chart<R> {
    /// The largest as bars. They must come with the largest first.
    Largest(Largest<R>),
    /// How many there were on each of the last 30 days. They must come with the newest first.
    Days(Days<R>),
}

/// What bars are drawn of.
#[derive(Debug)]
pub struct Largest<R> {
    /// What is compared.
    pub title: &'static str,
    /// What one is called.
    pub label: fn(&R) -> Line,
    /// How large it is, where that is known.
    pub value: fn(&R) -> Option<u64>,
    /// A value in words.
    pub shown: fn(u64) -> String,
    /// Whether only those are drawn that fit what was typed.
    pub narrowed: bool,
    /// Whether the homeserver lists the largest only, so that nobody knows how many there are.
    pub listed_in_part: bool,
}

/// What columns are drawn of.
#[derive(Debug)]
pub struct Days<R> {
    /// What is counted.
    pub title: &'static str,
    /// When one was made, where that is known.
    pub at: fn(&R) -> Option<Timestamp>,
    /// Whether only those are counted that fit what was typed.
    pub narrowed: bool,
}

/// A chart over rows as the homeserver sent them.
pub(super) enum Drawn {
    Largest(Bars),
    Days(Columns),
}

/// What a row that can be read says of itself; `None` where it cannot be read.
type Says<T> = Box<dyn Fn(&Value) -> Option<T> + Send + Sync>;

/// [`Largest`] over such rows.
pub(super) struct Bars {
    title: &'static str,
    label: Says<Line>,
    value: Says<Known<u64>>,
    shown: fn(u64) -> String,
    narrowed: bool,
    listed_in_part: bool,
}

/// [`Days`] over such rows.
pub(super) struct Columns {
    title: &'static str,
    at: Says<Known<Timestamp>>,
    narrowed: bool,
}

/// What may not be known of a row.
struct Known<T>(Option<T>);

impl<R: 'static> Chart<R> {
    /// The chart of a listing whose rows are these.
    pub(super) fn drawn<L: Listing<Row = R>>(self) -> Drawn {
        match self {
            Self::Largest(Largest { title, label, value, shown, narrowed, listed_in_part }) => {
                Drawn::Largest(Bars {
                    title,
                    label: Box::new(move |row| read::<L>(row).as_ref().map(label)),
                    value: Box::new(move |row| read::<L>(row).map(|row| Known(value(&row)))),
                    shown,
                    narrowed,
                    listed_in_part,
                })
            }
            Self::Days(Days { title, at, narrowed }) => {
                let at = Box::new(move |row: &Value| read::<L>(row).map(|row| Known(at(&row))));
                Drawn::Days(Columns { title, at, narrowed })
            }
        }
    }
}

/// What a room is called in a picture: by the first of these names that can be drawn, or by its id.
pub fn called<'a>(id: &str, names: impl IntoIterator<Item = Option<&'a Hostile>>) -> Line {
    let names = names.into_iter().flatten().filter(|name| !name.is_empty());
    let mut lines = names.map(|name| Line::new().hostile(name));
    let drawn = lines.find(|line| font::drawable(&line.shown()).is_some());
    drawn.unwrap_or_else(|| Line::new().code(id))
}

/// What ends a command for data that asks for a picture.
pub(super) fn no_data() -> Stop {
    let line = Line::new().code("--chart").plain(" sends a picture, which is no data: leave out ");
    Stop::not_understood(line.code("-o").plain(" or ").code("--chart"))
}

/// What is drawn.
enum Drawing {
    Bars(Vec<Bar>, Option<Others>),
    Days(Date, Vec<u64>),
}

/// A picture before it is drawn.
struct Plan {
    title: &'static str,
    /// How much is drawn, of how many; and what is to be known besides.
    about: Vec<String>,
    /// What the picture shows, in words.
    alt: Line,
    /// `None` where there is nothing to see.
    drawing: Option<Drawing>,
}

impl Plan {
    fn draw(&self) -> Option<Result<Picture, Error>> {
        let head = Head { title: self.title, about: &self.about };
        Some(match self.drawing.as_ref()? {
            Drawing::Bars(bars, others) => chart::bars(head, bars, others.as_ref()),
            Drawing::Days(first, counts) => chart::days(head, *first, counts),
        })
    }
}

/// The answer that is a picture.
pub(super) async fn answer(
    listing: &dyn Rows,
    chart: Drawn,
    reader: &Reader,
) -> Result<Reply, Stop> {
    let mut plan = match chart {
        Drawn::Largest(bars) => compare(listing, &bars, reader).await?,
        Drawn::Days(columns) => count(listing, &columns, reader).await?,
    };
    let of = listing.of(reader);
    if !of.is_empty() {
        plan.about.push(of.shown().trim_end_matches(':').to_owned());
    }
    let mut about = plan.about.clone().into_iter();
    let line = of.plain(format!("{}: {}", plan.title, about.next().unwrap_or_default()));
    let (title, alt) = (plan.title, plan.alt.clone());
    // It takes a processor for some hundredths of a second.
    let drawn = tokio::task::spawn_blocking(move || plan.draw()).await;
    let reply = match drawn {
        Ok(None) => Reply::data(line),
        Ok(Some(Ok(Picture { png, width, height }))) => {
            let looks = Looks { width, height, alt };
            let name = format!("{}.png", title.to_lowercase().replace(' ', "-"));
            let file = File::picture(name, png, looks);
            let named = line.plain(" · ").code(&file.name);
            Reply::data(named).attaching(file)
        }
        Ok(Some(Err(error))) => return Err(undrawn(&error)),
        Err(error) => return Err(undrawn(&error)),
    };
    Ok(about.fold(reply, Reply::note))
}

fn undrawn(error: &(dyn std::error::Error + 'static)) -> Stop {
    tracing::error!(error, "no picture");
    let line = Line::from("I could not draw the picture. The list comes without ");
    Stop::failed(line.code("--chart"))
}

/// How much of a listing was read.
#[derive(Debug, Default)]
struct Extent {
    looked: u64,
    total: Option<u64>,
    whole: bool,
}

/// Reads page by page what is kept of a listing, until `take` has no use for more or there is nothing more.
async fn read_on(
    listing: &dyn Rows,
    reader: &Reader,
    take: &mut (dyn FnMut(Vec<Value>) -> bool + Send),
) -> Result<Extent, Stop> {
    // All are looked through anyway.
    let in_all_spellings = listing.in_all_spellings();
    let listing = in_all_spellings.as_deref().unwrap_or(listing);
    let filter = listing.judge(reader);
    let (mut place, mut extent) = (None::<String>, Extent::default());
    loop {
        let page = listing.page(reader, place.as_deref(), LARGE).await?;
        extent.total = page.total.or(extent.total);
        extent.looked += page.rows.len() as u64;
        let last = page.rows.is_empty() || page.next.is_none() || page.next == place;
        let mut rows = Vec::new();
        let mut ended = last;
        for row in page.rows {
            match filter.as_ref().map_or(Kept::Yes, |judge| judge(&row).kept) {
                Kept::Yes => rows.push(row),
                Kept::No | Kept::Apart(_) => {}
                Kept::End => {
                    ended = true;
                    break;
                }
            }
        }
        if !take(rows) || ended {
            extent.whole = true;
            return Ok(extent);
        }
        if extent.looked >= search::MOST {
            return Ok(extent);
        }
        place = page.next;
    }
}

/// What is said where not all were read.
fn read_in_part(extent: &Extent, many: &str) -> Option<String> {
    let total = extent.total.map_or_else(String::new, |total| format!(" of {total}"));
    (!extent.whole).then(|| format!("only the first {}{total} {many} were read", extent.looked))
}

const NARROWED: &str = "only those that fit the command's filters";

/// Finds the largest.
async fn compare(listing: &dyn Rows, largest: &Bars, reader: &Reader) -> Result<Plan, Stop> {
    let mut top = Top::default();
    let extent = read_on(listing, reader, &mut |rows| {
        for row in rows {
            if let Some(Known(value)) = (largest.value)(&row) {
                top.add(value, row);
            }
        }
        true
    })
    .await?;
    let (rows, others) = top.split();
    let rows = listing.complete(rows, reader).await;
    let known = |row: &Value| Some(((largest.label)(row)?, (largest.value)(row)?.0?));
    let bars: Vec<(Line, u64)> = rows.iter().filter_map(known).collect();
    let (named, drawn_of) = (listing.named(), bars.len() as u64);
    let mut about = vec![how_many_of(named, drawn_of, others.count, largest.listed_in_part)];
    about.extend(largest.narrowed.then(|| NARROWED.to_owned()));
    about.extend(read_in_part(&extent, named.many));
    if others.unknown > 0 {
        about.push(format!("of {} it is not known", others.unknown));
    }
    let others = (others.count > 0).then(|| Others {
        label: if others.count == 1 {
            "1 other".into()
        } else {
            format!("{} others", others.count)
        },
        shown: format!("{} in all", (largest.shown)(others.sum)),
    });
    let alt = bars_in_words(largest, (&about, &listing.of(reader)), &bars, others.as_ref());
    let bar = |(label, value): &(Line, u64)| Bar {
        label: drawn(label),
        value: *value,
        shown: (largest.shown)(*value),
    };
    let bars: Vec<Bar> = bars.iter().map(bar).collect();
    let drawing = (!bars.is_empty()).then_some(Drawing::Bars(bars, others));
    Ok(Plan { title: largest.title, about, alt, drawing })
}

/// A label as a picture shows it: one line, without what steers or hides.
fn drawn(label: &Line) -> String {
    let shown = label.shown();
    font::drawable(&shown).unwrap_or(shown)
}

fn how_many_of(Named { one, many, .. }: Named, drawn: u64, others: u64, in_part: bool) -> String {
    match (drawn, others) {
        (0, _) => how_many(Some(0), one, many),
        _ if in_part => format!("the largest {}", how_many(Some(drawn), one, many)),
        (1, 0) => how_many(Some(1), one, many),
        (_, 0) => format!("all {drawn} {many}"),
        _ => format!("the {drawn} largest of {} {many}", drawn.saturating_add(others)),
    }
}

/// What bars show.
fn bars_in_words(
    largest: &Bars,
    (about, of): (&[String], &Line),
    bars: &[(Line, u64)],
    others: Option<&Others>,
) -> Line {
    let head = Line::from("Bar chart. ").line(of.clone());
    let mut alt = head.plain(format!("{}, {}: ", largest.title, about.join(", ")));
    let words = |alt: Line, (label, value): &(Line, u64)| {
        alt.line(label.clone()).plain(format!(" {}", (largest.shown)(*value)))
    };
    for (n, bar) in bars.iter().take(NAMED_IN_WORDS).enumerate() {
        alt = words(if n > 0 { alt.plain(", ") } else { alt }, bar);
    }
    if let Some(last) = bars.get(NAMED_IN_WORDS..).and_then(<[_]>::last) {
        alt = words(alt.plain(", down to "), last);
    }
    match others {
        Some(Others { label, shown }) => alt.plain(format!("; {label}, {shown}.")),
        None => alt.plain("."),
    }
}

/// The largest rows, and what the others come to.
#[derive(Debug, Default)]
struct Top {
    largest: Vec<(u64, Value)>,
    others: Rest,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Rest {
    count: u64,
    sum: u64,
    /// Of how many it is not known how large they are.
    unknown: u64,
}

impl Top {
    fn add(&mut self, value: Option<u64>, row: Value) {
        let Some(value) = value else {
            self.others.unknown += 1;
            return;
        };
        let place = self.largest.partition_point(|(larger, _)| *larger >= value);
        self.largest.insert(place, (value, row));
        if self.largest.len() > MOST_BARS
            && let Some((value, _)) = self.largest.pop()
        {
            self.others.count += 1;
            self.others.sum = self.others.sum.saturating_add(value);
        }
    }

    fn split(self) -> (Vec<Value>, Rest) {
        (self.largest.into_iter().map(|(_, row)| row).collect(), self.others)
    }
}

/// Counts how many there were each day.
async fn count(listing: &dyn Rows, days: &Columns, reader: &Reader) -> Result<Plan, Stop> {
    let mut counted = Counted::until(reader.now());
    let extent = read_on(listing, reader, &mut |rows| {
        let at = rows.iter().filter_map(|row| (days.at)(row));
        counted.add_all(at.map(|Known(at)| at))
    })
    .await?;
    let (first, last) = (counted.first, counted.last);
    let year = last.year();
    let total: u64 = counted.counts.iter().sum();
    let (from, to) = (in_words(first), in_words(last));
    let mut about = vec![format!("{total} from {from} to {to} {year}, UTC")];
    about.extend(days.narrowed.then(|| NARROWED.to_owned()));
    if !extent.whole {
        let since =
            counted.oldest.map_or_else(String::new, |day| format!(" before {}", in_words(day)));
        about.push(format!("only the newest {} were read, so none{since}", extent.looked));
    }
    if counted.unknown > 0 {
        about.push(format!("of {} more the day is not known", counted.unknown));
    }
    let alt = Line::from("Column chart. ").line(listing.of(reader)).plain(format!(
        "{}, {}: {}",
        days.title,
        about.join(", "),
        counted.in_words(),
    ));
    let drawing = (total > 0).then_some(Drawing::Days(first, counted.counts));
    Ok(Plan { title: days.title, about, alt, drawing })
}

/// How many there were on each day.
#[derive(Debug)]
struct Counted {
    first: Date,
    last: Date,
    counts: Vec<u64>,
    /// The oldest day on which one was found.
    oldest: Option<Date>,
    /// Of how many the day is not known, or still to come.
    unknown: u64,
}

impl Counted {
    fn until(now: Timestamp) -> Self {
        let last = now.to_zoned(TimeZone::UTC).date();
        let first = last.saturating_sub(BEFORE);
        Self { first, last, counts: vec![0; DAYS], oldest: None, unknown: 0 }
    }

    /// Counts what came on a page; whether there may be more on the next. They come with the newest first, but
    /// one that is out of its order is not to end it.
    fn add_all(&mut self, page: impl Iterator<Item = Option<Timestamp>>) -> bool {
        let mut older = false;
        let mut counted = false;
        for at in page {
            let day = at.map(|at| at.to_zoned(TimeZone::UTC).date());
            match day {
                Some(day) if day < self.first => older = true,
                Some(day) if day <= self.last => {
                    counted = true;
                    self.add(day);
                }
                Some(_) | None => self.unknown += 1,
            }
        }
        counted || !older
    }

    fn add(&mut self, day: Date) {
        self.oldest = Some(self.oldest.map_or(day, |oldest| oldest.min(day)));
        let since = self.first.duration_until(day).as_hours() / 24;
        let count = usize::try_from(since).ok().and_then(|day| self.counts.get_mut(day));
        if let Some(count) = count {
            *count += 1;
        }
    }

    /// What the columns show.
    fn in_words(&self) -> String {
        let mut days: Vec<(Date, u64)> =
            self.first.series(jiff::Span::new().days(1)).zip(self.counts.iter().copied()).collect();
        let none = days.iter().filter(|(_, count)| *count == 0).count();
        // Of days with as many the first.
        days.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let busy = days.iter().filter(|(_, count)| *count > 0).take(NAMED_IN_WORDS);
        let most: Vec<String> =
            busy.map(|(day, count)| format!("{count} on {}", in_words(*day))).collect();
        match none {
            DAYS => "none on any day.".to_owned(),
            0 => format!("most were {}; there were some on each day.", most.join(", ")),
            none => format!("most were {}; none on {none} of {DAYS} days.", most.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
