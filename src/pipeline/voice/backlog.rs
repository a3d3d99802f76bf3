//! What could not be said yet: tried again until it is said, in order, and after restarts too.
//!
//! A homeserver, or what stands before it, may refuse one message or all of them for a while. What is
//! to be said then waits here. While the process lives it is kept as it was meant; on disk it is in
//! short, and only what must not be lost (see [`crate::unsaid`]): the answer to a look goes with the
//! process. It is sent under the same transaction id as before, so that what arrived after all is not
//! said twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::SignedDuration;
use ruma::{OwnedEventId, OwnedRoomId, RoomId};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    audit::{Audit, Record},
    change::Undo,
    clock::SharedClock,
    pipeline::{
        Outbox, Unsent, inbound::listings::Listings, is_first_word, shell::with_way,
        voice::last_word::LastWord,
    },
    reply::{Line, Reply, Ring, Status, utc},
    store::{self, Store},
    unsaid::{Unsaid, Unsaids, Words},
};

/// How much waits at most. What comes then is told in one line.
const MOST: usize = 300;

/// How many of these are kept as they were meant, and not only in short.
const WHOLE: usize = 50;

/// How long after a failure it is tried again: at once where the homeserver cannot be reached, which
/// the outbox waits for by itself; where it refuses, ever later.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// The pause between two rounds that go well.
const ON: Duration = Duration::from_millis(50);

/// After so many refusals something is said in short.
const SHORTER: u32 = 2;

/// After so many refusals the next one is tried too. If that gets through, what was refused lets all
/// others go first, and is tried again only from time to time.
const REFUSED: u32 = 6;
const STUCK: usize = 3;
const SELDOM: Duration = Duration::from_mins(10);

/// What is older than this is not said any more.
const TOO_OLD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What waits to be said.
#[derive(Debug)]
pub(in crate::pipeline) struct Backlog {
    unsaid: Unsaids,
    audit: Audit,
    clock: SharedClock,
    outbox: Arc<dyn Outbox>,
    listings: Arc<Listings>,
    last_word: Arc<LastWord>,
    waiting: Mutex<BTreeMap<String, Waiting>>,
    next: AtomicU64,
    /// Notified when something begins to wait.
    more: Notify,
}

/// One thing that waits.
#[derive(Debug, Clone)]
struct Waiting {
    unsaid: Unsaid,
    /// As it was meant, where it is kept so.
    whole: Option<Reply>,
    /// Whether it outlives the process.
    on_disk: bool,
    /// How often it was refused.
    refused: u32,
    /// Not to be tried before this.
    not_before: Option<Instant>,
}

/// How a round went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Round {
    /// Something was said.
    WentOn,
    /// All that was tried was refused.
    Refused,
    /// The homeserver did not take it in time.
    Unreachable,
}

/// Something that could not be said.
#[derive(Debug, Clone, Copy)]
pub(in crate::pipeline) struct Missed<'a> {
    pub(in crate::pipeline) room: &'a RoomId,
    pub(in crate::pipeline) about: Option<&'a OwnedEventId>,
    pub(in crate::pipeline) transaction_key: &'a str,
    pub(in crate::pipeline) reply: &'a Reply,
    /// Whether it is the outcome of what `about` asked for.
    pub(in crate::pipeline) outcome: bool,
    /// Why; nothing where it waits for others to be said first.
    pub(in crate::pipeline) why: Option<&'a Unsent>,
}

impl Backlog {
    /// What an earlier run could not say.
    pub(in crate::pipeline) fn new(
        store: &Store,
        audit: Audit,
        clock: SharedClock,
        outbox: Arc<dyn Outbox>,
        listings: Arc<Listings>,
        last_word: Arc<LastWord>,
    ) -> Result<Self, store::Error> {
        let unsaid = Unsaids::new(store)?;
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        for (place, one) in unsaid.all()? {
            next = number_in(&place).map_or(next, |number| next.max(number + 1));
            if clock.now().duration_since(one.since) > TOO_OLD {
                warn!(room = %one.room, about = ?one.about, "too old to be said");
                unsaid.forget(&place)?;
                continue;
            }
            let kept =
                Waiting { unsaid: one, whole: None, on_disk: true, refused: 0, not_before: None };
            waiting.insert(place, kept);
        }
        let (waiting, next, more) = (Mutex::new(waiting), AtomicU64::new(next), Notify::new());
        Ok(Self { unsaid, audit, clock, outbox, listings, last_word, waiting, next, more })
    }

    /// How many answers wait to be said.
    pub(in crate::pipeline) fn count(&self) -> usize {
        self.waiting().len()
    }

    /// Whether what is said in this room now would be said before what waits.
    pub(in crate::pipeline) fn has(&self, room: &RoomId) -> bool {
        self.waiting().values().any(|one| one.unsaid.room == *room && one.not_before.is_none())
    }

    /// Keeps something until it has been said; false where that does not work.
    pub(in crate::pipeline) fn keep(&self, missed: &Missed<'_>) -> bool {
        let Missed { room, about, transaction_key, reply, why, .. } = *missed;
        let is_it = |one: &Waiting| {
            let one = &one.unsaid;
            one.room == *room
                && one.about.as_ref() == about
                && one.transaction_key == transaction_key
        };
        let mut waiting = self.waiting();
        if waiting.values().any(is_it) {
            return true;
        }
        if waiting.len() >= MOST {
            drop(waiting);
            return self.leave_out(room);
        }
        let whole = waiting.values().filter(|one| one.whole.is_some()).count() < WHOLE;
        let whole = whole.then(|| Reply { file: None, carried: Vec::new(), ..reply.clone() });
        let unsaid = Unsaid {
            room: room.to_owned(),
            about: about.cloned(),
            transaction_key: transaction_key.to_owned(),
            since: self.clock.now(),
            urgent: reply.urgent,
            ring: match &reply.ring {
                Ring::These(people) => people.clone(),
                Ring::Nobody => Vec::new(),
            },
            words: self.in_short(missed),
        };
        // What nobody asked for has no look in it.
        let on_disk = reply.status.is_some() || about.is_none();
        let refused = u32::from(why.is_some_and(is_refusal));
        let one = Waiting { unsaid, whole, on_disk, refused, not_before: None };
        self.put(&mut waiting, one)
    }

    fn put(&self, waiting: &mut BTreeMap<String, Waiting>, one: Waiting) -> bool {
        let order = u8::from(!one.unsaid.urgent);
        let place = format!("{order}-{:020}", self.next.fetch_add(1, Ordering::Relaxed));
        if one.on_disk
            && let Err(error) = self.unsaid.keep(&place, &one.unsaid)
        {
            error!(error = &error as &dyn std::error::Error, "what is unsaid is not on disk");
        }
        waiting.insert(place, one);
        self.more.notify_one();
        true
    }

    /// Says once that there was more than is kept.
    fn leave_out(&self, room: &RoomId) -> bool {
        let mut waiting = self.waiting();
        error!(%room, "so much is unsaid that this is not kept");
        if waiting.len() == MOST {
            let words = Words::Line { status: None, line: LEFT_OUT.to_owned() };
            let unsaid = Unsaid {
                room: room.to_owned(),
                about: None,
                transaction_key: format!("left-out-{}", self.clock.now().as_millisecond()),
                since: self.clock.now(),
                urgent: false,
                ring: Vec::new(),
                words,
            };
            let (whole, on_disk) = (None, true);
            let one = Waiting { unsaid, whole, on_disk, refused: 0, not_before: None };
            self.put(&mut waiting, one);
        }
        false
    }

    fn in_short(&self, missed: &Missed<'_>) -> Words {
        let Missed { about, reply, outcome, .. } = missed;
        let number = about.filter(|_| *outcome && reply.status.is_some()).and_then(|event| {
            let number = self.audit.opened_by(event).ok().flatten()?;
            self.audit.closing(number).ok().flatten().map(|_| number)
        });
        match number {
            Some(number) => Words::Change(number),
            None => Words::Line { status: reply.status, line: first_line(reply) },
        }
    }

    /// Returns when all that is to be on disk is.
    pub(in crate::pipeline) async fn flush(&self) {
        if let Err(error) = self.unsaid.flush().await {
            error!(error = &error as &dyn std::error::Error, "what is unsaid is not on disk");
        }
    }

    /// Tries again at once: the bot has come into a room.
    pub(in crate::pipeline) fn wake(&self) {
        self.more.notify_one();
    }

    /// Says what waits until `over`.
    pub(in crate::pipeline) async fn work(&self, over: CancellationToken) {
        let mut pause = FIRST;
        loop {
            let empty = self.waiting().is_empty();
            tokio::select! {
                () = over.cancelled() => return,
                () = self.more.notified() => {
                    pause = FIRST;
                    if empty {
                        continue;
                    }
                }
                () = tokio::time::sleep(pause), if !empty => {}
            }
            // What is cut off here is sent again under the same id.
            tokio::select! {
                () = over.cancelled() => return,
                round = self.say_all() => {
                    pause = match round {
                        Round::WentOn => ON,
                        Round::Refused => (pause * 2).clamp(FIRST, LONGEST),
                        Round::Unreachable => FIRST,
                    };
                }
            }
        }
    }

    /// Says what can be said now, each room's in order.
    pub(in crate::pipeline) async fn say_all(&self) -> Round {
        let places: Vec<String> = self.waiting().keys().cloned().collect();
        let mut round = Round::Refused;
        let mut closed = BTreeSet::<OwnedRoomId>::new();
        let mut stuck = BTreeMap::<OwnedRoomId, Vec<String>>::new();
        for place in places {
            let Some(one) = self.waiting().get(&place).cloned() else { continue };
            let room = &one.unsaid.room;
            let later = one.not_before.is_some_and(|then| then > Instant::now());
            if later || closed.contains(room) {
                continue;
            }
            match self.say_one(&place, &one).await {
                Ok(()) => {
                    round = Round::WentOn;
                    self.let_others_go_first(&stuck.remove(room).unwrap_or_default());
                }
                Err(_) if one.not_before.is_some() => {
                    self.let_others_go_first(std::slice::from_ref(&place));
                }
                Err(error) if is_refusal(&error) && one.refused + 1 >= REFUSED => {
                    let here = stuck.entry(room.clone()).or_default();
                    here.push(place);
                    if here.len() >= STUCK {
                        closed.insert(room.clone());
                    }
                }
                Err(error) => {
                    let unreachable = matches!(error, Unsent::Limited | Unsent::Timeout);
                    if unreachable && round == Round::Refused {
                        round = Round::Unreachable;
                    }
                    closed.insert(room.clone());
                }
            }
        }
        round
    }

    async fn say_one(&self, place: &str, one: &Waiting) -> Result<(), Unsent> {
        let whole = one.whole.as_ref().filter(|_| one.refused < SHORTER);
        let said = match whole {
            Some(whole) => match self.send(&one.unsaid, whole).await {
                Ok(event) => {
                    self.listings.remember(&event, whole, false);
                    Ok(event)
                }
                Err(error) if is_refusal(&error) && one.refused + 1 >= SHORTER => {
                    self.send(&one.unsaid, &self.drawn(&one.unsaid)).await
                }
                failed => failed,
            },
            None => self.send(&one.unsaid, &self.drawn(&one.unsaid)).await,
        };
        match said {
            Ok(_) => {
                info!(room = %one.unsaid.room, about = ?one.unsaid.about, "said late");
                self.forget(place);
                Ok(())
            }
            Err(error) => {
                self.note_failure(place, one, &error);
                Err(error)
            }
        }
    }

    async fn send(&self, unsaid: &Unsaid, reply: &Reply) -> Result<OwnedEventId, Unsent> {
        let Unsaid { room, about, transaction_key, .. } = unsaid;
        self.last_word.bot_says(room, transaction_key);
        self.outbox.say(room, about.as_ref(), transaction_key, reply).await
    }

    fn note_failure(&self, place: &str, one: &Waiting, error: &Unsent) {
        if let Some(kept) = self.waiting().get_mut(place) {
            kept.refused = kept.refused.saturating_add(u32::from(is_refusal(error)));
        }
        if one.refused < 2 {
            let why = error as &dyn std::error::Error;
            warn!(room = %one.unsaid.room, about = ?one.unsaid.about, error = why, "not said yet");
        }
    }

    /// What is in these places is refused although others get through.
    fn let_others_go_first(&self, places: &[String]) {
        let mut waiting = self.waiting();
        for place in places {
            let Some(one) = waiting.get_mut(place) else { continue };
            if one.not_before.is_none() {
                error!(room = %one.unsaid.room, about = ?one.unsaid.about, "refused by itself");
            }
            one.not_before = Some(Instant::now() + SELDOM);
        }
    }

    fn forget(&self, place: &str) {
        self.waiting().remove(place);
        if let Err(error) = self.unsaid.forget(place) {
            error!(error = &error as &dyn std::error::Error, "what was said stays on disk");
        }
    }

    /// What is to be said, in short.
    fn drawn(&self, unsaid: &Unsaid) -> Reply {
        let reply = match &unsaid.words {
            Words::Change(number) => self.outcome(*number),
            Words::Line { status, line } => {
                let line = if line.is_empty() { NOT_KEPT } else { line.as_str() };
                match status {
                    None if line == LEFT_OUT => {
                        Reply::data(Line::new().naming(line, &is_first_word))
                    }
                    Some(status) => Reply::outcome(*status, line),
                    None => Reply::data(line),
                }
            }
        };
        let reply = reply.note(format!(
            "This is late and shortened: my message of {} did not get through",
            utc(unsaid.since)
        ));
        if unsaid.ring.is_empty() { reply } else { reply.ringing(unsaid.ring.clone()) }
    }

    /// What the record says of a change.
    fn outcome(&self, number: u64) -> Reply {
        let closing = self.audit.closing(number).ok().flatten().and_then(|kept| kept.record);
        let Some(Record { status, words, subjects, changed, undo, by, way, .. }) = closing else {
            let line = Line::from("the outcome of change ").code(format!("#{number}"));
            let line = line.plain(" is lost");
            return Reply::outcome(Status::Unknown, line);
        };
        let line = Line::new().command(crate::input::shown(&words));
        let line = with_way(line, by.as_ref(), way);
        let mut reply = Reply::outcome(status.unwrap_or(Status::Unknown), line);
        if let (Some(changed), 2..) = (changed, subjects.len()) {
            reply = reply.text(format!("{changed} of {} were changed", subjects.len()));
        }
        if undo.iter().any(|undo| matches!(undo, Undo::Command(_))) {
            reply = reply.command("Undo", vec!["undo".to_owned(), number.to_string()]);
        }
        reply.note(Line::new().plain("On record as ").code(format!("#{number}")))
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is said where there was more than is kept.
const LEFT_OUT: &str = "Too many of my messages could not be sent, so I dropped some. What was changed \
    is on record: !audit";

/// What is said in place of words that are not kept.
const NOT_KEPT: &str = "my answer did not get through, and I did not keep it. If you still want \
    it, send the command again";

/// The first line of an answer as it may be written down. A no may repeat what somebody typed: of it
/// only the bot's own words are.
fn first_line(reply: &Reply) -> String {
    match reply.status {
        _ if reply.repeats => String::new(),
        Some(status) if status.is_no() => reply.title.own_words(),
        _ => reply.title.text(),
    }
}

fn number_in(place: &str) -> Option<u64> {
    place.split_once('-')?.1.parse().ok()
}

fn is_refusal(error: &Unsent) -> bool {
    matches!(error, Unsent::Refused(_) | Unsent::TooLarge)
}

#[cfg(test)]
mod tests;
