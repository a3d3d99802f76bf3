//! The way out: answers and refusals, what all rooms are told, and secrets that one person is told.

use std::sync::Arc;

use ruma::{OwnedEventId, OwnedRoomId, RoomId};
use tracing::{error, warn};

use super::{Invocation, Origin, Outbox, Request, Unsent, record::Feed};
use crate::{
    audit::{Audit, Kind},
    commands::Action,
    error::Stop,
    operators::Roster,
    pipeline::inbound::list::Listings,
    reply::{File, Line, Reply, Status},
    synapse::Secrets,
};

pub(super) mod aside;
pub(super) mod news;

/// The way out: answers, refusals, secrets, and what the rooms are told.
#[derive(Debug)]
pub(super) struct Voice {
    roster: Arc<Roster>,
    audit: Audit,
    feed: Arc<Feed>,
    outbox: Arc<dyn Outbox>,
    listings: Arc<Listings>,
}

impl Voice {
    /// What speaks through this outbox, with the record that travels along.
    pub(super) fn new(
        roster: Arc<Roster>,
        audit: Audit,
        feed: Arc<Feed>,
        outbox: Arc<dyn Outbox>,
        listings: Arc<Listings>,
    ) -> Self {
        Self { roster, audit, feed, outbox, listings }
    }

    /// Says something in a room; what of the record has not yet travelled goes with it, unseen.
    pub(super) async fn say(
        &self,
        room: &RoomId,
        about: Option<&OwnedEventId>,
        transaction_key: &str,
        reply: &Reply,
    ) -> Result<OwnedEventId, Unsent> {
        self.feed.say(room, about, transaction_key, reply).await
    }

    /// A refusal by the gate, on record.
    pub(super) async fn refused(&self, invocation: &Invocation<'_>, why: Line) -> Reply {
        let record = invocation.record(Kind::Refused);
        if let Err(error) = self.audit.note(record).await {
            error!(error = &error as &dyn std::error::Error, "a refusal was not recorded");
        }
        Reply::outcome(Status::Refused, why)
    }

    /// Answers to a message, with its file first, so that the answer speaks of one that is there.
    /// What cannot be sent is logged; there is nowhere else to say it.
    pub(super) async fn answer(
        &self,
        to: Origin<'_>,
        transaction_key: &str,
        reply: &Reply,
    ) -> Option<OwnedEventId> {
        let instead = self.without_file(to, transaction_key, reply).await;
        let reply = instead.as_ref().unwrap_or(reply);
        match self.feed.say(to.room(), Some(to.event()), transaction_key, reply).await {
            Ok(event) => {
                self.listings.remember(&event, reply);
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
    async fn without_file(
        &self,
        to: Origin<'_>,
        transaction_key: &str,
        reply: &Reply,
    ) -> Option<Reply> {
        let file = reply.file.as_ref()?;
        let about = Some(to.event());
        let error = self.outbox.attach(to.room(), about, transaction_key, file).await.err()?;
        warn!(
            event = %to.event(),
            ?file,
            error = &error as &dyn std::error::Error,
            "a file was not sent"
        );
        Some(unattached(file, &error))
    }

    /// Says something to every admin room. False where not one of them could be told.
    pub(super) async fn tell(&self, transaction_key: &str, reply: &Reply) -> bool {
        let rooms: Vec<OwnedRoomId> = self.roster.rooms.iter().cloned().collect();
        let mut told = false;
        for room in rooms {
            match self.feed.say(&room, None, transaction_key, reply).await {
                Ok(_) => told = true,
                Err(error) => {
                    error!(%room, error = &error as &dyn std::error::Error, "the room was not told");
                }
            }
        }
        told
    }

    /// Nothing is changed of which the room could not be told: the room is where others see it, and
    /// whoever asked would ask again.
    pub(super) async fn ready_to_tell(&self, invocation: &Invocation<'_>) -> Result<(), Stop> {
        if self.outbox.may_say_now(invocation.origin.room()).await {
            return Ok(());
        }
        warn!(event = %invocation.origin.event(), "nothing is changed where I may not write");
        Err(Stop::refused("I may not write in this room, so nothing was done"))
    }

    /// Takes a message with a secret out of the room.
    pub(super) async fn remove_secret(&self, request: &Request) -> Result<(), Unsent> {
        let why = "It held a secret";
        let removed = self.outbox.redact(&request.room, &request.event, why).await;
        removed.inspect_err(|error| {
            error!(error = error as &dyn std::error::Error, "a typed secret stays in the room");
        })
    }

    /// Refuses a change that ends with a secret for its asker where they could not be told.
    pub(super) async fn ready_to_whisper(
        &self,
        invocation: &Invocation<'_>,
        action: &dyn Action,
    ) -> Result<(), Stop> {
        if !action.whispers() {
            return Ok(());
        }
        self.outbox.can_whisper(&invocation.operator.user).await.map_err(|why| {
            Stop::refused(
                Line::new()
                    .plain("this ends with a secret that only you may read, and that cannot be: ")
                    .plain(why.to_string())
                    .plain(". Nothing was done; put that right and send the command again"),
            )
            .or(&["me", "dm"])
        })
    }

    /// Tells the asker in private what the change with this number has made, and says in its receipt
    /// that it did.
    pub(super) async fn whisper(
        &self,
        invocation: &Invocation<'_>,
        number: u64,
        mut secrets: Secrets,
        receipt: Reply,
    ) -> Reply {
        let Some((_, secret)) = secrets.only() else { return receipt };
        let words = Reply::data(
            Line::new()
                .plain("For change ")
                .code(format!("#{number}"))
                .plain(", ")
                .code(crate::input::shown(invocation.words)),
        );
        let transaction_key = format!("secret-{number}");
        match self
            .outbox
            .whisper(&invocation.operator.user, &transaction_key, &words, &secret)
            .await
        {
            Ok(_) => receipt.note("The secret is in our direct room; it is nowhere else."),
            Err(why) => {
                error!(number, error = &why as &dyn std::error::Error, "a secret was not told");
                let mut reply = receipt;
                reply.status = Some(Status::DoneInPart);
                reply.text(
                    Line::new()
                        .plain("The secret could not be told to you, and is lost: ")
                        .plain(why.to_string())
                        .plain(". Put that right, and send the command again for a new one"),
                )
            }
        }
    }
}

/// Why there is no file, in one sentence.
fn unattached(file: &File, error: &Unsent) -> Reply {
    let line = Line::new().plain("I could not send ").code(&file.name);
    let why = format!(" ({}): {error}", file.size());
    let to_do =
        if matches!(error, Unsent::TooLarge) { "; ask for less of it at a time" } else { "" };
    Reply::outcome(Status::Refused, line.plain(why + to_do))
}
