//! Why a command ends without an answer of its own, said to the room.
//!
//! The room learns what happened, whose side it is on, and what to do next. The log gets the chain
//! of causes once, at the boundary where it is turned into a reply.

use crate::reply::{Hostile, Line, Reply, Status};

pub(crate) mod accounts;
pub mod api;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// What was asked for is not allowed, not understood, not there or not possible: said kindly,
    /// with what to type instead.
    #[error("refused")]
    Refused {
        /// The first word of the answer: one for which [`Status::is_no`] holds, or
        /// [`Status::NothingChanged`] where there is nothing that could be done.
        status: Status,
        /// What is wrong.
        why: Line,
        /// Commands that may be what was meant, without the `!`.
        instead: Vec<Vec<String>>,
    },
    /// The homeserver did not answer as it should.
    #[error(transparent)]
    Api(#[from] api::Error),
    /// The homeserver refused to show something, and it is known what that means.
    #[error("{}", .means.text())]
    NotShown {
        /// The cause, and what to do next.
        means: Line,
        /// The first word of the answer.
        ends: Status,
        /// Its own words, where no more is known than the kind of its refusal.
        said: Option<Hostile>,
        /// What it answered.
        #[source]
        refusal: api::Error,
    },
    /// The bot's own store cannot be used.
    #[error("I cannot read or write my store, so nothing was done")]
    Store(#[from] crate::store::Error),
    /// What is about to be done cannot be recorded first.
    #[error("I cannot write the record, so nothing was done")]
    Record(#[source] crate::store::Error),
    /// What was found could not be written down.
    #[error("I cannot write a temporary file, so I have no answer")]
    Disk(#[from] std::io::Error),
}

impl Stop {
    /// A right or a rule is against it.
    pub fn refused(why: impl Into<Line>) -> Self {
        Self::ending(Status::Refused, why)
    }

    /// What was typed is no command.
    pub fn not_understood(why: impl Into<Line>) -> Self {
        Self::ending(Status::NotUnderstood, why)
    }

    /// Nobody and nothing is known by what was typed.
    pub fn not_found(why: impl Into<Line>) -> Self {
        Self::ending(Status::NotFound, why)
    }

    /// What it takes failed, with nothing for the log to explain.
    pub fn failed(why: impl Into<Line>) -> Self {
        Self::ending(Status::Failed, why)
    }

    /// It ends with this first word.
    pub fn ending(status: Status, why: impl Into<Line>) -> Self {
        Self::Refused { status, why: why.into(), instead: Vec::new() }
    }

    /// The first word of the answer.
    pub fn status(&self) -> Status {
        match self {
            Self::Refused { status, .. } | Self::NotShown { ends: status, .. } => *status,
            Self::Api(error) => error.ends(),
            Self::Store(_) | Self::Record(_) | Self::Disk(_) => Status::Failed,
        }
    }

    /// The same with a command that may be what was meant.
    #[must_use]
    pub fn or(mut self, words: &[&str]) -> Self {
        if let Self::Refused { instead, .. } = &mut self {
            instead.push(words.iter().map(|&word| word.to_owned()).collect());
        }
        self
    }

    /// The answer to the room. `incident` is the short id under which the log has the causes.
    pub fn reply(&self, incident: &str) -> Reply {
        let status = self.status();
        match self {
            Self::Refused { why, instead, .. } => {
                let mut reply = Reply::outcome(status, why.clone());
                for words in instead {
                    reply = reply.command("Try", words.clone());
                }
                reply
            }
            Self::NotShown { means, said, .. } => {
                let reply = Reply::outcome(status, means.clone());
                match said {
                    Some(said) => reply
                        .facts(vec![("The homeserver said", Line::new().hostile(said))])
                        .note(Line::new().plain("In the log under ").code(incident)),
                    None => reply,
                }
            }
            Self::Record(_) => Reply::outcome(
                status,
                Line::from(self.to_string()).plain(". In the log under ").code(incident),
            ),
            Self::Api(_) | Self::Store(_) | Self::Disk(_) => {
                let of_token = matches!(self, Self::Api(error) if error.is_of_token());
                let is_word = |word: &str| of_token && word == "config";
                Reply::outcome(status, Line::new().naming(&self.to_string(), &is_word))
                    .note(Line::new().plain("In the log under ").code(incident))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audit, reply::Layout, store};

    #[test]
    fn what_the_log_explains_is_told_with_the_number_under_which_it_does() {
        let full = || store::Error::Broken("no space left".to_owned());
        let told = |stop: &Stop| stop.reply("482193").markdown(&Layout::default());
        for (stop, said) in [
            (Stop::Store(full()), "I cannot read or write my store"),
            (Stop::from(audit::Error::Store(full())), "I cannot write the record"),
            (Stop::Disk(std::io::Error::other("no space left")), "I cannot write a temporary file"),
        ] {
            let told = told(&stop);
            assert!(told.contains(said) && told.contains("482193"), "{told}");
            assert!(!told.contains("no space"), "the cause is for the log: {told}");
        }
        let known = told(&audit::Error::AlreadyOpened(17).into());
        assert!(known.contains("!audit show 17"), "{known}");
        assert!(!known.contains("482193"), "there is nothing in the log: {known}");
    }
}
