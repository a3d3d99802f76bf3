//! What every command has in common when it is answered: refusals, records, faults, the room.

use ruma::{OwnedEventId, OwnedRoomId};
use tracing::{error, warn};

use super::{Asked, Pipeline, Request, Unsent};
use crate::{
    audit::{self, Kind, Record},
    error::Stop,
    reply::{File, Line, Reply, Word},
};

impl Pipeline {
    /// A refusal by the gate, on record.
    pub(super) async fn refused(&self, asked: &Asked<'_>, why: Line) -> Reply {
        let record = Self::record(Kind::Refused, asked);
        if let Err(error) = self.audit.note(record).await {
            error!(error = &error as &dyn std::error::Error, "a refusal was not recorded");
        }
        Reply::outcome(Word::Refused, why)
    }

    pub(super) fn record(kind: Kind, asked: &Asked<'_>) -> Record {
        Record {
            by: Some(asked.operator.user.clone()),
            room: Some(asked.request.room.clone()),
            // What nobody typed has no event: the one that asked has led to its own change.
            event: (!asked.due).then(|| asked.request.event.clone()),
            words: asked.words.to_vec(),
            undoes: asked.undoes,
            reason: asked.options.reason.clone(),
            ..Record::new(kind)
        }
    }

    /// What to say when the record cannot be written: then nothing was done.
    pub(super) fn unrecorded(&self, error: &audit::Error) -> Stop {
        if let audit::Error::AlreadyOpened(number) = error {
            return Stop::refused(
                Line::new()
                    .plain("this message has led to a change before; see ")
                    .code(format!("!audit show {number}")),
            );
        }
        let incident = self.clock.digits(6);
        error!(%incident, error = error as &dyn std::error::Error, "the record cannot be written");
        Stop::refused(
            Line::new()
                .plain("I cannot write the record, so nothing was done. In the log under ")
                .code(incident),
        )
    }

    /// Says why a command ended early, and logs the causes under the same number.
    pub(super) fn stopped(&self, stop: &Stop) -> Reply {
        let incident = self.clock.digits(6);
        if !matches!(stop, Stop::Refused { .. }) {
            warn!(%incident, error = stop as &dyn std::error::Error, "a command ended early");
        }
        stop.reply(&incident)
    }

    /// Answers to a message, with its file first, so that the answer speaks of one that is there.
    /// What cannot be sent is logged; there is nowhere else to say it.
    pub(super) async fn answer(
        &self,
        request: &Request,
        slot: &str,
        reply: &Reply,
    ) -> Option<OwnedEventId> {
        let instead = self.without_file(request, slot, reply).await;
        let reply = instead.as_ref().unwrap_or(reply);
        match self.say(&request.room, Some(&request.event), slot, reply).await {
            Ok(event) => {
                self.remember_listing(&event, reply);
                Some(event)
            }
            Err(error) => {
                error!(
                    event = %request.event,
                    error = &error as &dyn std::error::Error,
                    "an answer was not sent"
                );
                None
            }
        }
    }

    /// Sends the file of an answer, if it has one. What to say in place of the answer where that
    /// did not work.
    async fn without_file(&self, request: &Request, slot: &str, reply: &Reply) -> Option<Reply> {
        let file = reply.file.as_ref()?;
        let about = Some(&request.event);
        let error = self.outbox.attach(&request.room, about, slot, file).await.err()?;
        warn!(
            event = %request.event,
            ?file,
            error = &error as &dyn std::error::Error,
            "a file was not sent"
        );
        Some(unattached(file, &error))
    }

    /// Says something to every admin room. False where not one of them could be told.
    pub(super) async fn tell(&self, slot: &str, reply: &Reply) -> bool {
        let rooms: Vec<OwnedRoomId> = self.roster.rooms.iter().cloned().collect();
        let mut told = false;
        for room in rooms {
            match self.say(&room, None, slot, reply).await {
                Ok(_) => told = true,
                Err(error) => {
                    error!(%room, error = &error as &dyn std::error::Error, "the room was not told");
                }
            }
        }
        told
    }
}

/// Why there is no file, in one sentence.
fn unattached(file: &File, error: &Unsent) -> Reply {
    let line = Line::new().plain("I could not send ").code(&file.name);
    let why = format!(" ({}): {error}", file.size());
    let to_do =
        if matches!(error, Unsent::TooLarge) { "; ask for less of it at a time" } else { "" };
    Reply::outcome(Word::Refused, line.plain(why + to_do))
}
