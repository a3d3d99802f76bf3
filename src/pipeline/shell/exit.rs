//! How a command from the shell ended, as its exit code says it.

use crate::{
    confirm::{End, State},
    error::Stop,
    pipeline::change::{Became, report::overall},
    reply::Status,
};

/// How a command from the shell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It was done, or answered.
    Done,
    /// The homeserver, the store or the bot failed, and nothing more was done.
    Failed,
    /// It was not understood.
    Usage,
    /// Nothing had to be changed, or was: a no, a plan that was not carried out.
    Unchanged,
    /// It may not be done, or not now.
    Refused,
    /// It takes a yes, and nobody was there to be asked.
    Asks,
    /// It waits for somebody else, or goes on without the shell.
    Waits,
    /// What became of it is not known.
    Unknown,
    /// Some of it was done.
    InPart,
    /// Who or what it is about is not known.
    NotFound,
}

impl Exit {
    /// Every one of them, in the order of their codes.
    pub const ALL: [Self; 10] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Unchanged,
        Self::Refused,
        Self::Asks,
        Self::Waits,
        Self::Unknown,
        Self::InPart,
        Self::NotFound,
    ];

    /// The exit code of the process.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unchanged => 3,
            Self::Refused => 4,
            Self::Asks => 5,
            Self::Waits => 6,
            Self::Unknown => 7,
            Self::InPart => 8,
            Self::NotFound => 9,
        }
    }

    /// What it means, for the help.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or answered",
            Self::Failed => "the homeserver failed, or the bot does not run; nothing was done",
            Self::Usage => "not understood",
            Self::Unchanged => "nothing changed: it already was that way, or you said no",
            Self::Refused => "refused: you may not, or not now",
            Self::Asks => {
                "it needs a confirmation, and there was no terminal to ask at; nothing \
                           was done"
            }
            Self::Waits => {
                "it waits for somebody else's approval in the room, or continues without the \
                            shell: as a job, or because somebody confirmed it in the room"
            }
            Self::Unknown => "unknown: it was sent, but the outcome cannot be known",
            Self::InPart => "done in part",
            Self::NotFound => "not found: nobody and nothing is known by that name or number",
        }
    }

    /// The one with this code.
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| exit.code() == code)
    }

    /// What became of a change.
    pub(in crate::pipeline) fn of(became: &Became) -> Self {
        match became {
            Became::Refused(_) | Became::Differs(_) => Self::Refused,
            Became::NotServed(reply) => reply.status.map_or(Self::Refused, Self::of_status),
            Became::NothingToDo(skips) => {
                let no = skips.iter().map(|(_, skip)| skip.status).find(|status| status.is_no());
                no.map_or(Self::Unchanged, Self::of_status)
            }
            Became::Rehearsed => Self::Unchanged,
            Became::Planned(_) => Self::Done,
            Became::ToAsk(_) => Self::Asks,
            Became::Job(_) => Self::Waits,
            Became::Ran(ran) => Self::of_status(overall(&ran.done)),
        }
    }

    /// A question that waited at the terminal and was answered in the room: with a yes, what becomes of
    /// it is said there.
    pub(in crate::pipeline) fn of_answer_elsewhere(state: &State) -> Self {
        match state {
            State::Taken { .. } | State::Ended { how: End::Run(_), .. } => Self::Waits,
            State::Open | State::Ended { .. } => Self::Refused,
        }
    }

    /// The first word of an answer that is not about a change of the homeserver.
    pub(in crate::pipeline) fn of_status(status: Status) -> Self {
        match status {
            Status::Done => Self::Done,
            Status::DoneInPart => Self::InPart,
            Status::NothingChanged => Self::Unchanged,
            Status::Refused | Status::Expired => Self::Refused,
            Status::NotUnderstood => Self::Usage,
            Status::NotFound => Self::NotFound,
            Status::Failed => Self::Failed,
            Status::Unknown => Self::Unknown,
        }
    }

    /// Why a command ended early.
    pub(in crate::pipeline) fn of_stop(stop: &Stop) -> Self {
        Self::of_status(stop.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_them() {
        const PAGE: &str = include_str!("../../../docs/shell.md");
        let rows = PAGE.lines().filter(|line| line.starts_with("| ") && !line.contains("meaning"));
        let exits = Exit::ALL.map(|exit| format!("| {} | {} |", exit.code(), exit.meaning()));
        assert_eq!(rows.collect::<Vec<_>>(), exits);
    }

    #[test]
    fn every_exit_has_a_code_of_its_own_and_is_found_by_it() {
        for (place, exit) in Exit::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(exit.code()), place);
            assert_eq!(Exit::of_code(exit.code()), Some(exit));
        }
        assert_eq!(Exit::of_code(10), None);
    }
}
