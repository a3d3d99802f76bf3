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
    demand: Demand,
    by: OwnedUserId,
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

/// Whether this yes counts for this ticket.
fn judge(
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ruma::{owned_event_id, owned_room_id, owned_user_id, room_id, user_id};

    use super::*;
    use crate::clock::FixedClock;

    fn draft(demand: Demand) -> Draft {
        Draft {
            asker: owned_user_id!("@ann:x.test"),
            room: owned_room_id!("!admin:x.test"),
            asked_by: owned_event_id!("$asked"),
            words: vec!["user".into(), "deactivate".into(), "@eve:x.test".into()],
            about: vec![(Subject::User(owned_user_id!("@eve:x.test")), Binds::new())],
            class: Class::Irreversible,
            demand,
            holds_secret: false,
            undoes: None,
        }
    }

    struct Desk {
        tickets: Tickets,
        clock: Arc<FixedClock>,
        _dir: tempfile::TempDir,
    }

    fn desk() -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
        let opened = Store::open(&dir.path().join("store"), clock_now(&clock)).unwrap();
        let tickets =
            Tickets::new(&opened.store, clock.clone(), SignedDuration::from_mins(10)).unwrap();
        Desk { tickets, clock, _dir: dir }
    }

    fn clock_now(clock: &Arc<FixedClock>) -> Timestamp {
        crate::clock::Clock::now(clock.as_ref())
    }

    impl Desk {
        async fn take(&self, code: &str, yes: Yes, by: &UserId, event: &str) -> Result<(), No> {
            let event = ruma::EventId::parse(event).unwrap();
            let room = room_id!("!admin:x.test");
            self.tickets.take(code, &yes, by, room, &event, false).await.unwrap().map(|_| ())
        }
    }

    fn code() -> Yes {
        Yes::Code(Vec::new())
    }

    fn ann() -> &'static UserId {
        user_id!("@ann:x.test")
    }

    #[tokio::test]
    async fn a_ticket_is_taken_once_and_the_second_yes_is_told() {
        let desk = desk();
        let ticket = desk.tickets.put(draft(Demand::Code)).await.unwrap();
        assert_eq!(desk.take(&ticket.code, code(), ann(), "$1").await, Ok(()));
        assert!(matches!(desk.take(&ticket.code, code(), ann(), "$2").await, Err(No::Over(_))));
        desk.tickets.end(&ticket.code, End::Run(Some(7)), Some(ann())).await.unwrap();
        let Err(No::Over(over)) = desk.take(&ticket.code, code(), ann(), "$1").await else {
            panic!("an ended ticket is over for everybody");
        };
        assert!(matches!(over.state, State::Ended { how: End::Run(Some(7)), .. }));
    }

    #[tokio::test]
    async fn of_two_yeses_at_once_one_takes_the_ticket() {
        let desk = desk();
        let ticket = desk.tickets.put(draft(Demand::Code)).await.unwrap();
        let tries = (0..20).map(|n| {
            let event = format!("$try{n}");
            let code_of = ticket.code.clone();
            let desk = &desk;
            async move { desk.take(&code_of, code(), ann(), &event).await.is_ok() }
        });
        let won = futures_util::future::join_all(tries).await;
        assert_eq!(won.into_iter().filter(|won| *won).count(), 1);
    }

    #[tokio::test]
    async fn a_yes_late_by_another_elsewhere_or_too_light_does_nothing() {
        let desk = desk();
        let ticket = desk.tickets.put(draft(Demand::Phrase("eve".into()))).await.unwrap();
        let try_with = |yes| desk.take(&ticket.code, yes, ann(), "$1");
        assert!(matches!(try_with(Yes::Light).await, Err(No::NeedsCode(_))));
        assert!(matches!(try_with(code()).await, Err(No::NeedsPhrase(_))));
        assert!(matches!(
            try_with(Yes::Code(vec!["mallory".into()])).await,
            Err(No::WrongPhrase(_))
        ));
        assert!(matches!(
            desk.take(&ticket.code, code(), user_id!("@moe:x.test"), "$1").await,
            Err(No::NotYours(asker)) if asker == ann()
        ));
        let elsewhere = desk
            .tickets
            .take(
                &ticket.code,
                &Yes::Code(vec!["eve".into()]),
                ann(),
                room_id!("!other:x.test"),
                &owned_event_id!("$1"),
                false,
            )
            .await
            .unwrap();
        assert!(matches!(elsewhere, Err(No::Elsewhere)));
        desk.clock.pass(601);
        assert!(matches!(try_with(Yes::Code(vec!["eve".into()])).await, Err(No::Late(_))));
        let expired = desk.tickets.expire().await.unwrap();
        assert_eq!(expired.len(), 1);
        assert!(desk.tickets.expire().await.unwrap().is_empty(), "told once");
        assert!(matches!(
            desk.tickets.get(&ticket.code).unwrap().unwrap().state,
            State::Ended { how: End::Expired, .. }
        ));
    }

    #[tokio::test]
    async fn a_question_whose_secret_died_with_the_process_says_so() {
        let desk = desk();
        let secret = Draft { holds_secret: true, ..draft(Demand::Code) };
        let ticket = desk.tickets.put(secret).await.unwrap();
        assert!(matches!(
            desk.take(&ticket.code, code(), ann(), "$1").await,
            Err(No::SecretGone(_))
        ));
    }

    #[test]
    fn the_form_in_which_a_ticket_is_kept_does_not_change_by_accident() {
        let ticket = Ticket {
            code: "4821".into(),
            asker: ann().to_owned(),
            room: owned_room_id!("!admin:x.test"),
            asked_by: owned_event_id!("$asked"),
            question: Some(owned_event_id!("$question")),
            words: vec!["user".into()],
            about: draft(Demand::Code).about,
            class: Class::Irreversible,
            demand: Demand::Phrase("eve".into()),
            holds_secret: false,
            undoes: None,
            put: Timestamp::UNIX_EPOCH,
            expires: Timestamp::UNIX_EPOCH,
            state: State::Ended { how: End::Run(Some(7)), by: None, at: Timestamp::UNIX_EPOCH },
        };
        assert_eq!(
            serde_json::to_string(&ticket).unwrap(),
            concat!(
                r#"{"code":"4821","asker":"@ann:x.test","room":"!admin:x.test","#,
                r#""asked_by":"$asked","question":"$question","words":["user"],"#,
                r#""about":[[{"user":"@eve:x.test"},{}]],"class":"irreversible","#,
                r#""demand":{"phrase":"eve"},"holds_secret":false,"#,
                r#""undoes":null,"put":"1970-01-01T00:00:00Z","expires":"1970-01-01T00:00:00Z","#,
                r#""state":{"ended":{"how":{"run":7},"by":null,"at":"1970-01-01T00:00:00Z"}}}"#
            )
        );
    }
}
