//! What is said in one room: from where it is read on, what is handed on, and what waits for its key.

use std::collections::HashSet;

use jiff::SignedDuration;
use matrix_sdk::{
    Room,
    deserialized_responses::{MemberEvent, TimelineEvent},
    sync::Timeline,
};
use ruma::{EventId, OwnedEventId, OwnedUserId, UserId, events::room::member::MembershipState};

use super::{
    super::{
        history::{self, Found},
        intake,
        pending::Resolved,
    },
    Reader,
};
use crate::{
    metrics::Undecryptable,
    pipeline::{Bookmark, Doubt, InHand, Incoming, Request, Said, Trust, Unread, WhyUnread},
};

impl Reader {
    /// Hands on what is new in a room.
    pub(super) async fn read(
        &mut self,
        room: &Room,
        timeline: Option<Timeline>,
    ) -> matrix_sdk::Result<()> {
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
        let here = |(sender, sent)| Unread {
            room: room.room_id().to_owned(),
            sender,
            sent,
            why: WhyUnread::PlaceLost,
        };
        let of_operators =
            found.left_out.into_iter().filter(|(sender, _)| self.shared.is_operator(sender));
        self.away.could_not_read(of_operators.map(here));
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
            if let Some(join) = events.iter().rposition(|event| is_join_of(event, &own)) {
                let events = events.into_iter().skip(join).collect();
                self.hand_on_all(room, events, &HashSet::new()).await;
                return Ok(());
            }
            match own_join(room, &own).await? {
                // The sync that had it was read by nobody, or has more than it lists.
                Some(join) => {
                    let found = self.back(room, None, &join).await?;
                    if found.reached {
                        self.hand_on_all(room, found.events, &found.answered).await;
                        return Ok(());
                    }
                }
                // The join has not come back to us yet.
                None if events.is_empty() => return Ok(()),
                None => {}
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
        let (positions, entered) = (self.positions.clone(), self.rooms.entered());
        let mark = Bookmark::new(move || {
            positions.put(room.as_str(), &event)?;
            entered.remove(room.as_str())
        });
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
                let sent = sent_at(event).unwrap_or_else(|| self.shared.clock.now());
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
                let sent = sent_at(event).unwrap_or(now);
                self.away.could_not_read([Unread {
                    room: room.room_id().to_owned(),
                    sender: sender.clone(),
                    sent,
                    why: WhyUnread::NotDecrypted,
                }]);
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
            thread: heard.thread,
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
            thread: None,
            said: Said::Undecryptable,
        };
        self.shared.send(Incoming::Request(request, InHand::default()));
    }

    /// Tries again what could not be decrypted.
    pub(super) async fn retry(&mut self) {
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

/// The event by which the bot is in the room, as far as it has come back to us.
async fn own_join(room: &Room, own: &UserId) -> matrix_sdk::Result<Option<OwnedEventId>> {
    let member = room.get_member_no_sync(own).await?;
    Ok(member.and_then(|member| match &**member.event() {
        MemberEvent::Sync(event) if *event.membership() == MembershipState::Join => {
            Some(event.event_id().to_owned())
        }
        _ => None,
    }))
}

/// When an event was sent, as its sender's server says.
fn sent_at(event: &TimelineEvent) -> Option<jiff::Timestamp> {
    let sent = event.timestamp()?;
    jiff::Timestamp::from_millisecond(i64::from(sent.get())).ok()
}

fn contains(events: &[TimelineEvent], id: &EventId) -> bool {
    events.iter().any(|event| event.event_id().as_deref() == Some(id))
}

fn is_join_of(event: &TimelineEvent, user: &UserId) -> bool {
    let field = |name| event.raw().get_field::<serde_json::Value>(name).ok().flatten();
    field("type").is_some_and(|kind| kind == "m.room.member")
        && field("state_key").is_some_and(|key| key == user.as_str())
        && field("content").is_some_and(|content| content["membership"] == "join")
}
