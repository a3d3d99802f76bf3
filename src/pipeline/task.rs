//! A message, and what it is: what is to be done with it, and before or after what else.

use jiff::Timestamp;
use ruma::OwnedEventId;

use super::{
    Request, Said, Trust,
    inbound::{
        press::Press,
        read::Heard,
        understand::{misplaced, tokens},
    },
    own::Own,
    voice::last_word::LastAsked,
};
use crate::{
    commands::{Action, Options, Query},
    operators::Operator,
    reply::Reply,
};

/// A message of which it is known that it is for the bot, and whose words are not parsed yet.
#[derive(Debug)]
pub struct Message {
    pub(super) request: Request,
    pub(super) heard: Heard,
    /// When it came: what it waits for here does not make it older.
    pub(super) arrived: Timestamp,
}

impl Message {
    /// The event.
    pub(super) fn event(&self) -> &OwnedEventId {
        &self.request.event
    }
}

/// A message and what it is.
#[derive(Debug)]
pub struct Task {
    pub(super) request: Request,
    pub(super) what: What,
    pub(super) arrived: Timestamp,
    /// The alias that its command was typed by.
    pub(super) alias: Option<Expanded>,
    /// The words of its command, where that came as an object.
    pub(super) structured: Option<Vec<String>>,
}

/// An alias, and the words that it and what was typed with it stand for.
#[derive(Debug)]
pub(super) struct Expanded {
    pub(super) name: String,
    pub(super) words: Vec<String>,
}

#[derive(Debug)]
pub(super) enum What {
    /// From somebody who is not an operator.
    Stranger,
    /// A command, by an operator.
    Command(Operator, Command),
    /// Nothing to do but to say this.
    Say(Reply),
    /// Not run, and perhaps with a secret in it: to be taken out of the room, and answered without
    /// a word of it.
    Suspect(Suspicion),
}

impl What {
    /// Whether it is a bare `yes` to something that is open: where it is not believed nothing is said,
    /// and its sender would wait.
    pub(super) fn answers_something(&self) -> bool {
        match self {
            Self::Command(_, Command::Yes(YesTo::Reply(..))) => true,
            Self::Command(_, Command::Yes(YesTo::LastWord(last))) => !last.codes.is_empty(),
            _ => false,
        }
    }
}

/// Why a message may hold a secret.
#[derive(Debug)]
pub(super) enum Suspicion {
    /// It is nearly a command that takes one.
    Misplaced(misplaced::Meant),
    /// There is an access token in it.
    Token,
}

impl Suspicion {
    /// The answer to the message, which is out of the room if it is `removed`.
    pub(super) fn told(&self, removed: bool) -> Reply {
        match self {
            Self::Misplaced(meant) => misplaced::told(*meant, removed),
            Self::Token => tokens::told(removed),
        }
    }
}

#[derive(Debug)]
pub(super) enum Command {
    Read(Box<dyn Query>, Options, Vec<String>),
    Change(Box<dyn Action>, Options, Vec<String>),
    Own(Box<dyn Own>, Options, Vec<String>),
    /// A change whose subjects are listed in the file that this event may be.
    InFile(Vec<String>, OwnedEventId),
    /// A reaction or a bare `yes`.
    Yes(YesTo),
    /// A reaction or a bare `no` to this event, or to whatever is open.
    No(Option<OwnedEventId>),
    /// A reaction to what this event shows.
    Press(OwnedEventId, Press),
}

impl Command {
    /// Whether a secret was typed, in the place of one.
    pub(super) fn holds_secret(&self) -> bool {
        matches!(self, Self::Change(action, ..) if !action.typed().is_empty())
    }
}

/// What a reaction or a bare `yes` is to.
#[derive(Debug)]
pub(super) enum YesTo {
    /// This event, by a reaction to it.
    Event(OwnedEventId),
    /// This event, by a reply to it; with the questions that were the last word then.
    Reply(OwnedEventId, LastAsked),
    /// The question that was the last word when it was said, if it is one of these.
    LastWord(LastAsked),
}

/// What comes before or after what else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// After those of the same operator's earlier changes that may be about the same, beside everything
    /// else.
    Beside,
    /// After the same operator's earlier changes, and before their later commands.
    InTurn,
    /// At once.
    Overtaking,
}

impl Task {
    /// What is known of it before any words are.
    pub(super) fn with(request: Request, what: What, arrived: Timestamp) -> Self {
        Self { request, what, arrived, alias: None, structured: None }
    }

    pub(super) fn lane(&self) -> Lane {
        // It is refused, whatever it says. Who can write in an operator's name without being them
        // must not hold up what they ask for.
        let reaction = matches!(self.request.said, Said::Reaction { .. });
        if matches!(self.request.trust, Trust::Doubtful(_)) && !reaction {
            return Lane::Overtaking;
        }
        match &self.what {
            What::Command(_, Command::Change(..) | Command::InFile(..) | Command::Yes(_)) => {
                Lane::InTurn
            }
            What::Command(_, Command::Own(own, ..)) => own.lane(),
            What::Command(_, Command::No(_)) => Lane::Overtaking,
            What::Command(_, Command::Read(..) | Command::Press(..))
            | What::Stranger
            | What::Say(_)
            | What::Suspect(_) => Lane::Beside,
        }
    }
}
