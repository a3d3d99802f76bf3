//! What operators decide about one case: who deals with it, and when it is over.

use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedUserId};

use super::{Desk, notices::will_be_told, tell::named};
use crate::{
    audit::Record,
    cases::{About, Case, How, ReportKind, State},
    error::Stop,
    operators::Operator,
    pipeline::look::reader_for,
    refs::without_server,
    reply::{Line, Reply, Status, utc},
};

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
        self.below.audit.note(record.clone()).await?;
        self.keep(&case)?;
        let told = if let Decision::Close(how, _) = decision {
            self.keep_to_be_told(&case, *how, (by, &record))?
        } else {
            self.below.cases.end_notices(case.number)?;
            0
        };
        self.below.cases.flush().await?;
        self.below.changed.notify_one();
        let title = named(&case).plain(": ").line(said);
        let reply = Reply::outcome(Status::Done, title);
        let reply = if told > 0 { reply.note(will_be_told(told)) } else { reply };
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
}

/// How many reports are named in the command that deletes them.
const DELETED: usize = 40;

/// Whom a case is about, as one of a listing.
pub(in crate::pipeline) fn about(case: &Case) -> Line {
    match &case.about {
        About::Account(user) => Line::new().code(user),
        About::Event { event, .. } => Line::from("event ").code(event),
        About::Room(room) => Line::from("room ").code(room),
    }
}
