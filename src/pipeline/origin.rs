//! Where a command comes from: a message that was sent, the machine's own shell, or work that goes on
//! in somebody's name.

use ruma::{EventId, OwnedEventId, OwnedRoomId};
use sha2::{Digest as _, Sha256};

use super::{Invocation, Request, ShellCommand, Trust};
use crate::audit::{Kind, Record};

/// How many ids of requests there are: those of six digits.
const IDS: u64 = 1_000_000;

/// The short id of what a message asks for: six digits, in the answer where the log has the causes of
/// something, in each line of the log, and on record. It follows from the event, so that it is the same
/// after a restart, and for what goes on from the message later.
pub fn request_id(event: &EventId) -> String {
    let hash = Sha256::digest(event.as_bytes());
    let number = hash.iter().take(7).fold(0_u64, |number, byte| number * 256 + u64::from(*byte));
    format!("{:06}", number % IDS)
}

/// The span of the lines that the log has of what this message asks for. Of the level of errors, so that
/// no filter that shows a line leaves it out.
pub(super) fn span(event: &EventId) -> tracing::Span {
    tracing::error_span!("request", id = %request_id(event))
}

/// Where a command comes from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// A message, with what makes it its sender's own word.
    Message(&'a Request),
    /// It was typed in a shell of the machine, by an account of it that the config maps to an operator.
    Shell(&'a ShellCommand),
    /// Nobody has sent anything now. It follows from an earlier message, whose origin was judged
    /// when it came, and it is done in the name of whoever sent that.
    Scheduled(Scheduled<'a>),
}

/// Work that follows from an earlier message.
#[derive(Debug, Clone, Copy)]
pub struct Scheduled<'a> {
    /// What kind of work.
    pub kind: ScheduledKind,
    /// The admin room of that message.
    pub room: &'a OwnedRoomId,
    /// That message.
    pub event: &'a OwnedEventId,
}

/// A kind of work that follows from an earlier message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduledKind {
    /// A subject of a job, under the yes that was said to all of it.
    Job,
    /// A change is taken back because its time, or what had led to it, is over. No yes is said to it.
    SanctionExpiry,
    /// A rule of a policy list leads to a change, which was announced by that message, of the bot's own. No
    /// yes is said to it.
    PolicyRule,
    /// A reporter is told that a case was looked at, in the name of whoever closed it. The config says so,
    /// and no other yes.
    ReporterNotice,
}

impl<'a> Origin<'a> {
    /// The admin room in which it is answered; of what was typed in a shell, that in which the others
    /// are told of it.
    pub fn room(self) -> &'a OwnedRoomId {
        match self {
            Self::Message(request) => &request.room,
            Self::Shell(command) => &command.room,
            Self::Scheduled(work) => work.room,
        }
    }

    /// The message to which its answer replies, or what stands for it where there is none.
    pub fn event(self) -> &'a OwnedEventId {
        match self {
            Self::Message(request) => &request.event,
            Self::Shell(command) => &command.event,
            Self::Scheduled(work) => work.event,
        }
    }

    /// The message, where there is one now.
    pub fn message(self) -> Option<&'a Request> {
        match self {
            Self::Message(request) => Some(request),
            Self::Shell(_) | Self::Scheduled(_) => None,
        }
    }

    /// What was typed in a shell, where it was.
    pub fn shell(self) -> Option<&'a ShellCommand> {
        match self {
            Self::Shell(command) => Some(command),
            Self::Message(_) | Self::Scheduled(_) => None,
        }
    }

    /// Whether somebody has typed it now, and waits for it.
    pub fn is_typed(self) -> bool {
        matches!(self, Self::Message(_) | Self::Shell(_))
    }

    /// Whether it runs because a sanction, or what had led to it, is over.
    pub fn is_sanction_expiry(self) -> bool {
        matches!(self, Self::Scheduled(Scheduled { kind: ScheduledKind::SanctionExpiry, .. }))
    }

    /// Whether it tells a reporter that a case was looked at.
    pub fn is_reporter_notice(self) -> bool {
        matches!(self, Self::Scheduled(Scheduled { kind: ScheduledKind::ReporterNotice, .. }))
    }

    /// Whether anything shows that its sender has encrypted it. Work that was scheduled shows
    /// nothing, and counts as little as a message in clear; so does what was typed in a shell, which
    /// shows whose account of the machine it was and no key of theirs.
    pub fn is_in_clear(self) -> bool {
        self.message().is_none_or(|request| request.trust == Trust::Clear)
    }
}

impl Invocation<'_> {
    /// The admin room in which it is answered.
    pub(super) fn room(&self) -> OwnedRoomId {
        self.origin.room().clone()
    }

    /// The message to which its answer replies.
    pub(super) fn event(&self) -> OwnedEventId {
        self.origin.event().clone()
    }

    /// A record of this kind about what is asked.
    pub(super) fn record(&self, kind: Kind) -> Record {
        Record {
            by: Some(self.operator.user.clone()),
            room: Some(self.room()),
            // What nobody typed has no event: the one that asked has led to its own change.
            event: (!self.origin.is_sanction_expiry() && !self.origin.is_reporter_notice())
                .then(|| self.event()),
            way: self.origin.shell().map(|command| command.way),
            request: Some(request_id(self.origin.event())),
            words: self.words.to_vec(),
            undoes: self.undoes,
            reason: self.options.reason.clone(),
            ..Record::new(kind)
        }
    }
}

#[cfg(test)]
mod tests {
    use ruma::event_id;

    use super::*;

    #[test]
    fn a_request_has_six_digits_that_follow_from_its_event() {
        let ids = [event_id!("$a"), event_id!("$b"), event_id!("$143273582443PhrSn:example.org")];
        let ids = ids.map(request_id);
        for id in &ids {
            assert!(id.len() == 6 && id.bytes().all(|digit| digit.is_ascii_digit()), "{id}");
        }
        assert_eq!(ids[0], request_id(event_id!("$a")));
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
    }
}
