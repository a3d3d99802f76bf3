//! `report list`: what people have reported.

use async_trait::async_trait;
use jiff::Timestamp;
use ruma::RoomId;
use serde_json::Value;

use super::reports::{self, EventReport, UserReport};
use crate::{
    change::Path,
    commands::{
        Ask, Does, Later, Spec, Tables,
        arguments::{RoomRef, UserRef},
        listing::{
            Filter, Kept, Listing, Named, Page, Pages,
            chart::{Chart, Days},
        },
        refusals::looks,
        room::known,
    },
    error::{
        Stop,
        api::{Error, Kind as Fault},
    },
    reply::{IdsOf, Line, Record},
    synapse::Reader,
};

pub(super) const SPEC: Spec = Spec::of::<List>(
    Does::Look,
    "list",
    &[
        "report list",
        "report list --sender @ann:example.org",
        "report list --room #lobby:example.org --limit 20",
        "report list --users --target @ann:example.org",
        "report list --chart",
    ],
)
.later(&[Later::new("users", 1, 152)]);

/// List reports of events, or with --users of accounts; newest first
///
/// The homeserver hides reports from deleted rooms, and does not show reports of whole rooms at all.
#[derive(Debug, clap::Args)]
struct List {
    /// Reports of accounts, not of events
    #[arg(short, long, conflicts_with_all = ["sender", "room"])]
    users: bool,
    /// Only reports of what this account has sent
    #[arg(long, value_name = "USER")]
    sender: Option<UserRef>,
    /// Only reports from this room
    #[arg(long)]
    room: Option<RoomRef>,
    /// Only reports of this account; with --users
    #[arg(long, value_name = "USER", requires = "users")]
    target: Option<UserRef>,
    /// Only reports by this account
    #[arg(long, value_name = "USER")]
    reporter: Option<UserRef>,
    #[command(flatten)]
    pages: Pages,
    /// Oldest first
    #[arg(short, long)]
    reverse: bool,
    /// Send a picture instead: how many there were on each of the last 30 days
    #[arg(long, conflicts_with_all = ["from", "limit", "all", "reverse"])]
    chart: bool,
}

impl From<List> for Ask {
    fn from(typed: List) -> Self {
        let List { users, sender, room, target, reporter, pages, reverse, chart } = typed;
        if users {
            Self::Read(Box::new(Users { target, reporter, pages, reverse, chart }))
        } else {
            Self::Read(Box::new(Events { sender, room, reporter, pages, reverse, chart }))
        }
    }
}

/// Reports of events.
#[derive(Debug)]
struct Events {
    sender: Option<UserRef>,
    room: Option<RoomRef>,
    reporter: Option<UserRef>,
    pages: Pages,
    reverse: bool,
    chart: bool,
}

/// Reports of accounts.
#[derive(Debug)]
struct Users {
    target: Option<UserRef>,
    reporter: Option<UserRef>,
    pages: Pages,
    reverse: bool,
    chart: bool,
}

/// Asks for one page of the list that `key` names.
async fn fetch(
    reader: &Reader,
    key: &'static str,
    mut query: Vec<(&'static str, String)>,
    from: Option<&str>,
    limit: u64,
) -> Result<Page, Stop> {
    query.push(("from", Pages::number(from)?.to_string()));
    query.push(("limit", limit.to_string()));
    let mut listed: Value = reader.get(&Path::admin(["v1", key]), &query).await?;
    let next = listed["next_token"].as_u64().map(|next| next.to_string());
    let total = listed["total"].as_u64();
    let Value::Array(mut rows) = listed[key].take() else {
        let what = format!("there is no list under {key}");
        return Err(Error::because(Fault::Unreadable, what).into());
    };
    for row in &mut rows {
        reports::amend(row, reader.now());
    }
    Ok(Page { rows, total, next })
}

/// Refuses to say that there are no reports where the homeserver would hide them.
async fn not_hidden(room: Option<&RoomId>, reader: &Reader) -> Result<(), Stop> {
    if known::hides_all_reports(reader).await {
        return Err(Stop::failed(
            "this homeserver keeps no room statistics, and without them it hides all reports of \
            messages, so I cannot tell whether there are any. Whoever runs it can set \
            stats.enabled",
        )
        .or(&["background", "run", "populate_stats_process_rooms"]));
    }
    match room {
        Some(room) if known::hides_reports(room, reader).await => {
            Err(Stop::failed(Line::from("this homeserver has no statistics of ").code(room).plain(
                ", perhaps because it was deleted, and hides reports from such a room, so I cannot \
                tell whether there are any",
            ))
            .or(&["background", "run", "populate_stats_process_rooms"]))
        }
        _ => Ok(()),
    }
}

fn direction(reverse: bool) -> (&'static str, String) {
    ("dir", if reverse { "f" } else { "b" }.to_owned())
}

/// A filter of a listing, before the count.
fn titled(what: &str, user: Option<&UserRef>, reader: &Reader) -> Line {
    match user.map(|user| reader.user_id(user)) {
        Some(Ok(user)) => Line::new().plain(what).code(user).plain(": "),
        _ => Line::new(),
    }
}

#[async_trait]
impl Listing for Events {
    const NAMED: Named = Named {
        key: "event_reports",
        one: "report",
        many: "reports",
        columns: &[
            "id",
            "received_ts",
            "sender",
            "user_id",
            "reason",
            "score",
            "room_id",
            "canonical_alias",
            "name",
            "event_id",
        ],
    };
    type Row = EventReport;

    fn refusals(&self) -> Tables {
        &[looks::PAGE]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn of(&self, reader: &Reader) -> Line {
        titled("Sent by ", self.sender.as_ref(), reader)
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        let mut query = vec![direction(self.reverse)];
        if let Some(sender) = &self.sender {
            query.push(("event_sender_user_id", reader.user_id(sender)?.to_string()));
        }
        if let Some(reporter) = &self.reporter {
            query.push(("user_id", reader.user_id(reporter)?.to_string()));
        }
        let room = match &self.room {
            Some(room) => Some(reader.room_id(room).await?),
            None => None,
        };
        query.extend(room.iter().map(|room| ("room_id", room.to_string())));
        let page = fetch(reader, Self::NAMED.key, query, from, limit).await?;
        if page.total.unwrap_or_default() == 0 {
            not_hidden(room.as_deref(), reader).await?;
        }
        Ok(page)
    }

    // The homeserver looks for whatever holds these ids, and takes _ and % for any characters. What
    // an alias stands for is not known here; an id that is like another is not made by chance.
    fn filter(&self, reader: &Reader) -> Option<Filter<'_, EventReport>> {
        let reporter = self.reporter.as_ref().and_then(|user| reader.user_id(user).ok());
        let room = match &self.room {
            Some(RoomRef::Id(id)) => Some(id),
            _ => None,
        };
        if reporter.is_none() && room.is_none() {
            return None;
        }
        Some(Box::new(move |row| {
            let fits = reporter.as_ref().is_none_or(|reporter| row.user_id == *reporter)
                && room.is_none_or(|room| row.room_id == *room);
            if fits { Kept::Yes } else { Kept::No }
        }))
    }

    fn chart(&self) -> Option<Chart<EventReport>> {
        self.chart.then(|| {
            Chart::Days(Days {
                title: "Reports of events per day",
                at: |report: &EventReport| report.received_ts,
                narrowed: self.room.is_some() || self.reporter.is_some(),
            })
        })
    }

    fn ids_of(&self) -> Option<IdsOf> {
        Some(IdsOf::EventReports)
    }

    fn accused(&self, report: &EventReport) -> Option<String> {
        report.sender.clone()
    }

    fn id(&self, report: &EventReport, _: &Reader) -> Option<String> {
        Some(report.id.to_string())
    }

    fn record(&self, report: &EventReport, now: Timestamp) -> Record {
        Record { title: Line::new().code(report.id), facts: report.facts(now) }
    }
}

#[async_trait]
impl Listing for Users {
    const NAMED: Named = Named {
        key: "user_reports",
        one: "report of an account",
        many: "reports of accounts",
        columns: &["id", "received_ts", "target_user_id", "user_id", "reason"],
    };
    type Row = UserReport;

    fn refusals(&self) -> Tables {
        &[looks::PAGE]
    }

    fn pages(&self) -> &Pages {
        &self.pages
    }

    fn of(&self, reader: &Reader) -> Line {
        titled("About ", self.target.as_ref(), reader)
    }

    async fn page(&self, reader: &Reader, from: Option<&str>, limit: u64) -> Result<Page, Stop> {
        let mut query = vec![direction(self.reverse)];
        if let Some(target) = &self.target {
            query.push(("target_user_id", reader.user_id(target)?.to_string()));
        }
        if let Some(reporter) = &self.reporter {
            query.push(("user_id", reader.user_id(reporter)?.to_string()));
        }
        fetch(reader, Self::NAMED.key, query, from, limit).await
    }

    // The homeserver looks for whatever holds these ids, and takes _ and % for any characters.
    fn filter(&self, reader: &Reader) -> Option<Filter<'_, UserReport>> {
        let id = |user: &Option<UserRef>| Some(reader.user_id(user.as_ref()?).ok()?.to_string());
        let (target, reporter) = (id(&self.target), id(&self.reporter));
        if target.is_none() && reporter.is_none() {
            return None;
        }
        Some(Box::new(move |row| {
            let fits = target.as_ref().is_none_or(|target| row.target_user_id == *target)
                && reporter.as_ref().is_none_or(|reporter| row.user_id == *reporter);
            if fits { Kept::Yes } else { Kept::No }
        }))
    }

    fn chart(&self) -> Option<Chart<UserReport>> {
        self.chart.then(|| {
            Chart::Days(Days {
                title: "Reports of accounts per day",
                at: |report: &UserReport| report.received_ts,
                narrowed: self.reporter.is_some(),
            })
        })
    }

    fn ids_of(&self) -> Option<IdsOf> {
        Some(IdsOf::AccountReports)
    }

    fn accused(&self, report: &UserReport) -> Option<String> {
        Some(report.target_user_id.clone())
    }

    fn id(&self, report: &UserReport, _: &Reader) -> Option<String> {
        Some(report.id.to_string())
    }

    fn record(&self, report: &UserReport, now: Timestamp) -> Record {
        Record { title: Line::new().code(report.id), facts: report.facts(now) }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize as _;
    use serde_json::json;

    use super::{
        super::reports::tests::{event_report, user_report},
        *,
    };
    use crate::commands::user::testing::{self, nowhere};

    #[test]
    fn filters_go_with_the_reports_that_have_them() {
        for typed in [
            &[][..],
            &["--sender", "ann", "--room", "!a", "--reporter", "bob"],
            &["--users", "--target", "ann", "--reporter", "bob", "-r"],
            &["-u", "-l", "5", "-f", "5"],
        ] {
            assert!(testing::parse::<List>(typed).is_ok(), "{typed:?}");
        }
        for typed in [
            &["--users", "--room", "!a"][..],
            &["-u", "--sender", "ann"],
            &["--target", "ann"],
            &["--room", "lobby"],
        ] {
            assert!(testing::parse::<List>(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn ids_that_only_hold_the_one_meant_are_left_out() {
        let reader = nowhere();
        let ann = || Some("ann".parse::<UserRef>().unwrap());
        let events = Events {
            sender: None,
            room: None,
            reporter: ann(),
            pages: Pages::default(),
            reverse: false,
            chart: false,
        };
        let kept = |by: &str| {
            let row = EventReport::deserialize(event_report(json!({ "user_id": by }))).unwrap();
            events.filter(&reader).unwrap()(&row)
        };
        assert_eq!(kept("@ann:example.org"), Kept::Yes);
        assert_eq!(kept("@ann:example.org.evil.example"), Kept::No);
        let room = Some("!a_b".parse::<RoomRef>().unwrap());
        let events = Events { reporter: None, room, ..events };
        let kept = |room: &str| {
            let row = EventReport::deserialize(event_report(json!({ "room_id": room }))).unwrap();
            events.filter(&reader).unwrap()(&row)
        };
        assert_eq!((kept("!a_b"), kept("!axb")), (Kept::Yes, Kept::No));

        let pages = Pages::default();
        let users = Users { target: ann(), reporter: None, pages, reverse: false, chart: false };
        let row = UserReport::deserialize(user_report()).unwrap();
        assert_eq!(users.filter(&reader).unwrap()(&row), Kept::No, "it is about eve");
        assert_eq!(testing::line(&users.of(&reader)), "About `@ann:example.org`: ");
    }
}
