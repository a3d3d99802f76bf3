//! What is done at every start: what a crash cut off is reported, and what is too old to matter goes.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use ruma::{OwnedEventId, OwnedRoomId, RoomId};
use tracing::{error, warn};

use crate::{
    audit::{Kind, Record},
    change::Snapshot,
    confirm::End,
    pipeline::{Pipeline, Restored, shell::with_way, stands_for_event},
    reply::{Line, Reply, Status, utc},
    store,
};

/// How long it can be asked for a sanction that is over. The record has it after that too.
const OVER: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How far back on record it is looked for what a message that was cut off has done.
const RECENT: usize = 200;

/// A store that is lost.
#[derive(Debug)]
pub struct Lost {
    /// Where it lies, where it is still there.
    pub moved_to: Option<PathBuf>,
    /// What was restored without it.
    pub restored: Option<Restored>,
}

/// A message that an earlier run began to handle and did not end.
#[derive(Debug)]
pub struct Unhandled {
    event: OwnedEventId,
    room: OwnedRoomId,
    begun: Begun,
}

/// What an earlier run had begun because of a message.
#[derive(Debug)]
enum Begun {
    /// Nothing that is on record.
    Nothing,
    /// A change that has not ended.
    Change,
    /// A change that has, with its number and how it ended.
    Ended(u64, Box<Record>),
}

impl Pipeline {
    /// Reports every change that was begun and of which nobody knows how it ended, with what the
    /// homeserver shows now. Nothing is repeated.
    pub async fn report_cut_off(&self) {
        let left = match self.audit.left_open() {
            Ok(left) => left,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "the record cannot be read");
                return;
            }
        };
        for (number, record) in left {
            // It goes on by itself, and tells what it finds.
            if record.ticket.as_deref().is_some_and(|code| self.jobs.is_job(code)) {
                continue;
            }
            warn!(number, "a change was cut off");
            let present = self.present_state(&record).await;
            self.report_one(number, record, &present).await;
        }
    }

    /// The messages that an earlier run began to handle and did not end. To be asked before the
    /// first message of this run.
    pub fn unhandled(&self) -> Vec<Unhandled> {
        let unread = |error: store::Error| {
            error!(error = &error as &dyn std::error::Error, "the store cannot be read");
        };
        let cut_off = self.journal.cut_off().map_err(unread).unwrap_or_default();
        let begun = |event: &OwnedEventId| -> Result<Begun, store::Error> {
            let Some(number) = self.audit.opened_by(event)? else { return Ok(Begun::Nothing) };
            let closing = self.audit.closing(number)?.and_then(|kept| kept.record);
            Ok(closing.map_or(Begun::Change, |closing| Begun::Ended(number, Box::new(closing))))
        };
        let known = |(event, room)| {
            let begun = begun(&event).map_err(unread).ok()?;
            Some(Unhandled { event, room, begun })
        };
        cut_off.into_iter().filter_map(known).collect()
    }

    /// Says of each such message what came of it, except of a change that was begun and has not
    /// ended, which is reported by itself.
    pub async fn report_unhandled(&self, unhandled: Vec<Unhandled>) {
        for Unhandled { event, room, begun } in unhandled {
            match begun {
                Begun::Nothing => self.report_nothing_done(&event, &room).await,
                Begun::Change => {}
                Begun::Ended(number, closing) => {
                    self.report_ended(&event, &room, number, &closing).await;
                }
            }
            if let Err(error) = self.journal.settle(&event, &room, self.clock.now()) {
                error!(error = &error as &dyn std::error::Error, "the journal cannot be written");
            }
        }
    }

    /// Tells the outcome of a change that ended right before the bot was stopped.
    async fn report_ended(
        &self,
        event: &OwnedEventId,
        room: &RoomId,
        number: u64,
        closing: &Record,
    ) {
        warn!(%event, number, "a change ended, and perhaps nobody was told");
        if let Ok(Some(ticket)) = self.questions.taken_by(event) {
            self.questions.close_ticket(&ticket.code, End::Run(Some(number)), None).await;
        }
        let whispered =
            self.executor.action(&closing.words).is_some_and(|(action, _)| action.whispers());
        let lost = if whispered { ", and the secret that it made is lost" } else { "" };
        let title = Line::new().command(crate::input::shown(&closing.words));
        let title = with_way(title, closing.by.as_ref(), closing.way);
        let reply = if self.goes_on(number) {
            Reply::data(title.plain(
                ": the homeserver has started and is still working; I will say here when it is \
                finished. I was stopped before I could tell you",
            ))
        } else {
            let said = format!(". I was stopped before I could tell you{lost}");
            Reply::outcome(closing.status.unwrap_or(Status::Unknown), title.plain(said))
        };
        let reply =
            reply.command("For details", vec!["audit".into(), "show".into(), number.to_string()]);
        self.voice.say_surely(room, Some(event), "answer", &reply).await;
    }

    /// Whether the homeserver goes on with the change of this number.
    fn goes_on(&self, number: u64) -> bool {
        let open = self.watcher.open().inspect_err(|error| {
            error!(error = error as &dyn std::error::Error, "what goes on cannot be read");
        });
        open.unwrap_or_default().iter().any(|watch| watch.number == number)
    }

    async fn report_nothing_done(&self, event: &OwnedEventId, room: &RoomId) {
        warn!(%event, "a message was cut off before anything was done");
        // A question that was put because of it stands, and needs no other word.
        if self
            .questions
            .asked_by(event)
            .ok()
            .flatten()
            .is_some_and(|ticket| ticket.question.is_some())
        {
            return;
        }
        // What watches an account says so itself, as the answer.
        if self.observer.observations().is_begun_by(event).unwrap_or_default() {
            return;
        }
        if let Some(words) = self.done_by(event) {
            let line = Line::new().command(crate::input::shown(&words));
            let reply =
                Reply::outcome(Status::Done, line.plain(". I was stopped before I could tell you"));
            self.voice.say_surely(room, Some(event), "answer", &reply).await;
            return;
        }
        if let Ok(Some(ticket)) = self.questions.taken_by(event) {
            self.questions.close_ticket(&ticket.code, End::Refused, None).await;
        }
        if stands_for_event(event) {
            // Nobody in the room has seen that it was asked for.
            return;
        }
        let reply = Reply::outcome(
            Status::Failed,
            "I was stopped before I got to this, so nothing was done. Send it again if you still \
             want it",
        );
        // The transaction key of an ordinary answer: if that was sent, this is not sent besides.
        self.voice.say_surely(room, Some(event), "answer", &reply).await;
    }

    /// The words of what is on record as done because of this message, where that is no change of
    /// the homeserver's: a freeze, a stop.
    fn done_by(&self, event: &OwnedEventId) -> Option<Vec<String>> {
        let last = self.audit.last(RECENT).ok()?;
        last.into_iter().filter_map(|kept| kept.record).find_map(|record| {
            let done = matches!(record.kind, Kind::Frozen | Kind::Stopped) && record.of.is_none();
            (done && record.event.as_ref() == Some(event)).then_some(record.words)
        })
    }

    async fn report_one(
        &self,
        number: u64,
        record: Record,
        present: &[(String, Option<Snapshot>)],
    ) {
        let reply = cut_off(number, &record, present);
        let rooms = match &record.room {
            Some(room) if self.roster.rooms.contains(room) => vec![room.clone()],
            _ => self.roster.rooms.iter().cloned().collect(),
        };
        for room in rooms {
            let transaction_key = format!("cut-{number}");
            if !self.voice.say_surely(&room, record.event.as_ref(), &transaction_key, &reply).await
            {
                // It stays open in the record, and is reported at the next start.
                error!(number, "not reported");
                return;
            }
        }
        // It goes to disk with the end of the change: killed between the two, the next start would
        // take what was told here for untold.
        if let (Some(event), Some(room)) = (&record.event, &record.room)
            && let Err(error) = self.journal.settle(event, room, self.clock.now())
        {
            error!(error = &error as &dyn std::error::Error, "the journal cannot be written");
        }
        let ticket = record.ticket.clone();
        if let Some((_, options)) = self.executor.action(&record.words) {
            self.executor.count(&options.verb, Status::Unknown);
        }
        let closed = Record {
            kind: Kind::Closed,
            status: Some(Status::Unknown),
            note: Some("interrupted; reported at the next start".to_owned()),
            requests: Vec::new(),
            left: Vec::new(),
            ..record
        };
        if let Err(error) = self.audit.close(number, closed).await {
            error!(number, error = &error as &dyn std::error::Error, "not recorded");
        }
        if let Some(code) = ticket {
            self.questions.close_ticket(&code, End::Run(Some(number)), None).await;
        }
    }

    async fn present_state(&self, record: &Record) -> Vec<(String, Option<Snapshot>)> {
        let Some((action, _)) = self.executor.action(&record.words) else {
            return Vec::new();
        };
        let reader = self.reader.look();
        let mut present = Vec::new();
        for subject in &record.subjects {
            let seen = action.snapshot(subject, &reader).await;
            if let Err(error) = &seen {
                warn!(error = error as &dyn std::error::Error, "the present state is not known");
            }
            present.push((subject.to_string(), seen.ok()));
        }
        present
    }

    /// Tells the rooms that an earlier store is lost, and what of it is back.
    pub async fn report_lost_store(&self, lost: &Lost) {
        let Lost { moved_to, restored } = lost;
        let (title, log) = match moved_to {
            Some(_) => {
                ("My store could not be opened. I moved it aside and started a new one", "moved")
            }
            None => ("My store was missing, so I started a new one", "gone"),
        };
        let folder = moved_to.as_ref().map(|folder| folder.display().to_string());
        error!(moved_to = folder, "the store is lost: {log}");
        let mut reply = Reply::data(title).text(match restored {
            Some(restored) => restored.into(),
            None => Line::from(
                "I no longer have the record, the end times of temporary measures, or the freezes",
            ),
        });
        reply = reply.text(
            "I also no longer have open questions, notes, or the operators' keys that I accepted",
        );
        if let Some(path) = moved_to {
            reply = reply.note(Line::new().plain("The old one is in ").code(path.display()));
        }
        let transaction_key = format!("lost-store-{}", self.clock.now().as_second());
        self.voice.tell(&transaction_key, &reply).await;
    }

    /// Tells the rooms that the store would not open and was made again from its log, and that the
    /// damaged one lies in `aside`.
    pub async fn report_rebuilt_store(&self, aside: &Path) {
        error!(aside = %aside.display(), "the store was made again from its log");
        let reply = Reply::data(
            "My store could not be opened. I moved it aside and rebuilt it from its own log",
        )
        .text(
            Line::new()
                .plain(
                    "The last entries may be missing. Check the record against the last hash that \
                    you kept: ",
                )
                .command("!audit verify"),
        )
        .note(Line::new().plain("The old one is in ").code(aside.display()));
        let transaction_key = format!("rebuilt-store-{}", self.clock.now().as_second());
        self.voice.tell(&transaction_key, &reply).await;
    }

    /// Tells the rooms that no backup could be made, and why.
    pub async fn report_backup_failed(&self, why: &str) {
        let reply = Reply::data("I could not make the backup that is due")
            .text(Line::new().plain("Why: ").code(why))
            .note("I try again every hour, and will not repeat this message until a backup works");
        let transaction_key = format!("backup-failed-{}", self.clock.now().as_second());
        self.voice.tell(&transaction_key, &reply).await;
    }

    /// Tells the rooms that the bot is another device now, since nobody new could write to the one
    /// before.
    pub async fn report_new_device(&self) {
        let reply = Reply::data(
            "I logged in as a new device. The homeserver had one-time keys of my old device that I \
            did not know, as after a copy of my state was restored, so I could not read messages \
            from new devices",
        )
        .note("I have answered the messages that I could not decrypt, and read the rest");
        self.voice.tell("new-device", &reply).await;
    }

    /// Forgets messages, and sanctions that are over, that are too old to matter.
    pub fn tidy(&self) {
        let limit = self.clock.now() - OVER;
        if let Err(error) = self.authenticity.forget_files_before(limit) {
            error!(error = &error as &dyn std::error::Error, "old files cannot be forgotten");
        }
        if let Err(error) = self.sanctions.forget_before(limit) {
            error!(error = &error as &dyn std::error::Error, "old sanctions cannot be forgotten");
        }
        if let Err(error) = self.journal.prune(self.clock.now()) {
            error!(error = &error as &dyn std::error::Error, "the journal cannot be tidied");
        }
        if let Err(error) = self.places.forget_old(self.clock.now()) {
            error!(error = &error as &dyn std::error::Error, "old places cannot be forgotten");
        }
    }
}

fn cut_off(number: u64, record: &Record, present: &[(String, Option<Snapshot>)]) -> Reply {
    let mut reply = Reply::outcome(
        Status::Unknown,
        Line::new()
            .command(crate::input::shown(&record.words))
            .plain(" was interrupted, and I do not repeat it by myself"),
    );
    for (subject, seen) in present {
        reply = match seen {
            Some(seen) => reply
                .text(Line::new().plain("Current state of ").code(subject).plain(":"))
                .facts(seen.display.clone()),
            None => reply.text(
                Line::new()
                    .plain("The homeserver does not show the current state of ")
                    .code(subject),
            ),
        };
    }
    if let Some(until) = record.until {
        reply = reply.text(format!(
            "It was to end by itself, {}. That is not set: undo it yourself, or send the command \
             again",
            utc(until)
        ));
    }
    reply = reply.note(Line::new().plain("On record as ").code(format!("#{number}")));
    match &record.by {
        Some(by) => reply.ringing(vec![by.clone()]),
        None => reply,
    }
}
