//! Questions and the yes that answers them.
//!
//! A [`Ticket`] is one open question. It is single-use by compare-and-swap, bound to who asked, in
//! which room, in which words and about which facts, and it ends in exactly one way.

use jiff::{SignedDuration, Timestamp};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde::{Deserialize, Serialize};

use crate::{
    change::{Class, FactMap, Subject},
    clock::SharedClock,
    store::{self, Shelf, Store},
};

mod answer;
#[cfg(test)]
mod tests;

use answer::judge;
pub use answer::{Answer, Consent, No, Taken, Yes};

/// Digits of a code.
const CODE_DIGITS: usize = 4;

/// How long an ended ticket is remembered, so that a second yes can be told what became of the
/// first and a code does not soon mean something else.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How yes must be said. Ordered from lightest to heaviest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// In any way: a reaction, a bare yes, a code.
    Yes,
    /// By the code of the question.
    Code,
    /// By the code and this phrase, which the question asks for and does not show.
    Phrase(String),
}

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
    pub about: Vec<(Subject, FactMap)>,
    /// The class as weighed when it was asked.
    pub class: Class,
    /// How yes must be said.
    pub demand: Demand,
    /// Whether it needs a secret that was typed and lives in memory only.
    pub holds_secret: bool,
    /// The number of the change that this one would take back.
    pub undoes: Option<u64>,
    /// Who else says yes to it, where the asker does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Second>,
    /// From when its asker says yes, who is alone: until then the others may deny it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone: Option<Timestamp>,
    /// Whether whoever says yes shows a one-time password with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub totp: bool,
    /// Whether its subjects were not typed, but come from the message that its command replied to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub referenced: bool,
    /// When it was put.
    pub put: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// Where it stands.
    pub state: State,
}

impl Ticket {
    /// What was said to it, where it is taken and what follows is in hand.
    pub fn consent(&self) -> Option<Consent> {
        Consent::kept(self)
    }

    /// Who has approved it so far.
    pub fn approvals(&self) -> impl Iterator<Item = &Approval> {
        self.second.iter().flat_map(|second| &second.approvals)
    }
}

/// The others that a question waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// How many persons must approve it.
    pub others: usize,
    /// The accounts that may approve or deny it.
    pub may: Vec<OwnedUserId>,
    /// Who has approved it so far.
    pub approvals: Vec<Approval>,
}

impl Second {
    /// The accounts that may approve it and have not.
    pub fn left(&self) -> impl Iterator<Item = &OwnedUserId> {
        let has = |user: &OwnedUserId| self.approvals.iter().any(|one| one.by == *user);
        self.may.iter().filter(move |user| !has(user))
    }
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// By which account.
    pub by: OwnedUserId,
    /// Whose account that is.
    pub person: String,
    /// By which event.
    pub event: OwnedEventId,
    /// When.
    pub at: Timestamp,
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
    /// Denied, by somebody who might have approved it.
    Denied,
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
    pub about: Vec<(Subject, FactMap)>,
    /// The class.
    pub class: Class,
    /// How yes must be said.
    pub demand: Demand,
    /// Whether a typed secret is needed.
    pub holds_secret: bool,
    /// The number of the change that this one would take back.
    pub undoes: Option<u64>,
    /// Who else says yes to it, where the asker does not.
    pub second: Option<Second>,
    /// From when its asker says yes, who is alone.
    pub alone: Option<Timestamp>,
    /// Whether whoever says yes shows a one-time password with it.
    pub totp: bool,
    /// Whether its subjects were not typed, but come from the message that its command replied to.
    pub referenced: bool,
    /// When it expires.
    pub expires: Timestamp,
}

/// All questions, open and recent.
#[derive(Debug, Clone)]
pub struct Tickets {
    shelf: Shelf<Ticket>,
    store: Store,
    clock: SharedClock,
}

impl Tickets {
    /// The questions in `store`.
    pub fn new(store: &Store, clock: SharedClock) -> Result<Self, store::Error> {
        Ok(Self { shelf: store.shelf("tickets")?, store: store.clone(), clock })
    }

    /// Puts a question under a code that no open or recent one has, and returns when it is on disk.
    pub async fn put(&self, draft: Draft) -> Result<Ticket, store::Error> {
        let put = self.clock.now();
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
                second: draft.second.clone(),
                alone: draft.alone,
                totp: draft.totp,
                referenced: draft.referenced,
                put,
                expires: draft.expires,
                state: State::Open,
            };
            if self.shelf.put_new(&ticket.code, &ticket)? {
                self.store.flush().await?;
                return Ok(ticket);
            }
        }
    }

    /// Notes which event holds the question.
    pub async fn question_sent(
        &self,
        code: &str,
        question: OwnedEventId,
    ) -> Result<(), store::Error> {
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

    /// Counts a yes to the ticket with this code, if it does count, and takes the ticket where it
    /// was the last that was needed. Of two that would be the last, one takes it.
    pub async fn take(&self, code: &str, answer: &Answer<'_>) -> Result<Taken, store::Error> {
        let at = self.clock.now();
        loop {
            let Some(ticket) = self.shelf.get(code)? else { return Ok(Taken::Not(No::Unknown)) };
            if let Err(no) = judge(&ticket, answer, at) {
                return Ok(Taken::Not(no));
            }
            let mut said = ticket.clone();
            let mut missing = 0;
            if let Some(second) = &mut said.second {
                let (by, person) = (answer.by.user.clone(), answer.by.person.clone());
                second.approvals.push(Approval { by, person, event: answer.event.clone(), at });
                missing = second.others.saturating_sub(second.approvals.len());
            }
            if missing == 0 {
                let (by, event) = (answer.by.user.clone(), answer.event.clone());
                said.state = State::Taken { by, event, at };
            }
            // Where somebody was quicker, what the ticket is now is judged anew.
            if self.shelf.swap(code, &ticket, &said)? {
                self.store.flush().await?;
                return Ok(if missing == 0 {
                    let consent = Consent::to(&said, answer);
                    Taken::Whole(said, consent)
                } else {
                    Taken::Part(said)
                });
            }
        }
    }

    /// Ends a ticket, if it has not ended yet; true if this call ended it.
    pub async fn end(
        &self,
        code: &str,
        how: End,
        by: Option<&UserId>,
    ) -> Result<bool, store::Error> {
        let ended = self.end_where(code, how, by, |state| !matches!(state, State::Ended { .. }));
        Ok(ended.await?.is_some())
    }

    /// Ends a question to which nobody has said the last yes, before its time; `None` where it was
    /// not open any more.
    pub async fn end_open(
        &self,
        code: &str,
        how: End,
        by: &UserId,
    ) -> Result<Option<Ticket>, store::Error> {
        self.end_where(code, how, Some(by), |state| *state == State::Open).await
    }

    async fn end_where(
        &self,
        code: &str,
        how: End,
        by: Option<&UserId>,
        may: impl Fn(&State) -> bool,
    ) -> Result<Option<Ticket>, store::Error> {
        let at = self.clock.now();
        loop {
            let Some(ticket) = self.shelf.get(code)? else { return Ok(None) };
            if !may(&ticket.state) {
                return Ok(None);
            }
            let state = State::Ended { how: how.clone(), by: by.map(ToOwned::to_owned), at };
            let ended = Ticket { state, ..ticket.clone() };
            if self.shelf.swap(code, &ticket, &ended)? {
                self.store.flush().await?;
                return Ok(Some(ended));
            }
        }
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
