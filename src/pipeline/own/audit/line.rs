//! An entry of the record in one line, as the list and the room of the record show it: when, who, what,
//! to whom, why, and how it ended where it was not simply done.

use jiff::{Timestamp, tz::TimeZone};
use ruma::{ServerName, UserId};

use super::kind_in_words;
use crate::{
    audit::{Kept, Kind, Record},
    change::{Subject, set},
    commands::{self, Ask},
    pipeline::inbound::understand::{Understood, understand},
    refs::without_server,
    reply::{Hostile, Line, Status},
};

/// An entry among others: what one wants to know first.
pub(in crate::pipeline) fn line(kept: &Kept, now: Timestamp, own: &ServerName) -> Line {
    let line = Line::from(format!("{} ", moment(kept.entry.at, now)));
    let number = format!("#{}", kept.entry.seq);
    let Some(record) = &kept.record else {
        let what = kind_in_words(kept.entry.kind);
        return line.plain(format!("{what} · details gone · ")).code(number);
    };
    let line = besides(line.line(what(record, own)), record);
    match record.of {
        // The number that the answer gave, and by which it is undone.
        Some(of) if kept.entry.kind == Kind::Closed => line.plain(" · ").code(format!("#{of}")),
        _ => line.plain(" · ").code(number),
    }
}

/// When, in UTC: without the day where it is today, with the year where it is another.
fn moment(at: Timestamp, now: Timestamp) -> String {
    let (at_day, now_day) = (at.to_zoned(TimeZone::UTC).date(), now.to_zoned(TimeZone::UTC).date());
    let how = if at_day == now_day {
        "%H:%M"
    } else if at_day.year() == now_day.year() {
        "%-d %b %H:%M"
    } else {
        "%-d %b %Y %H:%M"
    };
    at.strftime(how).to_string()
}

/// Who, by the short name that no account of another server has.
pub(in crate::pipeline::own) fn who(user: Option<&UserId>, own: &ServerName) -> Line {
    let Some(user) = user else { return Line::from("I") };
    let short = without_server(user.as_str(), own);
    let local = short != user.as_str();
    Line::new().code(if local { user.localpart() } else { short })
}

/// Who did what to whom.
fn what(record: &Record, own: &ServerName) -> Line {
    let by = who(record.by.as_deref(), own);
    let whom = |line: Line| match record.subjects.as_slice() {
        [] => line,
        subjects => line.plain(" ").line(set(subjects, own)),
    };
    let asked = || match record.subjects.as_slice() {
        // What was refused early was not understood as being about anybody.
        [] => Line::new().command(crate::input::shown(&record.words)),
        subjects => whom(Line::from(bare_verb(&record.words, subjects))),
    };
    match record.kind {
        Kind::Opened => whom(by.plain(" started: ").plain(verb(&record.words))),
        Kind::Closed => whom(by.plain(" ").plain(did(&record.words))),
        Kind::Ended => whom(Line::from("the homeserver has finished: ").plain(verb(&record.words))),
        Kind::QuestionPut => by.plain(" asked: ").line(asked()),
        Kind::Refused => by.plain(" was refused ").line(asked()),
        Kind::Approved => by.plain(" approved ").line(asked()),
        Kind::Denied => by.plain(" denied ").line(asked()),
        Kind::Cancelled => by.plain(" cancelled ").line(asked()),
        Kind::Expired => Line::from("question expired: ").line(asked()),
        Kind::Looked => by.plain(" looked at private things: ").line(looked(record)),
        Kind::Moved => whom(by.plain(" moved the end for")),
        kind => whom(by.plain(format!(": {}", kind_in_words(kind)))),
    }
}

/// The verb without its group where it is a verb in English too, and the group says no more than whom it
/// is about.
fn bare_verb(words: &[String], subjects: &[Subject]) -> String {
    let (verb, past) = (verb(words), did(words));
    let said = |group: &str, is: fn(&Subject) -> bool| {
        let bare = verb.strip_prefix(group)?;
        let stem = bare.get(..bare.len().checked_sub(1)?)?;
        (past.starts_with(stem) && subjects.iter().all(is)).then(|| bare.to_owned())
    };
    said("user ", |subject| matches!(subject, Subject::User(_)))
        .or_else(|| said("room ", |subject| matches!(subject, Subject::Room(_))))
        .unwrap_or(verb)
}

/// What was looked at: its whole command, since that says what of it is private.
fn looked(record: &Record) -> Line {
    Line::new().command(crate::input::shown(&record.words))
}

/// What else must not be missed: who else stands behind it, why, and how it ended.
fn besides(line: Line, record: &Record) -> Line {
    let mut line = line;
    if let Some(way) = record.way {
        line = line.plain(" · by ").line(way.into());
    }
    for by in &record.approvals {
        line = line.plain(" · approved by ").code(by);
    }
    if let Some(alone) = &record.alone {
        line = line.plain(" · ALONE: ").hostile(&Hostile::new(alone.clone()));
    }
    if let Some(number) = record.undoes {
        line = line.plain(" · undoes ").code(format!("#{number}"));
    }
    if let Some(reason) = &record.reason {
        line = line.plain(" · ").hostile(&Hostile::new(reason.clone()));
    }
    if record.erased > 0 {
        line = line.plain(format!(" · {} of its subjects erased since", record.erased));
    }
    let ended = matches!(record.kind, Kind::Closed | Kind::Ended);
    line = match record.status {
        None if ended => line.plain(" · it is not known how it ended"),
        Some(status) if ended && status != Status::Done => {
            line.plain(" · ").strong(status.as_str())
        }
        _ => line,
    };
    // Of what is simply done it would say nothing more.
    let simply = record.kind == Kind::Closed && record.status == Some(Status::Done);
    match &record.note {
        Some(note) if !simply => line.plain(format!(" · {note}")),
        _ => line,
    }
}

/// The verb as it is listed in the help; of what is no command any more its first words.
pub(in crate::pipeline::own) fn verb(words: &[String]) -> String {
    match understand(words) {
        Understood::Command(_, options) | Understood::Own(_, options)
            if !options.verb.is_empty() =>
        {
            options.verb
        }
        _ => first_words(words),
    }
}

fn first_words(words: &[String]) -> String {
    let first = words.iter().take(2).cloned().collect::<Vec<_>>().join(" ");
    if first.is_empty() { "something".to_owned() } else { first }
}

/// What a change did, before whom it was done to.
pub(in crate::pipeline) fn did(words: &[String]) -> String {
    let known = match understand(words) {
        Understood::Command(Ask::Change(action), options) => {
            action.did().or_else(|| commands::did(&options.verb))
        }
        Understood::Own(_, options) => commands::did(&options.verb),
        Understood::Command(Ask::Read(_), _) | Understood::Reply(_) => None,
    };
    known.map_or_else(|| format!("ran {} on", first_words(words)), str::to_owned)
}

#[cfg(test)]
mod tests;
