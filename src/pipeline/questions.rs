//! Questions: putting them, what is said to them, and how they end.

use std::{collections::HashMap, sync::Arc};

use jiff::tz::TimeZone;
use ruma::{OwnedEventId, OwnedRoomId, OwnedServerName, RoomId, UserId};
use tokio::sync::Mutex;
use tracing::error;

use super::{
    Invocation, Outbox, Rules,
    voice::{
        Voice,
        last_word::{LastAsked, LastWord},
    },
};
use crate::{
    audit::{Audit, Kind, Record},
    clock::{SharedClock, Zones},
    confirm::{End, Ticket, Tickets},
    error::Stop,
    notes::Notes,
    operators::Roster,
    pipeline::admin::freeze_control::FreezeControl,
    preferences::Preferences,
    store::{self, Store},
    synapse::Secrets,
    totp::OneTimePasswords,
};

mod answer;
mod approve;
mod put;
mod wording;
mod yes;

pub(super) use answer::{
    NOT_LAST, REMOVED, asked_at_shell, no_in_words, nothing_open, unclear, which,
};
pub(super) use approve::{Needs, approved_in_part};
pub(super) use put::{ended, not_this};

/// The questions that were put, and what is needed to answer them.
#[derive(Debug)]
pub(super) struct Questions {
    roster: Arc<Roster>,
    rules: Arc<Rules>,
    clock: SharedClock,
    audit: Audit,
    freeze_control: Arc<FreezeControl>,
    voice: Arc<Voice>,
    outbox: Arc<dyn Outbox>,
    passwords: Arc<OneTimePasswords>,
    /// The homeserver's own name.
    server: OwnedServerName,
    notes: Notes,
    tickets: Tickets,
    /// Secrets of open questions, by code. They die with the process.
    secrets: Mutex<HashMap<String, Secrets>>,
    last_word: Arc<LastWord>,
    preferences: Preferences,
    zones: Zones,
    answered: Answered,
}

/// Questions that are over, under which the reactions still stand by which they could be answered.
#[derive(Debug, Default)]
struct Answered(std::sync::Mutex<Vec<(OwnedRoomId, OwnedEventId)>>);

impl Answered {
    fn push(&self, room: &RoomId, question: &OwnedEventId) {
        self.all().push((room.to_owned(), question.clone()));
    }

    fn take(&self) -> Vec<(OwnedRoomId, OwnedEventId)> {
        std::mem::take(&mut *self.all())
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<(OwnedRoomId, OwnedEventId)>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The parts on which questions rest.
pub(super) struct Below {
    pub(super) roster: Arc<Roster>,
    pub(super) rules: Arc<Rules>,
    pub(super) clock: SharedClock,
    pub(super) audit: Audit,
    pub(super) freeze_control: Arc<FreezeControl>,
    pub(super) voice: Arc<Voice>,
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) passwords: Arc<OneTimePasswords>,
    pub(super) last_word: Arc<LastWord>,
    pub(super) server: OwnedServerName,
}

impl Questions {
    /// The questions that `store` knows of.
    pub(super) fn new(store: &Store, below: Below) -> Result<Self, store::Error> {
        let Below { roster, rules, clock, audit, .. } = below;
        let Below { freeze_control, voice, outbox, passwords, server, last_word, .. } = below;
        let tickets = Tickets::new(store, clock.clone())?;
        let (notes, preferences) = (Notes::new(store)?, Preferences::new(store)?);
        let (secrets, answered) = (Mutex::default(), Answered::default());
        Ok(Self {
            roster,
            rules,
            clock,
            audit,
            freeze_control,
            voice,
            outbox,
            passwords,
            server,
            notes,
            tickets,
            secrets,
            last_word,
            preferences,
            zones: Zones::of_system(),
            answered,
        })
    }

    /// The question with this code.
    pub(super) fn get(&self, code: &str) -> Result<Option<Ticket>, store::Error> {
        self.tickets.get(code)
    }

    /// The questions that are open in this room.
    pub(super) fn open_in(&self, room: &RoomId) -> Result<Vec<Ticket>, store::Error> {
        self.tickets.open_in(room)
    }

    /// The question that was put because of this message.
    pub(super) fn asked_by(&self, event: &OwnedEventId) -> Result<Option<Ticket>, store::Error> {
        self.tickets.asked_by(event)
    }

    /// The question to which this message said yes.
    pub(super) fn taken_by(&self, event: &OwnedEventId) -> Result<Option<Ticket>, store::Error> {
        self.tickets.taken_by(event)
    }

    /// Takes the secrets that were typed with the question with this code.
    pub(super) async fn take_secrets(&self, code: &str) -> Secrets {
        self.secrets.lock().await.remove(code).unwrap_or_default()
    }

    /// The time zone that somebody wants to read; nothing where that cannot be read, for it is no reason to
    /// ask nothing.
    fn zone_of(&self, user: &UserId) -> Option<TimeZone> {
        let wanted = self.preferences.of(user);
        let wanted = wanted.inspect_err(|error| {
            error!(error = error as &dyn std::error::Error, "preferences cannot be read");
        });
        self.zones.named(&wanted.ok()?.zone?)
    }

    /// Somebody says something that answers no question.
    pub(super) fn something_said(&self, room: &RoomId) {
        self.last_word.said(room);
    }

    /// The questions to which a bare yes may be just now.
    pub(super) fn last_asked(&self, room: &RoomId) -> LastAsked {
        self.last_word.questions(room)
    }

    /// Ends the open questions that are `meant`, on record; how many there were.
    pub(in crate::pipeline) async fn end_questions(
        &self,
        invocation: &Invocation<'_>,
        meant: impl Fn(&Ticket) -> bool,
    ) -> Result<usize, Stop> {
        let mut ended = 0;
        for room in &self.roster.rooms {
            let open = self.tickets.open_in(room)?;
            for ticket in open.into_iter().filter(&meant) {
                let ended_now =
                    self.end_question(invocation, &ticket.code, End::Cancelled, None).await?;
                ended += usize::from(ended_now);
            }
        }
        Ok(ended)
    }

    /// Ends one question before its time, on record; false where somebody was quicker.
    pub(in crate::pipeline) async fn end_question(
        &self,
        invocation: &Invocation<'_>,
        code: &str,
        how: End,
        why: Option<&str>,
    ) -> Result<bool, Stop> {
        let kind = if how == End::Denied { Kind::Denied } else { Kind::Cancelled };
        let cancelled = self.tickets.end_open(code, how, &invocation.operator.user).await;
        let Some(cancelled) = cancelled? else { return Ok(false) };
        self.secrets.lock().await.remove(code);
        self.show_end(code).await;
        let record = Record {
            ticket: Some(code.to_owned()),
            words: cancelled.words.clone(),
            subjects: cancelled.about.iter().map(|(subject, _)| subject.clone()).collect(),
            reason: why.map(ToOwned::to_owned),
            ..invocation.record(kind)
        };
        self.audit.note(record).await?;
        Ok(true)
    }

    /// Ends every open question of a state that was put back; their codes. Somebody may have answered
    /// them since that state was copied.
    pub(in crate::pipeline) async fn end_all_of_older_state(
        &self,
    ) -> Result<Vec<String>, store::Error> {
        let mut ended = Vec::new();
        for room in &self.roster.rooms {
            for ticket in self.tickets.open_in(room)? {
                self.tickets.end(&ticket.code, End::Cancelled, None).await?;
                ended.push(ticket.code);
            }
        }
        Ok(ended)
    }

    /// Takes the reactions from the questions that are over, when their answers have been given: who
    /// waits for those does not wait for this.
    async fn clear_answered(&self) {
        for (room, question) in self.answered.take() {
            for key in put::SIGNS {
                if let Err(error) = self.outbox.unreact(&room, &question, key).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%question, error, "a reaction stays under a question that is over");
                }
            }
        }
    }

    /// Ends the questions whose time has passed, and shows that.
    pub(in crate::pipeline) async fn expire(&self) {
        self.clear_answered().await;
        let expired = match self.tickets.expire().await {
            Ok(expired) => expired,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "questions cannot be ended");
                return;
            }
        };
        for ticket in expired {
            self.secrets.lock().await.remove(&ticket.code);
            self.show_end(&ticket.code).await;
            let record = Record {
                by: Some(ticket.asker),
                room: Some(ticket.room),
                words: ticket.words,
                ticket: Some(ticket.code),
                subjects: ticket.about.into_iter().map(|(subject, _)| subject).collect(),
                ..Record::new(Kind::Expired)
            };
            if let Err(error) = self.audit.note(record).await {
                error!(error = &error as &dyn std::error::Error, "an expiry was not recorded");
            }
        }
    }
}
