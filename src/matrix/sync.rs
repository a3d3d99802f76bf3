//! Reading what is said, in order.
//!
//! Our own loop around the SDK's `sync_once`, since the SDK's waits out a second between two
//! syncs, ends at the first error, and gives up what arrived while its handlers ran.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use matrix_sdk::{
    Client, RoomState,
    config::{SyncSettings, SyncToken},
    ruma::{
        UInt,
        api::{
            client::{filter::FilterDefinition, sync::sync_events::v3::Filter as SyncFilter},
            error::ErrorKind,
        },
        presence::PresenceState,
    },
    sync::SyncResponse,
};
use ruma::{EventId, OwnedEventId, OwnedRoomId, RoomId};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    ConnectError, Connection, Fatal, Login, Settings, Shared,
    failure::{Backoff, Failure},
    history,
    own_keys::OwnKeys,
    pending::Pending,
    rooms::AdminRooms,
    session::Session,
    trust::Trustee,
};
use crate::{
    pipeline::{Gone, News},
    service::Service,
    store::{Shelf, Store},
};

mod away;
mod rooms;
mod seen;

use away::Away;
use seen::Seen;

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
    /// Since when nothing was heard, and what could not be read since.
    away: Away,
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
        let away = Away::since_the_last_run(store)?;
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
            away,
        })
    }

    /// Notes how the bot has come to its session.
    pub(super) fn begin_as(&mut self, session: &Session) {
        // What came before the first start of all is for nobody.
        self.new_device = session.fresh && !self.places.is_empty();
        let out = session.was_out || self.new_device;
        self.out_until = out.then(|| self.shared.clock.now());
        // What it cannot read is answered message by message, and that it is new is told.
        if session.fresh {
            self.away.forget();
        }
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
                Synced::Stopped => {
                    self.away.heard(self.shared.clock.now());
                    return Ok(());
                }
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
                    self.tell_back(whole);
                    first = false;
                    self.give_way().await;
                    Self::after_answer(whole, &mut backoff, hasty)
                }
                Synced::Stuck => {
                    self.service().fails();
                    tracing::warn!("the homeserver holds a sync for too long; starting another");
                    self.unread.extend(self.rooms.ids().cloned());
                    self.away.fails(self.shared.clock.now());
                    Some(backoff.next(None))
                }
                Synced::Failed(error) => {
                    self.service().fails();
                    self.away.fails(self.shared.clock.now());
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

    /// Notes that the homeserver answered, and tells of the time before it where that was an outage.
    fn tell_back(&mut self, whole: bool) {
        let now = self.shared.clock.now();
        if let Some(news) = self.away.back(now, whole) {
            self.shared.news(news);
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

fn is_empty(response: &SyncResponse) -> bool {
    response.rooms.joined.is_empty()
        && response.rooms.invited.is_empty()
        && response.rooms.left.is_empty()
        && response.to_device.is_empty()
}
