//! What a person has heard, and waiting for what is still to come.

use std::{
    future::Future,
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use matrix_sdk::{
    Client, Room,
    config::SyncSettings,
    ruma::{
        api::client::filter::FilterDefinition,
        events::room::encrypted::OriginalSyncRoomEncryptedEvent, presence::PresenceState,
        serde::Raw,
    },
    sync::SyncResponse,
};
use ruma::{EventId, OwnedUserId, RoomId, UserId, events::room::member::MembershipState};
use tokio::{
    sync::watch,
    time::{sleep, timeout_at},
};

use super::Person;
use crate::{Message, PATIENCE, process::lock};

/// Everything that a client has been told, in the order in which it could be read.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    heard: Mutex<Vec<Message>>,
    /// Counts the syncs; who waits looks again after each.
    syncs: watch::Sender<u64>,
}

/// Events that came before their keys.
type Unread = Vec<(Room, Raw<OriginalSyncRoomEncryptedEvent>)>;

impl Hearing {
    /// Listens for ever. A homeserver that is away is asked again.
    pub(super) async fn listen(&self, client: Client) {
        let mut unread = Unread::new();
        loop {
            match sync(&client, Duration::from_secs(30)).await {
                Ok(response) => self.take(&client, response, &mut unread).await,
                Err(_) => sleep(Duration::from_millis(200)).await,
            }
        }
    }

    async fn take(&self, client: &Client, response: SyncResponse, unread: &mut Unread) {
        let mut readable = Vec::new();
        let mut waiting = Unread::new();
        for (room, event) in unread.drain(..) {
            let decrypted = room.decrypt_event(&event, None).await.ok();
            match decrypted.filter(|event| !event.kind.is_utd()) {
                Some(event) => readable.extend(Message::read(room.room_id(), &event)),
                None => waiting.push((room, event)),
            }
        }
        *unread = waiting;
        let joined =
            response.rooms.joined.into_iter().map(|(room, update)| (room, update.timeline));
        let left = response.rooms.left.into_iter().map(|(room, update)| (room, update.timeline));
        for (room_id, timeline) in joined.chain(left) {
            for event in &timeline.events {
                readable.extend(Message::read(&room_id, event));
                if event.kind.is_utd()
                    && let Some(room) = client.get_room(&room_id)
                {
                    unread.push((room, event.raw().cast_ref_unchecked().clone()));
                }
            }
        }
        lock(&self.heard).extend(readable);
        self.syncs.send_modify(|count| *count += 1);
    }
}

/// One sync, with the filter of a client that cares for speed: members on demand, long timelines,
/// no presence and no typing.
pub(super) async fn sync(client: &Client, wait: Duration) -> matrix_sdk::Result<SyncResponse> {
    let mut filter = FilterDefinition::with_lazy_loading();
    filter.room.timeline.limit = Some(100_u32.into());
    filter.presence.not_types = vec!["*".to_owned()];
    filter.room.ephemeral.not_types = vec!["*".to_owned()];
    let settings = SyncSettings::new()
        .timeout(wait)
        .filter(filter.into())
        .set_presence(PresenceState::Offline);
    client.sync_once(settings).await
}

impl Person {
    /// Everything heard so far.
    pub fn heard(&self) -> Vec<Message> {
        lock(&self.hearing.heard).clone()
    }

    /// How much has been heard, to look only at what comes after.
    pub fn mark(&self) -> usize {
        lock(&self.hearing.heard).len()
    }

    /// What was heard after `mark`.
    pub fn heard_since(&self, mark: usize) -> Vec<Message> {
        lock(&self.hearing.heard).get(mark..).unwrap_or_default().to_vec()
    }

    /// The first event that `wanted` likes, heard already or still to come within [`PATIENCE`].
    /// `what` names it in the error, which shows all that was heard in its place.
    pub async fn wait_for(
        &self,
        what: &str,
        wanted: impl FnMut(&Message) -> bool,
    ) -> Result<Message> {
        self.wait_for_since(0, what, wanted).await
    }

    /// As [`Person::wait_for`], but blind to what was heard before `mark`.
    pub async fn wait_for_since(
        &self,
        mark: usize,
        what: &str,
        mut wanted: impl FnMut(&Message) -> bool,
    ) -> Result<Message> {
        self.until(what, || {
            let heard = lock(&self.hearing.heard);
            let found = heard.iter().skip(mark).find(|message| wanted(message)).cloned();
            std::future::ready(found)
        })
        .await
    }

    /// The first answer to an event: a message by somebody else that replies to it.
    pub async fn answer_to(&self, event: &EventId) -> Result<Message> {
        self.wait_for(&format!("an answer to {event}"), |message| self.answers(message, event))
            .await
    }

    /// All answers to an event heard so far.
    pub fn answers_to(&self, event: &EventId) -> Vec<Message> {
        let mut heard = self.heard();
        heard.retain(|message| self.answers(message, event));
        heard
    }

    fn answers(&self, message: &Message, event: &EventId) -> bool {
        message.is_message()
            && message.sender != self.user_id
            && message.is_answer_to(event)
            && !message.says_it_waits()
    }

    /// The next message by `user` that no earlier call has returned, replies or not. Edits are
    /// not messages: see [`Person::edit_of`].
    pub async fn next_message_from(&self, user: &UserId) -> Result<Message> {
        let mut from = self.read_up_to.lock().await;
        let next = |heard: &[Message], from: usize| {
            let by_user = |message: &Message| message.is_message() && message.sender == user;
            heard.iter().skip(from).position(by_user).map(|position| from + position)
        };
        let what = format!("the next message from {user}");
        let position = self
            .until(&what, || std::future::ready(next(&lock(&self.hearing.heard), *from)))
            .await?;
        *from = position + 1;
        let message = lock(&self.hearing.heard).get(position).cloned();
        message.ok_or_else(|| anyhow::anyhow!("{what} was heard and is gone"))
    }

    /// The first edit of an event by its own sender that `wanted` likes.
    pub async fn edit_of(
        &self,
        event: &EventId,
        mut wanted: impl FnMut(&Message) -> bool,
    ) -> Result<Message> {
        self.wait_for(&format!("the edit of {event}"), |message| {
            message.replaces.as_deref() == Some(event) && wanted(message)
        })
        .await
    }

    /// Waits for the reaction `key` to an event, and answers who gave it.
    pub async fn reaction_to(&self, event: &EventId, key: &str) -> Result<OwnedUserId> {
        let wanted = |message: &Message| {
            message.reaction.as_ref().is_some_and(|(to, with)| to == event && with == key)
        };
        Ok(self.wait_for(&format!("{key} to {event}"), wanted).await?.sender)
    }

    /// The reactions to an event heard so far, without those redacted since: who, and which.
    pub fn reactions_to(&self, event: &EventId) -> Vec<(OwnedUserId, String)> {
        let heard = self.heard();
        let taken_back = |of: &EventId| heard.iter().any(|m| m.redacts.as_deref() == Some(of));
        let given = heard.iter().filter(|message| !taken_back(&message.event_id));
        let reactions = given.filter_map(|message| {
            let (to, key) = message.reaction.as_ref()?;
            (to == event).then(|| (message.sender.clone(), key.clone()))
        });
        reactions.collect()
    }

    /// Waits until these are the reactions of `user` to an event, in any order and without those redacted
    /// since.
    pub async fn sees_reactions(
        &self,
        event: &EventId,
        user: &UserId,
        keys: &[&str],
    ) -> Result<()> {
        let mut wanted: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        wanted.sort();
        self.until(&format!("{wanted:?} under {event}"), || {
            let given = self.reactions_to(event).into_iter().filter(|(who, _)| who == user);
            let mut given: Vec<String> = given.map(|(_, key)| key).collect();
            given.sort();
            std::future::ready((given == wanted).then_some(()))
        })
        .await
    }

    /// An error if `event` has been answered by the time that `marker`, sent after it, is.
    ///
    /// Nobody can wait for nothing. But whoever answers a room's messages in order and has
    /// answered the later one will not answer the earlier one any more.
    pub async fn unanswered_before(&self, event: &EventId, marker: &EventId) -> Result<()> {
        self.answer_to(marker).await?;
        match self.answers_to(event).first() {
            Some(answer) => bail!("{event} was to stay without an answer, but got: {answer}"),
            None => Ok(()),
        }
    }

    /// Waits until this person's client knows that `user` is in the room, so that what it sends
    /// from then on is encrypted for them too.
    pub async fn sees_joined(&self, room: &RoomId, user: &UserId) -> Result<()> {
        self.until(&format!("{user} in {room}"), || async move {
            let room = self.client.get_room(room)?;
            let member = room.get_member_no_sync(user).await.ok()??;
            let joined = MembershipState::Join;
            (*member.membership() == joined).then_some(())
        })
        .await
    }

    /// Looks after every sync until `look` finds something, for at most [`PATIENCE`].
    pub(super) async fn until<T, F: Future<Output = Option<T>>>(
        &self,
        what: &str,
        mut look: impl FnMut() -> F,
    ) -> Result<T> {
        let mark = self.mark();
        let deadline = (Instant::now() + PATIENCE).into();
        let mut syncs = self.hearing.syncs.subscribe();
        loop {
            if let Some(found) = look().await {
                return Ok(found);
            }
            if timeout_at(deadline, syncs.changed()).await.is_err() {
                bail!(
                    "{} did not get {what} within {PATIENCE:?}; {}",
                    self.user_id,
                    self.recent(mark)
                );
            }
        }
    }

    /// What came since `mark` and a little before it, one line each.
    fn recent(&self, mark: usize) -> String {
        let heard = self.heard_since(mark.saturating_sub(10));
        let lines: Vec<String> = heard.iter().map(|message| format!("  {message}\n")).collect();
        format!("lately heard:\n{}", lines.concat())
    }
}
