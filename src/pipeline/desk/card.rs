//! What the first message of a case's thread shows, and what is said in the thread of further reports.
//!
//! Who is accused stands in the first line and after "Accused"; who has reported it, after "Reported by" and
//! nowhere else.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize as _;
use tracing::warn;

use super::{Desk, DeskRules};
use crate::{
    audit::{Kind, Record},
    cases::{About, Case, How, Report, Reported, State},
    change::{Power, Subject},
    commands::event::content::{self, Event},
    pipeline::own::did,
    refs::without_server,
    reply::{Fact, Hostile, Line, Reply, grouped},
    store,
};

/// How many different reasons, rooms and events are named; the others are counted.
const NAMED: usize = 3;
/// Of so many events it is shown what they say.
const SHOWN: usize = 2;
/// How many of the changes of before are named.
const BEFORE: usize = 2;
/// The verb by which what was reported is looked at.
const DETAILS: &str = "report details";

impl Desk {
    /// The first message of a case's thread.
    pub(super) async fn card(&self, case: &Case, desk: &DeskRules) -> Result<Reply, store::Error> {
        let reply = self.facts(case, self.may_be_shown(desk)).await?;
        let reply = Reply { encrypted_only: true, ..reply };
        if !case.state.is_open() {
            return Ok(reply);
        }
        let words = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let reply = match &case.about {
            About::Account(user) if self.below.reader.is_local(user) => {
                reply.command("In this thread", words("user suspend . --for 12h"))
            }
            About::Room(_) => reply.command("In this thread", words("room block .")),
            About::Account(_) | About::Event { .. } => reply,
        };
        Ok(reply.note(
            Line::from("Reply here with ")
                .code("claim")
                .plain(", ")
                .code("close: why")
                .plain(", ")
                .code("dismiss: why")
                .plain(" or ")
                .code("snooze 4h")
                .plain("; 👀 claims too"),
        ))
    }

    /// A case as it is now, without what was reported.
    pub(in crate::pipeline) async fn shown(&self, case: &Case) -> Result<Reply, store::Error> {
        self.facts(case, false).await
    }

    async fn facts(&self, case: &Case, content: bool) -> Result<Reply, store::Error> {
        let reports = self.counted(case)?;
        let mut facts: Vec<Fact> = vec![("State", self.state(case))];
        facts.push(("Accused", self.accused(&case.about).await));
        let by = self.reporters.line(&reports, &self.below.reader, self.now()).await;
        facts.push(("Reported by", by));
        facts.push(("Why", why(&reports)));
        facts.extend(places(&reports));
        facts.extend(self.said(&reports, content).await);
        facts.extend(self.before(case)?);
        Ok(Reply::data(title(case, reports.len())).facts(facts))
    }

    /// The reports of a case that count.
    pub(super) fn counted(&self, case: &Case) -> Result<Vec<Report>, store::Error> {
        let mut reports = self.below.cases.reports(case.number)?;
        reports.retain(|report| !report.aside);
        Ok(reports)
    }

    /// Where a case stands, in words.
    pub(in crate::pipeline) fn state(&self, case: &Case) -> Line {
        let own = self.below.reader.server_name();
        let short = |user: &ruma::UserId| without_server(user.as_str(), own).to_owned();
        let line = match &case.state {
            State::New => Line::new().strong("new"),
            State::Claimed => match &case.claimed {
                Some(by) => Line::new().strong("claimed").plain(" by ").code(short(by)),
                None => Line::new().strong("new"),
            },
            State::Waiting { by, until } => Line::new()
                .strong("waiting")
                .plain(" until ")
                .at(Some(*until))
                .plain(", says ")
                .code(short(by)),
            State::Closed { by, how, reason } => {
                let line = Line::new().strong(match how {
                    How::DealtWith => "closed",
                    How::Dismissed => "dismissed",
                    How::SetAside => "set aside",
                });
                let line = line.plain(" by ").code(short(by));
                match reason {
                    Some(reason) => line.plain(": ").hostile(&Hostile::new(reason)),
                    None => line,
                }
            }
        };
        let changes: Vec<String> = case.changes.iter().map(|number| format!("#{number}")).collect();
        if changes.is_empty() { line } else { line.plain(" · acted: ").code(changes.join(", ")) }
    }

    /// Who or what it is about.
    async fn accused(&self, about: &About) -> Line {
        match about {
            About::Account(user) => {
                let line = Line::new().code(user);
                if !self.below.reader.is_local(user) {
                    return line.plain(", an account of another server");
                }
                match self.below.reader.account(user).await {
                    Ok(Some(account)) => {
                        let line = match account.displayname.filter(|name| !name.is_empty()) {
                            Some(name) => line.plain(" ").hostile(&name),
                            None => line,
                        };
                        let line = line.plain(", created ").at(account.created);
                        let marks = [
                            (account.deactivated, "deactivated"),
                            (account.suspended == Some(true), "suspended"),
                            (account.locked, "locked"),
                            (account.shadow_banned, "shadow-banned"),
                            (account.admin, "a server admin"),
                        ];
                        let marks = marks.iter().filter(|(is, _)| *is);
                        marks.fold(line, |line, (_, mark)| line.plain(" · ").strong(*mark))
                    }
                    Ok(None) => line.plain(", which does not exist here any more"),
                    Err(error) => {
                        warn!(error = &error as &dyn std::error::Error, "not looked up");
                        line.plain(", which could not be looked up")
                    }
                }
            }
            About::Event { .. } => "nobody knows: the event no longer exists here".into(),
            About::Room(room) => Line::from("the room ").code(room),
        }
    }

    /// What was reported: covered, and only where everybody in the room may see it.
    async fn said(&self, reports: &[Report], content: bool) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        let events = reports.iter().rev().filter_map(|report| match &report.what {
            Reported::Event { room, event, .. } => Some((report.id, room, event.as_str())),
            _ => None,
        });
        for (id, room, event) in events {
            if seen.contains(&event) || seen.len() >= SHOWN {
                continue;
            }
            seen.push(event);
            let line = if content {
                self.says(room.as_str(), event).await
            } else {
                Line::new().command(format!("!{DETAILS} {id} --show-content"))
            };
            facts.push(("Says", line));
        }
        facts
    }

    /// Whether everybody who is served in the room may see what was reported.
    pub(super) fn may_be_shown(&self, desk: &DeskRules) -> bool {
        let mut operators = self.below.roster.operators.values();
        desk.show_content && operators.all(|one| one.role.allows(Power::LookPrivate, DETAILS))
    }

    /// What one event says, covered; or why nobody can tell.
    async fn says(&self, room: &str, event: &str) -> Line {
        match content::as_it_reads(room, event, &self.below.reader).await {
            Ok(Some(found)) => match Event::deserialize(&found) {
                Ok(event) if event.kind.raw() == "m.room.encrypted" => {
                    "encrypted: what it says cannot be checked".into()
                }
                Ok(event) => event.says().covered(),
                Err(_) => "nobody can read this event".into(),
            },
            Ok(None) => Line::new().code(event).plain(" no longer exists here"),
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "an event cannot be looked up");
                Line::new().code(event).plain(" could not be looked up")
            }
        }
    }

    /// Notes that the room was shown what was reported.
    pub(super) async fn note_shown(&self, case: &Case, reports: &[Report]) {
        let subjects: Vec<Subject> = reports.iter().filter_map(Report::subject).collect();
        let record = Record {
            subjects: subjects.into_iter().take(SHOWN).collect(),
            note: Some(format!("case {} shows what was reported", case.number)),
            ..Record::new(Kind::Looked)
        };
        if let Err(error) = self.below.audit.note(record).await {
            tracing::error!(error = &error as &dyn std::error::Error, "a look was not recorded");
        }
    }

    /// What was done to the accused before, and what became of earlier cases.
    fn before(&self, case: &Case) -> Result<Option<Fact>, store::Error> {
        let own = self.below.reader.server_name();
        let mut line = Line::new();
        let mut gap = "";
        if let Some(subject) = case.about.subject() {
            let past = self.below.audit.past(&subject, BEFORE)?;
            for past in past.iter().filter(|past| !case.changes.contains(&past.id)) {
                line = line
                    .plain(gap)
                    .code(format!("#{}", past.id))
                    .plain(format!(" {} by ", did(&past.words)))
                    .code(without_server(past.by.as_str(), own))
                    .plain(", ")
                    .at(Some(past.at));
                gap = " · ";
            }
        }
        for earlier in self.below.cases.earlier(case)?.iter().take(BEFORE) {
            line = line.plain(format!("{gap}case {}, ", earlier.number)).line(self.state(earlier));
            gap = " · ";
        }
        Ok((!line.is_empty()).then_some(("Before", line)))
    }

    /// What is said in the thread of further reports.
    pub(super) async fn further(&self, case: &Case, new: &[Report], all: usize) -> Reply {
        let by = self.reporters.line(new, &self.below.reader, self.now()).await;
        let more = if new.len() == 1 {
            "1 more report".to_owned()
        } else {
            format!("{} more reports", grouped(new.len()))
        };
        let title = Line::from(format!("{more} about the accused "))
            .code(&case.about)
            .plain(format!(", {} now", grouped(all)));
        let facts = vec![("Reported by", by), ("Why", why(new))];
        let facts = facts.into_iter().chain(places(new)).collect();
        Reply::data(title).facts(facts)
    }
}

/// The first line: whom it is about, and how often that was reported.
pub(in crate::pipeline) fn title(case: &Case, reports: usize) -> Line {
    let line = Line::from(format!("Case {}: ", case.number));
    let line = match &case.about {
        About::Account(user) => line.code(user).plain(" was reported"),
        About::Event { event, .. } => line.plain("the event ").code(event).plain(" was reported"),
        About::Room(room) => line.plain("the room ").code(room).plain(" was reported"),
    };
    match reports {
        0 | 1 => line,
        many => line.plain(format!(" {} times", grouped(many))),
    }
}

/// The reasons, the most frequent first: `“spam” (30), “scam” (2), none given (3)`.
fn why(reports: &[Report]) -> Line {
    let mut counts: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    for report in reports {
        let reason = report.reason.as_ref().map(Hostile::raw).map(str::trim);
        *counts.entry(reason.filter(|reason| !reason.is_empty())).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut line = Line::new();
    for (place, (reason, count)) in counts.iter().take(NAMED).enumerate() {
        line = if place == 0 { line } else { line.plain(", ") };
        line = match reason {
            Some(reason) => line.hostile(&Hostile::new(*reason)),
            None => line.plain("none given"),
        };
        if reports.len() > 1 {
            line = line.plain(format!(" ({count})"));
        }
    }
    match counts.len().saturating_sub(NAMED) {
        0 => line,
        more => line.plain(format!(" and {more} more reasons")),
    }
}

/// In which rooms which events were reported.
fn places(reports: &[Report]) -> Vec<Fact> {
    let mut rooms: Vec<(&ruma::RoomId, Option<&Hostile>)> = Vec::new();
    let mut events: Vec<&str> = Vec::new();
    for report in reports.iter().rev() {
        let Reported::Event { room, event, name, .. } = &report.what else { continue };
        if !rooms.iter().any(|(known, _)| *known == &**room) {
            rooms.push((room, name.as_ref()));
        }
        if !events.contains(&event.as_str()) {
            events.push(event);
        }
    }
    let mut facts: Vec<Fact> = Vec::new();
    if !rooms.is_empty() {
        let mut line = Line::new();
        for (place, (room, name)) in rooms.iter().take(NAMED).enumerate() {
            line = if place == 0 { line } else { line.plain(", ") };
            line = match name {
                Some(name) => line.hostile(name).plain(" "),
                None => line,
            };
            line = line.code(room);
        }
        facts.push(("Room", more(line, rooms.len())));
    }
    if !events.is_empty() {
        let mut line = Line::new();
        for (place, event) in events.iter().take(NAMED).enumerate() {
            line = if place == 0 { line } else { line.plain(", ") };
            line = line.code(event);
        }
        facts.push(("Event", more(line, events.len())));
    }
    facts
}

fn more(line: Line, all: usize) -> Line {
    match all.saturating_sub(NAMED) {
        0 => line,
        more => line.plain(format!(" and {more} more")),
    }
}

/// When something is to be told again, in the words of a reminder.
pub(super) fn since(at: Timestamp, now: Timestamp) -> String {
    crate::reply::span(now.duration_since(at))
}
