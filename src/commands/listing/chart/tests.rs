use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use super::{
    super::{Filter, Named, Page, Pages},
    *,
};
use crate::{
    commands::{
        Query as _, Tables,
        user::testing::{self, now, nowhere},
    },
    reply::{Format, Record, Sheet},
};

/// A homeserver of things, each so many hours old and so large.
#[derive(Debug)]
struct Things {
    rows: Vec<Value>,
    by_day: bool,
    keeps: Option<fn(&Thing) -> Kept>,
    /// How many it says there are, more than which it goes on for ever.
    total: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Thing {
    name: Hostile,
    size: Option<u64>,
    hours: Option<i64>,
}

#[async_trait]
impl Listing for Things {
    const NAMED: Named = Named { key: "things", one: "thing", many: "things", columns: &["name"] };
    type Row = Thing;

    fn refusals(&self) -> Tables {
        &[]
    }

    fn pages(&self) -> &Pages {
        const { &Pages { from: None, limit: None, all: false } }
    }

    async fn page(&self, _: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        if let Some(total) = self.total {
            let from = Pages::number(from)?;
            let rows = std::iter::repeat_n(self.rows[0].clone(), 1000).collect();
            return Ok(Page { rows, total: Some(total), next: Some((from + limit).to_string()) });
        }
        Ok(Page::part(self.rows.clone(), Pages::number(from)?, limit))
    }

    fn filter(&self, _: &Reader) -> Option<Filter<'_, Thing>> {
        self.keeps.map(|keeps| Box::new(keeps) as Filter<'_, Thing>)
    }

    fn record(&self, _: &Thing, _: Timestamp) -> Record {
        Record { title: Line::new(), facts: Vec::new() }
    }

    fn chart(&self) -> Option<Chart<Thing>> {
        if self.by_day {
            let at = |thing: &Thing| Some(now() - SignedDuration::from_hours(thing.hours?));
            return Some(Chart::Days(Days { title: "Things per day", at, narrowed: false }));
        }
        Some(Chart::Largest(Largest {
            title: "Things by size",
            label: |thing: &Thing| called("!id", [Some(&thing.name)]),
            value: |thing: &Thing| thing.size,
            shown: |size| format!("{size} B"),
            narrowed: false,
            listed_in_part: false,
        }))
    }
}

fn things(rows: Vec<Value>, by_day: bool) -> Things {
    Things { rows, by_day, keeps: None, total: None }
}

fn sized(size: impl Into<Value>) -> Value {
    let size: Value = size.into();
    json!({ "name": format!("n{size}"), "size": size, "hours": 0 })
}

fn aged(hours: i64) -> Value {
    json!({ "name": "x", "size": 1, "hours": hours })
}

/// What is said, and what stands for the picture, which is a PNG as large as it says.
async fn asked(things: &Things) -> (String, Option<String>) {
    let reply = things.answer(&nowhere(), &testing::nothing()).await.unwrap();
    let said = testing::reply(&reply);
    let Some(file) = &reply.file else { return (said, None) };
    let looks = file.looks.as_ref().expect("it is a picture");
    let mut png = Vec::new();
    std::io::Read::read_to_end(&mut file.read(), &mut png).unwrap();
    assert!(png.starts_with(b"\x89PNG") && file.mime == mime::IMAGE_PNG, "{file:?}");
    assert_eq!(png[16..20], looks.width.to_be_bytes());
    assert_eq!(png[20..24], looks.height.to_be_bytes());
    (said, Some(looks.alt.text()))
}

#[tokio::test]
async fn the_largest_are_drawn_and_the_others_counted() {
    let (said, alt) = asked(&things((1..=100).map(sized).collect(), false)).await;
    assert_eq!(said, "Things by size: the 15 largest of 100 things · `things-by-size.png`\n");
    assert_eq!(
        alt.unwrap(),
        "Bar chart. Things by size, the 15 largest of 100 things: “n100” 100 B, “n99” 99 B, “n98” 98 \
         B, “n97” 97 B, “n96” 96 B, down to “n86” 86 B; 85 others, 3655 B in all."
    );
    let (said, alt) = asked(&things(vec![sized(7)], false)).await;
    assert_eq!(said, "Things by size: 1 thing · `things-by-size.png`\n");
    assert_eq!(alt.unwrap(), "Bar chart. Things by size, 1 thing: “n7” 7 B.");
    let (said, alt) = asked(&things(Vec::new(), false)).await;
    assert_eq!((said.as_str(), alt), ("Things by size: no things\n", None));
}

#[tokio::test]
async fn what_is_not_known_is_counted_beside_and_no_sum_overflows() {
    let mut rows: Vec<Value> = (0..20).map(|_| sized(u64::MAX)).collect();
    rows.extend([json!({ "name": "x" }), sized(Value::Null)]);
    let (said, alt) = asked(&things(rows, false)).await;
    assert!(said.starts_with("Things by size: the 15 largest of 20 things · "), "{said}");
    assert!(said.contains("of 2 it is not known"), "{said}");
    assert!(alt.unwrap().ends_with("; 5 others, 18446744073709551615 B in all."));
}

#[tokio::test]
async fn names_are_words_of_somebody_else_or_give_way_to_the_id() {
    let rows = ["<b>”\u{202e}x", "日本語"].map(|name| json!({ "name": name, "size": 1 }));
    let (_, alt) = asked(&things(rows.to_vec(), false)).await;
    assert!(alt.as_ref().unwrap().contains("“<b>\"x” 1 B, !id 1 B."), "{alt:?}");
}

#[tokio::test]
async fn a_filter_of_our_own_holds_for_pictures_too() {
    let filtered = Things {
        keeps: Some(|thing| if thing.size > Some(97) { Kept::Yes } else { Kept::No }),
        ..things((1..=100).map(sized).collect(), false)
    };
    let (said, _) = asked(&filtered).await;
    assert!(said.starts_with("Things by size: all 3 things · "), "{said}");
}

#[tokio::test]
async fn each_is_counted_on_its_day() {
    // It is 14:03 on 20 November.
    let rows = [0, 1, 13, 14, 15, 40, 24 * 29 + 14, 24 * 29 + 15, 24 * 40].map(aged);
    let (said, alt) = asked(&things(rows.to_vec(), true)).await;
    assert_eq!(said, "Things per day: 7 from 22 Oct to 20 Nov 2026, UTC · `things-per-day.png`\n");
    assert_eq!(
        alt.unwrap(),
        "Column chart. Things per day, 7 from 22 Oct to 20 Nov 2026, UTC: most were 4 on 20 Nov, 1 \
         on 22 Oct, 1 on 18 Nov, 1 on 19 Nov; none on 26 of 30 days."
    );
    let odd = [json!({ "name": "x" }), aged(-48), aged(24 * 99), aged(1)];
    let (said, _) = asked(&things(odd.to_vec(), true)).await;
    assert!(said.starts_with("Things per day: 1 from") && said.contains("of 2 more the"), "{said}");
    let (said, alt) = asked(&things(vec![aged(24 * 99)], true)).await;
    assert_eq!(said, "Things per day: 0 from 22 Oct to 20 Nov 2026, UTC\n");
    assert_eq!(alt, None);
}

#[tokio::test]
async fn where_not_all_were_read_picture_and_words_say_so() {
    let endless = |by_day| Things { total: Some(60_000), ..things(vec![aged(25)], by_day) };
    let (said, alt) = asked(&endless(false)).await;
    let part = "only the first 50000 of 60000 things were read";
    assert!(said.contains(part) && alt.as_ref().unwrap().contains(part), "{said} {alt:?}");
    let (said, alt) = asked(&endless(true)).await;
    let part = "only the newest 50000 were read, so none before 19 Nov";
    assert!(said.contains(part) && alt.as_ref().unwrap().contains(part), "{said} {alt:?}");
}

#[tokio::test]
async fn a_picture_is_no_data() {
    let mut sheet = Sheet::new(Format::Json);
    let things = things(vec![sized(7)], false);
    let Err(Stop::Refused { why, .. }) = things.data(&nowhere(), &mut sheet).await else {
        panic!("it is refused")
    };
    assert!(why.text().contains("leave out -o or --chart"), "{why:?}");
}
