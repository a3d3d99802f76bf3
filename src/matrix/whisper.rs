//! A place for what only one person may read: an encrypted room of just them and the bot.

use std::sync::Arc;

use matrix_sdk::{
    Room, RoomState,
    ruma::{
        api::client::{
            membership::get_member_events,
            room::create_room::{self, v3::RoomPreset},
        },
        events::{AnyInitialStateEvent, room::member::MembershipState},
        serde::Raw,
    },
};
use ruma::{OwnedRoomId, OwnedUserId, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ConnectError, Shared, trust::Trustee};
use crate::{
    pipeline::NoWhisper,
    reply::{Custom, Reply},
    store::{Shelf, Store},
};

/// Finds and makes direct rooms.
#[derive(Debug)]
pub(super) struct Whisper {
    shared: Arc<Shared>,
    keys: Arc<Trustee>,
    /// The direct room of each person.
    direct: Shelf<OwnedRoomId>,
    /// One at a time, so that nobody gets two rooms.
    finding: tokio::sync::Mutex<()>,
}

/// Who is in a room, as far as it matters.
#[derive(Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent yeses and noes")]
struct Present {
    /// The bot is in it.
    bot: bool,
    /// The person is in it.
    person: bool,
    /// The person is invited to it.
    invited: bool,
    /// Somebody else is in it or may come in.
    others: bool,
}

impl Whisper {
    pub(super) fn new(
        shared: Arc<Shared>,
        keys: Arc<Trustee>,
        store: &Store,
    ) -> Result<Self, ConnectError> {
        let direct = store.shelf("direct")?;
        Ok(Self { shared, keys, direct, finding: tokio::sync::Mutex::default() })
    }

    /// The room in which a secret can be told to `to` and nobody else, as the homeserver shows it
    /// now. Makes one and invites where there is none.
    pub(super) async fn room_for(&self, to: &UserId) -> Result<Room, NoWhisper> {
        let _turn = self.finding.lock().await;
        // First, so that nobody is invited to a room in which they could read nothing.
        match self.keys.has_signed_device(to).await {
            Ok(true) => {}
            Ok(false) => return Err(NoWhisper::NoSignedDevice),
            Err(doubt) => {
                tracing::warn!(%to, ?doubt, "no secret can be told");
                return Err(NoWhisper::NoSignedDevice);
            }
        }
        let kept = self.direct.get(to.as_str()).map_err(failed)?;
        let known = kept.and_then(|room| self.shared.client.get_room(&room));
        let Some(room) = known.filter(|room| room.state() == RoomState::Joined) else {
            self.create(to).await?;
            return Err(NoWhisper::NotJoined);
        };
        let present = self.present(&room, to).await?;
        if !present.bot {
            self.create(to).await?;
            return Err(NoWhisper::NotJoined);
        }
        if present.others {
            // It will not become private again; the next time there is another.
            self.direct.remove(to.as_str()).map_err(failed)?;
            return Err(NoWhisper::NotAlone);
        }
        if !present.person {
            if !present.invited {
                room.invite_user_by_id(to).await.map_err(failed)?;
            }
            return Err(NoWhisper::NotJoined);
        }
        let encryption = room.latest_encryption_state().await.map_err(failed)?;
        if encryption.is_encrypted() { Ok(room) } else { Err(NoWhisper::NotEncrypted) }
    }

    /// Who is in the room (`GET /_matrix/client/v3/rooms/{roomId}/members`).
    #[expect(clippy::disallowed_methods, reason = "it only looks")]
    async fn present(&self, room: &Room, to: &UserId) -> Result<Present, NoWhisper> {
        let request = get_member_events::v3::Request::new(room.room_id().to_owned());
        let answer = self.shared.client.send(request).await.map_err(failed)?;
        let members = answer.chunk.iter().map(|event| event.json().get());
        present(members, room.own_user_id(), to).ok_or(NoWhisper::Failed)
    }

    /// Makes a room for `to` and the bot, and invites them
    /// (`POST /_matrix/client/v3/createRoom`).
    async fn create(&self, to: &UserId) -> Result<(), NoWhisper> {
        let mut request = create_room::v3::Request::new();
        request.invite = vec![to.to_owned()];
        request.is_direct = true;
        request.name = Some("Private answers".to_owned());
        request.preset = Some(RoomPreset::PrivateChat);
        request.initial_state = initial_state().map_err(failed)?;
        // Nobody but the bot lets anybody in.
        let levels = Raw::new(&json!({ "invite": 100 })).map_err(failed)?;
        request.power_level_content_override = Some(levels.cast_unchecked());
        let room = self.shared.client.create_room(request).await.map_err(failed)?;
        tracing::info!(%to, room = %room.room_id(), "made a direct room");
        self.direct.put(to.as_str(), &room.room_id().to_owned()).map_err(failed)
    }
}

/// Encrypted, and open to the past only from the invitation on.
fn initial_state() -> serde_json::Result<Vec<Raw<AnyInitialStateEvent>>> {
    let events = [
        json!({
            "type": "m.room.encryption",
            "state_key": "",
            "content": { "algorithm": "m.megolm.v1.aes-sha2" },
        }),
        json!({
            "type": "m.room.history_visibility",
            "state_key": "",
            "content": { "history_visibility": "invited" },
        }),
    ];
    events.iter().map(|event| Ok(Raw::new(event)?.cast_unchecked())).collect()
}

/// Reads the members of a room; nothing where one cannot be read, since it might be anybody.
fn present<'a>(
    members: impl Iterator<Item = &'a str>,
    bot: &UserId,
    person: &UserId,
) -> Option<Present> {
    #[derive(Deserialize)]
    struct Member {
        state_key: OwnedUserId,
        content: Content,
    }
    #[derive(Deserialize)]
    struct Content {
        membership: MembershipState,
    }
    let mut present = Present::default();
    for member in members {
        let Member { state_key, content } = serde_json::from_str(member).ok()?;
        match content.membership {
            MembershipState::Join if state_key == bot => present.bot = true,
            MembershipState::Join if state_key == person => present.person = true,
            MembershipState::Invite if state_key == person => present.invited = true,
            MembershipState::Join | MembershipState::Invite => present.others = true,
            _ => {}
        }
    }
    Some(present)
}

/// The message that tells a secret. The secret stands here and nowhere else.
pub(super) fn message(custom: Custom<'_>, reply: &Reply, secret: &SecretString) -> Value {
    let (mut body, mut html) = (String::new(), String::new());
    for part in reply.draw(custom) {
        body.push_str(&part.body);
        body.push_str("\n\n");
        html.push_str(&part.html);
    }
    let secret = secret.expose_secret();
    body.push_str(secret);
    html.push_str("<pre><code>");
    for character in secret.chars() {
        match character {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            other => html.push(other),
        }
    }
    html.push_str("</code></pre>");
    json!({
        "msgtype": "m.text",
        "body": body,
        "format": "org.matrix.custom.html",
        "formatted_body": html,
        "m.mentions": {},
    })
}

/// The log has the cause; the room is told only that it failed.
fn failed(error: impl std::error::Error + 'static) -> NoWhisper {
    tracing::warn!(error = &error as &dyn std::error::Error, "a direct room cannot be used");
    NoWhisper::Failed
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;
    use crate::reply::Layout;

    fn present_of(members: &[(&str, &str)]) -> Option<Present> {
        let members: Vec<_> = members
            .iter()
            .map(|(user, membership)| {
                json!({ "state_key": user, "content": { "membership": membership } }).to_string()
            })
            .collect();
        let members = members.iter().map(String::as_str);
        present(members, user_id!("@synod:one.example"), user_id!("@ann:one.example"))
    }

    #[test]
    fn a_room_is_private_only_with_nobody_else_in_it_or_on_the_way() {
        let both = [("@synod:one.example", "join"), ("@ann:one.example", "join")];
        let alone = present_of(&both).unwrap();
        assert!(alone.bot && alone.person && !alone.others);
        for (membership, others) in [("join", true), ("invite", true), ("leave", false)] {
            let with = [both[0], both[1], ("@eve:one.example", membership)];
            assert_eq!(present_of(&with).unwrap().others, others, "{membership}");
        }
    }

    #[test]
    fn a_member_that_cannot_be_read_might_be_anybody() {
        assert_eq!(present_of(&[("not a user", "join")]), None);
    }

    #[test]
    fn a_secret_is_copied_as_it_is() {
        let secret = SecretString::from("a<b>&c");
        let content = message(Layout::default().into(), &Reply::data("Your password"), &secret);
        assert!(content["body"].as_str().unwrap().ends_with("a<b>&c"));
        let html = content["formatted_body"].as_str().unwrap();
        assert!(html.ends_with("<pre><code>a&lt;b&gt;&amp;c</code></pre>"), "{html}");
    }
}
