//! Reports from before the bot began, which are gathered in cases where somebody asks for them.

use jiff::Timestamp;

use super::{Desk, Fault, fetch::Fetched, many};
use crate::{
    audit::Record,
    cases::ReportKind,
    error::Stop,
    reply::{Line, Reply, Status, utc},
};

/// How many threads are begun at most for what was reported before the bot began.
const IMPORTED: usize = 50;

impl Desk {
    /// Takes in what was reported before the bot began.
    pub(in crate::pipeline) async fn import(
        &self,
        since: Timestamp,
        record: Record,
    ) -> Result<Reply, Stop> {
        let before = self.below.cases.open()?.len();
        let record =
            Record { note: Some(format!("reports since {} were imported", utc(since))), ..record };
        self.below.audit.note(record).await?;
        let (mut reports, mut unserved) = (0, Vec::new());
        for kind in ReportKind::ALL {
            match self.fetch_since(kind, since).await {
                Ok(Fetched::New(new)) => reports += new,
                Ok(Fetched::NotServed) => unserved.push(kind),
                Err(Fault::Api(error)) => return Err(error.into()),
                Err(Fault::Store(error)) => return Err(error.into()),
            }
        }
        self.below.changed.notify_one();
        let cases = self.below.cases.open()?.len().saturating_sub(before);
        if reports == 0 {
            let line = format!("every report since {} is in a case already", utc(since));
            return Ok(Reply::outcome(Status::NothingChanged, line));
        }
        let (reports, cases_named) = (many(reports, "report"), many(cases, "case"));
        let title = format!("imported {reports}, in {cases_named} that were not open before");
        let reply = Reply::outcome(Status::Done, title);
        let reply = match unserved.as_slice() {
            [] => reply,
            unserved => reply.note(not_served(unserved)),
        };
        let words = ["case", "list"].map(str::to_owned).to_vec();
        if cases <= IMPORTED {
            return Ok(reply);
        }
        Ok(reply.note("Their threads begin ten a minute.").command("All of them", words))
    }
}

/// What is said of kinds of reports that cannot be seen.
pub(in crate::pipeline) fn not_served(kinds: &[ReportKind]) -> Line {
    let kinds: Vec<&str> = kinds
        .iter()
        .map(|kind| match kind {
            ReportKind::Event => "of events",
            ReportKind::Account => "of accounts (Synapse 1.152 or later)",
            ReportKind::Room => "of rooms",
        })
        .collect();
    Line::from(format!(
        "This homeserver does not hand out reports {}, so I cannot see them.",
        kinds.join(" and ")
    ))
}
