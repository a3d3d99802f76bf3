//! Reading what is said, in order.
//!
//! Our own loop around the SDK's `sync_once`, since the SDK's waits out a second between two
//! syncs, ends at the first error, and gives up what arrived while its handlers ran.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;
use matrix_sdk::{
    Client, Room, RoomState,
    config::{SyncSettings, SyncToken},
    deserialized_responses::TimelineEvent,
    ruma::{
        UInt,
        api::{
            client::{filter::FilterDefinition, sync::sync_events::v3::Filter as SyncFilter},
            error::ErrorKind,
        },
        presence::PresenceState,
    },
    sync::{SyncResponse, Timeline},
};
use ruma::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    ConnectError, Connection, Fatal, Login, Settings, Shared,
    failure::{Backoff, Failure},
    history::{self, Found},
    intake,
    own_keys::OwnKeys,
    pending::{Pending, Resolved},
    rooms::AdminRooms,
    session::Session,
    trust::Trustee,
};
use crate::{
    metrics::Undecryptable,
    pipeline::{Bookmark, Doubt, Gone, InHand, Incoming, News, Request, Said, Trust},
    service::Service,
    store::{Shelf, Store},
};

/// How long a sync takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    /// How long the homeserver holds it while there is nothing to say.
    pub(super) poll: Duration,
    /// How much longer it may take before it counts as stuck.
    pub(super) grace: Duration,
}

/// What the bot waits for; tests have less time.
const WAITS: Waits = Waits { poll: Duration::from_secs(30), grace: Duration::from_mins(1) };

/// How long the next sync waits for the looks that the last one brought.
const GIVE_WAY: Duration = Duration::from_millis(200);

/// How much longer what has a limit of its own may take before it counts as hanging.
const SLACK: Duration = Duration::from_mins(1);

/// How long it may take to read back one room, with a homeserver that is slow.
const READING: Duration = Duration::from_mins(10);

/// How often messages that cannot be decrypted are tried again while nothing arrives.
const RETRY: Duration = Duration::from_secs(5);

/// Answers without content, at once, after which the next sync waits a second.
const HASTE: u32 = 3;

/// Ids of events remembered so that none is handed on twice.
const REMEMBERED: usize = 10_000;

/// What a sync brings: messages and keys, and nothing that the bot has no use for.
pub(super) fn filter() -> SyncFilter {
    let mut filter = FilterDefinition::with_lazy_loading();
    filter.presence.not_types = vec!["*".to_owned()];
    filter.account_data.not_types = vec!["*".to_owned()];
    filter.room.account_data.not_types = vec!["*".to_owned()];
    filter.room.ephemeral.not_types = vec!["*".to_owned()];
    filter.room.timeline.limit = Some(UInt::from(100_u32));
    filter.into()
}

/// Reads what is said in the admin rooms.
#[derive(Debug)]
pub(super) struct Reader {
    shared: Arc<Shared>,
    keys: Arc<Trustee>,
    rooms: AdminRooms,
    positions: Shelf<OwnedEventId>,
    /// The last event of each room that was handed on.
    places: BTreeMap<OwnedRoomId, OwnedEventId>,
    /// Rooms in which something may lie between their place and their end.
    unread: BTreeSet<OwnedRoomId>,
    seen: Seen,
    pending: Pending,
    /// Looks in hand that the last sync brought.
    in_hand: TaskTracker,
    pub(super) waits: Waits,
    /// Until when the bot was logged out, while that is being read back: what came meanwhile is not
    /// run.
    out_until: Option<jiff::Timestamp>,
    /// Whether the device is new, and will never have the keys of what was said before.
    new_device: bool,
    own_keys: OwnKeys,
    /// Whether the next sync begins anew, since the homeserver refuses the position of the last.
    afresh: bool,
}

/// How a sync ended.
enum Synced {
    Answer(Box<SyncResponse>),
    Failed(matrix_sdk::Error),
    Stuck,
    Stopped,
}

impl Reader {
    pub(super) fn client(&self) -> &Client {
        &self.shared.client
    }

    pub(super) fn service(&self) -> &Service {
        &self.shared.settings.service
    }

    pub(super) fn connection(&self) -> Connection {
        Connection { client: self.shared.client.clone(), unsigned: self.shared.unsigned }
    }

    /// The event up to which each room was read.
    pub(super) fn places(&self) -> impl Iterator<Item = (&RoomId, &EventId)> {
        self.places.iter().map(|(room, event)| (&**room, &**event))
    }

    /// The admin rooms.
    pub(super) fn rooms(&self) -> Vec<OwnedRoomId> {
        self.rooms.ids().cloned().collect()
    }

    pub(super) fn new(
        shared: Arc<Shared>,
        keys: Arc<Trustee>,
        rooms: AdminRooms,
        store: &Store,
    ) -> Result<Self, ConnectError> {
        let positions = history::positions(store)?;
        let places = positions
            .all()?
            .into_iter()
            .filter_map(|(room, event)| Some((OwnedRoomId::try_from(room).ok()?, event)))
            .collect();
        let unread = rooms.ids().cloned().collect();
        let pending = Pending::load(store)?;
        let own_keys = OwnKeys::new(Arc::clone(&shared));
        Ok(Self {
            shared,
            keys,
            rooms,
            positions,
            places,
            unread,
            seen: Seen::default(),
            pending,
            in_hand: TaskTracker::new(),
            waits: WAITS,
            out_until: None,
            new_device: false,
            own_keys,
            afresh: false,
        })
    }

    /// Notes how the bot has come to its session.
    pub(super) fn begin_as(&mut self, session: &Session) {
        // What came before the first start of all is for nobody.
        self.new_device = session.fresh && !self.places.is_empty();
        let out = session.was_out || self.new_device;
        self.out_until = out.then(|| self.shared.clock.now());
    }

    /// Reads until `stop`.
    pub(super) async fn run(&mut self, stop: &CancellationToken) -> Result<(), Fatal> {
        let mut backoff = Backoff::short();
        let mut hasty = 0;
        let mut first = true;
        loop {
            let at_once = first || backoff.is_failing() || !self.unread.is_empty();
            let began = Instant::now();
            let wait = match self.sync(at_once, stop).await {
                Synced::Stopped => return Ok(()),
                Synced::Answer(response) => {
                    self.service().answers();
                    if std::mem::take(&mut self.afresh) {
                        self.shared.news(News::PositionRefused);
                    }
                    if self.own_keys.check().await {
                        if renews(&self.shared.settings) {
                            return Err(Fatal::OneTimeKeysClash);
                        }
                        self.shared.news(News::OneTimeKeysClash);
                    }
                    let idle = is_empty(&response) && began.elapsed() < Duration::from_secs(1);
                    hasty = if idle && !at_once { hasty + 1 } else { 0 };
                    let whole = self.take(*response, first || backoff.is_failing()).await;
                    first = false;
                    self.give_way().await;
                    Self::after_answer(whole, &mut backoff, hasty)
                }
                Synced::Stuck => {
                    self.service().fails();
                    tracing::warn!("the homeserver holds a sync for too long; starting another");
                    self.unread.extend(self.rooms.ids().cloned());
                    Some(backoff.next(None))
                }
                Synced::Failed(error) => {
                    self.service().fails();
                    Some(self.after_failure(&error, &mut backoff)?)
                }
            };
            if let Some(wait) = wait {
                self.service().within(wait + SLACK);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = stop.cancelled() => return Ok(()),
                }
            }
        }
    }

    /// One sync. Meanwhile, messages that cannot be decrypted are tried again.
    async fn sync(&mut self, at_once: bool, stop: &CancellationToken) -> Synced {
        let client = self.shared.client.clone();
        let Waits { poll, grace } = self.waits;
        let poll = if at_once { Duration::ZERO } else { poll };
        let token = if self.afresh { SyncToken::NoToken } else { SyncToken::ReusePrevious };
        let settings = SyncSettings::new()
            .timeout(poll)
            .filter(filter())
            .set_presence(PresenceState::Offline)
            .token(token);
        self.service().within(poll + grace + SLACK);
        let sync = tokio::time::timeout(poll + grace, client.sync_once(settings));
        tokio::pin!(sync);
        let mut retry = interval(RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        retry.reset();
        loop {
            tokio::select! {
                result = &mut sync => {
                    self.service().within(READING);
                    return match result {
                        Ok(Ok(response)) => Synced::Answer(Box::new(response)),
                        Ok(Err(error)) => Synced::Failed(error),
                        Err(_) => Synced::Stuck,
                    };
                }
                _ = retry.tick(), if !self.pending.is_empty() => {
                    self.service().within(READING);
                    self.retry().await;
                    self.service().within(poll + grace + SLACK);
                }
                () = stop.cancelled() => return Synced::Stopped,
            }
        }
    }

    /// Waits until the looks that the last sync brought are answered, for a moment at most: the
    /// homeserver would be busy with the next sync while somebody waits for an answer. A look that
    /// takes long holds up one sync, and no further one.
    async fn give_way(&mut self) {
        let looks = std::mem::take(&mut self.in_hand);
        looks.close();
        let _ = tokio::time::timeout(GIVE_WAY, looks.wait()).await;
    }

    /// How long to wait after an answer, if at all. `whole` is false where a gap is left.
    fn after_answer(whole: bool, backoff: &mut Backoff, hasty: u32) -> Option<Duration> {
        if !whole {
            return Some(backoff.next(None));
        }
        if backoff.is_failing() {
            tracing::info!("the homeserver answers again");
            backoff.reset();
        }
        (hasty > HASTE).then_some(Duration::from_secs(1))
    }

    /// How long to wait after an error, if going on is of any use.
    fn after_failure(
        &mut self,
        error: &matrix_sdk::Error,
        backoff: &mut Backoff,
    ) -> Result<Duration, Fatal> {
        let asked = match Failure::of(error) {
            Failure::LoggedOut => return Err(Fatal::LoggedOut),
            Failure::Expired => return Err(Fatal::Expired),
            Failure::Limited(asked) => asked,
            Failure::Passing | Failure::Lasting => None,
        };
        if is_position_refused(error) {
            // Where it refuses one without a position too, it is not the position.
            self.afresh = !self.afresh;
        }
        if self.afresh {
            tracing::error!(%error, "the homeserver refuses the position of the sync; beginning anew");
        } else if backoff.is_failing() {
            tracing::debug!(%error, "the sync fails still");
        } else {
            tracing::warn!(%error, "the sync fails; trying again");
        }
        // The SDK may have noted the answer as read before it failed.
        self.unread.extend(self.rooms.ids().cloned());
        Ok(backoff.next(asked))
    }

    /// Takes in one answer. False where something could not be read, so that a gap is left.
    async fn take(&mut self, mut response: SyncResponse, all: bool) -> bool {
        if all {
            self.rooms.check_encryption().await;
        }
        if all || !response.rooms.invited.is_empty() {
            self.rooms.follow_invitations().await;
        }
        self.rooms.check_upgrades();
        if all || !response.rooms.left.is_empty() || !response.rooms.joined.is_empty() {
            self.rooms.check_membership();
        }
        let mut whole = true;
        for id in self.rooms.ids().cloned().collect::<Vec<_>>() {
            let update = response.rooms.joined.remove(&id);
            let Some(room) = self.shared.client.get_room(&id) else { continue };
            let silent = update.is_none() && !self.unread.contains(&id);
            if silent || room.state() != RoomState::Joined {
                continue;
            }
            self.service().within(READING);
            match self.read(&room, update.map(|update| update.timeline)).await {
                Ok(()) => {
                    self.unread.remove(&id);
                }
                // It was removed from the homeserver, which does not tell so.
                Err(error) if is_forbidden(&error) => {
                    self.rooms.tell_gone(&id, Gone::Removed);
                    self.unread.remove(&id);
                }
                Err(error) => {
                    tracing::warn!(room = %id, %error, "cannot read back; trying again");
                    self.unread.insert(id);
                    whole = false;
                }
            }
        }
        for (room, update) in &response.rooms.joined {
            let events = update.timeline.events.len();
            tracing::debug!(%room, events, "ignored: not an admin room");
        }
        self.retry().await;
        // A gap that is left is read back in the next round.
        if whole {
            self.out_until = None;
            self.new_device = false;
        }
        whole
    }

    /// Hands on what is new in a room.
    async fn read(&mut self, room: &Room, timeline: Option<Timeline>) -> matrix_sdk::Result<()> {
        let Some(place) = self.places.get(room.room_id()).cloned() else {
            return self.begin(room, timeline).await;
        };
        let timeline = timeline.unwrap_or_default();
        let reaches = contains(&timeline.events, &place);
        let found = if self.unread.contains(room.room_id()) {
            self.back(room, None, &place).await?
        } else if timeline.limited && !reaches {
            self.back(room, timeline.prev_batch.as_deref(), &place).await?
        } else {
            Found::default()
        };
        let mut events = found.events;
        events.extend(history::after(timeline.events, Some(&place)));
        self.hand_on_all(room, events, &found.answered).await;
        Ok(())
    }

    async fn back(
        &self,
        room: &Room,
        from: Option<&str>,
        place: &EventId,
    ) -> matrix_sdk::Result<Found> {
        let max_age = SignedDuration::try_from(self.shared.settings.max_age);
        let max_age = max_age.unwrap_or(SignedDuration::MAX);
        history::back(room, from, place, self.shared.clock.now(), max_age).await
    }

    /// Begins reading a room: after the own join where that was just now, else at its end.
    async fn begin(&mut self, room: &Room, timeline: Option<Timeline>) -> matrix_sdk::Result<()> {
        let own = room.own_user_id().to_owned();
        let events = timeline.map(|timeline| timeline.events).unwrap_or_default();
        if self.rooms.was_just_joined(room.room_id()) {
            if events.is_empty() {
                // The join has not come back to us yet.
                return Ok(());
            }
            if let Some(join) = events.iter().rposition(|event| is_join_of(event, &own)) {
                let events = events.into_iter().skip(join).collect();
                self.hand_on_all(room, events, &HashSet::new()).await;
                return Ok(());
            }
        }
        if let Some(newest) = history::newest(room).await? {
            tracing::info!(room = %room.room_id(), "reading begins at the end of the room");
            self.place(room, newest);
        }
        Ok(())
    }

    async fn hand_on_all(
        &mut self,
        room: &Room,
        events: Vec<TimelineEvent>,
        answered: &HashSet<OwnedEventId>,
    ) {
        let mut last = None;
        for event in events {
            let Some(id) = event.event_id() else { continue };
            if self.seen.insert(id.clone()) {
                if answered.contains(&id) {
                    tracing::info!(event = %id, "ignored: answered before");
                } else {
                    self.hand_on(room, &id, &event).await;
                }
            }
            last = Some(id);
        }
        if let Some(last) = last {
            self.place(room, last);
        }
    }

    /// Notes how far a room was read.
    fn place(&mut self, room: &Room, event: OwnedEventId) {
        let room = room.room_id().to_owned();
        self.places.insert(room.clone(), event.clone());
        let positions = self.positions.clone();
        let mark = Bookmark::new(move || positions.put(room.as_str(), &event));
        self.shared.send(Incoming::Mark(mark));
    }

    /// Hands one event on, or keeps it until it can be decrypted, or ignores it.
    async fn hand_on(&mut self, room: &Room, id: &EventId, event: &TimelineEvent) {
        if !event.kind.is_utd() {
            return self.hear(room, id, event).await;
        }
        let count = |outcome| self.shared.settings.metrics.undecryptable(outcome);
        match event.sender() {
            Some(sender) if self.new_device && self.shared.is_operator(&sender) => {
                let sent = event
                    .timestamp()
                    .and_then(|sent| jiff::Timestamp::from_millisecond(i64::from(sent.get())).ok());
                let sent = sent.unwrap_or_else(|| self.shared.clock.now());
                self.undecryptable(room, id.to_owned(), sender, sent);
            }
            Some(sender) if self.shared.is_operator(&sender) && self.pending.is_full(&sender) => {
                count(Undecryptable::Ignored);
                tracing::warn!(event = %id, %sender, "ignored: too many cannot be decrypted");
            }
            Some(sender) if self.shared.is_operator(&sender) => {
                count(Undecryptable::Waits);
                tracing::info!(event = %id, %sender, "cannot be decrypted yet");
                let now = self.shared.clock.now();
                let kept = self.pending.keep(room, id.to_owned(), sender, event, now);
                if let Err(error) = kept {
                    tracing::error!(event = %id, %error, "cannot keep what is not decrypted yet");
                }
            }
            _ => {
                count(Undecryptable::Ignored);
                tracing::debug!(event = %id, "ignored: not decrypted, and not an operator's");
            }
        }
    }

    /// Reads one event that is in clear or decrypted.
    async fn hear(&self, room: &Room, id: &EventId, event: &TimelineEvent) {
        let heard = match intake::read(event.raw().json().get(), room.own_user_id()) {
            Ok(heard) => heard,
            Err(why) => {
                tracing::debug!(event = %id, "ignored: {why}");
                return;
            }
        };
        let info = event.encryption_info().map(AsRef::as_ref);
        let missed = self.out_until.is_some_and(|until| heard.sent <= until);
        if missed && matches!(heard.said, Said::Reaction { .. }) {
            tracing::info!(event = %id, "ignored: a reaction of while the bot was logged out");
            return;
        }
        let trust = match self.keys.judge(room, &heard.sender, info).await {
            Trust::Signed { .. } | Trust::Clear if missed => Trust::Doubtful(Doubt::LoggedOut),
            trust => trust,
        };
        let request = Request {
            room: room.room_id().to_owned(),
            sender: heard.sender,
            event: heard.event,
            sent: heard.sent,
            trust,
            said: heard.said,
        };
        self.shared.send(Incoming::Request(request, InHand::of(&self.in_hand)));
    }

    /// Hands on that something was said that will not be decrypted.
    fn undecryptable(
        &self,
        room: &Room,
        event: OwnedEventId,
        sender: OwnedUserId,
        sent: jiff::Timestamp,
    ) {
        self.shared.settings.metrics.undecryptable(Undecryptable::GivenUp);
        let request = Request {
            room: room.room_id().to_owned(),
            sender,
            event,
            sent,
            trust: Trust::Doubtful(Doubt::UnknownDevice),
            said: Said::Undecryptable,
        };
        self.shared.send(Incoming::Request(request, InHand::default()));
    }

    /// Tries again what could not be decrypted.
    async fn retry(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let now = self.shared.clock.now();
        for resolved in self.pending.retry(&self.shared.client, now).await {
            let Resolved { room, id, sender, since, event, done } = resolved;
            if let Some(event) = event {
                self.hear(&room, &id, &event).await;
            } else {
                self.undecryptable(&room, id, sender, since);
            }
            self.shared.send(Incoming::Mark(done));
        }
    }
}

/// Whether the bot can make itself another device by itself.
fn renews(settings: &Settings) -> bool {
    let password = matches!(settings.login, Login::Password(_));
    password && !settings.new_device && settings.recovery_key_file.is_file()
}

/// Whether the homeserver does not let the bot read the room.
fn is_forbidden(error: &matrix_sdk::Error) -> bool {
    matches!(error.client_api_error_kind(), Some(ErrorKind::Forbidden))
}

/// Whether the homeserver says that the request of a sync is wrong, which only its position can be.
fn is_position_refused(error: &matrix_sdk::Error) -> bool {
    error.as_client_api_error().is_some_and(|error| error.status_code.as_u16() == 400)
}

fn contains(events: &[TimelineEvent], id: &EventId) -> bool {
    events.iter().any(|event| event.event_id().as_deref() == Some(id))
}

fn is_empty(response: &SyncResponse) -> bool {
    response.rooms.joined.is_empty()
        && response.rooms.invited.is_empty()
        && response.rooms.left.is_empty()
        && response.to_device.is_empty()
}

fn is_join_of(event: &TimelineEvent, user: &UserId) -> bool {
    let field = |name| event.raw().get_field::<serde_json::Value>(name).ok().flatten();
    field("type").is_some_and(|kind| kind == "m.room.member")
        && field("state_key").is_some_and(|key| key == user.as_str())
        && field("content").is_some_and(|content| content["membership"] == "join")
}

/// The ids of the last events.
#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<OwnedEventId>,
    order: VecDeque<OwnedEventId>,
}

impl Seen {
    /// Remembers an event; false if it was remembered before.
    fn insert(&mut self, id: OwnedEventId) -> bool {
        if !self.ids.insert(id.clone()) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use ruma::owned_event_id;

    use super::*;

    #[test]
    fn an_event_is_new_once() {
        let mut seen = Seen::default();
        assert!(seen.insert(owned_event_id!("$a")));
        assert!(!seen.insert(owned_event_id!("$a")));
    }

    #[test]
    fn memory_of_events_is_bounded() {
        let mut seen = Seen::default();
        for number in 0..=REMEMBERED {
            seen.insert(OwnedEventId::try_from(format!("${number}")).unwrap());
        }
        assert_eq!(seen.ids.len(), REMEMBERED);
        assert_eq!(seen.order.len(), REMEMBERED);
    }
}
