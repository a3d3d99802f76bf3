//! The way out: answers and refusals, what all rooms are told, and secrets that one person is told.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ruma::{OwnedEventId, OwnedRoomId, RoomId, RoomOrAliasId};
use tracing::{error, warn};

use super::{
    Ailment, Exit, Invocation, Left, NoWhisper, Origin, Outbox, Request, Unsent, record::Feed,
};
use crate::{
    audit::{Audit, Kind},
    clock::SharedClock,
    commands::Action,
    error::Stop,
    operators::Roster,
    pipeline::inbound::{authentic::unheard, listings::Listings, press::arrows},
    reply::{Block, File, Line, Reply, Status},
    synapse::Secrets,
};

mod arrival;
pub(super) mod aside;
pub(super) mod backlog;
mod first_page;
pub(super) mod last_word;
pub(super) mod news;
pub(super) mod working;

use backlog::{Backlog, Missed};

/// The way out: answers, refusals, secrets, and what the rooms are told.
#[derive(Debug)]
pub(super) struct Voice {
    roster: Arc<Roster>,
    audit: Audit,
    clock: SharedClock,
    feed: Arc<Feed>,
    outbox: Arc<dyn Outbox>,
    listings: Arc<Listings>,
    backlog: Backlog,
    /// Counts what is said unasked, so that each has a transaction id of its own.
    unasked: AtomicU64,
}

impl Voice {
    /// What speaks through this outbox, with the record that travels along; what could not be said
    /// waits in the backlog.
    pub(super) fn new(
        roster: Arc<Roster>,
        (audit, clock): (Audit, SharedClock),
        feed: Arc<Feed>,
        outbox: Arc<dyn Outbox>,
        listings: Arc<Listings>,
        backlog: Backlog,
    ) -> Self {
        let unasked = AtomicU64::default();
        Self { roster, audit, clock, feed, outbox, listings, backlog, unasked }
    }

    /// What could not be said yet.
    pub(super) fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Says something in a room, now or not at all; what of the record has not yet travelled goes
    /// with it, unseen.
    pub(super) async fn say(
        &self,
        room: &RoomId,
        about: Option<&OwnedEventId>,
        transaction_key: &str,
        reply: &Reply,
    ) -> Result<OwnedEventId, Unsent> {
        self.feed.say(room, about, transaction_key, reply).await
    }

    /// Says something in a room, now or as soon as it can be said. False where it is lost.
    pub(super) async fn say_surely(
        &self,
        room: &RoomId,
        about: Option<&OwnedEventId>,
        transaction_key: &str,
        reply: &Reply,
    ) -> bool {
        let missed = Missed { room, about, transaction_key, reply, outcome: false, why: None };
        self.surely(missed).await
    }

    /// Says it now where nothing waits for its turn in that room, or it is urgent; else it waits too.
    async fn surely(&self, missed: Missed<'_>) -> bool {
        let Missed { room, about, transaction_key, reply, .. } = missed;
        if self.backlog.has(room) && !reply.urgent {
            let kept = self.backlog.keep(&missed);
            self.backlog.flush().await;
            error!(%room, about = ?about, "an answer was not sent: others wait before it");
            return kept;
        }
        match self.feed.say(room, about, transaction_key, reply).await {
            Ok(event) => {
                self.shown(room, &event, reply).await;
                true
            }
            Err(why) => {
                let kept = self.backlog.keep(&Missed { why: Some(&why), ..missed });
                self.backlog.flush().await;
                let error = &why as &dyn std::error::Error;
                error!(%room, about = ?about, error, "an answer was not sent");
                kept
            }
        }
    }

    /// Remembers what an answer shows, for the replies and the reactions to it, and puts the arrows under
    /// it by which its pages are turned.
    async fn shown(&self, room: &RoomId, event: &OwnedEventId, reply: &Reply) {
        let in_place = reply.asked.is_some() && self.outbox.can_be_edited_to(reply);
        self.listings.remember(event, reply, in_place);
        arrows(&*self.outbox, room, event, None, reply.asked.as_deref()).await;
    }

    /// A refusal by the gate, on record.
    pub(super) async fn refused(&self, invocation: &Invocation<'_>, why: Line) -> Reply {
        let record = invocation.record(Kind::Refused);
        if let Err(error) = self.audit.note(record).await {
            error!(error = &error as &dyn std::error::Error, "a refusal was not recorded");
        }
        Reply::outcome(Status::Refused, why)
    }

    /// Answers to a message, now or as soon as it can be said, with its file first, so that the answer
    /// speaks of one that is there. False where it is lost.
    pub(super) async fn answer_surely(
        &self,
        to: Origin<'_>,
        transaction_key: &str,
        reply: &Reply,
    ) -> bool {
        let reply = self.with_file_sent(to, transaction_key, reply).await;
        let (room, about) = (to.room(), Some(to.event()));
        let (reply, outcome) = (reply.as_ref(), true);
        self.surely(Missed { room, about, transaction_key, reply, outcome, why: None }).await
    }

    /// Keeps an answer until it can be said, which nobody has tried.
    pub(super) fn answer_later(
        &self,
        to: Origin<'_>,
        transaction_key: &str,
        reply: &Reply,
    ) -> bool {
        let (room, about) = (to.room(), Some(to.event()));
        self.backlog.keep(&Missed {
            room,
            about,
            transaction_key,
            reply,
            outcome: false,
            why: None,
        })
    }

    /// Answers to a message now or not at all: what would be wrong to say later. What was typed in a
    /// shell is answered there, which is no event.
    pub(super) async fn answer(
        &self,
        to: Origin<'_>,
        transaction_key: &str,
        reply: &Reply,
    ) -> Option<OwnedEventId> {
        if let Some(shell) = to.shell() {
            shell.aside(reply).await;
            return None;
        }
        self.say_in_room(to, transaction_key, reply).await
    }

    /// Says in the room what an answer is, now or not at all: also of what was typed in a shell.
    pub(super) async fn say_in_room(
        &self,
        to: Origin<'_>,
        transaction_key: &str,
        reply: &Reply,
    ) -> Option<OwnedEventId> {
        let reply = &*self.with_file_sent(to, transaction_key, reply).await;
        match self.feed.say(to.room(), Some(to.event()), transaction_key, reply).await {
            Ok(event) => {
                self.shown(to.room(), &event, reply).await;
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

    /// Sends the file of an answer, if it has one, and returns the answer; where that did not work,
    /// one that holds the beginning of the file.
    async fn with_file_sent<'a>(
        &self,
        to: Origin<'_>,
        transaction_key: &str,
        reply: &'a Reply,
    ) -> Cow<'a, Reply> {
        let Some(file) = &reply.file else { return Cow::Borrowed(reply) };
        let about = Some(to.event());
        let sent = self.outbox.attach(to.room(), about, transaction_key, file).await;
        let Err(error) = sent else { return Cow::Borrowed(reply) };
        warn!(
            event = %to.event(),
            ?file,
            error = &error as &dyn std::error::Error,
            "a file was not sent"
        );
        Cow::Owned(unattached(reply, file, &error))
    }

    /// Says something to every admin room, now or as soon as it can be said. False where not one of
    /// them will be told.
    pub(super) async fn tell(&self, transaction_key: &str, reply: &Reply) -> bool {
        self.tell_others(None, transaction_key, reply).await
    }

    /// The same, but not in the room `than`, which is gone.
    pub(super) async fn tell_others(
        &self,
        than: Option<&RoomOrAliasId>,
        transaction_key: &str,
        reply: &Reply,
    ) -> bool {
        let rooms = self.roster.rooms.iter();
        let others = |room: &&OwnedRoomId| than.is_none_or(|than| than.as_str() != room.as_str());
        let rooms: Vec<OwnedRoomId> = rooms.filter(others).cloned().collect();
        // Told again at another time, it is another message.
        let number = self.unasked.fetch_add(1, Ordering::Relaxed);
        let now = self.clock.now().as_millisecond();
        let transaction_key = format!("{transaction_key}-{now}-{number}");
        let mut told = false;
        for room in rooms {
            told |= self.say_surely(&room, None, &transaction_key, reply).await;
        }
        told
    }

    /// Nothing is changed of which the room could not be told: the room is where others see it, and
    /// whoever asked would ask again.
    ///
    /// What was typed in a shell is answered there, also on the day when the room is out of reach: what
    /// the room is to be told of it waits.
    pub(super) async fn ready_to_tell(&self, invocation: &Invocation<'_>) -> Result<(), Stop> {
        if invocation.origin.shell().is_some() {
            return Ok(());
        }
        let room = invocation.origin.room();
        self.ensure_heard(room).await.map_err(unheard)?;
        if self.outbox.may_say_now(room).await {
            return Ok(());
        }
        warn!(event = %invocation.origin.event(), "nothing is changed where I may not write");
        Err(Stop::failed("I may not write in this room, so nothing was done"))
    }

    /// Whether what is said in the room can be read there, as far as the bot knows by itself.
    pub(super) async fn ensure_heard(&self, room: &RoomId) -> Result<(), Ailment> {
        self.outbox.can_be_heard(room).await
    }

    /// Puts a reaction under a message, best effort: it is in clear, so that it can be seen where an
    /// encrypted answer cannot be read.
    pub(super) async fn react(&self, room: &RoomId, event: &OwnedEventId, key: &str) {
        if let Err(error) = self.outbox.react(room, event, key).await {
            warn!(%room, %event, error = &error as &dyn std::error::Error, "not marked");
        }
    }

    /// Takes a message with a secret out of the room.
    pub(super) async fn remove_secret(&self, request: &Request) -> Result<(), Unsent> {
        let why = "It contained a secret";
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
        if let Some(shell) = invocation.origin.shell() {
            return if shell.console.is_open() {
                Ok(())
            } else {
                Err(Stop::refused(Left.to_string()))
            };
        }
        self.outbox.can_whisper(&invocation.operator.user).await.map_err(|why| {
            let failed = why == NoWhisper::Failed;
            Stop::ending(
                if failed { Status::Failed } else { Status::Refused },
                Line::new()
                    .plain(
                        "this produces a secret that only you may read, and I cannot send you \
                            one: ",
                    )
                    .plain(why.to_string())
                    .plain(". Nothing was done; fix that and send the command again"),
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
        if let Some(shell) = invocation.origin.shell() {
            return match shell.console.secret(&secret).await {
                Ok(()) => receipt.note("The secret is at the terminal; it is nowhere else."),
                Err(why) => {
                    shell.ended(Exit::InPart);
                    lost(receipt, number, &why)
                }
            };
        }
        let words = Reply::data(
            Line::new()
                .plain("Secret of change ")
                .code(format!("#{number}"))
                .plain(", ")
                .command(crate::input::shown(invocation.words)),
        );
        let transaction_key = format!("secret-{number}");
        match self
            .outbox
            .whisper(&invocation.operator.user, &transaction_key, &words, &secret)
            .await
        {
            Ok(_) => receipt.note("The secret is in our direct room; it is nowhere else."),
            Err(why) => lost(receipt, number, &why),
        }
    }
}

/// The receipt of a change whose secret could not be told.
fn lost(receipt: Reply, number: u64, why: &(dyn std::error::Error + 'static)) -> Reply {
    error!(number, error = why, "a secret was not told");
    let reply = Reply { status: Some(Status::DoneInPart), ..receipt };
    reply.text(
        Line::new()
            .plain("I could not send you the secret, and it is lost: ")
            .plain(why.to_string())
            .plain(". Fix that, and send the command again for a new one"),
    )
}

/// The answer without its file: why there is none, and the beginning of what it holds. Of a look
/// nothing else is said, since that would speak of a file that is there; what was done stays said.
fn unattached(reply: &Reply, file: &File, error: &Unsent) -> Reply {
    let line = Line::new().plain("I could not send ").code(&file.name);
    let why = format!(" ({}): {error}", file.size());
    let to_do = match (error, reply.status) {
        (Unsent::TooLarge, None) => "; ask for less at a time",
        _ => "",
    };
    let line = line.plain(why + to_do);
    let reply = match reply.status {
        None => Reply::outcome(Status::Failed, line),
        Some(_) => Reply { file: None, ..reply.clone() }.text(line),
    };
    let shows = file.looks.iter().map(|looks| Block::Text(looks.alt.clone()));
    shows.chain(first_page::of(file)).fold(reply, Reply::with)
}

#[cfg(test)]
mod tests;
