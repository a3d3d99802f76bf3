//! The yes to a question, and whether it counts.

use jiff::Timestamp;
use ruma::{OwnedUserId, RoomId, UserId};

use super::{State, Ticket};
use crate::gate::Demand;

/// How somebody tried to say yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Yes {
    /// A reaction or a bare `yes`.
    Light,
    /// The code, with what was typed after it.
    Code(Vec<String>),
}

/// Why a yes does not count.
#[derive(Debug, Clone, PartialEq)]
pub enum No {
    /// No such code.
    Unknown,
    /// The question was put in another room.
    Elsewhere,
    /// The question is somebody else's.
    NotYours(OwnedUserId),
    /// It is over already.
    Over(Box<Ticket>),
    /// Its time has passed.
    Late(Box<Ticket>),
    /// It takes the code.
    NeedsCode(Box<Ticket>),
    /// It takes a phrase after the code, and there was none.
    NeedsPhrase(Box<Ticket>),
    /// The phrase was another.
    WrongPhrase(Box<Ticket>),
    /// It needed a secret that died with the process.
    SecretGone(Box<Ticket>),
}

/// The proof that somebody said yes to a ticket in a way that it demands. Only
/// [`Tickets::take`] makes one.
#[derive(Debug)]
pub struct Consent {
    pub(super) demand: Demand,
    pub(super) by: OwnedUserId,
}

impl Consent {
    /// Whether this yes is enough for `demand`.
    pub fn satisfies(&self, demand: &Demand) -> bool {
        match (&self.demand, demand) {
            // A phrase names subjects, so only the very same phrase will do.
            (Demand::Phrase(said), Demand::Phrase(wanted)) => said == wanted,
            (said, wanted) => said >= wanted,
        }
    }

    /// Who said it.
    pub fn by(&self) -> &UserId {
        &self.by
    }

    #[cfg(test)]
    pub(crate) fn for_test(demand: Demand) -> Self {
        Self { demand, by: ruma::owned_user_id!("@ann:x.test") }
    }
}

/// Whether this yes counts for this ticket.
pub(super) fn judge(
    ticket: &Ticket,
    yes: &Yes,
    by: &UserId,
    room: &RoomId,
    now: Timestamp,
    secret_here: bool,
) -> Result<(), No> {
    let this = || Box::new(ticket.clone());
    if ticket.room != *room {
        return Err(No::Elsewhere);
    }
    if ticket.state != State::Open {
        return Err(No::Over(this()));
    }
    if ticket.asker != *by {
        return Err(No::NotYours(ticket.asker.clone()));
    }
    if ticket.expires <= now {
        return Err(No::Late(this()));
    }
    match (yes, &ticket.demand) {
        (Yes::Light, Demand::Code | Demand::Phrase(_)) => return Err(No::NeedsCode(this())),
        (Yes::Code(typed), Demand::Phrase(phrase)) => match typed.join(" ") {
            none if none.is_empty() => return Err(No::NeedsPhrase(this())),
            said if said == *phrase => {}
            _ => return Err(No::WrongPhrase(this())),
        },
        (Yes::Light, Demand::Yes) | (Yes::Code(_), Demand::Yes | Demand::Code) => {}
    }
    if ticket.holds_secret && !secret_here {
        return Err(No::SecretGone(this()));
    }
    Ok(())
}
