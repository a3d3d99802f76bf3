//! Paging, over a homeserver of numbers.

use std::sync::Mutex;

use serde::Deserialize;

use super::*;
use crate::{
    commands::user::testing::{self, nowhere},
    reply::Written,
};

#[derive(Debug)]
struct Numbers {
    pages: Pages,
    count: u64,
    /// What the homeserver says how many there are.
    total: u64,
    keeps: Option<fn(u64) -> Kept>,
    /// Whether each is looked up by itself.
    looks_up: bool,
    asked: Mutex<Vec<(Option<String>, u64)>>,
}

#[derive(Debug, Deserialize)]
struct Number {
    n: u64,
}

#[async_trait]
impl Listing for Numbers {
    const NAMED: Named = Named { key: "numbers", one: "number", many: "numbers", columns: &["n"] };
    type Row = Number;

    fn refusals(&self) -> Tables {
        &[]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    async fn page(&self, _: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        self.asked.lock().unwrap().push((from.map(str::to_owned), limit));
        let from = Pages::number(from)?;
        let end = self.count.min(from + limit);
        let rows = (from..end).map(|n| json!({ "n": n })).collect();
        let next = (end < self.total).then(|| end.to_string());
        Ok(Page { rows, total: Some(self.total), next })
    }

    fn filter(&self, _: &Reader) -> Option<Filter<'_, Number>> {
        let keeps = self.keeps?;
        Some(Box::new(move |row| keeps(row.n)))
    }

    fn is_looked_up(&self, _: &Number) -> bool {
        self.looks_up
    }

    fn record(&self, row: &Number, _: Timestamp) -> Record {
        Record { title: row.n.to_string().into(), facts: Vec::new() }
    }
}

fn numbers(count: u64, from: Option<u64>, limit: u64) -> Numbers {
    let from = from.map(|from| from.to_string());
    let pages = Pages { from, limit: Some(limit), all: false };
    Numbers { pages, count, total: count, keeps: None, looks_up: false, asked: Mutex::default() }
}

async fn answer(numbers: &Numbers) -> (String, Option<String>) {
    let reply = numbers.answer(&nowhere(), &testing::nothing()).await.unwrap();
    let text = testing::reply(&reply);
    (text.lines().next().unwrap().to_owned(), reply.next)
}

#[tokio::test]
async fn without_a_filter_one_request_is_one_page() {
    let first = numbers(25, None, 10);
    assert_eq!(answer(&first).await, ("25 numbers, 1 to 10 shown".into(), Some("10".into())));
    assert_eq!(*first.asked.lock().unwrap(), [(None, 10)]);
    for (count, from, said) in [
        (25, Some(20), "25 numbers, 21 to 25 shown"),
        (10, None, "10 numbers, all shown"),
        (25, Some(30), "25 numbers, none from 31 on"),
        (0, None, "no numbers"),
    ] {
        assert_eq!(answer(&numbers(count, from, 10)).await, (said.into(), None));
    }
    let odd = Numbers {
        pages: Pages { from: Some("x".into()), ..Pages::default() },
        ..numbers(1, None, 1)
    };
    let Err(Stop::Refused { .. }) = odd.answer(&nowhere(), &testing::nothing()).await else {
        panic!("a place that is no number is refused")
    };
}

#[tokio::test]
async fn with_a_filter_it_asks_on_until_the_page_is_full_or_the_end_is_reached() {
    let seventh = |n| if n % 700 == 699 { Kept::Yes } else { Kept::No };
    let filtered =
        |count, from, limit| Numbers { keeps: Some(seventh), ..numbers(count, from, limit) };
    let some = filtered(3000, None, 2);
    let said = "2 numbers found so far; looked through 1400 of 3000";
    assert_eq!(answer(&some).await, (said.into(), Some("1400".into())));
    let asked = some.asked.into_inner().unwrap();
    assert_eq!(asked, [(None, 1000), (Some("1000".to_owned()), 1000)]);
    let said = "2 numbers found; looked through 1401 to 3000 of 3000";
    assert_eq!(answer(&filtered(3000, Some(1400), 9)).await, (said.into(), None));
    let said = "4 numbers found; looked through all 3000";
    assert_eq!(answer(&filtered(3000, None, 9)).await, (said.into(), None));
    let first = |n| if n == 3 { Kept::End } else { Kept::Yes };
    let ended = Numbers { keeps: Some(first), ..numbers(3000, None, 10) };
    assert_eq!(answer(&ended).await.0, "3 numbers found; looked through 4 of 3000");
}

const ODD: Apart = Apart { one: "is odd.", many: "are odd." };

#[tokio::test]
async fn what_nobody_can_tell_of_is_counted_apart() {
    let keeps = |n| if n % 2 == 1 { Kept::Apart(&ODD) } else { Kept::Yes };
    let all = Pages { all: true, ..Pages::default() };
    let some = |count, limit| Numbers { keeps: Some(keeps), ..numbers(count, None, limit) };
    for (listing, note) in [
        (some(6, 20), "3 more are odd."),
        (some(2, 20), "1 more is odd."),
        (Numbers { pages: all, ..some(6, 1) }, "3 more are odd."),
        // Only of what was looked through.
        (some(30, 2), "1 more is odd."),
    ] {
        let reply = listing.answer(&nowhere(), &testing::nothing()).await.unwrap();
        let text = testing::reply(&reply);
        assert!(text.contains(&format!("({note})")) && !text.contains("* 1\n"), "{text}");
        for format in [Format::Minified, Format::Csv] {
            let mut sheet = Sheet::new(format);
            listing.data(&nowhere(), &mut sheet).await.unwrap();
            let notes = sheet.notes().to_vec();
            let Written::Text(text) = sheet.finish().unwrap() else { panic!("it is short") };
            // CSV has no place for it.
            assert_eq!(format == Format::Csv, notes == [note], "{notes:?}");
            assert_eq!(format == Format::Minified, text.contains(note), "{text}");
        }
    }
    assert!(
        !testing::reply(&some(1, 20).answer(&nowhere(), &testing::nothing()).await.unwrap())
            .contains("odd")
    );
}

#[tokio::test]
async fn what_is_looked_up_one_by_one_is_not_looked_through_without_an_end() {
    let nothing = |_| Kept::No;
    let many = || Numbers { keeps: Some(nothing), looks_up: true, ..numbers(30_000, None, 20) };
    let said = "no numbers found so far; looked through 2000 of 30000";
    assert_eq!(answer(&many()).await, (said.into(), Some("2000".into())));

    let all = Pages { all: true, ..Pages::default() };
    let all = Numbers { pages: all, ..many() };
    let reply = all.answer(&nowhere(), &testing::nothing()).await.unwrap();
    let text = testing::reply(&reply);
    let note = "These are not all: I looked through 10000 of 30000, since each takes a request of its \
                own. To go on, replace --all by --from 10000 --limit 1000.";
    assert_eq!(text, format!("no numbers so far\n({note})\n"));
    assert!(reply.next.is_none(), "it could not be asked for with --all");
    let mut sheet = Sheet::new(Format::Csv);
    all.data(&nowhere(), &mut sheet).await.unwrap();
    assert_eq!((sheet.notes(), sheet.beyond()), (&[note.to_owned()][..], None));
    let few = Numbers { pages: all.pages.clone(), ..numbers(900, None, 1) };
    assert!(
        !testing::reply(&few.answer(&nowhere(), &testing::nothing()).await.unwrap())
            .contains("not all")
    );
}

#[tokio::test]
async fn a_list_that_shrinks_meanwhile_ends() {
    let seldom = |n| if n == 0 { Kept::Yes } else { Kept::No };
    let shrunk = Numbers { total: 5000, keeps: Some(seldom), ..numbers(1000, None, 10) };
    let (said, next) = answer(&shrunk).await;
    assert_eq!((said.as_str(), next), ("1 number found; looked through 1000 of 5000", None));
}

#[tokio::test]
async fn what_the_homeserver_counts_and_does_not_list_is_told() {
    let more = "The homeserver counts 3 more than it lists; it may have left out some that it \
                cannot";
    let page = |from, limit| Numbers { total: 10, ..numbers(7, from, limit) };
    let all = Pages { all: true, ..Pages::default() };
    for listing in [
        page(None, 20),
        page(Some(5), 20),
        Numbers { keeps: Some(|_| Kept::Yes), ..page(None, 20) },
        Numbers { pages: all, ..page(None, 20) },
    ] {
        let reply = listing.answer(&nowhere(), &testing::nothing()).await.unwrap();
        let text = testing::reply(&reply);
        assert!(text.contains(more), "{text}");
        let mut sheet = Sheet::new(Format::Minified);
        listing.data(&nowhere(), &mut sheet).await.unwrap();
        let Written::Text(text) = sheet.finish().unwrap() else { panic!("it is short") };
        assert!(text.contains(more), "{text}");
    }
    for listing in [
        numbers(7, None, 20),
        numbers(7, Some(7), 20),
        numbers(7, Some(9), 20),
        page(None, 2),
        Numbers { keeps: Some(|n| if n == 3 { Kept::End } else { Kept::Yes }), ..page(None, 20) },
    ] {
        let reply = listing.answer(&nowhere(), &testing::nothing()).await.unwrap();
        let text = testing::reply(&reply);
        assert!(!text.contains("counts"), "{text}");
    }
}

#[tokio::test]
async fn all_of_it_is_shown_where_it_is_short_and_a_file_where_it_is_long() {
    let all = |count| {
        let pages = Pages { all: true, ..Pages::default() };
        Numbers { pages, ..numbers(count, None, 1) }
    };
    let reply = all(7).answer(&nowhere(), &testing::nothing()).await.unwrap();
    assert!(reply.file.is_none());
    assert!(testing::reply(&reply).starts_with("7 numbers\n* 0\n"), "{reply:?}");
    let reply = all(2500).answer(&nowhere(), &testing::nothing()).await.unwrap();
    assert_eq!(testing::reply(&reply), "2500 numbers, all of them in `numbers.csv` (11.1 KiB)\n");
    let file = reply.file.unwrap();
    let text = std::io::read_to_string(file.read()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[2500]), (2501, "n", "2499"));
}

#[tokio::test]
async fn data_say_where_the_next_page_begins() {
    let mut sheet = Sheet::new(Format::Minified);
    numbers(25, None, 2).data(&nowhere(), &mut sheet).await.unwrap();
    let Written::Text(text) = sheet.finish().unwrap() else { panic!("it is short") };
    assert_eq!(text, r#"{"numbers":[{"n":0},{"n":1}],"next_token":"2","total":25}"#);
}

#[test]
fn a_row_that_cannot_be_read_is_told_by_its_id() {
    let rows = [json!({"id": "!a:x", "n": -1}), json!({"id": null})];
    let rows: Vec<&Value> = rows.iter().collect();
    assert_eq!(
        testing::line(&not_read(&rows, &["id", "n"])),
        "2 more I cannot read: `!a:x`; -o json shows them as they are."
    );
    assert_eq!(
        testing::line(&not_read(&rows[1..], &[])),
        "1 more I cannot read; -o json shows them as they are."
    );
}
