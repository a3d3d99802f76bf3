//! What the record tells of what the bot had in mind, for a store that was lost.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    audit::{Kept, Kind, Links, Record},
    change::{FactMap, Subject, Undo},
    freeze::{Freeze, What},
    operators::Rank,
    pipeline::{Pipeline, change::has_changed},
    reply::{Line, Status},
    sanctions::{Sanction, State},
    store,
};

/// What was found of an earlier record.
#[derive(Debug, Default)]
pub struct Recalled {
    /// In the file of the record.
    pub file: Links,
    /// In what the bot has said in its rooms.
    pub rooms: Links,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    entries: u64,
    sanctions: usize,
    freezes: usize,
    place: &'static str,
}

impl Pipeline {
    /// Takes over an earlier record, where there is none yet, with the sanctions that go on and
    /// the freezes that hold by what it says. `None` where there is nothing to take over.
    ///
    /// Nothing else is restored: an old question must not be answered.
    pub async fn restore(&self, found: &Recalled) -> Result<Option<Restored>, store::Error> {
        if self.audit.head().await.count > 0 {
            return Ok(None);
        }
        let (links, place) = if found.file.unbroken() >= found.rooms.unbroken() {
            (&found.file, "its file")
        } else {
            (&found.rooms, "my messages in the rooms")
        };
        let entries = self.audit.restore(links).await?.count;
        if entries == 0 {
            return Ok(None);
        }
        self.feed.has_travelled(found.rooms.last().min(entries))?;
        let past = self.past(entries)?;
        let (sanctions, freezes) = (past.open(), past.freezes.len());
        for sanction in past.sanctions.values() {
            self.sanctions.keep(sanction).await?;
        }
        for freeze in past.freezes.values() {
            self.freeze_control.restore(freeze).await?;
        }
        tracing::info!(entries, sanctions, freezes, place, "an earlier record is restored");
        Ok(Some(Restored { entries, sanctions, freezes, place }))
    }

    /// What the record says up to this number.
    pub(super) fn past(&self, upto: u64) -> Result<Past, store::Error> {
        let mut past = Past::default();
        for number in 1..=upto {
            let Some(kept) = self.audit.get(number)? else { continue };
            past.read(kept, |user| self.roster.operator(user).map(|one| one.role.rank));
        }
        Ok(past)
    }
}

impl From<&Restored> for Line {
    fn from(restored: &Restored) -> Self {
        let Restored { entries, sanctions, freezes, place } = restored;
        Self::new()
            .plain(format!(
                "I recovered {entries} entries of the record from {place}. Temporary measures \
                still running: {sanctions}, freezes in force: {freezes}. Check it against the last \
                hash that you kept: "
            ))
            .command("!audit verify")
    }
}

/// What the record says so far.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// By the number of their change and their subject.
    pub(super) sanctions: BTreeMap<(u64, String), Sanction>,
    pub(super) freezes: BTreeMap<What, Freeze>,
}

impl Past {
    fn open(&self) -> usize {
        self.sanctions.values().filter(|sanction| sanction.state.is_open()).count()
    }

    /// Reads the next entry; `rank` is that of somebody who is an operator now.
    fn read(&mut self, kept: Kept, rank: impl Fn(&ruma::UserId) -> Option<Rank>) {
        let (at, Some(record)) = (kept.entry.at, kept.record) else { return };
        match kept.entry.kind {
            Kind::Closed => self.closed(&record, rank),
            Kind::Moved => self.moved(&record),
            // Earlier versions wrote a note, and no other note of theirs has `undoes`.
            Kind::GivenUp | Kind::Noted => self.given_up(&record),
            Kind::Frozen => self.frozen(record, at),
            Kind::Unfrozen => {
                record.freeze.map(|what| self.freezes.remove(&what));
            }
            _ => {}
        }
    }

    /// A change has ended others' sanctions, and may have imposed one.
    fn closed(&mut self, record: &Record, rank: impl Fn(&ruma::UserId) -> Option<Rank>) {
        let Some(number) = record.of else { return };
        for (subject, left) in &record.left {
            self.end(number, subject, left, record.status.is_some_and(has_changed));
        }
        let (Some(until), Some(Status::Done | Status::DoneInPart)) = (record.until, record.status)
        else {
            return;
        };
        let (Some(by), Some(room), Some(event)) = (&record.by, &record.room, &record.event) else {
            return;
        };
        for ((subject, left), undo) in record.left.iter().zip(&record.undo) {
            let Undo::Command(undo) = undo else { continue };
            let sanction = Sanction {
                number,
                subject: subject.clone(),
                words: record.words.clone(),
                undo: undo.clone(),
                left: left.clone(),
                by: by.clone(),
                // Nobody must end it early because it is not known who may.
                role: rank(by).unwrap_or(Rank::Admin),
                asked: (room.clone(), event.clone()),
                until,
                again: None,
                tries: 0,
                state: State::Running,
            };
            self.sanctions.insert((number, subject.key()), sanction);
        }
    }

    fn end(&mut self, number: u64, subject: &Subject, left: &FactMap, is_done: bool) {
        let ended = self.sanctions.values_mut().filter(|sanction| {
            sanction.state.is_open()
                && sanction.subject == *subject
                && (sanction.is_ended_by(left) || is_done && sanction.is_replaced_by(left))
        });
        ended.for_each(|sanction| sanction.state = State::Ended(number));
    }

    fn moved(&mut self, record: &Record) {
        let (Some(number), Some(until)) = (record.of, record.until) else { return };
        for sanction in self.of(number, &record.subjects) {
            sanction.until = until;
            sanction.state = State::Running;
        }
    }

    fn of<'a>(
        &'a mut self,
        number: u64,
        subjects: &'a [Subject],
    ) -> impl Iterator<Item = &'a mut Sanction> {
        let of = self.sanctions.values_mut().filter(move |sanction| sanction.number == number);
        // Records of before name no subject where there was only one.
        of.filter(|sanction| subjects.is_empty() || subjects.contains(&sanction.subject))
    }

    /// A change whose time was over was left to the operators.
    fn given_up(&mut self, record: &Record) {
        let Some(number) = record.undoes else { return };
        self.of(number, &record.subjects).for_each(|sanction| sanction.state = State::Stuck);
    }

    fn frozen(&mut self, record: Record, at: Timestamp) {
        if let (Some(what), Some(by)) = (record.freeze, record.by) {
            self.freezes.insert(what.clone(), Freeze { what, by, at, lifted_by: None });
        }
    }
}

#[cfg(test)]
mod tests;
