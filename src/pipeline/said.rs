//! What every command has in common when it is answered: refusals, records, faults, the room.

use ruma::{OwnedEventId, OwnedRoomId};
use tracing::{error, warn};

use super::{Asked, Origin, Pipeline, Unsent};
use crate::{
    audit::Kind,
    clock::SharedClock,
    error::Stop,
    reply::{File, Line, Reply, Word},
};

impl Pipeline {
    /// A refusal by the gate, on record.
    pub(super) async fn refused(&self, asked: &Asked<'_>, why: Line) -> Reply {
        let record = asked.record(Kind::Refused);
        if let Err(error) = self.audit.note(record).await {
            error!(error = &error as &dyn std::error::Error, "a refusal was not recorded");
        }
        Reply::outcome(Word::Refused, why)
    }

    /// Answers to a message, with its file first, so that the answer speaks of one that is there.
    /// What cannot be sent is logged; there is nowhere else to say it.
    pub(super) async fn answer(
        &self,
        to: Origin<'_>,
        slot: &str,
        reply: &Reply,
    ) -> Option<OwnedEventId> {
        let instead = self.without_file(to, slot, reply).await;
        let reply = instead.as_ref().unwrap_or(reply);
        match self.feed.say(to.room(), Some(to.event()), slot, reply).await {
            Ok(event) => {
                self.remember_listing(&event, reply);
                Some(event)
            }
            Err(error) => {
                error!(
                    event = %to.event(),
                    error = &error as &dyn std::error::Error,
                    "an answer was not sent"
                );
                None
            }
        }
    }

    /// Sends the file of an answer, if it has one. What to say in place of the answer where that
    /// did not work.
    async fn without_file(&self, to: Origin<'_>, slot: &str, reply: &Reply) -> Option<Reply> {
        let file = reply.file.as_ref()?;
        let about = Some(to.event());
        let error = self.outbox.attach(to.room(), about, slot, file).await.err()?;
        warn!(
            event = %to.event(),
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
            match self.feed.say(&room, None, slot, reply).await {
                Ok(_) => told = true,
                Err(error) => {
                    error!(%room, error = &error as &dyn std::error::Error, "the room was not told");
                }
            }
        }
        told
    }
}

/// Says why a command ended early, and logs the causes under the same number.
pub(super) fn stopped(clock: &SharedClock, stop: &Stop) -> Reply {
    let incident = clock.digits(6);
    let cause = stop as &dyn std::error::Error;
    match stop {
        Stop::Refused { .. } => {}
        Stop::Store(_) => error!(%incident, error = cause, "the store cannot be used"),
        Stop::Record(_) => error!(%incident, error = cause, "the record cannot be written"),
        Stop::Api(_) | Stop::Disk(_) => {
            warn!(%incident, error = cause, "a command ended early");
        }
    }
    stop.reply(&incident)
}

/// Why there is no file, in one sentence.
fn unattached(file: &File, error: &Unsent) -> Reply {
    let line = Line::new().plain("I could not send ").code(&file.name);
    let why = format!(" ({}): {error}", file.size());
    let to_do =
        if matches!(error, Unsent::TooLarge) { "; ask for less of it at a time" } else { "" };
    Reply::outcome(Word::Refused, line.plain(why + to_do))
}
