//! New reports, from the homeserver's lists of them.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::Value;
use tracing::{info, warn};

use super::{Desk, Fault};
use crate::{
    cases::{ReadTo, Report, ReportKind, Reported},
    change::Path,
    reply::Hostile,
    synapse::wire::{known, passed},
};

/// How many reports the first page of a look has.
const FIRST: usize = 10;
/// And each further one.
const NEXT: usize = 100;
/// How many of one page the next one shows again: others may be deleted meanwhile.
const OVERLAP: usize = 10;
/// How much later than others a report may be kept that was received before them.
const LATE: SignedDuration = SignedDuration::from_mins(2);
/// How long after the last new report the first page tells whether there is another.
const QUIET: std::time::Duration = std::time::Duration::from_mins(5);

/// What came of asking for one kind.
pub(super) enum Fetched {
    /// So many new ones.
    New(usize),
    /// The homeserver has no such list.
    NotServed,
}

impl ReportKind {
    /// The list under `/_synapse/admin/v1/`, and the key of its rows.
    fn list(self) -> &'static str {
        match self {
            Self::Event => "event_reports",
            Self::Account => "user_reports",
            Self::Room => "room_reports",
        }
    }
}

impl Desk {
    /// Takes the new reports of one kind into cases (`GET /_synapse/admin/v1/event_reports`,
    /// `user_reports`, `room_reports`), the newest page first, until all are known.
    ///
    /// At the first look ever nothing is taken: what was reported before can be asked for.
    pub(super) async fn fetch(&self, kind: ReportKind) -> Result<Fetched, Fault> {
        let Some(read) = self.below.cases.read_to(kind)? else { return self.begin(kind).await };
        let enough = read.until.checked_sub(LATE).unwrap_or(read.until);
        let is_quiet = self.pace().quiet.is_some_and(|since| since.elapsed() >= QUIET);
        let (mut from, mut new, mut newest) = (0, 0, read.until);
        loop {
            let limit = if from == 0 { FIRST } else { NEXT };
            let Some(page) = self.page(kind, from, limit).await? else {
                return Ok(Fetched::NotServed);
            };
            let known = self.take(&page.reports, |report| !read.is_older(report)).await?;
            new += known.new;
            newest = known.newest.map_or(newest, |at| at.max(newest));
            let all_known = known.new == 0 && from == 0 && is_quiet;
            if page.rows < limit || all_known || known.oldest.is_some_and(|at| at < enough) {
                break;
            }
            from += page.rows.saturating_sub(OVERLAP).max(1);
        }
        if newest != read.until {
            self.below.cases.note_read(kind, &ReadTo { until: newest, ..read })?;
        }
        if new > 0 {
            self.below.cases.flush().await?;
            info!(kind = kind.key(), new, "new reports");
        }
        Ok(Fetched::New(new))
    }

    /// Begins with what is reported from now on.
    async fn begin(&self, kind: ReportKind) -> Result<Fetched, Fault> {
        let Some(page) = self.page(kind, 0, 1).await? else { return Ok(Fetched::NotServed) };
        let newest = page.reports.first();
        let at = newest.and_then(|report| report.at).unwrap_or_else(|| self.now());
        let read =
            ReadTo { begun_id: newest.map_or(0, |newest| newest.id), begun_at: at, until: at };
        self.below.cases.note_read(kind, &read)?;
        self.below.cases.flush().await?;
        Ok(Fetched::New(0))
    }

    /// Takes those reports of a page that are `wanted`, the first received first.
    async fn take(
        &self,
        reports: &[Report],
        wanted: impl Fn(&Report) -> bool,
    ) -> Result<PageTaken, Fault> {
        let _turn = self.turn.lock().await;
        let mut taken = PageTaken::default();
        let now = self.now();
        let aside = self.below.cases.aside(now)?;
        for report in reports.iter().rev() {
            taken.newest = taken.newest.max(report.at);
            taken.oldest = match (taken.oldest, report.at) {
                (Some(oldest), Some(at)) => Some(oldest.min(at)),
                (oldest, at) => oldest.or(at),
            };
            if !wanted(report) {
                continue;
            }
            let report = Report { aside: aside.contains_key(&report.by), ..report.clone() };
            if let Some(case) = self.below.cases.take(&report, now)? {
                taken.new += 1;
                self.close_if_all_aside(case)?;
            }
        }
        Ok(taken)
    }

    /// Takes the reports received since then into cases; how many were new.
    pub(super) async fn fetch_since(
        &self,
        kind: ReportKind,
        since: Timestamp,
    ) -> Result<Fetched, Fault> {
        let (mut from, mut new) = (0, 0);
        loop {
            let Some(page) = self.page(kind, from, NEXT).await? else {
                return Ok(Fetched::NotServed);
            };
            let recent = |report: &Report| report.at.is_some_and(|at| at >= since);
            let taken = self.take(&page.reports, recent).await?;
            new += taken.new;
            if page.rows < NEXT || taken.oldest.is_some_and(|at| at < since) {
                break;
            }
            from += page.rows.saturating_sub(OVERLAP).max(1);
        }
        self.below.cases.flush().await?;
        Ok(Fetched::New(new))
    }

    /// A page of one kind, the newest first; `None` where the homeserver has no such list.
    async fn page(
        &self,
        kind: ReportKind,
        from: usize,
        limit: usize,
    ) -> Result<Option<Page>, Fault> {
        let path = Path::admin(["v1", kind.list()]);
        let mut query = vec![("dir", "b".to_owned()), ("limit", limit.to_string())];
        if from > 0 {
            query.push(("from", from.to_string()));
        }
        let asked = Instant::now();
        let answer = match self.below.reader.get::<Value>(&path, &query).await {
            Ok(answer) => answer,
            Err(error) if error.is_unknown_route() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        tracing::debug!(kind = kind.key(), elapsed = ?asked.elapsed(), "looked for reports");
        let rows = answer.get(kind.list()).and_then(Value::as_array).cloned().unwrap_or_default();
        let now = self.now();
        let mut reports = Vec::with_capacity(rows.len());
        for row in &rows {
            let Some(report) = read(kind, row, now) else {
                warn!(kind = kind.key(), id = ?row.get("id"), "a report cannot be read");
                continue;
            };
            reports.push(report);
        }
        Ok(Some(Page { rows: rows.len(), reports }))
    }
}

/// A page of reports.
struct Page {
    /// How many rows it has, whether or not they could be read.
    rows: usize,
    reports: Vec<Report>,
}

/// What a page held.
#[derive(Debug, Default)]
struct PageTaken {
    new: usize,
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
}

/// A row of any of the lists.
#[derive(Debug, Deserialize)]
struct Row {
    id: u64,
    #[serde(default, deserialize_with = "known")]
    received_ts: Option<Timestamp>,
    /// Who reported it.
    user_id: OwnedUserId,
    #[serde(default, deserialize_with = "known")]
    reason: Option<Hostile>,
    room_id: Option<OwnedRoomId>,
    event_id: Option<String>,
    sender: Option<String>,
    target_user_id: Option<OwnedUserId>,
    #[serde(default, deserialize_with = "known")]
    canonical_alias: Option<Hostile>,
    #[serde(default, deserialize_with = "known")]
    name: Option<Hostile>,
}

/// A row of a list of reports as a report; `None` where it does not say what it must.
pub(in crate::pipeline) fn read(kind: ReportKind, row: &Value, now: Timestamp) -> Option<Report> {
    let row = Row::deserialize(row).ok()?;
    let named = |name: &Hostile| !name.is_empty();
    let what = match kind {
        ReportKind::Event => Reported::Event {
            room: row.room_id?,
            name: row.name.filter(named).or(row.canonical_alias.filter(named)),
            event: row.event_id?,
            // Of a vanished event nobody knows it, and an id that is none is nobody's.
            sender: row.sender.and_then(|sender| sender.try_into().ok()),
        },
        ReportKind::Account => Reported::Account(row.target_user_id?),
        ReportKind::Room => Reported::Room(row.room_id?),
    };
    Some(Report {
        kind,
        id: row.id,
        at: passed(row.received_ts, now),
        by: row.user_id,
        reason: row.reason.filter(named),
        what,
        aside: false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_is_accused_and_who_accuses_are_never_confused() {
        let now = "2026-11-30T10:00:00Z".parse().unwrap();
        let at = 1_795_183_200_000_i64;
        let event = json!({
            "id": 5, "received_ts": at, "room_id": "!lobby:example.org", "event_id": "$one",
            "user_id": "@ann:example.org", "sender": "@eve:example.org", "reason": "spam",
            "canonical_alias": "#lobby:example.org", "name": "",
        });
        let report = read(ReportKind::Event, &event, now).unwrap();
        assert_eq!(
            (report.by.as_str(), report.about().id()),
            ("@ann:example.org", "@eve:example.org")
        );
        let Reported::Event { name, .. } = &report.what else { panic!("an event") };
        assert_eq!(name.as_ref().unwrap().raw(), "#lobby:example.org");
        let account = json!({"id": 7, "received_ts": at, "user_id": "@ann:example.org",
            "target_user_id": "@eve:example.org", "reason": ""});
        let report = read(ReportKind::Account, &account, now).unwrap();
        assert_eq!(
            (report.by.as_str(), report.about().id()),
            ("@ann:example.org", "@eve:example.org")
        );
        assert_eq!(report.reason, None);
        let mut vanished = event;
        vanished["sender"] = json!(null);
        let report = read(ReportKind::Event, &vanished, now).unwrap();
        assert_eq!(report.about().id(), "$one", "not who reported it");
        for odd in [
            json!({}),
            json!({"id": 5}),
            json!({"id": "5"}),
            json!(null),
            json!({
                "id": 5, "user_id": "nobody", "room_id": "!a:x", "event_id": "$b"
            }),
        ] {
            assert!(read(ReportKind::Event, &odd, now).is_none(), "{odd}");
        }
        vanished["received_ts"] = json!(4_000_000_000_000_i64);
        assert_eq!(read(ReportKind::Event, &vanished, now).unwrap().at, None, "in the future");
    }
}
