//! Whether a notice reaches whom it is for: whether they are in the room to which it was sent, are only
//! invited to it, or ignore who has sent it.

use std::collections::BTreeMap;

use ruma::UserId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{change::Path, error::Stop, reply::Line, synapse::Reader};

/// How somebody stands to a notice that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reach {
    /// They are in the room to which it was sent.
    Joined,
    /// They are invited to it and have not joined.
    Invited,
    /// They ignore who has sent it.
    Ignored(String),
    /// They are not in the room, or it could not be looked up.
    NotKnown,
}

/// The event that was sent: `GET /_synapse/admin/v1/fetch_event/{event_id}`.
#[derive(Debug, Deserialize)]
struct FetchedEvent {
    event: Sent,
}

#[derive(Debug, Deserialize)]
struct Sent {
    room_id: String,
    sender: String,
}

#[derive(Debug, Deserialize)]
struct Memberships {
    memberships: BTreeMap<String, String>,
}

/// What of the account data is looked at: `GET /_synapse/admin/v1/users/{user_id}/accountdata`. The
/// rest of it is nobody's business.
#[derive(Debug, Deserialize)]
struct Answered {
    account_data: Data,
}

#[derive(Debug, Default, Deserialize)]
struct Data {
    #[serde(default)]
    global: Global,
}

#[derive(Debug, Default, Deserialize)]
struct Global {
    #[serde(default, rename = "m.ignored_user_list")]
    ignored: Value,
}

impl Data {
    fn ignores(&self, user: &str) -> bool {
        self.global.ignored.get("ignored_users").is_some_and(|those| those.get(user).is_some())
    }
}

impl Reach {
    /// How `user`, an account of this server, stands to the notice that is this event.
    pub(super) async fn of(user: &UserId, event: &str, reader: &Reader) -> Self {
        match Self::look(user, event, reader).await {
            Ok(reach) => reach,
            Err(stop) => {
                let error = &stop as &dyn std::error::Error;
                tracing::warn!(error, "whether a notice is seen cannot be looked up");
                Self::NotKnown
            }
        }
    }

    async fn look(user: &UserId, event: &str, reader: &Reader) -> Result<Self, Stop> {
        let path = Path::admin(["v1", "fetch_event", event]);
        let sent = reader.get::<FetchedEvent>(&path, &[]).await?.event;
        let path = Path::admin(["v1", "users", user.as_str(), "memberships"]);
        let known: Memberships = reader.get(&path, &[]).await?;
        let membership = known.memberships.get(&sent.room_id).map(String::as_str);
        let path = Path::admin(["v1", "users", user.as_str(), "accountdata"]);
        let data = reader.get::<Answered>(&path, &[]).await?.account_data;
        Ok(Self::read(membership, sent.sender, &data))
    }

    fn read(membership: Option<&str>, sender: String, data: &Data) -> Self {
        match membership {
            Some("join" | "invite") if data.ignores(&sender) => Self::Ignored(sender),
            Some("join") => Self::Joined,
            Some("invite") => Self::Invited,
            _ => Self::NotKnown,
        }
    }

    /// What is said of it.
    pub(super) fn told(&self) -> Line {
        match self {
            Self::Joined => " got a notice from the homeserver".into(),
            Self::Invited => Line::from(" was sent a notice, and is only ")
                .strong("invited, not joined")
                .plain(": it is seen only after it joins"),
            Self::Ignored(sender) => Line::from(" was sent a notice, and ")
                .strong("ignores")
                .plain(" ")
                .code(sender)
                .plain(", who sends them, so it probably does not see it"),
            Self::NotKnown => {
                " was sent a notice; I cannot tell whether it is in the room for notices".into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::user::testing::line;

    #[test]
    fn how_somebody_stands_to_a_notice_follows_from_room_and_ignored_users() {
        let data = |ignored: &[&str]| -> Data {
            let those: serde_json::Map<String, Value> =
                ignored.iter().map(|user| ((*user).to_owned(), json!({}))).collect();
            let answered = json!({ "account_data": { "global": {
                "m.secret_storage.key.x": { "secret": 1 },
                "m.ignored_user_list": { "ignored_users": those },
            }, "rooms": {} }});
            serde_json::from_value::<Answered>(answered).unwrap().account_data
        };
        let sender = "@notices:example.org";
        let read = |membership, data: &Data| Reach::read(membership, sender.to_owned(), data);
        let (none, it) = (data(&["@eve:example.org"]), data(&[sender]));
        for (membership, data, reach) in [
            (Some("join"), &none, Reach::Joined),
            (Some("invite"), &none, Reach::Invited),
            (Some("join"), &it, Reach::Ignored(sender.to_owned())),
            (Some("invite"), &it, Reach::Ignored(sender.to_owned())),
            (Some("leave"), &none, Reach::NotKnown),
            (Some("ban"), &it, Reach::NotKnown),
            (None, &none, Reach::NotKnown),
        ] {
            assert_eq!(read(membership, data), reach);
        }
        let bare: Data = serde_json::from_value(json!({})).unwrap();
        assert_eq!(read(Some("join"), &bare), Reach::Joined);
    }

    #[test]
    fn what_cannot_be_known_is_not_told_as_received() {
        for (reach, said) in [
            (Reach::Joined, "got a notice from the homeserver"),
            (Reach::Invited, "only **invited, not joined**: it is seen only after it joins"),
            (Reach::Ignored("@notices:example.org".into()), "**ignores** `@notices:example.org`"),
            (Reach::NotKnown, "cannot tell"),
        ] {
            let told = line(&reach.told());
            assert!(told.contains(said), "{told}");
            assert_eq!(told.contains("got a notice"), reach == Reach::Joined, "{told}");
        }
    }
}
