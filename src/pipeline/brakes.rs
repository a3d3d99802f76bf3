//! Freezing and unfreezing, and what a freeze keeps from being done.

use std::collections::BTreeSet;

use ruma::{OwnedUserId, UserId};
use tracing::{error, info, warn};

use super::{Asked, Pipeline, said::stopped};
use crate::{
    audit::{Kind, Record},
    change::Power,
    confirm::{End, Ticket},
    error::Stop,
    freeze::{Freeze, What},
    reply::{Line, Reply, Word, utc},
};

impl Pipeline {
    /// Why nothing may be changed now, by whomever; `None` where it may.
    pub(super) fn held(&self) -> Option<Line> {
        match self.freezes.of(&What::Bot) {
            Ok(None) => None,
            Ok(Some(freeze)) => Some(
                Line::new()
                    .plain("I am frozen since ")
                    .plain(utc(freeze.at))
                    .plain(" by ")
                    .code(&freeze.by)
                    .plain(": nothing is changed until two operators send ")
                    .code("!unfreeze"),
            ),
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "freezes cannot be read");
                Some("my store cannot be read, so I do not know whether I am frozen".into())
            }
        }
    }

    /// The same, as the end of a command.
    pub(super) fn not_held(&self) -> Result<(), Stop> {
        self.held().map_or(Ok(()), |why| Err(Stop::refused(why)))
    }

    /// Whether this message may lead to a change at all, whatever it asks for: the bot is not
    /// frozen, and it is its sender's own word.
    pub(super) async fn may_lead_to_a_change(&self, asked: &Asked<'_>) -> Result<(), Stop> {
        self.not_held()?;
        self.authenticity.authenticate(asked.origin).await
    }

    /// Why this operator is not served; `None` where they are.
    pub(super) fn not_served(&self, person: &str) -> Option<Reply> {
        let why = match self.freezes.of(&What::Person(person.to_owned())) {
            Ok(None) => match self.not_served_for_guessing(person) {
                Ok(why) => Line::from(why?),
                Err(stop) => return Some(stopped(&self.clock, &stop)),
            },
            Ok(Some(freeze)) => Line::new()
                .plain("you are frozen since ")
                .plain(utc(freeze.at))
                .plain(" by ")
                .code(&freeze.by)
                .plain(". Another operator lifts that with ")
                .code("!unfreeze")
                .plain(" and your id"),
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "freezes cannot be read");
                "my store cannot be read, so I do not know whether you are frozen".into()
            }
        };
        Some(Reply::outcome(Word::Refused, why))
    }

    /// Freezes the bot or a person.
    pub(super) async fn freeze(&self, asked: &Asked<'_>, what: What) -> Result<Reply, Stop> {
        if let What::Person(person) = &what
            && *person == asked.operator.person
        {
            return Err(Stop::refused(
                "that is yourself; to keep me from changing anything there is",
            )
            .or(&["freeze"]));
        }
        self.authenticity.authenticate(asked.origin).await?;
        if let Some(freeze) = self.freezes.of(&what)? {
            // Whoever brakes again does not agree with somebody who wants to let go.
            self.take_back_lifts(|_| true).await?;
            let line = Line::new()
                .plain(format!("{} frozen already, by ", in_words(&freeze.what)))
                .code(&freeze.by);
            return Ok(Reply::outcome(Word::NothingChanged, line));
        }
        self.put_freeze(asked, &what).await?;
        let mut reply = Reply::outcome(Word::Done, format!("{} frozen", in_words(&what)));
        let void = match &what {
            What::Bot => self.end_questions(asked, |_| true).await?,
            What::Person(person) => {
                let theirs = |ticket: &Ticket| {
                    self.roster.operator(&ticket.asker).is_some_and(|o| o.person == *person)
                        || ticket.approvals().any(|approval| approval.person == *person)
                };
                self.end_questions(asked, theirs).await?
            }
        };
        if void > 0 {
            reply = reply.text(format!("Open questions that ended: {void}"));
        }
        let waiting = self.jobs.open()?;
        let theirs = |user: &OwnedUserId| match &what {
            What::Bot => true,
            What::Person(person) => self.roster.operator(user).is_some_and(|o| o.person == *person),
        };
        let waiting = waiting.iter().filter(|job| theirs(&job.asker)).count();
        if waiting > 0 {
            reply = reply.text(format!("Jobs that wait until that is lifted: {waiting}"));
        }
        if self.leaves_one(&what)? {
            self.put_freeze(asked, &What::Bot).await?;
            reply = reply.text(
                "Only one person is left who is not frozen, so I am frozen as a whole: it takes \
                 the machine that I run on to lift that, by synod unfreeze",
            );
        }
        let others = self.roster.operators.keys().filter(|user| **user != asked.operator.user);
        Ok(reply.ringing(others.cloned().collect()))
    }

    async fn put_freeze(&self, asked: &Asked<'_>, what: &What) -> Result<(), Stop> {
        warn!(by = %asked.operator.user, ?what, "frozen");
        let freeze = Freeze {
            what: what.clone(),
            by: asked.operator.user.clone(),
            at: self.clock.now(),
            lifted_by: None,
        };
        // First the brake and then the record: a brake that cannot be recorded holds.
        self.freezes.keep(&freeze).await?;
        if let What::Person(person) = what {
            self.take_back_lifts(|first| first == person).await?;
        }
        let note = Some(format!("{} frozen", in_words(what)));
        let freeze = Some(what.clone());
        let record = Record { freeze, note, ..asked.record(Kind::Frozen) };
        self.audit.note(record).await?;
        Ok(())
    }

    /// Forgets the word of the first of two to lift the freeze of the bot, if it is `theirs`.
    async fn take_back_lifts(&self, theirs: impl Fn(&str) -> bool) -> Result<(), Stop> {
        let Some(freeze) = self.freezes.of(&What::Bot)? else {
            return Ok(());
        };
        if freeze.lifted_by.as_deref().is_some_and(theirs) {
            let freeze = Freeze { lifted_by: None, ..freeze };
            self.freezes.keep(&freeze).await?;
        }
        Ok(())
    }

    /// Whether this has taken the rights of the last but one who may act: whoever freezes all
    /// others must not be left as the only one.
    fn leaves_one(&self, what: &What) -> Result<bool, Stop> {
        let What::Person(person) = what else { return Ok(false) };
        let mut theirs = self.roster.operators.values().filter(|o| o.person == *person);
        Ok(theirs.any(|o| o.role.has(Power::Moderate)) && self.unfrozen()?.len() < 2)
    }

    /// The persons whose rights are whole and who may act.
    fn unfrozen(&self) -> Result<BTreeSet<&str>, Stop> {
        let frozen = self.freezes.all()?;
        let is_frozen = |person: &str| {
            frozen.iter().any(|f| matches!(&f.what, What::Person(other) if other == person))
        };
        let may = self.roster.operators.values().filter(|o| o.role.has(Power::Moderate));
        Ok(may.map(|o| o.person.as_str()).filter(|person| !is_frozen(person)).collect())
    }

    /// Lifts a freeze: of a person at once, of the bot when a second person says so.
    pub(super) async fn unfreeze(&self, asked: &Asked<'_>, what: &What) -> Result<Reply, Stop> {
        self.authenticity.authenticate(asked.origin).await?;
        let Some(freeze) = self.freezes.of(what)? else {
            let so = format!("{} not frozen", in_words(what));
            return Ok(Reply::outcome(Word::NothingChanged, so));
        };
        let person = &asked.operator.person;
        let first = freeze.lifted_by.as_ref();
        if *what == What::Bot && first.is_none_or(|first| first == person) {
            return self.first_to_lift(asked, freeze).await;
        }
        let note = Some(format!("{} not frozen any more", in_words(what)));
        let freeze = Some(what.clone());
        let record = Record { freeze, note, ..asked.record(Kind::Unfrozen) };
        self.audit.note(record).await?;
        self.freezes.lift(what).await?;
        info!(by = %asked.operator.user, ?what, "not frozen any more");
        Ok(Reply::outcome(Word::Done, format!("{} not frozen any more", in_words(what))))
    }

    /// One person has said that the bot may act again; it takes another one.
    async fn first_to_lift(&self, asked: &Asked<'_>, freeze: Freeze) -> Result<Reply, Stop> {
        let person = asked.operator.person.clone();
        let record = Record {
            note: Some("the first of two to lift it".to_owned()),
            ..asked.record(Kind::Unfrozen)
        };
        self.audit.note(record).await?;
        let freeze = Freeze { lifted_by: Some(person.clone()), ..freeze };
        self.freezes.keep(&freeze).await?;
        let unfrozen = self.unfrozen()?;
        let others: Vec<OwnedUserId> = self
            .roster
            .operators
            .values()
            .filter(|o| o.person != person && unfrozen.contains(o.person.as_str()))
            .map(|o| o.user.clone())
            .collect();
        let reply = Reply::outcome(
            Word::NothingChanged,
            Line::new()
                .plain("I am still frozen: it takes another operator besides you to send ")
                .code("!unfreeze"),
        );
        Ok(if others.is_empty() {
            reply.text("There is nobody else who may. On the machine that I run on there is synod unfreeze")
        } else {
            reply.ringing(others)
        })
    }

    /// Lifts what somebody on the machine has asked to be lifted.
    pub async fn unfreeze_from_shell(&self) {
        let file = &self.rules.unfreeze_file;
        let Ok(text) = std::fs::read_to_string(file) else { return };
        let what = match text.trim() {
            "" => Some(What::Bot),
            user => UserId::parse(user).ok().and_then(|user| {
                self.roster.operator(&user).map(|operator| What::Person(operator.person.clone()))
            }),
        };
        if let Some(what) = what {
            self.lift_from_shell(&what).await;
        } else {
            warn!("synod unfreeze named somebody who is no operator");
        }
        if let Err(error) = std::fs::remove_file(file) {
            error!(error = &error as &dyn std::error::Error, "the request to unfreeze stays");
        }
    }

    async fn lift_from_shell(&self, what: &What) {
        match self.freezes.of(what) {
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "freezes cannot be read");
                return;
            }
        }
        let note =
            format!("{} not frozen any more, by synod unfreeze on the machine", in_words(what));
        let (told, freeze) = (Some(note.clone()), Some(what.clone()));
        let record = Record { note: told, freeze, ..Record::new(Kind::Unfrozen) };
        if let Err(error) = self.audit.note(record).await {
            error!(error = &error as &dyn std::error::Error, "not recorded, so not lifted");
            return;
        }
        if let Err(error) = self.freezes.lift(what).await {
            error!(error = &error as &dyn std::error::Error, "not lifted");
            return;
        }
        let slot = format!("unfrozen-{}", self.clock.now().as_millisecond());
        self.tell(&slot, &Reply::data(note)).await;
    }

    /// Ends the open questions that are `meant`, on record; how many there were.
    pub(super) async fn end_questions(
        &self,
        asked: &Asked<'_>,
        meant: impl Fn(&Ticket) -> bool,
    ) -> Result<usize, Stop> {
        let mut ended = 0;
        for room in &self.roster.rooms {
            let open = self.tickets.open_in(room)?;
            for ticket in open.into_iter().filter(&meant) {
                let ended_now =
                    self.end_question(asked, &ticket.code, End::Cancelled, None).await?;
                ended += usize::from(ended_now);
            }
        }
        Ok(ended)
    }

    /// Ends one question before its time, on record; false where somebody was quicker.
    pub(super) async fn end_question(
        &self,
        asked: &Asked<'_>,
        code: &str,
        how: End,
        why: Option<&str>,
    ) -> Result<bool, Stop> {
        let kind = if how == End::Denied { Kind::Denied } else { Kind::Cancelled };
        let cancelled = self.tickets.end_open(code, how, &asked.operator.user).await;
        let Some(cancelled) = cancelled? else { return Ok(false) };
        self.secrets.lock().await.remove(code);
        self.show_end(code).await;
        let record = Record {
            ticket: Some(code.to_owned()),
            words: cancelled.words.clone(),
            subjects: cancelled.about.iter().map(|(subject, _)| subject.clone()).collect(),
            reason: why.map(ToOwned::to_owned),
            ..asked.record(kind)
        };
        self.audit.note(record).await?;
        Ok(true)
    }
}

/// What is frozen or not, up to the verb.
fn in_words(what: &What) -> String {
    match what {
        What::Bot => "I am".to_owned(),
        What::Person(person) => format!("{person} is"),
    }
}
