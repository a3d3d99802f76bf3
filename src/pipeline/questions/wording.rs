//! What a question says: what, whom and at what cost in its first line, then what differs from the
//! ordinary, what goes and stays, the command as it was understood, and the ways to say yes and no.

use jiff::{Timestamp, tz::TimeZone};
use ruma::ServerName;

use crate::{
    change::{Snapshot, Subject, is_minor, is_ordinary},
    commands::Action,
    confirm::{Demand, Ticket},
    notes::Notes,
    operators::Roster,
    pipeline::{
        change::{Earlier, Looked, Plan, overview, report::cost_in_words},
        questions::not_this,
    },
    reply::{Block, Fact, Line, Reply, Span, utc_beside},
};

/// Where the digits of an app stand in a command that is shown.
const TOTP: &str = "ONE-TIME-PASSWORD";

/// A question before it is put into words.
pub(super) struct Asked<'a> {
    pub(super) ticket: &'a Ticket,
    pub(super) action: &'a dyn Action,
    pub(super) looked: &'a Looked,
    pub(super) earlier: &'a Earlier,
    pub(super) roster: &'a Roster,
    pub(super) notes: Option<&'a Notes>,
    /// This homeserver, whose name is left out of ids.
    pub(super) server: &'a ServerName,
    /// The time zone of whoever asked, beside UTC: everybody reads the question.
    pub(super) zone: Option<TimeZone>,
    /// Whether another question of whoever asked is open in the room: then a reaction could be meant for
    /// either, and is answered with the question for which.
    pub(super) another_is_open: bool,
    pub(super) now: Timestamp,
}

impl Asked<'_> {
    /// What it is about.
    pub(super) fn question(&self) -> Reply {
        let plans = &self.looked.plans;
        let command = canonical(&self.ticket.words, plans, self.server);
        let (title, others) = match plans.as_slice() {
            [one] => (self.title(one, &command), Vec::new()),
            several => overview::title(self.action, several, self.server),
        };
        let mut reply = self.earlier(Reply::data(self.head(title)));
        reply = match plans.as_slice() {
            [one] => match shown(&one.seen, named_in_title(self.action, one)) {
                facts if facts.is_empty() => reply,
                facts => reply.text(in_a_row(facts)),
            },
            several if overview::are_many(several) => self.outstanding(reply),
            several => {
                let lines = several.iter().map(one_of_several).collect();
                reply.with(Block::List(Line::new(), lines))
            }
        };
        if !others.is_empty() {
            reply = reply.with(Block::List("Not the same for all:".into(), others));
        }
        reply = overview::goes_and_stays(reply, self.action, plans);
        if overview::are_many(&self.looked.skips) {
            reply = overview::left_out(reply, &self.looked.skips, self.roster);
        } else {
            for (subject, skip) in &self.looked.skips {
                reply = reply.text(not_this(subject, skip));
            }
        }
        reply = overview::warned(reply, self.action, plans);
        reply.text(Line::from("Command: ").command(crate::input::shown(&command)))
    }

    /// The first line: the code, what is done to whom, and whether it could be undone. A notification
    /// shows its beginning.
    fn head(&self, title: Line) -> Line {
        Line::from(format!("❓ {} · ", self.ticket.code))
            .line(title)
            .plain(format!(" · {}", cost_in_words(self.ticket.class, self.action)))
    }

    /// What is done to one, with its name behind its id; the whole id, unless the command below has it.
    fn title(&self, plan: &Plan, command: &[String]) -> Line {
        let title = self.action.question(&plan.subject, &plan.seen).title;
        let whole = plan.subject.to_string();
        let id = if command.contains(&whole) {
            plan.subject.short(self.server).into_owned()
        } else {
            whole.clone()
        };
        let named = match name(plan) {
            Some(name) => Line::new().code(id).plain(" ").line(name),
            None => Line::new().code(id),
        };
        title.with_code(&whole, named)
    }

    fn earlier(&self, reply: Reply) -> Reply {
        match self.earlier {
            Earlier::None => reply,
            Earlier::NotEnough => {
                reply.text("What was said so far is not enough any more, so I ask again")
            }
            Earlier::Differs(differences) => {
                let reply = reply.text("Something changed since I asked, so I ask again:");
                differences.iter().fold(reply, |reply, one| reply.text(one.line()))
            }
        }
    }

    fn outstanding(&self, reply: Reply) -> Reply {
        match overview::stands_out(self.looked, self.roster, self.notes) {
            out if out.is_empty() => reply,
            out => reply.with(Block::List("What stands out among them:".into(), out)),
        }
    }

    /// How yes and no are said, each as a command that is complete.
    pub(super) fn ways(&self, reply: Reply, at_terminal: bool) -> Reply {
        let ticket = self.ticket;
        let (yes, no) = match ticket.second {
            Some(_) => ("approve", "deny"),
            None => ("confirm", "cancel"),
        };
        let for_asker = ticket.second.is_none() && ticket.alone.is_none() && !ticket.totp;
        if ticket.demand == Demand::Yes && at_terminal && for_asker {
            return reply.text(Line::from("Go on? Type ").code("yes").plain(" or ").code("no"));
        }
        let (mut words, mut with) = (vec![yes.to_owned(), ticket.code.clone()], Vec::new());
        if let Demand::Phrase(_) = ticket.demand {
            let (placeholder, what) = self.phrase();
            words.push(placeholder.to_owned());
            with.push(Line::from(what).plain(" in place of ").code(placeholder));
        }
        if ticket.totp {
            words.push(TOTP.to_owned());
            with.push(Line::from("your one-time password in place of ").code(TOTP));
        }
        let mut head = match (&ticket.second, ticket.alone) {
            (Some(_), _) => Line::from("To approve or deny it, send one of these"),
            (None, Some(from)) => {
                Line::from(format!("To go on, from {}, or not", self.moment(from)))
            }
            (None, None) if is_light(ticket, self.roster) && self.another_is_open => {
                Line::from("Go on? Reply ").code("yes").plain(" or ").code("no").plain(", or send")
            }
            (None, None) if is_light(ticket, self.roster) => {
                Line::from("Go on? React ✅ or ❌, reply ")
                    .code("yes")
                    .plain(" or ")
                    .code("no")
                    .plain(", or send")
            }
            (None, None) => Line::from("To go on or not, send one of these"),
        };
        for (n, with) in with.into_iter().enumerate() {
            head = head.plain(if n == 0 { ", with " } else { " and " }).line(with);
        }
        let ways =
            vec![(Line::new(), words), (Line::new(), vec![no.to_owned(), ticket.code.clone()])];
        reply.text(head.plain(":")).with(Block::Commands(ways))
    }

    /// Until when it is open.
    pub(super) fn open_until(&self) -> String {
        format!("Open until {}", self.moment(self.ticket.expires))
    }

    /// A moment for everybody: without the day, where that is today.
    pub(super) fn moment(&self, at: Timestamp) -> String {
        utc_beside(at, self.zone.as_ref(), self.now)
    }

    /// What stands for the phrase, and what the phrase is.
    fn phrase(&self) -> (&'static str, &'static str) {
        match self.looked.plans.as_slice() {
            [one] => (one.subject.phrase_placeholder(), one.subject.phrase_in_words()),
            _ => ("COUNT", "how many there are"),
        }
    }
}

/// Whether a reaction or a bare word answers it.
pub(super) fn is_light(ticket: &Ticket, roster: &Roster) -> bool {
    ticket.demand == Demand::Yes
        && ticket.second.is_none()
        && ticket.alone.is_none()
        && !ticket.totp
        && roster.policy.reactions
}

/// The name that is shown of an account or a room; of anything else it may be that of something else.
fn name(plan: &Plan) -> Option<Line> {
    if !matches!(plan.subject, Subject::User(_) | Subject::Room(_)) {
        return None;
    }
    let (_, value) = plan.seen.display.iter().find(|(label, _)| *label == "Name")?;
    matches!(value.0.as_slice(), [Span::Hostile(name)] if !name.is_empty()).then(|| value.clone())
}

/// Whether the first line says which it is and how it is called.
fn named_in_title(action: &dyn Action, plan: &Plan) -> bool {
    let title = action.question(&plan.subject, &plan.seen).title;
    matches!(plan.subject, Subject::User(_) | Subject::Room(_))
        && title.names(&plan.subject.to_string())
}

/// What is shown of one: what the first line has not said already, and does not go without saying.
fn shown(seen: &Snapshot, named: bool) -> Vec<Fact> {
    let said = |fact: &&Fact| named && matches!(fact.0, "Name" | "Id");
    seen.display.iter().filter(|fact| !said(fact) && !is_ordinary(fact)).cloned().collect()
}

/// One of several on its line: the whole id, its name, and what sets it apart.
fn one_of_several(plan: &Plan) -> Line {
    let mut line = Line::new().code(&plan.subject);
    let name = name(plan);
    let named = name.is_some() || matches!(plan.subject, Subject::User(_) | Subject::Room(_));
    if let Some(name) = name {
        line = line.plain(" ").line(name);
    }
    let facts: Vec<Fact> =
        shown(&plan.seen, named).into_iter().filter(|fact| !is_minor(fact)).collect();
    if facts.is_empty() { line } else { line.plain(" · ").line(in_a_row(facts)) }
}

/// Facts one behind the other.
fn in_a_row(facts: Vec<Fact>) -> Line {
    let mut line = Line::new();
    for (n, (label, value)) in facts.into_iter().enumerate() {
        line = line.plain(if n == 0 { "" } else { " · " }).plain(format!("{label}: "));
        line = if value.is_empty() { line.plain("(none)") } else { line.line(value) };
    }
    line
}

/// The words of a command with each subject as its whole id, as far as its short form stands there once
/// and cannot be the value of an option.
fn canonical(words: &[String], plans: &[Plan], own: &ServerName) -> Vec<String> {
    let mut words = words.to_vec();
    for plan in plans {
        let whole = plan.subject.typed();
        let localpart = plan.subject.user().map(|user| user.localpart());
        let short = plan.subject.short(own);
        let is_it = |word: &String| *word == *short || localpart == Some(word.as_str());
        let mut places = (2..words.len()).filter(|at| words.get(*at).is_some_and(is_it));
        let (Some(at), None) = (places.next(), places.next()) else { continue };
        let may_be_a_value = words.get(at - 1).is_some_and(|before| before.starts_with('-'));
        if !matches!(plan.subject, Subject::User(_) | Subject::Room(_)) || may_be_a_value {
            continue;
        }
        if let Some(word) = words.get_mut(at) {
            *word = whole;
        }
    }
    words
}

#[cfg(test)]
mod tests;
