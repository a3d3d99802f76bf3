//! The yes to a question, and whether it counts.

use jiff::Timestamp;
use ruma::{OwnedEventId, OwnedUserId, RoomId, UserId};

use super::{State, Ticket};
use crate::{confirm::Demand, operators::Operator, totp::Shown};

/// How somebody tried to say yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Yes {
    /// A reaction or a bare `yes`.
    Light,
    /// The code, with what was typed after it.
    Code(Vec<String>),
    /// The same, by somebody who did not ask for it.
    Approve(Vec<String>),
}

impl Yes {
    /// What was typed after the code.
    fn typed(&self) -> Option<&[String]> {
        match self {
            Self::Light => None,
            Self::Code(typed) | Self::Approve(typed) => Some(typed),
        }
    }
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
    /// It takes the word of others than the asker.
    NeedsOthers(Box<Ticket>),
    /// It is not one that others approve.
    NeedsAsker(Box<Ticket>),
    /// Whoever asked, or somebody who may not do it, has approved it.
    MayNotApprove(Box<Ticket>),
    /// The same person has approved it already.
    Approved(Box<Ticket>),
    /// Its asker is alone, and the others have still time to deny it.
    TooEarly(Box<Ticket>),
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
    /// It takes a one-time password, and none was shown.
    NeedsTotp(Box<Ticket>),
}

/// Who says yes, where, and by what.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// How it is said.
    pub yes: &'a Yes,
    /// By whom.
    pub by: &'a Operator,
    /// In which room.
    pub room: &'a RoomId,
    /// By which event.
    pub event: &'a OwnedEventId,
    /// Whether a typed secret of the question is still in memory.
    pub secret_here: bool,
    /// The proof of a one-time password, where one was shown.
    pub totp: Option<&'a Shown>,
}

/// What became of a yes.
#[derive(Debug)]
pub enum Taken {
    /// It was the last that was needed: the ticket is taken, and nobody else can take it.
    Whole(Ticket, Consent),
    /// It counts, and the ticket waits for others.
    Part(Ticket),
    /// It does not count.
    Not(No),
}

/// The proof that somebody said yes to a ticket in a way that it demands. Only
/// [`Tickets::take`](super::Tickets::take) makes one, and [`Ticket::consent`] from a ticket that it
/// has taken.
#[derive(Debug)]
pub struct Consent {
    demand: Demand,
    by: OwnedUserId,
    approvals: Vec<OwnedUserId>,
    totp: bool,
    alone: bool,
}

impl Consent {
    /// What the last yes, in this answer, to this ticket amounts to.
    pub(super) fn to(ticket: &Ticket, answer: &Answer<'_>) -> Self {
        let demand = match (answer.yes, &ticket.demand) {
            (Yes::Light, _) => Demand::Yes,
            (_, Demand::Yes) => Demand::Code,
            (_, demand) => demand.clone(),
        };
        Self {
            demand,
            by: answer.by.user.clone(),
            approvals: ticket.approvals().map(|approval| approval.by.clone()).collect(),
            totp: ticket.totp,
            alone: ticket.alone.is_some(),
        }
    }

    /// What was said to a ticket that is taken and in hand, for work that outlives a start; `None`
    /// where it is not.
    pub(super) fn kept(ticket: &Ticket) -> Option<Self> {
        let State::Taken { by, .. } = &ticket.state else { return None };
        Some(Self {
            demand: ticket.demand.clone(),
            by: by.clone(),
            approvals: ticket.approvals().map(|approval| approval.by.clone()).collect(),
            totp: ticket.totp,
            alone: ticket.alone.is_some(),
        })
    }

    /// Whether this yes is enough for `demand`.
    pub fn satisfies(&self, demand: &Demand) -> bool {
        match (&self.demand, demand) {
            // A phrase names subjects, so only the very same phrase will do.
            (Demand::Phrase(said), Demand::Phrase(wanted)) => said == wanted,
            (said, wanted) => said >= wanted,
        }
    }

    /// Who said it last.
    pub fn by(&self) -> &UserId {
        &self.by
    }

    /// Those who said it without having asked for it.
    pub fn approvals(&self) -> &[OwnedUserId] {
        &self.approvals
    }

    /// Whether `user` said it without having asked for it.
    pub fn approved_by(&self, user: &UserId) -> bool {
        self.approvals.iter().any(|by| by == user)
    }

    /// Whether everybody who said it showed a one-time password.
    pub fn totp(&self) -> bool {
        self.totp
    }

    /// Whether the asker said it alone, after the others had time to deny it.
    pub fn alone(&self) -> bool {
        self.alone
    }

    #[cfg(test)]
    pub(crate) fn for_test(demand: Demand, approvals: &[&UserId]) -> Self {
        Self {
            demand,
            by: ruma::owned_user_id!("@ann:x.test"),
            approvals: approvals.iter().map(|&user| user.to_owned()).collect(),
            totp: false,
            alone: false,
        }
    }
}

/// Whether this answer counts for this ticket.
pub(super) fn judge(ticket: &Ticket, answer: &Answer<'_>, now: Timestamp) -> Result<(), No> {
    let this = || Box::new(ticket.clone());
    if ticket.room != *answer.room {
        return Err(No::Elsewhere);
    }
    if ticket.state != State::Open {
        return Err(No::Over(this()));
    }
    may_answer(ticket, answer)?;
    if ticket.expires <= now {
        return Err(No::Late(this()));
    }
    if ticket.alone.is_some_and(|from| now < from) {
        return Err(No::TooEarly(this()));
    }
    match (answer.yes.typed(), &ticket.demand) {
        (None, Demand::Code | Demand::Phrase(_)) => return Err(No::NeedsCode(this())),
        (Some(typed), Demand::Phrase(phrase)) => match typed.join(" ") {
            none if none.is_empty() => return Err(No::NeedsPhrase(this())),
            said if said == *phrase => {}
            _ => return Err(No::WrongPhrase(this())),
        },
        (None, Demand::Yes) | (Some(_), Demand::Yes | Demand::Code) => {}
    }
    if ticket.holds_secret && !answer.secret_here {
        return Err(No::SecretGone(this()));
    }
    if ticket.totp && answer.totp.is_none_or(|shown| *shown.by() != answer.by.user) {
        return Err(No::NeedsTotp(this()));
    }
    Ok(())
}

/// Whether it is for whoever answers to answer, and in this way.
fn may_answer(ticket: &Ticket, answer: &Answer<'_>) -> Result<(), No> {
    let this = || Box::new(ticket.clone());
    let approves = matches!(answer.yes, Yes::Approve(_));
    match &ticket.second {
        None if approves && ticket.asker == answer.by.user => Err(No::NeedsAsker(this())),
        None if ticket.asker != answer.by.user => Err(No::NotYours(ticket.asker.clone())),
        Some(_) if !approves => Err(No::NeedsOthers(this())),
        Some(second) if !second.may.contains(&answer.by.user) => Err(No::MayNotApprove(this())),
        Some(second) if second.approvals.iter().any(|one| one.person == answer.by.person) => {
            Err(No::Approved(this()))
        }
        None | Some(_) => Ok(()),
    }
}
