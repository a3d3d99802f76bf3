//! What operators decide about cases: who deals with one, when it is over, whose reports do not count.

use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedUserId};

use super::{Desk, Fault, fetch::Fetched, tell::named};
use crate::{
    audit::Record,
    cases::{About, Case, How, ReportKind, SetAside, State},
    change::Subject,
    error::Stop,
    operators::Operator,
    pipeline::look::reader_for,
    refs::without_server,
    reply::{Line, Reply, Status, grouped, utc},
    store,
};

/// How many threads are begun at most for what was reported before the bot began.
const IMPORTED: usize = 50;

/// Which case somebody means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pipeline) enum Which {
    /// The one with this number.
    Number(u64),
    /// The one whose thread begins with this message.
    Thread(OwnedEventId),
}

/// What is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pipeline) enum Decision {
    /// To deal with it oneself; also where somebody else does, where that was typed.
    Claim {
        /// Whether it is taken from whoever has it.
        over: bool,
    },
    /// Not to deal with it any more.
    Release,
    /// That it is over, and why.
    Close(How, Option<String>),
    /// To leave it until then.
    Snooze(Timestamp),
    /// That it is not over.
    Reopen,
}

impl Desk {
    /// The case that somebody means.
    pub(in crate::pipeline) fn find(&self, which: &Which) -> Result<Case, Stop> {
        let found = match which {
            Which::Number(number) => self.below.cases.get(*number)?,
            Which::Thread(root) => self.below.cases.of_thread(root)?,
        };
        found.ok_or_else(|| {
            let line = match which {
                Which::Number(number) => Line::from(format!("there is no case {number}")),
                Which::Thread(_) => Line::from("this is not the thread of a case"),
            };
            Stop::not_found(line).or(&["case", "list"])
        })
    }

    /// Does what was decided, where it is still to be done; two who decide at once are told who was first.
    pub(in crate::pipeline) async fn decide(
        &self,
        which: &Which,
        decision: &Decision,
        operator: &Operator,
        record: Record,
    ) -> Result<Reply, Stop> {
        let _turn = self.turn.lock().await;
        let mut case = self.find(which)?;
        if let Some(subject) = case.about.subject() {
            reader_for(operator, &self.below.reader).may_name(&subject)?;
        }
        let by = &operator.user;
        // There is one open case at most about the same.
        let open = self.below.cases.open_about(&case.about)?;
        let other = open.map(|open| open.number).filter(|number| *number != case.number);
        if let Some(reply) = self.moot(&case, decision, by, other) {
            return Ok(reply);
        }
        let said = self.done(&mut case, decision, by);
        let record = Record {
            subjects: case.about.subject().into_iter().collect(),
            note: Some(format!("case {} was {}", case.number, said.text())),
            ..record
        };
        self.below.audit.note(record).await?;
        self.keep(&case)?;
        self.below.cases.flush().await?;
        self.changed.notify_one();
        let title = named(&case).plain(": ").line(said);
        let reply = Reply::outcome(Status::Done, title);
        Ok(match decision {
            Decision::Close(..) => self.after_closing(&case, reply)?,
            _ => reply,
        })
    }

    /// Why there is nothing to do, where that is so.
    fn moot(
        &self,
        case: &Case,
        decision: &Decision,
        by: &OwnedUserId,
        other: Option<u64>,
    ) -> Option<Reply> {
        let own = self.below.reader.server_name();
        let ago = |line: Line| line.plain(", ").ago(Some(case.since), self.now());
        let short = |user: &ruma::UserId| without_server(user.as_str(), own).to_owned();
        let nothing = |line| Some(Reply::outcome(Status::NothingChanged, line));
        let number = case.number.to_string();
        match (&case.state, decision) {
            (State::Closed { .. }, Decision::Reopen) => {
                let other = other?;
                nothing(Line::from(format!("case {other} is open, about the same accused")))
            }
            (State::Closed { by, .. }, _) => {
                let line = named(case).plain(", was closed by ").code(short(by));
                let words = ["case", "reopen", &number].map(str::to_owned).to_vec();
                nothing(ago(line)).map(|reply| reply.command("Open it again", words))
            }
            (_, Decision::Reopen) => nothing(named(case).plain(", is open")),
            (_, Decision::Claim { over }) => match &case.claimed {
                Some(other) if other == by => nothing(named(case).plain(", is yours already")),
                Some(other) if !over => {
                    let line = named(case).plain(", was claimed first by ").code(short(other));
                    let words = ["case", "claim", &number, "--over"].map(str::to_owned).to_vec();
                    nothing(ago(line)).map(|reply| reply.command("Take it over", words))
                }
                _ => None,
            },
            (_, Decision::Release) if case.claimed.is_none() => {
                nothing(named(case).plain(", is nobody's"))
            }
            _ => None,
        }
    }

    /// Puts the decision into the case; what it is now, in words.
    fn done(&self, case: &mut Case, decision: &Decision, by: &OwnedUserId) -> Line {
        let now = self.now();
        match decision {
            Decision::Claim { .. } => {
                case.claimed = Some(by.clone());
                case.enter(State::Claimed, now);
                Line::from("claimed")
            }
            Decision::Release => {
                case.claimed = None;
                case.enter(State::New, now);
                Line::from("released")
            }
            Decision::Close(how, reason) => {
                let state = State::Closed { by: by.clone(), how: *how, reason: reason.clone() };
                case.enter(state, now);
                Line::from(match how {
                    How::DealtWith => "closed",
                    How::Dismissed => "dismissed",
                    How::SetAside => "set aside",
                })
            }
            Decision::Snooze(until) => {
                case.enter(State::Waiting { by: by.clone(), until: *until }, now);
                Line::from(format!("put off until {}", utc(*until)))
            }
            Decision::Reopen => {
                case.enter(if case.claimed.is_some() { State::Claimed } else { State::New }, now);
                Line::from("opened again")
            }
        }
    }

    /// What can be done once a case is closed: its reports stay on the homeserver until somebody deletes
    /// them.
    fn after_closing(&self, case: &Case, reply: Reply) -> Result<Reply, Stop> {
        let mut reply = reply;
        for kind in [ReportKind::Event, ReportKind::Account] {
            let reports = self.below.cases.reports(case.number)?;
            let numbers: Vec<String> = reports
                .iter()
                .filter(|report| report.kind == kind)
                .map(|report| report.id.to_string())
                .collect();
            if numbers.is_empty() || numbers.len() > DELETED {
                continue;
            }
            let mut words = vec!["report".to_owned(), "dismiss".to_owned()];
            words.extend(numbers);
            if kind == ReportKind::Account {
                words.push("--users".to_owned());
            }
            reply = reply.command("Delete its reports on the homeserver", words);
        }
        Ok(reply)
    }

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
        self.changed.notify_one();
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
        self.changed.notify_one();
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
        self.changed.notify_one();
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

/// `1 report`, `13 reports`.
fn many(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{} {what}s", grouped(count)) }
}

/// How many reports are named in the command that deletes them.
const DELETED: usize = 40;

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

/// Whom a case is about, as one of a listing.
pub(in crate::pipeline) fn about(case: &Case) -> Line {
    match &case.about {
        About::Account(user) => Line::new().code(user),
        About::Event { event, .. } => Line::from("event ").code(event),
        About::Room(room) => Line::from("room ").code(room),
    }
}
