//! The admin rooms: which they are, and how the bot gets into them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use matrix_sdk::{
    Room, RoomMemberships, RoomState,
    ruma::api::{client::membership::leave_room, error::ErrorKind},
};
use ruma::{OwnedRoomId, OwnedRoomOrAliasId, OwnedUserId, RoomAliasId, RoomId};

use super::{
    ConnectError, Encryption, Shared,
    failure::{Backoff, Failure},
};
use crate::{
    pipeline::{Gone, News},
    store::{self, Shelf, Store},
};

/// Tries to join before an invitation is left alone until the next start. A room of another
/// server can take some minutes to become joinable.
const TRIES: u32 = 12;

/// The admin rooms.
#[derive(Debug)]
pub(super) struct AdminRooms {
    shared: Arc<Shared>,
    ids: BTreeSet<OwnedRoomId>,
    /// Rooms of the config that the bot is not in any more, or that there are no more, of which the
    /// others were told.
    gone: Shelf<bool>,
    /// Rooms whose refused invitation the room was told of, with who invited.
    refused: Shelf<OwnedUserId>,
    /// Rooms whose upgrade was told of, with the room that each was upgraded to.
    upgraded: Shelf<OwnedRoomId>,
    /// Rooms that were joined since the start, so that everything after the join is meant for us.
    joining: Arc<Mutex<HashMap<OwnedRoomId, Joining>>>,
    /// Rooms that the bot began to join, and of which it may have read nothing yet when it stopped.
    entered: Shelf<bool>,
    /// What these are in.
    store: Store,
}

/// How far a join has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joining {
    UnderWay,
    /// It was joined. Whoever was removed since may be invited again.
    Joined,
}

/// The rooms of these that are known without asking anybody, in their order: those named by their ids, and
/// those whose aliases have been looked up before.
pub fn known_rooms(
    rooms: &[OwnedRoomOrAliasId],
    store: &Store,
) -> Result<Vec<OwnedRoomId>, store::Error> {
    let pinned: Shelf<OwnedRoomId> = store.shelf("aliases")?;
    let known = |room: &OwnedRoomOrAliasId| match <&RoomId>::try_from(&**room) {
        Ok(id) => Ok(Some(id.to_owned())),
        Err(alias) => pinned.get(alias.as_str()),
    };
    rooms.iter().filter_map(|room| known(room).transpose()).collect()
}

impl AdminRooms {
    /// Finds the rooms of the config. An alias is looked up once and its room pinned. One that names
    /// none is told in the other rooms; it ends the start only where there is no other.
    pub(super) async fn find(shared: &Arc<Shared>, store: &Store) -> Result<Self, ConnectError> {
        let pinned: Shelf<OwnedRoomId> = store.shelf("aliases")?;
        let gone: Shelf<bool> = store.shelf("gone_rooms")?;
        let (mut ids, mut missing) = (BTreeSet::new(), Vec::new());
        for room in &shared.settings.rooms {
            match <&RoomId>::try_from(&**room) {
                Ok(id) => {
                    ids.insert(id.to_owned());
                }
                Err(alias) => match resolve(shared, &pinned, alias).await {
                    Ok(id) => {
                        gone.remove(alias.as_str())?;
                        ids.insert(id);
                    }
                    Err(error @ ConnectError::Alias { .. }) => missing.push((room, error)),
                    Err(error) => return Err(error),
                },
            }
        }
        for (room, error) in missing {
            if ids.is_empty() {
                return Err(error);
            }
            tracing::error!(%room, error = &error as &dyn std::error::Error, "a room is not served");
            if gone.put_new(room.as_str(), &true)? {
                let (room, why) = (room.clone(), Gone::NamesNothing);
                shared.news(News::RoomGone { room, why, record: false });
            }
        }
        Ok(Self {
            shared: Arc::clone(shared),
            ids,
            gone,
            refused: store.shelf("refused_invites")?,
            upgraded: store.shelf("upgraded_rooms")?,
            joining: Arc::default(),
            entered: store.shelf("entered_rooms")?,
            store: store.clone(),
        })
    }

    pub(super) fn contains(&self, room: &RoomId) -> bool {
        self.ids.contains(room)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &OwnedRoomId> {
        self.ids.iter()
    }

    /// Tells the other rooms, once, where the bot is not in one of the config any more.
    pub(super) fn check_membership(&self) {
        let record = self.shared.settings.record_room.iter();
        for id in self.ids.iter().chain(record) {
            let Some(room) = self.shared.client.get_room(id) else { continue };
            match room.state() {
                RoomState::Joined => self.is_back(id),
                RoomState::Banned => self.tell_gone(id, Gone::Banned),
                RoomState::Left => self.tell_gone(id, Gone::Removed),
                RoomState::Invited | RoomState::Knocked => {}
            }
        }
    }

    fn is_back(&self, room: &RoomId) {
        let back = match self.gone.get(room.as_str()) {
            Ok(Some(_)) => self.gone.remove(room.as_str()),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = back {
            tracing::error!(%room, %error, "cannot note that the bot is in the room again");
        }
    }

    /// Tells the other rooms, once, that nothing comes from this one any more.
    pub(super) fn tell_gone(&self, room: &OwnedRoomId, why: Gone) {
        match self.gone.put_new(room.as_str(), &true) {
            Ok(true) => {
                tracing::error!(%room, ?why, "the bot is no longer in this room");
                let record = !self.contains(room);
                self.shared.news(News::RoomGone { room: room.clone().into(), why, record });
            }
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "cannot note that a room is gone"),
        }
    }

    /// Whether the bot joined the room since the start, or before it without having read anything of it.
    pub(super) fn was_just_joined(&self, room: &RoomId) -> bool {
        if self.joining.lock().unwrap_or_else(PoisonError::into_inner).contains_key(room) {
            return true;
        }
        let before = self.entered.get(room.as_str());
        before.is_ok_and(|entered| entered.is_some())
    }

    /// Rooms that were begun to be joined. A room is taken out once it is noted how far it was read.
    pub(super) fn entered(&self) -> Shelf<bool> {
        self.entered.clone()
    }

    /// Tells the room where an admin room is not encrypted although it should be.
    pub(super) async fn check_encryption(&self) {
        for room in self.ids.iter().filter_map(|id| self.shared.client.get_room(id)) {
            if room.state() == RoomState::Joined {
                warn_if_plain(&self.shared, &room).await;
            }
        }
    }

    /// Tells, once, where an admin room or that of the record was upgraded. The bot does not follow by
    /// itself: whoever has power in the room could lead it away. Only the config says where it serves.
    pub(super) fn check_upgrades(&self) {
        let of_record = &self.shared.settings.record_room;
        let rooms = self.ids.iter().chain(of_record);
        for room in rooms.filter_map(|id| self.shared.client.get_room(id)) {
            let Some(successor) = room.successor_room() else { continue };
            let (room, now) = (room.room_id().to_owned(), successor.room_id);
            if self.contains(&now) || of_record.as_ref() == Some(&now) {
                continue;
            }
            let record = !self.contains(&room);
            match self.upgraded.put_new(room.as_str(), &now) {
                Ok(true) => self.shared.news(News::RoomUpgraded { room, now, record }),
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "cannot note that a room was upgraded"),
            }
        }
    }

    /// Follows the invitations that count: to a room of the config, from an operator.
    pub(super) async fn follow_invitations(&self) {
        for room in self.shared.client.invited_rooms() {
            let by = match room.invite_details().await {
                Ok(invite) => invite.inviter_id,
                Err(error) => {
                    tracing::warn!(room = %room.room_id(), %error, "an invitation from nobody");
                    continue;
                }
            };
            let id = room.room_id();
            let ours = self.contains(id) || self.shared.settings.record_room.as_deref() == Some(id);
            match (ours, self.shared.is_operator(&by)) {
                (true, true) => self.join(room),
                (false, false) => {
                    tracing::info!(room = %room.room_id(), %by, "an invitation is ignored");
                }
                _ => self.refuse(&room, by, ours).await,
            }
        }
    }

    /// Does not follow an invitation that an operator might wonder about, and says so once.
    #[expect(clippy::disallowed_methods, reason = "it declines an invitation and says nothing")]
    async fn refuse(&self, room: &Room, by: OwnedUserId, ours: bool) {
        let id = room.room_id().to_owned();
        tracing::warn!(room = %id, %by, "an invitation is refused");
        match self.refused.put_new(id.as_str(), &by) {
            Ok(true) => self.shared.news(News::InviteRefused { room: id, by }),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "cannot note that an invitation was refused"),
        }
        // An operator can invite to an admin room only once this invitation is gone.
        // Not `Room::leave`: that also leaves the rooms that the invitation calls predecessors.
        if ours
            && let decline = leave_room::v3::Request::new(room.room_id().to_owned())
            && let Err(error) = self.shared.client.send(decline).await
        {
            tracing::warn!(room = %room.room_id(), %error, "cannot decline an invitation");
        }
    }

    /// Joins beside the reading, so that nothing waits for it.
    #[expect(
        clippy::disallowed_methods,
        reason = "an invitation that is not followed at the end comes again"
    )]
    fn join(&self, room: Room) {
        let id = room.room_id().to_owned();
        let mut joins = self.joining.lock().unwrap_or_else(PoisonError::into_inner);
        if joins.insert(id.clone(), Joining::UnderWay) == Some(Joining::UnderWay) {
            return;
        }
        drop(joins);
        if let Err(error) = self.entered.put(id.as_str(), &true) {
            tracing::error!(room = %id, %error, "cannot note that a room is being joined");
        }
        let (shared, joining) = (Arc::clone(&self.shared), Arc::clone(&self.joining));
        let (ours, store) = (self.contains(&id), self.store.clone());
        tokio::spawn(async move {
            // On disk before anybody can speak to the bot there: a kill right behind the joining would else
            // leave it reading from the end of the room on.
            if let Err(error) = store.flush().await {
                tracing::error!(room = %id, %error, "cannot note that a room is being joined");
            }
            let joined = try_join(&room).await;
            note_join(&joining, &id, joined);
            if joined {
                shared.news(joined_news(&shared, &room, ours).await);
                warn_if_plain(&shared, &room).await;
            }
        });
    }
}

fn note_join(joins: &Mutex<HashMap<OwnedRoomId, Joining>>, room: &OwnedRoomId, joined: bool) {
    let mut joins = joins.lock().unwrap_or_else(PoisonError::into_inner);
    if joined {
        joins.insert(room.clone(), Joining::Joined);
    } else {
        joins.remove(room);
    }
}

/// What is told of a room that was joined; `admin` is whether it is an admin room.
async fn joined_news(shared: &Shared, room: &Room, admin: bool) -> News {
    let in_clear = match room.latest_encryption_state().await {
        Ok(state) => !state.is_encrypted(),
        Err(_) => true,
    };
    let served = admin && !(in_clear && shared.settings.encryption == Encryption::Required);
    let members = room.members(RoomMemberships::JOIN).await;
    let operators = members
        .inspect_err(|error| tracing::warn!(%error, "cannot see who is in the room"))
        .ok()
        .map(|members| members.iter().filter(|one| shared.is_operator(one.user_id())).count());
    News::Joined { room: room.room_id().to_owned(), served, operators }
}

async fn try_join(room: &Room) -> bool {
    let mut backoff = Backoff::default();
    for _ in 0..TRIES {
        match room.join().await {
            Ok(()) => return true,
            Err(_) if room.state() == RoomState::Joined => return true,
            Err(error) => {
                tracing::warn!(room = %room.room_id(), %error, "cannot join yet");
                let asked = match Failure::of(&error) {
                    Failure::Limited(asked) => asked,
                    _ => None,
                };
                tokio::time::sleep(backoff.next(asked)).await;
            }
        }
    }
    tracing::error!(room = %room.room_id(), "cannot join; invite the bot again");
    false
}

async fn warn_if_plain(shared: &Shared, room: &Room) {
    let served = shared.settings.encryption == Encryption::Optional;
    match room.latest_encryption_state().await {
        Ok(state) if !state.is_encrypted() => {
            shared.news(News::RoomNotEncrypted { room: room.room_id().to_owned(), served });
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(room = %room.room_id(), %error, "cannot see whether it is encrypted");
        }
    }
}

/// The room that an alias stands for: the one that it named when it was first looked up
/// (`GET /_matrix/client/v3/directory/room/{roomAlias}`).
async fn resolve(
    shared: &Shared,
    pinned: &Shelf<OwnedRoomId>,
    alias: &RoomAliasId,
) -> Result<OwnedRoomId, ConnectError> {
    let before = pinned.get(alias.as_str())?;
    let now = shared.client.resolve_room_alias(alias).await.map(|answer| answer.room_id);
    match (before, now) {
        (None, Ok(now)) => {
            pinned.put(alias.as_str(), &now)?;
            tracing::info!(%alias, room = %now, "the alias is pinned");
            Ok(now)
        }
        (None, Err(error)) if error.client_api_error_kind() == Some(&ErrorKind::NotFound) => {
            Err(ConnectError::Alias { alias: alias.to_owned() })
        }
        (None, Err(error)) => Err(error.into()),
        (Some(before), Ok(now)) if now != before => {
            shared.news(News::AliasMoved { alias: alias.to_owned(), pinned: before.clone(), now });
            Ok(before)
        }
        (Some(before), Ok(_)) => Ok(before),
        (Some(before), Err(error)) => {
            tracing::warn!(%alias, %error, "cannot look the alias up; its pinned room counts");
            Ok(before)
        }
    }
}
