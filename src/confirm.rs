//! Questions and the yes that answers them.
//!
//! A [`Ticket`] is one open question. It is single-use by compare-and-swap, bound to who asked, in
//! which room, in which words and about which facts, and it ends in exactly one way.

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize};

use crate::{
    change::{Binds, Class, Subject},
    clock::SharedClock,
    gate::Demand,
    store::{self, Shelf, Store},
};

mod answer;
#[cfg(test)]
mod tests;

use answer::judge;
pub use answer::{Consent, No, Yes};

/// Digits of a code.
const CODE_DIGITS: usize = 4;

/// How long an ended ticket is remembered, so that a second yes can be told what became of the
/// first and a code does not soon mean something else.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// One question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// The digits by which it is answered.
    pub code: String,
    /// Who asked for the change.
    pub asker: OwnedUserId,
    /// Where.
    pub room: OwnedRoomId,
    /// The event that asked.
    pub asked_by: OwnedEventId,
    /// The event of the question; absent until it has been sent.
    pub question: Option<OwnedEventId>,
    /// The words of the command, secrets masked.
    pub words: Vec<String>,
    /// What it is about, with the facts that bind.
    pub about: Vec<(Subject, Binds)>,
    /// The class as weighed when it was asked.
    pub class: Class,
    /// How yes must be said.
    pub demand: Demand,
    /// Whether it needs a secret that was typed and lives in memory only.
    pub holds_secret: bool,
    /// The number of the change that this one would take back.
    pub undoes: Option<u64>,
    /// When it was put.
    pub put: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// Where it stands.
    pub state: State,
}

/// Where a ticket stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waiting.
    Open,
    /// Somebody said yes, by this event; what follows is in hand.
    Taken {
        /// Who.
        by: OwnedUserId,
        /// The event that said yes.
        event: OwnedEventId,
        /// When.
        at: Timestamp,
    },
    /// Over.
    Ended {
        /// How.
        how: End,
        /// By whom; nobody where it ended by itself.
        by: Option<OwnedUserId>,
        /// When.
        at: Timestamp,
    },
}

/// How a question ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Answered yes; the number of the record of what was done.
    Run(Option<u64>),
    /// Answered yes while the bot was read-only.
    Rehearsed,
    /// Cancelled.
    Cancelled,
    /// Not answered in time.
    Expired,
    /// Put again, as the facts had changed.
    PutAgain,
    /// Answered yes, and then not allowed or not possible any more.
    Refused,
}

/// Everything of a ticket that its asker decides.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Who asks.
    pub asker: OwnedUserId,
    /// Where.
    pub room: OwnedRoomId,
    /// The event that asks.
    pub asked_by: OwnedEventId,
    /// The words, secrets masked.
    pub words: Vec<String>,
    /// Subjects and binding facts.
    pub about: Vec<(Subject, Binds)>,
    /// The class.
    pub class: Class,
    /// How yes must be said.
    pub demand: Demand,
    /// Whether a typed secret is needed.
    pub holds_secret: bool,
    /// The number of the change that this one would take back.
    pub undoes: Option<u64>,
}

/// All questions, open and recent.
#[derive(Debug, Clone)]
pub struct Tickets {
    shelf: Shelf<Ticket>,
    store: Store,
    clock: SharedClock,
    expire_after: SignedDuration,
}

impl Tickets {
    /// The questions in `store`; new ones expire after `expire_after`.
    pub fn new(
        store: &Store,
        clock: SharedClock,
        expire_after: SignedDuration,
    ) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("tickets")?, store: store.clone(), clock, expire_after })
    }

    /// Puts a question under a code that no open or recent one has, and returns when it is on disk.
    pub async fn put(&self, draft: Draft) -> Result<Ticket, store::Error> {
        let put = self.clock.now();
        let expires = put + self.expire_after;
        let mut tries = 0;
        loop {
            // On a very busy week short codes run out; then they get longer.
            let digits = CODE_DIGITS + tries / 20;
            tries += 1;
            let ticket = Ticket {
                code: self.clock.digits(digits),
                asker: draft.asker.clone(),
                room: draft.room.clone(),
                asked_by: draft.asked_by.clone(),
                question: None,
                words: draft.words.clone(),
                about: draft.about.clone(),
                class: draft.class,
                demand: draft.demand.clone(),
                holds_secret: draft.holds_secret,
                undoes: draft.undoes,
                put,
                expires,
                state: State::Open,
            };
            if self.shelf.put_new(&ticket.code, &ticket)? {
                self.store.flush().await?;
                return Ok(ticket);
            }
        }
    }

    /// Notes which event holds the question.
    pub async fn asked(&self, code: &str, question: OwnedEventId) -> Result<(), store::Error> {
        if let Some(ticket) = self.shelf.get(code)? {
            let noted = Ticket { question: Some(question), ..ticket.clone() };
            self.shelf.swap(code, &ticket, &noted)?;
            self.store.flush().await?;
        }
        Ok(())
    }

    /// The question with this code.
    pub fn get(&self, code: &str) -> Result<Option<Ticket>, store::Error> {
        self.shelf.get(code)
    }

    /// The question that this event holds, whether open or over.
    pub fn of_event(&self, event: &OwnedEventId) -> Result<Option<Ticket>, store::Error> {
        Ok(self.every()?.into_iter().find(|ticket| ticket.question.as_ref() == Some(event)))
    }

    /// The question that was put because of this event.
    pub fn asked_by(&self, event: &OwnedEventId) -> Result<Option<Ticket>, store::Error> {
        Ok(self.every()?.into_iter().find(|ticket| ticket.asked_by == *event))
    }

    /// The question to which this event said yes and which has not ended since.
    pub fn taken_by(&self, event: &OwnedEventId) -> Result<Option<Ticket>, store::Error> {
        Ok(self
            .every()?
            .into_iter()
            .find(|t| matches!(&t.state, State::Taken { event: by, .. } if by == event)))
    }

    /// The open questions of a room, oldest first.
    pub fn open_in(&self, room: &RoomId) -> Result<Vec<Ticket>, store::Error> {
        let now = self.clock.now();
        let mut open: Vec<Ticket> = self
            .every()?
            .into_iter()
            .filter(|t| t.room == *room && t.state == State::Open && t.expires > now)
            .collect();
        open.sort_by_key(|ticket| ticket.put);
        Ok(open)
    }

    fn every(&self) -> Result<Vec<Ticket>, store::Error> {
        Ok(self.shelf.all()?.into_iter().map(|(_, ticket)| ticket).collect())
    }

    /// Takes the ticket with this code for whoever says yes, if that yes counts. Of two that say
    /// it at once, one takes it.
    pub async fn take(
        &self,
        code: &str,
        yes: &Yes,
        by: &UserId,
        room: &RoomId,
        event: &OwnedEventId,
        secret_here: bool,
    ) -> Result<Result<(Ticket, Consent), No>, store::Error> {
        let now = self.clock.now();
        let Some(ticket) = self.shelf.get(code)? else { return Ok(Err(No::Unknown)) };
        if let Err(no) = judge(&ticket, yes, by, room, now, secret_here) {
            return Ok(Err(no));
        }
        let state = State::Taken { by: by.to_owned(), event: event.clone(), at: now };
        let taken = Ticket { state, ..ticket.clone() };
        if !self.shelf.swap(code, &ticket, &taken)? {
            // Somebody was quicker; whatever it is now is the answer.
            return Ok(Err(match self.shelf.get(code)? {
                Some(now) => No::Over(Box::new(now)),
                None => No::Unknown,
            }));
        }
        self.store.flush().await?;
        let consent = Consent {
            demand: match yes {
                Yes::Light => Demand::Yes,
                Yes::Code(_) => match &ticket.demand {
                    Demand::Yes => Demand::Code,
                    demand => demand.clone(),
                },
            },
            by: by.to_owned(),
        };
        Ok(Ok((taken, consent)))
    }

    /// Ends a ticket, if it has not ended yet; true if this call ended it.
    pub async fn end(
        &self,
        code: &str,
        how: End,
        by: Option<&UserId>,
    ) -> Result<bool, store::Error> {
        let Some(ticket) = self.shelf.get(code)? else { return Ok(false) };
        if matches!(ticket.state, State::Ended { .. }) {
            return Ok(false);
        }
        let at = self.clock.now();
        let state = State::Ended { how, by: by.map(ToOwned::to_owned), at };
        let ended = self.shelf.swap(code, &ticket, &Ticket { state, ..ticket.clone() })?;
        self.store.flush().await?;
        Ok(ended)
    }

    /// Cancels an open question; `None` where it was not open any more.
    pub async fn cancel(&self, code: &str, by: &UserId) -> Result<Option<Ticket>, store::Error> {
        let Some(ticket) = self.shelf.get(code)? else { return Ok(None) };
        if ticket.state != State::Open {
            return Ok(None);
        }
        let at = self.clock.now();
        let state = State::Ended { how: End::Cancelled, by: Some(by.to_owned()), at };
        let cancelled = Ticket { state, ..ticket.clone() };
        let done = self.shelf.swap(code, &ticket, &cancelled)?;
        self.store.flush().await?;
        Ok(done.then_some(cancelled))
    }

    /// Ends the open questions whose time has passed, forgets old ones, and returns those that
    /// have just expired.
    pub async fn expire(&self) -> Result<Vec<Ticket>, store::Error> {
        let now = self.clock.now();
        let mut expired = Vec::new();
        for ticket in self.every()? {
            match &ticket.state {
                State::Open
                    if ticket.expires <= now
                        && self.end(&ticket.code, End::Expired, None).await? =>
                {
                    expired.push(ticket);
                }
                State::Ended { at, .. } if now.duration_since(*at) > REMEMBERED => {
                    self.shelf.remove(&ticket.code)?;
                }
                _ => {}
            }
        }
        Ok(expired)
    }
}
