//! Whose reports do not count: they stay in their cases, and a case that has no other is closed.

use jiff::Timestamp;
use ruma::OwnedUserId;

use super::{Desk, many};
use crate::{
    audit::Record,
    cases::{Case, How, SetAside, State},
    change::Subject,
    error::Stop,
    reply::{Line, Reply, Status, utc},
    store,
};

impl Desk {
    /// Sets somebody's reports aside, in every open case and from now on until then.
    pub(in crate::pipeline) async fn set_aside(
        &self,
        reporter: OwnedUserId,
        until: Timestamp,
        by: &OwnedUserId,
        record: Record,
    ) -> Result<Reply, Stop> {
        let _turn = self.turn.lock().await;
        let (mut cases, mut reports, mut closed) = (0_usize, 0_usize, 0_usize);
        let record = Record {
            subjects: vec![Subject::User(reporter.clone())],
            note: Some(format!("reports by this account do not count until {}", utc(until))),
            ..record
        };
        self.below.audit.note(record).await?;
        let aside = SetAside { reporter: reporter.clone(), by: by.clone(), at: self.now(), until };
        self.below.cases.set_aside(&aside)?;
        for mut case in self.below.cases.open()? {
            let mut any = false;
            for mut report in self.below.cases.reports(case.number)? {
                if report.by == reporter && !report.aside {
                    report.aside = true;
                    self.below.cases.keep_report(case.number, &report)?;
                    reports += 1;
                    any = true;
                }
            }
            if any {
                cases += 1;
                case.changed();
                self.keep(&case)?;
                closed += usize::from(self.close_if_all_aside(case)?);
            }
        }
        self.below.cases.flush().await?;
        self.below.changed.notify_one();
        let title = Line::from("reports by ")
            .code(&reporter)
            .plain(format!(" are set aside until {}", utc(until)));
        let facts = vec![
            (
                "Set aside",
                format!("{} in {}", many(reports, "report"), many(cases, "open case")).into(),
            ),
            ("Closed", format!("{} with no other report", many(closed, "case")).into()),
        ];
        let words = ["case", "count", reporter.as_str()].map(str::to_owned).to_vec();
        Ok(Reply::outcome(Status::Done, title).facts(facts).command("Undo", words))
    }

    /// Counts somebody's reports again.
    pub(in crate::pipeline) async fn count_again(
        &self,
        reporter: &OwnedUserId,
        record: Record,
    ) -> Result<Reply, Stop> {
        let _turn = self.turn.lock().await;
        if !self.below.cases.aside(self.now())?.contains_key(reporter) {
            let line = Line::from("reports by ").code(reporter).plain(" are not set aside");
            return Ok(Reply::outcome(Status::NothingChanged, line));
        }
        let record = Record {
            subjects: vec![Subject::User(reporter.clone())],
            note: Some("reports by this account count again".to_owned()),
            ..record
        };
        self.below.audit.note(record).await?;
        self.below.cases.end_aside(reporter)?;
        for mut case in self.below.cases.all()? {
            let mut any = false;
            for mut report in self.below.cases.reports(case.number)? {
                if report.by == *reporter && report.aside {
                    report.aside = false;
                    self.below.cases.keep_report(case.number, &report)?;
                    any = true;
                }
            }
            if !any {
                continue;
            }
            if matches!(case.state, State::Closed { how: How::SetAside, .. }) {
                case.enter(State::New, self.now());
            }
            case.changed();
            self.keep(&case)?;
        }
        self.below.cases.flush().await?;
        self.below.changed.notify_one();
        let line = Line::from("reports by ").code(reporter).plain(" count again");
        Ok(Reply::outcome(Status::Done, line))
    }

    /// Closes a case of which every report is set aside; whether it was.
    pub(super) fn close_if_all_aside(&self, mut case: Case) -> Result<bool, store::Error> {
        let reports = self.below.cases.reports(case.number)?;
        if reports.is_empty() || reports.iter().any(|report| !report.aside) {
            return Ok(false);
        }
        let aside = self.below.cases.aside(self.now())?;
        let by =
            reports.iter().find_map(|report| aside.get(&report.by)).map(|aside| aside.by.clone());
        let by = by.unwrap_or_else(|| self.below.roster.bot.clone());
        case.enter(State::Closed { by, how: How::SetAside, reason: None }, self.now());
        self.keep(&case)?;
        Ok(true)
    }
}
