//! Freezing and unfreezing, and what a freeze keeps from being done.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use ruma::{OwnedUserId, UserId};
use tracing::{error, info, warn};

use crate::{
    audit::{Audit, Kind, Record},
    change::Power,
    clock::SharedClock,
    error::Stop,
    freeze::{Freeze, Freezes, What},
    gate::Gate,
    operators::Roster,
    pipeline::Invocation,
    reply::{Line, Reply, Status, utc},
    store::{self, Store},
    totp::OneTimePasswords,
};

/// What is frozen, and who has shown too many wrong one-time passwords.
#[derive(Debug)]
pub(in crate::pipeline) struct FreezeControl {
    roster: Arc<Roster>,
    clock: SharedClock,
    audit: Audit,
    freezes: Freezes,
    passwords: Arc<OneTimePasswords>,
}

impl FreezeControl {
    /// The freezes that `store` knows of.
    pub(in crate::pipeline) fn new(
        store: &Store,
        roster: Arc<Roster>,
        clock: SharedClock,
        audit: Audit,
        passwords: Arc<OneTimePasswords>,
    ) -> Result<Self, store::Error> {
        Ok(Self { roster, clock, audit, freezes: Freezes::new(store)?, passwords })
    }

    /// The gate as it stands now.
    pub(in crate::pipeline) fn gate(&self) -> Gate<'_> {
        Gate::new(&self.roster).held(self.bot_frozen().is_some())
    }

    /// Keeps a freeze that an earlier record tells of.
    pub(in crate::pipeline) async fn restore(&self, freeze: &Freeze) -> Result<(), store::Error> {
        self.freezes.keep(freeze).await
    }

    /// The freeze of this, where there is one.
    pub(in crate::pipeline) fn of(&self, what: &What) -> Result<Option<Freeze>, store::Error> {
        self.freezes.of(what)
    }

    /// Why nothing may be changed now, by whomever; `None` where it may.
    pub(in crate::pipeline) fn bot_frozen(&self) -> Option<Line> {
        match self.freezes.of(&What::Bot) {
            Ok(None) => None,
            Ok(Some(freeze)) => Some(
                Line::new()
                    .plain("I have been frozen since ")
                    .plain(utc(freeze.at))
                    .plain(" by ")
                    .code(&freeze.by)
                    .plain(". I change nothing until ")
                    .line(self.how_to_unfreeze()),
            ),
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "freezes cannot be read");
                Some("I cannot read my store, so I do not know whether I am frozen".into())
            }
        }
    }

    /// What lifts the freeze of the bot: where fewer than two are left who may say so, only the
    /// machine does.
    fn how_to_unfreeze(&self) -> Line {
        if self.unfrozen().is_ok_and(|persons| persons.len() < 2) {
            return Line::new()
                .plain("somebody runs ")
                .code("synod unfreeze")
                .plain("on my machine, since fewer than two operators are left who can send ")
                .command("!unfreeze");
        }
        Line::new().plain("two operators send ").command("!unfreeze")
    }

    /// The same, as the end of a command.
    pub(in crate::pipeline) fn ensure_not_frozen(&self) -> Result<(), Stop> {
        self.bot_frozen().map_or(Ok(()), |why| Err(Stop::refused(why)))
    }

    /// Why this operator is not served; `None` where they are.
    pub(in crate::pipeline) fn person_frozen(&self, person: &str) -> Option<Reply> {
        let why = match self.freezes.of(&What::Person(person.to_owned())) {
            Ok(None) => match self.stopped_for_guessing(person) {
                Ok(why) => Line::from(why?),
                Err(stop) => {
                    error!(error = &stop as &dyn std::error::Error, "passwords cannot be read");
                    "I cannot read my store, so I do not know whether you typed too many wrong \
                    one-time passwords"
                        .into()
                }
            },
            Ok(Some(freeze)) => Line::new()
                .plain("you have been frozen since ")
                .plain(utc(freeze.at))
                .plain(" by ")
                .code(&freeze.by)
                .plain(". Another operator can lift that with ")
                .command("!unfreeze")
                .plain(" and your id"),
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "freezes cannot be read");
                "I cannot read my store, so I do not know whether you are frozen".into()
            }
        };
        Some(Reply::outcome(Status::Refused, why))
    }

    /// Why somebody who has guessed is not served; `None` where they are.
    fn stopped_for_guessing(&self, person: &str) -> Result<Option<String>, Stop> {
        let until = self.passwords.stopped(person, self.clock.now());
        Ok(until?.map(stopped_until))
    }

    /// Freezes this, on record.
    pub(in crate::pipeline) async fn put_freeze(
        &self,
        invocation: &Invocation<'_>,
        what: &What,
    ) -> Result<(), Stop> {
        warn!(by = %invocation.operator.user, ?what, "frozen");
        let freeze = Freeze {
            what: what.clone(),
            by: invocation.operator.user.clone(),
            at: self.clock.now(),
            lifted_by: None,
        };
        // First the freeze and then its record: a freeze that cannot be recorded holds.
        self.freezes.keep(&freeze).await?;
        if let What::Person(person) = what {
            self.take_back_lifts(|first| first == person).await?;
        }
        let note = Some(format!("{} frozen", in_words(what)));
        let freeze = Some(what.clone());
        let record = Record { freeze, note, ..invocation.record(Kind::Frozen) };
        self.audit.note(record).await?;
        Ok(())
    }

    /// Forgets the word of the first of two to lift the freeze of the bot, if it is `theirs`.
    pub(in crate::pipeline) async fn take_back_lifts(
        &self,
        theirs: impl Fn(&str) -> bool,
    ) -> Result<(), Stop> {
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
    pub(in crate::pipeline) fn leaves_one(&self, what: &What) -> Result<bool, Stop> {
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
    pub(in crate::pipeline) async fn unfreeze(
        &self,
        invocation: &Invocation<'_>,
        what: &What,
    ) -> Result<Reply, Stop> {
        let Some(freeze) = self.freezes.of(what)? else {
            let so = format!("{} not frozen", in_words(what));
            return Ok(Reply::outcome(Status::NothingChanged, so));
        };
        let person = &invocation.operator.person;
        let first = freeze.lifted_by.as_ref();
        if *what == What::Bot && first.is_none_or(|first| first == person) {
            return self.first_to_lift(invocation, freeze).await;
        }
        let note = Some(format!("{} no longer frozen", in_words(what)));
        let freeze = Some(what.clone());
        let record = Record { freeze, note, ..invocation.record(Kind::Unfrozen) };
        self.audit.note(record).await?;
        self.freezes.lift(what).await?;
        info!(by = %invocation.operator.user, ?what, "not frozen any more");
        let reply = Reply::outcome(Status::Done, format!("{} no longer frozen", in_words(what)));
        Ok(match self.bot_frozen() {
            Some(still) => reply.text(still),
            None => reply,
        })
    }

    /// One person has said that the bot may act again; it takes another one.
    async fn first_to_lift(
        &self,
        invocation: &Invocation<'_>,
        freeze: Freeze,
    ) -> Result<Reply, Stop> {
        let person = invocation.operator.person.clone();
        let record = Record {
            note: Some("the first of two operators to lift it".to_owned()),
            ..invocation.record(Kind::Unfrozen)
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
            Status::NothingChanged,
            Line::new()
                .plain("I am still frozen. A second operator must also send ")
                .command("!unfreeze"),
        );
        Ok(if others.is_empty() {
            reply.text("No other operator can. Run synod unfreeze on my machine")
        } else {
            reply.ringing(others)
        })
    }

    /// Lifts what the request of somebody on the machine names, on record; what to tell of it, where
    /// there was anything to lift.
    pub(in crate::pipeline) async fn lift_from_shell(&self, text: &str) -> Option<String> {
        let what = match text.trim() {
            "" => Some(What::Bot),
            user => UserId::parse(user).ok().and_then(|user| {
                self.roster.operator(&user).map(|operator| What::Person(operator.person.clone()))
            }),
        };
        let Some(what) = what else {
            warn!("synod unfreeze named somebody who is no operator");
            return None;
        };
        match self.freezes.of(&what) {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "freezes cannot be read");
                return None;
            }
        }
        let note =
            format!("{} no longer frozen, by synod unfreeze on the machine", in_words(&what));
        let (told, freeze) = (Some(note.clone()), Some(what.clone()));
        let record = Record { note: told, freeze, ..Record::new(Kind::Unfrozen) };
        if let Err(error) = self.audit.note(record).await {
            error!(error = &error as &dyn std::error::Error, "not recorded, so not lifted");
            return None;
        }
        if let Err(error) = self.freezes.lift(&what).await {
            error!(error = &error as &dyn std::error::Error, "not lifted");
            return None;
        }
        Some(note)
    }
}

/// Why somebody who has guessed is not served, and until when.
pub(in crate::pipeline) fn stopped_until(until: Timestamp) -> String {
    format!(
        "you typed too many wrong one-time passwords; I take commands from you again at {}",
        utc(until)
    )
}

/// What is frozen or not, up to the verb.
pub(in crate::pipeline) fn in_words(what: &What) -> String {
    match what {
        What::Bot => "I am".to_owned(),
        What::Person(person) => format!("{person} is"),
    }
}
